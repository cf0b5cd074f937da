/* attempt.c - what happens to one attempt: the table of states and events, and its moves
 *
 * Every event of an attempt that is held goes through node_attempt_move(). A cell is a move, STALE (the network may do
 * this: counted, nothing else), STAY (legal and already so) or BUG (zero): ours, or the daemon's, mistake.
 */
#include "state.h"

#include "common/plant.h"

typedef void move_fn(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out);

static struct node_effect *push(struct node_core *n, struct node_effects *out, enum node_effect_kind kind, const struct node_attempt *a)
{
	return node_push(out, kind, node_slot_of(n, a), a->key);
}

static struct node_effect *say(struct node_core *n, struct node_effects *out, enum node_effect_kind kind, const struct node_attempt *a)
{
	return node_say(n, out, kind, node_slot_of(n, a), a->key);
}

static void reject(struct node_core *n, struct proto_attempt_key key, enum proto_reject_why why, struct node_effects *out)
{
	struct node_effect *fx = node_say(n, out, NODE_FX_REJECTED, NODE_NONE, key);

	if (fx)
		fx->why = why;
}

void node_attempt_tell_later(struct node_core *n, struct node_attempt *a)
{
	if (a->in_tell)
		return;
	a->in_tell = true;
	if (n->tell_count == 0)
		n->tell_due_us = rv_sat_add(n->now_us, n->cfg.tell_us);
	n->tell[(n->tell_at + n->tell_count++) % n->cfg.attempts_max] = node_slot_of(n, a);
}

/* --- leaving the table ------------------------------------------------------------------------------------------------- */

void node_attempt_forget(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	push(n, out, NODE_FX_FORGET, a);
	node_behind_over(n, a, false, out);
	/* A no-op that a late copy of its DISPATCH runs again costs nothing and its result is a duplicate; anything else is
	 * fenced. */
	if (a->agent_kind != PROTO_AGENT_NOOP || a->spec_flags & PROTO_SPEC_AT_MOST_ONCE)
		node_fence_set(n, a->key, 0);
	node_lease_clear(n, a);
	if (a->state == NODE_AT_FINISHED)
		node_outbox_remove(n, a);
	node_table_free(n, a);
}

/* It is not here any more as far as the coordinator is concerned. */
static void uncount(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	node_table_uncount(n, a);
	node_behind_over(n, a, false, out);
}

static void finish(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	node_lease_clear(n, a);
	node_table_state(n, a, NODE_AT_FINISHED);
	node_outbox_add(n, a, out);
	node_behind_over(n, a, a->succeeded, out);
}

/* Of a success: a failure may stop its run. */
static void finish_later(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	node_lease_clear(n, a);
	node_table_state(n, a, NODE_AT_FINISHED);
	node_outbox_add_later(n, a, out);
	node_behind_over(n, a, true, out);
}

/* A result that needs nobody: the daemon stores it, RESULT follows at once. */
static void finish_as(struct node_core *n, struct node_attempt *a, enum proto_outcome outcome, enum proto_class class,
		      enum proto_reason reason, struct node_effects *out)
{
	struct node_effect *fx = push(n, out, NODE_FX_RESULT_OF, a);

	fx->result_of.outcome = outcome;
	fx->result_of.class = class;
	fx->result_of.reason = reason;
	fx->result_of.started = a->started;
	finish(n, a, out);
}

static void collect(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	node_lease_clear(n, a);
	node_table_state(n, a, NODE_AT_COLLECTING);
	push(n, out, NODE_FX_COLLECT, a);
}

/* noop and mock: their result is made in no time, so nobody is waited for. */
static void collect_at_once(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	push(n, out, NODE_FX_COLLECT, a);
	finish(n, a, out);
}

static void set_lost(struct node_core *n, struct node_attempt *a)
{
	enum node_at_state from = a->state;

	node_lease_clear(n, a);
	node_table_state(n, a, NODE_AT_LOST);
	a->lost_from = from;
	node_queue_append(n, &n->lost, node_slot_of(n, a));
}

/* --- moves: nothing, answers ------------------------------------------------------------------------------------------- */

static void stay(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)n, (void)a, (void)m, (void)out;
}

