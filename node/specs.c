#include "node/specs.h"

#include "common/map.h"

#include <stdlib.h>

void node_specs_init(struct node_specs *s)
{
	memset(s, 0, sizeof(*s));
}

static void item_destroy(struct node_spec *n)
{
	if (!n)
		return;
	rv_buf_release(&n->argv);
	rv_buf_release(&n->env);
	rv_buf_release(&n->collect);
	rv_arena_release(&n->arena);
	free(n);
}

void node_specs_release(struct node_specs *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		item_destroy(s->item[i]);
	memset(s, 0, sizeof(*s));
}

void node_specs_new_frame(struct node_specs *s)
{
	s->last_at = rv_str(NULL, 0);
}

static bool has_brace(struct rv_str s)
{
	return s.bytes && memchr(s.at, '{', s.bytes);
}

static int put_z(struct rv_buf *out, struct rv_str s)
{
	rv_buf_put_str(out, s);
	return rv_buf_putc(out, '\0');
}

/* What needs no filling is made now. */
static int prepare_texts(struct node_spec *n)
{
	const struct proto_spec *s = &n->spec;
	bool keys = s->flags & PROTO_SPEC_TEMPLATED;

	n->argv_fixed = n->env_fixed = true;
	for (uint32_t i = 0; i < s->argc; i++)
		n->argv_fixed = n->argv_fixed && !has_brace(s->argv[i]);
	for (uint32_t i = 0; i < s->env_count; i++)
		n->env_fixed = n->env_fixed && !(keys && has_brace(s->env[i].value));
	for (uint32_t i = 0; n->argv_fixed && i < s->argc; i++, n->argv_count++)
		put_z(&n->argv, s->argv[i]);
	for (uint32_t i = 0; n->env_fixed && i < s->env_count; i++, n->env_count++) {
		rv_buf_put_str(&n->env, s->env[i].key);
		rv_buf_putc(&n->env, '=');
		put_z(&n->env, s->env[i].value);
	}
	return n->argv.failed || n->env.failed ? -1 : 0;
}

static struct node_spec *item_create(struct rv_str bytes, uint64_t hash, struct rv_err *err)
{
	struct node_spec *n = calloc(1, sizeof(*n));

	if (!n)
		goto no_memory;
	rv_arena_init(&n->arena, 0);
	rv_buf_init(&n->argv, 0);
	rv_buf_init(&n->env, 0);
	rv_buf_init(&n->collect, 0);
	n->hash = hash;
	n->bytes = rv_arena_str(&n->arena, bytes);
	if (!n->bytes.at)
		goto no_memory;
	if (proto_spec_decode(n->bytes, &n->arena, &n->spec, err) < 0) {
		item_destroy(n);
		return NULL;
	}
	if (prepare_texts(n) == 0)
		return n;
no_memory:
	item_destroy(n);
	(void)rv_fail(err, RV_E_NO_MEMORY, "no memory for a spec of %zu bytes", bytes.bytes);
	return NULL;
}

static struct node_spec *find(struct node_specs *s, struct rv_str bytes, uint64_t hash)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->item[i]->hash == hash && rv_str_equal(s->item[i]->bytes, bytes))
			return s->item[i];
	return NULL;
}

/* The place for a new one: a free one, else that of the least recently used. */
static uint32_t place(struct node_specs *s)
{
	uint32_t oldest = 0;

	if (s->count < NODE_SPECS_KEPT)
		return s->count++;
	for (uint32_t i = 1; i < s->count; i++)
		if (s->item[i]->used < s->item[oldest]->used)
			oldest = i;
	item_destroy(s->item[oldest]);
	return oldest;
}

struct node_spec *node_specs_get(struct node_specs *s, struct rv_str bytes, struct rv_err *err)
{
	struct node_spec *n;
	uint64_t hash;

	if (bytes.at == s->last_at.at && bytes.bytes == s->last_at.bytes && s->last_at.at)
		return s->last;
	hash = rv_hash(0, bytes);
	n = find(s, bytes, hash);
	if (!n) {
		n = item_create(bytes, hash, err);
		if (!n)
			return NULL;
		s->item[place(s)] = n;
	}
	n->used = ++s->clock;
	s->last_at = bytes;
	s->last = n;
	return n;
}
