/* nodes.c - machines: what they offer, what they hold, how healthy they are */
#include "coordinator/core/state.h"

struct coord_node *coord_node_by_peer(struct coord *c, uint64_t peer)
{
	uint32_t i = rv_intmap_get(&c->peer_map, peer);

	return i == RV_MAP_NONE ? NULL : &c->nodes[i];
}

bool coord_node_usable(const struct coord_node *n)
{
	return n->state == COORD_N_JOINED && n->greeted && !n->draining && !n->removed && n->health != COORD_H_QUARANTINED;
}

uint32_t coord_nodes_joined(const struct coord *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->node_count; i++)
		n += coord_node_usable(&c->nodes[i]);
	return n;
}

/* How full, in millionths of what it has. */
static uint64_t share(uint64_t used, uint64_t all)
{
	return all ? used * 1000000 / all : UINT64_MAX;
}

void coord_node_update(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];
	bool over = n->slots_used > n->slots || n->agent_used > n->agent_slots;

	if (!c->live)
		return; /* nobody is here yet */
	c->over += over - n->over;
	n->over = over;
	if (over && n->state == COORD_N_JOINED)
		rv_heap_set(&c->fullest, node,
			    UINT64_MAX - (rv_sat_sub(n->slots_used, n->slots) + rv_sat_sub(n->agent_used, n->agent_slots)), node);
	else
		rv_heap_remove(&c->fullest, node);
	if (!coord_node_usable(n) || n->full_until_us > c->now_us) {
		rv_heap_remove(&c->busy_slots, node);
		rv_heap_remove(&c->busy_agents, node);
		return;
	}
	if (c->node_count == 1 && rv_heap_has(&c->busy_slots, node))
		return; /* the only one is the least busy */
	rv_heap_set(&c->busy_slots, node, share(n->slots_used, n->slots), node);
	rv_heap_set(&c->busy_agents, node, share(n->agent_used, n->agent_slots), node);
}

void coord_capacity_freed(struct coord *c, uint32_t node)
{
	c->capacity_freed = true;
	if (node == COORD_NONE)
		c->freed_anywhere = true;
	if (node == COORD_NONE || c->nodes[node].freed)
		return;
	c->nodes[node].freed = true;
	c->freed[c->freed_count++] = node;
}

void coord_node_rtt(struct coord *c, struct coord_node *n, uint64_t rtt_us)
{
	n->rtt_us = (n->rtt_us * 7 + rtt_us) / 8;
	c->rtt_most_us = rv_max_u64(c->rtt_most_us, n->rtt_us);
}

void coord_node_deadline(struct coord *c, uint32_t node, uint64_t at_us)
{
	struct coord_node *n = &c->nodes[node];

	if (at_us >= n->deadline_us)
		return;
	n->deadline_us = at_us;
	rv_heap_set(&c->deadlines, c->cfg.runs_max + node, at_us, c->cfg.runs_max + node);
}

/* Its link is gone: what it holds goes on there, and is lost only by time. */
void coord_node_away(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];

	if (n->state == COORD_N_AWAY)
		return;
	(void)rv_intmap_remove(&c->peer_map, n->peer);
	if (n->reconciling)
		c->reconciling--;
	n->reconciling = false;
	n->reconcile = COORD_NONE;
	n->state = COORD_N_AWAY;
	n->peer = 0;
	n->greeted = false;
	coord_node_update(c, node);
	coord_node_deadline(c, node, c->now_us + coord_lease_heartbeat(c, n));
}

/* --- what it offers --- */

static bool has_label(const struct coord_node *n, const struct coord_label *l)
{
	const char *at = n->text;

	for (uint32_t i = 0; i < n->label_count; i++) {
		struct rv_str key = rv_str_of(at), value = rv_str_of(at + key.bytes + 1);

		if (rv_str_equal(key, l->key) && rv_str_equal(value, l->value))
			return true;
		at += key.bytes + value.bytes + 2;
	}
	return false;
}

