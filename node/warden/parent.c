#include "parent.h"

#include "clock.h"
#include "state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What is passed on to the daemon; blocked in the warden, so that it counts even as PID 1. */
static const int passed_on[] = { SIGTERM, SIGINT, SIGHUP };

void parent_add_signals(sigset_t *wanted)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(passed_on); i++)
		sigaddset(wanted, passed_on[i]);
}

void parent_on_signal(struct warden *w, int signo)
{
	/* Between its death and its reaping it is still ours, so the pid cannot be another's. */
	if (w->daemon_pid > 0)
		(void)kill(w->daemon_pid, signo);
}

void parent_reaped(struct warden *w, int status)
{
	w->daemon_pid = 0;
	w->trees.kept = 0;
	w->daemon_status = status;
	w->daemon_ended = true;
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Says why all units end although nobody asked for it (`unasked`); of a signal always. What exits by itself and takes no unit along has said why,
 * as one that is refused. */
static void tell_end(const struct rv_log *log, int status, bool unasked, uint32_t units_ended)
{
	char number[16], units[16];

	(void)snprintf(units, sizeof(units), "%u", units_ended);
	if (WIFSIGNALED(status)) {
		(void)snprintf(number, sizeof(number), "%d", WTERMSIG(status));
		rv_log(log, RV_LOG_ERROR, "daemon_died", "signal", number, "units_ended", units, NULL);
	} else if (unasked && units_ended) {
		(void)snprintf(number, sizeof(number), "%d", WEXITSTATUS(status));
		rv_log(log, RV_LOG_ERROR, "daemon_died", "exit", number, "units_ended", units, NULL);
	}
}

/* What it said before it died still counts; then it is as after end of file, even if something it left holds the channel open. */
void parent_daemon_end(struct warden *w)
{
	w->daemon_ended = false;
	warden_drain_channel(w);
	warden_daemon_gone(w);
	tell_end(w->says, w->daemon_status, w->cut_off, w->units_cut);
}

/* Everything of the units is gone and the channel closed: the daemon sees it and exits. Signals go on being passed, orphans reaped. */
static int wait_for_daemon(const struct rv_log *log, pid_t daemon, const struct warden_end *end, uint64_t patience_us)
{
	uint64_t until = clock_mono_us() + (patience_us ? patience_us : WARDEN_DAEMON_END_US);
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	parent_add_signals(&wanted);
	for (;;) {
		uint64_t left = rv_sat_sub(until, clock_mono_us());
		struct timespec t = { .tv_sec = (time_t)(left / RV_US_PER_S), .tv_nsec = (long)(left % RV_US_PER_S) * 1000 };
		int status, signo;
		pid_t pid;

		if (!left) {
			rv_log(log, RV_LOG_ERROR, "daemon_stuck", "why", "it does not exit after its units have ended; killed", NULL);
			(void)kill(daemon, SIGKILL);
		}
		while ((pid = waitpid(-1, &status, left ? WNOHANG : 0)) > 0)
			if (pid == daemon) {
				tell_end(log, status, end->cut_off, end->units_cut);
				return exit_status(status);
			}
		if (pid < 0 && errno == ECHILD)
			return 0;
		signo = sigtimedwait(&wanted, NULL, &t);
		if (signo > 0 && signo != SIGCHLD)
			(void)kill(daemon, signo);
	}
}

static _Noreturn void child_main(const struct warden_daemon *daemon, int fd, const sigset_t *mask)
{
	struct warden_client client;

	(void)setsid();
	warden_client_init(&client, fd);
	sigprocmask(SIG_SETMASK, mask, NULL);
	exit(daemon->main(daemon->arg, &client));
}

int warden_parent_main(const struct warden_daemon *daemon, const struct warden_options *options, struct rv_err *err)
{
	struct warden_end end = { 0 };
	sigset_t all, before;
	int fds[2], failed;
	pid_t pid;

	if (warden_channel_pair(fds, err))
		return -1;
	(void)fflush(NULL); /* or both would write what is buffered */
	/* What comes before the warden reads its signals waits until then. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		child_main(daemon, fds[0], &before);
	}
	close(fds[0]);
	if (pid < 0) {
		failed = errno;
		close(fds[1]);
		sigprocmask(SIG_SETMASK, &before, NULL);
		return rv_fail_errno(err, failed, "cannot start the node daemon");
	}
	failed = warden_serve(fds[1], options, pid, daemon->log, &end);
	if (end.daemon_alive) {
		int status = wait_for_daemon(daemon->log, pid, &end, options ? options->daemon_end_us : 0);

		return failed ? failed : status;
	}
	return failed ? failed : exit_status(end.daemon_status);
}
