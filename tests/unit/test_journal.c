#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "coordinator/journal/journal.h"
#include "coordinator/journal/store.h"
#include "tests/lib/faultfs.h"
#include "tests/lib/noalloc.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- a state directory per test --------------------------------------------------------------------------------- */

static char base[64], dir[96], db_path[128], wal_path[128];

static int make_dir(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/reeve-journal-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/state", base);
	snprintf(db_path, sizeof(db_path), "%s/journal.db", dir);
	snprintf(wal_path, sizeof(wal_path), "%s/journal.db-wal", dir);
	return 0;
}

static int drop_dir(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	rv_tree_remove_at(tmp, base + 5, NULL);
	close(tmp);
	return 0;
}

static struct journal_options own(enum journal_durability durability)
{
	return (struct journal_options){ .mode = JOURNAL_OWN, .durability = durability, .what = "test owner" };
}

static struct journal *open_with(struct journal_options o)
{
	struct journal *j = NULL;
	struct rv_err err;

	if (journal_open(&j, dir, &o, &err))
		fail_msg("%s", err.msg);
	return j;
}

static uint64_t claim(struct journal *j)
{
	uint64_t epoch = 0;
	struct rv_err err;

	if (journal_claim_epoch(j, &epoch, &err))
		fail_msg("%s", err.msg);
	return epoch;
}

static struct journal *open_own(enum journal_durability durability)
{
	struct journal *j = open_with(own(durability));

	(void)claim(j);
	return j;
}

static struct journal *open_reader(void)
{
	return open_with((struct journal_options){ .mode = JOURNAL_READ });
}

static enum rv_code open_code(struct journal_options o, struct rv_err *err)
{
	struct journal *j = NULL;

	if (journal_open(&j, dir, &o, err) == 0) {
		journal_close(&j);
		return RV_OK;
	}
	assert_null(j);
	return err->code;
}

/* Records that tell their row: N times the row's number as text. */
static int append(struct journal *j, uint64_t n, struct rv_err *err)
{
	struct journal_batch batch = { .real_us = 1000 + n };
	uint64_t position = 0;
	char text[64];

	batch.records = rv_str(text, (size_t)snprintf(text, sizeof(text), "row %llu", (unsigned long long)n));
	if (journal_append(j, &batch, &position, err))
		return -1;
	assert_int_equal(position, n);
	assert_int_equal(journal_last(j), n);
	return 0;
}

static void append_ok(struct journal *j, uint64_t from, uint64_t to)
{
	struct rv_err err;

	for (; from <= to; from++)
		if (append(j, from, &err))
			fail_msg("%s", err.msg);
}

struct seen {
	uint64_t next; /* position expected */
	uint64_t last_epoch;
	uint64_t stop_at;
};

static enum journal_next see(void *arg, const struct journal_row *row)
{
	struct seen *s = arg;
	char text[64];
	int n;

	n = snprintf(text, sizeof(text), "row %llu", (unsigned long long)row->position);
	assert_int_equal(row->position, s->next);
	assert_int_equal(row->records.bytes, n);
	assert_memory_equal(row->records.at, text, n);
	assert_int_equal(row->real_us, 1000 + row->position);
	assert_true(row->epoch >= s->last_epoch);
	s->last_epoch = row->epoch;
	s->next++;
	return row->position == s->stop_at ? JOURNAL_STOP : JOURNAL_MORE;
}

/* Reads all from `from`; the last position. */
static uint64_t read_all(struct journal *j, uint64_t from)
{
	struct seen s = { .next = from ? from : 1 };
	struct rv_err err;

	if (journal_read(j, from, see, &s, &err))
		fail_msg("%s", err.msg);
	return s.next - 1;
}

static enum rv_code read_code(struct journal *j, struct rv_err *err)
{
	struct seen s = { .next = 1 };

