#include "estimates.h"

#include "common/check.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "estimates.db"
#define APPLICATION_ID 0x72657673 /* "revs" */
#define VERSION 1
#define TIMES_BYTES (ESTIMATES_TIMES * 8)
#define BUSY_MS 2000
#define KEY_BYTES_MIN 40 /* of a row: below this many bytes for each key the file cannot hold too many */

struct journal_estimates {
	sqlite3 *db;
	sqlite3_stmt *get, *put;
	char *path;
	bool begun;
	bool damaged; /* seen while it was used: the file goes when it is closed */
};

static int fail(struct journal_estimates *e, const char *what, struct rv_err *err)
{
	int rc = e->db ? sqlite3_errcode(e->db) : SQLITE_NOMEM;
	enum rv_code code = RV_E_IO;

	if (rc == SQLITE_FULL)
		code = RV_E_NO_SPACE;
	else if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		code = RV_E_BUSY;
	else if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
		code = RV_E_CORRUPT;
	else if (rc == SQLITE_READONLY || rc == SQLITE_PERM)
		code = RV_E_DENIED;
	e->damaged |= code == RV_E_CORRUPT;
	return rv_fail(err, code, "cannot %s %s: %s", what, e->path, e->db ? sqlite3_errmsg(e->db) : "no memory");
}

/* --- open ------------------------------------------------------------------------------------------------------------ */

static int pragma(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

	if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		*out = sqlite3_column_int64(s, 0);
	else
		rc = SQLITE_ERROR;
	(void)sqlite3_finalize(s); /* repeats what step said */
	return rc == SQLITE_OK ? 0 : -1;
}

/* 0: ours; -1: damaged, or not ours; 1: still empty. */
static int examine(sqlite3 *db)
{
	int64_t application = 0, version = 0, pages = 0;

	if (pragma(db, "PRAGMA application_id", &application) || pragma(db, "PRAGMA user_version", &version) ||
	    pragma(db, "PRAGMA page_count", &pages))
		return -1;
	if (pages == 0)
		return 1;
	return application == APPLICATION_ID && version == VERSION ? 0 : -1;
}

