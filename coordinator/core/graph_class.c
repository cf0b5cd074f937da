/* graph_class.c - placement classes: units that are placed alike share one ready queue
 *
 * A *shape* is what a node must offer (slots, labels, pin, resources); a *class* adds what else must be free (the agent's
 * max_concurrent, locks, directories) and whether its units may be sent ahead. Both come from a unit's settings, which the
 * plan has interned, so that classes are found by setting number.
 */
#include "coordinator/core/build.h"

#define COORD_SETTINGS_MAX 65536u /* unit.setting is 16 bits */
_Static_assert(RV_CLASSES_MAX <= 65536u, "unit.place_class is 16 bits");

static int no_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for the run's placement classes");
}

bool coord_build_has_dirs(const struct coord_build *b, const struct plan_unit *u)
{
	return u->dirs && u->dirs->count && b->plan->workspace.mode == PLAN_MODE_SHARED &&
	       b->plan->workspace.overlap != PLAN_OVERLAP_ALLOW;
}

/* Whose program has to be on the node. */
static uint8_t needed(enum plan_profile profile)
{
	return profile >= PLAN_PROFILE_CLAUDE ? (uint8_t)profile : 0;
}

static void shape_key(struct rv_buf *key, const struct plan_settings *s)
{
	rv_buf_reset(key);
	rv_buf_put_u32(key, s->slots);
	rv_buf_put_u8(key, s->agent_unit);
	rv_buf_put_u8(key, needed(s->profile));
	rv_buf_put_lv(key, s->node);
	rv_buf_put_u32(key, s->label_count);
	for (uint32_t i = 0; i < s->label_count; i++) {
		rv_buf_put_u8(key, s->labels[i].must_not);
		rv_buf_put_lv(key, s->labels[i].name);
		rv_buf_put_lv(key, s->labels[i].value);
	}
	rv_buf_put_u32(key, s->resource_count);
	for (uint32_t i = 0; i < s->resource_count; i++) {
		rv_buf_put_lv(key, s->resources[i].name);
		rv_buf_put_u64(key, s->resources[i].milli);
	}
}

static void class_key(struct rv_buf *key, const struct plan_settings *s, uint32_t shape, bool dirs, int32_t priority)
{
	rv_buf_reset(key);
	rv_buf_put_u32(key, (uint32_t)priority);
	rv_buf_put_u32(key, shape);
	rv_buf_put_u32(key, s->agent);
	rv_buf_put_u8(key, dirs);
	rv_buf_put_u8(key, (uint8_t)s->profile);
	rv_buf_put_u8(key, s->at_most_once);
	for (uint32_t i = 0; i < s->lock_count; i++)
		rv_buf_put_u32(key, s->locks[i]);
}

/* The number of a key, `next` if it is new; COORD_NONE: no memory. */
static uint32_t intern(struct coord_build *b, struct rv_strmap *map, uint32_t next)
{
	uint32_t at = rv_strmap_get(map, rv_buf_str(&b->text));
	struct rv_str copy;

	if (at != RV_MAP_NONE)
		return at;
	copy = rv_arena_str(&b->temp, rv_buf_str(&b->text));
	if (!copy.at || b->text.failed || rv_strmap_add(map, copy, next) == RV_MAP_NONE)
		return COORD_NONE;
	return next;
}

struct draft {
	uint32_t shape, setting;
	bool dirs;
};

/* First pass: which classes there are, by the settings in use. */
static int draft_classes(struct coord_build *b, struct draft *drafts, const struct plan_settings **shapes, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	struct rv_strmap shape_map, class_map;
	int rc = 0;

	rv_strmap_init(&shape_map, 2);
	rv_strmap_init(&class_map, 3);
	for (uint32_t t = 0; t < g->tmpl_count && rc == 0; t++) {
		const struct plan_unit *u = coord_build_unit(b, t);
		const struct plan_settings *s = u->settings;
		bool dirs = coord_build_has_dirs(b, u);
		uint32_t *known = &b->class_of_setting[s->index * 2 + dirs];
		uint32_t shape;

		if (*known != COORD_NONE)
			continue;
		shape_key(&b->text, s);
		shape = intern(b, &shape_map, g->shape_count);
		if (shape != COORD_NONE && shape == g->shape_count)
			shapes[g->shape_count++] = s;
		class_key(&b->text, s, shape, dirs, b->plan->open ? s->priority : 0);
		*known = intern(b, &class_map, g->class_count);
		if (shape == COORD_NONE || *known == COORD_NONE)
			rc = no_memory(err);
		else if (*known == g->class_count)
			drafts[g->class_count++] = (struct draft){ shape, s->index, dirs };
		if (g->class_count > RV_CLASSES_MAX)
			rc = rv_fail(err, RV_E_LIMIT, "the run has more than %u placement classes", RV_CLASSES_MAX);
	}
	rv_strmap_release(&shape_map);
	rv_strmap_release(&class_map);
	return rc;
}

