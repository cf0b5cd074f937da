/* remote.h - the coordinator's tcp side: its server key, its list of keys and tokens, its ROUTER with CURVE
 *
 *	coord_remote_create()     STATE/keys/server.key is read, or made once; the list is empty
 *	coord_access_apply()      each fact of the journal, in replay and live (coord_remote_access())
 *	coord_remote_listen()     the door opens, once the journal is ours and folded
 *	coord_remote_identify()   for each frame: what its key may do now, so that a revoked one may do nothing though its link lives
 *	coord_remote_may_tell()   for each frame that leaves: nothing that waited goes to an operator whose key was revoked since
 */
#ifndef COORD_REMOTE_H
#define COORD_REMOTE_H

#include "common/limits.h"
#include "common/net/link.h"
#include "coordinator/access.h"
#include "coordinator/shell.h"

#define COORD_REMOTE_KEYS "keys"
#define COORD_REMOTE_KEY "server.key"

struct coord_remote;

int coord_remote_create(struct coord_remote **out, const char *state_dir, struct rv_err *err);
/* Closes the router. NULL is fine. */
void coord_remote_destroy(struct coord_remote **r);

/* `listen` as `reeve coordinator --listen` takes it. */
int coord_remote_listen(struct coord_remote *r, struct net_bus *bus, const char *listen, struct rv_err *err);
struct net_router *coord_remote_router(struct coord_remote *r); /* NULL: it does not listen */
struct coord_access *coord_remote_access(struct coord_remote *r);
const uint8_t *coord_remote_server_key(const struct coord_remote *r); /* NET_KEY_BYTES, public */
/* What tokens name: how others reach the router. */
const char *const *coord_remote_endpoints(const struct coord_remote *r, uint32_t *count);

/* Fills `who` for a frame that came from the router's `peer` with `key`; roles 0: unknown or revoked. */
void coord_remote_identify(struct coord_remote *r, uint64_t peer, const uint8_t key[NET_KEY_BYTES], uint64_t real_us, struct coord_peer_identity *who);

/* May this connection still be told something? An operator's key is looked up again; what a node is told no more the core decides. Of
 * operators the last RV_REMOTE_OPERATORS connections are known, fewer where two share a place: one that is not may be told. */
bool coord_remote_may_tell(struct coord_remote *r, uint64_t peer);
/* It has revoked its own key, and is told that: one more frame may leave. */
void coord_remote_last_word(struct coord_remote *r, uint64_t peer);
/* A frame has left for it. */
void coord_remote_told(struct coord_remote *r, uint64_t peer);

#endif
