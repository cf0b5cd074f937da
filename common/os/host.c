#include "common/os/host.h"

#include "common/buf.h"
#include "common/id.h"
#include "common/os/file.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PROC_BYTES_MAX ((size_t)1 << 20)
#define CPU_SET_MAX 65536

/* The file as text in `b` (emptied first); false: not there, or not ours to read. */
static bool slurp(const char *path, struct rv_buf *b)
{
	rv_buf_reset(b);
	return rv_file_read(path, PROC_BYTES_MAX, b, NULL) == 0;
}

void rv_host_boot_id(uint8_t out[RV_BOOT_ID_BYTES])
{
	char hex[2 * RV_BOOT_ID_BYTES];
	size_t n = 0, i;
	struct rv_buf b;

	memset(out, 0, RV_BOOT_ID_BYTES);
	rv_buf_init(&b, 0);
	if (slurp("/proc/sys/kernel/random/boot_id", &b)) {
		for (i = 0; i < b.bytes && n < sizeof(hex); i++)
			if (b.at[i] != '-')
				hex[n++] = b.at[i];
		if (rv_unhex(out, RV_BOOT_ID_BYTES, rv_str(hex, n)))
			memset(out, 0, RV_BOOT_ID_BYTES);
	}
	rv_buf_release(&b);
}

void rv_host_name(char out[RV_HOST_NAME_MAX + 1])
{
	if (gethostname(out, RV_HOST_NAME_MAX + 1) < 0 || !out[0])
		(void)snprintf(out, RV_HOST_NAME_MAX + 1, "localhost");
	out[RV_HOST_NAME_MAX] = '\0';
}

void rv_process_title(const char *name, const char *verb)
{
	char *first = program_invocation_name; /* the words of a command line lie one behind the other */
	char *second = first + strlen(first) + 1;
	size_t room = (size_t)(second - first) + strlen(verb);

	(void)prctl(PR_SET_NAME, name);
	if (strcmp(second, verb) != 0 || strlen(name) > room)
		return;
	memset(first, '\0', room);
	memcpy(first, name, strlen(name));
}

/* --- cgroups ------------------------------------------------------------------------------------------------ */

/* The next line of *rest, without its newline. */
static bool next_line(struct rv_str *rest, struct rv_str *line)
{
	const char *end;

	if (rest->bytes == 0)
		return false;
	end = memchr(rest->at, '\n', rest->bytes);
	*line = rv_str(rest->at, end ? (size_t)(end - rest->at) : rest->bytes);
	rest->at += line->bytes + (end ? 1 : 0);
	rest->bytes -= line->bytes + (end ? 1 : 0);
	return true;
}

/* The next field of *line, cut at `stop`. */
static struct rv_str next_field(struct rv_str *line, char stop)
{
	const char *end = line->bytes ? memchr(line->at, stop, line->bytes) : NULL;
	struct rv_str field = rv_str(line->at, end ? (size_t)(end - line->at) : line->bytes);

	line->at += field.bytes + (end ? 1 : 0);
	line->bytes -= field.bytes + (end ? 1 : 0);
	return field;
}

/* Is `word` one of the comma-separated words of `list`? */
static bool has_word(struct rv_str list, const char *word)
{
	while (list.bytes)
		if (rv_str_equal(next_field(&list, ','), rv_str_of(word)))
			return true;
	return false;
}

/* Our path in the hierarchy of `controller` (NULL: v2), from /proc/self/cgroup. */
static bool cgroup_path(struct rv_str text, const char *controller, struct rv_str *path)
{
	struct rv_str line;

	while (next_line(&text, &line)) {
		struct rv_str names;

		(void)next_field(&line, ':'); /* the hierarchy's number */
		names = next_field(&line, ':');
		if (controller ? has_word(names, controller) : names.bytes == 0) {
			*path = line;
			return true;
		}
	}
	return false;
}

/* Where that hierarchy is mounted and which part of it, from /proc/self/mountinfo:
 * ID PARENT DEV ROOT MOUNTPOINT OPTIONS [TAGS] - TYPE SOURCE SUPEROPTIONS */
