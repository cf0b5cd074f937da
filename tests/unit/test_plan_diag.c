/* test_plan_diag.c - the form of errors, to the letter; nothing of a plan reaches the terminal raw */
#include "tests/lib/plan_case.h"

#include "common/buf.h"

static void shown(const char *plan, const char *want)
{
	struct plan_case c = { 0 };
	struct rv_buf b;

	rv_buf_init(&b, 0);
	(void)plan_case_load(&c, plan, PLAN_FORMAT_YAML);
	assert_int_equal(plan_diags_text(&c.diags, &b), 0);
	assert_string_equal(b.at, want);
	rv_buf_release(&b);
	plan_case_release(&c);
}

static void the_form_of_the_format_text(void **state)
{
	(void)state;
	shown("version: 1\nunits:\n  - {id: contract, command: [x]}\n  - {id: server, command: [x], depends_on: [contrct]}\n",
	      "error[E_DEP_UNKNOWN]: unit \"server\" depends on \"contrct\", which no unit is called\n"
	      " --> plan.yaml:4:45\n"
	      "  |\n"
	      "4 |   - {id: server, command: [x], depends_on: [contrct]}\n"
	      "  |                                             ^^^^^^^\n"
	      "  = help: did you mean \"contract\" (plan.yaml:3:10)?\n");
}

static void a_long_line_keeps_its_start_and_the_place(void **state)
{
	(void)state;
	shown("version: 1\nunits:\n\n\n\n\n\n\n\n  - {id: server, command: [x], description: Implement all of the server that the contract asks for, depends_on: [contrct]}\n",
	      "error[E_DEP_UNKNOWN]: unit \"server\" depends on \"contrct\", which no unit is called\n"
	      "  --> plan.yaml:10:114\n"
	      "   |\n"
	      "10 |   - {id: server,...r, depends_on: [contrct]}\n"
	      "   |                                    ^^^^^^^\n");
}

static void characters_are_counted_not_bytes(void **state)
{
	(void)state;
	shown("version: 1\nunits: [{id: a, command: [x], description: \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\", bad: 1}]\n",
	      "error[E_UNKNOWN_KEY]: unit has no key \"bad\"\n"
	      " --> plan.yaml:2:51\n"
	      "  |\n"
	      "2 | units: [{id: a, command: [x], description: \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\", bad: 1}]\n"
	      "  |                                                   ^^^\n"
	      "  = help: `reeve help plan` lists the keys of unit; keys of your own start with x-\n");
}

static void nothing_raw_reaches_the_terminal(void **state)
{
	struct plan_case c = { 0 };
	struct rv_buf b;
	size_t i;

	(void)state;
	rv_buf_init(&b, 0);
	assert_int_equal(plan_case_load(&c, "{\"version\":1,\"units\":[{\"id\":\"\\u001b]52;c;AAAA\\u0007\\u009b\\u202e\",\"command\":[\"x\"]},\n"
					    "\t{\"id\":\"\xe2\x80\xae\xc2\x9b\xef\xbb\xbf\x7f\",\"command\":[\"x\"]}]}",
					 PLAN_FORMAT_JSON),
			 -1);
	assert_int_equal(c.diags.error_count, 2);
	assert_int_equal(plan_diags_text(&c.diags, &b), 0);
	(void)plan_diags_json(&c.diags, &b);
	for (i = 0; i < b.bytes; i++) {
		unsigned char ch = (unsigned char)b.at[i];

		assert_true(ch >= 0x20 || ch == '\n');
		assert_int_not_equal(ch, 0x7f);
		if (ch == 0xc2)
			assert_true((unsigned char)b.at[i + 1] >= 0xa0);
	}
	assert_null(strstr(b.at, "\xe2\x80\xae"));
	assert_null(strstr(b.at, "\xef\xbb\xbf"));
	rv_buf_release(&b);
	plan_case_release(&c);
	/* no UTF-8: what hangs on a blank, on a letter, on a lead that wants more behind it */
	rv_buf_init(&b, 0);
	assert_int_equal(plan_case_load(&c, "{\"version\":1,\"name\":\"\xff \x9b[2J a\x9b[2J \xe2\x9b[2J\",\"units\":[]}", PLAN_FORMAT_JSON), -1);
	assert_int_equal(plan_diags_text(&c.diags, &b), 0);
	for (i = 0; i < b.bytes; i++)
		assert_int_not_equal((unsigned char)b.at[i], 0x9b);
	rv_buf_release(&b);
	plan_case_release(&c);
}

static void as_json(void **state)
{
	struct plan_case c = { 0 };
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	assert_int_equal(plan_case_load(&c, "version: 1\nunits:\n  - {id: a, command: [x], depends_on: [b, b]}\n", PLAN_FORMAT_YAML), -1);
	assert_int_equal(plan_diags_json(&c.diags, &b), 0);
	assert_string_equal(b.at,
			    "[{\"severity\":\"error\",\"code\":\"E_DEP_UNKNOWN\",\"file\":\"plan.yaml\",\"line\":3,\"col\":40,"
			    "\"path\":\"units[0].depends_on[0]\",\"message\":\"unit \\\"a\\\" depends on \\\"b\\\", which no unit is called\"},"
			    "{\"severity\":\"warning\",\"code\":\"W_DEP_DUPLICATE\",\"file\":\"plan.yaml\",\"line\":3,\"col\":43,"
			    "\"path\":\"units[0].depends_on[1]\",\"message\":\"the dependency \\\"b\\\" stands here twice\"}]");
	rv_buf_release(&b);
	plan_case_release(&c);
}

static void only_the_first_are_kept_whatever_the_order(void **state)
{
	struct plan_diags d;
	uint32_t i, at[50];

	(void)state;
	plan_diags_init(&d);
	plan_diags_source(&d, RV_STR("0123456789012345678901234567890123456789012345678901234567890"), 1);
	for (i = 0; i < 50; i++)
		at[i] = (i * 37 + 11) % 50;
	for (i = 0; i < 50; i++) {
		struct plan_spot spot = { .kind = PLAN_SPOT_SOURCE, .at = at[i], .span = 1 };

		plan_diag_hint(plan_diag_add(&d, PLAN_E_RANGE, spot, "%u", at[i]), "h");
	}
	plan_diags_source(&d, (struct rv_str){ 0 }, 0);
	assert_int_equal(d.error_count, 20);
	assert_int_equal(d.errors_found, 50);
	for (i = 0; i < 20; i++) {
		assert_int_equal(d.error[i].col, i + 1);
		assert_int_equal(atoi(d.error[i].message), (int)i);
	}
	plan_diags_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_form_of_the_format_text),
		cmocka_unit_test(a_long_line_keeps_its_start_and_the_place),
		cmocka_unit_test(characters_are_counted_not_bytes),
		cmocka_unit_test(nothing_raw_reaches_the_terminal),
		cmocka_unit_test(as_json),
		cmocka_unit_test(only_the_first_are_kept_whatever_the_order),
	};

	return RUN(tests);
}
