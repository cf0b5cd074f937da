/* what the warden keeps on disk: the shared output log and the exit records, whole, torn, and on a full disk */
#include "node/warden/records.h"
#include "node/warden/seglog.h"
#include "tests/lib/warden_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct place {
	char dir[64], log[80];
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/warden-store.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->log, sizeof(p->log), "%s/log", p->dir);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", p->dir);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

/* ---- the log ---- */

static const struct warden_log_id one = { 1, 1, 1 }, two = { 1, 2, 1 };

static void say(struct seglog *log, struct seglog_attempt *a, int stream, const char *text)
{
	assert_true(seglog_append(log, a, stream, a->entry.bytes[stream], rv_str_of(text)));
	a->entry.bytes[stream] += strlen(text);
	seglog_note(log, a);
}

static int join(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	(void)offset;
	rv_buf_putc(arg, stream ? 'e' : 'o');
	rv_buf_put_str(arg, bytes);
	return 0;
}

static void assert_reads(const char *dir, struct warden_log_id id, const char *want)
{
	struct seglog_entry e;
	struct rv_buf b;

	rv_buf_init(&b, 0);
	assert_int_equal(seglog_find(dir, id, &e, NULL), 1);
	assert_int_equal(seglog_read(dir, &e, join, &b, NULL), 0);
	assert_string_equal(b.at, want);
	rv_buf_release(&b);
}

static void streams_of_two_attempts_do_not_mix(void **state)
{
	struct place *p = *state;
	struct seglog log;
	struct seglog_attempt a = { .entry.id = one }, b = { .entry.id = two };

	assert_int_equal(seglog_open(&log, p->log, 200, NULL), 0);
	for (int i = 0; i < 5; i++) {
		say(&log, &a, 0, "a");
		say(&log, &b, 1, "b");
		say(&log, &a, 1, "x");
	}
	assert_true(log.segment > 1); /* 200 bytes a segment */
	assert_reads(p->log, one, "oaexoaexoaexoaexoaex");
	assert_reads(p->log, two, "ebebebebeb");
	seglog_close(&log);
	/* opened again it goes on, and what was there stays */
	assert_int_equal(seglog_open(&log, p->log, 200, NULL), 0);
	say(&log, &b, 0, "later");
	assert_reads(p->log, two, "ebebebebebolater");
	assert_reads(p->log, one, "oaexoaexoaexoaexoaex");
	seglog_close(&log);
}

static void a_follower_gets_only_what_is_new(void **state)
{
	struct place *p = *state;
	struct seglog log;
	struct seglog_attempt a = { .entry.id = one };
	struct seglog_entry e;
	uint64_t seen[2] = { 0, 0 };
	struct rv_buf b;

	rv_buf_init(&b, 0);
	assert_int_equal(seglog_open(&log, p->log, 0, NULL), 0);
	say(&log, &a, 0, "first ");
	assert_int_equal(seglog_find(p->log, one, &e, NULL), 1);
	assert_int_equal(seglog_follow(p->log, &e, seen, join, &b, NULL), 0);
	assert_int_equal(seglog_follow(p->log, &e, seen, join, &b, NULL), 0);
	assert_string_equal(b.at, "ofirst ");
	say(&log, &a, 0, "second");
	say(&log, &a, 1, "err");
	assert_int_equal(seglog_find(p->log, one, &e, NULL), 1);
	assert_int_equal(seglog_follow(p->log, &e, seen, join, &b, NULL), 0);
	assert_string_equal(b.at, "ofirst osecondeerr");
	assert_true(seen[0] == 12 && seen[1] == 3);
	seglog_close(&log);
	rv_buf_release(&b);
}

static void no_output_makes_no_file(void **state)
{
	struct place *p = *state;
	struct seglog log;
	struct seglog_entry e;
	struct stat st;

	assert_int_equal(seglog_open(&log, p->log, 0, NULL), 0);
	seglog_close(&log);
	assert_int_equal(stat(p->log, &st), -1);
	assert_int_equal(seglog_find(p->log, one, &e, NULL), 0);
}

static void what_is_too_long_for_the_log_is_refused(void **state)
{
	struct place *p = *state;
	struct seglog log;
	struct seglog_attempt a = { .entry.id = one };
	static char text[65536];
	int taken = 0;

	assert_int_equal(seglog_open(&log, p->log, 0, NULL), 0);
	while (seglog_append(&log, &a, 0, a.entry.bytes[0], rv_str(text, sizeof(text))))
		taken++;
	assert_int_equal(taken, SEGLOG_INLINE_BYTES / (sizeof(text) + SEGLOG_CHUNK_BYTES));
	assert_false(a.entry.flags & SEGLOG_LOST);
	seglog_close(&log);
}

