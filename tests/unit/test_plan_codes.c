/* test_plan_codes.c - every code of docs/plan.md, at its exact place, and nothing besides it */
#include "tests/lib/plan_case.h"

struct expected {
	const char *name;
	enum plan_code code;
	uint32_t line, col;
	uint32_t width;
	const char *text;   /* YAML */
	const char *words;  /* part of message or hint */
};

#define HEAD "version: 1\n"
#define UNIT "units: [{id: a, command: [x]}]\n"

static const struct expected errors[] = {
	{ "open flow", PLAN_E_SYNTAX, 3, 1, 1, HEAD "units: [{id: a\n", NULL },
	{ "tab as indentation", PLAN_E_SYNTAX, 2, 1, 0, "units:\n\t- id: a\n", NULL },
	{ "repeated key", PLAN_E_SYNTAX, 3, 1, 5, HEAD UNIT "units: []\n", "twice" },
	{ "repeated key in a unit", PLAN_E_SYNTAX, 2, 37, 2, HEAD "units: [{id: a, command: [x], x: 1, id: b}]\n", "twice" },
	{ "anchor", PLAN_E_SYNTAX, 2, 8, 2, HEAD "units: &a []\n", "anchors" },
	{ "alias", PLAN_E_SYNTAX, 3, 10, 2, HEAD "units: []\ncontext: *a\n", NULL },
	{ "tag", PLAN_E_SYNTAX, 2, 0, 0, HEAD "name: !!str x\nunits: []\n", "tags" },
	{ "merge key", PLAN_E_SYNTAX, 2, 10, 2, HEAD "units: [{<<: {id: a}}]\n", "merge" },
	{ "two documents", PLAN_E_SYNTAX, 3, 1, 0, HEAD "units: []\n---\nversion: 1\n", "one document" },
	{ "key that is a list", PLAN_E_SYNTAX, 2, 0, 0, HEAD "[a]: 1\nunits: []\n", "scalar" },

	{ "not a map", PLAN_E_TYPE, 1, 1, 0, "[1, 2]\n", "a plan must be a map" },
	{ "no version", PLAN_E_TYPE, 1, 1, 1, UNIT, "\"version\"" },
	{ "no units", PLAN_E_TYPE, 1, 1, 1, HEAD, "\"units\"" },
	{ "no id", PLAN_E_TYPE, 2, 9, 1, HEAD "units: [{command: [x]}]\n", "\"id\"" },
	{ "string for a number", PLAN_E_TYPE, 3, 14, 4, HEAD UNIT "max_workers: four\n", "must be a whole number, not a string" },
	{ "fraction for a whole number", PLAN_E_TYPE, 3, 14, 3, HEAD UNIT "max_workers: 1.5\n", "whole number" },
	{ "number for a string", PLAN_E_TYPE, 2, 14, 1, HEAD "units: [{id: 7, command: [x]}]\n", "must be a string" },
	{ "string for argv", PLAN_E_TYPE, 2, 26, 7, HEAD "units: [{id: a, command: echo hi}]\n", "an array of strings" },
	{ "number in argv", PLAN_E_TYPE, 2, 34, 1, HEAD "units: [{id: a, command: [sleep, 1]}]\n", "each value of \"command\"" },
	{ "null", PLAN_E_TYPE, 3, 8, 1, HEAD UNIT "context:\n", "not null" },
	{ "list for a map", PLAN_E_TYPE, 3, 9, 2, HEAD UNIT "limits: []\n", "a map" },
	{ "unit that is a string", PLAN_E_TYPE, 2, 9, 1, HEAD "units: [a]\n", "a unit must be a map" },

	{ "unknown key", PLAN_E_UNKNOWN_KEY, 3, 1, 10, HEAD UNIT "max_worker: 3\n", "did you mean \"max_workers\"" },
	{ "unknown key of a unit", PLAN_E_UNKNOWN_KEY, 2, 31, 8, HEAD "units: [{id: a, command: [x], timout_s: 3}]\n", "timeout_s" },
	{ "unknown key of retry", PLAN_E_UNKNOWN_KEY, 2, 39, 6, HEAD "units: [{id: a, command: [x], retry: {amount: 3}}]\n", NULL },
	{ "unit key in the plan", PLAN_E_UNKNOWN_KEY, 3, 1, 5, HEAD UNIT "retry: 2\n", NULL },
	{ "id in defaults", PLAN_E_UNKNOWN_KEY, 3, 12, 2, HEAD UNIT "defaults: {id: a}\n", NULL },

	{ "version 2", PLAN_E_RANGE, 1, 10, 1, "version: 2\n" UNIT, "it must be 1" },
	{ "too many workers", PLAN_E_RANGE, 3, 14, 5, HEAD UNIT "max_workers: 65537\n", "0 to 65536" },
	{ "negative", PLAN_E_RANGE, 3, 12, 2, HEAD UNIT "timeout_s: -1\n", NULL },
	{ "word", PLAN_E_RANGE, 3, 13, 8, HEAD UNIT "on_failure: fail-now\n", "isolate fail_fast finish" },
	{ "priority", PLAN_E_RANGE, 2, 41, 4, HEAD "units: [{id: a, command: [x], priority: 1001}]\n", "-1000 to 1000" },
	{ "grace", PLAN_E_RANGE, 2, 40, 3, HEAD "units: [{id: a, command: [x], grace_s: 301}]\n", NULL },
	{ "class of retry", PLAN_E_RANGE, 2, 44, 6, HEAD "units: [{id: a, command: [x], retry: {on: [config]}}]\n", NULL },
	{ "unknown lock", PLAN_E_CONFLICT, 2, 39, 2, HEAD "units: [{id: a, command: [x], locks: [db]}]\n", "no lock is called" },
	{ "lost_after_s 0", PLAN_E_RANGE, 3, 15, 1, HEAD UNIT "lost_after_s: 0\n", NULL },

	{ "id with a slash", PLAN_E_ID_FORMAT, 2, 14, 10, HEAD "units: [{id: ../../../x, command: [x]}]\n", "no unit id" },
	{ "id with a blank", PLAN_E_ID_FORMAT, 2, 14, 3, HEAD "units: [{id: a b, command: [x]}]\n", NULL },
	{ "empty id", PLAN_E_ID_FORMAT, 2, 14, 2, HEAD "units: [{id: \"\", command: [x]}]\n", NULL },
	{ "id with a newline", PLAN_E_ID_FORMAT, 2, 14, 6, HEAD "units: [{id: \"a\\nb\", command: [x]}]\n", "\\x0a" },
	{ "id with a bidi override", PLAN_E_ID_FORMAT, 2, 14, 10, HEAD "units: [{id: \"a\\u202Eb\", command: [x]}]\n", "\\u202e" },
	{ "id starting with a point", PLAN_E_ID_FORMAT, 2, 14, 2, HEAD "units: [{id: .a, command: [x]}]\n", NULL },
	{ "plan name", PLAN_E_ID_FORMAT, 3, 7, 3, HEAD UNIT "name: a/b\n", NULL },
	{ "template id without for_each", PLAN_E_ID_FORMAT, 2, 14, 12, HEAD "units: [{id: \"a-{{item}}\", command: [x]}]\n", NULL },
	{ "item that makes no id", PLAN_E_ID_FORMAT, 2, 14, 12, HEAD "units: [{id: \"a-{{item}}\", command: [x, \"{item}\"], for_each: [b c]}]\n", "item 1" },

	{ "duplicate id", PLAN_E_ID_DUPLICATE, 4, 10, 1, HEAD "units:\n  - {id: a, command: [x]}\n  - {id: a, command: [x]}\n", "plan.yaml:3:10" },
	{ "id of an instance", PLAN_E_ID_DUPLICATE, 3, 10, 6, HEAD "units:\n  - {id: a-0002, command: [x]}\n  - {id: a, command: [x, \"{item}\"], for_each: [p, q]}\n", NULL },
	{ "items with one id", PLAN_E_ID_DUPLICATE, 2, 14, 10, HEAD "units: [{id: \"{{item}}\", command: [x], for_each: [p, p]}]\n", "two items" },
	{ "reserved id", PLAN_E_ID_RESERVED, 2, 14, 10, HEAD "units: [{id: __verify__, command: [x]}]\n", NULL },

	{ "self", PLAN_E_DEP_SELF, 2, 44, 1, HEAD "units: [{id: a, command: [x], depends_on: [a]}]\n", NULL },
	{ "unknown dependency", PLAN_E_DEP_UNKNOWN, 4, 42, 4, HEAD "units:\n  - {id: abcd, command: [x]}\n  - {id: e, command: [x], depends_on: [  abce]}\n", "did you mean \"abcd\" (plan.yaml:3:10)?" },
	{ "instance as a dependency", PLAN_E_DEP_UNKNOWN, 4, 40, 6, HEAD "units:\n  - {id: a, command: [x, \"{item}\"], for_each: [1]}\n  - {id: e, command: [x], depends_on: [a-0001]}\n", "depend on the template" },
	{ "same_as of nothing", PLAN_E_DEP_UNKNOWN, 2, 41, 0, HEAD "units: [{id: a, command: [x], for_each: {same_as: b}}]\n", NULL },
	{ "cycle of two", PLAN_E_CYCLE, 3, 40, 1, HEAD "units:\n  - {id: a, command: [x], depends_on: [b]}\n  - {id: b, command: [x], depends_on: [a]}\n", "a -> b -> a" },
	{ "cycle by same_as", PLAN_E_CYCLE, 3, 37, 12, HEAD "units:\n  - {id: a, command: [x], for_each: {same_as: b}}\n  - {id: b, command: [x], for_each: {same_as: a}}\n", "a -> b -> a" },

	{ "agent without directories", PLAN_E_DIR_MISSING, 4, 5, 0, HEAD "units:\n  - {id: a, command: [x], allowed_directories: [src]}\n  - {id: b, agent: mock}\n", "b" },
	{ "absolute", PLAN_E_DIR_FORM, 2, 53, 4, HEAD "units: [{id: a, command: [x], allowed_directories: [/etc]}]\n", "absolute" },
	{ "upwards", PLAN_E_DIR_FORM, 2, 53, 6, HEAD "units: [{id: a, command: [x], allowed_directories: [a/../b]}]\n", ".." },
	{ "empty directory", PLAN_E_DIR_FORM, 2, 53, 2, HEAD "units: [{id: a, command: [x], allowed_directories: [\"\"]}]\n", "empty" },
	{ "backslash", PLAN_E_DIR_FORM, 2, 53, 3, HEAD "units: [{id: a, command: [x], allowed_directories: [a\\b]}]\n", "backslash" },
	{ "directory from an item", PLAN_E_DIR_FORM, 2, 53, 10, HEAD "units: [{id: a, command: [x], allowed_directories: [\"{{item}}\"], for_each: [../x]}]\n", NULL },
	{ "reserved", PLAN_E_DIR_RESERVED, 2, 53, 10, HEAD "units: [{id: a, command: [x], allowed_directories: [.git/hooks]}]\n", NULL },
	{ "reserved behind a point", PLAN_E_DIR_RESERVED, 2, 53, 10, HEAD "units: [{id: a, command: [x], allowed_directories: [./.reeve/x]}]\n", NULL },
	{ "same directory", PLAN_E_DIR_OVERLAP, 4, 49, 3, HEAD "units:\n  - {id: a, command: [x], allowed_directories: [src]}\n  - {id: b, command: [x], allowed_directories: [src]}\n", "\"a\" and \"b\"" },
	{ "directory inside", PLAN_E_DIR_OVERLAP, 4, 49, 5, HEAD "units:\n  - {id: a, command: [x], allowed_directories: [src]}\n  - {id: b, command: [x], allowed_directories: [src/b]}\n", NULL },
	{ "instances", PLAN_E_DIR_OVERLAP, 2, 81, 3, HEAD "units: [{id: a, command: [x, \"{item}\"], for_each: [1, 2], allowed_directories: [src]}]\n", "a-0001" },

	{ "unknown agent", PLAN_E_AGENT_UNKNOWN, 2, 24, 5, HEAD "units: [{id: a, agent: coder}]\n", NULL },
	{ "nothing to run", PLAN_E_AGENT_UNKNOWN, 2, 9, 1, HEAD "units: [{id: a}]\n", "no command" },
	{ "unknown default agent", PLAN_E_AGENT_UNKNOWN, 3, 19, 5, HEAD UNIT "defaults: {agent: coder}\n", NULL },
	{ "empty argv", PLAN_E_COMMAND_EMPTY, 2, 26, 2, HEAD "units: [{id: a, command: []}]\n", NULL },
	{ "empty program", PLAN_E_COMMAND_EMPTY, 2, 26, 7, HEAD "units: [{id: a, command: [\"\", a]}]\n", NULL },
	{ "agent without a command", PLAN_E_COMMAND_EMPTY, 2, 24, 2, HEAD "units: [{id: a, agent: sh}]\nagents: {sh: {profile: command}}\n", NULL },
	{ "context key", PLAN_E_CONTEXT_KEY, 3, 11, 6, HEAD UNIT "context: {_dep_a: 1}\n", NULL },
	{ "context key of a unit", PLAN_E_CONTEXT_KEY, 2, 41, 4, HEAD "units: [{id: a, command: [x], context: {item: 1}}]\n", NULL },
	{ "unknown key in a text", PLAN_E_TEMPLATE, 2, 29, 13, HEAD "units: [{id: a, command: [x,\"{{nothing}}\"]}]\n", "nothing" },
	{ "unknown key in the env of the last try", PLAN_E_TEMPLATE, 4, 9, 39,
	  "version: 1\nagents: {l: {profile: mock, env: {A: \"{{b}}\"}}}\nworkspace: {mode: none}\nunits: [{id: a, agent: mock, retry: {agent: l}}]\n", "{{b}}" },
	{ "open braces", PLAN_E_TEMPLATE, 2, 29, 5, HEAD "units: [{id: a, command: [x,\"{{a\"]}]\n", NULL },
	{ "item without for_each", PLAN_E_TEMPLATE, 2, 30, 10, HEAD "units: [{id: a, command: [x, \"{{item}}\"]}]\n", "for_each" },
	{ "item without that key", PLAN_E_TEMPLATE, 2, 30, 12, HEAD "units: [{id: a, command: [x, \"{{item.b}}\"], for_each: [{b: 1}, {c: 1}]}]\n", "item 2" },
	{ "no such dependency", PLAN_E_TEMPLATE, 3, 26, 12, HEAD "units:\n  - {id: a, command: [x, \"{{_dep_b}}\"]}\n  - {id: b, command: [x]}\n", "depends_on" },
	{ "unknown key in verify", PLAN_E_TEMPLATE, 3, 19, 12, HEAD UNIT "verify: {command: [\"{{item}}\"]}\n", "verify" },
	{ "shell braces in env", PLAN_E_TEMPLATE, 2, 36, 0, HEAD "units: [{id: a, command: [x], env: {A: \"{{.ID}}\"}}]\n", "template: off" },
	{ "both prompts", PLAN_E_CONFLICT, 2, 42, 11, HEAD "units: [{id: a, command: [x], prompt: b, prompt_file: /dev/null}]\n", NULL },
	{ "at most once with retries", PLAN_E_CONFLICT, 2, 51, 5, HEAD "units: [{id: a, command: [x], at_most_once: true, retry: 1}]\n", NULL },
	{ "two names of one key", PLAN_E_CONFLICT, 2, 47, 12, HEAD "units: [{id: a, command: [x], depends_on: [], dependencies: []}]\n", NULL },
	{ "for_each of two kinds", PLAN_E_CONFLICT, 2, 41, 0, HEAD "units: [{id: a, command: [x], for_each: {count: 1, file: x}}]\n", NULL },
	{ "same_as of no template", PLAN_E_CONFLICT, 3, 37, 12, HEAD "units:\n  - {id: a, command: [x], for_each: {same_as: b}}\n  - {id: b, command: [x]}\n", NULL },
	{ "directories without a workspace", PLAN_E_CONFLICT, 2, 52, 5, HEAD "units: [{id: a, command: [x], allowed_directories: [src]}]\nworkspace: {mode: none}\n", NULL },
	{ "file that is not there", PLAN_E_CONFLICT, 2, 44, 0, HEAD "units: [{id: a, command: [x], prompt_file: /nonexistent/x}]\n", NULL },
	{ "accept without a program", PLAN_E_COMMAND_EMPTY, 2, 39, 4, HEAD "units: [{id: a, command: [x], accept: [\"\"]}]\n", "accept" },
	{ "unknown key in accept", PLAN_E_TEMPLATE, 2, 43, 7, HEAD "units: [{id: a, command: [x], accept: [x, \"{{b}}\"]}]\n", "{{b}}" },
	{ "cost of a codex run", PLAN_E_CONFLICT, 2, 24, 5, HEAD "units: [{id: a, agent: codex}]\nworkspace: {mode: none}\nlimits: {cost_usd: 5}\n", "codex" },
	{ "cost of a codex unit", PLAN_E_CONFLICT, 2, 42, 0, HEAD "units: [{id: a, agent: codex, resources: {cost_usd: 1}}]\nworkspace: {mode: none}\n", "codex" },
	{ "cost of a codex agent", PLAN_E_CONFLICT, 3, 30, 6, HEAD UNIT "agents: {a: {profile: codex, limits: {cost_usd: 5}}}\n", "tokens" },
	{ "cost of the last try", PLAN_E_CONFLICT, 2, 24, 6, HEAD "units: [{id: a, agent: claude, retry: {agent: codex}}]\nworkspace: {mode: none}\nlimits: {cost_usd: 5}\n", "codex" },
	{ "tokens of a command", PLAN_E_CONFLICT, 2, 31, 9, HEAD "units: [{id: a, command: [x], resources: {tokens: 5}}]\n", "command" },
	{ "tokens of a command agent", PLAN_E_CONFLICT, 3, 28, 6, HEAD UNIT "agents: {a: {command: [x], limits: {tokens: 5}}}\n", "command" },
	{ "another agent for a command", PLAN_E_CONFLICT, 2, 31, 5, HEAD "units: [{id: a, command: [x], retry: {agent: mock}}]\n", "retry.agent" },
	{ "a command for an agent's last try", PLAN_E_CONFLICT, 2, 30, 5, HEAD "units: [{id: a, agent: mock, retry: {agent: noop}}]\nworkspace: {mode: none}\n", "noop" },
	{ "unknown agent of the last try", PLAN_E_AGENT_UNKNOWN, 2, 45, 5, HEAD "units: [{id: a, agent: mock, retry: {agent: coder}}]\nworkspace: {mode: none}\n", "coder" },
	{ "preamble of a mock", PLAN_E_CONFLICT, 3, 29, 8, HEAD UNIT "agents: {a: {profile: mock, preamble: off}}\n", "mock" },
	{ "preamble that is not there", PLAN_E_CONFLICT, 3, 41, 0, HEAD UNIT "agents: {a: {profile: claude, preamble: /nonexistent/x}}\n", NULL },
	{ "LD_PRELOAD", PLAN_E_ENV, 2, 37, 10, HEAD "units: [{id: a, command: [x], env: {LD_PRELOAD: x}}]\n", NULL },
	{ "REEVE_X", PLAN_E_ENV, 2, 37, 7, HEAD "units: [{id: a, command: [x], env: {REEVE_X: x}}]\n", NULL },
	{ "compat_env's own", PLAN_E_ENV, 2, 37, 15, HEAD "units: [{id: a, command: [x], env: {RALPH_WORKER_ID: x}}]\ncompat_env: [ralph]\n", "compat_env" },
	{ "compat_env of another tool", PLAN_E_RANGE, 3, 14, 5, HEAD UNIT "compat_env: [other]\n", NULL },
	{ "name with =", PLAN_E_ENV, 2, 37, 5, HEAD "units: [{id: a, command: [x], env: {\"A=B\": x}}]\n", NULL },
	{ "IFS in defaults", PLAN_E_ENV, 3, 18, 3, HEAD UNIT "defaults: {env: {IFS: x}}\n", NULL },
};

