/* workload.h - random plans, built straight as struct plan with every rule of docs/plan.md kept, and what their attempts do */
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include "common/plan/plan.h"
#include "proto/msg.h"
#include "tests/sim/spec.h"

/* A plan of the world's spec; `number` 0.. is the run's. NULL: no memory. */
struct plan *sim_plan_make(const struct sim_spec *s, uint32_t number);
void sim_plan_free(struct plan **p);

/* Which plan unit an instance (unit number of the run) belongs to. */
uint32_t sim_plan_template(const struct plan *p, uint32_t unit);

/* What a try of a unit does: the same whoever asks. */
struct sim_doing {
	uint64_t duration_us;
	enum proto_outcome outcome;
	enum proto_class class;
	enum proto_reason reason;
	int32_t exit;
	bool ignores_term;
};

void sim_plan_doing(const struct sim_spec *s, uint32_t run_number, uint32_t unit, uint32_t try_number, uint32_t attempt, struct sim_doing *out);

#endif
