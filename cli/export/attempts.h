/* attempts.h - every attempt of a run that took time on a node, and which slot it can be thought to have had
 *
 * A journal says when an attempt began and ended and where, not in which slot of the node. Slots are dealt out afterwards: in the order of
 * their starts each attempt gets the lowest number that is free on its node, so that no two of a slot overlap.
 */
#ifndef CLI_ATTEMPTS_H
#define CLI_ATTEMPTS_H

#include "cli/tally.h"

enum cli_attempt_end {
	CLI_ATTEMPT_RUNNING,   /* has not ended */
	CLI_ATTEMPT_SUCCEEDED,
	CLI_ATTEMPT_FAILED,    /* the unit failed with it */
	CLI_ATTEMPT_RETRIED,   /* it failed, the unit was tried again */
	CLI_ATTEMPT_CANCELLED,
	CLI_ATTEMPT_LOST,      /* with its node */
};

struct cli_attempt {
	uint64_t start_us, end_us; /* CLOCK_REALTIME, of the node where it told, else when it was handed out and given up; end >= start */
	uint32_t unit, number;     /* unit: count is __verify__ */
	uint32_t agent;            /* that ran it, of the graph's; COORD_NONE: a command */
	uint32_t node, slot;       /* node: COORD_NONE: unknown */
	int32_t exit;
	uint8_t end;               /* enum cli_attempt_end */
	uint8_t class, reason;
};

/* What a unit's attempts used of a model, all of them together. */
struct cli_attempt_usage {
	uint64_t tokens, cost_microusd;
	bool cost_unknown;         /* of some attempt that used tokens */
};

struct cli_attempts {
	struct rv_buf rows;        /* struct cli_attempt each, by start once arranged */
	uint64_t *assigned_us;     /* by unit: when its newest attempt was handed out, 0: none is out */
	struct cli_attempt_usage *usage; /* by unit; NULL: no attempt told of any */
	uint32_t units;            /* that there is room for in both, the verify step besides, which is the last */
	uint32_t *last;            /* by unit: its last attempt's row + 1, once arranged; 0: none */
	uint32_t *slots;           /* by node: how many were dealt; at node_count: of unknown nodes */
	uint32_t node_count;
	uint64_t from_us, to_us;   /* all of it, acceptance and end of the run included */
};

void cli_attempts_init(struct cli_attempts *a);
void cli_attempts_release(struct cli_attempts *a);
/* -1: no memory. */
int cli_attempts_feed(struct cli_attempts *a, const struct cli_tally *t, const struct coord_transition *tr);
/* Adds what runs now, sorts, deals out slots. */
int cli_attempts_arrange(struct cli_attempts *a, const struct cli_tally *t, struct rv_err *err);

static inline uint32_t cli_attempts_count(const struct cli_attempts *a)
{
	return (uint32_t)(a->rows.bytes / sizeof(struct cli_attempt));
}
static inline struct cli_attempt *cli_attempt_at(const struct cli_attempts *a, uint32_t i)
{
	return (struct cli_attempt *)(void *)a->rows.at + i; /* malloc'd, whole structs only */
}
const char *cli_attempt_end_name(enum cli_attempt_end end);

#endif
