/* A run's way through the core: what is dispatched when, what follows from an end, how the run ends. */
#include "tests/lib/coord_driver.h"
#include "tests/lib/test.h"

static void setup(struct driver *d, struct plan_build *b)
{
	driver_init(d, NULL);
	plan_build_init(b);
	driver_serve(d);
}

static void done(struct driver *d, struct plan_build *b)
{
	driver_check_replay(d);
	driver_release(d);
	plan_build_release(b);
}

static void chain_goes_one_after_another(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "a");
	plan_build_unit(&b, "c", "b");
	driver_join(&d, "n1", 2, 0);
	expect(&d, "> n1 WELCOME");
	expect_nothing(&d);
	driver_submit(&d, &b);
	expect(&d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&d);
	driver_succeed(&d, "a");
	expect(&d, "> n1 ACK a#1 accepted");
	expect(&d, "> n1 DISPATCH b#1 try=1");
	driver_succeed(&d, "b");
	expect(&d, "> n1 ACK b#1 accepted");
	expect(&d, "> n1 DISPATCH c#1 try=1");
	expect_nothing(&d);
	driver_succeed(&d, "c");
	expect(&d, "> n1 ACK c#1 accepted");
	expect(&d, "! run 1 succeeded none");
	expect_nothing(&d);
	done(&d, &b);
}

static void failure_skips_all_that_hangs_on_it(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "");
	plan_build_unit(&b, "c", "a b");
	plan_build_unit(&b, "d", "c");
	driver_join(&d, "n1", 2, 0);
	driver_submit(&d, &b);
	driver_show(&d, SHOW_TELLS | SHOW_SHELL);
	driver_fail(&d, "a", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&d, "T unit_finished a failed exit");
	expect(&d, "T unit_finished c skipped blocked root=a");
	expect(&d, "T unit_finished d skipped blocked root=a");
	expect_nothing(&d);
	driver_succeed(&d, "b");
	expect(&d, "T unit_finished b succeeded");
	expect(&d, "T run_finished 1 failed");
	expect(&d, "! run 1 failed none");
	expect_nothing(&d);
	expect_unit(&d, "a", "failed agent exit");
	expect_unit(&d, "d", "skipped blocked a");
	done(&d, &b);
}

static void join_of_a_template_waits_for_every_instance(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_for_each(&b, "m", 3, "");
	plan_build_unit(&b, "end", "m");
	driver_join(&d, "n1", 2, 0);
	driver_forget_lines(&d);
	driver_submit(&d, &b);
	expect(&d, "> n1 DISPATCH m-0001#1 try=1");
	expect(&d, "> n1 DISPATCH m-0002#1 try=1");
	expect_nothing(&d);
	driver_succeed(&d, "m-0002");
	expect(&d, "> n1 ACK m-0002#1 accepted");
	expect(&d, "> n1 DISPATCH m-0003#1 try=1");
	driver_succeed(&d, "m-0003");
	expect(&d, "> n1 ACK m-0003#1 accepted");
	expect_nothing(&d);
	driver_succeed(&d, "m-0001");
	expect(&d, "> n1 ACK m-0001#1 accepted");
	expect(&d, "> n1 DISPATCH end#1 try=1");
	expect_nothing(&d);
	driver_succeed(&d, "end");
	done(&d, &b);
}

static void empty_run_succeeds(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	driver_submit(&d, &b);
	expect(&d, "! run 1 succeeded none");
	expect_nothing(&d);
	done(&d, &b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_goes_one_after_another),
		cmocka_unit_test(failure_skips_all_that_hangs_on_it),
		cmocka_unit_test(join_of_a_template_waits_for_every_instance),
		cmocka_unit_test(empty_run_succeeds),
	};

	return RUN(tests);
}
