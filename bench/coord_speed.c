/* coord_speed.c - the coordinator's core alone: units scheduled and finished a second, memory a unit
 *
 *	make build/release/bench/coord_speed && build/release/bench/coord_speed [UNITS [SLOTS [once|for_each|nodes [DURATION_US]]]]
 *
 * One node (`nodes`: 1, 100, 1,000, with one result a turn each) without a network takes every DISPATCH and answers STARTED and succeeded by a RESULT, in batches as a socket would
 * bring them. Time is the CPU time of this process. Nothing is encoded and nothing written: what is measured is deciding. Figures go to docs/performance.md.
 */
#include "common/prng.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"
#include "tests/lib/plan_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define EFFECTS 16384u

static uint64_t duration_us = 1; /* of every unit, as the node says */

static uint32_t node_count = 1, a_turn = 256; /* nodes, results between two turns */

/* Who was sent what: a ring. */
struct held {
	struct proto_attempt_key key;
	uint64_t peer;
};

struct bench {
	struct coord *c;
	struct coord_effect *items;
	struct held *held; /* dispatched, not answered: a ring */
	uint32_t first, count, room;
	uint64_t now_us, finished, effects;
	bool done;
};

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void step(struct bench *b, struct coord_event *ev)
{
	struct coord_effects out = { .items = b->items, .capacity = EFFECTS };

	do {
		ev->now_us = ev->real_us = b->now_us;
		out.count = 0;
		coord_step(b->c, ev, &out);
		b->effects += out.count;
		for (uint32_t i = 0; i < out.count; i++) {
			if (out.items[i].kind == COORD_FX_DISPATCH)
				b->held[(b->first + b->count++) % b->room] = (struct held){ out.items[i].dispatch.key, out.items[i].peer };
			else if (out.items[i].kind == COORD_FX_RUN_FINISHED)
				b->done = true;
		}
		*ev = (struct coord_event){ .kind = COORD_EV_AGAIN };
	} while (out.again);
}

static void answer(struct bench *b, uint32_t n)
{
	struct proto_result res = { .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED, .duration_us = duration_us };
	struct coord_event ev;

	for (; n; n--) {
		res.key = b->held[b->first].key;
		ev = (struct coord_event){ .kind = COORD_EV_RESULT, .peer = b->held[b->first].peer, .result = &res };
		b->first = (b->first + 1) % b->room;
		b->count--;
		step(b, &ev);
		b->finished++;
	}
}

static void join(struct bench *b, uint32_t node, uint32_t slots)
{
	struct proto_hello hello = { .last = true, .node = { .slots = slots, .agent_slots = slots } };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = node + 1, .hello = &hello };
	char name[16];

	hello.node.name = rv_str(name, (size_t)snprintf(name, sizeof(name), "n%u", node));
	memcpy(hello.node.key, &node, sizeof(node));
	step(b, &ev);
}

static void run(struct bench *b, struct coord_graph *g, uint32_t slots, const char *name)
{
	struct coord_config cfg;
	struct proto_fact accepted = { .kind = PROTO_FACT_RUN_ACCEPTED, .run_accepted = { .run = 1 } };
	struct coord_event ev = { .kind = COORD_EV_SERVING, .serving = { .epoch = 1 } };
	uint32_t units = coord_graph_unit_count(g);
	double start, took;

	coord_config_init(&cfg);
	cfg.nodes_max = node_count;
	b->c = coord_create(&cfg);
	b->room = cfg.attempts_max;
	b->held = calloc(b->room, sizeof(*b->held));
	b->items = calloc(EFFECTS, sizeof(*b->items));
	b->now_us = 1000000;
	step(b, &ev);
	for (uint32_t i = 0; i < node_count; i++)
		join(b, i, slots);
	start = seconds();
	ev = (struct coord_event){ .kind = COORD_EV_RUN_ACCEPTED, .run_accepted = { .graph = g, .fact = &accepted } };
	step(b, &ev);
	while (!b->done) {
		b->now_us += a_turn < 100 ? a_turn : 100;
		ev = (struct coord_event){ .kind = COORD_EV_TURN };
		step(b, &ev);
		if (!b->count && !b->done) {
			fprintf(stderr, "%s: nothing can be placed\n", name);
			exit(1);
		}
		answer(b, b->count < a_turn ? b->count : a_turn);
	}
	took = seconds() - start;
	printf("%-28s %9u units %4u x %5u slots %8.3f s %10.0f units/s %7.0f ns/unit %5.1f effects/unit %6.0f B/unit\n", name, units, node_count, slots, took,
	       units / took, took * 1e9 / units, (double)b->effects / units, (double)coord_graph_bytes(coord_run_graph(b->c, 1)) / units);
	(void)fflush(stdout);
	coord_destroy(&b->c);
	free(b->held);
	free(b->items);
	*b = (struct bench){ 0 };
}

