/* units.c - one unit after the other: its id, its agent, its settings, what is its own
 *
 * A unit that sets nothing but what is its own takes the settings of its base (defaults and agent) as they are; others
 * copy the base's draft and apply their keys. Names of dependencies seen before become indices at once, others wait in
 * `pending` until all units are read.
 */
#include "loader.h"

#include "common/check.h"
#include "common/id.h"
#include "common/limits.h"
#include "template.h"

#include <stdio.h>
#include <stdlib.h>

#define BIT(id) ((uint64_t)1 << (id))

/* Keys that leave a unit's settings as they are. */
#define OWN_KEYS                                                                                   \
	(BIT(PLAN_U_id) | BIT(PLAN_U_description) | BIT(PLAN_U_prompt) | BIT(PLAN_U_prompt_file) |  \
	 BIT(PLAN_U_agent) | BIT(PLAN_U_command) | BIT(PLAN_U_depends_on) | BIT(PLAN_U_dependencies) | \
	 BIT(PLAN_U_allowed_directories) | BIT(PLAN_U_estimate_s) | BIT(PLAN_U_for_each))

static bool has(const uint32_t *found, int id)
{
	return found[id] != PLAN_NONE;
}

/* ---- what a unit has of its own ---- */

static int read_prompt(struct plan_loader *l, struct plan_draft *d, const uint32_t *found)
{
	uint32_t node = has(found, PLAN_U_prompt) ? found[PLAN_U_prompt] : found[PLAN_U_prompt_file];
	struct rv_buf b;

	if (node == PLAN_NONE)
		return 0;
	if (has(found, PLAN_U_prompt) && has(found, PLAN_U_prompt_file))
		plan_error_at(l, PLAN_E_CONFLICT, found[PLAN_U_prompt_file] - 1, "both \"prompt\" and \"prompt_file\"");
	d->prompt_is_file = !has(found, PLAN_U_prompt);
	if (!d->prompt_is_file) {
		d->prompt = plan_node_text(l->tree, node);
		if (d->prompt.bytes > RV_PROMPT_BYTES_MAX)
			plan_error_at(l, PLAN_E_LIMIT, node, "a prompt of %zu bytes; the limit is %zu", d->prompt.bytes,
				      RV_PROMPT_BYTES_MAX);
		return 0;
	}
	rv_buf_init(&b, RV_PROMPT_BYTES_MAX + 1);
	(void)plan_read_named_file(l, node, RV_PROMPT_BYTES_MAX, &b);
	/* Interned, since a prompt file of defaults is read once a unit. */
	d->prompt = plan_intern_text(l, rv_buf_str(&b));
	rv_buf_release(&b);
	return l->no_memory ? -1 : 0; /* a file that cannot be read was told */
}

int plan_draft_own(struct plan_loader *l, struct plan_draft *d, const uint32_t *found, bool command)
{
	if (read_prompt(l, d, found))
		return -1;
	if (command && has(found, PLAN_U_command))
		d->command = plan_read_argv(l, found[PLAN_U_command]);
	if (has(found, PLAN_U_allowed_directories))
		d->dirs = plan_read_dirs(l, found[PLAN_U_allowed_directories], d->s.template_mode != PLAN_TEMPLATE_OFF);
	if (has(found, PLAN_U_for_each))
		d->for_each = plan_read_for_each(l, found[PLAN_U_for_each]);
	if (has(found, PLAN_U_estimate_s))
		d->estimate_us = plan_node_us(l, found[PLAN_U_estimate_s]);
	return l->no_memory ? -1 : 0;
}

/* ---- names ---- */

