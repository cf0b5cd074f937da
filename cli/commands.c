/* commands.c - the table of subcommands */
#include "cli/commands.h"

#include "cli/cli.h"
#include "common/id.h"
#include "common/plan/schema.h"

#include <unistd.h>

const char *const cli_group_titles[CLI_GROUPS] = {
	[CLI_PLANS] = "Plans",
	[CLI_RUNS] = "Runs, running or ended",
	[CLI_ACTS] = "Acting on them",
	[CLI_MACHINES] = "Many machines",
	[CLI_HOST] = "This machine and this program",
};

const struct cli_command cli_commands[] = {
	{ "run", cli_cmd_run, "run a plan on this machine, live, until it has ended", CLI_PLANS, NULL },
	{ "check", cli_cmd_check, "validate a plan: every mistake with its place and cure", CLI_PLANS, NULL },
	{ "graph", cli_cmd_graph, "draw a plan: levels and critical path, dot or mermaid", CLI_PLANS, NULL },
	{ "import", cli_cmd_import, "turn another format into a plan on stdout", CLI_PLANS, NULL },
	{ "init", cli_cmd_init, "write a starter plan", CLI_PLANS, NULL },

	{ "status", cli_cmd_status, "runs; a run's units with reasons; a unit's attempts", CLI_RUNS, NULL },
	{ "logs", cli_cmd_logs, "what a unit printed (-f follows)", CLI_RUNS, NULL },
	{ "output", cli_cmd_output, "a unit's output value", CLI_RUNS, NULL },
	{ "artifacts", cli_cmd_artifacts, "files that units handed over; --copy fetches them", CLI_RUNS, NULL },
	{ "events", cli_cmd_events, "everything that happened, in order (-f follows)", CLI_RUNS, NULL },
	{ "export", cli_cmd_export, "a run for other tools: events, joblog, junit, trace, graph, report", CLI_RUNS, NULL },
	{ "explain", cli_cmd_explain, "why a unit is not running", CLI_RUNS, NULL },
	{ "watch", cli_cmd_watch, "live view of a run", CLI_RUNS, NULL },
	{ "wait", cli_cmd_wait, "wait for a run to end", CLI_RUNS, NULL },
	{ "top", cli_cmd_top, "live utilisation: nodes, slots, runs, units a second, cost", CLI_RUNS, NULL },
	{ "usage", cli_cmd_usage, "tokens, cost and CPU by run, agent, model, unit", CLI_RUNS, NULL },

	{ "retry", cli_cmd_retry, "one more try for a unit of an ended run", CLI_ACTS, NULL },
	{ "rm", cli_cmd_rm, "remove an ended run", CLI_ACTS, NULL },
	{ "cancel", cli_cmd_cancel, "cancel a run or unit", CLI_ACTS, NULL },
	{ "pause", cli_cmd_pause, "stop handing out units of a run", CLI_ACTS, NULL },
	{ "unpause", cli_cmd_unpause, "the opposite of pause", CLI_ACTS, NULL },
	{ "skip", cli_cmd_skip, "skip a unit", CLI_ACTS, NULL },
	{ "hold", cli_cmd_hold, "keep a unit waiting for a release", CLI_ACTS, NULL },
	{ "release", cli_cmd_release, "let a held unit go", CLI_ACTS, NULL },
	{ "set", cli_cmd_set, "change max_workers, priority or limits of a live run", CLI_ACTS, NULL },
	{ "add", cli_cmd_add, "add units to an open run", CLI_ACTS, NULL },
	{ "close", cli_cmd_close, "no more units for an open run", CLI_ACTS, NULL },

	{ "coordinator", cli_cmd_coordinator, "keep runs and hand out units to nodes", CLI_MACHINES, NULL },
	{ "node", cli_cmd_node, "run units for a coordinator", CLI_MACHINES, NULL },
	{ "token", cli_cmd_token, "who may join, and with which role", CLI_MACHINES, NULL },
	{ "key", cli_cmd_key, "list and revoke keys", CLI_MACHINES, NULL },
	{ "login", cli_cmd_login, "remember a coordinator", CLI_MACHINES, NULL },
	{ "submit", cli_cmd_submit, "hand a plan to a coordinator", CLI_MACHINES, NULL },
	{ "nodes", cli_cmd_nodes, "nodes and their health", CLI_MACHINES, NULL },
	{ "drain", cli_cmd_drain, "no new units for a node", CLI_MACHINES, NULL },
	{ "undrain", cli_cmd_undrain, "the opposite of drain", CLI_MACHINES, NULL },
	{ "remove", cli_cmd_remove, "fence a node's attempts and revoke its key", CLI_MACHINES, NULL },
	{ "credentials", NULL, "provider keys, masked, and their state", CLI_MACHINES, CLI_WAITS_AGENTS },
	{ "mcp", NULL, "stdio bridge to an attempt's MCP endpoint", CLI_MACHINES, CLI_WAITS_AGENTS },

	{ "doctor", cli_cmd_doctor, "checks of this machine, with fixes", CLI_HOST, NULL },
	{ "df", cli_cmd_df, "disk used by each run", CLI_HOST, NULL },
	{ "gc", cli_cmd_gc, "which runs may go, and why others are kept", CLI_HOST, NULL },
	{ "completion", cli_cmd_completion, "completion of verbs, options and ids in a shell", CLI_HOST, NULL },
	{ "help", cli_cmd_help, "this text, or the options of a verb", CLI_HOST, NULL },
	{ "version", cli_cmd_version, "the version of this program", CLI_HOST, NULL },
};

