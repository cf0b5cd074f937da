/* record.h - journal facts: what the coordinator's state is a fold over
 *
 * A fact says what was decided, never what can be derived: skips, ready counts and blocked-by lists follow from the
 * graph. One journal row (coordinator/journal) holds the facts of one turn of the loop and, beside them, their time (CLOCK_REALTIME,
 * shown only) and epoch.
 * An event's number is its fact's row and index in it.
 *
 * | fact | says |
 * |---|---|
 * | EPOCH | a coordinator started serving with this epoch |
 * | RUN_ACCEPTED | a plan became a run; the plan itself is a blob |
 * | UNITS_ADDED | an open run got more units; the plan of them is a blob |
 * | ASSIGNED | a unit's next attempt goes to a node |
 * | ENDED | a unit reached a terminal state: a result accepted, or a decision that time or a person made (queue timeout, run timeout) |
 * | ATTEMPT_ENDED | an attempt ended and its unit did not: failed and to be retried, lost, rejected, retracted |
 * | RUN_STOPPED | nothing new starts any more: timeout, interrupt, cancel, with the reason |
 * | RUN_FINISHED | the run ended, with its counts |
 * | MUTATION | a person's act on a run, unit or node, with its request id |
 * | NODE | a node was admitted, quarantined, recovered, left; its daemon began anew |
 * | KEY | a CURVE key was admitted with its roles, or revoked |
 * | TOKEN | a token was created, used (and how many uses are left), revoked |
 */
#ifndef PROTO_RECORD_H
#define PROTO_RECORD_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/msg.h"

enum proto_fact_kind {
	PROTO_FACT_EPOCH = 1,
	PROTO_FACT_RUN_ACCEPTED,
	PROTO_FACT_ASSIGNED,
	PROTO_FACT_ENDED,
	PROTO_FACT_ATTEMPT_ENDED,
	PROTO_FACT_RUN_STOPPED,
	PROTO_FACT_RUN_FINISHED,
	PROTO_FACT_MUTATION,
	PROTO_FACT_NODE,
	PROTO_FACT_KEY,
	PROTO_FACT_TOKEN,
	PROTO_FACT_UNITS_ADDED,
};

#define PROTO_FACT_LAST PROTO_FACT_UNITS_ADDED

/* Terminal states of a unit and of a run; live states are derived. */
enum proto_end_state { PROTO_END_SUCCEEDED = 1, PROTO_END_FAILED, PROTO_END_SKIPPED, PROTO_END_CANCELLED };

enum proto_mutation {
	PROTO_MUT_CANCEL = 1, /* a unit, or a run (unit = RV_MAP_NONE) */
	PROTO_MUT_RETRY,      /* one more try for an ended unit; resets what was skipped because of it */
	PROTO_MUT_RESUME,     /* every unit that did not succeed goes back to pending, counters anew */
	PROTO_MUT_PAUSE,
	PROTO_MUT_UNPAUSE,
	PROTO_MUT_HOLD,
	PROTO_MUT_RELEASE,
	PROTO_MUT_SKIP,
	PROTO_MUT_SET_MAX_WORKERS,
	PROTO_MUT_SET_PRIORITY,
	PROTO_MUT_DRAIN,      /* a node; value: us until what runs there is ended and goes elsewhere, 0: it may end by itself */
	PROTO_MUT_UNDRAIN,
	PROTO_MUT_REMOVE,
	PROTO_MUT_SET_TOKENS, /* a run's limits.tokens; 0: none */
	PROTO_MUT_SET_COST,   /* a run's limits.cost_usd, millionths of a dollar; 0: none */
	PROTO_MUT_SET_FAILED, /* a run's limits.failed; 0: none */
	PROTO_MUT_RM,         /* an ended run is not known any more */
	PROTO_MUT_CLOSE,      /* an open run gets no more units */
};

#define PROTO_MUT_LAST PROTO_MUT_CLOSE

static inline bool proto_mutation_of_node(enum proto_mutation what)
{
	return what >= PROTO_MUT_DRAIN && what <= PROTO_MUT_REMOVE;
}

enum proto_node_change { PROTO_NODE_ADMITTED = 1, PROTO_NODE_QUARANTINED, PROTO_NODE_RECOVERED, PROTO_NODE_LOST, PROTO_NODE_LEFT,
			 PROTO_NODE_BEGAN /* its daemon is another than before */ };
enum proto_key_change { PROTO_KEY_ADMITTED = 1, PROTO_KEY_REVOKED };
enum proto_token_change { PROTO_TOKEN_MADE = 1, PROTO_TOKEN_USED, PROTO_TOKEN_REVOKED };

