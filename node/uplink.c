#include "node/uplink.h"

#include "common/check.h"
#include "common/net/loop.h"
#include "common/prng.h"

#include <stdio.h>
#include <stdlib.h>

/* What is being sent when the node ends (BYE) gets so long to leave. */
#define LINGER_MS 500u

enum state { WAITING, CONNECTING, UP };

struct node_uplink {
	struct node_uplink_config cfg;
	struct net_dealer *dealer; /* NULL while WAITING */
	enum state state;
	uint32_t endpoint;         /* the one in use */
	uint32_t waits;            /* in a row */
	bool refused;
	uint32_t mismatches; /* in a row */
	uint64_t until_us;         /* WAITING: connect then; CONNECTING: give this endpoint up then */
	struct rv_prng rng;
	char told[96];             /* why there is no connection, as it was logged last; "" = there is one */
};

const char *node_uplink_endpoint(const struct node_uplink *u)
{
	return u->cfg.endpoints[u->endpoint];
}

static void tell_why(struct node_uplink *u, const char *why)
{
	if (strcmp(u->told, why) == 0)
		return;
	(void)snprintf(u->told, sizeof(u->told), "%s", why);
	rv_log(u->cfg.log, RV_LOG_WARN, "no_coordinator", "at", node_uplink_endpoint(u), "why", why, NULL);
}

static void close_dealer(struct node_uplink *u)
{
	if (!u->dealer)
		return;
	net_dealer_unwatch(u->dealer, u->cfg.loop);
	net_dealer_destroy(&u->dealer);
}

static uint64_t patience(const struct node_uplink *u)
{
	return u->cfg.patience_us ? rv_max_u64(u->cfg.patience_us(u->cfg.arg), NODE_UPLINK_PATIENCE_US_MIN) : RV_NEVER;
}

static uint64_t try_until(const struct node_uplink *u, uint64_t now_us)
{
	return now_us + rv_min_u64(rv_max_u64(patience(u), NODE_UPLINK_TRY_US_MIN), NODE_UPLINK_TRY_US);
}

static void wait_a_while(struct node_uplink *u, uint64_t now_us)
{
	uint64_t wait = NODE_UPLINK_WAIT_US_MIN;

	for (uint32_t i = 0; i < u->waits && wait < NODE_UPLINK_WAIT_US_MAX; i++)
		wait *= 2;
	wait = rv_min_u64(wait, rv_min_u64(NODE_UPLINK_WAIT_US_MAX, patience(u)));
	u->waits++;
	close_dealer(u);
	u->state = WAITING;
	u->until_us = now_us + wait - wait / 5 + rv_prng_below(&u->rng, 2 * (wait / 5) + 1);
}

static int open_dealer(struct node_uplink *u, uint64_t now_us, struct rv_err *err)
{
	struct net_dealer_config cfg;

	net_dealer_config_init(&cfg);
	cfg.endpoint = node_uplink_endpoint(u);
	cfg.own = u->cfg.own;
	cfg.server_key = u->cfg.server_key;
	cfg.linger_ms = LINGER_MS;
	cfg.reconnect_max_ms = (uint32_t)rv_min_u64(cfg.reconnect_max_ms, patience(u) / 1000);
	if (net_dealer_open(&u->dealer, u->cfg.bus, &cfg, err) < 0)
		return -1;
	if (net_dealer_watch(u->dealer, u->cfg.loop, err) < 0) {
		net_dealer_destroy(&u->dealer);
		return -1;
	}
	u->state = CONNECTING;
	u->until_us = try_until(u, now_us);
	return 0;
}

static void try_next(struct node_uplink *u, uint64_t now_us)
{
	struct rv_err err;

	close_dealer(u);
	u->endpoint = (u->endpoint + 1) % u->cfg.endpoint_count;
	if (open_dealer(u, now_us, &err) == 0)
		return;
	tell_why(u, err.msg);
	wait_a_while(u, now_us);
}

