/* cmd_gc.c - `reeve gc`: which runs of a state directory may go, and why the others are kept */
#include "cli/diskuse.h"
#include "cli/find.h"
#include "cli/layout.h"
#include "cli/query.h"
#include "cli/removal.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/os/lock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEEP_DEFAULT 10u
#define OLDER_DEFAULT "7d"
#define REMOVED_PREFIX ".rm-" /* what a removal that was cut short left */

struct row {
	char name[NAME_MAX + 1];
	struct rv_run_id id;  /* "" = a leftover */
	uint64_t bytes;
	bool goes, removed;
	char why[160];
};

struct gc {
	char state[PATH_MAX];
	const char *older_word;
	uint64_t older_us, keep;
	bool failed, yes;
	struct row *rows;
	uint32_t count, room;
	uint64_t freed;
};

static struct row *new_row(struct gc *g, const char *name, struct rv_err *err)
{
	if (g->count == g->room) {
		uint32_t room = g->room ? 2 * g->room : 64;
		struct row *rows = realloc(g->rows, room * sizeof(*rows));

		if (!rows) {
			(void)rv_fail(err, RV_E_NO_MEMORY, "no memory for %u rows", room);
			return NULL;
		}
		g->rows = rows;
		g->room = room;
	}
	g->rows[g->count] = (struct row){ .goes = false };
	(void)snprintf(g->rows[g->count].name, sizeof(g->rows[0].name), "%s", name);
	return &g->rows[g->count++];
}

/* ---- judging ---- */

static bool lives(const char *dir, char *why, size_t bytes)
{
	struct rv_lock_holder h;
	char who[RV_LOCK_WHAT_MAX + RV_HOST_NAME_MAX + 64];
	struct rv_err err;
	int fd, held;

	if (rv_dir_open(dir, &fd, &err))
		return false;
	held = rv_lock_probe(fd, CLI_FILE_LOCK, &h, &err);
	(void)close(fd);
	if (held <= 0)
		return false;
	rv_lock_holder_text(&h, who, sizeof(who));
	(void)snprintf(why, bytes, "it runs: %.140s", who);
	return true;
}

static void put_age(uint64_t since_us, char *why, size_t bytes)
{
	struct rv_buf age;

	rv_buf_init(&age, 0);
	cli_put_duration(&age, rv_sat_sub(rv_clock_realtime_us(), since_us));
	(void)snprintf(why, bytes, "ended %.*s ago", (int)age.bytes, age.bytes ? age.at : "");
	rv_buf_release(&age);
}

/* What its journal says of it. One that nobody can read is for `rm` to decide, not for us. */
static void judge_by_journal(const struct gc *g, struct row *r)
{
	struct cli_runview_options opt = { .state = g->state, .run = rv_str_of(r->id.text), .keep = CLI_KEEP_FAILURES };
	struct cli_runview v;
	struct rv_err err;

	if (cli_runview_open(&v, &opt, &err)) {
		(void)snprintf(r->why, sizeof(r->why), "it cannot be read (%.100s); `reeve rm %s` removes it", err.msg, r->id.text);
	} else if (!cli_runview_ended(&v)) {
		(void)snprintf(r->why, sizeof(r->why), "killed before it ended; `reeve run PLAN --resume=%s` goes on", r->id.text);
	} else if (v.tally.state != COORD_RUN_SUCCEEDED && !g->failed) {
		(void)snprintf(r->why, sizeof(r->why), "it did not succeed and can be gone on with; --failed lets it go");
	} else if (rv_sat_add(v.tally.finished_us, g->older_us) > rv_clock_realtime_us()) {
		put_age(v.tally.finished_us, r->why, sizeof(r->why));
	} else {
		r->goes = true;
		(void)snprintf(r->why, sizeof(r->why), "ended more than %.20s ago", g->older_word);
	}
	cli_runview_close(&v);
}

static int judge_run(struct gc *g, struct row *r, uint32_t newer, struct rv_err *err)
{
	struct cli_diskuse d = { 0 };
	char dir[PATH_MAX];

	if (cli_run_path(g->state, r->id, NULL, dir, err) || cli_diskuse_add(&d, dir, err))
		return -1;
	r->bytes = d.bytes;
	if (lives(dir, r->why, sizeof(r->why)))
		return 0;
	if (newer < g->keep)
		(void)snprintf(r->why, sizeof(r->why), "one of the newest %llu", (unsigned long long)g->keep);
	else
		judge_by_journal(g, r);
	return 0;
}

