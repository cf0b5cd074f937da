/* place.c - which ready unit goes to which node
 *
 * One unit after another, from the head of the three heaps of ready.c, until nothing is left that has room. A shape that no node
 * has room for is parked until capacity is freed; so is a class at its lock or agent, a unit at a path.
 *
 * A node has room for a unit if its slots are free, or, for a class that needs nothing but slots, if it may be sent ahead
 * (estimate.c). While a better unit of the run waits for room, nothing is sent ahead of it: it would never see a free slot.
 * What has found no room on any node is looked at only on nodes freed since (full_since, coord_capacity_freed()); the rest of the cluster
 * has not changed. So placing costs the same on one node and on a thousand.
 *
 * A wide shape that has been bypassed COORD_BYPASS_MAX times reserves a node: others that need slots keep off it.
 */
#include "common/plant.h"
#include "coordinator/core/state.h"

#define AVOID_LOOKS 8u /* units of a class tried on nodes when its first must not go to those that have room */
#define AGENT_LOOKS 64u /* that wait for their agent, passed over */

struct wish {
	struct coord_run *r;
	uint32_t shape, class, unit;
	const struct coord_shape *sh; /* that of the class, or: */
	struct coord_shape *other;    /* of a unit that another agent runs; room for it */
	const struct coord_class *cl;
	bool ahead;  /* may be sent ahead */
	bool kept_off; /* some unit looked at has to keep off a node, or waits for its agent */
	bool at_agent;     /* some unit looked at waits for its agent: */
	uint32_t agent;    /* this one; COORD_NONE: not all for the same */
	bool no_room;      /* for some unit looked at, */
	bool able;         /* which some node could take: no such unit, or it could */
};

static bool lacks_workspace(const struct coord_run *r, uint32_t node)
{
	return r->no_workspace[node / 64] >> (node % 64) & 1;
}

static bool reserved_for_other(const struct coord *c, const struct coord_node *n, const struct wish *w)
{
	if (n->reserved_run == COORD_NONE || !w->sh->slots)
		return false;
	return n->reserved_run != coord_run_slot(c, w->r) || n->reserved_shape != w->shape;
}

/* Has the node room now? */
static bool has_room(const struct coord *c, uint32_t node, const struct wish *w)
{
	const struct coord_node *n = &c->nodes[node];
	uint64_t places = w->sh->slots ? n->slots : n->agent_slots, ahead;

	if (!coord_node_usable(n) || n->full_until_us > c->now_us || reserved_for_other(c, n, w) || lacks_workspace(w->r, node))
		return false;
	if (n->health != COORD_H_GOOD && n->attempt_count)
		return false;
	if (!coord_node_fits(n, w->r->g, w->sh) || !coord_node_resources_free(n, w->r->g, w->sh, false))
		return false;
	if (n->slots_used + w->sh->slots <= n->slots && n->agent_used + w->sh->agent_slots <= n->agent_slots)
		return true;
	if (!w->ahead || n->health != COORD_H_GOOD)
		return false;
	ahead = rv_min_u64(places * coord_estimate_ahead(c, n->rtt_us, w->r, w->cl, w->unit), RV_PREFETCH_MAX - n->behind_count);
	return n->slots_used + w->sh->slots <= n->slots + ahead && n->agent_used + w->sh->agent_slots <= n->agent_slots + ahead;
}

static bool busier(const struct coord_node *a, const struct coord_node *b, const struct coord_shape *sh)
{
	if (sh->slots)
		return a->slots_used * b->slots > b->slots_used * a->slots;
	return a->agent_used * b->agent_slots > b->agent_used * a->agent_slots;
}

struct search {
	const struct coord *c;
	const struct wish *w;
	uint32_t avoid;
};

static bool may_go(const void *arg, uint32_t node)
{
	const struct search *s = arg;

	return node != s->avoid && has_room(s->c, node, s->w);
}

/* No node this busy or busier (in millionths) has room: all its places are taken, and what may be sent ahead of them. */
static uint64_t too_busy(const struct coord *c, const struct wish *w)
{
	uint64_t ahead = w->ahead ? coord_estimate_ahead(c, c->rtt_most_us, w->r, w->cl, w->unit) : 0;

	return w->sh->slots || w->sh->agent_slots ? (1 + ahead) * 1000000 : UINT64_MAX;
}

static bool found_full(const struct coord *c, const struct wish *w)
{
	return w->sh->full_since == c->placing && (!w->ahead || (w->sh->full_ahead && w->sh->full_class == w->class));
}

