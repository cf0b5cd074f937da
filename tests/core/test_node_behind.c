/* An attempt that waits at the node for the success of another one there. */
#include "tests/core/node_script.h"

static void dispatch_after(struct script *s, uint32_t unit, uint32_t attempt, uint32_t after_unit, uint32_t after_attempt, enum proto_agent_kind kind)
{
	struct proto_dispatch d = { .key = key_of(unit, attempt), .epoch = s->epoch, .try_number = 1, .lease_us = 54 * SEC,
				    .after = { after_unit, after_attempt } };
	struct node_event ev = { .kind = NODE_EV_DISPATCH };

	ev.dispatch.dispatch = &d;
	ev.dispatch.agent_kind = kind;
	ev.dispatch.cpus = 1;
	script_step(s, ev);
}

static void collected(struct script *s, uint32_t slot, bool succeeded)
{
	script_step(s, (struct node_event){ .kind = NODE_EV_COLLECTED, .slot = slot, .succeeded = succeeded });
}

/* 1.1 runs in slot 0, 2.1 waits behind it in slot 1, 3.1 behind that in slot 2. */
static void row(struct script *s)
{
	script_up(s, 2);
	(void)running(s, 1, 1, 0);
	dispatch_after(s, 2, 1, 1, 1, PROTO_AGENT_COMMAND);
	dispatch_after(s, 3, 1, 2, 1, PROTO_AGENT_COMMAND);
	ev_slot(s, NODE_EV_PREPARED, 1);
	ev_slot(s, NODE_EV_PREPARED, 2);
	script_turn(s);
	expect(s, "prepare 1; prepare 2; TAKEN 2.1; TAKEN 3.1");
}

static void it_begins_by_itself_once_the_one_before_has_succeeded(void **state)
{
	struct script s;

	(void)state;
	row(&s);
	ev_slot(&s, NODE_EV_EXITED, 0);
	script_turn(&s);
	expect(&s, "collect 0"); /* there is a free slot, and it is not known yet how the first one ended */
	collected(&s, 0, true);
	script_turn(&s);
	expect(&s, "RESULT 1.1; spawn 1");
	ev_slot(&s, NODE_EV_STARTED, 1);
	ev_ack(&s, 1, 1, PROTO_ACK_ACCEPTED);
	ev_slot(&s, NODE_EV_EXITED, 1);
	collected(&s, 1, true);
	script_turn(&s);
	expect(&s, "forget 0; collect 1; RESULT 2.1; spawn 2");
	script_close(&s);
}

static void it_is_forgotten_when_the_one_before_has_not(void **state)
{
	struct script s;

	(void)state;
	row(&s);
	ev_slot(&s, NODE_EV_EXITED, 0);
	collected(&s, 0, false);
	script_turn(&s);
	expect(&s, "collect 0; RESULT 1.1; forget 1; forget 2");
	assert_int_equal(node_core_digest(s.core), proto_table_term(key_of(1, 1)));
	dispatch_after(&s, 2, 1, 1, 1, PROTO_AGENT_COMMAND); /* a copy that was late */
	expect(&s, "REJECTED 2.1[stale]");
	script_close(&s);
}

static void it_goes_when_the_one_before_is_given_back(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_COMMAND, 0, 1);
	dispatch_after(&s, 2, 1, 1, 1, PROTO_AGENT_COMMAND);
	ev_slot(&s, NODE_EV_PREPARED, 1);
	expect(&s, "prepare 0; prepare 1");
	ev_retract(&s, 1, 1);
	expect(&s, "RETRACTED 1.1; forget 1");
	assert_int_equal(node_core_digest(s.core), 0);
	script_close(&s);
}

