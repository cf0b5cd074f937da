#include "cli/runargs.h"

#include "cli/resources.h"

#include "cli/cli.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/host.h"

#include <stdio.h>

enum { AGENT_SLOTS_DEFAULT = 8 };

static const char help_text[] =
	"Runs a plan on this machine and exits with its result. `-` reads JSON lines from standard input.\n"
	"Without a plan: a unit for each input, a plan of one template; what units print comes in the order of the inputs.\n"
	"\n"
	"  reeve run -- CMD ::: A B C          CMD A, CMD B, CMD C; several `:::` are combined each with each\n"
	"  reeve run --each FILE -- CMD {}     for each line of FILE; find . -print0 | reeve run --each - -0 -- CMD {}\n"
	"  reeve run --agent NAME --each FILE  a prompt a line; or one --prompt with {{item}}\n"
	"\n"
	"{} the input, {.} without extension, {/} its name, {//} its directory, {/.} both, {#} the unit's number, {2} of the second\n"
	"list; at the end where CMD has none. No shell reads CMD: sh -c 'wc -l \"$1\" | sort' sh {}";

/* Is this no plan but a command and its inputs? */
static bool is_fanout(const struct cli_run_args *a, char **argv, int words, int after)
{
	const struct cli_fanout_words *f = &a->fanout;

	for (int i = 0; i < words; i++)
		if (cli_fanout_is_separator(argv[i]))
			return true;
	return after < words || f->each || f->null_ended || f->agent || f->model || f->prompt || f->prompt_file;
}

static int take_fanout(struct cli_run_args *a, char **argv, int words, int after, struct rv_err *err)
{
	struct cli_fanout_words *f = &a->fanout;

	if (after > 0 && !cli_fanout_is_separator(argv[0])) {
		(void)rv_fail(err, RV_E_USAGE, "\"%.64s\": a command with its inputs stands behind `--`", argv[0]);
		return rv_hint(err, f->each ? "reeve run --each FILE -- CMD {}" : "reeve run -- CMD ::: A B C");
	}
	if (f->null_ended && !f->each)
		return rv_fail(err, RV_E_USAGE, "-0 is for --each FILE");
	if (a->only)
		return rv_fail(err, RV_E_USAGE, "--only is for plans");
	f->word = argv;
	f->count = (uint32_t)words;
	a->is_fanout = true;
	a->plan = CLI_RUN_FANOUT;
	return 0;
}

