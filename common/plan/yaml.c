/* yaml.c - reads YAML into a tree by libfyaml's events
 *
 * Its document interface is quadratic in the keys of a map, so only events are used, and repeated keys are found here.
 * What a plan needs is YAML 1.2's core without surprises: no anchors, aliases, tags, merge keys or second documents;
 * `no`, `yes`, `on`, `off`, 007, .5 and .inf stay strings; numbers are those of JSON, 0x1f and 0o17.
 *
 * libfyaml keeps every token of a line until it knows that no key begins with it (one line of 11 MB took 1 GB), so
 * the structural characters of a line are counted first.
 */
#include "tree.h"

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MARKS_MAX 32768u /* of , : [ { in one line: about 16 MiB inside libfyaml */

struct reader {
	struct plan_builder build;
	struct plan_tree *tree;
	struct plan_fault *fault;
	uint32_t documents;
	size_t last; /* where the last thing with a place ended: an empty value has none of its own */
};

/* ---- before the parser: UTF-8, long lines ---- */

static size_t sequence_bytes(const unsigned char *at, size_t left)
{
	unsigned char c = at[0];
	size_t n, i;

	if (c < 0x80)
		return 1;
	n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc2 || c > 0xf4 || n > left)
		return 0;
	for (i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f) || (c == 0xf0 && at[1] < 0x90) ||
	    (c == 0xf4 && at[1] > 0x8f))
		return 0;
	return n;
}

int plan_utf8_check(struct rv_str source, struct plan_fault *fault)
{
	const unsigned char *at = (const unsigned char *)source.at;
	size_t i = 0, n;
	uint64_t word;

	if (source.bytes >= 2 && ((at[0] == 0xff && at[1] == 0xfe) || (at[0] == 0xfe && at[1] == 0xff)))
		return plan_fault_set(fault, PLAN_E_SYNTAX, 0, 1, "this file is UTF-16; a plan is UTF-8");
	while (i < source.bytes) {
		if (source.bytes - i >= 8) {
			memcpy(&word, at + i, 8);
			/* No byte above 0x7f and none that is 0: eight at once. */
			if (!((word | (word - 0x0101010101010101u)) & 0x8080808080808080u)) {
				i += 8;
				continue;
			}
		}
		if (!at[i])
			return plan_fault_set(fault, PLAN_E_SYNTAX, (uint32_t)i, 1, "a NUL byte; a plan is UTF-8 text");
		n = sequence_bytes(at + i, source.bytes - i);
		if (!n)
			return plan_fault_set(fault, PLAN_E_SYNTAX, (uint32_t)i, 1, "this byte is not UTF-8");
		i += n;
	}
	return 0;
}

static int check_lines(struct rv_str source, struct plan_fault *fault)
{
	uint32_t marks = 0;
	size_t i;

	for (i = 0; i < source.bytes; i++) {
		char c = source.at[i];

		if (c == '\n') {
			marks = 0;
		} else if ((c == ',' || c == ':' || c == '[' || c == '{') && ++marks > LINE_MARKS_MAX) {
			plan_fault_set(fault, PLAN_E_LIMIT, (uint32_t)i, 1,
				       "a line of YAML with more than %u of , : [ {", LINE_MARKS_MAX);
			snprintf(fault->hint, sizeof(fault->hint), "break the line, or give the plan as JSON");
			return -1;
		}
	}
	return 0;
}

/* ---- scalars ---- */

static const char *run(const char *at, const char *end, const char *set)
{
	while (at < end && strchr(set, *at) && *at)
		at++;
	return at;
}

/* JSON's number, with a leading + allowed; *real tells which kind. */
static bool is_number(struct rv_str s, bool *real)
{
	const char *at = s.at, *end = s.at + s.bytes, *from, *stop;

	*real = false;
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	from = at;
	at = run(at, end, "0123456789");
	if (at == from || (*from == '0' && at - from > 1))
		return false;
	if (at - from > 18)
		*real = true;
	if (at < end && *at == '.') {
		*real = true;
		stop = run(at + 1, end, "0123456789");
		if (stop == at + 1)
			return false;
		at = stop;
	}
	if (at < end && (*at | 32) == 'e') {
		*real = true;
		at++;
		if (at < end && (*at == '-' || *at == '+'))
			at++;
		stop = run(at, end, "0123456789");
		if (stop == at)
			return false;
		at = stop;
	}
	return at == end;
}

