/* test_plan_import.c - instances of WfFormat, work units and agent maps become plans; what does not is told with its place */
#include "tests/lib/plan_case.h"

#include "common/limits.h"
#include "common/plan/import.h"

#include <stdio.h>
#include <stdlib.h>

static int import(plan_import_fn *fn, const char *text, struct plan_import *how, struct rv_buf *out, struct rv_err *err)
{
	how->name = "dir/my file.json";
	if (!how->scaled && how->scale == 0)
		how->scale = 1;
	*err = (struct rv_err){ 0 };
	rv_buf_init(out, 0);
	return fn(rv_str_of(text), how, out, err);
}

/* The plan that comes of it, loaded as `check` does. */
static void import_fine(plan_import_fn *fn, const char *text, struct plan_import how, struct plan_case *c)
{
	struct rv_err err;
	struct rv_buf b;

	if (import(fn, text, &how, &b, &err))
		fail_msg("%s", err.msg);
	if (plan_case_load(c, b.at, PLAN_FORMAT_JSON) != 0) {
		plan_case_show(c);
		fail_msg("%s", b.at);
	}
	rv_buf_release(&b);
}

struct refusal {
	const char *text, *says; /* the message holds it */
};

static void all_refused(plan_import_fn *fn, struct plan_import how, const struct refusal *r, size_t count)
{
	struct rv_err err;
	struct rv_buf b;
	size_t i;

	for (i = 0; i < count; i++) {
		if (import(fn, r[i].text, &how, &b, &err) == 0)
			fail_msg("taken: %s", r[i].text);
		if (!strstr(err.msg, r[i].says))
			fail_msg("%s\n gives: %s", r[i].text, err.msg);
		assert_int_equal(err.code, RV_E_PLAN);
		rv_buf_release(&b);
	}
}

#define WF(version, workflow) "{\"name\":\"wf one\",\"schemaVersion\":\"" version "\",\"workflow\":" workflow "}"

static const char *const wf_new = WF("1.5",
	"{\"specification\":{\"tasks\":["
	"{\"name\":\"split\",\"id\":\"split#1\",\"parents\":[],\"children\":[\"a/1\",\"a/2\"]},"
	"{\"name\":\"a\",\"id\":\"a/1\",\"parents\":[\"split#1\"],\"children\":[]},"
	"{\"name\":\"a\",\"id\":\"a/2\",\"parents\":[],\"children\":[\"a/1\"]}]},"
	"\"execution\":{\"makespanInSeconds\":9,\"executedAt\":\"x\",\"tasks\":["
	"{\"id\":\"a/1\",\"runtimeInSeconds\":2.5,\"command\":{\"program\":\"awk\",\"arguments\":[\"{{print}}\",\"x\"]},\"coreCount\":1.5,\"priority\":5000},"
	"{\"id\":\"split#1\",\"runtimeInSeconds\":1,\"command\":{\"program\":\"split\"}},"
	"{\"id\":\"a/2\",\"runtimeInSeconds\":0,\"command\":{\"program\":\"a\",\"arguments\":[]},\"coreCount\":64}]}}");

static const char *const wf_old = WF("1.4",
	"{\"makespanInSeconds\":9,\"executedAt\":\"x\",\"tasks\":["
	"{\"name\":\"split\",\"id\":\"ID1\",\"parents\":[],\"children\":[\"a_ID2\"],\"runtimeInSeconds\":1,\"cores\":2,\"command\":{\"program\":\"split\",\"arguments\":[\"-n\"]}},"
	"{\"name\":\"a_ID2\",\"id\":\"ID2\",\"parents\":[\"split\"],\"runtimeInSeconds\":3,\"command\":{\"program\":\"a\"}},"
	"{\"name\":\"lone\",\"parents\":[\"ID2\"],\"command\":{\"program\":\"b\"}}]}");

