/* Which unit goes where: order, classes, locks, agents, directories, nodes, prefetch, stealing, fair shares. */
#include "tests/core/coord_fixture.h"

static int setup_with(void **state, uint64_t prefetch_us, uint64_t gather_us)
{
	struct coord_config cfg;

	coord_config_init(&cfg);
	cfg.attempts_max = 8192;
	cfg.prefetch_us = prefetch_us;
	cfg.gather_us = gather_us;
	return fixture_setup(state, &cfg);
}

static int setup_prefetch(void **state)
{
	return setup_with(state, 2000, 0);
}

static int setup_gather(void **state)
{
	return setup_with(state, 2000, 10000);
}

/* --- order --- */

static void priority_then_longest_path_then_plan(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "c", "");
	plan_build_unit(&f->b, "d", "");
	plan_build_unit(&f->b, "c2", "c");
	plan_build_settings(&f->b, "d")->priority = 5;
	plan_build_estimate(&f->b, "a", 1000000);
	plan_build_estimate(&f->b, "b", 1000000);
	plan_build_estimate(&f->b, "c", 500000);
	plan_build_estimate(&f->b, "c2", 3000000);
	driver_submit(&f->d, &f->b);
	driver_join(&f->d, "n1", 4, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH d#1 try=1");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_nothing(&f->d);
}

static void order_id_is_the_order_of_the_plan(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "b2", "b");
	f->b.plan.order = PLAN_ORDER_ID;
	driver_submit(&f->d, &f->b);
	driver_join(&f->d, "n1", 1, 0);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect_nothing(&f->d);
}

static void max_workers_bounds_the_run(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 5, "");
	f->b.plan.max_workers = 2;
	driver_join(&f->d, "n1", 8, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH m-0001#1 try=1");
	expect(&f->d, "> n1 DISPATCH m-0002#1 try=1");
	expect_nothing(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SET_MAX_WORKERS, NULL, 3), 0);
	expect(&f->d, "> n1 DISPATCH m-0003#1 try=1");
	expect_nothing(&f->d);
}

/* --- what else must be free --- */

static void max_concurrent_of_an_agent(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "c", "");
	plan_build_agent(&f->b, "a", "x", 1);
	plan_build_agent(&f->b, "b", "x", 1);
	plan_build_agent(&f->b, "c", "y", 0);
	driver_join(&f->d, "n1", 8, 8);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_nothing(&f->d);
}

static void a_lock_is_held_across_runs(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_lock(&f->b, "a", "gpu", 1);
	plan_build_unit(&f->b2, "a", "");
	plan_build_lock(&f->b2, "a", "gpu", 1);
	plan_build_unit(&f->b2, "b", "");
	driver_join(&f->d, "n1", 8, 8);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b2);
	expect(&f->d, "> n1 DISPATCH 2/b#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
	expect(&f->d, "> n1 DISPATCH 2/a#1 try=1");
	expect_nothing(&f->d);
}

static void a_semaphore_lets_so_many_in(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 4, "");
	plan_build_lock(&f->b, "m", "db", 2);
	driver_join(&f->d, "n1", 8, 8);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH m-0001#1 try=1");
	expect(&f->d, "> n1 DISPATCH m-0002#1 try=1");
	expect_nothing(&f->d);
	driver_fail(&f->d, "m-0001", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	expect(&f->d, "> n1 ACK m-0001#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0003#1 try=1");
	expect_nothing(&f->d);
}

/* The newest run's word counts, for those who wait already, too. */
static void who_waits_for_a_lock_is_woken_when_there_is_more_of_it(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 3, "");
	plan_build_lock(&f->b, "m", "db", 1);
	plan_build_unit(&f->b2, "a", "");
	plan_build_lock(&f->b2, "a", "db", 2);
	plan_build_settings(&f->b2, "a")->hold = true;
	driver_join(&f->d, "n1", 8, 8);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b2);
	expect(&f->d, "> n1 DISPATCH m-0002#1 try=1");
	expect_nothing(&f->d);
}

static void two_locks_are_taken_together_or_not_at_all(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "c", "");
	plan_build_lock(&f->b, "a", "l1", 1);
	plan_build_lock(&f->b, "b", "l1", 1);
	plan_build_lock(&f->b, "b", "l2", 1);
	plan_build_lock(&f->b, "c", "l2", 1);
	driver_join(&f->d, "n1", 8, 8);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect(&f->d, "> n1 DISPATCH c#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "c");
	expect(&f->d, "> n1 ACK c#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
}

/* --- directories --- */

static void overlapping_directories_exclude_each_other(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "");
	plan_build_unit(&f->b, "c", "");
	plan_build_unit(&f->b, "d", "");
	plan_build_dirs(&f->b, "a", "src/x");
	plan_build_dirs(&f->b, "b", "src");
	plan_build_dirs(&f->b, "c", "src/y");
	plan_build_dirs(&f->b, "d", "srcs");
	f->b.plan.workspace.overlap = PLAN_OVERLAP_SERIALIZE;
	driver_join(&f->d, "n1", 8, 8);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH a#1 try=1");
	expect(&f->d, "> n1 DISPATCH c#1 try=1"); /* beside a; b would exclude both */
	expect(&f->d, "> n1 DISPATCH d#1 try=1"); /* srcs is not under src */
	expect_nothing(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "c");
	expect(&f->d, "> n1 ACK c#1 accepted");
	expect(&f->d, "> n1 DISPATCH b#1 try=1");
	expect_nothing(&f->d);
}

