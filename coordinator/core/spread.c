/* spread.c - what follows in the graph when something has ended
 *
 * Ended vertices wait in one queue for the whole core; the first is spread along its edges as far as the room for effects goes.
 * Each dependent hears of each dependency once: its counter goes down, and the top bit says that one succeeded. A dependent
 * whose rule is all_success hears of the first failure at once and is skipped.
 *
 * Sweeps over all units of a run (run.c) take one unit, then let the queue run empty, so that the order of what happens does not
 * depend on where the room ended: live and replay agree.
 */
#include "common/plant.h"
#include "coordinator/core/state.h"

/* --- the queue --- */

static struct coord_run *vertex_run(struct coord *c, uint32_t v)
{
	return &c->runs[coord_vertex_run(v)];
}

static uint32_t *vertex_link(struct coord *c, uint32_t v)
{
	struct coord_graph *g = vertex_run(c, v)->g;
	uint32_t i = coord_vertex_index(v);

	switch (coord_vertex_kind(v)) {
	case COORD_V_UNIT:
		return &g->units[i].slot; /* it has ended and holds no attempt */
	case COORD_V_JOIN_FAILED:
		return &g->more[i].join_failed_link;
	case COORD_V_JOIN_DONE:
		return &g->more[i].join_done_link;
	default:
		return &g->more[i].gate_link;
	}
}

void coord_work_push(struct coord *c, uint32_t v)
{
	*vertex_link(c, v) = COORD_NONE;
	if (c->work_first == COORD_NONE) {
		c->work_first = v;
		c->work_cursor = 0;
	} else {
		*vertex_link(c, c->work_last) = v;
	}
	c->work_last = v;
}

static void work_pop(struct coord *c)
{
	uint32_t *link = vertex_link(c, c->work_first);

	c->work_first = *link;
	*link = COORD_NONE;
	c->work_cursor = 0;
}

/* --- what a dependent hears --- */

struct news {
	bool ok;             /* it succeeded, or some of its instances did */
	uint32_t root_cause; /* if not */
};

static void skip(struct coord *c, struct coord_run *r, uint32_t unit, uint32_t root_cause)
{
	struct coord_unit_end e = { .state = COORD_UNIT_SKIPPED, .reason = PROTO_REASON_BLOCKED, .root_cause = root_cause };

	coord_unit_event(c, r, unit, COORD_UE_END, &e);
}

/* Every dependency of a pending unit has ended. */
static void rule_asked(struct coord *c, struct coord_run *r, uint32_t unit, uint32_t waiting, uint32_t root_cause)
{
	if (coord_unit_trigger(coord_unit_at(r, unit)) == PLAN_ALL_DONE_MIN_ONE_SUCCESS && !(waiting & COORD_WAIT_OK))
		skip(c, r, unit, root_cause);
	else
		coord_unit_event(c, r, unit, COORD_UE_READY, NULL);
}

/* The sweep that begins a run, or the units added to it, has yet to come to this one, and asks then: only it knows of what had ended before. */
static bool sweep_asks(const struct coord_run *r, uint32_t unit)
{
	return r->sweep == COORD_SWEEP_BEGIN && unit >= r->sweep_at && !coord_unit_is_verify(r, unit);
}

static void tell_unit(struct coord *c, struct coord_run *r, uint32_t unit, struct news n)
{
	uint32_t *waiting = &r->g->waiting[unit];
	struct coord_unit *u;

	rv_check(*waiting & COORD_WAIT_COUNT);
	if (n.ok)
		*waiting |= COORD_WAIT_OK;
	*waiting -= RV_PLANT(IN_DEGREE_TWICE) && n.ok && (*waiting & COORD_WAIT_COUNT) > 1 ? 2 : 1;
	if (n.ok && *waiting & COORD_WAIT_COUNT)
		return;
	u = coord_unit_at(r, unit);
	if (u->state != COORD_UNIT_PENDING)
		return; /* skipped or cancelled already */
	if (!n.ok && coord_unit_trigger(u) == PLAN_ALL_SUCCESS)
		skip(c, r, unit, n.root_cause);
	else if (!(*waiting & COORD_WAIT_COUNT) && !sweep_asks(r, unit))
		rule_asked(c, r, unit, *waiting, n.root_cause);
}

