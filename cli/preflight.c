#include "cli/preflight.h"

#include "node/agents/profile.h"

#include <inttypes.h>
#include <stdio.h>

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

/* An agent whose program is not here. */
static int check_profile(const struct plan_settings *s, const struct node_daemon_config *node, struct rv_str unit, struct rv_err *err)
{
	const struct node_profile *p = node_profile_named(rv_str_of(plan_profile_name(s->profile)));

	for (uint32_t i = 0; p && i < node->found_count; i++)
		if (rv_str_equal(node->found[i].key, rv_str_of(p->name)))
			return 0;
	if (!p)
		return 0;
	(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" wants the agent %s, and there is no program `%s` in PATH", RV_STR_ARGS(unit), p->name, p->name);
	return rv_hint(err, "`%s` installs it; --mock tries the plan without", p->install_hint);
}

/* What keeps units with these settings from this node; "" = nothing. */
static int check_settings(const struct plan_settings *s, const struct node_daemon_config *node, struct rv_str unit, struct rv_err *err)
{
	if (s->node.bytes && !rv_str_equal(s->node, node->name)) {
		rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" is pinned to node \"%.*s\", and this one is called \"%.*s\"",
			RV_STR_ARGS(unit), RV_STR_ARGS(s->node), RV_STR_ARGS(node->name));
		return rv_hint(err, "take `node:` out, or try the plan with --mock");
	}
	if (s->slots > node->slots) {
		rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" needs %u slots (resources.cpus), and this run has %" PRIu64,
			RV_STR_ARGS(unit), s->slots, node->slots);
		return rv_hint(err, "run with -j %u or more", s->slots);
	}
	if (check_profile(s, node, unit, err) < 0)
		return -1;
	for (uint32_t i = 0; i < s->label_count; i++) {
		const struct plan_label *l = &s->labels[i];

		if (has_label(node, l) != l->must_not)
			continue;
		rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" wants a node %s label %.*s=%.*s", RV_STR_ARGS(unit),
			l->must_not ? "without the" : "with the", RV_STR_ARGS(l->name), RV_STR_ARGS(l->value));
		return l->must_not ? -1 : rv_hint(err, "run with --label %.*s=%.*s", RV_STR_ARGS(l->name), RV_STR_ARGS(l->value));
	}
	for (uint32_t i = 0; i < s->resource_count; i++) {
		const struct plan_resource *r = &s->resources[i];
		uint64_t has = amount_of(node, r->name);

		if (r->milli <= has)
			continue;
		rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" needs %.*s %" PRIu64 ".%03" PRIu64 ", and this machine has %" PRIu64 ".%03" PRIu64,
			RV_STR_ARGS(unit), RV_STR_ARGS(r->name), r->milli / 1000, r->milli % 1000, has / 1000, has % 1000);
		return rv_hint(err, "run with --resource %.*s=%" PRIu64 " if it has that many", RV_STR_ARGS(r->name), (r->milli + 999) / 1000);
	}
	return 0;
}

int cli_preflight(const struct plan *p, const struct node_daemon_config *node, struct rv_err *err)
{
	const struct plan_settings *last = NULL;

	/* Neighbours share settings, so this is a pass over a few of them however many units there are. */
	for (uint32_t i = 0; i < p->unit_count; i++) {
		const struct plan_settings *s = p->units[i].settings;

		if (s == last || s->satisfied)
			continue;
		if (check_settings(s, node, p->units[i].id, err) < 0)
			return -1;
		last = s;
	}
	return 0;
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
