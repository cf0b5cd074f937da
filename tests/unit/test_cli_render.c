/* test_cli_render.c - formats, tables, small texts, errors */
#include "cli/error.h"
#include "cli/render.h"
#include "cli/used.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct cli_column columns[] = {
	{ "UNIT", CLI_LEFT, false },
	{ "N", CLI_RIGHT, false },
	{ "NODE", CLI_LEFT, true },
	{ "REASON", CLI_LEFT, false },
};

static void fill(struct cli_table *t)
{
	cli_table_cell(t, RV_STR("build\x1b[2J"));
	cli_table_cellf(t, "%d", 7);
	cli_table_cell(t, RV_STR("n1"));
	cli_table_cell(t, RV_STR("exit 1\nforged line"));
	cli_table_cell(t, RV_STR("a"));
	cli_table_cellf(t, "%d", 1234);
	cli_table_cell(t, RV_STR(""));
	cli_table_cell(t, RV_STR(""));
}

static void columns_are_aligned_and_cells_harmless(void **state)
{
	struct cli_table t;
	struct rv_buf out;

	(void)state;
	rv_buf_init(&out, 0);
	cli_table_init(&t, columns, 4, CLI_TABLE);
	fill(&t);
	cli_table_print(&t, &out);
	assert_string_equal(out.at, "UNIT           N  REASON\n"
				    "build^[[2J     7  exit 1\\nforged line\n"
				    "a           1234  -\n");
	cli_table_release(&t);
	rv_buf_release(&out);
}

static void wide_shows_more_columns(void **state)
{
	struct cli_table t;
	struct rv_buf out;

	(void)state;
	rv_buf_init(&out, 0);
	cli_table_init(&t, columns, 4, CLI_WIDE);
	fill(&t);
	cli_table_print(&t, &out);
	assert_non_null(strstr(out.at, "UNIT           N  NODE  REASON\n"));
	assert_non_null(strstr(out.at, "a           1234  -     -\n"));
	cli_table_release(&t);
	rv_buf_release(&out);
}

static void expect_duration(uint64_t us, const char *want)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	cli_put_duration(&b, us);
	assert_string_equal(b.at, want);
	rv_buf_release(&b);
}

static void durations_read_well_at_every_scale(void **state)
{
	(void)state;
	expect_duration(0, "0ms");
	expect_duration(999999, "999ms");
	expect_duration(4200000, "4.2s");
	expect_duration(59999999, "59.9s");
	expect_duration(724000000, "12m04s");
	expect_duration(7500 * (uint64_t)1000000, "2h05m");
	expect_duration((3 * 86400 + 4 * 3600) * (uint64_t)1000000, "3d04h");
	expect_duration(UINT64_MAX, "213503982d08h");
}

static void bytes_and_times(void **state)
{
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	cli_put_bytes(&b, 1023);
	(void)rv_buf_putc(&b, ' ');
	cli_put_bytes(&b, 1536);
	(void)rv_buf_putc(&b, ' ');
	cli_put_bytes(&b, (uint64_t)3 << 30);
	(void)rv_buf_putc(&b, ' ');
	cli_put_bytes(&b, UINT64_MAX);
	(void)rv_buf_putc(&b, ' ');
	cli_put_time(&b, 1000000 * (uint64_t)86400 + 7);
	assert_string_equal(b.at, "1023 B 1.5 KiB 3.0 GiB 15.9 EiB 1970-01-02T00:00:00.000007Z");
	rv_buf_release(&b);
}

static void formats_come_from_option_then_environment(void **state)
{
	enum cli_format f;
	struct rv_err err;

	(void)state;
	(void)unsetenv("REEVE_FORMAT");
	assert_int_equal(cli_format_parse(NULL, &f, &err), 0);
	assert_int_equal(f, CLI_TABLE);
	(void)setenv("REEVE_FORMAT", "jsonl", 1);
	assert_int_equal(cli_format_parse(NULL, &f, &err), 0);
	assert_int_equal(f, CLI_JSONL);
	assert_int_equal(cli_format_parse("wide", &f, &err), 0);
	assert_int_equal(f, CLI_WIDE);
	assert_int_equal(cli_format_parse("jsno", &f, &err), -1);
	assert_int_equal(err.code, RV_E_USAGE);
	assert_string_equal(err.hint, "did you mean json?");
	(void)unsetenv("REEVE_FORMAT");
}

