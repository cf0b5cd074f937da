#include "warden_lab.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

uint64_t lab_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * RV_US_PER_S + (uint64_t)t.tv_nsec / 1000;
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

/* ---- units ---- */

#define LIFE_S 60 /* of any unit: what escapes a broken warden ends by itself */

static void for_ever(void)
{
	alarm(LIFE_S);
	for (;;)
		pause();
}

/* A grandchild in a session of its own whose parents are gone. */
static void double_fork(bool and_stay)
{
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			signal(SIGTERM, SIG_IGN);
			signal(SIGHUP, SIG_IGN);
			for_ever();
		}
		_exit(0);
	}
	wait(NULL);
	if (and_stay)
		for_ever();
}

/* Leaves one behind that has gone from its session, its label and its parents, and is deaf to TERM. */
static void hide(char **argv)
{
	char *const args[] = { argv[0], (char *)(uintptr_t)"--unit", (char *)(uintptr_t)"stubborn", argv[3], NULL };
	char *const none[] = { NULL };
	int done[2];

	LAB_CHECK(!pipe2(done, O_CLOEXEC));
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			setsid();
			execve("/proc/self/exe", args, none);
		}
		_exit(0);
	}
	close(done[1]);
	wait(NULL);
	/* Ends when it has exec'd, so that nobody sees what it was before. */
	_exit(read(done[0], &(char){ 0 }, 1) == 0 ? 0 : 1);
}

/* Forks as fast as it can until `most` live (counted in a shared pipe's bytes), then all stay. */
static void bomb(long most)
{
	int fds[2];
	char byte = 0;

	LAB_CHECK(!pipe(fds));
	for (long i = 0; i < most; i++)
		LAB_CHECK(write(fds[1], &byte, 1) == 1);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	signal(SIGTERM, SIG_IGN);
	while (read(fds[0], &byte, 1) == 1)
		if (fork() < 0)
			break;
	for_ever();
}

/* Forks and dies, for ever: a moving target whose pids never stand still. */
static void hopper(void)
{
	uint64_t until = lab_now() + LIFE_S / 4 * RV_US_PER_S;

	signal(SIGTERM, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	while (lab_now() < until)
		if (fork() > 0)
			_exit(0);
}

static void flood(long megabytes, char byte)
{
	static char block[65536];

	memset(block, byte, sizeof(block));
	memcpy(block, "HEAD", 4);
	for (long i = 0; i < megabytes * 16; i++) {
		if (write(1, block, sizeof(block)) < 0)
			_exit(1);
		memset(block, byte, 4);
	}
	if (write(1, "\nTAIL", 5) != 5)
		_exit(1);
}

static int show_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			printf("%s ", e->d_name);
	printf("sid=%d pid=%d pgid=%d stdin=%d nonblock=%d\n", (int)getsid(0), (int)getpid(), (int)getpgid(0),
	       (int)read(0, &(char){ 0 }, 1), fcntl(1, F_GETFL) & O_NONBLOCK ? 1 : 0);
	return 0;
}

void lab_unit(int argc, char **argv)
{
	const char *what, *arg;

	if (argc < 4 || strcmp(argv[1], "--unit"))
		return;
	what = argv[2];
	arg = argc > 4 ? argv[4] : "";
	alarm(LIFE_S);
	if (!strcmp(what, "exit"))
		_exit(atoi(arg));
	if (!strcmp(what, "stay"))
		for_ever();
	if (!strcmp(what, "stubborn")) {
		signal(SIGTERM, SIG_IGN);
		for_ever();
	}
	if (!strcmp(what, "daemon")) { /* leaves one behind and ends well */
		double_fork(false);
		_exit(0);
	}
	if (!strcmp(what, "daemon-stay"))
		double_fork(true);
	if (!strcmp(what, "hidden"))
		hide(argv);
	if (!strcmp(what, "nonblock"))
		_exit(fcntl(1, F_SETFL, O_NONBLOCK) || fcntl(2, F_SETFL, O_NONBLOCK) ? 1 : 0);
	if (!strcmp(what, "bomb"))
		bomb(atol(arg));
	if (!strcmp(what, "hopper"))
		hopper();
	if (!strcmp(what, "flood"))
		flood(atol(arg), 'x');
	if (!strcmp(what, "lines"))
		flood(atol(arg), '\n');
	if (!strcmp(what, "fds")) {
		show_fds();
		fflush(stdout);
	}
	if (!strcmp(what, "tick")) { /* a byte every 20 ms, for ever */
		for (;;) {
			if (write(1, ".", 1) != 1)
				_exit(1);
			pause_us(20000);
		}
	}
	if (!strcmp(what, "spin")) {
		for (volatile unsigned n = 0;; n++)
			;
	}
	if (!strcmp(what, "say")) {
		printf("%s\n", arg);
		fprintf(stderr, "err %s\n", arg);
		fflush(stdout);
	}
	if (!strcmp(what, "memory")) {
		size_t n = (size_t)atol(arg) << 20;
		volatile char *p = malloc(n);

		for (size_t i = 0; p && i < n; i += 4096)
			p[i] = 1;
		for_ever();
	}
	_exit(0);
}