static void stale(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)a, (void)m, (void)out;
	n->stale++;
}

/* The present state of one that is here, once more. */
static void say_state(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	say(n, out, a->started ? NODE_FX_STARTED : NODE_FX_TAKEN, a);
}

static void say_already(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	say(n, out, NODE_FX_ALREADY_STARTED, a);
}

static void say_not_here(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	say(n, out, NODE_FX_NOT_HERE, a);
}

static void say_stale(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	n->stale++;
	reject(n, a->key, PROTO_REJECT_STALE, out);
}

static void say_result(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	node_outbox_send(n, a, out);
}

/* Retracted before the daemon answered: it never ran. After a start, all that can be said is that it is not here. */
static void say_discarded(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	say(n, out, a->started ? NODE_FX_NOT_HERE : NODE_FX_RETRACTED, a);
}

/* --- moves: to the warden and on ----------------------------------------------------------------------------------------- */

static bool older_lives(const struct node_core *n, const struct node_attempt *a)
{
	uint32_t slot;

	for (slot = a->older; slot != NODE_NONE; slot = n->attempts[slot].older)
		if (n->attempts[slot].state != NODE_AT_FINISHED && n->attempts[slot].key.run == a->key.run &&
		    n->attempts[slot].key.unit == a->key.unit)
			return true;
	return false;
}

/* May it start, or be queued behind what the warden already has? Mocks run here and take their slots before the warden sees
 * them, so while any runs the warden is handed only what fits beside it. */
static bool has_room(const struct node_core *n, const struct node_attempt *a)
{
	uint64_t taken = n->mock_slots + rv_min_u64(n->warden_slots, n->cfg.slots);

	if (node_is_mock(a))
		return taken + a->cpus <= n->cfg.slots &&
		       (!(a->spec_flags & PROTO_SPEC_AGENT_UNIT) || n->mock_agents < n->cfg.agent_slots);
	return n->mock_slots == 0 || n->mock_slots + n->warden_slots + a->cpus <= n->cfg.slots;
}

static bool must_wait(const struct node_core *n, const struct node_attempt *a)
{
	return a->after != NODE_NONE || older_lives(n, a) || (!node_is_mock(a) && (a->lapsed || node_lease_over(n, a)));
}

static void begin(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	if (node_is_mock(a)) {
		node_table_state(n, a, NODE_AT_MOCKING);
		a->started = true;
		rv_heap_set(&n->due, node_slot_of(n, a), rv_sat_add(n->now_us, a->mock_delay_us), n->sequence++);
		node_attempt_tell_later(n, a);
		return;
	}
	if (!n->warden_up) {
		finish_as(n, a, PROTO_FAILED, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_WARDEN_LOST, out);
		return;
	}
	node_table_state(n, a, NODE_AT_QUEUED);
	push(n, out, NODE_FX_SPAWN, a);
}

static void begin_or_wait(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	if (n->waiting.count == 0 && has_room(n, a) && !must_wait(n, a)) {
		begin(n, a, out);
		return;
	}
	node_table_state(n, a, NODE_AT_WAITING);
	node_queue_append(n, &n->waiting, node_slot_of(n, a));
}

/* First come, first served; what waits for its lease, for an older attempt or for another unit's is passed over. */
bool node_attempt_pump(struct node_core *n, struct node_effects *out)
{
	uint32_t slot, next;

	for (slot = n->waiting.first; slot != NODE_NONE; slot = next) {
		struct node_attempt *a = &n->attempts[slot];

		next = a->next;
		if (must_wait(n, a))
			continue;
		if (!has_room(n, a))
			return false;
		if (node_room(out) < NODE_MOVE_ROOM)
			return true;
		begin(n, a, out);
		if (!n->warden_up)
			next = n->waiting.first; /* it may have ended, and taken others with it */
	}
	return false;
}

static void prepared(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	begin_or_wait(n, a, out);
}

static void freeze(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	node_table_state(n, a, NODE_AT_FROZEN);
	push(n, out, NODE_FX_FREEZE, a);
}

static void started(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	a->started = true;
	node_table_state(n, a, NODE_AT_RUNNING);
	node_attempt_tell_later(n, a);
	if (a->lapsed)
		freeze(n, a, m, out);
}

