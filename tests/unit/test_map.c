/* test_map.c - both hash tables, each against a plain array */
#include "tests/lib/test.h"

#include "common/map.h"
#include "common/prng.h"

static void names_are_found_and_the_first_stays(void **state)
{
	struct rv_strmap m;

	(void)state;
	rv_strmap_init(&m, 7);
	assert_int_equal(rv_strmap_get(&m, RV_STR("a")), RV_MAP_NONE);
	assert_int_equal(rv_strmap_add(&m, RV_STR("a"), 1), 1);
	assert_int_equal(rv_strmap_add(&m, RV_STR("a"), 2), 1);
	assert_int_equal(rv_strmap_add(&m, RV_STR("A"), 3), 3);
	assert_int_equal(rv_strmap_add(&m, (struct rv_str){ 0 }, 4), 4);
	assert_int_equal(rv_strmap_add(&m, RV_STR("a\0b"), 5), 5);
	assert_int_equal(rv_strmap_get(&m, RV_STR("a")), 1);
	assert_int_equal(rv_strmap_get(&m, RV_STR("")), 4);
	assert_int_equal(rv_strmap_get(&m, RV_STR("a\0b")), 5);
	assert_int_equal(rv_strmap_get(&m, RV_STR("a\0c")), RV_MAP_NONE);
	assert_int_equal(m.count, 4);
	assert_death((void)rv_strmap_add(&m, RV_STR("x"), RV_MAP_NONE));
	rv_strmap_release(&m);
	rv_strmap_release(&m);
}

static void a_hundred_thousand_names_survive_growing(void **state)
{
	enum { COUNT = 100000 };
	char (*names)[16] = calloc(COUNT, sizeof(*names));
	struct rv_strmap m;
	uint32_t i, mask;

	(void)state;
	assert_non_null(names);
	rv_strmap_init(&m, 0);
	for (i = 0; i < COUNT; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "unit-%06u", i);
		assert_int_equal(rv_strmap_add(&m, rv_str_of(names[i]), i), i);
	}
	for (i = 0; i < COUNT; i++)
		assert_int_equal(rv_strmap_get(&m, rv_str_of(names[i])), i);
	assert_int_equal(rv_strmap_get(&m, RV_STR("unit-100000")), RV_MAP_NONE);
	rv_strmap_release(&m);

	/* Room asked for up front is enough. */
	rv_strmap_init(&m, 0);
	assert_int_equal(rv_strmap_reserve(&m, COUNT), 0);
	mask = m.mask;
	for (i = 0; i < COUNT; i++)
		rv_strmap_add(&m, rv_str_of(names[i]), i);
	assert_int_equal(m.mask, mask);
	rv_strmap_release(&m);
	free(names);
}

static void another_seed_is_another_order(void **state)
{
	(void)state;
	assert_true(rv_hash(1, RV_STR("a")) != rv_hash(2, RV_STR("a")));
	assert_true(rv_hash(1, RV_STR("a")) != rv_hash(1, RV_STR("b")));
	assert_true(rv_hash(1, RV_STR("a")) != rv_hash(1, rv_str("a\0", 2)));
	assert_true(rv_hash_u64(1, 5) != rv_hash_u64(2, 5));
	/* The same on every machine: digests and journals may hold it. */
	assert_true(rv_hash(0, RV_STR("reeve")) == rv_hash(0, rv_str("reeve plan" , 5)));
}

static void hash_bits_are_spread(void **state)
{
	uint32_t ones[64] = { 0 }, i, b;
	char text[16];

	(void)state;
	for (i = 0; i < 10000; i++) {
		uint64_t h;

		(void)snprintf(text, sizeof(text), "u%u", i);
		h = rv_hash(42, rv_str_of(text)) ^ rv_hash_u64(42, i);
		for (b = 0; b < 64; b++)
			ones[b] += h >> b & 1;
	}
	for (b = 0; b < 64; b++)
		assert_in_range(ones[b], 4700, 5300);
}

static void slots_are_a_power_of_two_at_half_load(void **state)
{
	(void)state;
	assert_int_equal(rv_intmap_slots(0), 2);
	assert_int_equal(rv_intmap_slots(1), 2);
	assert_int_equal(rv_intmap_slots(2), 4);
	assert_int_equal(rv_intmap_slots(3), 8);
	assert_int_equal(rv_intmap_slots(4), 8);
	assert_int_equal(rv_intmap_slots(5), 16);
	assert_int_equal(rv_intmap_slots(1u << 30), 1u << 31);
	assert_death((void)rv_intmap_slots((1u << 30) + 1));
}