/* Least busy: mostly the first of the heap. What is known to have found no room anywhere finds it only on nodes freed since. */
static uint32_t pick_least_busy(const struct coord *c, const struct wish *w, uint32_t avoid)
{
	const struct rv_heap *h = w->sh->slots ? &c->busy_slots : &c->busy_agents;
	const struct rv_heap_item *first = rv_heap_first(h);
	struct search s = { c, w, avoid };
	uint32_t best = COORD_NONE;

	if (!first)
		return COORD_NONE;
	if (may_go(&s, first->value))
		return first->value;
	if (c->node_count == 1)
		return COORD_NONE;
	if (!found_full(c, w)) {
		first = rv_heap_least(h, too_busy(c, w), may_go, &s);
		return first ? first->value : COORD_NONE;
	}
	for (uint32_t k = 0; k < c->freed_count; k++) {
		uint32_t i = c->freed[k];

		if (rv_heap_has(h, i) && may_go(&s, i) && (best == COORD_NONE || rv_heap_before(h, i, best)))
			best = i;
	}
	return best;
}

/* The nodes to look at, one by one, for the other rules: of all, or of those freed. */
static uint32_t look_count(const struct coord *c, const struct wish *w)
{
	return found_full(c, w) ? c->freed_count : c->node_count;
}

static uint32_t look_at(const struct coord *c, const struct wish *w, uint32_t k)
{
	return found_full(c, w) ? c->freed[k] : k;
}

static uint32_t pick_pack(const struct coord *c, const struct wish *w, uint32_t avoid)
{
	struct search s = { c, w, avoid };
	uint32_t best = COORD_NONE;

	for (uint32_t k = 0; k < look_count(c, w); k++) {
		uint32_t i = look_at(c, w, k);

		if (may_go(&s, i) && (best == COORD_NONE || busier(&c->nodes[i], &c->nodes[best], w->sh) ||
				      (i < best && !busier(&c->nodes[best], &c->nodes[i], w->sh))))
			best = i;
	}
	return best;
}

/* How far a node is behind the one that was served last. */
static uint32_t behind(const struct coord *c, const struct wish *w, uint32_t node)
{
	return (node + c->node_count - w->r->robin % c->node_count - 1) % c->node_count;
}

static uint32_t pick_round_robin(const struct coord *c, const struct wish *w, uint32_t avoid)
{
	struct search s = { c, w, avoid };
	uint32_t best = COORD_NONE;

	if (!found_full(c, w)) {
		for (uint32_t k = 1; k <= c->node_count && best == COORD_NONE; k++)
			if (may_go(&s, (w->r->robin + k) % c->node_count))
				best = (w->r->robin + k) % c->node_count;
	} else {
		for (uint32_t k = 0; k < c->freed_count; k++)
			if (may_go(&s, c->freed[k]) && (best == COORD_NONE || behind(c, w, c->freed[k]) < behind(c, w, best)))
				best = c->freed[k];
	}
	if (best != COORD_NONE)
		w->r->robin = best;
	return best;
}

static uint32_t pick_by_rule(const struct coord *c, const struct wish *w, uint32_t avoid)
{
	switch (w->r->g->placement) {
	case PLAN_PACK:
		return pick_pack(c, w, avoid);
	case PLAN_ROUND_ROBIN:
		return pick_round_robin(c, w, avoid);
	default:
		return pick_least_busy(c, w, avoid);
	}
}

/* Nothing is sent ahead to one node while another has a place free: it would only be stolen back, over and over. */
static uint32_t pick(const struct coord *c, const struct wish *w, uint32_t avoid)
{
	struct wish now = *w;
	uint32_t node;

	if (w->ahead && w->r->g->placement != PLAN_LEAST_BUSY) {
		now.ahead = false;
		node = pick_by_rule(c, &now, avoid);
		if (node != COORD_NONE)
			return node;
	}
	return pick_by_rule(c, w, avoid);
}

static bool eligible(const struct coord *c, const struct wish *w, uint32_t node)
{
	return coord_node_usable(&c->nodes[node]) && !lacks_workspace(w->r, node) && coord_node_fits(&c->nodes[node], w->r->g, w->sh);
}

static bool eligible_elsewhere(const struct coord *c, const struct wish *w, uint32_t avoid)
{
	struct coord_shape *sh = &w->r->g->shapes[w->shape];

	if (sh->able != COORD_NONE && sh->able != avoid && eligible(c, w, sh->able))
		return true; /* mostly it still is */
	for (uint32_t i = 0; i < c->node_count; i++) {
		if (i != avoid && eligible(c, w, i)) {
			sh->able = i;
			return true;
		}
	}
	return false;
}

