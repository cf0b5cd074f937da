/* state.h - the core's tables and the way a step goes through them (private to coordinator/core/)
 *
 *	event --> on_client / on_node / lease --decide--> coord_fact() + apply_*() --> work queue --> spread.c --> run ends
 *	TURN  --> deadlines, then place.c --> ASSIGNED + DISPATCH
 *
 * A decision is a fact; the fact is emitted (live) and applied by the function that replay uses (apply.c). What follows from it in
 * the graph goes through the work queue, which is empty before the next fact is applied: live state equals replayed state.
 *
 * Runs, nodes and attempts lie in pools made at creation; they are named by slot. Lists are links of slots, never pointers.
 */
#ifndef COORD_STATE_H
#define COORD_STATE_H

#include "common/check.h"
#include "common/map.h"
#include "common/prng.h"
#include "coordinator/core/tables.h"

#define COORD_RESOURCES_MAX RV_RESOURCES_MAX
#define COORD_NODE_TEXT_BYTES 2048u
#define COORD_RESEND_LEVELS 6u        /* 1, 2, 4, 8, 16, 30 s */
#define COORD_REQUESTS_MAX 10000u
#define COORD_BYPASS_MAX 100u
#define COORD_LOCKS_MAX (4 * RV_LOCKS_MAX)
#define COORD_QUARANTINE_AT 3u
#define COORD_BUDGET_MAX 1000000000000000u /* as in plans: tokens, or millionths of a dollar */
#define COORD_SCRATCH_BYTES ((size_t)256 << 10)
#define COORD_BEHIND_MAX 3u           /* attempts handed over one behind the other */
#define COORD_BEHIND_US 100000u       /* what is short and has waited at its node for longer is asked back: what it waits for is not short after all */
#define COORD_BEHIND_ROOM (4 * COORD_BEHIND_MAX) /* effects that giving them up takes */
#define COORD_LEADS_MAX 256u
#define COORD_NO_LEVEL UINT8_MAX      /* in no list of what is sent again */
#define COORD_ITEM_BYTES_MAX 768u     /* of scratch, that one decision may need an effect */

/* --- attempts ------------------------------------------------------------------------------------------------- */

enum coord_attempt_state {
	COORD_A_FREE,
	COORD_A_UNKNOWN,    /* from the journal: the node has not said yet */
	COORD_A_SENT,       /* DISPATCH is not answered */
	COORD_A_TAKEN,
	COORD_A_RUNNING,
	COORD_A_STOPPING,   /* CANCEL is not answered */
	COORD_A_RETRACTING, /* RETRACT is not answered */
};

struct coord_attempt {
	uint8_t state;
	uint8_t sends;              /* of the unanswered message */
	uint8_t level;              /* resend list it is in; UINT8_MAX: none */
	uint8_t cancel_reason;      /* enum proto_reason */
	bool started;               /* STARTED was seen */
	bool counted;               /* in the node's table digest */
	bool overtook;              /* its result came before that of what it comes after, and is to be asked for */
	uint32_t run, unit, attempt, node;
	uint32_t after, behind;     /* attempts of its run and node: whose success it waits for there; which one waits for it; COORD_NONE */
	uint32_t run_prev, run_next;   /* the run's attempts */
	uint32_t node_prev, node_next; /* the node's, oldest first */
	uint32_t wait_prev, wait_next; /* the node's resend list of this level */
	uint32_t mark;              /* HELLO that last listed it */
	uint64_t sent_us;           /* DISPATCH, the first time */
	uint64_t due_us;            /* of the resend */
	uint64_t grace_us;          /* STOPPING */
	uint64_t epoch;             /* it was assigned in; 0: given up, and taken back later */
	uint64_t incarnation;       /* of its node, when it was assigned */
};

/* An attempt, as it was when it was noted. */
struct coord_lead {
	uint32_t slot, run, unit, attempt;
};

/* Beside it, of attempts of agent units. */
struct coord_attempt_usage {
	struct proto_usage seen;    /* what it reported, cumulative */
	struct coord_spend more;    /* than its unit's meter has counted */
	uint32_t agent;             /* that runs it */
};

struct coord_ring {
	uint32_t first, last;
};

