/* run.c - a run from acceptance to its end
 *
 *	accepted --sweep BEGIN--> units ready --> ... --> all ended --> [verify step] --> RUN_FINISHED
 *	                              |
 *	                      stopped (policy, limit, timeout, cancel): nothing new starts, some stops cancel what runs;
 *	                      when nothing runs any more, sweep CLOSE ends what never started
 *
 * The CLOSE sweep comes last, so that dependents of what ended meanwhile are SKIPPED with their cause, whatever the order.
 */
#include "coordinator/core/state.h"

struct coord_run *coord_run_find(struct coord *c, uint64_t id)
{
	uint32_t slot = rv_intmap_get(&c->run_map, id);

	return slot == RV_MAP_NONE ? NULL : &c->runs[slot];
}

/* --- stopping --- */

static void start_cancels(struct coord *c, struct coord_run *r)
{
	if (r->cancel_at == COORD_NONE && r->attempts.first != COORD_NONE)
		c->sweeps++;
	r->cancel_at = r->attempts.first;
}

void coord_run_cancel_some(struct coord *c, struct coord_run *r)
{
	start_cancels(c, r);
}

static bool stop_cancels(enum proto_reason reason)
{
	return reason != PROTO_REASON_NOT_STARTED;
}

void coord_run_stop(struct coord *c, struct coord_run *r, enum proto_reason reason, uint32_t root, uint64_t grace_us)
{
	if (r->stop && (r->stop_cancels || !stop_cancels(reason)))
		return; /* the first reason stays, unless only this one cancels */
	r->stop = (uint8_t)reason;
	r->stop_cancels = stop_cancels(reason);
	r->stop_root = root;
	r->stop_grace_us = grace_us;
	if (r->stop_cancels)
		start_cancels(c, r);
	coord_ready_update_run(c, r);
	coord_run_check(c, r);
}

void coord_run_failed_check(struct coord *c, struct coord_run *r, uint32_t unit)
{
	if (!r->ended && r->failed_max && r->counts[COORD_UNIT_FAILED] >= r->failed_max)
		coord_run_stop(c, r, PROTO_REASON_NOT_STARTED, unit, RV_NEVER);
}

void coord_run_unit_failed(struct coord *c, struct coord_run *r, uint32_t unit)
{
	if (r->first_failed == COORD_NONE)
		r->first_failed = unit;
	if (r->g->on_failure == PLAN_FAIL_FAST)
		coord_run_stop(c, r, PROTO_REASON_FAIL_FAST, unit, RV_NEVER);
	else if (r->g->on_failure == PLAN_FINISH)
		coord_run_stop(c, r, PROTO_REASON_NOT_STARTED, unit, RV_NEVER);
	else
		coord_run_failed_check(c, r, unit);
}

void coord_on_run_stop(struct coord *c, const struct coord_event *ev)
{
	struct coord_run *r = coord_run_find(c, ev->run_stop.run);
	struct proto_fact f = { .kind = PROTO_FACT_RUN_STOPPED };

	if (!r || r->ended)
		return;
	if (r->stop && r->stop_cancels) {
		r->stop_grace_us = ev->run_stop.grace_us; /* more in a hurry than before */
		start_cancels(c, r);
		return;
	}
	f.run_stopped.run = r->id;
	f.run_stopped.reason = ev->run_stop.reason;
	coord_decide(c, &f, NULL);
	r->stop_grace_us = ev->run_stop.grace_us;
}

/* --- sweeps: one unit or attempt at a time --- */

static void cancel_next(struct coord *c, struct coord_run *r)
{
	enum proto_reason reason;
	uint32_t slot = r->cancel_at;

	r->cancel_at = c->attempts[slot].run_next;
	if (r->cancel_at == COORD_NONE)
		c->sweeps--;
	if (!c->live)
		return;
	if (r->stop_cancels)
		coord_attempt_cancel(c, slot, (enum proto_reason)r->stop, r->stop_grace_us);
	else if ((reason = coord_budget_cancels(c, r, slot)) != PROTO_REASON_NONE)
		coord_attempt_cancel(c, slot, reason, RV_NEVER);
}

static void close_unit(struct coord *c, struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_unit_end e = { .state = COORD_UNIT_CANCELLED, .root_cause = r->stop_root };
	bool policy = r->stop == PROTO_REASON_FAIL_FAST || r->stop == PROTO_REASON_NOT_STARTED;
	bool budget = coord_reason_is_budget((enum proto_reason)r->stop);

	if (coord_state_ended(u->state))
		return;
	e.reason = policy ? PROTO_REASON_NOT_STARTED : (enum proto_reason)r->stop;
	if (policy && u->class) { /* it did start, and waited for one more try that does not come */
		e.state = COORD_UNIT_FAILED;
		e.class = (enum proto_class)u->class;
		e.reason = (enum proto_reason)u->reason;
		e.root_cause = COORD_NONE;
	}
	if (budget && u->tries) {
		e.state = COORD_UNIT_FAILED;
		e.class = PROTO_CLASS_BUDGET;
	}
	coord_unit_event(c, r, unit, COORD_UE_END, &e);
}

