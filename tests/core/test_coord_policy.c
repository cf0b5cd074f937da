/* What failures lead to: policies, trigger rules, retries and their limits, waits, the run's end. */
#include "tests/core/coord_fixture.h"

/* a, b, c run; d hangs on a, e on nothing (but there is no slot for it). */
static void five(struct fixture *f, enum plan_on_failure policy)
{
	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "c", "");
	plan_build_unit(&f->b, "d", "a");
	plan_build_unit(&f->b, "e", "");
	f->b.plan.on_failure = policy;
	driver_join(&f->d, "n1", 3, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
}

static void isolate_goes_on_with_the_rest(void **state)
{
	struct fixture *f = *state;

	five(f, PLAN_ISOLATE);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH e#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "b");
	driver_succeed(&f->d, "c");
	driver_succeed(&f->d, "e");
	expect_unit(&f->d, "d", "skipped blocked a");
	driver_show(&f->d, SHOW_SHELL);
}

static void fail_fast_cancels_what_runs_and_starts_nothing(void **state)
{
	struct fixture *f = *state;

	five(f, PLAN_FAIL_FAST);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 CANCEL b#1 fail_fast");
	expect(&f->d, "> n1 CANCEL c#1 fail_fast");
	expect_nothing(&f->d);
	expect_unit(&f->d, "e", "ready");
	driver_cancelled(&f->d, "b");
	driver_succeed(&f->d, "c"); /* was faster than its cancel: a success is kept */
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "> n1 ACK c#1 accepted");
	expect(&f->d, "! run 1 failed fail_fast");
	expect_nothing(&f->d);
	expect_unit(&f->d, "b", "cancelled fail_fast a");
	expect_unit(&f->d, "c", "succeeded");
	expect_unit(&f->d, "d", "skipped blocked a");
	expect_unit(&f->d, "e", "cancelled not_started a");
}

static void fail_fast_keeps_a_success_of_the_same_batch(void **state)
{
	struct fixture *f = *state;
	struct proto_result bad, good;
	struct coord_event ev = { .kind = COORD_EV_RESULT, .peer = 1, .result = &bad };

	five(f, PLAN_FAIL_FAST);
	bad = (struct proto_result){ .key = driver_key(&f->d, "a"), .epoch = 1, .outcome = PROTO_FAILED, .class = PROTO_CLASS_AGENT,
				     .reason = PROTO_REASON_EXIT, .flags = PROTO_RESULT_STARTED };
	good = (struct proto_result){ .key = driver_key(&f->d, "b"), .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };
	driver_step(&f->d, &ev); /* both before the turn that would tell anybody */
	ev = (struct coord_event){ .kind = COORD_EV_RESULT, .peer = 1, .result = &good };
	driver_step(&f->d, &ev);
	driver_turn(&f->d);
	expect_unit(&f->d, "b", "succeeded");
	driver_cancelled(&f->d, "c");
	driver_forget_lines(&f->d);
}

static void finish_lets_what_runs_end(void **state)
{
	struct fixture *f = *state;

	five(f, PLAN_FINISH);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "b");
	driver_fail(&f->d, "c", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "> n1 ACK c#1 accepted");
	expect(&f->d, "! run 1 failed not_started");
	expect_nothing(&f->d);
	expect_unit(&f->d, "e", "cancelled not_started a");
	expect_unit(&f->d, "d", "skipped blocked a");
}

static void limit_of_failed_units_stops_like_finish(void **state)
{
	struct fixture *f = *state;

	f->b.plan.limits.failed = 2;
	five(f, PLAN_ISOLATE);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH e#1 try=1");
	driver_fail(&f->d, "b", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_succeed(&f->d, "c");
	driver_succeed(&f->d, "e");
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "> n1 ACK c#1 accepted");
	expect(&f->d, "> n1 ACK e#1 accepted");
	expect(&f->d, "! run 1 failed not_started");
	expect_nothing(&f->d);
}

static void a_unit_that_waits_for_its_retry_fails_when_nothing_starts_any_more(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_settings(&f->b, "a")->retry.max = 1;
	f->b.plan.on_failure = PLAN_FINISH;
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "a", "retry_wait agent exit");
	driver_fail(&f->d, "b", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "a", "failed agent exit");
}

/* --- trigger rules --- */

static void all_done_runs_whatever_happened(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	plan_build_unit(&f->b, "clean", "b");
	plan_build_settings(&f->b, "clean")->trigger = PLAN_ALL_DONE;
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH clean#1 try=1");
	expect_nothing(&f->d);
	expect_unit(&f->d, "b", "skipped blocked a");
	driver_succeed(&f->d, "clean");
	expect(&f->d, "> n1 ACK clean#1 accepted");
	expect(&f->d, "! run 1 failed none");
}

