/* graph_ask.c - questions about a run's graph: ids, items, dependencies, specs */
#include "coordinator/core/build.h"
#include "common/check.h"

#include <stdio.h>

#define TMPLS_FEW 64u
#define LOOKS_MANY 16u

static const struct coord_tmpl *tmpl_of(const struct coord_graph *g, uint32_t unit)
{
	rv_check(unit < g->vertex_count);
	return &g->tmpls[g->units[unit].tmpl];
}

static const struct coord_tmpl_more *more_of(const struct coord_graph *g, const struct coord_tmpl *t)
{
	return &g->more[t - g->tmpls];
}

uint64_t coord_graph_run(const struct coord_graph *g)
{
	return g->run;
}

struct rv_str coord_graph_name(const struct coord_graph *g)
{
	return g->name;
}

uint32_t coord_graph_unit_count(const struct coord_graph *g)
{
	return g->unit_count;
}

uint64_t coord_graph_edge_count(const struct coord_graph *g)
{
	return g->edge_count;
}

bool coord_graph_open(const struct coord_graph *g)
{
	return g->open;
}

struct rv_str coord_graph_head(const struct coord_graph *g)
{
	return g->head;
}

size_t coord_graph_bytes(const struct coord_graph *g)
{
	return g->arena.held_bytes + sizeof(*g);
}

uint32_t coord_graph_class(const struct coord_graph *g, uint32_t unit)
{
	rv_check(unit < g->vertex_count);
	return g->units[unit].place_class;
}

uint32_t coord_graph_class_count(const struct coord_graph *g)
{
	return g->class_count;
}

void coord_graph_slots(const struct coord_graph *g, bool *commands, bool *agents)
{
	*commands = *agents = false;
	for (uint32_t i = 0; i < g->shape_count; i++) {
		*commands |= g->shapes[i].slots > 0;
		*agents |= g->shapes[i].agent_slots > 0;
	}
}

uint32_t coord_graph_max_workers(const struct coord_graph *g)
{
	return g->max_workers;
}

const struct plan_limits *coord_graph_limits(const struct coord_graph *g)
{
	return &g->limits;
}

struct rv_str coord_graph_unit_id(const struct coord_graph *g, uint32_t unit, char room[COORD_UNIT_ID_BYTES])
{
	const struct coord_tmpl *t = tmpl_of(g, unit);
	const struct coord_tmpl_more *m = more_of(g, t);
	int n;

	if (!(t->flags & COORD_TMPL_MANY))
		return m->id;
	if (m->ids != COORD_NONE)
		return g->ids[m->ids + (unit - t->first)];
	n = snprintf(room, COORD_UNIT_ID_BYTES, "%.*s-%0*u", RV_STR_ARGS(m->id), (int)m->digits, unit - t->first + 1);
	rv_check(n > 0 && n < (int)COORD_UNIT_ID_BYTES);
	return rv_str(room, (size_t)n);
}

static uint32_t find_instance(const struct coord_graph *g, const struct coord_tmpl *t, struct rv_str id)
{
	const struct coord_tmpl_more *m = more_of(g, t);
	char room[COORD_UNIT_ID_BYTES];
	uint64_t number = 0;

	if (m->ids != COORD_NONE) {
		for (uint32_t k = 0; k < t->count; k++)
			if (rv_str_equal(g->ids[m->ids + k], id))
				return t->first + k;
		return COORD_NONE;
	}
	if (id.bytes < m->id.bytes + 2 || id.bytes > m->id.bytes + 12 || memcmp(id.at, m->id.at, m->id.bytes) != 0)
		return COORD_NONE;
	for (size_t i = m->id.bytes + 1; i < id.bytes; i++) {
		if (id.at[i] < '0' || id.at[i] > '9')
			return COORD_NONE;
		number = number * 10 + (uint64_t)(id.at[i] - '0');
	}
	if (!number || number > t->count)
		return COORD_NONE;
	return rv_str_equal(coord_graph_unit_id(g, t->first + (uint32_t)number - 1, room), id) ? t->first + (uint32_t)number - 1
											     : COORD_NONE;
}

