#include "common/plan/only.h"

#include "common/check.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/keys.h"

#include <stdlib.h>

/* The unit, and which of its instances (PLAN_NONE: all). */
struct choice {
	uint32_t unit;
	uint32_t instance;
};

static bool find(const struct plan *p, struct rv_str id, struct choice *c)
{
	char name[RV_UNIT_ID_BYTES_MAX + 1];

	c->instance = PLAN_NONE;
	c->unit = plan_find_unit(p, id);
	if (c->unit != PLAN_NONE)
		return true;
	for (uint32_t i = 0; i < p->unit_count; i++) {
		if (!p->units[i].for_each)
			continue;
		for (uint32_t k = 0; k < p->units[i].for_each->count; k++) {
			size_t bytes = plan_instance_id(&p->units[i], k, name);

			if (!rv_str_equal(rv_str(name, bytes), id))
				continue;
			*c = (struct choice){ i, k };
			return true;
		}
	}
	return false;
}

static int not_found(const struct plan *p, struct rv_str id, struct rv_err *err)
{
	const char **names = malloc((p->unit_count ? p->unit_count : 1) * sizeof *names);
	int near = -1;

	for (uint32_t i = 0; names && i < p->unit_count; i++)
		names[i] = p->units[i].id.at; /* plan texts end in a NUL */
	if (names)
		near = rv_nearest(id, names, p->unit_count);
	rv_fail(err, RV_E_NOT_FOUND, "--only: no unit is called \"%.*s\"", RV_STR_ARGS(id));
	if (near >= 0)
		(void)rv_hint(err, "did you mean \"%s\"?", names[near]);
	free((void *)names);
	return -1;
}

/* A copy of the unit's settings that says it has succeeded already. */
static const struct plan_settings *satisfied(struct plan *p, const struct plan_settings *s, const struct plan_settings **table, uint32_t *count)
{
	struct plan_settings *copy = rv_arena_alloc(&p->arena, sizeof *copy, _Alignof(struct plan_settings));

	if (!copy)
		return NULL;
	*copy = *s;
	copy->index = *count;
	copy->satisfied = true;
	table[(*count)++] = copy;
	return copy;
}

/* One instance of a template becomes a template of one, with the id it had. */
static int one_instance(struct plan *p, struct plan_unit *u, uint32_t k, struct rv_err *err)
{
	struct plan_for_each *f;
	struct rv_str *item;
	char name[RV_UNIT_ID_BYTES_MAX + 1], number[24];
	size_t bytes;

	if (u->for_each->same_as != PLAN_NONE)
		return rv_fail(err, RV_E_CONFLICT, "--only: unit \"%.*s\" goes item by item with another; name it whole", RV_STR_ARGS(u->id));
	f = rv_arena_alloc(&p->arena, sizeof *f, _Alignof(struct plan_for_each));
	item = rv_arena_alloc(&p->arena, sizeof *item, _Alignof(struct rv_str));
	bytes = plan_instance_id(u, k, name);
	if (!f || !item)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to cut a plan");
	*f = *u->for_each;
	f->count = 1;
	*item = rv_arena_str(&p->arena, plan_instance_item(u, k, number));
	f->items = item;
	f->id_template = rv_arena_str(&p->arena, rv_str(name, bytes));
	if (!item->at || !f->id_template.at)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to cut a plan");
	u->for_each = f;
	return 0;
}

/* So that it is no plan that --resume would look for. */
static void change_digest(struct plan *p, struct rv_str id)
{
	struct rv_digest_state h;

	rv_digest_begin(&h);
	rv_digest_add(&h, rv_str((const char *)p->digest, sizeof p->digest));
	rv_digest_add(&h, RV_STR("only"));
	rv_digest_add(&h, id);
	rv_digest_end(&h, p->digest);
}

static void recount(struct plan *p)
{
	p->instance_count = 0;
	p->edge_count = 0;
	for (uint32_t i = 0; i < p->unit_count; i++) {
		p->instance_count += plan_unit_instances(&p->units[i]);
		p->edge_count += plan_unit_edges(p, &p->units[i]);
	}
}

static int no_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory to cut a plan");
}

/* The same items, paired with another template or (PLAN_NONE) with none. */
static int pair_with(struct plan *p, struct plan_unit *u, uint32_t same_as, struct rv_err *err)
{
	struct plan_for_each *f;

	if (!u->for_each || u->for_each->same_as == same_as)
		return 0;
	f = rv_arena_alloc(&p->arena, sizeof *f, _Alignof(struct plan_for_each));
	if (!f)
		return no_memory(err);
	*f = *u->for_each;
	f->same_as = same_as;
	u->for_each = f;
	return 0;
}

/* The new tables while they are filled. */
struct cut {
	struct plan_unit *units;
	uint32_t unit_count;
	const struct plan_settings **settings;
	uint32_t settings_count;
};

/* A dependency: it has succeeded already, stands alone, and its own counterpart is not there any more. */
static int add_dependency(struct plan *p, struct cut *cut, uint32_t from, struct rv_err *err)
{
	struct plan_unit *u = &cut->units[cut->unit_count++];

	*u = p->units[from];
	u->deps = NULL;
	u->dep_count = 0;
	u->settings = satisfied(p, u->settings, cut->settings, &cut->settings_count);
	if (!u->settings)
		return no_memory(err);
	return pair_with(p, u, PLAN_NONE, err);
}

static int add_dependencies(struct plan *p, struct cut *cut, struct plan_unit *chosen, struct rv_err *err)
{
	uint32_t pair = chosen->for_each ? chosen->for_each->same_as : PLAN_NONE, pair_at = PLAN_NONE;
	uint32_t *deps = RV_ARENA_ARRAY(&p->arena, uint32_t, chosen->dep_count + 1);

	if (!deps)
		return no_memory(err);
	for (uint32_t i = 0; i < chosen->dep_count; i++) {
		deps[i] = cut->unit_count;
		if (chosen->deps[i] == pair)
			pair_at = cut->unit_count;
		if (add_dependency(p, cut, chosen->deps[i], err) < 0)
			return -1;
	}
	if (pair != PLAN_NONE && pair_at == PLAN_NONE) {
		pair_at = cut->unit_count;
		if (add_dependency(p, cut, pair, err) < 0)
			return -1;
	}
	chosen->deps = deps;
	return pair_with(p, chosen, pair_at, err);
}

int plan_only(struct plan *p, struct rv_str id, struct rv_err *err)
{
	struct cut cut = { .settings_count = p->settings_count };
	struct plan_unit chosen;
	struct choice c;

	if (!find(p, id, &c))
		return not_found(p, id, err);
	chosen = p->units[c.unit];
	if (c.instance != PLAN_NONE && one_instance(p, &chosen, c.instance, err) < 0)
		return -1;
	cut.units = calloc(chosen.dep_count + 2, sizeof *cut.units); /* as plan_destroy() frees them */
	cut.settings = RV_ARENA_ARRAY(&p->arena, const struct plan_settings *, p->settings_count + chosen.dep_count + 1);
	if (cut.settings)
		memcpy((void *)cut.settings, (const void *)p->settings, p->settings_count * sizeof *cut.settings);
	if (!cut.units || !cut.settings || add_dependencies(p, &cut, &chosen, err) < 0) {
		free(cut.units);
		return no_memory(err);
	}
	cut.units[cut.unit_count++] = chosen;
	free(p->units);
	p->units = cut.units;
	p->unit_count = cut.unit_count;
	p->settings = cut.settings;
	p->settings_count = cut.settings_count;
	p->verify = NULL;
	recount(p);
	change_digest(p, id);
	return 0;
}
