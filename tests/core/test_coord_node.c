/* Nodes come, fall silent, come back: verdicts, leases, resends, health. */
#include "tests/core/coord_fixture.h"

/* Unit a runs on n1 (2 slots), nothing else is to do. */
static void one(struct fixture *f)
{
	plan_build_unit(&f->b, "a", "");
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
}

static struct proto_held held(struct fixture *f, const char *unit, enum proto_held_state state)
{
	return (struct proto_held){ .key = driver_key(&f->d, unit), .epoch = 1, .state = state };
}

/* --- HELLO --- */

static void a_node_has_as_many_slots_as_there_may_be(void **state)
{
	struct fixture *f = *state;
	struct coord_node_view v;

	driver_join(&f->d, "n1", UINT64_MAX, UINT64_MAX);
	driver_join(&f->d, "n2", RV_SLOTS_MAX, 3);
	coord_node_view(f->d.c, 0, &v);
	assert_int_equal(v.slots, RV_SLOTS_MAX);
	assert_int_equal(v.agent_slots, RV_SLOTS_MAX);
	coord_node_view(f->d.c, 1, &v);
	assert_int_equal(v.slots, RV_SLOTS_MAX);
	assert_int_equal(v.agent_slots, 3);
}

static void a_node_that_comes_back_keeps_what_runs(void **state)
{
	struct fixture *f = *state;
	struct proto_held h;

	one(f);
	driver_started(&f->d, "a");
	h = held(f, "a", PROTO_HELD_RUNNING);
	f->d.left_peer = 0;
	driver_gone(&f->d, 0);
	assert_int_not_equal(f->d.left_peer, 0); /* what waits for that link goes nowhere any more */
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 keep");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
}

static void a_finished_one_is_asked_for_its_result(void **state)
{
	struct fixture *f = *state;
	struct proto_held h;

	one(f);
	h = held(f, "a", PROTO_HELD_FINISHED);
	driver_gone(&f->d, 0);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 resend");
	expect_nothing(&f->d);
}

static void what_never_arrived_is_sent_again(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_gone(&f->d, 0);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&f->d);
}

static void what_was_there_and_is_not_is_lost(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_started(&f->d, "a");
	driver_gone(&f->d, 0);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#2 try=2"); /* it had begun: that was a try */
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "active node_lost lost");
}

static void another_boot_has_lost_everything(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_gone(&f->d, 0);
	driver_hello(&f->d, 0, "n1", 2, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	expect_nothing(&f->d);
}

static void at_most_once_that_is_not_there_is_lost_for_good(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_settings(&f->b, "a")->at_most_once = true;
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_gone(&f->d, 0);
	f->d.incarnation = 2;
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "! run 1 failed none");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "failed node_lost lost");
}

/* What this daemon was sent and does not have never began: it forgets nothing before its result is durable. */
static void at_most_once_that_its_own_daemon_denies_is_sent_again(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_settings(&f->b, "a")->at_most_once = true;
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_gone(&f->d, 0);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&f->d);
	driver_restart(&f->d);
	driver_forget_lines(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&f->d);
	driver_reject(&f->d, "a", PROTO_REJECT_STALE); /* it had been given back, and that got lost */
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	driver_started(&f->d, "a");
	driver_gone(&f->d, 0);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0); /* it did begin: nobody knows what became of it */
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "! run 1 failed none");
	expect_unit(&f->d, "a", "failed node_lost lost");
}

/* What the daemon has not, it never had, unless the DISPATCH and its HELLO have crossed: it is told to end it, and says. */
static void at_most_once_that_was_cancelled_and_is_denied_never_began(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_settings(&f->b, "a")->at_most_once = true;
	plan_build_settings(&f->b, "b")->at_most_once = true;
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "b");
	driver_gone(&f->d, 0);
	driver_act(&f->d, PROTO_MUT_CANCEL, NULL, -1);
	driver_forget_lines(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 CANCEL a#1 cancelled");
	expect_nothing(&f->d);
	expect_unit(&f->d, "b", "failed node_lost lost"); /* it did begin */
	driver_not_here(&f->d, "a");
	expect(&f->d, "! run 1 cancelled cancelled");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "cancelled cancelled");
	driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0);
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	expect_nothing(&f->d);
}

static void at_most_once_of_another_daemon_stays_lost_over_a_restart(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_settings(&f->b, "a")->at_most_once = true;
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_restart(&f->d);
	driver_forget_lines(&f->d);
	f->d.incarnation = 2;
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "! run 1 failed none");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "failed node_lost lost");
}

/* It may have begun there, and the daemon that comes after cannot say: its number is never sent a second time. */
static void what_another_daemon_was_sent_gets_a_new_number(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_gone(&f->d, 0);
	f->d.incarnation = 2;
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "active node_lost lost");
}

