/* plan_build.c - see plan_build.h */
#include "tests/lib/plan_build.h"

#include "common/check.h"

#include <stdio.h>
#include <stdlib.h>

static void *arena_take(struct plan_build *b, size_t bytes)
{
	void *at = rv_arena_zalloc(&b->plan.arena, bytes, 16);

	rv_check(at != NULL);
	return at;
}

static struct rv_str text(struct plan_build *b, const char *s)
{
	struct rv_str copy = rv_arena_str(&b->plan.arena, rv_str_of(s));

	rv_check(copy.at != NULL);
	return copy;
}

void plan_build_init(struct plan_build *b)
{
	*b = (struct plan_build){ 0 };
	rv_arena_init(&b->plan.arena, 0);
	b->plan.name = text(b, "test");
	b->plan.context = text(b, "{}");
	b->plan.workspace.root = text(b, "/w");
	b->plan.workspace.mode = PLAN_MODE_NONE;
	b->plan.limits = (struct plan_limits){ .node_lost = 3, .environment = 3, .rate_limited = 20 };
	b->plan.agents = arena_take(b, RV_AGENTS_MAX * sizeof(*b->plan.agents));
	b->plan.locks = arena_take(b, RV_LOCKS_MAX * sizeof(*b->plan.locks));
}

void plan_build_release(struct plan_build *b)
{
	free(b->plan.units);
	free(b->settings);
	rv_arena_release(&b->plan.arena);
	*b = (struct plan_build){ 0 };
}

static struct plan_settings *add_settings(struct plan_build *b)
{
	struct plan_settings *s = arena_take(b, sizeof(*s));

	if (b->plan.settings_count == b->settings_max) {
		b->settings_max = b->settings_max * 2 + 16;
		b->settings = realloc(b->settings, b->settings_max * sizeof(*b->settings));
		rv_check(b->settings != NULL);
	}
	*s = (struct plan_settings){ .index = b->plan.settings_count, .agent = PLAN_NONE, .profile = PLAN_PROFILE_COMMAND, .slots = 1,
				     .cpus_milli = 1000, .grace_us = RV_GRACE_US_DEFAULT,
				     .log_max_bytes = (uint64_t)RV_LOG_MAX_MB_DEFAULT << 20,
				     .retry = { .backoff = PLAN_BACKOFF_EXPONENTIAL, .base_us = 1000000, .max_us = 60000000,
						.jitter_ppm = 100000,
						.on = PLAN_RETRY_ON_AGENT | PLAN_RETRY_ON_TIMEOUT | PLAN_RETRY_ON_EVIDENCE,
						.agent = PLAN_NONE } };
	b->settings[b->plan.settings_count++] = s;
	b->plan.settings = (const struct plan_settings *const *)b->settings;
	return s;
}

static struct plan_unit *add_unit(struct plan_build *b, const char *id)
{
	static const char *const argv_true = "true";
	struct plan_argv *argv = arena_take(b, sizeof(*argv) + 2 * sizeof(char *));
	struct plan_unit *u;

	if (b->plan.unit_count == b->units_max) {
		b->units_max = b->units_max * 2 + 16;
		b->plan.units = realloc(b->plan.units, b->units_max * sizeof(*b->plan.units));
		rv_check(b->plan.units != NULL);
	}
	u = &b->plan.units[b->plan.unit_count++];
	argv->count = 1;
	argv->arg[0] = argv_true;
	*u = (struct plan_unit){ .id = text(b, id), .command = argv, .estimate_us = PLAN_ESTIMATE_NONE };
	u->description = u->prompt = u->context = u->extra = text(b, "");
	b->plan.instance_count++;
	return u;
}

static void add_deps(struct plan_build *b, struct plan_unit *u, const char *deps)
{
	char copy[4096], *rest = copy, *word;
	uint32_t *list = arena_take(b, 512 * sizeof(*list)), n = 0;

	(void)snprintf(copy, sizeof(copy), "%s", deps);
	while ((word = strtok_r(rest, " ", &rest)))
		list[n++] = (uint32_t)(plan_build_find(b, word) - b->plan.units);
	u->deps = list;
	u->dep_count = n;
}

uint32_t plan_build_unit(struct plan_build *b, const char *id, const char *deps)
{
	struct plan_unit *u = add_unit(b, id);

	u->settings = add_settings(b);
	add_deps(b, u, deps);
	return (uint32_t)(u - b->plan.units);
}

uint32_t plan_build_for_each(struct plan_build *b, const char *id, uint32_t count, const char *deps)
{
	uint32_t i = plan_build_unit(b, id, deps);
	struct plan_for_each *f = arena_take(b, sizeof(*f));

	*f = (struct plan_for_each){ .count = count, .same_as = PLAN_NONE, .digits = 4, .id_template = text(b, "") };
	b->plan.units[i].for_each = f;
	b->plan.units[i].flags |= PLAN_UNIT_TEMPLATE;
	return i;
}