static int judge_runs(struct gc *g, struct rv_err *err)
{
	struct rv_run_id *ids = NULL;
	uint32_t count = 0, i;
	int rc = cli_list_runs(g->state, &ids, &count, err);

	for (i = 0; i < count && rc == 0; i++) {
		struct row *r = new_row(g, ids[i].text, err);

		if (!r) {
			rc = -1;
		} else {
			r->id = ids[i];
			rc = judge_run(g, r, count - 1 - i, err);
		}
	}
	free(ids);
	return rc;
}

/* `dir`: STATE/runs, open. */
static int find_leftovers(struct gc *g, const char *runs, struct rv_err *err)
{
	struct dirent *e;
	DIR *d = opendir(runs);
	int rc = 0;

	while (d && rc == 0 && (e = readdir(d))) {
		struct cli_diskuse use = { 0 };
		struct row *r;

		if (strncmp(e->d_name, REMOVED_PREFIX, strlen(REMOVED_PREFIX)) != 0)
			continue;
		r = new_row(g, e->d_name, err);
		rc = !r || cli_diskuse_add_in(&use, runs, e->d_name, err) ? -1 : 0;
		if (rc == 0) {
			r->bytes = use.bytes;
			r->goes = true;
			(void)snprintf(r->why, sizeof(r->why), "left by a removal that was cut short");
		}
	}
	if (d)
		(void)closedir(d);
	return rc;
}

/* ---- a coordinator's directory ---- */

/* Its runs are one journal, and which blobs that names only it can say: they are not looked into. -1: `state` is no such directory. */
static int coordinators_blobs(const char *state, uint64_t *bytes)
{
	struct cli_diskuse d = { 0 };
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", state, CLI_FILE_JOURNAL) >= sizeof(path) || access(path, F_OK))
		return -1;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", state, CLI_DIR_BLOBS) >= sizeof(path) || access(path, F_OK) || cli_diskuse_add(&d, path, NULL))
		return -1;
	*bytes = d.bytes;
	return 0;
}

static void put_not_looked_into(uint64_t bytes, struct rv_buf *out)
{
	cli_put_bytes(out, bytes);
	(void)rv_buf_puts(out, " of a coordinator's blobs are not looked into: `reeve gc` is for runs of `reeve run`");
}

/* No run of a `run` is there: of a coordinator's directory it is said what that means. */
static int fail_without_runs(const char *option, struct rv_err *err)
{
	struct rv_buf what;
	uint64_t bytes;

	if (!option || coordinators_blobs(option, &bytes))
		return cli_fail(err);
	rv_buf_init(&what, 0);
	put_not_looked_into(bytes, &what);
	(void)rv_fail(err, RV_E_NOT_FOUND, "%s: %.*s", option, (int)what.bytes, what.bytes ? what.at : "");
	(void)rv_hint(err, "`reeve rm RUN` removes an ended run from a coordinator; blobs that no run names any more stay");
	rv_buf_release(&what);
	return cli_fail(err);
}

/* ---- removing ---- */

static int remove_leftover(const char *runs, const char *name, struct rv_err *err)
{
	int dir, rc;

	if (rv_dir_open(runs, &dir, err))
		return -1;
	rc = rv_tree_remove_at(dir, name, err);
	(void)close(dir);
	return rc;
}

/* What cannot be removed is said and kept; the others go. Gives the exit status. */
static int remove_what_goes(struct gc *g, const char *runs)
{
	struct rv_err err;
	int status = CLI_OK;

	for (uint32_t i = 0; i < g->count; i++) {
		struct row *r = &g->rows[i];

		if (!r->goes)
			continue;
		if (r->id.text[0] ? cli_remove_run(g->state, r->id, false, &err) : remove_leftover(runs, r->name, &err)) {
			status = cli_exit_worse(status, cli_fail(&err));
			continue;
		}
		r->removed = true;
		g->freed += r->bytes;
	}
	return status;
}

/* ---- answering ---- */

static const struct cli_column columns[] = { { "RUN", CLI_LEFT, false }, { "SIZE", CLI_RIGHT, false }, { "", CLI_LEFT, false } };

static void put_rows(const struct gc *g, enum cli_format format, struct rv_buf *out)
{
	struct cli_table table;
	struct rv_buf size;

	rv_buf_init(&size, 0);
	cli_table_init(&table, columns, RV_ARRAY_LEN(columns), format);
	for (uint32_t i = 0; i < g->count; i++) {
		const struct row *r = &g->rows[i];

		rv_buf_reset(&size);
		cli_put_bytes(&size, r->bytes);
		cli_table_cell(&table, rv_str_of(r->name));
		cli_table_cell(&table, rv_buf_str(&size));
		cli_table_cellf(&table, "%s: %s", r->removed ? "removed" : r->goes ? "goes" : "kept", r->why);
	}
	cli_table_print(&table, out);
	cli_table_release(&table);
	rv_buf_release(&size);
}