static int fill_shape(struct coord_build *b, struct coord_shape *sh, const struct plan_settings *s, uint32_t *labels,
		      uint32_t *resources, struct rv_err *err)
{
	struct coord_graph *g = b->g;

	sh->slots = s->slots;
	sh->agent_slots = s->agent_unit ? 1 : 0;
	sh->profile = needed(s->profile);
	sh->reserved = sh->able = COORD_NONE;
	sh->waits_since = UINT64_MAX;
	sh->label_first = *labels;
	sh->label_count = s->label_count;
	sh->resource_first = *resources;
	sh->resource_count = s->resource_count;
	sh->node = rv_arena_str(&g->arena, s->node);
	if (!sh->node.at)
		return no_memory(err);
	for (uint32_t i = 0; i < s->label_count; i++) {
		struct coord_label *l = &g->labels[(*labels)++];

		l->key = rv_arena_str(&g->arena, s->labels[i].name);
		l->value = rv_arena_str(&g->arena, s->labels[i].value);
		l->must_not = s->labels[i].must_not;
		if (!l->key.at || !l->value.at)
			return no_memory(err);
	}
	for (uint32_t i = 0; i < s->resource_count; i++) {
		struct coord_resource *r = &g->resources[(*resources)++];

		r->name_text = rv_arena_str(&g->arena, s->resources[i].name);
		r->name = rv_hash(0, s->resources[i].name);
		r->milli = s->resources[i].milli;
		if (!r->name_text.at)
			return no_memory(err);
	}
	return 0;
}

static int build_shapes(struct coord_build *b, const struct plan_settings *const *from, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	uint32_t labels = 0, resources = 0;
	struct rv_heap_item *items;
	uint32_t *where;

	for (uint32_t i = 0; i < g->shape_count; i++) {
		labels += from[i]->label_count;
		resources += from[i]->resource_count;
	}
	g->shapes = RV_ARENA_ARRAY(&g->arena, struct coord_shape, g->shape_count + 1u);
	g->labels = RV_ARENA_ARRAY(&g->arena, struct coord_label, labels + 1u);
	g->resources = RV_ARENA_ARRAY(&g->arena, struct coord_resource, resources + 1u);
	items = RV_ARENA_ARRAY(&g->arena, struct rv_heap_item, g->shape_count + 1u);
	where = RV_ARENA_ARRAY(&g->arena, uint32_t, g->shape_count + 1u);
	if (!g->shapes || !g->labels || !g->resources || !items || !where)
		return no_memory(err);
	rv_heap_init(&g->ready, items, where, g->shape_count + 1u);
	g->used.labels = labels;
	g->used.resources = resources;
	labels = resources = 0;
	for (uint32_t i = 0; i < g->shape_count; i++)
		if (fill_shape(b, &g->shapes[i], from[i], &labels, &resources, err) < 0)
			return -1;
	return 0;
}

static void fill_class(struct coord_build *b, struct coord_class *c, const struct draft *d, uint32_t *locks)
{
	struct coord_graph *g = b->g;
	const struct plan_settings *s = b->plan->settings[d->setting];
	const struct plan_agent *agents = b->plan->agents;
	bool limited = (s->agent != PLAN_NONE && agents[s->agent].max_concurrent) ||
		       (s->retry.agent != PLAN_NONE && agents[s->retry.agent].max_concurrent);

	c->shape = d->shape;
	c->agent = s->agent == PLAN_NONE ? COORD_NONE : s->agent;
	c->dirs = d->dirs;
	c->priority = b->plan->open ? s->priority : 0;
	c->plain = !s->agent_unit && s->profile == PLAN_PROFILE_COMMAND;
	c->quick = !s->agent_unit || s->profile == PLAN_PROFILE_MOCK;
	c->prefetch = !d->dirs && !s->lock_count && !s->resource_count && !limited && !s->at_most_once;
	c->next_waiting = COORD_NONE;
	c->lock_first = *locks;
	c->lock_count = s->lock_count;
	for (uint32_t i = 0; i < s->lock_count; i++)
		g->class_locks[(*locks)++] = s->locks[i];
}