static bool is_based(struct rv_str s, int *base)
{
	const char *end = s.at + s.bytes;

	if (s.bytes < 3 || s.bytes > 17 || s.at[0] != '0' || (s.at[1] != 'x' && s.at[1] != 'o'))
		return false;
	*base = s.at[1] == 'x' ? 16 : 8;
	return run(s.at + 2, end, *base == 16 ? "0123456789abcdefABCDEF" : "01234567") == end;
}

static bool is_word(struct rv_str s, const char *const *words)
{
	for (; *words; words++) {
		if (rv_str_equal(s, rv_str_of(*words)))
			return true;
	}
	return false;
}

/* Sets kind and value of a plain scalar; strings keep their text. */
static void resolve_plain(struct plan_node *n, struct rv_str s)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	char digits[400];
	bool real;
	int base;

	if (is_word(s, nulls)) {
		n->kind = PLAN_NULL;
	} else if (is_word(s, trues) || is_word(s, falses)) {
		n->kind = PLAN_BOOL;
		n->integer = is_word(s, trues);
	} else if (s.bytes < sizeof(digits) && (is_number(s, &real) || is_based(s, &base))) {
		memcpy(digits, s.at, s.bytes);
		digits[s.bytes] = '\0';
		if (is_based(s, &base)) {
			n->kind = PLAN_INT;
			n->integer = (int64_t)(strtoull(digits + 2, NULL, base) & INT64_MAX);
		} else if (real) {
			n->kind = PLAN_REAL;
			n->real = strtod(digits, NULL);
		} else {
			n->kind = PLAN_INT;
			n->integer = strtoll(digits, NULL, 10);
		}
	}
}

static struct rv_str place_of(struct reader *r, struct fy_event *e, uint32_t *at)
{
	const struct fy_mark *from = fy_event_start_mark(e), *to = fy_event_end_mark(e);
	size_t bytes = r->tree->source.bytes;
	size_t a = from ? from->input_pos : r->last, z = to ? to->input_pos : a;

	if (a > bytes)
		a = bytes;
	if (z > bytes)
		z = bytes;
	*at = (uint32_t)a;
	if (z > r->last)
		r->last = z;
	return rv_str(r->tree->source.at + a, z > a ? z - a : 0);
}

static int refuse(struct reader *r, struct fy_event *e, const char *what)
{
	uint32_t at;
	struct rv_str place = place_of(r, e, &at);

	return plan_fault_set(r->fault, PLAN_E_SYNTAX, at, place.bytes ? (uint32_t)place.bytes : 1, "%s", what);
}

/* A property of a value, whose token begins behind its sign: & of an anchor, ! of a tag, * of an alias. */
static int refuse_token(struct reader *r, struct fy_event *e, struct fy_token *token, const char *what)
{
	const struct fy_mark *from = fy_token_start_mark(token), *to = fy_token_end_mark(token);
	size_t a, z;

	if (!from || !to || to->input_pos > r->tree->source.bytes || from->input_pos > to->input_pos)
		return refuse(r, e, what);
	a = from->input_pos;
	z = to->input_pos;
	while (a > 0 && strchr("&*!", r->tree->source.at[a - 1]))
		a--;
	return plan_fault_set(r->fault, PLAN_E_SYNTAX, (uint32_t)a, z > a ? (uint32_t)(z - a) : 1, "%s", what);
}

/* With its quotes, as JSON has it. */
static void include_quotes(const struct reader *r, struct plan_node *n)
{
	struct rv_str s = r->tree->source;
	size_t end = (size_t)n->at + n->span;

	if (n->at == 0 || (s.at[n->at - 1] != '"' && s.at[n->at - 1] != '\''))
		return;
	n->at--;
	n->span++;
	if (end < s.bytes && s.at[end] == s.at[n->at])
		n->span++;
}

