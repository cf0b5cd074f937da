/* msg.h - messages as structs: what the codec reads and writes
 *
 * A frame is a msgpack array [PROTO_VERSION, message, message...]; a message is an array [kind, fields...]. Messages that
 * come by the thousand (DISPATCH, RESULT, RESULT_ACK, TAKEN, STARTED) hold many items in one message; the reader hands
 * them out one at a time, borrowed from the frame. Everything here borrows.
 *
 * An attempt is named everywhere by (run, unit, attempt): run = the run id as a number (common/id), unit = the unit's
 * index in its run, attempt = 1, 2, 3...: the fence.
 */
#ifndef PROTO_MSG_H
#define PROTO_MSG_H

#include "common/base.h"
#include "common/limits.h"
#include "common/map.h"
#include "proto/client_msg.h"
#include "proto/msgs.h"

#define PROTO_DIGEST_BYTES 32

struct proto_attempt_key {
	uint64_t run;
	uint32_t unit;
	uint32_t attempt;
};

/* What one held attempt adds to a table digest. A node's digest is the wrapping sum over all attempts in its table (from DISPATCH
 * taken until RESULT acknowledged, or REJECTED, RETRACTED, FORGET); the coordinator's over those it believes there. Order does not
 * matter, states do not enter: what differs is who holds what. */
static inline uint64_t proto_table_term(struct proto_attempt_key k)
{
	return rv_hash_u64(rv_hash_u64(k.run, k.unit), k.attempt);
}

/* A value that is small enough to travel (<= RV_INLINE_BYTES_MAX) or is named by its digest. */
enum proto_value_kind { PROTO_VALUE_NONE, PROTO_VALUE_INLINE, PROTO_VALUE_BLOB };

struct proto_value {
	enum proto_value_kind kind;
	struct rv_str inline_bytes;
	uint8_t digest[PROTO_DIGEST_BYTES]; /* PROTO_VALUE_BLOB */
	uint64_t blob_bytes;
};

/* --- what a node is ------------------------------------------------------------------------------------------ */

struct proto_named_amount {
	struct rv_str name;
	uint64_t amount;
};

struct proto_label {
	struct rv_str key, value;
};

/* What a node may do or not, as its program is. */
enum proto_node_ability {
	PROTO_NODE_HOLDS_BEHIND = 1u << 0, /* it keeps an attempt until the one that it comes after has succeeded there */
};

struct proto_node_info {
	struct rv_str name;
	uint8_t key[PROTO_DIGEST_BYTES]; /* hash of its key: its id everywhere */
	uint8_t boot_id[16];
	uint64_t incarnation;            /* grows at every daemon start */
	uint64_t slots, agent_slots;
	uint64_t memory_bytes;
	const struct proto_label *labels;
	uint32_t label_count;
	const struct proto_named_amount *resources;
	uint32_t resource_count;
	struct rv_str kill_level;        /* cgroup, pidns, subreaper */
	const struct proto_label *agents; /* profiles whose program it has, with its version ("": not known) */
	uint32_t agent_count;
	uint32_t abilities;              /* proto_node_ability */
};

/* What a node says of an attempt it holds. */
enum proto_held_state { PROTO_HELD_QUEUED, PROTO_HELD_RUNNING, PROTO_HELD_FROZEN, PROTO_HELD_FINISHED };

struct proto_held {
	struct proto_attempt_key key;
	uint64_t epoch; /* of its assignment */
	enum proto_held_state state;
};

enum proto_verdict {
	PROTO_KEEP,   /* it is yours, go on */
	PROTO_KILL,   /* end it and forget it; answers nothing; out of the table digest at once */
	PROTO_RESEND, /* send its RESULT again */
	PROTO_FORGET, /* its result is settled: drop it */
};

/* --- why and how an attempt ended -------------------------------------------------------------------------------- */

enum proto_outcome { PROTO_SUCCEEDED = 1, PROTO_FAILED, PROTO_CANCELLED };

