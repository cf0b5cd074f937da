#include "cli/agentlog.h"

#include "common/arena.h"
#include "proto/spec.h"

#include <stdlib.h>

struct cli_agentlog_entry {
	struct cli_agentlog_entry *next;
	uint32_t unit, attempt;
	int stream;
	struct transcript_show show;
};

bool cli_writes_transcript(const struct coord_graph *g, uint32_t unit)
{
	struct proto_spec spec;
	struct rv_arena arena;
	bool yes;

	if (unit >= coord_graph_unit_count(g))
		return false; /* the verify step */
	rv_arena_init(&arena, (size_t)1 << 24);
	yes = proto_spec_decode(coord_graph_spec(g, unit), &arena, &spec, NULL) == 0 && spec.flags & PROTO_SPEC_AGENT_UNIT &&
	      spec.agent_kind != PROTO_AGENT_COMMAND;
	rv_arena_release(&arena);
	return yes;
}

void cli_transcript_tail(struct rv_str tail, bool cut, struct rv_buf *out)
{
	const char *end = cut && tail.bytes ? memchr(tail.at, '\n', tail.bytes) : NULL;
	struct transcript_show show;

	if (end)
		tail = rv_str(end + 1, tail.bytes - (size_t)(end + 1 - tail.at));
	transcript_show_init(&show);
	transcript_show_feed(&show, tail, out);
	transcript_show_end(&show, out);
	transcript_show_release(&show);
}

static struct cli_agentlog_entry *entry_of(struct cli_agentlog *a, uint32_t unit, int stream)
{
	struct cli_agentlog_entry *e;

	for (e = a->entries; e; e = e->next)
		if (e->unit == unit && e->stream == stream)
			return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	*e = (struct cli_agentlog_entry){ .next = a->entries, .unit = unit, .stream = stream };
	transcript_show_init(&e->show);
	a->entries = e;
	return e;
}

void cli_agentlog_feed(struct cli_agentlog *a, const struct coord_graph *g, struct proto_attempt_key key, int stream, struct rv_str bytes,
		       struct rv_buf *out)
{
	struct cli_agentlog_entry *e = cli_writes_transcript(g, key.unit) ? entry_of(a, key.unit, stream) : NULL;

	if (!e) {
		(void)rv_buf_put_str(out, bytes);
		return;
	}
	if (e->attempt && e->attempt != key.attempt) /* the one before broke off */
		transcript_show_end(&e->show, out);
	e->attempt = key.attempt;
	transcript_show_feed(&e->show, bytes, out);
}

void cli_agentlog_end(struct cli_agentlog *a, uint32_t unit, struct rv_buf *out)
{
	struct cli_agentlog_entry **at = &a->entries;

	while (*at) {
		struct cli_agentlog_entry *e = *at;

		if (e->unit != unit) {
			at = &e->next;
			continue;
		}
		transcript_show_end(&e->show, out);
		transcript_show_release(&e->show);
		*at = e->next;
		free(e);
	}
}

void cli_agentlog_release(struct cli_agentlog *a)
{
	struct rv_buf none;

	rv_buf_init(&none, 0);
	while (a->entries)
		cli_agentlog_end(a, a->entries->unit, &none);
	rv_buf_release(&none);
}
