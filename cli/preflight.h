/* preflight.h - will this one machine ever run every unit of this plan?
 *
 * On a cluster a unit may wait for a node that can take it; `run` has one node and knows it before anything starts.
 */
#ifndef CLI_PREFLIGHT_H
#define CLI_PREFLIGHT_H

#include "common/err.h"
#include "common/plan/plan.h"
#include "node/daemon.h"

/* RV_E_CONFLICT names the first unit that the node can never take, what it asks for and what would let it in. */
int cli_preflight(const struct plan *p, const struct node_daemon_config *node, struct rv_err *err);

/* Names of key variables of this environment that agents with a profile are going to be given, joined by ", "; "": none. */
void cli_preflight_keys(const struct plan *p, const struct node_daemon_config *node, char *out, size_t bytes);

#endif
