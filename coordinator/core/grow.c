/* grow.c - the step that takes units which are added to an open run (grow.h): copies into room that is there, counts, and a sweep over the new ones
 */
#include "coordinator/core/grow.h"
#include "common/check.h"
#include "coordinator/core/state.h"

/* Where the part's tables begin in the run's, before anything is copied. */
struct bases {
	struct coord_sizes used;
	uint32_t units, tmpls, specs, shapes, classes, meters, ranks;
};

static struct bases bases_of(const struct coord_graph *g)
{
	return (struct bases){ .used = g->used, .units = g->unit_count, .tmpls = g->tmpl_count - g->has_verify, .specs = g->spec_count,
			       .shapes = g->shape_count, .classes = g->class_count, .meters = g->meter_count, .ranks = g->ranks };
}

/* Nobody has seen it: it is assigned once the run is closed. */
static void move_verify(struct coord_graph *g, uint32_t tmpls, uint32_t units)
{
	uint32_t from = g->unit_count, to = from + units, tmpl = g->tmpl_count - 1;
	struct coord_unit *u;

	if (!g->has_verify)
		return;
	rv_check(g->units[from].state == COORD_UNIT_PENDING);
	rv_check(!g->units[from].attempt);
	g->tmpls[tmpl + tmpls] = g->tmpls[tmpl];
	g->more[tmpl + tmpls] = g->more[tmpl];
	g->units[to] = g->units[from];
	g->times[to] = g->times[from];
	g->waiting[to] = g->waiting[from];
	u = &g->units[to];
	u->tmpl = tmpl + tmpls;
	g->tmpls[u->tmpl].first = to;
	g->classes[u->place_class].order[u->local].unit = to;
}

/* --- tables ------------------------------------------------------------------------------------------------------------------- */

static void take_agents(struct coord_graph *g, const struct coord_graph *part)
{
	for (uint32_t i = 0; i < part->agent_count; i++)
		if (part->part->agent[i] == g->agent_count)
			g->agents[g->agent_count++] = part->agents[i];
}

static void take_settings(struct coord_graph *g, const struct coord_graph *part)
{
	for (uint32_t i = 0; i < part->used.settings; i++)
		if (part->part->setting[i] == g->used.settings)
			g->settings[g->used.settings++] = part->settings[i];
}

static void take_class(struct coord_graph *g, const struct coord_graph *part, uint32_t class, const struct bases *b)
{
	struct coord_class *cl = &g->classes[g->class_count];
	struct coord_shape *sh = &g->shapes[g->shape_count];

	*cl = part->part->made[class];
	*sh = part->shapes[part->classes[class].shape];
	sh->ready = part->part->heaps[class];
	sh->label_first += b->used.labels;
	sh->resource_first += b->used.resources;
	sh->class_first = g->class_count++;
	sh->class_count = 1;
	cl->shape = g->shape_count++;
	cl->lock_first += b->used.class_locks;
	if (cl->agent != COORD_NONE)
		cl->agent = part->part->agent[cl->agent];
}

static void append(void *to, uint32_t *used, const void *from, uint32_t count, size_t item)
{
	if (count)
		memcpy((char *)to + (size_t)*used * item, from, (size_t)count * item);
	*used += count;
}

#define APPEND(field) append(g->field, &g->used.field, part->field, part->used.field, sizeof(*g->field))

static void take_classes(struct coord_graph *g, const struct coord_graph *part, const struct bases *b)
{
	if (!part->part->new_classes)
		return;
	APPEND(labels);
	APPEND(resources);
	APPEND(class_locks);
	for (uint32_t i = 0; i < part->class_count; i++)
		if (part->part->class[i] == g->class_count)
			take_class(g, part, i, b);
}

static void take_dirs(struct coord_graph *g, const struct coord_graph *part, const struct bases *b)
{
	APPEND(dirsets);
	APPEND(dirs);
	APPEND(prefixes);
	for (uint32_t i = b->used.dirsets; i < g->used.dirsets; i++)
		g->dirsets[i].dir_first += b->used.dirs;
	for (uint32_t i = b->used.dirs; i < g->used.dirs; i++)
		g->dirs[i].prefix_first += b->used.prefixes;
	g->paths_most = (uint32_t)rv_max_u64(g->paths_most, part->paths_most);
}

static void moved_by(uint32_t *number, uint32_t base)
{
	if (*number != COORD_NONE)
		*number += base;
}

/* --- templates and units ---------------------------------------------------------------------------------------------------------- */

static void take_units(struct coord_graph *g, const struct coord_graph *part, uint32_t from, uint32_t to)
{
	struct coord_tmpl *tm = &g->tmpls[to];

	tm->first = g->unit_count;
	for (uint32_t k = 0; k < tm->count; k++) {
		struct coord_unit *u = &g->units[g->unit_count];

		*u = part->units[part->tmpls[from].first + k];
		u->tmpl = to;
		u->place_class = (uint16_t)part->part->class[u->place_class];
		u->setting = (uint16_t)part->part->setting[u->setting];
		g->times[g->unit_count] = (struct coord_times){ 0 };
		g->waiting[g->unit_count++] = 0;
	}
}

