/* read.c - rows and runs, a slice at a time (store.h) */
#include "store.h"

#include <stdlib.h>

#define SLICE_BYTES ((size_t)1 << 20)
#define SLICE_ROWS 1024
#define SLICE_RUNS 64

int store_reader(struct journal *j, struct rv_err *err)
{
	if (j->reader)
		return 0;
	if (store_connect(j, SQLITE_OPEN_READONLY, &j->reader, err))
		return -1;
	return store_prepare(j->reader, j->path, "SELECT position, row FROM log WHERE position>=?1 ORDER BY position",
			     &j->select, err);
}

int journal_end(struct journal *j, uint64_t *position, struct rv_err *err)
{
	sqlite3_stmt *s = NULL;
	int rc;

	if (store_reader(j, err) ||
	    store_prepare(j->reader, j->path,
			  "SELECT coalesce((SELECT max(position) FROM log), (SELECT first-1 FROM head))", &s, err))
		return -1;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*position = (uint64_t)sqlite3_column_int64(s, 0);
	(void)sqlite3_finalize(s); /* repeats what step said */
	return rc == SQLITE_ROW ? 0 : store_fail(j->reader, rc, j->path, "read", err);
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

struct slice {
	struct rv_buf bytes;
	uint64_t first; /* position of the first row */
	uint32_t count;
	size_t ends[SLICE_ROWS]; /* of each row in `bytes` */
};

/* Copies rows from `from` on, so that nothing is open while they are handed out. */
static int read_slice(struct journal *j, uint64_t from, struct slice *s, struct rv_err *err)
{
	int rc;

	rv_buf_reset(&s->bytes);
	s->count = 0;
	rc = sqlite3_bind_int64(j->select, 1, (sqlite3_int64)from);
	if (rc != SQLITE_OK)
		return store_fail(j->reader, rc, j->path, "read", err);
	while (s->count < SLICE_ROWS && s->bytes.bytes < SLICE_BYTES) {
		int bytes;

		rc = sqlite3_step(j->select);
		if (rc != SQLITE_ROW)
			break;
		if (s->count == 0)
			s->first = (uint64_t)sqlite3_column_int64(j->select, 0);
		if ((uint64_t)sqlite3_column_int64(j->select, 0) != s->first + s->count)
			break; /* a hole: the next slice begins behind it and says so */
		bytes = sqlite3_column_bytes(j->select, 1);
		if (rv_buf_put(&s->bytes, sqlite3_column_blob(j->select, 1), (size_t)bytes)) {
			(void)sqlite3_reset(j->select); /* memory is what failed */
			return rv_fail(err, RV_E_NO_MEMORY, "no memory to read the journal");
		}
		s->ends[s->count++] = s->bytes.bytes;
	}
	(void)sqlite3_reset(j->select); /* repeats what step said */
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return store_fail(j->reader, rc, j->path, "read", err);
	return 0;
}

static uint64_t get_u64(const char *at)
{
	const unsigned char *p = (const unsigned char *)at;
	uint64_t v = 0;
	int i;

	for (i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static int unpack_row(const struct journal *j, uint64_t position, struct rv_str bytes, uint64_t epoch_min,
		      struct journal_row *row, struct rv_err *err)
{
	if (bytes.bytes < STORE_ROW_HEAD_BYTES ||
	    get_u64(bytes.at) !=
		    store_checksum(j->checksum_seed, position, rv_str(bytes.at + 8, bytes.bytes - 8)))
		return rv_fail(err, RV_E_CORRUPT, "row %llu of the journal %s is damaged",
			       (unsigned long long)position, j->path);
	*row = (struct journal_row){
		.position = position,
		.epoch = get_u64(bytes.at + 8),
		.real_us = get_u64(bytes.at + 16),
		.records = rv_str(bytes.at + STORE_ROW_HEAD_BYTES, bytes.bytes - STORE_ROW_HEAD_BYTES),
	};
	if (row->epoch < epoch_min)
		return rv_fail(err, RV_E_CORRUPT, "row %llu of the journal %s has epoch %llu after %llu",
			       (unsigned long long)position, j->path, (unsigned long long)row->epoch,
			       (unsigned long long)epoch_min);
	return 0;
}

int journal_read(struct journal *j, uint64_t from, enum journal_next (*each)(void *arg, const struct journal_row *row),
		 void *arg, struct rv_err *err)
{
	struct slice *s = malloc(sizeof(*s));
	uint64_t next = from ? from : 1;
	uint64_t epoch = 0;
	bool begun = from != 0; /* where reading starts at the first, that may be later than 1 */
	int rc = -1;

	if (!s)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to read the journal");
	rv_buf_init(&s->bytes, 0);
	if (store_reader(j, err))
		goto out;
	for (;;) {
		size_t begin = 0;
		uint32_t i;

		if (read_slice(j, next, s, err))
			goto out;
		if (s->count == 0)
			break;
		if (s->first != next && begun) {
			rv_fail(err, RV_E_CORRUPT, "row %llu of the journal %s is missing", (unsigned long long)next,
				j->path);
			goto out;
		}
		begun = true;
		next = s->first;
		for (i = 0; i < s->count; i++) {
			struct journal_row row;

			if (unpack_row(j, next, rv_str(s->bytes.at + begin, s->ends[i] - begin), epoch, &row, err))
				goto out;
			epoch = row.epoch;
			begin = s->ends[i];
			next++;
			if (each(arg, &row) == JOURNAL_STOP) {
				rc = 0;
				goto out;
			}
		}
	}
	rc = 0;
out:
	rv_buf_release(&s->bytes);
	free(s);
	return rc;
}

/* --- runs ------------------------------------------------------------------------------------------------------------- */

static struct rv_str column(sqlite3_stmt *s, int i)
{
	const char *at = (const char *)sqlite3_column_text(s, i); /* before the length, says SQLite */

	return rv_str(at, (size_t)sqlite3_column_bytes(s, i));
}

static uint64_t column_u64(sqlite3_stmt *s, int i)
{
	return (uint64_t)sqlite3_column_int64(s, i);
}

static uint32_t column_u32(sqlite3_stmt *s, int i)
{
	return (uint32_t)sqlite3_column_int64(s, i);
}

/* Offsets, since the buffer moves while it grows. */
struct kept {
	struct journal_run run;
	size_t texts; /* name, state, reason one after the other */
};

static int keep_run(sqlite3_stmt *s, struct kept *k, struct rv_buf *texts)
{
	struct rv_str id = column(s, 0);

	memset(k, 0, sizeof(*k));
	k->texts = texts->bytes;
	k->run.name.bytes = column(s, 1).bytes;
	k->run.state.bytes = column(s, 2).bytes;
	k->run.reason.bytes = column(s, 3).bytes;
	if (rv_buf_put_str(texts, column(s, 1)) || rv_buf_put_str(texts, column(s, 2)) ||
	    rv_buf_put_str(texts, column(s, 3)))
		return -1;
	if (id.bytes == RV_RUN_ID_CHARS)
		memcpy(k->run.run.text, id.at, RV_RUN_ID_CHARS);
	if (sqlite3_column_bytes(s, 4) == JOURNAL_DIGEST_BYTES)
		memcpy(k->run.plan_digest, sqlite3_column_blob(s, 4), JOURNAL_DIGEST_BYTES);
	k->run.position = column_u64(s, 5);
	k->run.created_us = column_u64(s, 6);
	k->run.started_us = column_u64(s, 7);
	k->run.finished_us = column_u64(s, 8);
	k->run.total = column_u32(s, 9);
	k->run.succeeded = column_u32(s, 10);
	k->run.failed = column_u32(s, 11);
	k->run.skipped = column_u32(s, 12);
	k->run.cancelled = column_u32(s, 13);
	return 0;
}

/* The runs after (created, run); how many, -1. */
static int read_runs(struct journal *j, sqlite3_stmt *s, const struct journal_run *after, struct kept *kept,
		     struct rv_buf *texts, struct rv_err *err)
{
	int count = 0, rc;

	rv_buf_reset(texts);
	if (sqlite3_bind_int64(s, 1, (sqlite3_int64)after->created_us) != SQLITE_OK ||
	    sqlite3_bind_text(s, 2, after->run.text, -1, SQLITE_TRANSIENT) != SQLITE_OK)
		return store_fail(j->reader, sqlite3_errcode(j->reader), j->path, "read", err);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW && count < SLICE_RUNS)
		if (keep_run(s, &kept[count++], texts)) {
			(void)sqlite3_reset(s); /* memory is what failed */
			return rv_fail(err, RV_E_NO_MEMORY, "no memory to list runs");
		}
	(void)sqlite3_reset(s); /* repeats what step said */
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return store_fail(j->reader, rc, j->path, "read", err);
	return count;
}

int journal_runs(struct journal *j, enum journal_next (*each)(void *arg, const struct journal_run *run), void *arg,
		 struct rv_err *err)
{
	struct kept *kept = malloc(SLICE_RUNS * sizeof(*kept));
	struct journal_run last = { .created_us = 0 };
	sqlite3_stmt *s = NULL;
	struct rv_buf texts;
	int rc = -1, count, i;

	rv_buf_init(&texts, 0);
	if (!kept) {
		rv_fail(err, RV_E_NO_MEMORY, "no memory to list runs");
		goto out;
	}
	if (store_reader(j, err) ||
	    store_prepare(j->reader, j->path,
			  "SELECT run, name, state, reason, plan_digest, position, created_us, started_us,"
			  " finished_us, total, succeeded, failed, skipped, cancelled FROM run"
			  " WHERE (created_us, run) > (?1, ?2) ORDER BY created_us, run",
			  &s, err))
		goto out;
	do {
		count = read_runs(j, s, &last, kept, &texts, err);
		if (count < 0)
			goto out;
		for (i = 0; i < count; i++) {
			struct journal_run *r = &kept[i].run;

			r->name.at = texts.at + kept[i].texts;
			r->state.at = r->name.at + r->name.bytes;
			r->reason.at = r->state.at + r->state.bytes;
			last.created_us = r->created_us;
			last.run = r->run;
			if (each(arg, r) == JOURNAL_STOP)
				count = 0;
			if (count == 0)
				break;
		}
	} while (count == SLICE_RUNS);
	rc = 0;
out:
	(void)sqlite3_finalize(s); /* it was read to its end, or has told */
	rv_buf_release(&texts);
	free(kept);
	return rc;
}
