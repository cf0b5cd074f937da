/* A run's tables, built from a plan: numbers, names, dependencies, ranks, classes, specs, sizes. */
#include "coordinator/core/tables.h"
#include "tests/lib/noalloc.h"
#include "tests/lib/plan_build.h"
#include "tests/lib/test.h"

static struct coord_graph *build(struct plan_build *b)
{
	return plan_build_graph(b, 7);
}

static struct rv_str id_of(const struct coord_graph *g, uint32_t unit)
{
	static char room[COORD_UNIT_ID_BYTES];

	return coord_graph_unit_id(g, unit, room);
}

static void units_are_numbered_in_plan_order(void **state)
{
	struct plan_build b;
	struct coord_graph *g;
	uint32_t count;

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	plan_build_for_each(&b, "m", 3, "a");
	plan_build_unit(&b, "z", "m a");
	plan_build_verify(&b);
	g = build(&b);
	plan_build_release(&b); /* the graph lives on */
	assert_int_equal(coord_graph_run(g), 7);
	assert_str(coord_graph_name(g), "test");
	assert_int_equal(coord_graph_unit_count(g), 5);
	assert_int_equal(coord_graph_edge_count(g), 3 + 3 + 1);
	assert_str(id_of(g, 0), "a");
	assert_str(id_of(g, 1), "m-0001");
	assert_str(id_of(g, 3), "m-0003");
	assert_str(id_of(g, 4), "z");
	assert_str(id_of(g, 5), PLAN_VERIFY_ID);
	assert_int_equal(coord_graph_find(g, RV_STR("m-0002"), &count), 2);
	assert_int_equal(count, 1);
	assert_int_equal(coord_graph_find(g, RV_STR("m"), &count), 1);
	assert_int_equal(count, 3);
	assert_int_equal(coord_graph_find(g, RV_STR("m-0004"), &count), COORD_NONE);
	assert_int_equal(coord_graph_find(g, RV_STR("m-2"), &count), COORD_NONE); /* not as it is written */
	assert_int_equal(coord_graph_find(g, RV_STR("m-0000"), &count), COORD_NONE);
	assert_int_equal(coord_graph_find(g, RV_STR("q"), &count), COORD_NONE);
	assert_true(coord_graph_verify_spec(g).bytes > 0);
	coord_graph_destroy(&g);
	assert_null(g);
	coord_graph_destroy(&g);
}

/* Ids are looked up in a table once they are asked for often: the answers are the same before and after. */
static void an_id_asked_for_often_is_found_alike(void **state)
{
	struct plan_build b;
	struct coord_graph *g;
	char name[COORD_UNIT_ID_BYTES];
	uint32_t count;

	(void)state;
	plan_build_init(&b);
	for (uint32_t i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "u%u", i);
		plan_build_unit(&b, name, "");
	}
	plan_build_for_each(&b, "m", 3, "u1");
	plan_build_for_each(&b, "none", 0, "");
	plan_build_verify(&b);
	g = build(&b);
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 103; i++) {
			assert_int_equal(coord_graph_find(g, coord_graph_unit_id(g, i, name), &count), i);
			assert_int_equal(count, 1);
		}
		assert_int_equal(coord_graph_find(g, RV_STR("m"), &count), 100);
		assert_int_equal(count, 3);
		(void)coord_graph_find(g, RV_STR("none"), &count);
		assert_int_equal(count, 0);
		assert_int_equal(coord_graph_find(g, RV_STR(PLAN_VERIFY_ID), &count), 103);
		assert_int_equal(coord_graph_find(g, RV_STR("u100"), &count), COORD_NONE);
		assert_int_equal(coord_graph_find(g, RV_STR("m-0004"), &count), COORD_NONE);
		assert_int_equal(coord_graph_find(g, RV_STR("u1-0001"), &count), COORD_NONE);
		assert_int_equal(coord_graph_find(g, RV_STR(""), &count), COORD_NONE);
	}
	plan_build_release(&b);
	coord_graph_destroy(&g);
}

