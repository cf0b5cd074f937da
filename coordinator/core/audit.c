/* audit.c - numbered truths about the whole state; docs/invariants.md explains them */
#include "coordinator/core/state.h"

void coord_audit(const struct coord *c)
{
	(void)c;
}
