#include "cli/view/watch.h"

#include "cli/acted.h"
#include "cli/active.h"
#include "cli/agentlog.h"
#include "cli/error.h"
#include "cli/explain.h"
#include "cli/export/tail.h"
#include "cli/logs.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "cli/view/runpage.h"
#include "cli/view/stage.h"
#include "cli/view/terminal.h"
#include "cli/view/textpage.h"
#include "cli/waits.h"
#include "common/os/clock.h"

#include <stdio.h>

#define FACTS_WAIT_MS 2000u
#define BEHIND_BYTES ((size_t)512 << 10) /* of an answer: there is more to come */
#define SPENT_US (3 * RV_US_PER_S)     /* between two questions what the run has used */
#define STUCK_US (3 * RV_US_PER_S)     /* between two questions why nothing moves */
#define LAST_LINE_BYTES ((size_t)4096) /* of a log in which the last line is looked for */
#define LINES_AT_ONCE 8                /* last lines fetched between two drawings */

enum showing { SHOWS_RUN, SHOWS_LOG, SHOWS_TEXT };

struct watch {
	struct view_stage stage;
	struct cli_runview *view;
	struct view_run_page page;
	struct view_text_page text;
	enum showing showing;
	struct view_wish wish;       /* to be done */
	bool back;                   /* from the log or text */
	struct cli_waits waits;
	uint64_t facts_us, spent_us, stuck_us; /* asked for not before */
	/* the log that is shown */
	struct cli_logs logs;
	uint32_t log_unit;
	bool log_open, log_over, transcript;
	struct transcript_show said[2];
	struct cli_text clean[2];
	struct rv_buf readable, safe;
};

static const char help_text[] =
	"Moving\n"
	"  Up Down, j k          one unit up or down\n"
	"  PgUp PgDn Home End    a page, the first, the last (g, G)\n"
	"  a, Tab                all units of the plan, or those that are held, run or failed\n"
	"  /                     only units whose id holds what is typed; Esc shows all again\n"
	"\n"
	"The selected unit\n"
	"  l, Enter              its log, followed while it runs\n"
	"  e                     why it is not running\n"
	"  c                     cancel it\n"
	"  r                     retry it\n"
	"  h                     hold it: it waits for a release; of a held one: release it\n"
	"\n"
	"The run\n"
	"  p                     pause: nothing new starts; or go on\n"
	"  R                     retry every unit that did not succeed\n"
	"  C                     cancel it\n"
	"  q                     leave; the run goes on\n"
	"\n"
	"The bar: # succeeded, ! failed or cancelled, - skipped, > runs, . waits. Slowest first: the oldest unit that runs\n"
	"leads the list, below what is held. Assigned units are on a node and have not begun.\n";

/* --- keys and drawing ------------------------------------------------------------------------------------------------------- */

static bool on_key(void *arg, struct view_key key)
{
	struct watch *w = arg;

	if (w->showing == SHOWS_RUN) {
		w->wish = view_run_page_key(&w->page, key);
		return w->wish.act != VIEW_ACT_NONE;
	}
	if (key.kind == VIEW_KEY_ESCAPE || (key.kind == VIEW_KEY_CHAR && (key.cp == 'q' || key.cp == 'l')))
		w->back = true;
	else
		(void)view_text_key(&w->text, key);
	return w->back;
}

static void draw(void *arg, struct view_canvas *c)
{
	struct watch *w = arg;

	w->page.lost = !cli_client_connected(w->stage.client);
	if (w->showing == SHOWS_RUN)
		view_run_page_draw(&w->page, c, rv_clock_realtime_us());
	else
		view_text_draw(&w->text, c, "q back  Up Down PgUp PgDn Home  End follows");
}

static void listen(void *arg, const struct coord_transition *t)
{
	struct watch *w = arg;

	view_run_page_feed(&w->page, t);
	view_stage_change(&w->stage);
}

/* --- logs --------------------------------------------------------------------------------------------------------------------- */

static void add_clean(struct watch *w, int stream, struct rv_str bytes)
{
	rv_buf_reset(&w->safe);
	cli_text_feed(&w->clean[stream], bytes, &w->safe);
	view_text_add(&w->text, rv_buf_str(&w->safe));
	view_stage_change(&w->stage);
}

