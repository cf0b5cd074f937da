/* cmd_nodes.c - `reeve nodes`: the list that the coordinator makes */
#include "cli/client.h"
#include "cli/query.h"
#include "cli/rows.h"

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
