/* tables.h - a run's graph as the core sees it (private to coordinator/core/)
 *
 * A *template* here is a unit of the plan: what stands for one unit, or with for_each for many. Edges are kept between
 * templates, as written, so that a join of a million instances by a thousand dependents is a thousand edges. What the
 * instances share has two virtual vertices:
 *
 *	deps of t --> [gate of t] --> every instance of t --> [join of t] --> dependents of t
 *
 * A plain unit (one instance, no for_each) is its own gate and join. `same_as` pairs are arithmetic: no edges at all.
 *
 * One arena holds everything; what changes (unit states, counters, ready sets) lies beside what does not, so that the
 * core allocates nothing.
 */
#ifndef COORD_TABLES_H
#define COORD_TABLES_H

#include "common/arena.h"
#include "common/heap.h"
#include "common/map.h"
#include "common/limits.h"
#include "common/plan/plan.h"
#include "common/rankset.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"

/* A vertex of the whole core in 32 bits: what kind, which run (slot), which unit or template. */
enum coord_vertex_kind { COORD_V_UNIT, COORD_V_JOIN_FAILED, COORD_V_JOIN_DONE, COORD_V_GATE };
#define COORD_V_INDEX_BITS 20u
#define COORD_V_RUN_BITS 10u
_Static_assert(RV_UNITS_MAX + 1 < 1u << COORD_V_INDEX_BITS, "a unit and the verify step fit a vertex");
_Static_assert(RV_RUNS_LIVE_MAX <= 1u << COORD_V_RUN_BITS, "a run's slot fits a vertex");

static inline uint32_t coord_vertex(enum coord_vertex_kind kind, uint32_t run, uint32_t index)
{
	return (uint32_t)kind << 30 | run << COORD_V_INDEX_BITS | index;
}

static inline enum coord_vertex_kind coord_vertex_kind(uint32_t v)
{
	return (enum coord_vertex_kind)(v >> 30);
}

static inline uint32_t coord_vertex_run(uint32_t v)
{
	return v >> COORD_V_INDEX_BITS & ((1u << COORD_V_RUN_BITS) - 1);
}

static inline uint32_t coord_vertex_index(uint32_t v)
{
	return v & ((1u << COORD_V_INDEX_BITS) - 1);
}

/* Counters of what is still awaited: the top bit says that one dependency succeeded. */
#define COORD_WAIT_OK 0x80000000u
#define COORD_WAIT_COUNT 0x7fffffffu

/* Targets of edges: a unit's number, or with the top bit a template whose gate it is. */
#define COORD_EDGE_GATE 0x80000000u

enum coord_unit_flag {
	COORD_U_TRIGGER = 3u << 0,     /* enum plan_trigger */
	COORD_U_HELD = 1u << 2,        /* by a person: not placed until released */
	COORD_U_AVOID = 1u << 3,       /* another node than the last, while one is eligible */
	COORD_U_LOST = 1u << 4,        /* its newest attempt was lost: it may come back until the next is assigned */
	COORD_U_CANCEL = 1u << 5,      /* a person asked: its attempt's end is the unit's */
	COORD_U_DIR_WAIT = 1u << 6,    /* READY, but waits at a path */
	COORD_U_WOKEN = 1u << 7,       /* was woken at a path, the first of its class there: once tried, the next one is */
};

/* One instance. 64 bytes: a cache line. */
#define COORD_LOSS 10u       /* the node of an attempt that was seen to begin */
#define COORD_LOSS_UNSEEN 1u /* of one that was not */

