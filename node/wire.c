#include "node/wire.h"

#include "common/check.h"

#include <stdlib.h>

int node_wire_init(struct node_wire *w, const struct proto_node_info *info, int (*send)(void *arg, struct rv_str frame), void *arg)
{
	rv_check(info);
	rv_check(send);
	memset(w, 0, sizeof(*w));
	proto_frame_writer_init(&w->writer);
	rv_buf_init(&w->frame, RV_FRAME_BYTES_MAX);
	w->info = info;
	w->send = send;
	w->arg = arg;
	w->held = malloc(NODE_WIRE_PAGE * sizeof(w->held[0]));
	return w->held ? 0 : -1;
}

void node_wire_release(struct node_wire *w)
{
	proto_frame_writer_release(&w->writer);
	rv_buf_release(&w->frame);
	free(w->held);
	memset(w, 0, sizeof(*w));
}

void node_wire_flush(struct node_wire *w)
{
	if (proto_frame_empty(&w->writer))
		return;
	if (proto_frame_finish(&w->writer, &w->frame) < 0 || w->send(w->arg, rv_buf_str(&w->frame)) < 0) {
		w->dropped++;
		return;
	}
	w->frames++;
}

static int add(struct node_wire *w, const struct proto_msg *m, struct rv_err *err)
{
	int rc = proto_frame_add(&w->writer, m, err);

	if (rc != 1)
		return rc;
	node_wire_flush(w);
	rc = proto_frame_add(&w->writer, m, err);
	rv_check(rc != 1); /* what does not fit an empty frame is -1 */
	return rc;
}

int node_wire_say(struct node_wire *w, const struct proto_msg *m, struct rv_err *err)
{
	return add(w, m, err);
}

static int put_page(struct node_wire *w, struct rv_err *err)
{
	struct proto_msg m = { .kind = PROTO_HELLO };

	m.hello.node = *w->info;
	m.hello.n = w->hello_n;
	m.hello.page = w->page++;
	m.hello.last = w->held_left == 0;
	m.hello.held = w->held;
	m.hello.held_count = w->held_count;
	w->held_count = 0;
	return add(w, &m, err);
}

/* HELLO opens the first page; it leaves when it is full or nothing more is held. */
static int put_hello(struct node_wire *w, const struct node_effect *fx, struct rv_err *err)
{
	uint32_t held_count = fx->hello.held_count;

	w->hello_n = fx->hello.n;
	w->held_count = 0;
	w->held_left = held_count;
	w->page = 0;
	return held_count ? 0 : put_page(w, err);
}

static int put_held(struct node_wire *w, const struct proto_held *held, struct rv_err *err)
{
	rv_check(w->held_left);
	w->held[w->held_count++] = *held;
	w->held_left--;
	return w->held_count == NODE_WIRE_PAGE || w->held_left == 0 ? put_page(w, err) : 0;
}

bool node_wire_is_message(enum node_effect_kind kind)
{
	return kind >= NODE_FX_HELLO && kind <= NODE_FX_BYE;
}

int node_wire_put(struct node_wire *w, const struct node_effect *fx, const struct proto_result *result, uint64_t start_us,
		  struct rv_err *err)
{
	struct proto_msg *m = &w->message;

	switch (fx->kind) {
	case NODE_FX_HELLO:
		return put_hello(w, fx, err);
	case NODE_FX_HELD:
		return put_held(w, &fx->held, err);
	case NODE_FX_HEARTBEAT:
		m->kind = PROTO_HEARTBEAT;
		m->heartbeat = fx->heartbeat;
		break;
	case NODE_FX_TAKEN:
		m->kind = PROTO_TAKEN;
		m->taken = fx->key;
		break;
	case NODE_FX_REJECTED:
		m->kind = PROTO_REJECTED;
		m->rejected = (struct proto_rejected){ .key = fx->key, .why = fx->why };
		break;
	case NODE_FX_STARTED:
		m->kind = PROTO_STARTED;
		m->started = (struct proto_started){ .key = fx->key, .start_us = start_us };
		break;
	case NODE_FX_RESULT:
		rv_check(result);
		m->kind = PROTO_RESULT;
		if (result != &m->result)
			m->result = *result;
		break;
	case NODE_FX_NOT_HERE:
		m->kind = PROTO_NOT_HERE;
		m->not_here = fx->key;
		break;
	case NODE_FX_RETRACTED:
		m->kind = PROTO_RETRACTED;
		m->retracted = fx->key;
		break;
	case NODE_FX_ALREADY_STARTED:
		m->kind = PROTO_ALREADY_STARTED;
		m->already_started = fx->key;
		break;
	case NODE_FX_BYE:
		m->kind = PROTO_BYE;
		break;
	default:
		rv_check(!"an effect that is no message");
	}
	return add(w, m, err);
}

