/* build.h - what the makers of a graph share (private to coordinator/core/; outside the step, so they may allocate) */
#ifndef COORD_BUILD_H
#define COORD_BUILD_H

#include "common/buf.h"
#include "common/map.h"
#include "coordinator/core/tables.h"

struct coord_build {
	const struct plan *plan;
	struct coord_graph *g;
	const uint64_t *estimates_us;
	struct rv_buf text;           /* scratch: keys, specs */
	struct rv_arena temp;         /* gone when the graph stands */
	struct rv_strmap specs;       /* encoded spec -> its number */
	uint32_t *class_of_setting;   /* [setting * 2 + has directories] -> class, COORD_NONE */
};

/* The plan unit that a template stands for: the verify step is the one behind the last. */
static inline const struct plan_unit *coord_build_unit(const struct coord_build *b, uint32_t t)
{
	return t < b->plan->unit_count ? &b->plan->units[t] : b->plan->verify;
}

/* Profiles that are agents without an entry in the plan; in graph->agents they stand behind the plan's. */
#define BUILT_IN_AGENTS 3u
extern const enum plan_profile coord_built_in_agents[BUILT_IN_AGENTS];

int coord_build_classes(struct coord_build *b, struct rv_err *err); /* shapes, classes, agents, locks, settings */
int coord_build_specs(struct coord_build *b, struct rv_err *err);
int coord_build_dirs(struct coord_build *b, struct rv_err *err);
int coord_build_ranks(struct coord_build *b, struct rv_err *err);   /* needs edges and classes */
/* Its id, and those of its instances that a pattern names, into g->names. -1: no memory. */
int coord_graph_name_tmpl(struct coord_graph *g, uint32_t t);
/* Does this unit take part in exclusion by directories? */
bool coord_build_has_dirs(const struct coord_build *b, const struct plan_unit *u);

#endif
