/* test_err.c - refusals: text, codes, exit statuses, and rv_check's last words */
#include "tests/lib/test.h"

#include "common/check.h"
#include "common/err.h"

#include <errno.h>
#include <fcntl.h>

static void failing_fills_everything_and_returns_minus_one(void **state)
{
	struct rv_err err;

	(void)state;
	memset(&err, 'x', sizeof(err));
	assert_int_equal(rv_fail(&err, RV_E_LIMIT, "run has %u units; the limit is %u", 3u, 2u), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.msg, "run has 3 units; the limit is 2");
	assert_string_equal(err.hint, "");
	assert_int_equal(rv_hint(&err, "ask for %d", 2), -1);
	assert_string_equal(err.hint, "ask for 2");
	assert_int_equal(err.code, RV_E_LIMIT);
}

static void no_place_for_the_error_is_fine(void **state)
{
	(void)state;
	assert_int_equal(rv_fail(NULL, RV_E_IO, "x"), -1);
	assert_int_equal(rv_fail_errno(NULL, EIO, "x"), -1);
	assert_int_equal(rv_hint(NULL, "x"), -1);
}

static void wrapping_may_quote_the_error_itself(void **state)
{
	struct rv_err err;

	(void)state;
	rv_fail(&err, RV_E_IO, "inner");
	rv_hint(&err, "inner hint");
	rv_fail(&err, RV_E_CORRUPT, "outer: %s (%s)", err.msg, err.hint);
	assert_string_equal(err.msg, "outer: inner (inner hint)");
	assert_string_equal(err.hint, "");
}

static void too_long_is_cut_and_says_so(void **state)
{
	struct rv_err err;
	char text[2000];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	rv_fail(&err, RV_E_IO, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_string_equal(err.msg + sizeof(err.msg) - 5, "a...");
	rv_hint(&err, "%s", text);
	assert_string_equal(err.hint + sizeof(err.hint) - 5, "a...");

	/* One that just fits is left alone. */
	text[sizeof(err.msg) - 1] = '\0';
	rv_fail(&err, RV_E_IO, "%s", text);
	assert_string_equal(err.msg, text);
}

static void cutting_leaves_no_half_character(void **state)
{
	struct rv_err err;
	char text[2000];
	size_t shift, i;

	(void)state;
	for (shift = 0; shift < 3; shift++) {
		size_t at = shift;

		memset(text, 'a', shift);
		while (at + 3 < sizeof(text)) {
			memcpy(text + at, "\xe2\x82\xac", 3);
			at += 3;
		}
		text[at] = '\0';
		rv_fail(&err, RV_E_IO, "%s", text);
		i = strlen(err.msg);
		assert_string_equal(err.msg + i - 3, "...");
		assert_int_equal((i - 3 - shift) % 3, 0);
	}
}

static void errno_becomes_a_code_and_a_sentence(void **state)
{
	static const struct {
		int sys;
		enum rv_code code;
	} cases[] = {
		{ ENOSPC, RV_E_NO_SPACE }, { EDQUOT, RV_E_NO_SPACE }, { ENOENT, RV_E_NOT_FOUND },
		{ EACCES, RV_E_DENIED },   { EPERM, RV_E_DENIED },    { EEXIST, RV_E_EXISTS },
		{ ENOMEM, RV_E_NO_MEMORY }, { EIO, RV_E_IO },	      { EBADF, RV_E_IO },
	};
	struct rv_err err;
	char want[128];
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(cases); i++) {
		assert_int_equal(rv_fail_errno(&err, cases[i].sys, "opening %s", "/x"), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(err.sys, cases[i].sys);
		(void)snprintf(want, sizeof(want), "opening /x: %s", strerror(cases[i].sys));
		assert_string_equal(err.msg, want);
	}
}

static void a_full_message_with_errno_still_ends(void **state)
{
	struct rv_err err;
	char text[600];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	rv_fail_errno(&err, ENOENT, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_string_equal(err.msg + sizeof(err.msg) - 4, "...");
}

static void every_code_has_a_name_and_an_exit_status(void **state)
{
	int code;

	(void)state;
	assert_int_equal(rv_code_exit(RV_OK), 0);
	for (code = RV_E_USAGE; code <= RV_E_INTERNAL; code++) {
		assert_non_null(rv_code_name((enum rv_code)code));
		assert_memory_equal(rv_code_name((enum rv_code)code), "E_", 2);
		assert_in_range(rv_code_exit((enum rv_code)code), 2, 6);
	}
	assert_int_equal(rv_code_exit(RV_E_PLAN), 2);
	assert_int_equal(rv_code_exit(RV_E_IO), 3);
	assert_int_equal(rv_code_exit(RV_E_NOT_FOUND), 4);
	assert_int_equal(rv_code_exit(RV_E_UNREACHABLE), 5);
	assert_int_equal(rv_code_exit(RV_E_DENIED), 6);
	assert_string_equal(rv_code_name((enum rv_code)1000), "E_INTERNAL");
	assert_int_equal(rv_code_exit((enum rv_code)1000), 3);
}

static void a_failed_check_names_itself_and_aborts(void **state)
{
	int ends[2], status, got;
	char text[600];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		struct rlimit none = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)dup2(ends[1], 2);
		rv_check_failed("left == right", "core.c", 1207);
	}
	close(ends[1]);
	got = (int)read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	assert_true(got > 0);
	text[got] = '\0';
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_string_equal(text, "reeve: bug: left == right (core.c:1207)\n");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);

	rv_check(1 + 1 == 2);
	assert_death(rv_check(1 + 1 == 3));
}

static void a_very_long_condition_overruns_nothing(void **state)
{
	static char cond[4000];

	(void)state;
	memset(cond, 'c', sizeof(cond) - 1);
	assert_death(rv_check_failed(cond, "f.c", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_fills_everything_and_returns_minus_one),
		cmocka_unit_test(no_place_for_the_error_is_fine),
		cmocka_unit_test(wrapping_may_quote_the_error_itself),
		cmocka_unit_test(too_long_is_cut_and_says_so),
		cmocka_unit_test(cutting_leaves_no_half_character),
		cmocka_unit_test(errno_becomes_a_code_and_a_sentence),
		cmocka_unit_test(a_full_message_with_errno_still_ends),
		cmocka_unit_test(every_code_has_a_name_and_an_exit_status),
		cmocka_unit_test(a_failed_check_names_itself_and_aborts),
		cmocka_unit_test(a_very_long_condition_overruns_nothing),
	};

	return RUN(tests);
}
