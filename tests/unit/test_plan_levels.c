/* test_plan_levels.c - levels, width and critical path; importing graphs of tasks */
#include "tests/lib/plan_case.h"

#include "common/limits.h"
#include "common/plan/import.h"
#include "common/plan/levels.h"

static void the_shape_of_a_small_plan(void **state)
{
	struct plan_case c = { 0 };
	struct plan_levels v;

	(void)state;
	plan_case_fine(&c, "version: 1\nunits:\n"
			   "  - {id: d, command: [x], depends_on: [b, c], estimate_s: 4}\n"
			   "  - {id: a, command: [x], estimate_s: 1}\n"
			   "  - {id: b, command: [x], depends_on: [a], estimate_s: 2}\n"
			   "  - {id: c, command: [x, '{item}'], depends_on: [a], estimate_s: 3, for_each: {count: 5}}\n"
			   "  - {id: e, command: [x, '{item}'], for_each: {same_as: c}}\n"
			   "  - {id: f, command: [x]}\n");
	assert_int_equal(plan_levels_init(&v, c.plan, NULL), 0);
	assert_int_equal(v.count, 3);
	assert_int_equal(v.level[0], 2);
	assert_int_equal(v.level[1], 0);
	assert_int_equal(v.level[4], 2);
	assert_int_equal(v.start[1] - v.start[0], 2);
	assert_int_equal(v.start[3] - v.start[2], 2);
	assert_int_equal(v.order[v.start[1]], 2);
	assert_int_equal(v.width, 6);
	assert_int_equal(v.critical_us, 8000000);
	assert_int_equal(v.critical_count, 3);
	assert_int_equal(v.critical[0], 1);
	assert_int_equal(v.critical[1], 3);
	assert_int_equal(v.critical[2], 0);
	assert_int_equal(v.path_us[4], 1000000);
	assert_int_equal(v.work_us, (4 + 1 + 2 + 15 + 5 + 1) * 1000000);
	plan_levels_release(&v);
	plan_case_release(&c);

	plan_case_fine(&c, "version: 1\nunits: []\n");
	assert_int_equal(plan_levels_init(&v, c.plan, NULL), 0);
	assert_int_equal(v.count, 0);
	assert_int_equal(v.critical_count, 0);
	plan_levels_release(&v);
	plan_case_release(&c);
}

static int import(const char *text, struct rv_buf *out, struct rv_err *err)
{
	struct plan_import how = { .scale = 2, .max_cores = 3, .name = "dag.json" };

	rv_buf_init(out, 0);
	return plan_import_dag(rv_str_of(text), &how, out, err);
}

static void graphs_become_plans(void **state)
{
	struct plan_case c = { 0 };
	char longest[400], text[1600];
	struct rv_err err;
	struct rv_buf b;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[300] = '\0';
	snprintf(text, sizeof(text),
		 "{\"name\":\"a b\",\"tasks\":[{\"id\":\"/\",\"runtime_s\":0.0000004,\"cores\":9,\"deps\":[\"\",\"__x\"]},"
		 "{\"id\":\"_\",\"deps\":[\"/\"]},{\"id\":\"\"},{\"id\":\"__x\"},{\"id\":\".y\",\"cores\":0.5},{\"id\":\"%s1\"},{\"id\":\"%s2\"}]}",
		 longest, longest);
	assert_int_equal(import(text, &b, &err), 0);
	if (plan_case_load(&c, b.at, PLAN_FORMAT_JSON) != 0) {
		plan_case_show(&c);
		fail_msg("%s", b.at);
	}
	assert_str(c.plan->name, "a-b");
	assert_int_equal(c.plan->unit_count, 7);
	assert_str(c.plan->units[0].id, "_");
	assert_str(c.plan->units[1].id, "_-2");
	assert_int_equal(c.plan->units[0].settings->slots, 3);
	assert_int_equal(c.plan->units[0].estimate_us, 1);
	assert_int_equal(c.plan->units[0].dep_count, 2);
	assert_int_equal(c.plan->units[4].settings->slots, 1);
	assert_int_equal(c.plan->units[5].id.bytes, RV_UNIT_ID_BYTES_MAX);
	assert_int_equal(c.plan->units[6].id.bytes, RV_UNIT_ID_BYTES_MAX);
	assert_str(c.plan->units[3].extra, "{\"x-id\":\"__x\"}");
	plan_case_release(&c);
	rv_buf_release(&b);
}

static void wrong_graphs_are_refused(void **state)
{
	static const char *const texts[] = {
		"", "[]", "{}", "{\"tasks\":{}}", "{\"tasks\":[1]}", "{\"tasks\":[{}]}", "{\"tasks\":[{\"id\":1}]}",
		"{\"tasks\":[{\"id\":\"a\"},{\"id\":\"a\"}]}", "{\"tasks\":[{\"id\":\"a\",\"deps\":[\"b\"]}]}",
		"{\"tasks\":[{\"id\":\"a\",\"deps\":[1]}]}", "{\"tasks\":[{\"id\":\"a\",\"deps\":\"b\"}]}",
		"{\"tasks\":[{\"id\":\"a\",\"deps\":0}]}", "{\"tasks\":[{\"id\":\"a\",\"deps\":null}]}",
		"{\"tasks\":[{\"id\":\"a\",\"runtime_s\":-1}]}", "{\"tasks\":[{\"id\":\"a\",\"runtime_s\":\"1\"}]}",
		"{\"tasks\":[{\"id\":\"a\",\"cores\":1e9}]}",
	};
	struct rv_err err;
	struct rv_buf b;
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(texts); i++) {
		if (import(texts[i], &b, &err) == 0)
			fail_msg("%s", texts[i]);
		assert_int_equal(err.code, RV_E_PLAN);
		assert_non_null(strstr(err.msg, "dag.json:1:"));
		rv_buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shape_of_a_small_plan),
		cmocka_unit_test(graphs_become_plans),
		cmocka_unit_test(wrong_graphs_are_refused),
	};

	return RUN(tests);
}
