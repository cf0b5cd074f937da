/* main.c - the simulator's command line
 *
 *	sim --seeds N             seeds 1..N (with CI set: half of them drawn from the commit's hash), on all processors
 *	sim --seeds A..B [--cells]
 *	                          with --cells in how many of 2,000 worlds each kind of fault and each cell of the tables occurs
 *	sim --seed N [--trace]    one world; its report and trace hash
 *	sim --seed N --shrink     the smallest world found that breaks as this one does, as a C initializer
 *	sim --planted K --seed N [--trace | --shrink]
 *	sim --planted K --seeds A..B
 *	sim --planted all|K [--rounds R] [--limit L]
 *	                          in the profile `planted`: how many seeds it takes to find each bug of common/plant.h, or bug K; in
 *	                          R rounds of at most L worlds each, seeds drawn from the commit's hash, bug and round
 *
 * Worlds run in processes of their own, a batch each: an abort in one of them is that seed's failure, and so are WORLD_CPU_MS of the
 * processor's time (not of the clock on the wall: a machine that is busy with other things breaks no world).
 */
#include "common/check.h"
#include "common/plant.h"
#include "tests/sim/scenario.h"
#include "tests/sim/shrink.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef RV_PLANTED
enum rv_plant rv_planted;
#endif

#define JOBS_MAX 64u
#define FAILURES_MAX 32u
#define WORLD_CPU_MS 300000u

struct range {
	uint64_t first, count;
	uint64_t drawn_from; /* != 0: the second half are hashes of this */
	bool all_drawn;
	bool stop_at_first;
};

/* Shared with the workers. */
struct job {
	uint64_t next, at;      /* index of the next seed, of the one being run */
	bool running;
	struct sim_counts counts;
	struct sim_counts worlds; /* in how many worlds each of them was not zero */
	uint64_t done;
	uint64_t failures;
	struct {
		uint64_t seed;
		char what[256];
	} failed[FAILURES_MAX];
};

struct shared {
	struct job jobs[JOBS_MAX];
	uint64_t first_failed;  /* index + 1 */
};

static uint64_t seed_of(const struct range *r, uint64_t i)
{
	if (r->drawn_from && (r->all_drawn || i >= r->count / 2))
		return rv_hash_u64(r->drawn_from, i) >> 16;
	return r->first + i;
}

static void add_counts(struct sim_counts *to, const struct sim_counts *from)
{
	const uint64_t *f = (const uint64_t *)from;
	uint64_t *t = (uint64_t *)to;
	size_t i;

	_Static_assert(sizeof(struct sim_counts) % sizeof(uint64_t) == 0, "all counts are u64");
	for (i = 0; i < sizeof(*to) / sizeof(uint64_t); i++)
		t[i] += f[i];
}

static void add_world(struct sim_counts *to, const struct sim_counts *from)
{
	const uint64_t *f = (const uint64_t *)from;
	uint64_t *t = (uint64_t *)to;
	size_t i;

	for (i = 0; i < sizeof(*to) / sizeof(uint64_t); i++)
		t[i] += f[i] != 0;
}

static void note_failure(struct shared *sh, struct job *j, const struct range *r, uint64_t index, const char *what)
{
	if (j->failures < FAILURES_MAX) {
		j->failed[j->failures].seed = seed_of(r, index);
		(void)snprintf(j->failed[j->failures].what, sizeof(j->failed[0].what), "%s", what);
	}
	j->failures++;
	if (!sh->first_failed || index + 1 < sh->first_failed)
		sh->first_failed = index + 1;
}

static void work(struct shared *sh, struct job *j, const struct range *r, uint32_t jobs)
{
	for (; j->next < r->count; j->next += jobs) {
		struct sim_report report;
		struct sim_spec spec;

		if (r->stop_at_first && sh->first_failed && sh->first_failed <= j->next)
			break;
		j->at = j->next;
		j->running = true;
		sim_limit_cpu(WORLD_CPU_MS);
		sim_spec_draw(seed_of(r, j->next), &spec);
		if (sim_run_world(&spec, false, &report) == SIM_BROKEN)
			note_failure(sh, j, r, j->next, report.what);
		add_counts(&j->counts, &report.counts);
		add_world(&j->worlds, &report.counts);
		j->done++;
		j->running = false;
	}
}