/* Coordinator and node both died: the new one of the one meets the new one of the other. */
static void what_another_daemon_was_sent_gets_a_new_number_over_a_restart(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_started(&f->d, "a"); /* which no journal says */
	driver_restart(&f->d);
	driver_forget_lines(&f->d);
	f->d.incarnation = 2;
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	expect_nothing(&f->d);
	driver_restart(&f->d); /* a#2 was sent to this daemon */
	driver_forget_lines(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	expect_nothing(&f->d);
}

static void strangers_attempts_are_killed_or_forgotten(void **state)
{
	struct fixture *f = *state;
	struct proto_held h[3] = { { .key = { 77, 0, 1 }, .epoch = 1, .state = PROTO_HELD_RUNNING },
				   { .key = { 77, 1, 1 }, .epoch = 1, .state = PROTO_HELD_FINISHED },
				   { .key = { 1, 500, 1 }, .epoch = 1, .state = PROTO_HELD_QUEUED } };

	one(f);
	driver_gone(&f->d, 0);
	driver_show(&f->d, SHOW_SENDS);
	{ /* the driver cannot name what is not there: count only */
		struct proto_hello hello = { .n = 100, .last = true, .held = h, .held_count = 3, .node = { .name = RV_STR("n1"), .slots = 2, .incarnation = 1 } };
		struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = 1, .hello = &hello, .now_us = f->d.now_us };
		struct coord_effects out = { .items = f->d.items, .capacity = f->d.room };

		memset(hello.node.key, 1, sizeof(hello.node.key));
		memset(hello.node.boot_id, 1, sizeof(hello.node.boot_id));
		coord_step(f->d.c, &ev, &out);
		assert_int_equal(out.items[0].kind, COORD_FX_TRANSITION);
		assert_int_equal(out.items[1].kind, COORD_FX_WELCOME);
		assert_int_equal(out.items[2].verdict.verdict, PROTO_KILL);
		assert_int_equal(out.items[3].verdict.verdict, PROTO_FORGET);
		assert_int_equal(out.items[4].verdict.verdict, PROTO_KILL);
		assert_int_equal(out.items[5].kind, COORD_FX_DISPATCH);
		assert_int_equal(out.count, 6);
	}
}

static void a_second_machine_with_the_same_key_is_sent_away(void **state)
{
	struct fixture *f = *state;
	struct proto_hello h = { .n = 100, .last = true, .node = { .name = RV_STR("n1"), .slots = 2, .incarnation = 1 } };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = 9, .hello = &h };

	one(f);
	memset(h.node.key, 1, sizeof(h.node.key));
	memset(h.node.boot_id, 5, sizeof(h.node.boot_id));
	driver_step(&f->d, &ev);
	expect(&f->d, "> peer9 GOAWAY 1");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "active");
}

static void a_name_that_another_key_has_is_refused(void **state)
{
	struct fixture *f = *state;
	struct proto_hello h = { .n = 100, .last = true, .node = { .name = RV_STR("n1"), .slots = 2, .incarnation = 1 } };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = 9, .hello = &h };

	one(f);
	memset(h.node.key, 9, sizeof(h.node.key));
	driver_step(&f->d, &ev);
	expect(&f->d, "> peer9 GOAWAY 4");
	expect_nothing(&f->d);
}

static void a_hello_comes_in_pages(void **state)
{
	struct fixture *f = *state;
	struct proto_held h1, h2;
	struct proto_hello page = { .n = 100, .held_count = 1, .node = { .name = RV_STR("n1"), .slots = 2, .incarnation = 1 } };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = 1, .hello = &page };

	plan_build_for_each(&f->b, "m", 2, "");
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "m-0001");
	driver_started(&f->d, "m-0002");
	driver_forget_lines(&f->d);
	h1 = held(f, "m-0001", PROTO_HELD_RUNNING);
	h2 = held(f, "m-0002", PROTO_HELD_RUNNING);
	driver_gone(&f->d, 0);
	memset(page.node.key, 1, sizeof(page.node.key));
	memset(page.node.boot_id, 1, sizeof(page.node.boot_id));
	page.held = &h1;
	driver_step(&f->d, &ev);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT m-0001#1 keep");
	expect_nothing(&f->d); /* nothing is missing before the last page */
	page.page = 2;
	ev = (struct coord_event){ .kind = COORD_EV_HELLO, .peer = 1, .hello = &page };
	driver_step(&f->d, &ev);
	expect_nothing(&f->d); /* page 1 got lost */
	page.page = 1;
	page.last = true;
	page.held = &h2;
	ev = (struct coord_event){ .kind = COORD_EV_HELLO, .peer = 1, .hello = &page };
	driver_step(&f->d, &ev);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT m-0002#1 keep");
	expect_nothing(&f->d);
}

/* --- losses --- */

static void the_third_loss_is_poison(void **state)
{
	struct fixture *f = *state;

	one(f);
	for (int i = 0; i < 3; i++) {
		driver_started(&f->d, "a");
		driver_gone(&f->d, 0);
		driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	}
	expect_unit(&f->d, "a", "failed node_lost poisoned");
}

