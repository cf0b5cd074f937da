#include "cli/session.h"

#include "cli/cli.h"
#include "cli/dirlock.h"
#include "cli/find.h"
#include "cli/hook.h"
#include "cli/host.h"
#include "cli/layout.h"
#include "cli/result.h"
#include "cli/resume.h"
#include "cli/rundir.h"
#include "common/net/loop.h"
#include "common/os/clock.h"
#include "common/os/host.h"
#include "common/os/keys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

enum { DIRECTORY_POLL_MS = 200 };

struct session {
	struct cli_session_config *cfg;
	struct cli_machine machine;
	struct cli_rundir dir;
	struct cli_dirlock dirs;
	struct rv_buf settings;    /* as JSON */
	uint64_t number;           /* of the run */
	char state_option[PATH_MAX + 16];
	char log_dir[PATH_MAX], namespaces[PATH_MAX]; /* where what units print lies */
	struct cli_host *host;
	struct cli_live *live;     /* NULL until the run's graph is there */
	struct rv_err live_failed;
	int hook_fd, hook_watch;   /* --on-event; -1: none, or it is over */
	uint32_t interrupts;
	bool settled;              /* settings.json is written */
	bool marked;               /* as living, in the state directory */
	bool accepted;             /* the journal holds the run */
};

void cli_machine_init(struct cli_machine *m, const struct cli_settings *s)
{
	struct node_daemon_config *n = &m->node;

	memset(m, 0, sizeof *m);
	rv_host_name(m->name);
	for (uint32_t i = 0; i < s->label_count; i++)
		m->labels[i] = (struct proto_label){ rv_str_of(s->labels[i].key), rv_str_of(s->labels[i].value) };
	for (uint32_t i = 0; i < s->resource_count; i++) {
		m->resources[i] = (struct proto_named_amount){ rv_str_of(s->resources[i].key), s->resources[i].amount };
		m->resource_names[i] = rv_str_of(s->resource_names[i]);
	}
	node_daemon_config_init(n);
	n->mode = NODE_MODE_RUN;
	n->name = rv_str_of(m->name);
	rv_digest(n->name, n->key); /* a node on the local socket states its name's hash; it has no key to prove */
	n->slots = s->slots;
	n->agent_slots = s->agent_slots;
	n->labels = m->labels;
	n->label_count = s->label_count;
	n->resources = m->resources;
	n->resource_names = m->resource_names;
	n->resource_count = s->resource_count;
	n->workspace = rv_str_of(s->workspace);
	n->plan_dir = rv_str_of(s->plan_dir);
	n->namespace_root = rv_str_of(s->namespace_root);
	n->env = (const char *const *)environ;
	for (uint32_t i = 0; i < s->pass_env_count; i++)
		m->pass_env[i] = s->pass_env[i];
	n->pass_env = m->pass_env;
	n->pass_env_count = s->pass_env_count;
	rv_random(&n->seed, sizeof n->seed);
	node_found_look(n, &m->found);
	n->found = m->found.label;
	n->found_count = m->found.count;
}

/* --- while it runs --------------------------------------------------------------------------------------------------- */

/* What of its one template `run` of a fan-out has to know to show what its units print. */
static int set_order(struct session *s, struct cli_ordered_config *order, struct rv_err *err)
{
	const struct plan_unit *u = s->cfg->plan->unit_count ? &s->cfg->plan->units[0] : NULL;

	if (s->cfg->show != CLI_SHOW_IN_ORDER)
		return 0;
	if ((size_t)snprintf(s->log_dir, sizeof s->log_dir, "%s/log", s->dir.node) >= sizeof s->log_dir ||
	    (size_t)snprintf(s->namespaces, sizeof s->namespaces, "%s/%s/%s/%s", s->cfg->settings.namespace_root, CLI_DIR_RUNS, s->dir.id.text,
			     CLI_DIR_UNITS) >= sizeof s->namespaces)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", s->dir.node);
	order->what = u && !u->command ? CLI_ORDERED_VALUES : CLI_ORDERED_PRINTED;
	order->settled_only = u && u->settings->retry.max > 0;
	order->log_dir = s->log_dir;
	order->namespaces = u && u->flags & PLAN_UNIT_NAMESPACE ? s->namespaces : NULL;
	return 0;
}

