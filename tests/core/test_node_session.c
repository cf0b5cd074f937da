/* test_node_session.c - HELLO and verdicts, resends, heartbeats, leases, the end of a node daemon */
#include "tests/core/node_script.h"

#define EXCLUSIVE PROTO_SPEC_EXCLUSIVE

static void hello_lists_what_is_held_and_verdicts_settle_it(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 4);
	(void)running(&s, 1, 1, 0);
	(void)running(&s, 2, 1, 0);
	(void)running(&s, 3, 1, 0);
	dispatch(&s, 4, 1, PROTO_AGENT_NOOP, 0, 1);
	dispatch(&s, 5, 1, PROTO_AGENT_NOOP, 0, 1);
	dispatch(&s, 6, 1, PROTO_AGENT_COMMAND, 0, 1);
	s.said[0] = '\0';
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	ev_slot(&s, NODE_EV_EXITED, 2);
	ev_slot(&s, NODE_EV_COLLECTED, 2); /* nobody to tell */
	expect(&s, "collect 2");
	ev_connected(&s);
	expect(&s, "HELLO 6; HELD 1.1[running]; HELD 2.1[running]; HELD 3.1[finished]; HELD 4.1[finished]; HELD 5.1[finished]; HELD 6.1[queued]");
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_KEEP);
	ev_verdict(&s, 2, 1, PROTO_KILL);
	ev_verdict(&s, 3, 1, PROTO_RESEND);
	ev_verdict(&s, 4, 1, PROTO_FORGET);
	ev_verdict(&s, 6, 1, PROTO_KEEP);
	script_turn(&s);
	expect(&s, "kill 1[own grace]; RESULT 3.1; forget 3");
	/* 5.1 got no verdict: its result is sent on its own */
	s.now_us += 2 * SEC;
	script_turn(&s);
	assert_non_null(strstr(s.said, "RESULT 5.1"));
	s.said[0] = '\0';
	ev_slot(&s, NODE_EV_EXITED, 1); /* killed by verdict: answers nothing */
	expect(&s, "forget 1");
	script_close(&s);
}

static void hello_begins_anew_when_the_table_changes_under_it(void **state)
{
	struct script s;
	uint32_t i;

	(void)state;
	script_open(&s, 16);
	s.cfg.prefetch_max = 64;
	script_close(&s);
	s.cfg.attempts_max = 200;
	s.core = node_core_create(&s.cfg);
	ev_connected(&s);
	ev_welcome(&s);
	for (i = 0; i < 80; i++)
		dispatch(&s, i, 1, PROTO_AGENT_NOOP, 0, 1);
	s.said[0] = '\0';
	s.out.capacity = NODE_EFFECTS_MIN;
	script_step(&s, (struct node_event){ .kind = NODE_EV_CONNECTED });
	script_step(&s, (struct node_event){ .kind = NODE_EV_TURN });
	assert_true(s.out.again);
	assert_memory_equal(s.said, "HELLO 80; ", 10);
	s.said[0] = '\0';
	ev_ack(&s, 3, 1, PROTO_ACK_ACCEPTED);
	expect(&s, "forget 3");
	script_turn(&s);
	assert_memory_equal(s.said, "HELLO 79; HELD 0.1[finished]; HELD 1.1[finished]; HELD 2.1[finished]; HELD 4.1[finished]; ", 90);
	script_close(&s);
}

static void a_result_is_resent_until_its_ack_with_a_cap(void **state)
{
	uint64_t last, gap = 0;
	struct script s;
	uint32_t i;

	(void)state;
	script_up(&s, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_NOOP, 0, 1);
	expect(&s, "collect 0; RESULT 1.1");
	last = s.now_us;
	for (i = 0; i < 9; i++) {
		uint64_t expected = (uint64_t)1 << i;

		while (!strstr(s.said, "RESULT 1.1")) {
			const char *hb;

			s.said[0] = '\0';
			s.now_us = node_core_next_deadline(s.core);
			script_turn(&s);
			hb = strstr(s.said, "HEARTBEAT ");
			if (hb) {
				uint64_t n = strtoull(hb + 10, NULL, 10);

				script_step(&s, (struct node_event){ .kind = NODE_EV_HB_ACK, .hb_ack = &(struct proto_hb_ack){ .session = s.session, .n = n, .heartbeat_us = 2 * SEC } });
			}
		}
		gap = s.now_us - last;
		last = s.now_us;
		if (expected > 30)
			expected = 30;
		assert_in_range(gap, expected * SEC * 8 / 10, expected * SEC * 12 / 10);
		s.said[0] = '\0';
	}
	ev_ack(&s, 1, 1, PROTO_ACK_DUPLICATE);
	expect(&s, "forget 0");
	ev_ack(&s, 1, 1, PROTO_ACK_DUPLICATE);
	expect(&s, "");
	assert_true(node_core_stale(s.core) > 0);
	script_close(&s);
}

