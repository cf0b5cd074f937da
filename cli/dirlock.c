#include "cli/dirlock.h"

#include "cli/layout.h"
#include "common/id.h"
#include "common/map.h"
#include "common/os/clock.h"
#include "common/os/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MUTEX "mutex"
#define MUTEX_WAIT_US 5000000u /* it is held for as long as it takes to read a directory */
#define DIRS_BYTES_MAX ((size_t)64 << 20)

/* The paths of this run, for looking up whether another's overlap. */
struct paths {
	struct rv_strmap exact;
	struct rv_strmap above; /* every directory above one of them */
	struct rv_buf text; /* one a line: what goes into RUN.dirs */
	bool everything;    /* "." is among them */
	uint32_t count;
	bool failed;
};

bool cli_paths_overlap(struct rv_str a, struct rv_str b)
{
	size_t n = a.bytes < b.bytes ? a.bytes : b.bytes;

	if (rv_str_equal(a, RV_STR(".")) || rv_str_equal(b, RV_STR(".")))
		return true;
	if (memcmp(a.at, b.at, n) != 0)
		return false;
	if (a.bytes == b.bytes)
		return true;
	return (a.bytes > n ? a.at[n] : b.at[n]) == '/';
}

/* A path with {{...}} in it stands for whatever lies below its last plain directory. */
static struct rv_str plain_part(struct rv_str path)
{
	const char *brace = memmem(path.at, path.bytes, "{{", 2);
	size_t end;

	if (!brace)
		return path;
	for (end = (size_t)(brace - path.at); end > 0 && path.at[end - 1] != '/'; end--)
		continue;
	return end > 1 ? rv_str(path.at, end - 1) : RV_STR(".");
}

static void add_path(struct paths *p, struct rv_str path)
{
	if (rv_strmap_get(&p->exact, path) != RV_MAP_NONE)
		return;
	p->count++;
	p->everything |= rv_str_equal(path, RV_STR("."));
	(void)rv_buf_put_str(&p->text, path);
	(void)rv_buf_putc(&p->text, '\n');
	p->failed |= rv_strmap_add(&p->exact, path, 1) == RV_MAP_NONE;
	for (size_t i = 1; i + 1 < path.bytes; i++)
		if (path.at[i] == '/')
			p->failed |= rv_strmap_add(&p->above, rv_str(path.at, i), 1) == RV_MAP_NONE;
}

static void collect(struct paths *p, const struct plan *plan)
{
	const struct plan_dirs *last = NULL;

	rv_strmap_init(&p->exact, 0x6c6f636b73);
	rv_strmap_init(&p->above, 0x6c6f636b73);
	rv_buf_init(&p->text, DIRS_BYTES_MAX);
	for (uint32_t i = 0; i < plan->unit_count; i++) {
		const struct plan_dirs *d = plan->units[i].dirs;

		if (!d || d == last)
			continue;
		for (uint32_t k = 0; k < d->count; k++)
			add_path(p, plain_part(d->path[k]));
		last = d;
	}
}

static bool overlaps(const struct paths *p, struct rv_str other)
{
	if (p->everything || rv_str_equal(other, RV_STR(".")))
		return true;
	if (rv_strmap_get(&p->exact, other) != RV_MAP_NONE || rv_strmap_get(&p->above, other) != RV_MAP_NONE)
		return true;
	for (size_t i = 1; i + 1 < other.bytes; i++)
		if (other.at[i] == '/' && rv_strmap_get(&p->exact, rv_str(other.at, i)) != RV_MAP_NONE)
			return true;
	return false;
}

/* --- other runs ------------------------------------------------------------------------------------------------------- */

/* The first path of a RUN.dirs that overlaps ours, copied to `out`. */
static bool first_overlap(const struct paths *p, struct rv_str lines, char *out, size_t out_bytes)
{
	while (lines.bytes) {
		const char *end = memchr(lines.at, '\n', lines.bytes);
		size_t bytes = end ? (size_t)(end - lines.at) : lines.bytes;

		if (bytes && overlaps(p, rv_str(lines.at, bytes))) {
			(void)snprintf(out, out_bytes, "%.*s", (int)bytes, lines.at);
			return true;
		}
		bytes += end != NULL;
		lines = rv_str(lines.at + bytes, lines.bytes - bytes);
	}
	return false;
}

/* 1: the run behind `name` (RUN.dirs) lives and overlaps; 0: it does not, and is removed if it is dead; -1. */
static int look_at(const struct paths *p, int dir, const char *name, char *holder, size_t holder_bytes, struct rv_err *err)
{
	struct rv_lock_holder h;
	struct rv_buf lines;
	char lock[64], who[256], path[PATH_MAX];
	int held, rc = 0;

	(void)snprintf(lock, sizeof lock, "%.*s.lock", RV_RUN_ID_CHARS, name);
	held = rv_lock_probe(dir, lock, &h, err);
	if (held < 0)
		return -1;
	if (!held) {
		(void)unlinkat(dir, name, 0); /* whoever is gone will not mind; the next look tries again */
		(void)unlinkat(dir, lock, 0);
		return 0;
	}
	rv_buf_init(&lines, DIRS_BYTES_MAX);
	if (rv_file_read_at(dir, name, DIRS_BYTES_MAX, &lines, err) < 0) {
		rc = -1;
	} else if (first_overlap(p, rv_buf_str(&lines), path, sizeof path)) {
		rv_lock_holder_text(&h, who, sizeof who);
		(void)snprintf(holder, holder_bytes, "directory \"%s\" is held by %s", path, who);
		rc = 1;
	}
	rv_buf_release(&lines);
	return rc;
}

