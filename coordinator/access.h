/* access.h - who may speak to the coordinator over tcp: keys, tokens, roles
 *
 * A fold of the facts KEY and TOKEN. Pure: time comes in as an argument (CLOCK_REALTIME, since a token's end outlives the coordinator),
 * facts to be journaled go out to the caller, and nothing counts before coord_access_apply() was given the fact back.
 *
 * A key is known by its 32 public bytes and shown by its hash. A token is known by the public key that its secret gives: whoever
 * proves to have that key, by the CURVE handshake, may send ENROL and nothing else. A token that is used up lets its holder in until it
 * expires, so that a repeated ENROL gets the same answer; another key gets none.
 *
 * Invariants: a name is held by at most one key (N1); a key or token stands under its bytes in the table exactly once (N2); uses left
 * plus keys admitted by a token = the uses it was made with (N3); counts are within RV_KEYS_MAX and RV_TOKENS_MAX (N4).
 */
#ifndef COORD_ACCESS_H
#define COORD_ACCESS_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/client_msg.h"
#include "proto/msgs.h"
#include "proto/record.h"

struct coord_access;

int coord_access_create(struct coord_access **out, struct rv_err *err);
void coord_access_destroy(struct coord_access **a);

/* Folds a fact of a row written at `real_us`, live and in replay; kinds other than KEY and TOKEN are no concern of it. */
void coord_access_apply(struct coord_access *a, const struct proto_fact *f, uint64_t real_us);

/* --- asked for every handshake and every frame ------------------------------------------------------------------------------------ */

/* Bits of enum proto_role: NODE or OPERATOR of a key, ENROLLER of a token that has not expired; 0: unknown or revoked. */
uint32_t coord_access_roles(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES], uint64_t real_us);
/* The name under which a key was admitted; "" if it is not. Borrowed until the next apply. */
struct rv_str coord_access_name(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES]);

/* --- decisions: the fact to append, or why not ------------------------------------------------------------------------------------- */

/* `fact` borrows from the request. A repeated TOKEN_CREATE (same id and key) is done before: RV_OK with `*again`. */
int coord_access_token_create(const struct coord_access *a, const struct proto_token_create *req, uint64_t real_us, struct proto_fact *fact, bool *again,
			      struct rv_err *err);

/* `enroller` is the key of the connection that ENROL came by. `*again`: this key was admitted before, there is no fact. */
int coord_access_enrol(const struct coord_access *a, const uint8_t enroller[PROTO_KEY_BYTES], const struct proto_enrol *req, uint64_t real_us,
		       struct proto_fact *fact, struct proto_enrolled *answer, bool *again, struct rv_err *err);

/* By what a person says: a token's id; a key's name, or its hash or a unique beginning of it (>= 8 hex digits). */
int coord_access_revoke(const struct coord_access *a, const struct proto_revoke *req, struct proto_fact *fact, struct rv_err *err);
/* The key with this hash (`remove NODE`). -1: there is none. */
int coord_access_revoke_hash(const struct coord_access *a, const uint8_t hash[PROTO_DIGEST_BYTES], struct proto_fact *fact);

/* --- lists: a JSON object a row, as ASK gives them (PROTOCOL.md) ------------------------------------------------------------------------ */

/* Up to `limit` rows from `cursor` (0: the first) on: text in `text`, NUL-free, a row after another, its end offset in `ends`. Gives the
 * cursor of the next page, 0: none. */
uint64_t coord_access_keys(const struct coord_access *a, uint64_t cursor, uint32_t limit, struct rv_buf *text, size_t *ends, uint32_t *count);
uint64_t coord_access_tokens(const struct coord_access *a, uint64_t cursor, uint32_t limit, uint64_t real_us, struct rv_buf *text, size_t *ends,
			     uint32_t *count);

/* Equal after replay. */
uint64_t coord_access_digest(const struct coord_access *a);
/* N1..N4; stops the program if one is broken. */
void coord_access_audit(const struct coord_access *a);

#endif