/* --- nodes ------------------------------------------------------------------------------------------------------ */

enum coord_node_state { COORD_N_AWAY, COORD_N_JOINED, COORD_N_SUSPECT };
/* CAREFUL and PROBED get one unit at a time; QUARANTINED none until its probe is due. */
enum coord_node_health { COORD_H_GOOD, COORD_H_CAREFUL, COORD_H_PROBED, COORD_H_QUARANTINED };

struct coord_node_resource {
	uint64_t name;              /* hash */
	uint64_t milli, used;
};

struct coord_node {
	/* folded */
	char name[RV_NAME_BYTES_MAX + 1];
	uint8_t key[PROTO_DIGEST_BYTES];
	bool draining, removed;
	uint64_t drain_us;          /* how long what runs may go on once it drains; 0: as long as it likes */
	uint8_t health;             /* enum coord_node_health; QUARANTINED is folded */
	uint8_t boot_id[16];        /* zeros: it was never met */
	uint64_t incarnation;
	/* from HELLO */
	uint8_t state;
	uint64_t peer, session;
	uint64_t slots, agent_slots;
	struct coord_node_resource resources[COORD_RESOURCES_MAX];
	uint32_t resource_count;
	uint32_t label_count;       /* in `text` */
	uint32_t agent_count;       /* behind them, as they are: name and version */
	uint32_t profiles;          /* bits of enum plan_profile: whose program it has */
	bool holds_behind;          /* it may be handed an attempt behind another */
	uint64_t memory_bytes;
	char kill_level[16];
	uint32_t hello_page, hello_mark; /* the page awaited; number of this HELLO */
	bool reconciling;           /* a HELLO is being gone through: */
	uint32_t reconcile;         /* the attempt to look at next; COORD_NONE */
	uint64_t drain_at_us;       /* when what runs is ended, counted anew after a start; RV_NEVER: not, or all of it has been told */
	uint64_t full_until_us;     /* it rejected: no work until then */
	uint64_t hello_n;           /* number of its newest HELLO in that incarnation */
	bool greeted;               /* the last page has been seen and gone through: it may be given work */
	bool rebooted;              /* what it held before this HELLO is gone */
	/* what it holds */
	uint64_t slots_used, agent_used;
	struct coord_ring attempts, resend[COORD_RESEND_LEVELS];
	uint32_t attempt_count;
	uint32_t behind_count;      /* of them: handed over behind others; they take no places yet */
	uint64_t behind_due_us;     /* when it is looked whether they stand there for too long; RV_NEVER */
	uint64_t digest;
	uint64_t lost_after_min_us; /* of what it holds; RV_NEVER when empty */
	uint32_t reserved_run, reserved_shape; /* a wide unit waits for it; COORD_NONE */
	/* liveness, in the clock that stands still while we are stalled */
	uint64_t heard_us;
	uint64_t heartbeat_us;
	uint64_t messages_in, messages_out; /* of the session */
	uint64_t deadline_us;       /* in the core's heap; RV_NEVER */
	bool lost_told;
	uint64_t rtt_us;            /* DISPATCH to TAKEN, moving mean */
	bool over;                  /* holds more than it has places for: some is prefetched */
	bool freed;                 /* is in the core's list of those */
	/* health */
	uint32_t failures_row;
	uint8_t last_class;         /* enum proto_class of the last try that failed here since the start; NONE */
	uint32_t recoveries;        /* times it was well again, since the start */
	uint32_t stolen;            /* attempts asked back for an idle node, since the start */
	uint64_t probe_us;          /* QUARANTINED: when the next unit may be tried */
	uint32_t probes;
	char text[COORD_NODE_TEXT_BYTES]; /* labels: key NUL value NUL ...; last, so that what placing looks at lies together */
};

/* --- runs -------------------------------------------------------------------------------------------------------- */

enum coord_sweep { COORD_SWEEP_NONE, COORD_SWEEP_BEGIN /* ready what has no dependencies */, COORD_SWEEP_CLOSE /* end what never started */ };

