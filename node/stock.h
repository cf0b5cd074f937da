/* stock.h - keeps a node's blob store below a bound
 *
 * What was fetched for attempts, and what results named, stays as a cache until the store is over its bound; then the oldest go, down to three
 * quarters of it. Kept whatever the bound says: blobs of results that nobody has acknowledged, and what is younger than
 * NODE_STOCK_GRACE_US, since a dispatch that waits may have been promised it.
 */
#ifndef NODE_STOCK_H
#define NODE_STOCK_H

#include "common/buf.h"
#include "common/os/blobs.h"

#define NODE_STOCK_BYTES_MAX ((uint64_t)8 << 30)  /* of a node's blobs */
#define NODE_STOCK_PARTS_BYTES_MAX ((uint64_t)64 << 20) /* of what its cookies name (daemon_state.h) */
#define NODE_STOCK_GRACE_US (600u * (uint64_t)1000000)
#define NODE_STOCK_LOOK_US (60u * (uint64_t)1000000) /* how often the daemon looks, if anything was added */
#define NODE_STOCK_FILES_MAX 1000000u             /* looked at in one go */

struct node_stock_stats {
	uint64_t bytes_before, bytes_removed;
	uint32_t files, removed, kept; /* kept: would have been removed but for a result, or its age */
};

/* `pinned`: a buffer of struct proto_blob_ref, sorted by this. `real_us`: CLOCK_REALTIME. -1: the store cannot be read, or no memory. */
int node_stock_prune(struct rv_blobs *store, uint64_t bytes_max, uint64_t real_us, struct rv_buf *pinned, struct node_stock_stats *out,
		     struct rv_err *err);

#endif
