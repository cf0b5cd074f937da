/* levels.h - the shape of a plan: levels, width, critical path
 *
 * A unit's level is the longest way to it, counted in units; its path the longest way from its start to the end of the
 * plan, by estimate_s (1 s where none is given). Templates count as one vertex as wide as their items are many.
 */
#ifndef PLAN_LEVELS_H
#define PLAN_LEVELS_H

#include "plan.h"

#define PLAN_ESTIMATE_US_DEFAULT RV_US_PER_S

struct plan_levels {
	uint32_t *order;        /* units by level, then by their order in the plan */
	uint32_t *level;        /* of each unit, from 0 */
	uint32_t *start;        /* of each level: its first place in `order`; start[count] is the end */
	uint32_t count;         /* levels */
	uint64_t width;         /* instances of the widest */
	uint64_t *path_us;      /* of each unit: its own estimate and the longest way behind it */
	uint32_t *critical;     /* units of the longest path, first to last */
	uint32_t critical_count;
	uint64_t critical_us;
	uint64_t work_us;       /* of all instances */
};

int plan_levels_init(struct plan_levels *v, const struct plan *p, struct rv_err *err);
void plan_levels_release(struct plan_levels *v);

#endif
