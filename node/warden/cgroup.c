#include "cgroup.h"

#include "clock.h"
#include "common/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_at(int dir_fd, const char *name, const char *value)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, value, strlen(value));
	close(fd);
	return n < 0 ? -1 : 0;
}

static ssize_t read_at(int dir_fd, const char *name, char *buf, size_t room)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, room - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n;
}

/* Where cgroup2 is mounted and what part of the hierarchy is seen there; from /proc/self/mountinfo, whose lines read
 * "36 35 98:0 ROOT MOUNTPOINT opts ... - fstype source opts". */
static bool v2_mount(char *root, char *point, size_t room)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0) {
		const char *dash = strstr(line, " - ");
		char format[64];

		if (!dash || strncmp(dash + 3, "cgroup2 ", 8))
			continue;
		snprintf(format, sizeof(format), "%%*s %%*s %%*s %%%zus %%%zus", room - 1, room - 1);
		found = sscanf(line, format, root, point) == 2;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

static bool own_path(char *path, size_t room)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = 0;
		found = snprintf(path, room, "%s", line + 3) < (int)room;
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

char *cgroup_own_dir(void)
{
	char root[4096], point[4096], own[4096];
	const char *below = own;
	char *dir = NULL;
	size_t n;

	if (!v2_mount(root, point, sizeof(root)) || !own_path(own, sizeof(own)))
		return NULL;
	n = strlen(root);
	if (n > 1) { /* a part of the hierarchy is mounted: our path begins with it, or we are outside */
		if (strncmp(own, root, n) || (own[n] != '/' && own[n] != 0))
			return NULL;
		below = own + n;
	}
	if (strstr(below, "/.."))
		return NULL;
	if (asprintf(&dir, "%s%s", point, strcmp(below, "/") ? below : "") < 0)
		return NULL;
	return dir;
}

/* Whether clone3 with CLONE_INTO_CGROUP works here: a throw-away child is born in the tree's cgroup and ends. Container
 * engines may forbid clone3. And Linux 6.13 and later kill at birth whoever is born into a cgroup that has seen
 * cgroup.kill more (or less) often than the parent's own, which is also why a killed tree is never used again. */
static bool born_inside(const struct tree *tree)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)tree->dir_fd,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	int status = 1;

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	return status == 0;
}

/* Whether a process of ours can move into it, which a container may forbid although it allows to make directories. */
static bool can_move(const struct tree *tree)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(write(tree->procs_fd, "0", 1) == 1 ? 0 : errno & 127);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return errno == 0;
}

