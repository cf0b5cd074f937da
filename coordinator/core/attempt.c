/* attempt.c - one assignment of a unit to a node: what it holds while it lasts, and messages until they are answered
 *
 *	SENT --TAKEN--> TAKEN --STARTED--> RUNNING
 *	  \               \                  /          any of them: --CANCEL--> STOPPING, --RETRACT--> RETRACTING
 *	UNKNOWN (from the journal) --HELLO--> one of them
 *
 * DISPATCH, CANCEL and RETRACT are sent again after 1, 2, 4 ... 30 s (+-20 %) until they are answered. An attempt waits in its
 * node's list for that delay; each list is in order of time.
 */
#include "common/plant.h"
#include "coordinator/core/state.h"

static const uint64_t resend_us[COORD_RESEND_LEVELS] = { 1000000, 2000000, 4000000, 8000000, 16000000, 30000000 };

/* --- lists --- */

static void run_list_add(struct coord *c, struct coord_run *r, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	a->run_prev = r->attempts.last;
	a->run_next = COORD_NONE;
	if (r->attempts.last != COORD_NONE)
		c->attempts[r->attempts.last].run_next = slot;
	else
		r->attempts.first = slot;
	r->attempts.last = slot;
}

static void run_list_remove(struct coord *c, struct coord_run *r, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	if (r->cancel_at == slot) {
		r->cancel_at = a->run_next;
		if (r->cancel_at == COORD_NONE)
			c->sweeps--;
	}
	if (a->run_prev != COORD_NONE)
		c->attempts[a->run_prev].run_next = a->run_next;
	else
		r->attempts.first = a->run_next;
	if (a->run_next != COORD_NONE)
		c->attempts[a->run_next].run_prev = a->run_prev;
	else
		r->attempts.last = a->run_prev;
}

static void node_list_add(struct coord *c, struct coord_node *n, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	a->node_prev = n->attempts.last;
	a->node_next = COORD_NONE;
	if (n->attempts.last != COORD_NONE)
		c->attempts[n->attempts.last].node_next = slot;
	else
		n->attempts.first = slot;
	n->attempts.last = slot;
	n->attempt_count++;
}

static void node_list_remove(struct coord *c, struct coord_node *n, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	if (n->reconcile == slot)
		n->reconcile = a->node_next;
	if (a->node_prev != COORD_NONE)
		c->attempts[a->node_prev].node_next = a->node_next;
	else
		n->attempts.first = a->node_next;
	if (a->node_next != COORD_NONE)
		c->attempts[a->node_next].node_prev = a->node_prev;
	else
		n->attempts.last = a->node_prev;
	n->attempt_count--;
}

static void wait_list_remove(struct coord *c, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];
	struct coord_ring *ring;

	if (a->level == COORD_NO_LEVEL)
		return;
	ring = &c->nodes[a->node].resend[a->level];
	if (a->wait_prev != COORD_NONE)
		c->attempts[a->wait_prev].wait_next = a->wait_next;
	else
		ring->first = a->wait_next;
	if (a->wait_next != COORD_NONE)
		c->attempts[a->wait_next].wait_prev = a->wait_prev;
	else
		ring->last = a->wait_prev;
	a->level = COORD_NO_LEVEL;
}

/* Waits for an answer to what has just been sent. */
static void wait_answer(struct coord *c, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];
	uint8_t level = a->sends < COORD_RESEND_LEVELS ? a->sends : COORD_RESEND_LEVELS - 1;
	struct coord_ring *ring = &c->nodes[a->node].resend[level];
	uint64_t delay_us = resend_us[level];

	wait_list_remove(c, slot);
	delay_us = delay_us * 4 / 5 + rv_prng_below(&c->prng, delay_us * 2 / 5 + 1);
	a->due_us = c->now_us + delay_us;
	if (ring->last != COORD_NONE) /* the list stays in order: nobody overtakes */
		a->due_us = rv_max_u64(a->due_us, c->attempts[ring->last].due_us);
	a->level = level;
	a->wait_next = COORD_NONE;
	a->wait_prev = ring->last;
	if (ring->last != COORD_NONE)
		c->attempts[ring->last].wait_next = slot;
	else
		ring->first = slot;
	ring->last = slot;
	if (a->sends < UINT8_MAX)
		a->sends++;
	coord_node_deadline(c, a->node, a->due_us);
}

