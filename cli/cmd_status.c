/* cmd_status.c - `reeve status`: the runs of a state directory, and the units of one */
#include "cli/active.h"
#include "cli/find.h"
#include "cli/layout.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "cli/unitview.h"
#include "cli/waits.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/os/lock.h"
#include "coordinator/journal/journal.h"

#include <stdlib.h>
#include <unistd.h>

/* --- all runs, without a replay -------------------------------------------------------------------------------------- */

struct listing {
	const struct cli_query *query;
	struct cli_table table;
	struct rv_buf out;  /* JSON, JSON lines, names */
	bool owned;         /* the run being listed */
};

static const struct cli_column run_columns[] = {
	{ "RUN", CLI_LEFT, false },      { "NAME", CLI_LEFT, false },   { "STATE", CLI_LEFT, false },
	{ "UNITS", CLI_RIGHT, false },   { "OK", CLI_RIGHT, false },    { "FAIL", CLI_RIGHT, false },
	{ "SKIP", CLI_RIGHT, false },    { "CANCEL", CLI_RIGHT, false }, { "STARTED", CLI_LEFT, false },
	{ "ELAPSED", CLI_RIGHT, false }, { "REASON", CLI_LEFT, false },
};

static bool ended(const struct journal_run *r)
{
	return !rv_str_equal(r->state, RV_STR("running")) && !rv_str_equal(r->state, RV_STR("paused"));
}

static void put_run_json(const struct listing *l, const struct journal_run *r, struct rv_buf *out)
{
	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "run", rv_str_of(r->run.text));
	cli_json_str(out, "name", r->name);
	cli_json_str(out, "state", r->state);
	cli_json_str_or_null(out, "reason", r->reason);
	cli_json_bool(out, "owned", l->owned);
	cli_json_uint(out, "total", r->total);
	cli_json_uint(out, "succeeded", r->succeeded);
	cli_json_uint(out, "failed", r->failed);
	cli_json_uint(out, "skipped", r->skipped);
	cli_json_uint(out, "cancelled", r->cancelled);
	cli_json_time(out, "queued_at", r->created_us);
	cli_json_time(out, "started_at", r->started_us);
	cli_json_time(out, "finished_at", r->finished_us);
	(void)rv_buf_putc(out, '}');
}

static void put_run_row(struct listing *l, const struct journal_run *r)
{
	uint64_t from = r->started_us ? r->started_us : r->created_us;
	uint64_t to = r->finished_us ? r->finished_us : rv_clock_realtime_us();
	struct rv_buf b;

	rv_buf_init(&b, 0);
	cli_table_cell(&l->table, rv_str_of(r->run.text));
	cli_table_cell(&l->table, r->name);
	cli_table_cell(&l->table, r->state);
	cli_table_cellf(&l->table, "%u", r->total);
	cli_table_cellf(&l->table, "%u", r->succeeded);
	cli_table_cellf(&l->table, "%u", r->failed);
	cli_table_cellf(&l->table, "%u", r->skipped);
	cli_table_cellf(&l->table, "%u", r->cancelled);
	cli_put_time(&b, from);
	cli_table_cell(&l->table, rv_str(b.at, rv_min_u64(b.bytes, 19)));
	rv_buf_reset(&b);
	if (r->finished_us || l->owned)
		cli_put_duration(&b, rv_sat_sub(to, from));
	cli_table_cell(&l->table, rv_buf_str(&b));
	if (!ended(r) && !l->owned)
		cli_table_cell(&l->table, RV_STR("its process is gone; run --resume goes on"));
	else
		cli_table_cell(&l->table, r->reason);
	rv_buf_release(&b);
}

static enum journal_next list_run(void *arg, const struct journal_run *r)
{
	struct listing *l = arg;

	switch (l->query->format) {
	case CLI_JSON:
		cli_json_comma(&l->out);
		put_run_json(l, r, &l->out);
		break;
	case CLI_JSONL:
		put_run_json(l, r, &l->out);
		(void)rv_buf_putc(&l->out, '\n');
		break;
	case CLI_NAME:
		(void)rv_buf_puts(&l->out, r->run.text);
		(void)rv_buf_putc(&l->out, '\n');
		break;
	default:
		put_run_row(l, r);
		break;
	}
	return JOURNAL_MORE;
}

