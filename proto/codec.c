/* codec.c - frames to messages and back; the layout of each message stands in PROTOCOL.md
 *
 * A batched message is [kind, run, [item...]], DISPATCH is [DISPATCH, run, [spec...], [item...]]; every other message is
 * [kind, field...]. For each kind there is one pair of functions, pack_X and read_X, side by side.
 */
#include "proto/codec.h"

#include "common/check.h"
#include "proto/parts.h"

#include <stdlib.h>

#define FRAME_HEAD_BYTES 16u   /* array of 2^32, version */
#define MESSAGE_HEAD_BYTES 48u /* array, kind, run, array of specs, array of items */
#define MESSAGE_HEAD_VALUES 8u

static bool batched(enum proto_msg_kind kind)
{
	switch (kind) {
	case PROTO_TAKEN:
	case PROTO_REJECTED:
	case PROTO_STARTED:
	case PROTO_RESULT:
	case PROTO_NOT_HERE:
	case PROTO_RETRACTED:
	case PROTO_ALREADY_STARTED:
	case PROTO_DISPATCH:
	case PROTO_CANCEL:
	case PROTO_RESULT_ACK:
	case PROTO_RETRACT:
		return true;
	default:
		return false;
	}
}

/* --- items of batched messages: [unit, attempt, ...] -------------------------------------------------------------- */

static void pack_key(struct proto_pack *p, uint32_t fields, const struct proto_attempt_key *key)
{
	proto_pack_array(p, 2 + fields);
	proto_pack_uint(p, key->unit);
	proto_pack_uint(p, key->attempt);
}

static void pack_dispatch(struct proto_pack *p, const struct proto_dispatch *d, uint32_t spec_place, struct rv_err *err,
			  int *rc)
{
	uint32_t more = d->deps_blob.kind != PROTO_VALUE_NONE ? 3 : d->dep_count ? 2 : d->item.bytes ? 1 : 0;

	pack_key(p, 5 + more, &d->key);
	proto_pack_uint(p, d->epoch);
	proto_pack_uint(p, d->try_number);
	proto_pack_uint(p, d->lease_us);
	proto_pack_str(p, d->unit_id);
	if (d->spec.bytes)
		proto_pack_uint(p, spec_place);
	else
		(void)proto_pack_value(p, &d->spec_blob); /* BLOB or NONE: no limit to break */
	if (more >= 1)
		proto_pack_str(p, d->item);
	if (more >= 2 && proto_pack_deps(p, d->deps, d->dep_count))
		*rc = rv_fail(err, RV_E_LIMIT, "a dependency's output of more than %u bytes inside a message",
			      RV_INLINE_BYTES_MAX);
	if (more >= 3)
		(void)proto_pack_value(p, &d->deps_blob);
}

struct reading {
	struct proto_cursor *c;
	struct rv_arena *arena;
	const struct rv_str *specs;
	uint32_t spec_count;
};

static void read_dispatch(struct reading *r, uint32_t more, struct proto_dispatch *d)
{
	struct proto_cursor *c = r->c;

	if (more < 5 || more > 8) {
		c->failed = true;
		return;
	}
	d->epoch = proto_read_uint(c);
	d->try_number = proto_read_u32(c);
	d->lease_us = proto_read_uint(c);
	d->unit_id = proto_read_str(c);
	if (!c->failed && c->at < c->end && (*c->at < 0x80 || *c->at >= 0xcc) && *c->at < 0xe0) {
		uint32_t place = proto_read_u32(c);

		if (place >= r->spec_count)
			c->failed = true;
		else
			d->spec = r->specs[place];
	} else {
		proto_read_value(c, &d->spec_blob);
		if (d->spec_blob.kind == PROTO_VALUE_INLINE)
			c->failed = true;
	}
	if (more >= 6)
		d->item = proto_read_str(c);
	if (more >= 7)
		proto_read_deps(c, r->arena, &d->deps, &d->dep_count);
	if (more >= 8) {
		proto_read_value(c, &d->deps_blob);
		if (d->deps_blob.kind == PROTO_VALUE_INLINE || d->dep_count)
			c->failed = true;
	}
}

