/* lease.c - who is still there: suspects, lost attempts, and what a HELLO leaves open
 *
 * Liveness is counted in a clock that stands still while the coordinator is stalled: from one step to the next it goes on by no more than was
 * to pass until the first deadline. So a stalled coordinator declares nobody lost, and a node with attempts has a deadline every heartbeat,
 * so that of each stall no more than that is taken for silence.
 */
#include "common/plant.h"
#include "coordinator/core/state.h"

uint64_t coord_live_us(const struct coord *c)
{
	return c->now_us - c->stalled_us;
}

/* A loop of work that takes a little longer than the next deadline is none: of thousands of nodes one always has one soon. */
uint64_t coord_lease_step(const struct coord *c)
{
	return rv_max_u64(rv_sat_sub(coord_next_deadline(c), c->last_us), c->cfg.heartbeat_us_min);
}

uint64_t coord_lease_heartbeat(const struct coord *c, const struct coord_node *n)
{
	uint64_t us = n->lost_after_min_us / 10;

	return us < c->cfg.heartbeat_us_min ? c->cfg.heartbeat_us_min : rv_min_u64(us, c->cfg.heartbeat_us_max);
}

/* The attempt is given up: its unit runs elsewhere, or that was once too often. A node that a person removed was lost through no unit. */
void coord_attempt_lost(struct coord *c, uint32_t slot)
{
	const struct coord_attempt *a = &c->attempts[slot];
	struct coord_run *r = &c->runs[a->run];
	struct proto_result res = { .key = { r->id, a->unit, a->attempt }, .outcome = PROTO_FAILED, .class = PROTO_CLASS_NODE_LOST,
				    .reason = PROTO_REASON_LOST, .exit = -1, .epoch = c->epoch,
				    .flags = a->started ? PROTO_RESULT_STARTED : 0, .error = RV_STR("its node was lost") };

	if (c->nodes[a->node].removed) {
		res.reason = PROTO_REASON_REMOVED;
		res.error = RV_STR("its node was removed");
	}
	coord_end_attempt(c, r, a->unit, a->node, &res);
}

static uint64_t lost_after(const struct coord *c, uint32_t slot)
{
	const struct coord_attempt *a = &c->attempts[slot];
	const struct coord_run *r = &c->runs[a->run];

	return coord_unit_setting(r, coord_unit_at(r, a->unit))->lost_after_us;
}

/* Attempts of a silent node whose time is over. One a call, so that what follows is drawn before the next: 1 one was lost, 0 none
 * is due. *next: when the next one is. */
static bool lose_one(struct coord *c, struct coord_node *n, uint64_t *next)
{
	uint64_t silent_us = rv_sat_sub(coord_live_us(c), n->heard_us);

	*next = RV_NEVER;
	for (uint32_t slot = n->attempts.first; slot != COORD_NONE; slot = c->attempts[slot].node_next) {
		uint64_t after = lost_after(c, slot);

		if (n->removed || silent_us >= after) {
			coord_attempt_lost(c, slot);
			return true;
		}
		*next = rv_min_u64(*next, after - silent_us);
	}
	return false;
}

/* `lost_us`: until the next attempt is lost, if nothing is heard. */
static void schedule(struct coord *c, uint32_t node, uint64_t lost_us)
{
	struct coord_node *n = &c->nodes[node];
	uint64_t at = RV_NEVER, silent_us = rv_sat_sub(coord_live_us(c), n->heard_us);

	if (n->state == COORD_N_JOINED)
		at = c->now_us + rv_sat_sub(3 * n->heartbeat_us, silent_us) + 1;
	if (n->state != COORD_N_AWAY || n->attempt_count) /* a tick at least, to notice a stall */
		at = rv_min_u64(at, c->now_us + coord_lease_heartbeat(c, n));
	at = rv_min_u64(at, rv_sat_add(c->now_us, lost_us));
	if (n->state != COORD_N_AWAY)
		at = rv_min_u64(at, coord_attempt_resend_due(c, n));
	if (n->state == COORD_N_JOINED && n->greeted)
		at = rv_min_u64(at, n->drain_at_us);
	if (n->full_until_us)
		at = rv_min_u64(at, n->full_until_us);
	at = rv_min_u64(at, n->behind_due_us);
	if (n->health == COORD_H_QUARANTINED)
		at = rv_min_u64(at, rv_max_u64(n->probe_us, c->now_us + 1000));
	n->deadline_us = at;
	if (at == RV_NEVER)
		rv_heap_remove(&c->deadlines, c->cfg.runs_max + node);
	else
		rv_heap_set(&c->deadlines, c->cfg.runs_max + node, at, c->cfg.runs_max + node);
}

/* The time that a drained node had is over: what is still there is ended and runs elsewhere, one a call. What may start only once and began
 * is left to end by itself. */
static bool drain_one(struct coord *c, struct coord_node *n)
{
	for (uint32_t slot = n->attempts.first; slot != COORD_NONE; slot = c->attempts[slot].node_next) {
		const struct coord_attempt *a = &c->attempts[slot];
		const struct coord_run *r = &c->runs[a->run];

		if (a->state == COORD_A_STOPPING || (a->started && coord_unit_setting(r, coord_unit_at(r, a->unit))->at_most_once))
			continue;
		coord_attempt_cancel(c, slot, PROTO_REASON_RETRACTED, RV_NEVER);
		return true;
	}
	return false;
}

static bool drain_due(const struct coord *c, const struct coord_node *n)
{
	return n->state == COORD_N_JOINED && n->greeted && n->drain_at_us <= c->now_us;
}

/* Of a silent node something was given up. What it was sent of that may still wait for its row, or be on its way; were the node heard again
 * over this link, our answer would give what it then begins a lease that nobody counts here. So it begins anew, over another link, and all that
 * was for this one is told nobody. */
