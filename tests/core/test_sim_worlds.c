/* test_sim_worlds.c - whole worlds with a name: what broke once, what one run on one node cannot show, and that chance is ours */
#include "tests/lib/test.h"

#include "tests/sim/scenario.h"
#include "tests/sim/shrink.h"
#include "tests/sim/world.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fine(const char *name, const struct sim_spec *spec, struct sim_report *report)
{
	if (sim_run_world(spec, false, report) != SIM_FINE) {
		print_error("%s: %s\n", name, report->what);
		fail();
	}
}

static void worlds_that_broke_once(void **state)
{
	struct sim_report report;
	uint32_t i;

	(void)state;
	for (i = 0; i < sim_scenarios_found_count; i++)
		fine(sim_scenarios_found[i].name, &sim_scenarios_found[i].spec, &report);
	for (i = 0; i < sim_scenarios_planted_count; i++)
		fine(sim_scenarios_planted[i].name, &sim_scenarios_planted[i].spec, &report);
}

static void the_same_seed_is_the_same_world(void **state)
{
	struct sim_report one, two;
	struct sim_spec spec;
	uint64_t seed;

	(void)state;
	for (seed = 501; seed < 511; seed++) {
		sim_spec_draw(seed, &spec);
		fine("drawn", &spec, &one);
		fine("drawn", &spec, &two);
		assert_int_equal(one.hash, two.hash);
	}
}

static struct sim_spec three_runs_on_four_nodes(uint64_t seed)
{
	return (struct sim_spec){
		.seed = seed, .nodes = 4, .slots_max = 6, .runs = 3, .units = 120, .shape = SIM_FAN, .delay_us = 200, .slow_us_max = 1,
		.commit_us_max = 2000, .lost_after_us = 60000000, .duration_us_max = 200000, .heal_us = 1000000,
	};
}

static void three_runs_on_four_nodes_get_equal_shares(void **state)
{
	struct sim_report report;
	uint64_t seed, fair = 0;

	(void)state;
	for (seed = 1; seed <= 5; seed++) {
		struct sim_spec spec = three_runs_on_four_nodes(seed);

		fine("three runs", &spec, &report);
		fair += report.counts.fair;
		assert_int_equal(report.counts.unfair, 0);
	}
	assert_true(fair > 300);
}

/* The checker counts holders over all runs, in the journal and in truth. */
static void three_runs_share_locks_and_directories(void **state)
{
	struct sim_report report;
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 5; seed++) {
		struct sim_spec spec = three_runs_on_four_nodes(seed);

		spec.lock_pm = 500;
		spec.dir_pm = 300;
		spec.shape = SIM_RANDOM;
		fine("three runs with locks", &spec, &report);
		assert_true(report.counts.starts >= 360);
	}
}

/* How a child ends that may use 50 ms of a processor, and computes or waits for 300 ms by the clock. */
static int end_of_one_that(bool computes)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct timespec begin, now;

		sim_limit_cpu(50);
		if (!computes)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
		do
			(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
		while (computes && now.tv_sec - begin.tv_sec < 10);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void a_world_is_limited_in_what_it_computes_not_in_how_long_it_waits(void **state)
{
	int status = end_of_one_that(true);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIM_CPU_SIGNAL);
	status = end_of_one_that(false);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worlds_that_broke_once),
		cmocka_unit_test(the_same_seed_is_the_same_world),
		cmocka_unit_test(three_runs_on_four_nodes_get_equal_shares),
		cmocka_unit_test(three_runs_share_locks_and_directories),
		cmocka_unit_test(a_world_is_limited_in_what_it_computes_not_in_how_long_it_waits),
	};

	return RUN(tests);
}
