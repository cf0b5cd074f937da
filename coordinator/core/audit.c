/* audit.c - numbered truths about the whole state, checked after every step under test (docs/invariants.md)
 *
 * Each walks the tables and counts anew what the core keeps counted. They never look at what is merely late: a cut step (AGAIN is
 * due) is audited only for what holds at any time.
 */
#include "coordinator/core/state.h"

/* The number is for whoever reads the source line that rv_check names. */
#define audit(number, cond) rv_check((number) && (cond))

/* A1: a run's counts are those of its units' states, and sum up to all of them. */
static void audit_counts(const struct coord_run *r)
{
	uint32_t counts[COORD_UNIT_STATE_COUNT] = { 0 };
	uint32_t sum = 0;

	for (uint32_t i = 0; i < r->g->unit_count; i++)
		counts[coord_unit_at(r, i)->state]++;
	for (uint32_t s = 0; s < COORD_UNIT_STATE_COUNT; s++) {
		audit(1, counts[s] == r->counts[s]);
		sum += counts[s];
	}
	audit(1, sum == r->g->unit_count);
}

/* A2: a unit is ACTIVE exactly when one attempt names it, by its newest number and node. */
static void audit_attempts(const struct coord *c, const struct coord_run *r)
{
	uint32_t active = 0;
	uint64_t usage = 0;

	for (uint32_t i = 0; i < r->g->vertex_count; i++) {
		const struct coord_unit *u = coord_unit_at(r, i);
		const struct coord_attempt *a;

		if (u->state != COORD_UNIT_ACTIVE)
			continue;
		audit(2, u->slot < c->cfg.attempts_max);
		a = &c->attempts[u->slot];
		audit(2, a->state != COORD_A_FREE);
		audit(2, a->run == coord_run_slot(c, r));
		audit(2, a->unit == i);
		audit(2, a->attempt == u->attempt);
		audit(2, a->node == u->node);
		usage += r->g->shapes[coord_unit_class(r, u)->shape].slots + r->g->shapes[coord_unit_class(r, u)->shape].agent_slots;
		active++;
	}
	audit(2, active == r->active);
	audit(2, usage == r->usage);
	for (uint32_t slot = r->attempts.first; slot != COORD_NONE; slot = c->attempts[slot].run_next)
		active--;
	audit(2, active == 0);
}

/* A16: what is handed over behind an attempt waits for that one alone, at its node. */
static void audit_behind(const struct coord *c, const struct coord_run *r)
{
	uint32_t behind = 0;

	for (uint32_t slot = r->attempts.first; slot != COORD_NONE; slot = c->attempts[slot].run_next) {
		const struct coord_attempt *a = &c->attempts[slot];
		uint32_t depth = 0;

		audit(16, a->behind == COORD_NONE || c->attempts[a->behind].after == slot);
		if (a->after == COORD_NONE)
			continue;
		behind++;
		audit(16, c->attempts[a->after].behind == slot && c->attempts[a->after].state != COORD_A_FREE);
		audit(16, c->attempts[a->after].run == a->run && c->attempts[a->after].node == a->node);
		audit(16, (r->g->waiting[a->unit] & COORD_WAIT_COUNT) >= 1 || r->stop);
		for (uint32_t at = slot; c->attempts[at].after != COORD_NONE; at = c->attempts[at].after)
			audit(16, ++depth <= COORD_BEHIND_MAX);
	}
	audit(16, behind == r->behind);
}

