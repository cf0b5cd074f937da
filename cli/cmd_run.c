/* cmd_run.c - `reeve run`: from the words and a plan file to a session
 *
 * Order matters: the warden is forked first, while the process is small and has one thread; then the plan is read and checked, so that
 * a refused plan has touched nothing; then the session (session.c) makes a run of it.
 */
#include "cli/cli.h"
#include "cli/dryrun.h"
#include "cli/hook.h"
#include "cli/host.h"
#include "cli/only.h"
#include "cli/planload.h"
#include "cli/preflight.h"
#include "cli/result.h"
#include "cli/runargs.h"
#include "cli/resume.h"
#include "cli/session.h"
#include "common/plan/diag.h"
#include "common/plan/only.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct run {
	struct cli_run_args args;
	struct warden_client warden;
	struct plan *plan;
	struct plan_diags diags;
	struct cli_session_config session;
	struct rv_run_id resumed;
	struct cli_only only;
	struct cli_hook *hook;
};

static long read_text(void *arg, void *to, size_t room)
{
	struct rv_str *rest = arg;
	size_t bytes = rest->bytes < room ? rest->bytes : room;

	memcpy(to, rest->at, bytes);
	*rest = rv_str(rest->at + bytes, rest->bytes - bytes);
	return (long)bytes;
}

/* A command and its inputs, made a plan. */
static int load_fanout(struct run *r, struct plan_load_options *opt, struct rv_err *err)
{
	const char *warning = NULL;
	struct rv_str rest;
	struct rv_buf text;
	int rc;

	rv_buf_init(&text, CLI_FANOUT_PLAN_BYTES_MAX);
	rc = cli_fanout_plan(&r->args.fanout, &text, &warning, err);
	if (warning)
		cli_say("%s", warning);
	rest = rv_buf_str(&text);
	opt->shown_name = CLI_RUN_FANOUT;
	opt->line_bytes_max = CLI_FANOUT_PLAN_BYTES_MAX;
	if (rc == 0)
		rc = plan_load_lines(read_text, &rest, opt, &r->plan, &r->diags, err);
	if (rc < 0 && r->diags.error_count && r->args.fanout.agent && r->diags.error[0].code != PLAN_E_TEMPLATE) {
		plan_diags_release(&r->diags); /* what is wrong is a word, no place of a plan that nobody wrote */
		plan_diags_init(&r->diags);
		(void)rv_fail(err, RV_E_USAGE, "no agent is called \"%s\"", r->args.fanout.agent);
		(void)rv_hint(err, "its profile's name, such as claude, codex or mock; a plan file can have others");
	}
	rv_buf_release(&text);
	return rc;
}

static int load_plan(struct run *r, struct rv_err *err)
{
	struct plan_load_options opt = {
		.check_tree = true,
		.mock = r->args.mocked,
		.no_hold = r->args.no_hold,
		.sets = r->args.sets.item,
		.set_count = r->args.sets.count,
		.context_file = r->args.context,
	};

	if (r->args.is_fanout)
		return load_fanout(r, &opt, err);
	if (plan_load_file(r->args.plan, &opt, &r->plan, &r->diags, err) == 0)
		return 0;
	cli_plan_hint(r->args.plan, err);
	return -1;
}

static bool for_programs(const struct run *r)
{
	return r->args.output == CLI_JSON || r->args.output == CLI_JSONL;
}

/* As a diagnostic of the plan that has no place in it. */
static void put_mistake(const struct rv_err *err, struct rv_buf *out)
{
	(void)rv_buf_puts(out, "[{");
	cli_json_str(out, "severity", RV_STR("error"));
	cli_json_str(out, "code", rv_str_of(rv_code_name(err->code)));
	cli_json_str(out, "message", rv_str_of(err->msg));
	cli_json_str_or_null(out, "hint", rv_str_of(err->hint));
	(void)rv_buf_puts(out, "}]");
}