/* By the table of names. An id with a number is its template's, if that is there. */
static uint32_t find_named(const struct coord_graph *g, struct rv_str id, uint32_t *count)
{
	uint32_t t = rv_strmap_get(&g->names, id);
	size_t n = id.bytes;

	if (t != RV_MAP_NONE && rv_str_equal(g->more[t].id, id)) {
		*count = g->tmpls[t].count;
		return g->tmpls[t].first;
	}
	if (t != RV_MAP_NONE)
		return find_instance(g, &g->tmpls[t], id);
	while (n && id.at[n - 1] >= '0' && id.at[n - 1] <= '9')
		n--;
	if (n < 2 || n == id.bytes || id.at[n - 1] != '-')
		return COORD_NONE;
	t = rv_strmap_get(&g->names, rv_str(id.at, n - 1));
	return t != RV_MAP_NONE && g->tmpls[t].flags & COORD_TMPL_MANY ? find_instance(g, &g->tmpls[t], id) : COORD_NONE;
}

/* Who asks for one id goes through all templates, which costs less than a table; who asks for every row of an answer does not. */
static bool has_names(const struct coord_graph *asked)
{
	struct coord_graph *g = (struct coord_graph *)(uintptr_t)asked; /* what it answers stays the same */

	if (g->open || g->named)
		return true;
	if (g->tmpl_count < TMPLS_FEW || ++g->looks < LOOKS_MANY)
		return false;
	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		if (coord_graph_name_tmpl(g, t) == 0)
			continue;
		rv_strmap_release(&g->names);
		rv_strmap_init(&g->names, g->run);
		g->looks = 0;
		return false;
	}
	g->named = true;
	return true;
}

uint32_t coord_graph_find(const struct coord_graph *g, struct rv_str id, uint32_t *count)
{
	*count = 1;
	if (has_names(g))
		return find_named(g, id, count);
	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		const struct coord_tmpl *tm = &g->tmpls[t];
		uint32_t unit;

		if (rv_str_equal(g->more[t].id, id)) {
			*count = tm->count;
			return tm->first;
		}
		if (tm->flags & COORD_TMPL_MANY && (unit = find_instance(g, tm, id)) != COORD_NONE)
			return unit;
	}
	return COORD_NONE;
}

struct rv_str coord_graph_agent(const struct coord_graph *g, uint32_t unit)
{
	uint32_t agent = g->classes[g->units[unit].place_class].agent;

	return agent == COORD_NONE ? RV_STR("") : g->agents[agent].name;
}

struct rv_str coord_graph_model(const struct coord_graph *g, uint32_t unit)
{
	uint32_t agent = g->classes[g->units[unit].place_class].agent;

	return agent == COORD_NONE ? RV_STR("") : g->agents[agent].model;
}

struct rv_str coord_graph_spec(const struct coord_graph *g, uint32_t unit)
{
	return g->specs[more_of(g, tmpl_of(g, unit))->spec];
}

struct rv_str coord_graph_item(const struct coord_graph *g, uint32_t unit, char room[32])
{
	const struct coord_tmpl *t = tmpl_of(g, unit);
	uint32_t items = more_of(g, t)->items;

	if (items != COORD_NONE)
		return g->items[items + (unit - t->first)];
	if (t->flags & COORD_TMPL_ITEM_NUMBERS)
		return rv_str(room, (size_t)snprintf(room, 32, "%u", unit - t->first + 1));
	return RV_STR("");
}

uint32_t coord_graph_dep_count(const struct coord_graph *g, uint32_t unit)
{
	const struct coord_tmpl *t = tmpl_of(g, unit);
	uint32_t n = 0;

	if (t->flags & COORD_TMPL_PLAIN_DEPS)
		return t->in_count;
	for (uint32_t i = 0; i < t->in_count; i++)
		n += g->tmpls[g->in[t->in_first + i]].count;
	return n + (t->same_as != COORD_NONE);
}

/* Which template dependency i belongs to, and which of its instances; the counterpart of same_as is the last. */
static const struct coord_tmpl *dep_at(const struct coord_graph *g, uint32_t unit, uint32_t i, uint32_t *instance)
{
	const struct coord_tmpl *t = tmpl_of(g, unit);

	*instance = 0;
	if (t->flags & COORD_TMPL_PLAIN_DEPS) {
		rv_check(i < t->in_count);
		return &g->tmpls[g->in[t->in_first + i]];
	}
	for (uint32_t k = 0; k < t->in_count; k++) {
		const struct coord_tmpl *d = &g->tmpls[g->in[t->in_first + k]];

		if (i < d->count) {
			*instance = i;
			return d;
		}
		i -= d->count;
	}
	rv_check(i == 0);
	rv_check(t->same_as != COORD_NONE);
	*instance = unit - t->first;
	return &g->tmpls[t->same_as];
}

