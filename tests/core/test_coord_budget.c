/* Limits of tokens and cost: what agents report while they run and when they end, by unit, agent and run. */
#include "tests/core/coord_fixture.h"

/* a, b, c are of the agent m, d of the agent n; `slots` at once. */
static void four(struct fixture *f, uint64_t slots)
{
	static const char *const ids[] = { "a", "b", "c", "d" };

	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++) {
		plan_build_unit(&f->b, ids[i], "");
		plan_build_agent(&f->b, ids[i], i < 3 ? "m" : "n", 0);
	}
	driver_join(&f->d, "n1", 1, slots);
}

static void submit(struct fixture *f)
{
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_show(&f->d, SHOW_SENDS | SHOW_SHELL);
}

static void result(struct fixture *f, const char *unit, enum proto_outcome outcome, uint64_t tokens, uint64_t cost_microusd)
{
	struct proto_result res = { .key = driver_key(&f->d, unit), .epoch = 1, .outcome = outcome, .flags = PROTO_RESULT_STARTED,
				    .usage = { .output_tokens = tokens, .cost_microusd = cost_microusd } };

	if (outcome == PROTO_FAILED) {
		res.class = PROTO_CLASS_AGENT;
		res.reason = PROTO_REASON_EXIT;
	}
	driver_result(&f->d, 0, &res);
}

static uint64_t spent(struct fixture *f)
{
	struct coord_run_counts counts;

	coord_run_counts(f->d.c, 1, &counts);
	return counts.tokens;
}

static void at_the_runs_limit_what_runs_is_ended_and_nothing_starts(void **state)
{
	struct fixture *f = *state;

	four(f, 2);
	f->b.plan.limits.budget.tokens = 1000;
	submit(f);
	driver_used(&f->d, "a", 600, 0);
	expect_nothing(&f->d);
	driver_used(&f->d, "b", 399, 0);
	expect_nothing(&f->d);
	driver_used(&f->d, "b", 400, 0);
	expect(&f->d, "> n1 CANCEL a#1 budget:tokens");
	expect(&f->d, "> n1 CANCEL b#1 budget:tokens");
	expect_nothing(&f->d);
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect_nothing(&f->d);
	driver_cancelled(&f->d, "b");
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "! run 1 failed budget:tokens");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "failed budget budget:tokens");
	expect_unit(&f->d, "c", "cancelled budget:tokens");
}

static void the_same_of_cost(void **state)
{
	struct fixture *f = *state;

	four(f, 1);
	f->b.plan.limits.budget.cost_microusd = 5000000;
	submit(f);
	driver_used(&f->d, "a", 100000, PROTO_COST_UNKNOWN);
	driver_used(&f->d, "a", 100000, 4999999);
	expect_nothing(&f->d);
	driver_used(&f->d, "a", 100000, 5000001);
	expect(&f->d, "> n1 CANCEL a#1 budget:cost");
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 failed budget:cost");
	expect_nothing(&f->d);
}

/* 600 reported and 600 in the result are 600. */
static void nothing_is_counted_twice(void **state)
{
	struct fixture *f = *state;

	four(f, 1);
	f->b.plan.limits.budget.tokens = 1000;
	submit(f);
	driver_used(&f->d, "a", 600, 0);
	driver_used(&f->d, "a", 500, 0); /* a late one */
	result(f, "a", PROTO_SUCCEEDED, 600, 0);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	driver_used(&f->d, "b", 399, 0);
	expect_nothing(&f->d);
	result(f, "b", PROTO_SUCCEEDED, 400, 0); /* over: a success is kept, and the rest does not start */
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "! run 1 failed budget:tokens");
	expect_nothing(&f->d);
	expect_unit(&f->d, "b", "succeeded");
	expect_unit(&f->d, "c", "cancelled budget:tokens");
}

