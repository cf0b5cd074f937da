/* fields.h - the fields of each message, written and read (private to proto/)
 *
 * Writers append to the buffer of their `proto_pack` and fail through it, unless said otherwise; readers fail through the cursor,
 * check every enum and count, and leave what they read borrowed from the frame and the arena.
 */
#ifndef PROTO_FIELDS_H
#define PROTO_FIELDS_H

#include "proto/parts.h"

struct proto_reading {
	struct proto_cursor *c;
	struct rv_arena *arena;      /* for arrays */
	const struct rv_str *specs;  /* of the DISPATCH being read */
	uint32_t spec_count;
};

/* An item of a batched kind. `spec_place`: of a DISPATCH with an inline spec, in the message's table. -1: over a limit. */
int proto_item_pack(struct proto_pack *p, const struct proto_msg *m, uint32_t spec_place, struct rv_err *err);
/* m->kind is set. */
void proto_item_read(struct proto_reading *r, uint64_t run, struct proto_msg *m);

/* A whole message that comes alone. -1: a field is out of its range. */
int proto_single_pack(struct proto_pack *p, const struct proto_msg *m, struct rv_err *err);
/* `fields`: of the message, its kind not counted. m->kind is set. */
void proto_single_read(struct proto_reading *r, uint32_t fields, struct proto_msg *m);

/* The same for what clients, and nodes that join or fetch, exchange with the coordinator (client_msg.h). */
bool proto_client_is(enum proto_msg_kind kind);
int proto_client_pack(struct proto_pack *p, const struct proto_msg *m, struct rv_err *err);
void proto_client_read(struct proto_reading *r, uint32_t fields, struct proto_msg *m);

/* Anything outside first..last fails. */
static inline uint32_t proto_read_enum(struct proto_cursor *c, uint32_t first, uint32_t last)
{
	uint32_t v = (uint32_t)proto_read_uint_to(c, last);

	if (v < first)
		c->failed = true;
	return v;
}

#endif
