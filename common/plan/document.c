/* document.c - the plan's own keys: everything but its units
 *
 * Each of them may stand in the plan and again in --set, so they are applied from both trees, the words of --set last.
 */
#include "loader.h"
#include "save.h"

#include "common/id.h"
#include "common/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define TREE_FILE 0
#define TREE_SET 1

static bool has(const uint32_t *found, int id)
{
	return found[id] != PLAN_NONE;
}

static int word(const struct plan_loader *l, uint32_t node, const char *words)
{
	return plan_word_index(words, plan_node_text(l->tree, node));
}

static uint32_t number(const struct plan_loader *l, uint32_t node)
{
	return (uint32_t)plan_node_int(l, node);
}

/* ---- small maps ---- */

static void apply_limits(struct plan_loader *l, uint32_t map)
{
	struct plan_limits *limits = &l->plan->limits;
	uint32_t found[PLAN_KEYS_MAX];

	(void)plan_walk(l, map, PLAN_MAP_LIMITS, found);
	if (has(found, PLAN_L_failed))
		limits->failed = number(l, found[PLAN_L_failed]);
	if (has(found, PLAN_L_node_lost))
		limits->node_lost = number(l, found[PLAN_L_node_lost]);
	if (has(found, PLAN_L_environment))
		limits->environment = number(l, found[PLAN_L_environment]);
	if (has(found, PLAN_L_rate_limited))
		limits->rate_limited = number(l, found[PLAN_L_rate_limited]);
	if (has(found, PLAN_L_tokens))
		limits->budget.tokens = (uint64_t)plan_node_int(l, found[PLAN_L_tokens]);
	if (has(found, PLAN_L_cost_usd))
		limits->budget.cost_microusd = plan_node_us(l, found[PLAN_L_cost_usd]);
}

/* An absolute path where the plan's own directory is known. */
static struct rv_str path_from_plan(struct plan_loader *l, struct rv_str path)
{
	struct rv_str dir = l->plan->dir;

	if (!dir.bytes || path.at[0] == '/')
		return plan_intern_text(l, path);
	while (path.bytes > 1 && path.at[0] == '.' && path.at[1] == '/')
		path = rv_str(path.at + 2, path.bytes - 2);
	if (rv_str_equal(path, RV_STR(".")))
		return dir;
	rv_buf_reset(&l->text);
	(void)rv_buf_printf(&l->text, "%.*s%s%.*s", RV_STR_ARGS(dir), dir.bytes > 1 ? "/" : "", RV_STR_ARGS(path));
	return plan_intern_text(l, rv_buf_str(&l->text));
}

static void apply_workspace(struct plan_loader *l, uint32_t map)
{
	struct plan_workspace *w = &l->plan->workspace;
	uint32_t found[PLAN_KEYS_MAX];

	(void)plan_walk(l, map, PLAN_MAP_WORKSPACE, found);
	if (has(found, PLAN_W_mode)) {
		w->mode = (enum plan_mode)word(l, found[PLAN_W_mode], "none shared");
		l->mode_given = true;
	}
	if (has(found, PLAN_W_root))
		w->root = path_from_plan(l, plan_node_text(l->tree, found[PLAN_W_root]));
	if (has(found, PLAN_W_namespace_root))
		w->namespace_root = path_from_plan(l, plan_node_text(l->tree, found[PLAN_W_namespace_root]));
	if (has(found, PLAN_W_overlap))
		w->overlap = (enum plan_overlap)word(l, found[PLAN_W_overlap], "ordered strict serialize allow");
	if (has(found, PLAN_W_enforce))
		w->enforce = (enum plan_enforce)word(l, found[PLAN_W_enforce], "auto off");
	if (has(found, PLAN_W_require_directories)) {
		w->require_directories = plan_node(l->tree, found[PLAN_W_require_directories])->integer;
		l->require_given = true;
	}
}

static int apply_locks(struct plan_loader *l, uint32_t map)
{
	const struct plan_key *key = plan_key_find(&l->index[PLAN_MAP_PLAN], RV_STR("locks"));
	uint32_t k;

	for (k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		struct plan_lock *locks = l->plan->locks;
		struct rv_str name;
		uint32_t i;

		if (!plan_value_holds(l, key, k + 1))
			continue;
		name = plan_intern_text(l, plan_node_text(l->tree, k));
		if (!name.at)
			return -1;
		i = rv_strmap_get(&l->lock_names, name);
		if (i == RV_MAP_NONE) {
			i = l->plan->lock_count;
			if (i == RV_LOCKS_MAX)
				break;
			if (rv_strmap_add(&l->lock_names, name, i) == RV_MAP_NONE)
				return plan_no_memory(l);
			l->plan->lock_count++;
		}
		locks[i] = (struct plan_lock){ .name = name, .count = number(l, k + 1) };
	}
	return 0;
}

