/* check.h - rv_check(): an assertion that is always compiled in
 *
 * For our own bugs only: what a peer, a user or the disk can cause is answered, never checked this way
 * (common/err.h). One condition a line, so that the message names it.
 */
#ifndef RV_CHECK_H
#define RV_CHECK_H

#define rv_check(cond)                                                                             \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			rv_check_failed(#cond, __FILE__, __LINE__);                                \
	} while (0)

/* Writes "reeve: bug: COND (FILE:LINE)" to descriptor 2 and aborts. Async-signal-safe. */
_Noreturn void rv_check_failed(const char *cond, const char *file, int line);

#endif
