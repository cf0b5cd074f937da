/* What is handed over behind the attempt it depends on: which units, and what becomes of them when that one ends, is lost, or comes back. */
#include "tests/core/coord_fixture.h"

#include "coordinator/core/explain.h"

static int setup_prefetch(void **state)
{
	struct coord_config cfg;

	coord_config_init(&cfg);
	cfg.attempts_max = 1024;
	return fixture_setup(state, &cfg);
}

/* a -> b -> c -> d -> e, each half a millisecond long, as its plan says. */
static void chain(struct fixture *f)
{
	static const char *const ids[] = { "a", "b", "c", "d", "e" };

	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++) {
		plan_build_unit(&f->b, ids[i], i ? ids[i - 1] : "");
		plan_build_estimate(&f->b, ids[i], 500);
	}
}

static void result_of(struct fixture *f, const char *unit, enum proto_outcome outcome)
{
	struct proto_result res = { .key = driver_key(&f->d, unit), .epoch = 1, .outcome = outcome, .flags = PROTO_RESULT_STARTED, .duration_us = 400 };

	if (outcome == PROTO_FAILED) {
		res.class = PROTO_CLASS_AGENT;
		res.exit = 1;
	}
	driver_result(&f->d, 0, &res);
}

static void served(struct fixture *f)
{
	chain(f);
	driver_join(&f->d, "n1", 1, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
}

static void a_short_chain_goes_to_one_node_ahead_of_its_results(void **state)
{
	struct fixture *f = *state;

	served(f);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect(&f->d, "> n1 DISPATCH b#1 try=1 after a#1");
	expect(&f->d, "> n1 DISPATCH c#1 try=1 after b#1");
	expect(&f->d, "> n1 DISPATCH d#1 try=1 after c#1");
	expect_nothing(&f->d); /* no more than three behind one */
	result_of(f, "a", PROTO_SUCCEEDED);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH e#1 try=1 after d#1");
	result_of(f, "b", PROTO_SUCCEEDED);
	result_of(f, "c", PROTO_SUCCEEDED);
	result_of(f, "d", PROTO_SUCCEEDED);
	driver_forget_lines(&f->d);
	result_of(f, "e", PROTO_SUCCEEDED);
	expect(&f->d, "> n1 ACK e#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
}

static void what_is_not_known_to_be_short_is_waited_for(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	driver_join(&f->d, "n1", 1, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&f->d);
	plan_build_unit(&f->b2, "x", "");
	plan_build_unit(&f->b2, "y", "x");
	plan_build_estimate(&f->b2, "x", 5000000);
	driver_join(&f->d, "n2", 1, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b2);
	expect(&f->d, "> n2 DISPATCH 2/x#1 try=1");
	expect_nothing(&f->d);
}

static void it_takes_no_place_before_it_may_begin(void **state)
{
	struct fixture *f = *state;
	struct coord_node_view n;

	served(f);
	coord_node_view(f->d.c, 0, &n);
	assert_int_equal(n.slots_used, 1);
	assert_int_equal(n.attempts, 4);
	result_of(f, "a", PROTO_SUCCEEDED);
	coord_node_view(f->d.c, 0, &n);
	assert_int_equal(n.slots_used, 1);
	assert_int_equal(n.attempts, 4);
}

static void note(void *arg, const struct coord_obstacle *o)
{
	*(struct coord_obstacle *)arg = *o;
}

static void explain_says_what_it_stands_behind(void **state)
{
	struct fixture *f = *state;
	struct coord_obstacle told = { .other = COORD_NONE };

	served(f);
	coord_explain(f->d.c, 1, 1, note, &told);
	assert_int_equal(told.kind, COORD_O_ACTIVE);
	assert_int_equal(told.other, 0);
	coord_explain(f->d.c, 1, 0, note, &told);
	assert_int_equal(told.other, COORD_NONE);
}

static void a_failure_gives_back_what_stands_behind_it(void **state)
{
	struct fixture *f = *state;

	served(f);
	driver_forget_lines(&f->d);
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS);
	result_of(f, "a", PROTO_FAILED);
	expect(&f->d, "> n1 CANCEL d#1 retracted"); /* of whose assignment nobody was told */
	expect(&f->d, "> n1 CANCEL c#1 retracted");
	expect(&f->d, "> n1 CANCEL b#1 retracted");
	expect(&f->d, "T unit_finished a failed");
	expect_unit(&f->d, "b", "skipped blocked a");
	expect_unit(&f->d, "e", "skipped blocked a");
}

static void another_try_takes_them_along_again(void **state)
{
	struct fixture *f = *state;

	chain(f);
	plan_build_settings(&f->b, "a")->retry.max = 1;
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	result_of(f, "a", PROTO_FAILED);
	expect_unit(&f->d, "b", "pending");
	driver_forget_lines(&f->d);
	driver_live(&f->d, 10 * (uint64_t)RV_US_PER_S);
	expect(&f->d, "> n1 DISPATCH a#2 try=2");
	expect(&f->d, "> n1 DISPATCH b#2 try=1 after a#2");
	driver_forget_lines(&f->d);
	result_of(f, "a", PROTO_SUCCEEDED);
	result_of(f, "b", PROTO_SUCCEEDED);
	expect_unit(&f->d, "b", "succeeded");
}

static void a_result_that_overtakes_is_not_heard(void **state)
{
	struct fixture *f = *state;

	served(f);
	driver_taken(&f->d, "b");
	driver_started(&f->d, "b");
	driver_forget_lines(&f->d);
	result_of(f, "b", PROTO_SUCCEEDED);
	expect_nothing(&f->d); /* no ack: the node keeps it */
	expect_unit(&f->d, "b", "pending");
	result_of(f, "a", PROTO_SUCCEEDED);
	expect(&f->d, "> n1 DISPATCH b#1 try=1"); /* it is asked for that result */
	expect(&f->d, "> n1 ACK a#1 accepted");
	driver_forget_lines(&f->d);
	result_of(f, "b", PROTO_SUCCEEDED);
	expect(&f->d, "> n1 ACK b#1 accepted");
}

static void one_that_is_cancelled_ends_at_once_and_alone(void **state)
{
	struct fixture *f = *state;

	served(f);
	driver_forget_lines(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_CANCEL, "b", -1), 0);
	expect(&f->d, "> n1 CANCEL d#1 retracted");
	expect(&f->d, "> n1 CANCEL c#1 retracted");
	expect(&f->d, "> n1 CANCEL b#1 retracted");
	expect_unit(&f->d, "b", "cancelled cancelled");
	expect_unit(&f->d, "c", "skipped blocked b");
	expect_unit(&f->d, "a", "active");
	result_of(f, "a", PROTO_SUCCEEDED);
	expect_unit(&f->d, "a", "succeeded");
}