static bool cgroup_mount(struct rv_str text, const char *controller, struct rv_str *root, struct rv_str *point)
{
	struct rv_str line;

	while (next_line(&text, &line)) {
		struct rv_str r, p, type, f;
		int i;

		for (i = 0; i < 3; i++)
			(void)next_field(&line, ' ');
		r = next_field(&line, ' ');
		p = next_field(&line, ' ');
		do
			f = next_field(&line, ' ');
		while (line.bytes && !rv_str_equal(f, RV_STR("-")));
		type = next_field(&line, ' ');
		(void)next_field(&line, ' ');
		if (controller ? rv_str_equal(type, RV_STR("cgroup")) && has_word(line, controller)
			       : rv_str_equal(type, RV_STR("cgroup2"))) {
			*root = r;
			*point = p;
			return true;
		}
	}
	return false;
}

struct cgroup_limits {
	uint32_t cpus;         /* 0: none */
	uint64_t memory_bytes; /* UINT64_MAX: none */
};

/* `controller` NULL: the v2 hierarchy, which has them all. */
static void add_limits(const char *dir, const char *controller, struct rv_buf *b, struct cgroup_limits *out)
{
	bool v2 = controller == NULL, memory = v2 || strcmp(controller, "memory") == 0;
	char path[4096 + 64];
	uint32_t cpus = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, v2 ? "memory.max" : "memory.limit_in_bytes");
	if (memory && slurp(path, b))
		out->memory_bytes = rv_min_u64(out->memory_bytes, rv_host_parse_bytes(rv_buf_str(b)));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, v2 ? "cpu.max" : "cpu.cfs_quota_us");
	if ((v2 || !memory) && slurp(path, b)) {
		if (!v2) {
			struct rv_buf period;

			rv_buf_init(&period, 0);
			(void)snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
			if (b->bytes && b->at[b->bytes - 1] == '\n')
				b->bytes--;
			if (slurp(path, &period) && rv_buf_putc(b, ' ') == 0)
				(void)rv_buf_put_str(b, rv_buf_str(&period)); /* cut short: no limit */
			rv_buf_release(&period);
		}
		cpus = rv_host_parse_cpu_max(rv_buf_str(b));
	}
	if (cpus && (!out->cpus || cpus < out->cpus))
		out->cpus = cpus;
}

/* Our cgroup and all above it: each may hold us back. */
static void walk_hierarchy(struct rv_str self, struct rv_str mounts, const char *controller, struct rv_buf *b,
			   struct cgroup_limits *out)
{
	struct rv_str path, root, point;
	char dir[4096];
	size_t base;

	if (!cgroup_path(self, controller, &path) || !cgroup_mount(mounts, controller, &root, &point))
		return;
	/* in a container the mount may show only a part of the hierarchy */
	if (root.bytes > 1 && path.bytes >= root.bytes && memcmp(path.at, root.at, root.bytes) == 0) {
		path.at += root.bytes;
		path.bytes -= root.bytes;
	}
	if (point.bytes + path.bytes + 1 > sizeof(dir))
		return;
	(void)snprintf(dir, sizeof(dir), "%.*s%.*s", RV_STR_ARGS(point), RV_STR_ARGS(path));
	base = strlen(dir);
	if (base > point.bytes && dir[base - 1] == '/')
		dir[base - 1] = '\0';
	base = point.bytes;
	for (;;) {
		char *slash;

		add_limits(dir, controller, b, out);
		slash = strlen(dir) > base ? strrchr(dir, '/') : NULL;
		if (!slash || (size_t)(slash - dir) < base)
			return;
		*slash = '\0';
	}
}

static struct cgroup_limits cgroup_limits(void)
{
	struct cgroup_limits l = { .memory_bytes = UINT64_MAX };
	struct rv_buf self, mounts, b;

