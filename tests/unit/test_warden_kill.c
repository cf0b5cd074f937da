/* killing is whole: at every kill level this machine has, as root and as uid 1000 */
#include "node/warden/tree.h"
#include "tests/lib/warden_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <glob.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GRACE_US 200000u
/* An attempt is over within grace + 1 s. With a sanitizer, five wardens at once need more to look through all processes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLACK_US 5000000u
#else
#define SLACK_US 1000000u
#endif

/* At each level, as root and as uid 1000, all at once. A level that this user cannot have is told and left out; subreaper
 * works everywhere. */
static void everywhere(lab_scenario *scenario)
{
	static const uint32_t uids[] = { 0, 1000 };
	pid_t pids[2][WARDEN_LEVEL_SUBREAPER + 1] = { 0 };
	size_t users = geteuid() == 0 ? 2 : 1;

	for (size_t u = 0; u < users; u++)
		for (int level = WARDEN_LEVEL_CGROUP; level <= WARDEN_LEVEL_SUBREAPER; level++) {
			pids[u][level] = fork();
			if (pids[u][level] == 0)
				_exit(lab_run(scenario, (enum warden_level)level, uids[u]));
			assert_true(pids[u][level] > 0);
		}
	for (size_t u = 0; u < users; u++)
		for (int level = WARDEN_LEVEL_CGROUP; level <= WARDEN_LEVEL_SUBREAPER; level++) {
			int status;

			assert_int_equal(waitpid(pids[u][level], &status, 0), pids[u][level]);
			if (status && !(WIFEXITED(status) && WEXITSTATUS(status) == 2))
				print_message("as uid %u at level %s:\n", uids[u] ? uids[u] : geteuid(),
					      warden_level_name((enum warden_level)level));
			assert_true(WIFEXITED(status));
			assert_int_not_equal(WEXITSTATUS(status), 1);
			if (level == WARDEN_LEVEL_SUBREAPER)
				assert_int_equal(WEXITSTATUS(status), 0);
		}
}

/* Spawns, waits until `want` processes live, kills, and expects EXITED and none left within grace + 1 s. */
static void kill_after(struct lab *lab, const char *what, const char *arg, int want)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	uint64_t key = lab_unit_spawn(lab, &m, what, arg), t0;
	struct warden_exited e;
	struct rv_err err;

	LAB_CHECK(!warden_client_flush(&lab->c, &err));
	LAB_CHECK(lab_await_count(lab, want, LAB_PATIENCE_US) == want);
	LAB_CHECK(!warden_put_kill(&lab->c.out, key, RV_NEVER));
	t0 = lab_now();
	e = lab_exited(lab, key);
	LAB_CHECK(lab_now() - t0 < GRACE_US + SLACK_US);
	LAB_CHECK(lab_count(lab) == 0);
	LAB_CHECK(e.why == WARDEN_WHY_KILLED);
	LAB_CHECK(e.signal == SIGKILL || e.signal == SIGTERM);
	LAB_CHECK(e.level == lab->level);
}

static void plain(struct lab *lab)
{
	kill_after(lab, "stay", "", 1);
}

static void stubborn(struct lab *lab)
{
	kill_after(lab, "stubborn", "", 1);
}

static void double_forked(struct lab *lab)
{
	kill_after(lab, "daemon-stay", "", 2);
}

static void bomb(struct lab *lab)
{
	kill_after(lab, "bomb", "120", 121);
	/* and the same tree, or the next, can be used again */
	kill_after(lab, "stay", "", 1);
}

static void one_that_obeys_ends_by_term(void **state)
{
	(void)state;
	everywhere(plain);
}

static void one_that_ignores_term_is_killed_after_grace(void **state)
{
	(void)state;
	everywhere(stubborn);
}

static void double_fork_and_setsid_do_not_escape(void **state)
{
	(void)state;
	everywhere(double_forked);
}

static void a_fork_bomb_is_ended_whole(void **state)
{
	(void)state;
	everywhere(bomb);
}