/* What a refused plan leaves: its errors on stderr, one event, one result; nothing else. */
static int reject(struct run *r, const struct rv_err *err)
{
	struct rv_buf text, json;
	struct rv_str why;

	rv_buf_init(&text, 0);
	rv_buf_init(&json, 0);
	if (!r->diags.error_count) {
		(void)cli_fail(err);
		put_mistake(err, &json);
	} else if (for_programs(r)) {
		(void)plan_diags_json(&r->diags, &json);
	} else {
		(void)plan_diags_text(&r->diags, &text);
		(void)cli_write_all(STDERR_FILENO, text.at, text.bytes);
	}
	why = rv_str_of(r->diags.error_count ? r->diags.error[0].message : err->msg);
	cli_live_plan_rejected(r->args.events, why);
	if (r->hook)
		cli_hook_tell_rejected(r->hook, why);
	if (for_programs(r)) {
		rv_buf_reset(&text);
		cli_result_rejected_json(rv_str_of(r->args.plan), rv_buf_str(&json), &text);
		(void)rv_buf_putc(&text, '\n');
		(void)cli_answer(rv_buf_str(&text), CLI_USAGE);
	}
	rv_buf_release(&text);
	rv_buf_release(&json);
	return rv_code_exit(err->code);
}

static void warn(struct run *r)
{
	struct rv_buf text;

	if (!r->diags.warning_count || for_programs(r) || r->args.is_fanout) /* of a plan that nobody wrote there is nothing to mend */
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
	(void)snprintf(s->mode, sizeof s->mode, "%s", plan_mode_name(p->workspace.mode));
	if (p->workspace.mode == PLAN_MODE_SHARED && !s->namespace_root[0] &&
	    (size_t)snprintf(s->namespace_root, sizeof s->namespace_root, "%s/.reeve", s->workspace) >= sizeof s->namespace_root)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", s->workspace);
	return 0;
}

/* The run to go on with: the one named, or the newest of this plan that has something left to do or to say. */
static int find_resumed(struct run *r, struct rv_err *err)
{
	int found = 1;

	if (!r->args.resume)
		return 0;
	if (!r->args.resume[0])
		found = cli_resume_find(r->args.state, r->plan, &r->resumed, err);
	else if (!rv_run_id_valid(rv_str_of(r->args.resume)))
		return rv_fail(err, RV_E_USAGE, "--resume: \"%s\" is no run id", r->args.resume);
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
}

/* Of a command and its inputs there is no place to point at: one sentence says it. (All units want the same.) */
static int refuse_fanout(struct run *r, const struct cli_findings *found, struct rv_err *err)
{
	struct rv_buf text;
	uint32_t i = 0;

	while (!found->item[i].refuses)
		i++;
	rv_buf_init(&text, 0);
	cli_finding_put(&found->item[i], r->plan, &text);
	(void)rv_fail(err, RV_E_CONFLICT, "%s", text.at);
	if (found->item[i].hint[0])
		(void)rv_hint(err, "%s", found->item[i].hint);
	rv_buf_release(&text);
	return reject(r, err);
}

/* What units want and this machine does not have: all of it at once. */
static int refuse(struct run *r, const struct cli_findings *found)
{
	struct rv_err err = { 0 };

	if (r->args.is_fanout)
		return refuse_fanout(r, found, &err);
	cli_findings_tell(found, r->plan, CLI_FINDINGS_REFUSE, &r->diags);
	(void)rv_fail(&err, RV_E_CONFLICT, "this machine cannot run the plan");
	return reject(r, &err);
}

static void say_would_not_run(const struct run *r, const struct cli_findings *found)
{
	for (uint32_t i = 0; i < found->count; i++) {
		const struct cli_finding *f = &found->item[i];
		struct rv_buf text;

		if (!f->refuses)
			continue;
		rv_buf_init(&text, 0);
		cli_finding_put(f, r->plan, &text);
		cli_say("it would not run here: %s%s%s", text.at, f->hint[0] ? "; help: " : "", f->hint);
		rv_buf_release(&text);
	}
}

