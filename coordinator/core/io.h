/* io.h - the whole boundary of the coordinator's core on one page: events in, effects out
 *
 * The shell drains its sockets and steps the core once an event; then it steps COORD_EV_TURN, which delivers deadlines
 * that are due and places what is ready. A step that could not finish for want of room says `out->again`: the shell
 * performs the effects, empties the list and steps COORD_EV_AGAIN until it is clear, before any other event (so that a fact
 * is always applied to a state in which all that follows from the facts before it has happened, live as in replay).
 * Facts that the steps of one turn emitted become one journal row; a message whose effect says `needs_fact` leaves once
 * that row is durable.
 *
 * Everything inside an event is borrowed until the step returns. Everything inside an effect is borrowed until the next
 * step: the shell encodes or copies at once. A step cannot fail, allocates nothing and reads no clock: what does not fit
 * was refused before (coord_admit_run, coord_client_check) or waits in a queue and asks to be called again.
 *
 * State is a fold over facts. A live step decides, emits the fact and applies it; replay (COORD_EV_FACT) applies it. Both
 * emit the same transitions, so `events`, `status` and exports of a finished run are a replay that listens.
 */
#ifndef COORD_IO_H
#define COORD_IO_H

#include "common/base.h"
#include "proto/msg.h"
#include "proto/record.h"

struct coord;       /* the core */
struct coord_graph; /* a run's tables, built outside the step: coordinator/core/graph.h */

#define COORD_NONE UINT32_MAX

/* --- events ---------------------------------------------------------------------------------------------------- */

enum coord_event_kind {
	COORD_EV_FACT = 1,       /* replay: the next fact of the journal */
	COORD_EV_SERVING,        /* replay is over, the epoch claimed: from now on live */
	COORD_EV_RUN_ACCEPTED,   /* a checked plan became a run; takes its graph */
	COORD_EV_UNITS_ADDED,    /* more units for an open run; its part was fitted (coord_admit_units) and is borrowed */
	COORD_EV_MUTATION,       /* a person's act, checked by coord_client_check() before */
	COORD_EV_RUN_STOP,       /* interrupt: nothing new starts, what runs is cancelled */
	COORD_EV_HELLO,          /* a page of a node's HELLO */
	COORD_EV_NODE_GONE,      /* its link ended, or it said BYE */
	COORD_EV_HEARTBEAT,
	COORD_EV_TAKEN,
	COORD_EV_REJECTED,
	COORD_EV_STARTED,
	COORD_EV_RESULT,
	COORD_EV_NOT_HERE,
	COORD_EV_RETRACTED,
	COORD_EV_ALREADY_STARTED,
	COORD_EV_USAGE,          /* what a running attempt has used so far */
	COORD_EV_TURN,           /* sockets are drained: deadlines, then placement */
	COORD_EV_AGAIN,          /* goes on with what the last step could not finish (out->again), whatever that was; during replay too */
	COORD_EV_RUN_FORGET,     /* an ended run need not be asked about any more: RELEASE_RUN follows */
};

struct coord_event {
	enum coord_event_kind kind;
	uint64_t now_us;       /* CLOCK_BOOTTIME: leases, backoff, liveness */
	uint64_t real_us;      /* CLOCK_REALTIME: shown only */
	bool admitted;         /* HELLO: its key was proved, and is on the list now (false: it is trusted by its link) */
	uint64_t peer;         /* node messages: the shell's handle of the link they came by */
	union {
		struct {
			const struct proto_fact *fact;
			struct coord_graph *graph; /* RUN_ACCEPTED: the graph, rebuilt from the plan blob; taken. UNITS_ADDED: the part, fitted; borrowed */
			uint64_t position;         /* journal row and place in it, for transitions */
			uint32_t index;
		} fact;
		struct {
			uint64_t epoch;
			uint8_t boot_id[16];       /* of the host, for the fact */
		} serving;
		struct {
			struct coord_graph *graph;          /* taken; of UNITS_ADDED borrowed */
			const struct proto_fact *fact;      /* the RUN_ACCEPTED or UNITS_ADDED fact to emit */
		} run_accepted;
		struct {
			const struct proto_fact *fact;      /* a MUTATION fact */
			uint64_t client;                    /* the shell's handle, echoed in COORD_FX_REPLY; 0 = nobody waits */
		} mutation;
		struct {
			uint64_t run;
			enum proto_reason reason;           /* INTERRUPTED or CANCELLED */
			uint64_t grace_us;                  /* RV_NEVER: each unit's own; 0: KILL now */
		} run_stop;
		struct {
			uint64_t run;
		} run_forget;
		const struct proto_hello *hello;            /* held_count <= COORD_HELLO_HELD_MAX: what is more comes as further pages */
		const struct proto_heartbeat *heartbeat;
		struct proto_attempt_key key;               /* TAKEN, NOT_HERE, RETRACTED, ALREADY_STARTED */
		const struct proto_rejected *rejected;
		const struct proto_started *started;
		const struct proto_result *result;
		const struct proto_usage_report *usage;
		struct {
			uint64_t commit_us;                 /* what a commit costs now, for prefetch; 0 = unknown */
		} turn;
	};
};

