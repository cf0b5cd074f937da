/* test_buf.c - growing bytes, their bound, JSON strings, fixed integers */
#include "tests/lib/test.h"

#include "common/buf.h"

static void empty_buffer_is_a_c_string(void **state)
{
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	assert_string_equal(b.at, "");
	rv_buf_reset(&b);
	rv_buf_consume(&b, 0);
	assert_int_equal(rv_buf_put(&b, NULL, 0), 0);
	assert_int_equal(rv_buf_put_str(&b, (struct rv_str){ 0 }), 0);
	assert_int_equal(rv_buf_puts(&b, ""), 0);
	assert_string_equal(b.at, "");
	assert_int_equal(b.bytes, 0);
	rv_buf_release(&b);
	rv_buf_release(&b);
	assert_string_equal(b.at, "");
}

static void grows_and_stays_terminated(void **state)
{
	struct rv_buf b;
	size_t i;

	(void)state;
	rv_buf_init(&b, 0);
	for (i = 0; i < 100000; i++) {
		assert_int_equal(rv_buf_putc(&b, (char)('a' + i % 26)), 0);
		assert_int_equal(b.at[i + 1], '\0');
	}
	assert_int_equal(b.bytes, 100000);
	for (i = 0; i < b.bytes; i++)
		assert_int_equal(b.at[i], 'a' + i % 26);
	rv_buf_release(&b);
}

static void exactly_the_limit_fits_and_one_more_does_not(void **state)
{
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 10);
	assert_int_equal(rv_buf_puts(&b, "0123456789"), 0);
	assert_false(b.failed);
	assert_int_equal(rv_buf_putc(&b, 'x'), -1);
	assert_true(b.failed);
	assert_string_equal(b.at, "0123456789");
	/* Once failed, even what would fit is refused, until a reset. */
	rv_buf_consume(&b, 5);
	assert_int_equal(rv_buf_putc(&b, 'x'), -1);
	assert_int_equal(rv_buf_put(&b, NULL, 0), -1);
	assert_null(rv_buf_reserve(&b, 1));
	assert_int_equal(rv_buf_printf(&b, "x"), -1);
	rv_buf_reset(&b);
	assert_int_equal(rv_buf_putc(&b, 'x'), 0);
	assert_string_equal(b.at, "x");
	rv_buf_release(&b);
}

static void counts_near_the_end_of_memory_do_not_wrap(void **state)
{
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, SIZE_MAX - 1);
	assert_int_equal(rv_buf_puts(&b, "abc"), 0);
	assert_null(rv_buf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
	rv_buf_reset(&b);
	assert_null(rv_buf_reserve(&b, SIZE_MAX - 3));
	assert_true(b.failed);
	rv_buf_release(&b);
}

static void printf_grows_as_it_needs(void **state)
{
	struct rv_buf b;
	char text[1001];

	(void)state;
	memset(text, 'z', 1000);
	text[1000] = '\0';
	rv_buf_init(&b, 2000);
	assert_int_equal(rv_buf_printf(&b, "%d %s", 7, "x"), 0);
	assert_string_equal(b.at, "7 x");
	assert_int_equal(rv_buf_printf(&b, "%s", text), 0);
	assert_int_equal(b.bytes, 1003);
	assert_int_equal(rv_buf_printf(&b, "%s", text), -1);
	assert_true(b.failed);
	assert_int_equal(b.bytes, 1003);
	assert_int_equal(strlen(b.at), 1003); /* nothing of what did not fit is left behind */
	rv_buf_release(&b);

	rv_buf_init(&b, 100);
	assert_int_equal(rv_buf_puts(&b, "abc"), 0);
	assert_int_equal(rv_buf_printf(&b, "%s", text), -1);
	assert_string_equal(b.at, "abc");
	rv_buf_release(&b);

	rv_buf_init(&b, 0);
	assert_int_equal(rv_buf_printf(&b, "%s", ""), 0);
	assert_string_equal(b.at, "");
	rv_buf_release(&b);
}