static void heartbeats_count_items_and_a_wanted_table_is_told_within_the_session(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 1, 1, 0);
	s.now_us += 2 * SEC;
	script_turn(&s);
	expect(&s, "HEARTBEAT 1[sent 1 received 1 load 1]");
	ev_hb_ack(&s, 1, true);
	script_turn(&s);
	expect(&s, "HELLO 1; HELD 1.1[running]");
	/* the session goes on meanwhile */
	dispatch(&s, 2, 1, PROTO_AGENT_NOOP, 0, 1);
	expect(&s, "collect 1; RESULT 2.1");
	ev_welcome(&s);
	ev_ack(&s, 2, 1, PROTO_ACK_ACCEPTED);
	expect(&s, "forget 1");
	s.now_us += 2 * SEC;
	script_turn(&s);
	expect(&s, "HEARTBEAT 2[sent 1 received 1 load 1]");
	script_close(&s);
}

static void silence_makes_a_new_link(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	while (!strstr(s.said, "reconnect")) {
		s.said[0] = '\0';
		s.now_us = node_core_next_deadline(s.core);
		script_turn(&s);
		assert_true(s.now_us < 200 * SEC);
	}
	assert_int_equal(s.now_us, 110 * SEC);
	assert_int_equal(node_core_next_deadline(s.core), RV_NEVER);
	script_close(&s);
}

static void a_hello_without_an_answer_makes_a_new_link(void **state)
{
	struct script s;

	(void)state;
	script_open(&s, 1);
	ev_connected(&s);
	expect(&s, "HELLO 0 last");
	assert_int_equal(node_core_next_deadline(s.core), 101 * SEC); /* though it holds nothing: something may have been sent to it */
	s.now_us = 101 * SEC;
	script_turn(&s);
	expect(&s, "reconnect");
	script_close(&s);
}

/* The time in seconds until the HELLO just sent is given up; the next one follows on a new link. */
static uint64_t given_up_after(struct script *s)
{
	uint64_t from = s->now_us;

	s->said[0] = '\0';
	ev_connected(s);
	assert_non_null(strstr(s->said, "HELLO"));
	s->now_us = node_core_next_deadline(s->core);
	s->said[0] = '\0';
	script_turn(s);
	expect(s, "reconnect");
	return (s->now_us - from) / SEC;
}

static void a_hello_of_what_may_not_be_silent_long_is_given_up_soon(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 1, 1, 0);
	dispatch_for(&s, 2, 1, PROTO_AGENT_COMMAND, 0, 1, 27 * SEC / 10);
	s.said[0] = '\0';
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	/* an answer may be slow each time: more patience with each, up to the usual */
	assert_int_equal(given_up_after(&s), 1);
	assert_int_equal(given_up_after(&s), 2);
	assert_int_equal(given_up_after(&s), 4);
	assert_int_equal(given_up_after(&s), 5);
	assert_int_equal(given_up_after(&s), 5);
	ev_connected(&s);
	ev_welcome(&s);
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	assert_int_equal(given_up_after(&s), 1);
	assert_int_equal(node_core_patience_us(s.core), 27 * SEC / 10 / 8);
	script_close(&s);

	script_open(&s, 2);
	assert_int_equal(node_core_patience_us(s.core), RV_NEVER);
	script_close(&s);
}

static void a_stall_of_our_own_is_no_silence(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	s.now_us += 600 * SEC;
	script_turn(&s);
	expect(&s, "HEARTBEAT 1[sent 0 received 0 load 0]");
	script_close(&s);
}

static void lease_counts_from_the_send_time_of_the_acknowledged_heartbeat(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 1, 1, EXCLUSIVE);
	(void)running(&s, 2, 1, 0);
	beat_until(&s, 120 * SEC);
	s.now_us = 122 * SEC;
	script_turn(&s);
	assert_memory_equal(s.said, "HEARTBEAT 11", 12);
	s.said[0] = '\0';
	s.now_us = 125 * SEC; /* the ack took 3 s */
	ev_hb_ack(&s, 11, false);
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	assert_int_equal(node_core_next_deadline(s.core), (122 + 54) * SEC);
	s.now_us = (122 + 54) * SEC - 1;
	script_turn(&s);
	expect(&s, "");
	s.now_us += 1;
	script_turn(&s);
	expect(&s, "freeze 0"); /* and not 2.1, which hurts nobody */
	ev_connected(&s);
	expect(&s, "HELLO 2; HELD 1.1[frozen]; HELD 2.1[running]");
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_KEEP);
	expect(&s, "thaw 0");
	script_close(&s);
}

