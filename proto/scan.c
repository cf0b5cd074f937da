#include "proto/scan.h"

#include "common/check.h"

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

/* --- UTF-8 ----------------------------------------------------------------------------------------------------- */

/* Bytes of the valid character at p (not ASCII), 0: none. */
static size_t utf8_char(const uint8_t *p, size_t left)
{
	uint8_t a = p[0];

	if (a < 0xc2 || left < 2 || (p[1] & 0xc0) != 0x80)
		return 0;
	if (a < 0xe0)
		return 2;
	if (left < 3 || (p[2] & 0xc0) != 0x80)
		return 0;
	if (a < 0xf0) {
		if ((a == 0xe0 && p[1] < 0xa0) || (a == 0xed && p[1] > 0x9f))
			return 0; /* overlong; surrogates */
		return 3;
	}
	if (a > 0xf4 || left < 4 || (p[3] & 0xc0) != 0x80)
		return 0;
	if ((a == 0xf0 && p[1] < 0x90) || (a == 0xf4 && p[1] > 0x8f))
		return 0; /* overlong; past U+10FFFF */
	return 4;
}

bool proto_utf8_valid(struct rv_str s)
{
	const uint8_t *p = (const uint8_t *)s.at;
	size_t left = s.bytes;

	while (left > 0) {
		size_t n;

		if (left >= 8) {
			uint64_t word;

			memcpy(&word, p, 8);
			if ((word & 0x8080808080808080u) == 0) {
				p += 8;
				left -= 8;
				continue;
			}
		}
		n = *p < 0x80 ? 1 : utf8_char(p, left);
		if (n == 0)
			return false;
		p += n;
		left -= n;
	}
	return true;
}

/* --- one value's head -------------------------------------------------------------------------------------------- */

enum head_kind { HEAD_BAD, HEAD_PLAIN, HEAD_STR, HEAD_BIN, HEAD_ARRAY, HEAD_MAP };

struct head {
	enum head_kind kind;
	size_t bytes;  /* of the head, number included */
	uint32_t size; /* STR, BIN: bytes that follow; ARRAY: elements; MAP: pairs */
};

/* c0..df: what kind, and how many bytes after the first byte belong to the head. Extensions (c7..c9, d4..d8) and the
 * reserved c1 are bad. */
static const struct {
	uint8_t kind, more;
} heads[32] = {
	[0x00] = { HEAD_PLAIN, 0 }, /* nil */
	[0x02] = { HEAD_PLAIN, 0 }, /* false */
	[0x03] = { HEAD_PLAIN, 0 }, /* true */
	[0x04] = { HEAD_BIN, 1 },
	[0x05] = { HEAD_BIN, 2 },
	[0x06] = { HEAD_BIN, 4 },
	[0x0a] = { HEAD_PLAIN, 4 }, /* float */
	[0x0b] = { HEAD_PLAIN, 8 },
	[0x0c] = { HEAD_PLAIN, 1 }, /* unsigned */
	[0x0d] = { HEAD_PLAIN, 2 },
	[0x0e] = { HEAD_PLAIN, 4 },
	[0x0f] = { HEAD_PLAIN, 8 },
	[0x10] = { HEAD_PLAIN, 1 }, /* signed */
	[0x11] = { HEAD_PLAIN, 2 },
	[0x12] = { HEAD_PLAIN, 4 },
	[0x13] = { HEAD_PLAIN, 8 },
	[0x19] = { HEAD_STR, 1 },
	[0x1a] = { HEAD_STR, 2 },
	[0x1b] = { HEAD_STR, 4 },
	[0x1c] = { HEAD_ARRAY, 2 },
	[0x1d] = { HEAD_ARRAY, 4 },
	[0x1e] = { HEAD_MAP, 2 },
	[0x1f] = { HEAD_MAP, 4 },
};

