/* the codec of the warden channel: every message there and back, and every kind of garbage refused */
#include "node/warden/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static struct rv_buf out;

static int set_up(void **state)
{
	(void)state;
	rv_buf_init(&out, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rv_buf_release(&out);
	return 0;
}

static void read_one(struct warden_frame *f)
{
	size_t used = 0;
	struct rv_err err = { 0 };

	assert_int_equal(warden_frame_read(rv_buf_str(&out), f, &used, &err), 1);
	assert_int_equal(used, out.bytes);
}

static void assert_str(struct rv_str s, const char *want)
{
	assert_int_equal(s.bytes, strlen(want));
	assert_memory_equal(s.at ? s.at : "", want, s.bytes);
}

static struct warden_spawn a_spawn(struct rv_buf *argv, struct rv_buf *env)
{
	struct warden_spawn m = {
		.key = 0x1122334455667788, .cookie = RV_STR("cook\0ie"), .log_id = { 1, 2, 3 }, .slots = 4, .agent_slots = 5,
		.env_base = 6, .cwd = RV_STR("/tmp"), .label = RV_STR("abc-1"), .output = WARDEN_OUTPUT_FILES,
		.logs_dir = RV_STR("/logs"), .log_bytes_max = 7, .output_credit = 8, .wall_us = 9, .idle_us = 10, .start_us = 11,
		.grace_us = 12, .memory_bytes_max = 13, .cpu_us_max = 14, .nofile = 15, .fsize = 16, .core = 17, .uid = 18,
		.gid = 19, .umask = 20, .flags = 21,
	};

	assert_int_equal(warden_strv_add(argv, &m.argv.count, RV_STR("prog")), 0);
	assert_int_equal(warden_strv_add(argv, &m.argv.count, RV_STR("")), 0);
	assert_int_equal(warden_strv_add(argv, &m.argv.count, RV_STR("two words")), 0);
	assert_int_equal(warden_strv_add(env, &m.env_set.count, RV_STR("A=1")), 0);
	m.argv.bytes = rv_buf_str(argv);
	m.env_set.bytes = rv_buf_str(env);
	return m;
}

static void spawn_keeps_every_field(void **state)
{
	struct rv_buf argv, env;
	struct warden_frame f;
	struct warden_spawn m;
	size_t at = 0;

	(void)state;
	rv_buf_init(&argv, 0);
	rv_buf_init(&env, 0);
	m = a_spawn(&argv, &env);
	assert_int_equal(warden_put_spawn(&out, &m), 0);
	read_one(&f);
	assert_int_equal(f.type, WARDEN_SPAWN);
	assert_true(f.spawn.key == m.key && f.spawn.log_id.run == 1 && f.spawn.log_id.unit == 2 && f.spawn.log_id.attempt == 3);
	assert_true(f.spawn.slots == 4 && f.spawn.agent_slots == 5 && f.spawn.env_base == 6);
	assert_int_equal(f.spawn.output, WARDEN_OUTPUT_FILES);
	assert_true(f.spawn.log_bytes_max == 7 && f.spawn.output_credit == 8 && f.spawn.wall_us == 9 && f.spawn.idle_us == 10);
	assert_true(f.spawn.start_us == 11 && f.spawn.grace_us == 12 && f.spawn.memory_bytes_max == 13);
	assert_true(f.spawn.cpu_us_max == 14 && f.spawn.nofile == 15 && f.spawn.fsize == 16 && f.spawn.core == 17);
	assert_true(f.spawn.uid == 18 && f.spawn.gid == 19 && f.spawn.umask == 20 && f.spawn.flags == 21);
	assert_str(f.spawn.cwd, "/tmp");
	assert_int_equal(f.spawn.cwd.at[f.spawn.cwd.bytes], 0);
	assert_str(f.spawn.label, "abc-1");
	assert_str(f.spawn.logs_dir, "/logs");
	assert_int_equal(f.spawn.cookie.bytes, 7);
	assert_memory_equal(f.spawn.cookie.at, "cook\0ie", 7);
	assert_string_equal(warden_strv_next(&f.spawn.argv, &at), "prog");
	assert_string_equal(warden_strv_next(&f.spawn.argv, &at), "");
	assert_string_equal(warden_strv_next(&f.spawn.argv, &at), "two words");
	assert_null(warden_strv_next(&f.spawn.argv, &at));
	assert_int_equal(f.spawn.env_unset.count, 0);
	rv_buf_release(&argv);
	rv_buf_release(&env);
}

static void exited_keeps_every_field(void **state)
{
	struct warden_exited m = {
		.key = 1, .cookie = RV_STR("c"), .log_id = { 2, 3, 4 }, .why = WARDEN_WHY_IDLE, .fault = WARDEN_FAULT_CWD, .sys = 5,
		.code = -1, .signal = 15, .level = WARDEN_LEVEL_PIDNS, .stray_pids = 6, .pid = 7, .start_mono_us = 8, .end_mono_us = 9,
		.start_real_us = 10, .end_real_us = 11, .frozen_us = 12, .cpu_us = 13, .maxrss_bytes = 14,
		.place = { WARDEN_OUTPUT_FILES, 1, 15, 16, 17, 18 }, .stdout_tail = RV_STR("out"), .stderr_tail = RV_STR("err"),
		.detail = RV_STR("why"), .recovered = 1,
	};
	struct warden_frame f;

	(void)state;
	assert_int_equal(warden_put_exited(&out, &m), 0);
	read_one(&f);
	assert_int_equal(f.type, WARDEN_EXITED);
	assert_true(f.exited.key == 1 && f.exited.log_id.run == 2 && f.exited.log_id.unit == 3 && f.exited.log_id.attempt == 4);
	assert_true(f.exited.why == WARDEN_WHY_IDLE && f.exited.fault == WARDEN_FAULT_CWD && f.exited.sys == 5);
	assert_true(f.exited.code == -1 && f.exited.signal == 15 && f.exited.level == WARDEN_LEVEL_PIDNS);
	assert_true(f.exited.stray_pids == 6 && f.exited.pid == 7 && f.exited.start_mono_us == 8 && f.exited.end_mono_us == 9);
	assert_true(f.exited.start_real_us == 10 && f.exited.end_real_us == 11 && f.exited.frozen_us == 12);
	assert_true(f.exited.cpu_us == 13 && f.exited.maxrss_bytes == 14 && f.exited.recovered == 1);
	assert_true(f.exited.place.kind == WARDEN_OUTPUT_FILES && f.exited.place.truncated == 1 && f.exited.place.segment == 15);
	assert_true(f.exited.place.offset == 16 && f.exited.place.stdout_bytes == 17 && f.exited.place.stderr_bytes == 18);
	assert_str(f.exited.cookie, "c");
	assert_str(f.exited.stdout_tail, "out");
	assert_str(f.exited.stderr_tail, "err");
	assert_str(f.exited.detail, "why");
}

static void small_messages_come_back(void **state)
{
	static const enum warden_msg keyed[] = { WARDEN_RETRACT, WARDEN_FREEZE, WARDEN_THAW, WARDEN_RETRACTED, WARDEN_ALREADY_STARTED,
						 WARDEN_UNKNOWN_KEY, WARDEN_FROZEN, WARDEN_THAWED, WARDEN_TREE_GONE };
	uint64_t keys[] = { 5, UINT64_MAX };
	struct warden_frame f;

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(keyed); i++) {
		rv_buf_reset(&out);
		assert_int_equal(warden_put_key(&out, keyed[i], 77), 0);
		read_one(&f);
		assert_int_equal(f.type, keyed[i]);
		assert_true(f.kill.key == 77);
	}
	rv_buf_reset(&out);
	assert_int_equal(warden_put_kill(&out, 3, RV_NEVER), 0);
	read_one(&f);
	assert_true(f.type == WARDEN_KILL && f.kill.key == 3 && f.kill.grace_us == RV_NEVER);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_grace(&out, WARDEN_SHUTDOWN, 9), 0);
	read_one(&f);
	assert_true(f.type == WARDEN_SHUTDOWN && f.kill.grace_us == 9);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_forget(&out, keys, 2), 0);
	read_one(&f);
	assert_true(f.type == WARDEN_FORGET && f.forget.count == 2);
	assert_true(warden_forget_key(&f, 0) == 5 && warden_forget_key(&f, 1) == UINT64_MAX);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_credit(&out, 1, 2), 0);
	read_one(&f);
	assert_true(f.type == WARDEN_OUTPUT_CREDIT && f.credit.key == 1 && f.credit.bytes == 2);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_slots(&out, 1, 2), 0);
	read_one(&f);
	assert_true(f.type == WARDEN_SLOTS && f.slots.slots == 1 && f.slots.agent_slots == 2);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_empty(&out, WARDEN_TABLE), 0);
	read_one(&f);
	assert_int_equal(f.type, WARDEN_TABLE);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_hello(&out, &(struct warden_hello){ 1, 2, WARDEN_LEVEL_CGROUP, 3, 4, RV_STR("t"), RV_STR("lb") }), 0);
	read_one(&f);
	assert_true(f.type == WARDEN_HELLO && f.hello.version == 1 && f.hello.pid == 2 && f.hello.level == WARDEN_LEVEL_CGROUP);
	assert_true(f.hello.records == 3 && f.hello.orphans == 4 && f.hello.trouble.bytes == 1 && f.hello.label.bytes == 2);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_started(&out, &(struct warden_started){ 1, 2, 3, 4 }), 0);
	read_one(&f);
	assert_true(f.started.key == 1 && f.started.pid == 2 && f.started.mono_us == 3 && f.started.real_us == 4);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_output(&out, &(struct warden_output){ 1, 2, 3, RV_STR("xyz") }), 0);
	read_one(&f);
	assert_true(f.output.key == 1 && f.output.stream == 2 && f.output.offset == 3);
	assert_str(f.output.bytes, "xyz");
	rv_buf_reset(&out);
	assert_int_equal(warden_put_table_entry(&out, &(struct warden_table_entry){ 1, RV_STR("c"), WARDEN_STATE_FROZEN, 2, 3, 4, 5, 6 }), 0);
	read_one(&f);
	assert_true(f.entry.key == 1 && f.entry.state == WARDEN_STATE_FROZEN && f.entry.pid == 2 && f.entry.mono_us == 3);
	assert_true(f.entry.real_us == 4 && f.entry.stdout_bytes == 5 && f.entry.stderr_bytes == 6);
	rv_buf_reset(&out);
	assert_int_equal(warden_put_config(&out, &(struct warden_config){ 0, 2, 3, WARDEN_LEVEL_PIDNS, RV_STR("/s"), RV_STR("p"), 4, 5, 6, 7 }), 0);
	read_one(&f);
	assert_true(f.config.version == WARDEN_VERSION && f.config.slots == 2 && f.config.agent_slots == 3);
	assert_true(f.config.level == WARDEN_LEVEL_PIDNS && f.config.segment_bytes == 4 && f.config.queue_max == 5);
	assert_true(f.config.queue_bytes_max == 6 && f.config.default_grace_us == 7);
	assert_str(f.config.state_dir, "/s");
	assert_str(f.config.label_prefix, "p");
}

