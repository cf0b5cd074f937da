/* heap.h - a binary heap of handles with positions, in fixed memory: deadlines, queues
 *
 * Smallest (key, tie) first. `where[value]` holds each value's place, so removing or moving one is O(log n). Ties break
 * by `tie` (a sequence number), never by memory order.
 */
#ifndef RV_HEAP_H
#define RV_HEAP_H

#include "base.h"

struct rv_heap_item {
	uint64_t key;
	uint64_t tie;
	uint32_t value;
};

struct rv_heap {
	struct rv_heap_item *items;
	uint32_t *where; /* [value] -> place + 1, 0: not in */
	uint32_t count;
	uint32_t capacity; /* of items and of where */
};

/* `items` and `where` have room for `capacity`, `where` is zeroed (calloc, an arena); values are 0..capacity-1. */
void rv_heap_init(struct rv_heap *h, struct rv_heap_item *items, uint32_t *where, uint32_t capacity);
/* Adds the value, or moves it if it is in. */
void rv_heap_set(struct rv_heap *h, uint32_t value, uint64_t key, uint64_t tie);
void rv_heap_remove(struct rv_heap *h, uint32_t value); /* no-op if not in */
bool rv_heap_has(const struct rv_heap *h, uint32_t value);
/* The first item, NULL if empty; borrowed until the next change. */
const struct rv_heap_item *rv_heap_first(const struct rv_heap *h);

typedef bool rv_heap_fits_fn(const void *arg, uint32_t value);

/* Does `a` come before `b`? Both are in. */
bool rv_heap_before(const struct rv_heap *h, uint32_t a, uint32_t b);

/* The smallest item of a key below `below` that `fits` says yes to, NULL if there is none. Asks about no more items than come before
 * the one found, and their children: cheap where one near the top fits, or where most keys are not below. */
const struct rv_heap_item *rv_heap_least(const struct rv_heap *h, uint64_t below, rv_heap_fits_fn *fits, const void *arg);

#endif
