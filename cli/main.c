/* main.c - the program: a table of subcommands, and what is done before any of them
 *
 * A map of this folder:
 *
 *	main.c            the table, help, a robust start
 *	cli.h, usage      what a subcommand is, and how its help is printed
 *	error, out        errors once, on stderr, as text or JSON; stdout that never loses a failed write
 *	text, render      other people's text made harmless; formats, tables, durations, JSON
 *	statusline        the live line of a run
 *	events            a transition of the core as one line of JSON
 *	tally, reason     what became of each unit and why, fed by transitions
 *	result, summary   reeve.result/1; the same for people, as text and Markdown
 *	place, client     which coordinator is meant, and asking it; login: what `login` keeps
 *	find, runview     a run's state directory, opened and replayed through the coordinator's core
 *	layout.h, rundir  what lies where in a state directory; the directory of one run
 *	cmd_run           one host: coordinator and node in this process: runargs its words, planload and preflight the
 *	                  plan, session from there to the result, host both shells on one loop, live what is seen of
 *	                  it meanwhile, settings what is kept of how it began; dryrun, only, dirlock
 *	cmd_check, cmd_graph, cmd_import             plans
 *	cmd_token, cmd_login                         who may join a coordinator; login: the coordinators that were joined
 *	cmd_coordinator   the loop of coordinator/server.h, its options and log
 *	cmd_status (unitview), cmd_logs (logs), cmd_output, cmd_events (schedule), cmd_rm, cmd_retry; query.h
 *	cmd_submit, cmd_wait (follow), cmd_act (act), cmd_nodes (rows)      of a coordinator; remote: a run there
 *
 * Floors: cli/ is the only folder that sees both coordinator/ and node/.
 */
#include "cli/cli.h"
#include "cli/host.h"
#include "common/id.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* --- the table --------------------------------------------------------------------------------------------------- */

enum group { PLANS, RUNS, ACTS, MACHINES, HOST };

static const char *const group_titles[] = {
	[PLANS] = "Plans",
	[RUNS] = "Runs, running or ended",
	[ACTS] = "Acting on them",
	[MACHINES] = "Many machines",
	[HOST] = "This machine and this program",
};

struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *summary;
	enum group group;
	const char *waits; /* not built yet: for what; fn is NULL then */
};

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command commands[] = {
	{ "run", cli_cmd_run, "run a plan on this machine, live, until it has ended", PLANS, NULL },
	{ "check", cli_cmd_check, "validate a plan: every mistake with its place and cure", PLANS, NULL },
	{ "graph", cli_cmd_graph, "draw a plan: levels and critical path, dot or mermaid", PLANS, NULL },
	{ "import", cli_cmd_import, "turn another format into a plan on stdout", PLANS, NULL },
	{ "init", NULL, "write a starter plan", PLANS, CLI_WAITS_COMFORTS },

	{ "status", cli_cmd_status, "runs; a run's units with reasons; a unit's attempts", RUNS, NULL },
	{ "logs", cli_cmd_logs, "what a unit printed (-f follows)", RUNS, NULL },
	{ "output", cli_cmd_output, "a unit's output value", RUNS, NULL },
	{ "artifacts", cli_cmd_artifacts, "files that units handed over; --copy fetches them", RUNS, NULL },
	{ "events", cli_cmd_events, "everything that happened, in order (-f follows)", RUNS, NULL },
	{ "export", cli_cmd_export, "a run as events or schedule", RUNS, NULL },
	{ "explain", cli_cmd_explain, "why a unit is not running", RUNS, NULL },
	{ "watch", cli_cmd_watch, "live view of a run", RUNS, NULL },
	{ "wait", cli_cmd_wait, "wait for a run to end", RUNS, NULL },
	{ "top", NULL, "live utilisation", RUNS, CLI_WAITS_COMFORTS },
	{ "usage", NULL, "tokens, cost and CPU by run, unit, agent, model", RUNS, CLI_WAITS_AGENTS },

	{ "retry", cli_cmd_retry, "one more try for a unit of an ended run", ACTS, NULL },
	{ "rm", cli_cmd_rm, "remove an ended run", ACTS, NULL },
	{ "cancel", cli_cmd_cancel, "cancel a run or unit", ACTS, NULL },
	{ "pause", cli_cmd_pause, "stop handing out units of a run", ACTS, NULL },
	{ "unpause", cli_cmd_unpause, "the opposite of pause", ACTS, NULL },
	{ "skip", cli_cmd_skip, "skip a unit", ACTS, NULL },
	{ "hold", cli_cmd_hold, "keep a unit waiting for a release", ACTS, NULL },
	{ "release", cli_cmd_release, "let a held unit go", ACTS, NULL },
	{ "set", cli_cmd_set, "change max_workers, priority or limits of a live run", ACTS, NULL },

	{ "coordinator", cli_cmd_coordinator, "keep runs and hand out units to nodes", MACHINES, NULL },
	{ "node", cli_cmd_node, "run units for a coordinator", MACHINES, NULL },
	{ "token", cli_cmd_token, "who may join, and with which role", MACHINES, NULL },
	{ "key", cli_cmd_key, "list and revoke keys", MACHINES, NULL },
	{ "login", cli_cmd_login, "remember a coordinator", MACHINES, NULL },
	{ "submit", cli_cmd_submit, "hand a plan to a coordinator", MACHINES, NULL },
	{ "add", NULL, "add units to an open run", MACHINES, CLI_WAITS_MACHINES },
	{ "close", NULL, "no more units for an open run", MACHINES, CLI_WAITS_MACHINES },
	{ "nodes", cli_cmd_nodes, "nodes and their health", MACHINES, NULL },
	{ "drain", cli_cmd_drain, "no new units for a node", MACHINES, NULL },
	{ "undrain", cli_cmd_undrain, "the opposite of drain", MACHINES, NULL },
	{ "remove", cli_cmd_remove, "fence a node's attempts and revoke its key", MACHINES, NULL },
	{ "credentials", NULL, "provider keys, masked, and their state", MACHINES, CLI_WAITS_AGENTS },
	{ "mcp", NULL, "stdio bridge to an attempt's MCP endpoint", MACHINES, CLI_WAITS_AGENTS },

	{ "doctor", NULL, "checks of host and agents, with fixes", HOST, CLI_WAITS_COMFORTS },
	{ "df", NULL, "disk used by each run", HOST, CLI_WAITS_COMFORTS },
	{ "gc", NULL, "remove what may go", HOST, CLI_WAITS_COMFORTS },
	{ "completion", NULL, "completion for a shell", HOST, CLI_WAITS_COMFORTS },
	{ "help", cmd_help, "this text, or the options of a verb", HOST, NULL },
	{ "version", cmd_version, "the version of this program", HOST, NULL },
};

static const struct command *find(const char *name)
{
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown_verb(const char *name)
{
	const char *names[RV_ARRAY_LEN(commands)];
	struct rv_err err;
	size_t i;
	int nearest;

	for (i = 0; i < RV_ARRAY_LEN(commands); i++)
		names[i] = commands[i].name;
	nearest = rv_nearest(rv_str_of(name), names, RV_ARRAY_LEN(commands));
	(void)rv_fail(&err, RV_E_USAGE, "there is no command \"%.64s\"", name);
	if (nearest >= 0)
		(void)rv_hint(&err, "did you mean %s?", names[nearest]);
	else
		(void)rv_hint(&err, "`reeve help` lists them");
	return cli_fail(&err);
}

static int not_built(const struct command *c)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_UNSUPPORTED, "`reeve %s` is not built yet; it %s", c->name, c->waits);
	(void)rv_hint(&err, "`reeve help` lists what is");
	return cli_fail(&err);
}

/* --- help and version ------------------------------------------------------------------------------------------------ */

