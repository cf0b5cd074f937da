/* removal.c */
#include "cli/removal.h"

#include "cli/find.h"
#include "cli/layout.h"
#include "cli/runview.h"
#include "common/os/file.h"
#include "common/os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct removal {
	char state[PATH_MAX], dir[PATH_MAX];
	struct rv_run_id id;
	char namespaces[PATH_MAX]; /* where they lie if not in the run's directory; "" */
	bool ended;
	struct rv_lock lock;
};

/* What must be known before anything goes. A journal that nobody can read any more is no reason to keep a run. */
static void look(struct removal *r)
{
	struct cli_runview_options opt = { .state = r->state, .run = rv_str_of(r->id.text), .keep = CLI_KEEP_FAILURES };
	char root[PATH_MAX];
	struct cli_runview v;
	struct rv_err err;

	r->ended = true;
	if (cli_runview_open(&v, &opt, &err) == 0) {
		r->ended = cli_runview_ended(&v);
		if (cli_runview_setting(&v, "namespace_root", root) && strcmp(root, r->state) != 0)
			memcpy(r->namespaces, root, sizeof(root));
	}
	cli_runview_close(&v);
}

static int remove_namespaces(const struct removal *r, struct rv_err *err)
{
	char path[64];
	int dir, rc;

	if (!r->namespaces[0] || access(r->namespaces, F_OK))
		return 0;
	if (rv_dir_open(r->namespaces, &dir, err))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/%s", CLI_DIR_RUNS, r->id.text);
	rc = rv_tree_remove_at(dir, path, err);
	(void)close(dir);
	return rc;
}

/* Renamed first, so that a removal cut short leaves nothing that looks like a run. */
static int remove_dir(const struct removal *r, struct rv_err *err)
{
	char runs[PATH_MAX], gone[32];
	int dir, rc;

	if ((size_t)snprintf(runs, sizeof(runs), "%s/%s", r->state, CLI_DIR_RUNS) >= sizeof(runs))
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", r->state);
	if (rv_dir_open(runs, &dir, err))
		return -1;
	(void)snprintf(gone, sizeof(gone), ".rm-%s", r->id.text);
	if (renameat(dir, r->id.text, dir, gone))
		rc = rv_fail_errno(err, errno, "cannot remove %s", r->dir);
	else
		rc = rv_tree_remove_at(dir, gone, err);
	(void)close(dir);
	return rc;
}

/* Its process lives: nothing of it may go, --force or not. */
static int refuse_live(const struct removal *r, const struct rv_lock_holder *holder, struct rv_err *err)
{
	char who[RV_LOCK_WHAT_MAX + RV_HOST_NAME_MAX + 64];

	rv_lock_holder_text(holder, who, sizeof who);
	(void)rv_fail(err, RV_E_CONFLICT, "run %s is still running: %s", r->id.text, who);
	return rv_hint(err, "Ctrl-C or TERM ends it; then it can be removed");
}

/* Held while it goes, so that no `run --resume` takes it up meanwhile. */
static int remove_run(struct removal *r, bool force, struct rv_err *err)
{
	struct rv_lock_holder holder;
	struct rv_err why;
	int dir, rc;

	if (rv_dir_open(r->dir, &dir, err))
		return -1;
	rc = rv_lock_take(&r->lock, dir, CLI_FILE_LOCK, "reeve rm", &holder, &why);
	if (rc < 0 && why.code == RV_E_BUSY) {
		rc = refuse_live(r, &holder, err);
	} else if (rc < 0) {
		*err = why;
	} else {
		look(r);
		if (!r->ended && !force) {
			(void)rv_fail(err, RV_E_CONFLICT, "run %s has not ended: its process is gone", r->id.text);
			(void)rv_hint(err, "`reeve run PLAN --resume=%s` goes on; --force removes it", r->id.text);
			rc = -1;
		} else {
			rc = remove_namespaces(r, err) || remove_dir(r, err) ? -1 : 0;
		}
		rv_lock_release(&r->lock, rc ? RV_LOCK_KEEP : RV_LOCK_REMOVE);
	}
	(void)close(dir);
	return rc;
}

int cli_remove_run(const char *state, struct rv_run_id id, bool force, struct rv_err *err)
{
	struct removal r = { .lock = { .fd = -1 }, .id = id };

	(void)snprintf(r.state, sizeof(r.state), "%s", state);
	if (cli_run_path(r.state, r.id, NULL, r.dir, err))
		return -1;
	return remove_run(&r, force, err);
}