static void random_graph(struct plan_build *p, uint32_t units)
{
	struct rv_prng r;
	uint32_t deps[3];

	rv_prng_seed(&r, 1);
	plan_build_init(p);
	for (uint32_t i = 0; i < units; i++) {
		uint32_t n = 0;

		for (uint32_t k = 0; k < 3 && i > 3; k++) {
			uint32_t d = (uint32_t)rv_prng_below(&r, i);

			if ((n > 0 && deps[0] == d) || (n > 1 && deps[1] == d))
				continue;
			deps[n++] = d;
		}
		(void)plan_build_numbered(p, deps, n, i ? 0 : PLAN_NONE);
	}
}

static void measure_random(uint32_t units, uint32_t slots)
{
	struct plan_build p;
	struct coord_graph *g;
	struct bench b = { 0 };
	double start;

	random_graph(&p, units);
	start = seconds();
	g = plan_build_graph(&p, 1);
	if (units >= 100000)
		printf("%-28s %9u units built in %.3f s\n", "random, 3 deps", units, seconds() - start);
	plan_build_release(&p);
	run(&b, g, slots, "random, 3 deps");
}

static void measure_for_each(uint32_t units, uint32_t slots)
{
	struct plan_build p;
	struct coord_graph *g;
	struct bench b = { 0 };
	double start = seconds();

	plan_build_init(&p);
	plan_build_for_each(&p, "x", units, "");
	g = plan_build_graph(&p, 1);
	printf("%-28s %9u units built in %.3f s\n", "for_each", units, seconds() - start);
	plan_build_release(&p);
	run(&b, g, slots, "for_each");
}

/* `blocked` units wait for one directory, which one of them holds at a time; the others go on beside them. */
static void measure_blocked(uint32_t units, uint32_t blocked, uint32_t slots)
{
	struct plan_build p;
	struct coord_graph *g;
	struct bench b = { 0 };

	plan_build_init(&p);
	p.plan.workspace.overlap = PLAN_OVERLAP_SERIALIZE;
	if (blocked) {
		plan_build_for_each(&p, "wait", blocked, "");
		plan_build_dirs(&p, "wait", "src/one");
		plan_build_settings(&p, "wait")->priority = 1;
	}
	plan_build_for_each(&p, "go", units, "");
	g = plan_build_graph(&p, 1);
	plan_build_release(&p);
	run(&b, g, slots, blocked ? "for_each, some blocked" : "for_each, none blocked");
}

int main(int argc, char **argv)
{
	uint32_t units = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	uint32_t slots = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 64;

	if (argc > 4)
		duration_us = strtoull(argv[4], NULL, 10);
	if (argc > 3 && argv[3][0] == 'n') {
		a_turn = 1;
		for (node_count = 1; node_count <= 1000; node_count = node_count == 1 ? 100 : node_count * 10)
			measure_for_each(units, slots);
		return 0;
	}
	if (argc > 3 && argv[3][0] == 'f') {
		measure_for_each(units, slots);
		return 0;
	}
	if (argc > 3) { /* one graph, for a profiler */
		measure_random(units, slots);
		return 0;
	}
	for (uint32_t n = 1000; n <= units; n *= 10)
		measure_random(n, slots);
	for (uint32_t n = 1000; n <= units; n *= 10)
		measure_for_each(n, slots);
	measure_blocked(units / 2, 0, slots);
	measure_blocked(units / 2, units / 10, slots);
	return 0;
}
