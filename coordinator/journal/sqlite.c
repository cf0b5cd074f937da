/* sqlite.c - claiming the epoch, appending, the journal thread, checkpoints (store.h)
 *
 * With JOURNAL_PROCESS the loop commits itself: one prepared INSERT that selects from `head` only if the epoch is still
 * ours, its own transaction. A thread is made when the log has grown enough for the first checkpoint and does only
 * checkpoints. With JOURNAL_POWER the journal thread takes everything that waits, commits it as one transaction,
 * makes checkpoints, and writes the log's file ahead when nothing waits.
 */
#include "store.h"

#include "common/check.h"
#include "common/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* A log this many times too long is cut even if that holds the writer up for a moment. */
#define WAL_PATIENCE 4

/* --- failure ----------------------------------------------------------------------------------------------------------- */

/* The first failure stays (J4). */
static int fail_for_good(struct journal *j, const struct rv_err *why)
{
	pthread_mutex_lock(&j->mutex);
	if (!atomic_load(&j->has_failed)) {
		j->failure = *why;
		atomic_store(&j->has_failed, true);
	}
	pthread_cond_broadcast(&j->done);
	pthread_mutex_unlock(&j->mutex);
	return -1;
}

static int failed(struct journal *j, struct rv_err *err)
{
	if (!atomic_load(&j->has_failed))
		return 0;
	pthread_mutex_lock(&j->mutex);
	if (err)
		*err = j->failure;
	pthread_mutex_unlock(&j->mutex);
	return -1;
}

/* --- the pin ---------------------------------------------------------------------------------------------------------------
 *
 * Each commit takes a read lock on the log and gives it back: four of its seven calls of the kernel. A read statement that
 * is never finished keeps that lock from one commit to the next. While it does, no checkpoint gets past it and a lock of
 * others is not waited for; so there is none once the log is long enough for checkpoints, until it has begun anew, and
 * whoever is refused the write lock drops the pin and tries again without.
 */

static void unpin(struct journal *j)
{
	if (j->pinned)
		(void)sqlite3_reset(j->pin); /* it gave its row */
	j->pinned = false;
}

static void pin(struct journal *j)
{
	if (j->pinned || j->log_is_long)
		return;
	if (sqlite3_step(j->pin) == SQLITE_ROW)
		j->pinned = true;
	else
		(void)sqlite3_reset(j->pin); /* then it goes on without */
}

/* --- one transaction ------------------------------------------------------------------------------------------------------ */

static int step(struct journal *j, sqlite3_stmt *s, const char *what, struct rv_err *err)
{
	int rc = sqlite3_step(s);

	if (rc != SQLITE_DONE)
		store_fail(j->db, rc, j->path, what, err);
	(void)sqlite3_reset(s); /* repeats what step said */
	return rc == SQLITE_DONE ? 0 : -1;
}

static int put_row(struct journal *j, uint64_t position, struct rv_str row, struct rv_err *err)
{
	if (sqlite3_bind_int64(j->insert, 1, (sqlite3_int64)position) != SQLITE_OK ||
	    sqlite3_bind_blob64(j->insert, 2, row.at, row.bytes, SQLITE_STATIC) != SQLITE_OK)
		return store_fail(j->db, sqlite3_errcode(j->db), j->path, "write", err);
	if (j->pinned) {
		int rc = sqlite3_step(j->insert);

		if ((rc & 0xff) == SQLITE_BUSY) {
			(void)sqlite3_reset(j->insert); /* nothing was written */
			unpin(j);
			return put_row(j, position, row, err);
		}
		if (rc != SQLITE_DONE)
			store_fail(j->db, rc, j->path, "write", err);
		(void)sqlite3_reset(j->insert); /* repeats what step said */
		if (rc != SQLITE_DONE)
			return -1;
	} else if (step(j, j->insert, "write", err)) {
		return -1;
	}
	if (sqlite3_changes(j->db) != 1)
		return rv_fail(err, RV_E_STALE, "the journal %s was claimed by another coordinator (epoch %llu is over)",
			       j->path, (unsigned long long)j->epoch);
	return 0;
}

