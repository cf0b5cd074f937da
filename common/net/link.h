/* link.h - ROUTER and DEALER: frames between a coordinator and its peers; knows no message
 *
 * One frame is one zmq message part. Sends never block and copy; a received frame is borrowed until the next receive on the same
 * link. A peer is named by the number inside the routing id that libzmq gave it, which lasts as long as its connection.
 *
 * libzmq facts this rests on: an auto-generated routing id is a zero byte and a 32-bit number (zmq_socket(3) ZMQ_ROUTER);
 * ROUTER_MANDATORY makes a send to an unknown or full peer fail (EHOSTUNREACH, EAGAIN) instead of dropping it in silence.
 */
#ifndef NET_LINK_H
#define NET_LINK_H

#include "common/err.h"

struct net_router;
struct net_dealer;

/* This process speaks over inproc only: libzmq makes no thread for input and output (0.1 to 0.4 ms). Only at the
 * start of a process, before its first socket: czmq aborts afterwards. */
void net_without_network(void);

/* `endpoint` as zmq_bind(3) takes it ("inproc://run"). Queues of `frames_max` frames a peer. */
int net_router_create(struct net_router **out, const char *endpoint, uint32_t frames_max, struct rv_err *err);
void net_router_destroy(struct net_router **r);
/* 1: a frame; 0: none now; a message of another shape than [routing id, frame] is counted and skipped. */
int net_router_receive(struct net_router *r, uint64_t *peer, struct rv_str *frame);
/* -1: the peer is gone or its queue is full. */
int net_router_send(struct net_router *r, uint64_t peer, struct rv_str frame);
uint64_t net_router_malformed(const struct net_router *r);

int net_dealer_create(struct net_dealer **out, const char *endpoint, uint32_t frames_max, struct rv_err *err);
void net_dealer_destroy(struct net_dealer **d);
int net_dealer_receive(struct net_dealer *d, struct rv_str *frame);
int net_dealer_send(struct net_dealer *d, struct rv_str frame);

/* For the loop: a zsock_t. */
void *net_router_socket(const struct net_router *r);
void *net_dealer_socket(const struct net_dealer *d);

#endif
