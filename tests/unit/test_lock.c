#include "tests/lib/test.h"

#include "common/os/lock.h"
#include "tests/lib/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static int take(struct rv_lock *l, struct rv_lock_holder *holder, struct rv_err *err)
{
	return rv_lock_take(l, scratch_dir(), "lock", "a test", holder, err);
}

static void held_is_busy_and_told_by_whom(void **state)
{
	struct rv_lock_holder who;
	struct rv_lock a, b;
	struct rv_err err;

	(void)state;
	assert_int_equal(rv_lock_probe(scratch_dir(), "lock", &who, &err), 0);
	assert_int_equal(take(&a, NULL, &err), 0);
	assert_int_equal(take(&b, &who, &err), -1);
	assert_int_equal(err.code, RV_E_BUSY);
	assert_non_null(strstr(err.msg, "a test"));
	assert_true(who.known);
	assert_int_equal(who.pid, getpid());
	assert_string_equal(who.what, "a test");
	assert_true(who.start_ticks > 0);
	rv_lock_release(&b, RV_LOCK_KEEP); /* the wrong holder: nothing happens */
	rv_lock_release(&b, RV_LOCK_REMOVE);
	assert_int_equal(rv_lock_probe(scratch_dir(), "lock", &who, &err), 1);
	assert_int_equal(who.pid, getpid());
	rv_lock_release(&a, RV_LOCK_KEEP);
	rv_lock_release(&a, RV_LOCK_KEEP);
	assert_int_equal(rv_lock_probe(scratch_dir(), "lock", &who, &err), 0);
	assert_int_equal(take(&b, NULL, &err), 0);
	rv_lock_release(&b, RV_LOCK_REMOVE);
	assert_false(scratch_has("lock"));
}

static void empty_or_odd_metadata_is_no_licence(void **state)
{
	static const char *const texts[] = { "", "junk", "host=\n", "host=h\nboot=zz\npid=1\nstart=1\nwhat=x\n",
					     "host=h\npid=-1\n", "host=h\nboot=00000000000000000000000000000000\npid=99999999999\nstart=1\nwhat=\n" };
	struct rv_lock_holder who;
	struct rv_lock a, b;
	struct rv_err err;
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(texts); i++) {
		assert_int_equal(take(&a, NULL, &err), 0);
		assert_int_equal(ftruncate(a.fd, 0), 0); /* its holder has not written yet, or nonsense */
		assert_int_equal(pwrite(a.fd, texts[i], strlen(texts[i]), 0), strlen(texts[i]));
		assert_int_equal(take(&b, &who, &err), -1);
		assert_int_equal(err.code, RV_E_BUSY);
		assert_false(who.known);
		assert_int_equal(rv_lock_probe(scratch_dir(), "lock", &who, &err), 1);
		close(a.fd); /* died without a word: what it wrote means nothing */
		assert_int_equal(take(&b, NULL, &err), 0);
		rv_lock_release(&b, RV_LOCK_KEEP);
	}
}

