#include "coordinator/core/explain.h"

#include "coordinator/core/needs.h"

struct question {
	const struct coord *c;
	const struct coord_run *r;
	uint32_t unit;
	const struct coord_unit *u;
	struct coord_shape sh; /* what its next attempt asks of a node */
	void (*each)(void *arg, const struct coord_obstacle *o);
	void *arg;
	uint32_t told;
};

static struct coord_obstacle obstacle(enum coord_obstacle_kind kind)
{
	return (struct coord_obstacle){ .kind = kind, .node = COORD_NONE, .other = COORD_NONE, .root_cause = COORD_NONE, .name = RV_STR(""), .lacks = RV_STR("") };
}

static void tell(struct question *q, const struct coord_obstacle *o)
{
	q->told++;
	q->each(q->arg, o);
}

/* --- the run, and what comes before the unit ----------------------------------------------------------------------------------- */

static void explain_run(struct question *q)
{
	struct coord_obstacle o = obstacle(COORD_O_RUN_PAUSED);

	if (q->r->ended || q->r->stop) {
		o.kind = q->r->ended ? COORD_O_RUN_ENDED : COORD_O_RUN_STOPPED;
		o.reason = (enum proto_reason)(q->r->ended ? q->r->reason : q->r->stop);
		tell(q, &o);
	} else if (q->r->paused) {
		tell(q, &o);
	}
}

static void explain_dependencies(struct question *q)
{
	const struct coord_graph *g = q->r->g;
	uint32_t count, open = 0;
	struct coord_obstacle o;

	if (coord_unit_is_verify(q->r, q->unit)) { /* it waits for every unit */
		o = obstacle(COORD_O_DEPENDENCIES);
		for (uint32_t i = 0; i < g->unit_count; i++)
			o.amount += !coord_state_ended(g->units[i].state);
		if (o.amount)
			tell(q, &o);
		return;
	}
	count = coord_graph_dep_count(g, q->unit);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t dep = coord_graph_dep(g, q->unit, i);
		uint8_t state = g->units[dep].state;

		/* one that failed blocks by the trigger rule, which has ended the unit already where it does */
		if (coord_state_ended(state))
			continue;
		if (open++ >= COORD_O_DEPENDENCIES_MAX)
			continue;
		o = obstacle(COORD_O_DEPENDENCY);
		o.other = dep;
		o.other_run = q->r->id;
		o.state = (enum coord_unit_state)state;
		tell(q, &o);
	}
	if (open > COORD_O_DEPENDENCIES_MAX) {
		o = obstacle(COORD_O_DEPENDENCIES);
		o.amount = open - COORD_O_DEPENDENCIES_MAX;
		tell(q, &o);
	}
}

static void explain_wait(struct question *q)
{
	const struct rv_heap *h = &q->r->g->unit_timers;
	struct coord_obstacle o = obstacle(COORD_O_RETRY_WAIT);

	for (uint32_t i = 0; q->r->g->timers && i < h->count; i++)
		if (h->items[i].value == q->unit)
			o.amount = rv_sat_sub(h->items[i].key, q->c->now_us);
	tell(q, &o);
}

/* --- what the unit needs beside a node ------------------------------------------------------------------------------------------- */

static void explain_limits(struct question *q)
{
	uint32_t agent = coord_budget_agent(q->r, q->unit);
	struct coord_obstacle o = obstacle(COORD_O_MAX_WORKERS);

	if (q->r->max_workers && q->r->active >= q->r->max_workers) {
		o.limit = q->r->max_workers;
		o.used = q->r->active;
		tell(q, &o);
	}
	if (agent != COORD_NONE) {
		const struct coord_agent *ag = &q->r->g->agents[agent];

		o = obstacle(COORD_O_AGENT_LIMIT);
		o.name = ag->name;
		o.limit = ag->max_concurrent;
		o.used = ag->running;
		if (ag->max_concurrent && ag->running >= ag->max_concurrent)
			tell(q, &o);
	}
}

/* Running units for which `holds`: each is told of, at most COORD_O_HOLDERS_MAX. false: there is none. */
static bool tell_holders(struct question *q, bool (*holds)(const struct question *q, const struct coord_run *r, uint32_t unit, const void *what),
			 const void *what, struct coord_obstacle *o)
{
	const struct coord *c = q->c;
	uint32_t found = 0;

	for (uint32_t i = 0; i < c->run_count; i++) {
		const struct coord_run *r = &c->runs[c->run_order[i]];

		for (uint32_t a = r->attempts.first; a != COORD_NONE && found < COORD_O_HOLDERS_MAX; a = c->attempts[a].run_next) {
			if (!holds(q, r, c->attempts[a].unit, what))
				continue;
			o->other = c->attempts[a].unit;
			o->other_run = r->id;
			o->node = c->attempts[a].node;
			tell(q, o);
			found++;
		}
	}
	return found;
}