static void wfformat_gives_commands_and_estimates(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	import_fine(plan_import_wfformat, wf_new, (struct plan_import){ .max_cores = 8 }, &c);
	assert_str(c.plan->name, "wf-one");
	assert_int_equal(c.plan->unit_count, 3);
	assert_str(c.plan->units[0].id, "split_1");
	assert_str(c.plan->units[0].extra, "{\"x-id\":\"split#1\"}");
	assert_int_equal(c.plan->units[0].estimate_us, 1000000);
	assert_int_equal(c.plan->units[0].command->count, 1);
	/* said at both ends, at the parent's alone, at the child's alone: an edge once */
	assert_int_equal(c.plan->units[1].dep_count, 2);
	assert_int_equal(c.plan->units[2].dep_count, 1);
	assert_int_equal(c.plan->units[1].command->count, 3);
	assert_string_equal(c.plan->units[1].command->arg[1], "{{{{print}}");
	assert_int_equal(c.plan->units[1].settings->slots, 2);
	assert_int_equal(c.plan->units[1].settings->priority, 1000);
	assert_int_equal(c.plan->units[2].settings->slots, 8);
	plan_case_release(&c);

	import_fine(plan_import_wfformat, wf_old, (struct plan_import){ 0 }, &c);
	assert_str(c.plan->units[0].id, "split_ID1");
	assert_str(c.plan->units[1].id, "a_ID2");
	assert_int_equal(c.plan->units[0].settings->slots, 2);
	assert_int_equal(c.plan->units[1].dep_count, 1);
	assert_int_equal(c.plan->units[2].dep_count, 1);
	assert_int_equal(c.plan->units[2].estimate_us, PLAN_ESTIMATE_NONE);
	plan_case_release(&c);
}

static void wfformat_sleeps_when_scaled(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	import_fine(plan_import_wfformat, wf_new, (struct plan_import){ .scaled = true, .scale = 0.1 }, &c);
	assert_string_equal(c.plan->units[1].command->arg[0], "sleep");
	assert_string_equal(c.plan->units[1].command->arg[1], "0.25");
	assert_int_equal(c.plan->units[1].estimate_us, 250000);
	plan_case_release(&c);
}

static void wrong_instances_are_refused(void **state)
{
	static const struct refusal plain[] = {
		{ "[]", ":1:1: a WfFormat instance" },
		{ "{}", "\"schemaVersion\"" },
		{ WF("1.3", "{}"), ":1:34: the schemaVersion \"1.3\" is not read" },
		{ WF("1.5", "{}"), "\"specification\"" },
		{ WF("1.5", "{\"specification\":{}}"), "\"tasks\"" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"name\":\"a\"}]}}"), "string \"id\"" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\"},{\"id\":\"a\"}]}}"), "was there before" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\",\"parents\":[\"b\"]}]}}"), "nothing here has the id \"b\"" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\",\"parents\":[\"a\"]}]}}"), "waits for itself" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\",\"children\":7}]}}"), "children must be an array" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\",\"parents\":[\"b\"]},{\"id\":\"b\",\"parents\":[\"c\"]},{\"id\":\"c\",\"parents\":[\"b\"]}]}}"),
		  "a cycle of 2: \"" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\"}]}}"), "no command.program" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\"}]},\"execution\":{\"tasks\":[{\"id\":\"b\"}]}}"), "the specification has the id \"b\"" },
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\"}]},\"execution\":{\"tasks\":[{\"id\":\"a\",\"runtimeInSeconds\":-1}]}}"), "runtimeInSeconds is out of range" },
		{ WF("1.4", "{\"tasks\":[{\"name\":\"a\",\"command\":{\"program\":\"a\",\"arguments\":[1]}}]}"), "an argument must be a string" },
		{ WF("1.4", "{\"tasks\":[{\"name\":\"a\",\"command\":{\"program\":\"a\",\"arguments\":[\"x{item}\"]}}]}"), "{item}" },
	};
	static const struct refusal scaled[] = {
		{ WF("1.5", "{\"specification\":{\"tasks\":[{\"id\":\"a\"}]}}"), "--scale needs" },
	};

	(void)state;
	all_refused(plan_import_wfformat, (struct plan_import){ 0 }, plain, RV_ARRAY_LEN(plain));
	all_refused(plan_import_wfformat, (struct plan_import){ .scaled = true, .scale = 1 }, scaled, RV_ARRAY_LEN(scaled));
}