	rv_buf_init(&self, 0);
	rv_buf_init(&mounts, 0);
	rv_buf_init(&b, 0);
	if (slurp("/proc/self/cgroup", &self) && slurp("/proc/self/mountinfo", &mounts)) {
		walk_hierarchy(rv_buf_str(&self), rv_buf_str(&mounts), NULL, &b, &l);
		walk_hierarchy(rv_buf_str(&self), rv_buf_str(&mounts), "cpu", &b, &l);
		walk_hierarchy(rv_buf_str(&self), rv_buf_str(&mounts), "memory", &b, &l);
	}
	rv_buf_release(&self);
	rv_buf_release(&mounts);
	rv_buf_release(&b);
	return l;
}

static bool parse_number(struct rv_str *text, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;

	while (i < text->bytes && text->at[i] >= '0' && text->at[i] <= '9') {
		uint64_t digit = (uint64_t)(text->at[i] - '0');

		v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
		i++;
	}
	if (i == 0)
		return false;
	text->at += i;
	text->bytes -= i;
	*out = v;
	return true;
}

uint32_t rv_host_parse_cpu_max(struct rv_str text)
{
	uint64_t quota, period, cpus;

	if (!parse_number(&text, &quota) || text.bytes == 0 || text.at[0] != ' ')
		return 0;
	text.at++;
	text.bytes--;
	if (!parse_number(&text, &period) || period == 0 || quota == 0)
		return 0;
	cpus = quota / period + (quota % period != 0);
	return cpus > UINT32_MAX ? 0 : (uint32_t)cpus;
}

uint64_t rv_host_parse_bytes(struct rv_str text)
{
	uint64_t v;

	return parse_number(&text, &v) ? v : UINT64_MAX;
}

/* --- the machine ---------------------------------------------------------------------------------------------- */

static uint32_t affinity_cpus(void)
{
	int n = 1024;

	for (; n <= CPU_SET_MAX; n *= 2) {
		cpu_set_t *set = CPU_ALLOC((size_t)n);
		int got, count = 0;

		if (!set)
			break;
		got = sched_getaffinity(0, CPU_ALLOC_SIZE((size_t)n), set);
		if (got == 0)
			count = CPU_COUNT_S(CPU_ALLOC_SIZE((size_t)n), set);
		CPU_FREE(set);
		if (got == 0)
			return count > 0 ? (uint32_t)count : 1;
		if (errno != EINVAL) /* EINVAL: the machine has more */
			break;
	}
	return 1;
}

void rv_host_share(struct rv_host_share *out)
{
	struct cgroup_limits l = cgroup_limits();
	struct sysinfo info;
	uint64_t total = 0;

	out->cpus = affinity_cpus();
	if (l.cpus && l.cpus < out->cpus)
		out->cpus = l.cpus;
	if (sysinfo(&info) == 0)
		total = (uint64_t)info.totalram * info.mem_unit;
	out->memory_bytes = rv_min_u64(total ? total : UINT64_MAX, l.memory_bytes);
	if (out->memory_bytes == UINT64_MAX)
		out->memory_bytes = 0;
}

/* --- processes ------------------------------------------------------------------------------------------------- */

uint64_t rv_host_parse_start(struct rv_str stat)
{
	const char *paren = stat.bytes ? memrchr(stat.at, ')', stat.bytes) : NULL;
	struct rv_str rest;
	uint64_t v;
	int i;

	if (!paren || paren + 2 > stat.at + stat.bytes)
		return 0;
	rest = rv_str(paren + 2, (size_t)(stat.at + stat.bytes - paren - 2));
	for (i = 3; i < 22; i++) /* after the name comes field 3 */
		(void)next_field(&rest, ' ');
	return parse_number(&rest, &v) ? v : 0;
}

int rv_host_process_start(pid_t pid, uint64_t *ticks)
{
	char path[64];
	struct rv_buf b;
	uint64_t start = 0;

	if (pid <= 0)
		return 0;
	rv_buf_init(&b, 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (slurp(path, &b))
		start = rv_host_parse_start(rv_buf_str(&b));
	rv_buf_release(&b);
	if (start) {
		*ticks = start;
		return 1;
	}
	/* hidden (hidepid), or gone: kill tells; EPERM means that there is somebody */
	return kill(pid, 0) < 0 && errno == ESRCH ? 0 : -1;
}
