/* events.c - a transition as one line, of JSON or for people */
#include "cli/events.h"

#include "cli/render.h"
#include "cli/text.h"
#include "common/id.h"

static void put_run(const struct coord_transition *tr, struct rv_buf *out)
{
	struct rv_run_id id = rv_run_id_of(tr->run);

	cli_json_str(out, "run", rv_str_of(id.text));
}

static void put_counts(const struct cli_tally *t, struct rv_buf *out)
{
	cli_json_uint(out, "total", t->count);
	cli_json_uint(out, "succeeded", t->in_state[COORD_UNIT_SUCCEEDED]);
	cli_json_uint(out, "failed", t->in_state[COORD_UNIT_FAILED]);
	cli_json_uint(out, "skipped", t->in_state[COORD_UNIT_SKIPPED]);
	cli_json_uint(out, "cancelled", t->in_state[COORD_UNIT_CANCELLED]);
}

/* How an attempt or a unit ended: exit, signal, class, reason, error. */
static void put_ending(const struct coord_transition *tr, const struct cli_tally *t, struct rv_buf *out)
{
	const struct proto_result *r = tr->result;
	struct rv_buf why;

	if (r && r->exit >= 0)
		cli_json_int(out, "exit", r->exit);
	if (r && r->signal)
		cli_json_int(out, "signal", r->signal);
	if (tr->class)
		cli_json_str(out, "class", rv_str_of(proto_class_name(tr->class)));
	if (tr->reason)
		cli_json_str(out, "reason", rv_str_of(proto_reason_name(tr->reason)));
	if (tr->kind == COORD_T_UNIT_FINISHED && tr->state != COORD_UNIT_SUCCEEDED && t) {
		rv_buf_init(&why, 0);
		cli_put_reason(t, (uint32_t)rv_min_u64(tr->unit, t->count), &why);
		cli_json_str(out, "error", rv_buf_str(&why));
		rv_buf_release(&why);
	} else if (r && r->error.bytes) {
		cli_json_str(out, "error", t && tr->unit != COORD_NONE ? cli_error_without_unit(t, tr->unit, r->error) : r->error);
	}
	if (r && r->start_us) {
		cli_json_time(out, "started_at", r->start_us);
		cli_json_time(out, "finished_at", r->end_us);
		cli_json_ms(out, "duration_ms", r->duration_us);
	}
}

static void put_unit(const struct coord_transition *tr, const struct cli_tally *t, struct rv_buf *out)
{
	char room[COORD_UNIT_ID_BYTES];

	if (t)
		cli_json_str(out, "unit", cli_tally_unit_id(t, tr->unit, room));
	if (tr->attempt)
		cli_json_uint(out, "attempt", tr->attempt);
	if (tr->try_number)
		cli_json_uint(out, "try", tr->try_number);
	cli_json_str(out, "state", rv_str_of(coord_unit_state_name(tr->state)));
	switch (tr->kind) {
	case COORD_T_UNIT_FINISHED:
	case COORD_T_UNIT_RETRY_WAIT:
	case COORD_T_ATTEMPT_LOST:
	case COORD_T_ATTEMPT_REJECTED:
	case COORD_T_RESULT_FENCED:
		put_ending(tr, t, out);
		break;
	default:
		break;
	}
	if (tr->kind == COORD_T_UNIT_RETRY_WAIT)
		cli_json_ms(out, "delay_ms", tr->delay_us);
	if (tr->root_cause != COORD_NONE && t)
		cli_json_str(out, "root_cause", cli_tally_unit_id(t, tr->root_cause, room));
}