static void reserve_then_added(void **state)
{
	struct rv_buf b;
	char *at;

	(void)state;
	rv_buf_init(&b, 0);
	at = rv_buf_reserve(&b, 3);
	assert_non_null(at);
	memcpy(at, "abc", 3);
	rv_buf_added(&b, 2);
	assert_string_equal(b.at, "ab");
	assert_int_equal(b.bytes, 2);
	assert_death(rv_buf_added(&b, b.capacity)); /* more than was reserved */
	assert_death(rv_buf_consume(&b, 3));
	rv_buf_release(&b);
}

static void consume_moves_the_rest_down(void **state)
{
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	rv_buf_puts(&b, "hello world");
	rv_buf_consume(&b, 6);
	assert_string_equal(b.at, "world");
	rv_buf_consume(&b, 5);
	assert_string_equal(b.at, "");
	assert_int_equal(b.bytes, 0);
	rv_buf_release(&b);
}

static void json(const char *bytes, size_t count, const char *want)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	assert_int_equal(rv_buf_put_json(&b, rv_str(bytes, count)), 0);
	assert_str(rv_buf_str(&b), want);
	rv_buf_release(&b);
}

#define JSON(literal, want) json(literal, sizeof(literal) - 1, want)
#define BAD "\xef\xbf\xbd"

