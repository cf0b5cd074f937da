/* test_base.c - slices, saturating arithmetic and the ring */
#include "tests/lib/test.h"

#include "common/list.h"

static void never_stays_never(void **state)
{
	(void)state;
	assert_true(rv_sat_add(RV_NEVER, 1) == RV_NEVER);
	assert_true(rv_sat_add(1, RV_NEVER) == RV_NEVER);
	assert_true(rv_sat_add(RV_NEVER, RV_NEVER) == RV_NEVER);
	assert_true(rv_sat_add(RV_NEVER - 1, 1) == RV_NEVER);
	assert_true(rv_sat_add(2, 3) == 5);
	assert_true(rv_sat_sub(2, 3) == 0);
	assert_true(rv_sat_sub(3, 2) == 1);
	assert_true(rv_sat_sub(0, RV_NEVER) == 0);
	assert_true(rv_min_u64(3, 2) == 2);
	assert_true(rv_max_u64(3, 2) == 3);
}

static void slices_compare_as_bytes_and_shorter_first(void **state)
{
	struct rv_str none = { 0 };

	(void)state;
	assert_true(rv_str_equal(none, RV_STR("")));
	assert_true(rv_str_equal(rv_str_of(NULL), none));
	assert_false(rv_str_equal(RV_STR("a"), RV_STR("b")));
	assert_false(rv_str_equal(RV_STR("a"), RV_STR("ab")));
	assert_true(rv_str_equal(RV_STR("a\0b"), rv_str("a\0b", 3)));
	assert_true(rv_str_compare(RV_STR("a"), RV_STR("ab")) < 0);
	assert_true(rv_str_compare(RV_STR("b"), RV_STR("ab")) > 0);
	assert_true(rv_str_compare(RV_STR("\xff"), RV_STR("a")) > 0);
	assert_true(rv_str_compare(none, none) == 0);
	assert_true(rv_str_compare(none, RV_STR("a")) < 0);
}

struct item {
	int number;
	struct rv_list link;
};

static void ring_keeps_order_and_removing_twice_is_nothing(void **state)
{
	struct rv_list head;
	struct item items[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
	size_t i;

	(void)state;
	rv_list_init(&head);
	assert_true(rv_list_empty(&head));
	for (i = 0; i < 3; i++)
		rv_list_append(&head, &items[i].link);
	assert_false(rv_list_empty(&head));
	rv_list_remove(&items[1].link);
	rv_list_remove(&items[1].link);
	assert_int_equal(RV_CONTAINER_OF(head.next, struct item, link)->number, 0);
	assert_int_equal(RV_CONTAINER_OF(head.next->next, struct item, link)->number, 2);
	assert_ptr_equal(head.next->next->next, &head);
	assert_ptr_equal(head.prev, &items[2].link);
	rv_list_remove(&items[0].link);
	rv_list_remove(&items[2].link);
	assert_true(rv_list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_stays_never),
		cmocka_unit_test(slices_compare_as_bytes_and_shorter_first),
		cmocka_unit_test(ring_keeps_order_and_removing_twice_is_nothing),
	};

	return RUN(tests);
}
