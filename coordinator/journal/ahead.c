/* ahead.c - the write-ahead log's file is written beforehand (store.h)
 *
 * A commit that makes the file longer waits for the file system's own journal besides its data: size and blocks are
 * metadata that fdatasync() has to keep. One that writes over zeroes waits for the data alone; that is what a log does
 * that began anew, so only its first time over the file is made cheaper. Blocks that are only allocated (fallocate, or
 * SQLite's CHUNK_SIZE, which is for the database file anyway) do not help: that they were written is metadata, too.
 *
 * SQLite takes it for an old log's rest (its wal.c): a head without its magic number is a log without frames, and
 * recovery stops at the first frame whose salts are not the head's. It cuts a log only by journal_size_limit, which is
 * not set here, and removes it when the last connection closes.
 */
#include "store.h"

#include "common/base.h"

/* SQLite's file format, "The Write-Ahead Log": the log's head, and a page with the head of its frame. */
#define LOG_HEAD_BYTES 32
#define FRAME_BYTES (STORE_PAGE_BYTES + 24)
#define PIECE_BYTES ((size_t)64 << 10)

static uint64_t used_bytes(const struct journal *j)
{
	return LOG_HEAD_BYTES + j->wal_pages * FRAME_BYTES;
}

bool store_ahead_due(const struct journal *j)
{
	return !j->ahead_off && j->wal_pages >= STORE_AHEAD_FROM_PAGES && j->written_bytes < j->options.wal_bytes &&
	       used_bytes(j) + STORE_AHEAD_BYTES / 2 > j->written_bytes;
}

/* What could not be written is no failure: space may be wanted more elsewhere, and a commit will tell. */
static int write_zeroes(sqlite3_file *log, uint64_t from, uint64_t to)
{
	static const char zeroes[PIECE_BYTES];
	uint64_t at;

	for (at = from; at < to; at += PIECE_BYTES) {
		if (log->pMethods->xWrite(log, zeroes, (int)rv_min_u64(PIECE_BYTES, to - at), (sqlite3_int64)at) == SQLITE_OK)
			continue;
		(void)log->pMethods->xTruncate(log, (sqlite3_int64)from); /* or they lie there for nothing */
		return -1;
	}
	return 0;
}

/* The write lock is held: nobody else makes the file longer or shorter. */
static int extend(struct journal *j, struct rv_err *err)
{
	uint64_t to = rv_min_u64(used_bytes(j) + STORE_AHEAD_BYTES, j->options.wal_bytes);
	sqlite3_file *log = NULL;
	sqlite3_int64 bytes = 0;
	int rc;

	if (sqlite3_file_control(j->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || !log->pMethods ||
	    log->pMethods->xFileSize(log, &bytes) != SQLITE_OK) {
		j->ahead_off = true;
		return 0;
	}
	j->written_bytes = (uint64_t)bytes;
	if (to <= j->written_bytes)
		return 0;
	if (write_zeroes(log, j->written_bytes, to)) {
		j->ahead_off = true;
		return 0;
	}
	rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
	if (rc != SQLITE_OK) /* the commits' own pages may be among those that it lost (J4) */
		return rv_fail(err, RV_E_IO, "cannot sync the journal %s: %s", j->path, sqlite3_errstr(rc));
	j->written_bytes = to;
	return 0;
}

int store_write_ahead(struct journal *j, struct rv_err *err)
{
	int rc = 0;

	if (sqlite3_step(j->begin) == SQLITE_DONE)
		rc = extend(j, err);
	(void)sqlite3_reset(j->begin); /* refused: at the next commit */
	store_rollback(j);
	return rc;
}