static void what_was_reported_counts_though_the_result_says_less(void **state)
{
	struct fixture *f = *state;

	four(f, 1);
	f->b.plan.limits.budget.tokens = 1000;
	plan_build_settings(&f->b, "a")->retry.max = 1;
	submit(f);
	driver_used(&f->d, "a", 900, 0);
	result(f, "a", PROTO_FAILED, 0, 0); /* killed: it told nothing at its end */
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	driver_check_replay(&f->d);
	driver_used(&f->d, "b", 100, 0);
	expect(&f->d, "> n1 CANCEL b#1 budget:tokens");
	driver_forget_lines(&f->d);
	driver_cancelled(&f->d, "b");
	driver_forget_lines(&f->d);
	expect_unit(&f->d, "a", "failed budget budget:tokens"); /* it waited for one more try */
}

static void a_run_whose_units_all_succeeded_has_succeeded(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_agent(&f->b, "a", "m", 0);
	f->b.plan.limits.budget.tokens = 1000;
	driver_join(&f->d, "n1", 1, 1);
	submit(f);
	result(f, "a", PROTO_SUCCEEDED, 1500, 0);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
	expect_nothing(&f->d);
}

static void at_an_agents_limit_others_go_on(void **state)
{
	struct fixture *f = *state;

	four(f, 2);
	f->b.plan.agents[0].budget.tokens = 500; /* m */
	submit(f); /* a and b run */
	driver_used(&f->d, "a", 300, 0);
	driver_used(&f->d, "b", 200, 0);
	expect(&f->d, "> n1 CANCEL a#1 budget:agent");
	expect(&f->d, "> n1 CANCEL b#1 budget:agent");
	expect_nothing(&f->d);
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH d#1 try=1"); /* c was its better, and ended */
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "failed budget budget:agent");
	expect_unit(&f->d, "c", "failed budget budget:agent");
	driver_cancelled(&f->d, "b");
	result(f, "d", PROTO_SUCCEEDED, 100000, 0);
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "> n1 ACK d#1 accepted");
	expect(&f->d, "! run 1 failed budget:agent");
	expect_nothing(&f->d);
}

static void a_unit_s_own_limit_spans_its_tries(void **state)
{
	struct fixture *f = *state;

	four(f, 1);
	plan_build_settings(&f->b, "a")->budget.tokens = 1000;
	plan_build_settings(&f->b, "a")->retry = (struct plan_retry){ .max = 5, .on = PLAN_RETRY_ON_AGENT, .agent = PLAN_NONE, .backoff = PLAN_BACKOFF_NONE };
	submit(f);
	driver_used(&f->d, "a", 700, 0);
	result(f, "a", PROTO_FAILED, 700, 0);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH a#2 try=2");
	driver_used(&f->d, "a", 299, 0);
	expect_nothing(&f->d);
	driver_used(&f->d, "a", 300, 0);
	expect(&f->d, "> n1 CANCEL a#2 budget:tokens");
	expect_nothing(&f->d);
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#2 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_unit(&f->d, "a", "failed budget budget:tokens");
	expect_nothing(&f->d);
}

static void a_try_that_failed_with_its_limit_used_up_is_its_last(void **state)
{
	struct fixture *f = *state;

	four(f, 1);
	plan_build_settings(&f->b, "a")->budget.tokens = 1000;
	plan_build_settings(&f->b, "a")->retry = (struct plan_retry){ .max = 5, .on = PLAN_RETRY_ON_AGENT, .agent = PLAN_NONE, .backoff = PLAN_BACKOFF_NONE };
	submit(f);
	result(f, "a", PROTO_FAILED, 1000, 0);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_unit(&f->d, "a", "failed budget budget:tokens");
	expect_nothing(&f->d);
}

