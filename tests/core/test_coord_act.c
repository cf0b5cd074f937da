/* What people do to runs and units; request ids; resume and retry; slices; several cores apart. */
#include "tests/core/coord_fixture.h"

static void three(struct fixture *f)
{
	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	plan_build_unit(&f->b, "c", "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
}

static void cancelling_a_run_ends_all_of_it(void **state)
{
	struct fixture *f = *state;

	three(f);
	driver_act(&f->d, PROTO_MUT_CANCEL, NULL, -1);
	expect(&f->d, "> n1 CANCEL a#1 cancelled");
	expect_nothing(&f->d);
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 cancelled cancelled");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "cancelled cancelled");
	expect_unit(&f->d, "b", "skipped blocked a");
	expect_unit(&f->d, "c", "cancelled cancelled");
	driver_act(&f->d, PROTO_MUT_CANCEL, NULL, -1); /* again: nothing */
	expect_nothing(&f->d);
}

static void an_interrupt_in_a_hurry_says_it_again(void **state)
{
	struct fixture *f = *state;

	three(f);
	driver_stop(&f->d, 1, PROTO_REASON_INTERRUPTED);
	expect(&f->d, "> n1 CANCEL a#1 interrupted");
	driver_stop(&f->d, 1, PROTO_REASON_INTERRUPTED);
	expect(&f->d, "> n1 CANCEL a#1 interrupted");
	expect_nothing(&f->d);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_SIGNAL);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 cancelled interrupted");
	expect_nothing(&f->d);
}

static void cancelling_a_unit_skips_its_dependents(void **state)
{
	struct fixture *f = *state;

	three(f);
	driver_act(&f->d, PROTO_MUT_CANCEL, "c", -1); /* waits: ends at once */
	expect_nothing(&f->d);
	expect_unit(&f->d, "c", "cancelled cancelled");
	driver_act(&f->d, PROTO_MUT_CANCEL, "a", -1);
	expect(&f->d, "> n1 CANCEL a#1 cancelled");
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 cancelled none");
	expect_unit(&f->d, "b", "skipped blocked a");
}

static void a_success_that_overtakes_its_cancel_is_kept(void **state)
{
	struct fixture *f = *state;

	three(f);
	driver_act(&f->d, PROTO_MUT_CANCEL, "a", -1);
	driver_succeed(&f->d, "a");
	expect_unit(&f->d, "a", "succeeded");
	expect_unit(&f->d, "b", "active");
	driver_forget_lines(&f->d);
}

static void pause_stops_dispatch_only(void **state)
{
	struct fixture *f = *state;

	three(f);
	driver_act(&f->d, PROTO_MUT_PAUSE, NULL, 0);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect_nothing(&f->d);
	assert_int_equal(coord_run_state(f->d.c, 1, NULL), COORD_RUN_PAUSED);
	driver_act(&f->d, PROTO_MUT_UNPAUSE, NULL, 0);
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_nothing(&f->d);
}

static void hold_and_release_one_unit(void **state)
{
	struct fixture *f = *state;

	three(f);
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS);
	driver_act(&f->d, PROTO_MUT_HOLD, "b", 0);
	expect_nothing(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "T unit_finished a succeeded");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "T unit_held b");
	expect(&f->d, "T unit_assigned c#1");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "c");
	driver_forget_lines(&f->d);
	driver_act(&f->d, PROTO_MUT_RELEASE, "b", 0);
	expect(&f->d, "T unit_released b");
	expect(&f->d, "T unit_ready b");
	expect(&f->d, "T unit_assigned b#1");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
}

/* `hold: true`: the plan's own gate, shut from the start. */
static void a_gate_of_the_plan_waits_for_a_person(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "design", "");
	plan_build_unit(&f->b, "approve", "design");
	plan_build_unit(&f->b, "code", "approve");
	plan_build_settings(&f->b, "approve")->hold = true;
	driver_join(&f->d, "n1", 3, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_succeed(&f->d, "design");
	expect(&f->d, "> n1 ACK design#1 accepted");
	expect_nothing(&f->d);
	expect_unit(&f->d, "approve", "held");
	driver_check_replay(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RELEASE, "approve", 0), 0);
	expect(&f->d, "> n1 DISPATCH approve#1 try=1");
	expect_nothing(&f->d);
}

