/* transcript_events.h - what each agent's events do to a transcript; inside of transcript.c
 *
 * An event changes the transcript and is known, or it changes nothing. Fields are asked for one by one and may be missing or of
 * another kind: then they say nothing.
 */
#ifndef NODE_AGENTS_TRANSCRIPT_EVENTS_H
#define NODE_AGENTS_TRANSCRIPT_EVENTS_H

#include "node/agents/transcript.h"

#include <jansson.h>

/* true: the event is known. */
bool transcript_claude_event(struct transcript *t, const json_t *event);
bool transcript_codex_event(struct transcript *t, const json_t *event);

/* What they share. */
void transcript_name_set(char name[TRANSCRIPT_NAME_BYTES], struct rv_str value);
void transcript_message_set(struct transcript *t, struct rv_str text);
void transcript_progress(struct transcript *t); /* the agent goes on: nothing stands in its way */
void transcript_usage_add(struct transcript_usage *to, const struct transcript_usage *more);
/* The message `id` has used `u` so far: counted once however often it is said, the largest figures win. True: it is new. */
bool transcript_message_usage(struct transcript *t, struct rv_str id, const struct transcript_usage *u);
/* The session that speaks from now on. */
void transcript_session_set(struct transcript *t, struct rv_str id);
/* `u` is what this session has used in all: it takes the place of what its messages said, and of what it told before. */
void transcript_session_usage(struct transcript *t, const struct transcript_usage *u);

#endif
