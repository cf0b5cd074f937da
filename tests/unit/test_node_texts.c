/* test_node_texts.c - JSON texts, globs, outputs: what units wrote, read strictly */
#include "tests/lib/test.h"

#include "common/prng.h"
#include "node/glob.h"
#include "node/jsontext.h"
#include "node/output.h"

static void check_json(const char *text, const char *want)
{
	struct rv_err err = { 0 };
	struct rv_buf out;
	int rc;

	rv_buf_init(&out, 0);
	rv_buf_puts(&out, "<");
	rc = node_json_compact(rv_str_of(text), &out, &err);
	if (want) {
		assert_int_equal(rc, 0);
		assert_str(rv_str(out.at + 1, out.bytes - 1), want);
	} else {
		if (rc != -1)
			print_error("taken: %s\n", text);
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, RV_E_CORRUPT);
		assert_string_equal(out.at, "<");
	}
	rv_buf_release(&out);
}

static void blanks_go_and_everything_else_stays(void **state)
{
	(void)state;
	check_json(" { \"a\" : [ 1 , 2.50 , -0e+1 ] , \"b\":{} , \"c\" : [ ] }\n", "{\"a\":[1,2.50,-0e+1],\"b\":{},\"c\":[]}");
	check_json("\"a b\\u00e9 \\n \xc3\xa9\"", "\"a b\\u00e9 \\n \xc3\xa9\"");
	check_json("18446744073709551616123", "18446744073709551616123");
	check_json("null", "null");
	check_json("\ttrue\r\n", "true");
	check_json("[false]", "[false]");
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "[1 2]", "01", "1.", ".5", "-", "1e", "+1", "nul", "truex",
		"\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "'a'", "1 1", "[1]]", "{\"a\":1}x",
		"NaN", "Infinity", "\xef\xbb\xbf{}", "//x\n1", "[,1]", "{,}", "{\"a\":,}",
	};

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++)
		check_json(bad[i], NULL);
}

static void depth_is_bounded(void **state)
{
	struct rv_buf deep, out;
	struct rv_err err;

	(void)state;
	for (uint32_t depth = NODE_JSON_DEPTH_MAX; depth <= NODE_JSON_DEPTH_MAX + 1; depth++) {
		rv_buf_init(&deep, 0);
		rv_buf_init(&out, 0);
		for (uint32_t i = 0; i < depth; i++)
			rv_buf_putc(&deep, '[');
		for (uint32_t i = 0; i < depth; i++)
			rv_buf_putc(&deep, ']');
		assert_int_equal(node_json_compact(rv_buf_str(&deep), &out, &err), depth <= NODE_JSON_DEPTH_MAX ? 0 : -1);
		rv_buf_release(&deep);
		rv_buf_release(&out);
	}
}

/* Any bytes: never past the end, and what is taken is taken again unchanged. */
static void random_bytes_do_no_harm(void **state)
{
	static const char alphabet[] = "{}[]\",:0123456789.eE+-truefalsn \\u\xc3\xa9\xf0\x9f\x98\x80";
	struct rv_prng prng;
	uint32_t taken = 0;

	(void)state;
	rv_prng_seed(&prng, 7);
	for (int round = 0; round < 200000; round++) {
		size_t n = rv_prng_below(&prng, 12);
		char *text = malloc(n + 1);
		struct rv_buf once, twice;

		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[rv_prng_below(&prng, sizeof(alphabet) - 1)];
		rv_buf_init(&once, 0);
		rv_buf_init(&twice, 0);
		if (node_json_compact(rv_str(text, n), &once, NULL) == 0) {
			assert_int_equal(node_json_compact(rv_buf_str(&once), &twice, NULL), 0);
			assert_string_equal(once.at, twice.at);
			taken++;
		}
		rv_buf_release(&once);
		rv_buf_release(&twice);
		free(text);
	}
	assert_true(taken > 1000);
}

static void text_becomes_valid(void **state)
{
	struct rv_buf out;

	(void)state;
	rv_buf_init(&out, 0);
	node_text_clean(rv_str("a\0b\xff\xc3\xa9\xc3", 7), &out);
	assert_str(rv_buf_str(&out), "a\xe2\x90\x80" "b\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd");
	rv_buf_release(&out);
}

static void globs(void **state)
{
	static const struct {
		const char *glob, *path;
		bool match;
	} cases[] = {
		{ "*.md", "a.md", true },       { "*.md", "d/a.md", false },   { "**/*.md", "d/e/a.md", true }, { "**/*.md", "a.md", true },
		{ "**", "d/e/a.md", true },     { "d/**", "d/e/a", true },     { "d/**", "da/e", false },       { "d/*", "d/e/a", false },
		{ "a?c", "abc", true },         { "a?c", "a/c", false },       { "[a-c]x", "bx", true },        { "[!a-c]x", "bx", false },
		{ "[!a-c]x", "dx", true },      { "[]]x", "]x", true },        { "[x", "[x", true },            { "\\*", "*", true },
		{ "\\*", "a", false },          { "", "", true },              { "", "a", false },              { "*", "", true },
		{ "report.json", "report.json", true }, { "report.json", "reportXjson", false },
		{ "a/**/b", "a/b", true },      { "a/**/b", "a/x/y/b", true }, { "a/**/b", "a/xb", false },     { "*a*b*", "xaybz", true },
		{ "a**b", "a/x/b", true },      { ".*", ".hidden", true },     { "*", ".hidden", true },
	};

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		bool got = node_glob_match(rv_str_of(cases[i].glob), rv_str_of(cases[i].path));

		if (got != cases[i].match)
			print_error("\"%s\" and \"%s\"\n", cases[i].glob, cases[i].path);
		assert_int_equal(got, cases[i].match);
	}
}

