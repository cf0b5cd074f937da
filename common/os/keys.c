#include "common/os/keys.h"

#include "common/check.h"

#include <errno.h>
#include <sodium.h>
#include <sys/random.h>

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(((struct rv_digest_state *)0)->state), "BLAKE2b state");
_Static_assert(_Alignof(crypto_generichash_state) <= 64, "BLAKE2b alignment");

void rv_random(void *out, size_t bytes)
{
	char *at = out;

	while (bytes > 0) {
		ssize_t n = getrandom(at, bytes, 0);

		if (n < 0 && errno == EINTR)
			continue;
		rv_check(n > 0);
		at += n;
		bytes -= (size_t)n;
	}
}

void rv_digest(struct rv_str bytes, uint8_t out[RV_DIGEST_BYTES])
{
	/* fails only for a length it does not know */
	(void)crypto_generichash(out, RV_DIGEST_BYTES, (const unsigned char *)bytes.at, bytes.bytes, NULL, 0);
}

static crypto_generichash_state *state_of(struct rv_digest_state *s)
{
	return (crypto_generichash_state *)(void *)s->state;
}

void rv_digest_begin(struct rv_digest_state *s)
{
	(void)crypto_generichash_init(state_of(s), NULL, 0, RV_DIGEST_BYTES);
}

void rv_digest_add(struct rv_digest_state *s, struct rv_str bytes)
{
	(void)crypto_generichash_update(state_of(s), (const unsigned char *)bytes.at, bytes.bytes);
}

void rv_digest_end(struct rv_digest_state *s, uint8_t out[RV_DIGEST_BYTES])
{
	(void)crypto_generichash_final(state_of(s), out, RV_DIGEST_BYTES);
}

bool rv_digest_is_zero(const uint8_t digest[RV_DIGEST_BYTES])
{
	static const uint8_t zero[RV_DIGEST_BYTES];

	return memcmp(digest, zero, RV_DIGEST_BYTES) == 0;
}