static void hopper(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	uint64_t key = lab_unit_spawn(lab, &m, "hopper", ""), t0 = lab_now();
	struct warden_exited e = lab_exited(lab, key);

	/* Its first process ends at once and well; what it left is hunted down. */
	LAB_CHECK(lab_now() - t0 < GRACE_US + SLACK_US);
	LAB_CHECK(e.why == WARDEN_WHY_EXITED && e.code == 0);
	LAB_CHECK(lab_count(lab) == 0);
}

static void one_that_forks_and_dies_without_end_is_caught(void **state)
{
	(void)state;
	everywhere(hopper);
}

static void leftover(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	uint64_t key = lab_unit_spawn(lab, &m, "daemon", "");
	struct warden_exited e = lab_exited(lab, key);

	LAB_CHECK(e.why == WARDEN_WHY_EXITED && e.code == 0 && e.stray_pids >= 1);
	LAB_CHECK(lab_count(lab) == 0);
}

static void what_outlives_the_main_process_is_ended_and_its_status_kept(void **state)
{
	(void)state;
	everywhere(leftover);
}

static void hidden(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	struct warden_exited e = lab_exited(lab, lab_unit_spawn(lab, &m, "hidden", ""));

	LAB_CHECK(e.why == WARDEN_WHY_EXITED && e.code == 0);
	LAB_CHECK(lab_count(lab) == 0);
}

static void one_that_hides_session_and_label_is_found(void **state)
{
	(void)state;
	everywhere(hidden);
}

/* Two at once: the one's strays are not the other's. */
static void neighbours(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	uint64_t stays = lab_unit_spawn(lab, &m, "daemon-stay", "");
	uint64_t goes;
	struct warden_exited e;
	struct rv_err err;

	LAB_CHECK(!warden_client_flush(&lab->c, &err));
	LAB_CHECK(lab_await_count(lab, 2, LAB_PATIENCE_US) == 2);
	goes = lab_unit_spawn(lab, &m, "daemon", "");
	e = lab_exited(lab, goes);
	LAB_CHECK(e.code == 0 && e.stray_pids == 1);
	LAB_CHECK(lab_count(lab) == 2);
	LAB_CHECK(!warden_put_kill(&lab->c.out, stays, 0));
	e = lab_exited(lab, stays);
	LAB_CHECK(e.why == WARDEN_WHY_KILLED);
	LAB_CHECK(lab_count(lab) == 0);
}

static void strays_are_told_apart(void **state)
{
	(void)state;
	everywhere(neighbours);
}

static void warden_killed(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	struct rv_err err = { 0 };

	lab_unit_spawn(lab, &m, "daemon-stay", "");
	lab_unit_spawn(lab, &m, "bomb", "20");
	LAB_CHECK(!warden_client_flush(&lab->c, &err));
	LAB_CHECK(lab_await_count(lab, 23, LAB_PATIENCE_US) == 23);
	kill(lab->c.pid, SIGKILL);
	LAB_CHECK(waitpid(lab->c.pid, NULL, 0) == lab->c.pid);
	LAB_CHECK(warden_reap_orphans(lab->dir, &err) >= 0);
	LAB_CHECK(lab_await_count(lab, 0, SLACK_US) == 0);
	if (lab->level == WARDEN_LEVEL_CGROUP) {
		char *own = cgroup_own_dir(), pattern[4200];
		glob_t found;

		snprintf(pattern, sizeof(pattern), "%s/reeve-%d-*", own, (int)lab->c.pid);
		LAB_CHECK(glob(pattern, 0, NULL, &found) == GLOB_NOMATCH);
		free(own);
	}
	lab->c.pid = 0;
}

static void nothing_survives_a_killed_warden_once_somebody_looked(void **state)
{
	(void)state;
	everywhere(warden_killed);
}

