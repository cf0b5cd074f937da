/* plan_slice.h - a plan handed over bit by bit, as units are added to an open run
 *
 * A slice holds units [from, to) of a whole plan, and stubs for those before `from` that they depend on. Added in order they come to the same units
 * with the same numbers as the whole plan.
 */
#ifndef TESTS_LIB_PLAN_SLICE_H
#define TESTS_LIB_PLAN_SLICE_H

#include "coordinator/core/graph.h"

struct plan;

/* May a slice end before unit `cut`? Not where a template behind it takes its items from one before. */
bool plan_slice_may(const struct plan *whole, uint32_t cut);
/* Its graph, or an end with a message on stderr. */
struct coord_graph *plan_slice_graph(const struct plan *whole, uint32_t from, uint32_t to, uint64_t run);

#endif
