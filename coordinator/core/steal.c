/* steal.c - a node that has nothing to do takes what another has been sent ahead
 *
 * Only when nothing is ready that could be placed there. The newest attempt that has not started goes back from the fullest node
 * (RETRACT); if it comes (RETRACTED) it is placed anew, if it had started meanwhile (ALREADY_STARTED) it stays: the fence decides.
 * What takes no longer than prefetch is for is not worth it: it will have run before the question arrives. Unless it has not for a while:
 * then one that takes long after all is in its way.
 */
#include "coordinator/core/state.h"

static bool idle(const struct coord_node *n, const struct coord_shape *sh)
{
	return n->slots_used + sh->slots <= n->slots && n->agent_used + sh->agent_slots <= n->agent_slots;
}

/* The node with a free place that this attempt could have; COORD_NONE. */
static uint32_t thief(const struct coord *c, const struct coord_run *r, const struct coord_shape *sh, uint32_t holder)
{
	const struct rv_heap_item *first = rv_heap_first(sh->slots ? &c->busy_slots : &c->busy_agents);

	if (!first || first->value == holder || !idle(&c->nodes[first->value], sh) || !coord_node_fits(&c->nodes[first->value], r->g, sh))
		return COORD_NONE;
	if (r->no_workspace[first->value / 64] >> (first->value % 64) & 1)
		return COORD_NONE;
	return first->value;
}

/* The newest attempt of the node that may be taken back. */
static uint32_t stealable(const struct coord *c, uint32_t holder)
{
	const struct coord_node *n = &c->nodes[holder];
	uint64_t looks = n->slots + n->agent_slots; /* what lies deeper runs already */

	for (uint32_t slot = n->attempts.last; slot != COORD_NONE; slot = c->attempts[slot].node_prev) {
		const struct coord_attempt *a = &c->attempts[slot];
		const struct coord_run *r = &c->runs[a->run];
		const struct coord_class *cl = coord_unit_class(r, coord_unit_at(r, a->unit));
		uint64_t known_us = coord_estimate_known(r, cl, a->unit);

		if (a->state == COORD_A_TAKEN && !a->started && a->after == COORD_NONE && a->behind == COORD_NONE && cl->prefetch && !r->stop &&
		    (!known_us || known_us > c->cfg.prefetch_us || a->sent_us + COORD_BEHIND_US < c->now_us) && thief(c, r, &r->g->shapes[cl->shape], holder) != COORD_NONE)
			return slot;
		if (!looks--)
			break;
	}
	return COORD_NONE;
}

static bool somebody_idle(const struct coord *c)
{
	const struct rv_heap_item *slots = rv_heap_first(&c->busy_slots), *agents = rv_heap_first(&c->busy_agents);

	return c->node_count > 1 && ((slots && slots->key < 1000000) || (agents && agents->key < 1000000));
}

bool coord_steal(struct coord *c)
{
	/* One on its way back at a time: where it goes decides what the next may be. */
	while (c->over && !c->retracting && somebody_idle(c) && !rv_heap_first(&c->run_heap)) {
		const struct rv_heap_item *holder = rv_heap_first(&c->fullest);
		uint32_t slot;

		if (!coord_room(c, 2))
			return false;
		if (!holder || (slot = stealable(c, holder->value)) == COORD_NONE)
			return true;
		c->nodes[holder->value].stolen++;
		coord_attempt_retract(c, slot);
	}
	return true;
}
