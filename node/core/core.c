/* core.c - the node core: create, step, deadlines, digest (io.h is the boundary; state.h the tables)
 *
 * table.c   slots, chains, queues, sums, fences
 * attempt.c the [state][event] table of an attempt and its moves
 * behind.c  attempts that wait for the success of others here
 * outbox.c  results until their ack
 * session.c HELLO, verdicts, epochs, heartbeats, leases
 * audit.c   what must hold between steps
 */
#include "state.h"

/* Settled attempts that are remembered: a copy of a DISPATCH that is a second late has to find its own, at some thousand commands a second. */
#define FENCES_MIN 4096u
#define STOP_WAIT_US (2u * (uint64_t)RV_US_PER_S) /* for acks, once nothing runs any more */

void node_core_config_init(struct node_core_config *cfg)
{
	*cfg = (struct node_core_config){
		.attempts_max = 4 * RV_PREFETCH_MAX,
		.slots = 1,
		.agent_slots = 1,
		.prefetch_max = RV_PREFETCH_MAX,
		.gather_max = NODE_GATHER_MAX,
		.seed = 1,
		.resend_us_min = RV_US_PER_S,
		.resend_us_max = 30u * (uint64_t)RV_US_PER_S,
	};
}

static void queue_init(struct node_queue *q)
{
	*q = (struct node_queue){ .first = NODE_NONE, .last = NODE_NONE };
}

/* All memory of a core is its arena's: the core itself, too. */
static struct node_core *tables_create(struct rv_arena *arena, const struct node_core_config *cfg)
{
	size_t max = cfg->attempts_max, fences = max < FENCES_MIN ? FENCES_MIN : max;
	size_t map_slots = rv_intmap_slots((uint32_t)max), fence_slots = rv_intmap_slots((uint32_t)fences);
	struct node_core *n = RV_ARENA_ARRAY(arena, struct node_core, 1);
	struct node_attempt *attempts = RV_ARENA_ARRAY(arena, struct node_attempt, max);
	struct rv_heap_item *due = RV_ARENA_ARRAY(arena, struct rv_heap_item, max);
	struct rv_heap_item *leases = RV_ARENA_ARRAY(arena, struct rv_heap_item, max);
	uint32_t *where = RV_ARENA_ARRAY(arena, uint32_t, 2 * max);
	uint32_t *tell = RV_ARENA_ARRAY(arena, uint32_t, max);
	struct rv_intmap_slot *units = RV_ARENA_ARRAY(arena, struct rv_intmap_slot, map_slots);
	struct node_fence *ring = RV_ARENA_ARRAY(arena, struct node_fence, fences);
	struct rv_intmap_slot *fence_of = RV_ARENA_ARRAY(arena, struct rv_intmap_slot, fence_slots);

	if (!n || !attempts || !due || !leases || !where || !tell || !units || !ring || !fence_of)
		return NULL;
	n->attempts = attempts;
	n->tell = tell;
	n->fences = ring;
	n->fence_capacity = (uint32_t)fences;
	rv_heap_init(&n->due, due, where, (uint32_t)max);
	rv_heap_init(&n->leases, leases, where + max, (uint32_t)max);
	rv_intmap_init(&n->units, units, (uint32_t)map_slots);
	rv_intmap_init(&n->fence_of, fence_of, (uint32_t)fence_slots);
	return n;
}

struct node_core *node_core_create(const struct node_core_config *cfg)
{
	struct rv_arena arena;
	struct node_core *n;

	rv_check(cfg->attempts_max > 0);
	rv_check(cfg->attempts_max <= RV_ATTEMPTS_LIVE_MAX);
	rv_check(cfg->slots > 0);
	rv_check(cfg->resend_us_min > 0);
	rv_check(cfg->gather_max <= NODE_GATHER_MAX);
	rv_arena_init(&arena, 0);
	n = tables_create(&arena, cfg);
	if (!n) {
		rv_arena_release(&arena);
		return NULL;
	}
	n->arena = arena;
	n->cfg = *cfg;
	n->free_slot = NODE_NONE;
	queue_init(&n->waiting);
	queue_init(&n->lost);
	queue_init(&n->fresh);
	queue_init(&n->gathered);
	n->warden_up = true;
	n->heartbeat_us = 2u * (uint64_t)RV_US_PER_S;
	return n;
}

