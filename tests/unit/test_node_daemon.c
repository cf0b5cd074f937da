/* test_node_daemon.c - units through the daemon and a real warden: exits, outputs, evidence, environment, cancel */
#include "tests/lib/test.h"

#include "common/os/file.h"
#include "common/id.h"
#include "common/map.h"
#include "common/os/clock.h"
#include "tests/lib/node_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

static struct rv_str room[64];

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

static void exits_become_results(void **state)
{
	const char *argv_true[] = { "true", NULL }, *argv_none[] = { "no-such-program-here", NULL };
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	s = rig_command(room, argv_true);
	rig_dispatch(&r, 1, 1, &s, NULL);
	s = shell("echo out; echo err >&2; exit 3");
	rig_dispatch(&r, 2, 1, &s, NULL);
	s = shell("kill -KILL $$");
	rig_dispatch(&r, 3, 1, &s, NULL);
	s = rig_command(room, argv_none);
	rig_dispatch(&r, 4, 1, &s, NULL);
	s = shell("echo one; echo two");
	rig_dispatch(&r, 5, 1, &s, NULL);
	rig_wait_results(&r, 5);
	assert_int_equal(result(&r, 1)->outcome, PROTO_SUCCEEDED);
	assert_int_equal(result(&r, 1)->exit, 0);
	assert_int_equal(result(&r, 1)->flags, PROTO_RESULT_STARTED);
	assert_int_equal(result(&r, 1)->output.kind, PROTO_VALUE_NONE);
	assert_true(result(&r, 1)->end_us >= result(&r, 1)->start_us);
	assert_true(result(&r, 1)->start_us > 0);
	assert_int_equal(result(&r, 2)->outcome, PROTO_FAILED);
	assert_int_equal(result(&r, 2)->class, PROTO_CLASS_AGENT);
	assert_int_equal(result(&r, 2)->reason, PROTO_REASON_EXIT);
	assert_int_equal(result(&r, 2)->exit, 3);
	assert_str(result(&r, 2)->error, "unit \"u2\": exit status 3");
	assert_string_equal(rig_output(&r, 2), "out");
	assert_string_equal(rig_tail(&r, 2), "out\nerr\n");
	assert_int_equal(result(&r, 3)->reason, PROTO_REASON_SIGNAL);
	assert_int_equal(result(&r, 3)->signal, 9);
	assert_int_equal(result(&r, 4)->class, PROTO_CLASS_CONFIG);
	assert_int_equal(result(&r, 4)->reason, PROTO_REASON_NOT_FOUND);
	assert_int_equal(result(&r, 4)->flags & PROTO_RESULT_STARTED, 0);
	assert_non_null(strstr(result(&r, 4)->error.at, "no-such-program-here"));
	assert_string_equal(rig_output(&r, 5), "two");
	rig_stop(&r, RIG_REMOVE);
}

static void noops_end_at_once_without_a_record_left(void **state)
{
	struct node_daemon_stats stats;
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	proto_spec_init(&s);
	s.agent_kind = PROTO_AGENT_NOOP;
	for (uint32_t i = 0; i < 5000; i++)
		rig_dispatch(&r, i, 1, &s, NULL);
	rig_wait_results(&r, 5000);
	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_equal(result(&r, i)->outcome, PROTO_SUCCEEDED);
		assert_int_equal(r.results[i].times, 1);
	}
	rig_turn(&r, 0);
	node_daemon_stats(r.d, &stats);
	assert_int_equal(stats.attempts, 0);
	assert_int_equal(stats.dispatched, 5000);
	assert_int_equal(stats.spawned, 0);
	rig_stop(&r, RIG_REMOVE);
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, line, n) == 0 && (at[n] == '\n' || at[n] == '\0'))
			return true;
	print_error("no line \"%s\" in:\n%s\n", line, text);
	return false;
}

static bool has_variable(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, name, n) == 0 && at[n] == '=')
			return true;
	return false;
}

static void plain_command_sees_its_environment_and_makes_no_file(void **state)
{
	struct proto_pair env[] = { { RV_STR("COLOR"), RV_STR("{blue}") } };
	struct proto_spec s;
	struct rig r;
	char path[512];
	const char *out;
	struct stat st;

	(void)state;
	rig_start(&r, NULL);
	s = shell("env; pwd; exit 1");
	s.env = env;
	s.env_count = 1;
	rig_dispatch(&r, 1, 4, &s, &(struct proto_dispatch){ .try_number = 2 });
	rig_wait_results(&r, 1);
	out = rig_tail(&r, 1);
	assert_true(has_line(out, "REEVE_UNIT_ID=u1"));
	assert_true(has_line(out, "REEVE_ATTEMPT=4"));
	assert_true(has_line(out, "REEVE_TRY=2"));
	assert_true(has_line(out, "REEVE_NODE=n1"));
	assert_true(has_line(out, "COLOR={blue}"));
	assert_true(has_line(out, "SECRET_TOKEN=shh"));
	assert_true(has_line(out, r.workspace));
	assert_true(has_variable(out, "REEVE_SESSION_ID"));
	assert_true(has_variable(out, "REEVE_WORKSPACE"));
	assert_true(has_variable(out, "REEVE_RUN_ID"));
	assert_false(has_variable(out, "REEVE_NAMESPACE"));
	assert_false(has_variable(out, "REEVE_ARTIFACTS"));
	assert_false(has_variable(out, "REEVE_PROMPT_FILE"));
	assert_false(has_variable(out, "REEVE_DEADLINE"));
	assert_false(has_variable(out, "REEVE_DEPS"));
	assert_true(stat(rig_path(&r, "ws/.reeve", path), &st) < 0);
	rig_stop(&r, RIG_REMOVE);
}

static void read_file(const struct rig *r, const char *below, struct rv_buf *out)
{
	struct rv_err err = { 0 };
	char path[512];

	rv_buf_reset(out);
	if (rv_file_read(rig_path(r, below, path), 1 << 20, out, &err) < 0)
		fail_msg("%s", err.msg);
}

static void find_namespace(const char *unit, uint32_t attempt, char out[256])
{
	struct rv_run_id run = rv_run_id_of(RIG_RUN);

	snprintf(out, 256, "ws/.reeve/runs/%s/units/%s/%u", run.text, unit, attempt);
}

