/* blobsource.c - bytes that a run refers to by digest */
#include "cli/blobsource.h"

#include "common/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int nowhere(struct rv_err *err)
{
	return rv_fail(err, RV_E_NOT_FOUND, "these bytes are not here");
}

int cli_blob_get_all(const struct cli_blob_source *s, const uint8_t *digest, size_t bytes_max, struct rv_buf *out, struct rv_err *err)
{
	if (s->store)
		return rv_blobs_get_all(s->store, digest, bytes_max, out, err);
	return s->client ? cli_client_blob(s->client, digest, bytes_max, out, err) : nowhere(err);
}

int cli_blob_tail(const struct cli_blob_source *s, const uint8_t *digest, uint64_t size, char *room, size_t bytes, size_t *got, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_BLOB_GET }, answer;
	uint64_t from = rv_sat_sub(size, bytes);

	if (s->store)
		return rv_blobs_get(s->store, digest, from, room, bytes, got, err);
	if (!s->client)
		return nowhere(err);
	memcpy(request.blob_get.digest, digest, PROTO_DIGEST_BYTES);
	request.blob_get.offset = from;
	if (cli_client_call(s->client, &request, PROTO_BLOB_BYTES, &answer, err))
		return -1;
	if (answer.blob.size == UINT64_MAX)
		return nowhere(err);
	*got = rv_min_u64(answer.blob.bytes.bytes, bytes);
	memcpy(room, answer.blob.bytes.at, *got);
	return 0;
}

/* Below TMPDIR; without a name, so that nothing is left behind however we end. */
static int nameless_file(int *fd, struct rv_err *err)
{
	const char *dir = getenv("TMPDIR");

	*fd = open(dir && *dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd < 0) /* a file system that knows none */
		*fd = memfd_create("artifact", MFD_CLOEXEC);
	return *fd < 0 ? rv_fail_errno(err, errno, "cannot make a temporary file") : 0;
}

static int put_piece(void *arg, struct rv_str bytes, struct rv_err *err)
{
	return rv_file_put(*(int *)arg, "a temporary file", bytes, err);
}

int cli_blob_open(const struct cli_blob_source *s, const uint8_t *digest, int *fd, struct rv_err *err)
{
	struct rv_err why = { 0 };
	uint64_t bytes;
	int rc;

	if (s->store) {
		rc = rv_blobs_find(s->store, digest, &bytes, err);
		if (rc == 1)
			rc = rv_blobs_open_blob(s->store, digest, fd, err) ? -1 : 1;
		return rc;
	}
	if (!s->client)
		return 0;
	if (nameless_file(fd, err))
		return -1;
	rc = cli_client_blob_pieces(s->client, digest, put_piece, fd, &why) ? -1 : 1;
	if (rc == 1 && lseek(*fd, 0, SEEK_SET) < 0)
		rc = rv_fail_errno(&why, errno, "cannot read a temporary file");
	if (rc == 1)
		return 1;
	(void)close(*fd);
	if (why.code == RV_E_NOT_FOUND)
		return 0;
	if (err)
		*err = why;
	return -1;
}
