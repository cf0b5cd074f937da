/* test_plan_template.c - filling {{key}} and {place}, finding values in JSON texts */
#include "tests/lib/test.h"

#include "common/plan/template.h"

static const struct plan_scope scope = {
	.layer = {
		RV_STR("{\"repo\":\"shop\",\"n\":1.50,\"list\":[1,\"two\",{\"a\":null}],\"o\":{\"k\":\"v\"},\"_dep_a\":{\"b\":\"of a\",\"c\":1}}"),
		RV_STR(" { \"repo\" : \"mine\" , \"_dep_a.b\" : \"out of a.b\" , \"esc\\u0061ped\" : \"x\\n\\u00e9\\ud83d\\ude00\\\"\" , \"dots.in.key\":2} "),
	},
	.item = RV_STR("{\"name\":\"N\",\"tags\":[\"p\",\"q\"]}"),
};

static void fills(const char *text, const char *want)
{
	struct rv_err err = { 0 };
	struct rv_buf b;

	rv_buf_init(&b, 0);
	if (plan_template_fill(rv_str_of(text), &scope, NULL, &b, &err) != 0)
		fail_msg("%s: %s", text, err.msg);
	assert_string_equal(b.at, want);
	rv_buf_release(&b);
}

static void refuses(const char *text)
{
	struct rv_err err = { 0 };
	struct rv_buf b;

	rv_buf_init(&b, 0);
	if (plan_template_fill(rv_str_of(text), &scope, NULL, &b, &err) == 0)
		fail_msg("%s became %s", text, b.at);
	assert_int_equal(err.code, RV_E_PLAN);
	rv_buf_release(&b);
}

static void keys_are_filled(void **state)
{
	(void)state;
	fills("", "");
	fills("no key { } } {x}", "no key { } } {x}");
	fills("{{repo}}", "mine");
	fills("a {{ repo }} b {{n}}", "a mine b 1.50");
	fills("{{list}} {{list.0}} {{list.1}} {{list.2.a}}", "[1,\"two\",{\"a\":null}] 1 two null");
	fills("{{o}} {{o.k}}", "{\"k\":\"v\"} v");
	fills("{{item}} {{item.name}} {{item.tags.1}}", "{\"name\":\"N\",\"tags\":[\"p\",\"q\"]} N q");
	fills("{{escaped}}", "x\n\xc3\xa9\xf0\x9f\x98\x80\"");
	fills("{{dots.in.key}}", "2");
}

static void the_longest_unit_id_wins(void **state)
{
	(void)state;
	fills("{{_dep_a.b}}", "out of a.b");
	fills("{{_dep_a.c}}", "1");
	fills("{{_dep_a}}", "{\"b\":\"of a\",\"c\":1}");
}

static void four_braces_are_two(void **state)
{
	(void)state;
	fills("{{{{", "{{");
	fills("{{{{repo}}", "{{repo}}");
	fills("{{{{{{{{", "{{{{");
	fills("{{{{ {{repo}} {{{{", "{{ mine {{");
	fills("}} }}}}", "}} }}}}");
}

static void what_is_filled_in_is_not_looked_at_again(void **state)
{
	struct plan_scope s = { .layer = { RV_STR("{\"a\":\"{{b}} {prompt}\",\"b\":\"no\"}") } };
	struct plan_places p = { .value = { [PLAN_PLACE_PROMPT] = RV_STR("{{b}}"), [PLAN_PLACE_UNIT_ID] = RV_STR("u") } };
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	assert_int_equal(plan_template_fill(RV_STR("{{a}} {prompt} {unit_id} {manifest} {other}"), &s, &p, &b, NULL), 0);
	assert_string_equal(b.at, "{{b}} {prompt} {{b}} u {manifest} {other}");
	rv_buf_release(&b);
}

