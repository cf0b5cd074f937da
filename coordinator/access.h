/* access.h - who may speak to the coordinator over tcp: keys, tokens, roles
 *
 * A fold of the facts KEY and TOKEN. Pure: time comes in as an argument (CLOCK_REALTIME, since a token's end outlives the coordinator),
 * facts to be journaled go out to the caller, and nothing counts before coord_access_apply() was given the fact back.
 *
 * A key is known by its 32 public bytes and shown by its hash. A token is known by the public key that its secret gives: whoever
 * proves to have that key, by the CURVE handshake, may send ENROL and nothing else. A token that is used up lets its holder in until it
 * expires, so that a repeated ENROL gets the same answer; another key gets none.
 *
 * Keys that were revoked and tokens that have ended stay on the lists until their places are needed, so that revoking twice is no
 * error; they let nobody in, and no token brings a revoked key back: its owner makes another.
 *
 * Audits (docs/invariants.md):
 * K1: a name is held by at most one admitted key, and found by it.
 * K2: a key is found by its bytes exactly when a place holds it; the same for the keys of tokens, and no key is both.
 * K3: a token has at most the uses left that it was made with.
 * K4: counts are those of the places, within RV_KEYS_MAX, RV_KEYS_REVOKED_MAX and RV_TOKENS_MAX.
 */
#ifndef COORD_ACCESS_H
#define COORD_ACCESS_H

#include "common/buf.h"
#include "common/err.h"
#include "proto/client_msg.h"
#include "proto/msgs.h"
#include "proto/record.h"

struct coord_access;

int coord_access_create(struct coord_access **out, struct rv_err *err);
void coord_access_destroy(struct coord_access **a);

/* Folds a fact of a row written at `real_us`, live and in replay; of other kinds than KEY and TOKEN nothing follows. What a journal of
 * a reeve with higher limits admitted beyond ours is not let in. */
void coord_access_apply(struct coord_access *a, const struct proto_fact *f, uint64_t real_us);

/* --- asked for every handshake and every frame ------------------------------------------------------------------------------------ */

/* Bits of enum proto_role: NODE or OPERATOR of a key, ENROLLER of a token that has not expired; 0: unknown or revoked. */
uint32_t coord_access_roles(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES], uint64_t real_us);
/* The name under which a key was admitted; "" if it is not. Borrowed until the next apply. */
struct rv_str coord_access_name(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES]);

/* --- decisions: the facts to append, or why not ------------------------------------------------------------------------------------- */

#define COORD_ACCESS_FACTS_MAX 2

struct coord_access_verdict {
	struct proto_fact facts[COORD_ACCESS_FACTS_MAX]; /* borrow from the request and from the table */
	uint32_t fact_count;                             /* 0: it was done before */
};

/* Again the same id and key: done before. */
int coord_access_token_create(const struct coord_access *a, const struct proto_token_create *req, uint64_t real_us, struct coord_access_verdict *out,
			      struct rv_err *err);

/* `enroller` is the key of the connection that ENROL came by. A key that was admitted before keeps its name and spends no use. RV_E_DENIED: the
 * token is not accepted; RV_E_EXISTS: the name is held, the holder named; RV_E_STALE: this key was revoked; RV_E_CONFLICT: the token gives
 * another role than is asked for. */
int coord_access_enrol(const struct coord_access *a, const uint8_t enroller[PROTO_KEY_BYTES], const struct proto_enrol *req, uint64_t real_us,
		       struct coord_access_verdict *out, struct proto_enrolled *answer, struct rv_err *err);

/* By what a person says: a token's id; a key's name, or its hash or a unique beginning of it (>= 8 hex digits). */
int coord_access_revoke(const struct coord_access *a, const struct proto_revoke *req, struct coord_access_verdict *out, struct rv_err *err);
/* The key with this hash (`remove NODE`); nothing to do where there is none. */
void coord_access_revoke_hash(const struct coord_access *a, const uint8_t hash[PROTO_DIGEST_BYTES], struct coord_access_verdict *out);

/* --- lists: a JSON object a row, as ASK gives them (PROTOCOL.md) ------------------------------------------------------------------------ */

/* Up to `limit` rows from `cursor` (0: the first) on, one behind the other in `text`, each one's end in `ends`. Gives the cursor of the
 * next page, 0: there is none. */
uint64_t coord_access_keys(const struct coord_access *a, uint64_t cursor, uint32_t limit, struct rv_buf *text, size_t *ends, uint32_t *count);
uint64_t coord_access_tokens(const struct coord_access *a, uint64_t cursor, uint32_t limit, uint64_t real_us, struct rv_buf *text, size_t *ends,
			     uint32_t *count);

/* Equal after replay. */
uint64_t coord_access_digest(const struct coord_access *a);
/* K1..K4; ends the program if one is broken. */
void coord_access_audit(const struct coord_access *a);

#endif
