/* tree.h - the processes of one unit, held together so that none is left when it is over
 *
 * Three levels (enum warden_level), chosen once for the warden: the strongest that works here, or the one asked for.
 *   cgroup     a directory below our own in the v2 hierarchy, wherever that is mounted (hybrid hosts too)
 *   pidns      a PID namespace whose init is ours: it forwards TERM to all, and its death ends all
 *   subreaper  orphans become the warden's children; whose they are is told by session and REEVE_SESSION_ID
 * A tree is made when none is free and used again once it is empty.
 */
#ifndef WARDEN_TREE_H
#define WARDEN_TREE_H

#include "channel.h"
#include "procs.h"
#include "spawn.h"

#include "common/list.h"

/* Processes handled in one pass; more are met by the next pass. */
#define TREE_SCRATCH 4096

struct tree {
	struct rv_list link;     /* free trees, newest first */
	struct rv_list of_all;
	int dir_fd, events_fd, procs_fd; /* cgroup */
	char name[24];
	pid_t init;              /* pidns */
	int pid_ns_fd, mnt_ns_fd;
	pid_t main;              /* of the unit that uses it; 0 once it has been reaped */
	pid_t session;           /* the same, kept: its session and process group */
	char label[WARDEN_LABEL_BYTES_MAX + 1];
	bool is_free, doomed;    /* doomed: it has been killed and cannot be used again */
};

struct trees {
	enum warden_level level;
	struct rv_list all, spare;
	uint32_t count, in_use, live_mains;
	char *base;              /* absolute path of our directory in the v2 hierarchy; NULL at other levels */
	int base_fd;
	uint32_t named;          /* directories made so far */
	bool by_procs;           /* children write themselves into cgroup.procs: CLONE_INTO_CGROUP does not work here */
	pid_t kept;              /* a child of the warden that is no unit's and is left alone: the daemon; 0: none */
	pid_t maker;             /* pidns: the process that makes the inits, and how it is asked */
	int maker_fd;
	struct procs procs;
	pid_t *scratch;          /* TREE_SCRATCH of them */
};

/* `wanted` NONE: the strongest there is without entering a user namespace (see pidns.h). -1: the level asked for does not
 * work here. */
int trees_init(struct trees *t, enum warden_level wanted, struct rv_err *err);
/* Removes what it made; trees in use are killed and left to the next warden. */
void trees_release(struct trees *t);

/* A free tree, or a new one; NULL with errno set. */
struct tree *tree_take(struct trees *t);
/* For spawner_start(); -1 with errno when the warden cannot enter it. */
int tree_place(struct trees *t, struct tree *tree, struct spawn_place *place);
void tree_started(struct trees *t, struct tree *tree, pid_t main, struct rv_str label);
void tree_main_reaped(struct trees *t, struct tree *tree);
/* Back to the free ones: it is empty, or was never used. */
void tree_give(struct trees *t, struct tree *tree);

/* Whether nothing of it lives; cheap, called at each exit of a main process. */
bool tree_empty(struct trees *t, struct tree *tree);
/* The living ones, at most `room` of them: how many there are. */
int tree_pids(struct trees *t, struct tree *tree, pid_t *out, int room);
/* TERM to each; then CONT, so that a stopped one can obey. */
void tree_term(struct trees *t, struct tree *tree);
/* KILL to each, whole: what forks meanwhile dies as well, at once or at the next call. */
void tree_kill(struct trees *t, struct tree *tree);
void tree_freeze(struct trees *t, struct tree *tree);
void tree_thaw(struct trees *t, struct tree *tree);
/* CPU time and resident memory of the living (cgroup: CPU of all that ever ran in it, the earlier units' too). */
void tree_usage(struct trees *t, struct tree *tree, uint64_t *cpu_us, uint64_t *rss_bytes);
/* A reaped process that is no unit's: true if it was the init of a tree, which is then of no more use. */
bool trees_reaped(struct trees *t, pid_t pid);

/* The v2 hierarchy as this process sees it: our own directory in it, or NULL. The caller frees. */
char *cgroup_own_dir(void);
/* Kills all below `dir` (relative to nothing), waits until it is empty and removes it; gives the number of processes that
 * were in it, or -1. */
int cgroup_end(const char *dir, uint64_t timeout_us);

#endif
