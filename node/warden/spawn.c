#include "spawn.h"

#include "common/map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_SANITIZE __attribute__((no_sanitize("address", "undefined", "thread")))

/* ---- the child's side: raw system calls only, errno (which it would share with the warden) untouched ---- */

#if defined(__x86_64__)
static inline __attribute__((always_inline)) NO_SANITIZE long raw5(long n, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return ret;
}
#else
static inline __attribute__((always_inline)) NO_SANITIZE long raw5(long n, long a, long b, long c, long d, long e)
{
	long ret = syscall(n, a, b, c, d, e);

	return ret < 0 ? -errno : ret;
}
#endif

#define raw(n, a, b, c, d) raw5(n, a, b, c, d, 0)

struct job {
	const char *path;
	const char *const *argv;
	const char *const *envp;
	const char *cwd;       /* NULL: stay */
	int fds[3];
	int procs_fd, mnt_ns_fd;
	pid_t parent;
	uint64_t nofile, fsize;
	const struct rlimit64 *restore_nofile; /* the limit that the warden raised for itself; NULL */
	bool no_new_privs, set_core;
	uint64_t core;
	uint32_t uid, gid, umask;
	sigset_t no_signals;
	/* out */
	int sys;
	const char *step;
	enum warden_fault fault;
};

static inline __attribute__((always_inline)) NO_SANITIZE void give_up(struct job *j, enum warden_fault fault, const char *step, long ret)
{
	j->sys = (int)-ret;
	j->step = step;
	j->fault = fault;
	for (;;)
		raw(SYS_exit_group, 127, 0, 0, 0);
}

/* Lowers soft and hard limit to `value`, never above the hard limit there is. */
static inline __attribute__((always_inline)) NO_SANITIZE long lower_limit(int which, uint64_t value)
{
	struct rlimit64 now, want;
	long ret = raw(SYS_prlimit64, 0, which, 0, (long)&now);

	if (ret < 0)
		return ret;
	want.rlim_cur = value < now.rlim_max ? value : now.rlim_max;
	want.rlim_max = want.rlim_cur;
	return raw(SYS_prlimit64, 0, which, (long)&want, 0);
}

static NO_SANITIZE void child(void *arg)
{
	struct job *j = arg;
	long ret;

	raw(SYS_setsid, 0, 0, 0, 0);
	if (j->procs_fd >= 0 && (ret = raw(SYS_write, j->procs_fd, (long)"0", 1, 0)) < 0)
		give_up(j, WARDEN_FAULT_SETUP, "cgroup", ret);
	if (j->mnt_ns_fd >= 0 && (ret = raw(SYS_setns, j->mnt_ns_fd, CLONE_NEWNS, 0, 0)) < 0)
		give_up(j, WARDEN_FAULT_SETUP, "mount namespace", ret);
	for (int i = 0; i < 3; i++)
		if ((ret = raw(SYS_dup3, j->fds[i], i, 0, 0)) < 0)
			give_up(j, WARDEN_FAULT_OUTPUT, "dup", ret);
	if (j->restore_nofile)
		raw(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)j->restore_nofile, 0);
	if (j->nofile && (ret = lower_limit(RLIMIT_NOFILE, j->nofile)) < 0)
		give_up(j, WARDEN_FAULT_SETUP, "limit nofile", ret);
	if (j->fsize && (ret = lower_limit(RLIMIT_FSIZE, j->fsize)) < 0)
		give_up(j, WARDEN_FAULT_SETUP, "limit fsize", ret);
	if (j->set_core && (ret = lower_limit(RLIMIT_CORE, j->core)) < 0)
		give_up(j, WARDEN_FAULT_SETUP, "limit core", ret);
	if (j->gid != WARDEN_KEEP || j->uid != WARDEN_KEEP) {
		ret = raw(SYS_setgroups, 0, 0, 0, 0);
		if (ret >= 0 && j->gid != WARDEN_KEEP)
			ret = raw(SYS_setresgid, j->gid, j->gid, j->gid, 0);
		if (ret >= 0 && j->uid != WARDEN_KEEP)
			ret = raw(SYS_setresuid, j->uid, j->uid, j->uid, 0);
		if (ret < 0)
			give_up(j, WARDEN_FAULT_SETUP, "user", ret);
	}
	if (j->umask != WARDEN_KEEP)
		raw(SYS_umask, j->umask, 0, 0, 0);
	if (j->cwd && (ret = raw(SYS_chdir, (long)j->cwd, 0, 0, 0)) < 0)
		give_up(j, WARDEN_FAULT_CWD, "working directory", ret);
	/* After the change of user, which would clear it; then look whether the warden died before it was set. */
	raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	if (raw(SYS_getppid, 0, 0, 0, 0) != j->parent)
		give_up(j, WARDEN_FAULT_SETUP, "warden gone", 0);
	if (j->no_new_privs && (ret = raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0)) < 0)
		give_up(j, WARDEN_FAULT_SETUP, "no_new_privs", ret);
	raw(SYS_close_range, 3, ~0U, 0, 0);
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&j->no_signals, 0, 8);
	ret = raw(SYS_execve, (long)j->path, (long)j->argv, (long)j->envp, 0);
	give_up(j, WARDEN_FAULT_NOT_FOUND, "exec", ret);
}

