/* deps.c - dependencies: names to units, counterparts of templates, cycles
 *
 * One depth-first walk without recursion gives the order that follows dependencies and finds cycles: a chain of a million
 * units needs no stack. A template's `same_as` is an edge like any other here.
 */
#include "loader.h"

#include "common/check.h"
#include "common/id.h"

#include <stdlib.h>

#define NAMES_SEARCHED 200000u /* for "did you mean" */
#define CYCLE_SHOWN 24u        /* units of a cycle that are named */

/* ---- names ---- */

static void hint_unit(struct plan_loader *l, struct plan_diag *g, struct rv_str name)
{
	const struct plan *p = l->plan;
	uint32_t count = p->unit_count < NAMES_SEARCHED ? p->unit_count : NAMES_SEARCHED, i;
	const char **ids;
	int near = -1;

	if (!g)
		return;
	ids = malloc((count + 1) * sizeof(*ids));
	if (ids) {
		for (i = 0; i < count; i++)
			ids[i] = p->units[i].id.at;
		near = rv_nearest(name, ids, count);
		free(ids);
	}
	if (near >= 0 && l->lines)
		plan_diag_hint(g, "did you mean \"%s\" (%s:%u)?", p->units[near].id.at, l->diags->file,
			       p->units[near].pos.line);
	else if (near >= 0)
		plan_diag_hint(g, "did you mean \"%s\" (%s:%u:%u)?", p->units[near].id.at, l->diags->file,
			       p->units[near].pos.line, p->units[near].pos.col);
}

/* "fit-0003" of a template "fit"? */
static void hint_instance(struct plan_loader *l, struct plan_diag *g, struct rv_str name)
{
	size_t n = name.bytes;
	uint32_t unit;

	while (n && name.at[n - 1] >= '0' && name.at[n - 1] <= '9')
		n--;
	if (!n || n == name.bytes || name.at[n - 1] != '-')
		return;
	unit = rv_strmap_get(&l->unit_names, rv_str(name.at, n - 1));
	if (unit != RV_MAP_NONE && l->plan->units[unit].for_each)
		plan_diag_hint(g, "depend on the template \"%s\", which joins all its units; same_as pairs units one by one",
			       l->plan->units[unit].id.at);
}

static void tell_unknown(struct plan_loader *l, uint32_t unit, struct rv_str name, struct rv_str key)
{
	char q[PLAN_QUOTED], q2[PLAN_QUOTED];
	struct plan_diag *g;

	g = plan_error_unit(l, PLAN_E_DEP_UNKNOWN, unit, key, name, "unit %s depends on %s, which no unit is called",
			    plan_quote(l->plan->units[unit].id, q), plan_quote(name, q2));
	hint_unit(l, g, name);
	hint_instance(l, g, name);
}

static uint32_t resolve_ref(struct plan_loader *l, uint32_t ref, struct rv_str *name)
{
	if (!(ref & PLAN_DEP_PENDING))
		return ref;
	*name = PLAN_VEC_AT(&l->pending, struct rv_str, ref & ~PLAN_DEP_PENDING);
	return rv_strmap_get(&l->unit_names, *name);
}

/* A unit of the run that this plan is added to: known by its id alone. PLAN_NONE: no memory. */
static uint32_t add_stub(struct plan_loader *l, uint32_t for_unit, struct rv_str name)
{
	struct plan *p = l->plan;
	struct plan_unit *u = plan_next_unit(l);
	uint32_t *slot = l->lines ? NULL : plan_vec_add(l, &l->unit_nodes, sizeof(*slot));

	name = rv_arena_str(&p->arena, name);
	if (!name.at || !u || (!slot && !l->lines))
		return PLAN_NONE;
	if (slot)
		*slot = 0;
	*u = (struct plan_unit){ .settings = p->units[for_unit].settings, .id = name, .estimate_us = PLAN_ESTIMATE_NONE, .flags = PLAN_UNIT_OUTER,
				 .pos = p->units[for_unit].pos };
	u->description = u->prompt = u->context = u->extra = RV_STR("");
	if (rv_strmap_add(&l->unit_names, name, p->unit_count) == RV_MAP_NONE)
		return PLAN_NONE;
	return p->unit_count++;
}