static void end_link(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];
	uint64_t peer = n->peer;
	struct coord_effect *e;

	if (n->state == COORD_N_AWAY || n->removed)
		return;
	(void)coord_emit(c, COORD_FX_LINK_OVER, peer);
	coord_node_away(c, node);
	e = coord_emit(c, COORD_FX_GOAWAY, peer);
	e->goaway = (struct proto_goaway){ .why = PROTO_GOAWAY_SILENT };
	e->needs_fact = false;
}

bool coord_lease_due(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];
	uint64_t lost_us = RV_NEVER;

	if (n->state != COORD_N_AWAY && !coord_attempt_resend(c, node))
		return false;
	if (!coord_behind_due(c, node))
		return false;
	if (!coord_room(c, 10 + COORD_BEHIND_ROOM)) /* after what was sent again */
		return false;
	if (n->state == COORD_N_JOINED && rv_sat_sub(coord_live_us(c), n->heard_us) > 3 * n->heartbeat_us) {
		n->state = COORD_N_SUSPECT;
		coord_node_update(c, node);
		coord_tell_node(c, COORD_T_NODE_SUSPECT, node);
	}
	coord_node_probe(c, node);
	if (n->full_until_us && n->full_until_us <= c->now_us) {
		n->full_until_us = 0;
		coord_capacity_freed(c, (uint32_t)(n - c->nodes));
		coord_node_update(c, node);
	}
	if (drain_due(c, n)) {
		if (!coord_room(c, 2))
			return false;
		if (drain_one(c, n))
			return true;
		n->drain_at_us = RV_NEVER;
	}
	if (n->state != COORD_N_JOINED && n->attempt_count && lose_one(c, n, &lost_us)) {
		end_link(c, node);
		if (!n->attempt_count && !n->lost_told) {
			n->lost_told = true;
			coord_tell_node(c, COORD_T_NODE_LOST, node);
		}
		return true; /* its deadline stands: the next one at once */
	}
	schedule(c, node, lost_us);
	return true;
}

/* It was to end, and no answer to that is sure to have come. */
static void cancel_again(struct coord *c, uint32_t slot)
{
	const struct coord_attempt *a = &c->attempts[slot];
	const struct coord_run *r = &c->runs[a->run];

	if (r->stop_cancels)
		coord_attempt_cancel(c, slot, (enum proto_reason)r->stop, r->stop_grace_us);
	else if (coord_unit_at(r, a->unit)->flags & COORD_U_CANCEL)
		coord_attempt_cancel(c, slot, PROTO_REASON_CANCELLED, RV_NEVER);
	else
		coord_attempt_cancel(c, slot, (enum proto_reason)a->cancel_reason, a->grace_us);
}

/* After the last page of a HELLO: what we believed there and it did not list. */
static void reconcile_one(struct coord *c, struct coord_node *n, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];
	const struct coord_run *r = &c->runs[a->run];
	const struct coord_unit *u = coord_unit_at(r, a->unit);
	bool ends = r->stop_cancels || u->flags & COORD_U_CANCEL || a->state == COORD_A_STOPPING;
	/* A daemon that has not restarted since the attempt was assigned to it takes it once, however often it is sent; that it does not
	 * have it now, and no result of it to tell, says that it never began. Another one cannot say what its predecessor began: to send
	 * it the same number would start it twice. */
	bool same = !n->rebooted && (a->incarnation == n->incarnation || RV_PLANT(ANOTHER_DAEMON));
	bool denied = same && !RV_PLANT(DENIED_IS_LOST);
	bool again = denied || (same && !coord_unit_setting(r, u)->at_most_once);

	if (a->state == COORD_A_RETRACTING && a->mark != n->hello_mark) {
		struct proto_result res = { .key = { r->id, a->unit, a->attempt }, .outcome = PROTO_FAILED,
					    .reason = PROTO_REASON_RETRACTED, .exit = -1 };

		coord_end_attempt(c, &c->runs[a->run], a->unit, a->node, &res);
		return;
	}
	if (a->mark == n->hello_mark) { /* it is there */
		if (ends)
			cancel_again(c, slot);
		else if (a->state == COORD_A_RETRACTING)
			coord_attempt_retract(c, slot);
		return;
	}
	if (again && !ends && (a->state == COORD_A_SENT || a->state == COORD_A_UNKNOWN))
		coord_attempt_dispatch(c, slot); /* it never arrived */
	else if (denied && ends && !a->started && a->state != COORD_A_RUNNING)
		cancel_again(c, slot); /* its DISPATCH may have crossed the HELLO: the answer comes behind it and says whether it began */
	else if (denied && a->after != COORD_NONE && !a->started)
		coord_behind_give_back(c, &c->runs[a->run], slot, false); /* the one before ended without success, and took it along */
	else
		coord_attempt_lost(c, slot);
}

bool coord_lease_reconcile(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];
	uint32_t slot = n->reconcile;

	if (!coord_room(c, 6 + COORD_BEHIND_ROOM))
		return false;
	if (slot != COORD_NONE) {
		n->reconcile = c->attempts[slot].node_next;
		reconcile_one(c, n, slot);
	}
	if (n->reconcile != COORD_NONE)
		return true;
	c->reconciling--;
	n->reconciling = false;
	n->rebooted = false;
	n->greeted = true;
	coord_behind_watch(c, node);
	if (n->drain_us && n->drain_at_us == RV_NEVER) { /* it may hold what had not been told when its time was over */
		n->drain_at_us = c->now_us;
		coord_node_deadline(c, node, c->now_us);
	}
	coord_capacity_freed(c, (uint32_t)(n - c->nodes));
	coord_node_update(c, node);
	return true;
}