uint64_t coord_attempt_resend_due(const struct coord *c, const struct coord_node *n)
{
	uint64_t due = RV_NEVER;

	for (uint32_t i = 0; i < COORD_RESEND_LEVELS; i++)
		if (n->resend[i].first != COORD_NONE)
			due = rv_min_u64(due, c->attempts[n->resend[i].first].due_us);
	return due;
}

/* --- holding and giving back --- */

static struct proto_attempt_key key_of(const struct coord *c, const struct coord_attempt *a)
{
	return (struct proto_attempt_key){ c->runs[a->run].id, a->unit, a->attempt };
}

static void resources_move(struct coord_node *n, const struct coord_graph *g, const struct coord_shape *sh, bool take)
{
	for (uint32_t i = 0; i < sh->resource_count; i++) {
		const struct coord_resource *need = &g->resources[sh->resource_first + i];

		for (uint32_t k = 0; k < n->resource_count; k++)
			if (n->resources[k].name == need->name)
				n->resources[k].used = take ? n->resources[k].used + need->milli
							    : rv_sat_sub(n->resources[k].used, need->milli);
	}
}

void coord_attempt_take_places(struct coord *c, struct coord_run *r, uint32_t slot)
{
	const struct coord_attempt *a = &c->attempts[slot];
	const struct coord_shape *sh = &r->g->shapes[coord_unit_class(r, coord_unit_at(r, a->unit))->shape];

	c->nodes[a->node].slots_used += sh->slots;
	c->nodes[a->node].agent_used += sh->agent_slots;
	coord_node_update(c, a->node);
}

void coord_attempt_hold(struct coord *c, struct coord_run *r, uint32_t unit, uint32_t node, uint32_t after)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_class *cl = coord_unit_class(r, u);
	const struct coord_shape *sh = &r->g->shapes[cl->shape];
	struct coord_node *n = &c->nodes[node];
	uint32_t slot = c->attempt_free != COORD_NONE ? c->attempt_free : c->attempt_fresh++;
	struct coord_attempt *a;

	rv_check(slot < c->cfg.attempts_max);
	__builtin_prefetch(&r->g->tmpls[u->tmpl]); /* its end will ask for it: a big graph is bound by memory */
	a = &c->attempts[slot];
	if (slot == c->attempt_free)
		c->attempt_free = a->run_next;
	c->attempt_count++;
	*a = (struct coord_attempt){ .state = COORD_A_UNKNOWN, .level = COORD_NO_LEVEL, .run = coord_run_slot(c, r), .unit = unit,
				     .attempt = u->attempt, .node = node, .after = COORD_NONE, .behind = COORD_NONE };
	u->slot = slot;
	run_list_add(c, r, slot);
	node_list_add(c, n, slot);
	resources_move(n, r->g, sh, true);
	if (coord_unit_setting(r, u)->lost_after_us < n->lost_after_min_us) {
		n->lost_after_min_us = coord_unit_setting(r, u)->lost_after_us;
		if (c->live) /* a stall is noticed from now on */
			coord_node_deadline(c, node, c->now_us + coord_lease_heartbeat(c, n));
	}
	c->usage[slot].agent = coord_budget_agent(r, unit);
	if (c->usage[slot].agent != COORD_NONE)
		r->g->agents[c->usage[slot].agent].running++;
	if (cl->lock_count)
		coord_locks_take(c, r, u->place_class);
	if (cl->dirs)
		coord_dirs_take(c, r, unit);
	r->active++;
	r->usage += sh->slots + sh->agent_slots;
	if (after == COORD_NONE)
		coord_attempt_take_places(c, r, slot);
	else
		coord_behind_begin(c, slot, after);
	coord_ready_update_run(c, r);
}