/* The node for this unit: not the one it failed on, while another is eligible. */
static uint32_t node_for(const struct coord *c, const struct wish *w)
{
	const struct coord_unit *u = coord_unit_at(w->r, w->unit);
	uint32_t avoid = u->flags & COORD_U_AVOID ? u->node : COORD_NONE;

	if (avoid != COORD_NONE && !eligible_elsewhere(c, w, avoid))
		avoid = COORD_NONE;
	return pick(c, w, avoid);
}

/* --- what waits --- */

/* Does a better unit of this run wait for room that it could have? */
static bool better_waits(const struct coord_run *r, uint64_t rank)
{
	uint32_t left = r->parked_shapes;

	for (uint32_t s = 0; s < r->g->shape_count && left; s++) {
		const struct coord_shape *sh = &r->g->shapes[s];
		const struct rv_heap_item *first;

		if (!sh->parked)
			continue;
		left--;
		first = rv_heap_first(&sh->ready);
		if (!sh->hopeless && first && first->key < rank)
			return true;
	}
	return false;
}

static void reserve(struct coord *c, const struct wish *w)
{
	struct coord_run *r = w->r;
	struct coord_shape *sh = &r->g->shapes[w->shape];
	uint32_t best = COORD_NONE;

	for (uint32_t i = 0; i < c->node_count; i++) {
		const struct coord_node *n = &c->nodes[i];

		if (eligible(c, w, i) && n->reserved_run == COORD_NONE &&
		    (best == COORD_NONE || busier(&c->nodes[best], n, sh)))
			best = i;
	}
	if (best == COORD_NONE)
		return;
	sh->reserved = best;
	r->reservations++;
	c->nodes[best].reserved_run = coord_run_slot(c, r);
	c->nodes[best].reserved_shape = w->shape;
}

void coord_place_unreserve(struct coord *c, struct coord_run *r, uint32_t shape)
{
	struct coord_shape *sh = &r->g->shapes[shape];

	if (sh->reserved == COORD_NONE)
		return;
	c->nodes[sh->reserved].reserved_run = c->nodes[sh->reserved].reserved_shape = COORD_NONE;
	coord_capacity_freed(c, sh->reserved);
	sh->reserved = COORD_NONE;
	r->reservations--;
}

void coord_place_unreserve_all(struct coord *c, struct coord_run *r)
{
	for (uint32_t s = 0; s < r->g->shape_count && r->reservations; s++)
		coord_place_unreserve(c, r, s);
}

/* May the shape still be placed on the node that is kept free for it? It may have gone, or be drained. */
static bool is_kept_in_vain(const struct coord *c, const struct wish *w)
{
	return !eligible(c, w, w->r->g->shapes[w->shape].reserved);
}

static void park(struct coord *c, const struct wish *w)
{
	struct coord_shape *sh = &w->r->g->shapes[w->shape];

	if (sh->reserved != COORD_NONE && is_kept_in_vain(c, w))
		coord_place_unreserve(c, w->r, w->shape);
	sh->full_known = !w->kept_off;
	sh->full_ahead = w->ahead;
	sh->full_class = w->class;
	coord_ready_park_shape(c, w->r, w->shape);
	sh->hopeless = !w->able;
	if (sh->reserved == COORD_NONE && sh->slots > 1 && !sh->hopeless && c->placements - sh->waits_since >= COORD_BYPASS_MAX)
		reserve(c, w);
}

static bool agent_full(const struct coord_run *r, uint32_t agent)
{
	const struct coord_agent *ag = &r->g->agents[agent];

	return ag->max_concurrent && ag->running >= ag->max_concurrent;
}

/* The list of those that wait for the agent; COORD_NONE: for whichever has a place first. */
static uint32_t *waiting_at(struct coord_run *r, uint32_t agent)
{
	return agent == COORD_NONE ? &r->g->waiting_any : &r->g->agents[agent].waiting;
}

static void park_at_agent(struct coord *c, const struct wish *w)
{
	struct coord_class *cl = &w->r->g->classes[w->class];
	uint32_t *waiting = waiting_at(w->r, w->agent);

	cl->block = COORD_CLASS_AT_AGENT;
	cl->at_agent = w->agent;
	cl->next_waiting = *waiting;
	*waiting = w->class;
	coord_ready_update(c, w->r, w->class);
}

