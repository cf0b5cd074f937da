/* test_node_attempt.c - the ways of an attempt through the node's core, and every cell of its table */
#include "tests/core/node_script.h"

static void command_runs_and_its_result_waits_for_the_ack(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	dispatch(&s, 5, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "prepare 0");
	script_turn(&s);
	expect(&s, "TAKEN 5.1");
	ev_slot(&s, NODE_EV_PREPARED, 0);
	expect(&s, "spawn 0");
	ev_slot(&s, NODE_EV_STARTED, 0);
	expect(&s, "");
	assert_int_equal(node_core_slots_used(s.core), 1);
	script_turn(&s);
	expect(&s, "STARTED 5.1");
	ev_slot(&s, NODE_EV_EXITED, 0);
	expect(&s, "collect 0");
	assert_int_equal(node_core_slots_used(s.core), 0);
	ev_slot(&s, NODE_EV_COLLECTED, 0);
	expect(&s, "RESULT 5.1");
	assert_int_equal(node_core_digest(s.core), proto_table_term(key_of(5, 1)));
	ev_ack(&s, 5, 1, PROTO_ACK_ACCEPTED);
	expect(&s, "forget 0");
	assert_int_equal(node_core_attempts(s.core), 0);
	assert_int_equal(node_core_digest(s.core), 0);
	script_turn(&s);
	expect(&s, "");
	script_close(&s);
}

static void taken_and_started_are_folded_into_a_result_of_the_same_batch(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	dispatch(&s, 5, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 0);
	ev_slot(&s, NODE_EV_STARTED, 0);
	ev_slot(&s, NODE_EV_EXITED, 0);
	ev_slot(&s, NODE_EV_COLLECTED, 0);
	script_turn(&s);
	expect(&s, "prepare 0; spawn 0; collect 0; RESULT 5.1");
	script_close(&s);
}

static void noop_is_a_result_at_once(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_NOOP, 0, 1);
	expect(&s, "collect 0; RESULT 1.1");
	ev_slot(&s, NODE_EV_COLLECTED, 0);
	script_turn(&s);
	expect(&s, "");
	ev_ack(&s, 1, 1, PROTO_ACK_ACCEPTED);
	expect(&s, "forget 0");
	script_close(&s);
}

static void mocks_wait_for_their_slot_and_their_delay(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_MOCK, 0, 1);
	dispatch(&s, 2, 1, PROTO_AGENT_MOCK, 0, 1);
	script_turn(&s);
	expect(&s, "STARTED 1.1; TAKEN 2.1");
	assert_int_equal(node_core_next_deadline(s.core), s.now_us + SEC);
	s.now_us += SEC - 1;
	script_turn(&s);
	expect(&s, "");
	s.now_us += 1;
	script_turn(&s);
	expect(&s, "collect 0; RESULT 1.1; STARTED 2.1");
	script_close(&s);
}

static void agents_mocked_take_agent_slots(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 4);
	dispatch(&s, 1, 1, PROTO_AGENT_MOCK, PROTO_SPEC_AGENT_UNIT, 0);
	dispatch(&s, 2, 1, PROTO_AGENT_MOCK, PROTO_SPEC_AGENT_UNIT, 0);
	script_turn(&s);
	expect(&s, "STARTED 1.1; TAKEN 2.1");
	script_close(&s);
}

static void a_command_beside_a_mock_is_handed_over_only_when_there_is_room(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	dispatch(&s, 1, 1, PROTO_AGENT_MOCK, 0, 1);
	dispatch(&s, 2, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 1);
	dispatch(&s, 3, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 2);
	script_turn(&s);
	expect(&s, "prepare 1; spawn 1; prepare 2; STARTED 1.1; TAKEN 2.1; TAKEN 3.1");
	s.now_us += SEC;
	script_turn(&s);
	expect(&s, "collect 0; RESULT 1.1; spawn 2");
	script_close(&s);
}