uint32_t plan_name_ref(struct plan_loader *l, struct rv_str name)
{
	uint32_t at = rv_strmap_get(&l->unit_names, name);
	struct rv_str copy, *slot;

	if (at != RV_MAP_NONE)
		return at;
	at = rv_strmap_get(&l->pending_names, name);
	if (at != RV_MAP_NONE)
		return at | PLAN_DEP_PENDING;
	copy = rv_arena_str(&l->scratch, name);
	slot = copy.at ? plan_vec_add(l, &l->pending, sizeof(*slot)) : NULL;
	if (!slot || rv_strmap_add(&l->pending_names, copy, l->pending.count - 1) == RV_MAP_NONE) {
		(void)plan_no_memory(l);
		return PLAN_NONE;
	}
	*slot = copy;
	return (l->pending.count - 1) | PLAN_DEP_PENDING;
}

static void tell_id(struct plan_loader *l, uint32_t node, struct rv_str id)
{
	char q[PLAN_QUOTED];

	plan_quote(id, q);
	if (id.bytes >= 2 && id.at[0] == '_' && id.at[1] == '_')
		plan_error_at(l, PLAN_E_ID_RESERVED, node, "the unit id %s starts with __, which is reeve's own", q);
	else
		plan_diag_hint(plan_error_at(l, PLAN_E_ID_FORMAT, node, "%s is no unit id", q),
			       "an id is 1 to 128 of A-Z a-z 0-9 . _ - and does not start with a point");
}

/* The node of the unit's id, or PLAN_NONE (told). */
static uint32_t id_node(struct plan_loader *l, uint32_t node, uint32_t key, const uint32_t *found)
{
	char q[PLAN_QUOTED];
	struct plan_diag *g;

	if (key != PLAN_NONE) {
		if (has(found, PLAN_U_id) &&
		    !rv_str_equal(plan_node_text(l->tree, found[PLAN_U_id]), plan_node_text(l->tree, key)))
			plan_error_at(l, PLAN_E_CONFLICT, found[PLAN_U_id], "the unit's key is %s, its \"id\" another",
				      plan_quote(plan_node_text(l->tree, key), q));
		return key;
	}
	if (has(found, PLAN_U_id))
		return found[PLAN_U_id];
	if (plan_map_get(l->tree, node, RV_STR("id")) == PLAN_NONE) {
		g = plan_error_at(l, PLAN_E_TYPE, node, "unit needs the key \"id\"");
		if (g)
			g->span = 1;
	}
	return PLAN_NONE;
}

static int read_id(struct plan_loader *l, struct plan_unit *u, uint32_t id)
{
	uint32_t index = l->plan->unit_count, had;
	struct rv_str text = id == PLAN_NONE ? RV_STR("") : plan_node_text(l->tree, id);
	char q[PLAN_QUOTED];

	u->id = rv_arena_str(&l->plan->arena, text.bytes > 4096 ? rv_str(text.at, 4096) : text);
	if (!u->id.at)
		return plan_no_memory(l);
	if (id == PLAN_NONE)
		return 0;
	if (!(u->for_each && plan_template_has_keys(text)) && !rv_unit_id_valid(text))
		tell_id(l, id, text);
	had = rv_strmap_add(&l->unit_names, u->id, index);
	if (had == RV_MAP_NONE)
		return plan_no_memory(l);
	if (had != index)
		plan_diag_hint(plan_error_at(l, PLAN_E_ID_DUPLICATE, id, "two units are called %s",
					     plan_quote(u->id, q)),
			       "the first is at %s:%u:%u", l->diags->file, l->plan->units[had].pos.line,
			       l->plan->units[had].pos.col);
	return 0;
}

/* ---- dependencies ---- */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool any_twice(struct plan_loader *l, const uint32_t *dep, uint32_t count)
{
	uint32_t i, k, *sorted;
	bool twice = false;

	if (count <= 8) {
		for (i = 1; i < count; i++) {
			for (k = 0; k < i; k++)
				twice |= dep[i] == dep[k];
		}
		return twice;
	}
	sorted = malloc(count * sizeof(*sorted));
	if (!sorted) {
		(void)plan_no_memory(l);
		return false;
	}
	memcpy(sorted, dep, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_u32);
	for (i = 1; i < count; i++)
		twice |= sorted[i] == sorted[i - 1];
	free(sorted);
	return twice;
}

