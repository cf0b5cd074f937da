/* hook.h - --on-event CMD: a command of the user's that is told what happens, one event at a time
 *
 *	transition --> waiting for its row to be durable --> queue --> CMD runs, the event on its stdin --> told
 *	                                                       |
 *	                                                       +-- full: not told, counted
 *
 * CMD is read by /bin/sh. It is run by a warden of its own, as units are: in a session of its own, its whole tree ended with it or when its time is over;
 * its stdin is a file, so that one that does not read holds up nobody. Whatever it does changes nothing of a run: failures are counted, the
 * first is told, and the count at the end. What it prints is dropped, but the last of its stderr goes with the first failure told.
 *
 * An event is handed over at most once; what was not told when the program ends is not told by the next.
 */
#ifndef CLI_HOOK_H
#define CLI_HOOK_H

#include "common/buf.h"
#include "common/err.h"
#include "coordinator/core/io.h"

#define CLI_HOOK_TIME_US 10000000u             /* that CMD may take for one event */
#define CLI_HOOK_END_US (CLI_HOOK_TIME_US + 1000000u) /* that all that wait may take once the run has ended */
#define CLI_HOOK_QUEUE_MAX 10000u
#define CLI_HOOK_QUEUE_BYTES_MAX ((size_t)16 << 20)

struct cli_hook;

struct cli_hook_config {
	const char *command;
	const char *types; /* "unit_finished,run_finished"; NULL: all */
	/* Says that CMD fails: once, and in numbers at the end. */
	void (*warn)(void *arg, const char *text);
	void *arg;
};

/* Forks its warden: to be called while the process is small and has one thread. RV_E_USAGE: no such type. */
int cli_hook_create(const struct cli_hook_config *cfg, struct cli_hook **out, struct rv_err *err);
void cli_hook_destroy(struct cli_hook **h);
/* `dir` is made if it is missing; it holds the event that is being told and what the warden keeps. */
int cli_hook_start(struct cli_hook *h, const char *dir, struct rv_err *err);

bool cli_hook_wants(const struct cli_hook *h, enum coord_transition_kind kind);
/* Of a plan that was refused, which has no transition: told in a directory of its own, and ended. */
void cli_hook_tell_rejected(struct cli_hook *h, struct rv_str why);
/* One line of JSON with its newline, of the row at `position`; told once that is durable. */
void cli_hook_add(struct cli_hook *h, const char *type, struct rv_str line, uint64_t position);
void cli_hook_durable(struct cli_hook *h, uint64_t position);

/* To be watched for reading; -1: it is over. */
int cli_hook_fd(const struct cli_hook *h);
bool cli_hook_wants_write(const struct cli_hook *h);
/* Goes on as far as it can without waiting. */
void cli_hook_turn(struct cli_hook *h);

/* Tells what waits, at most CLI_HOOK_END_US or until a signal says that it is enough; ends CMD; says what was not told. */
void cli_hook_end(struct cli_hook *h);

#endif
