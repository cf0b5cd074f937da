/* needs.h - what a unit asks of a node, and what of it a node lacks for good (private to coordinator/core/)
 *
 * Pin, labels, slots, agent slots, the program of its agent, resources, workspace: what no waiting mends while the node stays as it says it is. For people: placing
 * asks coord_node_fits(), and both come to the same (test_coord_explain).
 */
#ifndef COORD_NEEDS_H
#define COORD_NEEDS_H

#include "coordinator/core/state.h"

#define COORD_NEEDS_BYTES 512u /* of a text: what does not fit is left out behind "..." */

struct coord_needs_text {
	char at[COORD_NEEDS_BYTES];
	size_t bytes;
	bool cut;
};

/* Has the node said what it offers since the coordinator's start? Of one that has not nothing is lacking. */
bool coord_needs_known(const struct coord_node *n);
/* Appends what this node lacks: "gpu=yes, not zone=a, 8 cpus (has 4), licence 2 (has 1), workspace /w". Nothing: it could take the unit. */
void coord_needs_lacking(const struct coord *c, const struct coord_run *r, const struct coord_shape *sh, uint32_t node, struct coord_needs_text *out);
/* Appends each need that some node lacks, without what that one has: what to look for where no node can take the unit. */
void coord_needs_unmet(const struct coord *c, const struct coord_run *r, const struct coord_shape *sh, struct coord_needs_text *out);

static inline struct rv_str coord_needs_str(const struct coord_needs_text *t)
{
	return rv_str(t->at, t->bytes);
}

#endif