/* clone3 with a stack of the child's own needs a few instructions of our own, since the child must not return through
 * the frame it was made in. Elsewhere glibc's clone() does, without CLONE_INTO_CGROUP: the child then writes itself
 * into cgroup.procs. */
#if SPAWN_BORN_INSIDE
static NO_SANITIZE pid_t clone3_on_stack(struct clone_args *args, struct job *j)
{
	register void (*fn)(void *) __asm__("r12") = child;
	register void *arg __asm__("r13") = j;
	long ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(fn), "r"(arg)
			 : "rcx", "r11", "memory");
	return (pid_t)ret;
}
#endif

static NO_SANITIZE int child_entry(void *arg)
{
	child(arg);
	return 127;
}

/* The pid, or -errno. */
static pid_t make(struct spawner *s, struct job *j, const struct spawn_place *place)
{
	pid_t pid;

#if SPAWN_BORN_INSIDE
	if (place->cgroup_fd >= 0) {
		struct clone_args args = {
			.flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP,
			.exit_signal = SIGCHLD,
			.stack = (uintptr_t)s->stack,
			.stack_size = SPAWN_STACK_BYTES,
			.cgroup = (uint64_t)place->cgroup_fd,
		};

		return clone3_on_stack(&args, j);
	}
#endif
	pid = clone(child_entry, s->stack + SPAWN_STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, j);
	return pid < 0 ? -errno : pid;
}

/* ---- before the clone ---- */

/* The warden holds four descriptors a running unit, so it takes what it may have; units get the old limit back. */
static void raise_nofile(struct spawner *s)
{
	struct rlimit64 all;

	if (getrlimit64(RLIMIT_NOFILE, &s->nofile) || s->nofile.rlim_cur >= s->nofile.rlim_max)
		return;
	all = s->nofile;
	all.rlim_cur = all.rlim_max < 1 << 20 ? all.rlim_max : 1 << 20;
	s->raised_nofile = !setrlimit64(RLIMIT_NOFILE, &all);
}

int spawner_init(struct spawner *s, struct rv_err *err)
{
	memset(s, 0, sizeof(*s));
	s->null_fd = -1;
	s->self = getpid();
	s->stack = mmap(NULL, SPAWN_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (s->stack == MAP_FAILED) {
		s->stack = NULL;
		return rv_fail_errno(err, errno, "stack for spawning");
	}
	s->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->null_fd < 0)
		return rv_fail_errno(err, errno, "/dev/null");
	raise_nofile(s);
	return 0;
}

