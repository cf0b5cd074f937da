#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/check.h"
#include "common/map.h"
#include "common/prng.h"
#include "proto/codec.h"
#include "proto/pack.h"
#include "proto/record.h"
#include "proto/scan.h"
#include "proto/spec.h"
#include "tests/lib/client_messages.h"
#include "tests/lib/noalloc.h"
#include "tests/lib/proto_maker.h"

#include <stdio.h>
#include <stdlib.h>

/* --- random messages ------------------------------------------------------------------------------------------------ */

static struct proto_value value_of(struct maker *m)
{
	struct proto_value v = { .kind = (enum proto_value_kind)from(m, PROTO_VALUE_NONE, PROTO_VALUE_BLOB) };

	if (v.kind == PROTO_VALUE_INLINE)
		v.inline_bytes = bytes_of(m, RV_INLINE_BYTES_MAX);
	if (v.kind == PROTO_VALUE_BLOB) {
		v.blob_bytes = number(m, UINT64_MAX);
		digest_of(m, v.digest);
	}
	return v;
}

static struct proto_attempt_key key_of(struct maker *m)
{
	return (struct proto_attempt_key){ .run = number(m, UINT64_MAX), .unit = (uint32_t)number(m, UINT32_MAX),
					   .attempt = (uint32_t)number(m, UINT32_MAX) };
}

static struct proto_usage usage_of(struct maker *m)
{
	struct proto_usage u = { number(m, PROTO_USAGE_MAX), number(m, PROTO_USAGE_MAX), number(m, PROTO_USAGE_MAX), number(m, PROTO_USAGE_MAX),
				 number(m, PROTO_USAGE_MAX) };

	if (number(m, 1))
		u.cost_microusd = PROTO_COST_UNKNOWN;
	return proto_usage_is_nothing(&u) ? (struct proto_usage){ 0 } : u; /* of nothing the cost is no matter */
}

static struct proto_result result_of(struct maker *m)
{
	struct proto_result r = {
		.key = key_of(m),
		.epoch = number(m, UINT64_MAX),
		.outcome = (enum proto_outcome)from(m, PROTO_SUCCEEDED, PROTO_CANCELLED),
		.class = (enum proto_class)from(m, 0, PROTO_CLASS_COUNT - 1),
		.reason = (enum proto_reason)from(m, 0, PROTO_REASON_COUNT - 1),
		.flags = (uint32_t)number(m, 31),
		.exit = m->fill == FILL_LEAST ? INT32_MIN : (int32_t)number(m, INT32_MAX),
		.signal = (int32_t)number(m, 64),
		.start_us = number(m, UINT64_MAX),
		.end_us = m->fill == FILL_MOST ? 0 : number(m, UINT64_MAX), /* the clock went back */
		.duration_us = number(m, UINT64_MAX),
		.cpu_us = number(m, UINT64_MAX),
		.rss_bytes = number(m, UINT64_MAX),
		.output = value_of(m),
		.tail = value_of(m),
		.error = bytes_of(m, 1024),
		.enforcement = text_of(m, 16),
		.limits = text_of(m, 16),
		.artifact_count = (uint32_t)number(m, 40),
		.usage = usage_of(m),
		.retry_after_us = number(m, 1) ? number(m, UINT64_MAX) : 0,
	};
	struct proto_artifact *a = rv_arena_zalloc(&m->arena, (r.artifact_count + 1) * sizeof(*a), 8);
	uint32_t i;

	for (i = 0; i < r.artifact_count; i++) {
		a[i].name = bytes_of(m, 255);
		a[i].bytes = number(m, UINT64_MAX);
		a[i].executable = number(m, 1);
		digest_of(m, a[i].digest);
	}
	r.artifacts = a;
	return r;
}

static void list_of(struct maker *m, struct proto_dep *d)
{
	struct proto_artifact a[3];
	struct rv_buf list;

	d->artifact_count = number(m, 1) ? 0 : (uint32_t)number(m, RV_ARRAY_LEN(a));
	for (uint32_t i = 0; i < d->artifact_count; i++) {
		a[i] = (struct proto_artifact){ .name = bytes_of(m, 255), .bytes = number(m, UINT64_MAX), .executable = number(m, 1) };
		digest_of(m, a[i].digest);
	}
	if (!d->artifact_count)
		return;
	rv_buf_init(&list, 0);
	assert_int_equal(proto_artifacts_encode(a, d->artifact_count, &list), 0);
	d->artifacts = rv_arena_str(&m->arena, rv_buf_str(&list));
	rv_buf_release(&list);
}

static const struct proto_dep *deps_of(struct maker *m, uint32_t *count)
{
	struct proto_dep *d;
	uint32_t i;

	*count = (uint32_t)number(m, 20);
	d = rv_arena_zalloc(&m->arena, (*count + 1) * sizeof(*d), 8);
	for (i = 0; i < *count; i++) {
		d[i].id = text_of(m, RV_UNIT_ID_BYTES_MAX);
		d[i].index = (uint32_t)number(m, UINT32_MAX);
		d[i].succeeded = number(m, 1);
		d[i].is_json = number(m, 1);
		d[i].output = value_of(m);
		d[i].unit_id = text_of(m, RV_UNIT_ID_BYTES_MAX);
		d[i].attempt = (uint32_t)number(m, UINT32_MAX);
		d[i].artifacts_cut = number(m, 1);
		list_of(m, &d[i]);
	}
	return d;
}

static struct proto_dispatch dispatch_of(struct maker *m)
{
	struct proto_dispatch d = {
		.key = key_of(m),
		.epoch = number(m, UINT64_MAX),
		.try_number = (uint32_t)number(m, UINT32_MAX),
		.lease_us = number(m, UINT64_MAX),
		.unit_id = text_of(m, RV_UNIT_ID_BYTES_MAX),
		.item = text_of(m, RV_INLINE_BYTES_MAX),
	};

	if (number(m, 1)) {
		d.workspace.id = RV_STR("0123456789abcdef");
		d.workspace.root = text_of(m, 4000);
		d.workspace.namespace_root = text_of(m, 4000);
	}

	if (number(m, 1)) {
		d.spec = bytes_of(m, 3000);
	} else {
		d.spec_blob.kind = number(m, 1) ? PROTO_VALUE_BLOB : PROTO_VALUE_NONE;
		if (d.spec_blob.kind == PROTO_VALUE_BLOB) {
			d.spec_blob.blob_bytes = number(m, UINT64_MAX);
			digest_of(m, d.spec_blob.digest);
		}
	}
	if (number(m, 1)) {
		d.deps = deps_of(m, &d.dep_count);
	} else if (number(m, 1)) {
		d.deps_blob.kind = PROTO_VALUE_BLOB;
		d.deps_blob.blob_bytes = number(m, UINT64_MAX);
		digest_of(m, d.deps_blob.digest);
	}
	d.note = bytes_of(m, 2000);
	d.tokens_left = number(m, UINT64_MAX);
	d.cost_left_microusd = number(m, 1) ? number(m, UINT64_MAX) : 0;
	d.flags = (uint32_t)number(m, PROTO_DISPATCH_FLAGS_ALL);
	if (number(m, 1))
		d.after = (struct proto_after){ (uint32_t)number(m, UINT32_MAX), 1 + (uint32_t)number(m, UINT32_MAX - 1) };
	return d;
}

static struct proto_hello hello_of(struct maker *m)
{
	struct proto_hello h = { .n = number(m, UINT64_MAX), .page = (uint32_t)number(m, UINT32_MAX), .last = number(m, 1) };
	struct proto_node_info *n = &h.node;
	struct proto_named_amount *resources;
	struct proto_label *labels;
	struct proto_held *held;
	uint32_t i;

	n->name = text_of(m, RV_NAME_BYTES_MAX);
	digest_of(m, n->key);
	for (i = 0; i < sizeof(n->boot_id); i++)
		n->boot_id[i] = (uint8_t)number(m, 255);
	n->incarnation = number(m, UINT64_MAX);
	n->slots = number(m, UINT64_MAX);
	n->agent_slots = number(m, UINT64_MAX);
	n->memory_bytes = number(m, UINT64_MAX);
	n->label_count = (uint32_t)number(m, RV_LABELS_MAX);
	n->labels = labels = rv_arena_zalloc(&m->arena, (n->label_count + 1) * sizeof(*labels), 8);
	for (i = 0; i < n->label_count; i++) {
		labels[i].key = text_of(m, RV_NAME_BYTES_MAX);
		labels[i].value = text_of(m, RV_NAME_BYTES_MAX);
	}
	n->resource_count = (uint32_t)number(m, RV_RESOURCES_MAX);
	n->resources = resources = rv_arena_zalloc(&m->arena, (n->resource_count + 1) * sizeof(*resources), 8);
	for (i = 0; i < n->resource_count; i++) {
		resources[i].name = text_of(m, RV_NAME_BYTES_MAX);
		resources[i].amount = number(m, UINT64_MAX);
	}
	n->kill_level = text_of(m, 16);
	n->agent_count = (uint32_t)number(m, RV_NODE_AGENTS_MAX);
	n->agents = labels = rv_arena_zalloc(&m->arena, (n->agent_count + 1) * sizeof(*labels), 8);
	for (i = 0; i < n->agent_count; i++) {
		labels[i].key = text_of(m, RV_NAME_BYTES_MAX);
		labels[i].value = text_of(m, 40);
	}
	n->abilities = (uint32_t)number(m, UINT32_MAX);
	h.held_count = (uint32_t)number(m, 300);
	h.held = held = rv_arena_zalloc(&m->arena, (h.held_count + 1) * sizeof(*held), 8);
	for (i = 0; i < h.held_count; i++) {
		held[i].key = key_of(m);
		held[i].epoch = number(m, UINT64_MAX);
		held[i].state = (enum proto_held_state)from(m, 0, PROTO_HELD_FINISHED);
	}
	return h;
}

