/* Whatever happens, in whatever order: the facts folded anew give the live state, however small the room for effects was. */
#include "common/prng.h"
#include "tests/lib/coord_driver.h"
#include "tests/lib/plan_slice.h"
#include "tests/lib/test.h"

#define UNITS 24u
#define STEPS 160u

struct world {
	struct driver d;
	struct plan_build plan[3];
	struct rv_prng prng;
	uint32_t plans;
};

static uint32_t below(struct world *w, uint32_t n)
{
	return (uint32_t)rv_prng_below(&w->prng, n);
}

static void random_settings(struct world *w, struct plan_build *b, const char *id)
{
	struct plan_settings *s = plan_build_settings(b, id);

	s->trigger = below(w, 3) ? PLAN_ALL_SUCCESS : (enum plan_trigger)below(w, 3);
	s->priority = (int32_t)below(w, 3);
	if (!below(w, 3))
		s->retry.max = below(w, 3);
	if (!below(w, 8))
		s->queue_timeout_us = 5000000;
	if (!below(w, 10))
		s->at_most_once = true;
	if (!below(w, 12))
		s->satisfied = true;
	if (!below(w, 5))
		s->slots = 1 + below(w, 3);
	if (!below(w, 5))
		plan_build_lock(b, id, below(w, 2) ? "l1" : "l2", 1 + below(w, 2));
	if (!below(w, 5))
		plan_build_agent(b, id, below(w, 2) ? "x" : "y", below(w, 3));
	if (!below(w, 4))
		plan_build_dirs(b, id, below(w, 3) == 0 ? "a" : below(w, 2) ? "a/b" : "a/c d");
}

static void random_plan(struct world *w, struct plan_build *b)
{
	static const enum plan_on_failure policies[] = { PLAN_ISOLATE, PLAN_ISOLATE, PLAN_FAIL_FAST, PLAN_FINISH };
	uint32_t n = 3 + below(w, UNITS);

	plan_build_init(b);
	b->plan.on_failure = policies[below(w, 4)];
	b->plan.max_workers = below(w, 2) ? 0 : 1 + below(w, 4);
	b->plan.limits.failed = below(w, 4) ? 0 : 1 + below(w, 3);
	b->plan.workspace.overlap = PLAN_OVERLAP_SERIALIZE;
	b->plan.placement = (enum plan_placement)below(w, 3);
	if (!below(w, 4))
		b->plan.timeout_us = 40000000;
	for (uint32_t i = 0; i < n; i++) {
		char id[16], deps[256] = "";
		uint32_t want = i ? below(w, 4) : 0;

		for (uint32_t k = 0, last = UINT32_MAX; k < want; k++) {
			uint32_t d = below(w, i);

			if (d == last)
				continue;
			last = d;
			if (strstr(deps, b->plan.units[d].id.at))
				continue;
			(void)snprintf(deps + strlen(deps), sizeof(deps) - strlen(deps), "%.*s ", RV_STR_ARGS(b->plan.units[d].id));
		}
		(void)snprintf(id, sizeof(id), "u%02u", i);
		if (below(w, 6))
			plan_build_unit(b, id, deps);
		else
			plan_build_for_each(b, id, below(w, 6), deps);
		if (i && !below(w, 8) && b->plan.units[i - 1].for_each && !strstr(deps, b->plan.units[i - 1].id.at))
			plan_build_same_as(b, id, b->plan.units[i - 1].id.at);
		random_settings(w, b, id);
	}
	if (!below(w, 3))
		plan_build_verify(b);
}

/* As a whole, or the beginning of an open run. */
static void random_submit(struct world *w)
{
	struct plan_build *b = &w->plan[w->plans++];
	uint32_t count;

	random_plan(w, b);
	count = below(w, b->plan.unit_count + 1);
	if (below(w, 2) && plan_slice_may(&b->plan, count))
		driver_submit_open(&w->d, b, count);
	else
		driver_submit(&w->d, b);
}

static void close_run(struct world *w, uint64_t run)
{
	char star[16];

	(void)snprintf(star, sizeof(star), "%u*", (unsigned)run);
	(void)driver_act(&w->d, PROTO_MUT_CLOSE, star, 0);
}

