/* resume.h - which run `run --resume` goes on with */
#ifndef CLI_RESUME_H
#define CLI_RESUME_H

#include "common/err.h"
#include "common/id.h"
#include "common/plan/plan.h"

/* The newest run of exactly this plan (its digest) that there is still something to do for: some unit or the verify step did not succeed, or
 * its process died before it had said the result. `state`: the state directory, NULL for .reeve here.
 * 1: found, *id is set; 0: there is none, so a start from nothing is meant; -1: RV_E_CONFLICT where there is none because the plan has
 * changed since its newest run, which did not succeed, and failures to read. Runs of --only are no runs of the plan. */
int cli_resume_find(const char *state, const struct plan *p, struct rv_run_id *id, struct rv_err *err);

/* RV_E_CONFLICT, -1: run `id` was of another plan than `p`. `then`: the digest of its plan. */
int cli_resume_refuse(const struct rv_run_id *id, const uint8_t then[PLAN_DIGEST_BYTES], const struct plan *p, struct rv_err *err);

#endif