/* Drops repeats, with a warning at each. */
static uint32_t drop_repeats(struct plan_loader *l, uint32_t node, uint32_t *dep, uint32_t count)
{
	uint32_t n = plan_first(node), i, k, kept = 0;
	char q[PLAN_QUOTED];

	for (i = 0; i < count; i++, n = plan_next(l->tree, n)) {
		for (k = 0; k < kept && dep[k] != dep[i]; k++)
			;
		if (k == kept)
			dep[kept++] = dep[i];
		else
			plan_error_at(l, PLAN_W_DEP_DUPLICATE, n, "the dependency %s stands here twice",
				      plan_quote(plan_node_text(l->tree, n), q));
	}
	return kept;
}

static int read_deps(struct plan_loader *l, struct plan_unit *u, const uint32_t *found)
{
	uint32_t node = has(found, PLAN_U_depends_on) ? found[PLAN_U_depends_on] : found[PLAN_U_dependencies];
	uint32_t count, n, i = 0, *dep;
	bool self = false;
	char q[PLAN_QUOTED];

	if (node == PLAN_NONE)
		return 0;
	if (has(found, PLAN_U_depends_on) && has(found, PLAN_U_dependencies))
		plan_error_at(l, PLAN_E_CONFLICT, found[PLAN_U_dependencies] - 1,
			      "\"dependencies\" is another name of \"depends_on\"; one of them is enough");
	count = plan_node(l->tree, node)->count;
	if (!count)
		return 0;
	dep = rv_arena_alloc(&l->plan->arena, count * sizeof(*dep), _Alignof(uint32_t));
	if (!dep)
		return plan_no_memory(l);
	for (n = plan_first(node); n < plan_end(l->tree, node); n = plan_next(l->tree, n)) {
		struct rv_str name = plan_node_text(l->tree, n);

		if (rv_str_equal(name, u->id)) {
			if (!self)
				plan_error_at(l, PLAN_E_DEP_SELF, n, "unit %s depends on itself", plan_quote(name, q));
			self = true;
			continue;
		}
		dep[i] = plan_name_ref(l, name);
		if (dep[i++] == PLAN_NONE)
			return -1;
	}
	if (!self && any_twice(l, dep, i))
		i = drop_repeats(l, node, dep, i);
	u->deps = dep;
	u->dep_count = i;
	l->edges_written += i;
	return 0;
}

/* ---- settings ---- */

static int check_once(struct plan_loader *l, const struct plan_draft *d, uint32_t node, const uint32_t *found)
{
	uint32_t at = has(found, PLAN_U_retry) ? found[PLAN_U_retry] - 1 :
		      has(found, PLAN_U_at_most_once) ? found[PLAN_U_at_most_once] - 1 : node;

	if (d->s.at_most_once && d->retry_max_given && d->s.retry.max && d->retry_level >= d->once_level)
		plan_error_at(l, PLAN_E_CONFLICT, at, "at_most_once with %u retries: such a unit is never started twice",
			      d->s.retry.max);
	return 0;
}

/* What only an agent has: a unit that is run by none asks for it in vain. */
static void check_agent_keys(struct plan_loader *l, const struct plan_draft *d, const struct plan_way *w, uint32_t node, const uint32_t *found)
{
	char q[PLAN_QUOTED];

	if (w->unknown || l->opt->mock != PLAN_MOCK_OFF)
		return;
	if (!w->agent_unit && d->budget_level == 3 && (d->s.budget.tokens || d->s.budget.cost_microusd))
		plan_error_at(l, PLAN_E_CONFLICT, found[PLAN_U_resources] - 1,
			      "a limit of tokens or cost of a command: what it uses of a model is not known");
	if (d->s.retry.agent == PLAN_NONE || (!w->agent_unit && d->retry_agent_level != 3))
		return;
	if (!w->agent_unit)
		plan_error_at(l, PLAN_E_CONFLICT, found[PLAN_U_retry] - 1, "retry.agent of a command: it is run by no agent");
	else if (!PLAN_VEC_AT(&l->agents_more, struct plan_agent_more, d->s.retry.agent).agent_profile)
		plan_error_at(l, PLAN_E_CONFLICT, has(found, PLAN_U_retry) ? found[PLAN_U_retry] - 1 : node,
			      "retry.agent: the agent %s is a command, and takes other slots than this unit",
			      plan_quote(PLAN_VEC_AT(&l->agents, struct plan_agent, d->s.retry.agent).name, q));
}