static void take_tmpl(struct coord_graph *g, const struct coord_graph *part, uint32_t t, const struct bases *b)
{
	uint32_t to = part->part->tmpl[t];
	struct coord_tmpl *tm = &g->tmpls[to];
	struct coord_tmpl_more *m = &g->more[to];

	*tm = part->tmpls[t];
	*m = part->more[t];
	tm->in_first += b->used.in;
	tm->out_first += b->used.out;
	moved_by(&tm->dirs, b->used.dirsets);
	m->class = part->part->class[m->class];
	m->setting = part->part->setting[m->setting];
	m->spec += b->specs;
	m->links = COORD_NONE;
	moved_by(&m->items, b->used.items);
	moved_by(&m->ids, b->used.ids);
	moved_by(&m->meter_first, b->meters);
	if (tm->same_as != COORD_NONE)
		tm->same_as = part->part->tmpl[tm->same_as];
	if (tm->pair_first != COORD_NONE)
		tm->pair_first = part->part->tmpl[tm->pair_first];
	if (tm->pair_next != COORD_NONE)
		tm->pair_next = part->part->tmpl[tm->pair_next];
	take_units(g, part, t, to);
}

/* Behind the units that their classes have, in the order that they had in the part. */
static void take_ranks(struct coord_graph *g, const struct coord_graph *part, const struct bases *b)
{
	for (uint32_t i = 0; i < part->class_count; i++) {
		struct coord_class *cl = &g->classes[part->part->class[i]];

		for (uint32_t k = 0; k < part->classes[i].unit_count; k++) {
			const struct coord_place *p = &part->classes[i].order[k];
			uint32_t t = part->units[p->unit].tmpl, unit;

			if (!part->part->is_new[t])
				continue;
			unit = g->tmpls[part->part->tmpl[t]].first + (p->unit - part->tmpls[t].first);
			g->units[unit].rank = b->ranks + p->rank;
			g->units[unit].local = cl->unit_count;
			cl->order[cl->unit_count++] = (struct coord_place){ unit, b->ranks + p->rank };
		}
	}
	g->ranks += part->ranks;
}

/* --- edges ------------------------------------------------------------------------------------------------------------------------- */

/* An edge of the part as the run numbers it. Only to what is new: what the run had depends on nothing that is. */
static uint32_t edge_there(const struct coord_graph *g, const struct coord_graph *part, uint32_t edge)
{
	uint32_t t = edge & COORD_EDGE_GATE ? edge & ~COORD_EDGE_GATE : part->units[edge].tmpl;
	uint32_t to = part->part->tmpl[t];

	if (!part->part->is_new[t])
		return COORD_NONE;
	return g->tmpls[to].flags & COORD_TMPL_MANY ? COORD_EDGE_GATE | to : g->tmpls[to].first;
}

static void link_to(struct coord_graph *g, uint32_t t, uint32_t edge)
{
	g->links[g->used.links] = (struct coord_link){ edge, g->tmpls[t].flags & COORD_TMPL_LINKED ? g->more[t].links : COORD_NONE };
	g->more[t].links = g->used.links++;
	g->tmpls[t].flags |= COORD_TMPL_LINKED;
}

static void take_edges(struct coord_graph *g, const struct coord_graph *part, const struct bases *b)
{
	APPEND(in);
	APPEND(out);
	for (uint32_t t = 0; t < part->tmpl_count; t++) {
		const struct coord_tmpl *tm = &part->tmpls[t];
		uint32_t to = part->part->tmpl[t];

		for (uint32_t i = 0; i < tm->in_count; i++) {
			uint32_t d = part->part->tmpl[part->in[tm->in_first + i]];

			g->in[b->used.in + tm->in_first + i] = d;
			if (part->part->is_new[t] && g->tmpls[d].flags & COORD_TMPL_MANY)
				g->tmpls[to].flags &= ~(uint32_t)COORD_TMPL_PLAIN_DEPS;
		}
		for (uint32_t i = 0; i < tm->out_count; i++) {
			uint32_t edge = edge_there(g, part, part->out[tm->out_first + i]);

			if (part->part->is_new[t])
				g->out[b->used.out + tm->out_first + i] = edge;
			else if (edge != COORD_NONE)
				link_to(g, to, edge);
		}
	}
}

void coord_grow(struct coord *c, struct coord_run *r, const struct coord_graph *part)
{
	struct coord_graph *g = r->g;
	const struct coord_part *p = part->part;
	struct bases b = bases_of(g);

	rv_check(p && p->new_tmpls);
	rv_check(b.tmpls + p->new_tmpls + g->has_verify < g->room.tmpls);
	rv_check(b.units + p->new_units + g->has_verify < g->room.vertices);
	move_verify(g, p->new_tmpls, p->new_units);
	take_agents(g, part);
	take_settings(g, part);
	take_classes(g, part, &b);
	take_dirs(g, part, &b);
	APPEND(items);
	APPEND(ids);
	append(g->specs, &g->spec_count, part->specs, part->spec_count, sizeof(*g->specs));
	append(g->meters, &g->meter_count, part->meters, part->meter_count, sizeof(*g->meters));
	g->estimated |= part->estimated;
	for (uint32_t t = 0; t < part->tmpl_count; t++)
		if (p->is_new[t])
			take_tmpl(g, part, t, &b);
	rv_check(g->unit_count == b.units + p->new_units);
	g->vertex_count = g->unit_count + g->has_verify;
	g->tmpl_count = b.tmpls + p->new_tmpls + g->has_verify;
	g->edge_count += p->edges;
	take_ranks(g, part, &b);
	take_edges(g, part, &b);
	r->counts[COORD_UNIT_PENDING] += p->new_units;
	r->recounted = true; /* a new one may be blocked already */
	coord_spread_count_new(r, b.tmpls);
	coord_run_begin_from(c, r, b.units);
}
