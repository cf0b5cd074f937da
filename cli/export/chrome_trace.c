/* chrome_trace.c - `export chrome-trace`: the Trace Event Format, for Perfetto (ui.perfetto.dev) and chrome://tracing
 *
 * A node is a process, a slot a thread, an attempt a complete event ("X"), a dependency a flow from the end of one to the start of the other.
 * Times are microseconds since the first thing of the run. Numbers of threads are those of slots, from 1. Processes are counted on from a
 * number that no slot has: Perfetto takes a thread with its process' number for the main one and shows it first; 0 it takes for the idle process.
 *
 * What took no time it stacks, to 512 deep, and an arrow goes to whatever lies on top. So every slice lasts a nanosecond at least, and those of a
 * slot follow each other: times are whole microseconds but where that moved them.
 */
#include "cli/export/export.h"

#include "cli/render.h"

#include <stdio.h>
#include <stdlib.h>

#define FLOWS_MAX 200000u /* more edges than this: no arrows, since no viewer shows them */

/* Where a slice stands, in nanoseconds since the first thing of the run; end > start. */
struct span {
	uint64_t start_ns, end_ns;
};

struct trace {
	struct cli_export *e;
	struct span *spans; /* by attempt */
	uint32_t base;      /* node 0 is process base + 1 */
	bool begun;         /* an event was written */
};

/* 100, or the next power of ten that no slot is above: round, so that process 101 reads as the first node. */
static uint32_t base_of(const struct cli_attempts *a)
{
	uint32_t i, base = 100;

	for (i = 0; i <= a->node_count; i++)
		while (a->slots[i] > base)
			base *= 10;
	return base;
}

static uint32_t place_of(const struct cli_attempts *a, uint32_t node)
{
	return node == COORD_NONE ? a->node_count : node;
}

static uint32_t pid_of(const struct trace *t, uint32_t node)
{
	return t->base + 1 + place_of(&t->e->attempts, node);
}

/* Attempts come by start, and those of a slot do not overlap. */
static int find_spans(struct trace *t, struct rv_err *err)
{
	const struct cli_attempts *a = &t->e->attempts;
	uint32_t i, count = cli_attempts_count(a);
	size_t *first = malloc(((size_t)a->node_count + 1) * sizeof(*first)), slots = 0; /* of a node, in `until` */
	uint64_t *until = NULL;
	int rc = -1;

	for (i = 0; first && i <= a->node_count; i++) {
		first[i] = slots;
		slots += a->slots[i];
	}
	until = calloc(slots + 1, sizeof(*until));
	t->spans = malloc(((size_t)count + 1) * sizeof(*t->spans));
	if (!first || !until || !t->spans) {
		rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for the times of %u attempts", count);
		goto out;
	}
	for (i = 0; i < count; i++) {
		const struct cli_attempt *row = cli_attempt_at(a, i);
		uint64_t *free_at = &until[first[place_of(a, row->node)] + row->slot];
		uint64_t start = rv_max_u64((row->start_us - a->from_us) * 1000, *free_at);

		*free_at = rv_max_u64((row->end_us - a->from_us) * 1000, start + 1);
		t->spans[i] = (struct span){ .start_ns = start, .end_ns = *free_at };
	}
	rc = 0;
out:
	free(first);
	free(until);
	return rc;
}

static void next(struct trace *t)
{
	cli_out_put(&t->e->out, rv_buf_str(&t->e->line));
	rv_buf_reset(&t->e->line);
	(void)rv_buf_puts(&t->e->line, t->begun ? ",\n{" : "\n{");
	t->begun = true;
}

static void put_place(struct cli_export *e, const char *phase, uint32_t pid, uint32_t tid)
{
	cli_json_str(&e->line, "ph", rv_str_of(phase));
	cli_json_uint(&e->line, "pid", pid);
	cli_json_uint(&e->line, "tid", tid);
}

static void put_time(struct cli_export *e, const char *key, uint64_t ns)
{
	cli_json_uint(&e->line, key, ns / 1000);
	if (ns % 1000)
		(void)rv_buf_printf(&e->line, ".%03u", (unsigned)(ns % 1000));
}

/* An event that says something of a process or thread; its `args` are left open. */
static void put_meta(struct trace *t, const char *name, uint32_t pid, uint32_t tid)
{
	next(t);
	cli_json_str(&t->e->line, "name", rv_str_of(name));
	put_place(t->e, "M", pid, tid);
	(void)rv_buf_puts(&t->e->line, ",\"args\":{");
}

