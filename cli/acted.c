/* acted.c - what an act came to */
#include "cli/acted.h"

#include "cli/error.h"
#include "cli/layout.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "coordinator/core/io.h"
#include "coordinator/journal/journal.h"

#include <stdio.h>
#include <string.h>

/* --- nothing changed: why ------------------------------------------------------------------------------------------------ */

static void say_why(struct cli_act_done *d, const char *fmt, struct rv_str word)
{
	(void)snprintf(d->why, sizeof d->why, fmt, (int)rv_min_u64(word.bytes, 64), word.at ? word.at : "");
}

/* "it is WORD already", of the row that the coordinator lists for the run, or of the first one for the unit or node. */
static void why_of_run(struct cli_client *c, const struct cli_act_wish *w, struct cli_act_done *d)
{
	struct cli_rows rows;
	struct rv_buf room;
	struct rv_str state;

	cli_rows_init(&rows);
	rv_buf_init(&room, 0);
	if (cli_rows_fetch(&rows, c, PROTO_ASK_RUNS, w->run, RV_STR(""), NULL) == 0 && rows.count == 1) {
		state = cli_row_text(cli_row(&rows, 0), "state", &room);
		if (cli_row_uint(cli_row(&rows, 0), "finished_us"))
			say_why(d, "the run has ended: %.*s", state);
		else if (w->what == PROTO_MUT_PAUSE)
			say_why(d, "the run is paused already", state);
		else if (w->what == PROTO_MUT_UNPAUSE)
			say_why(d, "the run is not paused", state);
		else if (w->what == PROTO_MUT_CLOSE)
			say_why(d, "the run is closed already", state);
		else if (w->what == PROTO_MUT_CANCEL)
			say_why(d, "the run is being cancelled already", state);
		else if (w->what == PROTO_MUT_RETRY || w->what == PROTO_MUT_RESUME)
			say_why(d, "no unit of the run has failed", state);
		else
			say_why(d, "it has that value already", state);
	}
	rv_buf_release(&room);
	cli_rows_release(&rows);
}

static void why_of_unit(struct cli_client *c, const struct cli_act_wish *w, struct cli_act_done *d)
{
	struct rv_buf what, state;
	struct cli_rows rows;
	uint32_t i;

	cli_rows_init(&rows);
	rv_buf_init(&what, 0);
	rv_buf_init(&state, 0);
	if (cli_rows_fetch(&rows, c, PROTO_ASK_EXPLAIN, w->run, rv_str_of(d->unit[0] ? d->unit : ""), NULL))
		rows.count = 0;
	for (i = 0; i < rows.count && !d->why[0]; i++) {
		struct rv_str row = cli_row(&rows, i), kind = cli_row_text(row, "what", &what);

		if (rv_str_equal(kind, RV_STR("ended")))
			say_why(d, "it has ended: %.*s", cli_row_text(row, "state", &state));
		else if (rv_str_equal(kind, RV_STR("held")) && w->what == PROTO_MUT_HOLD)
			say_why(d, "it is held already", kind);
		else if (rv_str_equal(kind, RV_STR("active")) && w->what != PROTO_MUT_RELEASE)
			say_why(d, w->what == PROTO_MUT_CANCEL ? "it is being cancelled already" : "it is running", kind);
	}
	if (rows.count && !d->why[0] && w->what == PROTO_MUT_RELEASE)
		say_why(d, "it is not held", RV_STR(""));
	rv_buf_release(&what);
	rv_buf_release(&state);
	cli_rows_release(&rows);
}

static void why_of_node(const struct cli_act_wish *w, struct cli_act_done *d)
{
	say_why(d, w->what == PROTO_MUT_DRAIN ? "it is being drained already" : w->what == PROTO_MUT_UNDRAIN ? "it is not being drained" : "it was removed before",
		RV_STR(""));
}

static void ask_why(struct cli_client *c, const struct cli_act_wish *w, struct cli_act_done *d)
{
	if (proto_mutation_of_node(w->what))
		why_of_node(w, d);
	else if (d->unit[0])
		why_of_unit(c, w, d);
	else
		why_of_run(c, w, d);
}

/* --- a run that ended before it answered ------------------------------------------------------------------------------------ */

struct looking {
	uint64_t id;
	bool found, ended;
	enum proto_end_state state;
	struct rv_arena arena;
};

static enum journal_next look_at_row(void *arg, const struct journal_row *row)
{
	struct looking *l = arg;
	struct rv_str at = row->records;
	struct proto_fact f;

	while (proto_fact_decode(&at, &l->arena, &f, NULL) == 1) {
		if (f.kind == PROTO_FACT_MUTATION && f.mutation.request == l->id)
			l->found = true;
		if (f.kind == PROTO_FACT_RUN_FINISHED) {
			l->ended = true;
			l->state = f.run_finished.state;
		}
	}
	rv_arena_release(&l->arena); /* a journal may be long */
	rv_arena_init(&l->arena, 0);
	return JOURNAL_MORE;
}