static int open_live(struct session *s, const struct coord *core, struct rv_err *err)
{
	struct cli_live_config cfg = {
		.run = s->number,
		.graph = coord_run_graph(core, s->number),
		.format = s->cfg->format,
		.show = s->cfg->show,
		.events_path = s->cfg->events,
		.joblog_path = s->cfg->joblog,
		.joblog_goes_on = s->cfg->go_on != NULL,
		.hook = s->cfg->hook,
		.state_option = s->state_option,
	};

	return set_order(s, &cfg.order, err) < 0 ? -1 : cli_live_create(&cfg, &s->live, err);
}

/* The first transition of the run, live or replayed, says that its graph is there. */
static void on_transition(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index,
			  bool replayed)
{
	struct session *s = arg;

	if (!s->live && (t->run != s->number || s->live_failed.code))
		return;
	if (!s->live && open_live(s, core, &s->live_failed) < 0)
		return;
	cli_live_transition(s->live, t, core, position, index, replayed);
}

static void on_durable(void *arg, uint64_t position)
{
	struct session *s = arg;

	if (s->live)
		cli_live_durable(s->live, position);
}

static void on_output(void *arg, struct proto_attempt_key key, int stream, uint64_t offset, struct rv_str bytes)
{
	struct session *s = arg;

	(void)offset;
	if (s->live)
		cli_live_output(s->live, key, stream, bytes);
}

static void on_finished(void *arg, uint64_t run, enum coord_run_state state, enum proto_reason reason)
{
	struct session *s = arg;

	(void)state;
	(void)reason; /* the tally has them */
	if (run == s->number && s->host)
		cli_host_end(s->host, RV_NEVER, PROTO_REASON_NONE);
}

static void on_signal(void *arg, int signo)
{
	struct session *s = arg;
	uint64_t grace = s->interrupts ? 0 : RV_NEVER;

	if (s->interrupts++ == 0)
		cli_say("%s: cancelling what runs (TERM, then KILL after its grace); once more kills at once",
			signo == SIGINT ? "interrupted" : signo == SIGTERM ? "terminated" : "hung up");
	else
		cli_say("killing");
	if (s->interrupts > 1)
		cli_host_kill_soon(s->host);
	coord_shell_stop_run(cli_host_coordinator(s->host), s->number, PROTO_REASON_INTERRUPTED, grace, rv_clock_boottime_us(),
			     rv_clock_realtime_us());
}

static void on_warden_given_up(void *arg)
{
	(void)arg;
	cli_say("the warden does not answer: killing it, and what it ran");
}

/* What the run was started with, once it is known how units are held together: when the warden has answered, before any of them ran. A run
 * that ends without one has them, too. */
static void settle_settings(struct session *s, bool at_end)
{
	struct cli_settings *set = &s->cfg->settings;
	struct node_daemon_stats stats;
	struct rv_err err;

	if (s->settled)
		return;
	node_daemon_stats(cli_host_node(s->host), &stats);
	if (!stats.level.bytes && !at_end)
		return;
	s->settled = true;
	(void)snprintf(set->kill_level, sizeof set->kill_level, "%.*s", RV_STR_ARGS(stats.level));
	cli_settings_json(set, &s->settings);
	if (cli_settings_write(set, s->dir.run, &err) < 0)
		cli_say("%s: `reeve retry` will not be able to go on with this run", err.msg);
}

/* Lets --on-event go on; its descriptor is watched for what it waits for. */
static void turn_hook(struct session *s)
{
	int fd = s->hook_fd, watch;

	if (fd < 0)
		return;
	cli_hook_turn(s->cfg->hook);
	watch = NET_READ | (cli_hook_wants_write(s->cfg->hook) ? NET_WRITE : 0);
	if (cli_hook_fd(s->cfg->hook) < 0) {
		s->hook_fd = -1;
		watch = 0;
	}
	if (watch != s->hook_watch && cli_host_watch(s->host, fd, watch, NULL) == 0)
		s->hook_watch = watch;
}

