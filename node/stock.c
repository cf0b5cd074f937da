#include "node/stock.h"

#include "common/id.h"
#include "common/os/file.h"
#include "proto/transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	uint8_t digest[RV_DIGEST_BYTES];
	uint64_t bytes, mtime_us;
};

struct walk {
	struct file *files;
	uint32_t count, capacity;
	uint64_t bytes;
};

static int add(struct walk *w, const uint8_t digest[RV_DIGEST_BYTES], const struct stat *st)
{
	if (w->count == w->capacity) {
		uint32_t capacity = w->capacity ? 2 * w->capacity : 256;
		struct file *files = realloc(w->files, capacity * sizeof(*files));

		if (!files)
			return -1;
		w->files = files;
		w->capacity = capacity;
	}
	w->files[w->count] = (struct file){ .bytes = (uint64_t)st->st_size,
					    .mtime_us = (uint64_t)st->st_mtim.tv_sec * RV_US_PER_S + (uint64_t)st->st_mtim.tv_nsec / 1000 };
	memcpy(w->files[w->count++].digest, digest, RV_DIGEST_BYTES);
	w->bytes += (uint64_t)st->st_size;
	return 0;
}

/* The files of directory `ab`: their names are the other 62 digits. */
static int read_fan(struct walk *w, int dir, const char *fan, struct rv_err *err)
{
	char hex[RV_DIGEST_HEX_CHARS + 1];
	uint8_t digest[RV_DIGEST_BYTES];
	struct dirent *e;
	struct stat st;
	DIR *d;
	int fd = openat(dir, fan, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : rv_fail_errno(err, errno, "cannot read the blob store");
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to look through the blob store");
	}
	while (rc == 0 && w->count < NODE_STOCK_FILES_MAX && (e = readdir(d))) {
		if (strlen(e->d_name) != RV_DIGEST_HEX_CHARS - 2)
			continue;
		memcpy(hex, fan, 2);
		memcpy(hex + 2, e->d_name, RV_DIGEST_HEX_CHARS - 1);
		if (rv_unhex(digest, sizeof(digest), rv_str(hex, RV_DIGEST_HEX_CHARS)) < 0 || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (add(w, digest, &st) < 0)
			rc = rv_fail(err, RV_E_NO_MEMORY, "no memory to look through the blob store");
	}
	closedir(d);
	return rc;
}

static int oldest_first(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return x->mtime_us != y->mtime_us ? (x->mtime_us > y->mtime_us) - (x->mtime_us < y->mtime_us) : memcmp(x->digest, y->digest, RV_DIGEST_BYTES);
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct proto_blob_ref *)a)->digest, ((const struct proto_blob_ref *)b)->digest, RV_DIGEST_BYTES);
}

static bool is_pinned(const struct rv_buf *pinned, const uint8_t digest[RV_DIGEST_BYTES])
{
	struct proto_blob_ref key = { .bytes = 0 };

	memcpy(key.digest, digest, sizeof(key.digest));
	return pinned->bytes && bsearch(&key, pinned->at, pinned->bytes / sizeof(key), sizeof(key), by_digest);
}

static int remove_oldest(struct rv_blobs *store, struct walk *w, uint64_t left_max, uint64_t real_us, const struct rv_buf *pinned,
			 struct node_stock_stats *out, struct rv_err *err)
{
	for (uint32_t i = 0; i < w->count && out->bytes_before - out->bytes_removed > left_max; i++) {
		const struct file *f = &w->files[i];

		if (rv_sat_sub(real_us, f->mtime_us) < NODE_STOCK_GRACE_US || is_pinned(pinned, f->digest)) {
			out->kept++;
			continue;
		}
		if (rv_blobs_remove(store, f->digest, err) < 0)
			return -1;
		out->removed++;
		out->bytes_removed += f->bytes;
	}
	return 0;
}

int node_stock_prune(struct rv_blobs *store, uint64_t bytes_max, uint64_t real_us, struct rv_buf *pinned, struct node_stock_stats *out,
		     struct rv_err *err)
{
	struct walk w = { .files = NULL };
	char fan[3];
	int rc = 0;

	*out = (struct node_stock_stats){ .files = 0 };
	for (uint32_t i = 0; i < 256 && rc == 0; i++) {
		uint8_t byte = (uint8_t)i;

		rv_hex(fan, &byte, 1);
		rc = read_fan(&w, store->dir, fan, err);
	}
	out->files = w.count;
	out->bytes_before = w.bytes;
	if (rc == 0 && w.bytes > bytes_max) {
		qsort(w.files, w.count, sizeof(w.files[0]), oldest_first);
		if (pinned->bytes)
			qsort(pinned->at, pinned->bytes / sizeof(struct proto_blob_ref), sizeof(struct proto_blob_ref), by_digest);
		rc = remove_oldest(store, &w, bytes_max / 4 * 3, real_us, pinned, out, err);
	}
	free(w.files);
	return rc;
}