static void dependencies_are_counted_out(void **state)
{
	struct plan_build b;
	struct coord_graph *g;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str name;
	uint32_t index;

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	plan_build_for_each(&b, "m", 3, "");
	plan_build_for_each(&b, "n", 1, "a m");
	plan_build_same_as(&b, "n", "m");
	g = build(&b);
	assert_int_equal(coord_graph_dep_count(g, 0), 0);
	assert_int_equal(coord_graph_dep_count(g, 5), 1 + 3 + 1); /* n-0002: a, all of m, and its counterpart */
	assert_int_equal(coord_graph_dep(g, 5, 0), 0);
	assert_int_equal(coord_graph_dep(g, 5, 1), 1);
	assert_int_equal(coord_graph_dep(g, 5, 3), 3);
	assert_int_equal(coord_graph_dep(g, 5, 4), 2);
	coord_graph_dep_name(g, 5, 0, room, &name, &index);
	assert_str(name, "a");
	assert_int_equal(index, COORD_NONE);
	coord_graph_dep_name(g, 5, 3, room, &name, &index);
	assert_str(name, "m");
	assert_int_equal(index, 2);
	coord_graph_dep_name(g, 5, 4, room, &name, &index);
	assert_str(name, "m");
	assert_int_equal(index, COORD_NONE); /* the counterpart is no array */
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void items_are_numbers_or_json(void **state)
{
	static const struct rv_str items[] = { { "\"x\"", 3 }, { "{\"k\":1}", 7 } };
	struct plan_build b;
	struct coord_graph *g;
	struct plan_for_each f;
	char room[32];

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	plan_build_for_each(&b, "m", 2, "");
	plan_build_for_each(&b, "n", 12, "");
	f = *plan_build_find(&b, "m")->for_each;
	f.items = items;
	plan_build_find(&b, "m")->for_each = &f;
	g = build(&b);
	assert_str(coord_graph_item(g, 0, room), "");
	assert_str(coord_graph_item(g, 2, room), "{\"k\":1}");
	assert_str(coord_graph_item(g, 3 + 11, room), "12");
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void equal_specs_are_kept_once(void **state)
{
	struct plan_build b;
	struct coord_graph *g;

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "a");
	plan_build_for_each(&b, "m", 3, "");
	plan_build_unit(&b, "c", "");
	plan_build_settings(&b, "c")->timeout_us = 5;
	g = build(&b);
	assert_ptr_equal(coord_graph_spec(g, 0).at, coord_graph_spec(g, 1).at);
	assert_ptr_equal(coord_graph_spec(g, 2).at, coord_graph_spec(g, 4).at);
	assert_ptr_not_equal(coord_graph_spec(g, 0).at, coord_graph_spec(g, 5).at);
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void the_names_of_another_tool_are_of_every_unit(void **state)
{
	struct plan_build b;
	struct coord_graph *g;
	struct proto_spec s;
	struct rv_arena arena;

	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		plan_build_init(&b);
		plan_build_unit(&b, "a", "");
		plan_build_unit(&b, "b", "a");
		b.plan.compat_ralph = asked;
		g = build(&b);
		rv_arena_init(&arena, 0);
		for (uint32_t u = 0; u < 2; u++) {
			assert_int_equal(proto_spec_decode(coord_graph_spec(g, u), &arena, &s, NULL), 0);
			assert_int_equal((s.flags & PROTO_SPEC_RALPH_ENV) != 0, asked);
		}
		rv_arena_release(&arena);
		coord_graph_destroy(&g);
		plan_build_release(&b);
	}
}

/* The spec as the node reads it. */
static void a_units_context_lies_over_the_plans(void **state)
{
	struct plan_build b;
	struct coord_graph *g;
	struct proto_spec s;
	struct rv_arena arena;
	struct rv_err err;

	(void)state;
	plan_build_init(&b);
	b.plan.context = RV_STR("{\"a\":1,\"b\":{\"x\":\"}\\\",\"},\"c\":[1,2]}");
	plan_build_unit(&b, "u", "");
	plan_build_find(&b, "u")->context = RV_STR("{\"b\":2,\"d\":null}");
	plan_build_find(&b, "u")->flags |= PLAN_UNIT_USES_CONTEXT;
	plan_build_unit(&b, "v", "u");
	plan_build_find(&b, "v")->flags |= PLAN_UNIT_USES_CONTEXT;
	plan_build_unit(&b, "w", "u");
	g = build(&b);
	rv_arena_init(&arena, 0);
	assert_int_equal(proto_spec_decode(coord_graph_spec(g, 0), &arena, &s, &err), 0);
	assert_str(s.context, "{\"a\":1,\"c\":[1,2],\"b\":2,\"d\":null}");
	assert_int_equal(s.flags & PROTO_SPEC_NEEDS_DEPS, 0);
	assert_int_equal(proto_spec_decode(coord_graph_spec(g, 1), &arena, &s, &err), 0);
	assert_str(s.context, "{\"a\":1,\"b\":{\"x\":\"}\\\",\"},\"c\":[1,2]}");
	assert_true(s.flags & PROTO_SPEC_NEEDS_DEPS);
	assert_true(coord_graph_needs_deps(g, 1));
	assert_true(coord_graph_output_wanted(g, 0));
	assert_false(coord_graph_output_wanted(g, 1));
	assert_int_equal(proto_spec_decode(coord_graph_spec(g, 2), &arena, &s, &err), 0);
	assert_str(s.context, ""); /* nothing of it looks there */
	rv_arena_release(&arena);
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void a_units_rank_is_priority_then_path_then_place(void **state)
{
	struct plan_build b;
	struct coord_graph *g;

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");                  /* path 1 s */
	plan_build_for_each(&b, "m", 2, "");           /* path 3 s: 1 + end's 2 */
	plan_build_unit(&b, "end", "m");
	plan_build_unit(&b, "p", "");
	plan_build_estimate(&b, "end", 2000000);
	plan_build_settings(&b, "p")->priority = 1;
	g = build(&b);
	assert_int_equal(g->units[4].rank, 0); /* p */
	assert_int_equal(g->units[1].rank, 1);
	assert_int_equal(g->units[2].rank, 2);
	assert_int_equal(g->units[3].rank, 3); /* end */
	assert_int_equal(g->units[0].rank, 4);
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void learned_times_stand_in_for_estimates(void **state)
{
	struct plan_build b;
	struct coord_graph *g = NULL;
	uint64_t learned[2] = { 0, 9000000 };

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "");
	assert_int_equal(coord_graph_build(&b.plan, 1, learned, &g, NULL), 0);
	assert_int_equal(g->units[1].rank, 0);
	assert_int_equal(g->more[0].path_us, 1000000);
	assert_int_equal(g->more[1].path_us, 9000000);
	coord_graph_destroy(&g);
	plan_build_estimate(&b, "b", 10);
	assert_int_equal(coord_graph_build(&b.plan, 1, learned, &g, NULL), 0);
	assert_int_equal(g->more[1].path_us, 10); /* the plan's own word comes first */
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void units_that_are_placed_alike_share_a_class(void **state)
{
	struct plan_build b;
	struct coord_graph *g;

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "");
	plan_build_unit(&b, "lock", "");
	plan_build_unit(&b, "wide", "");
	plan_build_unit(&b, "x", "");
	plan_build_unit(&b, "y", "");
	plan_build_settings(&b, "b")->timeout_us = 77; /* no matter of placement */
	plan_build_settings(&b, "wide")->slots = 3;
	plan_build_lock(&b, "lock", "l", 1);
	plan_build_agent(&b, "x", "x", 0);
	plan_build_agent(&b, "y", "y", 2);
	g = build(&b);
	assert_int_equal(g->units[0].place_class, g->units[1].place_class);
	assert_int_equal(g->class_count, 5);
	assert_int_equal(g->shape_count, 3); /* 1 slot, 3 slots, an agent slot */
	assert_true(g->classes[g->units[0].place_class].prefetch);
	assert_false(g->classes[g->units[2].place_class].prefetch);
	assert_true(g->classes[g->units[4].place_class].prefetch);
	assert_false(g->classes[g->units[5].place_class].prefetch); /* max_concurrent */
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void directories_name_the_item(void **state)
{
	struct plan_build b;
	struct coord_graph *g;

	(void)state;
	plan_build_init(&b);
	plan_build_for_each(&b, "m", 3, "");
	plan_build_dirs(&b, "m", "src/x src/{{item}}");
	plan_build_unit(&b, "free", "");
	g = build(&b);
	assert_true(g->tmpls[0].flags & COORD_TMPL_DIRS_EACH);
	assert_int_equal(g->dirsets[g->tmpls[0].dirs + 2].dir_count, 2);
	assert_int_equal(g->dirs[g->dirsets[1].dir_first + 1].prefix_count, 3); /* ., src, src/2 */
	assert_int_equal(g->tmpls[1].dirs, COORD_NONE);
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void a_cycle_is_refused(void **state)
{
	struct plan_build b;
	struct coord_graph *g = NULL;
	struct rv_err err;
	uint32_t deps[1] = { 1 };

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "a");
	plan_build_find(&b, "a")->deps = deps;
	plan_build_find(&b, "a")->dep_count = 1;
	assert_int_equal(coord_graph_build(&b.plan, 1, NULL, &g, &err), -1);
	assert_int_equal(err.code, RV_E_PLAN);
	assert_null(g);
	plan_build_release(&b);
}

static void sizes_keep_their_promise(void **state)
{
	struct plan_build b;
	struct coord_graph *g;
	uint32_t deps[3] = { 0, 1, 2 };

	(void)state;
	plan_build_init(&b);
	plan_build_for_each(&b, "m", 1000000, "");
	g = build(&b);
	assert_in_range(coord_graph_bytes(g) / 1000000, 1, 120); /* the aim is 300 with all else */
	coord_graph_destroy(&g);
	plan_build_release(&b);
	plan_build_init(&b);
	for (uint32_t i = 0; i < 100000; i++) {
		for (uint32_t k = 0; i > 3 && k < 3; k++)
			deps[k] = (i * 2654435761u + k * 40503u) % (i - 2) + k;
		(void)plan_build_numbered(&b, deps, i > 3 ? 3 : 0, i ? 0 : PLAN_NONE);
	}
	g = build(&b);
	assert_in_range(coord_graph_bytes(g) / 100000, 1, 400);
	coord_graph_destroy(&g);
	plan_build_release(&b);
}

static void no_memory_is_an_error_and_leaks_nothing(void **state)
{
	struct plan_build b;
	uint32_t n = 0;
	bool failed;
	int rc;

	(void)state;
	plan_build_init(&b);
	plan_build_unit(&b, "a", "");
	plan_build_for_each(&b, "m", 50, "a");
	plan_build_dirs(&b, "m", "x/{{item}}");
	plan_build_unit(&b, "c", "m");
	plan_build_lock(&b, "c", "l", 1);
	plan_build_settings(&b, "c")->retry.max = 1;
	do {
		struct coord_graph *g = NULL;
		struct rv_err err;

		noalloc_fail(++n);
		rc = coord_graph_build(&b.plan, 1, NULL, &g, &err);
		failed = noalloc_failed();
		noalloc_fail(0);
		if (rc < 0)
			assert_int_equal(err.code, RV_E_NO_MEMORY);
		else
			assert_non_null(g);
		coord_graph_destroy(&g);
	} while (failed && n < 1000);
	assert_in_range(n, 5, 999);
	plan_build_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_numbered_in_plan_order),
		cmocka_unit_test(an_id_asked_for_often_is_found_alike),
		cmocka_unit_test(dependencies_are_counted_out),
		cmocka_unit_test(items_are_numbers_or_json),
		cmocka_unit_test(equal_specs_are_kept_once),
		cmocka_unit_test(the_names_of_another_tool_are_of_every_unit),
		cmocka_unit_test(a_units_context_lies_over_the_plans),
		cmocka_unit_test(a_units_rank_is_priority_then_path_then_place),
		cmocka_unit_test(learned_times_stand_in_for_estimates),
		cmocka_unit_test(units_that_are_placed_alike_share_a_class),
		cmocka_unit_test(directories_name_the_item),
		cmocka_unit_test(a_cycle_is_refused),
		cmocka_unit_test(sizes_keep_their_promise),
		cmocka_unit_test(no_memory_is_an_error_and_leaks_nothing),
	};

	return RUN(tests);
}
