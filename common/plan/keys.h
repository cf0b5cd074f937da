/* keys.h - the table of keys.c, for schema.c alone */
#ifndef PLAN_KEYS_H
#define PLAN_KEYS_H

#include "schema.h"

extern const struct plan_key plan_all_keys[];
extern const uint32_t plan_all_keys_count;

#endif
