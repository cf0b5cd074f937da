/* manifest.h - the JSON file that tells an attempt about itself (REEVE_MANIFEST)
 *
 * Run, unit, attempt, session, description, agent, model, directories, paths, resources, deadline, dependencies with
 * state, and the unit's `x-` keys as written. No secret, no environment. Pure.
 */
#ifndef NODE_MANIFEST_H
#define NODE_MANIFEST_H

#include "common/buf.h"
#include "node/prepare.h"

/* Appends it, ending in a newline. */
int node_manifest_write(const struct node_preparer *p, const struct node_scene *scene, struct rv_buf *out);

#endif
