/* recover.h - from a journal back to a core: the fold, over what is on disk
 *
 * Reads rows in order, rebuilds the graph of each accepted run from its plan blob, and steps the core with each fact. The shell does it
 * at start, the client verbs do it to look at a run, live or ended, here or at a coordinator elsewhere (coord_refold): one code path, so
 * that what they show is what the coordinator believed.
 */
#ifndef COORD_RECOVER_H
#define COORD_RECOVER_H

#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"
#include "coordinator/journal/journal.h"

struct rv_blobs;
struct rv_buf;

/* All may be NULL. Borrowed arguments, as in the core. */
struct coord_recover_hooks {
	/* Before the core is stepped with it. */
	void (*fact)(void *arg, const struct proto_fact *fact, uint64_t position, uint32_t index, uint64_t real_us);
	void (*transition)(void *arg, const struct coord_transition *t);
	/* Is this run of no concern? Its facts are passed over, but for RUN_ACCEPTED, which `fact` hears of and the core does not, and for a
	 * person's acts, whose request ids count. */
	bool (*skip)(void *arg, uint64_t run);
	/* A run's graph was built; the core takes it next. */
	void (*graph)(void *arg, const struct coord_graph *graph, const struct proto_fact *accepted);
	void *arg;
};

/* The whole of a blob, appended to `out`. */
struct coord_blob_source {
	int (*get_all)(void *arg, const uint8_t *digest, size_t bytes_max, struct rv_buf *out, struct rv_err *err);
	void *arg;
};

/* Records that were read elsewhere, folded as they come: what coord_recover() does for the rows of a journal. All is borrowed for its life.
 * NULL: no memory. */
struct coord_refold;
struct coord_refold *coord_refold_create(struct coord *core, const struct coord_blob_source *blobs, const struct coord_recover_hooks *hooks);
void coord_refold_destroy(struct coord_refold **f);
/* `first_index`: of the first record in the row at `position`. -1: malformed, facts that contradict each other (RV_E_CORRUPT), or a plan that
 * cannot be had. */
int coord_refold_row(struct coord_refold *f, uint64_t position, uint32_t first_index, uint64_t real_us, struct rv_str records, struct rv_err *err);

/* Folds every row from `from` (0: the first) on; *next gets the position behind the last row read. `blobs` holds the plans. */
int coord_recover(struct journal *journal, struct rv_blobs *blobs, struct coord *core, const struct coord_recover_hooks *hooks,
		  uint64_t from, uint64_t *next, struct rv_err *err);

/* The plan of one accepted run, as it was accepted. */
struct plan;
int coord_recover_plan(struct rv_blobs *blobs, const struct proto_fact *accepted, struct plan **out, struct rv_err *err);
int coord_recover_plan_from(const struct coord_blob_source *blobs, const struct proto_fact *accepted, struct plan **out, struct rv_err *err);

/* The graph of one accepted run, from the blobs that its fact names. */
int coord_recover_graph(struct rv_blobs *blobs, const struct proto_fact *accepted, struct coord_graph **out, struct rv_err *err);

#endif