static void the_same_dispatch_again_answers_its_present_state(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	dispatch(&s, 5, 1, PROTO_AGENT_COMMAND, 0, 1);
	dispatch(&s, 5, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "prepare 0; TAKEN 5.1");
	ev_slot(&s, NODE_EV_PREPARED, 0);
	ev_slot(&s, NODE_EV_STARTED, 0);
	dispatch(&s, 5, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "spawn 0; STARTED 5.1");
	ev_slot(&s, NODE_EV_EXITED, 0);
	ev_slot(&s, NODE_EV_COLLECTED, 0);
	dispatch(&s, 5, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "collect 0; RESULT 5.1; RESULT 5.1");
	ev_ack(&s, 5, 1, PROTO_ACK_ACCEPTED);
	expect(&s, "forget 0");
	/* a copy that was late: the unit must not run again */
	dispatch(&s, 5, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "REJECTED 5.1[stale]");
	script_close(&s);
}

static void what_does_not_fit_is_rejected_for_good(void **state)
{
	struct script s;
	uint32_t i;

	(void)state;
	script_up(&s, 1);
	for (i = 0; i < 10; i++) /* one slot, one agent slot, prefetch 8 */
		dispatch(&s, i, 1, PROTO_AGENT_COMMAND, 0, 1);
	s.said[0] = '\0';
	dispatch(&s, 99, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "REJECTED 99.1[full]");
	ev_cancel(&s, 0, 1, 0);
	ev_slot(&s, NODE_EV_PREPARED, 0);
	expect(&s, "result_of 0[cancelled]; RESULT 0.1");
	/* there is room now, but its coordinator may have given it away */
	dispatch(&s, 99, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "REJECTED 99.1[full]");
	dispatch(&s, 99, 2, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "prepare 10");
	script_close(&s);
}

static void an_older_attempt_is_stale_and_a_newer_one_voids_it(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 5, 2, 0);
	dispatch(&s, 5, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "REJECTED 5.1[stale]");
	dispatch(&s, 5, 3, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "kill 0[own grace]; prepare 1");
	ev_slot(&s, NODE_EV_PREPARED, 1);
	script_turn(&s);
	expect(&s, "TAKEN 5.3"); /* not spawned while the tree of 5.2 lives */
	ev_slot(&s, NODE_EV_EXITED, 0);
	script_turn(&s);
	expect(&s, "forget 0; spawn 1");
	script_close(&s);
}

static void a_lower_epoch_is_never_obeyed(void **state)
{
	struct script s;

	(void)state;
	script_open(&s, 1);
	s.epoch = 7;
	ev_connected(&s);
	ev_welcome(&s);
	expect(&s, "HELLO 0 last");
	(void)running(&s, 1, 1, 0);
	s.epoch = 6;
	dispatch(&s, 2, 1, PROTO_AGENT_COMMAND, 0, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_COMMAND, 0, 1); /* nor answered: 7 would take that for an answer to its own words */
	expect(&s, "");
	ev_cancel(&s, 1, 1, 0);
	expect(&s, "");
	ev_connected(&s);
	expect(&s, "HELLO 1; HELD 1.1[running]");
	ev_welcome(&s);
	expect(&s, "reconnect");
	ev_verdict(&s, 1, 1, PROTO_KILL);
	expect(&s, "");
	script_close(&s);
}

