/* blobsource.h - bytes that a run refers to by digest: from a store on this host, or from the coordinator that has them */
#ifndef CLI_BLOBSOURCE_H
#define CLI_BLOBSOURCE_H

#include "cli/client.h"
#include "common/os/blobs.h"

struct cli_blob_source {
	struct rv_blobs *store;    /* NULL: `client` is asked */
	struct cli_client *client; /* both NULL: nothing can be had */
};

/* The whole of it, appended. */
int cli_blob_get_all(const struct cli_blob_source *s, const uint8_t *digest, size_t bytes_max, struct rv_buf *out, struct rv_err *err);
/* Its last bytes, as far as `room` goes. `size` is its own. */
int cli_blob_tail(const struct cli_blob_source *s, const uint8_t *digest, uint64_t size, char *room, size_t bytes, size_t *got, struct rv_err *err);
/* A descriptor that reads it from the start; the caller closes it. From a coordinator: fetched into a file without a name first. 1: opened,
 * 0: there is no such blob. */
int cli_blob_open(const struct cli_blob_source *s, const uint8_t *digest, int *fd, struct rv_err *err);

#endif
