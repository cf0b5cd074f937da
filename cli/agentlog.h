/* agentlog.h - what agents print, as people read it (node/agents/transcript_show.h)
 *
 * Agents with a profile write transcripts, JSON lines. Whoever shows what a unit printed asks here whether it is one, and has it
 * rendered before it is made harmless (cli/text.h). Other units' output passes unchanged.
 */
#ifndef CLI_AGENTLOG_H
#define CLI_AGENTLOG_H

#include "coordinator/core/graph.h"
#include "proto/msg.h"
#include "node/agents/transcript_show.h"

/* Does the unit's agent write a transcript? A retry may give the unit to another agent, so their kinds are not told apart. */
bool cli_writes_transcript(const struct coord_graph *g, uint32_t unit);

/* Appends what the end of a log shows. `cut`: it begins within a line, which is left out. */
void cli_transcript_tail(struct rv_str tail, bool cut, struct rv_buf *out);

/* Transcripts of units that run, told apart by unit and stream. */
struct cli_agentlog_entry;
struct cli_agentlog {
	struct cli_agentlog_entry *entries;
};

/* Appends what the bytes show, whole lines of it; unchanged where `g` says that it is no transcript. */
void cli_agentlog_feed(struct cli_agentlog *a, const struct coord_graph *g, struct proto_attempt_key key, int stream, struct rv_str bytes,
		       struct rv_buf *out);
/* The unit has ended: what was held back is shown. */
void cli_agentlog_end(struct cli_agentlog *a, uint32_t unit, struct rv_buf *out);
void cli_agentlog_release(struct cli_agentlog *a);

#endif
