/* fuzz_record.c - any bytes as a journal row: facts are refused or read, and what was read comes back when written */
#include "common/arena.h"
#include "common/check.h"
#include "proto/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_str at = rv_str((const char *)data, size);
	struct proto_fact f, g;
	struct rv_arena arena;
	struct rv_buf out;
	struct rv_err err;

	rv_arena_init(&arena, 0);
	rv_buf_init(&out, 0);
	while (proto_fact_decode(&at, &arena, &f, &err) == 1) {
		struct rv_str again;

		rv_buf_reset(&out);
		rv_check(proto_fact_encode(&f, &out) == 0);
		again = rv_buf_str(&out);
		rv_check(proto_fact_decode(&again, &arena, &g, &err) == 1);
		rv_check(again.bytes == 0);
		rv_check(g.kind == f.kind);
	}
	rv_buf_release(&out);
	rv_arena_release(&arena);
	return 0;
}