static void errors_are_text_or_json(void **state)
{
	struct rv_err err;
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	(void)rv_fail(&err, RV_E_NOT_FOUND, "there is no unit \"a\x1b[2J\nreeve: ok\"");
	(void)rv_hint(&err, "did you mean \"b\"?");
	cli_error_text(&err, &b);
	assert_string_equal(b.at, "reeve: there is no unit \"a^[[2J\\nreeve: ok\"\n  help: did you mean \"b\"?\n");
	rv_buf_reset(&b);
	cli_error_json(&err, &b);
	assert_string_equal(b.at, "{\"error\":{\"code\":\"E_NOT_FOUND\",\"message\":\"there is no unit \\\"a\\u001b[2J\\nreeve: "
				  "ok\\\"\",\"hint\":\"did you mean \\\"b\\\"?\"}}\n");
	rv_buf_release(&b);
}

static void the_form_of_errors_is_found_in_the_words(void **state)
{
	static const struct {
		const char *words[5];
		int count;
		bool json;
	} cases[] = {
		{ { "reeve", "status", "-o", "json" }, 4, true },
		{ { "reeve", "status", "-ojson" }, 3, true },
		{ { "reeve", "status", "--format=jsonl", "x" }, 4, true },
		{ { "reeve", "status", "--format", "table" }, 4, false },
		{ { "reeve", "run", "--", "-o", "json" }, 5, false },
		{ { "reeve", "status", "-o" }, 3, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(cases); i++) {
		char *argv[6] = { NULL };
		int k;

		for (k = 0; k < cases[i].count; k++)
			argv[k] = (char *)(uintptr_t)cases[i].words[k];
		cli_error_setup(cases[i].count, argv);
		assert_int_equal(cli_error_is_json(), cases[i].json);
	}
}

static void exit_statuses_have_an_order(void **state)
{
	(void)state;
	assert_int_equal(cli_exit_worse(CLI_FAILED, CLI_INTERNAL), CLI_INTERNAL);
	assert_int_equal(cli_exit_worse(CLI_TIMEOUT, CLI_INTERRUPTED), CLI_INTERRUPTED);
	assert_int_equal(cli_exit_worse(CLI_INTERRUPTED, CLI_USAGE), CLI_USAGE);
	assert_int_equal(cli_exit_worse(CLI_FAILED, CLI_BUDGET), CLI_BUDGET);
	assert_int_equal(cli_exit_worse(CLI_OK, CLI_FAILED), CLI_FAILED);
}

static void json_commas_stand_where_they_must(void **state)
{
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	(void)rv_buf_putc(&b, '{');
	cli_json_str(&b, "a", RV_STR("x"));
	cli_json_key(&b, "list");
	(void)rv_buf_putc(&b, '[');
	cli_json_comma(&b);
	(void)rv_buf_puts(&b, "1");
	cli_json_comma(&b);
	(void)rv_buf_puts(&b, "2]");
	cli_json_bool(&b, "b", true);
	cli_json_str_or_null(&b, "n", RV_STR(""));
	cli_json_int(&b, "i", -5);
	cli_json_ms(&b, "ms", 1250);
	cli_json_ms(&b, "whole", 3000);
	cli_json_time(&b, "never", 0);
	(void)rv_buf_putc(&b, '}');
	assert_string_equal(b.at, "{\"a\":\"x\",\"list\":[1,2],\"b\":true,\"n\":null,\"i\":-5,\"ms\":1.250,\"whole\":3,\"never\":null}");
	rv_buf_release(&b);
}

static void small_costs_are_not_nothing(void **state)
{
	static const struct {
		uint64_t tokens, microusd;
		const char *text;
	} cases[] = { { 1900, 2700, "1.9k tok <$0.01" }, { 1900, 1, "1.9k tok <$0.01" }, { 1900, 0, "1.9k tok" },  { 7, 10000, "7 tok $0.01" },
		      { 7, 14999, "7 tok $0.01" },	 { 7, 15000, "7 tok $0.02" },	 { 0, 4099999, "$4.10" },  { 0, 9999, "<$0.01" },
		      { 1800000, PROTO_COST_UNKNOWN, "1.8M tok" } };
	struct rv_buf out;

	(void)state;
	rv_buf_init(&out, 0);
	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		rv_buf_reset(&out);
		cli_put_used(&out, cases[i].tokens, cases[i].microusd);
		assert_string_equal(out.at, cases[i].text);
	}
	rv_buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned_and_cells_harmless),
		cmocka_unit_test(wide_shows_more_columns),
		cmocka_unit_test(durations_read_well_at_every_scale),
		cmocka_unit_test(bytes_and_times),
		cmocka_unit_test(formats_come_from_option_then_environment),
		cmocka_unit_test(errors_are_text_or_json),
		cmocka_unit_test(the_form_of_errors_is_found_in_the_words),
		cmocka_unit_test(exit_statuses_have_an_order),
		cmocka_unit_test(json_commas_stand_where_they_must),
		cmocka_unit_test(small_costs_are_not_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
