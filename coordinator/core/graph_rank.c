/* graph_rank.c - the order in which ready units go: priority, longest remaining path, place in the plan
 *
 * Fixed when the run is accepted, so that a ready queue is a set of ranks. Instances of a template stand side by side:
 * ranks are made for templates and counted out to units.
 */
#include "coordinator/core/build.h"

#include <stdlib.h>

#define ESTIMATE_DEFAULT_US RV_US_PER_S

static int no_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for the run's tables");
}

static void set_estimates(struct coord_build *b)
{
	for (uint32_t t = 0; t < b->g->tmpl_count; t++) {
		struct coord_tmpl_more *tm = &b->g->more[t];
		uint64_t given = coord_build_unit(b, t)->estimate_us;
		uint64_t learned = b->estimates_us && t < b->plan->unit_count ? b->estimates_us[t] : 0;

		tm->estimate_us = ESTIMATE_DEFAULT_US;
		if (given != PLAN_ESTIMATE_NONE)
			tm->estimate_us = given;
		else if (learned)
			tm->estimate_us = learned;
		if (given != PLAN_ESTIMATE_NONE || learned)
			b->g->tmpls[t].flags |= COORD_TMPL_ESTIMATED;
		b->g->estimated |= b->g->tmpls[t].flags & COORD_TMPL_ESTIMATED;
	}
}

static uint32_t target_tmpl(const struct coord_graph *g, uint32_t edge)
{
	return edge & COORD_EDGE_GATE ? edge & ~COORD_EDGE_GATE : g->units[edge].tmpl;
}

/* Templates with dependencies before dependents (Kahn). */
static uint32_t topological_order(const struct coord_graph *g, uint32_t *order, uint32_t *left)
{
	uint32_t head = 0, tail = 0;

	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		left[t] = g->tmpls[t].in_count + (g->tmpls[t].same_as != COORD_NONE);
		if (!left[t])
			order[tail++] = t;
	}
	while (head < tail) {
		const struct coord_tmpl *tm = &g->tmpls[order[head++]];

		for (uint32_t i = 0; i < tm->out_count; i++) {
			uint32_t to = target_tmpl(g, g->out[tm->out_first + i]);

			if (--left[to] == 0)
				order[tail++] = to;
		}
		for (uint32_t to = tm->pair_first; to != COORD_NONE; to = g->tmpls[to].pair_next)
			if (--left[to] == 0)
				order[tail++] = to;
	}
	return tail;
}

static void set_paths(struct coord_graph *g, const uint32_t *order)
{
	for (uint32_t i = g->tmpl_count; i-- > 0;) {
		struct coord_tmpl *tm = &g->tmpls[order[i]];
		uint64_t longest = 0;

		for (uint32_t k = 0; k < tm->out_count; k++)
			longest = rv_max_u64(longest, g->more[target_tmpl(g, g->out[tm->out_first + k])].path_us);
		for (uint32_t to = tm->pair_first; to != COORD_NONE; to = g->tmpls[to].pair_next)
			longest = rv_max_u64(longest, g->more[to].path_us);
		g->more[order[i]].path_us = rv_sat_add(g->more[order[i]].estimate_us, longest);
	}
}

struct rank_key {
	uint64_t path_us;
	int32_t priority;
	uint32_t tmpl;
};

static int compare_keys(const void *a, const void *b)
{
	const struct rank_key *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	if (x->path_us != y->path_us)
		return x->path_us > y->path_us ? -1 : 1;
	return x->tmpl < y->tmpl ? -1 : 1;
}

/* Counts ranks out to units, class by class. */
static void set_ranks(struct coord_graph *g, const struct rank_key *keys)
{
	for (uint32_t i = 0; i < g->tmpl_count; i++) {
		struct coord_tmpl *tm = &g->tmpls[keys[i].tmpl];
		struct coord_class *c = &g->classes[g->more[keys[i].tmpl].class];

		for (uint32_t k = 0; k < tm->count; k++) {
			struct coord_unit *u = &g->units[tm->first + k];

			u->rank = g->ranks++;
			u->local = c->unit_count++;
			c->order[u->local] = (struct coord_place){ tm->first + k, u->rank };
		}
	}
}

/* Rows of dependents in the order of ranks, which is about the order in which they are read. */
static int order_rows(struct coord_build *b, const struct rank_key *keys, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	uint32_t total = 0, at = 0, *rows;

	for (uint32_t t = 0; t < g->tmpl_count; t++)
		total += g->tmpls[t].out_count;
	rows = RV_ARENA_ARRAY(&b->temp, uint32_t, total + 1u);
	if (!rows)
		return no_memory(err);
	for (uint32_t i = 0; i < g->tmpl_count; i++) {
		struct coord_tmpl *tm = &g->tmpls[keys[i].tmpl];

		if (tm->out_count)
			memcpy(rows + at, g->out + tm->out_first, tm->out_count * sizeof(rows[0]));
		tm->out_first = at;
		at += tm->out_count;
	}
	if (total)
		memcpy(g->out, rows, total * sizeof(rows[0]));
	return 0;
}

static int alloc_ready_sets(struct coord_graph *g, struct rv_err *err)
{
	uint32_t at = 0;

	for (uint32_t t = 0; t < g->tmpl_count; t++)
		g->classes[g->more[t].class].unit_count += g->tmpls[t].count;
	for (uint32_t c = 0; c < g->class_count; c++) {
		struct coord_class *cl = &g->classes[c];
		uint32_t room = cl->unit_count ? cl->unit_count : 1;
		uint64_t *words = RV_ARENA_ARRAY(&g->arena, uint64_t, rv_rankset_words(room));

		if (!words)
			return no_memory(err);
		rv_rankset_init(&cl->ready, words, room);
		cl->first = RV_RANK_NONE;
		cl->order = g->order + at;
		at += cl->unit_count;
		cl->unit_count = 0;
	}
	return 0;
}

int coord_build_ranks(struct coord_build *b, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	uint32_t *order = RV_ARENA_ARRAY(&b->temp, uint32_t, g->tmpl_count + 1u);
	uint32_t *left = RV_ARENA_ARRAY(&b->temp, uint32_t, g->tmpl_count + 1u);
	struct rank_key *keys = RV_ARENA_ARRAY(&b->temp, struct rank_key, g->tmpl_count + 1u);

	if (!order || !left || !keys || alloc_ready_sets(g, err) < 0)
		return no_memory(err);
	set_estimates(b);
	if (topological_order(g, order, left) != g->tmpl_count)
		return rv_fail(err, RV_E_PLAN, "the plan's dependencies have a cycle");
	set_paths(g, order);
	for (uint32_t t = 0; t < g->tmpl_count; t++)
		keys[t] = (struct rank_key){ .tmpl = t, .priority = coord_build_unit(b, t)->settings->priority,
					     .path_us = b->plan->order == PLAN_ORDER_ID ? 0 : g->more[t].path_us };
	qsort(keys, g->tmpl_count, sizeof(keys[0]), compare_keys);
	set_ranks(g, keys);
	return order_rows(b, keys, err);
}
