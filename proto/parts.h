/* parts.h - pieces that messages, facts and specs share: attempt keys, values, results, dependencies
 *
 * Private to proto/. Writers cannot fail but through the buffer; readers fail through the cursor. Every enum and length
 * is checked on reading. `arena` holds arrays; texts borrow from the bytes.
 */
#ifndef PROTO_PARTS_H
#define PROTO_PARTS_H

#include "common/arena.h"
#include "proto/msg.h"
#include "proto/pack.h"
#include "proto/scan.h"

#define PROTO_ERROR_BYTES_MAX 1024u
#define PROTO_ARTIFACTS_MAX 4096u

/* Like proto_read_array, for elements that take at least `bytes_min` each; more than `max` fails. */
uint32_t proto_part_count(struct proto_cursor *c, uint32_t max, size_t bytes_min);
/* Zeroed room for `count` elements; NULL for none, or with c->failed when memory is out. */
void *proto_part_room(struct proto_cursor *c, struct rv_arena *arena, uint32_t count, size_t size);

/* nil, bytes, or [size, digest]. -1: inline and too long. */
int proto_pack_value(struct proto_pack *p, const struct proto_value *v);
void proto_read_value(struct proto_cursor *c, struct proto_value *v);

/* nil, or its five numbers, each at most PROTO_USAGE_MAX; an unknown cost is nil. */
void proto_pack_usage(struct proto_pack *p, const struct proto_usage *u);
void proto_read_usage(struct proto_cursor *c, struct proto_usage *u);

/* The fields of a result but its key, as elements of the caller's array: how many, then they themselves. Trailing ones
 * that have nothing to say are left out. -1: over a limit. */
uint32_t proto_result_fields(const struct proto_result *r);
int proto_pack_result(struct proto_pack *p, const struct proto_result *r, struct rv_err *err);
/* `fields` elements of the caller's array; leaves r->key alone. An outcome of 0 passes: a unit may end without a result. */
void proto_read_result(struct proto_cursor *c, struct rv_arena *arena, uint32_t fields, struct proto_result *r);

int proto_pack_deps(struct proto_pack *p, const struct proto_dep *deps, uint32_t count);
void proto_read_deps(struct proto_cursor *c, struct rv_arena *arena, const struct proto_dep **deps, uint32_t *count);

#endif
