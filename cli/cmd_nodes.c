/* cmd_nodes.c - `reeve nodes` and `reeve explain`: lists that the coordinator makes */
#include "cli/client.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "common/os/clock.h"

#include <stdio.h>
#include <string.h>

/* --- nodes -------------------------------------------------------------------------------------------------------------- */

static const struct cli_column node_columns[] = {
	{ "NODE", CLI_LEFT, false },      { "STATE", CLI_LEFT, false },   { "HEALTH", CLI_LEFT, false },
	{ "SLOTS", CLI_RIGHT, false },    { "AGENTS", CLI_RIGHT, false }, { "UNITS", CLI_RIGHT, false },
	{ "HEARD", CLI_RIGHT, false },    { "LABELS", CLI_LEFT, false },  { "PROGRAMS", CLI_LEFT, true },
	{ "KILL", CLI_LEFT, true },
	{ "FAILURES", CLI_RIGHT, true },  { "LAST", CLI_LEFT, true },     { "PROBES", CLI_RIGHT, true },
	{ "WELL", CLI_RIGHT, true },      { "STOLEN", CLI_RIGHT, true },  { "RTT", CLI_RIGHT, true },
	{ "MEMORY", CLI_RIGHT, true },    { "KEY", CLI_LEFT, true },
};

#define KEY_SHOWN 16

static void cell_text(struct cli_table *t, struct rv_str row, const char *key)
{
	struct rv_buf room;

	rv_buf_init(&room, 0);
	cli_table_cell(t, cli_row_text(row, key, &room));
	rv_buf_release(&room);
}

/* In use/there are; +N: handed over ahead, waiting there for a place. */
static void cell_of(struct cli_table *t, struct rv_str row, const char *used_key, const char *all_key)
{
	uint64_t used = cli_row_uint(row, used_key), all = cli_row_uint(row, all_key);

	if (used > all)
		cli_table_cellf(t, "%llu/%llu+%llu", (unsigned long long)all, (unsigned long long)all, (unsigned long long)(used - all));
	else
		cli_table_cellf(t, "%llu/%llu", (unsigned long long)used, (unsigned long long)all);
}

static bool was_removed(struct rv_str row)
{
	struct rv_buf room;
	bool is;

	rv_buf_init(&room, 0);
	is = rv_str_equal(cli_row_text(row, "state", &room), RV_STR("removed"));
	rv_buf_release(&room);
	return is;
}

static void cell_duration(struct cli_table *t, uint64_t us)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	if (us)
		cli_put_duration(&b, us);
	cli_table_cell(t, rv_buf_str(&b));
	rv_buf_release(&b);
}

/* {"os":"linux","zone":"a"} as os=linux,zone=a */
static void cell_pairs(struct cli_table *t, struct rv_str row, const char *key)
{
	struct rv_buf room, out;
	struct rv_str s;
	size_t i;

	rv_buf_init(&room, 0);
	rv_buf_init(&out, 0);
	s = cli_row_text(row, key, &room);
	for (i = 0; i < s.bytes; i++)
		if (!strchr("{}\"", s.at[i]))
			(void)rv_buf_putc(&out, s.at[i] == ':' ? '=' : s.at[i]);
	cli_table_cell(t, rv_buf_str(&out));
	rv_buf_release(&room);
	rv_buf_release(&out);
}

static void put_node(struct cli_table *t, struct rv_str row)
{
	struct rv_buf room, size;
	struct rv_str key;

	rv_buf_init(&room, 0);
	rv_buf_init(&size, 0);
	cell_text(t, row, "name");
	if (cli_row_true(row, "draining"))
		cli_table_cellf(t, "%.*s, draining", RV_STR_ARGS(cli_row_text(row, "state", &room)));
	else
		cell_text(t, row, "state");
	if (was_removed(row))
		cli_table_cell(t, rv_str(NULL, 0));
	else
		cell_text(t, row, "health");
	cell_of(t, row, "slots_used", "slots");
	cell_of(t, row, "agent_slots_used", "agent_slots");
	cli_table_cellf(t, "%llu", (unsigned long long)cli_row_uint(row, "attempts"));
	cell_duration(t, cli_row_uint(row, "heard_ago_us"));
	cell_pairs(t, row, "labels");
	cell_pairs(t, row, "agents");
	cell_text(t, row, "kill_level");
	cli_table_cellf(t, "%llu", (unsigned long long)cli_row_uint(row, "failures_row"));
	cell_text(t, row, "last_error");
	cli_table_cellf(t, "%llu", (unsigned long long)cli_row_uint(row, "probes"));
	cli_table_cellf(t, "%llu", (unsigned long long)cli_row_uint(row, "recoveries"));
	cli_table_cellf(t, "%llu", (unsigned long long)cli_row_uint(row, "stolen"));
	cell_duration(t, cli_row_uint(row, "rtt_us"));
	if (cli_row_uint(row, "memory_bytes"))
		cli_put_bytes(&size, cli_row_uint(row, "memory_bytes"));
	cli_table_cell(t, rv_buf_str(&size));
	key = cli_row_text(row, "key", &room);
	cli_table_cell(t, rv_str(key.at, rv_min_u64(key.bytes, KEY_SHOWN)));
	rv_buf_release(&room);
	rv_buf_release(&size);
}

/* A node that may leave something of a unit alive: what it would need. */
static void say_what_is_missing(const struct cli_rows *rows)
{
	struct rv_buf level, name;

	rv_buf_init(&level, 0);
	rv_buf_init(&name, 0);
	for (uint32_t i = 0; i < rows->count; i++) {
		struct rv_str row = cli_row(rows, i), is = cli_row_text(row, "kill_level", &level), who = cli_row_text(row, "name", &name);

		if (rv_str_equal(is, RV_STR("subreaper")) && !was_removed(row))
			cli_say("%.*s cannot be sure to end all that a unit started: for that it needs a cgroup v2 in which it may make others, root's "
				"rights, or REEVE_KILL_LEVEL=pidns (in a container: docker/README.md)", RV_STR_ARGS(who));
	}
	rv_buf_release(&level);
	rv_buf_release(&name);
}