static void settle_gate(struct coord *c, struct coord_run *r, uint32_t t, bool blocked, uint32_t root_cause)
{
	struct coord_tmpl *tm = &r->g->tmpls[t];

	tm->flags |= COORD_TMPL_GATE_SETTLED | (blocked ? (uint32_t)COORD_TMPL_GATE_BLOCKED : 0);
	tm->gate_root = root_cause;
	coord_work_push(c, coord_vertex(COORD_V_GATE, coord_run_slot(c, r), t));
}

static void tell_gate(struct coord *c, struct coord_run *r, uint32_t t, struct news n)
{
	struct coord_tmpl *tm = &r->g->tmpls[t];

	if (tm->flags & COORD_TMPL_GATE_SETTLED)
		return;
	rv_check(tm->gate_left & COORD_WAIT_COUNT);
	if (n.ok)
		tm->gate_left |= COORD_WAIT_OK;
	tm->gate_left -= 1;
	if (!n.ok && tm->trigger == PLAN_ALL_SUCCESS)
		settle_gate(c, r, t, true, n.root_cause);
	else if (!(tm->gate_left & COORD_WAIT_COUNT))
		settle_gate(c, r, t, tm->trigger == PLAN_ALL_DONE_MIN_ONE_SUCCESS && !(tm->gate_left & COORD_WAIT_OK), n.root_cause);
}

static void tell_edge(struct coord *c, struct coord_run *r, uint32_t edge, struct news n)
{
	if (edge & COORD_EDGE_GATE)
		tell_gate(c, r, edge & ~COORD_EDGE_GATE, n);
	else
		tell_unit(c, r, edge, n);
}

/* --- spreading one vertex: true when it is done, false when the room ended (c->work_cursor says how far) --- */

#define AHEAD 8u

/* Dependents lie anywhere: a big graph is bound by memory, unless what is wanted soon is fetched while something else is done. First
 * the counters of the first few dependents, later those units whose last dependency this was. */
void coord_spread_counters(const struct coord_run *r, const struct coord_tmpl *tm)
{
	const uint32_t *out = r->g->out + tm->out_first;

	for (uint32_t i = 0; i < tm->out_count && i < AHEAD; i++)
		if (!(out[i] & COORD_EDGE_GATE))
			__builtin_prefetch(&r->g->waiting[out[i]]);
}

static void look_ahead(const struct coord_run *r, uint32_t edge)
{
	if (!(edge & COORD_EDGE_GATE) && (r->g->waiting[edge] & COORD_WAIT_COUNT) == 1)
		__builtin_prefetch(&r->g->units[edge]);
}

void coord_spread_units(const struct coord_run *r, const struct coord_tmpl *tm)
{
	const uint32_t *out = r->g->out + tm->out_first;

	for (uint32_t i = 0; i < tm->out_count && i < AHEAD; i++)
		look_ahead(r, out[i]);
}

/* Edges to what was added later, `at` of them told before. */
static uint32_t link_at(const struct coord_graph *g, const struct coord_tmpl *tm, uint32_t at)
{
	uint32_t link = tm->flags & COORD_TMPL_LINKED ? g->more[tm - g->tmpls].links : COORD_NONE;

	while (at-- && link != COORD_NONE)
		link = g->links[link].next;
	return link;
}

static bool spread_links(struct coord *c, struct coord_run *r, const struct coord_tmpl *tm, struct news n)
{
	for (uint32_t at = link_at(r->g, tm, c->work_cursor - tm->out_count); at != COORD_NONE; at = r->g->links[at].next) {
		if (!coord_room(c, 4))
			return false;
		tell_edge(c, r, r->g->links[at].edge, n);
		c->work_cursor++;
	}
	return true;
}

