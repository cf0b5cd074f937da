/* cmd_node.c - `reeve node`: this machine runs units for a coordinator
 *
 * The process becomes the warden; the daemon is its child (node/serve.h). Words are checked before, so that a mistake starts nothing.
 */
#include "cli/cli.h"
#include "cli/daemonlog.h"
#include "cli/layout.h"
#include "cli/place.h"
#include "cli/resources.h"
#include "cli/runargs.h"
#include "cli/session.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/host.h"
#include "node/agents/found.h"
#include "node/enrol.h"
#include "node/serve.h"
#include "node/warden/parent.h"
#include "node/workspace/places.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { AGENT_SLOTS_DEFAULT = 8 };

extern char **environ;

struct node {
	struct cli_run_args args;       /* what `run` has as well */
	const char *coordinator, *token_file, *name_word, *state_word;
	struct rv_opt_list maps;
	struct node_map_rule rules[RV_OPT_LIST_MAX];
	struct rv_opt_list agents;
	struct proto_pair agent_paths[RV_OPT_LIST_MAX];
	char paths[NODE_FOUND_MAX][PATH_MAX]; /* of --agent, absolute */
	struct node_found_all found;
	char name[RV_NAME_BYTES_MAX + 1];
	char state[PATH_MAX], coordinator_path[PATH_MAX];
	struct cli_settings settings;
	struct cli_machine machine;
	struct cli_daemon_log log;
	const char *whose[3];           /* node=NAME, in each line */
	struct node_serve_config serve;
};

/* --- words ------------------------------------------------------------------------------------------------------------ */

static int parse(struct node *n, int argc, char **argv, struct rv_err *err)
{
	struct cli_run_args *a = &n->args;
	const struct rv_opt table[] = {
		{ "coordinator", 0, RV_OPT_STRING, &n->coordinator, "ADDR", "tcp://HOST:PORT, or the state directory of one on this host", 0, 0 },
		{ "token-file", 0, RV_OPT_STRING, &n->token_file, "FILE", "a token of `reeve token create` (-: standard input); only to join", 0, 0 },
		{ "slots", 0, RV_OPT_UINT, &a->jobs, "N", "command units at once (default: usable CPUs)", 1, RV_SLOTS_MAX },
		{ "agent-slots", 0, RV_OPT_UINT, &a->agent_slots, "N", "agent units at once (default 8)", 1, RV_SLOTS_MAX },
		{ "map", 0, RV_OPT_LIST, &n->maps, "FROM=TO", "a workspace at FROM elsewhere is at TO here", 0, 0 },
		{ "pass-env", 0, RV_OPT_LIST, &a->pass_env, "NAME", "let a variable through to units", 0, 0 },
		{ "label", 0, RV_OPT_LIST, &a->labels, "K=V", "a label of this machine, for units that ask for it", 0, 0 },
		{ "resource", 0, RV_OPT_LIST, &a->resources, "K=N", "how much of a resource this machine has, or which ones: gpus=[0,1]", 0, 0 },
		{ "state", 0, RV_OPT_STRING, &n->state_word, "DIR", "where the node keeps its things (default .reeve/nodes/NAME)", 0, 0 },
		{ "name", 0, RV_OPT_STRING, &n->name_word, "NAME", "under which it is known (default: the host's)", 0, 0 },
		CLI_OPT_LOG_LEVEL(&n->log.level_word),
		CLI_OPT_LOG_FORMAT(&n->log.format_word),
		{ "secrets-file", 0, RV_OPT_LATER, NULL, "FILE", CLI_WAITS_AGENTS, 0, 0 },
		{ "agent", 0, RV_OPT_LIST, &n->agents, "NAME=PATH", "where the program of an agent is, if not in PATH: claude=/opt/claude", 0, 0 },
		{ "run-as", 0, RV_OPT_LATER, NULL, "USER", CLI_WAITS_COMFORTS, 0, 0 },
		{ "idle-exit", 0, RV_OPT_LATER, NULL, "S", CLI_WAITS_COMFORTS, 0, 0 },
		{ "time-left", 0, RV_OPT_LATER, NULL, "S", CLI_WAITS_COMFORTS, 0, 0 },
		{ "http", 0, RV_OPT_LATER, NULL, "ADDR", CLI_WAITS_COMFORTS, 0, 0 },
		CLI_OPT_NO_FORMAT("it answers nothing; --log-format is of its log"),
		CLI_OPT_HELP(&a->help),
		CLI_OPT_END,
	};
	int words = 0;

	if (rv_opts_parse(table, argc, argv, &words, NULL, err) < 0)
		return -1;
	if (a->help) {
		(void)cli_usage("node", "", "Runs units for a coordinator, until it is ended by TERM or INT.", table);
		return 1;
	}
	if (words && strcmp(argv[0], "reload") == 0)
		return rv_fail(err, RV_E_UNSUPPORTED, "`reeve node reload` is not built yet; it " CLI_WAITS_COMFORTS);
	if (words)
		return rv_fail(err, RV_E_USAGE, "node takes no words, only options, not \"%.64s\"", argv[0]);
	return 0;
}

