/* cmd_coordinator.c - `reeve coordinator`: keeps runs and hands out units to nodes, until it is told to end */
#include "cli/cli.h"
#include "cli/daemonlog.h"
#include "cli/events.h"
#include "cli/hook.h"
#include "cli/layout.h"
#include "cli/rundir.h"
#include "cli/tallies.h"
#include "common/net/bus.h"
#include "common/net/loop.h"
#include "common/os/file.h"
#include "common/os/host.h"
#include "common/os/keys.h"
#include "coordinator/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct wish {
	const char *state, *listen, *durability, *on_event, *on_event_type;
	struct cli_daemon_log log;
	bool help;
};

struct running {
	const char *state;
	struct wish *w;
	struct cli_hook *hook;      /* --on-event, or NULL */
	struct cli_tallies tallies; /* for its events */
	struct rv_buf line;
};

/* --- --on-event ------------------------------------------------------------------------------------------------------- */

static void warn_of_hook(void *arg, const char *text)
{
	struct running *r = arg;

	rv_log(&r->w->log.log, RV_LOG_WARN, "on_event", "message", text, NULL);
}

static void tell(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index, bool replayed)
{
	struct running *r = arg;
	struct cli_tally *tally = cli_tallies_feed(&r->tallies, t, core);

	if (replayed)
		cli_hook_durable(r->hook, position);
	if (replayed || !cli_hook_wants(r->hook, t->kind))
		return;
	rv_buf_reset(&r->line);
	cli_event_json(t, tally, core, position, index, &r->line);
	cli_hook_add(r->hook, coord_transition_name(t->kind), rv_buf_str(&r->line), position);
}

static void told_durable(void *arg, uint64_t position)
{
	cli_hook_durable(((struct running *)arg)->hook, position);
}

static void forget_run(void *arg, uint64_t run)
{
	cli_tallies_forget(&((struct running *)arg)->tallies, run);
}

static int turn_hook(void *arg, int *fd)
{
	struct running *r = arg;

	cli_hook_turn(r->hook);
	*fd = cli_hook_fd(r->hook);
	return *fd < 0 ? 0 : NET_READ | (cli_hook_wants_write(r->hook) ? NET_WRITE : 0);
}

static void end_hook(void *arg)
{
	cli_hook_end(((struct running *)arg)->hook);
}

static int make_hook(struct running *r, struct coord_server_config *cfg, struct rv_err *err)
{
	struct cli_hook_config hook = { .command = r->w->on_event, .types = r->w->on_event_type, .warn = warn_of_hook, .arg = r };

	if (!hook.command && !hook.types)
		return 0;
	if (cli_hook_create(&hook, &r->hook, err) < 0)
		return -1;
	cfg->transition = tell;
	cfg->durable = told_durable;
	cfg->run_gone = forget_run;
	cfg->turned = turn_hook;
	cfg->ending = end_hook;
	return 0;
}

/* Once the state directory is ours. */
static void start_hook(struct running *r)
{
	char dir[PATH_MAX];
	struct rv_err err;

	if ((size_t)snprintf(dir, sizeof dir, "%s/%s", r->state, CLI_DIR_HOOK) >= sizeof dir)
		warn_of_hook(r, "--on-event: the state directory's path is too long");
	else if (cli_hook_start(r->hook, dir, &err) < 0)
		warn_of_hook(r, err.msg);
}

/* --- the loop ------------------------------------------------------------------------------------------------------------ */

/* For people and for scripts that wait for it. */
static void serving(void *arg, uint64_t epoch, const char *endpoint)
{
	struct running *r = arg;
	char number[32];

	(void)snprintf(number, sizeof number, "%llu", (unsigned long long)epoch);
	rv_log(&r->w->log.log, RV_LOG_INFO, "coordinator_serving", "state", r->state, "epoch", number, "durability",
	       r->w->durability ? r->w->durability : "power", "listen", endpoint ? endpoint : "none", "version", CLI_VERSION, NULL);
	if (r->hook)
		start_hook(r);
}