static void min_one_success_needs_one(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "some", "a b");
	plan_build_unit(&f->b, "none", "a");
	plan_build_settings(&f->b, "some")->trigger = PLAN_ALL_DONE_MIN_ONE_SUCCESS;
	plan_build_settings(&f->b, "none")->trigger = PLAN_ALL_DONE_MIN_ONE_SUCCESS;
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_succeed(&f->d, "b");
	expect_unit(&f->d, "some", "pending");
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "some", "active");
	expect_unit(&f->d, "none", "skipped blocked a");
}

static void one_failed_instance_skips_the_join_at_once(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 4, "");
	plan_build_unit(&f->b, "all", "m");
	plan_build_for_each(&f->b, "each", 2, "m");
	plan_build_unit(&f->b, "report", "m");
	plan_build_settings(&f->b, "report")->trigger = PLAN_ALL_DONE;
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "m-0002", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "all", "skipped blocked m-0002");
	expect_unit(&f->d, "each-0001", "skipped blocked m-0002");
	expect_unit(&f->d, "each-0002", "skipped blocked m-0002");
	expect_unit(&f->d, "report", "pending");
	driver_succeed(&f->d, "m-0001");
	driver_succeed(&f->d, "m-0003");
	expect_unit(&f->d, "report", "pending");
	driver_fail(&f->d, "m-0004", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "report", "active");
	expect_unit(&f->d, "all", "skipped blocked m-0002"); /* once */
}

static void counterparts_depend_on_each_other_alone(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "make", 3, "");
	plan_build_unit(&f->b, "gate", "");
	plan_build_unit(&f->b, "test", "gate");
	plan_build_same_as(&f->b, "test", "make");
	driver_join(&f->d, "n1", 8, 0);
	driver_submit(&f->d, &f->b);
	driver_succeed(&f->d, "make-0002");
	expect_unit(&f->d, "test-0002", "pending"); /* the gate is shut */
	driver_succeed(&f->d, "gate");
	expect_unit(&f->d, "test-0002", "active");
	expect_unit(&f->d, "test-0001", "pending");
	driver_fail(&f->d, "make-0001", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "test-0001", "skipped blocked make-0001");
	driver_succeed(&f->d, "make-0003");
	expect_unit(&f->d, "test-0003", "active");
}

static void an_empty_template_holds_nobody_up(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_for_each(&f->b, "m", 0, "a");
	plan_build_unit(&f->b, "end", "m");
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	expect_unit(&f->d, "end", "active");
	driver_succeed(&f->d, "end");
	driver_succeed(&f->d, "a");
}

static void satisfied_units_count_as_succeeded(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	plan_build_settings(&f->b, "a")->satisfied = true;
	driver_join(&f->d, "n1", 2, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "succeeded satisfied");
	driver_succeed(&f->d, "b");
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
}

/* --- retries --- */

static void one(struct fixture *f, uint32_t retries)
{
	plan_build_unit(&f->b, "a", "");
	plan_build_settings(&f->b, "a")->retry.max = retries;
	plan_build_settings(&f->b, "a")->retry.jitter_ppm = 0;
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS | SHOW_SHELL);
}

static void a_retry_waits_longer_each_time(void **state)
{
	struct fixture *f = *state;

	one(f, 2);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "T unit_retry_wait a agent 1000000");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect_nothing(&f->d);
	driver_wait(&f->d, 999999);
	expect_nothing(&f->d);
	driver_wait(&f->d, 1);
	expect(&f->d, "T unit_ready a#1");
	expect(&f->d, "T unit_assigned a#2");
	expect(&f->d, "> n1 DISPATCH a#2 try=2");
	expect_nothing(&f->d);
	driver_fail(&f->d, "a", PROTO_CLASS_TIMEOUT, PROTO_REASON_TIMEOUT);
	expect(&f->d, "T unit_retry_wait a timeout 2000000");
	expect(&f->d, "> n1 ACK a#2 accepted");
	driver_live(&f->d, 2000000);
	expect(&f->d, "T unit_ready a#2");
	expect(&f->d, "T unit_assigned a#3");
	expect(&f->d, "> n1 DISPATCH a#3 try=3");
	driver_fail(&f->d, "a", PROTO_CLASS_EVIDENCE, PROTO_REASON_NO_ARTIFACT);
	expect(&f->d, "T unit_finished a failed no_artifact");
	expect(&f->d, "> n1 ACK a#3 accepted");
	expect(&f->d, "T run_finished 1 failed");
	expect(&f->d, "! run 1 failed none");
	expect_nothing(&f->d);
}

