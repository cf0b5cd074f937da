/* io.h - the whole boundary of the node's core on one page: events in, effects out
 *
 * The core holds the session and the table of attempts: what was dispatched, what the warden queues or runs, what is being
 * collected, which results wait for their ack. It never sees argv, files or output: the daemon keeps those by the attempt's
 * slot number and encodes messages from them. Rules of borrowing and stepping are coordinator/core/io.h's.
 *
 * An attempt's way: DISPATCH -> PREPARE (render, namespace, context) -> SPAWN (to the warden's queue) -> STARTED -> EXITED ->
 * COLLECT (output, evidence) -> RESULT, kept until its ack -> FORGET. `noop` skips to RESULT at once, `mock` waits for its delay:
 * their COLLECT and RESULT come in one step, nobody waits for COLLECTED (which may follow and changes nothing).
 *
 * The daemon drops events of the warden whose slot it was told to FORGET, and messages that came over a link it has left. A
 * KILL of what the warden does not have any more needs no answer; one of what it still queued is answered by EXITED.
 */
#ifndef NODE_IO_H
#define NODE_IO_H

#include "common/base.h"
#include "proto/msg.h"
#include "proto/spec.h"

struct node_core;

#define NODE_NONE UINT32_MAX

enum node_event_kind {
	NODE_EV_RECOVERED = 1,    /* at start: an exit record nobody acknowledged, or an attempt that still runs (warden's table) */
	NODE_EV_CONNECTED,        /* the link is up: HELLO */
	NODE_EV_DISCONNECTED,
	/* from the coordinator */
	NODE_EV_WELCOME,
	NODE_EV_VERDICT,          /* each, after the WELCOME it came with */
	NODE_EV_HB_ACK,
	NODE_EV_DISPATCH,
	NODE_EV_CANCEL,
	NODE_EV_RETRACT,
	NODE_EV_RESULT_ACK,
	NODE_EV_CHECKPOINT,
	NODE_EV_DRAIN,
	NODE_EV_GOAWAY,
	/* from the daemon and the warden, by slot */
	NODE_EV_PREPARED,         /* ready to spawn */
	NODE_EV_PREPARE_FAILED,   /* its result (class, reason, error) is with the daemon already */
	NODE_EV_STARTED,          /* a process of it runs */
	NODE_EV_EXITED,           /* tree empty, exit known to the daemon */
	NODE_EV_NOT_STARTED,      /* RETRACT reached it in the warden's queue */
	NODE_EV_COLLECTED,        /* its result is complete with the daemon */
	NODE_EV_WARDEN_LOST,      /* the warden died: every attempt in it is over */
	NODE_EV_WARDEN_UP,        /* a warden serves (again) */
	NODE_EV_STOP,             /* the daemon is to end: cancel everything with this grace, say BYE when empty */
	NODE_EV_TURN,             /* inputs are drained: deadlines; at once again while out->again, the effects performed in between */
};

struct node_event {
	enum node_event_kind kind;
	uint64_t now_us;          /* CLOCK_BOOTTIME */
	uint32_t slot;            /* events by slot */
	union {
		struct {
			struct proto_attempt_key key;
			uint64_t epoch;
			enum proto_held_state state; /* RUNNING or FINISHED */
			uint32_t flags;              /* proto_spec_flag */
			uint64_t cpus;
			uint64_t lease_us;           /* that it was dispatched with; 0: not known */
		} recovered;
		const struct proto_welcome *welcome;
		const struct proto_held_verdict *verdict;
		const struct proto_hb_ack *hb_ack;
		struct {
			const struct proto_dispatch *dispatch;
			enum proto_agent_kind agent_kind; /* read from the spec by the daemon */
			uint32_t flags;                   /* proto_spec_flag */
			uint64_t cpus;                    /* slots it takes */
			uint64_t mock_delay_us;           /* RV_NEVER: it does not end by itself */
			enum proto_reject_why refuse;     /* the daemon cannot take it; 0: it can */
		} dispatch;
		const struct proto_cancel *cancel;
		struct proto_attempt_key key;             /* RETRACT */
		const struct proto_result_ack *result_ack;
		struct proto_checkpoint checkpoint;
		struct proto_goaway goaway;
		struct {
			uint64_t grace_us;
			enum proto_reason reason;
		} stop;
		bool succeeded;                           /* COLLECTED: so says the result */
	};
};

