/* on_node.c - what nodes say */
#include "common/plant.h"
#include "coordinator/core/state.h"

#define RTT_US_MAX 100000u /* what is slower than this is no round trip */

static void heard(struct coord *c, struct coord_node *n)
{
	uint32_t node = (uint32_t)(n - c->nodes);

	n->heard_us = coord_live_us(c);
	n->lost_told = false;
	if (n->state == COORD_N_SUSPECT) {
		n->state = COORD_N_JOINED;
		coord_capacity_freed(c, node);
		coord_node_update(c, node);
		coord_node_deadline(c, node, c->now_us + 3 * n->heartbeat_us);
	}
}

/* --- HELLO --- */

static void goaway(struct coord *c, uint64_t peer, enum proto_goaway_why why, uint32_t holder)
{
	struct coord_effect *e = coord_emit(c, COORD_FX_GOAWAY, peer);

	e->goaway = (struct proto_goaway){ .why = why };
	if (holder != COORD_NONE)
		memcpy(e->goaway.holder, c->nodes[holder].key, sizeof(e->goaway.holder));
	e->needs_fact = false;
}

/* *holder: another node that has the name; COORD_NONE. */
static uint32_t find_node(const struct coord *c, const struct proto_node_info *info, uint32_t *holder)
{
	uint32_t found = COORD_NONE;

	*holder = COORD_NONE;
	for (uint32_t i = 0; i < c->node_count; i++) {
		if (memcmp(c->nodes[i].key, info->key, sizeof(info->key)) == 0)
			found = i;
		else if (!c->nodes[i].removed && rv_str_equal(rv_str_of(c->nodes[i].name), info->name))
			*holder = i;
	}
	return found;
}

static uint32_t admit(struct coord *c, const struct proto_node_info *info)
{
	struct proto_fact f = { .kind = PROTO_FACT_NODE };

	f.node.node = c->node_count;
	f.node.change = PROTO_NODE_ADMITTED;
	f.node.name = info->name;
	memcpy(f.node.key, info->key, sizeof(f.node.key));
	coord_decide(c, &f, NULL);
	return f.node.node;
}

/* Journaled, so that after a restart of ours, too, we know what this daemon cannot have forgotten. */
static void began(struct coord *c, uint32_t node, const struct proto_node_info *info)
{
	const struct coord_node *n = &c->nodes[node];
	struct proto_fact f = { .kind = PROTO_FACT_NODE };

	if (n->incarnation == info->incarnation && memcmp(n->boot_id, info->boot_id, sizeof(n->boot_id)) == 0)
		return;
	f.node.node = node;
	f.node.change = PROTO_NODE_BEGAN;
	f.node.name = rv_str_of(n->name);
	memcpy(f.node.key, n->key, sizeof(f.node.key));
	memcpy(f.node.boot_id, info->boot_id, sizeof(f.node.boot_id));
	f.node.incarnation = info->incarnation;
	coord_decide(c, &f, NULL);
}

static bool beating(const struct coord *c, const struct coord_node *n)
{
	return n->state == COORD_N_JOINED && rv_sat_sub(coord_live_us(c), n->heard_us) <= 3 * n->heartbeat_us;
}