static bool is_dirs_file(const char *name)
{
	size_t n = strlen(name);

	return n == RV_RUN_ID_CHARS + 5 && strcmp(name + RV_RUN_ID_CHARS, ".dirs") == 0 && rv_run_id_valid(rv_str(name, RV_RUN_ID_CHARS));
}

static int look_at_all(const struct paths *p, int dir, char *holder, size_t holder_bytes, struct rv_err *err)
{
	int copy = dup(dir), rc = 0;
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *e;

	if (!d) {
		if (copy >= 0)
			close(copy);
		return rv_fail_errno(err, errno, "cannot look into the locks of the workspace");
	}
	rewinddir(d);
	while (rc == 0 && (e = readdir(d)))
		if (is_dirs_file(e->d_name))
			rc = look_at(p, dir, e->d_name, holder, holder_bytes, err);
	closedir(d);
	return rc;
}

/* --- taking --------------------------------------------------------------------------------------------------------------- */

void cli_dirlock_init(struct cli_dirlock *l)
{
	*l = (struct cli_dirlock){ .lock = { .fd = -1 }, .dir = -1 };
}

static int take_mutex(struct rv_lock *mutex, int dir, struct rv_err *err)
{
	uint64_t until = rv_clock_monotonic_us() + MUTEX_WAIT_US;

	while (rv_lock_take(mutex, dir, MUTEX, "reeve run, starting", NULL, err) < 0) {
		if (err->code != RV_E_BUSY || rv_clock_monotonic_us() > until)
			return -1;
		(void)poll(NULL, 0, 5);
	}
	return 0;
}

static int take_ours(struct cli_dirlock *l, const struct paths *p, const char *run, struct rv_err *err)
{
	char name[64], what[64];

	(void)snprintf(name, sizeof name, "%s.lock", run);
	(void)snprintf(what, sizeof what, "reeve run %s", run);
	(void)snprintf(l->dirs_name, sizeof l->dirs_name, "%s.dirs", run);
	if (rv_lock_take(&l->lock, l->dir, name, what, NULL, err) < 0)
		return -1;
	if (rv_file_write_at(l->dir, l->dirs_name, rv_buf_str(&p->text), 0600, RV_FILE_NOSYNC, err) < 0) {
		rv_lock_release(&l->lock, RV_LOCK_REMOVE);
		return -1;
	}
	return 0;
}

static int open_locks(struct cli_dirlock *l, const char *workspace, struct rv_err *err)
{
	char path[PATH_MAX];

	if (l->dir >= 0)
		return 0;
	if ((size_t)snprintf(path, sizeof path, "%s/" CLI_DIR_STATE "/locks", workspace) >= sizeof path)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", workspace);
	if (rv_dir_make(path, 0711, err) < 0)
		return -1;
	return rv_dir_open(path, &l->dir, err);
}

int cli_dirlock_try(struct cli_dirlock *l, const struct plan *p, const char *workspace, const char *run, char *holder, size_t holder_bytes,
		    struct rv_err *err)
{
	struct paths paths = { 0 };
	struct rv_lock mutex = { .fd = -1 };
	struct rv_err local;
	int rc = -1;

	if (p->workspace.mode == PLAN_MODE_NONE || p->workspace.overlap == PLAN_OVERLAP_ALLOW)
		return 0;
	if (!err)
		err = &local;
	collect(&paths, p);
	if (paths.failed || paths.text.failed) {
		rv_fail(err, RV_E_NO_MEMORY, "no memory for the directories of %u units", p->unit_count);
		goto out;
	}
	rc = 0;
	if (!paths.count)
		goto out;
	rc = -1;
	if (open_locks(l, workspace, err) < 0 || take_mutex(&mutex, l->dir, err) < 0)
		goto out;
	rc = look_at_all(&paths, l->dir, holder, holder_bytes, err);
	if (rc == 0)
		rc = take_ours(l, &paths, run, err);
	rv_lock_release(&mutex, RV_LOCK_KEEP);
out:
	rv_strmap_release(&paths.exact);
	rv_strmap_release(&paths.above);
	rv_buf_release(&paths.text);
	return rc;
}

void cli_dirlock_release(struct cli_dirlock *l)
{
	if (l->lock.fd >= 0) {
		(void)unlinkat(l->dir, l->dirs_name, 0);
		rv_lock_release(&l->lock, RV_LOCK_REMOVE);
	}
	if (l->dir >= 0)
		close(l->dir);
	cli_dirlock_init(l);
}
