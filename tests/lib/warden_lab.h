/* warden_lab.h - a warden in a scratch directory, for tests with real processes
 *
 * A scenario runs in a child process (as root or as uid 1000, at one kill level) and uses LAB_CHECK: the first that does not
 * hold ends it with a message, and lab_run() tells. Units are the test program itself (`--unit WHAT MARK ...`,
 * lab_unit()), so that everything about them is known; they are counted by their MARK in /proc/PID/cmdline.
 */
#ifndef TESTS_WARDEN_LAB_H
#define TESTS_WARDEN_LAB_H

#include "node/warden/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LAB_CHECK(cond)                                                                                \
	do {                                                                                           \
		if (!(cond)) {                                                                         \
			fprintf(stderr, "%s:%d: %s: does not hold: %s\n", __FILE__, __LINE__, __func__, #cond); \
			_exit(1);                                                                      \
		}                                                                                      \
	} while (0)

/* How long a condition may take that is awaited without a limit of its own. */
#define LAB_PATIENCE_US 20000000u

struct lab {
	struct warden_client c;
	char dir[64];              /* state directory */
	char mark[32];             /* in the command line of every unit of this lab */
	enum warden_level level;   /* asked for; then what HELLO said */
	uint32_t slots;
	uint64_t unkillable_us;    /* for the next lab_start() */
	uint64_t next_key;
	struct warden_hello hello;
	struct rv_buf seen;        /* every EXITED as a frame of its own, in order */
	uint32_t started;          /* STARTED frames */
	uint64_t deadline;
};

typedef void lab_scenario(struct lab *lab);

/* Runs it in a child as `uid` (0: as we are). 0: held; 1: a check failed. A level that does not work here for this user is
 * said on stderr and gives 2. */
int lab_run(lab_scenario *scenario, enum warden_level level, uint32_t uid);

void lab_start(struct lab *lab);                  /* warden, CONFIG, ENV_BASE, HELLO */
void lab_greet(struct lab *lab);                  /* the same on a channel that is there: CONFIG, ENV_BASE, HELLO */
void lab_stop(struct lab *lab);                   /* closes, waits for the warden */
/* SPAWN of `words` (NULL at the end); `m` has what else is wanted (zeroed: defaults), gets its key. */
uint64_t lab_spawn(struct lab *lab, struct warden_spawn *m, const char *const *words);
/* The same for a unit of lab_unit(): WHAT and one argument. */
uint64_t lab_unit_spawn(struct lab *lab, struct warden_spawn *m, const char *what, const char *arg);
/* Reads frames until EXITED of this key is there. */
struct warden_exited lab_exited(struct lab *lab, uint64_t key);
/* Reads frames until one of `type` comes (EXITED and STARTED are noted on the way). */
void lab_await(struct lab *lab, enum warden_msg type, struct warden_frame *f);
/* Processes whose command line has the mark; waits until it is `want` or timeout_us is over; gives the last count. */
int lab_count(const struct lab *lab);
int lab_await_count(const struct lab *lab, int want, uint64_t timeout_us);
/* Until a child of the warden has ended and is not reaped: its end can be waited for. -1: none by then. */
int lab_await_zombie(const struct lab *lab, uint64_t timeout_us);
int lab_await_deaf(const struct lab *lab, int want, uint64_t timeout_us); /* those that ignore TERM by now */
uint64_t lab_now(void);

/* The units: called first thing in main() of a test program; does not return when argv says so. */
void lab_unit(int argc, char **argv);

#endif
