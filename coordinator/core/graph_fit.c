/* graph_fit.c - is a part one that can be added to a run's graph, and room for it (grow.h; outside the step, so it may allocate) */
#include "coordinator/core/build.h"
#include "coordinator/core/grow.h"
#include "common/check.h"

#include <stddef.h>

#define SETTINGS_MAX 65536u /* unit.setting is 16 bits */

static int no_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for more units");
}

/* --- what is new ---------------------------------------------------------------------------------------------------------- */

/* The run's template of this id, as written; COORD_NONE. */
static uint32_t template_of(const struct coord_graph *g, struct rv_str id)
{
	uint32_t t = rv_strmap_get(&g->names, id);

	return t != RV_MAP_NONE && rv_str_equal(g->more[t].id, id) ? t : COORD_NONE;
}

static int find_outer(const struct coord_graph *g, const struct coord_graph *part, uint32_t t, struct rv_err *err)
{
	struct rv_str id = part->more[t].id;
	uint32_t count;

	part->part->tmpl[t] = template_of(g, id);
	if (part->part->tmpl[t] != COORD_NONE)
		return 0;
	(void)rv_fail(err, RV_E_PLAN, "E_DEP_UNKNOWN: a unit depends on \"%.*s\", which no unit of the run is called", RV_STR_ARGS(id));
	if (coord_graph_find(g, id, &count) != COORD_NONE)
		return rv_hint(err, "depend on the template, which joins all its units");
	return rv_hint(err, "units are known once they were added; `reeve status RUN` lists them");
}

/* An id that some unit of the run has: an instance of a template, or the other way round. */
static int taken(struct rv_err *err, struct rv_str id)
{
	return rv_fail(err, RV_E_CONFLICT, "E_ID_DUPLICATE: the run has a unit \"%.*s\" already, and it is another one", RV_STR_ARGS(id));
}

static int look_up(const struct coord_graph *g, const struct coord_graph *part, uint32_t t, struct rv_err *err)
{
	struct coord_part *p = part->part;
	uint32_t at = template_of(g, part->more[t].id), count;
	char room[COORD_UNIT_ID_BYTES];

	if (at != COORD_NONE) {
		if (g->more[at].content != part->more[t].content || g->tmpls[at].flags & COORD_TMPL_OUTER)
			return taken(err, part->more[t].id);
		p->tmpl[t] = at;
		p->there_units += part->tmpls[t].count;
		return 0;
	}
	if (coord_graph_find(g, part->more[t].id, &count) != COORD_NONE)
		return taken(err, part->more[t].id);
	for (uint32_t k = 0; part->tmpls[t].flags & COORD_TMPL_MANY && k < part->tmpls[t].count; k++) {
		struct rv_str id = coord_graph_unit_id(part, part->tmpls[t].first + k, room);

		if (coord_graph_find(g, id, &count) != COORD_NONE)
			return taken(err, id);
	}
	p->is_new[t] = true;
	p->tmpl[t] = g->tmpl_count - g->has_verify + p->new_tmpls++;
	p->new_units += part->tmpls[t].count;
	return 0;
}

static int look_up_all(const struct coord_graph *g, const struct coord_graph *part, struct rv_err *err)
{
	for (uint32_t t = 0; t < part->tmpl_count; t++) {
		part->part->tmpl[t] = COORD_NONE;
		if (part->has_verify && t + 1 == part->tmpl_count)
			continue;
		if (part->tmpls[t].flags & COORD_TMPL_OUTER ? find_outer(g, part, t, err) < 0 : look_up(g, part, t, err) < 0)
			return -1;
	}
	return 0;
}

/* --- what is equal -------------------------------------------------------------------------------------------------------- */

static void find_agents(const struct coord_graph *g, const struct coord_graph *part)
{
	uint32_t next = g->agent_count;

	for (uint32_t i = 0; i < part->agent_count; i++) {
		part->part->agent[i] = coord_graph_agent_find(g, part->agents[i].name);
		if (part->part->agent[i] == COORD_NONE)
			part->part->agent[i] = next++;
	}
}