/* --- effects ---------------------------------------------------------------------------------------------------- */

enum coord_effect_kind {
	COORD_FX_FACT = 1,     /* append to this turn's row */
	COORD_FX_TRANSITION,   /* tell watchers; also during replay */
	/* messages to a node, by `peer` */
	COORD_FX_WELCOME,
	COORD_FX_VERDICT,      /* belongs to the WELCOME before it */
	COORD_FX_HB_ACK,
	COORD_FX_DISPATCH,
	COORD_FX_CANCEL,
	COORD_FX_RESULT_ACK,
	COORD_FX_RETRACT,
	COORD_FX_DRAIN,
	COORD_FX_GOAWAY,
	/* to the shell */
	COORD_FX_REPLY,        /* a mutation was done, or had been before */
	COORD_FX_RUN_FINISHED, /* every unit is terminal and the fact is emitted */
	COORD_FX_RELEASE_RUN,  /* gives the graph back */
	COORD_FX_LINK_OVER,    /* the node has left `peer`, or come over another link: what still waits for that one is told nobody */
};

/* What happened, for people and programs that watch (cli.md "Event types"). */
enum coord_transition_kind {
	COORD_T_RUN_ACCEPTED = 1,
	COORD_T_RUN_STARTED,      /* its first unit was assigned */
	COORD_T_RUN_STOPPED,
	COORD_T_RUN_RESUMED,
	COORD_T_RUN_PAUSED,
	COORD_T_RUN_UNPAUSED,
	COORD_T_RUN_CHANGED,      /* set */
	COORD_T_RUN_FINISHED,
	COORD_T_UNIT_READY,       /* live only */
	COORD_T_UNIT_ASSIGNED,
	COORD_T_UNIT_STARTED,     /* live only */
	COORD_T_UNIT_RETRACTED,
	COORD_T_UNIT_RETRY_WAIT,
	COORD_T_UNIT_HELD,
	COORD_T_UNIT_RELEASED,
	COORD_T_UNIT_REQUEUED,    /* retry or resume put it back to pending */
	COORD_T_UNIT_FINISHED,
	COORD_T_ATTEMPT_LOST,
	COORD_T_ATTEMPT_REJECTED,
	COORD_T_RESULT_FENCED,    /* a late result, kept and shown, never applied */
	COORD_T_NODE_JOINED,
	COORD_T_NODE_SUSPECT,
	COORD_T_NODE_LOST,
	COORD_T_NODE_QUARANTINED,
	COORD_T_NODE_RECOVERED,
	COORD_T_NODE_DRAINED,
	COORD_T_NODE_LEFT,
	COORD_T_RUN_CLOSED,       /* no more units are added */
	COORD_T_UNITS_ADDED,
};

enum coord_unit_state {
	COORD_UNIT_PENDING,
	COORD_UNIT_READY,
	COORD_UNIT_ACTIVE,
	COORD_UNIT_RETRY_WAIT,
	COORD_UNIT_HELD,
	COORD_UNIT_SUCCEEDED,
	COORD_UNIT_FAILED,
	COORD_UNIT_SKIPPED,
	COORD_UNIT_CANCELLED,
	COORD_UNIT_STATE_COUNT
};

enum coord_run_state { COORD_RUN_RUNNING, COORD_RUN_PAUSED, COORD_RUN_SUCCEEDED, COORD_RUN_FAILED, COORD_RUN_CANCELLED };

struct coord_transition {
	enum coord_transition_kind kind;
	uint64_t real_us;
	uint64_t position;        /* replay: the fact's; live: 0, the shell knows the row it appends */
	uint32_t index;
	uint32_t part;            /* which of all that its fact led to, live and in replay alike; COORD_NONE: told live only, of no fact */
	uint64_t run;
	uint32_t unit;            /* COORD_NONE: of a run or node */
	uint32_t attempt, try_number;
	uint32_t node;            /* COORD_NONE: none */
	enum coord_unit_state state;
	enum coord_run_state run_state;
	enum proto_class class;
	enum proto_reason reason;
	uint32_t root_cause;      /* unit that failed first, for skips and fail-fast; COORD_NONE: none */
	uint64_t delay_us;        /* RETRY_WAIT */
	bool died;                /* RUN_RESUMED: it had not ended, its process was gone; nobody knows since when */
	uint32_t units;           /* UNITS_ADDED: how many */
	uint32_t agent;           /* UNIT_ASSIGNED: that runs it, of the graph's agents; COORD_NONE: its own command */
	const struct proto_result *result; /* UNIT_FINISHED, RETRY_WAIT, RESULT_FENCED: may be NULL */
};

