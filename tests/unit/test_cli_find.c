/* test_cli_find.c - state directories, runs and units named by people */
#include "tests/lib/test.h"

#include "cli/find.h"
#include "common/os/file.h"
#include "common/plan/diag.h"
#include "common/plan/plan.h"

#include <fcntl.h>

static char top[] = "/tmp/reeve-test-find-XXXXXX";
static char state_dir[PATH_MAX];

static void make_run(const char *name)
{
	char path[PATH_MAX];
	struct rv_err err;

	(void)snprintf(path, sizeof(path), "%s/.reeve/runs/%s", top, name);
	assert_int_equal(rv_dir_make(path, 0755, &err), 0);
}

static int setup(void **state)
{
	char path[PATH_MAX];
	struct rv_err err;

	(void)state;
	assert_non_null(mkdtemp(top));
	make_run("05xkr3c000");
	make_run("05xkr3d111");
	make_run("05xkr3d222");
	make_run("no run at all");
	(void)snprintf(state_dir, sizeof(state_dir), "%s/.reeve", top);
	(void)snprintf(path, sizeof(path), "%s/a/b/c", top);
	assert_int_equal(rv_dir_make(path, 0755, &err), 0);
	assert_int_equal(chdir(path), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	return rv_tree_remove_at(AT_FDCWD, top + 1, NULL); /* from / */
}

static void the_nearest_state_directory_upwards_is_taken(void **state)
{
	char found[PATH_MAX];
	struct rv_err err;

	(void)state;
	assert_int_equal(cli_find_state(NULL, found, &err), 0);
	assert_string_equal(found, state_dir);
	assert_int_equal(cli_find_state(state_dir, found, &err), 0);
	assert_int_equal(cli_find_state("/nonexistent", found, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	assert_int_equal(cli_find_state(top, found, &err), -1); /* there, but no state directory */
	assert_int_equal(err.code, RV_E_NOT_FOUND);
}

static void expect_run(const char *word, const char *want, enum rv_code code)
{
	struct rv_run_id id = { "" };
	struct rv_err err;

	if (want) {
		assert_int_equal(cli_find_run(state_dir, rv_str_of(word), &id, &err), 0);
		assert_string_equal(id.text, want);
	} else {
		assert_int_equal(cli_find_run(state_dir, rv_str_of(word), &id, &err), -1);
		assert_int_equal(err.code, code);
		assert_string_equal(id.text, "");
	}
}

static void runs_are_found_by_unique_prefix_and_the_newest_by_none(void **state)
{
	(void)state;
	expect_run("", "05xkr3d222", RV_OK);
	expect_run("05xkr3d111", "05xkr3d111", RV_OK);
	expect_run("05XKR3C", "05xkr3c000", RV_OK);
	expect_run("05xkr3d", NULL, RV_E_USAGE);
	expect_run("05xkr3d2222", NULL, RV_E_NOT_FOUND);
	expect_run("zz", NULL, RV_E_NOT_FOUND);
}

static void other_names_are_no_runs(void **state)
{
	struct rv_run_id *ids = NULL;
	uint32_t count = 0;
	struct rv_err err;

	(void)state;
	assert_int_equal(cli_list_runs(state_dir, &ids, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(ids[0].text, "05xkr3c000");
	free(ids);
}

static void words_split_at_the_first_slash(void **state)
{
	struct rv_str run, unit;

	(void)state;
	cli_split_word("abc/d/e", &run, &unit);
	assert_str(run, "abc");
	assert_str(unit, "d/e");
	cli_split_word("abc", &run, &unit);
	assert_str(run, "abc");
	assert_int_equal(unit.bytes, 0);
	cli_split_word("/u", &run, &unit);
	assert_int_equal(run.bytes, 0);
	assert_str(unit, "u");
}

static void units_are_found_by_id_and_unique_prefix(void **state)
{
	static const char text[] = "{\"version\":1,\"units\":[{\"id\":\"build\",\"command\":[\"true\"]},"
				   "{\"id\":\"build-all\",\"command\":[\"true\"]},{\"id\":\"lint\",\"command\":[\"true\"]},"
				   "{\"id\":\"fix\",\"command\":[\"echo\",\"{item}\"],\"for_each\":{\"count\":3}}]}";
	struct plan_load_options opt = { .dir = "/", .default_name = "t" };
	struct plan_diags *diags = malloc(sizeof(*diags));
	struct coord_graph *g = NULL;
	struct plan *plan = NULL;
	struct rv_err err;
	uint32_t unit = 99;

	(void)state;
	plan_diags_init(diags);
	assert_int_equal(plan_load_bytes(rv_str_of(text), PLAN_FORMAT_JSON, &opt, &plan, diags, &err), 0);
	assert_int_equal(coord_graph_build(plan, 1, NULL, &g, &err), 0);
	assert_int_equal(cli_find_unit(g, "06abc", RV_STR("build"), &unit, &err), 0);
	assert_int_equal(unit, 0);
	assert_int_equal(cli_find_unit(g, "06abc", RV_STR("build-"), &unit, &err), 0);
	assert_int_equal(unit, 1);
	assert_int_equal(cli_find_unit(g, "06abc", RV_STR("l"), &unit, &err), 0);
	assert_int_equal(unit, 2);
	assert_int_equal(cli_find_unit(g, "06abc", RV_STR("bui"), &unit, &err), -1);
	assert_int_equal(err.code, RV_E_USAGE);
	assert_int_equal(cli_find_unit(g, "06abc", RV_STR("fix-0003"), &unit, &err), 0);
	assert_int_equal(unit, 5);
	assert_int_equal(cli_find_unit(g, "06abc", RV_STR("fix"), &unit, &err), -1);
	assert_string_equal(err.msg, "\"fix\" stands for 3 units, fix-0001 to fix-0003: name one");
	assert_int_equal(cli_find_unit(g, "06abc", RV_STR("lnit"), &unit, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	assert_string_equal(err.hint, "did you mean lint?");
	assert_int_equal(cli_find_unit(g, "06abc", RV_STR("__verify__"), &unit, &err), -1);
	coord_graph_destroy(&g);
	plan_destroy(&plan);
	plan_diags_release(diags);
	free(diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_state_directory_upwards_is_taken),
		cmocka_unit_test(runs_are_found_by_unique_prefix_and_the_newest_by_none),
		cmocka_unit_test(other_names_are_no_runs),
		cmocka_unit_test(words_split_at_the_first_slash),
		cmocka_unit_test(units_are_found_by_id_and_unique_prefix),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