/* It was to be stopped, but it did begin: a try. */
static void note_started(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)n, (void)m, (void)out;
	a->started = true;
}

static void started_despite(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	started(n, a, m, out);
	say(n, out, NODE_FX_ALREADY_STARTED, a);
}

static void exited(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	collect(n, a, out);
}

static void finished(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	finish(n, a, out);
}

static void collected(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	a->succeeded = m->succeeded;
	if (a->succeeded && a->no_hurry)
		finish_later(n, a, out);
	else
		finish(n, a, out);
}

static void mock_done(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	collect_at_once(n, a, out);
}

static void result_due(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	node_outbox_send(n, a, out);
}

/* --- moves: leases ----------------------------------------------------------------------------------------------------- */

static void recall(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	node_table_state(n, a, NODE_AT_RECALLING);
	push(n, out, NODE_FX_WARDEN_RETRACT, a);
}

static void recalled(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	begin_or_wait(n, a, out);
}

static void keep(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)out;
	node_lease_set(n, a, m->lease_us);
}

static void keep_frozen(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	a->lease_us = m->lease_us;
	if (node_lease_over(n, a))
		return; /* a late copy: what it rests on is as old as the lease that it gives */
	node_lease_set(n, a, m->lease_us);
	node_table_state(n, a, NODE_AT_RUNNING);
	push(n, out, NODE_FX_THAW, a);
}

/* The coordinator that wanted it back has gone; this one wants it done. */
static void keep_retracting(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	node_lease_set(n, a, m->lease_us);
	(void)out;
	node_table_state(n, a, NODE_AT_RECALLING);
}

/* --- moves: cancel ------------------------------------------------------------------------------------------------------- */

static void kill_tree(struct node_core *n, struct node_attempt *a, uint64_t grace_us, enum proto_reason reason, struct node_effects *out)
{
	struct node_effect *fx = push(n, out, NODE_FX_KILL, a);

	fx->kill.grace_us = grace_us;
	fx->kill.reason = reason;
	a->grace_us = grace_us;
}

static void abort_prepare(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)out;
	if (RV_PLANT(CANCEL_UNPREPARED))
		return;
	a->stop_reason = m->reason;
	node_table_state(n, a, NODE_AT_ABORTING);
}

static void finish_cancelled(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	finish_as(n, a, PROTO_CANCELLED, PROTO_CLASS_NONE, m ? m->reason : a->stop_reason, out);
}

static void aborted(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	finish_cancelled(n, a, NULL, out);
}

static void stop(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	a->stop_reason = m->reason;
	if (RV_PLANT(CANCEL_AS_FLAG) && a->started)
		return;
	node_lease_clear(n, a);
	node_table_state(n, a, NODE_AT_STOPPING);
	kill_tree(n, a, m->grace_us, m->reason, out);
}

/* A cancel said again must not start the grace anew; a shorter grace is told. */
static void stop_sooner(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	if (m->grace_us < a->grace_us)
		kill_tree(n, a, m->grace_us, a->stop_reason, out);
}

/* --- moves: retract, verdict kill -------------------------------------------------------------------------------------------- */

static void retract_preparing(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	say(n, out, NODE_FX_RETRACTED, a);
	node_lease_clear(n, a);
	uncount(n, a, out);
	node_table_state(n, a, NODE_AT_DISCARDING);
}

static void retract_waiting(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	say(n, out, NODE_FX_RETRACTED, a);
	node_attempt_forget(n, a, out);
}

static void retract_queued(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	node_table_state(n, a, NODE_AT_RETRACTING);
	push(n, out, NODE_FX_WARDEN_RETRACT, a);
	if (RV_PLANT(RETRACT_RACE))
		say(n, out, NODE_FX_RETRACTED, a);
}

static void retract_recalling(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m, (void)out;
	node_table_state(n, a, NODE_AT_RETRACTING);
}

static void forget(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	node_attempt_forget(n, a, out);
}

static void discard(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	node_lease_clear(n, a);
	uncount(n, a, out);
	node_table_state(n, a, NODE_AT_DISCARDING);
}

