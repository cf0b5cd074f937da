#include "cli/preflight.h"

#include "node/agents/found.h"
#include "node/agents/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

enum weight { WARNS, REFUSES };

/* The look at a plan: what was found, and of whom it is said. */
struct look {
	const struct plan *plan;
	const struct node_daemon_config *node;
	struct cli_findings *out;
	uint32_t unit;                    /* PLAN_NONE: the plan itself */
	uint64_t instances;               /* that it stands for */
	/* what was asked before, of units that are alike: a plan may have a million */
	enum { NOT_ASKED, LOGGED_IN, NOBODY } login[PLAN_PROFILE_CODEX + 1];
	struct rv_str cwd;
	bool cwd_is_there;
};

/* Whoever asks for the same stands in one finding: its first unit, and how many more. `hint` "": none. */
static void find(struct look *k, enum weight weight, const char *hint, const char *fmt, ...) RV_PRINTF(4, 5);

static void find(struct look *k, enum weight weight, const char *hint, const char *fmt, ...)
{
	struct cli_findings *f = k->out;
	struct cli_finding new = { .unit = k->unit, .refuses = weight == REFUSES };
	va_list ap;
	uint32_t i;

	va_start(ap, fmt);
	(void)vsnprintf(new.what, sizeof(new.what), fmt, ap);
	va_end(ap);
	(void)snprintf(new.hint, sizeof(new.hint), "%s", hint);
	for (i = 0; i < f->count; i++) {
		if (strcmp(f->item[i].what, new.what) == 0) {
			f->item[i].others += k->instances;
			return;
		}
	}
	f->refusals += new.refuses;
	if (f->count == CLI_FINDINGS_MAX) {
		f->left_out[new.refuses]++;
		return;
	}
	new.others = k->instances ? k->instances - 1 : 0;
	f->item[f->count++] = new;
}

static bool has_label(const struct node_daemon_config *node, const struct plan_label *want)
{
	for (uint32_t i = 0; i < node->label_count; i++)
		if (rv_str_equal(node->labels[i].key, want->name))
			return rv_str_equal(node->labels[i].value, want->value);
	return false;
}

static uint64_t amount_of(const struct node_daemon_config *node, struct rv_str name)
{
	for (uint32_t i = 0; i < node->resource_count; i++)
		if (rv_str_equal(node->resources[i].name, name))
			return node->resources[i].amount;
	return 0;
}

/* --- agents ----------------------------------------------------------------------------------------------------------------- */

static bool is_here(const struct node_daemon_config *node, const struct node_profile *p)
{
	for (uint32_t i = 0; i < node->found_count; i++)
		if (rv_str_equal(node->found[i].key, rv_str_of(p->name)))
			return true;
	return false;
}

static bool sets_key(const struct plan_settings *s, const struct node_profile *p)
{
	for (uint32_t i = 0; i < s->env_count; i++)
		for (size_t k = 0; k < RV_ARRAY_LEN(p->keys) && p->keys[k]; k++)
			if (rv_str_equal(s->env[i].name, rv_str_of(p->keys[k])))
				return true;
	return false;
}

static bool nobody_logged_in(struct look *k, const struct node_profile *p, enum plan_profile profile)
{
	char by[PATH_MAX];

	if (k->login[profile] == NOT_ASKED)
		k->login[profile] = node_found_login(k->node, p, by) == NODE_LOGIN_NONE ? NOBODY : LOGGED_IN;
	return k->login[profile] == NOBODY;
}

static void look_at_agent(struct look *k, const struct plan_settings *s, enum plan_profile profile, const char *when)
{
	const struct node_profile *p = node_profile_named(rv_str_of(plan_profile_name(profile)));
	char hint[CLI_FINDING_HINT_BYTES];

	if (!p)
		return;
	if (!is_here(k->node, p)) {
		(void)snprintf(hint, sizeof(hint), "`%s` installs it; --mock tries the plan without", p->install_hint);
		find(k, REFUSES, hint, "wants the agent %s%s, and there is no program `%s` in PATH on this machine", p->name, when, p->name);
	} else if (nobody_logged_in(k, p, profile) && !sets_key(s, p)) {
		find(k, WARNS, p->login_hint, "is run by %s%s, and nobody is logged in to it on this machine", p->name, when);
	}
}