struct coord_effect {
	enum coord_effect_kind kind;
	bool needs_fact;          /* leaves only when this turn's row is durable */
	uint64_t peer;
	union {
		struct proto_fact const *fact;       /* borrowed from the core or from the event */
		struct coord_transition const *transition;
		struct proto_welcome welcome;
		struct proto_held_verdict verdict;
		struct proto_hb_ack hb_ack;
		struct {
			struct proto_attempt_key key;
			uint32_t try_number;
			uint64_t lease_us;
			uint64_t tokens_left, cost_left_microusd; /* of limits that apply; 0: none */
			bool no_hurry;               /* nothing waits for its result */
			uint32_t agent;              /* that runs it in place of its own, of the graph's agents; COORD_NONE */
			bool sync;                   /* at_most_once: the row must be synced, whatever the durability */
			struct proto_after after;    /* it is handed over behind that attempt, which has not ended; attempt 0: behind none */
		} dispatch;                          /* the shell adds spec, item and dependency outputs (coord_graph_*) */
		struct proto_cancel cancel;
		struct proto_result_ack result_ack;
		struct proto_attempt_key retract;
		struct proto_goaway goaway;
		struct {
			uint64_t client;
			bool done_before;            /* the request id was known */
			uint32_t changed;            /* how many units or runs it changed */
		} reply;
		struct {
			uint64_t run;
			enum coord_run_state state;
			enum proto_reason reason;
		} run_finished;
		struct coord_graph *release;
	};
};

/* Room for effects, given by the shell, emptied by it before each step; a step needs a capacity of COORD_EFFECTS_MIN, a HELLO 4
 * for each attempt held besides. `again`: step COORD_EV_AGAIN before anything else. Storage that effects point to (facts,
 * transitions) lives in the core until the next step. */
#define COORD_EFFECTS_MIN 64u
#define COORD_HELLO_HELD_MAX RV_HELLO_HELD_MAX

struct coord_effects {
	struct coord_effect *items;
	uint32_t count;
	uint32_t capacity;
	bool again;
};

/* --- the core ----------------------------------------------------------------------------------------------------- */

struct coord_config {
	uint32_t nodes_max, attempts_max, runs_max; /* pools, sized at creation */
	uint32_t paths_max;       /* directories (with their ancestors) held or waited for at once, by all runs */
	uint64_t seed;            /* jitter, sampling */
	uint64_t prefetch_us;     /* aim of prefetch, 2,000; 0 = none */
	uint64_t gather_us;       /* and so much more of units whose results gather at nodes, RV_GATHER_US; 0 */
	uint64_t heartbeat_us_max; /* 2,000,000 */
	uint64_t heartbeat_us_min; /* 200,000 */
};

void coord_config_init(struct coord_config *cfg);
struct coord *coord_create(const struct coord_config *cfg); /* NULL: no memory */
void coord_destroy(struct coord **c);                       /* destroys the graphs it holds, too */

void coord_step(struct coord *c, const struct coord_event *ev, struct coord_effects *out);
uint64_t coord_next_deadline(const struct coord *c); /* CLOCK_BOOTTIME us; RV_NEVER: none */
void coord_audit(const struct coord *c);             /* numbered audits A1..: aborts on a breach */
uint64_t coord_digest(const struct coord *c);        /* of what is folded; equal after replay */

/* Would this run, this act be taken? -1 says why not (limits, unknown run or unit, wrong state); nothing has changed. */
int coord_admit_run(const struct coord *c, const struct coord_graph *g, struct rv_err *err);
/* Fits what is added to the run (core/grow.h), right before the step or the fold that takes it. -1: why not; nothing has changed. *added, *there: how many
 * of its units are new, and how many were there already, with the same content. */
int coord_admit_units(struct coord *c, uint64_t run, struct coord_graph *part, uint32_t *added, uint32_t *there, struct rv_err *err);
/* After that: does it bring anything? An empty template is something, too. */
bool coord_part_is_new(const struct coord_graph *part);
bool coord_run_is_open(const struct coord *c, uint64_t run); /* false: no such run, too */
int coord_client_check(const struct coord *c, const struct proto_fact *mutation, struct rv_err *err);

/* --- asking (between steps) -------------------------------------------------------------------------------------------- */

struct coord_run_counts {
	uint32_t total, pending, ready, active, retry_wait, held;
	uint32_t succeeded, failed, skipped, cancelled;
	uint32_t retries, node_lost;
	uint64_t tokens, cost_microusd; /* used, what running attempts report included */
	uint64_t limit_tokens, limit_cost_microusd; /* 0: none */
};

