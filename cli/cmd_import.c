/* cmd_import.c - `reeve import FORMAT FILE`: another tool's graph becomes a plan on stdout */
#include "cli/cli.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/file.h"
#include "common/plan/import_dag.h"

#include <math.h>
#include <stdlib.h>

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

static int import_dag(const char *path, const struct plan_import_dag *how, struct rv_buf *out, struct rv_err *err)
{
	struct rv_buf in;
	int rc;

	rv_buf_init(&in, RV_PLAN_FILE_BYTES_MAX + 4096);
	rc = rv_file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, RV_PLAN_FILE_BYTES_MAX, &in, err);
	if (rc == 0 && in.bytes > 2 && memcmp(in.at, "\x1f\x8b", 2) == 0) {
		rc = rv_fail(err, RV_E_USAGE, "%s is compressed", path);
		(void)rv_hint(err, "gunzip -c FILE | reeve import dag -");
	}
	if (rc == 0)
		rc = plan_import_dag(rv_buf_str(&in), how, out, err);
	rv_buf_release(&in);
	return rc;
}

static int known_format(const char *format, struct rv_err *err)
{
	static const char *const later[] = { "wfformat", "ralph", "agentos", "taskmaster", "dagman" };
	static const char *const all[] = { "dag", "wfformat", "ralph", "agentos", "taskmaster", "dagman" };
	size_t i;
	int near;

	if (strcmp(format, "dag") == 0)
		return 0;
	for (i = 0; i < RV_ARRAY_LEN(later); i++) {
		if (strcmp(format, later[i]) == 0)
			return rv_fail(err, RV_E_UNSUPPORTED, "`reeve import %s` is not built yet; it " CLI_WAITS_COMFORTS, format);
	}
	rv_fail(err, RV_E_USAGE, "there is no format \"%.40s\"", format);
	near = rv_nearest(rv_str_of(format), all, RV_ARRAY_LEN(all));
	return near >= 0 ? rv_hint(err, "did you mean %s?", all[near]) : rv_hint(err, "dag is there");
}

int cli_cmd_import(int argc, char **argv)
{
	struct plan_import_dag how = { .scale = 1 };
	const char *scale = NULL;
	uint64_t max_cores = 0;
	bool help = false;
	const struct rv_opt table[] = {
		{ "scale", 0, RV_OPT_STRING, &scale, "F", "dag: multiply every runtime (default 1)", 0, 0 },
		{ "max-cores", 0, RV_OPT_UINT, &max_cores, "N", "dag: tasks that hold more cores hold N", 1, RV_SLOTS_MAX },
		{ "agent", 0, RV_OPT_LATER, NULL, "NAME=PROFILE", CLI_WAITS_COMFORTS, 0, 0 },
		{ "compat-env", 0, RV_OPT_LATER, NULL, NULL, CLI_WAITS_COMFORTS, 0, 0 },
		CLI_OPT_HELP(&help),
		CLI_OPT_END,
	};
	struct rv_err err = { 0 };
	struct rv_buf out;
	int words = 0, status;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err) < 0)
		return cli_fail(&err);
	if (help)
		return cli_usage("import", "FORMAT FILE", "Turns a graph of another tool into a plan on stdout. Formats: dag (tasks with "
				 "runtime_s, cores, deps; `-` reads standard input).", table);
	if (words < 1 || known_format(argv[0], &err) < 0)
		return words < 1 ? cli_failf(RV_E_USAGE, "import needs a format and a file") : cli_fail(&err);
	if (words != 2)
		return cli_failf(RV_E_USAGE, "import %s takes one file", argv[0]);
	if (parse_scale(scale, &how.scale, &err) < 0)
		return cli_fail(&err);
	how.max_cores = (uint32_t)max_cores;
	how.name = argv[1];
	rv_buf_init(&out, 0);
	status = import_dag(argv[1], &how, &out, &err) < 0 ? cli_fail(&err) : cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}