/* A pattern that takes other matchers for ever. */
static void hostile_glob_is_quick(void **state)
{
	char glob[NODE_GLOB_BYTES_MAX + 1], path[4096];

	(void)state;
	memset(path, 'a', sizeof(path));
	for (size_t i = 0; i < NODE_GLOB_BYTES_MAX; i += 2) {
		glob[i] = '*';
		glob[i + 1] = 'a';
	}
	glob[NODE_GLOB_BYTES_MAX - 1] = 'b';
	assert_false(node_glob_match(rv_str(glob, NODE_GLOB_BYTES_MAX), rv_str(path, sizeof(path))));
	assert_false(node_glob_match(rv_str(glob, sizeof(glob)), rv_str(path, 1)));
}

static void last_lines(void **state)
{
	(void)state;
	assert_str(node_last_line(RV_STR("")), "");
	assert_str(node_last_line(RV_STR("\n \n")), "");
	assert_str(node_last_line(RV_STR("one")), "one");
	assert_str(node_last_line(RV_STR("one\ntwo\r\n\n  \n")), "two");
	assert_str(node_last_line(RV_STR("one\n  two ")), "  two");
}

static void check_stdout(const char *printed, enum proto_output_mode mode, const char *want, bool want_json)
{
	struct rv_err err = { 0 };
	struct rv_buf out;
	bool is_json = !want_json;
	int rc;

	rv_buf_init(&out, 0);
	rc = node_output_of_stdout(rv_str_of(printed), mode, &out, &is_json, &err);
	assert_int_equal(rc, want ? 0 : -1);
	if (want) {
		assert_str(rv_buf_str(&out), want);
		assert_int_equal(is_json, want_json);
	}
	rv_buf_release(&out);
}

static void printed_output(void **state)
{
	(void)state;
	check_stdout("hello\nworld\n", PROTO_OUTPUT_TEXT, "world", false);
	check_stdout("42\n", PROTO_OUTPUT_TEXT, "42", false); /* text stays text */
	check_stdout("", PROTO_OUTPUT_TEXT, "", false);
	check_stdout("{\n \"a\": 1\n}\n", PROTO_OUTPUT_JSON, "{\"a\":1}", true);
	check_stdout("```json\n{\"a\": 1}\n```\n", PROTO_OUTPUT_JSON, "{\"a\":1}", true);
	check_stdout("```\n[1]\n```", PROTO_OUTPUT_JSON, "[1]", true);
	check_stdout("I thought about it.\n\n```json\n{\"a\":\n 1}\n```\n\n", PROTO_OUTPUT_JSON, "{\"a\":1}", true);
	check_stdout("building...\ndone\n{\"ok\":true}\n", PROTO_OUTPUT_JSON, "{\"ok\":true}", true);
	check_stdout("building...\n", PROTO_OUTPUT_JSON, NULL, true);
	check_stdout("", PROTO_OUTPUT_JSON, NULL, true);
	check_stdout("```json\n```\n", PROTO_OUTPUT_JSON, NULL, true);
	check_stdout("```", PROTO_OUTPUT_JSON, NULL, true);
}

static void written_output(void **state)
{
	struct rv_err err = { 0 };
	struct rv_buf out;
	bool is_json;

	(void)state;
	rv_buf_init(&out, 0);
	assert_int_equal(node_output_of_file(RV_STR("{\"n\": [1, 2]}\n"), PROTO_OUTPUT_TEXT, &out, &is_json, &err), 0);
	assert_true(is_json);
	assert_str(rv_buf_str(&out), "{\"n\":[1,2]}");
	rv_buf_reset(&out);
	assert_int_equal(node_output_of_file(RV_STR("two\nlines\n"), PROTO_OUTPUT_TEXT, &out, &is_json, &err), 0);
	assert_false(is_json);
	assert_str(rv_buf_str(&out), "two\nlines");
	rv_buf_reset(&out);
	assert_int_equal(node_output_of_file(RV_STR("two\nlines\n"), PROTO_OUTPUT_JSON, &out, &is_json, &err), -1);
	assert_int_equal(out.bytes, 0);
	assert_int_equal(node_output_of_file(RV_STR("```json\n7\n```"), PROTO_OUTPUT_JSON, &out, &is_json, &err), 0);
	assert_str(rv_buf_str(&out), "7");
	rv_buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_go_and_everything_else_stays),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(random_bytes_do_no_harm),
		cmocka_unit_test(text_becomes_valid),
		cmocka_unit_test(globs),
		cmocka_unit_test(hostile_glob_is_quick),
		cmocka_unit_test(last_lines),
		cmocka_unit_test(printed_output),
		cmocka_unit_test(written_output),
	};

	return RUN(tests);
}
