/* cmd_retry.c - `reeve retry RUN/UNIT`: one more try for a unit; of an ended `run` in this process, else by whoever has the run */
#include "cli/acted.h"
#include "cli/find.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "cli/settings.h"
#include "common/id.h"
#include "common/os/file.h"
#include "common/plan/plan.h"
#include "proto/scan.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct wish {
	bool failed, force;
	const char *note, *note_file, *prompt_file, *agent; /* as typed */
	struct rv_buf note_room, prompt_room;
	struct rv_str note_text, prompt_text, agent_name;   /* "" = none */
};

/* Notes and prompts are read here, by whoever has the files. */
static int read_wish(struct wish *w, struct rv_err *err)
{
	rv_buf_init(&w->note_room, PROTO_NOTE_BYTES_MAX + 1);
	rv_buf_init(&w->prompt_room, PROTO_PROMPT_BYTES_MAX + 1);
	w->note_text = rv_str_of(w->note ? w->note : "");
	w->prompt_text = RV_STR("");
	w->agent_name = rv_str_of(w->agent ? w->agent : "");
	if (w->note && w->note_file)
		return rv_fail(err, RV_E_USAGE, "--note and --note-file: one of them is enough");
	if (w->failed && (w->note || w->note_file || w->prompt_file || w->agent))
		return rv_fail(err, RV_E_USAGE, "a note, a prompt or an agent goes with one unit: RUN/UNIT");
	if (w->agent && !rv_name_valid(w->agent_name))
		return rv_fail(err, RV_E_USAGE, "--agent: \"%.64s\" is no name (letters, digits, . _ -)", w->agent);
	if (w->note_file) {
		if (rv_file_read(w->note_file, PROTO_NOTE_BYTES_MAX, &w->note_room, err))
			return -1;
		w->note_text = rv_buf_str(&w->note_room);
	}
	if (w->prompt_file) {
		if (rv_file_read(w->prompt_file, PROTO_PROMPT_BYTES_MAX, &w->prompt_room, err))
			return -1;
		w->prompt_text = rv_buf_str(&w->prompt_room);
		if (!w->prompt_text.bytes)
			return rv_fail(err, RV_E_USAGE, "--prompt-file %.64s is empty", w->prompt_file);
	}
	if (w->note_text.bytes > PROTO_NOTE_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "a note of %zu bytes; the limit is %zu", w->note_text.bytes, PROTO_NOTE_BYTES_MAX);
	if (!proto_utf8_valid(w->note_text) || !proto_utf8_valid(w->prompt_text))
		return rv_fail(err, RV_E_USAGE, "a note or a prompt that is not UTF-8");
	return 0;
}

/* May this be tried again? */
static int check(struct cli_runview *v, const struct cli_target *target, const struct wish *w, uint32_t *unit, struct rv_err *err)
{
	char room[COORD_UNIT_ID_BYTES];

	*unit = COORD_NONE;
	if (cli_runview_owned(v)) /* it began to live between two looks */
		return rv_fail(err, RV_E_BUSY, "run %s is running", v->id.text);
	if (!target->unit.bytes) {
		if (v->tally.state == COORD_RUN_SUCCEEDED)
			return rv_fail(err, RV_E_CONFLICT, "every unit of run %s succeeded", v->id.text);
		return 0;
	}
	if (cli_find_unit(v->graph, v->id.text, target->unit, unit, err))
		return -1;
	if (*unit >= v->tally.count)
		return rv_fail(err, RV_E_CONFLICT, "the verify step is run again once every unit has succeeded");
	if (v->tally.units[*unit].state == COORD_UNIT_SUCCEEDED && !w->force) {
		(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" succeeded",
			      RV_STR_ARGS(cli_tally_unit_id(&v->tally, *unit, room)));
		return rv_hint(err, "--force runs it once more; what depends on it is not run again");
	}
	if (coord_graph_at_most_once(v->graph, *unit) && v->tally.units[*unit].attempt && !w->force) {
		(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" is at_most_once and has been started",
			      RV_STR_ARGS(cli_tally_unit_id(&v->tally, *unit, room)));
		return rv_hint(err, "--force starts it once more");
	}
	if (!cli_unit_ended(&v->tally.units[*unit])) {
		(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" has not ended: the process of its run is gone",
			      RV_STR_ARGS(cli_tally_unit_id(&v->tally, *unit, room)));
		return rv_hint(err, "`reeve retry %s --failed` goes on with the run", v->id.text);
	}
	return 0;
}

