/* grow.h - units that are added to an open run
 *
 * What is added is built as a graph of its own, a *part*, from a plan of the run's head and the new units; units of the run that they depend on
 * are stubs in it (COORD_TMPL_OUTER). Joining has two halves. coord_part_fit(), outside the step, finds the run's templates by their ids, says
 * what is new, and makes room in the run's tables, which double when they are full, so that a unit costs the same however many there are. The
 * step (coord_grow()) copies the new ones behind the old ones and counts what they wait for.
 *
 *	unit and template numbers go on; the verify step, which nobody has seen yet, moves to the end
 *	classes and settings that are equal to one of the run's become it; another class gets a shape of its own
 *	ranks follow behind those of earlier units
 *	an edge from a template that was there hangs on its list of links
 */
#ifndef COORD_GROW_H
#define COORD_GROW_H

#include "coordinator/core/tables.h"

/* Where everything of a part goes; in its arena. */
struct coord_part {
	uint32_t *tmpl;        /* by template of the part: the run's; COORD_NONE: its verify step */
	uint32_t *class;       /* by class: the run's, or class_count and up */
	uint32_t *setting;
	uint32_t *agent;
	bool *is_new;          /* by template */
	struct coord_class *made; /* by class, of those that the run has not: with their queues */
	struct rv_heap *heaps; /* beside it, of their shapes */
	uint32_t new_tmpls, new_units, new_classes;
	uint64_t edges;        /* of new units */
	uint32_t there_units;  /* units of ids that the run has already, with the same content */
};

/* Is every dependency there, every id new or known with the same content, and is there room within the limits of a run? Once a part, right before
 * its step. -1 says what is wrong (RV_E_PLAN, RV_E_CONFLICT, RV_E_LIMIT, RV_E_NO_MEMORY): nothing that a step sees has changed. */
int coord_part_fit(struct coord_graph *g, struct coord_graph *part, struct rv_err *err);

#endif