static void on_piece(void *arg, int stream, struct rv_str bytes)
{
	struct watch *w = arg;

	if (w->transcript) {
		rv_buf_reset(&w->readable);
		transcript_show_feed(&w->said[stream], bytes, &w->readable);
		bytes = rv_buf_str(&w->readable);
	}
	add_clean(w, stream, bytes);
}

static void begin_log(struct watch *w, uint32_t unit, uint32_t attempt)
{
	struct rv_err err;

	for (int i = 0; i < 2; i++) {
		transcript_show_release(&w->said[i]);
		transcript_show_init(&w->said[i]);
		cli_text_init(&w->clean[i], CLI_TEXT_LINES);
	}
	w->transcript = cli_writes_transcript(w->view->graph, unit);
	w->log_open = attempt && cli_logs_init(&w->logs, w->view, unit, attempt, &err) == 0;
	w->logs.piece = on_piece;
	w->logs.arg = w;
	w->log_over = false;
}

static void open_log(struct watch *w, uint32_t unit)
{
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf title;

	rv_buf_init(&title, 0);
	(void)rv_buf_puts(&title, "log of ");
	cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(&w->view->tally, unit, room), &title);
	view_text_clear(&w->text, rv_buf_str(&title));
	rv_buf_release(&title);
	w->log_unit = unit;
	w->showing = SHOWS_LOG;
	begin_log(w, unit, w->view->tally.units[unit].attempt);
}

static void end_log(struct watch *w)
{
	for (int i = 0; i < 2; i++) {
		rv_buf_reset(&w->readable);
		if (w->transcript)
			transcript_show_end(&w->said[i], &w->readable);
		add_clean(w, i, rv_buf_str(&w->readable));
		rv_buf_reset(&w->safe);
		cli_text_end(&w->clean[i], &w->safe);
		view_text_add(&w->text, rv_buf_str(&w->safe));
	}
	w->log_over = true;
}

static void note_log(struct watch *w)
{
	const struct cli_unit *u = &w->view->tally.units[w->log_unit];

	rv_buf_reset(&w->text.note);
	if (!u->attempt)
		(void)rv_buf_puts(&w->text.note, "it has not run yet");
	else
		(void)rv_buf_printf(&w->text.note, "attempt %u, %s", w->logs.attempt,
				    u->state == COORD_UNIT_ACTIVE ? "running" : coord_unit_state_name((enum coord_unit_state)u->state));
}

/* What is new of the log, and the next attempt's once there is one. */
static void read_log(struct watch *w)
{
	const struct cli_unit *u = &w->view->tally.units[w->log_unit];
	bool over = cli_unit_ended(u);
	struct rv_err err;

	if (w->log_open && !w->log_over) {
		if (cli_logs_read(&w->logs, &err) < 0) {
			if (w->stage.wanted || w->stage.gone)
				return; /* given up for a key: the next time */
			view_text_add(&w->text, RV_STR("! "));
			view_text_add(&w->text, rv_str_of(err.msg));
			view_text_add(&w->text, RV_STR("\n"));
			w->log_over = true;
		} else if (w->logs.ended || over) {
			end_log(w);
		}
	}
	if (u->attempt && (!w->log_open || (w->log_over && u->attempt > w->logs.attempt))) {
		if (view_text_lines(&w->text))
			view_text_add(&w->text, RV_STR("= the next attempt\n"));
		begin_log(w, w->log_unit, u->attempt);
	}
	note_log(w);
}

/* --- other pages ---------------------------------------------------------------------------------------------------------------- */

static void show_help(struct watch *w)
{
	view_text_clear(&w->text, RV_STR("reeve watch: keys"));
	view_text_add(&w->text, rv_str_of(help_text));
	w->text.following = false;
	w->showing = SHOWS_TEXT;
}

static void explain(struct watch *w, uint32_t unit)
{
	const struct cli_tally *t = &w->view->tally;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(t, unit, room);
	struct rv_buf text;
	struct cli_rows rows;
	struct rv_err err;

	cli_rows_init(&rows);
	rv_buf_init(&text, 0);
	(void)rv_buf_puts(&text, "why ");
	cli_text_safe(CLI_TEXT_CELL, id, &text);
	(void)rv_buf_printf(&text, " is %s", coord_unit_state_name((enum coord_unit_state)t->units[unit].state));
	view_text_clear(&w->text, rv_buf_str(&text));
	rv_buf_reset(&text);
	if (cli_rows_fetch(&rows, w->stage.client, PROTO_ASK_EXPLAIN, t->run, id, &err)) {
		(void)rv_buf_printf(&text, "! %s\n", err.msg);
	} else {
		for (uint32_t i = 0; i < rows.count; i++)
			cli_explain_put_line(&text, cli_row(&rows, i));
	}
	view_text_add(&w->text, rv_buf_str(&text));
	w->text.following = false;
	w->showing = SHOWS_TEXT;
	rv_buf_release(&text);
	cli_rows_release(&rows);
}