int plan_put_context(struct plan_loader *l, uint32_t map)
{
	const struct plan_key *key = plan_key_find(&l->index[PLAN_MAP_PLAN], RV_STR("context"));
	uint32_t k;

	for (k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		struct rv_str name, json;

		if (!plan_value_holds(l, key, k + 1))
			continue;
		rv_buf_reset(&l->text);
		if (plan_node_json(l->tree, k + 1, &l->text))
			return plan_no_memory(l);
		json = plan_intern_text(l, rv_buf_str(&l->text));
		name = plan_intern_text(l, plan_node_text(l->tree, k));
		if (!json.at || !name.at || plan_pairs_put(l, &l->context, name, json))
			return -1;
	}
	return 0;
}

/* ---- agents ---- */

static struct plan_agent *agent_at(struct plan_loader *l, uint32_t i)
{
	return &PLAN_VEC_AT(&l->agents, struct plan_agent, i);
}

static uint32_t agent_add(struct plan_loader *l, struct rv_str name)
{
	struct plan_agent *a;
	struct plan_agent_more *more;
	struct rv_str copy = plan_intern_text(l, name);
	uint32_t i = l->agents.count;

	a = copy.at ? plan_vec_add(l, &l->agents, sizeof(*a)) : NULL;
	more = a ? plan_vec_add(l, &l->agents_more, sizeof(*more)) : NULL;
	if (!more || rv_strmap_add(&l->agent_names, copy, i) == RV_MAP_NONE) {
		(void)plan_no_memory(l);
		return PLAN_NONE;
	}
	a->name = copy;
	a->model = RV_STR("");
	a->preamble_text = RV_STR("");
	a->mock = plan_mock_standard();
	return i;
}

static const char profile_words[] = "command mock noop claude codex gemini opencode qwen";

/* What this version does not execute is refused, or mocked. */
static enum plan_profile profile_of(int word)
{
	return word > PLAN_PROFILE_CODEX ? PLAN_PROFILE_MOCK : (enum plan_profile)word;
}

static bool is_agent_profile(enum plan_profile profile)
{
	return profile != PLAN_PROFILE_COMMAND && profile != PLAN_PROFILE_NOOP;
}

uint32_t plan_agent_named(struct plan_loader *l, struct rv_str name)
{
	uint32_t i = rv_strmap_get(&l->agent_names, name);
	bool agent_profile;
	int profile;

	if (i != RV_MAP_NONE)
		return i;
	profile = plan_word_index(profile_words, name);
	if (l->agents.count >= RV_AGENTS_MAX)
		return PLAN_NONE;
	/* With --mock any name will do: the agent may be one that only some node offers. */
	if (l->opt->mock == PLAN_MOCK_OFF && (profile < 0 || profile > PLAN_PROFILE_CODEX))
		return PLAN_NONE;
	i = agent_add(l, name);
	if (i == PLAN_NONE)
		return i;
	agent_at(l, i)->built_in = true;
	agent_at(l, i)->profile = profile < 0 ? PLAN_PROFILE_MOCK : profile_of(profile);
	agent_profile = is_agent_profile(agent_at(l, i)->profile);
	PLAN_VEC_AT(&l->agents_more, struct plan_agent_more, i).agent_profile = agent_profile;
	if (l->opt->mock == PLAN_MOCK_ALL || (l->opt->mock == PLAN_MOCK_AGENTS && agent_profile))
		agent_at(l, i)->profile = PLAN_PROFILE_MOCK;
	return i;
}