static void a_gate_that_was_never_reached_stays_shut_over_a_retry(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "design", "");
	plan_build_unit(&f->b, "approve", "design");
	plan_build_settings(&f->b, "approve")->hold = true;
	driver_join(&f->d, "n1", 3, 0);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "design", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "approve", "skipped blocked design");
	driver_act(&f->d, PROTO_MUT_RETRY, "design", 0);
	driver_succeed(&f->d, "design");
	expect_unit(&f->d, "approve", "held");
	driver_forget_lines(&f->d);
}

static void skip_a_unit(void **state)
{
	struct fixture *f = *state;

	three(f);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SKIP, "a", 0), -1); /* it runs */
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SKIP, "c", 0), 0);
	expect_unit(&f->d, "c", "skipped skipped");
	driver_succeed(&f->d, "a");
	driver_succeed(&f->d, "b");
	driver_show(&f->d, 0);
	assert_int_equal(coord_run_state(f->d.c, 1, NULL), COORD_RUN_FAILED);
}

static void acts_on_what_has_ended_change_nothing(void **state)
{
	struct fixture *f = *state;

	three(f);
	driver_succeed(&f->d, "a");
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS | SHOW_SHELL);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_HOLD, "a", 0), 0);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RELEASE, "a", 0), 0);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SKIP, "a", 0), 0);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_CANCEL, "a", -1), 0);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RELEASE, "b", 0), 0); /* runs, and was not held */
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "succeeded");
	expect_unit(&f->d, "b", "active");
}

static void a_request_is_done_once(void **state)
{
	struct fixture *f = *state;
	struct proto_fact fact = { .kind = PROTO_FACT_MUTATION };
	struct coord_event ev = { .kind = COORD_EV_MUTATION, .mutation = { .fact = &fact, .client = 5 } };

	three(f);
	fact.mutation.what = PROTO_MUT_PAUSE;
	fact.mutation.run = 1;
	fact.mutation.unit = fact.mutation.node = RV_MAP_NONE;
	fact.mutation.request = 42;
	driver_step(&f->d, &ev);
	expect(&f->d, "! reply 5 changed=1");
	fact.mutation.what = PROTO_MUT_UNPAUSE; /* whatever it says: 42 is done */
	ev = (struct coord_event){ .kind = COORD_EV_MUTATION, .mutation = { .fact = &fact, .client = 5 } };
	driver_step(&f->d, &ev);
	expect(&f->d, "! reply 5 changed=0 done before");
	assert_int_equal(coord_run_state(f->d.c, 1, NULL), COORD_RUN_PAUSED);
	driver_restart(&f->d);
	driver_forget_lines(&f->d);
	ev = (struct coord_event){ .kind = COORD_EV_MUTATION, .mutation = { .fact = &fact, .client = 5 } };
	driver_step(&f->d, &ev);
	expect(&f->d, "! reply 5 changed=0 done before"); /* after a restart, too */
}

static void ten_thousand_request_ids_are_remembered(void **state)
{
	struct fixture *f = *state;
	struct proto_fact fact = { .kind = PROTO_FACT_MUTATION };

	three(f);
	f->d.audit = false;
	driver_show(&f->d, SHOW_SHELL);
	fact.mutation.what = PROTO_MUT_UNPAUSE;
	fact.mutation.run = 1;
	fact.mutation.unit = fact.mutation.node = RV_MAP_NONE;
	for (uint64_t i = 1; i <= 10002; i++) {
		struct coord_event ev = { .kind = COORD_EV_MUTATION, .mutation = { .fact = &fact, .client = 0 } };

		fact.mutation.request = i;
		driver_step(&f->d, &ev);
	}
	for (uint64_t i = 2; i <= 3; i++) { /* 1 and 2 were forgotten, 3 is the oldest */
		struct coord_event ev = { .kind = COORD_EV_MUTATION, .mutation = { .fact = &fact, .client = 9 } };

		fact.mutation.request = i == 2 ? 3 : 2;
		driver_step(&f->d, &ev);
		expect(&f->d, i == 2 ? "! reply 9 changed=0 done before" : "! reply 9 changed=0");
	}
}

