/* text.c - making other people's text harmless on a terminal */
#include "cli/text.h"

uint32_t cli_utf8_next(struct rv_str s, uint32_t *cp)
{
	const unsigned char *u = (const unsigned char *)s.at;
	uint32_t count, v, i;

	if (s.bytes == 0)
		return 0;
	if (u[0] < 0x80) {
		*cp = u[0];
		return 1;
	}
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		count = 2, v = u[0] & 0x1fu;
	else if ((u[0] & 0xf0) == 0xe0)
		count = 3, v = u[0] & 0x0fu;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		count = 4, v = u[0] & 0x07u;
	else
		return 0;
	if (s.bytes < count)
		return 0;
	for (i = 1; i < count; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (u[i] & 0x3fu);
	}
	if ((count == 3 && v < 0x800) || (count == 4 && (v < 0x10000 || v > 0x10ffff)) || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*cp = v;
	return count;
}

/* Could the bytes become a character once more of them come? */
static bool utf8_unfinished(struct rv_str s)
{
	const unsigned char *u = (const unsigned char *)s.at;
	size_t want = u[0] >= 0xf0 && u[0] <= 0xf4 ? 4 : u[0] >= 0xe0 && u[0] <= 0xef ? 3 : u[0] >= 0xc2 && u[0] <= 0xdf ? 2 : 0;
	size_t i;

	if (s.bytes >= want)
		return false;
	for (i = 1; i < s.bytes; i++)
		if ((u[i] & 0xc0) != 0x80)
			return false;
	return true;
}

struct span {
	uint32_t first, last;
};

static bool in_spans(uint32_t cp, const struct span *spans, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (cp >= spans[i].first && cp <= spans[i].last)
			return true;
	return false;
}

void cli_text_init(struct cli_text *t, enum cli_text_mode mode)
{
	*t = (struct cli_text){ .mode = mode };
}

/* A colour sequence ESC [ digits ; : m at the start of s: its length; 0: it is none; -1: more bytes could make it one. */
static long colour_bytes(struct rv_str s)
{
	size_t i;

	if (s.bytes < 2)
		return -1;
	if (s.at[1] != '[')
		return 0;
	for (i = 2; i < s.bytes; i++) {
		char c = s.at[i];

		if (c == 'm')
			return (long)i + 1;
		if (!((c >= '0' && c <= '9') || c == ';' || c == ':') || i >= CLI_TEXT_HELD_BYTES - 1)
			return 0;
	}
	return s.bytes < CLI_TEXT_HELD_BYTES ? -1 : 0;
}

static void put_control(unsigned char c, enum cli_text_mode mode, struct rv_buf *out)
{
	if (mode == CLI_TEXT_CELL && c == '\t')
		(void)rv_buf_putc(out, ' ');
	else if (mode == CLI_TEXT_CELL && c == '\n')
		(void)rv_buf_puts(out, "\\n");
	else if (c == '\r')
		(void)rv_buf_puts(out, "\\r");
	else
		(void)rv_buf_printf(out, "^%c", c ^ 0x40); /* 0x7f is ^? */
}

enum at_end { MORE_MAY_COME, NOTHING_COMES };

/* Handles what stands at the start of s: how many bytes it took, 0: it has to wait for more. */
static size_t take(enum cli_text_mode mode, struct rv_str s, enum at_end end, struct rv_buf *out)
{
	unsigned char c = (unsigned char)s.at[0];
	uint32_t cp, count;

	if (c == 0x1b) {
		long colour = colour_bytes(s);

		if (colour < 0 && end == MORE_MAY_COME)
			return 0;
		if (colour > 0)
			return (size_t)colour;
	}
	if (c == '\r') {
		if (s.bytes == 1 && end == MORE_MAY_COME)
			return 0;
		if (s.bytes > 1 && s.at[1] == '\n' && mode == CLI_TEXT_LINES)
			return 1;
	}
	if (mode == CLI_TEXT_LINES && (c == '\n' || c == '\t')) {
		(void)rv_buf_putc(out, (char)c);
		return 1;
	}
	if (c < 0x20 || c == 0x7f) {
		put_control(c, mode, out);
		return 1;
	}
	count = cli_utf8_next(s, &cp);
	if (count == 0) {
		if (end == MORE_MAY_COME && utf8_unfinished(s))
			return 0;
		(void)rv_buf_printf(out, "\\x%02x", c);
		return 1;
	}
	if (rv_char_misleads(cp))
		(void)rv_buf_printf(out, "\\u{%x}", cp);
	else
		(void)rv_buf_put(out, s.at, count);
	return count;
}

/* Consumes from the front of s; what is left has to wait. */
static void run_through(enum cli_text_mode mode, struct rv_str *s, enum at_end end, struct rv_buf *out)
{
	while (s->bytes) {
		size_t plain = 0, n;

		while (plain < s->bytes && (unsigned char)s->at[plain] >= 0x20 && (unsigned char)s->at[plain] < 0x7f)
			plain++;
		(void)rv_buf_put(out, s->at, plain);
		*s = rv_str(s->at + plain, s->bytes - plain);
		if (s->bytes == 0)
			return;
		n = take(mode, *s, end, out);
		if (n == 0)
			return;
		*s = rv_str(s->at + n, s->bytes - n);
	}
}

void cli_text_feed(struct cli_text *t, struct rv_str in, struct rv_buf *out)
{
	/* What was held back and the beginning of what is new, together; nothing held needs more than HELD_BYTES. */
	while (t->held_bytes && in.bytes) {
		char both[2 * CLI_TEXT_HELD_BYTES];
		size_t held = t->held_bytes, add = rv_min_u64(in.bytes, CLI_TEXT_HELD_BYTES);
		struct rv_str s = { both, held + add };
		size_t used;

		memcpy(both, t->held, held);
		memcpy(both + held, in.at, add);
		while (s.bytes > add) { /* until nothing of the old is left */
			size_t n = take(t->mode, s, MORE_MAY_COME, out);

			if (n == 0)
				break;
			s = rv_str(s.at + n, s.bytes - n);
		}
		used = s.bytes > add ? 0 : add - s.bytes;
		if (s.bytes > add) { /* still waiting: all of it is held, and it fits (colour_bytes gives up before) */
			memcpy(t->held, s.at, s.bytes);
			t->held_bytes = (uint32_t)s.bytes;
			return;
		}
		t->held_bytes = 0;
		in = rv_str(in.at + used, in.bytes - used);
	}
	run_through(t->mode, &in, MORE_MAY_COME, out);
	if (in.bytes) {
		memcpy(t->held, in.at, in.bytes);
		t->held_bytes = (uint32_t)in.bytes;
	}
}

void cli_text_end(struct cli_text *t, struct rv_buf *out)
{
	struct rv_str s = { t->held, t->held_bytes };

	run_through(t->mode, &s, NOTHING_COMES, out);
	t->held_bytes = 0;
}

void cli_text_safe(enum cli_text_mode mode, struct rv_str in, struct rv_buf *out)
{
	run_through(mode, &in, NOTHING_COMES, out);
}

static uint32_t char_width(uint32_t cp)
{
	static const struct span none[] = {
		{ 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x610, 0x61a }, { 0x64b, 0x65f },
		{ 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200d, 0x200d }, { 0x20d0, 0x20ff },
		{ 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
	};
	static const struct span two[] = {
		{ 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0xa4cf }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
		{ 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f },
		{ 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
	};

	if (cp < 0x300)
		return 1;
	return in_spans(cp, none, RV_ARRAY_LEN(none)) ? 0 : in_spans(cp, two, RV_ARRAY_LEN(two)) ? 2 : 1;
}

size_t cli_text_cut(struct rv_str s, uint32_t columns)
{
	size_t at = 0;
	uint32_t used = 0;

	while (at < s.bytes) {
		uint32_t cp = ' ', n = cli_utf8_next(rv_str(s.at + at, s.bytes - at), &cp), w = char_width(cp);

		if (used + w > columns)
			break;
		used += w;
		at += n ? n : 1;
	}
	return at;
}

uint32_t cli_text_width(struct rv_str s)
{
	uint32_t used = 0;

	while (s.bytes) {
		uint32_t cp = ' ', n = cli_utf8_next(s, &cp);

		used += char_width(cp);
		s = rv_str(s.at + (n ? n : 1), s.bytes - (n ? n : 1));
	}
	return used;
}
