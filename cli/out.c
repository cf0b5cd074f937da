/* out.c - stdout as one buffered stream that never loses an error */
#include "cli/out.h"

#include "cli/error.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)64 << 10)

int cli_write_all(int fd, const void *bytes, size_t count)
{
	const char *at = bytes;

	while (count) {
		ssize_t n = write(fd, at, count);

		if (n >= 0) {
			at += n;
			count -= (size_t)n;
		} else if (errno == EAGAIN) { /* somebody else made our terminal non-blocking */
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

void cli_out_init(struct cli_out *o, int fd)
{
	*o = (struct cli_out){ .fd = fd };
	rv_buf_init(&o->buf, 0);
}

int cli_out_flush(struct cli_out *o)
{
	if (o->buf.failed && !o->failed)
		o->failed = ENOMEM;
	if (!o->failed && cli_write_all(o->fd, o->buf.at, o->buf.bytes))
		o->failed = errno;
	rv_buf_reset(&o->buf);
	return o->failed ? -1 : 0;
}

static void flush_when_full(struct cli_out *o)
{
	if (o->buf.bytes >= FLUSH_BYTES)
		(void)cli_out_flush(o);
}

void cli_out_put(struct cli_out *o, struct rv_str s)
{
	(void)rv_buf_put_str(&o->buf, s);
	flush_when_full(o);
}

void cli_out_puts(struct cli_out *o, const char *s)
{
	cli_out_put(o, rv_str_of(s));
}

void cli_out_printf(struct cli_out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)rv_buf_vprintf(&o->buf, fmt, ap);
	va_end(ap);
	flush_when_full(o);
}

void cli_out_line(struct cli_out *o, struct rv_str s)
{
	(void)rv_buf_put_str(&o->buf, s);
	(void)rv_buf_putc(&o->buf, '\n');
	if (o->line_flush)
		(void)cli_out_flush(o);
	else
		flush_when_full(o);
}

int cli_out_end(struct cli_out *o, int status)
{
	struct rv_err err;

	(void)cli_out_flush(o);
	rv_buf_release(&o->buf);
	if (!o->failed)
		return status;
	if (o->failed == EPIPE) { /* die as the shell expects it of a filter */
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	(void)rv_fail_errno(&err, o->failed, "cannot write the answer to stdout");
	(void)cli_fail(&err);
	return cli_exit_worse(status, CLI_INTERNAL);
}

int cli_answer(struct rv_str s, int status)
{
	struct cli_out o;

	cli_out_init(&o, 1);
	cli_out_put(&o, s);
	return cli_out_end(&o, status);
}
