#include "common/os/signals.h"

#include "common/check.h"

#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

int rv_signals_open(struct rv_signals *s, const int *numbers, size_t count, struct rv_err *err)
{
	sigset_t set;
	size_t i;
	int fd;

	s->fd = -1;
	sigemptyset(&set);
	for (i = 0; i < count; i++)
		rv_check(sigaddset(&set, numbers[i]) == 0);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return rv_fail_errno(err, errno, "cannot watch signals");
	rv_check(pthread_sigmask(SIG_BLOCK, &set, &s->old) == 0);
	s->fd = fd;
	return 0;
}

int rv_signals_next(struct rv_signals *s, struct rv_signal *out)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do
		n = read(s->fd, &info, sizeof(info));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(info))
		return 0;
	*out = (struct rv_signal){
		.number = (int)info.ssi_signo,
		.pid = info.ssi_code == SI_KERNEL ? 0 : (pid_t)info.ssi_pid,
		.status = info.ssi_status,
	};
	return 1;
}

void rv_signals_close(struct rv_signals *s)
{
	struct rv_signal dropped;

	if (s->fd < 0)
		return;
	while (rv_signals_next(s, &dropped) == 1)
		; /* else it would strike the moment the mask is restored */
	(void)close(s->fd); /* nothing is written to it */
	s->fd = -1;
	rv_check(pthread_sigmask(SIG_SETMASK, &s->old, NULL) == 0);
}

void rv_signals_ignore_pipe(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	rv_check(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

bool rv_signals_waiting(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGHUP) == 1);
}