/* --- acts -------------------------------------------------------------------------------------------------------------------------- */

static const struct {
	enum view_act act;
	enum proto_mutation what;
	const char *verb;
} acts[] = {
	{ VIEW_ACT_CANCEL, PROTO_MUT_CANCEL, "cancel" },      { VIEW_ACT_CANCEL_RUN, PROTO_MUT_CANCEL, "cancel" },
	{ VIEW_ACT_RETRY, PROTO_MUT_RETRY, "retry" },         { VIEW_ACT_RETRY_FAILED, PROTO_MUT_RESUME, "retry --failed" },
	{ VIEW_ACT_PAUSE, PROTO_MUT_PAUSE, "pause" },         { VIEW_ACT_UNPAUSE, PROTO_MUT_UNPAUSE, "unpause" },
	{ VIEW_ACT_HOLD, PROTO_MUT_HOLD, "hold" },            { VIEW_ACT_RELEASE, PROTO_MUT_RELEASE, "release" },
};

static void say_act(struct watch *w, const char *verb, struct rv_str id, bool bad, const char *what)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	(void)rv_buf_printf(&b, "%s ", verb);
	cli_text_safe(CLI_TEXT_CELL, id, &b);
	(void)rv_buf_puts(&b, id.bytes ? ": " : "the run: ");
	cli_text_safe(CLI_TEXT_CELL, rv_str_of(what), &b);
	view_run_page_say(&w->page, bad, rv_buf_str(&b));
	rv_buf_release(&b);
}

/* A unit that succeeded, or may be started once only, is not run again by one key. */
static bool needs_force(const struct watch *w, uint32_t unit)
{
	const struct cli_unit *u = &w->view->tally.units[unit];

	return u->state == COORD_UNIT_SUCCEEDED || (u->attempt && unit < w->view->tally.count && coord_graph_at_most_once(w->view->graph, unit));
}

static void act(struct watch *w, enum proto_mutation what, const char *verb, uint32_t unit)
{
	const struct cli_tally *t = &w->view->tally;
	char room[COORD_UNIT_ID_BYTES], said[200];
	struct rv_str id = unit == COORD_NONE ? RV_STR("") : cli_tally_unit_id(t, unit, room);
	struct cli_act_wish wish = { .what = what, .run = t->run, .unit = id, .value = -1 };
	struct cli_act_done done = { .act = verb };
	struct rv_err err;

	if (what == PROTO_MUT_RETRY && needs_force(w, unit)) {
		say_act(w, verb, id, true, "`reeve retry --force` runs it once more, since it succeeded or is at_most_once");
		return;
	}
	w->stage.keep_call = true;
	if (cli_act_do(w->stage.client, &wish, &done, &err)) {
		say_act(w, verb, id, true, err.msg);
	} else if (done.changed || done.done_before) {
		say_act(w, verb, id, false, "done");
	} else {
		(void)snprintf(said, sizeof(said), "nothing changed%s%s", done.why[0] ? ": " : "", done.why);
		say_act(w, verb, id, false, said);
	}
	w->stage.keep_call = false;
}

static void fulfil(struct watch *w)
{
	struct view_wish wish = w->wish;

	w->stage.wanted = false;
	w->wish.act = VIEW_ACT_NONE;
	if (w->back) {
		w->back = false;
		w->showing = SHOWS_RUN;
	}
	if (wish.act == VIEW_ACT_LOGS)
		open_log(w, wish.unit);
	else if (wish.act == VIEW_ACT_EXPLAIN)
		explain(w, wish.unit);
	else if (wish.act == VIEW_ACT_HELP)
		show_help(w);
	for (size_t i = 0; i < RV_ARRAY_LEN(acts); i++)
		if (acts[i].act == wish.act)
			act(w, acts[i].what, acts[i].verb, wish.unit);
	w->stage.pressed = true; /* what it came to is seen at once */
}

/* --- what is asked for ------------------------------------------------------------------------------------------------------------- */

