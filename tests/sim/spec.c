/* spec.c - drawing a world from a seed */
#include "tests/sim/spec.h"

#include "common/map.h"
#include "common/plan/plan.h"
#include "common/prng.h"

#include <stdio.h>

#define MS ((uint64_t)RV_US_PER_MS)
#define SEC ((uint64_t)RV_US_PER_S)

static uint64_t below(struct rv_prng *p, uint64_t bound)
{
	return bound ? rv_prng_below(p, bound) : 0;
}

static uint64_t between(struct rv_prng *p, uint64_t low, uint64_t high)
{
	return low + below(p, high - low + 1);
}

static bool chance(struct rv_prng *p, uint32_t percent)
{
	return below(p, 100) < percent;
}

/* Mostly small, sometimes up to the bound: small worlds find most bugs, and are many. */
static uint64_t skewed(struct rv_prng *p, uint64_t low, uint64_t high)
{
	uint64_t top = high;

	if (chance(p, 60))
		top = low + (high - low) / 10;
	else if (chance(p, 60))
		top = low + (high - low) / 3;
	return between(p, low, top < low ? low : top);
}

/* 0 in most worlds, else up to `high`. */
static uint32_t sometimes(struct rv_prng *p, uint32_t percent, uint32_t high)
{
	uint32_t v = (uint32_t)between(p, 1, high);

	return chance(p, percent) ? v : 0;
}

static void draw_work(struct rv_prng *p, struct sim_spec *s)
{
	static const uint64_t lost_after[] = { 3 * SEC, 5 * SEC, 10 * SEC, 60 * SEC };
	static const uint64_t durations[] = { 5 * MS, 200 * MS, 3 * SEC, 30 * SEC };

	s->shape = (enum sim_shape)below(p, SIM_SHAPE_COUNT);
	s->lost_after_us = lost_after[below(p, RV_ARRAY_LEN(lost_after))];
	s->duration_us_max = durations[below(p, RV_ARRAY_LEN(durations))];
	s->fail_pm = sometimes(p, 60, 300);
	s->retry_pm = sometimes(p, 60, 1000);
	s->noop_pm = sometimes(p, 30, 1000);
	s->mock_pm = sometimes(p, 40, 600);
	s->once_pm = sometimes(p, 30, 500);
	s->lock_pm = sometimes(p, 35, 600);
	s->dir_pm = sometimes(p, 25, 500);
	s->wide_pm = sometimes(p, 30, 400);
	s->trigger_pm = sometimes(p, 40, 600);
	s->hold_pm = 0;
	s->satisfied_pm = sometimes(p, 10, 200);
	s->many_pm = sometimes(p, 30, 300);
	s->agent_limit_pm = sometimes(p, 30, 1000);
	s->on_failure = chance(p, 60) ? PLAN_ISOLATE : chance(p, 50) ? PLAN_FAIL_FAST : PLAN_FINISH;
	s->max_workers = sometimes(p, 30, 12);
	s->run_timeout_us = chance(p, 5) ? between(p, 1, 60) * SEC : 0;
	s->verify = chance(p, 20);
	s->order_by_id = chance(p, 20);
	s->prepare_fail_ppm = sometimes(p, 20, 30000);
	s->environment_ppm = sometimes(p, 15, 30000);
	s->slow_daemon_pm = sometimes(p, 50, 500);
	s->slow_warden_pm = sometimes(p, 30, 300);
	s->slow_local_us = chance(p, 60) ? 20 * MS : 5 * SEC;
	s->prefetch_us = chance(p, 50) ? 2 * MS : chance(p, 30) ? 0 : chance(p, 50) ? 500 * MS : 10 * SEC;
}