/* What later versions execute: every entry of the list, named. */
static const struct expected unsupported[] = {
	{ "profile", PLAN_E_UNSUPPORTED, 3, 23, 6, HEAD UNIT "agents: {a: {profile: gemini}}\n", "gemini" },
	{ "built-in agent", PLAN_E_UNSUPPORTED, 2, 24, 4, HEAD "units: [{id: a, agent: qwen}]\n", "qwen" },
	{ "fallback", PLAN_E_UNSUPPORTED, 3, 29, 8, HEAD UNIT "agents: {a: {profile: mock, fallback: [b]}}\n", "fallback" },
	{ "array of agents", PLAN_E_UNSUPPORTED, 2, 17, 5, HEAD "units: [{id: a, agent: [mock, noop]}]\n", "array of agents" },
	{ "home", PLAN_E_UNSUPPORTED, 3, 37, 7, HEAD UNIT "agents: {a: {profile: claude, home: private}}\n", "home" },
	{ "credentials", PLAN_E_UNSUPPORTED, 3, 1, 11, HEAD UNIT "credentials: {a: {provider: openai}}\n", "credentials" },
	{ "pool of a unit", PLAN_E_UNSUPPORTED, 2, 44, 1, HEAD "units: [{id: a, command: [x], credentials: p}]\n", "credentials" },
	{ "cpu_seconds", PLAN_E_UNSUPPORTED, 3, 10, 11, HEAD UNIT "limits: {cpu_seconds: 5}\n", "cpu_seconds" },
	{ "agent's limits", PLAN_E_UNSUPPORTED, 3, 38, 11, HEAD UNIT "agents: {a: {profile: mock, limits: {cpu_seconds: 5}}}\n", "cpu_seconds" },
	{ "budget of a unit", PLAN_E_UNSUPPORTED, 2, 43, 11, HEAD "units: [{id: a, command: [x], resources: {cpu_seconds: 5}}]\n", "cpu_seconds" },
	{ "secrets", PLAN_E_UNSUPPORTED, 2, 31, 7, HEAD "units: [{id: a, command: [x], secrets: [A]}]\n", "secrets" },
	{ "capabilities", PLAN_E_UNSUPPORTED, 2, 31, 12, HEAD "units: [{id: a, command: [x], capabilities: [add_units]}]\n", "capabilities" },
	{ "network", PLAN_E_UNSUPPORTED, 2, 40, 4, HEAD "units: [{id: a, command: [x], network: none}]\n", "network" },
	{ "gateway", PLAN_E_UNSUPPORTED, 2, 40, 3, HEAD "units: [{id: a, command: [x], gateway: off}]\n", "gateway" },
	{ "workspace git", PLAN_E_UNSUPPORTED, 3, 19, 3, HEAD UNIT "workspace: {mode: git}\n", "git" },
	{ "workspace copy", PLAN_E_UNSUPPORTED, 3, 19, 4, HEAD UNIT "workspace: {mode: copy}\n", "copy" },
	{ "landlock", PLAN_E_UNSUPPORTED, 3, 22, 8, HEAD UNIT "workspace: {enforce: landlock}\n", "landlock" },
	{ "scan", PLAN_E_UNSUPPORTED, 3, 22, 4, HEAD UNIT "workspace: {enforce: scan}\n", "scan" },
	{ "allow_read", PLAN_E_UNSUPPORTED, 3, 13, 10, HEAD UNIT "workspace: {allow_read: [/x]}\n", "allow_read" },
	{ "allow_write", PLAN_E_UNSUPPORTED, 3, 13, 11, HEAD UNIT "workspace: {allow_write: [/x]}\n", "allow_write" },
};

