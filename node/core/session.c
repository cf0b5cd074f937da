/* session.c - the link to the coordinator: HELLO and its verdicts, epochs, heartbeats, leases
 *
 *	DOWN --CONNECTED--> GREETING --WELCOME--> UP --(DISCONNECTED, GOAWAY, silence)--> DOWN
 *
 * While UP a HELLO may be sent again (the coordinator wants our table, or a lease was over): the session goes on beside it.
 *
 * A lease runs from the time we *sent* the last message that the coordinator has acknowledged: whatever that message took
 * to arrive, the coordinator cannot have begun to count earlier. It only ever lapses here; what has lapsed goes on by a
 * verdict, since the coordinator may have given the attempt away in the meantime.
 *
 * A partition or restart that is shorter than an attempt may be silent must not cost it: what we wait for on the way back is a small part
 * of the shortest lease that we hold. An answer to HELLO is waited for twice as long each time, since a coordinator may be slow.
 */
#include "state.h"

#include "common/plant.h"

#define GREETING_US_MIN ((uint64_t)RV_US_PER_S)
#define GREETING_US_MAX (5u * (uint64_t)RV_US_PER_S)
#define WAITS_A_LEASE 8u
#define SILENCE_US_MIN ((uint64_t)RV_US_PER_S)
#define SILENCE_HEARTBEATS 5u
#define BEATS_A_LEASE 9u

static bool is_counted(enum node_effect_kind kind)
{
	return kind == NODE_FX_TAKEN || kind == NODE_FX_REJECTED || kind == NODE_FX_STARTED || kind == NODE_FX_RESULT ||
	       kind == NODE_FX_NOT_HERE || kind == NODE_FX_RETRACTED || kind == NODE_FX_ALREADY_STARTED;
}

/* A message, if there is a session to say it in; what matters is said again by HELLO. */
struct node_effect *node_say(struct node_core *n, struct node_effects *out, enum node_effect_kind kind, uint32_t slot, struct proto_attempt_key key)
{
	if (n->session != NODE_SESSION_UP)
		return NULL;
	n->sent += is_counted(kind);
	return node_push(out, kind, slot, key);
}

static void down(struct node_core *n)
{
	n->session = NODE_SESSION_DOWN;
	n->hello_due = n->hello_open = false;
	n->hello_sent_us = 0;
	n->verdicts_apply = false;
}

static void reconnect(struct node_core *n, struct node_effects *out)
{
	down(n);
	node_push(out, NODE_FX_RECONNECT, NODE_NONE, (struct proto_attempt_key){ 0 });
}

/* A walk through the table: asked for once a connection only. */
uint64_t node_session_patience_us(const struct node_core *n)
{
	uint64_t shortest = RV_NEVER;

	for (uint32_t slot = 0; slot < n->high; slot++) {
		const struct node_attempt *a = &n->attempts[slot];

		if (a->state != NODE_AT_FREE && a->counted)
			shortest = rv_min_u64(shortest, a->lease_us);
	}
	return shortest == RV_NEVER ? RV_NEVER : shortest / WAITS_A_LEASE;
}

static void set_greeting(struct node_core *n)
{
	uint64_t us = GREETING_US_MIN;

	for (uint32_t i = 0; i < n->greetings && us < GREETING_US_MAX; i++)
		us *= 2;
	n->greeting_us = rv_min_u64(us, GREETING_US_MAX);
}

void node_session_connected(struct node_core *n)
{
	down(n);
	n->session = NODE_SESSION_GREETING;
	n->hello_due = true;
	n->heard_us = n->now_us;
	set_greeting(n);
}

void node_session_disconnected(struct node_core *n)
{
	down(n);
}

/* --- leases --------------------------------------------------------------------------------------------------------------- */

bool node_lease_over(const struct node_core *n, const struct node_attempt *a)
{
	return a->spec_flags & PROTO_SPEC_EXCLUSIVE && rv_sat_add(n->lease_base_us, a->lease_us) <= n->now_us;
}

void node_lease_clear(struct node_core *n, struct node_attempt *a)
{
	rv_heap_remove(&n->leases, node_slot_of(n, a));
	n->lapsed -= a->lapsed;
	a->lapsed = false;
}

/* A mock is no process: it can hurt nobody. */
void node_lease_set(struct node_core *n, struct node_attempt *a, uint64_t lease_us)
{
	node_lease_clear(n, a);
	a->lease_us = lease_us;
	if (a->spec_flags & PROTO_SPEC_EXCLUSIVE && !node_is_mock(a))
		rv_heap_set(&n->leases, node_slot_of(n, a), lease_us, n->sequence++);
}

/* The coordinator beats with us as slowly as what we held allowed; it tells a shorter interval only in its next ack. What has a
 * short lease has us beat sooner by ourselves, and at once where its lease has run for a while already. */