static bool same_setting(const struct coord_setting *a, const struct coord_setting *b)
{
	return a->retry.max == b->retry.max && a->retry.backoff == b->retry.backoff && a->retry.base_us == b->retry.base_us &&
	       a->retry.max_us == b->retry.max_us && a->retry.jitter_ppm == b->retry.jitter_ppm && a->retry.on == b->retry.on &&
	       a->retry.agent == b->retry.agent && a->queue_timeout_us == b->queue_timeout_us && a->lost_after_us == b->lost_after_us &&
	       a->grace_us == b->grace_us && a->at_most_once == b->at_most_once && a->agent_unit == b->agent_unit && a->hold == b->hold && a->env_own == b->env_own && a->fills == b->fills &&
	       a->budget.tokens == b->budget.tokens && a->budget.cost_microusd == b->budget.cost_microusd;
}

/* The part's settings speak of agents by its own numbers. */
static void settings_as_there(const struct coord_graph *part)
{
	for (uint32_t i = 0; i < part->used.settings; i++)
		if (part->settings[i].retry.agent != PLAN_NONE)
			part->settings[i].retry.agent = part->part->agent[part->settings[i].retry.agent];
}

static uint32_t find_settings(const struct coord_graph *g, const struct coord_graph *part)
{
	uint32_t next = g->used.settings;

	for (uint32_t i = 0; i < part->used.settings; i++) {
		uint32_t at = 0;

		while (at < g->used.settings && !same_setting(&g->settings[at], &part->settings[i]))
			at++;
		part->part->setting[i] = at < g->used.settings ? at : next++;
	}
	return next;
}

static bool same_shape(const struct coord_graph *g, const struct coord_shape *a, const struct coord_graph *h, const struct coord_shape *b)
{
	if (a->slots != b->slots || a->agent_slots != b->agent_slots || a->profile != b->profile || a->label_count != b->label_count ||
	    a->resource_count != b->resource_count || !rv_str_equal(a->node, b->node))
		return false;
	for (uint32_t i = 0; i < a->label_count; i++) {
		const struct coord_label *x = &g->labels[a->label_first + i], *y = &h->labels[b->label_first + i];

		if (x->must_not != y->must_not || !rv_str_equal(x->key, y->key) || !rv_str_equal(x->value, y->value))
			return false;
	}
	for (uint32_t i = 0; i < a->resource_count; i++) {
		const struct coord_resource *x = &g->resources[a->resource_first + i], *y = &h->resources[b->resource_first + i];

		if (x->milli != y->milli || !rv_str_equal(x->name_text, y->name_text))
			return false;
	}
	return true;
}

static bool same_class(const struct coord_graph *g, const struct coord_class *a, const struct coord_graph *part, const struct coord_class *b)
{
	uint32_t agent = b->agent == COORD_NONE ? COORD_NONE : part->part->agent[b->agent];

	if (a->agent != agent || a->priority != b->priority || a->dirs != b->dirs || a->prefetch != b->prefetch || a->quick != b->quick || a->plain != b->plain || a->lock_count != b->lock_count ||
	    !same_shape(g, &g->shapes[a->shape], part, &part->shapes[b->shape]))
		return false;
	for (uint32_t i = 0; i < a->lock_count; i++)
		if (g->class_locks[a->lock_first + i] != part->class_locks[b->lock_first + i])
			return false;
	return true;
}

static uint32_t find_classes(const struct coord_graph *g, const struct coord_graph *part)
{
	uint32_t next = g->class_count;

	for (uint32_t i = 0; i < part->class_count; i++) {
		uint32_t at = 0;

		while (at < g->class_count && !same_class(g, &g->classes[at], part, &part->classes[i]))
			at++;
		part->part->class[i] = at < g->class_count ? at : next++;
	}
	return next;
}

/* --- limits ---------------------------------------------------------------------------------------------------------------- */

static int check_limits(const struct coord_graph *g, const struct coord_graph *part, struct rv_err *err)
{
	if (g->unit_count + (uint64_t)part->part->new_units > RV_UNITS_MAX)
		return rv_fail(err, RV_E_LIMIT, "the run would have %llu units; the limit is %u",
			       (unsigned long long)g->unit_count + part->part->new_units, RV_UNITS_MAX);
	if (g->edge_count + part->part->edges > RV_EDGES_MAX)
		return rv_fail(err, RV_E_LIMIT, "the run would have more than %u dependencies", RV_EDGES_MAX);
	if (g->used.prefixes + (uint64_t)part->used.prefixes >= UINT32_MAX)
		return rv_fail(err, RV_E_LIMIT, "the run's allowed_directories are too many");
	return 0;
}

/* --- room ------------------------------------------------------------------------------------------------------------------- */

