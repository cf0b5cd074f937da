/* evidence.h - what an attempt left in its artifacts directory, and whether that is what its plan asks for
 *
 * The directory is the unit's: it may hold links out of it, FIFOs, devices, other people's files under a hard link, a
 * million names or a sparse terabyte, and may be changed while we look. So: everything is opened below its descriptor by
 * openat2 rules, only regular files of the directory's own owner count, links are neither followed nor listed, and all of
 * it is bounded by the numbers below. Digests are made in steps, so that a large artifact holds up nobody.
 *
 * On a node of a cluster what is digested is copied into the blob store by the way, for the coordinator to fetch; what cannot be copied (the
 * disk is full) has a digest of zeros.
 */
#ifndef NODE_EVIDENCE_H
#define NODE_EVIDENCE_H

#include "common/arena.h"
#include "common/err.h"
#include "common/os/blobs.h"
#include "common/os/keys.h"
#include "node/cookie.h"
#include "proto/msg.h"

#define NODE_ARTIFACTS_MAX 4096u                        /* listed */
#define NODE_ARTIFACT_NAMES_BYTES_MAX ((size_t)384 << 10) /* of all names: a RESULT has to fit a frame */
#define NODE_ARTIFACT_ENTRIES_MAX 65536u                /* looked at, whatever they are */
#define NODE_ARTIFACT_DEPTH_MAX 32u
#define NODE_ARTIFACT_DIGEST_BYTES_MAX ((uint64_t)4 << 30) /* of one attempt; what is beyond has a digest of zeros */

struct node_artifacts {
	int fd;                      /* of the directory; -1: none */
	struct proto_artifact *items; /* sorted by name; names are the file system's bytes, NUL-terminated */
	uint32_t count, capacity;
	size_t names_bytes;
	uint32_t entries;            /* looked at */
	uint32_t skipped;            /* links, devices, foreign files */
	bool truncated;              /* there is more than was listed */
	uint32_t matched;            /* listed ones; with more than can be listed still a number > 0 */
	/* what is asked for, borrowed; and what of it was there, among all that were looked at, listed or not */
	const struct rv_str *globs;
	bool *met;
	uint32_t glob_count;
	struct rv_arena arena;
	/* digesting */
	uint32_t at;                 /* next item to open, or the open one */
	int file;                    /* -1: none open */
	uint64_t file_left;
	uint64_t digest_left;        /* of NODE_ARTIFACT_DIGEST_BYTES_MAX */
	struct rv_digest_state digest; /* means something while a file is open */
	struct rv_blobs *store;      /* borrowed; what is digested is copied into it; NULL: it stays where it is */
	struct rv_blob_writer copy;  /* of the open file; fd -1: none, or the store is full */
};

void node_artifacts_init(struct node_artifacts *a);
void node_artifacts_release(struct node_artifacts *a);

/* What the list is going to be asked for, before it is made. Borrows. -1: no memory. */
int node_artifacts_want(struct node_artifacts *a, const struct rv_str *globs, uint32_t count, struct rv_err *err);
/* Takes the directory's descriptor and lists what is in it. -1: it cannot be read at all, or no memory. */
int node_artifacts_list(struct node_artifacts *a, int fd, struct rv_err *err);
/* Digests about `bytes` more: true while something is left to do. */
bool node_artifacts_digest(struct node_artifacts *a, uint64_t bytes);

/* Does the attempt hold what its plan asks for (node_artifacts_want() of c->globs came first)? `dir` is where artifacts belong, for
 * the sentence. 0, or -1 with the sentence in `err`. A nonzero exit with EVIDENCE_ARTIFACT and an artifact is fine. */
int node_evidence_check(const struct node_cookie *c, const struct node_artifacts *a, struct rv_str dir, struct rv_err *err);

#endif
