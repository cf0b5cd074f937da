/* hints.h - what people sent along with their acts: a note, another prompt
 *
 * From facts (MUTATION), so that a restart has them again; by (run, unit). There are few, since a person wrote each, so they lie in a list.
 * The agent that a person chose is not here: it is the core's, which counts what it uses.
 */
#ifndef COORD_HINTS_H
#define COORD_HINTS_H

#include "common/err.h"
#include "proto/record.h"

struct coord_hint {
	struct rv_str note;    /* of the newest retry: the context key `_note`; "" = none */
	struct rv_str prompt;  /* in place of the unit's own; "" = it stays */
	struct rv_str release; /* of the newest release: the unit's output if it has none of its own; "" = none */
};

struct coord_hints;

struct coord_hints *coord_hints_create(void); /* NULL: no memory */
void coord_hints_destroy(struct coord_hints **h);
/* A MUTATION; what is no retry or release of a unit changes nothing. -1: no memory. */
int coord_hints_note(struct coord_hints *h, const struct proto_fact *f, struct rv_err *err);
/* NULL: nothing was sent. Valid until the next change. */
const struct coord_hint *coord_hints_get(const struct coord_hints *h, uint64_t run, uint32_t unit);
void coord_hints_drop_run(struct coord_hints *h, uint64_t run);

#endif
