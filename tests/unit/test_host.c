#include "tests/lib/test.h"

#include "common/os/clock.h"
#include "common/os/host.h"
#include "common/os/keys.h"
#include "common/os/signals.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>

/* --- clocks ------------------------------------------------------------------------------------------------------- */

static void clocks_go_forward(void **state)
{
	uint64_t m = rv_clock_monotonic_us(), b = rv_clock_boottime_us();
	int i;

	(void)state;
	assert_true(m > 0);
	assert_true(b >= m); /* it counts sleep, too */
	assert_true(rv_clock_realtime_us() > 1700000000u * (uint64_t)RV_US_PER_S);
	for (i = 0; i < 1000; i++) {
		uint64_t next = rv_clock_monotonic_us();

		assert_true(next >= m);
		m = next;
	}
}

/* --- the host ------------------------------------------------------------------------------------------------------ */

static void quotas_are_read_as_whole_cpus(void **state)
{
	(void)state;
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("max 100000\n")), 0);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("-1 100000\n")), 0); /* v1: no quota */
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("100000 100000\n")), 1);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("150000 100000\n")), 2);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("10000 100000\n")), 1);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("800000 100000")), 8);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("100000 0")), 0);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("0 100000")), 0);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("100000")), 0);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("")), 0);
	assert_int_equal(rv_host_parse_cpu_max(RV_STR("99999999999999999999999 1")), 0);
	assert_true(rv_host_parse_bytes(RV_STR("max\n")) == UINT64_MAX);
	assert_true(rv_host_parse_bytes(RV_STR("")) == UINT64_MAX);
	assert_int_equal(rv_host_parse_bytes(RV_STR("1048576\n")), 1048576);
	assert_true(rv_host_parse_bytes(RV_STR("99999999999999999999999")) == UINT64_MAX);
}

static void names_of_processes_do_not_confuse(void **state)
{
	(void)state;
	assert_int_equal(rv_host_parse_start(RV_STR("1 (a) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9")), 4711);
	assert_int_equal(rv_host_parse_start(RV_STR("1 (a ) S 3 (b) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9")), 4711);
	assert_int_equal(rv_host_parse_start(RV_STR("1 (a) S 0 1")), 0);
	assert_int_equal(rv_host_parse_start(RV_STR("1 (a)")), 0);
	assert_int_equal(rv_host_parse_start(RV_STR("")), 0);
}

static void processes_are_known_by_their_start(void **state)
{
	uint64_t ours = 0, childs = 0;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(rv_host_process_start(getpid(), &ours), 1);
	(void)fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(0);
	assert_int_equal(rv_host_process_start(child, &childs), 1); /* a zombie still has its number */
	assert_true(childs >= ours);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(rv_host_process_start(child, &childs), 0);
	assert_int_equal(rv_host_process_start(0, &childs), 0);
	assert_int_equal(rv_host_process_start(-1, &childs), 0);
}

static void the_host_tells_what_we_may_use(void **state)
{
	uint8_t a[RV_BOOT_ID_BYTES], b[RV_BOOT_ID_BYTES];
	char name[RV_HOST_NAME_MAX + 1];
	struct rv_host_share host;
	cpu_set_t old, one;
	int cpu;

	(void)state;
	rv_host_boot_id(a);
	rv_host_boot_id(b);
	assert_memory_equal(a, b, sizeof(a));
	rv_host_name(name);
	assert_true(strlen(name) > 0);
	rv_host_share(&host);
	assert_true(host.cpus >= 1);
	assert_true(host.memory_bytes > (uint64_t)16 << 20);
	assert_int_equal(sched_getaffinity(0, sizeof(old), &old), 0);
	for (cpu = 0; !CPU_ISSET(cpu, &old); cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	rv_host_share(&host);
	assert_int_equal(host.cpus, 1);
	assert_int_equal(sched_setaffinity(0, sizeof(old), &old), 0);
}

/* --- signals --------------------------------------------------------------------------------------------------------- */

static void signals_arrive_as_a_descriptor(void **state)
{
	static const int wanted[] = { SIGUSR1, SIGUSR2 };
	struct rv_signals s;
	struct rv_signal got;
	struct pollfd p;
	sigset_t now;

	(void)state;
	assert_int_equal(rv_signals_open(&s, wanted, 2, NULL), 0);
	assert_int_equal(rv_signals_next(&s, &got), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	p = (struct pollfd){ .fd = s.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(rv_signals_next(&s, &got), 1);
	assert_int_equal(got.number, SIGUSR1);
	assert_int_equal(got.pid, getpid());
	assert_int_equal(rv_signals_next(&s, &got), 0);
	assert_int_equal(kill(getpid(), SIGUSR2), 0); /* not taken: must not strike when the mask is restored */
	rv_signals_close(&s);
	rv_signals_close(&s);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
	assert_false(sigismember(&now, SIGUSR1));
	assert_false(sigismember(&now, SIGUSR2));
}

static void a_closed_pipe_is_an_error_of_the_write(void **state)
{
	struct sigaction old;
	int pipes[2];

	(void)state;
	assert_int_equal(sigaction(SIGPIPE, NULL, &old), 0);
	rv_signals_ignore_pipe();
	assert_int_equal(pipe(pipes), 0);
	close(pipes[0]);
	assert_int_equal(write(pipes[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(pipes[1]);
	assert_int_equal(sigaction(SIGPIPE, &old, NULL), 0);
}

/* --- digests ----------------------------------------------------------------------------------------------------------- */

static void digests_are_blake2b_of_32_bytes(void **state)
{
	/* BLAKE2b-256 of "abc", as RFC 7693's algorithm gives it (b2sum -l 256) */
	static const uint8_t abc[RV_DIGEST_BYTES] = { 0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef,
						      0x3f, 0xee, 0x98, 0x57, 0x9b, 0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb,
						      0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19 };
	uint8_t a[RV_DIGEST_BYTES], b[RV_DIGEST_BYTES];
	struct rv_digest_state s;

	(void)state;
	rv_digest(RV_STR("abc"), a);
	assert_memory_equal(a, abc, sizeof(abc));
	rv_digest_begin(&s);
	rv_digest_add(&s, RV_STR("a"));
	rv_digest_add(&s, RV_STR(""));
	rv_digest_add(&s, RV_STR("bc"));
	rv_digest_end(&s, b);
	assert_memory_equal(b, abc, sizeof(abc));
	assert_false(rv_digest_is_zero(a));
	memset(a, 0, sizeof(a));
	assert_true(rv_digest_is_zero(a));
}

static void random_bytes_differ(void **state)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 }, none[1] = { 7 };

	(void)state;
	rv_random(a, sizeof(a));
	rv_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	rv_random(none, 0);
	assert_int_equal(none[0], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(quotas_are_read_as_whole_cpus),
		cmocka_unit_test(names_of_processes_do_not_confuse),
		cmocka_unit_test(processes_are_known_by_their_start),
		cmocka_unit_test(the_host_tells_what_we_may_use),
		cmocka_unit_test(signals_arrive_as_a_descriptor),
		cmocka_unit_test(a_closed_pipe_is_an_error_of_the_write),
		cmocka_unit_test(digests_are_blake2b_of_32_bytes),
		cmocka_unit_test(random_bytes_differ),
	};

	return RUN(tests);
}
