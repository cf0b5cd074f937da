/* test_cli_text.c - nothing that an agent prints may act on a terminal */
#include "cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/prng.h"

static void expect_mode(enum cli_text_mode mode, struct rv_str in, const char *want)
{
	struct rv_buf out;

	rv_buf_init(&out, 0);
	cli_text_safe(mode, in, &out);
	assert_string_equal(out.at, want);
	rv_buf_release(&out);
}

#define EXPECT(in, want) expect_mode(CLI_TEXT_LINES, RV_STR(in), want)
#define EXPECT_CELL(in, want) expect_mode(CLI_TEXT_CELL, RV_STR(in), want)

static void plain_text_and_other_scripts_pass(void **state)
{
	(void)state;
	EXPECT("hello\tworld\n", "hello\tworld\n");
	EXPECT("gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x9a\x80\n", "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x9a\x80\n");
	EXPECT("", "");
}

static void colours_are_dropped(void **state)
{
	(void)state;
	EXPECT("\x1b[31mred\x1b[0m \x1b[1;38;5;12mblue\x1b[m", "red blue");
}

static void clear_screen_and_cursor_moves_become_visible(void **state)
{
	(void)state;
	EXPECT("\x1b[2J\x1b[H\x1b[1A", "^[[2J^[[H^[[1A");
	EXPECT("\x1b" "c\x1b[?1049h", "^[c^[[?1049h");
}

static void osc_52_and_links_become_visible(void **state)
{
	(void)state;
	EXPECT("\x1b]52;c;cm0gLXJmIC8=\x07", "^[]52;c;cm0gLXJmIC8=^G");
	EXPECT("\x1b]8;;http://x/\x1b\\click\x1b]8;;\x1b\\", "^[]8;;http://x/^[\\click^[]8;;^[\\");
	EXPECT("\x1bPq#0\x1b\\", "^[Pq#0^[\\");
}

static void c1_controls_become_visible_as_utf8_and_as_bytes(void **state)
{
	(void)state;
	EXPECT("a\xc2\x9b" "31mb", "a\\u{9b}31mb");
	EXPECT("a\x9b" "31mb", "a\\x9b31mb");
	EXPECT("\x9d" "52;c;x\x9c", "\\x9d52;c;x\\x9c");
}

static void bidi_overrides_and_invisible_characters_become_visible(void **state)
{
	(void)state;
	EXPECT("\xe2\x80\xaegnp.exe\xe2\x80\xac", "\\u{202e}gnp.exe\\u{202c}");
	EXPECT("a\xe2\x80\x8b" "b\xef\xbb\xbf", "a\\u{200b}b\\u{feff}");
	EXPECT("\xe2\x81\xa6x\xe2\x81\xa9", "\\u{2066}x\\u{2069}");
	EXPECT("\xe2\x80\xa8next", "\\u{2028}next");
	EXPECT("\xf3\xa0\x81\x81", "\\u{e0041}");
}

static void carriage_return_cannot_overwrite_a_line(void **state)
{
	(void)state;
	EXPECT("all failed\rall ok\n", "all failed\\rall ok\n");
	EXPECT("dos line\r\nnext\r\n", "dos line\nnext\n");
	EXPECT("\b\b\b\x7f", "^H^H^H^?");
	EXPECT("end\r", "end\\r");
}

static void cells_stay_on_one_line(void **state)
{
	(void)state;
	EXPECT_CELL("a\nb\tc\r\n", "a\\nb c\\r\\n");
	EXPECT_CELL("reeve: error\nreeve: forged", "reeve: error\\nreeve: forged");
}

static void broken_utf8_becomes_visible(void **state)
{
	(void)state;
	EXPECT("\xc3(\xe2\x82", "\\xc3(\\xe2\\x82");
	EXPECT("\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80", "\\xc0\\xaf\\xed\\xa0\\x80\\xf5\\x80\\x80\\x80");
	expect_mode(CLI_TEXT_LINES, rv_str("a\0b", 3), "a^@b");
}

static void endless_colour_is_no_colour(void **state)
{
	struct rv_buf in, out;
	int i;

	(void)state;
	rv_buf_init(&in, 0);
	rv_buf_init(&out, 0);
	(void)rv_buf_puts(&in, "\x1b[");
	for (i = 0; i < 1000; i++)
		(void)rv_buf_puts(&in, "1;");
	(void)rv_buf_puts(&in, "m");
	cli_text_safe(CLI_TEXT_LINES, rv_buf_str(&in), &out);
	assert_int_equal(out.bytes, in.bytes + 1); /* ESC became ^[ */
	rv_buf_release(&in);
	rv_buf_release(&out);
}

/* Whatever pieces a stream comes in, the shown text is the same. */
static void pieces_give_the_same_text(void **state)
{
	static const char pool[] = "\x1b\x1b[]0123;:mMJ\r\r\n\n\t\x07\xc2\x9b\xe2\x80\xae\xf0\x9f\x9a\x80\xff ab";
	struct rv_prng rng;
	int round;

	(void)state;
	rv_prng_seed(&rng, 7);
	for (round = 0; round < 3000; round++) {
		char text[120];
		size_t bytes = rv_prng_below(&rng, sizeof(text)), i = 0;
		struct rv_buf whole, parts;
		struct cli_text t;

		for (i = 0; i < bytes; i++)
			text[i] = pool[rv_prng_below(&rng, sizeof(pool) - 1)];
		rv_buf_init(&whole, 0);
		rv_buf_init(&parts, 0);
		cli_text_safe(CLI_TEXT_LINES, rv_str(text, bytes), &whole);
		cli_text_init(&t, CLI_TEXT_LINES);
		for (i = 0; i < bytes;) {
			size_t n = 1 + rv_prng_below(&rng, round % 2 ? 3 : 60);

			n = n > bytes - i ? bytes - i : n;
			cli_text_feed(&t, rv_str(text + i, n), &parts);
			i += n;
		}
		cli_text_end(&t, &parts);
		assert_string_equal(whole.at, parts.at);
		rv_buf_release(&whole);
		rv_buf_release(&parts);
	}
}

static void width_counts_columns(void **state)
{
	(void)state;
	assert_int_equal(cli_text_width(RV_STR("abc")), 3);
	assert_int_equal(cli_text_width(RV_STR("\xe6\x97\xa5\xe6\x9c\xac")), 4);
	assert_int_equal(cli_text_width(RV_STR("e\xcc\x81")), 1);
	assert_int_equal(cli_text_cut(RV_STR("\xe6\x97\xa5\xe6\x9c\xac"), 3), 3);
	assert_int_equal(cli_text_cut(RV_STR("abc"), 10), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_and_other_scripts_pass),
		cmocka_unit_test(colours_are_dropped),
		cmocka_unit_test(clear_screen_and_cursor_moves_become_visible),
		cmocka_unit_test(osc_52_and_links_become_visible),
		cmocka_unit_test(c1_controls_become_visible_as_utf8_and_as_bytes),
		cmocka_unit_test(bidi_overrides_and_invisible_characters_become_visible),
		cmocka_unit_test(carriage_return_cannot_overwrite_a_line),
		cmocka_unit_test(cells_stay_on_one_line),
		cmocka_unit_test(broken_utf8_becomes_visible),
		cmocka_unit_test(endless_colour_is_no_colour),
		cmocka_unit_test(pieces_give_the_same_text),
		cmocka_unit_test(width_counts_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