/* The first page: who it is; COORD_NONE: it was sent away. */
static uint32_t greet(struct coord *c, uint64_t peer, const struct proto_node_info *info, uint64_t hello_n, bool admitted)
{
	bool known_boot, again;
	uint32_t holder, node = find_node(c, info, &holder);
	struct coord_node *n;
	static const uint8_t no_boot[16];

	if (node != COORD_NONE && c->nodes[node].removed && admitted)
		node = COORD_NONE; /* its key was let in anew since: it begins as another node */
	if (node == COORD_NONE && (holder != COORD_NONE || c->node_count == c->cfg.nodes_max)) {
		goaway(c, peer, holder != COORD_NONE ? PROTO_GOAWAY_NAME_TAKEN : PROTO_GOAWAY_FULL, holder);
		return COORD_NONE;
	}
	if (node == COORD_NONE)
		node = admit(c, info);
	n = &c->nodes[node];
	known_boot = memcmp(n->boot_id, no_boot, sizeof(no_boot)) != 0;
	if (n->removed) {
		goaway(c, peer, PROTO_GOAWAY_REVOKED, COORD_NONE);
		return COORD_NONE;
	}
	if (known_boot && !RV_PLANT(LATE_HELLO) && memcmp(n->boot_id, info->boot_id, sizeof(n->boot_id)) == 0 &&
	    (info->incarnation < n->incarnation || (info->incarnation == n->incarnation && hello_n && hello_n <= n->hello_n))) {
		c->stale++; /* a copy, or one that a later one has overtaken: what it lists is of the past */
		return COORD_NONE;
	}
	if (known_boot && memcmp(n->boot_id, info->boot_id, sizeof(n->boot_id)) != 0) {
		if (n->peer != peer && beating(c, n)) {
			goaway(c, peer, PROTO_GOAWAY_DUPLICATE, COORD_NONE);
			return COORD_NONE;
		}
		n->rebooted = true;
	}
	again = n->state != COORD_N_AWAY && n->peer == peer && !n->rebooted;
	if (n->peer && n->peer != peer)
		(void)coord_emit(c, COORD_FX_LINK_OVER, n->peer);
	if (n->state != COORD_N_AWAY)
		coord_node_away(c, node);
	began(c, node, info);
	n->hello_n = hello_n;
	n->peer = peer;
	n->session = ++c->sessions;
	n->state = COORD_N_JOINED;
	n->messages_in = 0;
	n->digest = 0;
	n->hello_page = 0;
	n->hello_mark++;
	n->heartbeat_us = coord_lease_heartbeat(c, n);
	coord_node_describe(n, info);
	coord_node_recount(c, node);
	for (uint32_t i = n->attempts.first; i != COORD_NONE; i = c->attempts[i].node_next) {
		c->attempts[i].counted = false;
		coord_attempt_answered(c, i);
	}
	rv_intmap_put(&c->peer_map, peer, node);
	if (!again) /* a table that was asked for is no news */
		coord_tell_node(c, COORD_T_NODE_JOINED, node);
	return node;
}

static enum proto_verdict settled(const struct proto_held *h)
{
	return h->state == PROTO_HELD_FINISHED ? PROTO_FORGET : PROTO_KILL;
}

/* `epoch`: of the coordinator whose DISPATCH brought the attempt to its node. From before it was assigned, it is of an assignment that was
 * lost with a journal's unsynced tail: the same number, perhaps other inputs. From after our own, it is of no coordinator there has been. */
static bool of_our_time(const struct coord *c, uint64_t epoch, uint32_t slot)
{
	return epoch <= c->epoch && (slot == COORD_NONE || epoch >= c->attempts[slot].epoch);
}

static enum proto_verdict held_here(struct coord *c, struct coord_node *n, const struct proto_held *h, uint32_t slot)
{
	struct coord_attempt *a = &c->attempts[slot];

	a->mark = n->hello_mark;
	if (a->state != COORD_A_STOPPING && a->state != COORD_A_RETRACTING)
		coord_attempt_state(c, slot, h->state == PROTO_HELD_QUEUED ? COORD_A_TAKEN : COORD_A_RUNNING);
	if (h->state != PROTO_HELD_QUEUED && !a->started) {
		a->started = true;
		c->runs[a->run].g->times[a->unit].start_us = 0; /* nobody told when */
	}
	coord_attempt_count(c, slot);
	return h->state == PROTO_HELD_FINISHED ? PROTO_RESEND : PROTO_KEEP;
}

static bool free_to_take_back(struct coord *c, struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_class *cl = coord_unit_class(r, u);

	if (r->stop || !coord_attempt_room(c))
		return false;
	return (!cl->lock_count || coord_locks_free(c, r, u->place_class, false)) && (!cl->dirs || coord_dirs_free(c, r, unit, false));
}

/* The same attempt was given up, and nobody else has been given its unit yet. */
static enum proto_verdict take_back(struct coord *c, struct coord_run *r, struct coord_node *n, const struct proto_held *h)
{
	struct proto_fact f = { .kind = PROTO_FACT_ASSIGNED };

	if (h->state == PROTO_HELD_FINISHED)
		return PROTO_RESEND; /* its result will be taken */
	if (!free_to_take_back(c, r, h->key.unit))
		return PROTO_KILL;
	f.assigned.key = h->key;
	f.assigned.node = (uint32_t)(n - c->nodes);
	coord_decide(c, &f, NULL);
	return held_here(c, n, h, coord_unit_at(r, h->key.unit)->slot);
}

