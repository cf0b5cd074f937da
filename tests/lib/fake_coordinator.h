/* fake_coordinator.h - a ROUTER in a thread that answers clients by a script, at STATE/sock; nothing of the coordinator is in it */
#ifndef TESTS_LIB_FAKE_COORDINATOR_H
#define TESTS_LIB_FAKE_COORDINATOR_H

#include "proto/msg.h"

struct fake_coordinator;

/* Called in the thread for each message. true: `answer` is sent, with the request's number; false: nothing is. */
typedef bool fake_answer_fn(void *arg, const struct proto_msg *request, struct proto_msg *answer);

/* Holds STATE's lock, as a coordinator does. */
struct fake_coordinator *fake_coordinator_start(const char *state_dir, fake_answer_fn *fn, void *arg);
/* Ends the thread, the socket and the lock. */
void fake_coordinator_stop(struct fake_coordinator **f);

#endif
