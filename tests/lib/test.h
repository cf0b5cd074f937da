/* test.h - what every test program includes: cmocka with the headers it needs first, and a few words of our own
 *
 * assert_str(slice, "text")     a slice's bytes
 * assert_death(statement)       the statement ends its process by abort(), in a child; use for rv_check()
 * RUN(tests)                    cmocka_run_group_tests without fixtures: `return RUN(tests);`
 */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H

/* cmocka.h expects these before it, in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

#define assert_str(slice, text)                                                                    \
	do {                                                                                       \
		struct rv_str got_ = (slice), want_ = rv_str_of(text);                             \
		if (!rv_str_equal(got_, want_)) {                                                  \
			print_error("got  \"%.*s\"\nwant \"%.*s\"\n", RV_STR_ARGS(got_),           \
				    RV_STR_ARGS(want_));                                           \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

/* stdout and stderr of the child are closed: its last words would spoil the results. */
#define assert_death(statement)                                                                    \
	do {                                                                                       \
		int status_ = 0;                                                                   \
		pid_t child_;                                                                      \
		(void)fflush(NULL);                                                                \
		child_ = fork();                                                                   \
		assert_true(child_ >= 0);                                                          \
		if (child_ == 0) {                                                                 \
			struct rlimit none_ = { 0, 0 };                                            \
			(void)setrlimit(RLIMIT_CORE, &none_);                                      \
			(void)signal(SIGABRT, SIG_DFL);                                            \
			close(1);                                                                  \
			close(2);                                                                  \
			statement;                                                                 \
			_exit(0);                                                                  \
		}                                                                                  \
		assert_int_equal(waitpid(child_, &status_, 0), child_);                            \
		assert_true(WIFSIGNALED(status_));                                                 \
		assert_int_equal(WTERMSIG(status_), SIGABRT);                                      \
	} while (0)

#endif
