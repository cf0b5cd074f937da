/* schedule.c - `export schedule` */
#include "cli/schedule.h"

struct schedule {
	struct cli_runview view;
	struct cli_out out;
	struct rv_buf line;
};

static void put_seconds(struct rv_buf *out, const char *key, uint64_t us)
{
	cli_json_key(out, key);
	(void)rv_buf_printf(out, "%llu.%06u", (unsigned long long)(us / RV_US_PER_S), (unsigned)(us % RV_US_PER_S));
}

static const char *status_of(const struct coord_transition *tr)
{
	if (tr->kind == COORD_T_UNIT_FINISHED && tr->state == COORD_UNIT_SUCCEEDED)
		return "ok";
	return tr->kind == COORD_T_UNIT_FINISHED && tr->state == COORD_UNIT_CANCELLED ? "cancelled" : "failed";
}

bool cli_schedule_line(const struct cli_tally *t, const struct coord_transition *tr, struct rv_buf *out)
{
	const struct proto_result *r = tr->result;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id;

	if (tr->kind != COORD_T_UNIT_FINISHED && tr->kind != COORD_T_UNIT_RETRY_WAIT)
		return false;
	if (!r || !r->start_us || tr->unit >= t->count)
		return false;
	id = coord_graph_unit_x_id(t->graph, tr->unit);
	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "unit", id.bytes ? id : cli_tally_unit_id(t, tr->unit, room));
	cli_json_str(out, "node", cli_tally_node_name(t, tr->node != COORD_NONE ? tr->node : t->units[tr->unit].node));
	put_seconds(out, "start", r->start_us);
	put_seconds(out, "end", r->end_us);
	cli_json_uint(out, "slots", coord_graph_cpus(t->graph, tr->unit));
	cli_json_str(out, "status", rv_str_of(status_of(tr)));
	cli_json_uint(out, "attempt", tr->attempt);
	(void)rv_buf_puts(out, "}\n");
	return true;
}

static void listen(void *arg, const struct coord_transition *tr)
{
	struct schedule *s = arg;

	rv_buf_reset(&s->line);
	if (s->view.graph && cli_schedule_line(&s->view.tally, tr, &s->line))
		cli_out_put(&s->out, rv_buf_str(&s->line));
}

int cli_schedule_export(const struct cli_query *q, struct cli_target target)
{
	struct schedule s = { 0 };
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .state = q->state, .run = target.run, .keep = CLI_KEEP_FAILURES, .listen = listen,
					   .arg = &s };
	struct rv_err err;
	int status = CLI_OK;

	cli_out_init(&s.out, 1);
	rv_buf_init(&s.line, 0);
	if (cli_runview_open(&s.view, &opt, &err)) {
		rv_buf_reset(&s.out.buf);
		status = cli_fail(&err);
	}
	status = cli_out_end(&s.out, status);
	cli_runview_close(&s.view);
	rv_buf_release(&s.line);
	return status;
}