/* A copy of a WELCOME gives no number again: what acknowledges the heartbeat before it would be taken for that of a later one. */
static void an_ack_is_of_one_heartbeat_however_often_the_node_is_welcomed(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 1, 1, EXCLUSIVE);
	s.now_us = 102 * SEC;
	script_turn(&s);
	expect(&s, "HEARTBEAT 1[sent 1 received 1 load 1]");
	s.now_us = 103 * SEC;
	s.session--;
	ev_welcome(&s);
	s.now_us = 110 * SEC;
	script_turn(&s);
	assert_non_null(strstr(s.said, "HEARTBEAT "));
	s.said[0] = '\0';
	ev_hb_ack(&s, 1, false);
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	assert_int_equal(node_core_next_deadline(s.core), (102 + 54) * SEC);
	script_close(&s);
}

static void a_lapsed_lease_needs_a_verdict_not_an_ack(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 1, 1, EXCLUSIVE);
	s.now_us = 102 * SEC;
	script_turn(&s);
	s.said[0] = '\0';
	/* we stood still for two minutes; the ack was waiting in the socket */
	s.now_us = 220 * SEC;
	ev_hb_ack(&s, 1, false);
	expect(&s, "freeze 0");
	script_turn(&s);
	expect(&s, "HELLO 1; HELD 1.1[frozen]; HEARTBEAT 2[sent 0 received 1 load 1]");
	ev_hb_ack(&s, 2, false);
	script_turn(&s);
	expect(&s, ""); /* the HELLO is on its way */
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_KILL);
	expect(&s, "kill 0[now]");
	script_close(&s);
}

/* A copy of a WELCOME that comes late: its verdict is as old as the lease that it gives. */
static void a_verdict_as_old_as_its_lease_thaws_nothing(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	(void)running(&s, 1, 1, EXCLUSIVE);
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	s.now_us += 54 * SEC;
	script_turn(&s);
	expect(&s, "freeze 0");
	ev_connected(&s);
	expect(&s, "HELLO 1; HELD 1.1[frozen]");
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_KEEP);
	expect(&s, "thaw 0");
	s.now_us += 54 * SEC;
	script_turn(&s);
	assert_non_null(strstr(s.said, "freeze 0"));
	s.said[0] = '\0';
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_KEEP);
	expect(&s, "");
	script_close(&s);
}

static void an_exclusive_attempt_does_not_start_when_its_lease_is_over(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 2);
	/* queued with the warden: taken back, and given again on the verdict keep */
	dispatch(&s, 1, 1, PROTO_AGENT_COMMAND, EXCLUSIVE, 1);
	ev_slot(&s, NODE_EV_PREPARED, 0);
	dispatch(&s, 2, 1, PROTO_AGENT_COMMAND, EXCLUSIVE, 1);
	script_turn(&s);
	expect(&s, "prepare 0; spawn 0; prepare 1; TAKEN 1.1; TAKEN 2.1");
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	s.now_us += 54 * SEC;
	script_turn(&s);
	expect(&s, "warden_retract 0");
	ev_slot(&s, NODE_EV_NOT_STARTED, 0);
	ev_slot(&s, NODE_EV_PREPARED, 1); /* still being prepared then */
	script_turn(&s);
	expect(&s, "");
	ev_connected(&s);
	expect(&s, "HELLO 2; HELD 1.1[queued]; HELD 2.1[queued]");
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_KEEP);
	ev_verdict(&s, 2, 1, PROTO_KEEP);
	script_turn(&s);
	expect(&s, "spawn 0; spawn 1");
	/* the warden was faster */
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	s.now_us += 54 * SEC;
	script_turn(&s);
	expect(&s, "warden_retract 0; warden_retract 1");
	ev_slot(&s, NODE_EV_STARTED, 0);
	expect(&s, "freeze 0");
	script_close(&s);
}

