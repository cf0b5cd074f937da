/* wire.h - between the core's events and effects and the messages of proto/: pure translation
 *
 * The shell and the simulator use the same: no clock, no socket, no file. A message that no coordinator takes (wrong
 * direction, unknown kind) is refused here.
 */
#ifndef COORD_WIRE_H
#define COORD_WIRE_H

#include "coordinator/core/io.h"
#include "proto/codec.h"

/* Fills `ev` from a node's message; both borrow from `m`. `now_us`, `real_us`, `peer` are taken as given. -1: not a message that
 * a node may send. */
int coord_wire_event(const struct proto_msg *m, uint64_t now_us, uint64_t real_us, uint64_t peer, struct coord_event *ev);

/* What a DISPATCH needs beyond its effect. */
struct coord_wire_dispatch {
	uint64_t epoch;
	struct rv_str unit_id;
	struct rv_str item;
	struct rv_str spec;
	struct proto_value spec_blob;
	const struct proto_dep *deps;
	uint32_t dep_count;
	struct proto_value deps_blob;
	struct rv_str note;
	struct proto_workspace workspace;
};

/* Is this effect a message to a node? */
bool coord_wire_is_message(enum coord_effect_kind kind);

/* The message of one effect (not VERDICT: see below). `dispatch` for COORD_FX_DISPATCH only. */
void coord_wire_message(const struct coord_effect *fx, const struct coord_wire_dispatch *dispatch, struct proto_msg *m);

/* WELCOME and its verdicts are one message: gathers the VERDICT effects that follow effects[i] (a WELCOME or, in a later slice, a
 * VERDICT) for the same peer into `room`, at most `capacity`; gives how many effects were taken, the WELCOME included. */
uint32_t coord_wire_welcome(const struct coord_effects *fx, uint32_t i, const struct proto_welcome *last,
			    struct proto_held_verdict *room, uint32_t capacity, struct proto_msg *m);

#endif
