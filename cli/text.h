/* text.h - making other people's text harmless on a terminal
 *
 * What agents and commands print may hold escape sequences that move the cursor, set the clipboard or forge a line. Shown
 * text passes this filter: colours (CSI ... m) are dropped, every other control character becomes visible (^[ for ESC,
 * \x9b for a stray byte, \u{202e} for a bidi override), and what is no UTF-8 becomes \xNN. Raw bytes stay in the log
 * files; `logs --raw` shows them.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "common/base.h"
#include "common/buf.h"

enum cli_text_mode {
	CLI_TEXT_LINES, /* newlines and tabs pass; CR before a newline goes away */
	CLI_TEXT_CELL,  /* one line: a newline becomes \n, a tab a blank */
};

#define CLI_TEXT_HELD_BYTES 32

/* For a stream that comes in pieces: what may be the beginning of something longer is held back. */
struct cli_text {
	enum cli_text_mode mode;
	uint32_t held_bytes;
	char held[CLI_TEXT_HELD_BYTES];
};

void cli_text_init(struct cli_text *t, enum cli_text_mode mode);
void cli_text_feed(struct cli_text *t, struct rv_str in, struct rv_buf *out);
/* What was held back is shown as it is. */
void cli_text_end(struct cli_text *t, struct rv_buf *out);

/* All at once. */
void cli_text_safe(enum cli_text_mode mode, struct rv_str in, struct rv_buf *out);

/* Columns that harmless text takes on a terminal. */
uint32_t cli_text_width(struct rv_str s);
/* The longest beginning of at most `columns` columns, in bytes. */
size_t cli_text_cut(struct rv_str s, uint32_t columns);

/* Length of the UTF-8 character at the start of s, its value into *cp; 0: no valid one (or s is empty). */
uint32_t cli_utf8_next(struct rv_str s, uint32_t *cp);

#endif