static int read_scalar(struct reader *r, struct fy_event *e)
{
	bool key = plan_build_wants_key(&r->build);
	enum fy_scalar_style style = fy_token_scalar_style(e->scalar.value);
	struct plan_node *n;
	size_t bytes = 0;
	const char *text = fy_token_get_text(e->scalar.value, &bytes);
	struct rv_str s = rv_str(text ? text : "", text ? bytes : 0), place;
	uint32_t at;

	if (e->scalar.anchor)
		return refuse_token(r, e, e->scalar.anchor, "a plan has no anchors");
	if (e->scalar.tag)
		return refuse_token(r, e, e->scalar.tag, "a plan has no tags");
	if (key && style == FYSS_PLAIN && rv_str_equal(s, RV_STR("<<")))
		return refuse(r, e, "a plan has no merge keys");
	if (memchr(s.at, 0, s.bytes))
		return refuse(r, e, "a string cannot hold NUL");
	place = place_of(r, e, &at);
	n = plan_build_scalar(&r->build, PLAN_STRING, at, (uint32_t)place.bytes);
	if (!n)
		return -1;
	if (style == FYSS_LITERAL || style == FYSS_FOLDED)
		n->flags |= PLAN_NODE_BLOCK;
	if (!key && style == FYSS_PLAIN)
		resolve_plain(n, s);
	if (n->kind != PLAN_STRING)
		return 0;
	if (rv_str_equal(s, place)) {
		n->text.at = at;
	} else {
		n->flags |= PLAN_NODE_SIDE;
		n->text.at = (uint32_t)r->tree->side.bytes;
		if (rv_buf_put_str(&r->tree->side, s))
			return plan_fault_set(r->fault, PLAN_CODES, at, 1, "out of memory");
	}
	n->text.bytes = (uint32_t)s.bytes;
	if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
		include_quotes(r, n);
	return 0;
}

/* ---- structure ---- */

static int read_open(struct reader *r, struct fy_event *e, enum plan_kind kind, struct fy_token *anchor,
		     struct fy_token *tag)
{
	uint32_t at;

	if (anchor)
		return refuse_token(r, e, anchor, "a plan has no anchors");
	if (tag)
		return refuse_token(r, e, tag, "a plan has no tags");
	place_of(r, e, &at);
	if (plan_build_wants_key(&r->build)) {
		(void)refuse(r, e, "a key must be a scalar");
		if (kind == PLAN_MAP && at > 0 && r->tree->source.at[at - 1] == '{')
			(void)snprintf(r->fault->hint, sizeof r->fault->hint, "in quotes braces are text: \"{{item}}\"");
		return -1;
	}
	return plan_build_open(&r->build, kind, at);
}

static int read_close(struct reader *r, struct fy_event *e)
{
	uint32_t at;
	struct rv_str place = place_of(r, e, &at);

	return plan_build_close(&r->build, at + (uint32_t)place.bytes);
}

static int read_event(struct reader *r, struct fy_event *e)
{
	switch (e->type) {
	case FYET_DOCUMENT_START:
		if (r->documents++)
			return refuse(r, e, "a plan is one document");
		if (e->document_start.document_state &&
		    fy_document_state_tags_explicit(e->document_start.document_state))
			return refuse(r, e, "a plan has no tags");
		return 0;
	case FYET_SCALAR:
		return read_scalar(r, e);
	case FYET_ALIAS:
		return refuse_token(r, e, e->alias.anchor, "a plan has no aliases");
	case FYET_MAPPING_START:
		return read_open(r, e, PLAN_MAP, e->mapping_start.anchor, e->mapping_start.tag);
	case FYET_SEQUENCE_START:
		return read_open(r, e, PLAN_ARRAY, e->sequence_start.anchor, e->sequence_start.tag);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return read_close(r, e);
	default:
		return 0;
	}
}

