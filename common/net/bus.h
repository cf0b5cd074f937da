/* bus.h - a ZeroMQ context: what its sockets share, and what has to outlive them
 *
 * Links that meet over inproc are on the same bus. A bus makes its threads (one for input and output, one that reaps) with its first
 * socket, so one that nobody uses costs nothing. Ownership: a bus outlives its links; destroying it waits until the last of their
 * sockets is closed and never for a peer (nothing lingers).
 */
#ifndef NET_BUS_H
#define NET_BUS_H

#include "common/err.h"

struct net_bus;

enum net_bus_reach {
	NET_BUS_INPROC,  /* no thread for input and output (0.1 to 0.4 ms): ipc and tcp endpoints are refused */
	NET_BUS_NETWORK,
};

int net_bus_create(struct net_bus **out, enum net_bus_reach reach, struct rv_err *err);
void net_bus_destroy(struct net_bus **b);

/* The endpoint "ipc://..." of the socket `name` in directory `dir`. A path that is too long for a socket address (108 bytes), or that
 * libzmq would read as something else, goes through /proc/self/fd: the bus keeps the directory open. */
int net_bus_ipc_endpoint(struct net_bus *b, const char *dir, const char *name, char *out, size_t size, struct rv_err *err);

#define NET_ENDPOINT_BYTES_MAX 255u

/* "tcp://HOST:PORT", HOST a name, an IPv4 address, an IPv6 address in brackets or, where listening, "*"; PORT 1 to 65535 or, where
 * listening, "*" (any free one). */
enum net_endpoint_use { NET_ENDPOINT_CONNECT, NET_ENDPOINT_LISTEN };
int net_endpoint_check(struct rv_str endpoint, enum net_endpoint_use use, struct rv_err *err);

/* Would `text` be an endpoint if "tcp://" stood before it (of one that listens HOST may be missing, too)? Then it is in `out`. */
bool net_endpoint_nearly(struct rv_str text, enum net_endpoint_use use, char out[NET_ENDPOINT_BYTES_MAX + 1]);

/* How others reach what listens: `listen` as it was given, `bound` as the router tells it (net_router_endpoint). Where that is every address
 * of this machine, those of its interfaces, at most `max` (>= 1). */
int net_endpoint_reachable(const char *listen, const char *bound, char out[][NET_ENDPOINT_BYTES_MAX + 1], uint32_t max, uint32_t *count,
			   struct rv_err *err);

#endif