static void a_lost_node_loses_the_row(void **state)
{
	struct fixture *f = *state;

	served(f);
	driver_join(&f->d, "n2", 1, 0);
	driver_forget_lines(&f->d);
	assert_int_equal(driver_act_node(&f->d, PROTO_MUT_REMOVE, 0), 0);
	expect(&f->d, "> n1 GOAWAY 2");
	expect(&f->d, "> n2 DISPATCH a#2 try=1");
	expect(&f->d, "> n2 DISPATCH b#2 try=1 after a#2");
}

static void a_restart_finds_the_row_again(void **state)
{
	struct fixture *f = *state;
	struct proto_held held[] = { { { 1, 0, 1 }, 1, PROTO_HELD_FINISHED }, { { 1, 1, 1 }, 1, PROTO_HELD_RUNNING }, { { 1, 2, 1 }, 1, PROTO_HELD_QUEUED } };

	served(f);
	driver_restart(&f->d);
	driver_forget_lines(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 1, 0, held, RV_ARRAY_LEN(held));
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 resend");
	expect(&f->d, "> n1 VERDICT b#1 keep");
	expect(&f->d, "> n1 VERDICT c#1 keep");
	expect(&f->d, "> n1 DISPATCH d#1 try=1 after c#1"); /* it had not arrived */
	expect_nothing(&f->d);
	result_of(f, "a", PROTO_SUCCEEDED);
	result_of(f, "b", PROTO_SUCCEEDED);
	expect_unit(&f->d, "b", "succeeded");
	expect_unit(&f->d, "c", "active");
}

