/* workload.c - random plans and what their attempts do */
#include "tests/sim/workload.h"

#include "common/check.h"
#include "common/limits.h"
#include "common/map.h"
#include "common/prng.h"

#include <stdio.h>
#include <stdlib.h>

#define MS ((uint64_t)RV_US_PER_MS)
#define SEC ((uint64_t)RV_US_PER_S)
#define LOCKS 3u
#define DIRS 6u

struct builder {
	const struct sim_spec *s;
	struct plan *p;
	struct rv_prng prng;
	struct plan_settings **settings;
	uint32_t settings_room;
	const struct plan_argv *argv;
	const struct plan_dirs *dirs[DIRS];
};

static bool per_mille(struct builder *b, uint32_t pm)
{
	return rv_prng_below(&b->prng, 1000) < pm;
}

static void *zalloc(struct builder *b, size_t bytes)
{
	void *at = rv_arena_zalloc(&b->p->arena, bytes, 16);

	rv_check(at);
	return at;
}

static struct rv_str text(struct builder *b, const char *fmt, uint32_t n)
{
	char room[64];
	struct rv_str s;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(room, sizeof(room), fmt, n);
#pragma GCC diagnostic pop
	s = rv_arena_str(&b->p->arena, rv_str_of(room));
	rv_check(s.at);
	return s;
}

/* Equal settings are one pointer, as the loader interns them. */
static const struct plan_settings *intern(struct builder *b, const struct plan_settings *want)
{
	struct plan_settings *s;
	uint32_t i;

	for (i = 0; i < b->p->settings_count; i++) {
		s = b->settings[i];
		if (s->agent == want->agent && s->profile == want->profile && s->at_most_once == want->at_most_once &&
		    s->satisfied == want->satisfied && s->trigger == want->trigger && s->slots == want->slots &&
		    s->retry.max == want->retry.max && s->lock_count == want->lock_count && s->priority == want->priority &&
		    (!s->lock_count || s->locks[0] == want->locks[0]))
			return s;
	}
	rv_check(b->p->settings_count < b->settings_room);
	s = zalloc(b, sizeof(*s));
	*s = *want;
	s->index = b->p->settings_count;
	b->settings[b->p->settings_count++] = s;
	return s;
}

static const struct plan_settings *draw_settings(struct builder *b)
{
	static const uint64_t prng_grace = 2 * SEC;
	struct plan_settings s = {
		.agent = PLAN_NONE,
		.profile = PLAN_PROFILE_COMMAND,
		.trigger = PLAN_ALL_SUCCESS,
		.namespace_mode = PLAN_NAMESPACE_NEVER,
		.slots = 1,
		.cpus_milli = 1000,
		.grace_us = prng_grace,
		.log_max_bytes = (uint64_t)1 << 20,
		.retry = { .backoff = PLAN_BACKOFF_EXPONENTIAL, .base_us = SEC, .max_us = 20 * SEC, .jitter_ppm = 100000,
			   .on = PLAN_RETRY_ON_AGENT | PLAN_RETRY_ON_TIMEOUT | PLAN_RETRY_ON_EVIDENCE, .agent = PLAN_NONE },
	};

	s.cwd = s.node = RV_STR("");
	s.trigger = per_mille(b, b->s->trigger_pm) ? (per_mille(b, 500) ? PLAN_ALL_DONE : PLAN_ALL_DONE_MIN_ONE_SUCCESS) : PLAN_ALL_SUCCESS;
	s.satisfied = per_mille(b, b->s->satisfied_pm);
	s.priority = per_mille(b, 100) ? 10 : 0;
	if (per_mille(b, b->s->noop_pm)) {
		s.agent = 0;
		s.profile = PLAN_PROFILE_NOOP;
	} else if (per_mille(b, b->s->mock_pm)) {
		s.agent = 1;
		s.profile = PLAN_PROFILE_MOCK;
		s.mock = b->p->agents[1].mock; /* as settings have it, once a plan is read */
		s.agent_unit = true;
		s.slots = 0;
		s.cpus_milli = 0;
		if (b->s->budget_pm && per_mille(b, b->s->budget_pm / 4))
			s.budget.tokens = 1 + rv_prng_below(&b->prng, 2000);
	}
	s.retry.max = per_mille(b, b->s->retry_pm) ? (uint32_t)rv_prng_below(&b->prng, 4) : 0;
	if (s.agent_unit && s.retry.max)
		s.retry.agent = 2;
	if (per_mille(b, b->s->once_pm)) {
		s.at_most_once = true;
		s.retry.max = 0;
		s.retry.agent = PLAN_NONE;
	}
	if (s.profile == PLAN_PROFILE_COMMAND && per_mille(b, b->s->wide_pm)) {
		s.slots = 1 + (uint32_t)rv_prng_below(&b->prng, b->s->slots_max);
		s.cpus_milli = s.slots * 1000u;
	}
	if (per_mille(b, b->s->lock_pm)) {
		uint32_t *locks = zalloc(b, sizeof(*locks));

		locks[0] = (uint32_t)rv_prng_below(&b->prng, LOCKS);
		s.locks = locks;
		s.lock_count = 1;
	}
	return intern(b, &s);
}