/* Failure classes (agents.md 1); each has its own counter. */
enum proto_class {
	PROTO_CLASS_NONE,
	PROTO_CLASS_AGENT,        /* nonzero exit */
	PROTO_CLASS_TIMEOUT,
	PROTO_CLASS_ENVIRONMENT,  /* spawn, workspace, disk: the node's fault */
	PROTO_CLASS_RATE_LIMITED,
	PROTO_CLASS_EVIDENCE,
	PROTO_CLASS_SCOPE,
	PROTO_CLASS_BUDGET,
	PROTO_CLASS_CONFIG,       /* never retried */
	PROTO_CLASS_NODE_LOST,
	PROTO_CLASS_COUNT
};

/* One word for why; the sentence goes with it in proto_result.error. */
enum proto_reason {
	PROTO_REASON_NONE,
	PROTO_REASON_EXIT,            /* exit status != 0 */
	PROTO_REASON_SIGNAL,          /* killed by a signal that reeve did not send */
	PROTO_REASON_TIMEOUT,         /* timeout_s */
	PROTO_REASON_IDLE_TIMEOUT,
	PROTO_REASON_START_TIMEOUT,
	PROTO_REASON_QUEUE_TIMEOUT,
	PROTO_REASON_SPAWN,           /* could not be started */
	PROTO_REASON_NOT_FOUND,       /* program not found or not executable */
	PROTO_REASON_WORKSPACE,
	PROTO_REASON_NO_SPACE,
	PROTO_REASON_NO_ARTIFACT,
	PROTO_REASON_OUTPUT_NOT_JSON,
	PROTO_REASON_RATE_LIMIT,
	PROTO_REASON_UNKILLABLE,
	PROTO_REASON_TEMPLATE,        /* a {{key}} that only showed at run time */
	PROTO_REASON_CONTEXT_TOO_LARGE,
	PROTO_REASON_MOCK,            /* mock.fail */
	PROTO_REASON_CANCELLED,       /* by a person */
	PROTO_REASON_FAIL_FAST,       /* "cancelled because another unit failed" */
	PROTO_REASON_NOT_STARTED,     /* nothing new starts (finish, fail_fast, limits.failed) */
	PROTO_REASON_RUN_TIMEOUT,
	PROTO_REASON_BLOCKED,         /* skipped: blocked by failed dependencies */
	PROTO_REASON_SKIPPED,         /* by a person */
	PROTO_REASON_SATISFIED,
	PROTO_REASON_POISONED,        /* node_lost limit */
	PROTO_REASON_LOST,            /* at_most_once, fate unknown */
	PROTO_REASON_WARDEN_LOST,     /* the warden died under it */
	PROTO_REASON_INTERRUPTED,     /* reeve run was interrupted */
	PROTO_REASON_RETRACTED,
	PROTO_REASON_REJECTED,        /* node was full, has no workspace, ... */
	PROTO_REASON_VERIFY,          /* __verify__ failed */
	PROTO_REASON_BUDGET_TOKENS,   /* tokens of the unit or the run are used up */
	PROTO_REASON_BUDGET_COST,     /* cost_usd of the unit or the run is */
	PROTO_REASON_BUDGET_AGENT,    /* the agent's own limits in this run are */
	PROTO_REASON_ACCEPT,          /* its acceptance command failed */
	PROTO_REASON_AGENT_ERROR,     /* the agent's own account of itself says that it failed, whatever its exit status */
	PROTO_REASON_LOGIN,           /* the agent is not logged in, or its key is refused */
	PROTO_REASON_NO_CREDIT,       /* its account has nothing left */
	PROTO_REASON_REMOVED,         /* a person removed its node */
	PROTO_REASON_NETWORK,         /* the agent cannot reach its provider from this node */
	PROTO_REASON_SETUP,           /* the agent refuses to start as it was started */
	PROTO_REASON_REQUEST,         /* the provider refuses what the agent asks: no such model or address, or not in this form */
	PROTO_REASON_COUNT
};

const char *proto_class_name(enum proto_class c);   /* "agent" ... */
const char *proto_reason_name(enum proto_reason r); /* "idle_timeout" ... */
int proto_class_of(struct rv_str name);             /* -1: none of that name */

