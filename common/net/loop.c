#include "common/net/loop.h"

#include "common/check.h"
#include "common/os/clock.h"

#include <czmq.h>
#include <stdlib.h>

enum { WATCHED_MAX = 16 };

struct watched {
	int fd;
	int watch;
};

struct net_loop {
	zloop_t *loop;
	net_turn_fn *turn;
	void *arg;
	int timer;            /* of the deadline, -1: none */
	uint64_t deadline_us; /* that the timer stands for */
	bool stopped;
	struct watched watched[WATCHED_MAX];
	uint32_t watched_count;
	int ready_fd;         /* that woke the loop for this turn; -1: something else did */
};

static int on_timer(zloop_t *loop, int timer, void *arg);

/* zloop counts milliseconds: a deadline is rounded up, so that it has passed when the turn comes. A timer that is due earlier stays: it
 * costs one turn with nothing to do, where setting it anew would cost a list operation each turn. */
static void set_timer(struct net_loop *l, uint64_t deadline_us)
{
	uint64_t now;

	if (l->timer >= 0 && l->deadline_us <= deadline_us)
		return;
	if (l->timer >= 0)
		zloop_timer_end(l->loop, l->timer);
	l->timer = -1;
	l->deadline_us = deadline_us;
	if (deadline_us == RV_NEVER)
		return;
	now = rv_clock_boottime_us();
	l->timer = zloop_timer(l->loop, (size_t)((rv_sat_sub(deadline_us, now) + 999) / 1000), 1, on_timer, l);
}

static int take_turn(struct net_loop *l)
{
	uint64_t deadline;

	do {
		deadline = l->turn(l->arg);
	} while (deadline == 0 && !l->stopped);
	if (l->stopped)
		return -1; /* ends zloop_start */
	set_timer(l, deadline);
	return 0;
}

static int on_timer(zloop_t *loop, int timer, void *arg)
{
	struct net_loop *l = arg;

	(void)loop;
	(void)timer;
	l->timer = -1; /* it ran its one time */
	return take_turn(l);
}

static int on_socket(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
	(void)loop;
	(void)item;
	return take_turn(arg);
}

static int on_descriptor(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
	struct net_loop *l = arg;
	int rc;

	(void)loop;
	l->ready_fd = item->fd;
	rc = take_turn(l);
	l->ready_fd = -1;
	return rc;
}

int net_loop_create(struct net_loop **out, net_turn_fn *turn, void *arg, struct rv_err *err)
{
	struct net_loop *l = calloc(1, sizeof *l);

	if (!l)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a loop");
	l->turn = turn;
	l->arg = arg;
	l->timer = -1;
	l->ready_fd = -1;
	l->loop = zloop_new();
	if (!l->loop) {
		free(l);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a loop");
	}
	zloop_set_nonstop(l->loop, true); /* signals come by signalfd */
	*out = l;
	return 0;
}

void net_loop_destroy(struct net_loop **l)
{
	if (!*l)
		return;
	zloop_destroy(&(*l)->loop);
	free(*l);
	*l = NULL;
}

int net_loop_add_socket(struct net_loop *l, void *raw, struct rv_err *err)
{
	zmq_pollitem_t item = { .socket = raw, .events = ZMQ_POLLIN };

	if (zloop_poller(l->loop, &item, on_socket, l) < 0)
		return rv_fail(err, RV_E_NO_MEMORY, "the loop takes no more sockets");
	zloop_poller_set_tolerant(l->loop, &item);
	return 0;
}

void net_loop_remove_socket(struct net_loop *l, void *raw)
{
	zmq_pollitem_t item = { .socket = raw };

	zloop_poller_end(l->loop, &item);
}

static struct watched *find_watched(struct net_loop *l, int fd)
{
	for (uint32_t i = 0; i < l->watched_count; i++)
		if (l->watched[i].fd == fd)
			return &l->watched[i];
	return NULL;
}

int net_loop_watch(struct net_loop *l, int fd, int watch, struct rv_err *err)
{
	struct watched *w = find_watched(l, fd);
	zmq_pollitem_t item = { .fd = fd };

	if ((w ? w->watch : 0) == watch)
		return 0;
	item.events = (short)((watch & NET_READ ? ZMQ_POLLIN : 0) | (watch & NET_WRITE ? ZMQ_POLLOUT : 0));
	if (w) {
		zmq_pollitem_t old = { .fd = fd };

		zloop_poller_end(l->loop, &old);
		*w = l->watched[--l->watched_count];
	}
	if (!watch)
		return 0;
	if (l->watched_count == WATCHED_MAX || zloop_poller(l->loop, &item, on_descriptor, l) < 0)
		return rv_fail(err, RV_E_LIMIT, "the loop takes no more descriptors");
	zloop_poller_set_tolerant(l->loop, &item);
	l->watched[l->watched_count++] = (struct watched){ .fd = fd, .watch = watch };
	return 0;
}

bool net_loop_ready(const struct net_loop *l, int fd)
{
	return l->ready_fd == fd;
}

int net_loop_run(struct net_loop *l, struct rv_err *err)
{
	l->stopped = false;
	if (take_turn(l) == 0 && zloop_start(l->loop) == 0 && !l->stopped)
		return rv_fail(err, RV_E_INTERNAL, "the loop was interrupted");
	return 0;
}

void net_loop_stop(struct net_loop *l)
{
	l->stopped = true;
}
