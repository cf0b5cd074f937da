/* cmd_df.c - `reeve df`: the disk that runs, nodes and a coordinator take in a state directory */
#include "cli/diskuse.h"
#include "cli/find.h"
#include "cli/layout.h"
#include "cli/query.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum part { PART_JOURNAL, PART_BLOBS, PART_LOGS, PART_SPACES, PARTS };

/* Of a run's directory, and of a coordinator's. */
static const char *const part_paths[PARTS] = { NULL, CLI_DIR_BLOBS, CLI_DIR_NODE, CLI_DIR_UNITS };
static const char *const part_keys[PARTS] = { "journal_bytes", "blob_bytes", "log_bytes", "namespace_bytes" };

struct row {
	char name[NAME_MAX + 16]; /* "06fz61e5d8", "coordinator", "nodes/n1" */
	const char *kind;         /* run, coordinator, node, estimates */
	uint64_t total, files, part[PARTS];
};

struct usage {
	struct row *rows;
	uint32_t count, room;
	uint64_t total, unread;
};

static struct row *new_row(struct usage *u, const char *kind, const char *name, struct rv_err *err)
{
	if (u->count == u->room) {
		uint32_t room = u->room ? 2 * u->room : 64;
		struct row *rows = realloc(u->rows, room * sizeof(*rows));

		if (!rows) {
			(void)rv_fail(err, RV_E_NO_MEMORY, "no memory for %u rows", room);
			return NULL;
		}
		u->rows = rows;
		u->room = room;
	}
	u->rows[u->count] = (struct row){ .kind = kind };
	(void)snprintf(u->rows[u->count].name, sizeof(u->rows[0].name), "%s", name);
	return &u->rows[u->count++];
}

/* SQLite keeps what is not yet in the journal beside it. */
static int add_journal(struct row *r, struct usage *u, const char *dir, struct rv_err *err)
{
	static const char *const files[] = { CLI_FILE_JOURNAL, CLI_FILE_JOURNAL "-wal", CLI_FILE_JOURNAL "-shm" };
	struct cli_diskuse d = { 0 };
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(files); i++)
		if (cli_diskuse_add_in(&d, dir, files[i], err))
			return -1;
	r->part[PART_JOURNAL] = d.bytes;
	u->unread += d.unread;
	r->files += d.files;
	return 0;
}

static int add_parts(struct row *r, struct usage *u, const char *dir, struct rv_err *err)
{
	int p;

	if (add_journal(r, u, dir, err))
		return -1;
	for (p = PART_BLOBS; p < PARTS; p++) {
		struct cli_diskuse d = { 0 };

		if (cli_diskuse_add_in(&d, dir, part_paths[p], err))
			return -1;
		r->part[p] = d.bytes;
		r->files += d.files;
		u->unread += d.unread;
	}
	return 0;
}

/* All that lies below DIR/NAME, parts or not. */
static int add_whole(struct row *r, struct usage *u, const char *dir, const char *name, struct rv_err *err)
{
	struct cli_diskuse d = { 0 };

	if (cli_diskuse_add_in(&d, dir, name, err))
		return -1;
	r->total = d.bytes;
	r->files = d.files;
	u->total += d.bytes;
	u->unread += d.unread;
	return 0;
}

static int add_runs(struct usage *u, const char *state, struct rv_err *err)
{
	struct rv_run_id *ids = NULL;
	char dir[PATH_MAX];
	uint32_t count = 0, i;
	int rc = cli_list_runs(state, &ids, &count, err);

	for (i = 0; i < count && rc == 0; i++) {
		struct row *r = new_row(u, "run", ids[i].text, err);

		rc = !r || cli_run_path(state, ids[i], NULL, dir, err) || add_parts(r, u, dir, err) || add_whole(r, u, dir, ".", err) ? -1 : 0;
	}
	free(ids);
	return rc;
}

static int add_nodes(struct usage *u, const char *state, struct rv_err *err)
{
	char path[PATH_MAX], name[NAME_MAX + 16];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", state, CLI_DIR_NODES) >= sizeof(path) || !(d = opendir(path)))
		return 0;
	while (rc == 0 && (e = readdir(d))) {
		struct row *r;

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", CLI_DIR_NODES, e->d_name);
		r = new_row(u, "node", name, err);
		rc = !r || add_whole(r, u, state, name, err) ? -1 : 0;
	}
	(void)closedir(d);
	return rc;
}