static int pack_item(struct proto_pack *p, const struct proto_msg *m, uint32_t spec_place, struct rv_err *err)
{
	int rc = 0;

	switch (m->kind) {
	case PROTO_REJECTED:
		pack_key(p, 1, &m->rejected.key);
		proto_pack_uint(p, m->rejected.why);
		return 0;
	case PROTO_STARTED:
		pack_key(p, 1, &m->started.key);
		proto_pack_uint(p, m->started.start_us);
		return 0;
	case PROTO_RESULT:
		pack_key(p, proto_result_fields(&m->result), &m->result.key);
		return proto_pack_result(p, &m->result, err);
	case PROTO_DISPATCH:
		pack_dispatch(p, &m->dispatch, spec_place, err, &rc);
		return rc;
	case PROTO_CANCEL:
		pack_key(p, 3, &m->cancel.key);
		proto_pack_uint(p, m->cancel.epoch);
		if (m->cancel.grace_us == RV_NEVER)
			proto_pack_nil(p);
		else
			proto_pack_uint(p, m->cancel.grace_us);
		proto_pack_uint(p, m->cancel.reason);
		return 0;
	case PROTO_RESULT_ACK:
		pack_key(p, 1, &m->result_ack.key);
		proto_pack_uint(p, m->result_ack.ack);
		return 0;
	default:
		pack_key(p, 0, &m->taken); /* the kinds that are a key and nothing else share its place */
		return 0;
	}
}

_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, not_here), "a union");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, rejected.key), "key first");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, started.key), "key first");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, result.key), "key first");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, dispatch.key), "key first");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, cancel.key), "key first");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, result_ack.key), "key first");

static uint32_t read_enum(struct proto_cursor *c, uint32_t first, uint32_t last)
{
	uint32_t v = (uint32_t)proto_read_uint_to(c, last);

	if (v < first)
		c->failed = true;
	return v;
}

static void read_item(struct reading *r, uint64_t run, struct proto_msg *m)
{
	struct proto_cursor *c = r->c;
	uint32_t fields = proto_read_array(c);
	static const uint8_t more_of[] = { [PROTO_REJECTED] = 1, [PROTO_STARTED] = 1, [PROTO_CANCEL] = 3,
					   [PROTO_RESULT_ACK] = 1, [PROTO_RETRACT] = 0 };
	uint32_t more;

	m->taken.run = run;
	m->taken.unit = proto_read_u32(c);
	m->taken.attempt = proto_read_u32(c);
	if (fields < 2) {
		c->failed = true;
		return;
	}
	more = fields - 2;
	if (m->kind == PROTO_RESULT) {
		proto_read_result(c, r->arena, more, &m->result);
		if (m->result.outcome < PROTO_SUCCEEDED)
			c->failed = true;
		return;
	}
	if (m->kind == PROTO_DISPATCH) {
		read_dispatch(r, more, &m->dispatch);
		return;
	}
	if (more != more_of[m->kind]) {
		c->failed = true;
		return;
	}
	switch (m->kind) {
	case PROTO_REJECTED:
		m->rejected.why = (enum proto_reject_why)read_enum(c, PROTO_REJECT_FULL, PROTO_REJECT_BAD_SPEC);
		break;
	case PROTO_STARTED:
		m->started.start_us = proto_read_uint(c);
		break;
	case PROTO_CANCEL:
		m->cancel.epoch = proto_read_uint(c);
		m->cancel.grace_us = proto_take_nil(c) ? RV_NEVER : proto_read_uint(c);
		m->cancel.reason = (enum proto_reason)read_enum(c, 0, PROTO_REASON_COUNT - 1);
		break;
	case PROTO_RESULT_ACK:
		m->result_ack.ack = (enum proto_ack)read_enum(c, PROTO_ACK_ACCEPTED, PROTO_ACK_FENCED);
		break;
	default:
		break;
	}
}