/* A unit that is mocked has nothing to be accepted, and is run in any case. */
static void drop_mocked(const struct plan_loader *l, struct plan_draft *d, const struct plan_way *w)
{
	if (l->opt->mock != PLAN_MOCK_OFF && w->profile == PLAN_PROFILE_MOCK)
		d->s.accept = d->s.unless = NULL;
}

/* Settings of a unit that sets nothing itself, made once for each base. */
static const struct plan_settings *base_settings(struct plan_loader *l, struct plan_base *b, const struct plan_way *w)
{
	struct plan_draft *d = &l->work;
	int kind = w->profile == PLAN_PROFILE_MOCK || w->agent_unit;

	if (b->settings[kind] && b->settings[kind]->profile == w->profile)
		return b->settings[kind];
	if (plan_draft_copy(l, d, &b->draft))
		return NULL;
	d->s.profile = w->profile;
	drop_mocked(l, d, w);
	plan_draft_finish(d, kind);
	b->settings[kind] = plan_intern_settings(l, d);
	return b->settings[kind];
}

static int read_settings(struct plan_loader *l, struct plan_unit *u, struct plan_base *b, const struct plan_way *w,
			 uint32_t node, const uint32_t *found)
{
	struct plan_draft *d = &l->work;

	if (plan_draft_copy(l, d, &b->draft) || plan_draft_apply(l, d, node, found, 3))
		return -1;
	check_once(l, d, node, found);
	check_agent_keys(l, d, w, node, found);
	d->s.profile = w->profile;
	drop_mocked(l, d, w);
	plan_draft_finish(d, w->profile == PLAN_PROFILE_MOCK || w->agent_unit);
	u->settings = plan_intern_settings(l, d);
	if (!u->settings)
		return -1;
	u->context = d->context.count ? plan_pairs_text(l, &d->context) : RV_STR("");
	u->extra = d->extra.count ? plan_pairs_text(l, &d->extra) : RV_STR("");
	return l->no_memory ? -1 : 0;
}

static bool sets_something(const struct plan_loader *l, uint32_t node, const uint32_t *found)
{
	uint32_t k;
	int id;

	for (id = 0; id < PLAN_U_COUNT; id++) {
		if (has(found, id) && !(OWN_KEYS & BIT(id)))
			return true;
	}
	for (k = plan_first(node); k < plan_end(l->tree, node); k = plan_next(l->tree, k + 1)) {
		if (plan_node_text(l->tree, k).bytes > 2 && plan_node_text(l->tree, k).at[1] == '-')
			return true;
	}
	return false;
}

/* ---- the rest ---- */

/* Each unit needs a for_each of its own where its id or same_as is noted in it. */
static int own_for_each(struct plan_loader *l, struct plan_unit *u)
{
	struct plan_for_each *f = rv_arena_alloc(&l->plan->arena, sizeof(*f), _Alignof(struct plan_for_each));
	uint32_t *slot;

	if (!f)
		return plan_no_memory(l);
	*f = *u->for_each;
	f->id_template = plan_template_has_keys(u->id) ? u->id : RV_STR("");
	u->for_each = f;
	u->flags |= PLAN_UNIT_TEMPLATE;
	if (f->same_as == PLAN_NONE)
		return 0;
	slot = plan_vec_add(l, &l->same_as, sizeof(*slot));
	if (!slot)
		return -1;
	*slot = l->plan->unit_count;
	return 0;
}

static bool has_keys(const struct plan_env *env, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (plan_template_has_keys(env[i].value))
			return true;
	}
	return false;
}

