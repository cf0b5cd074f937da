/* journal.h - the log of facts that a coordinator's state is the fold of
 *
 *	loop            journal_append() --> position          the loop sends what depends on it once
 *	                     |                                  journal_durable() >= position
 *	                     v
 *	process:        commit inline (NORMAL): durable when append returns
 *	power:          queue --> journal thread commits (FULL), moves `durable`, wakes journal_fd()
 *
 * A *batch* is the facts of one turn of the loop; it becomes one row under one *position*. Positions start at 1 and
 * grow by 1 a batch; an event's number is its fact's (position, index in the row). Batches queued while a commit is
 * under way share the next transaction and keep their positions.
 *
 * Invariants:
 *  J1  what journal_durable() has confirmed is read back after any crash that the durability promises to survive
 *  J2  a batch is there whole or not at all; the positions that are there have no gap
 *  J3  every transaction checks the epoch in the store: once another coordinator has claimed a higher one, nothing of
 *      ours is written (RV_E_STALE)
 *  J4  a failed write or sync is never retried: the first failure stays, every later append repeats it, `durable`
 *      does not move again. What is on disk counts: open anew
 *
 * The files lie in the state directory: `journal.db` (and SQLite's -wal, -shm beside it) 0600, `lock`. A stranger's
 * files are refused: other owner, group- or world-writable, symlinks, other cluster, a future version, torn or flipped.
 *
 * One struct journal belongs to one thread. SQLite stays behind this header, so that another store can.
 */
#ifndef COORDINATOR_JOURNAL_JOURNAL_H
#define COORDINATOR_JOURNAL_JOURNAL_H

#include "common/base.h"
#include "common/err.h"
#include "common/id.h"
#include "common/limits.h"

#define JOURNAL_BATCH_BYTES_MAX ((size_t)256 << 20)
#define JOURNAL_CLUSTER_BYTES 16
#define JOURNAL_DIGEST_BYTES 32

struct journal;

enum journal_durability {
	JOURNAL_PROCESS = 1, /* survives kill -9 of everything, not power loss */
	JOURNAL_POWER,       /* survives power loss too */
};

enum journal_mode {
	JOURNAL_OWN = 1, /* takes the directory's lock, makes the journal if there is none; may claim and append */
	JOURNAL_READ,    /* beside a live owner or after it; sees what is committed */
};

struct journal_options {
	enum journal_mode mode;
	enum journal_durability durability; /* of an owner */
	/* NULL, or JOURNAL_CLUSTER_BYTES that must be the journal's own (RV_E_CONFLICT); a new journal takes them.
	 * NULL and new: random. */
	const uint8_t *cluster;
	const char *what; /* who we are, for those who find the directory taken: "reeve run 4k2m9x01ab"; NULL: "reeve" */
	size_t wal_bytes; /* a checkpoint is made when the write-ahead log has grown past this; 0: 64 MiB with
	                     JOURNAL_PROCESS (most runs never make one), 16 MiB with JOURNAL_POWER */
	const char *vfs;  /* SQLite's file layer, NULL: its own. Tests put faults here */
};

/* --- what `status` lists without a replay --------------------------------------------------------------------- */

/* One row a run, replaced whole each time. A view for people: state comes from the records. Texts are borrowed. */
struct journal_run {
	struct rv_run_id run;
	struct rv_str name;                        /* of the plan */
	struct rv_str state;                       /* running paused succeeded failed cancelled */
	struct rv_str reason;                      /* why it ended so, "" while it runs */
	uint8_t plan_digest[JOURNAL_DIGEST_BYTES]; /* what --resume compares */
	uint64_t position;                         /* of its run_accepted: where reading it starts; 0: the batch's own */
	uint64_t created_us, started_us, finished_us; /* CLOCK_REALTIME; 0: not yet */
	uint32_t total, succeeded, failed, skipped, cancelled;
};

