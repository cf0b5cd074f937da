/* test_transfer.c - blobs pulled from a peer piece by piece: windows, losses, lies, bounds */
#include "tests/lib/test.h"

#include "common/buf.h"
#include "common/prng.h"
#include "proto/transfer.h"
#include "tests/lib/scratch.h"

#include <fcntl.h>

#define PIECE PROTO_PIECE_BYTES_MAX
#define FAR 100000000u

/* A peer with a store of its own and requests on their way to it. */
struct pair {
	struct rv_blobs here, there;
	struct proto_transfer *t;
	struct proto_blob_get out[256];
	uint32_t out_count;
	char *room;
	uint64_t now_us;
};

static void open_store(struct rv_blobs *b, const char *name)
{
	struct rv_err err;

	if (rv_blobs_open(b, scratch(name), RV_BLOBS_NOSYNC, 0, &err))
		fail_msg("%s", err.msg);
}

static void pair_open(struct pair *p, uint32_t blobs_max, uint64_t bytes_max)
{
	struct proto_transfer_config cfg;

	memset(p, 0, sizeof(*p));
	open_store(&p->here, "here");
	open_store(&p->there, "there");
	proto_transfer_config_init(&cfg, &p->here);
	if (blobs_max)
		cfg.blobs_max = blobs_max;
	if (bytes_max)
		cfg.blob_bytes_max = bytes_max;
	p->t = proto_transfer_create(&cfg);
	p->room = malloc(PIECE);
	p->now_us = FAR;
	assert_non_null(p->t);
	assert_non_null(p->room);
}

static void pair_close(struct pair *p)
{
	proto_transfer_destroy(&p->t);
	assert_null(p->t);
	proto_transfer_destroy(&p->t);
	rv_blobs_close(&p->here);
	rv_blobs_close(&p->there);
	free(p->room);
}

/* `bytes` bytes at the peer, different for each `seed`. */
static struct proto_blob_ref make(struct pair *p, size_t bytes, uint64_t seed)
{
	struct proto_blob_ref ref = { .bytes = bytes };
	char *text = malloc(bytes + 8);
	struct rv_err err;

	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t v = rv_hash_u64(seed, i);

		memcpy(text + i, &v, 8);
	}
	if (rv_blobs_put(&p->there, rv_str(text, bytes), ref.digest, &err))
		fail_msg("%s", err.msg);
	free(text);
	return ref;
}

static uint32_t ask_all(struct pair *p)
{
	uint32_t n = 0;

	while (p->out_count < RV_ARRAY_LEN(p->out) && proto_transfer_ask(p->t, p->now_us, &p->out[p->out_count])) {
		p->out_count++;
		n++;
	}
	return n;
}

static bool answer(struct pair *p, const struct proto_blob_get *get)
{
	struct proto_blob_piece piece;
	struct rv_err err;

	if (proto_blob_serve(&p->there, get, p->room, &piece, &err))
		fail_msg("%s", err.msg);
	return proto_transfer_on_piece(p->t, &piece, p->now_us);
}

static struct proto_blob_get take_out(struct pair *p, uint32_t i)
{
	struct proto_blob_get get = p->out[i];

	memmove(&p->out[i], &p->out[i + 1], (--p->out_count - i) * sizeof(get));
	return get;
}

/* Everything asked is answered in order, until nothing is asked any more. */
static void pump(struct pair *p)
{
	for (;;) {
		struct proto_blob_get get;

		ask_all(p);
		if (!p->out_count)
			return;
		get = take_out(p, 0);
		assert_true(answer(p, &get));
	}
}

static void expect_ended(struct pair *p, uint64_t tag, enum rv_code code)
{
	struct proto_transfer_end end;

	assert_int_equal(proto_transfer_ended(p->t, &end), 1);
	assert_int_equal(end.tag, tag);
	if (end.err.code != code)
		fail_msg("code %d: %s", end.err.code, end.err.msg);
}

static void expect_none_ended(struct pair *p)
{
	struct proto_transfer_end end;

	assert_int_equal(proto_transfer_ended(p->t, &end), 0);
}

static void expect_idle(struct pair *p)
{
	struct proto_transfer_stats s;

	expect_none_ended(p);
	assert_int_equal(ask_all(p), 0);
	proto_transfer_stats(p->t, &s);
	assert_int_equal(s.wanted, 0);
	assert_int_equal(s.sets, 0);
	assert_int_equal(proto_transfer_next_deadline(p->t), RV_NEVER);
}