/* A successor may be at work already where this one could hurt it: no grace for those. */
static void drop(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	uint64_t grace_us = a->spec_flags & PROTO_SPEC_EXCLUSIVE ? 0 : m->grace_us;

	node_lease_clear(n, a);
	uncount(n, a, out);
	node_table_state(n, a, NODE_AT_DROPPING);
	kill_tree(n, a, grace_us, PROTO_REASON_CANCELLED, out);
}

/* The tree is being ended already. */
static void drop_stopping(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	uncount(n, a, out);
	node_table_state(n, a, NODE_AT_DROPPING);
}

static void drop_lost(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m;
	uncount(n, a, out);
	a->lost_from = NODE_AT_DROPPING;
}

static void cancel_lost(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)n, (void)out;
	if (a->lost_from == NODE_AT_DROPPING || a->lost_from == NODE_AT_STOPPING)
		return;
	a->lost_from = NODE_AT_STOPPING;
	a->stop_reason = m->reason;
}

static void lost(struct node_core *n, struct node_attempt *a, const struct node_move *m, struct node_effects *out)
{
	(void)m, (void)out;
	set_lost(n, a);
}

/* --- the table ---------------------------------------------------------------------------------------------------------------- */

static move_fn *const table[NODE_AT_STATE_COUNT][NODE_AE_COUNT] = {
	[NODE_AT_PREPARING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = abort_prepare,
		[NODE_AE_RETRACT] = retract_preparing,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = keep,
		[NODE_AE_KILL] = discard,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = discard,
		[NODE_AE_PREPARED] = prepared,
		[NODE_AE_PREPARE_FAILED] = finished,
		[NODE_AE_WARDEN_LOST] = stay,
		[NODE_AE_LAPSED] = stay,
	},
	[NODE_AT_ABORTING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = stay,
		[NODE_AE_RETRACT] = stay,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = stay,
		[NODE_AE_KILL] = discard,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = discard,
		[NODE_AE_PREPARED] = aborted,
		[NODE_AE_PREPARE_FAILED] = aborted,
		[NODE_AE_WARDEN_LOST] = stay,
		[NODE_AE_LAPSED] = stay,
	},
	[NODE_AT_WAITING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = finish_cancelled,
		[NODE_AE_RETRACT] = retract_waiting,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = keep,
		[NODE_AE_KILL] = forget,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = forget,
		[NODE_AE_WARDEN_LOST] = stay,
		[NODE_AE_LAPSED] = stay,
	},
	[NODE_AT_QUEUED] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = stop,
		[NODE_AE_RETRACT] = retract_queued,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = keep,
		[NODE_AE_KILL] = drop,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = drop,
		[NODE_AE_STARTED] = started,
		[NODE_AE_EXITED] = exited,
		[NODE_AE_WARDEN_LOST] = lost,
		[NODE_AE_LAPSED] = recall,
	},
	[NODE_AT_RETRACTING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = stop,
		[NODE_AE_RETRACT] = stay,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = keep_retracting,
		[NODE_AE_KILL] = drop,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = drop,
		[NODE_AE_STARTED] = started_despite,
		[NODE_AE_EXITED] = exited,
		[NODE_AE_NOT_STARTED] = retract_waiting,
		[NODE_AE_WARDEN_LOST] = lost,
		[NODE_AE_LAPSED] = stay,
	},
	[NODE_AT_RECALLING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = stop,
		[NODE_AE_RETRACT] = retract_recalling,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = keep,
		[NODE_AE_KILL] = drop,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = drop,
		[NODE_AE_STARTED] = started,
		[NODE_AE_EXITED] = exited,
		[NODE_AE_NOT_STARTED] = recalled,
		[NODE_AE_WARDEN_LOST] = lost,
		[NODE_AE_LAPSED] = stay,
	},
	[NODE_AT_MOCKING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = finish_cancelled,
		[NODE_AE_RETRACT] = say_already,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = keep,
		[NODE_AE_KILL] = forget,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = forget,
		[NODE_AE_WARDEN_LOST] = stay,
		[NODE_AE_DUE] = mock_done,
	},
	[NODE_AT_RUNNING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = stop,
		[NODE_AE_RETRACT] = say_already,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = keep,
		[NODE_AE_KILL] = drop,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = drop,
		[NODE_AE_STARTED] = stay,
		[NODE_AE_EXITED] = exited,
		[NODE_AE_WARDEN_LOST] = lost,
		[NODE_AE_LAPSED] = freeze,
	},
	[NODE_AT_FROZEN] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = stop,
		[NODE_AE_RETRACT] = say_already,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = keep_frozen,
		[NODE_AE_KILL] = drop,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = drop,
		[NODE_AE_STARTED] = stay,
		[NODE_AE_EXITED] = exited,
		[NODE_AE_WARDEN_LOST] = lost,
	},
	[NODE_AT_STOPPING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = stop_sooner,
		[NODE_AE_RETRACT] = say_already,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = stay,
		[NODE_AE_KILL] = drop_stopping,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = drop_stopping,
		[NODE_AE_STARTED] = note_started,
		[NODE_AE_EXITED] = exited,
		[NODE_AE_NOT_STARTED] = aborted,
		[NODE_AE_WARDEN_LOST] = lost,
	},
	[NODE_AT_DROPPING] = {
		[NODE_AE_DISPATCH] = say_stale,
		[NODE_AE_CANCEL] = say_not_here,
		[NODE_AE_RETRACT] = say_not_here,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = stale,
		[NODE_AE_KILL] = stay,
		[NODE_AE_RESEND] = stale,
		[NODE_AE_FORGET] = stay,
		[NODE_AE_STARTED] = note_started,
		[NODE_AE_EXITED] = forget,
		[NODE_AE_NOT_STARTED] = forget,
		[NODE_AE_WARDEN_LOST] = lost,
	},
	[NODE_AT_DISCARDING] = {
		[NODE_AE_DISPATCH] = say_stale,
		[NODE_AE_CANCEL] = say_not_here,
		[NODE_AE_RETRACT] = say_discarded,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = stale,
		[NODE_AE_KILL] = stay,
		[NODE_AE_RESEND] = stale,
		[NODE_AE_FORGET] = stay,
		[NODE_AE_PREPARED] = forget,
		[NODE_AE_PREPARE_FAILED] = forget,
		[NODE_AE_STARTED] = stay,
		[NODE_AE_EXITED] = stay,
		[NODE_AE_COLLECTED] = forget,
		[NODE_AE_WARDEN_LOST] = stay,
	},
	[NODE_AT_COLLECTING] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = stay,
		[NODE_AE_RETRACT] = say_already,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = stay,
		[NODE_AE_KILL] = discard,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = discard,
		[NODE_AE_STARTED] = note_started,
		[NODE_AE_EXITED] = stay,
		[NODE_AE_COLLECTED] = collected,
		[NODE_AE_WARDEN_LOST] = stay,
	},
	[NODE_AT_LOST] = {
		[NODE_AE_DISPATCH] = say_state,
		[NODE_AE_CANCEL] = cancel_lost,
		[NODE_AE_RETRACT] = say_already,
		[NODE_AE_RESULT_ACK] = stale,
		[NODE_AE_KEEP] = stay,
		[NODE_AE_KILL] = drop_lost,
		[NODE_AE_RESEND] = stay,
		[NODE_AE_FORGET] = drop_lost,
		[NODE_AE_STARTED] = note_started,
		[NODE_AE_EXITED] = stay,
		[NODE_AE_NOT_STARTED] = stay,
		[NODE_AE_WARDEN_LOST] = stay,
	},
	[NODE_AT_FINISHED] = {
		[NODE_AE_DISPATCH] = say_result,
		[NODE_AE_CANCEL] = say_result,
		[NODE_AE_RETRACT] = say_result,
		[NODE_AE_RESULT_ACK] = forget,
		[NODE_AE_KEEP] = say_result,
		[NODE_AE_KILL] = forget,
		[NODE_AE_RESEND] = say_result,
		[NODE_AE_FORGET] = forget,
		[NODE_AE_STARTED] = stay,
		[NODE_AE_EXITED] = stay,
		[NODE_AE_NOT_STARTED] = stay,
		[NODE_AE_COLLECTED] = stay,
		[NODE_AE_WARDEN_LOST] = stay,
		[NODE_AE_DUE] = result_due,
	},
};

