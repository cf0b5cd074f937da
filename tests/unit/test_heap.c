/* test_heap.c - the heap against a naive search */
#include "tests/lib/test.h"

#include "common/heap.h"
#include "common/prng.h"

#define CAPACITY 200

struct naive {
	bool in[CAPACITY];
	uint64_t key[CAPACITY], tie[CAPACITY];
	uint32_t count;
};

static uint32_t naive_first(const struct naive *n)
{
	uint32_t best = UINT32_MAX, v;

	for (v = 0; v < CAPACITY; v++) {
		if (!n->in[v])
			continue;
		if (best == UINT32_MAX || n->key[v] < n->key[best] ||
		    (n->key[v] == n->key[best] && n->tie[v] < n->tie[best]))
			best = v;
	}
	return best;
}

static void invariants(const struct rv_heap *h)
{
	uint32_t i;

	for (i = 0; i < h->count; i++) {
		assert_int_equal(h->where[h->items[i].value], i + 1);
		if (i == 0)
			continue;
		assert_true(h->items[(i - 1) / 2].key <= h->items[i].key);
	}
}

static void random_operations_agree_with_a_naive_search(void **state)
{
	struct rv_heap_item items[CAPACITY];
	uint32_t where[CAPACITY] = { 0 }, op, v;
	struct naive n = { .count = 0 };
	struct rv_heap h;
	struct rv_prng p;

	(void)state;
	rv_prng_seed(&p, 5);
	rv_heap_init(&h, items, where, CAPACITY);
	for (op = 0; op < 50000; op++) {
		v = (uint32_t)rv_prng_below(&p, CAPACITY);
		switch (rv_prng_below(&p, 5)) {
		case 0:
			rv_heap_remove(&h, v);
			n.count -= n.in[v];
			n.in[v] = false;
			break;
		case 1: /* take the first, as a timer loop does */
			if (!h.count)
				break;
			v = rv_heap_first(&h)->value;
			assert_int_equal(v, naive_first(&n));
			rv_heap_remove(&h, v);
			n.in[v] = false;
			n.count--;
			break;
		default: /* few different keys: many ties */
			n.key[v] = rv_prng_below(&p, 20);
			n.tie[v] = op;
			n.count += !n.in[v];
			n.in[v] = true;
			rv_heap_set(&h, v, n.key[v], n.tie[v]);
		}
		assert_int_equal(h.count, n.count);
		assert_int_equal(rv_heap_has(&h, v), n.in[v]);
		if (n.count)
			assert_int_equal(rv_heap_first(&h)->value, naive_first(&n));
		else
			assert_null(rv_heap_first(&h));
		if (op % 100 == 0)
			invariants(&h);
	}
}

static void ties_leave_in_order_of_sequence_not_of_place(void **state)
{
	struct rv_heap_item items[CAPACITY];
	uint32_t where[CAPACITY] = { 0 }, i;
	struct rv_heap h;

	(void)state;
	rv_heap_init(&h, items, where, CAPACITY);
	for (i = 0; i < CAPACITY; i++)
		rv_heap_set(&h, i, 1, (i * 73) % CAPACITY);
	for (i = 0; i < CAPACITY; i++) {
		assert_int_equal(rv_heap_first(&h)->tie, i);
		rv_heap_remove(&h, rv_heap_first(&h)->value);
	}
	/* All equal: by value, so that equal inputs give equal logs. */
	for (i = CAPACITY; i-- > 0;)
		rv_heap_set(&h, i, 1, 1);
	for (i = 0; i < CAPACITY; i++) {
		assert_int_equal(rv_heap_first(&h)->value, i);
		rv_heap_remove(&h, i);
	}
}