static void a_frame_in_pieces_is_awaited(void **state)
{
	struct rv_buf argv, env;
	struct warden_frame f;
	struct warden_spawn m;
	size_t used;

	(void)state;
	rv_buf_init(&argv, 0);
	rv_buf_init(&env, 0);
	m = a_spawn(&argv, &env);
	assert_int_equal(warden_put_spawn(&out, &m), 0);
	for (size_t n = 0; n < out.bytes; n++)
		assert_int_equal(warden_frame_read(rv_str(out.at, n), &f, &used, NULL), 0);
	rv_buf_release(&argv);
	rv_buf_release(&env);
}

static void damaged_frames_are_refused_and_read_nothing_outside(void **state)
{
	struct rv_buf argv, env;
	struct warden_spawn m;
	size_t refused = 0;

	(void)state;
	rv_buf_init(&argv, 0);
	rv_buf_init(&env, 0);
	m = a_spawn(&argv, &env);
	assert_int_equal(warden_put_spawn(&out, &m), 0);
	/* Each byte changed in turn, in memory of exactly that size (ASan sees a read past its end). */
	for (size_t i = 0; i < out.bytes; i++)
		for (int bit = 0; bit < 8; bit++) {
			char *copy = malloc(out.bytes);
			struct warden_frame f;
			size_t used, at = 0;
			int got;

			memcpy(copy, out.at, out.bytes);
			copy[i] ^= (char)(1 << bit);
			got = warden_frame_read(rv_str(copy, out.bytes), &f, &used, NULL);
			if (got < 0)
				refused++;
			else if (got == 1 && f.type == WARDEN_SPAWN) /* 0: a longer length, nothing is set */
				while (warden_strv_next(&f.spawn.argv, &at))
					;
			free(copy);
		}
	assert_true(refused > 300);
	rv_buf_release(&argv);
	rv_buf_release(&env);
}