static int apply_rate_limits(struct plan_loader *l, struct plan_agent *a, const uint32_t *found)
{
	uint32_t node = found[PLAN_A_rate_limit_exit_codes], n, i = 0;
	struct rv_str *patterns;
	uint8_t *codes;

	if (node != PLAN_NONE) {
		codes = RV_ARENA_ARRAY(&l->plan->arena, uint8_t, l->tree->nodes[node].count);
		if (!codes)
			return plan_no_memory(l);
		for (n = plan_first(node); n < plan_end(l->tree, node); n = plan_next(l->tree, n))
			codes[i++] = (uint8_t)plan_node_int(l, n);
		a->rate_limit_exit_codes = codes;
		a->rate_limit_exit_count = i;
	}
	node = found[PLAN_A_rate_limit_patterns];
	if (node == PLAN_NONE)
		return 0;
	patterns = RV_ARENA_ARRAY(&l->plan->arena, struct rv_str, l->tree->nodes[node].count);
	if (!patterns)
		return plan_no_memory(l);
	for (n = plan_first(node), i = 0; n < plan_end(l->tree, node); n = plan_next(l->tree, n))
		patterns[i++] = plan_intern_text(l, plan_node_text(l->tree, n));
	a->rate_limit_patterns = patterns;
	a->rate_limit_pattern_count = i;
	return 0;
}

static int apply_agent(struct plan_loader *l, uint32_t key, int tree)
{
	uint32_t map = key + 1, i, *found = RV_ARENA_ARRAY(&l->scratch, uint32_t, PLAN_KEYS_MAX);
	struct plan_agent_more *more;
	struct plan_agent *a;

	if (!found)
		return plan_no_memory(l);
	(void)plan_walk(l, map, PLAN_MAP_AGENT, found);
	i = rv_strmap_get(&l->agent_names, plan_node_text(l->tree, key));
	if (i == RV_MAP_NONE)
		i = agent_add(l, plan_node_text(l->tree, key));
	if (i == PLAN_NONE)
		return -1;
	a = agent_at(l, i);
	more = &PLAN_VEC_AT(&l->agents_more, struct plan_agent_more, i);
	more->found[tree] = found;
	more->map[tree] = map;
	if (tree == TREE_FILE) {
		plan_cursor_move(&l->cursor, l->tree->source, l->tree->nodes[key].at);
		a->pos = (struct plan_pos){ l->cursor.line, l->cursor.col };
	}
	if (has(found, PLAN_A_profile)) {
		int profile = word(l, found[PLAN_A_profile], profile_words);

		a->profile = profile_of(profile);
		more->agent_profile = is_agent_profile(a->profile);
	}
	if (has(found, PLAN_U_command))
		a->command = plan_read_argv(l, found[PLAN_U_command]);
	if (has(found, PLAN_A_model))
		a->model = plan_intern_text(l, plan_node_text(l->tree, found[PLAN_A_model]));
	if (has(found, PLAN_A_max_concurrent))
		a->max_concurrent = number(l, found[PLAN_A_max_concurrent]);
	if (a->command && a->profile != PLAN_PROFILE_COMMAND && l->opt->mock == PLAN_MOCK_OFF && has(found, PLAN_U_command))
		plan_error_at(l, PLAN_E_CONFLICT, found[PLAN_U_command] - 1, "the profile \"%s\" runs no command",
			      plan_profile_name(a->profile));
	if (has(found, PLAN_A_limits))
		plan_agent_limits(l, a, found[PLAN_A_limits]);
	if (has(found, PLAN_A_preamble) && plan_agent_preamble(l, a, found[PLAN_A_preamble]))
		return -1;
	return apply_rate_limits(l, a, found);
}

static int apply_agents(struct plan_loader *l, uint32_t map, int tree)
{
	const struct plan_key *key = plan_key_find(&l->index[PLAN_MAP_PLAN], RV_STR("agents"));
	uint32_t k;

	for (k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		if (plan_value_holds(l, key, k + 1) && apply_agent(l, k, tree))
			return -1;
	}
	return 0;
}

/* What --mock makes of the table: after it is complete, so that kinds of units are still known. */
static void mock_agents(struct plan_loader *l)
{
	uint32_t i;

	for (i = 0; i < l->agents.count; i++) {
		struct plan_agent *a = agent_at(l, i);
		bool agent_profile = PLAN_VEC_AT(&l->agents_more, struct plan_agent_more, i).agent_profile;

		if (l->opt->mock == PLAN_MOCK_ALL || (l->opt->mock == PLAN_MOCK_AGENTS && agent_profile)) {
			a->profile = PLAN_PROFILE_MOCK;
			a->command = NULL;
		}
	}
}

