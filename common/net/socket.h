/* socket.h - what ROUTER and DEALER share: raw zmq sockets with the options that bound them; for common/net only */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "common/net/bus.h"
#include "common/net/curve.h"

struct net_bus {
	void *ctx;
	enum net_bus_reach reach;
	int *dirs;          /* directories of sockets with long paths, open as long as a socket may need its path */
	uint32_t dir_count;
};

enum net_transport { NET_INPROC, NET_IPC, NET_TCP };

int net_transport_of(const char *endpoint, enum net_transport *out, struct rv_err *err);

/* A socket of this kind with bounded queues, frame size, handshake time and silence. `linger_ms`: at close. */
void *net_socket_open(struct net_bus *bus, int type, enum net_transport transport, const char *endpoint, uint32_t frames_in_max,
		      uint32_t frames_out_max, uint32_t linger_ms, struct rv_err *err);
int net_socket_set_int(void *raw, int option, int value);
int net_socket_set_key(void *raw, int option, const uint8_t key[NET_KEY_BYTES]);
int net_socket_fail(struct rv_err *err, const char *what, const char *endpoint);
void net_socket_close(void **raw);

/* A monitor: another socket on which libzmq tells events (ZMQ_EVENT_*) of `raw`. Its queue has no bound, since libzmq's thread would
 * block on a full one; it is to be drained whenever the loop wakes. Closed before `raw` is, by net_monitor_close(). */
void *net_monitor_open(struct net_bus *bus, void *raw, int events, struct rv_err *err);
/* 1: an event and its value; 0: none now. */
int net_monitor_next(void *monitor, int *event, uint32_t *value);
void net_monitor_close(void *raw, void **monitor);

/* Reads on to the end of a multipart message. */
void net_skip_rest(void *raw, void *zmq_msg);

#endif
