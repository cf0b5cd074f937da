/* A try that another agent than the unit's own runs: it goes where that one's program is, and when that one has a place. */
#include "tests/core/coord_fixture.h"

#include "coordinator/core/explain.h"

/* The units are m's, of Claude Code; n is of Codex. */
static void units(struct fixture *f, const char *const *ids, size_t count, uint32_t m_max, uint32_t n_max)
{
	for (size_t i = 0; i < count; i++) {
		plan_build_unit(&f->b, ids[i], "");
		plan_build_agent(&f->b, ids[i], "n", n_max);
		plan_build_agent(&f->b, ids[i], "m", m_max);
		plan_build_settings(&f->b, ids[i])->profile = PLAN_PROFILE_CLAUDE;
	}
	f->b.plan.agents[0].profile = PLAN_PROFILE_CODEX;
	f->b.plan.agents[1].profile = PLAN_PROFILE_CLAUDE;
}

static void last_try_by_n(struct fixture *f, const char *id)
{
	plan_build_settings(&f->b, id)->retry = (struct plan_retry){ .max = 1, .on = PLAN_RETRY_ON_AGENT, .agent = 0, .backoff = PLAN_BACKOFF_NONE };
}

static void join(struct fixture *f, const char *name, const char *agent, uint64_t agent_slots)
{
	f->d.agent = agent;
	driver_join(&f->d, name, 1, agent_slots);
}

static void submit(struct fixture *f)
{
	driver_show(&f->d, SHOW_SENDS);
	driver_submit(&f->d, &f->b);
}