/* compat_env: the names of another tool, beside ours and with the same values; what ours lack, they lack. */
static void a_foreign_workers_variables_stand_beside_ours(void **state)
{
	static const char *const with_namespace[] = { "RALPH_WORKER_NAMESPACE", "RALPH_WORKER_ARTIFACT_DIR", "RALPH_PARALLEL_WORKER_MANIFEST" };
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	s = shell("env; [ $RALPH_AGENT_LABEL_SCOPE = $REEVE_SESSION_ID ] && [ $RALPH_WORKER_ID = $REEVE_UNIT_ID ] && echo the same; exit 1");
	s.flags = PROTO_SPEC_RALPH_ENV;
	s.env = (struct proto_pair[]){ { RV_STR("RALPH_WORKER_ID"), RV_STR("not this") } };
	s.env_count = 1;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_results(&r, 1);
	assert_true(has_line(rig_tail(&r, 1), "the same"));
	assert_true(has_line(rig_tail(&r, 1), "RALPH_WORKER_ID=u1"));
	for (size_t i = 0; i < RV_ARRAY_LEN(with_namespace); i++)
		assert_false(has_variable(rig_tail(&r, 1), with_namespace[i]));
	assert_false(has_variable(rig_tail(&r, 1), "RALPH_MCP_ENDPOINT"));
	s = shell("[ $RALPH_AGENT_LABEL_SCOPE = $REEVE_SESSION_ID ] && [ $RALPH_WORKER_NAMESPACE = $REEVE_NAMESPACE ] && "
		  "[ $RALPH_WORKER_ARTIFACT_DIR = $REEVE_ARTIFACTS ] && [ $RALPH_PARALLEL_WORKER_MANIFEST = $REEVE_MANIFEST ] && echo the same; exit 1");
	s.flags = PROTO_SPEC_RALPH_ENV | PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 2);
	assert_string_equal(rig_tail(&r, 2), "the same\n");
	s = shell("env; exit 1");
	s.flags = PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 3, 1, &s, NULL);
	rig_wait_results(&r, 3);
	assert_null(strstr(rig_tail(&r, 3), "RALPH_"));
	rig_stop(&r, RIG_REMOVE);
}