static int bind_text(sqlite3_stmt *s, int i, struct rv_str text)
{
	return sqlite3_bind_text64(s, i, text.at ? text.at : "", text.bytes, SQLITE_STATIC, SQLITE_UTF8);
}

static int put_run(struct journal *j, const struct journal_run *r, uint64_t position, struct rv_err *err)
{
	sqlite3_stmt *s = j->put_run;
	const int64_t numbers[] = { (int64_t)(r->position ? r->position : position),
				    (int64_t)r->created_us,
				    (int64_t)r->started_us,
				    (int64_t)r->finished_us,
				    r->total,
				    r->succeeded,
				    r->failed,
				    r->skipped,
				    r->cancelled };
	int rc, i;

	rc = sqlite3_bind_text(s, 1, r->run.text, -1, SQLITE_STATIC);
	rc |= bind_text(s, 2, r->name) | bind_text(s, 3, r->state) | bind_text(s, 4, r->reason);
	rc |= sqlite3_bind_blob(s, 5, r->plan_digest, JOURNAL_DIGEST_BYTES, SQLITE_STATIC);
	for (i = 0; i < (int)RV_ARRAY_LEN(numbers); i++)
		rc |= sqlite3_bind_int64(s, 6 + i, numbers[i]);
	if (rc != SQLITE_OK)
		return store_fail(j->db, sqlite3_errcode(j->db), j->path, "write", err);
	return step(j, s, "write", err);
}

void store_rollback(struct journal *j)
{
	if (!sqlite3_get_autocommit(j->db)) {
		(void)sqlite3_step(j->rollback); /* the failure before it is the one to tell */
		(void)sqlite3_reset(j->rollback);
	}
}

enum sync_level {
	SYNC_FIRST, /* until the first row of a new journal */
	SYNC_NORMAL,
	SYNC_FULL
};

/* NORMAL syncs a log's head whenever the log begins, so that its frames are not taken for those that lay there before. A
 * new file has none, and the sync would be what the first unit waits for. */
static int set_sync(struct journal *j, enum sync_level level, struct rv_err *err)
{
	static const char *const pragmas[] = { "PRAGMA synchronous=OFF", "PRAGMA synchronous=NORMAL",
					       "PRAGMA synchronous=FULL" };

	return store_exec(j->db, j->path, pragmas[level], err);
}

/* What is synced is only as good as the file it builds on, which JOURNAL_PROCESS made without waiting. Not through a
 * descriptor of our own: closing it would drop SQLite's locks. */
static int sync_base(struct journal *j, struct rv_err *err)
{
	sqlite3_file *f = NULL;
	int rc;

	if (!j->base_unsynced)
		return 0;
	rc = sqlite3_file_control(j->db, "main", SQLITE_FCNTL_FILE_POINTER, &f);
	if (rc == SQLITE_OK)
		rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
	if (rc != SQLITE_OK)
		return rv_fail(err, RV_E_IO, "cannot sync the journal %s: %s", j->path, sqlite3_errstr(rc));
	if (fsync(j->dir) < 0)
		return rv_fail_errno(err, errno, "cannot sync the directory %s", j->dir_path);
	j->base_unsynced = false;
	return 0;
}

/* All of the list, or nothing. */
static int write_all(struct journal *j, const struct store_batch *list, struct rv_err *err)
{
	const struct store_batch *b;
	uint32_t i;

	if (step(j, j->begin, "write", err))
		goto fail;
	for (b = list; b; b = b->next) {
		if (put_row(j, b->position, rv_str(b->row, b->bytes), err))
			goto fail;
		for (i = 0; i < b->runs_count; i++)
			if (put_run(j, &b->runs[i], b->position, err))
				goto fail;
	}
	if (step(j, j->commit, "write", err))
		goto fail;
	return 0;
fail:
	store_rollback(j);
	return -1;
}

/* --- checkpoints ------------------------------------------------------------------------------------------------------------ */

/* After each commit: how long the log is now. */
static int commit_hook(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct journal *j = arg;

	(void)db;
	(void)name;
	if ((uint64_t)pages < j->wal_pages) { /* it began anew: what was checkpointed is being overwritten */
		j->checkpoint_pages = j->options.wal_bytes / STORE_PAGE_BYTES;
		j->log_is_long = false;
	}
	j->wal_pages = (uint64_t)pages;
	return SQLITE_OK;
}