/* --- going on --- */

static void resume_puts_back_what_did_not_succeed(void **state)
{
	struct fixture *f = *state;

	three(f);
	plan_build_settings(&f->b, "a")->retry.max = 0;
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_succeed(&f->d, "c");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	expect(&f->d, "> n1 ACK c#1 accepted");
	expect(&f->d, "! run 1 failed none");
	driver_restart(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 1, 0, NULL, 0);
	driver_forget_lines(&f->d);
	driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0);
	expect(&f->d, "> n1 DISPATCH a#2 try=1"); /* tries start anew, attempts only grow */
	expect_nothing(&f->d);
	expect_unit(&f->d, "b", "pending");
	expect_unit(&f->d, "c", "succeeded");
	driver_succeed(&f->d, "a");
	driver_succeed(&f->d, "b");
	expect(&f->d, "> n1 ACK a#2 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
	expect_nothing(&f->d);
}

/* It was cancelled, and nobody heard how it ended: it may have begun. */
static void resume_leaves_alone_what_was_lost_while_it_was_cancelled(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "once", "");
	plan_build_unit(&f->b, "more", "");
	plan_build_settings(&f->b, "once")->at_most_once = true;
	driver_join(&f->d, "n1", 3, 0);
	driver_submit(&f->d, &f->b);
	driver_act(&f->d, PROTO_MUT_CANCEL, NULL, -1);
	driver_gone(&f->d, 0);
	f->d.incarnation = 2;
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect_unit(&f->d, "once", "failed node_lost lost");
	expect_unit(&f->d, "more", "cancelled cancelled");
	assert_int_equal(coord_run_state(f->d.c, 1, NULL), COORD_RUN_CANCELLED);
	driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0);
	expect_unit(&f->d, "once", "failed node_lost lost");
	expect_unit(&f->d, "more", "active");
	driver_forget_lines(&f->d);
}

/* What began, or may have begun, stays as it is: only a person who names it starts it again. */
static void resume_leaves_alone_what_is_to_begin_once(void **state)
{
	struct fixture *f = *state;
	const char *once[] = { "a", "l", "w" };

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "l", "");
	plan_build_unit(&f->b, "o", "");
	plan_build_unit(&f->b, "w", "o");
	plan_build_unit(&f->b, "after", "a o");
	for (size_t i = 0; i < RV_ARRAY_LEN(once); i++)
		plan_build_settings(&f->b, once[i])->at_most_once = true;
	driver_join(&f->d, "n1", 3, 0);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_fail(&f->d, "o", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_gone(&f->d, 0);
	f->d.incarnation = 2;
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect_unit(&f->d, "l", "failed node_lost lost");
	expect_unit(&f->d, "w", "skipped blocked o");
	driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0);
	expect_unit(&f->d, "a", "failed agent exit");
	expect_unit(&f->d, "l", "failed node_lost lost");
	expect_unit(&f->d, "o", "active");
	expect_unit(&f->d, "w", "pending"); /* it never began */
	expect_unit(&f->d, "after", "skipped blocked a");
	driver_succeed(&f->d, "o");
	driver_succeed(&f->d, "w");
	assert_int_equal(coord_run_state(f->d.c, 1, NULL), COORD_RUN_FAILED);
	driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0); /* nothing is left to do */
	assert_int_equal(coord_run_state(f->d.c, 1, NULL), COORD_RUN_FAILED);
	expect_unit(&f->d, "a", "failed agent exit");
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RETRY, "a", 0), 0);
	expect_unit(&f->d, "a", "active");
}

static void resume_of_a_run_with_nothing_left_leaves_its_end(void **state)
{
	struct fixture *f = *state;

	three(f);
	driver_succeed(&f->d, "a");
	driver_succeed(&f->d, "b");
	driver_succeed(&f->d, "c");
	driver_forget_lines(&f->d);
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS | SHOW_FACTS);
	driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0);
	expect(&f->d, "F mutation");
	expect_nothing(&f->d);
	driver_act(&f->d, PROTO_MUT_RETRY, NULL, 0);
	expect(&f->d, "F mutation");
	expect_nothing(&f->d);
	assert_int_equal(coord_run_state(f->d.c, 1, NULL), COORD_RUN_SUCCEEDED);
}