/* Nodes that die under what nobody saw begin do not make it poison; that, too, has an end. */
static void losses_before_it_began_count_a_tenth(void **state)
{
	struct fixture *f = *state;

	one(f);
	for (int i = 0; i < 10; i++) {
		driver_gone(&f->d, 0);
		f->d.incarnation++;
		driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
		expect_unit(&f->d, "a", "active node_lost lost");
	}
	for (int i = 0; i < 2; i++) { /* as much as one that began: the second of these is the third */
		expect_unit(&f->d, "a", "active node_lost lost");
		driver_started(&f->d, "a");
		driver_gone(&f->d, 0);
		driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	}
	expect_unit(&f->d, "a", "failed node_lost poisoned");
}

static void losses_before_it_began_have_an_end(void **state)
{
	struct fixture *f = *state;

	one(f);
	for (int i = 0; i < 30; i++) {
		expect_unit(&f->d, "a", i ? "active node_lost lost" : "active");
		driver_gone(&f->d, 0);
		f->d.incarnation++;
		driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	}
	expect_unit(&f->d, "a", "failed node_lost poisoned");
}

static void a_lost_attempt_that_comes_back_in_time_is_taken_back(void **state)
{
	struct fixture *f = *state;
	struct proto_held h;

	one(f);
	driver_started(&f->d, "a");
	driver_gone(&f->d, 0);
	for (int i = 0; i < 70; i++)
		driver_wait(&f->d, 1000000);
	expect_unit(&f->d, "a", "ready node_lost lost");
	driver_forget_lines(&f->d);
	h = held(f, "a", PROTO_HELD_RUNNING);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 keep");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "active node_lost lost");
}

static void its_result_counts_if_nobody_was_given_the_unit(void **state)
{
	struct fixture *f = *state;
	struct proto_held h;

	one(f);
	driver_started(&f->d, "a");
	driver_gone(&f->d, 0);
	for (int i = 0; i < 70; i++)
		driver_wait(&f->d, 1000000);
	driver_act(&f->d, PROTO_MUT_PAUSE, NULL, 0);
	h = held(f, "a", PROTO_HELD_FINISHED);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	driver_forget_lines(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
}

static void afterwards_it_is_fenced(void **state)
{
	struct fixture *f = *state;
	struct proto_result late;
	struct proto_held h;

	one(f);
	driver_started(&f->d, "a");
	late = (struct proto_result){ .key = driver_key(&f->d, "a"), .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };
	h = held(f, "a", PROTO_HELD_FINISHED);
	driver_gone(&f->d, 0);
	driver_join(&f->d, "n2", 2, 1);
	for (int i = 0; i < 70; i++) {
		driver_wait(&f->d, 1000000);
		driver_beat(&f->d, 1);
	}
	driver_forget_lines(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 resend");
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS);
	driver_result(&f->d, 0, &late);
	expect(&f->d, "T result_fenced a#1");
	expect(&f->d, "> n1 ACK a#1 fenced");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "active node_lost lost");
}

/* --- messages that get lost --- */

static void a_dispatch_is_sent_again_until_it_is_answered(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_live(&f->d, 700000);
	expect_nothing(&f->d);
	driver_live(&f->d, 600000);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&f->d);
	driver_live(&f->d, 2500000);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	driver_taken(&f->d, "a");
	driver_live(&f->d, 50000000);
	expect_nothing(&f->d);
}

static void resends_are_never_more_than_36_seconds_apart(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_live(&f->d, 70000000);
	driver_forget_lines(&f->d);
	driver_live(&f->d, 37000000);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
}

static void a_result_twice_is_a_duplicate(void **state)
{
	struct fixture *f = *state;
	struct proto_result res;

	one(f);
	res = (struct proto_result){ .key = driver_key(&f->d, "a"), .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };
	driver_result(&f->d, 0, &res);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
	driver_result(&f->d, 0, &res);
	expect(&f->d, "> n1 ACK a#1 duplicate");
	expect_nothing(&f->d);
}

/* The journal lost its tail, and with it that attempt 1 had been assigned: the number is given out again, the result is the old one's. */
static void a_result_of_an_assignment_that_was_lost_is_not_taken(void **state)
{
	struct fixture *f = *state;
	struct proto_result res = { .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };
	struct proto_held h;

	one(f);
	res.key = driver_key(&f->d, "a");
	driver_result(&f->d, 0, &res); /* epoch 0: before ours */
	expect(&f->d, "> n1 ACK a#1 duplicate");
	expect_nothing(&f->d);
	res.epoch = 2; /* of a coordinator that there has not been */
	driver_result(&f->d, 0, &res);
	expect(&f->d, "> n1 ACK a#1 duplicate");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "active");
	h = (struct proto_held){ .key = res.key, .epoch = 0, .state = PROTO_HELD_RUNNING };
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 kill");
	res.epoch = 1;
	driver_forget_lines(&f->d);
	driver_result(&f->d, 0, &res);
	expect(&f->d, "> n1 ACK a#1 accepted");
}

