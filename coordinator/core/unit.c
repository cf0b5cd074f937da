/* unit.c - the life of a unit
 *
 *	PENDING --deps--> READY --assign--> ACTIVE --end--> SUCCEEDED FAILED CANCELLED
 *	   |  \             ^ \                |        (handed over behind what it depends on: from PENDING, and back to it)
 *	   |   hold         |  \               +--> RETRY_WAIT --wait over--> READY
 *	   |    v           |   \              +--> READY (lost, rejected, retracted: another attempt)
 *	   |   HELD --release    +--end--> CANCELLED, SKIPPED, FAILED (queue timeout)
 *	   +--a dependency failed--> SKIPPED
 *
 * Every move is a cell of the table below: a function, STALE (the order of messages can do this; nothing happens) or BUG.
 * What a unit holds goes with its state: READY is in its class's queue (or waits at a path), RETRY_WAIT has a timer, ACTIVE an attempt.
 */
#include "coordinator/core/state.h"

typedef void move_fn(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg);

static void set_state(struct coord_run *r, uint32_t unit, enum coord_unit_state state)
{
	struct coord_unit *u = coord_unit_at(r, unit);

	if (!coord_unit_is_verify(r, unit)) {
		r->counts[u->state]--;
		r->counts[state]++;
	}
	u->state = (uint8_t)state;
}

static void timer_set(struct coord *c, struct coord_run *r, uint32_t unit, uint64_t delay_us)
{
	rv_heap_set(&r->g->unit_timers, unit, rv_sat_add(c->now_us, delay_us), coord_unit_at(r, unit)->rank);
	coord_run_deadline(c, r);
}

static void timer_clear(struct coord *c, struct coord_run *r, uint32_t unit)
{
	if (!r->g->timers || !rv_heap_has(&r->g->unit_timers, unit))
		return;
	rv_heap_remove(&r->g->unit_timers, unit);
	coord_run_deadline(c, r);
}

/* Leaves what its state holds. */
static void leave(struct coord *c, struct coord_run *r, uint32_t unit, enum coord_leave why)
{
	struct coord_unit *u = coord_unit_at(r, unit);

	switch (u->state) {
	case COORD_UNIT_READY:
		if (!(u->flags & COORD_U_DIR_WAIT))
			coord_ready_remove(c, r, unit);
		if (u->flags & (COORD_U_DIR_WAIT | COORD_U_WOKEN))
			coord_dirs_leave(c, r, unit, why);
		timer_clear(c, r, unit);
		break;
	case COORD_UNIT_RETRY_WAIT:
		timer_clear(c, r, unit);
		break;
	case COORD_UNIT_ACTIVE:
		coord_attempt_drop(c, r, unit);
		break;
	default:
		break;
	}
}

static void enter_ready(struct coord *c, struct coord_run *r, uint32_t unit)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	uint64_t limit_us;

	if (u->flags & COORD_U_HELD) {
		set_state(r, unit, COORD_UNIT_HELD);
		coord_tell(c, COORD_T_UNIT_HELD, r, unit);
		return;
	}
	set_state(r, unit, COORD_UNIT_READY);
	u->ready_us = c->real_us;
	coord_ready_add(c, r, unit);
	if (r->g->timers && (limit_us = coord_unit_setting(r, u)->queue_timeout_us))
		timer_set(c, r, unit, limit_us);
	if (c->live)
		coord_tell(c, COORD_T_UNIT_READY, r, unit);
}

static void ready(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	(void)arg;
	enter_ready(c, r, unit);
}

static void assign(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	const struct coord_unit_assign *a = arg;
	struct coord_unit *u = coord_unit_at(r, unit);
	bool again = u->attempt == a->attempt;

	leave(c, r, unit, COORD_LEAVE_TO_RUN);
	set_state(r, unit, COORD_UNIT_ACTIVE);
	if (!again)
		u->try_counted = 0;
	u->attempt = a->attempt;
	u->node = a->node;
	u->flags &= (uint8_t)~COORD_U_LOST;
	coord_attempt_hold(c, r, unit, a->node, a->after.attempt ? coord_unit_at(r, a->after.unit)->slot : COORD_NONE);
	c->attempts[u->slot].epoch = again ? 0 : c->epoch;
	if (r->g->meters)
		coord_budget_assigned(c, r, unit, again);
	c->attempts[u->slot].incarnation = c->nodes[a->node].incarnation;
	if (!a->after.attempt) /* else it is told once it may begin */
		coord_tell(c, COORD_T_UNIT_ASSIGNED, r, unit);
}

