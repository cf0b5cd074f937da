/* cmd_import.c - `reeve import FORMAT FILE`: another tool's graph becomes a plan on stdout */
#include "cli/cli.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/file.h"
#include "common/plan/import.h"
#include "common/plan/schema.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* What a format does with the options. */
enum takes { TAKES_SCALE = 1, TAKES_AGENTS = 2, TAKES_COMPAT = 4 };

struct format {
	const char *name;
	plan_import_fn *fn; /* NULL: not read */
	unsigned takes;
};

static const struct format formats[] = {
	{ "dag", plan_import_dag, TAKES_SCALE },
	{ "wfformat", plan_import_wfformat, TAKES_SCALE },
	{ "ralph", plan_import_ralph, TAKES_AGENTS | TAKES_COMPAT },
	{ "agentos", plan_import_agentos, TAKES_AGENTS },
	{ "taskmaster", NULL, 0 },
	{ "dagman", NULL, 0 },
};

struct options {
	const char *scale;
	uint64_t max_cores;
	struct rv_opt_list agents;
	bool compat_env;
	struct plan_import_agent agent[RV_OPT_LIST_MAX];
};

static const struct format *find_format(const char *name, struct rv_err *err)
{
	const char *all[RV_ARRAY_LEN(formats)];
	size_t i;
	int near;

	for (i = 0; i < RV_ARRAY_LEN(formats); i++) {
		all[i] = formats[i].name;
		if (strcmp(name, formats[i].name) != 0)
			continue;
		if (formats[i].fn)
			return &formats[i];
		rv_fail(err, RV_E_UNSUPPORTED, "`reeve import %s` is not built yet; it " CLI_WAITS_COMFORTS, name);
		(void)rv_hint(err, "dag, wfformat, ralph and agentos are there");
		return NULL;
	}
	rv_fail(err, RV_E_USAGE, "there is no format \"%.40s\"", name);
	near = rv_nearest(rv_str_of(name), all, RV_ARRAY_LEN(all));
	(void)(near >= 0 ? rv_hint(err, "did you mean %s?", all[near]) : rv_hint(err, "dag, wfformat, ralph and agentos are there"));
	return NULL;
}

static int parse_scale(const char *text, double *out, struct rv_err *err)
{
	char *end = NULL;

	if (!text)
		return 0;
	*out = *text >= '0' && *text <= '9' ? strtod(text, &end) : -1;
	if (!end || *end || !isfinite(*out) || *out < 0 || *out > 1e9)
		return rv_fail(err, RV_E_USAGE, "--scale %.40s: a number from 0 to 1e9 is expected", text);
	return 0;
}

/* NAME=PROFILE; the name may hold a `=`. */
static int parse_agent(const char *text, struct plan_import_agent *out, struct rv_err *err)
{
	const char *equals = strrchr(text, '=');

	if (!equals || equals == text)
		return rv_fail(err, RV_E_USAGE, "--agent %.80s: NAME=PROFILE is expected", text);
	out->name = rv_str(text, (size_t)(equals - text));
	out->profile = rv_str_of(equals + 1);
	if (plan_word_index(PLAN_IMPORT_PROFILES, out->profile) >= 0)
		return 0;
	rv_fail(err, RV_E_USAGE, "--agent %.80s: there is no profile \"%.40s\"", text, equals + 1);
	return rv_hint(err, "one of: " PLAN_IMPORT_PROFILES);
}

/* What would say nothing to a format is refused. */
static int take_options(struct options *o, const struct format *f, struct plan_import *how, struct rv_err *err)
{
	uint32_t i, k;

	if ((o->scale || o->max_cores) && !(f->takes & TAKES_SCALE))
		return rv_fail(err, RV_E_USAGE, "%s is of dag and wfformat, not of %s", o->scale ? "--scale" : "--max-cores", f->name);
	if (o->agents.count && !(f->takes & TAKES_AGENTS))
		return rv_fail(err, RV_E_USAGE, "--agent is of agentos and ralph, not of %s", f->name);
	if (o->compat_env && !(f->takes & TAKES_COMPAT))
		return rv_fail(err, RV_E_USAGE, "--compat-env is of ralph, not of %s", f->name);
	if (parse_scale(o->scale, &how->scale, err))
		return -1;
	for (i = 0; i < o->agents.count; i++) {
		if (parse_agent(o->agents.item[i], &o->agent[i], err))
			return -1;
		for (k = 0; k < i; k++)
			if (rv_str_equal(o->agent[k].name, o->agent[i].name))
				return rv_fail(err, RV_E_USAGE, "--agent %.80s: this agent was named before", o->agents.item[i]);
	}
	how->scaled = o->scale != NULL;
	how->max_cores = (uint32_t)o->max_cores;
	how->agents = o->agent;
	how->agent_count = o->agents.count;
	how->compat_env = o->compat_env;
	return 0;
}