static void with_templates_off_only_places_are_filled(void **state)
{
	struct plan_places p = { .value = { [PLAN_PLACE_ITEM] = RV_STR("I") } };
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	assert_int_equal(plan_template_fill(RV_STR("{{item}} {item} {{{{ {{"), NULL, &p, &b, NULL), 0);
	assert_string_equal(b.at, "{{item}} I {{{{ {{");
	rv_buf_release(&b);
}

static void unknown_and_open_keys_are_refused(void **state)
{
	static const char *const texts[] = { "{{nothing}}", "{{repo.x}}", "{{list.3}}", "{{list.x}}", "{{list.}}", "{{}}", "{{ }}",
					     "{{repo", "{{repo}", "{{re\npo}}", "{{{repo}}}", "{{o.k.z}}", "{{.repo}}", "{{repo.}}" };
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(texts); i++)
		refuses(texts[i]);
}

static void slots_are_found_with_their_places(void **state)
{
	struct rv_str text = RV_STR("x{{{{ {{ a.b }}{item}{nope}");
	struct plan_slot slot;
	size_t from = 0;

	(void)state;
	assert_int_equal(plan_template_next(text, true, &from, &slot), 1);
	assert_false(slot.is_place);
	assert_str(slot.key, "a.b");
	assert_int_equal(slot.at, 6);
	assert_int_equal(slot.bytes, 9);
	assert_int_equal(plan_template_next(text, true, &from, &slot), 1);
	assert_true(slot.is_place);
	assert_int_equal(slot.place, PLAN_PLACE_ITEM);
	assert_int_equal(plan_template_next(text, true, &from, &slot), 0);
	from = 0;
	assert_int_equal(plan_template_next(RV_STR("ab {{"), false, &from, &slot), -1);
	assert_int_equal(slot.at, 3);
	assert_true(plan_template_has_keys(RV_STR("{{")));
	assert_false(plan_template_has_keys(RV_STR("{ {")));
}

static void broken_json_is_no_value(void **state)
{
	static const char *const texts[] = { "", "{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":}", "[1", "x{", "{1:2}", "{\"a\" 1}", "null" };
	struct rv_str v;
	struct rv_buf b;
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(texts); i++) {
		assert_int_equal(plan_json_member(rv_str_of(texts[i]), RV_STR("a"), &v), 0);
		assert_int_equal(plan_json_element(rv_str_of(texts[i]), 1, &v), 0);
	}
	assert_int_equal(plan_json_member(RV_STR("{\"a\":1,\"a\":[2]}"), RV_STR("a"), &v), 1);
	assert_str(v, "[2]");
	rv_buf_init(&b, 0);
	assert_int_equal(plan_json_text(RV_STR("\"a"), &b), -1);
	assert_int_equal(plan_json_text(RV_STR("\"a\" 1"), &b), -1);
	assert_int_equal(plan_json_text(RV_STR(""), &b), -1);
	assert_int_equal(plan_json_text(RV_STR("1 2"), &b), -1);
	assert_int_equal(plan_json_text(RV_STR("\"\\ud800\\q\""), &b), -1);
	rv_buf_release(&b);
}

static void a_buffer_that_is_full_is_an_error(void **state)
{
	struct rv_err err = { 0 };
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 4);
	assert_int_equal(plan_template_fill(RV_STR("{{o}}{{o}}"), &scope, NULL, &b, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	rv_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_filled),
		cmocka_unit_test(the_longest_unit_id_wins),
		cmocka_unit_test(four_braces_are_two),
		cmocka_unit_test(what_is_filled_in_is_not_looked_at_again),
		cmocka_unit_test(with_templates_off_only_places_are_filled),
		cmocka_unit_test(unknown_and_open_keys_are_refused),
		cmocka_unit_test(slots_are_found_with_their_places),
		cmocka_unit_test(broken_json_is_no_value),
		cmocka_unit_test(a_buffer_that_is_full_is_an_error),
	};

	return RUN(tests);
}