/* What an attempt used of a model: each token counted once, in the one place where it belongs. */
struct proto_usage {
	uint64_t input_tokens;       /* read by the model anew: neither from a cache nor into one */
	uint64_t output_tokens;
	uint64_t cache_read_tokens, cache_write_tokens;
	uint64_t cost_microusd;      /* PROTO_COST_UNKNOWN: the agent does not say */
};

#define PROTO_COST_UNKNOWN UINT64_MAX
#define PROTO_USAGE_MAX ((uint64_t)1 << 53) /* of each number on the wire: exact in JSON, and a thousand of them are no overflow */

/* What limits of `tokens` count: all that the model was given or gave. */
static inline uint64_t proto_usage_tokens(const struct proto_usage *u)
{
	return rv_sat_add(rv_sat_add(u->input_tokens, u->output_tokens), rv_sat_add(u->cache_read_tokens, u->cache_write_tokens));
}

/* 0 where it is unknown. */
static inline uint64_t proto_usage_cost(const struct proto_usage *u)
{
	return u->cost_microusd == PROTO_COST_UNKNOWN ? 0 : u->cost_microusd;
}

static inline bool proto_usage_is_nothing(const struct proto_usage *u)
{
	return !proto_usage_tokens(u) && !proto_usage_cost(u);
}

struct proto_artifact {
	struct rv_str name; /* relative to the artifacts directory */
	uint64_t bytes;
	uint8_t digest[PROTO_DIGEST_BYTES];
	bool executable;    /* by its owner: all of its mode that is handed over */
};

enum proto_result_flag {
	PROTO_RESULT_STARTED = 1u << 0,     /* it began to run: a try */
	PROTO_RESULT_OUTPUT_JSON = 1u << 1, /* output is a JSON text, else plain text */
	PROTO_RESULT_TRUNCATED = 1u << 2,   /* its log was cut at log_max */
	PROTO_RESULT_LATE = 1u << 3,
	PROTO_RESULT_ARTIFACTS_CUT = 1u << 4, /* it left more than is listed */
};

struct proto_result {
	struct proto_attempt_key key;
	uint64_t epoch;              /* of its assignment */
	enum proto_outcome outcome;
	enum proto_class class;
	enum proto_reason reason;
	uint32_t flags;              /* proto_result_flag */
	int32_t exit;                /* exit status; -1: none */
	int32_t signal;              /* 0: none */
	uint64_t start_us, end_us;   /* the node's CLOCK_REALTIME at spawn and reap, shown only */
	uint64_t duration_us;        /* CLOCK_MONOTONIC less the time frozen */
	uint64_t cpu_us;
	uint64_t rss_bytes;
	struct proto_value output;   /* what dependents get */
	struct proto_value tail;     /* last bytes of a failed attempt's output */
	struct rv_str error;         /* a sentence, "" on success; <= 1 KiB */
	struct rv_str enforcement;   /* "" = none asked, else none, scan, landlock */
	struct rv_str limits;        /* "" = none asked, else none, polled, cgroup */
	const struct proto_artifact *artifacts; /* at most 4,096 */
	uint32_t artifact_count;
	struct proto_usage usage;    /* of the whole attempt; all 0: nothing is known */
	uint64_t retry_after_us;     /* class rate_limited: when the provider said to come again, from end_us on; 0: it did not */
};

/* What a dependency handed over, inside DISPATCH. */
struct proto_dep {
	struct rv_str id;            /* the name in _dep_ID: a unit's id or a template's */
	uint32_t index;              /* RV_MAP_NONE: a plain unit; else place in the template's array, 0.. */
	bool succeeded;
	bool is_json;
	struct proto_value output;   /* NONE: null */
	struct rv_str unit_id;       /* the dependency's own id */
	uint32_t attempt;            /* where its artifacts lie; 0 = none */
	/* What it left there, for a node where it did not run: encoded (proto_artifacts_encode() in codec.h), "" = nothing, or the attempt is
	 * not to be shown it. */
	struct rv_str artifacts;
	uint32_t artifact_count;
	bool artifacts_cut;          /* it left more than is listed; with an empty list: none is, since all dependencies' are too many */
};

