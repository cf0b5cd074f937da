#include "tests/lib/test.h"

#include "common/os/file.h"
#include "tests/lib/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void close_all(int fd)
{
	assert_int_equal(close(fd), 0);
}

static enum rv_code open_code(const char *path, int flags)
{
	struct rv_err err = { 0 };
	int fd;

	if (rv_file_open_at(scratch_dir(), path, flags, 0600, &fd, &err) == 0) {
		close_all(fd);
		return RV_OK;
	}
	return err.code;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void paths_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const out[] = { "", "/etc/passwd", "..", "../x", "a/../f", "a/..", "./../f", "a/b/../../../f" };
	size_t i;

	(void)state;
	assert_int_equal(mkdir(scratch("a"), 0700), 0);
	scratch_write("f", "here");
	for (i = 0; i < RV_ARRAY_LEN(out); i++) {
		assert_int_equal(open_code(out[i], O_RDONLY), RV_E_IO);
		assert_int_equal(rv_open_walk(scratch_dir(), out[i], O_RDONLY, 0), -1);
		assert_int_equal(errno, EXDEV);
	}
	assert_int_equal(open_code("/./f", O_RDONLY), RV_E_IO);
	assert_int_equal(open_code("f", O_RDONLY), RV_OK);
	assert_int_equal(open_code("./f", O_RDONLY), RV_OK);
	assert_int_equal(open_code(".//f", O_RDONLY), RV_OK);
	assert_int_equal(open_code("nothing", O_RDONLY), RV_E_NOT_FOUND);
	assert_int_equal(open_code("a/new", O_WRONLY | O_CREAT | O_EXCL), RV_OK);
	assert_int_equal(open_code("a/new", O_WRONLY | O_CREAT | O_EXCL), RV_E_EXISTS);
}

static void links_are_not_followed_anywhere(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mkdir(scratch("real"), 0700), 0);
	scratch_write("real/f", "x");
	assert_int_equal(symlink("real", scratch("link")), 0);
	assert_int_equal(symlink("real/f", scratch("file")), 0);
	assert_int_equal(symlink("/proc/self/cwd", scratch("magic")), 0);
	assert_int_equal(open_code("link/f", O_RDONLY), RV_E_IO);
	assert_int_equal(open_code("file", O_RDONLY), RV_E_IO);
	assert_int_equal(open_code("file", O_WRONLY | O_CREAT), RV_E_IO);
	assert_int_equal(open_code("magic/x", O_RDONLY), RV_E_IO);
	assert_int_equal(rv_dir_open_at(scratch_dir(), "link", &fd, NULL), -1);
	assert_int_equal(rv_open_walk(scratch_dir(), "link/f", O_RDONLY, 0), -1);
	assert_int_equal(rv_open_walk(scratch_dir(), "file", O_RDONLY, 0), -1);
	assert_int_equal(rv_open_walk(scratch_dir(), "link", O_RDONLY | O_DIRECTORY, 0), -1);
	/* the user's own words may */
	assert_int_equal(rv_dir_open(scratch("link"), &fd, NULL), 0);
	close_all(fd);
	fd = rv_open_walk(scratch_dir(), "real//f", O_RDONLY, 0);
	assert_true(fd >= 0);
	close_all(fd);
	fd = rv_open_walk(scratch_dir(), "real/", O_RDONLY, 0);
	assert_true(fd >= 0);
	close_all(fd);
	assert_int_equal(rv_open_walk(scratch_dir(), "real/f/", O_RDONLY, 0), -1);
}

static void fifos_devices_and_sockets_do_not_hold_us(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(mkfifo(scratch("fifo"), 0600), 0);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", scratch("sock"));
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(open_code("fifo", O_RDONLY), RV_E_DENIED);
	assert_int_equal(open_code("fifo", O_WRONLY), RV_E_DENIED);
	assert_int_equal(open_code("sock", O_RDONLY), RV_E_DENIED);
	assert_int_equal(mkdir(scratch("dir"), 0700), 0);
	assert_int_equal(open_code("dir", O_RDONLY), RV_E_DENIED);
	assert_int_equal(open_code("dir", O_WRONLY), RV_E_IO);
	close_all(s);
}