static bool checkpoint_due(struct journal *j)
{
	if (j->wal_pages < j->checkpoint_pages)
		return false;
	j->checkpoint_pages = j->wal_pages + j->options.wal_bytes / STORE_PAGE_BYTES / 2;
	j->log_is_long = true;
	return true;
}

/* Copies the log into the database. That alone disturbs nobody, and the writer starts the log anew by itself when it
 * finds all of it copied. A writer that never pauses is held up for the last few pages once the log is far too long. */
static void checkpoint(struct journal *j, sqlite3 *db)
{
	int pages = 0, copied = 0;

	if (sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &copied) != SQLITE_OK)
		return; /* a reader is in the way, or the disk is full: the log is longer for it, nothing is lost */
	if ((uint64_t)pages * STORE_PAGE_BYTES > WAL_PATIENCE * j->options.wal_bytes)
		(void)sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_RESTART, NULL, NULL); /* the same */
	atomic_fetch_add(&j->checkpoints, 1);
}

static void *checkpoint_main(void *arg)
{
	struct journal *j = arg;
	sqlite3 *db = NULL;

	if (store_connect(j, SQLITE_OPEN_READWRITE, &db, NULL))
		return NULL; /* then the log just grows, and the next open tells what is wrong */
	(void)sqlite3_exec(db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL); /* FULL would do, too */
	pthread_mutex_lock(&j->mutex);
	while (!j->stop) {
		if (!j->checkpoint_wanted) {
			pthread_cond_wait(&j->work, &j->mutex);
			continue;
		}
		j->checkpoint_wanted = false;
		pthread_mutex_unlock(&j->mutex);
		checkpoint(j, db);
		pthread_mutex_lock(&j->mutex);
	}
	pthread_mutex_unlock(&j->mutex);
	(void)sqlite3_close(db); /* it wrote nothing of its own */
	return NULL;
}

static void ask_for_checkpoint(struct journal *j)
{
	pthread_mutex_lock(&j->mutex);
	j->checkpoint_wanted = true;
	if (!j->thread_runs && pthread_create(&j->thread, NULL, checkpoint_main, j) == 0)
		j->thread_runs = true; /* else: tried again at the next size */
	pthread_cond_signal(&j->work);
	pthread_mutex_unlock(&j->mutex);
}

/* --- the journal thread -------------------------------------------------------------------------------------------------------- */

static void batch_free(struct store_batch *b)
{
	while (b) {
		struct store_batch *next = b->next;

		free(b);
		b = next;
	}
}

static void wake(const struct journal *j)
{
	uint64_t one = 1;

	if (write(j->event_fd, &one, sizeof(one)) < 0) {
		/* only if the counter is full: then it is readable already */
	}
}

/* Commits what it took off the queue. */
static void commit_list(struct journal *j, struct store_batch *list)
{
	struct rv_err err = { 0 };
	uint64_t last = 0;
	size_t bytes = 0;
	const struct store_batch *b;

	for (b = list; b; b = b->next) {
		last = b->position;
		bytes += b->bytes;
	}
	if (!atomic_load(&j->has_failed)) {
		if (write_all(j, list, &err) == 0)
			atomic_store_explicit(&j->durable, last, memory_order_release);
		else
			(void)fail_for_good(j, &err);
	}
	wake(j);
	pthread_mutex_lock(&j->mutex);
	j->backlog_bytes -= bytes;
	pthread_cond_broadcast(&j->done);
	pthread_mutex_unlock(&j->mutex);
	batch_free(list);
}

/* While the disk has nothing else to do for us. */
static void write_ahead(struct journal *j)
{
	struct rv_err err = { 0 };
	bool idle;

	if (!store_ahead_due(j))
		return;
	pthread_mutex_lock(&j->mutex);
	idle = !j->first && !j->stop && !atomic_load(&j->has_failed);
	pthread_mutex_unlock(&j->mutex);
	if (idle && store_write_ahead(j, &err)) {
		(void)fail_for_good(j, &err);
		wake(j);
	}
}