static bool spread_row(struct coord *c, struct coord_run *r, const struct coord_tmpl *tm, struct news n)
{
	const uint32_t *out = r->g->out + tm->out_first;

	for (; c->work_cursor < tm->out_count; c->work_cursor++) {
		if (!coord_room(c, 4))
			return false;
		if (c->work_cursor + 2 * AHEAD < tm->out_count && !(out[c->work_cursor + 2 * AHEAD] & COORD_EDGE_GATE))
			__builtin_prefetch(&r->g->waiting[out[c->work_cursor + 2 * AHEAD]]);
		if (c->work_cursor + AHEAD < tm->out_count)
			look_ahead(r, out[c->work_cursor + AHEAD]);
		tell_edge(c, r, out[c->work_cursor], n);
	}
	return !(tm->flags & COORD_TMPL_LINKED) || spread_links(c, r, tm, n);
}

/* The instance's part in its template's join. */
static void count_join(struct coord *c, struct coord_run *r, struct coord_tmpl *tm, struct news n)
{
	uint32_t t = (uint32_t)(tm - r->g->tmpls);

	rv_check(tm->join_left);
	tm->join_left--;
	tm->flags |= n.ok ? (uint32_t)COORD_TMPL_JOIN_OK : 0;
	if (!n.ok && !(tm->flags & COORD_TMPL_JOIN_FAILED)) {
		tm->flags |= COORD_TMPL_JOIN_FAILED;
		tm->join_root = n.root_cause;
		coord_work_push(c, coord_vertex(COORD_V_JOIN_FAILED, coord_run_slot(c, r), t));
	}
	if (!tm->join_left)
		coord_work_push(c, coord_vertex(COORD_V_JOIN_DONE, coord_run_slot(c, r), t));
}

static bool spread_unit(struct coord *c, struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_tmpl *tm = &r->g->tmpls[u->tmpl];
	struct news n = { .ok = u->state == COORD_UNIT_SUCCEEDED, .root_cause = u->root_cause == COORD_NONE ? unit : u->root_cause };
	uint32_t pair = tm->pair_first;

	if (RV_PLANT(SKIP_NOT_TRANSITIVE) && u->state == COORD_UNIT_SKIPPED)
		return true;
	if (!(tm->flags & COORD_TMPL_MANY))
		return spread_row(c, r, tm, n);
	if (!c->work_cursor) {
		count_join(c, r, tm, n);
		c->work_cursor = 1;
	}
	for (uint32_t i = 1; pair != COORD_NONE; i++, pair = r->g->tmpls[pair].pair_next) {
		if (i < c->work_cursor)
			continue;
		if (!coord_room(c, 4))
			return false;
		tell_unit(c, r, r->g->tmpls[pair].first + (unit - tm->first), n);
		c->work_cursor++;
	}
	return true;
}

static enum plan_trigger edge_trigger(const struct coord_run *r, uint32_t edge)
{
	return edge & COORD_EDGE_GATE ? (enum plan_trigger)r->g->tmpls[edge & ~COORD_EDGE_GATE].trigger
				      : coord_unit_trigger(coord_unit_at(r, edge));
}

/* A join speaks twice: its first failure to those who need every success, its end to the others. */
static void join_speaks(struct coord *c, struct coord_run *r, const struct coord_tmpl *tm, uint32_t edge, bool done)
{
	bool strict = edge_trigger(r, edge) == PLAN_ALL_SUCCESS, failed = tm->flags & COORD_TMPL_JOIN_FAILED;
	struct news n = { .ok = done && tm->flags & COORD_TMPL_JOIN_OK, .root_cause = tm->join_root };

	if (done ? !(strict && failed) : strict)
		tell_edge(c, r, edge, n);
}

static bool spread_join(struct coord *c, struct coord_run *r, uint32_t t, bool done)
{
	const struct coord_tmpl *tm = &r->g->tmpls[t];
	const uint32_t *out = r->g->out + tm->out_first;

	for (; c->work_cursor < tm->out_count; c->work_cursor++) {
		if (!coord_room(c, 4))
			return false;
		join_speaks(c, r, tm, out[c->work_cursor], done);
	}
	for (uint32_t at = link_at(r->g, tm, c->work_cursor - tm->out_count); at != COORD_NONE; at = r->g->links[at].next) {
		if (!coord_room(c, 4))
			return false;
		join_speaks(c, r, tm, r->g->links[at].edge, done);
		c->work_cursor++;
	}
	return true;
}