void cli_event_json(const struct coord_transition *tr, const struct cli_tally *t, const struct coord *core,
		    uint64_t position, uint32_t index, struct rv_buf *out)
{
	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "type", rv_str_of(coord_transition_name(tr->kind)));
	cli_json_uint(out, "position", position);
	cli_json_uint(out, "index", index);
	if (tr->part != COORD_NONE)
		cli_json_uint(out, "part", tr->part);
	cli_json_time(out, "time", tr->real_us);
	if (tr->run)
		put_run(tr, out);
	if (tr->unit != COORD_NONE)
		put_unit(tr, t, out);
	if (tr->node != COORD_NONE) {
		struct rv_str name = t ? cli_tally_node_name(t, tr->node) : rv_str(NULL, 0);

		cli_json_str_or_null(out, "node", name.bytes || !core ? name : coord_node_name(core, tr->node));
	}
	if (tr->kind == COORD_T_RUN_ACCEPTED && t) {
		cli_json_str(out, "name", coord_graph_name(t->graph));
		cli_json_uint(out, "total", t->count);
	}
	if (tr->kind == COORD_T_UNITS_ADDED) {
		cli_json_uint(out, "units", tr->units);
		if (t)
			cli_json_uint(out, "total", t->count);
	}
	if (tr->kind == COORD_T_RUN_STOPPED)
		cli_json_str(out, "reason", rv_str_of(proto_reason_name(tr->reason)));
	if (tr->kind == COORD_T_RUN_FINISHED) {
		cli_json_str(out, "outcome", rv_str_of(coord_run_state_name(tr->run_state)));
		if (tr->reason)
			cli_json_str(out, "reason", rv_str_of(proto_reason_name(tr->reason)));
		if (t)
			put_counts(t, out);
	}
	(void)rv_buf_puts(out, "}\n");
}

/* For people: time, event, unit, what about it. */
void cli_event_text(const struct coord_transition *t, const struct cli_tally *tally, const struct coord *core, struct rv_buf *out)
{
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf why;

	cli_put_time(out, t->real_us);
	(void)rv_buf_printf(out, "  %-15s", coord_transition_name(t->kind));
	if (tally && t->unit != COORD_NONE) {
		(void)rv_buf_puts(out, " ");
		cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(tally, t->unit, room), out);
	}
	if (t->unit == COORD_NONE && t->node != COORD_NONE && core) {
		(void)rv_buf_puts(out, " ");
		cli_text_safe(CLI_TEXT_CELL, coord_node_name(core, t->node), out);
	}
	if (t->attempt)
		(void)rv_buf_printf(out, " attempt %u", t->attempt);
	if (t->kind == COORD_T_UNITS_ADDED)
		(void)rv_buf_printf(out, " %u", t->units);
	if (t->kind == COORD_T_UNIT_FINISHED)
		(void)rv_buf_printf(out, " %s", coord_unit_state_name(t->state));
	if (t->kind == COORD_T_RUN_FINISHED)
		(void)rv_buf_printf(out, " %s", coord_run_state_name(t->run_state));
	rv_buf_init(&why, 0);
	if (tally && t->unit != COORD_NONE && (t->kind == COORD_T_UNIT_FINISHED || t->kind == COORD_T_UNIT_RETRY_WAIT))
		cli_put_reason(tally, t->unit, &why);
	else if (t->reason)
		(void)rv_buf_puts(&why, proto_reason_name(t->reason));
	if (why.bytes) {
		(void)rv_buf_puts(out, ": ");
		cli_text_safe(CLI_TEXT_CELL, rv_buf_str(&why), out);
	}
	(void)rv_buf_putc(out, '\n');
	rv_buf_release(&why);
}

void cli_event_plan_rejected(struct rv_str why, uint64_t real_us, struct rv_buf *out)
{
	struct rv_buf error;

	rv_buf_init(&error, 0);
	(void)rv_buf_puts(&error, "plan rejected: ");
	(void)rv_buf_put_str(&error, why);
	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "type", RV_STR("plan_rejected"));
	cli_json_time(out, "time", real_us);
	cli_json_str(out, "unit", RV_STR("__preflight__"));
	cli_json_int(out, "exit", 2);
	cli_json_str(out, "error", rv_buf_str(&error));
	(void)rv_buf_puts(out, "}\n");
	rv_buf_release(&error);
}
