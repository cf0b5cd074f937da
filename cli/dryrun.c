#include "cli/dryrun.h"

#include "cli/cli.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"

#include <stdlib.h>

enum {
	EPOCH = 1, /* of the only coordinator there is */
	EFFECTS = 4096,
	PEER = 1,
	ESTIMATE_US_DEFAULT = 1000000,
};

/* A unit that "runs". */
struct running {
	uint64_t end_us;
	uint64_t order; /* of being handed out: ties end in that order */
	struct proto_attempt_key key;
};

struct dryrun {
	const struct plan *plan;
	const struct coord_graph *graph; /* the core's */
	struct coord *core;
	struct coord_effects effects;
	struct running *heap;
	uint32_t heap_count, heap_capacity;
	struct proto_attempt_key *fresh; /* handed out and not said to be taken yet */
	uint32_t fresh_count;
	uint64_t now_us, order;
	uint32_t started;
	bool finished;
	bool failed;                     /* no memory */
	struct cli_table table;
	struct rv_buf json;
	enum cli_format format;
};

/* --- a heap of what runs, by end -------------------------------------------------------------------------------------- */

static bool before(const struct running *a, const struct running *b)
{
	return a->end_us != b->end_us ? a->end_us < b->end_us : a->order < b->order;
}

static void push(struct dryrun *d, struct running item)
{
	uint32_t at = d->heap_count;

	if (d->heap_count == d->heap_capacity) {
		uint32_t capacity = d->heap_capacity ? d->heap_capacity * 2 : 64;
		struct running *heap = realloc(d->heap, capacity * sizeof *heap);

		if (!heap) {
			d->failed = true;
			return;
		}
		d->heap = heap;
		d->heap_capacity = capacity;
	}
	d->heap_count++;
	for (; at && before(&item, &d->heap[(at - 1) / 2]); at = (at - 1) / 2)
		d->heap[at] = d->heap[(at - 1) / 2];
	d->heap[at] = item;
}

static struct running pop(struct dryrun *d)
{
	struct running first = d->heap[0], last = d->heap[--d->heap_count];
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < d->heap_count) {
		if (child + 1 < d->heap_count && before(&d->heap[child + 1], &d->heap[child]))
			child++;
		if (!before(&d->heap[child], &last))
			break;
		d->heap[at] = d->heap[child];
		at = child;
	}
	d->heap[at] = last;
	return first;
}

/* --- the core, stepped --------------------------------------------------------------------------------------------------- */

static void show_start(struct dryrun *d, uint32_t unit, uint64_t takes_us)
{
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = unit == coord_graph_unit_count(d->graph) ? rv_str_of(PLAN_VERIFY_ID) : coord_graph_unit_id(d->graph, unit, room);

	d->started++;
	if (d->format == CLI_JSON || d->format == CLI_JSONL) {
		cli_json_comma(&d->json);
		(void)rv_buf_putc(&d->json, '{');
		cli_json_str(&d->json, "id", id);
		cli_json_ms(&d->json, "start_ms", d->now_us);
		cli_json_ms(&d->json, "duration_ms", takes_us);
		(void)rv_buf_putc(&d->json, '}');
		if (d->format == CLI_JSONL)
			(void)rv_buf_putc(&d->json, '\n');
		return;
	}
	struct rv_buf text;

	rv_buf_init(&text, 0);
	cli_table_cellf(&d->table, "%u", d->started);
	cli_put_duration(&text, d->now_us);
	cli_table_cell(&d->table, rv_buf_str(&text));
	cli_table_cell(&d->table, id);
	rv_buf_reset(&text);
	cli_put_duration(&text, takes_us);
	cli_table_cell(&d->table, rv_buf_str(&text));
	rv_buf_release(&text);
}

static uint64_t estimate(const struct dryrun *d, uint32_t unit)
{
	uint64_t us;

	if (unit == coord_graph_unit_count(d->graph))
		return ESTIMATE_US_DEFAULT;
	us = d->plan->units[coord_graph_template(d->graph, unit)].estimate_us;
	return us == PLAN_ESTIMATE_NONE ? ESTIMATE_US_DEFAULT : us;
}

static void perform(struct dryrun *d)
{
	for (uint32_t i = 0; i < d->effects.count; i++) {
		const struct coord_effect *fx = &d->effects.items[i];
		uint64_t takes;

		if (fx->kind == COORD_FX_RUN_FINISHED)
			d->finished = true;
		if (fx->kind != COORD_FX_DISPATCH)
			continue;
		takes = estimate(d, fx->dispatch.key.unit);
		show_start(d, fx->dispatch.key.unit, takes);
		push(d, (struct running){ .end_us = d->now_us + takes, .order = d->order++, .key = fx->dispatch.key });
		d->fresh[d->fresh_count++] = fx->dispatch.key;
	}
}

static void step(struct dryrun *d, struct coord_event ev)
{
	ev.now_us = d->now_us;
	ev.real_us = d->now_us;
	ev.peer = PEER;
	do {
		d->effects.count = 0;
		d->effects.again = false;
		coord_step(d->core, &ev, &d->effects);
		perform(d);
		ev.kind = COORD_EV_AGAIN;
	} while (d->effects.again && !d->failed);
}

static void join(struct dryrun *d, const struct node_daemon_config *node)
{
	struct proto_hello hello = { .last = true };
	struct coord_event ev = { .kind = COORD_EV_HELLO };

	hello.node.name = node->name;
	memcpy(hello.node.key, node->key, sizeof hello.node.key);
	hello.node.incarnation = 1;
	hello.node.slots = node->slots;
	hello.node.agent_slots = node->agent_slots;
	hello.node.labels = node->labels;
	hello.node.label_count = node->label_count;
	hello.node.resources = node->resources;
	hello.node.resource_count = node->resource_count;
	hello.node.kill_level = RV_STR("none");
	ev.hello = &hello;
	step(d, ev);
}