static void json_escapes_what_it_must(void **state)
{
	(void)state;
	json(NULL, 0, "\"\"");
	JSON("plain", "\"plain\"");
	JSON("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	JSON("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
	JSON("\0\x01\x1f", "\"\\u0000\\u0001\\u001f\"");
	JSON("\x7f", "\"\\u007f\"");
	JSON("\xc2\x9b" "31m", "\"\\u009b31m\""); /* C1: a terminal's CSI */
	JSON("\xe2\x80\xaegpj.exe\xe2\x80\xac\xef\xbb\xbf", "\"\\u202egpj.exe\\u202c\\ufeff\""); /* what reorders or hides text */
	JSON("\xf3\xa0\x81\x81", "\"\\udb40\\udc41\""); /* a tag, as a pair */
	JSON("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80", "\"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80\"");
	JSON("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89", "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89\"");
	JSON("\xe0\xa0\x80\xf0\x90\x80\x80", "\"\xe0\xa0\x80\xf0\x90\x80\x80\"");
	JSON("\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", "\"\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
}

static void json_replaces_invalid_utf8(void **state)
{
	(void)state;
	JSON("a\xff" "b", "\"a" BAD "b\"");
	JSON("\x80", "\"" BAD "\"");
	JSON("\xc0\xaf", "\"" BAD BAD "\"");         /* overlong */
	JSON("\xe0\x80\x80", "\"" BAD BAD BAD "\""); /* overlong */
	JSON("\xed\xa0\x80", "\"" BAD BAD BAD "\""); /* a surrogate */
	JSON("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"");
	JSON("\xf5\x80\x80\x80", "\"" BAD BAD BAD BAD "\"");
	JSON("\xe2\x82", "\"" BAD "\"");   /* cut short: one mark for what was there */
	JSON("\xe2\x82x", "\"" BAD "x\"");
	JSON("\xf0\x9f\x8e", "\"" BAD "\"");
	JSON("\xc3\"", "\"" BAD "\\\"\"");
}

static void json_over_the_limit_fails(void **state)
{
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 4);
	assert_int_equal(rv_buf_put_json(&b, RV_STR("ab")), 0);
	rv_buf_reset(&b);
	assert_int_equal(rv_buf_put_json(&b, RV_STR("abc")), -1);
	assert_true(b.failed);
	rv_buf_release(&b);
}

static void integers_come_back_and_are_little_endian(void **state)
{
	struct rv_buf b;
	struct rv_reader r;

	(void)state;
	rv_buf_init(&b, 0);
	rv_buf_put_u8(&b, 0xfe);
	rv_buf_put_u16(&b, 0x1234);
	rv_buf_put_u32(&b, 0xdeadbeef);
	rv_buf_put_u64(&b, UINT64_C(0x0123456789abcdef));
	rv_buf_put_lv(&b, RV_STR("text"));
	rv_buf_put_lv(&b, (struct rv_str){ 0 });
	assert_int_equal(b.bytes, 1 + 2 + 4 + 8 + 8 + 4);
	assert_memory_equal(b.at, "\xfe\x34\x12\xef\xbe\xad\xde\xef\xcd\xab\x89\x67\x45\x23\x01\x04\0\0\0text", 23);

	rv_reader_init(&r, rv_buf_str(&b));
	assert_int_equal(rv_read_u8(&r), 0xfe);
	assert_int_equal(rv_read_u16(&r), 0x1234);
	assert_int_equal(rv_read_u32(&r), 0xdeadbeef);
	assert_true(rv_read_u64(&r) == UINT64_C(0x0123456789abcdef));
	assert_str(rv_read_lv(&r), "text");
	assert_int_equal(rv_read_lv(&r).bytes, 0);
	assert_false(r.failed);
	assert_ptr_equal(r.at, r.end);
	rv_buf_release(&b);
}

static void reading_past_the_end_fails_once_and_for_all(void **state)
{
	struct rv_reader r;

	(void)state;
	rv_reader_init(&r, rv_str("\x01\x02\x03", 3));
	assert_int_equal(rv_read_u32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(rv_read_u8(&r), 0); /* though there is one */

	rv_reader_init(&r, (struct rv_str){ 0 });
	assert_int_equal(rv_read_u8(&r), 0);
	assert_true(r.failed);

	/* A length that lies. */
	rv_reader_init(&r, rv_str("\xff\xff\xff\xff" "ab", 6));
	assert_int_equal(rv_read_lv(&r).bytes, 0);
	assert_true(r.failed);
	rv_reader_init(&r, rv_str("\x03\0\0\0" "ab", 6));
	assert_null(rv_read_lv(&r).at);
	assert_true(r.failed);
	rv_reader_init(&r, rv_str("\x02\0\0\0" "ab", 6));
	assert_str(rv_read_lv(&r), "ab");
	assert_false(r.failed);
}

static void a_length_and_its_bytes_go_in_together(void **state)
{
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 6);
	assert_int_equal(rv_buf_put_lv(&b, RV_STR("abc")), -1);
	assert_int_equal(b.bytes, 0);
	rv_buf_release(&b);
}

static void decimals_are_what_printf_writes(void **state)
{
	static const uint64_t some[] = { 0, 1, 9, 10, 99, 100, 12345, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX / 10, UINT64_MAX };
	char expected[32];
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	for (size_t i = 0; i < RV_ARRAY_LEN(some); i++) {
		for (uint32_t digits = 0; digits <= 20; digits++) {
			rv_buf_reset(&b);
			assert_int_equal(rv_buf_put_decimal(&b, some[i], digits), 0);
			(void)snprintf(expected, sizeof(expected), "%0*llu", (int)digits, (unsigned long long)some[i]);
			assert_string_equal(b.at, expected);
		}
	}
	assert_death(rv_buf_put_decimal(&b, 1, 21));
	rv_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimals_are_what_printf_writes),
		cmocka_unit_test(empty_buffer_is_a_c_string),
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(exactly_the_limit_fits_and_one_more_does_not),
		cmocka_unit_test(counts_near_the_end_of_memory_do_not_wrap),
		cmocka_unit_test(printf_grows_as_it_needs),
		cmocka_unit_test(reserve_then_added),
		cmocka_unit_test(consume_moves_the_rest_down),
		cmocka_unit_test(json_escapes_what_it_must),
		cmocka_unit_test(json_replaces_invalid_utf8),
		cmocka_unit_test(json_over_the_limit_fails),
		cmocka_unit_test(integers_come_back_and_are_little_endian),
		cmocka_unit_test(reading_past_the_end_fails_once_and_for_all),
		cmocka_unit_test(a_length_and_its_bytes_go_in_together),
	};

	return RUN(tests);
}
