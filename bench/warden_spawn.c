/* warden_spawn.c - what the warden adds to a bare posix_spawn
 *
 * warden_spawn [-n UNITS] [-j SLOTS] [-r ROUNDS] [-l LEVEL] [-w WINDOW] [PROGRAM]
 *
 * Alternates rounds of UNITS processes, SLOTS at once: raw (posix_spawn + wait4 in one loop) and through a warden (SPAWN to
 * EXITED, no more than WINDOW given ahead). Prints medians and the difference in microseconds a unit; *_cpu is the
 * CPU time of the starting process alone (the warden; the raw loop), which other load on the machine hardly changes.
 *
 *   gcc -std=c17 -D_GNU_SOURCE -O2 -I. bench/warden_spawn.c node/warden/[a-z]*.c common/[a-z]*.c -o build/warden_spawn
 */
#include "node/warden/client.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static double raw(int units, int slots, const char *program)
{
	char *argv[] = { (char *)(uintptr_t)program, NULL };
	double t0 = now_us();
	int begun = 0, ended = 0;
	posix_spawn_file_actions_t fa;
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, null_fd, 1);
	while (ended < units) {
		pid_t pid;
		int status;

		while (begun < units && begun - ended < slots) {
			if (posix_spawn(&pid, program, &fa, NULL, argv, environ))
				die("posix_spawn");
			begun++;
		}
		if (wait4(-1, &status, 0, NULL) < 0 || status)
			die("wait4");
		ended++;
	}
	posix_spawn_file_actions_destroy(&fa);
	close(null_fd);
	return (now_us() - t0) / units;
}

/* CPU time of a process itself, without its children, in microseconds: what the machine's other load does not change. */
static double own_cpu_us(pid_t pid)
{
	char path[64];
	unsigned long long ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llu", &ns) != 1)
		die(path);
	fclose(f);
	return (double)ns / 1e3;
}

static uint64_t next_key = 1;

static void spawn(struct warden_client *c, const struct warden_strv *argv)
{
	uint64_t key = next_key++;
	struct warden_spawn s = {
		.key = key, .cookie = RV_STR("0123456789abcdef"), .slots = 1, .argv = *argv, .grace_us = 2000000,
		.log_id = { .run = 1, .unit = (uint32_t)key, .attempt = 1 },
		.uid = WARDEN_KEEP, .gid = WARDEN_KEEP, .umask = WARDEN_KEEP,
	};

	if (warden_put_spawn(&c->out, &s))
		die("spawn");
}

static double through(struct warden_client *c, int units, int window, const struct warden_strv *argv)
{
	double t0 = now_us();
	int given = 0, ended = 0;
	struct warden_frame f;
	struct rv_err err;

	while (ended < units) {
		uint64_t keys[1024];
		uint32_t n = 0;

		while (given < units && given - ended < window) {
			spawn(c, argv);
			given++;
		}
		if (warden_client_wait(c, &f, 30000000, &err) != 1)
			die("warden");
		do {
			if (f.type != WARDEN_EXITED)
				continue;
			if (f.exited.code != 0) {
				fprintf(stderr, "unit: %s code %d signal %d %.*s\n", warden_why_name(f.exited.why), f.exited.code,
					f.exited.signal, RV_STR_ARGS(f.exited.detail));
				exit(1);
			}
			keys[n++] = f.exited.key;
			ended++;
		} while (n < 1024 && warden_client_next(c, &f, &err) == 1);
		warden_put_forget(&c->out, keys, n);
	}
	return (now_us() - t0) / units;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), compare);
	return v[n / 2];
}

int main(int argc, char **argv)
{
	int units = 600, slots = 2, rounds = 5, window = 0, opt;
	enum warden_level level = WARDEN_LEVEL_NONE;
	const char *program = "/bin/true";
	char dir[] = "/tmp/warden_spawn.XXXXXX", cmd[64];
	struct warden_client c;
	struct warden_frame f;
	struct rv_err err;
	struct rv_buf env, args;
	struct warden_env_base base = { .id = 0 };
	struct warden_strv av = { 0 };
	double a[64], b[64], raw_cpu[64], warden_cpu[64];

	while ((opt = getopt(argc, argv, "n:j:r:l:w:")) != -1)
		switch (opt) {
		case 'n': units = (int)strtol(optarg, NULL, 10); break;
		case 'j': slots = (int)strtol(optarg, NULL, 10); break;
		case 'r': rounds = (int)strtol(optarg, NULL, 10) & 63; break;
		case 'w': window = (int)strtol(optarg, NULL, 10); break;
		case 'l': level = warden_level_of(optarg); break;
		default: return 2;
		}
	if (optind < argc)
		program = argv[optind];
	if (!window)
		window = slots + 16;
	if (!mkdtemp(dir) || warden_start(&c, NULL, &err))
		die("start");
	warden_put_config(&c.out, &(struct warden_config){ .slots = (uint32_t)slots, .level = level, .state_dir = rv_str_of(dir),
							   .label_prefix = RV_STR("bench-warden-spawn") });
	rv_buf_init(&env, 0);
	for (char **e = environ; *e; e++)
		warden_strv_add(&env, &base.env.count, rv_str_of(*e));
	base.env.bytes = rv_buf_str(&env);
	warden_put_env_base(&c.out, &base);
	rv_buf_init(&args, 0);
	warden_strv_add(&args, &av.count, rv_str_of(program));
	av.bytes = rv_buf_str(&args);
	if (warden_client_wait(&c, &f, 10000000, &err) != 1 || f.type != WARDEN_HELLO || f.hello.trouble.bytes) {
		fprintf(stderr, "hello: %.*s\n", RV_STR_ARGS(f.hello.trouble));
		return 1;
	}
	level = f.hello.level;
	raw(units / 4 + 1, slots, program);
	through(&c, units / 4 + 1, window, &av);
	for (int i = 0; i < rounds; i++) {
		double t0 = own_cpu_us(getpid());

		a[i] = raw(units, slots, program);
		raw_cpu[i] = (own_cpu_us(getpid()) - t0) / units;
		t0 = own_cpu_us(c.pid);
		b[i] = through(&c, units, window, &av);
		warden_cpu[i] = (own_cpu_us(c.pid) - t0) / units;
		printf("  raw %.1f  warden %.1f\n", a[i], b[i]);
	}
	printf("level=%s units=%d slots=%d window=%d raw_us=%.1f warden_us=%.1f above_us=%.1f raw_cpu=%.1f warden_cpu=%.1f\n", warden_level_name(level), units,
	       slots, window, median(a, rounds), median(b, rounds), median(b, rounds) - median(a, rounds),
	       median(raw_cpu, rounds), median(warden_cpu, rounds));
	warden_client_close(&c, WARDEN_CLOSE_WAIT);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) ? 1 : 0;
}
