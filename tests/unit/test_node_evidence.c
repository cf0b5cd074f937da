/* test_node_evidence.c - artifacts directories that mean no good, and namespaces somebody got at */
#include "tests/lib/test.h"

#include "common/id.h"
#include "common/os/file.h"
#include "common/os/keys.h"
#include "node/evidence.h"
#include "node/workspace/namespace.h"

#include <fcntl.h>
#include <sys/stat.h>

#define RUN_NUMBER 0x3ffffffffull

static char dir[256];

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/evidence-XXXXXX", tmp && strlen(tmp) < 100 ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	int top, rc;

	(void)state;
	if (rv_dir_open("/", &top, NULL) < 0)
		return -1;
	rc = rv_tree_remove_at(top, dir + 1, NULL);
	close(top);
	return rc;
}

static void path_of(char out[512], const char *name)
{
	snprintf(out, 512, "%s/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	char path[512];

	path_of(path, name);
	assert_int_equal(rv_file_write(path, rv_str_of(text), 0644, RV_FILE_NOSYNC, NULL), 0);
}

static void list(struct node_artifacts *a)
{
	struct rv_err err = { 0 };
	int fd;

	assert_int_equal(rv_dir_open(dir, &fd, &err), 0);
	node_artifacts_init(a);
	assert_int_equal(node_artifacts_list(a, fd, &err), 0);
}

static void only_own_regular_files_count(void **state)
{
	struct node_artifacts a;
	char path[512], to[512];
	uint8_t want[32];

	(void)state;
	put("b", "bee");
	put("a\xff", "bad name");
	path_of(path, "sub");
	assert_int_equal(mkdir(path, 0755), 0);
	put("sub/c", "");
	path_of(path, "link");
	assert_int_equal(symlink("/etc/passwd", path), 0);
	path_of(path, "linkdir");
	assert_int_equal(symlink("/etc", path), 0);
	path_of(path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	path_of(path, "hard");
	path_of(to, "b");
	assert_int_equal(link(to, path), 0); /* one of its own: fine */
	if (getuid() == 0) {
		put("foreign", "not its own");
		path_of(path, "foreign");
		assert_int_equal(chown(path, 12345, 12345), 0);
		path_of(path, "setuid");
		put("setuid", "x");
		assert_int_equal(chmod(path, 04755), 0);
	}
	list(&a);
	assert_int_equal(a.count, getuid() == 0 ? 5 : 4);
	assert_int_equal(a.skipped, getuid() == 0 ? 4 : 3);
	assert_str(a.items[0].name, "a\xff"); /* any bytes: it has to be found again */
	assert_str(a.items[1].name, "b");
	assert_str(a.items[2].name, "hard");
	assert_str(a.items[a.count - 1].name, "sub/c");
	while (node_artifacts_digest(&a, 1))
		;
	rv_digest(RV_STR("bee"), want);
	assert_memory_equal(a.items[1].digest, want, 32);
	rv_digest(RV_STR("bad name"), want);
	assert_memory_equal(a.items[0].digest, want, 32);
	rv_digest(RV_STR(""), want);
	assert_memory_equal(a.items[a.count - 1].digest, want, 32);
	node_artifacts_release(&a);
}

static void a_terabyte_is_not_read_and_a_large_file_in_steps(void **state)
{
	struct node_artifacts a;
	char path[512];
	int steps = 0;

	(void)state;
	put("big", "");
	path_of(path, "big");
	assert_int_equal(truncate(path, (off_t)1 << 40), 0);
	put("middle", "");
	path_of(path, "middle");
	assert_int_equal(truncate(path, 10 << 20), 0);
	list(&a);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.items[0].bytes, (uint64_t)1 << 40);
	while (node_artifacts_digest(&a, 1 << 20))
		steps++;
	assert_in_range(steps, 8, 12);
	assert_true(rv_digest_is_zero(a.items[0].digest));
	assert_false(rv_digest_is_zero(a.items[1].digest));
	node_artifacts_release(&a);
}

static void swapped_while_it_is_digested(void **state)
{
	struct node_artifacts a;
	char path[512], away[512];

	(void)state;
	path_of(path, "d");
	assert_int_equal(mkdir(path, 0755), 0);
	put("d/passwd", "0123456789");
	put("e", "e");
	list(&a);
	assert_int_equal(a.count, 2);
	path_of(away, "away");
	assert_int_equal(rename(path, away), 0);
	assert_int_equal(symlink("/etc", path), 0); /* /etc/passwd lies behind the same name now */
	while (node_artifacts_digest(&a, 1 << 20))
		;
	assert_true(rv_digest_is_zero(a.items[0].digest));
	assert_false(rv_digest_is_zero(a.items[1].digest));
	node_artifacts_release(&a);
}

static void many_names_are_bounded(void **state)
{
	struct node_artifacts a;
	char name[64];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		char path[512];

		snprintf(name, sizeof(name), "f%05d", i);
		path_of(path, name);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	list(&a);
	assert_int_equal(a.count, NODE_ARTIFACTS_MAX);
	assert_int_equal(a.matched, 5000);
	assert_true(a.truncated);
	assert_true(rv_str_compare(a.items[0].name, a.items[1].name) < 0);
	node_artifacts_release(&a);
}

static void depth_is_bounded(void **state)
{
	struct node_artifacts a;
	char path[512];
	int fd, below;

	(void)state;
	assert_int_equal(rv_dir_open(dir, &fd, NULL), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		below = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	close(openat(fd, "deep", O_CREAT | O_WRONLY, 0600));
	close(fd);
	put("d/shallow", "x");
	path_of(path, "");
	list(&a);
	assert_int_equal(a.count, 1);
	assert_true(a.truncated);
	node_artifacts_release(&a);
}

static void names_fit_a_message(void **state)
{
	struct node_artifacts a;
	char name[251], path[512];

	(void)state;
	memset(name, 'n', 250);
	name[250] = '\0';
	for (int i = 0; i < 2000; i++) {
		for (int k = 0, left = i; k < 4; k++, left /= 10)
			name[k] = (char)('0' + left % 10);
		path_of(path, name);
		close(open(path, O_CREAT | O_WRONLY, 0600));
	}
	list(&a);
	assert_true(a.names_bytes <= NODE_ARTIFACT_NAMES_BYTES_MAX);
	assert_true(a.truncated);
	assert_true(a.count > 1000);
	node_artifacts_release(&a);
}

/* --- namespaces ----------------------------------------------------------------------------------------------------- */

static void a_namespace_is_made_anew_and_nobody_elses(void **state)
{
	struct node_namespaces n;
	struct rv_buf path;
	struct rv_err err = { 0 };
	struct stat st;
	int fd;

	(void)state;
	rv_buf_init(&path, 0);
	node_namespaces_init(&n, rv_str_of(dir));
	assert_int_equal(node_namespace_make(&n, RUN_NUMBER, RV_STR("u"), 1, &fd, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	close(openat(fd, "artifacts/old", O_CREAT | O_WRONLY, 0600));
	close(fd);
	assert_int_equal(node_namespace_make(&n, RUN_NUMBER, RV_STR("u"), 1, &fd, &err), 0);
	assert_int_equal(fstatat(fd, "artifacts/old", &st, 0), -1);
	assert_int_equal(fstatat(fd, "tmp", &st, 0), 0);
	close(fd);
	node_namespace_path(&n, RUN_NUMBER, RV_STR("u"), 1, &path);
	assert_int_equal(stat(path.at, &st), 0);
	assert_int_equal(node_namespace_open(&n, RUN_NUMBER, RV_STR("u"), 2, &fd, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	assert_int_equal(node_namespace_make(&n, RUN_NUMBER, RV_STR("../x"), 1, &fd, &err), -1);
	assert_int_equal(node_namespace_make(&n, RUN_NUMBER, RV_STR(""), 1, &fd, &err), -1);
	assert_int_equal(node_namespace_make(&n, RUN_NUMBER, RV_STR("__verify__"), 1, &fd, &err), 0);
	close(fd);
	node_namespaces_release(&n);
	rv_buf_release(&path);
}

static void a_link_in_the_way_is_not_followed(void **state)
{
	struct rv_run_id run = rv_run_id_of(RUN_NUMBER);
	struct node_namespaces n;
	struct rv_err err = { 0 };
	char path[512], units[512];
	struct stat st;
	int fd;

	(void)state;
	node_namespaces_init(&n, rv_str_of(dir));
	assert_int_equal(node_namespace_make(&n, RUN_NUMBER, RV_STR("first"), 1, &fd, &err), 0);
	close(fd);
	path_of(path, "victim");
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(units, sizeof(units), "%s/runs/%s/units/u", dir, run.text);
	assert_int_equal(symlink(path, units), 0);
	assert_int_equal(node_namespace_make(&n, RUN_NUMBER, RV_STR("u"), 1, &fd, &err), -1);
	path_of(path, "victim/1");
	assert_int_equal(stat(path, &st), -1);
	node_namespaces_release(&n);
}

static void handed_over_files_are_made_once(void **state)
{
	struct node_namespaces n;
	struct rv_err err = { 0 };
	struct rv_buf path, text;

	(void)state;
	rv_buf_init(&path, 0);
	rv_buf_init(&text, 0);
	node_namespaces_init(&n, rv_str_of(dir));
	assert_false(node_namespace_has_handoff(&n, RUN_NUMBER, RV_STR("abc"), &path));
	rv_buf_reset(&path);
	assert_int_equal(node_namespace_handoff(&n, RUN_NUMBER, RV_STR("abc"), RV_STR("large"), &path, &err), 0);
	assert_int_equal(rv_file_read(path.at, 100, &text, &err), 0);
	assert_str(rv_buf_str(&text), "large");
	rv_buf_reset(&path);
	assert_true(node_namespace_has_handoff(&n, RUN_NUMBER, RV_STR("abc"), &path));
	node_namespaces_release(&n);
	rv_buf_release(&path);
	rv_buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_own_regular_files_count, setup, teardown),
		cmocka_unit_test_setup_teardown(a_terabyte_is_not_read_and_a_large_file_in_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(swapped_while_it_is_digested, setup, teardown),
		cmocka_unit_test_setup_teardown(many_names_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(depth_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(names_fit_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(a_namespace_is_made_anew_and_nobody_elses, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_in_the_way_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(handed_over_files_are_made_once, setup, teardown),
	};

	return RUN(tests);
}
