/* test_plan_save.c - a saved plan loads to the same plan again */
#include "tests/lib/test.h"

#include "common/plan/diag.h"
#include "common/plan/plan.h"
#include "common/plan/save.h"

/* Every key that can be saved, on units of each kind. */
static const char rich[] =
	"{\"version\":1,\"name\":\"rich\",\"max_workers\":7,\"on_failure\":\"finish\",\"order\":\"id\",\"placement\":\"pack\",\"keep_logs\":\"all\",\"compat_env\":[\"ralph\"],"
	"\"timeout_s\":90.5,\"lost_after_s\":12,\"limits\":{\"failed\":4,\"node_lost\":2,\"environment\":5,\"rate_limited\":6,\"tokens\":2000000,\"cost_usd\":12.5},"
	"\"workspace\":{\"mode\":\"shared\",\"overlap\":\"serialize\",\"enforce\":\"off\",\"require_directories\":false},"
	"\"context\":{\"a\":[1,{\"b\":null}],\"t\":\"x\"},"
	"\"locks\":{\"db\":2,\"net\":1},"
	"\"agents\":{\"m\":{\"profile\":\"mock\",\"model\":\"big\",\"max_concurrent\":3,\"mock\":{\"delay_s\":0.25,\"fail\":2,\"output\":\"o\",\"tokens\":77},\"env\":{\"ONLY_M\":\"{{t}}\",\"E\":\"m\"},\"limits\":{\"tokens\":900,\"cost_usd\":0.25},"
	"\"rate_limit_exit_codes\":[75],\"rate_limit_patterns\":[\"slow down\"]},\"c\":{\"command\":[\"run\",\"{prompt}\"],\"env\":{\"E\":\"1\"},\"timeout_s\":3},"
	"\"k\":{\"profile\":\"claude\",\"model\":\"opus\",\"preamble\":{\"text\":\"Be brief.\\n\"}},\"o\":{\"profile\":\"codex\",\"preamble\":\"off\",\"home\":\"shared\"}},"
	"\"defaults\":{\"grace_s\":1.5,\"env\":{\"D\":\"d\",\"E\":\"0\"},\"labels\":{\"os\":\"linux\"}},"
	"\"units\":["
	"{\"id\":\"p\",\"command\":[\"true\",\"a b\",\"\"],\"description\":\"d\\u00e9\",\"priority\":\"high\",\"estimate_s\":0,\"x-id\":\"old/1\",\"x-more\":{\"k\":[1]}},"
	"{\"id\":\"q\",\"agent\":\"m\",\"prompt\":\"do {{t}}\",\"depends_on\":[\"p\"],\"allowed_directories\":[\"src\",\"doc/x\"],\"evidence\":\"artifact_and_exit\"},"
	"{\"id\":\"r\",\"agent\":\"c\",\"prompt\":\"x\",\"depends_on\":[\"q\",\"p\"],\"trigger_rule\":\"all_done\",\"retry\":{\"max\":3,\"backoff\":\"linear\",\"base_s\":0.5,"
	"\"max_s\":9,\"jitter\":0.25,\"on\":[\"timeout\"]},\"locks\":[\"net\",\"db\"],\"resources\":{\"cpus\":1.5,\"memory_mb\":100,\"gpus\":0.5}},"
	"{\"id\":\"s-{{item.n}}\",\"command\":[\"echo\",\"{{item.n}}\"],\"for_each\":[{\"n\":\"x\"},{\"n\":\"y\"}],\"output\":\"json\",\"namespace\":\"always\"},"
	"{\"id\":\"t\",\"command\":[\"echo\",\"{{item}}\"],\"for_each\":{\"count\":12},\"labels\":{\"gpu\":\"!yes\"},\"node\":\"n1\",\"log_max_mb\":3},"
	"{\"id\":\"v\",\"command\":[\"echo\",\"{{item.n}}\"],\"for_each\":{\"same_as\":\"s-{{item.n}}\"},\"template\":\"on\",\"cwd\":\"sub\"},"
	"{\"id\":\"w\",\"agent\":\"noop\",\"depends_on\":[\"t\"],\"at_most_once\":true,\"queue_timeout_s\":8},"
	"{\"id\":\"x\",\"command\":[\"false\"],\"satisfied\":true,\"idle_timeout_s\":7,\"start_timeout_s\":6,\"evidence\":{\"type\":\"artifact\",\"required\":[\"*.x\"]},"
	"\"context\":{\"t\":\"own\"},\"env\":{\"Z\":\"{{t}}\"},\"allowed_directories\":[]},"
	"{\"id\":\"y\",\"agent\":\"k\",\"accept\":[\"make\",\"{{t}}\"],\"unless\":[\"test\",\"-e\",\"{unit_id}\"],\"hold\":true,\"resources\":{\"tokens\":5000,\"cost_usd\":1.25},"
	"\"retry\":{\"max\":2,\"agent\":\"m\"}}],"
	"\"verify\":{\"command\":[\"make\",\"check\"],\"timeout_s\":33}}";

struct memory {
	struct rv_str rest;
};