static void agent_unit_sees_files_of_its_namespace(void **state)
{
	struct proto_dep deps[] = {
		{ .id = RV_STR("a"), .index = RV_MAP_NONE, .succeeded = true, .is_json = true, .unit_id = RV_STR("a"), .attempt = 1,
		  .output = { .kind = PROTO_VALUE_INLINE, .inline_bytes = RV_STR("{\"n\":7}") } },
		{ .id = RV_STR("b"), .index = RV_MAP_NONE, .succeeded = false, .unit_id = RV_STR("b") },
	};
	struct proto_dispatch with = { .deps = deps, .dep_count = 2, .item = RV_STR("{\"name\":\"x\"}") };
	struct rv_str dirs[] = { RV_STR("src"), RV_STR("doc") };
	struct proto_spec s;
	struct rv_buf text;
	struct rig r;
	char ns[256], path[512];
	const char *out;
	struct stat st;

	(void)state;
	rv_buf_init(&text, 0);
	rig_start(&r, NULL);
	/* what `a` left, so that there is something to link to */
	s = shell("echo data > $REEVE_ARTIFACTS/f; umask");
	s.flags = PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 0, 1, &s, &(struct proto_dispatch){ .unit_id = RV_STR("a") });
	rig_wait_results(&r, 1);
	s = shell("env; cat $REEVE_DEPS/a/f; test -w $TMPDIR && echo {prompt} > $REEVE_ARTIFACTS/p; ls -la $REEVE_DEPS/; exit 1");
	s.flags = PROTO_SPEC_NAMESPACE | PROTO_SPEC_AGENT_UNIT | PROTO_SPEC_NEEDS_DEPS | PROTO_SPEC_FILL_PROMPT | PROTO_SPEC_HAS_DIRS;
	s.prompt = RV_STR("go to {{city}} with {{_dep_a.n}} {{item.name}}");
	s.description = RV_STR("a trip");
	s.context = RV_STR("{\"city\":\"Rome\"}");
	s.dirs = dirs;
	s.dir_count = 2;
	s.timeout_us = 60 * RV_US_PER_S;
	s.x_keys = RV_STR("{\"x-id\":\"T-1\"}");
	rig_dispatch(&r, 1, 1, &s, &with);
	rig_wait_results(&r, 2);
	out = rig_tail(&r, 1);
	assert_false(has_variable(out, "SECRET_TOKEN"));
	assert_true(has_line(out, "data"));
	assert_true(has_line(out, "REEVE_ALLOWED_DIRS=src:doc"));
	assert_true(has_variable(out, "REEVE_DEADLINE"));
	assert_true(has_variable(out, "REEVE_OUTPUT_FILE"));
	assert_true(has_variable(out, "TMPDIR"));
	assert_str(result(&r, 1)->enforcement, "none");
	assert_int_equal(result(&r, 1)->artifact_count, 1);
	assert_str(result(&r, 1)->artifacts[0].name, "p");
	find_namespace("u1", 1, ns);
	snprintf(path, sizeof(path), "%s/artifacts/p", ns);
	read_file(&r, path, &text);
	assert_str(rv_buf_str(&text), "go to Rome with 7 x\n");
	snprintf(path, sizeof(path), "%s/prompt.txt", ns);
	read_file(&r, path, &text);
	assert_str(rv_buf_str(&text), "go to Rome with 7 x");
	snprintf(path, sizeof(path), "%s/context.json", ns);
	read_file(&r, path, &text);
	assert_str(rv_buf_str(&text), "{\"city\":\"Rome\",\"_dep_a\":{\"n\":7},\"_dep_b\":null,\"item\":{\"name\":\"x\"}}\n");
	snprintf(path, sizeof(path), "%s/manifest.json", ns);
	read_file(&r, path, &text);
	assert_non_null(strstr(text.at, "\"unit\":\"u1\",\"attempt\":1,"));
	assert_non_null(strstr(text.at, "\"directories\":[\"src\",\"doc\"]"));
	assert_non_null(strstr(text.at, "\"dependencies\":[{\"id\":\"a\",\"state\":\"succeeded\",\"attempt\":1},{\"id\":\"b\",\"state\":\"not_succeeded\"}]"));
	assert_non_null(strstr(text.at, ",\"x-id\":\"T-1\"}\n"));
	{
		char full[512];

		assert_int_equal(stat(rig_path(&r, path, full), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_int_equal(stat(rig_path(&r, ns, full), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0700);
		read_file(&r, "ws/.reeve/.gitignore", &text);
		assert_str(rv_buf_str(&text), "*\n");
	}
	rv_buf_release(&text);
	rig_stop(&r, RIG_REMOVE);
}

static void evidence_and_exit_both_count(void **state)
{
	struct rv_str globs[] = { RV_STR("*.md"), RV_STR("sub/**/x.txt") };
	struct proto_spec s;
	struct rig r;
	char ns[256];

	(void)state;
	rig_start(&r, NULL);
	s = shell("exit 0");
	s.flags = PROTO_SPEC_NAMESPACE;
	s.evidence_mode = PROTO_EVIDENCE_ARTIFACT_AND_EXIT;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s = shell("echo x > $REEVE_ARTIFACTS/a; exit 4");
	s.flags = PROTO_SPEC_NAMESPACE;
	s.evidence_mode = PROTO_EVIDENCE_ARTIFACT_AND_EXIT;
	rig_dispatch(&r, 2, 1, &s, NULL);
	s.evidence_mode = PROTO_EVIDENCE_ARTIFACT;
	rig_dispatch(&r, 3, 1, &s, NULL);
	s = shell("mkdir -p $REEVE_ARTIFACTS/sub/d; echo x > $REEVE_ARTIFACTS/sub/d/x.txt; echo y > $REEVE_ARTIFACTS/r.md");
	s.flags = PROTO_SPEC_NAMESPACE;
	s.evidence_globs = globs;
	s.evidence_glob_count = 2;
	rig_dispatch(&r, 4, 1, &s, NULL);
	s = shell("echo y > $REEVE_ARTIFACTS/r.md");
	s.flags = PROTO_SPEC_NAMESPACE;
	s.evidence_globs = globs;
	s.evidence_glob_count = 2;
	rig_dispatch(&r, 5, 1, &s, NULL);
	rig_wait_results(&r, 5);
	assert_int_equal(result(&r, 1)->class, PROTO_CLASS_EVIDENCE);
	assert_int_equal(result(&r, 1)->reason, PROTO_REASON_NO_ARTIFACT);
	find_namespace("u1", 1, ns);
	{
		char want[700];

		snprintf(want, sizeof(want), "unit \"u1\": exit 0 but no artifact in %s/%s/artifacts; have it write one there, or set evidence: exit", r.dir, ns);
		assert_str(result(&r, 1)->error, want);
	}
	assert_int_equal(result(&r, 2)->class, PROTO_CLASS_AGENT);
	assert_int_equal(result(&r, 3)->outcome, PROTO_SUCCEEDED);
	assert_int_equal(result(&r, 3)->exit, 4);
	assert_int_equal(result(&r, 4)->outcome, PROTO_SUCCEEDED);
	assert_int_equal(result(&r, 4)->artifact_count, 2);
	assert_str(result(&r, 4)->artifacts[0].name, "r.md");
	assert_str(result(&r, 4)->artifacts[1].name, "sub/d/x.txt");
	assert_int_equal(result(&r, 4)->artifacts[1].bytes, 2);
	{
		uint8_t digest[32];

		rv_digest(RV_STR("x\n"), digest);
		assert_memory_equal(digest, result(&r, 4)->artifacts[1].digest, 32);
	}
	assert_int_equal(result(&r, 5)->class, PROTO_CLASS_EVIDENCE);
	assert_non_null(strstr(result(&r, 5)->error.at, "matches \"sub/**/x.txt\""));
	rig_stop(&r, RIG_REMOVE);
}

static void outputs_json_text_and_large(void **state)
{
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	s = shell("echo '{\"a\": [1, 2]}' > $REEVE_OUTPUT_FILE; echo printed");
	s.flags = PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s = shell("echo not json");
	s.output_mode = PROTO_OUTPUT_JSON;
	rig_dispatch(&r, 2, 1, &s, NULL);
	s = shell("printf '```json\\n{\"ok\": true}\\n```\\n'");
	s.output_mode = PROTO_OUTPUT_JSON;
	rig_dispatch(&r, 3, 1, &s, NULL);
	s = shell("head -c 10000 /dev/zero | tr '\\0' x; echo; echo last");
	rig_dispatch(&r, 4, 1, &s, NULL);
	s = shell("echo first; head -c 10000 /dev/zero | tr '\\0' x"); /* a long last line */
	rig_dispatch(&r, 5, 1, &s, NULL);
	s = shell("printf '[\\n'; i=0; while [ $i -lt 2000 ]; do echo \"$i,\"; i=$((i+1)); done; echo '0]'");
	s.output_mode = PROTO_OUTPUT_JSON;
	rig_dispatch(&r, 6, 1, &s, NULL);
	s = shell("i=0; while [ $i -lt 30000 ]; do echo \"line $i\"; i=$((i+1)); done; exit 1");
	rig_dispatch(&r, 7, 1, &s, NULL);
	rig_wait_results(&r, 7);
	assert_string_equal(rig_output(&r, 1), "{\"a\":[1,2]}");
	assert_true(result(&r, 1)->flags & PROTO_RESULT_OUTPUT_JSON);
	assert_int_equal(result(&r, 2)->class, PROTO_CLASS_EVIDENCE);
	assert_int_equal(result(&r, 2)->reason, PROTO_REASON_OUTPUT_NOT_JSON);
	assert_non_null(strstr(result(&r, 2)->error.at, "not JSON"));
	assert_string_equal(rig_output(&r, 3), "{\"ok\":true}");
	assert_string_equal(rig_output(&r, 4), "last");
	assert_int_equal(result(&r, 5)->output.kind, PROTO_VALUE_BLOB);
	assert_int_equal(strlen(rig_output(&r, 5)), 10000);
	assert_int_equal(result(&r, 6)->outcome, PROTO_SUCCEEDED);
	assert_int_equal(strncmp(rig_output(&r, 6), "[0,1,2,", 7), 0);
	assert_int_equal(result(&r, 7)->tail.blob_bytes, 64 << 10);
	assert_non_null(strstr(rig_tail(&r, 7), "line 29999\n"));
	rig_stop(&r, RIG_REMOVE);
}

static void timeouts_say_which(void **state)
{
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .slots = 8 });
	s = shell("sleep 60");
	s.timeout_us = 200000;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s = shell("echo hi; sleep 60");
	s.idle_timeout_us = 300000;
	rig_dispatch(&r, 2, 1, &s, NULL);
	s = shell("sleep 60");
	s.start_timeout_us = 200000;
	rig_dispatch(&r, 3, 1, &s, NULL);
	rig_wait_results(&r, 3);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(result(&r, i)->class, PROTO_CLASS_TIMEOUT);
	assert_int_equal(result(&r, 1)->reason, PROTO_REASON_TIMEOUT);
	assert_str(result(&r, 1)->error, "unit \"u1\": ran longer than timeout_s (0.2)");
	assert_int_equal(result(&r, 2)->reason, PROTO_REASON_IDLE_TIMEOUT);
	assert_int_equal(result(&r, 3)->reason, PROTO_REASON_START_TIMEOUT);
	rig_stop(&r, RIG_REMOVE);
}