/* Reports of running attempts are no transitions: the core is asked. */
static void tell_used(struct session *s)
{
	struct coord_run_counts counts;

	if (!s->live)
		return;
	coord_run_counts(coord_shell_core(cli_host_coordinator(s->host)), s->number, &counts);
	cli_live_used(s->live, counts.tokens, counts.cost_microusd);
}

static uint64_t on_tick(void *arg, uint64_t now_us)
{
	struct session *s = arg;

	settle_settings(s, false);
	turn_hook(s);
	tell_used(s);
	return s->live ? cli_live_tick(s->live, now_us) : RV_NEVER;
}

/* --- start ------------------------------------------------------------------------------------------------------------- */

static int open_host(struct session *s, struct rv_err *err)
{
	struct cli_host_config cfg = {
		.run_dir = s->dir.run,
		.node_dir = s->dir.node,
		.estimates_dir = s->dir.estimates,
		.durability = strcmp(s->cfg->settings.durability, "power") == 0 ? JOURNAL_POWER : JOURNAL_PROCESS,
		.node = s->machine.node,
		.warden = s->cfg->warden,
		.ops = {
			.transition = on_transition,
			.durable = on_durable,
			.run_finished = on_finished,
			.output = s->cfg->show == CLI_SHOW_ALL ? on_output : NULL,
			.signal = on_signal,
			.warden_given_up = on_warden_given_up,
			.tick = on_tick,
		},
		.arg = s,
	};

	return cli_host_open(&cfg, &s->host, err);
}

static void sweep(struct session *s)
{
	uint32_t ended = cli_rundir_sweep(&s->dir);

	if (ended)
		cli_say("ended %u process%s that a killed run had left", ended, ended == 1 ? "" : "es");
}

static int start_hook(struct session *s, struct rv_err *err)
{
	char dir[PATH_MAX];

	if (!s->cfg->hook)
		return 0;
	if ((size_t)snprintf(dir, sizeof dir, "%s/%s", s->dir.run, CLI_DIR_HOOK) >= sizeof dir)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", s->dir.run);
	if (cli_hook_start(s->cfg->hook, dir, err) < 0)
		return -1;
	s->hook_fd = cli_hook_fd(s->cfg->hook);
	s->hook_watch = NET_READ;
	return cli_host_watch(s->host, s->hook_fd, s->hook_watch, err);
}

/* Another run in this workspace may hold a directory that ours writes to: waits for it, until it ends or a signal ends us. */
static int take_directories(struct session *s, struct rv_err *err)
{
	char holder[PATH_MAX + 512];
	bool told = false;
	int rc;

	while ((rc = cli_dirlock_try(&s->dirs, s->cfg->plan, s->cfg->settings.workspace, s->dir.id.text, holder, sizeof holder, err)) == 1) {
		if (!told)
			cli_say("waiting: workspace %s: %s", s->cfg->settings.workspace, holder);
		told = true;
		(void)poll(NULL, 0, DIRECTORY_POLL_MS);
	}
	return rc;
}

static int submit(struct session *s, struct rv_err *err)
{
	struct coord_shell *coord = cli_host_coordinator(s->host);

	if (coord_shell_submit(coord, s->cfg->plan, s->number, rv_clock_boottime_us(), rv_clock_realtime_us(), err) < 0)
		return -1;
	for (uint32_t i = 0; i < s->cfg->given_count; i++) {
		const struct cli_given_output *g = &s->cfg->given[i];

		if (coord_shell_give_output(coord, s->number, g->unit, g->bytes, g->is_json, err) < 0)
			return -1;
	}
	return 0;
}

static int act(struct session *s, enum proto_mutation what, uint32_t unit, int64_t value, struct rv_err *err)
{
	struct proto_fact fact = { .kind = PROTO_FACT_MUTATION };

	fact.mutation.what = what;
	fact.mutation.run = s->number;
	fact.mutation.unit = unit;
	fact.mutation.node = COORD_NONE;
	fact.mutation.value = value;
	fact.mutation.note = s->cfg->retry_note;
	fact.mutation.prompt = s->cfg->retry_prompt;
	fact.mutation.agent = s->cfg->retry_agent;
	rv_random(&fact.mutation.request, sizeof fact.mutation.request);
	return coord_shell_mutate(cli_host_coordinator(s->host), &fact, 0, rv_clock_boottime_us(), rv_clock_realtime_us(), err);
}

