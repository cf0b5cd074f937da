/* budgets.c - what agents say of themselves beside how they are launched: their limits, their preamble; and whether limits can be held
 *
 * Tokens and cost are read off an agent's own transcript. A command has none, and codex does not tell what it costs: a limit on
 * what nobody will know is refused, since it would never end anything.
 */
#include "loader.h"

#include "common/limits.h"

static bool has(const uint32_t *found, int id)
{
	return found[id] != PLAN_NONE;
}

static bool tells_nothing(enum plan_profile profile)
{
	return profile == PLAN_PROFILE_COMMAND || profile == PLAN_PROFILE_NOOP;
}

/* What an agent's own limits are held against has to be told by it. */
void plan_agent_limits(struct plan_loader *l, struct plan_agent *a, uint32_t map)
{
	uint32_t found[PLAN_KEYS_MAX];
	char q[PLAN_QUOTED];

	(void)plan_walk(l, map, PLAN_MAP_BUDGETS, found);
	if (has(found, PLAN_B_tokens))
		a->budget.tokens = (uint64_t)plan_node_int(l, found[PLAN_B_tokens]);
	if (has(found, PLAN_B_cost_usd))
		a->budget.cost_microusd = plan_node_us(l, found[PLAN_B_cost_usd]);
	if (l->opt->mock != PLAN_MOCK_OFF)
		return;
	if (tells_nothing(a->profile) && (a->budget.tokens || a->budget.cost_microusd))
		plan_error_at(l, PLAN_E_CONFLICT, map - 1, "limits of the agent %s: what a command uses of a model is not known",
			      plan_quote(a->name, q));
	else if (a->profile == PLAN_PROFILE_CODEX && a->budget.cost_microusd)
		plan_diag_hint(plan_error_at(l, PLAN_E_CONFLICT, map - 1,
					     "cost_usd of the agent %s: codex does not tell what it costs", plan_quote(a->name, q)),
			       "limit its `tokens`");
}

/* off, a file's name, or {text: ...}, which is how a saved plan says what the file said. */
int plan_agent_preamble(struct plan_loader *l, struct plan_agent *a, uint32_t node)
{
	uint32_t found[PLAN_KEYS_MAX];
	struct rv_buf b;
	char q[PLAN_QUOTED];
	bool launched = a->profile == PLAN_PROFILE_CLAUDE || a->profile == PLAN_PROFILE_CODEX;

	if (plan_node(l->tree, node)->kind == PLAN_MAP)
		(void)plan_walk(l, node, PLAN_MAP_PREAMBLE, found);
	if (l->opt->mock != PLAN_MOCK_OFF)
		return 0;
	if (!launched) {
		plan_error_at(l, PLAN_E_CONFLICT, node - 1, "the profile \"%s\" of the agent %s puts no preamble before a prompt",
			      plan_profile_name(a->profile), plan_quote(a->name, q));
		return 0;
	}
	if (plan_node(l->tree, node)->kind == PLAN_STRING && rv_str_equal(plan_node_text(l->tree, node), RV_STR("off"))) {
		a->preamble = PLAN_PREAMBLE_OFF;
		return 0;
	}
	a->preamble = PLAN_PREAMBLE_TEXT;
	if (plan_node(l->tree, node)->kind == PLAN_MAP) {
		if (has(found, PLAN_PR_text))
			a->preamble_text = plan_intern_text(l, plan_node_text(l->tree, found[PLAN_PR_text]));
	} else {
		rv_buf_init(&b, RV_PREAMBLE_BYTES_MAX + 1);
		(void)plan_read_named_file(l, node, RV_PREAMBLE_BYTES_MAX, &b);
		a->preamble_text = plan_intern_text(l, rv_buf_str(&b));
		rv_buf_release(&b);
	}
	if (a->preamble_text.bytes > RV_PREAMBLE_BYTES_MAX)
		plan_error_at(l, PLAN_E_LIMIT, node, "a preamble of %zu bytes; the limit is %zu", a->preamble_text.bytes,
			      RV_PREAMBLE_BYTES_MAX);
	return l->no_memory ? -1 : 0;
}

/* ---- units ---- */

static enum plan_profile profile_of(const struct plan *p, uint32_t agent)
{
	return agent == PLAN_NONE ? PLAN_PROFILE_COMMAND : p->agents[agent].profile;
}

/* Is one of the agents that this unit may be run by silent about its cost? */
static bool costs_unknown(const struct plan *p, const struct plan_settings *s)
{
	return s->profile == PLAN_PROFILE_CODEX || (s->retry.agent != PLAN_NONE && profile_of(p, s->retry.agent) == PLAN_PROFILE_CODEX);
}

void plan_check_budgets(struct plan_loader *l)
{
	static const char hint[] = "limit `tokens` in its place";
	const struct plan *p = l->plan;
	struct rv_str no_part = { 0 };
	char q[PLAN_QUOTED];
	bool told = false;

	if (l->opt->mock != PLAN_MOCK_OFF)
		return;
	for (uint32_t i = 0; i < p->unit_count; i++) {
		const struct plan_settings *s = p->units[i].settings;

		if (!costs_unknown(p, s))
			continue;
		if (s->budget.cost_microusd)
			plan_diag_hint(plan_error_unit(l, PLAN_E_CONFLICT, i, RV_STR("resources"), no_part,
						       "cost_usd of the unit %s: codex does not tell what it costs",
						       plan_quote(p->units[i].id, q)), hint);
		if (p->limits.budget.cost_microusd && !told)
			plan_diag_hint(plan_error_unit(l, PLAN_E_CONFLICT, i, RV_STR("agent"), no_part,
						       "limits.cost_usd cannot be held: the unit %s is run by codex, which does not tell what it costs",
						       plan_quote(p->units[i].id, q)), hint);
		told |= p->limits.budget.cost_microusd != 0;
	}
}
