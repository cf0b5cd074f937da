/* spawn.h - starts one program, as near to the price of a bare posix_spawn as it gets
 *
 * The child shares the warden's memory until it has exec'd (CLONE_VM | CLONE_VFORK), runs on a stack of its own and
 * makes only raw system calls. What can be prepared is prepared before the clone: the environment's array, the path of
 * the program (with a cache of PATH look-ups), the descriptors. No shell, no helper, no file.
 */
#ifndef WARDEN_SPAWN_H
#define WARDEN_SPAWN_H

#include "channel.h"

#include <sys/resource.h>
#include <sys/types.h>

#define SPAWN_STACK_BYTES (64u << 10)
#define SPAWN_PATHS_MAX 256u

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

struct spawn_path {
	uint64_t hash;        /* of program name and PATH; 0: unused */
	char *path;
};

struct spawner {
	char *stack;
	const char **argv;    /* scratch, grown as needed */
	const char **envp;
	size_t argv_room, envp_room;
	struct spawn_env bases[WARDEN_ENV_BASES_MAX];
	struct spawn_path paths[SPAWN_PATHS_MAX];
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
	pid_t pid;                  /* > 0: it runs */
	enum warden_fault fault;    /* else */
	int sys;
	const char *step;           /* what failed, static */
};

int spawner_init(struct spawner *s, struct rv_err *err);
void spawner_release(struct spawner *s);
int spawner_env(struct spawner *s, const struct warden_env_base *base);

/* Starts it with stdout and stderr on the given descriptors. `label` becomes REEVE_SESSION_ID. 0, or -1 with result->fault. */
int spawner_start(struct spawner *s, const struct warden_spawn *spec, struct rv_str label, const struct spawn_place *place,
		  int out_fd, int err_fd, struct spawn_result *result);

#endif