static void wake_all(struct coord *c, struct coord_run *r, uint32_t *waiting)
{
	while (*waiting != COORD_NONE) {
		uint32_t class = *waiting;

		*waiting = r->g->classes[class].next_waiting;
		coord_ready_unpark_class(c, r, class);
	}
}

static void agent_given(struct coord *c, struct coord_run *r, struct coord_agent *ag)
{
	ag->running--;
	wake_all(c, r, &ag->waiting);
	wake_all(c, r, &r->g->waiting_any);
}

static void uncount(struct coord *c, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	if (a->counted)
		c->nodes[a->node].digest -= proto_table_term(key_of(c, a));
	a->counted = false;
}

void coord_attempt_count(struct coord *c, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	if (!a->counted)
		c->nodes[a->node].digest += proto_table_term(key_of(c, a));
	a->counted = true;
}

void coord_attempt_drop(struct coord *c, struct coord_run *r, uint32_t unit)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_class *cl = coord_unit_class(r, u);
	const struct coord_shape *sh = &r->g->shapes[cl->shape];
	uint32_t slot = u->slot, agent = coord_attempt_agent(c, r, slot);
	struct coord_attempt *a = &c->attempts[slot];
	struct coord_node *n = &c->nodes[a->node];

	rv_check(a->unit == unit);
	rv_check(a->behind == COORD_NONE);
	if (r->g->meters)
		coord_budget_dropped(c, r, slot);
	uncount(c, slot);
	wait_list_remove(c, slot);
	run_list_remove(c, r, slot);
	node_list_remove(c, n, slot);
	if (a->after == COORD_NONE) {
		n->slots_used -= sh->slots;
		n->agent_used -= sh->agent_slots;
	}
	coord_behind_end(c, slot);
	resources_move(n, r->g, sh, false);
	if (!n->attempt_count)
		n->lost_after_min_us = RV_NEVER;
	r->active -= RV_PLANT(RELEASE_AFTER_RETRY) && u->retries ? 0 : 1;
	r->usage -= sh->slots + sh->agent_slots;
	coord_node_update(c, a->node);
	if (agent != COORD_NONE)
		agent_given(c, r, &r->g->agents[agent]);
	if (cl->lock_count)
		coord_locks_give(c, r, u->place_class);
	if (cl->dirs)
		coord_dirs_give(c, r, unit);
	coord_attempt_state(c, slot, COORD_A_FREE);
	a->run_next = c->attempt_free;
	c->attempt_free = slot;
	c->attempt_count--;
	u->slot = COORD_NONE;
	coord_capacity_freed(c, a->node);
	coord_ready_update_run(c, r);
	if (r->stop)
		coord_run_check(c, r); /* perhaps the last one that ran */
}

void coord_attempt_state(struct coord *c, uint32_t slot, enum coord_attempt_state state)
{
	struct coord_attempt *a = &c->attempts[slot];

	c->retracting += (state == COORD_A_RETRACTING) - (a->state == COORD_A_RETRACTING);
	a->state = (uint8_t)state;
}

/* --- messages --- */

static bool reachable(const struct coord_node *n)
{
	return n->state != COORD_N_AWAY;
}

void coord_attempt_dispatch(struct coord *c, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];
	struct coord_run *r = &c->runs[a->run];
	const struct coord_unit *u = coord_unit_at(r, a->unit);
	const struct coord_setting *s = coord_unit_setting(r, u);
	struct coord_node *n = &c->nodes[a->node];
	struct coord_effect *e;

	coord_attempt_state(c, slot, COORD_A_SENT);
	if (!a->sends)
		a->sent_us = c->now_us;
	if (!reachable(n))
		return; /* its HELLO will show that it is missing there */
	if (a->after != COORD_NONE && !n->holds_behind)
		return; /* another program of the node's than the one before: it gets it as soon as it may begin */
	e = coord_emit(c, COORD_FX_DISPATCH, n->peer);
	e->dispatch.key = key_of(c, a);
	e->dispatch.try_number = u->tries + 1u;
	e->dispatch.lease_us = s->lost_after_us / 10 * 9;
	e->dispatch.tokens_left = e->dispatch.cost_left_microusd = 0;
	e->dispatch.no_hurry = coord_estimate_no_hurry(r, a->unit);
	e->dispatch.agent = COORD_NONE;
	if (r->g->meters)
		coord_budget_dispatch(c, r, a->unit, e);
	e->dispatch.sync = s->at_most_once;
	e->dispatch.after = coord_behind_of(c, a);
	n->messages_out++;
	coord_attempt_count(c, slot);
	wait_answer(c, slot);
}

