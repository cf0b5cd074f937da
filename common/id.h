/* id.h - what names may look like, and how run ids are made
 *
 * A run id is 10 characters of lower-case Crockford base 32: 7 of seconds since 2020, which sort by time until 3108 CE,
 * and 3 random ones.
 */
#ifndef RV_ID_H
#define RV_ID_H

#include "base.h"

#define RV_RUN_ID_CHARS 10

struct rv_run_id {
	char text[RV_RUN_ID_CHARS + 1];
};

/* `unix_us` CLOCK_REALTIME in microseconds, `random` any 15 bits. */
struct rv_run_id rv_run_id_make(uint64_t unix_us, uint32_t random);
bool rv_run_id_valid(struct rv_str s);
/* A run id is 50 bits: messages, facts and cores carry it as a number. 0 is no run. */
uint64_t rv_run_id_number(struct rv_str s); /* 0: not valid */
struct rv_run_id rv_run_id_of(uint64_t number);

/* ^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$, not starting "__". */
bool rv_unit_id_valid(struct rv_str s);
/* 1..64 of [A-Za-z0-9._-]: plan, agent, lock, label, node and resource names. */
bool rv_name_valid(struct rv_str s);

/* The candidate nearest to `word` (at most 1 + bytes/4 edits, and fewer than its bytes; the first of equals), or -1:
 * "did you mean". */
int rv_nearest(struct rv_str word, const char *const *candidates, size_t count);

/* Hex, lower case; `out` has room for 2 * bytes + 1. */
void rv_hex(char *out, const void *bytes, size_t count);
int rv_unhex(void *out, size_t count, struct rv_str hex); /* -1: not exactly count bytes of hex */

#endif