static pid_t start_worker(struct shared *sh, uint32_t k, const struct range *r, uint32_t jobs)
{
	pid_t child;

	(void)fflush(NULL);
	child = fork();
	rv_check(child >= 0);
	if (child == 0) {
		struct rlimit none = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		work(sh, &sh->jobs[k], r, jobs);
		_exit(0);
	}
	return child;
}

static void run_range(struct shared *sh, const struct range *r, uint32_t jobs)
{
	pid_t children[JOBS_MAX];
	uint32_t k, left = jobs;

	for (k = 0; k < jobs; k++) {
		sh->jobs[k].next = k;
		children[k] = start_worker(sh, k, r, jobs);
	}
	while (left) {
		int status;
		pid_t child = wait(&status);

		for (k = 0; k < jobs && children[k] != child; k++)
			;
		if (k == jobs)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			left--;
			continue;
		}
		note_failure(sh, &sh->jobs[k], r, sh->jobs[k].at, WIFSIGNALED(status) && WTERMSIG(status) == SIM_CPU_SIGNAL ?
			     "took more than 300 s of a processor" : "died: see what it wrote above");
		fprintf(stderr, "sim: the process died in seed %llu\n", (unsigned long long)seed_of(r, sh->jobs[k].at));
		sh->jobs[k].done++;
		sh->jobs[k].next = sh->jobs[k].at + jobs;
		children[k] = start_worker(sh, k, r, jobs);
	}
}

static uint64_t drawn_from_commit(void)
{
	char line[64] = "";
	FILE *git = popen("git rev-parse HEAD 2>/dev/null", "r");

	if (git) {
		(void)!fgets(line, sizeof(line), git);
		(void)pclose(git);
	}
	return line[0] ? rv_hash(1, rv_str_of(line)) | 1 : 0;
}

/* Cells of a node's table of attempts that 2,000 worlds miss once in a billion times or less: 45 of them or more are expected to have
 * it (`--cells` tells). The rest need two rare things at once, or what no peer does; tests/core/test_node_attempt.c walks all of them. */
static const struct {
	const char *state, *events;
} wanted_cells[] = {
	{ "preparing", " dispatch cancel keep prepared prepare_failed lapsed " },
	{ "aborting", " prepared " },
	{ "waiting", " keep " },
	{ "queued", " dispatch cancel retract keep started exited " },
	{ "retracting", " not_started " },
	{ "mocking", " dispatch cancel keep due " },
	{ "running", " dispatch cancel keep exited lapsed " },
	{ "frozen", " keep kill " },
	{ "stopping", " cancel started exited " },
	{ "dropping", " exited " },
	{ "collecting", " cancel keep collected " },
	{ "finished", " dispatch cancel keep result_ack resend forget due " },
};

static bool is_wanted(uint32_t state, uint32_t event)
{
	char word[32];
	uint32_t i;

	(void)snprintf(word, sizeof(word), " %s ", node_core_event_name(event));
	for (i = 0; i < RV_ARRAY_LEN(wanted_cells); i++)
		if (!strcmp(wanted_cells[i].state, node_core_state_name(state)) && strstr(wanted_cells[i].events, word))
			return true;
	return false;
}

/* The same of the coordinator's table of units. */
static const struct {
	const char *state, *events;
} wanted_unit_cells[] = {
	{ "pending", " ready hold release end " },
	{ "ready", " assign end " },
	{ "active", " retry requeue end " },
	{ "retry_wait", " requeue " },
	{ "succeeded", " reset " },
	{ "skipped", " hold reset " },
	{ "cancelled", " reset " },
};