/* More of the plan of an open run, or what it has once more, or no more. */
static void random_addition(struct world *w, uint64_t run)
{
	const struct plan *p = &w->plan[run - 1].plan;
	uint32_t slices = w->d.cut_count[run - 1], from = slices ? w->d.cuts[run - 1][slices - 1] : 0, left = p->unit_count - from, count;

	if (!slices)
		return;
	count = left ? 1 + below(w, left) : 0;
	if (!below(w, 5) && from)
		(void)driver_add_again(&w->d, run, slices > 1 ? w->d.cuts[run - 1][slices - 2] : 0, from); /* there already */
	else if (!left && !below(w, 3))
		close_run(w, run);
	else if (count && slices < DRIVER_SLICES && plan_slice_may(p, from + count))
		(void)driver_add(&w->d, run, count);
}

/* A live attempt, any; false: none. */
static bool random_attempt(struct world *w, struct proto_attempt_key *key, uint32_t *node)
{
	uint32_t run = below(w, w->d.run_count ? w->d.run_count : 1) + 1;
	const struct coord_graph *g = coord_run_graph(w->d.c, run);
	uint32_t n = g ? coord_graph_unit_count(g) + (coord_graph_verify_spec(g).bytes ? 1 : 0) : 0, from = n ? below(w, n) : 0;

	for (uint32_t i = 0; i < n; i++) {
		struct coord_unit_view v;
		uint32_t unit = (from + i) % n;

		coord_unit_view(w->d.c, run, unit, &v);
		if (v.state != COORD_UNIT_ACTIVE)
			continue;
		*key = (struct proto_attempt_key){ run, unit, v.attempt };
		*node = v.node;
		return true;
	}
	return false;
}

static void random_result(struct world *w)
{
	struct proto_attempt_key key;
	uint32_t node, kind = below(w, 10);
	struct proto_result res;

	if (!random_attempt(w, &key, &node))
		return;
	res = (struct proto_result){ .key = key, .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED,
				     .duration_us = 1000 + below(w, 100000), .start_us = 1, .end_us = 2, .exit = 0 };
	if (kind >= 7) {
		static const enum proto_class classes[] = { PROTO_CLASS_AGENT, PROTO_CLASS_TIMEOUT, PROTO_CLASS_ENVIRONMENT,
							    PROTO_CLASS_RATE_LIMITED, PROTO_CLASS_CONFIG, PROTO_CLASS_EVIDENCE };

		res.outcome = PROTO_FAILED;
		res.class = classes[below(w, 6)];
		res.reason = res.class == PROTO_CLASS_ENVIRONMENT && below(w, 2) ? PROTO_REASON_NOT_FOUND : PROTO_REASON_EXIT;
	} else if (kind == 6) {
		res.outcome = PROTO_CANCELLED;
		res.reason = PROTO_REASON_CANCELLED;
		res.flags = below(w, 2) ? PROTO_RESULT_STARTED : 0;
	}
	driver_result(&w->d, node, &res);
	if (!below(w, 4))
		driver_result(&w->d, node, &res); /* once more: the ack was lost */
}

/* TAKEN, STARTED, REJECTED and what answers RETRACT and CANCEL, fitting or not. */
static void random_answer(struct world *w)
{
	static const enum coord_event_kind kinds[] = { COORD_EV_TAKEN, COORD_EV_STARTED, COORD_EV_REJECTED, COORD_EV_NOT_HERE,
						       COORD_EV_RETRACTED, COORD_EV_ALREADY_STARTED };
	struct coord_event ev = { .kind = kinds[below(w, RV_ARRAY_LEN(kinds))] };
	struct proto_rejected rej = { .why = (enum proto_reject_why)(1 + below(w, 6)) };
	struct proto_started started = { .start_us = 5 };
	struct proto_attempt_key key;
	uint32_t node;

	if (!random_attempt(w, &key, &node))
		return;
	ev.peer = (below(w, 10) ? node : below(w, w->d.node_count)) + 1;
	rej.key = started.key = key;
	if (ev.kind == COORD_EV_REJECTED) {
		rej.why = rej.why == PROTO_REJECT_NO_WORKSPACE ? PROTO_REJECT_FULL : rej.why; /* nowhere else to go */
		ev.rejected = &rej;
	} else if (ev.kind == COORD_EV_STARTED) {
		ev.started = &started;
	} else {
		ev.key = key;
	}
	driver_step(&w->d, &ev);
	driver_turn(&w->d);
}

