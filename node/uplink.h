/* uplink.h - a node's link to its coordinator: made, lost, refused, made again
 *
 *	WAITING --time--> CONNECTING --handshake--> UP
 *	   ^                  |  |                   |
 *	   +------ refused ---+  +--- lost, retried by libzmq itself <--- lost
 *	   +------ node_uplink_renew(): sent away, silence -----------------+
 *
 * WAITING lasts 1, 2, 4 ... 30 s (+-20 %), from 1 s again once node_uplink_welcomed() was called; never longer than the node's patience, so
 * that a coordinator's short absence does not last longer for what the node holds. A handshake that was refused closes the
 * socket, since libzmq would never try again. Why there is no connection is logged once, until that changes. Several endpoints are tried in
 * turn. The link knows no message.
 */
#ifndef NODE_UPLINK_H
#define NODE_UPLINK_H

#include "common/base.h"
#include "common/err.h"
#include "common/log.h"
#include "common/net/link.h"

#define NODE_UPLINK_WAIT_US_MIN 1000000u
#define NODE_UPLINK_WAIT_US_MAX 30000000u
#define NODE_UPLINK_PATIENCE_US_MIN 100000u /* no wait is made shorter than that */
#define NODE_UPLINK_TRY_US_MIN 1000000u     /* nor a try: it is several round trips */
#define NODE_UPLINK_TRY_US 5000000u /* a connection that is not there by then is tried anew, at the next endpoint */

struct node_uplink;

struct node_uplink_config {
	struct net_bus *bus;            /* borrowed */
	struct net_loop *loop;          /* borrowed; the link's sockets wake it */
	const char *const *endpoints;   /* borrowed; ipc:// or tcp:// */
	uint32_t endpoint_count;
	const struct net_keypair *own;  /* tcp; borrowed */
	const uint8_t *server_key;      /* tcp: NET_KEY_BYTES; borrowed */
	const struct rv_log *log;       /* may be NULL */
	uint64_t seed;                  /* jitter */
	uint64_t (*patience_us)(void *arg); /* how long a wait may be now; RV_NEVER: as long as one likes. Asked once a wait or try. NULL: that */
	void *arg;
};

enum node_uplink_news { NODE_UPLINK_NOTHING, NODE_UPLINK_CONNECTED, NODE_UPLINK_DISCONNECTED };

/* Connects at once. */
int node_uplink_create(const struct node_uplink_config *cfg, uint64_t now_us, struct node_uplink **out, struct rv_err *err);
/* What was sent may still leave for `linger_ms`: the bus waits for it. */
void node_uplink_destroy(struct node_uplink **u);

/* What happened, in order; until NOTHING, whenever the loop woke or the deadline came. */
enum node_uplink_news node_uplink_next(struct node_uplink *u, uint64_t now_us);
uint64_t node_uplink_next_deadline(const struct node_uplink *u);

/* The coordinator does not want this connection, or does not answer on it: another one, after a while. `why` for the log. No news comes of it
 * but CONNECTED. */
void node_uplink_renew(struct node_uplink *u, const char *why, uint64_t now_us);
/* The last handshake was refused for the key that we have: unknown there, revoked, expired. */
bool node_uplink_refused(const struct node_uplink *u);
/* Handshakes in a row that whoever answered ended: one may be a coordinator that was just ending, more mean that its key is another. */
uint32_t node_uplink_mismatches(const struct node_uplink *u);
/* It serves us: the next wait is a short one again. */
void node_uplink_welcomed(struct node_uplink *u);

const char *node_uplink_endpoint(const struct node_uplink *u); /* the one in use */
int node_uplink_receive(struct node_uplink *u, struct rv_str *frame); /* 1: a frame, borrowed until the next call; 0 */
int node_uplink_send(struct node_uplink *u, struct rv_str frame);     /* -1: not taken */

#endif