static void a_killed_holder_holds_nothing(void **state)
{
	struct rv_lock_holder who;
	struct rv_err err;
	struct rv_lock l;
	int pipes[2], status;
	char c;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		if (take(&l, NULL, NULL) || write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_int_equal(take(&l, &who, &err), -1);
	assert_int_equal(who.pid, child);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(scratch_size("lock") > 0); /* what it wrote is still there */
	assert_int_equal(take(&l, NULL, &err), 0);
	rv_lock_release(&l, RV_LOCK_KEEP);
	close(pipes[0]);
	close(pipes[1]);
}

static void a_child_that_inherits_it_gives_nothing_back(void **state)
{
	struct rv_lock_holder who;
	struct rv_err err;
	struct rv_lock l, other;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(take(&l, NULL, &err), 0);
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		rv_lock_release(&l, RV_LOCK_REMOVE);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(take(&other, &who, &err), -1);
	assert_true(who.known);
	rv_lock_release(&l, RV_LOCK_KEEP);
}

static void a_removed_file_is_not_the_lock(void **state)
{
	struct rv_lock a, b;
	struct rv_err err;

	(void)state;
	assert_int_equal(take(&a, NULL, &err), 0);
	assert_int_equal(unlink(scratch("lock")), 0); /* somebody tidied up: two may hold then, */
	assert_int_equal(take(&b, NULL, &err), 0);
	rv_lock_release(&b, RV_LOCK_REMOVE);
	rv_lock_release(&a, RV_LOCK_KEEP);
	/* but who locks a file that is just being removed notices */
	assert_int_equal(take(&a, NULL, &err), 0);
	rv_lock_release(&a, RV_LOCK_REMOVE);
	assert_int_equal(take(&a, NULL, &err), 0);
	assert_true(scratch_has("lock"));
	rv_lock_release(&a, RV_LOCK_KEEP);
}

static void errors_are_not_busy(void **state)
{
	struct rlimit none = { 0, 0 }, old;
	struct rv_lock l;
	struct rv_err err;

	(void)state;
	assert_int_equal(mkdir(scratch("lock"), 0700), 0);
	assert_int_equal(take(&l, NULL, &err), -1);
	assert_int_not_equal(err.code, RV_E_BUSY);
	assert_int_equal(rmdir(scratch("lock")), 0);
	assert_int_equal(symlink("elsewhere", scratch("lock")), 0);
	assert_int_equal(take(&l, NULL, &err), -1);
	assert_int_not_equal(err.code, RV_E_BUSY);
	assert_false(scratch_has("elsewhere"));
	assert_int_equal(unlink(scratch("lock")), 0);
	assert_int_equal(mkfifo(scratch("lock"), 0600), 0);
	assert_int_equal(take(&l, NULL, &err), -1);
	assert_int_equal(err.code, RV_E_DENIED);
	assert_int_equal(unlink(scratch("lock")), 0);
	/* no room for what the holder has to say: EFBIG here, ENOSPC on a full disk */
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(take(&l, NULL, &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(err.code, RV_E_IO);
	assert_int_equal(l.fd, -1);
	assert_int_equal(take(&l, NULL, &err), 0); /* and nothing was left held */
	rv_lock_release(&l, RV_LOCK_KEEP);
	assert_int_equal(rv_lock_take(&l, scratch_dir(), "a/b", "x", NULL, &err), -1);
}

/* The rule, on its own: the kernel gave us the lock; may the one whose name is in the file still live? */
static void who_may_still_live(void **state)
{
	static const uint8_t here[RV_BOOT_ID_BYTES] = { 1 }, before[RV_BOOT_ID_BYTES] = { 2 },
			     unknown[RV_BOOT_ID_BYTES];
	struct rv_lock_holder old = { .known = true, .host = "alpha", .pid = 100, .start_ticks = 777 };
	struct rv_lock_self self = { .host = "alpha", .boot_id = here, .pid = 200 };

	(void)state;
	memcpy(old.boot_id, here, sizeof(here));
	self.process = 0; /* gone */
	assert_false(rv_lock_may_live(&old, &self));
	self.process = 1; /* there is such a pid: the same process, or another by now */
	self.process_ticks = 777;
	assert_true(rv_lock_may_live(&old, &self));
	self.process_ticks = 778;
	assert_false(rv_lock_may_live(&old, &self));
	old.start_ticks = 0; /* it did not know its own start */
	assert_true(rv_lock_may_live(&old, &self));
	old.start_ticks = 777;
	self.process = -1; /* EPERM: somebody, and we may not look */
	assert_true(rv_lock_may_live(&old, &self));
	self.local = true; /* the kernel sees all holders of a local file: it said free */
	assert_false(rv_lock_may_live(&old, &self));
	self.local = false;
	old.pid = 200; /* we ourselves */
	self.process = 1;
	self.process_ticks = 777;
	assert_false(rv_lock_may_live(&old, &self));
	old.pid = 100;

	memcpy(old.boot_id, before, sizeof(before)); /* the same host before a restart */
	assert_false(rv_lock_may_live(&old, &self));
	(void)snprintf(old.host, sizeof(old.host), "beta"); /* another host */
	assert_true(rv_lock_may_live(&old, &self));
	self.local = true;
	assert_false(rv_lock_may_live(&old, &self));
	self.local = false;
	self.boot_id = unknown; /* nothing is known of boots: names decide */
	assert_true(rv_lock_may_live(&old, &self));
	(void)snprintf(old.host, sizeof(old.host), "alpha");
	self.process = 0;
	assert_false(rv_lock_may_live(&old, &self));
	old.known = false;
	self.process = 1;
	assert_false(rv_lock_may_live(&old, &self));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(held_is_busy_and_told_by_whom),
		TEST(empty_or_odd_metadata_is_no_licence),
		TEST(a_killed_holder_holds_nothing),
		TEST(a_child_that_inherits_it_gives_nothing_back),
		TEST(a_removed_file_is_not_the_lock),
		TEST(errors_are_not_busy),
		TEST(who_may_still_live),
	};

	return RUN(tests);
}