static void draw_network(struct rv_prng *p, struct sim_spec *s)
{
	s->delay_us = chance(p, 50) ? 200 : chance(p, 50) ? 5 * MS : 200 * MS;
	s->loss_ppm = sometimes(p, 40, 300000);
	s->duplicate_ppm = sometimes(p, 40, 200000);
	s->reorder_ppm = sometimes(p, 30, 200000);
	s->slow_ppm = sometimes(p, 30, 50000);
	s->slow_us_max = chance(p, 70) ? 2 * SEC : 60 * SEC;
	s->clock_ppm_max = chance(p, 50) ? 500 : 0;
	s->tcp = chance(p, 50);
	s->power = chance(p, 50);
	s->commit_us_max = chance(p, 60) ? 2 * MS : chance(p, 70) ? 50 * MS : 2 * SEC;
}

static void draw_faults(struct rv_prng *p, struct sim_spec *s, const uint8_t *aim)
{
	/* Weights; a world draws which kinds it has at all, so that some have few kinds and many of them. */
	static const uint8_t weight[SIM_F_COUNT] = {
		[SIM_F_COORD_KILL] = 10, [SIM_F_COORD_POWER] = 8, [SIM_F_COORD_DISK] = 3, [SIM_F_COORD_PAUSE] = 5, [SIM_F_NODE_KILL] = 10,
		[SIM_F_NODE_REBOOT] = 6, [SIM_F_NODE_PAUSE] = 5, [SIM_F_NODE_STOP] = 3, [SIM_F_WARDEN_KILL] = 4, [SIM_F_CUT] = 8,
		[SIM_F_CUT_TO_COORD] = 4, [SIM_F_CUT_FROM_COORD] = 4, [SIM_F_LINK_RESET] = 8, [SIM_F_CLOCK_JUMP] = 2,
		[SIM_F_CANCEL_RUN] = 1, [SIM_F_CANCEL_UNIT] = 5, [SIM_F_RETRY_UNIT] = 4, [SIM_F_RESUME_RUN] = 2, [SIM_F_PAUSE_RUN] = 2,
		[SIM_F_HOLD_UNIT] = 3, [SIM_F_SKIP_UNIT] = 3, [SIM_F_SET_WORKERS] = 3, [SIM_F_SET_PRIORITY] = 1, [SIM_F_DRAIN] = 3, [SIM_F_REMOVE] = 2, [SIM_F_STOP_RUN] = 1, [SIM_F_NODE_LEAVE] = 3,
		[SIM_F_REVOKE] = 3, [SIM_F_NODE_FALL] = 6, [SIM_F_RM] = 3, [SIM_F_FORGE] = 3,
	};
	uint32_t allowed[SIM_F_COUNT], total = 0, i, k;
	uint64_t span = s->heal_us ? s->heal_us : 1;

	for (k = 1; k < SIM_F_COUNT; k++) {
		allowed[k] = aim ? aim[k] : chance(p, 35) ? weight[k] : 0;
		total += allowed[k];
	}
	s->fault_count = total ? (uint32_t)(aim ? between(p, 5, SIM_FAULTS_MAX) : skewed(p, 1, SIM_FAULTS_MAX)) : 0;
	for (i = 0; i < s->fault_count; i++) {
		struct sim_fault *f = &s->faults[i];
		uint32_t at = (uint32_t)below(p, total);

		for (k = 1; at >= allowed[k]; k++)
			at -= allowed[k];
		f->kind = (enum sim_fault_kind)k;
		f->at_us = chance(p, 50) ? below(p, span) : below(p, span / 10 + 1);
		f->for_us = chance(p, 50) ? between(p, 1, 2000) * MS : chance(p, 70) ? between(p, 1, 20) * SEC : between(p, 10, 600) * SEC;
		f->target = (uint32_t)below(p, 100000);
		f->run = (uint32_t)below(p, SIM_RUNS_MAX);
		f->arg = (uint32_t)below(p, 40);
	}
}

/* --- worlds in which rare things meet: small, with few kinds of trouble and much of each --- */

