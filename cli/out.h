/* out.h - stdout as one buffered stream that never loses an error
 *
 * An answer that could not be written whole is no answer: the first failed write is remembered and cli_out_end() turns it
 * into exit status 3. A reader that went away (EPIPE) ends a query without a word, as any filter does.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "common/base.h"
#include "common/buf.h"

struct cli_out {
	int fd;
	int failed;          /* errno of the first failed write, 0: none */
	bool line_flush;     /* live output: each cli_out_line() leaves at once */
	struct rv_buf buf;
};

void cli_out_init(struct cli_out *o, int fd);
void cli_out_put(struct cli_out *o, struct rv_str s);
void cli_out_puts(struct cli_out *o, const char *s);
void cli_out_printf(struct cli_out *o, const char *fmt, ...) RV_PRINTF(2, 3);
/* A whole line: s and a newline. */
void cli_out_line(struct cli_out *o, struct rv_str s);
int cli_out_flush(struct cli_out *o); /* -1: writing failed, now or before */
/* Flushes and releases. `status` where all went well, else 3 after a message (141 by SIGPIPE for EPIPE). */
int cli_out_end(struct cli_out *o, int status);

/* Writes all of it to `fd`, through EINTR and EAGAIN; -1 with errno. */
int cli_write_all(int fd, const void *bytes, size_t count);

/* Answers a whole buffer: init, put, end. */
int cli_answer(struct rv_str s, int status);

#endif