static void make(struct maker *m, enum proto_msg_kind kind, struct proto_msg *out)
{
	struct proto_held_verdict *v;
	uint32_t i;

	memset(out, 0, sizeof(*out));
	out->kind = kind;
	switch (kind) {
	case PROTO_HELLO:
		out->hello = hello_of(m);
		break;
	case PROTO_HEARTBEAT:
		out->heartbeat = (struct proto_heartbeat){ number(m, UINT64_MAX), number(m, UINT64_MAX),
							   number(m, UINT64_MAX), number(m, UINT64_MAX),
							   number(m, UINT64_MAX), number(m, UINT64_MAX) };
		break;
	case PROTO_REJECTED:
		out->rejected.key = key_of(m);
		out->rejected.why = (enum proto_reject_why)from(m, PROTO_REJECT_FULL, PROTO_REJECT_BAD_SPEC);
		break;
	case PROTO_STARTED:
		out->started.key = key_of(m);
		out->started.start_us = number(m, UINT64_MAX);
		break;
	case PROTO_RESULT:
		out->result = result_of(m);
		break;
	case PROTO_WELCOME:
		out->welcome = (struct proto_welcome){ number(m, UINT64_MAX), number(m, UINT64_MAX),
						       number(m, UINT64_MAX), bytes_of(m, 16) };
		out->verdict_count = (uint32_t)number(m, 300);
		out->verdicts = v = rv_arena_zalloc(&m->arena, (out->verdict_count + 1) * sizeof(*v), 8);
		for (i = 0; i < out->verdict_count; i++) {
			v[i].key = key_of(m);
			v[i].verdict = (enum proto_verdict)from(m, PROTO_KEEP, PROTO_FORGET);
			v[i].lease_us = number(m, UINT64_MAX);
		}
		break;
	case PROTO_HB_ACK:
		out->hb_ack = (struct proto_hb_ack){ number(m, UINT64_MAX), number(m, UINT64_MAX),
						     number(m, UINT64_MAX), number(m, UINT64_MAX), number(m, 1) };
		break;
	case PROTO_DISPATCH:
		out->dispatch = dispatch_of(m);
		break;
	case PROTO_CANCEL:
		out->cancel.key = key_of(m);
		out->cancel.epoch = number(m, UINT64_MAX);
		out->cancel.grace_us = number(m, UINT64_MAX);
		out->cancel.reason = (enum proto_reason)from(m, 0, PROTO_REASON_COUNT - 1);
		break;
	case PROTO_RESULT_ACK:
		out->result_ack.key = key_of(m);
		out->result_ack.ack = (enum proto_ack)from(m, PROTO_ACK_ACCEPTED, PROTO_ACK_FENCED);
		break;
	case PROTO_USAGE:
		out->usage.key = key_of(m);
		out->usage.usage = usage_of(m);
		break;
	case PROTO_CHECKPOINT:
		out->checkpoint.n = number(m, UINT64_MAX);
		break;
	case PROTO_GOAWAY:
		out->goaway.why = (enum proto_goaway_why)from(m, PROTO_GOAWAY_DUPLICATE, PROTO_GOAWAY_SILENT);
		digest_of(m, out->goaway.holder);
		break;
	case PROTO_TAKEN:
	case PROTO_NOT_HERE:
	case PROTO_RETRACTED:
	case PROTO_ALREADY_STARTED:
	case PROTO_RETRACT:
		out->taken = key_of(m);
		break;
	case PROTO_BYE:
	case PROTO_DRAIN: /* nothing inside */
		break;
	default:
		client_message_make(m, kind, out);
	}
}

/* --- are two the same? --------------------------------------------------------------------------------------------- */

static void same_str(struct rv_str a, struct rv_str b)
{
	assert_true(rv_str_equal(a, b));
}

static void same_key(struct proto_attempt_key a, struct proto_attempt_key b)
{
	assert_true(a.run == b.run);
	assert_int_equal(a.unit, b.unit);
	assert_int_equal(a.attempt, b.attempt);
}

static void same_value(const struct proto_value *a, const struct proto_value *b)
{
	assert_int_equal(a->kind, b->kind);
	same_str(a->inline_bytes, b->inline_bytes);
	assert_memory_equal(a->digest, b->digest, PROTO_DIGEST_BYTES);
	assert_true(a->blob_bytes == b->blob_bytes);
}

static void same_usage(const struct proto_usage *a, const struct proto_usage *b)
{
	assert_true(a->input_tokens == b->input_tokens);
	assert_true(a->output_tokens == b->output_tokens);
	assert_true(a->cache_read_tokens == b->cache_read_tokens);
	assert_true(a->cache_write_tokens == b->cache_write_tokens);
	assert_true(a->cost_microusd == b->cost_microusd);
}

static void same_result(const struct proto_result *a, const struct proto_result *b)
{
	uint32_t i;

	same_key(a->key, b->key);
	assert_true(a->epoch == b->epoch);
	assert_int_equal(a->outcome, b->outcome);
	assert_int_equal(a->class, b->class);
	assert_int_equal(a->reason, b->reason);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->exit, b->exit);
	assert_int_equal(a->signal, b->signal);
	assert_true(a->start_us == b->start_us);
	assert_true(a->end_us == b->end_us);
	assert_true(a->duration_us == b->duration_us);
	assert_true(a->cpu_us == b->cpu_us);
	assert_true(a->rss_bytes == b->rss_bytes);
	same_value(&a->output, &b->output);
	same_value(&a->tail, &b->tail);
	same_str(a->error, b->error);
	same_str(a->enforcement, b->enforcement);
	same_str(a->limits, b->limits);
	assert_int_equal(a->artifact_count, b->artifact_count);
	for (i = 0; i < a->artifact_count; i++) {
		same_str(a->artifacts[i].name, b->artifacts[i].name);
		assert_true(a->artifacts[i].bytes == b->artifacts[i].bytes);
		assert_memory_equal(a->artifacts[i].digest, b->artifacts[i].digest, PROTO_DIGEST_BYTES);
		assert_int_equal(a->artifacts[i].executable, b->artifacts[i].executable);
	}
	same_usage(&a->usage, &b->usage);
	assert_true(a->retry_after_us == b->retry_after_us);
}

static void same_deps(const struct proto_dep *a, const struct proto_dep *b, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		same_str(a[i].id, b[i].id);
		assert_int_equal(a[i].index, b[i].index);
		assert_int_equal(a[i].succeeded, b[i].succeeded);
		assert_int_equal(a[i].is_json, b[i].is_json);
		same_value(&a[i].output, &b[i].output);
		same_str(a[i].unit_id, b[i].unit_id);
		assert_int_equal(a[i].attempt, b[i].attempt);
		same_str(a[i].artifacts, b[i].artifacts);
		assert_int_equal(a[i].artifact_count, b[i].artifact_count);
		assert_int_equal(a[i].artifacts_cut, b[i].artifacts_cut);
	}
}

static void same_dispatch(const struct proto_dispatch *a, const struct proto_dispatch *b)
{
	same_key(a->key, b->key);
	assert_true(a->epoch == b->epoch);
	assert_int_equal(a->try_number, b->try_number);
	assert_true(a->lease_us == b->lease_us);
	same_str(a->unit_id, b->unit_id);
	same_str(a->item, b->item);
	same_str(a->spec, b->spec);
	same_value(&a->spec_blob, &b->spec_blob);
	assert_int_equal(a->dep_count, b->dep_count);
	same_deps(a->deps, b->deps, a->dep_count);
	same_value(&a->deps_blob, &b->deps_blob);
	same_str(a->note, b->note);
	assert_true(a->tokens_left == b->tokens_left);
	assert_true(a->cost_left_microusd == b->cost_left_microusd);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->after.unit, b->after.unit);
	assert_int_equal(a->after.attempt, b->after.attempt);
	same_str(a->workspace.id, b->workspace.id);
	same_str(a->workspace.root, b->workspace.root);
	same_str(a->workspace.namespace_root, b->workspace.namespace_root);
}

static void same_hello(const struct proto_hello *a, const struct proto_hello *b)
{
	const struct proto_node_info *m = &a->node, *n = &b->node;
	uint32_t i;

	assert_true(a->n == b->n);
	same_str(m->name, n->name);
	assert_memory_equal(m->key, n->key, sizeof(m->key));
	assert_memory_equal(m->boot_id, n->boot_id, sizeof(m->boot_id));
	assert_true(m->incarnation == n->incarnation);
	assert_true(m->slots == n->slots);
	assert_true(m->agent_slots == n->agent_slots);
	assert_true(m->memory_bytes == n->memory_bytes);
	assert_int_equal(m->label_count, n->label_count);
	for (i = 0; i < m->label_count; i++) {
		same_str(m->labels[i].key, n->labels[i].key);
		same_str(m->labels[i].value, n->labels[i].value);
	}
	assert_int_equal(m->resource_count, n->resource_count);
	for (i = 0; i < m->resource_count; i++) {
		same_str(m->resources[i].name, n->resources[i].name);
		assert_true(m->resources[i].amount == n->resources[i].amount);
	}
	same_str(m->kill_level, n->kill_level);
	assert_int_equal(m->abilities, n->abilities);
	assert_int_equal(m->agent_count, n->agent_count);
	for (i = 0; i < m->agent_count; i++) {
		same_str(m->agents[i].key, n->agents[i].key);
		same_str(m->agents[i].value, n->agents[i].value);
	}
	assert_int_equal(a->page, b->page);
	assert_int_equal(a->last, b->last);
	assert_int_equal(a->held_count, b->held_count);
	for (i = 0; i < a->held_count; i++) {
		same_key(a->held[i].key, b->held[i].key);
		assert_true(a->held[i].epoch == b->held[i].epoch);
		assert_int_equal(a->held[i].state, b->held[i].state);
	}
}