/* The head at p, of which `left` > 0 bytes are there; HEAD_BAD also when it is cut off. */
static inline struct head head_at(const uint8_t *p, size_t left)
{
	uint8_t b = *p;
	struct head h = { .kind = HEAD_PLAIN, .bytes = 1 };

	if (b < 0x80 || b >= 0xe0)
		return h;
	if (b < 0xc0) {
		if (b >= 0xa0) {
			h.kind = HEAD_STR;
			h.size = b & 0x1f;
		} else {
			h.kind = b < 0x90 ? HEAD_MAP : HEAD_ARRAY;
			h.size = b & 0x0f;
		}
		return h;
	}
	h.kind = (enum head_kind)heads[b & 0x1f].kind;
	h.bytes += heads[b & 0x1f].more;
	if (h.bytes > left)
		h.kind = HEAD_BAD;
	else if (h.kind >= HEAD_STR)
		h.size = h.bytes == 2 ? p[1] : h.bytes == 3 ? be16(p + 1) : be32(p + 1);
	return h;
}

/* --- the scan ----------------------------------------------------------------------------------------------------- */

static int fail_at(const uint8_t *begin, const uint8_t *p, const char *what, struct rv_err *err)
{
	return rv_fail(err, RV_E_CORRUPT, "%s at byte %zu", what, (size_t)(p - begin));
}

