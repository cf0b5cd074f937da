/* graph.c - a run's tables, built from a plan; the order of building is that of coord_graph_build() */
#include "coordinator/core/build.h"
#include "common/plan/save.h"
#include "common/plan/template.h"

#include <stdlib.h>

#define TEXT_BYTES_MAX ((size_t)256 << 20)

static int no_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for the run's tables");
}

/* A copy; an empty text costs nothing. */
static int copy_str(struct coord_build *b, struct rv_str from, struct rv_str *to, struct rv_err *err)
{
	*to = RV_STR("");
	if (!from.bytes)
		return 0;
	*to = rv_arena_str(&b->g->arena, from);
	return to->at ? 0 : no_memory(err);
}

static int alloc_tmpls(struct coord_build *b, struct rv_err *err)
{
	const struct plan *p = b->plan;
	struct coord_graph *g = b->g;
	uint64_t units = 0;

	g->tmpl_count = p->unit_count + (p->verify ? 1 : 0);
	g->tmpls = rv_arena_zalloc(&g->arena, (g->tmpl_count + (size_t)1) * sizeof(struct coord_tmpl), 64);
	g->more = RV_ARENA_ARRAY(&g->arena, struct coord_tmpl_more, g->tmpl_count + 1u);
	if (!g->tmpls || !g->more)
		return no_memory(err);
	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		const struct plan_unit *u = coord_build_unit(b, t);
		struct coord_tmpl *tm = &g->tmpls[t];

		tm->first = (uint32_t)units;
		tm->count = plan_unit_instances(u);
		if (u->flags & PLAN_UNIT_TEMPLATE)
			tm->flags |= COORD_TMPL_MANY;
		tm->same_as = u->for_each ? u->for_each->same_as : COORD_NONE;
		tm->pair_first = tm->pair_next = COORD_NONE;
		tm->join_root = tm->gate_root = tm->dirs = COORD_NONE;
		g->more[t].items = g->more[t].ids = COORD_NONE;
		tm->trigger = (uint32_t)u->settings->trigger;
		if (u->flags & PLAN_UNIT_OUTER)
			tm->flags |= COORD_TMPL_OUTER;
		if (u->settings->satisfied)
			tm->flags |= COORD_TMPL_SATISFIED;
		units += tm->count;
		if (units > RV_UNITS_MAX + (p->verify ? 1u : 0u))
			return rv_fail(err, RV_E_LIMIT, "the run has more than %u units", RV_UNITS_MAX);
	}
	g->vertex_count = (uint32_t)units;
	g->has_verify = p->verify;
	g->unit_count = g->vertex_count - (p->verify ? 1 : 0);
	return 0;
}

static int alloc_units(struct coord_build *b, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	size_t n = (size_t)g->vertex_count + 1;

	g->units = rv_arena_zalloc(&g->arena, n * sizeof(struct coord_unit), 64);
	g->times = RV_ARENA_ARRAY(&g->arena, struct coord_times, n);
	g->waiting = RV_ARENA_ARRAY(&g->arena, uint32_t, n);
	g->order = RV_ARENA_ARRAY(&g->arena, struct coord_place, n);
	return g->units && g->times && g->waiting && g->order ? 0 : no_memory(err);
}

/* Names of a template: id, what its instances are called, their items. */
static int name_tmpl(struct coord_build *b, uint32_t t, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	const struct plan_unit *u = coord_build_unit(b, t);
	struct coord_tmpl_more *tm = &g->more[t];
	struct rv_str x_id;

	if (copy_str(b, u->id, &tm->id, err) < 0)
		return -1;
	tm->x_id = RV_STR("");
	if (u->extra.bytes && plan_json_member(u->extra, RV_STR("x-id"), &x_id) == 1) {
		rv_buf_reset(&b->text);
		if (plan_json_text(x_id, &b->text) == 0 && copy_str(b, rv_buf_str(&b->text), &tm->x_id, err) < 0)
			return -1;
	}
	if (!u->for_each)
		return 0;
	tm->digits = u->for_each->digits;
	if (!u->for_each->items)
		g->tmpls[t].flags |= COORD_TMPL_ITEM_NUMBERS;
	return 0;
}

static int name_instances(struct coord_build *b, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	uint32_t item_count = 0, id_count = 0;
	char room[RV_UNIT_ID_BYTES_MAX + 1];

	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		const struct plan_for_each *f = coord_build_unit(b, t)->for_each;

		if (name_tmpl(b, t, err) < 0)
			return -1;
		item_count += f && f->items ? f->count : 0;
		id_count += f && f->id_template.bytes ? f->count : 0;
	}
	g->items = RV_ARENA_ARRAY(&g->arena, struct rv_str, item_count + 1u);
	g->ids = RV_ARENA_ARRAY(&g->arena, struct rv_str, id_count + 1u);
	if (!g->items || !g->ids)
		return no_memory(err);
	g->used.items = item_count;
	g->used.ids = id_count;
	item_count = id_count = 0;
	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		const struct plan_unit *u = coord_build_unit(b, t);
		struct coord_tmpl *tm = &g->tmpls[t];

		if (u->for_each && u->for_each->items) {
			g->more[t].items = item_count;
			for (uint32_t k = 0; k < tm->count; k++)
				if (copy_str(b, u->for_each->items[k], &g->items[item_count++], err) < 0)
					return -1;
		}
		if (u->for_each && u->for_each->id_template.bytes) {
			g->more[t].ids = id_count;
			for (uint32_t k = 0; k < tm->count; k++) {
				struct rv_str id = rv_str(room, plan_instance_id(u, k, room));

				if (copy_str(b, id, &g->ids[id_count++], err) < 0)
					return -1;
			}
		}
	}
	return 0;
}