	return journal_read(j, 0, see, &s, err) ? err->code : RV_OK;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void rows_come_back_across_restarts(void **state)
{
	enum journal_durability d;
	struct journal *j;
	struct rv_err err;
	uint64_t end;

	(void)state;
	for (d = JOURNAL_PROCESS; d <= JOURNAL_POWER; d++) {
		make_dir(NULL);
		j = open_with(own(d));
		assert_int_equal(claim(j), 1);
		assert_int_equal(journal_epoch(j), 1);
		assert_int_equal(journal_last(j), 0);
		assert_int_equal(journal_durable(j), 0);
		assert_int_equal(read_all(j, 0), 0);
		append_ok(j, 1, 2500);
		assert_int_equal(journal_flush(j, &err), 0);
		assert_int_equal(journal_durable(j), 2500);
		assert_int_equal(journal_backlog_bytes(j), 0);
		assert_int_equal(read_all(j, 0), 2500);
		assert_int_equal(read_all(j, 2400), 2500);
		assert_int_equal(read_all(j, 2501), 2500);
		journal_close(&j);
		journal_close(&j);
		j = open_with(own(d));
		assert_int_equal(journal_last(j), 2500);
		assert_int_equal(journal_durable(j), 2500);
		assert_int_equal(claim(j), 2);
		append_ok(j, 2501, 2510);
		assert_int_equal(journal_flush(j, &err), 0);
		assert_int_equal(read_all(j, 0), 2510);
		assert_int_equal(journal_end(j, &end, &err), 0);
		assert_int_equal(end, 2510);
		journal_close(&j);
		/* closed by the other durability, too */
		j = open_with(own(d == JOURNAL_POWER ? JOURNAL_PROCESS : JOURNAL_POWER));
		assert_int_equal(claim(j), 3);
		assert_int_equal(read_all(j, 0), 2510);
		journal_close(&j);
		drop_dir(NULL);
	}
}

static void process_is_durable_on_return_and_power_tells_by_descriptor(void **state)
{
	struct journal *j = open_own(JOURNAL_PROCESS);
	struct rv_err err;

	(void)state;
	append_ok(j, 1, 1);
	assert_int_equal(journal_durable(j), 1);
	assert_int_equal(journal_fd(j), -1);
	assert_int_equal(journal_poll(j, &err), 0);
	journal_close(&j);

	j = open_own(JOURNAL_POWER);
	append_ok(j, 2, 3);
	while (journal_durable(j) < 3) {
		struct pollfd p = { .fd = journal_fd(j), .events = POLLIN };

		assert_int_equal(poll(&p, 1, 30000), 1);
		assert_int_equal(journal_poll(j, &err), 0);
	}
	journal_close(&j);
}

static void a_reader_sees_what_a_live_owner_commits(void **state)
{
	struct journal *j = open_own(JOURNAL_PROCESS), *r;
	struct seen s = { .next = 1, .stop_at = 3 };
	struct rv_err err;
	uint64_t end;

	(void)state;
	append_ok(j, 1, 5);
	r = open_reader();
	assert_memory_equal(journal_cluster(r), journal_cluster(j), JOURNAL_CLUSTER_BYTES);
	assert_int_equal(read_all(r, 0), 5);
	append_ok(j, 6, 9);
	assert_int_equal(read_all(r, 6), 9);
	assert_int_equal(journal_end(r, &end, &err), 0);
	assert_int_equal(end, 9);
	assert_int_equal(journal_read(r, 0, see, &s, &err), 0); /* stops where it is told */
	assert_int_equal(s.next, 4);
	journal_close(&j);
	assert_int_equal(read_all(r, 0), 9);
	journal_close(&r);
	r = open_reader(); /* and after it has gone */
	assert_int_equal(read_all(r, 0), 9);
	journal_close(&r);
	assert_int_equal(open_code(own(JOURNAL_PROCESS), &err), RV_OK);
}

static void large_batches_and_limits(void **state)
{
	struct journal *j = open_own(JOURNAL_PROCESS);
	struct journal_batch batch = { .real_us = 1 };
	char *big = malloc(5 << 20);
	struct rv_err err;
	uint64_t position, end;

	(void)state;
	memset(big, 'x', 5 << 20);
	batch.records = rv_str(big, 5 << 20);
	assert_int_equal(journal_append(j, &batch, &position, &err), 0);
	assert_int_equal(position, 1);
	batch.records.bytes = JOURNAL_BATCH_BYTES_MAX + 1; /* not looked at */
	assert_int_equal(journal_append(j, &batch, &position, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	batch.records.bytes = 10; /* that was a refusal, not a failure */
	assert_int_equal(journal_append(j, &batch, &position, &err), 0);
	assert_int_equal(position, 2);
	assert_int_equal(journal_end(j, &end, &err), 0);
	assert_int_equal(end, 2);
	journal_close(&j);
	free(big);
}

/* --- owners ----------------------------------------------------------------------------------------------------------- */

static void a_second_owner_is_refused_and_told_of_the_first(void **state)
{
	struct journal *j = open_own(JOURNAL_PROCESS);
	struct journal_options o = own(JOURNAL_PROCESS);
	struct rv_err err;
	char pid[32];

	(void)state;
	o.what = "the second";
	assert_int_equal(open_code(o, &err), RV_E_BUSY);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_non_null(strstr(err.msg, "test owner"));
	assert_non_null(strstr(err.msg, pid));
	append_ok(j, 1, 1); /* and the first did not notice */
	journal_close(&j);
	assert_int_equal(open_code(o, &err), RV_OK);
}

static void sql(const char *text)
{
	sqlite3 *db;
	char *msg = NULL;

	assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &msg) != SQLITE_OK)
		fail_msg("%s: %s", text, msg);
	sqlite3_close(db);
}

static void a_coordinator_whose_epoch_is_over_writes_nothing(void **state)
{
	enum journal_durability d;

	(void)state;
	for (d = JOURNAL_PROCESS; d <= JOURNAL_POWER; d++) {
		struct journal *j, *r;
		struct rv_err err = { 0 };

		make_dir(NULL);
		j = open_own(d);
		append_ok(j, 1, 3);
		assert_int_equal(journal_flush(j, &err), 0);
		sql("UPDATE head SET epoch=7"); /* somebody else claims, whatever the lock says */
		if (d == JOURNAL_PROCESS) {
			assert_int_equal(append(j, 4, &err), -1);
		} else {
			append_ok(j, 4, 4);
			assert_int_equal(journal_flush(j, &err), -1);
			assert_int_equal(journal_poll(j, &err), -1);
		}
		assert_int_equal(err.code, RV_E_STALE);
		assert_int_equal(journal_durable(j), 3);
		sql("UPDATE head SET epoch=1"); /* nor does it come back to life */
		assert_int_equal(append(j, journal_last(j) + 1, &err), -1);
		assert_int_equal(err.code, RV_E_STALE);
		r = open_reader();
		assert_int_equal(read_all(r, 0), 3);
		journal_close(&r);
		journal_close(&j);
		drop_dir(NULL);
	}
}

/* A tool of a curious person, say: it must not be what fails a run. */
static void a_writer_in_the_way_is_waited_for(void **state)
{
	struct journal *j = open_own(JOURNAL_PROCESS);
	struct rv_err err;
	int pipes[2], status;
	pid_t child;
	char c;

	(void)state;
	append_ok(j, 1, 10);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		sqlite3 *db;

		if (sqlite3_open(db_path, &db) || sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ||
		    write(pipes[1], "x", 1) != 1)
			_exit(1);
		(void)poll(NULL, 0, 50); /* holds it for a moment */
		_exit(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL));
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	if (append(j, 11, &err))
		fail_msg("%s", err.msg);
	append_ok(j, 12, 20);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read_all(j, 0), 20);
	journal_close(&j);
	close(pipes[0]);
	close(pipes[1]);
}

/* --- runs --------------------------------------------------------------------------------------------------------------- */

static struct journal_run run_of(uint32_t n)
{
	struct journal_run r = { .name = RV_STR("plan"), .state = RV_STR("running"), .created_us = 5000 - n / 2,
				 .total = n };

	snprintf(r.run.text, sizeof(r.run.text), "r%09u", n);
	r.plan_digest[0] = (uint8_t)n;
	return r;
}

struct listed {
	uint32_t count;
	uint64_t last_us;
	char last[RV_RUN_ID_CHARS + 1];
	uint32_t finished;
};

static enum journal_next list(void *arg, const struct journal_run *r)
{
	struct listed *l = arg;
	uint32_t n = (uint32_t)atoi(r->run.text + 1);

	assert_true(r->created_us > l->last_us || (r->created_us == l->last_us && strcmp(r->run.text, l->last) > 0));
	l->last_us = r->created_us;
	memcpy(l->last, r->run.text, sizeof(l->last));
	assert_true(rv_str_equal(r->name, RV_STR("plan")));
	assert_int_equal(r->plan_digest[0], (uint8_t)n);
	assert_int_equal(r->total, n);
	if (rv_str_equal(r->state, RV_STR("failed"))) {
		assert_true(rv_str_equal(r->reason, RV_STR("two units failed")));
		assert_int_equal(r->failed, 2);
		assert_int_equal(r->position, 7);
		l->finished++;
	} else {
		assert_int_equal(r->reason.bytes, 0);
		assert_int_equal(r->position, n + 1); /* of the batch that brought it */
	}
	l->count++;
	return JOURNAL_MORE;
}

static void runs_are_listed_without_a_replay(void **state)
{
	enum journal_durability d;

	(void)state;
	for (d = JOURNAL_PROCESS; d <= JOURNAL_POWER; d++) {
		struct listed l = { 0 };
		struct journal *j, *r;
		struct rv_err err;
		uint64_t position;
		uint32_t n;

		make_dir(NULL);
		j = open_own(d);
		for (n = 0; n < 200; n++) {
			struct journal_run run = run_of(n);
			struct journal_batch b = { .records = RV_STR("x"), .runs = &run, .runs_count = 1 };

			assert_int_equal(journal_append(j, &b, &position, &err), 0);
		}
		for (n = 0; n < 200; n += 50) { /* replaced, without records */
			struct journal_run run = run_of(n);
			struct journal_batch b = { .runs = &run, .runs_count = 1 };

			run.state = RV_STR("failed");
			run.reason = RV_STR("two units failed");
			run.failed = 2;
			run.position = 7;
			assert_int_equal(journal_append(j, &b, &position, &err), 0);
		}
		assert_int_equal(journal_flush(j, &err), 0);
		r = open_reader();
		assert_int_equal(journal_runs(r, list, &l, &err), 0);
		assert_int_equal(l.count, 200);
		assert_int_equal(l.finished, 4);
		journal_close(&r);
		journal_close(&j);
		drop_dir(NULL);
	}
}