/* The host's name with what no name may hold replaced. */
static void default_name(char out[RV_NAME_BYTES_MAX + 1])
{
	char host[RV_HOST_NAME_MAX + 1];

	rv_host_name(host);
	(void)snprintf(out, RV_NAME_BYTES_MAX + 1, "%s", host);
	for (char *c = out; *c; c++)
		if (!rv_name_valid(rv_str(c, 1)))
			*c = '_';
}

static int set_name(struct node *n, struct rv_err *err)
{
	if (!n->name_word) {
		default_name(n->name);
		return 0;
	}
	if (strlen(n->name_word) > RV_NAME_BYTES_MAX || !rv_name_valid(rv_str_of(n->name_word)))
		return rv_fail(err, RV_E_USAGE, "--name \"%.80s\" is no name (letters, digits, . _ -; at most %u)", n->name_word, RV_NAME_BYTES_MAX);
	(void)snprintf(n->name, sizeof n->name, "%s", n->name_word);
	return 0;
}

static int absolute(const char *path, char out[PATH_MAX], struct rv_err *err)
{
	char here[PATH_MAX];
	int bytes;

	if (!getcwd(here, sizeof here))
		return rv_fail_errno(err, errno, "cannot tell the current directory");
	bytes = path[0] == '/' ? snprintf(out, PATH_MAX, "%s", path) : snprintf(out, PATH_MAX, "%s/%s", here, path);
	return bytes < PATH_MAX ? 0 : rv_fail(err, RV_E_LIMIT, "the path %.200s is too long", path);
}

static int set_state(struct node *n, struct rv_err *err)
{
	char path[PATH_MAX];

	if (n->state_word)
		return absolute(n->state_word, n->state, err);
	(void)snprintf(path, sizeof path, CLI_DIR_STATE "/" CLI_DIR_NODES "/%s", n->name);
	return absolute(path, n->state, err);
}

static bool is_member(const struct node *n)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof path, "%s/" NODE_MEMBERSHIP_FILE, n->state);
	return access(path, F_OK) == 0;
}

/* The one near is not taken unasked: a node stays where it was started once, and is no guest of whoever happens to be there. */
static int nobody_named(struct rv_err *err)
{
	struct cli_place near;
	struct rv_err why;
	int found = cli_place_find(NULL, CLI_PLACE_NO_RUNS, RV_STR(""), &near, &why);

	(void)rv_fail(err, RV_E_USAGE, "node needs to know its coordinator");
	if (near.kind == CLI_PLACE_COORDINATOR)
		return found == 0 ? rv_hint(err, "`reeve node --coordinator %s` runs units for the one here", near.dir)
				  : rv_hint(err, "`reeve node --coordinator %s`, for the one here, which is not running: `reeve coordinator --state %s` starts it", near.dir, near.dir);
	return rv_hint(err, "--coordinator DIR, the state directory of one on this host (`reeve coordinator` starts it), or, to join one elsewhere,"
			    " --token-file FILE with what `reeve token create` printed there");
}

static int set_coordinator(struct node *n, struct rv_err *err)
{
	const char *at = n->coordinator ? n->coordinator : getenv("REEVE_COORDINATOR");
	char journal[PATH_MAX + sizeof CLI_FILE_JOURNAL];
	struct rv_err guess = { 0 };

	if (!at || !at[0]) {
		if (n->token_file || is_member(n))
			return 0;
		return nobody_named(err);
	}
	if (strstr(at, "://")) {
		if (strncmp(at, "tcp://", 6) != 0 || net_endpoint_check(rv_str_of(at), NET_ENDPOINT_CONNECT, err) < 0)
			return strncmp(at, "tcp://", 6) != 0 ? rv_fail(err, RV_E_USAGE, "--coordinator %.200s: a coordinator elsewhere is tcp://HOST:PORT", at) : -1;
		n->serve.coordinator = at;
		return 0;
	}
	if (absolute(at, n->coordinator_path, err) < 0)
		return -1;
	if (access(n->coordinator_path, F_OK) < 0) {
		(void)rv_fail(err, RV_E_UNREACHABLE, "there is no coordinator's state directory %s", at);
		return cli_place_guess(at, err) ? -1 : rv_hint(err, "a coordinator elsewhere is tcp://HOST:PORT; `reeve coordinator --state %s` starts one here", at);
	}
	(void)snprintf(journal, sizeof journal, "%s/" CLI_FILE_JOURNAL, n->coordinator_path);
	if (access(journal, F_OK) < 0 && cli_place_guess(at, &guess)) { /* where nothing speaks for another, one that will be there is waited for */
		(void)rv_fail(err, RV_E_UNREACHABLE, "%s is not the state directory of a coordinator", at);
		return rv_hint(err, "%s", guess.hint);
	}
	n->serve.coordinator = n->coordinator_path;
	return 0;
}

