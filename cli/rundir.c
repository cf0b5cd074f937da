#include "cli/rundir.h"

#include "cli/layout.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/os/keys.h"
#include "node/warden/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUN_ID_TRIES = 64 };

static int join(char out[PATH_MAX], const char *dir, const char *name, struct rv_err *err)
{
	if ((size_t)snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
		return rv_fail(err, RV_E_LIMIT, "the path %s/%s is too long", dir, name);
	return 0;
}

int cli_rundir_state(char out[PATH_MAX], const char *state, struct rv_err *err)
{
	char here[PATH_MAX];

	if (!state)
		state = CLI_DIR_STATE;
	if (state[0] == '/')
		return (size_t)snprintf(out, PATH_MAX, "%s", state) < PATH_MAX
			       ? 0
			       : rv_fail(err, RV_E_LIMIT, "the path %s is too long", state);
	if (!getcwd(here, sizeof here))
		return rv_fail_errno(err, errno, "cannot tell the current directory");
	return join(out, here, state, err);
}

/* So that no one commits a run by accident; a file that is there is left alone. */
static int hide_from_git(const char *state, struct rv_err *err)
{
	char path[PATH_MAX];

	if (join(path, state, ".gitignore", err) < 0)
		return -1;
	if (access(path, F_OK) == 0)
		return 0;
	return rv_file_write(path, RV_STR("*\n"), 0644, RV_FILE_NOSYNC, err);
}

/* Something else of that name is in the way: nobody's wrong words, so not what rv_dir_make() would have it be. */
static int make_dir(const char *path, mode_t mode, struct rv_err *err)
{
	struct rv_err why;

	if (rv_dir_make(path, mode, &why) == 0)
		return 0;
	if (why.code == RV_E_EXISTS) {
		(void)rv_fail(err, RV_E_IO, "%s is not a directory", path);
		return rv_hint(err, "--state DIR names the directory in which runs are kept");
	}
	*err = why;
	cli_rundir_hint(err);
	return -1;
}

void cli_rundir_hint(struct rv_err *err)
{
	if ((err->sys == EACCES || err->sys == EPERM || err->sys == EROFS) && !err->hint[0])
		(void)rv_hint(err, "`--state ~/reeve`, or another directory that you may write, keeps it elsewhere");
}

bool cli_rundir_held(const char *dir, struct rv_lock_holder *holder)
{
	int fd, held;

	if (rv_dir_open(dir, &fd, NULL) < 0)
		return false;
	held = rv_lock_probe(fd, CLI_FILE_LOCK, holder, NULL);
	(void)close(fd);
	return held == 1;
}

static int set_run(struct cli_rundir *d, const char *runs, const struct rv_run_id *id, struct rv_err *err)
{
	d->id = *id;
	if (join(d->run, runs, id->text, err) < 0)
		return -1;
	return access(d->run, F_OK) == 0 ? 0 : rv_fail(err, RV_E_NOT_FOUND, "there is no run %s in %s", id->text, d->state);
}

/* Ids of one second differ by 15 random bits: of a few hundred runs two get the same, and the directory shows it. */
static int make_run(struct cli_rundir *d, const char *runs, struct rv_err *err)
{
	uint16_t random;

	for (int tries = 0; tries < RUN_ID_TRIES; tries++) {
		rv_random(&random, sizeof random);
		d->id = rv_run_id_make(rv_clock_realtime_us(), random);
		if (join(d->run, runs, d->id.text, err) < 0)
			return -1;
		if (mkdir(d->run, 0711) == 0)
			return 0;
		if (errno != EEXIST)
			return make_dir(d->run, 0711, err);
	}
	return rv_fail(err, RV_E_BUSY, "no id is free for a run in %s: too many began within a second", d->state);
}

int cli_rundir_make(struct cli_rundir *d, const char *state, const struct rv_run_id *id, struct rv_err *err)
{
	char runs[PATH_MAX];
	struct stat st;

	if (cli_rundir_state(d->state, state, err) < 0)
		return -1;
	if (join(runs, d->state, CLI_DIR_RUNS, err) < 0 || join(d->estimates, d->state, CLI_DIR_ESTIMATES, err) < 0)
		return -1;
	if (make_dir(d->state, 0711, err) < 0)
		return -1;
	if (hide_from_git(d->state, err) < 0) {
		cli_rundir_hint(err);
		return -1;
	}
	if (make_dir(runs, 0711, err) < 0)
		return -1;
	if ((id ? set_run(d, runs, id, err) : make_run(d, runs, err)) < 0 || join(d->node, d->run, CLI_DIR_NODE, err) < 0)
		return -1;
	d->made = !id;
	if (stat(d->run, &st) < 0)
		return rv_fail_errno(err, errno, "%s", d->run);
	d->device = st.st_dev;
	d->inode = st.st_ino;
	return make_dir(d->node, 0700, err);
}

void cli_rundir_discard(struct cli_rundir *d)
{
	char runs[PATH_MAX];
	int dir;

	if (!d->made || join(runs, d->state, CLI_DIR_RUNS, NULL) < 0 || rv_dir_open(runs, &dir, NULL) < 0)
		return;
	(void)rv_tree_remove_at(dir, d->id.text, NULL); /* what stays is what was there anyway: an empty run */
	(void)close(dir);
	d->made = false;
}

int cli_rundir_check(const struct cli_rundir *d, struct rv_err *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (join(path, d->run, CLI_FILE_JOURNAL, err) < 0)
		return -1;
	if (stat(d->run, &st) < 0 || st.st_dev != d->device || st.st_ino != d->inode)
		return rv_fail(err, RV_E_IO, "the directory of run %s was removed while it ran: its journal, logs and results are lost (%s)", d->id.text,
			       d->run);
	if (stat(path, &st) < 0)
		return rv_fail(err, RV_E_IO, "the journal of run %s was removed while it ran: nothing is known of it any more (%s)", d->id.text, path);
	return 0;
}

void cli_rundir_unsay(const struct cli_rundir *d)
{
	char path[PATH_MAX];

	/* one that stays is written over at the end */
	if (join(path, d->run, CLI_FILE_SUMMARY_JSON, NULL) == 0)
		(void)unlink(path);
	if (join(path, d->run, CLI_FILE_SUMMARY_MD, NULL) == 0)
		(void)unlink(path);
}

/* --- marks of living runs ------------------------------------------------------------------------------------------------ */

static int mark_path(const struct cli_rundir *d, const char *run, char out[PATH_MAX], struct rv_err *err)
{
	char live[PATH_MAX];

	if (join(live, d->state, CLI_DIR_LIVE, err) < 0 || make_dir(live, 0711, err) < 0)
		return -1;
	return join(out, live, run, err);
}

/* Only its name counts, so it is one more name of the run's lock file where that can be had: a file less to make. */
int cli_rundir_mark(const struct cli_rundir *d, struct rv_err *err)
{
	char path[PATH_MAX], lock[PATH_MAX];
	int fd;

	if (mark_path(d, d->id.text, path, err) < 0 || join(lock, d->run, CLI_FILE_LOCK, err) < 0)
		return -1;
	if (link(lock, path) == 0 || errno == EEXIST)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return rv_fail_errno(err, errno, "cannot make %s", path);
	close(fd);
	return 0;
}

void cli_rundir_unmark(const struct cli_rundir *d)
{
	char path[PATH_MAX];

	char live[PATH_MAX];

	/* The directory is not made for it: it may be gone with all the rest. */
	if (join(live, d->state, CLI_DIR_LIVE, NULL) == 0 && join(path, live, d->id.text, NULL) == 0)
		(void)unlink(path); /* one that stays costs the next run a look */
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_run(const struct dirent *e)
{
	return rv_run_id_valid(rv_str_of(e->d_name));
}

/* Nobody owns the run any more: its warden, if it still lives, and whatever its warden left is ended, its mark goes. */
static uint32_t sweep_one(const struct cli_rundir *d, const char *run)
{
	char runs[PATH_MAX], dir[PATH_MAX], node[PATH_MAX], hook[PATH_MAX], mark[PATH_MAX];
	struct rv_lock_holder holder;
	int fd, held, ended, hooks = 0;

	if (join(runs, d->state, CLI_DIR_RUNS, NULL) < 0 || join(dir, runs, run, NULL) < 0 || join(node, dir, CLI_DIR_NODE, NULL) < 0 || join(hook, dir, CLI_DIR_HOOK, NULL) < 0 ||
	    mark_path(d, run, mark, NULL) < 0)
		return 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	held = fd < 0 ? 0 : rv_lock_probe(fd, CLI_FILE_LOCK, &holder, NULL);
	if (fd >= 0)
		close(fd);
	if (held != 0)
		return 0;
	ended = fd < 0 ? 0 : warden_reap_orphans(node, NULL);
	if (fd >= 0 && access(hook, F_OK) == 0)
		hooks = warden_reap_orphans(hook, NULL);
	if (ended >= 0 && hooks >= 0)
		(void)unlink(mark);
	return (ended > 0 ? (uint32_t)ended : 0) + (hooks > 0 ? (uint32_t)hooks : 0);
}

uint32_t cli_rundir_sweep(const struct cli_rundir *d)
{
	char live[PATH_MAX];
	struct dirent **names = NULL;
	uint32_t ended = 0;
	int count;

	if (join(live, d->state, CLI_DIR_LIVE, NULL) < 0)
		return 0;
	count = scandir(live, &names, is_run, by_name);
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i]->d_name, d->id.text) != 0)
			ended += sweep_one(d, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return ended;
}