/* Cumulative from the attempt's start: what was counted when it was given up is not counted when it comes back. */
static void a_lost_attempt_that_comes_back_is_counted_once(void **state)
{
	struct fixture *f = *state;
	struct proto_result res;
	struct proto_attempt_key key;

	four(f, 1);
	f->b.plan.limits.budget.tokens = 1000;
	submit(f);
	driver_used(&f->d, "a", 600, 0);
	key = driver_key(&f->d, "a");
	driver_gone(&f->d, 0);
	driver_live(&f->d, 700 * (uint64_t)RV_US_PER_S); /* agents have 600 s */
	driver_forget_lines(&f->d);
	expect_unit(&f->d, "a", "ready node_lost lost");
	assert_int_equal(spent(f), 600);
	driver_act(&f->d, PROTO_MUT_PAUSE, NULL, 0); /* nobody else is given the unit */
	driver_hello(&f->d, 0, "n1", 1, 1, 1, &(struct proto_held){ .key = key, .epoch = 1, .state = PROTO_HELD_FINISHED }, 1);
	res = (struct proto_result){ .key = key, .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED, .usage = { .output_tokens = 700 } };
	driver_forget_lines(&f->d);
	driver_result(&f->d, 0, &res);
	driver_check_replay(&f->d);
	driver_forget_lines(&f->d);
	assert_int_equal(spent(f), 700);
}

static void a_restart_forgets_no_result_and_nodes_report_again(void **state)
{
	struct fixture *f = *state;
	struct proto_attempt_key b;

	four(f, 2);
	f->b.plan.limits.budget.tokens = 1000;
	submit(f);
	driver_used(&f->d, "b", 300, 0);
	result(f, "a", PROTO_SUCCEEDED, 600, 0);
	b = driver_key(&f->d, "b");
	driver_restart(&f->d);
	assert_int_equal(spent(f), 600);
	driver_hello(&f->d, 0, "n1", 1, 1, 2, (struct proto_held[]){ { .key = b, .epoch = 1, .state = PROTO_HELD_RUNNING },
								     { .key = { 1, 2, 1 }, .epoch = 1, .state = PROTO_HELD_RUNNING } }, 2);
	driver_forget_lines(&f->d);
	driver_used(&f->d, "b", 399, 0);
	expect_nothing(&f->d);
	driver_used(&f->d, "b", 400, 0);
	expect(&f->d, "> n1 CANCEL b#1 budget:tokens");
	driver_forget_lines(&f->d);
}

static void a_raised_limit_lets_a_run_go_on(void **state)
{
	struct fixture *f = *state;

	four(f, 2);
	f->b.plan.limits.budget.tokens = 1000;
	submit(f);
	driver_used(&f->d, "a", 1000, 0);
	expect(&f->d, "> n1 CANCEL a#1 budget:tokens");
	expect(&f->d, "> n1 CANCEL b#1 budget:tokens");
	driver_act(&f->d, PROTO_MUT_SET_TOKENS, NULL, 5000);
	driver_cancelled(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	expect_nothing(&f->d);
	expect_unit(&f->d, "a", "failed budget budget:tokens"); /* it had been told */
	driver_act(&f->d, PROTO_MUT_SET_TOKENS, NULL, 1000); /* lowered: reached already */
	expect(&f->d, "> n1 CANCEL b#1 budget:tokens");
	expect(&f->d, "> n1 CANCEL c#1 budget:tokens");
	driver_forget_lines(&f->d);
}

static void a_limit_that_ended_a_run_is_raised_before_it_goes_on(void **state)
{
	struct fixture *f = *state;

	four(f, 1);
	f->b.plan.limits.budget.tokens = 1000;
	submit(f);
	driver_used(&f->d, "a", 1000, 0);
	driver_cancelled(&f->d, "a");
	driver_forget_lines(&f->d);
	driver_act(&f->d, PROTO_MUT_SET_TOKENS, NULL, 5000);
	driver_forget_lines(&f->d);
	driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0);
	driver_forget_lines(&f->d);
	expect_unit(&f->d, "a", "active");
	driver_check_replay(&f->d);
	driver_used(&f->d, "a", 3999, 0); /* what was used stays used */
	expect_nothing(&f->d);
	driver_used(&f->d, "a", 4000, 0);
	expect(&f->d, "> n1 CANCEL a#2 budget:tokens");
	driver_forget_lines(&f->d);
}

