#include "common/plan/save.h"

#include "common/limits.h"
#include "common/plan/template.h"

#include <inttypes.h>
#include <stdio.h>

/* Writes `"key":` after a comma where one is due; objects begin with their brace written by the caller. */
static void key(struct rv_buf *b, const char *name)
{
	if (b->bytes && b->at[b->bytes - 1] != '{')
		(void)rv_buf_putc(b, ',');
	(void)rv_buf_printf(b, "\"%s\":", name);
}

static void put_str(struct rv_buf *b, const char *name, struct rv_str value)
{
	key(b, name);
	(void)rv_buf_put_json(b, value);
}

static void put_word(struct rv_buf *b, const char *name, const char *value)
{
	put_str(b, name, rv_str_of(value));
}

static void put_uint(struct rv_buf *b, const char *name, uint64_t value)
{
	key(b, name);
	(void)rv_buf_printf(b, "%" PRIu64, value);
}

static void put_json(struct rv_buf *b, const char *name, struct rv_str json)
{
	key(b, name);
	(void)rv_buf_put_str(b, json);
}

/* A count of millionths or thousandths as an exact decimal number. */
static void put_fraction(struct rv_buf *b, const char *name, uint64_t value, uint32_t unit, int digits)
{
	char part[16];
	int n;

	key(b, name);
	(void)rv_buf_printf(b, "%" PRIu64, value / unit);
	if (value % unit == 0)
		return;
	n = snprintf(part, sizeof part, "%0*" PRIu64, digits, value % unit);
	while (n > 0 && part[n - 1] == '0')
		part[--n] = '\0';
	(void)rv_buf_printf(b, ".%s", part);
}

static void put_seconds(struct rv_buf *b, const char *name, uint64_t us)
{
	put_fraction(b, name, us, 1000000, 6);
}

static void put_milli(struct rv_buf *b, const char *name, uint64_t milli)
{
	put_fraction(b, name, milli, 1000, 3);
}

static void put_argv(struct rv_buf *b, const char *name, const struct plan_argv *argv)
{
	key(b, name);
	for (uint32_t i = 0; i < argv->count; i++) {
		(void)rv_buf_putc(b, i ? ',' : '[');
		(void)rv_buf_put_json(b, rv_str_of(argv->arg[i]));
	}
	(void)rv_buf_putc(b, ']');
}

static void put_strs(struct rv_buf *b, const char *name, const struct rv_str *item, uint32_t count)
{
	key(b, name);
	(void)rv_buf_putc(b, '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			(void)rv_buf_putc(b, ',');
		(void)rv_buf_put_json(b, item[i]);
	}
	(void)rv_buf_putc(b, ']');
}

/* A name as the key of an object member. */
static void put_member(struct rv_buf *b, struct rv_str name)
{
	if (b->at[b->bytes - 1] != '{')
		(void)rv_buf_putc(b, ',');
	(void)rv_buf_put_json(b, name);
	(void)rv_buf_putc(b, ':');
}

/* Of a unit only what it sets itself: the rest comes of its agent and of `defaults`, which the head has. */
enum env_part { ENV_ALL, ENV_OWN };

static void put_env(struct rv_buf *b, const struct plan_env *env, uint32_t count, enum env_part part)
{
	bool any = false;

	for (uint32_t i = 0; i < count; i++) {
		if (part == ENV_OWN && !env[i].own)
			continue;
		if (!any) {
			key(b, "env");
			(void)rv_buf_putc(b, '{');
		}
		any = true;
		put_member(b, env[i].name);
		(void)rv_buf_put_json(b, env[i].value);
	}
	if (any)
		(void)rv_buf_putc(b, '}');
}

/* --- the head: everything but the units ------------------------------------------------------------------------------ */

static void put_budget_keys(struct rv_buf *b, const struct plan_budget *g)
{
	if (g->tokens)
		put_uint(b, "tokens", g->tokens);
	if (g->cost_microusd)
		put_fraction(b, "cost_usd", g->cost_microusd, 1000000, 6);
}

static void put_budget(struct rv_buf *b, const struct plan_budget *g)
{
	if (!g->tokens && !g->cost_microusd)
		return;
	key(b, "limits");
	(void)rv_buf_putc(b, '{');
	put_budget_keys(b, g);
	(void)rv_buf_putc(b, '}');
}