static enum proto_verdict verdict_of(struct coord *c, struct coord_node *n, const struct proto_held *h)
{
	uint32_t node = (uint32_t)(n - c->nodes);
	struct coord_run *r;
	uint32_t slot = coord_attempt_find(c, h->key, &r);
	const struct coord_unit *u;

	if (RV_PLANT(KEEP_LOST))
		return h->state == PROTO_HELD_FINISHED ? PROTO_RESEND : PROTO_KEEP;
	if (!r || h->key.unit >= r->g->vertex_count)
		return settled(h);
	u = coord_unit_at(r, h->key.unit);
	if (!of_our_time(c, h->epoch, slot))
		return settled(h);
	if (u->node == node && u->attempt == h->key.attempt) {
		if (slot != COORD_NONE)
			return held_here(c, n, h, slot);
		if (u->flags & COORD_U_LOST && !coord_state_ended(u->state) && u->state != COORD_UNIT_PENDING)
			return take_back(c, r, n, h);
		return settled(h);
	}
	if (h->state == PROTO_HELD_FINISHED && u->node_lost)
		return PROTO_RESEND; /* fenced: kept and shown as late */
	return settled(h);
}

void coord_on_hello(struct coord *c, const struct coord_event *ev)
{
	const struct proto_hello *h = ev->hello;
	struct coord_node *n = coord_node_by_peer(c, ev->peer);
	uint32_t node;
	struct coord_effect *e;

	if (h->held_count > COORD_HELLO_HELD_MAX) { /* a node that knows the protocol pages it */
		c->stale++;
		return;
	}
	if (h->page == 0) {
		node = greet(c, ev->peer, &h->node, h->n, ev->admitted);
		if (node == COORD_NONE)
			return;
		n = &c->nodes[node];
	} else if (!n || h->page != n->hello_page || h->n != n->hello_n) {
		c->stale++;
		return; /* a page is missing: the node says HELLO again */
	}
	heard(c, n);
	n->hello_page = h->page + 1;
	n->messages_out = 0; /* the node counts from each WELCOME, and what it sends from its HELLO */
	e = coord_emit(c, COORD_FX_WELCOME, ev->peer);
	e->welcome = (struct proto_welcome){ .epoch = c->epoch, .session = n->session, .heartbeat_us = n->heartbeat_us };
	for (uint32_t i = 0; i < h->held_count; i++) {
		enum proto_verdict v = verdict_of(c, n, &h->held[i]);
		uint64_t lease_us = 0;
		struct coord_run *r = NULL;

		if (v == PROTO_KEEP && coord_attempt_find(c, h->held[i].key, &r) != COORD_NONE)
			lease_us = coord_unit_setting(r, coord_unit_at(r, h->held[i].key.unit))->lost_after_us / 10 * 9;
		e = coord_emit(c, COORD_FX_VERDICT, ev->peer);
		e->verdict = (struct proto_held_verdict){ .key = h->held[i].key, .verdict = v, .lease_us = lease_us };
	}
	if (h->last && !n->reconciling) {
		n->reconcile = n->attempts.first;
		n->reconciling = true;
		c->reconciling++;
	}
	coord_node_deadline(c, (uint32_t)(n - c->nodes), c->now_us + n->heartbeat_us);
}

/* --- the rest --- */

static void heartbeat(struct coord *c, struct coord_node *n, const struct proto_heartbeat *hb)
{
	struct coord_effect *e;

	if (hb->session != n->session) {
		c->stale++;
		return;
	}
	n->heartbeat_us = coord_lease_heartbeat(c, n);
	e = coord_emit(c, COORD_FX_HB_ACK, n->peer);
	e->hb_ack = (struct proto_hb_ack){ .session = n->session, .n = hb->n, .received = n->messages_in, .heartbeat_us = n->heartbeat_us };
	e->hb_ack.want_table = n->greeted && hb->sent == n->messages_in && hb->received == n->messages_out && hb->digest != n->digest;
	e->needs_fact = false;
}

static void ack(struct coord *c, struct coord_node *n, struct proto_attempt_key key, enum proto_ack what)
{
	coord_emit(c, COORD_FX_RESULT_ACK, n->peer)->result_ack = (struct proto_result_ack){ key, what };
	n->messages_out++;
}

