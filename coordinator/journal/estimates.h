/* estimates.h - how long units took, so that the next run can put the longest first
 *
 * A small SQLite file of its own, `estimates.db` in the directory that all runs of a place share (`.reeve`), written at
 * the end of a run in one transaction, read when the next is accepted. A key is plan name, unit or template id and agent;
 * its estimate is the median of its last 5 times (the lower middle of an even number), each at most 30 days. It is only
 * advice: a file that is damaged, in the way or of another version is put aside and begun anew, without it all estimates
 * are unknown, and a failure here never fails a run. At most ESTIMATES_KEYS_MAX keys are kept, those used longest ago go.
 */
#ifndef COORDINATOR_JOURNAL_ESTIMATES_H
#define COORDINATOR_JOURNAL_ESTIMATES_H

#include "common/base.h"
#include "common/err.h"

#define ESTIMATES_TIMES 5
#define ESTIMATES_KEYS_MAX 100000u
#define ESTIMATES_US_MAX ((uint64_t)30 * 24 * 3600 * 1000000)

struct journal_estimates;

/* `dir` must exist. RV_E_NOT_FOUND with ESTIMATES_READ: nothing was learned yet, the usual first time. */
enum estimates_mode { ESTIMATES_READ = 1, ESTIMATES_WRITE };
int journal_estimates_open(struct journal_estimates **out, const char *dir, enum estimates_mode mode,
			   struct rv_err *err);
void journal_estimates_close(struct journal_estimates **e);

/* All that is known of a plan, in order of unit and agent: one query instead of one a unit. Texts are borrowed. */
int journal_estimates_of_plan(struct journal_estimates *e, struct rv_str plan,
			      void (*each)(void *arg, struct rv_str unit, struct rv_str agent, uint64_t us), void *arg,
			      struct rv_err *err);
/* One key. 1: *us is its estimate; 0: nothing known; -1. */
int journal_estimates_get(struct journal_estimates *e, struct rv_str plan, struct rv_str unit, struct rv_str agent,
			  uint64_t *us, struct rv_err *err);

/* Times of units that succeeded: begin, add each, end. What was added since begin is there after end, or none of it. Of one
 * key the last 5 of a run count. `now_us`: CLOCK_REALTIME, tells which keys were used longest ago. */
int journal_estimates_begin(struct journal_estimates *e, struct rv_err *err);
int journal_estimates_add(struct journal_estimates *e, struct rv_str plan, struct rv_str unit, struct rv_str agent,
			  uint64_t us, uint64_t now_us, struct rv_err *err);
int journal_estimates_end(struct journal_estimates *e, struct rv_err *err);

/* The median that is kept, for tests and for what a run learns as it goes: `count` > 0 times, any order. */
uint64_t journal_estimates_median(const uint64_t *times, uint32_t count);

#endif
