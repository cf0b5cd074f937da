/* runlist.h - the list of runs that stands beside the journal: what `status` shows without a replay
 *
 * A line a run, ended ones included, as the journal has it; texts are the list's own or never change, so that a line outlives its run in the
 * core. Lines that were touched since they were last written are written with the next row.
 */
#ifndef COORD_RUNLIST_H
#define COORD_RUNLIST_H

#include "common/map.h"
#include "coordinator/core/io.h"
#include "coordinator/journal/journal.h"

struct coord_runlist {
	struct journal_run *runs; /* by order of acceptance here */
	uint32_t count, capacity;
	bool *touched;            /* beside it */
	struct rv_intmap by_run;
	struct rv_intmap_slot *slots;
	struct journal_run *written; /* room for those that are to be written */
	uint32_t removed;         /* of the lines: kept, so that the next start passes over their facts, and shown to nobody */
};

void coord_runlist_release(struct coord_runlist *l);
/* What the journal has: before its facts are folded. */
int coord_runlist_load(struct coord_runlist *l, struct journal *j, struct rv_err *err);
/* A RUN_ACCEPTED fact; known already: fine. */
int coord_runlist_add(struct coord_runlist *l, const struct proto_fact *accepted, uint64_t real_us, struct rv_err *err);
/* The run is told of no more. */
void coord_runlist_remove(struct coord_runlist *l, uint64_t run);
static inline bool coord_runlist_shown(const struct journal_run *line)
{
	return !rv_str_equal(line->state, RV_STR("removed"));
}
/* NULL: no such run, or one that was removed. Borrowed until the next is added. */
struct journal_run *coord_runlist_find(const struct coord_runlist *l, uint64_t run);
void coord_runlist_touch(struct coord_runlist *l, uint64_t run);
/* Brings states and counts of the runs that are in the core up to date. */
void coord_runlist_fill(struct coord_runlist *l, const struct coord *core);
/* Those that were touched, up to date; they count as written. */
const struct journal_run *coord_runlist_changed(struct coord_runlist *l, const struct coord *core, uint32_t *count);

/* The ended run that goes first when there are more of them in the core than `max`, or their units more than RV_UNITS_ENDED_KEPT; never the
 * newest. 0: none. `loaded`: as the list was loaded, all ended ones count. */
uint64_t coord_runlist_too_many(const struct coord_runlist *l, const struct coord *core, uint32_t max);
/* Was there ever a run of this number? */
bool coord_runlist_knows(const struct coord_runlist *l, uint64_t run);
/* The same before the fold: may facts of this run be passed over? Those of one that was removed may. */
bool coord_runlist_is_old(const struct coord_runlist *l, uint64_t run, uint64_t oldest_kept_us);
/* When the oldest run that is kept ended: those that ended before are passed over. 0: all are kept. */
uint64_t coord_runlist_oldest_kept(const struct coord_runlist *l, uint32_t max, struct rv_err *err);

#endif
