/* keys.h - random bytes and digests (BLAKE2b, 32 bytes)
 *
 * A digest names bytes: blobs, plans, specs. It is a plain array, as messages and facts carry it. Identity keys for
 * the network come with the part that has a network.
 */
#ifndef RV_OS_KEYS_H
#define RV_OS_KEYS_H

#include "common/base.h"

#define RV_DIGEST_BYTES 32
#define RV_DIGEST_HEX_CHARS 64

/* From the kernel; cannot fail once the machine is up (it waits for that). */
void rv_random(void *out, size_t bytes);

void rv_digest(struct rv_str bytes, uint8_t out[RV_DIGEST_BYTES]);

/* The same in pieces: begin, add, ..., end. */
struct rv_digest_state {
	_Alignas(64) uint8_t state[384]; /* libsodium's, checked in keys.c */
};

void rv_digest_begin(struct rv_digest_state *s);
void rv_digest_add(struct rv_digest_state *s, struct rv_str bytes);
void rv_digest_end(struct rv_digest_state *s, uint8_t out[RV_DIGEST_BYTES]);

/* All zeros stands for "none". */
bool rv_digest_is_zero(const uint8_t digest[RV_DIGEST_BYTES]);

#endif
