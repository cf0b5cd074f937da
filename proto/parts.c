#include "proto/parts.h"

#include "proto/codec.h"

uint32_t proto_part_count(struct proto_cursor *c, uint32_t max, size_t bytes_min)
{
	uint32_t n = proto_read_array(c);

	if (n > max || n > (size_t)(c->end - c->at) / bytes_min) {
		c->failed = true;
		return 0;
	}
	return n;
}

void *proto_part_room(struct proto_cursor *c, struct rv_arena *arena, uint32_t count, size_t size)
{
	void *at;

	if (count == 0 || c->failed)
		return NULL;
	at = rv_arena_zalloc(arena, count * size, _Alignof(max_align_t));
	if (!at)
		c->failed = true;
	return at;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

int proto_pack_value(struct proto_pack *p, const struct proto_value *v)
{
	switch (v->kind) {
	case PROTO_VALUE_INLINE:
		if (v->inline_bytes.bytes > RV_INLINE_BYTES_MAX)
			return -1;
		proto_pack_bin(p, v->inline_bytes.at, v->inline_bytes.bytes);
		return 0;
	case PROTO_VALUE_BLOB:
		proto_pack_array(p, 2);
		proto_pack_uint(p, v->blob_bytes);
		proto_pack_bin(p, v->digest, PROTO_DIGEST_BYTES);
		return 0;
	default:
		proto_pack_nil(p);
		return 0;
	}
}

void proto_read_value(struct proto_cursor *c, struct proto_value *v)
{
	*v = (struct proto_value){ .kind = PROTO_VALUE_NONE };
	if (proto_take_nil(c))
		return;
	if (!c->failed && c->at < c->end && *c->at == 0x92) {
		proto_read_array_of(c, 2);
		v->blob_bytes = proto_read_uint(c);
		proto_read_fixed(c, v->digest, PROTO_DIGEST_BYTES);
		v->kind = PROTO_VALUE_BLOB;
		return;
	}
	v->inline_bytes = proto_read_bin(c);
	v->kind = PROTO_VALUE_INLINE;
	if (v->inline_bytes.bytes > RV_INLINE_BYTES_MAX)
		c->failed = true;
}

/* --- usage -------------------------------------------------------------------------------------------------------- */

void proto_pack_usage(struct proto_pack *p, const struct proto_usage *u)
{
	if (proto_usage_is_nothing(u)) {
		proto_pack_nil(p);
		return;
	}
	proto_pack_array(p, 5);
	proto_pack_uint(p, u->input_tokens);
	proto_pack_uint(p, u->output_tokens);
	proto_pack_uint(p, u->cache_read_tokens);
	proto_pack_uint(p, u->cache_write_tokens);
	if (u->cost_microusd == PROTO_COST_UNKNOWN)
		proto_pack_nil(p);
	else
		proto_pack_uint(p, u->cost_microusd);
}

void proto_read_usage(struct proto_cursor *c, struct proto_usage *u)
{
	*u = (struct proto_usage){ 0 };
	if (proto_take_nil(c))
		return;
	proto_read_array_of(c, 5);
	u->input_tokens = proto_read_uint_to(c, PROTO_USAGE_MAX);
	u->output_tokens = proto_read_uint_to(c, PROTO_USAGE_MAX);
	u->cache_read_tokens = proto_read_uint_to(c, PROTO_USAGE_MAX);
	u->cache_write_tokens = proto_read_uint_to(c, PROTO_USAGE_MAX);
	u->cost_microusd = proto_take_nil(c) ? PROTO_COST_UNKNOWN : proto_read_uint_to(c, PROTO_USAGE_MAX);
}

/* --- results ------------------------------------------------------------------------------------------------------ */

#define RESULT_FIELDS_MIN 12u
#define RESULT_FIELDS_MAX 20u
#define RESULT_FLAGS_ALL                                                                           \
	(PROTO_RESULT_STARTED | PROTO_RESULT_OUTPUT_JSON | PROTO_RESULT_TRUNCATED | PROTO_RESULT_LATE | PROTO_RESULT_ARTIFACTS_CUT)

uint32_t proto_result_fields(const struct proto_result *r)
{
	if (r->retry_after_us)
		return RESULT_FIELDS_MAX;
	if (!proto_usage_is_nothing(&r->usage))
		return RESULT_FIELDS_MIN + 7;
	if (r->artifact_count)
		return RESULT_FIELDS_MIN + 6;
	if (r->limits.bytes)
		return RESULT_FIELDS_MIN + 5;
	if (r->enforcement.bytes)
		return RESULT_FIELDS_MIN + 4;
	if (r->error.bytes)
		return RESULT_FIELDS_MIN + 3;
	if (r->tail.kind != PROTO_VALUE_NONE)
		return RESULT_FIELDS_MIN + 2;
	if (r->output.kind != PROTO_VALUE_NONE)
		return RESULT_FIELDS_MIN + 1;
	return RESULT_FIELDS_MIN;
}

static void pack_artifacts(struct proto_pack *p, const struct proto_artifact *items, uint32_t count)
{
	uint32_t i;

	proto_pack_array(p, count);
	for (i = 0; i < count; i++) {
		const struct proto_artifact *a = &items[i];

		proto_pack_array(p, a->executable ? 4 : 3);
		proto_pack_bin(p, a->name.at, a->name.bytes); /* file names are any bytes */
		proto_pack_uint(p, a->bytes);
		proto_pack_bin(p, a->digest, PROTO_DIGEST_BYTES);
		if (a->executable)
			proto_pack_uint(p, 1);
	}
}

int proto_pack_result(struct proto_pack *p, const struct proto_result *r, struct rv_err *err)
{
	uint32_t more = proto_result_fields(r) - RESULT_FIELDS_MIN;
	size_t error_bytes = r->error.bytes < PROTO_ERROR_BYTES_MAX ? r->error.bytes : PROTO_ERROR_BYTES_MAX;

	if (r->artifact_count > PROTO_ARTIFACTS_MAX)
		return rv_fail(err, RV_E_LIMIT, "%u artifacts; the limit is %u", r->artifact_count,
			       PROTO_ARTIFACTS_MAX);
	proto_pack_uint(p, r->epoch);
	proto_pack_uint(p, r->outcome);
	proto_pack_uint(p, r->class);
	proto_pack_uint(p, r->reason);
	proto_pack_uint(p, r->flags);
	proto_pack_int(p, r->exit);
	proto_pack_int(p, r->signal);
	proto_pack_uint(p, r->start_us);
	/* shorter as a length; the wall clock may have gone back meanwhile */
	proto_pack_int(p, (int64_t)(r->end_us - r->start_us));
	proto_pack_uint(p, r->duration_us);
	proto_pack_uint(p, r->cpu_us);
	proto_pack_uint(p, r->rss_bytes);
	if (more >= 1 && proto_pack_value(p, &r->output))
		return rv_fail(err, RV_E_LIMIT, "an output of %zu bytes inside a message",
			       r->output.inline_bytes.bytes);
	if (more >= 2 && proto_pack_value(p, &r->tail))
		return rv_fail(err, RV_E_LIMIT, "a log tail of %zu bytes inside a message",
			       r->tail.inline_bytes.bytes);
	if (more >= 3)
		proto_pack_bin(p, r->error.at, error_bytes);
	if (more >= 4)
		proto_pack_str(p, r->enforcement);
	if (more >= 5)
		proto_pack_str(p, r->limits);
	if (more >= 6)
		pack_artifacts(p, r->artifacts, r->artifact_count);
	if (more >= 7)
		proto_pack_usage(p, &r->usage);
	if (more >= 8)
		proto_pack_uint(p, r->retry_after_us);
	return 0;
}

static void read_artifact(struct proto_cursor *c, struct proto_artifact *a)
{
	uint32_t fields = proto_read_array(c);

	a->name = proto_read_bin(c);
	a->bytes = proto_read_uint(c);
	proto_read_fixed(c, a->digest, PROTO_DIGEST_BYTES);
	a->executable = fields == 4;
	if (fields < 3 || fields > 4 || (a->executable && proto_read_uint_to(c, 1) != 1))
		c->failed = true;
}

static void read_artifacts(struct proto_cursor *c, struct rv_arena *arena, const struct proto_artifact **items, uint32_t *count)
{
	uint32_t n = proto_part_count(c, PROTO_ARTIFACTS_MAX, 38);
	struct proto_artifact *a = proto_part_room(c, arena, n, sizeof(*a));
	uint32_t i;

	for (i = 0; i < n && !c->failed; i++)
		read_artifact(c, &a[i]);
	*items = a;
	*count = n;
}

void proto_read_result(struct proto_cursor *c, struct rv_arena *arena, uint32_t fields, struct proto_result *r)
{
	uint32_t more;

	if (fields < RESULT_FIELDS_MIN || fields > RESULT_FIELDS_MAX) {
		c->failed = true;
		return;
	}
	more = fields - RESULT_FIELDS_MIN;
	r->epoch = proto_read_uint(c);
	r->outcome = (enum proto_outcome)proto_read_uint_to(c, PROTO_CANCELLED);
	r->class = (enum proto_class)proto_read_uint_to(c, PROTO_CLASS_COUNT - 1);
	r->reason = (enum proto_reason)proto_read_uint_to(c, PROTO_REASON_COUNT - 1);
	r->flags = (uint32_t)proto_read_uint_to(c, RESULT_FLAGS_ALL);
	r->exit = proto_read_i32(c);
	r->signal = proto_read_i32(c);
	r->start_us = proto_read_uint(c);
	r->end_us = r->start_us + (uint64_t)proto_read_int(c);
	r->duration_us = proto_read_uint(c);
	r->cpu_us = proto_read_uint(c);
	r->rss_bytes = proto_read_uint(c);
	if (more >= 1)
		proto_read_value(c, &r->output);
	if (more >= 2)
		proto_read_value(c, &r->tail);
	if (more >= 3)
		r->error = proto_read_bin(c);
	if (more >= 4)
		r->enforcement = proto_read_str(c);
	if (more >= 5)
		r->limits = proto_read_str(c);
	if (more >= 6)
		read_artifacts(c, arena, &r->artifacts, &r->artifact_count);
	if (more >= 7)
		proto_read_usage(c, &r->usage);
	if (more >= 8)
		r->retry_after_us = proto_read_uint(c);
	if (r->error.bytes > PROTO_ERROR_BYTES_MAX)
		c->failed = true;
}

/* --- dependencies -------------------------------------------------------------------------------------------------- */

enum dep_bits { DEP_SUCCEEDED = 1, DEP_JSON = 2, DEP_ARTIFACTS_CUT = 4 };
#define DEP_BITS_ALL (DEP_SUCCEEDED | DEP_JSON | DEP_ARTIFACTS_CUT)
#define DEP_FIELDS_MIN 6u

/* Encoded once, when the unit ended. */
static void pack_list(struct proto_pack *p, const struct proto_dep *d)
{
	p->values += 1 + 5 * d->artifact_count; /* or one less each: not executable */
	(void)proto_pack_write(p->packer.data, d->artifacts.at, d->artifacts.bytes);
}

/* Checked as a list, and kept as its bytes. */
static void read_list(struct proto_cursor *c, struct proto_dep *d)
{
	const uint8_t *from = c->at;
	struct proto_artifact unused;
	uint32_t i, n = proto_part_count(c, PROTO_ARTIFACTS_MAX, 38);

	for (i = 0; i < n && !c->failed; i++)
		read_artifact(c, &unused);
	d->artifacts = rv_str((const char *)from, (size_t)(c->at - from));
	d->artifact_count = n;
	if (!n)
		c->failed = true; /* left out, then */
}

int proto_pack_deps(struct proto_pack *p, const struct proto_dep *deps, uint32_t count)
{
	uint32_t i;

	proto_pack_array(p, count);
	for (i = 0; i < count; i++) {
		const struct proto_dep *d = &deps[i];

		proto_pack_array(p, DEP_FIELDS_MIN + (d->artifact_count > 0));
		proto_pack_str(p, d->id);
		proto_pack_uint(p, d->index);
		proto_pack_uint(p, (d->succeeded ? DEP_SUCCEEDED : 0u) | (d->is_json ? DEP_JSON : 0u) | (d->artifacts_cut ? DEP_ARTIFACTS_CUT : 0u));
		if (proto_pack_value(p, &d->output))
			return -1;
		proto_pack_str(p, d->unit_id);
		proto_pack_uint(p, d->attempt);
		if (d->artifact_count)
			pack_list(p, d);
	}
	return 0;
}

void proto_read_deps(struct proto_cursor *c, struct rv_arena *arena, const struct proto_dep **deps, uint32_t *count)
{
	uint32_t n = proto_part_count(c, UINT32_MAX, 7);
	struct proto_dep *d = proto_part_room(c, arena, n, sizeof(*d));
	uint32_t i;

	for (i = 0; i < n && !c->failed; i++) {
		uint32_t fields = proto_read_array(c);
		uint64_t bits;

		if (fields != DEP_FIELDS_MIN && fields != DEP_FIELDS_MIN + 1)
			c->failed = true;
		d[i].id = proto_read_str(c);
		d[i].index = proto_read_u32(c);
		bits = proto_read_uint_to(c, DEP_BITS_ALL);
		d[i].succeeded = bits & DEP_SUCCEEDED;
		d[i].is_json = bits & DEP_JSON;
		d[i].artifacts_cut = bits & DEP_ARTIFACTS_CUT;
		proto_read_value(c, &d[i].output);
		d[i].unit_id = proto_read_str(c);
		d[i].attempt = proto_read_u32(c);
		if (fields > DEP_FIELDS_MIN)
			read_list(c, &d[i]);
	}
	*deps = d;
	*count = n;
}

/* --- dependencies as bytes of their own (codec.h) -------------------------------------------------------------------- */

int proto_deps_encode(const struct proto_dep *deps, uint32_t count, struct rv_buf *out)
{
	struct proto_pack p;

	proto_pack_init(&p, out);
	if (proto_pack_deps(&p, deps, count))
		return -1;
	return out->failed ? -1 : 0;
}

int proto_deps_decode(struct rv_str bytes, struct rv_arena *arena, const struct proto_dep **deps, uint32_t *count,
		      struct rv_err *err)
{
	/* 7 values a dependency, each at least a byte: the bytes bound them */
	struct proto_scan_limits limits = { RV_CONTEXT_BYTES_MAX, RV_FRAME_DEPTH_MAX, UINT32_MAX };
	struct proto_cursor c = proto_cursor(bytes);
	const struct proto_dep *d = NULL;
	uint32_t n = 0;

	if (proto_scan(bytes, &limits, err))
		return -1;
	proto_read_deps(&c, arena, &d, &n);
	if (!proto_cursor_done(&c))
		return rv_fail(err, RV_E_CORRUPT, "malformed dependencies at byte %zu",
			       (size_t)((const char *)c.at - bytes.at));
	*deps = d;
	*count = n;
	return 0;
}

int proto_artifacts_encode(const struct proto_artifact *items, uint32_t count, struct rv_buf *out)
{
	struct proto_pack p;

	proto_pack_init(&p, out);
	pack_artifacts(&p, items, count);
	return out->failed ? -1 : 0;
}

int proto_artifacts_decode(struct rv_str bytes, struct rv_arena *arena, const struct proto_artifact **items, uint32_t *count, struct rv_err *err)
{
	struct proto_cursor c = proto_cursor(bytes);

	read_artifacts(&c, arena, items, count);
	if (!proto_cursor_done(&c))
		return rv_fail(err, RV_E_CORRUPT, "malformed list of artifacts at byte %zu", (size_t)((const char *)c.at - bytes.at));
	return 0;
}
