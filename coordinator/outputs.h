/* outputs.h - what ended units handed over, kept while a dependent may want it
 *
 * The core knows states; the bytes lie here, by (run, unit): small values inline, larger ones as digests of blobs, and the list of artifacts
 * where nodes fetch them. Filled from accepted results, live and in replay alike, and dropped with the run.
 */
#ifndef COORD_OUTPUTS_H
#define COORD_OUTPUTS_H

#include "common/err.h"
#include "proto/msg.h"

struct coord_outputs;

struct coord_output {
	struct proto_value value;
	bool is_json;
	uint32_t attempt; /* that was accepted: where its artifacts lie */
	/* as in struct proto_dep */
	struct rv_str artifacts;
	uint32_t artifact_count;
	bool artifacts_cut;
};

struct coord_outputs *coord_outputs_create(void); /* NULL: no memory */
void coord_outputs_destroy(struct coord_outputs **o);
/* Copies. Replaces an older one of the same unit (a retry of an ended unit). */
int coord_outputs_set(struct coord_outputs *o, uint64_t run, uint32_t unit, const struct coord_output *output, struct rv_err *err);
/* Borrowed until the next change; NULL: none. */
const struct coord_output *coord_outputs_get(const struct coord_outputs *o, uint64_t run, uint32_t unit);
void coord_outputs_drop_run(struct coord_outputs *o, uint64_t run);
size_t coord_outputs_bytes(const struct coord_outputs *o);

#endif