static void cancel_kills_what_runs_and_drops_what_waits(void **state)
{
	struct proto_msg cancel = { .kind = PROTO_CANCEL };
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .slots = 1 });
	s = shell("trap '' TERM; echo up; sleep 60 & wait; sleep 60");
	s.grace_us = 100000;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 1);
	for (uint32_t unit = 1; unit <= 3; unit++) {
		cancel.cancel = (struct proto_cancel){ .key = rig_key(unit, 1), .epoch = RIG_EPOCH, .grace_us = RV_NEVER, .reason = PROTO_REASON_FAIL_FAST };
		rig_message(&r, &cancel);
	}
	rig_wait_results(&r, 2);
	for (uint32_t unit = 1; unit <= 2; unit++) {
		assert_int_equal(result(&r, unit)->outcome, PROTO_CANCELLED);
		assert_int_equal(result(&r, unit)->reason, PROTO_REASON_FAIL_FAST);
	}
	assert_true(result(&r, 1)->flags & PROTO_RESULT_STARTED);
	assert_false(result(&r, 2)->flags & PROTO_RESULT_STARTED);
	rig_wait_count(&r, &r.not_here, 1);
	rig_stop(&r, RIG_REMOVE);
}

static void retract_takes_back_what_has_not_begun(void **state)
{
	struct proto_msg retract = { .kind = PROTO_RETRACT };
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .slots = 1 });
	s = shell("read x < fifo || sleep 0.3");
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 1);
	retract.retract = rig_key(2, 1);
	rig_message(&r, &retract);
	retract.retract = rig_key(1, 1);
	rig_message(&r, &retract);
	rig_wait_count(&r, &r.retracted, 1);
	rig_wait_count(&r, &r.already_started, 1);
	rig_wait_results(&r, 1);
	assert_int_equal(r.results[2].times, 0);
	rig_stop(&r, RIG_REMOVE);
}

/* It takes no result to keep a node busy that has more to do. */
static void successes_that_nothing_waits_for_gather(void **state)
{
	struct proto_dispatch with = { .flags = PROTO_DISPATCH_NO_HURRY };
	struct proto_spec s;
	struct rig r;
	char path[512], script[600];

	(void)state;
	rig_start(&r, &(struct rig_options){ .mode = NODE_MODE_NODE, .slots = 1 });
	s = shell("exit 0");
	s.flags = PROTO_SPEC_NO_WORKSPACE;
	rig_dispatch(&r, 1, 1, &s, &with);
	(void)snprintf(script, sizeof(script), "until [ -e '%s' ]; do sleep 0.01; done", rig_path(&r, "go", path));
	s = shell(script);
	s.flags = PROTO_SPEC_NO_WORKSPACE;
	rig_dispatch(&r, 2, 1, &s, &with);
	rig_dispatch(&r, 3, 1, &s, &with);
	rig_wait_results(&r, 1);
	assert_true(rv_clock_realtime_us() >= result(&r, 1)->end_us + RV_GATHER_US);
	assert_int_equal(r.results[2].times, 0);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	rig_wait_results(&r, 3);
	assert_int_equal(r.results[1].times, 1);
	rig_stop(&r, RIG_REMOVE);
}

static void mocks_answer_fail_and_hand_over(void **state)
{
	struct proto_spec s;
	struct rig r;
	char prompt[200];

	(void)state;
	rig_start(&r, NULL);
	proto_spec_init(&s);
	s.agent_kind = PROTO_AGENT_MOCK;
	s.agent = RV_STR("coder");
	s.cpus = 0;
	s.flags = PROTO_SPEC_AGENT_UNIT | PROTO_SPEC_NAMESPACE | PROTO_SPEC_FILL_PROMPT;
	memset(prompt, 'p', sizeof(prompt));
	memcpy(prompt, "do {{what}}: \xc3\xa9", 15);
	s.prompt = rv_str(prompt, sizeof(prompt));
	s.context = RV_STR("{\"what\":\"it\"}");
	s.mock_delay_us = 50000;
	s.mock_fail = 1;
	s.evidence_mode = PROTO_EVIDENCE_ARTIFACT_AND_EXIT;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_dispatch(&r, 2, 2, &s, NULL);
	s.mock_fail = 0;
	s.mock_output = RV_STR("{\"score\":3}");
	s.output_mode = PROTO_OUTPUT_JSON;
	rig_dispatch(&r, 3, 1, &s, NULL);
	s.mock_output = RV_STR("no json");
	rig_dispatch(&r, 4, 1, &s, NULL);
	s.mock_output = RV_STR("");
	s.prompt = RV_STR("{{unknown}}"); /* it may be in an output that was only mocked */
	rig_dispatch(&r, 5, 1, &s, NULL);
	s.mock_output = RV_STR("no json");
	s.prompt = RV_STR("p");
	s.mock_delay_us = 0;
	s.flags &= ~(uint32_t)PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 6, 1, &s, NULL);
	rig_wait_results(&r, 6);
	assert_int_equal(result(&r, 1)->class, PROTO_CLASS_AGENT);
	assert_int_equal(result(&r, 1)->reason, PROTO_REASON_MOCK);
	assert_int_equal(result(&r, 2)->outcome, PROTO_SUCCEEDED);
	assert_int_equal(result(&r, 2)->artifact_count, 1);
	assert_true(result(&r, 2)->duration_us >= 50000);
	assert_int_equal(strncmp(rig_output(&r, 2), "[coder] processed: do it: \xc3\xa9ppp", 31), 0);
	assert_int_equal(strlen(rig_output(&r, 2)), strlen("[coder] processed: ") + 81);
	assert_string_equal(rig_output(&r, 3), "{\"score\":3}");
	assert_true(result(&r, 3)->flags & PROTO_RESULT_OUTPUT_JSON);
	assert_int_equal(result(&r, 4)->reason, PROTO_REASON_OUTPUT_NOT_JSON);
	assert_int_equal(result(&r, 5)->outcome, PROTO_SUCCEEDED);
	assert_true(result(&r, 5)->flags & PROTO_RESULT_OUTPUT_JSON);
	assert_int_equal(strncmp(rig_output(&r, 5), "\"[coder] processed: ", 20), 0);
	assert_int_equal(result(&r, 6)->class, PROTO_CLASS_EVIDENCE);
	rig_stop(&r, RIG_REMOVE);
}