void node_core_destroy(struct node_core **n)
{
	struct rv_arena arena;

	if (!*n)
		return;
	arena = (*n)->arena; /* it holds the core */
	*n = NULL;
	rv_arena_release(&arena);
}

/* --- the end of the daemon ------------------------------------------------------------------------------------------------------ */

static void stop(struct node_core *n, const struct node_event *ev)
{
	if (n->stopping && ev->stop.grace_us >= n->stop_grace_us)
		return;
	n->stopping = true;
	n->stop_grace_us = ev->stop.grace_us;
	n->stop_reason = ev->stop.reason;
	n->stop_slot = 0;
	n->stop_until_us = RV_NEVER;
}

/* Nothing runs: results get a moment for their acks, then what is left stays in exit records for the next start. */
static void stop_when_empty(struct node_core *n, struct node_effects *out)
{
	if (!n->stopping || n->stopped || n->live || node_room(out) < 4)
		return;
	if (n->stop_until_us == RV_NEVER)
		n->stop_until_us = rv_sat_add(n->now_us, STOP_WAIT_US);
	if (n->count && n->session != NODE_SESSION_DOWN && n->now_us < n->stop_until_us)
		return;
	node_say(n, out, NODE_FX_BYE, NODE_NONE, (struct proto_attempt_key){ 0 });
	node_push(out, NODE_FX_STOPPED, NODE_NONE, (struct proto_attempt_key){ 0 });
	n->stopped = true;
}

/* --- stepping ---------------------------------------------------------------------------------------------------------------------- */

static bool due(struct node_core *n, struct node_effects *out)
{
	const struct rv_heap_item *first;

	while ((first = rv_heap_first(&n->due)) && first->key <= n->now_us) {
		if (node_room(out) < NODE_MOVE_ROOM)
			return true;
		node_attempt_move(n, first->value, NODE_AE_DUE, NULL, out);
	}
	return false;
}

static void turn(struct node_core *n, struct node_effects *out)
{
	bool again = false;

	node_outbox_age(n);
	again |= node_attempt_tell_lost(n, out);
	if (n->stopping)
		again |= node_attempt_stop_sweep(n, out);
	again |= node_session_hello(n, out);
	again |= node_lease_lapse(n, out);
	again |= due(n, out);
	again |= node_attempt_pump(n, out);
	again |= node_outbox_gather(n, out);
	again |= node_attempt_tell(n, out);
	if (node_room(out) < 8)
		again = true;
	else if (!again) {
		node_session_beat(n, out);
		stop_when_empty(n, out);
	}
	out->again = again;
}

static void message(struct node_core *n, const struct node_event *ev, struct node_effects *out)
{
	if (n->session == NODE_SESSION_DOWN) {
		n->stale++;
		return;
	}
	n->heard_us = n->now_us;
	if (n->session != NODE_SESSION_UP && ev->kind != NODE_EV_RESULT_ACK) {
		n->stale++; /* said to us before we were welcomed: it will be said again */
		return;
	}
	n->received++;
	switch (ev->kind) {
	case NODE_EV_DISPATCH:
		node_attempt_dispatch(n, ev, out);
		break;
	case NODE_EV_CANCEL:
		node_attempt_cancel(n, ev->cancel, out);
		break;
	case NODE_EV_RETRACT:
		node_attempt_retract(n, ev->key, out);
		break;
	case NODE_EV_RESULT_ACK: {
		uint32_t slot = node_table_find(n, ev->result_ack->key);

		if (slot == NODE_NONE)
			n->stale++;
		else
			node_attempt_move(n, slot, NODE_AE_RESULT_ACK, NULL, out);
		break;
	}
	case NODE_EV_CHECKPOINT:
		node_outbox_checkpoint(n, ev->checkpoint.n, out);
		break;
	default:
		/* DRAIN: the coordinator sends nothing new, what is here goes on. What it had sent before is welcome: refusing it
		 * would only move it, and nothing tells us when a drain is taken back. */
		break;
	}
}

/* Stepped long after the deadline that we had named: somebody stopped us, or the machine slept. That is no silence of the
 * coordinator. */
static void note_time(struct node_core *n, uint64_t now_us)
{
	uint64_t late;

	if (now_us <= n->now_us)
		return;
	if (now_us - n->now_us > n->heartbeat_us) {
		late = rv_sat_sub(now_us, node_core_next_deadline(n));
		if (late > n->heartbeat_us)
			n->heard_us = rv_sat_add(n->heard_us, late);
	}
	n->now_us = now_us;
}