static bool unlink_waiting(struct coord_run *r, uint32_t *first, uint32_t class)
{
	struct coord_class *classes = r->g->classes;

	if (*first == class) {
		*first = (uint32_t)classes[class].next_waiting;
		return true;
	}
	for (uint32_t at = *first; at != COORD_NONE; at = (uint32_t)classes[at].next_waiting) {
		if ((uint32_t)classes[at].next_waiting != class)
			continue;
		classes[at].next_waiting = classes[class].next_waiting;
		return true;
	}
	return false;
}

void coord_place_unpark_class(struct coord *c, struct coord_run *r, uint32_t class)
{
	const struct coord_class *cl = &r->g->classes[class];

	if (r->g->shapes[cl->shape].parked)
		c->capacity_freed = true; /* on no node: what is known of the others that are parked stays so */
	if (cl->block != COORD_CLASS_AT_AGENT)
		return;
	rv_check(unlink_waiting(r, waiting_at(r, cl->at_agent), class));
	coord_ready_unpark_class(c, r, class);
}

/* Those of its class may wait for another agent than it does: then both have to wake them. */
void coord_place_came(struct coord *c, struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_class *cl = coord_unit_class(r, u);
	uint32_t agent = coord_budget_agent(r, unit);
	bool waits = cl->block == COORD_CLASS_AT_AGENT && (cl->at_agent == agent || cl->at_agent == COORD_NONE) && agent_full(r, agent);

	if (!waits && (agent != cl->agent || cl->block == COORD_CLASS_AT_AGENT))
		coord_place_unpark_class(c, r, u->place_class);
}

/* --- placing --- */

/* Nothing of it may start any more: it ends in place of starting. */
static void end_for_budget(struct coord *c, const struct coord_run *r, uint32_t unit, enum proto_reason reason)
{
	struct proto_fact f = { .kind = PROTO_FACT_ENDED };

	f.ended.key = (struct proto_attempt_key){ r->id, unit, 0 };
	f.ended.node = coord_unit_at(r, unit)->node;
	f.ended.state = PROTO_END_FAILED;
	f.ended.result.key = f.ended.key;
	f.ended.result.outcome = PROTO_FAILED;
	f.ended.result.class = PROTO_CLASS_BUDGET;
	f.ended.result.reason = reason;
	f.ended.result.exit = -1;
	f.ended.result.error = reason == PROTO_REASON_BUDGET_AGENT ? RV_STR("the limits of its agent in this run are used up")
								  : RV_STR("its limit of tokens or cost is used up");
	coord_decide(c, &f, NULL);
}

static void assign(struct coord *c, const struct wish *w, uint32_t node)
{
	const struct coord_unit *u = coord_unit_at(w->r, w->unit);
	struct proto_fact *f = coord_fact_new(c, PROTO_FACT_ASSIGNED);

	f->assigned.key = (struct proto_attempt_key){ w->r->id, w->unit, (RV_PLANT(TRY_AS_ATTEMPT) ? u->tries : u->attempt) + 1 };
	f->assigned.node = node;
	f->assigned.after = (struct proto_after){ 0 };
	coord_decide_new(c, f);
	coord_attempt_dispatch(c, u->slot);
	coord_behind_lead(c, u->slot);
	c->placements++;
	w->r->g->shapes[w->shape].waits_since = UINT64_MAX;
	coord_place_unreserve(c, w->r, w->shape);
}

/* The agent of its next attempt, another one than its class's perhaps, is full. What may not start any more waits for nobody. */
static bool waits_for_agent(struct wish *w)
{
	uint32_t agent = w->r->g->meters ? coord_budget_agent(w->r, w->unit) : w->cl->agent;

	if (agent == COORD_NONE || !agent_full(w->r, agent) || (w->r->g->meters && coord_budget_refuses(w->r, w->unit) != PROTO_REASON_NONE))
		return false;
	w->agent = w->at_agent && w->agent != agent ? COORD_NONE : agent;
	w->at_agent = true;
	return true;
}

/* The unit that goes now, of the class's first few, and where: only one that has to keep off a node, or is another agent's, or waits for its
 * agent, lets others pass. */
