/* scan.h - msgpack from outside: looked over once before anything is built, then read straight off a bounded cursor
 *
 * proto_scan() walks the bytes once and refuses what is not one whole, modest value: more bytes, depth or values than
 * allowed, a declared length or count that what is left cannot hold, trailing bytes, text that is not UTF-8, extension
 * types, the reserved byte c1. It allocates nothing: five bytes can declare 4 billion values, which costs a reader who
 * believes them gigabytes.
 *
 * The cursor reads what was scanned. It checks each step against its end all the same, so unscanned bytes can make it
 * fail, never read outside. Errors are sticky: after the first, `failed` stays, every read gives zero or nothing and the
 * cursor does not move, so a row of reads needs one check at its end. What is borrowed points into the bytes.
 */
#ifndef PROTO_SCAN_H
#define PROTO_SCAN_H

#include "common/base.h"
#include "common/err.h"
#include "common/limits.h"

#define PROTO_SCAN_DEPTH_MAX 32u /* of depth_max */

struct proto_scan_limits {
	size_t bytes_max;
	uint32_t depth_max;  /* of arrays and maps in each other */
	uint32_t values_max; /* keys, elements and containers, all in all */
};

/* Of one frame on the wire. */
#define PROTO_SCAN_FRAME                                                                           \
	((struct proto_scan_limits){ RV_FRAME_BYTES_MAX, RV_FRAME_DEPTH_MAX, RV_FRAME_VALUES_MAX })

/* RV_E_LIMIT: too long, deep or many; RV_E_CORRUPT: anything else; the message names the place. */
int proto_scan(struct rv_str bytes, const struct proto_scan_limits *limits, struct rv_err *err);

/* Is it UTF-8, without surrogates, overlong forms and what is past U+10FFFF? */
bool proto_utf8_valid(struct rv_str s);

/* --- the cursor ------------------------------------------------------------------------------------------------ */

struct proto_cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct proto_cursor proto_cursor(struct rv_str bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.at;

	return (struct proto_cursor){ .at = at, .end = at ? at + bytes.bytes : at };
}

/* Nothing is left and nothing failed. */
static inline bool proto_cursor_done(const struct proto_cursor *c)
{
	return !c->failed && c->at == c->end;
}

/* The rarer forms; what the inline readers below do not know themselves. */
uint64_t proto_read_uint_slow(struct proto_cursor *c);
int64_t proto_read_int_slow(struct proto_cursor *c);
uint32_t proto_read_array_slow(struct proto_cursor *c);
struct rv_str proto_read_str_slow(struct proto_cursor *c);

/* >= 0; a float is no integer. */
static inline uint64_t proto_read_uint(struct proto_cursor *c)
{
	if (!c->failed && c->at < c->end && *c->at < 0x80)
		return *c->at++;
	return proto_read_uint_slow(c);
}

/* At most `max`, else it fails: for narrower fields and for enums. */
static inline uint64_t proto_read_uint_to(struct proto_cursor *c, uint64_t max)
{
	uint64_t v = proto_read_uint(c);

	if (v > max) {
		c->failed = true;
		return 0;
	}
	return v;
}

static inline uint32_t proto_read_u32(struct proto_cursor *c)
{
	return (uint32_t)proto_read_uint_to(c, UINT32_MAX);
}

static inline int64_t proto_read_int(struct proto_cursor *c)
{
	if (!c->failed && c->at < c->end && *c->at < 0x80)
		return *c->at++;
	return proto_read_int_slow(c);
}

static inline int32_t proto_read_i32(struct proto_cursor *c)
{
	int64_t v = proto_read_int(c);

	if (v < INT32_MIN || v > INT32_MAX) {
		c->failed = true;
		return 0;
	}
	return (int32_t)v;
}

static inline bool proto_read_bool(struct proto_cursor *c)
{
	if (!c->failed && c->at < c->end && (*c->at & 0xfe) == 0xc2)
		return *c->at++ == 0xc3;
	c->failed = true;
	return false;
}

/* Is the next value nil? If so it is taken. Does not fail on another kind. */
static inline bool proto_take_nil(struct proto_cursor *c)
{
	if (!c->failed && c->at < c->end && *c->at == 0xc0) {
		c->at++;
		return true;
	}
	return false;
}

/* How many elements follow; each is at least a byte, so more than is left fails here. */
static inline uint32_t proto_read_array(struct proto_cursor *c)
{
	if (!c->failed && c->at < c->end && (*c->at & 0xf0) == 0x90) {
		uint32_t n = *c->at & 0x0f;

		if (n <= (size_t)(c->end - c->at - 1)) {
			c->at++;
			return n;
		}
	}
	return proto_read_array_slow(c);
}

/* The same, but only exactly `count`. */
static inline void proto_read_array_of(struct proto_cursor *c, uint32_t count)
{
	if (proto_read_array(c) != count)
		c->failed = true;
}

/* How many pairs follow. */
uint32_t proto_read_map(struct proto_cursor *c);

/* Text, UTF-8 if it was scanned. */
static inline struct rv_str proto_read_str(struct proto_cursor *c)
{
	if (!c->failed && c->at < c->end && (*c->at & 0xe0) == 0xa0) {
		size_t n = *c->at & 0x1f;

		if (n <= (size_t)(c->end - c->at - 1)) {
			struct rv_str s = rv_str((const char *)c->at + 1, n);

			c->at += 1 + n;
			return s;
		}
	}
	return proto_read_str_slow(c);
}

/* Bytes. */
struct rv_str proto_read_bin(struct proto_cursor *c);
/* Exactly `bytes` bytes into `out`; on failure it is left alone. */
void proto_read_fixed(struct proto_cursor *c, void *out, size_t bytes);
/* Steps over the next value, whatever it is, and gives its encoded bytes. */
struct rv_str proto_skip(struct proto_cursor *c);

#endif
