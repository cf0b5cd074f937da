/* test_cli_placeholder.c - {} and its kin are what GNU parallel makes of them */
#include "tests/lib/test.h"

#include "cli/placeholder.h"

static void expect_forms(const char *input, const char *no_extension, const char *name, const char *directory, const char *stem)
{
	const char *want[] = { input, no_extension, name, directory, stem, "7" };
	struct rv_buf out;

	rv_buf_init(&out, 0);
	for (int form = CLI_FORM_WHOLE; form <= CLI_FORM_NUMBER; form++) {
		rv_buf_reset(&out);
		cli_form_put((enum cli_form)form, rv_str_of(input), 7, &out);
		assert_string_equal(out.at, want[form]);
	}
	rv_buf_release(&out);
}

/* Each row is what GNU parallel 20221122 printed. */
static void forms_are_those_of_gnu_parallel(void **state)
{
	(void)state;
	expect_forms("d/a.b.txt", "d/a.b", "a.b.txt", "d", "a.b");
	expect_forms("a", "a", "a", ".", "a");
	expect_forms("/x/y.z/q", "/x/y.z/q", "q", "/x/y.z", "q");
	expect_forms(".hid", "", ".hid", ".", "");
	expect_forms("d/", "d/", "", ".", "");
	expect_forms("/a", "/a", "a", "/", "a");
	expect_forms("../up.c", "../up", "up.c", "..", "up");
	expect_forms("d/a.", "d/a.", "a.", "d", "a.");
	expect_forms("a//b", "a//b", "b", "a", "b");
	expect_forms("a/b/", "a/b/", "", "a", "");
	expect_forms(".a.b", ".a", ".a.b", ".", ".a");
	expect_forms("a/.b", "a/", ".b", "a", "");
	expect_forms("//", "//", "", "/", "");
	expect_forms("/", "/", "", "/", "");
	expect_forms("", "", "", ".", "");
	expect_forms("a.b/c", "a.b/c", "c", "a.b", "c");
}

static void expect_found(const char *text, size_t at, size_t bytes, enum cli_form form, uint32_t list)
{
	struct cli_placeholder p;
	size_t from = 0;

	assert_true(cli_placeholder_next(rv_str_of(text), &from, &p));
	assert_int_equal(p.at, at);
	assert_int_equal(p.bytes, bytes);
	assert_int_equal(p.form, form);
	assert_int_equal(p.list, list);
	assert_int_equal(from, at + bytes);
}

static void each_placeholder_is_found_where_it_stands(void **state)
{
	(void)state;
	expect_found("{}", 0, 2, CLI_FORM_WHOLE, 0);
	expect_found("x{.}", 1, 3, CLI_FORM_NO_EXTENSION, 0);
	expect_found("{x{/}", 2, 3, CLI_FORM_NAME, 0);
	expect_found("{//}", 0, 4, CLI_FORM_DIRECTORY, 0);
	expect_found("{/.}", 0, 4, CLI_FORM_STEM, 0);
	expect_found("{#}", 0, 3, CLI_FORM_NUMBER, 0);
	expect_found("{{}}", 1, 2, CLI_FORM_WHOLE, 0);
	expect_found("{{item}}", 0, 8, CLI_FORM_WHOLE, 0);
	expect_found("{12/.}", 0, 6, CLI_FORM_STEM, 12);
	expect_found("{1}", 0, 3, CLI_FORM_WHOLE, 1);
}

static void other_braces_are_none(void **state)
{
	static const char *const none[] = { "", "{", "}", "{x}", "{ }", "{0}", "{01}", "{123}", "{%}", "{..}", "{1", "{{item.x}}", "{{x}}", "{#" };
	struct cli_placeholder p;

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(none); i++) {
		size_t from = 0;

		assert_false(cli_placeholder_next(rv_str_of(none[i]), &from, &p));
		assert_int_equal(from, strlen(none[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_those_of_gnu_parallel),
		cmocka_unit_test(each_placeholder_is_found_where_it_stands),
		cmocka_unit_test(other_braces_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
