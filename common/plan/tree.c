/* tree.c - a document as a flat array of values with their places */
#include "tree.h"

#include "common/check.h"
#include "common/map.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_NODES 64u
#define PAIRS_COMPARED 12u /* repeated keys of smaller maps are found by comparing each with each */

void plan_tree_init(struct plan_tree *t, uint64_t seed)
{
	*t = (struct plan_tree){ .seed = seed };
	rv_buf_init(&t->side, (size_t)UINT32_MAX);
}

void plan_tree_release(struct plan_tree *t)
{
	free(t->nodes);
	rv_buf_release(&t->side);
	*t = (struct plan_tree){ 0 };
}

void plan_tree_reset(struct plan_tree *t)
{
	t->count = 0;
	t->source = (struct rv_str){ 0 };
	rv_buf_reset(&t->side);
}

int plan_fault_set(struct plan_fault *f, enum plan_code code, uint32_t at, uint32_t span, const char *fmt, ...)
{
	va_list ap;

	*f = (struct plan_fault){ .code = code, .at = at, .span = span };
	va_start(ap, fmt);
	vsnprintf(f->message, sizeof(f->message), fmt, ap);
	va_end(ap);
	return -1;
}

static int out_of_memory(struct plan_builder *b, uint32_t at)
{
	return plan_fault_set(b->fault, PLAN_CODES, at, 1, "out of memory");
}

/* ---- building ---- */

static struct plan_node *add(struct plan_builder *b, enum plan_kind kind, uint32_t at, uint32_t span)
{
	struct plan_tree *t = b->tree;
	struct plan_node *n;

	if (t->count >= RV_PLAN_VALUES_MAX) {
		plan_fault_set(b->fault, PLAN_E_LIMIT, at, 1, "more than %u values in one file",
			       RV_PLAN_VALUES_MAX);
		snprintf(b->fault->hint, sizeof(b->fault->hint),
			 "give more units as JSON lines: `-` in place of the file, a unit a line");
		return NULL;
	}
	if (t->count == t->capacity) {
		uint32_t capacity = t->capacity ? t->capacity + t->capacity / 2 : FIRST_NODES;
		struct plan_node *nodes = realloc(t->nodes, (size_t)capacity * sizeof(*nodes));

		if (!nodes) {
			out_of_memory(b, at);
			return NULL;
		}
		t->nodes = nodes;
		t->capacity = capacity;
	}
	if (b->depth)
		b->parts[b->depth - 1]++;
	n = &t->nodes[t->count++];
	*n = (struct plan_node){ .at = at, .span = span, .next = t->count, .kind = (uint8_t)kind };
	return n;
}

struct plan_node *plan_build_scalar(struct plan_builder *b, enum plan_kind kind, uint32_t at, uint32_t span)
{
	return add(b, kind, at, span);
}

int plan_build_open(struct plan_builder *b, enum plan_kind kind, uint32_t at)
{
	uint32_t n = b->tree->count;

	if (b->depth == RV_PLAN_DEPTH_MAX)
		return plan_fault_set(b->fault, PLAN_E_LIMIT, at, 1, "values are nested deeper than %u",
				      RV_PLAN_DEPTH_MAX);
	if (!add(b, kind, at, 1))
		return -1;
	b->open[b->depth] = n;
	b->parts[b->depth] = 0;
	b->depth++;
	return 0;
}

bool plan_build_wants_key(const struct plan_builder *b)
{
	uint32_t top = b->depth - 1;

	return b->depth && b->tree->nodes[b->open[top]].kind == PLAN_MAP && b->parts[top] % 2 == 0;
}

static int repeated(struct plan_builder *b, uint32_t key)
{
	struct plan_tree *t = b->tree;
	struct rv_str text = plan_node_text(t, key);

	return plan_fault_set(b->fault, PLAN_E_SYNTAX, t->nodes[key].at, t->nodes[key].span,
			      "key \"%.*s\" stands twice in one map", text.bytes > 64 ? 64 : (int)text.bytes,
			      text.at);
}

static int check_keys_few(struct plan_builder *b, uint32_t map)
{
	struct plan_tree *t = b->tree;
	uint32_t a, c;

	for (a = plan_first(map); a < plan_end(t, map); a = plan_next(t, a + 1)) {
		for (c = plan_first(map); c < a; c = plan_next(t, c + 1)) {
			if (rv_str_equal(plan_node_text(t, a), plan_node_text(t, c)))
				return repeated(b, a);
		}
	}
	return 0;
}

static int check_keys_many(struct plan_builder *b, uint32_t map)
{
	struct plan_tree *t = b->tree;
	struct rv_strmap seen;
	uint32_t a, had;
	int rc = 0;

	rv_strmap_init(&seen, t->seed);
	for (a = plan_first(map); rc == 0 && a < plan_end(t, map); a = plan_next(t, a + 1)) {
		had = rv_strmap_add(&seen, plan_node_text(t, a), a);
		if (had == RV_MAP_NONE)
			rc = out_of_memory(b, t->nodes[map].at);
		else if (had != a)
			rc = repeated(b, a);
	}
	rv_strmap_release(&seen);
	return rc;
}

