#include "common/os/blobs.h"

#include "common/buf.h"
#include "common/check.h"
#include "common/id.h"
#include "common/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_CHARS (RV_DIGEST_HEX_CHARS + 1) /* and the slash */
#define COPY_BYTES ((size_t)64 << 10)

static void blob_name(const uint8_t digest[RV_DIGEST_BYTES], char out[NAME_CHARS + 1])
{
	char hex[RV_DIGEST_HEX_CHARS + 1];

	rv_hex(hex, digest, RV_DIGEST_BYTES);
	(void)snprintf(out, NAME_CHARS + 1, "%.2s/%s", hex, hex + 2); /* fits: all lengths are fixed */
}

/* --- open, close --------------------------------------------------------------------------------------------- */

int rv_blobs_open(struct rv_blobs *b, const char *path, enum rv_blobs_sync sync, uint64_t blob_bytes_max,
		  struct rv_err *err)
{
	*b = (struct rv_blobs){ .dir = -1, .sync = sync, .blob_bytes_max = blob_bytes_max };
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return rv_fail_errno(err, errno, "cannot make the blob store %s", path);
	return rv_dir_open(path, &b->dir, err);
}

int rv_blobs_open_at(struct rv_blobs *b, int dir, const char *path, enum rv_blobs_sync sync,
		     uint64_t blob_bytes_max, struct rv_err *err)
{
	*b = (struct rv_blobs){ .dir = -1, .sync = sync, .blob_bytes_max = blob_bytes_max };
	if (rv_dir_make_at(dir, path, 0700, err))
		return -1;
	return rv_dir_open_at(dir, path, &b->dir, err);
}

void rv_blobs_close(struct rv_blobs *b)
{
	if (b->dir >= 0)
		(void)close(b->dir); /* a directory: nothing to lose */
	b->dir = -1;
}

/* --- writing --------------------------------------------------------------------------------------------------- */

static int fail_limit(const struct rv_blobs *b, struct rv_err *err)
{
	return rv_fail(err, RV_E_LIMIT, "a blob has more than %llu bytes", (unsigned long long)b->blob_bytes_max);
}

int rv_blob_begin(struct rv_blob_writer *w, struct rv_blobs *b, struct rv_err *err)
{
	uint8_t random[8];
	char hex[2 * sizeof(random) + 1];

	rv_random(random, sizeof(random));
	rv_hex(hex, random, sizeof(random));
	w->store = b;
	w->bytes = 0;
	(void)snprintf(w->temp, sizeof(w->temp), "new-%s", hex); /* fits: 4 + 16 */
	w->fd = openat(b->dir, w->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w->fd < 0)
		return rv_fail_errno(err, errno, "cannot write to the blob store");
	rv_digest_begin(&w->hash);
	return 0;
}

int rv_blob_add(struct rv_blob_writer *w, struct rv_str bytes, struct rv_err *err)
{
	struct rv_blobs *b = w->store;

	rv_check(w->fd >= 0);
	if (b->blob_bytes_max && bytes.bytes > b->blob_bytes_max - w->bytes) {
		rv_blob_drop(w);
		return fail_limit(b, err);
	}
	if (rv_file_put(w->fd, "a blob", bytes, err)) {
		rv_blob_drop(w);
		return -1;
	}
	rv_digest_add(&w->hash, bytes);
	w->bytes += bytes.bytes;
	return 0;
}

void rv_blob_drop(struct rv_blob_writer *w)
{
	if (w->fd < 0)
		return;
	(void)close(w->fd); /* its bytes are not wanted */
	w->fd = -1;
	(void)unlinkat(w->store->dir, w->temp, 0); /* what stays is swept away with the store */
}