/* --- messages of one ------------------------------------------------------------------------------------------------- */

static void pack_hello(struct proto_pack *p, const struct proto_hello *h)
{
	const struct proto_node_info *n = &h->node;
	uint32_t i;

	proto_pack_array(p, 6);
	proto_pack_uint(p, PROTO_HELLO);
	proto_pack_array(p, 10);
	proto_pack_str(p, n->name);
	proto_pack_bin(p, n->key, sizeof(n->key));
	proto_pack_bin(p, n->boot_id, sizeof(n->boot_id));
	proto_pack_uint(p, n->incarnation);
	proto_pack_uint(p, n->slots);
	proto_pack_uint(p, n->agent_slots);
	proto_pack_uint(p, n->memory_bytes);
	proto_pack_array(p, n->label_count);
	for (i = 0; i < n->label_count; i++) {
		proto_pack_array(p, 2);
		proto_pack_str(p, n->labels[i].key);
		proto_pack_str(p, n->labels[i].value);
	}
	proto_pack_array(p, n->resource_count);
	for (i = 0; i < n->resource_count; i++) {
		proto_pack_array(p, 2);
		proto_pack_str(p, n->resources[i].name);
		proto_pack_uint(p, n->resources[i].amount);
	}
	proto_pack_str(p, n->kill_level);
	proto_pack_uint(p, h->n);
	proto_pack_uint(p, h->page);
	proto_pack_bool(p, h->last);
	proto_pack_array(p, h->held_count);
	for (i = 0; i < h->held_count; i++) {
		const struct proto_held *held = &h->held[i];

		proto_pack_array(p, 5);
		proto_pack_uint(p, held->key.run);
		proto_pack_uint(p, held->key.unit);
		proto_pack_uint(p, held->key.attempt);
		proto_pack_uint(p, held->epoch);
		proto_pack_uint(p, held->state);
	}
}

static void read_node_info(struct reading *r, struct proto_node_info *n)
{
	struct proto_cursor *c = r->c;
	struct proto_named_amount *resources;
	struct proto_label *labels;
	uint32_t i;

	proto_read_array_of(c, 10);
	n->name = proto_read_str(c);
	proto_read_fixed(c, n->key, sizeof(n->key));
	proto_read_fixed(c, n->boot_id, sizeof(n->boot_id));
	n->incarnation = proto_read_uint(c);
	n->slots = proto_read_uint(c);
	n->agent_slots = proto_read_uint(c);
	n->memory_bytes = proto_read_uint(c);
	n->label_count = proto_part_count(c, RV_LABELS_MAX, 3);
	n->labels = labels = proto_part_room(c, r->arena, n->label_count, sizeof(*labels));
	for (i = 0; i < n->label_count && !c->failed; i++) {
		proto_read_array_of(c, 2);
		labels[i].key = proto_read_str(c);
		labels[i].value = proto_read_str(c);
	}
	n->resource_count = proto_part_count(c, RV_RESOURCES_MAX, 3);
	n->resources = resources = proto_part_room(c, r->arena, n->resource_count, sizeof(*resources));
	for (i = 0; i < n->resource_count && !c->failed; i++) {
		proto_read_array_of(c, 2);
		resources[i].name = proto_read_str(c);
		resources[i].amount = proto_read_uint(c);
	}
	n->kill_level = proto_read_str(c);
}