static void cancel_in_every_state(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	/* preparing */
	dispatch(&s, 1, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_cancel(&s, 1, 1, RV_NEVER);
	ev_cancel(&s, 1, 1, RV_NEVER);
	expect(&s, "prepare 0");
	ev_slot(&s, NODE_EV_PREPARE_FAILED, 0);
	expect(&s, "result_of 0[cancelled]; RESULT 1.1");
	/* queued with the warden */
	dispatch(&s, 2, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 1);
	ev_cancel(&s, 2, 1, RV_NEVER);
	ev_slot(&s, NODE_EV_EXITED, 1);
	ev_slot(&s, NODE_EV_COLLECTED, 1);
	expect(&s, "prepare 1; spawn 1; kill 1[own grace]; collect 1; RESULT 2.1");
	/* running: said again it does not begin the grace anew, less grace is told */
	(void)running(&s, 3, 1, 0);
	ev_cancel(&s, 3, 1, 2 * SEC);
	ev_cancel(&s, 3, 1, 2 * SEC);
	expect(&s, "kill 2[grace]");
	ev_cancel(&s, 3, 1, 0);
	expect(&s, "kill 2[now]");
	ev_slot(&s, NODE_EV_EXITED, 2);
	ev_cancel(&s, 3, 1, 0);
	ev_slot(&s, NODE_EV_COLLECTED, 2);
	expect(&s, "collect 2; RESULT 3.1");
	/* finished: its result, again */
	ev_cancel(&s, 3, 1, 0);
	expect(&s, "RESULT 3.1");
	/* a mock, and one that waits behind it */
	dispatch(&s, 4, 1, PROTO_AGENT_MOCK, 0, 1);
	dispatch(&s, 5, 1, PROTO_AGENT_MOCK, 0, 1);
	ev_cancel(&s, 5, 1, 0);
	ev_cancel(&s, 4, 1, 0);
	expect(&s, "result_of 4[cancelled]; RESULT 5.1; result_of 3[cancelled started]; RESULT 4.1");
	/* not here, and it never will be */
	ev_cancel(&s, 6, 2, 0);
	expect(&s, "NOT_HERE 6.2");
	dispatch(&s, 6, 1, PROTO_AGENT_COMMAND, 0, 1);
	dispatch(&s, 6, 2, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "REJECTED 6.1[stale]; REJECTED 6.2[stale]");
	script_close(&s);
}

static void retract_before_the_start_only(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	/* the daemon still prepares it: never started, forgotten as soon as the daemon lets go */
	dispatch(&s, 1, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_retract(&s, 1, 1);
	ev_retract(&s, 1, 1);
	expect(&s, "prepare 0; RETRACTED 1.1; RETRACTED 1.1");
	assert_int_equal(node_core_digest(s.core), 0);
	ev_slot(&s, NODE_EV_PREPARED, 0);
	expect(&s, "forget 0");
	/* the warden is asked */
	dispatch(&s, 2, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 0);
	ev_retract(&s, 2, 1);
	ev_retract(&s, 2, 1);
	expect(&s, "prepare 0; spawn 0; warden_retract 0");
	ev_slot(&s, NODE_EV_NOT_STARTED, 0);
	expect(&s, "RETRACTED 2.1; forget 0");
	/* too late */
	dispatch(&s, 3, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 0);
	ev_retract(&s, 3, 1);
	ev_slot(&s, NODE_EV_STARTED, 0);
	expect(&s, "prepare 0; spawn 0; warden_retract 0; ALREADY_STARTED 3.1");
	ev_retract(&s, 3, 1);
	expect(&s, "ALREADY_STARTED 3.1");
	script_turn(&s);
	expect(&s, "STARTED 3.1");
	/* unknown: and fenced */
	ev_retract(&s, 4, 1);
	dispatch(&s, 4, 1, PROTO_AGENT_COMMAND, 0, 1);
	expect(&s, "NOT_HERE 4.1; REJECTED 4.1[stale]");
	script_close(&s);
}

static void cancel_and_retract_cross_in_the_warden(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 0);
	ev_retract(&s, 1, 1);
	ev_cancel(&s, 1, 1, 0);
	expect(&s, "prepare 0; spawn 0; warden_retract 0; kill 0[now]");
	ev_slot(&s, NODE_EV_NOT_STARTED, 0);
	expect(&s, "result_of 0[cancelled]; RESULT 1.1");
	script_close(&s);
}

static void the_warden_dies_under_all_of_them(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 1, 1, 0);
	(void)running(&s, 2, 1, 0);
	ev_cancel(&s, 2, 1, 0);
	dispatch(&s, 3, 1, PROTO_AGENT_COMMAND, 0, 1); /* with the daemon: outlives the warden */
	expect(&s, "kill 1[now]; prepare 2");
	script_step(&s, (struct node_event){ .kind = NODE_EV_WARDEN_LOST });
	expect(&s, "");
	script_turn(&s);
	expect(&s, "result_of 0[warden_lost started]; RESULT 1.1; result_of 1[cancelled started]; RESULT 2.1; TAKEN 3.1");
	ev_slot(&s, NODE_EV_PREPARED, 2);
	expect(&s, "result_of 2[warden_lost]; RESULT 3.1");
	script_step(&s, (struct node_event){ .kind = NODE_EV_WARDEN_UP });
	dispatch(&s, 4, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 3);
	expect(&s, "prepare 3; spawn 3");
	script_close(&s);
}