int cgroup_level_init(struct trees *t, struct rv_err *err)
{
	char *own = cgroup_own_dir();
	uint64_t salt = 0;
	struct tree *probe;

	if (!own)
		return rv_fail(err, RV_E_UNSUPPORTED, "no cgroup v2 hierarchy is mounted where this process is in it");
	(void)!getrandom(&salt, sizeof(salt), GRND_NONBLOCK);
	if (asprintf(&t->base, "%s/reeve-%d-%08x", own, (int)getpid(), (unsigned)salt) < 0)
		t->base = NULL;
	free(own);
	if (!t->base)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory");
	if (mkdir(t->base, 0755)) {
		rv_fail_errno(err, errno, "cannot make %s", t->base);
		goto fail;
	}
	t->base_fd = open(t->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->level = WARDEN_LEVEL_CGROUP;
	/* The first tree is also the proof: cgroup.kill (Linux 5.14) is there and can be written, and a child can be born in
	 * it or at least move there. */
	probe = t->base_fd < 0 ? NULL : tree_take(t);
	if (probe && (!SPAWN_BORN_INSIDE || !born_inside(probe))) {
		t->by_procs = true;
		probe->procs_fd = openat(probe->dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	}
	if (!probe || faccessat(probe->dir_fd, "cgroup.kill", W_OK, AT_EACCESS) || 
	    (t->by_procs && (probe->procs_fd < 0 || !can_move(probe)))) {
		rv_fail_errno(err, errno, "cgroup.kill below %s", t->base);
		if (probe)
			tree_give(t, probe);
		while (!rv_list_empty(&t->all)) {
			struct tree *tree = RV_CONTAINER_OF(t->all.next, struct tree, of_all);

			rv_list_remove(&tree->link);
			rv_list_remove(&tree->of_all);
			cgroup_tree_release(t, tree);
			t->count--;
			free(tree);
		}
		rmdir(t->base);
		goto fail;
	}
	tree_give(t, probe);
	return 0;
fail:
	t->level = WARDEN_LEVEL_SUBREAPER;
	if (t->base_fd >= 0)
		close(t->base_fd);
	t->base_fd = -1;
	free(t->base);
	t->base = NULL;
	return -1;
}

void cgroup_level_release(struct trees *t)
{
	if (t->base_fd >= 0)
		close(t->base_fd);
	t->base_fd = -1;
	if (t->base)
		(void)cgroup_end(t->base, RV_US_PER_S); /* what it cannot end is left to the next warden */
	free(t->base);
	t->base = NULL;
}

int cgroup_tree_make(struct trees *t, struct tree *tree)
{
	int failed;

	snprintf(tree->name, sizeof(tree->name), "u%u", t->named++);
	if (mkdirat(t->base_fd, tree->name, 0755))
		return -1;
	tree->dir_fd = openat(t->base_fd, tree->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->dir_fd >= 0)
		tree->events_fd = openat(tree->dir_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (tree->dir_fd >= 0 && t->by_procs)
		tree->procs_fd = openat(tree->dir_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (tree->events_fd >= 0)
		return 0;
	failed = errno;
	cgroup_tree_release(t, tree);
	errno = failed;
	return -1;
}

void cgroup_tree_release(struct trees *t, struct tree *tree)
{
	int *fds[] = { &tree->dir_fd, &tree->events_fd, &tree->procs_fd };

	for (size_t i = 0; i < RV_ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	(void)unlinkat(t->base_fd, tree->name, AT_REMOVEDIR); /* busy or nested: cgroup_end() of the base does it */
}

bool cgroup_tree_empty(struct tree *tree)
{
	char buf[64];
	ssize_t n = pread(tree->events_fd, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return n < 0 && errno == ENODEV; /* removed under us: nothing can be in it */
	buf[n] = 0;
	return strstr(buf, "populated 0") != NULL;
}

/* Pids of `dir_fd`, and of the directories below it that a unit may have made. */
static int pids_below(int dir_fd, pid_t *out, int room, int n, int depth)
{
	int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "re");
	struct stat st;
	DIR *d;
	struct dirent *e;
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1) {
		if (n < room)
			out[n] = pid;
		n++;
	}
	if (f)
		fclose(f);
	if (depth == 0 || fstat(dir_fd, &st) || st.st_nlink <= 2)
		return n;
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	while (d && (e = readdir(d))) {
		int sub;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		sub = openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (sub < 0)
			continue;
		n = pids_below(sub, out, room, n, depth - 1);
		close(sub);
	}
	if (d)
		closedir(d);
	return n;
}

int cgroup_tree_pids(struct tree *tree, pid_t *out, int room)
{
	return pids_below(tree->dir_fd, out, room, 0, 8);
}

int cgroup_tree_kill(struct trees *t, struct tree *tree)
{
	(void)t;
	tree->doomed = true; /* see born_inside() */
	return write_at(tree->dir_fd, "cgroup.kill", "1");
}

int cgroup_tree_freeze(struct tree *tree, const char *value)
{
	return write_at(tree->dir_fd, "cgroup.freeze", value);
}

void cgroup_tree_cpu(struct tree *tree, uint64_t *cpu_us)
{
	char buf[512];
	const char *s;

	if (read_at(tree->dir_fd, "cpu.stat", buf, sizeof(buf)) > 0 && (s = strstr(buf, "usage_usec ")))
		*cpu_us = strtoull(s + strlen("usage_usec "), NULL, 10);
}

/* Removes a directory and those below it; they are empty of processes. */
static void remove_below(int parent_fd, const char *name, int depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && depth > 0 && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			remove_below(dirfd(d), e->d_name, depth - 1);
	if (d)
		closedir(d);
	(void)unlinkat(parent_fd, name, AT_REMOVEDIR);
}

int cgroup_end(const char *dir, uint64_t timeout_us)
{
	pid_t none[1];
	uint64_t until = clock_mono_us() + timeout_us;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree tree = { .dir_fd = fd };
	int count;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	count = pids_below(fd, none, 0, 0, 8);
	tree.events_fd = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	(void)write_at(fd, "cgroup.freeze", "0");
	(void)write_at(fd, "cgroup.kill", "1");
	while (tree.events_fd >= 0 && !cgroup_tree_empty(&tree) && clock_mono_us() < until) {
		struct pollfd p = { .fd = tree.events_fd, .events = POLLPRI };

		poll(&p, 1, 20);
	}
	if (tree.events_fd >= 0)
		close(tree.events_fd);
	close(fd);
	remove_below(AT_FDCWD, dir, 8);
	return count;
}