struct coord_unit {
	uint8_t state;         /* enum coord_unit_state */
	uint8_t class;         /* enum proto_class, of the newest failure */
	uint8_t reason;        /* enum proto_reason */
	uint8_t flags;
	uint32_t attempt;      /* newest number, 0: none yet */
	uint32_t slot;         /* ACTIVE: in the core's attempts; waiting at a path, or woken: that path; ended: link of the work queue */
	uint32_t node;         /* of the newest attempt; COORD_NONE */
	uint32_t root_cause;   /* unit; COORD_NONE */
	uint32_t tmpl;
	uint32_t rank;         /* in the run: smaller goes first */
	uint32_t local;        /* the same order within its class */
	uint32_t left, right;  /* links of the waiters at a path; woken and being assigned: left is that path */
	uint16_t place_class;
	uint16_t setting;
	uint16_t tries;        /* attempts that began and are over */
	uint16_t retries;      /* failures of a class in retry.on */
	uint16_t environment, rate_limited;
	uint16_t node_lost;    /* in parts of COORD_LOSS */
	uint8_t not_found : 1; /* an environment failure "program not found" */
	uint8_t try_counted : 1; /* its newest attempt was lost once it had begun: should it come back, it is no other try */
	bool was_reset;        /* and that has not been told yet */
	uint64_t ready_us;     /* CLOCK_REALTIME, shown only */
};
_Static_assert(sizeof(struct coord_unit) == 64, "a unit is a cache line");

struct coord_times {
	uint64_t start_us, end_us; /* CLOCK_REALTIME, of the newest try; 0: not yet */
};

/* A unit's place in its class's order. */
struct coord_place {
	uint32_t unit, rank;
};

enum coord_tmpl_flag {
	COORD_TMPL_MANY = 1u << 0,         /* for_each */
	COORD_TMPL_ITEM_NUMBERS = 1u << 1, /* items are 1..count */
	COORD_TMPL_ESTIMATED = 1u << 2,    /* estimate given or learned, not the default */
	COORD_TMPL_PLAIN_DEPS = 1u << 3,   /* every dependency is a plain unit: the i-th is found at once */
	COORD_TMPL_NEEDS_DEPS = 1u << 4,
	COORD_TMPL_OUTPUT_WANTED = 1u << 5,
	COORD_TMPL_SATISFIED = 1u << 6,
	COORD_TMPL_DIRS_EACH = 1u << 7,    /* dirs: one set an instance, dirs + k */
	COORD_TMPL_OUTER = 1u << 8,        /* of a part: stands for one that the run has */
	COORD_TMPL_LINKED = 1u << 9,       /* units that were added depend on it: more edges behind its row (coord_tmpl_more.links) */
	COORD_TMPL_SHOWS_ARTIFACTS = 1u << 10,  /* its attempts have a namespace to show those of their dependencies in */
	COORD_TMPL_ARTIFACTS_WANTED = 1u << 11, /* some dependent does */
	COORD_TMPL_CONTEXT_FILE = 1u << 12,     /* its attempts have a namespace, and in it a file that may hold a note */
	COORD_TMPL_PROMPT = 1u << 13,           /* its attempts may read a prompt: agents, {prompt} in a command, a file in a namespace */
	/* these change */
	COORD_TMPL_JOIN_FAILED = 1u << 16, /* some instance did not succeed */
	COORD_TMPL_JOIN_OK = 1u << 17,     /* some did */
	COORD_TMPL_GATE_SETTLED = 1u << 18,
	COORD_TMPL_GATE_BLOCKED = 1u << 19, /* settled: the rule cannot hold */
};

struct coord_tmpl {
	uint32_t first, count;        /* its units */
	uint32_t out_first, out_count; /* in graph->out */
	uint32_t in_first, in_count;   /* in graph->in: templates */
	uint32_t flags;
	uint32_t trigger;              /* enum plan_trigger */
	uint32_t same_as;              /* template, COORD_NONE */
	uint32_t pair_first, pair_next; /* templates that are same_as this one; the next of the same list */
	uint32_t dirs;                 /* set of directories, COORD_NONE: none to exclude by */
	/* these change */
	uint32_t join_left;            /* instances that have not ended */
	uint32_t gate_left;            /* shared dependencies that have not; COORD_WAIT_OK */
	uint32_t join_root, gate_root; /* root causes */
};
_Static_assert(sizeof(struct coord_tmpl) == 64, "a template is a cache line");

/* What of a template a step seldom needs. */
struct coord_tmpl_more {
	struct rv_str id, x_id;
	uint64_t estimate_us, path_us;
	uint32_t class, setting;
	uint32_t spec;                 /* in graph->specs */
	uint32_t items;                /* first in graph->items, COORD_NONE */
	uint32_t ids;                  /* first in graph->ids: ids of instances by pattern; COORD_NONE: <id>-0001 */
	uint32_t digits;
	uint32_t meter_first;          /* in graph->meters, COORD_NONE: no agent runs its units */
	uint32_t join_failed_link, join_done_link, gate_link; /* of the work queue */
	uint32_t links;                /* first in graph->links, where LINKED */
	uint64_t content;              /* open runs: hash of all that the plan says of it */
};

