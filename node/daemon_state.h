/* daemon_state.h - the daemon's own state, private to daemon.c, effects.c, exchange.c and warding.c
 *
 * daemon.c   life, frames in, turns, the core's steps and what follows from them
 * effects.c  what the core asks for: prepare, spawn, kill, collect, store, forget
 * exchange.c blobs both ways and logs, beside the core's messages
 * warding.c  the warden's side: its channel, its reports, what it held before this daemon came
 *
 * Stepping: an event goes through daemon_step(), its effects are performed in order, and what they answer (PREPARED,
 * COLLECTED) queues up as further events until none is left. Effects never step the core themselves.
 */
#ifndef NODE_DAEMON_STATE_H
#define NODE_DAEMON_STATE_H

#include "common/arena.h"
#include "common/map.h"
#include "node/arrivals.h"
#include "node/collect.h"
#include "node/core/io.h"
#include "node/daemon.h"
#include "node/prepare.h"
#include "node/records.h"
#include "node/specs.h"
#include "node/stock.h"
#include "node/warden/client.h"
#include "node/watch.h"
#include "node/wire.h"
#include "proto/codec.h"

#define DAEMON_EFFECTS 1024u
#define DAEMON_FORGET_MAX 1024u
#define DAEMON_OUTPUT_CREDIT ((uint64_t)1 << 20)

enum daemon_warden {
	DAEMON_WARDEN_NONE,     /* there is none, or it died */
	DAEMON_WARDEN_GREETING, /* CONFIG and TABLE are on their way; what it held is not all told yet */
	DAEMON_WARDEN_UP,
};

struct daemon_answer {
	enum node_event_kind kind;
	uint32_t slot;
};

/* What is known of an attempt of an earlier daemon beside what the core is told. */
struct daemon_recovering {
	uint64_t key, epoch, start_us;
};

struct node_daemon {
	struct node_daemon_config cfg;   /* texts and arrays copied into `arena`, but env and pass_env */
	struct rv_arena arena;
	struct proto_node_info info;
	struct node_core *core;
	struct node_effects fx;
	struct daemon_answer *answers;   /* ring: events that performed effects brought about */
	uint32_t answer_at, answer_count, answer_capacity;
	struct node_wire wire;
	struct proto_frame_reader *reader;
	struct node_records records;
	struct node_specs specs;
	struct node_arrivals arrivals;   /* dispatches that wait for blobs */
	struct rv_blobs parts;           /* of a node: what cookies name, apart from `cfg.blobs`, which is pruned under running attempts */
	struct rv_blobs *cookies;        /* &parts, or cfg.blobs */
	uint64_t look_us;                /* when the stores are looked through next */
	uint64_t looked_results, looked_bytes; /* what there was then */
	char *piece_room;                /* of a blob that is being served; NULL: none was yet */
	struct node_preparer preparer;
	struct node_collector collector;
	struct node_watches watches;
	uint32_t *parked;                /* slots whose artifacts are being digested */
	uint32_t parked_count, parked_capacity;
	/* what the step that is being performed is about; NULL otherwise */
	const struct proto_dispatch *dispatch;
	struct node_spec *spec;          /* of it; NULL: could not be read, see `spec_fault` */
	struct rv_err spec_fault;
	const struct warden_exited *exited;
	uint32_t exited_slot;
	struct daemon_recovering recovering;
	/* the warden */
	enum daemon_warden warden_state;
	struct rv_intmap by_key;         /* warden key to slot */
	struct rv_intmap_slot *by_key_slots;
	uint64_t next_key;
	uint64_t *forget;                /* keys to tell, DAEMON_FORGET_MAX */
	uint32_t forget_count;
	char label[40];
	struct rv_buf scratch, cookie;
	bool prepared;                   /* the preparer is set up */
	bool connect_waits;              /* connected, but what the warden holds is not known yet */
	bool stopped;
	bool after_end;                  /* the daemon before was told to end, and ended its units by itself */
	uint64_t now_us, real_us;
	struct node_daemon_stats stats;
};

/* daemon.c */
void daemon_step(struct node_daemon *d, struct node_event *ev);
void daemon_answer(struct node_daemon *d, enum node_event_kind kind, uint32_t slot);
void daemon_note_end(struct node_daemon *d); /* for the daemon after this one: units were ended in order */
void daemon_log(const struct node_daemon *d, enum rv_log_level level, const char *event, const char *error);
/* The same with run, unit and attempt of the DISPATCH that is being taken. */
void daemon_log_attempt(const struct node_daemon *d, enum rv_log_level level, const char *event, const char *error);

/* effects.c */
void daemon_perform(struct node_daemon *d, const struct node_effect *fx);
/* A mock was dispatched: what it sees is made now, its answer is due later. */
void daemon_prepare_mock(struct node_daemon *d, uint32_t slot);
/* Goes on with what is parked, about `bytes` of it. */
void daemon_collect_some(struct node_daemon *d, uint64_t bytes);

/* Ends agents that have been turned away for idle_timeout_s (watch.h). */
void daemon_end_stuck(struct node_daemon *d);

/* exchange.c */
bool daemon_exchange(struct node_daemon *d, const struct proto_msg *m); /* false: it is none of these */
void daemon_exchange_ask(struct node_daemon *d);
void daemon_exchange_prune(struct node_daemon *d); /* keeps the stores below their bounds, now and then */
uint64_t daemon_exchange_deadline(const struct node_daemon *d);

/* warding.c */
int daemon_warden_greet(struct node_daemon *d, struct rv_err *err);
int daemon_warden_frames(struct node_daemon *d, struct rv_err *err);
void daemon_warden_lost(struct node_daemon *d);
void daemon_warden_forget(struct node_daemon *d, uint64_t key);
void daemon_warden_flush(struct node_daemon *d);

#endif