static bool holds_lock(const struct question *q, const struct coord_run *r, uint32_t unit, const void *what)
{
	const struct coord_class *cl = coord_unit_class(r, coord_unit_at(r, unit));
	uint32_t place = *(const uint32_t *)what;

	(void)q;
	for (uint32_t i = 0; i < cl->lock_count; i++)
		if (r->g->locks[r->g->class_locks[cl->lock_first + i]].place == place)
			return true;
	return false;
}

static void explain_locks(struct question *q)
{
	const struct coord_class *cl = coord_unit_class(q->r, q->u);

	for (uint32_t i = 0; i < cl->lock_count; i++) {
		const struct coord_lock_name *name = &q->r->g->locks[q->r->g->class_locks[cl->lock_first + i]];
		const struct coord_lock *l = &q->c->locks[name->place];
		struct coord_obstacle o = obstacle(COORD_O_LOCK);

		if (l->used < l->capacity)
			continue;
		o.name = name->name;
		o.limit = l->capacity;
		o.used = l->used;
		if (!tell_holders(q, holds_lock, &name->place, &o))
			tell(q, &o);
	}
}

static const struct coord_dirset *dirs_of(const struct coord_run *r, uint32_t unit)
{
	const struct coord_tmpl *t = &r->g->tmpls[coord_unit_at(r, unit)->tmpl];

	if (t->dirs == COORD_NONE)
		return NULL;
	return &r->g->dirsets[t->flags & COORD_TMPL_DIRS_EACH ? t->dirs + (unit - t->first) : t->dirs];
}

/* One directory is at or above the other: the shorter one's own path is among the prefixes of the longer. */
static bool overlap(const struct coord_graph *ga, const struct coord_dir *a, const struct coord_graph *gb, const struct coord_dir *b)
{
	uint32_t shorter = a->prefix_count < b->prefix_count ? a->prefix_count : b->prefix_count;

	return shorter && ga->prefixes[a->prefix_first + shorter - 1] == gb->prefixes[b->prefix_first + shorter - 1];
}

static bool holds_directory(const struct question *q, const struct coord_run *r, uint32_t unit, const void *what)
{
	const struct coord_dirset *mine = what, *theirs = coord_unit_class(r, coord_unit_at(r, unit))->dirs ? dirs_of(r, unit) : NULL;

	if (!theirs)
		return false;
	for (uint32_t i = 0; i < mine->dir_count; i++)
		for (uint32_t k = 0; k < theirs->dir_count; k++)
			if (overlap(q->r->g, &q->r->g->dirs[mine->dir_first + i], r->g, &r->g->dirs[theirs->dir_first + k]))
				return true;
	return false;
}

static void explain_directories(struct question *q)
{
	struct coord_obstacle o = obstacle(COORD_O_DIRECTORY);
	const struct coord_dirset *set = coord_unit_class(q->r, q->u)->dirs ? dirs_of(q->r, q->unit) : NULL;
	uint32_t need = 0;

	if (!set)
		return;
	for (uint32_t i = 0; i < set->dir_count; i++)
		need += q->r->g->dirs[set->dir_first + i].prefix_count;
	if (!tell_holders(q, holds_directory, set, &o) && need > q->c->path_room)
		tell(q, &o);
}

/* --- nodes ------------------------------------------------------------------------------------------------------------------------ */

static bool labels_fit(const struct coord_node *n, const struct coord_graph *g, const struct coord_shape *sh)
{
	struct coord_shape labels = *sh;

	labels.node = RV_STR("");
	labels.slots = labels.agent_slots = labels.resource_count = 0;
	labels.profile = 0;
	return coord_node_fits(n, g, &labels);
}

static enum coord_node_why standing(const struct question *q, const struct coord_node *n)
{
	if (n->removed)
		return COORD_WHY_REMOVED;
	if (n->state == COORD_N_AWAY)
		return COORD_WHY_AWAY;
	if (n->state == COORD_N_SUSPECT)
		return COORD_WHY_SUSPECT;
	if (n->draining)
		return COORD_WHY_DRAINING;
	if (n->health == COORD_H_QUARANTINED)
		return COORD_WHY_QUARANTINED;
	if (!n->greeted)
		return COORD_WHY_GREETING;
	return n->full_until_us > q->c->now_us ? COORD_WHY_REJECTS : COORD_WHY_FITS;
}