static void same_msg(const struct proto_msg *a, const struct proto_msg *b)
{
	uint32_t i;

	assert_int_equal(a->kind, b->kind);
	switch (a->kind) {
	case PROTO_HELLO:
		same_hello(&a->hello, &b->hello);
		break;
	case PROTO_RESULT:
		same_result(&a->result, &b->result);
		break;
	case PROTO_DISPATCH:
		same_dispatch(&a->dispatch, &b->dispatch);
		break;
	case PROTO_USAGE:
		same_key(a->usage.key, b->usage.key);
		same_usage(&a->usage.usage, &b->usage.usage);
		break;
	case PROTO_WELCOME:
		assert_true(a->welcome.epoch == b->welcome.epoch);
		assert_true(a->welcome.session == b->welcome.session);
		assert_true(a->welcome.heartbeat_us == b->welcome.heartbeat_us);
		same_str(a->welcome.cluster, b->welcome.cluster);
		assert_int_equal(a->verdict_count, b->verdict_count);
		for (i = 0; i < a->verdict_count; i++) {
			same_key(a->verdicts[i].key, b->verdicts[i].key);
			assert_int_equal(a->verdicts[i].verdict, b->verdicts[i].verdict);
			assert_true(a->verdicts[i].lease_us == b->verdicts[i].lease_us);
		}
		break;
	default:
		if (client_message_is(a->kind))
			client_message_same(a, b);
		else /* no pointers: both were zeroed before they were filled */
			assert_memory_equal(a, b, sizeof(*a));
	}
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static const enum proto_msg_kind kinds[] = {
#define X(number_, name, direction, role, since) PROTO_##name,
	PROTO_MSGS(X)
#undef X
};

static void every_message_comes_back_as_it_went(void **state)
{
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct proto_frame_writer w;
	struct rv_buf frame;
	struct maker m;
	size_t k;
	int round, other;

	(void)state;
	maker_init(&m, 1);
	proto_frame_writer_init(&w);
	rv_buf_init(&frame, 0);
	for (round = 0; round < 60; round++) {
		m.fill = round == 0 ? FILL_LEAST : round == 1 ? FILL_MOST : FILL_ANY;
		for (k = 0; k < RV_ARRAY_LEN(kinds); k++) {
			struct proto_msg out, in;
			struct rv_err err = { 0 };

			make(&m, kinds[k], &out);
			assert_true(proto_frame_empty(&w));
			if (proto_frame_add(&w, &out, &err))
				fail_msg("%s: %s", proto_msg_name(kinds[k]), err.msg);
			assert_false(proto_frame_empty(&w));
			assert_int_equal(proto_frame_finish(&w, &frame), 0);
			if (proto_frame_open(r, rv_buf_str(&frame), proto_msg_direction(kinds[k]), &err))
				fail_msg("%s: %s", proto_msg_name(kinds[k]), err.msg);
			if (proto_frame_next(r, &in, &err) != 1)
				fail_msg("%s: %s", proto_msg_name(kinds[k]), err.msg);
			same_msg(&out, &in);
			assert_int_equal(proto_frame_next(r, &in, &err), 0);
			assert_int_equal(proto_frame_next(r, &in, &err), 0);
			/* the other sides take it not */
			for (other = PROTO_TO_COORD; other <= PROTO_TO_CLIENT; other++)
				if (other != (int)proto_msg_direction(kinds[k]) &&
				    proto_frame_open(r, rv_buf_str(&frame), (enum proto_direction)other, &err) == 0)
					assert_int_equal(proto_frame_next(r, &in, &err), -1);
		}
		rv_arena_release(&m.arena);
	}
	proto_frame_reader_destroy(&r);
	proto_frame_reader_destroy(&r);
	proto_frame_writer_release(&w);
	rv_buf_release(&frame);
}

static void a_frame_keeps_the_order_of_many(void **state)
{
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct proto_msg *sent = calloc(400, sizeof(*sent));
	struct proto_frame_writer w;
	struct rv_buf frame;
	struct maker m;
	uint32_t i, round;

	(void)state;
	proto_frame_writer_init(&w);
	rv_buf_init(&frame, 0);
	for (round = 0; round < 20; round++) {
		struct proto_msg in;
		struct rv_err err;

		maker_init(&m, 100 + round);
		for (i = 0; i < 400; i++) {
			enum proto_msg_kind kind = rv_prng_below(&m.r, 8) ? PROTO_RESULT_ACK : PROTO_DISPATCH;

			if (rv_prng_below(&m.r, 20) == 0)
				kind = PROTO_HB_ACK;
			make(&m, kind, &sent[i]);
			if (kind == PROTO_DISPATCH) {
				static const char spec_a[] = "spec a", spec_b[] = "spec bb";

				sent[i].dispatch.spec = rv_prng_below(&m.r, 2) ? RV_STR(spec_a) : RV_STR(spec_b);
				sent[i].dispatch.spec_blob = (struct proto_value){ .kind = PROTO_VALUE_NONE };
				sent[i].dispatch.dep_count = 0;
			}
			if (rv_prng_below(&m.r, 10))
				sent[i].taken.run = kind == PROTO_HB_ACK ? sent[i].taken.run : 77;
			assert_int_equal(proto_frame_add(&w, &sent[i], &err), 0);
		}
		assert_int_equal(proto_frame_finish(&w, &frame), 0);
		assert_int_equal(proto_frame_open(r, rv_buf_str(&frame), PROTO_TO_NODE, &err), 0);
		for (i = 0; i < 400; i++) {
			assert_int_equal(proto_frame_next(r, &in, &err), 1);
			same_msg(&sent[i], &in);
		}
		assert_int_equal(proto_frame_next(r, &in, &err), 0);
		rv_arena_release(&m.arena);
	}
	free(sent);
	proto_frame_reader_destroy(&r);
	proto_frame_writer_release(&w);
	rv_buf_release(&frame);
}

static void units_of_one_template_carry_the_spec_once(void **state)
{
	struct proto_msg d = { .kind = PROTO_DISPATCH, .dispatch = { .key = { 5, 1, 1 }, .unit_id = RV_STR("u") } };
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct proto_frame_writer w;
	struct proto_msg in;
	struct rv_buf frame;
	char spec[1000], first[1000];
	int i;

	(void)state;
	proto_frame_writer_init(&w);
	rv_buf_init(&frame, 0);
	memset(spec, 'a', sizeof(spec));
	memset(first, 'a', sizeof(first));
	d.dispatch.spec = rv_str(spec, sizeof(spec));
	for (i = 0; i < 1000; i++)
		assert_int_equal(proto_frame_add(&w, &d, NULL), 0);
	/* the same memory, another spec: what lies there decides */
	memset(spec, 'b', sizeof(spec));
	assert_int_equal(proto_frame_add(&w, &d, NULL), 0);
	assert_int_equal(proto_frame_finish(&w, &frame), 0);
	assert_true(frame.bytes < 1001 * 16 + 2100);
	assert_int_equal(proto_frame_open(r, rv_buf_str(&frame), PROTO_TO_NODE, NULL), 0);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(proto_frame_next(r, &in, NULL), 1);
		same_str(in.dispatch.spec, rv_str(first, sizeof(first)));
	}
	assert_int_equal(proto_frame_next(r, &in, NULL), 1);
	same_str(in.dispatch.spec, rv_str(spec, sizeof(spec)));
	proto_frame_reader_destroy(&r);
	proto_frame_writer_release(&w);
	rv_buf_release(&frame);
}

static void a_dispatch_behind_no_attempt_is_refused(void **state)
{
	struct proto_msg d = { .kind = PROTO_DISPATCH, .dispatch = { .key = { 5, 1, 1 }, .unit_id = RV_STR("u"), .spec = RV_STR("s"), .after = { 7, 1 } } };
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct proto_frame_writer w;
	struct proto_msg in;
	struct rv_buf frame;

	(void)state;
	proto_frame_writer_init(&w);
	rv_buf_init(&frame, 0);
	assert_int_equal(proto_frame_add(&w, &d, NULL), 0);
	assert_int_equal(proto_frame_finish(&w, &frame), 0);
	assert_int_equal(proto_frame_open(r, rv_buf_str(&frame), PROTO_TO_NODE, NULL), 0);
	assert_int_equal(proto_frame_next(r, &in, NULL), 1);
	assert_int_equal(in.dispatch.after.attempt, 1);
	assert_int_equal(frame.at[frame.bytes - 1], 1); /* the last field of the last item */
	frame.at[frame.bytes - 1] = 0;
	assert_int_equal(proto_frame_open(r, rv_buf_str(&frame), PROTO_TO_NODE, NULL), 0);
	assert_int_equal(proto_frame_next(r, &in, NULL), -1);
	proto_frame_reader_destroy(&r);
	proto_frame_writer_release(&w);
	rv_buf_release(&frame);
}

