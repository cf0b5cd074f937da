/* rankset.h - an ordered set of small integers, 64 to a word, a tree of words above
 *
 * A run's units have a rank that is fixed when it is accepted (priority, remaining path, order in the plan), so a
 * ready queue is a set of ranks: insert, remove and first in a few cache-warm word operations (four levels hold
 * 16,777,216), 1.02 bits a member. Memory is the caller's; nothing allocates after init.
 */
#ifndef RV_RANKSET_H
#define RV_RANKSET_H

#include "base.h"

#define RV_RANK_NONE UINT32_MAX
#define RV_RANKSET_LEVELS_MAX 5

struct rv_rankset {
	uint64_t *level[RV_RANKSET_LEVELS_MAX]; /* 0: the members; the last: one word */
	uint32_t levels;
	uint32_t capacity; /* ranks 0..capacity-1 */
	uint32_t count;
};

/* Words of memory for `capacity` ranks. */
size_t rv_rankset_words(uint32_t capacity);
/* `words` zeroed memory of rv_rankset_words(capacity) words, borrowed for the set's life. */
void rv_rankset_init(struct rv_rankset *s, uint64_t *words, uint32_t capacity);
void rv_rankset_add(struct rv_rankset *s, uint32_t rank);    /* no-op if there */
void rv_rankset_remove(struct rv_rankset *s, uint32_t rank); /* no-op if not */
bool rv_rankset_has(const struct rv_rankset *s, uint32_t rank);
uint32_t rv_rankset_first(const struct rv_rankset *s);                /* RV_RANK_NONE: empty */
uint32_t rv_rankset_next(const struct rv_rankset *s, uint32_t after); /* the first > after */

#endif
