/* buf.c - growing bytes with a bound */
#include "buf.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64u

/* What an empty buffer points to. Never written: capacity 0 says that nothing is ours. */
static const char empty[1] = "";

void rv_buf_init(struct rv_buf *b, size_t limit)
{
	*b = (struct rv_buf){
		.at = (char *)empty,
		.limit = limit ? limit : RV_BUF_LIMIT_DEFAULT,
	};
}

void rv_buf_release(struct rv_buf *b)
{
	if (b->capacity)
		free(b->at);
	b->at = (char *)empty;
	b->bytes = b->capacity = 0;
	b->failed = false;
}

void rv_buf_reset(struct rv_buf *b)
{
	b->bytes = 0;
	b->failed = false;
	if (b->capacity)
		b->at[0] = '\0';
}

static int fail(struct rv_buf *b)
{
	b->failed = true;
	return -1;
}

char *rv_buf_reserve(struct rv_buf *b, size_t count)
{
	size_t need, capacity;
	char *at;

	if (b->failed)
		return NULL;
	if (count > b->limit - b->bytes || b->limit == SIZE_MAX) {
		b->failed = true;
		return NULL;
	}
	need = b->bytes + count + 1;
	if (need <= b->capacity)
		return b->at + b->bytes;

	capacity = b->capacity > SIZE_MAX / 2 ? need : b->capacity * 2;
	if (capacity < FIRST_CAPACITY)
		capacity = FIRST_CAPACITY;
	if (capacity > b->limit + 1)
		capacity = b->limit + 1;
	if (capacity < need)
		capacity = need;
	at = b->capacity ? realloc(b->at, capacity) : malloc(capacity);
	if (!at) {
		b->failed = true;
		return NULL;
	}
	at[b->bytes] = '\0';
	b->at = at;
	b->capacity = capacity;
	return b->at + b->bytes;
}

void rv_buf_added(struct rv_buf *b, size_t count)
{
	rv_check(count < b->capacity - b->bytes);
	b->bytes += count;
	b->at[b->bytes] = '\0';
}

int rv_buf_put(struct rv_buf *b, const void *bytes, size_t count)
{
	char *at;

	if (count == 0)
		return b->failed ? -1 : 0;
	at = rv_buf_reserve(b, count);
	if (!at)
		return -1;
	memcpy(at, bytes, count);
	rv_buf_added(b, count);
	return 0;
}

int rv_buf_putc(struct rv_buf *b, char c)
{
	return rv_buf_put(b, &c, 1);
}

int rv_buf_puts(struct rv_buf *b, const char *cstr)
{
	return rv_buf_put(b, cstr, strlen(cstr));
}

int rv_buf_put_str(struct rv_buf *b, struct rv_str s)
{
	return rv_buf_put(b, s.at, s.bytes);
}

int rv_buf_put_decimal(struct rv_buf *b, uint64_t v, uint32_t digits_min)
{
	char digits[20]; /* of UINT64_MAX */
	size_t at = sizeof(digits);

	rv_check(digits_min <= sizeof(digits));
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v || sizeof(digits) - at < digits_min);
	return rv_buf_put(b, digits + at, sizeof(digits) - at);
}

int rv_buf_vprintf(struct rv_buf *b, const char *fmt, va_list ap)
{
	size_t room = b->capacity - b->bytes;
	va_list again;
	int n;

	if (b->failed)
		return -1;
	va_copy(again, ap);
	n = vsnprintf(room ? b->at + b->bytes : NULL, room, fmt, ap);
	if (n >= 0 && (size_t)n >= room) {
		if (room)
			b->at[b->bytes] = '\0'; /* undo the part that fitted, in case growing fails */
		if (rv_buf_reserve(b, (size_t)n))
			n = vsnprintf(b->at + b->bytes, (size_t)n + 1, fmt, again);
		else
			n = -1;
	}
	va_end(again);
	if (n < 0)
		return fail(b);
	b->bytes += (size_t)n;
	return 0;
}

int rv_buf_printf(struct rv_buf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = rv_buf_vprintf(b, fmt, ap);
	va_end(ap);
	return r;
}

/* The length of the well-formed UTF-8 sequence at s (no overlong forms, no surrogates), 0 if there is none; *skip
 * gets how many bytes one U+FFFD stands for. */
static size_t utf8_at(const unsigned char *s, size_t left, size_t *skip)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t need, i;

	*skip = 1;
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	need = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	for (i = 1; i < need; i++) {
		if (i >= left || s[i] < low || s[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
		*skip = i + 1;
	}
	return need;
}

bool rv_char_misleads(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} spans[] = {
		{ 0x80, 0x9f },       /* C1: 8-bit CSI, OSC, DCS, NEL */
		{ 0xad, 0xad },       /* soft hyphen */
		{ 0x61c, 0x61c },     /* bidi marks, embeddings, overrides, isolates */
		{ 0x180e, 0x180e },
		{ 0x200b, 0x200c },   /* zero width; the joiner (200d) is needed by emoji */
		{ 0x200e, 0x200f },
		{ 0x2028, 0x202e },
		{ 0x2060, 0x206f },
		{ 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb },
		{ 0xe0000, 0xe007f }, /* tags */
	};
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(spans); i++)
		if (cp >= spans[i].first && cp <= spans[i].last)
			return true;
	return false;
}

