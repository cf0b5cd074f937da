/* output.h - what an attempt hands to its dependents: from the file it wrote, else from what it printed
 *
 * REEVE_OUTPUT_FILE holds JSON or text. Else a text unit's output is its last line that is not blank; a unit with
 * `output: json` is taken whole, a code fence around it taken off, else its last fenced block, else its last line. Pure.
 */
#ifndef NODE_OUTPUT_H
#define NODE_OUTPUT_H

#include "common/buf.h"
#include "common/err.h"
#include "proto/spec.h"

/* Appends the output; *is_json says whether it is a (compact) JSON text or clean UTF-8 text. -1 only for
 * PROTO_OUTPUT_JSON: RV_E_CORRUPT, why it does not parse. Nothing at all is an empty text, or no JSON. */
int node_output_of_file(struct rv_str content, enum proto_output_mode mode, struct rv_buf *out, bool *is_json, struct rv_err *err);
int node_output_of_stdout(struct rv_str printed, enum proto_output_mode mode, struct rv_buf *out, bool *is_json, struct rv_err *err);

/* The last line that is not blank, without its end; empty: none. Borrows. */
struct rv_str node_last_line(struct rv_str text);

#endif
