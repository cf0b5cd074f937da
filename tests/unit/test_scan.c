#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/prng.h"
#include "proto/pack.h"
#include "proto/scan.h"

#include <malloc.h>
#include <msgpack.h>
#include <stdlib.h>

static enum rv_code scan(struct rv_str bytes)
{
	struct rv_err err = { 0 };
	struct proto_scan_limits limits = PROTO_SCAN_FRAME;

	return proto_scan(bytes, &limits, &err) == 0 ? RV_OK : err.code;
}

#define SCAN(literal) scan(RV_STR(literal))

/* --- hostile frames -------------------------------------------------------------------------------------------- */

static size_t allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void five_bytes_cannot_claim_gigabytes(void **state)
{
	size_t before = allocated();

	(void)state;
	assert_int_equal(SCAN("\xdd\x20\x00\x00\x00"), RV_E_CORRUPT);     /* array of 2^29 */
	assert_int_equal(SCAN("\xdf\x10\x00\x00\x00"), RV_E_CORRUPT);     /* map of 2^28 */
	assert_int_equal(SCAN("\xdf\xff\xff\xff\xff"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xdb\xff\xff\xff\xff" "x"), RV_E_CORRUPT); /* text of 4 GiB, one byte of it */
	assert_int_equal(SCAN("\xc6\xff\xff\xff\xff" "x"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\x91\xdd\x7f\xff\xff\xff"), RV_E_CORRUPT);
	assert_true(allocated() - before <= 4096);
}

static void depth_is_bounded(void **state)
{
	size_t bytes = RV_FRAME_BYTES_MAX;
	char *frame = malloc(bytes);

	(void)state;
	memset(frame, 0x91, bytes);
	assert_int_equal(scan(rv_str(frame, bytes)), RV_E_LIMIT);
	frame[RV_FRAME_DEPTH_MAX] = 0x05;
	assert_int_equal(scan(rv_str(frame, RV_FRAME_DEPTH_MAX + 1)), RV_OK);
	frame[RV_FRAME_DEPTH_MAX] = (char)0x91;
	frame[RV_FRAME_DEPTH_MAX + 1] = 0x05;
	assert_int_equal(scan(rv_str(frame, RV_FRAME_DEPTH_MAX + 2)), RV_E_LIMIT);
	memset(frame, 0x81, 40); /* maps count, too */
	assert_int_equal(scan(rv_str(frame, 41)), RV_E_LIMIT);
	free(frame);
}

static void values_are_bounded(void **state)
{
	size_t bytes = RV_FRAME_BYTES_MAX;
	uint32_t n = (uint32_t)bytes - 5;
	char *frame = malloc(bytes + 1);

	(void)state;
	memset(frame, 0xc0, bytes + 1);
	frame[0] = (char)0xdd;
	frame[1] = (char)(n >> 24);
	frame[2] = (char)(n >> 16);
	frame[3] = (char)(n >> 8);
	frame[4] = (char)n;
	assert_int_equal(scan(rv_str(frame, bytes)), RV_E_LIMIT); /* 1 MiB of nil in one array */
	n = RV_FRAME_VALUES_MAX - 1;                               /* and the array itself */
	frame[1] = (char)(n >> 24);
	frame[2] = (char)(n >> 16);
	frame[3] = (char)(n >> 8);
	frame[4] = (char)n;
	assert_int_equal(scan(rv_str(frame, 5 + n)), RV_OK);
	assert_int_equal(scan(rv_str(frame, bytes + 1)), RV_E_LIMIT); /* 1 MiB + 1 */
	free(frame);
}

static void only_one_whole_value_of_known_types(void **state)
{
	(void)state;
	assert_int_equal(scan(rv_str("", 0)), RV_E_CORRUPT);
	assert_int_equal(SCAN("\x01\x01"), RV_E_CORRUPT);         /* trailing */
	assert_int_equal(SCAN("\x92\x01"), RV_E_CORRUPT);         /* cut off */
	assert_int_equal(SCAN("\x81\x01"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xcd\x01"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xdc\x00"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xc1"), RV_E_CORRUPT);             /* reserved */
	assert_int_equal(SCAN("\xd4\x01\x00"), RV_E_CORRUPT);     /* extensions */
	assert_int_equal(SCAN("\xd8\x01" "0123456789abcdef"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xc7\x01\x01\x00"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xc9\x00\x00\x00\x01\x01\x00"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\x90"), RV_OK);
	assert_int_equal(SCAN("\x80"), RV_OK);
	assert_int_equal(SCAN("\x92\x90\x80"), RV_OK);
	assert_int_equal(SCAN("\xa3" "a\0b"), RV_OK);             /* NUL is a character like others */
	assert_int_equal(SCAN("\xc4\x00"), RV_OK);
	assert_int_equal(SCAN("\xca\x00\x00\x00\x00"), RV_OK);    /* whoever wants an integer refuses it */
}

static void text_must_be_utf8(void **state)
{
	(void)state;
	assert_int_equal(SCAN("\xa2\xc3\xa9"), RV_OK);
	assert_int_equal(SCAN("\xa3\xe2\x82\xac"), RV_OK);
	assert_int_equal(SCAN("\xa4\xf0\x9f\x98\x80"), RV_OK);
	assert_int_equal(SCAN("\xaa" "12345678\xc3\xa9"), RV_OK);
	assert_int_equal(SCAN("\xa1\xff"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xa1\x80"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xa1\xc3"), RV_E_CORRUPT);             /* cut inside the text */
	assert_int_equal(SCAN("\xa2\xc3\x28"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xa2\xc0\x80"), RV_E_CORRUPT);         /* overlong */
	assert_int_equal(SCAN("\xa3\xe0\x80\x80"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xa4\xf0\x80\x80\x80"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xa3\xed\xa0\x80"), RV_E_CORRUPT);     /* a surrogate */
	assert_int_equal(SCAN("\xa4\xf4\x90\x80\x80"), RV_E_CORRUPT); /* past U+10FFFF */
	assert_int_equal(SCAN("\xa4\xf5\x80\x80\x80"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xa9" "12345678\xe2"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xa3\xe2\x82\x28"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xa4\xf0\x9f\x98\x28"), RV_E_CORRUPT);
	assert_int_equal(SCAN("\xc4\x01\xff"), RV_OK);                /* bytes need not */
}

/* --- the cursor ------------------------------------------------------------------------------------------------- */

static void integers_at_their_edges(void **state)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, INT32_MAX, UINT32_MAX,
					  (uint64_t)UINT32_MAX + 1, INT64_MAX, UINT64_MAX };
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(edges); i++) {
		struct proto_pack p;
		struct proto_cursor c;
		struct rv_buf b;

		rv_buf_init(&b, 0);
		proto_pack_init(&p, &b);
		proto_pack_uint(&p, edges[i]);
		if (edges[i] <= INT64_MAX) {
			proto_pack_int(&p, (int64_t)edges[i]);
			proto_pack_int(&p, -(int64_t)edges[i]);
			proto_pack_int(&p, -(int64_t)edges[i] - 1);
		}
		c = proto_cursor(rv_buf_str(&b));
		assert_true(proto_read_uint(&c) == edges[i]);
		if (edges[i] <= INT64_MAX) {
			assert_true(proto_read_int(&c) == (int64_t)edges[i]);
			assert_true(proto_read_int(&c) == -(int64_t)edges[i]);
			assert_true(proto_read_int(&c) == -(int64_t)edges[i] - 1);
		}
		assert_true(proto_cursor_done(&c));
		rv_buf_release(&b);
	}
}

static struct proto_cursor over(const char *bytes, size_t count)
{
	return proto_cursor(rv_str(bytes, count));
}

#define OVER(literal) over(literal, sizeof(literal) - 1)

static void wrong_kinds_fail_and_stay_failed(void **state)
{
	struct proto_cursor c;
	char room[4] = "old";

	(void)state;
	c = OVER("\xca\x3f\x80\x00\x00\x05"); /* a float for an integer */
	assert_int_equal(proto_read_uint(&c), 0);
	assert_true(c.failed);
	assert_int_equal(proto_read_uint(&c), 0); /* sticky: the 5 is never reached */
	assert_int_equal(proto_read_int(&c), 0);
	assert_false(proto_read_bool(&c));
	assert_int_equal(proto_read_array(&c), 0);
	assert_int_equal(proto_read_map(&c), 0);
	assert_int_equal(proto_read_str(&c).bytes, 0);
	assert_int_equal(proto_read_bin(&c).bytes, 0);
	assert_int_equal(proto_skip(&c).bytes, 0);
	assert_false(proto_take_nil(&c));
	assert_false(proto_cursor_done(&c));

	c = OVER("\xff"); /* -1 */
	(void)proto_read_uint(&c);
	assert_true(c.failed);
	c = OVER("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"); /* 2^63 */
	(void)proto_read_int(&c);
	assert_true(c.failed);
	c = OVER("\xce\xff\xff\xff\xff");
	(void)proto_read_uint_to(&c, UINT32_MAX - 1);
	assert_true(c.failed);
	c = OVER("\xce\x80\x00\x00\x00");
	(void)proto_read_i32(&c);
	assert_true(c.failed);
	c = OVER("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff");
	(void)proto_read_i32(&c);
	assert_true(c.failed);
	c = OVER("\x01");
	(void)proto_read_bool(&c);
	assert_true(c.failed);
	c = OVER("\xa1x"); /* text for bytes, and the other way round */
	(void)proto_read_bin(&c);
	assert_true(c.failed);
	c = OVER("\xc4\x01x");
	(void)proto_read_str(&c);
	assert_true(c.failed);
	c = OVER("\xc4\x02xy");
	proto_read_fixed(&c, room, 3);
	assert_true(c.failed);
	assert_string_equal(room, "old");
	c = OVER("\x92\x01\x02");
	proto_read_array_of(&c, 3);
	assert_true(c.failed);
	c = OVER("\x81\x01\x02");
	assert_int_equal(proto_read_array(&c), 0);
	assert_true(c.failed);
	c = proto_cursor(rv_str(NULL, 0));
	(void)proto_read_uint(&c);
	assert_true(c.failed);
}

static void unscanned_bytes_fail_inside_their_bounds(void **state)
{
	static const char *const cut[] = { "\xcd\x01", "\xcf\x01\x02\x03\x04\x05\x06\x07", "\245abc", "\x93\x01",
					   "\xdd\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xc6\x7f\xff\xff\xff",
					   "\x82\x01", "\xc4", "\xd9", "\xdc\x01" };
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(cut); i++) {
		/* on the heap, so that a sanitizer sees a step outside */
		size_t n = strlen(cut[i]);
		char *bytes = malloc(n);
		int how;

		memcpy(bytes, cut[i], n);
		for (how = 0; how < 6; how++) {
			struct proto_cursor c = over(bytes, n);

			switch (how) {
			case 0:
				(void)proto_read_uint(&c);
				break;
			case 1:
				(void)proto_read_str(&c);
				break;
			case 2:
				(void)proto_read_bin(&c);
				break;
			case 3:
				(void)proto_read_array(&c);
				break;
			case 4:
				(void)proto_read_map(&c);
				break;
			default:
				(void)proto_skip(&c);
			}
			assert_true(c.failed);
		}
		free(bytes);
	}
}

/* --- the same as msgpack-c ---------------------------------------------------------------------------------------- */

static void make_value(struct rv_prng *r, struct proto_pack *p, uint32_t depth)
{
	static const char text[] = "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 and more text that is longer than thirty-one bytes";
	uint64_t kind = rv_prng_below(r, depth < 6 ? 12 : 9);
	uint32_t i, n;

	switch (kind) {
	case 0:
		proto_pack_nil(p);
		return;
	case 1:
		proto_pack_bool(p, rv_prng_below(r, 2));
		return;
	case 2:
	case 3:
		proto_pack_uint(p, rv_prng_next(r) >> rv_prng_below(r, 64));
		return;
	case 4:
	case 5:
		proto_pack_int(p, (int64_t)(rv_prng_next(r) >> rv_prng_below(r, 64)));
		return;
	case 6:
		proto_pack_str(p, rv_prng_below(r, 2) ? RV_STR("plain") : RV_STR(text));
		return;
	case 7: {
		static const char zeros[70000];

		proto_pack_bin(p, zeros, rv_prng_below(r, 50) ? rv_prng_below(r, 300) : 66000);
		return;
	}
	case 8:
		proto_pack_str(p, RV_STR(""));
		return;
	case 9:
	case 10:
		n = (uint32_t)(rv_prng_below(r, 20) ? rv_prng_below(r, 6) : 300);
		proto_pack_array(p, n);
		for (i = 0; i < n; i++)
			make_value(r, p, n > 100 ? 6 : depth + 1);
		return;
	default:
		n = (uint32_t)(rv_prng_below(r, 20) ? rv_prng_below(r, 6) : 40);
		proto_pack_map(p, n);
		for (i = 0; i < 2 * n; i++)
			make_value(r, p, n > 20 ? 6 : depth + 1);
	}
}

static uint32_t compare(struct proto_cursor *c, const msgpack_object *o)
{
	uint32_t i, values = 1;
	struct rv_str s;

	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		assert_true(proto_take_nil(c));
		break;
	case MSGPACK_OBJECT_BOOLEAN:
		assert_int_equal(proto_read_bool(c), o->via.boolean);
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		if (o->via.u64 <= INT64_MAX) {
			struct proto_cursor twin = *c;

			assert_true(proto_read_int(&twin) == (int64_t)o->via.u64);
		}
		assert_true(proto_read_uint(c) == o->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		assert_true(proto_read_int(c) == o->via.i64);
		break;
	case MSGPACK_OBJECT_STR:
		s = proto_read_str(c);
		assert_int_equal(s.bytes, o->via.str.size);
		assert_memory_equal(s.at, o->via.str.ptr, s.bytes);
		break;
	case MSGPACK_OBJECT_BIN:
		s = proto_read_bin(c);
		assert_int_equal(s.bytes, o->via.bin.size);
		assert_memory_equal(s.at, o->via.bin.ptr, s.bytes);
		break;
	case MSGPACK_OBJECT_ARRAY:
		assert_int_equal(proto_read_array(c), o->via.array.size);
		for (i = 0; i < o->via.array.size; i++)
			values += compare(c, &o->via.array.ptr[i]);
		break;
	case MSGPACK_OBJECT_MAP:
		assert_int_equal(proto_read_map(c), o->via.map.size);
		for (i = 0; i < o->via.map.size; i++) {
			values += compare(c, &o->via.map.ptr[i].key);
			values += compare(c, &o->via.map.ptr[i].val);
		}
		break;
	default:
		fail_msg("msgpack-c gave an object of type %d", (int)o->type);
	}
	assert_false(c->failed);
	return values;
}

static void random_values_read_as_msgpack_c_reads_them(void **state)
{
	struct proto_scan_limits limits = { (size_t)64 << 20, PROTO_SCAN_DEPTH_MAX, UINT32_MAX };
	struct rv_prng r;
	struct rv_buf b;
	int round;

	(void)state;
	rv_prng_seed(&r, 11);
	rv_buf_init(&b, 0);
	for (round = 0; round < 3000; round++) {
		struct proto_cursor c, skipper;
		struct proto_pack p;
		msgpack_unpacked got;
		size_t used = 0;

		rv_buf_reset(&b);
		proto_pack_init(&p, &b);
		make_value(&r, &p, 0);
		assert_false(b.failed);
		assert_int_equal(proto_scan(rv_buf_str(&b), &limits, NULL), 0);
		msgpack_unpacked_init(&got);
		assert_int_equal(msgpack_unpack_next(&got, b.at, b.bytes, &used), MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(used, b.bytes);
		c = proto_cursor(rv_buf_str(&b));
		assert_int_equal(compare(&c, &got.data), p.values); /* the packer counts as a scan does */
		assert_true(proto_cursor_done(&c));
		msgpack_unpacked_destroy(&got);
		skipper = proto_cursor(rv_buf_str(&b));
		assert_int_equal(proto_skip(&skipper).bytes, b.bytes);
		assert_true(proto_cursor_done(&skipper));
		/* the values limit is exact */
		limits.values_max = p.values;
		assert_int_equal(proto_scan(rv_buf_str(&b), &limits, NULL), 0);
		limits.values_max = p.values - 1;
		if (p.values > 1)
			assert_int_equal(proto_scan(rv_buf_str(&b), &limits, NULL), -1);
		limits.values_max = UINT32_MAX;
	}
	rv_buf_release(&b);
}

/* Whatever the scan lets through, msgpack-c accepts whole, and so does the cursor. */
static void mutated_values_pass_only_if_msgpack_c_takes_them(void **state)
{
	struct proto_scan_limits limits = { (size_t)64 << 20, PROTO_SCAN_DEPTH_MAX, 100000 };
	uint32_t passed = 0;
	struct rv_prng r;
	struct rv_buf b;
	int round;

	(void)state;
	rv_prng_seed(&r, 12);
	rv_buf_init(&b, 0);
	for (round = 0; round < 20000; round++) {
		struct proto_pack p;
		msgpack_unpacked got;
		struct proto_cursor c;
		size_t used = 0;

		rv_buf_reset(&b);
		proto_pack_init(&p, &b);
		make_value(&r, &p, 3);
		b.at[rv_prng_below(&r, b.bytes)] = (char)rv_prng_next(&r);
		c = proto_cursor(rv_buf_str(&b));
		(void)proto_skip(&c); /* unscanned: must not step outside */
		if (proto_scan(rv_buf_str(&b), &limits, NULL))
			continue;
		passed++;
		assert_true(proto_cursor_done(&c));
		msgpack_unpacked_init(&got);
		assert_int_equal(msgpack_unpack_next(&got, b.at, b.bytes, &used), MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(used, b.bytes);
		msgpack_unpacked_destroy(&got);
	}
	assert_true(passed > 1000);
	rv_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_bytes_cannot_claim_gigabytes),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(values_are_bounded),
		cmocka_unit_test(only_one_whole_value_of_known_types),
		cmocka_unit_test(text_must_be_utf8),
		cmocka_unit_test(integers_at_their_edges),
		cmocka_unit_test(wrong_kinds_fail_and_stay_failed),
		cmocka_unit_test(unscanned_bytes_fail_inside_their_bounds),
		cmocka_unit_test(random_values_read_as_msgpack_c_reads_them),
		cmocka_unit_test(mutated_values_pass_only_if_msgpack_c_takes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
