/* blobs.h - bytes on disk, named by their digest
 *
 * A store is a directory: DIGEST is the file `ab/cdef...` in it (64 hex digits, the first two are the directory, made
 * when needed), written under a temporary name and renamed, so a name that is there has its bytes. Putting what is there
 * already costs a look. With RV_BLOBS_SYNC a blob is on the disk when put returns, so a record that names it may be
 * written next; with RV_BLOBS_NOSYNC it survives every kill, not power loss: a file whose size is wrong after that is
 * replaced by the next put.
 *
 * Several processes and several stores may share a directory. A struct belongs to one thread.
 */
#ifndef RV_OS_BLOBS_H
#define RV_OS_BLOBS_H

#include "common/base.h"
#include "common/err.h"
#include "common/os/keys.h"

enum rv_blobs_sync { RV_BLOBS_NOSYNC, RV_BLOBS_SYNC };

struct rv_blobs {
	int dir; /* -1: not open */
	enum rv_blobs_sync sync;
	uint64_t blob_bytes_max;
};

/* `path` is made (0700) if its last part is missing. `blob_bytes_max` 0: no limit but the disk. */
int rv_blobs_open(struct rv_blobs *b, const char *path, enum rv_blobs_sync sync, uint64_t blob_bytes_max,
		  struct rv_err *err);
/* The same for a directory below `dir`. */
int rv_blobs_open_at(struct rv_blobs *b, int dir, const char *path, enum rv_blobs_sync sync,
		     uint64_t blob_bytes_max, struct rv_err *err);
void rv_blobs_close(struct rv_blobs *b);

/* RV_E_LIMIT: larger than blob_bytes_max; nothing is left behind on failure. */
int rv_blobs_put(struct rv_blobs *b, struct rv_str bytes, uint8_t digest[RV_DIGEST_BYTES], struct rv_err *err);
/* The rest of the open file `fd`, from its place; `bytes` (may be NULL) tells how many. `name` is for messages. */
int rv_blobs_put_fd(struct rv_blobs *b, int fd, const char *name, uint8_t digest[RV_DIGEST_BYTES], uint64_t *bytes,
		    struct rv_err *err);

/* Writing in pieces, as they arrive from a peer: begin, add, ..., then end or drop. */
struct rv_blob_writer {
	struct rv_blobs *store;
	int fd; /* -1: not begun, or over */
	uint64_t bytes;
	char temp[32];
	struct rv_digest_state hash;
};

int rv_blob_begin(struct rv_blob_writer *w, struct rv_blobs *b, struct rv_err *err);
int rv_blob_add(struct rv_blob_writer *w, struct rv_str bytes, struct rv_err *err); /* a failure drops it */
/* `expect` may be NULL; other bytes than it names are RV_E_CORRUPT and dropped. */
int rv_blob_end(struct rv_blob_writer *w, const uint8_t *expect, uint8_t digest[RV_DIGEST_BYTES], struct rv_err *err);
void rv_blob_drop(struct rv_blob_writer *w); /* after end: nothing to do */

/* 1 and its size; 0: not there; -1. */
int rv_blobs_find(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], uint64_t *bytes, struct rv_err *err);
/* 1: there with that many bytes and, with RV_BLOBS_SYNC, on the disk, whoever put it: a record may name it; 0: not; -1. */
int rv_blobs_hold(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], uint64_t bytes, struct rv_err *err);
/* Up to `count` bytes from `offset` into `out`; *got = 0 at or past the end. RV_E_NOT_FOUND: no such blob. */
int rv_blobs_get(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], uint64_t offset, void *out, size_t count,
		 size_t *got, struct rv_err *err);
/* The whole of it appended to `out` and checked against its digest (RV_E_CORRUPT); more than `limit` is RV_E_LIMIT. */
struct rv_buf;
int rv_blobs_get_all(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], size_t limit, struct rv_buf *out,
		     struct rv_err *err);
/* A descriptor to read it from; the caller closes it. */
int rv_blobs_open_blob(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], int *fd, struct rv_err *err);
/* Not there: fine. */
int rv_blobs_remove(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], struct rv_err *err);

#endif
