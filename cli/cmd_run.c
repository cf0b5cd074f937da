/* cmd_run.c - `reeve run`: from the words and a plan file to a session
 *
 * Order matters: the warden is forked first, while the process is small and has one thread; then the plan is read and checked, so that
 * a refused plan has touched nothing; then the session (session.c) makes a run of it.
 */
#include "cli/cli.h"
#include "cli/dryrun.h"
<<<<<<< HEAD
#include "cli/events.h"
#include "cli/host.h"
#include "cli/live.h"
=======
#include "cli/only.h"
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
#include "cli/preflight.h"
#include "cli/result.h"
#include "cli/runargs.h"
#include "cli/rundir.h"
<<<<<<< HEAD
#include "cli/settings.h"
#include "common/os/clock.h"
#include "common/os/host.h"
#include "common/os/keys.h"
=======
#include "cli/session.h"
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
#include "common/plan/diag.h"
#include "common/plan/only.h"

#include <errno.h>
<<<<<<< HEAD
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
=======
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct run {
	struct cli_run_args args;
	struct warden_client warden;
	struct plan *plan;
	struct plan_diags diags;
<<<<<<< HEAD
	uint32_t again;            /* `retry`: the unit, COORD_NONE: all that did not succeed */
	bool retrying;
	struct rv_buf settings;
	struct cli_rundir dir;
	uint64_t number;           /* of the run */
	struct node_daemon_config node;
	struct proto_label labels[RV_LABELS_MAX];
	struct proto_named_amount resources[RV_RESOURCES_MAX];
	char node_name[RV_HOST_NAME_MAX + 1];
	char workspace[PATH_MAX];
	char plan_dir[PATH_MAX];
	char state_option[PATH_MAX + 16];
	struct cli_dirlock dirs;
	struct cli_host *host;
	struct cli_live *live;     /* NULL until the run's graph is there */
	struct rv_err live_failed;
	uint32_t interrupts;
	bool marked;               /* as living, in the state directory */
	bool finished;
	enum coord_run_state state;
	enum proto_reason reason;
=======
	struct cli_session_config session;
	struct rv_run_id resumed;
	struct cli_only only;
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
};

static int load_plan(struct run *r, struct rv_err *err)
{
	struct plan_load_options opt = {
		.mock = r->args.mocked,
		.sets = r->args.sets.item,
		.set_count = r->args.sets.count,
		.context_file = r->args.context,
	};

	return plan_load_file(r->args.plan, &opt, &r->plan, &r->diags, err);
}

