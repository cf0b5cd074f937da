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
#include <sys/socket.h>
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

/* `fd`: where readiness is told. */
static _Noreturn void init_main(int fd)
{
	struct sigaction sa = { .sa_handler = forward };
	sigset_t none;
	char word = 'p';

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "reeve-init");
	setsid();
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGCHLD, SIG_IGN); /* orphans are reaped by the kernel */
	sigemptyset(&none);
	/* A /proc of its own, or `ps` and /proc/$$ inside would show other pids. Mounts of the host still appear. */
	if (!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) &&
	    !mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		word = 'm';
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)!write(fd, &word, 1);
	close(fd);
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

/* The maker: a process that stays in the warden's own PID namespace and makes the inits, since the warden's children
 * are born in the namespace it entered last and it may not have the right to go back to its own. Asked by a byte, it
 * answers the pid; the init is the warden's child (CLONE_PARENT). */
static _Noreturn void maker_main(int fd)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "reeve-maker");
	/* Everything of the warden's (channel, pipes, logs) is closed here, so that no init keeps it either. */
	if (fd != 3) {
		dup2(fd, 3);
		fd = 3;
	}
	syscall(SYS_close_range, 4, ~0U, 0);
	while (read(fd, &byte, 1) == 1) {
		int32_t pid = fork_with(CLONE_NEWPID | CLONE_PARENT);

		if (pid == 0)
			init_main(fd);
		if (pid < 0)
			pid = -errno;
		if (write(fd, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
			break;
	}
	_exit(0);
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

int pidns_level_init(struct trees *t, enum pidns_userns userns, struct rv_err *err)
{
	struct tree *first;
	int fds[2];

	if (probe(can_make)) {
		if (userns == PIDNS_NO_USERNS || probe(can_make_in_user_ns) || own_user_ns())
			return rv_fail_errno(err, errno, "no PID namespace for this user");
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return rv_fail_errno(err, errno, "no socket pair");
	t->maker = fork();
	if (t->maker == 0)
		maker_main(fds[1]);
	close(fds[1]);
	t->maker_fd = fds[0];
	t->level = WARDEN_LEVEL_PIDNS;
	first = t->maker < 0 ? NULL : tree_take(t);
	if (!first || pidns_enter(first)) {
		rv_fail_errno(err, errno, "cannot enter a PID namespace");
		if (first) {
			first->doomed = true;
			tree_give(t, first);
		}
		t->level = WARDEN_LEVEL_SUBREAPER;
		pidns_level_release(t);
		return -1;
	}
	tree_give(t, first);
	return 0;
}

void pidns_level_release(struct trees *t)
{
	if (t->maker_fd >= 0)
		close(t->maker_fd);
	if (t->maker > 0)
		kill(t->maker, SIGKILL);
	t->maker_fd = -1;
	t->maker = 0;
}

/* One answer of the maker (4 bytes: pid or -errno) or of the new init (1 byte: ready). They are ours and do a handful of
 * system calls, so a second is for ever. */
static int answer(int fd, int32_t *pid, char *word)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[8];
	ssize_t n;

	if (poll(&p, 1, 1000) != 1)
		return -1;
	n = read(fd, buf, sizeof(buf));
	if (n == (ssize_t)sizeof(*pid))
		memcpy(pid, buf, sizeof(*pid));
	else if (n == 1)
		*word = buf[0];
	else
		return -1;
	return 0;
}

int pidns_tree_make(struct trees *t, struct tree *tree)
{
	int saved;
	char path[64], word = 0, byte = 1;
	int32_t pid = 0;

	if (write(t->maker_fd, &byte, 1) != 1)
		return -1;
	while ((!pid || (pid > 0 && !word)) && !answer(t->maker_fd, &pid, &word))
		;
	if (pid <= 0) {
		errno = pid ? -pid : EAGAIN;
		return -1;
	}
	tree->init = pid;
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	tree->pid_ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	if (word == 'm')
		tree->mnt_ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (word && tree->pid_ns_fd >= 0 && (word != 'm' || tree->mnt_ns_fd >= 0))
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
bool pidns_tree_empty(struct tree *tree)
{
	pid_t kid;
	int n;

	if (!tree->init)
		return true; /* the kernel ended all of them before the init could be reaped */
	n = proc_children(tree->init, PROC_MAIN_THREAD, &kid, 1);
	return n <= 0; /* no such list: its death (doomed) or the next one's will do */
}

/* Into t->procs: the main process and the orphans, which are children of the init, and all that descends from them. */
void pidns_collect(struct trees *t, struct tree *tree)
{
	if (tree->main)
		procs_add_tree(&t->procs, tree->main);
	if (tree->init)
		procs_add_tree(&t->procs, tree->init);
}
