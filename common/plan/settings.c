/* settings.c - what defaults, an agent and a unit set, merged key by key
 *
 * A draft starts empty, takes the keys of `defaults`, then of the agent, then of the unit, each over what is there; maps
 * (env, labels, resources, context, retry, evidence) entry by entry. What nobody set gets its default last, since some
 * defaults depend on whether the unit is a command or an agent unit.
 */
#include "loader.h"

#include "common/limits.h"
#include "template.h"

#include <math.h>

#define BIT(id) ((uint64_t)1 << (id))

#define MIB ((uint64_t)1 << 20)

struct plan_mock plan_mock_standard(void)
{
	return (struct plan_mock){ .delay_us = RV_US_PER_S / 10, .retry_after_us = RV_US_PER_S, .output = RV_STR("") };
}

void plan_draft_init(struct plan_draft *d)
{
	*d = (struct plan_draft){
		.s = {
			.agent = PLAN_NONE,
			.grace_us = RV_GRACE_US_DEFAULT,
			.log_max_bytes = RV_LOG_MAX_MB_DEFAULT * MIB,
			.retry = {
				.backoff = PLAN_BACKOFF_EXPONENTIAL,
				.base_us = RV_US_PER_S,
				.max_us = 60 * (uint64_t)RV_US_PER_S,
				.jitter_ppm = 100000,
				.on = PLAN_RETRY_ON_AGENT | PLAN_RETRY_ON_TIMEOUT | PLAN_RETRY_ON_EVIDENCE,
				.agent = PLAN_NONE,
			},
			.mock = plan_mock_standard(),
		},
		.estimate_us = PLAN_ESTIMATE_NONE,
		.agent = PLAN_NONE,
	};
}

void plan_draft_release(struct plan_draft *d)
{
	plan_vec_release(&d->env);
	plan_vec_release(&d->labels);
	plan_vec_release(&d->resources);
	plan_vec_release(&d->locks);
	plan_vec_release(&d->required);
	plan_vec_release(&d->context);
	plan_vec_release(&d->extra);
}

int plan_draft_copy(struct plan_loader *l, struct plan_draft *to, const struct plan_draft *from)
{
	struct plan_draft mine = *to;

	*to = *from;
	to->env = mine.env;
	to->labels = mine.labels;
	to->resources = mine.resources;
	to->locks = mine.locks;
	to->required = mine.required;
	to->context = mine.context;
	to->extra = mine.extra;
	if (plan_vec_copy(l, &to->env, &from->env, sizeof(struct plan_env)) ||
	    plan_vec_copy(l, &to->labels, &from->labels, sizeof(struct plan_label)) ||
	    plan_vec_copy(l, &to->resources, &from->resources, sizeof(struct plan_resource)) ||
	    plan_vec_copy(l, &to->locks, &from->locks, sizeof(uint32_t)) ||
	    plan_vec_copy(l, &to->required, &from->required, sizeof(struct rv_str)) ||
	    plan_vec_copy(l, &to->context, &from->context, sizeof(struct plan_pair)) ||
	    plan_vec_copy(l, &to->extra, &from->extra, sizeof(struct plan_pair)))
		return -1;
	return 0;
}

/* ---- reading values ---- */

static uint64_t rounded(double v)
{
	return v <= 0 ? 0 : v >= 1e18 ? (uint64_t)1e18 : (uint64_t)llround(v);
}

uint64_t plan_node_us(const struct plan_loader *l, uint32_t node)
{
	double s = plan_node_number(l, node);

	/* 1e-9 s is asked for, so it is not "none". */
	return s > 0 && s < 1e-6 ? 1 : rounded(s * 1e6);
}

static int word(struct plan_loader *l, const uint32_t *found, int id, const char *words)
{
	return plan_word_index(words, plan_node_text(l->tree, found[id]));
}

/* A scalar as text: numbers and words as they were written. */
static struct rv_str scalar_text(const struct plan_loader *l, uint32_t node)
{
	const struct plan_node *n = plan_node(l->tree, node);