/* A3: what a node holds is the sum of its attempts, its digest the sum of those that are there. */
static void audit_node(const struct coord *c, uint32_t node)
{
	const struct coord_node *n = &c->nodes[node];
	uint64_t slots = 0, agents = 0, digest = 0;
	uint32_t count = 0, behind = 0, last = COORD_NONE;

	for (uint32_t slot = n->attempts.first; slot != COORD_NONE; slot = c->attempts[slot].node_next) {
		const struct coord_attempt *a = &c->attempts[slot];
		const struct coord_run *r = &c->runs[a->run];
		const struct coord_shape *sh = &r->g->shapes[coord_unit_class(r, coord_unit_at(r, a->unit))->shape];

		audit(3, a->node == node);
		audit(3, a->node_prev == last);
		last = slot;
		slots += a->after == COORD_NONE ? sh->slots : 0;
		agents += a->after == COORD_NONE ? sh->agent_slots : 0;
		behind += a->after != COORD_NONE;
		count++;
		if (a->counted)
			digest += proto_table_term((struct proto_attempt_key){ r->id, a->unit, a->attempt });
	}
	audit(3, n->attempts.last == last);
	audit(3, slots == n->slots_used);
	audit(3, agents == n->agent_used);
	audit(3, count == n->attempt_count && behind == n->behind_count);
	audit(3, digest == n->digest);
	audit(3, !count == (n->lost_after_min_us == RV_NEVER));
}

/* A4: a READY unit is in its class's queue or waits at a path; no other unit is in a queue. */
static void audit_ready(const struct coord_run *r)
{
	uint32_t queued = 0, waiting = 0;

	for (uint32_t i = 0; i < r->g->vertex_count; i++) {
		const struct coord_unit *u = coord_unit_at(r, i);
		bool in = rv_rankset_has(&coord_unit_class(r, u)->ready, u->local);

		audit(4, coord_unit_class(r, u)->order[u->local].unit == i);
		audit(4, in == (u->state == COORD_UNIT_READY && !(u->flags & COORD_U_DIR_WAIT)));
		audit(4, !(u->flags & COORD_U_DIR_WAIT) || u->state == COORD_UNIT_READY);
		audit(4, !(u->flags & COORD_U_WOKEN) || in);
		queued += in;
		waiting += u->state == COORD_UNIT_READY;
	}
	for (uint32_t k = 0; k < r->g->class_count; k++) {
		queued -= r->g->classes[k].ready.count;
		audit(4, r->g->classes[k].first == rv_rankset_first(&r->g->classes[k].ready));
	}
	audit(4, queued == 0);
	(void)waiting;
}

/* A5: a counter says how many dependencies have not ended (of what is still pending, once nothing is left to spread). */
static void audit_counters(const struct coord_run *r)
{
	const struct coord_graph *g = r->g;

	if (r->stop)
		return; /* what a stopped run closes is not spread */
	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		const struct coord_tmpl *tm = &g->tmpls[t];
		uint32_t left = 0, open = 0;

		for (uint32_t k = 0; k < tm->count; k++)
			open += !coord_state_ended(coord_unit_at(r, tm->first + k)->state);
		audit(5, tm->join_left == open || !(tm->flags & COORD_TMPL_MANY));
		if (tm->flags & COORD_TMPL_MANY || coord_unit_at(r, tm->first)->state != COORD_UNIT_PENDING || coord_unit_is_verify(r, tm->first))
			continue;
		for (uint32_t i = 0; i < tm->in_count; i++) {
			const struct coord_tmpl *d = &g->tmpls[g->in[tm->in_first + i]];
			bool ended = true;

			for (uint32_t k = 0; k < d->count && ended; k++)
				ended = coord_state_ended(coord_unit_at(r, d->first + k)->state);
			left += !ended;
		}
		audit(5, (g->waiting[tm->first] & COORD_WAIT_COUNT) == left);
		audit(5, left > 0); /* else it would be ready, or skipped */
	}
}

/* A6: who waits for a time has a timer, and only READY and RETRY_WAIT do. */
static void audit_timers(const struct coord_run *r)
{
	for (uint32_t i = 0; i < r->g->vertex_count && r->g->timers; i++) {
		uint8_t state = coord_unit_at(r, i)->state;
		bool has = rv_heap_has(&r->g->unit_timers, i);

		audit(6, state != COORD_UNIT_RETRY_WAIT || has);
		audit(6, !has || state == COORD_UNIT_RETRY_WAIT || state == COORD_UNIT_READY);
	}
	audit(6, r->g->timers || !r->counts[COORD_UNIT_RETRY_WAIT]);
}

