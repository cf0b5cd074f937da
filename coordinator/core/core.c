/* core.c - the coordinator's core: creation, the step, deadlines, the digest */
#include "common/plant.h"
#include "coordinator/core/state.h"

#include <stdlib.h>

void coord_config_init(struct coord_config *cfg)
{
	*cfg = (struct coord_config){ .nodes_max = 64, .attempts_max = 65536, .runs_max = 64, .paths_max = 65536, .seed = 1,
				      .prefetch_us = 2000, .heartbeat_us_max = 2000000, .heartbeat_us_min = 200000 };
}

/* --- life --- */

static void *take(struct coord *c, size_t count, size_t bytes)
{
	void *at = calloc(count ? count : 1, bytes);

	rv_check(c->block_count < RV_ARRAY_LEN(c->blocks));
	c->blocks[c->block_count++] = at;
	return at;
}

static bool make_map(struct coord *c, struct rv_intmap *m, uint32_t count)
{
	uint32_t slots = rv_intmap_slots(count + 1);
	struct rv_intmap_slot *at = take(c, slots, sizeof(*at));

	if (at)
		rv_intmap_init(m, at, slots);
	return at;
}

static bool make_heap(struct coord *c, struct rv_heap *h, uint32_t count)
{
	struct rv_heap_item *items = take(c, count, sizeof(*items));
	uint32_t *where = take(c, count, sizeof(*where));

	if (items && where)
		rv_heap_init(h, items, where, count);
	return items && where;
}

static bool make_pools(struct coord *c)
{
	const struct coord_config *cfg = &c->cfg;
	size_t words = (cfg->nodes_max + 63) / 64;
	uint64_t *no_workspace;

	c->scratch = take(c, 1, COORD_SCRATCH_BYTES + sizeof(struct proto_fact));
	c->runs = take(c, cfg->runs_max, sizeof(*c->runs));
	c->run_order = take(c, cfg->runs_max, sizeof(*c->run_order));
	c->nodes = take(c, cfg->nodes_max, sizeof(*c->nodes));
	c->attempts = take(c, cfg->attempts_max, sizeof(*c->attempts));
	c->usage = take(c, cfg->attempts_max, sizeof(*c->usage));
	c->paths = take(c, cfg->paths_max, sizeof(*c->paths));
	c->locks = take(c, COORD_LOCKS_MAX, sizeof(*c->locks));
	c->requests = take(c, COORD_REQUESTS_MAX, sizeof(*c->requests));
	c->freed = take(c, cfg->nodes_max, sizeof(*c->freed));
	no_workspace = take(c, cfg->runs_max * words, sizeof(*no_workspace));
	if (!c->scratch || !c->runs || !c->run_order || !c->nodes || !c->attempts || !c->usage || !c->paths || !c->locks || !c->requests ||
	    !c->freed || !no_workspace)
		return false;
	for (uint32_t i = 0; i < cfg->runs_max; i++)
		c->runs[i].no_workspace = no_workspace + i * words;
	c->placing = 1;
	c->attempt_free = COORD_NONE;
	c->path_free = COORD_NONE;
	c->path_room = cfg->paths_max;
	return make_map(c, &c->run_map, cfg->runs_max) && make_map(c, &c->peer_map, cfg->nodes_max) &&
	       make_map(c, &c->path_map, cfg->paths_max) && make_map(c, &c->request_map, COORD_REQUESTS_MAX) &&
	       make_heap(c, &c->run_heap, cfg->runs_max) && make_heap(c, &c->busy_slots, cfg->nodes_max) &&
	       make_heap(c, &c->busy_agents, cfg->nodes_max) && make_heap(c, &c->fullest, cfg->nodes_max) &&
	       make_heap(c, &c->deadlines, cfg->runs_max + cfg->nodes_max);
}

struct coord *coord_create(const struct coord_config *cfg)
{
	struct coord *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	rv_check(cfg->runs_max > 0 && cfg->runs_max <= RV_RUNS_LIVE_MAX);
	rv_check(cfg->nodes_max > 0 && cfg->nodes_max <= RV_NODES_MAX);
	rv_check(cfg->attempts_max > 0);
	c->cfg = *cfg;
	c->work_first = c->work_last = COORD_NONE;
	rv_prng_seed(&c->prng, cfg->seed);
	if (!make_pools(c))
		coord_destroy(&c);
	return c;
}

void coord_destroy(struct coord **cp)
{
	struct coord *c = *cp;

	if (!c)
		return;
	for (uint32_t i = 0; c->runs && i < c->cfg.runs_max; i++)
		coord_graph_destroy(&c->runs[i].g);
	for (uint32_t i = 0; i < c->block_count; i++)
		free(c->blocks[i]);
	free(c);
	*cp = NULL;
}

/* --- the step --- */