static void the_whole_workspace_excludes_everything(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "all", "");
	plan_build_for_each(&f->b, "m", 3, "");
	plan_build_dirs(&f->b, "all", ".");
	plan_build_dirs(&f->b, "m", "d{{item}}");
	f->b.plan.workspace.overlap = PLAN_OVERLAP_SERIALIZE;
	driver_join(&f->d, "n1", 8, 8);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH all#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "all");
	expect(&f->d, "> n1 ACK all#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0001#1 try=1"); /* woken one after another, all at once: they do not overlap */
	expect(&f->d, "> n1 DISPATCH m-0002#1 try=1");
	expect(&f->d, "> n1 DISPATCH m-0003#1 try=1");
	expect_nothing(&f->d);
}

static void runs_of_one_workspace_exclude_each_other(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_dirs(&f->b, "a", "src");
	plan_build_unit(&f->b2, "a", "");
	plan_build_dirs(&f->b2, "a", "src/deep/er");
	plan_build_unit(&f->b3, "a", "");
	plan_build_dirs(&f->b3, "a", "src");
	f->b3.plan.workspace.root = RV_STR("/elsewhere");
	driver_join(&f->d, "n1", 8, 8);
	driver_submit(&f->d, &f->b);
	driver_submit(&f->d, &f->b2);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b3);
	expect(&f->d, "> n1 DISPATCH 3/a#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "! run 1 succeeded none");
	expect(&f->d, "> n1 DISPATCH 2/a#1 try=1");
	expect_nothing(&f->d);
}

static void what_waits_at_a_path_can_be_cancelled_held_and_released(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 5, "");
	plan_build_dirs(&f->b, "m", "src");
	f->b.plan.workspace.overlap = PLAN_OVERLAP_SERIALIZE;
	driver_join(&f->d, "n1", 8, 8);
	driver_submit(&f->d, &f->b);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_CANCEL, "m-0002", -1), 0);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_HOLD, "m-0003", 0), 0);
	driver_forget_lines(&f->d);
	driver_succeed(&f->d, "m-0001");
	expect(&f->d, "> n1 ACK m-0001#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0004#1 try=1");
	expect_nothing(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RELEASE, "m-0003", 0), 0);
	expect_nothing(&f->d);
	driver_succeed(&f->d, "m-0004");
	expect(&f->d, "> n1 ACK m-0004#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0003#1 try=1");
	driver_succeed(&f->d, "m-0003");
	driver_succeed(&f->d, "m-0005");
	expect_unit(&f->d, "m-0002", "cancelled cancelled");
}

/* Whoever was woken at a path and finds no node keeps it from nobody. */
static void who_finds_no_node_holds_up_nobody_at_its_path(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "gpu", "");
	plan_build_for_each(&f->b, "m", 3, "");
	plan_build_dirs(&f->b, "a", "src");
	plan_build_dirs(&f->b, "gpu", "src");
	plan_build_dirs(&f->b, "m", "src/m");
	plan_build_settings(&f->b, "gpu")->node = RV_STR("n2");
	f->b.plan.workspace.overlap = PLAN_OVERLAP_SERIALIZE;
	driver_join(&f->d, "n1", 1, 8);
	driver_join(&f->d, "n2", 1, 8);
	driver_submit(&f->d, &f->b);
	driver_forget_lines(&f->d);
	assert_int_equal(driver_act_node(&f->d, PROTO_MUT_DRAIN, 1), 0);
	driver_forget_lines(&f->d);
	driver_succeed(&f->d, "a");
	expect(&f->d, "> n1 ACK a#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0001#1 try=1");
	expect_nothing(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_CANCEL, "m-0002", -1), 0);
	driver_succeed(&f->d, "m-0001");
	expect(&f->d, "> n1 ACK m-0001#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0003#1 try=1");
	assert_int_equal(driver_act_node(&f->d, PROTO_MUT_UNDRAIN, 1), 0);
	expect_nothing(&f->d); /* there is its node, and the path is taken */
	driver_succeed(&f->d, "m-0003");
	expect(&f->d, "> n1 ACK m-0003#1 accepted");
	expect(&f->d, "> n2 DISPATCH gpu#1 try=1");
	expect_nothing(&f->d);
}