/* --- files that are not ours, or not whole --------------------------------------------------------------------------------- */

static void fill(uint64_t rows)
{
	struct journal *j = open_own(JOURNAL_POWER); /* power closes with everything in the database file */

	append_ok(j, 1, rows);
	assert_int_equal(journal_flush(j, NULL), 0);
	journal_close(&j);
}

static void strangers_files_are_refused(void **state)
{
	struct journal_options o = own(JOURNAL_PROCESS), r = { .mode = JOURNAL_READ };
	char other[160];
	struct rv_err err;

	(void)state;
	fill(3);
	assert_int_equal(chmod(db_path, 0620), 0);
	assert_int_equal(open_code(o, &err), RV_E_DENIED);
	assert_int_equal(open_code(r, &err), RV_E_DENIED);
	assert_int_equal(chmod(db_path, 0602), 0);
	assert_int_equal(open_code(o, &err), RV_E_DENIED);
	assert_int_equal(chmod(db_path, 0600), 0);
	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(open_code(o, &err), RV_E_DENIED);
	assert_int_equal(open_code(r, &err), RV_E_DENIED);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(open_code(r, &err), RV_OK);

	snprintf(other, sizeof(other), "%s/elsewhere.db", base);
	assert_int_equal(rename(db_path, other), 0);
	assert_int_equal(symlink(other, db_path), 0);
	assert_int_equal(open_code(o, &err), RV_E_DENIED);
	assert_non_null(strstr(err.msg, "symlink"));
	assert_int_equal(unlink(db_path), 0);
	assert_int_equal(link(other, db_path), 0);
	assert_int_equal(open_code(o, &err), RV_E_DENIED);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(open_code(o, &err), RV_OK);

	unlink(wal_path);
	assert_int_equal(symlink("/etc/passwd", wal_path), 0);
	assert_int_equal(open_code(o, &err), RV_E_DENIED);
	assert_int_equal(unlink(wal_path), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(db_path, 1234, 0), 0);
		assert_int_equal(open_code(o, &err), RV_E_DENIED);
		assert_int_equal(open_code(r, &err), RV_OK); /* root may look */
		assert_int_equal(chown(db_path, 0, 0), 0);
	}
	assert_int_equal(unlink(db_path), 0);
	assert_int_equal(mkdir(db_path, 0700), 0);
	assert_int_equal(open_code(o, &err), RV_E_DENIED);
	assert_int_equal(rmdir(db_path), 0);
	assert_int_equal(open_code(r, &err), RV_E_NOT_FOUND);
	unlink(wal_path);
	assert_int_equal(rv_file_write(wal_path, RV_STR("log"), 0600, RV_FILE_NOSYNC, NULL), 0);
	assert_int_equal(open_code(o, &err), RV_E_CORRUPT); /* a log without its database */
}

static void modes_are_private(void **state)
{
	static const char *const names[] = { "", "/journal.db", "/journal.db-wal", "/journal.db-shm", "/lock" };
	struct journal *j;
	size_t i;

	(void)state;
	umask(0);
	j = open_own(JOURNAL_PROCESS);
	append_ok(j, 1, 1);
	for (i = 0; i < RV_ARRAY_LEN(names); i++) {
		char path[160];
		struct stat st;

		snprintf(path, sizeof(path), "%s%s", dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, i == 0 ? 0700 : 0600);
	}
	umask(022);
	journal_close(&j);
}

static void another_clusters_and_versions_are_refused(void **state)
{
	struct journal_options o = own(JOURNAL_PROCESS);
	uint8_t cluster[JOURNAL_CLUSTER_BYTES] = { 1, 2, 3 };
	struct rv_err err;

	(void)state;
	o.cluster = cluster;
	assert_int_equal(open_code(o, &err), RV_OK);
	assert_int_equal(open_code(o, &err), RV_OK);
	cluster[15] = 9;
	assert_int_equal(open_code(o, &err), RV_E_CONFLICT);
	o.cluster = NULL;
	assert_int_equal(open_code(o, &err), RV_OK);
	sql("PRAGMA user_version=2");
	assert_int_equal(open_code(o, &err), RV_E_VERSION);
	assert_int_equal(open_code((struct journal_options){ .mode = JOURNAL_READ }, &err), RV_E_VERSION);
	sql("PRAGMA user_version=1; PRAGMA application_id=5");
	assert_int_equal(open_code(o, &err), RV_E_CORRUPT);
	sql("PRAGMA application_id=0x72657665; DELETE FROM meta");
	assert_int_equal(open_code(o, &err), RV_E_CORRUPT);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void truncated_and_foreign_bytes_are_refused(void **state)
{
	struct journal_options o = own(JOURNAL_PROCESS);
	struct rv_err err;
	struct journal *j;
	off_t bytes;
	char junk[8192];

	(void)state;
	fill(5000);
	bytes = size_of(db_path);
	assert_int_equal(truncate(db_path, bytes / 2), 0);
	j = NULL;
	if (journal_open(&j, dir, &o, &err) == 0) /* SQLite may see it only when it gets there */
		assert_int_equal(read_code(j, &err), RV_E_CORRUPT);
	else
		assert_int_equal(err.code, RV_E_CORRUPT);
	journal_close(&j);
	assert_int_equal(truncate(db_path, 100), 0);
	assert_int_equal(open_code(o, &err), RV_E_CORRUPT);
	assert_int_equal(truncate(db_path, 0), 0);
	assert_int_equal(open_code(o, &err), RV_E_CORRUPT); /* never begun anew over lost work */
	memset(junk, 'j', sizeof(junk));
	assert_int_equal(rv_file_write(db_path, rv_str(junk, sizeof(junk)), 0600, RV_FILE_NOSYNC, NULL), 0);
	assert_int_equal(open_code(o, &err), RV_E_CORRUPT);
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 0x10;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* Any single flipped bit: an error, or the very same rows (it hit slack). Never other rows, never fewer in silence. */
static void flipped_bits_never_change_what_is_read(void **state)
{
	struct rv_err err;
	uint32_t found = 0;
	off_t bytes, at;

	(void)state;
	fill(400);
	bytes = size_of(db_path);
	for (at = 100; at < bytes; at += 37) {
		struct journal_options r = { .mode = JOURNAL_READ };
		struct journal *j = NULL;
		struct seen s = { .next = 1 };

		flip(db_path, at);
		if (journal_open(&j, dir, &r, &err) || journal_read(j, 0, see, &s, &err)) {
			found++;
			assert_true(err.code == RV_E_CORRUPT || err.code == RV_E_VERSION || err.code == RV_E_IO);
		} else {
			uint64_t end;

			/* a lost tail would be an end before what the owner knew; the owner of this test knew 400 */
			assert_int_equal(journal_end(j, &end, &err), 0);
			if (s.next != 401)
				print_message("flip at %lld: read %llu\n", (long long)at, (unsigned long long)s.next - 1);
			assert_int_equal(s.next, 401);
		}
		journal_close(&j);
		flip(db_path, at);
	}
	assert_true(found > 100);
}

static void rows_that_are_missing_or_moved_are_found_out(void **state)
{
	struct journal *j;
	struct rv_err err;

	(void)state;
	fill(10);
	sql("DELETE FROM log WHERE position=5");
	j = open_reader();
	assert_int_equal(read_code(j, &err), RV_E_CORRUPT);
	assert_non_null(strstr(err.msg, "row 5"));
	journal_close(&j);
	sql("INSERT INTO log SELECT 5, row FROM log WHERE position=6");
	j = open_reader();
	assert_int_equal(read_code(j, &err), RV_E_CORRUPT);
	assert_non_null(strstr(err.msg, "row 5"));
	journal_close(&j);
}

/* --- crashes -------------------------------------------------------------------------------------------------------------- */

/* A child that appends and tells each confirmed position; killed somewhere. */
static uint64_t run_and_kill(enum journal_durability d, uint64_t enough)
{
	uint64_t acked = 0, got;
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct journal_options o = own(d);
		struct journal *j;
		uint64_t epoch, position, told = 0, n;

		o.wal_bytes = 64 << 10; /* with checkpoints in the middle */
		if (journal_open(&j, dir, &o, NULL) || journal_claim_epoch(j, &epoch, NULL))
			_exit(1);
		for (n = journal_last(j) + 1;; n++) {
			struct journal_batch batch = { .real_us = 1000 + n };
			char text[64];

			batch.records = rv_str(text, (size_t)snprintf(text, sizeof(text), "row %llu",
								      (unsigned long long)n));
			if (journal_append(j, &batch, &position, NULL))
				_exit(1);
			if (d == JOURNAL_POWER && n % 8 == 0 && journal_flush(j, NULL))
				_exit(1);
			got = journal_durable(j);
			if (got > told && write(pipes[1], &got, sizeof(got)) != sizeof(got))
				_exit(1);
			told = got;
		}
	}
	close(pipes[1]);
	while (acked < enough && read(pipes[0], &got, sizeof(got)) == sizeof(got))
		acked = got;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(pipes[0], &got, sizeof(got)) == sizeof(got))
		acked = got;
	close(pipes[0]);
	return acked;
}