static void a_full_table_is_a_bug_but_replacing_is_not(void **state)
{
	struct rv_intmap_slot slots[8] = { 0 };
	struct rv_intmap m;
	uint64_t k;

	(void)state;
	rv_intmap_init(&m, slots, 8);
	for (k = 0; k < 4; k++)
		rv_intmap_put(&m, k * 1000, (uint32_t)k);
	rv_intmap_put(&m, 3000, 33);
	assert_int_equal(rv_intmap_get(&m, 3000), 33);
	assert_int_equal(m.count, 4);
	assert_death(rv_intmap_put(&m, 9, 9));
	assert_death(rv_intmap_put(&m, 3000, RV_MAP_NONE));
	assert_true(rv_intmap_remove(&m, 0));
	rv_intmap_put(&m, UINT64_MAX, 9);
	assert_int_equal(rv_intmap_get(&m, UINT64_MAX), 9);
	assert_death(rv_intmap_init(&m, slots, 6));
	assert_death(rv_intmap_init(&m, slots, 1));
}

/* Every key remains reachable from its home whatever is removed: small tables and few keys make long clusters that wrap
 * around the end, which is where shifting back goes wrong. */
static void removal_leaves_every_other_key_reachable(void **state)
{
	enum { KEYS = 64 };
	uint32_t round, slot_count;
	struct rv_prng p;

	(void)state;
	rv_prng_seed(&p, 3);
	for (round = 0; round < 400; round++) {
		struct rv_intmap_slot slots[128] = { 0 };
		uint32_t values[KEYS], count = 0, i, op;
		uint64_t keys[KEYS];
		struct rv_intmap m;

		slot_count = 2u << rv_prng_below(&p, 7); /* 2..128 */
		rv_intmap_init(&m, slots, slot_count);
		for (i = 0; i < KEYS; i++) {
			keys[i] = rv_prng_next(&p) >> rv_prng_below(&p, 64);
			while (i > 0 && keys[i] <= keys[i - 1] && keys[i - 1] < UINT64_MAX)
				keys[i] = keys[i - 1] + 1 + rv_prng_below(&p, 3); /* distinct */
			values[i] = RV_MAP_NONE;
		}
		for (op = 0; op < 300; op++) {
			i = (uint32_t)rv_prng_below(&p, KEYS);
			if (values[i] != RV_MAP_NONE && rv_prng_below(&p, 2)) {
				assert_true(rv_intmap_remove(&m, keys[i]));
				assert_false(rv_intmap_remove(&m, keys[i]));
				values[i] = RV_MAP_NONE;
				count--;
			} else if (values[i] != RV_MAP_NONE || count < slot_count / 2) {
				count += values[i] == RV_MAP_NONE;
				values[i] = op;
				rv_intmap_put(&m, keys[i], op);
			}
			assert_int_equal(m.count, count);
			for (i = 0; i < KEYS; i++)
				assert_int_equal(rv_intmap_get(&m, keys[i]), values[i]);
		}
	}
}

/* Runs and units are both small numbers: (1000, 14) must not hash as (1002, 12) does. */
static void neighbouring_seeds_and_numbers_do_not_cancel_out(void **state)
{
	uint64_t seen[32 * 32];
	uint32_t count = 0, i, seed, v;

	(void)state;
	for (seed = 0; seed < 32; seed++) {
		for (v = 0; v < 32; v++) {
			uint64_t h = rv_hash_u64(1000 + seed, v);

			for (i = 0; i < count; i++)
				assert_true(seen[i] != h);
			seen[count++] = h;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbouring_seeds_and_numbers_do_not_cancel_out),
		cmocka_unit_test(names_are_found_and_the_first_stays),
		cmocka_unit_test(a_hundred_thousand_names_survive_growing),
		cmocka_unit_test(another_seed_is_another_order),
		cmocka_unit_test(hash_bits_are_spread),
		cmocka_unit_test(slots_are_a_power_of_two_at_half_load),
		cmocka_unit_test(a_full_table_is_a_bug_but_replacing_is_not),
		cmocka_unit_test(removal_leaves_every_other_key_reachable),
	};

	return RUN(tests);
}
