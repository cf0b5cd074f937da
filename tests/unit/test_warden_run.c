/* a warden at work: what units see, how spawns fail, queue, output, timeouts, records */
#include "node/warden/records.h"
#include "node/warden/caplog.h"
#include "node/warden/capture.h"
#include "node/warden/seglog.h"
#include "tests/lib/warden_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* At the level this machine gives by default, as who we are and (if that is root) as uid 1000, both at once. */
static void here(lab_scenario *scenario)
{
	pid_t other = geteuid() == 0 ? fork() : 0;
	int status = 0;

	if (other == 0 && geteuid() == 0)
		_exit(lab_run(scenario, WARDEN_LEVEL_NONE, 1000));
	assert_int_equal(lab_run(scenario, WARDEN_LEVEL_NONE, 0), 0);
	if (other > 0) {
		assert_int_equal(waitpid(other, &status, 0), other);
		if (status)
			print_message("as uid 1000:\n");
		assert_int_equal(status, 0);
	}
}

static bool holds(struct rv_str s, const char *what)
{
	return s.bytes && memmem(s.at, s.bytes, what, strlen(what));
}

static bool is(struct rv_str s, const char *what)
{
	return rv_str_equal(s, rv_str_of(what));
}

static struct warden_exited run(struct lab *lab, struct warden_spawn *m, const char *const *words)
{
	return lab_exited(lab, lab_spawn(lab, m, words));
}

static struct warden_exited shell(struct lab *lab, struct warden_spawn *m, const char *script)
{
	const char *words[] = { "sh", "-c", script, NULL };

	return run(lab, m, words);
}

/* ---- what a unit sees ---- */

static void results(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };
	struct warden_exited e = shell(lab, &m, "echo hello; echo oops >&2; exit 3");

	LAB_CHECK(e.why == WARDEN_WHY_EXITED && e.code == 3 && e.signal == 0 && e.stray_pids == 0);
	LAB_CHECK(is(e.stdout_tail, "hello\n") && is(e.stderr_tail, "oops\n"));
	LAB_CHECK(e.place.stdout_bytes == 6 && e.place.stderr_bytes == 5 && !e.place.truncated);
	LAB_CHECK(e.cookie.bytes == sizeof(m.key) && !memcmp(e.cookie.at, &m.key, sizeof(m.key)));
	LAB_CHECK(e.end_mono_us >= e.start_mono_us && e.end_real_us > 1600000000000000 && e.pid > 0 && e.maxrss_bytes > 4096);
	e = shell(lab, &m, "echo fine; kill -9 $$");
	LAB_CHECK(e.why == WARDEN_WHY_EXITED && e.code == -1 && e.signal == SIGKILL && is(e.stdout_tail, "fine\n"));
	e = shell(lab, &m, "echo quiet >&2");
	LAB_CHECK(e.code == 0 && e.stderr_tail.bytes == 0 && e.place.stderr_bytes == 6);
}

static void exit_code_signal_and_output_are_told(void **state)
{
	(void)state;
	here(results);
}

static void surroundings(struct lab *lab)
{
	struct warden_spawn m = { .cwd = RV_STR("/usr") };
	struct warden_exited e = lab_exited(lab, lab_unit_spawn(lab, &m, "nonblock", ""));
	char want[80];
	struct rv_buf set, unset;

	/* What the one before did to its stdout is not seen by the next. */
	LAB_CHECK(e.code == 0);
	e = lab_exited(lab, lab_unit_spawn(lab, &m, "fds", ""));
	/* At level pidns it sees other numbers than we do. */
	snprintf(want, sizeof(want), "0 1 2 sid=%u pid=%u pgid=%u stdin=0 nonblock=0\n", e.pid, e.pid, e.pid);
	LAB_CHECK(e.level == WARDEN_LEVEL_PIDNS ? holds(e.stdout_tail, "0 1 2 sid=") : is(e.stdout_tail, want));
	e = shell(lab, &m, "pwd; echo $LAB_BASE");
	LAB_CHECK(is(e.stdout_tail, "/usr\nbase\n"));
	rv_buf_init(&set, 0);
	rv_buf_init(&unset, 0);
	warden_strv_add(&set, &m.env_set.count, RV_STR("LAB_SET=x y"));
	warden_strv_add(&set, &m.env_set.count, RV_STR("LAB_BASE=mine"));
	warden_strv_add(&unset, &m.env_unset.count, RV_STR("HOME"));
	m.env_set.bytes = rv_buf_str(&set);
	m.env_unset.bytes = rv_buf_str(&unset);
	e = shell(lab, &m, "echo $LAB_SET $LAB_BASE ${HOME-none} $(env | grep -c LAB_BASE)");
	LAB_CHECK(is(e.stdout_tail, "x y mine none 1\n"));
	e = shell(lab, &m, "echo $REEVE_SESSION_ID");
	LAB_CHECK(holds(e.stdout_tail, lab->mark));
	m.label = RV_STR("lab-label-of-its-own");
	e = shell(lab, &m, "echo $REEVE_SESSION_ID; ulimit -c; trap | wc -l");
	LAB_CHECK(holds(e.stdout_tail, "lab-label-of-its-own\n"));
	m.flags = WARDEN_SPAWN_NO_CORE | WARDEN_SPAWN_NO_NEW_PRIVS;
	m.nofile = 77;
	/* Below GNU make 32 or 33 may stay ignored, glibc's own two, which sigaction() does not touch. */
	e = shell(lab, &m, "ulimit -c; ulimit -n; grep NoNewPrivs /proc/self/status; "
			   "grep -E 'Sig(Blk|Ign)' /proc/self/status | sed 's/[01]80000000$/000000000/'");
	LAB_CHECK(holds(e.stdout_tail, "0\n77\nNoNewPrivs:\t1\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"));
	rv_buf_release(&set);
	rv_buf_release(&unset);
}