/* Nobody looks: the next warden in that state directory does. */
static void next_warden(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	struct rv_err err = { 0 };

	lab_unit_spawn(lab, &m, "daemon-stay", "");
	LAB_CHECK(!warden_client_flush(&lab->c, &err));
	LAB_CHECK(lab_await_count(lab, 2, LAB_PATIENCE_US) == 2);
	kill(lab->c.pid, SIGKILL);
	LAB_CHECK(waitpid(lab->c.pid, NULL, 0) == lab->c.pid);
	lab->c.pid = 0;
	warden_client_close(&lab->c, WARDEN_CLOSE_DETACH);
	/* The kernel ends its first process by itself (a PID namespace: all of it). */
	LAB_CHECK(lab_await_count(lab, lab->level == WARDEN_LEVEL_PIDNS ? 0 : 1, SLACK_US) <= 1);
	lab_start(lab);
	LAB_CHECK(lab_await_count(lab, 0, SLACK_US) == 0);
}

static void the_next_warden_ends_what_the_dead_one_left(void **state)
{
	(void)state;
	everywhere(next_warden);
}

/* One that stands still with its units, and its daemon is gone: it would never end them. */
static void stopped_warden(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	struct rv_err err = { 0 };
	pid_t old = lab->c.pid;
	uint64_t t0;

	lab_unit_spawn(lab, &m, "daemon-stay", "");
	lab_unit_spawn(lab, &m, "stubborn", "");
	LAB_CHECK(!warden_client_flush(&lab->c, &err));
	LAB_CHECK(lab_await_count(lab, 3, LAB_PATIENCE_US) == 3);
	LAB_CHECK(!kill(old, SIGSTOP));
	LAB_CHECK(waitpid(old, NULL, WUNTRACED) == old);
	warden_client_close(&lab->c, WARDEN_CLOSE_DETACH);
	t0 = lab_now();
	lab_start(lab);
	LAB_CHECK(lab_now() - t0 < WARDEN_LAST_US);
	LAB_CHECK(lab_await_count(lab, 0, SLACK_US) == 0);
	LAB_CHECK(waitpid(old, NULL, 0) == old);
}

static void the_next_warden_ends_one_that_stands_still(void **state)
{
	(void)state;
	everywhere(stopped_warden);
}

/* One that is still busy with a unit that takes its time: it is given some, then ended. */
static void slow_warden(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100 * RV_US_PER_S };
	struct rv_err err = { 0 };
	pid_t old = lab->c.pid;
	uint64_t t0;

	lab_unit_spawn(lab, &m, "stubborn", "");
	LAB_CHECK(!warden_client_flush(&lab->c, &err));
	LAB_CHECK(lab_await_deaf(lab, 1, LAB_PATIENCE_US) == 1);
	warden_client_close(&lab->c, WARDEN_CLOSE_DETACH);
	t0 = lab_now();
	LAB_CHECK(warden_reap_orphans(lab->dir, &err) >= 0);
	LAB_CHECK(lab_now() - t0 >= WARDEN_LAST_US && lab_now() - t0 < WARDEN_LAST_US + SLACK_US);
	LAB_CHECK(lab_count(lab) == 0);
	LAB_CHECK(waitpid(old, NULL, 0) == old);
}

static void the_next_warden_waits_a_while_for_one_that_is_busy(void **state)
{
	(void)state;
	everywhere(slow_warden);
}

/* Its owner ends and it stands still: nobody waits for it for ever. */
static void stopped_at_the_end(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };

	lab_unit_spawn(lab, &m, "daemon-stay", "");
	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	LAB_CHECK(lab_await_count(lab, 2, LAB_PATIENCE_US) == 2);
	LAB_CHECK(!kill(lab->c.pid, SIGSTOP));
	warden_client_close(&lab->c, WARDEN_CLOSE_WAIT);
	LAB_CHECK(warden_reap_orphans(lab->dir, NULL) >= 0);
	LAB_CHECK(lab_count(lab) == 0);
}

static void closing_does_not_wait_for_one_that_stands_still(void **state)
{
	(void)state;
	everywhere(stopped_at_the_end);
}

