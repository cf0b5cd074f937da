/* table.h - numbers to numbers, growing: keys and pids to places */
#ifndef WARDEN_TABLE_H
#define WARDEN_TABLE_H

#include "common/map.h"

struct keymap {
	struct rv_intmap map;
	uint32_t limit; /* keys before it must grow */
};

int keymap_init(struct keymap *m, uint32_t expected); /* -1: no memory */
void keymap_release(struct keymap *m);
int keymap_put(struct keymap *m, uint64_t key, uint32_t value); /* -1: no memory, nothing changed */
uint32_t keymap_get(const struct keymap *m, uint64_t key);      /* RV_MAP_NONE: absent */
bool keymap_remove(struct keymap *m, uint64_t key);

#endif