static void resume_of_a_cancelled_run_of_templates(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 4, "");
	plan_build_for_each(&f->b, "n", 2, "m");
	plan_build_unit(&f->b, "end", "n");
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_succeed(&f->d, "m-0001");
	driver_act(&f->d, PROTO_MUT_CANCEL, NULL, -1);
	driver_cancelled(&f->d, "m-0002");
	driver_cancelled(&f->d, "m-0003");
	assert_int_equal(coord_run_state(f->d.c, 1, NULL), COORD_RUN_CANCELLED);
	expect_unit(&f->d, "n-0002", "skipped blocked m-0002");
	driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0);
	expect_unit(&f->d, "m-0001", "succeeded");
	expect_unit(&f->d, "m-0002", "active");
	driver_succeed(&f->d, "m-0002");
	driver_succeed(&f->d, "m-0003");
	expect_unit(&f->d, "n-0001", "pending");
	driver_succeed(&f->d, "m-0004");
	driver_succeed(&f->d, "n-0001");
	driver_succeed(&f->d, "n-0002");
	driver_forget_lines(&f->d);
	driver_succeed(&f->d, "end");
	expect(&f->d, "> n1 ACK end#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
}

static void retry_resets_what_was_skipped_because_of_it(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	plan_build_unit(&f->b, "x", "");
	plan_build_unit(&f->b, "y", "x a");
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_fail(&f->d, "x", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_forget_lines(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RETRY, "a", 0), 0);
	expect(&f->d, "> n1 DISPATCH a#2 try=2"); /* one more try of the same count */
	expect_nothing(&f->d);
	expect_unit(&f->d, "b", "pending");
	expect_unit(&f->d, "y", "skipped blocked x"); /* reset, and blocked by the other one */
	expect_unit(&f->d, "x", "failed agent exit");
	driver_succeed(&f->d, "a");
	driver_succeed(&f->d, "b");
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RETRY, "x", 0), 0);
	driver_succeed(&f->d, "x");
	driver_forget_lines(&f->d);
	driver_succeed(&f->d, "y");
	expect(&f->d, "> n1 ACK y#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
}

static void a_unit_that_has_not_ended_cannot_be_retried(void **state)
{
	struct fixture *f = *state;

	three(f);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RETRY, "a", 0), -1);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RETRY, "b", 0), -1);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SET_MAX_WORKERS, NULL, 70000), -1);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SET_PRIORITY, NULL, 1001), -1);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_PAUSE, "9*", 0), -1);
}

static void an_ended_run_is_given_back(void **state)
{
	struct fixture *f = *state;
	struct coord_event ev = { .kind = COORD_EV_RUN_FORGET, .run_forget = { .run = 1 } };

	three(f);
	driver_step(&f->d, &ev);
	expect_nothing(&f->d); /* it runs */
	driver_succeed(&f->d, "a");
	driver_succeed(&f->d, "b");
	driver_succeed(&f->d, "c");
	driver_forget_lines(&f->d);
	ev = (struct coord_event){ .kind = COORD_EV_RUN_FORGET, .run_forget = { .run = 1 } };
	driver_step(&f->d, &ev);
	expect(&f->d, "! release 1");
	assert_null(coord_run_graph(f->d.c, 1));
	assert_int_equal(coord_run_at(f->d.c, 0), 0);
	rv_buf_reset(&f->d.facts); /* the journal keeps a finished run; this core does not */
	coord_destroy(&f->d.c);
	f->d.c = coord_create(&f->d.cfg);
	driver_serve(&f->d);
}

