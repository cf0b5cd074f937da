/* link.h - ROUTER and DEALER: frames between a coordinator and its peers; knows no message
 *
 * One frame is one zmq message part. Sends never block and copy; a received frame is borrowed until the next receive on the same
 * link. A peer is named by the number inside the routing id that libzmq gave it, which lasts as long as its connection.
 *
 * Over inproc and ipc a link is plain: whoever may enter the socket's directory is trusted. Over tcp it is CURVE, always; each frame
 * then comes with the public key that our own ZAP handler (in the loop, no thread) let in, and a frame without one is dropped.
 *
 * libzmq facts this rests on: an auto-generated routing id is a zero byte and a 32-bit number (zmq_socket(3) ZMQ_ROUTER);
 * ROUTER_MANDATORY makes a send to an unknown or full peer fail (EHOSTUNREACH, EAGAIN) instead of dropping it in silence. A client
 * whose handshake was refused (ZAP status 400) never tries again by itself. A ROUTER cannot drop one peer, nor bound the parts of a message
 * that does not end: both are done beside it (conns.h), and who was let in once and is not wanted any more is refused frame by frame.
 */
#ifndef NET_LINK_H
#define NET_LINK_H

#include "common/err.h"
#include "common/net/bus.h"
#include "common/net/curve.h"

struct net_loop;
struct net_router;
struct net_dealer;

/* --- ROUTER ------------------------------------------------------------------------------------------------------------------- */

/* May this public key shake hands now? Asked in the loop's thread, from net_router_receive(). */
typedef bool net_allow_fn(void *arg, const uint8_t key[NET_KEY_BYTES]);

struct net_router_config {
	const char *endpoint;             /* inproc://, ipc:// (net_bus_ipc_endpoint) or tcp:// */
	uint32_t frames_in_max;           /* queued, a peer; 0: RV_LINK_FRAMES_MAX */
	uint32_t frames_out_max;
	const struct net_keypair *server; /* tcp: must be set; borrowed during the call */
	net_allow_fn *allow;              /* tcp: must be set */
	void *arg;
	uint32_t connections_max;         /* tcp: beyond it no new ones are taken until some end; 0: what RLIMIT_NOFILE leaves */
};

void net_router_config_init(struct net_router_config *cfg);
/* One tcp router a bus (its ZAP handler is the bus's). Stale ipc socket files are replaced: hold the state directory's lock. */
int net_router_open(struct net_router **out, struct net_bus *bus, const struct net_router_config *cfg, struct rv_err *err);
/* As bound: "*" ports are numbers here. */
const char *net_router_endpoint(const struct net_router *r);

void net_router_destroy(struct net_router **r);

/* 1: a frame, and on tcp its sender's key (else zeros); 0: none now, or too many in a row of another shape. Messages of another shape than [routing id, frame] are counted and
 * skipped. Answers handshakes, too: call it until 0 whenever the loop woke. */
int net_router_receive_from(struct net_router *r, uint64_t *peer, uint8_t key[NET_KEY_BYTES], struct rv_str *frame);
int net_router_receive(struct net_router *r, uint64_t *peer, struct rv_str *frame);
/* Ends the tcp connection that the last frame came by; what it sent before may still come. Its peer may connect again, and shakes hands then. */
void net_router_cut(struct net_router *r);
/* -1: the peer is gone or its queue is full. */
int net_router_send(struct net_router *r, uint64_t peer, struct rv_str frame);
/* All the sockets that the link has wake the loop. The loop goes first. */
int net_router_watch(struct net_router *r, struct net_loop *l, struct rv_err *err);
/* When net_router_receive() is to be called though nothing woke the loop: a message that does not end wakes nobody. */
uint64_t net_router_next_deadline(const struct net_router *r);

struct net_router_stats {
	uint64_t malformed;      /* messages of another shape than one frame */
	uint64_t oversize;       /* frames over RV_FRAME_BYTES_MAX (libzmq ends the connection of those well above it) */
	uint64_t anonymous;      /* frames without a User-Id on tcp */
	uint64_t let_in, refused, zap_malformed; /* handshakes */
	uint64_t closed_to_new;  /* times that connections_max was reached */
	uint32_t connections;    /* open now, finished or not */
	uint64_t unfinished;     /* connections ended after RV_LINK_UNFINISHED_BYTES_MAX of a message that did not end */
};

void net_router_stats(const struct net_router *r, struct net_router_stats *out);

/* --- DEALER ------------------------------------------------------------------------------------------------------------------- */

struct net_dealer_config {
	const char *endpoint;
	uint32_t frames_in_max, frames_out_max; /* 0: RV_LINK_FRAMES_MAX */
	const struct net_keypair *own;          /* tcp: both must be set; borrowed during the call */
	const uint8_t *server_key;              /* NET_KEY_BYTES */
	uint32_t reconnect_ms, reconnect_max_ms; /* libzmq's own, growing from the first to the second, jittered; 0: 100, 5,000 */
	uint32_t linger_ms;                     /* how long what was sent may still leave after net_dealer_destroy(): the bus waits */
};

enum net_dealer_event {
	NET_DEALER_NONE = 0,
	NET_DEALER_CONNECTED, /* handshake done: frames pass */
	NET_DEALER_LOST,      /* the connection ended, or could not be made; it tries again by itself */
	NET_DEALER_REFUSED,   /* the coordinator knows us not (ZAP said no): never tries again, close it and back off */
	NET_DEALER_MISMATCH,  /* the handshake failed otherwise: as a rule its key is not `server_key`; close it and back off, too */
};

void net_dealer_config_init(struct net_dealer_config *cfg);
/* Frames sent while there is no connection are refused, not queued: nothing said to one connection is delivered on the next. (inproc:
 * connected from the start.) */
int net_dealer_open(struct net_dealer **out, struct net_bus *bus, const struct net_dealer_config *cfg, struct rv_err *err);
/* What happened since the last call, in order; NONE: no more. Call until NONE whenever the loop woke. */
enum net_dealer_event net_dealer_next_event(struct net_dealer *d);

void net_dealer_destroy(struct net_dealer **d);

int net_dealer_receive(struct net_dealer *d, struct rv_str *frame);
/* -1: there is no connection, or its queue is full. */
int net_dealer_send(struct net_dealer *d, struct rv_str frame);
/* As net_router_watch(). Unwatch before destroying, unless the loop went first. */
int net_dealer_watch(struct net_dealer *d, struct net_loop *l, struct rv_err *err);
void net_dealer_unwatch(struct net_dealer *d, struct net_loop *l);

#endif
