/* prng.h - seeded pseudo-random numbers (xoshiro256**, seeded by splitmix64); never for keys */
#ifndef RV_PRNG_H
#define RV_PRNG_H

#include "base.h"

struct rv_prng {
	uint64_t s[4];
};

void rv_prng_seed(struct rv_prng *p, uint64_t seed);
uint64_t rv_prng_next(struct rv_prng *p);
uint64_t rv_prng_below(struct rv_prng *p, uint64_t bound); /* 0..bound-1, unbiased; bound > 0 */

#endif
