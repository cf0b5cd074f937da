#include "pidns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the init: a fork of the warden without exec, so that it costs no more than its page tables ---- */

static void forward(int sig)
{
	int saved = errno;

	kill(-1, sig); /* every process of the namespace but ourselves */
	errno = saved;
}

static _Noreturn void init_main(int ready_fd)
{
	struct sigaction sa = { .sa_handler = forward };
	sigset_t none;
	char word = 'p';

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "reeve-init");
	/* Only what it must keep: everything of the warden's (channel, pipes, logs) is closed here. */
	if (ready_fd != 3) {
		dup2(ready_fd, 3);
		ready_fd = 3;
	}
	syscall(SYS_close_range, 4, ~0U, 0);
	setsid();
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGCHLD, SIG_IGN); /* orphans are reaped by the kernel */
	sigemptyset(&none);
	/* A /proc of its own, or `ps` and /proc/$$ inside would show other pids. Mounts of the host still appear. */
	if (!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) &&
	    !mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		word = 'm';
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)!write(ready_fd, &word, 1);
	close(ready_fd);
	for (;;)
		pause();
}

/* fork() into new namespaces: plain clone with no stack, as fork does. */
static pid_t fork_with(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

/* Without CAP_SYS_ADMIN: a user namespace in which we have it, everybody keeping his number. */
static int own_user_ns(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER))
		return -1;
	(void)write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
	if (write_file("/proc/self/uid_map", map))
		return -1;
	snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
	if (write_file("/proc/self/gid_map", map))
		return -1;
	prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

/* Whether a child could do this; tried in a throw-away process, because a user namespace cannot be left again. */
static int probe(int (*what)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(what() ? (errno ? errno & 127 : 1) : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return errno ? -1 : 0;
}

static int can_make(void)
{
	pid_t pid = fork_with(CLONE_NEWPID);
	int status;

	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, &status, 0) != pid ? -1 : 0;
}

static int can_make_in_user_ns(void)
{
	return own_user_ns() || can_make() ? -1 : 0;
}

int pidns_level_init(struct trees *t, struct rv_err *err)
{
	struct tree *first;

	if (probe(can_make)) {
		if (probe(can_make_in_user_ns) || own_user_ns())
			return rv_fail_errno(err, errno, "no PID namespace for this user");
	}
	t->own_pid_ns_fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	t->level = WARDEN_LEVEL_PIDNS;
	first = t->own_pid_ns_fd < 0 ? NULL : tree_take(t);
	if (!first || pidns_enter(first) || setns(t->own_pid_ns_fd, CLONE_NEWPID)) {
		rv_fail_errno(err, errno, "cannot enter a PID namespace");
		if (first)
			tree_give(t, first);
		return -1;
	}
	tree_give(t, first);
	return 0;
}

int pidns_tree_make(struct trees *t, struct tree *tree)
{
	int ready[2], saved;
	char path[64], word = 0;
	struct pollfd p;

	if (pipe2(ready, O_CLOEXEC))
		return -1;
	(void)setns(t->own_pid_ns_fd, CLONE_NEWPID); /* else it would be made inside the last unit's */
	tree->init = fork_with(CLONE_NEWPID);
	if (tree->init == 0)
		init_main(ready[1]);
	saved = errno;
	close(ready[1]);
	if (tree->init < 0) {
		tree->init = 0;
		close(ready[0]);
		errno = saved;
		return -1;
	}
	/* It is ours and does three system calls: a second is for ever. */
	p = (struct pollfd){ .fd = ready[0], .events = POLLIN };
	if (poll(&p, 1, 1000) == 1)
		(void)!read(ready[0], &word, 1);
	close(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)tree->init);
	tree->pid_ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)tree->init);
	if (word == 'm')
		tree->mnt_ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (word && tree->pid_ns_fd >= 0)
		return 0;
	saved = word ? errno : EAGAIN;
	pidns_tree_release(t, tree);
	errno = saved;
	return -1;
}

void pidns_tree_release(struct trees *t, struct tree *tree)
{
	(void)t;
	if (tree->init) {
		kill(tree->init, SIGKILL);
		tree->init = 0; /* reaped as a child nobody knows */
	}
	if (tree->pid_ns_fd >= 0)
		close(tree->pid_ns_fd);
	if (tree->mnt_ns_fd >= 0)
		close(tree->mnt_ns_fd);
	tree->pid_ns_fd = tree->mnt_ns_fd = -1;
}

int pidns_enter(struct tree *tree)
{
	return setns(tree->pid_ns_fd, CLONE_NEWPID);
}

/* All that lives in it but the unit's main process descends from its init. */
bool pidns_tree_empty(struct trees *t, struct tree *tree)
{
	pid_t kid;
	int n;

	if (!tree->init)
		return true; /* the kernel ended all of them before the init could be reaped */
	n = proc_children(tree->init, &kid, 1);
	return n < 0 ? tree_pids(t, tree, &kid, 1) == 0 : n == 0;
}

int pidns_mark(struct trees *t, struct tree *tree)
{
	struct proc *p;

	if (procs_scan(&t->procs))
		return -1;
	if (tree->init && (p = procs_find(&t->procs, tree->init)))
		p->in = true;
	if (tree->main && (p = procs_find(&t->procs, tree->main)))
		p->in = true;
	procs_mark_descendants(&t->procs);
	return 0;
}