/* Byte offset of a line and column (characters, both from 0) in the source. */
static uint32_t offset_of(struct rv_str source, int line, int column)
{
	const char *at = source.at, *end = at + source.bytes, *stop;

	for (; line > 0; line--) {
		stop = memchr(at, '\n', (size_t)(end - at));
		if (!stop)
			break;
		at = stop + 1;
	}
	for (; column > 0 && at < end && *at != '\n'; column--) {
		at++;
		while (at < end && (*at & 0xc0) == 0x80)
			at++;
	}
	return (uint32_t)(at - source.at);
}

/* What the parser says is about its grammar; what people do is a handful of things. */
static const struct {
	const char *says, *means, *hint;
} slips[] = {
	{ "indentation", "a tab is used as indentation", "use spaces: YAML allows no tabs there; `expand -i -t 2 FILE` prints it with spaces" },
	{ "invalid tab", "a tab is used as indentation", "use spaces: YAML allows no tabs there; `expand -i -t 2 FILE` prints it with spaces" },
	{ "expected '-' indicator", NULL, "what belongs to one entry of a list begins in the same column, the one behind its \"- \"" },
	{ "nested block mapping on the same line", NULL, "a text with \": \" in it stands in quotes: \"what: this\"" },
	{ "mismatched flow", NULL, "each [ needs its ], each { its }" },
	{ "without closing quote", NULL, "the quote that begins here is never closed" },
	{ "wrong indent", NULL, "keys of one map begin in the same column" },
};

static int parser_fault(struct reader *r, struct fy_diag *diag)
{
	struct fy_diag_error *first;
	void *walk = NULL;
	uint32_t at;

	first = fy_diag_errors_iterate(diag, &walk);
	if (!first || !first->msg)
		return plan_fault_set(r->fault, PLAN_E_SYNTAX, 0, 1, "this is not YAML");
	at = offset_of(r->tree->source, first->line - 1, first->column - 1); /* its lines and columns count from 1 */
	for (size_t i = 0; i < RV_ARRAY_LEN(slips); i++)
		if (strstr(first->msg, slips[i].says)) {
			(void)plan_fault_set(r->fault, PLAN_E_SYNTAX, at, 1, "%s", slips[i].means ? slips[i].means : first->msg);
			(void)snprintf(r->fault->hint, sizeof r->fault->hint, "%s", slips[i].hint);
			return -1;
		}
	return plan_fault_set(r->fault, PLAN_E_SYNTAX, at, 1, "%s", first->msg);
}

int plan_yaml_read(struct plan_tree *t, struct rv_str source, struct plan_fault *fault)
{
	struct reader r = { .build = { .tree = t, .fault = fault }, .tree = t, .fault = fault };
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg cfg = { .flags = FYPCF_QUIET | FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2 };
	struct fy_diag *diag;
	struct fy_parser *parser = NULL;
	struct fy_event *e;
	int rc = -1;

	t->source = source;
	if (check_lines(source, fault))
		return -1;
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag = fy_diag_create(&diag_cfg);
	if (diag) {
		fy_diag_set_collect_errors(diag, true);
		cfg.diag = diag;
		parser = fy_parser_create(&cfg);
	}
	if (!parser || fy_parser_set_string(parser, source.at, source.bytes)) {
		plan_fault_set(fault, PLAN_CODES, 0, 1, "out of memory");
		goto out;
	}
	rc = 0;
	while (rc == 0 && (e = fy_parser_parse(parser))) {
		rc = read_event(&r, e);
		fy_parser_event_free(parser, e);
	}
	if (rc == 0 && fy_parser_get_stream_error(parser))
		rc = parser_fault(&r, diag);
	if (rc == 0 && !t->count) {
		rc = plan_fault_set(fault, PLAN_E_SYNTAX, 0, 1, "this file is empty");
		(void)snprintf(fault->hint, sizeof fault->hint, "`reeve init --file -` shows a plan to begin with");
	}
out:
	if (parser)
		fy_parser_destroy(parser);
	if (diag)
		fy_diag_destroy(diag);
	return rc;
}
