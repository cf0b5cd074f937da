/* tallies.h - a tally for each run that a coordinator has in memory, for who tells of its transitions (--on-event)
 *
 * Fed with every transition, replayed ones too, from the run's first on; gone when the run leaves the core.
 */
#ifndef CLI_TALLIES_H
#define CLI_TALLIES_H

#include "cli/tally.h"

struct cli_tallies {
	struct cli_tally **at; /* in the order of their first transitions */
	uint32_t count, room;
	uint32_t last;         /* place of the one that was fed last */
};

void cli_tallies_init(struct cli_tallies *t);
void cli_tallies_release(struct cli_tallies *t);
/* Gives the run's, fed with the transition; NULL: it belongs to no run, or there is no memory for it. */
struct cli_tally *cli_tallies_feed(struct cli_tallies *t, const struct coord_transition *tr, const struct coord *core);
void cli_tallies_forget(struct cli_tallies *t, uint64_t run);

#endif