static void linear_and_no_backoff(void **state)
{
	struct fixture *f = *state;
	struct plan_retry *r;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	r = &plan_build_settings(&f->b, "a")->retry;
	*r = (struct plan_retry){ .max = 3, .backoff = PLAN_BACKOFF_LINEAR, .base_us = 700000, .max_us = 1500000, .on = PLAN_RETRY_ON_AGENT };
	r = &plan_build_settings(&f->b, "b")->retry;
	*r = (struct plan_retry){ .max = 1, .backoff = PLAN_BACKOFF_NONE, .base_us = 700000, .max_us = 1500000, .on = PLAN_RETRY_ON_AGENT };
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_show(&f->d, SHOW_TELLS);
	for (int i = 0; i < 3; i++) {
		driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
		expect(&f->d, i == 0 ? "T unit_retry_wait a agent 700000" : i == 1 ? "T unit_retry_wait a agent 1400000" : "T unit_retry_wait a agent 1500000");
		driver_live(&f->d, 1500000);
		driver_forget_lines(&f->d);
	}
	driver_fail(&f->d, "b", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "T unit_retry_wait b agent 0");
	expect(&f->d, "T unit_ready b#1");
}

static void backoff_is_never_above_its_maximum(void **state)
{
	struct fixture *f = *state;
	struct coord_unit_view v;

	plan_build_unit(&f->b, "a", "");
	plan_build_settings(&f->b, "a")->retry.max = 1000;
	plan_build_settings(&f->b, "a")->retry.jitter_ppm = 100000;
	plan_build_settings(&f->b, "a")->retry.max_us = 60000000;
	f->b.plan.lost_after_us = 1000000000000;
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	f->d.audit = false;
	for (int i = 0; i < 1000; i++) {
		driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
		driver_forget_lines(&f->d);
		expect_unit(&f->d, "a", "retry_wait agent exit");
		driver_wait(&f->d, 60000000);
		driver_beat(&f->d, 0);
		driver_turn(&f->d);
	}
	coord_unit_view(f->d.c, 1, 0, &v);
	assert_int_equal(v.tries, 1000);
	assert_int_equal(v.state, COORD_UNIT_ACTIVE);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect_unit(&f->d, "a", "failed agent exit");
}

static void only_classes_of_retry_on_are_retried(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_settings(&f->b, "a")->retry.max = 5;
	plan_build_settings(&f->b, "a")->retry.on = PLAN_RETRY_ON_TIMEOUT;
	plan_build_settings(&f->b, "b")->retry.max = 5;
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_fail(&f->d, "b", PROTO_CLASS_CONFIG, PROTO_REASON_TEMPLATE);
	expect_unit(&f->d, "a", "failed agent exit");
	expect_unit(&f->d, "b", "failed config template");
}

static void environment_has_a_limit_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n;

	one(f, 0);
	driver_join(&f->d, "n2", 2, 0);
	driver_forget_lines(&f->d);
	driver_fail(&f->d, "a", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	expect(&f->d, "T unit_retry_wait a environment 0");
	expect(&f->d, "T unit_ready a#1");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "T unit_assigned a#2");
	expect(&f->d, "> n2 DISPATCH a#2 try=2"); /* another node */
	driver_fail(&f->d, "a", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	driver_forget_lines(&f->d);
	driver_fail(&f->d, "a", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	expect(&f->d, "T unit_finished a failed spawn");
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.retries, 0);
}

static void a_missing_program_is_config_once_the_only_node_says_so(void **state)
{
	struct fixture *f = *state;

	one(f, 3);
	driver_fail(&f->d, "a", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_NOT_FOUND);
	expect(&f->d, "T unit_finished a failed not_found");
	expect_unit(&f->d, "a", "failed config not_found");
}

static void a_missing_program_is_config_once_a_second_node_says_so(void **state)
{
	struct fixture *f = *state;

	one(f, 3);
	driver_join(&f->d, "n2", 2, 0);
	driver_fail(&f->d, "a", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_NOT_FOUND);
	expect_unit(&f->d, "a", "active environment not_found");
	driver_fail(&f->d, "a", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_NOT_FOUND);
	expect_unit(&f->d, "a", "failed config not_found");
}

static void rate_limits_wait_a_minute_doubling(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_agent(&f->b, "a", "x", 0);
	plan_build_settings(&f->b, "a")->retry.max = 1;
	plan_build_settings(&f->b, "a")->retry.jitter_ppm = 0;
	f->b.plan.limits.rate_limited = 6;
	driver_join(&f->d, "n1", 1, 1);
	driver_submit(&f->d, &f->b);
	driver_show(&f->d, SHOW_TELLS);
	for (int i = 0; i < 5; i++) {
		static const char *const lines[] = { "T unit_retry_wait a rate_limited 60000000", "T unit_retry_wait a rate_limited 120000000",
						     "T unit_retry_wait a rate_limited 240000000", "T unit_retry_wait a rate_limited 480000000",
						     "T unit_retry_wait a rate_limited 600000000" };

		driver_fail(&f->d, "a", PROTO_CLASS_RATE_LIMITED, PROTO_REASON_RATE_LIMIT);
		expect(&f->d, lines[i]);
		driver_live(&f->d, 600000000);
		driver_forget_lines(&f->d);
	}
	driver_fail(&f->d, "a", PROTO_CLASS_RATE_LIMITED, PROTO_REASON_RATE_LIMIT);
	expect(&f->d, "T unit_finished a failed rate_limit");
}

