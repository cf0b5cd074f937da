/* scenario.h - worlds that once broke, shrunk and written down: seeds drift as code changes, these do not */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "tests/sim/spec.h"

struct sim_scenario {
	const char *name; /* what happens, and what went wrong */
	struct sim_spec spec;
};

extern const struct sim_scenario sim_scenarios_found[];   /* scenario_found.c: bugs that were ours */
extern const uint32_t sim_scenarios_found_count;
extern const struct sim_scenario sim_scenarios_planted[]; /* scenario_planted.c: each breaks when its rule is taken out */
extern const uint32_t sim_scenarios_planted_count;

#endif