static int answer_nodes(const struct cli_rows *rows, enum cli_format format)
{
	struct cli_table table;
	struct rv_buf out;
	uint32_t i, hidden = 0;
	int status;

	rv_buf_init(&out, 0);
	cli_table_init(&table, node_columns, RV_ARRAY_LEN(node_columns), format);
	if (!cli_rows_plain(rows, format, "reeve.nodes/1", "nodes", "name", &out)) {
		for (i = 0; i < rows->count; i++) {
			if (format == CLI_TABLE && was_removed(cli_row(rows, i)))
				hidden++;
			else
				put_node(&table, cli_row(rows, i));
		}
		cli_table_print(&table, &out);
	}
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	if (hidden)
		cli_say("%u node%s that %s removed: `reeve nodes -o wide` shows %s", hidden, cli_s(hidden), hidden == 1 ? "was" : "were", hidden == 1 ? "it" : "them");
	if (format == CLI_WIDE)
		say_what_is_missing(rows);
	cli_table_release(&table);
	rv_buf_release(&out);
	return status;
}

int cli_cmd_nodes(int argc, char **argv)
{
	struct cli_query q = { .words_max = 0 };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_client *client = NULL;
	struct cli_rows rows;
	struct rv_err err;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("nodes", "", "The nodes that the coordinator knows, with their room, what they run and their health. SLOTS and AGENTS: in use/there are;\n"
				 "+N: units handed over ahead, which wait there. Removed ones with -o wide.", table);
	cli_rows_init(&rows);
	if (cli_query_ask(&q, CLI_PLACE_RUNS, RV_STR(""), &client, &err) || cli_rows_fetch(&rows, client, PROTO_ASK_NODES, 0, RV_STR(""), &err))
		status = cli_fail(&err);
	else
		status = answer_nodes(&rows, q.format);
	cli_client_close(&client);
	cli_rows_release(&rows);
	return status;
}

/* --- explain -------------------------------------------------------------------------------------------------------------- */

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

/* A row as a sentence; what a later version adds shows as its word alone. */
static void put_why(struct rv_buf *out, struct rv_str row, struct rv_str what)
{
	if (rv_str_equal(what, RV_STR("ended"))) {
		(void)rv_buf_puts(out, "it has ended");
		put_member(out, ": ", row, "state", "");
		put_member(out, " (", row, "reason", ")");
	} else if (rv_str_equal(what, RV_STR("active"))) {
		(void)rv_buf_printf(out, "attempt %llu is there and %s", (unsigned long long)cli_row_uint(row, "attempt"),
				    cli_row_true(row, "started") ? "runs" : "has not started");
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
		(void)rv_buf_puts(out, "no node has joined");
	} else if (rv_str_equal(what, RV_STR("node"))) {
		put_node_why(out, row);
	} else if (rv_str_equal(what, RV_STR("queue"))) {
		(void)rv_buf_printf(out, "%llu other unit%s go%s first", (unsigned long long)cli_row_uint(row, "count"),
				    cli_s(cli_row_uint(row, "count")), cli_row_uint(row, "count") == 1 ? "es" : "");
	}
}

static void put_explain(struct cli_table *t, struct rv_str row)
{
	struct rv_buf room, why;
	struct rv_str what;

	rv_buf_init(&room, 0);
	rv_buf_init(&why, 0);
	what = cli_row_text(row, "what", &room);
	put_why(&why, row, what);
	cli_table_cell(t, what);
	cell_text(t, row, "node");
	cli_table_cell(t, rv_buf_str(&why));
	rv_buf_release(&room);
	rv_buf_release(&why);
}

static int answer_explain(const struct cli_rows *rows, enum cli_format format)
{
	struct cli_table table;
	struct rv_buf out;
	uint32_t i;
	int status;

	rv_buf_init(&out, 0);
	cli_table_init(&table, explain_columns, RV_ARRAY_LEN(explain_columns), format);
	if (!cli_rows_plain(rows, format, "reeve.explain/1", "reasons", "what", &out)) {
		for (i = 0; i < rows->count; i++)
			put_explain(&table, cli_row(rows, i));
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
	struct rv_err err;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("explain", "[RUN/]UNIT",
				 "Why a unit is not running: dependencies, holds, limits, locks, directories, and for each node what it\n"
				 "lacks. Asked of the coordinator, which alone knows.", table);
	if (!q.words)
		return cli_failf(RV_E_USAGE, "`reeve explain` needs a unit: RUN/UNIT");
	target = cli_query_target(argv[0], CLI_WORD_NEEDS_UNIT);
	if (!target.unit.bytes)
		return cli_failf(RV_E_USAGE, "a unit is missing: RUN/UNIT");
	if (target.unit.bytes > RV_UNIT_ID_BYTES_MAX)
		return cli_failf(RV_E_NOT_FOUND, "there is no unit of so long a name");
	cli_rows_init(&rows);
	if (cli_query_ask(&q, CLI_PLACE_RUNS, target.run, &client, &err) || cli_rows_find_run(client, target.run, &id, &err) ||
	    cli_rows_fetch(&rows, client, PROTO_ASK_EXPLAIN, rv_run_id_number(rv_str_of(id.text)), target.unit, &err))
		status = cli_fail(&err);
	else
		status = answer_explain(&rows, q.format);
	cli_client_close(&client);
	cli_rows_release(&rows);
	return status;
}