static void the_next_try_knows_of_the_last(void **state)
{
	struct proto_spec s;
	struct rv_buf text;
	struct rig r;
	char ns[256], path[512];

	(void)state;
	rv_buf_init(&text, 0);
	rig_start(&r, NULL);
	s = shell("echo first try; echo x > $REEVE_ARTIFACTS/x; exit 3");
	s.flags = PROTO_SPEC_AGENT_UNIT | PROTO_SPEC_NAMESPACE | PROTO_SPEC_FILL_PROMPT;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_results(&r, 1);
	s = shell("exit 0");
	s.flags = PROTO_SPEC_AGENT_UNIT | PROTO_SPEC_NAMESPACE | PROTO_SPEC_FILL_PROMPT;
	s.prompt = RV_STR("last time: {{_prev.0.exit}} {{_prev.0.output}}");
	rig_dispatch(&r, 1, 2, &s, NULL);
	rig_wait_count(&r, &r.results[1].times, 2);
	find_namespace("u1", 2, ns);
	snprintf(path, sizeof(path), "%s/prompt.txt", ns);
	read_file(&r, path, &text);
	assert_str(rv_buf_str(&text), "last time: 3 first try\n");
	snprintf(path, sizeof(path), "%s/context.json", ns);
	read_file(&r, path, &text);
	assert_non_null(strstr(text.at, "{\"_prev\":[{\"attempt\":1,\"try\":1,\"class\":\"agent\",\"reason\":\"exit\",\"exit\":3,"));
	assert_non_null(strstr(text.at, "/1/artifacts\"}]"));
	rv_buf_release(&text);
	rig_stop(&r, RIG_REMOVE);
}

static void rate_limits_are_a_class_of_their_own(void **state)
{
	int32_t codes[] = { 75 };
	struct rv_str patterns[] = { RV_STR("Rate Limit") };
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	for (uint32_t i = 1; i <= 3; i++) {
		static const char *const scripts[] = { NULL, "exit 75", "echo '429: RATE limit reached' >&2; exit 1", "echo fine; exit 1" };

		s = shell(scripts[i]);
		s.rate_limit_exit_codes = codes;
		s.rate_limit_exit_code_count = 1;
		s.rate_limit_patterns = patterns;
		s.rate_limit_pattern_count = 1;
		rig_dispatch(&r, i, 1, &s, NULL);
	}
	rig_wait_results(&r, 3);
	assert_int_equal(result(&r, 1)->class, PROTO_CLASS_RATE_LIMITED);
	assert_int_equal(result(&r, 2)->class, PROTO_CLASS_RATE_LIMITED);
	assert_int_equal(result(&r, 3)->class, PROTO_CLASS_AGENT);
	rig_stop(&r, RIG_REMOVE);
}

static void unknown_key_in_a_command_is_config(void **state)
{
	const char *argv[] = { "echo", "{{nope}}", NULL };
	struct proto_spec s = rig_command(room, argv);
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	s.flags = PROTO_SPEC_TEMPLATED;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s.flags = 0; /* template: off */
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 2);
	assert_int_equal(result(&r, 1)->class, PROTO_CLASS_CONFIG);
	assert_int_equal(result(&r, 1)->reason, PROTO_REASON_TEMPLATE);
	assert_non_null(strstr(result(&r, 1)->error.at, "nope"));
	assert_string_equal(rig_output(&r, 2), "{{nope}}");
	rig_stop(&r, RIG_REMOVE);
}

static void resources_are_held_by_number(void **state)
{
	struct proto_pair two[] = { { RV_STR("gpus"), RV_STR("2") }, { RV_STR("memory_mb"), RV_STR("100") } }, one[] = { { RV_STR("gpus"), RV_STR("1") } };
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .gpus = 3 });
	s = shell("echo $REEVE_RESOURCE_gpus $CUDA_VISIBLE_DEVICES $ROCR_VISIBLE_DEVICES $REEVE_RESOURCE_memory_mb $REEVE_RESOURCE_cpus");
	s.resources = two;
	s.resource_count = 2;
	s.memory_bytes = 100 << 20;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s.resources = one;
	s.resource_count = 1;
	rig_dispatch(&r, 2, 1, &s, NULL);
	s = shell("echo \"${CUDA_VISIBLE_DEVICES-unset}|\"");
	rig_dispatch(&r, 3, 1, &s, NULL);
	rig_wait_results(&r, 3);
	assert_string_equal(rig_output(&r, 1), "0,1 0,1 0,1 100 1");
	assert_str(result(&r, 1)->limits, "none");
	assert_string_equal(rig_output(&r, 2), "2 2 2 1");
	assert_string_equal(rig_output(&r, 3), "|");
	s = shell("echo $REEVE_RESOURCE_gpus");
	s.resources = two;
	s.resource_count = 1;
	rig_dispatch(&r, 4, 1, &s, NULL);
	rig_wait_results(&r, 4);
	assert_string_equal(rig_output(&r, 4), "0,1"); /* they came back */
	rig_stop(&r, RIG_REMOVE);
}

