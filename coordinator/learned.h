/* learned.h - how long units took before: estimates for plans that give none
 *
 * Glue between plans, facts and coordinator/journal/estimates: a key is plan name + unit or template id + agent, its value the
 * median of the last five times of success. Losing them costs order, never correctness, so a store that fails is silent.
 */
#ifndef COORD_LEARNED_H
#define COORD_LEARNED_H

#include "coordinator/core/graph.h"
#include "proto/record.h"

struct coord_learned;
struct plan;

int coord_learned_open(struct coord_learned **out, const char *dir);
/* Writes what was noted of all runs, whose graphs must still be there, and closes; NULL is fine. */
void coord_learned_close(struct coord_learned **l);
/* One u64 a unit of the plan, microseconds, 0 = nothing known; the caller frees. NULL: nothing known of any, or no memory. */
uint64_t *coord_learned_estimates(struct coord_learned *l, const struct plan *plan);
/* An ENDED fact of a run with this graph; NULL graph: ignored. */
void coord_learned_note(struct coord_learned *l, const struct coord_graph *g, const struct proto_fact *ended);
/* The run's graph is about to go: writes what it taught. */
void coord_learned_drop_run(struct coord_learned *l, uint64_t run);

#endif
