/* table.c - slots, the chains of a unit's attempts, queues, sums and fences */
#include "state.h"

uint32_t node_table_newest(const struct node_core *n, uint64_t run, uint32_t unit)
{
	return rv_intmap_get(&n->units, node_unit_hash(run, unit));
}

uint32_t node_table_find(const struct node_core *n, struct proto_attempt_key key)
{
	uint32_t slot = node_table_newest(n, key.run, key.unit);

	while (slot != NODE_NONE && !node_key_equal(n->attempts[slot].key, key))
		slot = n->attempts[slot].older;
	return slot;
}

/* --- queues ---------------------------------------------------------------------------------------------------------- */

void node_queue_append(struct node_core *n, struct node_queue *q, uint32_t slot)
{
	struct node_attempt *a = &n->attempts[slot];

	rv_check(!a->queued);
	a->queued = true;
	a->next = NODE_NONE;
	a->prev = q->last;
	if (q->last == NODE_NONE)
		q->first = slot;
	else
		n->attempts[q->last].next = slot;
	q->last = slot;
	q->count++;
}

void node_queue_remove(struct node_core *n, struct node_queue *q, uint32_t slot)
{
	struct node_attempt *a = &n->attempts[slot];

	if (!a->queued)
		return;
	if (a->prev == NODE_NONE)
		q->first = a->next;
	else
		n->attempts[a->prev].next = a->next;
	if (a->next == NODE_NONE)
		q->last = a->prev;
	else
		n->attempts[a->next].prev = a->prev;
	a->queued = false;
	q->count--;
}

/* --- sums ------------------------------------------------------------------------------------------------------------- */

static bool in_warden(enum node_at_state s)
{
	switch (s) {
	case NODE_AT_QUEUED:
	case NODE_AT_RETRACTING:
	case NODE_AT_RECALLING:
	case NODE_AT_RUNNING:
	case NODE_AT_FROZEN:
	case NODE_AT_STOPPING:
	case NODE_AT_DROPPING:
		return true;
	default:
		return false;
	}
}

static bool runs(enum node_at_state s)
{
	return s == NODE_AT_RUNNING || s == NODE_AT_FROZEN || s == NODE_AT_STOPPING || s == NODE_AT_DROPPING || s == NODE_AT_MOCKING;
}

static bool is_live(enum node_at_state s)
{
	return s != NODE_AT_FREE && s != NODE_AT_FINISHED;
}

/* Leaves the queue of its old state; entering a queue is the caller's. */
void node_table_state(struct node_core *n, struct node_attempt *a, enum node_at_state state)
{
	uint32_t slot = node_slot_of(n, a);
	enum node_at_state old = a->state;

	if (old == NODE_AT_WAITING)
		node_queue_remove(n, &n->waiting, slot);
	else if (old == NODE_AT_LOST)
		node_queue_remove(n, &n->lost, slot);
	if (in_warden(old) != in_warden(state))
		n->warden_slots += in_warden(state) ? a->cpus : -a->cpus;
	if (runs(old) != runs(state))
		n->running_slots += runs(state) ? a->cpus : -a->cpus;
	if ((old == NODE_AT_MOCKING) != (state == NODE_AT_MOCKING)) {
		uint64_t agents = a->spec_flags & PROTO_SPEC_AGENT_UNIT ? 1 : 0;

		n->mock_slots += state == NODE_AT_MOCKING ? a->cpus : -a->cpus;
		n->mock_agents += state == NODE_AT_MOCKING ? agents : -agents;
		rv_heap_remove(&n->due, slot);
	}
	if (is_live(old) != is_live(state))
		n->live += is_live(state) ? 1u : (uint32_t)-1;
	a->state = state;
}

/* --- slots ------------------------------------------------------------------------------------------------------------- */