static bool spread_gate(struct coord *c, struct coord_run *r, uint32_t t)
{
	const struct coord_tmpl *tm = &r->g->tmpls[t];
	struct news n = { .ok = tm->gate_left & COORD_WAIT_OK, .root_cause = tm->gate_root };

	for (; c->work_cursor < tm->count; c->work_cursor++) {
		uint32_t unit = tm->first + c->work_cursor;

		if (!coord_room(c, 4))
			return false;
		if (!(tm->flags & COORD_TMPL_GATE_BLOCKED))
			tell_unit(c, r, unit, (struct news){ .ok = n.ok, .root_cause = n.root_cause });
		else if (coord_unit_at(r, unit)->state == COORD_UNIT_PENDING)
			skip(c, r, unit, n.root_cause);
	}
	return true;
}

bool coord_work(struct coord *c)
{
	while (c->work_first != COORD_NONE) {
		uint32_t v = c->work_first, i = coord_vertex_index(v);
		struct coord_run *r = vertex_run(c, v);
		bool done;

		switch (coord_vertex_kind(v)) {
		case COORD_V_UNIT:
			done = spread_unit(c, r, i);
			break;
		case COORD_V_GATE:
			done = spread_gate(c, r, i);
			break;
		default:
			done = spread_join(c, r, i, coord_vertex_kind(v) == COORD_V_JOIN_DONE);
			break;
		}
		if (!done)
			return false;
		work_pop(c);
	}
	return true;
}

/* --- counting anew --- */

/* What a template as a whole says to its dependents. */
struct heard {
	uint32_t left;
	bool ok, blocked;
	uint32_t root_cause;
};

static void recount_join(struct coord_run *r, struct coord_tmpl *tm)
{
	tm->flags &= ~(uint32_t)(COORD_TMPL_JOIN_FAILED | COORD_TMPL_JOIN_OK | COORD_TMPL_GATE_SETTLED | COORD_TMPL_GATE_BLOCKED);
	tm->join_left = 0;
	tm->join_root = tm->gate_root = COORD_NONE;
	for (uint32_t k = 0; k < tm->count; k++) {
		const struct coord_unit *u = coord_unit_at(r, tm->first + k);

		if (!coord_state_ended(u->state)) {
			tm->join_left++;
		} else if (u->state == COORD_UNIT_SUCCEEDED) {
			tm->flags |= COORD_TMPL_JOIN_OK;
		} else if (!(tm->flags & COORD_TMPL_JOIN_FAILED)) {
			tm->flags |= COORD_TMPL_JOIN_FAILED;
			tm->join_root = u->root_cause == COORD_NONE ? tm->first + k : u->root_cause;
		}
	}
}

static void hear(struct heard *h, bool ended, bool ok, bool failed, uint32_t root_cause)
{
	h->left += !ended;
	h->ok |= ended && ok;
	if (failed && !h->blocked) {
		h->blocked = true;
		h->root_cause = root_cause;
	}
}

static struct heard hear_deps(const struct coord_graph *g, const struct coord_tmpl *tm)
{
	struct heard h = { .root_cause = COORD_NONE };

	for (uint32_t i = 0; i < tm->in_count; i++) {
		const struct coord_tmpl *d = &g->tmpls[g->in[tm->in_first + i]];

		hear(&h, !d->join_left, d->flags & COORD_TMPL_JOIN_OK, d->flags & COORD_TMPL_JOIN_FAILED, d->join_root);
	}
	return h;
}

static void recount_many(struct coord_run *r, struct coord_tmpl *tm, struct heard h)
{
	struct coord_graph *g = r->g;

	tm->gate_left = h.left | (h.ok ? COORD_WAIT_OK : 0);
	tm->gate_root = h.root_cause;
	if (!h.left || (h.blocked && tm->trigger == PLAN_ALL_SUCCESS))
		tm->flags |= COORD_TMPL_GATE_SETTLED;
	for (uint32_t k = 0; k < tm->count; k++) {
		uint32_t *waiting = &g->waiting[tm->first + k];

		*waiting = (tm->flags & COORD_TMPL_GATE_SETTLED ? 0 : 1) | (h.ok ? COORD_WAIT_OK : 0);
		if (tm->same_as != COORD_NONE) {
			const struct coord_unit *pair = coord_unit_at(r, g->tmpls[tm->same_as].first + k);

			*waiting += !coord_state_ended(pair->state);
			*waiting |= pair->state == COORD_UNIT_SUCCEEDED ? COORD_WAIT_OK : 0;
		}
	}
}