static struct rv_str last_line_of(struct rv_str s)
{
	size_t end = s.bytes, start;

	while (end && (s.at[end - 1] == '\n' || s.at[end - 1] == '\r' || s.at[end - 1] == ' '))
		end--;
	for (start = end; start && s.at[start - 1] != '\n';)
		start--;
	return rv_str(s.at + start, end - start);
}

/* The last words of the failed units that are seen. */
static void fetch_last_lines(struct watch *w)
{
	struct rv_buf tail, safe;

	rv_buf_init(&tail, 0);
	rv_buf_init(&safe, 0);
	for (int i = 0; i < LINES_AT_ONCE; i++) {
		uint32_t unit = view_run_page_wants_line(&w->page);

		if (unit == COORD_NONE || w->stage.wanted)
			break;
		rv_buf_reset(&tail);
		rv_buf_reset(&safe);
		cli_tail_put(w->view, unit, LAST_LINE_BYTES, &tail);
		if (w->stage.wanted)
			break; /* given up */
		cli_text_safe(CLI_TEXT_CELL, last_line_of(rv_buf_str(&tail)), &safe);
		view_run_page_set_line(&w->page, unit, rv_buf_str(&safe));
		view_stage_change(&w->stage);
	}
	rv_buf_release(&tail);
	rv_buf_release(&safe);
}

/* What running attempts have used so far only the coordinator knows. */
static void ask_spent(struct watch *w, uint64_t now)
{
	struct cli_rows rows;

	if (now < w->spent_us)
		return;
	w->spent_us = now + SPENT_US;
	cli_rows_init(&rows);
	if (cli_rows_fetch(&rows, w->stage.client, PROTO_ASK_RUNS, w->view->tally.run, RV_STR(""), NULL) == 0 && rows.count == 1) {
		w->page.tokens = cli_row_uint(cli_row(&rows, 0), "tokens");
		w->page.cost_microusd = cli_row_uint(cli_row(&rows, 0), "cost_microusd");
	}
	cli_rows_release(&rows);
}

static void ask_stuck(struct watch *w, uint64_t now)
{
	const struct cli_tally *t = &w->view->tally;

	if (t->in_state[COORD_UNIT_ACTIVE] || t->finished_us) {
		rv_buf_reset(&w->page.stuck);
		return;
	}
	if (now < w->stuck_us)
		return;
	w->stuck_us = now + STUCK_US;
	cli_waits_fetch(&w->waits, w->stage.client, t);
	rv_buf_reset(&w->page.stuck);
	cli_waits_put_stuck(&w->waits, t, &w->page.stuck);
	while (w->page.stuck.bytes && w->page.stuck.at[w->page.stuck.bytes - 1] == '\n')
		w->page.stuck.bytes--;
}

/* -1: the run cannot be followed any more. */
static int read_facts(struct watch *w, struct rv_err *err)
{
	bool behind = w->view->remote.told_bytes >= BEHIND_BYTES, quiet = !behind && (w->showing != SHOWS_LOG || w->log_over) && view_run_page_wants_line(&w->page) == COORD_NONE;

	if (cli_runview_ended(w->view))
		return 0;
	if (cli_runview_wait_ms(w->view, quiet ? FACTS_WAIT_MS : 1, err) == 0) {
		if (w->view->remote.told_bytes >= BEHIND_BYTES)
			w->facts_us = 0; /* there is more */
		return 0;
	}
	return (w->stage.wanted || w->stage.gone) && err->code == RV_E_BUSY && !cli_runview_interrupted(w->view) ? 0 : -1;
}

/* --- the loop ------------------------------------------------------------------------------------------------------------------------- */

static bool over(const struct watch *w)
{
	return cli_runview_ended(w->view) && w->showing == SHOWS_RUN && w->page.asked.act == VIEW_ACT_NONE;
}

static enum view_left loop(struct watch *w, struct rv_err *err)
{
	for (;;) {
		view_stage_idle(&w->stage, w->facts_us);
		if (w->wish.act == VIEW_ACT_QUIT)
			return VIEW_LEFT_QUIT;
		if (w->stage.gone || cli_runview_interrupted(w->view))
			return VIEW_LEFT_SIGNAL;
		if (w->stage.wanted) {
			fulfil(w);
			continue;
		}
		if (over(w))
			return VIEW_LEFT_ENDED;
		w->facts_us = rv_clock_boottime_us() + VIEW_DRAW_US;
		fetch_last_lines(w); /* of what was drawn */
		if (read_facts(w, err))
			return cli_runview_interrupted(w->view) ? VIEW_LEFT_SIGNAL : VIEW_LEFT_LOST;
		if (w->showing == SHOWS_LOG)
			read_log(w);
		ask_spent(w, rv_clock_boottime_us());
		ask_stuck(w, rv_clock_boottime_us());
	}
}