static void succeed(struct dryrun *d, struct proto_attempt_key key, uint64_t takes_us)
{
	struct proto_result result = {
		.epoch = EPOCH,
		.key = key,
		.outcome = PROTO_SUCCEEDED,
		.flags = PROTO_RESULT_STARTED,
		.start_us = d->now_us - takes_us,
		.end_us = d->now_us,
		.duration_us = takes_us,
	};
	struct coord_event ev = { .kind = COORD_EV_RESULT };

	ev.result = &result;
	step(d, ev);
}

/* Time flies here: the node has to say that it is there, and that it has what it was sent, or both would be given up. */
static void turn(struct dryrun *d)
{
	struct proto_heartbeat beat = { .session = 1, .n = d->order };
	struct coord_event alive = { .kind = COORD_EV_HEARTBEAT, .heartbeat = &beat };
	struct coord_event place = { .kind = COORD_EV_TURN };

	step(d, alive);
	step(d, place);
	while (d->fresh_count) {
		struct coord_event taken = { .kind = COORD_EV_TAKEN, .key = d->fresh[--d->fresh_count] };

		step(d, taken);
	}
}

/* What ends at one instant ends before anything new is placed, as results of one batch do. */
static void play(struct dryrun *d)
{
	turn(d);
	while (d->heap_count && !d->finished && !d->failed) {
		d->now_us = d->heap[0].end_us;
		while (d->heap_count && d->heap[0].end_us == d->now_us) {
			struct running r = pop(d);

			succeed(d, r.key, estimate(d, r.key.unit));
		}
		turn(d);
	}
}

static int open_core(struct dryrun *d, const struct node_daemon_config *node, struct rv_err *err)
{
	struct coord_config cfg;
	struct coord_event serving = { .kind = COORD_EV_SERVING };
	struct coord_event accepted = { .kind = COORD_EV_RUN_ACCEPTED };
	struct proto_fact fact = { .kind = PROTO_FACT_RUN_ACCEPTED };

	coord_config_init(&cfg);
	cfg.nodes_max = 1;
	cfg.runs_max = 1;
	cfg.attempts_max = (uint32_t)rv_min_u64(RV_ATTEMPTS_LIVE_MAX, node->slots + node->agent_slots + 16);
	cfg.prefetch_us = 0; /* a prefetched unit would look as if it started */
	d->core = coord_create(&cfg);
	d->effects.items = malloc(EFFECTS * sizeof *d->effects.items);
	d->effects.capacity = EFFECTS;
	d->fresh = malloc(cfg.attempts_max * sizeof *d->fresh);
	if (!d->core || !d->effects.items || !d->fresh)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a dry run");
	serving.serving.epoch = EPOCH;
	step(d, serving);
	join(d, node);
	fact.run_accepted.run = 1;
	fact.run_accepted.name = d->plan->name;
	fact.run_accepted.units = (uint32_t)d->plan->instance_count;
	accepted.run_accepted.fact = &fact;
	if (coord_graph_build(d->plan, 1, NULL, &accepted.run_accepted.graph, err) < 0)
		return -1;
	d->graph = accepted.run_accepted.graph;
	if (coord_admit_run(d->core, d->graph, err) < 0) {
		coord_graph_destroy(&accepted.run_accepted.graph);
		return -1;
	}
	step(d, accepted);
	return 0;
}

static int answer(struct dryrun *d)
{
	struct rv_buf out;
	int status;

	rv_buf_init(&out, 0);
	if (d->format == CLI_JSON) {
		(void)rv_buf_puts(&out, "{\"schema\":\"reeve.dryrun/1\"");
		cli_json_str(&out, "name", d->plan->name);
		cli_json_uint(&out, "total", d->plan->instance_count);
		cli_json_ms(&out, "duration_ms", d->now_us);
		cli_json_key(&out, "units");
		(void)rv_buf_printf(&out, "[%s]}\n", d->json.at);
	} else if (d->format == CLI_JSONL) {
		(void)rv_buf_put_str(&out, rv_buf_str(&d->json));
	} else {
		cli_table_print(&d->table, &out);
		(void)rv_buf_printf(&out, "%u unit%s would be started, over ", d->started, cli_s(d->started));
		cli_put_duration(&out, d->now_us);
		(void)rv_buf_puts(&out, " if each takes its estimate; nothing was run\n");
	}
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}

int cli_dryrun(const struct plan *p, const struct node_daemon_config *node, enum cli_format format)
{
	static const struct cli_column columns[] = {
		{ "#", CLI_RIGHT, false }, { "AT", CLI_RIGHT, false }, { "UNIT", CLI_LEFT, false }, { "TAKES", CLI_RIGHT, false },
	};
	struct dryrun d = { .plan = p, .format = format };
	struct rv_err err = { 0 };
	int status;

	cli_table_init(&d.table, columns, RV_ARRAY_LEN(columns), format);
	rv_buf_init(&d.json, 0);
	if (open_core(&d, node, &err) < 0) {
		status = cli_fail(&err);
	} else {
		play(&d);
		status = d.failed ? cli_failf(RV_E_NO_MEMORY, "no memory for a dry run") : answer(&d);
	}
	coord_destroy(&d.core);
	free(d.effects.items);
	free(d.heap);
	free(d.fresh);
	cli_table_release(&d.table);
	rv_buf_release(&d.json);
	return status;
}
