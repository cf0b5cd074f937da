/* plan_build.h - plans made by hand: what a core test needs of one, without a file
 *
 *	struct plan_build b;
 *	plan_build_init(&b);
 *	plan_build_unit(&b, "a", "");
 *	plan_build_unit(&b, "b", "a");            depends on a
 *	plan_build_for_each(&b, "many", 100, "b");
 *	plan_build_settings(&b, "b")->retry.max = 2;
 *	struct coord_graph *g = plan_build_graph(&b, run);
 *	plan_build_release(&b);
 *
 * Every unit has settings of its own, a command unit's: one slot, command `true`. Units must be made before those that name them.
 */
#ifndef TESTS_LIB_PLAN_BUILD_H
#define TESTS_LIB_PLAN_BUILD_H

#include "common/plan/plan.h"
#include "coordinator/core/graph.h"

struct plan_build {
	struct plan plan;
	uint32_t units_max, settings_max;
	struct plan_settings **settings;
};

void plan_build_init(struct plan_build *b);
void plan_build_release(struct plan_build *b);

uint32_t plan_build_unit(struct plan_build *b, const char *id, const char *deps);
uint32_t plan_build_for_each(struct plan_build *b, const char *id, uint32_t count, const char *deps);
/* A plain unit with dependencies by number, for big graphs; it shares the settings of unit `like` (PLAN_NONE: its own). */
uint32_t plan_build_numbered(struct plan_build *b, const uint32_t *deps, uint32_t dep_count, uint32_t like);
struct plan_settings *plan_build_settings(struct plan_build *b, const char *id);
struct plan_unit *plan_build_find(struct plan_build *b, const char *id);
void plan_build_estimate(struct plan_build *b, const char *id, uint64_t us);
void plan_build_dirs(struct plan_build *b, const char *id, const char *dirs); /* blank-separated */
void plan_build_agent(struct plan_build *b, const char *id, const char *agent, uint32_t max_concurrent);
void plan_build_lock(struct plan_build *b, const char *id, const char *lock, uint32_t count);
void plan_build_label(struct plan_build *b, const char *id, const char *name, const char *value);
void plan_build_resource(struct plan_build *b, const char *id, const char *name, uint64_t milli);
void plan_build_same_as(struct plan_build *b, const char *id, const char *other);
void plan_build_verify(struct plan_build *b);

/* The graph, or an end with a message on stderr. */
struct coord_graph *plan_build_graph(struct plan_build *b, uint64_t run);

#endif
