/* procs.h - what /proc says of processes: who descends from whom, whose label they carry, what they use
 *
 * A snapshot, stale the moment it is taken: callers that kill take another until nothing is found.
 */
#ifndef WARDEN_PROCS_H
#define WARDEN_PROCS_H

#include "common/base.h"

#include <sys/types.h>

#define PROCS_MAX 131072u

struct proc {
	pid_t pid, ppid, sid;
	char state;           /* 'R', 'S', 'Z', ... */
	bool in;              /* mark of procs_mark_descendants() */
	uint64_t start;       /* clock ticks since boot: tells a reused pid */
	uint64_t cpu_us;      /* its own, not its children's */
	uint64_t rss_bytes;
};

struct procs {
	struct proc *at;      /* after procs_scan() sorted by pid */
	uint32_t count, room;
};

void procs_init(struct procs *p);
void procs_release(struct procs *p);
/* Reads all of /proc; -1 when it cannot be read. Processes that vanish meanwhile are left out. */
int procs_scan(struct procs *p);
/* Adds `root` and what descends from it now, by the kernel's lists of children: its price is the tree's size, not the
 * machine's. Only pids are set. -1 when memory runs out. */
int procs_add_tree(struct procs *p, pid_t root);
struct proc *procs_find(const struct procs *p, pid_t pid);
/* Marks `in` every process that is marked already or descends from a marked one; clear the marks first. */
void procs_clear_marks(struct procs *p);
void procs_mark_descendants(struct procs *p);

/* One process; false when it is gone. */
bool proc_read(pid_t pid, struct proc *out);
/* Whether its environment as it was at exec holds REEVE_SESSION_ID beginning with (or, `whole`, being) this label. */
enum proc_label { PROC_LABEL_PREFIX, PROC_LABEL_WHOLE };
bool proc_has_label(pid_t pid, struct rv_str label, enum proc_label how);
/* Direct children of `pid`, all its threads' (or its main thread's, which is cheaper), at most `room`: how many
 * there are, or -1 where the kernel does not say or the process is gone. */
enum proc_threads { PROC_MAIN_THREAD, PROC_ALL_THREADS };
int proc_children(pid_t pid, enum proc_threads threads, pid_t *out, int room);

#endif