static void add_dep(struct plan_unit *u, uint32_t *deps, uint32_t dep)
{
	uint32_t i;

	for (i = 0; i < u->dep_count; i++)
		if (deps[i] == dep)
			return;
	deps[u->dep_count++] = dep;
}

#define DEPS_MAX 8u

static void draw_deps(struct builder *b, uint32_t i)
{
	struct plan_unit *u = &b->p->units[i];
	uint32_t *deps = zalloc(b, DEPS_MAX * sizeof(*deps)), k, width;

	u->deps = deps;
	if (i == 0)
		return;
	switch (b->s->shape) {
	case SIM_CHAIN:
		add_dep(u, deps, i - 1);
		break;
	case SIM_FAN: /* one root, a fan, now and then a join */
		add_dep(u, deps, 0);
		if (i % 17 == 0)
			for (k = 1; k < DEPS_MAX && k < i; k++)
				add_dep(u, deps, i - k);
		break;
	case SIM_DIAMOND: /* layers, each unit on two of the layer before */
		width = 1 + (uint32_t)(b->s->seed % 7);
		if (i < width)
			break;
		add_dep(u, deps, (i / width - 1) * width + i % width);
		add_dep(u, deps, (i / width - 1) * width + (i + 1) % width);
		break;
	default:
		for (k = (uint32_t)rv_prng_below(&b->prng, 4); k > 0; k--)
			add_dep(u, deps, (uint32_t)rv_prng_below(&b->prng, i));
	}
}

static void draw_unit(struct builder *b, uint32_t i)
{
	struct plan_unit *u = &b->p->units[i];

	u->settings = draw_settings(b);
	u->id = text(b, "u%u", i);
	u->description = u->prompt = u->context = u->extra = RV_STR("");
	u->estimate_us = per_mille(b, 500) ? rv_prng_below(&b->prng, b->s->duration_us_max) + 1 : PLAN_ESTIMATE_NONE;
	if (u->settings->profile == PLAN_PROFILE_COMMAND)
		u->command = b->argv;
	draw_deps(b, i);
	if (per_mille(b, b->s->dir_pm))
		u->dirs = b->dirs[rv_prng_below(&b->prng, DIRS)];
	if (per_mille(b, b->s->many_pm)) {
		struct plan_for_each *f = zalloc(b, sizeof(*f));

		f->count = (uint32_t)rv_prng_below(&b->prng, 9);
		f->same_as = PLAN_NONE;
		f->digits = 4;
		f->id_template = RV_STR("");
		u->for_each = f;
		u->flags |= PLAN_UNIT_TEMPLATE;
	}
}

static void make_agents(struct builder *b)
{
	struct plan_agent *agents = zalloc(b, 3 * sizeof(*agents));

	agents[0] = (struct plan_agent){ .name = RV_STR("noop"), .profile = PLAN_PROFILE_NOOP, .built_in = true };
	agents[1] = (struct plan_agent){ .name = RV_STR("mock"), .profile = PLAN_PROFILE_MOCK };
	agents[0].model = agents[1].model = RV_STR("");
	agents[0].mock.output = agents[1].mock.output = RV_STR("");
	agents[1].mock.delay_us = 1 + b->s->duration_us_max / 2;
	agents[1].mock.fail = b->s->fail_pm > 100 ? 1 : 0;
	agents[1].max_concurrent = per_mille(b, b->s->agent_limit_pm) ? 1 + (uint32_t)rv_prng_below(&b->prng, 4) : 0;
	agents[1].mock.tokens = b->s->budget_pm ? 1 + rv_prng_below(&b->prng, 1000) : 0;
	if (b->s->budget_pm && per_mille(b, b->s->budget_pm / 2))
		agents[1].budget.tokens = 1 + rv_prng_below(&b->prng, 20000);
	if (b->s->budget_pm && per_mille(b, b->s->budget_pm / 2))
		b->p->limits.budget.tokens = 1 + rv_prng_below(&b->prng, 20000);
	agents[2] = agents[1]; /* of last tries */
	agents[2].name = RV_STR("last");
	agents[2].max_concurrent = 1;
	b->p->agents = agents;
	b->p->agent_count = 3;
}

static void make_texts(struct builder *b)
{
	static const char *const paths[DIRS] = { "a", "a/b", "a/b/c", "d", "e/f", "." };
	struct plan_argv *argv = zalloc(b, sizeof(*argv) + 2 * sizeof(char *));
	struct plan_lock *locks = zalloc(b, LOCKS * sizeof(*locks));
	uint32_t i;

	argv->count = 1;
	argv->arg[0] = "true";
	b->argv = argv;
	for (i = 0; i < DIRS; i++) {
		struct plan_dirs *d = zalloc(b, sizeof(*d) + sizeof(d->path[0]));

		d->count = 1;
		d->path[0] = rv_str_of(paths[i]);
		b->dirs[i] = d;
	}
	for (i = 0; i < LOCKS; i++) {
		locks[i].name = text(b, "lock%u", i);
		locks[i].count = 1 + i;
	}
	b->p->locks = locks;
	b->p->lock_count = LOCKS;
}