static void put_names(struct trace *t)
{
	struct cli_export *e = t->e;
	const struct cli_attempts *a = &e->attempts;
	uint32_t i, slot;
	char text[32];

	for (i = 0; i <= a->node_count; i++) {
		struct rv_str name = i < a->node_count ? cli_tally_node_name(&e->view.tally, i) : rv_str(NULL, 0);
		uint32_t pid = pid_of(t, i);

		if (!a->slots[i])
			continue;
		put_meta(t, "process_name", pid, 1); /* its first slot's: any other number becomes a thread of its own */
		cli_json_str(&e->line, "name", name.bytes ? name : RV_STR("node unknown"));
		(void)rv_buf_puts(&e->line, "}}");
		put_meta(t, "process_sort_index", pid, 1);
		cli_json_uint(&e->line, "sort_index", i);
		(void)rv_buf_puts(&e->line, "}}");
		for (slot = 0; slot < a->slots[i]; slot++) {
			(void)snprintf(text, sizeof(text), "slot %u", slot + 1);
			put_meta(t, "thread_name", pid, slot + 1);
			cli_json_str(&e->line, "name", rv_str_of(text));
			(void)rv_buf_puts(&e->line, "}}");
			put_meta(t, "thread_sort_index", pid, slot + 1);
			cli_json_uint(&e->line, "sort_index", slot);
			(void)rv_buf_puts(&e->line, "}}");
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

static void put_attempt(struct trace *trace, uint32_t i)
{
	struct cli_export *e = trace->e;
	const struct cli_tally *t = &e->view.tally;
	const struct cli_attempt *a = cli_attempt_at(&e->attempts, i);
	const struct span *span = &trace->spans[i];
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(t, a->unit, room);

	next(trace);
	cli_json_str(&e->line, "name", id);
	cli_json_str(&e->line, "cat", a->agent == COORD_NONE ? RV_STR("command") : coord_graph_agent_name(t->graph, a->agent));
	put_place(e, "X", pid_of(trace, a->node), a->slot + 1);
	put_time(e, "ts", span->start_ns);
	put_time(e, "dur", span->end_ns - span->start_ns);
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

static void put_flow_end(struct trace *t, const char *phase, uint64_t id, uint32_t i, uint64_t at_ns)
{
	struct cli_export *e = t->e;
	const struct cli_attempt *a = cli_attempt_at(&e->attempts, i);

	next(t);
	cli_json_str(&e->line, "name", RV_STR("dependency"));
	cli_json_str(&e->line, "cat", RV_STR("dependency"));
	put_place(e, phase, pid_of(t, a->node), a->slot + 1);
	put_time(e, "ts", at_ns);
	cli_json_uint(&e->line, "id", id);
	(void)rv_buf_puts(&e->line, *phase == 'f' ? ",\"bp\":\"e\"}" : "}");
}

static void put_flows(struct trace *trace)
{
	const struct cli_tally *t = &trace->e->view.tally;
	const uint32_t *last = trace->e->attempts.last;
	uint32_t i, k;
	uint64_t id = 0;

	if (coord_graph_edge_count(t->graph) > FLOWS_MAX)
		return;
	for (i = 0; i < t->count; i++) {
		for (k = 0; last[i] && k < coord_graph_dep_count(t->graph, i); k++) {
			uint32_t dep = coord_graph_dep(t->graph, i, k);
			const struct span *to = &trace->spans[last[i] - 1], *from = last[dep] ? &trace->spans[last[dep] - 1] : NULL;

			if (!from || from->end_ns > to->start_ns) /* not the one it waited for, or clocks that differ: an arrow back says nothing */
				continue;
			id++;
			put_flow_end(trace, "s", id, last[dep] - 1, from->end_ns - from->start_ns > 1000 ? from->end_ns - 1000 : from->start_ns); /* inside it */
			put_flow_end(trace, "f", id, last[i] - 1, to->start_ns);
		}
	}
}

static int write_trace(struct cli_export *e, struct rv_err *err)
{
	const struct cli_tally *t = &e->view.tally;
	struct trace trace = { .e = e, .base = base_of(&e->attempts) };
	uint32_t i;

	if (find_spans(&trace, err)) {
		free(trace.spans);
		return -1;
	}
	rv_buf_reset(&e->line);
	(void)rv_buf_puts(&e->line, "{\"displayTimeUnit\":\"ms\",\"otherData\":{");
	cli_json_str(&e->line, "run", rv_str_of(e->view.id.text));
	cli_json_str(&e->line, "plan", coord_graph_name(t->graph));
	cli_json_str(&e->line, "state", rv_str_of(coord_run_state_name(t->state)));
	cli_json_time(&e->line, "from", e->attempts.from_us);
	cli_json_bool(&e->line, "dependencies", coord_graph_edge_count(t->graph) <= FLOWS_MAX);
	(void)rv_buf_puts(&e->line, "},\"traceEvents\":[");
	put_names(&trace);
	for (i = 0; i < cli_attempts_count(&e->attempts); i++)
		put_attempt(&trace, i);
	put_flows(&trace);
	(void)rv_buf_puts(&e->line, "\n]}\n");
	cli_out_put(&e->out, rv_buf_str(&e->line));
	free(trace.spans);
	return 0;
}

const struct cli_export_format cli_export_chrome_trace = {
	.name = "chrome-trace", .summary = "for Perfetto: node = process, slot = thread, an attempt a slice, dependencies arrows", .attempts = true,
	.write = write_trace,
};
