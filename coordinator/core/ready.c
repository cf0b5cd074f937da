/* ready.c - queues of what may be placed, three heaps deep
 *
 *	core: runs by priority, then by what they use  -->  run: shapes by the rank of their best unit
 *	  -->  shape: classes by the rank of their first unit  -->  class: a set of ranks
 *
 * A shape that no node has room for, and a class whose lock or agent is taken, leave their heap until something is freed, so that
 * what cannot be placed costs nothing.
 */
#include "coordinator/core/state.h"

static uint32_t class_head_rank(const struct coord_run *r, const struct coord_class *cl)
{
	const struct coord_place *p;

	if (cl->first == RV_RANK_NONE)
		return UINT32_MAX;
	p = &cl->order[cl->first];
	__builtin_prefetch(&r->g->units[p->unit]); /* it is placed soon */
	return p->rank;
}

void coord_ready_update_run(struct coord *c, struct coord_run *r)
{
	uint32_t slot = coord_run_slot(c, r);
	bool full = r->max_workers && r->active >= r->max_workers;

	if (r->paused || r->stop)
		coord_place_unreserve_all(c, r); /* others may have what it will not ask for */
	if (r->paused || r->stop || full || !rv_heap_first(&r->g->ready)) {
		rv_heap_remove(&c->run_heap, slot);
		return;
	}
	rv_heap_set(&c->run_heap, slot, (uint64_t)((int64_t)INT32_MAX - r->priority) << 32 | (uint32_t)rv_min_u64(r->usage, UINT32_MAX),
		    r->order);
}

static void update_shape(struct coord *c, struct coord_run *r, uint32_t shape)
{
	struct coord_shape *sh = &r->g->shapes[shape];
	const struct rv_heap_item *first = rv_heap_first(&sh->ready);

	if (!first)
		coord_place_unreserve(c, r, shape);
	if (sh->parked || !first)
		rv_heap_remove(&r->g->ready, shape);
	else
		rv_heap_set(&r->g->ready, shape, first->key, shape);
	coord_ready_update_run(c, r);
}

void coord_ready_update(struct coord *c, struct coord_run *r, uint32_t class)
{
	struct coord_class *cl = &r->g->classes[class];
	struct coord_shape *sh = &r->g->shapes[cl->shape];
	uint32_t rank = class_head_rank(r, cl);

	if (cl->block || rank == UINT32_MAX)
		rv_heap_remove(&sh->ready, class - sh->class_first);
	else
		rv_heap_set(&sh->ready, class - sh->class_first, (uint64_t)((int64_t)INT32_MAX - cl->priority) << 32 | rank, class);
	update_shape(c, r, cl->shape);
}

void coord_ready_add(struct coord *c, struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_class *cl = coord_unit_class(r, u);

	rv_rankset_add(&cl->ready, u->local);
	if (r->g->meters)
		coord_place_came(c, r, unit);
	if (u->local >= cl->first) /* RV_RANK_NONE is the greatest */
		return;
	cl->first = u->local;
	coord_ready_update(c, r, u->place_class);
}

void coord_ready_remove(struct coord *c, struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_class *cl = coord_unit_class(r, u);

	rv_rankset_remove(&cl->ready, u->local);
	if (u->local != cl->first)
		return;
	cl->first = rv_rankset_next(&cl->ready, u->local);
	coord_ready_update(c, r, u->place_class);
}

void coord_ready_unpark_class(struct coord *c, struct coord_run *r, uint32_t class)
{
	r->g->classes[class].block = COORD_CLASS_FREE;
	coord_ready_update(c, r, class);
}

void coord_ready_park_shape(struct coord *c, struct coord_run *r, uint32_t shape)
{
	struct coord_shape *sh = &r->g->shapes[shape];

	rv_check(!sh->parked);
	sh->parked = true;
	r->parked_shapes++;
	c->parked_shapes++;
	if (sh->waits_since == UINT64_MAX)
		sh->waits_since = c->placements;
	update_shape(c, r, shape);
}

void coord_ready_unpark_shapes(struct coord *c)
{
	for (uint32_t i = 0; i < c->run_count && c->parked_shapes; i++) {
		struct coord_run *r = &c->runs[c->run_order[i]];

		for (uint32_t s = 0; s < r->g->shape_count && r->parked_shapes; s++) {
			if (!r->g->shapes[s].parked)
				continue;
			r->g->shapes[s].parked = false;
			r->g->shapes[s].full_since = r->g->shapes[s].full_known && !c->freed_anywhere ? c->placing : 0;
			r->parked_shapes--;
			c->parked_shapes--;
			update_shape(c, r, s);
		}
	}
}