static void nobody_may_end_another_nodes_attempt(void **state)
{
	struct fixture *f = *state;
	struct proto_result res = { .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };

	one(f);
	driver_join(&f->d, "n2", 1, 0);
	driver_forget_lines(&f->d);
	res.key = driver_key(&f->d, "a");
	driver_result(&f->d, 1, &res);
	expect(&f->d, "> n2 ACK a#1 duplicate");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "active");
	res.key.attempt = 0;
	driver_result(&f->d, 0, &res);
	res.key.attempt = UINT32_MAX;
	driver_result(&f->d, 0, &res);
	res.key.unit = UINT32_MAX;
	driver_result(&f->d, 0, &res);
	expect_unit(&f->d, "a", "active");
	driver_forget_lines(&f->d);
}

static void a_cancel_is_answered_by_not_here(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_act(&f->d, PROTO_MUT_CANCEL, "a", -1);
	expect(&f->d, "> n1 CANCEL a#1 cancelled");
	driver_live(&f->d, 1300000);
	expect(&f->d, "> n1 CANCEL a#1 cancelled");
	driver_not_here(&f->d, "a");
	expect(&f->d, "! run 1 cancelled none");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "cancelled cancelled");
}

static void a_cancel_is_said_again_after_a_new_link(void **state)
{
	struct fixture *f = *state;
	struct proto_held h;

	one(f);
	driver_started(&f->d, "a");
	h = held(f, "a", PROTO_HELD_RUNNING);
	driver_gone(&f->d, 0);
	driver_act(&f->d, PROTO_MUT_CANCEL, "a", -1);
	expect_nothing(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 keep");
	expect(&f->d, "> n1 CANCEL a#1 cancelled");
	expect_nothing(&f->d);
}

static void digests_are_compared_only_when_nothing_is_under_way(void **state)
{
	struct fixture *f = *state;
	struct proto_heartbeat hb = { .n = 1 };
	struct coord_event ev = { .kind = COORD_EV_HEARTBEAT, .peer = 1, .heartbeat = &hb };
	struct proto_attempt_key k;

	one(f);
	k = driver_key(&f->d, "a");
	hb.session = f->d.session[0];
	hb.received = 0; /* the DISPATCH has not arrived */
	driver_step(&f->d, &ev);
	expect(&f->d, "> n1 HB_ACK");
	hb.received = 1;
	hb.digest = proto_table_term(k);
	ev = (struct coord_event){ .kind = COORD_EV_HEARTBEAT, .peer = 1, .heartbeat = &hb };
	driver_step(&f->d, &ev);
	expect(&f->d, "> n1 HB_ACK");
	hb.digest = 0;
	ev = (struct coord_event){ .kind = COORD_EV_HEARTBEAT, .peer = 1, .heartbeat = &hb };
	driver_step(&f->d, &ev);
	expect(&f->d, "> n1 HB_ACK want_table");
	hb.session++;
	ev = (struct coord_event){ .kind = COORD_EV_HEARTBEAT, .peer = 1, .heartbeat = &hb };
	driver_step(&f->d, &ev);
	expect_nothing(&f->d); /* of another session */
}

/* --- refusals and health --- */

static void a_full_node_is_left_alone_for_a_second(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_reject(&f->d, "a", PROTO_REJECT_FULL);
	expect_nothing(&f->d);
	driver_live(&f->d, 999999);
	expect_nothing(&f->d);
	driver_live(&f->d, 1);
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
}

static void a_node_without_the_workspace_is_not_asked_again(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_reject(&f->d, "a", PROTO_REJECT_NO_WORKSPACE);
	driver_live(&f->d, 100000000);
	expect_nothing(&f->d);
	driver_join(&f->d, "n2", 2, 1);
	expect(&f->d, "> n2 WELCOME");
	expect(&f->d, "> n2 DISPATCH a#2 try=1");
}

static void a_node_that_breaks_units_gets_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n;

	plan_build_for_each(&f->b, "m", 8, "");
	f->b.plan.limits.environment = 100;
	driver_join(&f->d, "n1", 4, 0);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "m-0001", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	driver_succeed(&f->d, "m-0002");
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.active, 4); /* one success, and it is well again */
	driver_fail(&f->d, "m-0003", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	driver_fail(&f->d, "m-0004", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.active, 2);
}

static void three_in_a_row_quarantine_it_if_there_is_another(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 40, "");
	f->b.plan.limits.environment = 100;
	driver_join(&f->d, "n1", 4, 0);
	driver_join(&f->d, "n2", 4, 0);
	driver_submit(&f->d, &f->b);
	driver_show(&f->d, SHOW_TELLS);
	for (int i = 0, failed = 0; i < 8 && failed < 3; i++) {
		char id[16];
		struct coord_unit_view v;

		(void)snprintf(id, sizeof(id), "m-%04d", i + 1);
		coord_unit_view(f->d.c, 1, (uint32_t)i, &v);
		if (v.node == 0) {
			driver_forget_lines(&f->d);
			driver_fail(&f->d, id, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
			failed++;
		}
	}
	{
		bool seen = false;

		for (size_t at = 0; at < f->d.lines.bytes; at += strlen(f->d.lines.at + at) + 1)
			seen |= strcmp(f->d.lines.at + at, "T node_quarantined n1") == 0;
		assert_true(seen);
	}
}

