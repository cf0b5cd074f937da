/* behind.c - an attempt handed over behind the one it depends on
 *
 * Between the end of a unit and the start of what waits for it alone lie two ways over the network and a commit. So where units are short and no
 * other work waits, the dependent goes to the node of its dependency while that one runs: the node begins it once the other has succeeded there,
 * and never begins it otherwise. The fact "assigned" says behind which attempt, and is durable before anything is sent, as ever.
 *
 *	PENDING --ASSIGNED behind A--> ACTIVE --A succeeded--> ACTIVE as any other
 *	                                 \--A's attempt ended otherwise--> ATTEMPT_ENDED (retracted) --> PENDING
 *
 * Nobody is told of the assignment before it may begin: for people the unit is pending until then. Should the first take long after all, what stands
 * behind it is asked back (RETRACT) after COORD_BEHIND_US.
 *
 * Only plain commands: they take nothing from A but its success, hold nothing but slots, and may be started again. The attempt takes no
 * place at its node before A has given its own back. Its result counts once A's has been accepted; one that comes sooner is asked for again.
 */
#include "coordinator/core/state.h"

#define EDGES_LOOKED_AT 8u /* dependents of one unit */

struct proto_after coord_behind_of(const struct coord *c, const struct coord_attempt *a)
{
	const struct coord_attempt *first;

	if (a->after == COORD_NONE)
		return (struct proto_after){ 0 };
	first = &c->attempts[a->after];
	return (struct proto_after){ first->unit, first->attempt };
}

void coord_behind_begin(struct coord *c, uint32_t slot, uint32_t after)
{
	rv_check(c->attempts[after].behind == COORD_NONE);
	rv_check(c->attempts[after].node == c->attempts[slot].node && c->attempts[after].run == c->attempts[slot].run);
	c->attempts[slot].after = after;
	c->attempts[after].behind = slot;
	c->nodes[c->attempts[slot].node].behind_count++;
	c->runs[c->attempts[slot].run].behind++;
	if (c->live)
		coord_behind_watch(c, c->attempts[slot].node);
}

void coord_behind_end(struct coord *c, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	if (a->after == COORD_NONE)
		return;
	c->attempts[a->after].behind = COORD_NONE;
	a->after = COORD_NONE;
	c->nodes[a->node].behind_count--;
	c->runs[a->run].behind--;
}

/* --- what it comes after has ended --- */

/* Of the whole row, in its order: were only the first one asked for, the next would overtake it again, for as long as the row goes on. */
static void ask_for_results(struct coord *c, uint32_t slot)
{
	for (; slot != COORD_NONE && c->attempts[slot].overtook; slot = c->attempts[slot].behind) {
		struct coord_attempt *a = &c->attempts[slot];

		a->overtook = false;
		if (a->state != COORD_A_STOPPING && a->state != COORD_A_RETRACTING)
			coord_attempt_dispatch(c, slot); /* the answer is its result */
	}
}

void coord_behind_free(struct coord *c, struct coord_run *r, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	coord_attempt_take_places(c, r, slot);
	coord_unit_at(r, a->unit)->ready_us = c->real_us;
	coord_tell(c, COORD_T_UNIT_ASSIGNED, r, a->unit);
	if (!c->live)
		return;
	if (a->started)
		coord_attempt_began(c, slot, true);
	if (a->state == COORD_A_SENT && a->level == COORD_NO_LEVEL && !a->overtook)
		coord_attempt_dispatch(c, slot); /* to a node that could not have kept it */
	ask_for_results(c, slot);
	coord_behind_lead(c, slot);
}

/* The node has given it up by itself, unless it knows better of the one before: then it is told. */
static void tell_node(struct coord *c, uint32_t node, struct proto_attempt_key key)
{
	struct coord_effect *e = coord_emit(c, COORD_FX_CANCEL, c->nodes[node].peer);

	e->cancel = (struct proto_cancel){ .key = key, .epoch = c->epoch, .grace_us = RV_NEVER, .reason = PROTO_REASON_RETRACTED };
	c->nodes[node].messages_out++;
}

void coord_behind_give_up(struct coord *c, struct coord_run *r, uint32_t slot)
{
	if (c->attempts[slot].behind != COORD_NONE)
		coord_behind_give_back(c, r, c->attempts[slot].behind, true);
}

