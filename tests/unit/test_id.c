/* test_id.c - run ids, names, nearest words, hex */
#include "tests/lib/test.h"

#include "common/id.h"
#include "common/limits.h"

static void run_ids_sort_by_time(void **state)
{
	uint64_t second = RV_US_PER_S, t2020 = UINT64_C(1577836800) * second;
	struct rv_run_id a, b;
	uint64_t s;

	(void)state;
	a = rv_run_id_make(t2020, 0);
	assert_string_equal(a.text, "0000000000");
	a = rv_run_id_make(t2020 + second, 0x7fff);
	assert_string_equal(a.text, "0000001zzz");
	assert_string_equal(rv_run_id_make(t2020 + 32 * second, 33).text, "0000010011");
	assert_string_equal(rv_run_id_make(t2020, 0xffff8001).text, "0000000001"); /* 15 bits count */
	for (s = 1; s < UINT64_C(30000000000); s = s * 3 + 1) {
		a = rv_run_id_make(t2020 + s * second, 0x7fff);
		b = rv_run_id_make(t2020 + (s + 1) * second, 0);
		assert_true(strcmp(a.text, b.text) < 0);
		assert_true(rv_run_id_valid(rv_str_of(a.text)));
	}
	/* Clocks that are wrong give ids all the same. */
	assert_string_equal(rv_run_id_make(0, 0).text, "0000000000");
	assert_string_equal(rv_run_id_make(UINT64_MAX, 0x7fff).text, "zzzzzzzzzz");
}

static void run_ids_are_ten_of_the_alphabet(void **state)
{
	(void)state;
	assert_true(rv_run_id_valid(RV_STR("05rm3k2abz")));
	assert_false(rv_run_id_valid(RV_STR("05rm3k2ab")));
	assert_false(rv_run_id_valid(RV_STR("05rm3k2abzz")));
	assert_false(rv_run_id_valid(RV_STR("05RM3K2ABZ")));
	assert_false(rv_run_id_valid(RV_STR("05rm3k2abi"))); /* no i, l, o, u */
	assert_false(rv_run_id_valid(RV_STR("05rm3k2ab\0")));
	assert_false(rv_run_id_valid(RV_STR("../../etc/")));
	assert_false(rv_run_id_valid((struct rv_str){ 0 }));
}

static void unit_ids(void **state)
{
	static const char *const good[] = { "a", "A-b_c.9", "-x", "_x", "_-_", "0", "x__", "a..b" };
	static const char *const bad[] = { "", ".", "..", ".hidden", "__verify__", "__", "a b", "a/b", "a\nb",
					   "\xe2\x80\xae", "a:b", "{{item}}", "../../x" };
	char longest[RV_UNIT_ID_BYTES_MAX + 2];
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(good); i++)
		assert_true(rv_unit_id_valid(rv_str_of(good[i])));
	for (i = 0; i < RV_ARRAY_LEN(bad); i++)
		assert_false(rv_unit_id_valid(rv_str_of(bad[i])));
	assert_false(rv_unit_id_valid(RV_STR("a\0b")));
	memset(longest, 'a', sizeof(longest));
	assert_true(rv_unit_id_valid(rv_str(longest, RV_UNIT_ID_BYTES_MAX)));
	assert_false(rv_unit_id_valid(rv_str(longest, RV_UNIT_ID_BYTES_MAX + 1)));
}

static void names(void **state)
{
	char longest[RV_NAME_BYTES_MAX + 1];

	(void)state;
	assert_true(rv_name_valid(RV_STR("checkout-v2.1_x")));
	assert_true(rv_name_valid(RV_STR("__x")));
	assert_false(rv_name_valid(RV_STR("")));
	assert_false(rv_name_valid(RV_STR("a/b")));
	assert_false(rv_name_valid(RV_STR("gr\xc3\xbcn")));
	memset(longest, 'a', sizeof(longest));
	assert_true(rv_name_valid(rv_str(longest, RV_NAME_BYTES_MAX)));
	assert_false(rv_name_valid(rv_str(longest, RV_NAME_BYTES_MAX + 1)));
}

