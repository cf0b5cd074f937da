/* state.h - the warden's whole state, private to node/warden/
 *
 * An attempt's way: QUEUED -> RUNNING (<-> FROZEN) -> [STOPPING -> KILLING (-> UNKILLABLE)] -> over.
 *   QUEUED      held as it came; nothing of it exists outside this process
 *   RUNNING     its main process has been started; after ADOPT_US its pipes are watched and STARTED is told
 *   FROZEN      stands still; no timeout counts
 *   STOPPING    TERM was sent, by us or because its main process left others behind; KILL comes at stop_at
 *   KILLING     KILL was sent; looked at again until its tree is empty
 *   UNKILLABLE  told, but its tree is not empty yet: it keeps its slots
 *   OVER        tree empty, slots free; waits in `over` to be recorded and told, after the next one was started
 */
#ifndef WARDEN_STATE_H
#define WARDEN_STATE_H

#include "capture.h"
#include "channel.h"
#include "records.h"
#include "seglog.h"
#include "spawn.h"
#include "table.h"
#include "tree.h"

#include "common/heap.h"
#include "common/list.h"

#include <signal.h>

#define ADOPT_US 5000u            /* a unit that lives longer is watched and told of */
#define LOOK_AGAIN_US 1000u       /* first look at a tree that is not empty yet; doubles up to */
#define LOOK_AGAIN_US_MAX 50000u
#define POLL_US 1000000u          /* idle, memory and CPU limits; or a fraction of idle_us */
#define OVERTAKEN_MAX 100u        /* how often a wide attempt may be passed by */
#define QUEUE_LOOK_MAX 64u        /* attempts looked at for one that fits */
#define OUT_BYTES_HIGH ((size_t)8 << 20)  /* unread by the daemon: nothing new is started */
#define OUT_BYTES_LIVE ((size_t)1 << 20)  /* ... and no live output is added */
#define RETRY_US 5000u            /* programs are being loaded too slowly to start more */
#define REAP_MAX 512u             /* processes reaped in one turn */

enum attempt_phase {
	ATTEMPT_FREE = 0,
	ATTEMPT_QUEUED,
	ATTEMPT_RUNNING,
	ATTEMPT_FROZEN,
	ATTEMPT_STOPPING,
	ATTEMPT_KILLING,
	ATTEMPT_UNKILLABLE,
	ATTEMPT_OVER,
};

struct warden_options;

struct attempt {
	uint32_t index;
	enum attempt_phase phase;
	struct rv_list link;          /* queue or over; else a ring of its own */
	struct rv_buf bytes;          /* the SPAWN frame; spec borrows from it */
	struct warden_spawn spec;
	char label_room[WARDEN_LABEL_BYTES_MAX + 1];
	struct rv_str label;
	uint32_t overtaken;
	uint32_t record;
	struct tree *tree;            /* while it has processes */
	struct capture capture;
	pid_t pid;
	bool main_ended, adopted, retried;
	int status;                   /* of wait4() */
	uint64_t cpu_us, maxrss_bytes;
	uint64_t start_mono, start_real, end_mono, end_real;
	uint64_t frozen_us, frozen_since;
	enum warden_why why;
	enum warden_fault fault;
	int sys;
	char detail[160];
	uint8_t strays;
	uint64_t stop_at, killed_at;
	uint64_t look_at, look_step;  /* the tree of an ending attempt */
	uint64_t poll_at, poll_last, poll_cpu, active_at; /* limits */
	uint64_t cpu_base;            /* of a reused cgroup */
};

enum warden_life { WARDEN_WAITING, WARDEN_SERVING, WARDEN_ENDING, WARDEN_DONE };