static void what_was_confirmed_survives_kill_9(void **state)
{
	enum journal_durability d;

	(void)state;
	for (d = JOURNAL_PROCESS; d <= JOURNAL_POWER; d++) {
		uint64_t acked = 0;
		int round;

		make_dir(NULL);
		for (round = 1; round <= 4; round++) {
			struct journal *j;
			uint64_t there;

			acked = run_and_kill(d, acked + (d == JOURNAL_POWER ? 100 : 1500));
			j = open_reader(); /* first without an owner's repair */
			there = read_all(j, 0);
			assert_true(there >= acked);
			journal_close(&j);
			j = open_with(own(d));
			assert_int_equal(claim(j), 2 * round);
			assert_int_equal(read_all(j, 0), there);
			assert_int_equal(journal_last(j), there);
			acked = there;
			journal_close(&j);
		}
		drop_dir(NULL);
	}
}

static void copy_file(const char *from, const char *to, size_t bytes)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	assert_int_equal(rv_file_read(from, (size_t)1 << 30, &b, NULL), 0);
	assert_int_equal(rv_file_write(to, rv_str(b.at, bytes < b.bytes ? bytes : b.bytes), 0600, RV_FILE_NOSYNC, NULL), 0);
	rv_buf_release(&b);
}

/* What power loss leaves of an unsynced log: any prefix, or a page gone bad. Rows are a prefix then, whole ones. */
static void a_torn_log_gives_a_prefix_of_whole_rows(void **state)
{
	char saved_db[160], saved_wal[160];
	struct journal *j;
	uint64_t last = 0;
	off_t bytes, cut;

	(void)state;
	snprintf(saved_db, sizeof(saved_db), "%s/saved.db", base);
	snprintf(saved_wal, sizeof(saved_wal), "%s/saved.wal", base);
	j = open_own(JOURNAL_PROCESS);
	append_ok(j, 1, 60);
	journal_close(&j);
	bytes = size_of(wal_path);
	assert_true(bytes > 60 * 4096);
	copy_file(db_path, saved_db, SIZE_MAX);
	copy_file(wal_path, saved_wal, SIZE_MAX);
	for (cut = 0; cut <= bytes; cut = cut < bytes && cut + 1999 > bytes ? bytes : cut + 1999) {
		char shm[160];
		uint64_t got;

		snprintf(shm, sizeof(shm), "%s/journal.db-shm", dir);
		unlink(shm);
		copy_file(saved_db, db_path, SIZE_MAX);
		copy_file(saved_wal, wal_path, (size_t)cut);
		j = open_reader();
		got = read_all(j, 0);
		assert_true(got >= last);
		last = got;
		journal_close(&j);
		/* and one bad byte ends the log there */
		copy_file(saved_wal, wal_path, SIZE_MAX);
		unlink(shm);
		if (cut < bytes)
			flip(wal_path, cut);
		j = open_own(JOURNAL_PROCESS);
		got = journal_last(j);
		assert_int_equal(read_all(j, 0), got);
		append_ok(j, got + 1, got + 1); /* and it goes on from there */
		journal_close(&j);
	}
	assert_int_equal(last, 60);
}

/* --- disks that fail --------------------------------------------------------------------------------------------------------- */

static struct journal *open_faulty(enum journal_durability d, size_t wal_bytes)
{
	struct journal_options o = own(d);

	o.vfs = FAULTFS;
	o.wal_bytes = wal_bytes;
	return open_with(o);
}

static void a_failed_write_is_for_good(void **state)
{
	static const int errors[] = { SQLITE_IOERR_WRITE, SQLITE_FULL };
	enum journal_durability d;
	size_t e;

	(void)state;
	for (d = JOURNAL_PROCESS; d <= JOURNAL_POWER; d++)
		for (e = 0; e < RV_ARRAY_LEN(errors); e++) {
			struct faultfs *f = faultfs();
			struct journal *j;
			struct rv_err err = { 0 };
			uint64_t writes;

			make_dir(NULL);
			j = open_faulty(d, 0);
			(void)claim(j);
			append_ok(j, 1, 5);
			assert_int_equal(journal_flush(j, &err), 0);
			f->write_error = errors[e];
			f->writes_left = 1; /* in the middle of a commit */
			if (append(j, 6, &err) == 0)
				assert_int_equal(journal_flush(j, &err), -1);
			assert_int_equal(err.code, errors[e] == SQLITE_FULL ? RV_E_NO_SPACE : RV_E_IO);
			f->writes_left = -1; /* the disk is well again; the journal is not */
			writes = f->writes;
			assert_int_equal(append(j, 7, &err), -1);
			assert_int_equal(err.code, errors[e] == SQLITE_FULL ? RV_E_NO_SPACE : RV_E_IO);
			assert_int_equal(journal_flush(j, &err), -1);
			assert_int_equal(journal_poll(j, &err), -1);
			assert_int_equal(f->writes, writes);
			assert_int_equal(journal_durable(j), 5);
			journal_close(&j);
			j = open_own(d); /* anew, from what is on disk */
			assert_int_equal(read_all(j, 0), 5);
			append_ok(j, 6, 6);
			journal_close(&j);
			drop_dir(NULL);
		}
}