static void read_hello(struct reading *r, struct proto_hello *h)
{
	struct proto_cursor *c = r->c;
	struct proto_held *held;
	uint32_t i;

	read_node_info(r, &h->node);
	h->n = proto_read_uint(c);
	h->page = proto_read_u32(c);
	h->last = proto_read_bool(c);
	h->held_count = proto_part_count(c, RV_FRAME_VALUES_MAX, 6);
	h->held = held = proto_part_room(c, r->arena, h->held_count, sizeof(*held));
	for (i = 0; i < h->held_count && !c->failed; i++) {
		proto_read_array_of(c, 5);
		held[i].key.run = proto_read_uint(c);
		held[i].key.unit = proto_read_u32(c);
		held[i].key.attempt = proto_read_u32(c);
		held[i].epoch = proto_read_uint(c);
		held[i].state = (enum proto_held_state)read_enum(c, 0, PROTO_HELD_FINISHED);
	}
}

static void pack_welcome(struct proto_pack *p, const struct proto_msg *m)
{
	uint32_t i;

	proto_pack_array(p, 6);
	proto_pack_uint(p, PROTO_WELCOME);
	proto_pack_uint(p, m->welcome.epoch);
	proto_pack_uint(p, m->welcome.session);
	proto_pack_uint(p, m->welcome.heartbeat_us);
	proto_pack_bin(p, m->welcome.cluster.at, m->welcome.cluster.bytes);
	proto_pack_array(p, m->verdict_count);
	for (i = 0; i < m->verdict_count; i++) {
		const struct proto_held_verdict *v = &m->verdicts[i];

		proto_pack_array(p, 5);
		proto_pack_uint(p, v->key.run);
		proto_pack_uint(p, v->key.unit);
		proto_pack_uint(p, v->key.attempt);
		proto_pack_uint(p, v->verdict);
		proto_pack_uint(p, v->lease_us);
	}
}

static void read_welcome(struct reading *r, struct proto_msg *m)
{
	struct proto_cursor *c = r->c;
	struct proto_held_verdict *v;
	uint32_t i;

	m->welcome.epoch = proto_read_uint(c);
	m->welcome.session = proto_read_uint(c);
	m->welcome.heartbeat_us = proto_read_uint(c);
	m->welcome.cluster = proto_read_bin(c);
	m->verdict_count = proto_part_count(c, RV_FRAME_VALUES_MAX, 6);
	m->verdicts = v = proto_part_room(c, r->arena, m->verdict_count, sizeof(*v));
	for (i = 0; i < m->verdict_count && !c->failed; i++) {
		proto_read_array_of(c, 5);
		v[i].key.run = proto_read_uint(c);
		v[i].key.unit = proto_read_u32(c);
		v[i].key.attempt = proto_read_u32(c);
		v[i].verdict = (enum proto_verdict)read_enum(c, 0, PROTO_FORGET);
		v[i].lease_us = proto_read_uint(c);
	}
}

static void pack_single(struct proto_pack *p, const struct proto_msg *m)
{
	const struct proto_heartbeat *h = &m->heartbeat;
	const struct proto_hb_ack *a = &m->hb_ack;

	switch (m->kind) {
	case PROTO_HELLO:
		pack_hello(p, &m->hello);
		return;
	case PROTO_WELCOME:
		pack_welcome(p, m);
		return;
	case PROTO_HEARTBEAT:
		proto_pack_array(p, 7);
		proto_pack_uint(p, m->kind);
		proto_pack_uint(p, h->session);
		proto_pack_uint(p, h->n);
		proto_pack_uint(p, h->sent);
		proto_pack_uint(p, h->received);
		proto_pack_uint(p, h->digest);
		proto_pack_uint(p, h->load);
		return;
	case PROTO_HB_ACK:
		proto_pack_array(p, 6);
		proto_pack_uint(p, m->kind);
		proto_pack_uint(p, a->session);
		proto_pack_uint(p, a->n);
		proto_pack_uint(p, a->received);
		proto_pack_uint(p, a->heartbeat_us);
		proto_pack_bool(p, a->want_table);
		return;
	case PROTO_CHECKPOINT:
		proto_pack_array(p, 2);
		proto_pack_uint(p, m->kind);
		proto_pack_uint(p, m->checkpoint.n);
		return;
	case PROTO_GOAWAY:
		proto_pack_array(p, 2);
		proto_pack_uint(p, m->kind);
		proto_pack_uint(p, m->goaway.why);
		return;
	default: /* BYE, DRAIN */
		proto_pack_array(p, 1);
		proto_pack_uint(p, m->kind);
	}
}

