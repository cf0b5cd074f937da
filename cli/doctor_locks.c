/* doctor_locks.c - what runs that are gone have left in a workspace's lock directory and in the list of live runs
 *
 * Whoever comes next in that directory removes them, too; this is for one who wonders. A lock that lives is never touched: the kernel knows.
 */
#include "cli/doctor.h"
#include "cli/layout.h"
#include "common/id.h"
#include "common/os/file.h"
#include "common/os/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOCKS_DIR "locks"
#define LOCK_SUFFIX ".lock"

struct look {
	struct doctor *d;
	uint32_t live, stale, cleaned;
};

static void live_lock(struct look *l, const struct rv_lock_holder *h, const char *name)
{
	char who[RV_LOCK_WHAT_MAX + RV_HOST_NAME_MAX + 64];

	rv_lock_holder_text(h, who, sizeof(who));
	l->live++;
	doctor_add(l->d, "locks", DOCTOR_OK, NULL, "%.40s: held by %.160s", name, who);
}

static void stale_lock(struct look *l, int dir, const char *name, const char *companion)
{
	bool gone = l->d->clean && unlinkat(dir, name, 0) == 0;

	if (gone && companion)
		(void)unlinkat(dir, companion, 0);
	l->stale++;
	l->cleaned += gone;
	if (gone)
		doctor_add(l->d, "locks", DOCTOR_OK, NULL, "%.60s: nobody held it; removed", name);
	else
		doctor_add(l->d, "locks", DOCTOR_WARN, "`reeve doctor --locks --clean` removes it; so does the next run here", "%.60s: its run is gone", name);
}

/* RUN.lock in WORKSPACE/.reeve/locks, beside it RUN.dirs. */
static void look_at_lock(struct look *l, int dir, const char *name)
{
	char companion[NAME_MAX + 8];
	struct rv_lock_holder h;
	struct rv_err err;
	int held = rv_lock_probe(dir, name, &h, &err);

	if (held < 0) {
		doctor_add(l->d, "locks", DOCTOR_WARN, NULL, "%.40s: %.160s", name, err.msg);
	} else if (held) {
		live_lock(l, &h, name);
	} else {
		(void)snprintf(companion, sizeof(companion), "%.*s.dirs", (int)(strlen(name) - strlen(LOCK_SUFFIX)), name);
		stale_lock(l, dir, name, companion);
	}
}

/* live/RUN: the lock is that of runs/RUN. A mark whose run is gone may still have processes, which the next run ends: only an ended one's goes. */
static void look_at_mark(struct look *l, int state, int dir, const char *name)
{
	char path[PATH_MAX];
	struct rv_lock_holder h;
	struct rv_err err;
	int run, held;

	(void)snprintf(path, sizeof(path), "%s/%s", CLI_DIR_RUNS, name);
	run = openat(state, path, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (run < 0) {
		stale_lock(l, dir, name, NULL);
		return;
	}
	held = rv_lock_probe(run, CLI_FILE_LOCK, &h, &err);
	(void)close(run);
	if (held > 0) {
		live_lock(l, &h, name);
	} else {
		l->stale++;
		doctor_add(l->d, "locks", DOCTOR_WARN, "the next `reeve run` here ends what it may have left; `reeve run PLAN --resume` goes on with it",
			   "run %.20s was killed before it ended", name);
	}
}

typedef void entry_fn(struct look *l, int state, int dir, const char *name);

static void lock_entry(struct look *l, int state, int dir, const char *name)
{
	size_t n = strlen(name), suffix = strlen(LOCK_SUFFIX);

	(void)state;
	if (n == RV_RUN_ID_CHARS + suffix && strcmp(name + n - suffix, LOCK_SUFFIX) == 0)
		look_at_lock(l, dir, name);
}

static void mark_entry(struct look *l, int state, int dir, const char *name)
{
	if (strlen(name) == RV_RUN_ID_CHARS)
		look_at_mark(l, state, dir, name);
}

static void each_entry(struct look *l, int state, const char *sub, entry_fn *fn)
{
	int fd = openat(state, sub, O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *e;
	DIR *entries;

	if (fd < 0)
		return;
	entries = fdopendir(fd);
	if (!entries) {
		(void)close(fd);
		return;
	}
	while ((e = readdir(entries)))
		if (e->d_name[0] != '.')
			fn(l, state, fd, e->d_name);
	(void)closedir(entries);
}

void doctor_locks(struct doctor *d)
{
	struct look l = { .d = d };
	struct rv_err err;
	int state;

	if (!d->state[0] || rv_dir_open(d->state, &state, &err)) {
		doctor_add(d, "locks", DOCTOR_OK, NULL, "no state directory here yet");
		return;
	}
	each_entry(&l, state, LOCKS_DIR, lock_entry);
	each_entry(&l, state, CLI_DIR_LIVE, mark_entry);
	(void)close(state);
	if (!l.live && !l.stale)
		doctor_add(d, "locks", DOCTOR_OK, NULL, "none");
}
