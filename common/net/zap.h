/* zap.h - the handler that libzmq asks whether a key may shake hands (ZAP, RFC 27); for common/net only
 *
 * A ROUTER bound to inproc://zeromq.zap.01 of the bus, serviced by whoever owns it between other things: no thread. A CURVE handshake
 * waits for the answer, at most RV_LINK_HANDSHAKE_MS; each connection has one question in flight at most.
 */
#ifndef NET_ZAP_H
#define NET_ZAP_H

#include "common/net/bus.h"
#include "common/net/link.h"

#define NET_ZAP_DOMAIN "reeve"

struct net_zap {
	void *raw;
	net_allow_fn *allow;
	void *arg;
	uint64_t let_in, refused, malformed;
};

int net_zap_open(struct net_zap *z, struct net_bus *bus, net_allow_fn *allow, void *arg, struct rv_err *err);
/* Answers all questions that wait, but at most `count`. */
void net_zap_serve(struct net_zap *z, uint32_t count);
void net_zap_close(struct net_zap *z);

/* The key of a frame: its property User-Id, which libzmq took from our answer. -1: it has none. */
int net_zap_user(void *zmq_msg, uint8_t key[NET_KEY_BYTES]);

#endif
