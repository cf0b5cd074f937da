/* watch.h - the transcripts of agents that run here, read as they are printed
 *
 * The warden shows what an agent prints as it comes; of each attempt it is read here, so that what it has used is known while it runs, and
 * its end is judged without reading a log again. Where something was missed (an earlier daemon, a gap) the log is read at the end instead.
 */
#ifndef NODE_WATCH_H
#define NODE_WATCH_H

#include "node/agents/transcript.h"
#include "proto/msg.h"

#define NODE_WATCH_TELL_US RV_US_PER_S /* between two USAGEs of an attempt, at least */

struct node_watch {
	uint64_t warden_key;
	struct proto_attempt_key key;
	struct transcript transcript;
	uint64_t next[2];         /* offset expected of stdout, stderr */
	bool gap;                 /* something is missing: the transcript is not the whole */
	bool changed;             /* more was used than was told */
	struct proto_usage told;
	uint64_t tell_us;         /* not before then */
};

struct node_watches {
	struct node_watch **items;
	uint32_t count, capacity;
};

void node_watches_release(struct node_watches *w);

/* Begins; without memory the log has to do. */
void node_watch_begin(struct node_watches *w, uint64_t warden_key, struct proto_attempt_key key, enum transcript_format format);
struct node_watch *node_watch_of(const struct node_watches *w, uint64_t warden_key); /* NULL: nobody reads that one */
void node_watch_end(struct node_watches *w, uint64_t warden_key);

/* The next bytes of stream 1 (stdout) or 2 from `offset` on. */
void node_watch_feed(struct node_watch *w, int stream, uint64_t offset, struct rv_str bytes);

/* One whose usage is to be told now; NULL: none. It counts as told. */
const struct node_watch *node_watch_tell(struct node_watches *w, uint64_t now_us);
/* When the next one may be told; RV_NEVER: there is nothing new. */
uint64_t node_watch_deadline(const struct node_watches *w);
/* A session begins: whoever is told knows nothing yet. */
void node_watch_tell_anew(struct node_watches *w);

/* What a transcript says was used, as messages have it. */
struct proto_usage node_watch_usage(const struct transcript *t);

#endif