static bool busy(const struct coord *c)
{
	return c->work_first != COORD_NONE || c->sweeps || c->checks;
}

/* What follows from the facts applied so far, until nothing is left; false: out of room. */
bool coord_follow(struct coord *c)
{
	for (;;) {
		if (!coord_work(c))
			return false;
		if (c->sweeps && !coord_run_sweeps(c))
			return false;
		if (c->checks && !coord_run_ends(c))
			return false;
		for (uint32_t i = 0; i < c->node_count && c->reconciling && !busy(c); i++)
			while (c->nodes[i].reconciling && !busy(c))
				if (!coord_lease_reconcile(c, i))
					return false;
		if (!busy(c) && !c->reconciling)
			return true;
	}
}

/* One deadline that is due: 1 done, 0 none is, -1 out of room. */
static int deadline(struct coord *c)
{
	const struct rv_heap_item *first = rv_heap_first(&c->deadlines);
	bool done;

	if (!first || first->key > c->now_us)
		return 0;
	if (!coord_room(c, 8))
		return -1;
	if (first->value < c->cfg.runs_max)
		done = coord_run_due(c, &c->runs[first->value]);
	else
		done = coord_lease_due(c, first->value - c->cfg.runs_max);
	return done ? 1 : -1;
}

static bool go_on(struct coord *c)
{
	int due;

	if (!coord_follow(c))
		return false;
	if (!c->turning && !(RV_PLANT(DEADLINES_FIRST) && c->live))
		return true;
	while ((due = deadline(c)) != 0)
		if (due < 0 || !coord_follow(c))
			return false;
	if (c->looks && (!coord_budget_look(c) || !coord_follow(c)))
		return false;
	if (!coord_place(c) || !coord_behind_place(c) || !coord_steal(c))
		return false;
	c->turning = false;
	return true;
}

static void begin(struct coord *c, const struct coord_event *ev, struct coord_effects *out)
{
	uint64_t now = rv_max_u64(ev->now_us, c->now_us), gap = now - c->last_us;

	c->out = out;
	c->scratch_used = 0;
	if (c->live && !RV_PLANT(STALL_IS_SILENCE))
		c->stalled_us += rv_sat_sub(gap, coord_lease_step(c)); /* liveness stands still while we do */
	c->now_us = c->last_us = now;
	c->gap_us = gap;
	c->real_us = ev->real_us;
	rv_check(out->count + COORD_EFFECTS_MIN <= out->capacity);
	rv_check(ev->kind == COORD_EV_AGAIN || !c->unfinished);
}

/* Waits of the past run count from now: replay happened at no time at all. */
static void wait_anew(const struct coord *c, struct coord_run *r)
{
	struct rv_heap *h = &r->g->unit_timers;

	for (uint32_t i = 0; r->g->timers && i < h->count; i++)
		h->items[i].key = rv_sat_add(h->items[i].key, c->gap_us); /* all alike: their order stays */
}

static void serving(struct coord *c, const struct coord_event *ev)
{
	struct proto_fact f = { .kind = PROTO_FACT_EPOCH };

	rv_check(!c->live);
	c->live = true;
	c->last_us = c->now_us;
	c->position = c->index = 0;
	f.epoch.epoch = ev->serving.epoch;
	memcpy(f.epoch.boot_id, ev->serving.boot_id, sizeof(f.epoch.boot_id));
	coord_decide(c, &f, NULL);
	for (uint32_t i = 0; i < c->node_count; i++) {
		c->nodes[i].heard_us = coord_live_us(c); /* liveness counts from now */
		coord_node_deadline(c, i, c->now_us + coord_lease_heartbeat(c, &c->nodes[i]));
		if (c->nodes[i].drain_us)
			c->nodes[i].drain_at_us = rv_sat_add(c->now_us, c->nodes[i].drain_us);
		coord_node_update(c, i);
	}
	for (uint32_t i = 0; i < c->run_count; i++) {
		struct coord_run *r = &c->runs[c->run_order[i]];

		wait_anew(c, r);
		if (!r->ended && r->g->timeout_us)
			r->deadline_us = rv_sat_add(c->now_us, r->g->timeout_us);
		coord_run_deadline(c, r);
		coord_run_check(c, r); /* a journal may end before the fact that ends the run */
	}
	coord_budget_begin(c);
}

