/* jsontext.h - is this text JSON, and the same without its blanks
 *
 * What units write is kept as text: numbers keep their digits, objects their order. Strict RFC 8259, UTF-8 checked, depth
 * up to NODE_JSON_DEPTH_MAX. Pure.
 */
#ifndef NODE_JSONTEXT_H
#define NODE_JSONTEXT_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

#define NODE_JSON_DEPTH_MAX 128u

/* Appends the one value that `text` holds, compact. -1 (RV_E_CORRUPT: what, at which byte): `out` is as it was. */
int node_json_compact(struct rv_str text, struct rv_buf *out, struct rv_err *err);

/* Appends `text` as valid UTF-8: bad bytes become U+FFFD, NUL becomes U+2400 so that the text can be an argument. */
int node_text_clean(struct rv_str text, struct rv_buf *out);

/* Length of the UTF-8 sequence at `p`, 0 if it is none. */
size_t node_utf8_at(const char *p, const char *end);

#endif
