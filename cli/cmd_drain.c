/* cmd_drain.c - verbs by which people act on nodes: drain, undrain, remove */
#include "cli/acted.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "common/id.h"
#include "common/limits.h"

#include <string.h>

/* A name that is not there is answered with the nearest there is. */
static void suggest_node(struct cli_client *c, struct rv_str name, struct rv_err *err)
{
	const char *names[256];
	struct rv_buf text[RV_ARRAY_LEN(names)];
	struct cli_rows rows;
	uint32_t i, count = 0;
	int nearest = -1;

	cli_rows_init(&rows);
	if (cli_rows_fetch(&rows, c, PROTO_ASK_NODES, 0, RV_STR(""), NULL) == 0) {
		count = (uint32_t)rv_min_u64(rows.count, RV_ARRAY_LEN(names));
		for (i = 0; i < count; i++) {
			rv_buf_init(&text[i], 0);
			(void)cli_row_text(cli_row(&rows, i), "name", &text[i]);
			names[i] = text[i].bytes ? text[i].at : "";
		}
		nearest = rv_nearest(name, names, count);
	}
	(void)rv_hint(err, nearest >= 0 ? "did you mean %s?" : "`reeve nodes` lists them%.0s", nearest >= 0 ? names[nearest] : "");
	for (i = 0; i < count; i++)
		rv_buf_release(&text[i]);
	cli_rows_release(&rows);
}

static int on_node(struct cli_query *q, const char *verb, struct cli_act_wish *w, const char *name)
{
	struct cli_act_done done = { .act = verb };
	struct cli_client *client = NULL;
	struct rv_err err = { 0 };
	int status;

	if (!name)
		return cli_failf(RV_E_USAGE, "`reeve %s` needs a node", verb);
	w->node = done.node = rv_str_of(name);
	if (!rv_name_valid(w->node))
		return cli_failf(RV_E_NOT_FOUND, "there is no node \"%.64s\"", name);
	if (cli_query_ask(q, CLI_PLACE_RUNS, RV_STR(""), &client, &err)) {
		status = cli_fail(&err);
	} else if (cli_act_do(client, w, &done, &err)) {
		if (err.code == RV_E_NOT_FOUND && !err.hint[0])
			suggest_node(client, w->node, &err);
		status = cli_fail(&err);
	} else {
		status = cli_act_answer(&done, q->format);
	}
	cli_client_close(&client);
	return status;
}

static int deadline_of(const char *word, int64_t *us, struct rv_err *err)
{
	uint64_t within = 0;

	if (!word)
		return 0;
	if (rv_parse_duration(word, &within, err))
		return -1;
	if (within > RV_DRAIN_US_MAX)
		return rv_fail(err, RV_E_USAGE, "--deadline is at most %llu days", (unsigned long long)(RV_DRAIN_US_MAX / RV_US_PER_S / 86400));
	*us = (int64_t)rv_max_u64(within, 1); /* 0 says that there is none */
	return 0;
}

int cli_cmd_drain(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	const char *deadline = NULL;
	const struct rv_opt table[] = {
		{ "deadline", 0, RV_OPT_STRING, &deadline, "D", "after this time what still runs there is ended (TERM, grace, KILL) and runs elsewhere", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_act_wish w = { .what = PROTO_MUT_DRAIN };
	struct rv_err err;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("drain", "NODE",
				 "The node gets nothing new; what runs there goes on, to its end or the deadline. A unit that is at_most_once and began is\n"
				 "left to its end. `undrain` takes it back.", table);
	if (deadline_of(deadline, &w.value, &err))
		return cli_fail(&err);
	return on_node(&q, "drain", &w, q.words ? argv[0] : NULL);
}

static int node_verb(const char *verb, const char *text, enum proto_mutation what, int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_act_wish w = { .what = what };
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage(verb, "NODE", text, table);
	return on_node(&q, verb, &w, q.words ? argv[0] : NULL);
}

int cli_cmd_undrain(int argc, char **argv)
{
	return node_verb("undrain", "The node gets units again.", PROTO_MUT_UNDRAIN, argc, argv);
}

int cli_cmd_remove(int argc, char **argv)
{
	return node_verb("remove", "The node's attempts are fenced and run elsewhere at once; its key is revoked: it does not come back without a\n"
			 "new token.", PROTO_MUT_REMOVE, argc, argv);
}
