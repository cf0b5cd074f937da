/* command.h - the agent that runs argv: a scene becomes a spawn for the warden
 *
 * A program is named by argv[0] and looked up in the unit's own PATH by the warden. Nothing goes through a shell. Names
 * without a value are unset rather than empty.
 */
#ifndef NODE_COMMAND_H
#define NODE_COMMAND_H

#include "node/prepare.h"
#include "node/warden/channel.h"

/* Fills `spawn`, which borrows from the scene and from the preparer's buffers until the next scene. Key, cookie and
 * output credit are the caller's to set. */
int node_command_spawn(struct node_preparer *p, struct node_scene *scene, struct warden_spawn *spawn, struct node_failure *why);

#endif
