/* cmd_logs.c - `reeve logs`: what units printed, readable and harmless unless --raw */
#include "cli/agentlog.h"
#include "cli/cure.h"
#include "cli/find.h"
#include "cli/logs.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "cli/text.h"

struct show {
	struct cli_runview view;
	struct cli_out out;
	bool transcript;        /* the unit's agent writes one: it is shown as what was said and done */
	struct transcript_show said[2];
	struct cli_text text[2];
	struct rv_buf readable, safe;
	struct rv_buf tail;     /* --tail: the lines kept so far */
	uint64_t tail_lines;    /* RV_NEVER: all of it */
	uint64_t attempt;       /* 0: the newest */
	bool raw, following, failed;
	bool printed, interrupted;
	bool away_told; /* that its node is away */
	char last;              /* byte written */
};

/* --- bytes to stdout --------------------------------------------------------------------------------------------------- */

static void write_out(struct show *s, struct rv_str bytes)
{
	if (!bytes.bytes)
		return;
	cli_out_put(&s->out, bytes);
	s->last = bytes.at[bytes.bytes - 1];
	s->printed = true;
}

/* Where the last `lines` lines of s begin. */
static size_t tail_start(struct rv_str s, uint64_t lines)
{
	size_t at = s.bytes;

	if (at && s.at[at - 1] == '\n')
		at--;
	while (at) {
		if (s.at[at - 1] == '\n' && --lines == 0)
			return at;
		at--;
	}
	return 0;
}

/* Memory stays bounded by what is kept, twice. */
static void keep_tail(struct show *s, struct rv_str bytes)
{
	size_t start;

	(void)rv_buf_put_str(&s->tail, bytes);
	if (s->tail.bytes < ((size_t)1 << 20))
		return;
	start = s->tail_lines ? tail_start(rv_buf_str(&s->tail), s->tail_lines) : s->tail.bytes;
	if (start >= s->tail.bytes / 2)
		rv_buf_consume(&s->tail, start);
}

static void show_tail(struct show *s)
{
	size_t start = s->tail_lines ? tail_start(rv_buf_str(&s->tail), s->tail_lines) : s->tail.bytes;

	write_out(s, rv_str(s->tail.at + start, s->tail.bytes - start));
	rv_buf_reset(&s->tail);
	s->tail_lines = RV_NEVER; /* what comes from now on is all shown */
}

static void show_piece(void *arg, int stream, struct rv_str bytes)
{
	struct show *s = arg;

	if (!s->raw && s->transcript) {
		rv_buf_reset(&s->readable);
		transcript_show_feed(&s->said[stream], bytes, &s->readable);
		bytes = rv_buf_str(&s->readable);
	}
	if (!s->raw) {
		rv_buf_reset(&s->safe);
		cli_text_feed(&s->text[stream], bytes, &s->safe);
		bytes = rv_buf_str(&s->safe);
	}
	if (s->tail_lines == RV_NEVER)
		write_out(s, bytes);
	else
		keep_tail(s, bytes);
}

static void put_safe(struct show *s)
{
	if (s->tail_lines == RV_NEVER)
		write_out(s, rv_buf_str(&s->safe));
	else
		keep_tail(s, rv_buf_str(&s->safe));
}

/* A line of a transcript that its attempt never ended. */
static void end_transcript(struct show *s)
{
	int i;

	for (i = 0; i < 2 && !s->raw && s->transcript; i++) {
		rv_buf_reset(&s->readable);
		rv_buf_reset(&s->safe);
		transcript_show_end(&s->said[i], &s->readable);
		cli_text_feed(&s->text[i], rv_buf_str(&s->readable), &s->safe);
		put_safe(s);
	}
}

static void end_text(struct show *s)
{
	int i;

	end_transcript(s);
	for (i = 0; i < 2 && !s->raw; i++) {
		rv_buf_reset(&s->safe);
		cli_text_end(&s->text[i], &s->safe);
		put_safe(s);
	}
	if (s->tail_lines != RV_NEVER)
		show_tail(s);
	if (!s->raw && s->printed && s->last != '\n')
		write_out(s, RV_STR("\n"));
}