void node_attempt_move(struct node_core *n, uint32_t slot, enum node_at_event event, const struct node_move *m, struct node_effects *out)
{
	struct node_attempt *a;
	move_fn *fn;

	rv_check(slot < n->high);
	a = &n->attempts[slot];
	fn = table[a->state][event];
	rv_check(fn);
	n->cells[a->state][event]++;
	fn(n, a, m, out);
}

/* --- for tests that count cells ------------------------------------------------------------------------------------------------ */

_Static_assert(NODE_AT_STATE_COUNT == NODE_CORE_STATES, "io.h knows how many states there are");
_Static_assert(NODE_AE_COUNT == NODE_CORE_EVENTS, "and events");

bool node_core_cell_exists(uint32_t state, uint32_t event)
{
	return state < NODE_AT_STATE_COUNT && event < NODE_AE_COUNT && table[state][event];
}

const char *node_core_state_name(uint32_t state)
{
	static const char *const names[NODE_AT_STATE_COUNT] = {
		"free", "preparing", "aborting", "waiting", "queued", "retracting", "recalling", "mocking",
		"running", "frozen", "stopping", "dropping", "discarding", "collecting", "lost", "finished",
	};

	return state < NODE_AT_STATE_COUNT ? names[state] : "?";
}

const char *node_core_event_name(uint32_t event)
{
	static const char *const names[NODE_AE_COUNT] = {
		"dispatch", "cancel", "retract", "result_ack", "keep", "kill", "resend", "forget", "prepared",
		"prepare_failed", "started", "exited", "not_started", "collected", "warden_lost", "due", "lapsed",
	};

	return event < NODE_AE_COUNT ? names[event] : "?";
}