static void put_mock(struct rv_buf *b, const struct plan_mock *m)
{
	key(b, "mock");
	(void)rv_buf_putc(b, '{');
	put_seconds(b, "delay_s", m->delay_us);
	if (m->rate_limited)
		put_uint(b, "rate_limited", m->rate_limited);
	if (m->retry_after_us != RV_US_PER_S)
		put_seconds(b, "retry_after_s", m->retry_after_us);
	if (m->hang)
		put_uint(b, "hang", m->hang);
	put_uint(b, "fail", m->fail);
	put_uint(b, "tokens", m->tokens);
	if (m->cost_microusd)
		put_seconds(b, "cost_usd", m->cost_microusd); /* millionths, too */
	put_str(b, "output", m->output);
	(void)rv_buf_putc(b, '}');
}

static bool same_mock(const struct plan_mock *m, const struct plan_mock *n)
{
	return m->delay_us == n->delay_us && m->rate_limited == n->rate_limited && m->retry_after_us == n->retry_after_us && m->hang == n->hang &&
	       m->fail == n->fail && m->tokens == n->tokens && m->cost_microusd == n->cost_microusd && rv_str_equal(m->output, n->output);
}

static void put_agent(struct rv_buf *b, const struct plan_agent *a)
{
	put_member(b, a->name);
	(void)rv_buf_putc(b, '{');
	put_word(b, "profile", plan_profile_name(a->profile));
	if (a->command)
		put_argv(b, "command", a->command);
	if (a->model.bytes)
		put_str(b, "model", a->model);
	if (a->max_concurrent)
		put_uint(b, "max_concurrent", a->max_concurrent);
	if (a->profile == PLAN_PROFILE_MOCK)
		put_mock(b, &a->mock);
	put_budget(b, &a->budget);
	put_env(b, a->env, a->env_count, ENV_ALL);
	if (a->preamble == PLAN_PREAMBLE_OFF)
		put_word(b, "preamble", "off");
	if (a->preamble == PLAN_PREAMBLE_TEXT) {
		key(b, "preamble");
		(void)rv_buf_putc(b, '{');
		put_str(b, "text", a->preamble_text);
		(void)rv_buf_putc(b, '}');
	}
	if (a->rate_limit_exit_count) {
		key(b, "rate_limit_exit_codes");
		for (uint32_t i = 0; i < a->rate_limit_exit_count; i++)
			(void)rv_buf_printf(b, "%c%u", i ? ',' : '[', a->rate_limit_exit_codes[i]);
		(void)rv_buf_putc(b, ']');
	}
	if (a->rate_limit_pattern_count)
		put_strs(b, "rate_limit_patterns", a->rate_limit_patterns, a->rate_limit_pattern_count);
	(void)rv_buf_putc(b, '}');
}

static void put_agents(struct rv_buf *b, const struct plan *p)
{
	key(b, "agents");
	(void)rv_buf_putc(b, '{');
	for (uint32_t i = 0; i < p->agent_count; i++)
		if (!p->agents[i].built_in)
			put_agent(b, &p->agents[i]);
	(void)rv_buf_putc(b, '}');
}

static void put_workspace(struct rv_buf *b, const struct plan_workspace *w)
{
	key(b, "workspace");
	(void)rv_buf_putc(b, '{');
	put_word(b, "mode", plan_mode_name(w->mode));
	put_word(b, "overlap", plan_overlap_name(w->overlap));
	put_word(b, "enforce", w->enforce == PLAN_ENFORCE_OFF ? "off" : "auto");
	key(b, "require_directories");
	(void)rv_buf_puts(b, w->require_directories ? "true" : "false");
	if (w->root.bytes)
		put_str(b, "root", w->root);
	if (w->namespace_root.bytes)
		put_str(b, "namespace_root", w->namespace_root);
	(void)rv_buf_putc(b, '}');
}

static void put_limits(struct rv_buf *b, const struct plan_limits *l)
{
	key(b, "limits");
	(void)rv_buf_putc(b, '{');
	if (l->failed)
		put_uint(b, "failed", l->failed);
	put_uint(b, "node_lost", l->node_lost);
	put_uint(b, "environment", l->environment);
	put_uint(b, "rate_limited", l->rate_limited);
	put_budget_keys(b, &l->budget);
	(void)rv_buf_putc(b, '}');
}