static void begin_text(struct show *s)
{
	int i;

	for (i = 0; i < 2; i++) {
		transcript_show_release(&s->said[i]);
		transcript_show_init(&s->said[i]);
		cli_text_init(&s->text[i], CLI_TEXT_LINES);
	}
}

/* --- one unit ------------------------------------------------------------------------------------------------------------ */

/* A retry began: its log is gone on with. */
static int next_attempt(struct show *s, struct cli_logs *l, struct rv_err *err)
{
	void *arg = l->arg;

	end_transcript(s);
	if (cli_logs_init(l, &s->view, l->unit, s->view.tally.units[l->unit].attempt, err))
		return -1;
	l->piece = show_piece;
	l->arg = arg;
	return 0;
}

static int stopped(struct show *s)
{
	return cli_runview_interrupted(&s->view) || (s->view.remote.client && cli_client_interrupted(s->view.remote.client)) ? 1 : -1;
}

/* The node that keeps the log is away, and `err` says so. While the attempt goes on it may come back: 0 after a while. */
static int wait_for_node(struct show *s, const struct cli_logs *l, struct rv_err *err)
{
	const struct cli_unit *u = &s->view.tally.units[l->unit];
	struct rv_err other;

	if (err->code != RV_E_NOT_FOUND)
		return stopped(s);
	if (cli_runview_more(&s->view, &other)) {
		*err = other;
		return stopped(s);
	}
	if (u->attempt > l->attempt && !s->attempt)
		return 0;
	if (cli_unit_ended(u) || u->attempt > l->attempt)
		return -1;
	if (!s->away_told)
		cli_say("%s now: its node is away; waiting for it", err->msg);
	s->away_told = true;
	return cli_runview_wait(&s->view, err) ? stopped(s) : 0;
}

/* A coordinator keeps the question until there is something; what became of the unit is asked when a log has ended. 1: interrupted. */
static int follow_remote(struct show *s, struct cli_logs *l, struct rv_err *err)
{
	for (;;) {
		const struct cli_unit *u = &s->view.tally.units[l->unit];

		if (cli_out_flush(&s->out))
			return 0;
		if (l->attempt && !l->ended) {
			l->wait_ms = CLI_VIEW_WAIT_MS;
			int rc = cli_logs_read(l, err) < 0 ? wait_for_node(s, l, err) : 0;

			if (rc)
				return rc;
			if (u->attempt <= l->attempt || s->attempt)
				continue;
		}
		if (cli_runview_more(&s->view, err))
			return stopped(s);
		if (u->attempt > l->attempt && !s->attempt) {
			if (next_attempt(s, l, err))
				return -1;
		} else if (cli_unit_ended(u) || s->attempt) {
			return 0;
		} else if (cli_runview_wait(&s->view, err)) {
			return stopped(s);
		}
	}
}

static int follow(struct show *s, struct cli_logs *l, struct rv_err *err)
{
	for (;;) {
		const struct cli_unit *u = &s->view.tally.units[l->unit];
		bool over = (cli_unit_ended(u) && u->attempt <= l->attempt) || !cli_runview_owned(&s->view);

		if (cli_logs_read(l, err) < 0)
			return -1;
		if (cli_out_flush(&s->out) || over)
			return 0;
		if (cli_runview_wait(&s->view, err))
			return stopped(s);
		if (!s->attempt && s->view.tally.units[l->unit].attempt > l->attempt && next_attempt(s, l, err))
			return -1;
	}
}

/* Nothing to show of an attempt that is under way: perhaps it only waits for its turn on its node, which the coordinator knows. */
static void say_not_started(struct show *s, uint32_t unit)
{
	const struct cli_tally *t = &s->view.tally;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(t, unit, room);
	struct cli_rows rows;
	struct rv_buf text;
	struct rv_err err; /* without an answer nothing is said */

	cli_rows_init(&rows);
	rv_buf_init(&text, 0);
	if (cli_rows_fetch(&rows, s->view.remote.client, PROTO_ASK_EXPLAIN, t->run, id, &err) == 0 && rows.count == 1 &&
	    rv_str_equal(cli_row_text(cli_row(&rows, 0), "what", &text), RV_STR("active")) && !cli_row_true(cli_row(&rows, 0), "started"))
		cli_say("unit \"%.*s\" has not started: attempt %u waits on %.*s", RV_STR_ARGS(id), t->units[unit].attempt,
			RV_STR_ARGS(cli_row_text(cli_row(&rows, 0), "node", &text)));
	rv_buf_release(&text);
	cli_rows_release(&rows);
}