/* Everything on a node is slow, and people change their minds. */
static void aim_local(struct rv_prng *p, struct sim_spec *s)
{
	static const uint8_t kinds[SIM_F_COUNT] = {
		[SIM_F_CANCEL_UNIT] = 30, [SIM_F_CANCEL_RUN] = 1, [SIM_F_RETRY_UNIT] = 10, [SIM_F_NODE_STOP] = 3, [SIM_F_WARDEN_KILL] = 3,
		[SIM_F_NODE_KILL] = 3, [SIM_F_LINK_RESET] = 10, [SIM_F_COORD_KILL] = 3, [SIM_F_HOLD_UNIT] = 6,
	};

	s->units = (uint32_t)between(p, 5, 40);
	s->slow_daemon_pm = (uint32_t)between(p, 300, 1000);
	s->slow_warden_pm = (uint32_t)between(p, 300, 1000);
	s->slow_local_us = 5 * SEC;
	s->prepare_fail_ppm = chance(p, 50) ? 30000 : 0;
	s->duration_us_max = chance(p, 50) ? 3 * SEC : 30 * SEC;
	s->heal_us = between(p, 5, 60) * SEC;
	s->fault_count = 0;
	draw_faults(p, s, kinds);
}

/* Much is sent ahead, and taken back when another node is idle. */
static void aim_stealing(struct rv_prng *p, struct sim_spec *s)
{
	static const uint8_t kinds[SIM_F_COUNT] = {
		[SIM_F_NODE_REBOOT] = 5, [SIM_F_NODE_KILL] = 5, [SIM_F_LINK_RESET] = 10, [SIM_F_CANCEL_UNIT] = 20, [SIM_F_CUT] = 10,
		[SIM_F_WARDEN_KILL] = 2, [SIM_F_SET_WORKERS] = 3, [SIM_F_DRAIN] = 5,
	};

	s->nodes = (uint32_t)between(p, 2, 6);
	s->slots_max = (uint32_t)between(p, 1, 3);
	s->units = (uint32_t)between(p, 10, 60);
	s->shape = chance(p, 50) ? SIM_FAN : SIM_RANDOM;
	s->prefetch_us = 10 * SEC;
	s->duration_us_max = chance(p, 50) ? 3 * SEC : 30 * SEC;
	s->max_workers = s->lock_pm = s->dir_pm = s->wide_pm = 0;
	s->mock_pm = chance(p, 50) ? 600 : 0;
	s->slow_daemon_pm = (uint32_t)between(p, 0, 800);
	s->slow_warden_pm = (uint32_t)between(p, 0, 800);
	s->slow_local_us = 5 * SEC;
	s->duplicate_ppm = chance(p, 50) ? 200000 : 0;
	s->heal_us = between(p, 5, 60) * SEC;
	s->fault_count = 0;
	draw_faults(p, s, kinds);
}

/* Short leases on what excludes others, words that come late, and then silence. */
static void aim_leases(struct rv_prng *p, struct sim_spec *s)
{
	static const uint8_t kinds[SIM_F_COUNT] = {
		[SIM_F_CUT] = 10, [SIM_F_CUT_TO_COORD] = 30, [SIM_F_CUT_FROM_COORD] = 10, [SIM_F_LINK_RESET] = 3, [SIM_F_COORD_PAUSE] = 2,
		[SIM_F_NODE_KILL] = 2,
	};

	s->nodes = (uint32_t)between(p, 2, 5);
	s->units = (uint32_t)between(p, 10, 40);
	s->shape = chance(p, 50) ? SIM_FAN : SIM_RANDOM;
	s->lock_pm = (uint32_t)between(p, 300, 900);
	s->dir_pm = chance(p, 50) ? (uint32_t)between(p, 300, 900) : 0;
	s->once_pm = chance(p, 30) ? 300 : 0;
	s->noop_pm = s->mock_pm = s->fail_pm = s->loss_ppm = 0;
	s->reorder_ppm = 0; /* a STARTED that overtakes a HELLO is taken for lost: docs/testing.md */
	s->lost_after_us = chance(p, 70) ? 3 * SEC : 5 * SEC;
	s->duration_us_max = 30 * SEC;
	s->commit_us_max = 2 * MS;
	if (rv_hash_u64(s->seed, 0x736c6f77u) % 4 == 0) { /* DISPATCHes that wait for their rows about as long as their attempts may be silent */
		s->power = true;
		s->commit_us_max = 2 * SEC;
	}
	s->delay_us = chance(p, 50) ? 200 : 200 * MS;
	s->slow_ppm = 300000;
	s->slow_us_max = 2 * SEC;
	s->slow_daemon_pm = s->slow_warden_pm = 0;
	s->heal_us = between(p, 20, 120) * SEC;
	s->fault_count = 0;
	draw_faults(p, s, kinds);
}