int plan_build_close(struct plan_builder *b, uint32_t end)
{
	struct plan_tree *t = b->tree;
	uint32_t n;
	struct plan_node *v;

	rv_check(b->depth > 0);
	b->depth--;
	n = b->open[b->depth];
	v = &t->nodes[n];
	v->next = t->count;
	v->span = end > v->at ? end - v->at : 1;
	v->count = b->parts[b->depth];
	if (v->kind != PLAN_MAP)
		return 0;
	v->count /= 2;
	return v->count <= PAIRS_COMPARED ? check_keys_few(b, n) : check_keys_many(b, n);
}

/* ---- asking ---- */

const char *plan_kind_name(enum plan_kind kind)
{
	static const char *const name[] = {
		[PLAN_NULL] = "null",       [PLAN_BOOL] = "true or false", [PLAN_INT] = "a whole number",
		[PLAN_REAL] = "a number",   [PLAN_STRING] = "a string",    [PLAN_ARRAY] = "an array",
		[PLAN_MAP] = "a map",
	};

	return name[kind];
}

uint32_t plan_map_get(const struct plan_tree *t, uint32_t map, struct rv_str key)
{
	uint32_t k;

	for (k = plan_first(map); k < plan_end(t, map); k = plan_next(t, k + 1)) {
		if (rv_str_equal(plan_node_text(t, k), key))
			return k + 1;
	}
	return UINT32_MAX;
}

/* Numbers keep the digits they were written with where JSON allows these, so that 1.10 stays 1.10 and no number of 64
 * bits loses its last digits. */
static int put_number(const struct plan_tree *t, uint32_t n, struct rv_buf *out)
{
	struct rv_str s = plan_node_source(t, n);
	const struct plan_node *v = plan_node(t, n);

	if (v->kind == PLAN_INT && s.bytes > 1 && (s.at[0] == '+' || (s.at[1] | 32) == 'x' || (s.at[1] | 32) == 'o'))
		return rv_buf_printf(out, "%lld", (long long)v->integer);
	if (s.at[0] == '+')
		s = rv_str(s.at + 1, s.bytes - 1);
	return rv_buf_put_str(out, s);
}

static int put_scalar(const struct plan_tree *t, uint32_t n, struct rv_buf *out)
{
	const struct plan_node *v = plan_node(t, n);

	switch ((enum plan_kind)v->kind) {
	case PLAN_NULL:
		return rv_buf_puts(out, "null");
	case PLAN_BOOL:
		return rv_buf_puts(out, v->integer ? "true" : "false");
	case PLAN_INT:
	case PLAN_REAL:
		return put_number(t, n, out);
	case PLAN_STRING:
		return rv_buf_put_json(out, plan_node_text(t, n));
	case PLAN_ARRAY:
	case PLAN_MAP:
		break;
	}
	rv_check(!"a scalar");
	return -1;
}

int plan_node_json(const struct plan_tree *t, uint32_t n, struct rv_buf *out)
{
	const struct plan_node *v = plan_node(t, n);
	uint32_t c;

	if (v->kind < PLAN_ARRAY)
		return put_scalar(t, n, out);
	rv_buf_putc(out, v->kind == PLAN_MAP ? '{' : '[');
	for (c = plan_first(n); c < plan_end(t, n); c = plan_next(t, c)) {
		if (c > plan_first(n))
			rv_buf_putc(out, ',');
		if (v->kind == PLAN_MAP) {
			rv_buf_put_json(out, plan_node_text(t, c));
			rv_buf_putc(out, ':');
			c++;
		}
		plan_node_json(t, c, out); /* depth is bounded by RV_PLAN_DEPTH_MAX */
	}
	return rv_buf_putc(out, v->kind == PLAN_MAP ? '}' : ']');
}

int plan_node_path(const struct plan_tree *t, uint32_t n, struct rv_buf *out)
{
	uint32_t at = 0, c, i;
	size_t start = out->bytes;

	while (at != n) {
		bool map = t->nodes[at].kind == PLAN_MAP;

		if (t->nodes[at].kind < PLAN_ARRAY)
			break;
		for (c = plan_first(at), i = 0; c < plan_end(t, at); c = plan_next(t, c), i++) {
			uint32_t value = map ? c + 1 : c;

			if (n < plan_next(t, value)) {
				if (map && out->bytes > start)
					rv_buf_putc(out, '.');
				if (map)
					rv_buf_put_str(out, plan_node_text(t, c));
				else
					rv_buf_printf(out, "[%u]", i);
				if (n == c)
					return out->failed ? -1 : 0;
				at = value;
				break;
			}
			c = value;
		}
		if (c >= plan_end(t, at) && at != n && n >= plan_end(t, at))
			break;
	}
	return out->failed ? -1 : 0;
}
