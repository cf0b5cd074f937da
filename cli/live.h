/* live.h - what people and programs see of a run while it goes on
 *
 * Takes the transitions of the core as they come: keeps the tally, writes the event file, the unit lines of -o jsonl, what units print
 * (--show), and the status line. What depends on a journal row is held back until the row is durable.
 */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "cli/ordered.h"
#include "cli/out.h"
#include "cli/render.h"
#include "cli/result.h"
#include "cli/tally.h"
#include "coordinator/core/io.h"

enum cli_show {
	CLI_SHOW_FAILED,   /* the last lines of those that failed */
	CLI_SHOW_ALL,      /* each line as it comes, its unit before it */
	CLI_SHOW_NONE,
	CLI_SHOW_IN_ORDER, /* of a fan-out: ordered.h */
};

struct cli_hook;
struct cli_live;

struct cli_live_config {
	uint64_t run;
	const struct coord_graph *graph; /* borrowed for its life */
	enum cli_format format;
	enum cli_show show;
	struct cli_ordered_config order; /* CLI_SHOW_IN_ORDER */
	const char *events_path;         /* NULL: none; appended to */
	const char *joblog_path;         /* NULL: none */
	bool joblog_goes_on;             /* appended to; else it begins anew */
	struct cli_hook *hook;           /* --on-event, or NULL; borrowed */
	const char *state_option;
};

int cli_live_create(const struct cli_live_config *cfg, struct cli_live **out, struct rv_err *err);
/* Where outputs and log tails that are not inline can be read; known once the host is open. */
void cli_live_set_blobs(struct cli_live *l, struct rv_blobs *blobs);
void cli_live_destroy(struct cli_live **l);

void cli_live_transition(struct cli_live *l, const struct coord_transition *t, const struct coord *core, uint64_t position,
			 uint32_t index, bool replayed);
void cli_live_durable(struct cli_live *l, uint64_t position);
/* Output of a unit as it comes (--show all). */
void cli_live_output(struct cli_live *l, struct proto_attempt_key key, int stream, struct rv_str bytes);
/* Draws what is due; gives when it wants to be called again (CLOCK_BOOTTIME us). */
uint64_t cli_live_tick(struct cli_live *l, uint64_t now_us);
/* The last of everything: partial lines, the event file, the status line's place. 1: a signal cut it short; -1: a file could not be written. */
int cli_live_end(struct cli_live *l, struct rv_err *err);

/* The one event of a plan that was refused, appended to the event file; NULL path: nothing. */
void cli_live_plan_rejected(const char *events_path, struct rv_str why);

struct cli_tally *cli_live_tally(struct cli_live *l);

/* What the whole run has used of models, what running attempts report included. */
void cli_live_used(struct cli_live *l, uint64_t tokens, uint64_t cost_microusd);

#endif
