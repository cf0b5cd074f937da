/* arena.c - memory that is given back all at once */
#include "arena.h"

#include "check.h"

#include <stdlib.h>

#define FIRST_CHUNK_BYTES ((size_t)4 << 10)
#define CHUNK_BYTES_MAX ((size_t)1 << 20)

struct rv_arena_chunk {
	struct rv_arena_chunk *next;
	size_t used;
	size_t room; /* of bytes[] */
	_Alignas(max_align_t) char bytes[];
};

void rv_arena_init(struct rv_arena *a, size_t limit_bytes)
{
	*a = (struct rv_arena){ .limit_bytes = limit_bytes };
}

void rv_arena_release(struct rv_arena *a)
{
	while (a->chunk) {
		struct rv_arena_chunk *next = a->chunk->next;

		free(a->chunk);
		a->chunk = next;
	}
	a->used_bytes = a->held_bytes = 0;
}

/* Where the next piece would begin in the chunk, padding included. */
static size_t aligned_at(const struct rv_arena_chunk *c, size_t align)
{
	uintptr_t at = (uintptr_t)(c->bytes + c->used);

	return c->used + (size_t)(-at & (align - 1));
}

/* Chunks come from calloc and are never used twice, so fresh memory is zero for free: for large tables the kernel
 * hands out zero pages as they are touched. */
static struct rv_arena_chunk *chunk_new(struct rv_arena *a, size_t room)
{
	size_t total = sizeof(struct rv_arena_chunk) + room;
	struct rv_arena_chunk *c;

	if (a->limit_bytes && (total > a->limit_bytes || a->held_bytes > a->limit_bytes - total))
		return NULL;
	c = calloc(1, total);
	if (!c)
		return NULL;
	c->room = room;
	a->held_bytes += total;
	return c;
}

static struct rv_arena_chunk *grow(struct rv_arena *a, size_t need)
{
	size_t usual = a->held_bytes;
	struct rv_arena_chunk *c = NULL;

	/* As much again as is held, so that a big arena has few chunks and a small one wastes little. */
	if (usual < FIRST_CHUNK_BYTES)
		usual = FIRST_CHUNK_BYTES;
	if (usual > CHUNK_BYTES_MAX)
		usual = CHUNK_BYTES_MAX;
	usual -= sizeof(struct rv_arena_chunk);
	if (need <= usual)
		c = chunk_new(a, usual);
	if (!c)
		c = chunk_new(a, need); /* too large for the usual one, or the limit is near */
	if (!c)
		return NULL;
	if (a->chunk && need > usual / 2 && a->chunk->room - a->chunk->used > c->room - need) {
		/* A chunk of its own for one large piece: the newest keeps serving the small ones. */
		c->next = a->chunk->next;
		a->chunk->next = c;
	} else {
		c->next = a->chunk;
		a->chunk = c;
	}
	return c;
}

void *rv_arena_alloc(struct rv_arena *a, size_t bytes, size_t align)
{
	struct rv_arena_chunk *c = a->chunk;
	size_t at = 0;

	rv_check(align != 0);
	rv_check((align & (align - 1)) == 0);
	if (c)
		at = aligned_at(c, align);
	if (!c || at > c->room || bytes > c->room - at) {
		if (bytes > SIZE_MAX / 2 || align > SIZE_MAX / 4)
			return NULL;
		c = grow(a, bytes + align - 1);
		if (!c)
			return NULL;
		at = aligned_at(c, align);
	}
	a->used_bytes += at + bytes - c->used;
	c->used = at + bytes;
	return c->bytes + at;
}

void *rv_arena_zalloc(struct rv_arena *a, size_t bytes, size_t align)
{
	return rv_arena_alloc(a, bytes, align); /* see chunk_new() */
}

char *rv_arena_copy(struct rv_arena *a, struct rv_str s)
{
	char *at = s.bytes < SIZE_MAX ? rv_arena_alloc(a, s.bytes + 1, 1) : NULL;

	if (!at)
		return NULL;
	if (s.bytes)
		memcpy(at, s.at, s.bytes);
	at[s.bytes] = '\0';
	return at;
}

struct rv_str rv_arena_str(struct rv_arena *a, struct rv_str s)
{
	char *at = rv_arena_copy(a, s);

	return (struct rv_str){ .at = at, .bytes = at ? s.bytes : 0 };
}
