/* cmd_retry.c - `reeve retry RUN/UNIT`: one more try for a unit of an ended run, in this process */
#include "cli/find.h"
#include "cli/query.h"
#include "common/os/file.h"

#define NOTE_BYTES_MAX ((size_t)64 << 10)

struct wish {
	const char *note, *note_file;
	bool failed, force;
};

/* May this be tried again? */
static int check(struct cli_runview *v, const struct cli_target *target, const struct wish *w, char unit_id[COORD_UNIT_ID_BYTES + 1],
		 struct rv_err *err)
{
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id;
	uint32_t unit;

	if (cli_runview_owned(v)) {
		(void)rv_fail(err, RV_E_UNSUPPORTED, "run %s is still running; retrying a unit of a live run %s", v->id.text,
			      CLI_WAITS_MACHINES);
		return -1;
	}
	if (!target->unit.bytes) {
		if (v->tally.state == COORD_RUN_SUCCEEDED)
			return rv_fail(err, RV_E_CONFLICT, "every unit of run %s succeeded", v->id.text);
		return 0;
	}
	if (cli_find_unit(v->graph, target->unit, &unit, err))
		return -1;
	id = cli_tally_unit_id(&v->tally, unit, room);
	if (v->tally.units[unit].state == COORD_UNIT_SUCCEEDED && !w->force) {
		(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" succeeded", RV_STR_ARGS(id));
		return rv_hint(err, "--force runs it once more; what depends on it is not run again");
	}
	if (id.bytes > COORD_UNIT_ID_BYTES)
		return rv_fail(err, RV_E_LIMIT, "the id of the unit is too long");
	memcpy(unit_id, id.at, id.bytes);
	unit_id[id.bytes] = '\0';
	return 0;
}

static int retry(const struct cli_query *q, struct cli_target target, const struct wish *w)
{
	struct cli_runview_options opt = { .state = q->state, .run = target.run, .keep = CLI_KEEP_FAILURES };
	char unit_id[COORD_UNIT_ID_BYTES + 1] = "";
	struct rv_run_id id;
	char state[PATH_MAX];
	struct cli_runview v;
	struct rv_buf note;
	struct rv_err err;
	int status = CLI_OK;

	rv_buf_init(&note, 0);
	if (w->note_file && rv_file_read(w->note_file, NOTE_BYTES_MAX, &note, &err)) {
		rv_buf_release(&note);
		return cli_fail(&err);
	}
	if (cli_runview_open(&v, &opt, &err) || check(&v, &target, w, unit_id, &err))
		status = cli_fail(&err);
	id = v.id;
	memcpy(state, v.state, sizeof(state));
	cli_runview_close(&v); /* the journal is free again before `run` takes it */
	if (status == CLI_OK)
		status = cli_run_resume(state, id.text, unit_id[0] ? unit_id : NULL, w->note_file ? note.at : w->note, q->format);
	rv_buf_release(&note);
	return status;
}

int cli_cmd_retry(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	struct wish w = { 0 };
	const struct rv_opt table[] = {
		{ "note", 0, RV_OPT_STRING, &w.note, "TEXT", "handed to the unit as context key _note", 0, 0 },
		{ "note-file", 0, RV_OPT_STRING, &w.note_file, "FILE", "the same from a file", 0, 0 },
		{ "failed", 0, RV_OPT_FLAG, &w.failed, NULL, "every unit of RUN that did not succeed", 0, 0 },
		{ "force", 0, RV_OPT_FLAG, &w.force, NULL, "even a unit that succeeded", 0, 0 },
		{ "prompt-file", 0, RV_OPT_LATER, NULL, "FILE", CLI_WAITS_AGENTS, 0, 0 },
		{ "agent", 0, RV_OPT_LATER, NULL, "NAME", CLI_WAITS_AGENTS, 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR,
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_target target;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("retry", "RUN/UNIT, or RUN --failed",
				 "Grants one more try to a unit of an ended run and goes on with the run in this process, as\n"
				 "`reeve run --resume` does. What was skipped because of the unit goes back to pending.", table);
	if (!q.words)
		return cli_failf(RV_E_USAGE, "`reeve retry` needs a unit: RUN/UNIT, or RUN --failed");
	if (w.note && w.note_file)
		return cli_failf(RV_E_CONFLICT, "--note and --note-file exclude each other");
	target = cli_query_target(argv[0], w.failed ? CLI_WORD_RUN_UNIT : CLI_WORD_NEEDS_UNIT);
	if (w.failed == (target.unit.bytes > 0))
		return cli_failf(RV_E_USAGE, w.failed ? "--failed is for a whole run: name RUN without a unit" :
							"a unit is missing: RUN/UNIT, or RUN --failed");
	return retry(&q, target, &w);
}