static uint32_t edge_to(const struct coord_graph *g, uint32_t t)
{
	return g->tmpls[t].flags & COORD_TMPL_MANY ? COORD_EDGE_GATE | t : g->tmpls[t].first;
}

/* Rows of dependencies as written, and of dependents; the initial counters. */
static int build_edges(struct coord_build *b, struct rv_err *err)
{
	const struct plan *p = b->plan;
	struct coord_graph *g = b->g;
	uint64_t written = 0;
	uint32_t *fill;

	for (uint32_t t = 0; t < p->unit_count; t++) {
		const struct plan_unit *u = &p->units[t];

		g->edge_count += plan_unit_edges(p, u) * plan_unit_instances(u);
		written += u->dep_count;
		for (uint32_t i = 0; i < u->dep_count; i++)
			g->tmpls[u->deps[i]].out_count++;
	}
	if (g->edge_count > RV_EDGES_MAX)
		return rv_fail(err, RV_E_LIMIT, "the run has %llu dependencies; the limit is %u",
			       (unsigned long long)g->edge_count, RV_EDGES_MAX);
	g->in = RV_ARENA_ARRAY(&g->arena, uint32_t, written + 1);
	g->out = RV_ARENA_ARRAY(&g->arena, uint32_t, written + 1);
	fill = RV_ARENA_ARRAY(&b->temp, uint32_t, p->unit_count + 1u);
	if (!g->in || !g->out || !fill)
		return no_memory(err);
	g->used.in = g->used.out = (uint32_t)written;
	for (uint32_t t = 0, at = 0; t < p->unit_count; t++) {
		g->tmpls[t].out_first = fill[t] = at;
		at += g->tmpls[t].out_count;
	}
	for (uint32_t t = 0, at = 0; t < p->unit_count; t++) {
		const struct plan_unit *u = &p->units[t];
		struct coord_tmpl *tm = &g->tmpls[t];

		tm->in_first = at;
		tm->in_count = u->dep_count;
		tm->flags |= COORD_TMPL_PLAIN_DEPS;
		for (uint32_t i = 0; i < u->dep_count; i++) {
			g->in[at++] = u->deps[i];
			g->out[fill[u->deps[i]]++] = edge_to(g, t);
			if (g->tmpls[u->deps[i]].flags & COORD_TMPL_MANY)
				tm->flags &= ~(uint32_t)COORD_TMPL_PLAIN_DEPS;
		}
		if (tm->same_as != COORD_NONE) {
			tm->flags &= ~(uint32_t)COORD_TMPL_PLAIN_DEPS;
			tm->pair_next = g->tmpls[tm->same_as].pair_first;
			g->tmpls[tm->same_as].pair_first = t;
		}
	}
	return 0;
}

static void fill_units(struct coord_build *b)
{
	struct coord_graph *g = b->g;

	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		const struct plan_unit *u = coord_build_unit(b, t);
		struct coord_tmpl *tm = &g->tmpls[t];

		for (uint32_t k = 0; k < tm->count; k++) {
			struct coord_unit *x = &g->units[tm->first + k];

			x->flags = (uint8_t)(u->settings->trigger | (u->settings->hold ? COORD_U_HELD : 0));
			x->slot = x->node = x->root_cause = x->left = x->right = COORD_NONE;
			x->tmpl = t;
			x->place_class = (uint16_t)g->more[t].class;
			x->setting = (uint16_t)g->more[t].setting;
		}
	}
}

static int alloc_meters(struct coord_build *b, struct rv_err *err)
{
	struct coord_graph *g = b->g;

	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		g->more[t].meter_first = COORD_NONE;
		if (!coord_build_unit(b, t)->settings->agent_unit)
			continue;
		g->more[t].meter_first = g->meter_count;
		g->meter_count += g->tmpls[t].count;
	}
	if (!g->meter_count)
		return 0;
	g->meters = rv_arena_zalloc(&g->arena, (size_t)g->meter_count * sizeof(*g->meters), _Alignof(struct coord_meter));
	if (!g->meters)
		return no_memory(err);
	for (uint32_t i = 0; i < g->meter_count; i++)
		g->meters[i].agent = COORD_NONE;
	return 0;
}

