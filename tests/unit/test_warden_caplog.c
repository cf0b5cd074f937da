/* test_warden_caplog.c - following a log past half of its cap: while it grows, when it was overtaken, after its end */
#include "tests/lib/test.h"

#include "node/warden/caplog.h"
#include "node/warden/capture.h"
#include "tests/lib/scratch.h"

#include <fcntl.h>
#include <unistd.h>

enum { CAP = 1000, HALF = CAP / 2 };

struct rig {
	struct capture c;
	struct pipe_pool pool;
	struct seglog log;
	char scratch[CAPTURE_READ_BYTES];
	char dir[512];
	uint64_t said;
	/* the reader */
	struct rv_buf got;
	uint64_t at;
	uint64_t seen[2];
};

static char byte_at(uint64_t position)
{
	return (char)('a' + position % 26);
}

static void say(struct rig *g, size_t bytes)
{
	char text[4096];

	assert_true(bytes <= sizeof text);
	for (size_t i = 0; i < bytes; i++)
		text[i] = byte_at(g->said + i);
	assert_int_equal(write(g->c.write_fd[0], text, bytes), (ssize_t)bytes);
	assert_int_equal(capture_read(&g->c, 0, g->scratch, 1), 1);
	g->said += bytes;
}

static int open_file(void *arg, const char *suffix)
{
	char name[64];

	(void)arg;
	(void)snprintf(name, sizeof name, "stdout.log%s", suffix);
	return openat(scratch_dir(), name, O_RDONLY | O_CLOEXEC);
}

/* What a reader that was at `at` gets now. */
static void follow(struct rig *g)
{
	struct caplog_piece p;
	struct caplog l;
	char room[300];
	int rc;

	assert_int_equal(caplog_open(&l, open_file, NULL), 0);
	while ((rc = caplog_next(&l, g->at, room, sizeof room, &p)) > 0) {
		assert_int_equal(p.from, g->at);
		assert_true(p.to > p.from && (p.marker || p.to - p.from == p.bytes.bytes));
		(void)rv_buf_put_str(&g->got, p.bytes);
		g->at = p.to;
	}
	assert_int_equal(rc, 0);
	caplog_close(&l);
}

static int join(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	(void)stream, (void)offset;
	(void)rv_buf_put_str(arg, bytes);
	return 0;
}

static void follow_shared(struct rig *g)
{
	struct seglog_entry e;

	assert_int_equal(seglog_find(g->dir, g->c.in_log.entry.id, &e, NULL), 1);
	assert_int_equal(seglog_follow(g->dir, &e, g->seen, join, &g->got, NULL), 0);
	g->at = g->seen[0];
}

static void expect_bytes(struct rig *g, uint64_t from, uint64_t to)
{
	assert_true(g->got.bytes >= to - from);
	for (uint64_t i = from; i < to; i++)
		assert_int_equal(g->got.at[i - from], byte_at(i));
	rv_buf_consume(&g->got, to - from);
}

static void expect_marker(struct rig *g, uint64_t missing)
{
	char room[CAPLOG_MARKER_BYTES_MAX];
	size_t bytes = caplog_marker(room, missing);

	assert_true(g->got.bytes >= bytes);
	assert_memory_equal(g->got.at, room, bytes);
	rv_buf_consume(&g->got, bytes);
}

static struct rig *rig_open(enum warden_output_kind kind)
{
	struct warden_spawn spec = { .output = kind, .log_bytes_max = CAP, .logs_dir = rv_str_of(scratch_path()),
				     .log_id = { .run = 7, .unit = 1, .attempt = 1 } };
	struct rig *g = calloc(1, sizeof *g);

	assert_non_null(g);
	(void)snprintf(g->dir, sizeof g->dir, "%s/log", scratch_path());
	rv_buf_init(&g->got, 0);
	assert_int_equal(seglog_open(&g->log, g->dir, 1 << 20, NULL), 0);
	assert_int_equal(capture_open(&g->c, &spec, &g->log, &g->pool), 0);
	g->c.watched = true;
	return g;
}

static void finish(struct rig *g)
{
	struct warden_output_place place;

	capture_let_go(&g->c);
	capture_finish(&g->c, &g->pool, g->scratch, 2, &place);
	assert_int_equal(place.stdout_bytes, g->said);
}

static void rig_close(struct rig *g)
{
	assert_int_equal(g->got.bytes, 0); /* nothing but what was expected */
	capture_release(&g->c);
	pipe_pool_release(&g->pool);
	seglog_close(&g->log);
	rv_buf_release(&g->got);
	free(g);
}

