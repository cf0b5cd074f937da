/* records.h - what the daemon keeps of an attempt, by the core's slot number
 *
 * Small on purpose: a no-op that waits for its ack costs one record and nothing else. What is larger hangs off it and
 * has one of a few kinds, never two: a spawn that may have to be said again, a mock's answer that waits for its time, an
 * attempt being collected, or a result with texts or with what an agent used.
 */
#ifndef NODE_RECORDS_H
#define NODE_RECORDS_H

#include "common/base.h"
#include "common/buf.h"
#include "proto/msg.h"

enum node_holds {
	NODE_HOLDS_NOTHING = 0,
	NODE_HOLDS_BYTES,    /* a spawn frame (held_bytes), or a mock's answer */
	NODE_HOLDS_COLLECT,  /* struct node_collect: artifacts are being digested */
	NODE_HOLDS_RESULT,   /* struct proto_result with its texts behind it */
};

struct node_record {
	struct proto_attempt_key key; /* run 0: free */
	uint64_t epoch;
	uint64_t warden_key;          /* 0: the warden has nothing of it */
	uint64_t start_us, end_us;    /* CLOCK_REALTIME */
	void *held;
	uint32_t held_bytes;
	/* the result where nothing of it needs room */
	int32_t exit;
	uint32_t cpu_us;
	uint64_t duration_us;
	uint64_t rss_bytes;
	uint8_t holds;
	uint8_t agent_kind;           /* proto_agent_kind */
	uint8_t outcome, class, reason, flags;
	uint8_t kill_reason;          /* why it was killed by us */
	uint8_t asked;                /* a RETRACT or KILL is on its way */
	uint8_t holds_resources;      /* things by number (holdings.h) */
};

_Static_assert(sizeof(struct node_record) <= 112, "a record stays small");

struct node_records {
	struct node_record *items;
	uint32_t capacity;
	uint32_t used;
};

/* Room for `capacity` slots; memory is touched as slots are used. */
int node_records_init(struct node_records *r, uint32_t capacity);
void node_records_release(struct node_records *r);

/* The slot's record, anew. */
struct node_record *node_record_begin(struct node_records *r, uint32_t slot, struct proto_attempt_key key, uint64_t epoch);
void node_record_end(struct node_records *r, uint32_t slot);

/* Puts down what it held. */
void node_record_drop_held(struct node_record *rec);
/* Copies `bytes` to hang off it. -1: no memory. */
int node_record_keep_bytes(struct node_record *rec, struct rv_str bytes);

/* Stores the result (a copy). Without memory for its texts it is stored without them: never lost. */
void node_record_set_result(struct node_record *rec, const struct proto_result *result);
/* The result as a message; borrows from the record. */
void node_record_result(const struct node_record *rec, struct proto_result *out);

#endif