static void random_act(struct world *w)
{
	static const enum proto_mutation acts[] = { PROTO_MUT_CANCEL, PROTO_MUT_HOLD, PROTO_MUT_RELEASE, PROTO_MUT_SKIP, PROTO_MUT_PAUSE,
						    PROTO_MUT_UNPAUSE, PROTO_MUT_RETRY, PROTO_MUT_RESUME, PROTO_MUT_SET_MAX_WORKERS };
	struct proto_fact f = { .kind = PROTO_FACT_MUTATION };
	struct coord_event ev = { .kind = COORD_EV_MUTATION, .mutation = { .fact = &f, .client = 7 } };
	uint32_t run = below(w, w->d.run_count) + 1;

	f.mutation.what = acts[below(w, RV_ARRAY_LEN(acts))];
	f.mutation.run = run;
	f.mutation.node = RV_MAP_NONE;
	f.mutation.unit = below(w, coord_graph_unit_count(coord_run_graph(w->d.c, run)) + 1);
	if (f.mutation.what == PROTO_MUT_CANCEL && below(w, 8))
		f.mutation.what = PROTO_MUT_UNPAUSE;
	if (f.mutation.what == PROTO_MUT_RETRY && below(w, 2))
		f.mutation.unit = RV_MAP_NONE;
	f.mutation.request = rv_prng_next(&w->prng);
	f.mutation.value = below(w, 4);
	if (coord_client_check(w->d.c, &f, NULL) == 0)
		driver_step(&w->d, &ev);
	driver_turn(&w->d);
}

/* The node comes back, with some of what it had. */
static void random_hello(struct world *w, uint32_t node)
{
	struct proto_held held[64];
	uint32_t count = 0;
	char name[16];

	for (uint32_t run = 1; run <= w->d.run_count; run++) {
		const struct coord_graph *g = coord_run_graph(w->d.c, run);

		for (uint32_t i = 0; i < coord_graph_unit_count(g) && count < 64; i++) {
			struct coord_unit_view v;

			coord_unit_view(w->d.c, run, i, &v);
			if (v.node != node || !v.attempt || !below(w, 3))
				continue;
			held[count++] = (struct proto_held){ .key = { run, i, v.attempt - (v.attempt > 1 && !below(w, 4)) }, .epoch = 1,
							     .state = (enum proto_held_state)below(w, 4) };
		}
	}
	(void)snprintf(name, sizeof(name), "n%u", node);
	driver_hello(&w->d, node, name, (uint8_t)(1 + !below(w, 6)), 3 + node, 2, held, count);
}

static void random_step(struct world *w)
{
	uint32_t kind = below(w, 100), node = below(w, w->d.node_count);

	if (kind < 50)
		random_result(w);
	else if (kind < 60)
		random_answer(w);
	else if (kind < 65)
		driver_gone(&w->d, node);
	else if (kind < 72)
		random_hello(w, node);
	else if (kind < 80)
		random_act(w);
	else if (kind < 90)
		driver_live(&w->d, 1 + below(w, 3000000));
	else if (kind < 92)
		driver_wait(&w->d, 70000000);
	else if (kind < 93 && w->plans < 3) {
		random_submit(w);
	} else if (kind < 97) {
		random_addition(w, below(w, w->d.run_count) + 1);
	} else {
		driver_turn(&w->d);
	}
}

/* What a well node says: all that it was given is there. */
static void true_hello(struct world *w, uint32_t node)
{
	struct proto_held held[512];
	uint32_t count = 0;
	char name[16];

	for (uint32_t run = 1; run <= w->d.run_count; run++) {
		const struct coord_graph *g = coord_run_graph(w->d.c, run);
		uint32_t n = coord_graph_unit_count(g) + (coord_graph_verify_spec(g).bytes ? 1 : 0);

		for (uint32_t i = 0; i < n && count < 512; i++) {
			struct coord_unit_view v;

			coord_unit_view(w->d.c, run, i, &v);
			if (v.state == COORD_UNIT_ACTIVE && v.node == node)
				held[count++] = (struct proto_held){ .key = { run, i, v.attempt }, .epoch = 1, .state = PROTO_HELD_RUNNING };
		}
	}
	(void)snprintf(name, sizeof(name), "n%u", node);
	driver_hello(&w->d, node, name, 9, 3 + node, 2, held, count);
}

static void act_on_all(struct world *w, enum proto_mutation what)
{
	for (uint32_t run = 1; run <= w->d.run_count; run++) {
		uint32_t n = what == PROTO_MUT_RELEASE ? coord_graph_unit_count(coord_run_graph(w->d.c, run)) : 1;

		for (uint32_t i = 0; i < n; i++) {
			struct proto_fact f = { .kind = PROTO_FACT_MUTATION };
			struct coord_event ev = { .kind = COORD_EV_MUTATION, .mutation = { .fact = &f } };

			f.mutation.what = what;
			f.mutation.run = run;
			f.mutation.unit = what == PROTO_MUT_RELEASE ? i : RV_MAP_NONE;
			f.mutation.node = RV_MAP_NONE;
			f.mutation.value = 0;
			driver_step(&w->d, &ev);
		}
	}
}