static void look_at_agents(struct look *k, const struct plan_settings *s)
{
	look_at_agent(k, s, s->profile, "");
	if (s->agent_unit && s->retry.agent != PLAN_NONE && s->retry.max)
		look_at_agent(k, s, k->plan->agents[s->retry.agent].profile, " in its last try");
}

/* --- room ------------------------------------------------------------------------------------------------------------------- */

static void look_at_label(struct look *k, const struct plan_label *l)
{
	char hint[CLI_FINDING_HINT_BYTES], name[PLAN_QUOTED], value[PLAN_QUOTED];
	struct rv_str n, v;

	if (has_label(k->node, l) != l->must_not)
		return;
	n = rv_str_of(plan_quote(l->name, name));
	v = rv_str_of(plan_quote(l->value, value));
	n = rv_str(n.at + 1, n.bytes - 2); /* made harmless; label=value reads better without quotes */
	v = rv_str(v.at + 1, v.bytes - 2);
	(void)snprintf(hint, sizeof(hint), "run with --label %.*s=%.*s if it has that", RV_STR_ARGS(n), RV_STR_ARGS(v));
	find(k, REFUSES, l->must_not ? "" : hint, "wants a node %s label %.*s=%.*s, and this machine is %sgiven it", l->must_not ? "without the" : "with the",
	     RV_STR_ARGS(n), RV_STR_ARGS(v), l->must_not ? "" : "not ");
}

/* 2000 -> "2", 1500 -> "1.5" */
static const char *amount(uint64_t milli, char room[32])
{
	int n = snprintf(room, 32, "%" PRIu64 ".%03" PRIu64, milli / 1000, milli % 1000);

	while (n > 1 && room[n - 1] == '0')
		room[--n] = '\0';
	if (n > 1 && room[n - 1] == '.')
		room[n - 1] = '\0';
	return room;
}

static void look_at_room(struct look *k, const struct plan_settings *s)
{
	char hint[CLI_FINDING_HINT_BYTES], q[PLAN_QUOTED], here[PLAN_QUOTED], want[32], has[32];

	if (s->node.bytes && !rv_str_equal(s->node, k->node->name))
		find(k, REFUSES, "take `node:` out, or try the plan with --mock", "is pinned to node %s, and this machine is called %s", plan_quote(s->node, q),
		     plan_quote(k->node->name, here));
	if (s->slots > k->node->slots) {
		(void)snprintf(hint, sizeof(hint), "run with -j %u or more", s->slots);
		find(k, REFUSES, hint, "needs %u slots (resources.cpus), and this machine gives %" PRIu64, s->slots, k->node->slots);
	}
	for (uint32_t i = 0; i < s->label_count; i++)
		look_at_label(k, &s->labels[i]);
	for (uint32_t i = 0; i < s->resource_count; i++) {
		const struct plan_resource *r = &s->resources[i];

		if (r->milli <= amount_of(k->node, r->name))
			continue;
		(void)snprintf(hint, sizeof(hint), "run with --resource %.*s=%" PRIu64 " if it has that many", RV_STR_ARGS(r->name), (r->milli + 999) / 1000);
		find(k, REFUSES, hint, "needs %.*s %s, and this machine has %s", RV_STR_ARGS(r->name), amount(r->milli, want),
		     amount(amount_of(k->node, r->name), has));
	}
}

/* --- directories ------------------------------------------------------------------------------------------------------------- */

static struct rv_str root_of(const struct plan *p)
{
	struct rv_str dir = p->dir.bytes ? p->dir : RV_STR(".");

	return p->workspace.mode != PLAN_MODE_NONE && p->workspace.root.bytes ? p->workspace.root : dir;
}

static bool is_directory(struct rv_str root, struct rv_str below)
{
	char path[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(path, sizeof(path), "%.*s%s%.*s", RV_STR_ARGS(root), below.bytes ? "/" : "", RV_STR_ARGS(below)) >= sizeof(path))
		return true; /* whoever goes there will say so */
	return stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : errno != ENOENT && errno != ENOTDIR;
}

