/* Facts that were made elsewhere: whatever they say, those that fit can be folded, and the others are told apart before. */
#include "common/prng.h"
#include "coordinator/recover.h"
#include "tests/lib/coord_driver.h"
#include "tests/lib/test.h"

#define FACTS 4000u
#define SEEDS 60u

struct world {
	struct coord *c;
	struct plan_build plan;
	struct coord_effect *items;
	struct rv_prng prng;
	uint32_t folded;
};

static uint32_t below(struct world *w, uint32_t n)
{
	return (uint32_t)rv_prng_below(&w->prng, n);
}

static void world_init(struct world *w, uint64_t seed)
{
	struct coord_config cfg;

	coord_config_init(&cfg);
	cfg.runs_max = 3;
	cfg.nodes_max = 4;
	cfg.attempts_max = 6;
	*w = (struct world){ .c = coord_create(&cfg), .items = calloc(4096, sizeof(struct coord_effect)) };
	assert_non_null(w->c);
	rv_prng_seed(&w->prng, seed);
	plan_build_init(&w->plan);
	plan_build_unit(&w->plan, "a", "");
	plan_build_unit(&w->plan, "b", "a");
	plan_build_for_each(&w->plan, "m", 3, "a");
	plan_build_lock(&w->plan, "b", "l", 1);
	plan_build_settings(&w->plan, "a")->retry.max = 2;
	w->plan.plan.limits.failed = 2;
}

static void world_release(struct world *w)
{
	coord_destroy(&w->c);
	plan_build_release(&w->plan);
	free(w->items);
}

static void fold(struct world *w, const struct proto_fact *f)
{
	struct coord_effects out = { .items = w->items, .capacity = 4096 };
	struct coord_event ev = { .kind = COORD_EV_FACT, .fact = { .fact = f, .position = ++w->folded } };

	if (f->kind == PROTO_FACT_RUN_ACCEPTED)
		ev.fact.graph = plan_build_graph(&w->plan, f->run_accepted.run);
	do {
		out.count = 0;
		out.again = false;
		coord_step(w->c, &ev, &out);
		for (uint32_t i = 0; i < out.count; i++)
			if (out.items[i].kind == COORD_FX_RELEASE_RUN)
				coord_graph_destroy(&out.items[i].release);
		ev = (struct coord_event){ .kind = COORD_EV_AGAIN };
	} while (out.again);
	coord_audit(w->c);
}

static struct proto_attempt_key random_key(struct world *w)
{
	return (struct proto_attempt_key){ 1 + below(w, 4), below(w, 7), 1 + below(w, 4) };
}

static void random_result(struct world *w, struct proto_attempt_key key, struct proto_result *r)
{
	*r = (struct proto_result){ .key = key, .epoch = 1, .outcome = 1 + below(w, 3), .class = below(w, PROTO_CLASS_COUNT), .exit = -1,
				    .reason = below(w, PROTO_REASON_COUNT), .flags = below(w, 2) };
}

static struct proto_fact random_fact(struct world *w)
{
	static const char *const names[] = { "n1", "n2", "n3", "n4", "n5", "n6" };
	struct proto_fact f = { .kind = 1 + below(w, PROTO_FACT_NODE) };

	switch (f.kind) {
	case PROTO_FACT_RUN_ACCEPTED:
		f.run_accepted.run = 1 + below(w, 4);
		f.run_accepted.units = 5;
		break;
	case PROTO_FACT_ASSIGNED:
		f.assigned.key = random_key(w);
		f.assigned.node = below(w, 5);
		if (below(w, 2))
			f.assigned.after = (struct proto_after){ below(w, 7), 1 + below(w, 4) };
		break;
	case PROTO_FACT_ENDED:
		f.ended.key = random_key(w);
		f.ended.node = below(w, 5);
		f.ended.state = 1 + below(w, 4);
		random_result(w, f.ended.key, &f.ended.result);
		break;
	case PROTO_FACT_ATTEMPT_ENDED:
		f.attempt_ended.key = random_key(w);
		f.attempt_ended.node = below(w, 5);
		f.attempt_ended.retry_delay_us = below(w, 2) * 1000u;
		random_result(w, f.attempt_ended.key, &f.attempt_ended.result);
		break;
	case PROTO_FACT_RUN_STOPPED:
		f.run_stopped.run = 1 + below(w, 4);
		f.run_stopped.reason = below(w, 2) ? PROTO_REASON_CANCELLED : PROTO_REASON_RUN_TIMEOUT;
		break;
	case PROTO_FACT_RUN_FINISHED:
		f.run_finished.run = 1 + below(w, 4);
		f.run_finished.state = 1 + below(w, 2);
		break;
	case PROTO_FACT_MUTATION:
		f.mutation.what = 1 + below(w, PROTO_MUT_LAST);
		f.mutation.run = 1 + below(w, 4);
		f.mutation.unit = below(w, 3) ? below(w, 7) : RV_MAP_NONE;
		f.mutation.node = below(w, 5);
		f.mutation.request = 1 + below(w, 1000);
		f.mutation.value = below(w, 9);
		break;
	case PROTO_FACT_NODE:
		f.node.node = below(w, 5);
		f.node.change = 1 + below(w, PROTO_NODE_LEFT);
		f.node.name = rv_str_of(names[f.node.node]);
		f.node.key[0] = (uint8_t)(1 + f.node.node);
		break;
	default:
		f.epoch.epoch = 1 + below(w, 9);
		break;
	}
	return f;
}