static int alloc_timers(struct coord_build *b, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	const struct plan *p = b->plan;
	struct rv_heap_item *items;
	uint32_t *where;

	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		const struct plan_settings *s = coord_build_unit(b, t)->settings;

		if (s->retry.max || s->queue_timeout_us ||
		    s->profile == PLAN_PROFILE_CLAUDE || s->profile == PLAN_PROFILE_CODEX ||
		    (s->agent != PLAN_NONE && (p->agents[s->agent].rate_limit_exit_count ||
					       p->agents[s->agent].rate_limit_pattern_count)))
			g->timers = true;
	}
	if (!g->timers)
		return 0;
	items = RV_ARENA_ARRAY(&g->arena, struct rv_heap_item, g->vertex_count + 1u);
	where = RV_ARENA_ARRAY(&g->arena, uint32_t, g->vertex_count + 1u);
	if (!items || !where)
		return no_memory(err);
	rv_heap_init(&g->unit_timers, items, where, g->vertex_count + 1u);
	return 0;
}

static int copy_workspace(struct coord_build *b, struct rv_err *err)
{
	const struct plan_workspace *w = &b->plan->workspace;

	if (w->mode != PLAN_MODE_SHARED || !w->id.bytes)
		return 0;
	if (w->id.bytes + w->root.bytes + w->namespace_root.bytes > PROTO_WORKSPACE_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "the paths of the workspace have more than %zu bytes", PROTO_WORKSPACE_BYTES_MAX);
	if (copy_str(b, w->id, &b->g->shared.id, err) < 0 || copy_str(b, w->root, &b->g->shared.root, err) < 0)
		return -1;
	return copy_str(b, w->namespace_root, &b->g->shared.namespace_root, err);
}

/* What units of the same id are compared by, and how they are found. */
static int note_contents(struct coord_build *b, struct rv_err *err)
{
	struct coord_graph *g = b->g;

	rv_buf_reset(&b->text);
	plan_save_head(b->plan, &b->text);
	if (b->text.failed || copy_str(b, rv_buf_str(&b->text), &g->head, err) < 0)
		return no_memory(err);
	for (uint32_t t = 0; t < b->plan->unit_count; t++) {
		if (g->tmpls[t].flags & COORD_TMPL_OUTER)
			continue;
		rv_buf_reset(&b->text);
		plan_save_unit(b->plan, &b->plan->units[t], &b->text);
		if (b->text.failed || coord_graph_name_tmpl(g, t) < 0)
			return no_memory(err);
		g->more[t].content = rv_hash(0x756e6974u, rv_buf_str(&b->text));
	}
	return 0;
}

int coord_graph_name_tmpl(struct coord_graph *g, uint32_t t)
{
	const struct coord_tmpl_more *m = &g->more[t];

	if (rv_strmap_add(&g->names, m->id, t) == RV_MAP_NONE)
		return -1;
	for (uint32_t k = 0; m->ids != COORD_NONE && k < g->tmpls[t].count; k++)
		if (rv_strmap_add(&g->names, g->ids[m->ids + k], t) == RV_MAP_NONE)
			return -1;
	return 0;
}

static int build_all(struct coord_build *b, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	const struct plan *p = b->plan;

	g->max_workers = p->max_workers;
	g->on_failure = p->on_failure;
	g->placement = p->placement;
	g->limits = p->limits;
	g->timeout_us = p->timeout_us;
	g->open = p->open;
	g->workspace = rv_hash(0x776f726b73706163u, p->workspace.root);
	if (copy_str(b, p->name, &g->name, err) < 0 || copy_workspace(b, err) < 0 || alloc_tmpls(b, err) < 0 || alloc_units(b, err) < 0 ||
	    name_instances(b, err) < 0 || build_edges(b, err) < 0 || coord_build_classes(b, err) < 0)
		return -1;
	fill_units(b);
	if (alloc_meters(b, err) < 0 || coord_build_ranks(b, err) < 0 || coord_build_dirs(b, err) < 0 || coord_build_specs(b, err) < 0)
		return -1;
	if (alloc_timers(b, err) < 0)
		return -1;
	return g->open ? note_contents(b, err) : 0;
}

int coord_graph_build(const struct plan *p, uint64_t run, const uint64_t *estimates_us, struct coord_graph **out,
		      struct rv_err *err)
{
	struct coord_graph *g = calloc(1, sizeof(*g));
	struct coord_build b = { .plan = p, .g = g, .estimates_us = estimates_us };
	int rc;

	if (!g)
		return no_memory(err);
	g->run = run;
	rv_arena_init(&g->arena, 0);
	rv_strmap_init(&g->names, run);
	rv_arena_init(&b.temp, 0);
	rv_buf_init(&b.text, TEXT_BYTES_MAX);
	rv_strmap_init(&b.specs, 1);
	rc = build_all(&b, err);
	rv_strmap_release(&b.specs);
	rv_buf_release(&b.text);
	rv_arena_release(&b.temp);
	if (rc < 0)
		coord_graph_destroy(&g);
	else
		*out = g;
	return rc;
}

void coord_graph_destroy(struct coord_graph **g)
{
	if (!*g)
		return;
	rv_strmap_release(&(*g)->names);
	rv_arena_release(&(*g)->arena);
	free(*g);
	*g = NULL;
}