void node_session_beat_for(struct node_core *n, uint64_t lease_us)
{
	uint64_t interval = lease_us / BEATS_A_LEASE;

	if (lease_us == RV_NEVER || interval >= n->heartbeat_us)
		return;
	n->heartbeat_at_us = rv_min_u64(n->heartbeat_at_us, rv_max_u64(n->now_us, rv_sat_add(n->lease_base_us, interval)));
}

uint64_t node_lease_deadline(const struct node_core *n)
{
	const struct rv_heap_item *first = rv_heap_first(&n->leases);

	return first ? rv_sat_add(n->lease_base_us, first->key) : RV_NEVER;
}

/* True: there was no room to tell all. */
bool node_lease_lapse(struct node_core *n, struct node_effects *out)
{
	while (node_lease_deadline(n) <= n->now_us) {
		uint32_t slot = rv_heap_first(&n->leases)->value;

		if (node_room(out) < 8)
			return true;
		rv_heap_remove(&n->leases, slot);
		n->attempts[slot].lapsed = true;
		n->lapsed++;
		node_attempt_move(n, slot, NODE_AE_LAPSED, NULL, out);
	}
	return false;
}

/* The coordinator has seen what we sent then. What lapsed before is told so first: that we hear of it only now must not
 * hide it. */
static void renew(struct node_core *n, uint64_t sent_us, struct node_effects *out)
{
	if (!node_lease_lapse(n, out))
		n->lease_base_us = rv_max_u64(n->lease_base_us, sent_us);
}

/* --- HELLO and WELCOME ------------------------------------------------------------------------------------------------------- */

static enum proto_held_state held_state(const struct node_attempt *a)
{
	switch (a->state) {
	case NODE_AT_FINISHED:
		return PROTO_HELD_FINISHED;
	case NODE_AT_FROZEN:
		return PROTO_HELD_FROZEN;
	case NODE_AT_MOCKING:
	case NODE_AT_RUNNING:
	case NODE_AT_STOPPING:
	case NODE_AT_COLLECTING:
	case NODE_AT_LOST:
		return PROTO_HELD_RUNNING;
	default:
		return PROTO_HELD_QUEUED;
	}
}

static void hello_begin(struct node_core *n, struct node_effects *out)
{
	struct node_effect *fx = node_push(out, NODE_FX_HELLO, NODE_NONE, (struct proto_attempt_key){ 0 });

	n->hello_due = false;
	n->hello_open = true;
	n->hello_slot = 0;
	n->hello_left = n->counted;
	fx->hello.held_count = n->counted;
	fx->hello.n = ++n->hello_n;
	fx->hello.last = n->counted == 0;
	n->sent = 0;
	n->hello_tried_us = n->now_us;
	if (n->hello_sent_us == 0)
		n->hello_sent_us = n->now_us;
}

/* The items follow within the same turn; should the table change before the last one, it is told from the start. */
bool node_session_hello(struct node_core *n, struct node_effects *out)
{
	if (n->session == NODE_SESSION_DOWN || !(n->hello_due || n->hello_open))
		return false;
	if (node_room(out) < 4)
		return true;
	if (n->hello_due)
		hello_begin(n, out);
	while (n->hello_left) {
		struct node_attempt *a = &n->attempts[n->hello_slot];
		struct node_effect *fx;

		if (node_room(out) < 2)
			return true;
		rv_check(n->hello_slot < n->high);
		n->hello_slot++;
		if (a->state == NODE_AT_FREE || !a->counted)
			continue;
		fx = node_push(out, NODE_FX_HELD, node_slot_of(n, a), a->key);
		fx->held = (struct proto_held){ .key = a->key, .epoch = a->epoch, .state = held_state(a) };
		a->listed = a->state == NODE_AT_FINISHED;
		a->taken_told = true;
		a->started_told |= a->started;
		n->hello_left--;
	}
	n->hello_open = false;
	return false;
}

/* Of a cluster without an id: the one before. */
static uint64_t cluster_of(const struct node_core *n, struct rv_str id)
{
	return id.bytes ? rv_hash(1, id) | 1 : n->cluster;
}

/* Epochs are one journal's. Of another cluster's coordinator none has been obeyed, and what is held of the one before
 * is unknown there: its verdicts say so. */
static uint64_t obeyed(const struct node_core *n, const struct proto_welcome *w)
{
	return n->cluster && cluster_of(n, w->cluster) != n->cluster ? 0 : n->epoch;
}

bool node_core_obeys(const struct node_core *n, const struct proto_welcome *w)
{
	return w->epoch >= obeyed(n, w);
}

