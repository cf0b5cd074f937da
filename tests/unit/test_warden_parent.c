/* the warden as the parent of the node daemon: who dies, who is told, who is reaped. The daemon here is a fake that speaks the channel */
#include "node/warden/parent.h"
#include "tests/lib/warden_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define GRACE_US 200000u
#define SLACK_US 1000000u

/* One fake daemon: `act` speaks for it once HELLO is there and tells the scenario over `up`. */
struct fake {
	struct lab *lab;
	int (*act)(struct fake *f);
	int up[2];
	bool as_pid_1;
	sigset_t wanted;
};

static int daemon_main(void *arg, struct warden_client *client)
{
	struct fake *f = arg;

	close(f->up[0]);
	f->lab->c = *client;
	lab_greet(f->lab);
	return f->act(f);
}

static void say(struct fake *f, int32_t word)
{
	LAB_CHECK(write(f->up[1], &word, sizeof(word)) == (ssize_t)sizeof(word));
}

/* The next word of the daemon; -1: none will come. */
static int32_t hear(struct fake *f)
{
	struct pollfd p = { .fd = f->up[0], .events = POLLIN };
	int32_t word;

	LAB_CHECK(poll(&p, 1, LAB_PATIENCE_US / 1000) == 1);
	return read(f->up[0], &word, sizeof(word)) == (ssize_t)sizeof(word) ? word : -1;
}

/* As the first process of a PID namespace with its own /proc, the way a container has it. */
static void enter_container(void)
{
	pid_t pid;
	int status;

	LAB_CHECK(!unshare(CLONE_NEWPID | CLONE_NEWNS));
	LAB_CHECK(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	pid = fork();
	LAB_CHECK(pid >= 0);
	if (pid) {
		LAB_CHECK(waitpid(pid, &status, 0) == pid);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	LAB_CHECK(getpid() == 1);
	LAB_CHECK(!mount("proc", "/proc", "proc", 0, NULL));
}

static const char *heard_path(const struct fake *f)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/heard", f->lab->dir);
	return path;
}

/* What the warden logs; it has closed what it inherited by then. */
static void overhear(void *arg, const char *line, size_t bytes)
{
	FILE *file = fopen(heard_path(arg), "a");

	LAB_CHECK(file && fwrite(line, 1, bytes, file) == bytes && !fclose(file));
}

/* How many units the one daemon_died told of; -1: none was logged. */
static long units_lost(const struct fake *f)
{
	FILE *file = fopen(heard_path(f), "r");
	char text[4096];
	const char *units;

	if (!file)
		return -1;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	(void)fclose(file);
	units = strstr(text, " units_ended=");
	LAB_CHECK(strstr(text, "event=daemon_died") && units);
	return strtol(units + strlen(" units_ended="), NULL, 10);
}

static pid_t start(struct fake *f)
{
	struct rv_log log = { .sink = overhear, .arg = f, .level = RV_LOG_DEBUG };
	struct warden_options options = { .daemon_end_us = GRACE_US };
	struct rv_err err;
	pid_t pid;

	if (f->lab->c.fd >= 0)
		lab_stop(f->lab);
	LAB_CHECK(!pipe(f->up));
	pid = fork();
	LAB_CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (f->as_pid_1)
			enter_container();
		_exit(warden_parent_main(&(struct warden_daemon){ .main = daemon_main, .arg = f, .log = &log }, &options, &err));
	}
	close(f->up[1]);
	return pid;
}

/* Its exit status, or minus the signal. */
static int status_of(pid_t pid)
{
	int status;

	LAB_CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void spawn(struct fake *f, const char *what, int want)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	struct warden_frame frame;

	(void)lab_unit_spawn(f->lab, &m, what, "");
	lab_await(f->lab, WARDEN_STARTED, &frame);
	LAB_CHECK(lab_await_count(f->lab, want, LAB_PATIENCE_US) == want);
}

/* SHUTDOWN, then all that comes until end of file. */
static int shut_down(struct fake *f, int status)
{
	struct warden_frame frame;
	struct rv_err err;
	int ret;

	LAB_CHECK(!warden_put_grace(&f->lab->c.out, WARDEN_SHUTDOWN, 0));
	while ((ret = warden_client_wait(&f->lab->c, &frame, LAB_PATIENCE_US, &err)) == 1)
		;
	LAB_CHECK(ret == -1);
	return status;
}

/* ---- the daemon dies ---- */

static int die(struct fake *f)
{
	spawn(f, "stay", 1);
	spawn(f, "daemon-stay", 3);
	say(f, 1);
	raise(SIGKILL);
	return 0;
}