static void a_failed_sync_is_never_retried(void **state)
{
	struct faultfs *f = faultfs();
	struct rv_err err = { 0 };
	struct journal *j;
	uint64_t syncs;

	(void)state;
	j = open_faulty(JOURNAL_POWER, 0);
	(void)claim(j);
	append_ok(j, 1, 5);
	assert_int_equal(journal_flush(j, &err), 0);
	f->syncs_left = 0;
	append_ok(j, 6, 6);
	assert_int_equal(journal_flush(j, &err), -1);
	assert_int_equal(err.code, RV_E_IO);
	f->syncs_left = -1;
	syncs = f->syncs;
	assert_int_equal(append(j, 7, &err), -1);
	assert_int_equal(journal_durable(j), 5);
	assert_int_equal(f->syncs, syncs);
	journal_close(&j);
}

static void only_what_must_be_is_synced(void **state)
{
	struct faultfs *f = faultfs();
	struct journal_batch at_most_once = { .records = RV_STR("row 11"), .real_us = 1011, .synced = true };
	struct rv_err err = { 0 };
	struct journal *j;
	uint64_t position, syncs;

	(void)state;
	j = open_faulty(JOURNAL_PROCESS, 0);
	(void)claim(j);
	append_ok(j, 1, 10);
	assert_int_equal(f->syncs, 0);
	assert_int_equal(journal_append(j, &at_most_once, &position, &err), 0);
	assert_int_equal(position, 11);
	syncs = f->syncs;
	assert_true(syncs > 0);
	append_ok(j, 12, 20);
	assert_int_equal(f->syncs, syncs);
	assert_int_equal(read_all(j, 0), 20);
	journal_close(&j);
	assert_int_equal(f->syncs, syncs);
	j = open_faulty(JOURNAL_PROCESS, 0);
	assert_int_equal(claim(j), 2); /* a later claim is */
	assert_true(f->syncs > syncs);
	f->syncs_left = 0; /* and a sync that fails there is as bad */
	at_most_once.records = RV_STR("row 21");
	assert_int_equal(journal_append(j, &at_most_once, &position, &err), -1);
	f->syncs_left = -1;
	assert_int_equal(append(j, 22, &err), -1);
	journal_close(&j);
}

static void a_claim_that_fails_claims_nothing(void **state)
{
	struct faultfs *f = faultfs();
	struct rv_err err = { 0 };
	struct journal *j;
	uint64_t epoch = 99;

	(void)state;
	j = open_faulty(JOURNAL_PROCESS, 0);
	assert_int_equal(claim(j), 1);
	journal_close(&j);
	j = open_faulty(JOURNAL_PROCESS, 0);
	f->writes_left = 0;
	assert_int_equal(journal_claim_epoch(j, &epoch, &err), -1);
	assert_int_equal(err.code, RV_E_IO);
	assert_int_equal(epoch, 99);
	journal_close(&j);
}

static _Atomic int hold_syncs, syncs_held;

static void wait_in_sync(void)
{
	syncs_held++;
	while (hold_syncs)
		usleep(100); /* until the test lets go */
}

static void what_waits_for_a_sync_shares_the_next(void **state)
{
	struct faultfs *f = faultfs();
	struct rv_err err;
	struct journal *j;
	uint64_t syncs, deadline;

	(void)state;
	j = open_faulty(JOURNAL_POWER, 0);
	(void)claim(j);
	append_ok(j, 1, 1);
	assert_int_equal(journal_flush(j, &err), 0);
	hold_syncs = 1;
	syncs_held = 0;
	f->on_sync = wait_in_sync;
	append_ok(j, 2, 2);
	deadline = rv_clock_monotonic_us() + 30 * RV_US_PER_S;
	while (!syncs_held && rv_clock_monotonic_us() < deadline)
		usleep(100);
	assert_true(syncs_held);
	syncs = f->syncs;
	append_ok(j, 3, 500); /* none of these waits */
	assert_int_equal(journal_durable(j), 1);
	assert_true(journal_backlog_bytes(j) > 498 * 24);
	hold_syncs = 0;
	assert_int_equal(journal_flush(j, &err), 0);
	assert_int_equal(journal_durable(j), 500);
	assert_true(f->syncs - syncs <= 4);
	f->on_sync = NULL;
	assert_int_equal(read_all(j, 0), 500);
	journal_close(&j);
}

/* What the disk holds for certain: each file as it was when it was synced last. */
static char mirror[96];

static void keep_synced(const char *path)
{
	char to[256];

	snprintf(to, sizeof(to), "%s/%s", mirror, strrchr(path, '/') + 1);
	copy_file(path, to, SIZE_MAX);
}

static uint64_t rows_after_power_loss(void)
{
	struct journal_options o = { .mode = JOURNAL_READ };
	char copy[128], from[256], to[256];
	struct seen s = { .next = 1 };
	struct journal *j = NULL;
	struct rv_err err;
	int at;

	snprintf(copy, sizeof(copy), "%s/loss", base);
	assert_int_equal(mkdir(copy, 0700), 0);
	snprintf(from, sizeof(from), "%s/journal.db", mirror);
	snprintf(to, sizeof(to), "%s/journal.db", copy);
	copy_file(from, to, SIZE_MAX);
	snprintf(from, sizeof(from), "%s/journal.db-wal", mirror);
	snprintf(to, sizeof(to), "%s/journal.db-wal", copy);
	if (access(from, F_OK) == 0)
		copy_file(from, to, SIZE_MAX);
	if (journal_open(&j, copy, &o, &err) || journal_read(j, 0, see, &s, &err))
		fail_msg("%s", err.msg);
	journal_close(&j);
	at = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(rv_tree_remove_at(at, "loss", NULL), 0);
	close(at);
	return s.next - 1;
}

static void what_was_confirmed_survives_power_loss(void **state)
{
	struct faultfs *f = faultfs();
	struct rv_err err;
	struct journal *j;
	uint64_t n = 0;
	int round;

	(void)state;
	snprintf(mirror, sizeof(mirror), "%s/mirror", base);
	assert_int_equal(mkdir(mirror, 0700), 0);
	j = open_faulty(JOURNAL_POWER, 128 << 10);
	keep_synced(db_path); /* it was, before it got its name */
	f->after_sync = keep_synced;
	(void)claim(j);
	for (round = 0; round < 60; round++) {
		append_ok(j, n + 1, n + 7);
		n += 7;
		assert_int_equal(journal_flush(j, &err), 0);
		if (round % 5 == 0)
			assert_true(rows_after_power_loss() >= n);
	}
	assert_true(atomic_load(&j->checkpoints) > 0);
	journal_close(&j);
	assert_int_equal(rows_after_power_loss(), n);
	f->after_sync = NULL;
}

