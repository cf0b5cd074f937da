/* audit.c - what must hold between steps (docs/invariants.md, N1..) */
#include "state.h"

/* N1: a slot is in its unit's chain exactly when it is not FREE. N2: the digest is the sum over counted slots. */
static void audit_chains(const struct node_core *n)
{
	uint32_t slot, count = 0, live = 0, counted = 0;
	uint64_t digest = 0;

	for (slot = 0; slot < n->high; slot++) {
		const struct node_attempt *a = &n->attempts[slot];

		if (a->state == NODE_AT_FREE)
			continue;
		count++;
		live += a->state != NODE_AT_FINISHED;
		rv_check(node_table_find(n, a->key) == slot);
		if (a->counted) {
			counted++;
			digest += proto_table_term(a->key);
		}
		rv_check(a->counted != (a->state == NODE_AT_DROPPING || a->state == NODE_AT_DISCARDING ||
					(a->state == NODE_AT_LOST && a->lost_from == NODE_AT_DROPPING)));
	}
	rv_check(count == n->count);
	rv_check(live == n->live);
	rv_check(counted == n->counted);
	rv_check(digest == n->digest);
}

/* N3: queues hold the slots of their state. */
static void audit_queue(const struct node_core *n, const struct node_queue *q, enum node_at_state state)
{
	uint32_t slot, prev = NODE_NONE, count = 0;

	for (slot = q->first; slot != NODE_NONE; slot = n->attempts[slot].next) {
		rv_check(n->attempts[slot].queued);
		rv_check(n->attempts[slot].state == state);
		rv_check(n->attempts[slot].prev == prev);
		prev = slot;
		count++;
	}
	rv_check(q->last == prev);
	rv_check(q->count == count);
}

/* N6: only what nothing waits for gathers, and no more than may. */
static void audit_gathered(const struct node_core *n)
{
	uint32_t slot, count = 0;

	for (slot = 0; slot < n->high; slot++) {
		const struct node_attempt *a = &n->attempts[slot];

		if (a->state == NODE_AT_FREE || !a->gathered)
			continue;
		rv_check(a->state == NODE_AT_FINISHED && a->queued && a->no_hurry);
		count++;
	}
	rv_check(count == n->gathered.count);
	rv_check(count <= n->cfg.gather_max);
}

/* N4: sums of slots are those of the states, and mocks never take more than there is. */
static void audit_sums(const struct node_core *n)
{
	uint64_t warden = 0, mocks = 0, agents = 0;
	uint32_t slot;

	for (slot = 0; slot < n->high; slot++) {
		const struct node_attempt *a = &n->attempts[slot];

		switch (a->state) {
		case NODE_AT_MOCKING:
			mocks += a->cpus;
			agents += a->spec_flags & PROTO_SPEC_AGENT_UNIT ? 1 : 0;
			break;
		case NODE_AT_QUEUED:
		case NODE_AT_RETRACTING:
		case NODE_AT_RECALLING:
		case NODE_AT_RUNNING:
		case NODE_AT_FROZEN:
		case NODE_AT_STOPPING:
		case NODE_AT_DROPPING:
			warden += a->cpus;
			break;
		default:
			break;
		}
	}
	rv_check(warden == n->warden_slots);
	rv_check(mocks == n->mock_slots);
	rv_check(agents == n->mock_agents);
	rv_check(mocks <= n->cfg.slots);
	rv_check(agents <= n->cfg.agent_slots);
}

/* N5: a mock has its deadline; a result is fresh or has one, while there is a session, no further away than the cap of resends; an exclusive attempt that could go on
 * has its lease counted or waits for a verdict. */
static void audit_deadlines(const struct node_core *n)
{
	uint32_t slot, lapsed = 0;

	for (slot = 0; slot < n->high; slot++) {
		const struct node_attempt *a = &n->attempts[slot];
		bool has_due = rv_heap_has(&n->due, slot), has_lease = rv_heap_has(&n->leases, slot);

		lapsed += a->state != NODE_AT_FREE && a->lapsed;
		rv_check(!(has_lease && a->lapsed));
		switch (a->state) {
		case NODE_AT_MOCKING:
			rv_check(has_due);
			break;
		case NODE_AT_FINISHED:
			rv_check(n->session != NODE_SESSION_UP || has_due != a->queued);
			rv_check(!has_lease);
			rv_check(!has_due || n->due.items[n->due.where[slot]].key <=
				 rv_sat_add(n->now_us, n->cfg.resend_us_max + n->cfg.resend_us_max / 5));
			break;
		case NODE_AT_QUEUED:
		case NODE_AT_RUNNING:
			rv_check(!(a->spec_flags & PROTO_SPEC_EXCLUSIVE) || has_lease);
			rv_check(!has_due);
			break;
		case NODE_AT_FROZEN:
			rv_check(a->lapsed);
			break;
		default:
			rv_check(!has_due);
			break;
		}
	}
	rv_check(lapsed == n->lapsed);
}

/* N7: what waits behind another is known to that one, which is at work, and has not begun; rows are short. */
static void audit_behind(const struct node_core *n)
{
	uint32_t behind = 0;

	for (uint32_t slot = 0; slot < n->high; slot++) {
		const struct node_attempt *a = &n->attempts[slot];
		uint32_t depth = 0;

		if (a->state == NODE_AT_FREE)
			continue;
		rv_check(a->behind == NODE_NONE || n->attempts[a->behind].after == slot);
		if (a->after == NODE_NONE)
			continue;
		behind++;
		rv_check(n->attempts[a->after].behind == slot);
		rv_check(n->attempts[a->after].state != NODE_AT_FREE && n->attempts[a->after].state != NODE_AT_FINISHED && n->attempts[a->after].counted);
		rv_check(a->state == NODE_AT_PREPARING || a->state == NODE_AT_ABORTING || a->state == NODE_AT_WAITING);
		for (uint32_t at = slot; n->attempts[at].after != NODE_NONE; at = n->attempts[at].after)
			rv_check(++depth <= NODE_BEHIND_MAX);
	}
	rv_check(behind == n->behind);
}

void node_core_audit(const struct node_core *n)
{
	rv_check(n->high <= n->cfg.attempts_max);
	rv_check(n->tell_count <= n->cfg.attempts_max);
	audit_chains(n);
	audit_queue(n, &n->waiting, NODE_AT_WAITING);
	audit_queue(n, &n->lost, NODE_AT_LOST);
	audit_queue(n, &n->fresh, NODE_AT_FINISHED);
	audit_queue(n, &n->gathered, NODE_AT_FINISHED);
	audit_gathered(n);
	audit_sums(n);
	audit_deadlines(n);
	audit_behind(n);
}