static bool is_wanted_unit(uint32_t state, uint32_t event)
{
	char word[32];
	uint32_t i;

	(void)snprintf(word, sizeof(word), " %s ", coord_unit_event_name(event));
	for (i = 0; i < RV_ARRAY_LEN(wanted_unit_cells); i++)
		if (!strcmp(wanted_unit_cells[i].state, coord_unit_state_name(state)) && strstr(wanted_unit_cells[i].events, word))
			return true;
	return false;
}

static uint32_t show_unit_cells(const struct sim_counts *c, bool must_have_all)
{
	uint32_t k, e, zeros = 0, cells = 0, used = 0;

	for (k = 0; k < COORD_UNIT_STATE_COUNT; k++) {
		for (e = 0; e < COORD_UNIT_EVENTS; e++) {
			if (!coord_unit_cell_exists(k, e))
				continue;
			cells++;
			if (c->unit_cells[k * COORD_UNIT_EVENTS + e]) {
				used++;
			} else if (must_have_all && is_wanted_unit(k, e)) {
				printf("  never: a unit that is %s and %s\n", coord_unit_state_name(k), coord_unit_event_name(e));
				zeros++;
			}
		}
	}
	printf("  %u of %u cells of the coordinator's table of units\n", used, cells);
	return zeros;
}

/* What befalls a cluster beside the faults: each is demanded of a large run. */
static uint32_t show_happenings(const struct sim_counts *c, bool must_have_all)
{
	const struct {
		const char *what;
		uint64_t count;
	} all[] = {
		{ "nodes that join while others work", c->late_joins }, { "links after a node's first", c->rejoins }, { "frames into a cut", c->cut },
		{ "frames of a coordinator that is dead", c->echoes },  { "keys enrolled", c->enrolled },             { "frames of a revoked key", c->denied },
		{ "requests said again", c->repeats },                  { "drains with a deadline", c->drain_deadlines },
		{ "forged messages", c->forged },                       { "units handed over behind what they depend on", c->behind },
	};
	uint32_t zeros = 0;

	printf(" ");
	for (size_t i = 0; i < RV_ARRAY_LEN(all); i++)
		printf("%s %llu %s", i ? "," : "", (unsigned long long)all[i].count, all[i].what);
	printf("\n");
	for (size_t i = 0; must_have_all && i < RV_ARRAY_LEN(all); i++) {
		if (all[i].count)
			continue;
		printf("  never: %s\n", all[i].what);
		zeros++;
	}
	return zeros;
}

/* How often what happened; in a large run each kind must have. */
static int show_counts(const struct sim_counts *c, bool must_have_all)
{
	uint32_t k, e, zeros = 0, cells = 0, used = 0;

	printf("  %llu events, %llu frames (%llu lost, %llu duplicated, %llu reordered, %llu slow, %llu cut)\n", (unsigned long long)c->events,
	       (unsigned long long)c->frames, (unsigned long long)c->lost, (unsigned long long)c->duplicated, (unsigned long long)c->reordered,
	       (unsigned long long)c->slowed, (unsigned long long)c->cut);
	printf("  %llu coordinator steps, %llu node steps, %llu processes, %llu rows, %llu replays\n  faults:", (unsigned long long)c->coord_steps,
	       (unsigned long long)c->node_steps, (unsigned long long)c->starts, (unsigned long long)c->rows, (unsigned long long)c->replays);
	for (k = 1; k < SIM_F_COUNT; k++) {
		printf(" %s %llu", sim_fault_name((enum sim_fault_kind)k), (unsigned long long)c->faults[k]);
		zeros += c->faults[k] == 0;
	}
	printf("\n");
	for (k = 0; k < NODE_CORE_STATES; k++) {
		for (e = 0; e < NODE_CORE_EVENTS; e++) {
			if (!node_core_cell_exists(k, e))
				continue;
			cells++;
			if (c->node_cells[k * NODE_CORE_EVENTS + e]) {
				used++;
			} else if (must_have_all && is_wanted(k, e)) {
				printf("  never: a node's attempt that is %s and %s\n", node_core_state_name(k), node_core_event_name(e));
				zeros++;
			}
		}
	}
	printf("  %u of %u cells of the node's table of attempts\n", used, cells);
	zeros += show_unit_cells(c, must_have_all);
	zeros += show_happenings(c, must_have_all);
	return must_have_all && zeros ? -1 : 0;
}

