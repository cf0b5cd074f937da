/* environment.h - which of the variables that reeve was started with a unit sees
 *
 * Order of what a unit gets: inherited < agent env < unit env < REEVE_*. The inherited part is the same for all plain
 * commands and for all agent units of a node, so it is made twice, once per kind, and handed to the warden as a base.
 *
 * `run`, plain command: everything the caller has. `run`, agent unit: less names that end in _KEY _TOKEN _SECRET
 * _PASSWORD, or those and _N. `node`: only PATH LANG LC_* TZ USER SHELL, and HOME for plain commands. --pass-env adds.
 * What an outer reeve told its own attempt (REEVE_RUN_ID, RALPH_WORKER_ID, ...) is never inherited. Pure.
 */
#ifndef NODE_ENVIRONMENT_H
#define NODE_ENVIRONMENT_H

#include "common/base.h"
#include "common/buf.h"
#include "node/daemon.h"

enum node_env_base { NODE_ENV_COMMAND, NODE_ENV_AGENT, NODE_ENV_BASES };

/* Whether a variable of this name is inherited. */
bool node_env_inherits(const struct node_daemon_config *cfg, enum node_env_base base, struct rv_str name);

/* Appends the inherited "NAME=value" strings, each with its NUL, and REEVE_NODE; counts them. Of a repeated name the
 * first stands. -1: no memory. */
int node_env_base(const struct node_daemon_config *cfg, enum node_env_base base, struct rv_buf *out, uint32_t *count);

/* Names an attempt is given by reeve itself, those of compat_env among them. */
bool node_env_is_ours(struct rv_str name);

#endif