/* Second pass: classes side by side, shape by shape. */
static int build_classes(struct coord_build *b, const struct draft *drafts, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	uint32_t *place = RV_ARENA_ARRAY(&b->temp, uint32_t, g->class_count + 1u);
	struct rv_heap_item *items = RV_ARENA_ARRAY(&g->arena, struct rv_heap_item, g->class_count + 1u);
	uint32_t *where = RV_ARENA_ARRAY(&g->arena, uint32_t, g->class_count + 1u);
	uint32_t locks = 0, at = 0;

	g->classes = RV_ARENA_ARRAY(&g->arena, struct coord_class, g->class_count + 1u);
	for (uint32_t i = 0; i < g->class_count; i++) {
		locks += b->plan->settings[drafts[i].setting]->lock_count;
		g->shapes[drafts[i].shape].class_count++;
	}
	g->class_locks = RV_ARENA_ARRAY(&g->arena, uint32_t, locks + 1u);
	if (!place || !items || !where || !g->classes || !g->class_locks)
		return no_memory(err);
	for (uint32_t i = 0; i < g->shape_count; i++) {
		struct coord_shape *sh = &g->shapes[i];

		sh->class_first = at;
		rv_heap_init(&sh->ready, items + at, where + at, sh->class_count);
		at += sh->class_count;
		sh->class_count = 0;
	}
	g->used.class_locks = locks;
	locks = 0;
	for (uint32_t i = 0; i < g->class_count; i++) {
		struct coord_shape *sh = &g->shapes[drafts[i].shape];

		place[i] = sh->class_first + sh->class_count++;
		fill_class(b, &g->classes[place[i]], &drafts[i], &locks);
	}
	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		const struct plan_unit *u = coord_build_unit(b, t);

		g->more[t].class = place[b->class_of_setting[u->settings->index * 2 + coord_build_has_dirs(b, u)]];
	}
	return 0;
}

static int build_named(struct coord_build *b, struct rv_err *err)
{
	const struct plan *p = b->plan;
	struct coord_graph *g = b->g;

	g->agent_count = p->agent_count + BUILT_IN_AGENTS;
	g->waiting_any = COORD_NONE;
	g->lock_count = p->lock_count;
	g->agents = RV_ARENA_ARRAY(&g->arena, struct coord_agent, g->agent_count + 1u);
	g->locks = RV_ARENA_ARRAY(&g->arena, struct coord_lock_name, p->lock_count + 1u);
	if (!g->agents || !g->locks)
		return no_memory(err);
	for (uint32_t i = 0; i < p->agent_count; i++) {
		g->agents[i] = (struct coord_agent){ .name = rv_arena_str(&g->arena, p->agents[i].name), .waiting = COORD_NONE,
						     .max_concurrent = p->agents[i].max_concurrent, .limit = p->agents[i].budget,
						     .profile = needed(p->agents[i].profile),
						     .model = rv_arena_str(&g->arena, p->agents[i].model) };
		if (!g->agents[i].name.at || !g->agents[i].model.at)
			return no_memory(err);
	}
	for (uint32_t i = 0; i < BUILT_IN_AGENTS; i++) /* a person may send a unit back to one of them */
		g->agents[p->agent_count + i] = (struct coord_agent){ .name = rv_str_of(plan_profile_name(coord_built_in_agents[i])), .waiting = COORD_NONE,
								      .profile = needed(coord_built_in_agents[i]) };
	for (uint32_t i = 0; i < p->lock_count; i++) {
		g->locks[i] = (struct coord_lock_name){ .name = rv_arena_str(&g->arena, p->locks[i].name), .count = p->locks[i].count,
							.hash = rv_hash(0x6c6f636bu, p->locks[i].name) };
		if (!g->locks[i].name.at)
			return no_memory(err);
	}
	return 0;
}

