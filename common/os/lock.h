/* lock.h - a lock file that says who holds it
 *
 * The lock itself is the kernel's (an open-file-description lock, like flock: gone the moment its holder is, whatever
 * killed it); what is written in the file only tells people who holds it, and guards where the kernel cannot know.
 * A live lock is never stolen:
 *
 *	kernel says held                       busy, also if the file is empty or nonsense (its holder is just writing)
 *	free, file empty or nonsense           taken: it was given back, or its holder died before it wrote
 *	free, written under this boot          taken if that process is gone or its pid is another process now
 *	                                       (start time); busy if it lives (a file system that shares no locks)
 *	free, other boot, same host            taken: the machine has restarted since
 *	free, other host                       local file system: taken (nobody else can have it mounted); network
 *	                                       file system: busy, since that host's locks may not reach us
 *
 * A failure to write the file (disk full) is that error, never "busy", and nothing is held. The file stays after
 * release, emptied; whoever removes one must hold it (rv_lock_release with RV_LOCK_REMOVE).
 */
#ifndef RV_OS_LOCK_H
#define RV_OS_LOCK_H

#include "common/base.h"
#include "common/err.h"
#include "common/os/host.h"

#include <sys/types.h>

#define RV_LOCK_WHAT_MAX 95

struct rv_lock_holder {
	bool known;                        /* false: the file says nothing readable */
	char host[RV_HOST_NAME_MAX + 1];
	uint8_t boot_id[RV_BOOT_ID_BYTES]; /* zeros: unknown */
	pid_t pid;
	uint64_t start_ticks;              /* of the process (host.h); 0: unknown */
	char what[RV_LOCK_WHAT_MAX + 1];   /* who, in the holder's words: "reeve run 4k2m9x01ab" */
};

struct rv_lock {
	int fd; /* -1: not held */
	int dir;
	pid_t owner; /* a child that inherited this must not give it back */
	char name[64];
};

enum rv_lock_end { RV_LOCK_KEEP, RV_LOCK_REMOVE };

/* Takes `name` (one part) in directory `dir`, which is borrowed until release. RV_E_BUSY: somebody holds it, named in
 * the message and, if `holder` is not NULL, there. */
int rv_lock_take(struct rv_lock *l, int dir, const char *name, const char *what, struct rv_lock_holder *holder,
		 struct rv_err *err);

/* Gives it back; on a lock that is not held (or an inherited one) nothing happens but closing. */
void rv_lock_release(struct rv_lock *l, enum rv_lock_end end);

/* Who holds it? Disturbs nobody. 1: held, `holder` filled as far as known; 0: free, or no such file. */
int rv_lock_probe(int dir, const char *name, struct rv_lock_holder *holder, struct rv_err *err);

/* "reeve run 4k2m9x01ab (pid 4711 on build7)"; cut to `size`. */
void rv_lock_holder_text(const struct rv_lock_holder *h, char *out, size_t size);

/* --- the rule above, for tests: the kernel's lock is ours, may the old holder still live? ----------------------- */

struct rv_lock_self {
	const char *host;
	const uint8_t *boot_id;
	pid_t pid;
	bool local;        /* the file system cannot be mounted by two kernels */
	int process;       /* rv_host_process_start() of the old holder's pid here: 1, 0, -1 */
	uint64_t process_ticks;
};

bool rv_lock_may_live(const struct rv_lock_holder *old, const struct rv_lock_self *self);

#endif
