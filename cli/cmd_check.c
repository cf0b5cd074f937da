/* cmd_check.c - `reeve check PLAN`: validates a plan, says what it is */
#include "cli/cli.h"
#include "cli/planload.h"
#include "cli/preflight.h"
#include "cli/runargs.h"
#include "cli/session.h"
#include "cli/text.h"
#include "common/limits.h"
#include "common/plan/levels.h"
#include "common/plan/template.h"
#include "node/agents/preamble.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NEAREST_MAX = 4096 }; /* units looked at for a "did you mean" */

static void put_digest(const struct plan *p, char hex[2 * PLAN_DIGEST_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < PLAN_DIGEST_BYTES; i++) {
		hex[2 * i] = digits[p->digest[i] >> 4];
		hex[2 * i + 1] = digits[p->digest[i] & 15];
	}
	hex[2 * PLAN_DIGEST_BYTES] = '\0';
}

/* ---- the answer ---- */

static void put_json_plan(const struct plan *p, const struct plan_levels *v, struct rv_buf *out)
{
	char hex[2 * PLAN_DIGEST_BYTES + 1];

	put_digest(p, hex);
	cli_json_str(out, "name", p->name);
	cli_json_uint(out, "units", p->instance_count);
	cli_json_uint(out, "dependencies", p->edge_count);
	cli_json_uint(out, "levels", v->count);
	cli_json_uint(out, "width", v->width);
	cli_json_ms(out, "critical_path_ms", v->critical_us);
	cli_json_ms(out, "work_ms", v->work_us);
	cli_json_str(out, "mode", rv_str_of(plan_mode_name(p->workspace.mode)));
	cli_json_str(out, "digest", rv_str_of(hex));
	cli_json_key(out, "agents");
	(void)rv_buf_putc(out, '[');
	for (uint32_t i = 0; i < p->agent_count; i++) {
		cli_json_comma(out);
		(void)rv_buf_put_json(out, p->agents[i].name);
	}
	(void)rv_buf_putc(out, ']');
}

enum here { NOT_LOOKED, RUNS_HERE, NOT_HERE };

static void put_json(const struct cli_planload *load, const struct plan_levels *v, enum here here, struct rv_buf *out)
{
	(void)rv_buf_puts(out, "{\"schema\":\"reeve.check/1\"");
	cli_json_str(out, "file", rv_str_of(load->diags.file ? load->diags.file : ""));
	cli_json_bool(out, "ok", load->plan != NULL);
	if (load->plan)
		put_json_plan(load->plan, v, out);
	if (here != NOT_LOOKED)
		cli_json_bool(out, "runs_here", here == RUNS_HERE);
	cli_json_uint(out, "errors_found", load->diags.errors_found);
	cli_json_uint(out, "warnings_found", load->diags.warnings_found);
	cli_json_key(out, "diagnostics");
	(void)plan_diags_json(&load->diags, out);
	(void)rv_buf_puts(out, "}\n");
}

static void put_text(const struct cli_planload *load, const struct plan_levels *v, enum here here, struct rv_buf *out)
{
	const struct plan *p = load->plan;

	(void)rv_buf_printf(out, "%s: plan \"%.*s\" is fine%s: %" PRIu64 " unit%s, %" PRIu64 " dependenc%s", load->diags.file,
			    RV_STR_ARGS(p->name), here == NOT_HERE ? ", but `run` would refuse it on this machine" : "",
			    p->instance_count, cli_s(p->instance_count), p->edge_count,
			    p->edge_count == 1 ? "y" : "ies");
	if (p->unit_count) {
		(void)rv_buf_printf(out, ", %u level%s, at most %" PRIu64 " side by side, critical path ", v->count,
				    cli_s(v->count), v->width);
		cli_put_duration(out, v->critical_us);
	}
	(void)rv_buf_puts(out, p->verify ? ", then verify\n" : "\n");
}

static int answer(struct cli_planload *load, enum here here)
{
	struct plan_levels v = { 0 };
	struct rv_err err = { 0 };
	struct rv_buf out;
	int status;

	if (load->plan && plan_levels_init(&v, load->plan, &err) < 0)
		return cli_fail(&err);
	rv_buf_init(&out, 0);
	if (load->format == CLI_JSON || load->format == CLI_JSONL)
		put_json(load, &v, here, &out);
	else if (load->format == CLI_NAME)
		(void)rv_buf_printf(&out, "%.*s\n", RV_STR_ARGS(load->plan->name));
	else
		put_text(load, &v, here, &out);
	status = cli_answer(rv_buf_str(&out), load->plan ? CLI_OK : CLI_USAGE);
	rv_buf_release(&out);
	plan_levels_release(&v);
	return status;
}

