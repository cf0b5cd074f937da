/* save.h - a checked plan as JSON lines that load to the same plan again
 *
 * Everything resolved is written out: files are inlined, `--set`, `--context` and `--mock` applied, defaults merged into the units that
 * differ from the built-in ones. plan_load_lines() of the result gives the same digest, so a coordinator can keep it as a blob and
 * build the run anew after a restart.
 */
#ifndef PLAN_SAVE_H
#define PLAN_SAVE_H

#include "common/buf.h"
#include "common/plan/plan.h"

/* The line of one unit; fails through the buffer. */
void plan_save_unit(const struct plan *p, const struct plan_unit *u, struct rv_buf *out);
/* The first line, which is the plan without its units. */
/* Key of a saved plan: what was written as `defaults`, which is merged into its units already. Only for units that are added. */
#define PLAN_HEAD_DEFAULTS "x-reeve-defaults"

void plan_save_head(const struct plan *p, struct rv_buf *out);
int plan_save(const struct plan *p, struct rv_buf *out, struct rv_err *err);

#endif