/* Nor does one of the same class that has to keep off the node. */
static void who_keeps_off_a_node_holds_up_nobody_at_its_path(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 3, "");
	plan_build_dirs(&f->b, "m", "src");
	plan_build_unit(&f->b, "w", "");
	plan_build_unit(&f->b, "x", "");
	plan_build_settings(&f->b, "w")->node = plan_build_settings(&f->b, "x")->node = RV_STR("n2");
	plan_build_settings(&f->b, "x")->hold = true;
	f->b.plan.workspace.overlap = PLAN_OVERLAP_SERIALIZE;
	driver_join(&f->d, "n1", 1, 8);
	driver_join(&f->d, "n2", 1, 8);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH m-0001#1 try=1");
	expect(&f->d, "> n2 DISPATCH w#1 try=1");
	driver_fail(&f->d, "m-0001", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_NO_SPACE);
	expect(&f->d, "> n1 ACK m-0001#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0002#1 try=1");
	driver_succeed(&f->d, "w");
	expect(&f->d, "> n2 ACK w#1 accepted"); /* m-0001 could go there, and waits at the path */
	assert_int_equal(driver_act(&f->d, PROTO_MUT_RELEASE, "x", 0), 0);
	expect(&f->d, "> n2 DISPATCH x#1 try=1");
	driver_succeed(&f->d, "m-0002");
	expect(&f->d, "> n1 ACK m-0002#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0003#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "m-0003");
	expect(&f->d, "> n1 ACK m-0003#1 accepted");
	driver_succeed(&f->d, "x");
	expect(&f->d, "> n2 ACK x#1 accepted");
	expect(&f->d, "> n2 DISPATCH m-0001#2 try=2");
	expect_nothing(&f->d);
}

static void a_paused_run_holds_up_no_other_at_a_path(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 2, "");
	plan_build_dirs(&f->b, "m", "src");
	plan_build_unit(&f->b2, "x", "");
	plan_build_unit(&f->b2, "a", ""); /* no better than m-0002 */
	plan_build_dirs(&f->b2, "a", "src");
	f->b.plan.workspace.overlap = f->b2.plan.workspace.overlap = PLAN_OVERLAP_SERIALIZE;
	driver_join(&f->d, "n1", 8, 8);
	driver_submit(&f->d, &f->b);
	driver_submit(&f->d, &f->b2);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_PAUSE, NULL, 0), 0);
	driver_forget_lines(&f->d);
	driver_succeed(&f->d, "m-0001");
	expect(&f->d, "> n1 ACK m-0001#1 accepted");
	expect(&f->d, "> n1 DISPATCH 2/a#1 try=1");
	expect_nothing(&f->d);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_UNPAUSE, NULL, 0), 0);
	expect_nothing(&f->d);
	driver_succeed(&f->d, "2/a");
	expect(&f->d, "> n1 ACK 2/a#1 accepted");
	expect(&f->d, "> n1 DISPATCH m-0002#1 try=1");
	expect_nothing(&f->d);
	driver_succeed(&f->d, "2/x");
	expect(&f->d, "> n1 ACK 2/x#1 accepted");
	expect(&f->d, "! run 2 succeeded none");
	expect_nothing(&f->d);
}

static void overlap_allow_excludes_nothing(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 3, "");
	plan_build_dirs(&f->b, "m", "src");
	f->b.plan.workspace.overlap = PLAN_OVERLAP_ALLOW;
	driver_join(&f->d, "n1", 8, 8);
	driver_submit(&f->d, &f->b);
	expect_unit(&f->d, "m-0003", "active");
}

/* --- nodes --- */

static void labels_pins_and_resources_choose_the_node(void **state)
{
	struct fixture *f = *state;
	struct proto_label gpu = { RV_STR("gpu"), RV_STR("yes") };
	struct proto_named_amount gpus = { RV_STR("gpus"), 2000 };
	struct proto_hello h = { .last = true, .node = { .name = RV_STR("n2"), .slots = 4, .incarnation = 1, .labels = &gpu, .label_count = 1,
							 .resources = &gpus, .resource_count = 1, .memory_bytes = (uint64_t)8 << 30 } };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = 2, .hello = &h };

	memset(h.node.key, 2, sizeof(h.node.key));
	plan_build_unit(&f->b, "gpu", "");
	plan_build_unit(&f->b, "nogpu", "");
	plan_build_unit(&f->b, "pin", "");
	plan_build_for_each(&f->b, "card", 3, "");
	plan_build_unit(&f->b, "mem", "");
	plan_build_label(&f->b, "gpu", "gpu", "yes");
	plan_build_label(&f->b, "nogpu", "gpu", "!yes");
	plan_build_settings(&f->b, "pin")->node = RV_STR("n2");
	plan_build_resource(&f->b, "card", "gpus", 1000);
	plan_build_resource(&f->b, "mem", "memory_mb", 9000 * 1000u);
	driver_join(&f->d, "n1", 4, 0);
	f->d.node_count = 2;
	driver_step(&f->d, &ev);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n2 DISPATCH gpu#1 try=1");
	expect(&f->d, "> n1 DISPATCH nogpu#1 try=1");
	expect(&f->d, "> n2 DISPATCH pin#1 try=1");
	expect(&f->d, "> n2 DISPATCH card-0001#1 try=1");
	expect(&f->d, "> n2 DISPATCH card-0002#1 try=1");
	expect(&f->d, "> n1 DISPATCH mem#1 try=1"); /* n1 does not say how much memory it has: not counted there */
	expect_nothing(&f->d);
	driver_succeed(&f->d, "card-0002");
	expect(&f->d, "> n2 ACK card-0002#1 accepted");
	expect(&f->d, "> n2 DISPATCH card-0003#1 try=1");
}