static bool is_owned(const char *dir)
{
	struct rv_lock_holder holder;
	int fd, held;

	if (rv_dir_open(dir, &fd, NULL))
		return false;
	held = rv_lock_probe(fd, CLI_FILE_LOCK, &holder, NULL);
	(void)close(fd);
	return held == 1;
}

/* A run whose journal cannot be read is said and does not hide the others. */
static int list_one(struct listing *l, const char *state, struct rv_run_id id)
{
	struct journal_options options = { .mode = JOURNAL_READ };
	struct journal *j = NULL;
	char dir[PATH_MAX];
	struct rv_err err;
	int rc = -1;

	if (cli_run_path(state, id, NULL, dir, &err) == 0 && journal_open(&j, dir, &options, &err) == 0) {
		l->owned = is_owned(dir);
		rc = journal_runs(j, list_run, l, &err);
	}
	journal_close(&j);
	if (rc && err.code == RV_E_NOT_FOUND)
		return 0; /* just being made, or never begun */
	if (rc)
		cli_say("run %s: %s", id.text, err.msg);
	return rc;
}

static int list_runs(const struct cli_query *q, const char *dir)
{
	struct listing l = { .query = q };
	struct rv_run_id *ids = NULL;
	char state[PATH_MAX];
	uint32_t i, count = 0;
	struct rv_err err;
	int status = CLI_OK;

	if (cli_find_state(dir, state, &err) || cli_list_runs(state, &ids, &count, &err))
		return cli_fail(&err);
	cli_table_init(&l.table, run_columns, RV_ARRAY_LEN(run_columns), q->format);
	rv_buf_init(&l.out, 0);
	if (q->format == CLI_JSON) {
		(void)rv_buf_putc(&l.out, '{');
		cli_json_str(&l.out, "schema", RV_STR("reeve.status/1"));
		cli_json_str(&l.out, "state_dir", rv_str_of(state));
		cli_json_key(&l.out, "runs");
		(void)rv_buf_putc(&l.out, '[');
	}
	for (i = 0; i < count; i++)
		if (list_one(&l, state, ids[i]))
			status = CLI_INTERNAL;
	if (q->format == CLI_JSON)
		(void)rv_buf_puts(&l.out, "]}\n");
	else if (q->format == CLI_TABLE || q->format == CLI_WIDE)
		cli_table_print(&l.table, &l.out);
	status = cli_answer(rv_buf_str(&l.out), status);
	cli_table_release(&l.table);
	rv_buf_release(&l.out);
	free(ids);
	return status;
}

/* --- the runs of a coordinator ------------------------------------------------------------------------------------------ */

static uint32_t count_of(struct rv_str row, const char *key)
{
	return (uint32_t)rv_min_u64(cli_row_uint(row, key), UINT32_MAX);
}

/* A row of the coordinator's list, as the run's own journal would tell it. Texts borrow from `rooms`. */
static void run_of_row(struct rv_str row, struct rv_buf rooms[3], struct journal_run *out)
{
	struct rv_buf id;

	*out = (struct journal_run){ .name = cli_row_text(row, "name", &rooms[0]), .state = cli_row_text(row, "state", &rooms[1]),
				     .reason = cli_row_text(row, "reason", &rooms[2]), .created_us = cli_row_uint(row, "created_us"),
				     .finished_us = cli_row_uint(row, "finished_us"), .total = count_of(row, "total"),
				     .succeeded = count_of(row, "succeeded"), .failed = count_of(row, "failed"),
				     .skipped = count_of(row, "skipped"), .cancelled = count_of(row, "cancelled") };
	rv_buf_init(&id, 0);
	if (rv_run_id_valid(cli_row_text(row, "run", &id)))
		memcpy(out->run.text, id.at, RV_RUN_ID_CHARS);
	rv_buf_release(&id);
}