static int import(const char *path, const struct format *f, struct plan_import *how, struct rv_buf *out, struct rv_err *err)
{
	bool piped = strcmp(path, "-") == 0;
	struct rv_buf in;
	int rc;

	how->name = piped ? "stdin" : path;
	rv_buf_init(&in, RV_PLAN_FILE_BYTES_MAX + 4096);
	rc = piped ? rv_file_read_fd(STDIN_FILENO, how->name, RV_PLAN_FILE_BYTES_MAX, &in, err) : rv_file_read(path, RV_PLAN_FILE_BYTES_MAX, &in, err);
	if (rc == 0 && in.bytes > 2 && memcmp(in.at, "\x1f\x8b", 2) == 0) {
		rc = rv_fail(err, RV_E_USAGE, "%s is compressed", how->name);
		(void)rv_hint(err, "gunzip -c FILE | reeve import %s -", f->name);
	}
	if (rc == 0)
		rc = f->fn(rv_buf_str(&in), how, out, err);
	rv_buf_release(&in);
	return rc;
}

static void say_mocked(const struct format *f, uint32_t mocked)
{
	if (mocked && f->takes & TAKES_AGENTS)
		cli_say("%u agent%s with the profile mock: nothing real runs; --agent NAME=PROFILE gives one (--agent default=claude)", mocked, cli_s(mocked));
}

static int no_format(void)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_USAGE, "import needs a format and a file");
	(void)rv_hint(&err, "`reeve import dag|wfformat|ralph|agentos FILE >plan.yaml`");
	return cli_fail(&err);
}

int cli_cmd_import(int argc, char **argv)
{
	struct plan_import how = { .scale = 1 };
	struct options o = { 0 };
	bool help = false;
	const struct rv_opt table[] = {
		{ "scale", 0, RV_OPT_STRING, &o.scale, "F", "dag: multiply every runtime (default 1); wfformat: sleep for F times the runtime", 0, 0 },
		{ "max-cores", 0, RV_OPT_UINT, &o.max_cores, "N", "dag, wfformat: tasks that hold more cores hold N", 1, RV_SLOTS_MAX },
		{ "agent", 0, RV_OPT_LIST, &o.agents, "NAME=PROFILE", "agentos, ralph (NAME is default there): the agent's profile (default mock)", 0, 0 },
		{ "compat-env", 0, RV_OPT_FLAG, &o.compat_env, NULL, "ralph: the plan asks for RALPH_* variables (compat_env)", 0, 0 },
		CLI_OPT_NO_FORMAT("a plan is JSON"),
		CLI_OPT_HELP(&help),
		CLI_OPT_END,
	};
	const struct format *f;
	struct rv_err err = { 0 };
	struct rv_buf out;
	int words = 0, status;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err) < 0)
		return cli_fail(&err);
	if (help)
		return cli_usage("import", "dag|wfformat|ralph|agentos FILE", "Turns a graph of another tool into a plan on stdout (`-` reads standard input). Formats:\n"
				 "  dag       tasks with runtime_s, cores, deps, which become sleeps\n"
				 "  wfformat  an instance of WfCommons, 1.4 to 1.6: its programs and arguments, or with --scale sleeps\n"
				 "  ralph     {\"work_units\": [{unit_id, description, allowed_directories, dependencies, step_ids}]}\n"
				 "  agentos   {ID: {agent, prompt, depends_on, context}}", table);
	if (words < 1)
		return no_format();
	f = find_format(argv[0], &err);
	if (!f)
		return cli_fail(&err);
	if (words != 2)
		return cli_failf(RV_E_USAGE, "import %s takes one file", argv[0]);
	if (take_options(&o, f, &how, &err))
		return cli_fail(&err);
	rv_buf_init(&out, 0);
	if (import(argv[1], f, &how, &out, &err)) {
		status = cli_fail(&err);
	} else {
		status = cli_answer(rv_buf_str(&out), CLI_OK);
		say_mocked(f, how.mocked);
	}
	rv_buf_release(&out);
	return status;
}
