/* doctor.c - the checks of the machine itself */
#include "cli/doctor.h"

#include "cli/render.h"
#include "common/os/clock.h"
#include "common/os/host.h"
#include "node/warden/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#define YEAR_2025_US (1735689600ull * RV_US_PER_S) /* older than this program: a clock that was never set */
#define DISK_FAIL_BYTES ((uint64_t)256 << 20)
#define DISK_WARN_BYTES ((uint64_t)2 << 30)
#define INODES_WARN 10000u
#define DESCRIPTORS_FAIL 256u
#define DESCRIPTORS_WARN 4096u
#define PROCESSES_WARN 1024u
#define COORDINATOR_PORT 7700u

void doctor_add(struct doctor *d, const char *check, enum doctor_verdict verdict, const char *fix, const char *is, ...)
{
	struct doctor_finding *f;
	va_list args;

	if (d->count == DOCTOR_FINDINGS_MAX)
		return;
	f = &d->finding[d->count++];
	f->check = check;
	f->verdict = verdict;
	va_start(args, is);
	(void)vsnprintf(f->is, sizeof(f->is), is, args);
	va_end(args);
	(void)snprintf(f->fix, sizeof(f->fix), "%s", fix ? fix : "");
}

/* Times shown to people, tokens that expire and files' ages go by it; nothing reeve decides about units does. */
void doctor_clock(struct doctor *d)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);

	if (rv_clock_realtime_us() < YEAR_2025_US)
		doctor_add(d, "clock", DOCTOR_FAIL, "set it: `timedatectl set-ntp true`, or date(1)", "it is before 2025");
	else if (state == TIME_ERROR || (state >= 0 && t.status & STA_UNSYNC))
		doctor_add(d, "clock", DOCTOR_WARN, "`timedatectl set-ntp true`; tokens expire by it, and logs of several machines are compared by it",
			   "set, but not kept right by the network");
	else
		doctor_add(d, "clock", DOCTOR_OK, NULL, "set and kept right");
}

void doctor_disk(struct doctor *d)
{
	const char *where = d->state[0] ? d->state : ".";
	struct statvfs v;
	struct rv_buf free_text;
	uint64_t bytes;
	enum doctor_verdict verdict;

	if (statvfs(where, &v)) {
		doctor_add(d, "disk", DOCTOR_FAIL, NULL, "%.150s: %s", where, strerror(errno));
		return;
	}
	rv_buf_init(&free_text, 0);
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	cli_put_bytes(&free_text, bytes);
	verdict = bytes < DISK_FAIL_BYTES ? DOCTOR_FAIL : bytes < DISK_WARN_BYTES ? DOCTOR_WARN : DOCTOR_OK;
	doctor_add(d, "disk", verdict, verdict == DOCTOR_OK ? NULL : "`reeve df` says what takes it, `reeve gc` what may go", "%.*s free where runs are kept (%.120s)",
		   (int)free_text.bytes, free_text.at, where);
	rv_buf_release(&free_text);
	if (v.f_files > 0 && v.f_favail < INODES_WARN)
		doctor_add(d, "disk", DOCTOR_WARN, "remove small files, or use another file system", "only %llu more files can be made there",
			   (unsigned long long)v.f_favail);
	if (access(where, W_OK))
		doctor_add(d, "disk", DOCTOR_FAIL, "use --state DIR", "%.150s cannot be written: %s", where, strerror(errno));
}

void doctor_processors(struct doctor *d)
{
	struct rv_host_share share;
	struct rv_buf memory;

	rv_host_share(&share);
	rv_buf_init(&memory, 0);
	if (share.memory_bytes)
		cli_put_bytes(&memory, share.memory_bytes);
	doctor_add(d, "processors", DOCTOR_OK, NULL, "%u usable: so many slots by default%s%.*s", share.cpus, memory.bytes ? "; memory " : "", (int)memory.bytes,
		   memory.bytes ? memory.at : "");
	rv_buf_release(&memory);
}

