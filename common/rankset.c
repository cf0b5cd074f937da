/* rankset.c - an ordered set of small integers
 *
 * A bit of level n+1 says that its word of level n is not zero.
 */
#include "rankset.h"

#include "check.h"

#define CAPACITY_MAX (UINT32_C(1) << 30) /* 64 to the power of RV_RANKSET_LEVELS_MAX */

static uint32_t words_above(uint32_t entries)
{
	return entries / 64 + (entries % 64 != 0);
}

size_t rv_rankset_words(uint32_t capacity)
{
	uint32_t n = capacity ? capacity : 1;
	size_t words = 0;

	do {
		n = words_above(n);
		words += n;
	} while (n > 1);
	return words;
}

void rv_rankset_init(struct rv_rankset *s, uint64_t *words, uint32_t capacity)
{
	uint32_t n = capacity ? capacity : 1;

	rv_check(capacity <= CAPACITY_MAX);
	*s = (struct rv_rankset){ .capacity = capacity };
	do {
		rv_check(s->levels < RV_RANKSET_LEVELS_MAX);
		n = words_above(n);
		s->level[s->levels++] = words;
		words += n;
	} while (n > 1);
}

void rv_rankset_add(struct rv_rankset *s, uint32_t rank)
{
	uint32_t l, at = rank;

	rv_check(rank < s->capacity);
	if (rv_rankset_has(s, rank))
		return;
	s->count++;
	for (l = 0; l < s->levels; l++, at /= 64) {
		uint64_t *word = &s->level[l][at / 64], before = *word;

		*word = before | UINT64_C(1) << (at % 64);
		if (before)
			break; /* those above know already */
	}
}

void rv_rankset_remove(struct rv_rankset *s, uint32_t rank)
{
	uint32_t l, at = rank;

	rv_check(rank < s->capacity);
	if (!rv_rankset_has(s, rank))
		return;
	s->count--;
	for (l = 0; l < s->levels; l++, at /= 64) {
		uint64_t *word = &s->level[l][at / 64];

		*word &= ~(UINT64_C(1) << (at % 64));
		if (*word)
			break;
	}
}

bool rv_rankset_has(const struct rv_rankset *s, uint32_t rank)
{
	return rank < s->capacity && (s->level[0][rank / 64] >> (rank % 64) & 1);
}

/* The smallest member below entry `at` of level `l`. */
static uint32_t descend(const struct rv_rankset *s, uint32_t l, uint32_t at)
{
	while (l-- > 0)
		at = at * 64 + (uint32_t)__builtin_ctzll(s->level[l][at]);
	return at;
}

uint32_t rv_rankset_first(const struct rv_rankset *s)
{
	uint64_t top = s->level[s->levels - 1][0];

	return top ? descend(s, s->levels - 1, (uint32_t)__builtin_ctzll(top)) : RV_RANK_NONE;
}

uint32_t rv_rankset_next(const struct rv_rankset *s, uint32_t after)
{
	uint32_t l, at = after;

	if (after >= s->capacity)
		return RV_RANK_NONE;
	for (l = 0; l < s->levels; l++, at /= 64) {
		/* The bits above at % 64; two shifts, since one by 64 is undefined. */
		uint64_t rest = s->level[l][at / 64] >> (at % 64) >> 1;

		if (rest)
			return descend(s, l, at + 1 + (uint32_t)__builtin_ctzll(rest));
	}
	return RV_RANK_NONE;
}