/* The same, and links break, so that there are many HELLOs, and copies of them that come later than the next. */
static void aim_copies(struct rv_prng *p, struct sim_spec *s)
{
	static const uint8_t kinds[SIM_F_COUNT] = {
		[SIM_F_CUT] = 10, [SIM_F_CUT_TO_COORD] = 10, [SIM_F_LINK_RESET] = 40, [SIM_F_NODE_KILL] = 2, [SIM_F_COORD_KILL] = 2,
	};

	aim_leases(p, s);
	s->duplicate_ppm = 200000;
	s->delay_us = chance(p, 50) ? 5 * MS : 200 * MS;
	s->duration_us_max = chance(p, 50) ? 3 * SEC : 30 * SEC;
	s->fault_count = 0;
	draw_faults(p, s, kinds);
}

/* A coordinator that stands still, dies and comes back, and otherwise nothing: no try may be wasted. */
static void aim_coordinator(struct rv_prng *p, struct sim_spec *s)
{
	static const uint8_t kinds[SIM_F_COUNT] = {
		[SIM_F_COORD_PAUSE] = 20, [SIM_F_COORD_KILL] = 10, [SIM_F_COORD_POWER] = 10, [SIM_F_LINK_RESET] = 10, [SIM_F_CLOCK_JUMP] = 10,
	};

	s->units = (uint32_t)between(p, 5, 60);
	s->lost_after_us = chance(p, 50) ? 3 * SEC : 5 * SEC;
	s->commit_us_max = 2 * MS;
	s->duration_us_max = chance(p, 50) ? 3 * SEC : 30 * SEC;
	s->loss_ppm = s->slow_ppm = s->prepare_fail_ppm = s->environment_ppm = 0;
	s->noop_pm = s->mock_pm = s->run_timeout_us = 0;
	s->delay_us = chance(p, 50) ? 200 : 200 * MS;
	s->duplicate_ppm = chance(p, 50) ? 100000 : 0;
	s->heal_us = between(p, 20, 120) * SEC;
	s->fault_count = 0;
	draw_faults(p, s, kinds);
}

/* Coordinators die with words on their way, which are heard all the same. */
static void aim_past(struct rv_prng *p, struct sim_spec *s)
{
	static const uint8_t kinds[SIM_F_COUNT] = { [SIM_F_COORD_KILL] = 20, [SIM_F_COORD_POWER] = 10, [SIM_F_CANCEL_UNIT] = 10, [SIM_F_LINK_RESET] = 3 };

	s->nodes = (uint32_t)between(p, 1, 6);
	s->units = (uint32_t)between(p, 10, 60);
	s->commit_us_max = 2 * MS;
	s->duration_us_max = chance(p, 50) ? 200 * MS : 3 * SEC;
	s->slow_ppm = 200000;
	s->slow_us_max = 2 * SEC;
	s->echo_pm = 1000;
	s->loss_ppm = 0;
	s->heal_us = between(p, 10, 60) * SEC;
	s->fault_count = 0;
	draw_faults(p, s, kinds);
}

