/* test_plan_settings.c - what units get: built-in < defaults < agents.NAME < unit, maps key by key */
#include "tests/lib/plan_case.h"

#include "common/limits.h"

static void a_command_unit_has_the_documented_defaults(void **state)
{
	struct plan_case c = { 0 };
	const struct plan_unit *u;
	const struct plan_settings *s;

	(void)state;
	plan_case_fine(&c, "version: 1\nunits: [{id: a, command: [make, all]}]\n");
	u = plan_case_unit(&c, "a");
	s = u->settings;
	assert_int_equal(s->agent, PLAN_NONE);
	assert_int_equal(s->profile, PLAN_PROFILE_COMMAND);
	assert_false(s->agent_unit);
	assert_int_equal(s->slots, 1);
	assert_int_equal(s->timeout_us, 0);
	assert_int_equal(s->idle_timeout_us, 0);
	assert_int_equal(s->start_timeout_us, 0);
	assert_int_equal(s->queue_timeout_us, 0);
	assert_int_equal(s->grace_us, 2000000);
	assert_int_equal(s->log_max_bytes, 50 << 20);
	assert_int_equal(s->retry.max, 0);
	assert_int_equal(s->retry.backoff, PLAN_BACKOFF_EXPONENTIAL);
	assert_int_equal(s->retry.base_us, 1000000);
	assert_int_equal(s->retry.max_us, 60000000);
	assert_int_equal(s->retry.jitter_ppm, 100000);
	assert_int_equal(s->retry.on, PLAN_RETRY_ON_AGENT | PLAN_RETRY_ON_TIMEOUT | PLAN_RETRY_ON_EVIDENCE);
	assert_int_equal(s->priority, 0);
	assert_int_equal(u->flags, 0);
	assert_null(u->dirs);
	assert_int_equal(u->command->count, 2);
	assert_string_equal(u->command->arg[1], "all");
	assert_null(u->command->arg[2]);
	assert_true(u->estimate_us == PLAN_ESTIMATE_NONE);
	assert_int_equal(c.plan->workspace.mode, PLAN_MODE_NONE);
	assert_int_equal(c.plan->max_workers, 0);
	assert_int_equal(c.plan->limits.node_lost, 3);
	assert_int_equal(c.plan->limits.environment, 3);
	assert_int_equal(c.plan->limits.rate_limited, 20);
	assert_str(c.plan->context, "{}");
	assert_null(c.plan->verify);
	plan_case_release(&c);
}

static void an_agent_unit_has_others(void **state)
{
	struct plan_case c = { 0 };
	const struct plan_settings *s;

	(void)state;
	plan_case_fine(&c, "version: 1\nagents: {m: {profile: mock}}\nunits: [{id: a}]\n");
	s = plan_case_unit(&c, "a")->settings;
	assert_true(s->agent_unit);
	assert_int_equal(s->profile, PLAN_PROFILE_MOCK);
	assert_int_equal(s->slots, 0);
	assert_int_equal(s->timeout_us, 3600000000);
	assert_int_equal(s->idle_timeout_us, 900000000);
	assert_int_equal(s->start_timeout_us, 120000000);
	assert_int_equal(s->retry.max, 1);
	assert_true(plan_case_unit(&c, "a")->flags & PLAN_UNIT_NAMESPACE);
	plan_case_release(&c);

	/* Unless somebody says otherwise. */
	plan_case_fine(&c, "version: 1\nagents: {m: {profile: mock, timeout_s: 5}}\ndefaults: {idle_timeout_s: 0, retry: 0, resources: {cpus: 2}}\n"
			   "units: [{id: a, start_timeout_s: 7}]\n");
	s = plan_case_unit(&c, "a")->settings;
	assert_int_equal(s->timeout_us, 5000000);
	assert_int_equal(s->idle_timeout_us, 0);
	assert_int_equal(s->start_timeout_us, 7000000);
	assert_int_equal(s->retry.max, 0);
	assert_int_equal(s->slots, 2);
	plan_case_release(&c);
}