static enum coord_node_why why_not(const struct question *q, uint32_t node)
{
	const struct coord_node *n = &q->c->nodes[node];
	const struct coord_graph *g = q->r->g;
	const struct coord_shape *sh = &q->sh;
	uint32_t shape = coord_unit_class(q->r, q->u)->shape;
	enum coord_node_why why = standing(q, n);

	if (why != COORD_WHY_FITS)
		return why;
	if (sh->node.bytes && !rv_str_equal(sh->node, rv_str_of(n->name)))
		return COORD_WHY_PIN;
	if (!labels_fit(n, g, sh))
		return COORD_WHY_LABELS;
	if (sh->profile && !(n->profiles >> sh->profile & 1))
		return COORD_WHY_AGENT;
	if (sh->slots > n->slots || sh->agent_slots > n->agent_slots)
		return COORD_WHY_TOO_SMALL;
	if (!coord_node_resources_free(n, g, sh, true))
		return COORD_WHY_RESOURCES;
	if (q->r->no_workspace[node / 64] >> (node % 64) & 1)
		return COORD_WHY_WORKSPACE;
	if (q->u->flags & COORD_U_AVOID && q->u->node == node)
		return COORD_WHY_AVOIDED;
	if (!coord_node_resources_free(n, g, sh, false))
		return COORD_WHY_RESOURCES_BUSY;
	if (n->slots_used + sh->slots > n->slots || n->agent_used + sh->agent_slots > n->agent_slots)
		return COORD_WHY_FULL;
	if (n->health != COORD_H_GOOD && n->attempt_count)
		return COORD_WHY_CAREFUL;
	if (n->reserved_run != COORD_NONE && sh->slots && (n->reserved_run != coord_run_slot(q->c, q->r) || n->reserved_shape != shape))
		return COORD_WHY_KEPT_FREE;
	return COORD_WHY_FITS;
}

static void explain_node(struct question *q, uint32_t node)
{
	const struct coord_node *n = &q->c->nodes[node];
	const struct coord_shape *sh = &q->sh;
	struct coord_obstacle o = obstacle(COORD_O_NODE);
	struct coord_needs_text lacking = { .bytes = 0 };

	o.node = node;
	o.why = why_not(q, node);
	if (o.why == COORD_WHY_REMOVED)
		return;
	coord_needs_lacking(q->c, q->r, sh, node, &lacking);
	o.lacks = coord_needs_str(&lacking);
	if ((o.why == COORD_WHY_AWAY || o.why == COORD_WHY_SUSPECT) && coord_needs_known(n))
		o.silent_us = rv_sat_sub(coord_live_us(q->c), n->heard_us);
	if (o.why == COORD_WHY_QUARANTINED)
		o.amount = rv_sat_sub(n->probe_us, q->c->now_us);
	if (o.why == COORD_WHY_FULL) {
		bool slots = n->slots_used + sh->slots > n->slots; /* a unit may need both kinds */

		o.limit = slots ? n->slots : n->agent_slots;
		o.used = slots ? n->slots_used : n->agent_used;
	}
	tell(q, &o);
}

static void explain_nodes(struct question *q)
{
	struct coord_obstacle o = obstacle(COORD_O_NO_NODE);
	bool any = false;

	for (uint32_t i = 0; i < q->c->node_count; i++)
		any |= !q->c->nodes[i].removed;
	if (!any) {
		tell(q, &o);
		return;
	}
	for (uint32_t i = 0; i < q->c->node_count; i++)
		explain_node(q, i);
}

/* Ready units of its run with a better rank. */
static void explain_queue(struct question *q)
{
	struct coord_obstacle o = obstacle(COORD_O_QUEUE);

	for (uint32_t i = 0; i < q->r->g->unit_count; i++)
		o.amount += q->r->g->units[i].state == COORD_UNIT_READY && q->r->g->units[i].rank < q->u->rank;
	if (o.amount)
		tell(q, &o);
}

/* --- all of it ------------------------------------------------------------------------------------------------------------------------ */