/* Nobody leaves anything alone. */
static void aim_people(struct rv_prng *p, struct sim_spec *s)
{
	static const uint8_t kinds[SIM_F_COUNT] = {
		[SIM_F_HOLD_UNIT] = 40, [SIM_F_SKIP_UNIT] = 16, [SIM_F_CANCEL_UNIT] = 10, [SIM_F_RETRY_UNIT] = 20, [SIM_F_RESUME_RUN] = 4,
		[SIM_F_PAUSE_RUN] = 5, [SIM_F_SET_WORKERS] = 5, [SIM_F_SET_PRIORITY] = 5, [SIM_F_CANCEL_RUN] = 2, [SIM_F_STOP_RUN] = 2,
		[SIM_F_DRAIN] = 5, [SIM_F_REMOVE] = 3, [SIM_F_COORD_KILL] = 5, [SIM_F_NODE_KILL] = 3, [SIM_F_NODE_LEAVE] = 3, [SIM_F_COORD_PAUSE] = 3,
		[SIM_F_RM] = 5,
	};

	s->nodes = (uint32_t)between(p, 1, 6);
	s->runs = (uint32_t)between(p, 1, SIM_RUNS_MAX);
	s->units = (uint32_t)between(p, 3, 20);
	s->many_pm = 0;
	s->duration_us_max = chance(p, 50) ? 3 * SEC : 30 * SEC;
	s->fail_pm = 300;
	s->retry_pm = 1000;
	s->once_pm = chance(p, 50) ? 300 : 0;
	s->heal_us = between(p, 10, 60) * SEC;
	s->fault_count = 0;
	draw_faults(p, s, kinds);
}

/* Nodes come and go, and are shut out while they work. */
static void aim_members(struct rv_prng *p, struct sim_spec *s)
{
	static const uint8_t kinds[SIM_F_COUNT] = {
		[SIM_F_REVOKE] = 30, [SIM_F_REMOVE] = 6, [SIM_F_DRAIN] = 6, [SIM_F_NODE_LEAVE] = 5, [SIM_F_COORD_KILL] = 8, [SIM_F_COORD_POWER] = 8,
		[SIM_F_COORD_PAUSE] = 4, [SIM_F_NODE_PAUSE] = 4, [SIM_F_NODE_KILL] = 4, [SIM_F_LINK_RESET] = 8, [SIM_F_CANCEL_UNIT] = 4, [SIM_F_FORGE] = 8,
	};

	s->nodes = (uint32_t)between(p, 2, 8);
	s->runs = (uint32_t)between(p, 1, SIM_RUNS_MAX);
	s->units = (uint32_t)between(p, 5, 40);
	s->join_pm = chance(p, 50) ? 500 : 0;
	s->curve = true;
	s->duration_us_max = chance(p, 50) ? 3 * SEC : 30 * SEC;
	s->once_pm = chance(p, 50) ? 300 : 0;
	s->noop_pm = 0;
	s->heal_us = between(p, 10, 60) * SEC;
	s->fault_count = 0;
	draw_faults(p, s, kinds);
}

static void draw_aim(struct rv_prng *p, struct sim_spec *s)
{
	static void (*const aims[])(struct rv_prng *p, struct sim_spec *s) = { aim_local, aim_stealing, aim_leases, aim_copies, aim_coordinator, aim_past, aim_people, aim_members };

	aims[below(p, RV_ARRAY_LEN(aims))](p, s);
}

void sim_spec_draw(uint64_t seed, struct sim_spec *s)
{
	struct rv_prng p;

	*s = (struct sim_spec){ .seed = seed };
	rv_prng_seed(&p, seed ^ 0x72656576);
	s->nodes = (uint32_t)skewed(&p, 1, 40);
	s->slots_max = (uint32_t)between(&p, 1, 8);
	s->runs = chance(&p, 70) ? 1 : (uint32_t)between(&p, 2, SIM_RUNS_MAX);
	s->units = (uint32_t)skewed(&p, 1, 400);
	if (below(&p, 500) == 0)
		s->units = (uint32_t)between(&p, 1000, 5000);
	s->heal_us = chance(&p, 70) ? between(&p, 1, 60) * SEC : between(&p, 30, 400) * SEC;
	draw_work(&p, s);
	draw_network(&p, s);
	draw_faults(&p, s, NULL);
	s->join_pm = sometimes(&p, 30, 1000);
	s->curve = chance(&p, 50);
	if (chance(&p, 40))
		draw_aim(&p, s);
	s->open = rv_hash_u64(seed, 0x6f70656eu) % 4 == 0; /* of the seed itself: other worlds stay what they were */
	/* One world in ten knows no faults at all: there nothing may be wasted. */
	if (chance(&p, 10)) {
		s->loss_ppm = s->duplicate_ppm = s->reorder_ppm = s->slow_ppm = 0;
		s->prepare_fail_ppm = s->environment_ppm = 0;
		s->fault_count = 0;
	}
	/* By a number of its own, so that worlds without budgets stay as they were. */
	rv_prng_seed(&p, seed ^ 0x627564676574);
	s->budget_pm = sometimes(&p, 30, 1000);
}