static void what_is_being_prepared_goes_once_that_is_done(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 1, 1, 0);
	dispatch_after(&s, 2, 1, 1, 1, PROTO_AGENT_COMMAND);
	ev_slot(&s, NODE_EV_EXITED, 0);
	collected(&s, 0, false);
	expect(&s, "prepare 1; collect 0; RESULT 1.1");
	assert_int_equal(node_core_digest(s.core), proto_table_term(key_of(1, 1)));
	ev_slot(&s, NODE_EV_PREPARED, 1);
	expect(&s, "forget 1");
	script_close(&s);
}

static void a_cancel_of_the_first_ends_the_row_when_it_has_ended(void **state)
{
	struct script s;

	(void)state;
	row(&s);
	ev_cancel(&s, 1, 1, SEC);
	expect(&s, "kill 0[grace]");
	ev_slot(&s, NODE_EV_EXITED, 0);
	collected(&s, 0, false);
	expect(&s, "collect 0; RESULT 1.1; forget 1; forget 2");
	script_close(&s);
}

static void a_cancel_in_the_middle_ends_what_is_behind_it(void **state)
{
	struct script s;

	(void)state;
	row(&s);
	ev_cancel(&s, 2, 1, SEC);
	expect(&s, "result_of 1[cancelled]; RESULT 2.1; forget 2");
	ev_slot(&s, NODE_EV_EXITED, 0);
	collected(&s, 0, true);
	script_turn(&s);
	expect(&s, "collect 0; RESULT 1.1");
	script_close(&s);
}

static void a_lost_warden_ends_the_row(void **state)
{
	struct script s;

	(void)state;
	row(&s);
	script_step(&s, (struct node_event){ .kind = NODE_EV_WARDEN_LOST });
	script_turn(&s);
	expect(&s, "result_of 0[warden_lost started]; RESULT 1.1; forget 1; forget 2");
	script_close(&s);
}

/* The queue of those that wait is gone through while what stands behind them leaves it. */
static void without_a_warden_the_row_goes_as_it_comes_to_begin(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	dispatch(&s, 9, 1, PROTO_AGENT_MOCK, 0, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_COMMAND, 0, 1);
	dispatch_after(&s, 2, 1, 1, 1, PROTO_AGENT_COMMAND);
	dispatch_after(&s, 3, 1, 2, 1, PROTO_AGENT_COMMAND);
	dispatch(&s, 4, 1, PROTO_AGENT_COMMAND, 0, 1);
	for (uint32_t slot = 1; slot <= 4; slot++)
		ev_slot(&s, NODE_EV_PREPARED, slot);
	script_turn(&s);
	script_step(&s, (struct node_event){ .kind = NODE_EV_WARDEN_LOST });
	s.said[0] = '\0';
	s.now_us += SEC;
	script_turn(&s);
	expect(&s, "collect 0; RESULT 9.1; result_of 1[warden_lost]; RESULT 1.1; forget 2; forget 3; result_of 4[warden_lost]; RESULT 4.1");
	script_close(&s);
}

static void hello_tells_it_as_queued_and_a_kill_of_the_first_drops_it(void **state)
{
	struct script s;

	(void)state;
	row(&s);
	ev_connected(&s);
	expect(&s, "HELLO 3; HELD 1.1[running]; HELD 2.1[queued]; HELD 3.1[queued]");
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_KILL);
	expect(&s, "forget 1; forget 2; kill 0[own grace]");
	script_close(&s);
}

static void after_one_that_has_succeeded_it_begins_at_once(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	(void)running(&s, 1, 1, 0);
	ev_slot(&s, NODE_EV_EXITED, 0);
	collected(&s, 0, true);
	dispatch_after(&s, 2, 1, 1, 1, PROTO_AGENT_COMMAND);
	ev_slot(&s, NODE_EV_PREPARED, 1);
	expect(&s, "collect 0; RESULT 1.1; prepare 1; spawn 1");
	script_close(&s);
}

