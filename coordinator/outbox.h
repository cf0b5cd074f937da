/* outbox.h - frames that wait for the journal: speak only what is written
 *
 * Messages of a turn gather per peer; when the turn's row is appended its position is known, and the frames are sealed with it.
 * They leave, in order, once that position is durable. Of a peer's frames only those that rest on nothing overtake others.
 */
#ifndef COORD_OUTBOX_H
#define COORD_OUTBOX_H

#include "common/err.h"
#include "proto/codec.h"

struct coord_outbox;

/* Sends one frame now; called by coord_outbox_release. -1: the peer is gone or its queue full; the frame is dropped, resends and
 * HELLO heal it. */
typedef int coord_send_fn(void *arg, uint64_t peer, struct rv_str frame);

struct coord_outbox *coord_outbox_create(coord_send_fn *send, void *arg); /* NULL: no memory */
void coord_outbox_destroy(struct coord_outbox **o);
/* Adds a message to the peer's open frame, starting another where it is full. */
int coord_outbox_add(struct coord_outbox *o, uint64_t peer, const struct proto_msg *m, struct rv_err *err);
/* The same for a message that rests on no fact (HB_ACK): it waits for nothing, and overtakes what does. A slow disk must not make
 * nodes believe that nobody is there. */
int coord_outbox_add_free(struct coord_outbox *o, uint64_t peer, const struct proto_msg *m, struct rv_err *err);
/* Closes what is open: these frames wait for `position` (0: nothing). */
int coord_outbox_seal(struct coord_outbox *o, uint64_t position, struct rv_err *err);
/* Sends what waits for no more than `durable`. */
void coord_outbox_release(struct coord_outbox *o, uint64_t durable);
/* Forgets what waits for this peer: it is to be told no more (its key was revoked, or its node has left it). */
int coord_outbox_drop(struct coord_outbox *o, uint64_t peer, struct rv_err *err);
size_t coord_outbox_bytes(const struct coord_outbox *o); /* sealed and not yet sent */
uint64_t coord_outbox_dropped(const struct coord_outbox *o); /* frames that a send refused */

#endif