static void nearest(const char *word, const char *want)
{
	static const char *const candidates[] = { "contract", "depends_on", "description", "timeout_s", "id",
						  "idle_timeout_s", "server", "" };
	int got = rv_nearest(rv_str_of(word), candidates, RV_ARRAY_LEN(candidates));

	assert_string_equal(got < 0 ? "-" : candidates[got], want);
}

static void did_you_mean(void **state)
{
	static const char *const equals[] = { "cat", "car", "cap" };
	char huge[400];

	(void)state;
	nearest("contrct", "contract");	     /* a letter lost */
	nearest("conttract", "contract");    /* doubled */
	nearest("contarct", "contract");     /* swapped: one edit */
	nearest("contracts", "contract");
	nearest("depend_on", "depends_on");
	nearest("timeout", "timeout_s");     /* two of seven */
	nearest("desciptoin", "description");
	nearest("server", "server");
	nearest("di", "id");
	nearest("xx", "-");                  /* two edits of two letters are no resemblance */
	nearest("q", "-");
	nearest("", "-");
	nearest("something else", "-");
	assert_int_equal(rv_nearest(RV_STR("caz"), equals, 3), 0); /* the first of equals */
	assert_int_equal(rv_nearest(RV_STR("ca"), equals, 0), -1);
	memset(huge, 'a', sizeof(huge));
	assert_int_equal(rv_nearest(rv_str(huge, sizeof(huge)), equals, 3), -1);
	memset(huge, 'a', RV_UNIT_ID_BYTES_MAX + 1);
	huge[RV_UNIT_ID_BYTES_MAX] = '\0';
	{
		const char *const one[] = { huge };

		assert_int_equal(rv_nearest(rv_str(huge, RV_UNIT_ID_BYTES_MAX - 1), one, 1), 0);
	}
}

static void hex_there_and_back(void **state)
{
	char text[9];
	unsigned char bytes[4] = { 9, 9, 9, 9 };

	(void)state;
	rv_hex(text, "\x00\xff\x1a\x80", 4);
	assert_string_equal(text, "00ff1a80");
	assert_int_equal(rv_unhex(bytes, 4, RV_STR("00FF1a80")), 0);
	assert_memory_equal(bytes, "\x00\xff\x1a\x80", 4);
	assert_int_equal(rv_unhex(bytes, 4, RV_STR("11ff1a8")), -1);
	assert_int_equal(rv_unhex(bytes, 4, RV_STR("11ff1a800")), -1);
	assert_int_equal(rv_unhex(bytes, 4, RV_STR("1111111g")), -1);
	assert_int_equal(rv_unhex(bytes, 4, RV_STR("11 1111f")), -1);
	assert_memory_equal(bytes, "\x00\xff\x1a\x80", 4); /* untouched by failures */
	assert_int_equal(rv_unhex(bytes, 0, RV_STR("")), 0);
	rv_hex(text, NULL, 0);
	assert_string_equal(text, "");
}

static void run_ids_are_numbers_and_back(void **state)
{
	struct rv_run_id id = rv_run_id_make(UINT64_C(1764091612000000), 12345);
	uint64_t n = rv_run_id_number(rv_str_of(id.text));

	(void)state;
	assert_true(n > 0 && n < UINT64_C(1) << 50);
	assert_string_equal(rv_run_id_of(n).text, id.text);
	assert_string_equal(rv_run_id_of(33).text, "0000000011");
	assert_true(rv_run_id_number(RV_STR("0000000011")) == 33);
	assert_true(rv_run_id_number(RV_STR("not a run")) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_ids_are_numbers_and_back),
		cmocka_unit_test(run_ids_sort_by_time),
		cmocka_unit_test(run_ids_are_ten_of_the_alphabet),
		cmocka_unit_test(unit_ids),
		cmocka_unit_test(names),
		cmocka_unit_test(did_you_mean),
		cmocka_unit_test(hex_there_and_back),
	};

	return RUN(tests);
}