/* Room for `more` behind `used`, and a spare one. Tables double, so that what is copied is at most about what was added. */
static uint32_t wanted(uint32_t used, uint32_t more, uint32_t room)
{
	uint64_t want = (uint64_t)used + more + 1;

	if (want <= room)
		return room;
	return (uint32_t)rv_min_u64(rv_max_u64(want, 2 * (uint64_t)used), UINT32_MAX);
}

/* `table` is the address of a pointer; what it points to is copied to a place for `room`. */
static int move(struct coord_graph *g, void *table, size_t item, uint32_t used, uint32_t room)
{
	void *at = rv_arena_zalloc(&g->arena, (size_t)room * item, item % 64 == 0 ? 64 : _Alignof(max_align_t)), *old;

	if (!at)
		return -1;
	memcpy(&old, table, sizeof(old));
	if (used)
		memcpy(at, old, (size_t)used * item);
	memcpy(table, &at, sizeof(at));
	return 0;
}

#define MOVE(field, used, room) (move(g, &g->field, sizeof(*g->field), (used), (room)) < 0)

static int room_of(struct coord_graph *g, void *table, size_t item, uint32_t used, uint32_t more, uint32_t *room)
{
	uint32_t want = wanted(used, more, *room);

	if (want == *room)
		return 0;
	*room = want;
	return move(g, table, item, used, want);
}

#define ROOM(field, used, more, name) (room_of(g, &g->field, sizeof(*g->field), (used), (more), &g->room.name) < 0)
#define ROOM_USED(field) ROOM(field, g->used.field, part->used.field, field)

/* A heap that has as many values as something else that grows. */
static int heap_room(struct coord_graph *g, struct rv_heap *h, uint32_t room)
{
	struct rv_heap was = *h;

	if (room <= was.capacity)
		return 0;
	if (move(g, &h->items, sizeof(*h->items), was.count, room) < 0 || move(g, &h->where, sizeof(*h->where), was.capacity, room) < 0)
		return -1;
	h->capacity = room;
	return 0;
}

static int unit_room(struct coord_graph *g, const struct coord_graph *part)
{
	uint32_t tmpls = wanted(g->tmpl_count, part->tmpl_count, g->room.tmpls);
	uint32_t units = wanted(g->vertex_count, part->vertex_count, g->room.vertices);

	if (tmpls != g->room.tmpls && (MOVE(tmpls, g->tmpl_count, tmpls) || MOVE(more, g->tmpl_count, tmpls)))
		return -1;
	if (units != g->room.vertices &&
	    (MOVE(units, g->vertex_count, units) || MOVE(times, g->vertex_count, units) || MOVE(waiting, g->vertex_count, units)))
		return -1;
	g->room.tmpls = tmpls;
	g->room.vertices = units;
	g->timers |= part->timers;
	return g->timers ? heap_room(g, &g->unit_timers, units) : 0;
}

/* Queues of a class: one that was there gets a longer one, another its first. */
static int class_room(struct coord_graph *g, struct coord_class *cl, uint32_t more)
{
	uint32_t room = wanted(cl->unit_count, more, cl->ready.capacity);
	struct rv_rankset was = cl->ready;
	uint64_t *words;

	if (room == was.capacity)
		return 0;
	words = RV_ARENA_ARRAY(&g->arena, uint64_t, rv_rankset_words(room));
	if (!words || move(g, &cl->order, sizeof(*cl->order), cl->unit_count, room) < 0)
		return -1;
	rv_rankset_init(&cl->ready, words, room);
	for (uint32_t i = was.count ? rv_rankset_first(&was) : RV_RANK_NONE; i != RV_RANK_NONE; i = rv_rankset_next(&was, i))
		rv_rankset_add(&cl->ready, i);
	return 0;
}

/* Of a class that the run has not: kept in a struct of the part until the step takes it. */
static int new_class(struct coord_graph *g, struct coord_graph *part, uint32_t class)
{
	struct coord_class *to = &part->part->made[class];
	struct coord_shape *sh = &part->shapes[part->classes[class].shape];

	*to = part->classes[class];
	to->unit_count = 0;
	to->first = RV_RANK_NONE;
	to->ready = (struct rv_rankset){ 0 };
	to->order = NULL;
	sh->node = rv_arena_str(&g->arena, sh->node);
	part->part->heaps[class] = (struct rv_heap){ 0 };
	return sh->node.at && class_room(g, to, part->classes[class].unit_count) == 0 && heap_room(g, &part->part->heaps[class], 2) == 0 ? 0 : -1;
}