/* End of file: what `run` killed with -9 leaves. */
static void daemon_gone(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	struct rv_err err = { 0 };
	uint64_t t0;

	lab_unit_spawn(lab, &m, "daemon-stay", "");
	lab_unit_spawn(lab, &m, "stubborn", "");
	LAB_CHECK(!warden_client_flush(&lab->c, &err));
	LAB_CHECK(lab_await_count(lab, 3, LAB_PATIENCE_US) == 3);
	t0 = lab_now();
	lab_stop(lab);
	LAB_CHECK(lab_now() - t0 < GRACE_US + SLACK_US);
	LAB_CHECK(lab_count(lab) == 0);
}

static void end_of_file_ends_everything(void **state)
{
	(void)state;
	everywhere(daemon_gone);
}

static void frozen(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US, .wall_us = 800000, .output_credit = 1 << 20 };
	uint64_t key = lab_unit_spawn(lab, &m, "tick", ""), until;
	struct warden_frame f;
	struct warden_exited e;
	struct rv_err err;

	lab_await(lab, WARDEN_OUTPUT, &f);
	LAB_CHECK(!warden_put_key(&lab->c.out, WARDEN_FREEZE, key));
	lab_await(lab, WARDEN_FROZEN, &f);
	/* What was in the pipe may still come; after that, nothing for a while. */
	until = lab_now() + 200000;
	while (lab_now() < until)
		(void)warden_client_wait(&lab->c, &f, until - lab_now(), &err);
	LAB_CHECK(warden_client_wait(&lab->c, &f, 300000, &err) == 0);
	LAB_CHECK(!warden_put_key(&lab->c.out, WARDEN_THAW, key));
	lab_await(lab, WARDEN_THAWED, &f);
	lab_await(lab, WARDEN_OUTPUT, &f);
	e = lab_exited(lab, key);
	LAB_CHECK(e.why == WARDEN_WHY_TIMEOUT);
	LAB_CHECK(e.frozen_us >= 450000 && e.frozen_us < 5000000);
	LAB_CHECK(e.end_mono_us - e.start_mono_us >= 800000 + e.frozen_us);
}

static void frozen_time_does_not_count(void **state)
{
	(void)state;
	everywhere(frozen);
}

static void frozen_and_killed(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	uint64_t key = lab_unit_spawn(lab, &m, "daemon-stay", ""), t0;
	struct warden_frame f;

	lab_await(lab, WARDEN_STARTED, &f);
	LAB_CHECK(lab_await_count(lab, 2, LAB_PATIENCE_US) == 2);
	LAB_CHECK(!warden_put_key(&lab->c.out, WARDEN_FREEZE, key));
	lab_await(lab, WARDEN_FROZEN, &f);
	t0 = lab_now();
	LAB_CHECK(!warden_put_kill(&lab->c.out, key, RV_NEVER));
	LAB_CHECK(lab_exited(lab, key).why == WARDEN_WHY_KILLED);
	LAB_CHECK(lab_now() - t0 < GRACE_US + SLACK_US);
}

static void a_frozen_one_can_be_killed(void **state)
{
	(void)state;
	everywhere(frozen_and_killed);
}

/* A process in a frozen cgroup of the v1 freezer cannot even die: what a dead disk does to one, without the disk. */
static int freezer(struct lab *lab, const char *state, uint32_t pid)
{
	char dir[128], path[160];
	FILE *f;

	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/freezer/%s", lab->mark);
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -1;
	if (pid) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
		f = fopen(path, "w");
		if (!f || fprintf(f, "%u\n", pid) < 0 || fclose(f))
			return -1;
	}
	snprintf(path, sizeof(path), "%s/freezer.state", dir);
	f = fopen(path, "w");
	return !f || fprintf(f, "%s\n", state) < 0 || fclose(f) ? -1 : 0;
}