static void what_cannot_be_waited_for_is_refused(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	dispatch_after(&s, 2, 1, 1, 1, PROTO_AGENT_COMMAND);
	expect(&s, "REJECTED 2.1[stale]"); /* it is not here */
	(void)running(&s, 1, 1, 0);
	dispatch_after(&s, 1, 2, 1, 1, PROTO_AGENT_COMMAND);
	expect(&s, "REJECTED 1.2[stale]"); /* of itself */
	dispatch_after(&s, 3, 1, 1, 1, PROTO_AGENT_MOCK);
	expect(&s, "REJECTED 3.1[stale]"); /* no command */
	dispatch_after(&s, 4, 1, 1, 1, PROTO_AGENT_COMMAND);
	dispatch_after(&s, 5, 1, 1, 1, PROTO_AGENT_COMMAND);
	expect(&s, "prepare 1; REJECTED 5.1[stale]"); /* another waits for that one */
	dispatch_after(&s, 6, 1, 4, 1, PROTO_AGENT_COMMAND);
	dispatch_after(&s, 7, 1, 6, 1, PROTO_AGENT_COMMAND);
	dispatch_after(&s, 8, 1, 7, 1, PROTO_AGENT_COMMAND);
	expect(&s, "prepare 2; prepare 3; REJECTED 8.1[stale]"); /* rows are short */
	dispatch_after(&s, 4, 2, 6, 1, PROTO_AGENT_COMMAND);
	expect(&s, "REJECTED 4.2[stale]"); /* its older attempt is in the row */
	script_close(&s);
}

/* A place is free, and what waits here cannot take it: the coordinator has to know. */
static void it_is_no_work_for_which_results_gather(void **state)
{
	struct script s;

	(void)state;
	script_open_gathering(&s, 2, SEC);
	ev_connected(&s);
	ev_welcome(&s);
	s.said[0] = '\0';
	(void)running(&s, 1, 1, 0);
	dispatch_after(&s, 2, 1, 1, 1, PROTO_AGENT_COMMAND);
	ev_slot(&s, NODE_EV_PREPARED, 1);
	s.dispatch_flags = PROTO_DISPATCH_NO_HURRY;
	dispatch(&s, 9, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 2);
	script_turn(&s);
	expect(&s, "prepare 1; prepare 2; spawn 2");
	ev_slot(&s, NODE_EV_STARTED, 2);
	ev_slot(&s, NODE_EV_EXITED, 2);
	collected(&s, 2, true);
	script_turn(&s);
	expect(&s, "collect 2; RESULT 9.1");
	script_close(&s);
}

static void others_pass_it(void **state)
{
	struct script s;

	(void)state;
	row(&s);
	dispatch(&s, 9, 1, PROTO_AGENT_COMMAND, 0, 1);
	ev_slot(&s, NODE_EV_PREPARED, 3);
	script_turn(&s);
	expect(&s, "prepare 3; spawn 3; TAKEN 9.1");
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_by_itself_once_the_one_before_has_succeeded),
		cmocka_unit_test(it_is_forgotten_when_the_one_before_has_not),
		cmocka_unit_test(it_goes_when_the_one_before_is_given_back),
		cmocka_unit_test(what_is_being_prepared_goes_once_that_is_done),
		cmocka_unit_test(a_cancel_of_the_first_ends_the_row_when_it_has_ended),
		cmocka_unit_test(a_cancel_in_the_middle_ends_what_is_behind_it),
		cmocka_unit_test(a_lost_warden_ends_the_row),
		cmocka_unit_test(without_a_warden_the_row_goes_as_it_comes_to_begin),
		cmocka_unit_test(hello_tells_it_as_queued_and_a_kill_of_the_first_drops_it),
		cmocka_unit_test(after_one_that_has_succeeded_it_begins_at_once),
		cmocka_unit_test(what_cannot_be_waited_for_is_refused),
		cmocka_unit_test(it_is_no_work_for_which_results_gather),
		cmocka_unit_test(others_pass_it),
	};

	return RUN(tests);
}
