/* transcript_trouble.h - what an error text of an agent or its provider means
 *
 * The one place that knows how providers word it. A text that is recognised gets a reason, its class, the HTTP status and a sentence;
 * one that is not keeps the reason it came with. The tables are in order: the first word found decides. Pure.
 */
#ifndef NODE_AGENTS_TRANSCRIPT_TROUBLE_H
#define NODE_AGENTS_TRANSCRIPT_TROUBLE_H

#include "node/agents/transcript.h"

/* What an agent tells of an error. */
struct transcript_told {
	uint32_t status;     /* HTTP status where a field of its own says it, else 0: looked for in the text */
	struct rv_str kind;  /* a word of the agent's own for it, e.g. "billing_error"; may be empty */
	struct rv_str text;  /* what it tells people; may be empty */
	enum transcript_reason otherwise; /* the reason if neither is recognised */
};

/* Fills `trouble` but for `times`. */
void transcript_trouble_read(const struct transcript_told *told, struct transcript_trouble *trouble);

/* What an agent that ended without a transcript said on stderr: does it name a reason? Fills `trouble` if so. */
bool transcript_trouble_of_stderr(struct rv_str tail, struct transcript_trouble *trouble);

/* Sets reason, class and the sentence, which is cut and made clean UTF-8 in one line. */
void transcript_trouble_set(struct transcript_trouble *trouble, enum transcript_reason reason, struct rv_str sentence);

#endif