/* Leads a fresh core into each state and feeds each event: what the table allows must not abort, what it calls a bug must. */
static bool enter(struct script *s, uint32_t wanted)
{
	static const char *const names[] = { "free", "preparing", "aborting", "waiting", "queued", "retracting", "recalling", "mocking",
					     "running", "frozen", "stopping", "dropping", "discarding", "collecting", "lost", "finished" };
	const char *want = names[wanted];
	bool waits = !strcmp(want, "waiting");

	assert_string_equal(want, node_core_state_name(wanted));
	script_up(s, 1);
	if (!strcmp(want, "mocking") || waits) {
		if (waits)
			dispatch(s, 9, 1, PROTO_AGENT_MOCK, 0, 1);
		dispatch(s, 1, 1, PROTO_AGENT_MOCK, 0, 1);
		return true;
	}
	dispatch(s, 1, 1, PROTO_AGENT_COMMAND, PROTO_SPEC_EXCLUSIVE, 1);
	if (!strcmp(want, "preparing"))
		return true;
	if (!strcmp(want, "aborting")) {
		ev_cancel(s, 1, 1, 0);
		return true;
	}
	if (!strcmp(want, "discarding")) {
		ev_retract(s, 1, 1);
		return true;
	}
	ev_slot(s, NODE_EV_PREPARED, 0);
	if (!strcmp(want, "queued"))
		return true;
	if (!strcmp(want, "retracting")) {
		ev_retract(s, 1, 1);
		return true;
	}
	if (!strcmp(want, "recalling")) {
		s->now_us += 54 * SEC;
		script_turn(s);
		return true;
	}
	ev_slot(s, NODE_EV_STARTED, 0);
	if (!strcmp(want, "frozen")) {
		s->now_us += 54 * SEC;
		script_turn(s);
	} else if (!strcmp(want, "stopping")) {
		ev_cancel(s, 1, 1, 5 * SEC);
	} else if (!strcmp(want, "dropping")) {
		dispatch(s, 1, 2, PROTO_AGENT_NOOP, 0, 1);
		ev_connected(s);
		ev_welcome(s);
		ev_verdict(s, 1, 1, PROTO_KILL);
	} else if (!strcmp(want, "lost")) {
		script_step(s, (struct node_event){ .kind = NODE_EV_WARDEN_LOST });
	} else if (!strcmp(want, "collecting") || !strcmp(want, "finished")) {
		ev_slot(s, NODE_EV_EXITED, 0);
		if (!strcmp(want, "finished"))
			ev_slot(s, NODE_EV_COLLECTED, 0);
	}
	return true;
}

static void feed(struct script *s, uint32_t event)
{
	static const enum node_event_kind by_slot[] = { [8] = NODE_EV_PREPARED, [9] = NODE_EV_PREPARE_FAILED, [10] = NODE_EV_STARTED,
							[11] = NODE_EV_EXITED, [12] = NODE_EV_NOT_STARTED, [13] = NODE_EV_COLLECTED };
	uint32_t slot = node_core_find(s->core, key_of(1, 1));

	switch (event) {
	case 0:
		dispatch(s, 1, 1, PROTO_AGENT_COMMAND, 0, 1);
		break;
	case 1:
		ev_cancel(s, 1, 1, 0);
		break;
	case 2:
		ev_retract(s, 1, 1);
		break;
	case 3:
		ev_ack(s, 1, 1, PROTO_ACK_FENCED);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		ev_verdict(s, 1, 1, ((const enum proto_verdict[]){ PROTO_KEEP, PROTO_KILL, PROTO_RESEND, PROTO_FORGET })[event - 4]);
		break;
	case 14:
		script_step(s, (struct node_event){ .kind = NODE_EV_WARDEN_LOST });
		break;
	case 15:
	case 16:
		s->now_us += (event == 15 ? 2 : 54) * SEC;
		script_turn(s);
		break;
	default:
		ev_slot(s, by_slot[event], slot);
	}
	script_turn(s);
}

