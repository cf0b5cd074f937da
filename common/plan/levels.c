/* levels.c - the shape of a plan: levels, width, critical path */
#include "levels.h"

#include <stdlib.h>

static uint64_t own_us(const struct plan_unit *u)
{
	return u->estimate_us == PLAN_ESTIMATE_NONE ? PLAN_ESTIMATE_US_DEFAULT : u->estimate_us;
}

static uint32_t dep_at(const struct plan_unit *u, uint32_t i)
{
	if (i < u->dep_count)
		return u->deps[i];
	return i == u->dep_count && u->for_each ? u->for_each->same_as : PLAN_NONE;
}

/* Dependencies before dependents, without recursion; `stack` and `next` have a place a unit. */
static void sort(const struct plan *p, uint32_t *order, uint32_t *stack, uint32_t *next)
{
	uint32_t done = 0, depth, root, unit, dep;

	for (unit = 0; unit < p->unit_count; unit++)
		next[unit] = PLAN_NONE;
	for (root = 0; root < p->unit_count; root++) {
		if (next[root] != PLAN_NONE)
			continue;
		next[root] = 0;
		stack[0] = root;
		depth = 1;
		while (depth) {
			unit = stack[depth - 1];
			dep = dep_at(&p->units[unit], next[unit]++);
			if (dep == PLAN_NONE) {
				order[done++] = unit;
				depth--;
			} else if (next[dep] == PLAN_NONE) {
				next[dep] = 0;
				stack[depth++] = dep;
			}
		}
	}
}

static void find_levels(struct plan_levels *v, const struct plan *p, const uint32_t *sorted)
{
	uint32_t i, k, unit, dep;

	for (i = 0; i < p->unit_count; i++) {
		unit = sorted[i];
		v->level[unit] = 0;
		for (k = 0; (dep = dep_at(&p->units[unit], k)) != PLAN_NONE; k++) {
			if (v->level[dep] >= v->level[unit])
				v->level[unit] = v->level[dep] + 1;
		}
		if (v->level[unit] >= v->count)
			v->count = v->level[unit] + 1;
	}
}

/* Counting sort by level, stable. */
static void group_levels(struct plan_levels *v, const struct plan *p)
{
	uint32_t i;
	uint64_t width;

	for (i = 0; i < p->unit_count; i++)
		v->start[v->level[i] + 1]++;
	for (i = 0; i < v->count; i++)
		v->start[i + 1] += v->start[i];
	for (i = p->unit_count; i-- > 0;)
		v->order[--v->start[v->level[i] + 1]] = i;
	/* Each end has walked down to its beginning: move them one to the left. */
	for (i = 0; i < v->count; i++)
		v->start[i] = v->start[i + 1];
	v->start[v->count] = p->unit_count;
	for (i = 0; i < v->count; i++) {
		uint32_t at;

		width = 0;
		for (at = v->start[i]; at < v->start[i + 1]; at++)
			width += plan_unit_instances(&p->units[v->order[at]]);
		if (width > v->width)
			v->width = width;
	}
}

static void find_paths(struct plan_levels *v, const struct plan *p, const uint32_t *sorted, uint32_t *follows)
{
	uint32_t i, k, unit, dep, first = PLAN_NONE;

	for (i = 0; i < p->unit_count; i++)
		follows[i] = PLAN_NONE;
	for (i = p->unit_count; i-- > 0;) {
		unit = sorted[i];
		v->path_us[unit] = rv_sat_add(v->path_us[unit], own_us(&p->units[unit]));
		v->work_us = rv_sat_add(v->work_us, own_us(&p->units[unit]) * plan_unit_instances(&p->units[unit]));
		for (k = 0; (dep = dep_at(&p->units[unit], k)) != PLAN_NONE; k++) {
			if (follows[dep] == PLAN_NONE || v->path_us[unit] > v->path_us[dep] ||
			    (v->path_us[unit] == v->path_us[dep] && unit < follows[dep])) {
				v->path_us[dep] = v->path_us[unit];
				follows[dep] = unit;
			}
		}
		if (first == PLAN_NONE || v->path_us[unit] > v->path_us[first] ||
		    (v->path_us[unit] == v->path_us[first] && unit < first))
			first = unit;
	}
	/* A path of nothing but zeros may begin late: a first unit is one that nothing comes before. */
	for (unit = first; unit != PLAN_NONE; unit = follows[unit])
		v->critical[v->critical_count++] = unit;
	v->critical_us = first == PLAN_NONE ? 0 : v->path_us[first];
}

int plan_levels_init(struct plan_levels *v, const struct plan *p, struct rv_err *err)
{
	size_t n = (size_t)p->unit_count + 2;
	uint32_t *sorted = malloc(n * sizeof(*sorted)), *a = malloc(n * sizeof(*a)), *b = malloc(n * sizeof(*b));
	int rc = 0;

	*v = (struct plan_levels){ 0 };
	v->order = malloc(n * sizeof(*v->order));
	v->level = malloc(n * sizeof(*v->level));
	v->start = calloc(n, sizeof(*v->start));
	v->critical = malloc(n * sizeof(*v->critical));
	v->path_us = calloc(n, sizeof(*v->path_us));
	if (!sorted || !a || !b || !v->order || !v->level || !v->start || !v->critical || !v->path_us) {
		plan_levels_release(v);
		rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for the levels of %u units", p->unit_count);
	} else {
		sort(p, sorted, a, b);
		find_levels(v, p, sorted);
		group_levels(v, p);
		find_paths(v, p, sorted, a);
	}
	free(sorted);
	free(a);
	free(b);
	return rc;
}

void plan_levels_release(struct plan_levels *v)
{
	free(v->order);
	free(v->level);
	free(v->start);
	free(v->critical);
	free(v->path_us);
	*v = (struct plan_levels){ 0 };
}
