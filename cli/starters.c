/* starters.c - small plans to begin with: each runs as it is, with --mock where it needs agents */
#include "cli/starters.h"

/* clang-format off */
static const char commands[] =
"# A graph of commands: lint and test run side by side, package waits for both.\n"
"#\n"
"#   reeve check plan.yaml      what is wrong with it, all at once\n"
"#   reeve run plan.yaml        run it; `reeve logs UNIT` shows what one printed\n"
"#   reeve help plan            all the keys there are\n"
"version: 1\n"
"name: first\n"
"defaults: {timeout_s: 600}\n"
"units:\n"
"  - id: lint\n"
"    command: [sh, -c, 'echo checking; sleep 0.2; echo \"0 complaints\"']\n"
"  - id: test\n"
"    command: [sh, -c, 'echo testing; sleep 0.4; echo \"12 passed\"']\n"
"    retry: {max: 1}\n"
"  - id: package\n"
"    depends_on: [lint, test]\n"
"    env: {LINT: \"{{_dep_lint}}\", TESTS: \"{{_dep_test}}\"} # the last line that each printed\n"
"    command: [sh, -c, 'echo \"packaged: $LINT, $TESTS\"']\n";

static const char agents[] =
"# Coding agents side by side: each may write its own directory of this tree, so none waits for another.\n"
"#\n"
"#   reeve run plan.yaml --mock   try the graph without agents, keys or cost\n"
"#   reeve run plan.yaml          with Claude Code, by the login you already have\n"
"version: 1\n"
"name: shop\n"
"max_workers: 4\n"
"agents:\n"
"  coder: {profile: claude, home: shared}\n"
"defaults: {agent: coder, timeout_s: 3600}\n"
"units:\n"
"  - id: contract\n"
"    prompt: Write the API of a small shop (articles, cart, order) as api/openapi.yaml.\n"
"    allowed_directories: [api]\n"
"  - id: server\n"
"    prompt: Implement the server of api/openapi.yaml in server/, with tests.\n"
"    allowed_directories: [server]\n"
"    depends_on: [contract]\n"
"  - id: client\n"
"    prompt: Implement a command line client of api/openapi.yaml in client/, with tests.\n"
"    allowed_directories: [client]\n"
"    depends_on: [contract]\n"
"  - id: both\n"
"    command: [sh, -c, 'ls -d api server client']\n"
"    depends_on: [server, client]\n";

static const char fanout[] =
"# The same for many: one unit an item. `for_each: {file: names.txt}` takes a line an item.\n"
"version: 1\n"
"name: fan-out\n"
"max_workers: 8\n"
"limits: {failed: 20} # enough is enough\n"
"units:\n"
"  - id: greet\n"
"    for_each: [Ada, Grace, Edsger, Barbara]\n"
"    command: [echo, \"hello {{item}}\"]\n"
"    retry: {max: 2}\n"
"  - id: all\n"
"    depends_on: [greet]\n"
"    trigger_rule: all_done # also when some failed\n"
"    env: {GREETINGS: \"{{_dep_greet}}\"}\n"
"    command: [sh, -c, 'echo \"$GREETINGS\"']\n";
/* clang-format on */

const struct cli_starter cli_starters[] = {
	{ "commands", "three commands, two of them side by side", commands },
	{ "agents", "coding agents, each in its own directory", agents },
	{ "fan-out", "one unit for each item of a list", fanout },
};

const uint32_t cli_starter_count = RV_ARRAY_LEN(cli_starters);
