#include "node/arrivals.h"

#include "common/check.h"

#include <stdlib.h>

enum stage {
	PULLING,      /* what the dispatch itself names */
	PULLING_DEPS, /* what its dependencies name, which came as a blob */
	COPYING,      /* all blobs are here; artifacts of dependencies are being made files, or will be */
	BEHIND,       /* all is here, but an earlier one of its unit is not */
	READY,
	VOID,         /* of an earlier session: kept only while its blobs are being pulled */
};

struct node_arrival {
	struct rv_list list;
	uint64_t tag;
	struct proto_attempt_key key;
	enum stage stage;
	uint32_t place;                  /* in `items` */
	bool pulls;                      /* a set of this tag is open */
	bool hands;                      /* some of those artifacts are not here */
	bool has_deps_blob;
	uint8_t deps_digest[PROTO_DIGEST_BYTES];
	struct rv_buf frame;
};

static uint64_t unit_key(struct proto_attempt_key k)
{
	return rv_hash_u64(k.run, k.unit);
}

/* --- life ------------------------------------------------------------------------------------------------------------- */

int node_arrivals_init(struct node_arrivals *a, struct rv_blobs *blobs, bool pull)
{
	struct proto_transfer_config cfg;
	uint32_t slots = rv_intmap_slots(NODE_ARRIVALS_MAX);

	memset(a, 0, sizeof(*a));
	rv_list_init(&a->waiting);
	rv_list_init(&a->gone);
	rv_buf_init(&a->refs, 0);
	rv_buf_init(&a->deps, RV_CONTEXT_BYTES_MAX);
	rv_arena_init(&a->arena, 0);
	proto_frame_writer_init(&a->writer);
	rv_buf_init(&a->current_bytes, RV_CONTEXT_BYTES_MAX);
	rv_arena_init(&a->current_arena, 0);
	if (!pull)
		return 0;
	a->blobs = blobs;
	proto_transfer_config_init(&cfg, blobs);
	cfg.blobs_max = NODE_ARRIVALS_BLOBS_MAX;
	a->transfer = proto_transfer_create(&cfg);
	a->slots = calloc(2 * (size_t)slots, sizeof(*a->slots));
	a->items = calloc(NODE_ARRIVALS_MAX, sizeof(struct node_arrival *));
	if (!a->transfer || !a->slots || !a->items)
		return -1;
	rv_intmap_init(&a->by_tag, a->slots, slots);
	rv_intmap_init(&a->units, a->slots + slots, slots);
	return 0;
}

int node_arrivals_hand_over(struct node_arrivals *a, node_arrivals_namespaces_fn *namespaces, void *arg, const char *mark)
{
	if (!a->transfer)
		return 0;
	a->reader = proto_frame_reader_create();
	a->peek = proto_frame_reader_create();
	if (!a->reader || !a->peek)
		return -1;
	node_handing_init(&a->handing, a->blobs, mark);
	a->namespaces = namespaces;
	a->arg = arg;
	return 0;
}

static void free_item(struct node_arrival *i)
{
	rv_buf_release(&i->frame);
	free(i);
}

static void count_unit(struct node_arrivals *a, struct proto_attempt_key key, int change)
{
	uint64_t k = unit_key(key);
	uint32_t count = rv_intmap_get(&a->units, k);

	count = (count == RV_MAP_NONE ? 0 : count) + (uint32_t)change;
	if (count)
		rv_intmap_put(&a->units, k, count);
	else
		(void)rv_intmap_remove(&a->units, k);
}

/* What it would have been handed stays half done, and is dropped. */
static void stop_copying(struct node_arrivals *a, struct node_arrival *i)
{
	a->copying--;
	if (a->current != i)
		return;
	node_handing_drop(&a->handing);
	a->current = NULL;
}