uint32_t plan_build_numbered(struct plan_build *b, const uint32_t *deps, uint32_t dep_count, uint32_t like)
{
	char id[24];
	struct plan_unit *u;
	uint32_t *list = arena_take(b, (dep_count + 1) * sizeof(*list));

	(void)snprintf(id, sizeof(id), "u%u", b->plan.unit_count);
	u = add_unit(b, id);
	memcpy(list, deps, dep_count * sizeof(*list));
	u->deps = list;
	u->dep_count = dep_count;
	u->settings = like == PLAN_NONE ? add_settings(b) : b->plan.units[like].settings;
	return (uint32_t)(u - b->plan.units);
}

struct plan_unit *plan_build_find(struct plan_build *b, const char *id)
{
	for (uint32_t i = 0; i < b->plan.unit_count; i++)
		if (rv_str_equal(b->plan.units[i].id, rv_str_of(id)))
			return &b->plan.units[i];
	fprintf(stderr, "no unit \"%s\"\n", id);
	abort();
}

struct plan_settings *plan_build_settings(struct plan_build *b, const char *id)
{
	return b->settings[plan_build_find(b, id)->settings->index];
}

void plan_build_estimate(struct plan_build *b, const char *id, uint64_t us)
{
	plan_build_find(b, id)->estimate_us = us;
}

void plan_build_dirs(struct plan_build *b, const char *id, const char *dirs)
{
	struct plan_dirs *d = arena_take(b, sizeof(*d) + 64 * sizeof(struct rv_str));
	char copy[4096], *rest = copy, *word;

	(void)snprintf(copy, sizeof(copy), "%s", dirs);
	while ((word = strtok_r(rest, " ", &rest))) {
		d->path[d->count++] = text(b, word);
		if (strstr(word, "{{"))
			d->filled++;
	}
	plan_build_find(b, id)->dirs = d;
	b->plan.workspace.mode = PLAN_MODE_SHARED;
}

void plan_build_agent(struct plan_build *b, const char *id, const char *agent, uint32_t max_concurrent)
{
	struct plan_settings *s = plan_build_settings(b, id);
	uint32_t i = 0;

	while (i < b->plan.agent_count && !rv_str_equal(b->plan.agents[i].name, rv_str_of(agent)))
		i++;
	if (i == b->plan.agent_count)
		b->plan.agents[b->plan.agent_count++] = (struct plan_agent){ .name = text(b, agent), .profile = PLAN_PROFILE_MOCK,
									     .model = text(b, ""), .max_concurrent = max_concurrent };
	s->agent = i;
	s->profile = PLAN_PROFILE_MOCK;
	s->agent_unit = true;
	s->slots = 0;
	plan_build_find(b, id)->command = NULL;
}

void plan_build_lock(struct plan_build *b, const char *id, const char *lock, uint32_t count)
{
	struct plan_settings *s = plan_build_settings(b, id);
	uint32_t i = 0, *list = arena_take(b, (s->lock_count + 1) * sizeof(*list));

	while (i < b->plan.lock_count && !rv_str_equal(b->plan.locks[i].name, rv_str_of(lock)))
		i++;
	if (i == b->plan.lock_count)
		b->plan.locks[b->plan.lock_count++] = (struct plan_lock){ .name = text(b, lock), .count = count };
	if (s->lock_count)
		memcpy(list, s->locks, s->lock_count * sizeof(*list));
	list[s->lock_count++] = i;
	s->locks = list;
}

void plan_build_label(struct plan_build *b, const char *id, const char *name, const char *value)
{
	struct plan_settings *s = plan_build_settings(b, id);
	struct plan_label *list = arena_take(b, (s->label_count + 1) * sizeof(*list));
	bool must_not = value[0] == '!';

	if (s->label_count)
		memcpy(list, s->labels, s->label_count * sizeof(*list));
	list[s->label_count++] = (struct plan_label){ text(b, name), text(b, value + must_not), must_not };
	s->labels = list;
}

void plan_build_resource(struct plan_build *b, const char *id, const char *name, uint64_t milli)
{
	struct plan_settings *s = plan_build_settings(b, id);
	struct plan_resource *list = arena_take(b, (s->resource_count + 1) * sizeof(*list));

	if (s->resource_count)
		memcpy(list, s->resources, s->resource_count * sizeof(*list));
	list[s->resource_count++] = (struct plan_resource){ text(b, name), milli };
	s->resources = list;
}

void plan_build_same_as(struct plan_build *b, const char *id, const char *other)
{
	struct plan_unit *u = plan_build_find(b, id), *o = plan_build_find(b, other);
	struct plan_for_each *f = arena_take(b, sizeof(*f));

	*f = *o->for_each;
	f->same_as = (uint32_t)(o - b->plan.units);
	u->for_each = f;
	u->flags |= PLAN_UNIT_TEMPLATE;
}

void plan_build_verify(struct plan_build *b)
{
	struct plan_unit *v = arena_take(b, sizeof(*v));

	*v = *add_unit(b, PLAN_VERIFY_ID);
	b->plan.unit_count--;
	v->settings = add_settings(b);
	b->plan.verify = v;
}

struct coord_graph *plan_build_graph(struct plan_build *b, uint64_t run)
{
	struct coord_graph *g = NULL;
	struct rv_err err;

	if (coord_graph_build(&b->plan, run, NULL, &g, &err) < 0) {
		fprintf(stderr, "graph: %s\n", err.msg);
		abort();
	}
	return g;
}