/* Whatever else it was to come to: nothing follows in the graph from this fact, so that another may be decided in the same step. A unit that was
 * to end is ended as a pending one is. */
void coord_behind_give_back(struct coord *c, struct coord_run *r, uint32_t slot, bool tell)
{
	const struct coord_attempt *b = &c->attempts[slot];
	uint32_t node = b->node;
	struct proto_result res = { .key = { r->id, b->unit, b->attempt }, .outcome = PROTO_FAILED, .reason = PROTO_REASON_RETRACTED, .exit = -1,
				    .epoch = c->epoch };

	rv_check(b->after != COORD_NONE);
	coord_behind_give_up(c, r, slot);
	tell &= b->counted && c->nodes[node].state != COORD_N_AWAY;
	coord_attempt_again(c, node, &res);
	if (tell)
		tell_node(c, node, res.key);
}

/* --- for too long --- */

void coord_behind_watch(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];

	if (!n->behind_count || n->behind_due_us != RV_NEVER)
		return;
	n->behind_due_us = c->now_us + COORD_BEHIND_US;
	coord_node_deadline(c, node, n->behind_due_us);
}

/* The first of a row; what stands behind it goes with it. */
static bool is_first(const struct coord *c, const struct coord_attempt *a)
{
	return a->after != COORD_NONE && c->attempts[a->after].after == COORD_NONE && a->state == COORD_A_TAKEN && !a->started && !a->overtook;
}

bool coord_behind_due(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];

	if (n->behind_due_us > c->now_us)
		return true;
	for (uint32_t slot = n->attempts.first; slot != COORD_NONE && n->state == COORD_N_JOINED; slot = c->attempts[slot].node_next) {
		const struct coord_attempt *a = &c->attempts[slot];

		if (!is_first(c, a) || a->sent_us + COORD_BEHIND_US > c->now_us)
			continue;
		if (!coord_room(c, 2))
			return false;
		coord_attempt_retract(c, slot);
	}
	n->behind_due_us = RV_NEVER;
	coord_behind_watch(c, node); /* what has come since, or could not be asked */
	return true;
}

/* --- handing over --- */

void coord_behind_lead(struct coord *c, uint32_t slot)
{
	const struct coord_attempt *a = &c->attempts[slot];

	/* Beyond this many a turn the rest waits for the ends of what it depends on, as it would without. */
	if (c->lead_count < COORD_LEADS_MAX && c->nodes[a->node].holds_behind && coord_unit_class(&c->runs[a->run], coord_unit_at(&c->runs[a->run], a->unit))->plain)
		c->leads[c->lead_count++] = (struct coord_lead){ slot, a->run, a->unit, a->attempt };
}

static bool is_plain(const struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	const uint32_t more = COORD_TMPL_MANY | COORD_TMPL_NEEDS_DEPS | COORD_TMPL_SHOWS_ARTIFACTS | COORD_TMPL_CONTEXT_FILE | COORD_TMPL_PROMPT;

	return coord_unit_class(r, u)->plain && coord_unit_class(r, u)->prefetch && !(r->g->tmpls[u->tmpl].flags & more) && !coord_unit_is_verify(r, unit);
}

static bool run_lets(const struct coord_run *r)
{
	return !r->stop && !r->paused && !r->ended && !r->max_workers && !r->g->meters && !r->sweep;
}

static bool node_lets(const struct coord *c, const struct coord_node *n)
{
	return coord_node_usable(n) && n->holds_behind && n->health == COORD_H_GOOD && n->full_until_us <= c->now_us && n->slots_used <= n->slots &&
	       n->behind_count < RV_PREFETCH_MAX / 2;
}

/* How many may stand behind each other after this one; 0: it is not known to be short. */
static uint32_t depth_of(const struct coord *c, const struct coord_run *r, const struct coord_attempt *a)
{
	const struct coord_class *cl = coord_unit_class(r, coord_unit_at(r, a->unit));
	uint64_t ahead = coord_estimate_ahead(c, c->nodes[a->node].rtt_us, r, cl, a->unit);

	if (!coord_estimate_known(r, cl, a->unit) || !ahead)
		return 0;
	return (uint32_t)rv_min_u64(ahead + 1, COORD_BEHIND_MAX);
}

