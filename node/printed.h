/* printed.h - what an attempt printed: from the bytes that came with its exit, else from the log it went to
 *
 * Most units print little: then all of it came with EXITED and no file is opened. Else the shared log (by attempt) or
 * the namespace's logs/ are read. What cannot be read is missing, never an error: an attempt is not judged by its log.
 */
#ifndef NODE_PRINTED_H
#define NODE_PRINTED_H

#include "common/buf.h"
#include "node/warden/channel.h"

struct node_printed {
	const char *log_dir;    /* the shared log; "" = none */
	int namespace_fd;       /* -1: none */
	const struct warden_exited *exited;
};

enum node_printed_want { NODE_PRINTED_ALL, NODE_PRINTED_LAST_LINE };

/* Appends at most the last `bytes` of stdout; LAST_LINE reads no further back than its last line needs. */
void node_printed_stdout(const struct node_printed *p, enum node_printed_want want, size_t bytes, struct rv_buf *out);
/* Appends at most the last `bytes` of stdout and stderr together, in the order they came where the log knows it. */
void node_printed_tail(const struct node_printed *p, size_t bytes, struct rv_buf *out);

/* Does the text hold the pattern, letters' case ignored? */
bool node_contains_word(struct rv_str text, struct rv_str pattern);

#endif