static void who_keeps_up_misses_nothing(void **state)
{
	static const size_t steps[] = { 1, 99, 350, 49, 1, 1, 250, 499, 500, 3, 7 };
	struct rig *g = rig_open(WARDEN_OUTPUT_FILES);

	(void)state;
	for (size_t i = 0; i < 5 * RV_ARRAY_LEN(steps); i++) {
		uint64_t from = g->said;

		say(g, steps[i % RV_ARRAY_LEN(steps)]);
		follow(g);
		expect_bytes(g, from, g->said);
		assert_int_equal(g->at, g->said);
	}
	say(g, 30); /* told at the end only */
	finish(g);
	assert_false(scratch_has("stdout.log.tail"));
	follow(g);
	expect_bytes(g, g->said - 30, g->said);
	assert_int_equal(g->at, g->said);
	rig_close(g);
}

static void who_falls_behind_is_told_how_much_is_missing(void **state)
{
	struct rig *g = rig_open(WARDEN_OUTPUT_FILES);

	(void)state;
	say(g, 200);
	follow(g);
	expect_bytes(g, 0, 200);
	say(g, 2800);
	follow(g);
	expect_bytes(g, 200, HALF);
	expect_marker(g, 2000);
	expect_bytes(g, 2500, 3000);
	say(g, 700);
	follow(g);
	expect_marker(g, 200);
	expect_bytes(g, 3200, 3700);
	finish(g);
	follow(g);
	assert_int_equal(g->at, 3700);
	g->at = 3000; /* one who was away meanwhile */
	follow(g);
	expect_marker(g, 200);
	expect_bytes(g, 3200, 3700);
	g->at = 0; /* and all that is kept */
	follow(g);
	expect_bytes(g, 0, HALF);
	expect_marker(g, 2700);
	expect_bytes(g, 3200, 3700);
	rig_close(g);
}

/* The marker's number may have any length, and the halves must be found. */
static void positions_after_the_end_are_found_for_each_length(void **state)
{
	static const uint64_t missing[] = { 1, 9, 10, 11, 99, 100, 101, 999, 1000, 9999, 10000 };

	for (size_t i = 0; i < RV_ARRAY_LEN(missing); i++) {
		struct rig *g = rig_open(WARDEN_OUTPUT_FILES);

		(void)state;
		while (g->said < CAP + missing[i])
			say(g, (size_t)rv_min_u64(CAP + missing[i] - g->said, 4000));
		finish(g);
		g->at = g->said - 100;
		follow(g);
		expect_bytes(g, g->said - 100, g->said);
		rig_close(g);
	}
}

static void what_fits_has_no_marker(void **state)
{
	struct rig *g = rig_open(WARDEN_OUTPUT_FILES);

	(void)state;
	say(g, 700);
	follow(g);
	say(g, 300);
	follow(g);
	expect_bytes(g, 0, CAP);
	finish(g);
	g->at = 650;
	follow(g);
	expect_bytes(g, 650, CAP);
	rig_close(g);
}

static void the_shared_log_is_followed_too(void **state)
{
	struct rig *g = rig_open(WARDEN_OUTPUT_LOG);

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint64_t from = g->said;

		say(g, 97);
		g->c.in_log.noted_us = 0;
		seglog_note(&g->log, &g->c.in_log);
		follow_shared(g);
		expect_bytes(g, from, g->said);
	}
	say(g, 50);
	finish(g);
	follow_shared(g);
	expect_bytes(g, g->said - 50, g->said);
	assert_int_equal(g->seen[0], g->said);
	rig_close(g);
}

/* A unit may write where its log is: a ring that is none, is torn or lies is not believed beyond the file's bounds. */
static void a_ring_that_lies_ends_nothing(void **state)
{
	static const uint64_t fields[][3] = { { 0, 500, 500 }, { 500, 400, 300 }, { 500, 600, 700 }, { UINT64_MAX, UINT64_MAX, UINT64_MAX },
					      { 500, INT64_MAX, 3000 }, { 1, 900, 900 } };
	struct rig *g = rig_open(WARDEN_OUTPUT_FILES);

	(void)state;
	say(g, 400);
	for (size_t i = 0; i < RV_ARRAY_LEN(fields); i++) {
		struct caplog_head h = { CAPLOG_MAGIC, fields[i][0], fields[i][1], fields[i][2] };
		int fd = openat(scratch_dir(), "stdout.log.tail", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert_int_equal(write(fd, &h, i % 2 ? sizeof h : sizeof h - 1), (ssize_t)(i % 2 ? sizeof h : sizeof h - 1));
		close(fd);
		g->at = 0;
		follow(g);
		rv_buf_reset(&g->got);
	}
	rig_close(g);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(who_keeps_up_misses_nothing),
		CASE(who_falls_behind_is_told_how_much_is_missing),
		CASE(positions_after_the_end_are_found_for_each_length),
		CASE(what_fits_has_no_marker),
		CASE(the_shared_log_is_followed_too),
		CASE(a_ring_that_lies_ends_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