static void a_unit_sees_what_it_should(void **state)
{
	(void)state;
	here(surroundings);
}

static void other_user(struct lab *lab)
{
	struct rv_buf argv;
	struct warden_spawn m = { .key = 1, .slots = 1, .uid = 1000, .gid = 1000, .umask = 027 };

	rv_buf_init(&argv, 0);
	warden_strv_add(&argv, &m.argv.count, RV_STR("sh"));
	warden_strv_add(&argv, &m.argv.count, RV_STR("-c"));
	warden_strv_add(&argv, &m.argv.count, RV_STR("id -u; id -g; id -G; umask"));
	m.argv.bytes = rv_buf_str(&argv);
	LAB_CHECK(!warden_put_spawn(&lab->c.out, &m));
	if (geteuid() == 0)
		LAB_CHECK(is(lab_exited(lab, 1).stdout_tail, "1000\n1000\n1000\n0027\n"));
	else if (geteuid() != 1000)
		LAB_CHECK(lab_exited(lab, 1).fault == WARDEN_FAULT_SETUP);
	rv_buf_release(&argv);
}

static void a_unit_can_be_another_user(void **state)
{
	(void)state;
	here(other_user);
}

/* ---- what cannot be started ---- */

static void expect_fault(struct lab *lab, struct warden_spawn *m, const char *program, enum warden_fault fault)
{
	const char *words[] = { program, NULL };
	struct warden_exited e = run(lab, m, words);

	if (e.fault != fault)
		fprintf(stderr, "%s: fault %s, %.*s\n", program, warden_fault_name(e.fault), RV_STR_ARGS(e.detail));
	LAB_CHECK(e.why == WARDEN_WHY_SPAWN_FAILED && e.fault == fault && e.code == -1 && e.detail.bytes > 0);
}

static void bad_spawns(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 0 };
	char path[128], *big = malloc(200001);
	int fd;

	expect_fault(lab, &m, "no-such-program-anywhere", WARDEN_FAULT_NOT_FOUND);
	expect_fault(lab, &m, "/no/such/program", WARDEN_FAULT_NOT_FOUND);
	expect_fault(lab, &m, "/etc/passwd", WARDEN_FAULT_NOT_EXECUTABLE);
	expect_fault(lab, &m, "/usr", WARDEN_FAULT_NOT_EXECUTABLE);
	expect_fault(lab, &m, "", WARDEN_FAULT_NOT_FOUND);
	snprintf(path, sizeof(path), "%s/script", lab->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	LAB_CHECK(write(fd, "#!/no/interpreter\n", 18) == 18);
	close(fd);
	expect_fault(lab, &m, path, WARDEN_FAULT_NOT_EXECUTABLE);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	LAB_CHECK(write(fd, "just text\n", 10) == 10);
	close(fd);
	expect_fault(lab, &m, path, WARDEN_FAULT_NOT_EXECUTABLE);
	memset(big, 'x', 200000);
	big[200000] = 0;
	{
		const char *words[] = { "true", big, NULL };

		LAB_CHECK(run(lab, &m, words).fault == WARDEN_FAULT_TOO_BIG);
	}
	free(big);
	m.cwd = RV_STR("/no/such/dir");
	expect_fault(lab, &m, "true", WARDEN_FAULT_CWD);
	m.cwd = rv_str(NULL, 0);
	m.output = WARDEN_OUTPUT_FILES;
	m.logs_dir = RV_STR("/no/logs/here");
	expect_fault(lab, &m, "true", WARDEN_FAULT_OUTPUT);
	m.output = WARDEN_OUTPUT_LOG;
	m.env_base = 63;
	expect_fault(lab, &m, "true", WARDEN_FAULT_REQUEST);
	/* and after all that it still works */
	m = (struct warden_spawn){ 0 };
	LAB_CHECK(shell(lab, &m, "exit 0").code == 0);
}

static void what_cannot_start_says_why(void **state)
{
	(void)state;
	here(bad_spawns);
}

/* A cached PATH look-up that has gone stale is looked up again. */
static void moved(struct lab *lab)
{
	char a[128], b[128], var[400];
	struct warden_spawn m = { 0 };
	struct rv_buf set;
	const char *words[] = { "lab-moved-program", NULL };

	snprintf(a, sizeof(a), "%s/a", lab->dir);
	snprintf(b, sizeof(b), "%s/b", lab->dir);
	LAB_CHECK(!mkdir(a, 0755) && !mkdir(b, 0755));
	snprintf(var, sizeof(var), "PATH=%s:%s:/usr/bin:/bin", a, b);
	rv_buf_init(&set, 0);
	warden_strv_add(&set, &m.env_set.count, rv_str_of(var));
	m.env_set.bytes = rv_buf_str(&set);
	strcat(a, "/lab-moved-program");
	strcat(b, "/lab-moved-program");
	LAB_CHECK(!symlink("/bin/true", a));
	LAB_CHECK(run(lab, &m, words).code == 0);
	LAB_CHECK(!unlink(a) && !symlink("/bin/false", b));
	LAB_CHECK(run(lab, &m, words).code == 1);
	LAB_CHECK(!unlink(b));
	LAB_CHECK(run(lab, &m, words).fault == WARDEN_FAULT_NOT_FOUND);
	rv_buf_release(&set);
}

