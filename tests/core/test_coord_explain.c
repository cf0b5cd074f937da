/* Why a unit is not running: each obstacle is told, and none that is not there. */
#include "tests/lib/coord_driver.h"
#include "tests/lib/test.h"

#include "coordinator/core/explain.h"

#include <string.h>

struct told {
	struct driver *d;
	char text[4096];
};

static void add(struct told *t, const char *text)
{
	(void)strncat(t->text, text, sizeof t->text - strlen(t->text) - 1);
}

/* "dependency a active; node n1 full; " */
static void each(void *arg, const struct coord_obstacle *o)
{
	struct told *t = arg;
	const struct coord_graph *g = coord_run_graph(t->d->c, o->other_run ? o->other_run : 1);
	char room[COORD_UNIT_ID_BYTES], line[256] = "";

	(void)snprintf(line, sizeof line, "%s", coord_obstacle_name(o->kind));
	add(t, line);
	if (o->other != COORD_NONE) {
		(void)snprintf(line, sizeof line, " %.*s", RV_STR_ARGS(coord_graph_unit_id(g, o->other, room)));
		add(t, line);
	}
	if (o->kind == COORD_O_DEPENDENCY || o->kind == COORD_O_ENDED) {
		(void)snprintf(line, sizeof line, " %s", coord_unit_state_name(o->state));
		add(t, line);
	}
	if (o->name.bytes) {
		(void)snprintf(line, sizeof line, " %.*s", RV_STR_ARGS(o->name));
		add(t, line);
	}
	if (o->limit) {
		(void)snprintf(line, sizeof line, " %llu/%llu", (unsigned long long)o->used, (unsigned long long)o->limit);
		add(t, line);
	}
	if (o->amount && o->kind != COORD_O_RETRY_WAIT) {
		(void)snprintf(line, sizeof line, " %llu", (unsigned long long)o->amount);
		add(t, line);
	}
	if (o->kind == COORD_O_NODE) {
		(void)snprintf(line, sizeof line, " %.*s %s", RV_STR_ARGS(coord_node_name(t->d->c, o->node)), coord_node_why_name(o->why));
		add(t, line);
	}
	if (o->lacks.bytes) {
		(void)snprintf(line, sizeof line, " lacks %.*s", RV_STR_ARGS(o->lacks));
		add(t, line);
	}
	if (o->silent_us) {
		(void)snprintf(line, sizeof line, " silent %llu", (unsigned long long)o->silent_us);
		add(t, line);
	}
	add(t, "; ");
}

static void why(struct driver *d, const char *unit, const char *want)
{
	struct told t = { .d = d };
	uint32_t count;

	coord_explain(d->c, 1, coord_graph_find(coord_run_graph(d->c, 1), rv_str_of(unit), &count), each, &t);
	assert_string_equal(t.text, want);
}

static void setup(struct driver *d, struct plan_build *b)
{
	driver_init(d, NULL);
	plan_build_init(b);
	driver_serve(d);
}

static void done(struct driver *d, struct plan_build *b)
{
	driver_release(d);
	plan_build_release(b);
}

static void dependencies_and_room(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "");
	plan_build_unit(&b, "c", "a b");
	driver_submit(&d, &b);
	why(&d, "a", "no_node; ");
	driver_join(&d, "n1", 1, 0);
	driver_turn(&d);
	why(&d, "a", "active; ");
	why(&d, "b", "node 1/1 n1 full; ");
	why(&d, "c", "dependency a active; dependency b ready; node 1/1 n1 full; ");
	driver_succeed(&d, "a");
	why(&d, "a", "ended succeeded; ");
	why(&d, "c", "dependency b active; node 1/1 n1 full; ");
	done(&d, &b);
}

static void the_slots_that_are_full_are_told(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "");
	plan_build_agent(&b, "a", "x", 0); /* agents that take a CPU as well */
	plan_build_agent(&b, "b", "x", 0);
	plan_build_settings(&b, "a")->slots = plan_build_settings(&b, "b")->slots = 1;
	driver_submit(&d, &b);
	driver_join(&d, "n1", 4, 1);
	driver_turn(&d);
	why(&d, "a", "active; ");
	why(&d, "b", "node 1/1 n1 full; ");
	done(&d, &b);
}

static void what_people_do(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "a");
	driver_submit(&d, &b);
	driver_act(&d, PROTO_MUT_HOLD, "b", 0);
	driver_act(&d, PROTO_MUT_PAUSE, NULL, 0);
	driver_join(&d, "n1", 2, 0);
	driver_turn(&d);
	why(&d, "a", "run_paused; node n1 fits; ");
	why(&d, "b", "run_paused; held; dependency a ready; node n1 fits; ");
	driver_act(&d, PROTO_MUT_UNPAUSE, NULL, 0);
	driver_act_node(&d, PROTO_MUT_DRAIN, 0);
	driver_turn(&d);
	why(&d, "b", "held; dependency a active; node n1 draining; ");
	driver_gone(&d, 0);
	why(&d, "b", "held; dependency a active; node n1 away; ");
	done(&d, &b);
}

