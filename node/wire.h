/* wire.h - the node core's effects as messages, and messages as its events
 *
 * Pure: bytes go out through a callback. The daemon and the simulator put the same effects through here, so what is
 * simulated is what is sent. Messages gather in one frame; a full frame leaves at once, the rest at node_wire_flush().
 */
#ifndef NODE_WIRE_H
#define NODE_WIRE_H

#include "common/buf.h"
#include "common/err.h"
#include "node/core/io.h"
#include "proto/codec.h"
#include "proto/msg.h"

/* Attempts held that one page of HELLO tells. */
#define NODE_WIRE_PAGE RV_HELLO_HELD_MAX

struct node_wire {
	struct proto_frame_writer writer;
	struct rv_buf frame;
	const struct proto_node_info *info; /* borrowed: what HELLO says of the node */
	int (*send)(void *arg, struct rv_str frame);
	void *arg;
	struct proto_held *held; /* of the page being filled */
	uint32_t held_count;
	uint32_t held_left;      /* HELD effects still to come */
	uint32_t page;
	uint64_t hello_n;        /* of the HELLO being sent */
	uint64_t frames, dropped;
	struct proto_msg message; /* being added; a caller may build a RESULT's result in it, which saves a copy */
};

int node_wire_init(struct node_wire *w, const struct proto_node_info *info, int (*send)(void *arg, struct rv_str frame), void *arg);
void node_wire_release(struct node_wire *w);

/* Whether this effect is a message; the others are the daemon's own work. */
bool node_wire_is_message(enum node_effect_kind kind);

/* Adds the effect's message. `result` (perhaps &w->message.result) for NODE_FX_RESULT only; `start_us` (CLOCK_REALTIME) for NODE_FX_STARTED. -1: it
 * fits no frame (RV_E_LIMIT). */
int node_wire_put(struct node_wire *w, const struct node_effect *fx, const struct proto_result *result, uint64_t start_us,
		  struct rv_err *err);
/* Adds a message that is none of the core's. */
int node_wire_say(struct node_wire *w, const struct proto_msg *m, struct rv_err *err);
/* Sends what has gathered; a frame that is not taken is dropped and counted (resends heal). */
void node_wire_flush(struct node_wire *w);

/* What the core has to know of a dispatched spec. */
struct node_wire_spec {
	enum proto_agent_kind agent_kind;
	uint32_t flags;
	uint64_t cpus;
	uint64_t mock_delay_us; /* until it comes to its end; RV_NEVER: it does not */
	enum proto_reject_why refuse; /* 0: it can be taken */
};

/* How many events a message makes: 1, WELCOME one more per verdict, and 0 where the core has none for it. */
uint32_t node_wire_event_count(const struct proto_msg *m);
/* The i-th of them; it borrows from the message. `spec` for DISPATCH only. */
void node_wire_event(const struct proto_msg *m, uint32_t i, const struct node_wire_spec *spec, uint64_t now_us,
		     struct node_event *ev);

#endif
