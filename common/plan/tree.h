/* tree.h - a document as a flat array of values with their places
 *
 * JSON and YAML are both read into this: 24 bytes a value, in the order of the file, a container before its contents.
 * Each node knows where it stands in the source, so that every error can point. Keys of maps are STRING nodes, each
 * followed by its value. Strings without escapes are slices of the source, others of `side`.
 *
 *     {"a": [1, 2]}    MAP(count 1, next 5)  STRING a  ARRAY(count 2, next 5)  INT 1  INT 2
 *
 * Ownership: the tree borrows its source, owns the rest.
 */
#ifndef PLAN_TREE_H
#define PLAN_TREE_H

#include "common/base.h"
#include "common/buf.h"
#include "common/limits.h"
#include "diag.h"

enum plan_kind { PLAN_NULL, PLAN_BOOL, PLAN_INT, PLAN_REAL, PLAN_STRING, PLAN_ARRAY, PLAN_MAP };

#define PLAN_NODE_SIDE 1u  /* a string: its text lies in `side` */
#define PLAN_NODE_BLOCK 2u /* a YAML block scalar: its place is its first line only */

struct plan_node {
	uint32_t at;   /* first byte in the source */
	uint32_t span; /* bytes there */
	uint32_t next; /* node after it and all its contents */
	uint8_t kind;
	uint8_t flags;
	union {
		int64_t integer; /* BOOL, INT */
		double real;
		struct {
			uint32_t at, bytes;
		} text;
		uint32_t count;  /* elements of an ARRAY, pairs of a MAP */
	};
};

struct plan_tree {
	struct rv_str source; /* source.at[source.bytes] is 0 */
	struct plan_node *nodes;
	uint32_t count, capacity;
	struct rv_buf side;
	uint64_t seed; /* of the tables that find repeated keys */
};

/* Why a document cannot be read: the first fault only. */
struct plan_fault {
	enum plan_code code; /* E_SYNTAX, E_LIMIT; PLAN_CODES: out of memory */
	uint32_t at, span;
	char message[256];
	char hint[200];
};

void plan_tree_init(struct plan_tree *t, uint64_t seed);
void plan_tree_release(struct plan_tree *t);
/* Empties it, keeps the memory. */
void plan_tree_reset(struct plan_tree *t);

/* Both read `source` (NUL-terminated one past its bytes, borrowed until release) into an empty tree; node 0 is the
 * document's value. -1: `fault` says why. Limits: RV_PLAN_DEPTH_MAX, RV_PLAN_VALUES_MAX. */
int plan_json_read(struct plan_tree *t, struct rv_str source, struct plan_fault *fault);
int plan_yaml_read(struct plan_tree *t, struct rv_str source, struct plan_fault *fault);

/* UTF-8 without NUL: -1 with the place of the first byte that is not. */
int plan_utf8_check(struct rv_str source, struct plan_fault *fault);

/* --- for the readers: a document is built by scalars, opens and closes in order --- */

struct plan_builder {
	struct plan_tree *tree;
	struct plan_fault *fault;
	uint32_t depth;
	uint32_t open[RV_PLAN_DEPTH_MAX]; /* containers not closed yet */
	uint32_t parts[RV_PLAN_DEPTH_MAX];  /* nodes seen in each: keys count */
};

/* NULL: no room (fault set). Valid until the next one is added. */
struct plan_node *plan_build_scalar(struct plan_builder *b, enum plan_kind kind, uint32_t at, uint32_t span);
int plan_build_open(struct plan_builder *b, enum plan_kind kind, uint32_t at);
/* Ends the innermost container at source byte `end`; refuses repeated keys. */
int plan_build_close(struct plan_builder *b, uint32_t end);
/* Is the next node of the innermost container a key? */
bool plan_build_wants_key(const struct plan_builder *b);
int plan_fault_set(struct plan_fault *f, enum plan_code code, uint32_t at, uint32_t span, const char *fmt, ...)
	RV_PRINTF(5, 6);

/* --- asking --- */

static inline const struct plan_node *plan_node(const struct plan_tree *t, uint32_t n)
{
	return &t->nodes[n];
}

static inline struct rv_str plan_node_text(const struct plan_tree *t, uint32_t n)
{
	const struct plan_node *v = &t->nodes[n];
	const char *base = v->flags & PLAN_NODE_SIDE ? t->side.at : t->source.at;

	return rv_str(base + v->text.at, v->text.bytes);
}

/* The source bytes of a scalar. */
static inline struct rv_str plan_node_source(const struct plan_tree *t, uint32_t n)
{
	return rv_str(t->source.at + t->nodes[n].at, t->nodes[n].span);
}

/* Walking: for (v = plan_first(n); v < plan_end(t, n); v = plan_next(t, v)); in a map a key, then its value. */
static inline uint32_t plan_first(uint32_t n)
{
	return n + 1;
}

static inline uint32_t plan_next(const struct plan_tree *t, uint32_t n)
{
	return t->nodes[n].next;
}

static inline uint32_t plan_end(const struct plan_tree *t, uint32_t n)
{
	return t->nodes[n].next;
}

const char *plan_kind_name(enum plan_kind kind); /* "a whole number", "an array", ... */

/* The value of a key of a map; UINT32_MAX: none. */
uint32_t plan_map_get(const struct plan_tree *t, uint32_t map, struct rv_str key);

/* Appends the value as compact JSON. */
int plan_node_json(const struct plan_tree *t, uint32_t n, struct rv_buf *out);

/* Appends where the node stands from the root: units[3].retry.max. */
int plan_node_path(const struct plan_tree *t, uint32_t n, struct rv_buf *out);

#endif