static void put_json_row(struct rv_buf *out, const struct row *r)
{
	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "run", rv_str_of(r->name));
	cli_json_uint(out, "bytes", r->bytes);
	cli_json_bool(out, "goes", r->goes);
	cli_json_bool(out, "removed", r->removed);
	cli_json_str(out, "why", rv_str_of(r->why));
	(void)rv_buf_putc(out, '}');
}

static void put_json(const struct gc *g, enum cli_format format, struct rv_buf *out)
{
	if (format == CLI_JSON) {
		(void)rv_buf_puts(out, "{\"schema\":\"reeve.gc/1\"");
		cli_json_str(out, "state_dir", rv_str_of(g->state));
		cli_json_uint(out, "freed_bytes", g->freed);
		(void)rv_buf_puts(out, ",\"runs\":[");
	}
	for (uint32_t i = 0; i < g->count; i++) {
		if (format == CLI_JSON)
			cli_json_comma(out);
		put_json_row(out, &g->rows[i]);
		if (format == CLI_JSONL)
			(void)rv_buf_putc(out, '\n');
	}
	if (format == CLI_JSON)
		(void)rv_buf_puts(out, "]}\n");
}

static void put_end(const struct gc *g, struct rv_buf *out)
{
	uint64_t bytes = 0;
	uint32_t count = 0;

	for (uint32_t i = 0; i < g->count; i++) {
		count += g->yes ? g->rows[i].removed : g->rows[i].goes;
		bytes += (g->yes ? g->rows[i].removed : g->rows[i].goes) ? g->rows[i].bytes : 0;
	}
	(void)rv_buf_printf(out, "\n%s %u, ", g->yes ? "removed" : "may go:", count);
	cli_put_bytes(out, bytes);
	(void)rv_buf_puts(out, g->yes || !count ? "\n" : "; the same with --yes removes them\n");
	if (coordinators_blobs(g->state, &bytes) == 0) {
		put_not_looked_into(bytes, out);
		(void)rv_buf_putc(out, '\n');
	}
}

static int answer(const struct gc *g, enum cli_format format, int status)
{
	struct rv_buf out;

	rv_buf_init(&out, 0);
	if (format == CLI_JSON || format == CLI_JSONL) {
		put_json(g, format, &out);
	} else if (format == CLI_NAME) {
		for (uint32_t i = 0; i < g->count; i++)
			if (g->rows[i].goes)
				(void)rv_buf_printf(&out, "%s\n", g->rows[i].name);
	} else {
		put_rows(g, format, &out);
		put_end(g, &out);
	}
	status = cli_answer(rv_buf_str(&out), status);
	rv_buf_release(&out);
	return status;
}

int cli_cmd_gc(int argc, char **argv)
{
	struct cli_query q = { .words_max = 0 };
	struct gc g = { .older_word = OLDER_DEFAULT, .keep = KEEP_DEFAULT };
	const struct rv_opt table[] = {
		{ "yes", 'y', RV_OPT_FLAG, &g.yes, NULL, "remove them; else they are only shown", 0, 0 },
		{ "older", 0, RV_OPT_STRING, &g.older_word, "D", "only runs that ended longer ago (default " OLDER_DEFAULT ")", 0, 0 },
		{ "keep", 0, RV_OPT_UINT, &g.keep, "N", "the newest N stay, whatever they are (default 10)", 0, UINT32_MAX },
		{ "failed", 0, RV_OPT_FLAG, &g.failed, NULL, "also runs that did not succeed", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	char runs[PATH_MAX];
	struct rv_err err;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("gc", "", "Which runs of a state directory may go, and why the others are kept. With --yes they do.\n"
				 "What a coordinator keeps (its journal and blobs) is not looked into; `reeve rm` removes its runs.", table);
	if (rv_parse_duration(g.older_word, &g.older_us, &err))
		return cli_fail(&err);
	if (cli_find_state(q.state, g.state, &err))
		return fail_without_runs(q.state, &err);
	if ((size_t)snprintf(runs, sizeof(runs), "%s/%s", g.state, CLI_DIR_RUNS) >= sizeof(runs))
		return cli_failf(RV_E_LIMIT, "the path %.200s is too long", g.state);
	if (judge_runs(&g, &err) || find_leftovers(&g, runs, &err)) {
		free(g.rows);
		return cli_fail(&err);
	}
	status = answer(&g, q.format, g.yes ? remove_what_goes(&g, runs) : CLI_OK);
	free(g.rows);
	return status;
}