static void least_busy_round_robin_and_pack(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "l", 3, "");
	plan_build_for_each(&f->b2, "r", 3, "");
	plan_build_for_each(&f->b3, "p", 3, "");
	f->b2.plan.placement = PLAN_ROUND_ROBIN;
	f->b3.plan.placement = PLAN_PACK;
	driver_join(&f->d, "n1", 4, 0);
	driver_join(&f->d, "n2", 8, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect(&f->d, "> n1 DISPATCH l-0001#1 try=1");
	expect(&f->d, "> n2 DISPATCH l-0002#1 try=1");
	expect(&f->d, "> n2 DISPATCH l-0003#1 try=1"); /* 1 of 8 is less than 1 of 4 */
	driver_submit(&f->d, &f->b2);
	expect(&f->d, "> n2 DISPATCH 2/r-0001#1 try=1");
	expect(&f->d, "> n1 DISPATCH 2/r-0002#1 try=1");
	expect(&f->d, "> n2 DISPATCH 2/r-0003#1 try=1");
	driver_submit(&f->d, &f->b3);
	expect(&f->d, "> n1 DISPATCH 3/p-0001#1 try=1"); /* 2 of 4 and 4 of 8 are equal: the first */
	expect(&f->d, "> n1 DISPATCH 3/p-0002#1 try=1");
	expect(&f->d, "> n2 DISPATCH 3/p-0003#1 try=1");
	expect_nothing(&f->d);
}

static void a_wide_unit_gets_a_node_in_the_end(void **state)
{
	struct fixture *f = *state;
	int placed = 0;

	plan_build_for_each(&f->b, "small", 1000, "");
	plan_build_unit(&f->b, "wide", "");
	plan_build_settings(&f->b, "wide")->slots = 2;
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	f->d.audit = false;
	for (; placed < 400; placed++) {
		struct coord_unit_view v;
		bool any = false;

		coord_unit_view(f->d.c, 1, 1000, &v);
		if (v.state == COORD_UNIT_ACTIVE)
			break;
		for (uint32_t i = 0; i < 1000 && !any; i++) {
			char id[32];

			coord_unit_view(f->d.c, 1, i, &v);
			if (v.state != COORD_UNIT_ACTIVE)
				continue;
			(void)snprintf(id, sizeof(id), "small-%04u", i + 1);
			driver_succeed(&f->d, id);
			any = true;
		}
		driver_forget_lines(&f->d);
	}
	assert_in_range(placed, 99, 110);
}

/* Run 1 holds one of two slots with "other", and the node is kept free for its "wide"; run 2 has one-slot units that wait for that. */
static void keep_the_node_for_wide(struct fixture *f, enum plan_on_failure policy)
{
	struct coord_unit_view v = { .state = COORD_UNIT_ACTIVE };

	f->b.plan.on_failure = policy;
	plan_build_unit(&f->b, "other", "");
	plan_build_settings(&f->b, "other")->priority = 1;
	plan_build_unit(&f->b, "wide", "");
	plan_build_settings(&f->b, "wide")->slots = 2;
	plan_build_for_each(&f->b2, "small", 200, "");
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_submit(&f->d, &f->b2);
	for (uint32_t i = 0; v.state == COORD_UNIT_ACTIVE; i++) {
		char id[32];

		assert_in_range(i, 0, 120);
		(void)snprintf(id, sizeof(id), "2/small-%04u", i + 1);
		driver_succeed(&f->d, id);
		coord_unit_view(f->d.c, 2, i + 1, &v);
	}
	driver_forget_lines(&f->d);
}

static uint32_t active_units(struct fixture *f, uint64_t run)
{
	struct coord_run_counts n;

	coord_run_counts(f->d.c, run, &n);
	return n.active;
}

static void a_run_that_stops_keeps_no_node_free(void **state)
{
	struct fixture *f = *state;

	keep_the_node_for_wide(f, PLAN_FAIL_FAST);
	assert_int_equal(active_units(f, 2), 0);
	driver_fail(&f->d, "other", PROTO_CLASS_AGENT, PROTO_REASON_EXIT);
	assert_int_equal(active_units(f, 2), 2);
}

static void a_run_that_pauses_keeps_no_node_free(void **state)
{
	struct fixture *f = *state;

	keep_the_node_for_wide(f, PLAN_ISOLATE);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_PAUSE, "1*", 0), 0);
	driver_turn(&f->d);
	assert_int_equal(active_units(f, 2), 1);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_UNPAUSE, "1*", 0), 0);
	driver_succeed(&f->d, "other");
	expect_unit(&f->d, "wide", "ready");
}

static void no_node_is_kept_free_for_a_unit_that_is_not_ready_any_more(void **state)
{
	struct fixture *f = *state;

	keep_the_node_for_wide(f, PLAN_ISOLATE);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_HOLD, "wide", 0), 0);
	driver_turn(&f->d);
	assert_int_equal(active_units(f, 2), 1);
}

