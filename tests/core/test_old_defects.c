/* Mistakes that systems like this one are known to have made, as far as they concern the coordinator; others of them are tests of what they
 * concern: fail_fast_keeps_a_success_of_the_same_batch, backoff_is_never_above_its_maximum (test_coord_policy.c), the locks of test_lock.c. */
#include "tests/core/coord_fixture.h"

/* The results of a level were once told by their place in it, with the skipped ones left out. */
static void a_level_of_skipped_ok_ok_keeps_results_with_their_ids(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "bad", "");
	plan_build_unit(&f->b, "good", "");
	plan_build_unit(&f->b, "skipped", "bad");
	plan_build_unit(&f->b, "first", "good");
	plan_build_unit(&f->b, "second", "good");
	plan_build_unit(&f->b, "after_first", "first");
	driver_join(&f->d, "n1", 8, 0);
	driver_submit(&f->d, &f->b);
	driver_fail(&f->d, "bad", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	driver_succeed(&f->d, "good");
	driver_show(&f->d, SHOW_TELLS);
	driver_forget_lines(&f->d);
	driver_fail(&f->d, "second", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "T unit_finished second failed exit");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "first");
	expect(&f->d, "T unit_finished first succeeded");
	driver_forget_lines(&f->d);
	expect_unit(&f->d, "skipped", "skipped blocked bad");
	expect_unit(&f->d, "second", "failed agent exit");
	expect_unit(&f->d, "after_first", "active");
}

/* Nothing to do is not the same as done. */
static void a_run_that_can_place_nothing_is_no_success(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	f->b.plan.timeout_us = 60000000;
	driver_show(&f->d, SHOW_SHELL);
	driver_submit(&f->d, &f->b); /* and there is no node */
	driver_wait(&f->d, 59000000);
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "ready");
	driver_wait(&f->d, 2000000);
	expect(&f->d, "! run 1 failed run_timeout");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "cancelled run_timeout");
}

static struct coord_unit_view view(struct fixture *f, uint32_t unit)
{
	struct coord_unit_view v;

	coord_unit_view(f->d.c, 1, unit, &v);
	return v;
}

/* A unit that takes its nodes with it is given up at its limit; what ran beside it is not blamed, and goes on elsewhere. */
static void a_poison_unit_spends_nothing_of_its_neighbours(void **state)
{
	static const char *const nodes[] = { "n1", "n2" };
	struct fixture *f = *state;

	f->b.plan.limits.node_lost = 3;
	plan_build_unit(&f->b, "poison", "");
	plan_build_unit(&f->b, "beside", "");
	plan_build_settings(&f->b, "beside")->retry.max = 0;
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_join(&f->d, "n2", 2, 0);
	assert_int_equal(view(f, 0).node, view(f, 1).node);
	driver_started(&f->d, "beside");
	for (int i = 0; i < 3; i++) {
		uint32_t node = view(f, 0).node;

		driver_started(&f->d, "poison");
		driver_gone(&f->d, node);
		driver_hello(&f->d, node, nodes[node], 1, 2, 0, NULL, 0);
		driver_turn(&f->d);
		if (i == 0) { /* it lost its node, too, and that was no failure of its own */
			expect_unit(&f->d, "beside", "active node_lost lost");
			driver_succeed(&f->d, "beside");
			assert_int_equal(view(f, 1).state, COORD_UNIT_SUCCEEDED);
		}
	}
	expect_unit(&f->d, "poison", "failed node_lost poisoned");
}

/* 2^1100 seconds are less than no time at all. */
static void eleven_hundred_failures_still_wait_a_minute(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_settings(&f->b, "a")->retry = (struct plan_retry){
		.max = 1200, .backoff = PLAN_BACKOFF_EXPONENTIAL, .base_us = 1000000, .max_us = 60000000, .on = PLAN_RETRY_ON_AGENT };
	f->b.plan.lost_after_us = 1000000000000;
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	f->d.audit = false;
	driver_show(&f->d, SHOW_TELLS);
	for (int i = 0; i < 1100; i++) {
		driver_forget_lines(&f->d);
		driver_fail(&f->d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
		if (i >= 6)
			expect(&f->d, "T unit_retry_wait a agent 60000000");
		driver_wait(&f->d, 59000000);
		if (i >= 6)
			expect_unit(&f->d, "a", "retry_wait agent exit");
		driver_wait(&f->d, 1000000);
		driver_beat(&f->d, 0);
		driver_turn(&f->d);
	}
	assert_int_equal(view(f, 0).tries, 1100);
	assert_int_equal(view(f, 0).state, COORD_UNIT_ACTIVE);
}

/* What waits for a lock costs nothing while it is held: no effect and no deadline of its own. */
static void what_waits_for_a_lock_makes_nobody_spin(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "holder", "");
	plan_build_unit(&f->b, "waiter", "");
	plan_build_lock(&f->b, "holder", "db", 1);
	plan_build_lock(&f->b, "waiter", "db", 1);
	driver_join(&f->d, "n1", 4, 0);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "holder");
	driver_forget_lines(&f->d);
	driver_live(&f->d, 30000000);
	expect_nothing(&f->d);
	expect_unit(&f->d, "waiter", "ready");
	assert_true(coord_next_deadline(f->d.c) > f->d.now_us);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_level_of_skipped_ok_ok_keeps_results_with_their_ids),
		TEST(a_run_that_can_place_nothing_is_no_success),
		TEST(a_poison_unit_spends_nothing_of_its_neighbours),
		TEST(eleven_hundred_failures_still_wait_a_minute),
		TEST(what_waits_for_a_lock_makes_nobody_spin),
	};

	return RUN(tests);
}