/* --- reading and writing ----------------------------------------------------------------------------------------------- */

static void a_file_is_read_whole_or_not_at_all(void **state)
{
	struct rv_err err;
	struct rv_buf b;
	int pipes[2];

	(void)state;
	rv_buf_init(&b, 0);
	assert_int_equal(rv_buf_puts(&b, "kept"), 0);
	scratch_write("f", "0123456789");
	assert_int_equal(rv_file_read_at(scratch_dir(), "f", 10, &b, &err), 0);
	assert_str(rv_buf_str(&b), "kept0123456789");
	assert_int_equal(rv_file_read_at(scratch_dir(), "f", 9, &b, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_str(rv_buf_str(&b), "kept0123456789");
	assert_int_equal(rv_file_read(scratch("f"), SIZE_MAX, &b, &err), 0);
	assert_str(rv_buf_str(&b), "kept01234567890123456789");
	scratch_write("empty", "");
	assert_int_equal(rv_file_read_at(scratch_dir(), "empty", 0, &b, &err), 0);
	/* a pipe tells no size */
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], "abc", 3), 3);
	close_all(pipes[1]);
	rv_buf_reset(&b);
	assert_int_equal(rv_file_read_fd(pipes[0], "pipe", 2, &b, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_int_equal(b.bytes, 0);
	close_all(pipes[0]);
	assert_int_equal(rv_file_read("/proc/self/stat", 100000, &b, &err), 0);
	assert_true(b.bytes > 20);
	assert_int_equal(rv_file_read("/", 100, &b, &err), -1);
	assert_int_equal(rv_file_read(scratch("nothing"), 100, &b, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	rv_buf_release(&b);
}

static uint32_t names_in(const char *path)
{
	DIR *d = opendir(path);
	uint32_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void writing_is_all_or_nothing(void **state)
{
	struct rv_err err;
	struct rv_buf b;
	struct stat st;

	(void)state;
	rv_buf_init(&b, 0);
	assert_int_equal(mkdir(scratch("d"), 0700), 0);
	assert_int_equal(rv_file_write_at(scratch_dir(), "d/f", RV_STR("one"), 0640, RV_FILE_NOSYNC, &err), 0);
	assert_int_equal(rv_file_write_at(scratch_dir(), "d/f", RV_STR("two"), 0640, RV_FILE_SYNC, &err), 0);
	assert_int_equal(rv_file_read_at(scratch_dir(), "d/f", 10, &b, &err), 0);
	assert_str(rv_buf_str(&b), "two");
	assert_int_equal(stat(scratch("d/f"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(names_in(scratch("d")), 1);
	/* a directory is in the way: nothing stays behind */
	assert_int_equal(mkdir(scratch("d/dir"), 0700), 0);
	assert_int_equal(rv_file_write_at(scratch_dir(), "d/dir", RV_STR("x"), 0600, RV_FILE_NOSYNC, &err), -1);
	assert_int_equal(names_in(scratch("d")), 2);
	/* a link is replaced, not written through */
	scratch_write("target", "safe");
	assert_int_equal(symlink("../target", scratch("d/link")), 0);
	assert_int_equal(rv_file_write_at(scratch_dir(), "d/link", RV_STR("x"), 0600, RV_FILE_NOSYNC, &err), 0);
	rv_buf_reset(&b);
	assert_int_equal(rv_file_read_at(scratch_dir(), "target", 10, &b, &err), 0);
	assert_str(rv_buf_str(&b), "safe");
	assert_int_equal(rv_file_write_at(scratch_dir(), "no/f", RV_STR("x"), 0600, RV_FILE_NOSYNC, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	assert_int_equal(rv_file_write_at(scratch_dir(), "../f", RV_STR("x"), 0600, RV_FILE_NOSYNC, &err), -1);
	assert_int_equal(rv_file_write_at(scratch_dir(), "d/", RV_STR("x"), 0600, RV_FILE_NOSYNC, &err), -1);
	assert_int_equal(rv_file_write(scratch(".."), RV_STR("x"), 0600, RV_FILE_NOSYNC, &err), -1);
	rv_buf_release(&b);
}

static void what_is_there_stays(void **state)
{
	struct rv_buf b;
	struct rv_err err;

	(void)state;
	rv_buf_init(&b, 0);
	assert_int_equal(mkdir(scratch("d"), 0700), 0);
	assert_int_equal(rv_file_write_new_at(scratch_dir(), "d/f", RV_STR("one"), 0640, RV_FILE_SYNC, &err), 0);
	assert_int_equal(names_in(scratch("d")), 1);
	assert_int_equal(rv_file_write_new_at(scratch_dir(), "d/f", RV_STR("two"), 0640, RV_FILE_SYNC, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
	assert_int_equal(names_in(scratch("d")), 1);
	assert_int_equal(rv_file_read_at(scratch_dir(), "d/f", 10, &b, &err), 0);
	assert_str(rv_buf_str(&b), "one");
	/* also where it leads nowhere */
	assert_int_equal(symlink("nowhere", scratch("d/link")), 0);
	assert_int_equal(rv_file_write_new_at(scratch_dir(), "d/link", RV_STR("x"), 0640, RV_FILE_NOSYNC, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
	assert_int_equal(names_in(scratch("d")), 2);
	rv_buf_release(&b);
}

static void a_full_disk_is_told_as_such(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct rv_err err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(rv_file_put(fd, "output", RV_STR("x"), &err), -1);
	assert_int_equal(err.code, RV_E_NO_SPACE);
	assert_int_equal(err.sys, ENOSPC);
	close_all(fd);
}

static void reserved_blocks_are_there(void **state)
{
	int fd = open(scratch("f"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	(void)state;
	assert_int_equal(rv_file_preallocate(fd, "f", 100000, NULL), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 100000);
	assert_true(st.st_blocks * 512 >= 100000);
	assert_int_equal(rv_file_preallocate(fd, "f", 0, NULL), 0);
	assert_int_equal(rv_file_preallocate(fd, "f", (uint64_t)1 << 62, NULL), -1);
	close_all(fd);
}

/* --- directories ----------------------------------------------------------------------------------------------------------- */

static void directories_are_made_as_far_as_missing(void **state)
{
	struct rv_err err;
	struct stat st;

	(void)state;
	assert_int_equal(rv_dir_make_at(scratch_dir(), "a/b//c/", 0711, &err), 0);
	assert_int_equal(stat(scratch("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0711);
	assert_int_equal(rv_dir_make_at(scratch_dir(), "a/b/c/d", 0700, &err), 0);
	assert_int_equal(rv_dir_make_at(scratch_dir(), ".", 0700, &err), 0);
	assert_int_equal(symlink("a", scratch("link")), 0);
	assert_int_equal(rv_dir_make_at(scratch_dir(), "link/x", 0700, &err), -1);
	assert_false(scratch_has("a/x"));
	assert_int_equal(rv_dir_make_at(scratch_dir(), "../x", 0700, &err), -1);
	assert_int_equal(rv_dir_make_at(scratch_dir(), "a/../x", 0700, &err), -1);
	assert_int_equal(rv_dir_make_at(scratch_dir(), "/tmp", 0700, &err), -1);
	assert_int_equal(rv_dir_make_at(scratch_dir(), "", 0700, &err), -1);
	scratch_write("file", "x");
	assert_int_equal(rv_dir_make_at(scratch_dir(), "file", 0700, &err), -1);
	assert_int_equal(rv_dir_make_at(scratch_dir(), "file/x", 0700, &err), -1);
	assert_int_equal(rv_dir_make(scratch("link/y/z"), 0700, &err), 0); /* follows: the user's words */
	assert_true(scratch_has("a/y/z"));
	assert_int_equal(rv_dir_make(scratch("link/y/z/"), 0700, &err), 0);
	assert_int_equal(rv_dir_make(scratch("file"), 0700, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
}

static void trees_go_whole_and_links_stay_inside(void **state)
{
	uint32_t i;

	(void)state;
	assert_int_equal(rv_dir_make_at(scratch_dir(), "outside", 0700, NULL), 0);
	scratch_write("outside/precious", "x");
	assert_int_equal(rv_dir_make_at(scratch_dir(), "t/a/b/c", 0700, NULL), 0);
	for (i = 0; i < 60; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "t/a/b/c/f%u", i);
		scratch_write(name, "x");
		(void)snprintf(name, sizeof(name), "t/a/d%u", i);
		assert_int_equal(mkdir(scratch(name), 0700), 0);
		(void)snprintf(name, sizeof(name), "t/a/d%u/x", i);
		assert_int_equal(mkdir(scratch(name), 0700), 0);
		(void)snprintf(name, sizeof(name), "t/a/d%u/x/y", i);
		scratch_write(name, "x");
	}
	assert_int_equal(symlink("../outside", scratch("t/link")), 0);
	assert_int_equal(symlink("../../outside", scratch("t/a/link")), 0);
	assert_int_equal(mkfifo(scratch("t/fifo"), 0600), 0);
	scratch_write("t/a/.rv-rm-0", "somebody's own name");
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "t", NULL), 0);
	assert_false(scratch_has("t"));
	assert_true(scratch_has("outside/precious"));
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "t", NULL), 0); /* not there: fine */
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "no/t", NULL), 0);
	/* a link itself goes */
	assert_int_equal(symlink("outside", scratch("l")), 0);
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "l", NULL), 0);
	assert_true(scratch_has("outside/precious"));
	assert_int_equal(symlink("outside", scratch("l")), 0);
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "l/precious", NULL), -1);
	assert_true(scratch_has("outside/precious"));
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "..", NULL), -1);
	assert_int_equal(rv_tree_remove_at(scratch_dir(), ".", NULL), -1);
	assert_int_equal(rv_tree_remove_at(scratch_dir(), "outside/precious", NULL), 0);
}

static void depth_costs_neither_stack_nor_descriptors(void **state)
{
	struct rlimit few = { 16, 16 }, old;
	int at = dup(scratch_dir()), i;
	char name[201];

	(void)state;
	memset(name, 'd', sizeof(name));
	name[200] = '\0';
	for (i = 0; i < 60; i++) { /* longer than any path may be */
		int next;

		assert_int_equal(mkdirat(at, name, 0700), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close_all(at);
		at = next;
	}
	close_all(at);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(rv_tree_remove_at(scratch_dir(), name, NULL), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_false(scratch_has(name));
}

/* As a user without root's privileges, in a child: a unit may close its own directories. */
static void closed_directories_are_opened_up(void **state)
{
	pid_t child;
	int status;

	(void)state;
	assert_int_equal(chmod(scratch_path(), 0777), 0);
	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(2);
		if (rv_dir_make_at(scratch_dir(), "t/a/b/c", 0700, NULL) || chmod(scratch("t/a/b/c"), 0) ||
		    chmod(scratch("t/a/b"), 0500) || chmod(scratch("t/a"), 0) || chmod(scratch("t"), 0500))
			_exit(3);
		_exit(rv_tree_remove_at(scratch_dir(), "t", NULL) ? 4 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_false(scratch_has("t"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paths_that_lead_elsewhere_are_refused),
		TEST(links_are_not_followed_anywhere),
		TEST(fifos_devices_and_sockets_do_not_hold_us),
		TEST(a_file_is_read_whole_or_not_at_all),
		TEST(writing_is_all_or_nothing),
		TEST(what_is_there_stays),
		TEST(a_full_disk_is_told_as_such),
		TEST(reserved_blocks_are_there),
		TEST(directories_are_made_as_far_as_missing),
		TEST(trees_go_whole_and_links_stay_inside),
		TEST(depth_costs_neither_stack_nor_descriptors),
		TEST(closed_directories_are_opened_up),
	};

	return RUN(tests);
}
