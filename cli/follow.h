/* follow.h - until a run has ended: `wait`, `watch`, `submit --wait` and `--watch` */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/render.h"
#include "cli/runview.h"

enum cli_follow_how {
	CLI_FOLLOW_QUIET, /* the result at the end */
	CLI_FOLLOW_LINES, /* a line a transition, the counts at the end */
};

struct cli_follow {
	const char *state, *coordinator; /* options, NULL: not given */
	struct rv_str run;               /* "" = the newest */
	enum cli_format format;
	enum cli_follow_how how;
	bool exit_status;                /* exit as the run did; else 0 once it has ended */
};

/* Answers on stdout, with -o json reeve.result/1, with jsonl each unit's object (QUIET) or each event (LINES) the moment it comes and the run's
 * last. An interrupt detaches: it says how to come back, status 130. */
int cli_follow(const struct cli_follow *f);

#endif
