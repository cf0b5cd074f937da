/* import.h - other tools' graphs become plans
 *
 *	dag       the neutral format: {"name":..,"tasks":[{"id":"A","runtime_s":1.25,"cores":1,"deps":["B"]},...]}, other keys ignored:
 *	          each task becomes `sleep RUNTIME` with estimate_s and resources.cpus
 *	wfformat  instances of WfCommons, schema 1.4 to 1.6: program and arguments become the command, the measured runtime estimate_s;
 *	          with --scale each task sleeps for that many times its runtime instead
 *	ralph     {"work_units": [{unit_id, description, allowed_directories, dependencies, step_ids}]}
 *	agentos   {ID: {agent, prompt, depends_on?, context?}}
 *
 * Ids are mapped into reeve's alphabet without two becoming one; one that changed is kept as x-id (dag: always). Unknown and repeated
 * ids, wrong kinds and cycles are refused with their place (RV_E_PLAN, FILE:LINE:COL). Of ralph and agentos keys that reeve does not
 * know are kept as x-KEY; one that is nearly a known one is refused.
 */
#ifndef PLAN_IMPORT_H
#define PLAN_IMPORT_H

#include "common/buf.h"
#include "common/err.h"

/* --agent NAME=PROFILE */
struct plan_import_agent {
	struct rv_str name, profile;
};

struct plan_import {
	const char *name;       /* of the file: in errors, and the plan's where the file gives none */
	bool scaled;            /* wfformat: sleeps in place of the commands */
	double scale;           /* dag, wfformat: of every runtime */
	uint32_t max_cores;     /* dag, wfformat: more become this many; 0: no limit */
	const struct plan_import_agent *agents; /* ralph, agentos */
	uint32_t agent_count;
	bool compat_env;        /* ralph: the plan asks for compat_env */
	uint32_t mocked;        /* given: agents that got the profile mock since none was named for them */
};

/* Appends the plan as JSON, a unit a line. `source` is NUL-terminated one past its bytes. */
typedef int plan_import_fn(struct rv_str source, struct plan_import *how, struct rv_buf *out, struct rv_err *err);
plan_import_fn plan_import_dag;
plan_import_fn plan_import_wfformat;
plan_import_fn plan_import_ralph;
plan_import_fn plan_import_agentos;

/* The profiles that an imported plan's agents may have, separated by blanks. */
#define PLAN_IMPORT_PROFILES "mock noop claude codex gemini opencode qwen"

#endif