static void what_must_be_synced_survives_power_loss_with_process_too(void **state)
{
	struct journal_batch at_most_once = { .records = RV_STR("row 6"), .real_us = 1006, .synced = true };
	struct faultfs *f = faultfs();
	struct rv_err err;
	struct journal *j;
	uint64_t position;

	(void)state;
	snprintf(mirror, sizeof(mirror), "%s/mirror", base);
	assert_int_equal(mkdir(mirror, 0700), 0);
	j = open_faulty(JOURNAL_PROCESS, 0);
	f->after_sync = keep_synced;
	assert_int_equal(claim(j), 1);
	append_ok(j, 1, 5);
	assert_int_equal(f->syncs, 0);
	assert_int_equal(journal_append(j, &at_most_once, &position, &err), 0);
	append_ok(j, 7, 9);
	assert_true(rows_after_power_loss() >= 6);
	journal_close(&j);
	j = open_faulty(JOURNAL_PROCESS, 0); /* a claim is synced, and all before it */
	assert_int_equal(claim(j), 2);
	assert_int_equal(rows_after_power_loss(), 9);
	journal_close(&j);
	f->after_sync = NULL;
}

/* --- a log that is written ahead ------------------------------------------------------------------------------------------------ */

/* One commit each, until `done`; gives how many. */
static uint64_t append_until(struct journal *j, uint64_t n, bool (*done)(const struct journal *j))
{
	uint64_t deadline = rv_clock_monotonic_us() + 60 * RV_US_PER_S;
	struct rv_err err;

	do {
		n++;
		append_ok(j, n, n);
		assert_int_equal(journal_flush(j, &err), 0);
		assert_true(rv_clock_monotonic_us() < deadline);
	} while (!done(j));
	return n;
}

static uint64_t log_used(const struct journal *j)
{
	return 32 + j->wal_pages * (STORE_PAGE_BYTES + 24);
}

static bool is_ahead(const struct journal *j)
{
	return size_of(wal_path) >= (off_t)(log_used(j) + STORE_AHEAD_BYTES / 2);
}

static bool is_long(const struct journal *j)
{
	return log_used(j) >= j->options.wal_bytes * 3 / 4;
}

static bool is_whole(const struct journal *j)
{
	return size_of(wal_path) >= (off_t)j->options.wal_bytes;
}

static bool is_far(const struct journal *j)
{
	return j->wal_pages > 2 * STORE_AHEAD_FROM_PAGES;
}

static bool began_anew(const struct journal *j)
{
	return atomic_load(&j->checkpoints) > 0 && j->wal_pages > 5 && log_used(j) < j->options.wal_bytes / 2;
}

static void save(const char *name, const char *from, char to[static 160])
{
	snprintf(to, 160, "%s/%s", base, name);
	copy_file(from, to, SIZE_MAX);
}

/* The log is `head` up to `cut` and `tail` from there, as a power loss may leave it. */
static void put_log(const char *head, const char *tail, size_t cut)
{
	struct rv_buf b, t;
	char shm[160];

	rv_buf_init(&b, 0);
	rv_buf_init(&t, 0);
	assert_int_equal(rv_file_read(head, (size_t)1 << 30, &b, NULL), 0);
	assert_int_equal(rv_file_read(tail, (size_t)1 << 30, &t, NULL), 0);
	assert_true(b.bytes >= cut);
	if (t.bytes > cut) {
		assert_true(b.bytes >= t.bytes);
		memcpy(b.at + cut, t.at + cut, t.bytes - cut);
	}
	assert_int_equal(rv_file_write(wal_path, rv_str(b.at, b.bytes), 0600, RV_FILE_NOSYNC, NULL), 0);
	rv_buf_release(&b);
	rv_buf_release(&t);
	snprintf(shm, sizeof(shm), "%s/journal.db-shm", dir);
	unlink(shm);
}

/* Whatever the tail is, what is read is a prefix, the longer the later it begins, and the journal goes on from there. */
static void torn_anywhere(const char *db, const char *head, const char *tail, uint64_t used, uint64_t least, uint64_t n)
{
	uint64_t cut, got, last = least;
	struct rv_err err;
	struct journal *j;

	for (cut = 0; cut <= used; cut = cut < used && cut + 1999 > used ? used : cut + 1999) {
		copy_file(db, db_path, SIZE_MAX);
		put_log(head, tail, (size_t)cut);
		j = open_own(JOURNAL_POWER);
		got = journal_last(j);
		assert_true(got >= last);
		last = got;
		assert_int_equal(read_all(j, 0), got);
		append_ok(j, got + 1, got + 1);
		assert_int_equal(journal_flush(j, &err), 0);
		assert_int_equal(read_all(j, 0), got + 1);
		journal_close(&j);
	}
	assert_int_equal(last, n);
}

static void a_tail_torn_over_zeroes_gives_a_prefix(void **state)
{
	char db[160], wal[160], zeroes[160], path[128];
	struct journal_options o = own(JOURNAL_POWER);
	struct journal *j, *r;
	uint64_t n, used;
	struct rv_buf b;

	(void)state;
	o.wal_bytes = 4 << 20;
	j = open_with(o);
	(void)claim(j);
	n = append_until(j, 0, is_ahead);
	assert_true(n >= 5);
	n = append_until(j, n, is_ahead);
	r = open_reader(); /* beside it */
	assert_int_equal(read_all(r, 0), n);
	journal_close(&r);
	used = log_used(j);
	save("saved.db", db_path, db);
	save("saved.wal", wal_path, wal);
	assert_true(size_of(wal) > (off_t)used);
	journal_close(&j);
	assert_int_equal(access(wal_path, F_OK), -1); /* gone, with what was ahead */
	rv_buf_init(&b, 0);
	snprintf(path, sizeof(path), "%s/zeroes", base);
	assert_non_null(rv_buf_reserve(&b, (size_t)size_of(wal)));
	memset(b.at, 0, (size_t)size_of(wal));
	assert_int_equal(rv_file_write(path, rv_str(b.at, (size_t)size_of(wal)), 0600, RV_FILE_NOSYNC, NULL), 0);
	rv_buf_release(&b);
	save("zeroes.wal", path, zeroes);
	torn_anywhere(db, wal, zeroes, used, 0, n);
}

static void a_tail_torn_over_an_older_log_gives_a_prefix(void **state)
{
	char db[160], old[160], wal[160];
	struct journal_options o = own(JOURNAL_POWER);
	struct journal *j;
	uint64_t n, least, used;

	(void)state;
	o.wal_bytes = 192 << 10;
	j = open_with(o);
	(void)claim(j);
	n = append_until(j, 0, is_long);
	least = n;
	save("old.wal", wal_path, old);
	n = append_until(j, n, began_anew);
	used = log_used(j);
	save("saved.db", db_path, db); /* holds what the old log held, and no more */
	save("saved.wal", wal_path, wal);
	assert_true(size_of(old) > (off_t)used);
	assert_true(size_of(wal) >= size_of(old));
	journal_close(&j);
	torn_anywhere(db, wal, old, used, least, n);
}

static void what_is_written_ahead_is_bounded(void **state)
{
	struct journal_options o = own(JOURNAL_POWER);
	struct journal *j;

	(void)state;
	o.wal_bytes = 512 << 10;
	j = open_with(o);
	(void)claim(j);
	(void)append_until(j, 0, is_whole);
	assert_in_range(size_of(wal_path), o.wal_bytes, o.wal_bytes + (64 << 10)); /* a commit may pass it */
	journal_close(&j);
	drop_dir(NULL);
	make_dir(NULL);
	j = open_own(JOURNAL_PROCESS); /* waits for no disk, so there is nothing to gain */
	(void)append_until(j, 0, is_far);
	assert_int_equal(size_of(wal_path), log_used(j));
	journal_close(&j);
}