static void random_facts_that_fit_can_be_folded(void **state)
{
	uint32_t folded = 0, refused = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w;

		world_init(&w, seed);
		for (uint32_t i = 0; i < FACTS; i++) {
			struct proto_fact f = random_fact(&w);

			if (coord_fact_fits(w.c, &f)) {
				refused++;
				continue;
			}
			fold(&w, &f);
			folded++;
		}
		world_release(&w);
	}
	assert_true(folded > SEEDS * 100); /* the test looks at something */
	assert_true(refused > SEEDS * 100);
}

static void refused(struct world *w, const struct proto_fact *f, const char *why)
{
	const char *got = coord_fact_fits(w->c, f);

	assert_non_null(got);
	if (!strstr(got, why))
		fail_msg("\"%s\" does not say \"%s\"", got, why);
}

static void what_contradicts_is_said(void **state)
{
	struct proto_fact accepted = { .kind = PROTO_FACT_RUN_ACCEPTED }, node = { .kind = PROTO_FACT_NODE }, assigned = { .kind = PROTO_FACT_ASSIGNED };
	struct proto_fact ended = { .kind = PROTO_FACT_ATTEMPT_ENDED }, finished = { .kind = PROTO_FACT_RUN_FINISHED };
	struct world w;

	(void)state;
	world_init(&w, 1);
	accepted.run_accepted.run = 1;
	node.node.change = PROTO_NODE_ADMITTED;
	node.node.name = RV_STR("n1");
	assigned.assigned.key = (struct proto_attempt_key){ 1, 0, 1 };
	ended.attempt_ended.key = ended.attempt_ended.result.key = assigned.assigned.key;
	finished.run_finished.run = 1;
	refused(&w, &assigned, "nobody has accepted");
	fold(&w, &accepted);
	refused(&w, &accepted, "there already");
	refused(&w, &assigned, "nobody has admitted");
	node.node.node = 1;
	refused(&w, &node, "another number than the next");
	node.node.node = 0;
	fold(&w, &node);
	assigned.assigned.key.unit = 9;
	refused(&w, &assigned, "does not have");
	assigned.assigned.key.unit = 1; /* b waits for a */
	refused(&w, &assigned, "not ready");
	assigned.assigned.key.unit = 0;
	refused(&w, &ended, "attempt that there is not");
	fold(&w, &assigned);
	refused(&w, &assigned, "not ready");
	refused(&w, &finished, "has not ended");
	fold(&w, &ended);
	refused(&w, &finished, "has not ended");
	world_release(&w);
}

/* A retry with nothing to do once gave its run another end. */
static void a_second_end_in_an_old_journal_is_passed_over(void **state)
{
	struct proto_fact accepted = { .kind = PROTO_FACT_RUN_ACCEPTED }, ended = { .kind = PROTO_FACT_ENDED }, finished = { .kind = PROTO_FACT_RUN_FINISHED };
	struct proto_fact retry = { .kind = PROTO_FACT_MUTATION };
	uint64_t digest;
	struct world w;

	(void)state;
	world_init(&w, 1);
	accepted.run_accepted.run = finished.run_finished.run = retry.mutation.run = 1;
	fold(&w, &accepted);
	ended.ended.state = PROTO_END_SUCCEEDED;
	for (uint32_t unit = 0; unit < coord_graph_unit_count(coord_run_graph(w.c, 1)); unit++) {
		ended.ended.key = ended.ended.result.key = (struct proto_attempt_key){ 1, unit, 0 };
		assert_null(coord_fact_fits(w.c, &ended));
		fold(&w, &ended);
	}
	finished.run_finished.state = PROTO_END_SUCCEEDED;
	assert_null(coord_fact_fits(w.c, &finished));
	fold(&w, &finished);
	retry.mutation.what = PROTO_MUT_RETRY;
	retry.mutation.unit = RV_MAP_NONE;
	retry.mutation.request = 5;
	assert_null(coord_fact_fits(w.c, &retry));
	fold(&w, &retry);
	digest = coord_digest(w.c);
	assert_null(coord_fact_fits(w.c, &finished));
	fold(&w, &finished);
	assert_int_equal(coord_digest(w.c), digest);
	world_release(&w);
}

/* What a client does with a coordinator's facts, and a coordinator with its journal's. */
static void a_fold_of_what_contradicts_is_an_error(void **state)
{
	struct proto_fact f = { .kind = PROTO_FACT_RUN_STOPPED, .run_stopped = { .run = 7, .reason = PROTO_REASON_CANCELLED } };
	struct coord_blob_source none = { 0 };
	struct coord_config cfg;
	struct coord_refold *fold;
	struct rv_buf records;
	struct rv_err err = { 0 };
	struct coord *c;

	(void)state;
	coord_config_init(&cfg);
	c = coord_create(&cfg);
	fold = coord_refold_create(c, &none, NULL);
	assert_non_null(fold);
	rv_buf_init(&records, 0);
	assert_int_equal(proto_fact_encode(&f, &records), 0);
	assert_int_equal(coord_refold_row(fold, 42, 0, 0, rv_buf_str(&records), &err), -1);
	assert_int_equal(err.code, RV_E_CORRUPT);
	assert_string_equal(err.msg, "the facts contradict each other at position 42: something of a run that nobody has accepted");
	coord_refold_destroy(&fold);
	coord_destroy(&c);
	rv_buf_release(&records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_facts_that_fit_can_be_folded),
		cmocka_unit_test(what_contradicts_is_said),
		cmocka_unit_test(a_second_end_in_an_old_journal_is_passed_over),
		cmocka_unit_test(a_fold_of_what_contradicts_is_an_error),
	};

	return RUN(tests);
}
