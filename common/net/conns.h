/* conns.h - the tcp connections of a ROUTER, seen from beside libzmq; for common/net only
 *
 * libzmq bounds a queue by whole messages and a part by its size, but not how many parts a message has: what a peer sends of one that
 * does not end is kept, in memory, where nobody sees it. And it has no call that ends one peer's connection. Both are done here, with the
 * descriptors that libzmq tells (monitor events; ZMQ_SRCFD of a message): the kernel counts what came by each, and a connection of which too
 * much came since its last whole message is shut down, at which libzmq drops what it kept of it.
 *
 * A descriptor is libzmq's, which may close it at any time, and its number may then be another connection's: each is known by
 * its socket's cookie as well (socket(7), SO_COOKIE), and acted upon by a copy.
 */
#ifndef NET_CONNS_H
#define NET_CONNS_H

#include "common/base.h"

struct net_conn {
	uint64_t cookie; /* of its socket; 0: none is open by this number */
	uint64_t bytes;  /* that had come when a whole message was last seen to have come */
	bool heard;      /* one has come since the last look */
};

struct net_conns {
	struct net_conn *items; /* by descriptor */
	uint32_t capacity;
	uint32_t open;
	uint64_t look_us;       /* when the next look is due */
	bool emptied;           /* every message that was there has been taken since the last look */
	uint32_t put_off;       /* looks in a row, for want of that */
	uint64_t cut;           /* connections shut down for what they did not finish */
};

void net_conns_release(struct net_conns *c);

/* One that there is no memory for goes unwatched. */
void net_conns_opened(struct net_conns *c, int fd);
void net_conns_closed(struct net_conns *c, int fd);
/* A whole message came by it. */
void net_conns_heard(struct net_conns *c, int fd);

/* If a look is due: shuts down those of which more than `bytes_max` came since their last whole message. */
void net_conns_look(struct net_conns *c, uint64_t now_us, uint64_t bytes_max);
uint64_t net_conns_next_deadline(const struct net_conns *c);

/* Shuts one down. */
void net_conns_cut(struct net_conns *c, int fd);

#endif
