#include "common/net/conns.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LOOK_US = 250000,
	PUT_OFF_MAX = 16,    /* where there are always more messages, each peer has had its turn by then */
	FIRST_CAPACITY = 64,
	FD_MAX = 1 << 20,
};

void net_conns_release(struct net_conns *c)
{
	free(c->items);
	*c = (struct net_conns){ 0 };
}

/* 0: it is no socket, or gone. */
static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof cookie;

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

static struct net_conn *find(struct net_conns *c, int fd)
{
	return fd >= 0 && (uint32_t)fd < c->capacity && c->items[fd].cookie ? &c->items[fd] : NULL;
}

static int grow(struct net_conns *c, uint32_t fd)
{
	uint32_t capacity = c->capacity ? c->capacity : FIRST_CAPACITY;
	struct net_conn *items;

	while (capacity <= fd)
		capacity *= 2;
	items = realloc(c->items, capacity * sizeof *items);
	if (!items)
		return -1;
	memset(items + c->capacity, 0, (capacity - c->capacity) * sizeof *items);
	c->items = items;
	c->capacity = capacity;
	return 0;
}

void net_conns_opened(struct net_conns *c, int fd)
{
	if (fd < 0 || fd >= FD_MAX || ((uint32_t)fd >= c->capacity && grow(c, (uint32_t)fd) < 0))
		return;
	c->open -= c->items[fd].cookie != 0;
	c->items[fd] = (struct net_conn){ .cookie = cookie_of(fd) };
	c->open += c->items[fd].cookie != 0;
}

void net_conns_closed(struct net_conns *c, int fd)
{
	struct net_conn *conn = find(c, fd);

	if (!conn || cookie_of(fd) == conn->cookie)
		return; /* told of another that had this number before */
	conn->cookie = 0;
	c->open--;
}

void net_conns_heard(struct net_conns *c, int fd)
{
	struct net_conn *conn = find(c, fd);

	if (conn)
		conn->heard = true;
}

/* --- looking --------------------------------------------------------------------------------------------------------------- */

/* Bytes that came by the socket, or -1. */
static int received(int fd, uint64_t *bytes)
{
	struct tcp_info info;
	socklen_t size = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
		return -1;
	*bytes = info.tcpi_bytes_received;
	return 0;
}

/* By a copy, which stays the socket that it was. */
static void shut_down(int fd, uint64_t cookie)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return;
	if (cookie_of(copy) == cookie)
		(void)shutdown(copy, SHUT_RDWR); /* fails only if the peer was quicker */
	(void)close(copy);
}

static void look_at(struct net_conns *c, int fd, uint64_t bytes_max)
{
	struct net_conn *conn = &c->items[fd];
	uint64_t bytes;

	if (received(fd, &bytes) < 0)
		return;
	if (conn->heard) {
		conn->heard = false;
		conn->bytes = bytes;
	} else if (bytes - conn->bytes > bytes_max && bytes >= conn->bytes) {
		shut_down(fd, conn->cookie);
		conn->bytes = bytes;
		c->cut++;
	}
}

void net_conns_look(struct net_conns *c, uint64_t now_us, uint64_t bytes_max)
{
	uint32_t left = c->open;

	if (!left || now_us < c->look_us)
		return;
	/* What waits to be taken is no fault of who sent it. */
	if (!c->emptied && ++c->put_off < PUT_OFF_MAX) {
		c->look_us = now_us + LOOK_US;
		return;
	}
	c->put_off = 0;
	c->emptied = false;
	c->look_us = now_us + LOOK_US;
	for (uint32_t fd = 0; left && fd < c->capacity; fd++) {
		if (!c->items[fd].cookie)
			continue;
		left--;
		look_at(c, (int)fd, bytes_max);
	}
}

uint64_t net_conns_next_deadline(const struct net_conns *c)
{
	return c->open ? c->look_us : RV_NEVER;
}

void net_conns_cut(struct net_conns *c, int fd)
{
	struct net_conn *conn = find(c, fd);

	if (conn)
		shut_down(fd, conn->cookie);
}