/* The shared tree that a run's units work in, as the plan's author sees it: a node looks for `id` there, or where --map puts it. */
struct proto_workspace {
	struct rv_str id;             /* "": workspace mode none, or a run inside one process: the rest means nothing */
	struct rv_str root;           /* absolute */
	struct rv_str namespace_root; /* "" = ROOT/.reeve */
};

enum proto_dispatch_flag {
	PROTO_DISPATCH_NO_HURRY = 1u << 0, /* nothing waits for its result: that may wait for company while the node has work */
};
#define PROTO_DISPATCH_FLAGS_ALL PROTO_DISPATCH_NO_HURRY

/* An attempt of the same run that another one waits for at its node; attempt 0: it waits for none. */
struct proto_after {
	uint32_t unit, attempt;
};

struct proto_dispatch {
	struct proto_attempt_key key;
	uint64_t epoch;
	uint32_t try_number;         /* if it starts: 1, 2... */
	uint64_t lease_us;
	struct rv_str unit_id;
	struct rv_str item;          /* JSON text of its for_each item, "" = none */
	struct rv_str spec;          /* encoded proto_spec, borrowed from the frame; "" = in spec_blob */
	struct proto_value spec_blob; /* BLOB where the spec is larger than PROTO_SPEC_INLINE_BYTES */
	const struct proto_dep *deps; /* only if the spec NEEDS_DEPS */
	uint32_t dep_count;
	struct proto_value deps_blob; /* BLOB where the deps, encoded, are larger than PROTO_DEPS_INLINE_BYTES: then deps is empty, and the
	                                 blob holds them as proto_deps_encode() (codec.h) writes them */
	struct rv_str note;          /* what a person sent along with `retry`: the context key `_note`; "" = none */
	uint64_t tokens_left, cost_left_microusd; /* what limits of unit, agent and run leave this attempt; 0: none apply */
	uint32_t flags;              /* proto_dispatch_flag */
	struct proto_after after;    /* it begins once that one has succeeded here */
	struct proto_workspace workspace; /* the same for all of a run */
};

/* So that any DISPATCH item fits a frame with room to spare. */
#define PROTO_SPEC_INLINE_BYTES ((size_t)128 << 10)
#define PROTO_WORKSPACE_BYTES_MAX ((size_t)16 << 10) /* of its three texts together */
#define PROTO_DEPS_INLINE_BYTES ((size_t)128 << 10)

/* --- small messages ------------------------------------------------------------------------------------------------ */

struct proto_hello {
	struct proto_node_info node;
	uint64_t n;                  /* counts up from 1 in an incarnation, the same on each page: one that comes late is known by it */
	uint32_t page;               /* 0.. */
	bool last;
	const struct proto_held *held;
	uint32_t held_count;
};

struct proto_welcome {
	uint64_t epoch;
	uint64_t session;
	uint64_t heartbeat_us;
	struct rv_str cluster;       /* its id */
};

/* Verdicts follow a WELCOME as items of their own kind inside the same message. */
struct proto_held_verdict {
	struct proto_attempt_key key;
	enum proto_verdict verdict;
	uint64_t lease_us;
};

/* `sent` and `received` count items (not frames) of a session, so that each side knows whether anything is on its way: TAKEN,
 * REJECTED, STARTED, RESULT, NOT_HERE, RETRACTED, ALREADY_STARTED from the node, counted from its HELLO on (the coordinator: from
 * the last page of that HELLO on); DISPATCH, CANCEL, RESULT_ACK, RETRACT, CHECKPOINT, DRAIN from the coordinator, counted from its
 * WELCOME on. */
struct proto_heartbeat {
	uint64_t session;
	uint64_t n;                  /* counts up from 1, over sessions: an HB_ACK is of one heartbeat */
	uint64_t sent;               /* messages sent in this session before it */
	uint64_t received;           /* messages received in it */
	uint64_t digest;             /* of the node's table; compared only when nothing is in flight */
	uint64_t load;               /* slots in use */
};