static void a_program_that_moved_is_found_again(void **state)
{
	(void)state;
	here(moved);
}

/* ---- the queue ---- */

static void retract(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };
	uint64_t a, b, c, d;
	struct warden_frame f;
	struct warden_exited e;

	lab->slots = 1;
	LAB_CHECK(!warden_put_slots(&lab->c.out, 1, 1));
	a = lab_unit_spawn(lab, &m, "stay", "");
	b = lab_unit_spawn(lab, &m, "exit", "0");
	c = lab_unit_spawn(lab, &m, "exit", "5");
	d = lab_unit_spawn(lab, &m, "exit", "6");
	lab_await(lab, WARDEN_STARTED, &f);
	LAB_CHECK(f.started.key == a);
	LAB_CHECK(!warden_put_key(&lab->c.out, WARDEN_RETRACT, b));
	lab_await(lab, WARDEN_RETRACTED, &f);
	LAB_CHECK(f.kill.key == b);
	LAB_CHECK(!warden_put_key(&lab->c.out, WARDEN_RETRACT, a));
	lab_await(lab, WARDEN_ALREADY_STARTED, &f);
	LAB_CHECK(f.kill.key == a);
	LAB_CHECK(!warden_put_key(&lab->c.out, WARDEN_RETRACT, b));
	lab_await(lab, WARDEN_UNKNOWN_KEY, &f);
	/* one that waits can be killed: it never runs */
	LAB_CHECK(!warden_put_kill(&lab->c.out, c, RV_NEVER));
	e = lab_exited(lab, c);
	LAB_CHECK(e.why == WARDEN_WHY_KILLED && e.pid == 0 && e.code == -1);
	LAB_CHECK(!warden_put_kill(&lab->c.out, a, RV_NEVER));
	LAB_CHECK(lab_exited(lab, a).why == WARDEN_WHY_KILLED);
	LAB_CHECK(lab_exited(lab, d).code == 6);
}

static void what_has_not_started_can_be_taken_back(void **state)
{
	(void)state;
	here(retract);
}

static void table(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };
	uint64_t a = lab_unit_spawn(lab, &m, "exit", "0"), b, c;
	struct warden_frame f;
	int running = 0, queued = 0, others = 0;

	lab_exited(lab, a);
	LAB_CHECK(!warden_put_slots(&lab->c.out, 1, 1));
	b = lab_unit_spawn(lab, &m, "stay", "");
	c = lab_unit_spawn(lab, &m, "stay", "");
	lab_await(lab, WARDEN_STARTED, &f);
	LAB_CHECK(!warden_put_empty(&lab->c.out, WARDEN_TABLE));
	do {
		LAB_CHECK(warden_client_wait(&lab->c, &f, LAB_PATIENCE_US, NULL) == 1);
		running += f.type == WARDEN_TABLE_ENTRY && f.entry.key == b && f.entry.state == WARDEN_STATE_RUNNING && f.entry.pid;
		queued += f.type == WARDEN_TABLE_ENTRY && f.entry.key == c && f.entry.state == WARDEN_STATE_QUEUED;
		others++;
	} while (f.type != WARDEN_TABLE_END);
	LAB_CHECK(running == 1 && queued == 1 && others == 3);
	/* A key sent again is not started again. */
	m.key = a;
	{
		struct rv_buf argv;

		rv_buf_init(&argv, 0);
		m.argv.count = 0;
		warden_strv_add(&argv, &m.argv.count, RV_STR("true"));
		m.argv.bytes = rv_buf_str(&argv);
		LAB_CHECK(!warden_put_spawn(&lab->c.out, &m));
		rv_buf_release(&argv);
	}
	lab_await(lab, WARDEN_EXITED, &f);
	LAB_CHECK(f.exited.key == a && f.exited.recovered);
	LAB_CHECK(!warden_put_grace(&lab->c.out, WARDEN_SHUTDOWN, 0));
	LAB_CHECK(lab_exited(lab, b).why == WARDEN_WHY_KILLED);
	LAB_CHECK(lab_exited(lab, c).why == WARDEN_WHY_KILLED);
	LAB_CHECK(waitpid(lab->c.pid, NULL, 0) == lab->c.pid);
	lab->c.pid = 0;
}

static void the_table_tells_all_and_shutdown_ends_all(void **state)
{
	(void)state;
	here(table);
}

static void slots(struct lab *lab)
{
	struct warden_spawn narrow = { .grace_us = 100000, .slots = 1 }, wide = { .slots = 2 }, huge = { .slots = 99 };
	uint64_t a = lab_unit_spawn(lab, &narrow, "stay", ""), b = lab_unit_spawn(lab, &wide, "exit", "0");
	uint64_t c = lab_unit_spawn(lab, &narrow, "exit", "0"), d = lab_unit_spawn(lab, &huge, "exit", "0");
	struct warden_exited x = lab_exited(lab, c), y;

	/* c passed b, which needs both slots; the one that wants more than there is takes all. */
	LAB_CHECK(x.code == 0);
	LAB_CHECK(!warden_put_kill(&lab->c.out, a, 0));
	x = lab_exited(lab, a);
	y = lab_exited(lab, b);
	LAB_CHECK(y.start_mono_us >= x.end_mono_us);
	x = lab_exited(lab, d);
	LAB_CHECK(x.code == 0 && x.start_mono_us >= y.end_mono_us);
}

static void slots_are_kept_and_a_small_one_may_pass(void **state)
{
	(void)state;
	here(slots);
}

