/* cmd_rm.c - `reeve rm RUN`: everything a run left in a state directory, and nothing else; of a coordinator's run all that it tells of it */
#include "cli/acted.h"
#include "cli/find.h"
#include "cli/layout.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "common/os/file.h"
#include "common/os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct removal {
	char state[PATH_MAX], dir[PATH_MAX];
	struct rv_run_id id;
	char namespaces[PATH_MAX]; /* where they lie if not in the run's directory; "" */
	bool ended;
	struct rv_lock lock;
};

/* What must be known before anything goes. A journal that nobody can read any more is no reason to keep a run. */
static void look(struct removal *r, const struct cli_query *q, struct rv_str run)
{
	struct cli_runview_options opt = { .state = q->state, .run = run, .keep = CLI_KEEP_FAILURES };
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
static int remove_run(struct removal *r, const struct cli_query *q, bool force, struct rv_err *err)
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
		look(r, q, rv_str_of(r->id.text));
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

static int remove_here(const struct cli_query *q, const char *state, const char *word, bool force, struct rv_run_id *id, struct rv_err *err)
{
	struct removal r = { .lock = { .fd = -1 } };

	if (cli_find_state(state, r.state, err) || cli_find_run(r.state, rv_str_of(word), &r.id, err) || cli_run_path(r.state, r.id, NULL, r.dir, err))
		return -1;
	*id = r.id;
	return remove_run(&r, q, force, err);
}

/* A fact of its journal: from then on nobody is told of the run, and its memory is free. What it stored is for gc to find unused. */
static int remove_there(const struct cli_place *place, const char *word, struct rv_run_id *id, struct rv_err *err)
{
	struct cli_act_wish w = { .what = PROTO_MUT_RM };
	struct cli_act_done done = { .act = "rm" };
	struct cli_client *client = NULL;
	int rc = -1;

	if (cli_client_open(&client, place, err) == 0 && cli_rows_find_run(client, rv_str_of(word), id, err) == 0) {
		w.run = rv_run_id_number(rv_str_of(id->text));
		rc = cli_act_do(client, &w, &done, err);
	}
	cli_client_close(&client);
	return rc;
}

static int remove_word(const struct cli_query *q, const char *word, bool force, struct rv_run_id *id, struct rv_err *err)
{
	enum cli_where where = CLI_IN_DIRECTORY;
	char state[PATH_MAX] = "";
	struct cli_place place;

	if (!word[0] || strchr(word, '/'))
		return rv_fail(err, RV_E_USAGE, "\"%.64s\" is no run: `reeve rm` removes whole runs", word);
	if (!q->state && cli_place_look(q->coordinator, rv_str_of(word), &where, &place, state, err))
		return -1;
	if (where == CLI_IN_DIRECTORY)
		return remove_here(q, q->state ? q->state : state[0] ? state : NULL, word, force, id, err);
	if (force)
		return rv_fail(err, RV_E_USAGE, "--force is for runs of `reeve run`: a coordinator's run that goes on is cancelled first");
	return remove_there(&place, word, id, err);
}

int cli_cmd_rm(int argc, char **argv)
{
	struct cli_query q = { .words_max = 64 };
	bool force = false;
	const struct rv_opt table[] = {
		{ "force", 0, RV_OPT_FLAG, &force, NULL, "also a run of `reeve run` that has not ended and that no process owns", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct rv_run_id id;
	struct rv_buf out;
	struct rv_err err;
	int status, i;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("rm", "RUN...",
				 "Removes ended runs. Of `reeve run`: journals, blobs, logs, namespaces. At a coordinator: the run is not told of any more and\n"
				 "takes no memory; what it stored, its plan, outputs and logs, stays on the disks until it is cleaned up.", table);
	if (!q.words)
		return cli_failf(RV_E_USAGE, "`reeve rm` needs a run");
	rv_buf_init(&out, 0);
	status = CLI_OK;
	for (i = 0; i < q.words && status == CLI_OK; i++) {
		if (remove_word(&q, argv[i], force, &id, &err)) {
			status = cli_fail(&err);
			break;
		}
		if (q.format == CLI_JSON || q.format == CLI_JSONL)
			(void)rv_buf_printf(&out, "{\"schema\":\"reeve.rm/1\",\"run\":\"%s\",\"removed\":true}\n", id.text);
		else
			(void)rv_buf_printf(&out, q.format == CLI_NAME ? "%s\n" : "removed run %s\n", id.text);
	}
	status = cli_answer(rv_buf_str(&out), status);
	rv_buf_release(&out);
	return status;
}