/* n1 has broken three units in a row, n2 is there too; what is ready goes to n2. */
static void quarantine_n1(struct fixture *f)
{
	plan_build_for_each(&f->b, "m", 60, "");
	f->b.plan.limits.environment = 100;
	f->b.plan.lost_after_us = 100000000000;
	driver_join(&f->d, "n1", 4, 0);
	driver_join(&f->d, "n2", 4, 0);
	driver_submit(&f->d, &f->b);
	for (uint32_t i = 0, failed = 0; i < 8 && failed < 3; i++) {
		struct coord_unit_view v;
		char id[16];

		(void)snprintf(id, sizeof(id), "m-%04u", i + 1);
		coord_unit_view(f->d.c, 1, i, &v);
		if (v.node != 0 || v.state != COORD_UNIT_ACTIVE)
			continue;
		driver_fail(&f->d, id, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
		failed++;
	}
	for (uint32_t i = 0; i < 60; i++) { /* it keeps the fourth, which ends well as a cancelled one: no news of its health */
		struct coord_unit_view v;

		coord_unit_view(f->d.c, 1, i, &v);
		if (v.node == 0 && v.state == COORD_UNIT_ACTIVE) {
			struct proto_result res = { .key = { 1, i, v.attempt }, .epoch = 1, .outcome = PROTO_CANCELLED };

			driver_result(&f->d, 0, &res);
		}
	}
	driver_show(&f->d, SHOW_TELLS);
}

static uint32_t held_by_n1(struct fixture *f, uint32_t *unit)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < 60; i++) {
		struct coord_unit_view v;

		coord_unit_view(f->d.c, 1, i, &v);
		if (v.state != COORD_UNIT_ACTIVE || v.node != 0)
			continue;
		*unit = i;
		n++;
	}
	return n;
}

static void a_quarantined_node_is_tried_with_one_unit(void **state)
{
	struct fixture *f = *state;
	uint32_t unit = 0;
	char id[16];
	bool recovered = false;

	quarantine_n1(f);
	assert_int_equal(held_by_n1(f, &unit), 0);
	driver_live(&f->d, 4900000);
	assert_int_equal(held_by_n1(f, &unit), 0);
	driver_live(&f->d, 200000);
	assert_int_equal(held_by_n1(f, &unit), 1); /* the probe */
	(void)snprintf(id, sizeof(id), "m-%04u", unit + 1);
	driver_fail(&f->d, id, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	driver_live(&f->d, 4900000);
	assert_int_equal(held_by_n1(f, &unit), 0); /* the next one later */
	driver_live(&f->d, 5200000);
	assert_int_equal(held_by_n1(f, &unit), 1);
	driver_forget_lines(&f->d);
	(void)snprintf(id, sizeof(id), "m-%04u", unit + 1);
	driver_succeed(&f->d, id);
	for (size_t at = 0; at < f->d.lines.bytes; at += strlen(f->d.lines.at + at) + 1)
		recovered |= strcmp(f->d.lines.at + at, "T node_recovered n1") == 0;
	assert_true(recovered);
	assert_int_equal(held_by_n1(f, &unit), 4);
}

static void a_late_copy_of_a_hello_is_nothing(void **state)
{
	struct fixture *f = *state;
	struct proto_hello h = { .n = 3, .last = true, .node = { .name = RV_STR("n1"), .slots = 2, .incarnation = 2 } };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = 1, .hello = &h };

	one(f);
	memset(h.node.key, 1, sizeof(h.node.key));
	memset(h.node.boot_id, 1, sizeof(h.node.boot_id));
	driver_step(&f->d, &ev);
	driver_forget_lines(&f->d);
	ev = (struct coord_event){ .kind = COORD_EV_HELLO, .peer = 1, .hello = &h };
	driver_step(&f->d, &ev);
	expect_nothing(&f->d);
	h.n = 9;
	h.node.incarnation = 1; /* of the daemon before */
	ev = (struct coord_event){ .kind = COORD_EV_HELLO, .peer = 1, .hello = &h };
	driver_step(&f->d, &ev);
	expect_nothing(&f->d);
}