static void env_release(struct spawn_env *e)
{
	free(e->bytes);
	free(e->at);
	free(e->name_bytes);
	*e = (struct spawn_env){ 0 };
}

void spawner_release(struct spawner *s)
{
	for (uint32_t i = 0; i < WARDEN_ENV_BASES_MAX; i++)
		env_release(&s->bases[i]);
	for (uint32_t i = 0; i < SPAWN_PATHS_MAX; i++)
		free(s->paths[i].path);
	free(s->argv);
	free(s->envp);
	if (s->stack)
		munmap(s->stack, SPAWN_STACK_BYTES);
	if (s->null_fd >= 0)
		close(s->null_fd);
	memset(s, 0, sizeof(*s));
	s->null_fd = -1;
}

static uint32_t name_bytes(const char *var)
{
	const char *eq = strchr(var, '=');

	return (uint32_t)(eq ? (size_t)(eq - var) : strlen(var));
}

int spawner_env(struct spawner *s, const struct warden_env_base *base)
{
	struct spawn_env e = { .known = true };
	size_t at = 0;
	const char *v;
	struct warden_strv copy;

	if (base->id >= WARDEN_ENV_BASES_MAX)
		return -1;
	e.bytes = malloc(base->env.bytes.bytes + 1);
	e.at = calloc((size_t)base->env.count + 1, sizeof(*e.at));
	e.name_bytes = calloc((size_t)base->env.count + 1, sizeof(*e.name_bytes));
	if (!e.bytes || !e.at || !e.name_bytes) {
		env_release(&e);
		return -1;
	}
	if (base->env.bytes.bytes)
		memcpy(e.bytes, base->env.bytes.at, base->env.bytes.bytes);
	copy = (struct warden_strv){ .count = base->env.count, .bytes = rv_str(e.bytes, base->env.bytes.bytes) };
	while ((v = warden_strv_next(&copy, &at))) {
		e.at[e.count] = v;
		e.name_bytes[e.count++] = name_bytes(v);
	}
	env_release(&s->bases[base->id]);
	s->bases[base->id] = e;
	return 0;
}

static int room(const char ***array, size_t *have, size_t want)
{
	const char **grown;

	if (want <= *have)
		return 0;
	grown = realloc(*array, want * 2 * sizeof(**array));
	if (!grown)
		return -1;
	*array = grown;
	*have = want * 2;
	return 0;
}

static bool named_in(const struct warden_strv *v, const char *var, uint32_t bytes)
{
	size_t at = 0;
	const char *s;

	while ((s = warden_strv_next(v, &at)))
		if (!strncmp(s, var, bytes) && (s[bytes] == '=' || s[bytes] == 0))
			return true;
	return false;
}

/* Fills s->envp: base less what is unset or set anew, then what is set, then the label. Gives PATH's value or NULL. */
static int build_env(struct spawner *s, const struct warden_spawn *spec, const char *label_var, const char **path)
{
	const struct spawn_env *base = &s->bases[spec->env_base];
	size_t n = 0, at = 0;
	const char *v;

	*path = NULL;
	if (room(&s->envp, &s->envp_room, (size_t)base->count + spec->env_set.count + 2))
		return -1;
	for (uint32_t i = 0; i < base->count; i++) {
		if (spec->env_set.count && named_in(&spec->env_set, base->at[i], base->name_bytes[i]))
			continue;
		if (spec->env_unset.count && named_in(&spec->env_unset, base->at[i], base->name_bytes[i]))
			continue;
		s->envp[n++] = base->at[i];
	}
	while ((v = warden_strv_next(&spec->env_set, &at)))
		s->envp[n++] = v;
	for (size_t i = n; i > 0 && !*path; i--)
		if (!strncmp(s->envp[i - 1], "PATH=", 5))
			*path = s->envp[i - 1] + 5;
	s->envp[n++] = label_var;
	s->envp[n] = NULL;
	return 0;
}