static const char layers[] =
	"version: 1\n"
	"locks: {db: 2, net: 1}\n"
	"defaults: {timeout_s: 10, priority: high, env: {A: d, B: d}, retry: {max: 2, base_s: 3}, labels: {os: linux},\n"
	"  resources: {cpus: 2, gpus: 1}, context: {x: 1, y: [1, 2]}, locks: [db], x-team: core}\n"
	"agents:\n"
	"  one: {command: [one, '{prompt}'], timeout_s: 20, env: {B: a, C: a}, retry: {base_s: 4}, labels: {gpu: '!yes'},\n"
	"    context: {y: 2}, model: m1, max_concurrent: 3}\n"
	"units:\n"
	"  - {id: plain, command: [x]}\n"
	"  - {id: agent, agent: one}\n"
	"  - {id: both, agent: one, command: [mine]}\n"
	"  - {id: unit, agent: one, timeout_s: 30, env: {C: u, D: 7}, retry: {max: 5}, resources: {gpus: 0, disk_mb: 1.5},\n"
	"     locks: [net], context: {z: {a: b}}, priority: -5, x-team: edge, x-n: [1, {b: true}], output: json, node: n1}\n";

static void maps_are_merged_key_by_key(void **state)
{
	struct plan_case c = { 0 };
	const struct plan_unit *plain, *agent, *both, *unit;
	const struct plan_settings *s;

	(void)state;
	plan_case_fine(&c, layers);
	plain = plan_case_unit(&c, "plain");
	agent = plan_case_unit(&c, "agent");
	both = plan_case_unit(&c, "both");
	unit = plan_case_unit(&c, "unit");

	s = plain->settings;
	assert_int_equal(s->agent, PLAN_NONE);
	assert_int_equal(s->timeout_us, 10000000);
	assert_int_equal(s->priority, 20);
	assert_int_equal(s->env_count, 2);
	assert_int_equal(s->slots, 2);
	assert_int_equal(s->lock_count, 1);
	assert_str(plain->context, "{\"x\":1,\"y\":[1,2]}");
	assert_str(plain->extra, "{\"x-team\":\"core\"}");

	s = agent->settings;
	assert_int_equal(s->timeout_us, 20000000);
	assert_int_equal(s->env_count, 3);
	assert_str(s->env[0].value, "d");
	assert_str(s->env[1].value, "a");
	assert_str(s->env[2].value, "a");
	assert_int_equal(s->retry.max, 2);
	assert_int_equal(s->retry.base_us, 4000000);
	assert_int_equal(s->label_count, 2);
	assert_str(s->labels[0].name, "gpu");
	assert_str(s->labels[0].value, "yes");
	assert_true(s->labels[0].must_not);
	assert_false(s->labels[1].must_not);
	assert_str(agent->context, "{\"x\":1,\"y\":2}");
	assert_string_equal(agent->command->arg[0], "one");
	assert_true(agent->command->fills_places);

	assert_int_equal(both->settings->agent, agent->settings->agent);
	assert_string_equal(both->command->arg[0], "mine");

	s = unit->settings;
	assert_int_equal(s->timeout_us, 30000000);
	assert_int_equal(s->env_count, 4);
	assert_str(s->env[2].value, "u");
	assert_str(s->env[3].value, "7");
	assert_int_equal(s->retry.max, 5);
	assert_int_equal(s->retry.base_us, 4000000);
	assert_int_equal(s->resource_count, 1);
	assert_str(s->resources[0].name, "disk_mb");
	assert_int_equal(s->resources[0].milli, 1500);
	assert_int_equal(s->lock_count, 1);
	assert_str(c.plan->locks[s->locks[0]].name, "net");
	assert_str(unit->context, "{\"x\":1,\"y\":2,\"z\":{\"a\":\"b\"}}");
	assert_str(unit->extra, "{\"x-team\":\"edge\",\"x-n\":[1,{\"b\":true}]}");
	assert_int_equal(s->priority, -5);
	assert_int_equal(s->output, PLAN_OUTPUT_JSON);
	assert_str(s->node, "n1");
	assert_str(c.plan->agents[s->agent].model, "m1");
	assert_int_equal(c.plan->agents[s->agent].max_concurrent, 3);
	plan_case_release(&c);
}