static void an_ended_run_is_removed_for_good(void **state)
{
	struct fixture *f = *state;

	three(f);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RM, NULL, 0), -1); /* it runs */
	driver_succeed(&f->d, "a");
	driver_succeed(&f->d, "b");
	driver_succeed(&f->d, "c");
	driver_forget_lines(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RM, NULL, 0), 0);
	expect(&f->d, "! release 1");
	assert_null(coord_run_graph(f->d.c, 1));
	driver_restart(&f->d); /* the fold of its facts leaves nothing of it either */
	assert_null(coord_run_graph(f->d.c, 1));
	assert_int_equal(coord_run_at(f->d.c, 0), 0);
	driver_forget_lines(&f->d);
}

static void a_run_that_the_core_has_forgotten_can_be_removed(void **state)
{
	struct fixture *f = *state;
	struct coord_event ev = { .kind = COORD_EV_RUN_FORGET, .run_forget = { .run = 1 } };

	three(f);
	driver_succeed(&f->d, "a");
	driver_succeed(&f->d, "b");
	driver_succeed(&f->d, "c");
	driver_step(&f->d, &ev);
	driver_forget_lines(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RM, NULL, 0), 0);
	expect_nothing(&f->d);
	driver_restart(&f->d);
	assert_null(coord_run_graph(f->d.c, 1));
	driver_forget_lines(&f->d);
}

static void limits_failed_of_a_live_run_can_be_set(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "c", "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SET_FAILED, NULL, -1), -1);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SET_FAILED, NULL, 2), 0);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "b", "active");
	driver_act(&f->d, PROTO_MUT_SET_FAILED, NULL, 1); /* reached already */
	driver_succeed(&f->d, "b");
	expect_unit(&f->d, "c", "cancelled not_started a");
	driver_forget_lines(&f->d);
}

/* --- slices --- */

static void a_large_cascade_is_cut_and_goes_on(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n;

	plan_build_unit(&f->b, "a", "");
	plan_build_for_each(&f->b, "m", 5000, "a");
	plan_build_for_each(&f->b, "n", 10, "");
	plan_build_same_as(&f->b, "n", "m");
	plan_build_unit(&f->b, "end", "n");
	driver_join(&f->d, "n1", 2, 0);
	f->d.room = COORD_EFFECTS_MIN;
	f->d.audit = false;
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 failed none");
	expect_nothing(&f->d);
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.skipped, 10001);
}

static void a_chain_of_200000_overflows_nothing(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n;
	uint32_t units = 200000, last = 0;

	for (uint32_t i = 0; i < units; i++)
		last = plan_build_numbered(&f->b, &last, i ? 1 : 0, i ? 0 : PLAN_NONE);
	driver_join(&f->d, "n1", 2, 0);
	f->d.audit = false;
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "u0", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.skipped, units - 1);
	driver_forget_lines(&f->d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cancelling_a_run_ends_all_of_it),
		TEST(an_interrupt_in_a_hurry_says_it_again),
		TEST(cancelling_a_unit_skips_its_dependents),
		TEST(a_success_that_overtakes_its_cancel_is_kept),
		TEST(pause_stops_dispatch_only),
		TEST(hold_and_release_one_unit),
		TEST(a_gate_of_the_plan_waits_for_a_person),
		TEST(a_gate_that_was_never_reached_stays_shut_over_a_retry),
		TEST(skip_a_unit),
		TEST(acts_on_what_has_ended_change_nothing),
		TEST(a_request_is_done_once),
		TEST(ten_thousand_request_ids_are_remembered),
		TEST(resume_puts_back_what_did_not_succeed),
		TEST(resume_leaves_alone_what_was_lost_while_it_was_cancelled),
		TEST(resume_leaves_alone_what_is_to_begin_once),
		TEST(resume_of_a_run_with_nothing_left_leaves_its_end),
		TEST(resume_of_a_cancelled_run_of_templates),
		TEST(retry_resets_what_was_skipped_because_of_it),
		TEST(a_unit_that_has_not_ended_cannot_be_retried),
		TEST(an_ended_run_is_given_back),
		TEST(an_ended_run_is_removed_for_good),
		TEST(a_run_that_the_core_has_forgotten_can_be_removed),
		TEST(limits_failed_of_a_live_run_can_be_set),
		TEST(a_large_cascade_is_cut_and_goes_on),
		TEST(a_chain_of_200000_overflows_nothing),
	};

	return RUN(tests);
}
