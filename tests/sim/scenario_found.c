/* scenario_found.c - bugs of ours that worlds showed, and the worlds */
#include "tests/sim/scenario.h"

const struct sim_scenario sim_scenarios_found[] = {
	{
		.name = "a node kept free for a wide unit that waits at a directory, behind one woken before it",
		.spec = {
		.seed = 10573,
		.nodes = 1,
		.slots_max = 4,
		.runs = 2,
		.units = 218,
		.shape = 1,
		.delay_us = 200,
		.slow_us_max = 2000000,
		.power = 1,
		.commit_us_max = 2000,
		.lost_after_us = 3000000,
		.duration_us_max = 30000000,
		.dir_pm = 472,
		.wide_pm = 55,
		.slow_local_us = 20000,
		.heal_us = 7250000,
	},
	},
};

const uint32_t sim_scenarios_found_count = RV_ARRAY_LEN(sim_scenarios_found);