static void sweep_next(struct coord *c, struct coord_run *r)
{
	if (r->sweep_at == r->g->vertex_count) {
		r->sweep = COORD_SWEEP_NONE;
		c->sweeps--;
		coord_run_check(c, r);
		return;
	}
	if (r->sweep == COORD_SWEEP_BEGIN)
		coord_spread_begin(c, r, r->sweep_at++);
	else
		close_unit(c, r, r->sweep_at++);
}

static void sweep_start(struct coord *c, struct coord_run *r, enum coord_sweep what)
{
	if (!r->sweep)
		c->sweeps++;
	r->sweep = (uint8_t)what;
	r->sweep_at = 0;
}

void coord_run_begin(struct coord *c, struct coord_run *r)
{
	sweep_start(c, r, COORD_SWEEP_BEGIN);
}

void coord_run_begin_from(struct coord *c, struct coord_run *r, uint32_t unit)
{
	rv_check(!r->sweep);
	sweep_start(c, r, COORD_SWEEP_BEGIN);
	r->sweep_at = unit;
}

bool coord_run_sweeps(struct coord *c)
{
	for (uint32_t i = 0; i < c->run_count && c->sweeps; i++) {
		struct coord_run *r = &c->runs[c->run_order[i]];

		while (r->cancel_at != COORD_NONE) {
			if (!coord_room(c, 4))
				return false;
			cancel_next(c, r);
		}
		while (r->sweep) {
			if (!coord_room(c, 4))
				return false;
			sweep_next(c, r);
			if (!coord_work(c))
				return false;
		}
	}
	return true;
}

/* --- the end --- */

void coord_run_check(struct coord *c, struct coord_run *r)
{
	if (!r->check_end)
		c->checks++;
	r->check_end = true;
}

uint32_t coord_run_ended_count(const struct coord_run *r)
{
	return r->counts[COORD_UNIT_SUCCEEDED] + r->counts[COORD_UNIT_FAILED] + r->counts[COORD_UNIT_SKIPPED] +
	       r->counts[COORD_UNIT_CANCELLED];
}

static enum proto_end_state outcome(const struct coord_run *r, enum proto_reason *reason)
{
	const struct coord_unit *verify = r->g->has_verify ? coord_unit_at(r, r->g->unit_count) : NULL;

	*reason = PROTO_REASON_NONE;
	if (!r->open && r->counts[COORD_UNIT_SUCCEEDED] == r->g->unit_count && (!verify || verify->state == COORD_UNIT_SUCCEEDED))
		return PROTO_END_SUCCEEDED;
	*reason = (enum proto_reason)r->stop;
	if (r->stop == PROTO_REASON_CANCELLED || r->stop == PROTO_REASON_INTERRUPTED)
		return PROTO_END_CANCELLED;
	if (r->stop == PROTO_REASON_RUN_TIMEOUT || coord_reason_is_budget(*reason))
		return PROTO_END_FAILED;
	if (verify && verify->state == COORD_UNIT_FAILED)
		*reason = PROTO_REASON_VERIFY;
	else if (*reason == PROTO_REASON_NONE && r->budget_reason)
		*reason = (enum proto_reason)r->budget_reason;
	else if (!r->counts[COORD_UNIT_FAILED] && r->counts[COORD_UNIT_CANCELLED])
		return PROTO_END_CANCELLED;
	return PROTO_END_FAILED;
}

static void finish(struct coord *c, struct coord_run *r)
{
	struct proto_fact f = { .kind = PROTO_FACT_RUN_FINISHED };

	f.run_finished.run = r->id;
	f.run_finished.state = outcome(r, &f.run_finished.reason);
	f.run_finished.succeeded = r->counts[COORD_UNIT_SUCCEEDED];
	f.run_finished.failed = r->counts[COORD_UNIT_FAILED];
	f.run_finished.skipped = r->counts[COORD_UNIT_SKIPPED];
	f.run_finished.cancelled = r->counts[COORD_UNIT_CANCELLED];
	coord_decide(c, &f, NULL);
}

