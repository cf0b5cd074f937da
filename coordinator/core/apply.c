/* apply.c - the fold: what each fact does to the state, live and in replay
 *
 * | state | from |
 * |---|---|
 * | epoch | EPOCH |
 * | a run: that it is there, priority, max_workers, limits.failed, paused | RUN_ACCEPTED, MUTATION |
 * | a run: open, more units | RUN_ACCEPTED, UNITS_ADDED, MUTATION |
 * | a run: stopped, why | RUN_STOPPED; or derived: policy and limits applied to ENDED |
 * | a run: ended, how | RUN_FINISHED |
 * | a unit: attempt, node, tries, counters of failures | ASSIGNED, ATTEMPT_ENDED, ENDED |
 * | a unit: SUCCEEDED FAILED CANCELLED after an attempt or a time | ENDED |
 * | a unit: READY, SKIPPED, not_started, satisfied; in-degrees, joins, gates | derived, spread.c and run.c |
 * | a unit: held, cancel asked, reset | MUTATION |
 * | a run: not there any more | MUTATION |
 * | a node: number, name, key, boot, incarnation, draining and its deadline, removed, quarantined | NODE, MUTATION |
 * | request ids | MUTATION |
 * | sessions, what is on its way, resends, waits, medians, health below quarantine | live only: anew after a start |
 */
#include "common/plant.h"
#include "coordinator/core/state.h"

static void apply_epoch(struct coord *c, const struct proto_fact *f)
{
	c->epoch = f->epoch.epoch;
}

static struct coord_run *run_slot(struct coord *c)
{
	uint32_t slot = 0;

	while (c->runs[slot].g)
		slot++;
	rv_check(slot < c->cfg.runs_max);
	return &c->runs[slot];
}

static void apply_run_accepted(struct coord *c, const struct proto_fact *f, struct coord_graph *g)
{
	struct coord_run *r = run_slot(c);
	uint64_t *no_workspace = r->no_workspace;

	rv_check(g != NULL);
	rv_check(g->run == f->run_accepted.run);
	rv_check(g->open == f->run_accepted.open);
	*r = (struct coord_run){ .g = g, .id = g->run, .order = c->runs_seen++, .priority = f->run_accepted.priority,
				 .state = COORD_RUN_RUNNING, .stop_root = COORD_NONE, .first_failed = COORD_NONE,
				 .open = f->run_accepted.open, .max_workers = g->max_workers, .failed_max = g->limits.failed, .limit = g->limits.budget,
				 .cancel_at = COORD_NONE, .stop_grace_us = RV_NEVER,
				 .attempts = { COORD_NONE, COORD_NONE }, .deadline_us = RV_NEVER, .no_workspace = no_workspace };
	memset(no_workspace, 0, (c->cfg.nodes_max + 63) / 64 * sizeof(uint64_t));
	r->counts[COORD_UNIT_PENDING] = g->unit_count;
	if (g->timeout_us)
		r->deadline_us = rv_sat_add(c->now_us, g->timeout_us);
	rv_intmap_put(&c->run_map, r->id, coord_run_slot(c, r));
	c->run_order[c->run_count++] = coord_run_slot(c, r);
	coord_locks_name(c, r);
	coord_run_deadline(c, r);
	coord_tell(c, COORD_T_RUN_ACCEPTED, r, COORD_NONE);
	coord_spread_recount(c, r);
	coord_run_begin(c, r);
	coord_run_check(c, r);
}

/* Once it has been folded, an act of the same id is known. */
static void apply_units_added(struct coord *c, const struct proto_fact *f, const struct coord_graph *part)
{
	struct coord_run *r = coord_run_find(c, f->units_added.run);

	rv_check(r && part);
	rv_check(r->open && !r->ended);
	rv_check(f->units_added.first == r->g->unit_count);
	coord_grow(c, r, part);
	rv_check(r->g->unit_count == f->units_added.first + f->units_added.units);
	coord_tell(c, COORD_T_UNITS_ADDED, r, COORD_NONE)->units = f->units_added.units;
	coord_budget_changed(c, r);
	coord_ready_update_run(c, r);
}

static void apply_assigned(struct coord *c, const struct proto_fact *f)
{
	struct coord_run *r = coord_run_find(c, f->assigned.key.run);
	struct coord_unit_assign a = { f->assigned.key.attempt, f->assigned.node, f->assigned.after };

	rv_check(r != NULL);
	rv_check(f->assigned.node < c->node_count);
	if (!r->started) {
		r->started = true;
		coord_tell(c, COORD_T_RUN_STARTED, r, COORD_NONE);
	}
	coord_unit_event(c, r, f->assigned.key.unit, COORD_UE_ASSIGN, &a);
}

static void count_up(uint16_t *n)
{
	if (*n < UINT16_MAX)
		(*n)++;
}