static int sync_dir(int dir, const char *name, struct rv_err *err)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = rv_fail_errno(err, errno, "cannot sync the blob store");
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* The temporary file gets its name; the directory of that name is made if this is the first in it. */
static int give_name(struct rv_blobs *b, const char *temp, const char *name, struct rv_err *err)
{
	char fan[3] = { name[0], name[1], '\0' };
	bool made = false;

	if (renameat(b->dir, temp, b->dir, name) < 0) {
		if (errno != ENOENT)
			return rv_fail_errno(err, errno, "cannot name a blob");
		if (mkdirat(b->dir, fan, 0700) < 0 && errno != EEXIST)
			return rv_fail_errno(err, errno, "cannot make a directory in the blob store");
		made = true;
		if (renameat(b->dir, temp, b->dir, name) < 0)
			return rv_fail_errno(err, errno, "cannot name a blob");
	}
	if (b->sync == RV_BLOBS_NOSYNC)
		return 0;
	if (sync_dir(b->dir, fan, err))
		return -1;
	if (made && fsync(b->dir) < 0)
		return rv_fail_errno(err, errno, "cannot sync the blob store");
	return 0;
}

/* There with that size? With RV_BLOBS_SYNC it is also made sure that it is on the disk: whoever put it may have been
 * killed before it synced, or not have cared to. */
