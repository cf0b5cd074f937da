#include "cli/resume.h"

#include "cli/find.h"
#include "cli/layout.h"
#include "cli/rundir.h"
#include "cli/settings.h"
#include "common/os/file.h"
#include "common/os/lock.h"
#include "coordinator/journal/journal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seen {
	bool there;                       /* its plan was accepted */
	bool same, same_name, unfinished; /* same: plan digest */
	uint8_t digest[PLAN_DIGEST_BYTES];
};

struct search {
	const struct plan *plan;
	const char *state;
	struct seen at;     /* the run that is looked at */
	struct seen newest; /* of those with the plan's name or digest */
	struct rv_run_id newest_id;
};

static enum journal_next look(void *arg, const struct journal_run *run)
{
	struct search *s = arg;

	s->at.there = true;
	memcpy(s->at.digest, run->plan_digest, sizeof s->at.digest);
	s->at.same = memcmp(run->plan_digest, s->plan->digest, sizeof run->plan_digest) == 0;
	s->at.same_name = rv_str_equal(run->name, s->plan->name);
	s->at.unfinished = run->succeeded < run->total || !rv_str_equal(run->state, RV_STR("succeeded"));
	return JOURNAL_MORE;
}

/* A run that never got a journal, or a directory of somebody else, is not what we look for: nothing is there. */
static void examine(struct search *s, const char *dir)
{
	struct journal_options options = { .mode = JOURNAL_READ };
	struct journal *j = NULL;

	s->at = (struct seen){ 0 };
	if (journal_open(&j, dir, &options, NULL) == 0 && journal_runs(j, look, s, NULL) < 0)
		s->at.there = false;
	journal_close(&j);
}

static bool owned(const char *dir)
{
	struct rv_lock_holder holder;
	int fd, held;

	if (rv_dir_open(dir, &fd, NULL) < 0)
		return false;
	held = rv_lock_probe(fd, CLI_FILE_LOCK, &holder, NULL);
	(void)close(fd);
	return held != 0;
}

/* Its last fact is in the journal and nobody heard of it: the process died before it wrote the summary, which comes before the answer. */
static bool untold(const struct search *s, struct rv_run_id id, const char *dir)
{
	char path[PATH_MAX];

	return cli_run_path(s->state, id, CLI_FILE_SUMMARY_JSON, path, NULL) == 0 && access(path, F_OK) < 0 && !owned(dir);
}

static bool of_one_unit(const char *dir)
{
	struct cli_settings *set = calloc(1, sizeof *set);
	bool only = set && cli_settings_read(set, dir, NULL) == 0 && set->only[0];

	free(set);
	return only;
}

/* 1: this one; 0: look further; -1. */
static int consider(struct search *s, struct rv_run_id id, struct rv_err *err)
{
	char dir[PATH_MAX];

	if (cli_run_path(s->state, id, NULL, dir, err) < 0)
		return -1;
	examine(s, dir);
	if (!s->at.there || !(s->at.same || s->at.same_name))
		return 0;
	if (s->at.same && (s->at.unfinished || (!s->newest.there && untold(s, id, dir))))
		return 1;
	if (!s->newest.there && !of_one_unit(dir)) {
		s->newest = s->at;
		s->newest_id = id;
	}
	return 0;
}

static void hex(const uint8_t digest[PLAN_DIGEST_BYTES], char out[9])
{
	(void)snprintf(out, 9, "%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
}

int cli_resume_refuse(const struct rv_run_id *id, const uint8_t then[PLAN_DIGEST_BYTES], const struct plan *p, struct rv_err *err)
{
	char before[9], now[9];

	hex(then, before);
	hex(p->digest, now);
	rv_fail(err, RV_E_CONFLICT, "run %s was of another plan: what its units run has changed since (digest %s then, %s now)", id->text, before,
		now);
	return rv_hint(err, "without --resume the plan starts anew; with the change undone, --resume=%s goes on", id->text);
}

int cli_resume_find(const char *state, const struct plan *p, struct rv_run_id *id, struct rv_err *err)
{
	struct search s = { .plan = p };
	char base[PATH_MAX], runs[PATH_MAX + sizeof(CLI_DIR_RUNS)];
	struct rv_run_id *ids = NULL;
	uint32_t count = 0;
	int rc = 0;

	if (cli_rundir_state(base, state, err) < 0)
		return -1;
	(void)snprintf(runs, sizeof runs, "%s/%s", base, CLI_DIR_RUNS);
	if (access(runs, F_OK) < 0)
		return 0;
	if (cli_list_runs(base, &ids, &count, err) < 0)
		return -1;
	s.state = base;
	for (uint32_t i = count; rc == 0 && i-- > 0;) {
		rc = consider(&s, ids[i], err);
		if (rc == 1)
			*id = ids[i];
	}
	free(ids);
	if (rc == 0 && s.newest.there && !s.newest.same && s.newest.unfinished)
		return cli_resume_refuse(&s.newest_id, s.newest.digest, p, err);
	return rc;
}