/* Another is, once it comes: of the one-slot units no more go there than were first. */
static void a_node_that_is_drained_is_not_kept_free(void **state)
{
	struct fixture *f = *state;

	keep_the_node_for_wide(f, PLAN_ISOLATE);
	assert_int_equal(driver_act_node(&f->d, PROTO_MUT_DRAIN, 0), 0);
	driver_join(&f->d, "n2", 2, 0);
	for (uint32_t i = 0, succeeded = 0; i < 200 && succeeded < 10; i++) {
		char id[32];
		struct coord_unit_view v;

		coord_unit_view(f->d.c, 2, i, &v);
		(void)snprintf(id, sizeof(id), "2/small-%04u", i + 1);
		if (v.state != COORD_UNIT_ACTIVE)
			continue;
		driver_succeed(&f->d, id);
		succeeded++;
		coord_unit_view(f->d.c, 1, 1, &v);
		if (v.state == COORD_UNIT_ACTIVE)
			return;
	}
	fail();
}

/* --- sending ahead --- */

static void nothing_known_one_ahead_a_slot_for_commands(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 9, "");
	driver_join(&f->d, "n1", 2, 0);
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect_unit(&f->d, "m-0004", "active");
	expect_unit(&f->d, "m-0005", "ready");
}

/* Units m, which take 10 us, on two slots: how many are there once one has said so. */
static uint32_t there_of_short_ones(struct fixture *f)
{
	struct coord_run_counts n;
	struct proto_result res = { .key = { 1, 0, 1 }, .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED, .duration_us = 10 };

	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_result(&f->d, 0, &res);
	coord_run_counts(f->d.c, 1, &n);
	return n.active;
}

static void short_units_are_sent_ahead_by_the_hundred(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 5000, "");
	assert_int_equal(there_of_short_ones(f), 2 + 2 * 2000 / 10);
}

/* Results that gather at a node hold their places here. */
static void what_gathers_is_sent_ahead_again(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 5000, "");
	assert_int_equal(there_of_short_ones(f), 2 + 2 * (2000 + 10000) / 10);
}

static void what_is_waited_for_is_sent_ahead_no_further(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 5000, "");
	plan_build_unit(&f->b, "join", "m");
	assert_int_equal(there_of_short_ones(f), 2 + 2 * 2000 / 10);
}

static void what_gathers_does_not_make_a_long_unit_short(void **state)
{
	struct fixture *f = *state;
	struct proto_result res = { .key = { 1, 0, 1 }, .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED, .duration_us = 2001 };

	plan_build_for_each(&f->b, "m", 9, "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_result(&f->d, 0, &res);
	expect_unit(&f->d, "m-0002", "active");
	expect_unit(&f->d, "m-0003", "ready");
}

static uint32_t told_of, unhurried;

static void note_hurry(struct driver *d, const struct coord_effect *e)
{
	(void)d;
	if (e->kind != COORD_FX_DISPATCH)
		return;
	told_of++;
	unhurried += e->dispatch.no_hurry;
}

static void expect_unhurried(struct fixture *f, struct plan_build *b, uint32_t of, uint32_t want)
{
	f->d.hook = note_hurry;
	told_of = unhurried = 0;
	driver_submit(&f->d, b);
	assert_int_equal(told_of, of);
	assert_int_equal(unhurried, want);
}

static void nothing_waits_for_units_that_stand_alone(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_for_each(&f->b, "m", 3, "");
	driver_join(&f->d, "n1", 4, 0);
	expect_unhurried(f, &f->b, 4, 4);
}

static void what_others_depend_on_is_in_a_hurry(void **state)
{
	struct fixture *f = *state;

	plan_build_unit(&f->b, "a", "");
	plan_build_unit(&f->b, "b", "a");
	plan_build_for_each(&f->b, "m", 2, "");
	plan_build_unit(&f->b, "join", "m");
	plan_build_for_each(&f->b, "p", 2, "");
	plan_build_for_each(&f->b, "q", 2, "");
	plan_build_same_as(&f->b, "q", "p");
	plan_build_for_each(&f->b, "agent", 2, "");
	plan_build_agent(&f->b, "agent", "x", 2); /* of which there are so many at most */
	plan_build_unit(&f->b, "noop", ""); /* no process */
	plan_build_settings(&f->b, "noop")->profile = PLAN_PROFILE_NOOP;
	driver_join(&f->d, "n1", 9, 9);
	expect_unhurried(f, &f->b, 8, 0);
}

static void where_locks_or_places_in_the_run_are_waited_for_all_are_in_a_hurry(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 3, "");
	plan_build_lock(&f->b, "m", "l", 2);
	driver_join(&f->d, "n1", 4, 0);
	expect_unhurried(f, &f->b, 2, 0);
	plan_build_for_each(&f->b2, "m", 3, "");
	f->b2.plan.max_workers = 2;
	expect_unhurried(f, &f->b2, 2, 0);
}

