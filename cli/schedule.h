/* schedule.h - `export schedule`: a line an attempt that ran, for tools that check schedules
 *
 *	{"unit":"old id","node":"n1","start":1.25,"end":3.5,"slots":2,"status":"ok","attempt":1}
 *
 * start and end are seconds of the node's clock at spawn and reap.
 */
#ifndef CLI_SCHEDULE_H
#define CLI_SCHEDULE_H

#include "cli/query.h"

int cli_schedule_export(const struct cli_query *q, struct cli_target target);

/* One line; false: the transition ends no attempt that ran. For tests. */
bool cli_schedule_line(const struct cli_tally *t, const struct coord_transition *tr, struct rv_buf *out);

#endif