static int settle(struct wish *w, struct coord_server_config *cfg, struct rv_err *err)
{
	static const char *const durabilities[] = { "power", "process" };
	int durability = 0;

	if ((w->durability && cli_choose(w->durability, durabilities, 2, "durability", &durability, err)) || cli_daemon_log_set(&w->log, err))
		return -1;
	if (w->listen && net_endpoint_check(rv_str_of(w->listen), NET_ENDPOINT_LISTEN, err) < 0)
		return -1;
	cfg->durability = durability == 0 ? JOURNAL_POWER : JOURNAL_PROCESS;
	cfg->log = &w->log.log;
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

static int taken(const struct running *r, struct rv_err *err)
{
	struct rv_lock_holder holder;
	char who[256], here[RV_HOST_NAME_MAX + 1], end[64] = "";

	if (!cli_rundir_held(r->state, &holder))
		return -1;
	rv_lock_holder_text(&holder, who, sizeof who);
	rv_host_name(here);
	if (holder.known && strcmp(holder.host, here) == 0)
		(void)snprintf(end, sizeof end, "`kill %d` ends it, what runs goes on; ", (int)holder.pid);
	(void)rv_fail(err, RV_E_BUSY, "%s is in use by %s", r->state, who);
	return rv_hint(err, "%s`reeve coordinator --state DIR` starts one more in a directory of its own", end);
}

/* The next port is as good a guess as any. */
static int cannot_listen(const struct wish *w, struct rv_err *err)
{
	const char *colon = strrchr(w->listen, ':');
	int host = (int)(colon - w->listen);
	unsigned port = (unsigned)strtoul(colon + 1, NULL, 10);

	if (err->sys == EADDRINUSE) {
		(void)rv_fail(err, RV_E_BUSY, "cannot listen on %s: another process on this machine has the port %u", w->listen, port);
		return rv_hint(err, "`--listen '%.*s:%u'` takes another one, '%.*s:*' any free one; `ss -ltnp 'sport = :%u'` tells who has it", host, w->listen,
			       port < 65535 ? port + 1 : port - 1, host, w->listen, port);
	}
	if (err->sys == EADDRNOTAVAIL || err->sys == ENODEV)
		return rv_hint(err, "%.*s is no address of this machine; --listen 'tcp://*:%u' listens on all that it has", host > 6 ? host - 6 : 0, w->listen + 6, port);
	if (err->sys == EACCES)
		return rv_hint(err, "a port below 1024 is root's: --listen '%.*s:%u'", host, w->listen, port + 7000);
	return -1;
}

/* Only the cause is known below: who asked for it knows what helps. */
static void help(const struct running *r, struct rv_err *err)
{
	if (err->code == RV_E_BUSY)
		(void)taken(r, err);
	else if (r->w->listen && strstr(err->msg, r->w->listen))
		(void)cannot_listen(r->w, err);
	else
		cli_rundir_hint(err);
}

static int serve(struct running *r, struct coord_server_config *cfg)
{
	char state[PATH_MAX];
	struct rv_err err;

	if (settle(r->w, cfg, &err) || cli_rundir_state(state, r->w->state, &err))
		return cli_fail(&err);
	r->state = cfg->state_dir = state;
	if (make_hook(r, cfg, &err) < 0)
		return cli_fail(&err);
	raise_descriptors();
	rv_random(&cfg->seed, sizeof cfg->seed);
	if (coord_server_run(cfg, &err) == 0)
		return CLI_OK;
	help(r, &err);
	return cli_fail(&err);
}

static int run(struct wish *w)
{
	struct running r = { .w = w };
	struct coord_server_config cfg = { .listen = w->listen, .version = CLI_VERSION, .serving = serving, .arg = &r };
	int status;

	cli_tallies_init(&r.tallies);
	rv_buf_init(&r.line, 0);
	status = serve(&r, &cfg);
	cli_hook_destroy(&r.hook);
	cli_tallies_release(&r.tallies);
	rv_buf_release(&r.line);
	return status;
}

int cli_cmd_coordinator(int argc, char **argv)
{
	struct wish w = { 0 };
	const struct rv_opt table[] = {
		{ "state", 0, RV_OPT_STRING, &w.state, "DIR", "its journal, blobs and socket (default .reeve)", 0, 0 },
		{ "listen", 0, RV_OPT_STRING, &w.listen, "ADDR", "tcp://HOST:PORT for nodes and clients elsewhere (default: this host only)", 0, 0 },
		{ "durability", 0, RV_OPT_STRING, &w.durability, "power|process", "what an acknowledged result survives (default power)", 0, 0 },
		CLI_OPT_LOG_LEVEL(&w.log.level_word),
		CLI_OPT_LOG_FORMAT(&w.log.format_word),
		{ "on-event", 0, RV_OPT_STRING, &w.on_event, "CMD", "run by a shell for each transition, which is JSON on its stdin; 10 s each", 0, 0 },
		{ "on-event-type", 0, RV_OPT_STRING, &w.on_event_type, "T,...", "... of these types only: unit_finished,run_finished", 0, 0 },
		{ "http", 0, RV_OPT_LATER, NULL, "ADDR", CLI_WAITS_COMFORTS, 0, 0 },
		CLI_OPT_NO_FORMAT("it answers nothing; --log-format is of its log"),
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