static int resolve_unit(struct plan_loader *l, uint32_t unit)
{
	struct plan_unit *u = &l->plan->units[unit];
	uint32_t *dep = (uint32_t *)(uintptr_t)u->deps; /* the loader's own until the plan is handed out */
	uint32_t i, kept = 0, at;
	struct rv_str name = { 0 };

	for (i = 0; i < u->dep_count; i++) {
		at = resolve_ref(l, dep[i], &name);
		if (at == RV_MAP_NONE && l->opt->outer && (at = add_stub(l, unit, name)) == PLAN_NONE)
			return plan_no_memory(l);
		u = &l->plan->units[unit];
		if (at == RV_MAP_NONE)
			tell_unknown(l, unit, name, RV_STR("depends_on"));
		else
			dep[kept++] = at;
	}
	u->dep_count = kept;
	return 0;
}

/* ---- counterparts ---- */

/* A unit of the template that this one follows gets its counterpart, not a join besides. */
static void drop_join(struct plan_loader *l, uint32_t unit, uint32_t target)
{
	struct plan_unit *u = &l->plan->units[unit];
	uint32_t *dep = (uint32_t *)(uintptr_t)u->deps, i, kept = 0;
	char q[PLAN_QUOTED];

	for (i = 0; i < u->dep_count; i++) {
		if (dep[i] != target)
			dep[kept++] = dep[i];
	}
	if (kept != u->dep_count)
		plan_error_unit(l, PLAN_W_DEP_DUPLICATE, unit, RV_STR("depends_on"), l->plan->units[target].id,
				"same_as already makes each unit depend on its counterpart of %s",
				plan_quote(l->plan->units[target].id, q));
	u->dep_count = kept;
}

static void resolve_same_as(struct plan_loader *l, uint32_t unit)
{
	struct plan_for_each *f = (struct plan_for_each *)(uintptr_t)l->plan->units[unit].for_each;
	struct rv_str name = { 0 };
	uint32_t at = resolve_ref(l, f->same_as, &name);
	char q[PLAN_QUOTED], q2[PLAN_QUOTED];

	f->same_as = PLAN_NONE;
	if (at == RV_MAP_NONE) {
		if (l->opt->outer)
			plan_error_unit(l, PLAN_E_UNSUPPORTED, unit, RV_STR("for_each"), name, "same_as names a template of the same addition, not one that the run has");
		else
			tell_unknown(l, unit, name, RV_STR("for_each"));
	} else if (at == unit) {
		plan_error_unit(l, PLAN_E_DEP_SELF, unit, RV_STR("for_each"), (struct rv_str){ 0 },
				"unit %s takes its items from itself", plan_quote(l->plan->units[unit].id, q));
	} else if (!l->plan->units[at].for_each) {
		plan_error_unit(l, PLAN_E_CONFLICT, unit, RV_STR("for_each"), (struct rv_str){ 0 },
				"unit %s takes its items from %s, which has no for_each",
				plan_quote(l->plan->units[unit].id, q), plan_quote(l->plan->units[at].id, q2));
	} else {
		f->same_as = at;
		drop_join(l, unit, at);
	}
}

/* ---- order and cycles ---- */

enum { WHITE, GREY, BLACK };

struct frame {
	uint32_t unit;
	uint32_t next; /* of its dependencies, the one of same_as last */
};

struct walk {
	struct frame *stack;
	uint32_t depth;
	uint8_t *colour;
	uint8_t *told; /* part of a cycle that was told */
	uint32_t done;
};

/* Dependency number i, PLAN_NONE behind the last. */
static uint32_t dep_at(const struct plan_unit *u, uint32_t i)
{
	if (i < u->dep_count)
		return u->deps[i];
	return i == u->dep_count && u->for_each ? u->for_each->same_as : PLAN_NONE;
}

static void put_place(struct plan_loader *l, struct rv_buf *b, uint32_t unit)
{
	const struct plan_unit *u = &l->plan->units[unit];
	char q[PLAN_QUOTED];

	(void)rv_buf_printf(b, "%s (%s:%u", plan_quote(u->id, q), l->diags->file, u->pos.line);
	if (!l->lines)
		(void)rv_buf_printf(b, ":%u", u->pos.col);
	(void)rv_buf_putc(b, ')');
}

/* The cycle is stack[from..depth-1], each depending on the next, the last on the first. Told from its first unit in the
 * file on. */
