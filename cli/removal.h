/* removal.h - everything that a run of `reeve run` left in a state directory goes, and nothing else */
#ifndef CLI_REMOVAL_H
#define CLI_REMOVAL_H

#include "common/err.h"
#include "common/id.h"

/* `state` absolute. RV_E_CONFLICT: its process lives; or it has not ended and `force` was not said. */
int cli_remove_run(const char *state, struct rv_run_id id, bool force, struct rv_err *err);

#endif
