#include "coordinator/outbox.h"

#include "common/check.h"
#include "common/list.h"
#include "common/map.h"
#include "common/plant.h"

#include <stdlib.h>

/* A frame that waits, or a spare one: its buffer is reused. */
struct waiting {
	struct rv_list link;
	uint64_t peer;
	uint64_t position;
	bool free; /* rests on nothing */
	struct rv_buf frame;
};

/* A peer's open frame. Peers that said nothing this turn have none. */
struct open_frame {
	uint64_t peer;
	bool free;
	struct proto_frame_writer writer;
};

struct coord_outbox {
	coord_send_fn *send;
	void *arg;
	struct open_frame *open;
	uint32_t open_count, open_capacity; /* writers up to capacity are initialised */
	struct rv_intmap_slot *slots;       /* of by_peer */
	struct rv_intmap by_peer;           /* open_key() to its place in `open` */
	uint32_t last;                      /* the open frame added to last: neighbours usually share a peer */
	struct rv_list waiting, spare;
	uint32_t spare_count;
	size_t bytes;
	uint64_t dropped;
};

enum { SPARE_MAX = 64, SPARE_BYTES_MAX = 1 << 20 };

struct coord_outbox *coord_outbox_create(coord_send_fn *send, void *arg)
{
	struct coord_outbox *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	o->send = send;
	o->arg = arg;
	rv_list_init(&o->waiting);
	rv_list_init(&o->spare);
	return o;
}

static void free_all(struct rv_list *head)
{
	while (!rv_list_empty(head)) {
		struct waiting *w = RV_CONTAINER_OF(head->next, struct waiting, link);

		rv_list_remove(&w->link);
		rv_buf_release(&w->frame);
		free(w);
	}
}

void coord_outbox_destroy(struct coord_outbox **o)
{
	if (!*o)
		return;
	free_all(&(*o)->waiting);
	free_all(&(*o)->spare);
	for (uint32_t i = 0; i < (*o)->open_capacity; i++)
		proto_frame_writer_release(&(*o)->open[i].writer);
	free((*o)->open);
	free((*o)->slots);
	free(*o);
	*o = NULL;
}

static uint64_t open_key(uint64_t peer, bool free_one)
{
	rv_check(peer <= UINT64_MAX / 2);
	return peer * 2 + free_one;
}

static int open_grow(struct coord_outbox *o)
{
	uint32_t capacity = o->open_capacity ? o->open_capacity * 2 : 4, slot_count = rv_intmap_slots(capacity);
	struct rv_intmap_slot *slots = calloc(slot_count, sizeof *slots);
	struct open_frame *open = slots ? realloc(o->open, capacity * sizeof *open) : NULL;

	if (!open) {
		free(slots);
		return -1;
	}
	o->open = open;
	while (o->open_capacity < capacity)
		proto_frame_writer_init(&o->open[o->open_capacity++].writer);
	free(o->slots);
	o->slots = slots;
	rv_intmap_init(&o->by_peer, slots, slot_count);
	for (uint32_t i = 0; i < o->open_count; i++)
		rv_intmap_put(&o->by_peer, open_key(open[i].peer, open[i].free), i);
	return 0;
}

static struct open_frame *open_for(struct coord_outbox *o, uint64_t peer, bool free_one)
{
	uint32_t at;

	if (o->last < o->open_count && o->open[o->last].peer == peer && o->open[o->last].free == free_one)
		return &o->open[o->last];
	at = o->open_count ? rv_intmap_get(&o->by_peer, open_key(peer, free_one)) : RV_MAP_NONE;
	if (at != RV_MAP_NONE) {
		o->last = at;
		return &o->open[at];
	}
	if (o->open_count == o->open_capacity && open_grow(o) < 0)
		return NULL;
	o->last = o->open_count++;
	rv_intmap_put(&o->by_peer, open_key(peer, free_one), o->last);
	o->open[o->last].peer = peer;
	o->open[o->last].free = free_one;
	return &o->open[o->last];
}

static struct waiting *take_spare(struct coord_outbox *o)
{
	struct waiting *w;

	if (rv_list_empty(&o->spare)) {
		w = calloc(1, sizeof *w);
		if (w) {
			rv_list_init(&w->link);
			rv_buf_init(&w->frame, 0);
		}
		return w;
	}
	w = RV_CONTAINER_OF(o->spare.next, struct waiting, link);
	rv_list_remove(&w->link);
	o->spare_count--;
	return w;
}