static void at_most_once_is_never_started_twice(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_settings(&f->b, "a")->at_most_once = true;
	driver_join(&f->d, "n1", 1, 1);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "a", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN); /* its result says STARTED */
	expect_unit(&f->d, "a", "failed environment spawn");
}

/* --- time --- */

static void queue_timeout_fails_what_waited_too_long(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "c", "b");
	plan_build_settings(&f->b, "a")->priority = 1;
	plan_build_settings(&f->b, "b")->queue_timeout_us = 3000000;
	plan_build_settings(&f->b, "b")->retry.max = 5;
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_live(&f->d, 2999999);
	expect_unit(&f->d, "b", "ready");
	driver_live(&f->d, 1);
	expect_unit(&f->d, "b", "failed timeout queue_timeout");
	expect_unit(&f->d, "c", "skipped blocked b");
}

static void queue_timeout_stands_still_while_held(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_settings(&f->b, "b")->queue_timeout_us = 3000000;
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_HOLD, "b", 0), 0);
	driver_live(&f->d, 10000000);
	expect_unit(&f->d, "b", "held");
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RELEASE, "b", 0), 0);
	driver_live(&f->d, 2000000);
	expect_unit(&f->d, "b", "ready");
}

static void run_timeout_cancels_all(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	f->b.plan.timeout_us = 5000000;
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_taken(&f->d, "a");
	driver_live(&f->d, 4999999);
	driver_forget_lines(&f->d);
	driver_live(&f->d, 1);
	expect(&f->d, "> n1 CANCEL a#1 run_timeout");
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 failed run_timeout");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "cancelled run_timeout");
	expect_unit(&f->d, "b", "skipped blocked a");
}

/* --- verify --- */

static void verify_runs_after_all_have_succeeded(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n;
	struct proto_result res = { .key = { 1, 1, 1 }, .epoch = 1, .outcome = PROTO_FAILED, .class = PROTO_CLASS_AGENT,
				    .reason = PROTO_REASON_EXIT, .flags = PROTO_RESULT_STARTED };

	plan_build_unit(&f->b, "a", "");
	plan_build_verify(&f->b);
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH __verify__#1 try=1");
	expect_nothing(&f->d);
	driver_result(&f->d, 0, &res);
	expect(&f->d, "> n1 ACK __verify__#1 accepted");
	expect(&f->d, "! run 1 failed verify");
	expect_nothing(&f->d);
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.total, 1);
	assert_int_equal(n.succeeded, 1);
	assert_int_equal(n.failed, 0);
}

static void verify_does_not_run_after_a_failure(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_verify(&f->b);
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 failed none");
	expect_nothing(&f->d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(isolate_goes_on_with_the_rest),
		TEST(fail_fast_cancels_what_runs_and_starts_nothing),
		TEST(fail_fast_keeps_a_success_of_the_same_batch),
		TEST(finish_lets_what_runs_end),
		TEST(limit_of_failed_units_stops_like_finish),
		TEST(a_unit_that_waits_for_its_retry_fails_when_nothing_starts_any_more),
		TEST(all_done_runs_whatever_happened),
		TEST(min_one_success_needs_one),
		TEST(one_failed_instance_skips_the_join_at_once),
		TEST(counterparts_depend_on_each_other_alone),
		TEST(an_empty_template_holds_nobody_up),
		TEST(satisfied_units_count_as_succeeded),
		TEST(a_retry_waits_longer_each_time),
		TEST(linear_and_no_backoff),
		TEST(backoff_is_never_above_its_maximum),
		TEST(only_classes_of_retry_on_are_retried),
		TEST(environment_has_a_limit_of_its_own),
		TEST(a_missing_program_is_config_once_the_only_node_says_so),
		TEST(a_missing_program_is_config_once_a_second_node_says_so),
		TEST(rate_limits_wait_a_minute_doubling),
		TEST(at_most_once_is_never_started_twice),
		TEST(queue_timeout_fails_what_waited_too_long),
		TEST(queue_timeout_stands_still_while_held),
		TEST(run_timeout_cancels_all),
		TEST(verify_runs_after_all_have_succeeded),
		TEST(verify_does_not_run_after_a_failure),
	};

	return RUN(tests);
}