static int present(struct rv_blobs *b, const char *name, uint64_t bytes, struct rv_err *err)
{
	char fan[3] = { name[0], name[1], '\0' };
	struct stat st;
	int fd, rc = 1;

	if (fstatat(b->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : rv_fail_errno(err, errno, "cannot look into the blob store");
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes)
		return 0;
	if (b->sync == RV_BLOBS_NOSYNC)
		return 1;
	fd = openat(b->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0; /* writing it anew says what is wrong */
	if (fsync(fd) < 0)
		rc = rv_fail_errno(err, errno, "cannot sync a blob");
	(void)close(fd);
	if (rc == 1 && (sync_dir(b->dir, fan, err) || fsync(b->dir) < 0))
		rc = -1;
	return rc;
}

int rv_blobs_hold(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], uint64_t bytes, struct rv_err *err)
{
	char name[NAME_CHARS + 1];

	blob_name(digest, name);
	return present(b, name, bytes, err);
}

int rv_blob_end(struct rv_blob_writer *w, const uint8_t *expect, uint8_t digest[RV_DIGEST_BYTES], struct rv_err *err)
{
	struct rv_blobs *b = w->store;
	uint8_t got[RV_DIGEST_BYTES];
	char name[NAME_CHARS + 1];
	int there;

	rv_check(w->fd >= 0);
	rv_digest_end(&w->hash, got);
	if (expect && memcmp(expect, got, RV_DIGEST_BYTES) != 0) {
		rv_blob_drop(w);
		return rv_fail(err, RV_E_CORRUPT, "a blob is not what its digest says");
	}
	blob_name(got, name);
	there = present(b, name, w->bytes, err);
	if (there != 0) {
		rv_blob_drop(w);
		if (there < 0)
			return -1;
		memcpy(digest, got, RV_DIGEST_BYTES);
		return 0;
	}
	if (b->sync == RV_BLOBS_SYNC && fsync(w->fd) < 0) {
		rv_fail_errno(err, errno, "cannot sync a blob");
		rv_blob_drop(w);
		return -1;
	}
	if (give_name(b, w->temp, name, err)) {
		rv_blob_drop(w);
		return -1;
	}
	(void)close(w->fd); /* written, and synced if that was asked */
	w->fd = -1;
	memcpy(digest, got, RV_DIGEST_BYTES);
	return 0;
}

int rv_blobs_put(struct rv_blobs *b, struct rv_str bytes, uint8_t digest[RV_DIGEST_BYTES], struct rv_err *err)
{
	struct rv_blob_writer w;
	uint8_t got[RV_DIGEST_BYTES];
	char name[NAME_CHARS + 1];
	int there;

	if (b->blob_bytes_max && bytes.bytes > b->blob_bytes_max)
		return fail_limit(b, err);
	rv_digest(bytes, got);
	blob_name(got, name);
	there = present(b, name, bytes.bytes, err);
	if (there < 0)
		return -1;
	if (there) {
		memcpy(digest, got, RV_DIGEST_BYTES);
		return 0;
	}
	if (rv_blob_begin(&w, b, err) || rv_blob_add(&w, bytes, err))
		return -1;
	return rv_blob_end(&w, NULL, digest, err);
}

int rv_blobs_put_fd(struct rv_blobs *b, int fd, const char *name, uint8_t digest[RV_DIGEST_BYTES], uint64_t *bytes,
		    struct rv_err *err)
{
	struct rv_blob_writer w;
	char *copy = malloc(COPY_BYTES);
	int rc = -1;

	if (!copy)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a copy of %s", name);
	if (rv_blob_begin(&w, b, err))
		goto out;
	for (;;) {
		ssize_t n = read(fd, copy, COPY_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rv_fail_errno(err, errno, "cannot read %s", name);
			rv_blob_drop(&w);
			goto out;
		}
		if (n == 0)
			break;
		if (rv_blob_add(&w, rv_str(copy, (size_t)n), err))
			goto out;
	}
	rc = rv_blob_end(&w, NULL, digest, err);
	if (rc == 0 && bytes)
		*bytes = w.bytes;
out:
	free(copy);
	return rc;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

int rv_blobs_find(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], uint64_t *bytes, struct rv_err *err)
{
	char name[NAME_CHARS + 1];
	struct stat st;

	blob_name(digest, name);
	if (fstatat(b->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : rv_fail_errno(err, errno, "cannot look into the blob store");
	if (!S_ISREG(st.st_mode))
		return rv_fail(err, RV_E_CORRUPT, "the blob %s is not a regular file", name);
	if (bytes)
		*bytes = (uint64_t)st.st_size;
	return 1;
}

int rv_blobs_open_blob(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], int *fd, struct rv_err *err)
{
	char name[NAME_CHARS + 1];

	blob_name(digest, name);
	*fd = openat(b->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return rv_fail_errno(err, errno, "cannot open the blob %s", name);
	return 0;
}

int rv_blobs_get(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], uint64_t offset, void *out, size_t count,
		 size_t *got, struct rv_err *err)
{
	size_t done = 0;
	int fd, rc = 0;

	if (offset > INT64_MAX - count) {
		*got = 0; /* past any file's end */
		return 0;
	}
	if (rv_blobs_open_blob(b, digest, &fd, err))
		return -1;
	while (done < count) {
		ssize_t n = pread(fd, (char *)out + done, count - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = rv_fail_errno(err, errno, "cannot read a blob");
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	(void)close(fd);
	if (rc == 0)
		*got = done;
	return rc;
}

int rv_blobs_get_all(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], size_t limit, struct rv_buf *out,
		     struct rv_err *err)
{
	size_t before = out->bytes;
	uint8_t got[RV_DIGEST_BYTES];
	char name[NAME_CHARS + 1];
	int fd, rc;

	if (rv_blobs_open_blob(b, digest, &fd, err))
		return -1;
	blob_name(digest, name);
	rc = rv_file_read_fd(fd, name, limit, out, err);
	(void)close(fd);
	if (rc)
		return -1;
	rv_digest(rv_str(out->at + before, out->bytes - before), got);
	if (memcmp(got, digest, RV_DIGEST_BYTES) != 0) {
		out->bytes = before;
		return rv_fail(err, RV_E_CORRUPT, "the blob %s is not what its name says", name);
	}
	return 0;
}

int rv_blobs_remove(struct rv_blobs *b, const uint8_t digest[RV_DIGEST_BYTES], struct rv_err *err)
{
	char name[NAME_CHARS + 1];

	blob_name(digest, name);
	if (unlinkat(b->dir, name, 0) < 0 && errno != ENOENT)
		return rv_fail_errno(err, errno, "cannot remove the blob %s", name);
	return 0;
}
