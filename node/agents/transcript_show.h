/* transcript_show.h - a transcript as people read it: what the agent said, did and was told, a line or a few an event
 *
 *	* claude-opus-5-5, Claude Code 2.1.332, session 7e83c7af-...
 *	I write it.
 *	> Write: out/a.txt
 *	  File created successfully at: out/a.txt
 *	! 429 rate_limit: asks again in 2.0 s (1 of 10)
 *	= succeeded: 901 tokens, $0.0027
 *
 * Events of either agent are known by their names, so nobody has to say whose transcript it is. What is no event, such as what the
 * agent wrote to stderr, stays as it is; an event that is not known is left out. A helper's words are indented by "| ". Texts are the
 * agent's own, bytes that act on a terminal among them: whoever shows them cleans them (cli/text.h). Memory is bounded as the
 * reader's is (transcript.h).
 */
#ifndef NODE_AGENTS_TRANSCRIPT_SHOW_H
#define NODE_AGENTS_TRANSCRIPT_SHOW_H

#include "common/base.h"
#include "common/buf.h"

#define TRANSCRIPT_SHOWN_LINES 6u  /* of what a tool answered */
#define TRANSCRIPT_SHOWN_BYTES 400u /* of a line of it, and of a tool's call */

struct transcript_show {
	struct rv_buf line;   /* the beginning of one that is not whole */
	uint64_t passed;      /* bytes of a line that is too long */
	uint64_t said;        /* of what was said last: the result repeats it */
	size_t said_bytes;
};

void transcript_show_init(struct transcript_show *s);
void transcript_show_release(struct transcript_show *s);

/* The next bytes; appends what they show. */
void transcript_show_feed(struct transcript_show *s, struct rv_str bytes, struct rv_buf *out);
/* No more will come for now: a line without an end is shown, too, unless it is half an event. */
void transcript_show_end(struct transcript_show *s, struct rv_buf *out);

#endif
