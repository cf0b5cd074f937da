#include "tests/lib/node_rig.h"

#include "tests/lib/test.h"

#include "common/os/clock.h"
#include "common/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define RIG_WAIT_US (20u * (uint64_t)RV_US_PER_S)

static struct rv_str text(struct rig *r, struct rv_str s)
{
	struct rv_str copy = rv_arena_str(&r->arena, s);

	assert_non_null(copy.at);
	return copy;
}

/* --- the coordinator's side --------------------------------------------------------------------------------------- */

static void on_hello(struct rig *r, const struct proto_hello *h)
{
	static struct proto_held_verdict verdicts[4096];
	struct proto_msg m = { .kind = PROTO_WELCOME };

	r->held += h->held_count;
	r->incarnation = h->node.incarnation;
	assert_true(h->held_count <= RV_ARRAY_LEN(verdicts));
	for (uint32_t i = 0; i < h->held_count; i++)
		verdicts[i] = (struct proto_held_verdict){
			.key = h->held[i].key,
			.verdict = r->resend_held && h->held[i].state == PROTO_HELD_FINISHED ? PROTO_RESEND : PROTO_KEEP,
			.lease_us = 3600u * (uint64_t)RV_US_PER_S,
		};
	for (uint32_t i = 0; r->verdicts_at_random && i < h->held_count; i++)
		verdicts[i].verdict = (enum proto_verdict)rv_prng_below(r->verdicts_at_random, PROTO_FORGET + 1);
	m.welcome.epoch = RIG_EPOCH;
	m.welcome.session = 1;
	m.welcome.heartbeat_us = 200000;
	m.welcome.cluster = RV_STR("test");
	m.verdicts = verdicts;
	m.verdict_count = h->held_count;
	if (h->last) {
		rig_message(r, &m);
		r->welcomed = true;
	}
}

static void keep_result(struct rig *r, const struct proto_result *from)
{
	struct rig_result *to;
	struct proto_artifact *artifacts;

	assert_true(from->key.unit < RIG_UNITS);
	assert_int_equal(from->epoch, RIG_EPOCH);
	to = &r->results[from->key.unit];
	r->result_count += to->times++ == 0;
	to->r = *from;
	to->r.error = text(r, from->error);
	to->r.enforcement = text(r, from->enforcement);
	to->r.limits = text(r, from->limits);
	to->r.output.inline_bytes = text(r, from->output.inline_bytes);
	to->r.tail.inline_bytes = text(r, from->tail.inline_bytes);
	artifacts = RV_ARENA_ARRAY(&r->arena, struct proto_artifact, (size_t)from->artifact_count + 1);
	for (uint32_t i = 0; i < from->artifact_count; i++) {
		artifacts[i] = from->artifacts[i];
		artifacts[i].name = text(r, from->artifacts[i].name);
	}
	to->r.artifacts = artifacts;
}

static void on_result(struct rig *r, const struct proto_result *result)
{
	struct proto_msg m = { .kind = PROTO_RESULT_ACK };

	keep_result(r, result);
	m.result_ack = (struct proto_result_ack){ .key = result->key, .ack = PROTO_ACK_ACCEPTED };
	if (!r->hold_acks)
		rig_message(r, &m);
}

static void on_message(struct rig *r, const struct proto_msg *m)
{
	switch (m->kind) {
	case PROTO_HELLO:
		on_hello(r, &m->hello);
		break;
	case PROTO_HEARTBEAT: {
		struct proto_msg ack = { .kind = PROTO_HB_ACK };

		r->heartbeats++;
		if (r->hold_heartbeats)
			break;
		ack.hb_ack = (struct proto_hb_ack){ .session = m->heartbeat.session, .n = m->heartbeat.n, .heartbeat_us = 200000 };
		rig_message(r, &ack);
		break;
	}
	case PROTO_TAKEN:
		r->taken++;
		break;
	case PROTO_STARTED:
		r->started++;
		break;
	case PROTO_REJECTED:
		r->rejected++;
		break;
	case PROTO_RETRACTED:
		r->retracted++;
		break;
	case PROTO_ALREADY_STARTED:
		r->already_started++;
		break;
	case PROTO_NOT_HERE:
		r->not_here++;
		break;
	case PROTO_USAGE:
		r->usage = m->usage;
		r->usages++;
		break;
	case PROTO_RESULT:
		on_result(r, &m->result);
		break;
	case PROTO_BYE:
		r->bye = true;
		break;
	default:
		fail_msg("message %d from a node", (int)m->kind);
	}
}

static int receive(void *arg, struct rv_str frame)
{
	struct rig *r = arg;
	struct proto_msg m;
	struct rv_err err = { 0 };
	int rc;

	assert_int_equal(proto_frame_open(r->reader, frame, PROTO_TO_COORD, &err), 0);
	while ((rc = proto_frame_next(r->reader, &m, &err)) == 1)
		on_message(r, &m);
	assert_int_equal(rc, 0);
	return 0;
}

