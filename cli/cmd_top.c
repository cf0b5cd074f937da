/* cmd_top.c - `reeve top`: live utilisation of a coordinator, or of a live `run` */
#include "cli/acted.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "cli/view/stage.h"
#include "cli/view/terminal.h"
#include "cli/view/textpage.h"
#include "cli/view/toppage.h"
#include "cli/view/watch.h"
#include "common/id.h"
#include "common/os/clock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define EVERY_US RV_US_PER_S             /* between two questions, on a terminal */
#define PLAIN_EVERY_US (5 * RV_US_PER_S) /* and elsewhere */

struct top {
	struct cli_query query;
	uint64_t every_us, count;  /* count: answers, 0 = no end */
	struct cli_client *client;
	struct view_stage stage;
	struct view_top_page page;
	struct view_text_page text;
	bool reading, back;        /* the help is shown; leave it */
	enum view_top_act act;
};

static const char help_text[] =
	"  Up Down PgUp PgDn     another run\n"
	"  Enter, w              the view of the selected run: its units, logs, retries (q comes back)\n"
	"  p                     pause the run: nothing new of it starts; or go on\n"
	"  c                     cancel the run\n"
	"  q                     leave\n"
	"\n"
	"Runs that go on come first, then those that have ended, newest first. The bars: # succeeded or in use, ! failed or\n"
	"cancelled, - skipped, > runs, . waits or free. Units a second are of the last ten answers.\n";

/* --- asking --------------------------------------------------------------------------------------------------------------- */

static int ask(struct top *t, struct rv_err *err)
{
	struct cli_rows runs, nodes;
	int rc;

	cli_rows_init(&runs);
	cli_rows_init(&nodes);
	rc = cli_rows_fetch(&runs, t->client, PROTO_ASK_RUNS, 0, RV_STR(""), err) || cli_rows_fetch(&nodes, t->client, PROTO_ASK_NODES, 0, RV_STR(""), err) ? -1 : 0;
	if (rc == 0 && view_top_take(&t->page, &runs, &nodes, rv_clock_boottime_us()))
		rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for a list of %u runs", runs.count);
	cli_rows_release(&runs);
	cli_rows_release(&nodes);
	return rc;
}

/* --- without a terminal, and for programs ---------------------------------------------------------------------------------------- */

static void put_json(const struct top *t, struct rv_buf *out)
{
	const struct view_top_page *p = &t->page;
	const struct view_top_sums *s = &p->sums;
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "nodes", s->nodes },         { "nodes_joined", s->joined }, { "slots", s->slots },     { "slots_used", s->slots_used },
		{ "agent_slots", s->agents },  { "agent_slots_used", s->agents_used }, { "runs_live", s->runs_live }, { "active", s->active },
		{ "waiting", s->waiting },     { "tokens", s->tokens },       { "cost_microusd", s->cost_microusd },
	};
	bool first = true;

	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "schema", RV_STR("reeve.top/1"));
	cli_json_time(out, "time", rv_clock_realtime_us());
	cli_json_str(out, "coordinator", rv_str_of(p->where));
	cli_json_key(out, "totals");
	(void)rv_buf_putc(out, '{');
	for (size_t i = 0; i < RV_ARRAY_LEN(numbers); i++)
		cli_json_uint(out, numbers[i].key, numbers[i].value);
	cli_json_key(out, "units_per_s");
	(void)rv_buf_printf(out, "%.3f}", s->per_s);
	cli_json_key(out, "runs");
	(void)rv_buf_putc(out, '[');
	for (uint32_t i = 0; i < p->count && p->list[i].live; i++) {
		if (!first)
			(void)rv_buf_putc(out, ',');
		first = false;
		(void)rv_buf_put_str(out, cli_row(&p->runs, p->list[i].row));
	}
	(void)rv_buf_puts(out, "],\"nodes\":[");
	for (uint32_t i = 0; i < p->nodes.count; i++) {
		if (i)
			(void)rv_buf_putc(out, ',');
		(void)rv_buf_put_str(out, cli_row(&p->nodes, i));
	}
	(void)rv_buf_puts(out, "]}");
}

static void put_answer(const struct top *t, struct rv_buf *out)
{
	if (t->query.format == CLI_JSON || t->query.format == CLI_JSONL) {
		put_json(t, out);
	} else if (t->query.format == CLI_NAME) {
		for (uint32_t i = 0; i < t->page.count && t->page.list[i].live; i++)
			(void)rv_buf_printf(out, "%s%s", i ? "\n" : "", t->page.list[i].id);
	} else {
		cli_put_time(out, rv_clock_realtime_us());
		(void)rv_buf_putc(out, ' ');
		view_top_line(&t->page, out);
	}
}