static void make_verify(struct builder *b)
{
	struct plan_unit *v = zalloc(b, sizeof(*v));
	struct plan_settings s = { .agent = PLAN_NONE, .retry.agent = PLAN_NONE, .profile = PLAN_PROFILE_COMMAND, .slots = 1, .cpus_milli = 1000, .grace_us = 2 * SEC,
				   .namespace_mode = PLAN_NAMESPACE_NEVER };

	s.cwd = s.node = RV_STR("");
	s.log_max_bytes = (uint64_t)1 << 20;
	v->settings = intern(b, &s);
	v->command = b->argv;
	v->id = RV_STR(PLAN_VERIFY_ID);
	v->description = v->prompt = v->context = v->extra = RV_STR("");
	v->estimate_us = PLAN_ESTIMATE_NONE;
	b->p->verify = v;
}

static void count_plan(struct plan *p)
{
	uint32_t i, k;

	for (i = 0; i < p->unit_count; i++) {
		const struct plan_unit *u = &p->units[i];

		p->instance_count += plan_unit_instances(u);
		for (k = 0; k < u->dep_count; k++)
			p->edge_count += (uint64_t)plan_unit_instances(u) * plan_unit_instances(&p->units[u->deps[k]]);
	}
}

struct plan *sim_plan_make(const struct sim_spec *s, uint32_t number)
{
	struct plan *p = calloc(1, sizeof(*p));
	struct builder b = { .s = s, .p = p };
	uint32_t i;

	if (!p)
		return NULL;
	rv_arena_init(&p->arena, 0);
	rv_prng_seed(&b.prng, rv_hash_u64(s->seed, 1000 + number));
	p->name = RV_STR("sim");
	p->dir = RV_STR("/");
	p->max_workers = s->max_workers;
	p->on_failure = (enum plan_on_failure)s->on_failure;
	p->order = s->order_by_id ? PLAN_ORDER_ID : PLAN_ORDER_CRITICAL_PATH;
	p->placement = (enum plan_placement)rv_prng_below(&b.prng, 3);
	p->timeout_us = s->run_timeout_us;
	p->lost_after_us = s->lost_after_us;
	p->limits = (struct plan_limits){ .node_lost = 3, .environment = 3, .rate_limited = 20 };
	p->workspace = (struct plan_workspace){ .mode = PLAN_MODE_SHARED, .overlap = PLAN_OVERLAP_SERIALIZE };
	p->workspace.root = RV_STR("/w");
	p->workspace.namespace_root = RV_STR("");
	p->context = RV_STR("{}");
	make_texts(&b);
	make_agents(&b);
	p->unit_count = s->units;
	p->units = zalloc(&b, s->units * sizeof(*p->units));
	b.settings_room = s->units + 1;
	b.settings = zalloc(&b, b.settings_room * sizeof(*b.settings));
	for (i = 0; i < s->units; i++)
		draw_unit(&b, i);
	if (s->verify)
		make_verify(&b);
	p->settings = (const struct plan_settings *const *)b.settings;
	count_plan(p);
	return p;
}

void sim_plan_free(struct plan **p)
{
	if (!*p)
		return;
	rv_arena_release(&(*p)->arena);
	free(*p);
	*p = NULL;
}

uint32_t sim_plan_template(const struct plan *p, uint32_t unit)
{
	uint32_t t;

	for (t = 0; t < p->unit_count; t++) {
		if (unit < plan_unit_instances(&p->units[t]))
			return t;
		unit -= plan_unit_instances(&p->units[t]);
	}
	return PLAN_NONE;
}

void sim_plan_doing(const struct sim_spec *s, uint32_t run_number, uint32_t unit, uint32_t try_number, uint32_t attempt, struct sim_doing *out)
{
	uint64_t h = rv_hash_u64(rv_hash_u64(rv_hash_u64(s->seed, run_number + 77), unit), try_number);
	uint64_t g = rv_hash_u64(h, attempt);

	*out = (struct sim_doing){ .outcome = PROTO_SUCCEEDED };
	out->duration_us = 1 + h % s->duration_us_max;
	if (h >> 20 & 1)
		out->duration_us = 1 + out->duration_us / 10;
	out->ignores_term = (h >> 21) % 4 == 0;
	if ((h >> 32) % 1000 < s->fail_pm) {
		out->outcome = PROTO_FAILED;
		out->class = (h >> 45) % 4 == 0 ? PROTO_CLASS_TIMEOUT : PROTO_CLASS_AGENT;
		out->reason = out->class == PROTO_CLASS_TIMEOUT ? PROTO_REASON_TIMEOUT : PROTO_REASON_EXIT;
		out->exit = out->class == PROTO_CLASS_TIMEOUT ? -1 : 1;
	}
	if (g % 1000000 < s->environment_ppm) {
		out->outcome = PROTO_FAILED;
		out->class = PROTO_CLASS_ENVIRONMENT;
		out->reason = PROTO_REASON_SPAWN;
		out->exit = -1;
		out->duration_us = 1;
	}
}