struct journal_batch {
	struct rv_str records;          /* facts one after the other (proto/record.h); opaque here */
	uint64_t real_us;               /* CLOCK_REALTIME of the turn, shown only */
	bool synced;                    /* on the disk before it counts as durable, whatever the durability
	                                   (epoch claims are; assignments of at_most_once units) */
	const struct journal_run *runs; /* rows to replace in the same transaction */
	uint32_t runs_count;
};

/* --- life ------------------------------------------------------------------------------------------------------- */

/* `state_dir` is made (0700) if only its last part is missing and mode is JOURNAL_OWN. RV_E_BUSY: a live owner, named
 * in the message; RV_E_NOT_FOUND: JOURNAL_READ and there is no journal; RV_E_DENIED, RV_E_CORRUPT, RV_E_VERSION,
 * RV_E_CONFLICT as above. */
int journal_open(struct journal **out, const char *state_dir, const struct journal_options *options,
		 struct rv_err *err);

/* Takes the next epoch, synced (but for the first of a new journal with JOURNAL_PROCESS: whatever a power loss leaves of
 * it, no epoch is given out twice under one cluster id); needed before the first append. May be called once. */
int journal_claim_epoch(struct journal *j, uint64_t *epoch, struct rv_err *err);

/* Waits until all that was appended is durable, then closes, and gives the directory free. The result of the last
 * write is lost: call journal_flush() before, where it matters. NULL and half-open journals are fine. */
void journal_close(struct journal **j);

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* The batch gets the next position. Never waits for a disk with JOURNAL_POWER, unless JOURNAL_BATCH_BYTES_MAX bytes
 * wait already (look at journal_backlog_bytes() before reading more from sockets). An empty batch with no runs is a
 * bug. On failure nothing of it will be durable, and the journal has failed for good (J4). */
int journal_append(struct journal *j, const struct journal_batch *batch, uint64_t *position, struct rv_err *err);

/* The highest position known durable; 0: none. Cheap, may be called at each turn. */
uint64_t journal_durable(const struct journal *j);

/* The position of the last append, durable or not. */
uint64_t journal_last(const struct journal *j);

/* Becomes readable when `durable` moves or the journal fails; -1 where commits are inline. Ours: do not close. */
int journal_fd(const struct journal *j);

/* Call when the descriptor is readable: empties it; -1 if the journal has failed. */
int journal_poll(struct journal *j, struct rv_err *err);

/* Waits until everything appended is durable; -1 if it will never be. */
int journal_flush(struct journal *j, struct rv_err *err);

/* -1: what its path names is not this journal any more. It was removed, moved or put in the place of another, and what is appended goes where
 * nobody will read it. */
int journal_in_place(const struct journal *j, struct rv_err *err);

/* Bytes appended and not yet durable. */
size_t journal_backlog_bytes(const struct journal *j);

/* --- reading: what is committed, in order, in bounded memory; no transaction is open while a callback runs ----------- */

struct journal_row {
	uint64_t position;
	uint64_t epoch;        /* that wrote it */
	uint64_t real_us;
	struct rv_str records; /* borrowed until the callback returns */
};

enum journal_next { JOURNAL_MORE = 0, JOURNAL_STOP };

/* Every row from position `from` (0: the first) on. RV_E_CORRUPT names the position of a row whose checksum, place or
 * order is off. A callback that fails keeps its own error and returns JOURNAL_STOP. */
int journal_read(struct journal *j, uint64_t from, enum journal_next (*each)(void *arg, const struct journal_row *row),
		 void *arg, struct rv_err *err);

/* The last committed position, 0: none. Of a reader it moves as the owner appends. */
int journal_end(struct journal *j, uint64_t *position, struct rv_err *err);

/* Runs in order of creation, newest last. */
int journal_runs(struct journal *j, enum journal_next (*each)(void *arg, const struct journal_run *run), void *arg,
		 struct rv_err *err);

uint64_t journal_epoch(const struct journal *j); /* of the store when it was opened or claimed */
const uint8_t *journal_cluster(const struct journal *j);

#endif
