/* test_log.c - log lines that cannot be forged */
#include "tests/lib/test.h"

#include "common/buf.h"
#include "common/log.h"

static struct rv_buf out;
static int lines;

static void keep(void *arg, const char *line, size_t bytes)
{
	assert_ptr_equal(arg, &out);
	lines++;
	rv_buf_reset(&out);
	(void)rv_buf_put(&out, line, bytes);
}

static int setup(void **state)
{
	(void)state;
	rv_buf_init(&out, 0);
	lines = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rv_buf_release(&out);
	return 0;
}

static const struct rv_log text = { .sink = keep, .arg = &out, .level = RV_LOG_INFO };
static const struct rv_log json = { .sink = keep, .arg = &out, .level = RV_LOG_DEBUG, .format = RV_LOG_JSON };

static void plain_values_are_bare(void **state)
{
	(void)state;
	rv_log(&text, RV_LOG_INFO, "unit_finished", "run", "05rm", "unit", "a-1", "exit", "0", NULL);
	assert_string_equal(out.at, "level=info event=unit_finished run=05rm unit=a-1 exit=0\n");
	rv_log(&text, RV_LOG_ERROR, "x", NULL);
	assert_string_equal(out.at, "level=error event=x\n");
	rv_log(&json, RV_LOG_DEBUG, "x", "k", "v\n", NULL);
	assert_string_equal(out.at, "{\"level\":\"debug\",\"event\":\"x\",\"k\":\"v\\n\"}\n");
}

static uint64_t now;

static uint64_t at_now(void)
{
	return now;
}

static void a_line_says_when_and_whose_it_is(void **state)
{
	static const char *const node[] = { "node", "n 1", NULL };
	struct rv_log log = text;

	(void)state;
	log.real_us = at_now;
	now = 1772366400250999u;
	log.always = node;
	rv_log(&log, RV_LOG_INFO, "joined", "k", "v", NULL);
	assert_string_equal(out.at, "time=2026-03-01T12:00:00.250Z level=info event=joined node=\"n 1\" k=v\n");
	log.always = NULL;
	now = 1709251199999000u; /* a leap day's last millisecond */
	rv_log(&log, RV_LOG_INFO, "x", NULL);
	assert_string_equal(out.at, "time=2024-02-29T23:59:59.999Z level=info event=x\n");
	now = 4107542400000000u; /* 2100 has none */
	rv_log(&log, RV_LOG_INFO, "x", NULL);
	assert_string_equal(out.at, "time=2100-03-01T00:00:00.000Z level=info event=x\n");
	now = UINT64_MAX;
	rv_log(&log, RV_LOG_INFO, "x", NULL);
	assert_string_equal(out.at, "level=info event=x\n");
	now = 1772366400250999u;
	log.always = node;
	log.format = RV_LOG_JSON;
	rv_log(&log, RV_LOG_INFO, "joined", NULL);
	assert_string_equal(out.at, "{\"time\":\"2026-03-01T12:00:00.250Z\",\"level\":\"info\",\"event\":\"joined\",\"node\":\"n 1\"}\n");
}

static void nothing_an_agent_prints_forges_a_line(void **state)
{
	(void)state;
	rv_log(&text, RV_LOG_WARN, "x", "a", "b c", "d", "1=2", "e", "say \"hi\"", "f", "", "g", "back\\slash", NULL);
	assert_string_equal(out.at,
			    "level=warn event=x a=\"b c\" d=\"1=2\" e=\"say \\\"hi\\\"\" f=\"\" g=\"back\\\\slash\"\n");
	rv_log(&text, RV_LOG_WARN, "x", "a", "1\nlevel=error event=forged", NULL);
	assert_string_equal(out.at, "level=warn event=x a=\"1\\nlevel=error event=forged\"\n");
	assert_int_equal(lines, 2);
	rv_log(&text, RV_LOG_WARN, "x", "a", "\x1b[2J\xc2\x9b\xff", NULL);
	assert_string_equal(out.at, "level=warn event=x a=\"\\u001b[2J\\u009b\xef\xbf\xbd\"\n");
}

static void quiet_when_the_level_is_above_or_there_is_no_log(void **state)
{
	struct rv_log deaf = { .level = RV_LOG_DEBUG };

	(void)state;
	rv_log(&text, RV_LOG_DEBUG, "x", "k", "v", NULL);
	rv_log(NULL, RV_LOG_ERROR, "x", "k", "v", NULL);
	rv_log(&deaf, RV_LOG_ERROR, "x", NULL);
	assert_int_equal(lines, 0);
}

static void a_missing_value_ends_the_line(void **state)
{
	(void)state;
	rv_log(&text, RV_LOG_INFO, "x", "a", "1", "b", (char *)NULL, NULL);
	assert_string_equal(out.at, "level=info event=x a=1\n");
}

static void long_values_are_cut_and_the_rest_stays(void **state)
{
	static char value[100000];

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	rv_log(&text, RV_LOG_INFO, "x", "a", value, "b", "2", NULL);
	assert_int_equal(lines, 1);
	assert_true(out.bytes < 4300);
	assert_non_null(strstr(out.at, "vvv...\" b=2\n"));
	rv_log(&json, RV_LOG_INFO, "x", "a", value, "b", "2", NULL);
	assert_non_null(strstr(out.at, "vvv...\",\"b\":\"2\"}\n"));
	value[4096] = '\0';
	rv_log(&text, RV_LOG_INFO, "x", "a", value, NULL);
	assert_null(strstr(out.at, "..."));
}

static void a_line_too_long_as_a_whole_says_it_was_lost(void **state)
{
	static char v[4097];

	(void)state;
	memset(v, 'v', sizeof(v) - 1);
	rv_log(&text, RV_LOG_INFO, "x", "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v,
	       "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, NULL);
	assert_string_equal(out.at, "level=error event=log_line_lost\n");
	rv_log(&json, RV_LOG_INFO, "x", "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v,
	       "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, "a", v, NULL);
	assert_string_equal(out.at, "{\"level\":\"error\",\"event\":\"log_line_lost\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain_values_are_bare, setup, teardown),
		cmocka_unit_test_setup_teardown(a_line_says_when_and_whose_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_an_agent_prints_forges_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(quiet_when_the_level_is_above_or_there_is_no_log, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_value_ends_the_line, setup, teardown),
		cmocka_unit_test_setup_teardown(long_values_are_cut_and_the_rest_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(a_line_too_long_as_a_whole_says_it_was_lost, setup, teardown),
	};

	return RUN(tests);
}