static void put_overview(struct rv_buf *out)
{
	size_t i;
	enum group g;

	(void)rv_buf_puts(out, "reeve runs plans: graphs of commands and agents, on this machine.\n\n"
			       "  reeve run PLAN        run it        reeve help VERB       options of a verb\n"
			       "  reeve check PLAN      validate it   reeve status          runs so far\n");
	for (g = PLANS; g <= HOST; g++) {
		bool titled = false;

		for (i = 0; i < RV_ARRAY_LEN(commands); i++) {
			if (commands[i].group != g || commands[i].waits)
				continue;
			if (!titled)
				(void)rv_buf_printf(out, "\n%s\n", group_titles[g]);
			titled = true;
			(void)rv_buf_printf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
		}
	}
	(void)rv_buf_puts(out, "\nNot built yet:");
	for (i = 0; i < RV_ARRAY_LEN(commands); i++)
		if (commands[i].waits)
			(void)rv_buf_printf(out, " %s", commands[i].name);
	(void)rv_buf_putc(out, '\n');
}

static int cmd_help(int argc, char **argv)
{
	struct rv_buf out;
	int status;

	if (argc > 1) {
		const struct command *c = find(argv[1]);
		char help[] = "--help";
		char *words[] = { argv[1], help, NULL };

		if (!c)
			return unknown_verb(argv[1]);
		if (c->waits)
			return not_built(c);
		if (c->fn != cmd_help)
			return c->fn(2, words);
	}
	rv_buf_init(&out, 0);
	put_overview(&out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (cli_error_is_json())
		return cli_answer(RV_STR("{\"schema\":\"reeve.version/1\",\"version\":\"" CLI_VERSION "\"}\n"), CLI_OK);
	return cli_answer(RV_STR("reeve " CLI_VERSION "\n"), CLI_OK);
}

/* --- start ------------------------------------------------------------------------------------------------------------ */

static void ignore(int number)
{
	(void)number;
}

/* Descriptors 0-2 that are closed would be given to the journal or a socket, and talk would be written into it. Opened
 * the wrong way round, they keep failing as closed ones do: an answer that goes nowhere is an error, not a success. */
static int fill_descriptors(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return -1;
	}
	return 0;
}

/* A reader that goes away must not kill a run in the middle: EPIPE is answered where it was written. A handler, not
 * SIG_IGN, since ignoring is inherited by every unit. */
static void keep_off_sigpipe(void)
{
	struct sigaction sa = { .sa_handler = ignore, .sa_flags = SA_RESTART };

	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGPIPE, &sa, NULL);
}

static bool is_word(const char *s, const char *a, const char *b)
{
	return strcmp(s, a) == 0 || strcmp(s, b) == 0;
}

/* Started by a `run` whose warden died, with the channel at a fixed descriptor; nobody types this. */
static int serve_as_warden(void)
{
	struct warden_options options = { .level = WARDEN_LEVEL_NONE };

	return warden_main(WARDEN_EXEC_FD, &options);
}

int main(int argc, char **argv)
{
	const struct command *c;

	if (fill_descriptors())
		return CLI_INTERNAL;
	keep_off_sigpipe();
	cli_error_setup(argc, argv);
	if (argc < 2) {
		struct rv_err err;

		(void)rv_fail(&err, RV_E_USAGE, "a command is missing");
		(void)rv_hint(&err, "`reeve help` lists them");
		return cli_fail(&err);
	}
	if (is_word(argv[1], "-h", "--help"))
		return cmd_help(argc - 1, argv + 1);
	if (is_word(argv[1], "-V", "--version"))
		return cmd_version(argc - 1, argv + 1);
	if (strcmp(argv[1], CLI_WARDEN_VERB) == 0)
		return serve_as_warden();
	c = find(argv[1]);
	if (!c)
		return unknown_verb(argv[1]);
	if (c->waits)
		return not_built(c);
	return c->fn(argc - 1, argv + 1);
}
