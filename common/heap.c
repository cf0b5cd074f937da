/* heap.c - a binary heap of handles with positions */
#include "heap.h"

#include "check.h"

void rv_heap_init(struct rv_heap *h, struct rv_heap_item *items, uint32_t *where, uint32_t capacity)
{
	*h = (struct rv_heap){ .items = items, .where = where, .capacity = capacity };
}

static bool before(const struct rv_heap_item *a, const struct rv_heap_item *b)
{
	if (a->key != b->key)
		return a->key < b->key;
	if (a->tie != b->tie)
		return a->tie < b->tie;
	return a->value < b->value;
}

static void place(struct rv_heap *h, uint32_t at, struct rv_heap_item item)
{
	h->items[at] = item;
	h->where[item.value] = at + 1;
}

static void rise(struct rv_heap *h, uint32_t at, struct rv_heap_item item)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / 2;

		if (!before(&item, &h->items[parent]))
			break;
		place(h, at, h->items[parent]);
		at = parent;
	}
	place(h, at, item);
}

static void sink(struct rv_heap *h, uint32_t at, struct rv_heap_item item)
{
	for (;;) {
		uint64_t child = 2 * (uint64_t)at + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && before(&h->items[child + 1], &h->items[child]))
			child++;
		if (!before(&h->items[child], &item))
			break;
		place(h, at, h->items[child]);
		at = (uint32_t)child;
	}
	place(h, at, item);
}

/* Puts the item at a place whose old content is gone, then where it belongs. */
static void settle(struct rv_heap *h, uint32_t at, struct rv_heap_item item)
{
	if (at > 0 && before(&item, &h->items[(at - 1) / 2]))
		rise(h, at, item);
	else
		sink(h, at, item);
}

void rv_heap_set(struct rv_heap *h, uint32_t value, uint64_t key, uint64_t tie)
{
	struct rv_heap_item item = { .key = key, .tie = tie, .value = value };

	rv_check(value < h->capacity);
	if (h->count == 1 && h->where[value])
		h->items[0] = item; /* many a heap is a queue of one */
	else if (!h->where[value])
		rise(h, h->count++, item);
	else
		settle(h, h->where[value] - 1, item);
}

void rv_heap_remove(struct rv_heap *h, uint32_t value)
{
	uint32_t at;

	rv_check(value < h->capacity);
	if (!h->where[value])
		return;
	at = h->where[value] - 1;
	h->where[value] = 0;
	h->count--;
	if (at != h->count)
		settle(h, at, h->items[h->count]);
}

bool rv_heap_has(const struct rv_heap *h, uint32_t value)
{
	return value < h->capacity && h->where[value];
}

const struct rv_heap_item *rv_heap_first(const struct rv_heap *h)
{
	return h->count ? &h->items[0] : NULL;
}

bool rv_heap_before(const struct rv_heap *h, uint32_t a, uint32_t b)
{
	rv_check(rv_heap_has(h, a));
	rv_check(rv_heap_has(h, b));
	return before(&h->items[h->where[a] - 1], &h->items[h->where[b] - 1]);
}

/* Depth first, leaving out what lies under a key that is too great: at most one sibling a level waits on the stack. */
const struct rv_heap_item *rv_heap_least(const struct rv_heap *h, uint64_t below, rv_heap_fits_fn *fits, const void *arg)
{
	const struct rv_heap_item *best = NULL;
	uint64_t stack[64];
	uint32_t depth = 0;

	stack[depth++] = 0;
	while (depth) {
		uint64_t at = stack[--depth];
		const struct rv_heap_item *item;

		if (at >= h->count)
			continue;
		item = &h->items[at];
		if (item->key >= below || (best && !before(item, best)))
			continue;
		if (fits(arg, item->value)) {
			best = item;
			continue; /* what lies under it is no smaller */
		}
		rv_check(depth + 2 <= RV_ARRAY_LEN(stack));
		stack[depth++] = 2 * at + 2;
		stack[depth++] = 2 * at + 1;
	}
	return best;
}
