/* preflight.h - will this one machine ever run every unit of this plan?
 *
 * On a cluster a unit may wait for a node that can take it; `run` has one node and knows it before anything starts. `run` refuses such a plan,
 * `check`, which does not know where it is meant to run, warns.
 */
#ifndef CLI_PREFLIGHT_H
#define CLI_PREFLIGHT_H

#include "common/buf.h"
#include "common/plan/diag.h"
#include "common/plan/plan.h"
#include "node/daemon.h"

#define CLI_FINDINGS_MAX RV_PLAN_DIAGS_MAX
#define CLI_FINDING_HINT_BYTES 256u

/* One thing that is missing here, whoever wants it. */
struct cli_finding {
	uint32_t unit;       /* the first that wants it; PLAN_NONE: the plan does */
	uint64_t others;     /* how many units more */
	bool refuses;        /* they can never run here; else they may, if something changes before it is their turn */
	char what[512];      /* the sentence behind their names */
	char hint[CLI_FINDING_HINT_BYTES]; /* "": none */
};

struct cli_findings {
	uint32_t count;
	uint32_t refusals;   /* of all, those left out included */
	uint32_t left_out[2]; /* past CLI_FINDINGS_MAX, by `refuses` */
	struct cli_finding item[CLI_FINDINGS_MAX];
};

void cli_preflight(const struct plan *p, const struct node_daemon_config *node, struct cli_findings *out);
/* The sentence. */
void cli_finding_put(const struct cli_finding *f, const struct plan *p, struct rv_buf *out);

enum cli_findings_as {
	CLI_FINDINGS_REFUSE, /* E_CONFLICT what refuses, W_UNPLACEABLE the rest */
	CLI_FINDINGS_WARN,   /* all W_UNPLACEABLE */
};
/* As diagnostics of the plan, at the places of their units. */
void cli_findings_tell(const struct cli_findings *f, const struct plan *p, enum cli_findings_as as, struct plan_diags *d);

/* Names of key variables of this environment that agents with a profile are going to be given, joined by ", "; "": none. */
void cli_preflight_keys(const struct plan *p, const struct node_daemon_config *node, char *out, size_t bytes);

#endif
