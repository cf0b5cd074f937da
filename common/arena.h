/* arena.h - memory that is given back all at once
 *
 * Chunks of growing size; what is allocated stays where it is until the arena is released. Used for plans and for
 * the tables of a run, built outside the cores' steps. NULL when memory or `limit` runs out.
 */
#ifndef RV_ARENA_H
#define RV_ARENA_H

#include "base.h"

struct rv_arena_chunk;

struct rv_arena {
	struct rv_arena_chunk *chunk; /* newest first */
	size_t used_bytes;            /* handed out, padding included */
	size_t held_bytes;            /* taken from malloc */
	size_t limit_bytes;           /* of held_bytes; 0 = none */
};

void rv_arena_init(struct rv_arena *a, size_t limit_bytes);
void rv_arena_release(struct rv_arena *a);

/* Uninitialised; `align` a power of two. */
void *rv_arena_alloc(struct rv_arena *a, size_t bytes, size_t align);
void *rv_arena_zalloc(struct rv_arena *a, size_t bytes, size_t align);
/* A NUL-terminated copy. */
char *rv_arena_copy(struct rv_arena *a, struct rv_str s);
/* The same as a slice; on failure .at is NULL. */
struct rv_str rv_arena_str(struct rv_arena *a, struct rv_str s);

/* Array of n zeroed T; NULL also when n * sizeof(T) overflows. */
#define RV_ARENA_ARRAY(a, T, n)                                                                    \
	((T *)((size_t)(n) > SIZE_MAX / sizeof(T)                                                  \
		       ? NULL                                                                      \
		       : rv_arena_zalloc((a), (size_t)(n) * sizeof(T), _Alignof(T))))

#endif
