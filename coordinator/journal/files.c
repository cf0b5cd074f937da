/* files.c - the state directory: whose it is, and making a new journal in it (store.h) */
#include "store.h"

#include "common/buf.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/os/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_owner(const struct stat *st, const char *dir, const char *name, enum journal_mode mode,
		       struct rv_err *err)
{
	/* root may read anybody's; writing is for the owner, since others could play with links below us */
	if (st->st_uid != geteuid() && !(mode == JOURNAL_READ && geteuid() == 0)) {
		rv_fail(err, RV_E_DENIED, "%s/%s belongs to user %u, not to us (%u)", dir, name, (unsigned)st->st_uid,
			(unsigned)geteuid());
		return rv_hint(err, "run reeve as that user, or choose another state directory");
	}
	if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		rv_fail(err, RV_E_DENIED, "%s/%s may be written by others (mode %04o)", dir, name,
			(unsigned)st->st_mode & 07777);
		return rv_hint(err, "chmod go-w %s/%s, if you trust what is in it", dir, name);
	}
	return 0;
}

int store_dir_open(const char *path, enum journal_mode mode, int *dir, struct rv_err *err)
{
	struct stat st;
	int fd = -1;

	if (mode == JOURNAL_OWN && mkdir(path, 0700) < 0 && errno != EEXIST)
		return rv_fail_errno(err, errno, "cannot make the state directory %s", path);
	if (rv_dir_open(path, &fd, err))
		return -1;
	if (fstat(fd, &st) < 0) {
		rv_fail_errno(err, errno, "cannot look at %s", path);
		goto fail;
	}
	if (check_owner(&st, path, ".", mode, err))
		goto fail;
	*dir = fd;
	return 0;
fail:
	(void)close(fd); /* nothing was written through it */
	return -1;
}

/* Never opened here: closing a descriptor of a database would drop the locks that SQLite holds in this process. */
int store_files_check(int dir, const char *dir_path, enum journal_mode mode, struct rv_err *err)
{
	static const char *const names[] = { STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm" };
	bool there = false;
	struct stat st;
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(names); i++) {
		if (fstatat(dir, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return rv_fail_errno(err, errno, "cannot look at %s/%s", dir_path, names[i]);
		}
		if (!S_ISREG(st.st_mode))
			return rv_fail(err, RV_E_DENIED, "%s/%s is %s", dir_path, names[i],
				       S_ISLNK(st.st_mode) ? "a symlink" : "not a regular file");
		if (st.st_nlink > 1)
			return rv_fail(err, RV_E_DENIED, "%s/%s has other names (hard links)", dir_path, names[i]);
		if (check_owner(&st, dir_path, names[i], mode, err))
			return -1;
		if (i == 0) {
			there = true;
			/* it is made whole under another name and renamed, so it was longer once */
			if (st.st_size < STORE_PAGE_BYTES)
				return rv_fail(err, RV_E_CORRUPT, "%s/%s is truncated (%lld bytes)", dir_path,
					       names[i], (long long)st.st_size);
		} else if (i == 1 && !there && st.st_size > 0) {
			return rv_fail(err, RV_E_CORRUPT, "%s/%s is there without its " STORE_FILE, dir_path,
				       names[i]);
		}
	}
	return there;
}

static const char schema[] =
	"PRAGMA page_size=4096;"
	"BEGIN;"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE head(id INTEGER PRIMARY KEY CHECK(id=1), epoch INTEGER NOT NULL, first INTEGER NOT NULL);"
	"INSERT INTO head VALUES(1, 1, 1);"
	"CREATE TABLE log(position INTEGER PRIMARY KEY, row BLOB NOT NULL);"
	"CREATE TABLE run(run TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,"
	" plan_digest BLOB NOT NULL, position INTEGER NOT NULL, created_us INTEGER NOT NULL,"
	" started_us INTEGER NOT NULL, finished_us INTEGER NOT NULL, total INTEGER NOT NULL,"
	" succeeded INTEGER NOT NULL, failed INTEGER NOT NULL, skipped INTEGER NOT NULL,"
	" cancelled INTEGER NOT NULL) WITHOUT ROWID;";

static int fill(sqlite3 *db, const struct journal_options *options, struct rv_err *err)
{
	uint8_t cluster[JOURNAL_CLUSTER_BYTES];
	sqlite3_stmt *put = NULL;
	char sql[128];
	int rc = -1;

	if (options->cluster)
		memcpy(cluster, options->cluster, sizeof(cluster));
	else
		rv_random(cluster, sizeof(cluster));
	if (store_exec(db, STORE_FILE, schema, err) ||
	    store_prepare(db, STORE_FILE, "INSERT INTO meta VALUES(?1, ?2)", &put, err))
		goto out;
	if (sqlite3_bind_text(put, 1, "cluster", -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_blob(put, 2, cluster, sizeof(cluster), SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_step(put) != SQLITE_DONE || sqlite3_reset(put) != SQLITE_OK ||
	    sqlite3_bind_text(put, 1, "created_us", -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int64(put, 2, (sqlite3_int64)rv_clock_realtime_us()) != SQLITE_OK ||
	    sqlite3_step(put) != SQLITE_DONE) {
		store_fail(db, sqlite3_errcode(db), STORE_FILE, "make", err);
		goto out;
	}
	(void)snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
		       STORE_APPLICATION_ID, STORE_VERSION);
	(void)sqlite3_reset(put); /* it was done */
	rc = store_exec(db, STORE_FILE, sql, err);
out:
	(void)sqlite3_finalize(put); /* repeats what step said */
	return rc;
}

/* Made in memory and written like any file, all or nothing: a journal that is there was whole once. It holds its first
 * claim already, so that a journal of which only this file outlives a power loss gives out no epoch twice; and if not
 * even that does, its cluster id is gone with it. So with JOURNAL_PROCESS nothing here waits for a disk. */
int store_create(int dir, const struct journal_options *options, struct rv_err *err)
{
	sqlite3 *db = NULL;
	sqlite3_int64 bytes = 0;
	unsigned char *image = NULL;
	int rc = -1;

	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		rv_fail(err, RV_E_NO_MEMORY, "no memory for a new journal");
		goto out;
	}
	if (fill(db, options, err))
		goto out;
	image = sqlite3_serialize(db, "main", &bytes, 0);
	if (!image || bytes < STORE_PAGE_BYTES) {
		rv_fail(err, RV_E_NO_MEMORY, "no memory for a new journal");
		goto out;
	}
	image[18] = image[19] = 2; /* file format: write-ahead log, so that opening need not change it */
	rc = rv_file_write_at(dir, STORE_FILE, rv_str((const char *)image, (size_t)bytes), 0600,
			      options->durability == JOURNAL_POWER ? RV_FILE_SYNC : RV_FILE_NOSYNC, err);
out:
	sqlite3_free(image);
	(void)sqlite3_close(db); /* only memory */
	return rc;
}
