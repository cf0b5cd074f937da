/* state.h - the node core's tables, private to node/core
 *
 *	DISPATCH -> PREPARING -> QUEUED -> RUNNING -> COLLECTING -> FINISHED -> forgotten
 *	                 \-> WAITING -^       |  ^
 *	                                   FROZEN
 *	mock: WAITING -> MOCKING -> FINISHED     noop: FINISHED at once
 *	cancel: ABORTING (the daemon still prepares it), STOPPING (its tree is being ended); both end in FINISHED
 *	verdict kill: DISCARDING (the daemon still works at it), DROPPING (its tree is being ended); both are forgotten
 *
 * Invariants (audited): a slot is FREE or in exactly one chain of its unit's hash, newest taken first; digest is the sum
 * over counted slots; WAITING, LOST and FINISHED slots not yet due lie in the one queue of their state (FINISHED: `fresh`, or
 * `gathered` before it is sent); FINISHED and
 * MOCKING ones that have a deadline lie in `due`; sums of slots in use are those of the states; what waits behind another has not begun.
 */
#ifndef NODE_STATE_H
#define NODE_STATE_H

#include "common/arena.h"
#include "common/check.h"
#include "common/heap.h"
#include "common/map.h"
#include "common/prng.h"
#include "io.h"

enum node_at_state {
	NODE_AT_FREE,
	NODE_AT_PREPARING,  /* the daemon renders it */
	NODE_AT_ABORTING,   /* the same, and cancelled: ends as soon as the daemon has answered */
	NODE_AT_WAITING,    /* prepared, in our own queue: no room, lease over, or an older attempt of its unit still lives */
	NODE_AT_QUEUED,     /* with the warden, which starts it when it has room */
	NODE_AT_RETRACTING, /* the coordinator wants it back; the warden has been asked */
	NODE_AT_RECALLING,  /* its lease is over before it started; the warden has been asked for it */
	NODE_AT_MOCKING,    /* a mock: until its deadline */
	NODE_AT_RUNNING,
	NODE_AT_FROZEN,     /* exclusive and its lease is over: stands still until a verdict */
	NODE_AT_STOPPING,   /* killed, not over yet */
	NODE_AT_DROPPING,   /* killed and forgotten by verdict, not over yet */
	NODE_AT_DISCARDING, /* forgotten by verdict or retracted while the daemon worked at it */
	NODE_AT_COLLECTING, /* over; the daemon makes its result */
	NODE_AT_LOST,       /* the warden died under it; told at the next turn */
	NODE_AT_FINISHED,   /* its result is kept until the ack */
	NODE_AT_STATE_COUNT
};

enum node_at_event {
	NODE_AE_DISPATCH, /* the same again */
	NODE_AE_CANCEL,
	NODE_AE_RETRACT,
	NODE_AE_RESULT_ACK,
	NODE_AE_KEEP,
	NODE_AE_KILL,
	NODE_AE_RESEND,
	NODE_AE_FORGET,
	NODE_AE_PREPARED,
	NODE_AE_PREPARE_FAILED,
	NODE_AE_STARTED,
	NODE_AE_EXITED,
	NODE_AE_NOT_STARTED,
	NODE_AE_COLLECTED,
	NODE_AE_WARDEN_LOST,
	NODE_AE_DUE,      /* its deadline in `due` */
	NODE_AE_LAPSED,   /* its lease is over */
	NODE_AE_COUNT
};

enum node_session_state {
	NODE_SESSION_DOWN,
	NODE_SESSION_GREETING, /* HELLO is on its way; nothing else is said */
	NODE_SESSION_UP,
};

struct node_attempt {
	struct proto_attempt_key key;
	uint64_t epoch;       /* of its assignment */
	uint64_t cpus;        /* slots it takes, at most all of them */
	uint64_t mock_delay_us;
	uint64_t lease_us;    /* RV_NEVER: none */
	uint64_t sent_us;     /* FINISHED: when its RESULT was sent last, 0 = never */
	uint64_t result_n;    /* number of that RESULT in its session */
	uint64_t grace_us;    /* STOPPING: of the last KILL */
	uint32_t next, prev;  /* in the queue of its state */
	uint32_t older;       /* next in its unit's chain */
	uint32_t after, behind; /* the attempt whose success it waits for, the one that waits for its own; NODE_NONE */
	uint32_t spec_flags;  /* proto_spec_flag */
	uint32_t resends;
	enum node_at_state state;
	enum node_at_state lost_from; /* LOST: what it was */
	enum proto_reason stop_reason; /* ABORTING, STOPPING */
	uint8_t agent_kind;   /* proto_agent_kind */
	bool started;         /* it began to run: a try */
	bool succeeded;       /* so says its result */
	bool counted;         /* in the digest and in HELLO */
	bool lapsed;          /* its lease was over once; only a verdict lets it go on */
	bool in_tell;         /* waits in `tell` */
	bool taken_told, started_told;
	bool queued;          /* in the queue of its state */
	bool no_hurry;        /* nothing waits for its result */
	bool gathered;        /* and that waits for company: in that queue */
	bool listed;          /* the HELLO that is being answered told it as FINISHED */
};

