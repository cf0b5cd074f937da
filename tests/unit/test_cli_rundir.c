/* test_cli_rundir.c - the directory of a run */
#include "tests/lib/test.h"

#include "cli/rundir.h"
#include "common/os/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Left to chance, a dozen of so many would, where they begin within a second. */
static void no_two_runs_share_an_id(void **state)
{
	char top[] = "/tmp/reeve-test-rundir-XXXXXX", path[PATH_MAX + 8];
	struct cli_rundir d;
	struct rv_err err;

	(void)state;
	assert_non_null(mkdtemp(top));
	for (int i = 0; i < 1000; i++) {
		memset(&d, 0, sizeof d);
		assert_int_equal(cli_rundir_make(&d, top, NULL, &err), 0);
		assert_true(d.made);
		(void)snprintf(path, sizeof path, "%s/mine", d.run);
		assert_int_equal(mkdir(path, 0700), 0); /* nobody has it yet */
	}
	memset(&d, 0, sizeof d);
	assert_int_equal(cli_rundir_make(&d, top, &(struct rv_run_id){ "0000000000" }, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rv_tree_remove_at(AT_FDCWD, top + 1, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_two_runs_share_an_id),
	};

	return RUN(tests);
}