struct coord_run {
	struct coord_graph *g;      /* NULL: free slot */
	uint64_t id;
	uint32_t order;             /* of acceptance */
	int32_t priority;
	uint8_t state;              /* enum coord_run_state */
	uint8_t reason;             /* enum proto_reason: why it ended so */
	uint8_t stop;               /* enum proto_reason: why nothing new starts; NONE */
	bool stop_cancels;          /* and what runs is cancelled */
	bool paused, started, ended;
	bool open;                  /* units may be added; folded */
	bool recounted;             /* units were reset: some pending one may be blocked already */
	uint32_t stop_root;         /* unit that failed first */
	uint32_t first_failed;
	uint32_t counts[COORD_UNIT_STATE_COUNT];
	uint32_t retries, node_lost;
	uint32_t max_workers, failed_max; /* 0: no limit */
	uint32_t active;            /* attempts, the verify step's too */
	uint32_t behind;            /* of them: handed over behind others; of units, which are shown as pending until those have succeeded */
	uint64_t usage;             /* slots and agent slots */
	uint8_t sweep;
	uint32_t sweep_at;
	uint32_t cancel_at;         /* attempt to cancel next; COORD_NONE */
	uint64_t stop_grace_us;
	bool check_end;
	struct coord_ring attempts;
	uint64_t deadline_us;       /* of the run; RV_NEVER */
	uint32_t robin;             /* round robin: the last node */
	uint64_t *no_workspace;     /* bit a node */
	uint32_t parked_shapes;
	uint32_t reservations;      /* nodes kept free for its wide shapes */
	struct plan_budget limit;   /* of the whole run, as the plan or a person says */
	struct coord_spend spent, streaming;
	uint8_t budget_reason;      /* of the unit that ended for want of one first; NONE */
	bool budget_look;           /* sums have changed: look at the limits */
};

/* --- paths and locks ------------------------------------------------------------------------------------------------ */

struct coord_path {
	uint64_t hash;
	uint32_t held;              /* attempts that hold exactly this path */
	uint32_t below;             /* that hold one under it */
	uint32_t above_waiters;     /* units that wait until held is 0: a heap of vertices by rank for each class, the roots in a row */
	uint32_t self_waiters;      /* units that wait until below is 0, too */
	uint32_t next_free;
};

struct coord_lock {
	uint64_t hash;
	uint32_t capacity, used;
	uint64_t waiting;           /* first class parked here: run slot << 32 | class; UINT64_MAX: none; links in class.next_waiting */
	uint32_t users;             /* runs that name it */
};

/* --- the core ------------------------------------------------------------------------------------------------------- */