struct warden {
	enum warden_life life;
	int fd;                       /* channel; -1: the daemon is gone */
	int epoll_fd, signal_fd;
	bool watching_out;
	struct rv_buf in, out;
	size_t out_at;
	uint64_t out_since;           /* since when `out` holds something; 0: it does not */
	enum warden_level forced;
	uint32_t slots, agent_slots, slots_used, agent_slots_used;
	uint32_t queue_max;
	uint64_t queue_bytes_max, queue_bytes;
	uint64_t default_grace_us, unkillable_us;
	char *state_dir, *label_prefix;
	struct spawner spawner;
	struct trees trees;
	struct seglog log;
	struct pipe_pool pipes;
	bool log_open, noted;         /* noted: the note in the state directory is ours (orphans.c) */
	struct records records;
	struct attempt **attempts;    /* by index; NULL: never used */
	uint32_t attempt_room;
	uint32_t *spare;              /* indices free for use */
	uint32_t spare_count;
	uint32_t live, running;       /* not FREE; RUNNING..UNKILLABLE */
	struct rv_heap deadlines;
	struct keymap by_key, by_pid;
	struct rv_list queue, over;
	uint32_t queued;
	bool starved;                 /* no descriptors or processes: wait for one to end */
	uint64_t retry_at;            /* nothing is started before */
	bool urgent;                  /* `out` holds something that must not wait for the batch */
	bool reap_again;
	const struct rv_log *says;    /* parent.h; NULL: of no node */
	pid_t daemon_pid;             /* the daemon, where it is our child (parent.h); 0: it is not, or has been reaped */
	int daemon_status;            /* of wait4(), once it has */
	bool cut_off;                 /* the channel ended before anyone asked for an end, while this many were queued or ran */
	uint32_t units_cut;
	bool parent, daemon_ended;    /* it is our child; it has been reaped and that has not been looked at yet */
	char *scratch;                /* CAPTURE_READ_BYTES */
	uint64_t now;                 /* CLOCK_MONOTONIC of this turn */
};

/* attempt.c, queue.c, ending.c */
struct attempt *attempt_new(struct warden *w, const struct warden_spawn *spec, struct rv_str frame, struct rv_err *err);
void attempt_free(struct warden *w, struct attempt *a);
void attempt_unqueue(struct warden *w, struct attempt *a);
void attempt_blame(struct attempt *a, enum warden_fault fault, int sys, const char *step); /* fault, sys, detail */
void attempt_arm(struct warden *w, struct attempt *a);   /* its next deadline, after any change */
struct attempt *attempt_find(struct warden *w, uint64_t key);
void queue_start(struct warden *w);                      /* starts what fits */
void attempt_stop(struct warden *w, struct attempt *a, enum warden_why why, uint64_t grace_us); /* RV_NEVER: its own */
void attempt_freeze(struct warden *w, struct attempt *a);
void attempt_thaw(struct warden *w, struct attempt *a);
void attempt_tick(struct warden *w, struct attempt *a);  /* its deadline has come */
void attempt_readable(struct warden *w, struct attempt *a, int stream);
void attempt_unwatch(struct warden *w, struct attempt *a, int stream);
void attempt_look(struct warden *w, struct attempt *a);  /* an ending one: is its tree empty by now? */
void attempts_reap(struct warden *w);
void attempts_complete(struct warden *w);                /* records and tells those that are over */
void attempts_release(struct warden *w);

/* How a warden that is the daemon's parent ended. */
struct warden_end {
	bool daemon_alive;
	int daemon_status;            /* of wait4(), if it is not */
	bool cut_off;                 /* as in struct warden */
	uint32_t units_cut;
};

/* warden.c */
/* warden_main() for both: `daemon` is our child at the channel's other end, or 0 (then `end` may be NULL). */
int warden_serve(int fd, const struct warden_options *options, pid_t daemon, const struct rv_log *log, struct warden_end *end);
void warden_drain_channel(struct warden *w);
void warden_daemon_gone(struct warden *w);               /* records what has ended, begins to end the rest */
void tell(struct warden *w);                             /* something was appended to out */
static inline void tell_now(struct warden *w)
{
	w->urgent = true;
	tell(w);
}

/* parent.c */
void parent_add_signals(sigset_t *wanted);
void parent_on_signal(struct warden *w, int signo);
void parent_reaped(struct warden *w, int status);
void parent_daemon_end(struct warden *w);

/* orphans.c */
int orphans_note(const char *state_dir, const struct trees *t, const char *label_prefix, struct rv_err *err);
void orphans_clear(const char *state_dir);

#endif