/* Out of all tables; its frame stays until the next call. */
static void take_out(struct node_arrivals *a, struct node_arrival *i)
{
	if (i->pulls)
		(void)proto_transfer_drop(a->transfer, i->tag);
	if (i->stage == COPYING)
		stop_copying(a, i);
	if (i->stage != VOID)
		count_unit(a, i->key, -1);
	a->ready -= i->stage == READY;
	(void)rv_intmap_remove(&a->by_tag, i->tag);
	a->items[i->place] = NULL;
	a->count--;
	a->bytes -= i->frame.bytes;
	rv_list_remove(&i->list);
	rv_list_append(&a->gone, &i->list);
}

static void sweep(struct node_arrivals *a)
{
	while (!rv_list_empty(&a->gone)) {
		struct node_arrival *i = RV_CONTAINER_OF(a->gone.next, struct node_arrival, list);

		rv_list_remove(&i->list);
		free_item(i);
	}
}

void node_arrivals_release(struct node_arrivals *a)
{
	while (a->transfer && !rv_list_empty(&a->waiting))
		take_out(a, RV_CONTAINER_OF(a->waiting.next, struct node_arrival, list));
	if (a->transfer)
		sweep(a);
	proto_transfer_destroy(&a->transfer);
	proto_frame_reader_destroy(&a->reader);
	proto_frame_reader_destroy(&a->peek);
	rv_buf_release(&a->current_bytes);
	rv_arena_release(&a->current_arena);
	proto_frame_writer_release(&a->writer);
	rv_buf_release(&a->refs);
	rv_buf_release(&a->deps);
	rv_arena_release(&a->arena);
	free(a->slots);
	free(a->items);
	a->slots = NULL;
	a->items = NULL;
}

/* --- what is missing ------------------------------------------------------------------------------------------------------ */

static int want(struct node_arrivals *a, uint64_t tag, struct rv_err *err)
{
	/* malloc'd by the buffer, so aligned for anything */
	return proto_transfer_want(a->transfer, tag, (const struct proto_blob_ref *)(const void *)a->refs.at,
				   (uint32_t)(a->refs.bytes / sizeof(struct proto_blob_ref)), err);
}

/* Adds the artifacts that are to be handed over. What cannot be, preparing the attempt will say. */
static bool add_handed(struct node_arrivals *a, const struct proto_dispatch *d, const struct proto_dep *deps, uint32_t count)
{
	struct node_namespaces *n = NULL;
	bool listed = false;

	for (uint32_t i = 0; i < count && !listed; i++)
		listed = deps[i].artifact_count > 0;
	if (listed && a->namespaces)
		n = a->namespaces(a->arg, d);
	return n && node_handed_lacking(n, d->key.run, deps, count, &a->refs, NULL) == 1;
}

/* The outputs and artifacts that a blob of dependencies names. As `want`; what cannot be read is found out when the attempt is prepared. */
static int want_deps(struct node_arrivals *a, uint64_t tag, const struct proto_dispatch *d, bool *hands, struct rv_err *err)
{
	const struct proto_dep *deps;
	uint32_t count;
	int rc = 0;

	rv_buf_reset(&a->deps);
	rv_buf_reset(&a->refs);
	if (rv_blobs_get_all(a->blobs, d->deps_blob.digest, RV_CONTEXT_BYTES_MAX, &a->deps, NULL) == 0 &&
	    proto_deps_decode(rv_buf_str(&a->deps), &a->arena, &deps, &count, NULL) == 0 && proto_deps_blobs(deps, count, &a->refs) == 0) {
		*hands = add_handed(a, d, deps, count);
		rc = want(a, tag, err);
	}
	rv_arena_release(&a->arena);
	rv_arena_init(&a->arena, 0);
	return rc;
}

/* --- waiting ---------------------------------------------------------------------------------------------------------------- */

static uint32_t free_place(const struct node_arrivals *a)
{
	uint32_t place = (uint32_t)(a->next_tag % NODE_ARRIVALS_MAX);

	while (a->items[place])
		place = (place + 1) % NODE_ARRIVALS_MAX;
	return place;
}