struct coord_unit_view {
	enum coord_unit_state state;
	enum proto_class class;
	enum proto_reason reason;
	uint32_t attempt;     /* the newest; 0 = none yet */
	uint32_t tries;       /* attempts that began and are over */
	uint32_t node;        /* of the newest attempt, COORD_NONE: none */
	uint32_t root_cause;
	uint64_t start_us, end_us; /* CLOCK_REALTIME; 0: not yet */
	uint64_t ready_us;
};

/* Replay: may this fact come next? NULL: yes; else what is wrong with it, for "the facts contradict each other: ...". A core is folded only with
 * facts that fit: it takes others for a mistake of its own. */
const char *coord_fact_fits(const struct coord *c, const struct proto_fact *f);

const struct coord_graph *coord_run_graph(const struct coord *c, uint64_t run); /* NULL: no such run */
void coord_run_counts(const struct coord *c, uint64_t run, struct coord_run_counts *out);
enum coord_run_state coord_run_state(const struct coord *c, uint64_t run, enum proto_reason *reason);
void coord_unit_view(const struct coord *c, uint64_t run, uint32_t unit, struct coord_unit_view *out);
/* Attempts that are not over lie at places from 0 to coord_active_places(), and stay where they are: is there one of the run at `place`? */
struct coord_active {
	uint32_t unit, attempt, node, try_number; /* which try it is, if it began */
	bool started;
	uint64_t start_us;    /* CLOCK_REALTIME of the node; 0: not told */
};
uint32_t coord_active_places(const struct coord *c);
bool coord_active_at(const struct coord *c, uint64_t run, uint32_t place, struct coord_active *out);
/* Runs in order of acceptance: the i-th's number, 0 past the end. */
uint64_t coord_run_at(const struct coord *c, uint32_t i);
struct rv_str coord_node_name(const struct coord *c, uint32_t node);
/* Nodes are numbered from 0 in order of admission; they stay when they are removed. */
uint32_t coord_node_count(const struct coord *c);
uint32_t coord_node_find(const struct coord *c, struct rv_str name); /* not a removed one; COORD_NONE */
uint32_t coord_node_find_removed(const struct coord *c, struct rv_str name);
void coord_node_key(const struct coord *c, uint32_t node, uint8_t hash[PROTO_DIGEST_BYTES]);
uint64_t coord_node_peer(const struct coord *c, uint32_t node);      /* of its session; 0: it is away */
uint32_t coord_peer_node(const struct coord *c, uint64_t peer);      /* whose session that is; COORD_NONE */
/* Was the act of this request id done, as far as is remembered? */
bool coord_request_done(const struct coord *c, uint64_t request);

enum coord_node_standing { COORD_NODE_AWAY, COORD_NODE_JOINED, COORD_NODE_SUSPECT, COORD_NODE_REMOVED };

struct coord_node_view {
	enum coord_node_standing standing;
	bool draining;
	const char *health;          /* good, careful, probed, quarantined */
	uint64_t slots, slots_used, agent_slots, agent_used;
	uint32_t attempts;           /* that it holds, as far as is believed */
	uint32_t failures_row;       /* failures of the environment in a row */
	uint32_t probes;
	enum proto_class last_class; /* of the last try that failed there, NONE; this and the next two since the coordinator's start */
	uint32_t recoveries, stolen; /* times it was well again; attempts asked back for an idle node */
	uint64_t heard_us;           /* since it was heard; 0: never since the coordinator's start */
	uint64_t heartbeat_us, rtt_us;
	uint64_t incarnation;
	uint64_t memory_bytes;
	const char *kill_level;      /* as it says in HELLO; "" before */
	const char *labels;          /* key NUL value NUL ... */
	uint32_t label_count;
	uint32_t agent_count;        /* behind the labels: name NUL version NUL ... */
};

void coord_node_view(const struct coord *c, uint32_t node, struct coord_node_view *out);

/* For tests: how often each cell of the units' [state][event] table was used, replay included, and whether it may be. */
#define COORD_UNIT_EVENTS 8u
const uint32_t *coord_unit_cells(const struct coord *c); /* [COORD_UNIT_STATE_COUNT][COORD_UNIT_EVENTS] */
bool coord_unit_cell_exists(uint32_t state, uint32_t event);
const char *coord_unit_event_name(uint32_t event);

/* Does one more try after a failure of this class spend one of retry.max? Others have limits of their own. */
bool coord_class_spends_retry(enum proto_class class);
const char *coord_unit_state_name(enum coord_unit_state s);
const char *coord_run_state_name(enum coord_run_state s);
const char *coord_transition_name(enum coord_transition_kind k);

#endif