static void equal_settings_are_stored_once(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	plan_case_fine(&c, "version: 1\nunits:\n"
			   "  - {id: a, command: [x], timeout_s: 5, env: {P: q}}\n"
			   "  - {id: b, command: [x], env: {P: q}, timeout_s: 5.0}\n"
			   "  - {id: c, command: [x]}\n  - {id: d, command: [y]}\n  - {id: e, command: [x], retry: 0}\n");
	assert_ptr_equal(plan_case_unit(&c, "a")->settings, plan_case_unit(&c, "b")->settings);
	assert_ptr_equal(plan_case_unit(&c, "a")->command, plan_case_unit(&c, "c")->command);
	assert_ptr_equal(plan_case_unit(&c, "c")->settings, plan_case_unit(&c, "d")->settings);
	assert_ptr_equal(plan_case_unit(&c, "c")->settings, plan_case_unit(&c, "e")->settings);
	assert_int_equal(c.plan->settings_count, 2);
	plan_case_release(&c);
}

static void whose_command_runs(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	plan_case_fine(&c, "version: 1\nagents: {default: {command: [def]}, other: {command: [oth]}, n: {profile: noop}}\n"
			   "units:\n  - {id: a}\n  - {id: b, agent: other}\n  - {id: c, agent: n}\n  - {id: d, command: [own]}\n"
			   "  - {id: e, agent: noop}\n");
	assert_string_equal(plan_case_unit(&c, "a")->command->arg[0], "def");
	assert_string_equal(plan_case_unit(&c, "b")->command->arg[0], "oth");
	assert_null(plan_case_unit(&c, "c")->command);
	assert_int_equal(plan_case_unit(&c, "c")->settings->profile, PLAN_PROFILE_NOOP);
	assert_false(plan_case_unit(&c, "c")->settings->agent_unit);
	assert_int_equal(plan_case_unit(&c, "d")->settings->agent, PLAN_NONE);
	assert_true(c.plan->agents[plan_case_unit(&c, "e")->settings->agent].built_in);
	plan_case_release(&c);

	plan_case_fine(&c, "version: 1\nagents: {only: {command: [x]}}\nunits: [{id: a}]\n");
	assert_string_equal(plan_case_unit(&c, "a")->command->arg[0], "x");
	plan_case_release(&c);

	plan_case_fine(&c, "version: 1\ndefaults: {command: [d, '{unit_id}']}\nagents: {only: {command: [x]}}\nunits: [{id: a}, {id: b, agent: only}]\n");
	assert_string_equal(plan_case_unit(&c, "a")->command->arg[0], "d");
	assert_int_equal(plan_case_unit(&c, "a")->settings->agent, PLAN_NONE);
	assert_string_equal(plan_case_unit(&c, "b")->command->arg[0], "x");
	plan_case_release(&c);
}

static void at_most_once_means_no_retry(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	plan_case_fine(&c, "version: 1\ndefaults: {retry: 3}\nunits: [{id: a, command: [x], at_most_once: true}, {id: b, command: [x]}]\n");
	assert_int_equal(plan_case_unit(&c, "a")->settings->retry.max, 0);
	assert_int_equal(plan_case_unit(&c, "b")->settings->retry.max, 3);
	plan_case_release(&c);
}