/* A result that is not of a live attempt of this node. */
static void late_result(struct coord *c, struct coord_node *n, struct coord_run *r, const struct proto_result *res)
{
	const struct coord_unit *u = r && res->key.unit < r->g->vertex_count ? coord_unit_at(r, res->key.unit) : NULL;
	struct coord_transition *t;

	c->stale++;
	if (!u || res->key.attempt > u->attempt || !u->node_lost || (res->key.attempt == u->attempt && !(u->flags & COORD_U_LOST))) {
		ack(c, n, res->key, PROTO_ACK_DUPLICATE);
		return;
	}
	t = coord_tell(c, COORD_T_RESULT_FENCED, r, res->key.unit);
	t->attempt = res->key.attempt;
	t->node = (uint32_t)(n - c->nodes);
	t->result = res;
	ack(c, n, res->key, PROTO_ACK_FENCED);
}

static void result(struct coord *c, struct coord_node *n, const struct proto_result *res)
{
	uint32_t node = (uint32_t)(n - c->nodes);
	struct coord_run *r;
	uint32_t slot = coord_attempt_find(c, res->key, &r);
	const struct coord_unit *u = r && res->key.unit < r->g->vertex_count ? coord_unit_at(r, res->key.unit) : NULL;
	bool came_back = u && slot == COORD_NONE && !coord_state_ended(u->state) && u->state != COORD_UNIT_PENDING &&
			 u->flags & COORD_U_LOST && u->attempt == res->key.attempt;

	if (!u || !of_our_time(c, res->epoch, slot) || (u->node != node && !RV_PLANT(NO_FENCE)) || (slot == COORD_NONE && !came_back && !(RV_PLANT(NO_DEDUP) && u->attempt == res->key.attempt))) {
		late_result(c, n, r, res);
		return;
	}
	if (slot != COORD_NONE && c->attempts[slot].after != COORD_NONE && res->flags & PROTO_RESULT_STARTED && !RV_PLANT(BEHIND_FIRST)) {
		c->attempts[slot].overtook = true; /* the result of what it comes after: it is asked for once that is here */
		c->stale++;
		return;
	}
	if (slot != COORD_NONE && c->attempts[slot].after != COORD_NONE && res->outcome == PROTO_FAILED) {
		coord_behind_give_back(c, r, slot, false); /* it could not be prepared, before it was its turn: it says so again when it is */
		ack(c, n, res->key, PROTO_ACK_ACCEPTED);
		return;
	}
	if (came_back && res->outcome != PROTO_SUCCEEDED) { /* it counted as lost already: that was its failure */
		ack(c, n, res->key, PROTO_ACK_DUPLICATE);
		return;
	}
	coord_end_attempt(c, r, res->key.unit, node, res);
	ack(c, n, res->key, PROTO_ACK_ACCEPTED);
	coord_node_health(c, node, res);
}

/* An attempt of this node that it says it does not have (any more), by its own word. */
static void gone(struct coord *c, struct coord_node *n, struct proto_attempt_key key, enum proto_reason reason)
{
	struct coord_run *r;
	uint32_t slot = coord_attempt_find(c, key, &r);
	struct proto_result res = { .key = key, .outcome = PROTO_FAILED, .reason = reason, .exit = -1 };

	if (slot == COORD_NONE || (c->attempts[slot].node != (uint32_t)(n - c->nodes) && !RV_PLANT(FORGED_HEARD))) {
		c->stale++;
		return;
	}
	if (reason == PROTO_REASON_CANCELLED && c->attempts[slot].state == COORD_A_RETRACTING)
		res.reason = PROTO_REASON_RETRACTED; /* its RETRACTED got lost: it was given back before */
	else if (reason == PROTO_REASON_CANCELLED && c->attempts[slot].state != COORD_A_STOPPING)
		return; /* NOT_HERE of a question that was not asked: the table digest heals it */
	coord_end_attempt(c, r, key.unit, (uint32_t)(n - c->nodes), &res);
}