/* `fields`: of the message, its kind not counted. */
static void read_single(struct reading *r, uint32_t fields, struct proto_msg *m)
{
	static const uint8_t fields_of[] = { [PROTO_HELLO] = 5,  [PROTO_HEARTBEAT] = 6, [PROTO_BYE] = 0,
					     [PROTO_WELCOME] = 5, [PROTO_HB_ACK] = 5,   [PROTO_CHECKPOINT] = 1,
					     [PROTO_DRAIN] = 0,  [PROTO_GOAWAY] = 1 };
	struct proto_cursor *c = r->c;

	if (fields != fields_of[m->kind]) {
		c->failed = true;
		return;
	}
	switch (m->kind) {
	case PROTO_HELLO:
		read_hello(r, &m->hello);
		break;
	case PROTO_WELCOME:
		read_welcome(r, m);
		break;
	case PROTO_HEARTBEAT:
		m->heartbeat.session = proto_read_uint(c);
		m->heartbeat.n = proto_read_uint(c);
		m->heartbeat.sent = proto_read_uint(c);
		m->heartbeat.received = proto_read_uint(c);
		m->heartbeat.digest = proto_read_uint(c);
		m->heartbeat.load = proto_read_uint(c);
		break;
	case PROTO_HB_ACK:
		m->hb_ack.session = proto_read_uint(c);
		m->hb_ack.n = proto_read_uint(c);
		m->hb_ack.received = proto_read_uint(c);
		m->hb_ack.heartbeat_us = proto_read_uint(c);
		m->hb_ack.want_table = proto_read_bool(c);
		break;
	case PROTO_CHECKPOINT:
		m->checkpoint.n = proto_read_uint(c);
		break;
	case PROTO_GOAWAY:
		m->goaway.why = (enum proto_goaway_why)read_enum(c, PROTO_GOAWAY_DUPLICATE, PROTO_GOAWAY_SHUTDOWN);
		break;
	default:
		break;
	}
}

/* --- the writer ---------------------------------------------------------------------------------------------------------- */

void proto_frame_writer_init(struct proto_frame_writer *w)
{
	memset(w, 0, sizeof(*w));
	/* room past a frame's end: what is one item too long is written first, and taken back */
	rv_buf_init(&w->body, 2 * RV_FRAME_BYTES_MAX);
	rv_buf_init(&w->items, 2 * RV_FRAME_BYTES_MAX);
	rv_buf_init(&w->specs, 2 * RV_FRAME_BYTES_MAX);
}

void proto_frame_writer_release(struct proto_frame_writer *w)
{
	rv_buf_release(&w->body);
	rv_buf_release(&w->items);
	rv_buf_release(&w->specs);
	memset(w, 0, sizeof(*w));
}

bool proto_frame_empty(const struct proto_frame_writer *w)
{
	return w->message_count == 0 && w->open == PROTO_NONE;
}

static void reset_open(struct proto_frame_writer *w)
{
	rv_buf_reset(&w->items);
	rv_buf_reset(&w->specs);
	memset(w->seen, 0, sizeof(w->seen));
	w->item_count = w->spec_count = 0;
	w->open = PROTO_NONE;
	w->open_run = 0;
}

static void reset(struct proto_frame_writer *w)
{
	reset_open(w);
	rv_buf_reset(&w->body);
	w->message_count = w->value_count = 0;
}

