/* dealer.c - the side that connects (link.h) */
#include "common/check.h"
#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/net/socket.h"

#include <stdlib.h>
#include <zmq.h>

enum { RECONNECT_MS = 100, RECONNECT_MAX_MS = 5000 };

struct net_dealer {
	void *raw;
	void *monitor; /* NULL on inproc */
	zmq_msg_t frame;
	enum { DOWN, UP, TURNED_AWAY } state;
	bool told_up;  /* inproc: its one event was given */
	uint64_t malformed;
};

void net_dealer_config_init(struct net_dealer_config *cfg)
{
	*cfg = (struct net_dealer_config){ .reconnect_ms = RECONNECT_MS, .reconnect_max_ms = RECONNECT_MAX_MS };
}

static int set_curve(struct net_dealer *d, const struct net_dealer_config *cfg, struct rv_err *err)
{
	rv_check(cfg->own != NULL);
	rv_check(cfg->server_key != NULL);
	if (net_socket_set_key(d->raw, ZMQ_CURVE_SERVERKEY, cfg->server_key) < 0 ||
	    net_socket_set_key(d->raw, ZMQ_CURVE_PUBLICKEY, cfg->own->public_key) < 0 ||
	    net_socket_set_key(d->raw, ZMQ_CURVE_SECRETKEY, cfg->own->secret_key) < 0)
		return net_socket_fail(err, "cannot set up CURVE for", cfg->endpoint);
	return 0;
}

static int set_reconnect(struct net_dealer *d, const struct net_dealer_config *cfg, struct rv_err *err)
{
	uint32_t first = cfg->reconnect_ms ? cfg->reconnect_ms : RECONNECT_MS;
	uint32_t most = cfg->reconnect_max_ms ? cfg->reconnect_max_ms : RECONNECT_MAX_MS;

	if (net_socket_set_int(d->raw, ZMQ_RECONNECT_IVL, (int)first) < 0 || net_socket_set_int(d->raw, ZMQ_RECONNECT_IVL_MAX, (int)most) < 0 ||
	    net_socket_set_int(d->raw, ZMQ_IMMEDIATE, 1) < 0)
		return net_socket_fail(err, "cannot set up a socket for", cfg->endpoint);
	return 0;
}

int net_dealer_open(struct net_dealer **out, struct net_bus *bus, const struct net_dealer_config *cfg, struct rv_err *err)
{
	static const int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
				  ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
	enum net_transport transport;
	struct net_dealer *d;

	if (net_transport_of(cfg->endpoint, &transport, err) < 0 ||
	    (transport == NET_TCP && net_endpoint_check(rv_str_of(cfg->endpoint), NET_ENDPOINT_CONNECT, err) < 0))
		return -1;
	d = calloc(1, sizeof *d);
	if (!d)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a socket");
	zmq_msg_init(&d->frame);
	d->raw = net_socket_open(bus, ZMQ_DEALER, transport, cfg->endpoint, cfg->frames_in_max, cfg->frames_out_max, cfg->linger_ms, err);
	if (!d->raw || (transport == NET_TCP && set_curve(d, cfg, err) < 0))
		goto fail;
	if (transport != NET_INPROC) {
		if (set_reconnect(d, cfg, err) < 0)
			goto fail;
		d->monitor = net_monitor_open(bus, d->raw, events, err);
		if (!d->monitor)
			goto fail;
	}
	if (zmq_connect(d->raw, cfg->endpoint) < 0) {
		(void)net_socket_fail(err, "cannot connect to", cfg->endpoint);
		goto fail;
	}
	if (transport == NET_INPROC)
		d->state = UP;
	*out = d;
	return 0;
fail:
	net_dealer_destroy(&d);
	return -1;
}

void net_dealer_destroy(struct net_dealer **dp)
{
	struct net_dealer *d = *dp;

	if (!d)
		return;
	net_monitor_close(d->raw, &d->monitor);
	net_socket_close(&d->raw);
	zmq_msg_close(&d->frame);
	free(d);
	*dp = NULL;
}

/* --- events ----------------------------------------------------------------------------------------------------------- */

/* libzmq tells the end of a connection after its failed handshake, too: one event of ours for both. */
static enum net_dealer_event take_event(struct net_dealer *d, int event)
{
	switch (event) {
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		d->state = UP;
		return NET_DEALER_CONNECTED;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		d->state = TURNED_AWAY;
		return NET_DEALER_REFUSED;
	case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
	case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
		d->state = TURNED_AWAY;
		return NET_DEALER_MISMATCH;
	case ZMQ_EVENT_DISCONNECTED:
		if (d->state == TURNED_AWAY) {
			d->state = DOWN;
			return NET_DEALER_NONE;
		}
		d->state = DOWN;
		return NET_DEALER_LOST;
	case ZMQ_EVENT_CLOSED: /* a connection that could not be made; a connected one ends as DISCONNECTED */
		return NET_DEALER_LOST;
	default:
		return NET_DEALER_NONE;
	}
}

enum net_dealer_event net_dealer_next_event(struct net_dealer *d)
{
	enum net_dealer_event e = NET_DEALER_NONE;
	uint32_t value;
	int event;

	if (!d->monitor) {
		e = d->told_up ? NET_DEALER_NONE : NET_DEALER_CONNECTED;
		d->told_up = true;
		return e;
	}
	while (e == NET_DEALER_NONE && net_monitor_next(d->monitor, &event, &value))
		e = take_event(d, event);
	if (e == NET_DEALER_CONNECTED) {
		int ready;
		size_t size = sizeof ready;

		/* makes libzmq look at its mailbox, where the new connection waits: a send right now would else find none */
		(void)zmq_getsockopt(d->raw, ZMQ_EVENTS, &ready, &size);
	}
	return e;
}

/* --- frames ----------------------------------------------------------------------------------------------------------------- */

int net_dealer_receive(struct net_dealer *d, struct rv_str *frame)
{
	while (zmq_msg_recv(&d->frame, d->raw, ZMQ_DONTWAIT) >= 0) {
		if (zmq_msg_more(&d->frame)) {
			d->malformed++;
			net_skip_rest(d->raw, &d->frame);
			continue;
		}
		*frame = rv_str(zmq_msg_data(&d->frame), zmq_msg_size(&d->frame));
		return 1;
	}
	return 0;
}

int net_dealer_send(struct net_dealer *d, struct rv_str frame)
{
	return zmq_send(d->raw, frame.at, frame.bytes, ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

/* --- for the loop -------------------------------------------------------------------------------------------------------------- */

int net_dealer_watch(struct net_dealer *d, struct net_loop *l, struct rv_err *err)
{
	if (net_loop_add_socket(l, d->raw, err) < 0)
		return -1;
	if (d->monitor && net_loop_add_socket(l, d->monitor, err) < 0) {
		net_loop_remove_socket(l, d->raw);
		return -1;
	}
	return 0;
}

void net_dealer_unwatch(struct net_dealer *d, struct net_loop *l)
{
	net_loop_remove_socket(l, d->raw);
	if (d->monitor)
		net_loop_remove_socket(l, d->monitor);
}