static void who_gets_a_namespace(void **state)
{
	static const struct {
		const char *unit;
		bool has;
	} cases[] = {
		{ "command: [x]", false },
		{ "command: [x], namespace: always", true },
		{ "command: [x], allowed_directories: [a]", true },
		{ "command: [x], allowed_directories: [a], namespace: never", false },
		{ "command: [x], evidence: artifact", true },
		{ "command: [x], evidence: {required: ['*.txt']}", true },
		{ "command: [x], context: {a: 1}", true },
		{ "command: [x, '{context_file}']", true },
		{ "command: [x, '{manifest}']", true },
		{ "command: [x, '{namespace}/a']", true },
		{ "command: [x, '{prompt}', '{unit_id}']", false },
		{ "command: [sh, -c, 'echo >$REEVE_ARTIFACTS/x']", true },
		{ "command: [ls, $REEVE_NAMESPACE]", true },
		{ "command: [sh, -c, 'cat $REEVE_CONTEXT_FILE']", true },
		{ "command: [sh, -c, 'cat $REEVE_PROMPT_FILE']", true },
		{ "command: [sh, -c, 'cat $REEVE_MANIFEST']", true },
		{ "command: [sh, -c, 'ls $REEVE_DEPS']", true },
		{ "command: [sh, -c, 'ls $REEVE_HANDOFFS']", true },
		{ "command: [sh, -c, 'echo $REEVE_UNIT_ID >${REEVE_OUTPUT_FILE}']", true },
		{ "command: [sh, -c, 'echo >$REEVE_ARTIFACTS/x'], namespace: never", false },
		{ "command: [sh, -c, 'echo $REEVE_UNIT_ID REEVE_ $REEVE_WORKSPACE']", false },
		{ "agent: mock", true },
		{ "agent: noop", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct plan_case c = { 0 };
		char text[256];

		snprintf(text, sizeof(text), "version: 1\nunits: [{id: a, %s}]\n", cases[i].unit);
		plan_case_fine(&c, text);
		if (!!(plan_case_unit(&c, "a")->flags & PLAN_UNIT_NAMESPACE) != cases[i].has)
			fail_msg("%s", cases[i].unit);
		plan_case_release(&c);
	}
}

static void directories_are_normalised_and_sorted(void **state)
{
	struct plan_case c = { 0 };
	const struct plan_dirs *d;

	(void)state;
	plan_case_fine(&c, "version: 1\nunits:\n  - {id: a, command: [x], allowed_directories: [./b//c/, a/./b, 'o/{{item}}', a/b], for_each: [1]}\n"
			   "  - {id: b, command: [x], allowed_directories: [], depends_on: [a]}\n"
			   "  - {id: c, command: [x], allowed_directories: [./], depends_on: [b]}\n");
	d = plan_case_unit(&c, "a")->dirs;
	assert_int_equal(d->count, 3);
	assert_int_equal(d->filled, 1);
	assert_str(d->path[0], "a/b");
	assert_str(d->path[1], "b/c");
	assert_str(d->path[2], "o/{{item}}");
	assert_int_equal(plan_case_unit(&c, "b")->dirs->count, 0);
	assert_str(plan_case_unit(&c, "c")->dirs->path[0], ".");
	assert_int_equal(c.plan->workspace.mode, PLAN_MODE_SHARED);
	assert_true(c.plan->workspace.require_directories);
	plan_case_release(&c);
}

static void the_plan_itself_is_read_whole(void **state)
{
	struct plan_case c = { 0 };
	const struct plan *p;

	(void)state;
	plan_case_fine(&c,
		       "version: 1\nname: n\nmax_workers: 7\non_failure: finish\norder: id\nplacement: pack\nkeep_logs: all\n"
		       "timeout_s: 1.5\nlost_after_s: 3\nlimits: {failed: 1, node_lost: 2, environment: 4, rate_limited: 5}\n"
		       "workspace: {mode: shared, root: /w, overlap: serialize, require_directories: false, namespace_root: /n}\n"
		       "context: {b: 1.10, a: 'x\"y', n: 12345678901234567890, h: 0x10}\n"
		       "units: {u: {command: [x]}}\nverify: {command: [make, check], timeout_s: 5}\nx-free: [1]\n");
	p = c.plan;
	assert_str(p->name, "n");
	assert_int_equal(p->max_workers, 7);
	assert_int_equal(p->on_failure, PLAN_FINISH);
	assert_int_equal(p->order, PLAN_ORDER_ID);
	assert_int_equal(p->placement, PLAN_PACK);
	assert_int_equal(p->keep_logs, PLAN_LOGS_ALL);
	assert_int_equal(p->timeout_us, 1500000);
	assert_int_equal(p->lost_after_us, 3000000);
	assert_int_equal(p->limits.failed, 1);
	assert_int_equal(p->limits.node_lost, 2);
	assert_int_equal(p->limits.environment, 4);
	assert_int_equal(p->limits.rate_limited, 5);
	assert_int_equal(p->workspace.mode, PLAN_MODE_SHARED);
	assert_int_equal(p->workspace.overlap, PLAN_OVERLAP_SERIALIZE);
	assert_false(p->workspace.require_directories);
	assert_str(p->workspace.root, "/w");
	assert_str(p->workspace.namespace_root, "/n");
	assert_str(p->context, "{\"b\":1.10,\"a\":\"x\\\"y\",\"n\":12345678901234567890,\"h\":16}");
	assert_str(p->units[0].id, "u");
	assert_non_null(p->verify);
	assert_str(p->verify->id, "__verify__");
	assert_int_equal(p->verify->settings->timeout_us, 5000000);
	assert_int_equal(p->verify->settings->retry.max, 0);
	plan_case_release(&c);
}

static void mock_replaces_what_runs(void **state)
{
	struct plan_case c = { .opt = { .mock = PLAN_MOCK_ALL } };
	const struct plan_settings *s;

	(void)state;
	plan_case_fine(&c, "version: 1\nagents: {c: {profile: claude, max_concurrent: 2}}\n"
			   "units:\n  - {id: a, command: [x], labels: {gpu: y}, node: n, resources: {cpus: 3, memory_mb: 10}}\n  - {id: b, agent: c}\n"
			   "  - {id: d, agent: whoever}\nverify: {command: [x]}\n");
	s = plan_case_unit(&c, "a")->settings;
	assert_int_equal(s->profile, PLAN_PROFILE_MOCK);
	assert_int_not_equal(s->agent, PLAN_NONE);
	assert_int_equal(s->label_count, 0);
	assert_int_equal(s->node.bytes, 0);
	assert_int_equal(s->resource_count, 0);
	assert_int_equal(s->slots, 3);
	assert_null(plan_case_unit(&c, "a")->command);
	s = plan_case_unit(&c, "b")->settings;
	assert_int_equal(s->profile, PLAN_PROFILE_MOCK);
	assert_str(c.plan->agents[s->agent].name, "c");
	assert_int_equal(c.plan->agents[s->agent].max_concurrent, 2);
	assert_int_equal(plan_case_unit(&c, "d")->settings->profile, PLAN_PROFILE_MOCK);
	assert_int_equal(c.plan->verify->settings->profile, PLAN_PROFILE_MOCK);
	plan_case_release(&c);

	c.opt.mock = PLAN_MOCK_AGENTS;
	plan_case_fine(&c, "version: 1\nagents: {c: {profile: claude}}\nunits: [{id: a, command: [x]}, {id: b, agent: c}]\n");
	assert_int_equal(plan_case_unit(&c, "a")->settings->profile, PLAN_PROFILE_COMMAND);
	assert_int_equal(plan_case_unit(&c, "b")->settings->profile, PLAN_PROFILE_MOCK);
	plan_case_release(&c);
}

static void an_agent_says_how_it_is_mocked_and_when_it_is_limited(void **state)
{
	struct plan_case c = { 0 };
	const struct plan_agent *a;

	(void)state;
	plan_case_fine(&c, "version: 1\nagents:\n  m: {profile: mock, mock: {delay_s: 0.25, fail: 2, output: {a: 1}, tokens: 0}}\n"
			   "  r: {command: [x], rate_limit_exit_codes: [7, 255], rate_limit_patterns: [slow down]}\nunits: [{id: a, agent: m}]\n");
	a = &c.plan->agents[0];
	assert_int_equal(a->mock.delay_us, 250000);
	assert_int_equal(a->mock.fail, 2);
	assert_str(a->mock.output, "{\"a\":1}");
	a = &c.plan->agents[1];
	assert_int_equal(a->rate_limit_exit_count, 2);
	assert_int_equal(a->rate_limit_exit_codes[1], 255);
	assert_str(a->rate_limit_patterns[0], "slow down");
	plan_case_release(&c);
}

static void reserved_words_are_whole_words(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	plan_case_fine(&c, "version: 1\ncontext: {_previous: 1, _notes: {a: 2}, items: 3}\n"
			   "units: [{id: a, command: [x, \"{{_previous}} {{_notes.a}} {{items}}\"]}]\n");
	plan_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_unit_has_the_documented_defaults),
		cmocka_unit_test(an_agent_unit_has_others),
		cmocka_unit_test(maps_are_merged_key_by_key),
		cmocka_unit_test(equal_settings_are_stored_once),
		cmocka_unit_test(whose_command_runs),
		cmocka_unit_test(at_most_once_means_no_retry),
		cmocka_unit_test(who_gets_a_namespace),
		cmocka_unit_test(directories_are_normalised_and_sorted),
		cmocka_unit_test(the_plan_itself_is_read_whole),
		cmocka_unit_test(mock_replaces_what_runs),
		cmocka_unit_test(reserved_words_are_whole_words),
		cmocka_unit_test(an_agent_says_how_it_is_mocked_and_when_it_is_limited),
	};

	return RUN(tests);
}