static void what_nobody_has_and_who_holds_it(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "l1", "");
	plan_build_lock(&b, "l1", "gate", 1);
	plan_build_unit(&b, "l2", "");
	plan_build_lock(&b, "l2", "gate", 1);
	plan_build_unit(&b, "d1", "");
	plan_build_dirs(&b, "d1", "src");
	plan_build_unit(&b, "d2", "");
	plan_build_dirs(&b, "d2", "src/lib");
	plan_build_unit(&b, "gpu", "");
	plan_build_label(&b, "gpu", "gpu", "yes");
	plan_build_unit(&b, "licence", "");
	plan_build_resource(&b, "licence", "licence", 1000);
	driver_join(&d, "n1", 8, 0);
	driver_submit(&d, &b);
	why(&d, "l1", "active; ");
	why(&d, "l2", "lock l1 gate 1/1; node n1 fits; ");
	why(&d, "d2", "directory d1; node n1 fits; queue 1; ");
	why(&d, "gpu", "node n1 labels lacks gpu=yes; queue 2; ");
	why(&d, "licence", "node n1 resources lacks licence 1 (has 0); queue 3; ");
	done(&d, &b);
}

/* "gpu never 1 gpu=yes; a lock 2 gate; " */
static void waits(struct driver *d, const char *want)
{
	const struct coord_graph *g = coord_run_graph(d->c, 1);
	char room[COORD_UNIT_ID_BYTES], line[1024];
	struct told t = { .d = d };
	struct coord_wait w;

	for (uint32_t i = 0; i < coord_wait_classes(d->c, 1); i++) {
		if (!coord_wait_of(d->c, 1, i, &w))
			continue;
		(void)snprintf(line, sizeof line, "%.*s %s %u %.*s%.*s; ", RV_STR_ARGS(coord_graph_unit_id(g, w.unit, room)), coord_wait_name(w.why),
			       w.units, RV_STR_ARGS(w.name), (int)w.lacks_bytes, w.lacks);
		add(&t, line);
	}
	assert_string_equal(t.text, want);
}

static void each_node_says_all_that_it_lacks(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "big", "");
	plan_build_label(&b, "big", "gpu", "yes");
	plan_build_label(&b, "big", "zone", "a");
	plan_build_settings(&b, "big")->slots = 8;
	plan_build_resource(&b, "big", "licence", 2500);
	driver_submit(&d, &b);
	waits(&d, "big no_node 1 ; ");
	driver_join(&d, "n1", 4, 0);
	driver_join(&d, "n2", 16, 0);
	why(&d, "big", "node n1 labels lacks gpu=yes, zone=a, 8 cpus (has 4), licence 2.5 (has 0); "
		       "node n2 labels lacks gpu=yes, zone=a, licence 2.5 (has 0); ");
	waits(&d, "big never 1 gpu=yes, zone=a, 8 cpus, licence 2.5; ");
	driver_act_node(&d, PROTO_MUT_REMOVE, 0);
	waits(&d, "big never 1 gpu=yes, zone=a, licence 2.5; ");
	done(&d, &b);
}

static void all_holders_of_a_lock_are_named(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	for (int i = 0; i < 3; i++) {
		static const char *const ids[] = { "l1", "l2", "l3" };

		plan_build_unit(&b, ids[i], "");
		plan_build_lock(&b, ids[i], "gate", 2);
	}
	driver_join(&d, "n1", 8, 0);
	driver_submit(&d, &b);
	why(&d, "l3", "lock l1 gate 2/2; lock l2 gate 2/2; node n1 fits; ");
	waits(&d, "l3 lock 1 gate; ");
	done(&d, &b);
}

static void since_when_a_node_is_silent(void **state)
{
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "");
	driver_join(&d, "n1", 1, 0);
	driver_submit(&d, &b);
	waits(&d, "b room 1 ; ");
	driver_gone(&d, 0);
	for (int i = 0; i < 30; i++)
		driver_wait(&d, 100000); /* one long step would be the coordinator's own silence */
	why(&d, "b", "node n1 away silent 3000000; ");
	waits(&d, "b not_here 1 ; ");
	driver_restart(&d); /* a new coordinator has never heard it: it may come, and be able */
	why(&d, "b", "node n1 away; ");
	waits(&d, "b not_here 1 ; ");
	done(&d, &b);
}

static void a_node_s_last_failure_and_recovery_are_told(void **state)
{
	struct coord_node_view v;
	struct driver d;
	struct plan_build b;

	(void)state;
	setup(&d, &b);
	plan_build_unit(&b, "a", "");
	plan_build_unit(&b, "b", "a");
	driver_join(&d, "n1", 1, 0);
	driver_submit(&d, &b);
	coord_node_view(d.c, 0, &v);
	assert_int_equal(v.last_class, PROTO_CLASS_NONE);
	driver_fail(&d, "a", PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	coord_node_view(d.c, 0, &v);
	assert_int_equal(v.last_class, PROTO_CLASS_ENVIRONMENT);
	assert_int_equal(v.recoveries, 0);
	driver_live(&d, 60000000); /* a pause before the next try */
	driver_succeed(&d, "a");
	coord_node_view(d.c, 0, &v);
	assert_string_equal(v.health, "good");
	assert_int_equal(v.recoveries, 1);
	assert_int_equal(v.last_class, PROTO_CLASS_ENVIRONMENT);
	done(&d, &b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dependencies_and_room),
		cmocka_unit_test(the_slots_that_are_full_are_told),
		cmocka_unit_test(what_people_do),
		cmocka_unit_test(what_nobody_has_and_who_holds_it),
		cmocka_unit_test(each_node_says_all_that_it_lacks),
		cmocka_unit_test(all_holders_of_a_lock_are_named),
		cmocka_unit_test(a_node_s_last_failure_and_recovery_are_told),
		cmocka_unit_test(since_when_a_node_is_silent),
	};

	return RUN(tests);
}