/* What every end of an attempt counts, before the unit moves on. */
static void count_attempt(struct coord *c, struct coord_run *r, struct coord_unit *u, const struct proto_result *res)
{
	if (res->flags & PROTO_RESULT_STARTED && !(RV_PLANT(REPLAY_FORGETS_TRIES) && !c->live)) {
		if (!u->try_counted)
			count_up(&u->tries);
		u->try_counted = res->class == PROTO_CLASS_NODE_LOST;
		if (res->class != PROTO_CLASS_NODE_LOST)
			coord_estimate_seen(coord_unit_class(r, u), res->duration_us);
	}
	if (r->g->meters)
		coord_budget_ended(c, r, res);
	if (coord_unit_is_behind(c, u))
		return; /* nobody was told that it was assigned */
	if (res->class)
		u->class = (uint8_t)res->class;
	if (res->class || res->reason)
		u->reason = (uint8_t)res->reason;
}

static void count_loss(struct coord_unit *u, uint64_t weight)
{
	u->node_lost = (uint16_t)rv_min_u64(u->node_lost + weight, UINT16_MAX);
}

static void apply_ended(struct coord *c, const struct proto_fact *f)
{
	struct coord_run *r = coord_run_find(c, f->ended.key.run);
	static const enum coord_unit_state states[] = { [PROTO_END_SUCCEEDED] = COORD_UNIT_SUCCEEDED, [PROTO_END_FAILED] = COORD_UNIT_FAILED,
							[PROTO_END_SKIPPED] = COORD_UNIT_SKIPPED, [PROTO_END_CANCELLED] = COORD_UNIT_CANCELLED };
	struct coord_unit_end e = { .state = states[f->ended.state], .class = f->ended.result.class, .reason = f->ended.result.reason,
				    .root_cause = COORD_NONE, .result = &f->ended.result };

	rv_check(r != NULL);
	if (e.state == COORD_UNIT_CANCELLED && e.reason == PROTO_REASON_FAIL_FAST)
		e.root_cause = r->stop_root;
	count_attempt(c, r, coord_unit_at(r, f->ended.key.unit), &f->ended.result);
	if (f->ended.result.class == PROTO_CLASS_NODE_LOST) /* what may have begun stays known, whatever becomes of the unit after a person has asked for it again */
		count_loss(coord_unit_at(r, f->ended.key.unit), rv_max_u64(coord_loss_weight(&f->ended.result), 1));
	coord_unit_event(c, r, f->ended.key.unit, COORD_UE_END, &e);
}

static void tell_attempt_ended(struct coord *c, const struct coord_run *r, const struct proto_fact *f)
{
	const struct proto_result *res = &f->attempt_ended.result;
	enum coord_transition_kind kind = COORD_T_UNIT_RETRY_WAIT;
	struct coord_transition *t;

	if (res->class == PROTO_CLASS_NODE_LOST)
		kind = COORD_T_ATTEMPT_LOST;
	else if (res->reason == PROTO_REASON_RETRACTED)
		kind = COORD_T_UNIT_RETRACTED;
	else if (res->reason == PROTO_REASON_REJECTED)
		kind = COORD_T_ATTEMPT_REJECTED;
	t = coord_tell(c, kind, r, res->key.unit);
	t->state = f->attempt_ended.retry_delay_us ? COORD_UNIT_RETRY_WAIT : COORD_UNIT_READY;
	t->class = res->class;
	t->reason = res->reason;
	t->delay_us = f->attempt_ended.retry_delay_us;
	t->result = res;
}

static void apply_attempt_ended(struct coord *c, const struct proto_fact *f)
{
	struct coord_run *r = coord_run_find(c, f->attempt_ended.key.run);
	const struct proto_result *res = &f->attempt_ended.result;
	uint32_t unit = f->attempt_ended.key.unit;
	uint64_t delay_us = f->attempt_ended.retry_delay_us;
	struct coord_unit *u;

	rv_check(r != NULL);
	u = coord_unit_at(r, unit);
	count_attempt(c, r, u, res);
	u->flags &= (uint8_t)~COORD_U_AVOID;
	switch (res->class) {
	case PROTO_CLASS_ENVIRONMENT:
		count_up(&u->environment);
		if (res->reason == PROTO_REASON_NOT_FOUND)
			u->not_found = 1;
		u->flags |= COORD_U_AVOID;
		break;
	case PROTO_CLASS_NODE_LOST:
		count_loss(u, coord_loss_weight(res));
		r->node_lost++;
		u->flags |= COORD_U_AVOID | COORD_U_LOST;
		break;
	case PROTO_CLASS_RATE_LIMITED:
		count_up(&u->rate_limited);
		break;
	default:
		break;
	}
	if (coord_class_spends_retry(res->class)) {
		count_up(&u->retries);
		r->retries++;
	}
	if (!coord_unit_is_behind(c, u))
		tell_attempt_ended(c, r, f);
	if (delay_us)
		coord_unit_event(c, r, unit, COORD_UE_RETRY, &delay_us);
	else
		coord_unit_event(c, r, unit, COORD_UE_REQUEUE, NULL);
}