struct proto_fact {
	enum proto_fact_kind kind;
	union {
		struct {
			uint64_t epoch;
			uint8_t boot_id[16];
		} epoch;
		struct {
			uint64_t run;
			struct rv_str name;
			uint8_t plan_blob[PROTO_DIGEST_BYTES];      /* the plan as accepted (plan_save) */
			uint8_t plan_digest[PROTO_DIGEST_BYTES];    /* over what units run: --resume compares it */
			uint8_t estimates_blob[PROTO_DIGEST_BYTES]; /* u64 LE a unit of the plan, 0 = none learned; zeros: no blob */
			uint32_t units;
			int32_t priority;
			uint64_t submission;                        /* the client's id of it; 0: none (`reeve run`) */
			struct rv_str workspace_id;                 /* "" = mode none */
			bool open;                                  /* units may be added until it is closed */
		} run_accepted;
		struct {
			uint64_t run;
			uint8_t plan_blob[PROTO_DIGEST_BYTES];      /* the run's head with the units added (plan_save) */
			uint32_t first, units;                      /* the number of the first new one, how many are new */
			uint64_t submission;                        /* the client's id of the addition */
		} units_added;
		struct {
			struct proto_attempt_key key;
			uint32_t node; /* index in this journal's NODE facts */
			struct proto_after after; /* the attempt, active at that node, whose success it waits for there */
		} assigned;
		struct {
			struct proto_attempt_key key; /* attempt 0: ended without one */
			uint32_t node;
			enum proto_end_state state;
			struct proto_result result;   /* key repeated; borrowed */
		} ended;
		struct {
			struct proto_attempt_key key;
			uint32_t node;
			uint64_t retry_delay_us;      /* how long the unit waits; shown, and counted anew after a restart */
			struct proto_result result;   /* class and reason say why; flags & STARTED: it was a try */
		} attempt_ended;
		struct {
			uint64_t run;
			enum proto_reason reason;     /* RUN_TIMEOUT, INTERRUPTED, CANCELLED */
		} run_stopped;
		struct {
			uint64_t run;
			enum proto_end_state state;   /* SUCCEEDED, FAILED, CANCELLED */
			enum proto_reason reason;
			uint32_t succeeded, failed, skipped, cancelled;
		} run_finished;
		struct {
			enum proto_mutation what;
			uint64_t run;
			uint32_t unit;                /* RV_MAP_NONE: the run */
			uint32_t node;                /* RV_MAP_NONE: none */
			uint64_t request;             /* the client's request id: repeated = already done */
			int64_t value;                /* SET_*: the new value; CANCEL: grace in us, -1 = the unit's own; DRAIN: as above */
			struct rv_str note;           /* RETRY: the context key `_note`; RELEASE: the unit's output if it has none of its own */
			struct rv_str prompt;         /* RETRY: in place of the unit's; "" = it stays */
			struct rv_str agent;          /* RETRY: by name, of the plan's agents or a built-in profile; "" = it stays */
		} mutation;
		struct {
			uint32_t node;                /* 0, 1, ...: its number in this journal */
			enum proto_node_change change;
			struct rv_str name;
			uint8_t key[PROTO_DIGEST_BYTES];
			uint8_t boot_id[16];          /* BEGAN, and these alone */
			uint64_t incarnation;
		} node;
		struct {
			enum proto_key_change change;
			uint32_t roles;               /* bits: PROTO_ROLE_NODE, PROTO_ROLE_OPERATOR */
			uint8_t key[PROTO_KEY_BYTES]; /* CURVE public key */
			struct rv_str name;           /* of the node or person */
			struct rv_str token;          /* id of the one that let it in; "" = none */
		} key;
		struct {
			enum proto_token_change change;
			struct rv_str id;
			uint32_t role;                /* PROTO_ROLE_NODE or PROTO_ROLE_OPERATOR */
			uint8_t key[PROTO_KEY_BYTES]; /* public, of the key that its secret gives */
			uint64_t expires_us;          /* CLOCK_REALTIME */
			uint32_t uses;                /* left */
		} token;
	};
};

/* Appends one record (length-prefixed). */
int proto_fact_encode(const struct proto_fact *f, struct rv_buf *out);
/* Reads the record at *at, moves *at behind it. 1: read; 0: no more; -1: RV_E_CORRUPT / RV_E_VERSION. Borrows from the
 * bytes; arrays come from `arena`. */
int proto_fact_decode(struct rv_str *at, struct rv_arena *arena, struct proto_fact *out, struct rv_err *err);
/* Only what stands at a record's front: for those who pass facts on without folding them. */
struct proto_fact_head {
	enum proto_fact_kind kind;
	uint64_t run;         /* that it concerns; 0: none */
	bool of_node;         /* a MUTATION of a node */
	struct rv_str record; /* all of it, with its length */
};
/* As proto_fact_decode(). */
int proto_fact_peek(struct rv_str *at, struct proto_fact_head *out, struct rv_err *err);
const char *proto_fact_name(enum proto_fact_kind kind);

#endif
