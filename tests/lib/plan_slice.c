#include "tests/lib/plan_slice.h"

#include "common/check.h"
#include "common/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool plan_slice_may(const struct plan *whole, uint32_t cut)
{
	for (uint32_t i = cut; i < whole->unit_count; i++) {
		const struct plan_for_each *f = whole->units[i].for_each;

		if (f && f->same_as != PLAN_NONE && f->same_as < cut)
			return false;
	}
	return true;
}

/* The stub of a unit before the slice, made when it is first asked for. */
static uint32_t stub_of(struct plan *p, const struct plan *whole, uint32_t *stubs, uint32_t unit, const struct plan_unit *dependent)
{
	struct plan_unit *u;

	if (stubs[unit] != PLAN_NONE)
		return stubs[unit];
	u = &p->units[p->unit_count];
	*u = (struct plan_unit){ .settings = dependent->settings, .id = whole->units[unit].id, .flags = PLAN_UNIT_OUTER, .estimate_us = PLAN_ESTIMATE_NONE };
	u->description = u->prompt = u->context = u->extra = RV_STR("");
	stubs[unit] = p->unit_count++;
	return stubs[unit];
}

struct coord_graph *plan_slice_graph(const struct plan *whole, uint32_t from, uint32_t to, uint64_t run)
{
	struct rv_arena arena;
	struct plan p = *whole;
	struct coord_graph *g = NULL;
	uint32_t *stubs;
	struct rv_err err;

	rv_arena_init(&arena, 0);
	p.units = RV_ARENA_ARRAY(&arena, struct plan_unit, whole->unit_count + 1u);
	stubs = RV_ARENA_ARRAY(&arena, uint32_t, whole->unit_count + 1u);
	rv_check(p.units && stubs);
	p.unit_count = to - from;
	p.open = true;
	for (uint32_t i = 0; i < from; i++)
		stubs[i] = PLAN_NONE;
	for (uint32_t i = from; i < to; i++) {
		struct plan_unit *u = &p.units[i - from];
		uint32_t *deps = RV_ARENA_ARRAY(&arena, uint32_t, whole->units[i].dep_count + 1u);

		rv_check(deps);
		*u = whole->units[i];
		for (uint32_t k = 0; k < u->dep_count; k++)
			deps[k] = u->deps[k] >= from ? u->deps[k] - from : stub_of(&p, whole, stubs, u->deps[k], u);
		u->deps = deps;
		if (u->for_each && u->for_each->same_as != PLAN_NONE) {
			struct plan_for_each *f = RV_ARENA_ARRAY(&arena, struct plan_for_each, 1);

			rv_check(f && u->for_each->same_as >= from);
			*f = *u->for_each;
			f->same_as -= from;
			u->for_each = f;
		}
	}
	if (coord_graph_build(&p, run, NULL, &g, &err) < 0) {
		fprintf(stderr, "a slice of a plan: %s\n", err.msg);
		abort();
	}
	rv_arena_release(&arena);
	return g;
}