static void fails(struct fixture *f, const char *unit)
{
	driver_fail(&f->d, unit, PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
}

static void the_last_try_goes_where_the_other_agents_program_is(void **state)
{
	static const char *const ids[] = { "a" };
	struct fixture *f = *state;

	units(f, ids, 1, 0, 0);
	last_try_by_n(f, "a");
	join(f, "n1", "claude", 2);
	join(f, "n2", "codex", 1);
	driver_forget_lines(&f->d);
	submit(f);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	fails(f, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n2 DISPATCH a#2 try=2 agent=n");
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

static void why(void *arg, const struct coord_obstacle *o)
{
	if (o->kind == COORD_O_NODE)
		(void)rv_buf_printf(arg, "%s ", coord_node_why_name(o->why));
}

/* It keeps nobody from a node, and is told why. */
static void no_node_has_the_other_agents_program(void **state)
{
	static const char *const ids[] = { "a", "b" };
	struct fixture *f = *state;
	struct rv_buf said;

	units(f, ids, 2, 0, 0);
	last_try_by_n(f, "a");
	join(f, "n1", "claude", 1);
	driver_forget_lines(&f->d);
	submit(f);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	fails(f, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_nothing(&f->d);
	rv_buf_init(&said, 0);
	coord_explain(f->d.c, 1, driver_key(&f->d, "a").unit, why, &said);
	assert_string_equal(said.at, "no_agent ");
	rv_buf_release(&said);
	driver_succeed(&f->d, "b");
	expect(&f->d, "> n1 ACK b#1 accepted");
	join(f, "n2", "codex", 1);
	expect(&f->d, "> n2 WELCOME");
	expect(&f->d, "> n2 DISPATCH a#2 try=2 agent=n");
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

/* One that failed is sent on while another of its class runs and a third waits. */
static void goes_to_another_agent(struct fixture *f, uint32_t m_max, uint64_t agent_slots)
{
	static const char *const ids[] = { "a", "b", "c" };

	units(f, ids, 3, m_max, 0);
	join(f, "n1", "claude", agent_slots);
	join(f, "n2", "codex", agent_slots);
	driver_forget_lines(&f->d);
	submit(f);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	fails(f, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	assert_int_equal(driver_retry_by(&f->d, "a", "n"), 0);
	expect(&f->d, "> n2 DISPATCH a#2 try=2 agent=n");
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

/* Those of its class wait for room on other nodes than it needs. */
static void one_sent_to_another_agent_does_not_wait_with_its_class(void **state)
{
	goes_to_another_agent(*state, 0, 1);
}

/* Nor for a place of its own agent, which has none. */
static void one_sent_to_another_agent_needs_no_place_of_its_own(void **state)
{
	goes_to_another_agent(*state, 1, 4);
}

/* Some of a class wait for one agent, some for another: whichever has a place first. */
static void a_class_that_waits_for_two_agents_is_woken_by_either(void **state)
{
	static const char *const ids[] = { "a", "b", "c", "e" };
	struct fixture *f = *state;

	units(f, ids, 4, 1, 1);
	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++)
		last_try_by_n(f, ids[i]);
	join(f, "n1", "claude", 4);
	join(f, "n2", "codex", 4);
	driver_forget_lines(&f->d);
	submit(f);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	fails(f, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n2 DISPATCH a#2 try=2 agent=n");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	fails(f, "b"); /* waits for n, which has a */
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	driver_succeed(&f->d, "c");
	expect(&f->d, "> n1 ACK c#1 accepted");
	expect(&f->d, "> n1 DISPATCH e#1 try=1");
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

/* Nor does one that comes later and is its own agent's. */
static void who_comes_does_not_wait_for_the_agent_of_others(void **state)
{
	static const char *const ids[] = { "a", "b" };
	struct fixture *f = *state;

	units(f, ids, 2, 1, 1);
	plan_build_unit(&f->b, "w", "");
	plan_build_unit(&f->b, "c", "w");
	plan_build_agent(&f->b, "c", "m", 1);
	plan_build_settings(&f->b, "c")->profile = PLAN_PROFILE_CLAUDE;
	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++)
		last_try_by_n(f, ids[i]);
	join(f, "n1", "claude", 4);
	join(f, "n2", "codex", 4);
	driver_forget_lines(&f->d);
	submit(f);
	expect(&f->d, "> n1 DISPATCH w#1 try=1");
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	fails(f, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n2 DISPATCH a#2 try=2 agent=n");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	fails(f, "b");
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "w");
	expect(&f->d, "> n1 ACK w#1 accepted");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

/* Nor when its own agent has no place just then: it gets the next. */
static void who_comes_is_woken_by_its_own_agent(void **state)
{
	static const char *const ids[] = { "a", "b", "c", "x" };
	struct fixture *f = *state;

	plan_build_unit(&f->b, "w", "");
	plan_build_unit(&f->b, "v", "w");
	units(f, ids, 2, 1, 1);
	plan_build_unit(&f->b, "c", "v");
	plan_build_unit(&f->b, "x", "w");
	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++) {
		last_try_by_n(f, ids[i]);
		plan_build_agent(&f->b, ids[i], "m", 1);
		plan_build_settings(&f->b, ids[i])->profile = PLAN_PROFILE_CLAUDE;
	}
	plan_build_settings(&f->b, "x")->at_most_once = true; /* another class */
	join(f, "n1", "claude", 4);
	join(f, "n2", "codex", 4);
	driver_forget_lines(&f->d);
	submit(f);
	expect(&f->d, "> n1 DISPATCH w#1 try=1");
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	fails(f, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n2 DISPATCH a#2 try=2 agent=n");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	fails(f, "b"); /* waits for n, which has a, and with it its class */
	expect(&f->d, "> n1 ACK b#1 accepted");
	driver_succeed(&f->d, "w");
	expect(&f->d, "> n1 ACK w#1 accepted");
	expect(&f->d, "> n1 DISPATCH v#1 try=1");
	expect(&f->d, "> n1 DISPATCH x#1 try=1");
	driver_succeed(&f->d, "v"); /* c is ready, and m has x */
	expect(&f->d, "> n1 ACK v#1 accepted");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "x");
	expect(&f->d, "> n1 ACK x#1 accepted");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

/* A resume counts anew: the unit's next try is its own agent's again. */
static void a_resume_lets_nobody_wait_for_an_agent_that_is_not_its_own_any_more(void **state)
{
	static const char *const ids[] = { "a", "b" };
	struct fixture *f = *state;

	units(f, ids, 2, 1, 1);
	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++)
		last_try_by_n(f, ids[i]);
	join(f, "n1", "claude", 4);
	join(f, "n2", "codex", 4);
	driver_forget_lines(&f->d);
	submit(f);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	fails(f, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n2 DISPATCH a#2 try=2 agent=n");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	fails(f, "b");
	expect(&f->d, "> n1 ACK b#1 accepted");
	expect_nothing(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RESUME, NULL, 0), 0);
	expect(&f->d, "> n1 DISPATCH b#2 try=1");
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

/* However many of them wait for the other agent. */
static void those_who_wait_for_another_agent_hold_up_nobody(void **state)
{
	static const char *const ids[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };
	struct fixture *f = *state;
	char line[80];

	units(f, ids, RV_ARRAY_LEN(ids), 1, 1);
	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++)
		last_try_by_n(f, ids[i]);
	join(f, "n1", "claude", 16);
	join(f, "n2", "codex", 16);
	driver_forget_lines(&f->d);
	submit(f);
	for (size_t i = 0; i < RV_ARRAY_LEN(ids); i++) {
		(void)snprintf(line, sizeof(line), "> n1 DISPATCH %s#1 try=1", ids[i]);
		expect(&f->d, line);
		fails(f, ids[i]);
		(void)snprintf(line, sizeof(line), "> n1 ACK %s#1 accepted", ids[i]);
		expect(&f->d, line);
		if (!i)
			expect(&f->d, "> n2 DISPATCH a#2 try=2 agent=n");
	}
	expect_nothing(&f->d);
	driver_forget_lines(&f->d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_try_goes_where_the_other_agents_program_is),
		TEST(no_node_has_the_other_agents_program),
		TEST(one_sent_to_another_agent_does_not_wait_with_its_class),
		TEST(one_sent_to_another_agent_needs_no_place_of_its_own),
		TEST(a_class_that_waits_for_two_agents_is_woken_by_either),
		TEST(who_comes_does_not_wait_for_the_agent_of_others),
		TEST(who_comes_is_woken_by_its_own_agent),
		TEST(a_resume_lets_nobody_wait_for_an_agent_that_is_not_its_own_any_more),
		TEST(those_who_wait_for_another_agent_hold_up_nobody),
	};

	return RUN(tests);
}