/* What `run` without options would say of it here: warnings, since the plan may be for another machine, or a cluster. */
static int look_here(struct cli_planload *load, enum here *here, struct rv_err *err)
{
	static const struct cli_run_args none = { .plan = "" };
	struct cli_settings *s = calloc(1, sizeof(*s));
	struct cli_machine *m = calloc(1, sizeof(*m));
	struct cli_findings *found = calloc(1, sizeof(*found));
	int rc = s && m && found ? 0 : rv_fail(err, RV_E_NO_MEMORY, "no memory to look at this machine");

	if (rc == 0)
		rc = cli_run_args_machine(&none, s, err);
	if (rc == 0) {
		cli_machine_init(m, s);
		cli_preflight(load->plan, &m->node, found);
		cli_findings_tell(found, load->plan, CLI_FINDINGS_WARN, &load->diags);
		*here = found->refusals ? NOT_HERE : RUNS_HERE;
	}
	free(found);
	free(m);
	free(s);
	return rc;
}

/* ---- --show-prompt ---- */

/* The unit of that id, or the one a template makes: *k says which. */
static uint32_t find_unit(const struct plan *p, struct rv_str id, uint32_t *k)
{
	char name[RV_UNIT_ID_BYTES_MAX + 1];
	uint32_t unit = plan_find_unit(p, id);

	*k = 0;
	if (unit != PLAN_NONE)
		return unit;
	for (unit = 0; unit < p->unit_count; unit++) {
		for (*k = 0; p->units[unit].for_each && *k < plan_unit_instances(&p->units[unit]); ++*k) {
			if (plan_instance_id(&p->units[unit], *k, name) == id.bytes && memcmp(name, id.at, id.bytes) == 0)
				return unit;
		}
	}
	return PLAN_NONE;
}

/* Fills what is known before the run; what dependencies hand over stays as it is written. */
static void put_prompt(const struct plan *p, const struct plan_unit *u, uint32_t k, struct rv_buf *out)
{
	char number[24];
	struct plan_scope scope = {
		.layer = { p->context, u->context },
		.item = plan_instance_item(u, k, number),
	};
	struct rv_str text = u->prompt, value;
	size_t from = 0, done = 0;
	struct plan_slot slot;

	while ((u->flags & PLAN_UNIT_FILL_PROMPT) && plan_template_next(text, false, &from, &slot) > 0) {
		if (!plan_scope_find(&scope, slot.key, &value))
			continue;
		(void)plan_template_fill(rv_str(text.at + done, slot.at - done), &scope, NULL, out, NULL);
		(void)plan_json_text(value, out);
		done = slot.at + slot.bytes;
	}
	(void)rv_buf_put(out, text.at + done, text.bytes - done);
	if (!out->bytes || out->at[out->bytes - 1] != '\n')
		(void)rv_buf_putc(out, '\n');
}

static void put_dirs(const struct plan_dirs *dirs, struct rv_buf *out)
{
	for (uint32_t i = 0; dirs && i < dirs->count; i++) {
		if (i)
			(void)rv_buf_putc(out, ':');
		(void)rv_buf_put_str(out, dirs->path[i]);
	}
}

/* The rules that stand before the prompt of an agent with a profile, with the names of variables where the node will put paths. */
static int put_rules(const struct plan *p, const struct plan_unit *u, struct rv_str id, struct rv_buf *out)
{
	const struct plan_settings *s = u->settings;
	const struct plan_agent *agent = s->agent == PLAN_NONE ? NULL : &p->agents[s->agent];
	struct rv_str *words = calloc((s->accept ? s->accept->count : 0) + u->dep_count + 1u, sizeof(*words));
	struct node_preamble rules = {
		.unit_id = id,
		.description = u->description,
		.has_dirs = u->dirs != NULL,
		.context_file = RV_STR("$REEVE_CONTEXT_FILE"),
		.artifacts = RV_STR("$REEVE_ARTIFACTS"),
		.wants_artifact = s->evidence != PLAN_EVIDENCE_EXIT || s->required_count,
		.globs = s->required,
		.glob_count = s->required_count,
		.wants_json = s->output == PLAN_OUTPUT_JSON,
		.accept = words,
		.try_number = 1,
	};
	struct rv_buf dirs;
	int rc;

	if (!words)
		return -1;
	rv_buf_init(&dirs, 0);
	put_dirs(u->dirs, &dirs);
	rules.dirs = rv_buf_str(&dirs);
	for (uint32_t i = 0; s->accept && i < s->accept->count; i++)
		words[rules.accept_count++] = rv_str_of(s->accept->arg[i]);
	rules.deps = words + rules.accept_count;
	for (uint32_t i = 0; i < u->dep_count; i++)
		words[rules.accept_count + rules.dep_count++] = p->units[u->deps[i]].id;
	if (agent && agent->preamble == PLAN_PREAMBLE_OFF)
		rc = 0;
	else if (agent && agent->preamble == PLAN_PREAMBLE_TEXT)
		rc = rv_buf_put_str(out, agent->preamble_text) | rv_buf_puts(out, "\n\n");
	else
		rc = node_preamble_put(&rules, out);
	rv_buf_release(&dirs);
	free(words);
	return rc;
}

