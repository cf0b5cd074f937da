/* cmd_explain.c - `reeve explain`: why a unit is not running, as its coordinator says it; of a local run that has ended, its directory */
#include "cli/client.h"
#include "cli/ended.h"
#include "cli/explain.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "common/os/clock.h"

#include <stdio.h>
#include <string.h>

static const struct cli_column explain_columns[] = {
	{ "WHAT", CLI_LEFT, false },
	{ "NODE", CLI_LEFT, false },
	{ "WHY", CLI_LEFT, false },
};

/* A member of the row behind these words; nothing where it is missing. */
static void put_member(struct rv_buf *out, const char *before, struct rv_str row, const char *key, const char *behind)
{
	struct rv_buf room;

	rv_buf_init(&room, 0);
	if (cli_row_text(row, key, &room).bytes)
		(void)rv_buf_printf(out, "%s%.*s%s", before, RV_STR_ARGS(rv_buf_str(&room)), behind);
	rv_buf_release(&room);
}

static void put_use(struct rv_buf *out, const char *what, struct rv_str row)
{
	(void)rv_buf_puts(out, what);
	put_member(out, " ", row, "name", "");
	(void)rv_buf_printf(out, ": %llu of %llu in use", (unsigned long long)cli_row_uint(row, "used"), (unsigned long long)cli_row_uint(row, "limit"));
	put_member(out, ", by ", row, "unit", "");
	put_member(out, " of run ", row, "of_run", "");
}

static void put_retry_wait(struct rv_buf *out, struct rv_str row)
{
	(void)rv_buf_puts(out, "its next try is in ");
	cli_put_duration(out, cli_row_uint(row, "left_us"));
	(void)rv_buf_puts(out, ", at ");
	cli_put_time(out, rv_clock_realtime_us() + cli_row_uint(row, "left_us"));
}

static void put_holder(struct rv_buf *out, struct rv_str row)
{
	struct rv_buf room;

	rv_buf_init(&room, 0);
	if (cli_row_text(row, "unit", &room).bytes) {
		(void)rv_buf_puts(out, "workspace: one of its directories is held by ");
		put_member(out, "", row, "of_run", "/");
		put_member(out, "", row, "unit", "");
	} else {
		(void)rv_buf_puts(out, "workspace: as many directories are held as there may be");
	}
	rv_buf_release(&room);
}

/* Words of a node's `why` that do not speak for themselves. */
static const struct {
	const char *why, *says;
} node_words[] = {
	{ "fits", "could take it" },
	{ "removed", "was removed" },
	{ "away", "is away" },
	{ "suspect", "has not been heard for a while" },
	{ "draining", "is being drained" },
	{ "quarantined", "is in quarantine: it broke units in a row" },
	{ "greeting", "has just come, and says what it holds" },
	{ "rejects", "has refused it" },
	{ "no_workspace", "does not have the workspace" },
	{ "pinned_elsewhere", "is not the node that the plan names" },
	{ "labels", "cannot take it" },
	{ "no_agent", "cannot take it" },
	{ "too_small", "cannot take it, however idle" },
	{ "resources", "cannot take it" },
	{ "resources_busy", "has the resources asked for, but they are in use" },
	{ "full", "has no slot free" },
	{ "careful", "gets one unit at a time, after a failure that was its own" },
	{ "kept_free", "is kept free for a wider unit" },
	{ "avoided", "is avoided: the unit failed there before" },
};

/* Since when it is silent, until when it is kept off. */
static void put_since(struct rv_buf *out, struct rv_str row)
{
	if (cli_row_uint(row, "silent_us")) {
		(void)rv_buf_puts(out, "; last heard ");
		cli_put_duration(out, cli_row_uint(row, "silent_us"));
		(void)rv_buf_puts(out, " ago");
	}
	if (cli_row_uint(row, "left_us")) {
		(void)rv_buf_puts(out, "; its next probe is in ");
		cli_put_duration(out, cli_row_uint(row, "left_us"));
	}
}

static void put_node_why(struct rv_buf *out, struct rv_str row)
{
	struct rv_buf room;
	struct rv_str why;
	size_t i;

	rv_buf_init(&room, 0);
	why = cli_row_text(row, "why", &room);
	for (i = 0; i < RV_ARRAY_LEN(node_words) && !rv_str_equal(why, rv_str_of(node_words[i].why)); i++)
		;
	if (i < RV_ARRAY_LEN(node_words))
		(void)rv_buf_puts(out, node_words[i].says);
	else
		(void)rv_buf_put_str(out, why); /* of a later version */
	put_member(out, " (", row, "name", ")");
	if (cli_row_uint(row, "limit"))
		(void)rv_buf_printf(out, ": %llu of %llu in use", (unsigned long long)cli_row_uint(row, "used"), (unsigned long long)cli_row_uint(row, "limit"));
	put_since(out, row);
	if (rv_str_equal(why, RV_STR("no_workspace"))) {
		put_member(out, " ", row, "workspace", "");
		put_member(out, "; where it is there says `reeve node --map ", row, "workspace", "=PATH`");
	} else {
		put_member(out, "; it lacks ", row, "lacks", "");
	}
	rv_buf_release(&room);
}

