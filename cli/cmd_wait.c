/* cmd_wait.c - `reeve wait` and `reeve watch` */
#include "cli/follow.h"
#include "cli/query.h"
#include "cli/view/watch.h"

static int follow(const struct cli_query *q, const char *verb, const char *word, enum cli_follow_how how, bool exit_status,
		  int (*with)(const struct cli_follow *f))
{
	struct cli_target t = cli_query_target(word, CLI_WORD_RUN_UNIT);
	struct cli_follow f = { .state = q->state, .coordinator = q->coordinator, .run = t.run, .format = q->format, .how = how,
				.exit_status = exit_status };

	if (t.unit.bytes)
		return cli_failf(RV_E_USAGE, "`reeve %s` is for a whole run: name RUN without a unit", verb);
	return with(&f);
}

int cli_cmd_wait(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("wait", "[RUN]",
				 "Waits until a run (the newest, where none is named) has ended, prints its result and exits as `run`\n"
				 "does. Ctrl-C detaches: the run goes on.", table);
	return follow(&q, "wait", q.words ? argv[0] : NULL, CLI_FOLLOW_QUIET, true, cli_follow);
}

int cli_cmd_watch(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	bool exit_status = false, lines = false;
	const struct rv_opt table[] = {
		{ "exit-status", 0, RV_OPT_FLAG, &exit_status, NULL, "exit as the run does (default: 0 once it has ended)", 0, 0 },
		{ "lines", 0, RV_OPT_FLAG, &lines, NULL, "a line for everything that happens, on a terminal too", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("watch", "[RUN]",
				 "What a run does, until it has ended. On a terminal a live view: how far it is, what runs (slowest first), what failed\n"
				 "with its last line; keys open logs, cancel, retry, hold, pause (? lists them). Elsewhere, and with --lines, a line for\n"
				 "everything that happens; a slow reader loses nothing. q and Ctrl-C detach: the run goes on.", table);
	return follow(&q, "watch", q.words ? argv[0] : NULL, CLI_FOLLOW_LINES, exit_status, lines ? cli_follow : view_watch);
}