static struct coord_setting setting_of(const struct plan *p, const struct plan_settings *s)
{
	uint64_t lost_us = s->agent_unit ? RV_LOST_AFTER_US_AGENT : RV_LOST_AFTER_US_COMMAND;
	uint32_t own = 0;

	for (uint32_t i = 0; s->agent_unit && i < s->env_count; i++)
		own += s->env[i].own;
	return (struct coord_setting){ .retry = s->retry, .queue_timeout_us = s->queue_timeout_us, .grace_us = s->grace_us,
				       .at_most_once = s->at_most_once, .agent_unit = s->agent_unit, .hold = s->hold, .budget = s->budget,
				       .env_own = own, .fills = s->agent_unit && s->template_mode != PLAN_TEMPLATE_OFF,
				       .lost_after_us = p->lost_after_us ? p->lost_after_us : lost_us };
}

static void setting_key(struct rv_buf *key, const struct coord_setting *s)
{
	rv_buf_reset(key);
	rv_buf_put_u32(key, s->retry.max);
	rv_buf_put_u32(key, (uint32_t)s->retry.backoff);
	rv_buf_put_u64(key, s->retry.base_us);
	rv_buf_put_u64(key, s->retry.max_us);
	rv_buf_put_u32(key, s->retry.jitter_ppm);
	rv_buf_put_u32(key, s->retry.on);
	rv_buf_put_u64(key, s->queue_timeout_us);
	rv_buf_put_u64(key, s->lost_after_us);
	rv_buf_put_u64(key, s->grace_us);
	rv_buf_put_u8(key, s->at_most_once);
	rv_buf_put_u8(key, s->agent_unit);
	rv_buf_put_u8(key, s->hold);
	rv_buf_put_u32(key, s->env_own);
	rv_buf_put_u8(key, s->fills);
	rv_buf_put_u32(key, s->retry.agent);
	rv_buf_put_u64(key, s->budget.tokens);
	rv_buf_put_u64(key, s->budget.cost_microusd);
}

/* The plan's settings differ in many things that do not matter here (env, cwd, evidence): few are left. */
static int build_settings(struct coord_build *b, struct rv_err *err)
{
	const struct plan *p = b->plan;
	struct coord_graph *g = b->g;
	uint32_t *of = RV_ARENA_ARRAY(&b->temp, uint32_t, p->settings_count + 1u), count = 0;
	struct rv_strmap map;
	int rc = 0;

	g->settings = RV_ARENA_ARRAY(&g->arena, struct coord_setting, rv_min_u64(p->settings_count, COORD_SETTINGS_MAX) + 1u);
	if (!g->settings || !of)
		return no_memory(err);
	rv_strmap_init(&map, 4);
	for (uint32_t i = 0; i < p->settings_count && rc == 0; i++) {
		struct coord_setting s = setting_of(p, p->settings[i]);

		setting_key(&b->text, &s);
		of[i] = intern(b, &map, count);
		if (of[i] == COORD_NONE)
			rc = no_memory(err);
		else if (count == COORD_SETTINGS_MAX && of[i] == count)
			rc = rv_fail(err, RV_E_LIMIT, "the run's units have more than %u different retries and timeouts", COORD_SETTINGS_MAX);
		else if (of[i] == count)
			g->settings[count++] = s;
	}
	rv_strmap_release(&map);
	g->used.settings = count;
	for (uint32_t t = 0; t < g->tmpl_count && rc == 0; t++)
		g->more[t].setting = of[coord_build_unit(b, t)->settings->index];
	return rc;
}

int coord_build_classes(struct coord_build *b, struct rv_err *err)
{
	const struct plan *p = b->plan;
	size_t n = (size_t)p->settings_count * 2 + 2;
	struct draft *drafts = RV_ARENA_ARRAY(&b->temp, struct draft, n);
	const struct plan_settings **shapes = RV_ARENA_ARRAY(&b->temp, const struct plan_settings *, n);

	b->class_of_setting = RV_ARENA_ARRAY(&b->temp, uint32_t, n);
	if (!drafts || !shapes || !b->class_of_setting)
		return no_memory(err);
	for (size_t i = 0; i < n; i++)
		b->class_of_setting[i] = COORD_NONE;
	if (build_named(b, err) < 0 || build_settings(b, err) < 0 || draft_classes(b, drafts, shapes, err) < 0 || build_shapes(b, shapes, err) < 0)
		return -1;
	return build_classes(b, drafts, err);
}