/* A7: the three heaps hold exactly what may be placed. */
static void audit_heaps(const struct coord *c, const struct coord_run *r)
{
	const struct coord_graph *g = r->g;
	uint32_t parked = 0, reserved = 0;
	bool full = r->max_workers && r->active >= r->max_workers;

	for (uint32_t s = 0; s < g->shape_count; s++) {
		const struct coord_shape *sh = &g->shapes[s];

		for (uint32_t k = 0; k < sh->class_count; k++) {
			const struct coord_class *cl = &g->classes[sh->class_first + k];

			audit(7, rv_heap_has(&sh->ready, k) == (!cl->block && cl->ready.count > 0));
		}
		audit(7, rv_heap_has(&g->ready, s) == (!sh->parked && rv_heap_first(&sh->ready)));
		parked += sh->parked;
		if (sh->reserved != COORD_NONE) {
			reserved++;
			audit(7, rv_heap_first(&sh->ready) && !r->paused && !r->stop);
			audit(7, c->nodes[sh->reserved].reserved_run == coord_run_slot(c, r) && c->nodes[sh->reserved].reserved_shape == s);
		}
	}
	audit(7, parked == r->parked_shapes && reserved == r->reservations);
	audit(7, rv_heap_has(&c->run_heap, coord_run_slot(c, r)) == (!r->paused && !r->stop && !full && rv_heap_first(&g->ready)));
}

/* A8: places of agents and locks in use are those of the attempts that need them. */
static void audit_agents(const struct coord *c, const struct coord_run *r)
{
	const struct coord_graph *g = r->g;

	for (uint32_t k = 0; k < g->agent_count; k++) {
		uint32_t running = 0;

		for (uint32_t i = 0; i < g->vertex_count; i++)
			running += coord_unit_at(r, i)->state == COORD_UNIT_ACTIVE && coord_attempt_agent(c, r, coord_unit_at(r, i)->slot) == k;
		audit(8, running == g->agents[k].running);
	}
}

static void audit_locks(const struct coord *c)
{
	for (uint32_t l = 0; l < c->lock_count; l++) {
		uint32_t used = 0;

		for (uint32_t slot = 0; c->locks[l].users && slot < c->cfg.attempts_max; slot++) {
			const struct coord_attempt *a = &c->attempts[slot];
			const struct coord_class *cl;
			const struct coord_graph *g;

			if (a->state == COORD_A_FREE)
				continue;
			g = c->runs[a->run].g;
			cl = &g->classes[g->units[a->unit].place_class];
			for (uint32_t i = 0; i < cl->lock_count; i++)
				used += g->locks[g->class_locks[cl->lock_first + i]].place == l;
		}
		audit(8, used == c->locks[l].used);
	}
}

/* A9: no entry of the table of paths without a holder, a holder below, a waiter or one that was woken; at one that is free the first of
 * each class has been woken. */
static void audit_paths(const struct coord *c)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < c->path_fresh; i++) {
		const struct coord_path *p = &c->paths[i];

		if (rv_intmap_get(&c->path_map, p->hash) != i)
			continue;
		used++;
		audit(9, coord_path_waits_rightly(c, p));
		audit(9, p->held || p->below || p->above_waiters != COORD_NONE || p->self_waiters != COORD_NONE);
	}
	audit(9, used + c->path_room == c->cfg.paths_max);
}

