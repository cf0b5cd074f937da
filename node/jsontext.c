#include "node/jsontext.h"

struct scan {
	const char *start, *at, *end;
	struct rv_buf *out;
	uint32_t depth;
	const char *what; /* why it is no JSON */
};

size_t node_utf8_at(const char *p, const char *end)
{
	const unsigned char *s = (const unsigned char *)p;
	size_t left = (size_t)(end - p), count, i;
	uint32_t c;

	if (!left)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	count = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (left < count)
		return 0;
	c = s[0] & (0x7fu >> count);
	for (i = 1; i < count; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((count == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) || (count == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return count;
}

static int bad(struct scan *s, const char *what)
{
	s->what = what;
	return -1;
}

static void skip_blanks(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int escape(struct scan *s)
{
	s->at++;
	if (s->at == s->end)
		return bad(s, "an open string");
	if (*s->at != 'u')
		return strchr("\"\\/bfnrt", *s->at) && *s->at ? (s->at++, 0) : bad(s, "an unknown escape");
	for (int i = 1; i <= 4; i++)
		if (s->end - s->at <= i || !is_hex(s->at[i]))
			return bad(s, "an unknown escape");
	s->at += 5;
	return 0;
}

static int string(struct scan *s)
{
	const char *from = s->at++;

	for (;;) {
		unsigned char c;
		size_t count;

		if (s->at == s->end)
			return bad(s, "an open string");
		c = (unsigned char)*s->at;
		if (c == '"')
			break;
		if (c < 0x20)
			return bad(s, "a control character inside a string");
		if (c == '\\') {
			if (escape(s) < 0)
				return -1;
			continue;
		}
		count = c < 0x80 ? 1 : node_utf8_at(s->at, s->end);
		if (!count)
			return bad(s, "a byte that is not UTF-8");
		s->at += count;
	}
	s->at++;
	return rv_buf_put(s->out, from, (size_t)(s->at - from));
}

static int digits(struct scan *s)
{
	if (s->at == s->end || !is_digit(*s->at))
		return bad(s, "a number without a digit");
	while (s->at < s->end && is_digit(*s->at))
		s->at++;
	return 0;
}

static int number(struct scan *s)
{
	const char *from = s->at;

	if (*s->at == '-')
		s->at++;
	if (s->at < s->end && *s->at == '0')
		s->at++;
	else if (digits(s) < 0)
		return -1;
	if (s->at < s->end && *s->at == '.') {
		s->at++;
		if (digits(s) < 0)
			return -1;
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		s->at++;
		if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
			s->at++;
		if (digits(s) < 0)
			return -1;
	}
	return rv_buf_put(s->out, from, (size_t)(s->at - from));
}

static int word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(s->end - s->at) < n || memcmp(s->at, w, n) != 0)
		return bad(s, "something that is no JSON value");
	s->at += n;
	return rv_buf_put(s->out, w, n);
}

static int value(struct scan *s);

/* The rest of an object or array behind its bracket. */
static int members(struct scan *s, char close)
{
	bool first = true;

	rv_buf_putc(s->out, *s->at++);
	if (++s->depth > NODE_JSON_DEPTH_MAX)
		return bad(s, "too many levels");
	for (;; first = false) {
		skip_blanks(s);
		if (s->at == s->end)
			return bad(s, "an end inside brackets");
		if (*s->at == close && first)
			break;
		if (!first) {
			if (*s->at == close)
				break;
			if (*s->at != ',')
				return bad(s, "no comma between two values");
			rv_buf_putc(s->out, *s->at++);
			skip_blanks(s);
		}
		if (close == '}') {
			if (s->at == s->end || *s->at != '"')
				return bad(s, "a key that is no string");
			if (string(s) < 0)
				return -1;
			skip_blanks(s);
			if (s->at == s->end || *s->at != ':')
				return bad(s, "no colon behind a key");
			rv_buf_putc(s->out, *s->at++);
		}
		if (value(s) < 0)
			return -1;
	}
	s->depth--;
	return rv_buf_putc(s->out, *s->at++);
}

static int value(struct scan *s)
{
	skip_blanks(s);
	if (s->at == s->end)
		return bad(s, "an end where a value should be");
	switch (*s->at) {
	case '{':
		return members(s, '}');
	case '[':
		return members(s, ']');
	case '"':
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		if (*s->at == '-' || is_digit(*s->at))
			return number(s);
		return bad(s, "something that is no JSON value");
	}
}

int node_json_compact(struct rv_str text, struct rv_buf *out, struct rv_err *err)
{
	struct scan s = { .start = text.at, .at = text.at, .end = text.at + text.bytes, .out = out };
	size_t before = out->bytes;
	int rc = text.bytes ? value(&s) : bad(&s, "nothing");

	if (rc == 0) {
		skip_blanks(&s);
		if (s.at != s.end)
			rc = bad(&s, "something behind the value");
	}
	if (rc == 0 && !out->failed)
		return 0;
	if (out->failed)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a JSON text of %zu bytes", text.bytes);
	if (out->bytes > before) {
		out->bytes = before;
		out->at[before] = '\0';
	}
	return rv_fail(err, RV_E_CORRUPT, "not JSON: %s at byte %zu of %zu", s.what, (size_t)(s.at - s.start), text.bytes);
}

int node_text_clean(struct rv_str text, struct rv_buf *out)
{
	const char *at = text.at, *end = text.at + text.bytes, *from = at;

	while (at < end) {
		size_t count = *at ? node_utf8_at(at, end) : 0;

		if (count) {
			at += count;
			continue;
		}
		rv_buf_put(out, from, (size_t)(at - from));
		rv_buf_puts(out, *at ? "\xef\xbf\xbd" : "\xe2\x90\x80");
		from = ++at;
	}
	return rv_buf_put(out, from, (size_t)(at - from));
}
