/* starters.h - the plans that `reeve init` writes */
#ifndef CLI_STARTERS_H
#define CLI_STARTERS_H

#include "common/base.h"

struct cli_starter {
	const char *name;
	const char *about; /* one line */
	const char *text;  /* of the plan file */
};

/* The first one is the default. */
extern const struct cli_starter cli_starters[];
extern const uint32_t cli_starter_count;

#endif
