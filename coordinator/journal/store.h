/* store.h - private to journal/: the struct, and what its files share
 *
 *	files.c    the state directory and its files: whose they are, making a new journal
 *	store.c    opening the database: identity, version, statements; SQLite's errors as ours
 *	ahead.c    the write-ahead log's file, written beforehand
 *	sqlite.c   claiming, appending, the journal thread, checkpoints
 *	read.c     rows and runs
 *
 * On disk: `head` has one row (epoch, first position kept), `log` a row a batch, `run` a row a run, `meta` identity.
 * A log row's blob is checksum, epoch, time (each u64, little-endian), then the records. The checksum is keyed by the
 * cluster id and covers the position, so a row that was moved, or comes from elsewhere, is found out.
 */
#ifndef COORDINATOR_JOURNAL_STORE_H
#define COORDINATOR_JOURNAL_STORE_H

#include "common/buf.h"
#include "common/os/lock.h"
#include "journal.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>

#define STORE_FILE "journal.db"
#define STORE_LOCK "lock"
#define STORE_APPLICATION_ID 0x72657665 /* "reve" */
#define STORE_VERSION 1
#define STORE_PAGE_BYTES 4096
#define STORE_ROW_HEAD_BYTES 24
#define STORE_WAL_BYTES_POWER ((size_t)16 << 20)
#define STORE_WAL_BYTES_PROCESS ((size_t)64 << 20)
#define STORE_BUSY_MS 10000
/* The log's file is written this far ahead of what is in use, with JOURNAL_POWER and never past the size at which a
 * checkpoint is due; not before the log has so many pages, since a short run has no use for it. */
#define STORE_AHEAD_BYTES ((size_t)1 << 20)
#define STORE_AHEAD_FROM_PAGES 16

/* A batch that waits for the journal thread. */
struct store_batch {
	struct store_batch *next;
	uint64_t position;
	bool synced;
	size_t bytes;      /* of the row */
	char *row;
	struct journal_run *runs;
	uint32_t runs_count;
};

struct journal {
	struct journal_options options;
	char *dir_path;
	char *path; /* of the database */
	int dir;
	dev_t device; /* of the database file, as it was opened */
	ino_t inode;
	struct rv_lock lock;
	uint8_t cluster[JOURNAL_CLUSTER_BYTES];
	uint64_t checksum_seed;
	uint64_t epoch;
	bool claimed;
	bool base_unsynced; /* the database file may be in the page cache only */
	bool fresh; /* made by us just now: epoch 1 is ours already; until the first row */
	uint64_t last;            /* position given out */
	_Atomic uint64_t durable; /* position confirmed */

	/* The writer's: of the loop with JOURNAL_PROCESS, of the journal thread with JOURNAL_POWER once it runs. */
	sqlite3 *db;
	sqlite3_stmt *insert, *begin, *commit, *rollback, *put_run;
	sqlite3_stmt *pin; /* a read that stays open: see sqlite.c */
	bool pinned;
	struct rv_buf row;

	/* The reader's: of the thread that the journal belongs to. Opened when first needed. */
	sqlite3 *reader;
	sqlite3_stmt *select;

	/* Between that thread and the journal or checkpoint thread. */
	pthread_mutex_t mutex;
	pthread_cond_t work; /* for the thread */
	pthread_cond_t done; /* for journal_flush() */
	pthread_t thread;
	bool thread_runs;
	bool stop;
	struct store_batch *first, **end;
	size_t backlog_bytes;
	bool checkpoint_wanted;
	int event_fd;
	_Atomic bool has_failed;
	struct rv_err failure; /* set once, under the mutex */

	/* Checkpoints: of whoever holds the writer. */
	uint64_t wal_pages;          /* after the last commit */
	uint64_t checkpoint_pages;   /* the next is due at this size */
	uint64_t written_bytes;      /* of the log's file, as far as we know */
	bool ahead_off;              /* it could not be written ahead once */
	bool log_is_long;            /* a checkpoint was asked for and the log has not begun anew since */
	_Atomic uint64_t checkpoints; /* made so far; for tests and benches */
};

/* --- files.c */
int store_dir_open(const char *path, enum journal_mode mode, int *dir, struct rv_err *err);
/* 1: the journal's files are there and fit to be opened; 0: there is none. */
int store_files_check(int dir, const char *dir_path, enum journal_mode mode, struct rv_err *err);
/* A new journal, whose first epoch, 1, is claimed by whoever makes it. */
int store_create(int dir, const struct journal_options *options, struct rv_err *err);

/* --- store.c */
int store_fail(sqlite3 *db, int rc, const char *path, const char *what, struct rv_err *err);
int store_connect(const struct journal *j, int flags, sqlite3 **db, struct rv_err *err);
int store_exec(sqlite3 *db, const char *path, const char *sql, struct rv_err *err);
int store_prepare(sqlite3 *db, const char *path, const char *sql, sqlite3_stmt **out, struct rv_err *err);
/* Version, application, cluster; sets j->cluster, j->epoch, j->last. */
int store_identify(struct journal *j, sqlite3 *db, struct rv_err *err);
uint64_t store_checksum(uint64_t seed, uint64_t position, struct rv_str bytes);
/* Seeds the checksum from the cluster id. */
uint64_t store_checksum_seed(const uint8_t cluster[JOURNAL_CLUSTER_BYTES]);

/* --- ahead.c: of the journal thread, outside of a transaction */
bool store_ahead_due(const struct journal *j);
/* -1: a sync failed. That there is no space for it, or that the log is somebody else's just now, is not a failure. */
int store_write_ahead(struct journal *j, struct rv_err *err);

/* --- sqlite.c, for ahead.c and read.c */
void store_rollback(struct journal *j);
int store_reader(struct journal *j, struct rv_err *err);

#endif