int node_uplink_create(const struct node_uplink_config *cfg, uint64_t now_us, struct node_uplink **out, struct rv_err *err)
{
	struct node_uplink *u = calloc(1, sizeof(*u));

	rv_check(cfg->endpoint_count);
	if (!u)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a link");
	u->cfg = *cfg;
	rv_prng_seed(&u->rng, cfg->seed);
	if (open_dealer(u, now_us, err) < 0) {
		free(u);
		return -1;
	}
	*out = u;
	return 0;
}

void node_uplink_destroy(struct node_uplink **up)
{
	struct node_uplink *u = *up;

	if (!u)
		return;
	close_dealer(u);
	free(u);
	*up = NULL;
}

static enum node_uplink_news lost(struct node_uplink *u, uint64_t now_us)
{
	bool was_up = u->state == UP;

	u->state = CONNECTING;
	if (was_up)
		u->until_us = try_until(u, now_us);
	tell_why(u, was_up ? "the connection was lost" : "nobody answers there");
	if (!was_up && u->cfg.endpoint_count > 1)
		try_next(u, now_us);
	return was_up ? NODE_UPLINK_DISCONNECTED : NODE_UPLINK_NOTHING;
}

static enum node_uplink_news turned_away(struct node_uplink *u, const char *why, uint64_t now_us)
{
	bool was_up = u->state == UP;

	tell_why(u, why);
	wait_a_while(u, now_us);
	return was_up ? NODE_UPLINK_DISCONNECTED : NODE_UPLINK_NOTHING;
}

static enum node_uplink_news take(struct node_uplink *u, enum net_dealer_event e, uint64_t now_us)
{
	switch (e) {
	case NET_DEALER_CONNECTED:
		u->state = UP;
		u->refused = false;
		u->mismatches = 0;
		u->until_us = RV_NEVER;
		return NODE_UPLINK_CONNECTED;
	case NET_DEALER_LOST:
		return lost(u, now_us);
	case NET_DEALER_REFUSED:
		u->refused = true;
		return turned_away(u, "the coordinator does not know this node's key", now_us);
	case NET_DEALER_MISMATCH:
		u->mismatches++;
		return turned_away(u, "the handshake failed: whoever answers there does not have the coordinator's key", now_us);
	case NET_DEALER_NONE:
		break;
	}
	return NODE_UPLINK_NOTHING;
}

enum node_uplink_news node_uplink_next(struct node_uplink *u, uint64_t now_us)
{
	enum net_dealer_event e;

	while (u->dealer && (e = net_dealer_next_event(u->dealer)) != NET_DEALER_NONE) {
		enum node_uplink_news news = take(u, e, now_us);

		if (news != NODE_UPLINK_NOTHING)
			return news;
	}
	if (u->state != UP && now_us >= u->until_us)
		try_next(u, now_us);
	return NODE_UPLINK_NOTHING;
}

uint64_t node_uplink_next_deadline(const struct node_uplink *u)
{
	return u->state == UP ? RV_NEVER : u->until_us;
}

void node_uplink_renew(struct node_uplink *u, const char *why, uint64_t now_us)
{
	tell_why(u, why);
	wait_a_while(u, now_us);
}

uint32_t node_uplink_mismatches(const struct node_uplink *u)
{
	return u->mismatches;
}

bool node_uplink_refused(const struct node_uplink *u)
{
	return u->refused;
}

void node_uplink_welcomed(struct node_uplink *u)
{
	u->waits = 0;
	u->told[0] = '\0';
}

int node_uplink_receive(struct node_uplink *u, struct rv_str *frame)
{
	return u->dealer ? net_dealer_receive(u->dealer, frame) : 0;
}

int node_uplink_send(struct node_uplink *u, struct rv_str frame)
{
	return u->state == UP ? net_dealer_send(u->dealer, frame) : -1;
}
