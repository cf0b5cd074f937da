/* budget.c - what agents have used, by unit, agent and run, and what follows when a limit is reached
 *
 * Two sums stand side by side. *spent* is folded: what the facts of ended attempts say. *streaming* is live: by how much what running
 * attempts have reported (USAGE) is more than what was counted of them already. When an attempt ends, its fact says the greater of its
 * last report and its result, and that takes the place of its share of streaming; so nothing is counted twice, nor is it when a lost
 * attempt comes back, since a meter remembers what was counted of the newest attempt. After a restart streaming begins at 0, and nodes
 * report again.
 *
 * Limits are soft. A turn looks before it places: at the run's limit the run is stopped (RUN_STOPPED, a fact), at an agent's or unit's
 * what runs of it is cancelled, and what is to be placed next of it ends, class budget.
 */
#include "coordinator/core/state.h"

bool coord_reason_is_budget(enum proto_reason reason)
{
	return reason == PROTO_REASON_BUDGET_TOKENS || reason == PROTO_REASON_BUDGET_COST || reason == PROTO_REASON_BUDGET_AGENT;
}

struct coord_meter *coord_budget_meter(const struct coord_run *r, uint32_t unit)
{
	const struct coord_tmpl *t;
	uint32_t first;

	if (!r->g->meters)
		return NULL;
	t = &r->g->tmpls[coord_unit_at(r, unit)->tmpl];
	first = r->g->more[coord_unit_at(r, unit)->tmpl].meter_first;
	return first == COORD_NONE ? NULL : &r->g->meters[first + (unit - t->first)];
}

/* --- numbers --- */

static uint64_t greater_cost(uint64_t a, uint64_t b)
{
	if (a == PROTO_COST_UNKNOWN || b == PROTO_COST_UNKNOWN) {
		uint64_t known = a == PROTO_COST_UNKNOWN ? b : a;

		return known == PROTO_COST_UNKNOWN || !known ? PROTO_COST_UNKNOWN : known;
	}
	return rv_max_u64(a, b);
}

/* The greater of each number: reports are cumulative and may come late. */
static struct proto_usage greater(const struct proto_usage *a, const struct proto_usage *b)
{
	if (proto_usage_is_nothing(a))
		return *b;
	if (proto_usage_is_nothing(b))
		return *a;
	return (struct proto_usage){ .input_tokens = rv_max_u64(a->input_tokens, b->input_tokens),
				     .output_tokens = rv_max_u64(a->output_tokens, b->output_tokens),
				     .cache_read_tokens = rv_max_u64(a->cache_read_tokens, b->cache_read_tokens),
				     .cache_write_tokens = rv_max_u64(a->cache_write_tokens, b->cache_write_tokens),
				     .cost_microusd = greater_cost(a->cost_microusd, b->cost_microusd) };
}

/* How much more than `before`, of which it is the greater. */
static struct coord_spend more_than(const struct proto_usage *now, const struct proto_usage *before)
{
	return (struct coord_spend){ rv_sat_sub(proto_usage_tokens(now), proto_usage_tokens(before)),
				     rv_sat_sub(proto_usage_cost(now), proto_usage_cost(before)) };
}

static void add(struct coord_spend *to, struct coord_spend d)
{
	to->tokens = rv_sat_add(to->tokens, d.tokens);
	to->cost_microusd = rv_sat_add(to->cost_microusd, d.cost_microusd);
}

static void take(struct coord_spend *from, struct coord_spend d)
{
	from->tokens = rv_sat_sub(from->tokens, d.tokens);
	from->cost_microusd = rv_sat_sub(from->cost_microusd, d.cost_microusd);
}

static bool nothing(struct coord_spend d)
{
	return !d.tokens && !d.cost_microusd;
}

/* --- who runs a unit --- */

uint32_t coord_budget_agent(const struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_meter *m = coord_budget_meter(r, unit);
	const struct coord_setting *s = coord_unit_setting(r, u);

	if (m && m->agent != COORD_NONE)
		return m->agent; /* a person chose it */
	if (m && s->retry.agent != PLAN_NONE && s->retry.max && u->retries >= s->retry.max)
		return s->retry.agent;
	return coord_unit_class(r, u)->agent;
}

bool coord_budget_shape(const struct coord_run *r, uint32_t unit, struct coord_shape *out)
{
	const struct coord_class *cl = coord_unit_class(r, coord_unit_at(r, unit));
	uint32_t agent = r->g->meters ? coord_budget_agent(r, unit) : cl->agent;

	if (agent == cl->agent || agent == COORD_NONE)
		return false;
	*out = r->g->shapes[cl->shape];
	out->profile = r->g->agents[agent].profile;
	out->full_since = 0; /* what is known of the class's own agent says nothing of this one */
	return true;
}

