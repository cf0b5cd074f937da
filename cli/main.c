/* main.c - the program: a robust start, then the subcommand that is meant
 *
 * A map of this folder:
 *
 *	commands          the table of subcommands
 *	cli.h, usage      what a subcommand is, and how its help is printed or read
 *	cmd_help          help, version; from the same descriptions manual, the pages of the manual, and cmd_completion
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
 *	                  it meanwhile, settings what is kept of how it began; dryrun, only, dirlock; fanout a plan from a
 *	                  command and its inputs (inputs, placeholder), ordered what its units print
 *	cmd_check, cmd_graph, cmd_import             plans
 *	cmd_token, cmd_login                         who may join a coordinator; login: the coordinators that were joined
 *	cmd_coordinator   the loop of coordinator/server.h, its options and log
 *	view/             watch and top on a terminal: units which units are rows, runpage, toppage, textpage what is drawn and what keys ask for,
 *	                  canvas the screen before a terminal, terminal ncurses, stage keys and drawings at work, watch a run's view; cmd_top
 *	hook              --on-event of both: a command that is told of each transition; tallies for a coordinator's runs
 *	cmd_status (unitview), cmd_logs (logs), cmd_output, cmd_events, cmd_rm, cmd_retry; query.h
 *	cmd_export        a run for other tools: schedule; export/ has a file a format, joblog the job log that `run` writes, too
 *	cmd_submit, cmd_wait (follow), cmd_act (act), cmd_nodes, cmd_explain (rows)      of a coordinator; remote: a run there
 *
 * Floors: cli/ is the only folder that sees both coordinator/ and node/.
 */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/host.h"
#include "node/agents/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

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
	const struct cli_command *c;

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
		return cli_cmd_help(argc - 1, argv + 1);
	if (is_word(argv[1], "-V", "--version"))
		return cli_cmd_version(argc - 1, argv + 1);
	if (strcmp(argv[1], CLI_WARDEN_VERB) == 0)
		return serve_as_warden();
	if (strcmp(argv[1], NODE_STEPS_VERB) == 0)
		return node_steps_main(argc - 1, argv + 1);
	c = cli_command_find(argv[1]);
	if (!c)
		return cli_unknown_verb(argv[1]);
	if (c->waits)
		return cli_not_built(c);
	return c->fn(argc - 1, argv + 1);
}