static void put_about(const struct cli_rows *about, struct cli_client *c, enum cli_format format, struct rv_buf *out)
{
	struct rv_buf room;
	struct rv_str row;

	if (about->count != 1)
		return;
	row = cli_row(about, 0);
	if (format == CLI_JSON) {
		cli_json_key(out, "coordinator");
		(void)rv_buf_put_str(out, row);
		return;
	}
	rv_buf_init(&room, 0);
	(void)rv_buf_printf(out, "%s: ", cli_client_shown(c));
	cli_text_safe(CLI_TEXT_CELL, cli_row_text(row, "state", &room), out);
	(void)rv_buf_printf(out, ", %llu of %llu node%s here, %llu of %llu run%s live\n", (unsigned long long)cli_row_uint(row, "nodes_joined"),
			    (unsigned long long)cli_row_uint(row, "nodes"), cli_s(cli_row_uint(row, "nodes")),
			    (unsigned long long)cli_row_uint(row, "runs_live"), (unsigned long long)cli_row_uint(row, "runs"),
			    cli_s(cli_row_uint(row, "runs")));
	rv_buf_release(&room);
}

/* Runs of `run` in the coordinator's own directory, which it knows nothing of. */
static uint32_t runs_beside(const struct cli_place *place)
{
	struct rv_run_id *ids = NULL;
	uint32_t count = 0;

	if (place->kind == CLI_PLACE_COORDINATOR && cli_list_runs(place->dir, &ids, &count, NULL) == 0)
		free(ids);
	return count;
}

static void put_cluster(const struct cli_query *q, struct cli_client *c, const struct cli_rows *about, const struct cli_rows *runs, uint32_t beside,
			struct rv_buf *out)
{
	struct listing l = { .query = q, .owned = true };
	struct rv_buf rooms[3];
	uint32_t i;

	cli_table_init(&l.table, run_columns, RV_ARRAY_LEN(run_columns), q->format);
	rv_buf_init(&l.out, 0);
	for (i = 0; i < 3; i++)
		rv_buf_init(&rooms[i], 0);
	if (q->format == CLI_JSON) {
		(void)rv_buf_putc(out, '{');
		cli_json_str(out, "schema", RV_STR("reeve.status/1"));
	}
	if (q->format != CLI_JSONL && q->format != CLI_NAME)
		put_about(about, c, q->format, out);
	if (q->format == CLI_JSON) {
		cli_json_uint(out, "runs_beside", beside);
		(void)rv_buf_puts(out, ",\"runs\":[");
	}
	for (i = 0; i < runs->count; i++) {
		struct journal_run r;

		run_of_row(cli_row(runs, i), rooms, &r);
		(void)list_run(&l, &r);
	}
	(void)rv_buf_put_str(out, rv_buf_str(&l.out));
	if (q->format == CLI_JSON)
		(void)rv_buf_puts(out, "]}\n");
	else if (q->format == CLI_TABLE || q->format == CLI_WIDE)
		cli_table_print(&l.table, out);
	for (i = 0; i < 3; i++)
		rv_buf_release(&rooms[i]);
	cli_table_release(&l.table);
	rv_buf_release(&l.out);
}

static int status_of_cluster(const struct cli_query *q, const struct cli_place *place)
{
	struct cli_client *c = NULL;
	struct cli_rows about, runs;
	struct rv_buf out;
	struct rv_err err;
	int status;

	cli_rows_init(&about);
	cli_rows_init(&runs);
	rv_buf_init(&out, 0);
	if (cli_client_open(&c, place, &err) || cli_rows_fetch(&about, c, PROTO_ASK_ABOUT, 0, RV_STR(""), &err) ||
	    cli_rows_fetch(&runs, c, PROTO_ASK_RUNS, 0, RV_STR(""), &err)) {
		status = cli_fail(&err);
	} else {
		uint32_t beside = runs_beside(place);

		put_cluster(q, c, &about, &runs, beside, &out);
		status = cli_answer(rv_buf_str(&out), CLI_OK);
		if (beside && (q->format == CLI_TABLE || q->format == CLI_WIDE))
			cli_say("%u run%s of `reeve run` lie%s in %s, too: `reeve status --state %s` lists them", beside, cli_s(beside),
				beside == 1 ? "s" : "", place->dir, place->dir);
	}
	cli_client_close(&c);
	cli_rows_release(&about);
	cli_rows_release(&runs);
	rv_buf_release(&out);
	return status;
}