/* What the core needs to know of a plan_settings. */
struct coord_setting {
	struct plan_retry retry;
	uint64_t queue_timeout_us;
	uint64_t lost_after_us;
	uint64_t grace_us;
	bool at_most_once;
	bool agent_unit;
	bool hold;
	bool fills; /* agent units: an agent's {{...}} is filled for it (template is not off) */
	uint32_t env_own; /* how many variables, the last ones of the unit's spec, are its own whatever agent runs it */
	struct plan_budget budget;
};

/* One allowed directory: hashes of its prefixes (with the workspace), shortest first; the last is the path itself. */
struct coord_dir {
	uint32_t prefix_first, prefix_count;
};

struct coord_dirset {
	uint32_t dir_first, dir_count;
};

/* What a node must offer, whoever asks. */
struct coord_shape {
	uint32_t slots, agent_slots;
	uint32_t label_first, label_count;
	uint32_t resource_first, resource_count;
	struct rv_str node; /* pin, "" */
	uint8_t profile;    /* enum plan_profile whose program is needed; 0: none */
	struct rv_heap ready; /* classes with ready units that are not parked, by the rank of their first; values: class - class_first */
	uint32_t class_first, class_count; /* its classes lie side by side */
	uint64_t waits_since; /* count of placements when it was parked first since it was served; UINT64_MAX: it does not wait */
	uint32_t reserved;    /* node kept free for it, COORD_NONE */
	bool parked;          /* no node has room: waits for capacity */
	bool hopeless;        /* parked, and no node that is here could ever take it */
	/* What was found when it was parked: no node had room for it, whichever of its units came first, */
	bool full_known;      /* unless one had to keep off a node; */
	bool full_ahead;      /* nor room to be sent ahead, */
	uint32_t full_class;  /* as this class is */
	uint64_t full_since;  /* and it still holds, but for the nodes freed: the number of this placing */
	uint32_t able;        /* a node that could take it when last asked */
};

struct coord_label {
	struct rv_str key, value;
	bool must_not;
};

struct coord_resource {
	uint64_t name; /* hash */
	struct rv_str name_text;
	uint64_t milli;
};

#define COORD_TIMES_SEEN 8u

enum coord_class_block { COORD_CLASS_FREE, COORD_CLASS_AT_LOCK, COORD_CLASS_AT_AGENT };

/* Units that are placed alike. */
struct coord_class {
	uint32_t shape;
	uint32_t agent;              /* COORD_NONE: a command unit's own */
	uint32_t lock_first, lock_count; /* in graph->class_locks */
	bool dirs;                   /* its units hold directories */
	bool prefetch;               /* may be sent ahead: needs slots and nothing else */
	int32_t priority;            /* open runs: of all its units, since ranks are made an addition at a time; else 0 */
	bool plain;                  /* its units run a command of their own: no agent, nothing built in */
	bool quick;                  /* command units, mock, noop: one ahead a slot while nothing is known */
	enum coord_class_block block;
	uint32_t unit_count;
	uint32_t coming;             /* units of a part that is being fitted */
	struct coord_place *order;   /* its units by local rank */
	struct rv_rankset ready;     /* local ranks */
	uint32_t first;              /* of them; RV_RANK_NONE */
	uint64_t next_waiting;       /* in the list of the lock or agent it is parked at */
	uint32_t at_agent;           /* parked at an agent: which; COORD_NONE: at none in particular */
	uint32_t seen[COORD_TIMES_SEEN]; /* durations of its last tries, us, saturating */
	uint32_t seen_count, median_us;
};

/* Tokens and cost of a model (budget.c). */
struct coord_spend {
	uint64_t tokens, cost_microusd;
};

struct coord_agent {
	struct rv_str name, model;
	uint32_t max_concurrent; /* 0: no limit */
	uint32_t running;
	uint32_t waiting;        /* first class parked here */
	uint8_t profile;         /* enum plan_profile whose program a node must have; 0: none */
	bool used_up;            /* its limit was reached when last looked; live */
	struct plan_budget limit;
	struct coord_spend spent, streaming;
};