struct node_queue {
	uint32_t first, last, count;
};

/* What a unit's attempts up to this one may never do again: run here. */
struct node_fence {
	uint64_t run;
	uint32_t unit, attempt;
	enum proto_reject_why why; /* the answer that was given; 0: it ended here */
};

#define NODE_HEARTBEATS_KEPT 64u
#define NODE_MOVE_ROOM 8u /* effects that one move takes at most, of what waits behind the attempt, too */

struct node_core {
	struct rv_arena arena;
	struct node_core_config cfg;
	uint64_t now_us;

	struct node_attempt *attempts;
	uint32_t high;        /* slots ever used: sweeps stop here */
	uint32_t count;       /* not FREE */
	uint32_t live;        /* neither FREE nor FINISHED */
	uint32_t counted;     /* in the digest */
	uint32_t behind;      /* wait for the success of another one here */
	uint32_t free_slot;   /* stack of freed slots, by `next` */
	struct node_queue waiting, lost, fresh, gathered;
	uint64_t gathered_since_us; /* the first of them */
	struct rv_intmap units; /* hash of (run, unit) -> newest slot of it */
	uint64_t digest;
	uint64_t warden_slots, mock_slots, mock_agents, running_slots;
	struct rv_heap due, leases; /* deadlines; lease lengths of exclusive attempts */
	uint64_t sequence;    /* breaks ties in heaps */

	struct node_fence *fences; /* a ring */
	uint32_t fence_at, fence_count, fence_capacity;
	struct rv_intmap fence_of; /* hash of (run, unit) -> place */

	uint32_t *tell;       /* a ring of slots with TAKEN or STARTED to tell */
	uint32_t tell_at, tell_count;
	uint64_t tell_due_us; /* not before; while tell_count > 0 */

	enum node_session_state session;
	uint64_t epoch;       /* the highest seen, of the cluster */
	uint64_t cluster;     /* hash of the id that WELCOME stated last; 0: none yet */
	uint64_t session_id;
	uint64_t sent, received; /* counted messages of this session (proto/msg.h) */
	uint64_t results_sent;
	uint64_t heartbeat_us, heartbeat_at_us, heartbeat_n;
	uint64_t heartbeat_sent_us[NODE_HEARTBEATS_KEPT]; /* by n */
	uint64_t lease_base_us;  /* send time of the last message the coordinator acknowledged */
	uint64_t heard_us;       /* last word of the coordinator */
	uint64_t hello_sent_us;  /* of the oldest HELLO not answered, 0: none */
	uint64_t hello_tried_us; /* of the newest HELLO */
	uint64_t hello_n;        /* HELLOs begun */
	uint64_t greeting_us;    /* so long is an answer to the HELLO of this link waited for */
	uint32_t greetings;      /* in a row that nobody answered */
	bool hello_due;          /* a HELLO is to be sent, or sent anew */
	bool hello_open;         /* its items are being sent: from hello_slot on */
	uint32_t hello_slot, hello_left;
	bool verdicts_apply;     /* the last WELCOME was taken */
	uint32_t lapsed;         /* attempts that wait for a verdict */

	bool warden_up;
	bool stopping, stopped;
	uint64_t stop_grace_us, stop_until_us;
	enum proto_reason stop_reason;
	uint32_t stop_slot;      /* sweep: attempts from here on are still to be cancelled */
	uint64_t stale, fenced_dispatches;
	uint32_t cells[NODE_AT_STATE_COUNT][NODE_AE_COUNT];
};

static inline uint32_t node_room(const struct node_effects *out)
{
	return out->capacity - out->count;
}

static inline struct node_effect *node_push(struct node_effects *out, enum node_effect_kind kind, uint32_t slot, struct proto_attempt_key key)
{
	struct node_effect *fx;

	rv_check(out->count < out->capacity);
	fx = &out->items[out->count++];
	fx->kind = kind;
	fx->slot = slot;
	fx->key = key;
	return fx;
}

static inline bool node_key_equal(struct proto_attempt_key a, struct proto_attempt_key b)
{
	return a.run == b.run && a.unit == b.unit && a.attempt == b.attempt;
}

static inline uint64_t node_unit_hash(uint64_t run, uint32_t unit)
{
	return rv_hash_u64(run, unit);
}

static inline uint32_t node_slot_of(const struct node_core *n, const struct node_attempt *a)
{
	return (uint32_t)(a - n->attempts);
}

static inline bool node_is_mock(const struct node_attempt *a)
{
	return a->agent_kind == PROTO_AGENT_MOCK;
}