void plan_save_head(const struct plan *p, struct rv_buf *b)
{
	(void)rv_buf_putc(b, '{');
	put_uint(b, "version", 1);
	put_str(b, "name", p->name);
	if (p->max_workers)
		put_uint(b, "max_workers", p->max_workers);
	put_word(b, "on_failure", plan_on_failure_name(p->on_failure));
	put_word(b, "order", plan_order_name(p->order));
	put_word(b, "placement", plan_placement_name(p->placement));
	put_word(b, "keep_logs", plan_keep_logs_name(p->keep_logs));
	if (p->compat_ralph)
		put_json(b, "compat_env", RV_STR("[\"ralph\"]"));
	if (p->timeout_us)
		put_seconds(b, "timeout_s", p->timeout_us);
	if (p->lost_after_us)
		put_seconds(b, "lost_after_s", p->lost_after_us);
	put_limits(b, &p->limits);
	put_workspace(b, &p->workspace);
	if (p->context.bytes > 2)
		put_json(b, "context", p->context);
	put_agents(b, p);
	if (p->defaults.bytes)
		put_json(b, PLAN_HEAD_DEFAULTS, p->defaults);
	if (p->env_count) {
		key(b, "defaults");
		(void)rv_buf_putc(b, '{');
		put_env(b, p->env, p->env_count, ENV_ALL);
		(void)rv_buf_putc(b, '}');
	}
	key(b, "locks");
	(void)rv_buf_putc(b, '{');
	for (uint32_t i = 0; i < p->lock_count; i++) {
		put_member(b, p->locks[i].name);
		(void)rv_buf_printf(b, "%u", p->locks[i].count);
	}
	(void)rv_buf_putc(b, '}');
	if (p->verify) {
		key(b, "verify");
		(void)rv_buf_putc(b, '{');
		if (p->verify->command)
			put_argv(b, "command", p->verify->command);
		else
			put_json(b, "command", RV_STR("[\"true\"],\"profile\":\"mock\"")); /* it is mocked, and the key is demanded */
		put_seconds(b, "timeout_s", p->verify->settings->timeout_us);
		(void)rv_buf_putc(b, '}');
	}
	(void)rv_buf_puts(b, "}\n");
}

/* --- units ------------------------------------------------------------------------------------------------------------- */

static void put_retry(struct rv_buf *b, const struct plan *p, const struct plan_retry *r)
{
	static const char *const backoff[] = {
		[PLAN_BACKOFF_EXPONENTIAL] = "exponential",
		[PLAN_BACKOFF_LINEAR] = "linear",
		[PLAN_BACKOFF_NONE] = "none",
	};
	const char *sep = "";

	key(b, "retry");
	(void)rv_buf_putc(b, '{');
	put_uint(b, "max", r->max);
	put_word(b, "backoff", backoff[r->backoff]);
	put_seconds(b, "base_s", r->base_us);
	put_seconds(b, "max_s", r->max_us);
	put_fraction(b, "jitter", r->jitter_ppm, 1000000, 6);
	key(b, "on");
	(void)rv_buf_putc(b, '[');
	for (int i = 0; i < 3; i++) {
		static const char *const name[] = { "\"agent\"", "\"timeout\"", "\"evidence\"" };

		if (r->on & 1u << i) {
			(void)rv_buf_printf(b, "%s%s", sep, name[i]);
			sep = ",";
		}
	}
	(void)rv_buf_putc(b, ']');
	if (r->agent != PLAN_NONE)
		put_str(b, "agent", p->agents[r->agent].name);
	(void)rv_buf_putc(b, '}');
}

static void put_resources(struct rv_buf *b, const struct plan_settings *s)
{
	key(b, "resources");
	(void)rv_buf_putc(b, '{');
	put_milli(b, "cpus", s->cpus_milli);
	for (uint32_t i = 0; i < s->resource_count; i++) {
		uint64_t milli = s->resources[i].milli;

		put_member(b, s->resources[i].name);
		if (milli % 1000)
			(void)rv_buf_printf(b, "%" PRIu64 ".%03" PRIu64, milli / 1000, milli % 1000);
		else
			(void)rv_buf_printf(b, "%" PRIu64, milli / 1000);
	}
	put_budget_keys(b, &s->budget);
	(void)rv_buf_putc(b, '}');
}