static struct node_arrival *item_create(struct node_arrivals *a, const struct proto_dispatch *d, uint64_t tag)
{
	struct proto_msg m = { .kind = PROTO_DISPATCH, .dispatch = *d };
	struct node_arrival *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->tag = tag;
	i->key = d->key;
	rv_buf_init(&i->frame, RV_FRAME_BYTES_MAX);
	rv_list_init(&i->list);
	if (d->deps_blob.kind == PROTO_VALUE_BLOB) {
		i->has_deps_blob = true;
		memcpy(i->deps_digest, d->deps_blob.digest, sizeof(i->deps_digest));
	}
	if (proto_frame_add(&a->writer, &m, NULL) == 0 && proto_frame_finish(&a->writer, &i->frame) == 0 &&
	    a->bytes + i->frame.bytes <= NODE_ARRIVALS_BYTES_MAX)
		return i;
	free_item(i);
	return NULL;
}

static enum node_arrival_answer wait_with(struct node_arrivals *a, const struct proto_dispatch *d, uint64_t tag, enum stage stage, bool hands)
{
	struct node_arrival *i = a->count < NODE_ARRIVALS_MAX ? item_create(a, d, tag) : NULL;

	if (!i) {
		(void)proto_transfer_drop(a->transfer, tag);
		return NODE_ARRIVAL_FULL;
	}
	i->stage = stage;
	i->hands = hands;
	a->copying += stage == COPYING;
	i->pulls = stage == PULLING || stage == PULLING_DEPS;
	i->place = free_place(a);
	a->items[i->place] = i;
	a->count++;
	a->bytes += i->frame.bytes;
	rv_list_append(&a->waiting, &i->list);
	rv_intmap_put(&a->by_tag, tag, i->place);
	count_unit(a, d->key, 1);
	return NODE_ARRIVAL_WAITS;
}

enum node_arrival_answer node_arrivals_take(struct node_arrivals *a, const struct proto_dispatch *d)
{
	enum stage stage = PULLING;
	struct rv_err err = { 0 };
	bool hands;
	uint64_t tag;
	int rc;

	if (!a->transfer)
		return NODE_ARRIVAL_GOES_ON;
	sweep(a);
	rv_buf_reset(&a->refs);
	if (proto_dispatch_blobs(d, &a->refs) < 0)
		return NODE_ARRIVAL_FULL;
	hands = add_handed(a, d, d->deps, d->dep_count);
	tag = ++a->next_tag;
	rc = want(a, tag, &err);
	if (rc == 0 && d->deps_blob.kind == PROTO_VALUE_BLOB) {
		stage = PULLING_DEPS;
		rc = want_deps(a, tag, d, &hands, &err);
	}
	if (rc < 0 && err.code == RV_E_LIMIT)
		return NODE_ARRIVAL_FULL;
	if (rc == 1)
		return wait_with(a, d, tag, stage, hands);
	if (rc == 0 && hands)
		return wait_with(a, d, tag, COPYING, true);
	if (a->count && rv_intmap_get(&a->units, unit_key(d->key)) != RV_MAP_NONE)
		return wait_with(a, d, tag, BEHIND, false);
	return NODE_ARRIVAL_GOES_ON;
}

/* Nothing more is done for it. The first of its unit goes; others wait for it. */
static void line_up(struct node_arrivals *a, struct node_arrival *i)
{
	i->stage = BEHIND;
	for (struct rv_list *l = a->waiting.next; l != &i->list; l = l->next) {
		const struct node_arrival *o = RV_CONTAINER_OF(l, struct node_arrival, list);

		if (o->stage != VOID && unit_key(o->key) == unit_key(i->key))
			return;
	}
	i->stage = READY;
	a->ready++;
}

/* Nothing more is pulled for it. */
static void settle(struct node_arrivals *a, struct node_arrival *i)
{
	i->pulls = false;
	if (i->stage == VOID) {
		take_out(a, i);
	} else if (i->hands) {
		i->stage = COPYING;
		a->copying++;
	} else {
		line_up(a, i);
	}
}

