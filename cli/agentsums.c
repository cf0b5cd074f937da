#include "cli/agentsums.h"

static struct cli_agent_did *sum_of(struct cli_agent_did *sums, uint32_t *count, struct rv_str name)
{
	uint32_t i;

	for (i = 0; i < *count; i++)
		if (rv_str_equal(sums[i].name, name))
			return &sums[i];
	if (*count == CLI_AGENT_SUMS_MAX)
		return &sums[CLI_AGENT_SUMS_MAX - 1];
	sums[*count] = (struct cli_agent_did){ .name = name };
	return &sums[(*count)++];
}

uint32_t cli_agent_sums(const struct cli_tally *t, struct cli_agent_did out[CLI_AGENT_SUMS_MAX])
{
	struct cli_agent_did *sum = NULL;
	uint32_t i, count = 0;

	for (i = 0; i < t->count; i++) {
		const struct cli_unit *u = &t->units[i];
		struct rv_str name = cli_tally_agent_name(t, i);

		if (!sum || !rv_str_equal(sum->name, name))
			sum = sum_of(out, &count, name);
		sum->units++;
		sum->succeeded += u->state == COORD_UNIT_SUCCEEDED;
		sum->failed += u->state == COORD_UNIT_FAILED;
		sum->skipped += u->state == COORD_UNIT_SKIPPED;
		sum->cancelled += u->state == COORD_UNIT_CANCELLED;
		sum->duration_us += u->duration_us;
	}
	for (i = 0; i <= t->agent_count; i++) {
		uint32_t agent = i < t->agent_count ? i : COORD_NONE;
		struct cli_agent_sum ran = cli_tally_by_agent(t, agent);

		if (!ran.cpu_us && proto_usage_is_nothing(&ran.used))
			continue;
		sum = sum_of(out, &count, agent == COORD_NONE ? RV_STR("command") : coord_graph_agent_name(t->graph, agent));
		sum->cpu_us += ran.cpu_us;
		cli_usage_add(&sum->used, &ran.used);
	}
	return count;
}
