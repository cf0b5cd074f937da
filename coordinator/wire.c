#include "coordinator/wire.h"

#include "common/check.h"

int coord_wire_event(const struct proto_msg *m, uint64_t now_us, uint64_t real_us, uint64_t peer, struct coord_event *ev)
{
	*ev = (struct coord_event){ .now_us = now_us, .real_us = real_us, .peer = peer };
	switch (m->kind) {
	case PROTO_HELLO:
		ev->kind = COORD_EV_HELLO;
		ev->hello = &m->hello;
		return 0;
	case PROTO_HEARTBEAT:
		ev->kind = COORD_EV_HEARTBEAT;
		ev->heartbeat = &m->heartbeat;
		return 0;
	case PROTO_TAKEN:
		ev->kind = COORD_EV_TAKEN;
		ev->key = m->taken;
		return 0;
	case PROTO_REJECTED:
		ev->kind = COORD_EV_REJECTED;
		ev->rejected = &m->rejected;
		return 0;
	case PROTO_STARTED:
		ev->kind = COORD_EV_STARTED;
		ev->started = &m->started;
		return 0;
	case PROTO_RESULT:
		ev->kind = COORD_EV_RESULT;
		ev->result = &m->result;
		return 0;
	case PROTO_NOT_HERE:
		ev->kind = COORD_EV_NOT_HERE;
		ev->key = m->not_here;
		return 0;
	case PROTO_RETRACTED:
		ev->kind = COORD_EV_RETRACTED;
		ev->key = m->retracted;
		return 0;
	case PROTO_ALREADY_STARTED:
		ev->kind = COORD_EV_ALREADY_STARTED;
		ev->key = m->already_started;
		return 0;
	case PROTO_USAGE:
		ev->kind = COORD_EV_USAGE;
		ev->usage = &m->usage;
		return 0;
	case PROTO_BYE:
		ev->kind = COORD_EV_NODE_GONE;
		return 0;
	/* not the core's: clients, joining, blobs and logs */
	case PROTO_BLOB_GET:
	case PROTO_BLOB_CHUNK:
	case PROTO_LOG_CHUNK:
	case PROTO_ENROL:
	case PROTO_ASK:
	case PROTO_FACTS:
	case PROTO_ACT:
	case PROTO_SUBMIT_BEGIN:
	case PROTO_SUBMIT_DATA:
	case PROTO_SUBMIT_COMMIT:
	case PROTO_LOG:
	case PROTO_TOKEN_CREATE:
	case PROTO_REVOKE:
	/* what a coordinator says itself; the reader refuses it in this direction */
	case PROTO_NONE:
	case PROTO_WELCOME:
	case PROTO_HB_ACK:
	case PROTO_DISPATCH:
	case PROTO_CANCEL:
	case PROTO_RESULT_ACK:
	case PROTO_RETRACT:
	case PROTO_CHECKPOINT:
	case PROTO_DRAIN:
	case PROTO_GOAWAY:
	case PROTO_BLOB_WANTED:
	case PROTO_BLOB_DATA:
	case PROTO_LOG_WANTED:
	case PROTO_ROWS:
	case PROTO_FACT_ROWS:
	case PROTO_DONE:
	case PROTO_REFUSED:
	case PROTO_SUBMITTED:
	case PROTO_LOG_BYTES:
	case PROTO_BLOB_BYTES:
	case PROTO_TOKEN_CREATED:
	case PROTO_ENROLLED:
		break;
	}
	return -1;
}

bool coord_wire_is_message(enum coord_effect_kind kind)
{
	return kind >= COORD_FX_WELCOME && kind <= COORD_FX_GOAWAY;
}

static void dispatch_message(const struct coord_effect *fx, const struct coord_wire_dispatch *d, struct proto_dispatch *out)
{
	rv_check(d != NULL);
	*out = (struct proto_dispatch){
		.key = fx->dispatch.key,
		.epoch = d->epoch,
		.try_number = fx->dispatch.try_number,
		.lease_us = fx->dispatch.lease_us,
		.unit_id = d->unit_id,
		.item = d->item,
		.spec = d->spec,
		.spec_blob = d->spec_blob,
		.deps = d->deps,
		.dep_count = d->dep_count,
		.deps_blob = d->deps_blob,
		.note = d->note,
		.tokens_left = fx->dispatch.tokens_left,
		.cost_left_microusd = fx->dispatch.cost_left_microusd,
		.flags = fx->dispatch.no_hurry ? PROTO_DISPATCH_NO_HURRY : 0,
		.after = fx->dispatch.after,
		.workspace = d->workspace,
	};
}

void coord_wire_message(const struct coord_effect *fx, const struct coord_wire_dispatch *dispatch, struct proto_msg *m)
{
	m->verdicts = NULL;
	m->verdict_count = 0;
	switch (fx->kind) {
	case COORD_FX_HB_ACK:
		m->kind = PROTO_HB_ACK;
		m->hb_ack = fx->hb_ack;
		return;
	case COORD_FX_DISPATCH:
		m->kind = PROTO_DISPATCH;
		dispatch_message(fx, dispatch, &m->dispatch);
		return;
	case COORD_FX_CANCEL:
		m->kind = PROTO_CANCEL;
		m->cancel = fx->cancel;
		return;
	case COORD_FX_RESULT_ACK:
		m->kind = PROTO_RESULT_ACK;
		m->result_ack = fx->result_ack;
		return;
	case COORD_FX_RETRACT:
		m->kind = PROTO_RETRACT;
		m->retract = fx->retract;
		return;
	case COORD_FX_DRAIN:
		m->kind = PROTO_DRAIN;
		return;
	case COORD_FX_GOAWAY:
		m->kind = PROTO_GOAWAY;
		m->goaway = fx->goaway;
		return;
	case COORD_FX_WELCOME:
	case COORD_FX_VERDICT:
	case COORD_FX_FACT:
	case COORD_FX_TRANSITION:
	case COORD_FX_REPLY:
	case COORD_FX_RUN_FINISHED:
	case COORD_FX_RELEASE_RUN:
	case COORD_FX_LINK_OVER:
		break;
	}
	rv_check(!"an effect that is a message of its own");
}

uint32_t coord_wire_welcome(const struct coord_effects *fx, uint32_t i, const struct proto_welcome *last,
			    struct proto_held_verdict *room, uint32_t capacity, struct proto_msg *m)
{
	const struct coord_effect *first = &fx->items[i];
	uint32_t taken = 0, count = 0;

	m->kind = PROTO_WELCOME;
	m->welcome = *last;
	if (first->kind == COORD_FX_WELCOME) {
		m->welcome = first->welcome;
		taken = 1;
	}
	while (i + taken < fx->count && count < capacity && fx->items[i + taken].kind == COORD_FX_VERDICT &&
	       fx->items[i + taken].peer == first->peer)
		room[count++] = fx->items[i + taken++].verdict;
	m->verdicts = room;
	m->verdict_count = count;
	return taken;
}