int proto_scan(struct rv_str bytes, const struct proto_scan_limits *limits, struct rv_err *err)
{
	const uint8_t *begin = (const uint8_t *)bytes.at;
	const uint8_t *p = begin;
	const uint8_t *end;
	uint64_t open[PROTO_SCAN_DEPTH_MAX]; /* values still to come at each depth */
	uint32_t depth = 0;
	uint64_t values = 0; /* seen, or announced by a container */

	rv_check(limits->depth_max <= PROTO_SCAN_DEPTH_MAX);
	if (bytes.bytes > limits->bytes_max)
		return rv_fail(err, RV_E_LIMIT, "%zu bytes; the limit is %zu", bytes.bytes, limits->bytes_max);
	if (bytes.bytes == 0)
		return rv_fail(err, RV_E_CORRUPT, "no bytes");
	end = begin + bytes.bytes;
	values = 1;
	for (;;) {
		struct head h;
		size_t left = (size_t)(end - p);

		if (left == 0)
			return fail_at(begin, p, "cut off", err);
		h = head_at(p, left);
		if (h.kind == HEAD_BAD)
			return fail_at(begin, p, "cut off, or a type that is not used", err);
		left -= h.bytes;
		if (h.kind >= HEAD_ARRAY) {
			uint64_t count = h.kind == HEAD_MAP ? (uint64_t)h.size * 2 : h.size;

			if (count > left)
				return fail_at(begin, p, "more elements than bytes", err);
			if (depth >= limits->depth_max)
				return rv_fail(err, RV_E_LIMIT, "deeper than %u at byte %zu", limits->depth_max,
					       (size_t)(p - begin));
			values += count;
			if (values > limits->values_max)
				return rv_fail(err, RV_E_LIMIT, "more than %u values at byte %zu",
					       limits->values_max, (size_t)(p - begin));
			p += h.bytes;
			open[depth++] = count;
		} else {
			if (h.size > left)
				return fail_at(begin, p, "longer than what is left", err);
			if (h.kind == HEAD_STR &&
			    !proto_utf8_valid(rv_str((const char *)p + h.bytes, h.size)))
				return fail_at(begin, p, "text that is not UTF-8", err);
			p += h.bytes + h.size;
			if (depth)
				open[depth - 1]--;
		}
		while (depth && open[depth - 1] == 0) {
			depth--;
			if (depth)
				open[depth - 1]--;
		}
		if (depth == 0)
			break;
	}
	if (p != end)
		return fail_at(begin, p, "bytes after the end", err);
	return 0;
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

/* Reads the number behind the byte at c->at; 0 bytes read: not there. */
static bool number_at(const struct proto_cursor *c, size_t bytes, uint64_t *out)
{
	const uint8_t *p = c->at + 1;

	if ((size_t)(c->end - c->at) < 1 + bytes)
		return false;
	switch (bytes) {
	case 1:
		*out = *p;
		return true;
	case 2:
		*out = be16(p);
		return true;
	case 4:
		*out = be32(p);
		return true;
	default:
		*out = be64(p);
		return true;
	}
}

/* Any integer as 64 bits and whether it is below zero. */
static bool integer(struct proto_cursor *c, uint64_t *out, bool *negative)
{
	size_t bytes;
	uint64_t v;
	uint8_t b;

	*negative = false;
	if (c->failed || c->at >= c->end)
		return false;
	b = *c->at;
	if (b < 0x80) {
		*out = b;
		c->at++;
		return true;
	}
	if (b >= 0xe0) {
		*out = (uint64_t)(int64_t)(int8_t)b;
		*negative = true;
		c->at++;
		return true;
	}
	if (b < 0xcc || b > 0xd3)
		return false;
	bytes = (size_t)1 << (b & 3);
	if (!number_at(c, bytes, &v))
		return false;
	if (b >= 0xd0) {
		uint64_t sign = (uint64_t)1 << (8 * bytes - 1);

		if (v & sign) {
			*negative = true;
			v |= ~(sign | (sign - 1)); /* the bits above are ones */
		}
	}
	*out = v;
	c->at += 1 + bytes;
	return true;
}

uint64_t proto_read_uint_slow(struct proto_cursor *c)
{
	struct proto_cursor before = *c;
	uint64_t v;
	bool negative;

	if (integer(c, &v, &negative) && !negative)
		return v;
	*c = before;
	c->failed = true;
	return 0;
}

int64_t proto_read_int_slow(struct proto_cursor *c)
{
	struct proto_cursor before = *c;
	uint64_t v;
	bool negative;

	if (integer(c, &v, &negative) && (negative || v <= INT64_MAX))
		return (int64_t)v;
	*c = before;
	c->failed = true;
	return 0;
}

/* The head of the next value if it is of this kind and what it declares can be there. */
static bool take_head(struct proto_cursor *c, enum head_kind kind, uint64_t unit, struct head *h)
{
	size_t left = (size_t)(c->end - c->at);

	if (!c->failed && left > 0) {
		*h = head_at(c->at, left);
		if (h->kind == kind && h->size * unit <= left - h->bytes) {
			c->at += h->bytes;
			return true;
		}
	}
	c->failed = true;
	return false;
}

uint32_t proto_read_array_slow(struct proto_cursor *c)
{
	struct head h;

	return take_head(c, HEAD_ARRAY, 1, &h) ? h.size : 0;
}

uint32_t proto_read_map(struct proto_cursor *c)
{
	struct head h;

	return take_head(c, HEAD_MAP, 2, &h) ? h.size : 0;
}

static struct rv_str take_bytes(struct proto_cursor *c, enum head_kind kind)
{
	struct head h;
	struct rv_str s = { NULL, 0 };

	if (take_head(c, kind, 1, &h)) {
		s = rv_str((const char *)c->at, h.size);
		c->at += h.size;
	}
	return s;
}

struct rv_str proto_read_str_slow(struct proto_cursor *c)
{
	return take_bytes(c, HEAD_STR);
}

struct rv_str proto_read_bin(struct proto_cursor *c)
{
	return take_bytes(c, HEAD_BIN);
}

void proto_read_fixed(struct proto_cursor *c, void *out, size_t bytes)
{
	struct proto_cursor before = *c;
	struct rv_str s = proto_read_bin(c);

	if (c->failed || s.bytes != bytes) {
		*c = before;
		c->failed = true;
		return;
	}
	memcpy(out, s.at, bytes);
}

struct rv_str proto_skip(struct proto_cursor *c)
{
	const uint8_t *begin = c->at;
	const uint8_t *p = c->at;
	uint64_t open = 1; /* values still to come; each takes a byte at least, so this ends */

	while (!c->failed && open > 0) {
		size_t left = (size_t)(c->end - p);
		struct head h = { .kind = HEAD_BAD };

		if (left > 0)
			h = head_at(p, left);
		if (h.kind == HEAD_BAD || (h.kind < HEAD_ARRAY && h.size > left - h.bytes)) {
			c->failed = true;
			break;
		}
		open--;
		p += h.bytes;
		if (h.kind == HEAD_ARRAY)
			open += h.size;
		else if (h.kind == HEAD_MAP)
			open += (uint64_t)h.size * 2;
		else
			p += h.size;
	}
	if (c->failed)
		return rv_str(NULL, 0);
	c->at = p;
	return rv_str((const char *)begin, (size_t)(p - begin));
}
