/* pack.h - msgpack-c's packer writing into an rv_buf
 *
 * A failure (limit, memory) stays in the buffer's `failed`: check it once at the end. `values` counts what a scan of the
 * result will count, so that a writer can stay below the reader's limit.
 */
#ifndef PROTO_PACK_H
#define PROTO_PACK_H

#include "common/base.h"
#include "common/buf.h"

#include <msgpack/pack.h>

struct proto_pack {
	msgpack_packer packer;
	uint32_t values;
};

/* A value costs two or three of these, so the common case, room enough, calls nothing. */
static inline int proto_pack_write(void *buf, const char *bytes, size_t count)
{
	struct rv_buf *b = buf;

	if (b->failed || count >= b->capacity - b->bytes)
		return rv_buf_put(b, bytes, count);
	if (count)
		memcpy(b->at + b->bytes, bytes, count);
	b->bytes += count;
	b->at[b->bytes] = '\0';
	return 0;
}

static inline void proto_pack_init(struct proto_pack *p, struct rv_buf *out)
{
	msgpack_packer_init(&p->packer, out, proto_pack_write);
	p->values = 0;
}

/* The results are those of rv_buf_put(), kept in the buffer: dropped here on purpose. */

static inline void proto_pack_nil(struct proto_pack *p)
{
	p->values++;
	(void)msgpack_pack_nil(&p->packer);
}

static inline void proto_pack_bool(struct proto_pack *p, bool v)
{
	p->values++;
	(void)(v ? msgpack_pack_true(&p->packer) : msgpack_pack_false(&p->packer));
}

static inline void proto_pack_uint(struct proto_pack *p, uint64_t v)
{
	p->values++;
	(void)msgpack_pack_uint64(&p->packer, v);
}

static inline void proto_pack_int(struct proto_pack *p, int64_t v)
{
	p->values++;
	(void)msgpack_pack_int64(&p->packer, v);
}

/* Followed by `count` values. */
static inline void proto_pack_array(struct proto_pack *p, uint32_t count)
{
	p->values++;
	(void)msgpack_pack_array(&p->packer, count);
}

/* Followed by `count` keys, each with its value. */
static inline void proto_pack_map(struct proto_pack *p, uint32_t count)
{
	p->values++;
	(void)msgpack_pack_map(&p->packer, count);
}

/* Must be UTF-8: whoever scans it checks. */
static inline void proto_pack_str(struct proto_pack *p, struct rv_str s)
{
	p->values++;
	(void)msgpack_pack_str(&p->packer, s.bytes);
	(void)msgpack_pack_str_body(&p->packer, s.at, s.bytes);
}

static inline void proto_pack_bin(struct proto_pack *p, const void *bytes, size_t count)
{
	p->values++;
	(void)msgpack_pack_bin(&p->packer, count);
	(void)msgpack_pack_bin_body(&p->packer, bytes, count);
}

#endif