/* An attempt that began is a try, once, although it was given up on the way. */
static void what_was_taken_back_is_one_try(void **state)
{
	struct fixture *f = *state;
	struct coord_unit_view v;
	struct proto_held h;

	plan_build_unit(&f->b, "a", "");
	plan_build_settings(&f->b, "a")->retry.max = 1;
	plan_build_settings(&f->b, "a")->retry.on = PLAN_RETRY_ON_AGENT;
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "a");
	driver_gone(&f->d, 0);
	for (int i = 0; i < 70; i++)
		driver_wait(&f->d, 1000000);
	coord_unit_view(f->d.c, 1, 0, &v);
	assert_int_equal(v.tries, 1);
	driver_forget_lines(&f->d);
	h = held(f, "a", PROTO_HELD_RUNNING);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 keep");
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	coord_unit_view(f->d.c, 1, 0, &v);
	assert_int_equal(v.tries, 1);
	driver_live(&f->d, 20000000);
	driver_started(&f->d, "a");
	driver_succeed(&f->d, "a");
	coord_unit_view(f->d.c, 1, 0, &v);
	assert_int_equal(v.tries, 2);
	driver_forget_lines(&f->d);
}

static void a_failure_of_a_lost_attempt_counts_once(void **state)
{
	struct fixture *f = *state;
	struct proto_result late;
	struct proto_held h;

	one(f);
	driver_started(&f->d, "a");
	late = (struct proto_result){ .key = driver_key(&f->d, "a"), .epoch = 1, .outcome = PROTO_FAILED, .class = PROTO_CLASS_AGENT,
				      .reason = PROTO_REASON_EXIT, .flags = PROTO_RESULT_STARTED };
	driver_gone(&f->d, 0);
	for (int i = 0; i < 70; i++)
		driver_wait(&f->d, 1000000);
	driver_act(&f->d, PROTO_MUT_PAUSE, NULL, 0);
	h = held(f, "a", PROTO_HELD_FINISHED);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, &h, 1);
	driver_forget_lines(&f->d);
	driver_result(&f->d, 0, &late);
	expect(&f->d, "> n1 ACK a#1 duplicate");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "ready node_lost lost");
}

static void a_drained_node_gets_nothing_new(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 3, "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_act_node(&f->d, PROTO_MUT_DRAIN, 0);
	expect(&f->d, "> n1 DRAIN");
	driver_succeed(&f->d, "m-0001");
	expect(&f->d, "> n1 ACK m-0001#1 accepted");
	expect_nothing(&f->d);
	driver_act_node(&f->d, PROTO_MUT_UNDRAIN, 0);
	expect(&f->d, "> n1 DISPATCH m-0002#1 try=1");
}

/* DRAIN is among the counted words: who did not count it would take an ack that is under way for a lost one, and never again see a loss. */
static void a_drain_is_counted_on_both_sides(void **state)
{
	struct fixture *f = *state;
	struct proto_heartbeat hb = { .n = 1, .sent = 1, .received = 2 }; /* a's DISPATCH and the DRAIN; the ack of its result is under way */
	struct coord_event ev = { .kind = COORD_EV_HEARTBEAT, .peer = 1, .heartbeat = &hb };

	one(f);
	hb.session = f->d.session[0];
	hb.digest = proto_table_term(driver_key(&f->d, "a"));
	driver_act_node(&f->d, PROTO_MUT_DRAIN, 0);
	driver_succeed(&f->d, "a");
	driver_forget_lines(&f->d);
	driver_step(&f->d, &ev);
	expect(&f->d, "> n1 HB_ACK");
	hb.received = 3; /* it has come, and the attempt is held nevertheless */
	ev = (struct coord_event){ .kind = COORD_EV_HEARTBEAT, .peer = 1, .heartbeat = &hb };
	driver_step(&f->d, &ev);
	expect(&f->d, "> n1 HB_ACK want_table");
}

static void a_drained_node_s_deadline_ends_what_runs_there(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "once", "");
	plan_build_settings(&f->b, "once")->at_most_once = true;
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "a");
	driver_started(&f->d, "once");
	driver_join(&f->d, "n2", 2, 0);
	driver_forget_lines(&f->d);
	assert_int_equal(driver_drain(&f->d, PROTO_MUT_DRAIN, 0, -1), -1);
	driver_drain(&f->d, PROTO_MUT_DRAIN, 0, 5 * RV_US_PER_S);
	expect(&f->d, "> n1 DRAIN");
	driver_live(&f->d, 4 * RV_US_PER_S);
	expect_nothing(&f->d);
	driver_live(&f->d, 2 * RV_US_PER_S);
	expect(&f->d, "> n1 CANCEL a#1 retracted");
	expect_nothing(&f->d); /* what may start once and began is left to its end */
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n2 DISPATCH a#2 try=2");
	driver_started(&f->d, "a");
	driver_succeed(&f->d, "once");
	expect_unit(&f->d, "once", "succeeded");
	driver_forget_lines(&f->d);
	driver_act_node(&f->d, PROTO_MUT_UNDRAIN, 0);
	driver_live(&f->d, 10 * RV_US_PER_S);
	expect_nothing(&f->d);
}