struct coord {
	struct coord_config cfg;
	/* of this step */
	struct coord_effects *out;
	char *scratch;
	size_t scratch_used;
	uint64_t now_us, real_us, last_us;
	uint64_t gap_us;            /* since the step before */
	uint64_t position;
	uint32_t index;
	uint32_t part;                /* how many transitions the last fact has led to */
	bool live, turning;
	bool anew;                  /* the last fact was this process's beginning */
	bool unfinished;            /* the last step had no room for all that follows */
	uint32_t mutated;           /* what the last mutation changed */
	/* of the journal */
	uint64_t epoch;
	uint64_t sessions;
	uint64_t stalled_us;        /* liveness clock = now - stalled */
	uint64_t commit_us;
	struct rv_prng prng;
	/* pools */
	struct coord_run *runs;
	struct rv_intmap run_map;
	uint32_t run_count, runs_seen;
	uint32_t *run_order;        /* slots in order of acceptance */
	struct coord_node *nodes;
	uint32_t node_count;
	struct rv_intmap peer_map;
	struct coord_attempt *attempts;
	struct coord_attempt_usage *usage; /* by slot */
	uint32_t looks;             /* runs whose limits are to be looked at */
	uint32_t attempt_free;      /* list through run_next: used before */
	uint32_t attempt_fresh;     /* slots from here on were never used, nor touched */
	uint32_t attempt_count;
	/* work */
	uint32_t work_first, work_last; /* vertices */
	uint32_t work_cursor;       /* how far the first one has been spread */
	uint32_t sweeps, checks;    /* runs with a sweep or cancel under way; runs to check for their end */
	/* placement */
	struct rv_heap run_heap;    /* runs with something placeable, by priority and share */
	struct rv_heap busy_slots, busy_agents; /* nodes that may get work, least busy first */
	bool capacity_freed;        /* parked shapes may fit again: */
	bool freed_anywhere;        /* on any node, or only on these since the last placing was done */
	uint32_t *freed, freed_count;
	uint64_t placing;           /* number of this placing: of step after step until all has been tried */
	uint64_t rtt_most_us;       /* that any node ever had */
	struct rv_heap fullest;     /* nodes that hold prefetched attempts, most first */
	uint32_t parked_shapes;     /* of all runs */
	uint64_t placements;        /* counts */
	uint32_t over;              /* nodes that hold prefetched attempts */
	uint32_t retracting;        /* attempts on their way back to be stolen */
	struct coord_lead leads[COORD_LEADS_MAX]; /* attempts of this turn that something may be handed over behind */
	uint32_t lead_count;
	uint32_t reconciling;       /* nodes with a HELLO to go through */
	/* deadlines: runs, then nodes */
	struct rv_heap deadlines;
	/* exclusion */
	struct coord_path *paths;
	uint32_t path_free, path_room, path_fresh; /* path_fresh: entries from here on have never been used */
	uint32_t corpses;           /* ended units that are still in a heap of waiters */
	struct rv_intmap path_map;
	struct coord_lock *locks;
	uint32_t lock_count;
	/* request ids */
	uint64_t *requests;
	struct rv_intmap request_map;
	uint64_t request_count;
	void *blocks[32];           /* what coord_create() took */
	uint32_t block_count;
	uint64_t stale;             /* late messages: counted, never applied */
	uint32_t unit_cells[COORD_UNIT_STATE_COUNT][COORD_UNIT_EVENTS]; /* for tests: how often each cell of unit.c's table was used */
};

/* --- emit.c: effects -------------------------------------------------------------------------------------------------- */

/* Is there room for `n` more effects and what they point to? */
static inline bool coord_room(const struct coord *c, uint32_t n)
{
	return c->out->count + n <= c->out->capacity && c->scratch_used + (size_t)n * COORD_ITEM_BYTES_MAX <= COORD_SCRATCH_BYTES;
}

struct coord_effect *coord_emit(struct coord *c, enum coord_effect_kind kind, uint64_t peer);
/* Copies the fact's used part to scratch and, live, emits it; gives the copy to apply. */
const struct proto_fact *coord_fact(struct coord *c, const struct proto_fact *f);
/* One to fill in, in scratch already (its kind is set, its other fields that are used are not); then coord_decide_new(). Live only. */
struct proto_fact *coord_fact_new(struct coord *c, enum proto_fact_kind kind);
void coord_decide_new(struct coord *c, const struct proto_fact *f);
/* A transition with its defaults, already emitted: fill in what is particular. */
struct coord_transition *coord_tell(struct coord *c, enum coord_transition_kind kind, const struct coord_run *r, uint32_t unit);
struct coord_transition *coord_tell_node(struct coord *c, enum coord_transition_kind kind, uint32_t node);

/* --- lists of attempts ---------------------------------------------------------------------------------------------------- */

static inline bool coord_attempt_room(const struct coord *c)
{
	return c->attempt_free != COORD_NONE || c->attempt_fresh < c->cfg.attempts_max;
}

static inline uint32_t coord_run_slot(const struct coord *c, const struct coord_run *r)
{
	return (uint32_t)(r - c->runs);
}

static inline struct coord_unit *coord_unit_at(const struct coord_run *r, uint32_t unit)
{
	return &r->g->units[unit];
}

static inline bool coord_unit_is_verify(const struct coord_run *r, uint32_t unit)
{
	return unit == r->g->unit_count;
}

static inline bool coord_state_ended(uint8_t state)
{
	return state >= COORD_UNIT_SUCCEEDED;
}

static inline const struct coord_setting *coord_unit_setting(const struct coord_run *r, const struct coord_unit *u)
{
	return &r->g->settings[u->setting];
}

static inline struct coord_class *coord_unit_class(const struct coord_run *r, const struct coord_unit *u)
{
	return &r->g->classes[u->place_class];
}