static void rejected(struct coord *c, struct coord_node *n, const struct proto_rejected *rej)
{
	uint32_t node = (uint32_t)(n - c->nodes);
	struct coord_run *r;
	uint32_t slot = coord_attempt_find(c, rej->key, &r);

	if (slot == COORD_NONE || c->attempts[slot].node != node) {
		c->stale++;
		return;
	}
	if (rej->why == PROTO_REJECT_NO_WORKSPACE) {
		r->no_workspace[node / 64] |= (uint64_t)1 << (node % 64);
	} else if (rej->why == PROTO_REJECT_BAD_SPEC && c->attempts[slot].after == COORD_NONE) {
		struct proto_result res = { .key = rej->key, .outcome = PROTO_FAILED, .class = PROTO_CLASS_CONFIG, .exit = -1,
					    .reason = PROTO_REASON_REJECTED, .error = RV_STR("the node cannot read the unit's spec") };

		coord_end_attempt(c, r, rej->key.unit, node, &res);
		return;
	} else if (rej->why != PROTO_REJECT_STALE) {
		n->full_until_us = c->now_us + RV_US_PER_S;
		coord_node_deadline(c, node, n->full_until_us);
		coord_node_update(c, node);
	}
	gone(c, n, rej->key, PROTO_REASON_REJECTED);
}

static void started(struct coord *c, struct coord_node *n, const struct proto_started *s)
{
	struct coord_run *r;
	uint32_t slot = coord_attempt_find(c, s->key, &r);
	struct coord_attempt *a;
	bool news;

	if (slot == COORD_NONE || c->attempts[slot].node != (uint32_t)(n - c->nodes)) {
		c->stale++;
		return;
	}
	a = &c->attempts[slot];
	news = !a->started;
	if (news)
		r->g->times[s->key.unit].start_us = s->start_us;
	a->started = true;
	if (a->after == COORD_NONE) /* else it is told once the result of the attempt before has been heard */
		coord_attempt_began(c, slot, news);
}

static void taken(struct coord *c, struct coord_node *n, struct proto_attempt_key key)
{
	struct coord_run *r;
	uint32_t slot = coord_attempt_find(c, key, &r);

	if (slot == COORD_NONE || c->attempts[slot].node != (uint32_t)(n - c->nodes)) {
		c->stale++;
		return;
	}
	if (c->attempts[slot].state != COORD_A_SENT)
		return;
	if (c->attempts[slot].sends == 1)
		coord_node_rtt(c, n, rv_min_u64(c->now_us - c->attempts[slot].sent_us, RTT_US_MAX));
	coord_attempt_answered(c, slot);
	coord_attempt_state(c, slot, COORD_A_TAKEN);
}

static void usage(struct coord *c, struct coord_node *n, const struct proto_usage_report *report)
{
	struct coord_run *r;
	uint32_t slot = coord_attempt_find(c, report->key, &r);

	if (slot == COORD_NONE || c->attempts[slot].node != (uint32_t)(n - c->nodes)) {
		c->stale++;
		return;
	}
	coord_budget_report(c, slot, &report->usage);
}

void coord_on_node(struct coord *c, const struct coord_event *ev)
{
	struct coord_node *n = coord_node_by_peer(c, ev->peer);

	if (!n) {
		c->stale++;
		return;
	}
	if (ev->kind == COORD_EV_NODE_GONE) {
		(void)coord_emit(c, COORD_FX_LINK_OVER, n->peer);
		coord_node_away(c, (uint32_t)(n - c->nodes));
		coord_tell_node(c, COORD_T_NODE_LEFT, (uint32_t)(n - c->nodes));
		return;
	}
	heard(c, n);
	if (ev->kind != COORD_EV_HEARTBEAT && ev->kind != COORD_EV_USAGE)
		n->messages_in++;
	switch (ev->kind) {
	case COORD_EV_HEARTBEAT:
		heartbeat(c, n, ev->heartbeat);
		break;
	case COORD_EV_USAGE:
		usage(c, n, ev->usage);
		break;
	case COORD_EV_TAKEN:
		taken(c, n, ev->key);
		break;
	case COORD_EV_REJECTED:
		rejected(c, n, ev->rejected);
		break;
	case COORD_EV_STARTED:
		started(c, n, ev->started);
		break;
	case COORD_EV_RESULT:
		result(c, n, ev->result);
		break;
	case COORD_EV_NOT_HERE:
		gone(c, n, ev->key, PROTO_REASON_CANCELLED);
		break;
	case COORD_EV_RETRACTED:
		gone(c, n, ev->key, PROTO_REASON_RETRACTED);
		break;
	default: { /* ALREADY_STARTED: it stays where it is */
		struct proto_started s = { .key = ev->key, .start_us = ev->real_us };

		started(c, n, &s);
		break;
	}
	}
}