/* --- from outside the table ---------------------------------------------------------------------------------------------------- */

/* Attempts of the unit before `a` are void: the coordinator has given them up, or it would not have made a new one. What has
 * a result keeps it, to be told that it is fenced. */
static void drop_older(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	static const struct node_move kill_move = { .grace_us = RV_NEVER };
	uint32_t slot = a->older, next;

	for (; slot != NODE_NONE; slot = next) {
		struct node_attempt *o = &n->attempts[slot];

		next = o->older;
		if (o->key.run != a->key.run || o->key.unit != a->key.unit || o->state == NODE_AT_FINISHED)
			continue;
		if (node_room(out) < NODE_MOVE_ROOM)
			return;
		node_attempt_move(n, slot, NODE_AE_KILL, &kill_move, out);
	}
}

static enum proto_reject_why refuse(const struct node_core *n, const struct proto_dispatch *d)
{
	const struct node_fence *f = node_fence_get(n, d->key.run, d->key.unit);
	uint32_t newest = node_table_newest(n, d->key.run, d->key.unit);

	if (newest != NODE_NONE && n->attempts[newest].key.run == d->key.run && n->attempts[newest].key.unit == d->key.unit &&
	    n->attempts[newest].key.attempt > d->key.attempt)
		return PROTO_REJECT_STALE;
	if (f && f->attempt == d->key.attempt && f->why)
		return f->why;
	if (f && f->attempt >= d->key.attempt)
		return PROTO_REJECT_STALE;
	if (n->stopping)
		return PROTO_REJECT_DRAINING;
	/* Results that wait for their ack take room in the table, not on the machine. */
	if (n->count >= n->cfg.attempts_max || (n->live >= n->cfg.slots + n->cfg.agent_slots + n->cfg.prefetch_max && !RV_PLANT(NEVER_FULL)))
		return PROTO_REJECT_FULL;
	return 0;
}