static const struct expected warnings[] = {
	{ "no units", PLAN_W_EMPTY_PLAN, 0, 0, 0, HEAD "units: []\n", NULL },
	{ "dependency twice", PLAN_W_DEP_DUPLICATE, 4, 43, 1, HEAD "units:\n  - {id: a, command: [x]}\n  - {id: b, command: [x], depends_on: [a, a]}\n", NULL },
	{ "join besides same_as", PLAN_W_DEP_DUPLICATE, 4, 40, 1, HEAD "units:\n  - {id: a, command: [x, \"{item}\"], for_each: [1]}\n  - {id: b, command: [x], depends_on: [a], for_each: {same_as: a}, prompt: \"{{item}}\"}\n", NULL },
	{ "case", PLAN_W_CASE_OVERLAP, 4, 49, 3, HEAD "units:\n  - {id: a, command: [x], allowed_directories: [src]}\n  - {id: b, command: [x], allowed_directories: [SRC]}\n", NULL },
	{ "shell", PLAN_W_SHELL, 2, 35, 12, HEAD "units: [{id: a, command: [sh, -c, \"echo {{v}}\"]}]\ncontext: {v: 1}\n", "env" },
	{ "shell with the item", PLAN_W_SHELL, 2, 44, 0, HEAD "units: [{id: a, command: [/bin/bash, -euc, \"echo {item}\"], for_each: [1]}]\n", "env" },
	{ "item nobody names", PLAN_W_ITEM_UNUSED, 2, 41, 0, HEAD "units: [{id: a, command: [x], for_each: [1, 2]}]\n", NULL },
};