void coord_attempt_cancel(struct coord *c, uint32_t slot, enum proto_reason reason, uint64_t grace_us)
{
	struct coord_attempt *a = &c->attempts[slot];
	struct coord_node *n = &c->nodes[a->node];
	struct coord_effect *e;

	if (a->state != COORD_A_STOPPING)
		a->sends = 0;
	coord_attempt_state(c, slot, COORD_A_STOPPING);
	a->cancel_reason = (uint8_t)reason;
	a->grace_us = grace_us;
	wait_list_remove(c, slot);
	if (!reachable(n))
		return;
	e = coord_emit(c, COORD_FX_CANCEL, n->peer);
	e->cancel = (struct proto_cancel){ .key = key_of(c, a), .epoch = c->epoch, .grace_us = grace_us, .reason = reason };
	n->messages_out++;
	wait_answer(c, slot);
}

void coord_attempt_retract(struct coord *c, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];
	struct coord_node *n = &c->nodes[a->node];

	if (a->state != COORD_A_RETRACTING)
		a->sends = 0;
	coord_attempt_state(c, slot, COORD_A_RETRACTING);
	wait_list_remove(c, slot);
	if (!reachable(n))
		return;
	coord_emit(c, COORD_FX_RETRACT, n->peer)->retract = key_of(c, a);
	n->messages_out++;
	wait_answer(c, slot);
}

/* TAKEN or STARTED came: nothing has to be sent again, unless it is to end. */
void coord_attempt_answered(struct coord *c, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	if (a->state == COORD_A_STOPPING)
		return;
	a->sends = 0;
	wait_list_remove(c, slot);
}

void coord_attempt_began(struct coord *c, uint32_t slot, bool tell)
{
	struct coord_attempt *a = &c->attempts[slot];
	struct coord_run *r = &c->runs[a->run];
	const struct coord_unit *u = coord_unit_at(r, a->unit);

	coord_attempt_answered(c, slot);
	if (a->state == COORD_A_SENT || a->state == COORD_A_TAKEN || a->state == COORD_A_RETRACTING)
		coord_attempt_state(c, slot, COORD_A_RUNNING);
	if (tell)
		coord_tell(c, COORD_T_UNIT_STARTED, r, a->unit)->try_number = u->tries + !u->try_counted;
}

bool coord_attempt_resend(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];

	for (uint32_t i = 0; i < COORD_RESEND_LEVELS; i++) {
		uint32_t slot;

		while ((slot = n->resend[i].first) != COORD_NONE && c->attempts[slot].due_us <= c->now_us) {
			struct coord_attempt *a = &c->attempts[slot];

			if (!coord_room(c, 2))
				return false;
			if (a->state == COORD_A_STOPPING)
				coord_attempt_cancel(c, slot, (enum proto_reason)a->cancel_reason, a->grace_us);
			else if (a->state == COORD_A_RETRACTING)
				coord_attempt_retract(c, slot);
			else
				coord_attempt_dispatch(c, slot);
			if (!reachable(n))
				wait_list_remove(c, slot);
		}
	}
	return true;
}

uint32_t coord_attempt_find(struct coord *c, struct proto_attempt_key key, struct coord_run **run)
{
	struct coord_run *r = coord_run_find(c, key.run);
	const struct coord_unit *u;

	*run = r;
	if (!r || key.unit >= r->g->vertex_count)
		return COORD_NONE;
	u = coord_unit_at(r, key.unit);
	return u->state == COORD_UNIT_ACTIVE && (u->attempt == key.attempt || RV_PLANT(NO_FENCE)) ? u->slot : COORD_NONE;
}