/* Sanitizers keep shadow memory and freed blocks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RSS_KIB_MAX (256 << 10)
#else
#define RSS_KIB_MAX (32 << 10)
#endif

static long warden_rss_kib(struct lab *lab)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)lab->c.pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static int descriptors(struct lab *lab)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)lab->c.pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void many(struct lab *lab)
{
	enum { COUNT = 2000 };
	static uint8_t ended[COUNT + 1];
	struct warden_spawn m = { 0 };
	const char *words[] = { "/bin/true", NULL };
	struct warden_frame f;
	uint32_t exits = 0, begun = 0;

	for (int i = 0; i < COUNT; i++)
		lab_spawn(lab, &m, words);
	while (exits < COUNT) {
		LAB_CHECK(warden_client_wait(&lab->c, &f, LAB_PATIENCE_US, NULL) == 1);
		begun += f.type == WARDEN_STARTED;
		if (f.type != WARDEN_EXITED)
			continue;
		LAB_CHECK(f.exited.code == 0 && f.exited.key <= COUNT && !ended[f.exited.key]++);
		LAB_CHECK(!warden_put_forget(&lab->c.out, &f.exited.key, 1));
		exits++;
	}
	/* Most were too quick for a STARTED of their own (on a loaded machine some are slower than 5 ms). */
	LAB_CHECK(begun < COUNT / 2);
	LAB_CHECK(warden_client_wait(&lab->c, &f, 50000, NULL) == 0);
	LAB_CHECK(descriptors(lab) < 40);
	LAB_CHECK(warden_rss_kib(lab) < RSS_KIB_MAX);
}

static void two_thousand_quick_ones_end_once_each(void **state)
{
	(void)state;
	here(many);
}

/* More than may be between clone and exec at once: all of them run. */
static void burst(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };

	LAB_CHECK(!warden_put_slots(&lab->c.out, 100, 0));
	for (int i = 0; i < 100; i++)
		lab_unit_spawn(lab, &m, "stay", "");
	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	LAB_CHECK(lab_await_count(lab, 100, LAB_PATIENCE_US) == 100);
	LAB_CHECK(!warden_put_grace(&lab->c.out, WARDEN_KILL_ALL, 0));
	for (uint64_t key = 1; key <= 100; key++)
		LAB_CHECK(lab_exited(lab, key).why == WARDEN_WHY_KILLED);
}

/* A wide one is passed a hundred times, then all wait for it. */
static void wide(struct lab *lab)
{
	struct warden_spawn narrow = { .grace_us = 0 }, both = { .slots = 2 };
	uint64_t holder = lab_unit_spawn(lab, &narrow, "stay", ""), waits, last;
	struct warden_frame f;
	struct warden_exited e;
	const char *words[] = { "/bin/true", NULL };
	int passed = 0;

	waits = lab_unit_spawn(lab, &both, "exit", "0");
	for (int i = 0; i < 130; i++)
		lab_spawn(lab, &narrow, words);
	last = lab->next_key;
	while (passed < 100) {
		lab_await(lab, WARDEN_EXITED, &f);
		passed++;
	}
	LAB_CHECK(warden_client_wait(&lab->c, &f, 200000, NULL) == 0);
	LAB_CHECK(!warden_put_kill(&lab->c.out, holder, 0));
	e = lab_exited(lab, waits);
	LAB_CHECK(e.code == 0 && lab_exited(lab, last).start_mono_us >= e.end_mono_us);
}

static void a_wide_one_is_not_passed_for_ever(void **state)
{
	(void)state;
	here(wide);
}

static void terminated(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };
	uint64_t running = lab_unit_spawn(lab, &m, "stay", "");
	struct warden_frame f;

	lab_await(lab, WARDEN_STARTED, &f);
	kill(lab->c.pid, SIGINT); /* a terminal's Ctrl-C is not for it */
	kill(lab->c.pid, SIGHUP);
	LAB_CHECK(warden_client_wait(&lab->c, &f, 100000, NULL) == 0);
	kill(lab->c.pid, SIGTERM);
	LAB_CHECK(lab_exited(lab, running).why == WARDEN_WHY_KILLED);
	LAB_CHECK(waitpid(lab->c.pid, NULL, 0) == lab->c.pid);
	lab->c.pid = 0;
}

static void term_ends_the_warden_in_order(void **state)
{
	(void)state;
	here(terminated);
}

static void large(struct lab *lab)
{
	struct warden_spawn m = { 0 };
	static char arg[100001];
	const char *words[18] = { "sh", "-c", "shift 12; echo $# ${#1}", "sh" };
	struct warden_exited e;

	memset(arg, 'x', sizeof(arg) - 1);
	for (int i = 4; i < 17; i++)
		words[i] = arg;
	e = run(lab, &m, words);
	LAB_CHECK(e.code == 0 && is(e.stdout_tail, "1 100000\n"));
}

static void a_command_of_more_than_a_mebibyte_runs(void **state)
{
	(void)state;
	here(large);
}

static void own_proc(struct lab *lab)
{
	struct warden_spawn m = { 0 };

	LAB_CHECK(is(shell(lab, &m, "cat /proc/$$/comm; [ $$ -lt 1000 ] && echo inside").stdout_tail, "sh\ninside\n"));
}

static void a_pid_namespace_has_its_own_proc(void **state)
{
	int ret = lab_run(own_proc, WARDEN_LEVEL_PIDNS, 0);

	(void)state;
	assert_int_not_equal(ret, 1);
}