static void where_units_run(void **state)
{
	struct proto_spec s;
	struct rig r;
	char want[512];

	(void)state;
	rig_start(&r, NULL);
	assert_int_equal(mkdir(rig_path(&r, "ws/sub", want), 0755), 0);
	s = shell("pwd");
	s.cwd = RV_STR("sub");
	rig_dispatch(&r, 1, 1, &s, NULL);
	s.flags = PROTO_SPEC_TEMPLATED;
	s.context = RV_STR("{\"d\":\"sub\",\"up\":\"a/../../b\"}");
	s.cwd = RV_STR("{{d}}");
	rig_dispatch(&r, 2, 1, &s, NULL);
	s.cwd = RV_STR("{{up}}");
	rig_dispatch(&r, 3, 1, &s, NULL);
	s.cwd = RV_STR("missing");
	rig_dispatch(&r, 4, 1, &s, NULL);
	rig_wait_results(&r, 4);
	assert_string_equal(rig_output(&r, 1), rig_path(&r, "ws/sub", want));
	assert_string_equal(rig_output(&r, 2), want);
	assert_int_equal(result(&r, 3)->reason, PROTO_REASON_TEMPLATE);
	assert_int_equal(result(&r, 4)->class, PROTO_CLASS_ENVIRONMENT);
	assert_int_equal(result(&r, 4)->reason, PROTO_REASON_WORKSPACE);
	assert_non_null(strstr(result(&r, 4)->error.at, "ws/missing"));
	rig_stop(&r, RIG_REMOVE);
}

static void where_units_of_mode_none_run(void **state)
{
	struct proto_spec s;
	struct rig r;
	char want[512];

	(void)state;
	/* `run`: the plan's directory */
	rig_start(&r, &(struct rig_options){ .plan_dir = "/usr" });
	s = shell("pwd; echo ${REEVE_WORKSPACE-unset} >&2; exit 1");
	s.flags = PROTO_SPEC_NO_WORKSPACE;
	s.cwd = RV_STR("bin");
	rig_dispatch(&r, 1, 1, &s, NULL);
	s.cwd = RV_STR("/etc");
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 2);
	assert_string_equal(rig_tail(&r, 1), "/usr/bin\nunset\n");
	assert_string_equal(rig_tail(&r, 2), "/etc\nunset\n");
	rig_stop(&r, RIG_REMOVE);
	/* a node: its namespace, else one directory of the run */
	rig_start(&r, &(struct rig_options){ .mode = NODE_MODE_NODE });
	s = shell("pwd");
	s.flags = PROTO_SPEC_NO_WORKSPACE;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s.flags |= PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 2);
	snprintf(want, sizeof(want), "%s/ws/.reeve/runs/%s/cwd", r.dir, rv_run_id_of(RIG_RUN).text);
	assert_string_equal(rig_output(&r, 1), want);
	snprintf(want, sizeof(want), "%s/ws/.reeve/runs/%s/units/u2/1", r.dir, rv_run_id_of(RIG_RUN).text);
	assert_string_equal(rig_output(&r, 2), want);
	rig_stop(&r, RIG_REMOVE);
}

static void a_place_without_its_file_stays_as_written(void **state)
{
	const char *argv[] = { "echo", "{prompt}|{unit_id}|{item}|{model}|{namespace}|{workspace}|{print $1}|{prompt_file}", NULL };
	struct proto_spec s = rig_command(room, argv);
	struct proto_dispatch with = { .item = RV_STR("\"it's\"") };
	struct rig r;
	char want[600];

	(void)state;
	rig_start(&r, NULL);
	s.prompt = RV_STR("{unit_id} {{x}}"); /* what is filled in is not filled again */
	s.model = RV_STR("m1");
	rig_dispatch(&r, 1, 1, &s, &with);
	rig_wait_results(&r, 1);
	snprintf(want, sizeof(want), "{unit_id} {{x}}|u1|it's|m1|{namespace}|%s|{print $1}|{prompt_file}", r.workspace);
	assert_string_equal(rig_output(&r, 1), want);
	rig_stop(&r, RIG_REMOVE);
}

static void no_namespace_can_be_made(void **state)
{
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .namespace_root = "/proc/nowhere" });
	s = shell("true");
	s.flags = PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_results(&r, 1);
	assert_int_equal(result(&r, 1)->class, PROTO_CLASS_ENVIRONMENT);
	assert_int_equal(result(&r, 1)->reason, PROTO_REASON_WORKSPACE);
	rig_stop(&r, RIG_REMOVE);
}

static void large_artifacts_hold_up_nobody(void **state)
{
	struct proto_spec s;
	struct rig r;
	uint8_t digest[32];
	struct rv_digest_state sum;
	static char zeros[1 << 20];

	(void)state;
	rig_start(&r, NULL);
	s = shell("head -c 50000000 /dev/zero > $REEVE_ARTIFACTS/big; echo done");
	s.flags = PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_results(&r, 1);
	rv_digest_begin(&sum);
	for (int i = 0; i < 50; i++)
		rv_digest_add(&sum, rv_str(zeros, 1000000));
	rv_digest_end(&sum, digest);
	assert_int_equal(result(&r, 1)->artifacts[0].bytes, 50000000);
	assert_memory_equal(result(&r, 1)->artifacts[0].digest, digest, 32);
	assert_string_equal(rig_output(&r, 1), "done");
	rig_stop(&r, RIG_REMOVE);
}

