/* test_arena.c - memory that is given back all at once */
#include "tests/lib/test.h"

#include "common/arena.h"
#include "common/prng.h"

static void pieces_are_aligned_zeroed_and_do_not_overlap(void **state)
{
	struct { unsigned char *at; size_t bytes; } piece[2000];
	struct rv_arena a;
	struct rv_prng p;
	size_t i, j, total = 0;

	(void)state;
	rv_prng_seed(&p, 1);
	rv_arena_init(&a, 0);
	for (i = 0; i < RV_ARRAY_LEN(piece); i++) {
		size_t align = (size_t)1 << rv_prng_below(&p, 9);

		piece[i].bytes = rv_prng_below(&p, i % 50 == 0 ? 100000 : 300);
		piece[i].at = rv_arena_zalloc(&a, piece[i].bytes, align);
		assert_non_null(piece[i].at);
		assert_int_equal((uintptr_t)piece[i].at % align, 0);
		for (j = 0; j < piece[i].bytes; j++)
			assert_int_equal(piece[i].at[j], 0);
		memset(piece[i].at, (int)(i % 255 + 1), piece[i].bytes);
		total += piece[i].bytes;
	}
	for (i = 0; i < RV_ARRAY_LEN(piece); i++)
		for (j = 0; j < piece[i].bytes; j++)
			assert_int_equal(piece[i].at[j], i % 255 + 1);
	assert_true(a.used_bytes >= total);
	assert_true(a.held_bytes >= a.used_bytes);
	rv_arena_release(&a);
	assert_int_equal(a.held_bytes, 0);
	rv_arena_release(&a);
}

static void small_pieces_waste_little(void **state)
{
	struct rv_arena a;
	size_t i;

	(void)state;
	rv_arena_init(&a, 0);
	for (i = 0; i < 1000000; i++)
		assert_non_null(rv_arena_alloc(&a, 24, 8));
	assert_int_equal(a.used_bytes, 24000000);
	assert_true(a.held_bytes < 24000000 + (2u << 20));
	rv_arena_release(&a);
}

static void a_large_piece_leaves_the_open_chunk_open(void **state)
{
	struct rv_arena a;
	size_t held;
	int i;

	(void)state;
	rv_arena_init(&a, 0);
	assert_non_null(rv_arena_alloc(&a, 16, 8));
	assert_non_null(rv_arena_alloc(&a, 1 << 20, 8));
	held = a.held_bytes;
	for (i = 0; i < 100; i++)
		assert_non_null(rv_arena_alloc(&a, 16, 8));
	assert_int_equal(a.held_bytes, held);
	rv_arena_release(&a);
}

static void the_limit_holds_and_what_fits_still_fits(void **state)
{
	struct rv_arena a;
	size_t got = 0;

	(void)state;
	rv_arena_init(&a, 100000);
	while (rv_arena_alloc(&a, 1000, 8))
		got += 1000;
	assert_true(a.held_bytes <= 100000);
	assert_true(got >= 95000); /* the last chunk is no larger than is left */
	assert_null(rv_arena_alloc(&a, 100000, 8));
	rv_arena_release(&a);

	rv_arena_init(&a, 100);
	assert_null(rv_arena_alloc(&a, 100, 1)); /* its chunk's head counts too */
	assert_null(a.chunk);
	rv_arena_release(&a);
}

static void absurd_sizes_are_refused(void **state)
{
	struct rv_arena a;

	(void)state;
	rv_arena_init(&a, 0);
	assert_null(rv_arena_alloc(&a, SIZE_MAX, 1));
	assert_null(rv_arena_alloc(&a, SIZE_MAX - 8, 16));
	assert_null(rv_arena_alloc(&a, SIZE_MAX / 2, 16));
	assert_non_null(rv_arena_alloc(&a, 1, 1));
	assert_null(rv_arena_alloc(&a, SIZE_MAX, 1));
	assert_null(RV_ARENA_ARRAY(&a, uint64_t, SIZE_MAX / 4));
	assert_null(rv_arena_copy(&a, rv_str("", SIZE_MAX)));
	assert_death(rv_arena_alloc(&a, 1, 3));
	assert_death(rv_arena_alloc(&a, 1, 0));
	rv_arena_release(&a);
}

static void copies_are_terminated(void **state)
{
	struct rv_arena a;
	struct rv_str s;
	uint64_t *numbers;

	(void)state;
	rv_arena_init(&a, 0);
	assert_string_equal(rv_arena_copy(&a, rv_str("abcdef", 3)), "abc");
	assert_string_equal(rv_arena_copy(&a, (struct rv_str){ 0 }), "");
	s = rv_arena_str(&a, RV_STR("x\0y"));
	assert_int_equal(s.bytes, 3);
	assert_memory_equal(s.at, "x\0y\0", 4);
	numbers = RV_ARENA_ARRAY(&a, uint64_t, 3);
	assert_int_equal((uintptr_t)numbers % 8, 0);
	assert_int_equal(numbers[0] | numbers[1] | numbers[2], 0);
	assert_non_null(rv_arena_alloc(&a, 0, 1));
	rv_arena_release(&a);

	rv_arena_init(&a, 10);
	s = rv_arena_str(&a, RV_STR("x"));
	assert_null(s.at);
	assert_int_equal(s.bytes, 0);
	assert_null(rv_arena_copy(&a, RV_STR("x")));
	rv_arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_zeroed_and_do_not_overlap),
		cmocka_unit_test(small_pieces_waste_little),
		cmocka_unit_test(a_large_piece_leaves_the_open_chunk_open),
		cmocka_unit_test(the_limit_holds_and_what_fits_still_fits),
		cmocka_unit_test(absurd_sizes_are_refused),
		cmocka_unit_test(copies_are_terminated),
	};

	return RUN(tests);
}
