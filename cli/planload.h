/* planload.h - the options that every verb taking a plan has, and the plan they give */
#ifndef CLI_PLANLOAD_H
#define CLI_PLANLOAD_H

#include "cli/render.h"
#include "common/opts.h"
#include "common/plan/diag.h"
#include "common/plan/plan.h"

struct cli_planload {
	struct rv_opt_list sets;
	const char *context;
	const char *mock;
	const char *format_word;
	enum cli_format format;
	bool help;
	struct plan *plan;
	struct plan_diags diags;
};

#define CLI_PLANLOAD_OPTS(p)                                                                       \
	{ "set", 0, RV_OPT_LIST, &(p)->sets, "KEY=VALUE", "a key of the plan itself, dotted: limits.failed=20", 0, 0 }, \
	{ "context", 0, RV_OPT_STRING, &(p)->context, "FILE", "over the plan's context", 0, 0 }, \
	{ "mock", 0, RV_OPT_OPTIONAL, &(p)->mock, "agents", "as if everything (=agents: every agent) were the mock profile", 0, 0 }

/* Loads `path` by the options. -1: err set; diagnostics are in p->diags. */
int cli_planload(struct cli_planload *p, const char *path, struct rv_err *err);
void cli_planload_release(struct cli_planload *p);
/* Where there is no plan at `path`: how to come by one. */
void cli_plan_hint(const char *path, struct rv_err *err);

/* After a failed cli_planload(): diagnostics on stderr (or the error alone), exit status. */
int cli_planload_fail(struct cli_planload *p, const struct rv_err *err);
/* Warnings on stderr. */
void cli_planload_warn(const struct cli_planload *p);

#endif