static void what_is_too_large_for_a_frame_is_fetched(void **state)
{
	static char big[300000];
	struct proto_dep deps[2] = {
		{ .id = RV_STR("big"), .index = RV_MAP_NONE, .succeeded = true, .unit_id = RV_STR("big"),
		  .output = { .kind = PROTO_VALUE_BLOB, .blob_bytes = sizeof(big) } },
		{ .id = RV_STR("mid"), .index = RV_MAP_NONE, .succeeded = true, .unit_id = RV_STR("mid"),
		  .output = { .kind = PROTO_VALUE_BLOB, .blob_bytes = 5000 } },
	};
	struct proto_dispatch with = { .deps_blob = { .kind = PROTO_VALUE_BLOB } };
	struct rv_buf bytes, text;
	struct proto_spec s;
	struct rig r;
	char ns[256], path[512];

	(void)state;
	rv_buf_init(&bytes, 0);
	rv_buf_init(&text, 0);
	memset(big, 'b', sizeof(big));
	rig_start(&r, NULL);
	assert_int_equal(rv_blobs_put(&r.blobs, rv_str(big, sizeof(big)), deps[0].output.digest, NULL), 0);
	assert_int_equal(rv_blobs_put(&r.blobs, rv_str(big, 5000), deps[1].output.digest, NULL), 0);
	assert_int_equal(proto_deps_encode(deps, 2, &bytes), 0);
	with.deps_blob.blob_bytes = bytes.bytes;
	assert_int_equal(rv_blobs_put(&r.blobs, rv_buf_str(&bytes), with.deps_blob.digest, NULL), 0);
	r.spec_as_blob = true;
	s = shell("echo ${#MID}; cat $BIG | wc -c");
	s.flags = PROTO_SPEC_NAMESPACE | PROTO_SPEC_TEMPLATED | PROTO_SPEC_NEEDS_DEPS;
	s.env = (struct proto_pair[]){ { RV_STR("MID"), RV_STR("{{_dep_mid}}") }, { RV_STR("BIG"), RV_STR("{{_dep_big.$artifact}}") } };
	s.env_count = 2;
	s.keep_logs = PROTO_LOGS_ALL;
	rig_dispatch(&r, 1, 1, &s, &with);
	rig_dispatch(&r, 2, 1, &s, &with);
	rig_wait_results(&r, 2);
	assert_string_equal(rig_tail(&r, 1), "5000\n300000\n");
	assert_string_equal(rig_tail(&r, 2), "5000\n300000\n");
	find_namespace("u1", 1, ns);
	snprintf(path, sizeof(path), "%s/context.json", ns);
	read_file(&r, path, &text);
	assert_non_null(strstr(text.at, "{\"_dep_big\":{\"$artifact\":\""));
	/* bytes that are not there, bytes that are no spec */
	with.deps_blob.digest[0] ^= 1;
	rig_dispatch(&r, 3, 1, &s, &with);
	r.spec_as_blob = false;
	rig_wait_results(&r, 3);
	assert_int_equal(result(&r, 3)->class, PROTO_CLASS_ENVIRONMENT);
	{
		struct proto_msg m = { .kind = PROTO_DISPATCH };

		m.dispatch = (struct proto_dispatch){ .key = rig_key(4, 1), .epoch = RIG_EPOCH, .try_number = 1, .lease_us = 1000000, .unit_id = RV_STR("u4"),
						      .spec = RV_STR("\x91\x01") };
		rig_message(&r, &m);
	}
	rig_wait_results(&r, 4);
	assert_int_equal(result(&r, 4)->class, PROTO_CLASS_ENVIRONMENT);
	assert_false(result(&r, 4)->flags & PROTO_RESULT_STARTED);
	rv_buf_release(&bytes);
	rv_buf_release(&text);
	rig_stop(&r, RIG_REMOVE);
}

static void a_new_warden_takes_over(void **state)
{
	struct warden_options w = { 0 };
	struct rv_err err = { 0 };
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	s = shell("sleep 60");
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 1);
	assert_int_equal(kill(r.warden.pid, SIGKILL), 0);
	rig_wait_results(&r, 1);
	assert_int_equal(result(&r, 1)->reason, PROTO_REASON_WARDEN_LOST);
	assert_non_null(strstr(result(&r, 1)->error.at, "died"));
	warden_client_close(&r.warden, WARDEN_CLOSE_WAIT);
	assert_int_equal(warden_start(&r.warden, &w, &err), 0);
	node_daemon_set_warden(r.d, &r.warden, rv_clock_boottime_us());
	r.warden_gone = false;
	s = shell("echo again");
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 2);
	assert_string_equal(rig_output(&r, 2), "again");
	rig_stop(&r, RIG_REMOVE);
}

static void a_lease_that_is_over_freezes(void **state)
{
	struct proto_spec s;
	struct rig r;
	uint64_t until;
	char path[512];
	struct stat st;

	(void)state;
	rig_start(&r, NULL);
	r.lease_us = 300000;
	r.hold_heartbeats = true;
	s = shell("until [ -e go ]; do sleep 0.01; done; echo went");
	s.flags = PROTO_SPEC_EXCLUSIVE;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 1);
	until = rv_clock_monotonic_us() + 600000; /* past its lease */
	while (rv_clock_monotonic_us() < until)
		rig_turn(&r, 20000);
	close(open(rig_path(&r, "ws/go", path), O_CREAT | O_WRONLY, 0600));
	until = rv_clock_monotonic_us() + 300000;
	while (rv_clock_monotonic_us() < until)
		rig_turn(&r, 20000);
	assert_int_equal(r.result_count, 0); /* it stands still */
	node_daemon_disconnected(r.d, rv_clock_boottime_us());
	node_daemon_connected(r.d, rv_clock_boottime_us()); /* verdict: keep */
	r.hold_heartbeats = false;
	rig_wait_results(&r, 1);
	assert_string_equal(rig_output(&r, 1), "went");
	assert_int_equal(stat(path, &st), 0);
	rig_stop(&r, RIG_REMOVE);
}

static void much_output_of_a_namespace(void **state)
{
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	s = shell("i=0; while [ $i -lt 20000 ]; do echo \"line $i\"; i=$((i+1)); done; echo oops >&2; exit 1");
	s.flags = PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s = shell("head -c 9000 /dev/zero | tr '\\0' z");
	s.flags = PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 2);
	assert_int_equal(result(&r, 1)->tail.blob_bytes, 64 << 10);
	assert_non_null(strstr(rig_tail(&r, 1), "line 19999\noops\n"));
	assert_string_equal(rig_output(&r, 1), "line 19999");
	assert_int_equal(strlen(rig_output(&r, 2)), 9000);
	rig_stop(&r, RIG_REMOVE);
}