static uint64_t left_tokens, left_cost;

static void note_left(struct driver *d, const struct coord_effect *e)
{
	(void)d;
	if (e->kind != COORD_FX_DISPATCH)
		return;
	left_tokens = e->dispatch.tokens_left;
	left_cost = e->dispatch.cost_left_microusd;
}

static void a_dispatch_says_what_the_nearest_limit_leaves(void **state)
{
	struct fixture *f = *state;

	four(f, 1);
	f->d.hook = note_left;
	f->b.plan.limits.budget.tokens = 10000;
	f->b.plan.limits.budget.cost_microusd = 3000000;
	f->b.plan.agents[0].budget.tokens = 5000;
	plan_build_settings(&f->b, "b")->budget.tokens = 100;
	submit(f);
	assert_int_equal(left_tokens, 5000);
	assert_int_equal(left_cost, 3000000);
	result(f, "a", PROTO_SUCCEEDED, 4000, 1000000);
	assert_int_equal(left_tokens, 100);
	assert_int_equal(left_cost, 2000000);
	result(f, "b", PROTO_SUCCEEDED, 90, 0);
	assert_int_equal(left_tokens, 910);
	result(f, "c", PROTO_SUCCEEDED, 10, 0);
	assert_int_equal(left_tokens, 5900);
	driver_forget_lines(&f->d);
}

static void the_last_try_is_another_agents(void **state)
{
	struct fixture *f = *state;

	four(f, 1);
	plan_build_settings(&f->b, "a")->retry = (struct plan_retry){ .max = 2, .on = PLAN_RETRY_ON_AGENT, .agent = 1, .backoff = PLAN_BACKOFF_NONE };
	f->b.plan.agents[1].budget.tokens = 50; /* n */
	submit(f);
	result(f, "a", PROTO_FAILED, 40, 0);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH a#2 try=2");
	result(f, "a", PROTO_FAILED, 40, 0);
	expect(&f->d, "> n1 ACK a#2 accepted");
	expect(&f->d, "> n1 DISPATCH a#3 try=3 agent=n");
	driver_used(&f->d, "a", 49, 0);
	expect_nothing(&f->d);
	driver_used(&f->d, "a", 50, 0);
	expect(&f->d, "> n1 CANCEL a#3 budget:agent");
	driver_forget_lines(&f->d);
	driver_cancelled(&f->d, "a");
	driver_forget_lines(&f->d);
}