static void every_cell_of_the_table(void **state)
{
	uint32_t st, ev, used = 0;

	(void)state;
	for (st = 1; st < NODE_CORE_STATES; st++) {
		for (ev = 0; ev < NODE_CORE_EVENTS; ev++) {
			const uint32_t *cells;
			struct script s;

			enter(&s, st);
			cells = node_core_cells(s.core) + st * NODE_CORE_EVENTS + ev;
			if (!node_core_cell_exists(st, ev)) {
				if (ev >= 8 && ev <= 13) /* what the daemon may say at a wrong time is a bug of ours */
					assert_death(feed(&s, ev));
				script_close(&s);
				continue;
			}
			if (ev == 16 && st != 3) { /* a lease over while waiting needs an older attempt: test_node_session.c */
				feed(&s, ev);
				used += *cells > 0;
				script_close(&s);
				continue;
			}
			if (ev != 15 && ev != 16) {
				uint32_t before = *cells;

				feed(&s, ev);
				if (*cells <= before)
					print_error("%s x %s was not reached\n", node_core_state_name(st), node_core_event_name(ev));
				assert_true(*cells > before);
				used++;
			}
			script_close(&s);
		}
	}
	assert_true(used > 150);
}

/* --- results that gather ------------------------------------------------------------------------------------------------------- */

#define GATHER_US 10000u

/* One place, and units 1 to `count` here that nothing waits for: the first runs, the others are with the warden. */
static void gathering(struct script *s, uint32_t count)
{
	script_open_gathering(s, 1, GATHER_US);
	ev_connected(s);
	ev_welcome(s);
	s->dispatch_flags = PROTO_DISPATCH_NO_HURRY;
	for (uint32_t unit = 1; unit <= count; unit++) {
		dispatch(s, unit, 1, PROTO_AGENT_COMMAND, 0, 1);
		ev_slot(s, NODE_EV_PREPARED, unit - 1);
	}
	ev_slot(s, NODE_EV_STARTED, 0);
	script_turn(s);
	s->said[0] = '\0';
}

/* The unit ends, and the warden starts the next. */
static void ends(struct script *s, uint32_t unit, bool succeeded)
{
	ev_slot(s, NODE_EV_EXITED, unit - 1);
	s->said[0] = '\0';
	script_step(s, (struct node_event){ .kind = NODE_EV_COLLECTED, .slot = unit - 1, .succeeded = succeeded });
	if (node_core_find(s->core, key_of(unit + 1, 1)) != NODE_NONE)
		ev_slot(s, NODE_EV_STARTED, unit);
	script_turn(s);
}

static void successes_that_nothing_waits_for_leave_together_when_the_first_has_waited(void **state)
{
	struct script s;
	uint64_t since;

	(void)state;
	gathering(&s, 5);
	since = s.now_us;
	ends(&s, 1, true);
	s.now_us += GATHER_US / 2;
	ends(&s, 2, true);
	expect(&s, "");
	assert_true(node_core_next_deadline(s.core) == since + GATHER_US);
	s.now_us = since + GATHER_US - 1;
	script_turn(&s);
	expect(&s, "");
	s.now_us++;
	script_turn(&s);
	expect(&s, "RESULT 1.1; RESULT 2.1");
	ends(&s, 3, true); /* the next ones gather anew */
	expect(&s, "");
	assert_true(node_core_next_deadline(s.core) == s.now_us + GATHER_US);
	script_close(&s);
}

static void no_more_than_so_many_gather(void **state)
{
	struct script s;

	(void)state;
	gathering(&s, 6);
	ends(&s, 1, true);
	ends(&s, 2, true);
	expect(&s, "");
	ends(&s, 3, true);
	expect(&s, "RESULT 1.1; RESULT 2.1; RESULT 3.1");
	script_close(&s);
}

static void nothing_gathers_once_all_that_is_here_has_begun(void **state)
{
	struct script s;

	(void)state;
	gathering(&s, 3);
	ends(&s, 1, true);
	expect(&s, "");
	ends(&s, 2, true);
	expect(&s, "RESULT 1.1; RESULT 2.1");
	ends(&s, 3, true);
	expect(&s, "RESULT 3.1");
	script_close(&s);
}