/* --- messages to events ------------------------------------------------------------------------------------------ */

static enum node_event_kind event_kind(enum proto_msg_kind kind)
{
	switch (kind) {
	case PROTO_WELCOME:
		return NODE_EV_WELCOME;
	case PROTO_HB_ACK:
		return NODE_EV_HB_ACK;
	case PROTO_DISPATCH:
		return NODE_EV_DISPATCH;
	case PROTO_CANCEL:
		return NODE_EV_CANCEL;
	case PROTO_RESULT_ACK:
		return NODE_EV_RESULT_ACK;
	case PROTO_RETRACT:
		return NODE_EV_RETRACT;
	case PROTO_CHECKPOINT:
		return NODE_EV_CHECKPOINT;
	case PROTO_DRAIN:
		return NODE_EV_DRAIN;
	case PROTO_GOAWAY:
		return NODE_EV_GOAWAY;
	/* not the core's: blobs and logs */
	case PROTO_BLOB_WANTED:
	case PROTO_BLOB_DATA:
	case PROTO_LOG_WANTED:
		break;
	/* what others say or hear; the reader refuses it in this direction */
	case PROTO_HELLO:
	case PROTO_HEARTBEAT:
	case PROTO_TAKEN:
	case PROTO_REJECTED:
	case PROTO_STARTED:
	case PROTO_RESULT:
	case PROTO_NOT_HERE:
	case PROTO_RETRACTED:
	case PROTO_ALREADY_STARTED:
	case PROTO_USAGE:
	case PROTO_BYE:
	case PROTO_NONE:
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
	return 0;
}

uint32_t node_wire_event_count(const struct proto_msg *m)
{
	if (!event_kind(m->kind))
		return 0;
	return m->kind == PROTO_WELCOME ? 1 + m->verdict_count : 1;
}

void node_wire_event(const struct proto_msg *m, uint32_t i, const struct node_wire_spec *spec, uint64_t now_us, struct node_event *ev)
{
	rv_check(i < node_wire_event_count(m));
	memset(ev, 0, sizeof(*ev));
	ev->now_us = now_us;
	ev->slot = NODE_NONE;
	ev->kind = event_kind(m->kind);
	switch (m->kind) {
	case PROTO_WELCOME:
		if (i == 0) {
			ev->welcome = &m->welcome;
			break;
		}
		ev->kind = NODE_EV_VERDICT;
		ev->verdict = &m->verdicts[i - 1];
		break;
	case PROTO_HB_ACK:
		ev->hb_ack = &m->hb_ack;
		break;
	case PROTO_DISPATCH:
		rv_check(spec);
		ev->dispatch.dispatch = &m->dispatch;
		ev->dispatch.agent_kind = spec->agent_kind;
		ev->dispatch.flags = spec->flags;
		ev->dispatch.cpus = spec->cpus;
		ev->dispatch.mock_delay_us = spec->mock_delay_us;
		ev->dispatch.refuse = spec->refuse;
		break;
	case PROTO_CANCEL:
		ev->cancel = &m->cancel;
		break;
	case PROTO_RESULT_ACK:
		ev->result_ack = &m->result_ack;
		break;
	case PROTO_RETRACT:
		ev->key = m->retract;
		break;
	case PROTO_CHECKPOINT:
		ev->checkpoint = m->checkpoint;
		break;
	case PROTO_GOAWAY:
		ev->goaway = m->goaway;
		break;
	default:
		break;
	}
}