/* Two pipes a running unit, sockets, journals. */
void doctor_descriptors(struct doctor *d)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	if (r.rlim_cur < DESCRIPTORS_FAIL)
		doctor_add(d, "descriptors", DOCTOR_FAIL, "`ulimit -n 65536` before it, or LimitNOFILE= of the service", "a process may open only %llu files",
			   (unsigned long long)r.rlim_cur);
	else if (r.rlim_cur < DESCRIPTORS_WARN)
		doctor_add(d, "descriptors", DOCTOR_WARN, "for hundreds of units at once: `ulimit -n 65536`, or LimitNOFILE= of the service",
			   "a process may open %llu files", (unsigned long long)r.rlim_cur);
	else
		doctor_add(d, "descriptors", DOCTOR_OK, NULL, "a process may open %llu files", (unsigned long long)r.rlim_cur);
}

void doctor_processes(struct doctor *d)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NPROC, &r))
		return;
	if (r.rlim_cur == RLIM_INFINITY)
		doctor_add(d, "processes", DOCTOR_OK, NULL, "no limit for this user");
	else
		doctor_add(d, "processes", r.rlim_cur < PROCESSES_WARN ? DOCTOR_WARN : DOCTOR_OK,
			   r.rlim_cur < PROCESSES_WARN ? "`ulimit -u` raises it, or TasksMax= of the service" : NULL, "this user may have %llu",
			   (unsigned long long)r.rlim_cur);
}

/* ---- kill level ---- */

static int ask_warden(struct warden_client *w, struct warden_frame *frame, struct rv_err *err)
{
	const struct warden_config config = { .slots = 1, .agent_slots = 1, .label_prefix = RV_STR("doctor") };

	if (warden_put_config(&w->out, &config))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory");
	if (warden_client_flush(w, err) || warden_client_wait(w, frame, DOCTOR_WAIT_US, err) < 0)
		return -1;
	return frame->type == WARDEN_HELLO ? 0 : rv_fail(err, RV_E_INTERNAL, "the warden answered something else");
}

static void tell_level(struct doctor *d, const struct warden_hello *hello)
{
	const char *name = warden_level_name(hello->level);

	if (hello->trouble.bytes)
		doctor_add(d, "kill level", DOCTOR_FAIL, NULL, "%.*s", (int)rv_min_u64(hello->trouble.bytes, DOCTOR_TEXT_MAX), hello->trouble.at);
	else if (hello->level == WARDEN_LEVEL_SUBREAPER)
		doctor_add(d, "kill level", DOCTOR_WARN,
			   "give it a cgroup v2 in which it may make others, root's rights, or set REEVE_KILL_LEVEL=pidns (containers: docker/README.md)",
			   "%s: a process that hides well may outlive its unit", name);
	else
		doctor_add(d, "kill level", DOCTOR_OK, NULL, "%s: all that a unit started ends with it", name);
}

void doctor_kill_level(struct doctor *d)
{
	const struct warden_options options = { .level = WARDEN_LEVEL_NONE };
	struct warden_client warden = { .fd = -1 };
	struct warden_frame frame;
	struct rv_err err;

	if (warden_start(&warden, &options, &err)) {
		doctor_add(d, "kill level", DOCTOR_FAIL, NULL, "%.200s", err.msg);
		return;
	}
	if (ask_warden(&warden, &frame, &err))
		doctor_add(d, "kill level", DOCTOR_FAIL, NULL, "%.200s", err.msg);
	else
		tell_level(d, &frame.hello);
	warden_client_close(&warden, WARDEN_CLOSE_WAIT);
}

/* ---- limit level ---- */

/* What results say as limits, node/collect.c. */
void doctor_limit_level(struct doctor *d)
{
	doctor_add(d, "limit level", DOCTOR_ABSENT, "MemoryMax= of a service or a container's limit bounds a whole node",
		   "none: resources decide where a unit runs; it is not held to the memory and processors it asked for");
}

/* ---- the coordinator's port ---- */

void doctor_port(struct doctor *d)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(COORDINATOR_PORT), .sin_addr.s_addr = htonl(INADDR_ANY) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0) {
		doctor_add(d, "port", DOCTOR_WARN, NULL, "no tcp here: %s", strerror(errno));
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		doctor_add(d, "port", DOCTOR_OK, NULL, "%u is free for a coordinator", COORDINATOR_PORT);
	else if (errno == EADDRINUSE)
		doctor_add(d, "port", DOCTOR_WARN, "fine if that is your coordinator; else `--listen tcp://*:PORT`", "%u is taken by some process", COORDINATOR_PORT);
	else
		doctor_add(d, "port", DOCTOR_WARN, NULL, "%u: %s", COORDINATOR_PORT, strerror(errno));
	(void)close(fd);
}
