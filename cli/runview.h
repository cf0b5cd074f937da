/* runview.h - a run opened from its state directory, ended or running, and replayed through the coordinator's core
 *
 * Nobody is asked and nothing is written: the journal is read beside its owner, the core folds its facts, and the tally
 * listens to the same transitions that a live run gives. What is shown is what the coordinator believed.
 */
#ifndef CLI_RUNVIEW_H
#define CLI_RUNVIEW_H

#include "cli/result.h"
#include "cli/tally.h"
#include "common/id.h"
#include "common/os/blobs.h"
#include "coordinator/core/io.h"

#include <limits.h>

struct journal;

struct cli_runview {
	char state[PATH_MAX];      /* .reeve or --state DIR, absolute */
	char dir[PATH_MAX];        /* STATE/runs/RUN */
	char state_option[PATH_MAX + 16]; /* " --state DIR" where it was given: for suggested commands */
	struct rv_run_id id;
	struct journal *journal;
	struct rv_blobs blobs;
	struct coord *core;
	const struct coord_graph *graph; /* of the core; NULL: the run was never accepted */
	struct cli_tally tally;
	uint8_t plan_blob[PROTO_DIGEST_BYTES]; /* the plan as accepted */
	struct rv_buf settings;    /* settings.json, "" = none */
	uint64_t next;             /* position to read from */
	/* Each transition, after the tally was fed with it. */
	void (*listen)(void *arg, const struct coord_transition *t);
	void *arg;
	enum cli_keep keep;
	struct rv_err err;         /* of something that failed inside a callback */
};

struct cli_runview_options {
	const char *state;         /* --state, NULL: find it */
	struct rv_str run;         /* "" = the newest */
	enum cli_keep keep;
	void (*listen)(void *arg, const struct coord_transition *t);
	void *arg;
};

/* Opens and reads all there is. `v` may be closed whatever happened. */
int cli_runview_open(struct cli_runview *v, const struct cli_runview_options *opt, struct rv_err *err);
/* What was committed since. */
int cli_runview_more(struct cli_runview *v, struct rv_err *err);
void cli_runview_close(struct cli_runview *v);

/* Does a process own the run now? */
bool cli_runview_owned(const struct cli_runview *v);
static inline bool cli_runview_ended(const struct cli_runview *v)
{
	return v->tally.finished_us != 0;
}

/* The plan as it was accepted; the caller destroys it. */
struct plan;
int cli_runview_plan(struct cli_runview *v, struct plan **out, struct rv_err *err);

struct cli_result_scope cli_runview_scope(struct cli_runview *v);

/* A string of settings.json into out[PATH_MAX]; false: it is not there. */
bool cli_runview_setting(const struct cli_runview *v, const char *key, char out[PATH_MAX]);
/* The directory of an attempt's namespace (NAMESPACES/runs/RUN/units/UNIT/ATTEMPT), which need not exist. */
int cli_runview_namespace(const struct cli_runview *v, struct rv_str unit_id, uint32_t attempt, char out[PATH_MAX],
			  struct rv_err *err);

#endif