uint32_t coord_attempt_agent(const struct coord *c, const struct coord_run *r, uint32_t slot)
{
	uint32_t unit = c->attempts[slot].unit;

	return coord_budget_meter(r, unit) ? c->usage[slot].agent : coord_unit_class(r, coord_unit_at(r, unit))->agent;
}

/* Of its attempt, if it has one: counters that say whose turn it is may have been reset since. */
static uint32_t agent_now(const struct coord *c, const struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);

	return u->state == COORD_UNIT_ACTIVE ? coord_attempt_agent(c, r, u->slot) : coord_budget_agent(r, unit);
}

/* --- counting --- */

void coord_budget_assigned(struct coord *c, struct coord_run *r, uint32_t unit, bool again)
{
	struct coord_meter *m = coord_budget_meter(r, unit);

	if (!m)
		return;
	if (!again)
		m->counted = (struct proto_usage){ 0 };
	c->usage[coord_unit_at(r, unit)->slot] = (struct coord_attempt_usage){ .agent = coord_budget_agent(r, unit) };
}

void coord_budget_dropped(struct coord *c, struct coord_run *r, uint32_t slot)
{
	struct coord_attempt_usage *a = &c->usage[slot];

	if (!r->g->meters || !coord_budget_meter(r, c->attempts[slot].unit))
		return;
	take(&r->streaming, a->more);
	if (a->agent != COORD_NONE)
		take(&r->g->agents[a->agent].streaming, a->more);
	a->more = (struct coord_spend){ 0, 0 };
}

static void look_soon(struct coord *c, struct coord_run *r)
{
	if (!r->budget_look && c->live)
		c->looks++;
	r->budget_look = c->live;
}

void coord_budget_ended(struct coord *c, struct coord_run *r, const struct proto_result *res)
{
	struct coord_meter *m = coord_budget_meter(r, res->key.unit);
	uint32_t agent;
	struct coord_spend d;
	struct proto_usage now;

	if (!m || proto_usage_is_nothing(&res->usage))
		return;
	now = greater(&res->usage, &m->counted);
	d = more_than(&now, &m->counted);
	m->counted = now;
	agent = agent_now(c, r, res->key.unit);
	add(&m->spent, d);
	add(&r->spent, d);
	if (agent != COORD_NONE)
		add(&r->g->agents[agent].spent, d);
	look_soon(c, r);
}

bool coord_budget_merge(const struct coord *c, const struct coord_run *r, struct proto_result *res)
{
	const struct coord_unit *u = coord_unit_at(r, res->key.unit);
	const struct coord_attempt_usage *a;

	if (u->state != COORD_UNIT_ACTIVE || !coord_budget_meter(r, res->key.unit))
		return false;
	a = &c->usage[u->slot];
	if (proto_usage_is_nothing(&a->seen))
		return false;
	res->usage = greater(&res->usage, &a->seen);
	return true;
}

/* --- limits --- */

static bool reached(const struct plan_budget *limit, struct coord_spend a, struct coord_spend b, enum proto_reason *which)
{
	if (limit->tokens && rv_sat_add(a.tokens, b.tokens) >= limit->tokens) {
		*which = PROTO_REASON_BUDGET_TOKENS;
		return true;
	}
	if (limit->cost_microusd && rv_sat_add(a.cost_microusd, b.cost_microusd) >= limit->cost_microusd) {
		*which = PROTO_REASON_BUDGET_COST;
		return true;
	}
	return false;
}

static bool agent_reached(const struct coord_run *r, uint32_t agent)
{
	enum proto_reason which;

	return agent != COORD_NONE && reached(&r->g->agents[agent].limit, r->g->agents[agent].spent, r->g->agents[agent].streaming, &which);
}

/* Of a unit whose attempt, if there is one, has reported `more`. */
static enum proto_reason used_up(const struct coord_run *r, uint32_t unit, uint32_t agent, struct coord_spend more)
{
	const struct coord_meter *m = coord_budget_meter(r, unit);
	enum proto_reason which;

	if (!m)
		return PROTO_REASON_NONE;
	if (reached(&coord_unit_setting(r, coord_unit_at(r, unit))->budget, m->spent, more, &which) ||
	    reached(&r->limit, r->spent, r->streaming, &which))
		return which;
	return agent_reached(r, agent) ? PROTO_REASON_BUDGET_AGENT : PROTO_REASON_NONE;
}

enum proto_reason coord_budget_refuses(const struct coord_run *r, uint32_t unit)
{
	return used_up(r, unit, coord_budget_agent(r, unit), (struct coord_spend){ 0, 0 });
}

static void rest(uint64_t limit, uint64_t used, uint64_t *left)
{
	if (limit && (!*left || limit - rv_min_u64(used, limit) < *left))
		*left = limit > used ? limit - used : 1;
}

