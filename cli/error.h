/* error.h - how the program says that something went wrong
 *
 * Once, on stderr, where it was decided what to do about it: a line of text with a hint below it, or
 * {"error":{"code","message","hint"}} when the answer was asked for as JSON. Exit statuses are docs/cli.md's.
 */
#ifndef CLI_ERROR_H
#define CLI_ERROR_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,       /* the run ended with failures or was cancelled */
	CLI_USAGE = 2,        /* usage, or the plan was rejected */
	CLI_INTERNAL = 3,     /* internal, journal or bus */
	CLI_NOT_FOUND = 4,
	CLI_UNREACHABLE = 5,
	CLI_DENIED = 6,
	CLI_BUDGET = 7,
	CLI_TIMEOUT = 124,
	CLI_INTERRUPTED = 130,
};

/* When several apply: 3, 2, 130, 124, 7, then the larger. */
int cli_exit_worse(int a, int b);

/* Reads REEVE_FORMAT and looks for -o/--format among the words, so that an error in the options themselves comes out
 * in the right form. Called once by main. */
void cli_error_setup(int argc, char **argv);
bool cli_error_is_json(void);

/* Says it and gives the exit status of its code. A wrong use that says nothing of what to do is told of the verb's help. */
int cli_fail(const struct rv_err *err);
/* The same with a message made here. */
int cli_failf(enum rv_code code, const char *fmt, ...) RV_PRINTF(2, 3);

/* The two forms, for tests. */
void cli_error_text(const struct rv_err *err, struct rv_buf *out);
void cli_error_json(const struct rv_err *err, struct rv_buf *out);

/* Talk on stderr: one line made terminal-safe, `reeve: ...`. A stderr that takes nothing is nobody's problem. */
void cli_say(const char *fmt, ...) RV_PRINTF(1, 2);

#endif
