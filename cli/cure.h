/* cure.h - what helps where a unit never began to run: its log is empty, so nobody should be sent there */
#ifndef CLI_CURE_H
#define CLI_CURE_H

#include "cli/tally.h"

enum cli_cure {
	CLI_CURE_LOGS,    /* its log says more */
	CLI_CURE_SILENT,  /* it ran and printed nothing */
	CLI_CURE_KNOWN,   /* never began; what helps was put */
	CLI_CURE_UNKNOWN, /* never began; the reason says all that is known */
};

/* Of a unit that has failed, by the reason that its node gave. Appends to `out` only in the case KNOWN: a clause without a full stop. */
enum cli_cure cli_put_cure(const struct cli_tally *t, uint32_t unit, struct rv_buf *out);

#endif