static int parse_words(struct cli_run_args *a, int argc, char **argv, struct rv_err *err)
{
	struct cli_fanout_words *f = &a->fanout;
	const struct rv_opt table[] = {
		{ "jobs", 'j', RV_OPT_UINT, &a->jobs, "N", "units at once: slots and agent slots both N (default: usable CPUs, 8 agents)", 1, RV_SLOTS_MAX },
		{ "agent-slots", 0, RV_OPT_UINT, &a->agent_slots, "N", "agent units at once", 1, RV_SLOTS_MAX },
		{ "label", 0, RV_OPT_LIST, &a->labels, "K=V", "a label of this machine, for units that ask for it", 0, 0 },
		{ "resource", 0, RV_OPT_LIST, &a->resources, "K=N", "how much of a resource this machine has, or which ones: gpus=[0,1]", 0, 0 },
		{ "set", 0, RV_OPT_LIST, &a->sets, "KEY=VALUE", "change a plan-level value, dotted: limits.failed=20", 0, 0 },
		{ "context", 0, RV_OPT_STRING, &a->context, "FILE", "a JSON or YAML map over the plan's context", 0, 0 },
		{ "mock", 0, RV_OPT_OPTIONAL, &a->mock, "agents", "try the plan without running anything; =agents: commands do run", 0, 0 },
		{ "dry-run", 0, RV_OPT_FLAG, &a->dry_run, NULL, "check, then show what would run, in order", 0, 0 },
		{ "only", 0, RV_OPT_STRING, &a->only, "ID", "run one unit; its dependencies' outputs come from the newest run", 0, 0 },
		{ "resume", 0, RV_OPT_OPTIONAL, &a->resume, "RUN", "go on with the newest run of this plan that did not succeed", 0, 0 },
		{ "plan-changed", 0, RV_OPT_LATER, NULL, NULL, CLI_WAITS_COMFORTS, 0, 0 },
		{ "show", 0, RV_OPT_STRING, &a->show, "WHAT", "print what units print: all, failed or none (default failed)", 0, 0 },
		{ "open", 0, RV_OPT_LATER, NULL, NULL, "a `run` takes its units as they are when it begins; a coordinator takes more (reeve submit --open)", 0, 0 },
		{ "events", 0, RV_OPT_STRING, &a->events, "FILE", "append every transition as a line of JSON", 0, 0 },
		{ "pass-env", 0, RV_OPT_LIST, &a->pass_env, "NAME", "let a variable through to agent units", 0, 0 },
		{ "state", 0, RV_OPT_STRING, &a->state, "DIR", "where runs are kept (default .reeve)", 0, 0 },
		{ "durability", 0, RV_OPT_STRING, &a->durability, "WHAT", "process survives every kill, power also power loss (default process)", 0, 0 },
		{ "no-hold", 0, RV_OPT_FLAG, &a->no_hold, NULL, "run through the gates that the plan holds shut until a person says `release`", 0, 0 },
		{ "secrets-file", 0, RV_OPT_LATER, NULL, "FILE", CLI_WAITS_AGENTS, 0, 0 },
		{ "on-event", 0, RV_OPT_STRING, &a->on_event, "CMD", "run by a shell for each transition, which is JSON on its stdin; 10 s each", 0, 0 },
		{ "on-event-type", 0, RV_OPT_STRING, &a->on_event_type, "T,...", "... of these types only: unit_finished,run_finished", 0, 0 },
		{ "joblog", 0, RV_OPT_STRING, &a->joblog, "FILE", "a line a unit as it ends, in GNU parallel's columns", 0, 0 },
		{ "http", 0, RV_OPT_LATER, NULL, "ADDR", CLI_WAITS_COMFORTS, 0, 0 },
		{ "each", 0, RV_OPT_STRING, &f->each, "FILE", "a unit for each line of FILE (`-`: standard input), with CMD or --agent", 0, 0 },
		{ "null", '0', RV_OPT_FLAG, &f->null_ended, NULL, "... whose inputs end with NUL, not newline", 0, 0 },
		{ "agent", 0, RV_OPT_STRING, &f->agent, "NAME", "the units are an agent's; a line is its prompt", 0, 0 },
		{ "model", 0, RV_OPT_STRING, &f->model, "M", "the agent's model", 0, 0 },
		{ "prompt", 0, RV_OPT_STRING, &f->prompt, "TEXT", "one prompt for all, with {{item}} where the line belongs", 0, 0 },
		{ "prompt-file", 0, RV_OPT_STRING, &f->prompt_file, "FILE", "the same from a file", 0, 0 },
		CLI_OPT_FORMAT(&a->format),
		CLI_OPT_HELP(&a->help),
		CLI_OPT_END,
	};
	int words = 0, after = 0;

	if (rv_opts_parse(table, argc, argv, &words, &after, err) < 0)
		return -1;
	if (a->help) {
		(void)cli_usage("run", "PLAN", help_text, table);
		return 1;
	}
	if (is_fanout(a, argv, words, after))
		return take_fanout(a, argv, words, after, err);
	if (words != 1) {
		rv_fail(err, RV_E_USAGE, words ? "run takes one plan, not %d words" : "run needs a plan", words);
		if (words == 2 && a->mock && !a->mock[0] && (strcmp(argv[0], "agents") == 0 || strcmp(argv[1], "agents") == 0))
			return rv_hint(err, "did you mean --mock=agents?");
		return rv_hint(err, words ? "reeve run PLAN.yaml; a command and its inputs: reeve run -- CMD ::: A B; `reeve help run` shows the options"
					  : "reeve run PLAN.yaml; `reeve help run` shows the options, `reeve init` writes a plan to begin with");
	}
	a->plan = argv[0];
	return 0;
}

static int choose(const char *what, const char *word, const char *const *names, int count, int *out, struct rv_err *err)
{
	int near;

	if (!word)
		return 0;
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], word) == 0) {
			*out = i;
			return 0;
		}
	}
	near = rv_nearest(rv_str_of(word), names, (size_t)count);
	rv_fail(err, RV_E_USAGE, "--%s knows no \"%s\"", what, word);
	return rv_hint(err, "one of: %s, %s%s%s%s%s%s", names[0], names[1], count > 2 ? ", " : "", count > 2 ? names[2] : "",
		       near >= 0 ? "; did you mean \"" : "", near >= 0 ? names[near] : "", near >= 0 ? "\"?" : "");
}