/* Nobody should wonder whether the log was lost. Not on stdout: there is what the unit printed. */
static void say_empty(struct show *s, uint32_t unit, struct rv_str id)
{
	const struct cli_tally *t = &s->view.tally;
	struct rv_buf why, cure;

	rv_buf_init(&why, 0);
	rv_buf_init(&cure, 0);
	cli_put_reason(t, unit, &why);
	if (t->units[unit].state == COORD_UNIT_FAILED && cli_put_cure(t, unit, &cure) >= CLI_CURE_KNOWN)
		cli_say("unit \"%.*s\" never ran: %s%s%s", RV_STR_ARGS(id), why.at, cure.bytes ? "; " : "", cure.bytes ? cure.at : "");
	else
		cli_say("unit \"%.*s\" printed nothing%s%s", RV_STR_ARGS(id), why.bytes ? ": " : "", why.bytes ? why.at : "");
	rv_buf_release(&why);
	rv_buf_release(&cure);
}

static int show_unit(struct show *s, uint32_t unit, struct rv_err *err)
{
	const struct cli_unit *u = &s->view.tally.units[unit];
	uint64_t attempt = s->attempt ? s->attempt : u->attempt, lines = s->tail_lines;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(&s->view.tally, unit, room);
	struct cli_logs l;
	int rc;

	if (attempt > u->attempt || (!attempt && !s->following)) {
		if (u->attempt)
			return rv_fail(err, RV_E_NOT_FOUND, "unit \"%.*s\" has no attempt %llu; its newest is %u", RV_STR_ARGS(id),
				       (unsigned long long)attempt, u->attempt);
		return rv_fail(err, RV_E_NOT_FOUND, "unit \"%.*s\" has not run: it is %s", RV_STR_ARGS(id),
			       coord_unit_state_name(u->state));
	}
	if (cli_logs_init(&l, &s->view, unit, (uint32_t)attempt, err))
		return -1;
	l.piece = show_piece;
	l.arg = s;
	s->transcript = cli_writes_transcript(s->view.graph, unit);
	begin_text(s);
	rc = attempt || !cli_runview_remote(&s->view) ? cli_logs_read(&l, err) : 0;
	if (rc >= 0 && s->following) {
		if (s->tail_lines != RV_NEVER)
			show_tail(s);
		rc = cli_runview_remote(&s->view) ? follow_remote(s, &l, err) : follow(s, &l, err);
		s->interrupted = rc > 0;
	}
	end_text(s);
	if (rc == 0 && !s->following && !l.seen[0] && !l.seen[1] && !l.tail_only && !s->failed && s->tail_lines && cli_unit_ended(u) && attempt == u->attempt)
		say_empty(s, unit, id);
	if (rc == 0 && !s->following && !l.seen[0] && cli_runview_remote(&s->view) && u->state == COORD_UNIT_ACTIVE && attempt == u->attempt)
		say_not_started(s, unit);
	if (l.tail_only)
		cli_say("the node is gone: these are the last bytes that attempt %u left", l.attempt);
	s->tail_lines = lines;
	return rc < 0 ? -1 : 0;
}

