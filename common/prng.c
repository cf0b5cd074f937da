/* prng.c - xoshiro256**, seeded by splitmix64 */
#include "prng.h"

#include "check.h"

static uint64_t rotate(uint64_t v, unsigned int by)
{
	return v << by | v >> (64 - by);
}

void rv_prng_seed(struct rv_prng *p, uint64_t seed)
{
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(p->s); i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		p->s[i] = z ^ (z >> 31);
	}
}

uint64_t rv_prng_next(struct rv_prng *p)
{
	uint64_t *s = p->s, out = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return out;
}

uint64_t rv_prng_below(struct rv_prng *p, uint64_t bound)
{
	uint64_t low, v;

	rv_check(bound > 0);
	low = (0 - bound) % bound; /* 2^64 mod bound: what lies below would be drawn once too often */
	do {
		v = rv_prng_next(p);
	} while (v < low);
	return v % bound;
}
