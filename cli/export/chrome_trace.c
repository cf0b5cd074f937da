/* chrome_trace.c - `export chrome-trace`: the Trace Event Format, for Perfetto (ui.perfetto.dev) and chrome://tracing
 *
 * A node is a process, a slot a thread, an attempt a complete event ("X"), a dependency a flow from the end of one to the start of the other.
 * Times are microseconds since the first thing of the run.
 */
#include "cli/export/export.h"

#include "cli/render.h"

#include <stdio.h>

#define FLOWS_MAX 200000u /* more edges than this: no arrows, since no viewer shows them */

static uint32_t pid_of(const struct cli_attempts *a, uint32_t node)
{
	return node == COORD_NONE ? a->node_count + 1 : node + 1;
}

static void next(struct cli_export *e)
{
	cli_out_put(&e->out, rv_buf_str(&e->line));
	rv_buf_reset(&e->line);
	(void)rv_buf_puts(&e->line, ",\n{");
}

static void put_place(struct cli_export *e, const char *phase, uint32_t pid, uint32_t tid)
{
	cli_json_str(&e->line, "ph", rv_str_of(phase));
	cli_json_uint(&e->line, "pid", pid);
	cli_json_uint(&e->line, "tid", tid);
}

static void put_name_of(struct cli_export *e, const char *what, uint32_t pid, uint32_t tid, struct rv_str name)
{
	next(e);
	cli_json_str(&e->line, "name", rv_str_of(what));
	put_place(e, "M", pid, tid);
	(void)rv_buf_puts(&e->line, ",\"args\":{\"name\":");
	(void)rv_buf_put_json(&e->line, name);
	(void)rv_buf_puts(&e->line, "}}");
}

static void put_names(struct cli_export *e)
{
	const struct cli_attempts *a = &e->attempts;
	uint32_t i, slot;
	char text[32];

	for (i = 0; i <= a->node_count; i++) {
		struct rv_str name = i < a->node_count ? cli_tally_node_name(&e->view.tally, i) : rv_str(NULL, 0);

		if (!a->slots[i])
			continue;
		put_name_of(e, "process_name", i + 1, 0, name.bytes ? name : RV_STR("node unknown"));
		for (slot = 0; slot < a->slots[i]; slot++) {
			(void)snprintf(text, sizeof(text), "slot %u", slot + 1);
			put_name_of(e, "thread_name", i + 1, slot + 1, rv_str_of(text));
			next(e);
			cli_json_str(&e->line, "name", RV_STR("thread_sort_index"));
			put_place(e, "M", i + 1, slot + 1);
			(void)rv_buf_printf(&e->line, ",\"args\":{\"sort_index\":%u}}", slot);
		}
	}
}

/* The colours that both viewers know by name. */
static const char *colour_of(enum cli_attempt_end end)
{
	switch (end) {
	case CLI_ATTEMPT_SUCCEEDED:
		return "good";
	case CLI_ATTEMPT_FAILED:
		return "terrible";
	case CLI_ATTEMPT_RETRIED:
		return "bad";
	case CLI_ATTEMPT_RUNNING:
		return "thread_state_running";
	default:
		return "grey";
	}
}

static void put_attempt(struct cli_export *e, const struct cli_attempt *a)
{
	const struct cli_tally *t = &e->view.tally;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(t, a->unit, room);

	next(e);
	cli_json_str(&e->line, "name", id);
	cli_json_str(&e->line, "cat", a->agent == COORD_NONE ? RV_STR("command") : coord_graph_agent_name(t->graph, a->agent));
	put_place(e, "X", pid_of(&e->attempts, a->node), a->slot + 1);
	cli_json_uint(&e->line, "ts", a->start_us - e->attempts.from_us);
	cli_json_uint(&e->line, "dur", a->end_us - a->start_us);
	cli_json_str(&e->line, "cname", rv_str_of(colour_of((enum cli_attempt_end)a->end)));
	(void)rv_buf_puts(&e->line, ",\"args\":{");
	cli_json_str(&e->line, "unit", id);
	cli_json_uint(&e->line, "attempt", a->number);
	cli_json_str(&e->line, "state", rv_str_of(cli_attempt_end_name((enum cli_attempt_end)a->end)));
	if (a->class)
		cli_json_str(&e->line, "class", rv_str_of(proto_class_name((enum proto_class)a->class)));
	if (a->reason)
		cli_json_str(&e->line, "reason", rv_str_of(proto_reason_name((enum proto_reason)a->reason)));
	if (a->exit >= 0)
		cli_json_int(&e->line, "exit", a->exit);
	if (a->unit < t->count)
		cli_json_uint(&e->line, "slots", coord_graph_cpus(t->graph, a->unit));
	(void)rv_buf_puts(&e->line, "}}");
}