static bool explain_state(struct question *q)
{
	struct coord_obstacle o = obstacle(COORD_O_ENDED);

	if (coord_state_ended(q->u->state)) {
		o.state = (enum coord_unit_state)q->u->state;
		o.reason = (enum proto_reason)q->u->reason;
		o.root_cause = q->u->root_cause;
		tell(q, &o);
		return true;
	}
	if (q->u->state == COORD_UNIT_ACTIVE) {
		o = obstacle(COORD_O_ACTIVE);
		o.state = COORD_UNIT_ACTIVE;
		o.node = q->u->node;
		o.attempt = q->u->attempt;
		o.started = q->c->attempts[q->u->slot].started;
		if (coord_unit_is_behind(q->c, q->u))
			o.other = coord_behind_of(q->c, &q->c->attempts[q->u->slot]).unit;
		tell(q, &o);
		return true;
	}
	return false;
}

void coord_explain(const struct coord *c, uint64_t run, uint32_t unit, void (*each)(void *arg, const struct coord_obstacle *o), void *arg)
{
	uint32_t slot = rv_intmap_get(&c->run_map, run);
	struct question q = { .c = c, .unit = unit, .each = each, .arg = arg };
	struct coord_obstacle held = obstacle(COORD_O_HELD);

	rv_check(slot != RV_MAP_NONE);
	q.r = &c->runs[slot];
	rv_check(unit < q.r->g->vertex_count);
	q.u = coord_unit_at(q.r, unit);
	if (!coord_budget_shape(q.r, unit, &q.sh))
		q.sh = q.r->g->shapes[coord_unit_class(q.r, q.u)->shape];
	if (explain_state(&q))
		return;
	explain_run(&q);
	if (q.u->flags & COORD_U_HELD)
		tell(&q, &held);
	if (q.u->state == COORD_UNIT_PENDING)
		explain_dependencies(&q);
	if (q.u->state == COORD_UNIT_RETRY_WAIT)
		explain_wait(&q);
	explain_limits(&q);
	explain_locks(&q);
	explain_directories(&q);
	explain_nodes(&q);
	if (q.u->state == COORD_UNIT_READY)
		explain_queue(&q);
}

const char *coord_obstacle_name(enum coord_obstacle_kind kind)
{
	static const char *const names[] = {
		[COORD_O_ENDED] = "ended",
		[COORD_O_ACTIVE] = "active",
		[COORD_O_RUN_ENDED] = "run_ended",
		[COORD_O_RUN_STOPPED] = "run_stopped",
		[COORD_O_RUN_PAUSED] = "run_paused",
		[COORD_O_DEPENDENCY] = "dependency",
		[COORD_O_DEPENDENCIES] = "more_dependencies",
		[COORD_O_HELD] = "held",
		[COORD_O_RETRY_WAIT] = "retry_wait",
		[COORD_O_MAX_WORKERS] = "max_workers",
		[COORD_O_AGENT_LIMIT] = "max_concurrent",
		[COORD_O_LOCK] = "lock",
		[COORD_O_DIRECTORY] = "directory",
		[COORD_O_NO_NODE] = "no_node",
		[COORD_O_NODE] = "node",
		[COORD_O_QUEUE] = "queue",
	};

	return (unsigned)kind < RV_ARRAY_LEN(names) && names[kind] ? names[kind] : "?";
}

const char *coord_node_why_name(enum coord_node_why why)
{
	static const char *const names[] = {
		[COORD_WHY_FITS] = "fits",
		[COORD_WHY_REMOVED] = "removed",
		[COORD_WHY_AWAY] = "away",
		[COORD_WHY_SUSPECT] = "suspect",
		[COORD_WHY_DRAINING] = "draining",
		[COORD_WHY_QUARANTINED] = "quarantined",
		[COORD_WHY_GREETING] = "greeting",
		[COORD_WHY_REJECTS] = "rejects",
		[COORD_WHY_WORKSPACE] = "no_workspace",
		[COORD_WHY_PIN] = "pinned_elsewhere",
		[COORD_WHY_LABELS] = "labels",
		[COORD_WHY_AGENT] = "no_agent",
		[COORD_WHY_TOO_SMALL] = "too_small",
		[COORD_WHY_RESOURCES] = "resources",
		[COORD_WHY_RESOURCES_BUSY] = "resources_busy",
		[COORD_WHY_FULL] = "full",
		[COORD_WHY_CAREFUL] = "careful",
		[COORD_WHY_KEPT_FREE] = "kept_free",
		[COORD_WHY_AVOIDED] = "avoided",
	};

	return (unsigned)why < RV_ARRAY_LEN(names) ? names[why] : "?";
}
