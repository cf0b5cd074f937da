/* items.c - the items of batched messages: [unit, attempt, ...]; for each kind the two directions side by side */
#include "proto/fields.h"

static void pack_key(struct proto_pack *p, uint32_t fields, const struct proto_attempt_key *key)
{
	proto_pack_array(p, 2 + fields);
	proto_pack_uint(p, key->unit);
	proto_pack_uint(p, key->attempt);
}

/* How many of the fields behind the spec have something to say, or stand before one that has. */
static uint32_t dispatch_more(const struct proto_dispatch *d)
{
	if (d->after.attempt)
		return 9;
	if (d->flags)
		return 7;
	if (d->cost_left_microusd)
		return 6;
	if (d->tokens_left)
		return 5;
	if (d->note.bytes)
		return 4;
	if (d->deps_blob.kind != PROTO_VALUE_NONE)
		return 3;
	return d->dep_count ? 2 : d->item.bytes ? 1 : 0;
}

static void pack_dispatch(struct proto_pack *p, const struct proto_dispatch *d, uint32_t spec_place, struct rv_err *err,
			  int *rc)
{
	uint32_t more = dispatch_more(d);

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
	if (more >= 4)
		proto_pack_bin(p, d->note.at, d->note.bytes);
	if (more >= 5)
		proto_pack_uint(p, d->tokens_left);
	if (more >= 6)
		proto_pack_uint(p, d->cost_left_microusd);
	if (more >= 7)
		proto_pack_uint(p, d->flags);
	if (more >= 9) {
		proto_pack_uint(p, d->after.unit);
		proto_pack_uint(p, d->after.attempt);
	}
}

static void read_dispatch(struct proto_reading *r, uint32_t more, struct proto_dispatch *d)
{
	struct proto_cursor *c = r->c;

	if (more < 5 || more > 14 || more == 13) {
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
		if (d->deps_blob.kind == PROTO_VALUE_INLINE || (d->deps_blob.kind == PROTO_VALUE_BLOB && d->dep_count))
			c->failed = true;
	}
	if (more >= 9)
		d->note = proto_read_bin(c);
	if (more >= 10)
		d->tokens_left = proto_read_uint(c);
	if (more >= 11)
		d->cost_left_microusd = proto_read_uint(c);
	if (more >= 12)
		d->flags = (uint32_t)proto_read_uint_to(c, PROTO_DISPATCH_FLAGS_ALL);
	if (more >= 14) {
		d->after.unit = proto_read_u32(c);
		d->after.attempt = proto_read_u32(c);
		c->failed |= !d->after.attempt;
	}
	if (d->note.bytes > PROTO_NOTE_BYTES_MAX)
		c->failed = true;
}

int proto_item_pack(struct proto_pack *p, const struct proto_msg *m, uint32_t spec_place, struct rv_err *err)
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
	case PROTO_USAGE:
		pack_key(p, 1, &m->usage.key);
		proto_pack_usage(p, &m->usage.usage);
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
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, usage.key), "key first");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, dispatch.key), "key first");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, cancel.key), "key first");
_Static_assert(offsetof(struct proto_msg, taken) == offsetof(struct proto_msg, result_ack.key), "key first");

void proto_item_read(struct proto_reading *r, uint64_t run, struct proto_msg *m)
{
	struct proto_cursor *c = r->c;
	uint32_t fields = proto_read_array(c);
	static const uint8_t more_of[] = { [PROTO_REJECTED] = 1, [PROTO_STARTED] = 1, [PROTO_CANCEL] = 3,
					   [PROTO_RESULT_ACK] = 1, [PROTO_USAGE] = 1, [PROTO_RETRACT] = 0 };
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
		m->rejected.why = (enum proto_reject_why)proto_read_enum(c, PROTO_REJECT_FULL, PROTO_REJECT_BAD_SPEC);
		break;
	case PROTO_STARTED:
		m->started.start_us = proto_read_uint(c);
		break;
	case PROTO_CANCEL:
		m->cancel.epoch = proto_read_uint(c);
		m->cancel.grace_us = proto_take_nil(c) ? RV_NEVER : proto_read_uint(c);
		m->cancel.reason = (enum proto_reason)proto_read_enum(c, 0, PROTO_REASON_COUNT - 1);
		break;
	case PROTO_USAGE:
		proto_read_usage(c, &m->usage.usage);
		break;
	case PROTO_RESULT_ACK:
		m->result_ack.ack = (enum proto_ack)proto_read_enum(c, PROTO_ACK_ACCEPTED, PROTO_ACK_FENCED);
		break;
	default:
		break;
	}
}