const uint32_t cli_command_count = RV_ARRAY_LEN(cli_commands);

const struct cli_command *cli_command_find(const char *name)
{
	uint32_t i;

	for (i = 0; i < cli_command_count; i++)
		if (strcmp(cli_commands[i].name, name) == 0)
			return &cli_commands[i];
	return NULL;
}

/* What people ask for that is no verb. */
static const struct {
	const char *words, *hint;
} topics[] = {
	{ "mock mocks mocking", "`reeve run PLAN --mock` plays a plan without commands and agents, --mock=agents without agents; `profile: mock` is an agent that answers at once: `reeve help plan`" },
	{ "agent agents claude codex profiles", "`reeve doctor` says which agents are here, `reeve init agents` writes a plan with some, `reeve help plan` has the keys of one" },
	{ "cluster machines", "`reeve help coordinator`, `reeve help node` and `reeve help token`; docs/guide.md sets one up" },
	{ "dry-run each set only joblog", "an option of `reeve run`: `reeve help run`" },
	{ "format json jsonl", "-o json, of most verbs: `reeve help status`" },
	{ "yaml keys units", "`reeve help plan` has the keys of a plan, `reeve init` writes one" },
};

static bool hint_of_topic(const char *name, struct rv_err *err)
{
	struct plan_map_index index;

	for (size_t i = 0; i < RV_ARRAY_LEN(topics); i++)
		if (plan_word_index(topics[i].words, rv_str_of(name)) >= 0) {
			(void)rv_hint(err, "%s", topics[i].hint);
			return true;
		}
	for (int map = PLAN_MAP_PLAN; map < PLAN_MAPS; map++) {
		plan_map_index((enum plan_map_id)map, &index);
		if (plan_key_find(&index, rv_str_of(name))) {
			(void)rv_hint(err, "a key of a plan (%s): `reeve help plan | grep -A2 '^  %.64s '`", plan_map_name((enum plan_map_id)map), name);
			return true;
		}
	}
	return false;
}

int cli_unknown_verb(const char *name)
{
	const char *names[RV_ARRAY_LEN(cli_commands)];
	struct rv_err err;
	uint32_t i, count = 0;
	int nearest;

	/* Of so short words the nearest is one that was meant only if it begins alike. */
	for (i = 0; i < cli_command_count; i++)
		if (!cli_commands[i].waits && cli_commands[i].name[0] == name[0])
			names[count++] = cli_commands[i].name;
	nearest = rv_nearest(rv_str_of(name), names, count);
	(void)rv_fail(&err, RV_E_USAGE, "there is no command \"%.64s\"", name);
	if (hint_of_topic(name, &err))
		return cli_fail(&err);
	if (nearest >= 0)
		(void)rv_hint(&err, "did you mean %s?", names[nearest]);
	else if (access(name, F_OK) == 0)
		(void)rv_hint(&err, "`reeve run %.64s` runs it, if it is a plan", name);
	else
		(void)rv_hint(&err, "`reeve help` lists them");
	return cli_fail(&err);
}

int cli_not_built(const struct cli_command *c)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_UNSUPPORTED, "`reeve %s` is not built yet; it %s", c->name, c->waits);
	(void)rv_hint(&err, "`reeve help` lists what is");
	return cli_fail(&err);
}
