#include "common/net/link.h"

#include "common/check.h"

#include <czmq.h>
#include <errno.h>
#include <stdlib.h>

enum { ROUTING_ID_BYTES = 5 };

struct net_router {
	zsock_t *sock;
	void *raw;
	zmq_msg_t id, frame; /* of the last receive */
	uint64_t malformed;
};

struct net_dealer {
	zsock_t *sock;
	void *raw;
	zmq_msg_t frame;
	uint64_t malformed;
};

static int fail_bus(struct rv_err *err, const char *what, const char *endpoint)
{
	return rv_fail(err, RV_E_IO, "%s %s: %s", what, endpoint, zmq_strerror(zmq_errno()));
}

void net_without_network(void)
{
	zsys_set_io_threads(0);
}

int net_router_create(struct net_router **out, const char *endpoint, uint32_t frames_max, struct rv_err *err)
{
	struct net_router *r = calloc(1, sizeof *r);

	if (!r)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a socket");
	zmq_msg_init(&r->id);
	zmq_msg_init(&r->frame);
	r->sock = zsock_new(ZMQ_ROUTER);
	if (!r->sock) {
		fail_bus(err, "cannot make a ROUTER for", endpoint);
		net_router_destroy(&r);
		return -1;
	}
	r->raw = zsock_resolve(r->sock);
	zsock_set_router_mandatory(r->sock, 1);
	zsock_set_linger(r->sock, 0);
	zsock_set_sndhwm(r->sock, (int)frames_max);
	zsock_set_rcvhwm(r->sock, (int)frames_max);
	if (zmq_bind(r->raw, endpoint) < 0) {
		fail_bus(err, "cannot listen on", endpoint);
		net_router_destroy(&r);
		return -1;
	}
	*out = r;
	return 0;
}

void net_router_destroy(struct net_router **r)
{
	if (!*r)
		return;
	zmq_msg_close(&(*r)->id);
	zmq_msg_close(&(*r)->frame);
	zsock_destroy(&(*r)->sock);
	free(*r);
	*r = NULL;
}

/* Reads on to the end of a multipart message. */
static void skip_rest(void *raw, zmq_msg_t *part)
{
	while (zmq_msg_more(part) && zmq_msg_recv(part, raw, ZMQ_DONTWAIT) >= 0)
		continue;
}

int net_router_receive(struct net_router *r, uint64_t *peer, struct rv_str *frame)
{
	while (zmq_msg_recv(&r->id, r->raw, ZMQ_DONTWAIT) >= 0) {
		const uint8_t *id = zmq_msg_data(&r->id);

		if (zmq_msg_size(&r->id) != ROUTING_ID_BYTES || !zmq_msg_more(&r->id)) {
			r->malformed++;
			skip_rest(r->raw, &r->id);
			continue;
		}
		if (zmq_msg_recv(&r->frame, r->raw, ZMQ_DONTWAIT) < 0)
			return 0;
		if (zmq_msg_more(&r->frame)) {
			r->malformed++;
			skip_rest(r->raw, &r->frame);
			continue;
		}
		*peer = (uint64_t)id[1] << 24 | (uint64_t)id[2] << 16 | (uint64_t)id[3] << 8 | id[4];
		*frame = rv_str(zmq_msg_data(&r->frame), zmq_msg_size(&r->frame));
		return 1;
	}
	return 0;
}

static int send_copy(void *raw, struct rv_str frame)
{
	return zmq_send(raw, frame.at, frame.bytes, ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

int net_router_send(struct net_router *r, uint64_t peer, struct rv_str frame)
{
	uint8_t id[ROUTING_ID_BYTES] = { 0, (uint8_t)(peer >> 24), (uint8_t)(peer >> 16), (uint8_t)(peer >> 8), (uint8_t)peer };

	if (zmq_send(r->raw, id, sizeof id, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
		return -1;
	return send_copy(r->raw, frame);
}

uint64_t net_router_malformed(const struct net_router *r)
{
	return r->malformed;
}

int net_dealer_create(struct net_dealer **out, const char *endpoint, uint32_t frames_max, struct rv_err *err)
{
	struct net_dealer *d = calloc(1, sizeof *d);

	if (!d)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a socket");
	zmq_msg_init(&d->frame);
	d->sock = zsock_new(ZMQ_DEALER);
	if (!d->sock) {
		fail_bus(err, "cannot make a DEALER for", endpoint);
		net_dealer_destroy(&d);
		return -1;
	}
	d->raw = zsock_resolve(d->sock);
	zsock_set_linger(d->sock, 0);
	zsock_set_sndhwm(d->sock, (int)frames_max);
	zsock_set_rcvhwm(d->sock, (int)frames_max);
	if (zmq_connect(d->raw, endpoint) < 0) {
		fail_bus(err, "cannot connect to", endpoint);
		net_dealer_destroy(&d);
		return -1;
	}
	*out = d;
	return 0;
}

void net_dealer_destroy(struct net_dealer **d)
{
	if (!*d)
		return;
	zmq_msg_close(&(*d)->frame);
	zsock_destroy(&(*d)->sock);
	free(*d);
	*d = NULL;
}

int net_dealer_receive(struct net_dealer *d, struct rv_str *frame)
{
	while (zmq_msg_recv(&d->frame, d->raw, ZMQ_DONTWAIT) >= 0) {
		if (zmq_msg_more(&d->frame)) {
			d->malformed++;
			skip_rest(d->raw, &d->frame);
			continue;
		}
		*frame = rv_str(zmq_msg_data(&d->frame), zmq_msg_size(&d->frame));
		return 1;
	}
	return 0;
}

int net_dealer_send(struct net_dealer *d, struct rv_str frame)
{
	return send_copy(d->raw, frame);
}

void *net_router_socket(const struct net_router *r)
{
	return r->sock;
}

void *net_dealer_socket(const struct net_dealer *d)
{
	return d->sock;
}