/* Its attempt was handed over behind one that has not ended. */
static inline bool coord_unit_is_behind(const struct coord *c, const struct coord_unit *u)
{
	return u->state == COORD_UNIT_ACTIVE && c->attempts[u->slot].after != COORD_NONE;
}

struct coord_run *coord_run_find(struct coord *c, uint64_t id);

/* --- unit.c: the states of a unit ------------------------------------------------------------------------------------------ */

enum coord_unit_event {
	COORD_UE_READY,     /* its rule holds: ready, or held */
	COORD_UE_ASSIGN,
	COORD_UE_RETRY,     /* its attempt ended and it waits */
	COORD_UE_REQUEUE,   /* its attempt ended and it is ready again; a wait is over */
	COORD_UE_HOLD,
	COORD_UE_RELEASE,
	COORD_UE_END,       /* terminal: state, class, reason in the argument */
	COORD_UE_RESET,     /* an ended unit goes back to pending */
	COORD_UE_COUNT
};

struct coord_unit_end {
	enum coord_unit_state state;
	enum proto_class class;
	enum proto_reason reason;
	uint32_t root_cause;
	const struct proto_result *result; /* NULL: none */
};

struct coord_unit_assign {
	uint32_t attempt, node;
	struct proto_after after;
};

enum coord_unit_move { COORD_MOVED, COORD_MOVE_STALE };

enum coord_unit_move coord_unit_event(struct coord *c, struct coord_run *r, uint32_t unit, enum coord_unit_event ev, const void *arg);

/* --- spread.c: what follows in the graph -------------------------------------------------------------------------------------- */

/* Hints: the counters of its dependents are wanted soon, then the units themselves. */
void coord_spread_counters(const struct coord_run *r, const struct coord_tmpl *tm);
void coord_spread_units(const struct coord_run *r, const struct coord_tmpl *tm);
void coord_work_push(struct coord *c, uint32_t vertex);
/* Spreads until nothing is left: true; false: out of room. */
bool coord_work(struct coord *c);
/* The counters of the whole graph anew from the states of its units (after a reset), then what is ready is swept up. */
void coord_spread_recount(struct coord *c, struct coord_run *r);
void coord_spread_count_new(struct coord_run *r, uint32_t from); /* templates from this one on */
void coord_spread_begin(struct coord *c, struct coord_run *r, uint32_t unit);

/* --- ready.c: queues of what may be placed --------------------------------------------------------------------------------------- */

void coord_ready_add(struct coord *c, struct coord_run *r, uint32_t unit);
void coord_ready_remove(struct coord *c, struct coord_run *r, uint32_t unit);
/* The class's place among its shape's, the shape's among the run's, the run's among runs, anew. */
void coord_ready_update(struct coord *c, struct coord_run *r, uint32_t class);
void coord_ready_update_run(struct coord *c, struct coord_run *r);
void coord_ready_park_shape(struct coord *c, struct coord_run *r, uint32_t shape);
void coord_ready_unpark_shapes(struct coord *c);
void coord_ready_unpark_class(struct coord *c, struct coord_run *r, uint32_t class);

/* --- place.c ----------------------------------------------------------------------------------------------------------------------- */

bool coord_place(struct coord *c); /* false: out of room */
/* This node may have room for what had none before; COORD_NONE: any may. */
void coord_capacity_freed(struct coord *c, uint32_t node);
/* Has no node a place free for the first unit of any shape that is parked? Looks at all of them. */
bool coord_place_parked_rightly(const struct coord *c, const struct coord_run *r);
bool coord_steal(struct coord *c); /* the same */
/* Its units are looked at again: one has come that does not wait for what the others do. */
void coord_place_unpark_class(struct coord *c, struct coord_run *r, uint32_t class);
void coord_place_came(struct coord *c, struct coord_run *r, uint32_t unit); /* the same, if the unit is such a one */
void coord_place_unreserve(struct coord *c, struct coord_run *r, uint32_t shape);
void coord_place_unreserve_all(struct coord *c, struct coord_run *r);

/* --- locks.c ------------------------------------------------------------------------------------------------------------------------- */