/* Its attempt was handed over behind that of a dependency, which has not ended: it goes on waiting for that. */
static bool back_to_pending(struct coord *c, struct coord_run *r, uint32_t unit)
{
	if (!coord_unit_is_behind(c, coord_unit_at(r, unit)))
		return false;
	leave(c, r, unit, COORD_LEAVE_FOR_A_WHILE);
	set_state(r, unit, COORD_UNIT_PENDING);
	return true;
}

static void retry_wait(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	uint64_t delay_us = *(const uint64_t *)arg;

	if (back_to_pending(c, r, unit))
		return;
	leave(c, r, unit, COORD_LEAVE_FOR_A_WHILE);
	if (!r->g->timers) {
		enter_ready(c, r, unit); /* a run in which nothing was meant to wait: at once */
		return;
	}
	set_state(r, unit, COORD_UNIT_RETRY_WAIT);
	timer_set(c, r, unit, delay_us);
}

static void requeue(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	(void)arg;
	if (back_to_pending(c, r, unit))
		return;
	leave(c, r, unit, COORD_LEAVE_FOR_A_WHILE);
	enter_ready(c, r, unit);
}

static void mark_held(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	(void)c;
	(void)arg;
	coord_unit_at(r, unit)->flags |= COORD_U_HELD;
}

static void hold(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	mark_held(c, r, unit, arg);
	leave(c, r, unit, COORD_LEAVE_FOR_A_WHILE);
	enter_ready(c, r, unit);
}

static void unmark_held(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	(void)c;
	(void)arg;
	coord_unit_at(r, unit)->flags &= (uint8_t)~COORD_U_HELD;
}

static void release(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	unmark_held(c, r, unit, arg);
	coord_tell(c, COORD_T_UNIT_RELEASED, r, unit);
	enter_ready(c, r, unit);
}

static void note_times(struct coord_run *r, uint32_t unit, const struct proto_result *result)
{
	if (result && result->flags & PROTO_RESULT_STARTED) {
		r->g->times[unit].start_us = result->start_us;
		r->g->times[unit].end_us = result->end_us;
	}
}

static void end(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	const struct coord_unit_end *e = arg;
	struct coord_unit *u = coord_unit_at(r, unit);
	uint32_t freed = u->state == COORD_UNIT_ACTIVE && e->state == COORD_UNIT_SUCCEEDED ? c->attempts[u->slot].behind : COORD_NONE;

	if (freed != COORD_NONE)
		coord_behind_end(c, freed);
	leave(c, r, unit, COORD_LEAVE_FOR_GOOD);
	coord_spread_units(r, &r->g->tmpls[u->tmpl]);
	set_state(r, unit, e->state);
	u->class = (uint8_t)e->class;
	u->reason = (uint8_t)e->reason;
	u->root_cause = e->root_cause;
	u->flags &= (uint8_t) ~(COORD_U_LOST | COORD_U_CANCEL | COORD_U_AVOID);
	note_times(r, unit, e->result);
	if (!r->g->times[unit].end_us)
		r->g->times[unit].end_us = c->real_us;
	coord_tell(c, COORD_T_UNIT_FINISHED, r, unit)->result = e->result;
	if (freed != COORD_NONE)
		coord_behind_free(c, r, freed);
	if (e->class == PROTO_CLASS_BUDGET && coord_reason_is_budget(e->reason) && !r->budget_reason)
		r->budget_reason = (uint8_t)e->reason;
	if (!coord_unit_is_verify(r, unit)) {
		if (r->sweep != COORD_SWEEP_CLOSE)
			coord_work_push(c, coord_vertex(COORD_V_UNIT, coord_run_slot(c, r), unit));
		if (e->state == COORD_UNIT_FAILED)
			coord_run_unit_failed(c, r, unit);
	}
	coord_run_check(c, r);
}

static void reset(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	struct coord_unit *u = coord_unit_at(r, unit);

	(void)arg;
	leave(c, r, unit, COORD_LEAVE_FOR_A_WHILE);
	set_state(r, unit, COORD_UNIT_PENDING);
	u->class = u->reason = 0;
	u->was_reset = true;
	u->root_cause = COORD_NONE;
	u->flags &= COORD_U_TRIGGER;
	if (coord_unit_setting(r, u)->hold && !u->attempt)
		u->flags |= COORD_U_HELD; /* nobody has let it through this gate yet */
	r->g->times[unit] = (struct coord_times){ 0 };
}