/* How it ended, in the words of `status` where they came along. */
static void put_ended(struct rv_buf *out, struct rv_str row)
{
	struct rv_buf run, unit;

	put_member(out, "", row, "state", "");
	put_member(out, " (", row, "reason", ")");
	put_member(out, ": ", row, "says", "");
	if (!cli_row_true(row, "started"))
		return;
	rv_buf_init(&run, 0);
	rv_buf_init(&unit, 0);
	(void)rv_buf_printf(out, "; `reeve logs %.*s/%.*s` has what it printed", RV_STR_ARGS(cli_row_text(row, "run", &run)),
			    RV_STR_ARGS(cli_row_text(row, "unit", &unit)));
	rv_buf_release(&run);
	rv_buf_release(&unit);
}

static void put_run_ended(struct rv_buf *out, struct rv_str row)
{
	put_member(out, "run ", row, "run", " has ended");
	put_member(out, ": ", row, "state", "");
	put_member(out, "; `reeve status ", row, "run", "` tells all");
}

/* A row as a sentence; what a later version adds shows as its word alone. */
static void put_why(struct rv_buf *out, struct rv_str row, struct rv_str what, const char *of)
{
	struct rv_buf run;
	bool local; /* who answered is the run's directory */

	rv_buf_init(&run, 0);
	local = cli_row_text(row, "run", &run).bytes > 0;
	rv_buf_release(&run);
	if (local && (rv_str_equal(what, RV_STR("ended")) || rv_str_equal(what, RV_STR("left")))) {
		put_ended(out, row);
	} else if (local && rv_str_equal(what, RV_STR("run_ended"))) {
		put_run_ended(out, row);
	} else if (local) {
		put_member(out, "run ", row, "run", " has no process any more");
	} else if (rv_str_equal(what, RV_STR("go_on"))) {
		put_member(out, "", row, "says", "");
	} else if (rv_str_equal(what, RV_STR("ended"))) {
		(void)rv_buf_puts(out, "it has ended");
		put_member(out, ": ", row, "state", "");
		put_member(out, " (", row, "reason", ")");
		(void)rv_buf_printf(out, "; `reeve status %s` and `reeve logs %s` say more", of, of);
	} else if (rv_str_equal(what, RV_STR("active"))) {
		(void)rv_buf_printf(out, "attempt %llu is there and %s", (unsigned long long)cli_row_uint(row, "attempt"),
				    cli_row_true(row, "started") ? "runs" : "has not started");
		put_member(out, "; it begins by itself once ", row, "unit", " has succeeded there");
	} else if (rv_str_equal(what, RV_STR("run_ended"))) {
		(void)rv_buf_puts(out, "the run has ended");
	} else if (rv_str_equal(what, RV_STR("run_stopped"))) {
		(void)rv_buf_puts(out, "nothing new of the run starts");
		put_member(out, ": ", row, "reason", "");
		put_member(out, ", because of ", row, "root_cause", "");
	} else if (rv_str_equal(what, RV_STR("run_paused"))) {
		(void)rv_buf_puts(out, "the run is paused; `reeve unpause` goes on");
	} else if (rv_str_equal(what, RV_STR("dependency"))) {
		put_member(out, "waits for ", row, "unit", "");
		put_member(out, ", which is ", row, "state", "");
	} else if (rv_str_equal(what, RV_STR("more_dependencies"))) {
		(void)rv_buf_printf(out, "and for %llu more", (unsigned long long)cli_row_uint(row, "count"));
	} else if (rv_str_equal(what, RV_STR("held"))) {
		(void)rv_buf_puts(out, "held; `reeve release` lets it go");
	} else if (rv_str_equal(what, RV_STR("retry_wait"))) {
		put_retry_wait(out, row);
	} else if (rv_str_equal(what, RV_STR("max_workers")) || rv_str_equal(what, RV_STR("max_concurrent")) || rv_str_equal(what, RV_STR("lock"))) {
		put_use(out, rv_str_equal(what, RV_STR("lock")) ? "lock" : rv_str_equal(what, RV_STR("max_workers")) ? "max_workers" : "agent", row);
	} else if (rv_str_equal(what, RV_STR("directory"))) {
		put_holder(out, row);
	} else if (rv_str_equal(what, RV_STR("no_node"))) {
		(void)rv_buf_puts(out, "no node has joined; `reeve help node` says how one does");
	} else if (rv_str_equal(what, RV_STR("node"))) {
		put_node_why(out, row);
	} else if (rv_str_equal(what, RV_STR("queue"))) {
		(void)rv_buf_printf(out, "%llu other unit%s go%s first", (unsigned long long)cli_row_uint(row, "count"),
				    cli_s(cli_row_uint(row, "count")), cli_row_uint(row, "count") == 1 ? "es" : "");
	}
}