/* A plan that was changed since is the commonest mend, and not what is tried: said before somebody wonders. */
static void say_changed(const struct cli_settings *s, const struct cli_runview *v)
{
	const char *slash = strrchr(s->plan, '/');
	char path[2 * PATH_MAX];
	struct stat st;

	if (!s->plan[0] || strcmp(s->plan, "-") == 0)
		return;
	(void)snprintf(path, sizeof path, "%s/%s", s->plan_dir, slash ? slash + 1 : s->plan);
	if (stat(path, &st) == 0 && (uint64_t)st.st_mtim.tv_sec * 1000000 + (uint64_t)st.st_mtim.tv_nsec / 1000 > v->tally.accepted_us)
		cli_say("%s has changed since run %s began, which goes on with what it was; `reeve run --resume %s` takes other limits, `reeve run %s` all, from the beginning",
			s->plan, v->id.text, s->plan, s->plan);
}

static int retry(const struct cli_query *q, struct cli_target target, const struct wish *w)
{
	struct cli_runview_options opt = { .state = q->state, .run = target.run, .keep = CLI_KEEP_FAILURES };
	struct cli_run_again again = { .format = q->format };
	struct cli_settings settings = { 0 };
	struct rv_run_id id;
	char state[PATH_MAX];
	struct cli_runview v;
	struct rv_err err;
	int rc;

	rc = cli_runview_open(&v, &opt, &err);
	if (rc == 0)
		rc = check(&v, &target, w, &again.unit, &err);
	if (rc == 0)
		rc = cli_settings_read(&settings, v.dir, &err);
	if (rc == 0 && settings.only[0])
		rc = rv_fail(&err, RV_E_CONFLICT, "run %s was only of unit \"%s\", with outputs of an earlier run: run it again with --only",
			     v.id.text, settings.only);
	if (rc == 0)
		rc = cli_runview_plan(&v, &again.plan, &err);
	if (rc == 0)
		say_changed(&settings, &v);
	id = v.id;
	memcpy(state, v.state, sizeof(state));
	cli_runview_close(&v); /* the journal is free again before the run takes it */
	if (rc == 0) {
		again.state_dir = state;
		again.run = id.text;
		again.settings = &settings;
		again.note = w->note_text;
		again.prompt = w->prompt_text;
		again.agent = w->agent_name;
		rc = cli_run_again(&again);
	} else {
		rc = cli_fail(&err);
	}
	return rc;
}

/* --- at a coordinator, or in a live run ------------------------------------------------------------------------------- */

/* Does somebody who runs have it? A run on disk that has no process is gone on with here. */
static int somewhere_live(const struct cli_query *q, struct rv_str run, bool *live, struct rv_err *err)
{
	char state[PATH_MAX];
	struct cli_place place;
	enum cli_where where;
	struct rv_run_id id;

	*live = false;
	if (q->state)
		return 0;
	if (cli_place_look(q->coordinator, run, &where, &place, state, err))
		return -1;
	*live = where == CLI_AT_COORDINATOR || place.kind == CLI_PLACE_RUN;
	if (!*live && state[0] && cli_find_run(state, run, &id, NULL) == 0)
		*live = cli_place_find(NULL, CLI_PLACE_RUNS, rv_str_of(id.text), &place, NULL) == 0 && place.kind == CLI_PLACE_RUN;
	return 0;
}

/* The core alone does not ask twice: what a person has to confirm is looked at here. */
static int confirmed(const struct cli_query *q, struct cli_target target, const struct wish *w, struct rv_err *err)
{
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .run = target.run, .keep = CLI_KEEP_FAILURES };
	char room[COORD_UNIT_ID_BYTES];
	struct cli_runview v;
	uint32_t unit;
	int rc;

	if (w->force || !target.unit.bytes)
		return 0;
	rc = cli_runview_open(&v, &opt, err);
	if (rc == 0)
		rc = cli_find_unit(v.graph, v.id.text, target.unit, &unit, err);
	if (rc == 0 && unit < v.tally.count && v.tally.units[unit].state == COORD_UNIT_SUCCEEDED) {
		(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" succeeded", RV_STR_ARGS(cli_tally_unit_id(&v.tally, unit, room)));
		rc = rv_hint(err, "--force runs it once more; what depends on it is not run again");
	} else if (rc == 0 && unit < v.tally.count && coord_graph_at_most_once(v.graph, unit) && v.tally.units[unit].attempt) {
		(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" is at_most_once and has been started",
			      RV_STR_ARGS(cli_tally_unit_id(&v.tally, unit, room)));
		rc = rv_hint(err, "--force starts it once more");
	}
	cli_runview_close(&v);
	return rc;
}