static bool says(const struct plan_diag *g, const char *words)
{
	return !words || (g->message && strstr(g->message, words)) || (g->hint && strstr(g->hint, words));
}

static int wrong;

static void check(const struct expected *e, bool warning)
{
	struct plan_case c = { 0 };
	int rc = plan_case_load(&c, e->text, PLAN_FORMAT_YAML);
	const struct plan_diag *g = warning ? &c.diags.warning[0] : &c.diags.error[0];
	uint32_t count = warning ? c.diags.warning_count : c.diags.error_count;

	if (rc != (warning ? 0 : -1) || count != 1 || g->code != e->code || (e->col && g->col != e->col) ||
	    g->line != e->line || (e->width && g->width != e->width) || !says(g, e->words) ||
	    (warning ? c.diags.error_count : c.diags.warning_count) != 0) {
		print_error("%s: wanted %s at %u:%u+%u\n%s", e->name, plan_code_name(e->code), e->line, e->col, e->width, e->text);
		plan_case_show(&c);
		print_error("got %u at %u:%u+%u\n", count, g->line, g->col, g->width);
		plan_case_release(&c);
		wrong++;
		return;
	}
	if (!warning) {
		assert_null(c.plan);
		assert_int_equal(c.err.code, RV_E_PLAN);
	}
	plan_case_release(&c);
}