/* What the plan says of the run as a whole counts anew where it said otherwise when the run began: a budget that ended it can be raised. */
static int set_anew(struct session *s, const struct coord_graph *g, struct rv_err *err)
{
	const struct plan *p = s->cfg->plan;
	const struct plan_limits *now = &p->limits, *then = coord_graph_limits(g);
	const struct {
		enum proto_mutation what;
		uint64_t now, then;
	} set[] = {
		{ PROTO_MUT_SET_MAX_WORKERS, p->max_workers, coord_graph_max_workers(g) },
		{ PROTO_MUT_SET_FAILED, now->failed, then->failed },
		{ PROTO_MUT_SET_TOKENS, now->budget.tokens, then->budget.tokens },
		{ PROTO_MUT_SET_COST, now->budget.cost_microusd, then->budget.cost_microusd },
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(set); i++)
		if (set[i].now != set[i].then && act(s, set[i].what, COORD_NONE, (int64_t)set[i].now, err) < 0)
			return -1;
	return 0;
}

/* The journal holds the run; what did not succeed, or one unit, goes back to pending. */
static int go_on(struct session *s, struct rv_err *err)
{
	struct coord_shell *coord = cli_host_coordinator(s->host);
	const struct coord_graph *g = coord_run_graph(coord_shell_core(coord), s->number);

	if (!g)
		return rv_fail(err, RV_E_NOT_FOUND, "run %s ended before its plan was accepted", s->dir.id.text);
	if (memcmp(coord_shell_plan_digest(coord, s->number), s->cfg->plan->digest, PLAN_DIGEST_BYTES) != 0)
		return cli_resume_refuse(&s->dir.id, coord_shell_plan_digest(coord, s->number), s->cfg->plan, err);
	cli_rundir_unsay(&s->dir);
	if (set_anew(s, g, err) < 0)
		return -1;
	return act(s, s->cfg->retry_unit == COORD_NONE ? PROTO_MUT_RESUME : PROTO_MUT_RETRY, s->cfg->retry_unit, 0, err);
}

enum { DESCRIPTORS_MIN = 32 };

/* With fewer the first that fails may be one of czmq's own, which aborts. */
static int check_descriptors(struct rv_err *err)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTORS_MIN) {
		rv_fail(err, RV_E_IO, "only %llu files may be open at once; a run needs %d", (unsigned long long)files.rlim_cur, DESCRIPTORS_MIN);
		return rv_hint(err, "ulimit -n %d", 1024);
	}
	return 0;
}

/* Whoever goes on with a run that has not ended would wait for its directories, and fail then. */
static int check_ended(struct session *s, struct rv_err *err)
{
	struct rv_lock_holder holder;
	char who[256], at[PATH_MAX + 16] = "";

	if (!s->cfg->go_on || !cli_rundir_held(s->dir.run, &holder))
		return 0;
	rv_lock_holder_text(&holder, who, sizeof who);
	if (s->state_option[0])
		(void)snprintf(at, sizeof at, " --coordinator %s", s->dir.run);
	rv_fail(err, RV_E_BUSY, "run %s is still running: %s", s->dir.id.text, who);
	return rv_hint(err, "`reeve wait %s%s` waits for its end, `reeve cancel %s%s` ends it; only then there is something to go on with", s->dir.id.text, s->state_option,
		       s->dir.id.text, at);
}

static int start(struct session *s, struct rv_err *err)
{
	if (check_descriptors(err) < 0)
		return -1;
	if (cli_rundir_make(&s->dir, s->cfg->state, s->cfg->go_on, err) < 0)
		return -1;
	cli_state_option(s->cfg->state, s->state_option, sizeof s->state_option);
	if (check_ended(s, err) < 0)
		return -1;
	s->number = rv_run_id_number(rv_str_of(s->dir.id.text));
	if (!s->cfg->settings.namespace_root[0]) {
		(void)snprintf(s->cfg->settings.namespace_root, sizeof s->cfg->settings.namespace_root, "%s", s->dir.state);
		s->machine.node.namespace_root = rv_str_of(s->cfg->settings.namespace_root);
	}
	sweep(s);
	if (take_directories(s, err) < 0 || open_host(s, err) < 0 || start_hook(s, err) < 0)
		return -1;
	if (cli_rundir_mark(&s->dir, err) < 0)
		return -1;
	s->marked = true;
	if ((s->cfg->go_on ? go_on(s, err) : submit(s, err)) < 0)
		return -1;
	s->accepted = true;
	if (!s->live) {
		*err = s->live_failed;
		return err->code ? -1 : rv_fail(err, RV_E_INTERNAL, "run %s was accepted without a word", s->dir.id.text);
	}
	cli_live_set_blobs(s->live, cli_host_blobs(s->host));
	return 0;
}

