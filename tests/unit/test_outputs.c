/* test_outputs.c - what units handed over, found again by run and unit */
#include "tests/lib/test.h"

#include "coordinator/outputs.h"

static struct coord_output inline_output(const char *text)
{
	return (struct coord_output){ .value = { .kind = PROTO_VALUE_INLINE, .inline_bytes = rv_str_of(text) }, .attempt = 1 };
}

static void what_was_set_is_found_and_nothing_else(void **state)
{
	struct coord_outputs *o = coord_outputs_create();
	struct coord_output a = inline_output("one"), b = inline_output("two");

	(void)state;
	assert_null(coord_outputs_get(o, 1, 0));
	assert_int_equal(coord_outputs_set(o, 1, 0, &a, NULL), 0);
	assert_int_equal(coord_outputs_set(o, 2, 0, &b, NULL), 0);
	assert_str(coord_outputs_get(o, 1, 0)->value.inline_bytes, "one");
	assert_str(coord_outputs_get(o, 2, 0)->value.inline_bytes, "two");
	assert_null(coord_outputs_get(o, 1, 1));
	assert_int_equal(coord_outputs_bytes(o), 6);
	coord_outputs_destroy(&o);
	assert_null(o);
}

static void a_second_output_of_a_unit_replaces_the_first(void **state)
{
	struct coord_outputs *o = coord_outputs_create();
	struct coord_output a = inline_output("first"), b = inline_output("2");

	(void)state;
	b.attempt = 2;
	assert_int_equal(coord_outputs_set(o, 7, 3, &a, NULL), 0);
	assert_int_equal(coord_outputs_set(o, 7, 3, &b, NULL), 0);
	assert_str(coord_outputs_get(o, 7, 3)->value.inline_bytes, "2");
	assert_int_equal(coord_outputs_get(o, 7, 3)->attempt, 2);
	assert_int_equal(coord_outputs_bytes(o), 1);
	coord_outputs_destroy(&o);
}

static void a_list_of_artifacts_is_kept_with_it(void **state)
{
	struct coord_outputs *o = coord_outputs_create();
	struct coord_output a = inline_output("one"), none = { .attempt = 2 };

	(void)state;
	a.artifacts = RV_STR("list");
	a.artifact_count = 1;
	a.artifacts_cut = true;
	assert_int_equal(coord_outputs_set(o, 1, 0, &a, NULL), 0);
	assert_true(coord_outputs_get(o, 1, 0)->artifacts.at != a.artifacts.at);
	assert_str(coord_outputs_get(o, 1, 0)->artifacts, "list");
	assert_true(coord_outputs_get(o, 1, 0)->artifacts_cut);
	assert_int_equal(coord_outputs_bytes(o), 7);
	assert_int_equal(coord_outputs_set(o, 1, 0, &none, NULL), 0);
	assert_null(coord_outputs_get(o, 1, 0)->artifacts.at);
	assert_int_equal(coord_outputs_bytes(o), 0);
	assert_int_equal(coord_outputs_set(o, 1, 0, &a, NULL), 0);
	coord_outputs_drop_run(o, 1);
	assert_int_equal(coord_outputs_bytes(o), 0);
	coord_outputs_destroy(&o);
}

static void many_survive_growth_and_only_the_dropped_run_goes(void **state)
{
	struct coord_outputs *o = coord_outputs_create();
	char text[16];

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		struct coord_output v;

		(void)snprintf(text, sizeof text, "%u", i);
		v = inline_output(text);
		assert_int_equal(coord_outputs_set(o, 1 + i % 3, i, &v, NULL), 0);
	}
	coord_outputs_drop_run(o, 2);
	for (uint32_t i = 0; i < 5000; i++) {
		const struct coord_output *v = coord_outputs_get(o, 1 + i % 3, i);

		(void)snprintf(text, sizeof text, "%u", i);
		if (i % 3 == 1) {
			assert_null(v);
		} else {
			assert_non_null(v);
			assert_str(v->value.inline_bytes, text);
		}
	}
	coord_outputs_destroy(&o);
}

static void an_empty_output_and_a_blob_hold_no_bytes(void **state)
{
	struct coord_outputs *o = coord_outputs_create();
	struct coord_output empty = inline_output("");
	struct coord_output blob = { .value = { .kind = PROTO_VALUE_BLOB, .digest = { 9 }, .blob_bytes = 1 << 20 } };

	(void)state;
	assert_int_equal(coord_outputs_set(o, 1, 0, &empty, NULL), 0);
	assert_int_equal(coord_outputs_set(o, 1, 1, &blob, NULL), 0);
	assert_int_equal(coord_outputs_get(o, 1, 0)->value.kind, PROTO_VALUE_INLINE);
	assert_int_equal(coord_outputs_get(o, 1, 1)->value.digest[0], 9);
	assert_int_equal(coord_outputs_bytes(o), 0);
	coord_outputs_destroy(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_set_is_found_and_nothing_else),
		cmocka_unit_test(a_second_output_of_a_unit_replaces_the_first),
		cmocka_unit_test(a_list_of_artifacts_is_kept_with_it),
		cmocka_unit_test(many_survive_growth_and_only_the_dropped_run_goes),
		cmocka_unit_test(an_empty_output_and_a_blob_hold_no_bytes),
	};

	return RUN(tests);
}