static void recovered_attempts_are_told_and_collected(void **state)
{
	struct node_event ev = { .kind = NODE_EV_RECOVERED };
	struct script s;

	(void)state;
	script_open(&s, 2);
	ev.recovered.key = key_of(1, 4);
	ev.recovered.epoch = 1;
	ev.recovered.state = PROTO_HELD_FINISHED;
	ev.recovered.cpus = 1;
	script_step(&s, ev);
	ev.recovered.key = key_of(2, 1);
	ev.recovered.state = PROTO_HELD_RUNNING;
	ev.recovered.flags = EXCLUSIVE;
	script_step(&s, ev);
	ev.recovered.key = key_of(3, 1);
	ev.recovered.state = PROTO_HELD_QUEUED;
	script_step(&s, ev);
	ev.recovered.key = key_of(4, 1);
	ev.recovered.state = PROTO_HELD_FROZEN;
	script_step(&s, ev);
	expect(&s, "collect 0");
	ev_slot(&s, NODE_EV_COLLECTED, 0);
	ev_connected(&s);
	expect(&s, "HELLO 4; HELD 1.4[finished]; HELD 2.1[running]; HELD 3.1[queued]; HELD 4.1[frozen]");
	/* its exit record is found beside the table's word */
	ev.recovered.key = key_of(2, 1);
	ev.recovered.state = PROTO_HELD_FINISHED;
	script_step(&s, ev);
	expect(&s, "collect 1");
	script_step(&s, ev);
	expect(&s, "");
	ev_welcome(&s);
	ev_verdict(&s, 1, 4, PROTO_RESEND);
	expect(&s, "RESULT 1.4");
	script_close(&s);
}

static void drain_refuses_nothing_here(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	script_step(&s, (struct node_event){ .kind = NODE_EV_DRAIN });
	dispatch(&s, 1, 1, PROTO_AGENT_NOOP, 0, 1);
	expect(&s, "collect 0; RESULT 1.1");
	script_close(&s);
}

static void a_wanted_table_is_told_again_when_its_hello_was_lost(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	s.now_us += 2 * SEC;
	script_turn(&s);
	ev_hb_ack(&s, 1, true);
	script_turn(&s);
	expect(&s, "HEARTBEAT 1[sent 0 received 0 load 0]; HELLO 0 last");
	ev_hb_ack(&s, 1, true);
	script_turn(&s);
	expect(&s, "");
	s.now_us += 5 * SEC;
	ev_hb_ack(&s, 1, true);
	script_turn(&s);
	expect(&s, "HELLO 0 last; HEARTBEAT 2[sent 0 received 0 load 0]");
	script_close(&s);
}

static void nothing_is_obeyed_before_the_welcome(void **state)
{
	struct script s;

	(void)state;
	script_open(&s, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_NOOP, 0, 1);
	ev_welcome(&s);
	expect(&s, "");
	ev_connected(&s);
	dispatch(&s, 1, 1, PROTO_AGENT_NOOP, 0, 1);
	ev_verdict(&s, 1, 1, PROTO_KILL);
	expect(&s, "HELLO 0 last");
	assert_int_equal(node_core_stale(s.core), 4);
	script_close(&s);
}

/* Its journal was put back to a copy, or it is a process that does not know that it has a successor. */
static void a_lower_epoch_of_the_same_cluster_is_not_obeyed(void **state)
{
	struct script s;

	(void)state;
	script_open(&s, 1);
	s.cluster = RV_STR("a");
	s.epoch = 7;
	ev_connected(&s);
	ev_welcome(&s);
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	ev_connected(&s);
	s.said[0] = '\0';
	s.epoch = 6;
	ev_welcome(&s);
	expect(&s, "reconnect");
	assert_int_equal(node_core_epoch(s.core), 7);
	script_close(&s);
}

/* Its state directory was made anew: epochs begin again, and what is held is for it to judge. */
static void another_cluster_begins_with_its_own_epochs(void **state)
{
	struct script s;

	(void)state;
	script_open(&s, 1);
	s.cluster = RV_STR("a");
	s.epoch = 7;
	ev_connected(&s);
	ev_welcome(&s);
	(void)running(&s, 1, 1, 0);
	script_step(&s, (struct node_event){ .kind = NODE_EV_DISCONNECTED });
	ev_connected(&s);
	s.said[0] = '\0';
	s.cluster = RV_STR("b");
	s.epoch = 1;
	ev_welcome(&s);
	ev_verdict(&s, 1, 1, PROTO_KILL);
	expect(&s, "kill 0[own grace]");
	assert_int_equal(node_core_epoch(s.core), 1);
	dispatch(&s, 2, 1, PROTO_AGENT_NOOP, 0, 1);
	expect(&s, "collect 1; RESULT 2.1");
	script_close(&s);
}

