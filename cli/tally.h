/* tally.h - what became of each unit of one run, as far as people and programs ask
 *
 * Fed with the core's transitions, live or replayed, it keeps a row a unit and a few counts; nothing here depends on where
 * the transitions come from. Events, results, tables and the summary are all written from it, so that they agree.
 */
#ifndef CLI_TALLY_H
#define CLI_TALLY_H

#include "common/buf.h"
#include "common/err.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"

enum cli_keep {
	CLI_KEEP_FAILURES, /* details (output, error, artifacts) only of units that did not succeed */
	CLI_KEEP_ALL,
};

struct cli_unit {
	uint64_t start_us, end_us; /* the node's CLOCK_REALTIME at spawn and reap of the attempt that counts; 0: none */
	uint64_t duration_us;
	uint64_t told_us;          /* CLOCK_REALTIME of the fact that put it into this state; 0: pending since the start */
	uint64_t due_us;           /* in RETRY_WAIT: CLOCK_REALTIME of its next try */
	uint64_t cpu_us;
	uint64_t details;          /* place in cli_tally.details + 1; 0: none */
	uint32_t attempt, tries;
	uint32_t node;             /* COORD_NONE: none yet */
	uint32_t agent;            /* that ran its newest attempt, of the graph's; COORD_NONE: none yet, or a command */
	uint32_t root_cause;
	int32_t exit;              /* -1: none */
	int32_t signal;
	uint8_t state;             /* enum coord_unit_state */
	uint8_t class, reason;
	bool late;                 /* a later attempt's result came after it was settled, and was not applied */
};

/* What one unit used of models. Attempts report cumulatively, and one that was lost may come back: `counted` is what of its newest one is in
 * `total` already. */
struct cli_unit_usage {
	struct proto_usage total, counted;
	uint32_t attempt;          /* that `counted` is of */
};

/* What one agent ran. */
struct cli_agent_sum {
	struct proto_usage used;
	uint64_t cpu_us;
};

struct cli_tally {
	const struct coord_graph *graph; /* borrowed */
	enum cli_keep keep;
	uint64_t run;
	uint32_t count;            /* units; units[count] is __verify__ */
	struct cli_unit *units;
	uint64_t room;             /* of units, the verify step's included */
	struct rv_buf details;
	struct rv_buf node_names;  /* u32 length and bytes each */
	struct rv_buf node_places; /* u64 place + 1 of node i's name in node_names; 0: not known */
	uint32_t node_learnt;      /* the last whose name was looked up: mostly there is one */
	enum coord_run_state state;
	enum proto_reason reason;
	uint64_t accepted_us, started_us, finished_us; /* by the wall clock */
	uint64_t stopped_us;       /* of the time since its start: it had ended, or its process was gone, until it was gone on with */
	uint64_t told_us;          /* by the wall clock: the last that was told of it */
	uint64_t took_us;          /* from start to end by a clock that does not jump; 0: not both were seen by this process */
	uint32_t in_state[COORD_UNIT_STATE_COUNT];
	uint32_t retries, node_lost;
	struct cli_unit_usage *usage; /* by unit, __verify__ last; NULL: nothing was used yet */
	struct proto_usage used;   /* by all of them */
	struct cli_agent_sum *by_agent; /* of the graph's agents, commands last; each attempt counts where it ran */
	uint32_t agent_count;      /* without that last one */
	uint64_t cpu_us;           /* the same of processors */
	uint64_t running_tokens, running_cost_microusd; /* of the whole run with what running attempts report; 0: not known here */
	uint32_t held;             /* the unit that was held last; COORD_NONE */
	uint32_t first_failed;     /* COORD_NONE: none */
	bool has_verify;
	bool open;                 /* more units may be added; as of when the core was asked */
	const struct cli_waits *waits; /* what ready units wait for (waits.h), borrowed; NULL: nobody was asked */
};

