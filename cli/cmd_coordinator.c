/* cmd_coordinator.c - `reeve coordinator`: keeps runs and hands out units to nodes, until it is told to end */
#include "cli/cli.h"
#include "cli/rundir.h"
#include "common/os/file.h"
#include "common/os/keys.h"
#include "coordinator/server.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct wish {
	const char *state, *listen, *durability, *log_level, *log_format;
	bool help;
};

struct running {
	const char *state;
	const struct wish *w;
	struct rv_log log;
};

static void log_line(void *arg, const char *line, size_t bytes)
{
	(void)arg;
	while (bytes) { /* a stderr that takes nothing is nobody's problem */
		ssize_t n = write(STDERR_FILENO, line, bytes);

		if (n <= 0)
			return;
		line += n;
		bytes -= (size_t)n;
	}
}

/* One line on stdout, for people and for scripts that wait for it. */
static void serving(void *arg, uint64_t epoch, const char *endpoint)
{
	struct running *r = arg;
	char number[32];

	(void)snprintf(number, sizeof number, "%llu", (unsigned long long)epoch);
	rv_log(&r->log, RV_LOG_INFO, "coordinator_serving", "state", r->state, "epoch", number, "durability",
	       r->w->durability ? r->w->durability : "power", "listen", endpoint ? endpoint : "none", "version", CLI_VERSION, NULL);
}

static int choose(const char *word, const char *const *names, int count, const char *option, int *out, struct rv_err *err)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(word, names[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	(void)rv_fail(err, RV_E_USAGE, "--%s is %s, not \"%.32s\"", option, count == 2 ? names[0] : "one of error, warn, info, debug", word);
	return count == 2 ? rv_hint(err, "%s or %s", names[0], names[1]) : -1;
}

static int settle(const struct wish *w, struct running *r, struct coord_server_config *cfg, struct rv_err *err)
{
	static const char *const durabilities[] = { "power", "process" };
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	static const char *const formats[] = { "text", "json" };
	int durability = 0, level = RV_LOG_INFO, format = RV_LOG_TEXT;

	if ((w->durability && choose(w->durability, durabilities, 2, "durability", &durability, err)) ||
	    (w->log_level && choose(w->log_level, levels, 4, "log-level", &level, err)) ||
	    (w->log_format && choose(w->log_format, formats, 2, "log-format", &format, err)))
		return -1;
	cfg->durability = durability == 0 ? JOURNAL_POWER : JOURNAL_PROCESS;
	r->log = (struct rv_log){ .sink = log_line, .level = (enum rv_log_level)level, .format = (enum rv_log_format)format };
	return 0;
}

/* A connection is a descriptor: as many as may be. Nothing is started from here that would inherit the limit. */
static void raise_descriptors(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim); /* else fewer fit: net_router says how many */
	}
}

static int run(const struct wish *w)
{
	struct running r = { .w = w };
	struct coord_server_config cfg = { .listen = w->listen, .version = CLI_VERSION, .serving = serving, .arg = &r };
	char state[PATH_MAX];
	struct rv_err err;

	if (settle(w, &r, &cfg, &err) || cli_rundir_state(state, w->state, &err))
		return cli_fail(&err);
	raise_descriptors();
	r.state = cfg.state_dir = state;
	cfg.log = &r.log;
	rv_random(&cfg.seed, sizeof cfg.seed);
	if (coord_server_run(&cfg, &err) < 0)
		return cli_fail(&err);
	return CLI_OK;
}

int cli_cmd_coordinator(int argc, char **argv)
{
	struct wish w = { 0 };
	const struct rv_opt table[] = {
		{ "state", 0, RV_OPT_STRING, &w.state, "DIR", "its journal, blobs and socket (default .reeve)", 0, 0 },
		{ "listen", 0, RV_OPT_STRING, &w.listen, "ADDR", "tcp://HOST:PORT for nodes and clients elsewhere (default: this host only)", 0, 0 },
		{ "durability", 0, RV_OPT_STRING, &w.durability, "power|process", "what an acknowledged result survives (default power)", 0, 0 },
		{ "log-level", 0, RV_OPT_STRING, &w.log_level, "LEVEL", "error, warn, info or debug (default info)", 0, 0 },
		{ "log-format", 0, RV_OPT_STRING, &w.log_format, "text|json", "of the lines on stderr (default text)", 0, 0 },
		{ "on-event", 0, RV_OPT_LATER, NULL, "CMD", CLI_WAITS_COMFORTS, 0, 0 },
		{ "on-event-type", 0, RV_OPT_LATER, NULL, "T,...", CLI_WAITS_COMFORTS, 0, 0 },
		{ "http", 0, RV_OPT_LATER, NULL, "ADDR", CLI_WAITS_COMFORTS, 0, 0 },
		CLI_OPT_HELP(&w.help),
		CLI_OPT_END,
	};
	struct rv_err err;
	int words = 0;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err))
		return cli_fail(&err);
	if (w.help)
		return cli_usage("coordinator", "",
				 "Keeps runs in its state directory and hands out their units to nodes, until it gets TERM or INT: what runs\n"
				 "goes on meanwhile, and the next coordinator of the directory takes it over. Nodes and clients of this host\n"
				 "find it by its state directory; others by --listen, encrypted, with a token.", table);
	if (words)
		return cli_failf(RV_E_USAGE, "`reeve coordinator` takes no word, but \"%.64s\" was given", argv[0]);
	return run(&w);
}
