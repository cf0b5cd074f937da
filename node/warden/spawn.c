#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
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

/* All that a child reads until it has exec'd. */
struct launch {
	struct job job;
	uint32_t sharing;      /* the kernel makes it 0 when the child has left our memory: exec'd or ended */
	pid_t pid;             /* that it was made for; 0: free */
	char *stack;
	const char **argv, **envp;
	size_t argv_room, envp_room;
	char label_var[sizeof("REEVE_SESSION_ID=") + WARDEN_LABEL_BYTES_MAX];
	char path[4096];
	const char *env_path;  /* the unit's PATH, for another look-up */
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
	/* Before anything that may hang (a dead network mount): nothing of the warden's is kept open here. */
	raw(SYS_close_range, 3, ~0U, 0, 0);
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
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&j->no_signals, 0, 8);
	ret = raw(SYS_execve, (long)j->path, (long)j->argv, (long)j->envp, 0);
	give_up(j, WARDEN_FAULT_NOT_FOUND, "exec", ret);
}

/* clone3 with a stack of the child's own needs a few instructions of our own, since the child must not return through
 * the frame it was made in. Elsewhere glibc's clone() does, with CLONE_VFORK and without CLONE_INTO_CGROUP: the child then
 * writes itself into cgroup.procs. */
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
static pid_t make(struct spawner *s, struct launch *l, const struct spawn_place *place)
{
	pid_t pid;

#if SPAWN_BORN_INSIDE
	if (!s->no_clone3) {
		struct clone_args args = {
			.flags = CLONE_VM | CLONE_CHILD_CLEARTID | (place->cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
			.exit_signal = SIGCHLD,
			.child_tid = (uintptr_t)&l->sharing,
			.stack = (uintptr_t)l->stack,
			.stack_size = SPAWN_STACK_BYTES,
			.cgroup = place->cgroup_fd >= 0 ? (uint64_t)place->cgroup_fd : 0,
		};

		pid = clone3_on_stack(&args, &l->job);
		/* Seccomp profiles older than clone3 refuse it with either; to this clone nothing else would say EPERM. */
		if ((pid != -ENOSYS && pid != -EPERM) || place->cgroup_fd >= 0)
			return pid;
		s->no_clone3 = true;
	}
#else
	(void)s;
	(void)place;
#endif
	/* Without clone3 the plain way, which everything knows (valgrind too): we wait until it has exec'd. */
	pid = clone(child_entry, l->stack + SPAWN_STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, &l->job);
	__atomic_store_n(&l->sharing, 0, __ATOMIC_RELEASE);
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
	s->launches = calloc(SPAWN_LAUNCHES, sizeof(*s->launches));
	if (!s->launches)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for spawning");
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
	for (uint32_t i = 0; i < s->retired_count; i++)
		env_release(&s->retired[i]);
	for (uint32_t i = 0; s->launches && i < SPAWN_LAUNCHES; i++) {
		free(s->launches[i].argv);
		free(s->launches[i].envp);
		if (s->launches[i].stack)
			munmap(s->launches[i].stack, SPAWN_STACK_BYTES);
	}
	free(s->launches);
	program_cache_release(&s->programs);
	if (s->null_fd >= 0)
		close(s->null_fd);
	memset(s, 0, sizeof(*s));
	s->null_fd = -1;
}

static bool shares(const struct launch *l)
{
	return __atomic_load_n(&l->sharing, __ATOMIC_ACQUIRE) != 0;
}

static bool any_shares(const struct spawner *s)
{
	for (uint32_t i = 0; i < SPAWN_LAUNCHES; i++)
		if (shares(&s->launches[i]))
			return true;
	return false;
}

/* A base that is replaced is freed once no child can be reading it. */
static void retire(struct spawner *s, struct spawn_env *e)
{
	while (s->retired_count && (!any_shares(s) || s->retired_count == SPAWN_RETIRED_MAX)) {
		if (any_shares(s))
			sched_yield(); /* sixteen replaced within one exec: nobody does that */
		else
			env_release(&s->retired[--s->retired_count]);
	}
	if (any_shares(s))
		s->retired[s->retired_count++] = *e;
	else
		env_release(e);
	*e = (struct spawn_env){ 0 };
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
	retire(s, &s->bases[base->id]);
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

/* Fills l->envp: base less what is unset or set anew, then what is set, then the label; and l->env_path. */
static int build_env(const struct spawner *s, struct launch *l, const struct warden_spawn *spec)
{
	const struct spawn_env *base = &s->bases[spec->env_base];
	size_t n = 0, at = 0;
	const char *v;

	l->env_path = NULL;
	if (room(&l->envp, &l->envp_room, (size_t)base->count + spec->env_set.count + 2))
		return -1;
	for (uint32_t i = 0; i < base->count; i++) {
		if (spec->env_set.count && named_in(&spec->env_set, base->at[i], base->name_bytes[i]))
			continue;
		if (spec->env_unset.count && named_in(&spec->env_unset, base->at[i], base->name_bytes[i]))
			continue;
		l->envp[n++] = base->at[i];
	}
	while ((v = warden_strv_next(&spec->env_set, &at)))
		l->envp[n++] = v;
	for (size_t i = n; i > 0 && !l->env_path; i--)
		if (!strncmp(l->envp[i - 1], "PATH=", 5))
			l->env_path = l->envp[i - 1] + 5;
	l->envp[n++] = l->label_var;
	l->envp[n] = NULL;
	return 0;
}

static int refuse(struct spawn_result *r, enum warden_fault fault, int sys, const char *step)
{
	r->pid = 0;
	r->fault = fault;
	r->sys = sys;
	r->step = step;
	return -1;
}

static int build_argv(struct launch *l, const struct warden_spawn *spec)
{
	size_t n = 0, at = 0;
	const char *v;

	if (room(&l->argv, &l->argv_room, (size_t)spec->argv.count + 1))
		return -1;
	while ((v = warden_strv_next(&spec->argv, &at)))
		l->argv[n++] = v;
	l->argv[n] = NULL;
	return 0;
}

static struct launch *free_launch(struct spawner *s)
{
	for (uint32_t i = 0; i < SPAWN_LAUNCHES; i++) {
		struct launch *l = &s->launches[i];

		if (!l->pid || (!shares(l) && !l->job.step))
			return l;
	}
	return NULL;
}

/* One that nobody uses: its last child has exec'd, or its failure was asked for. While all are between clone and exec, the
 * kernel's wake-up for one of them is awaited, for as long as loading a program may take when nothing is wrong. */
static struct launch *take_launch(struct spawner *s)
{
	struct launch *l = free_launch(s);

	for (uint32_t i = 0; !l && i < SPAWN_LAUNCHES; i++) {
		struct timespec wait = { .tv_nsec = 1000000 };

		syscall(SYS_futex, &s->launches[i].sharing, FUTEX_WAIT, 1, &wait, NULL, 0);
		l = free_launch(s);
	}
	if (!l || l->stack)
		return l;
	l->stack = mmap(NULL, SPAWN_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (l->stack == MAP_FAILED)
		l->stack = NULL;
	return l->stack ? l : NULL;
}

static void fill_job(const struct spawner *s, struct launch *l, const struct warden_spawn *spec, const struct spawn_place *place,
		     int out_fd, int err_fd)
{
	l->job = (struct job){
		.path = l->path,
		.argv = l->argv,
		.envp = l->envp,
		.cwd = spec->cwd.bytes ? spec->cwd.at : NULL,
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
	};
	sigemptyset(&l->job.no_signals);
}

int spawner_start(struct spawner *s, const struct warden_spawn *spec, struct rv_str label, const struct spawn_place *place,
		  int out_fd, int err_fd, struct spawn_result *result)
{
	struct launch *l;
	const char *program;
	int sys = ENOENT;
	pid_t pid;

	*result = (struct spawn_result){ 0 };
	if (!spec->argv.count || spec->env_base >= WARDEN_ENV_BASES_MAX || !s->bases[spec->env_base].known ||
	    label.bytes > WARDEN_LABEL_BYTES_MAX)
		return refuse(result, WARDEN_FAULT_REQUEST, EINVAL, "request");
	l = take_launch(s);
	if (!l)
		return refuse(result, WARDEN_FAULT_RESOURCES, EBUSY, "too many programs are being loaded");
	snprintf(l->label_var, sizeof(l->label_var), "REEVE_SESSION_ID=%.*s", RV_STR_ARGS(label));
	if (build_argv(l, spec) || build_env(s, l, spec))
		return refuse(result, WARDEN_FAULT_RESOURCES, ENOMEM, "memory");
	program = program_find(&s->programs, l->argv[0], l->env_path, spec->cwd.bytes ? spec->cwd.at : NULL, &sys);
	if (!program)
		return refuse(result, sys == EACCES ? WARDEN_FAULT_NOT_EXECUTABLE : WARDEN_FAULT_NOT_FOUND, sys, "exec");
	if (snprintf(l->path, sizeof(l->path), "%s", program) >= (int)sizeof(l->path))
		return refuse(result, WARDEN_FAULT_NOT_FOUND, ENAMETOOLONG, "exec");
	fill_job(s, l, spec, place, out_fd, err_fd);
	__atomic_store_n(&l->sharing, 1, __ATOMIC_RELEASE);
	pid = make(s, l, place);
	if (pid < 0) {
		l->sharing = 0;
		return refuse(result, WARDEN_FAULT_RESOURCES, -pid, "clone");
	}
	l->pid = result->pid = pid;
	return 0;
}

bool spawner_failed(struct spawner *s, pid_t pid, struct spawn_result *result)
{
	for (uint32_t i = 0; i < SPAWN_LAUNCHES; i++) {
		struct launch *l = &s->launches[i];

		if (l->pid != pid)
			continue;
		l->pid = 0;
		if (!l->job.step)
			return false;
		*result = (struct spawn_result){ .fault = l->job.fault, .sys = l->job.sys, .step = l->job.step };
		if (!strcmp(l->job.step, "exec")) {
			result->fault = program_fault(l->job.sys, l->path);
			result->stale_path = (l->job.sys == ENOENT || l->job.sys == EACCES) &&
					     program_forget(&s->programs, l->argv[0], l->env_path);
		}
		return true;
	}
	return false;
}