static void find_default_agent(struct plan_loader *l)
{
	l->default_agent = rv_strmap_get(&l->agent_names, RV_STR("default"));
	if (l->default_agent == RV_MAP_NONE)
		l->default_agent = l->agents.count == 1 ? 0 : PLAN_NONE;
}

/* ---- defaults, and what units start from ---- */

static int apply_defaults(struct plan_loader *l, uint32_t map)
{
	uint32_t found[PLAN_KEYS_MAX];

	(void)plan_walk(l, map, PLAN_MAP_DEFAULTS, found);
	if (has(found, PLAN_U_agent))
		l->defaults.agent = plan_unit_agent(l, found[PLAN_U_agent], &l->defaults.agent_bad);
	return plan_draft_apply(l, &l->defaults, map, found, 1) || plan_draft_own(l, &l->defaults, found, true) ? -1 : 0;
}

static struct plan_base *base_slot(struct plan_loader *l, uint32_t agent)
{
	struct plan_base **slot;

	if (agent == PLAN_NONE)
		return &l->none;
	while (l->bases.count <= agent) {
		if (!plan_vec_add(l, &l->bases, sizeof(*slot)))
			return NULL;
	}
	slot = &PLAN_VEC_AT(&l->bases, struct plan_base *, agent);
	if (!*slot)
		*slot = calloc(1, sizeof(**slot));
	if (!*slot)
		(void)plan_no_memory(l);
	return *slot;
}

struct plan_base *plan_base_of(struct plan_loader *l, uint32_t agent)
{
	struct plan_base *b = base_slot(l, agent);
	struct plan_tree *was = l->tree, *const trees[] = { &l->first, &l->set_tree };
	struct plan_agent_more *more;
	int tree;

	if (!b || b->ready)
		return b;
	if (plan_draft_copy(l, &b->draft, &l->defaults))
		return NULL;
	b->draft.s.agent = agent;
	for (tree = 0; agent != PLAN_NONE && tree < 2; tree++) {
		more = &PLAN_VEC_AT(&l->agents_more, struct plan_agent_more, agent);
		if (!more->found[tree])
			continue;
		l->tree = trees[tree];
		if (plan_draft_apply(l, &b->draft, more->map[tree], more->found[tree], 2) ||
		    plan_draft_own(l, &b->draft, more->found[tree], false))
			return NULL;
		l->tree = was;
	}
	b->context = plan_pairs_text(l, &b->draft.context);
	b->extra = plan_pairs_text(l, &b->draft.extra);
	b->ready = true;
	return l->no_memory ? NULL : b;
}

/* Every agent of the table gets its base now, so that what is wrong in one that no unit names is told too. */
static int make_bases(struct plan_loader *l)
{
	struct plan_base *b;
	uint32_t i, count = l->agents.count;

	for (i = 0; i < count; i++) {
		struct plan_agent *a;

		b = plan_base_of(l, i);
		if (!b)
			return -1;
		a = &PLAN_VEC_AT(&l->agents, struct plan_agent, i);
		a->env = plan_store_env(l, &b->draft);
		a->env_count = b->draft.env.count;
		a->mock = b->draft.s.mock;
	}
	b = plan_base_of(l, PLAN_NONE);
	if (!b)
		return -1;
	l->plan->env = plan_store_env(l, &b->draft);
	l->plan->env_count = b->draft.env.count;
	return l->no_memory ? -1 : 0;
}

/* ---- all of it ---- */

static void apply_scalars(struct plan_loader *l, const uint32_t *found)
{
	struct plan *p = l->plan;

	if (has(found, PLAN_P_name))
		p->name = plan_intern_text(l, plan_node_text(l->tree, found[PLAN_P_name]));
	if (has(found, PLAN_P_max_workers))
		p->max_workers = number(l, found[PLAN_P_max_workers]);
	if (has(found, PLAN_P_on_failure))
		p->on_failure = (enum plan_on_failure)word(l, found[PLAN_P_on_failure], "isolate fail_fast finish");
	if (has(found, PLAN_P_order))
		p->order = (enum plan_order)word(l, found[PLAN_P_order], "critical_path id");
	if (has(found, PLAN_P_placement))
		p->placement = (enum plan_placement)word(l, found[PLAN_P_placement], "least_busy round_robin pack");
	if (has(found, PLAN_P_keep_logs))
		p->keep_logs = (enum plan_keep_logs)word(l, found[PLAN_P_keep_logs], "failed node all");
	if (has(found, PLAN_P_timeout_s))
		p->timeout_us = plan_node_us(l, found[PLAN_P_timeout_s]);
	if (has(found, PLAN_P_lost_after_s))
		p->lost_after_us = plan_node_us(l, found[PLAN_P_lost_after_s]);
}

