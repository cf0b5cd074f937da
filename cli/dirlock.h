/* dirlock.h - two runs in one workspace: only overlapping allowed_directories exclude each other
 *
 * Each run that writes to directories of a workspace puts their names into WORKSPACE/.reeve/locks/RUN.dirs and holds RUN.lock (common/os/lock:
 * host, boot id, pid, start time) for as long as it lives. A run whose directories overlap a live one's waits for it; what a dead
 * one left is removed. The units of one run exclude each other in the coordinator's core, not here.
 */
#ifndef CLI_DIRLOCK_H
#define CLI_DIRLOCK_H

#include "common/os/lock.h"
#include "common/plan/plan.h"

struct cli_dirlock {
	struct rv_lock lock;
	int dir; /* WORKSPACE/.reeve/locks; -1: nothing is held */
	char dirs_name[64];
};

void cli_dirlock_init(struct cli_dirlock *l);

/* 0: held, or the plan writes to no directory exclusively; 1: a live run holds one of them: `holder` names it and the directory, call
 * again later; -1. */
int cli_dirlock_try(struct cli_dirlock *l, const struct plan *p, const char *workspace, const char *run, char *holder, size_t holder_bytes,
		    struct rv_err *err);
void cli_dirlock_release(struct cli_dirlock *l);

/* --- for tests ---------------------------------------------------------------------------------------------------- */

/* Whether two normalised paths overlap: equal, or one lies in the other; "." holds everything. */
bool cli_paths_overlap(struct rv_str a, struct rv_str b);

#endif