static void every_error_stands_at_its_place(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(errors); i++)
		check(&errors[i], false);
	assert_int_equal(wrong, 0);
}

static void what_is_not_executed_yet_is_refused_by_name(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(unsupported); i++)
		check(&unsupported[i], false);
	assert_int_equal(wrong, 0);
}

static void every_warning_stands_at_its_place(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(warnings); i++)
		check(&warnings[i], true);
	assert_int_equal(wrong, 0);
}

/* E_LIMIT is in test_plan_limits.c, W_UNPLACEABLE, which needs a machine, in t3f-preflight.sh. */
static void no_code_is_forgotten(void **state)
{
	bool seen[PLAN_CODES] = { [PLAN_E_LIMIT] = true, [PLAN_W_UNPLACEABLE] = true };
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(errors); i++)
		seen[errors[i].code] = true;
	for (i = 0; i < RV_ARRAY_LEN(unsupported); i++)
		seen[unsupported[i].code] = true;
	for (i = 0; i < RV_ARRAY_LEN(warnings); i++)
		seen[warnings[i].code] = true;
	for (i = 0; i < PLAN_CODES; i++) {
		if (!seen[i])
			print_error("%s has no test\n", plan_code_name((enum plan_code)i));
		assert_true(seen[i]);
	}
}