/* Asked for before anything is walked: wherever it stands, the names that it sets may not be in any `env`. */
static void find_compat(struct plan_loader *l, uint32_t map)
{
	for (uint32_t k = plan_first(map); k < plan_end(l->tree, map); k = plan_next(l->tree, k + 1)) {
		uint32_t v = k + 1;

		if (!rv_str_equal(plan_node_text(l->tree, k), RV_STR("compat_env")) || l->tree->nodes[v].kind != PLAN_ARRAY)
			continue;
		for (uint32_t n = plan_first(v); n < plan_end(l->tree, v); n = plan_next(l->tree, n))
			l->plan->compat_ralph |= l->tree->nodes[n].kind == PLAN_STRING && rv_str_equal(plan_node_text(l->tree, n), RV_STR("ralph"));
	}
}

static int apply_tables(struct plan_loader *l, const uint32_t *found, int tree)
{
	apply_scalars(l, found);
	if (has(found, PLAN_P_limits))
		apply_limits(l, found[PLAN_P_limits]);
	if (has(found, PLAN_P_workspace))
		apply_workspace(l, found[PLAN_P_workspace]);
	if ((has(found, PLAN_P_context) && plan_put_context(l, found[PLAN_P_context])) ||
	    (has(found, PLAN_P_locks) && apply_locks(l, found[PLAN_P_locks])) ||
	    (has(found, PLAN_P_agents) && apply_agents(l, found[PLAN_P_agents], tree)))
		return -1;
	return 0;
}

/* Walks each {"limits":{"failed":20}} of --set and applies its tables; `founds` keeps the walks for the second round. */
static int apply_sets(struct plan_loader *l, uint32_t (*founds)[PLAN_KEYS_MAX])
{
	uint32_t n, i = 0;

	l->tree = &l->set_tree;
	for (n = plan_first(0); n < plan_end(l->tree, 0); n = plan_next(l->tree, n), i++) {
		(void)plan_walk(l, n, PLAN_MAP_PLAN, founds[i]);
		if (apply_tables(l, founds[i], TREE_SET))
			return -1;
	}
	l->tree = &l->first;
	return 0;
}

static int apply_set_defaults(struct plan_loader *l, uint32_t (*founds)[PLAN_KEYS_MAX], uint32_t count)
{
	uint32_t i;

	l->tree = &l->set_tree;
	for (i = 0; i < count; i++) {
		if (has(founds[i], PLAN_P_defaults) && apply_defaults(l, founds[i][PLAN_P_defaults]))
			return -1;
	}
	l->tree = &l->first;
	return 0;
}

/* ---- defaults for units that are added ---- */

/* They name files of whoever submitted the run, and are read where units are added: not these. */
static bool names_a_file(struct rv_str key)
{
	return rv_str_equal(key, RV_STR("prompt_file")) || rv_str_equal(key, RV_STR("for_each"));
}

static void keep_map(const struct plan_tree *t, uint32_t map, struct rv_buf *out)
{
	bool first = true;

	if (t->nodes[map].kind != PLAN_MAP)
		return;
	(void)rv_buf_puts(out, out->bytes > 1 ? ",{" : "{");
	for (uint32_t k = plan_first(map); k < plan_end(t, map); k = plan_next(t, k + 1)) {
		struct rv_str key = plan_node_text(t, k);

		if (names_a_file(key))
			continue;
		if (!first)
			(void)rv_buf_putc(out, ',');
		first = false;
		(void)rv_buf_put_json(out, key);
		(void)rv_buf_putc(out, ':');
		(void)plan_node_json(t, k + 1, out);
	}
	(void)rv_buf_putc(out, '}');
}

