/* client_msg.h - what clients, and nodes that join, exchange with the coordinator: structs of messages
 *
 * Everything is pulled: an answer is bounded by its request, so a slow reader holds nobody up and needs no queue, and
 * whoever reconnects, to the same coordinator or to the next epoch of it, asks again from where it was. `request` is the client's
 * number for matching answers; it means nothing else. Texts and arrays are borrowed as in msg.h.
 */
#ifndef PROTO_CLIENT_MSG_H
#define PROTO_CLIENT_MSG_H

#include "common/base.h"
#include "common/limits.h"

#define PROTO_KEY_BYTES 32      /* a CURVE public key, raw */
#define PROTO_ROWS_MAX 1000u    /* rows of one answer */
#define PROTO_WAIT_MS_MAX 30000u
#define PROTO_PIECE_BYTES_MAX ((size_t)256 << 10) /* of a blob, a log, an upload in one message */
#define PROTO_FACTS_BYTES_MAX ((size_t)512 << 10) /* of records in one answer, but for one record that alone is longer */
#define PROTO_NOTES_MAX 4096u   /* live notes of one answer */
#define PROTO_NOTE_BYTES_MAX ((size_t)64 << 10)   /* of an act */
#define PROTO_PROMPT_BYTES_MAX ((size_t)512 << 10) /* of an act: with the rest it fits a frame */
#define PROTO_ENDPOINTS_MAX 16u
#define PROTO_ENDPOINT_BYTES_MAX 256u
#define PROTO_CLUSTER_BYTES_MAX 64u
#define PROTO_MESSAGE_BYTES_MAX ((size_t)32 << 10) /* of a refusal's text (a plan's: all its diagnostics), and of its hint */

/* --- client -> coordinator ---------------------------------------------------------------------------------------------- */

enum proto_ask_what {
	PROTO_ASK_ABOUT = 1, /* one row: who this coordinator is, its version, epoch, cluster, state (serving) */
	PROTO_ASK_RUNS,
	PROTO_ASK_NODES,
	PROTO_ASK_EXPLAIN,   /* why a unit is not running */
	PROTO_ASK_KEYS,
	PROTO_ASK_TOKENS,
	PROTO_ASK_ACTIVE,    /* the run's attempts that are not over: whether and when each began is no fact */
	PROTO_ASK_HEAD,      /* of an open run: its plan without units, as one row */
};

struct proto_ask {
	uint64_t request;
	enum proto_ask_what what;
	uint64_t run;          /* EXPLAIN, ACTIVE; RUNS: 0 = all, else that one */
	struct rv_str unit;    /* EXPLAIN: the unit's id */
	uint64_t cursor;       /* 0: from the start, else `next` of the answer before */
	uint32_t limit;        /* rows, 1 to PROTO_ROWS_MAX */
};

/* The facts of a run (or all: run 0) from a journal position on. With a run: its own and all that concern no run, which are EPOCH, NODE and
 * a MUTATION of a node, in order and from the journal's beginning, since the fold of the run's numbers its nodes by them. KEY and TOKEN are
 * told to nobody. */
struct proto_facts {
	uint64_t request;
	uint64_t run;
	uint64_t from;         /* position; 0: the journal's first */
	uint32_t from_index;   /* of the first record wanted of that row: a row may be larger than any frame */
	uint64_t notes_from;   /* number of the first live note wanted; UINT64_MAX: none */
	uint32_t bytes_max;    /* of records, 1 to PROTO_FACTS_BYTES_MAX; the first record may exceed it, alone */
	uint32_t wait_ms;      /* nothing new: answer only then, or when there is something; <= PROTO_WAIT_MS_MAX */
};

/* Acts beside enum proto_mutation's, for which the request id makes repeating harmless. */
struct proto_act {
	uint64_t request;
	uint64_t id;           /* random, of the person's act: repeated = done before */
	uint32_t what;         /* enum proto_mutation */
	uint64_t run;          /* 0: none */
	struct rv_str unit;    /* "" = the run */
	struct rv_str node;    /* by name; "" = none */
	int64_t value;         /* as in the fact MUTATION */
	struct rv_str note;    /* <= PROTO_NOTE_BYTES_MAX */
	struct rv_str prompt;  /* RETRY: in place of the unit's, <= PROTO_PROMPT_BYTES_MAX; "" = it stays */
	struct rv_str agent;   /* RETRY: another one; "" = it stays */
};

struct proto_submit_begin {
	uint64_t request;
	uint64_t submission;   /* random, made once a `submit`; != 0 */
	uint64_t bytes;        /* of the plan as plan_save() writes it */
	int32_t priority;
	struct rv_str workspace_id; /* "" = mode none */
	uint64_t add_to;       /* an open run that gets these units: `bytes` are lines of units, as plan_save() writes them; 0: it is a plan */
	bool open;             /* the run stays open for more units */
};

struct proto_submit_data {
	uint64_t request;
	uint64_t submission;
	uint64_t offset;       /* not the end of what has arrived: answered by SUBMITTED with the offset wanted */
	struct rv_str bytes;
};

struct proto_submit_commit {
	uint64_t request;
	uint64_t submission;
	uint8_t digest[32];    /* of all bytes */
};

