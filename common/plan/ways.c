/* ways.c - how a unit is run: whose command, which agent, which profile
 *
 * A unit's own command comes first; with it no agent applies unless the unit names one itself. Else the agent it names;
 * else the command of `defaults`, with the agent of `defaults` if that names one too; else the agent of `defaults`; else
 * the entry `default` of `agents`, or its only entry.
 */
#include "loader.h"

#include "common/id.h"
#include "common/limits.h"

static bool has(const uint32_t *found, int id)
{
	return found[id] != PLAN_NONE;
}

uint32_t plan_unit_agent(struct plan_loader *l, uint32_t node, bool *unknown)
{
	static const char *const profiles[] = { "claude", "codex", "mock" };
	const char *known[RV_AGENTS_MAX + RV_ARRAY_LEN(profiles)];
	struct rv_str name = plan_node_text(l->tree, node);
	uint32_t agent, i;
	char q[PLAN_QUOTED];
	struct plan_diag *g;
	int near;

	if (plan_node(l->tree, node)->kind == PLAN_ARRAY) {
		if (l->opt->mock == PLAN_MOCK_OFF) {
			plan_error_at(l, PLAN_E_UNSUPPORTED, node - 1, "an array of agents is not executed by this version yet");
			*unknown = true;
			return PLAN_NONE;
		}
		if (plan_node(l->tree, node)->count == 0)
			return PLAN_NONE;
		return plan_unit_agent(l, plan_first(node), unknown);
	}
	agent = plan_agent_named(l, name);
	if (agent != PLAN_NONE)
		return agent;
	*unknown = true;
	if (plan_word_index("gemini opencode qwen", name) >= 0) {
		g = plan_error_at(l, PLAN_E_UNSUPPORTED, node, "the profile %s is not executed by this version yet",
				  plan_quote(name, q));
		plan_diag_hint(g, "--mock runs the plan without agents");
		return PLAN_NONE;
	}
	g = plan_error_at(l, PLAN_E_AGENT_UNKNOWN, node, "no agent is called %s", plan_quote(name, q));
	for (i = 0; i < l->agents.count && i < RV_AGENTS_MAX; i++)
		known[i] = PLAN_VEC_AT(&l->agents, struct plan_agent, i).name.at;
	for (size_t p = 0; p < RV_ARRAY_LEN(profiles); p++) /* those need no entry */
		known[i++] = profiles[p];
	near = rv_nearest(name, known, i);
	if (near >= 0)
		plan_diag_hint(g, "did you mean \"%s\"?", known[near]);
	else
		plan_diag_hint(g, "give it an entry in the plan's `agents`, or use claude, codex or mock, which need none");
	return PLAN_NONE;
}

static void way_of_agent(struct plan_loader *l, struct plan_way *w, uint32_t node)
{
	const struct plan_agent *a = &PLAN_VEC_AT(&l->agents, struct plan_agent, w->agent);
	bool agent_profile = PLAN_VEC_AT(&l->agents_more, struct plan_agent_more, w->agent).agent_profile;
	char q[PLAN_QUOTED];
	struct plan_diag *g;

	if (w->command) {
		w->profile = PLAN_PROFILE_COMMAND;
		return;
	}
	w->agent_unit = agent_profile;
	w->profile = a->profile;
	w->command = a->command;
	if (w->profile != PLAN_PROFILE_COMMAND || w->command)
		return;
	w->unknown = true;
	g = plan_error_at(l, PLAN_E_COMMAND_EMPTY, node, "the agent %s has no command, and neither has this unit",
			  plan_quote(a->name, q));
	if (g && l->tree->nodes[node].kind == PLAN_MAP)
		g->span = 1;
}

/* Is the key there, though its value was refused? */
static bool told(const struct plan_loader *l, uint32_t map, const char *key)
{
	return plan_map_get(l->tree, map, rv_str_of(key)) != PLAN_NONE;
}

struct plan_way plan_find_way(struct plan_loader *l, const uint32_t *found, uint32_t node)
{
	struct plan_way w = { .agent = PLAN_NONE, .profile = PLAN_PROFILE_COMMAND };
	struct plan_diag *g;

	if (has(found, PLAN_U_command)) {
		w.command = plan_read_argv(l, found[PLAN_U_command]);
		w.unknown = !w.command;
	} else if (told(l, node, "command") || (!has(found, PLAN_U_agent) && told(l, node, "agent"))) {
		w.unknown = true;
	}
	if (has(found, PLAN_U_agent)) {
		w.agent = plan_unit_agent(l, found[PLAN_U_agent], &w.unknown);
	} else if (!w.command && !w.unknown) {
		w.command = l->defaults.command;
		w.agent = l->defaults.agent;
		w.unknown = l->defaults.agent_bad;
		if (!w.command && w.agent == PLAN_NONE)
			w.agent = l->default_agent;
	}
	if (w.unknown)
		return w;
	if (w.agent != PLAN_NONE) {
		way_of_agent(l, &w, has(found, PLAN_U_agent) ? found[PLAN_U_agent] : node);
	} else if (!w.command && l->opt->mock == PLAN_MOCK_OFF) {
		w.unknown = true;
		g = plan_error_at(l, PLAN_E_AGENT_UNKNOWN, node, "this unit has no command, and the plan no default agent");
		if (g)
			g->span = 1;
		plan_diag_hint(g, "give it `command`, or in `agent` or `defaults.agent` one of the plan's agents, claude or codex");
	} else if (!w.command) {
		w.agent_unit = true;
	}
	return w;
}

void plan_way_becomes_mock(struct plan_loader *l, struct plan_way *w)
{
	w->profile = PLAN_PROFILE_MOCK;
	w->command = NULL;
	if (w->agent == PLAN_NONE)
		w->agent = plan_agent_named(l, RV_STR("mock"));
}

void plan_mock_way(struct plan_loader *l, struct plan_way *w)
{
	if (l->opt->mock == PLAN_MOCK_ALL || (l->opt->mock == PLAN_MOCK_AGENTS && w->agent_unit))
		plan_way_becomes_mock(l, w);
}