static int no_such_unit(const struct plan *p, const char *id)
{
	const char *names[NEAREST_MAX];
	uint32_t count = 0;
	struct rv_err err;
	int near;

	for (; count < p->unit_count && count < NEAREST_MAX; count++)
		names[count] = p->units[count].id.at;
	near = rv_nearest(rv_str_of(id), names, count);
	(void)rv_fail(&err, RV_E_NOT_FOUND, "no unit of this plan is called \"%s\"", id);
	(void)(near >= 0 ? rv_hint(&err, "did you mean %s?", names[near]) : rv_hint(&err, "`reeve graph PLAN` shows its units"));
	return cli_fail(&err);
}

static int show_prompt(const struct plan *p, const char *id)
{
	uint32_t k, unit = find_unit(p, rv_str_of(id), &k);
	struct rv_buf out, safe;
	int status;

	if (unit == PLAN_NONE)
		return no_such_unit(p, id);
	if (!p->units[unit].settings->agent_unit && !p->units[unit].prompt.bytes)
		return cli_failf(RV_E_USAGE, "unit \"%s\" is a command: no agent is told anything", id);
	rv_buf_init(&out, 0);
	if (p->units[unit].settings->profile >= PLAN_PROFILE_CLAUDE && put_rules(p, &p->units[unit], rv_str_of(id), &out) < 0) {
		rv_buf_release(&out);
		return cli_failf(RV_E_NO_MEMORY, "no memory for the prompt");
	}
	put_prompt(p, &p->units[unit], k, &out);
	rv_buf_init(&safe, 0);
	if (cli_is_tty(1))
		cli_text_safe(CLI_TEXT_LINES, rv_buf_str(&out), &safe);
	status = cli_answer(rv_buf_str(cli_is_tty(1) ? &safe : &out), CLI_OK); /* to a file or a pipe: exactly what the agent is told */
	rv_buf_release(&safe);
	rv_buf_release(&out);
	return status;
}

int cli_cmd_check(int argc, char **argv)
{
	struct cli_planload load = { 0 };
	const char *prompt_of = NULL;
	const struct rv_opt table[] = {
		CLI_PLANLOAD_OPTS(&load),
		{ "show-prompt", 0, RV_OPT_STRING, &prompt_of, "UNIT", "print what this unit's agent would be told", 0, 0 },
		CLI_OPT_FORMAT(&load.format_word),
		CLI_OPT_HELP(&load.help),
		CLI_OPT_END,
	};
	enum here here = NOT_LOOKED;
	struct rv_err err = { 0 };
	int words = 0, status;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err) < 0)
		return cli_fail(&err);
	if (load.help)
		return cli_usage("check", "PLAN", "Validates a plan and says what it is. `-` reads JSON lines: first the plan "
				 "without units, then a unit a line.", table);
	if (words != 1)
		return cli_failf(RV_E_USAGE, words ? "check takes one plan, not %d words" : "check needs a plan", words);
	if (cli_planload(&load, argv[0], &err) < 0 && !(err.code == RV_E_PLAN && load.format >= CLI_JSON &&
							 load.format <= CLI_JSONL && load.diags.error_count)) {
		status = cli_planload_fail(&load, &err);
	} else if (load.plan && prompt_of) {
		status = show_prompt(load.plan, prompt_of);
	} else if (load.plan && look_here(&load, &here, &err) < 0) {
		status = cli_fail(&err);
	} else {
		if (load.format != CLI_JSON && load.format != CLI_JSONL)
			cli_planload_warn(&load);
		status = answer(&load, here);
	}
	cli_planload_release(&load);
	return status;
}