static int classes_room(struct coord_graph *g, struct coord_graph *part)
{
	const uint32_t *to = part->part->class;
	uint32_t fresh = 0;

	/* Several may be equal to one of the run's: what tells them apart in a plan need not matter to it. */
	for (uint32_t i = 0; i < part->class_count; i++)
		if (to[i] < g->class_count)
			g->classes[to[i]].coming = 0;
	for (uint32_t i = 0; i < part->class_count; i++)
		if (to[i] < g->class_count)
			g->classes[to[i]].coming += part->classes[i].unit_count;
	for (uint32_t i = 0; i < part->class_count; i++) {
		bool there = to[i] < g->class_count;

		if (there ? class_room(g, &g->classes[to[i]], g->classes[to[i]].coming) < 0 : new_class(g, part, i) < 0)
			return -1;
		fresh += !there;
	}
	part->part->new_classes = fresh;
	if (!fresh)
		return 0;
	if (ROOM(classes, g->class_count, fresh, classes) || ROOM(shapes, g->shape_count, fresh, shapes) || ROOM_USED(labels) || ROOM_USED(resources) ||
	    ROOM_USED(class_locks))
		return -1;
	for (uint32_t i = 0; i < part->used.labels; i++) {
		part->labels[i].key = rv_arena_str(&g->arena, part->labels[i].key);
		part->labels[i].value = rv_arena_str(&g->arena, part->labels[i].value);
		if (!part->labels[i].key.at || !part->labels[i].value.at)
			return -1;
	}
	for (uint32_t i = 0; i < part->used.resources; i++)
		if (!(part->resources[i].name_text = rv_arena_str(&g->arena, part->resources[i].name_text)).at)
			return -1;
	return heap_room(g, &g->ready, g->room.shapes);
}

/* Agents that the run has not, and what agents set of a spec, where a run without agent units gets some. */
static int agents_room(struct coord_graph *g, struct coord_graph *part)
{
	uint32_t was = g->room.agents;

	if (ROOM(agents, g->agent_count, part->agent_count, agents))
		return -1;
	for (uint32_t i = 0; i < part->agent_count; i++) {
		if (part->part->agent[i] < g->agent_count)
			continue;
		part->agents[i].name = rv_arena_str(&g->arena, part->agents[i].name);
		if (part->agents[i].model.bytes)
			part->agents[i].model = rv_arena_str(&g->arena, part->agents[i].model);
		if (!part->agents[i].name.at || (part->agents[i].model.bytes && !part->agents[i].model.at))
			return -1;
	}
	if (!g->agent_specs && part->agent_specs)
		g->agent_specs = RV_ARENA_ARRAY(&g->arena, struct rv_str, g->room.agents);
	else if (g->agent_specs && g->room.agents != was && MOVE(agent_specs, g->agent_count, g->room.agents))
		return -1;
	if (!part->agent_specs)
		return 0;
	if (!g->agent_specs)
		return -1;
	for (uint32_t i = 0; i < part->agent_count; i++) {
		struct rv_str *to = &g->agent_specs[part->part->agent[i]];

		if (!to->bytes && part->agent_specs[i].bytes && !(*to = rv_arena_str(&g->arena, part->agent_specs[i])).at)
			return -1;
	}
	return 0;
}

static int copy_texts(struct coord_graph *g, struct coord_graph *part)
{
	for (uint32_t t = 0; t < part->tmpl_count; t++) {
		struct coord_tmpl_more *m = &part->more[t];

		if (!part->part->is_new[t])
			continue;
		m->id = rv_arena_str(&g->arena, m->id);
		if (m->x_id.bytes)
			m->x_id = rv_arena_str(&g->arena, m->x_id);
		if (!m->id.at || !m->x_id.at)
			return -1;
	}
	for (uint32_t i = 0; i < part->used.items; i++)
		if (!(part->items[i] = rv_arena_str(&g->arena, part->items[i])).at)
			return -1;
	for (uint32_t i = 0; i < part->used.ids; i++)
		if (!(part->ids[i] = rv_arena_str(&g->arena, part->ids[i])).at)
			return -1;
	for (uint32_t i = 0; i < part->spec_count; i++)
		if (!(part->specs[i] = rv_arena_str(&g->arena, part->specs[i])).at)
			return -1;
	return 0;
}

