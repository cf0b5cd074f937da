/* proto_maker.h - random fields of messages, each at its least, its most, or anything; texts lie in an arena */
#ifndef TESTS_LIB_PROTO_MAKER_H
#define TESTS_LIB_PROTO_MAKER_H

#include "common/arena.h"
#include "common/prng.h"
#include "proto/msg.h"

enum fill { FILL_LEAST, FILL_MOST, FILL_ANY };

struct maker {
	struct rv_prng r;
	enum fill fill;
	struct rv_arena arena;
};

static inline uint64_t number(struct maker *m, uint64_t max)
{
	switch (m->fill) {
	case FILL_LEAST:
		return 0;
	case FILL_MOST:
		return max;
	default:
		if (max == UINT64_MAX)
			return rv_prng_next(&m->r) >> rv_prng_below(&m->r, 64);
		return rv_prng_below(&m->r, (max >> rv_prng_below(&m->r, 8)) + 1);
	}
}

static inline uint32_t from(struct maker *m, uint32_t first, uint32_t last)
{
	return first + (uint32_t)number(m, last - first);
}

static inline struct rv_str bytes_of(struct maker *m, size_t max)
{
	size_t i, n = number(m, max);
	char *at = rv_arena_alloc(&m->arena, n + 1, 1);

	for (i = 0; i < n; i++)
		at[i] = (char)rv_prng_next(&m->r);
	return rv_str(at, n);
}

static inline struct rv_str text_of(struct maker *m, size_t max)
{
	struct rv_str s = bytes_of(m, max);
	char *at = (char *)(uintptr_t)s.at;
	size_t i;

	for (i = 0; i < s.bytes; i++)
		at[i] &= 0x7f;
	return s;
}

static inline void digest_of(struct maker *m, uint8_t out[PROTO_DIGEST_BYTES])
{
	size_t i;

	for (i = 0; i < PROTO_DIGEST_BYTES; i++)
		out[i] = (uint8_t)number(m, 255);
}

static inline void maker_init(struct maker *m, uint64_t seed)
{
	rv_prng_seed(&m->r, seed);
	m->fill = FILL_ANY;
	rv_arena_init(&m->arena, 0);
}

#endif
