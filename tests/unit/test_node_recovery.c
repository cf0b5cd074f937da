/* test_node_recovery.c - a daemon that comes after one that died: exit records become results, once */
#include "tests/lib/test.h"

#include "common/id.h"
#include "common/map.h"
#include "common/os/clock.h"
#include "tests/lib/node_rig.h"

static struct rv_str room[8];

static struct proto_spec shell(const char *script)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };

	return rig_command(room, argv);
}

static const struct proto_result *result(const struct rig *r, uint32_t unit)
{
	assert_true(r->results[unit].times > 0);
	return &r->results[unit].r;
}

static void what_had_ended_is_told_again_and_what_ran_is_lost(void **state)
{
	struct rv_str globs[] = { RV_STR("*.txt") };
	struct proto_spec s;
	struct rig r;
	char dir[128];

	(void)state;
	rig_start(&r, NULL);
	r.hold_acks = true;
	s = shell("echo early; echo data > $REEVE_ARTIFACTS/a.txt");
	s.flags = PROTO_SPEC_NAMESPACE;
	s.evidence_mode = PROTO_EVIDENCE_ARTIFACT_AND_EXIT;
	s.evidence_globs = globs;
	s.evidence_glob_count = 1;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s = shell("i=0; while [ $i -lt 3000 ]; do echo \"line $i\"; i=$((i+1)); done; exit 2");
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 2);
	s = shell("echo up; sleep 60");
	rig_dispatch(&r, 3, 2, &s, NULL);
	rig_wait_count(&r, &r.started, r.started + 1);
	memcpy(dir, r.dir, sizeof(dir));
	rig_stop(&r, RIG_KEEP); /* end of file: the warden records, kills, ends */

	rig_start(&r, &(struct rig_options){ .keep_dir = dir, .resend_held = true });
	assert_int_equal(r.held, 3);
	rig_wait_results(&r, 3);
	assert_int_equal(result(&r, 1)->outcome, PROTO_SUCCEEDED);
	assert_int_equal(result(&r, 1)->artifact_count, 1);
	assert_string_equal(rig_output(&r, 1), "early");
	assert_int_equal(result(&r, 2)->class, PROTO_CLASS_AGENT);
	assert_int_equal(result(&r, 2)->exit, 2);
	assert_string_equal(rig_output(&r, 2), "line 2999");
	assert_non_null(strstr(rig_tail(&r, 2), "line 2998\nline 2999\n"));
	assert_int_equal(result(&r, 3)->key.attempt, 2);
	assert_int_equal(result(&r, 3)->class, PROTO_CLASS_NODE_LOST);
	assert_int_equal(result(&r, 3)->reason, PROTO_REASON_INTERRUPTED);
	assert_true(result(&r, 3)->flags & PROTO_RESULT_STARTED);
	/* new work runs, its keys are no old ones */
	s = shell("echo new");
	rig_dispatch(&r, 4, 1, &s, NULL);
	rig_wait_results(&r, 4);
	assert_string_equal(rig_output(&r, 4), "new");
	rig_turn(&r, 0);
	rig_stop(&r, RIG_KEEP);

	/* What was acknowledged may be told again after that (forgetting is not written), but is the same. */
	rig_start(&r, &(struct rig_options){ .keep_dir = dir, .resend_held = true });
	rig_wait_results(&r, r.held);
	for (uint32_t i = 1; i <= 3; i++)
		if (r.results[i].times)
			assert_int_equal(result(&r, i)->outcome == PROTO_SUCCEEDED, i == 1);
	rig_stop(&r, RIG_REMOVE);
}

/* Told to end, with nobody there to acknowledge: that is no lost node, whoever tells it in the end. */
static void what_a_daemon_ended_in_order_was_interrupted(void **state)
{
	struct proto_spec s;
	struct rig r;
	char dir[128];

	(void)state;
	rig_start(&r, &(struct rig_options){ .slots = 2 });
	r.hold_acks = true;
	s = shell("sleep 60");
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 1);
	s = shell("exit 3");
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 1);
	node_daemon_stop(r.d, RV_NEVER, PROTO_REASON_INTERRUPTED, rv_clock_boottime_us());
	while (!node_daemon_stopped(r.d))
		rig_turn(&r, 100000);
	memcpy(dir, r.dir, sizeof(dir));
	rig_stop(&r, RIG_KEEP);

	rig_start(&r, &(struct rig_options){ .keep_dir = dir, .resend_held = true });
	rig_wait_results(&r, 2);
	assert_int_equal(result(&r, 1)->outcome, PROTO_CANCELLED);
	assert_int_equal(result(&r, 1)->class, PROTO_CLASS_NONE);
	assert_int_equal(result(&r, 1)->reason, PROTO_REASON_INTERRUPTED);
	assert_true(result(&r, 1)->flags & PROTO_RESULT_STARTED);
	assert_int_equal(result(&r, 2)->exit, 3);
	/* a daemon that dies later is told apart */
	r.hold_acks = true;
	s = shell("sleep 60");
	rig_dispatch(&r, 3, 1, &s, NULL);
	rig_wait_count(&r, &r.started, r.started + 1);
	rig_stop(&r, RIG_KEEP);
	rig_start(&r, &(struct rig_options){ .keep_dir = dir, .resend_held = true });
	rig_wait_results(&r, r.held);
	assert_int_equal(result(&r, 3)->class, PROTO_CLASS_NODE_LOST);
	rig_stop(&r, RIG_REMOVE);
}

static void a_cancelled_one_stays_cancelled(void **state)
{
	struct proto_msg cancel = { .kind = PROTO_CANCEL };
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	s = shell("trap '' TERM; sleep 60");
	s.grace_us = 50000;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 1);
	cancel.cancel = (struct proto_cancel){ .key = rig_key(1, 1), .epoch = RIG_EPOCH, .grace_us = RV_NEVER, .reason = PROTO_REASON_CANCELLED };
	rig_message(&r, &cancel);
	rig_wait_results(&r, 1);
	assert_int_equal(result(&r, 1)->outcome, PROTO_CANCELLED);
	assert_int_equal(result(&r, 1)->reason, PROTO_REASON_CANCELLED);
	rig_stop(&r, RIG_REMOVE);
}

static void incarnations_grow(void **state)
{
	uint64_t last = 0;
	char dir[128];
	struct rig r;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rig_start(&r, i ? &(struct rig_options){ .keep_dir = dir } : NULL);
		assert_true(r.incarnation > last);
		last = r.incarnation;
		memcpy(dir, r.dir, sizeof(dir));
		rig_stop(&r, i < 2 ? RIG_KEEP : RIG_REMOVE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_had_ended_is_told_again_and_what_ran_is_lost),
		cmocka_unit_test(what_a_daemon_ended_in_order_was_interrupted),
		cmocka_unit_test(a_cancelled_one_stays_cancelled),
		cmocka_unit_test(incarnations_grow),
	};

	return RUN(tests);
}