/* Resources that a node does not speak of: memory and disk are not counted, others it does not have. */
static bool uncounted(const struct coord_resource *r)
{
	return rv_str_equal(r->name_text, RV_STR("memory_mb")) || rv_str_equal(r->name_text, RV_STR("disk_mb"));
}

bool coord_node_resources_free(const struct coord_node *n, const struct coord_graph *g, const struct coord_shape *sh, bool total)
{
	for (uint32_t i = 0; i < sh->resource_count; i++) {
		const struct coord_resource *need = &g->resources[sh->resource_first + i];
		bool found = uncounted(need);

		for (uint32_t k = 0; k < n->resource_count; k++) {
			if (n->resources[k].name != need->name)
				continue;
			found = (total ? 0 : n->resources[k].used) + need->milli <= n->resources[k].milli;
			break;
		}
		if (!found)
			return false;
	}
	return true;
}

bool coord_node_fits(const struct coord_node *n, const struct coord_graph *g, const struct coord_shape *sh)
{
	if (sh->node.bytes && !rv_str_equal(sh->node, rv_str_of(n->name)))
		return false;
	for (uint32_t i = 0; i < sh->label_count; i++) {
		const struct coord_label *l = &g->labels[sh->label_first + i];

		if (has_label(n, l) == l->must_not)
			return false;
	}
	if (sh->profile && !(n->profiles >> sh->profile & 1))
		return false;
	return sh->slots <= n->slots && sh->agent_slots <= n->agent_slots && coord_node_resources_free(n, g, sh, true);
}

/* Behind each other in n->text; gives how many fitted: what does not is not offered. */
static uint32_t keep_pairs(struct coord_node *n, size_t *at, const struct proto_label *pairs, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		const struct proto_label *l = &pairs[i];

		if (*at + l->key.bytes + l->value.bytes + 2 > sizeof(n->text))
			break;
		if (l->key.bytes)
			memcpy(n->text + *at, l->key.at, l->key.bytes);
		*at += l->key.bytes;
		n->text[(*at)++] = '\0';
		if (l->value.bytes)
			memcpy(n->text + *at, l->value.at, l->value.bytes);
		*at += l->value.bytes;
		n->text[(*at)++] = '\0';
	}
	return i;
}

struct rv_str coord_profile_name(uint32_t profile)
{
	return profile == PLAN_PROFILE_CLAUDE ? RV_STR("claude") : profile == PLAN_PROFILE_CODEX ? RV_STR("codex") : RV_STR("");
}

/* 0: an agent that this version does not know. */
static uint32_t profile_bit(struct rv_str name)
{
	for (uint32_t p = PLAN_PROFILE_CLAUDE; p <= PLAN_PROFILE_CODEX; p++)
		if (rv_str_equal(name, coord_profile_name(p)))
			return 1u << p;
	return 0;
}

void coord_node_describe(struct coord_node *n, const struct proto_node_info *info)
{
	size_t at = 0;
	size_t level = info->kill_level.bytes < sizeof(n->kill_level) ? info->kill_level.bytes : sizeof(n->kill_level) - 1;

	n->slots = rv_min_u64(info->slots, RV_SLOTS_MAX);
	n->agent_slots = rv_min_u64(info->agent_slots, RV_SLOTS_MAX);
	n->memory_bytes = info->memory_bytes;
	if (level)
		memcpy(n->kill_level, info->kill_level.at, level);
	n->kill_level[level] = '\0';
	n->label_count = keep_pairs(n, &at, info->labels, info->label_count);
	n->agent_count = keep_pairs(n, &at, info->agents, info->agent_count);
	n->holds_behind = info->abilities & PROTO_NODE_HOLDS_BEHIND;
	n->profiles = 0;
	for (uint32_t i = 0; i < n->agent_count; i++)
		n->profiles |= profile_bit(info->agents[i].key);
	n->resource_count = 0;
	if (info->memory_bytes)
		n->resources[n->resource_count++] = (struct coord_node_resource){ .name = rv_hash(0, RV_STR("memory_mb")),
										  .milli = (info->memory_bytes >> 20) * 1000 };
	for (uint32_t i = 0; i < info->resource_count && n->resource_count < COORD_RESOURCES_MAX; i++)
		n->resources[n->resource_count++] = (struct coord_node_resource){ .name = rv_hash(0, info->resources[i].name),
										  .milli = info->resources[i].amount };
}