uint32_t coord_graph_dep(const struct coord_graph *g, uint32_t unit, uint32_t i)
{
	uint32_t instance;
	const struct coord_tmpl *d = dep_at(g, unit, i, &instance);

	return d->first + instance;
}

void coord_graph_dep_name(const struct coord_graph *g, uint32_t unit, uint32_t i, char room[COORD_UNIT_ID_BYTES],
			  struct rv_str *name, uint32_t *index)
{
	const struct coord_tmpl *t = tmpl_of(g, unit);
	uint32_t instance;
	const struct coord_tmpl *d = dep_at(g, unit, i, &instance);
	bool counterpart = t->same_as != COORD_NONE && i + 1 == coord_graph_dep_count(g, unit);

	(void)room; /* names are the templates' own texts */
	*name = more_of(g, d)->id;
	*index = d->flags & COORD_TMPL_MANY && !counterpart ? instance : COORD_NONE;
}

bool coord_graph_needs_deps(const struct coord_graph *g, uint32_t unit)
{
	return tmpl_of(g, unit)->flags & COORD_TMPL_NEEDS_DEPS;
}

bool coord_graph_output_wanted(const struct coord_graph *g, uint32_t unit)
{
	return g->open || tmpl_of(g, unit)->flags & COORD_TMPL_OUTPUT_WANTED;
}

bool coord_graph_shows_artifacts(const struct coord_graph *g, uint32_t unit)
{
	return tmpl_of(g, unit)->flags & COORD_TMPL_SHOWS_ARTIFACTS;
}

bool coord_graph_artifacts_wanted(const struct coord_graph *g, uint32_t unit)
{
	return g->open || tmpl_of(g, unit)->flags & COORD_TMPL_ARTIFACTS_WANTED;
}

struct rv_str coord_graph_unit_x_id(const struct coord_graph *g, uint32_t unit)
{
	return more_of(g, tmpl_of(g, unit))->x_id;
}

uint32_t coord_graph_agent_find(const struct coord_graph *g, struct rv_str name)
{
	for (uint32_t i = 0; i < g->agent_count; i++)
		if (rv_str_equal(g->agents[i].name, name))
			return i;
	return COORD_NONE;
}

uint32_t coord_graph_env_own(const struct coord_graph *g, uint32_t unit)
{
	return g->settings[more_of(g, tmpl_of(g, unit))->setting].env_own;
}

bool coord_graph_fills(const struct coord_graph *g, uint32_t unit)
{
	return g->settings[more_of(g, tmpl_of(g, unit))->setting].fills;
}

struct rv_str coord_graph_agent_spec(const struct coord_graph *g, uint32_t agent)
{
	return g->agent_specs && agent < g->agent_count ? g->agent_specs[agent] : RV_STR("");
}

uint32_t coord_graph_agent_of(const struct coord_graph *g, uint32_t unit)
{
	return g->classes[g->units[unit].place_class].agent;
}

uint32_t coord_graph_agent_count(const struct coord_graph *g)
{
	return g->agent_count;
}

struct rv_str coord_graph_agent_model(const struct coord_graph *g, uint32_t agent)
{
	return agent < g->agent_count ? g->agents[agent].model : RV_STR("");
}

struct rv_str coord_graph_agent_name(const struct coord_graph *g, uint32_t agent)
{
	return agent < g->agent_count ? g->agents[agent].name : RV_STR("");
}

bool coord_graph_at_most_once(const struct coord_graph *g, uint32_t unit)
{
	return g->settings[g->units[unit].setting].at_most_once;
}

uint64_t coord_graph_cpus(const struct coord_graph *g, uint32_t unit)
{
	return g->shapes[g->classes[g->units[unit].place_class].shape].slots;
}

struct proto_workspace coord_graph_workspace(const struct coord_graph *g)
{
	return g->shared;
}

struct rv_str coord_graph_verify_spec(const struct coord_graph *g)
{
	return g->has_verify ? coord_graph_spec(g, g->unit_count) : RV_STR("");
}

uint32_t coord_graph_template(const struct coord_graph *g, uint32_t unit)
{
	return (uint32_t)(tmpl_of(g, unit) - g->tmpls);
}

uint32_t coord_graph_template_count(const struct coord_graph *g)
{
	return g->tmpl_count;
}

struct rv_str coord_graph_template_id(const struct coord_graph *g, uint32_t template)
{
	rv_check(template < g->tmpl_count);
	return g->more[template].id;
}