/* The value of a well-formed sequence of n bytes. */
static uint32_t utf8_value(const unsigned char *s, size_t n)
{
	uint32_t v = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	size_t i;

	for (i = 1; i < n; i++)
		v = v << 6 | (s[i] & 0x3fu);
	return v;
}

void rv_buf_put_json_escape(struct rv_buf *b, uint32_t c)
{
	static const char short_of[] = { ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
					 ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' };
	char pair[2] = { '\\', c < sizeof(short_of) ? short_of[c] : '\0' };

	if (pair[1])
		(void)rv_buf_put(b, pair, 2);
	else if (c > 0xffff)
		(void)rv_buf_printf(b, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
	else
		(void)rv_buf_printf(b, "\\u%04x", c);
}

int rv_buf_put_json(struct rv_buf *b, struct rv_str s)
{
	const unsigned char *at = (const unsigned char *)s.at;
	size_t i = 0, from = 0;

	(void)rv_buf_putc(b, '"');
	while (i < s.bytes) {
		size_t skip, n = utf8_at(at + i, s.bytes - i, &skip);
		uint32_t cp = n ? utf8_value(at + i, n) : 0;

		/* DEL, the C1 controls and what reorders text are legal JSON, but this text may reach a terminal. */
		if (n && (n == 1 || !rv_char_misleads(cp)) && at[i] >= 0x20 && at[i] != '"' && at[i] != '\\' && at[i] != 0x7f) {
			i += n;
			continue;
		}
		(void)rv_buf_put(b, s.at ? s.at + from : NULL, i - from);
		if (!n)
			(void)rv_buf_puts(b, "\xef\xbf\xbd");
		else
			rv_buf_put_json_escape(b, cp);
		i += n ? n : skip;
		from = i;
	}
	(void)rv_buf_put(b, s.at ? s.at + from : NULL, i - from);
	return rv_buf_putc(b, '"');
}

void rv_buf_consume(struct rv_buf *b, size_t count)
{
	rv_check(count <= b->bytes);
	if (count == 0)
		return;
	b->bytes -= count;
	memmove(b->at, b->at + count, b->bytes + 1);
}

static int put_le(struct rv_buf *b, uint64_t v, size_t bytes)
{
	unsigned char le[8];
	size_t i;

	for (i = 0; i < bytes; i++)
		le[i] = (unsigned char)(v >> (8 * i));
	return rv_buf_put(b, le, bytes);
}

int rv_buf_put_u8(struct rv_buf *b, uint8_t v)
{
	return put_le(b, v, 1);
}

int rv_buf_put_u16(struct rv_buf *b, uint16_t v)
{
	return put_le(b, v, 2);
}

int rv_buf_put_u32(struct rv_buf *b, uint32_t v)
{
	return put_le(b, v, 4);
}

int rv_buf_put_u64(struct rv_buf *b, uint64_t v)
{
	return put_le(b, v, 8);
}

int rv_buf_put_lv(struct rv_buf *b, struct rv_str s)
{
	if (s.bytes > UINT32_MAX)
		return fail(b);
	/* Both or neither: a length whose bytes did not fit would shift everything behind it. */
	if (!rv_buf_reserve(b, s.bytes + 4))
		return -1;
	(void)rv_buf_put_u32(b, (uint32_t)s.bytes);
	return rv_buf_put_str(b, s);
}

void rv_reader_init(struct rv_reader *r, struct rv_str bytes)
{
	r->at = bytes.at ? bytes.at : empty;
	r->end = r->at + bytes.bytes;
	r->failed = false;
}

static uint64_t read_le(struct rv_reader *r, size_t bytes)
{
	uint64_t v = 0;
	size_t i;

	if (r->failed || (size_t)(r->end - r->at) < bytes) {
		r->failed = true;
		return 0;
	}
	for (i = 0; i < bytes; i++)
		v |= (uint64_t)(unsigned char)r->at[i] << (8 * i);
	r->at += bytes;
	return v;
}

uint8_t rv_read_u8(struct rv_reader *r)
{
	return (uint8_t)read_le(r, 1);
}

uint16_t rv_read_u16(struct rv_reader *r)
{
	return (uint16_t)read_le(r, 2);
}

uint32_t rv_read_u32(struct rv_reader *r)
{
	return (uint32_t)read_le(r, 4);
}

uint64_t rv_read_u64(struct rv_reader *r)
{
	return read_le(r, 8);
}

struct rv_str rv_read_lv(struct rv_reader *r)
{
	uint32_t bytes = rv_read_u32(r);
	struct rv_str s = { .at = r->at, .bytes = bytes };

	if (r->failed || (size_t)(r->end - r->at) < bytes) {
		r->failed = true;
		return (struct rv_str){ 0 };
	}
	r->at += bytes;
	return s;
}