/* What bounds commands bounds no agents, and the other way round: "2 commands, 8 agents at once"; commands alone are just "2", as is max_workers. */
static void put_at_once(const struct session *s, char *out, size_t size)
{
	unsigned slots = (unsigned)s->cfg->settings.slots, agent_slots = (unsigned)s->cfg->settings.agent_slots, most = s->cfg->plan->max_workers;
	bool commands, agents;

	coord_graph_slots(cli_live_tally(s->live)->graph, &commands, &agents);
	if (most && most < (commands ? slots : agent_slots) && most < (agents ? agent_slots : slots))
		(void)snprintf(out, size, "%u", most); /* max_workers bounds both together */
	else if (!agents)
		(void)snprintf(out, size, "%u", slots);
	else if (!commands)
		(void)snprintf(out, size, "%u agent%s", agent_slots, cli_s(agent_slots));
	else
		(void)snprintf(out, size, "%u command%s, %u agent%s", slots, cli_s(slots), agent_slots, cli_s(agent_slots));
}

static void say_opening(struct session *s)
{
	const struct cli_settings *set = &s->cfg->settings;
	const char *mocked = strcmp(set->mock, "agents") == 0 ? ", no agent is real (--mock)" : set->mock[0] ? ", nothing is real (--mock)" : "";
	char at_once[64];
	bool none = strcmp(set->mode, "none") == 0;
	bool dirs = s->dirs.dir >= 0;

	put_at_once(s, at_once, sizeof at_once);
	cli_say("run %s: %u unit%s, %s at once, workspace %s %s%s%s, logs in %s", s->dir.id.text,
		cli_live_tally(s->live)->count, cli_s(cli_live_tally(s->live)->count), at_once, set->mode, none ? set->plan_dir : set->workspace,
		dirs ? ", directories not enforced" : "", mocked, s->dir.node);
}

/* --- end --------------------------------------------------------------------------------------------------------------- */

static void put_answer(struct session *s, const struct cli_result_scope *scope, struct rv_buf *out)
{
	switch (s->cfg->format) {
	case CLI_JSON:
		cli_result_json(scope, out);
		break;
	case CLI_JSONL:
		cli_result_run_json(scope, out);
		break;
	case CLI_NAME:
		(void)rv_buf_puts(out, s->dir.id.text);
		break;
	case CLI_TABLE:
	case CLI_WIDE:
		cli_result_text(scope, out);
		break;
	}
	if (out->bytes && out->at[out->bytes - 1] != '\n')
		(void)rv_buf_putc(out, '\n');
}

/* A command that looks for what agents should have written finds nothing. */
static void say_mocked(const struct session *s, const struct cli_tally *t)
{
	bool commands, agents;

	coord_graph_slots(t->graph, &commands, &agents);
	if (s->cfg->agents_mocked && commands && agents && t->in_state[COORD_UNIT_FAILED])
		cli_say("--mock=agents: no agent wrote a file, commands ran; `reeve run %s --mock` plays commands, too", s->cfg->agents_mocked);
}

/* What a budget ended is not mended by one more try. */
static void say_budget(const struct session *s, const struct cli_tally *t)
{
	const struct cli_settings *set = &s->cfg->settings;
	const struct plan_budget *limit = &coord_graph_limits(t->graph)->budget;
	bool tokens = t->reason == PROTO_REASON_BUDGET_TOKENS && limit->tokens, cost = t->reason == PROTO_REASON_BUDGET_COST && limit->cost_microusd;

	if ((tokens || cost) && set->plan[0] && strcmp(set->plan, "-") != 0)
		cli_say("`reeve run --resume %s%s%s --set limits.%s` goes on with a limit that leaves something", set->plan,
			!set->mock[0] ? "" : strcmp(set->mock, "agents") == 0 ? " --mock=agents" : " --mock", s->state_option, tokens ? "tokens=N" : "cost_usd=X");
}