static void put_flow_end(struct cli_export *e, const char *phase, uint64_t id, const struct cli_attempt *a, uint64_t at_us)
{
	next(e);
	cli_json_str(&e->line, "name", RV_STR("dependency"));
	cli_json_str(&e->line, "cat", RV_STR("dependency"));
	put_place(e, phase, pid_of(&e->attempts, a->node), a->slot + 1);
	cli_json_uint(&e->line, "ts", at_us - e->attempts.from_us);
	cli_json_uint(&e->line, "id", id);
	(void)rv_buf_puts(&e->line, *phase == 'f' ? ",\"bp\":\"e\"}" : "}");
}

static void put_flows(struct cli_export *e)
{
	const struct cli_tally *t = &e->view.tally;
	uint32_t i, k;
	uint64_t id = 0;

	if (coord_graph_edge_count(t->graph) > FLOWS_MAX)
		return;
	for (i = 0; i < t->count; i++) {
		const struct cli_attempt *to = e->attempts.last[i] ? cli_attempt_at(&e->attempts, e->attempts.last[i] - 1) : NULL;

		for (k = 0; to && k < coord_graph_dep_count(t->graph, i); k++) {
			uint32_t last = e->attempts.last[coord_graph_dep(t->graph, i, k)];
			const struct cli_attempt *from = last ? cli_attempt_at(&e->attempts, last - 1) : NULL;

			if (!from || from->end_us > to->start_us) /* not the one it waited for, or clocks that differ: an arrow back says nothing */
				continue;
			id++;
			put_flow_end(e, "s", id, from, from->end_us > from->start_us ? from->end_us - 1 : from->end_us); /* inside the slice */
			put_flow_end(e, "f", id, to, to->start_us);
		}
	}
}

static int write_trace(struct cli_export *e, struct rv_err *err)
{
	const struct cli_tally *t = &e->view.tally;
	uint32_t i;

	(void)err;
	rv_buf_reset(&e->line);
	(void)rv_buf_puts(&e->line, "{\"displayTimeUnit\":\"ms\",\"otherData\":{");
	cli_json_str(&e->line, "run", rv_str_of(e->view.id.text));
	cli_json_str(&e->line, "plan", coord_graph_name(t->graph));
	cli_json_str(&e->line, "state", rv_str_of(coord_run_state_name(t->state)));
	cli_json_time(&e->line, "from", e->attempts.from_us);
	cli_json_bool(&e->line, "dependencies", coord_graph_edge_count(t->graph) <= FLOWS_MAX);
	(void)rv_buf_puts(&e->line, "},\"traceEvents\":[\n{\"name\":\"reeve\",\"ph\":\"M\",\"pid\":0,\"tid\":0,\"args\":{}}");
	put_names(e);
	for (i = 0; i < cli_attempts_count(&e->attempts); i++)
		put_attempt(e, cli_attempt_at(&e->attempts, i));
	put_flows(e);
	(void)rv_buf_puts(&e->line, "\n]}\n");
	cli_out_put(&e->out, rv_buf_str(&e->line));
	return 0;
}

const struct cli_export_format cli_export_chrome_trace = {
	.name = "chrome-trace", .summary = "for Perfetto: node = process, slot = thread, an attempt a slice, dependencies arrows", .attempts = true,
	.write = write_trace,
};