static void its_death(struct lab *lab)
{
	struct fake f = { .lab = lab, .act = die };
	pid_t pid = start(&f);
	uint64_t t0;

	LAB_CHECK(hear(&f) == 1);
	t0 = lab_now();
	LAB_CHECK(status_of(pid) == 128 + SIGKILL);
	LAB_CHECK(lab_now() - t0 < GRACE_US + SLACK_US);
	LAB_CHECK(lab_count(lab) == 0);
	LAB_CHECK(units_lost(&f) == 2);
}

/* Its descriptors are closed before it is a zombie: the warden may have ended everything before it is told of the death. */
static int die_slowly(struct fake *f)
{
	spawn(f, "stay", 1);
	close(f->lab->c.fd);
	LAB_CHECK(lab_await_count(f->lab, 0, LAB_PATIENCE_US) == 0);
	raise(SIGKILL);
	return 0;
}

static void its_slow_death(struct lab *lab)
{
	struct fake f = { .lab = lab, .act = die_slowly };
	pid_t pid = start(&f);

	LAB_CHECK(status_of(pid) == 128 + SIGKILL);
	LAB_CHECK(units_lost(&f) == 1);
}

static int leave(struct fake *f)
{
	spawn(f, "stay", 1);
	if (fork() == 0) { /* something that holds the channel open, so that no end of file comes */
		alarm(60);
		for (;;)
			pause();
	}
	say(f, 1);
	return 5;
}

static void its_exit(struct lab *lab)
{
	struct fake f = { .lab = lab, .act = leave };
	pid_t pid = start(&f);

	LAB_CHECK(hear(&f) == 1);
	LAB_CHECK(status_of(pid) == 5);
	LAB_CHECK(lab_count(lab) == 0);
	LAB_CHECK(units_lost(&f) == 1);
	LAB_CHECK(hear(&f) == -1); /* that one was ended, too */
}

/* ---- signals ---- */

/* Tells each signal that comes; TERM ends it. */
static int obey(struct fake *f)
{
	int signo;

	sigemptyset(&f->wanted);
	sigaddset(&f->wanted, SIGTERM);
	sigaddset(&f->wanted, SIGINT);
	sigaddset(&f->wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &f->wanted, NULL);
	spawn(f, "stay", 1);
	say(f, 1);
	do {
		LAB_CHECK(sigwait(&f->wanted, &signo) == 0);
		LAB_CHECK(lab_count(f->lab) == 1); /* it is the daemon who decides */
		say(f, 100 + signo);
	} while (signo != SIGTERM);
	return shut_down(f, 7);
}

static void told(struct lab *lab, bool as_pid_1)
{
	struct fake f = { .lab = lab, .act = obey, .as_pid_1 = as_pid_1 };
	pid_t pid = start(&f), target = pid;

	LAB_CHECK(hear(&f) == 1);
	if (as_pid_1) { /* the one in the namespace is our child's child */
		char path[64];
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
		file = fopen(path, "r");
		LAB_CHECK(file && fscanf(file, "%d", &target) == 1);
		fclose(file);
	}
	LAB_CHECK(!kill(target, SIGINT));
	LAB_CHECK(hear(&f) == 100 + SIGINT);
	LAB_CHECK(!kill(target, SIGHUP));
	LAB_CHECK(hear(&f) == 100 + SIGHUP);
	LAB_CHECK(!kill(target, SIGTERM));
	LAB_CHECK(hear(&f) == 100 + SIGTERM);
	LAB_CHECK(status_of(pid) == 7);
	LAB_CHECK(lab_count(lab) == 0);
}

static void signals(struct lab *lab)
{
	told(lab, false);
}

static void signals_as_pid_1(struct lab *lab)
{
	told(lab, true);
}

/* ---- orphans ---- */

/* A process that nobody waits for ends: it must not stay as a zombie. It is seen in the daemon's own /proc. */
static int orphan(struct fake *f)
{
	int fds[2];
	pid_t gone;
	uint64_t until;

	LAB_CHECK(!pipe(fds));
	if (fork() == 0) {
		if (fork() == 0) {
			gone = getpid();
			_exit(write(fds[1], &gone, sizeof(gone)) == (ssize_t)sizeof(gone) ? 0 : 1);
		}
		_exit(0);
	}
	wait(NULL);
	LAB_CHECK(read(fds[0], &gone, sizeof(gone)) == (ssize_t)sizeof(gone));
	until = lab_now() + LAB_PATIENCE_US;
	while (!kill(gone, 0) && lab_now() < until)
		sched_yield();
	LAB_CHECK(kill(gone, 0) && errno == ESRCH);
	return shut_down(f, 0);
}