/* As a run is looked for (runview.h): --state, a coordinator that is named, the nearest of a coordinator and of a directory of runs, a login. */
static int status_of_all(const struct cli_query *q)
{
	struct cli_place place;
	enum cli_where where;
	char state[PATH_MAX];
	struct rv_err err;

	if (q->state)
		return list_runs(q, q->state);
	if (cli_place_look(q->coordinator, RV_STR(""), &where, &place, state, &err))
		return cli_fail(&err);
	return where == CLI_AT_COORDINATOR ? status_of_cluster(q, &place) : list_runs(q, state[0] ? state : NULL);
}

/* --- one run --------------------------------------------------------------------------------------------------------------- */

static const struct cli_column unit_columns[] = {
	{ "UNIT", CLI_LEFT, false },  { "STATE", CLI_LEFT, false }, { "AGENT", CLI_LEFT, true },
	{ "TRIES", CLI_RIGHT, false }, { "NODE", CLI_LEFT, true },   { "EXIT", CLI_RIGHT, true },
	{ "TIME", CLI_RIGHT, false }, { "CPU", CLI_RIGHT, true },   { "REASON", CLI_LEFT, false },
};

static void put_unit_row(struct cli_table *table, const struct cli_tally *t, uint32_t unit)
{
	const struct cli_unit *u = &t->units[unit];
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf b;

	rv_buf_init(&b, 0);
	cli_table_cell(table, cli_tally_unit_id(t, unit, room));
	cli_table_cell(table, rv_str_of(coord_unit_state_name(u->state)));
	cli_table_cell(table, cli_tally_agent(t, unit) != COORD_NONE ? cli_tally_agent_name(t, unit) : rv_str(NULL, 0));
	cli_table_cellf(table, "%u", u->tries);
	cli_table_cell(table, cli_tally_node_name(t, u->node));
	if (u->exit >= 0)
		cli_table_cellf(table, "%d", u->exit);
	else
		cli_table_cell(table, rv_str(NULL, 0));
	if (u->start_us && cli_unit_ended(u))
		cli_put_duration(&b, u->duration_us);
	else if (u->state == COORD_UNIT_ACTIVE && u->told_us)
		cli_put_duration(&b, rv_sat_sub(rv_clock_realtime_us(), u->start_us ? u->start_us : u->told_us));
	cli_table_cell(table, rv_buf_str(&b));
	rv_buf_reset(&b);
	if (u->cpu_us)
		cli_put_duration(&b, u->cpu_us);
	cli_table_cell(table, rv_buf_str(&b));
	rv_buf_reset(&b);
	cli_put_reason(t, unit, &b);
	cli_table_cell(table, rv_buf_str(&b));
	rv_buf_release(&b);
}

static void put_run_table(struct cli_runview *v, enum cli_format format, struct rv_buf *out)
{
	struct cli_result_scope scope = cli_runview_scope(v);
	struct cli_table table;
	uint32_t i;

	cli_result_headline(&scope, out);
	(void)rv_buf_putc(out, '\n');
	if (!cli_runview_ended(v) && !cli_runview_owned(v))
		(void)rv_buf_printf(out, "no process owns this run; `reeve run PLAN --resume=%s` goes on\n", v->id.text);
	if (v->tally.waits)
		cli_waits_put_stuck(v->tally.waits, &v->tally, out);
	cli_table_init(&table, unit_columns, RV_ARRAY_LEN(unit_columns), format);
	for (i = 0; i < v->tally.count + (v->tally.has_verify ? 1 : 0); i++)
		put_unit_row(&table, &v->tally, i);
	cli_table_print(&table, out);
	cli_table_release(&table);
}

