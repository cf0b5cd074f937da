/* recover.h - from a journal back to a core: the fold, over what is on disk
 *
 * Reads rows in order, rebuilds the graph of each accepted run from its plan blob, and steps the core with each fact. The shell does it
 * at start, the client verbs do it to look at a run, live or ended: one code path, so that what they show is what the coordinator
 * believed.
 */
#ifndef COORD_RECOVER_H
#define COORD_RECOVER_H

#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"
#include "coordinator/journal/journal.h"

struct rv_blobs;

/* All may be NULL. Borrowed arguments, as in the core. */
struct coord_recover_hooks {
	/* Before the core is stepped with it. */
	void (*fact)(void *arg, const struct proto_fact *fact, uint64_t position, uint32_t index, uint64_t real_us);
	void (*transition)(void *arg, const struct coord_transition *t);
	/* A run's graph was built; the core takes it next. */
	void (*graph)(void *arg, const struct coord_graph *graph, const struct proto_fact *accepted);
	void *arg;
};

/* Folds every row from `from` (0: the first) on; *next gets the position behind the last row read. `blobs` holds the plans. */
int coord_recover(struct journal *journal, struct rv_blobs *blobs, struct coord *core, const struct coord_recover_hooks *hooks,
		  uint64_t from, uint64_t *next, struct rv_err *err);

/* The plan of one accepted run, as it was accepted. */
struct plan;
int coord_recover_plan(struct rv_blobs *blobs, const struct proto_fact *accepted, struct plan **out, struct rv_err *err);

/* The graph of one accepted run, from the blobs that its fact names. */
int coord_recover_graph(struct rv_blobs *blobs, const struct proto_fact *accepted, struct coord_graph **out, struct rv_err *err);

#endif