static void what_gathers_leaves_with_a_failure_and_with_what_is_waited_for(void **state)
{
	struct script s;

	(void)state;
	gathering(&s, 4);
	ends(&s, 1, true);
	expect(&s, "");
	ends(&s, 2, false);
	expect(&s, "RESULT 1.1; RESULT 2.1");
	ends(&s, 3, true);
	expect(&s, "RESULT 3.1");
	script_close(&s);

	gathering(&s, 1);
	s.dispatch_flags = 0;
	for (uint32_t unit = 2; unit <= 3; unit++) {
		dispatch(&s, unit, 1, PROTO_AGENT_COMMAND, 0, 1);
		ev_slot(&s, NODE_EV_PREPARED, unit - 1);
	}
	s.said[0] = '\0';
	ends(&s, 1, true);
	expect(&s, "");
	dispatch(&s, 4, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 3);
	s.said[0] = '\0';
	ends(&s, 2, true);
	expect(&s, "RESULT 1.1; RESULT 2.1");
	script_close(&s);
}

static void what_gathers_is_said_to_who_asks_and_not_again(void **state)
{
	struct script s;
	uint64_t since;

	(void)state;
	gathering(&s, 5);
	since = s.now_us;
	ends(&s, 1, true);
	ends(&s, 2, true);
	expect(&s, "");
	ev_cancel(&s, 1, 1, 0);
	expect(&s, "RESULT 1.1");
	ev_ack(&s, 2, 1, PROTO_ACK_FENCED);
	expect(&s, "forget 1");
	s.now_us = since + GATHER_US;
	script_turn(&s);
	expect(&s, "");
	script_close(&s);
}

static void a_new_session_hears_what_gathered_from_hello(void **state)
{
	struct script s;

	(void)state;
	gathering(&s, 3);
	ends(&s, 1, true);
	expect(&s, "");
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	s.now_us += GATHER_US;
	script_turn(&s);
	expect(&s, "");
	assert_true(node_core_next_deadline(s.core) > s.now_us);
	ends(&s, 2, true); /* nobody to tell */
	expect(&s, "");
	ev_connected(&s);
	expect(&s, "HELLO 3; HELD 1.1[finished]; HELD 2.1[finished]; HELD 3.1[running]");
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_RESEND);
	ev_verdict(&s, 2, 1, PROTO_RESEND);
	script_turn(&s);
	expect(&s, "RESULT 1.1; RESULT 2.1");
	script_close(&s);
}

static void a_node_that_stops_keeps_no_result(void **state)
{
	struct script s;

	(void)state;
	gathering(&s, 3);
	ends(&s, 1, true);
	expect(&s, "");
	script_step(&s, (struct node_event){ .kind = NODE_EV_STOP, .stop = { .grace_us = SEC, .reason = PROTO_REASON_CANCELLED } });
	script_turn(&s);
	expect(&s, "kill 1[grace]; kill 2[grace]; RESULT 1.1");
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_runs_and_its_result_waits_for_the_ack),
		cmocka_unit_test(taken_and_started_are_folded_into_a_result_of_the_same_batch),
		cmocka_unit_test(noop_is_a_result_at_once),
		cmocka_unit_test(mocks_wait_for_their_slot_and_their_delay),
		cmocka_unit_test(agents_mocked_take_agent_slots),
		cmocka_unit_test(a_command_beside_a_mock_is_handed_over_only_when_there_is_room),
		cmocka_unit_test(the_same_dispatch_again_answers_its_present_state),
		cmocka_unit_test(what_does_not_fit_is_rejected_for_good),
		cmocka_unit_test(an_older_attempt_is_stale_and_a_newer_one_voids_it),
		cmocka_unit_test(a_lower_epoch_is_never_obeyed),
		cmocka_unit_test(cancel_in_every_state),
		cmocka_unit_test(retract_before_the_start_only),
		cmocka_unit_test(cancel_and_retract_cross_in_the_warden),
		cmocka_unit_test(the_warden_dies_under_all_of_them),
		cmocka_unit_test(every_cell_of_the_table),
		cmocka_unit_test(successes_that_nothing_waits_for_leave_together_when_the_first_has_waited),
		cmocka_unit_test(no_more_than_so_many_gather),
		cmocka_unit_test(nothing_gathers_once_all_that_is_here_has_begun),
		cmocka_unit_test(what_gathers_leaves_with_a_failure_and_with_what_is_waited_for),
		cmocka_unit_test(what_gathers_is_said_to_who_asks_and_not_again),
		cmocka_unit_test(a_new_session_hears_what_gathered_from_hello),
		cmocka_unit_test(a_node_that_stops_keeps_no_result),
	};

	return RUN(tests);
}