static int count_pieces(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	(void)stream;
	(void)offset;
	(void)bytes;
	++*(int *)arg;
	return 0;
}

static void damage_is_an_error_and_never_more_than_that(void **state)
{
	struct place *p = *state;
	struct seglog log;
	struct seglog_attempt a = { .entry.id = one };
	struct seglog_entry e;
	char path[100];
	int fd, refused = 0;

	assert_int_equal(seglog_open(&log, p->log, 0, NULL), 0);
	for (int i = 0; i < 3; i++)
		say(&log, &a, 0, "0123456789");
	seglog_close(&log);
	assert_int_equal(seglog_find(p->log, one, &e, NULL), 1);
	snprintf(path, sizeof(path), "%s/000001.seg", p->log);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (off_t at = 0; at < 3 * (off_t)(SEGLOG_CHUNK_BYTES + 10); at++) {
		char was, is;
		int pieces = 0;
		struct rv_err err;

		assert_int_equal(pread(fd, &was, 1, at), 1);
		is = (char)(was ^ 0x55);
		assert_int_equal(pwrite(fd, &is, 1, at), 1);
		refused += seglog_read(p->log, &e, count_pieces, &pieces, &err) != 0;
		assert_true(pieces <= 3);
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	assert_true(refused > 60);
	/* the last one says that it comes after itself */
	{
		char back[12] = { 1 };
		off_t last = 2 * (off_t)(SEGLOG_CHUNK_BYTES + 10);

		back[4] = (char)last;
		assert_int_equal(pwrite(fd, back, sizeof(back), last + 28), 12);
		assert_int_equal(seglog_read(p->log, &e, count_pieces, &(int){ 0 }, NULL), -1);
	}
	/* cut off */
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(seglog_read(p->log, &e, count_pieces, &(int){ 0 }, NULL), -1);
	close(fd);
}

/* ---- records ---- */

static struct warden_exited a_record(uint64_t key)
{
	return (struct warden_exited){ .key = key, .cookie = RV_STR("cookie"), .why = WARDEN_WHY_EXITED, .code = (int32_t)(key & 255),
				       .stdout_tail = RV_STR("not kept"), .detail = RV_STR("") };
}

static void write_records(struct records *r, uint64_t from, uint64_t to)
{
	for (uint64_t key = from; key < to; key++) {
		struct warden_exited e = a_record(key);
		uint32_t place = records_reserve(r);

		assert_int_not_equal(place, RECORD_NONE);
		assert_int_equal(records_write(r, place, &e), 0);
	}
}

static void records_grow_and_their_places_are_used_again(void **state)
{
	struct place *p = *state;
	struct records r;
	struct rv_buf out;
	uint32_t room;

	rv_buf_init(&out, 0);
	assert_int_equal(records_open(&r, p->dir, RECORDS_WRITE, NULL), 0);
	write_records(&r, 0, 1000);
	assert_int_equal(records_count(&r), 1000);
	room = r.room;
	for (int round = 1; round < 20; round++) {
		for (uint64_t key = 0; key < 1000; key++)
			records_forget(&r, (uint64_t)(round - 1) * 1000 + key);
		write_records(&r, (uint64_t)round * 1000, (uint64_t)round * 1000 + 1000);
	}
	assert_int_equal(r.room, room);
	assert_int_equal(records_tell(&r, 5, &out), -1);
	assert_int_equal(records_tell(&r, 19005, &out), 0);
	records_close(&r);
	/* and found again */
	assert_int_equal(records_open(&r, p->dir, RECORDS_READ, NULL), 0);
	assert_int_equal(records_count(&r), 1000);
	rv_buf_reset(&out);
	assert_int_equal(records_tell_all(&r, &out), 1000);
	records_close(&r);
	rv_buf_release(&out);
}

static void damaged_records_are_left_out(void **state)
{
	struct place *p = *state;
	struct records r;
	char path[100];
	int fd;

	assert_int_equal(records_open(&r, p->dir, RECORDS_WRITE, NULL), 0);
	write_records(&r, 0, 10);
	records_close(&r);
	snprintf(path, sizeof(path), "%s/exits.rec", p->dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "X", 1, RECORD_HEAD_BYTES + 3 * RECORD_BYTES + 60), 1);    /* payload */
	assert_int_equal(pwrite(fd, "\xff\xff", 2, RECORD_HEAD_BYTES + 5 * RECORD_BYTES + 4), 2); /* length */
	assert_int_equal(ftruncate(fd, RECORD_HEAD_BYTES + 9 * RECORD_BYTES + 20), 0);           /* the tenth */
	assert_int_equal(records_open(&r, p->dir, RECORDS_WRITE, NULL), 0);
	assert_int_equal(records_count(&r), 7);
	write_records(&r, 100, 110);
	assert_int_equal(records_count(&r), 17);
	records_close(&r);
	assert_int_equal(pwrite(fd, "other", 5, 0), 5);
	close(fd);
	assert_int_equal(records_open(&r, p->dir, RECORDS_WRITE, NULL), -1);
}