void node_attempt_dispatch(struct node_core *n, const struct node_event *ev, struct node_effects *out)
{
	const struct proto_dispatch *d = ev->dispatch.dispatch;
	uint32_t held = node_table_find(n, d->key), after;
	enum proto_reject_why why;
	struct node_attempt *a;

	/* Of a coordinator that has not welcomed us: it says it again. Or of one of the past: its successor, who would hear the answer,
	 * has asked nothing. */
	if (d->epoch != n->epoch && !(RV_PLANT(OLD_EPOCH) && d->epoch < n->epoch)) {
		n->stale++;
		return;
	}
	if (held != NODE_NONE) {
		node_attempt_move(n, held, NODE_AE_DISPATCH, NULL, out);
		return;
	}
	why = refuse(n, d);
	if (!why)
		why = ev->dispatch.refuse;
	if (!why && !node_behind_find(n, d, ev->dispatch.agent_kind, &after)) {
		node_fence_set(n, d->key, PROTO_REJECT_STALE);
		why = PROTO_REJECT_STALE;
	}
	if (why) {
		n->fenced_dispatches += why == PROTO_REJECT_STALE;
		/* Final: a copy that is still on its way must not be taken once there is room. */
		if (why != PROTO_REJECT_STALE)
			node_fence_set(n, d->key, why);
		reject(n, d->key, why, out);
		return;
	}
	a = node_table_take(n, d->key, ev->dispatch.cpus, ev->dispatch.agent_kind);
	a->epoch = d->epoch;
	a->spec_flags = ev->dispatch.flags;
	a->no_hurry = d->flags & PROTO_DISPATCH_NO_HURRY;
	a->mock_delay_us = ev->dispatch.mock_delay_us;
	node_behind_begin(n, a, after);
	if (a->agent_kind == PROTO_AGENT_NOOP) {
		a->started = true;
		node_table_state(n, a, NODE_AT_COLLECTING);
		collect_at_once(n, a, out);
		return;
	}
	if (a->older != NODE_NONE)
		drop_older(n, a, out);
	node_attempt_tell_later(n, a);
	node_session_beat_for(n, d->lease_us);
	if (node_is_mock(a)) {
		begin_or_wait(n, a, out);
		return;
	}
	node_table_state(n, a, NODE_AT_PREPARING);
	node_lease_set(n, a, d->lease_us);
	push(n, out, NODE_FX_PREPARE, a);
}

/* Ends every attempt of the unit up to key.attempt. What is not here never will be: a DISPATCH that comes late is fenced. */
void node_attempt_cancel(struct node_core *n, const struct proto_cancel *c, struct node_effects *out)
{
	struct node_move m = { .grace_us = c->grace_us, .reason = c->reason };
	uint32_t slot = node_table_newest(n, c->key.run, c->key.unit), next;
	bool found = false;

	if (c->epoch < n->epoch && !RV_PLANT(OLD_EPOCH)) {
		n->stale++;
		return;
	}
	for (; slot != NODE_NONE; slot = next) {
		struct node_attempt *a = &n->attempts[slot];

		next = a->older;
		if (a->key.run != c->key.run || a->key.unit != c->key.unit || a->key.attempt > c->key.attempt)
			continue;
		if (node_room(out) < NODE_MOVE_ROOM)
			break;
		found |= a->key.attempt == c->key.attempt;
		node_attempt_move(n, slot, NODE_AE_CANCEL, &m, out);
	}
	if (!found) {
		node_fence_set(n, c->key, 0);
		node_say(n, out, NODE_FX_NOT_HERE, NODE_NONE, c->key);
	}
}

void node_attempt_retract(struct node_core *n, struct proto_attempt_key key, struct node_effects *out)
{
	uint32_t slot = node_table_find(n, key);

	if (slot != NODE_NONE) {
		node_attempt_move(n, slot, NODE_AE_RETRACT, NULL, out);
		return;
	}
	node_fence_set(n, key, 0);
	node_say(n, out, NODE_FX_NOT_HERE, NODE_NONE, key);
}