static void expect_here(struct pair *p, const struct proto_blob_ref *ref)
{
	struct rv_err err;
	struct rv_buf all;

	rv_buf_init(&all, 0);
	if (rv_blobs_get_all(&p->here, ref->digest, SIZE_MAX / 2, &all, &err))
		fail_msg("%s", err.msg);
	rv_buf_release(&all);
}

static bool is_here(struct pair *p, const struct proto_blob_ref *ref)
{
	return rv_blobs_find(&p->here, ref->digest, NULL, NULL) == 1;
}

static uint32_t files_open(void)
{
	uint32_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void blobs_of_every_size_arrive_whole(void **state)
{
	const size_t sizes[] = { 0, 1, 4097, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 9 * PIECE + 5 };
	struct proto_blob_ref refs[RV_ARRAY_LEN(sizes)];
	struct pair p;

	(void)state;
	for (uint32_t unknown = 0; unknown < 2; unknown++) {
		pair_open(&p, 0, 0);
		for (uint32_t i = 0; i < RV_ARRAY_LEN(sizes); i++) {
			refs[i] = make(&p, sizes[i], 100 * unknown + i);
			if (unknown)
				refs[i].bytes = UINT64_MAX;
		}
		refs[0].bytes = 0; /* an empty one is the same in both rounds: it is there in the second */
		assert_int_equal(proto_transfer_want(p.t, 7, refs, RV_ARRAY_LEN(refs), NULL), 1);
		expect_none_ended(&p);
		pump(&p);
		expect_ended(&p, 7, RV_OK);
		for (uint32_t i = 0; i < RV_ARRAY_LEN(sizes); i++)
			expect_here(&p, &refs[i]);
		expect_idle(&p);
		assert_int_equal(proto_transfer_want(p.t, 7, refs, RV_ARRAY_LEN(refs), NULL), 0);
		expect_idle(&p);
		pair_close(&p);
	}
}

static void one_that_two_sets_want_is_pulled_once(void **state)
{
	struct proto_transfer_stats s;
	struct proto_blob_ref a, b;
	struct proto_blob_ref both[3];
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	a = make(&p, 5000, 1);
	b = make(&p, 5000, 2);
	both[0] = a;
	both[1] = b;
	both[2] = a; /* twice in one set, too */
	assert_int_equal(proto_transfer_want(p.t, 1, &a, 1, NULL), 1);
	assert_int_equal(proto_transfer_want(p.t, 2, both, 3, NULL), 1);
	pump(&p);
	expect_ended(&p, 1, RV_OK);
	expect_ended(&p, 2, RV_OK);
	proto_transfer_stats(p.t, &s);
	assert_int_equal(s.blobs, 2);
	assert_int_equal(s.bytes, 10000);
	assert_int_equal(s.asked, 2);
	assert_int_equal(s.repeated, 0);
	assert_int_equal(s.unasked, 0);
	expect_idle(&p);
	pair_close(&p);
}

static void the_window_opens_as_pieces_come_and_stays_bounded(void **state)
{
	struct proto_blob_ref ref;
	uint64_t most = 0;
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	ref = make(&p, 40 * PIECE, 1);
	assert_int_equal(proto_transfer_want(p.t, 1, &ref, 1, NULL), 1);
	assert_int_equal(ask_all(&p), 1);
	for (;;) {
		struct proto_blob_get get;

		ask_all(&p);
		if (!p.out_count)
			break;
		most = rv_max_u64(most, p.out_count * PIECE);
		get = take_out(&p, 0);
		assert_true(answer(&p, &get));
	}
	assert_int_equal(most, PROTO_TRANSFER_WINDOW_BYTES);
	expect_ended(&p, 1, RV_OK);
	expect_here(&p, &ref);
	pair_close(&p);
}

static void files_open_are_few_and_small_ones_pass_the_large(void **state)
{
	struct proto_blob_ref refs[40];
	uint32_t before, most = 0;
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	for (uint32_t i = 0; i < 40; i++) {
		refs[i] = make(&p, i < 20 ? 12 * PIECE + i : 4100, i);
		assert_int_equal(proto_transfer_want(p.t, i, &refs[i], 1, NULL), 1);
	}
	before = files_open();
	for (uint32_t steps = 0; steps < 60; steps++) {
		struct proto_blob_get get;

		ask_all(&p);
		get = take_out(&p, 0);
		assert_true(answer(&p, &get));
		most = rv_max_u64(most, files_open() - before);
	}
	assert_in_range(most, 1, PROTO_TRANSFER_OPEN_MAX);
	for (uint32_t i = 20; i < 40; i++)
		assert_true(is_here(&p, &refs[i])); /* not behind 60 MiB of others */
	assert_false(is_here(&p, &refs[19]));
	pump(&p);
	for (uint32_t i = 0; i < 20; i++)
		assert_true(is_here(&p, &refs[i]));
	assert_int_equal(files_open(), before);
	pair_close(&p);
}

static void what_is_not_answered_is_asked_again_later_and_later(void **state)
{
	uint64_t waits[] = { 5, 10, 20, 40, 60, 60 };
	struct proto_transfer_stats s;
	struct proto_blob_ref ref;
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	ref = make(&p, 5000, 1);
	assert_int_equal(proto_transfer_want(p.t, 1, &ref, 1, NULL), 1);
	assert_int_equal(ask_all(&p), 1);
	for (uint32_t i = 0; i < RV_ARRAY_LEN(waits); i++) {
		uint64_t due = proto_transfer_next_deadline(p.t);

		assert_int_equal(due, p.now_us + waits[i] * RV_US_PER_S);
		p.now_us = due - 1;
		assert_int_equal(ask_all(&p), 0);
		p.now_us = due;
		assert_int_equal(ask_all(&p), 1);
	}
	while (p.out_count > 1) {
		struct proto_blob_get late = take_out(&p, 0);

		assert_false(answer(&p, &late)); /* a request that was given up */
	}
	expect_none_ended(&p);
	pump(&p);
	expect_ended(&p, 1, RV_OK);
	proto_transfer_stats(p.t, &s);
	assert_int_equal(s.asked, 1 + RV_ARRAY_LEN(waits));
	assert_int_equal(s.repeated, RV_ARRAY_LEN(waits));
	assert_int_equal(s.unasked, RV_ARRAY_LEN(waits));
	expect_idle(&p);
	pair_close(&p);
}

static void a_new_link_goes_on_where_the_old_one_stood(void **state)
{
	struct proto_transfer_stats s;
	struct proto_blob_ref ref;
	struct proto_blob_get get;
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	ref = make(&p, 10 * PIECE, 1);
	assert_int_equal(proto_transfer_want(p.t, 1, &ref, 1, NULL), 1);
	for (uint32_t i = 0; i < 4; i++) {
		ask_all(&p);
		get = take_out(&p, 0);
		assert_true(answer(&p, &get));
	}
	ask_all(&p);
	p.out_count = 0; /* lost with the link */
	proto_transfer_relinked(p.t, p.now_us);
	assert_int_equal(ask_all(&p), 1); /* carefully at first */
	assert_int_equal(p.out[0].offset, 4 * PIECE);
	pump(&p);
	expect_ended(&p, 1, RV_OK);
	expect_here(&p, &ref);
	proto_transfer_stats(p.t, &s);
	assert_int_equal(s.bytes, 10 * PIECE);
	pair_close(&p);
}

/* Random losses, repeats and new links: everything comes, nothing wrong is kept. */
static void losses_and_repeats_heal(void **state)
{
	struct proto_blob_ref refs[30];
	struct rv_prng rng;
	uint32_t ended = 0;
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	rv_prng_seed(&rng, 42);
	for (uint32_t i = 0; i < 30; i++) {
		refs[i] = make(&p, i % 3 ? 4096 + i : PIECE * (i % 7) + 17, i);
		assert_int_equal(proto_transfer_want(p.t, i, &refs[i], 1, NULL), 1);
	}
	for (uint32_t steps = 0; ended < 30; steps++) {
		struct proto_transfer_end end;
		uint32_t draw = (uint32_t)rv_prng_below(&rng, 100);

		assert_true(steps < 100000);
		ask_all(&p);
		if (draw == 0) {
			p.out_count = 0;
			proto_transfer_relinked(p.t, p.now_us);
		} else if (p.out_count) {
			struct proto_blob_get get = p.out[0];

			if (draw >= 10)
				(void)answer(&p, &get);
			if (draw < 95)
				(void)take_out(&p, 0);
		} else {
			p.now_us = proto_transfer_next_deadline(p.t);
			assert_true(p.now_us != RV_NEVER);
		}
		while (proto_transfer_ended(p.t, &end)) {
			assert_int_equal(end.err.code, RV_OK);
			expect_here(&p, &refs[end.tag]);
			ended++;
		}
	}
	p.out_count = 0;
	expect_idle(&p);
	pair_close(&p);
}

/* One wrong answer to a request for 3 pieces' worth or for a small blob. */
enum lie { LIE_ABSENT, LIE_SIZE, LIE_BYTES, LIE_SHORT, LIE_EMPTY, LIE_LONG, LIES };

static void tell(struct pair *p, enum lie lie, const struct proto_blob_get *get)
{
	struct proto_blob_piece piece;
	char *longer = malloc(PIECE + 1);

	assert_int_equal(proto_blob_serve(&p->there, get, p->room, &piece, NULL), 0);
	switch (lie) {
	case LIE_ABSENT:
		piece.size = UINT64_MAX;
		piece.bytes = rv_str(NULL, 0);
		break;
	case LIE_SIZE:
		piece.size++;
		break;
	case LIE_BYTES:
		p->room[piece.bytes.bytes - 1] ^= 1;
		break;
	case LIE_SHORT:
		piece.bytes.bytes--;
		break;
	case LIE_EMPTY:
		piece.bytes.bytes = 0;
		break;
	case LIE_LONG:
		memcpy(longer, p->room, piece.bytes.bytes);
		longer[piece.bytes.bytes] = 'x';
		piece.bytes = rv_str(longer, piece.bytes.bytes + 1);
		break;
	case LIES:
		break;
	}
	assert_true(proto_transfer_on_piece(p->t, &piece, p->now_us));
	free(longer);
}

static void a_lie_fails_what_wanted_it_and_nothing_else(void **state)
{
	(void)state;
	for (uint32_t lie = 0; lie < LIES; lie++)
		for (uint32_t large = 0; large < 2; large++) {
			struct proto_blob_ref bad, good, both[2];
			struct pair p;

			pair_open(&p, 0, 0);
			bad = make(&p, large ? 3 * PIECE : 5000, 10 * lie + large);
			good = make(&p, 6000, 1000 + 10 * lie + large);
			both[0] = good;
			both[1] = bad;
			assert_int_equal(proto_transfer_want(p.t, 1, &bad, 1, NULL), 1);
			assert_int_equal(proto_transfer_want(p.t, 2, &good, 1, NULL), 1);
			assert_int_equal(proto_transfer_want(p.t, 3, both, 2, NULL), 1);
			for (;;) {
				struct proto_blob_get get;

				ask_all(&p);
				if (!p.out_count)
					break;
				get = take_out(&p, 0);
				if (memcmp(get.digest, bad.digest, sizeof(bad.digest)) == 0)
					tell(&p, (enum lie)lie, &get);
				else
					assert_true(answer(&p, &get));
			}
			assert_false(is_here(&p, &bad));
			assert_true(is_here(&p, &good));
			for (uint32_t i = 0; i < 3; i++) {
				struct proto_transfer_end end;

				assert_int_equal(proto_transfer_ended(p.t, &end), 1);
				assert_int_equal(end.err.code, end.tag == 2 ? RV_OK : lie == LIE_ABSENT ? RV_E_NOT_FOUND : RV_E_CORRUPT);
			}
			expect_idle(&p);
			assert_int_equal(proto_transfer_want(p.t, 1, &bad, 1, NULL), 1); /* another try may go well */
			pump(&p);
			expect_ended(&p, 1, RV_OK);
			pair_close(&p);
		}
}

static void pieces_that_nobody_asked_for_change_nothing(void **state)
{
	struct proto_blob_ref ref, other;
	struct proto_blob_get get, wrong;
	struct proto_transfer_stats s;
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	ref = make(&p, 5000, 1);
	other = make(&p, 5000, 2);
	get = (struct proto_blob_get){ .request = 1 };
	memcpy(get.digest, ref.digest, sizeof(get.digest));
	assert_false(answer(&p, &get)); /* nothing is wanted yet */
	assert_int_equal(proto_transfer_want(p.t, 1, &ref, 1, NULL), 1);
	ask_all(&p);
	get = take_out(&p, 0);
	wrong = get;
	wrong.request++;
	assert_false(answer(&p, &wrong));
	wrong = get;
	wrong.offset = 10;
	assert_false(answer(&p, &wrong));
	wrong = get;
	memcpy(wrong.digest, other.digest, sizeof(wrong.digest));
	assert_false(answer(&p, &wrong));
	assert_true(answer(&p, &get));
	assert_false(answer(&p, &get));
	expect_ended(&p, 1, RV_OK);
	assert_false(is_here(&p, &other));
	proto_transfer_stats(p.t, &s);
	assert_int_equal(s.unasked, 5);
	pair_close(&p);
}

static void a_dropped_set_is_not_named_and_its_blobs_are_given_up(void **state)
{
	struct proto_blob_ref a, b, both[2];
	struct proto_blob_get get;
	struct proto_transfer_stats s;
	uint32_t before;
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	before = files_open();
	a = make(&p, 6 * PIECE, 1);
	b = make(&p, 6 * PIECE, 2);
	both[0] = a;
	both[1] = b;
	assert_int_equal(proto_transfer_want(p.t, 1, both, 2, NULL), 1);
	assert_int_equal(proto_transfer_want(p.t, 2, &b, 1, NULL), 1);
	for (uint32_t i = 0; i < 3; i++) {
		ask_all(&p);
		get = take_out(&p, 0);
		assert_true(answer(&p, &get));
	}
	ask_all(&p);
	assert_int_equal(files_open(), before + 1);
	assert_true(proto_transfer_drop(p.t, 1));
	assert_false(proto_transfer_drop(p.t, 1));
	assert_int_equal(files_open(), before);
	proto_transfer_stats(p.t, &s);
	assert_int_equal(s.wanted, 1);
	pump(&p); /* what is still out for the first one is taken from the link and forgotten */
	expect_ended(&p, 2, RV_OK);
	assert_false(is_here(&p, &a));
	expect_here(&p, &b);
	expect_idle(&p);
	/* one that ended and was not named yet */
	assert_int_equal(proto_transfer_want(p.t, 3, &a, 1, NULL), 1);
	pump(&p);
	assert_true(proto_transfer_drop(p.t, 3));
	expect_idle(&p);
	pair_close(&p);
}

static void what_is_over_a_bound_is_refused_whole(void **state)
{
	struct proto_blob_ref refs[5];
	struct rv_err err = { 0 };
	struct pair p;

	(void)state;
	pair_open(&p, 3, 10000);
	for (uint32_t i = 0; i < 4; i++)
		refs[i] = make(&p, 5000, i);
	refs[4] = make(&p, 10001, 4);
	assert_int_equal(proto_transfer_want(p.t, 1, refs, 4, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_int_equal(proto_transfer_want(p.t, 1, &refs[4], 1, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	expect_idle(&p);
	assert_int_equal(proto_transfer_want(p.t, 1, refs, 3, &err), 1);
	assert_int_equal(proto_transfer_want(p.t, 2, refs, 3, &err), 1); /* the same ones: no more blobs */
	assert_int_equal(proto_transfer_want(p.t, 3, refs, 4, &err), -1);
	pump(&p);
	expect_ended(&p, 1, RV_OK);
	expect_ended(&p, 2, RV_OK);
	refs[4].bytes = UINT64_MAX; /* how large it is shows when it comes */
	assert_int_equal(proto_transfer_want(p.t, 3, &refs[4], 1, &err), 1);
	pump(&p);
	expect_ended(&p, 3, RV_E_LIMIT);
	assert_false(is_here(&p, &refs[4]));
	expect_idle(&p);
	pair_close(&p);
}

static void a_transfer_that_is_destroyed_leaves_nothing(void **state)
{
	struct proto_blob_ref ref;
	struct proto_blob_get get;
	uint32_t before;
	struct pair p;

	(void)state;
	before = files_open();
	pair_open(&p, 0, 0);
	ref = make(&p, 3 * PIECE, 1);
	assert_int_equal(proto_transfer_want(p.t, 1, &ref, 1, NULL), 1);
	assert_int_equal(proto_transfer_want(p.t, 2, &ref, 1, NULL), 1);
	ask_all(&p);
	get = take_out(&p, 0);
	assert_true(answer(&p, &get));
	pair_close(&p);
	assert_int_equal(files_open(), before);
	assert_false(scratch_has("here/new-0"));
}

static void what_messages_name_is_listed(void **state)
{
	struct proto_artifact artifacts[3] = { { .bytes = 5, .digest = { 3 } }, { .bytes = 9 /* no digest */ }, { .bytes = 6, .digest = { 4 } } };
	struct proto_result r = { .artifacts = artifacts, .artifact_count = 3 };
	struct proto_dep deps[2] = { { .output = { .kind = PROTO_VALUE_INLINE } },
				     { .output = { .kind = PROTO_VALUE_BLOB, .digest = { 9 }, .blob_bytes = 4097 } } };
	struct proto_dispatch d = { .deps = deps, .dep_count = 2 };
	const struct proto_blob_ref *refs;
	struct rv_buf buf;

	(void)state;
	rv_buf_init(&buf, 0);
	r.output = (struct proto_value){ .kind = PROTO_VALUE_BLOB, .digest = { 1 }, .blob_bytes = 4100 };
	r.tail = (struct proto_value){ .kind = PROTO_VALUE_BLOB, .digest = { 2 }, .blob_bytes = 4200 };
	assert_int_equal(proto_result_blobs(&r, &buf), 0);
	assert_int_equal(buf.bytes, 4 * sizeof(*refs));
	refs = (const struct proto_blob_ref *)(const void *)buf.at;
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(refs[i].digest[0], i + 1);
	assert_int_equal(refs[1].bytes, 4200);
	assert_int_equal(refs[3].bytes, 6);
	rv_buf_reset(&buf);
	d.spec_blob = (struct proto_value){ .kind = PROTO_VALUE_BLOB, .digest = { 7 }, .blob_bytes = 1 };
	d.deps_blob = (struct proto_value){ .kind = PROTO_VALUE_BLOB, .digest = { 8 }, .blob_bytes = 2 };
	assert_int_equal(proto_dispatch_blobs(&d, &buf), 0);
	assert_int_equal(buf.bytes, 3 * sizeof(*refs));
	refs = (const struct proto_blob_ref *)(const void *)buf.at;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(refs[i].digest[0], i + 7);
	assert_int_equal(refs[2].bytes, 4097);
	rv_buf_release(&buf);
}

static void a_piece_is_served_wherever_it_lies(void **state)
{
	struct proto_blob_piece piece;
	struct proto_blob_get get = { .request = 5 };
	struct proto_blob_ref ref;
	struct pair p;

	(void)state;
	pair_open(&p, 0, 0);
	ref = make(&p, PIECE + 10, 1);
	memcpy(get.digest, ref.digest, sizeof(get.digest));
	assert_int_equal(proto_blob_serve(&p.there, &get, p.room, &piece, NULL), 0);
	assert_int_equal(piece.request, 5);
	assert_int_equal(piece.size, PIECE + 10);
	assert_int_equal(piece.bytes.bytes, PIECE);
	get.offset = PIECE;
	assert_int_equal(proto_blob_serve(&p.there, &get, p.room, &piece, NULL), 0);
	assert_int_equal(piece.bytes.bytes, 10);
	assert_int_equal(piece.offset, PIECE);
	get.offset = UINT64_MAX;
	assert_int_equal(proto_blob_serve(&p.there, &get, p.room, &piece, NULL), 0);
	assert_int_equal(piece.bytes.bytes, 0);
	assert_int_equal(piece.size, PIECE + 10);
	get.digest[0] ^= 1;
	assert_int_equal(proto_blob_serve(&p.there, &get, p.room, &piece, NULL), 0);
	assert_int_equal(piece.size, UINT64_MAX);
	assert_int_equal(piece.bytes.bytes, 0);
	pair_close(&p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(blobs_of_every_size_arrive_whole),
		T(one_that_two_sets_want_is_pulled_once),
		T(the_window_opens_as_pieces_come_and_stays_bounded),
		T(files_open_are_few_and_small_ones_pass_the_large),
		T(what_is_not_answered_is_asked_again_later_and_later),
		T(a_new_link_goes_on_where_the_old_one_stood),
		T(losses_and_repeats_heal),
		T(a_lie_fails_what_wanted_it_and_nothing_else),
		T(pieces_that_nobody_asked_for_change_nothing),
		T(a_dropped_set_is_not_named_and_its_blobs_are_given_up),
		T(what_is_over_a_bound_is_refused_whole),
		T(a_transfer_that_is_destroyed_leaves_nothing),
		T(what_messages_name_is_listed),
		T(a_piece_is_served_wherever_it_lies),
	};

	return RUN(tests);
}