static long read_memory(void *arg, void *to, size_t room)
{
	struct memory *m = arg;
	size_t n = m->rest.bytes < room ? m->rest.bytes : room;

	memcpy(to, m->rest.at, n);
	m->rest.at += n;
	m->rest.bytes -= n;
	return (long)n;
}

static struct plan *load_mocked(struct rv_str text, bool lines, enum plan_mock_mode mock)
{
	struct plan_load_options opt = { .dir = "/tmp", .mock = mock };
	struct memory m = { .rest = text };
	static struct plan_diags diags;
	struct plan *p = NULL;
	struct rv_err err;
	int rc;

	plan_diags_init(&diags);
	rc = lines ? plan_load_lines(read_memory, &m, &opt, &p, &diags, &err)
		   : plan_load_bytes(text, PLAN_FORMAT_JSON, &opt, &p, &diags, &err);
	for (uint32_t i = 0; rc < 0 && i < diags.error_count; i++)
		print_error("%u:%u %s\n", diags.error[i].line, diags.error[i].col, diags.error[i].message);
	plan_diags_release(&diags);
	assert_int_equal(rc, 0);
	return p;
}

static struct plan *load(struct rv_str text, bool lines)
{
	return load_mocked(text, lines, PLAN_MOCK_OFF);
}

/* Saved without the mode: what was mocked are agents now, and is checked as such. */
static void a_mocked_plan_loads_again(void **state)
{
	static const char commands[] = "{\"version\":1,\"units\":[{\"id\":\"a\",\"agent\":\"claude\",\"prompt\":\"x\",\"allowed_directories\":[\"a\"]},"
				       "{\"id\":\"b\",\"command\":[\"true\"],\"depends_on\":[\"a\"]}]}";
	static const char *const texts[] = { commands, rich };
	struct rv_buf saved;

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(texts); i++)
		for (enum plan_mock_mode mock = PLAN_MOCK_AGENTS; mock <= PLAN_MOCK_ALL; mock++) {
			struct plan *first = load_mocked(rv_str_of(texts[i]), false, mock), *second;

			rv_buf_init(&saved, 0);
			assert_int_equal(plan_save(first, &saved, NULL), 0);
			second = load(rv_buf_str(&saved), true);
			assert_int_equal(second->unit_count, first->unit_count);
			plan_destroy(&second);
			plan_destroy(&first);
			rv_buf_release(&saved);
		}
}

static void a_saved_plan_loads_to_the_same_plan(void **state)
{
	struct plan *first = load(rv_str_of(rich), false), *second;
	struct rv_buf one, two;

	(void)state;
	rv_buf_init(&one, 0);
	rv_buf_init(&two, 0);
	assert_int_equal(plan_save(first, &one, NULL), 0);
	second = load(rv_buf_str(&one), true);
	assert_int_equal(second->unit_count, first->unit_count);
	assert_int_equal(second->instance_count, first->instance_count);
	assert_int_equal(second->edge_count, first->edge_count);
	assert_memory_equal(second->digest, first->digest, sizeof first->digest);
	for (uint32_t i = 0; i < first->unit_count; i++) {
		const struct plan_unit *a = &first->units[i], *b = &second->units[i];
		const struct plan_settings *s = a->settings, *t = b->settings;

		assert_int_equal(a->flags & ~PLAN_UNIT_PROMPT_FILE, b->flags & ~PLAN_UNIT_PROMPT_FILE);
		assert_int_equal(a->estimate_us, b->estimate_us);
		assert_int_equal(s->agent_unit, t->agent_unit);
		assert_int_equal(s->timeout_us, t->timeout_us);
		assert_int_equal(s->idle_timeout_us, t->idle_timeout_us);
		assert_int_equal(s->start_timeout_us, t->start_timeout_us);
		assert_int_equal(s->queue_timeout_us, t->queue_timeout_us);
		assert_int_equal(s->grace_us, t->grace_us);
		assert_int_equal(s->log_max_bytes, t->log_max_bytes);
		assert_int_equal(s->priority, t->priority);
		assert_int_equal(s->cpus_milli, t->cpus_milli);
		assert_int_equal(s->retry.max, t->retry.max);
		assert_int_equal(s->retry.on, t->retry.on);
		assert_int_equal(s->retry.base_us, t->retry.base_us);
		assert_int_equal(s->retry.jitter_ppm, t->retry.jitter_ppm);
		assert_int_equal(s->lock_count, t->lock_count);
		assert_int_equal(s->label_count, t->label_count);
		assert_int_equal(s->resource_count, t->resource_count);
		assert_int_equal(s->required_count, t->required_count);
		assert_int_equal(s->trigger, t->trigger);
		assert_int_equal(s->satisfied, t->satisfied);
		assert_int_equal(s->at_most_once, t->at_most_once);
	}
	/* and what it is saved as has settled */
	assert_int_equal(plan_save(second, &two, NULL), 0);
	assert_str(rv_buf_str(&two), one.at);
	plan_destroy(&first);
	plan_destroy(&second);
	rv_buf_release(&one);
	rv_buf_release(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_saved_plan_loads_to_the_same_plan),
		cmocka_unit_test(a_mocked_plan_loads_again),
	};

	return RUN(tests);
}
