/* fuzz_daemon.c - what a coordinator might say, well-formed and not, to a daemon without a warden
 *
 * The input is a list of acts: raw bytes as a frame, or a message made of the bytes that follow, or time going by. After
 * each, the core's audits hold; at the end the daemon stops.
 */
#include "common/check.h"
#include "node/daemon.h"
#include "proto/codec.h"
#include "proto/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at, *end;
};

static uint32_t take(struct input *in, uint32_t below)
{
	return in->at < in->end ? *in->at++ % below : 0;
}

static int swallow(void *arg, struct rv_str frame)
{
	(void)arg, (void)frame;
	return 0;
}

static struct proto_attempt_key key_of(struct input *in)
{
	return (struct proto_attempt_key){ .run = 1 + take(in, 2), .unit = take(in, 4), .attempt = 1 + take(in, 4) };
}

static void make_spec(struct input *in, struct proto_spec *s)
{
	static const struct rv_str argv[] = { { "true", 4 }, { "{{item}}", 8 } };

	proto_spec_init(s);
	s->agent_kind = take(in, 3);
	s->flags = take(in, 256) & ~(uint32_t)PROTO_SPEC_NAMESPACE;
	s->argv = argv;
	s->argc = 1 + take(in, 2);
	s->cpus = take(in, 4);
	s->mock_delay_us = take(in, 4) * 1000;
	s->mock_fail = take(in, 3);
	s->output_mode = take(in, 2);
	s->evidence_mode = take(in, 3);
	s->prompt = RV_STR("do {{item}}");
}

static void make_message(struct input *in, struct proto_frame_writer *w, struct rv_buf *spec_bytes)
{
	static const enum proto_msg_kind kinds[] = { PROTO_WELCOME, PROTO_HB_ACK, PROTO_DISPATCH, PROTO_CANCEL, PROTO_RESULT_ACK,
						     PROTO_RETRACT, PROTO_CHECKPOINT, PROTO_DRAIN, PROTO_GOAWAY, PROTO_DISPATCH };
	struct proto_msg m = { .kind = kinds[take(in, RV_ARRAY_LEN(kinds))] };
	struct proto_held_verdict verdicts[3];
	struct proto_spec spec;

	switch (m.kind) {
	case PROTO_WELCOME:
		m.welcome = (struct proto_welcome){ .epoch = take(in, 3), .session = 1, .heartbeat_us = 1000 + take(in, 200) * 10000, .cluster = RV_STR("c") };
		m.verdict_count = take(in, 4);
		for (uint32_t i = 0; i < m.verdict_count; i++)
			verdicts[i] = (struct proto_held_verdict){ .key = key_of(in), .verdict = take(in, 4), .lease_us = take(in, 200) * 10000 };
		m.verdicts = verdicts;
		break;
	case PROTO_HB_ACK:
		m.hb_ack = (struct proto_hb_ack){ .session = 1, .n = take(in, 4), .heartbeat_us = 1000 + take(in, 200) * 10000, .want_table = take(in, 2) };
		break;
	case PROTO_DISPATCH:
		make_spec(in, &spec);
		rv_buf_reset(spec_bytes);
		rv_check(proto_spec_encode(&spec, spec_bytes) == 0);
		m.dispatch = (struct proto_dispatch){ .key = key_of(in), .epoch = take(in, 3), .try_number = 1 + take(in, 3), .lease_us = take(in, 200) * 10000,
						      .unit_id = RV_STR("u"), .item = RV_STR("1"), .spec = rv_buf_str(spec_bytes) };
		break;
	case PROTO_CANCEL:
		m.cancel = (struct proto_cancel){ .key = key_of(in), .epoch = take(in, 3), .grace_us = take(in, 2) ? RV_NEVER : 1000, .reason = PROTO_REASON_CANCELLED };
		break;
	case PROTO_RESULT_ACK:
		m.result_ack = (struct proto_result_ack){ .key = key_of(in), .ack = 1 + take(in, 3) };
		break;
	case PROTO_RETRACT:
		m.retract = key_of(in);
		break;
	case PROTO_CHECKPOINT:
		m.checkpoint.n = take(in, 8);
		break;
	case PROTO_GOAWAY:
		m.goaway.why = 1 + take(in, 6);
		break;
	default:
		break;
	}
	rv_check(proto_frame_add(w, &m, NULL) == 0);
}

static void raw_frame(struct input *in, struct node_daemon *d, uint64_t now)
{
	size_t n = take(in, 64);

	if (n > (size_t)(in->end - in->at))
		n = (size_t)(in->end - in->at);
	(void)node_daemon_on_frame(d, rv_str((const char *)in->at, n), now, NULL);
	in->at += n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct node_daemon_config cfg;
	struct proto_frame_writer w;
	struct rv_buf frame, spec;
	struct node_daemon *d;
	uint64_t now = 1000000;

	node_daemon_config_init(&cfg);
	cfg.slots = 1 + take(&in, 3);
	cfg.agent_slots = 1 + take(&in, 2);
	cfg.prefetch_max = 8;
	cfg.workspace = RV_STR("/nowhere");
	cfg.name = RV_STR("n");
	cfg.ops.send = swallow;
	if (node_daemon_create(&cfg, now, &d, NULL) < 0)
		return 0;
	proto_frame_writer_init(&w);
	rv_buf_init(&frame, 0);
	rv_buf_init(&spec, 0);
	node_daemon_connected(d, now);
	while (in.at < in.end) {
		switch (take(&in, 8)) {
		case 0:
			raw_frame(&in, d, now);
			break;
		case 1:
			now += take(&in, 255) * 10000;
			break;
		case 2:
			if (take(&in, 8) == 0) {
				node_daemon_disconnected(d, now);
				node_daemon_connected(d, now);
			}
			break;
		case 3:
			if (take(&in, 32) == 31)
				node_daemon_stop(d, take(&in, 2) ? 0 : 1000, PROTO_REASON_INTERRUPTED, now);
			break;
		default:
			for (uint32_t k = 1 + take(&in, 3); k; k--)
				make_message(&in, &w, &spec);
			rv_check(proto_frame_finish(&w, &frame) == 0);
			rv_check(node_daemon_on_frame(d, rv_buf_str(&frame), now, NULL) == 0);
		}
		node_daemon_turn(d, now);
	}
	node_daemon_stop(d, 0, PROTO_REASON_INTERRUPTED, now);
	for (int i = 0; i < 10 && !node_daemon_stopped(d); i++) {
		now += 3000000;
		node_daemon_turn(d, now);
	}
	rv_check(node_daemon_stopped(d));
	node_daemon_destroy(&d);
	proto_frame_writer_release(&w);
	rv_buf_release(&frame);
	rv_buf_release(&spec);
	return 0;
}