/* The answer of a `run` that is gone lies in its journal. 0: the act was done; -1: it was not, or nobody knows (`err` as it was). */
static int look_into_journal(const struct cli_place *p, uint64_t id, struct cli_act_done *done, struct rv_err *err)
{
	static const char *const states[] = { [PROTO_END_SUCCEEDED] = "succeeded", [PROTO_END_FAILED] = "failed", [PROTO_END_SKIPPED] = "skipped",
					      [PROTO_END_CANCELLED] = "cancelled" };
	struct journal_options options = { .mode = JOURNAL_READ };
	struct looking l = { .id = id };
	struct journal *j = NULL;
	int rc;

	rv_arena_init(&l.arena, 0);
	rc = journal_open(&j, p->dir, &options, NULL) || journal_read(j, 0, look_at_row, &l, NULL) ? -1 : 0;
	journal_close(&j);
	rv_arena_release(&l.arena);
	if (rc || !l.ended)
		return -1;
	if (!l.found) {
		(void)rv_fail(err, RV_E_CONFLICT, "run %s ended (%s) before it could be done", p->run.text, states[l.state]);
		return rv_hint(err, "`reeve status %s` says more", p->run.text);
	}
	done->changed = 1; /* how many there were it did not live to tell */
	cli_say("run %s has ended: %s", p->run.text, states[l.state]);
	return 0;
}

/* --- one act ------------------------------------------------------------------------------------------------------------------ */

int cli_act_do(struct cli_client *c, const struct cli_act_wish *w, struct cli_act_done *done, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_ACT }, answer;
	const struct cli_place *place = cli_client_place(c);
	uint64_t id = cli_client_new_id();

	request.act = (struct proto_act){ .id = id, .what = (uint32_t)w->what, .run = w->run, .unit = w->unit, .node = w->node,
					  .value = w->value, .note = w->note, .prompt = w->prompt, .agent = w->agent };
	(void)snprintf(done->unit, sizeof done->unit, "%.*s", RV_STR_ARGS(w->unit));
	if (cli_client_call(c, &request, PROTO_DONE, &answer, err))
		return err->code == RV_E_UNREACHABLE && place && place->kind == CLI_PLACE_RUN ? look_into_journal(place, id, done, err) : -1;
	done->changed = answer.done.changed;
	done->done_before = answer.done.done_before;
	if (answer.done.unit.bytes)
		(void)snprintf(done->unit, sizeof done->unit, "%.*s", RV_STR_ARGS(answer.done.unit));
	if (!done->changed && !done->done_before)
		ask_why(c, w, done);
	return 0;
}

/* --- the answer --------------------------------------------------------------------------------------------------------------- */

static void answer_json(const struct cli_act_done *d, enum cli_format format, struct rv_buf *out)
{
	(void)rv_buf_putc(out, '{');
	if (format == CLI_JSON)
		cli_json_str(out, "schema", RV_STR("reeve.act/1"));
	cli_json_str(out, "act", rv_str_of(d->act));
	cli_json_str_or_null(out, "run", d->run);
	cli_json_str_or_null(out, "unit", rv_str_of(d->unit));
	cli_json_str_or_null(out, "node", d->node);
	cli_json_uint(out, "changed", d->changed);
	cli_json_bool(out, "done_before", d->done_before);
	cli_json_str_or_null(out, "why", rv_str_of(d->why));
	(void)rv_buf_puts(out, "}\n");
}

static void answer_text(const struct cli_act_done *d, struct rv_buf *out)
{
	(void)rv_buf_printf(out, "%s ", d->act);
	if (d->node.bytes)
		(void)rv_buf_printf(out, "%.*s", RV_STR_ARGS(d->node));
	else
		(void)rv_buf_printf(out, "%.*s%s%s", RV_STR_ARGS(d->run), d->unit[0] ? "/" : "", d->unit);
	if (d->changed)
		(void)rv_buf_printf(out, ": %u changed\n", d->changed);
	else
		(void)rv_buf_printf(out, ": nothing changed%s%s\n", d->why[0] ? ": " : "", d->why);
}

int cli_act_answer(const struct cli_act_done *d, enum cli_format format)
{
	struct rv_buf out;
	int status;

	rv_buf_init(&out, 0);
	if (format == CLI_JSON || format == CLI_JSONL)
		answer_json(d, format, &out);
	else if (format == CLI_NAME)
		(void)rv_buf_printf(&out, "%.*s\n", RV_STR_ARGS(d->node.bytes ? d->node : d->unit[0] ? rv_str_of(d->unit) : d->run));
	else
		answer_text(d, &out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}