/* The batched message that collects items becomes one of the body. */
static void close_open(struct proto_frame_writer *w)
{
	struct proto_pack p;

	if (w->open == PROTO_NONE)
		return;
	proto_pack_init(&p, &w->body);
	proto_pack_array(&p, w->open == PROTO_DISPATCH ? 4 : 3);
	proto_pack_uint(&p, w->open);
	proto_pack_uint(&p, w->open_run);
	if (w->open == PROTO_DISPATCH) {
		proto_pack_array(&p, w->spec_count);
		(void)rv_buf_put_str(&w->body, rv_buf_str(&w->specs)); /* a failure stays in body.failed */
	}
	proto_pack_array(&p, w->item_count);
	(void)rv_buf_put_str(&w->body, rv_buf_str(&w->items));
	w->value_count += p.values;
	w->message_count++;
	reset_open(w);
}

static bool fits(const struct proto_frame_writer *w, uint32_t more_values)
{
	size_t bytes = FRAME_HEAD_BYTES + w->body.bytes;
	uint64_t values = 2 + (uint64_t)w->value_count + more_values;

	if (w->open != PROTO_NONE) {
		bytes += MESSAGE_HEAD_BYTES + w->specs.bytes + w->items.bytes;
		values += MESSAGE_HEAD_VALUES;
	}
	return bytes <= RV_FRAME_BYTES_MAX && values <= RV_FRAME_VALUES_MAX;
}

static int fail_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for a message");
}

static int fail_large(enum proto_msg_kind kind, struct rv_err *err)
{
	return rv_fail(err, RV_E_LIMIT, "a %s does not fit a frame of %zu bytes", proto_msg_name(kind),
		       RV_FRAME_BYTES_MAX);
}

static int add_single(struct proto_frame_writer *w, const struct proto_msg *m, struct rv_err *err)
{
	struct proto_pack p;
	size_t before;

	close_open(w);
	if (w->body.failed)
		return fail_memory(err);
	before = w->body.bytes;
	proto_pack_init(&p, &w->body);
	pack_single(&p, m);
	if (!w->body.failed && fits(w, p.values)) {
		w->value_count += p.values;
		w->message_count++;
		return 0;
	}
	w->body.bytes = before;
	w->body.failed = false;
	return before ? 1 : fail_large(m->kind, err);
}

static size_t seen_slot(const char *at)
{
	uintptr_t a = (uintptr_t)at;

	return (a ^ a >> 4 ^ a >> 8) % RV_ARRAY_LEN(((struct proto_frame_writer *)0)->seen);
}

/* The place of the spec in the open message's table; it is added if it is new. The writer's own copy is compared, so
 * memory that was used again for another spec is no danger. */
static uint32_t spec_place(struct proto_frame_writer *w, struct rv_str spec, uint32_t *values)
{
	size_t slot = seen_slot(spec.at);
	struct proto_pack p;

	if (w->seen[slot].at == spec.at && w->seen[slot].bytes == spec.bytes &&
	    memcmp(w->specs.at + w->seen[slot].offset, spec.at, spec.bytes) == 0)
		return w->seen[slot].place;
	proto_pack_init(&p, &w->specs);
	proto_pack_bin(&p, spec.at, spec.bytes);
	*values += p.values;
	w->seen[slot].at = spec.at;
	w->seen[slot].bytes = (uint32_t)spec.bytes;
	w->seen[slot].offset = (uint32_t)(w->specs.bytes - spec.bytes);
	w->seen[slot].place = w->spec_count;
	return w->spec_count++;
}

static int check_dispatch(const struct proto_dispatch *d, struct rv_err *err)
{
	if (d->spec.bytes > PROTO_SPEC_INLINE_BYTES)
		return rv_fail(err, RV_E_LIMIT, "a spec of %zu bytes inside a message; the limit is %zu",
			       d->spec.bytes, PROTO_SPEC_INLINE_BYTES);
	rv_check(d->spec_blob.kind != PROTO_VALUE_INLINE);
	rv_check(d->deps_blob.kind != PROTO_VALUE_INLINE);
	rv_check(d->dep_count == 0 || d->deps_blob.kind == PROTO_VALUE_NONE);
	return 0;
}

