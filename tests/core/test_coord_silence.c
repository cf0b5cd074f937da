/* Nodes fall silent: suspected, what they hold lost, and whose silence it was. */
#include "tests/core/coord_fixture.h"

/* Unit a runs on n1 (2 slots), nothing else is to do. */
static void one(struct fixture *f)
{
	plan_build_unit(&f->b, "a", "");
	driver_join(&f->d, "n1", 2, 1);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
}

/* Steps at deadlines alone, as a shell does to which nobody speaks. */
static void pass(struct fixture *f, uint64_t us)
{
	uint64_t until = f->d.now_us + us;

	while (f->d.now_us < until)
		driver_wait(&f->d, rv_min_u64(coord_next_deadline(f->d.c), until) - f->d.now_us);
}

static void a_silent_node_is_suspected_and_gets_nothing(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 2, "");
	driver_join(&f->d, "n1", 4, 1);
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS);
	for (int i = 0; i < 7; i++)
		driver_wait(&f->d, 1000000);
	expect(&f->d, "T node_suspect n1");
	expect_nothing(&f->d);
	driver_submit(&f->d, &f->b);
	driver_show(&f->d, SHOW_SENDS);
	driver_beat(&f->d, 0);
	driver_turn(&f->d);
	expect(&f->d, "> n1 DISPATCH m-0001#1 try=1");
	expect(&f->d, "> n1 DISPATCH m-0002#1 try=1");
}

static void an_attempt_is_lost_after_its_time_and_runs_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n;

	one(f);
	driver_started(&f->d, "a");
	driver_join(&f->d, "n2", 2, 1);
	for (int i = 0; i < 59; i++) {
		pass(f, 1000000);
		driver_beat(&f->d, 1);
	}
	driver_forget_lines(&f->d);
	expect_unit(&f->d, "a", "active");
	pass(f, 1000000);
	expect(&f->d, "> n1 GOAWAY 7");
	expect(&f->d, "> n2 DISPATCH a#2 try=2");
	expect_nothing(&f->d);
	coord_run_counts(f->d.c, 1, &n);
	assert_int_equal(n.node_lost, 1);
	assert_int_equal(n.retries, 0);
}

static void a_stalled_coordinator_declares_nobody_lost(void **state)
{
	struct fixture *f = *state;

	one(f);
	driver_started(&f->d, "a");
	driver_show(&f->d, SHOW_SENDS | SHOW_TELLS);
	driver_wait(&f->d, 300000000); /* we slept five minutes */
	expect_nothing(&f->d);
	for (int i = 0; i < 58; i++)
		driver_wait(&f->d, 1000000);
	expect(&f->d, "T node_suspect n1");
	expect_nothing(&f->d);
}

/* A loop wakes a little after what it waited for: that is no stall, however often. */
static void a_silent_node_is_lost_by_one_that_steps_at_its_deadlines_alone(void **state)
{
	static const uint64_t lost_after_us[] = { 100000, 3000000, 5000000, 60000000 }, late_us[] = { 0, 1, 1000 };

	(void)state;
	for (uint32_t i = 0; i < RV_ARRAY_LEN(lost_after_us) * RV_ARRAY_LEN(late_us); i++) {
		uint64_t after = lost_after_us[i / RV_ARRAY_LEN(late_us)], late = late_us[i % RV_ARRAY_LEN(late_us)], from;
		struct fixture *f;
		struct coord_unit_view v = { .state = COORD_UNIT_ACTIVE };
		uint32_t steps = 0;

		(void)setup((void **)&f);
		f->b.plan.lost_after_us = after;
		one(f);
		driver_started(&f->d, "a");
		driver_beat(&f->d, 0);
		driver_turn(&f->d);
		driver_forget_lines(&f->d);
		driver_show(&f->d, SHOW_TELLS);
		from = f->d.now_us;
		while (v.state == COORD_UNIT_ACTIVE && f->d.now_us < from + 2 * after + 10000000) {
			uint64_t next = coord_next_deadline(f->d.c);

			assert_true(next > f->d.now_us);
			assert_true(next != RV_NEVER);
			driver_wait(&f->d, next + late - f->d.now_us);
			coord_unit_view(f->d.c, 1, 0, &v);
			steps++;
		}
		assert_true(steps < 100);
		assert_true(f->d.now_us <= from + rv_max_u64(after, 6000001) + steps * late);
		expect(&f->d, "T node_suspect n1");
		expect_unit(&f->d, "a", "ready node_lost lost");
		(void)teardown((void **)&f);
	}
}

/* Of each no more counts than what the coordinator was to be stepped by. */
static void short_sleeps_behind_each_other_are_no_silence(void **state)
{
	struct fixture *f = *state;

	f->b.plan.lost_after_us = 3000000;
	one(f);
	driver_started(&f->d, "a");
	driver_show(&f->d, SHOW_SENDS | SHOW_FACTS);
	for (int i = 0; i < 5; i++)
		driver_wait(&f->d, 1900000);
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "active");
}

/* Its DISPATCH may wait for its row, or be on its way, when it is given up: whoever is heard again then begins anew, over another link, and what
 * he was sent over this one is forgotten. */
static void a_node_that_has_lost_something_is_heard_again_over_another_link(void **state)
{
	struct fixture *f = *state;
	struct coord_node_view v;

	one(f);
	driver_taken(&f->d, "a");
	pass(f, 55000000);
	driver_beat(&f->d, 0);
	driver_forget_lines(&f->d);
	f->d.left_peer = 0;
	pass(f, 61000000);
	expect(&f->d, "> n1 GOAWAY 7");
	expect_nothing(&f->d);
	assert_int_equal(f->d.left_peer, 1);
	expect_unit(&f->d, "a", "ready node_lost lost");
	coord_node_view(f->d.c, 0, &v);
	assert_int_equal(v.standing, COORD_NODE_AWAY);
	driver_beat(&f->d, 0); /* no word that its lease goes on */
	driver_turn(&f->d);
	expect_nothing(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 2, 1, NULL, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#2 try=1");
	expect_nothing(&f->d);
}

/* Three heartbeats may be longer than one of its attempts may be silent. */
static void who_is_not_suspect_is_not_looked_at_each_millisecond(void **state)
{
	struct fixture *f = *state;
	uint32_t steps = 0;

	f->b.plan.lost_after_us = 100000;
	one(f);
	driver_started(&f->d, "a");
	for (uint64_t until = f->d.now_us + 10000000; f->d.now_us < until; steps++)
		driver_wait(&f->d, rv_min_u64(coord_next_deadline(f->d.c), until) - f->d.now_us);
	expect_unit(&f->d, "a", "ready node_lost lost");
	assert_true(steps < 60);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_silent_node_is_suspected_and_gets_nothing),
		TEST(an_attempt_is_lost_after_its_time_and_runs_elsewhere),
		TEST(a_stalled_coordinator_declares_nobody_lost),
		TEST(a_silent_node_is_lost_by_one_that_steps_at_its_deadlines_alone),
		TEST(short_sleeps_behind_each_other_are_no_silence),
		TEST(a_node_that_has_lost_something_is_heard_again_over_another_link),
		TEST(who_is_not_suspect_is_not_looked_at_each_millisecond),
	};

	return RUN(tests);
}