static void stale(struct coord *c, struct coord_run *r, uint32_t unit, const void *arg)
{
	(void)c;
	(void)r;
	(void)unit;
	(void)arg;
}

#define STALE stale
/* What is not listed is BUG (NULL). */
static move_fn *const moves[COORD_UNIT_STATE_COUNT][COORD_UE_COUNT] = {
	[COORD_UNIT_PENDING] = {
		[COORD_UE_READY] = ready,
		[COORD_UE_ASSIGN] = assign,   /* behind what it depends on */
		[COORD_UE_HOLD] = mark_held,
		[COORD_UE_RELEASE] = unmark_held,
		[COORD_UE_END] = end,
		[COORD_UE_RESET] = reset,
	},
	[COORD_UNIT_READY] = {
		[COORD_UE_ASSIGN] = assign,
		[COORD_UE_HOLD] = hold,
		[COORD_UE_RELEASE] = unmark_held,
		[COORD_UE_END] = end,
		[COORD_UE_RESET] = reset,
	},
	[COORD_UNIT_ACTIVE] = {
		[COORD_UE_RETRY] = retry_wait,
		[COORD_UE_REQUEUE] = requeue,
		[COORD_UE_HOLD] = mark_held,
		[COORD_UE_RELEASE] = unmark_held,
		[COORD_UE_END] = end,
	},
	[COORD_UNIT_RETRY_WAIT] = {
		[COORD_UE_ASSIGN] = assign,   /* lost, and came back; or replay, in which no wait is over */
		[COORD_UE_REQUEUE] = requeue,
		[COORD_UE_HOLD] = mark_held,
		[COORD_UE_RELEASE] = unmark_held,
		[COORD_UE_END] = end,
		[COORD_UE_RESET] = reset,
	},
	[COORD_UNIT_HELD] = {
		[COORD_UE_ASSIGN] = assign,   /* lost, and came back */
		[COORD_UE_HOLD] = STALE,
		[COORD_UE_RELEASE] = release,
		[COORD_UE_END] = end,
		[COORD_UE_RESET] = reset,
	},
	[COORD_UNIT_SUCCEEDED] = {
		[COORD_UE_READY] = STALE, [COORD_UE_HOLD] = STALE, [COORD_UE_RELEASE] = STALE, [COORD_UE_END] = STALE,
		[COORD_UE_RESET] = reset,
	},
	[COORD_UNIT_FAILED] = {
		[COORD_UE_READY] = STALE, [COORD_UE_HOLD] = STALE, [COORD_UE_RELEASE] = STALE, [COORD_UE_END] = STALE,
		[COORD_UE_RESET] = reset,
	},
	[COORD_UNIT_SKIPPED] = {
		[COORD_UE_READY] = STALE, [COORD_UE_HOLD] = STALE, [COORD_UE_RELEASE] = STALE, [COORD_UE_END] = STALE,
		[COORD_UE_RESET] = reset,
	},
	[COORD_UNIT_CANCELLED] = {
		[COORD_UE_READY] = STALE, [COORD_UE_HOLD] = STALE, [COORD_UE_RELEASE] = STALE, [COORD_UE_END] = STALE,
		[COORD_UE_RESET] = reset,
	},
};

enum coord_unit_move coord_unit_event(struct coord *c, struct coord_run *r, uint32_t unit, enum coord_unit_event ev, const void *arg)
{
	uint8_t state = coord_unit_at(r, unit)->state;
	move_fn *move = moves[state][ev];

	rv_check(move != NULL);
	c->unit_cells[state][ev]++;
	if (move == stale) {
		c->stale++;
		return COORD_MOVE_STALE;
	}
	move(c, r, unit, arg);
	return COORD_MOVED;
}

/* --- for tests that count cells --- */

const uint32_t *coord_unit_cells(const struct coord *c)
{
	return &c->unit_cells[0][0];
}

bool coord_unit_cell_exists(uint32_t state, uint32_t event)
{
	return moves[state][event] != NULL;
}

const char *coord_unit_event_name(uint32_t event)
{
	static const char *const names[] = { "ready", "assign", "retry", "requeue", "hold", "release", "end", "reset" };

	_Static_assert(RV_ARRAY_LEN(names) == COORD_UE_COUNT, "a name for each event");
	_Static_assert(COORD_UNIT_EVENTS == COORD_UE_COUNT, "io.h says how many there are");
	return names[event];
}