void node_attempt_recovered(struct node_core *n, const struct node_event *ev, struct node_effects *out)
{
	uint32_t slot = node_table_find(n, ev->recovered.key);
	struct node_attempt *a;

	if (slot != NODE_NONE) { /* both in the warden's table and in a record of its exit */
		a = &n->attempts[slot];
		if (ev->recovered.state == PROTO_HELD_FINISHED && a->state != NODE_AT_COLLECTING && a->state != NODE_AT_FINISHED)
			node_attempt_move(n, slot, NODE_AE_EXITED, NULL, out);
		return;
	}
	if (n->count >= n->cfg.attempts_max)
		return; /* the record stays with the warden until the next start */
	a = node_table_take(n, ev->recovered.key, ev->recovered.cpus, PROTO_AGENT_COMMAND);
	a->epoch = ev->recovered.epoch;
	a->spec_flags = ev->recovered.flags;
	if (n->lease_base_us == 0)
		n->lease_base_us = n->now_us;
	switch (ev->recovered.state) {
	case PROTO_HELD_FINISHED:
		a->started = true;
		node_table_state(n, a, NODE_AT_COLLECTING);
		push(n, out, NODE_FX_COLLECT, a);
		return;
	case PROTO_HELD_QUEUED:
		node_table_state(n, a, NODE_AT_QUEUED);
		break;
	case PROTO_HELD_RUNNING:
		a->started = true;
		node_table_state(n, a, NODE_AT_RUNNING);
		break;
	case PROTO_HELD_FROZEN:
		a->started = true;
		node_table_state(n, a, NODE_AT_FROZEN);
		a->lapsed = true;
		n->lapsed++;
		return;
	}
	/* When it began to run is gone with the daemon before us: it begins anew. */
	node_lease_set(n, a, ev->recovered.lease_us ? ev->recovered.lease_us : RV_LOST_AFTER_US_COMMAND / 10 * 9);
}

/* --- sweeps --------------------------------------------------------------------------------------------------------------------- */

void node_attempt_warden_lost(struct node_core *n)
{
	uint32_t slot;

	n->warden_up = false;
	for (slot = 0; slot < n->high; slot++)
		if (n->attempts[slot].state != NODE_AT_FREE)
			node_attempt_move(n, slot, NODE_AE_WARDEN_LOST, NULL, NULL);
}

bool node_attempt_tell_lost(struct node_core *n, struct node_effects *out)
{
	while (n->lost.count) {
		struct node_attempt *a = &n->attempts[n->lost.first];

		if (node_room(out) < NODE_MOVE_ROOM)
			return true;
		if (a->lost_from == NODE_AT_DROPPING) {
			node_attempt_forget(n, a, out);
			continue;
		}
		/* The warden may have started it without having come to say so. */
		a->started = true;
		if (a->lost_from == NODE_AT_STOPPING)
			finish_as(n, a, PROTO_CANCELLED, PROTO_CLASS_NONE, a->stop_reason, out);
		else
			finish_as(n, a, PROTO_FAILED, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_WARDEN_LOST, out);
	}
	return false;
}

bool node_attempt_stop_sweep(struct node_core *n, struct node_effects *out)
{
	struct node_move m = { .grace_us = n->stop_grace_us, .reason = n->stop_reason };

	while (n->stop_slot < n->high) {
		enum node_at_state s = n->attempts[n->stop_slot].state;

		if (node_room(out) < NODE_MOVE_ROOM)
			return true;
		if (s != NODE_AT_FREE && s != NODE_AT_FINISHED && s != NODE_AT_DROPPING && s != NODE_AT_DISCARDING)
			node_attempt_move(n, n->stop_slot, NODE_AE_CANCEL, &m, out);
		n->stop_slot++;
	}
	return false;
}

/* TAKEN and STARTED, for what has not ended since: its RESULT says both. */
bool node_attempt_tell(struct node_core *n, struct node_effects *out)
{
	if (n->now_us < n->tell_due_us)
		return false;
	while (n->tell_count && n->session == NODE_SESSION_UP) {
		struct node_attempt *a = &n->attempts[n->tell[n->tell_at]];

		if (node_room(out) < 4)
			return true;
		n->tell_at = (n->tell_at + 1) % n->cfg.attempts_max;
		n->tell_count--;
		a->in_tell = false;
		if (a->state == NODE_AT_FREE || a->state == NODE_AT_FINISHED || !a->counted)
			continue;
		if (a->started && !a->started_told) {
			a->started_told = a->taken_told = true;
			say(n, out, NODE_FX_STARTED, a);
		} else if (!a->taken_told) {
			a->taken_told = true;
			say(n, out, NODE_FX_TAKEN, a);
		}
	}
	return false;
}