<<<<<<< HEAD
static void tell_rejected(struct run *r, const char *why)
{
	struct rv_buf line;
	struct rv_err err;
	int fd;

	if (!r->args.events)
		return;
	rv_buf_init(&line, 0);
	cli_event_plan_rejected(rv_str_of(why), rv_clock_realtime_us(), &line);
	fd = open(r->args.events, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0 || cli_write_all(fd, line.at, line.bytes) < 0) {
		(void)rv_fail_errno(&err, errno, "cannot write events to %s", r->args.events);
		(void)cli_fail(&err); /* the plan is refused all the same */
	}
	if (fd >= 0)
		(void)close(fd);
	rv_buf_release(&line);
=======
static bool for_programs(const struct run *r)
{
	return r->args.output == CLI_JSON || r->args.output == CLI_JSONL;
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
}

/* What a refused plan leaves: its errors on stderr, one event, one result; nothing else. */
static int reject(struct run *r, const struct rv_err *err)
{
	struct rv_buf text, json;

	rv_buf_init(&text, 0);
	rv_buf_init(&json, 0);
	if (!r->diags.error_count) {
		(void)cli_fail(err);
	} else if (for_programs(r)) {
		(void)plan_diags_json(&r->diags, &json);
	} else {
		(void)plan_diags_text(&r->diags, &text);
		(void)cli_write_all(STDERR_FILENO, text.at, text.bytes);
	}
	cli_live_plan_rejected(r->args.events, rv_str_of(r->diags.error_count ? r->diags.error[0].message : err->msg));
	if (for_programs(r)) {
		rv_buf_reset(&text);
		cli_result_rejected_json(rv_str_of(r->args.plan), json.bytes ? rv_buf_str(&json) : RV_STR("[]"), &text);
		(void)rv_buf_putc(&text, '\n');
		(void)cli_answer(rv_buf_str(&text), CLI_USAGE);
	}
	tell_rejected(r, r->diags.error_count ? r->diags.error[0].message : err->msg);
	rv_buf_release(&text);
	rv_buf_release(&json);
	return rv_code_exit(err->code);
}

static void warn(struct run *r)
{
	struct rv_buf text;

	if (!r->diags.warning_count || for_programs(r))
		return;
	rv_buf_init(&text, 0);
	(void)plan_diags_text(&r->diags, &text);
	(void)cli_write_all(STDERR_FILENO, text.at, text.bytes);
	rv_buf_release(&text);
}

static int copy_path(char out[PATH_MAX], struct rv_str path, const char *otherwise, struct rv_err *err)
{
	struct rv_str from = path.bytes ? path : rv_str_of(otherwise);

	if (from.bytes >= PATH_MAX)
		return rv_fail(err, RV_E_LIMIT, "the path %.*s is too long", RV_STR_ARGS(from));
	(void)snprintf(out, PATH_MAX, "%.*s", RV_STR_ARGS(from));
	return 0;
}

/* Where the plan's units live. Namespaces of mode shared lie in the workspace, of mode none beside the run (session.c). */
static int set_places(struct run *r, struct rv_err *err)
{
	struct cli_settings *s = &r->session.settings;
	const struct plan *p = r->plan;
	char here[PATH_MAX];

	if (!getcwd(here, sizeof here))
		return rv_fail_errno(err, errno, "cannot tell the current directory");
	if (copy_path(s->plan_dir, p->dir, here, err) < 0 || copy_path(s->workspace, p->workspace.root, s->plan_dir, err) < 0 ||
	    copy_path(s->namespace_root, p->workspace.namespace_root, "", err) < 0)
		return -1;
	if (access(s->workspace, F_OK) < 0)
		return rv_fail_errno(err, errno, "the workspace %s", s->workspace);
	(void)snprintf(s->mode, sizeof s->mode, "%s", plan_mode_name(p->workspace.mode));
	if (p->workspace.mode == PLAN_MODE_SHARED && !s->namespace_root[0] &&
	    (size_t)snprintf(s->namespace_root, sizeof s->namespace_root, "%s/.reeve", s->workspace) >= sizeof s->namespace_root)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", s->workspace);
	return 0;
}

/* The run to go on with: the one named, or the newest of this plan that did not succeed. */
static int find_resumed(struct run *r, struct rv_err *err)
{
	int found = 1;

<<<<<<< HEAD
	rv_random(&seed, sizeof seed);
	rv_host_name(r->node_name);
	node_daemon_config_init(n);
	n->mode = NODE_MODE_RUN;
	n->name = rv_str_of(r->node_name);
	rv_digest(n->name, n->key); /* a node on the local socket states its name's hash; it has no key to prove */
	n->slots = r->args.jobs ? r->args.jobs : rv_host_cpus();
	n->agent_slots = r->args.agent_slots ? r->args.agent_slots : r->args.jobs ? r->args.jobs : AGENT_SLOTS_DEFAULT;
	n->labels = r->labels;
	n->label_count = r->args.labels.count;
	n->resources = r->resources;
	n->resource_count = r->args.resources.count;
	n->workspace = rv_str_of(r->workspace);
	n->plan_dir = rv_str_of(r->plan_dir);
	n->env = (const char *const *)environ;
	n->pass_env = r->args.pass_env.item;
	n->pass_env_count = r->args.pass_env.count;
	n->seed = seed;
}

/* memory_mb is a resource like others; what the machine has stands in unless it was named. */
static void add_memory(struct run *r)
{
	struct node_daemon_config *n = &r->node;
	struct proto_named_amount *m;

	for (uint32_t i = 0; i < n->resource_count; i++)
		if (rv_str_equal(r->resources[i].name, RV_STR("memory_mb")))
			return;
	m = &r->resources[n->resource_count++];
	m->name = RV_STR("memory_mb");
	m->amount = (rv_host_memory_bytes() >> 20) * 1000;
}

/* --- while it runs ------------------------------------------------------------------------------------------------------------ */

static int open_live(struct run *r, const struct coord *core, struct rv_err *err)
{
	struct cli_live_config cfg = {
		.run = r->number,
		.graph = coord_run_graph(core, r->number),
		.format = r->format,
		.show = r->show,
		.events_path = r->args.events,
		.state_option = r->state_option,
	};

	return cli_live_create(&cfg, &r->live, err);
}

/* The first transition of the run, live or replayed, says that its graph is there. */
static void on_transition(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index,
			  bool replayed)
{
	struct run *r = arg;

	if (!r->live && (t->run != r->number || r->live_failed.code))
		return;
	if (!r->live && open_live(r, core, &r->live_failed) < 0)
		return;
	cli_live_transition(r->live, t, core, position, index, replayed);
}

static void on_durable(void *arg, uint64_t position)
{
	struct run *r = arg;

	if (r->live)
		cli_live_durable(r->live, position);
}

static void on_output(void *arg, struct proto_attempt_key key, int stream, uint64_t offset, struct rv_str bytes)
{
	struct run *r = arg;

	(void)offset;
	if (r->live)
		cli_live_output(r->live, key, stream, bytes);
}

static void on_finished(void *arg, uint64_t run, enum coord_run_state state, enum proto_reason reason)
{
	struct run *r = arg;

	if (run != r->number)
		return;
	r->finished = true;
	r->state = state;
	r->reason = reason;
	cli_host_end(r->host, RV_NEVER, PROTO_REASON_NONE);
}

static void on_signal(void *arg, int signo)
{
	struct run *r = arg;
	uint64_t grace = r->interrupts ? 0 : RV_NEVER;

	if (r->interrupts++ == 0)
		cli_say("%s: cancelling what runs (TERM, then KILL after its grace); once more kills at once",
			signo == SIGINT ? "interrupted" : signo == SIGTERM ? "terminated" : "hung up");
	else
		cli_say("killing");
	coord_shell_stop_run(cli_host_coordinator(r->host), r->number, PROTO_REASON_INTERRUPTED, grace, rv_clock_boottime_us(),
			     rv_clock_realtime_us());
}

static uint64_t on_tick(void *arg, uint64_t now_us)
{
	struct run *r = arg;

	return r->live ? cli_live_tick(r->live, now_us) : RV_NEVER;
}

static void say_opening(struct run *r)
{
	const struct plan *p = r->plan;
	bool dirs = false;

	for (uint32_t i = 0; i < p->unit_count && !dirs; i++)
		dirs = p->units[i].dirs != NULL;
	cli_say("run %s: %u units, %u at once, workspace %s %s%s, logs in %s", r->dir.id.text, (unsigned)p->instance_count,
		(unsigned)r->node.slots, plan_mode_name(p->workspace.mode), p->workspace.mode == PLAN_MODE_NONE ? r->plan_dir : r->workspace,
		dirs ? ", enforcement: none" : "", r->dir.node);
}

/* --- from start to end ------------------------------------------------------------------------------------------------------------ */

static const char *durability_name(const struct run *r)
{
	return r->args.durability ? r->args.durability : "process";
}

static int open_host(struct run *r, struct rv_err *err)
{
	struct cli_host_config cfg = {
		.run_dir = r->dir.run,
		.node_dir = r->dir.node,
		.estimates_dir = r->dir.estimates,
		.durability = strcmp(durability_name(r), "power") == 0 ? JOURNAL_POWER : JOURNAL_PROCESS,
		.node = r->node,
		.warden = &r->warden,
		.ops = {
			.transition = on_transition,
			.durable = on_durable,
			.run_finished = on_finished,
			.output = r->show == CLI_SHOW_ALL ? on_output : NULL,
			.signal = on_signal,
			.tick = on_tick,
		},
		.arg = r,
	};

	return cli_host_open(&cfg, &r->host, err);
}

/* The run to go on with: the one named, which must be of this very plan, or the newest that did not succeed. 1: found; 0: none. */
static int find_resumed(struct run *r, struct rv_run_id *id, struct rv_err *err)
{
=======
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
	if (!r->args.resume)
		return 0;
	if (!r->args.resume[0])
		found = cli_rundir_unfinished(r->args.state, r->plan->digest, &r->resumed, err);
	else if (!rv_run_id_valid(rv_str_of(r->args.resume)))
		return rv_fail(err, RV_E_USAGE, "--resume: \"%s\" is no run id", r->args.resume);
<<<<<<< HEAD
	(void)snprintf(id->text, sizeof id->text, "%s", r->args.resume);
	return 1;
}

/* Another run in this workspace may hold a directory that ours writes to: waits for it, until it ends or a signal ends us. */
static int take_directories(struct run *r, struct rv_err *err)
{
	char holder[PATH_MAX + 512];
	bool told = false;
	int rc;

	while ((rc = cli_dirlock_try(&r->dirs, r->plan, r->workspace, r->dir.id.text, holder, sizeof holder, err)) == 1) {
		if (!told)
			cli_say("waiting: workspace %s: %s", r->workspace, holder);
		told = true;
		(void)poll(NULL, 0, DIRECTORY_POLL_MS);
	}
	return rc;
}

static int submit(struct run *r, struct rv_err *err)
{
	return coord_shell_submit(cli_host_coordinator(r->host), r->plan, r->number, rv_clock_boottime_us(), rv_clock_realtime_us(), err);
}

/* The journal holds the run; what did not succeed goes back to pending. */
static int resume(struct run *r, struct rv_err *err)
{
	struct coord_shell *coord = cli_host_coordinator(r->host);
	struct proto_fact fact = { .kind = PROTO_FACT_MUTATION };

	if (memcmp(coord_shell_plan_digest(coord, r->number), r->plan->digest, PLAN_DIGEST_BYTES) != 0) {
		rv_fail(err, RV_E_CONFLICT, "run %s was of another plan: what its units run has changed since", r->dir.id.text);
		return rv_hint(err, "start it anew without --resume");
	}
	fact.mutation.what = r->retrying && r->again != COORD_NONE ? PROTO_MUT_RETRY : PROTO_MUT_RESUME;
	fact.mutation.run = r->number;
	fact.mutation.unit = r->retrying ? r->again : COORD_NONE;
	fact.mutation.node = COORD_NONE;
	rv_random(&fact.mutation.request, sizeof fact.mutation.request);
	return coord_shell_mutate(coord, &fact, 0, rv_clock_boottime_us(), rv_clock_realtime_us(), err);
}

static void sweep(struct run *r)
{
	uint32_t ended = cli_rundir_sweep(&r->dir);

	if (ended)
		cli_say("ended %u processes that a killed run had left", ended);
}

static int start(struct run *r, struct rv_err *err)
{
	struct rv_run_id id;
	int resumed = find_resumed(r, &id, err);

	if (resumed < 0 || cli_rundir_make(&r->dir, r->args.state, resumed ? &id : NULL, err) < 0)
		return -1;
	if (r->args.resume && !resumed)
		cli_say("nothing to resume: no run of this plan is unfinished; starting anew");
	r->number = rv_run_id_number(rv_str_of(r->dir.id.text));
	if (r->plan->workspace.namespace_root.bytes)
		r->node.namespace_root = r->plan->workspace.namespace_root;
	else if (r->plan->workspace.mode == PLAN_MODE_NONE)
		r->node.namespace_root = rv_str_of(r->dir.state);
	sweep(r);
	if (take_directories(r, err) < 0 || open_host(r, err) < 0 || cli_rundir_mark(&r->dir, err) < 0)
		return -1;
	r->marked = true;
	cli_settings_json(r->plan, &r->node, durability_name(r), &r->settings);
	if (cli_settings_write(r->dir.run, rv_buf_str(&r->settings), err) < 0)
		return -1;
	if ((resumed ? resume(r, err) : submit(r, err)) < 0)
		return -1;
	if (!r->live) {
		*err = r->live_failed;
		return err->code ? -1 : rv_fail(err, RV_E_INTERNAL, "run %s was accepted without a word", r->dir.id.text);
	}
	cli_live_set_blobs(r->live, cli_host_blobs(r->host));
	return 0;
}

/* How units are held together is known once the warden has answered. */
static void settle_settings(struct run *r)
{
	struct node_daemon_stats stats;

	node_daemon_stats(cli_host_node(r->host), &stats);
	cli_settings_add_level(&r->settings, stats.level);
	(void)cli_settings_write(r->dir.run, rv_buf_str(&r->settings), NULL); /* what was written at the start will do */
}

static int finish(struct run *r)
{
	struct cli_result_scope scope = {
		.settings = rv_buf_str(&r->settings),
		.tally = cli_live_tally(r->live),
		.blobs = cli_host_blobs(r->host),
		.state_option = r->state_option,
	};
	struct rv_buf out;
	struct rv_err err;
	int status = cli_result_exit(scope.tally);

	if (cli_live_end(r->live, &err) < 0)
		status = cli_exit_worse(status, cli_fail(&err));
	if (cli_result_write_files(&scope, r->dir.run, &err) < 0)
		status = cli_exit_worse(status, cli_fail(&err));
	rv_buf_init(&out, 0);
	if (r->format == CLI_JSON)
		cli_result_json(&scope, &out);
	else if (r->format == CLI_JSONL)
		cli_result_run_json(&scope, &out);
	else if (r->format == CLI_NAME)
		(void)rv_buf_puts(&out, r->dir.id.text);
	else
		cli_result_text(&scope, &out);
	if (out.bytes && out.at[out.bytes - 1] != '\n')
		(void)rv_buf_putc(&out, '\n');
	if (r->format == CLI_TABLE || r->format == CLI_WIDE)
		(void)cli_write_all(STDERR_FILENO, out.at, out.bytes);
	else
		status = cli_answer(rv_buf_str(&out), status);
	rv_buf_release(&out);
	return status;
=======
	else
		(void)snprintf(r->resumed.text, sizeof r->resumed.text, "%s", r->args.resume);
	if (found == 1)
		r->session.go_on = &r->resumed;
	else if (found == 0)
		cli_say("nothing to resume: no run of this plan is unfinished; starting anew");
	return found < 0 ? -1 : 0;
}

/* --only: the unit and, as given, what it depends on. */
static int cut_plan(struct run *r, struct rv_err *err)
{
	if (r->args.resume)
		return rv_fail(err, RV_E_USAGE, "--only and --resume exclude each other");
	if (plan_only(r->plan, rv_str_of(r->args.only), err) < 0 || cli_only_find(&r->only, r->plan, r->args.state, err) < 0)
		return -1;
	r->session.given = r->only.given;
	r->session.given_count = r->only.count;
	(void)snprintf(r->session.settings.only, sizeof r->session.settings.only, "%s", r->args.only);
	return 0;
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
}

static int go(struct run *r)
{
	struct cli_machine machine;
	struct rv_err err = { 0 };

<<<<<<< HEAD
	if (cli_preflight(r->plan, &r->node, &err) < 0)
=======
	if (load_plan(r, &err) < 0)
		return reject(r, &err);
	if (r->args.only && cut_plan(r, &err) < 0)
		return cli_fail(&err);
	if (set_places(r, &err) < 0)
		return cli_fail(&err);
	cli_machine_init(&machine, &r->session.settings);
	if (cli_preflight(r->plan, &machine.node, &err) < 0)
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
		return reject(r, &err);
	warn(r);
	if (r->args.dry_run)
		return cli_dryrun(r->plan, &machine.node, r->args.output);
	if (find_resumed(r, &err) < 0)
		return cli_fail(&err);
<<<<<<< HEAD
	say_opening(r);
	plan_destroy(&r->plan); /* the graph has what it needs */
	if (cli_host_run(r->host, &err) < 0)
		return cli_fail(&err);
	settle_settings(r);
	return finish(r);
}

static int execute(struct run *r)
{
	struct rv_err err = { 0 };

	if (load_plan(r, &err) < 0)
		return reject(r, &err);
	if (set_paths(r, &err) < 0)
		return cli_fail(&err);
	set_node(r);
	add_memory(r);
	return go(r);
}

static void release(struct run *r)
{
	cli_live_destroy(&r->live);
	cli_host_close(&r->host);
	if (r->warden_up)
		warden_client_close(&r->warden, WARDEN_CLOSE_WAIT);
	if (r->marked)
		cli_rundir_unmark(&r->dir);
	cli_dirlock_release(&r->dirs); /* only now does nothing of ours run any more */
	plan_destroy(&r->plan);
	plan_diags_release(&r->diags);
=======
	r->session.state = r->args.state;
	r->session.format = r->args.output;
	r->session.show = r->args.shown;
	r->session.events = r->args.events;
	r->session.pass_env = r->args.pass_env.item;
	r->session.pass_env_count = r->args.pass_env.count;
	r->session.plan = r->plan;
	r->plan = NULL; /* taken */
	r->session.warden = &r->warden;
	return cli_session_run(&r->session);
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
}

static int with_warden(struct run *r, int (*then)(struct run *r))
{
	struct warden_options options = { .level = WARDEN_LEVEL_NONE };
	struct rv_err err = { 0 };
	int status;

	if (warden_start(&r->warden, &options, &err) < 0)
		return cli_fail(&err);
	r->warden_up = true;
	status = then(r);
	release(r);
	return status;
}

static struct run *create(void)
{
	struct run *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	plan_diags_init(&r->diags);
	cli_dirlock_init(&r->dirs);
	rv_buf_init(&r->settings, 0);
	return r;
}

static void destroy(struct run *r)
{
	rv_buf_release(&r->settings);
	free(r);
}

int cli_cmd_run(int argc, char **argv)
{
	struct run *r = create();
	struct rv_err err = { 0 };
	int status;

	if (!r)
		return cli_failf(RV_E_NO_MEMORY, "no memory for a run");
<<<<<<< HEAD
	status = parse(&r->args, argc, argv, &err);
	if (status == 1)
		status = CLI_OK;
	else if (status < 0 || interpret(r, &err) < 0)
		status = cli_fail(&err);
	else
		status = with_warden(r, execute);
	destroy(r);
	return status;
}

/* --- once more ------------------------------------------------------------------------------------------------------------------- */

int cli_run_again(const struct cli_run_again *again)
{
	const struct cli_settings *was = again->settings;
	struct run *r = create();
	int status;

	if (!r)
		return cli_failf(RV_E_NO_MEMORY, "no memory for a run");
	r->plan = again->plan;
	r->format = again->format;
	r->retrying = true;
	r->again = again->unit;
	r->args.state = again->state_dir;
	r->args.resume = again->run;
	r->args.durability = was->durability;
	(void)snprintf(r->workspace, sizeof r->workspace, "%s", was->workspace);
	(void)snprintf(r->plan_dir, sizeof r->plan_dir, "%s", was->plan_dir);
	(void)snprintf(r->state_option, sizeof r->state_option, " --state %s", again->state_dir);
	set_node(r);
	r->node.slots = was->slots;
	r->node.agent_slots = was->agent_slots;
	r->node.labels = was->labels;
	r->node.label_count = was->label_count;
	r->node.resources = was->resources;
	r->node.resource_count = was->resource_count;
	r->node.pass_env = was->pass_env;
	r->node.pass_env_count = was->pass_env_count;
	status = with_warden(r, go);
	destroy(r);
=======
	plan_diags_init(&r->diags);
	r->warden.fd = -1;
	status = cli_run_args_parse(&r->args, argc, argv, &err);
	if (status == 0)
		status = cli_run_args_machine(&r->args, &r->session.settings, &err);
	if (status == 0)
		status = warden_start(&r->warden, &options, &err);
	if (status == 0)
		status = execute(r);
	else
		status = status == 1 ? CLI_OK : cli_fail(&err);
	if (r->warden.fd >= 0)
		warden_client_close(&r->warden, WARDEN_CLOSE_WAIT);
	plan_destroy(&r->plan);
	plan_diags_release(&r->diags);
	cli_only_release(&r->only);
	free(r);
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
	return status;
}

int cli_run_resume(const char *state_dir, const char *run, const char *unit, const char *note, enum cli_format format)
{
	struct warden_options options = { .level = WARDEN_LEVEL_NONE };
	struct cli_session_config *cfg = calloc(1, sizeof *cfg);
	struct warden_client warden = { .fd = -1 };
	struct rv_run_id id = { "" };
	struct rv_err err = { 0 };
	char run_dir[PATH_MAX];
	int status;

	if (!cfg)
		return cli_failf(RV_E_NO_MEMORY, "no memory for a run");
	(void)snprintf(id.text, sizeof id.text, "%s", run);
	(void)snprintf(run_dir, sizeof run_dir, "%s/runs/%s", state_dir, run);
	if (warden_start(&warden, &options, &err) < 0 || cli_settings_read(&cfg->settings, run_dir, &err) < 0) {
		status = cli_fail(&err);
	} else if (cfg->settings.only[0]) {
		status = cli_failf(RV_E_CONFLICT, "run %s was only of unit \"%s\", with outputs of an earlier run: run it again with --only", run,
				   cfg->settings.only);
	} else {
		cfg->state = state_dir;
		cfg->format = format;
		cfg->go_on = &id;
		cfg->retry_unit = unit;
		cfg->retry_note = note;
		cfg->warden = &warden;
		status = cli_session_run(cfg);
	}
	if (warden.fd >= 0)
		warden_client_close(&warden, WARDEN_CLOSE_WAIT);
	free(cfg);
	return status;
}
