/* rundir.h - the directory of one run: made at its start; which runs live
 *
 * Names are layout.h's. Everything below the state directory is 0700 but the directory itself (0711), so that other users can reach
 * namespaces that belong to them.
 */
#ifndef CLI_RUNDIR_H
#define CLI_RUNDIR_H

#include "common/err.h"
#include "common/id.h"
#include "common/os/lock.h"

#include <limits.h>

struct cli_rundir {
	char state[PATH_MAX];     /* .reeve or --state DIR, absolute */
	char run[PATH_MAX];       /* STATE/runs/RUN */
	char node[PATH_MAX];      /* RUN/node */
	char estimates[PATH_MAX]; /* STATE/estimates */
	struct rv_run_id id;
	bool made;                /* this run's own, made by us */
	uint64_t device, inode;   /* of `run` */
};

/* The state directory as an absolute path, which need not be there. `state` NULL: .reeve here. */
int cli_rundir_state(char out[PATH_MAX], const char *state, struct rv_err *err);

/* Adds what helps where a state directory cannot be made or written, if `err` is of that kind and has no hint yet. */
void cli_rundir_hint(struct rv_err *err);

/* Does a process own `dir`, a run's directory or a coordinator's state directory? Who, as far as it is known. */
bool cli_rundir_held(const char *dir, struct rv_lock_holder *holder);

/* Makes what is missing; a new run id unless `id` names one that is there. */
int cli_rundir_make(struct cli_rundir *d, const char *state, const struct rv_run_id *id, struct rv_err *err);

/* Of a run that was never accepted: nobody would know what to make of its directory. Does nothing to one that was there before. */
void cli_rundir_discard(struct cli_rundir *d);

/* Whether the directory and the journal in it are still those the run began with: a unit may have removed them. RV_E_IO. */
int cli_rundir_check(const struct cli_rundir *d, struct rv_err *err);

/* Takes back the summary of a run that goes on: one lies there only once the run has ended and said so. */
void cli_rundir_unsay(const struct cli_rundir *d);

/* While a run lives there is a mark of it in STATE/live, so that what a dead one left is found without looking at every run there ever
 * was. Set once its journal is locked and before it starts anything; cleared when nothing of it runs any more. */
int cli_rundir_mark(const struct cli_rundir *d, struct rv_err *err);
void cli_rundir_unmark(const struct cli_rundir *d);
/* Ends processes of runs that were killed together with their warden; gives how many. Failures are silent: the next run tries again. */
uint32_t cli_rundir_sweep(const struct cli_rundir *d);

#endif
