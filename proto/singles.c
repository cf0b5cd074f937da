/* singles.c - messages that come alone: [kind, field...]; for each kind the two directions side by side */
#include "proto/fields.h"

static void pack_hello(struct proto_pack *p, const struct proto_hello *h)
{
	const struct proto_node_info *n = &h->node;
	uint32_t i;

	proto_pack_array(p, 6);
	proto_pack_uint(p, PROTO_HELLO);
	proto_pack_array(p, n->abilities ? 12 : 11);
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
	proto_pack_array(p, n->agent_count);
	for (i = 0; i < n->agent_count; i++) {
		proto_pack_array(p, 2);
		proto_pack_str(p, n->agents[i].key);
		proto_pack_str(p, n->agents[i].value);
	}
	if (n->abilities)
		proto_pack_uint(p, n->abilities);
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

static void read_node_info(struct proto_reading *r, struct proto_node_info *n)
{
	struct proto_cursor *c = r->c;
	struct proto_named_amount *resources;
	struct proto_label *labels, *agents;
	uint32_t i, fields = proto_read_array(c);

	if (fields != 11 && fields != 12)
		c->failed = true;
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
	n->agent_count = proto_part_count(c, RV_NODE_AGENTS_MAX, 3);
	n->agents = agents = proto_part_room(c, r->arena, n->agent_count, sizeof(*agents));
	for (i = 0; i < n->agent_count && !c->failed; i++) {
		proto_read_array_of(c, 2);
		agents[i].key = proto_read_str(c);
		agents[i].value = proto_read_str(c);
	}
	if (fields == 12)
		n->abilities = proto_read_u32(c);
}

static void read_hello(struct proto_reading *r, struct proto_hello *h)
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
		held[i].state = (enum proto_held_state)proto_read_enum(c, 0, PROTO_HELD_FINISHED);
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

static void read_welcome(struct proto_reading *r, struct proto_msg *m)
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
		v[i].verdict = (enum proto_verdict)proto_read_enum(c, 0, PROTO_FORGET);
		v[i].lease_us = proto_read_uint(c);
	}
}

int proto_single_pack(struct proto_pack *p, const struct proto_msg *m, struct rv_err *err)
{
	const struct proto_heartbeat *h = &m->heartbeat;
	const struct proto_hb_ack *a = &m->hb_ack;

	switch (m->kind) {
	case PROTO_HELLO:
		pack_hello(p, &m->hello);
		return 0;
	case PROTO_WELCOME:
		pack_welcome(p, m);
		return 0;
	case PROTO_HEARTBEAT:
		proto_pack_array(p, 7);
		proto_pack_uint(p, m->kind);
		proto_pack_uint(p, h->session);
		proto_pack_uint(p, h->n);
		proto_pack_uint(p, h->sent);
		proto_pack_uint(p, h->received);
		proto_pack_uint(p, h->digest);
		proto_pack_uint(p, h->load);
		return 0;
	case PROTO_HB_ACK:
		proto_pack_array(p, 6);
		proto_pack_uint(p, m->kind);
		proto_pack_uint(p, a->session);
		proto_pack_uint(p, a->n);
		proto_pack_uint(p, a->received);
		proto_pack_uint(p, a->heartbeat_us);
		proto_pack_bool(p, a->want_table);
		return 0;
	case PROTO_CHECKPOINT:
		proto_pack_array(p, 2);
		proto_pack_uint(p, m->kind);
		proto_pack_uint(p, m->checkpoint.n);
		return 0;
	case PROTO_GOAWAY:
		proto_pack_array(p, 3);
		proto_pack_uint(p, m->kind);
		proto_pack_uint(p, m->goaway.why);
		proto_pack_bin(p, m->goaway.holder, PROTO_DIGEST_BYTES);
		return 0;
	case PROTO_BYE:
	case PROTO_DRAIN:
		proto_pack_array(p, 1);
		proto_pack_uint(p, m->kind);
		return 0;
	default:
		return proto_client_pack(p, m, err);
	}
}

void proto_single_read(struct proto_reading *r, uint32_t fields, struct proto_msg *m)
{
	static const uint8_t fields_of[] = { [PROTO_HELLO] = 5,  [PROTO_HEARTBEAT] = 6, [PROTO_BYE] = 0,
					     [PROTO_WELCOME] = 5, [PROTO_HB_ACK] = 5,   [PROTO_CHECKPOINT] = 1,
					     [PROTO_DRAIN] = 0,  [PROTO_GOAWAY] = 2 };
	struct proto_cursor *c = r->c;

	if (proto_client_is(m->kind)) {
		proto_client_read(r, fields, m);
		return;
	}
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
		m->goaway.why = (enum proto_goaway_why)proto_read_enum(c, PROTO_GOAWAY_DUPLICATE, PROTO_GOAWAY_SILENT);
		proto_read_fixed(c, m->goaway.holder, PROTO_DIGEST_BYTES);
		break;
	default:
		break;
	}
}