/* In how many worlds each kind of fault and each cell occurred, scaled to 2,000: what may be demanded of every range of that many. */
static void show_worlds(const struct sim_counts *worlds, uint64_t done)
{
	double scale = 2000.0 / (double)(done ? done : 1);
	uint32_t k, e;

	for (k = 1; k < SIM_F_COUNT; k++)
		printf("%8.1f  fault %s\n", (double)worlds->faults[k] * scale, sim_fault_name((enum sim_fault_kind)k));
	for (k = 0; k < NODE_CORE_STATES; k++)
		for (e = 0; e < NODE_CORE_EVENTS; e++)
			if (node_core_cell_exists(k, e))
				printf("%8.1f  node %s: %s%s\n", (double)worlds->node_cells[k * NODE_CORE_EVENTS + e] * scale,
				       node_core_state_name(k), node_core_event_name(e), is_wanted(k, e) ? " (demanded)" : "");
	for (k = 0; k < COORD_UNIT_STATE_COUNT; k++)
		for (e = 0; e < COORD_UNIT_EVENTS; e++)
			if (coord_unit_cell_exists(k, e))
				printf("%8.1f  unit %s: %s%s\n", (double)worlds->unit_cells[k * COORD_UNIT_EVENTS + e] * scale,
				       coord_unit_state_name(k), coord_unit_event_name(e), is_wanted_unit(k, e) ? " (demanded)" : "");
}

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_seeds(struct range *r, uint32_t jobs, bool cells)
{
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sim_counts total = { 0 }, worlds = { 0 };
	uint64_t failures = 0, done = 0;
	double start = seconds(), took;
	uint32_t k, i;
	int rc;

	rv_check(sh != MAP_FAILED);
	run_range(sh, r, jobs);
	took = seconds() - start;
	for (k = 0; k < jobs; k++) {
		const struct job *j = &sh->jobs[k];

		add_counts(&total, &j->counts);
		add_counts(&worlds, &j->worlds);
		failures += j->failures;
		done += j->done;
		for (i = 0; i < j->failures && i < FAILURES_MAX; i++)
			printf("seed %llu: %s\n", (unsigned long long)j->failed[i].seed, j->failed[i].what);
	}
	printf("%llu worlds in %.1f s (%.0f an hour), %.0f s of virtual time (%.0f x a core), %llu broken\n", (unsigned long long)done, took,
	       (double)done * 3600 / took, (double)total.virtual_us / 1e6, (double)total.virtual_us / 1e6 / took / jobs, (unsigned long long)failures);
	rc = show_counts(&total, done >= 2000);
	if (cells)
		show_worlds(&worlds, done);
	(void)munmap(sh, sizeof(*sh));
	return failures || rc ? 1 : 0;
}

#ifdef RV_PLANTED
#define ROUNDS_MAX 101u

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* How many worlds it takes, of seeds that nobody chose; UINT64_MAX: more than the limit. */
static uint64_t worlds_to_find(enum rv_plant plant, uint64_t round, uint64_t limit, uint32_t jobs, char what[256])
{
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct range r = { .first = 1, .count = limit, .all_drawn = true, .stop_at_first = true };
	uint64_t found;
	uint32_t k;

	rv_check(sh != MAP_FAILED);
	rv_planted = plant;
	r.drawn_from = rv_hash_u64(rv_hash_u64(drawn_from_commit(), plant), round) | 1;
	run_range(sh, &r, jobs);
	found = sh->first_failed ? sh->first_failed : UINT64_MAX;
	for (k = 0; k < jobs; k++)
		if (sh->jobs[k].failures && sh->jobs[k].failed[0].seed == seed_of(&r, found - 1))
			(void)snprintf(what, 256, "%s", sh->jobs[k].failed[0].what);
	(void)munmap(sh, sizeof(*sh));
	if (found != UINT64_MAX) {
		struct sim_spec spec;
		char clean[512];

		sim_spec_draw(seed_of(&r, found - 1), &spec);
		rv_planted = RV_PLANT_NONE;
		if (sim_breaks(&spec, clean))
			printf("seed %llu breaks without the planted bug, too: %s\n", (unsigned long long)spec.seed, clean);
	}
	return found;
}

