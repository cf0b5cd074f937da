#include "node/records.h"

#include "common/check.h"
#include "node/collect.h"

#include <stdlib.h>

int node_records_init(struct node_records *r, uint32_t capacity)
{
	memset(r, 0, sizeof(*r));
	r->items = calloc(capacity, sizeof(r->items[0]));
	r->capacity = r->items ? capacity : 0;
	return r->items ? 0 : -1;
}

void node_records_release(struct node_records *r)
{
	for (uint32_t i = 0; i < r->capacity && r->used; i++)
		if (r->items[i].key.run)
			node_record_end(r, i);
	free(r->items);
	memset(r, 0, sizeof(*r));
}

struct node_record *node_record_begin(struct node_records *r, uint32_t slot, struct proto_attempt_key key, uint64_t epoch)
{
	struct node_record *rec;

	rv_check(slot < r->capacity);
	rec = &r->items[slot];
	rv_check(rec->key.run == 0);
	rv_check(key.run != 0);
	*rec = (struct node_record){ .key = key, .epoch = epoch, .exit = -1 };
	r->used++;
	return rec;
}

void node_record_end(struct node_records *r, uint32_t slot)
{
	struct node_record *rec = &r->items[slot];

	rv_check(rec->key.run != 0);
	node_record_drop_held(rec);
	rec->key.run = 0;
	r->used--;
}

void node_record_drop_held(struct node_record *rec)
{
	if (rec->holds == NODE_HOLDS_COLLECT)
		node_collect_end(rec->held);
	if (rec->held)
		free(rec->held);
	rec->held = NULL;
	rec->held_bytes = 0;
	rec->holds = NODE_HOLDS_NOTHING;
}

int node_record_keep_bytes(struct node_record *rec, struct rv_str bytes)
{
	void *copy = malloc(bytes.bytes ? bytes.bytes : 1);

	node_record_drop_held(rec);
	if (!copy)
		return -1;
	if (bytes.bytes)
		memcpy(copy, bytes.at, bytes.bytes);
	rec->held = copy;
	rec->held_bytes = (uint32_t)bytes.bytes;
	rec->holds = NODE_HOLDS_BYTES;
	return 0;
}

/* --- results ------------------------------------------------------------------------------------------------------ */

static size_t value_bytes(const struct proto_value *v)
{
	return v->kind == PROTO_VALUE_INLINE ? v->inline_bytes.bytes : 0;
}

static bool is_plain(const struct proto_result *r)
{
	return r->output.kind == PROTO_VALUE_NONE && r->tail.kind == PROTO_VALUE_NONE && !r->error.bytes && !r->enforcement.bytes &&
	       !r->limits.bytes && !r->artifact_count && !r->signal && r->cpu_us <= UINT32_MAX && r->flags <= UINT8_MAX &&
	       proto_usage_is_nothing(&r->usage) && !r->retry_after_us;
}

static struct rv_str move(char **at, struct rv_str s)
{
	struct rv_str moved = rv_str(*at, s.bytes);

	if (s.bytes)
		memcpy(*at, s.at, s.bytes);
	*at += s.bytes;
	return moved;
}

/* One block: the struct, its artifacts, then all texts. */
static struct proto_result *copy(const struct proto_result *r)
{
	size_t bytes = sizeof(*r) + r->artifact_count * sizeof(r->artifacts[0]);
	struct proto_artifact *artifacts;
	struct proto_result *c;
	char *at;

	bytes += value_bytes(&r->output) + value_bytes(&r->tail) + r->error.bytes + r->enforcement.bytes + r->limits.bytes;
	for (uint32_t i = 0; i < r->artifact_count; i++)
		bytes += r->artifacts[i].name.bytes;
	c = malloc(bytes);
	if (!c)
		return NULL;
	*c = *r;
	artifacts = (struct proto_artifact *)(c + 1);
	at = (char *)(artifacts + r->artifact_count);
	for (uint32_t i = 0; i < r->artifact_count; i++) {
		artifacts[i] = r->artifacts[i];
		artifacts[i].name = move(&at, r->artifacts[i].name);
	}
	c->artifacts = r->artifact_count ? artifacts : NULL;
	if (r->output.kind == PROTO_VALUE_INLINE)
		c->output.inline_bytes = move(&at, r->output.inline_bytes);
	if (r->tail.kind == PROTO_VALUE_INLINE)
		c->tail.inline_bytes = move(&at, r->tail.inline_bytes);
	c->error = move(&at, r->error);
	c->enforcement = move(&at, r->enforcement);
	c->limits = move(&at, r->limits);
	return c;
}

_Static_assert(sizeof(struct proto_result) % _Alignof(struct proto_artifact) == 0, "artifacts follow the struct");

void node_record_set_result(struct node_record *rec, const struct proto_result *r)
{
	struct proto_result *full = is_plain(r) ? NULL : copy(r);

	node_record_drop_held(rec);
	rec->start_us = r->start_us;
	rec->end_us = r->end_us;
	rec->exit = r->exit;
	rec->cpu_us = (uint32_t)rv_min_u64(r->cpu_us, UINT32_MAX);
	rec->duration_us = r->duration_us;
	rec->rss_bytes = r->rss_bytes;
	rec->outcome = (uint8_t)r->outcome;
	rec->class = (uint8_t)r->class;
	rec->reason = (uint8_t)r->reason;
	rec->flags = (uint8_t)r->flags;
	if (full) {
		rec->held = full;
		rec->holds = NODE_HOLDS_RESULT;
	}
}

/* Results that were made without anybody who could write a sentence have a standard one. */
static struct rv_str sentence(enum proto_reason reason)
{
	if (reason == PROTO_REASON_WARDEN_LOST)
		return RV_STR("the process that watches over units died, and this one with it");
	return rv_str(NULL, 0);
}

void node_record_result(const struct node_record *rec, struct proto_result *out)
{
	if (rec->holds == NODE_HOLDS_RESULT) {
		*out = *(const struct proto_result *)rec->held;
		return;
	}
	*out = (struct proto_result){
		.key = rec->key,
		.epoch = rec->epoch,
		.outcome = rec->outcome,
		.class = rec->class,
		.reason = rec->reason,
		.flags = rec->flags,
		.exit = rec->exit,
		.start_us = rec->start_us,
		.end_us = rec->end_us,
		.duration_us = rec->duration_us,
		.cpu_us = rec->cpu_us,
		.rss_bytes = rec->rss_bytes,
		.error = sentence(rec->reason),
	};
}
