/* loader.h - the thread that turns an uploaded plan into a graph, one at a time
 *
 * It has its own handle of the blob store and reads the estimates itself; nothing is shared but what loader_start() gives and
 * loader_result() takes back.
 */
#ifndef COORD_CLIENTS_LOADER_H
#define COORD_CLIENTS_LOADER_H

#include "common/buf.h"
#include "common/os/blobs.h"
#include "coordinator/core/graph.h"
#include "proto/record.h"

struct loader;

struct loaded {
	bool failed;
	struct rv_err err;      /* RV_E_PLAN: `diags` says more */
	struct rv_buf diags;    /* all that is wrong with the plan, as `reeve check` prints it */
	struct coord_graph *graph;
	struct proto_fact fact; /* RUN_ACCEPTED, its texts borrow from the graph; or UNITS_ADDED, `graph` is the part */
};

int loader_create(struct loader **out, const char *state_dir, const char *estimates_dir, enum rv_blobs_sync sync, struct rv_err *err);
/* Waits for a plan that is being loaded. */
void loader_destroy(struct loader **l);
/* What an upload is. */
struct loader_job {
	uint64_t run;
	const char *workspace_id; /* "" = none */
	bool open;
	struct rv_str head;       /* "": a plan; else the plan without units that these are units of */
};
/* Nothing may be under way. Takes `fd`, the whole upload; `job` is copied. */
void loader_start(struct loader *l, int fd, const struct loader_job *job);
int loader_fd(const struct loader *l); /* readable once there is a result */
/* NULL: not yet. Its graph may be taken; then loader_release(). */
struct loaded *loader_result(struct loader *l);
void loader_release(struct loader *l);

#endif