static void unkillable(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 0, .slots = 2 };
	struct warden_frame f;
	struct warden_exited e;
	uint64_t key, next;
	char dir[128];

	lab_stop(lab);
	lab->unkillable_us = 300000;
	lab_start(lab);
	key = lab_unit_spawn(lab, &m, "stay", "");
	lab_await(lab, WARDEN_STARTED, &f);
	if (freezer(lab, "FROZEN", f.started.pid)) {
		fprintf(stderr, "no v1 freezer here\n");
		_exit(2);
	}
	LAB_CHECK(!warden_put_kill(&lab->c.out, key, 0));
	e = lab_exited(lab, key);
	LAB_CHECK(e.why == WARDEN_WHY_UNKILLABLE && e.detail.bytes > 0);
	/* Its slots stay taken, so the next one waits. */
	next = lab_unit_spawn(lab, &m, "exit", "7");
	LAB_CHECK(warden_client_wait(&lab->c, &f, 200000, NULL) == 0);
	LAB_CHECK(!freezer(lab, "THAWED", 0));
	lab_await(lab, WARDEN_TREE_GONE, &f);
	LAB_CHECK(f.kill.key == key);
	LAB_CHECK(lab_exited(lab, next).code == 7);
	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/freezer/%s", lab->mark);
	LAB_CHECK(!rmdir(dir));
}

static void an_unkillable_one_keeps_its_slot_until_its_tree_is_gone(void **state)
{
	int ret;

	(void)state;
	if (geteuid() != 0)
		return;
	for (int level = WARDEN_LEVEL_CGROUP; level <= WARDEN_LEVEL_SUBREAPER; level++) {
		ret = lab_run(unkillable, (enum warden_level)level, 0);
		assert_int_not_equal(ret, 1);
	}
}

/* ---- where clone3 is forbidden: older container engines ---- */

/* What their seccomp profiles do; nothing but clone3 is looked at. */
static void forbid_clone3(int with)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)with),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = RV_ARRAY_LEN(code), .filter = code };

	LAB_CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	LAB_CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
	LAB_CHECK(syscall(SYS_clone3, NULL, 0) == -1 && errno == with);
}

static void without_clone3(struct lab *lab, int with)
{
	lab_stop(lab);
	forbid_clone3(with);
	lab_start(lab); /* at the same level */
	kill_after(lab, "daemon-stay", "", 2);
	kill_after(lab, "bomb", "20", 21);
}

static void clone3_enosys(struct lab *lab)
{
	without_clone3(lab, ENOSYS);
}

static void clone3_eperm(struct lab *lab)
{
	without_clone3(lab, EPERM);
}

static void without_clone3_units_run_and_are_ended_at_every_level(void **state)
{
	(void)state;
	everywhere(clone3_enosys);
	everywhere(clone3_eperm);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_obeys_ends_by_term),
		cmocka_unit_test(one_that_ignores_term_is_killed_after_grace),
		cmocka_unit_test(double_fork_and_setsid_do_not_escape),
		cmocka_unit_test(a_fork_bomb_is_ended_whole),
		cmocka_unit_test(one_that_forks_and_dies_without_end_is_caught),
		cmocka_unit_test(what_outlives_the_main_process_is_ended_and_its_status_kept),
		cmocka_unit_test(one_that_hides_session_and_label_is_found),
		cmocka_unit_test(strays_are_told_apart),
		cmocka_unit_test(an_unkillable_one_keeps_its_slot_until_its_tree_is_gone),
		cmocka_unit_test(nothing_survives_a_killed_warden_once_somebody_looked),
		cmocka_unit_test(the_next_warden_ends_what_the_dead_one_left),
		cmocka_unit_test(the_next_warden_ends_one_that_stands_still),
		cmocka_unit_test(the_next_warden_waits_a_while_for_one_that_is_busy),
		cmocka_unit_test(closing_does_not_wait_for_one_that_stands_still),
		cmocka_unit_test(end_of_file_ends_everything),
		cmocka_unit_test(frozen_time_does_not_count),
		cmocka_unit_test(a_frozen_one_can_be_killed),
		cmocka_unit_test(without_clone3_units_run_and_are_ended_at_every_level),
	};

	lab_unit(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