/* Names come last, and there is room for them: a part that does not fit leaves none behind. */
static int name_new(struct coord_graph *g, const struct coord_graph *part)
{
	if (rv_strmap_reserve(&g->names, g->names.count + part->part->new_tmpls + part->used.ids) < 0)
		return -1;
	for (uint32_t t = 0; t < part->tmpl_count; t++) {
		const struct coord_tmpl_more *m = &part->more[t];

		if (!part->part->is_new[t])
			continue;
		if (rv_strmap_add(&g->names, m->id, part->part->tmpl[t]) == RV_MAP_NONE)
			return -1;
		for (uint32_t k = 0; m->ids != COORD_NONE && k < part->tmpls[t].count; k++)
			if (rv_strmap_add(&g->names, part->ids[m->ids + k], part->part->tmpl[t]) == RV_MAP_NONE)
				return -1;
	}
	return 0;
}

static int make_room(struct coord_graph *g, struct coord_graph *part)
{
	if (unit_room(g, part) < 0 || classes_room(g, part) < 0 || agents_room(g, part) < 0 || copy_texts(g, part) < 0)
		return -1;
	if (ROOM_USED(in) || ROOM_USED(out) || ROOM(links, g->used.links, part->used.out, links) || ROOM_USED(items) || ROOM_USED(ids) ||
	    ROOM_USED(settings) || ROOM_USED(dirsets) || ROOM_USED(dirs) || ROOM_USED(prefixes) ||
	    ROOM(specs, g->spec_count, part->spec_count, specs))
		return -1;
	if (part->meter_count && ROOM(meters, g->meter_count, part->meter_count, meters))
		return -1;
	return name_new(g, part);
}

static uint64_t new_edges(const struct coord_graph *g, const struct coord_graph *part)
{
	uint64_t edges = 0;

	for (uint32_t t = 0; t < part->tmpl_count; t++) {
		const struct coord_tmpl *tm = &part->tmpls[t];

		for (uint32_t i = 0; part->part->is_new[t] && i < tm->in_count; i++) {
			uint32_t d = part->in[tm->in_first + i];

			edges += (uint64_t)tm->count * (part->part->is_new[d] ? part->tmpls[d].count : g->tmpls[part->part->tmpl[d]].count);
		}
		if (part->part->is_new[t] && tm->same_as != COORD_NONE)
			edges += tm->count;
	}
	return edges;
}

int coord_part_fit(struct coord_graph *g, struct coord_graph *part, struct rv_err *err)
{
	struct coord_part *p = RV_ARENA_ARRAY(&part->arena, struct coord_part, 1);

	rv_check(g->open);
	rv_check(!part->part);
	if (!p)
		return no_memory(err);
	p->tmpl = RV_ARENA_ARRAY(&part->arena, uint32_t, part->tmpl_count + 1u);
	p->is_new = RV_ARENA_ARRAY(&part->arena, bool, part->tmpl_count + 1u);
	p->class = RV_ARENA_ARRAY(&part->arena, uint32_t, part->class_count + 1u);
	p->made = RV_ARENA_ARRAY(&part->arena, struct coord_class, part->class_count + 1u);
	p->heaps = RV_ARENA_ARRAY(&part->arena, struct rv_heap, part->class_count + 1u);
	p->setting = RV_ARENA_ARRAY(&part->arena, uint32_t, part->used.settings + 1u);
	p->agent = RV_ARENA_ARRAY(&part->arena, uint32_t, part->agent_count + 1u);
	if (!p->tmpl || !p->is_new || !p->class || !p->made || !p->heaps || !p->setting || !p->agent)
		return no_memory(err);
	part->part = p;
	if (look_up_all(g, part, err) < 0)
		return -1;
	if (!p->new_tmpls)
		return 0;
	p->edges = new_edges(g, part);
	find_agents(g, part);
	settings_as_there(part);
	if (check_limits(g, part, err) < 0)
		return -1;
	if (find_settings(g, part) > SETTINGS_MAX)
		return rv_fail(err, RV_E_LIMIT, "the run's units would have more than %u different retries and timeouts", SETTINGS_MAX);
	if (find_classes(g, part) > RV_CLASSES_MAX)
		return rv_fail(err, RV_E_LIMIT, "the run would have more than %u placement classes", RV_CLASSES_MAX);
	return make_room(g, part) < 0 ? no_memory(err) : 0;
}
