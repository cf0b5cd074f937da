/* shrink.c - leaving out of a failing world whatever it does not need to fail */
#include "tests/sim/shrink.h"

#include "common/check.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

void sim_limit_cpu(uint32_t ms)
{
	struct itimerval t = { .it_value = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 } };

	rv_check(setitimer(ITIMER_PROF, &t, NULL) == 0);
}

bool sim_breaks(const struct sim_spec *s, char what[512])
{
	int fd[2], status = 0;
	size_t at = 0;
	ssize_t n;
	pid_t child;

	rv_check(pipe(fd) == 0);
	(void)fflush(NULL);
	child = fork();
	rv_check(child >= 0);
	if (child == 0) {
		struct rlimit none = { 0, 0 };
		struct sim_report report;

		close(fd[0]);
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)dup2(fd[1], 2); /* rv_check writes its last words there */
		sim_limit_cpu(60000);
		if (sim_run_world(s, false, &report) == SIM_BROKEN)
			(void)!write(2, report.what, strlen(report.what));
		_exit(0);
	}
	close(fd[1]);
	while (at < 511 && (n = read(fd[0], what + at, 511 - at)) > 0)
		at += (size_t)n;
	what[at] = '\0';
	close(fd[0]);
	(void)waitpid(child, &status, 0);
	if (WIFSIGNALED(status) && !at)
		(void)snprintf(what, 512, "ended by signal %d", WTERMSIG(status));
	return at || !WIFEXITED(status) || WEXITSTATUS(status);
}

struct shrinker {
	struct sim_spec *best;
	uint32_t tries;
	char what[512];
};

static bool attempt(struct shrinker *sh, const struct sim_spec *s)
{
	char what[512];

	if (!sh->tries || memcmp(s, sh->best, sizeof(*s)) == 0)
		return false;
	sh->tries--;
	if (!sim_breaks(s, what))
		return false;
	/* The same kind of breach: its first words. */
	if (strncmp(what, sh->what, 3))
		return false;
	*sh->best = *s;
	return true;
}

static bool drop_faults(struct shrinker *sh)
{
	uint32_t step, i;
	bool better = false;

	for (step = sh->best->fault_count; step >= 1; step /= 2) {
		for (i = 0; i + step <= sh->best->fault_count;) {
			struct sim_spec s = *sh->best;

			memmove(&s.faults[i], &s.faults[i + step], (s.fault_count - i - step) * sizeof(s.faults[0]));
			s.fault_count -= step;
			memset(&s.faults[s.fault_count], 0, step * sizeof(s.faults[0]));
			if (attempt(sh, &s))
				better = true;
			else
				i += step;
		}
	}
	return better;
}

#define NUMBERS(X)                                                                                                                 \
	X(units) X(nodes) X(runs) X(slots_max) X(join_pm) X(loss_ppm) X(duplicate_ppm) X(reorder_ppm) X(slow_ppm) X(echo_pm) X(clock_ppm_max) X(fail_pm) X(retry_pm) \
	X(noop_pm) X(mock_pm) X(once_pm) X(lock_pm) X(dir_pm) X(wide_pm) X(trigger_pm) X(satisfied_pm) X(many_pm) X(agent_limit_pm) X(budget_pm) X(max_workers) \
	X(prepare_fail_ppm) X(environment_ppm) X(slow_daemon_pm) X(slow_warden_pm) X(on_failure)

static bool lower_numbers(struct shrinker *sh)
{
	struct sim_spec s;
	bool better = false;
	uint32_t i;

#define LOWER(field)                                                                                                               \
	s = *sh->best;                                                                                                             \
	s.field = 0;                                                                                                               \
	if (s.units && s.nodes && s.runs && s.slots_max)                                                                           \
		better |= attempt(sh, &s);                                                                                         \
	do {                                                                                                                       \
		s = *sh->best;                                                                                                     \
		s.field /= 2;                                                                                                      \
	} while (s.field && attempt(sh, &s) && (better = true));                                                                   \
	s = *sh->best;                                                                                                             \
	if (s.field > 1 && s.field < 64) {                                                                                         \
		s.field--;                                                                                                         \
		better |= attempt(sh, &s);                                                                                         \
	}
	NUMBERS(LOWER)
#undef LOWER
	s = *sh->best;
	s.run_timeout_us = 0;
	better |= attempt(sh, &s);
	s = *sh->best;
	s.curve = false;
	better |= attempt(sh, &s);
	s = *sh->best;
	s.verify = false;
	better |= attempt(sh, &s);
	s = *sh->best;
	s.delay_us = 200;
	better |= attempt(sh, &s);
	s = *sh->best;
	s.heal_us /= 2;
	for (i = 0; i < s.fault_count; i++) /* none comes once all is well */
		s.faults[i].at_us = rv_min_u64(s.faults[i].at_us, s.heal_us ? s.heal_us - 1 : 0);
	if (s.heal_us)
		better |= attempt(sh, &s);
	return better;
}

void sim_shrink(struct sim_spec *s, uint32_t tries)
{
	struct shrinker sh = { .best = s, .tries = tries };

	if (!sim_breaks(s, sh.what))
		return;
	while (sh.tries && (drop_faults(&sh) | lower_numbers(&sh)))
		;
}