static int add_item(struct proto_frame_writer *w, const struct proto_msg *m, struct rv_err *err)
{
	size_t items_before, specs_before;
	uint32_t specs_count, place = 0, values = 0;
	struct proto_pack p;
	int rc;

	if (m->kind == PROTO_DISPATCH && check_dispatch(&m->dispatch, err))
		return -1;
	if (w->open != m->kind || w->open_run != m->taken.run) {
		close_open(w);
		if (w->body.failed)
			return fail_memory(err);
		w->open = m->kind;
		w->open_run = m->taken.run;
	}
	items_before = w->items.bytes;
	specs_before = w->specs.bytes;
	specs_count = w->spec_count;
	if (m->kind == PROTO_DISPATCH && m->dispatch.spec.bytes)
		place = spec_place(w, m->dispatch.spec, &values);
	proto_pack_init(&p, &w->items);
	rc = pack_item(&p, m, place, err);
	values += p.values;
	if (rc == 0 && !w->items.failed && !w->specs.failed && fits(w, values)) {
		w->value_count += values;
		w->item_count++;
		return 0;
	}
	if (rc == 0)
		rc = w->body.bytes || items_before ? 1 : fail_large(m->kind, err);
	/* as if it had never been tried */
	w->items.bytes = items_before;
	w->specs.bytes = specs_before;
	w->items.failed = w->specs.failed = false;
	if (w->spec_count != specs_count)
		memset(w->seen, 0, sizeof(w->seen));
	w->spec_count = specs_count;
	if (w->item_count == 0)
		reset_open(w);
	return rc;
}

int proto_frame_add(struct proto_frame_writer *w, const struct proto_msg *m, struct rv_err *err)
{
	return batched(m->kind) ? add_item(w, m, err) : add_single(w, m, err);
}

int proto_frame_finish(struct proto_frame_writer *w, struct rv_buf *out)
{
	struct proto_pack p;
	int rc;

	close_open(w);
	rv_buf_reset(out);
	if (w->body.failed) {
		reset(w);
		return -1;
	}
	proto_pack_init(&p, out);
	proto_pack_array(&p, 1 + w->message_count);
	proto_pack_uint(&p, PROTO_VERSION);
	rc = rv_buf_put_str(out, rv_buf_str(&w->body));
	reset(w);
	return rc;
}

/* --- the reader ------------------------------------------------------------------------------------------------------------ */

struct proto_frame_reader {
	struct proto_cursor c;
	enum proto_direction direction;
	uint32_t messages; /* still to come */
	/* the batched message being read */
	enum proto_msg_kind kind;
	uint64_t run;
	uint32_t items; /* still to come */
	struct rv_str *specs;
	uint32_t spec_count, spec_room;
	struct rv_arena arena; /* arrays of the item that was handed out last */
};

struct proto_frame_reader *proto_frame_reader_create(void)
{
	struct proto_frame_reader *r = calloc(1, sizeof(*r));

	if (r)
		rv_arena_init(&r->arena, 0);
	return r;
}

void proto_frame_reader_destroy(struct proto_frame_reader **r)
{
	if (!*r)
		return;
	rv_arena_release(&(*r)->arena);
	free((*r)->specs);
	free(*r);
	*r = NULL;
}

int proto_frame_open(struct proto_frame_reader *r, struct rv_str frame, enum proto_direction direction,
		     struct rv_err *err)
{
	struct proto_scan_limits limits = PROTO_SCAN_FRAME;
	uint64_t version;

	r->messages = r->items = 0;
	r->c = (struct proto_cursor){ .failed = true };
	if (proto_scan(frame, &limits, err))
		return -1;
	r->c = proto_cursor(frame);
	r->direction = direction;
	r->messages = proto_read_array(&r->c);
	version = proto_read_uint(&r->c);
	if (r->c.failed || r->messages == 0) {
		r->c.failed = true;
		return rv_fail(err, RV_E_CORRUPT, "not a frame");
	}
	if (version != PROTO_VERSION) {
		r->c.failed = true;
		return rv_fail(err, RV_E_VERSION, "a frame of protocol version %llu; this side speaks %u",
			       (unsigned long long)version, PROTO_VERSION);
	}
	r->messages--;
	return 0;
}