/* ---- the lab ---- */

static void put_base(struct lab *lab)
{
	struct warden_env_base base = { .id = 0 };
	struct rv_buf env;

	rv_buf_init(&env, 0);
	for (char **e = environ; *e; e++)
		LAB_CHECK(!warden_strv_add(&env, &base.env.count, rv_str_of(*e)));
	LAB_CHECK(!warden_strv_add(&env, &base.env.count, RV_STR("LAB_BASE=base")));
	base.env.bytes = rv_buf_str(&env);
	LAB_CHECK(!warden_put_env_base(&lab->c.out, &base));
	rv_buf_release(&env);
}

void lab_start(struct lab *lab)
{
	struct rv_err err = { 0 };

	LAB_CHECK(!warden_start(&lab->c, &(struct warden_options){ .unkillable_us = lab->unkillable_us }, &err));
	lab_greet(lab);
}

void lab_greet(struct lab *lab)
{
	struct rv_err err = { 0 };
	struct warden_frame f;

	LAB_CHECK(!warden_put_config(&lab->c.out, &(struct warden_config){
		.slots = lab->slots, .agent_slots = 2, .level = lab->level, .state_dir = rv_str_of(lab->dir),
		.label_prefix = rv_str_of(lab->mark), .segment_bytes = 1 << 20 }));
	put_base(lab);
	LAB_CHECK(warden_client_wait(&lab->c, &f, LAB_PATIENCE_US, &err) == 1 && f.type == WARDEN_HELLO);
	lab->hello = f.hello;
	if (f.hello.trouble.bytes) {
		fprintf(stderr, "warden: %.*s\n", RV_STR_ARGS(f.hello.trouble));
		_exit(2);
	}
	lab->hello.trouble = rv_str(NULL, 0);
	lab->level = f.hello.level;
}

void lab_stop(struct lab *lab)
{
	warden_client_close(&lab->c, WARDEN_CLOSE_WAIT);
}

uint64_t lab_spawn(struct lab *lab, struct warden_spawn *m, const char *const *words)
{
	struct rv_buf argv;

	rv_buf_init(&argv, 0);
	m->key = ++lab->next_key;
	m->log_id = (struct warden_log_id){ .run = 7, .unit = (uint32_t)m->key, .attempt = 1 };
	m->cookie = rv_str((const char *)&m->key, sizeof(m->key));
	if (!m->slots)
		m->slots = 1;
	m->uid = m->gid = m->umask = WARDEN_KEEP;
	m->argv.count = 0;
	for (; *words; words++)
		LAB_CHECK(!warden_strv_add(&argv, &m->argv.count, rv_str_of(*words)));
	m->argv.bytes = rv_buf_str(&argv);
	LAB_CHECK(!warden_put_spawn(&lab->c.out, m));
	rv_buf_release(&argv);
	return m->key;
}

uint64_t lab_unit_spawn(struct lab *lab, struct warden_spawn *m, const char *what, const char *arg)
{
	const char *words[] = { "/proc/self/exe", "--unit", what, lab->mark, arg, NULL };
	static char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	LAB_CHECK(n > 0);
	self[n] = 0;
	words[0] = self;
	return lab_spawn(lab, m, words);
}

static void note(struct lab *lab, const struct warden_frame *f)
{
	if (f->type == WARDEN_STARTED)
		lab->started++;
	if (f->type == WARDEN_EXITED)
		LAB_CHECK(!warden_put_exited(&lab->seen, &f->exited));
}

void lab_await(struct lab *lab, enum warden_msg type, struct warden_frame *f)
{
	struct rv_err err = { 0 };

	for (;;) {
		int ret = warden_client_wait(&lab->c, f, LAB_PATIENCE_US, &err);

		if (ret != 1)
			fprintf(stderr, "no message %d within the time: %s\n", (int)type, err.msg);
		LAB_CHECK(ret == 1);
		note(lab, f);
		if (f->type == type)
			return;
	}
}

static bool in_seen(struct lab *lab, uint64_t key, struct warden_exited *out)
{
	size_t at = 0, used;
	struct warden_frame f;

	while (warden_frame_read(rv_str(lab->seen.at + at, lab->seen.bytes - at), &f, &used, NULL) == 1) {
		if (f.exited.key == key) {
			*out = f.exited;
			return true;
		}
		at += used;
	}
	return false;
}

