/* instances.c - the units that for_each templates stand for: their ids, items and numbers */
#include "loader.h"

#include "common/id.h"
#include "common/limits.h"
#include "template.h"

#include <stdio.h>
#include <stdlib.h>

#define ID_BYTES_FILLED 65536u /* far more than an id may have: then it is none */

/* ---- asking ---- */

struct rv_str plan_instance_item(const struct plan_unit *u, uint32_t k, char *scratch)
{
	if (!u->for_each)
		return (struct rv_str){ 0 };
	if (u->for_each->items)
		return u->for_each->items[k];
	return rv_str(scratch, (size_t)snprintf(scratch, 24, "%u", k + 1));
}

/* The id by the template; -1: a key of the item is missing. */
static int filled_id(const struct plan_unit *u, uint32_t k, struct rv_buf *b)
{
	char number[24];
	struct plan_scope scope = { .item = plan_instance_item(u, k, number) };

	rv_buf_reset(b);
	return plan_template_fill(u->for_each->id_template, &scope, NULL, b, NULL);
}

size_t plan_instance_id(const struct plan_unit *u, uint32_t k, char *out)
{
	size_t n = u->id.bytes;
	struct rv_buf b;

	if (u->for_each && u->for_each->id_template.bytes) {
		rv_buf_init(&b, ID_BYTES_FILLED);
		n = filled_id(u, k, &b) || b.bytes > RV_UNIT_ID_BYTES_MAX ? 0 : b.bytes;
		memcpy(out, b.at, n);
		rv_buf_release(&b);
	} else if (u->for_each) {
		n = (size_t)snprintf(out, RV_UNIT_ID_BYTES_MAX + 1, "%.*s-%0*u", RV_STR_ARGS(u->id),
				     (int)u->for_each->digits, k + 1);
		if (n > RV_UNIT_ID_BYTES_MAX)
			n = RV_UNIT_ID_BYTES_MAX;
	} else {
		if (n > RV_UNIT_ID_BYTES_MAX)
			n = RV_UNIT_ID_BYTES_MAX;
		memcpy(out, u->id.at, n);
	}
	out[n] = '\0';
	return n;
}

uint64_t plan_unit_edges(const struct plan *p, const struct plan_unit *u)
{
	uint64_t edges = u->for_each && u->for_each->same_as != PLAN_NONE;
	uint32_t i;

	for (i = 0; i < u->dep_count; i++)
		edges += plan_unit_instances(&p->units[u->deps[i]]);
	return edges;
}

/* ---- checking ---- */

static uint32_t digits_of(uint32_t count)
{
	uint32_t digits = 1;

	while (count >= 10) {
		count /= 10;
		digits++;
	}
	return digits < 4 ? 4 : digits;
}

/* The numbered template whose unit is called this; PLAN_NONE. */
static uint32_t numbered(const struct plan_loader *l, struct rv_str id)
{
	size_t n = id.bytes, i;
	const struct plan_for_each *f;
	uint64_t k = 0;
	uint32_t unit;

	while (n && id.at[n - 1] >= '0' && id.at[n - 1] <= '9')
		n--;
	if (n < 2 || id.bytes - n < 4 || id.bytes - n > 7 || id.at[n - 1] != '-')
		return PLAN_NONE;
	unit = rv_strmap_get(&l->unit_names, rv_str(id.at, n - 1));
	if (unit == RV_MAP_NONE)
		return PLAN_NONE;
	f = l->plan->units[unit].for_each;
	for (i = n; i < id.bytes; i++)
		k = k * 10 + (uint64_t)(id.at[i] - '0');
	return f && !f->id_template.bytes && f->digits == id.bytes - n && k >= 1 && k <= f->count ? unit : PLAN_NONE;
}

static void tell_twice(struct plan_loader *l, uint32_t unit, struct rv_str id, uint32_t other)
{
	char q[PLAN_QUOTED];
	struct plan_diag *g;

	g = plan_error_unit(l, PLAN_E_ID_DUPLICATE, unit, RV_STR("id"), (struct rv_str){ 0 }, "two units are called %s",
			    plan_quote(id, q));
	plan_diag_hint(g, other == unit ? "two items give the same id (%s:%u)" : "the other comes from %s:%u",
		       l->diags->file, l->plan->units[other].pos.line);
}