struct proto_hb_ack {
	uint64_t session;
	uint64_t n;
	uint64_t received;
	uint64_t heartbeat_us;
	bool want_table;             /* send HELLO again: the digests differ */
};

enum proto_reject_why { PROTO_REJECT_FULL = 1, PROTO_REJECT_NO_WORKSPACE, PROTO_REJECT_NO_SPACE, PROTO_REJECT_STALE, PROTO_REJECT_DRAINING, PROTO_REJECT_BAD_SPEC };

struct proto_rejected {
	struct proto_attempt_key key;
	enum proto_reject_why why;
};

struct proto_started {
	struct proto_attempt_key key;
	uint64_t start_us;           /* CLOCK_REALTIME */
};

/* What a running attempt has used up to now: cumulative, so that one lost is made good by the next, or by RESULT. */
struct proto_usage_report {
	struct proto_attempt_key key;
	struct proto_usage usage;
};

struct proto_cancel {
	struct proto_attempt_key key; /* ends attempts of the unit up to key.attempt */
	uint64_t epoch;
	uint64_t grace_us;           /* RV_NEVER: the spec's own */
	enum proto_reason reason;    /* CANCELLED, FAIL_FAST, RUN_TIMEOUT, INTERRUPTED, BUDGET_* */
};

enum proto_ack { PROTO_ACK_ACCEPTED = 1, PROTO_ACK_DUPLICATE, PROTO_ACK_FENCED };

struct proto_result_ack {
	struct proto_attempt_key key;
	enum proto_ack ack;
};

struct proto_checkpoint {
	uint64_t n;                  /* all RESULTs with session number <= n are durable */
};

enum proto_goaway_why { PROTO_GOAWAY_DUPLICATE = 1, PROTO_GOAWAY_REVOKED, PROTO_GOAWAY_VERSION, PROTO_GOAWAY_NAME_TAKEN, PROTO_GOAWAY_FULL, PROTO_GOAWAY_SHUTDOWN, PROTO_GOAWAY_SILENT };

struct proto_goaway {
	enum proto_goaway_why why;
	uint8_t holder[PROTO_DIGEST_BYTES]; /* NAME_TAKEN: hash of the key that has it; zeros: nobody, or it does not matter */
};

/* One message or one item of a batched one, as the reader hands it out. */
struct proto_msg {
	enum proto_msg_kind kind;
	union {
		struct proto_hello hello;
		struct proto_heartbeat heartbeat;
		struct proto_attempt_key taken;
		struct proto_rejected rejected;
		struct proto_started started;
		struct proto_result result;
		struct proto_attempt_key not_here;
		struct proto_attempt_key retracted;
		struct proto_attempt_key already_started;
		struct proto_usage_report usage;
		struct proto_welcome welcome;
		struct proto_hb_ack hb_ack;
		struct proto_dispatch dispatch;
		struct proto_cancel cancel;
		struct proto_result_ack result_ack;
		struct proto_attempt_key retract;
		struct proto_checkpoint checkpoint;
		struct proto_goaway goaway;
		/* shared by nodes and clients */
		struct proto_blob_get blob_get;     /* BLOB_GET, BLOB_WANTED */
		struct proto_blob_piece blob;       /* BLOB_CHUNK, BLOB_DATA, BLOB_BYTES */
		struct proto_log_wanted log_wanted;
		struct proto_log_piece log_piece;   /* LOG_CHUNK, LOG_BYTES */
		struct proto_enrol enrol;
		/* of clients */
		struct proto_ask ask;
		struct proto_facts facts;
		struct proto_act act;
		struct proto_submit_begin submit_begin;
		struct proto_submit_data submit_data;
		struct proto_submit_commit submit_commit;
		struct proto_log log;
		struct proto_token_create token_create;
		struct proto_revoke revoke;
		/* to clients */
		struct proto_rows rows;
		struct proto_fact_rows fact_rows;
		struct proto_done done;
		struct proto_refused refused;
		struct proto_submitted submitted;
		struct proto_token_created token_created;
		struct proto_enrolled enrolled;
	};
	const struct proto_held_verdict *verdicts; /* WELCOME only */
	uint32_t verdict_count;
};

#endif
