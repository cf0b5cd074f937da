/* fuzz_codec.c - any bytes as a frame, in the direction that the first byte says, and its specs: refused or read whole */
#include "common/arena.h"
#include "common/check.h"
#include "proto/codec.h"
#include "proto/spec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_spec(struct rv_str bytes)
{
	struct rv_arena arena;
	struct proto_spec spec;
	struct rv_err err;
	struct rv_buf again;

	rv_arena_init(&arena, 0);
	rv_buf_init(&again, 0);
	if (proto_spec_decode(bytes, &arena, &spec, &err) == 0)
		rv_check(proto_spec_encode(&spec, &again) == 0);
	rv_buf_release(&again);
	rv_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct proto_frame_writer w;
	enum proto_direction direction;
	struct proto_msg m;
	struct rv_err err;
	struct rv_buf out;
	uint32_t count = 0, again = 0;
	bool whole = false;
	int rc;

	if (size == 0 || !r)
		goto out;
	direction = (enum proto_direction)((data[0] & 3) % 3);
	proto_frame_writer_init(&w);
	rv_buf_init(&out, 0);
	if (proto_frame_open(r, rv_str((const char *)data + 1, size - 1), direction, &err) == 0) {
		while ((rc = proto_frame_next(r, &m, &err)) == 1) {
			if (m.kind == PROTO_DISPATCH && m.dispatch.spec.bytes)
				read_spec(m.dispatch.spec);
			rv_check(proto_frame_add(&w, &m, &err) == 0); /* what was read can be written */
			count++;
		}
		whole = rc == 0;
	}
	if (whole) {
		rv_check(proto_frame_finish(&w, &out) == 0);
		rv_check(proto_frame_open(r, rv_buf_str(&out), direction, &err) == 0);
		while ((rc = proto_frame_next(r, &m, &err)) == 1)
			again++;
		rv_check(rc == 0);
		rv_check(again == count);
	}
	proto_frame_writer_release(&w);
	rv_buf_release(&out);
out:
	proto_frame_reader_destroy(&r);
	return 0;
}