static int check_named(struct plan_loader *l, uint32_t unit, struct rv_strmap *ids)
{
	const struct plan_unit *u = &l->plan->units[unit];
	uint32_t k, had, plain, before;
	char q[PLAN_QUOTED];
	struct rv_str id;
	struct rv_buf b;
	int rc = 0;

	rv_buf_init(&b, ID_BYTES_FILLED);
	for (k = 0; rc == 0 && k < u->for_each->count; k++) {
		if (filled_id(u, k, &b)) {
			if (b.failed && b.bytes < ID_BYTES_FILLED / 2) {
				rc = plan_no_memory(l);
				break;
			}
			plan_diag_hint(plan_error_unit(l, PLAN_E_TEMPLATE, unit, RV_STR("id"), (struct rv_str){ 0 },
						       "the id %s cannot be filled from item %u",
						       plan_quote(u->id, q), k + 1),
				       "an id knows {{item}} and {{item.key}}");
			break;
		}
		if (!rv_unit_id_valid(rv_buf_str(&b))) {
			plan_error_unit(l, PLAN_E_ID_FORMAT, unit, RV_STR("id"), (struct rv_str){ 0 },
					"item %u gives %s, which is no unit id", k + 1, plan_quote(rv_buf_str(&b), q));
			break;
		}
		id = rv_arena_str(&l->scratch, rv_buf_str(&b));
		before = ids->count;
		had = id.at ? rv_strmap_add(ids, id, unit) : RV_MAP_NONE;
		plain = rv_strmap_get(&l->unit_names, rv_buf_str(&b));
		if (had == RV_MAP_NONE) {
			rc = plan_no_memory(l);
		} else if (ids->count == before) {
			tell_twice(l, unit, id, had);
			break;
		} else if (plain != RV_MAP_NONE && !l->plan->units[plain].for_each) {
			tell_twice(l, unit, id, plain);
			break;
		} else if (numbered(l, id) != PLAN_NONE) {
			tell_twice(l, unit, id, numbered(l, id));
			break;
		}
	}
	rv_buf_release(&b);
	return rc;
}

static int check_ids(struct plan_loader *l)
{
	struct rv_strmap ids;
	char q[PLAN_QUOTED];
	uint32_t i;
	int rc = 0;

	rv_strmap_init(&ids, l->seed);
	for (i = 0; rc == 0 && i < l->plan->unit_count; i++) {
		const struct plan_unit *u = &l->plan->units[i];

		if (!u->for_each && numbered(l, u->id) != PLAN_NONE)
			tell_twice(l, i, u->id, numbered(l, u->id));
		else if (u->for_each && u->for_each->id_template.bytes)
			rc = check_named(l, i, &ids);
		else if (u->for_each && u->id.bytes + 1 + u->for_each->digits > RV_UNIT_ID_BYTES_MAX)
			plan_error_unit(l, PLAN_E_ID_FORMAT, i, RV_STR("id"), (struct rv_str){ 0 },
					"the units of %s would have ids longer than %u", plan_quote(u->id, q),
					RV_UNIT_ID_BYTES_MAX);
	}
	rv_strmap_release(&ids);
	return rc;
}

int plan_check_instances(struct plan_loader *l)
{
	struct plan *p = l->plan;
	bool templates = false;
	uint32_t i;

	for (i = 0; i < p->unit_count; i++) {
		const struct plan_unit *u = &p->units[i];

		if (u->for_each) {
			((struct plan_for_each *)(uintptr_t)u->for_each)->digits = digits_of(u->for_each->count);
			templates = true;
		}
		p->instance_count += plan_unit_instances(u);
		p->edge_count += plan_unit_instances(u) * plan_unit_edges(p, u);
		if (p->instance_count > RV_UNITS_MAX) {
			plan_error_unit(l, PLAN_E_LIMIT, i, RV_STR("for_each"), (struct rv_str){ 0 },
					"with this one the plan has more than %u units", RV_UNITS_MAX);
			return 0;
		}
		if (p->edge_count > RV_EDGES_MAX) {
			plan_diag_hint(plan_error_unit(l, PLAN_E_LIMIT, i, RV_STR("depends_on"), (struct rv_str){ 0 },
						       "with this one the plan has more than %u dependencies",
						       RV_EDGES_MAX),
				       "a template that depends on a template joins each unit with each; same_as pairs them; "
				       "a noop unit between two groups joins them cheaply");
			return 0;
		}
	}
	return templates ? check_ids(l) : 0;
}