static void a_hundred_start_at_once(void **state)
{
	(void)state;
	here(burst);
}

/* A daemon that reads nothing: units go on and end, output is not kept for it. */
static void deaf(struct lab *lab)
{
	struct warden_spawn flood = { .output_credit = UINT64_MAX, .log_bytes_max = 1 << 20 }, m = { .grace_us = 100000 };
	struct warden_exited e;
	uint64_t a = lab_unit_spawn(lab, &flood, "flood", "64"), b = lab_unit_spawn(lab, &flood, "flood", "64");

	lab_unit_spawn(lab, &m, "stay", "");
	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	/* The third starts when the floods have ended, whoever listens. Both run at first, then the one remains. */
	LAB_CHECK(lab_await_count(lab, 2, LAB_PATIENCE_US) == 2);
	LAB_CHECK(lab_await_count(lab, 1, LAB_PATIENCE_US) == 1);
	LAB_CHECK(warden_rss_kib(lab) < RSS_KIB_MAX);
	e = lab_exited(lab, a);
	LAB_CHECK(e.code == 0 && e.place.stdout_bytes == (64u << 20) + 5);
	LAB_CHECK(lab_exited(lab, b).code == 0);
	LAB_CHECK(!warden_put_grace(&lab->c.out, WARDEN_KILL_ALL, 0));
}

static void a_daemon_that_does_not_read_holds_up_nothing(void **state)
{
	(void)state;
	here(deaf);
}

/* ---- timeouts and limits ---- */

static void timeouts(struct lab *lab)
{
	struct warden_spawn wall = { .grace_us = 100000, .wall_us = 300000 }, idle = { .grace_us = 100000, .idle_us = 400000 };
	struct warden_spawn silent = { .grace_us = 100000, .start_us = 300000 };
	struct warden_exited e;
	uint64_t ticks, spins, key;

	e = lab_exited(lab, lab_unit_spawn(lab, &wall, "tick", ""));
	LAB_CHECK(e.why == WARDEN_WHY_TIMEOUT && e.signal == SIGTERM);
	LAB_CHECK(e.end_mono_us - e.start_mono_us >= 300000);
	e = lab_exited(lab, lab_unit_spawn(lab, &idle, "stay", ""));
	LAB_CHECK(e.why == WARDEN_WHY_IDLE && e.end_mono_us - e.start_mono_us >= 400000);
	e = lab_exited(lab, lab_unit_spawn(lab, &silent, "stay", ""));
	LAB_CHECK(e.why == WARDEN_WHY_START && e.end_mono_us - e.start_mono_us >= 300000);
	/* Output, or work without a word, is not idle; one word is a start. */
	ticks = lab_unit_spawn(lab, &idle, "tick", "");
	spins = lab_unit_spawn(lab, &idle, "spin", "");
	key = lab_unit_spawn(lab, &wall, "stay", "");
	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	usleep(1200000);
	LAB_CHECK(lab_count(lab) >= 2);
	LAB_CHECK(!warden_put_kill(&lab->c.out, ticks, 0) && !warden_put_kill(&lab->c.out, spins, 0));
	LAB_CHECK(lab_exited(lab, ticks).why == WARDEN_WHY_KILLED);
	LAB_CHECK(lab_exited(lab, spins).why == WARDEN_WHY_KILLED);
	LAB_CHECK(lab_exited(lab, key).why == WARDEN_WHY_TIMEOUT);
}

static void each_timeout_ends_its_unit_and_says_so(void **state)
{
	(void)state;
	here(timeouts);
}

static void limits(struct lab *lab)
{
	struct warden_spawn memory = { .grace_us = 0, .memory_bytes_max = 64 << 20 }, cpu = { .grace_us = 0, .cpu_us_max = 200000 };
	uint64_t a = lab_unit_spawn(lab, &memory, "memory", "128"), b = lab_unit_spawn(lab, &cpu, "spin", "");

	LAB_CHECK(lab_exited(lab, a).why == WARDEN_WHY_MEMORY);
	LAB_CHECK(lab_exited(lab, b).why == WARDEN_WHY_CPU);
}

static void polled_limits_end_their_unit(void **state)
{
	(void)state;
	here(limits);
}

/* ---- output ---- */

struct gathered {
	struct rv_buf bytes[2];
};

static int gather(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	struct gathered *g = arg;

	(void)offset;
	return rv_buf_put_str(&g->bytes[stream], bytes);
}

static void read_log(struct lab *lab, uint64_t key, struct gathered *g, struct seglog_entry *entry)
{
	char dir[128];
	struct rv_err err = { 0 };

	snprintf(dir, sizeof(dir), "%s/log", lab->dir);
	rv_buf_init(&g->bytes[0], 0);
	rv_buf_init(&g->bytes[1], 0);
	LAB_CHECK(seglog_find(dir, (struct warden_log_id){ 7, (uint32_t)key, 1 }, entry, &err) == 1);
	if (seglog_read(dir, entry, gather, g, &err))
		fprintf(stderr, "%s\n", err.msg);
	LAB_CHECK(!err.code);
}

static void drop(struct gathered *g)
{
	rv_buf_release(&g->bytes[0]);
	rv_buf_release(&g->bytes[1]);
}