/* What waited behind one that is gone now. */
static void let_next(struct node_arrivals *a, struct proto_attempt_key key)
{
	if (rv_intmap_get(&a->units, unit_key(key)) == RV_MAP_NONE)
		return;
	for (struct rv_list *l = a->waiting.next; l != &a->waiting; l = l->next) {
		struct node_arrival *i = RV_CONTAINER_OF(l, struct node_arrival, list);

		if (i->stage == VOID || unit_key(i->key) != unit_key(key))
			continue;
		if (i->stage == BEHIND) {
			i->stage = READY;
			a->ready++;
		}
		return;
	}
}

void node_arrivals_void_unit(struct node_arrivals *a, struct proto_attempt_key key)
{
	if (!a->count)
		return;
	sweep(a);
	for (struct rv_list *l = a->waiting.next, *next; l != &a->waiting; l = next) {
		struct node_arrival *i = RV_CONTAINER_OF(l, struct node_arrival, list);

		next = l->next;
		if ((!i->pulls && i->stage != COPYING) || i->stage == VOID || i->key.run != key.run || i->key.unit != key.unit || i->key.attempt > key.attempt)
			continue;
		if (i->stage == COPYING)
			stop_copying(a, i);
		else
			(void)proto_transfer_drop(a->transfer, i->tag);
		i->hands = false;
		settle(a, i);
	}
}

void node_arrivals_void(struct node_arrivals *a, uint64_t now_us)
{
	if (!a->transfer)
		return;
	sweep(a);
	for (struct rv_list *l = a->waiting.next, *next; l != &a->waiting; l = next) {
		struct node_arrival *i = RV_CONTAINER_OF(l, struct node_arrival, list);

		next = l->next;
		if (!i->pulls) {
			take_out(a, i);
		} else if (i->stage != VOID) {
			count_unit(a, i->key, -1);
			i->stage = VOID;
		}
	}
	proto_transfer_relinked(a->transfer, now_us);
}

/* --- the transfer ------------------------------------------------------------------------------------------------------------- */

/* The dispatch in its frame, which we wrote; borrowed until the reader is used again. */
static const struct proto_dispatch *dispatch_of(struct proto_frame_reader *reader, const struct node_arrival *i, struct proto_msg *m)
{
	rv_check(proto_frame_open(reader, rv_buf_str(&i->frame), PROTO_TO_NODE, NULL) == 0);
	rv_check(proto_frame_next(reader, m, NULL) == 1);
	return &m->dispatch;
}

static int want_deps_of(struct node_arrivals *a, struct node_arrival *i)
{
	struct proto_dispatch d = { .key = i->key, .deps_blob = { .kind = PROTO_VALUE_BLOB } };
	const struct proto_dispatch *read = &d;
	struct proto_msg m;

	memcpy(d.deps_blob.digest, i->deps_digest, sizeof(i->deps_digest));
	if (a->namespaces) /* its workspace matters, too */
		read = dispatch_of(a->peek, i, &m);
	return want_deps(a, i->tag, read, &i->hands, NULL);
}

/* The set of this tag is over, well or not. */
static void set_over(struct node_arrivals *a, uint64_t tag)
{
	uint32_t place = rv_intmap_get(&a->by_tag, tag);
	struct node_arrival *i;

	rv_check(place != RV_MAP_NONE);
	i = a->items[place];
	if (i->stage == PULLING && i->has_deps_blob) {
		i->stage = PULLING_DEPS;
		if (want_deps_of(a, i) == 1)
			return;
	}
	settle(a, i);
}

static void take_ended(struct node_arrivals *a)
{
	struct proto_transfer_end end;

	while (proto_transfer_ended(a->transfer, &end))
		set_over(a, end.tag);
}

/* --- what is handed over -------------------------------------------------------------------------------------------------------- */

bool node_arrivals_handing(const struct node_arrivals *a)
{
	return a->copying > 0;
}