/* Its place is asked for there, not of the agent that failed; units of that one need not wait for it. */
static void the_last_try_keeps_the_other_agents_max_concurrent(void **state)
{
	static const char *const alike[] = { "a", "b", "c", "e" };
	struct fixture *f = *state;

	four(f, 4);
	plan_build_unit(&f->b, "e", "");
	plan_build_agent(&f->b, "e", "m", 0);
	for (size_t i = 0; i < RV_ARRAY_LEN(alike); i++)
		plan_build_settings(&f->b, alike[i])->retry =
			(struct plan_retry){ .max = 1, .on = PLAN_RETRY_ON_AGENT, .agent = 1, .backoff = PLAN_BACKOFF_NONE };
	f->b.plan.agents[0].max_concurrent = 3;
	f->b.plan.agents[1].max_concurrent = 1; /* n, which runs d */
	submit(f);
	result(f, "a", PROTO_FAILED, 40, 0);
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH e#1 try=1");
	expect_nothing(&f->d);
	result(f, "b", PROTO_FAILED, 40, 0);
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect_nothing(&f->d); /* m has a place, but b is n's now, too */
	result(f, "d", PROTO_SUCCEEDED, 1, 0);
	expect(&f->d, "> n1 ACK d#1 accepted");
	expect(&f->d, "> n1 DISPATCH a#2 try=2 agent=n");
	expect_nothing(&f->d);
	result(f, "a", PROTO_SUCCEEDED, 1, 0);
	expect(&f->d, "> n1 ACK a#2 accepted");
	expect(&f->d, "> n1 DISPATCH b#2 try=2 agent=n");
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

static void a_told_retry_after_is_the_wait(void **state)
{
	struct fixture *f = *state;
	struct proto_result res;

	four(f, 1);
	plan_build_settings(&f->b, "a")->retry.max = 1;
	submit(f);
	res = (struct proto_result){ .key = driver_key(&f->d, "a"), .epoch = 1, .outcome = PROTO_FAILED, .class = PROTO_CLASS_RATE_LIMITED,
				     .reason = PROTO_REASON_RATE_LIMIT, .flags = PROTO_RESULT_STARTED, .retry_after_us = 7 * (uint64_t)RV_US_PER_S };
	driver_result(&f->d, 0, &res);
	for (const char *const *id = (const char *const[]){ "b", "c", "d", NULL }; *id; id++)
		driver_succeed(&f->d, *id);
	driver_forget_lines(&f->d);
	driver_live(&f->d, 6900000);
	expect_unit(&f->d, "a", "retry_wait rate_limited rate_limit");
	driver_forget_lines(&f->d);
	driver_live(&f->d, 200000);
	expect_unit(&f->d, "a", "active rate_limited rate_limit");
	driver_forget_lines(&f->d);
}

/* Removed in the turn in which it ended, before anybody looked at its limits. */
static void a_run_that_goes_is_not_looked_at_any_more(void **state)
{
	struct fixture *f = *state;
	struct coord_event gone = { .kind = COORD_EV_RUN_FORGET, .run_forget = { .run = 1 } };
	struct coord_event ended = { .kind = COORD_EV_RESULT, .peer = 1 };
	struct proto_result res;

	plan_build_unit(&f->b, "a", "");
	plan_build_agent(&f->b, "a", "m", 0);
	driver_join(&f->d, "n1", 1, 1);
	submit(f);
	res = (struct proto_result){ .key = driver_key(&f->d, "a"), .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED,
				     .usage = { .output_tokens = 5 } };
	ended.result = &res;
	driver_step(&f->d, &ended);
	driver_step(&f->d, &gone);
	driver_turn(&f->d);
	rv_buf_reset(&f->d.facts); /* the journal keeps what this core gave back */
	coord_destroy(&f->d.c);
	f->d.c = coord_create(&f->d.cfg);
	driver_serve(&f->d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_the_runs_limit_what_runs_is_ended_and_nothing_starts),
		TEST(the_same_of_cost),
		TEST(nothing_is_counted_twice),
		TEST(what_was_reported_counts_though_the_result_says_less),
		TEST(a_run_whose_units_all_succeeded_has_succeeded),
		TEST(at_an_agents_limit_others_go_on),
		TEST(a_unit_s_own_limit_spans_its_tries),
		TEST(a_try_that_failed_with_its_limit_used_up_is_its_last),
		TEST(a_lost_attempt_that_comes_back_is_counted_once),
		TEST(a_restart_forgets_no_result_and_nodes_report_again),
		TEST(a_raised_limit_lets_a_run_go_on),
		TEST(a_limit_that_ended_a_run_is_raised_before_it_goes_on),
		TEST(a_dispatch_says_what_the_nearest_limit_leaves),
		TEST(the_last_try_is_another_agents),
		TEST(the_last_try_keeps_the_other_agents_max_concurrent),
		TEST(a_told_retry_after_is_the_wait),
		TEST(a_run_that_goes_is_not_looked_at_any_more),
	};

	return RUN(tests);
}