struct proto_log {
	uint64_t request;
	uint64_t run;
	struct rv_str unit;
	uint32_t attempt;      /* 0: the newest */
	uint32_t stream;       /* 1 stdout, 2 stderr, 3 both in order */
	uint64_t offset;       /* from here; UINT64_MAX: the last `bytes_max` */
	uint32_t bytes_max;    /* 1 to PROTO_PIECE_BYTES_MAX */
	uint32_t wait_ms;      /* as in FACTS */
};

struct proto_token_create {
	uint64_t request;
	struct rv_str id;      /* random, made by the client, shown by `token list` */
	uint32_t role;         /* PROTO_ROLE_NODE or PROTO_ROLE_OPERATOR */
	uint8_t key[PROTO_KEY_BYTES]; /* public, of the key derived from the token's secret */
	uint64_t ttl_us;
	uint32_t uses;
};

enum proto_revoke_what { PROTO_REVOKE_KEY = 1, PROTO_REVOKE_TOKEN };

struct proto_revoke {
	uint64_t request;
	uint64_t id;           /* as in ACT */
	enum proto_revoke_what what;
	struct rv_str name;    /* id of a token, name or key hash (hex, or a unique beginning of >= 8) of a key */
};

/* --- shared by nodes and clients ------------------------------------------------------------------------------------------- */

/* BLOB_GET, BLOB_WANTED. */
struct proto_blob_get {
	uint64_t request;
	uint8_t digest[32];
	uint64_t offset;
};

/* BLOB_CHUNK, BLOB_DATA, BLOB_BYTES: bytes from `offset`; size UINT64_MAX: there is no such blob. */
struct proto_blob_piece {
	uint64_t request;
	uint8_t digest[32];
	uint64_t size;
	uint64_t offset;
	struct rv_str bytes;
};

/* LOG_WANTED: the coordinator asks the node that holds it. */
struct proto_log_wanted {
	uint64_t request;      /* the coordinator's own */
	uint64_t run;
	uint32_t unit, attempt;
	struct rv_str unit_id; /* its namespace, if it had one, is named after it */
	uint32_t stream;
	uint64_t offset;
	uint32_t bytes_max;
};

/* LOG_CHUNK, LOG_BYTES. */
struct proto_log_piece {
	uint64_t request;
	uint32_t attempt;
	uint64_t offset;       /* of the first byte here */
	uint64_t next;         /* ask from here */
	bool ended;            /* no more will come */
	bool known;            /* false: there is no such log (never, or its node is gone and it left no tail) */
	bool tail_only;        /* the node is gone: these are the last bytes that came with its result */
	struct rv_str bytes;
};

struct proto_enrol {
	uint64_t request;
	uint8_t key[PROTO_KEY_BYTES]; /* its own, public, saved before this is sent */
	struct rv_str name;
	uint32_t role;                /* PROTO_ROLE_NODE or _OPERATOR: what it wants to be; a token of the other role is not spent */
};

/* --- coordinator -> client ---------------------------------------------------------------------------------------------------- */

struct proto_rows {
	uint64_t request;
	uint64_t next;         /* 0: no more */
	const struct rv_str *rows; /* a JSON object each; which keys: PROTOCOL.md */
	uint32_t row_count;
};

/* Records of one journal row that were asked for and stand side by side in it; (position, index) numbers an event. A row may come in
 * several pieces, in order: where a record between them was not asked for, and where the row was cut. */
struct proto_fact_piece {
	uint64_t position, epoch, real_us;
	uint32_t index;        /* in its row, of the first record here */
	struct rv_str records; /* follow each other without a gap */
};

/* What is told live and never journaled: started, ready, node seen or suspect. Lost if the asker is slow; RESULT says it again. */
struct proto_live_note {
	uint64_t number;
	uint64_t position;     /* of the fact before it */
	uint32_t kind;         /* enum coord_transition_kind's number; the list is in PROTOCOL.md */
	uint64_t real_us;
	uint64_t run;
	uint32_t unit, attempt, node;
};

struct proto_fact_rows {
	uint64_t request;
	uint64_t next;         /* ask from this position */
	uint32_t next_index;   /* and this record of its row: 0 but where a row was cut */
	uint64_t notes_next;
	bool ended;            /* the run is over and all of it has been told */
	const struct proto_fact_piece *pieces;
	uint32_t piece_count;
	const struct proto_live_note *notes;
	uint32_t note_count;
};

struct proto_done {
	uint64_t request;
	bool done_before;
	uint32_t changed;
	struct rv_str unit; /* of an act on a unit: its whole id; else "" */
};

struct proto_refused {
	uint64_t request;
	uint32_t code;         /* enum rv_code */
	struct rv_str message, hint;
};

struct proto_submitted {
	uint64_t request;
	uint64_t submission;
	uint64_t offset;       /* bytes that have arrived */
	uint64_t run;          /* 0: not committed yet */
	uint32_t units;        /* once committed: of the run's plan, or how many were new */
};

struct proto_token_created {
	uint64_t request;
	uint8_t server_key[PROTO_KEY_BYTES];
	struct rv_str cluster;
	const struct rv_str *endpoints;
	uint32_t endpoint_count;
};

struct proto_enrolled {
	uint64_t request;
	uint32_t role;
	struct rv_str name;    /* under which it is known from now on */
	struct rv_str cluster;
};

#endif
