/* json.c - reads JSON (RFC 8259) into a tree
 *
 * Written here rather than taken from jansson because a plan's errors have to point: every value keeps its place, a
 * value costs 24 bytes instead of some hundred, and one pass finds syntax, repeated keys and limits. A test compares it
 * with jansson over mutated documents. U+0000 and lone surrogates are refused, since no argument, path or variable can
 * hold them.
 */
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>

struct reader {
	struct plan_builder build;
	struct plan_tree *tree;
	struct plan_fault *fault;
	const char *start, *at, *end;
};

static uint32_t offset(const struct reader *r, const char *at)
{
	return (uint32_t)(at - r->start);
}

static int syntax(struct reader *r, const char *at, const char *what)
{
	if (at >= r->end)
		return plan_fault_set(r->fault, PLAN_E_SYNTAX, offset(r, at), 1, "the file ends where %s", what);
	return plan_fault_set(r->fault, PLAN_E_SYNTAX, offset(r, at), 1, "%s", what);
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

/* ---- strings ---- */

static int hex4(const char *at, const char *end, uint32_t *out)
{
	uint32_t v = 0;
	int i;

	if (end - at < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)at[i];

		if (c >= '0' && c <= '9')
			v = v * 16 + (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + (uint32_t)((c | 32) - 'a' + 10);
		else
			return -1;
	}
	*out = v;
	return 0;
}

static void put_utf8(struct rv_buf *b, uint32_t c)
{
	if (c < 0x80) {
		rv_buf_putc(b, (char)c);
	} else if (c < 0x800) {
		rv_buf_putc(b, (char)(0xc0 | c >> 6));
		rv_buf_putc(b, (char)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		rv_buf_putc(b, (char)(0xe0 | c >> 12));
		rv_buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
		rv_buf_putc(b, (char)(0x80 | (c & 63)));
	} else {
		rv_buf_putc(b, (char)(0xf0 | c >> 18));
		rv_buf_putc(b, (char)(0x80 | (c >> 12 & 63)));
		rv_buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
		rv_buf_putc(b, (char)(0x80 | (c & 63)));
	}
}

/* r->at stands behind "\u"; a surrogate pair takes the following \uXXXX with it. */
static int unicode_escape(struct reader *r)
{
	uint32_t c, low;

	if (hex4(r->at, r->end, &c))
		return syntax(r, r->at, "\\u needs four hexadecimal digits");
	if (c == 0)
		return syntax(r, r->at, "a string cannot hold \\u0000");
	if (c >= 0xdc00 && c < 0xe000)
		return syntax(r, r->at, "half a surrogate pair");
	r->at += 4;
	if (c >= 0xd800 && c < 0xdc00) {
		if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u' || hex4(r->at + 2, r->end, &low) ||
		    low < 0xdc00 || low >= 0xe000)
			return syntax(r, r->at, "half a surrogate pair");
		r->at += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	put_utf8(&r->tree->side, c);
	return 0;
}

static int escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *known;

	r->at++;
	if (r->at >= r->end)
		return syntax(r, r->at, "a string is still open");
	if (*r->at == 'u') {
		r->at++;
		return unicode_escape(r);
	}
	known = strchr(from, *r->at);
	if (!known || !*r->at)
		return syntax(r, r->at - 1, "unknown escape in a string");
	rv_buf_putc(&r->tree->side, to[known - from]);
	r->at++;
	return 0;
}

static const char *plain_run(const char *at, const char *end)
{
	while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
		at++;
	return at;
}

static int read_string(struct reader *r)
{
	const char *open = r->at, *from = open + 1, *stop = plain_run(from, r->end);
	struct plan_node *n;
	size_t side = r->tree->side.bytes;

	r->at = stop;
	if (stop < r->end && *stop == '"') {
		r->at++;
		n = plan_build_scalar(&r->build, PLAN_STRING, offset(r, open), offset(r, r->at) - offset(r, open));
		if (!n)
			return -1;
		n->text.at = offset(r, from);
		n->text.bytes = (uint32_t)(stop - from);
		return 0;
	}
	for (;;) {
		rv_buf_put(&r->tree->side, from, (size_t)(stop - from));
		if (stop >= r->end)
			return syntax(r, stop, "a string is still open");
		if (*stop == '"')
			break;
		if ((unsigned char)*stop < 0x20)
			return syntax(r, stop, "a line break or control character inside a string");
		if (escape(r))
			return -1;
		from = r->at;
		stop = r->at = plain_run(from, r->end);
	}
	r->at = stop + 1;
	n = plan_build_scalar(&r->build, PLAN_STRING, offset(r, open), offset(r, r->at) - offset(r, open));
	if (!n)
		return -1;
	n->flags = PLAN_NODE_SIDE;
	n->text.at = (uint32_t)side;
	n->text.bytes = (uint32_t)(r->tree->side.bytes - side);
	if (r->tree->side.failed)
		return plan_fault_set(r->fault, PLAN_CODES, 0, 1, "out of memory");
	return 0;
}

/* ---- numbers and words ---- */

static const char *digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

static int read_number(struct reader *r)
{
	const char *from = r->at, *at = from + (*from == '-'), *first = at;
	bool real = false;
	uint64_t magnitude = 0;
	struct plan_node *n;

	at = digits(first, r->end);
	if (at == first)
		return syntax(r, at, "a number needs a digit here");
	if (*first == '0' && at - first > 1)
		return syntax(r, first, "a number cannot start with 0");
	if (at < r->end && *at == '.') {
		real = true;
		if (digits(at + 1, r->end) == at + 1)
			return syntax(r, at + 1, "a number needs a digit behind its point");
		at = digits(at + 1, r->end);
	}
	if (at < r->end && (*at | 32) == 'e') {
		const char *exponent = at + 1;

		real = true;
		if (exponent < r->end && (*exponent == '+' || *exponent == '-'))
			exponent++;
		at = digits(exponent, r->end);
		if (at == exponent)
			return syntax(r, at, "a number needs a digit in its exponent");
	}
	if (!real && at - first > 18)
		real = true; /* the few integers of 19 digits that fit are not worth a case: no key takes them */
	n = plan_build_scalar(&r->build, real ? PLAN_REAL : PLAN_INT, offset(r, from), (uint32_t)(at - from));
	if (!n)
		return -1;
	if (real) {
		n->real = strtod(from, NULL);
	} else {
		for (; first < at; first++)
			magnitude = magnitude * 10 + (uint64_t)(*first - '0');
		n->integer = *from == '-' ? -(int64_t)magnitude : (int64_t)magnitude;
	}
	r->at = at;
	return 0;
}

static int read_word(struct reader *r)
{
	static const struct {
		struct rv_str word;
		enum plan_kind kind;
		int64_t value;
	} words[] = {
		{ RV_STR("true"), PLAN_BOOL, 1 },
		{ RV_STR("false"), PLAN_BOOL, 0 },
		{ RV_STR("null"), PLAN_NULL, 0 },
	};
	struct plan_node *n;
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(words); i++) {
		if ((size_t)(r->end - r->at) < words[i].word.bytes ||
		    memcmp(r->at, words[i].word.at, words[i].word.bytes) != 0)
			continue;
		n = plan_build_scalar(&r->build, words[i].kind, offset(r, r->at), (uint32_t)words[i].word.bytes);
		if (!n)
			return -1;
		n->integer = words[i].value;
		r->at += words[i].word.bytes;
		return 0;
	}
	return syntax(r, r->at, "a value is expected here");
}

