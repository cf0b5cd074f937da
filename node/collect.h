/* collect.h - from an attempt's end to its result
 *
 * An attempt succeeds only if exit, evidence and output all agree with what its plan asks (its cookie says what that is).
 * What its plan does not ask for is still told: exit status, times, artifacts, output, the last bytes of a failed one.
 * Artifacts are digested in steps; everything else is done at once.
 */
#ifndef NODE_COLLECT_H
#define NODE_COLLECT_H

#include "common/arena.h"
#include "common/buf.h"
#include "node/cookie.h"
#include "node/evidence.h"
#include "node/verdict.h"
#include "node/workspace/places.h"
#include "node/warden/channel.h"
#include "proto/msg.h"

#define NODE_OUTPUT_BYTES_MAX ((size_t)64 << 20) /* of REEVE_OUTPUT_FILE; more: class config */
#define NODE_PRINTED_JSON_BYTES_MAX ((size_t)1 << 20) /* of stdout, for output: json */

/* What collecting works with, part of the daemon. */
struct node_collector {
	struct node_places *places;
	struct rv_blobs *blobs;      /* may be NULL: large values are cut to what fits inline */
	struct rv_blobs *cookies;    /* what cookies name; may be NULL */
	bool stores_artifacts;       /* copies them into `blobs`: the coordinator cannot read them where they are */
	char log_dir[4096];          /* the shared output log; "" = none */
};

/* One attempt being collected. */
struct node_collect {
	struct node_collector *with;
	struct node_cookie cookie;
	struct warden_exited exited;
	enum proto_reason kill_reason; /* why we had it killed; NONE: we had not */
	int fd;                        /* of its namespace, -1: none */
	struct rv_buf path;            /* of its artifacts, for sentences */
	struct rv_buf output, tail;
	struct rv_buf message;         /* of an agent with a profile: its final one */
	bool has_message;
	struct rv_buf steps_text;      /* of a unit with several steps: its report */
	struct node_steps_report steps;
	struct rv_arena arena;
	struct proto_result result;    /* what it comes to; texts lie here and in artifacts */
	struct node_artifacts artifacts;
	char error[1024];
};

/* `transcript`: of an agent whose words were all read as they came, else NULL; it is judged here and now. Begins: true if it can be finished at once with node_collect_result(). Else node_collect_keep() copies what was lent and
 * node_collect_step() goes on. `cookie` and `exited` are borrowed until then. `exited` of a unit without a process (mock)
 * has only times, code and no output. */
bool node_collect_begin(struct node_collect *c, struct node_collector *with, const struct node_cookie *cookie,
			const struct warden_exited *exited, enum proto_reason kill_reason, struct transcript *transcript);
int node_collect_keep(struct node_collect *c); /* -1: no memory; then it has to be finished at once */
/* Digests about `bytes` more; true when it is done. */
bool node_collect_step(struct node_collect *c, uint64_t bytes);
/* It failed for a reason that its exit does not tell; before node_collect_result(). */
void node_collect_fail(struct node_collect *c, enum proto_class class, enum proto_reason reason, struct rv_str why);
/* The result, borrowed from `c` until node_collect_end(). `output`: what a unit without a process answers, else NULL. */
const struct proto_result *node_collect_result(struct node_collect *c, const struct rv_str *output);
void node_collect_end(struct node_collect *c);

#endif