static void put_maps(struct rv_buf *b, const struct plan *p, const struct plan_settings *s)
{
	put_env(b, s->env, s->env_count, ENV_OWN);
	if (s->label_count) {
		key(b, "labels");
		(void)rv_buf_putc(b, '{');
		for (uint32_t i = 0; i < s->label_count; i++) {
			char value[RV_NAME_BYTES_MAX + 2];
			size_t bytes = s->labels[i].value.bytes;

			put_member(b, s->labels[i].name);
			if (s->labels[i].must_not && bytes < sizeof value) {
				value[0] = '!';
				memcpy(value + 1, s->labels[i].value.at, bytes);
				(void)rv_buf_put_json(b, rv_str(value, bytes + 1));
			} else {
				(void)rv_buf_put_json(b, s->labels[i].value);
			}
		}
		(void)rv_buf_putc(b, '}');
	}
	if (s->lock_count) {
		key(b, "locks");
		for (uint32_t i = 0; i < s->lock_count; i++) {
			(void)rv_buf_putc(b, i ? ',' : '[');
			(void)rv_buf_put_json(b, p->locks[s->locks[i]].name);
		}
		(void)rv_buf_putc(b, ']');
	}
}

static void put_evidence(struct rv_buf *b, const struct plan_settings *s)
{
	if (!s->required_count) {
		put_word(b, "evidence", plan_evidence_name(s->evidence));
		return;
	}
	key(b, "evidence");
	(void)rv_buf_putc(b, '{');
	put_word(b, "type", plan_evidence_name(s->evidence));
	put_strs(b, "required", s->required, s->required_count);
	(void)rv_buf_putc(b, '}');
}

/* Merged settings as keys of one unit. Everything that has a default which depends on the kind of unit is written out, so that
 * loading merges nothing else in. */
static void put_settings(struct rv_buf *b, const struct plan *p, const struct plan_settings *s)
{
	static const char *const template_mode[] = {
		[PLAN_TEMPLATE_AUTO] = "auto", [PLAN_TEMPLATE_ON] = "on", [PLAN_TEMPLATE_OFF] = "off",
	};
	static const char *const namespace_mode[] = {
		[PLAN_NAMESPACE_AUTO] = "auto", [PLAN_NAMESPACE_ALWAYS] = "always", [PLAN_NAMESPACE_NEVER] = "never",
	};

	if (s->agent != PLAN_NONE)
		put_str(b, "agent", p->agents[s->agent].name);
	if (s->profile == PLAN_PROFILE_MOCK && (s->agent == PLAN_NONE || !same_mock(&s->mock, &p->agents[s->agent].mock)))
		put_mock(b, &s->mock);
	if (s->at_most_once)
		put_json(b, "at_most_once", RV_STR("true"));
	else if (s->agent_unit || s->retry.max)
		put_retry(b, p, &s->retry);
	if (s->satisfied)
		put_json(b, "satisfied", RV_STR("true"));
	if (s->hold)
		put_json(b, "hold", RV_STR("true"));
	if (s->accept)
		put_argv(b, "accept", s->accept);
	if (s->unless)
		put_argv(b, "unless", s->unless);
	if (s->trigger != PLAN_ALL_SUCCESS)
		put_word(b, "trigger_rule", plan_trigger_name(s->trigger));
	if (s->output != PLAN_OUTPUT_TEXT)
		put_word(b, "output", "json");
	if (s->evidence != PLAN_EVIDENCE_EXIT || s->required_count)
		put_evidence(b, s);
	if (s->template_mode != PLAN_TEMPLATE_AUTO)
		put_word(b, "template", template_mode[s->template_mode]);
	if (s->namespace_mode != PLAN_NAMESPACE_AUTO)
		put_word(b, "namespace", namespace_mode[s->namespace_mode]);
	if (s->priority) {
		key(b, "priority");
		(void)rv_buf_printf(b, "%d", s->priority);
	}
	if (s->agent_unit || s->cpus_milli != 1000 || s->resource_count)
		put_resources(b, s);
	if (s->agent_unit || s->timeout_us)
		put_seconds(b, "timeout_s", s->timeout_us);
	if (s->agent_unit || s->idle_timeout_us)
		put_seconds(b, "idle_timeout_s", s->idle_timeout_us);
	if (s->agent_unit || s->start_timeout_us)
		put_seconds(b, "start_timeout_s", s->start_timeout_us);
	if (s->queue_timeout_us)
		put_seconds(b, "queue_timeout_s", s->queue_timeout_us);
	if (s->grace_us != RV_GRACE_US_DEFAULT)
		put_seconds(b, "grace_s", s->grace_us);
	if (s->log_max_bytes != (uint64_t)RV_LOG_MAX_MB_DEFAULT << 20)
		put_uint(b, "log_max_mb", s->log_max_bytes >> 20);
	if (s->cwd.bytes)
		put_str(b, "cwd", s->cwd);
	if (s->node.bytes)
		put_str(b, "node", s->node);
	put_maps(b, p, s);
}