static void a_row_whose_head_is_gone_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct proto_held held[] = { { { 1, 1, 1 }, 1, PROTO_HELD_QUEUED } };

	served(f);
	driver_taken(&f->d, "a");
	driver_forget_lines(&f->d);
	f->d.incarnation = 2; /* another daemon, which does not know the first one */
	driver_hello(&f->d, 0, "n1", 1, 1, 0, held, RV_ARRAY_LEN(held));
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT b#1 keep");
	expect(&f->d, "> n1 CANCEL b#1 retracted");
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	expect(&f->d, "> n1 DISPATCH b#2 try=1 after a#2");
}

/* The failure of b, which the node told, was overtaken by nothing that it knows of: it has given up c by itself. */
static void what_the_same_daemon_has_given_up_by_itself_is_not_lost(void **state)
{
	struct fixture *f = *state;
	struct proto_held held[] = { { { 1, 0, 1 }, 1, PROTO_HELD_RUNNING }, { { 1, 1, 1 }, 1, PROTO_HELD_FINISHED } };
	struct coord_run_counts n;

	served(f);
	driver_taken(&f->d, "b");
	driver_taken(&f->d, "c");
	driver_taken(&f->d, "d");
	driver_hello(&f->d, 0, "n1", 1, 1, 0, held, RV_ARRAY_LEN(held));
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.node_lost, 0);
	expect_unit(&f->d, "c", "pending");
	expect_unit(&f->d, "d", "pending");
}

static void a_node_that_cannot_is_handed_nothing_behind(void **state)
{
	struct fixture *f = *state;

	f->d.holds_nothing_behind = true;
	served(f);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&f->d);
	result_of(f, "a", PROTO_SUCCEEDED);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_nothing(&f->d);
}

static void a_node_that_cannot_any_more_gets_it_when_it_may_begin(void **state)
{
	struct fixture *f = *state;
	struct proto_held held[] = { { { 1, 0, 1 }, 1, PROTO_HELD_RUNNING } };

	served(f);
	driver_gone(&f->d, 0);
	f->d.holds_nothing_behind = true;
	driver_forget_lines(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 1, 0, held, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT a#1 keep");
	expect_nothing(&f->d);
	result_of(f, "a", PROTO_SUCCEEDED);
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect_nothing(&f->d);
}

static void for_people_it_is_pending_until_it_may_begin(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n;

	chain(f);
	driver_join(&f->d, "n1", 1, 0);
	driver_forget_lines(&f->d);
	driver_show(&f->d, SHOW_TELLS);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "T run_accepted 1 running");
	expect(&f->d, "T unit_ready a");
	expect(&f->d, "T run_started 1 running");
	expect(&f->d, "T unit_assigned a#1");
	expect_nothing(&f->d);
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.active, 1);
	assert_int_equal(n.pending, 4);
	expect_unit(&f->d, "b", "pending");
	result_of(f, "a", PROTO_SUCCEEDED);
	expect(&f->d, "T unit_finished a succeeded");
	expect(&f->d, "T unit_assigned b#1");
	expect_nothing(&f->d);
	expect_unit(&f->d, "b", "active");
}

static void behind_one_that_takes_long_after_all_it_is_asked_back(void **state)
{
	struct fixture *f = *state;

	served(f);
	driver_taken(&f->d, "a");
	driver_taken(&f->d, "b");
	driver_taken(&f->d, "c");
	driver_taken(&f->d, "d");
	driver_forget_lines(&f->d);
	driver_live(&f->d, 99000);
	expect_nothing(&f->d);
	driver_live(&f->d, 2000);
	expect(&f->d, "> n1 RETRACT b#1");
	expect_nothing(&f->d); /* what stands behind it goes with it */
	driver_retracted(&f->d, "b");
	expect(&f->d, "> n1 CANCEL d#1 retracted");
	expect(&f->d, "> n1 CANCEL c#1 retracted");
	expect_nothing(&f->d); /* and it is not handed over again behind the same */
	driver_live(&f->d, 500000);
	expect_nothing(&f->d);
	result_of(f, "a", PROTO_SUCCEEDED);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#2 try=1");
	expect(&f->d, "> n1 DISPATCH c#2 try=1 after b#2");
}

