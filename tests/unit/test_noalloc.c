/* test_noalloc.c - the guard that the tests of the cores rest on */
#include "tests/lib/test.h"

#include "common/buf.h"
#include "common/map.h"
#include "tests/lib/noalloc.h"

static void *volatile sink; /* or the compiler sees through it */

static void allocating_in_between_aborts(void **state)
{
	struct rv_strmap m;
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	rv_strmap_init(&m, 1);
	assert_death(noalloc_begin(); (void)rv_buf_putc(&b, 'x'));
	assert_death(noalloc_begin(); (void)rv_strmap_reserve(&m, 10));
	assert_death(noalloc_begin(); sink = calloc(1, 1));
	assert_death(noalloc_end());
	assert_int_equal(rv_buf_putc(&b, 'x'), 0);
	noalloc_begin();
	assert_int_equal(rv_buf_putc(&b, 'y'), 0); /* has room */
	noalloc_end();
	assert_int_equal(rv_strmap_reserve(&m, 10), 0);
	rv_strmap_release(&m);
	rv_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocating_in_between_aborts),
	};

	return RUN(tests);
}