/* As they are written, the file's, then each --set's; a saved plan has them in a key of their own. */
static int keep_defaults(struct plan_loader *l, const uint32_t *found, uint32_t (*founds)[PLAN_KEYS_MAX], uint32_t sets)
{
	uint32_t saved = plan_map_get(&l->first, 0, RV_STR(PLAN_HEAD_DEFAULTS));
	struct rv_buf out;

	rv_buf_init(&out, 0);
	if (saved != PLAN_NONE) {
		(void)plan_node_json(&l->first, saved, &out);
	} else {
		(void)rv_buf_putc(&out, '[');
		if (has(found, PLAN_P_defaults))
			keep_map(&l->first, found[PLAN_P_defaults], &out);
		for (uint32_t i = 0; i < sets; i++)
			if (has(founds[i], PLAN_P_defaults))
				keep_map(&l->set_tree, founds[i][PLAN_P_defaults], &out);
		(void)rv_buf_putc(&out, ']');
	}
	if (!out.failed && out.bytes > 2)
		l->plan->defaults = rv_arena_str(&l->plan->arena, rv_buf_str(&out));
	if (out.failed || (out.bytes > 2 && !l->plan->defaults.at))
		l->no_memory = true;
	rv_buf_release(&out);
	return l->no_memory ? -1 : 0;
}

/* The run's, for units that are added to it. What comes from a coordinator is no reason to read files here. */
static int apply_head_defaults(struct plan_loader *l)
{
	uint32_t array = plan_map_get(&l->first, 0, RV_STR(PLAN_HEAD_DEFAULTS));

	if (array == PLAN_NONE || l->first.nodes[array].kind != PLAN_ARRAY)
		return 0;
	for (uint32_t n = plan_first(array); n < plan_end(&l->first, array); n = plan_next(&l->first, n)) {
		if (l->first.nodes[n].kind != PLAN_MAP)
			continue;
		for (uint32_t k = plan_first(n); k < plan_end(&l->first, n); k = plan_next(&l->first, k + 1))
			if (names_a_file(plan_node_text(&l->first, k))) {
				plan_error_at(l, PLAN_E_CONFLICT, k, "the run's `defaults` name a file, which is not read for units that are added");
				return 0;
			}
		if (apply_defaults(l, n))
			return -1;
	}
	return 0;
}

int plan_read_document(struct plan_loader *l, uint32_t *units)
{
	uint32_t found[PLAN_KEYS_MAX], (*founds)[PLAN_KEYS_MAX] = NULL, sets = 0, i;

	*units = PLAN_NONE;
	if (l->tree->nodes[0].kind != PLAN_MAP) {
		plan_error_at(l, PLAN_E_TYPE, 0, "a plan must be a map, not %s",
			      plan_kind_name((enum plan_kind)l->tree->nodes[0].kind));
		return 0;
	}
	find_compat(l, 0);
	(void)plan_walk(l, 0, PLAN_MAP_PLAN, found);
	*units = found[PLAN_P_units];
	if (l->set_tree.count) {
		sets = l->set_tree.nodes[0].count;
		founds = rv_arena_zalloc(&l->scratch, sets * sizeof(*founds), _Alignof(uint32_t));
		if (!founds)
			return plan_no_memory(l);
	}
	if (apply_tables(l, found, TREE_FILE) || (sets && apply_sets(l, founds)))
		return -1;
	if (plan_read_context_file(l))
		return -1;
	if (l->context.count)
		l->plan->context = plan_pairs_text(l, &l->context);
	find_default_agent(l);
	mock_agents(l);
	if (has(found, PLAN_P_defaults) && apply_defaults(l, found[PLAN_P_defaults]))
		return -1;
	if (sets && apply_set_defaults(l, founds, sets))
		return -1;
	if (keep_defaults(l, found, founds, sets) || (l->opt->head_defaults && apply_head_defaults(l)))
		return -1;
	if (l->more_defaults != PLAN_NONE) {
		l->tree = &l->line_tree;
		if (apply_defaults(l, l->more_defaults))
			return -1;
		l->tree = &l->first;
	}
	if (make_bases(l))
		return -1;
	if (has(found, PLAN_P_verify) && plan_read_verify(l, found[PLAN_P_verify]))
		return -1;
	for (i = 0; i < sets; i++) {
		l->tree = &l->set_tree;
		if (has(founds[i], PLAN_P_verify) && plan_read_verify(l, founds[i][PLAN_P_verify]))
			return -1;
	}
	l->tree = &l->first;
	return plan_finish_verify(l);
}

/* ---- --set ---- */