#define OTHER_SEEDS 500u

/* A scenario is a kind of world that breaks without its rule. Where a change has shifted what its seed draws, one of the next seeds does. */
static bool scenario_breaks(const struct sim_scenario *sc, enum rv_plant plant)
{
	struct sim_spec s = sc->spec;
	char what[512];
	uint32_t i;

	rv_planted = plant;
	for (i = 0; i <= OTHER_SEEDS; i++, s.seed++)
		if (sim_breaks(&s, what))
			break;
	if (i > OTHER_SEEDS)
		return false;
	if (i)
		printf("the scenario's draws have shifted, seed %llu breaks now: %s\n", (unsigned long long)s.seed, sc->name);
	rv_planted = RV_PLANT_NONE;
	if (!sim_breaks(&s, what))
		return true;
	printf("the scenario breaks with its rule, too: %s: %s\n", sc->name, what);
	return false;
}

/* Each small world of scenario_planted.c breaks when its rule is taken out. */
static uint32_t check_scenarios(void)
{
	static const char *const names[] = {
#define X(name, text) [RV_PLANT_##name] = #name,
		RV_PLANTS(X)
#undef X
	};
	uint32_t i, plant, silent = 0;

	for (i = 0; i < sim_scenarios_planted_count; i++) {
		const char *name = sim_scenarios_planted[i].name;

		for (plant = 1; plant < RV_PLANT_COUNT && !(strncmp(name, names[plant], strlen(names[plant])) == 0 && name[strlen(names[plant])] == ':'); plant++)
			;
		if (plant == RV_PLANT_COUNT || !scenario_breaks(&sim_scenarios_planted[i], (enum rv_plant)plant)) {
			silent++;
			printf("the scenario does not break any more: %s\n", sim_scenarios_planted[i].name);
		}
	}
	rv_planted = RV_PLANT_NONE;
	return silent;
}

static int find_planted(const char *which, uint32_t rounds, uint64_t limit, uint32_t jobs)
{
	static const char *const texts[] = {
#define X(name, text) [RV_PLANT_##name] = text,
		RV_PLANTS(X)
#undef X
	};
	uint32_t plant, i, missed = 0, sought = 0, silent;

	(void)!freopen("/dev/null", "w", stderr); /* last words of aborts, many of them wanted */
	for (plant = 1; plant < RV_PLANT_COUNT; plant++) {
		uint64_t found[ROUNDS_MAX];
		char what[256] = "";

		if (strcmp(which, "all") && strtoul(which, NULL, 10) != plant)
			continue;
		for (i = 0; i < rounds; i++)
			found[i] = worlds_to_find((enum rv_plant)plant, i, limit, jobs, what);
		qsort(found, rounds, sizeof(found[0]), compare_u64);
		sought++;
		if (found[rounds / 2] == UINT64_MAX) {
			missed++;
			printf("%2u  %-80s  NOT FOUND in %llu worlds\n", plant, texts[plant], (unsigned long long)limit);
		} else {
			printf("%2u  %-80s  %5llu worlds (%llu..", plant, texts[plant], (unsigned long long)found[rounds / 2], (unsigned long long)found[0]);
			if (found[rounds - 1] == UINT64_MAX)
				printf("more than %llu)  %s\n", (unsigned long long)limit, what);
			else
				printf("%llu)  %s\n", (unsigned long long)found[rounds - 1], what);
		}
	}
	printf("%u of %u planted bugs found, %u rounds each\n", sought - missed, sought, rounds);
	silent = check_scenarios();
	printf("%u of %u scenarios break without their rule\n", sim_scenarios_planted_count - silent, sim_scenarios_planted_count);
	return missed || silent || !sought ? 1 : 0;
}
#endif