/* What it holds, counted anew against what it offers now. */
void coord_node_recount(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];

	for (uint32_t k = 0; k < n->resource_count; k++)
		n->resources[k].used = 0;
	for (uint32_t i = n->attempts.first; i != COORD_NONE; i = c->attempts[i].node_next) {
		const struct coord_run *r = &c->runs[c->attempts[i].run];
		const struct coord_shape *sh = &r->g->shapes[coord_unit_class(r, coord_unit_at(r, c->attempts[i].unit))->shape];

		for (uint32_t s = 0; s < sh->resource_count; s++)
			for (uint32_t k = 0; k < n->resource_count; k++)
				if (n->resources[k].name == r->g->resources[sh->resource_first + s].name)
					n->resources[k].used += r->g->resources[sh->resource_first + s].milli;
	}
}

/* --- health: what a node does to units through no fault of theirs --- */

#define PROBE_US_FIRST (5u * RV_US_PER_S)
#define PROBES_MAX 5u

static void decide_node(struct coord *c, uint32_t node, enum proto_node_change change)
{
	struct proto_fact f = { .kind = PROTO_FACT_NODE };

	f.node.node = node;
	f.node.change = change;
	f.node.name = rv_str_of(c->nodes[node].name);
	memcpy(f.node.key, c->nodes[node].key, sizeof(f.node.key));
	coord_decide(c, &f, NULL);
}

static void failed_once_more(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];

	n->failures_row++;
	if (n->health == COORD_H_GOOD)
		n->health = COORD_H_CAREFUL;
	if (n->health == COORD_H_PROBED) {
		n->health = COORD_H_QUARANTINED;
		n->probe_us = c->now_us + (PROBE_US_FIRST << n->probes);
		if (n->probes < PROBES_MAX)
			n->probes++;
		coord_node_deadline(c, node, n->probe_us);
	} else if (n->failures_row >= COORD_QUARANTINE_AT && n->health == COORD_H_CAREFUL && coord_nodes_joined(c) > 1) {
		n->probes = 0;
		n->probe_us = c->now_us + PROBE_US_FIRST;
		coord_node_deadline(c, node, n->probe_us);
		decide_node(c, node, PROTO_NODE_QUARANTINED);
	}
}

/* A try on this node has ended. Only class environment tells of the node; anything else that ran says it is well. */
void coord_node_health(struct coord *c, uint32_t node, const struct proto_result *result)
{
	struct coord_node *n = &c->nodes[node];

	if (result->class)
		n->last_class = (uint8_t)result->class;
	/* A warden that died takes all its units along at once and is replaced: one event, not a node that breaks unit after unit. */
	if (result->class == PROTO_CLASS_ENVIRONMENT && result->reason == PROTO_REASON_WARDEN_LOST)
		return;
	if (result->class == PROTO_CLASS_ENVIRONMENT) {
		failed_once_more(c, node);
	} else if (result->flags & PROTO_RESULT_STARTED && n->health != COORD_H_GOOD) {
		if (n->health == COORD_H_CAREFUL)
			n->health = COORD_H_GOOD;
		else
			decide_node(c, node, PROTO_NODE_RECOVERED);
		n->failures_row = 0;
		n->recoveries++;
		coord_capacity_freed(c, node);
	}
	coord_node_update(c, node);
}

/* A quarantined node may be tried with one unit again. */
void coord_node_probe(struct coord *c, uint32_t node)
{
	struct coord_node *n = &c->nodes[node];

	if (n->health != COORD_H_QUARANTINED || n->probe_us > c->now_us)
		return;
	n->health = COORD_H_PROBED;
	coord_capacity_freed(c, node);
	coord_node_update(c, node);
}
