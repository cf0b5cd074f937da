#include "procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void procs_init(struct procs *p)
{
	memset(p, 0, sizeof(*p));
}

void procs_release(struct procs *p)
{
	free(p->at);
	memset(p, 0, sizeof(*p));
}

static ssize_t slurp(const char *path, char *buf, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got = 0;

	if (fd < 0)
		return -1;
	while (n < room && (got = read(fd, buf + n, room - n)) > 0)
		n += (size_t)got;
	close(fd);
	return got < 0 && n == 0 ? -1 : (ssize_t)n;
}

/* The next number of a line, 0 at its end. */
static uint64_t number(const char **s)
{
	char *end;
	uint64_t v;

	while (**s == ' ')
		++*s;
	v = strtoull(*s, &end, 10);
	*s = end;
	return v;
}

bool proc_read(pid_t pid, struct proc *out)
{
	char path[64], buf[1024];
	const char *s;
	ssize_t n;
	uint64_t field[25] = { 0 };
	static const uint64_t tick_us = 10000; /* USER_HZ is 100 on every Linux */

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = slurp(path, buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = 0;
	s = strrchr(buf, ')'); /* the name may hold anything, even ") " */
	if (!s || s[1] != ' ')
		return false;
	memset(out, 0, sizeof(*out));
	out->pid = pid;
	out->state = s[2];
	s += 3;
	for (int i = 4; i < 25; i++)
		field[i] = number(&s);
	out->ppid = (pid_t)field[4];
	out->sid = (pid_t)field[6];
	out->cpu_us = (field[14] + field[15]) * tick_us;
	out->start = field[22];
	out->rss_bytes = field[24] * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct proc *)a)->pid, y = ((const struct proc *)b)->pid;

	return (x > y) - (x < y);
}

static int append(struct procs *p, pid_t pid)
{
	if (p->count >= PROCS_MAX)
		return -1;
	if (p->count == p->room) {
		uint32_t want = p->room ? p->room * 2 : 256;
		struct proc *grown = realloc(p->at, want * sizeof(*grown));

		if (!grown)
			return -1;
		p->at = grown;
		p->room = want;
	}
	p->at[p->count++] = (struct proc){ .pid = pid };
	return 0;
}

int procs_scan(struct procs *p)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	p->count = 0;
	if (!d)
		return -1;
	while ((e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || p->count >= PROCS_MAX)
			continue;
		if (append(p, (pid_t)strtol(e->d_name, NULL, 10)))
			break;
		if (!proc_read(p->at[p->count - 1].pid, &p->at[p->count - 1]))
			p->count--;
	}
	closedir(d);
	if (p->count)
		qsort(p->at, p->count, sizeof(*p->at), by_pid);
	return 0;
}

struct proc *procs_find(const struct procs *p, pid_t pid)
{
	struct proc key = { .pid = pid };

	return p->count ? bsearch(&key, p->at, p->count, sizeof(*p->at), by_pid) : NULL;
}

void procs_clear_marks(struct procs *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		p->at[i].in = false;
}

void procs_mark_descendants(struct procs *p)
{
	bool more = true;

	/* Children mostly have higher pids than their parents, so one pass finds nearly all. */
	while (more) {
		more = false;
		for (uint32_t i = 0; i < p->count; i++) {
			struct proc *parent;

			if (p->at[i].in)
				continue;
			parent = procs_find(p, p->at[i].ppid);
			if (parent && parent->in)
				p->at[i].in = more = true;
		}
	}
}

bool proc_has_label(pid_t pid, struct rv_str label, enum proc_label how)
{
	static const char name[] = "REEVE_SESSION_ID=";
	char path[64];
	char *env = malloc(1 << 20);
	bool has = false;
	ssize_t n;

	if (!env)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	n = slurp(path, env, (1 << 20) - 1);
	if (n > 0) {
		env[n] = 0;
		for (const char *s = env; s < env + n && !has; s += strlen(s) + 1) {
			const char *v = s + sizeof(name) - 1;

			if (strncmp(s, name, sizeof(name) - 1) || strncmp(v, label.at, label.bytes))
				continue;
			has = how == PROC_LABEL_PREFIX || v[label.bytes] == 0;
		}
	}
	free(env);
	return has;
}

static int thread_children(const char *path, pid_t *out, int room, int count)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	uint64_t v = 0;
	bool digits = false;

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				v = v * 10 + (uint64_t)(buf[i] - '0');
				digits = true;
			} else if (digits) {
				if (count < room)
					out[count] = (pid_t)v;
				count++;
				v = 0;
				digits = false;
			}
		}
	}
	close(fd);
	return n < 0 ? -1 : count;
}

int proc_children(pid_t pid, enum proc_threads threads, pid_t *out, int room)
{
	char path[320];
	DIR *d;
	struct dirent *e;
	int count = 0;

	if (threads == PROC_MAIN_THREAD) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
		return thread_children(path, out, room, 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return -1;
	while (count >= 0 && (e = readdir(d))) {
		int n;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, e->d_name);
		n = thread_children(path, out, room, count);
		if (n >= 0) /* else the thread has ended */
			count = n;
	}
	closedir(d);
	return count;
}

int procs_add_tree(struct procs *p, pid_t root)
{
	uint32_t next = p->count;

	if (append(p, root))
		return -1;
	for (; next < p->count; next++) {
		pid_t kids[1024];
		int n = proc_children(p->at[next].pid, PROC_ALL_THREADS, kids, (int)RV_ARRAY_LEN(kids));

		for (int i = 0; i < n && i < (int)RV_ARRAY_LEN(kids); i++)
			if (append(p, kids[i]))
				return 0; /* full: the next pass meets the rest */
	}
	return 0;
}
