/* watch.h - the transcripts of agents that run here, read as they are printed
 *
 * The warden shows what an agent prints as it comes; of each attempt it is read here, so that what it has used is known while it runs, and
 * its end is judged without reading a log again. Where something was missed (an earlier daemon, a gap) the log is read at the end instead.
 *
 * It is the other half of idle_timeout_s, too: the warden takes any output for a sign of life, and an agent that is turned away prints a
 * line each time it asks again. From the first such line on it is stuck, until its transcript gets on.
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
	uint64_t idle_us;         /* how long it may be stuck; 0: for ever */
	uint64_t stuck_us;        /* since when it is; 0: it is not */
	uint64_t steps;           /* of the transcript, when it was fed last */
	bool frozen;              /* that time does not count */
	bool given_up;            /* its end was asked for */
};

struct node_watches {
	struct node_watch **items;
	uint32_t count, capacity;
};

void node_watches_release(struct node_watches *w);

/* Begins; without memory the log has to do. */
void node_watch_begin(struct node_watches *w, uint64_t warden_key, struct proto_attempt_key key, enum transcript_format format, uint64_t idle_us);
struct node_watch *node_watch_of(const struct node_watches *w, uint64_t warden_key); /* NULL: nobody reads that one */
void node_watch_end(struct node_watches *w, uint64_t warden_key);

/* The next bytes of stream 1 (stdout) or 2 from `offset` on. */
void node_watch_feed(struct node_watch *w, int stream, uint64_t offset, struct rv_str bytes, uint64_t now_us);
/* Its processes stand still, or go on. */
void node_watch_freeze(struct node_watch *w, bool frozen, uint64_t now_us);

/* One that has been stuck for its idle_us and is to be ended, each once; NULL: none. */
const struct node_watch *node_watch_stuck(struct node_watches *w, uint64_t now_us);
/* When the next one will be; RV_NEVER. */
uint64_t node_watch_stuck_deadline(const struct node_watches *w);

/* One whose usage is to be told now; NULL: none. It counts as told. */
const struct node_watch *node_watch_tell(struct node_watches *w, uint64_t now_us);
/* When the next one may be told; RV_NEVER: there is nothing new. */
uint64_t node_watch_deadline(const struct node_watches *w);
/* A session begins: whoever is told knows nothing yet. */
void node_watch_tell_anew(struct node_watches *w);

/* What a transcript says was used, as messages have it. */
struct proto_usage node_watch_usage(const struct transcript *t);

#endif