/* The value comes from our own environment. One that was typed is not repeated: it may be a secret. */
static int check_env_name(const char *word, struct rv_err *err)
{
	size_t name = strcspn(word, "=");

	if (name == 0 || word[name]) {
		rv_fail(err, RV_E_USAGE, "--pass-env takes the NAME of a variable, not \"%.*s%s\"", (int)rv_min_u64(name, 64), word,
			word[name] ? "=..." : "");
		return rv_hint(err, "set it before reeve is started; its value is taken from there");
	}
	if (strncmp(word, "REEVE_", 6) == 0)
		return rv_fail(err, RV_E_USAGE, "--pass-env %.64s: variables named REEVE_ are reeve's own", word);
	return 0;
}

int cli_run_args_machine(const struct cli_run_args *a, struct cli_settings *s, struct rv_err *err)
{
	struct rv_host_share host;

	memset(s, 0, sizeof *s);
	rv_host_share(&host);
	(void)snprintf(s->plan, sizeof s->plan, "%s", a->plan);
	(void)snprintf(s->durability, sizeof s->durability, "%s", a->durability ? a->durability : "process");
	s->slots = a->jobs ? a->jobs : host.cpus;
	s->agent_slots = a->agent_slots ? a->agent_slots : a->jobs ? a->jobs : AGENT_SLOTS_DEFAULT;
	for (uint32_t i = 0; i < a->labels.count; i++) {
		struct cli_settings_pair *p = &s->labels[s->label_count];
		struct rv_str key, value;

		if (s->label_count == RV_LABELS_MAX)
			return rv_fail(err, RV_E_LIMIT, "more than %u labels", RV_LABELS_MAX);
		if (cli_split_pair("label", a->labels.item[i], &key, &value, err) < 0)
			return -1;
		if (value.bytes >= sizeof p->value)
			return rv_fail(err, RV_E_LIMIT, "--label %.*s: its value is longer than %zu bytes", RV_STR_ARGS(key), sizeof p->value - 1);
		(void)snprintf(p->key, sizeof p->key, "%.*s", RV_STR_ARGS(key));
		(void)snprintf(p->value, sizeof p->value, "%.*s", RV_STR_ARGS(value));
		s->label_count++;
	}
	for (uint32_t i = 0; i < a->pass_env.count; i++) {
		if (check_env_name(a->pass_env.item[i], err) < 0)
			return -1;
		if (i == CLI_SETTINGS_PAIRS_MAX || strlen(a->pass_env.item[i]) >= sizeof s->pass_env[0])
			return rv_fail(err, RV_E_LIMIT, "--pass-env: more than %u names, or one longer than %zu bytes", CLI_SETTINGS_PAIRS_MAX,
				       sizeof s->pass_env[0] - 1);
		(void)snprintf(s->pass_env[s->pass_env_count++], sizeof s->pass_env[0], "%s", a->pass_env.item[i]);
	}
	return cli_resources_set(&a->resources, host.memory_bytes, s, err);
}

int cli_run_args_parse(struct cli_run_args *a, int argc, char **argv, struct rv_err *err)
{
	static const char *const show[] = { "failed", "all", "none" };
	static const char *const durability[] = { "process", "power" };
	static const char *const mock[] = { "", "agents" };
	int shown = 0, durable = 0, mocked = 0, rc;

	memset(a, 0, sizeof *a);
	rc = parse_words(a, argc, argv, err);
	if (rc != 0)
		return rc;
	if (cli_format_parse(a->format, &a->output, err) < 0)
		return -1;
	if (choose("show", a->show, show, 3, &shown, err) < 0 || choose("durability", a->durability, durability, 2, &durable, err) < 0)
		return -1;
	if (choose("mock", a->mock, mock, 2, &mocked, err) < 0)
		return rv_hint(err, "--mock runs nothing at all, --mock=agents everything but agents");
	a->shown = (enum cli_show)shown;
	if (a->is_fanout && !a->show)
		a->shown = a->output == CLI_TABLE || a->output == CLI_WIDE ? CLI_SHOW_IN_ORDER : CLI_SHOW_NONE;
	a->mocked = !a->mock ? PLAN_MOCK_OFF : mocked ? PLAN_MOCK_AGENTS : PLAN_MOCK_ALL;
	return 0;
}