static bool executable(const char *path, int *sys)
{
	struct stat st;

	if (stat(path, &st))
		return false; /* a directory of PATH that is closed to us holds nothing for us */
	if (S_ISREG(st.st_mode) && (st.st_mode & 0111))
		return true;
	*sys = EACCES;
	return false;
}

/* Walks PATH as execvp does; relative entries are relative to the unit's cwd. NULL: *sys says why. */
static char *search(const char *name, const char *path, const char *cwd, int *sys)
{
	struct rv_buf b;
	const char *dir = path ? path : "/usr/local/bin:/usr/bin:/bin";
	char *found = NULL;

	*sys = ENOENT;
	rv_buf_init(&b, 1 << 20);
	for (;;) {
		size_t n = strcspn(dir, ":");

		rv_buf_reset(&b);
		if (dir[0] != '/' || n == 0) {
			rv_buf_puts(&b, cwd ? cwd : ".");
			if (n)
				rv_buf_putc(&b, '/');
		}
		rv_buf_put(&b, dir, n);
		rv_buf_putc(&b, '/');
		rv_buf_puts(&b, name);
		if (!b.failed && executable(b.at, sys)) {
			found = strdup(b.at);
			break;
		}
		if (!dir[n])
			break;
		dir += n + 1;
	}
	rv_buf_release(&b);
	return found;
}

static struct spawn_path *path_slot(struct spawner *s, const char *name, const char *path, uint64_t *hash)
{
	*hash = rv_hash(rv_hash(1, rv_str_of(path ? path : "")), rv_str_of(name)) | 1;
	return &s->paths[*hash >> 8 & (SPAWN_PATHS_MAX - 1)];
}

/* The program's path: as it is with a slash, else by PATH, from the cache if it is there. */
static const char *resolve(struct spawner *s, const char *name, const char *path, const char *cwd, int *sys)
{
	struct spawn_path *slot;
	uint64_t hash;
	char *found;

	if (strchr(name, '/'))
		return name;
	if (!name[0] || strlen(name) > 4096) {
		*sys = ENOENT;
		return NULL;
	}
	slot = path_slot(s, name, path, &hash);
	if (slot->hash == hash && slot->path)
		return slot->path;
	found = search(name, path, cwd, sys);
	if (!found)
		return NULL;
	/* One entry a slot: a new name takes the place of an old one, so the cache is bounded. What lies in a relative
	 * directory depends on the cwd and is looked up each time. */
	free(slot->path);
	slot->path = found;
	slot->hash = found[0] == '/' && !(cwd && !strncmp(found, cwd, strlen(cwd))) ? hash : 0;
	return slot->path;
}

static void forget_path(struct spawner *s, const char *name, const char *path)
{
	uint64_t hash;
	struct spawn_path *slot;

	if (strchr(name, '/'))
		return;
	slot = path_slot(s, name, path, &hash);
	slot->hash = 0;
}

static int refuse(struct spawn_result *r, enum warden_fault fault, int sys, const char *step)
{
	r->pid = 0;
	r->fault = fault;
	r->sys = sys;
	r->step = step;
	return -1;
}

/* What a failed execve means: whose mistake it is. */
static enum warden_fault exec_fault(int sys, const char *path)
{
	struct stat st;

	switch (sys) {
	case ENOENT:
	case ENOTDIR:
		return path[0] == '/' && !stat(path, &st) ? WARDEN_FAULT_NOT_EXECUTABLE : WARDEN_FAULT_NOT_FOUND;
	case EACCES:
	case EPERM:
	case ENOEXEC:
	case EISDIR:
	case ELIBBAD:
	case ELOOP:
	case ENAMETOOLONG:
		return WARDEN_FAULT_NOT_EXECUTABLE;
	case E2BIG:
		return WARDEN_FAULT_TOO_BIG;
	default:
		return WARDEN_FAULT_RESOURCES;
	}
}