static uint32_t choose(const struct coord *c, struct wish *w)
{
	uint32_t tried = 0, local = w->cl->first;

	for (uint32_t i = 0; i < AGENT_LOOKS && tried < AVOID_LOOKS && local != RV_RANK_NONE; i++, local = rv_rankset_next(&w->cl->ready, local)) {
		uint32_t node;

		w->unit = w->cl->order[local].unit;
		if (!waits_for_agent(w)) {
			w->sh = coord_budget_shape(w->r, w->unit, w->other) ? w->other : &w->r->g->shapes[w->shape];
			node = node_for(c, w);
			if (node != COORD_NONE)
				return node;
			w->no_room = true;
			w->able |= eligible_elsewhere(c, w, COORD_NONE);
			if (w->sh != w->other && !(coord_unit_at(w->r, w->unit)->flags & COORD_U_AVOID))
				break;
			tried++;
		}
		w->kept_off = true;
	}
	return COORD_NONE;
}

/* There is room, and something else it needs is not free: it must not keep a node from those who would free that, or who have been
 * woken in its stead and are to be tried first. False: out of room for what follows. */
static bool place_first(struct coord *c, struct coord_run *r)
{
	const struct rv_heap_item *first = rv_heap_first(&r->g->ready);
	struct coord_shape other;
	struct wish w = { .r = r, .shape = first->value, .sh = &r->g->shapes[first->value], .other = &other };
	enum proto_reason used_up;
	uint32_t node;

	w.class = w.sh->class_first + rv_heap_first(&w.sh->ready)->value;
	w.cl = &r->g->classes[w.class];
	w.ahead = w.cl->prefetch && !(r->parked_shapes && better_waits(r, first->key));
	node = choose(c, &w);
	if (node == COORD_NONE && w.at_agent && !w.no_room) {
		park_at_agent(c, &w);
		coord_place_unreserve(c, r, w.shape);
		return true;
	}
	if (node == COORD_NONE) {
		park(c, &w);
		return true;
	}
	if (r->g->meters && (used_up = coord_budget_refuses(r, w.unit)) != PROTO_REASON_NONE) {
		end_for_budget(c, r, w.unit, used_up);
		return coord_follow(c);
	}
	if (w.cl->lock_count && !coord_locks_free(c, r, w.class, true)) {
		coord_place_unreserve(c, r, w.shape);
		return true;
	}
	if (w.cl->dirs && !coord_dirs_free(c, r, w.unit, true)) {
		if (coord_unit_at(r, w.unit)->flags & COORD_U_DIR_WAIT) {
			coord_place_unreserve(c, r, w.shape);
		} else {
			w.kept_off = w.able = true; /* there is a node, but no room to note its paths */
			park(c, &w);
		}
		return true;
	}
	assign(c, &w, node);
	return true;
}

/* Everything has been tried: what is parked now found no room on any node. If something was freed and cannot be tried yet, it is
 * forgotten where, and all are looked at. */
static void placing_done(struct coord *c)
{
	for (uint32_t k = 0; k < c->freed_count; k++)
		c->nodes[c->freed[k]].freed = false;
	c->freed_count = 0;
	c->freed_anywhere = c->capacity_freed;
	c->placing++;
}

bool coord_place(struct coord *c)
{
	const struct rv_heap_item *first;

	do {
		if (c->capacity_freed) {
			c->capacity_freed = false;
			coord_ready_unpark_shapes(c);
		}
		while ((first = rv_heap_first(&c->run_heap)) && coord_attempt_room(c)) {
			if (!coord_room(c, 6))
				return false;
			if (!place_first(c, &c->runs[first->value]))
				return false;
		}
	} while (c->capacity_freed && coord_attempt_room(c)); /* a node that was kept free is not any more */
	placing_done(c);
	return true;
}

bool coord_place_parked_rightly(const struct coord *c, const struct coord_run *r)
{
	for (uint32_t s = 0; s < r->g->shape_count && !c->capacity_freed; s++) {
		const struct coord_shape *sh = &r->g->shapes[s];
		const struct rv_heap_item *first = rv_heap_first(&sh->ready);
		struct wish w = { .r = (struct coord_run *)r, .shape = s, .sh = sh };
		struct coord_shape other;

		if (!sh->parked || !sh->full_known || !first)
			continue;
		w.class = sh->class_first + first->value;
		w.cl = &r->g->classes[w.class];
		w.unit = w.cl->order[w.cl->first].unit;
		if (coord_unit_at(r, w.unit)->flags & COORD_U_AVOID || coord_budget_shape(r, w.unit, &other))
			continue;
		for (uint32_t i = 0; i < c->node_count; i++)
			if (!c->nodes[i].full_until_us && has_room(c, i, &w))
				return false;
	}
	return true;
}
