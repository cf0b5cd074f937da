/* dryrun.h - `run --dry-run`: the real core over a clock that jumps
 *
 * The plan is given to a coordinator core of its own, with a node of the same size that does nothing: each unit takes its estimate (what the
 * plan says, else 1 s) and succeeds. What comes out is the order in which units would be handed out, when, and
 * how long the whole would take.
 */
#ifndef CLI_DRYRUN_H
#define CLI_DRYRUN_H

#include "cli/render.h"
#include "common/plan/plan.h"
#include "node/daemon.h"

/* Answers on stdout; gives the exit status. */
int cli_dryrun(const struct plan *p, const struct node_daemon_config *node, enum cli_format format);

#endif