static void log_of_all(struct lab *lab)
{
	struct warden_spawn m = { 0 };
	struct gathered g;
	struct seglog_entry entry;
	uint64_t keys[40];
	struct rv_buf tail;
	char dir[128];

	/* 40 units of 60 KiB, two at a time: several segments of 1 MiB. */
	for (int i = 0; i < 40; i++) {
		char script[200];

		snprintf(script, sizeof(script), "i=0; while [ $i -lt 60 ]; do printf '%%01000d%%024d' %d 0; i=$((i+1)); done; echo end %d >&2",
			 i, i);
		keys[i] = lab_spawn(lab, &m, (const char *const[]){ "sh", "-c", script, NULL });
	}
	for (int i = 0; i < 40; i++)
		LAB_CHECK(lab_exited(lab, keys[i]).place.stdout_bytes == 60 * 1024);
	for (int i = 0; i < 40; i++) {
		char want[1100], err_want[32];

		read_log(lab, keys[i], &g, &entry);
		snprintf(want, sizeof(want), "%01000d%024d", i, 0);
		snprintf(err_want, sizeof(err_want), "end %d\n", i);
		LAB_CHECK(g.bytes[0].bytes == 60 * 1024 && is(rv_buf_str(&g.bytes[1]), err_want));
		for (int k = 0; k < 60; k++)
			LAB_CHECK(!memcmp(g.bytes[0].at + k * 1024, want, 1024));
		LAB_CHECK(entry.flags == SEGLOG_ENDED);
		drop(&g);
	}
	snprintf(dir, sizeof(dir), "%s/log", lab->dir);
	rv_buf_init(&tail, 0);
	LAB_CHECK(!seglog_tail(dir, (struct warden_log_id){ 7, (uint32_t)keys[3], 1 }, 0, 100, &tail, NULL));
	LAB_CHECK(tail.bytes == 100 && tail.at[99] == '0');
	rv_buf_release(&tail);
	LAB_CHECK(seglog_find(dir, (struct warden_log_id){ 7, 9999, 1 }, &entry, NULL) == 0);
}

static void the_shared_log_gives_each_unit_its_own(void **state)
{
	(void)state;
	here(log_of_all);
}

static void flood_of(struct lab *lab, const char *what)
{
	struct warden_spawn m = { .log_bytes_max = 1 << 20 };
	uint64_t key = lab_unit_spawn(lab, &m, what, "48");
	struct warden_exited e = lab_exited(lab, key);
	struct gathered g;
	struct seglog_entry entry;

	LAB_CHECK(e.code == 0 && e.place.stdout_bytes == (48u << 20) + 5 && e.place.truncated == 1);
	LAB_CHECK(e.stdout_tail.bytes == WARDEN_TAIL_BYTES_MAX && !memcmp(e.stdout_tail.at + WARDEN_TAIL_BYTES_MAX - 4, "TAIL", 4));
	read_log(lab, key, &g, &entry);
	LAB_CHECK((entry.flags & (SEGLOG_ENDED | SEGLOG_BIG | SEGLOG_TRUNCATED)) == (SEGLOG_ENDED | SEGLOG_BIG | SEGLOG_TRUNCATED));
	LAB_CHECK(!memcmp(g.bytes[0].at, "HEAD", 4));
	/* the cap, whatever lies in the log of all, and the marker */
	LAB_CHECK(g.bytes[0].bytes > 1 << 20 && g.bytes[0].bytes < (1 << 20) + CAPLOG_MARKER_BYTES_MAX);
	LAB_CHECK(!memcmp(g.bytes[0].at + g.bytes[0].bytes - 5, "\nTAIL", 5));
	LAB_CHECK(memmem(g.bytes[0].at, g.bytes[0].bytes, " bytes left out here]\n", 22));
	drop(&g);
}

static void floods(struct lab *lab)
{
	flood_of(lab, "flood");
	flood_of(lab, "lines");
}

static void a_flood_keeps_head_and_tail(void **state)
{
	(void)state;
	here(floods);
}

static void files(struct lab *lab)
{
	char logs[128], path[160], text[4096];
	struct warden_spawn m = { .output = WARDEN_OUTPUT_FILES, .log_bytes_max = 1000 };
	struct warden_exited e;
	struct stat st;
	ssize_t n;
	int fd;

	snprintf(logs, sizeof(logs), "%s/logs", lab->dir);
	LAB_CHECK(!mkdir(logs, 0700));
	m.logs_dir = rv_str_of(logs);
	e = shell(lab, &m, "i=0; while [ $i -lt 1000 ]; do printf '%04d\n' $i; i=$((i+1)); done; echo bad >&2; exit 1");
	LAB_CHECK(e.code == 1 && e.place.kind == WARDEN_OUTPUT_FILES && e.place.stdout_bytes == 5000 && e.place.truncated == 1);
	snprintf(path, sizeof(path), "%s/stdout.log", logs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text));
	close(fd);
	LAB_CHECK(n > 1000 && n < 1100 && !memcmp(text, "0000\n", 5) && !memcmp(text + n - 5, "0999\n", 5));
	LAB_CHECK(memmem(text, (size_t)n, "[reeve: 4000 bytes left out here]\n", 34));
	snprintf(path, sizeof(path), "%s/stderr.log", logs);
	LAB_CHECK(!stat(path, &st) && st.st_size == 4);
	snprintf(path, sizeof(path), "%s/stdout.log.tail", logs);
	LAB_CHECK(stat(path, &st));
}

static void files_of_a_namespace_are_capped_too(void **state)
{
	(void)state;
	here(files);
}