static int print_run(struct cli_runview *v, enum cli_format format)
{
	struct cli_result_scope scope = cli_runview_scope(v);
	char room[COORD_UNIT_ID_BYTES];
	struct cli_out o;
	struct rv_buf b;
	uint32_t i;

	cli_out_init(&o, 1);
	rv_buf_init(&b, 0);
	switch (format) {
	case CLI_JSON:
		cli_result_json(&scope, &b);
		cli_out_line(&o, rv_buf_str(&b));
		break;
	case CLI_JSONL:
		for (i = 0; i < v->tally.count; i++) {
			rv_buf_reset(&b);
			cli_result_unit_json(&scope, i, &b);
			cli_out_line(&o, rv_buf_str(&b));
		}
		rv_buf_reset(&b);
		cli_result_run_json(&scope, &b);
		cli_out_line(&o, rv_buf_str(&b));
		break;
	case CLI_NAME:
		for (i = 0; i < v->tally.count; i++)
			cli_out_line(&o, cli_tally_unit_id(&v->tally, i, room));
		break;
	default:
		put_run_table(v, format, &b);
		cli_out_put(&o, rv_buf_str(&b));
		break;
	}
	rv_buf_release(&b);
	return cli_out_end(&o, CLI_OK);
}

/* Of a run at a coordinator, which alone knows its nodes, what ready units wait for is asked first. */
static int show_run(struct cli_runview *v, enum cli_format format)
{
	struct cli_waits waits;
	int status;

	cli_waits_init(&waits);
	cli_active_fetch(v);
	if (cli_runview_remote(v) && !cli_runview_ended(v)) {
		cli_waits_fetch(&waits, v->remote.client, &v->tally);
		v->tally.waits = &waits;
	}
	status = print_run(v, format);
	v->tally.waits = NULL;
	cli_waits_release(&waits);
	return status;
}

/* Shows it anew when something was committed, until the run has ended or its process is gone. On a terminal each picture
 * takes the place of the one before. */
static int watch_run(struct cli_runview *v, enum cli_format format, struct rv_err *err)
{
	uint64_t shown = 0;

	if (cli_runview_catch_signals(v, err))
		return cli_fail(err);
	for (;;) {
		bool owned = cli_runview_owned(v);

		if (v->next != shown) {
			int status;

			if (cli_may_animate(1))
				(void)cli_write_all(1, "\x1b[H\x1b[J", 6); /* if this fails, so does the answer */
			status = show_run(v, format);
			if (status)
				return status;
			shown = v->next;
		}
		if (cli_runview_ended(v) || !owned)
			return CLI_OK;
		if (cli_runview_wait(v, err))
			return cli_runview_interrupted(v) ? CLI_INTERRUPTED : cli_fail(err);
	}
}

enum watch { WATCH_NO, WATCH_YES };

static int status_of_run(const struct cli_query *q, struct rv_str run, enum watch how)
{
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .state = q->state, .run = run, .keep = CLI_KEEP_ALL };
	struct cli_runview v;
	struct rv_err err;
	int status;

	if (cli_runview_open(&v, &opt, &err)) {
		cli_query_hint_unit(q, "status", run, &err);
		status = cli_fail(&err);
	} else if (how == WATCH_YES) {
		status = watch_run(&v, q->format, &err);
	} else {
		status = show_run(&v, q->format);
	}
	cli_runview_close(&v);
	return status;
}

int cli_cmd_status(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	bool watching = false;
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		{ "watch", 'w', RV_OPT_FLAG, &watching, NULL, "of a run: again whenever something changes, until it has ended", 0, 0 },
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_target target;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("status", "[RUN[/UNIT]]",
				 "Without a word: the coordinator and its runs, or the runs of the state directory. With RUN: its units and why each is where it\n"
				 "is. With RUN/UNIT: its attempts and what happened to it. RUN may be shortened.", table);
	if (!q.words)
		return watching ? cli_failf(RV_E_USAGE, "--watch needs a run: status RUN -w") : status_of_all(&q);
	target = cli_query_target(argv[0], CLI_WORD_RUN_UNIT);
	if (target.unit.bytes)
		return watching ? cli_failf(RV_E_USAGE, "--watch follows a run; `reeve logs -f` follows a unit") :
				  cli_unitview_status(&q, target);
	return status_of_run(&q, target.run, watching ? WATCH_YES : WATCH_NO);
}