/* A10: nothing of an ended run is left to do; a run whose units have all ended has ended or waits for its verify step. */
static void audit_end(const struct coord *c, const struct coord_run *r)
{
	uint32_t ended = r->counts[COORD_UNIT_SUCCEEDED] + r->counts[COORD_UNIT_FAILED] + r->counts[COORD_UNIT_SKIPPED] +
			 r->counts[COORD_UNIT_CANCELLED];

	audit(10, !r->ended || (ended == r->g->unit_count && !r->active));
	audit(10, !r->sweep && r->cancel_at == COORD_NONE);
	if (c->live && !r->ended && ended == r->g->unit_count)
		audit(10, (r->open && !r->stop) || (r->g->has_verify && !coord_state_ended(coord_unit_at(r, r->g->unit_count)->state)));
	if (r->stop && !r->active)
		audit(10, ended == r->g->unit_count);
}

/* A11: every deadline is in the heap: a run's first wait, a node's next look. */
static void audit_deadlines(const struct coord *c)
{
	for (uint32_t i = 0; i < c->run_count; i++) {
		const struct coord_run *r = &c->runs[c->run_order[i]];

		if (r->g->timers && rv_heap_first(&r->g->unit_timers))
			audit(11, rv_heap_has(&c->deadlines, coord_run_slot(c, r)));
	}
	for (uint32_t i = 0; c->live && i < c->node_count; i++)
		if (c->nodes[i].attempt_count || c->nodes[i].state != COORD_N_AWAY)
			audit(11, rv_heap_has(&c->deadlines, c->cfg.runs_max + i));
}

/* A12: the pool of attempts: free ones and live ones are all that were ever taken. */
static void audit_pool(const struct coord *c)
{
	uint32_t free_count = 0, live = 0;

	for (uint32_t slot = c->attempt_free; slot != COORD_NONE; slot = c->attempts[slot].run_next) {
		audit(12, c->attempts[slot].state == COORD_A_FREE);
		free_count++;
	}
	for (uint32_t i = 0; i < c->run_count; i++)
		live += c->runs[c->run_order[i]].active;
	audit(12, live == c->attempt_count);
	audit(12, live + free_count == c->attempt_fresh);
	audit(12, c->attempt_fresh <= c->cfg.attempts_max);
}

/* A13: what is parked has no place free anywhere, though only nodes that changed were looked at. */
static void audit_parked(const struct coord *c, const struct coord_run *r)
{
	audit(13, coord_place_parked_rightly(c, r));
}

/* A14: what is streaming is the sum of what running attempts reported beyond what was counted of them. */
static void audit_streaming(const struct coord *c, const struct coord_run *r)
{
	struct coord_spend sum = { 0, 0 };

	for (uint32_t slot = r->attempts.first; slot != COORD_NONE; slot = c->attempts[slot].run_next) {
		if (!coord_budget_meter(r, c->attempts[slot].unit))
			continue;
		sum.tokens += c->usage[slot].more.tokens;
		sum.cost_microusd += c->usage[slot].more.cost_microusd;
	}
	audit(14, sum.tokens == r->streaming.tokens);
	audit(14, sum.cost_microusd == r->streaming.cost_microusd);
}

/* A15: runs whose limits are to be looked at are counted. */
static void audit_looks(const struct coord *c)
{
	uint32_t looks = 0;

	for (uint32_t i = 0; i < c->run_count; i++)
		looks += c->runs[c->run_order[i]].budget_look;
	audit(15, looks == c->looks);
}

void coord_audit(const struct coord *c)
{
	for (uint32_t i = 0; i < c->run_count; i++) {
		const struct coord_run *r = &c->runs[c->run_order[i]];

		audit_counts(r);
		audit_attempts(c, r);
		audit_behind(c, r);
		audit_ready(r);
		audit_timers(r);
		audit_heaps(c, r);
		audit_agents(c, r);
		if (r->g->meters)
			audit_streaming(c, r);
		if (c->unfinished)
			continue;
		audit_counters(r);
		audit_end(c, r);
		audit_parked(c, r);
	}
	for (uint32_t i = 0; i < c->node_count; i++)
		audit_node(c, i);
	audit_locks(c);
	audit_paths(c);
	audit_deadlines(c);
	audit_pool(c);
	audit_looks(c);
}
