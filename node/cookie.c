#include "node/cookie.h"

#include "common/check.h"
#include "common/limits.h"
#include "common/os/blobs.h"
#include "node/warden/channel.h"

#define COOKIE_VERSION 4u
#define COOKIE_VERSION_NO_KIND 3u /* exit records of an earlier reeve may hold these */
#define COOKIE_VERSION_NO_PLACE 2u
#define COOKIE_VERSION_NO_LEASE 1u
#define HEAD_BYTES_MAX (64u + RV_UNIT_ID_BYTES_MAX)
#define PART_INLINE 0u
#define PART_BLOB 1u
#define PART_BYTES_MAX ((size_t)1 << 20)

_Static_assert(HEAD_BYTES_MAX + 1 + 64 < WARDEN_COOKIE_BYTES_MAX, "the head and a digest always fit");

static void put_strings(struct rv_buf *out, const struct rv_str *items, uint32_t count)
{
	rv_buf_put_u32(out, count);
	for (uint32_t i = 0; i < count; i++)
		rv_buf_put_lv(out, items[i]);
}

static int put_part(const struct proto_spec *s, struct rv_buf *out)
{
	rv_buf_put_u8(out, (uint8_t)s->output_mode);
	rv_buf_put_u8(out, (uint8_t)s->evidence_mode);
	rv_buf_put_u8(out, (uint8_t)s->keep_logs);
	rv_buf_put_u8(out, (uint8_t)s->agent_kind);
	rv_buf_put_u8(out, node_spec_has_steps(s));
	rv_buf_put_u64(out, s->cpus);
	rv_buf_put_u64(out, s->memory_bytes);
	rv_buf_put_u64(out, s->timeout_us);
	rv_buf_put_u64(out, s->idle_timeout_us);
	rv_buf_put_u64(out, s->start_timeout_us);
	put_strings(out, s->evidence_globs, s->evidence_glob_count);
	rv_buf_put_u32(out, s->rate_limit_exit_code_count);
	for (uint32_t i = 0; i < s->rate_limit_exit_code_count; i++)
		rv_buf_put_u32(out, (uint32_t)s->rate_limit_exit_codes[i]);
	put_strings(out, s->rate_limit_patterns, s->rate_limit_pattern_count);
	return out->failed ? -1 : 0;
}

/* The spec's part, made once: inline, or the digest of the blob that holds it. */
static int make_part(struct node_spec *n, struct rv_blobs *blobs, struct rv_err *err)
{
	uint8_t digest[PROTO_DIGEST_BYTES];

	rv_buf_put_u8(&n->collect, PART_INLINE);
	if (put_part(&n->spec, &n->collect) < 0)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a cookie");
	if (n->collect.bytes <= WARDEN_COOKIE_BYTES_MAX - HEAD_BYTES_MAX)
		return 0;
	if (!blobs) {
		rv_buf_reset(&n->collect);
		return rv_fail(err, RV_E_LIMIT, "evidence and rate limit patterns take more than %u bytes", WARDEN_COOKIE_BYTES_MAX - HEAD_BYTES_MAX);
	}
	if (rv_blobs_put(blobs, rv_str(n->collect.at + 1, n->collect.bytes - 1), digest, err) < 0) {
		rv_buf_reset(&n->collect);
		return -1;
	}
	rv_buf_reset(&n->collect);
	rv_buf_put_u8(&n->collect, PART_BLOB);
	return rv_buf_put(&n->collect, digest, sizeof(digest));
}

int node_cookie_write(struct node_spec *spec, const struct proto_dispatch *d, uint64_t place, struct rv_blobs *blobs, struct rv_buf *out,
		      struct rv_err *err)
{
	if (!spec->collect.bytes && make_part(spec, blobs, err) < 0)
		return -1;
	if (d->unit_id.bytes > RV_UNIT_ID_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "a unit id of %zu bytes", d->unit_id.bytes);
	rv_buf_put_u8(out, COOKIE_VERSION);
	rv_buf_put_u64(out, d->key.run);
	rv_buf_put_u32(out, d->key.unit);
	rv_buf_put_u32(out, d->key.attempt);
	rv_buf_put_u64(out, d->epoch);
	rv_buf_put_u32(out, d->try_number);
	rv_buf_put_u32(out, spec->spec.flags);
	rv_buf_put_u64(out, d->lease_us);
	rv_buf_put_u64(out, place);
	rv_buf_put_lv(out, d->unit_id);
	rv_buf_put_str(out, rv_buf_str(&spec->collect));
	return out->failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for a cookie") : 0;
}

static const struct rv_str *read_strings(struct rv_reader *r, struct rv_arena *arena, uint32_t *count)
{
	size_t n = rv_read_u32(r);
	struct rv_str *items;

	*count = 0;
	if (r->failed || !n)
		return NULL;
	if (n > (size_t)(r->end - r->at) / 4) {
		r->failed = true;
		return NULL;
	}
	items = RV_ARENA_ARRAY(arena, struct rv_str, n);
	for (size_t i = 0; items && i < n; i++)
		items[i] = rv_read_lv(r);
	r->failed = r->failed || !items;
	*count = items ? (uint32_t)n : 0;
	return items;
}