static int finish(struct session *s)
{
	struct cli_result_scope scope = {
		.tally = cli_live_tally(s->live),
		.settings = rv_buf_str(&s->settings),
		.blobs = { .store = cli_host_blobs(s->host) },
		.state_option = s->state_option,
	};
	struct rv_buf out;
	struct rv_err err;
	int status = cli_result_exit(scope.tally), shown;

	if (cli_rundir_check(&s->dir, &err) < 0) {
		(void)rv_hint(&err, "%u of %u units had succeeded; nothing can be asked of this run any more", scope.tally->in_state[COORD_UNIT_SUCCEEDED],
			      scope.tally->count);
		(void)cli_live_end(s->live, NULL);
		return cli_fail(&err);
	}

	shown = cli_live_end(s->live, &err);
	if (shown < 0)
		status = cli_exit_worse(status, cli_fail(&err));
	if (shown > 0) {
		cli_say("interrupted: the rest of what units printed stays in the logs");
		status = cli_exit_worse(status, CLI_INTERRUPTED);
	}
	if (cli_result_write_files(&scope, s->dir.run, &err) < 0)
		status = cli_exit_worse(status, cli_fail(&err));
	rv_buf_init(&out, 0);
	put_answer(s, &scope, &out);
	if (s->cfg->format == CLI_TABLE || s->cfg->format == CLI_WIDE) {
		(void)cli_write_all(STDERR_FILENO, out.at, out.bytes); /* talk: a stderr that takes nothing is nobody's problem */
		say_mocked(s, scope.tally);
		say_budget(s, scope.tally);
	} else {
		status = cli_answer(rv_buf_str(&out), status);
	}
	rv_buf_release(&out);
	return status;
}

/* Gone on with, and nothing was left of it to do: it stays as it ended, and nobody will say so again. */
static bool ended_before(const struct session *s)
{
	return coord_run_state(coord_shell_core(cli_host_coordinator(s->host)), s->number, NULL) >= COORD_RUN_SUCCEEDED;
}

static int execute(struct session *s)
{
	struct rv_err err = { 0 };

	if (start(s, &err) < 0)
		return cli_fail(&err);
	say_opening(s);
	if (ended_before(s))
		cli_host_end(s->host, RV_NEVER, PROTO_REASON_NONE);
	plan_destroy(&s->cfg->plan); /* the graph has what it needs */
	if (cli_host_run(s->host, &err) < 0)
		return cli_fail(&err);
	settle_settings(s, true);
	return finish(s);
}

/* A warden that had to be killed leaves trees; what even KILL does not end is left to the next run, which finds the mark. */
static bool nothing_left(const struct session *s)
{
	struct rv_err err;

	if (warden_reap_orphans(s->dir.node, &err) >= 0)
		return true;
	cli_say("%s", err.msg);
	return false;
}

int cli_session_run(struct cli_session_config *cfg)
{
	struct session *s = calloc(1, sizeof *s);
	int status;

	if (!s) {
		plan_destroy(&cfg->plan);
		return cli_failf(RV_E_NO_MEMORY, "no memory for a run");
	}
	s->cfg = cfg;
	s->hook_fd = -1;
	cli_dirlock_init(&s->dirs);
	rv_buf_init(&s->settings, 0);
	cli_machine_init(&s->machine, &cfg->settings);
	status = execute(s);
	if (cfg->hook)
		cli_hook_end(cfg->hook);
	cli_live_destroy(&s->live);
	cli_host_close(&s->host);
	warden_client_close(cfg->warden, WARDEN_CLOSE_WAIT);
	if (s->marked && nothing_left(s))
		cli_rundir_unmark(&s->dir);
	if (!s->accepted)
		cli_rundir_discard(&s->dir);
	cli_dirlock_release(&s->dirs); /* only now does nothing of ours run any more */
	rv_buf_release(&s->settings);
	plan_destroy(&cfg->plan);
	free(s);
	return status;
}
