/* shrink.h - worlds in processes of their own, and a smaller one that still breaks */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "tests/sim/spec.h"

#include <signal.h>

/* From now on this process may use so much of processors' time, and is then ended by SIM_CPU_SIGNAL; said again, it begins anew. How long
 * it takes by the clock does not matter: other work on the machine breaks no world. */
void sim_limit_cpu(uint32_t ms);
#define SIM_CPU_SIGNAL SIGPROF

/* Runs a world in a process of its own, so that an abort is a breach like any other. Gives true where it broke; `what` gets the
 * first words of it. */
bool sim_breaks(const struct sim_spec *s, char what[512]);

/* Leaves out faults, units, nodes and kinds of trouble as long as the world still breaks; at most `tries` worlds are run. */
void sim_shrink(struct sim_spec *s, uint32_t tries);

#endif
