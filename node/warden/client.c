#include "client.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)

int warden_channel_pair(int fds[2], struct rv_err *err)
{
	int bytes = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
		return rv_fail_errno(err, errno, "warden channel");
	/* Room for batches; smaller where the system says so. */
	for (int i = 0; i < 2; i++)
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

void warden_client_init(struct warden_client *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	rv_buf_init(&c->in, WARDEN_FRAME_BYTES_MAX * 4);
	rv_buf_init(&c->out, 0);
}

int warden_start(struct warden_client *c, const struct warden_options *options, struct rv_err *err)
{
	int fds[2];

	warden_client_init(c, -1);
	if (warden_channel_pair(fds, err))
		return -1;
	c->pid = fork();
	if (c->pid == 0) {
		close(fds[0]);
		_exit(warden_main(fds[1], options));
	}
	close(fds[1]);
	if (c->pid < 0) {
		close(fds[0]);
		return rv_fail_errno(err, errno, "cannot start the warden");
	}
	c->fd = fds[0];
	return 0;
}

static int gone(struct rv_err *err)
{
	return rv_fail(err, RV_E_UNREACHABLE, "the warden is gone");
}

int warden_client_flush(struct warden_client *c, struct rv_err *err)
{
	while (c->fd >= 0 && warden_client_pending(c)) {
		ssize_t n = send(c->fd, c->out.at + c->out_at, c->out.bytes - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			/* What has left makes room, now and then. */
			if (c->out_at > (size_t)1 << 20) {
				rv_buf_consume(&c->out, c->out_at);
				c->out_at = 0;
			}
			return 0;
		}
		if (n < 0)
			return gone(err);
		c->out_at += (size_t)n;
	}
	if (c->fd < 0)
		return gone(err);
	c->out_at = 0;
	rv_buf_reset(&c->out);
	return 0;
}

int warden_client_read(struct warden_client *c, struct rv_err *err)
{
	int got = 0;

	if (c->fd < 0)
		return gone(err);
	if (c->in_at == c->in.bytes) {
		rv_buf_reset(&c->in);
		c->in_at = 0;
	} else if (c->in_at) {
		rv_buf_consume(&c->in, c->in_at);
		c->in_at = 0;
	}
	/* Bounded, so that a busy warden does not keep the loop. */
	for (int reads = 0; reads < 16; reads++) {
		char *at = rv_buf_reserve(&c->in, READ_BYTES);
		ssize_t n = at ? recv(c->fd, at, READ_BYTES, MSG_DONTWAIT) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return got;
		if (n <= 0)
			return gone(err);
		rv_buf_added(&c->in, (size_t)n);
		got = 1;
		if ((size_t)n < READ_BYTES)
			return got;
	}
	return got;
}

int warden_client_next(struct warden_client *c, struct warden_frame *frame, struct rv_err *err)
{
	size_t used;
	int ret = warden_frame_read(rv_str(c->in.at + c->in_at, c->in.bytes - c->in_at), frame, &used, err);

	if (ret == 1)
		c->in_at += used;
	return ret;
}

int warden_client_wait(struct warden_client *c, struct warden_frame *frame, uint64_t timeout_us, struct rv_err *err)
{
	uint64_t until = rv_sat_add(clock_mono_us(), timeout_us);

	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		int ret = warden_client_next(c, frame, err);
		uint64_t now;

		if (ret)
			return ret;
		if (warden_client_flush(c, err))
			return warden_client_read(c, NULL) > 0 && warden_client_next(c, frame, NULL) == 1 ? 1 : -1;
		if (warden_client_pending(c))
			p.events |= POLLOUT;
		now = clock_mono_us();
		if (now >= until)
			return 0;
		poll(&p, 1, until == RV_NEVER ? -1 : (int)rv_min_u64((until - now + 999) / 1000, 1000000));
		if ((p.revents & (POLLIN | POLLHUP | POLLERR)) && warden_client_read(c, err) < 0)
			return warden_client_next(c, frame, NULL) == 1 ? 1 : -1;
	}
}

static void reap(pid_t pid)
{
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WUNTRACED);

		if (got == pid && WIFSTOPPED(status))
			(void)kill(pid, SIGKILL);
		else if (got == pid || errno != EINTR)
			return;
	}
}

void warden_client_close(struct warden_client *c, enum warden_close how)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (how == WARDEN_CLOSE_WAIT && c->pid > 0)
		reap(c->pid);
	c->pid = 0;
	rv_buf_release(&c->in);
	rv_buf_release(&c->out);
	rv_buf_init(&c->in, 0);
	rv_buf_init(&c->out, 0);
	c->in_at = c->out_at = 0;
}
