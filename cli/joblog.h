/* joblog.h - the job log of GNU parallel: a line a job that has ended, in the order in which they end
 *
 *	Seq  Host  Starttime  JobRuntime  Send  Receive  Exitval  Signal  Command      separated by tabs
 *
 * Seq is the unit's place in the plan, from 1. Of a unit that was tried again the last attempt counts. Exitval is 0 where a signal
 * ended it, -1 where nothing ran to its end; Send and Receive are 0. The command is shown as a shell would take it, its items filled in, on one line and harmless; of an agent
 * it is its name and what it was told.
 */
#ifndef CLI_JOBLOG_H
#define CLI_JOBLOG_H

#include "cli/tally.h"
#include "common/arena.h"
#include "proto/spec.h"

struct cli_joblog {
	struct rv_arena arena;   /* of `spec` */
	struct rv_str encoded;   /* the spec at hand: units of one template share theirs */
	struct proto_spec spec;
	struct rv_buf text;
};

void cli_joblog_init(struct cli_joblog *j);
void cli_joblog_release(struct cli_joblog *j);
void cli_joblog_head(struct rv_buf *out);
/* The line of the job that this transition ended, newline included; false: it ended none that was started. `t` has been fed with it. */
bool cli_joblog_line(struct cli_joblog *j, const struct cli_tally *t, const struct coord_transition *tr, struct rv_buf *out);
/* What the unit runs, as in the last column. */
void cli_joblog_command(struct cli_joblog *j, const struct cli_tally *t, uint32_t unit, struct rv_buf *out);

#endif