static int run_one(uint64_t seed, bool trace)
{
	struct sim_report report;
	struct sim_spec spec;
	enum sim_end end;

	sim_spec_draw(seed, &spec);
	if (trace)
		sim_spec_print(&spec);
	end = sim_run_world(&spec, trace, &report);
	printf("seed %llu: %s%s, hash %016llx, %llu events, %.3f s\n", (unsigned long long)seed, end == SIM_BROKEN ? "BROKEN: " : "fine",
	       report.what, (unsigned long long)report.hash, (unsigned long long)report.counts.events, (double)report.counts.virtual_us / 1e6);
	return end == SIM_BROKEN;
}

static int shrink_one(uint64_t seed)
{
	struct sim_spec spec;
	char what[512] = "";

	sim_spec_draw(seed, &spec);
	sim_shrink(&spec, 2000);
	if (!sim_breaks(&spec, what)) {
		printf("seed %llu does not break\n", (unsigned long long)seed);
		return 0;
	}
	printf("%s\n", what);
	sim_spec_print(&spec);
	return 1;
}

int main(int argc, char **argv)
{
	struct range r = { .first = 1, .count = 100 };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t jobs = processors > 0 && processors < JOBS_MAX ? (uint32_t)processors : 2;
	uint64_t seed = 0;
	bool trace = false, shrink = false, one = false, cells = false;
#ifdef RV_PLANTED
	bool range = false;
#endif
	int i;
#ifdef RV_PLANTED
	const char *planted = NULL;
	uint32_t rounds = 5;
	uint64_t limit = 5000;
#endif

	for (i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		char *end;

		if (!strcmp(argv[i], "--trace")) {
			trace = true;
		} else if (!strcmp(argv[i], "--cells")) {
			cells = true;
		} else if (!strcmp(argv[i], "--shrink")) {
			shrink = true;
		} else if (!strcmp(argv[i], "--seed")) {
			seed = strtoull(value, &end, 0), one = true, i++;
		} else if (!strcmp(argv[i], "--jobs")) {
			jobs = (uint32_t)strtoul(value, &end, 0), i++;
			if (jobs < 1 || jobs > JOBS_MAX)
				jobs = 1;
		} else if (!strcmp(argv[i], "--seeds")) {
			r.count = strtoull(value, &end, 0), i++;
#ifdef RV_PLANTED
			range = true;
#endif
			if (!strncmp(end, "..", 2)) {
				r.first = r.count;
				r.count = strtoull(end + 2, &end, 0) - r.first + 1;
			} else if (getenv("CI")) {
				r.drawn_from = drawn_from_commit();
			}
#ifdef RV_PLANTED
		} else if (!strcmp(argv[i], "--planted")) {
			planted = value, i++;
		} else if (!strcmp(argv[i], "--rounds")) {
			rounds = (uint32_t)strtoul(value, &end, 0), i++;
			if (rounds < 1 || rounds > ROUNDS_MAX)
				rounds = 1;
		} else if (!strcmp(argv[i], "--limit")) {
			limit = strtoull(value, &end, 0), i++;
#endif
		} else {
			fprintf(stderr, "usage: sim [--seeds N | --seeds A..B | --seed N [--trace | --shrink]] [--jobs N] [--cells]\n");
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef RV_PLANTED
	if (planted && !one && !range)
		return find_planted(planted, rounds, limit, jobs);
	if (planted)
		rv_planted = (enum rv_plant)strtoul(planted, NULL, 10);
#endif
	if (shrink)
		return shrink_one(seed);
	if (one)
		return run_one(seed, trace);
	return run_seeds(&r, jobs, cells);
}
