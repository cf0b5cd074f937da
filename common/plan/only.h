/* only.h - a plan cut down to one unit and what it depends on (`run --only`)
 *
 * Its direct dependencies stay as `satisfied` units, so that their names, templates and joins are what they were; who runs the plan gives
 * their outputs. Everything else goes, the verify step too.
 */
#ifndef PLAN_ONLY_H
#define PLAN_ONLY_H

#include "common/plan/plan.h"

/* Cuts `p` in place to the unit of this id: a unit, a template (all its instances), or one instance of a template. On success the last
 * of p->units is the unit, those before it are its dependencies. RV_E_NOT_FOUND names the nearest there is. */
int plan_only(struct plan *p, struct rv_str id, struct rv_err *err);

#endif
