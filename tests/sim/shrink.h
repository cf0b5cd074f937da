/* shrink.h - a smaller world that still breaks */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "tests/sim/spec.h"

/* Runs a world in a process of its own, so that an abort is a breach like any other. Gives true where it broke; `what` gets the
 * first words of it. */
bool sim_breaks(const struct sim_spec *s, char what[512]);

/* Leaves out faults, units, nodes and kinds of trouble as long as the world still breaks; at most `tries` worlds are run. */
void sim_shrink(struct sim_spec *s, uint32_t tries);

#endif
