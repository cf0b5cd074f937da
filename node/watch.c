#include "node/watch.h"

#include <stdlib.h>

void node_watches_release(struct node_watches *w)
{
	while (w->count)
		node_watch_end(w, w->items[w->count - 1]->warden_key);
	free(w->items);
	memset(w, 0, sizeof(*w));
}

void node_watch_begin(struct node_watches *w, uint64_t warden_key, struct proto_attempt_key key, enum transcript_format format, uint64_t idle_us)
{
	struct node_watch *one;

	if (w->count == w->capacity) {
		uint32_t capacity = w->capacity ? 2 * w->capacity : 16;
		struct node_watch **items = realloc(w->items, capacity * sizeof(*items));

		if (!items)
			return;
		w->items = items;
		w->capacity = capacity;
	}
	one = calloc(1, sizeof(*one));
	if (!one)
		return;
	one->warden_key = warden_key;
	one->key = key;
	one->idle_us = idle_us;
	one->told.cost_microusd = PROTO_COST_UNKNOWN;
	transcript_init(&one->transcript, format);
	w->items[w->count++] = one;
}

/* As many as agents run here at once: hundreds at most. */
static uint32_t find(const struct node_watches *w, uint64_t warden_key)
{
	uint32_t i;

	for (i = 0; i < w->count && w->items[i]->warden_key != warden_key; i++)
		;
	return i;
}

struct node_watch *node_watch_of(const struct node_watches *w, uint64_t warden_key)
{
	uint32_t i = find(w, warden_key);

	return i < w->count ? w->items[i] : NULL;
}

void node_watch_end(struct node_watches *w, uint64_t warden_key)
{
	uint32_t i = find(w, warden_key);

	if (i == w->count)
		return;
	transcript_release(&w->items[i]->transcript);
	free(w->items[i]);
	w->items[i] = w->items[--w->count];
}

static bool same(const struct proto_usage *a, const struct proto_usage *b)
{
	return a->input_tokens == b->input_tokens && a->output_tokens == b->output_tokens && a->cache_read_tokens == b->cache_read_tokens &&
	       a->cache_write_tokens == b->cache_write_tokens && a->cost_microusd == b->cost_microusd;
}

struct proto_usage node_watch_usage(const struct transcript *t)
{
	const struct transcript_usage *u = &t->usage;

	return (struct proto_usage){
		.input_tokens = rv_min_u64(u->input_tokens, PROTO_USAGE_MAX),
		.output_tokens = rv_min_u64(u->output_tokens, PROTO_USAGE_MAX),
		.cache_read_tokens = rv_min_u64(u->cache_read_tokens, PROTO_USAGE_MAX),
		.cache_write_tokens = rv_min_u64(u->cache_write_tokens, PROTO_USAGE_MAX),
		.cost_microusd = u->cost_microusd < 0 ? PROTO_COST_UNKNOWN : rv_min_u64((uint64_t)u->cost_microusd, PROTO_USAGE_MAX),
	};
}

/* To get on, even if trouble follows at once, begins it anew. */
static void look_whether_stuck(struct node_watch *w, uint64_t now_us)
{
	const struct transcript *t = &w->transcript;

	if (t->trouble.reason == TRANSCRIPT_OK)
		w->stuck_us = 0;
	else if (!w->stuck_us || t->steps != w->steps)
		w->stuck_us = now_us;
	w->steps = t->steps;
}

void node_watch_feed(struct node_watch *w, int stream, uint64_t offset, struct rv_str bytes, uint64_t now_us)
{
	uint64_t *next = &w->next[stream == 2];
	struct proto_usage now;

	w->gap |= offset != *next;
	*next = offset + bytes.bytes;
	if (w->gap)
		return;
	transcript_feed(&w->transcript, stream == 2 ? TRANSCRIPT_STDERR : TRANSCRIPT_STDOUT, bytes);
	look_whether_stuck(w, now_us);
	now = node_watch_usage(&w->transcript);
	w->changed = !same(&now, &w->told) && !proto_usage_is_nothing(&now);
}

void node_watch_freeze(struct node_watch *w, bool frozen, uint64_t now_us)
{
	w->frozen = frozen;
	if (!frozen && w->stuck_us)
		w->stuck_us = now_us;
}

static uint64_t stuck_until(const struct node_watch *w)
{
	return w->idle_us && w->stuck_us && !w->frozen && !w->gap && !w->given_up ? rv_sat_add(w->stuck_us, w->idle_us) : RV_NEVER;
}

const struct node_watch *node_watch_stuck(struct node_watches *w, uint64_t now_us)
{
	for (uint32_t i = 0; i < w->count; i++) {
		struct node_watch *one = w->items[i];

		if (stuck_until(one) > now_us)
			continue;
		one->given_up = true;
		return one;
	}
	return NULL;
}

uint64_t node_watch_stuck_deadline(const struct node_watches *w)
{
	uint64_t first = RV_NEVER;

	for (uint32_t i = 0; i < w->count; i++)
		first = rv_min_u64(first, stuck_until(w->items[i]));
	return first;
}

const struct node_watch *node_watch_tell(struct node_watches *w, uint64_t now_us)
{
	for (uint32_t i = 0; i < w->count; i++) {
		struct node_watch *one = w->items[i];

		if (!one->changed || one->tell_us > now_us)
			continue;
		one->changed = false;
		one->told = node_watch_usage(&one->transcript);
		one->tell_us = now_us + NODE_WATCH_TELL_US;
		return one;
	}
	return NULL;
}

uint64_t node_watch_deadline(const struct node_watches *w)
{
	uint64_t first = RV_NEVER;

	for (uint32_t i = 0; i < w->count; i++)
		if (w->items[i]->changed)
			first = rv_min_u64(first, w->items[i]->tell_us);
	return first;
}

void node_watch_tell_anew(struct node_watches *w)
{
	for (uint32_t i = 0; i < w->count; i++)
		w->items[i]->changed |= !proto_usage_is_nothing(&w->items[i]->told);
}