static void no_records_is_no_error(void **state)
{
	struct place *p = *state;
	struct records r;
	struct stat st;
	char path[100];

	assert_int_equal(records_open(&r, p->dir, RECORDS_READ, NULL), 0);
	assert_int_equal(records_count(&r), 0);
	records_close(&r);
	snprintf(path, sizeof(path), "%s/exits.rec", p->dir);
	assert_int_equal(stat(path, &st), -1);
}

/* ---- a full disk ---- */

/* In a mount namespace of its own the state directory is a tmpfs of 3 MiB. */
static void full_disk(struct lab *lab)
{
	struct warden_spawn big = { .log_bytes_max = 32 << 20 }, m = { 0 };
	struct warden_exited e;
	struct rv_err err = { 0 };
	struct seglog_entry entry;
	char log[96], path[160];
	uint64_t key;

	lab_stop(lab);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", lab->dir, "tmpfs", 0, "size=3m")) {
		fprintf(stderr, "no tmpfs for this user\n");
		_exit(2);
	}
	lab_start(lab);
	key = lab_unit_spawn(lab, &big, "flood", "16");
	e = lab_exited(lab, key);
	/* The unit does not feel it, its output is cut and says so. */
	LAB_CHECK(e.why == WARDEN_WHY_EXITED && e.code == 0);
	LAB_CHECK(e.place.stdout_bytes == (16u << 20) + 5 && e.place.truncated == 2);
	LAB_CHECK(e.stdout_tail.bytes == WARDEN_TAIL_BYTES_MAX);
	snprintf(log, sizeof(log), "%s/log", lab->dir);
	LAB_CHECK(seglog_find(log, (struct warden_log_id){ 7, (uint32_t)key, 1 }, &entry, &err) == 1);
	LAB_CHECK(entry.flags & SEGLOG_LOST);
	/* Others run on, are recorded (the file was made in time) and told. */
	for (int i = 0; i < 50; i++) {
		e = lab_exited(lab, lab_unit_spawn(lab, &m, "exit", "3"));
		LAB_CHECK(e.code == 3 && !e.place.truncated);
		LAB_CHECK(!warden_put_forget(&lab->c.out, &e.key, 1));
	}
	e = lab_exited(lab, lab_unit_spawn(lab, &m, "say", "word"));
	LAB_CHECK(e.code == 0 && rv_str_equal(e.stdout_tail, RV_STR("word\n")));
	/* Room again: so is the output. */
	snprintf(path, sizeof(path), "%s/big/%016x-%u-1.out", log, 7, (unsigned)key);
	LAB_CHECK(!unlink(path));
	e = lab_exited(lab, lab_unit_spawn(lab, &m, "say", "again"));
	LAB_CHECK(e.code == 0 && !e.place.truncated);
	LAB_CHECK(seglog_find(log, (struct warden_log_id){ 7, (uint32_t)e.key, 1 }, &entry, &err) == 1);
}

static void a_full_disk_cuts_output_and_fails_nobody(void **state)
{
	int ret = lab_run(full_disk, WARDEN_LEVEL_NONE, 0);

	(void)state;
	assert_int_not_equal(ret, 1);
	if (geteuid() == 0)
		assert_int_equal(ret, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(streams_of_two_attempts_do_not_mix, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_follower_gets_only_what_is_new, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_output_makes_no_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_too_long_for_the_log_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_an_error_and_never_more_than_that, set_up, tear_down),
		cmocka_unit_test_setup_teardown(records_grow_and_their_places_are_used_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_records_are_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_records_is_no_error, set_up, tear_down),
		cmocka_unit_test(a_full_disk_cuts_output_and_fails_nobody),
	};

	lab_unit(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