static int set_agents(struct node *n, struct rv_err *err)
{
	struct node_daemon_config *cfg = &n->serve.node;

	for (uint32_t i = 0; i < n->agents.count; i++) {
		const struct node_profile *p;
		struct rv_str name, path;
		char found[PATH_MAX];

		if (i == NODE_FOUND_MAX)
			return rv_fail(err, RV_E_LIMIT, "more than %u --agent", NODE_FOUND_MAX);
		if (cli_split_pair("agent", n->agents.item[i], &name, &path, err) < 0)
			return -1;
		p = node_profile_named(name);
		if (!p)
			return rv_fail(err, RV_E_USAGE, "--agent %.*s: there is no such profile; there are claude and codex", RV_STR_ARGS(name));
		if (absolute(path.at, n->paths[i], err) < 0)
			return -1;
		n->agent_paths[i] = (struct proto_pair){ rv_str_of(p->name), rv_str_of(n->paths[i]) };
		cfg->agents = n->agent_paths;
		cfg->agent_count = i + 1;
		if (!node_found_program(cfg, p, found))
			return rv_fail(err, RV_E_NOT_FOUND, "--agent %s: %s is no program that can be executed", p->name, n->paths[i]);
	}
	node_found_look(cfg, &n->found);
	cfg->found = n->found.label;
	cfg->found_count = n->found.count;
	return 0;
}

static int set_up(struct node *n, struct rv_err *err)
{
	n->args.plan = "";
	if (!n->args.agent_slots)
		n->args.agent_slots = AGENT_SLOTS_DEFAULT;
	if (cli_daemon_log_set(&n->log, err) < 0 || cli_run_args_machine(&n->args, &n->settings, err) < 0 || set_name(n, err) < 0 || set_state(n, err) < 0 ||
	    set_coordinator(n, err) < 0)
		return -1;
	cli_machine_init(&n->machine, &n->settings);
	n->serve.node = n->machine.node;
	n->serve.node.name = rv_str_of(n->name);
	n->serve.node.env = (const char *const *)environ;
	n->serve.node.workspace = n->serve.node.plan_dir = n->serve.node.namespace_root = rv_str(NULL, 0);
	for (uint32_t i = 0; i < n->maps.count; i++)
		if (node_map_rule_parse(n->maps.item[i], &n->rules[i], err) < 0)
			return -1;
	if (set_agents(n, err) < 0)
		return -1;
	n->serve.node.maps = n->rules;
	n->serve.node.map_count = n->maps.count;
	n->serve.state_dir = n->state;
	n->serve.token_file = n->token_file;
	n->whose[0] = "node";
	n->whose[1] = n->name;
	n->log.log.always = n->whose;
	n->serve.log = &n->log.log;
	return 0;
}

/* --- the daemon, in the warden's child --------------------------------------------------------------------------------------- */

static int daemon_main(void *arg, struct warden_client *client)
{
	struct node *n = arg;
	struct rv_err err = { 0 };
	int rc;

	rv_process_title("reeve-node", "node"); /* the warden beside it is reeve-warden */
	node_found_ask(&n->found);
	n->serve.warden = client;
	rc = node_serve(&n->serve, &err);
	warden_client_close(client, WARDEN_CLOSE_DETACH);
	return rc == 0 ? CLI_OK : cli_fail(&err);
}

int cli_cmd_node(int argc, char **argv)
{
	struct node *n = calloc(1, sizeof *n);
	struct rv_err err = { 0 };
	int status;

	if (!n)
		return cli_failf(RV_E_NO_MEMORY, "no memory for a node");
	status = parse(n, argc, argv, &err);
	if (status == 0)
		status = set_up(n, &err);
	if (status == 0) {
		struct warden_daemon daemon = { .main = daemon_main, .arg = n, .log = &n->log.log };

		status = warden_parent_main(&daemon, NULL, &err);
		if (status < 0)
			status = cli_fail(&err);
	} else {
		status = status == 1 ? CLI_OK : cli_fail(&err);
	}
	free(n);
	return status;
}
