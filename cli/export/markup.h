/* markup.h - text of others inside XML, HTML, dot and mermaid
 *
 * All of them make it harmless first (text.h): escape sequences, control characters, direction overrides and bytes that are no UTF-8 become
 * visible, so that none of them is there to be read by a terminal, a browser or a parser.
 */
#ifndef CLI_MARKUP_H
#define CLI_MARKUP_H

#include "cli/text.h"

/* Between tags and inside quoted attributes of XML 1.0 and HTML: & < > " ' become entities, and the two characters that XML does not know
 * U+FFFD. LINES keeps newlines and tabs (not in attributes), CELL is one line. */
void cli_put_markup(struct rv_buf *out, enum cli_text_mode mode, struct rv_str s);
/* A string of dot with its quotes; a backslash says nothing in it. */
void cli_put_dot(struct rv_buf *out, struct rv_str s);
/* Inside a quoted label of mermaid: all but letters, digits and a few signs become #NUMBER; */
void cli_put_mermaid(struct rv_buf *out, struct rv_str s);

#endif