static bool all_ended(struct world *w)
{
	for (uint32_t run = 1; run <= w->d.run_count; run++)
		if (coord_run_state(w->d.c, run, NULL) < COORD_RUN_SUCCEEDED)
			return false;
	return true;
}

static void no_room_at_all(struct world *w)
{
	for (uint32_t run = 1; run <= w->d.run_count; run++) {
		struct coord_run_counts n;

		coord_run_counts(w->d.c, run, &n);
		fprintf(stderr, "run %u state %d: pending %u ready %u active %u wait %u held %u of %u\n", run,
			(int)coord_run_state(w->d.c, run, NULL), n.pending, n.ready, n.active, n.retry_wait, n.held, n.total);
	}
	fail_msg("the runs do not end");
}

/* Faults off: everything ends. */
static void heal(struct world *w)
{
	struct proto_attempt_key key;
	uint32_t node;

	for (uint32_t run = 1; run <= w->d.run_count; run++) {
		uint32_t slices = w->d.cut_count[run - 1];

		if (!slices)
			continue;
		if (w->d.cuts[run - 1][slices - 1] < w->plan[run - 1].plan.unit_count)
			(void)driver_add(&w->d, run, w->plan[run - 1].plan.unit_count - w->d.cuts[run - 1][slices - 1]);
		close_run(w, run);
	}
	act_on_all(w, PROTO_MUT_UNPAUSE);
	act_on_all(w, PROTO_MUT_RELEASE);
	act_on_all(w, PROTO_MUT_SET_MAX_WORKERS);
	driver_wait(&w->d, 7000000);
	for (uint32_t k = 0; k < w->d.node_count; k++)
		true_hello(w, k);
	for (uint32_t i = 0; i < 4000 && !all_ended(w); i++) {
		struct proto_result res = { .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED, .duration_us = 1000 };

		if (random_attempt(w, &key, &node)) {
			res.key = key;
			driver_result(&w->d, node, &res);
		} else {
			driver_live(&w->d, 1000000);
		}
		driver_forget_lines(&w->d);
	}
	if (!all_ended(w))
		no_room_at_all(w);
}

static void one_world(uint64_t seed)
{
	struct world w = { 0 };

	struct coord_config cfg;

	rv_prng_seed(&w.prng, seed);
	coord_config_init(&cfg);
	cfg.attempts_max = below(&w, 3) ? 4096 : 6;
	cfg.paths_max = below(&w, 3) ? 4096 : 8;
	cfg.prefetch_us = below(&w, 2) ? 0 : 20000;
	driver_init(&w.d, &cfg);
	w.d.room = below(&w, 2) ? COORD_EFFECTS_MIN : DRIVER_EFFECTS;
	driver_serve(&w.d);
	for (uint32_t i = 0, n = 1 + below(&w, 3); i < n; i++)
		driver_join(&w.d, i == 0 ? "n0" : i == 1 ? "n1" : "n2", 3 + i, 2);
	random_submit(&w);
	if (w.d.room == COORD_EFFECTS_MIN)
		w.d.room = COORD_EFFECTS_MIN + 4 * 64; /* what a HELLO of 64 attempts needs */
	for (uint32_t i = 0; i < STEPS; i++) {
		random_step(&w);
		driver_forget_lines(&w.d);
		if (i % 20 == 0)
			driver_check_replay(&w.d);
		if (!below(&w, 60)) {
			driver_restart(&w.d);
			for (uint32_t k = 0; k < w.d.node_count; k++)
				random_hello(&w, k);
		}
	}
	heal(&w);
	driver_check_replay(&w.d);
	driver_release(&w.d);
	for (uint32_t i = 0; i < w.plans; i++)
		plan_build_release(&w.plan[i]);
}

static void replay_equals_live_in_random_worlds(void **state)
{
	const char *from = getenv("SEED");
	uint64_t first = from ? strtoull(from, NULL, 10) : 1, count = from ? 1 : 300;

	(void)state;
	for (uint64_t seed = first; seed < first + count; seed++) {
		if (getenv("VERBOSE"))
			fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
		one_world(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_equals_live_in_random_worlds),
	};

	return RUN(tests);
}