static void live(struct lab *lab)
{
	struct warden_spawn m = { .output_credit = 10, .grace_us = 0 };
	uint64_t key = lab_unit_spawn(lab, &m, "tick", ""), at = 0;
	struct warden_frame f;

	while (at < 10) {
		lab_await(lab, WARDEN_OUTPUT, &f);
		LAB_CHECK(f.output.key == key && f.output.stream == 1 && f.output.offset == at);
		at += f.output.bytes.bytes;
	}
	LAB_CHECK(at == 10);
	LAB_CHECK(warden_client_wait(&lab->c, &f, 200000, NULL) == 0);
	LAB_CHECK(!warden_put_credit(&lab->c.out, key, 5));
	lab_await(lab, WARDEN_OUTPUT, &f);
	LAB_CHECK(f.output.offset > 10);
	{
		/* A reader of the log sees it while it is written. */
		struct gathered g;
		struct seglog_entry entry;

		read_log(lab, key, &g, &entry);
		LAB_CHECK(g.bytes[0].bytes >= 1 && !(entry.flags & SEGLOG_ENDED));
		drop(&g);
	}
	LAB_CHECK(!warden_put_kill(&lab->c.out, key, 0));
	LAB_CHECK(lab_exited(lab, key).why == WARDEN_WHY_KILLED);
}

static void live_output_comes_by_credit(void **state)
{
	(void)state;
	here(live);
}

/* ---- records ---- */

struct found {
	int count;
	uint64_t key;
	enum warden_why why;
	int32_t code;
};

static void find(void *arg, const struct warden_exited *e)
{
	struct found *f = arg;

	f->count++;
	if (e->key == f->key) {
		f->why = e->why;
		f->code = e->code;
		LAB_CHECK(e->cookie.bytes == 8 && !memcmp(e->cookie.at, &e->key, 8) && e->recovered);
	}
}

static void records(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };
	uint64_t a = lab_unit_spawn(lab, &m, "exit", "4"), b = lab_unit_spawn(lab, &m, "exit", "0");
	struct found f = { .key = a };
	struct warden_exited e;

	e = lab_exited(lab, a);
	LAB_CHECK(!e.recovered);
	lab_exited(lab, b);
	LAB_CHECK(!warden_put_forget(&lab->c.out, &b, 1));
	lab_unit_spawn(lab, &m, "exit", "9"); /* takes the place of b's record */
	lab_exited(lab, lab->next_key);
	lab_unit_spawn(lab, &m, "stay", "");
	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	LAB_CHECK(lab_await_count(lab, 1, LAB_PATIENCE_US) == 1);
	/* End of file: the running one is killed and recorded. */
	lab_stop(lab);
	LAB_CHECK(records_read(lab->dir, find, &f, NULL) == 3 && f.count == 3);
	LAB_CHECK(f.why == WARDEN_WHY_EXITED && f.code == 4);
	f = (struct found){ .key = lab->next_key };
	LAB_CHECK(records_read(lab->dir, find, &f, NULL) == 3);
	LAB_CHECK(f.why == WARDEN_WHY_KILLED);
	/* The next warden tells them; what is forgotten there is not told again. */
	lab->seen.bytes = 0;
	lab_start(lab);
	LAB_CHECK(lab->hello.records == 3);
	e = lab_exited(lab, a);
	LAB_CHECK(e.recovered && e.code == 4 && e.stdout_tail.bytes == 0);
}

static void ends_are_recorded_and_recovered(void **state)
{
	(void)state;
	here(records);
}

/* What ended just before the daemon went is reaped and recorded before anything is killed. */
static void recorded_first(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };
	struct found f = { 0 };
	uint64_t key = lab_unit_spawn(lab, &m, "stay", "");

	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	LAB_CHECK(lab_await_count(lab, 1, LAB_PATIENCE_US) == 1);
	/* The warden stands still while the unit ends and the channel closes: both wait for it together, the channel first. */
	kill(lab->c.pid, SIGSTOP);
	LAB_CHECK(!warden_put_empty(&lab->c.out, WARDEN_TABLE) && !warden_client_flush(&lab->c, NULL));
	{
		char command[64];

		snprintf(command, sizeof(command), "exec pkill -9 -f -- '--unit stay [l]%s'", lab->mark + 1);
		LAB_CHECK(system(command) == 0);
	}
	LAB_CHECK(lab_await_zombie(lab, LAB_PATIENCE_US) == 0); /* its command line is gone a little earlier */
	close(lab->c.fd);
	lab->c.fd = -1;
	kill(lab->c.pid, SIGCONT);
	lab_stop(lab);
	f.key = key;
	LAB_CHECK(records_read(lab->dir, find, &f, NULL) == 1);
	LAB_CHECK(f.why == WARDEN_WHY_EXITED);
}

static void what_ended_before_end_of_file_is_not_called_killed(void **state)
{
	(void)state;
	here(recorded_first);
}

static void garbage(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };
	int status;

	lab_unit_spawn(lab, &m, "stay", "");
	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	LAB_CHECK(lab_await_count(lab, 1, LAB_PATIENCE_US) == 1);
	LAB_CHECK(!rv_buf_put(&lab->c.out, "\xff\xff\xff\x7fgarbage", 11));
	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	LAB_CHECK(waitpid(lab->c.pid, &status, 0) == lab->c.pid);
	LAB_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	lab->c.pid = 0;
	LAB_CHECK(lab_count(lab) == 0);
}

static void a_broken_channel_is_an_end_not_a_crash(void **state)
{
	(void)state;
	here(garbage);
}