bool coord_locks_free(struct coord *c, struct coord_run *r, uint32_t class, bool park); /* false: parked at the first that is not */
void coord_locks_take(struct coord *c, struct coord_run *r, uint32_t class);
void coord_locks_give(struct coord *c, struct coord_run *r, uint32_t class);
bool coord_lock_named(const struct coord *c, uint64_t hash);   /* by some run that is here */
void coord_locks_name(struct coord *c, struct coord_run *r);   /* a run comes */
void coord_locks_unname(struct coord *c, struct coord_run *r); /* a run goes */
bool coord_dirs_free(struct coord *c, struct coord_run *r, uint32_t unit, bool wait); /* false: the unit waits at a path */
void coord_dirs_take(struct coord *c, struct coord_run *r, uint32_t unit);
void coord_dirs_give(struct coord *c, struct coord_run *r, uint32_t unit);
enum coord_leave { COORD_LEAVE_TO_RUN, COORD_LEAVE_FOR_A_WHILE, COORD_LEAVE_FOR_GOOD };
/* One that waits at a path, or was woken at one, does not any more. */
void coord_dirs_leave(struct coord *c, struct coord_run *r, uint32_t unit, enum coord_leave why);
void coord_dirs_bury(struct coord *c); /* before units are reset or a run goes */
bool coord_path_waits_rightly(const struct coord *c, const struct coord_path *p); /* for audits */

/* --- attempt.c ------------------------------------------------------------------------------------------------------------------------- */

/* Takes a slot and all it needs. `after`: the attempt that it is handed over behind: then no places at the node yet; COORD_NONE: behind none. */
void coord_attempt_hold(struct coord *c, struct coord_run *r, uint32_t unit, uint32_t node, uint32_t after);
void coord_attempt_take_places(struct coord *c, struct coord_run *r, uint32_t slot); /* of its node, for its slots */
void coord_attempt_drop(struct coord *c, struct coord_run *r, uint32_t unit);                /* gives all back */
void coord_attempt_count(struct coord *c, uint32_t slot);     /* the node has it, as far as we know: in its table digest */
void coord_attempt_dispatch(struct coord *c, uint32_t slot);  /* sends it (again) */
void coord_attempt_cancel(struct coord *c, uint32_t slot, enum proto_reason reason, uint64_t grace_us);
void coord_attempt_retract(struct coord *c, uint32_t slot);
void coord_attempt_answered(struct coord *c, uint32_t slot);
void coord_attempt_began(struct coord *c, uint32_t slot, bool tell); /* it runs, and needs no answer any more */
void coord_attempt_state(struct coord *c, uint32_t slot, enum coord_attempt_state state);
/* Resends what is due at the node; false: out of room. */
bool coord_attempt_resend(struct coord *c, uint32_t node);
uint64_t coord_attempt_resend_due(const struct coord *c, const struct coord_node *n);
uint32_t coord_attempt_find(struct coord *c, struct proto_attempt_key key, struct coord_run **run); /* COORD_NONE */

/* --- behind.c ------------------------------------------------------------------------------------------------------------------------- */

struct proto_after coord_behind_of(const struct coord *c, const struct coord_attempt *a); /* what it comes after; attempt 0: nothing */
void coord_behind_begin(struct coord *c, uint32_t slot, uint32_t after);
void coord_behind_end(struct coord *c, uint32_t slot); /* it comes after nothing any more */
void coord_behind_free(struct coord *c, struct coord_run *r, uint32_t slot); /* what it came after has succeeded, and given its places back */
/* The attempt ends without success: what was handed over behind it ends before it. Takes room for COORD_BEHIND_ROOM effects. */
void coord_behind_give_up(struct coord *c, struct coord_run *r, uint32_t slot);
/* This one, which waits for another, is pending again, and so are those behind it; `tell` its node, too. The same room. */
void coord_behind_give_back(struct coord *c, struct coord_run *r, uint32_t slot, bool tell);
void coord_behind_lead(struct coord *c, uint32_t slot); /* at the end of the turn something may be handed over behind this one */
bool coord_behind_place(struct coord *c); /* false: out of room */
void coord_behind_watch(struct coord *c, uint32_t node); /* something stands behind another one there: it is looked at in time */
bool coord_behind_due(struct coord *c, uint32_t node);   /* asks back what has stood there for too long; false: out of room */

