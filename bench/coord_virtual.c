/* coord_virtual.c - scheduling quality: the real core in virtual time
 *
 *	coord_virtual PLAN SLOTS [bare]
 *
 * Reads a plan whose units have estimates (`reeve import dag` writes one), runs it on one node of SLOTS slots in which every unit
 * takes exactly its estimate and messages take no time, and prints the makespan in seconds. The node starts what it was sent in the
 * order it came, as a warden does, so what prefetch costs is in the figure; `bare`: without prefetch. Units that need more
 * slots than there are take all of them. bench/run_virtual.py compares with data/dags/bounds.json.
 */
#include "common/heap.h"
#include "common/plan/diag.h"
#include "common/plan/plan.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"

#include <stdio.h>
#include <stdlib.h>

#define EFFECTS 16384u

struct world {
	struct coord *c;
	struct plan *plan;
	struct coord_graph *graph;
	struct coord_effect *items;
	uint64_t now_us, busy_us;
	uint32_t slots, free;
	uint32_t *queue, queue_first, queue_last, told; /* units sent and not started; each once */
	struct rv_heap running;                   /* units by their end */
	uint64_t sequence;
	uint32_t finished;
	bool done;
};

static uint64_t takes(const struct world *w, uint32_t unit)
{
	uint64_t us = w->plan->units[coord_graph_template(w->graph, unit)].estimate_us;

	return us == PLAN_ESTIMATE_NONE ? 1000000 : us;
}

static void step(struct world *w, struct coord_event *ev)
{
	struct coord_effects out = { .items = w->items, .capacity = EFFECTS };

	do {
		ev->now_us = ev->real_us = w->now_us;
		out.count = 0;
		coord_step(w->c, ev, &out);
		for (uint32_t i = 0; i < out.count; i++) {
			if (out.items[i].kind == COORD_FX_DISPATCH)
				w->queue[w->queue_last++] = out.items[i].dispatch.key.unit;
			else if (out.items[i].kind == COORD_FX_RUN_FINISHED)
				w->done = out.items[i].run_finished.state == COORD_RUN_SUCCEEDED;
		}
		*ev = (struct coord_event){ .kind = COORD_EV_AGAIN };
	} while (out.again);
}

static void turn(struct world *w)
{
	struct proto_heartbeat hb = { .session = 1, .n = w->sequence };
	struct coord_event ev = { .kind = COORD_EV_HEARTBEAT, .peer = 1, .heartbeat = &hb };

	step(w, &ev); /* or it would be suspected: time flies here */
	ev = (struct coord_event){ .kind = COORD_EV_TURN };
	step(w, &ev);
	for (; w->told < w->queue_last; w->told++) {
		ev = (struct coord_event){ .kind = COORD_EV_TAKEN, .peer = 1, .key = { 1, w->queue[w->told], 1 } };
		step(w, &ev);
	}
	while (w->queue_first < w->queue_last) {
		uint32_t unit = w->queue[w->queue_first], need = (uint32_t)coord_graph_cpus(w->graph, unit);

		if (need > w->free)
			break;
		w->free -= need;
		w->busy_us += takes(w, unit) * need;
		w->queue_first++;
		rv_heap_set(&w->running, unit, w->now_us + takes(w, unit), w->sequence++);
	}
}

/* Everything that ends at the next moment ends together, as one batch of results. */
static void advance(struct world *w)
{
	const struct rv_heap_item *first = rv_heap_first(&w->running);

	if (!first) {
		fprintf(stderr, "coord_virtual: nothing runs and nothing is placed\n");
		exit(1);
	}
	w->now_us = first->key;
	while ((first = rv_heap_first(&w->running)) && first->key == w->now_us) {
		uint32_t unit = first->value;
		struct proto_result res = { .key = { 1, unit, 1 }, .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED,
					    .duration_us = takes(w, unit) };
		struct coord_event ev = { .kind = COORD_EV_RESULT, .peer = 1, .result = &res };

		rv_heap_remove(&w->running, unit);
		w->free += (uint32_t)coord_graph_cpus(w->graph, unit);
		w->finished++;
		step(w, &ev);
	}
}

static void clamp_slots(struct world *w)
{
	for (uint32_t i = 0; i < w->plan->settings_count; i++) {
		struct plan_settings *s = (struct plan_settings *)(uintptr_t)w->plan->settings[i]; /* our own plan, before its use */

		if (s->slots > w->slots)
			s->slots = w->slots;
	}
}

static void load(struct world *w, const char *path)
{
	struct plan_diags diags;
	struct rv_err err;

	plan_diags_init(&diags);
	if (plan_load_file(path, NULL, &w->plan, &diags, &err) < 0) {
		fprintf(stderr, "coord_virtual: %s\n", err.msg);
		exit(2);
	}
	plan_diags_release(&diags);
	clamp_slots(w);
	if (coord_graph_build(w->plan, 1, NULL, &w->graph, &err) < 0) {
		fprintf(stderr, "coord_virtual: %s\n", err.msg);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct world w = { 0 };
	struct coord_config cfg;
	struct proto_fact accepted = { .kind = PROTO_FACT_RUN_ACCEPTED, .run_accepted = { .run = 1 } };
	struct proto_hello hello = { .last = true, .node = { .name = RV_STR("n1") } };
	struct coord_event ev = { .kind = COORD_EV_SERVING, .serving = { .epoch = 1 } };
	uint32_t n;

	if (argc < 3) {
		fprintf(stderr, "usage: coord_virtual PLAN SLOTS [bare]\n");
		return 2;
	}
	w.slots = w.free = (uint32_t)strtoul(argv[2], NULL, 10);
	load(&w, argv[1]);
	n = coord_graph_unit_count(w.graph);
	coord_config_init(&cfg);
	if (argc > 3)
		cfg.prefetch_us = 0;
	w.c = coord_create(&cfg);
	w.items = calloc(EFFECTS, sizeof(*w.items));
	w.queue = calloc(n + 1, sizeof(*w.queue));
	rv_heap_init(&w.running, calloc(n + 1, sizeof(struct rv_heap_item)), calloc(n + 1, sizeof(uint32_t)), n + 1);
	w.now_us = 1000000;
	step(&w, &ev);
	hello.node.slots = hello.node.agent_slots = w.slots;
	ev = (struct coord_event){ .kind = COORD_EV_HELLO, .peer = 1, .hello = &hello };
	step(&w, &ev);
	ev = (struct coord_event){ .kind = COORD_EV_RUN_ACCEPTED, .run_accepted = { .graph = w.graph, .fact = &accepted } };
	step(&w, &ev);
	while (!w.done && w.finished < n) {
		turn(&w);
		advance(&w);
	}
	turn(&w);
	printf("%.6f\n", (double)(w.now_us - 1000000) / 1e6);
	return w.done ? 0 : 1;
}