	return n->kind == PLAN_STRING ? plan_node_text(l->tree, node) : plan_node_source(l->tree, node);
}

static bool has(const uint32_t *found, int id)
{
	return found[id] != PLAN_NONE;
}

static const struct plan_key *key_of(const struct plan_loader *l, uint32_t value)
{
	return plan_key_find(&l->index[PLAN_MAP_UNIT], plan_node_text(l->tree, value - 1));
}

/* ---- lists ---- */

/* The place of `name` in a list sorted by names, which come first in its items; *found tells whether it is there. */
static uint32_t place_in(const struct plan_vec *v, size_t item_bytes, struct rv_str name, bool *found)
{
	uint32_t lo = 0, hi = v->count;

	*found = false;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct rv_str *at = (const void *)((const char *)v->at + mid * item_bytes);
		int c = rv_str_compare(*at, name);

		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Makes or finds the item of that name, keeping order; its name is set. */
static void *item_named(struct plan_loader *l, struct plan_vec *v, size_t item_bytes, struct rv_str name)
{
	bool found;
	uint32_t at = place_in(v, item_bytes, name, &found);
	char *base;

	if (!found) {
		if (!plan_vec_add(l, v, item_bytes))
			return NULL;
		base = v->at;
		memmove(base + (at + 1) * item_bytes, base + at * item_bytes, (v->count - 1 - at) * item_bytes);
		memset(base + at * item_bytes, 0, item_bytes);
	}
	base = (char *)v->at + at * item_bytes;
	*(struct rv_str *)(void *)base = name;
	return base;
}

static void remove_named(struct plan_vec *v, size_t item_bytes, struct rv_str name)
{
	bool found;
	uint32_t at = place_in(v, item_bytes, name, &found);
	char *base = v->at;

	if (!found)
		return;
	v->count--;
	memmove(base + at * item_bytes, base + (at + 1) * item_bytes, (v->count - at) * item_bytes);
}

static int apply_env(struct plan_loader *l, struct plan_draft *d, uint32_t map, int level)
{
	const struct plan_key *key = key_of(l, map);
	uint32_t k;

	for (k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		struct plan_env *e;

		if (!plan_value_holds(l, key, k + 1))
			continue;
		e = item_named(l, &d->env, sizeof(*e), plan_node_text(l->tree, k));
		if (!e)
			return -1;
		e->value = scalar_text(l, k + 1);
		/* `defaults` beside units that are added: the run has not got them, so they are those units' own. */
		e->own = level == 3 || l->tree == &l->line_tree;
		if (e->name.bytes + e->value.bytes + 2 > RV_ARG_BYTES_MAX)
			plan_error_at(l, PLAN_E_LIMIT, k + 1, "a variable of %zu bytes; the limit is %zu",
				      e->name.bytes + e->value.bytes + 2, RV_ARG_BYTES_MAX);
	}
	return 0;
}

static int apply_labels(struct plan_loader *l, struct plan_draft *d, uint32_t map)
{
	const struct plan_key *key = key_of(l, map);
	uint32_t k;

	if (l->opt->mock != PLAN_MOCK_OFF)
		return 0;
	for (k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		struct plan_label *label;

		if (!plan_value_holds(l, key, k + 1))
			continue;
		label = item_named(l, &d->labels, sizeof(*label), plan_node_text(l->tree, k));
		if (!label)
			return -1;
		label->value = scalar_text(l, k + 1);
		label->must_not = label->value.bytes && label->value.at[0] == '!';
		if (label->must_not)
			label->value = rv_str(label->value.at + 1, label->value.bytes - 1);
	}
	return 0;
}

static bool is_budget(struct rv_str name)
{
	return rv_str_equal(name, RV_STR("tokens")) || rv_str_equal(name, RV_STR("cost_usd")) ||
	       rv_str_equal(name, RV_STR("cpu_seconds"));
}

static void apply_budget(struct plan_loader *l, struct plan_draft *d, uint32_t key, int level)
{
	struct rv_str name = plan_node_text(l->tree, key);
	double v = plan_node_number(l, key + 1);

	if (rv_str_equal(name, RV_STR("cpu_seconds"))) {
		if (l->opt->mock != PLAN_MOCK_OFF)
			return;
		plan_diag_hint(plan_error_at(l, PLAN_E_UNSUPPORTED, key, "\"cpu_seconds\" is not executed by this version yet"),
			       "--mock runs the plan without it");
		return;
	}
	if (rv_str_equal(name, RV_STR("tokens")))
		d->s.budget.tokens = rounded(v);
	else if (v > PLAN_COST_USD_MAX)
		plan_error_at(l, PLAN_E_RANGE, key + 1, "\"cost_usd\" may be 0 to %.0f", PLAN_COST_USD_MAX);
	else
		d->s.budget.cost_microusd = rounded(v * 1e6);
	d->budget_level = (uint8_t)level;
}

static int apply_resources(struct plan_loader *l, struct plan_draft *d, uint32_t map, int level)
{
	const struct plan_key *key = key_of(l, map);
	uint32_t k;

	for (k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		struct rv_str name = plan_node_text(l->tree, k);
		struct plan_resource *r;
		uint64_t milli;

		if (!plan_value_holds(l, key, k + 1))
			continue;
		milli = (uint64_t)ceil(plan_node_number(l, k + 1) * 1000 - 1e-9);
		if (rv_str_equal(name, RV_STR("cpus"))) {
			if (milli > (uint64_t)RV_SLOTS_MAX * 1000)
				plan_error_at(l, PLAN_E_RANGE, k + 1, "\"cpus\" may be 0 to %u", RV_SLOTS_MAX);
			d->s.cpus_milli = milli;
			d->cpus_given = true;
		} else if (is_budget(name)) {
			apply_budget(l, d, k, level);
		} else if (l->opt->mock != PLAN_MOCK_OFF) {
			continue;
		} else if (milli == 0) {
			remove_named(&d->resources, sizeof(*r), name);
		} else {
			r = item_named(l, &d->resources, sizeof(*r), name);
			if (!r)
				return -1;
			r->milli = milli;
		}
	}
	return 0;
}

static int apply_locks(struct plan_loader *l, struct plan_draft *d, uint32_t array)
{
	uint32_t n, i, *slot;
	char q[PLAN_QUOTED];

	d->locks.count = 0;
	for (n = plan_first(array); n < plan_end(l->tree, array); n = plan_next(l->tree, n)) {
		uint32_t lock = rv_strmap_get(&l->lock_names, plan_node_text(l->tree, n));

		if (lock == RV_MAP_NONE) {
			plan_diag_hint(plan_error_at(l, PLAN_E_CONFLICT, n, "no lock is called %s",
						     plan_quote(plan_node_text(l->tree, n), q)),
				       "the plan's `locks` gives each lock's name and count");
			continue;
		}
		for (i = 0; i < d->locks.count && PLAN_VEC_AT(&d->locks, uint32_t, i) < lock; i++)
			;
		if (i < d->locks.count && PLAN_VEC_AT(&d->locks, uint32_t, i) == lock)
			continue;
		slot = plan_vec_add(l, &d->locks, sizeof(*slot));
		if (!slot)
			return -1;
		memmove(&PLAN_VEC_AT(&d->locks, uint32_t, i + 1), &PLAN_VEC_AT(&d->locks, uint32_t, i),
			(d->locks.count - 1 - i) * sizeof(*slot));
		PLAN_VEC_AT(&d->locks, uint32_t, i) = lock;
	}
	return 0;
}

/* ---- maps of JSON values: context, x- keys ---- */

int plan_pairs_put(struct plan_loader *l, struct plan_vec *pairs, struct rv_str key, struct rv_str json)
{
	struct plan_pair *p;
	uint32_t i;

	for (i = 0; i < pairs->count; i++) {
		p = &PLAN_VEC_AT(pairs, struct plan_pair, i);
		if (rv_str_equal(p->key, key)) {
			p->value = json;
			return 0;
		}
	}
	p = plan_vec_add(l, pairs, sizeof(*p));
	if (!p)
		return -1;
	p->key = key;
	p->value = json;
	return 0;
}

struct rv_str plan_pairs_text(struct plan_loader *l, const struct plan_vec *pairs)
{
	struct rv_buf *b = &l->text;
	uint32_t i;

	if (!pairs->count)
		return RV_STR("");
	rv_buf_reset(b);
	for (i = 0; i < pairs->count; i++) {
		const struct plan_pair *p = &PLAN_VEC_AT(pairs, struct plan_pair, i);

		(void)rv_buf_putc(b, i ? ',' : '{');
		(void)rv_buf_put_json(b, p->key);
		(void)rv_buf_putc(b, ':');
		(void)rv_buf_put_str(b, p->value);
	}
	if (rv_buf_putc(b, '}')) {
		(void)plan_no_memory(l);
		return (struct rv_str){ 0 };
	}
	return plan_intern_text(l, rv_buf_str(b));
}

static int put_node(struct plan_loader *l, struct plan_vec *pairs, uint32_t key)
{
	struct rv_str text;

	rv_buf_reset(&l->text);
	if (plan_node_json(l->tree, key + 1, &l->text))
		return plan_no_memory(l);
	text = plan_intern_text(l, rv_buf_str(&l->text));
	return text.at ? plan_pairs_put(l, pairs, plan_node_text(l->tree, key), text) : -1;
}

static int apply_context(struct plan_loader *l, struct plan_draft *d, uint32_t map)
{
	const struct plan_key *key = key_of(l, map);
	uint32_t k;

	for (k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		if (plan_value_holds(l, key, k + 1) && put_node(l, &d->context, k))
			return -1;
	}
	return 0;
}

static int apply_extra(struct plan_loader *l, struct plan_draft *d, uint32_t map)
{
	uint32_t k;

	for (k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		struct rv_str name = plan_node_text(l->tree, k);

		if (name.bytes >= 2 && name.at[0] == 'x' && name.at[1] == '-' && put_node(l, &d->extra, k))
			return -1;
	}
	return 0;
}

/* ---- nested keys ---- */

static void apply_retry(struct plan_loader *l, struct plan_draft *d, uint32_t node, int level)
{
	static const struct {
		struct rv_str word;
		uint32_t bit;
	} classes[] = {
		{ RV_STR("agent"), PLAN_RETRY_ON_AGENT },
		{ RV_STR("timeout"), PLAN_RETRY_ON_TIMEOUT },
		{ RV_STR("evidence"), PLAN_RETRY_ON_EVIDENCE },
	};
	struct plan_retry *r = &d->s.retry;
	uint32_t found[PLAN_KEYS_MAX], n;
	size_t i;

	memset(found, 0xff, sizeof(found));
	if (plan_node(l->tree, node)->kind == PLAN_MAP)
		(void)plan_walk(l, node, PLAN_MAP_RETRY, found);
	else
		found[PLAN_R_max] = node;
	if (has(found, PLAN_R_max)) {
		r->max = (uint32_t)plan_node_int(l, found[PLAN_R_max]);
		d->retry_max_given = true;
		d->retry_level = (uint8_t)level;
	}
	if (has(found, PLAN_R_backoff))
		r->backoff = (enum plan_backoff)word(l, found, PLAN_R_backoff, "exponential linear none");
	if (has(found, PLAN_R_base_s))
		r->base_us = plan_node_us(l, found[PLAN_R_base_s]);
	if (has(found, PLAN_R_max_s))
		r->max_us = plan_node_us(l, found[PLAN_R_max_s]);
	if (has(found, PLAN_R_jitter))
		r->jitter_ppm = (uint32_t)rounded(plan_node_number(l, found[PLAN_R_jitter]) * 1e6);
	if (has(found, PLAN_R_agent)) {
		bool unknown = false;

		r->agent = plan_unit_agent(l, found[PLAN_R_agent], &unknown);
		d->retry_agent_level = (uint8_t)level;
	}
	if (!has(found, PLAN_R_on))
		return;
	r->on = 0;
	for (n = plan_first(found[PLAN_R_on]); n < plan_end(l->tree, found[PLAN_R_on]); n = plan_next(l->tree, n)) {
		for (i = 0; i < RV_ARRAY_LEN(classes); i++) {
			if (rv_str_equal(plan_node_text(l->tree, n), classes[i].word))
				r->on |= classes[i].bit;
		}
	}
}

static int apply_evidence(struct plan_loader *l, struct plan_draft *d, uint32_t node)
{
	static const char words[] = "exit artifact_and_exit artifact";
	uint32_t found[PLAN_KEYS_MAX], n;
	struct rv_str *glob;

	memset(found, 0xff, sizeof(found));
	if (plan_node(l->tree, node)->kind == PLAN_MAP)
		(void)plan_walk(l, node, PLAN_MAP_EVIDENCE, found);
	else
		found[PLAN_E_type_key] = node;
	if (has(found, PLAN_E_type_key))
		d->s.evidence = (enum plan_evidence)word(l, found, PLAN_E_type_key, words);
	if (!has(found, PLAN_E_required_key))
		return 0;
	d->required.count = 0;
	node = found[PLAN_E_required_key];
	for (n = plan_first(node); n < plan_end(l->tree, node); n = plan_next(l->tree, n)) {
		glob = plan_vec_add(l, &d->required, sizeof(*glob));
		if (!glob)
			return -1;
		*glob = plan_node_text(l->tree, n);
	}
	return 0;
}

static int priority_of(struct plan_loader *l, uint32_t node)
{
	static const int level[] = { 30, 20, 10, 0 };

	if (plan_node(l->tree, node)->kind != PLAN_STRING)
		return (int)plan_node_int(l, node);
	return level[plan_word_index("critical high medium low", plan_node_text(l->tree, node))];
}

/* [] is none: a unit may do without what its defaults ask for. */
static const struct plan_argv *command_of(struct plan_loader *l, uint32_t node)
{
	return plan_node(l->tree, node)->count ? plan_read_argv(l, node) : NULL;
}

/* ---- applying ---- */

static void apply_mock(struct plan_loader *l, struct plan_mock *mock, uint32_t map)
{
	uint32_t found[PLAN_KEYS_MAX], output;

	(void)plan_walk(l, map, PLAN_MAP_MOCK, found);
	if (has(found, PLAN_M_delay_s))
		mock->delay_us = plan_node_us(l, found[PLAN_M_delay_s]);
	if (has(found, PLAN_M_rate_limited))
		mock->rate_limited = (uint32_t)plan_node_int(l, found[PLAN_M_rate_limited]);
	if (has(found, PLAN_M_retry_after_s))
		mock->retry_after_us = plan_node_us(l, found[PLAN_M_retry_after_s]);
	if (has(found, PLAN_M_hang))
		mock->hang = (uint32_t)plan_node_int(l, found[PLAN_M_hang]);
	if (has(found, PLAN_M_fail))
		mock->fail = (uint32_t)plan_node_int(l, found[PLAN_M_fail]);
	if (has(found, PLAN_M_tokens))
		mock->tokens = (uint64_t)plan_node_int(l, found[PLAN_M_tokens]);
	if (has(found, PLAN_M_cost_usd))
		mock->cost_microusd = plan_node_us(l, found[PLAN_M_cost_usd]);
	if (!has(found, PLAN_M_output))
		return;
	output = found[PLAN_M_output];
	if (plan_node(l->tree, output)->kind == PLAN_STRING) {
		mock->output = plan_intern_text(l, plan_node_text(l->tree, output));
		return;
	}
	rv_buf_reset(&l->text);
	(void)plan_node_json(l->tree, output, &l->text);
	mock->output = plan_intern_text(l, rv_buf_str(&l->text));
}

static void apply_scalars(struct plan_loader *l, struct plan_draft *d, const uint32_t *found, int level)
{
	struct plan_settings *s = &d->s;

	if (has(found, PLAN_U_template))
		s->template_mode = (enum plan_template_mode)word(l, found, PLAN_U_template, "auto on off");
	if (has(found, PLAN_U_trigger_rule))
		s->trigger = (enum plan_trigger)word(l, found, PLAN_U_trigger_rule,
						     "all_success all_done all_done_min_one_success");
	if (has(found, PLAN_U_output))
		s->output = (enum plan_output)word(l, found, PLAN_U_output, "text json");
	if (has(found, PLAN_U_namespace))
		s->namespace_mode = (enum plan_namespace)word(l, found, PLAN_U_namespace, "auto always never");
	if (has(found, PLAN_U_priority))
		s->priority = priority_of(l, found[PLAN_U_priority]);
	if (has(found, PLAN_U_grace_s))
		s->grace_us = plan_node_us(l, found[PLAN_U_grace_s]);
	if (has(found, PLAN_U_log_max_mb))
		s->log_max_bytes = (uint64_t)plan_node_int(l, found[PLAN_U_log_max_mb]) * MIB;
	if (has(found, PLAN_U_at_most_once)) {
		s->at_most_once = plan_node(l->tree, found[PLAN_U_at_most_once])->integer;
		d->once_level = (uint8_t)level;
	}
	if (has(found, PLAN_U_satisfied))
		s->satisfied = plan_node(l->tree, found[PLAN_U_satisfied])->integer;
	if (has(found, PLAN_U_hold) && !l->opt->no_hold)
		s->hold = plan_node(l->tree, found[PLAN_U_hold])->integer;
	if (has(found, PLAN_U_accept))
		s->accept = command_of(l, found[PLAN_U_accept]);
	if (has(found, PLAN_U_unless))
		s->unless = command_of(l, found[PLAN_U_unless]);
	if (has(found, PLAN_U_cwd))
		s->cwd = plan_node_text(l->tree, found[PLAN_U_cwd]);
	if (has(found, PLAN_U_node) && l->opt->mock == PLAN_MOCK_OFF)
		s->node = plan_node_text(l->tree, found[PLAN_U_node]);
	if (has(found, PLAN_U_estimate_s))
		d->estimate_us = plan_node_us(l, found[PLAN_U_estimate_s]);
	if (has(found, PLAN_U_timeout_s))
		s->timeout_us = plan_node_us(l, found[PLAN_U_timeout_s]);
	if (has(found, PLAN_U_idle_timeout_s))
		s->idle_timeout_us = plan_node_us(l, found[PLAN_U_idle_timeout_s]);
	if (has(found, PLAN_U_start_timeout_s))
		s->start_timeout_us = plan_node_us(l, found[PLAN_U_start_timeout_s]);
	if (has(found, PLAN_U_queue_timeout_s))
		s->queue_timeout_us = plan_node_us(l, found[PLAN_U_queue_timeout_s]);
}

int plan_draft_apply(struct plan_loader *l, struct plan_draft *d, uint32_t map, const uint32_t *found, int level)
{
	int id;

	for (id = 0; id < PLAN_U_COUNT; id++) {
		if (has(found, id))
			d->given |= BIT(id);
	}
	apply_scalars(l, d, found, level);
	if (has(found, PLAN_U_mock))
		apply_mock(l, &d->s.mock, found[PLAN_U_mock]);
	if (has(found, PLAN_U_retry))
		apply_retry(l, d, found[PLAN_U_retry], level);
	if ((has(found, PLAN_U_evidence) && apply_evidence(l, d, found[PLAN_U_evidence])) ||
	    (has(found, PLAN_U_env) && apply_env(l, d, found[PLAN_U_env], level)) ||
	    (has(found, PLAN_U_labels) && apply_labels(l, d, found[PLAN_U_labels])) ||
	    (has(found, PLAN_U_resources) && apply_resources(l, d, found[PLAN_U_resources], level)) ||
	    (has(found, PLAN_U_locks) && apply_locks(l, d, found[PLAN_U_locks])) ||
	    (has(found, PLAN_U_context) && apply_context(l, d, found[PLAN_U_context])) || apply_extra(l, d, map))
		return -1;
	return 0;
}

void plan_draft_finish(struct plan_draft *d, bool agent_unit)
{
	struct plan_settings *s = &d->s;

	s->agent_unit = agent_unit;
	if (agent_unit && !(d->given & BIT(PLAN_U_timeout_s)))
		s->timeout_us = 3600 * (uint64_t)RV_US_PER_S;
	if (agent_unit && !(d->given & BIT(PLAN_U_idle_timeout_s)))
		s->idle_timeout_us = 900 * (uint64_t)RV_US_PER_S;
	if (agent_unit && !(d->given & BIT(PLAN_U_start_timeout_s)))
		s->start_timeout_us = 120 * (uint64_t)RV_US_PER_S;
	if (!agent_unit) { /* told before where the unit itself asked for it */
		s->budget = (struct plan_budget){ 0, 0 };
		s->retry.agent = PLAN_NONE;
	}
	if (!d->retry_max_given)
		s->retry.max = agent_unit ? 1 : 0;
	if (s->at_most_once)
		s->retry.max = 0;
	if (!d->cpus_given)
		s->cpus_milli = agent_unit ? 0 : 1000;
	s->slots = (uint32_t)((s->cpus_milli + 999) / 1000);
	/* A command without a slot would be a command without a bound on how many run at once. */
	if (!agent_unit && !s->slots)
		s->slots = 1;
}

const struct plan_argv *plan_read_argv(struct plan_loader *l, uint32_t node)
{
	const struct plan_tree *t = l->tree;
	struct rv_str few[64], *arg = few;
	uint32_t count = 0, n;
	size_t total = 0;
	const struct plan_argv *argv = NULL;

	if (t->nodes[node].count == 0 || plan_node_text(t, plan_first(node)).bytes == 0) {
		plan_diag_hint(plan_error_at(l, PLAN_E_COMMAND_EMPTY, node, "\"%.*s\" names no program", RV_STR_ARGS(plan_node_text(t, node - 1))),
			       "%.*s: [PROGRAM, ARGUMENT]", RV_STR_ARGS(plan_node_text(t, node - 1)));
		return NULL;
	}
	if (t->nodes[node].count > RV_ARRAY_LEN(few)) {
		arg = RV_ARENA_ARRAY(&l->scratch, struct rv_str, t->nodes[node].count);
		if (!arg) {
			(void)plan_no_memory(l);
			return NULL;
		}
	}
	for (n = plan_first(node); n < plan_end(t, node); n = plan_next(t, n)) {
		arg[count] = plan_node_text(t, n);
		if (arg[count].bytes + 1 > RV_ARG_BYTES_MAX) {
			plan_error_at(l, PLAN_E_LIMIT, n, "an argument of %zu bytes; the limit is %zu", arg[count].bytes,
				      RV_ARG_BYTES_MAX - 1);
			return NULL;
		}
		total += arg[count++].bytes + 1 + sizeof(char *);
	}
	if (total > RV_ARGV_BYTES_MAX) {
		plan_error_at(l, PLAN_E_LIMIT, node, "a command of %zu bytes; the limit is %zu", total, RV_ARGV_BYTES_MAX);
		return NULL;
	}
	argv = plan_intern_argv(l, arg, count);
	return argv;
}