static void setting_again_moves(void **state)
{
	struct rv_heap_item items[3];
	uint32_t where[3] = { 0 };
	struct rv_heap h;

	(void)state;
	rv_heap_init(&h, items, where, 3);
	rv_heap_set(&h, 0, 10, 0);
	rv_heap_set(&h, 1, 20, 0);
	rv_heap_set(&h, 2, RV_NEVER, 0);
	rv_heap_set(&h, 2, 5, 0);
	assert_int_equal(rv_heap_first(&h)->value, 2);
	rv_heap_set(&h, 2, RV_NEVER, 0);
	assert_int_equal(rv_heap_first(&h)->value, 0);
	assert_int_equal(h.count, 3);
}

struct wanted {
	const bool *fits;
	uint32_t asked;
};

static bool wanted_fits(const void *arg, uint32_t value)
{
	struct wanted *w = (struct wanted *)arg;

	w->asked++;
	return w->fits[value];
}

static void the_least_that_fits_agrees_with_a_naive_search(void **state)
{
	enum { N = 200 };
	static struct rv_heap_item items[N];
	static uint32_t where[N];
	static bool fits[N];
	struct rv_heap h;
	struct rv_prng r;
	uint32_t found = 0;

	(void)state;
	rv_prng_seed(&r, 7);
	rv_heap_init(&h, items, where, N);
	for (uint32_t i = 0; i < N; i++)
		rv_heap_set(&h, i, rv_prng_below(&r, 50), i);
	for (uint32_t round = 0; round < 2000; round++) {
		uint64_t below = rv_prng_below(&r, 60);
		struct wanted w = { .fits = fits };
		const struct rv_heap_item *best = NULL, *got;

		rv_heap_set(&h, (uint32_t)rv_prng_below(&r, N), rv_prng_below(&r, 50), round);
		for (uint32_t i = 0; i < N; i++)
			fits[i] = rv_prng_below(&r, 20) == 0;
		for (uint32_t i = 0; i < h.count; i++)
			if (fits[items[i].value] && items[i].key < below && (!best || rv_heap_before(&h, items[i].value, best->value)))
				best = &items[i];
		got = rv_heap_least(&h, below, wanted_fits, &w);
		assert_ptr_equal(got, best);
		found += got != NULL;
	}
	assert_in_range(found, 1000, 1999);
}

static void a_search_looks_no_further_than_it_must(void **state)
{
	enum { N = 1000 };
	static struct rv_heap_item items[N];
	static uint32_t where[N];
	static bool fits[N];
	struct wanted w = { .fits = fits };
	struct rv_heap h;

	(void)state;
	rv_heap_init(&h, items, where, N);
	for (uint32_t i = 0; i < N; i++)
		rv_heap_set(&h, i, i < 3 ? 1 : 9, i);
	assert_null(rv_heap_least(&h, 9, wanted_fits, &w));
	assert_int_equal(w.asked, 3);
	fits[0] = true;
	w.asked = 0;
	assert_int_equal(rv_heap_least(&h, RV_NEVER, wanted_fits, &w)->value, 0);
	assert_int_equal(w.asked, 1);
}

static void edges(void **state)
{
	struct rv_heap_item items[1];
	uint32_t where[1] = { 0 };
	struct rv_heap h;

	(void)state;
	rv_heap_init(&h, items, where, 1);
	assert_null(rv_heap_first(&h));
	rv_heap_remove(&h, 0);
	assert_false(rv_heap_has(&h, 0));
	assert_false(rv_heap_has(&h, 1));
	rv_heap_set(&h, 0, 0, 0);
	assert_death(rv_heap_set(&h, 1, 0, 0));
	assert_death(rv_heap_remove(&h, 1));
	rv_heap_init(&h, NULL, NULL, 0);
	assert_null(rv_heap_first(&h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_naive_search),
		cmocka_unit_test(ties_leave_in_order_of_sequence_not_of_place),
		cmocka_unit_test(setting_again_moves),
		cmocka_unit_test(the_least_that_fits_agrees_with_a_naive_search),
		cmocka_unit_test(a_search_looks_no_further_than_it_must),
		cmocka_unit_test(edges),
	};

	return RUN(tests);
}