static void give_spare(struct coord_outbox *o, struct waiting *w)
{
	rv_list_remove(&w->link);
	if (o->spare_count >= SPARE_MAX || w->frame.capacity > SPARE_BYTES_MAX) {
		rv_buf_release(&w->frame);
		free(w);
		return;
	}
	rv_buf_reset(&w->frame);
	rv_list_append(&o->spare, &w->link);
	o->spare_count++;
}

/* The open frame becomes one that waits; its position comes with the seal. */
static int finish(struct coord_outbox *o, struct open_frame *f, struct rv_err *err)
{
	struct waiting *w;

	if (proto_frame_empty(&f->writer))
		return 0;
	w = take_spare(o);
	if (!w || proto_frame_finish(&f->writer, &w->frame) < 0) {
		if (w)
			give_spare(o, w);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a frame to a node");
	}
	w->peer = f->peer;
	w->free = f->free;
	w->position = RV_NEVER;
	rv_list_append(&o->waiting, &w->link);
	o->bytes += w->frame.bytes;
	return 0;
}

static int add(struct coord_outbox *o, uint64_t peer, bool free_one, const struct proto_msg *m, struct rv_err *err)
{
	struct open_frame *f = open_for(o, peer, free_one);
	int rc;

	if (!f)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a frame to a node");
	rc = proto_frame_add(&f->writer, m, err);
	if (rc != 1)
		return rc;
	if (finish(o, f, err) < 0)
		return -1;
	rc = proto_frame_add(&f->writer, m, err);
	rv_check(rc != 1); /* an empty frame takes any message, or says that none does */
	return rc;
}

int coord_outbox_add(struct coord_outbox *o, uint64_t peer, const struct proto_msg *m, struct rv_err *err)
{
	return add(o, peer, (RV_PLANT(ACK_BEFORE_COMMIT) && m->kind == PROTO_RESULT_ACK) || (RV_PLANT(REUSED_ATTEMPT) && m->kind == PROTO_DISPATCH), m, err);
}

int coord_outbox_add_free(struct coord_outbox *o, uint64_t peer, const struct proto_msg *m, struct rv_err *err)
{
	return add(o, peer, true, m, err);
}

int coord_outbox_seal(struct coord_outbox *o, uint64_t position, struct rv_err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < o->open_count && rc == 0; i++)
		rc = finish(o, &o->open[i], err);
	for (uint32_t i = 0; i < o->open_count; i++)
		(void)rv_intmap_remove(&o->by_peer, open_key(o->open[i].peer, o->open[i].free));
	o->open_count = 0;
	for (struct rv_list *l = o->waiting.prev; l != &o->waiting; l = l->prev) {
		struct waiting *w = RV_CONTAINER_OF(l, struct waiting, link);

		if (w->position != RV_NEVER)
			break;
		w->position = w->free ? 0 : position;
	}
	return rc;
}

/* In order; behind one that has to wait only what rests on nothing goes. */
void coord_outbox_release(struct coord_outbox *o, uint64_t durable)
{
	bool blocked = false;
	struct rv_list *l, *next;

	for (l = o->waiting.next; l != &o->waiting; l = next) {
		struct waiting *w = RV_CONTAINER_OF(l, struct waiting, link);

		next = l->next;
		if (w->position == RV_NEVER)
			return; /* not sealed yet */
		blocked |= w->position > durable && !RV_PLANT(SEND_BEFORE_COMMIT);
		if (blocked && !w->free)
			continue;
		o->bytes -= w->frame.bytes;
		if (o->send(o->arg, w->peer, rv_buf_str(&w->frame)) < 0)
			o->dropped++;
		give_spare(o, w);
	}
}

int coord_outbox_drop(struct coord_outbox *o, uint64_t peer, struct rv_err *err)
{
	struct rv_list *l, *next;

	if (RV_PLANT(REVOKED_TOLD))
		return 0;
	for (uint32_t i = 0; i < o->open_count; i++)
		if (o->open[i].peer == peer && finish(o, &o->open[i], err) < 0)
			return -1;
	for (l = o->waiting.next; l != &o->waiting; l = next) {
		struct waiting *w = RV_CONTAINER_OF(l, struct waiting, link);

		next = l->next;
		if (w->peer != peer)
			continue;
		o->bytes -= w->frame.bytes;
		o->dropped++;
		give_spare(o, w);
	}
	return 0;
}

size_t coord_outbox_bytes(const struct coord_outbox *o)
{
	return o->bytes;
}

uint64_t coord_outbox_dropped(const struct coord_outbox *o)
{
	return o->dropped;
}