struct warden_exited lab_exited(struct lab *lab, uint64_t key)
{
	struct warden_exited m;
	struct warden_frame f;

	while (!in_seen(lab, key, &m))
		lab_await(lab, WARDEN_EXITED, &f);
	return m;
}

/* Whether process `pid` ignores TERM by now: between its exec and its first line it does not yet. */
static bool is_deaf(const char *pid)
{
	char path[300], status[4096];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, status, sizeof(status) - 1);
	close(fd);
	if (n <= 0)
		return false;
	status[n] = 0;
	at = strstr(status, "SigIgn:");
	return at && strtoull(at + 7, NULL, 16) >> (SIGTERM - 1) & 1;
}

static int count_units(const struct lab *lab, bool deaf_only)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int count = 0;

	while (d && (e = readdir(d))) {
		char path[300], line[8192];
		int fd;
		ssize_t n;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, line, sizeof(line) - 1);
		close(fd);
		if (n > 0 && memmem(line, (size_t)n, "--unit", 6) && memmem(line, (size_t)n, lab->mark, strlen(lab->mark)) &&
		    (!deaf_only || is_deaf(e->d_name)))
			count++;
	}
	if (d)
		closedir(d);
	return count;
}

int lab_count(const struct lab *lab)
{
	return count_units(lab, false);
}

static int await(const struct lab *lab, bool deaf_only, int want, uint64_t timeout_us)
{
	uint64_t until = lab_now() + timeout_us;
	int n;

	while ((n = count_units(lab, deaf_only)) != want && lab_now() < until)
		pause_us(2000);
	return n;
}

int lab_await_count(const struct lab *lab, int want, uint64_t timeout_us)
{
	return await(lab, false, want, timeout_us);
}

/* Of "PID (NAME) STATE PPID ..." */
static bool is_zombie_of(const char *pid, pid_t parent)
{
	char path[64], stat[512], state;
	const char *end;
	ssize_t n;
	int fd, of;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, stat, sizeof(stat) - 1);
	(void)close(fd);
	stat[n > 0 ? n : 0] = '\0';
	end = strrchr(stat, ')');
	return end && sscanf(end + 1, " %c %d", &state, &of) == 2 && state == 'Z' && of == parent;
}

static bool has_zombie(pid_t parent)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	bool found = false;

	while (proc && !found && (e = readdir(proc)))
		found = e->d_name[0] >= '1' && e->d_name[0] <= '9' && is_zombie_of(e->d_name, parent);
	if (proc)
		(void)closedir(proc);
	return found;
}

int lab_await_zombie(const struct lab *lab, uint64_t timeout_us)
{
	uint64_t end = lab_now() + timeout_us;

	while (!has_zombie(lab->c.pid)) {
		if (lab_now() > end)
			return -1;
		pause_us(1000);
	}
	return 0;
}

int lab_await_deaf(const struct lab *lab, int want, uint64_t timeout_us)
{
	return await(lab, true, want, timeout_us);
}

static void become(uint32_t uid, const char *dir)
{
	if (!uid || geteuid() == uid)
		return;
	LAB_CHECK(!chown(dir, uid, uid));
	LAB_CHECK(!setgroups(0, NULL));
	LAB_CHECK(!setresgid(uid, uid, uid));
	LAB_CHECK(!setresuid(uid, uid, uid));
	prctl(PR_SET_DUMPABLE, 1);
}

static void remove_dir(const char *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	(void)!system(command);
}

int lab_run(lab_scenario *scenario, enum warden_level level, uint32_t uid)
{
	struct lab lab = { .level = level, .slots = 2 };
	int status = 0;
	pid_t pid;

	snprintf(lab.dir, sizeof(lab.dir), "/tmp/warden-lab.XXXXXX");
	if (!mkdtemp(lab.dir))
		return 1;
	snprintf(lab.mark, sizeof(lab.mark), "lab-%s", lab.dir + strlen(lab.dir) - 6);
	rv_buf_init(&lab.seen, 0);
	lab.c.fd = -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		become(uid, lab.dir);
		lab_start(&lab);
		scenario(&lab);
		if (lab.c.fd >= 0)
			lab_stop(&lab);
		LAB_CHECK(lab_await_count(&lab, 0, 2000000) == 0);
		rv_buf_release(&lab.seen);
		exit(0);
	}
	rv_buf_release(&lab.seen);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	(void)warden_reap_orphans(lab.dir, NULL); /* of a scenario that failed: does nothing where a warden is alive */
	remove_dir(lab.dir);
	if (WIFSIGNALED(status))
		fprintf(stderr, "scenario ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