static int execute(struct run *r)
{
	struct cli_machine machine;
	struct cli_findings found;
	struct rv_err err = { 0 };
	char keys[256];

	if (load_plan(r, &err) < 0)
		return reject(r, &err);
	if (r->args.only && cut_plan(r, &err) < 0)
		return cli_fail(&err);
	if (set_places(r, &err) < 0)
		return cli_fail(&err);
	cli_machine_init(&machine, &r->session.settings);
	cli_preflight(r->plan, &machine.node, &found);
	if (r->args.dry_run) {
		say_would_not_run(r, &found);
	} else if (found.refusals) {
		return refuse(r, &found);
	} else {
		cli_findings_tell(&found, r->plan, CLI_FINDINGS_REFUSE, &r->diags);
	}
	warn(r);
	cli_preflight_keys(r->plan, &machine.node, keys, sizeof(keys));
	if (keys[0])
		cli_say("agents are given the keys of this environment that are their own: %s", keys);
	if (r->args.dry_run)
		return cli_dryrun(r->plan, &machine.node, r->args.output);
	if (find_resumed(r, &err) < 0)
		return cli_fail(&err);
	r->session.state = r->args.state;
	(void)snprintf(r->session.settings.mock, sizeof r->session.settings.mock, "%s",
		       r->args.mocked == PLAN_MOCK_OFF ? "" : r->args.mocked == PLAN_MOCK_AGENTS ? "agents" : "all");
	r->session.agents_mocked = r->args.mocked == PLAN_MOCK_AGENTS ? r->args.plan : NULL;
	r->session.format = r->args.output;
	r->session.show = r->args.shown;
	r->session.events = r->args.events;
	r->session.joblog = r->args.joblog;
	r->session.retry_unit = COORD_NONE;
	r->session.plan = r->plan;
	r->plan = NULL; /* taken */
	r->session.warden = &r->warden;
	r->session.hook = r->hook;
	return cli_session_run(&r->session);
}

/* A fork, while we are small. REEVE_WARDEN names a program to be started as the warden instead, for tools that follow forks and do not know
 * clone(2) as the warden uses it: valgrind, some debuggers. */
static int start_warden(struct warden_client *warden, struct rv_err *err)
{
	struct warden_options options = { .level = WARDEN_LEVEL_NONE };
	const char *program = getenv("REEVE_WARDEN");

	return program && program[0] ? warden_start_exec(warden, program, CLI_WARDEN_VERB, err) : warden_start(warden, &options, err);
}

static void warn_of_hook(void *arg, const char *text)
{
	(void)arg;
	cli_say("%s", text);
}

static int start_hook(struct run *r, struct rv_err *err)
{
	struct cli_hook_config cfg = { .command = r->args.on_event, .types = r->args.on_event_type, .warn = warn_of_hook };

	return cfg.command || cfg.types ? cli_hook_create(&cfg, &r->hook, err) : 0;
}

int cli_cmd_run(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof *r);
	struct rv_err err = { 0 };
	int status;

	if (!r)
		return cli_failf(RV_E_NO_MEMORY, "no memory for a run");
	plan_diags_init(&r->diags);
	r->warden.fd = -1;
	status = cli_run_args_parse(&r->args, argc, argv, &err);
	if (status == 0)
		status = cli_run_args_machine(&r->args, &r->session.settings, &err);
	if (status == 0)
		status = start_warden(&r->warden, &err);
	if (status == 0)
		status = start_hook(r, &err);
	if (status == 0)
		status = execute(r);
	else
		status = status == 1 ? CLI_OK : cli_fail(&err);
	if (r->warden.fd >= 0)
		warden_client_close(&r->warden, WARDEN_CLOSE_WAIT);
	cli_hook_destroy(&r->hook);
	plan_destroy(&r->plan);
	plan_diags_release(&r->diags);
	cli_only_release(&r->only);
	free(r);
	return status;
}

int cli_run_again(const struct cli_run_again *again)
{
	struct cli_session_config *cfg = calloc(1, sizeof *cfg);
	struct warden_client warden = { .fd = -1 };
	struct plan *plan = again->plan;
	struct rv_run_id id = { "" };
	struct rv_err err = { 0 };
	int status;

	if (!cfg) {
		plan_destroy(&plan);
		return cli_failf(RV_E_NO_MEMORY, "no memory for a run");
	}
	if (start_warden(&warden, &err) < 0) {
		status = cli_fail(&err);
		plan_destroy(&plan);
	} else {
		(void)snprintf(id.text, sizeof id.text, "%s", again->run);
		cfg->state = again->state_dir;
		cfg->format = again->format;
		cfg->settings = *again->settings;
		cfg->plan = plan;
		cfg->go_on = &id;
		cfg->retry_unit = again->unit;
		cfg->retry_note = again->note;
		cfg->retry_prompt = again->prompt;
		cfg->retry_agent = again->agent;
		cfg->warden = &warden;
		status = cli_session_run(cfg);
	}
	if (warden.fd >= 0)
		warden_client_close(&warden, WARDEN_CLOSE_WAIT);
	free(cfg);
	return status;
}