/* --- nodes.c, lease.c ---------------------------------------------------------------------------------------------------------------------- */

struct coord_node *coord_node_by_peer(struct coord *c, uint64_t peer);
bool coord_node_usable(const struct coord_node *n);
void coord_node_update(struct coord *c, uint32_t node); /* its places in the heaps of busy and of fullest nodes anew */
void coord_node_rtt(struct coord *c, struct coord_node *n, uint64_t rtt_us); /* one more round trip was seen */
void coord_node_deadline(struct coord *c, uint32_t node, uint64_t at_us); /* no later than this */
void coord_node_away(struct coord *c, uint32_t node);
uint32_t coord_nodes_joined(const struct coord *c);
void coord_node_health(struct coord *c, uint32_t node, const struct proto_result *result);
/* Of a profile whose program a node has to have; "": it needs none. */
struct rv_str coord_profile_name(uint32_t profile);
bool coord_node_fits(const struct coord_node *n, const struct coord_graph *g, const struct coord_shape *sh); /* by labels, pin, totals */
bool coord_node_resources_free(const struct coord_node *n, const struct coord_graph *g, const struct coord_shape *sh, bool total);
void coord_node_describe(struct coord_node *n, const struct proto_node_info *info);
void coord_node_recount(struct coord *c, uint32_t node);
void coord_node_probe(struct coord *c, uint32_t node);
bool coord_lease_due(struct coord *c, uint32_t node);       /* false: out of room */
bool coord_lease_reconcile(struct coord *c, uint32_t node); /* after a HELLO; false: out of room */
uint64_t coord_live_us(const struct coord *c);
uint64_t coord_lease_step(const struct coord *c); /* what may pass until the next step without being a stall of ours */
uint64_t coord_lease_heartbeat(const struct coord *c, const struct coord_node *n);
void coord_attempt_lost(struct coord *c, uint32_t slot);

/* --- run.c ------------------------------------------------------------------------------------------------------------------------------------ */

void coord_run_begin(struct coord *c, struct coord_run *r); /* makes ready what may be */
void coord_run_begin_from(struct coord *c, struct coord_run *r, uint32_t unit); /* units from this one on are new */
void coord_run_stop(struct coord *c, struct coord_run *r, enum proto_reason reason, uint32_t root, uint64_t grace_us);
void coord_run_failed_check(struct coord *c, struct coord_run *r, uint32_t unit); /* have as many failed as may? `unit`: the root then */
void coord_run_unit_failed(struct coord *c, struct coord_run *r, uint32_t unit);
void coord_run_check(struct coord *c, struct coord_run *r); /* look at its end once the work is done */
bool coord_run_sweeps(struct coord *c);                     /* false: out of room */
bool coord_run_ends(struct coord *c);
void coord_run_deadline(struct coord *c, struct coord_run *r); /* its place in the heap of deadlines anew */
bool coord_run_due(struct coord *c, struct coord_run *r);
void coord_run_release(struct coord *c, struct coord_run *r);

void coord_run_cancel_some(struct coord *c, struct coord_run *r); /* attempts whose budget is used up */
uint32_t coord_run_ended_count(const struct coord_run *r);

/* --- budget.c -------------------------------------------------------------------------------------------------------------------------------------- */