static void *journal_main(void *arg)
{
	struct journal *j = arg;

	pthread_mutex_lock(&j->mutex);
	for (;;) {
		struct store_batch *list;

		while (!j->first && !j->stop)
			pthread_cond_wait(&j->work, &j->mutex);
		if (!j->first)
			break;
		list = j->first;
		j->first = NULL;
		j->end = &j->first;
		pthread_mutex_unlock(&j->mutex);
		commit_list(j, list);
		if (checkpoint_due(j))
			checkpoint(j, j->db);
		else
			write_ahead(j);
		pthread_mutex_lock(&j->mutex);
	}
	pthread_mutex_unlock(&j->mutex);
	return NULL;
}

/* --- appending ---------------------------------------------------------------------------------------------------------------- */

static void put_u64(char *at, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++)
		at[i] = (char)(v >> (8 * i));
}

/* The row's bytes: head, then records. `row` has room. */
static void fill_row(const struct journal *j, uint64_t position, const struct journal_batch *b, char *row)
{
	put_u64(row + 8, j->epoch);
	put_u64(row + 16, b->real_us);
	if (b->records.bytes)
		memcpy(row + STORE_ROW_HEAD_BYTES, b->records.at, b->records.bytes);
	put_u64(row, store_checksum(j->checksum_seed, position,
				    rv_str(row + 8, b->records.bytes + STORE_ROW_HEAD_BYTES - 8)));
}

static size_t texts_bytes(const struct journal_batch *b)
{
	size_t bytes = 0;
	uint32_t i;

	for (i = 0; i < b->runs_count; i++)
		bytes += b->runs[i].name.bytes + b->runs[i].state.bytes + b->runs[i].reason.bytes;
	return bytes;
}

static struct rv_str keep_text(char **at, struct rv_str s)
{
	struct rv_str kept = rv_str(*at, s.bytes);

	if (s.bytes)
		memcpy(*at, s.at, s.bytes);
	*at += s.bytes;
	return kept;
}

/* A copy in one piece: the struct, the runs, their texts, the row. */
static struct store_batch *batch_copy(const struct journal *j, const struct journal_batch *b, uint64_t position)
{
	size_t runs_bytes = b->runs_count * sizeof(*b->runs);
	size_t row_bytes = STORE_ROW_HEAD_BYTES + b->records.bytes;
	struct store_batch *copy = malloc(sizeof(*copy) + runs_bytes + texts_bytes(b) + row_bytes);
	char *at;
	uint32_t i;

	if (!copy)
		return NULL;
	*copy = (struct store_batch){ .position = position, .synced = b->synced, .bytes = row_bytes,
				      .runs_count = b->runs_count };
	copy->runs = (struct journal_run *)(copy + 1);
	at = (char *)(copy->runs + b->runs_count);
	for (i = 0; i < b->runs_count; i++) {
		copy->runs[i] = b->runs[i];
		copy->runs[i].name = keep_text(&at, b->runs[i].name);
		copy->runs[i].state = keep_text(&at, b->runs[i].state);
		copy->runs[i].reason = keep_text(&at, b->runs[i].reason);
	}
	copy->row = at;
	fill_row(j, position, b, copy->row);
	return copy;
}

static int append_queued(struct journal *j, const struct journal_batch *b, uint64_t position, struct rv_err *err)
{
	struct store_batch *copy = batch_copy(j, b, position);

	if (!copy) {
		struct rv_err why;

		rv_fail(&why, RV_E_NO_MEMORY, "no memory for %zu bytes of journal", b->records.bytes);
		(void)fail_for_good(j, &why);
		return failed(j, err);
	}
	pthread_mutex_lock(&j->mutex);
	while (j->backlog_bytes > JOURNAL_BATCH_BYTES_MAX && !atomic_load(&j->has_failed))
		pthread_cond_wait(&j->done, &j->mutex);
	*j->end = copy;
	j->end = &copy->next;
	j->backlog_bytes += copy->bytes;
	pthread_mutex_unlock(&j->mutex);
	pthread_cond_signal(&j->work); /* not before: the thread, woken on this core, would wait for the mutex first */
	return 0;
}