static void full(struct lab *lab)
{
	struct warden_spawn m = { .grace_us = 100000 };
	const char *words[] = { "/bin/true", NULL };

	/* A warden of its own with a small queue. */
	lab_stop(lab);
	LAB_CHECK(!warden_start(&lab->c, NULL, NULL));
	LAB_CHECK(!warden_put_config(&lab->c.out, &(struct warden_config){ .slots = 0, .agent_slots = 0, .queue_max = 3,
									    .label_prefix = RV_STR("lab-small-queue") }));
	LAB_CHECK(!warden_put_env_base(&lab->c.out, &(struct warden_env_base){ .id = 0 }));
	m.slots = 1;
	for (int i = 0; i < 8; i++)
		lab_spawn(lab, &m, words);
	for (int i = 0; i < 8; i++)
		LAB_CHECK(lab_exited(lab, lab->next_key - (uint64_t)i).key > 0);
}

static void a_full_queue_refuses(void **state)
{
	(void)state;
	here(full);
}

/* ---- a further CONFIG ---- */

static struct warden_hello again(struct lab *lab, struct warden_config c, struct warden_frame *f)
{
	c.segment_bytes = 1 << 20;
	LAB_CHECK(!warden_put_config(&lab->c.out, &c));
	lab_await(lab, WARDEN_HELLO, f);
	LAB_CHECK(f->hello.label.bytes == strlen(lab->mark) && !memcmp(f->hello.label.at, lab->mark, strlen(lab->mark)));
	return f->hello;
}

static void config_again(struct lab *lab)
{
	struct warden_config c = { .slots = 3, .agent_slots = 2, .state_dir = rv_str_of(lab->dir), .label_prefix = RV_STR("another-daemon") };
	struct warden_spawn m = { 0 };
	enum warden_level other = lab->level == WARDEN_LEVEL_SUBREAPER ? WARDEN_LEVEL_CGROUP : WARDEN_LEVEL_SUBREAPER;
	struct warden_frame f;
	struct warden_hello h;
	uint64_t key;

	for (int i = 0; i < 3; i++)
		lab_unit_spawn(lab, &m, "stay", "");
	LAB_CHECK(!warden_client_flush(&lab->c, NULL));
	LAB_CHECK(lab_await_count(lab, 2, LAB_PATIENCE_US) == 2); /* two slots */
	/* refused: said, nothing changed */
	c.state_dir = RV_STR("/nowhere");
	h = again(lab, c, &f);
	LAB_CHECK(holds(h.trouble, "/nowhere") && holds(h.trouble, lab->dir));
	c.state_dir = rv_str_of(lab->dir);
	c.level = other;
	h = again(lab, c, &f);
	LAB_CHECK(holds(h.trouble, warden_level_name(other)) && holds(h.trouble, warden_level_name(lab->level)));
	LAB_CHECK(lab_count(lab) == 2);
	/* taken: the third has a slot now */
	c.level = WARDEN_LEVEL_NONE;
	h = again(lab, c, &f);
	LAB_CHECK(!h.trouble.bytes && h.level == lab->level);
	LAB_CHECK(lab_await_count(lab, 3, LAB_PATIENCE_US) == 3);
	LAB_CHECK(!warden_put_grace(&lab->c.out, WARDEN_KILL_ALL, 0));
	for (key = 1; key <= 3; key++)
		(void)lab_exited(lab, key);
	/* what nobody has forgotten is told again */
	h = again(lab, c, &f);
	LAB_CHECK(h.records == 3);
	for (key = 1; key <= 3; key++) {
		lab_await(lab, WARDEN_EXITED, &f);
		LAB_CHECK(f.exited.recovered);
	}
}

static void a_further_config_is_an_update_or_refused_aloud(void **state)
{
	(void)state;
	assert_int_equal(lab_run(config_again, WARDEN_LEVEL_NONE, 0), 0);
	assert_int_equal(lab_run(config_again, WARDEN_LEVEL_SUBREAPER, 0), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_code_signal_and_output_are_told),
		cmocka_unit_test(a_unit_sees_what_it_should),
		cmocka_unit_test(a_unit_can_be_another_user),
		cmocka_unit_test(what_cannot_start_says_why),
		cmocka_unit_test(a_program_that_moved_is_found_again),
		cmocka_unit_test(what_has_not_started_can_be_taken_back),
		cmocka_unit_test(the_table_tells_all_and_shutdown_ends_all),
		cmocka_unit_test(slots_are_kept_and_a_small_one_may_pass),
		cmocka_unit_test(two_thousand_quick_ones_end_once_each),
		cmocka_unit_test(a_hundred_start_at_once),
		cmocka_unit_test(a_wide_one_is_not_passed_for_ever),
		cmocka_unit_test(term_ends_the_warden_in_order),
		cmocka_unit_test(a_command_of_more_than_a_mebibyte_runs),
		cmocka_unit_test(a_pid_namespace_has_its_own_proc),
		cmocka_unit_test(a_daemon_that_does_not_read_holds_up_nothing),
		cmocka_unit_test(each_timeout_ends_its_unit_and_says_so),
		cmocka_unit_test(polled_limits_end_their_unit),
		cmocka_unit_test(the_shared_log_gives_each_unit_its_own),
		cmocka_unit_test(a_flood_keeps_head_and_tail),
		cmocka_unit_test(files_of_a_namespace_are_capped_too),
		cmocka_unit_test(live_output_comes_by_credit),
		cmocka_unit_test(ends_are_recorded_and_recovered),
		cmocka_unit_test(a_further_config_is_an_update_or_refused_aloud),
		cmocka_unit_test(what_ended_before_end_of_file_is_not_called_killed),
		cmocka_unit_test(a_broken_channel_is_an_end_not_a_crash),
		cmocka_unit_test(a_full_queue_refuses),
	};

	lab_unit(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