/* The agent of the last try brings its own. */
static bool env_has_keys(const struct plan_loader *l, const struct plan_settings *s)
{
	const struct plan_agent *last = s->retry.agent == PLAN_NONE ? NULL : &PLAN_VEC_AT(&l->agents, struct plan_agent, s->retry.agent);

	return has_keys(s->env, s->env_count) || (last && has_keys(last->env, last->env_count));
}

static bool fills_keys(const struct plan_argv *a)
{
	return a && a->fills_keys;
}

/* By a variable that is set in a namespace only (docs/units.md): without one `>$REEVE_ARTIFACTS/x` would write /x. */
static bool names_variable(const char *text)
{
	static const char *const names[] = { "NAMESPACE", "ARTIFACTS", "OUTPUT_FILE", "CONTEXT_FILE", "PROMPT_FILE", "MANIFEST", "DEPS", "HANDOFFS" };

	while ((text = strstr(text, "REEVE_"))) {
		text += strlen("REEVE_");
		for (size_t i = 0; i < RV_ARRAY_LEN(names); i++)
			if (strncmp(text, names[i], strlen(names[i])) == 0)
				return true;
	}
	return false;
}

static bool names_files(const struct plan_argv *a)
{
	struct plan_slot slot;
	uint32_t i;

	for (i = 0; a && i < a->count; i++)
		if (names_variable(a->arg[i]))
			return true;
	for (i = 0; a && a->fills_places && i < a->count; i++) {
		size_t from = 0;

		/* An open {{ is told elsewhere. */
		while (plan_template_next(rv_str_of(a->arg[i]), true, &from, &slot) != 0) {
			if (slot.is_place && (slot.place == PLAN_PLACE_PROMPT_FILE || slot.place == PLAN_PLACE_CONTEXT_FILE ||
					      slot.place == PLAN_PLACE_MANIFEST || slot.place == PLAN_PLACE_NAMESPACE))
				return true;
		}
	}
	return false;
}

static void note_flags(const struct plan_loader *l, struct plan_unit *u)
{
	const struct plan *p = l->plan;
	const struct plan_settings *s = u->settings;
	bool fill = s->template_mode != PLAN_TEMPLATE_OFF;
	bool file = u->flags & PLAN_UNIT_PROMPT_FILE;

	if (fill && (fills_keys(u->command) || fills_keys(s->accept) || fills_keys(s->unless) || env_has_keys(l, s) || plan_template_has_keys(s->cwd) ||
		     (u->dirs && u->dirs->filled)))
		u->flags |= PLAN_UNIT_FILL;
	if (fill && plan_template_has_keys(u->prompt) &&
	    (!file || u->for_each || s->template_mode == PLAN_TEMPLATE_ON))
		u->flags |= PLAN_UNIT_FILL_PROMPT;
	if (s->namespace_mode == PLAN_NAMESPACE_ALWAYS ||
	    (s->namespace_mode == PLAN_NAMESPACE_AUTO &&
	     (s->agent_unit || s->accept || s->unless || u->dirs || s->evidence != PLAN_EVIDENCE_EXIT || s->required_count || u->context.bytes ||
	      p->context.bytes > 2 || names_files(u->command) || names_files(s->accept) || names_files(s->unless))))
		u->flags |= PLAN_UNIT_NAMESPACE;
	if (u->flags & (PLAN_UNIT_FILL | PLAN_UNIT_FILL_PROMPT | PLAN_UNIT_NAMESPACE))
		u->flags |= PLAN_UNIT_USES_CONTEXT;
}