static void what_is_ready_goes_first(void **state)
{
	struct fixture *f = *state;

	chain(f);
	plan_build_unit(&f->b2, "long", "");
	plan_build_estimate(&f->b2, "long", 60000000);
	plan_build_unit(&f->b2, "long2", "");
	plan_build_estimate(&f->b2, "long2", 60000000);
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b2);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	driver_act(&f->d, PROTO_MUT_SET_PRIORITY, "2/a", 5);
	expect_unit(&f->d, "2/b", "pending");
	expect_unit(&f->d, "1/long2", "ready");
}

static void only_plain_commands_that_wait_for_nothing_else(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "x", "");
	plan_build_unit(&f->b, "once", "a");
	plan_build_unit(&f->b, "join", "a x");
	plan_build_unit(&f->b, "held", "a");
	plan_build_unit(&f->b, "done", "a");
	plan_build_unit(&f->b, "locked", "a");
	for (uint32_t i = 0; i < 7; i++)
		plan_build_estimate(&f->b, ((const char *const[]){ "a", "x", "once", "join", "held", "done", "locked" })[i], 500);
	plan_build_settings(&f->b, "once")->at_most_once = true;
	plan_build_settings(&f->b, "held")->hold = true;
	plan_build_settings(&f->b, "done")->trigger = PLAN_ALL_DONE;
	plan_build_lock(&f->b, "locked", "l", 1);
	driver_join(&f->d, "n1", 2, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	expect_unit(&f->d, "once", "pending");
	expect_unit(&f->d, "join", "pending");
	expect_unit(&f->d, "held", "pending");
	expect_unit(&f->d, "done", "pending");
	expect_unit(&f->d, "locked", "pending");
}

static void a_run_with_a_limit_of_workers_hands_over_nothing_behind(void **state)
{
	struct fixture *f = *state;

	chain(f);
	f->b.plan.max_workers = 4;
	driver_join(&f->d, "n1", 1, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&f->d);
}

static void a_stopped_run_closes_what_was_given_back(void **state)
{
	struct fixture *f = *state;

	chain(f);
	f->b.plan.on_failure = PLAN_FINISH;
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	result_of(f, "a", PROTO_FAILED);
	expect_unit(&f->d, "a", "failed agent");
	expect_unit(&f->d, "b", "skipped blocked a");
	expect_unit(&f->d, "d", "skipped blocked a");
}


/* The link broke, the first one failed meanwhile, and the node forgot what stood behind it. */
static void what_was_forgotten_with_a_failure_is_not_lost(void **state)
{
	struct fixture *f = *state;
	struct proto_held held[] = { { { 1, 0, 1 }, 1, PROTO_HELD_FINISHED } };

	chain(f);
	plan_build_settings(&f->b, "a")->retry.max = 3;
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_taken(&f->d, "a");
	driver_taken(&f->d, "b");
	driver_taken(&f->d, "c");
	driver_taken(&f->d, "d");
	driver_gone(&f->d, 0);
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS);
	driver_forget_lines(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 1, 0, held, 1);
	expect_unit(&f->d, "b", "pending");
}

static void what_cannot_be_prepared_does_not_fail_before_its_turn(void **state)
{
	struct fixture *f = *state;
	struct proto_result res = { .epoch = 1, .outcome = PROTO_FAILED, .class = PROTO_CLASS_CONFIG, .reason = PROTO_REASON_TEMPLATE, .exit = -1 };

	chain(f);
	f->b.plan.on_failure = PLAN_FAIL_FAST;
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	res.key = driver_key(&f->d, "b");
	driver_result(&f->d, 0, &res);
	expect_unit(&f->d, "b", "pending");
}

/* Results came in another order than their units ended: the row is asked for them at once, in its order. */
static void a_row_that_has_overtaken_is_asked_for_in_its_order(void **state)
{
	struct fixture *f = *state;

	served(f);
	result_of(f, "b", PROTO_SUCCEEDED);
	result_of(f, "c", PROTO_SUCCEEDED);
	driver_forget_lines(&f->d);
	result_of(f, "a", PROTO_SUCCEEDED);
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect(&f->d, "> n1 DISPATCH c#1 try=1 after b#1");
	expect(&f->d, "> n1 ACK a#1 accepted");
}