enum node_effect_kind {
	/* messages to the coordinator */
	NODE_FX_HELLO = 1,        /* the daemon adds the node's info; items follow as HELD */
	NODE_FX_HELD,             /* one attempt of the HELLO before it */
	NODE_FX_HEARTBEAT,
	NODE_FX_TAKEN,
	NODE_FX_REJECTED,
	NODE_FX_STARTED,
	NODE_FX_RESULT,           /* the daemon has it under `slot` */
	NODE_FX_NOT_HERE,
	NODE_FX_RETRACTED,
	NODE_FX_ALREADY_STARTED,
	NODE_FX_BYE,
	/* to the daemon */
	NODE_FX_PREPARE,          /* slot is new: render, make namespace and context; answer PREPARED or PREPARE_FAILED (may be at once) */
	NODE_FX_SPAWN,            /* hand it to the warden's queue */
	NODE_FX_WARDEN_RETRACT,   /* answer NOT_STARTED, or STARTED/EXITED as it goes on */
	NODE_FX_KILL,
	NODE_FX_FREEZE,
	NODE_FX_THAW,
	NODE_FX_COLLECT,          /* make its result: from the exit, or for mock and noop from the spec; answer COLLECTED */
	NODE_FX_RESULT_OF,        /* a result that the core made itself (cancelled before start, warden lost): store it under slot, then RESULT follows */
	NODE_FX_FORGET,           /* drop all of it: spec, result, exit record; slot may be reused */
	NODE_FX_RECONNECT,        /* close the link and connect again (GOAWAY, silence) */
	NODE_FX_STOPPED,          /* after STOP: nothing is left */
};

struct node_effect {
	enum node_effect_kind kind;
	uint32_t slot;
	struct proto_attempt_key key;
	union {
		struct proto_held held;
		struct proto_heartbeat heartbeat;
		enum proto_reject_why why;      /* REJECTED */
		struct {
			uint64_t grace_us;      /* RV_NEVER: the spec's own */
			enum proto_reason reason;
		} kill;
		struct {
			enum proto_outcome outcome;
			enum proto_class class;
			enum proto_reason reason;
			bool started;
		} result_of;
		struct {
			bool last;              /* HELLO: HELD items follow until this page is full; the daemon pages by frame size */
			uint32_t held_count;    /* how many HELD follow in all */
			uint64_t n;             /* counts up from 1 in the life of this core */
		} hello;
	};
};

#define NODE_EFFECTS_MIN 64u

struct node_effects {
	struct node_effect *items;
	uint32_t count;
	uint32_t capacity;
	bool again;
};

struct node_core_config {
	uint32_t attempts_max;      /* slots of the table; what does not fit is REJECTED full */
	uint64_t slots, agent_slots;
	uint32_t prefetch_max;      /* attempts beyond the slots, RV_PREFETCH_MAX */
	uint64_t seed;              /* jitter of resends */
	uint64_t resend_us_min, resend_us_max; /* 1 s, 30 s */
	uint64_t gather_us;         /* a success that nothing waits for waits so long for company, while work here has not begun; 0: not at all */
	uint32_t gather_max;        /* and so many of them leave at the latest; at most NODE_GATHER_MAX */
	uint64_t tell_us;           /* TAKEN and STARTED of what has not ended wait so long for company (or a RESULT, which says both); 0 */
};

#define NODE_GATHER_MAX 32u

void node_core_config_init(struct node_core_config *cfg);
struct node_core *node_core_create(const struct node_core_config *cfg); /* NULL: no memory */
void node_core_destroy(struct node_core **n);
void node_core_step(struct node_core *n, const struct node_event *ev, struct node_effects *out);
uint64_t node_core_next_deadline(const struct node_core *n);
void node_core_audit(const struct node_core *n);
uint64_t node_core_digest(const struct node_core *n); /* of its table: what HEARTBEAT carries */

/* Asking, between steps. */
uint32_t node_core_find(const struct node_core *n, struct proto_attempt_key key); /* slot, NODE_NONE */
uint32_t node_core_attempts(const struct node_core *n);
uint64_t node_core_slots_used(const struct node_core *n);
/* How long the way back to the coordinator may wait at once, so that a short absence costs nothing of what is held; RV_NEVER: as long as
 * one likes. Walks the table: for each connection, not each step. */
uint64_t node_core_patience_us(const struct node_core *n);
uint64_t node_core_stale(const struct node_core *n); /* late messages, counted */
bool node_core_welcomed(const struct node_core *n); /* there is a session */
bool node_core_obeys(const struct node_core *n, const struct proto_welcome *w); /* it is of no epoch before one that was obeyed */
uint64_t node_core_epoch(const struct node_core *n); /* the highest obeyed of this cluster; 0: none yet */

/* For tests: how often each cell of the attempts' [state][event] table was used, and whether it may be. */
#define NODE_CORE_STATES 16u
#define NODE_CORE_EVENTS 17u
const uint32_t *node_core_cells(const struct node_core *n); /* [NODE_CORE_STATES][NODE_CORE_EVENTS] */
bool node_core_cell_exists(uint32_t state, uint32_t event);
const char *node_core_state_name(uint32_t state);
const char *node_core_event_name(uint32_t event);

#endif