/* What an agent unit has used. */
struct coord_meter {
	struct proto_usage counted; /* of its newest attempt: what `spent` holds of it */
	struct coord_spend spent;   /* by all its attempts */
	uint32_t agent;             /* that a person chose in place of its own; COORD_NONE: none */
};

/* An edge to what was added later than the template it comes from. */
struct coord_link {
	uint32_t edge, next; /* next: in graph->links, COORD_NONE */
};

/* How many of each table there are, or is room for. */
struct coord_sizes {
	uint32_t in, out, links, items, ids, settings, dirsets, dirs, prefixes, labels, resources, class_locks;
	uint32_t tmpls, vertices, specs, shapes, classes, meters, agents, timers; /* room alone: their counts stand beside the tables */
};

struct coord_lock_name {
	struct rv_str name;
	uint64_t hash;
	uint32_t count;
	uint32_t place; /* in the core's table, once the run is there */
};

struct coord_graph {
	struct rv_arena arena;
	uint64_t run;
	struct rv_str name;
	uint32_t unit_count;    /* the verify step, if there is one, is unit number unit_count */
	uint32_t vertex_count;  /* with the verify step */
	bool has_verify;
	uint64_t edge_count;    /* expanded */
	uint32_t max_workers;
	enum plan_on_failure on_failure;
	enum plan_placement placement;
	struct plan_limits limits;
	uint64_t timeout_us;
	uint64_t workspace;     /* hash of its root: runs of one workspace exclude each other's directories */
	struct proto_workspace shared; /* what is told of it to nodes */
	bool estimated;         /* some unit has an estimate */
	bool timers;            /* some unit can wait for a time: `timers` has room */
	bool open;              /* units may be added: `names` is kept, and outputs of all units */
	struct coord_sizes used, room; /* room 0: none but for what is there */
	uint32_t ranks;         /* the next rank */
	struct rv_str head;     /* open: its plan without units, as plan_save() writes it */
	struct rv_strmap names; /* ids of templates, and of instances that are named by a pattern -> template: where open, or once asked for often */
	bool named;             /* not open: they are there */
	uint32_t looks;         /* and how often all templates have been gone through for want of them */
	struct coord_part *part; /* of a graph that is added to another (grow.h): where everything goes */

	struct coord_tmpl *tmpls;
	struct coord_tmpl_more *more; /* beside it */
	uint32_t tmpl_count;    /* with the verify step's, the last */
	struct coord_unit *units;
	struct coord_times *times;
	uint32_t *waiting;      /* a unit's counter */
	struct coord_place *order; /* class by class: what the classes' orders are parts of */
	struct coord_link *links;
	uint32_t *out, *in;
	struct rv_str *specs;
	uint32_t spec_count;
	struct rv_str *items, *ids;
	struct coord_setting *settings;
	struct coord_dirset *dirsets;
	uint32_t paths_most;    /* that one unit holds */
	struct coord_dir *dirs;
	uint64_t *prefixes;
	struct coord_shape *shapes;
	uint32_t shape_count;
	struct coord_label *labels;
	struct coord_resource *resources;
	struct coord_class *classes;
	uint32_t class_count;
	uint32_t *class_locks;
	struct coord_agent *agents;
	uint32_t agent_count;   /* the plan's, then the built-in profiles that it does not name */
	uint32_t waiting_any;   /* first class parked at no agent in particular: its units wait for several */
	struct coord_meter *meters; /* NULL: it has no agent units */
	uint32_t meter_count;
	struct rv_str *agent_specs; /* by agent: a spec of what the agent sets; "": it runs no agent unit */
	struct coord_lock_name *locks;
	uint32_t lock_count;
	struct rv_heap ready;   /* shapes by the rank of their first unit */
	struct rv_heap unit_timers; /* retry waits and queue timeouts, where `timers` */
};

static inline enum plan_trigger coord_unit_trigger(const struct coord_unit *u)
{
	return (enum plan_trigger)(u->flags & COORD_U_TRIGGER);
}

#endif