static enum node_at_event slot_event(enum node_event_kind kind)
{
	switch (kind) {
	case NODE_EV_PREPARED:
		return NODE_AE_PREPARED;
	case NODE_EV_PREPARE_FAILED:
		return NODE_AE_PREPARE_FAILED;
	case NODE_EV_STARTED:
		return NODE_AE_STARTED;
	case NODE_EV_EXITED:
		return NODE_AE_EXITED;
	case NODE_EV_NOT_STARTED:
		return NODE_AE_NOT_STARTED;
	case NODE_EV_COLLECTED:
		return NODE_AE_COLLECTED;
	default:
		return NODE_AE_COUNT;
	}
}

void node_core_step(struct node_core *n, const struct node_event *ev, struct node_effects *out)
{
	rv_check(node_room(out) >= NODE_EFFECTS_MIN);
	out->again = false;
	note_time(n, ev->now_us);
	switch (ev->kind) {
	case NODE_EV_RECOVERED:
		node_attempt_recovered(n, ev, out);
		break;
	case NODE_EV_CONNECTED:
		node_session_connected(n);
		break;
	case NODE_EV_DISCONNECTED:
		node_session_disconnected(n);
		break;
	case NODE_EV_WELCOME:
		node_session_welcome(n, ev->welcome, out);
		break;
	case NODE_EV_VERDICT:
		node_session_verdict(n, ev->verdict, out);
		break;
	case NODE_EV_HB_ACK:
		if (n->session == NODE_SESSION_UP)
			n->heard_us = n->now_us;
		node_session_hb_ack(n, ev->hb_ack, out);
		break;
	case NODE_EV_DISPATCH:
	case NODE_EV_CANCEL:
	case NODE_EV_RETRACT:
	case NODE_EV_RESULT_ACK:
	case NODE_EV_CHECKPOINT:
	case NODE_EV_DRAIN:
		message(n, ev, out);
		break;
	case NODE_EV_GOAWAY:
		node_session_goaway(n, out);
		break;
	case NODE_EV_PREPARED:
	case NODE_EV_PREPARE_FAILED:
	case NODE_EV_STARTED:
	case NODE_EV_EXITED:
	case NODE_EV_NOT_STARTED:
		node_attempt_move(n, ev->slot, slot_event(ev->kind), NULL, out);
		break;
	case NODE_EV_COLLECTED: {
		struct node_move m = { .succeeded = ev->succeeded };

		node_attempt_move(n, ev->slot, NODE_AE_COLLECTED, &m, out);
		break;
	}
	case NODE_EV_WARDEN_LOST:
		node_attempt_warden_lost(n);
		break;
	case NODE_EV_WARDEN_UP:
		n->warden_up = true;
		break;
	case NODE_EV_STOP:
		stop(n, ev);
		break;
	case NODE_EV_TURN:
		turn(n, out);
		break;
	}
}

/* When the next TURN is due; what is due after any other event is due in the TURN that follows it. */
uint64_t node_core_next_deadline(const struct node_core *n)
{
	uint64_t at = node_session_deadline(n);

	at = rv_min_u64(at, node_outbox_deadline(n));
	at = rv_min_u64(at, node_lease_deadline(n));
	if (n->tell_count && n->session == NODE_SESSION_UP)
		at = rv_min_u64(at, n->tell_due_us);
	if (n->stopping && !n->stopped && !n->live)
		at = rv_min_u64(at, n->stop_until_us);
	return at;
}

/* --- asking ----------------------------------------------------------------------------------------------------------------------- */

uint64_t node_core_digest(const struct node_core *n)
{
	return n->digest;
}

uint32_t node_core_find(const struct node_core *n, struct proto_attempt_key key)
{
	return node_table_find(n, key);
}

uint32_t node_core_attempts(const struct node_core *n)
{
	return n->count;
}

uint64_t node_core_slots_used(const struct node_core *n)
{
	return n->running_slots;
}

uint64_t node_core_patience_us(const struct node_core *n)
{
	return node_session_patience_us(n);
}

uint64_t node_core_stale(const struct node_core *n)
{
	return n->stale;
}

bool node_core_welcomed(const struct node_core *n)
{
	return n->session == NODE_SESSION_UP;
}

uint64_t node_core_epoch(const struct node_core *n)
{
	return n->epoch;
}

const uint32_t *node_core_cells(const struct node_core *n)
{
	return &n->cells[0][0];
}