static void what_a_removed_node_held_runs_elsewhere_at_once(void **state)
{
	struct fixture *f = *state;
	struct proto_hello h = { .n = 100, .last = true, .node = { .name = RV_STR("n1"), .slots = 2, .incarnation = 1 } };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = 1, .hello = &h };

	one(f);
	driver_join(&f->d, "n2", 1, 0);
	driver_forget_lines(&f->d);
	driver_act_node(&f->d, PROTO_MUT_REMOVE, 0);
	expect(&f->d, "> n1 GOAWAY 2");
	expect(&f->d, "> n2 DISPATCH a#2 try=1");
	expect_nothing(&f->d);
	memset(h.node.key, 1, sizeof(h.node.key));
	driver_step(&f->d, &ev);
	expect(&f->d, "> n1 GOAWAY 2");
	expect_nothing(&f->d);
}

static void a_key_that_is_let_in_anew_is_another_node(void **state)
{
	struct fixture *f = *state;
	struct proto_hello h = { .n = 100, .last = true, .node = { .name = RV_STR("n1"), .slots = 2, .incarnation = 1 } };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = 1, .hello = &h };

	one(f);
	driver_act_node(&f->d, PROTO_MUT_REMOVE, 0);
	driver_forget_lines(&f->d);
	memset(h.node.key, 1, sizeof(h.node.key));
	driver_step(&f->d, &ev); /* trusted by its link: nobody has said that it may come back */
	expect(&f->d, "> n1 GOAWAY 2");
	expect_nothing(&f->d);
	ev = (struct coord_event){ .kind = COORD_EV_HELLO, .peer = 2, .hello = &h, .admitted = true };
	f->d.node_count = 2;
	driver_step(&f->d, &ev);
	driver_turn(&f->d);
	assert_int_equal(coord_node_count(f->d.c), 2);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "a");
	driver_forget_lines(&f->d);
}

/* Whoever takes nodes away, one after another, poisons nothing by it. */
static void removed_nodes_poison_nothing(void **state)
{
	static const char *const names[] = { "n1", "n2", "n3", "n4", "n5" };
	struct fixture *f = *state;
	struct coord_run_counts counts;

	one(f);
	for (uint32_t i = 0; i < 4; i++) {
		driver_started(&f->d, "a");
		driver_join(&f->d, names[i + 1], 2, 1);
		driver_act_node(&f->d, PROTO_MUT_REMOVE, i);
		expect_unit(&f->d, "a", "active node_lost removed");
	}
	coord_run_counts(f->d.c, 1, &counts);
	assert_int_equal(counts.node_lost, 4);
	driver_succeed(&f->d, "a");
	driver_forget_lines(&f->d);
}

/* --- the coordinator starts anew --- */

static void after_a_restart_running_attempts_are_kept(void **state)
{
	struct fixture *f = *state;
	struct proto_held h[2];

	plan_build_for_each(&f->b, "m", 4, "");
	driver_join(&f->d, "n1", 3, 0);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "m-0001");
	driver_succeed(&f->d, "m-0003");
	h[0] = held(f, "m-0001", PROTO_HELD_RUNNING);
	h[1] = held(f, "m-0002", PROTO_HELD_FINISHED);
	driver_restart(&f->d);
	driver_forget_lines(&f->d);
	driver_turn(&f->d);
	expect_nothing(&f->d); /* nobody is here */
	driver_hello(&f->d, 0, "n1", 1, 3, 0, h, 2);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT m-0001#1 keep");
	expect(&f->d, "> n1 VERDICT m-0002#1 resend");
	expect(&f->d, "> n1 DISPATCH m-0004#1 try=1"); /* had been assigned, never arrived */
	expect_nothing(&f->d);
}

static void after_a_restart_waits_count_anew(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	plan_build_settings(&f->b, "a")->retry = (struct plan_retry){ .max = 1, .backoff = PLAN_BACKOFF_LINEAR, .base_us = 9000000,
								      .max_us = 9000000, .on = PLAN_RETRY_ON_AGENT };
	driver_join(&f->d, "n1", 3, 0);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_live(&f->d, 5000000);
	driver_restart(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 3, 0, NULL, 0);
	driver_live(&f->d, 8000000);
	expect_unit(&f->d, "a", "retry_wait agent exit");
	driver_live(&f->d, 1000000);
	expect_unit(&f->d, "a", "active agent exit");
}

