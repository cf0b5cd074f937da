/* cmd_export.c - `reeve export FORMAT RUN`: which formats there are */
#include "cli/events.h"
#include "cli/export/export.h"
#include "cli/query.h"
#include "cli/schedule.h"
#include "common/id.h"

struct format {
	const char *name;
	int (*lines)(const struct cli_query *q, struct cli_target target); /* reeve's own; NULL: `other` */
	const struct cli_export_format *other;
};

static const struct format formats[] = {
	{ "events", cli_events_export, NULL },
	{ "schedule", cli_schedule_export, NULL },
	{ "joblog", NULL, &cli_export_joblog },
	{ "chrome-trace", NULL, &cli_export_chrome_trace },
	{ "junit", NULL, &cli_export_junit },
	{ "dot", NULL, &cli_export_dot },
	{ "mermaid", NULL, &cli_export_mermaid },
	{ "report", NULL, &cli_export_report },
};

#define NAMES "events|schedule|joblog|chrome-trace|junit|dot|mermaid|report"

static int unknown(const char *name)
{
	const char *names[RV_ARRAY_LEN(formats)];
	struct rv_err err;
	size_t i;
	int nearest;

	for (i = 0; i < RV_ARRAY_LEN(formats); i++)
		names[i] = formats[i].name;
	nearest = rv_nearest(rv_str_of(name), names, RV_ARRAY_LEN(names));
	(void)rv_fail(&err, RV_E_USAGE, "there is no export format \"%.64s\"", name);
	(void)(nearest >= 0 ? rv_hint(&err, "did you mean %s?", names[nearest]) : rv_hint(&err, "one of: " NAMES));
	return cli_fail(&err);
}

static int help(const struct rv_opt *table)
{
	struct rv_buf text;
	size_t i;
	int status;

	rv_buf_init(&text, 0);
	(void)rv_buf_puts(&text, "A run, ended or running (the newest, where none is named), on stdout:\n"
				 "  events        a line of JSON an event (docs/schemas/event.json)\n"
				 "  schedule      a line of JSON an attempt that ran: unit (its old id where the plan was imported), node, start, end, slots");
	for (i = 0; i < RV_ARRAY_LEN(formats); i++)
		if (formats[i].other)
			(void)rv_buf_printf(&text, "\n  %-13s %s", formats[i].name, formats[i].other->summary);
	status = cli_usage("export", NAMES " [RUN]", text.at, table);
	rv_buf_release(&text);
	return status;
}

static int no_format(void)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_USAGE, "`reeve export` needs a format: " NAMES);
	(void)rv_hint(&err, "`reeve export report >report.html`, of the newest run");
	return cli_fail(&err);
}

int cli_cmd_export(int argc, char **argv)
{
	struct cli_query q = { .words_max = 2 };
	const struct rv_opt table[] = {
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_NO_FORMAT("its first word is the format"),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_target target = { { NULL, 0 }, { NULL, 0 } };
	int status;
	size_t i;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return help(table);
	if (!q.words)
		return no_format();
	if (q.words > 1)
		target = cli_query_target(argv[1], CLI_WORD_RUN_UNIT);
	for (i = 0; i < RV_ARRAY_LEN(formats); i++)
		if (strcmp(argv[0], formats[i].name) == 0)
			return formats[i].lines ? formats[i].lines(&q, target) : cli_export_run(formats[i].other, &q, target);
	return unknown(argv[0]);
}
