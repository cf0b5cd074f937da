/* signals.h - signals as a descriptor of the loop
 *
 * rv_signals_open() blocks the signals in the calling thread (so call it before threads are made: they inherit it) and
 * gives a descriptor that is readable when one arrives. Children inherit blocked signals through exec: whoever spawns
 * must reset the mask to `old`.
 */
#ifndef RV_OS_SIGNALS_H
#define RV_OS_SIGNALS_H

#include "common/base.h"
#include "common/err.h"

#include <signal.h>
#include <sys/types.h>

struct rv_signals {
	int fd;       /* -1: not open */
	sigset_t old; /* the mask as it was before */
};

struct rv_signal {
	int number;
	pid_t pid;  /* of the sender; 0: the kernel */
	int status; /* SIGCHLD: exit status or signal */
};

int rv_signals_open(struct rv_signals *s, const int *numbers, size_t count, struct rv_err *err);
/* 1: one was taken; 0: none is waiting. */
int rv_signals_next(struct rv_signals *s, struct rv_signal *out);
/* Restores the mask; what arrived and was not taken is dropped. May be called twice. */
void rv_signals_close(struct rv_signals *s);

/* Has one of INT, TERM and HUP come that is blocked and was not taken? For who waits where no loop runs. */
bool rv_signals_waiting(void);

/* A write to a closed pipe is an error of that write, not the end of the process. */
void rv_signals_ignore_pipe(void);

#endif