/* Until the next answer is due; 1: a signal has come. */
static int wait_us(uint64_t us)
{
	struct timespec limit = { .tv_sec = (time_t)(us / RV_US_PER_S), .tv_nsec = (long)(us % RV_US_PER_S * 1000) };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	return sigtimedwait(&set, NULL, &limit) > 0; /* blocked by the client, which makes them a descriptor */
}

static int plain(struct top *t)
{
	struct rv_err err = { 0 };
	struct cli_out out;
	struct rv_buf line;
	int status = CLI_OK;

	cli_out_init(&out, STDOUT_FILENO);
	rv_buf_init(&line, 0);
	for (uint64_t i = 0; !t->count || i < t->count; i++) {
		if (i && wait_us(t->every_us)) {
			status = CLI_INTERRUPTED;
			break;
		}
		if (ask(t, &err)) {
			status = cli_client_interrupted(t->client) ? CLI_INTERRUPTED : cli_fail(&err);
			break;
		}
		rv_buf_reset(&line);
		put_answer(t, &line);
		if (line.bytes)
			cli_out_line(&out, rv_buf_str(&line));
		if (cli_out_flush(&out))
			break; /* nobody reads any more; cli_out_end() says it */
	}
	rv_buf_release(&line);
	return cli_out_end(&out, status);
}

/* --- on a terminal -------------------------------------------------------------------------------------------------------------------- */

static bool on_key(void *arg, struct view_key key)
{
	struct top *t = arg;

	if (!t->reading) {
		t->act = view_top_key(&t->page, key);
		return t->act != VIEW_TOP_NONE;
	}
	if (key.kind == VIEW_KEY_ESCAPE || (key.kind == VIEW_KEY_CHAR && key.cp == 'q'))
		t->reading = false;
	else
		(void)view_text_key(&t->text, key);
	return false;
}

static void draw(void *arg, struct view_canvas *c)
{
	struct top *t = arg;

	t->page.lost = !cli_client_connected(t->client);
	if (t->reading)
		view_text_draw(&t->text, c, "q back");
	else
		view_top_draw(&t->page, c, rv_clock_realtime_us());
}

static void say(struct top *t, bool bad, const char *verb, const char *what)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	(void)rv_buf_printf(&b, "%s %s: ", verb, t->page.selected);
	cli_text_safe(CLI_TEXT_CELL, rv_str_of(what), &b);
	view_top_say(&t->page, bad, rv_buf_str(&b));
	rv_buf_release(&b);
}

static void act(struct top *t, const char *verb, enum proto_mutation what)
{
	struct cli_act_wish wish = { .what = what, .run = rv_run_id_number(rv_str_of(t->page.selected)), .value = -1 };
	struct cli_act_done done = { .act = verb };
	struct rv_err err;

	t->stage.keep_call = true;
	if (cli_act_do(t->client, &wish, &done, &err))
		say(t, true, verb, err.msg);
	else
		say(t, false, verb, done.changed || done.done_before ? "done" : done.why[0] ? done.why : "nothing changed");
	t->stage.keep_call = false;
}

/* The selected run's own view, over a link of its own. 1: it ended with a signal; -1: with the stage lost. */
static int open_run(struct top *t, struct rv_err *err)
{
	const struct cli_place *place = cli_client_place(t->client);
	struct cli_runview_options opt = { .where = CLI_VIEW_LIVE, .coordinator = t->query.coordinator, .run = rv_str_of(t->page.selected),
					   .keep = CLI_KEEP_FAILURES };
	struct cli_runview v;
	struct rv_err why = { 0 };
	int rc = 0;

	if (place && place->kind == CLI_PLACE_COORDINATOR)
		opt.coordinator = place->dir;
	if (cli_runview_open(&v, &opt, &why)) {
		say(t, true, "watch", why.msg);
	} else if (!cli_runview_remote(&v)) {
		say(t, true, "watch", "it has ended: `reeve status` shows it");
	} else {
		enum view_left left = cli_runview_catch_signals(&v, &why) ? VIEW_LEFT_LOST : view_watch_run(&v, &why);

		if (left == VIEW_LEFT_SIGNAL)
			rc = 1;
		else if (left == VIEW_LEFT_ENDED)
			say(t, false, "watch", "the run has ended");
		else if (left == VIEW_LEFT_LOST)
			say(t, true, "watch", why.msg);
	}
	cli_runview_close(&v);
	if (rc == 0 && view_stage_enter(&t->stage, err))
		return -1;
	return rc;
}

