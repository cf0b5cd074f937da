/* prev.h - what an agent's next try is told of the earlier ones: the context key `_prev`
 *
 * A failed attempt of an agent unit leaves result.json in its namespace; its successor on this node reads those of the
 * attempts before it: an array, oldest first, of class, reason, exit, the last 4 KiB of output and where its artifacts lie.
 * The files lie where units can write: what is no JSON object is left out.
 */
#ifndef NODE_PREV_H
#define NODE_PREV_H

#include "common/buf.h"
#include "common/err.h"
#include "node/workspace/namespace.h"
#include "proto/msg.h"

#define NODE_FILE_RESULT "result.json"
#define NODE_PREV_OUTPUT_BYTES 4096u
#define NODE_PREV_ENTRIES_MAX 32u

/* Writes it into the namespace `fd`; `artifacts` is the path, `printed` what the attempt printed last. A failure to write is
 * nobody's failure: the next try knows less. */
void node_prev_write(int fd, const struct proto_result *r, uint32_t try_number, struct rv_str artifacts, struct rv_str printed);

/* Appends {"_prev":[...]} for the attempt, or nothing where none before it left anything. */
int node_prev_read(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, struct rv_buf *out);

/* Adds `_note`, what a person sent along with the next try, to that object, or makes one of it. "": nothing. */
int node_prev_note(struct rv_str note, struct rv_buf *out);

#endif
