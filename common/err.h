/* err.h - errors that are answered: a code, a sentence and, where one is known, the next step
 *
 * A function that can fail returns 0 or -1 and takes `struct rv_err *err` last (it may be NULL); the error is
 * set only on failure. errno is turned into an rv_err in common/os and goes no further up.
 */
#ifndef RV_ERR_H
#define RV_ERR_H

#include "base.h"

enum rv_code {
	RV_OK = 0,
	RV_E_USAGE,       /* the caller's words are off (exit 2) */
	RV_E_PLAN,        /* the plan is refused; details are in its diagnostics (exit 2) */
	RV_E_LIMIT,       /* over a named limit of common/limits.h */
	RV_E_NOT_FOUND,   /* no such run, unit, file (exit 4) */
	RV_E_EXISTS,
	RV_E_BUSY,        /* somebody else holds it (lock, state directory) */
	RV_E_UNREACHABLE, /* no coordinator answers (exit 5) */
	RV_E_DENIED,      /* not allowed (exit 6) */
	RV_E_CORRUPT,     /* bytes from disk or wire are not what they should be */
	RV_E_VERSION,     /* written by a version this one does not read */
	RV_E_STALE,       /* an old epoch, attempt or session */
	RV_E_NO_SPACE,    /* disk full */
	RV_E_NO_MEMORY,
	RV_E_IO,          /* any other failure of the environment (exit 3) */
	RV_E_UNSUPPORTED, /* not built yet; the message names what it waits for (exit 2) */
	RV_E_CONFLICT,    /* two wishes that exclude each other (exit 2) */
	RV_E_INTERNAL,    /* should not happen, yet we go on (exit 3) */
};

struct rv_err {
	enum rv_code code;
	int sys;          /* errno where the environment said no, else 0; for tests and logs */
	char msg[512];    /* a sentence without a full stop: what, where */
	char hint[256];   /* what would be right; "" where nothing is known */
};

/* Fills `err` (if not NULL) and returns -1, so that `return rv_fail(...)` is the whole refusal.
 * A message that does not fit is cut and ends in "...". */
int rv_fail(struct rv_err *err, enum rv_code code, const char *fmt, ...) RV_PRINTF(3, 4);

/* The same from errno value `sys`: ENOSPC/EDQUOT -> RV_E_NO_SPACE, ENOENT -> RV_E_NOT_FOUND, EACCES/EPERM ->
 * RV_E_DENIED, EEXIST -> RV_E_EXISTS, ENOMEM -> RV_E_NO_MEMORY, else RV_E_IO; appends ": strerror". */
int rv_fail_errno(struct rv_err *err, int sys, const char *fmt, ...) RV_PRINTF(3, 4);

/* Adds a hint to an error already set; returns -1. */
int rv_hint(struct rv_err *err, const char *fmt, ...) RV_PRINTF(2, 3);

/* "E_LIMIT" and so on, for -o json and logs. */
const char *rv_code_name(enum rv_code code);

/* The process exit status that docs name for this code (2..6). */
int rv_code_exit(enum rv_code code);

#endif