static void orphans(struct lab *lab)
{
	struct fake f = { .lab = lab, .act = orphan };

	LAB_CHECK(status_of(start(&f)) == 0);
}

static void orphans_as_pid_1(struct lab *lab)
{
	struct fake f = { .lab = lab, .act = orphan, .as_pid_1 = true };

	LAB_CHECK(status_of(start(&f)) == 0);
}

/* ---- the daemon is no stray of a unit ---- */

static int outlive(struct fake *f)
{
	struct warden_spawn m = { .grace_us = GRACE_US };
	uint64_t key = lab_unit_spawn(f->lab, &m, "daemon-stay", "");
	struct warden_exited e;

	LAB_CHECK(!warden_client_flush(&f->lab->c, NULL));
	LAB_CHECK(lab_await_count(f->lab, 2, LAB_PATIENCE_US) == 2);
	LAB_CHECK(!warden_put_kill(&f->lab->c.out, key, RV_NEVER));
	e = lab_exited(f->lab, key);
	LAB_CHECK(e.why == WARDEN_WHY_KILLED);
	LAB_CHECK(lab_count(f->lab) == 0);
	/* And one that ends by itself, alone: it is over at once, not when the daemon is. */
	key = lab_unit_spawn(f->lab, &m, "exit", "3");
	e = lab_exited(f->lab, key);
	LAB_CHECK(e.code == 3 && !e.stray_pids);
	return shut_down(f, 0);
}

static void outliving(struct lab *lab)
{
	struct fake f = { .lab = lab, .act = outlive };

	LAB_CHECK(status_of(start(&f)) == 0);
}

/* ---- a daemon that does not go ---- */

static _Noreturn int linger(struct fake *f)
{
	(void)shut_down(f, 0);
	say(f, 1);
	for (;;)
		pause();
}

static void lingering(struct lab *lab)
{
	struct fake f = { .lab = lab, .act = linger };
	pid_t pid = start(&f);

	LAB_CHECK(hear(&f) == 1);
	LAB_CHECK(status_of(pid) == 128 + SIGKILL);
}

/* ---- */

static void at_each_level(lab_scenario *scenario)
{
	for (int level = WARDEN_LEVEL_CGROUP; level <= WARDEN_LEVEL_SUBREAPER; level++) {
		int rc = lab_run(scenario, (enum warden_level)level, 0);

		assert_int_not_equal(rc, 1);
		if (level == WARDEN_LEVEL_SUBREAPER)
			assert_int_equal(rc, 0);
	}
}

static void when_the_daemon_dies_its_units_end_and_so_does_the_warden(void **state)
{
	(void)state;
	at_each_level(its_death);
}

static void units_that_ended_before_its_death_was_known_are_counted(void **state)
{
	(void)state;
	at_each_level(its_slow_death);
}

static void a_daemon_that_exits_is_seen_even_if_the_channel_stays_open(void **state)
{
	(void)state;
	at_each_level(its_exit);
}

static void signals_are_passed_on_and_end_nothing_by_themselves(void **state)
{
	(void)state;
	at_each_level(signals);
	if (geteuid() == 0)
		assert_int_equal(lab_run(signals_as_pid_1, WARDEN_LEVEL_SUBREAPER, 0), 0);
}

static void orphans_are_reaped(void **state)
{
	(void)state;
	at_each_level(orphans);
	if (geteuid() == 0)
		assert_int_equal(lab_run(orphans_as_pid_1, WARDEN_LEVEL_SUBREAPER, 0), 0);
}

static void a_unit_that_is_killed_does_not_take_the_daemon_along(void **state)
{
	(void)state;
	at_each_level(outliving);
}

static void a_daemon_that_does_not_end_is_killed(void **state)
{
	(void)state;
	assert_int_equal(lab_run(lingering, WARDEN_LEVEL_SUBREAPER, 0), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_the_daemon_dies_its_units_end_and_so_does_the_warden),
		cmocka_unit_test(units_that_ended_before_its_death_was_known_are_counted),
		cmocka_unit_test(a_daemon_that_exits_is_seen_even_if_the_channel_stays_open),
		cmocka_unit_test(signals_are_passed_on_and_end_nothing_by_themselves),
		cmocka_unit_test(orphans_are_reaped),
		cmocka_unit_test(a_unit_that_is_killed_does_not_take_the_daemon_along),
		cmocka_unit_test(a_daemon_that_does_not_end_is_killed),
	};

	lab_unit(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