static void read_part(struct rv_reader *r, uint8_t version, struct rv_arena *arena, struct node_cookie *c)
{
	size_t n;
	int32_t *codes = NULL;

	c->output_mode = rv_read_u8(r);
	c->evidence_mode = rv_read_u8(r);
	c->keep_logs = rv_read_u8(r);
	if (version > COOKIE_VERSION_NO_KIND) {
		c->agent_kind = rv_read_u8(r);
		c->has_steps = rv_read_u8(r);
	}
	c->cpus = rv_read_u64(r);
	c->memory_bytes = rv_read_u64(r);
	c->timeout_us = rv_read_u64(r);
	c->idle_timeout_us = rv_read_u64(r);
	c->start_timeout_us = rv_read_u64(r);
	c->globs = read_strings(r, arena, &c->glob_count);
	n = rv_read_u32(r);
	if (!r->failed && n) {
		if (n <= (size_t)(r->end - r->at) / 4)
			codes = RV_ARENA_ARRAY(arena, int32_t, n);
		r->failed = !codes;
		for (size_t i = 0; codes && i < n; i++)
			codes[i] = (int32_t)rv_read_u32(r);
		c->rate_codes = codes;
		c->rate_code_count = codes ? (uint32_t)n : 0;
	}
	c->rate_patterns = read_strings(r, arena, &c->rate_pattern_count);
	if (r->at != r->end || c->output_mode > PROTO_OUTPUT_JSON || c->evidence_mode > PROTO_EVIDENCE_ARTIFACT_AND_EXIT ||
	    c->keep_logs > PROTO_LOGS_ALL || c->agent_kind > PROTO_AGENT_CODEX)
		r->failed = true;
}

/* The part that was too large: it stays in `arena`, texts borrow from there. */
static int read_blob_part(struct rv_reader *r, uint8_t version, struct rv_blobs *blobs, struct rv_arena *arena, struct node_cookie *c, struct rv_err *err)
{
	struct rv_buf part;
	struct rv_str kept;
	int rc;

	if (r->end - r->at != PROTO_DIGEST_BYTES || !blobs)
		return rv_fail(err, RV_E_CORRUPT, "a cookie without its blob");
	rv_buf_init(&part, 0);
	rc = rv_blobs_get_all(blobs, (const uint8_t *)r->at, PART_BYTES_MAX, &part, err);
	if (rc == 0) {
		kept = rv_arena_str(arena, rv_buf_str(&part));
		if (!kept.at)
			rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for a cookie");
		else
			rv_reader_init(r, kept);
	}
	rv_buf_release(&part);
	if (rc == 0)
		read_part(r, version, arena, c);
	return rc;
}

int node_cookie_read(struct rv_str bytes, struct rv_blobs *blobs, struct rv_arena *arena, struct node_cookie *out, struct rv_err *err)
{
	struct node_cookie c = { 0 };
	struct rv_reader r;
	uint8_t version, part;

	rv_reader_init(&r, bytes);
	version = rv_read_u8(&r);
	if (version < COOKIE_VERSION_NO_LEASE || version > COOKIE_VERSION)
		return rv_fail(err, RV_E_VERSION, "a cookie of version %u; this reeve knows %u to %u", version, COOKIE_VERSION_NO_LEASE,
			       COOKIE_VERSION);
	c.key.run = rv_read_u64(&r);
	c.key.unit = rv_read_u32(&r);
	c.key.attempt = rv_read_u32(&r);
	c.epoch = rv_read_u64(&r);
	c.try_number = rv_read_u32(&r);
	c.flags = rv_read_u32(&r);
	if (version >= COOKIE_VERSION_NO_PLACE)
		c.lease_us = rv_read_u64(&r);
	if (version >= COOKIE_VERSION_NO_KIND)
		c.place = rv_read_u64(&r);
	c.unit_id = rv_read_lv(&r);
	part = rv_read_u8(&r);
	if (r.failed || part > PART_BLOB)
		return rv_fail(err, RV_E_CORRUPT, "a cookie of %zu bytes that makes no sense", bytes.bytes);
	if (part == PART_INLINE)
		read_part(&r, version, arena, &c);
	else if (read_blob_part(&r, version, blobs, arena, &c, err) < 0)
		return -1;
	if (r.failed)
		return rv_fail(err, RV_E_CORRUPT, "a cookie of %zu bytes that makes no sense", bytes.bytes);
	*out = c;
	return 0;
}

void node_cookie_of(const struct proto_spec *s, const struct proto_dispatch *d, struct node_cookie *out)
{
	*out = (struct node_cookie){
		.key = d->key,
		.epoch = d->epoch,
		.try_number = d->try_number,
		.flags = s->flags,
		.lease_us = d->lease_us,
		.cpus = s->cpus,
		.unit_id = d->unit_id,
		.output_mode = s->output_mode,
		.evidence_mode = s->evidence_mode,
		.keep_logs = s->keep_logs,
		.agent_kind = s->agent_kind,
		.memory_bytes = s->memory_bytes,
		.timeout_us = s->timeout_us,
		.idle_timeout_us = s->idle_timeout_us,
		.start_timeout_us = s->start_timeout_us,
		.globs = s->evidence_globs,
		.glob_count = s->evidence_glob_count,
		.rate_codes = s->rate_limit_exit_codes,
		.rate_code_count = s->rate_limit_exit_code_count,
		.rate_patterns = s->rate_limit_patterns,
		.rate_pattern_count = s->rate_limit_pattern_count,
	};
}
