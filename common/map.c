/* map.c - two hash tables with open addressing and linear probing */
#include "map.h"

#include "check.h"

#include <stdlib.h>

#define FIRST_SLOTS 16u

struct rv_strmap_slot {
	struct rv_str key;
	uint32_t hash;  /* its low half: spares most comparisons, and hashing again when growing */
	uint32_t value; /* RV_MAP_NONE: free */
};

/* ---- hashes ---- */

uint64_t rv_hash_u64(uint64_t seed, uint64_t v)
{
	v ^= seed * 0xff51afd7ed558ccdu; /* spread first: neighbouring seeds and numbers must not cancel out */
	v ^= v >> 32;
	v *= 0x9e3779b97f4a7c15u;
	v ^= v >> 29;
	v *= 0xd6e8feb86659fd93u;
	return v ^ (v >> 32);
}

static inline uint64_t rotate(uint64_t v, unsigned int by)
{
	return v << by | v >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static inline uint64_t load_le(const char *at, size_t bytes)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < bytes; i++)
		v |= (uint64_t)(unsigned char)at[i] << (8 * i);
	return v;
}

/* SipHash-1-3: keyed, so that names chosen by others cannot be made to collide; the same on every machine. */
uint64_t rv_hash(uint64_t seed, struct rv_str s)
{
	uint64_t k0 = seed, k1 = rv_hash_u64(seed, 0x7265657665u);
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575u,
		k1 ^ 0x646f72616e646f6du,
		k0 ^ 0x6c7967656e657261u,
		k1 ^ 0x7465646279746573u,
	};
	size_t whole = s.bytes & ~(size_t)7, i;
	uint64_t word;

	for (i = 0; i < whole; i += 8) {
		word = load_le(s.at + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)s.bytes << 56;
	if (s.bytes > whole)
		word |= load_le(s.at + whole, s.bytes - whole);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- names to numbers ---- */

void rv_strmap_init(struct rv_strmap *m, uint64_t seed)
{
	*m = (struct rv_strmap){ .seed = seed };
}

void rv_strmap_release(struct rv_strmap *m)
{
	free(m->slots);
	m->slots = NULL;
	m->count = m->mask = 0;
}

static int resize(struct rv_strmap *m, uint32_t slot_count)
{
	uint32_t mask = slot_count - 1, i, at;
	struct rv_strmap_slot *slots = malloc((size_t)slot_count * sizeof(*slots));

	if (!slots)
		return -1;
	for (i = 0; i < slot_count; i++)
		slots[i].value = RV_MAP_NONE;
	for (i = 0; m->slots && i <= m->mask; i++) {
		if (m->slots[i].value == RV_MAP_NONE)
			continue;
		for (at = m->slots[i].hash & mask; slots[at].value != RV_MAP_NONE; at = (at + 1) & mask)
			;
		slots[at] = m->slots[i];
	}
	free(m->slots);
	m->slots = slots;
	m->mask = mask;
	return 0;
}

/* Keys that `slots` can hold at a load of 3/4. */
static uint32_t room_of(uint32_t slots)
{
	return slots - slots / 4;
}

int rv_strmap_reserve(struct rv_strmap *m, uint32_t count)
{
	uint32_t have = m->slots ? m->mask + 1 : 0, slots = have ? have : FIRST_SLOTS;

	while (room_of(slots) < count) {
		if (slots > UINT32_MAX / 2)
			return -1;
		slots *= 2;
	}
	return slots == have ? 0 : resize(m, slots);
}

/* The slot of the key, or the free one where it would go. */
static struct rv_strmap_slot *find(const struct rv_strmap *m, struct rv_str key, uint32_t hash)
{
	uint32_t at = hash & m->mask;

	for (;; at = (at + 1) & m->mask) {
		struct rv_strmap_slot *s = &m->slots[at];

		if (s->value == RV_MAP_NONE || (s->hash == hash && rv_str_equal(s->key, key)))
			return s;
	}
}

uint32_t rv_strmap_add(struct rv_strmap *m, struct rv_str key, uint32_t value)
{
	uint32_t hash = (uint32_t)rv_hash(m->seed, key);
	struct rv_strmap_slot *s;

	rv_check(value != RV_MAP_NONE);
	if (m->slots) {
		s = find(m, key, hash);
		if (s->value != RV_MAP_NONE)
			return s->value;
	}
	if (m->count == UINT32_MAX || rv_strmap_reserve(m, m->count + 1))
		return RV_MAP_NONE;
	s = find(m, key, hash);
	*s = (struct rv_strmap_slot){ .key = key, .hash = hash, .value = value };
	m->count++;
	return value;
}

uint32_t rv_strmap_get(const struct rv_strmap *m, struct rv_str key)
{
	return m->slots ? find(m, key, (uint32_t)rv_hash(m->seed, key))->value : RV_MAP_NONE;
}

/* ---- numbers to numbers ---- */

uint32_t rv_intmap_slots(uint32_t count)
{
	uint32_t slots = 2;

	rv_check(count <= UINT32_C(1) << 30);
	while (slots / 2 < count)
		slots *= 2;
	return slots;
}

void rv_intmap_init(struct rv_intmap *m, struct rv_intmap_slot *slots, uint32_t slot_count)
{
	rv_check(slot_count >= 2);
	rv_check((slot_count & (slot_count - 1)) == 0);
	*m = (struct rv_intmap){ .slots = slots, .mask = slot_count - 1 };
}

/* Keys are our own numbers: no seed needed. */
static uint32_t home_of(const struct rv_intmap *m, uint64_t key)
{
	return (uint32_t)rv_hash_u64(0, key) & m->mask;
}

static uint32_t place_of(const struct rv_intmap *m, uint64_t key)
{
	uint32_t at = home_of(m, key);

	while (m->slots[at].value_plus_1 && m->slots[at].key != key)
		at = (at + 1) & m->mask;
	return at;
}

void rv_intmap_put(struct rv_intmap *m, uint64_t key, uint32_t value)
{
	uint32_t at = place_of(m, key);

	rv_check(value != RV_MAP_NONE);
	if (!m->slots[at].value_plus_1) {
		rv_check(m->count < (m->mask + 1) / 2);
		m->count++;
		m->slots[at].key = key;
	}
	m->slots[at].value_plus_1 = value + 1;
}

uint32_t rv_intmap_get(const struct rv_intmap *m, uint64_t key)
{
	return m->slots[place_of(m, key)].value_plus_1 - 1; /* RV_MAP_NONE is 2^32 - 1 */
}

bool rv_intmap_remove(struct rv_intmap *m, uint64_t key)
{
	uint32_t hole = place_of(m, key), at;

	if (!m->slots[hole].value_plus_1)
		return false;
	/* Move back whatever probing would no longer reach over the hole: an entry whose home is not in (hole, at]. */
	for (at = (hole + 1) & m->mask; m->slots[at].value_plus_1; at = (at + 1) & m->mask) {
		uint32_t home = home_of(m, m->slots[at].key);

		if (((at - home) & m->mask) < ((at - hole) & m->mask))
			continue;
		m->slots[hole] = m->slots[at];
		hole = at;
	}
	m->slots[hole] = (struct rv_intmap_slot){ 0 };
	m->count--;
	return true;
}