static void apply_run_stopped(struct coord *c, const struct proto_fact *f)
{
	struct coord_run *r = coord_run_find(c, f->run_stopped.run);

	rv_check(r != NULL);
	coord_run_stop(c, r, f->run_stopped.reason, COORD_NONE, RV_NEVER);
	r->stop = (uint8_t)f->run_stopped.reason;
	coord_tell(c, COORD_T_RUN_STOPPED, r, COORD_NONE)->reason = f->run_stopped.reason;
	coord_run_deadline(c, r);
}

static void apply_run_finished(struct coord *c, const struct proto_fact *f)
{
	struct coord_run *r = coord_run_find(c, f->run_finished.run);

	rv_check(r != NULL);
	if (r->ended && !c->live)
		return; /* of a journal from when a resume with nothing to do ended its run a second time */
	rv_check(!r->ended);
	r->ended = true;
	r->reason = (uint8_t)f->run_finished.reason;
	r->state = f->run_finished.state == PROTO_END_SUCCEEDED	  ? COORD_RUN_SUCCEEDED
		   : f->run_finished.state == PROTO_END_CANCELLED ? COORD_RUN_CANCELLED
								  : COORD_RUN_FAILED;
	coord_run_deadline(c, r);
	coord_tell(c, COORD_T_RUN_FINISHED, r, COORD_NONE)->reason = (enum proto_reason)r->reason;
	if (c->live) {
		struct coord_effect *e = coord_emit(c, COORD_FX_RUN_FINISHED, 0);

		e->run_finished.run = r->id;
		e->run_finished.state = (enum coord_run_state)r->state;
		e->run_finished.reason = (enum proto_reason)r->reason;
	}
}

static void admit(struct coord *c, const struct proto_fact *f)
{
	struct coord_node *n = &c->nodes[f->node.node];
	size_t bytes = f->node.name.bytes < sizeof(n->name) ? f->node.name.bytes : sizeof(n->name) - 1;

	rv_check(f->node.node == c->node_count);
	rv_check(c->node_count < c->cfg.nodes_max);
	c->node_count++;
	*n = (struct coord_node){ .reconcile = COORD_NONE, .attempts = { COORD_NONE, COORD_NONE }, .lost_after_min_us = RV_NEVER,
				  .reserved_run = COORD_NONE, .reserved_shape = COORD_NONE, .deadline_us = RV_NEVER,
				  .drain_at_us = RV_NEVER, .behind_due_us = RV_NEVER, .heartbeat_us = c->cfg.heartbeat_us_max };
	for (uint32_t i = 0; i < COORD_RESEND_LEVELS; i++)
		n->resend[i] = (struct coord_ring){ COORD_NONE, COORD_NONE };
	memcpy(n->name, f->node.name.at, bytes);
	memcpy(n->key, f->node.key, sizeof(n->key));
	if (c->node_count == 2)
		coord_node_update(c, 0); /* it was the only one, whose place among nodes nobody kept */
}

static void apply_node(struct coord *c, const struct proto_fact *f)
{
	struct coord_node *n = &c->nodes[f->node.node];

	switch (f->node.change) {
	case PROTO_NODE_ADMITTED:
		admit(c, f);
		break;
	case PROTO_NODE_QUARANTINED:
		n->health = COORD_H_QUARANTINED;
		coord_tell_node(c, COORD_T_NODE_QUARANTINED, f->node.node);
		break;
	case PROTO_NODE_RECOVERED:
		n->health = COORD_H_GOOD;
		coord_tell_node(c, COORD_T_NODE_RECOVERED, f->node.node);
		break;
	case PROTO_NODE_BEGAN:
		memcpy(n->boot_id, f->node.boot_id, sizeof(n->boot_id));
		n->incarnation = f->node.incarnation;
		break;
	default:
		break;
	}
	coord_node_update(c, f->node.node);
}

void coord_apply(struct coord *c, const struct proto_fact *f, struct coord_graph *g)
{
	switch (f->kind) {
	case PROTO_FACT_EPOCH:
		apply_epoch(c, f);
		break;
	case PROTO_FACT_RUN_ACCEPTED:
		apply_run_accepted(c, f, g);
		break;
	case PROTO_FACT_UNITS_ADDED:
		apply_units_added(c, f, g);
		break;
	case PROTO_FACT_ASSIGNED:
		apply_assigned(c, f);
		break;
	case PROTO_FACT_ENDED:
		apply_ended(c, f);
		break;
	case PROTO_FACT_ATTEMPT_ENDED:
		apply_attempt_ended(c, f);
		break;
	case PROTO_FACT_RUN_STOPPED:
		apply_run_stopped(c, f);
		break;
	case PROTO_FACT_RUN_FINISHED:
		apply_run_finished(c, f);
		break;
	case PROTO_FACT_MUTATION:
		coord_apply_mutation(c, f);
		break;
	case PROTO_FACT_NODE:
		apply_node(c, f);
		break;
	case PROTO_FACT_KEY: /* who may connect is no matter of the core */
	case PROTO_FACT_TOKEN:
		break;
	}
	c->anew = f->kind == PROTO_FACT_EPOCH;
}

void coord_decide(struct coord *c, const struct proto_fact *f, struct coord_graph *g)
{
	coord_apply(c, coord_fact(c, f), g);
}
