/* codec.h - frames to messages and back
 *
 * Writing: a frame writer collects messages for one peer; items of one batched kind and run that follow each other share
 * one message, DISPATCH items share a frame-local table of specs. A frame is full at RV_FRAME_BYTES_MAX: the writer says
 * so before anything is written, and the caller starts the next.
 * Reading: proto_frame_open() scans the whole frame (length, depth, counts, UTF-8) before anything is decoded; then
 * proto_frame_next() hands out one item after another, borrowed from the frame and from the reader's scratch arena.
 */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/msg.h"

struct proto_frame_writer {
	struct rv_buf body;      /* finished messages */
	struct rv_buf items;     /* of the open batched message */
	struct rv_buf specs;     /* of the open DISPATCH */
	struct rv_buf workspace; /* of the open DISPATCH, encoded */
	struct rv_buf workspace_room; /* the one being added */
	enum proto_msg_kind open;
	uint64_t open_run;
	uint32_t message_count;
	uint32_t item_count;     /* of the open message */
	uint32_t value_count;    /* that a scan of the frame will count */
	uint32_t spec_count;
	/* Specs of the open DISPATCH by a hash of some of their bytes; all their bytes decide. Neighbours usually share one. */
	struct {
		bool used;
		uint32_t place;  /* in the table */
		uint32_t offset; /* of its bytes in `specs` */
		uint32_t bytes;
	} seen[16];
};

void proto_frame_writer_init(struct proto_frame_writer *w);
void proto_frame_writer_release(struct proto_frame_writer *w);
bool proto_frame_empty(const struct proto_frame_writer *w);
/* Adds one message or item. 1: the frame has no room for it, finish it first; 0: added; -1: it does not fit any frame. */
int proto_frame_add(struct proto_frame_writer *w, const struct proto_msg *m, struct rv_err *err);
/* Writes the frame into `out` (emptied first) and empties the writer. */
int proto_frame_finish(struct proto_frame_writer *w, struct rv_buf *out);

struct proto_frame_reader;
/* One per connection or thread, reused for every frame. NULL: no memory. */
struct proto_frame_reader *proto_frame_reader_create(void);
void proto_frame_reader_destroy(struct proto_frame_reader **r);
/* Scans; -1 and RV_E_CORRUPT/RV_E_LIMIT/RV_E_VERSION: nothing of it may be used. `frame` must outlive the reading. */
int proto_frame_open(struct proto_frame_reader *r, struct rv_str frame, enum proto_direction direction, struct rv_err *err);
/* 1: `m` is the next item, borrowed until the next call; 0: the end; -1: malformed (RV_E_CORRUPT): stop, count, drop. */
int proto_frame_next(struct proto_frame_reader *r, struct proto_msg *m, struct rv_err *err);

/* The dependencies of a DISPATCH as bytes of their own: a msgpack array of what the message would hold. Decoding scans first;
 * texts borrow from `bytes`, the array comes from `arena`. A blob of any size up to RV_CONTEXT_BYTES_MAX. */
int proto_deps_encode(const struct proto_dep *deps, uint32_t count, struct rv_buf *out);
int proto_deps_decode(struct rv_str bytes, struct rv_arena *arena, const struct proto_dep **deps, uint32_t *count, struct rv_err *err);

/* The list of a dependency's artifacts (proto_dep.artifacts): appended to `out`; and back, of bytes that were scanned with the message they came in.
 * Names borrow from `bytes`, the array comes from `arena`. */
int proto_artifacts_encode(const struct proto_artifact *items, uint32_t count, struct rv_buf *out);
int proto_artifacts_decode(struct rv_str bytes, struct rv_arena *arena, const struct proto_artifact **items, uint32_t *count, struct rv_err *err);

const char *proto_msg_name(enum proto_msg_kind kind);
enum proto_direction proto_msg_direction(enum proto_msg_kind kind);
/* Bits of enum proto_role: who may send it. 0: no such message. */
uint32_t proto_msg_roles(enum proto_msg_kind kind);

#endif
