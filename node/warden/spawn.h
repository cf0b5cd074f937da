/* spawn.h - starts one program, at less than the price of a bare posix_spawn
 *
 * The child shares the warden's memory until it has exec'd (CLONE_VM), runs on a stack of its own and makes only raw system
 * calls. The warden does not wait for that (no CLONE_VFORK): it goes on at once, so that other units are reaped and
 * started meanwhile and a program on a dead network mount holds up nobody. What the child needs lies in a `launch`, which
 * the kernel marks as left (CLONE_CHILD_CLEARTID) when the child has exec'd or ended. A failed exec shows when the child is
 * reaped: spawner_failed(). No shell, no helper, no file; PATH look-ups are cached.
 */
#ifndef WARDEN_SPAWN_H
#define WARDEN_SPAWN_H

#include "channel.h"
#include "program.h"

#include <sys/resource.h>
#include <sys/types.h>

#define SPAWN_STACK_BYTES (16u << 10)
#define SPAWN_LAUNCHES 32u  /* children between clone and exec at once */
#define SPAWN_RETIRED_MAX 16u

/* Whether this build can be born into a cgroup (clone3 with a stack needs a few instructions of our own). */
#if defined(__x86_64__)
#define SPAWN_BORN_INSIDE 1
#else
#define SPAWN_BORN_INSIDE 0
#endif

/* One ENV_BASE. */
struct spawn_env {
	char *bytes;
	const char **at;      /* `count` strings "NAME=value" inside bytes */
	uint32_t *name_bytes; /* of each */
	uint32_t count;
	bool known;
};

struct launch; /* spawn.c */

struct spawner {
	struct launch *launches; /* SPAWN_LAUNCHES of them */
	bool no_clone3;       /* forbidden here (older container engines, valgrind) */
	struct spawn_env retired[SPAWN_RETIRED_MAX]; /* bases replaced while a child may still read them */
	uint32_t retired_count;
	struct spawn_env bases[WARDEN_ENV_BASES_MAX];
	struct program_cache programs;
	pid_t self;
	int null_fd;
	struct rlimit64 nofile; /* RLIMIT_NOFILE that units get back, if */
	bool raised_nofile;
};

/* How the child enters its tree, from tree.h. */
struct spawn_place {
	int cgroup_fd;        /* CLONE_INTO_CGROUP; -1: none */
	int procs_fd;         /* cgroup.procs for kernels without it; -1 */
	int mnt_ns_fd;        /* of a PID namespace's own /proc; -1 */
	bool pid_ns;          /* the warden has set its pid_for_children: getppid() is 0 inside */
};

struct spawn_result {
	pid_t pid;                  /* > 0: it has been made */
	enum warden_fault fault;    /* else */
	int sys;
	const char *step;           /* what failed, static */
	bool stale_path;            /* the cached path of the program was wrong: worth another try */
};

int spawner_init(struct spawner *s, struct rv_err *err);
void spawner_release(struct spawner *s);
int spawner_env(struct spawner *s, const struct warden_env_base *base);

/* Makes a child with stdout and stderr on the given descriptors. `label` becomes REEVE_SESSION_ID. 0, or -1 with
 * result->fault (sys EBUSY: SPAWN_LAUNCHES children have not exec'd for a while; try again later). The spec's strings must
 * stay until the child has been reaped. */
int spawner_start(struct spawner *s, const struct warden_spawn *spec, struct rv_str label, const struct spawn_place *place,
		  int out_fd, int err_fd, struct spawn_result *result);
/* Of a child that has just been reaped: true and the reason if it never became its program. To be asked once for every
 * reaped child that spawner_start() made. */
bool spawner_failed(struct spawner *s, pid_t pid, struct spawn_result *result);

#endif
