/* store.c - opening the database: SQLite's errors as ours, identity, checksums (store.h) */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum rv_code code_of(int rc, int sys)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return RV_E_NO_SPACE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT: /* two rows for one place: not ours alone */
		return RV_E_CORRUPT;
	case SQLITE_NOMEM:
		return RV_E_NO_MEMORY;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return RV_E_BUSY;
	case SQLITE_TOOBIG:
		return RV_E_LIMIT;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
		return RV_E_DENIED;
	default:
		if (sys == ENOSPC || sys == EDQUOT)
			return RV_E_NO_SPACE;
		if (sys == EACCES || sys == EPERM)
			return RV_E_DENIED;
		return RV_E_IO;
	}
}

int store_fail(sqlite3 *db, int rc, const char *path, const char *what, struct rv_err *err)
{
	int sys = db ? sqlite3_system_errno(db) : 0;
	int extended = db ? sqlite3_extended_errcode(db) : rc;

	rv_fail(err, code_of(rc, sys), "cannot %s the journal %s: %s", what, path,
		db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
	if (err && (extended & 0xff) == SQLITE_IOERR && sys)
		err->sys = sys;
	if (err && err->code == RV_E_NO_SPACE)
		(void)rv_hint(err, "free space on the disk of %s, then start again: the journal is whole, and all that was ever acknowledged is in it", path);
	return -1;
}

/* The writer is held up by a checkpoint that restarts the log, or by a recovery: both are short. Default waits of
 * SQLite begin at a millisecond, too long for a loop. */
static int busy(void *arg, int times)
{
	useconds_t wait = times < 20 ? 50 : 1000;

	(void)arg;
	if (times > STORE_BUSY_MS)
		return 0;
	(void)usleep(wait); /* woken early is fine */
	return 1;
}

/* SQLite's own bound is 512 with the names of the files beside it. */
enum { STORE_PATH_BYTES_MAX = 500 };

int store_connect(const struct journal *j, int flags, sqlite3 **db, struct rv_err *err)
{
	int rc = sqlite3_open_v2(j->path, db, flags | SQLITE_OPEN_NOMUTEX, j->options.vfs);

	if (rc != SQLITE_OK) {
		if (strlen(j->path) > STORE_PATH_BYTES_MAX) {
			rv_fail(err, RV_E_LIMIT, "the journal's path has %zu bytes; SQLite takes %d", strlen(j->path), STORE_PATH_BYTES_MAX);
			(void)rv_hint(err, "--state DIR puts it at a shorter one");
		} else {
			store_fail(*db, rc, j->path, "open", err);
		}
		(void)sqlite3_close(*db); /* never was open */
		*db = NULL;
		return -1;
	}
	(void)sqlite3_extended_result_codes(*db, 1);
	(void)sqlite3_busy_handler(*db, busy, NULL);
	return 0;
}

int store_exec(sqlite3 *db, const char *path, const char *sql, struct rv_err *err)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_fail(db, rc, path, "use", err);
}

int store_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **out, struct rv_err *err)
{
	int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	return rc == SQLITE_OK ? 0 : store_fail(db, rc, path, "use", err);
}

/* --- identity ------------------------------------------------------------------------------------------------------ */

/* The one integer that the statement gives. */
static int ask(sqlite3 *db, const char *path, const char *sql, int64_t *out, struct rv_err *err)
{
	sqlite3_stmt *s = NULL;
	int rc;

	if (store_prepare(db, path, sql, &s, err))
		return -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	(void)sqlite3_finalize(s); /* repeats what step said */
	if (rc == SQLITE_ROW)
		return 0;
	if (rc == SQLITE_DONE)
		return rv_fail(err, RV_E_CORRUPT, "the journal %s lacks a row of its own", path);
	return store_fail(db, rc, path, "read", err);
}

static int read_cluster(struct journal *j, sqlite3 *db, struct rv_err *err)
{
	sqlite3_stmt *s = NULL;
	int rc;

	if (store_prepare(db, j->path, "SELECT value FROM meta WHERE key='cluster'", &s, err))
		return -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(s, 0) == JOURNAL_CLUSTER_BYTES &&
	    sqlite3_column_blob(s, 0)) {
		memcpy(j->cluster, sqlite3_column_blob(s, 0), JOURNAL_CLUSTER_BYTES);
		(void)sqlite3_finalize(s); /* it gave its row */
		return 0;
	}
	(void)sqlite3_finalize(s); /* repeats what step said */
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return rv_fail(err, RV_E_CORRUPT, "the journal %s lacks its cluster id", j->path);
	return store_fail(db, rc, j->path, "read", err);
}

int store_identify(struct journal *j, sqlite3 *db, struct rv_err *err)
{
	int64_t v = 0;

	if (ask(db, j->path, "PRAGMA application_id", &v, err))
		return -1;
	if (v != STORE_APPLICATION_ID)
		return rv_fail(err, RV_E_CORRUPT, "%s is not a journal of reeve", j->path);
	if (ask(db, j->path, "PRAGMA user_version", &v, err))
		return -1;
	if (v != STORE_VERSION) {
		rv_fail(err, RV_E_VERSION, "the journal %s has format %lld; this reeve reads %d", j->path,
			(long long)v, STORE_VERSION);
		return rv_hint(err, v > STORE_VERSION ? "it was written by a newer reeve: use that one"
						      : "it was written by an older reeve: use that one");
	}
	if (read_cluster(j, db, err))
		return -1;
	if (j->options.cluster && memcmp(j->options.cluster, j->cluster, JOURNAL_CLUSTER_BYTES) != 0)
		return rv_fail(err, RV_E_CONFLICT, "the journal %s belongs to another cluster", j->path);
	j->checksum_seed = store_checksum_seed(j->cluster);
	if (ask(db, j->path, "SELECT epoch FROM head WHERE id=1", &v, err))
		return -1;
	j->epoch = (uint64_t)v;
	if (ask(db, j->path, "SELECT coalesce((SELECT max(position) FROM log), (SELECT first-1 FROM head))", &v, err))
		return -1;
	j->last = (uint64_t)v;
	atomic_store(&j->durable, j->last);
	return 0;
}

/* --- checksums --------------------------------------------------------------------------------------------------------
 *
 * Against bits that flip and rows that stray, not against an enemy. Part of the file format: it stays as it is.
 */

static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd1b54a32d192ed03u);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t le64(const unsigned char *p, size_t bytes)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint64_t store_checksum(uint64_t seed, uint64_t position, struct rv_str bytes)
{
	const unsigned char *p = (const unsigned char *)bytes.at;
	uint64_t h = mix(seed, position);
	size_t left = bytes.bytes;

	while (left >= 16) {
		h = mix(h ^ le64(p, 8), le64(p + 8, 8) + left);
		p += 16;
		left -= 16;
	}
	if (left > 8)
		h = mix(h ^ le64(p, 8), le64(p + 8, left - 8));
	else
		h = mix(h ^ le64(p, left), left);
	return mix(h, bytes.bytes);
}

uint64_t store_checksum_seed(const uint8_t cluster[JOURNAL_CLUSTER_BYTES])
{
	return mix(le64(cluster, 8), le64(cluster + 8, 8));
}
