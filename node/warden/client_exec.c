/* client_exec.c - a warden for a process that already has threads: not a fork, a new start of this program */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

/* The child reads its channel at descriptor 3; dup2 onto it clears close-on-exec. */
static int spawn_program(const char *program, int channel, const char *verb, pid_t *pid)
{
	char *argv[] = { (char[]){ "reeve" }, (char *)(uintptr_t)verb, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int rc;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	rc = posix_spawn_file_actions_adddup2(&actions, channel, WARDEN_EXEC_FD);
	if (rc == 0)
		rc = posix_spawn(pid, program ? program : "/proc/self/exe", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

int warden_start_exec(struct warden_client *c, const char *program, const char *verb, struct rv_err *err)
{
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return rv_fail_errno(err, errno, "cannot make a channel to a warden");
	if (pair[1] == WARDEN_EXEC_FD) { /* dup2 onto itself would leave close-on-exec set */
		int moved = fcntl(pair[1], F_DUPFD_CLOEXEC, WARDEN_EXEC_FD + 1);

		close(pair[1]);
		pair[1] = moved;
	}
	rc = spawn_program(program, pair[1], verb, &c->pid);
	close(pair[1]);
	if (rc != 0) {
		close(pair[0]);
		return rv_fail_errno(err, rc, "cannot start a warden%s%s", program ? ", " : "", program ? program : "");
	}
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	c->fd = pair[0];
	rv_buf_init(&c->in, 0);
	rv_buf_init(&c->out, 0);
	c->in_at = c->out_at = 0;
	return 0;
}