static int append_inline(struct journal *j, const struct journal_batch *b, uint64_t position, struct rv_err *err)
{
	size_t bytes = STORE_ROW_HEAD_BYTES + b->records.bytes;
	struct store_batch one = { .position = position, .bytes = bytes };
	struct rv_err why = { 0 };
	int rc;

	rv_buf_reset(&j->row);
	one.row = rv_buf_reserve(&j->row, bytes);
	if (!one.row) {
		rc = rv_fail(&why, RV_E_NO_MEMORY, "no memory for %zu bytes of journal", bytes);
	} else {
		fill_row(j, position, b, one.row);
		if (b->synced || b->runs_count) {
			unpin(j);
			one.runs = (struct journal_run *)(uintptr_t)b->runs; /* read only */
			one.runs_count = b->runs_count;
			rc = b->synced && (sync_base(j, &why) || set_sync(j, SYNC_FULL, &why)) ? -1 : 0;
			if (rc == 0)
				rc = write_all(j, &one, &why);
		} else {
			pin(j);
			rc = put_row(j, position, rv_str(one.row, bytes), &why); /* its own transaction */
		}
		if (rc == 0 && (b->synced || j->fresh))
			rc = set_sync(j, SYNC_NORMAL, &why);
		j->fresh = false;
	}
	if (rc) {
		(void)fail_for_good(j, &why);
		return failed(j, err);
	}
	atomic_store_explicit(&j->durable, position, memory_order_release);
	if (checkpoint_due(j)) {
		unpin(j);
		ask_for_checkpoint(j);
	}
	return 0;
}

int journal_append(struct journal *j, const struct journal_batch *batch, uint64_t *position, struct rv_err *err)
{
	rv_check(j->claimed);
	rv_check(batch->records.bytes > 0 || batch->runs_count > 0);
	if (failed(j, err))
		return -1;
	if (batch->records.bytes > JOURNAL_BATCH_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "a batch of %zu bytes; the limit is %zu", batch->records.bytes,
			       JOURNAL_BATCH_BYTES_MAX);
	if (j->options.durability == JOURNAL_POWER ? append_queued(j, batch, j->last + 1, err)
						   : append_inline(j, batch, j->last + 1, err))
		return -1;
	*position = ++j->last;
	return 0;
}

uint64_t journal_durable(const struct journal *j)
{
	return atomic_load_explicit(&((struct journal *)(uintptr_t)j)->durable, memory_order_acquire);
}

uint64_t journal_last(const struct journal *j)
{
	return j->last;
}

int journal_fd(const struct journal *j)
{
	return j->event_fd;
}

int journal_poll(struct journal *j, struct rv_err *err)
{
	uint64_t count;

	if (j->event_fd >= 0 && read(j->event_fd, &count, sizeof(count)) < 0) {
		/* it was empty already */
	}
	return failed(j, err);
}

int journal_flush(struct journal *j, struct rv_err *err)
{
	pthread_mutex_lock(&j->mutex);
	while (j->backlog_bytes > 0 && !atomic_load(&j->has_failed))
		pthread_cond_wait(&j->done, &j->mutex);
	pthread_mutex_unlock(&j->mutex);
	return failed(j, err);
}

size_t journal_backlog_bytes(const struct journal *j)
{
	struct journal *m = (struct journal *)(uintptr_t)j;
	size_t bytes;

	pthread_mutex_lock(&m->mutex);
	bytes = m->backlog_bytes;
	pthread_mutex_unlock(&m->mutex);
	return bytes;
}

/* --- open, claim, close ------------------------------------------------------------------------------------------------------- */

static int open_writer(struct journal *j, struct rv_err *err)
{
	if (store_connect(j, SQLITE_OPEN_READWRITE, &j->db, err) || store_identify(j, j->db, err))
		return -1;
	(void)sqlite3_wal_hook(j->db, commit_hook, j); /* in place of SQLite's own automatic checkpoints */
	return store_exec(j->db, j->path, "PRAGMA synchronous=FULL", err) ||
			       store_prepare(j->db, j->path,
					     "INSERT INTO log(position, row) SELECT ?1, ?2 FROM head WHERE id=1 AND epoch=?3",
					     &j->insert, err) ||
			       store_prepare(j->db, j->path, "SELECT id FROM head", &j->pin, err) ||
			       store_prepare(j->db, j->path, "BEGIN IMMEDIATE", &j->begin, err) ||
			       store_prepare(j->db, j->path, "COMMIT", &j->commit, err) ||
			       store_prepare(j->db, j->path, "ROLLBACK", &j->rollback, err) ||
			       store_prepare(j->db, j->path,
					     "INSERT OR REPLACE INTO run VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)",
					     &j->put_run, err)
		       ? -1
		       : 0;
}