/* A coordinator's journal and blobs lie in the state directory itself. */
static int add_coordinator(struct usage *u, const char *state, struct rv_err *err)
{
	struct row *r = new_row(u, "coordinator", "coordinator", err);
	int p;

	if (!r || add_parts(r, u, state, err))
		return -1;
	for (p = 0; p < PARTS; p++)
		r->total += r->part[p];
	if (r->total == 0)
		u->count--;
	u->total += r->total;
	r = new_row(u, "estimates", CLI_DIR_ESTIMATES, err);
	return r && add_whole(r, u, state, CLI_DIR_ESTIMATES, err) == 0 ? 0 : -1;
}

/* ---- answering ---- */

static const struct cli_column columns[] = {
	{ "WHAT", CLI_LEFT, false },   { "SIZE", CLI_RIGHT, false },       { "FILES", CLI_RIGHT, true },
	{ "JOURNAL", CLI_RIGHT, true }, { "BLOBS", CLI_RIGHT, true },       { "LOGS", CLI_RIGHT, true },
	{ "NAMESPACES", CLI_RIGHT, true },
};

static void cell_bytes(struct cli_table *t, uint64_t bytes)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	cli_put_bytes(&b, bytes);
	cli_table_cell(t, rv_buf_str(&b));
	rv_buf_release(&b);
}

static void put_json(struct rv_buf *out, const struct row *r)
{
	int p;

	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "name", rv_str_of(r->name));
	cli_json_str(out, "kind", rv_str_of(r->kind));
	cli_json_uint(out, "bytes", r->total);
	cli_json_uint(out, "files", r->files);
	for (p = 0; p < PARTS; p++)
		cli_json_uint(out, part_keys[p], r->part[p]);
	(void)rv_buf_putc(out, '}');
}

static void put_table(struct rv_buf *out, const struct usage *u, enum cli_format format)
{
	struct cli_table table;
	uint32_t i;
	int p;

	cli_table_init(&table, columns, RV_ARRAY_LEN(columns), format);
	for (i = 0; i < u->count; i++) {
		cli_table_cell(&table, rv_str_of(u->rows[i].name));
		cell_bytes(&table, u->rows[i].total);
		cli_table_cellf(&table, "%llu", (unsigned long long)u->rows[i].files);
		for (p = 0; p < PARTS; p++)
			cell_bytes(&table, u->rows[i].part[p]);
	}
	cli_table_print(&table, out);
	cli_table_release(&table);
	(void)rv_buf_puts(out, "\nall together ");
	cli_put_bytes(out, u->total);
	(void)rv_buf_puts(out, "; `reeve gc` says what may go\n");
}

static void put_usage(struct rv_buf *out, const struct usage *u, const char *state, enum cli_format format)
{
	uint32_t i;

	if (format == CLI_TABLE || format == CLI_WIDE) {
		put_table(out, u, format);
		return;
	}
	if (format == CLI_JSON) {
		(void)rv_buf_puts(out, "{\"schema\":\"reeve.df/1\"");
		cli_json_str(out, "state_dir", rv_str_of(state));
		cli_json_uint(out, "bytes", u->total);
		(void)rv_buf_puts(out, ",\"rows\":[");
	}
	for (i = 0; i < u->count; i++) {
		if (format == CLI_NAME) {
			(void)rv_buf_puts(out, u->rows[i].name);
		} else {
			if (format == CLI_JSON)
				cli_json_comma(out);
			put_json(out, &u->rows[i]);
		}
		if (format != CLI_JSON)
			(void)rv_buf_putc(out, '\n');
	}
	if (format == CLI_JSON)
		(void)rv_buf_puts(out, "]}\n");
}

static int largest_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->total < y->total ? 1 : x->total > y->total ? -1 : strcmp(x->name, y->name);
}

int cli_cmd_df(int argc, char **argv)
{
	struct cli_query q = { .words_max = 0 };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct usage u = { 0 };
	struct rv_buf out;
	struct rv_err err;
	char state[PATH_MAX];
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("df", "", "The disk that each run takes in a state directory, and nodes and a coordinator that have theirs in it; largest first.", table);
	if (cli_find_state(q.state, state, &err) || add_runs(&u, state, &err) || add_nodes(&u, state, &err) || add_coordinator(&u, state, &err)) {
		free(u.rows);
		return cli_fail(&err);
	}
	qsort(u.rows, u.count, sizeof(*u.rows), largest_first);
	rv_buf_init(&out, 0);
	put_usage(&out, &u, state, q.format);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	if (u.unread)
		cli_say("%llu director%s could not be looked into", (unsigned long long)u.unread, u.unread == 1 ? "y" : "ies");
	rv_buf_release(&out);
	free(u.rows);
	return status;
}