/* Does the key at the end of this path hold text only, so that 123 means "123"? */
static bool holds_text(const struct plan_loader *l, struct rv_str path)
{
	enum plan_map_id map = PLAN_MAP_PLAN;
	const struct plan_key *key = NULL;
	bool free_next = false;

	while (path.bytes) {
		const char *stop = memchr(path.at, '.', path.bytes);
		size_t n = stop ? (size_t)(stop - path.at) : path.bytes;

		if (free_next) {
			free_next = false;
			map = key ? (enum plan_map_id)key->inner : PLAN_MAP_NONE;
			if (!map)
				return key && key->part_kinds == PLAN_IS_STRING;
		} else {
			key = map ? plan_key_find(&l->index[map], rv_str(path.at, n)) : NULL;
			if (!key)
				return false;
			free_next = key->free_keys;
			map = (enum plan_map_id)key->inner;
		}
		n += stop != NULL;
		path = rv_str(path.at + n, path.bytes - n);
	}
	return key && !(key->kinds & (PLAN_IS_NUMBER | PLAN_IS_BOOL));
}

/* A value as JSON: numbers and true, false as they are, anything else a string. */
static void put_value(struct plan_loader *l, struct rv_buf *b, struct rv_str value, bool text)
{
	struct plan_fault fault = { .code = PLAN_E_SYNTAX };
	struct plan_tree t;
	bool scalar;

	plan_tree_init(&t, 1);
	scalar = !text && plan_json_read(&t, value, &fault) == 0 && t.count == 1 && t.nodes[0].kind != PLAN_STRING;
	plan_tree_release(&t);
	if (fault.code == PLAN_CODES)
		(void)plan_no_memory(l);
	if (scalar)
		(void)rv_buf_put_str(b, value);
	else
		(void)rv_buf_put_json(b, value);
}

static int put_set(struct plan_loader *l, struct rv_buf *b, const char *text, struct rv_err *err)
{
	const char *equals = strchr(text, '=');
	struct rv_str path, whole, value;
	size_t depth = 0;

	if (!equals || equals == text)
		return rv_fail(err, RV_E_USAGE, "--set %.100s: KEY=VALUE is expected", text);
	path = whole = rv_str(text, (size_t)(equals - text));
	if (rv_str_equal(path, RV_STR("units")) || (path.bytes > 6 && memcmp(path.at, "units.", 6) == 0))
		return rv_fail(err, RV_E_USAGE, "--set %.100s: only keys of the plan itself can be set", text);
	value = rv_str_of(equals + 1);
	if (plan_utf8_check(rv_str_of(text), &(struct plan_fault){ 0 }))
		return rv_fail(err, RV_E_USAGE, "--set: a value that is not UTF-8");
	while (path.bytes) {
		const char *stop = memchr(path.at, '.', path.bytes);
		size_t n = stop ? (size_t)(stop - path.at) : path.bytes;

		if (++depth > 8)
			return rv_fail(err, RV_E_USAGE, "--set %.100s: no key is nested so deep", text);
		(void)rv_buf_putc(b, '{');
		(void)rv_buf_put_json(b, rv_str(path.at, n));
		(void)rv_buf_putc(b, ':');
		n += stop != NULL;
		path = rv_str(path.at + n, path.bytes - n);
	}
	put_value(l, b, value, holds_text(l, whole));
	while (depth--)
		(void)rv_buf_putc(b, '}');
	return 0;
}

int plan_read_sets(struct plan_loader *l, struct rv_err *err)
{
	struct plan_fault fault;
	struct rv_str copy;
	struct rv_buf b;
	uint32_t i;
	int rc = 0;

	if (!l->opt->set_count)
		return 0;
	rv_buf_init(&b, RV_PLAN_FILE_BYTES_MAX);
	(void)rv_buf_putc(&b, '[');
	for (i = 0; rc == 0 && i < l->opt->set_count; i++) {
		if (i)
			(void)rv_buf_putc(&b, ',');
		rc = put_set(l, &b, l->opt->sets[i], err);
	}
	(void)rv_buf_putc(&b, ']');
	copy = rv_arena_str(&l->scratch, rv_buf_str(&b));
	if (rc == 0 && (b.failed || !copy.at))
		rc = plan_no_memory(l);
	if (rc == 0 && plan_json_read(&l->set_tree, copy, &fault))
		rc = fault.code == PLAN_CODES ? plan_no_memory(l) : rv_fail(err, RV_E_USAGE, "--set: %s", fault.message);
	rv_buf_release(&b);
	return rc;
}