/* What another unit before it may make is no matter yet, nor what is filled in. */
static void look_at_cwd(struct look *k, const struct plan_unit *u)
{
	struct rv_str cwd = u->settings->cwd;
	char q[PLAN_QUOTED];

	if (!cwd.bytes || cwd.at[0] == '/' || u->dep_count || u->settings->profile == PLAN_PROFILE_MOCK || u->settings->profile == PLAN_PROFILE_NOOP ||
	    memmem(cwd.at, cwd.bytes, "{", 1))
		return;
	if (cwd.at != k->cwd.at) { /* equal texts are one */
		k->cwd = cwd;
		k->cwd_is_there = is_directory(root_of(k->plan), cwd);
	}
	if (k->cwd_is_there)
		return;
	find(k, WARNS, "make it, or mend `cwd`", "starts in %s, which is not there on this machine, and waits for nothing that could make it",
	     plan_quote(cwd, q));
}

void cli_preflight(const struct plan *p, const struct node_daemon_config *node, struct cli_findings *out)
{
	struct look k = { .plan = p, .node = node, .out = out, .unit = PLAN_NONE };
	const struct rv_str root = root_of(p);
	char q[PLAN_QUOTED];

	*out = (struct cli_findings){ 0 };
	if (!is_directory(root, RV_STR("")))
		find(&k, REFUSES, "make it, or mend `workspace.root`", "the workspace %s is not there on this machine", plan_quote(root, q));
	for (uint32_t i = 0; i < p->unit_count; i++) {
		const struct plan_settings *s = p->units[i].settings;

		if (s->satisfied)
			continue;
		k.unit = i;
		k.instances = plan_unit_instances(&p->units[i]);
		look_at_room(&k, s);
		look_at_agents(&k, s);
		look_at_cwd(&k, &p->units[i]);
	}
}

void cli_finding_put(const struct cli_finding *f, const struct plan *p, struct rv_buf *out)
{
	char q[PLAN_QUOTED];

	if (f->unit != PLAN_NONE)
		(void)rv_buf_printf(out, "unit %s ", plan_quote(p->units[f->unit].id, q));
	if (f->unit != PLAN_NONE && f->others)
		(void)rv_buf_printf(out, "(and %" PRIu64 " more) ", f->others);
	(void)rv_buf_puts(out, f->what);
}

void cli_findings_tell(const struct cli_findings *f, const struct plan *p, enum cli_findings_as as, struct plan_diags *d)
{
	struct rv_buf text;

	rv_buf_init(&text, 0);
	for (uint32_t i = 0; i < f->count; i++) {
		const struct cli_finding *one = &f->item[i];
		bool refused = one->refuses && as == CLI_FINDINGS_REFUSE;
		struct plan_spot spot = { .kind = PLAN_SPOT_NONE };
		struct plan_diag *g;

		if (one->unit != PLAN_NONE)
			spot = (struct plan_spot){ .kind = PLAN_SPOT_KNOWN, .line = p->units[one->unit].pos.line, .part = p->units[one->unit].pos.col };
		rv_buf_reset(&text);
		cli_finding_put(one, p, &text);
		g = plan_diag_add(d, refused ? PLAN_E_CONFLICT : PLAN_W_UNPLACEABLE, spot, "%s", text.at);
		if (one->hint[0])
			plan_diag_hint(g, "%s", one->hint);
	}
	*(as == CLI_FINDINGS_REFUSE ? &d->errors_found : &d->warnings_found) += f->left_out[1];
	d->warnings_found += f->left_out[0];
	rv_buf_release(&text);
}

static bool uses_profile(const struct plan *p, const char *name)
{
	for (uint32_t i = 0; i < p->settings_count; i++)
		if (strcmp(plan_profile_name(p->settings[i]->profile), name) == 0)
			return true;
	return false;
}

static bool has_variable(const struct node_daemon_config *node, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; node->env && node->env[i]; i++)
		if (strncmp(node->env[i], name, n) == 0 && node->env[i][n] == '=' && node->env[i][n + 1])
			return true;
	return false;
}

void cli_preflight_keys(const struct plan *p, const struct node_daemon_config *node, char *out, size_t bytes)
{
	const struct node_profile *profile;
	size_t at = 0;

	out[0] = '\0';
	for (uint32_t i = 0; (profile = node_profile_at(i)); i++) {
		if (!uses_profile(p, profile->name))
			continue;
		for (size_t k = 0; k < RV_ARRAY_LEN(profile->keys) && profile->keys[k]; k++)
			if (has_variable(node, profile->keys[k]) && at < bytes)
				at += (size_t)snprintf(out + at, bytes - at, "%s%s (%s)", at ? ", " : "", profile->keys[k], profile->name);
	}
}
