/* map.h - two hash tables: names to numbers, and numbers to numbers in a fixed room
 *
 * Neither iterates: order comes from the arrays that the numbers index, never from a hash.
 */
#ifndef RV_MAP_H
#define RV_MAP_H

#include "base.h"

#define RV_MAP_NONE UINT32_MAX

/* Names to numbers; grows with malloc, so not for use while a core steps. Keys are borrowed: they must outlive
 * the map. Seeded, so that a plan cannot be written to collide. */
struct rv_strmap_slot;

struct rv_strmap {
	struct rv_strmap_slot *slots;
	uint32_t count;
	uint32_t mask;
	uint64_t seed;
};

void rv_strmap_init(struct rv_strmap *m, uint64_t seed);
void rv_strmap_release(struct rv_strmap *m);
/* Room for `count` keys up front; -1 when memory runs out. */
int rv_strmap_reserve(struct rv_strmap *m, uint32_t count);
/* Adds key -> value (value != RV_MAP_NONE). Gives the value that the key has now: `value`, or the older one, left
 * as it was. RV_MAP_NONE when memory runs out. */
uint32_t rv_strmap_add(struct rv_strmap *m, struct rv_str key, uint32_t value);
uint32_t rv_strmap_get(const struct rv_strmap *m, struct rv_str key); /* RV_MAP_NONE: absent */

/* u64 keys to u32 values in memory given by the caller: no allocation after init, deletion leaves no tombstones
 * (backward shift). Capacity is fixed; adding to a full map is a bug (rv_check). An empty map is zeroed memory, so that a
 * large one costs nothing until it fills. */
struct rv_intmap_slot {
	uint64_t key;
	uint32_t value_plus_1; /* 0: free */
};

struct rv_intmap {
	struct rv_intmap_slot *slots;
	uint32_t mask;
	uint32_t count;
};

/* Slots needed for `count` keys (a power of two, load <= 1/2). */
uint32_t rv_intmap_slots(uint32_t count);
/* `slots`: zeroed (calloc, an arena). */
void rv_intmap_init(struct rv_intmap *m, struct rv_intmap_slot *slots, uint32_t slot_count);
void rv_intmap_put(struct rv_intmap *m, uint64_t key, uint32_t value); /* adds or replaces */
uint32_t rv_intmap_get(const struct rv_intmap *m, uint64_t key);
bool rv_intmap_remove(struct rv_intmap *m, uint64_t key);

uint64_t rv_hash(uint64_t seed, struct rv_str bytes);
uint64_t rv_hash_u64(uint64_t seed, uint64_t v);

#endif