static int retry_there(const struct cli_query *q, struct cli_target target, const struct wish *w)
{
	struct cli_act_wish act = { .what = target.unit.bytes ? PROTO_MUT_RETRY : PROTO_MUT_RESUME, .unit = target.unit,
				    .note = w->note_text, .prompt = w->prompt_text, .agent = w->agent_name };
	struct cli_act_done done = { .act = "retry" };
	struct cli_client *client = NULL;
	struct rv_run_id id;
	struct rv_err err;
	int status;

	if (confirmed(q, target, w, &err) || cli_query_ask(q, CLI_PLACE_RUNS, target.run, &client, &err) ||
	    cli_rows_find_run(client, target.run, &id, &err)) {
		status = cli_fail(&err);
	} else {
		act.run = rv_run_id_number(rv_str_of(id.text));
		done.run = rv_str_of(id.text);
		status = cli_act_do(client, &act, &done, &err) ? cli_fail(&err) : cli_act_answer(&done, q->format);
	}
	cli_client_close(&client);
	return status;
}

/* Nothing was named. Which run is meant is not guessed where all of it is tried again, but the newest is offered. */
static int no_word(const struct cli_query *q, bool failed)
{
	char state[PATH_MAX];
	struct rv_run_id id;
	struct rv_err err;

	(void)rv_fail(&err, RV_E_USAGE, failed ? "`reeve retry --failed` needs a run" : "`reeve retry` needs a unit: UNIT of the newest run, RUN/UNIT, or RUN --failed");
	if (failed && cli_find_state(q->state, state, NULL) == 0 && cli_find_run(state, RV_STR(""), &id, NULL) == 0)
		(void)rv_hint(&err, "the newest is %s: `reeve retry %s --failed`", id.text, id.text);
	else
		(void)rv_hint(&err, "`reeve help retry` says what it takes");
	return cli_fail(&err);
}

int cli_cmd_retry(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	struct wish w = { 0 };
	const struct rv_opt table[] = {
		{ "failed", 0, RV_OPT_FLAG, &w.failed, NULL, "every unit of RUN that did not succeed", 0, 0 },
		{ "force", 0, RV_OPT_FLAG, &w.force, NULL, "even a unit that succeeded, or is at_most_once", 0, 0 },
		{ "note", 0, RV_OPT_STRING, &w.note, "TEXT", "what the unit is told: the context key _note of its next tries", 0, 0 },
		{ "note-file", 0, RV_OPT_STRING, &w.note_file, "FILE", "the same from a file, at most 64 KiB", 0, 0 },
		{ "prompt-file", 0, RV_OPT_STRING, &w.prompt_file, "FILE", "its prompt from now on, as it stands there, at most 512 KiB", 0, 0 },
		{ "agent", 0, RV_OPT_STRING, &w.agent, "NAME", "its agent from now on: one of the plan's, or claude, codex, mock", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_target target;
	struct rv_err err;
	bool live;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("retry", "RUN/UNIT, or RUN --failed",
				 "Grants one more try to a unit; what was skipped because of it goes back to pending. At a coordinator\n"
				 "and in a live run it is asked for; an ended `run` goes on in this process, as `run --resume` does.", table);
	if (!q.words)
		return no_word(&q, w.failed);
	target = cli_query_target(argv[0], w.failed ? CLI_WORD_RUN_UNIT : CLI_WORD_NEEDS_UNIT);
	if (w.failed == (target.unit.bytes > 0))
		return cli_failf(RV_E_USAGE, w.failed ? "--failed is for a whole run: name RUN without a unit" :
							"a unit is missing: RUN/UNIT, or RUN --failed");
	if (read_wish(&w, &err) || somewhere_live(&q, target.run, &live, &err))
		status = cli_fail(&err);
	else
		status = live ? retry_there(&q, target, &w) : retry(&q, target, &w);
	rv_buf_release(&w.note_room);
	rv_buf_release(&w.prompt_room);
	return status;
}