static void long_units_are_not_sent_ahead(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 9, "");
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	driver_succeed(&f->d, "m-0001"); /* took a second */
	driver_succeed(&f->d, "m-0002");
	expect_unit(&f->d, "m-0004", "active");
	expect_unit(&f->d, "m-0005", "ready");
	driver_succeed(&f->d, "m-0003");
	expect_unit(&f->d, "m-0005", "active");
	expect_unit(&f->d, "m-0006", "ready");
}

static void an_estimate_bounds_what_is_sent_ahead(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 9, "");
	plan_build_estimate(&f->b, "m", 5000000);
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	expect_unit(&f->d, "m-0002", "active");
	expect_unit(&f->d, "m-0003", "ready");
}

static void what_needs_more_than_slots_is_never_sent_ahead(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "lock", 5, "");
	plan_build_lock(&f->b, "lock", "l", 5);
	driver_join(&f->d, "n1", 2, 0);
	driver_submit(&f->d, &f->b);
	expect_unit(&f->d, "lock-0002", "active");
	expect_unit(&f->d, "lock-0003", "ready");
}

static void nothing_is_sent_ahead_of_a_better_unit_that_waits_for_room(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 9, "");
	plan_build_unit(&f->b, "locked", "");
	plan_build_lock(&f->b, "locked", "l", 1);
	plan_build_settings(&f->b, "locked")->priority = 1;
	assert_int_equal(driver_act_node(&f->d, PROTO_MUT_DRAIN, 0), -1);
	driver_join(&f->d, "n1", 1, 0);
	plan_build_unit(&f->b2, "first", "");
	driver_submit(&f->d, &f->b2); /* takes the slot */
	driver_forget_lines(&f->d);
	driver_submit(&f->d, &f->b);
	expect_nothing(&f->d); /* m-0001 would fill what "2/locked" waits for */
	driver_succeed(&f->d, "first");
	expect_unit(&f->d, "2/locked", "active");
}

static void an_idle_node_takes_what_was_sent_ahead_elsewhere(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 2, "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "m-0001");
	driver_taken(&f->d, "m-0002");
	driver_forget_lines(&f->d);
	driver_join(&f->d, "n2", 1, 0);
	expect(&f->d, "> n2 WELCOME");
	expect(&f->d, "> n1 RETRACT m-0002#1");
	expect_nothing(&f->d);
	driver_retracted(&f->d, "m-0002");
	expect(&f->d, "> n2 DISPATCH m-0002#2 try=1");
	expect_nothing(&f->d);
}