const char *sim_fault_name(enum sim_fault_kind kind)
{
	static const char *const names[SIM_F_COUNT] = {
		"none", "coord_kill", "coord_power", "coord_disk", "coord_pause", "node_kill", "node_reboot", "node_pause", "node_stop",
		"warden_kill", "cut", "cut_to_coord", "cut_from_coord", "link_reset", "clock_jump", "cancel_run", "cancel_unit", "retry_unit",
		"resume_run", "pause_run", "hold_unit", "skip_unit", "set_workers", "set_priority", "drain", "remove", "stop_run", "node_leave", "revoke",
		"node_fall", "rm", "forge",
	};

	return kind < SIM_F_COUNT ? names[kind] : "?";
}

void sim_spec_print(const struct sim_spec *s)
{
	uint32_t i;

#define NUMBER(field)                                                                              \
	do {                                                                                       \
		if (s->field)                                                                      \
			printf("\t\t." #field " = %llu,\n", (unsigned long long)s->field);         \
	} while (0)
	printf("\t{\n");
	NUMBER(seed);
	NUMBER(nodes);
	NUMBER(slots_max);
	NUMBER(join_pm);
	NUMBER(runs);
	NUMBER(units);
	NUMBER(shape);
	NUMBER(loss_ppm);
	NUMBER(duplicate_ppm);
	NUMBER(reorder_ppm);
	NUMBER(slow_ppm);
	NUMBER(delay_us);
	NUMBER(slow_us_max);
	NUMBER(clock_ppm_max);
	NUMBER(echo_pm);
	NUMBER(curve);
	NUMBER(tcp);
	NUMBER(power);
	NUMBER(commit_us_max);
	NUMBER(lost_after_us);
	NUMBER(duration_us_max);
	NUMBER(fail_pm);
	NUMBER(retry_pm);
	NUMBER(noop_pm);
	NUMBER(mock_pm);
	NUMBER(once_pm);
	NUMBER(lock_pm);
	NUMBER(dir_pm);
	NUMBER(wide_pm);
	NUMBER(trigger_pm);
	NUMBER(hold_pm);
	NUMBER(satisfied_pm);
	NUMBER(many_pm);
	NUMBER(agent_limit_pm);
	NUMBER(budget_pm);
	NUMBER(on_failure);
	NUMBER(max_workers);
	NUMBER(run_timeout_us);
	NUMBER(verify);
	NUMBER(open);
	NUMBER(order_by_id);
	NUMBER(prepare_fail_ppm);
	NUMBER(environment_ppm);
	NUMBER(slow_daemon_pm);
	NUMBER(slow_warden_pm);
	NUMBER(slow_local_us);
	NUMBER(prefetch_us);
	NUMBER(heal_us);
	NUMBER(fault_count);
#undef NUMBER
	if (s->fault_count)
		printf("\t\t.faults = {\n");
	for (i = 0; i < s->fault_count; i++)
		printf("\t\t\t{ %u /* %s */, %llu, %llu, %u, %u, %u },\n", s->faults[i].kind, sim_fault_name(s->faults[i].kind),
		       (unsigned long long)s->faults[i].at_us, (unsigned long long)s->faults[i].for_us, s->faults[i].target,
		       s->faults[i].run, s->faults[i].arg);
	if (s->fault_count)
		printf("\t\t},\n");
	printf("\t},\n");
}