/* table.c: slots, chains, queues, sums */
uint32_t node_table_find(const struct node_core *n, struct proto_attempt_key key);
uint32_t node_table_newest(const struct node_core *n, uint64_t run, uint32_t unit);
struct node_attempt *node_table_take(struct node_core *n, struct proto_attempt_key key, uint64_t cpus, enum proto_agent_kind kind);
void node_table_free(struct node_core *n, struct node_attempt *a);
void node_table_uncount(struct node_core *n, struct node_attempt *a);
void node_table_state(struct node_core *n, struct node_attempt *a, enum node_at_state state);
void node_queue_append(struct node_core *n, struct node_queue *q, uint32_t slot);
void node_queue_remove(struct node_core *n, struct node_queue *q, uint32_t slot);
void node_fence_set(struct node_core *n, struct proto_attempt_key key, enum proto_reject_why why);
const struct node_fence *node_fence_get(const struct node_core *n, uint64_t run, uint32_t unit);

/* attempt.c: what happens to one attempt */
enum node_due { NODE_DUE_NOT, NODE_DUE_DONE };
struct node_move {
	uint64_t grace_us;       /* CANCEL, KILL */
	enum proto_reason reason; /* CANCEL */
	uint64_t lease_us;       /* KEEP */
	bool succeeded;          /* COLLECTED */
};
void node_attempt_move(struct node_core *n, uint32_t slot, enum node_at_event event, const struct node_move *m, struct node_effects *out);
void node_attempt_dispatch(struct node_core *n, const struct node_event *ev, struct node_effects *out);
void node_attempt_cancel(struct node_core *n, const struct proto_cancel *c, struct node_effects *out);
void node_attempt_retract(struct node_core *n, struct proto_attempt_key key, struct node_effects *out);
void node_attempt_recovered(struct node_core *n, const struct node_event *ev, struct node_effects *out);
void node_attempt_warden_lost(struct node_core *n);
bool node_attempt_pump(struct node_core *n, struct node_effects *out);     /* true: more to do */
bool node_attempt_tell(struct node_core *n, struct node_effects *out);
bool node_attempt_tell_lost(struct node_core *n, struct node_effects *out);
bool node_attempt_stop_sweep(struct node_core *n, struct node_effects *out);
void node_attempt_tell_later(struct node_core *n, struct node_attempt *a);
void node_attempt_forget(struct node_core *n, struct node_attempt *a, struct node_effects *out);

/* outbox.c: results until their ack */
void node_outbox_add(struct node_core *n, struct node_attempt *a, struct node_effects *out);
void node_outbox_add_later(struct node_core *n, struct node_attempt *a, struct node_effects *out); /* in company, if it may wait */
bool node_outbox_gather(struct node_core *n, struct node_effects *out); /* what has waited long enough; true: more to do */
void node_outbox_send(struct node_core *n, struct node_attempt *a, struct node_effects *out); /* (again) now */
void node_outbox_remove(struct node_core *n, struct node_attempt *a);
void node_outbox_welcomed(struct node_core *n); /* schedules what the session before left unanswered */
void node_outbox_age(struct node_core *n);      /* fresh ones that were not answered get a deadline */
void node_outbox_checkpoint(struct node_core *n, uint64_t result_n, struct node_effects *out);
uint64_t node_outbox_deadline(const struct node_core *n);

/* behind.c: attempts that wait for others here */
#define NODE_BEHIND_MAX 3u
/* May the dispatch be taken, as to what it comes after? *after: that attempt's slot; NODE_NONE: it may begin. */
bool node_behind_find(const struct node_core *n, const struct proto_dispatch *d, enum proto_agent_kind kind, uint32_t *after);
void node_behind_begin(struct node_core *n, struct node_attempt *a, uint32_t after);
/* The attempt has ended or leaves: what waits behind it may begin, or is forgotten. Takes room for an effect for each of those. */
void node_behind_over(struct node_core *n, struct node_attempt *a, bool succeeded, struct node_effects *out);

/* session.c: link, epoch, heartbeats, leases */
struct node_effect *node_say(struct node_core *n, struct node_effects *out, enum node_effect_kind kind, uint32_t slot, struct proto_attempt_key key); /* NULL: no session */
void node_session_connected(struct node_core *n);
void node_session_disconnected(struct node_core *n);
void node_session_welcome(struct node_core *n, const struct proto_welcome *w, struct node_effects *out);
void node_session_verdict(struct node_core *n, const struct proto_held_verdict *v, struct node_effects *out);
void node_session_hb_ack(struct node_core *n, const struct proto_hb_ack *a, struct node_effects *out);
void node_session_goaway(struct node_core *n, struct node_effects *out);
bool node_session_hello(struct node_core *n, struct node_effects *out);
/* A small part of the shortest lease of what is held: no wait on the way back to the coordinator may be longer. RV_NEVER: nothing is. */
uint64_t node_session_patience_us(const struct node_core *n);
void node_session_beat_for(struct node_core *n, uint64_t lease_us);
void node_session_beat(struct node_core *n, struct node_effects *out);
uint64_t node_session_deadline(const struct node_core *n);
bool node_lease_over(const struct node_core *n, const struct node_attempt *a);
bool node_lease_lapse(struct node_core *n, struct node_effects *out);
void node_lease_set(struct node_core *n, struct node_attempt *a, uint64_t lease_us);
void node_lease_clear(struct node_core *n, struct node_attempt *a);
uint64_t node_lease_deadline(const struct node_core *n);

#endif