static void saying_nothing_is_not_refused(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	plan_case_fine(&c, HEAD
		       "compat_env: []\ncredentials: {}\nworkspace: {enforce: off, allow_read: [], allow_write: []}\n"
		       "units: [{id: a, command: [x], secrets: [], network: full, gateway: auto, hold: false, unless: [],\n"
		       "  accept: [], capabilities: []}]\n");
	assert_int_equal(c.plan->workspace.enforce, PLAN_ENFORCE_OFF);
	plan_case_release(&c);
}

static void mock_refuses_nothing_that_concerns_a_profile(void **state)
{
	static const enum plan_code still[] = { PLAN_E_UNSUPPORTED };
	size_t i, refused = 0;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(unsupported); i++) {
		struct plan_case c = { .opt = { .mock = PLAN_MOCK_ALL } };
		bool other = strncmp(unsupported[i].name, "workspace", 9) == 0 || strncmp(unsupported[i].name, "allow", 5) == 0 ||
			     strcmp(unsupported[i].name, "landlock") == 0 || strcmp(unsupported[i].name, "scan") == 0;
		int rc = plan_case_load(&c, unsupported[i].text, PLAN_FORMAT_YAML);

		if ((rc == 0) == other) {
			print_error("%s\n", unsupported[i].name);
			plan_case_show(&c);
			fail();
		}
		if (other) {
			assert_int_equal(c.diags.error[0].code, still[0]);
			refused++;
		}
		plan_case_release(&c);
	}
	assert_int_equal(refused, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_stands_at_its_place),
		cmocka_unit_test(what_is_not_executed_yet_is_refused_by_name),
		cmocka_unit_test(every_warning_stands_at_its_place),
		cmocka_unit_test(no_code_is_forgotten),
		cmocka_unit_test(saying_nothing_is_not_refused),
		cmocka_unit_test(mock_refuses_nothing_that_concerns_a_profile),
	};

	return RUN(tests);
}