/* No space to write ahead is told by nobody; no space for a commit is, and the space was not held for nothing. */
static void a_full_disk_is_not_hidden(void **state)
{
	struct faultfs *f = faultfs();
	struct rv_err err = { 0 };
	struct journal *j;
	uint64_t n;

	(void)state;
	f->suffix = "-wal";
	f->bytes_max = 300 << 10;
	j = open_faulty(JOURNAL_POWER, 0);
	(void)claim(j);
	for (n = 1; append(j, n, &err) == 0 && journal_flush(j, &err) == 0; n++)
		assert_true(n < 1000);
	assert_int_equal(err.code, RV_E_NO_SPACE);
	assert_true(j->ahead_off);
	assert_int_equal(journal_durable(j), n - 1);
	assert_true(log_used(j) > (300 << 10) - 5 * (STORE_PAGE_BYTES + 24));
	assert_true(size_of(wal_path) <= 300 << 10);
	f->bytes_max = -1;
	journal_close(&j);
	j = open_own(JOURNAL_POWER);
	assert_int_equal(read_all(j, 0), n - 1);
	journal_close(&j);
}

static struct faultfs *faultfs_now;

static void fail_the_long_logs_sync(void)
{
	if (access(wal_path, F_OK) == 0 && size_of(wal_path) > (off_t)(STORE_AHEAD_BYTES / 2))
		faultfs_now->syncs_left = 0;
}

static void a_failed_sync_of_what_is_ahead_is_for_good(void **state)
{
	struct faultfs *f = faultfs();
	uint64_t n = 0, deadline = rv_clock_monotonic_us() + 60 * RV_US_PER_S;
	struct rv_err err = { 0 };
	struct journal *j;

	(void)state;
	faultfs_now = f;
	f->on_sync = fail_the_long_logs_sync;
	j = open_faulty(JOURNAL_POWER, 0);
	(void)claim(j);
	while (append(j, n + 1, &err) == 0 && journal_flush(j, &err) == 0) {
		n++;
		assert_true(rv_clock_monotonic_us() < deadline);
	}
	assert_int_equal(err.code, RV_E_IO);
	assert_int_equal(journal_poll(j, &err), -1);
	assert_in_range(journal_durable(j), n, n + 1); /* what is ahead is synced after a commit, which counts */
	f->on_sync = NULL;
	f->syncs_left = -1;
	journal_close(&j);
	j = open_own(JOURNAL_POWER);
	assert_true(journal_last(j) >= n);
	journal_close(&j);
}

/* --- checkpoints --------------------------------------------------------------------------------------------------------------- */

static void checkpoints_keep_the_log_short(void **state)
{
	enum journal_durability d;

	(void)state;
	for (d = JOURNAL_PROCESS; d <= JOURNAL_POWER; d++) {
		struct journal_options o = own(d);
		struct journal *j, *r;
		struct rv_err err;
		uint64_t n;

		make_dir(NULL);
		o.wal_bytes = 256 << 10;
		j = open_with(o);
		(void)claim(j);
		r = open_reader();
		/* each commit writes a page of log: goes on until less than half of what was written lies there, which comes soon
		 * if the log is begun anew and never if it is not, however slow the machine */
		for (n = 0; n < 10 || size_of(wal_path) > (off_t)(n * 500 * 4096 / 2); n++) {
			assert_true(n < 200);
			append_ok(j, n * 500 + 1, n * 500 + 500);
			assert_int_equal(journal_flush(j, &err), 0);
			assert_int_equal(read_all(r, 0), (n + 1) * 500);
		}
		assert_true(atomic_load(&j->checkpoints) > 0);
		assert_int_equal(read_all(j, 0), n * 500);
		journal_close(&j);
		assert_int_equal(read_all(r, 0), n * 500);
		journal_close(&r);
		drop_dir(NULL);
	}
}

static void a_checkpoint_that_fails_loses_nothing(void **state)
{
	struct faultfs *f = faultfs();
	struct rv_err err;
	struct journal *j;

	(void)state;
	f->suffix = "journal.db"; /* the log can be written, the database cannot */
	j = open_faulty(JOURNAL_POWER, 64 << 10);
	(void)claim(j);
	f->writes_left = 0;
	append_ok(j, 1, 200);
	assert_int_equal(journal_flush(j, &err), 0);
	assert_int_equal(read_all(j, 0), 200);
	journal_close(&j);
	f->writes_left = -1;
	j = open_own(JOURNAL_POWER);
	assert_int_equal(read_all(j, 0), 200);
	journal_close(&j);
}

/* --- memory and reads that fail -------------------------------------------------------------------------------------------------- */

static enum journal_next count_rows(void *arg, const struct journal_row *row)
{
	(void)row;
	++*(uint64_t *)arg;
	return JOURNAL_MORE;
}

static enum journal_next count_runs(void *arg, const struct journal_run *run)
{
	(void)run;
	++*(uint64_t *)arg;
	return JOURNAL_MORE;
}

/* Open, append with a run, read, list, close; how far it came. */
static int use_all(enum journal_durability d, uint64_t *durable)
{
	struct journal_options o = own(d);
	struct journal_run run = run_of(1);
	struct journal_batch b = { .records = RV_STR("row"), .runs = &run, .runs_count = 1 };
	struct journal *j = NULL;
	uint64_t epoch, position, rows = 0, runs = 0, end;
	struct rv_err err = { 0 };
	int rc = -1;

	o.wal_bytes = 1; /* a checkpoint is always due */
	if (journal_open(&j, dir, &o, &err) == 0 && journal_claim_epoch(j, &epoch, &err) == 0 &&
	    journal_append(j, &b, &position, &err) == 0 && journal_flush(j, &err) == 0 &&
	    journal_read(j, 0, count_rows, &rows, &err) == 0 && journal_runs(j, count_runs, &runs, &err) == 0 &&
	    journal_end(j, &end, &err) == 0) {
		assert_int_equal(rows, end);
		assert_int_equal(runs, 1);
		rc = 0;
	}
	if (rc)
		assert_int_equal(err.code, RV_E_NO_MEMORY);
	if (j)
		*durable = journal_durable(j);
	journal_close(&j);
	return rc;
}

static void memory_may_run_out_anywhere(void **state)
{
	enum journal_durability d;

	(void)state;
	for (d = JOURNAL_PROCESS; d <= JOURNAL_POWER; d++) {
		uint64_t confirmed = 0;
		uint32_t n = 0, refused = 0;
		struct journal *j;

		make_dir(NULL);
		do {
			noalloc_fail(++n);
			refused += use_all(d, &confirmed) != 0;
		} while (noalloc_failed());
		noalloc_fail(0);
		assert_true(refused > 3);
		j = open_reader();
		assert_int_equal(journal_last(j), confirmed);
		journal_close(&j);
		drop_dir(NULL);
	}
}

/* SQLite's own memory: its n-th allocation fails, once. Some it can do without. */
static sqlite3_mem_methods plain_memory;
static _Atomic uint32_t sqlite_fails_in, sqlite_failed;