/* The caller has looked: there is a free slot, and no attempt of this key. The slot is FREE until it is given a state. */
struct node_attempt *node_table_take(struct node_core *n, struct proto_attempt_key key, uint64_t cpus, enum proto_agent_kind kind)
{
	uint64_t hash = node_unit_hash(key.run, key.unit);
	struct node_attempt *a;
	uint32_t slot = n->free_slot;
	bool in_tell;

	if (slot != NODE_NONE) {
		n->free_slot = n->attempts[slot].next;
	} else {
		rv_check(n->high < n->cfg.attempts_max);
		slot = n->high++;
	}
	a = &n->attempts[slot];
	in_tell = a->in_tell; /* an entry of the slot's former life serves the new one */
	*a = (struct node_attempt){
		.key = key,
		.cpus = rv_min_u64(cpus, n->cfg.slots),
		.agent_kind = (uint8_t)kind,
		.lease_us = RV_NEVER,
		.older = rv_intmap_get(&n->units, hash),
		.next = NODE_NONE,
		.prev = NODE_NONE,
		.after = NODE_NONE,
		.behind = NODE_NONE,
		.in_tell = in_tell,
		.counted = true,
	};
	rv_intmap_put(&n->units, hash, slot);
	n->digest += proto_table_term(key);
	n->counted++;
	n->count++;
	n->hello_due |= n->hello_open;
	return a;
}

/* From now on the coordinator and we agree that it is not here. */
void node_table_uncount(struct node_core *n, struct node_attempt *a)
{
	if (!a->counted)
		return;
	a->counted = false;
	n->digest -= proto_table_term(a->key);
	n->counted--;
	n->hello_due |= n->hello_open;
}

void node_table_free(struct node_core *n, struct node_attempt *a)
{
	uint64_t hash = node_unit_hash(a->key.run, a->key.unit);
	uint32_t slot = node_slot_of(n, a), at = rv_intmap_get(&n->units, hash);

	node_table_uncount(n, a);
	node_table_state(n, a, NODE_AT_FREE);
	if (at == slot) {
		if (a->older == NODE_NONE)
			rv_intmap_remove(&n->units, hash);
		else
			rv_intmap_put(&n->units, hash, a->older);
	} else {
		while (n->attempts[at].older != slot)
			at = n->attempts[at].older;
		n->attempts[at].older = a->older;
	}
	rv_heap_remove(&n->due, slot);
	n->count--;
	a->next = n->free_slot;
	n->free_slot = slot;
}

/* --- fences -------------------------------------------------------------------------------------------------------------- */

/* A copy of a message that comes after its attempt was settled finds it here. Bounded: a ring, the oldest goes. */
void node_fence_set(struct node_core *n, struct proto_attempt_key key, enum proto_reject_why why)
{
	uint64_t hash = node_unit_hash(key.run, key.unit);
	uint32_t at = rv_intmap_get(&n->fence_of, hash);
	struct node_fence *f;

	if (at != RV_MAP_NONE) {
		f = &n->fences[at];
		if (f->run == key.run && f->unit == key.unit && f->attempt >= key.attempt)
			return;
		*f = (struct node_fence){ .run = key.run, .unit = key.unit, .attempt = key.attempt, .why = why };
		return;
	}
	at = n->fence_at;
	f = &n->fences[at];
	n->fence_at = (n->fence_at + 1) % n->fence_capacity;
	if (n->fence_count == n->fence_capacity)
		rv_intmap_remove(&n->fence_of, node_unit_hash(f->run, f->unit));
	else
		n->fence_count++;
	*f = (struct node_fence){ .run = key.run, .unit = key.unit, .attempt = key.attempt, .why = why };
	rv_intmap_put(&n->fence_of, hash, at);
}

const struct node_fence *node_fence_get(const struct node_core *n, uint64_t run, uint32_t unit)
{
	uint32_t at = rv_intmap_get(&n->fence_of, node_unit_hash(run, unit));

	if (at == RV_MAP_NONE || n->fences[at].run != run || n->fences[at].unit != unit)
		return NULL;
	return &n->fences[at];
}
