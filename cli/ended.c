/* ended.c - a local run that nobody runs any more, asked about */
#include "cli/ended.h"

#include "cli/find.h"
#include "cli/render.h"

#include "common/plan/plan.h"

#include <string.h>

/* 0: `v` is open, and the run has no process; else nothing is open. */
static int open_ended(const struct cli_query *q, struct rv_str run, struct cli_runview *v)
{
	struct cli_runview_options opt = { .where = CLI_VIEW_DISK, .run = run, .keep = CLI_KEEP_FAILURES };
	char state[PATH_MAX];
	struct cli_place place;
	enum cli_where where;

	if (cli_place_named(q->coordinator) || cli_place_look(NULL, run, &where, &place, state, NULL) || where != CLI_IN_DIRECTORY)
		return 1;
	if (cli_runview_open(v, &opt, NULL) == 0 && !cli_runview_owned(v))
		return 0;
	cli_runview_close(v);
	return 1;
}

static bool may_be_tried(const struct cli_runview *v, uint32_t unit)
{
	return unit < v->tally.count && v->tally.units[unit].state == COORD_UNIT_FAILED;
}

/* By its own limit, not by one of a unit or an agent. */
static bool budget_ended(const struct cli_runview *v)
{
	const struct plan_budget *limit = &coord_graph_limits(v->graph)->budget;

	return (v->tally.reason == PROTO_REASON_BUDGET_TOKENS && limit->tokens) || (v->tally.reason == PROTO_REASON_BUDGET_COST && limit->cost_microusd);
}

static void put_go_on(const struct cli_runview *v, uint32_t unit, struct rv_buf *out)
{
	char room[COORD_UNIT_ID_BYTES];

	if (budget_ended(v))
		(void)rv_buf_printf(out, "`reeve run PLAN --resume=%s --set limits.%s` goes on with a limit that leaves something", v->id.text,
				    v->tally.reason == PROTO_REASON_BUDGET_TOKENS ? "tokens=N" : "cost_usd=X");
	else if (may_be_tried(v, unit))
		(void)rv_buf_printf(out, "`reeve retry %s/%.*s` gives it one more try", v->id.text, RV_STR_ARGS(cli_tally_unit_id(&v->tally, unit, room)));
	else
		(void)rv_buf_printf(out, "`reeve retry %s --failed` %s", v->id.text, cli_runview_ended(v) ? "tries all that did not succeed" : "goes on with it");
}

/* --- explain ----------------------------------------------------------------------------------------------------------- */

static void put_state(const struct cli_runview *v, const char *state, enum proto_reason reason, struct rv_buf *row)
{
	cli_json_str(row, "run", rv_str_of(v->id.text));
	cli_json_str(row, "state", rv_str_of(state));
	if (reason)
		cli_json_str(row, "reason", rv_str_of(proto_reason_name(reason)));
}

static int add(struct cli_rows *rows, struct rv_buf *row, struct rv_err *err)
{
	int rc;

	(void)rv_buf_putc(row, '}');
	rc = row->failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for an answer") : cli_rows_add(rows, rv_buf_str(row), err);
	rv_buf_reset(row);
	return rc;
}

static void begin(struct rv_buf *row, const char *what)
{
	(void)rv_buf_putc(row, '{');
	cli_json_str(row, "what", rv_str_of(what));
}

static int add_rows(const struct cli_runview *v, uint32_t unit, struct cli_rows *rows, struct rv_buf *row, struct rv_buf *text, struct rv_err *err)
{
	const struct cli_unit *u = &v->tally.units[unit];
	char room[COORD_UNIT_ID_BYTES];

	begin(row, cli_unit_ended(u) ? "ended" : "left");
	put_state(v, coord_unit_state_name(u->state), u->reason, row);
	cli_put_reason(&v->tally, unit, text);
	cli_json_str(row, "unit", cli_tally_unit_id(&v->tally, unit, room));
	cli_json_str(row, "says", rv_buf_str(text));
	cli_json_bool(row, "started", u->tries > 0);
	if (add(rows, row, err))
		return -1;

	begin(row, cli_runview_ended(v) ? "run_ended" : "run_gone");
	put_state(v, coord_run_state_name(v->tally.state), v->tally.reason, row);
	if (add(rows, row, err))
		return -1;
	if (u->state == COORD_UNIT_SUCCEEDED)
		return 0;

	begin(row, "go_on");
	rv_buf_reset(text);
	put_go_on(v, unit, text);
	cli_json_str(row, "says", rv_buf_str(text));
	return add(rows, row, err);
}

int cli_ended_explain(const struct cli_query *q, struct cli_target target, struct cli_rows *rows, struct rv_err *err)
{
	struct rv_buf row, text;
	struct cli_runview v;
	uint32_t unit;
	int rc;

	if (open_ended(q, target.run, &v))
		return 1;
	rv_buf_init(&row, 0);
	rv_buf_init(&text, 0);
	rc = cli_find_unit(v.graph, v.id.text, target.unit, &unit, err);
	if (rc == 0)
		rc = add_rows(&v, unit, rows, &row, &text, err);
	rv_buf_release(&row);
	rv_buf_release(&text);
	cli_runview_close(&v);
	return rc;
}

/* --- acts ---------------------------------------------------------------------------------------------------------------- */

static void say_ended(const struct cli_runview *v, uint32_t unit, struct rv_err *err)
{
	const char *state = coord_run_state_name(v->tally.state);
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf go_on;

	rv_buf_init(&go_on, 0);
	put_go_on(v, unit, &go_on);
	if (!cli_runview_ended(v))
		(void)rv_fail(err, RV_E_UNREACHABLE, "run %s has no process any more", v->id.text);
	else if (unit == COORD_NONE || !cli_unit_ended(&v->tally.units[unit]))
		(void)rv_fail(err, RV_E_UNREACHABLE, "run %s has ended: %s", v->id.text, state);
	else
		(void)rv_fail(err, RV_E_UNREACHABLE, "unit %.*s has ended: %s; so has run %s: %s", RV_STR_ARGS(cli_tally_unit_id(&v->tally, unit, room)),
			      coord_unit_state_name(v->tally.units[unit].state), v->id.text, state);
	if (v->tally.state == COORD_RUN_SUCCEEDED || go_on.failed)
		(void)rv_hint(err, "`reeve status %s` tells how it went", v->id.text);
	else
		(void)rv_hint(err, "`reeve status %s` tells how it went; %s", v->id.text, go_on.at);
	rv_buf_release(&go_on);
}

void cli_ended_say(const struct cli_query *q, struct cli_target target, struct rv_err *err)
{
	bool alone = !target.unit.bytes;
	uint32_t unit = COORD_NONE;
	struct cli_runview v;

	if (err->code != RV_E_UNREACHABLE)
		return;
	if (open_ended(q, target.run, &v)) {
		if (!alone || open_ended(q, RV_STR(""), &v))
			return;
		target.unit = target.run;
	}
	if (!target.unit.bytes || cli_find_unit(v.graph, v.id.text, target.unit, &unit, NULL) == 0)
		say_ended(&v, unit, err);
	else if (!alone)
		(void)cli_find_unit(v.graph, v.id.text, target.unit, &unit, err);
	cli_runview_close(&v);
}
