/* runview.h - a run, ended or running, replayed through the coordinator's core
 *
 *	from its state directory    nobody is asked and nothing is written: the journal is read beside its owner
 *	from a coordinator          its facts and its plan are asked for (FACTS, BLOB_GET), and nothing is kept here
 *
 * Either way the core folds the facts, and the tally listens to the same transitions that a live run gives. What is shown is what the
 * coordinator believed.
 */
#ifndef CLI_RUNVIEW_H
#define CLI_RUNVIEW_H

#include "cli/result.h"
#include "cli/tally.h"
#include "common/id.h"
#include "common/os/blobs.h"
#include "common/os/signals.h"
#include "coordinator/core/io.h"

#include <limits.h>

struct coord_refold;
struct journal;

/* What is told by a coordinator, and how far. */
struct cli_remote {
	struct cli_client *client;
	struct coord_refold *fold;
	uint32_t next_index;       /* with cli_runview.next */
	uint64_t notes_next;       /* UINT64_MAX: none are wanted yet */
	uint64_t notes_after;      /* position: notes about facts before it are old */
	size_t told_bytes;         /* of records, in the last answer */
	uint64_t told_us;          /* CLOCK_REALTIME of its last row */
};

enum cli_runview_where {
	CLI_VIEW_DISK,     /* a state directory: the one named, else the nearest */
	CLI_VIEW_ANYWHERE, /* with --state that; else a coordinator that is named, the nearest coordinator or directory of runs, a login */
	CLI_VIEW_LIVE,     /* the same, but a run that lives is asked, not read: then it tells what began, and can be acted on */
};

struct cli_runview {
	char state[PATH_MAX];      /* .reeve or --state DIR, absolute; "": at a coordinator */
	char dir[PATH_MAX];        /* STATE/runs/RUN; "" there */
	char state_option[PATH_MAX + 32]; /* " --state DIR" or " --coordinator ADDR" where it was given: for suggested commands */
	struct rv_run_id id;
	struct journal *journal;   /* NULL: at a coordinator */
	struct rv_blobs blobs;     /* of the directory */
	struct cli_remote remote;
	struct rv_signals signals; /* of a directory that is followed */
	bool catching, interrupted;
	struct coord *core;
	const struct coord_graph *graph; /* of the core; NULL: the run was never accepted */
	struct cli_tally tally;
	uint8_t plan_blob[PROTO_DIGEST_BYTES]; /* the plan as accepted */
	struct rv_buf settings;    /* settings.json, "" = none */
	uint64_t next;             /* position to read from */
	enum cli_runview_where where;
	bool states_asked;         /* of live units: with CLI_VIEW_LIVE once, since notes tell what changes */
	/* Each transition, after the tally was fed with it. */
	void (*listen)(void *arg, const struct coord_transition *t);
	void *arg;
	enum cli_keep keep;
	struct rv_err err;         /* of something that failed inside a callback */
};

struct cli_runview_options {
	enum cli_runview_where where;
	const char *coordinator;   /* --coordinator, NULL: not given */
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
/* The same, but waits a while for it (a directory: CLI_VIEW_LOOK_US; a coordinator: until it tells, at most CLI_VIEW_WAIT_MS). Live notes
 * (started, ready, nodes) are told from the first call on. An interrupt ends it: then cli_runview_interrupted(). */
#define CLI_VIEW_LOOK_US 200000u
#define CLI_VIEW_WAIT_MS 20000u
int cli_runview_wait(struct cli_runview *v, struct rv_err *err);
/* At a coordinator: waits at most so long (0: not at all). */
int cli_runview_wait_ms(struct cli_runview *v, uint32_t wait_ms, struct rv_err *err);
/* From now on INT, TERM and HUP end cli_runview_wait() instead of the process. */
int cli_runview_catch_signals(struct cli_runview *v, struct rv_err *err);
static inline bool cli_runview_interrupted(const struct cli_runview *v)
{
	return v->interrupted;
}
static inline bool cli_runview_remote(const struct cli_runview *v)
{
	return v->remote.client != NULL;
}
void cli_runview_close(struct cli_runview *v);

/* Does a process own the run now? At a coordinator: it answered. */
bool cli_runview_owned(const struct cli_runview *v);
static inline bool cli_runview_ended(const struct cli_runview *v)
{
	return v->tally.finished_us != 0;
}

/* The plan as it was accepted; the caller destroys it. */
struct plan;
int cli_runview_plan(struct cli_runview *v, struct plan **out, struct rv_err *err);

struct cli_result_scope cli_runview_scope(struct cli_runview *v);
struct cli_blob_source cli_runview_blobs(struct cli_runview *v);

/* A string of settings.json into out[PATH_MAX]; false: it is not there. */
bool cli_runview_setting(const struct cli_runview *v, const char *key, char out[PATH_MAX]);
/* The directory of an attempt's namespace (NAMESPACES/runs/RUN/units/UNIT/ATTEMPT), which need not exist. */
int cli_runview_namespace(const struct cli_runview *v, struct rv_str unit_id, uint32_t attempt, char out[PATH_MAX],
			  struct rv_err *err);

/* --- shared by its two halves (runview.c, remote.c) --- */
struct coord_recover_hooks;
int cli_remote_open(struct cli_runview *v, const struct cli_place *place, struct rv_str run, const struct coord_recover_hooks *hooks, struct rv_err *err);
int cli_remote_read(struct cli_runview *v, uint32_t wait_ms, struct rv_err *err);
void cli_remote_close(struct cli_runview *v);

#endif
