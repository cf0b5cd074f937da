/* logread.h - what an attempt of this node printed, from where somebody has read so far
 *
 * Answers LOG_WANTED: the shared output log (node/warden/seglog.h), or the logs/ of the attempt's namespace, while it runs and after it has
 * ended, for as long as the files are there. `offset` and `next` count bytes of the stream; of both streams together (stream 3) they
 * are a position that only means something to this function: the bytes of stdout and of stderr that were given, in one number. It has room for
 * 4 GiB of each: then a line says so, and the log has ended for whoever reads both.
 */
#ifndef NODE_LOGREAD_H
#define NODE_LOGREAD_H

#include "common/buf.h"
#include "common/err.h"
#include "node/workspace/places.h"
#include "proto/client_msg.h"

/* `log_dir` of the shared log, "" = none; `runs`: the attempt has not ended, more may come. `room` is emptied and gets the bytes that
 * out->bytes borrows. -1: it cannot be read. */
int node_log_read(const char *log_dir, struct node_places *places, const struct proto_log_wanted *w, bool runs, struct rv_buf *room,
		  struct proto_log_piece *out, struct rv_err *err);

#endif
