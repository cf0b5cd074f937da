/* waits.h - what a run's ready units wait for, as its coordinator tells it (ASK explain without a unit)
 *
 * A row stands for all ready units of a placement class; which class a unit is in, the graph says, which was built here from the same plan.
 */
#ifndef CLI_WAITS_H
#define CLI_WAITS_H

#include "cli/rows.h"
#include "cli/tally.h"

struct cli_waits {
	struct cli_rows rows;
	uint32_t *row_of_class; /* number of the row + 1; 0: none */
	uint32_t class_count;
};

void cli_waits_init(struct cli_waits *w);
void cli_waits_release(struct cli_waits *w);
/* Anew. A coordinator that does not tell (of an earlier version, a run that it has forgotten) leaves it empty: reasons are shown without it. */
void cli_waits_fetch(struct cli_waits *w, struct cli_client *c, const struct cli_tally *t);

/* What a ready unit waits for, "" = not known: "no node can take it: needs gpu=yes". */
void cli_waits_put(const struct cli_waits *w, const struct cli_tally *t, uint32_t unit, struct rv_buf *out);
/* Where nothing of the run moves until somebody does something: a line that says why; else nothing. */
void cli_waits_put_stuck(const struct cli_waits *w, const struct cli_tally *t, struct rv_buf *out);

#endif
