#include "table.h"

#include <stdlib.h>

int keymap_init(struct keymap *m, uint32_t expected)
{
	uint32_t slots = rv_intmap_slots(expected);
	struct rv_intmap_slot *at = calloc(slots, sizeof(*at));

	if (!at)
		return -1;
	rv_intmap_init(&m->map, at, slots);
	m->limit = expected;
	return 0;
}

void keymap_release(struct keymap *m)
{
	free(m->map.slots);
	m->map.slots = NULL;
	m->map.count = m->limit = 0;
}

static int grow(struct keymap *m)
{
	struct keymap bigger;

	if (keymap_init(&bigger, m->limit * 2))
		return -1;
	for (uint32_t i = 0; i <= m->map.mask; i++)
		if (m->map.slots[i].value_plus_1)
			rv_intmap_put(&bigger.map, m->map.slots[i].key, m->map.slots[i].value_plus_1 - 1);
	keymap_release(m);
	*m = bigger;
	return 0;
}

int keymap_put(struct keymap *m, uint64_t key, uint32_t value)
{
	if (m->map.count >= m->limit && grow(m))
		return -1;
	rv_intmap_put(&m->map, key, value);
	return 0;
}

uint32_t keymap_get(const struct keymap *m, uint64_t key)
{
	return rv_intmap_get(&m->map, key);
}

bool keymap_remove(struct keymap *m, uint64_t key)
{
	return rv_intmap_remove(&m->map, key);
}
