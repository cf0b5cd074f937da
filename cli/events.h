/* events.h - a transition as one line of JSON, the same for `run --events`, `events` and `export events`
 *
 * Fields and types: docs/schemas/event.json. (position, index, part) is the event's number: its fact's row in the journal, place in
 * it, and which of all that the fact led to; what is told live only comes under the number of the fact before it, without a part.
 */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include "cli/tally.h"

/* Appends one line, newline included. `t` has been fed with the transition before; NULL where it belongs to no run. */
void cli_event_json(const struct coord_transition *tr, const struct cli_tally *t, const struct coord *core,
		    uint64_t position, uint32_t index, struct rv_buf *out);

/* The same for people: time, event, unit, what about it; a newline. */
void cli_event_text(const struct coord_transition *tr, const struct cli_tally *t, const struct coord *core, struct rv_buf *out);

/* The one event of a plan that was refused: unit __preflight__, no run, no number. */
void cli_event_plan_rejected(struct rv_str why, uint64_t real_us, struct rv_buf *out);

/* `export events`: every event of a run as JSON lines. Gives the exit status. */
struct cli_query;
struct cli_target;
int cli_events_export(const struct cli_query *q, struct cli_target target);

#endif