static void killed_just_after_it_ended(void **state)
{
	struct proto_msg cancel = { .kind = PROTO_CANCEL };
	struct proto_spec s;
	struct pollfd p;
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	s = shell("head -c 50000000 /dev/zero > $REEVE_ARTIFACTS/big");
	s.flags = PROTO_SPEC_NAMESPACE;
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 1);
	p = (struct pollfd){ .fd = r.warden.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 20000), 1); /* its EXITED is there, unread; the warden knows it no more */
	cancel.cancel = (struct proto_cancel){ .key = rig_key(1, 1), .epoch = RIG_EPOCH, .grace_us = RV_NEVER, .reason = PROTO_REASON_CANCELLED };
	rig_message(&r, &cancel);
	rig_wait_results(&r, 1);
	assert_int_equal(result(&r, 1)->outcome, PROTO_SUCCEEDED); /* it had done its work */
	rig_stop(&r, RIG_REMOVE);
}

static void live_output_comes_as_it_is_printed(void **state)
{
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .output = true });
	s = shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; i=$((i+1)); done");
	rig_dispatch(&r, 1, 1, &s, NULL);
	rig_wait_results(&r, 1);
	assert_int_equal(r.printed.bytes, 20000 * 71);
	rig_stop(&r, RIG_REMOVE);
}

static void without_a_warden_only_processes_fail(void **state)
{
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .no_warden = true });
	proto_spec_init(&s);
	s.agent_kind = PROTO_AGENT_NOOP;
	rig_dispatch(&r, 1, 1, &s, NULL);
	s = shell("true");
	rig_dispatch(&r, 2, 1, &s, NULL);
	rig_wait_results(&r, 2);
	assert_int_equal(result(&r, 1)->outcome, PROTO_SUCCEEDED);
	assert_int_equal(result(&r, 2)->reason, PROTO_REASON_WARDEN_LOST);
	rig_stop(&r, RIG_REMOVE);
}

static void a_killed_warden_ends_its_units(void **state)
{
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .slots = 4 });
	s = shell("sleep 60");
	for (uint32_t i = 0; i < 6; i++)
		rig_dispatch(&r, i, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 4);
	assert_int_equal(kill(r.warden.pid, SIGKILL), 0);
	rig_wait_results(&r, 6);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(result(&r, i)->class, PROTO_CLASS_ENVIRONMENT);
		assert_int_equal(result(&r, i)->reason, PROTO_REASON_WARDEN_LOST);
	}
	rig_stop(&r, RIG_REMOVE);
}

static void stopping_ends_everything_and_says_bye(void **state)
{
	struct proto_spec s;
	struct rig r;

	(void)state;
	rig_start(&r, &(struct rig_options){ .slots = 2 });
	s = shell("sleep 60");
	for (uint32_t i = 0; i < 4; i++)
		rig_dispatch(&r, i, 1, &s, NULL);
	rig_wait_count(&r, &r.started, 2);
	node_daemon_stop(r.d, RV_NEVER, PROTO_REASON_INTERRUPTED, r.deadline_us);
	while (!node_daemon_stopped(r.d))
		rig_turn(&r, 100000);
	assert_true(r.bye);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(result(&r, i)->reason, PROTO_REASON_INTERRUPTED);
	rig_stop(&r, RIG_REMOVE);
}

static void a_bad_frame_is_counted_and_nothing_else(void **state)
{
	struct node_daemon_stats stats;
	struct rv_err err = { 0 };
	struct rig r;

	(void)state;
	rig_start(&r, NULL);
	assert_int_equal(node_daemon_on_frame(r.d, RV_STR("\xdd\x20\x00\x00\x00"), 1, &err), -1);
	assert_int_equal(node_daemon_on_frame(r.d, RV_STR(""), 1, &err), -1);
	node_daemon_stats(r.d, &stats);
	assert_int_equal(stats.frames_bad, 2);
	rig_stop(&r, RIG_REMOVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_become_results),
		cmocka_unit_test(noops_end_at_once_without_a_record_left),
		cmocka_unit_test(plain_command_sees_its_environment_and_makes_no_file),
		cmocka_unit_test(a_foreign_workers_variables_stand_beside_ours),
		cmocka_unit_test(agent_unit_sees_files_of_its_namespace),
		cmocka_unit_test(evidence_and_exit_both_count),
		cmocka_unit_test(outputs_json_text_and_large),
		cmocka_unit_test(timeouts_say_which),
		cmocka_unit_test(cancel_kills_what_runs_and_drops_what_waits),
		cmocka_unit_test(retract_takes_back_what_has_not_begun),
		cmocka_unit_test(successes_that_nothing_waits_for_gather),
		cmocka_unit_test(mocks_answer_fail_and_hand_over),
		cmocka_unit_test(the_next_try_knows_of_the_last),
		cmocka_unit_test(rate_limits_are_a_class_of_their_own),
		cmocka_unit_test(unknown_key_in_a_command_is_config),
		cmocka_unit_test(resources_are_held_by_number),
		cmocka_unit_test(where_units_run),
		cmocka_unit_test(where_units_of_mode_none_run),
		cmocka_unit_test(a_place_without_its_file_stays_as_written),
		cmocka_unit_test(no_namespace_can_be_made),
		cmocka_unit_test(large_artifacts_hold_up_nobody),
		cmocka_unit_test(what_is_too_large_for_a_frame_is_fetched),
		cmocka_unit_test(a_new_warden_takes_over),
		cmocka_unit_test(a_lease_that_is_over_freezes),
		cmocka_unit_test(much_output_of_a_namespace),
		cmocka_unit_test(killed_just_after_it_ended),
		cmocka_unit_test(live_output_comes_as_it_is_printed),
		cmocka_unit_test(without_a_warden_only_processes_fail),
		cmocka_unit_test(a_killed_warden_ends_its_units),
		cmocka_unit_test(stopping_ends_everything_and_says_bye),
		cmocka_unit_test(a_bad_frame_is_counted_and_nothing_else),
	};

	return RUN(tests);
}