void coord_step(struct coord *c, const struct coord_event *ev, struct coord_effects *out)
{
	struct coord_run *r;

	begin(c, ev, out);
	switch (ev->kind) {
	case COORD_EV_FACT:
		rv_check(!c->live);
		c->position = ev->fact.position;
		c->index = ev->fact.index;
		c->part = 0;
		coord_apply(c, ev->fact.fact, ev->fact.graph);
		break;
	case COORD_EV_SERVING:
		serving(c, ev);
		break;
	case COORD_EV_UNITS_ADDED:
		coord_decide(c, ev->run_accepted.fact, ev->run_accepted.graph);
		break;
	case COORD_EV_RUN_ACCEPTED:
		coord_decide(c, ev->run_accepted.fact, ev->run_accepted.graph);
		break;
	case COORD_EV_MUTATION:
		coord_on_mutation(c, ev);
		break;
	case COORD_EV_RUN_STOP:
		coord_on_run_stop(c, ev);
		break;
	case COORD_EV_HELLO:
		coord_on_hello(c, ev);
		break;
	case COORD_EV_TURN:
		c->turning = true;
		c->commit_us = ev->turn.commit_us;
		break;
	case COORD_EV_RUN_FORGET:
		r = coord_run_find(c, ev->run_forget.run);
		if (r && r->ended)
			coord_run_release(c, r);
		break;
	case COORD_EV_AGAIN:
		break;
	default:
		coord_on_node(c, ev);
		break;
	}
	c->unfinished = !go_on(c);
	out->again = c->unfinished;
	c->out = NULL;
}

uint64_t coord_next_deadline(const struct coord *c)
{
	const struct rv_heap_item *first = rv_heap_first(&c->deadlines);

	return first ? first->key : RV_NEVER;
}

/* --- the digest: of what is folded, nothing else --- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	return rv_hash_u64(h, v);
}

static uint64_t digest_unit(uint64_t h, const struct coord_unit *u)
{
	uint8_t state = u->state;

	if (state == COORD_UNIT_RETRY_WAIT || state == COORD_UNIT_HELD)
		state = COORD_UNIT_READY; /* how long it waits is live; HELD is a flag */
	h = mix(h, (uint64_t)state << 32 | (uint64_t)u->class << 24 | (uint64_t)u->reason << 16 |
			   (u->flags & (COORD_U_HELD | COORD_U_AVOID | COORD_U_LOST | COORD_U_CANCEL)));
	h = mix(h, (uint64_t)u->attempt << 32 | u->node);
	h = mix(h, (uint64_t)u->root_cause << 32 | (uint64_t)u->tries << 16 | u->retries);
	return mix(h, (uint64_t)u->environment << 48 | (uint64_t)u->node_lost << 32 | (uint64_t)u->rate_limited << 16 |
			   (uint64_t)u->try_counted << 1 | u->not_found);
}

static uint64_t digest_spend(uint64_t h, const struct coord_run *r)
{
	h = mix(mix(h, r->limit.tokens), r->limit.cost_microusd);
	if (!r->g->meters)
		return h;
	h = mix(mix(h, r->spent.tokens), r->spent.cost_microusd);
	for (uint32_t i = 0; i < r->g->agent_count; i++)
		h = mix(mix(h, r->g->agents[i].spent.tokens), r->g->agents[i].spent.cost_microusd);
	for (uint32_t i = 0; i < r->g->meter_count; i++)
		h = mix(mix(h, r->g->meters[i].spent.tokens), (uint64_t)r->g->meters[i].agent << 32 ^ r->g->meters[i].spent.cost_microusd);
	return h;
}

uint64_t coord_digest(const struct coord *c)
{
	uint64_t h = mix(0, c->epoch);

	for (uint32_t i = 0; i < c->run_count; i++) {
		const struct coord_run *r = &c->runs[c->run_order[i]];

		h = mix(h, r->id);
		h = mix(h, (uint64_t)r->state << 32 | (uint64_t)r->reason << 24 | (uint64_t)r->stop << 16 | (uint64_t)r->stop_cancels << 2 |
				   (uint64_t)r->paused << 1 | r->ended);
		h = mix(h, (uint64_t)(uint32_t)r->priority << 32 | r->max_workers);
		h = mix(h, (uint64_t)r->open << 32 | r->failed_max);
		h = mix(h, (uint64_t)r->g->unit_count << 32 | r->g->used.links);
		h = mix(h, (uint64_t)r->retries << 32 | r->node_lost);
		h = digest_spend(h, r);
		for (uint32_t k = 0; k < r->g->vertex_count; k++)
			h = mix(digest_unit(h, coord_unit_at(r, k)), r->g->waiting[k]);
	}
	for (uint32_t i = 0; i < c->node_count; i++) {
		const struct coord_node *n = &c->nodes[i];

		h = rv_hash(h, rv_str((const char *)n->key, sizeof(n->key)));
		h = mix(rv_hash(h, rv_str((const char *)n->boot_id, sizeof(n->boot_id))), n->incarnation);
		h = mix(h, n->drain_us);
		h = mix(h, (uint64_t)n->draining << 2 | (uint64_t)n->removed << 1 |
				   (n->health == COORD_H_QUARANTINED || n->health == COORD_H_PROBED));
	}
	return mix(h, c->request_count);
}