static int open_own(struct journal *j, const char *what, struct rv_err *err)
{
	int there;

	if (rv_lock_take(&j->lock, j->dir, STORE_LOCK, what, NULL, err)) {
		struct rv_err why;

		if (err && err->code == RV_E_BUSY) {
			why = *err;
			rv_fail(err, RV_E_BUSY, "the state directory %s is taken: %s", j->dir_path, why.msg);
			if (why.hint[0])
				rv_hint(err, "%s", why.hint);
		}
		return -1;
	}
	there = store_files_check(j->dir, j->dir_path, JOURNAL_OWN, err);
	if (there < 0 || (there == 0 && store_create(j->dir, &j->options, err)))
		return -1;
	j->fresh = there == 0;
	j->base_unsynced = !j->fresh || j->options.durability == JOURNAL_PROCESS;
	return open_writer(j, err);
}

static int open_read(struct journal *j, struct rv_err *err)
{
	int there = store_files_check(j->dir, j->dir_path, JOURNAL_READ, err);

	if (there < 0)
		return -1;
	if (there == 0)
		return rv_fail(err, RV_E_NOT_FOUND, "there is no journal in %s", j->dir_path);
	return store_reader(j, err) || store_identify(j, j->reader, err) ? -1 : 0;
}

static int note_place(struct journal *j, struct rv_err *err)
{
	struct stat st;

	if (fstatat(j->dir, STORE_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return rv_fail_errno(err, errno, "cannot open the journal %s", j->path);
	j->device = st.st_dev;
	j->inode = st.st_ino;
	return 0;
}

int journal_in_place(const struct journal *j, struct rv_err *err)
{
	struct stat st;

	if (lstat(j->path, &st) == 0 && st.st_dev == j->device && st.st_ino == j->inode)
		return 0;
	return rv_fail(err, RV_E_IO, "the journal %s was removed or replaced while it was in use: what was recorded since is lost", j->path);
}

int journal_open(struct journal **out, const char *state_dir, const struct journal_options *options,
		 struct rv_err *err)
{
	struct journal *j = calloc(1, sizeof(*j));
	size_t path_bytes = strlen(state_dir) + sizeof("/" STORE_FILE);

	rv_check(options->mode == JOURNAL_OWN || options->mode == JOURNAL_READ);
	if (!j)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a journal");
	j->options = *options;
	if (!j->options.wal_bytes)
		j->options.wal_bytes = options->durability == JOURNAL_POWER ? STORE_WAL_BYTES_POWER
									    : STORE_WAL_BYTES_PROCESS;
	j->checkpoint_pages = j->options.wal_bytes / STORE_PAGE_BYTES;
	j->dir = j->lock.fd = j->event_fd = -1;
	j->end = &j->first;
	rv_buf_init(&j->row, JOURNAL_BATCH_BYTES_MAX + STORE_ROW_HEAD_BYTES + 1);
	pthread_mutex_init(&j->mutex, NULL);
	pthread_cond_init(&j->work, NULL);
	pthread_cond_init(&j->done, NULL);
	j->dir_path = strdup(state_dir);
	j->path = malloc(path_bytes);
	if (!j->dir_path || !j->path) {
		rv_fail(err, RV_E_NO_MEMORY, "no memory for a journal");
		goto fail;
	}
	(void)snprintf(j->path, path_bytes, "%s/" STORE_FILE, state_dir); /* fits */
	if (store_dir_open(state_dir, options->mode, &j->dir, err))
		goto fail;
	if (options->mode == JOURNAL_OWN ? open_own(j, options->what ? options->what : "reeve", err)
					 : open_read(j, err))
		goto fail;
	if (note_place(j, err))
		goto fail;
	j->options.cluster = NULL; /* was borrowed */
	j->options.what = NULL;
	*out = j;
	return 0;
fail:
	journal_close(&j);
	return -1;
}

static int start_thread(struct journal *j, struct rv_err *err)
{
	int rc;

	j->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (j->event_fd < 0)
		return rv_fail_errno(err, errno, "cannot make a descriptor for the journal");
	rc = pthread_create(&j->thread, NULL, journal_main, j);
	if (rc)
		return rv_fail_errno(err, rc, "cannot start the journal thread");
	j->thread_runs = true;
	return 0;
}

/* Synced: the connection is FULL until now. */
static int claim_next(struct journal *j, struct rv_err *err)
{
	sqlite3_stmt *s = NULL;
	uint64_t epoch = 0;
	int rc;

	if (store_prepare(j->db, j->path, "UPDATE head SET epoch=epoch+1 WHERE id=1 RETURNING epoch", &s, err))
		return -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		epoch = (uint64_t)sqlite3_column_int64(s, 0);
		rc = sqlite3_step(s); /* the commit */
	}
	if (rc != SQLITE_DONE)
		store_fail(j->db, rc, j->path, "claim", err);
	(void)sqlite3_finalize(s); /* repeats what step said */
	if (rc != SQLITE_DONE)
		return -1;
	j->epoch = epoch;
	return 0;
}

int journal_claim_epoch(struct journal *j, uint64_t *epoch, struct rv_err *err)
{
	rv_check(j->options.mode == JOURNAL_OWN);
	rv_check(!j->claimed);
	if (!j->fresh && (sync_base(j, err) || claim_next(j, err)))
		return -1;
	if (sqlite3_bind_int64(j->insert, 3, (sqlite3_int64)j->epoch) != SQLITE_OK)
		return store_fail(j->db, sqlite3_errcode(j->db), j->path, "use", err);
	if (j->options.durability == JOURNAL_POWER
		    ? start_thread(j, err)
		    : set_sync(j, j->fresh ? SYNC_FIRST : SYNC_NORMAL, err))
		return -1;
	j->claimed = true;
	*epoch = j->epoch;
	return 0;
}

static void stop_thread(struct journal *j)
{
	if (!j->thread_runs)
		return;
	pthread_mutex_lock(&j->mutex);
	j->stop = true;
	pthread_cond_signal(&j->work);
	pthread_mutex_unlock(&j->mutex);
	pthread_join(j->thread, NULL);
	j->thread_runs = false;
}

void journal_close(struct journal **jp)
{
	struct journal *j = *jp;

	if (!j)
		return;
	stop_thread(j);
	batch_free(j->first);
	/* With JOURNAL_PROCESS the log stays as it is: closing would copy it into the database and wait for the disk twice.
	 * It is read where it lies, and the next owner's checkpoints take it up. */
	if (j->db && j->options.durability == JOURNAL_PROCESS)
		(void)sqlite3_db_config(j->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL); /* else it is only slower */
	/* finalize repeats earlier failures; what close cannot copy stays in the log */
	(void)sqlite3_finalize(j->select);
	(void)sqlite3_close(j->reader);
	(void)sqlite3_finalize(j->pin);
	(void)sqlite3_finalize(j->insert);
	(void)sqlite3_finalize(j->begin);
	(void)sqlite3_finalize(j->commit);
	(void)sqlite3_finalize(j->rollback);
	(void)sqlite3_finalize(j->put_run);
	(void)sqlite3_close(j->db);
	rv_lock_release(&j->lock, RV_LOCK_KEEP);
	if (j->dir >= 0)
		(void)close(j->dir); /* a directory */
	if (j->event_fd >= 0)
		(void)close(j->event_fd); /* its count is nobody's any more */
	rv_buf_release(&j->row);
	pthread_cond_destroy(&j->done);
	pthread_cond_destroy(&j->work);
	pthread_mutex_destroy(&j->mutex);
	free(j->dir_path);
	free(j->path);
	free(j);
	*jp = NULL;
}

uint64_t journal_epoch(const struct journal *j)
{
	return j->epoch;
}

const uint8_t *journal_cluster(const struct journal *j)
{
	return j->cluster;
}