static void a_run_that_had_ended_but_for_the_fact_ends_once(void **state)
{
	struct fixture *f = *state;
	size_t before;

	plan_build_unit(&f->b, "a", "");
	driver_join(&f->d, "n1", 3, 0);
	driver_submit(&f->d, &f->b);
	driver_turn(&f->d);
	{
		struct proto_result res = { .key = driver_key(&f->d, "a"), .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };
		struct coord_event ev = { .kind = COORD_EV_RESULT, .peer = 1, .result = &res, .now_us = f->d.now_us };
		struct coord_effects out = { .items = f->d.items, .capacity = f->d.room };

		before = f->d.facts.bytes;
		coord_step(f->d.c, &ev, &out);
		assert_int_equal(out.items[0].kind, COORD_FX_FACT);
		assert_int_equal(out.items[0].fact->kind, PROTO_FACT_ENDED);
		(void)proto_fact_encode(out.items[0].fact, &f->d.facts); /* and RUN_FINISHED got lost */
		assert_true(f->d.facts.bytes > before);
	}
	{
		struct rv_str at = rv_buf_str(&f->d.facts);
		struct coord *again = coord_create(&f->d.cfg);
		struct coord_effects out = { .items = f->d.items, .capacity = f->d.room };
		struct rv_arena arena;
		struct proto_fact fact;
		uint32_t finished = 0;

		rv_arena_init(&arena, 0);
		while (proto_fact_decode(&at, &arena, &fact, NULL) == 1) {
			struct coord_event ev = { .kind = COORD_EV_FACT, .now_us = 1, .fact = { .fact = &fact } };

			if (fact.kind == PROTO_FACT_RUN_ACCEPTED)
				ev.fact.graph = plan_build_graph(&f->b, 1);
			out.count = 0;
			coord_step(again, &ev, &out);
		}
		out.count = 0;
		coord_step(again, &(struct coord_event){ .kind = COORD_EV_SERVING, .now_us = 2, .serving = { .epoch = 2 } }, &out);
		for (uint32_t i = 0; i < out.count; i++)
			finished += out.items[i].kind == COORD_FX_FACT && out.items[i].fact->kind == PROTO_FACT_RUN_FINISHED;
		assert_int_equal(finished, 1);
		coord_destroy(&again);
		rv_arena_release(&arena);
	}
	f->d.facts.bytes = before; /* for the fixture's own replay */
	coord_destroy(&f->d.c);
	f->d.c = coord_create(&f->d.cfg);
	rv_buf_reset(&f->d.facts);
	driver_serve(&f->d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_node_has_as_many_slots_as_there_may_be),
		TEST(a_node_that_comes_back_keeps_what_runs),
		TEST(a_finished_one_is_asked_for_its_result),
		TEST(what_never_arrived_is_sent_again),
		TEST(what_was_there_and_is_not_is_lost),
		TEST(another_boot_has_lost_everything),
		TEST(at_most_once_that_is_not_there_is_lost_for_good),
		TEST(at_most_once_that_its_own_daemon_denies_is_sent_again),
		TEST(at_most_once_that_was_cancelled_and_is_denied_never_began),
		TEST(at_most_once_of_another_daemon_stays_lost_over_a_restart),
		TEST(what_another_daemon_was_sent_gets_a_new_number),
		TEST(what_another_daemon_was_sent_gets_a_new_number_over_a_restart),
		TEST(strangers_attempts_are_killed_or_forgotten),
		TEST(a_second_machine_with_the_same_key_is_sent_away),
		TEST(a_name_that_another_key_has_is_refused),
		TEST(a_hello_comes_in_pages),
		TEST(the_third_loss_is_poison),
		TEST(losses_before_it_began_count_a_tenth),
		TEST(losses_before_it_began_have_an_end),
		TEST(a_lost_attempt_that_comes_back_in_time_is_taken_back),
		TEST(its_result_counts_if_nobody_was_given_the_unit),
		TEST(afterwards_it_is_fenced),
		TEST(a_dispatch_is_sent_again_until_it_is_answered),
		TEST(resends_are_never_more_than_36_seconds_apart),
		TEST(a_result_twice_is_a_duplicate),
		TEST(a_result_of_an_assignment_that_was_lost_is_not_taken),
		TEST(nobody_may_end_another_nodes_attempt),
		TEST(a_cancel_is_answered_by_not_here),
		TEST(a_cancel_is_said_again_after_a_new_link),
		TEST(digests_are_compared_only_when_nothing_is_under_way),
		TEST(a_full_node_is_left_alone_for_a_second),
		TEST(a_node_without_the_workspace_is_not_asked_again),
		TEST(a_node_that_breaks_units_gets_one_at_a_time),
		TEST(three_in_a_row_quarantine_it_if_there_is_another),
		TEST(a_quarantined_node_is_tried_with_one_unit),
		TEST(a_late_copy_of_a_hello_is_nothing),
		TEST(what_was_taken_back_is_one_try),
		TEST(a_failure_of_a_lost_attempt_counts_once),
		TEST(a_drained_node_gets_nothing_new),
		TEST(a_drain_is_counted_on_both_sides),
		TEST(a_key_that_is_let_in_anew_is_another_node),
		TEST(removed_nodes_poison_nothing),
		TEST(a_drained_node_s_deadline_ends_what_runs_there),
		TEST(what_a_removed_node_held_runs_elsewhere_at_once),
		TEST(after_a_restart_running_attempts_are_kept),
		TEST(after_a_restart_waits_count_anew),
		TEST(a_run_that_had_ended_but_for_the_fact_ends_once),
	};

	return RUN(tests);
}
