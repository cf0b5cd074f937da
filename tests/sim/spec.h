/* spec.h - everything that makes one simulated world: drawn from a seed, or written down by hand in a scenario
 *
 * Two worlds of equal specs are equal, event for event (the trace hash says so). Faults stand in a list, so that the shrinker
 * can leave some of them out and a scenario can name exactly those that matter.
 */
#ifndef SIM_SPEC_H
#define SIM_SPEC_H

#include "common/base.h"

#define SIM_NODES_MAX 64u
#define SIM_RUNS_MAX 3u
#define SIM_FAULTS_MAX 48u

enum sim_shape { SIM_CHAIN, SIM_FAN, SIM_DIAMOND, SIM_RANDOM, SIM_SHAPE_COUNT };

enum sim_fault_kind {
	SIM_F_NONE,
	SIM_F_COORD_KILL,      /* at an effect boundary; what was written stays */
	SIM_F_COORD_POWER,     /* the same, and what was not synced is lost (durability power: what was not committed) */
	SIM_F_COORD_DISK,      /* the next commit fails: the coordinator stops; the row may be there or not */
	SIM_F_COORD_PAUSE,
	SIM_F_NODE_KILL,       /* the daemon, at an effect boundary; warden and units go on */
	SIM_F_NODE_REBOOT,     /* the host: everything on it is gone, new boot id */
	SIM_F_NODE_PAUSE,      /* the daemon stands still */
	SIM_F_NODE_STOP,       /* told to end: it cancels what it has, says BYE, comes back later */
	SIM_F_WARDEN_KILL,     /* its units die with it */
	SIM_F_CUT,             /* both directions */
	SIM_F_CUT_TO_COORD,    /* one direction */
	SIM_F_CUT_FROM_COORD,
	SIM_F_LINK_RESET,      /* the connection breaks at once */
	SIM_F_CLOCK_JUMP,      /* of the coordinator's host: slept */
	SIM_F_CANCEL_RUN,      /* operator acts */
	SIM_F_CANCEL_UNIT,
	SIM_F_RETRY_UNIT,
	SIM_F_RESUME_RUN,
	SIM_F_PAUSE_RUN,
	SIM_F_HOLD_UNIT,
	SIM_F_SKIP_UNIT,
	SIM_F_SET_WORKERS,
	SIM_F_SET_PRIORITY,
	SIM_F_DRAIN,
	SIM_F_REMOVE,
	SIM_F_STOP_RUN,        /* interrupt */
	SIM_F_NODE_LEAVE,      /* told to end, and it does not come back before everybody gets well */
	SIM_F_REVOKE,          /* its key; with an odd arg it comes back later, set up anew, with another */
	SIM_F_NODE_FALL,       /* daemon and warden at once, and the units: nothing is left but the records of what had ended; the host goes on */
	SIM_F_RM,              /* of a run that has ended */
	SIM_F_FORGE,           /* a node says of another's attempts that they are over, and its link breaks */
	SIM_F_COUNT
};

struct sim_fault {
	enum sim_fault_kind kind;
	uint64_t at_us, for_us;
	uint32_t target; /* node, or unit; taken modulo how many there are */
	uint32_t run;
	uint32_t arg;
};

struct sim_spec {
	uint64_t seed;
	uint32_t nodes, slots_max;
	uint32_t join_pm;             /* of the nodes, so many join later, at some time before heal_us */
	uint32_t runs, units;         /* units of each run */
	enum sim_shape shape;
	/* network */
	uint32_t loss_ppm, duplicate_ppm, reorder_ppm, slow_ppm;
	uint64_t delay_us, slow_us_max;
	uint32_t clock_ppm_max;
	uint32_t echo_pm;             /* of what a coordinator that died had sent, this much arrives once its successor is welcomed */
	bool curve;                   /* nodes enrol, and are let in by their keys (access.c); else they are trusted */
	bool tcp;                     /* what is sent into a cut arrives when it heals, in order; else it is lost */
	/* disk */
	bool power;                   /* durability: group commit, else inline */
	uint64_t commit_us_max;
	/* work, in thousandths of the units */
	uint64_t lost_after_us, duration_us_max;
	uint32_t fail_pm, retry_pm, noop_pm, mock_pm, once_pm, lock_pm, dir_pm, wide_pm, trigger_pm, hold_pm, satisfied_pm, many_pm;
	uint32_t agent_limit_pm;
	uint32_t budget_pm;           /* of runs, agents and mock units, so many have a limit of tokens; mocks then use some */
	uint32_t on_failure;          /* enum plan_on_failure */
	uint32_t max_workers;
	uint64_t run_timeout_us;
	bool verify, order_by_id;
	bool open;                    /* runs are submitted in slices, and closed */
	uint32_t prepare_fail_ppm, environment_ppm, slow_daemon_pm, slow_warden_pm;
	uint64_t slow_local_us;       /* how slow daemon and warden are then */
	uint64_t prefetch_us;
	/* faults; from heal_us on there are none */
	uint64_t heal_us;
	uint32_t fault_count;
	struct sim_fault faults[SIM_FAULTS_MAX];
};

void sim_spec_draw(uint64_t seed, struct sim_spec *out);
const char *sim_fault_name(enum sim_fault_kind kind);
/* As a C initializer: what a scenario file holds. */
void sim_spec_print(const struct sim_spec *s);

#endif