/* Adds until the writer says stop; whatever it said, the reader takes. */
static void fill_and_read(const struct proto_msg *m, uint32_t enough)
{
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct proto_frame_writer w;
	struct proto_msg in;
	struct rv_buf frame;
	struct rv_err err;
	uint32_t count = 0, got = 0;
	int rc;

	proto_frame_writer_init(&w);
	rv_buf_init(&frame, 0);
	while ((rc = proto_frame_add(&w, m, &err)) == 0)
		count++;
	assert_int_equal(rc, 1);
	assert_true(count >= enough);
	assert_int_equal(proto_frame_add(&w, m, &err), 1); /* asking again changes nothing */
	assert_int_equal(proto_frame_finish(&w, &frame), 0);
	assert_true(frame.bytes <= RV_FRAME_BYTES_MAX);
	if (proto_frame_open(r, rv_buf_str(&frame), proto_msg_direction(m->kind), &err))
		fail_msg("%s", err.msg);
	while ((rc = proto_frame_next(r, &in, &err)) == 1) {
		same_msg(m, &in);
		got++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(got, count);
	assert_int_equal(proto_frame_add(&w, m, &err), 0); /* and the next frame begins */
	proto_frame_reader_destroy(&r);
	proto_frame_writer_release(&w);
	rv_buf_release(&frame);
}

static void a_full_frame_says_so_and_is_whole(void **state)
{
	struct proto_msg m = { .kind = PROTO_TAKEN, .taken = { 1, 2, 3 } };
	char *output = calloc(1, RV_INLINE_BYTES_MAX);

	(void)state;
	fill_and_read(&m, 80000); /* stopped by the count of values */
	m = (struct proto_msg){ .kind = PROTO_CHECKPOINT, .checkpoint = { 7 } };
	fill_and_read(&m, 80000);
	m = (struct proto_msg){ .kind = PROTO_RESULT, .result = { .key = { 9, 9, 9 }, .outcome = PROTO_SUCCEEDED } };
	fill_and_read(&m, 16000);
	m.result.output = (struct proto_value){ .kind = PROTO_VALUE_INLINE,
						.inline_bytes = rv_str(output, RV_INLINE_BYTES_MAX) };
	fill_and_read(&m, 250); /* stopped by bytes */
	free(output);
}

static void what_fits_no_frame_is_refused(void **state)
{
	struct proto_msg m = { .kind = PROTO_HELLO };
	struct proto_held *held = calloc(300000, sizeof(*held));
	char *big = calloc(1, RV_FRAME_BYTES_MAX);
	struct proto_artifact *artifacts = calloc(4097, sizeof(*artifacts));
	struct proto_frame_writer w;
	struct rv_err err = { 0 };

	(void)state;
	proto_frame_writer_init(&w);
	m.hello.held = held;
	m.hello.held_count = 300000;
	assert_int_equal(proto_frame_add(&w, &m, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_true(proto_frame_empty(&w));

	m = (struct proto_msg){ .kind = PROTO_RESULT, .result = { .outcome = PROTO_SUCCEEDED } };
	m.result.output = (struct proto_value){ .kind = PROTO_VALUE_INLINE,
						.inline_bytes = rv_str(big, RV_INLINE_BYTES_MAX + 1) };
	assert_int_equal(proto_frame_add(&w, &m, &err), -1);
	m.result.tail = m.result.output;
	m.result.output.kind = PROTO_VALUE_NONE;
	assert_int_equal(proto_frame_add(&w, &m, &err), -1);
	m.result.tail.kind = PROTO_VALUE_NONE;
	m.result.artifacts = artifacts;
	m.result.artifact_count = 4097;
	assert_int_equal(proto_frame_add(&w, &m, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_true(proto_frame_empty(&w));

	m = (struct proto_msg){ .kind = PROTO_DISPATCH };
	m.dispatch.spec = rv_str(big, PROTO_SPEC_INLINE_BYTES + 1);
	assert_int_equal(proto_frame_add(&w, &m, &err), -1);
	m.dispatch.spec = rv_str(big, PROTO_SPEC_INLINE_BYTES);
	m.dispatch.item = rv_str(big, RV_FRAME_BYTES_MAX);
	assert_int_equal(proto_frame_add(&w, &m, &err), -1);
	assert_true(proto_frame_empty(&w));
	m.dispatch.item.bytes = 0;
	assert_int_equal(proto_frame_add(&w, &m, &err), 0);

	/* an error text is cut, not refused: the result matters more */
	proto_frame_writer_release(&w);
	proto_frame_writer_init(&w);
	m = (struct proto_msg){ .kind = PROTO_RESULT, .result = { .outcome = PROTO_FAILED } };
	m.result.error = rv_str(big, 5000);
	assert_int_equal(proto_frame_add(&w, &m, &err), 0);
	{
		struct proto_frame_reader *r = proto_frame_reader_create();
		struct proto_msg in;
		struct rv_buf frame;

		rv_buf_init(&frame, 0);
		assert_int_equal(proto_frame_finish(&w, &frame), 0);
		assert_int_equal(proto_frame_open(r, rv_buf_str(&frame), PROTO_TO_COORD, &err), 0);
		assert_int_equal(proto_frame_next(r, &in, &err), 1);
		assert_int_equal(in.result.error.bytes, 1024);
		rv_buf_release(&frame);
		proto_frame_reader_destroy(&r);
	}
	proto_frame_writer_release(&w);
	free(held);
	free(big);
	free(artifacts);
}

/* --- hostile frames --------------------------------------------------------------------------------------------------- */

/* Reads it all; the code of the first failure. */
static enum rv_code read_all(struct rv_str frame, enum proto_direction direction)
{
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct rv_err err = { 0 };
	struct proto_msg m;
	int rc;

	rc = proto_frame_open(r, frame, direction, &err);
	if (rc == 0)
		while ((rc = proto_frame_next(r, &m, &err)) == 1)
			;
	if (rc < 0) { /* and it stays refused */
		assert_int_equal(proto_frame_next(r, &m, NULL), -1);
	}
	proto_frame_reader_destroy(&r);
	return rc < 0 ? err.code : RV_OK;
}

#define TO_COORD(literal) read_all(RV_STR(literal), PROTO_TO_COORD)
#define TO_NODE(literal) read_all(RV_STR(literal), PROTO_TO_NODE)

static void hostile_frames_are_refused(void **state)
{
	(void)state;
	assert_int_equal(TO_COORD("\x91\x01"), RV_OK);                     /* an empty frame says nothing */
	assert_int_equal(TO_COORD("\x90"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x91\x63"), RV_E_VERSION);              /* version 99 */
	assert_int_equal(TO_COORD("\x91\xa1" "1"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x90"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x91\x0a"), RV_OK);             /* BYE */
	assert_int_equal(TO_COORD("\x92\x01\x92\x0a\x01"), RV_E_CORRUPT);  /* with a field it has not */
	assert_int_equal(TO_NODE("\x92\x01\x91\x0a"), RV_E_CORRUPT);       /* for the coordinator only */
	assert_int_equal(TO_COORD("\x92\x01\x91\x27"), RV_E_CORRUPT);      /* DRAIN from a node */
	assert_int_equal(TO_COORD("\x92\x01\x91\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x91\x1f"), RV_E_CORRUPT);      /* no such number */
	assert_int_equal(TO_COORD("\x92\x01\x91\xce\xff\xff\xff\xff"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x05"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x03\x05\x90"), RV_OK);     /* TAKEN of nothing */
	assert_int_equal(TO_COORD("\x92\x01\x93\x03\x05\x91\x92\x01\x02"), RV_OK);
	assert_int_equal(TO_COORD("\x92\x01\x93\x03\x05\x91\x93\x01\x02\x03"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x03\x05\x91\x91\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x03\x05\x91\x90"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x03\x05\x91\x92\xff\x02"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x03\xca\x3f\x80\x00\x00\x90"), RV_E_CORRUPT); /* float for int */
	assert_int_equal(TO_COORD("\x92\x01\x93\x03\x05\x91\x92\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x02"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x04\x05\x91\x93\x01\x02\x00"), RV_E_CORRUPT); /* REJECTED for no reason */
	assert_int_equal(TO_COORD("\x92\x01\x93\x04\x05\x91\x93\x01\x02\x07"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x90"), RV_OK);  /* DISPATCH of nothing */
	assert_int_equal(TO_NODE("\x92\x01\x94\x22\x05\x90\x90"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\x93\xa1i\xa2/r\xa0\x90\x90"), RV_OK); /* in a workspace */
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\x93\xa0\xa2/r\xa0\x90\x90"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\x92\xa1i\xa2/r\x90\x90"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xa1i\x90\x90"), RV_E_CORRUPT);
	/* a spec that is not in the table */
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x91\xc4\x01s\x91\x97\x01\x01\x01\x01\x01\xa1u\x00"), RV_OK);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x91\xc4\x01s\x91\x97\x01\x01\x01\x01\x01\xa1u\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x91\x97\x01\x01\x01\x01\x01\xa1u\x00"), RV_E_CORRUPT);
	/* an empty spec; bytes where the blob's name should be; text for a number */
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x91\xc4\x00\x91\x97\x01\x01\x01\x01\x01\xa1u\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x91\x97\x01\x01\x01\x01\x01\xa1u\xc4\x01x"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x91\x97\x01\x01\x01\x01\x01\xa1u\xa1x"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x91\x97\x01\x01\x01\x01\x01\xa1u\xff"), RV_E_CORRUPT);
	/* the scan's: trailing bytes, extensions, lengths that lie */
	assert_int_equal(TO_COORD("\x91\x01\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\xdd\x20\x00\x00\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\xd4\x01\x01"), RV_E_CORRUPT);
}

static void random_damage_is_refused_or_read_whole(void **state)
{
	struct proto_frame_writer w;
	struct rv_buf frame;
	struct maker m;
	uint32_t round, refused = 0;

	(void)state;
	maker_init(&m, 5);
	proto_frame_writer_init(&w);
	rv_buf_init(&frame, 0);
	for (round = 0; round < 4000; round++) {
		enum proto_msg_kind kind = kinds[rv_prng_below(&m.r, RV_ARRAY_LEN(kinds))];
		struct proto_msg msg;
		uint32_t hits = 1 + (uint32_t)rv_prng_below(&m.r, 3);

		make(&m, kind, &msg);
		assert_int_equal(proto_frame_add(&w, &msg, NULL), 0);
		assert_int_equal(proto_frame_finish(&w, &frame), 0);
		while (hits--)
			frame.at[rv_prng_below(&m.r, frame.bytes)] = (char)rv_prng_next(&m.r);
		if (rv_prng_below(&m.r, 4) == 0)
			frame.bytes = rv_prng_below(&m.r, frame.bytes + 1);
		refused += read_all(rv_buf_str(&frame), proto_msg_direction(kind)) != RV_OK;
		rv_arena_release(&m.arena);
	}
	assert_true(refused > 100);
	proto_frame_writer_release(&w);
	rv_buf_release(&frame);
}

/* --- dependencies and specs as bytes ---------------------------------------------------------------------------------- */

static void dependencies_come_back_from_a_blob(void **state)
{
	struct rv_arena arena;
	struct maker m;
	int round;

	(void)state;
	maker_init(&m, 9);
	rv_arena_init(&arena, 0);
	for (round = 0; round < 50; round++) {
		const struct proto_dep *deps, *got;
		uint32_t count, got_count;
		struct rv_buf b;

		m.fill = round == 0 ? FILL_LEAST : round == 1 ? FILL_MOST : FILL_ANY;
		deps = deps_of(&m, &count);
		rv_buf_init(&b, 0);
		assert_int_equal(proto_deps_encode(deps, count, &b), 0);
		assert_int_equal(proto_deps_decode(rv_buf_str(&b), &arena, &got, &got_count, NULL), 0);
		assert_int_equal(got_count, count);
		same_deps(deps, got, count);
		if (b.bytes > 1)
			assert_int_equal(proto_deps_decode(rv_str(b.at, b.bytes - 1), &arena, &got, &got_count, NULL), -1);
		assert_int_equal(proto_deps_decode(RV_STR("\x91\x90"), &arena, &got, &got_count, NULL), -1);
		assert_int_equal(proto_deps_decode(RV_STR("\x05"), &arena, &got, &got_count, NULL), -1);
		/* six fields; flags that nobody knows; a list of nothing; one that is none; eight */
		assert_int_equal(proto_deps_decode(RV_STR("\x91\x96\xa1" "a\x00\x07\xc0\xa1" "a\x01"), &arena, &got, &got_count, NULL), 0);
		assert_int_equal(proto_deps_decode(RV_STR("\x91\x96\xa1" "a\x00\x08\xc0\xa1" "a\x01"), &arena, &got, &got_count, NULL), -1);
		assert_int_equal(proto_deps_decode(RV_STR("\x91\x97\xa1" "a\x00\x03\xc0\xa1" "a\x01\x90"), &arena, &got, &got_count, NULL), -1);
		assert_int_equal(proto_deps_decode(RV_STR("\x91\x97\xa1" "a\x00\x03\xc0\xa1" "a\x01\x91\x92\xc4\x01" "f\x00"), &arena, &got, &got_count, NULL), -1);
		assert_int_equal(proto_deps_decode(RV_STR("\x91\x98\xa1" "a\x00\x03\xc0\xa1" "a\x01\xc0\xc0"), &arena, &got, &got_count, NULL), -1);
		rv_buf_release(&b);
		rv_arena_release(&m.arena);
	}
	rv_arena_release(&arena);
}

static const struct rv_str *texts_of(struct maker *m, uint32_t *count)
{
	struct rv_str *t;
	uint32_t i;

	*count = (uint32_t)number(m, 12);
	t = rv_arena_zalloc(&m->arena, (*count + 1) * sizeof(*t), 8);
	for (i = 0; i < *count; i++)
		t[i] = bytes_of(m, 100);
	return t;
}

static struct proto_spec spec_of(struct maker *m)
{
	struct proto_spec s = {
		.agent_kind = (enum proto_agent_kind)from(m, 0, PROTO_AGENT_CODEX),
		.flags = (uint32_t)number(m, (PROTO_SPEC_RALPH_ENV << 1) - 1),
		.agent = text_of(m, 64),
		.model = text_of(m, 64),
		.description = text_of(m, 4096),
		.prompt = text_of(m, 8000),
		.context = text_of(m, 500),
		.x_keys = text_of(m, 500),
		.cwd = bytes_of(m, 200),
		.output_mode = (enum proto_output_mode)from(m, 0, PROTO_OUTPUT_JSON),
		.evidence_mode = (enum proto_evidence_mode)from(m, 0, PROTO_EVIDENCE_ARTIFACT_AND_EXIT),
		.keep_logs = (enum proto_keep_logs)from(m, 0, PROTO_LOGS_ALL),
		.grace_us = number(m, UINT64_MAX),
		.log_max_bytes = number(m, UINT64_MAX),
		.timeout_us = number(m, UINT64_MAX),
		.idle_timeout_us = number(m, UINT64_MAX),
		.start_timeout_us = number(m, UINT64_MAX),
		.cpus = number(m, UINT64_MAX),
		.memory_bytes = number(m, UINT64_MAX),
		.mock_delay_us = number(m, UINT64_MAX),
		.mock_fail = (uint32_t)number(m, UINT32_MAX),
		.mock_output = text_of(m, 200),
		.home = (enum proto_home)from(m, 0, PROTO_HOME_SHARED),
		.preamble = (enum proto_preamble)from(m, 0, PROTO_PREAMBLE_TEXT),
		.preamble_text = text_of(m, 300),
		.mock_tokens = number(m, UINT64_MAX),
		.mock_rate_limited = (uint32_t)number(m, UINT32_MAX),
		.mock_hang = (uint32_t)number(m, UINT32_MAX),
		.mock_retry_after_us = number(m, UINT64_MAX),
		.mock_cost_microusd = number(m, UINT64_MAX),
	};
	struct proto_pair *env;
	int32_t *codes;
	uint32_t i;

	s.argv = texts_of(m, &s.argc);
	s.dirs = texts_of(m, &s.dir_count);
	s.accept = texts_of(m, &s.accept_count);
	s.unless = texts_of(m, &s.unless_count);
	s.evidence_globs = texts_of(m, &s.evidence_glob_count);
	s.rate_limit_patterns = texts_of(m, &s.rate_limit_pattern_count);
	s.env_count = (uint32_t)number(m, 10);
	s.env = env = rv_arena_zalloc(&m->arena, (s.env_count + 1) * sizeof(*env), 8);
	for (i = 0; i < s.env_count; i++)
		env[i] = (struct proto_pair){ bytes_of(m, 30), bytes_of(m, 300) };
	s.rate_limit_exit_code_count = (uint32_t)number(m, 5);
	s.rate_limit_exit_codes = codes =
		rv_arena_zalloc(&m->arena, (s.rate_limit_exit_code_count + 1) * sizeof(*codes), 8);
	for (i = 0; i < s.rate_limit_exit_code_count; i++)
		codes[i] = (int32_t)number(m, INT32_MAX) * (i % 2 ? -1 : 1);
	return s;
}

static void same_texts(const struct rv_str *a, const struct rv_str *b, uint32_t m, uint32_t n)
{
	uint32_t i;

	assert_int_equal(m, n);
	for (i = 0; i < m; i++)
		same_str(a[i], b[i]);
}

static void same_spec(const struct proto_spec *a, const struct proto_spec *b)
{
	uint32_t i;

	assert_int_equal(a->agent_kind, b->agent_kind);
	assert_int_equal(a->flags, b->flags);
	same_str(a->agent, b->agent);
	same_str(a->model, b->model);
	same_texts(a->argv, b->argv, a->argc, b->argc);
	assert_int_equal(a->env_count, b->env_count);
	for (i = 0; i < a->env_count; i++) {
		same_str(a->env[i].key, b->env[i].key);
		same_str(a->env[i].value, b->env[i].value);
	}
	same_str(a->description, b->description);
	same_str(a->prompt, b->prompt);
	same_str(a->context, b->context);
	same_str(a->x_keys, b->x_keys);
	same_str(a->cwd, b->cwd);
	same_texts(a->dirs, b->dirs, a->dir_count, b->dir_count);
	assert_int_equal(a->output_mode, b->output_mode);
	assert_int_equal(a->evidence_mode, b->evidence_mode);
	same_texts(a->evidence_globs, b->evidence_globs, a->evidence_glob_count, b->evidence_glob_count);
	assert_int_equal(a->keep_logs, b->keep_logs);
	assert_true(a->grace_us == b->grace_us);
	assert_true(a->log_max_bytes == b->log_max_bytes);
	assert_true(a->timeout_us == b->timeout_us);
	assert_true(a->idle_timeout_us == b->idle_timeout_us);
	assert_true(a->start_timeout_us == b->start_timeout_us);
	assert_true(a->cpus == b->cpus);
	assert_true(a->memory_bytes == b->memory_bytes);
	assert_int_equal(a->rate_limit_exit_code_count, b->rate_limit_exit_code_count);
	for (i = 0; i < a->rate_limit_exit_code_count; i++)
		assert_int_equal(a->rate_limit_exit_codes[i], b->rate_limit_exit_codes[i]);
	same_texts(a->rate_limit_patterns, b->rate_limit_patterns, a->rate_limit_pattern_count,
		   b->rate_limit_pattern_count);
	assert_true(a->mock_delay_us == b->mock_delay_us);
	assert_int_equal(a->mock_fail, b->mock_fail);
	same_str(a->mock_output, b->mock_output);
	assert_int_equal(a->home, b->home);
	assert_int_equal(a->preamble, b->preamble);
	same_str(a->preamble_text, b->preamble_text);
	assert_true(a->mock_tokens == b->mock_tokens);
	assert_int_equal(a->mock_rate_limited, b->mock_rate_limited);
	assert_int_equal(a->mock_hang, b->mock_hang);
	assert_true(a->mock_retry_after_us == b->mock_retry_after_us);
	assert_true(a->mock_cost_microusd == b->mock_cost_microusd);
	assert_int_equal(a->accept_count, b->accept_count);
	for (i = 0; i < a->accept_count; i++)
		same_str(a->accept[i], b->accept[i]);
	assert_int_equal(a->unless_count, b->unless_count);
	for (i = 0; i < a->unless_count; i++)
		same_str(a->unless[i], b->unless[i]);
}

static void specs_come_back_and_a_plain_one_is_small(void **state)
{
	static const struct rv_str echo[] = { { "echo", 4 }, { "hi", 2 } };
	struct rv_arena arena;
	struct proto_spec s, got;
	struct rv_buf b;
	struct maker m;
	int round;

	(void)state;
	maker_init(&m, 21);
	rv_arena_init(&arena, 0);
	rv_buf_init(&b, 0);
	for (round = 0; round < 100; round++) {
		m.fill = round == 0 ? FILL_LEAST : round == 1 ? FILL_MOST : FILL_ANY;
		s = spec_of(&m);
		rv_buf_reset(&b);
		assert_int_equal(proto_spec_encode(&s, &b), 0);
		assert_int_equal(proto_spec_decode(rv_buf_str(&b), &arena, &got, NULL), 0);
		same_spec(&s, &got);
		rv_arena_release(&m.arena);
		rv_arena_release(&arena);
	}
	proto_spec_init(&s);
	s.argv = echo;
	s.argc = 2;
	rv_buf_reset(&b);
	assert_int_equal(proto_spec_encode(&s, &b), 0);
	assert_int_equal(b.bytes, 1 + 1 + 1 + 6 + 4);
	assert_int_equal(proto_spec_decode(rv_buf_str(&b), &arena, &got, NULL), 0);
	same_spec(&s, &got);
	rv_arena_release(&arena);
	rv_buf_release(&b);
}

static void bad_specs_are_refused(void **state)
{
	struct rv_arena arena;
	struct proto_spec got;
	struct rv_err err;

	(void)state;
	rv_arena_init(&arena, 0);
#define SPEC(literal) (proto_spec_decode(RV_STR(literal), &arena, &got, &err) ? err.code : RV_OK)
	assert_int_equal(SPEC("\x80"), RV_OK);
	assert_int_equal(SPEC("\x90"), RV_E_CORRUPT);
	assert_int_equal(SPEC("\x81\x00\x01"), RV_E_CORRUPT);         /* no field 0 */
	assert_int_equal(SPEC("\x81\x28\x01"), RV_E_VERSION);         /* a field of the future */
	assert_int_equal(SPEC("\x81\x01\x05"), RV_E_CORRUPT);         /* no such agent kind */
	assert_int_equal(SPEC("\x82\x01\x01\x01\x02"), RV_E_CORRUPT); /* twice */
	assert_int_equal(SPEC("\x82\x16\x01\x01\x02"), RV_E_CORRUPT); /* out of order */
	assert_int_equal(SPEC("\x81\x05\xc4\x01x"), RV_E_CORRUPT);    /* argv is an array */
	assert_int_equal(SPEC("\x81\x06\x91\xc4\x01x"), RV_E_CORRUPT); /* a name without a value */
	assert_int_equal(SPEC("\x81\x18\x91\xce\xff\xff\xff\xff"), RV_E_CORRUPT);
	assert_int_equal(SPEC("\x81\xa1x\x01"), RV_E_CORRUPT);
#undef SPEC
	rv_arena_release(&arena);
}

/* --- facts ------------------------------------------------------------------------------------------------------------- */

static void make_fact(struct maker *m, enum proto_fact_kind kind, struct proto_fact *f)
{
	uint32_t i;

	memset(f, 0, sizeof(*f));
	f->kind = kind;
	switch (kind) {
	case PROTO_FACT_EPOCH:
		f->epoch.epoch = number(m, UINT64_MAX);
		for (i = 0; i < 16; i++)
			f->epoch.boot_id[i] = (uint8_t)number(m, 255);
		break;
	case PROTO_FACT_RUN_ACCEPTED:
		f->run_accepted.run = number(m, UINT64_MAX);
		f->run_accepted.name = text_of(m, 64);
		digest_of(m, f->run_accepted.plan_blob);
		digest_of(m, f->run_accepted.plan_digest);
		digest_of(m, f->run_accepted.estimates_blob);
		f->run_accepted.units = (uint32_t)number(m, UINT32_MAX);
		f->run_accepted.priority = m->fill == FILL_LEAST ? INT32_MIN : (int32_t)number(m, INT32_MAX);
		f->run_accepted.submission = number(m, UINT64_MAX);
		f->run_accepted.workspace_id = text_of(m, RV_NAME_BYTES_MAX);
		f->run_accepted.open = number(m, 1);
		break;
	case PROTO_FACT_UNITS_ADDED:
		f->units_added.run = number(m, UINT64_MAX);
		digest_of(m, f->units_added.plan_blob);
		f->units_added.first = (uint32_t)number(m, UINT32_MAX);
		f->units_added.units = (uint32_t)number(m, UINT32_MAX);
		f->units_added.submission = number(m, UINT64_MAX);
		break;
	case PROTO_FACT_ASSIGNED:
		f->assigned.key = key_of(m);
		f->assigned.node = (uint32_t)number(m, UINT32_MAX);
		if (number(m, 1))
			f->assigned.after = (struct proto_after){ (uint32_t)number(m, UINT32_MAX), 1 + (uint32_t)number(m, UINT32_MAX - 1) };
		break;
	case PROTO_FACT_ENDED:
		f->ended.result = result_of(m);
		f->ended.key = f->ended.result.key;
		f->ended.node = (uint32_t)number(m, UINT32_MAX);
		f->ended.state = (enum proto_end_state)from(m, PROTO_END_SUCCEEDED, PROTO_END_CANCELLED);
		if (m->fill == FILL_LEAST)
			f->ended.result.outcome = 0; /* ended without an attempt */
		break;
	case PROTO_FACT_ATTEMPT_ENDED:
		f->attempt_ended.result = result_of(m);
		f->attempt_ended.key = f->attempt_ended.result.key;
		f->attempt_ended.node = (uint32_t)number(m, UINT32_MAX);
		f->attempt_ended.retry_delay_us = number(m, UINT64_MAX);
		break;
	case PROTO_FACT_RUN_STOPPED:
		f->run_stopped.run = number(m, UINT64_MAX);
		f->run_stopped.reason = (enum proto_reason)from(m, 0, PROTO_REASON_COUNT - 1);
		break;
	case PROTO_FACT_RUN_FINISHED:
		f->run_finished.run = number(m, UINT64_MAX);
		f->run_finished.state = (enum proto_end_state)from(m, PROTO_END_SUCCEEDED, PROTO_END_CANCELLED);
		f->run_finished.reason = (enum proto_reason)from(m, 0, PROTO_REASON_COUNT - 1);
		f->run_finished.succeeded = (uint32_t)number(m, UINT32_MAX);
		f->run_finished.failed = (uint32_t)number(m, UINT32_MAX);
		f->run_finished.skipped = (uint32_t)number(m, UINT32_MAX);
		f->run_finished.cancelled = (uint32_t)number(m, UINT32_MAX);
		break;
	case PROTO_FACT_MUTATION:
		f->mutation.what = (enum proto_mutation)from(m, PROTO_MUT_CANCEL, PROTO_MUT_LAST);
		f->mutation.run = number(m, UINT64_MAX);
		f->mutation.unit = (uint32_t)number(m, UINT32_MAX);
		f->mutation.node = (uint32_t)number(m, UINT32_MAX);
		f->mutation.request = number(m, UINT64_MAX);
		f->mutation.value = m->fill == FILL_LEAST ? INT64_MIN : (int64_t)number(m, INT64_MAX);
		f->mutation.note = bytes_of(m, 1000);
		f->mutation.prompt = bytes_of(m, 1000);
		f->mutation.agent = text_of(m, RV_NAME_BYTES_MAX);
		break;
	case PROTO_FACT_NODE:
		f->node.node = (uint32_t)number(m, UINT32_MAX);
		f->node.change = (enum proto_node_change)from(m, PROTO_NODE_ADMITTED, PROTO_NODE_BEGAN);
		f->node.name = text_of(m, 64);
		digest_of(m, f->node.key);
		if (f->node.change != PROTO_NODE_BEGAN)
			break;
		for (i = 0; i < sizeof(f->node.boot_id); i++)
			f->node.boot_id[i] = (uint8_t)number(m, 255);
		f->node.incarnation = number(m, UINT64_MAX);
		break;
	case PROTO_FACT_KEY:
		f->key.change = (enum proto_key_change)from(m, PROTO_KEY_ADMITTED, PROTO_KEY_REVOKED);
		f->key.roles = number(m, 1) ? PROTO_ROLE_NODE | PROTO_ROLE_OPERATOR : PROTO_ROLE_NODE;
		digest_of(m, f->key.key);
		f->key.name = text_of(m, RV_NAME_BYTES_MAX);
		f->key.token = text_of(m, RV_NAME_BYTES_MAX);
		break;
	case PROTO_FACT_TOKEN:
		f->token.change = (enum proto_token_change)from(m, PROTO_TOKEN_MADE, PROTO_TOKEN_REVOKED);
		f->token.id = text_of(m, RV_NAME_BYTES_MAX);
		f->token.role = number(m, 1) ? PROTO_ROLE_OPERATOR : PROTO_ROLE_NODE;
		digest_of(m, f->token.key);
		f->token.expires_us = number(m, UINT64_MAX);
		f->token.uses = (uint32_t)number(m, UINT32_MAX);
		break;
	}
}

static void same_fact(const struct proto_fact *a, const struct proto_fact *b)
{
	assert_int_equal(a->kind, b->kind);
	switch (a->kind) {
	case PROTO_FACT_RUN_ACCEPTED: {
		struct proto_fact x = *a, y = *b;

		same_str(a->run_accepted.name, b->run_accepted.name);
		x.run_accepted.name = y.run_accepted.name = RV_STR("");
		assert_memory_equal(&x.run_accepted.plan_blob, &y.run_accepted.plan_blob, 96);
		assert_true(a->run_accepted.run == b->run_accepted.run);
		assert_int_equal(a->run_accepted.units, b->run_accepted.units);
		assert_int_equal(a->run_accepted.priority, b->run_accepted.priority);
		assert_true(a->run_accepted.submission == b->run_accepted.submission);
		same_str(a->run_accepted.workspace_id, b->run_accepted.workspace_id);
		assert_int_equal(a->run_accepted.open, b->run_accepted.open);
		return;
	}
	case PROTO_FACT_UNITS_ADDED:
		assert_true(a->units_added.run == b->units_added.run);
		assert_memory_equal(a->units_added.plan_blob, b->units_added.plan_blob, PROTO_DIGEST_BYTES);
		assert_int_equal(a->units_added.first, b->units_added.first);
		assert_int_equal(a->units_added.units, b->units_added.units);
		assert_true(a->units_added.submission == b->units_added.submission);
		return;
	case PROTO_FACT_ENDED:
		same_key(a->ended.key, b->ended.key);
		assert_int_equal(a->ended.node, b->ended.node);
		assert_int_equal(a->ended.state, b->ended.state);
		same_result(&a->ended.result, &b->ended.result);
		return;
	case PROTO_FACT_ATTEMPT_ENDED:
		same_key(a->attempt_ended.key, b->attempt_ended.key);
		assert_int_equal(a->attempt_ended.node, b->attempt_ended.node);
		assert_true(a->attempt_ended.retry_delay_us == b->attempt_ended.retry_delay_us);
		same_result(&a->attempt_ended.result, &b->attempt_ended.result);
		return;
	case PROTO_FACT_MUTATION:
		assert_int_equal(a->mutation.what, b->mutation.what);
		assert_true(a->mutation.run == b->mutation.run);
		assert_int_equal(a->mutation.unit, b->mutation.unit);
		assert_int_equal(a->mutation.node, b->mutation.node);
		assert_true(a->mutation.request == b->mutation.request);
		assert_true(a->mutation.value == b->mutation.value);
		same_str(a->mutation.note, b->mutation.note);
		same_str(a->mutation.prompt, b->mutation.prompt);
		same_str(a->mutation.agent, b->mutation.agent);
		return;
	case PROTO_FACT_NODE:
		assert_int_equal(a->node.node, b->node.node);
		assert_int_equal(a->node.change, b->node.change);
		same_str(a->node.name, b->node.name);
		assert_memory_equal(a->node.key, b->node.key, PROTO_DIGEST_BYTES);
		if (a->node.change != PROTO_NODE_BEGAN)
			return;
		assert_memory_equal(a->node.boot_id, b->node.boot_id, sizeof(a->node.boot_id));
		assert_true(a->node.incarnation == b->node.incarnation);
		return;
	case PROTO_FACT_KEY:
		assert_int_equal(a->key.change, b->key.change);
		assert_int_equal(a->key.roles, b->key.roles);
		assert_memory_equal(a->key.key, b->key.key, PROTO_KEY_BYTES);
		same_str(a->key.name, b->key.name);
		same_str(a->key.token, b->key.token);
		return;
	case PROTO_FACT_TOKEN:
		assert_int_equal(a->token.change, b->token.change);
		same_str(a->token.id, b->token.id);
		assert_int_equal(a->token.role, b->token.role);
		assert_memory_equal(a->token.key, b->token.key, PROTO_KEY_BYTES);
		assert_true(a->token.expires_us == b->token.expires_us);
		assert_int_equal(a->token.uses, b->token.uses);
		return;
	default:
		assert_memory_equal(a, b, sizeof(*a));
	}
}

static void facts_of_a_row_come_back_in_order(void **state)
{
	struct proto_fact facts[PROTO_FACT_LAST];
	struct rv_arena arena;
	struct rv_buf row;
	struct maker m;
	int round;

	(void)state;
	maker_init(&m, 31);
	rv_arena_init(&arena, 0);
	rv_buf_init(&row, 0);
	for (round = 0; round < 100; round++) {
		struct rv_str at;
		uint32_t i;

		m.fill = round == 0 ? FILL_LEAST : round == 1 ? FILL_MOST : FILL_ANY;
		rv_buf_reset(&row);
		for (i = 0; i < PROTO_FACT_LAST; i++) {
			make_fact(&m, (enum proto_fact_kind)(i + 1), &facts[i]);
			assert_int_equal(proto_fact_encode(&facts[i], &row), 0);
		}
		at = rv_buf_str(&row);
		for (i = 0; i < PROTO_FACT_LAST; i++) {
			struct proto_fact got;
			struct rv_err err;

			if (proto_fact_decode(&at, &arena, &got, &err) != 1)
				fail_msg("%s: %s", proto_fact_name(facts[i].kind), err.msg);
			same_fact(&facts[i], &got);
		}
		assert_int_equal(at.bytes, 0);
		assert_int_equal(proto_fact_decode(&at, &arena, &facts[0], NULL), 0);
		rv_arena_release(&m.arena);
		rv_arena_release(&arena);
	}
	rv_buf_release(&row);
}

static void a_short_fact_is_short(void **state)
{
	struct proto_fact f = { .kind = PROTO_FACT_ASSIGNED,
				.assigned = { .key = { (uint64_t)1 << 49, 100000, 1 }, .node = 0 } };
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	assert_int_equal(proto_fact_encode(&f, &b), 0);
	assert_int_equal(b.bytes, 1 + 1 + 1 + 9 + 5 + 1 + 1);
	rv_buf_release(&b);
}

static void damaged_facts_are_refused(void **state)
{
	struct rv_arena arena;
	struct proto_fact f;
	struct rv_err err;
	struct rv_str at;

	(void)state;
	rv_arena_init(&arena, 0);
#define FACT(literal) (at = RV_STR(literal), proto_fact_decode(&at, &arena, &f, &err) < 0 ? err.code : RV_OK)
	assert_int_equal(FACT("\x02\x91"), RV_E_CORRUPT);                 /* longer than what is left */
	assert_int_equal(at.bytes, 2);                                    /* and not moved */
	assert_int_equal(FACT("\x80"), RV_E_CORRUPT);
	assert_int_equal(FACT("\xff\xff\xff\xff\xff\x01"), RV_E_CORRUPT); /* a length that never ends */
	assert_int_equal(FACT("\xff\xff\xff\xff\x0f"), RV_E_CORRUPT);
	assert_int_equal(FACT("\x00"), RV_E_CORRUPT);
	assert_int_equal(FACT("\x01\x90"), RV_E_CORRUPT);
	assert_int_equal(FACT("\x02\x91\x00"), RV_E_VERSION);
	assert_int_equal(FACT("\x02\x91\x0d"), RV_E_VERSION);             /* a kind of the future */
	assert_int_equal(FACT("\x02\x91\x0c"), RV_E_CORRUPT);             /* UNITS_ADDED without a field */
	assert_int_equal(FACT("\x03\x93\x06\x01\x01"), RV_E_CORRUPT);
	assert_int_equal(FACT("\x04\x93\x06\x01\x01"), RV_OK);            /* RUN_STOPPED */
	assert_int_equal(FACT("\x04\x93\x06\x01\x7f"), RV_E_CORRUPT);     /* no such reason */
	assert_int_equal(FACT("\x05\x94\x06\x01\x01\x01"), RV_E_CORRUPT); /* a field too many */
	assert_int_equal(FACT("\x05\x93\x06\x01\x01\x01"), RV_E_CORRUPT); /* trailing */
	assert_int_equal(FACT("\x06\x95\x03\x01\x01\x01\x00"), RV_OK);      /* ASSIGNED */
	assert_int_equal(FACT("\x08\x97\x03\x01\x01\x01\x00\x02\x01"), RV_OK); /* behind attempt 1 of unit 2 */
	assert_int_equal(FACT("\x08\x97\x03\x01\x01\x01\x00\x02\x00"), RV_E_CORRUPT); /* behind no attempt */
	assert_int_equal(FACT("\x07\x96\x03\x01\x01\x01\x00\x02"), RV_E_CORRUPT); /* of that unit, none said */
	assert_int_equal(FACT("\x02\x91\x04"), RV_E_CORRUPT);
#define D32 "\xc4\x20" "01234567890123456789012345678901"
	assert_int_equal(FACT("\x2a\x96\x0a\x01\x05" D32 "\xa1n\xa1t"), RV_OK);        /* KEY */
	assert_int_equal(FACT("\x2a\x96\x0a\x00\x05" D32 "\xa1n\xa1t"), RV_E_CORRUPT); /* no such change */
	assert_int_equal(FACT("\x2a\x96\x0a\x03\x05" D32 "\xa1n\xa1t"), RV_E_CORRUPT);
	assert_int_equal(FACT("\x2a\x96\x0a\x01\x00" D32 "\xa1n\xa1t"), RV_E_CORRUPT); /* no role */
	assert_int_equal(FACT("\x2a\x96\x0a\x01\x07" D32 "\xa1n\xa1t"), RV_E_CORRUPT); /* a coordinator's */
	assert_int_equal(FACT("\x28\x95\x0a\x01\x05" D32 "\xa1n"), RV_E_CORRUPT);       /* a field too few */
	assert_int_equal(FACT("\x2a\x97\x0b\x03\xa1t\x01" D32 "\x01\x01"), RV_OK);       /* TOKEN */
	assert_int_equal(FACT("\x2a\x97\x0b\x04\xa1t\x01" D32 "\x01\x01"), RV_E_CORRUPT);
	assert_int_equal(FACT("\x2a\x97\x0b\x03\xa1t\x02" D32 "\x01\x01"), RV_E_CORRUPT);
	/* RUN_ACCEPTED as it was before there were clients, as it is, and neither */
	assert_int_equal(FACT("\x6d\x98\x02\x07\xa1n" D32 D32 D32 "\x01\x01"), RV_OK);
	assert_int_equal(f.run_accepted.submission, 0);
	assert_int_equal(FACT("\x70\x9a\x02\x07\xa1n" D32 D32 D32 "\x01\x01\x09\xa1w"), RV_OK);
	assert_int_equal(f.run_accepted.submission, 9);
	assert_int_equal(FACT("\x6e\x99\x02\x07\xa1n" D32 D32 D32 "\x01\x01\x09"), RV_E_CORRUPT);
#undef D32
#undef FACT
	rv_arena_release(&arena);
}

static void names_are_complete(void **state)
{
	size_t k;
	int i;

	(void)state;
	for (k = 0; k < RV_ARRAY_LEN(kinds); k++)
		assert_string_not_equal(proto_msg_name(kinds[k]), "?");
	assert_string_equal(proto_msg_name(PROTO_NONE), "?");
	assert_int_equal(proto_msg_roles(PROTO_NONE), 0);
	assert_int_equal(proto_msg_roles(PROTO_RESULT), PROTO_ROLE_NODE);
	assert_int_equal(proto_msg_roles(PROTO_BLOB_GET), PROTO_ROLE_NODE | PROTO_ROLE_OPERATOR);
	assert_int_equal(proto_msg_roles(PROTO_ENROL), PROTO_ROLE_ENROLLER);
	for (k = 0; k < RV_ARRAY_LEN(kinds); k++) /* a peer never speaks as the coordinator, nor the coordinator as a peer */
		assert_int_equal(proto_msg_roles(kinds[k]) == PROTO_ROLE_COORD, proto_msg_direction(kinds[k]) != PROTO_TO_COORD);
	for (i = 0; i < PROTO_CLASS_COUNT; i++) {
		assert_non_null(proto_class_name((enum proto_class)i));
		assert_int_equal(proto_class_of(rv_str_of(proto_class_name((enum proto_class)i))), i);
	}
	assert_int_equal(proto_class_of(RV_STR("agents")), -1);
	assert_string_equal(proto_class_name(PROTO_CLASS_COUNT), "?");
	for (i = 0; i < PROTO_REASON_COUNT; i++)
		assert_non_null(proto_reason_name((enum proto_reason)i));
	assert_string_equal(proto_reason_name(PROTO_REASON_COUNT), "?");
	for (i = PROTO_FACT_EPOCH; i <= PROTO_FACT_LAST; i++)
		assert_string_not_equal(proto_fact_name((enum proto_fact_kind)i), "?");
	assert_string_equal(proto_fact_name((enum proto_fact_kind)0), "?");
	assert_string_equal(proto_fact_name((enum proto_fact_kind)99), "?");
}

/* --- memory that runs out: an error each time, and all is well the next time ------------------------------------------ */

/* Made before memory becomes scarce. */
struct made {
	struct proto_msg messages[RV_ARRAY_LEN(kinds)];
	struct proto_fact facts[PROTO_FACT_LAST];
	struct proto_spec spec;
	const struct proto_dep *deps;
	uint32_t dep_count;
};

static int write_and_read(const struct made *made)
{
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct proto_frame_writer w;
	struct rv_buf frame;
	struct rv_err err;
	size_t k;
	int rc = r ? 0 : -1;

	proto_frame_writer_init(&w);
	rv_buf_init(&frame, 0);
	for (k = 0; rc == 0 && k < RV_ARRAY_LEN(kinds); k++) {
		struct proto_msg in;

		if (proto_frame_add(&w, &made->messages[k], &err) || proto_frame_finish(&w, &frame) ||
		    proto_frame_open(r, rv_buf_str(&frame), proto_msg_direction(kinds[k]), &err) ||
		    proto_frame_next(r, &in, &err) != 1)
			rc = -1;
		else
			same_msg(&made->messages[k], &in);
	}
	proto_frame_reader_destroy(&r);
	proto_frame_writer_release(&w);
	rv_buf_release(&frame);
	return rc;
}

static int encode_facts(const struct made *made)
{
	struct rv_arena arena;
	struct rv_buf b;
	int i, rc = 0;

	rv_buf_init(&b, 0);
	rv_arena_init(&arena, 0);
	for (i = 0; rc == 0 && i < PROTO_FACT_LAST; i++) {
		struct proto_fact got;
		struct rv_str at;

		rv_buf_release(&b);
		rc = proto_fact_encode(&made->facts[i], &b);
		if (rc)
			assert_int_equal(b.bytes, 0); /* no half of it */
		at = rv_buf_str(&b);
		if (rc == 0)
			rc = proto_fact_decode(&at, &arena, &got, NULL) == 1 ? 0 : -1;
		if (rc == 0)
			same_fact(&made->facts[i], &got);
	}
	rv_arena_release(&arena);
	rv_buf_release(&b);
	return rc;
}

static int encode_specs(const struct made *made)
{
	const struct proto_dep *deps;
	struct proto_spec got;
	struct rv_arena arena;
	struct rv_buf b, c;
	uint32_t count;
	int rc = 0;

	rv_buf_init(&b, 0);
	rv_buf_init(&c, 0);
	rv_arena_init(&arena, 0);
	if (proto_spec_encode(&made->spec, &b) || proto_spec_decode(rv_buf_str(&b), &arena, &got, NULL) ||
	    proto_deps_encode(made->deps, made->dep_count, &c) ||
	    proto_deps_decode(rv_buf_str(&c), &arena, &deps, &count, NULL))
		rc = -1;
	if (rc == 0)
		same_spec(&made->spec, &got);
	rv_arena_release(&arena);
	rv_buf_release(&b);
	rv_buf_release(&c);
	return rc;
}

static void memory_may_run_out_anywhere(void **state)
{
	int (*const works[])(const struct made *) = { write_and_read, encode_facts, encode_specs };
	struct made *made = calloc(1, sizeof(*made));
	struct maker m;
	size_t k;

	(void)state;
	maker_init(&m, 1);
	m.fill = FILL_MOST;
	for (k = 0; k < RV_ARRAY_LEN(kinds); k++)
		make(&m, kinds[k], &made->messages[k]);
	for (k = 0; k < PROTO_FACT_LAST; k++)
		make_fact(&m, (enum proto_fact_kind)(k + 1), &made->facts[k]);
	made->spec = spec_of(&m);
	made->deps = deps_of(&m, &made->dep_count);
	for (k = 0; k < RV_ARRAY_LEN(works); k++) {
		uint32_t n = 0, refused = 0;
		int rc;

		do {
			noalloc_fail(++n);
			rc = works[k](made);
			refused += rc != 0;
		} while (noalloc_failed()); /* an arena may do with a smaller chunk: then all is well in spite of it */
		assert_int_equal(rc, 0);
		assert_true(refused > 1);
	}
	noalloc_fail(0);
	rv_arena_release(&m.arena);
	free(made);
}

static void more_hostile_fields(void **state)
{
	struct proto_dep dep = { .output = { .kind = PROTO_VALUE_INLINE } };
	struct proto_msg d = { .kind = PROTO_DISPATCH, .dispatch = { .deps = &dep, .dep_count = 1 } };
	struct proto_frame_writer w;
	struct rv_err err = { 0 };
	struct rv_buf out;
	char *big = calloc(1, RV_INLINE_BYTES_MAX + 1);

	(void)state;
	rv_buf_init(&out, 0);
	proto_frame_writer_init(&w);
	dep.output.inline_bytes = rv_str(big, RV_INLINE_BYTES_MAX + 1);
	assert_int_equal(proto_frame_add(&w, &d, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_true(proto_frame_empty(&w));
	assert_int_equal(proto_deps_encode(&dep, 1, &out), -1);
	proto_frame_writer_release(&w);
	rv_buf_release(&out);
	free(big);
	/* DISPATCH with too few and too many fields; deps both inside and in a blob; bytes for the blob of deps */
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x91\x96\x01\x01\x01\x01\x01\xa1u"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x91\x9b\x01\x01\x01\x01\x01\xa1u\xc0\xa0\x90\xc0\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x91\x9a\x01\x01\x01\x01\x01\xa1u\xc0\xa0\x90\xc0"), RV_OK);
	assert_int_equal(TO_NODE("\x92\x01\x95\x22\x05\xc0\x90\x91\x9a\x01\x01\x01\x01\x01\xa1u\xc0\xa0\x90\xc4\x01x"), RV_E_CORRUPT);
	/* RESULT: too few fields, too many, no outcome, no such outcome, unknown flags */
	assert_int_equal(TO_COORD("\x92\x01\x93\x06\x05\x91\x9d\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x06\x05\x91\x9e\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), RV_OK);
	assert_int_equal(TO_COORD("\x92\x01\x93\x06\x05\x91\x9e\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x06\x05\x91\x9e\x01\x01\x01\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x06\x05\x91\x9e\x01\x01\x01\x01\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x93\x06\x05\x91\x9e\x01\x01\x01\x01\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00"), RV_E_CORRUPT);
	/* bytes behind the last message */
	assert_int_equal(TO_COORD("\x93\x01\x91\x0a\x91\x0a"), RV_OK);
	assert_int_equal(TO_COORD("\x93\x01\x91\x0a\x0a"), RV_E_CORRUPT);
}

/* Each message has its row in PROTOCOL.md, and no row names another. Tests run in the project's folder. */
static void the_document_lists_the_messages(void **state)
{
	FILE *f = fopen("proto/PROTOCOL.md", "r");
	uint32_t rows = 0;
	char line[4096];

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char name[32];
		unsigned kind;

		/* facts are in lower case */
		if (sscanf(line, "| %u | %31[A-Z_] |", &kind, name) != 2)
			continue;
		assert_string_equal(name, proto_msg_name((enum proto_msg_kind)kind));
		rows++;
	}
	assert_int_equal(rows, RV_ARRAY_LEN(kinds));
	rewind(f);
	rows = 0;
	while (fgets(line, sizeof(line), f)) {
		char name[32];
		unsigned kind;

		if (sscanf(line, "| %u | %31[a-z_] |", &kind, name) == 2)
			rows += strcmp(name, proto_fact_name((enum proto_fact_kind)kind)) == 0;
	}
	assert_int_equal(rows, PROTO_FACT_LAST);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_back_as_it_went),
		cmocka_unit_test(a_frame_keeps_the_order_of_many),
		cmocka_unit_test(units_of_one_template_carry_the_spec_once),
		cmocka_unit_test(a_dispatch_behind_no_attempt_is_refused),
		cmocka_unit_test(a_full_frame_says_so_and_is_whole),
		cmocka_unit_test(what_fits_no_frame_is_refused),
		cmocka_unit_test(hostile_frames_are_refused),
		cmocka_unit_test(random_damage_is_refused_or_read_whole),
		cmocka_unit_test(dependencies_come_back_from_a_blob),
		cmocka_unit_test(specs_come_back_and_a_plain_one_is_small),
		cmocka_unit_test(bad_specs_are_refused),
		cmocka_unit_test(facts_of_a_row_come_back_in_order),
		cmocka_unit_test(a_short_fact_is_short),
		cmocka_unit_test(damaged_facts_are_refused),
		cmocka_unit_test(memory_may_run_out_anywhere),
		cmocka_unit_test(more_hostile_fields),
		cmocka_unit_test(names_are_complete),
		cmocka_unit_test(the_document_lists_the_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
