/* explain.h - why a unit is not running: everything that stands in its way now, in the order in which it is asked of it
 *
 * A pure question between steps; it looks at whatever the unit needs once (its dependencies, its nodes, what runs), which may be the
 * whole run: for people, not for every step.
 */
#ifndef COORD_EXPLAIN_H
#define COORD_EXPLAIN_H

#include "coordinator/core/io.h"

enum coord_obstacle_kind {
	COORD_O_ENDED = 1,     /* it has ended: state, reason, root_cause */
	COORD_O_ACTIVE,        /* it runs, or is on its way: node, attempt; `started` */
	COORD_O_RUN_ENDED,     /* of the run: reason */
	COORD_O_RUN_STOPPED,   /* nothing new starts: reason */
	COORD_O_RUN_PAUSED,
	COORD_O_DEPENDENCY,    /* other, its state; one each, at most COORD_O_DEPENDENCIES_MAX */
	COORD_O_DEPENDENCIES,  /* how many more: amount */
	COORD_O_HELD,          /* by a person */
	COORD_O_RETRY_WAIT,    /* amount: microseconds left */
	COORD_O_MAX_WORKERS,   /* the run's: limit, used */
	COORD_O_AGENT_LIMIT,   /* an agent's max_concurrent: name, limit, used */
	COORD_O_LOCK,          /* name, limit, used; other: a unit that holds it, of run other_run */
	COORD_O_DIRECTORY,     /* other: the unit that holds an overlapping directory, of run other_run; COORD_NONE: many paths are held */
	COORD_O_NO_NODE,       /* no node is there at all */
	COORD_O_NODE,          /* one node: why (enum coord_node_why); each node, when the unit needs one */
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
	COORD_WHY_TOO_SMALL,   /* fewer slots or agent slots in all than the unit takes */
	COORD_WHY_RESOURCES,   /* fewer of a resource in all */
	COORD_WHY_RESOURCES_BUSY,
	COORD_WHY_FULL,        /* its slots are taken */
	COORD_WHY_CAREFUL,     /* it failed: one unit at a time */
	COORD_WHY_KEPT_FREE,   /* for a wide unit that waits longer */
	COORD_WHY_AVOIDED,     /* the unit failed there by the node's fault, and another is eligible */
};

#define COORD_O_DEPENDENCIES_MAX 100u

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
};

/* Calls `each` for every obstacle; none is told where the unit is placed with the next turn. The run must be in the core. */
void coord_explain(const struct coord *c, uint64_t run, uint32_t unit, void (*each)(void *arg, const struct coord_obstacle *o), void *arg);

const char *coord_obstacle_name(enum coord_obstacle_kind kind); /* "dependency" ... */
const char *coord_node_why_name(enum coord_node_why why);       /* "draining" ... */

#endif
