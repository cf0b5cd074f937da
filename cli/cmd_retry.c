/* cmd_retry.c - `reeve retry RUN/UNIT`: one more try for a unit of an ended run, in this process */
#include "cli/find.h"
#include "cli/query.h"
#include "cli/settings.h"
#include "common/plan/plan.h"

struct wish {
	bool failed, force;
};

/* May this be tried again? */
static int check(struct cli_runview *v, const struct cli_target *target, const struct wish *w, uint32_t *unit, struct rv_err *err)
{
	char room[COORD_UNIT_ID_BYTES];

	*unit = COORD_NONE;
	if (cli_runview_owned(v))
		return rv_fail(err, RV_E_UNSUPPORTED, "run %s is still running; retrying a unit of a live run %s", v->id.text,
			       CLI_WAITS_MACHINES);
	if (!target->unit.bytes) {
		if (v->tally.state == COORD_RUN_SUCCEEDED)
			return rv_fail(err, RV_E_CONFLICT, "every unit of run %s succeeded", v->id.text);
		return 0;
	}
	if (cli_find_unit(v->graph, target->unit, unit, err))
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
	id = v.id;
	memcpy(state, v.state, sizeof(state));
	cli_runview_close(&v); /* the journal is free again before the run takes it */
	if (rc == 0) {
		again.state_dir = state;
		again.run = id.text;
		again.settings = &settings;
		rc = cli_run_again(&again);
	} else {
		rc = cli_fail(&err);
	}
	return rc;
}

int cli_cmd_retry(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	struct wish w = { 0 };
	const struct rv_opt table[] = {
		{ "failed", 0, RV_OPT_FLAG, &w.failed, NULL, "every unit of RUN that did not succeed", 0, 0 },
		{ "force", 0, RV_OPT_FLAG, &w.force, NULL, "even a unit that succeeded, or is at_most_once", 0, 0 },
		{ "note", 0, RV_OPT_LATER, NULL, "TEXT", CLI_WAITS_AGENTS, 0, 0 },
		{ "note-file", 0, RV_OPT_LATER, NULL, "FILE", CLI_WAITS_AGENTS, 0, 0 },
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
	target = cli_query_target(argv[0], w.failed ? CLI_WORD_RUN_UNIT : CLI_WORD_NEEDS_UNIT);
	if (w.failed == (target.unit.bytes > 0))
		return cli_failf(RV_E_USAGE, w.failed ? "--failed is for a whole run: name RUN without a unit" :
							"a unit is missing: RUN/UNIT, or RUN --failed");
	return retry(&q, target, &w);
}
