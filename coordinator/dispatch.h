/* dispatch.h - what a DISPATCH carries beyond the core's decision: spec, item, outputs of dependencies
 *
 * The core says which unit goes where; the bytes come from the run's graph and from the outputs kept here. What is too large
 * for a frame goes into the blob store and travels by its digest.
 */
#ifndef COORD_DISPATCH_H
#define COORD_DISPATCH_H

#include "common/arena.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"
#include "coordinator/hints.h"
#include "coordinator/outputs.h"
#include "coordinator/wire.h"

struct rv_blobs;

struct coord_dispatch {
	const struct coord *core;
	const struct coord_outputs *outputs;
	const struct coord_hints *hints; /* NULL: nobody sends anything along */
	struct rv_blobs *blobs;   /* NULL: what does not fit a frame cannot be sent */
	/* of the item that was filled last */
	struct rv_arena scratch;
	struct rv_buf deps_room, spec_room;
	char id_room[COORD_UNIT_ID_BYTES], item_room[32];
};

/* All borrowed. */
void coord_dispatch_init(struct coord_dispatch *d, const struct coord *core, const struct coord_outputs *outputs, const struct coord_hints *hints,
			 struct rv_blobs *blobs);
void coord_dispatch_release(struct coord_dispatch *d);
/* Fills `out` for the attempt; borrowed until the next call. `agent`: of the graph's, in place of the unit's own; COORD_NONE. */
int coord_dispatch_fill(struct coord_dispatch *d, struct proto_attempt_key key, uint32_t agent, uint64_t epoch, struct coord_wire_dispatch *out,
			struct rv_err *err);
/* A value that may be too large for a frame: the store finds out by itself if it has the bytes already. */
int coord_value_as_blob(struct rv_blobs *blobs, struct rv_str bytes, struct proto_value *out, struct rv_err *err);

#endif