static int show_failed(struct show *s, struct rv_err *err)
{
	const struct cli_tally *t = &s->view.tally;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf head;
	uint32_t i;
	int rc = 0;

	rv_buf_init(&head, 0);
	for (i = 0; rc == 0 && i < t->count + (t->has_verify ? 1 : 0); i++) {
		if (t->units[i].state != COORD_UNIT_FAILED || !t->units[i].attempt)
			continue;
		rv_buf_reset(&head);
		(void)rv_buf_puts(&head, s->printed ? "\n==> " : "==> ");
		cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(t, i, room), &head);
		(void)rv_buf_printf(&head, " (attempt %u): ", t->units[i].attempt);
		{
			struct rv_buf why;

			rv_buf_init(&why, 0);
			cli_put_reason(t, i, &why);
			cli_text_safe(CLI_TEXT_CELL, rv_buf_str(&why), &head);
			rv_buf_release(&why);
		}
		(void)rv_buf_puts(&head, " <==\n");
		write_out(s, rv_buf_str(&head));
		rc = show_unit(s, i, err);
	}
	rv_buf_release(&head);
	return rc;
}

static int run_logs(struct show *s, const struct cli_query *q, struct cli_target target)
{
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .state = q->state, .run = target.run, .keep = CLI_KEEP_ALL };
	struct rv_err err;
	uint32_t unit = 0;
	int status = CLI_OK, rc;

	cli_out_init(&s->out, 1);
	rv_buf_init(&s->readable, 0);
	rv_buf_init(&s->safe, 0);
	begin_text(s);
	rv_buf_init(&s->tail, 0);
	rc = cli_runview_open(&s->view, &opt, &err);
	if (rc == 0 && s->following)
		rc = cli_runview_catch_signals(&s->view, &err);
	if (rc == 0 && target.unit.bytes)
		rc = cli_find_unit(s->view.graph, s->view.id.text, target.unit, &unit, &err);
	if (rc == 0)
		rc = target.unit.bytes ? show_unit(s, unit, &err) : show_failed(s, &err);
	if (rc)
		status = cli_fail(&err);
	else if (s->interrupted)
		status = CLI_INTERRUPTED;
	status = cli_out_end(&s->out, status);
	cli_runview_close(&s->view);
	transcript_show_release(&s->said[0]);
	transcript_show_release(&s->said[1]);
	rv_buf_release(&s->readable);
	rv_buf_release(&s->safe);
	rv_buf_release(&s->tail);
	return status;
}

int cli_cmd_logs(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	struct show s = { .tail_lines = RV_NEVER };
	const struct rv_opt table[] = {
		{ "follow", 'f', RV_OPT_FLAG, &s.following, NULL, "go on until the unit has ended", 0, 0 },
		{ "tail", 'n', RV_OPT_UINT, &s.tail_lines, "N", "only the last N lines", 0, 1000000000 },
		{ "attempt", 0, RV_OPT_UINT, &s.attempt, "N", "of attempt N (default: the newest)", 1, UINT32_MAX },
		{ "failed", 0, RV_OPT_FLAG, &s.failed, NULL, "of every unit of RUN that failed", 0, 0 },
		{ "raw", 0, RV_OPT_FLAG, &s.raw, NULL, "the bytes as they were written: may act on the terminal", 0, 0 },
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_NO_FORMAT("a unit's output is what it printed; `reeve output` and `reeve events` have it"),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_target target = { { NULL, 0 }, { NULL, 0 } };
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("logs", "[RUN/]UNIT, or RUN --failed",
				 "What a unit printed; an agent's transcript as what it said and did. Escape sequences and control characters are shown harmless.", table);
	if (s.failed) {
		if (q.words && strchr(argv[0], '/'))
			return cli_failf(RV_E_USAGE, "--failed shows every unit that failed: name a run, not a unit");
		if (s.attempt || s.following)
			return cli_failf(RV_E_CONFLICT, "--failed does not go with --attempt or --follow");
		target.run = rv_str_of(q.words ? argv[0] : NULL);
		return run_logs(&s, &q, target);
	}
	if (!q.words)
		return cli_failf(RV_E_USAGE, "`reeve logs` needs a unit: RUN/UNIT, or UNIT of the newest run");
	target = cli_query_target(argv[0], CLI_WORD_NEEDS_UNIT);
	if (!target.unit.bytes)
		return cli_failf(RV_E_USAGE, "a unit is missing: RUN/UNIT, or RUN --failed");
	return run_logs(&s, &q, target);
}
