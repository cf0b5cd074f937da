/* specs.h - decoded specs, kept while their units keep coming
 *
 * Units of one template, and neighbours in a frame, share a spec: it is decoded once, and what is the same for all of its
 * attempts (argv and environment where nothing has to be filled in, the spec's part of the cookie) is made once. A small
 * cache by content, least recently used out first. What is handed out lives until the next node_specs_get().
 */
#ifndef NODE_SPECS_H
#define NODE_SPECS_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/spec.h"

#define NODE_SPECS_KEPT 32u

struct node_spec {
	struct proto_spec spec;
	struct rv_str bytes;      /* encoded, a copy */
	uint64_t hash;
	uint64_t used;            /* when last */
	bool argv_fixed;          /* `argv` is what every attempt runs */
	bool env_fixed;
	struct rv_buf argv;       /* strings with their NULs */
	struct rv_buf env;        /* "NAME=value" with their NULs */
	uint32_t argv_count, env_count;
	struct rv_buf collect;    /* cookie.h: its part of the cookie; empty until asked for */
	struct rv_arena arena;
};

struct node_specs {
	struct node_spec *item[NODE_SPECS_KEPT];
	uint32_t count;
	uint64_t clock;
	struct rv_str last_at;    /* the place in the frame that was asked for last */
	struct node_spec *last;
};

/* Several commands in a row, or a prompt on stdin: agents/steps.h. */
static inline bool node_spec_has_steps(const struct proto_spec *s)
{
	return s->accept_count || s->unless_count || s->agent_kind > PROTO_AGENT_MOCK;
}

void node_specs_init(struct node_specs *s);
void node_specs_release(struct node_specs *s);
/* The bytes handed out by earlier frames are no longer there: places mean nothing any more. */
void node_specs_new_frame(struct node_specs *s);
/* NULL: not a spec (RV_E_CORRUPT), or no memory. */
struct node_spec *node_specs_get(struct node_specs *s, struct rv_str bytes, struct rv_err *err);

#endif