static int build_argv(struct spawner *s, const struct warden_spawn *spec)
{
	size_t n = 0, at = 0;
	const char *v;

	if (room(&s->argv, &s->argv_room, (size_t)spec->argv.count + 1))
		return -1;
	while ((v = warden_strv_next(&spec->argv, &at)))
		s->argv[n++] = v;
	s->argv[n] = NULL;
	return 0;
}

static int attempt_once(struct spawner *s, struct job *j, const struct spawn_place *place, struct spawn_result *result)
{
	pid_t pid;

	j->sys = 0;
	j->step = NULL;
	j->fault = WARDEN_FAULT_NONE;
	pid = make(s, j, place);
	if (pid < 0)
		return refuse(result, WARDEN_FAULT_RESOURCES, -pid, "clone");
	if (j->step) {
		/* It has ended already: CLONE_VFORK. Nobody else reaps it, since only this thread waits. */
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return refuse(result, j->fault, j->sys, j->step);
	}
	result->pid = pid;
	result->fault = WARDEN_FAULT_NONE;
	result->sys = 0;
	result->step = NULL;
	return 0;
}

int spawner_start(struct spawner *s, const struct warden_spawn *spec, struct rv_str label, const struct spawn_place *place,
		  int out_fd, int err_fd, struct spawn_result *result)
{
	char label_var[sizeof("REEVE_SESSION_ID=") + WARDEN_LABEL_BYTES_MAX];
	struct job j = {
		.fds = { s->null_fd, out_fd, err_fd },
		.procs_fd = place->procs_fd,
		.mnt_ns_fd = place->mnt_ns_fd,
		.parent = place->pid_ns ? 0 : s->self,
		.nofile = spec->nofile,
		.restore_nofile = s->raised_nofile ? &s->nofile : NULL,
		.fsize = spec->fsize,
		.core = spec->core,
		.set_core = spec->core || (spec->flags & WARDEN_SPAWN_NO_CORE),
		.no_new_privs = spec->flags & WARDEN_SPAWN_NO_NEW_PRIVS,
		.uid = spec->uid,
		.gid = spec->gid,
		.umask = spec->umask,
		.cwd = spec->cwd.bytes ? spec->cwd.at : NULL,
	};
	const char *path, *program;
	int sys = ENOENT;

	if (!spec->argv.count || spec->env_base >= WARDEN_ENV_BASES_MAX || !s->bases[spec->env_base].known ||
	    label.bytes > WARDEN_LABEL_BYTES_MAX)
		return refuse(result, WARDEN_FAULT_REQUEST, EINVAL, "request");
	snprintf(label_var, sizeof(label_var), "REEVE_SESSION_ID=%.*s", RV_STR_ARGS(label));
	if (build_argv(s, spec) || build_env(s, spec, label_var, &path))
		return refuse(result, WARDEN_FAULT_RESOURCES, ENOMEM, "memory");
	program = resolve(s, s->argv[0], path, j.cwd, &sys);
	if (!program)
		return refuse(result, sys == EACCES ? WARDEN_FAULT_NOT_EXECUTABLE : WARDEN_FAULT_NOT_FOUND, sys, "exec");
	sigemptyset(&j.no_signals);
	j.path = program;
	j.argv = s->argv;
	j.envp = s->envp;
	if (!attempt_once(s, &j, place, result))
		return 0;
	if (result->step && !strcmp(result->step, "exec")) {
		/* A cached path may have gone: once more by a fresh look-up. */
		if (program != s->argv[0] && (result->sys == ENOENT || result->sys == EACCES)) {
			forget_path(s, s->argv[0], path);
			program = resolve(s, s->argv[0], path, j.cwd, &sys);
			if (!program)
				return refuse(result, WARDEN_FAULT_NOT_FOUND, sys, "exec");
			j.path = program;
			if (!attempt_once(s, &j, place, result))
				return 0;
		}
		if (result->step && !strcmp(result->step, "exec"))
			result->fault = exec_fault(result->sys, program);
	}
	return -1;
}
