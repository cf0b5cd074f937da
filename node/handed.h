/* handed.h - artifacts of dependencies that ran on other nodes, made files here
 *
 * A DISPATCH lists what each dependency left (struct proto_dep). What does not lie here is pulled by digest like everything else that it names
 * (arrivals.h), copied to ROOT/runs/RUN/handed/UNIT/ATTEMPT, once for all that want it, and linked below REEVE_DEPS as if it had run here.
 * Copies, no hard links: it is the units' to write in. A file is 0600, or 0700 where it was executable, a directory 0700; of other modes nothing is told.
 *
 *	node_handed_lacking()   what is to be pulled; or why it cannot be handed over
 *	node_handing_begin()    one dependency whose blobs are all here
 *	node_handing_step()     copies some of it, so that a large one holds up nobody; at the end it has its name at once
 *	node_handed_refusal()   where an attempt is prepared and something is not here: the sentence
 *
 * Names come from another node: each part of one is checked, and opened below the directory's descriptor (common/os/file.h).
 */
#ifndef NODE_HANDED_H
#define NODE_HANDED_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/os/blobs.h"
#include "node/workspace/namespace.h"
#include "proto/msg.h"

#define NODE_HANDED_MARK_BYTES 17

/* Is something of this dependency to be handed over where it does not lie already? */
bool node_handed_lacks(struct node_namespaces *n, uint64_t run, const struct proto_dep *dep);

/* 1: something is, its blobs appended to `refs` (a buffer of struct proto_blob_ref); 0: nothing; -1, and `refs` as it was: RV_E_LIMIT more than an attempt
 * may be handed, or than is listed; RV_E_NOT_FOUND its node did not keep some of it; RV_E_CORRUPT a list or a name that is none. */
int node_handed_lacking(struct node_namespaces *n, uint64_t run, const struct proto_dep *deps, uint32_t count, struct rv_buf *refs, struct rv_err *err);

/* Always -1: the same, or which blob is not here; for an attempt of which some dependency's artifacts are not. */
int node_handed_refusal(struct node_namespaces *n, uint64_t run, const struct proto_dep *deps, uint32_t count, struct rv_blobs *blobs, struct rv_err *err);

/* One dependency that is being copied. */
struct node_handing {
	struct rv_blobs *blobs;      /* borrowed */
	char mark[NODE_HANDED_MARK_BYTES];
	struct node_handed_dir dir;
	struct rv_str unit_id;       /* borrowed, for sentences */
	uint32_t attempt;
	const struct proto_artifact *items; /* in `arena`, names borrowed from the dispatch */
	uint32_t count, at;
	int from, to;                /* of items[at]; -1: not open */
	uint64_t left;
	struct rv_arena arena;
};

void node_handing_init(struct node_handing *h, struct rv_blobs *blobs, const char *mark);
/* `dep` is borrowed until it is over. */
int node_handing_begin(struct node_handing *h, struct node_namespaces *n, uint64_t run, const struct proto_dep *dep, struct rv_err *err);
/* 1: more is left, *bytes (files count, too) are used up; 0: it is in its place; -1: it is dropped. */
int node_handing_step(struct node_handing *h, uint64_t *bytes, struct rv_err *err);
void node_handing_drop(struct node_handing *h); /* nothing begun: fine */

#endif