/* A prompt that came from a file and is not to be filled becomes one whose braces are literal. */
static void put_prompt(struct rv_buf *b, const struct plan_unit *u)
{
	struct rv_str text = u->prompt;

	if (rv_str_equal(text, u->description))
		return;
	if (!(u->flags & PLAN_UNIT_PROMPT_FILE) || (u->flags & PLAN_UNIT_FILL_PROMPT) || !plan_template_has_keys(text)) {
		put_str(b, "prompt", text);
		return;
	}
	struct rv_buf escaped;

	rv_buf_init(&escaped, 0);
	for (size_t i = 0; i < text.bytes; i++) {
		(void)rv_buf_putc(&escaped, text.at[i]);
		if (i + 1 < text.bytes && text.at[i] == '{' && text.at[i + 1] == '{') {
			(void)rv_buf_puts(&escaped, "{{{");
			i++;
		}
	}
	put_str(b, "prompt", rv_buf_str(&escaped));
	b->failed |= escaped.failed;
	rv_buf_release(&escaped);
}

static void put_for_each(struct rv_buf *b, const struct plan *p, const struct plan_for_each *f)
{
	key(b, "for_each");
	if (f->same_as != PLAN_NONE) {
		(void)rv_buf_putc(b, '{');
		put_str(b, "same_as", p->units[f->same_as].id);
		(void)rv_buf_putc(b, '}');
	} else if (f->items) {
		(void)rv_buf_putc(b, '[');
		for (uint32_t i = 0; i < f->count; i++) {
			if (i)
				(void)rv_buf_putc(b, ',');
			(void)rv_buf_put_str(b, f->items[i]);
		}
		(void)rv_buf_putc(b, ']');
	} else {
		(void)rv_buf_printf(b, "{\"count\":%u}", f->count);
	}
}

void plan_save_unit(const struct plan *p, const struct plan_unit *u, struct rv_buf *b)
{
	const struct plan_settings *s = u->settings;
	const struct plan_argv *agent_argv = s->agent == PLAN_NONE ? NULL : p->agents[s->agent].command;

	(void)rv_buf_putc(b, '{');
	put_str(b, "id", u->for_each && u->for_each->id_template.bytes ? u->for_each->id_template : u->id);
	if (u->description.bytes)
		put_str(b, "description", u->description);
	if (u->prompt.bytes)
		put_prompt(b, u);
	if (u->command && u->command != agent_argv)
		put_argv(b, "command", u->command);
	put_settings(b, p, s);
	if (u->dep_count) {
		key(b, "depends_on");
		for (uint32_t i = 0; i < u->dep_count; i++) {
			(void)rv_buf_putc(b, i ? ',' : '[');
			(void)rv_buf_put_json(b, p->units[u->deps[i]].id);
		}
		(void)rv_buf_putc(b, ']');
	}
	if (u->dirs)
		put_strs(b, "allowed_directories", u->dirs->path, u->dirs->count);
	if (u->context.bytes)
		put_json(b, "context", u->context);
	if (u->for_each)
		put_for_each(b, p, u->for_each);
	if (u->estimate_us != PLAN_ESTIMATE_NONE)
		put_seconds(b, "estimate_s", u->estimate_us);
	if (u->extra.bytes > 2) {
		(void)rv_buf_putc(b, ',');
		(void)rv_buf_put(b, u->extra.at + 1, u->extra.bytes - 2);
	}
	(void)rv_buf_puts(b, "}\n");
}

int plan_save(const struct plan *p, struct rv_buf *out, struct rv_err *err)
{
	plan_save_head(p, out);
	for (uint32_t i = 0; i < p->unit_count && !out->failed; i++)
		if (!(p->units[i].flags & PLAN_UNIT_OUTER))
			plan_save_unit(p, &p->units[i], out);
	if (out->failed)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to save a plan of %u units", p->unit_count);
	return 0;
}