/* Every unit has ended: the verify step is asked for, or the run ends. */
static void all_ended(struct coord *c, struct coord_run *r)
{
	if (r->g->has_verify && r->counts[COORD_UNIT_SUCCEEDED] == r->g->unit_count) {
		struct coord_unit *verify = coord_unit_at(r, r->g->unit_count);

		if (verify->state == COORD_UNIT_PENDING && !r->stop) {
			coord_unit_event(c, r, r->g->unit_count, COORD_UE_READY, NULL);
			return;
		}
		if (!coord_state_ended(verify->state)) {
			if (r->stop && !r->active)
				sweep_start(c, r, COORD_SWEEP_CLOSE);
			return;
		}
	}
	if (c->live && !r->active)
		finish(c, r);
}

static void check(struct coord *c, struct coord_run *r)
{
	r->check_end = false;
	c->checks--;
	if (r->ended || r->sweep || (r->open && !r->stop))
		return; /* an open run may get more */
	if (coord_run_ended_count(r) == r->g->unit_count)
		all_ended(c, r);
	else if (r->stop && !r->active)
		sweep_start(c, r, COORD_SWEEP_CLOSE);
}

bool coord_run_ends(struct coord *c)
{
	for (uint32_t i = 0; i < c->run_count && c->checks; i++) {
		struct coord_run *r = &c->runs[c->run_order[i]];

		if (!r->check_end)
			continue;
		if (!coord_room(c, 4))
			return false;
		check(c, r);
	}
	return true;
}

/* --- deadlines: the run's own, and its units' waits --- */

void coord_run_deadline(struct coord *c, struct coord_run *r)
{
	const struct rv_heap_item *first = r->g->timers ? rv_heap_first(&r->g->unit_timers) : NULL;
	uint64_t at = r->ended || r->stop_cancels ? RV_NEVER : r->deadline_us;

	if (first)
		at = rv_min_u64(at, first->key);
	if (at == RV_NEVER)
		rv_heap_remove(&c->deadlines, coord_run_slot(c, r));
	else
		rv_heap_set(&c->deadlines, coord_run_slot(c, r), at, coord_run_slot(c, r));
}

static void queue_timeout(struct coord *c, struct coord_run *r, uint32_t unit)
{
	struct proto_fact f = { .kind = PROTO_FACT_ENDED };
	const struct coord_unit *u = coord_unit_at(r, unit);

	f.ended.key = (struct proto_attempt_key){ r->id, unit, 0 };
	f.ended.node = u->node;
	f.ended.state = PROTO_END_FAILED;
	f.ended.result.key = f.ended.key;
	f.ended.result.outcome = PROTO_FAILED;
	f.ended.result.class = PROTO_CLASS_TIMEOUT;
	f.ended.result.reason = PROTO_REASON_QUEUE_TIMEOUT;
	f.ended.result.exit = -1;
	f.ended.result.error = RV_STR("waited too long to be started (queue_timeout_s)");
	coord_decide(c, &f, NULL);
}

bool coord_run_due(struct coord *c, struct coord_run *r)
{
	const struct rv_heap_item *first = r->g->timers ? rv_heap_first(&r->g->unit_timers) : NULL;

	if (r->deadline_us <= c->now_us && !r->ended && !r->stop_cancels) {
		struct proto_fact f = { .kind = PROTO_FACT_RUN_STOPPED };

		f.run_stopped.run = r->id;
		f.run_stopped.reason = PROTO_REASON_RUN_TIMEOUT;
		r->deadline_us = RV_NEVER;
		coord_decide(c, &f, NULL);
	} else if (first && first->key <= c->now_us) {
		uint32_t unit = first->value;

		if (coord_unit_at(r, unit)->state == COORD_UNIT_RETRY_WAIT)
			coord_unit_event(c, r, unit, COORD_UE_REQUEUE, NULL);
		else
			queue_timeout(c, r, unit);
	}
	coord_run_deadline(c, r);
	return true;
}

/* --- the end of being asked about --- */

void coord_run_release(struct coord *c, struct coord_run *r)
{
	uint32_t slot = coord_run_slot(c, r), at = 0;

	rv_check(r->ended && !r->active && !r->sweep);
	coord_dirs_bury(c);
	coord_locks_unname(c, r);
	coord_place_unreserve_all(c, r);
	rv_heap_remove(&c->run_heap, slot);
	rv_heap_remove(&c->deadlines, slot);
	(void)rv_intmap_remove(&c->run_map, r->id);
	c->parked_shapes -= r->parked_shapes;
	c->looks -= r->budget_look;
	while (c->run_order[at] != slot)
		at++;
	memmove(&c->run_order[at], &c->run_order[at + 1], (c->run_count - at - 1) * sizeof(c->run_order[0]));
	c->run_count--;
	coord_emit(c, COORD_FX_RELEASE_RUN, 0)->release = r->g;
	r->g = NULL;
}
