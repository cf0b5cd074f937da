/* agentsums.h - what each agent of a run did: its units, their time, what its tries used */
#ifndef CLI_AGENTSUMS_H
#define CLI_AGENTSUMS_H

#include "cli/tally.h"
#include "common/limits.h"

#define CLI_AGENT_SUMS_MAX (RV_AGENTS_MAX + 1) /* with the commands */

/* A unit counts under the agent of its newest attempt; what its tries used, under the agents that ran them. */
struct cli_agent_did {
	struct rv_str name;        /* borrowed of the graph; "command": of no agent */
	uint32_t units, succeeded, failed, skipped, cancelled;
	uint64_t duration_us, cpu_us;
	struct proto_usage used;
};

/* Fills `out` in the order in which units meet their agents, gives how many there are. */
uint32_t cli_agent_sums(const struct cli_tally *t, struct cli_agent_did out[CLI_AGENT_SUMS_MAX]);

#endif
