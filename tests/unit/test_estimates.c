#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/os/file.h"
#include "coordinator/journal/estimates.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/reeve-estimates-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/estimates.db", dir);
	return 0;
}

static int drop_dir(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	rv_tree_remove_at(tmp, dir + 5, NULL);
	close(tmp);
	return 0;
}

static struct journal_estimates *open_ok(enum estimates_mode mode)
{
	struct journal_estimates *e = NULL;
	struct rv_err err;

	if (journal_estimates_open(&e, dir, mode, &err))
		fail_msg("%s", err.msg);
	return e;
}

static void learn(struct journal_estimates *e, const char *unit, uint64_t us, uint64_t now)
{
	struct rv_err err;

	assert_int_equal(journal_estimates_begin(e, &err), 0);
	if (journal_estimates_add(e, RV_STR("plan"), rv_str_of(unit), RV_STR("claude"), us, now, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(journal_estimates_end(e, &err), 0);
}

static uint64_t known(struct journal_estimates *e, const char *unit)
{
	uint64_t us = 0;
	int rc = journal_estimates_get(e, RV_STR("plan"), rv_str_of(unit), RV_STR("claude"), &us, NULL);

	assert_true(rc >= 0);
	return rc ? us : 0;
}

static void the_median_of_the_last_five(void **state)
{
	struct journal_estimates *e = open_ok(ESTIMATES_WRITE);

	(void)state;
	assert_int_equal(known(e, "a"), 0);
	learn(e, "a", 100, 1);
	assert_int_equal(known(e, "a"), 100);
	learn(e, "a", 300, 2);
	assert_int_equal(known(e, "a"), 100);
	learn(e, "a", 200, 3);
	assert_int_equal(known(e, "a"), 200);
	learn(e, "a", 900, 4);
	learn(e, "a", 800, 5);
	assert_int_equal(known(e, "a"), 300);
	learn(e, "a", 700, 6); /* 100 goes: 300 200 900 800 700 */
	assert_int_equal(known(e, "a"), 700);
	learn(e, "a", UINT64_MAX, 7);
	learn(e, "a", UINT64_MAX, 8);
	learn(e, "a", UINT64_MAX, 9);
	assert_true(known(e, "a") == ESTIMATES_US_MAX);
	journal_estimates_close(&e);
	journal_estimates_close(&e);
	e = open_ok(ESTIMATES_READ);
	assert_true(known(e, "a") == ESTIMATES_US_MAX);
	assert_int_equal(known(e, "b"), 0);
	journal_estimates_close(&e);
}

static void count_units(void *arg, struct rv_str unit, struct rv_str agent, uint64_t us)
{
	uint32_t *sum = arg;

	assert_true(rv_str_equal(agent, RV_STR("claude")));
	assert_int_equal(unit.bytes, 1);
	*sum += (uint32_t)us;
}

static void a_plan_is_read_in_one_go(void **state)
{
	struct journal_estimates *e = open_ok(ESTIMATES_WRITE);
	struct rv_err err;
	uint32_t sum = 0;

	(void)state;
	learn(e, "a", 1, 1);
	learn(e, "b", 10, 1);
	learn(e, "c", 100, 1);
	assert_int_equal(journal_estimates_begin(e, &err), 0);
	assert_int_equal(journal_estimates_add(e, RV_STR("other"), RV_STR("a"), RV_STR("claude"), 5, 1, &err), 0);
	assert_int_equal(journal_estimates_end(e, &err), 0);
	assert_int_equal(journal_estimates_of_plan(e, RV_STR("plan"), count_units, &sum, &err), 0);
	assert_int_equal(sum, 111);
	journal_estimates_close(&e);
}

static void what_was_not_ended_was_not_learned(void **state)
{
	struct journal_estimates *e = open_ok(ESTIMATES_WRITE);

	(void)state;
	learn(e, "a", 100, 1);
	assert_int_equal(journal_estimates_begin(e, NULL), 0);
	assert_int_equal(journal_estimates_add(e, RV_STR("plan"), RV_STR("a"), RV_STR("claude"), 1, 1, NULL), 0);
	journal_estimates_close(&e);
	e = open_ok(ESTIMATES_READ);
	assert_int_equal(known(e, "a"), 100);
	journal_estimates_close(&e);
}

static void those_used_longest_ago_go(void **state)
{
	struct journal_estimates *e = open_ok(ESTIMATES_WRITE);
	struct rv_err err;
	uint32_t i;
	char unit[32];

	(void)state;
	assert_int_equal(journal_estimates_begin(e, &err), 0);
	for (i = 0; i < ESTIMATES_KEYS_MAX + 10; i++) {
		snprintf(unit, sizeof(unit), "u%u", i);
		assert_int_equal(journal_estimates_add(e, RV_STR("plan"), rv_str_of(unit), RV_STR("claude"), 7, 1000 + i,
						       &err), 0);
	}
	assert_int_equal(journal_estimates_end(e, &err), 0);
	assert_int_equal(known(e, "u9"), 0);
	assert_int_equal(known(e, "u10"), 7);
	assert_int_equal(known(e, "u100009"), 7);
	journal_estimates_close(&e);
}

static void damage_costs_only_what_was_learned(void **state)
{
	struct journal_estimates *e = NULL;
	struct rv_err err;
	char junk[5000];
	uint64_t us;
	int fd;

	(void)state;
	assert_int_equal(journal_estimates_open(&e, dir, ESTIMATES_READ, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	memset(junk, 'j', sizeof(junk));
	assert_int_equal(rv_file_write(path, rv_str(junk, sizeof(junk)), 0600, RV_FILE_NOSYNC, NULL), 0);
	assert_int_equal(journal_estimates_open(&e, dir, ESTIMATES_READ, &err), -1);
	assert_int_equal(err.code, RV_E_CORRUPT);
	e = open_ok(ESTIMATES_WRITE);
	learn(e, "a", 5, 1);
	assert_int_equal(known(e, "a"), 5);
	journal_estimates_close(&e);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(journal_estimates_open(&e, dir, ESTIMATES_READ, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	/* damage inside is seen when it is used; the file goes then, and the next run begins anew */
	e = open_ok(ESTIMATES_WRITE);
	learn(e, "a", 5, 1);
	journal_estimates_close(&e);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, 4096, 4096), 4096);
	close(fd);
	e = open_ok(ESTIMATES_READ);
	assert_int_equal(journal_estimates_get(e, RV_STR("plan"), RV_STR("a"), RV_STR("claude"), &us, &err), -1);
	assert_int_equal(err.code, RV_E_CORRUPT);
	journal_estimates_close(&e);
	e = open_ok(ESTIMATES_WRITE);
	assert_int_equal(known(e, "a"), 0);
	learn(e, "a", 5, 1);
	journal_estimates_close(&e);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/tmp/elsewhere.db", path), 0);
	assert_int_equal(journal_estimates_open(&e, dir, ESTIMATES_WRITE, &err), -1);
	assert_int_equal(err.code, RV_E_DENIED);
	assert_int_equal(unlink(path), 0);
}

static void two_runs_learn_one_after_the_other(void **state)
{
	struct journal_estimates *a = open_ok(ESTIMATES_WRITE), *b = open_ok(ESTIMATES_WRITE);

	(void)state;
	learn(a, "a", 10, 1);
	learn(b, "a", 20, 2);
	learn(a, "a", 30, 3);
	assert_int_equal(known(b, "a"), 20);
	journal_estimates_close(&a);
	journal_estimates_close(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_median_of_the_last_five),
		TEST(a_plan_is_read_in_one_go),
		TEST(what_was_not_ended_was_not_learned),
		TEST(those_used_longest_ago_go),
		TEST(damage_costs_only_what_was_learned),
		TEST(two_runs_learn_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