static void goaway_and_checkpoint(void **state)
{
	struct script s;

	(void)state;
	script_up(&s, 1);
	dispatch(&s, 1, 1, PROTO_AGENT_NOOP, 0, 1);
	dispatch(&s, 2, 1, PROTO_AGENT_NOOP, 0, 1);
	dispatch(&s, 3, 1, PROTO_AGENT_NOOP, 0, 1);
	s.said[0] = '\0';
	script_step(&s, (struct node_event){ .kind = NODE_EV_CHECKPOINT, .checkpoint = { .n = 2 } });
	expect(&s, "forget 0; forget 1");
	script_step(&s, (struct node_event){ .kind = NODE_EV_GOAWAY, .goaway = { .why = PROTO_GOAWAY_SHUTDOWN } });
	expect(&s, "reconnect");
	script_step(&s, (struct node_event){ .kind = NODE_EV_GOAWAY, .goaway = { .why = PROTO_GOAWAY_SHUTDOWN } });
	expect(&s, "");
	script_close(&s);
}

static void stop_cancels_all_waits_for_acks_and_says_bye(void **state)
{
	struct node_event ev = { .kind = NODE_EV_STOP };
	struct script s;

	(void)state;
	script_up(&s, 1);
	(void)running(&s, 1, 1, 0);
	dispatch(&s, 2, 1, PROTO_AGENT_COMMAND, 0, 1);
	s.said[0] = '\0';
	ev.stop.grace_us = 2 * SEC;
	ev.stop.reason = PROTO_REASON_INTERRUPTED;
	script_step(&s, ev);
	script_turn(&s);
	expect(&s, "kill 0[grace]; TAKEN 2.1");
	dispatch(&s, 3, 1, PROTO_AGENT_NOOP, 0, 1);
	expect(&s, "REJECTED 3.1[draining]");
	ev.stop.grace_us = 0; /* Ctrl-C again */
	script_step(&s, ev);
	script_turn(&s);
	expect(&s, "kill 0[now]");
	ev_slot(&s, NODE_EV_PREPARED, 1);
	ev_slot(&s, NODE_EV_EXITED, 0);
	ev_slot(&s, NODE_EV_COLLECTED, 0);
	expect(&s, "result_of 1[cancelled]; RESULT 2.1; collect 0; RESULT 1.1");
	ev_ack(&s, 1, 1, PROTO_ACK_ACCEPTED);
	script_turn(&s);
	expect(&s, "forget 0");
	s.now_us = node_core_next_deadline(s.core);
	while (!strstr(s.said, "stopped")) { /* the ack of 2.1 does not come */
		assert_true(s.now_us <= 103 * SEC);
		script_turn(&s);
		s.now_us = node_core_next_deadline(s.core);
	}
	assert_non_null(strstr(s.said, "BYE; stopped"));
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_lists_what_is_held_and_verdicts_settle_it),
		cmocka_unit_test(hello_begins_anew_when_the_table_changes_under_it),
		cmocka_unit_test(a_result_is_resent_until_its_ack_with_a_cap),
		cmocka_unit_test(heartbeats_count_items_and_a_wanted_table_is_told_within_the_session),
		cmocka_unit_test(silence_makes_a_new_link),
		cmocka_unit_test(a_hello_without_an_answer_makes_a_new_link),
		cmocka_unit_test(a_hello_of_what_may_not_be_silent_long_is_given_up_soon),
		cmocka_unit_test(a_stall_of_our_own_is_no_silence),
		cmocka_unit_test(lease_counts_from_the_send_time_of_the_acknowledged_heartbeat),
		cmocka_unit_test(an_ack_is_of_one_heartbeat_however_often_the_node_is_welcomed),
		cmocka_unit_test(a_lapsed_lease_needs_a_verdict_not_an_ack),
		cmocka_unit_test(a_verdict_as_old_as_its_lease_thaws_nothing),
		cmocka_unit_test(an_exclusive_attempt_does_not_start_when_its_lease_is_over),
		cmocka_unit_test(recovered_attempts_are_told_and_collected),
		cmocka_unit_test(drain_refuses_nothing_here),
		cmocka_unit_test(a_wanted_table_is_told_again_when_its_hello_was_lost),
		cmocka_unit_test(nothing_is_obeyed_before_the_welcome),
		cmocka_unit_test(a_lower_epoch_of_the_same_cluster_is_not_obeyed),
		cmocka_unit_test(another_cluster_begins_with_its_own_epochs),
		cmocka_unit_test(goaway_and_checkpoint),
		cmocka_unit_test(stop_cancels_all_waits_for_acks_and_says_bye),
	};

	return RUN(tests);
}
