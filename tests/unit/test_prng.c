/* test_prng.c - seeds reproduce, draws are even */
#include "tests/lib/test.h"

#include "common/prng.h"

static void a_seed_is_a_sequence(void **state)
{
	struct rv_prng a, b, c;
	int i, equal = 0;

	(void)state;
	rv_prng_seed(&a, 1);
	rv_prng_seed(&b, 1);
	rv_prng_seed(&c, 2);
	for (i = 0; i < 1000; i++) {
		uint64_t v = rv_prng_next(&a);

		assert_true(v == rv_prng_next(&b));
		equal += v == rv_prng_next(&c);
	}
	assert_int_equal(equal, 0);
}

/* The algorithm is named in the header, so that another program can redo a draw: first numbers from the state
 * {1, 2, 3, 4}, worked out by hand from its definition: rotl(s1 * 5, 7) * 9. */
static void it_is_xoshiro256starstar(void **state)
{
	struct rv_prng p = { { 1, 2, 3, 4 } };

	(void)state;
	assert_true(rv_prng_next(&p) == 11520); /* rotl(10, 7) = 1280 */
	/* s2 = 3^1 = 2, s3 = 4^2 = 6, s1 = 2^2 = 0, s0 = 1^6 = 7, s2 ^= 2 << 17, s3 = rotl(6, 45) */
	assert_true(p.s[0] == 7);
	assert_true(p.s[1] == 0);
	assert_true(p.s[2] == (2 ^ (UINT64_C(2) << 17)));
	assert_true(p.s[3] == UINT64_C(6) << 45);
	assert_true(rv_prng_next(&p) == 0);
}

static void below_stays_below_and_is_even(void **state)
{
	static const uint64_t bounds[] = { 1, 2, 3, 7, 10, 64, 1000 };
	uint32_t low = 0;
	struct rv_prng p;
	size_t b;

	(void)state;
	rv_prng_seed(&p, 9);
	for (b = 0; b < RV_ARRAY_LEN(bounds); b++) {
		uint32_t seen[1000] = { 0 }, i, each = 200;
		uint64_t v;

		for (i = 0; i < bounds[b] * each; i++) {
			v = rv_prng_below(&p, bounds[b]);
			assert_true(v < bounds[b]);
			seen[v]++;
		}
		for (i = 0; i < bounds[b]; i++)
			assert_in_range(seen[i], each / 2, each * 2);
	}
	/* The largest bounds, where drawing again happens. */
	for (b = 0; b < 1000; b++) {
		assert_true(rv_prng_below(&p, UINT64_MAX) < UINT64_MAX);
		assert_true(rv_prng_below(&p, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
	}
	/* Of 3/4 of all numbers the first third would come half the time if numbers were only folded down. */
	for (b = 0; b < 3000; b++)
		low += rv_prng_below(&p, UINT64_C(3) << 62) < UINT64_C(1) << 62;
	assert_in_range(low, 850, 1150);
	assert_death((void)rv_prng_below(&p, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_is_a_sequence),
		cmocka_unit_test(it_is_xoshiro256starstar),
		cmocka_unit_test(below_stays_below_and_is_even),
	};

	return RUN(tests);
}
