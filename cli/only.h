/* only.h - `run --only ID`: where the outputs of its dependencies come from */
#ifndef CLI_ONLY_H
#define CLI_ONLY_H

#include "cli/session.h"
#include "common/plan/plan.h"

struct cli_only {
	struct cli_given_output *given;
	uint32_t count;
	struct rv_buf bytes; /* of all of them */
};

/* `p` was cut by plan_only(). Finds the newest run of a plan of this name in which every dependency succeeded, and reads what they handed
 * over. RV_E_CONFLICT: there is none; it names a unit that is to be run first. */
int cli_only_find(struct cli_only *o, const struct plan *p, const char *state, struct rv_err *err);
void cli_only_release(struct cli_only *o);

#endif
