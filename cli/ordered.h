/* ordered.h - what the units of a fan-out print, in the order of their inputs
 *
 * The unit whose turn it is (the head) is shown as it prints, all after it once their turn has come: meanwhile their output lies in the logs,
 * so memory does not grow with it. stdout goes to stdout and stderr to stderr, byte by byte where no terminal is; a terminal gets whole lines,
 * made harmless. Of an agent it is the answer, not the transcript. A reader that is slow holds up nothing but this.
 *
 *	running --(head, 0.1 s)--> what is in its log so far --> ...
 *	settled and durable -----> the rest of its log ---------> next head
 *
 * A unit that had ended before this process began has been shown by the one before. One that may be tried again is shown once it has settled.
 */
#ifndef CLI_ORDERED_H
#define CLI_ORDERED_H

#include "cli/statusline.h"
#include "cli/tally.h"
#include "common/os/blobs.h"

enum cli_ordered_what {
	CLI_ORDERED_PRINTED, /* what they print */
	CLI_ORDERED_VALUES,  /* their output values, a line each */
};

struct cli_ordered_config {
	enum cli_ordered_what what;
	bool settled_only;          /* they may be tried again */
	const char *log_dir;        /* the shared output log (node/warden/seglog.h); borrowed, as all of these */
	const char *namespaces;     /* NAMESPACE_ROOT/runs/RUN/units; NULL: they have none */
};

struct cli_ordered;

/* `tally` and `line` are borrowed for its life. */
int cli_ordered_create(const struct cli_ordered_config *cfg, const struct cli_tally *tally, struct cli_statusline *line, struct cli_ordered **out,
		       struct rv_err *err);
void cli_ordered_destroy(struct cli_ordered **o);

/* The tally was fed with its end, in this process. */
void cli_ordered_finished(struct cli_ordered *o, uint32_t unit);
/* All ends told so far are durable. */
void cli_ordered_durable(struct cli_ordered *o);
/* Shows what can be shown without waiting. Gives when it wants to be called again (CLOCK_BOOTTIME us). `blobs` may be NULL. */
uint64_t cli_ordered_turn(struct cli_ordered *o, struct rv_blobs *blobs, uint64_t now_us);
/* The run is over: the rest, however long the reader takes; a signal among INT, TERM and HUP that is blocked and pending ends it (1). -1: stdout
 * could not be written, or some of what units printed was lost. */
int cli_ordered_end(struct cli_ordered *o, struct rv_blobs *blobs, struct rv_err *err);

#endif