/* `graph` must outlive it. */
int cli_tally_init(struct cli_tally *t, const struct coord_graph *graph, enum cli_keep keep, struct rv_err *err);
/* Units were added to an open run (COORD_T_UNITS_ADDED), which the graph has by now; before it is fed with that. */
int cli_tally_grow(struct cli_tally *t, uint32_t units, struct rv_err *err);
void cli_tally_release(struct cli_tally *t);
/* A transition of this run (others are ignored). `core` tells nodes' names. */
void cli_tally_feed(struct cli_tally *t, const struct coord_transition *tr, const struct coord *core);

/* The id, also of __verify__; written to `room` or borrowed. */
struct rv_str cli_tally_unit_id(const struct cli_tally *t, uint32_t unit, char room[COORD_UNIT_ID_BYTES]);
struct rv_str cli_tally_node_name(const struct cli_tally *t, uint32_t node); /* "" = unknown */
/* When it could first have been handed out: the end of its last dependency, the acceptance of the run where it has none;
 * 0: not yet. */
uint64_t cli_tally_queued_us(const struct cli_tally *t, uint32_t unit);
/* How long the run, which has ended, took, but for when it stood still before it was gone on with: as it was measured, else what the wall
 * clock's times differ by. */
uint64_t cli_tally_took_us(const struct cli_tally *t);
/* The same until now, of one that may still run. 0: not begun. */
uint64_t cli_tally_elapsed_us(const struct cli_tally *t, uint64_t real_us);
/* The agent of the unit's newest attempt, of the graph's, before that its own; COORD_NONE: a command. */
uint32_t cli_tally_agent(const struct cli_tally *t, uint32_t unit);
/* Its name, "command" where there is none. */
struct rv_str cli_tally_agent_name(const struct cli_tally *t, uint32_t unit);
/* What attempts run by this agent used, COORD_NONE: commands. */
struct cli_agent_sum cli_tally_by_agent(const struct cli_tally *t, uint32_t agent);
/* Nothing where nothing was used. */
struct proto_usage cli_tally_usage(const struct cli_tally *t, uint32_t unit);
void cli_usage_add(struct proto_usage *to, const struct proto_usage *u);
/* A unit that waits for a person's release; COORD_NONE: none does. */
uint32_t cli_tally_held(const struct cli_tally *t);
bool cli_unit_ended(const struct cli_unit *u);
uint32_t cli_tally_ended(const struct cli_tally *t);

/* What an attempt left behind; everything borrows from the tally until it is fed again. */
struct cli_details {
	struct rv_str error;
	struct proto_value output, tail;
	bool output_json;
	bool truncated;
	bool artifacts_cut;
	uint64_t rss_bytes;
	struct rv_str enforcement, limits;
	uint32_t artifact_count;
	struct rv_reader artifacts; /* cli_details_artifact() */
};

/* All empty where nothing was kept. */
void cli_tally_details(const struct cli_tally *t, uint32_t unit, struct cli_details *out);
bool cli_details_artifact(struct cli_details *d, struct proto_artifact *out); /* the next one */

/* Why it is in its state, as a sentence: "exit 3", "blocked by failed dependencies: a, b", "" where nothing is to be said. */
void cli_put_reason(const struct cli_tally *t, uint32_t unit, struct rv_buf *out);
/* What a unit in RETRY_WAIT waits for, "rate limited, asks again in 42.0s" or "next try in 4.2s"; of a time that is over, or not known: "rate
 * limited", "". `real_us`: now, CLOCK_REALTIME. */
void cli_put_retry_wait(const struct cli_unit *u, uint64_t real_us, struct rv_buf *out);
/* A node's sentence names its unit, since it stands alone in logs: the rest of it, for where the unit is said already. */
struct rv_str cli_error_without_unit(const struct cli_tally *t, uint32_t unit, struct rv_str error);
/* Names of direct dependencies that did not succeed, sorted, each through `each`. */
void cli_tally_blocked_by(const struct cli_tally *t, uint32_t unit, void (*each)(void *arg, struct rv_str id), void *arg);

#endif