static bool known(uint64_t kind)
{
	switch (kind) {
#define X(number, name, direction, role, since) case number:
		PROTO_MSGS(X)
#undef X
		return true;
	default:
		return false;
	}
}

static int read_specs(struct proto_frame_reader *r)
{
	uint32_t i, n = proto_part_count(&r->c, RV_FRAME_VALUES_MAX, 2);

	if (n > r->spec_room) {
		struct rv_str *more = realloc(r->specs, n * sizeof(*more));

		if (!more)
			return -1;
		r->specs = more;
		r->spec_room = n;
	}
	for (i = 0; i < n; i++) {
		r->specs[i] = proto_read_bin(&r->c);
		if (r->specs[i].bytes == 0 || r->specs[i].bytes > PROTO_SPEC_INLINE_BYTES)
			r->c.failed = true;
	}
	r->spec_count = n;
	return 0;
}

static int fail_malformed(struct proto_frame_reader *r, enum proto_msg_kind kind, struct rv_err *err)
{
	r->c.failed = true;
	r->messages = r->items = 0;
	return rv_fail(err, RV_E_CORRUPT, "malformed %s", proto_msg_name(kind));
}

/* Opens the next message: kind, and for a batched one what comes before its items. */
static int next_message(struct proto_frame_reader *r, uint32_t *fields, struct rv_err *err)
{
	uint64_t kind;

	r->messages--;
	*fields = proto_read_array(&r->c);
	kind = proto_read_uint(&r->c);
	if (r->c.failed || *fields == 0)
		return fail_malformed(r, PROTO_NONE, err);
	--*fields;
	if (!known(kind) || proto_msg_direction((enum proto_msg_kind)kind) != r->direction) {
		r->c.failed = true;
		return rv_fail(err, RV_E_CORRUPT, "message %llu is not one that this side takes",
			       (unsigned long long)kind);
	}
	r->kind = (enum proto_msg_kind)kind;
	if (!batched(r->kind))
		return 0;
	r->run = proto_read_uint(&r->c);
	r->spec_count = 0;
	if (*fields != (r->kind == PROTO_DISPATCH ? 3u : 2u))
		return fail_malformed(r, r->kind, err);
	if (r->kind == PROTO_DISPATCH && read_specs(r)) {
		r->c.failed = true;
		return fail_memory(err);
	}
	r->items = proto_read_array(&r->c);
	if (r->c.failed)
		return fail_malformed(r, r->kind, err);
	return 0;
}

int proto_frame_next(struct proto_frame_reader *r, struct proto_msg *m, struct rv_err *err)
{
	struct reading reading = { .c = &r->c, .arena = &r->arena };
	uint32_t fields = 0;
	bool single = false;

	rv_arena_release(&r->arena);
	if (r->c.failed)
		return rv_fail(err, RV_E_CORRUPT, "malformed frame");
	while (r->items == 0) {
		if (r->messages == 0) {
			if (proto_cursor_done(&r->c))
				return 0;
			return fail_malformed(r, PROTO_NONE, err);
		}
		if (next_message(r, &fields, err))
			return -1;
		single = !batched(r->kind);
		if (single)
			break;
	}
	memset(m, 0, sizeof(*m));
	m->kind = r->kind;
	if (single) {
		read_single(&reading, fields, m);
	} else {
		reading.specs = r->specs;
		reading.spec_count = r->spec_count;
		r->items--;
		read_item(&reading, r->run, m);
	}
	if (r->c.failed)
		return fail_malformed(r, m->kind, err);
	return 1;
}