/* Where nobody tells which have begun (a coordinator of an earlier version does not): those that were handed over mostly have. */
static void assume_begun(struct cli_tally *t)
{
	for (uint32_t i = 0; i < t->count + t->has_verify; i++)
		if (t->units[i].state == COORD_UNIT_ACTIVE && !t->units[i].start_us)
			t->units[i].start_us = t->units[i].told_us;
}

enum view_left view_watch_run(struct cli_runview *v, struct rv_err *err)
{
	struct watch w = { .view = v, .stage = { .key = on_key, .draw = draw, .arg = &w }, .wish = { .unit = COORD_NONE } };
	enum view_left left = VIEW_LEFT_LOST;

	view_text_init(&w.text);
	cli_waits_init(&w.waits);
	rv_buf_init(&w.readable, 0);
	rv_buf_init(&w.safe, 0);
	for (int i = 0; i < 2; i++)
		transcript_show_init(&w.said[i]);
	if (!cli_active_fetch(v))
		assume_begun(&v->tally);
	if (view_run_page_init(&w.page, &v->tally, err) == 0 && view_stage_init(&w.stage, v->remote.client, err) == 0) {
		v->listen = listen;
		v->arg = &w;
		v->tally.waits = &w.waits;
		left = loop(&w, err);
		v->listen = NULL;
		v->tally.waits = NULL;
	}
	view_stage_release(&w.stage);
	view_run_page_release(&w.page);
	view_text_release(&w.text);
	cli_waits_release(&w.waits);
	for (int i = 0; i < 2; i++)
		transcript_show_release(&w.said[i]);
	rv_buf_release(&w.readable);
	rv_buf_release(&w.safe);
	return left;
}

/* --- the verb -------------------------------------------------------------------------------------------------------------------------- */

static void say_detached(const struct cli_runview *v)
{
	cli_say("detached; run %s goes on. `reeve watch %s%s` follows it, `reeve cancel %s%s` ends it", v->id.text, v->id.text, v->state_option,
		v->id.text, v->state_option);
}

int view_watch(const struct cli_follow *wish)
{
	struct cli_runview_options opt = { .where = CLI_VIEW_LIVE, .state = wish->state, .coordinator = wish->coordinator, .run = wish->run,
					   .keep = CLI_KEEP_FAILURES };
	struct cli_follow rest = *wish;
	enum view_left left = VIEW_LEFT_ENDED;
	struct rv_run_id id;
	struct cli_runview v;
	struct rv_err err;

	if (wish->how != CLI_FOLLOW_LINES || (wish->format != CLI_TABLE && wish->format != CLI_WIDE) || !view_terminal_possible())
		return cli_follow(wish);
	if (cli_runview_open(&v, &opt, &err)) {
		cli_runview_close(&v);
		return cli_follow(wish); /* it says what is wrong, or reads what has ended meanwhile */
	}
	id = v.id;
	rest.run = rv_str_of(id.text);
	if (cli_runview_remote(&v) && !cli_runview_ended(&v)) {
		if (cli_runview_catch_signals(&v, &err) || view_terminal_open(&err)) {
			cli_say("%s; a line for each transition instead", err.msg);
		} else {
			left = view_watch_run(&v, &err);
			view_terminal_close();
		}
	}
	if (left == VIEW_LEFT_QUIT || left == VIEW_LEFT_SIGNAL)
		say_detached(&v);
	/* a `run` whose process is gone has left the end of its story on disk */
	if (left == VIEW_LEFT_LOST && v.state[0])
		left = VIEW_LEFT_ENDED;
	cli_runview_close(&v);
	switch (left) {
	case VIEW_LEFT_QUIT:
		return wish->exit_status ? CLI_INTERRUPTED : CLI_OK;
	case VIEW_LEFT_SIGNAL:
		return CLI_INTERRUPTED;
	case VIEW_LEFT_LOST:
		return cli_fail(&err);
	default:
		return cli_follow(&rest);
	}
}