static void tell_cycle(struct plan_loader *l, struct walk *w, uint32_t from)
{
	uint32_t length = w->depth - from, first = 0, i, unit, next;
	struct rv_buf chain, places;
	const struct plan_unit *units = l->plan->units;

	for (i = 0; i < length; i++) {
		if (w->told[w->stack[from + i].unit])
			return;
		if (w->stack[from + i].unit < w->stack[from + first].unit)
			first = i;
	}
	rv_buf_init(&chain, 0);
	rv_buf_init(&places, 0);
	for (i = 0; i < length; i++) {
		unit = w->stack[from + (first + i) % length].unit;
		w->told[unit] = 1;
		if (i < CYCLE_SHOWN / 2 || length <= CYCLE_SHOWN || i >= length - CYCLE_SHOWN / 2) {
			(void)rv_buf_printf(&chain, "%.*s -> ", RV_STR_ARGS(units[unit].id));
			(void)rv_buf_puts(&places, places.bytes ? ", " : "");
			put_place(l, &places, unit);
		} else if (i == CYCLE_SHOWN / 2) {
			(void)rv_buf_printf(&chain, "... %u more ... -> ", length - CYCLE_SHOWN);
			(void)rv_buf_puts(&places, ", ...");
		}
	}
	unit = w->stack[from + first].unit;
	next = w->stack[from + (first + 1) % length].unit;
	(void)rv_buf_put_str(&chain, units[unit].id);
	plan_diag_hint(plan_error_unit(l, PLAN_E_CYCLE, unit,
				       units[unit].for_each && units[unit].for_each->same_as == next ?
					       RV_STR("for_each") :
					       RV_STR("depends_on"),
				       units[next].id,
				       "these units wait for each other: %.900s", chain.at),
		       "%s: one of these dependencies has to go", places.at);
	rv_buf_release(&chain);
	rv_buf_release(&places);
	l->cyclic = true;
}

static void found_grey(struct plan_loader *l, struct walk *w, uint32_t unit)
{
	uint32_t from = w->depth;

	while (from > 0 && w->stack[from - 1].unit != unit)
		from--;
	rv_check(from > 0);
	tell_cycle(l, w, from - 1);
	l->cyclic = true;
}

static void walk_from(struct plan_loader *l, struct walk *w, uint32_t root)
{
	w->depth = 1;
	w->stack[0] = (struct frame){ .unit = root };
	w->colour[root] = GREY;
	while (w->depth) {
		struct frame *top = &w->stack[w->depth - 1];
		uint32_t dep = dep_at(&l->plan->units[top->unit], top->next++);

		if (dep == PLAN_NONE) {
			w->colour[top->unit] = BLACK;
			l->topo_place[top->unit] = w->done;
			l->topo[w->done++] = top->unit;
			w->depth--;
		} else if (w->colour[dep] == WHITE) {
			w->colour[dep] = GREY;
			w->stack[w->depth++] = (struct frame){ .unit = dep };
		} else if (w->colour[dep] == GREY) {
			found_grey(l, w, dep);
		}
	}
}

static int sort_units(struct plan_loader *l)
{
	uint32_t n = l->plan->unit_count, i;
	struct walk w = { 0 };
	int rc = 0;

	l->topo = malloc((n + 1) * sizeof(uint32_t));
	l->topo_place = malloc((n + 1) * sizeof(uint32_t));
	w.stack = malloc((n + 1) * sizeof(*w.stack));
	w.colour = calloc(n + 1, 1);
	w.told = calloc(n + 1, 1);
	if (!l->topo || !l->topo_place || !w.stack || !w.colour || !w.told)
		rc = plan_no_memory(l);
	for (i = 0; rc == 0 && i < n; i++) {
		if (w.colour[i] == WHITE)
			walk_from(l, &w, i);
	}
	free(w.stack);
	free(w.colour);
	free(w.told);
	return rc;
}

/* Items of templates that take another's: in order, so that the other has its own by then. */
static void inherit_items(struct plan_loader *l)
{
	uint32_t i;

	for (i = 0; i < l->plan->unit_count && l->same_as.count; i++) {
		struct plan_for_each *f = (struct plan_for_each *)(uintptr_t)l->plan->units[l->topo[i]].for_each;

		if (!f || f->same_as == PLAN_NONE)
			continue;
		f->count = l->plan->units[f->same_as].for_each->count;
		f->items = l->plan->units[f->same_as].for_each->items;
	}
}

int plan_resolve(struct plan_loader *l)
{
	uint32_t i, own = l->plan->unit_count;

	for (i = 0; i < own; i++) {
		if (resolve_unit(l, i))
			return -1;
	}
	for (i = 0; i < l->same_as.count; i++)
		resolve_same_as(l, PLAN_VEC_AT(&l->same_as, uint32_t, i));
	if (sort_units(l))
		return -1;
	inherit_items(l);
	return 0;
}