static int make_tables(struct journal_estimates *e, struct rv_err *err)
{
	char sql[512];

	(void)snprintf(sql, sizeof(sql),
		       "BEGIN IMMEDIATE; PRAGMA application_id=%d; PRAGMA user_version=%d;"
		       "CREATE TABLE IF NOT EXISTS time(plan TEXT NOT NULL, unit TEXT NOT NULL, agent TEXT NOT NULL,"
		       " us INTEGER NOT NULL, used_us INTEGER NOT NULL, times BLOB NOT NULL,"
		       " PRIMARY KEY(plan, unit, agent)) WITHOUT ROWID; COMMIT",
		       APPLICATION_ID, VERSION);
	if (sqlite3_exec(e->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	fail(e, "make", err);
	if (!sqlite3_get_autocommit(e->db))
		(void)sqlite3_exec(e->db, "ROLLBACK", NULL, NULL, NULL); /* the failure before it is told */
	return -1;
}

static int connect_to(struct journal_estimates *e, enum estimates_mode mode, struct rv_err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX |
		    (mode == ESTIMATES_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

	if (sqlite3_open_v2(e->path, &e->db, flags, NULL) != SQLITE_OK)
		return fail(e, "open", err);
	(void)sqlite3_busy_timeout(e->db, BUSY_MS);
	/* It is written while a person waits for the end of a run, and losing it costs an order of units, not work: neither a
	 * wait for the disk nor a rollback file. What a kill in the middle spoils is put aside when it is noticed; what is
	 * damaged now may refuse this, and examine() says so. */
	if (mode == ESTIMATES_WRITE)
		(void)sqlite3_exec(e->db, "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY", NULL, NULL, NULL);
	return 0;
}

/* The file and what lies beside it go: it is only advice. */
static void put_aside(struct journal_estimates *e)
{
	static const char *const tails[] = { "", "-journal" };
	size_t i, room = strlen(e->path) + sizeof("-journal");
	char *path = malloc(room);

	(void)sqlite3_close(e->db);
	e->db = NULL;
	e->damaged = false;
	for (i = 0; path && i < RV_ARRAY_LEN(tails); i++) {
		(void)snprintf(path, room, "%s%s", e->path, tails[i]); /* fits */
		(void)unlink(path); /* if it stays, the next open says what is wrong */
	}
	free(path);
}

static int open_db(struct journal_estimates *e, enum estimates_mode mode, struct rv_err *err)
{
	int got;

	if (connect_to(e, mode, err))
		return -1;
	got = examine(e->db);
	if (got < 0 && mode == ESTIMATES_WRITE) {
		put_aside(e);
		if (connect_to(e, mode, err))
			return -1;
		got = examine(e->db);
	}
	if (got < 0)
		return rv_fail(err, RV_E_CORRUPT, "%s is damaged, or of another version", e->path);
	if (got == 1)
		return mode == ESTIMATES_WRITE ? make_tables(e, err)
					       : rv_fail(err, RV_E_NOT_FOUND, "%s is empty", e->path);
	return 0;
}

int journal_estimates_open(struct journal_estimates **out, const char *dir, enum estimates_mode mode,
			   struct rv_err *err)
{
	struct journal_estimates *e = calloc(1, sizeof(*e));
	size_t bytes = strlen(dir) + sizeof("/" FILE_NAME);
	struct stat st;

	if (!e || !(e->path = malloc(bytes))) {
		free(e);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for estimates");
	}
	(void)snprintf(e->path, bytes, "%s/" FILE_NAME, dir); /* fits */
	if (lstat(e->path, &st) < 0) {
		if (errno != ENOENT || mode == ESTIMATES_READ) {
			rv_fail_errno(err, errno, "cannot open %s", e->path);
			goto fail;
		}
	} else if (!S_ISREG(st.st_mode)) {
		rv_fail(err, RV_E_DENIED, "%s is not a regular file", e->path);
		goto fail;
	}
	if (open_db(e, mode, err))
		goto fail;
	if (sqlite3_prepare_v2(e->db, "SELECT us, times FROM time WHERE plan=?1 AND unit=?2 AND agent=?3", -1, &e->get,
			       NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(e->db, "INSERT OR REPLACE INTO time VALUES(?1, ?2, ?3, ?4, ?5, ?6)", -1, &e->put, NULL) !=
		    SQLITE_OK) {
		fail(e, "use", err);
		goto fail;
	}
	*out = e;
	return 0;
fail:
	journal_estimates_close(&e);
	return -1;
}

void journal_estimates_close(struct journal_estimates **ep)
{
	struct journal_estimates *e = *ep;

	if (!e)
		return;
	(void)sqlite3_finalize(e->get); /* repeats earlier failures */
	(void)sqlite3_finalize(e->put);
	if (e->damaged)
		put_aside(e);
	else
		(void)sqlite3_close(e->db); /* what was not ended is rolled back */
	free(e->path);
	free(e);
	*ep = NULL;
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static int bind_text(sqlite3_stmt *s, int i, struct rv_str text)
{
	return sqlite3_bind_text64(s, i, text.at ? text.at : "", text.bytes, SQLITE_STATIC, SQLITE_UTF8);
}

static struct rv_str column(sqlite3_stmt *s, int i)
{
	const char *at = (const char *)sqlite3_column_text(s, i); /* before the length, says SQLite */

	return rv_str(at, (size_t)sqlite3_column_bytes(s, i));
}

int journal_estimates_of_plan(struct journal_estimates *e, struct rv_str plan,
			      void (*each)(void *arg, struct rv_str unit, struct rv_str agent, uint64_t us), void *arg,
			      struct rv_err *err)
{
	sqlite3_stmt *s = NULL;
	int rc;

	if (sqlite3_prepare_v2(e->db, "SELECT unit, agent, us FROM time WHERE plan=?1 ORDER BY unit, agent", -1, &s,
			       NULL) != SQLITE_OK ||
	    bind_text(s, 1, plan) != SQLITE_OK) {
		fail(e, "read", err);
		(void)sqlite3_finalize(s); /* told above */
		return -1;
	}
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		each(arg, column(s, 0), column(s, 1), (uint64_t)sqlite3_column_int64(s, 2));
	if (rc != SQLITE_DONE)
		fail(e, "read", err);
	(void)sqlite3_finalize(s); /* repeats what step said */
	return rc == SQLITE_DONE ? 0 : -1;
}

/* The times kept for a key, oldest first; how many, -1. */
static int find(struct journal_estimates *e, struct rv_str plan, struct rv_str unit, struct rv_str agent, uint64_t *us,
		uint64_t times[ESTIMATES_TIMES], struct rv_err *err)
{
	int rc, count = 0, i;

	if (bind_text(e->get, 1, plan) != SQLITE_OK || bind_text(e->get, 2, unit) != SQLITE_OK ||
	    bind_text(e->get, 3, agent) != SQLITE_OK)
		return fail(e, "read", err);
	rc = sqlite3_step(e->get);
	if (rc == SQLITE_ROW) {
		const unsigned char *at = sqlite3_column_blob(e->get, 1);
		int bytes = sqlite3_column_bytes(e->get, 1);

		*us = (uint64_t)sqlite3_column_int64(e->get, 0);
		count = bytes > TIMES_BYTES ? 0 : bytes / 8; /* longer is not ours */
		for (i = 0; i < count * 8; i++) {
			if (i % 8 == 0)
				times[i / 8] = 0;
			times[i / 8] |= (uint64_t)at[i] << (8 * (i % 8));
		}
	} else if (rc != SQLITE_DONE) {
		count = fail(e, "read", err);
	}
	(void)sqlite3_reset(e->get); /* repeats what step said */
	return count;
}

int journal_estimates_get(struct journal_estimates *e, struct rv_str plan, struct rv_str unit, struct rv_str agent,
			  uint64_t *us, struct rv_err *err)
{
	uint64_t times[ESTIMATES_TIMES];
	int count = find(e, plan, unit, agent, us, times, err);

	return count < 0 ? -1 : count > 0;
}

/* --- learning ----------------------------------------------------------------------------------------------------------- */

uint64_t journal_estimates_median(const uint64_t *times, uint32_t count)
{
	uint64_t sorted[ESTIMATES_TIMES];
	uint32_t i, k;

	rv_check(count > 0);
	rv_check(count <= ESTIMATES_TIMES);
	for (i = 0; i < count; i++) {
		for (k = i; k > 0 && sorted[k - 1] > times[i]; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = times[i];
	}
	return sorted[(count - 1) / 2];
}

int journal_estimates_begin(struct journal_estimates *e, struct rv_err *err)
{
	rv_check(!e->begun);
	if (sqlite3_exec(e->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return fail(e, "write", err);
	e->begun = true;
	return 0;
}

int journal_estimates_add(struct journal_estimates *e, struct rv_str plan, struct rv_str unit, struct rv_str agent,
			  uint64_t us, uint64_t now_us, struct rv_err *err)
{
	uint64_t times[ESTIMATES_TIMES + 1], old = 0;
	unsigned char bytes[TIMES_BYTES];
	uint32_t count, i;
	int got, rc;

	rv_check(e->begun);
	got = find(e, plan, unit, agent, &old, times, err);
	if (got < 0)
		return -1;
	count = (uint32_t)got;
	times[count++] = us < ESTIMATES_US_MAX ? us : ESTIMATES_US_MAX;
	if (count > ESTIMATES_TIMES) {
		memmove(times, times + 1, ESTIMATES_TIMES * sizeof(*times));
		count = ESTIMATES_TIMES;
	}
	for (i = 0; i < count * 8; i++)
		bytes[i] = (unsigned char)(times[i / 8] >> (8 * (i % 8)));
	if (bind_text(e->put, 1, plan) != SQLITE_OK || bind_text(e->put, 2, unit) != SQLITE_OK ||
	    bind_text(e->put, 3, agent) != SQLITE_OK ||
	    sqlite3_bind_int64(e->put, 4, (sqlite3_int64)journal_estimates_median(times, count)) != SQLITE_OK ||
	    sqlite3_bind_int64(e->put, 5, (sqlite3_int64)now_us) != SQLITE_OK ||
	    sqlite3_bind_blob(e->put, 6, bytes, (int)(count * 8), SQLITE_STATIC) != SQLITE_OK)
		return fail(e, "write", err);
	rc = sqlite3_step(e->put);
	if (rc != SQLITE_DONE)
		fail(e, "write", err);
	(void)sqlite3_reset(e->put); /* repeats what step said */
	return rc == SQLITE_DONE ? 0 : -1;
}

/* Those used longest ago. Counting reads every row, so only a file that is large enough is counted. */
static int drop_oldest(struct journal_estimates *e, struct rv_err *err)
{
	int64_t pages = 0, bytes = 0;
	char sql[256];

	if (pragma(e->db, "PRAGMA page_count", &pages) || pragma(e->db, "PRAGMA page_size", &bytes))
		return fail(e, "read", err);
	if (pages * bytes < (int64_t)ESTIMATES_KEYS_MAX * KEY_BYTES_MIN)
		return 0;
	(void)snprintf(sql, sizeof(sql),
		       "DELETE FROM time WHERE (plan, unit, agent) IN (SELECT plan, unit, agent FROM time"
		       " ORDER BY used_us LIMIT max(0, (SELECT count(*) FROM time) - %u))",
		       ESTIMATES_KEYS_MAX);
	return sqlite3_exec(e->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(e, "write", err);
}

int journal_estimates_end(struct journal_estimates *e, struct rv_err *err)
{
	rv_check(e->begun);
	e->begun = false;
	if (drop_oldest(e, err) == 0) {
		if (sqlite3_exec(e->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
			return 0;
		fail(e, "write", err);
	}
	if (!sqlite3_get_autocommit(e->db))
		(void)sqlite3_exec(e->db, "ROLLBACK", NULL, NULL, NULL); /* the failure before it is told */
	return -1;
}