static int fulfil(struct top *t, struct rv_err *err)
{
	enum view_top_act wanted = t->act;

	t->act = VIEW_TOP_NONE;
	t->stage.wanted = false;
	t->stage.pressed = true;
	switch (wanted) {
	case VIEW_TOP_OPEN:
		return open_run(t, err);
	case VIEW_TOP_PAUSE:
		act(t, "pause", PROTO_MUT_PAUSE);
		break;
	case VIEW_TOP_UNPAUSE:
		act(t, "unpause", PROTO_MUT_UNPAUSE);
		break;
	case VIEW_TOP_CANCEL:
		act(t, "cancel", PROTO_MUT_CANCEL);
		break;
	case VIEW_TOP_HELP:
		view_text_clear(&t->text, RV_STR("reeve top: keys"));
		view_text_add(&t->text, rv_str_of(help_text));
		t->text.following = false;
		t->reading = true;
		break;
	default:
		break;
	}
	return 0;
}

/* Gives the exit status; CLI_OK: a person left. */
static int loop(struct top *t, struct rv_err *err)
{
	uint64_t next = 0;
	int rc;

	for (;;) {
		uint64_t now = rv_clock_boottime_us();

		if (t->act == VIEW_TOP_QUIT)
			return CLI_OK;
		if (t->stage.gone || cli_client_interrupted(t->client))
			return CLI_INTERRUPTED;
		if (t->stage.wanted) {
			rc = fulfil(t, err);
			if (rc)
				return rc > 0 ? CLI_INTERRUPTED : -1;
			continue;
		}
		if (now >= next) {
			if (ask(t, err)) {
				if (t->stage.wanted || t->stage.gone || cli_client_interrupted(t->client))
					continue; /* given up for a key or a signal */
				return -1;
			}
			next = now + t->every_us;
			view_stage_change(&t->stage);
		}
		view_stage_idle(&t->stage, rv_min_u64(next, now + VIEW_DRAW_US));
	}
}

static int live(struct top *t)
{
	struct rv_err err = { 0 };
	int status = -1;

	if (ask(t, &err)) /* before the screen is taken: who is not there is told as everywhere */
		return cli_client_interrupted(t->client) ? CLI_INTERRUPTED : cli_fail(&err);
	if (view_terminal_open(&err)) {
		cli_say("%s; a line now and then instead", err.msg);
		return plain(t);
	}
	t->stage = (struct view_stage){ .key = on_key, .draw = draw, .arg = t };
	view_text_init(&t->text);
	if (view_stage_init(&t->stage, t->client, &err) == 0)
		status = loop(t, &err);
	view_stage_release(&t->stage);
	view_text_release(&t->text);
	view_terminal_close();
	return status < 0 ? cli_fail(&err) : status;
}

/* --- the verb -------------------------------------------------------------------------------------------------------------------------- */

int cli_cmd_top(int argc, char **argv)
{
	struct top t = { .query = { .words_max = 0 } };
	const char *every = NULL;
	const struct rv_opt table[] = {
		{ "every", 0, RV_OPT_STRING, &every, "TIME", "between two looks (default: 1s; 5s without a terminal)", 0, 0 },
		{ "count", 'n', RV_OPT_UINT, &t.count, "N", "look N times, then end; lines, not a live view", 1, 1000000000 },
		CLI_OPT_FORMAT(&t.query.format_option),
		CLI_OPT_COORDINATOR(&t.query.coordinator),
		CLI_OPT_HELP(&t.query.help),
		CLI_OPT_END,
	};
	bool drawn;
	struct rv_err err;
	int status;

	if (cli_query_parse(&t.query, table, argc, argv, &status))
		return status;
	if (t.query.help)
		return cli_usage("top", "", "Live utilisation of a coordinator, or of a live `run`: nodes, slots and agent slots in use, units a second, tokens and\n"
				 "cost, how each run goes; Enter opens a run as `watch` does (? lists the keys). Without a terminal, with -n or with -o json\n"
				 "a line (an object, reeve.top/1) a look; -o json looks once unless -n says otherwise.", table);
	drawn = !t.count && (t.query.format == CLI_TABLE || t.query.format == CLI_WIDE) && view_terminal_possible();
	t.every_us = drawn ? EVERY_US : PLAIN_EVERY_US;
	if (every && (rv_parse_duration(every, &t.every_us, &err) || t.every_us < RV_US_PER_S / 10))
		return cli_failf(RV_E_USAGE, "--every takes a time of at least 0.1s, not \"%.32s\"", every);
	if (!t.count && (t.query.format == CLI_JSON || t.query.format == CLI_NAME))
		t.count = 1;
	if (cli_query_ask(&t.query, CLI_PLACE_RUNS, RV_STR(""), &t.client, &err) || cli_client_catch_signals(t.client, &err)) {
		status = cli_fail(&err);
	} else {
		view_top_init(&t.page, cli_client_shown(t.client));
		status = drawn ? live(&t) : plain(&t);
		view_top_release(&t.page);
	}
	cli_client_close(&t.client);
	return status;
}