void cli_explain_put_line(struct rv_buf *out, struct rv_str row)
{
	struct rv_buf room, line;

	rv_buf_init(&room, 0);
	rv_buf_init(&line, 0);
	if (cli_row_text(row, "node", &room).bytes)
		(void)rv_buf_printf(&line, "%s: ", room.at);
	put_why(&line, row, cli_row_text(row, "what", &room), "RUN/UNIT");
	cli_text_safe(CLI_TEXT_CELL, rv_buf_str(&line), out);
	(void)rv_buf_putc(out, '\n');
	rv_buf_release(&room);
	rv_buf_release(&line);
}

static void put_explain(struct cli_table *t, struct rv_str row, const char *of)
{
	struct rv_buf room, node, why;
	struct rv_str what;

	rv_buf_init(&room, 0);
	rv_buf_init(&node, 0);
	rv_buf_init(&why, 0);
	what = cli_row_text(row, "what", &room);
	put_why(&why, row, what, of);
	cli_table_cell(t, what);
	cli_table_cell(t, cli_row_text(row, "node", &node));
	cli_table_cell(t, rv_buf_str(&why));
	rv_buf_release(&room);
	rv_buf_release(&node);
	rv_buf_release(&why);
}

/* `of`: RUN/UNIT. */
static int answer_explain(const struct cli_rows *rows, enum cli_format format, const char *of)
{
	struct cli_table table;
	struct rv_buf out;
	uint32_t i;
	int status;

	rv_buf_init(&out, 0);
	cli_table_init(&table, explain_columns, RV_ARRAY_LEN(explain_columns), format);
	if (!cli_rows_plain(rows, format, "reeve.explain/1", "reasons", "what", &out)) {
		for (i = 0; i < rows->count; i++)
			put_explain(&table, cli_row(rows, i), of);
		cli_table_print(&table, &out);
	}
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	cli_table_release(&table);
	rv_buf_release(&out);
	return status;
}

int cli_cmd_explain(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_client *client = NULL;
	struct cli_target target;
	struct cli_rows rows;
	struct rv_run_id id;
	struct rv_err err, ended;
	char of[RV_RUN_ID_CHARS + RV_UNIT_ID_BYTES_MAX + 2];
	int status, rc;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("explain", "[RUN/]UNIT",
				 "Why a unit is not running: dependencies, holds, limits, locks, directories, and for each node what it\n"
				 "lacks. Asked of the coordinator, which alone knows. Of a local run that has ended: how the unit did, and what can be done.", table);
	if (!q.words)
		return cli_failf(RV_E_USAGE, "`reeve explain` needs a unit: RUN/UNIT");
	target = cli_query_target(argv[0], CLI_WORD_NEEDS_UNIT);
	if (!target.unit.bytes)
		return cli_failf(RV_E_USAGE, "a unit is missing: RUN/UNIT");
	if (target.unit.bytes > RV_UNIT_ID_BYTES_MAX)
		return cli_failf(RV_E_NOT_FOUND, "there is no unit of so long a name");
	cli_rows_init(&rows);
	if (cli_query_ask(&q, CLI_PLACE_RUNS, target.run, &client, &err))
		status = err.code != RV_E_UNREACHABLE || (rc = cli_ended_explain(&q, target, &rows, &ended)) > 0 ? cli_fail(&err) :
			 rc < 0 ? cli_fail(&ended) : answer_explain(&rows, q.format, argv[0]);
	else if (cli_rows_find_run(client, target.run, &id, &err) ||
		 cli_rows_fetch(&rows, client, PROTO_ASK_EXPLAIN, rv_run_id_number(rv_str_of(id.text)), target.unit, &err))
		status = cli_fail(&err);
	else {
		(void)snprintf(of, sizeof of, "%s/%.*s", id.text, RV_STR_ARGS(target.unit));
		status = answer_explain(&rows, q.format, of);
	}
	cli_client_close(&client);
	cli_rows_release(&rows);
	return status;
}