void node_session_welcome(struct node_core *n, const struct proto_welcome *w, struct node_effects *out)
{
	n->verdicts_apply = false;
	if (n->session == NODE_SESSION_DOWN) {
		n->stale++;
		return;
	}
	if (!node_core_obeys(n, w) && !RV_PLANT(OLD_EPOCH)) { /* a coordinator of the past: nothing it says is obeyed */
		n->stale++;
		reconnect(n, out);
		return;
	}
	n->verdicts_apply = true;
	n->cluster = cluster_of(n, w->cluster);
	n->epoch = w->epoch;
	n->session_id = w->session;
	n->heartbeat_us = w->heartbeat_us;
	n->heartbeat_at_us = rv_sat_add(n->now_us, w->heartbeat_us);
	n->received = 0;
	n->results_sent = 0;
	n->heard_us = n->now_us;
	if (n->session == NODE_SESSION_GREETING)
		node_outbox_welcomed(n);
	n->session = NODE_SESSION_UP;
	n->greetings = 0;
	if (n->hello_sent_us)
		renew(n, n->hello_sent_us, out);
	n->hello_sent_us = 0;
}

void node_session_verdict(struct node_core *n, const struct proto_held_verdict *v, struct node_effects *out)
{
	static const enum node_at_event event_of[] = {
		[PROTO_KEEP] = NODE_AE_KEEP,
		[PROTO_KILL] = NODE_AE_KILL,
		[PROTO_RESEND] = NODE_AE_RESEND,
		[PROTO_FORGET] = NODE_AE_FORGET,
	};
	struct node_move m = { .lease_us = v->lease_us, .grace_us = RV_NEVER, .reason = PROTO_REASON_CANCELLED };
	uint32_t slot = node_table_find(n, v->key);

	if (!n->verdicts_apply || slot == NODE_NONE || (uint32_t)v->verdict >= RV_ARRAY_LEN(event_of)) {
		n->stale++;
		return;
	}
	node_attempt_move(n, slot, event_of[v->verdict], &m, out);
}

void node_session_goaway(struct node_core *n, struct node_effects *out)
{
	if (n->session != NODE_SESSION_DOWN)
		reconnect(n, out);
}

/* --- heartbeats --------------------------------------------------------------------------------------------------------------- */

void node_session_hb_ack(struct node_core *n, const struct proto_hb_ack *a, struct node_effects *out)
{
	if (n->session != NODE_SESSION_UP || a->session != n->session_id || a->n == 0 || a->n > n->heartbeat_n) {
		n->stale++;
		return;
	}
	if (n->heartbeat_n - a->n < NODE_HEARTBEATS_KEPT)
		renew(n, RV_PLANT(LEASE_FROM_RECEIPT) ? n->now_us : n->heartbeat_sent_us[a->n % NODE_HEARTBEATS_KEPT], out);
	n->heartbeat_us = a->heartbeat_us;
	n->heartbeat_at_us = rv_min_u64(n->heartbeat_at_us, rv_sat_add(n->now_us, a->heartbeat_us));
	/* What lapsed needs a verdict, and an acknowledged heartbeat gives none. */
	if ((a->want_table || n->lapsed) &&
	    (n->hello_sent_us == 0 || rv_sat_add(n->hello_tried_us, GREETING_US_MAX) <= n->now_us))
		n->hello_due = true;
}

static uint64_t silence_us(const struct node_core *n)
{
	if (n->session == NODE_SESSION_GREETING)
		return n->greeting_us;
	return rv_max_u64(SILENCE_US_MIN, SILENCE_HEARTBEATS * n->heartbeat_us);
}

void node_session_beat(struct node_core *n, struct node_effects *out)
{
	struct node_effect *fx;

	if (n->session == NODE_SESSION_DOWN)
		return;
	if (rv_sat_add(n->heard_us, silence_us(n)) <= n->now_us) {
		n->greetings += n->session == NODE_SESSION_GREETING && n->greetings < UINT32_MAX;
		reconnect(n, out);
		return;
	}
	if (n->session != NODE_SESSION_UP || n->now_us < n->heartbeat_at_us)
		return;
	n->heartbeat_n++;
	n->heartbeat_sent_us[n->heartbeat_n % NODE_HEARTBEATS_KEPT] = n->now_us;
	n->heartbeat_at_us = rv_sat_add(n->now_us, n->heartbeat_us);
	fx = node_push(out, NODE_FX_HEARTBEAT, NODE_NONE, (struct proto_attempt_key){ 0 });
	fx->heartbeat = (struct proto_heartbeat){
		.session = n->session_id,
		.n = n->heartbeat_n,
		.sent = n->sent,
		.received = n->received,
		.digest = n->digest,
		.load = n->running_slots,
	};
}

uint64_t node_session_deadline(const struct node_core *n)
{
	uint64_t at;

	if (n->session == NODE_SESSION_DOWN)
		return RV_NEVER;
	at = rv_sat_add(n->heard_us, silence_us(n));
	return n->session == NODE_SESSION_UP ? rv_min_u64(at, n->heartbeat_at_us) : at;
}