static void work_units_become_a_plan(void **state)
{
	struct plan_case c = { 0 };
	struct plan_import how = { 0 };
	struct rv_err err;
	struct rv_buf b;

	(void)state;
	import_fine(plan_import_ralph,
		    "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"say {{x}}\",\"allowed_directories\":[\"src/./a/\"],\"dependencies\":[],\"step_ids\":[1,\"2\"]},"
		    "{\"task_id\":\"b\",\"description\":\"d\",\"allowed_directories\":[],\"depends_on\":[\"a\",\"a\"],\"owner\":{\"k\":null}}]}",
		    how, &c);
	assert_str(c.plan->name, "my-file");
	assert_int_equal(c.plan->max_workers, 8);
	assert_int_equal(c.plan->units[0].settings->evidence, PLAN_EVIDENCE_ARTIFACT_AND_EXIT);
	assert_str(c.plan->units[0].description, "say {{{{x}}");
	assert_str(c.plan->units[0].dirs->path[0], "src/a");
	assert_str(c.plan->units[0].extra, "{\"x-step-ids\":[1,\"2\"]}");
	assert_str(c.plan->units[1].extra, "{\"x-owner\":{\"k\":null}}");
	assert_int_equal(c.plan->units[1].dep_count, 1);
	assert_int_equal(c.plan->units[1].dirs->count, 0);
	plan_case_release(&c);

	assert_int_equal(import(plan_import_ralph, "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"d\"}]}", &how, &b, &err), 0);
	assert_null(strstr(b.at, "compat_env"));
	assert_int_equal(how.mocked, 1);
	rv_buf_release(&b);
	how = (struct plan_import){ .compat_env = true, .agents = &(struct plan_import_agent){ RV_STR("default"), RV_STR("claude") }, .agent_count = 1 };
	assert_int_equal(import(plan_import_ralph, "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"d\"}]}", &how, &b, &err), 0);
	assert_non_null(strstr(b.at, "\"compat_env\":[\"ralph\"]"));
	assert_non_null(strstr(b.at, "\"default\":{\"profile\":\"claude\"}"));
	assert_int_equal(how.mocked, 0);
	rv_buf_release(&b);
}

static void wrong_work_units_are_refused(void **state)
{
	static const struct refusal r[] = {
		{ "[]", ":1:1: a map with \"work_units\"" },
		{ "{\"work_unit\":[]}", ":1:2: there is no key \"work_unit\"" },
		{ "{\"work_units\":{}}", "an array \"work_units\"" },
		{ "{\"work_units\":[\n 7]}", ":2:2: a work unit must be a map" },
		{ "{\"work_units\":[{}]}", "needs a string \"unit_id\"" },
		{ "{\"work_units\":[{\"unit_id\":\"a\"}]}", "needs a \"description\"" },
		{ "{\"work_units\":[{\"unit_id\":\"a\",\"task_id\":\"a\"}]}", "another name for" },
		{ "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"d\",\"dependancies\":[]}]}", "no key \"dependancies\"" },
		{ "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"d\",\"allowed_directories\":[\"/etc\"]}]}", "it is absolute" },
		{ "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"d\",\"allowed_directories\":[\"a/../b\"]}]}", "is not allowed" },
		{ "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"d\",\"allowed_directories\":\"a\"}]}", "array of paths" },
		{ "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"d\",\"allowed_directories\":[]},{\"unit_id\":\"b\",\"description\":\"d\"}]}", "this work unit has none" },
		{ "{\"work_units\":[{\"unit_id\":\"a\",\"description\":\"d\",\"dependencies\":[\"b\"]},{\"unit_id\":\"b\",\"description\":\"d\",\"dependencies\":[\"a\"]}]}",
		  "a cycle of 2: \"a\" waits for \"b\" waits for \"a\"" },
		{ "{\"work_units\":[{\"unit_id\":\"a\",\"unit_id\":\"b\"}]}", "unit_id" },
	};

	(void)state;
	all_refused(plan_import_ralph, (struct plan_import){ 0 }, r, RV_ARRAY_LEN(r));
}

static void agent_maps_become_a_plan(void **state)
{
	static const struct plan_import_agent agents[] = { { { "a b", 3 }, { "codex", 5 } } };
	struct plan_import how = { .agents = agents, .agent_count = 1 };
	struct plan_case c = { 0 };
	struct rv_err err;
	struct rv_buf b;

	(void)state;
	import_fine(plan_import_agentos,
		    "{\"x y\":{\"agent\":\"w\",\"prompt\":\"{{k}} {{ k.z }} {{nope}} {{\",\"context\":{\"k\":{\"z\":1}}},"
		    "\"z\":{\"prompt\":\"{{_dep_x_y}} {{_dep_q}}\",\"depends_on\":[\"x y\"],\"context\":\"all of it\",\"tags\":[]},"
		    "\"n\":{\"prompt\":\"\",\"agent\":null,\"depends_on\":null,\"context\":null}}",
		    (struct plan_import){ 0 }, &c);
	assert_int_equal(c.plan->unit_count, 3);
	assert_str(c.plan->units[0].id, "x_y");
	assert_str(c.plan->units[0].extra, "{\"x-id\":\"x y\"}");
	assert_str(c.plan->units[0].prompt, "{{k}} {{ k.z }} {{{{nope}} {{{{");
	assert_str(c.plan->units[1].prompt, "{{_dep_x_y}} {{{{_dep_q}}");
	assert_str(c.plan->units[1].extra, "{\"x-tags\":[]}");
	assert_int_equal(c.plan->units[0].settings->timeout_us, 300 * 1000000ull);
	assert_int_equal(c.plan->units[0].settings->retry.max, 1);
	assert_int_equal(c.plan->units[0].settings->retry.backoff, PLAN_BACKOFF_LINEAR);
	assert_int_equal(c.plan->units[0].settings->retry.base_us, 500000);
	assert_int_equal(c.plan->agent_count, 2);
	plan_case_release(&c);

	assert_int_equal(import(plan_import_agentos, "{\"u\":{\"agent\":\"a b\",\"prompt\":\"p\"},\"v\":{\"agent\":\"a_b\",\"prompt\":\"p\"}}", &how, &b, &err), 0);
	assert_non_null(strstr(b.at, "\"a_b\":{\"profile\":\"codex\"},\"a_b-2\":{\"profile\":\"mock\"}"));
	assert_int_equal(how.mocked, 1);
	rv_buf_release(&b);
	assert_int_equal(import(plan_import_agentos, "{\"u\":{\"prompt\":\"p\"}}", &how, &b, &err), -1);
	assert_int_equal(err.code, RV_E_USAGE);
	assert_non_null(strstr(err.msg, "an agent \"a b\""));
	rv_buf_release(&b);
}