static void live_output(void *arg, struct proto_attempt_key key, int stream, uint64_t offset, struct rv_str bytes)
{
	struct rig *r = arg;

	(void)key, (void)stream, (void)offset;
	rv_buf_put_str(&r->printed, bytes);
}

/* --- life ------------------------------------------------------------------------------------------------------------- */

static void make_dirs(struct rig *r, const struct rig_options *o)
{
	if (o->keep_dir) {
		snprintf(r->dir, sizeof(r->dir), "%s", o->keep_dir);
	} else {
		const char *tmp = getenv("TMPDIR");

		snprintf(r->dir, sizeof(r->dir), "%s/rig-XXXXXX", tmp && strlen(tmp) < 80 ? tmp : "/tmp");
		assert_non_null(mkdtemp(r->dir));
	}
	snprintf(r->state, sizeof(r->state), "%s/state", r->dir);
	snprintf(r->workspace, sizeof(r->workspace), "%s/ws", r->dir);
	assert_true(mkdir(r->state, 0700) == 0 || errno == EEXIST);
	assert_true(mkdir(r->workspace, 0755) == 0 || errno == EEXIST);
}

void rig_start(struct rig *r, const struct rig_options *options)
{
	static const char *const path_only[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root", "SECRET_TOKEN=shh", NULL };
	static const struct rig_options none = { 0 };
	const struct rig_options *o = options ? options : &none;
	struct proto_named_amount gpus = { RV_STR("gpus"), o->gpus * 1000 };
	struct node_daemon_config cfg;
	struct rv_err err = { 0 };
	char blobs[200];

	memset(r, 0, sizeof(*r));
	r->resend_held = o->resend_held;
	make_dirs(r, o);
	rv_arena_init(&r->arena, 0);
	rv_buf_init(&r->frame, 0);
	rv_buf_init(&r->printed, 0);
	proto_frame_writer_init(&r->writer);
	r->reader = proto_frame_reader_create();
	r->results = calloc(RIG_UNITS, sizeof(r->results[0]));
	assert_non_null(r->results);
	snprintf(blobs, sizeof(blobs), "%s/blobs", r->state);
	assert_int_equal(rv_blobs_open(&r->blobs, blobs, RV_BLOBS_NOSYNC, 0, &err), 0);
	if (!o->no_warden) {
		struct warden_options w = { 0 };

		assert_int_equal(warden_start(&r->warden, &w, &err), 0);
		r->has_warden = true;
	}
	node_daemon_config_init(&cfg);
	cfg.mode = o->mode;
	cfg.name = RV_STR("n1");
	cfg.slots = o->slots ? o->slots : 2;
	cfg.agent_slots = o->agent_slots ? o->agent_slots : 8;
	cfg.state_dir = rv_str_of(r->state);
	cfg.workspace = rv_str_of(r->workspace);
	cfg.namespace_root = rv_str_of(o->namespace_root);
	cfg.plan_dir = rv_str_of(o->plan_dir);
	cfg.env = o->env ? o->env : path_only;
	cfg.blobs = &r->blobs;
	cfg.warden = r->has_warden ? &r->warden : NULL;
	cfg.resources = &gpus;
	cfg.resource_count = o->gpus ? 1 : 0;
	cfg.seed = 1;
	cfg.ops.send = receive;
	cfg.ops.output = o->output ? live_output : NULL;
	cfg.arg = r;
	assert_int_equal(node_daemon_create(&cfg, rv_clock_boottime_us(), &r->d, &err), 0);
	node_daemon_connected(r->d, rv_clock_boottime_us());
	r->deadline_us = rv_clock_monotonic_us() + RIG_WAIT_US;
	while (!r->welcomed)
		rig_turn(r, 100000);
	rig_turn(r, 0);
}

void rig_stop(struct rig *r, enum rig_end end)
{
	struct rv_err err = { 0 };

	node_daemon_destroy(&r->d);
	assert_null(r->d);
	if (r->has_warden)
		warden_client_close(&r->warden, WARDEN_CLOSE_WAIT);
	rv_blobs_close(&r->blobs);
	proto_frame_writer_release(&r->writer);
	proto_frame_reader_destroy(&r->reader);
	rv_buf_release(&r->frame);
	rv_buf_release(&r->printed);
	rv_arena_release(&r->arena);
	free(r->results);
	if (end == RIG_REMOVE) {
		int top;

		assert_int_equal(rv_dir_open("/", &top, &err), 0);
		assert_int_equal(rv_tree_remove_at(top, r->dir + 1, &err), 0);
		close(top);
	}
}

/* --- doing --------------------------------------------------------------------------------------------------------------- */

struct proto_attempt_key rig_key(uint32_t unit, uint32_t attempt)
{
	return (struct proto_attempt_key){ .run = RIG_RUN, .unit = unit, .attempt = attempt };
}

struct proto_spec rig_command(struct rv_str *room, const char *const *argv)
{
	struct proto_spec s;

	proto_spec_init(&s);
	s.agent_kind = PROTO_AGENT_COMMAND;
	s.argv = room;
	s.cpus = 1;
	for (; argv[s.argc]; s.argc++)
		room[s.argc] = rv_str_of(argv[s.argc]);
	return s;
}

static void send(struct rig *r)
{
	struct rv_err err = { 0 };
	struct rv_buf frame;

	if (proto_frame_empty(&r->writer))
		return;
	rv_buf_init(&frame, 0);
	assert_int_equal(proto_frame_finish(&r->writer, &frame), 0);
	assert_int_equal(node_daemon_on_frame(r->d, rv_buf_str(&frame), rv_clock_boottime_us(), &err), 0);
	rv_buf_release(&frame);
}

void rig_message(struct rig *r, const struct proto_msg *m)
{
	struct rv_err err = { 0 };
	int rc = proto_frame_add(&r->writer, m, &err);

	if (rc == 1) {
		send(r);
		rc = proto_frame_add(&r->writer, m, &err);
	}
	assert_int_equal(rc, 0);
}

void rig_dispatch(struct rig *r, uint32_t unit, uint32_t attempt, const struct proto_spec *spec, const struct proto_dispatch *with)
{
	struct proto_msg m = { .kind = PROTO_DISPATCH };
	struct rv_buf bytes;
	char id[16];

	rv_buf_init(&bytes, 0);
	assert_int_equal(proto_spec_encode(spec, &bytes), 0);
	if (with)
		m.dispatch = *with;
	snprintf(id, sizeof(id), "u%u", unit);
	m.dispatch.key = rig_key(unit, attempt);
	m.dispatch.epoch = RIG_EPOCH;
	if (!m.dispatch.try_number)
		m.dispatch.try_number = attempt;
	m.dispatch.lease_us = r->lease_us ? r->lease_us : 3600u * (uint64_t)RV_US_PER_S;
	if (!m.dispatch.unit_id.bytes)
		m.dispatch.unit_id = rv_str_of(id);
	if (r->spec_as_blob) {
		m.dispatch.spec_blob.kind = PROTO_VALUE_BLOB;
		m.dispatch.spec_blob.blob_bytes = bytes.bytes;
		assert_int_equal(rv_blobs_put(&r->blobs, rv_buf_str(&bytes), m.dispatch.spec_blob.digest, NULL), 0);
	} else {
		m.dispatch.spec = rv_buf_str(&bytes);
	}
	rig_message(r, &m);
	rv_buf_release(&bytes);
}

void rig_turn(struct rig *r, uint64_t wait_us)
{
	struct pollfd p = { .fd = r->has_warden && !r->warden_gone ? r->warden.fd : -1, .events = POLLIN };
	struct rv_err err = { 0 };
	uint64_t now, next;

	if (rv_clock_monotonic_us() > r->deadline_us)
		fail_msg("the daemon did not come to what was waited for: %u results", r->result_count);
	send(r);
	node_daemon_turn(r->d, rv_clock_boottime_us());
	send(r);
	now = rv_clock_boottime_us();
	next = node_daemon_next_deadline(r->d);
	wait_us = rv_min_u64(wait_us, rv_sat_sub(next, now));
	if (node_daemon_wants_write(r->d))
		p.events |= POLLOUT;
	if (poll(&p, 1, (int)((wait_us + 999) / 1000)) > 0 && node_daemon_on_warden(r->d, rv_clock_boottime_us(), &err) < 0)
		r->warden_gone = true;
	node_daemon_turn(r->d, rv_clock_boottime_us());
}

void rig_wait_count(struct rig *r, const uint32_t *value, uint32_t count)
{
	r->deadline_us = rv_clock_monotonic_us() + RIG_WAIT_US;
	while (*value < count)
		rig_turn(r, 100000);
}

void rig_wait_results(struct rig *r, uint32_t count)
{
	rig_wait_count(r, &r->result_count, count);
}

const char *rig_path(const struct rig *r, const char *below, char room[512])
{
	snprintf(room, 512, "%s/%s", r->dir, below);
	return room;
}

static const char *value(struct rig *r, const struct proto_value *v)
{
	struct rv_err err = { 0 };
	struct rv_buf bytes;
	char *copy;

	if (v->kind == PROTO_VALUE_NONE)
		return NULL;
	if (v->kind == PROTO_VALUE_INLINE)
		return v->inline_bytes.at;
	rv_buf_init(&bytes, 0);
	assert_int_equal(rv_blobs_get_all(&r->blobs, v->digest, 1 << 28, &bytes, &err), 0);
	assert_int_equal(bytes.bytes, v->blob_bytes);
	copy = rv_arena_copy(&r->arena, rv_buf_str(&bytes));
	rv_buf_release(&bytes);
	return copy;
}

const char *rig_output(struct rig *r, uint32_t unit)
{
	return value(r, &r->results[unit].r.output);
}

const char *rig_tail(struct rig *r, uint32_t unit)
{
	return value(r, &r->results[unit].r.tail);
}
