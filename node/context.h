/* context.h - what an attempt knows: the plan's and the unit's context, what its dependencies handed over, its item
 *
 * Dependencies become one JSON object of `_dep_ID`: a plain unit's output as its value, a template's as an array in item
 * order, null for what did not succeed or gave nothing. Outputs over RV_OUTPUT_DEP_BYTES_MAX stand as
 * {"$artifact": path, "blake2b": hex}. Pure but for what `node_dep_source` does.
 */
#ifndef NODE_CONTEXT_H
#define NODE_CONTEXT_H

#include "common/buf.h"
#include "common/err.h"
#include "common/plan/template.h"
#include "proto/msg.h"
#include "proto/spec.h"

/* Where large outputs are. */
struct node_dep_source {
	/* Appends the bytes that the digest names. */
	int (*get)(void *arg, const uint8_t digest[PROTO_DIGEST_BYTES], uint64_t bytes, struct rv_buf *out, struct rv_err *err);
	/* Makes them a file and appends its path. */
	int (*file)(void *arg, const uint8_t digest[PROTO_DIGEST_BYTES], uint64_t bytes, struct rv_buf *path, struct rv_err *err);
	void *arg;
};

/* Appends the object of `_dep_ID`s. RV_E_LIMIT: over RV_CONTEXT_BYTES_MAX. */
int node_context_deps(const struct proto_dep *deps, uint32_t count, const struct node_dep_source *source, struct rv_buf *out,
		      struct rv_err *err);

/* The scope for templates: spec context < deps < prev (prev.h) < item. Borrows all. */
void node_context_scope(const struct proto_spec *spec, struct rv_str deps, struct rv_str prev, struct rv_str item, struct plan_scope *out);

/* Appends the context file: one object of all of it, each key once, the later layer's value. `context`, `deps` and
 * `prev` are JSON objects or empty, `item` a JSON value or empty. */
int node_context_file(struct rv_str context, struct rv_str deps, struct rv_str prev, struct rv_str item, struct rv_buf *out, struct rv_err *err);

#endif