/* ---- structure ---- */

static int read_scalar(struct reader *r)
{
	if (*r->at == '"')
		return read_string(r);
	if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
		return read_number(r);
	return read_word(r);
}

/* A key and its colon; r->at then stands before the value. */
static int read_key(struct reader *r)
{
	skip_blanks(r);
	if (r->at >= r->end || *r->at != '"')
		return syntax(r, r->at, "a key in double quotes is expected here");
	if (read_string(r))
		return -1;
	skip_blanks(r);
	if (r->at >= r->end || *r->at != ':')
		return syntax(r, r->at, "a colon is expected here");
	r->at++;
	return 0;
}

/* Behind a value: closes what ends here; 1 when another value follows, 0 at the end of the document. */
static int after_value(struct reader *r)
{
	for (;;) {
		char close;

		skip_blanks(r);
		if (!r->build.depth)
			return 0;
		close = r->tree->nodes[r->build.open[r->build.depth - 1]].kind == PLAN_MAP ? '}' : ']';
		if (r->at < r->end && *r->at == close) {
			r->at++;
			if (plan_build_close(&r->build, offset(r, r->at)))
				return -1;
			continue;
		}
		if (r->at >= r->end || *r->at != ',')
			return syntax(r, r->at, close == '}' ? "a comma or } is expected" : "a comma or ] is expected");
		r->at++;
		if (close == '}' && read_key(r))
			return -1;
		return 1;
	}
}

static int read_open(struct reader *r)
{
	bool map = *r->at == '{';

	if (plan_build_open(&r->build, map ? PLAN_MAP : PLAN_ARRAY, offset(r, r->at)))
		return -1;
	r->at++;
	skip_blanks(r);
	if (r->at < r->end && *r->at == (map ? '}' : ']'))
		return after_value(r);
	if (map && read_key(r))
		return -1;
	return 1;
}

int plan_json_read(struct plan_tree *t, struct rv_str source, struct plan_fault *fault)
{
	struct reader r = {
		.build = { .tree = t, .fault = fault },
		.tree = t,
		.fault = fault,
		.start = source.at,
		.at = source.at,
		.end = source.at + source.bytes,
	};
	int more;

	t->source = source;
	do {
		skip_blanks(&r);
		if (r.at >= r.end)
			return syntax(&r, r.at, "a value is expected");
		if (*r.at == '{' || *r.at == '[')
			more = read_open(&r);
		else
			more = read_scalar(&r) ? -1 : after_value(&r);
		if (more < 0)
			return -1;
	} while (more);
	if (r.at < r.end)
		return syntax(&r, r.at, "nothing may follow the document");
	return 0;
}