static int read_texts(struct plan_loader *l, struct plan_unit *u, const struct plan_draft *base, const uint32_t *found)
{
	struct plan_draft own = { .estimate_us = base->estimate_us, .prompt = base->prompt, .dirs = base->dirs };

	own.prompt_is_file = base->prompt_is_file;
	own.for_each = base->for_each;
	own.s.template_mode = has(found, PLAN_U_template) ?
				      (enum plan_template_mode)plan_word_index(
					      "auto on off", plan_node_text(l->tree, found[PLAN_U_template])) :
				      base->s.template_mode;
	if (plan_draft_own(l, &own, found, false))
		return -1;
	u->dirs = own.dirs;
	u->for_each = own.for_each;
	u->estimate_us = own.estimate_us;
	u->description = has(found, PLAN_U_description) ?
				 rv_arena_str(&l->plan->arena, plan_node_text(l->tree, found[PLAN_U_description])) :
				 RV_STR("");
	if (own.prompt.at && has(found, PLAN_U_prompt))
		u->prompt = rv_arena_str(&l->plan->arena, own.prompt);
	else if (own.prompt.at)
		u->prompt = plan_intern_text(l, own.prompt);
	else
		u->prompt = u->description;
	if (own.prompt.at && own.prompt_is_file)
		u->flags |= PLAN_UNIT_PROMPT_FILE;
	return u->description.at && u->prompt.at ? 0 : plan_no_memory(l);
}

static void place_of(struct plan_loader *l, struct plan_unit *u, uint32_t node)
{
	if (l->lines)
		l->cursor = (struct plan_cursor){ 0 };
	plan_cursor_move(&l->cursor, l->tree->source, l->tree->nodes[node].at);
	u->pos = (struct plan_pos){ l->lines ? l->line : l->cursor.line, l->cursor.col };
}

struct plan_unit *plan_next_unit(struct plan_loader *l)
{
	struct plan *p = l->plan;

	if (p->unit_count == l->unit_capacity) {
		uint32_t capacity = l->unit_capacity ? l->unit_capacity + l->unit_capacity / 2 + 1 : 16;
		struct plan_unit *units = realloc(p->units, (size_t)capacity * sizeof(*units));

		if (!units) {
			(void)plan_no_memory(l);
			return NULL;
		}
		p->units = units;
		l->unit_capacity = capacity;
	}
	p->units[p->unit_count] = (struct plan_unit){ .estimate_us = PLAN_ESTIMATE_NONE };
	return &p->units[p->unit_count];
}

int plan_read_unit(struct plan_loader *l, uint32_t node, uint32_t key)
{
	uint32_t found[PLAN_KEYS_MAX], id, *slot;
	struct plan_unit *u = plan_next_unit(l);
	struct plan_base *base;
	struct plan_way w;

	if (!u)
		return -1;
	if (plan_node(l->tree, node)->kind != PLAN_MAP) {
		plan_error_at(l, PLAN_E_TYPE, node, "a unit must be a map, not %s",
			      plan_kind_name((enum plan_kind)plan_node(l->tree, node)->kind));
		return 0;
	}
	(void)plan_walk(l, node, PLAN_MAP_UNIT, found);
	id = id_node(l, node, key, found);
	place_of(l, u, id == PLAN_NONE ? node : id);
	w = plan_find_way(l, found, node);
	plan_mock_way(l, &w);
	base = plan_base_of(l, w.agent);
	if (!base || read_texts(l, u, &base->draft, found))
		return -1;
	if (read_id(l, u, id) || (u->for_each && own_for_each(l, u)) || read_deps(l, u, found))
		return -1;
	u->command = w.profile == PLAN_PROFILE_COMMAND ? w.command : NULL;
	if (sets_something(l, node, found)) {
		if (read_settings(l, u, base, &w, node, found))
			return -1;
	} else {
		u->settings = base_settings(l, base, &w);
		u->context = base->context;
		u->extra = base->extra;
	}
	if (!u->settings)
		return -1;
	if (w.agent_unit && !u->dirs && plan_map_get(l->tree, node, RV_STR("allowed_directories")) == PLAN_NONE)
		u->flags |= PLAN_UNIT_LACKS_DIRS;
	note_flags(l, u);
	if (!l->lines) {
		slot = plan_vec_add(l, &l->unit_nodes, sizeof(*slot));
		if (!slot)
			return -1;
		*slot = node;
	}
	l->plan->unit_count++;
	return 0;
}

