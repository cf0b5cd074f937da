/* active.h - which units of a run have begun, asked of whoever runs it
 *
 * That an attempt began is no fact: a journal tells it with the attempt's end. Its coordinator knows it before, of a cluster's run as of
 * a live `run`, whose state is read from disk otherwise.
 */
#ifndef CLI_ACTIVE_H
#define CLI_ACTIVE_H

#include "cli/runview.h"

/* Feeds the tally with UNIT_STARTED of each attempt that is running; the view's listener is not told. Without an answer all stays as it is.
 * Is it known now which have begun? */
bool cli_active_fetch(struct cli_runview *v);

#endif