static void recount_waiting(struct coord_run *r, struct coord_tmpl *tm)
{
	struct heard h = hear_deps(r->g, tm);

	if (tm->flags & COORD_TMPL_MANY)
		recount_many(r, tm, h);
	else
		r->g->waiting[tm->first] = h.left | (h.ok ? COORD_WAIT_OK : 0);
}

void coord_spread_recount(struct coord *c, struct coord_run *r)
{
	struct coord_graph *g = r->g;

	rv_check(c->work_first == COORD_NONE);
	for (uint32_t t = 0; t < g->tmpl_count; t++)
		recount_join(r, &g->tmpls[t]);
	for (uint32_t t = 0; t < g->tmpl_count; t++)
		recount_waiting(r, &g->tmpls[t]);
}

/* Joins of templates that stand for many are kept up to date; what a plain unit says is read off its state. */
void coord_spread_count_new(struct coord_run *r, uint32_t from)
{
	struct coord_graph *g = r->g;

	for (uint32_t t = from; t < g->tmpl_count; t++)
		recount_join(r, &g->tmpls[t]);
	for (uint32_t t = from; t < g->tmpl_count; t++) {
		struct coord_tmpl *tm = &g->tmpls[t];

		for (uint32_t i = 0; i < tm->in_count; i++) {
			uint32_t d = g->in[tm->in_first + i];

			if (d < from && !(g->tmpls[d].flags & COORD_TMPL_MANY))
				recount_join(r, &g->tmpls[d]);
		}
		recount_waiting(r, tm);
	}
}

/* Is a pending unit blocked by what has ended already? Only after a reset can it be. */
static bool blocked(const struct coord_run *r, const struct coord_tmpl *tm, uint32_t unit, uint32_t *root_cause)
{
	struct heard h = hear_deps(r->g, tm);

	if (tm->same_as != COORD_NONE) {
		uint32_t pair = r->g->tmpls[tm->same_as].first + (unit - tm->first);
		const struct coord_unit *u = coord_unit_at(r, pair);

		hear(&h, coord_state_ended(u->state), u->state == COORD_UNIT_SUCCEEDED,
		     coord_state_ended(u->state) && u->state != COORD_UNIT_SUCCEEDED, u->root_cause == COORD_NONE ? pair : u->root_cause);
	}
	*root_cause = h.root_cause;
	return h.blocked;
}

/* One unit of the sweep that begins a run or goes on with it after a reset. */
void coord_spread_begin(struct coord *c, struct coord_run *r, uint32_t unit)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_tmpl *tm = &r->g->tmpls[u->tmpl];
	uint32_t waiting = r->g->waiting[unit], root_cause = COORD_NONE;

	if (u->was_reset)
		coord_tell(c, COORD_T_UNIT_REQUEUED, r, unit);
	u->was_reset = false;
	if (u->state != COORD_UNIT_PENDING || coord_unit_is_verify(r, unit))
		return;
	if (tm->flags & COORD_TMPL_SATISFIED) {
		struct coord_unit_end e = { .state = COORD_UNIT_SUCCEEDED, .reason = PROTO_REASON_SATISFIED, .root_cause = COORD_NONE };

		coord_unit_event(c, r, unit, COORD_UE_END, &e);
		return;
	}
	if ((tm->in_count || tm->same_as != COORD_NONE) && r->recounted && tm->trigger == PLAN_ALL_SUCCESS &&
	    blocked(r, tm, unit, &root_cause))
		skip(c, r, unit, root_cause);
	else if (!(waiting & COORD_WAIT_COUNT))
		rule_asked(c, r, unit, waiting, root_cause);
}