static bool may_come_after(const struct coord *c, const struct coord_run *r, uint32_t unit, const struct coord_attempt *a)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_shape *sh = &r->g->shapes[coord_unit_class(r, u)->shape];

	return u->state == COORD_UNIT_PENDING && coord_unit_trigger(u) == PLAN_ALL_SUCCESS && (r->g->waiting[unit] & COORD_WAIT_COUNT) == 1 &&
	       !(u->flags & (COORD_U_HELD | COORD_U_AVOID | COORD_U_LOST | COORD_U_CANCEL)) && is_plain(r, unit) &&
	       sh->slots <= r->g->shapes[coord_unit_class(r, coord_unit_at(r, a->unit))->shape].slots &&
	       coord_node_fits(&c->nodes[a->node], r->g, sh);
}

/* The best unit that waits for nothing but this attempt; COORD_NONE. */
static uint32_t successor(const struct coord *c, const struct coord_run *r, const struct coord_attempt *a)
{
	const struct coord_tmpl *tm = &r->g->tmpls[coord_unit_at(r, a->unit)->tmpl];
	uint32_t best = COORD_NONE;

	for (uint32_t i = 0; i < tm->out_count && i < EDGES_LOOKED_AT; i++) {
		uint32_t edge = r->g->out[tm->out_first + i];

		if (edge & COORD_EDGE_GATE || !may_come_after(c, r, edge, a))
			continue;
		if (best == COORD_NONE || coord_unit_at(r, edge)->rank < coord_unit_at(r, best)->rank)
			best = edge;
	}
	return best;
}

static bool may_lead(const struct coord_run *r, const struct coord_attempt *a)
{
	const uint32_t handed_on = COORD_TMPL_OUTPUT_WANTED | COORD_TMPL_ARTIFACTS_WANTED; /* its result may wait for bytes, and what comes after it would, too */
	const struct coord_unit *u = coord_unit_at(r, a->unit);

	return (a->state == COORD_A_SENT || a->state == COORD_A_TAKEN || a->state == COORD_A_RUNNING) && !(u->flags & COORD_U_CANCEL) && is_plain(r, a->unit) &&
	       !r->g->open && !(r->g->tmpls[u->tmpl].flags & handed_on); /* of an open run every output is wanted */
}

static void assign_behind(struct coord *c, struct coord_run *r, uint32_t unit, const struct coord_attempt *a)
{
	struct proto_fact *f = coord_fact_new(c, PROTO_FACT_ASSIGNED);

	f->assigned.key = (struct proto_attempt_key){ r->id, unit, coord_unit_at(r, unit)->attempt + 1 };
	f->assigned.node = a->node;
	f->assigned.after = (struct proto_after){ a->unit, a->attempt };
	coord_decide_new(c, f);
	coord_attempt_dispatch(c, coord_unit_at(r, unit)->slot);
	c->placements++;
}

/* Until the row behind it is long enough; false: out of room. */
static bool follow(struct coord *c, uint32_t slot)
{
	struct coord_run *r = &c->runs[c->attempts[slot].run];
	uint32_t depth = 0, unit;

	for (uint32_t at = slot; c->attempts[at].after != COORD_NONE; at = c->attempts[at].after)
		depth++;
	for (; c->attempts[slot].behind != COORD_NONE; slot = c->attempts[slot].behind)
		depth++;
	while (depth < depth_of(c, r, &c->attempts[slot]) && run_lets(r) && node_lets(c, &c->nodes[c->attempts[slot].node]) && may_lead(r, &c->attempts[slot]) &&
	       coord_attempt_room(c) && (unit = successor(c, r, &c->attempts[slot])) != COORD_NONE) {
		if (!coord_room(c, 6))
			return false;
		assign_behind(c, r, unit, &c->attempts[slot]);
		slot = coord_unit_at(r, unit)->slot;
		depth++;
	}
	return true;
}

static bool still_there(const struct coord *c, const struct coord_lead *l)
{
	const struct coord_attempt *a = &c->attempts[l->slot];

	return a->state != COORD_A_FREE && a->run == l->run && a->unit == l->unit && a->attempt == l->attempt;
}

bool coord_behind_place(struct coord *c)
{
	if (rv_heap_first(&c->run_heap) || c->parked_shapes)
		c->lead_count = 0; /* something is ready and waits for room: it goes first */
	while (c->lead_count) {
		const struct coord_lead *l = &c->leads[c->lead_count - 1];

		if (still_there(c, l) && !follow(c, l->slot))
			return false;
		c->lead_count--;
	}
	return true;
}