static bool sqlite_out_of_memory(void)
{
	if (sqlite_fails_in == 0 || --sqlite_fails_in > 0)
		return false;
	sqlite_failed = 1;
	return true;
}

static void *failing_malloc(int bytes)
{
	return sqlite_out_of_memory() ? NULL : plain_memory.xMalloc(bytes);
}

static void *failing_realloc(void *at, int bytes)
{
	return sqlite_out_of_memory() ? NULL : plain_memory.xRealloc(at, bytes);
}

static void replace_sqlite_memory(void)
{
	sqlite3_mem_methods m;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain_memory), SQLITE_OK);
	m = plain_memory;
	m.xMalloc = failing_malloc;
	m.xRealloc = failing_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &m), SQLITE_OK);
}

static void sqlite_may_run_out_of_memory_anywhere(void **state)
{
	uint64_t confirmed = 0;
	uint32_t n, refused = 0;
	struct journal *j;

	(void)state;
	for (n = 1; n == 1 || sqlite_failed; n += 1 + n / 64) {
		sqlite_failed = 0;
		sqlite_fails_in = n;
		refused += use_all(JOURNAL_PROCESS, &confirmed) != 0;
		sqlite_fails_in = 0;
	}
	assert_true(refused > 20);
	j = open_reader();
	assert_int_equal(journal_last(j), confirmed);
	journal_close(&j);
}

static void a_journal_that_could_not_be_made_is_not_there(void **state)
{
	uint64_t confirmed = 0;
	uint32_t n, refused = 0;

	(void)state;
	for (n = 1; n == 1 || sqlite_failed; n += 1 + n / 32) {
		char shm[160];

		snprintf(shm, sizeof(shm), "%s/journal.db-shm", dir);
		unlink(db_path);
		unlink(wal_path);
		unlink(shm);
		sqlite_failed = 0;
		sqlite_fails_in = n;
		refused += use_all(JOURNAL_PROCESS, &confirmed) != 0;
		sqlite_fails_in = 0;
		if (access(db_path, F_OK) == 0) /* or it is whole */
			assert_int_equal(open_code(own(JOURNAL_PROCESS), &(struct rv_err){ 0 }), RV_OK);
	}
	assert_true(refused > 20);
}

static void reads_that_fail_are_told(void **state)
{
	struct journal_options r = { .mode = JOURNAL_READ, .vfs = FAULTFS };
	struct faultfs *f = faultfs();
	uint64_t count = 0, end;
	struct journal *j;
	struct rv_err err = { 0 };
	int64_t n;

	(void)state;
	fill(3000);
	j = open_with(r);
	f->reads_left = 5;
	assert_int_equal(journal_read(j, 0, count_rows, &count, &err), -1);
	assert_int_equal(err.code, RV_E_IO);
	f->reads_left = -1;
	count = 0;
	assert_int_equal(journal_read(j, 0, count_rows, &count, &err), 0); /* reading may be tried again */
	assert_int_equal(count, 3000);
	journal_close(&j);
	for (n = 0;; n++) { /* opening, at each read */
		f->reads_left = n;
		if (journal_open(&j, dir, &r, &err) == 0)
			break;
		assert_true(err.code == RV_E_IO || err.code == RV_E_CORRUPT);
	}
	assert_true(n > 1);
	f->reads_left = 0;
	(void)journal_end(j, &end, &err); /* from its cache, or not: either way it ends */
	f->reads_left = -1;
	journal_close(&j);
}

static void odd_places_are_refused(void **state)
{
	struct journal_options o = own(JOURNAL_PROCESS);
	struct journal *j = NULL;
	struct rv_err err;
	char path[160];

	(void)state;
	snprintf(path, sizeof(path), "%s/no/such", base);
	assert_int_equal(journal_open(&j, path, &o, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	o.mode = JOURNAL_READ;
	assert_int_equal(journal_open(&j, path, &o, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	o.mode = JOURNAL_OWN;
	snprintf(path, sizeof(path), "%s/file", base);
	assert_int_equal(rv_file_write(path, RV_STR("x"), 0600, RV_FILE_NOSYNC, NULL), 0);
	assert_int_equal(journal_open(&j, path, &o, &err), -1);
	o.vfs = "no such layer";
	assert_int_equal(open_code(o, &err), RV_E_IO);
	o.vfs = NULL;
	assert_int_equal(open_code(o, &err), RV_OK);
	/* an epoch that falls from one row to the next */
	fill(2);
	j = open_own(JOURNAL_POWER);
	append_ok(j, 3, 3);
	assert_int_equal(journal_flush(j, &err), 0);
	assert_int_equal(journal_epoch(j), 3);
	sql("UPDATE head SET epoch=1");
	journal_close(&j);
	j = open_own(JOURNAL_POWER);
	append_ok(j, 4, 4);
	assert_int_equal(journal_flush(j, &err), 0);
	assert_int_equal(read_code(j, &err), RV_E_CORRUPT);
	assert_non_null(strstr(err.msg, "epoch"));
	journal_close(&j);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back_across_restarts),
		TEST(process_is_durable_on_return_and_power_tells_by_descriptor),
		TEST(a_reader_sees_what_a_live_owner_commits),
		TEST(large_batches_and_limits),
		TEST(a_second_owner_is_refused_and_told_of_the_first),
		cmocka_unit_test(a_coordinator_whose_epoch_is_over_writes_nothing),
		TEST(a_writer_in_the_way_is_waited_for),
		cmocka_unit_test(runs_are_listed_without_a_replay),
		TEST(strangers_files_are_refused),
		TEST(modes_are_private),
		TEST(another_clusters_and_versions_are_refused),
		TEST(truncated_and_foreign_bytes_are_refused),
		TEST(flipped_bits_never_change_what_is_read),
		TEST(rows_that_are_missing_or_moved_are_found_out),
		cmocka_unit_test(what_was_confirmed_survives_kill_9),
		TEST(a_torn_log_gives_a_prefix_of_whole_rows),
		cmocka_unit_test(a_failed_write_is_for_good),
		TEST(a_failed_sync_is_never_retried),
		TEST(only_what_must_be_is_synced),
		TEST(a_claim_that_fails_claims_nothing),
		TEST(what_waits_for_a_sync_shares_the_next),
		TEST(what_was_confirmed_survives_power_loss),
		TEST(what_must_be_synced_survives_power_loss_with_process_too),
		cmocka_unit_test(checkpoints_keep_the_log_short),
		TEST(a_tail_torn_over_zeroes_gives_a_prefix),
		TEST(a_tail_torn_over_an_older_log_gives_a_prefix),
		TEST(what_is_written_ahead_is_bounded),
		TEST(a_full_disk_is_not_hidden),
		TEST(a_failed_sync_of_what_is_ahead_is_for_good),
		TEST(a_checkpoint_that_fails_loses_nothing),
		cmocka_unit_test(memory_may_run_out_anywhere),
		TEST(sqlite_may_run_out_of_memory_anywhere),
		TEST(a_journal_that_could_not_be_made_is_not_there),
		TEST(reads_that_fail_are_told),
		TEST(odd_places_are_refused),
	};

	replace_sqlite_memory(); /* before its first use */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