/* The dependencies of the one that is first in line; what cannot be read is found out when the attempt is prepared. */
static int take_current(struct node_arrivals *a, struct proto_msg *m, struct rv_err *err)
{
	struct rv_list *l = a->waiting.next;
	const struct proto_dispatch *d;

	while (RV_CONTAINER_OF(l, struct node_arrival, list)->stage != COPYING)
		l = l->next;
	a->current = RV_CONTAINER_OF(l, struct node_arrival, list);
	d = dispatch_of(a->reader, a->current, m);
	a->current_deps = d->deps;
	a->current_count = d->dep_count;
	a->current_at = 0;
	if (d->deps_blob.kind != PROTO_VALUE_BLOB)
		return 0;
	rv_buf_reset(&a->current_bytes);
	rv_arena_release(&a->current_arena);
	rv_arena_init(&a->current_arena, 0);
	if (rv_blobs_get_all(a->blobs, d->deps_blob.digest, RV_CONTEXT_BYTES_MAX, &a->current_bytes, err) < 0)
		return -1;
	return proto_deps_decode(rv_buf_str(&a->current_bytes), &a->current_arena, &a->current_deps, &a->current_count, err);
}

/* The next dependency that lacks something: 1 it is begun; 0 there is none; -1. */
static int begin_next(struct node_arrivals *a, struct rv_err *err)
{
	struct node_namespaces *n = a->namespaces(a->arg, &a->current_msg.dispatch);

	for (; n && a->current_at < a->current_count; a->current_at++) {
		const struct proto_dep *dep = &a->current_deps[a->current_at];

		if (!node_handed_lacks(n, a->current->key.run, dep))
			continue;
		a->current_at++;
		return node_handing_begin(&a->handing, n, a->current->key.run, dep, err) < 0 ? -1 : 1;
	}
	return 0;
}

/* 1: the slice is used up; 0: all of this one's are in their place; -1. */
static int hand_current(struct node_arrivals *a, uint64_t *bytes, struct rv_err *err)
{
	int rc = 1;

	while (*bytes && rc > 0) {
		if (a->handing.dir.fd < 0)
			rc = begin_next(a, err);
		else if (node_handing_step(&a->handing, bytes, err) < 0)
			rc = -1;
	}
	return rc;
}

int node_arrivals_hand(struct node_arrivals *a, uint64_t bytes, struct rv_err *err)
{
	int rc = 0;

	if (!a->copying)
		return 0;
	sweep(a);
	while (a->copying && bytes && rc >= 0) {
		struct node_arrival *i;

		if (!a->current)
			rc = take_current(a, &a->current_msg, err);
		if (rc >= 0)
			rc = hand_current(a, &bytes, err);
		if (rc > 0)
			break;
		i = a->current;
		stop_copying(a, i);
		i->hands = false;
		line_up(a, i);
	}
	return rc < 0 ? -1 : 0;
}

int node_arrivals_next(struct node_arrivals *a, struct rv_str *frame)
{
	if (!a->transfer)
		return 0;
	sweep(a);
	if (!a->ready)
		return 0;
	for (struct rv_list *l = a->waiting.next; l != &a->waiting; l = l->next) {
		struct node_arrival *i = RV_CONTAINER_OF(l, struct node_arrival, list);

		if (i->stage != READY)
			continue;
		*frame = rv_buf_str(&i->frame);
		take_out(a, i);
		let_next(a, i->key);
		return 1;
	}
	rv_check(!"one that is ready is among those that wait");
	return 0;
}

int node_arrivals_ask(struct node_arrivals *a, uint64_t now_us, struct proto_blob_get *get)
{
	return a->transfer ? proto_transfer_ask(a->transfer, now_us, get) : 0;
}

void node_arrivals_on_piece(struct node_arrivals *a, const struct proto_blob_piece *piece, uint64_t now_us)
{
	if (!a->transfer)
		return;
	sweep(a);
	(void)proto_transfer_on_piece(a->transfer, piece, now_us);
	take_ended(a);
}

uint64_t node_arrivals_next_deadline(const struct node_arrivals *a)
{
	return a->transfer ? proto_transfer_next_deadline(a->transfer) : RV_NEVER;
}
