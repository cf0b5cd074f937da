/* runlist.h - the list of runs that stands beside the journal: what `status` shows without a replay */
#ifndef COORD_RUNLIST_H
#define COORD_RUNLIST_H

#include "coordinator/core/io.h"
#include "coordinator/journal/journal.h"

struct coord_runlist {
	struct journal_run *runs; /* by order of acceptance here */
	uint32_t count, capacity;
};

void coord_runlist_release(struct coord_runlist *l);
/* A RUN_ACCEPTED fact. */
int coord_runlist_add(struct coord_runlist *l, const struct proto_fact *accepted, uint64_t real_us, struct rv_err *err);
/* NULL: no such run. Borrowed until the next is added. */
struct journal_run *coord_runlist_find(const struct coord_runlist *l, uint64_t run);
/* Brings states and counts up to date before the lines are written. Texts are those of the core and its graphs. */
void coord_runlist_fill(struct coord_runlist *l, const struct coord *core);

#endif
