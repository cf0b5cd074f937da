/* runargs.h - the words of `reeve run`, parsed and checked */
#ifndef CLI_RUNARGS_H
#define CLI_RUNARGS_H

#include "cli/fanout.h"
#include "cli/live.h"
#include "cli/render.h"
#include "cli/settings.h"
#include "common/opts.h"
#include "common/plan/plan.h"

#define CLI_RUN_FANOUT "fan-out" /* stands in place of a plan's file */

struct cli_run_args {
	const char *plan;               /* CLI_RUN_FANOUT: none, but `fanout` */
	struct cli_fanout_words fanout; /* the command and its inputs */
	uint64_t jobs, agent_slots;
	struct rv_opt_list labels, resources, sets, pass_env;
	bool dry_run, no_hold, help;
	const char *only, *resume, *state, *events, *show, *context, *mock, *format, *durability, *on_event, *on_event_type, *joblog;
	/* what the words mean */
	enum cli_format output;
	bool is_fanout;
	enum cli_show shown;
	enum plan_mock_mode mocked;
};

/* 0; 1: --help was answered; -1: RV_E_USAGE, RV_E_UNSUPPORTED. */
int cli_run_args_parse(struct cli_run_args *a, int argc, char **argv, struct rv_err *err);
/* Room and names of this machine from the words, defaults filled in. */
int cli_run_args_machine(const struct cli_run_args *a, struct cli_settings *s, struct rv_err *err);

#endif
