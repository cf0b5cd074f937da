/* tail.h - the last that a unit printed: not made harmless yet; of agents whose transcripts are known what they said and did */
#ifndef CLI_TAIL_H
#define CLI_TAIL_H

#include "cli/runview.h"

/* Of its newest attempt, at most bytes_max, from the beginning of a line where there is one; appended. Nothing where nothing can be had: an export
 * is no place to fail, `logs` says why. What the run keeps of a failed attempt is taken; else, in a state directory, its log. */
void cli_tail_put(struct cli_runview *v, uint32_t unit, size_t bytes_max, struct rv_buf *out);

#endif
