/* loop.h - one loop for sockets, descriptors and one deadline: a czmq zloop underneath
 *
 * The programs here are written as "drain everything, then take a turn", so the loop has no handler a source: whatever became ready, it
 * calls `turn`, which drains all its sources without blocking and names the next deadline.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "common/err.h"

struct net_loop;

/* Drains and steps; gives the CLOCK_BOOTTIME microsecond at which it wants to be called again at the latest (RV_NEVER: only when
 * something is ready; 0: at once). */
typedef uint64_t net_turn_fn(void *arg);

int net_loop_create(struct net_loop **out, net_turn_fn *turn, void *arg, struct rv_err *err);
void net_loop_destroy(struct net_loop **l);
/* A raw zmq socket wakes the loop when it can be read. Links do it themselves (net_router_watch, net_dealer_watch). */
int net_loop_add_socket(struct net_loop *l, void *raw, struct rv_err *err);
/* May be called from `turn`, and for a socket that is not there. */
void net_loop_remove_socket(struct net_loop *l, void *raw);

enum net_watch { NET_READ = 1, NET_WRITE = 2 };

/* Watches a descriptor for these; 0 takes it out. May be called from `turn`. */
int net_loop_watch(struct net_loop *l, int fd, int watch, struct rv_err *err);
/* Did this descriptor wake the loop for the turn that runs now? Saves asking it in vain. */
bool net_loop_ready(const struct net_loop *l, int fd);
/* Runs until net_loop_stop() is called from a turn. */
int net_loop_run(struct net_loop *l, struct rv_err *err);
void net_loop_stop(struct net_loop *l);

#endif