/* Known to be short, like all of its class; but the one that has the place takes long. */
static void an_idle_node_takes_short_units_that_a_long_one_holds_up(void **state)
{
	struct fixture *f = *state;
	struct proto_result res = { .key = { 1, 0, 1 }, .epoch = 1, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED, .duration_us = 1900 };

	plan_build_for_each(&f->b, "m", 3, "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_result(&f->d, 0, &res);
	driver_started(&f->d, "m-0002");
	driver_taken(&f->d, "m-0003");
	driver_join(&f->d, "n2", 1, 0);
	driver_forget_lines(&f->d);
	driver_live(&f->d, 90000);
	expect_nothing(&f->d);
	driver_live(&f->d, 1000000);
	expect(&f->d, "> n1 RETRACT m-0003#1");
	driver_retracted(&f->d, "m-0003");
	expect(&f->d, "> n2 DISPATCH m-0003#2 try=1");
}

static void a_lost_answer_to_a_retract_is_given_by_not_here(void **state)
{
	struct fixture *f = *state;

	plan_build_for_each(&f->b, "m", 2, "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "m-0001");
	driver_taken(&f->d, "m-0002");
	driver_join(&f->d, "n2", 1, 0);
	driver_forget_lines(&f->d);
	driver_not_here(&f->d, "m-0002");
	expect(&f->d, "> n2 DISPATCH m-0002#2 try=1");
	expect_nothing(&f->d);
}

static void a_retract_that_the_link_took_along_is_settled_by_hello(void **state)
{
	struct fixture *f = *state;
	struct proto_held h;

	plan_build_for_each(&f->b, "m", 2, "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "m-0001");
	driver_taken(&f->d, "m-0002");
	driver_join(&f->d, "n2", 1, 0);
	h = (struct proto_held){ .key = driver_key(&f->d, "m-0001"), .epoch = 1, .state = PROTO_HELD_RUNNING };
	driver_gone(&f->d, 0);
	driver_forget_lines(&f->d);
	driver_hello(&f->d, 0, "n1", 1, 1, 0, &h, 1);
	expect(&f->d, "> n1 WELCOME");
	expect(&f->d, "> n1 VERDICT m-0001#1 keep");
	expect(&f->d, "> n2 DISPATCH m-0002#2 try=1");
	expect_nothing(&f->d);
}

static void a_run_that_goes_leaves_its_locks_to_the_others(void **state)
{
	struct fixture *f = *state;
	struct coord_event ev = { .kind = COORD_EV_RUN_FORGET, .run_forget = { .run = 1 } };

	plan_build_unit(&f->b, "a", "");
	plan_build_lock(&f->b, "a", "gpu", 1);
	plan_build_lock(&f->b, "a", "mine", 1);
	plan_build_for_each(&f->b2, "m", 3, "");
	plan_build_lock(&f->b2, "m", "gpu", 1);
	plan_build_unit(&f->b3, "x", "");
	plan_build_lock(&f->b3, "x", "new", 1);
	driver_join(&f->d, "n1", 8, 8);
	driver_submit(&f->d, &f->b);
	driver_submit(&f->d, &f->b2);
	driver_succeed(&f->d, "a");
	driver_forget_lines(&f->d);
	driver_step(&f->d, &ev);
	expect(&f->d, "! release 1");
	driver_submit(&f->d, &f->b3); /* takes the place of "mine" */
	expect(&f->d, "> n1 DISPATCH 3/x#1 try=1");
	driver_succeed(&f->d, "2/m-0001");
	expect(&f->d, "> n1 ACK 2/m-0001#1 accepted");
	expect(&f->d, "> n1 DISPATCH 2/m-0002#1 try=1");
	expect_nothing(&f->d);
	rv_buf_reset(&f->d.facts); /* the journal keeps what this core gave back */
	coord_destroy(&f->d.c);
	f->d.c = coord_create(&f->d.cfg);
	driver_serve(&f->d);
}

/* Of a plan whose one unit holds `count` locks that nobody else has; it becomes the run of that number, unless `run` is 0. */
static struct coord_graph *locks_of_its_own(struct fixture *f, uint64_t run, uint32_t count)
{
	struct coord_graph *g = NULL;
	struct plan_build b;
	char name[32];

	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf(name, sizeof name, "l%u-%u", (unsigned)run, i);
		plan_build_lock(&b, "a", name, 1);
	}
	if (run)
		driver_submit(&f->d, &b);
	else
		g = plan_build_graph(&b, 99);
	plan_build_release(&b);
	return g;
}

static void a_place_that_one_lock_left_is_no_room_for_many(void **state)
{
	struct fixture *f = *state;
	struct coord_event ev = { .kind = COORD_EV_RUN_FORGET, .run_forget = { .run = 1 } };
	struct coord_graph *g;
	struct rv_err err;

	driver_join(&f->d, "n1", 1, 0);
	(void)locks_of_its_own(f, 1, 1);
	for (uint64_t run = 2; run <= 5; run++)
		(void)locks_of_its_own(f, run, RV_LOCKS_MAX - (run == 5));
	driver_succeed(&f->d, "a");
	driver_step(&f->d, &ev);
	g = locks_of_its_own(f, 0, 2);
	assert_int_equal(coord_admit_run(f->d.c, g, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	coord_graph_destroy(&g);
	g = locks_of_its_own(f, 0, 1);
	assert_int_equal(coord_admit_run(f->d.c, g, &err), 0);
	coord_graph_destroy(&g);
	rv_buf_reset(&f->d.facts); /* the journal keeps what this core gave back */
	coord_destroy(&f->d.c);
	f->d.c = coord_create(&f->d.cfg);
	driver_serve(&f->d);
}

static void a_run_that_does_not_fit_is_refused(void **state)
{
	struct fixture *f = *state;
	struct coord_config cfg = f->d.cfg;
	struct coord_graph *g;
	struct rv_err err;
	struct coord *small;

	plan_build_unit(&f->b, "a", "");
	plan_build_dirs(&f->b, "a", "a/b/c/d");
	driver_join(&f->d, "n1", 8, 8);
	driver_submit(&f->d, &f->b);
	g = plan_build_graph(&f->b, 1);
	assert_int_equal(coord_admit_run(f->d.c, g, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
	cfg.paths_max = 4; /* ., a, b, c, d are five */
	small = coord_create(&cfg);
	assert_int_equal(coord_admit_run(small, g, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	coord_destroy(&small);
	coord_graph_destroy(&g);
	driver_act(&f->d, PROTO_MUT_CANCEL, NULL, 0);
}

static void a_retract_that_comes_too_late_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct coord_event ev = { .kind = COORD_EV_ALREADY_STARTED, .peer = 1 };

	plan_build_for_each(&f->b, "m", 2, "");
	driver_join(&f->d, "n1", 1, 0);
	driver_submit(&f->d, &f->b);
	driver_started(&f->d, "m-0001");
	driver_taken(&f->d, "m-0002");
	driver_join(&f->d, "n2", 1, 0);
	driver_forget_lines(&f->d);
	ev.key = driver_key(&f->d, "m-0002");
	driver_step(&f->d, &ev);
	driver_turn(&f->d);
	driver_wait(&f->d, 1500000);
	expect_nothing(&f->d);
	driver_succeed(&f->d, "m-0002");
	expect_unit(&f->d, "m-0002", "succeeded");
}

/* --- runs beside each other --- */

static void runs_share_slots_fairly(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n1, n2;

	plan_build_for_each(&f->b, "m", 20, "");
	plan_build_for_each(&f->b2, "m", 20, "");
	driver_submit(&f->d, &f->b);
	driver_submit(&f->d, &f->b2);
	driver_join(&f->d, "n1", 10, 0);
	coord_run_counts(f->d.c, 1, &n1);
	coord_run_counts(f->d.c, 2, &n2);
	assert_int_equal(n1.active, 5);
	assert_int_equal(n2.active, 5);
}

static void priority_of_a_run_comes_before_its_share(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n1, n2;

	plan_build_for_each(&f->b, "m", 20, "");
	plan_build_for_each(&f->b2, "m", 6, "");
	driver_submit(&f->d, &f->b);
	driver_submit(&f->d, &f->b2);
	assert_int_equal(driver_act(&f->d, PROTO_MUT_SET_PRIORITY, "2*", 7), 0);
	driver_join(&f->d, "n1", 10, 0);
	coord_run_counts(f->d.c, 1, &n1);
	coord_run_counts(f->d.c, 2, &n2);
	assert_int_equal(n1.active, 4);
	assert_int_equal(n2.active, 6);
}

static void a_later_run_catches_up(void **state)
{
	struct fixture *f = *state;
	struct coord_run_counts n2;

	plan_build_for_each(&f->b, "m", 20, "");
	plan_build_for_each(&f->b2, "m", 20, "");
	driver_join(&f->d, "n1", 4, 0);
	driver_submit(&f->d, &f->b);
	driver_submit(&f->d, &f->b2);
	driver_succeed(&f->d, "m-0001");
	driver_succeed(&f->d, "m-0002");
	coord_run_counts(f->d.c, 2, &n2);
	assert_int_equal(n2.active, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_GATHER(name) cmocka_unit_test_setup_teardown(name, setup_gather, teardown)
#define TEST_AHEAD(name) cmocka_unit_test_setup_teardown(name, setup_prefetch, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(priority_then_longest_path_then_plan),
		TEST(order_id_is_the_order_of_the_plan),
		TEST(max_workers_bounds_the_run),
		TEST(max_concurrent_of_an_agent),
		TEST(a_lock_is_held_across_runs),
		TEST(a_semaphore_lets_so_many_in),
		TEST(who_waits_for_a_lock_is_woken_when_there_is_more_of_it),
		TEST(two_locks_are_taken_together_or_not_at_all),
		TEST(overlapping_directories_exclude_each_other),
		TEST(the_whole_workspace_excludes_everything),
		TEST(runs_of_one_workspace_exclude_each_other),
		TEST(what_waits_at_a_path_can_be_cancelled_held_and_released),
		TEST(who_finds_no_node_holds_up_nobody_at_its_path),
		TEST(who_keeps_off_a_node_holds_up_nobody_at_its_path),
		TEST(a_paused_run_holds_up_no_other_at_a_path),
		TEST(overlap_allow_excludes_nothing),
		TEST(labels_pins_and_resources_choose_the_node),
		TEST(least_busy_round_robin_and_pack),
		TEST(a_wide_unit_gets_a_node_in_the_end),
		TEST(a_run_that_stops_keeps_no_node_free),
		TEST(a_run_that_pauses_keeps_no_node_free),
		TEST(no_node_is_kept_free_for_a_unit_that_is_not_ready_any_more),
		TEST(a_node_that_is_drained_is_not_kept_free),
		TEST_AHEAD(nothing_known_one_ahead_a_slot_for_commands),
		TEST_AHEAD(short_units_are_sent_ahead_by_the_hundred),
		TEST_GATHER(what_gathers_is_sent_ahead_again),
		TEST_GATHER(what_is_waited_for_is_sent_ahead_no_further),
		TEST_GATHER(what_gathers_does_not_make_a_long_unit_short),
		TEST(nothing_waits_for_units_that_stand_alone),
		TEST(what_others_depend_on_is_in_a_hurry),
		TEST(where_locks_or_places_in_the_run_are_waited_for_all_are_in_a_hurry),
		TEST_AHEAD(long_units_are_not_sent_ahead),
		TEST_AHEAD(an_estimate_bounds_what_is_sent_ahead),
		TEST_AHEAD(what_needs_more_than_slots_is_never_sent_ahead),
		TEST_AHEAD(nothing_is_sent_ahead_of_a_better_unit_that_waits_for_room),
		TEST_AHEAD(an_idle_node_takes_what_was_sent_ahead_elsewhere),
		TEST_AHEAD(an_idle_node_takes_short_units_that_a_long_one_holds_up),
		TEST_AHEAD(a_lost_answer_to_a_retract_is_given_by_not_here),
		TEST_AHEAD(a_retract_that_the_link_took_along_is_settled_by_hello),
		TEST(a_run_that_goes_leaves_its_locks_to_the_others),
		TEST(a_place_that_one_lock_left_is_no_room_for_many),
		TEST(a_run_that_does_not_fit_is_refused),
		TEST_AHEAD(a_retract_that_comes_too_late_changes_nothing),
		TEST(runs_share_slots_fairly),
		TEST(priority_of_a_run_comes_before_its_share),
		TEST(a_later_run_catches_up),
	};

	return RUN(tests);
}
