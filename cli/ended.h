/* ended.h - what is asked of a local run that nobody runs any more: told from its directory
 *
 * Only where `status` would read a directory, too; who names a coordinator, or stands near one, is told of it alone.
 */
#ifndef CLI_ENDED_H
#define CLI_ENDED_H

#include "cli/query.h"
#include "cli/rows.h"

/* Rows like those of ASK explain: how the unit ended (`says`: why), how its run did, what can be done. 0; -1: there is such a run, but no such
 * unit in it, `err` says so; 1: no such run, nothing is changed. */
int cli_ended_explain(const struct cli_query *q, struct cli_target target, struct cli_rows *rows, struct rv_err *err);

/* An act came to nobody (RV_E_UNREACHABLE in `err`; else nothing is done): says instead that the run has ended, and its unit, where that is so.
 * `target` as typed; a word alone may be a unit of the newest run. */
void cli_ended_say(const struct cli_query *q, struct cli_target target, struct rv_err *err);

#endif