int plan_read_units(struct plan_loader *l, uint32_t node)
{
	const struct plan_tree *t = l->tree;
	bool map = t->nodes[node].kind == PLAN_MAP;
	uint32_t n;

	if (t->nodes[node].count > RV_UNITS_MAX) {
		plan_error_at(l, PLAN_E_LIMIT, node - 1, "%u units; the limit is %u", t->nodes[node].count, RV_UNITS_MAX);
		return 0;
	}
	for (n = plan_first(node); n < plan_end(t, node); n = plan_next(t, n)) {
		if (plan_read_unit(l, map ? n + 1 : n, map ? n : PLAN_NONE))
			return -1;
		n += map;
	}
	return 0;
}

/* ---- verify ---- */

int plan_read_verify(struct plan_loader *l, uint32_t node)
{
	uint32_t found[PLAN_KEYS_MAX];

	(void)plan_walk(l, node, PLAN_MAP_VERIFY, found);
	if (has(found, PLAN_V_command)) {
		l->verify_command = plan_read_argv(l, found[PLAN_V_command]);
		if (l->tree == &l->first) {
			l->verify_node = found[PLAN_V_command];
			plan_cursor_move(&l->cursor, l->tree->source, l->tree->nodes[node].at);
			l->verify_pos = (struct plan_pos){ l->cursor.line, l->cursor.col };
		}
	}
	if (has(found, PLAN_V_timeout_s))
		l->verify_timeout_us = plan_node_us(l, found[PLAN_V_timeout_s]);
	if (has(found, PLAN_V_profile))
		l->verify_mocked = rv_str_equal(plan_node_text(l->tree, found[PLAN_V_profile]), RV_STR("mock"));
	return l->no_memory ? -1 : 0;
}

/* It knows the plan's context and nothing else: no item, no dependency. */
static void check_verify(struct plan_loader *l, const struct plan_argv *a)
{
	struct plan_scope scope = { .layer = { l->plan->context } };
	struct plan_slot slot;
	struct rv_str value;
	uint32_t i;
	int rc;

	for (i = 0; a && a->fills_keys && i < a->count; i++) {
		size_t from = 0;

		while ((rc = plan_template_next(rv_str_of(a->arg[i]), false, &from, &slot)) != 0) {
			if (rc > 0 && plan_scope_find(&scope, slot.key, &value))
				continue;
			plan_diag_hint(plan_error_at(l, PLAN_E_TEMPLATE, l->verify_node, "verify: {{%.*s}}: the context has nothing of this name",
						     slot.key.bytes > 200 ? 200 : (int)slot.key.bytes, slot.key.at ? slot.key.at : ""),
				       "a literal {{ is written {{{{");
			return;
		}
	}
}

int plan_finish_verify(struct plan_loader *l)
{
	struct plan_way w = { .agent = PLAN_NONE, .command = l->verify_command, .profile = PLAN_PROFILE_COMMAND };
	struct plan_unit *u;
	struct plan_draft d;

	if (!l->verify_command)
		return 0;
	if (l->verify_mocked)
		plan_way_becomes_mock(l, &w);
	plan_mock_way(l, &w);
	u = rv_arena_zalloc(&l->plan->arena, sizeof(*u), _Alignof(struct plan_unit));
	if (!u)
		return plan_no_memory(l);
	plan_draft_init(&d);
	d.s.agent = w.agent;
	d.s.profile = w.profile;
	d.given = BIT(PLAN_U_timeout_s);
	d.retry_max_given = true;
	d.s.timeout_us = l->verify_timeout_us;
	plan_draft_finish(&d, w.profile == PLAN_PROFILE_MOCK);
	u->settings = plan_intern_settings(l, &d);
	u->command = w.command;
	u->id = RV_STR(PLAN_VERIFY_ID);
	u->description = u->prompt = u->context = u->extra = RV_STR("");
	u->estimate_us = PLAN_ESTIMATE_NONE;
	u->pos = l->verify_pos;
	if (!u->settings)
		return -1;
	check_verify(l, u->command);
	note_flags(l, u);
	l->plan->verify = u;
	return 0;
}
