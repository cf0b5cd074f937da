/* unitview.h - `status RUN/UNIT`: one unit with its attempts and what happened to it */
#ifndef CLI_UNITVIEW_H
#define CLI_UNITVIEW_H

#include "cli/query.h"

/* Answers; gives the exit status. */
int cli_unitview_status(const struct cli_query *q, struct cli_target target);

#endif