static void too_long_and_unknown_are_refused(void **state)
{
	struct warden_frame f;
	size_t used;
	struct rv_err err;

	(void)state;
	assert_int_equal(warden_frame_read(rv_str("\0\0\0\0\1", 5), &f, &used, &err), -1);
	assert_int_equal(warden_frame_read(rv_str("\xff\xff\xff\xff", 4), &f, &used, &err), -1);
	assert_int_equal(err.code, RV_E_CORRUPT);
	assert_int_equal(warden_frame_read(rv_str("\1\0\0\0\x3f", 5), &f, &used, &err), -1);
	assert_int_equal(warden_frame_read(rv_str("\2\0\0\0\x0a\0", 6), &f, &used, &err), -1);
}

static void what_does_not_fit_a_frame_changes_nothing(void **state)
{
	struct rv_str big = { malloc(WARDEN_FRAME_BYTES_MAX), WARDEN_FRAME_BYTES_MAX };
	size_t before;

	(void)state;
	memset((char *)(uintptr_t)big.at, 'x', big.bytes);
	assert_int_equal(warden_put_key(&out, WARDEN_THAW, 1), 0);
	before = out.bytes;
	assert_int_equal(warden_put_output(&out, &(struct warden_output){ 1, 1, 0, big }), -1);
	assert_int_equal(out.bytes, before);
	assert_false(out.failed);
	free((char *)(uintptr_t)big.at);
}

static void names_and_levels_agree(void **state)
{
	(void)state;
	for (int i = WARDEN_LEVEL_CGROUP; i <= WARDEN_LEVEL_SUBREAPER; i++)
		assert_int_equal(warden_level_of(warden_level_name((enum warden_level)i)), i);
	assert_int_equal(warden_level_of("cgroups"), WARDEN_LEVEL_NONE);
	assert_string_equal(warden_why_name(WARDEN_WHY_UNKILLABLE), "unkillable");
	assert_string_equal(warden_fault_name(WARDEN_FAULT_SETUP), "setup");
	assert_string_equal(warden_why_name((enum warden_why)200), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(spawn_keeps_every_field, set_up, tear_down),
		cmocka_unit_test_setup_teardown(exited_keeps_every_field, set_up, tear_down),
		cmocka_unit_test_setup_teardown(small_messages_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_frame_in_pieces_is_awaited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged_frames_are_refused_and_read_nothing_outside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_long_and_unknown_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_does_not_fit_a_frame_changes_nothing, set_up, tear_down),
		cmocka_unit_test(names_and_levels_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
