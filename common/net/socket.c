#include "common/net/socket.h"

#include "common/check.h"
#include "common/limits.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

/* What CURVE adds to a frame on the wire: a command name, a nonce, flags, a MAC (RFC 26: 33 bytes), with room to spare. */
enum { CURVE_EXTRA_BYTES = 64 };

int net_transport_of(const char *endpoint, enum net_transport *out, struct rv_err *err)
{
	if (strncmp(endpoint, "inproc://", 9) == 0)
		*out = NET_INPROC;
	else if (strncmp(endpoint, "ipc://", 6) == 0)
		*out = NET_IPC;
	else if (strncmp(endpoint, "tcp://", 6) == 0)
		*out = NET_TCP;
	else
		return rv_fail(err, RV_E_USAGE, "endpoint %s is neither inproc://, ipc:// nor tcp://", endpoint);
	return 0;
}

int net_socket_fail(struct rv_err *err, const char *what, const char *endpoint)
{
	int sys = zmq_errno();

	if (sys >= ZMQ_HAUSNUMERO)
		return rv_fail(err, RV_E_IO, "%s %s: %s", what, endpoint, zmq_strerror(sys));
	return rv_fail_errno(err, sys, "%s %s", what, endpoint);
}

int net_socket_set_int(void *raw, int option, int value)
{
	return zmq_setsockopt(raw, option, &value, sizeof value);
}

int net_socket_set_key(void *raw, int option, const uint8_t key[NET_KEY_BYTES])
{
	return zmq_setsockopt(raw, option, key, NET_KEY_BYTES);
}

/* Who may connect to an ipc socket beside what its directory says: our own uid and root. */
static int admit_uids(void *raw)
{
	uid_t own = geteuid(), root = 0;

	if (zmq_setsockopt(raw, ZMQ_IPC_FILTER_UID, &own, sizeof own) < 0)
		return -1;
	return zmq_setsockopt(raw, ZMQ_IPC_FILTER_UID, &root, sizeof root);
}

static int set_network(void *raw, int type, enum net_transport transport, const char *endpoint)
{
	int64_t frame_max = (int64_t)RV_FRAME_BYTES_MAX + (transport == NET_TCP ? CURVE_EXTRA_BYTES : 0);

	if (zmq_setsockopt(raw, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) < 0 ||
	    net_socket_set_int(raw, ZMQ_HANDSHAKE_IVL, RV_LINK_HANDSHAKE_MS) < 0 ||
	    net_socket_set_int(raw, ZMQ_HEARTBEAT_IVL, RV_LINK_BEAT_MS) < 0 ||
	    net_socket_set_int(raw, ZMQ_HEARTBEAT_TIMEOUT, RV_LINK_SILENT_MS) < 0 ||
	    net_socket_set_int(raw, ZMQ_HEARTBEAT_TTL, RV_LINK_SILENT_MS) < 0)
		return -1;
	if (transport == NET_TCP) {
		/* An IPv6 socket would resolve a name to one address and never try the other kind: only where it is spelt out. */
		if (net_socket_set_int(raw, ZMQ_IPV6, strchr(endpoint, '[') != NULL) < 0 ||
		    net_socket_set_int(raw, ZMQ_BACKLOG, RV_LINK_BACKLOG) < 0 ||
		    net_socket_set_int(raw, ZMQ_CONNECT_TIMEOUT, RV_LINK_CONNECT_MS) < 0)
			return -1;
	}
	if (transport == NET_IPC && type == ZMQ_ROUTER)
		return admit_uids(raw);
	return 0;
}

void *net_socket_open(struct net_bus *bus, int type, enum net_transport transport, const char *endpoint, uint32_t frames_in_max,
		      uint32_t frames_out_max, uint32_t linger_ms, struct rv_err *err)
{
	void *raw;

	if (!frames_in_max)
		frames_in_max = RV_LINK_FRAMES_MAX;
	if (!frames_out_max)
		frames_out_max = RV_LINK_FRAMES_MAX;
	rv_check(frames_in_max <= INT_MAX);
	rv_check(frames_out_max <= INT_MAX);
	if (transport != NET_INPROC && bus->reach != NET_BUS_NETWORK) {
		(void)rv_fail(err, RV_E_INTERNAL, "%s on a bus without a network", endpoint);
		return NULL;
	}
	raw = zmq_socket(bus->ctx, type);
	if (!raw) {
		(void)net_socket_fail(err, "cannot make a socket for", endpoint);
		return NULL;
	}
	if (net_socket_set_int(raw, ZMQ_LINGER, (int)linger_ms) < 0 || net_socket_set_int(raw, ZMQ_RCVHWM, (int)frames_in_max) < 0 ||
	    net_socket_set_int(raw, ZMQ_SNDHWM, (int)frames_out_max) < 0 ||
	    (transport != NET_INPROC && set_network(raw, type, transport, endpoint) < 0)) {
		(void)net_socket_fail(err, "cannot set up a socket for", endpoint);
		net_socket_close(&raw);
		return NULL;
	}
	return raw;
}

void net_socket_close(void **raw)
{
	if (*raw)
		(void)zmq_close(*raw); /* fails only for what is no socket */
	*raw = NULL;
}

void net_skip_rest(void *raw, void *zmq_msg)
{
	zmq_msg_t *part = zmq_msg;

	while (zmq_msg_more(part) && zmq_msg_recv(part, raw, ZMQ_DONTWAIT) >= 0)
		continue;
}

/* --- monitors -------------------------------------------------------------------------------------------------------- */

void *net_monitor_open(struct net_bus *bus, void *raw, int events, struct rv_err *err)
{
	void *monitor = zmq_socket(bus->ctx, ZMQ_PAIR);
	char endpoint[64];

	/* inproc names are the bus's: the socket's address is this one's alone */
	(void)snprintf(endpoint, sizeof endpoint, "inproc://monitor-%p", raw);
	if (!monitor || net_socket_set_int(monitor, ZMQ_RCVHWM, 0) < 0 || net_socket_set_int(monitor, ZMQ_LINGER, 0) < 0 ||
	    zmq_socket_monitor(raw, endpoint, events) < 0 || zmq_connect(monitor, endpoint) < 0) {
		(void)net_socket_fail(err, "cannot watch a socket by", endpoint);
		net_monitor_close(raw, &monitor);
		return NULL;
	}
	return monitor;
}

int net_monitor_next(void *monitor, int *event, uint32_t *value)
{
	zmq_msg_t part;
	int got = 0;

	zmq_msg_init(&part);
	if (zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT) == 6) { /* u16 event, u32 value; then a part with the endpoint */
		const uint8_t *at = zmq_msg_data(&part);
		uint16_t number;

		memcpy(&number, at, sizeof number);
		memcpy(value, at + 2, sizeof *value);
		*event = number;
		got = 1;
	}
	net_skip_rest(monitor, &part);
	zmq_msg_close(&part);
	return got;
}

void net_monitor_close(void *raw, void **monitor)
{
	if (!*monitor)
		return;
	/* First its end of the pair, so that libzmq's thread never sends to a pair without a reader, which would block it. */
	(void)zmq_socket_monitor(raw, NULL, 0);
	net_socket_close(monitor);
}