static void a_unit_that_stands_behind_can_be_skipped(void **state)
{
	struct fixture *f = *state;

	served(f);
	driver_forget_lines(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SKIP, "d", -1), 0);
}

static void a_unit_that_stands_behind_can_be_held(void **state)
{
	struct fixture *f = *state;

	served(f);
	driver_forget_lines(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_HOLD, "d", -1), 0);
	result_of(f, "a", PROTO_SUCCEEDED);
	result_of(f, "b", PROTO_SUCCEEDED);
	result_of(f, "c", PROTO_SUCCEEDED);
	expect_unit(&f->d, "d", "held");
}

/* x, which b needs, too, is asked for once more. */
static void a_retry_of_another_dependency_takes_it_back(void **state)
{
	struct fixture *f = *state;
	struct coord_node_view n;

	plan_build_unit(&f->b, "x", "");
	plan_build_unit(&f->b, "a", "x");
	plan_build_unit(&f->b, "b", "a x");
	for (uint32_t i = 0; i < 3; i++)
		plan_build_estimate(&f->b, ((const char *const[]){ "x", "a", "b" })[i], 500);
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	result_of(f, "x", PROTO_SUCCEEDED);
	driver_forget_lines(&f->d);
	coord_node_view(f->d.c, 0, &n);
	assert_int_equal(n.attempts, 2);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RETRY, "x", -1), 0);
	result_of(f, "a", PROTO_SUCCEEDED);
	driver_turn(&f->d);
	result_of(f, "x", PROTO_FAILED);
	expect_unit(&f->d, "b", "skipped blocked x");
}

/* The run is interrupted; the first one's answer ends both, and what follows from either is the same live and replayed. */
static void an_end_of_two_is_replayed_alike(void **state)
{
	struct fixture *f = *state;
	struct proto_result res = { .epoch = 1, .outcome = PROTO_CANCELLED, .reason = PROTO_REASON_INTERRUPTED, .exit = -1 };

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	plan_build_unit(&f->b, "y", "b");
	plan_build_unit(&f->b, "z", "y a");
	plan_build_estimate(&f->b, "a", 500);
	plan_build_estimate(&f->b, "b", 5000000);
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_stop(&f->d, 1, PROTO_REASON_INTERRUPTED);
	res.key = driver_key(&f->d, "a");
	driver_result(&f->d, 0, &res);
	expect_unit(&f->d, "a", "cancelled interrupted");
	driver_check_replay(&f->d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_prefetch, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_forgotten_with_a_failure_is_not_lost),
		TEST(what_cannot_be_prepared_does_not_fail_before_its_turn),
		TEST(an_end_of_two_is_replayed_alike),
		TEST(a_retry_of_another_dependency_takes_it_back),
		TEST(a_row_that_has_overtaken_is_asked_for_in_its_order),
		TEST(a_unit_that_stands_behind_can_be_skipped),
		TEST(a_unit_that_stands_behind_can_be_held),
		TEST(a_short_chain_goes_to_one_node_ahead_of_its_results),
		TEST(what_is_not_known_to_be_short_is_waited_for),
		TEST(it_takes_no_place_before_it_may_begin),
		TEST(explain_says_what_it_stands_behind),
		TEST(a_failure_gives_back_what_stands_behind_it),
		TEST(another_try_takes_them_along_again),
		TEST(a_result_that_overtakes_is_not_heard),
		TEST(one_that_is_cancelled_ends_at_once_and_alone),
		TEST(a_lost_node_loses_the_row),
		TEST(a_restart_finds_the_row_again),
		TEST(a_row_whose_head_is_gone_is_given_back),
		TEST(what_the_same_daemon_has_given_up_by_itself_is_not_lost),
		TEST(a_node_that_cannot_is_handed_nothing_behind),
		TEST(a_node_that_cannot_any_more_gets_it_when_it_may_begin),
		TEST(for_people_it_is_pending_until_it_may_begin),
		TEST(behind_one_that_takes_long_after_all_it_is_asked_back),
		TEST(what_is_ready_goes_first),
		TEST(only_plain_commands_that_wait_for_nothing_else),
		TEST(a_run_with_a_limit_of_workers_hands_over_nothing_behind),
		TEST(a_stopped_run_closes_what_was_given_back),
	};

	return RUN(tests);
}
