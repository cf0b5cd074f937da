/* behind.c - an attempt that waits here until another one, at work here, too, has succeeded
 *
 * The coordinator hands it over behind what it depends on (coordinator/core/behind.c). It is prepared and WAITING like any other that may not
 * begin yet; nobody need be asked when it may. If the one before ends in any other way, or leaves the table, it is forgotten without a word:
 * by the word about the one before the coordinator knows.
 */
#include "state.h"

#include "common/plant.h"

/* The row up to `a` is short, and has no attempt of the unit: a newer one ends those, and what stands behind them. */
static bool may_grow(const struct node_core *n, const struct node_attempt *a, uint32_t unit)
{
	uint32_t depth = 0;

	for (; a->key.unit != unit; a = &n->attempts[a->after], depth++)
		if (a->after == NODE_NONE)
			return depth < NODE_BEHIND_MAX;
	return false;
}

bool node_behind_find(const struct node_core *n, const struct proto_dispatch *d, enum proto_agent_kind kind, uint32_t *after)
{
	struct proto_attempt_key key = { d->key.run, d->after.unit, d->after.attempt };
	const struct node_attempt *first;
	uint32_t slot;

	*after = NODE_NONE;
	if (!d->after.attempt)
		return true;
	slot = node_table_find(n, key);
	if (slot == NODE_NONE)
		return false;
	first = &n->attempts[slot];
	if (first->state == NODE_AT_FINISHED)
		return first->succeeded;
	*after = slot;
	return kind == PROTO_AGENT_COMMAND && first->agent_kind == PROTO_AGENT_COMMAND && first->counted && first->behind == NODE_NONE &&
	       may_grow(n, first, d->key.unit);
}

void node_behind_begin(struct node_core *n, struct node_attempt *a, uint32_t after)
{
	a->after = after;
	if (after == NODE_NONE)
		return;
	n->attempts[after].behind = node_slot_of(n, a);
	n->behind++;
}

void node_behind_over(struct node_core *n, struct node_attempt *a, bool succeeded, struct node_effects *out)
{
	static const struct node_move kill_move = { .grace_us = RV_NEVER };
	uint32_t behind = a->behind;

	if (a->after != NODE_NONE) {
		n->attempts[a->after].behind = NODE_NONE;
		n->behind--;
	}
	a->after = a->behind = NODE_NONE;
	if (behind == NODE_NONE)
		return;
	n->attempts[behind].after = NODE_NONE;
	n->behind--;
	if (!succeeded && !RV_PLANT(BEHIND_ANYWAY))
		node_attempt_move(n, behind, NODE_AE_KILL, &kill_move, out);
}