bool coord_reason_is_budget(enum proto_reason reason);
struct coord_meter *coord_budget_meter(const struct coord_run *r, uint32_t unit); /* NULL: it is no agent unit */
/* The agent that the unit's next, or running, attempt is run by; COORD_NONE: its own command. */
uint32_t coord_budget_agent(const struct coord_run *r, uint32_t unit);
/* That is another one than its class's: what the shape asks for, with that one's program. false: `out` is not set. */
bool coord_budget_shape(const struct coord_run *r, uint32_t unit, struct coord_shape *out);
uint32_t coord_attempt_agent(const struct coord *c, const struct coord_run *r, uint32_t slot); /* the same of an attempt, as it was assigned */
void coord_budget_assigned(struct coord *c, struct coord_run *r, uint32_t unit, bool again); /* `again`: the same attempt as before */
void coord_budget_dropped(struct coord *c, struct coord_run *r, uint32_t slot);
/* A result, folded: called before the unit moves on. */
void coord_budget_ended(struct coord *c, struct coord_run *r, const struct proto_result *res);
/* What the running attempt reported goes into its result, where it is more; was there something? */
bool coord_budget_merge(const struct coord *c, const struct coord_run *r, struct proto_result *res);
void coord_budget_report(struct coord *c, uint32_t slot, const struct proto_usage *usage);
/* Why no attempt of the unit may start any more; NONE: one may. */
enum proto_reason coord_budget_refuses(const struct coord_run *r, uint32_t unit);
enum proto_reason coord_budget_cancels(const struct coord *c, const struct coord_run *r, uint32_t slot); /* the same of one that runs */
void coord_budget_dispatch(const struct coord *c, const struct coord_run *r, uint32_t unit, struct coord_effect *e); /* what limits leave, and another agent */
bool coord_budget_look(struct coord *c); /* false: out of room */
void coord_budget_changed(struct coord *c, struct coord_run *r); /* a limit of the run did */
void coord_budget_begin(struct coord *c); /* serving: look at every run */

/* --- core.c ---------------------------------------------------------------------------------------------------------------------------------------- */

bool coord_follow(struct coord *c); /* what follows from the facts applied so far; false: out of room */

/* --- retry.c --------------------------------------------------------------------------------------------------------------------------------------- */

enum coord_verdict { COORD_V_END, COORD_V_AGAIN };

struct coord_failure {
	enum coord_verdict verdict;
	enum coord_unit_state state; /* END */
	enum proto_class class;
	enum proto_reason reason;
	uint64_t delay_us;           /* AGAIN */
};

/* What the loss of an attempt's node counts towards limits.node_lost, in parts of COORD_LOSS. */
uint32_t coord_loss_weight(const struct proto_result *result);
struct coord_failure coord_retry_decide(struct coord *c, const struct coord_run *r, uint32_t unit, const struct proto_result *result);

/* --- outcome.c ----------------------------------------------------------------------------------------------------------------------------------------- */

/* An attempt is over: decides what follows for its unit. */
void coord_end_attempt(struct coord *c, struct coord_run *r, uint32_t unit, uint32_t node, const struct proto_result *res);
void coord_attempt_again(struct coord *c, uint32_t node, const struct proto_result *res); /* its unit is to go again, at once */

/* --- estimate.c --------------------------------------------------------------------------------------------------------------------------------------- */

void coord_estimate_seen(struct coord_class *cl, uint64_t duration_us);
/* No unit waits for its result, nor for a lock or a place in the run, nor does the run's stop: what is left is to keep its node busy, and that
 * the node sees itself. Not what is no process: that has its result at once. */
bool coord_estimate_no_hurry(const struct coord_run *r, uint32_t unit);
/* How many units of this class may be sent ahead for each place of a node with this round trip, at most RV_PREFETCH_MAX. */
uint64_t coord_estimate_ahead(const struct coord *c, uint64_t rtt_us, const struct coord_run *r, const struct coord_class *cl, uint32_t unit);
/* How long units of this class take, as far as that is known; 0: it is not. */
uint64_t coord_estimate_known(const struct coord_run *r, const struct coord_class *cl, uint32_t unit);

/* --- apply.c: facts folded, live and in replay -------------------------------------------------------------------------------------------------------- */

void coord_apply(struct coord *c, const struct proto_fact *f, struct coord_graph *g);
/* grow.c: a part that was fitted. */
void coord_grow(struct coord *c, struct coord_run *r, const struct coord_graph *part);
/* Emits, then applies. */
void coord_decide(struct coord *c, const struct proto_fact *f, struct coord_graph *g);

/* --- on_client.c, on_node.c --------------------------------------------------------------------------------------------------------------------------------- */

void coord_on_mutation(struct coord *c, const struct coord_event *ev);
void coord_apply_mutation(struct coord *c, const struct proto_fact *f);
void coord_on_run_stop(struct coord *c, const struct coord_event *ev);
bool coord_request_known(const struct coord *c, uint64_t request);
void coord_on_hello(struct coord *c, const struct coord_event *ev);
void coord_on_node(struct coord *c, const struct coord_event *ev);

#endif
