/* waits.c - what the ready units of a run wait for, class by class (explain.h)
 *
 * What no node can give comes first, since no waiting mends it; then nodes that are not here, then what other units hold.
 */
#include "coordinator/core/explain.h"
#include "coordinator/core/needs.h"

static bool ready_units(const struct coord_run *r, const struct coord_class *cl, struct coord_wait *out)
{
	for (uint32_t i = 0; i < cl->unit_count; i++) {
		uint32_t unit = cl->order[i].unit;

		if (coord_unit_at(r, unit)->state != COORD_UNIT_READY)
			continue;
		if (!out->units++)
			out->unit = unit;
	}
	return out->units;
}

/* Is there a node for them at all? */
static enum coord_wait_why nodes_for(const struct coord *c, const struct coord_run *r, const struct coord_shape *sh, struct coord_wait *out)
{
	struct coord_needs_text lacking = { .bytes = 0 }, unmet = { .bytes = 0 };
	bool any = false, able = false, room = false;

	for (uint32_t i = 0; i < c->node_count; i++) {
		const struct coord_node *n = &c->nodes[i];

		if (n->removed)
			continue;
		any = true;
		lacking.bytes = 0;
		lacking.cut = false;
		coord_needs_lacking(c, r, sh, i, &lacking);
		if (lacking.bytes)
			continue;
		able = true;
		if (out->node == COORD_NONE)
			out->node = i;
		if (n->state != COORD_N_JOINED || n->draining || n->health == COORD_H_QUARANTINED)
			continue;
		out->node = i;
		if (coord_node_resources_free(n, r->g, sh, false) && n->slots_used + sh->slots <= n->slots &&
		    n->agent_used + sh->agent_slots <= n->agent_slots)
			return COORD_WAIT_PLACED;
		room = true;
	}
	if (!any)
		return COORD_WAIT_NO_NODE;
	if (room)
		return COORD_WAIT_ROOM;
	coord_needs_unmet(c, r, sh, &unmet);
	memcpy(out->lacks, unmet.at, unmet.bytes);
	out->lacks_bytes = unmet.bytes;
	return able ? COORD_WAIT_NOT_HERE : COORD_WAIT_NEVER;
}

/* What else has to be free; `else_why` where all of it is. */
static enum coord_wait_why others_hold(const struct coord *c, const struct coord_run *r, const struct coord_class *cl, enum coord_wait_why else_why,
				       struct coord_wait *out)
{
	uint32_t agent = r->g->meters ? coord_budget_agent(r, out->unit) : cl->agent;

	if (r->stop)
		return COORD_WAIT_STOPPED;
	if (r->paused)
		return COORD_WAIT_PAUSED;
	for (uint32_t i = 0; i < cl->lock_count; i++) {
		const struct coord_lock_name *name = &r->g->locks[r->g->class_locks[cl->lock_first + i]];

		if (c->locks[name->place].used < c->locks[name->place].capacity)
			continue;
		out->name = name->name;
		return COORD_WAIT_LOCK;
	}
	if (agent != COORD_NONE && r->g->agents[agent].max_concurrent && r->g->agents[agent].running >= r->g->agents[agent].max_concurrent) {
		out->name = r->g->agents[agent].name;
		return COORD_WAIT_AGENT;
	}
	if (r->max_workers && r->active >= r->max_workers)
		return COORD_WAIT_MAX_WORKERS;
	return else_why == COORD_WAIT_PLACED && cl->dirs ? COORD_WAIT_DIRECTORY : else_why;
}

uint32_t coord_wait_classes(const struct coord *c, uint64_t run)
{
	uint32_t slot = rv_intmap_get(&c->run_map, run);

	rv_check(slot != RV_MAP_NONE);
	return c->runs[slot].ended ? 0 : c->runs[slot].g->class_count;
}

bool coord_wait_of(const struct coord *c, uint64_t run, uint32_t class, struct coord_wait *out)
{
	uint32_t slot = rv_intmap_get(&c->run_map, run);
	const struct coord_run *r;
	const struct coord_class *cl;
	struct coord_shape sh;

	rv_check(slot != RV_MAP_NONE);
	r = &c->runs[slot];
	rv_check(class < r->g->class_count);
	cl = &r->g->classes[class];
	*out = (struct coord_wait){ .unit = COORD_NONE, .node = COORD_NONE, .name = RV_STR("") };
	if (!ready_units(r, cl, out))
		return false;
	if (!coord_budget_shape(r, out->unit, &sh))
		sh = r->g->shapes[cl->shape];
	out->why = nodes_for(c, r, &sh, out);
	if (out->why == COORD_WAIT_ROOM || out->why == COORD_WAIT_PLACED)
		out->why = others_hold(c, r, cl, out->why, out);
	return true;
}

const char *coord_wait_name(enum coord_wait_why why)
{
	static const char *const names[] = {
		[COORD_WAIT_PLACED] = "placed",		  [COORD_WAIT_NO_NODE] = "no_node",   [COORD_WAIT_NEVER] = "never",
		[COORD_WAIT_NOT_HERE] = "not_here",	  [COORD_WAIT_STOPPED] = "run_stopped", [COORD_WAIT_PAUSED] = "run_paused",
		[COORD_WAIT_LOCK] = "lock",		  [COORD_WAIT_AGENT] = "max_concurrent", [COORD_WAIT_MAX_WORKERS] = "max_workers",
		[COORD_WAIT_DIRECTORY] = "directory", [COORD_WAIT_ROOM] = "room",
	};

	return (unsigned)why < RV_ARRAY_LEN(names) ? names[why] : "?";
}