static void wrong_agent_maps_are_refused(void **state)
{
	static const struct refusal r[] = {
		{ "[]", ":1:1: a map" },
		{ "{\"a\":7}", ":1:6: a task must be a map" },
		{ "{\"\":{\"prompt\":\"p\"}}", "may not be empty" },
		{ "{\"a\":{}}", "needs a string \"prompt\"" },
		{ "{\"a\":{\"prompt\":7}}", "needs a string \"prompt\"" },
		{ "{\"a\":{\"prompt\":\"p\",\"agent\":7}}", "agent must be a string" },
		{ "{\"a\":{\"prompt\":\"p\",\"depends_on\":\"b\"}}", "depends_on must be an array" },
		{ "{\"a\":{\"prompt\":\"p\",\"depend_on\":[]}}", "no key \"depend_on\"" },
		{ "{\"ab\":{\"prompt\":\"p\",\"depends_on\":[\"ba\"]}}", "nothing here has the id \"ba\"" },
		{ "{\"a\":{\"prompt\":\"p\",\"context\":{\"_dep_x\":1}}}", "reeve's own" },
		{ "{\"a\":{\"prompt\":\"p\",\"k\":1,\"x-k\":2}}", ":1:20: the key \"k\" would be kept as x-..." },
		{ "{\"a b\":{\"prompt\":\"p\",\"id\":1}}", "the key \"id\" would be kept" },
		{ "{\"a\":{\"prompt\":\"p\"}", ":1:" },
	};

	(void)state;
	all_refused(plan_import_agentos, (struct plan_import){ 0 }, r, RV_ARRAY_LEN(r));
}

/* Ids in another alphabet are all the same in ours: each gets the next number, and many take no longer than others. */
static void many_ids_that_become_the_same_stay_apart(void **state)
{
	enum { COUNT = 100000 };
	struct plan_import how = { .scale = 1 };
	struct rv_buf text, b;
	struct rv_err err;
	char last[32];

	(void)state;
	rv_buf_init(&text, 0);
	(void)rv_buf_puts(&text, "{\"__-5\":{\"prompt\":\"x\"}");
	for (uint32_t i = 0; i < COUNT; i++)
		(void)rv_buf_printf(&text, ",\"\xd0%c\xd0%c\xd0%c\":{\"prompt\":\"x\"}", 0x90 + (int)(i / 2304 % 48), 0x90 + (int)(i / 48 % 48), 0x90 + (int)(i % 48));
	(void)rv_buf_puts(&text, "}");
	if (import(plan_import_agentos, text.at, &how, &b, &err))
		fail_msg("%s", err.msg);
	assert_non_null(strstr(b.at, "{\"id\":\"t______\","));
	assert_non_null(strstr(b.at, "{\"id\":\"t______-2\","));
	(void)snprintf(last, sizeof(last), "{\"id\":\"t______-%u\",", COUNT);
	assert_non_null(strstr(b.at, last));
	rv_buf_release(&b);
	rv_buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wfformat_gives_commands_and_estimates), cmocka_unit_test(wfformat_sleeps_when_scaled),
		cmocka_unit_test(wrong_instances_are_refused),		 cmocka_unit_test(work_units_become_a_plan),
		cmocka_unit_test(wrong_work_units_are_refused),		 cmocka_unit_test(agent_maps_become_a_plan),
		cmocka_unit_test(wrong_agent_maps_are_refused),	 cmocka_unit_test(many_ids_that_become_the_same_stay_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
