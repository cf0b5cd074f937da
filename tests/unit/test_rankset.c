/* test_rankset.c - the ordered set against a naive one */
#include "tests/lib/test.h"

#include "common/prng.h"
#include "common/rankset.h"

static uint32_t naive_next(const bool *has, uint32_t capacity, uint32_t from)
{
	for (; from < capacity; from++)
		if (has[from])
			return from;
	return RV_RANK_NONE;
}

static void agree(const struct rv_rankset *s, const bool *has, uint32_t capacity)
{
	uint32_t rank = naive_next(has, capacity, 0), count = 0;

	assert_int_equal(rv_rankset_first(s), rank);
	for (; rank != RV_RANK_NONE; count++) {
		uint32_t next = naive_next(has, capacity, rank + 1);

		assert_true(rv_rankset_has(s, rank));
		assert_int_equal(rv_rankset_next(s, rank), next);
		rank = next;
	}
	assert_int_equal(s->count, count);
}

static void random_operations_agree_with_a_naive_set(void **state)
{
	static const uint32_t capacities[] = { 1, 2, 63, 64, 65, 127, 128, 4095, 4096, 4097, 5000 };
	struct rv_prng p;
	size_t c;

	(void)state;
	rv_prng_seed(&p, 11);
	for (c = 0; c < RV_ARRAY_LEN(capacities); c++) {
		uint32_t capacity = capacities[c], op;
		uint64_t *words = calloc(rv_rankset_words(capacity), sizeof(*words));
		bool *has = calloc(capacity, sizeof(*has));
		struct rv_rankset s;

		assert_non_null(words);
		assert_non_null(has);
		rv_rankset_init(&s, words, capacity);
		agree(&s, has, capacity);
		for (op = 0; op < 3000; op++) {
			uint32_t rank = (uint32_t)rv_prng_below(&p, capacity);
			/* Phases that fill, then phases that drain, so that words become full and empty. */
			bool add = rv_prng_below(&p, 100) < (op / 500 % 2 ? 10u : 90u);

			if (add)
				rv_rankset_add(&s, rank);
			else
				rv_rankset_remove(&s, rank);
			has[rank] = add;
			assert_int_equal(rv_rankset_has(&s, rank), add);
			assert_int_equal(rv_rankset_next(&s, rank), naive_next(has, capacity, rank + 1));
			assert_int_equal(rv_rankset_first(&s), naive_next(has, capacity, 0));
			if (op % 300 == 0)
				agree(&s, has, capacity);
		}
		while (rv_rankset_first(&s) != RV_RANK_NONE)
			rv_rankset_remove(&s, rv_rankset_first(&s));
		assert_int_equal(s.count, 0);
		for (op = 0; op < rv_rankset_words(capacity); op++)
			assert_true(words[op] == 0); /* no bit is left above either */
		free(words);
		free(has);
	}
}

static void adding_or_removing_twice_counts_once(void **state)
{
	uint64_t words[8] = { 0 };
	struct rv_rankset s;

	(void)state;
	rv_rankset_init(&s, words, 100);
	rv_rankset_add(&s, 99);
	rv_rankset_add(&s, 99);
	assert_int_equal(s.count, 1);
	rv_rankset_remove(&s, 98);
	assert_int_equal(s.count, 1);
	rv_rankset_remove(&s, 99);
	rv_rankset_remove(&s, 99);
	assert_int_equal(s.count, 0);
	assert_int_equal(rv_rankset_first(&s), RV_RANK_NONE);
}

static void ranks_outside_are_absent_or_a_bug(void **state)
{
	uint64_t words[4] = { 0 };
	struct rv_rankset s;

	(void)state;
	rv_rankset_init(&s, words, 10);
	assert_false(rv_rankset_has(&s, 10));
	assert_false(rv_rankset_has(&s, RV_RANK_NONE));
	assert_int_equal(rv_rankset_next(&s, 9), RV_RANK_NONE);
	assert_int_equal(rv_rankset_next(&s, RV_RANK_NONE), RV_RANK_NONE);
	assert_death(rv_rankset_add(&s, 10));
	assert_death(rv_rankset_remove(&s, 10));
	assert_death(rv_rankset_init(&s, words, (1u << 30) + 1));

	rv_rankset_init(&s, words, 0);
	assert_int_equal(rv_rankset_first(&s), RV_RANK_NONE);
	assert_int_equal(rv_rankset_next(&s, 0), RV_RANK_NONE);
	assert_false(rv_rankset_has(&s, 0));
}

static void sizes_are_what_the_header_says(void **state)
{
	(void)state;
	assert_int_equal(rv_rankset_words(0), 1);
	assert_int_equal(rv_rankset_words(1), 1);
	assert_int_equal(rv_rankset_words(64), 1);
	assert_int_equal(rv_rankset_words(65), 2 + 1);
	assert_int_equal(rv_rankset_words(4096), 64 + 1);
	assert_int_equal(rv_rankset_words(4097), 65 + 2 + 1);
	assert_int_equal(rv_rankset_words(1000000), 15625 + 245 + 4 + 1);
	assert_true(rv_rankset_words(1u << 30) > 0);
}

static void a_million_ranks_from_either_end(void **state)
{
	enum { COUNT = 1000000 };
	uint64_t *words = calloc(rv_rankset_words(COUNT), sizeof(*words));
	struct rv_rankset s;
	uint32_t i, rank;

	(void)state;
	assert_non_null(words);
	rv_rankset_init(&s, words, COUNT);
	assert_int_equal(s.levels, 4);
	rv_rankset_add(&s, COUNT - 1);
	assert_int_equal(rv_rankset_first(&s), COUNT - 1);
	assert_int_equal(rv_rankset_next(&s, 0), COUNT - 1);
	rv_rankset_add(&s, 0);
	assert_int_equal(rv_rankset_next(&s, 0), COUNT - 1);
	for (i = 0; i < COUNT; i++)
		rv_rankset_add(&s, COUNT - 1 - i);
	for (i = 0; (rank = rv_rankset_first(&s)) != RV_RANK_NONE; i++) {
		assert_int_equal(rank, i);
		rv_rankset_remove(&s, rank);
	}
	assert_int_equal(i, COUNT);
	free(words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_naive_set),
		cmocka_unit_test(adding_or_removing_twice_counts_once),
		cmocka_unit_test(ranks_outside_are_absent_or_a_bug),
		cmocka_unit_test(sizes_are_what_the_header_says),
		cmocka_unit_test(a_million_ranks_from_either_end),
	};

	return RUN(tests);
}