static void budget_left(const struct coord_run *r, uint32_t unit, uint32_t agent, uint64_t *tokens, uint64_t *cost_microusd)
{
	const struct coord_meter *m = coord_budget_meter(r, unit);
	const struct plan_budget *own;

	*tokens = *cost_microusd = 0;
	if (!m)
		return;
	own = &coord_unit_setting(r, coord_unit_at(r, unit))->budget;
	rest(own->tokens, m->spent.tokens, tokens);
	rest(own->cost_microusd, m->spent.cost_microusd, cost_microusd);
	rest(r->limit.tokens, rv_sat_add(r->spent.tokens, r->streaming.tokens), tokens);
	rest(r->limit.cost_microusd, rv_sat_add(r->spent.cost_microusd, r->streaming.cost_microusd), cost_microusd);
	if (agent != COORD_NONE) {
		const struct coord_agent *a = &r->g->agents[agent];

		rest(a->limit.tokens, rv_sat_add(a->spent.tokens, a->streaming.tokens), tokens);
		rest(a->limit.cost_microusd, rv_sat_add(a->spent.cost_microusd, a->streaming.cost_microusd), cost_microusd);
	}
}

void coord_budget_dispatch(const struct coord *c, const struct coord_run *r, uint32_t unit, struct coord_effect *e)
{
	uint32_t agent;

	if (!coord_budget_meter(r, unit))
		return;
	agent = agent_now(c, r, unit);
	budget_left(r, unit, agent, &e->dispatch.tokens_left, &e->dispatch.cost_left_microusd);
	if (agent != coord_unit_class(r, coord_unit_at(r, unit))->agent)
		e->dispatch.agent = agent;
}

enum proto_reason coord_budget_cancels(const struct coord *c, const struct coord_run *r, uint32_t slot)
{
	const struct coord_attempt *a = &c->attempts[slot];

	if (a->state == COORD_A_STOPPING || !coord_budget_meter(r, a->unit))
		return PROTO_REASON_NONE;
	return used_up(r, a->unit, c->usage[slot].agent, c->usage[slot].more);
}

void coord_budget_report(struct coord *c, uint32_t slot, const struct proto_usage *usage)
{
	const struct coord_attempt *a = &c->attempts[slot];
	struct coord_attempt_usage *seen = &c->usage[slot];
	struct coord_run *r = &c->runs[a->run];
	const struct coord_meter *m = coord_budget_meter(r, a->unit);
	enum proto_reason which;
	struct coord_spend more, d;

	if (!m)
		return;
	seen->seen = greater(&seen->seen, usage);
	more = more_than(&seen->seen, &m->counted);
	d = (struct coord_spend){ rv_sat_sub(more.tokens, seen->more.tokens), rv_sat_sub(more.cost_microusd, seen->more.cost_microusd) };
	if (nothing(d))
		return;
	seen->more = more;
	add(&r->streaming, d);
	if (seen->agent != COORD_NONE)
		add(&r->g->agents[seen->agent].streaming, d);
	look_soon(c, r);
	if (a->state != COORD_A_STOPPING && reached(&coord_unit_setting(r, coord_unit_at(r, a->unit))->budget, m->spent, more, &which))
		coord_attempt_cancel(c, slot, which, RV_NEVER);
}

/* --- looking, once a turn --- */

static void stop_run(struct coord *c, struct coord_run *r, enum proto_reason reason)
{
	struct proto_fact f = { .kind = PROTO_FACT_RUN_STOPPED };

	f.run_stopped.run = r->id;
	f.run_stopped.reason = reason;
	coord_decide(c, &f, NULL);
}

/* An agent whose limit has just been reached: what it runs is to end. */
static bool agents_used_up(struct coord_run *r)
{
	bool any = false;

	for (uint32_t i = 0; i < r->g->agent_count; i++) {
		struct coord_agent *a = &r->g->agents[i];
		bool now = agent_reached(r, i);

		any |= now && !a->used_up;
		a->used_up = now;
	}
	return any;
}

bool coord_budget_look(struct coord *c)
{
	for (uint32_t i = 0; i < c->run_count && c->looks; i++) {
		struct coord_run *r = &c->runs[c->run_order[i]];
		enum proto_reason which;

		if (!r->budget_look)
			continue;
		if (!coord_room(c, 6))
			return false;
		r->budget_look = false;
		c->looks--;
		if (r->ended || r->stop_cancels || coord_run_ended_count(r) == r->g->unit_count)
			continue;
		if (reached(&r->limit, r->spent, r->streaming, &which))
			stop_run(c, r, which);
		else if (agents_used_up(r))
			coord_run_cancel_some(c, r);
	}
	return true;
}

void coord_budget_changed(struct coord *c, struct coord_run *r)
{
	look_soon(c, r);
}

void coord_budget_begin(struct coord *c)
{
	for (uint32_t i = 0; i < c->run_count; i++)
		if (c->runs[c->run_order[i]].g->meters)
			look_soon(c, &c->runs[c->run_order[i]]);
}
