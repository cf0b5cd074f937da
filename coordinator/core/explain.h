/* explain.h - why a unit is not running: everything that stands in its way now, in the order in which it is asked of it; why a run does not move
 *
 * A pure question between steps; it looks at whatever the unit needs once (its dependencies, its nodes, what runs), which may be the
 * whole run: for people, not for every step.
 */
#ifndef COORD_EXPLAIN_H
#define COORD_EXPLAIN_H

#include "coordinator/core/io.h"

enum coord_obstacle_kind {
	COORD_O_ENDED = 1,     /* it has ended: state, reason, root_cause */
	COORD_O_ACTIVE,        /* it runs, or is on its way: node, attempt; `started`; other: it waits there for the success of that one */
	COORD_O_RUN_ENDED,     /* of the run: reason */
	COORD_O_RUN_STOPPED,   /* nothing new starts: reason */
	COORD_O_RUN_PAUSED,
	COORD_O_DEPENDENCY,    /* other, its state; one each, at most COORD_O_DEPENDENCIES_MAX */
	COORD_O_DEPENDENCIES,  /* how many more: amount */
	COORD_O_HELD,          /* by a person */
	COORD_O_RETRY_WAIT,    /* amount: microseconds left */
	COORD_O_MAX_WORKERS,   /* the run's: limit, used */
	COORD_O_AGENT_LIMIT,   /* an agent's max_concurrent: name, limit, used */
	COORD_O_LOCK,          /* name, limit, used; other: a unit that holds it, of run other_run; one each, at most COORD_O_HOLDERS_MAX */
	COORD_O_DIRECTORY,     /* other: the unit that holds an overlapping directory, of run other_run; COORD_NONE: many paths are held */
	COORD_O_NO_NODE,       /* no node is there at all */
	COORD_O_NODE,          /* one node: why (enum coord_node_why); each node, when the unit needs one. lacks: what it will never have; limit,
				* used: of its slots, or agent slots, where those are full; silent_us; amount: microseconds left of a quarantine */
	COORD_O_QUEUE,         /* units of its run that go before it: amount; it has room and is next otherwise */
};

enum coord_node_why {
	COORD_WHY_FITS,        /* it has room now */
	COORD_WHY_REMOVED,
	COORD_WHY_AWAY,
	COORD_WHY_SUSPECT,
	COORD_WHY_DRAINING,
	COORD_WHY_QUARANTINED,
	COORD_WHY_GREETING,    /* it has just come: what it holds is being gone through */
	COORD_WHY_REJECTS,     /* it said it takes nothing for a moment */
	COORD_WHY_WORKSPACE,   /* it has no such workspace */
	COORD_WHY_PIN,         /* the unit names another node */
	COORD_WHY_LABELS,
	COORD_WHY_AGENT,       /* it does not have the program of the unit's agent */
	COORD_WHY_TOO_SMALL,   /* fewer slots or agent slots in all than the unit takes */
	COORD_WHY_RESOURCES,   /* fewer of a resource in all */
	COORD_WHY_RESOURCES_BUSY,
	COORD_WHY_FULL,        /* its slots are taken */
	COORD_WHY_CAREFUL,     /* it failed: one unit at a time */
	COORD_WHY_KEPT_FREE,   /* for a wide unit that waits longer */
	COORD_WHY_AVOIDED,     /* the unit failed there by the node's fault, and another is eligible */
};

#define COORD_O_DEPENDENCIES_MAX 100u
#define COORD_O_HOLDERS_MAX 16u

struct coord_obstacle {
	enum coord_obstacle_kind kind;
	enum coord_unit_state state;
	enum proto_reason reason;
	bool started;
	uint32_t attempt, node, other, root_cause; /* COORD_NONE: none */
	uint64_t other_run;
	struct rv_str name;
	uint64_t limit, used, amount;
	enum coord_node_why why;
	struct rv_str lacks;  /* as people read it, "" nothing; borrowed until `each` returns */
	uint64_t silent_us;   /* since it was heard; 0: just now, or never since the coordinator's start */
};

/* Calls `each` for every obstacle; none is told where the unit is placed with the next turn. The run must be in the core. */
void coord_explain(const struct coord *c, uint64_t run, uint32_t unit, void (*each)(void *arg, const struct coord_obstacle *o), void *arg);

/* --- the ready units of a run: what they wait for, a class (units that need the same) at a time --- */

enum coord_wait_why {
	COORD_WAIT_PLACED,      /* nothing: they are placed with the next turns */
	COORD_WAIT_NO_NODE,     /* none has joined */
	COORD_WAIT_NEVER,       /* no node can take them: lacks */
	COORD_WAIT_NOT_HERE,    /* those that could are away, suspect, draining or in quarantine: node is the first of them; lacks: the others */
	COORD_WAIT_STOPPED,     /* nothing new of the run starts */
	COORD_WAIT_PAUSED,
	COORD_WAIT_LOCK,        /* name */
	COORD_WAIT_AGENT,       /* max_concurrent of name */
	COORD_WAIT_MAX_WORKERS,
	COORD_WAIT_DIRECTORY,   /* somebody works in theirs */
	COORD_WAIT_ROOM,        /* nodes that could take them are busy */
};

#define COORD_WAIT_LACKS_BYTES 512u

struct coord_wait {
	enum coord_wait_why why;
	uint32_t unit, units;   /* the first ready one in the order of placing, how many there are */
	uint32_t node;          /* COORD_NONE: none */
	struct rv_str name;
	char lacks[COORD_WAIT_LACKS_BYTES];
	size_t lacks_bytes;
};

/* Classes are numbered from 0; a run that has ended has none. The run must be in the core. Looks at the class's units and at every node. */
uint32_t coord_wait_classes(const struct coord *c, uint64_t run);
bool coord_wait_of(const struct coord *c, uint64_t run, uint32_t class, struct coord_wait *out); /* false: none of it is ready */
const char *coord_wait_name(enum coord_wait_why why);                                            /* "never" ... */

const char *coord_obstacle_name(enum coord_obstacle_kind kind); /* "dependency" ... */
const char *coord_node_why_name(enum coord_node_why why);       /* "draining" ... */

#endif
