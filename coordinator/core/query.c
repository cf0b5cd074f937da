/* query.c - asking, between steps */
#include "coordinator/core/state.h"

static const struct coord_run *find(const struct coord *c, uint64_t run)
{
	uint32_t slot = rv_intmap_get(&c->run_map, run);

	return slot == RV_MAP_NONE ? NULL : &c->runs[slot];
}

const struct coord_graph *coord_run_graph(const struct coord *c, uint64_t run)
{
	const struct coord_run *r = find(c, run);

	return r ? r->g : NULL;
}

void coord_run_counts(const struct coord *c, uint64_t run, struct coord_run_counts *out)
{
	const struct coord_run *r = find(c, run);

	*out = (struct coord_run_counts){ 0 };
	if (!r)
		return;
	*out = (struct coord_run_counts){ .total = r->g->unit_count,
					  .pending = r->counts[COORD_UNIT_PENDING] + r->behind, /* for people they have not been assigned yet */
					  .ready = r->counts[COORD_UNIT_READY],
					  .active = r->counts[COORD_UNIT_ACTIVE] - r->behind,
					  .retry_wait = r->counts[COORD_UNIT_RETRY_WAIT],
					  .held = r->counts[COORD_UNIT_HELD],
					  .succeeded = r->counts[COORD_UNIT_SUCCEEDED],
					  .failed = r->counts[COORD_UNIT_FAILED],
					  .skipped = r->counts[COORD_UNIT_SKIPPED],
					  .cancelled = r->counts[COORD_UNIT_CANCELLED],
					  .retries = r->retries,
					  .node_lost = r->node_lost,
					  .tokens = rv_sat_add(r->spent.tokens, r->streaming.tokens),
					  .cost_microusd = rv_sat_add(r->spent.cost_microusd, r->streaming.cost_microusd),
					  .limit_tokens = r->limit.tokens,
					  .limit_cost_microusd = r->limit.cost_microusd };
}

enum coord_run_state coord_run_state(const struct coord *c, uint64_t run, enum proto_reason *reason)
{
	const struct coord_run *r = find(c, run);

	rv_check(r != NULL);
	if (reason)
		*reason = (enum proto_reason)r->reason;
	return (enum coord_run_state)r->state;
}

void coord_unit_view(const struct coord *c, uint64_t run, uint32_t unit, struct coord_unit_view *out)
{
	const struct coord_run *r = find(c, run);
	const struct coord_unit *u;

	rv_check(r != NULL);
	rv_check(unit < r->g->vertex_count);
	u = coord_unit_at(r, unit);
	*out = (struct coord_unit_view){ .state = coord_unit_is_behind(c, u) ? COORD_UNIT_PENDING : (enum coord_unit_state)u->state,
					 .class = (enum proto_class)u->class,
					 .reason = (enum proto_reason)u->reason,
					 .attempt = u->attempt,
					 .tries = u->tries,
					 .node = u->node,
					 .root_cause = u->root_cause,
					 .start_us = r->g->times[unit].start_us,
					 .end_us = r->g->times[unit].end_us,
					 .ready_us = u->ready_us };
}

uint32_t coord_active_places(const struct coord *c)
{
	return c->attempt_fresh;
}

bool coord_active_at(const struct coord *c, uint64_t run, uint32_t place, struct coord_active *out)
{
	const struct coord_attempt *a = &c->attempts[place];
	const struct coord_run *r;
	const struct coord_unit *u;

	rv_check(place < c->attempt_fresh);
	if (a->state == COORD_A_FREE || a->after != COORD_NONE || c->runs[a->run].id != run)
		return false;
	r = &c->runs[a->run];
	u = coord_unit_at(r, a->unit);
	*out = (struct coord_active){ .unit = a->unit, .attempt = a->attempt, .node = a->node, .try_number = u->tries + !u->try_counted,
				      .started = a->started, .start_us = a->started ? r->g->times[a->unit].start_us : 0 };
	return true;
}

uint64_t coord_run_at(const struct coord *c, uint32_t i)
{
	return i < c->run_count ? c->runs[c->run_order[i]].id : 0;
}

struct rv_str coord_node_name(const struct coord *c, uint32_t node)
{
	return node < c->node_count ? rv_str_of(c->nodes[node].name) : RV_STR("");
}

uint32_t coord_node_count(const struct coord *c)
{
	return c->node_count;
}

uint32_t coord_node_find(const struct coord *c, struct rv_str name)
{
	for (uint32_t i = 0; i < c->node_count; i++)
		if (!c->nodes[i].removed && rv_str_equal(rv_str_of(c->nodes[i].name), name))
			return i;
	return COORD_NONE;
}

uint32_t coord_node_find_removed(const struct coord *c, struct rv_str name)
{
	for (uint32_t i = 0; i < c->node_count; i++)
		if (c->nodes[i].removed && rv_str_equal(rv_str_of(c->nodes[i].name), name))
			return i;
	return COORD_NONE;
}

void coord_node_key(const struct coord *c, uint32_t node, uint8_t hash[PROTO_DIGEST_BYTES])
{
	rv_check(node < c->node_count);
	memcpy(hash, c->nodes[node].key, PROTO_DIGEST_BYTES);
}

uint64_t coord_node_peer(const struct coord *c, uint32_t node)
{
	rv_check(node < c->node_count);
	return c->nodes[node].state == COORD_N_AWAY ? 0 : c->nodes[node].peer;
}

uint32_t coord_peer_node(const struct coord *c, uint64_t peer)
{
	return rv_intmap_get(&c->peer_map, peer);
}

bool coord_request_done(const struct coord *c, uint64_t request)
{
	return coord_request_known(c, request);
}

void coord_node_view(const struct coord *c, uint32_t node, struct coord_node_view *out)
{
	static const char *const health[] = { [COORD_H_GOOD] = "good", [COORD_H_CAREFUL] = "careful", [COORD_H_PROBED] = "probed",
					      [COORD_H_QUARANTINED] = "quarantined" };
	static const enum coord_node_standing standing[] = { [COORD_N_AWAY] = COORD_NODE_AWAY, [COORD_N_JOINED] = COORD_NODE_JOINED,
							     [COORD_N_SUSPECT] = COORD_NODE_SUSPECT };
	const struct coord_node *n;

	rv_check(node < c->node_count);
	n = &c->nodes[node];
	*out = (struct coord_node_view){ .standing = n->removed ? COORD_NODE_REMOVED : standing[n->state],
					 .draining = n->draining,
					 .health = health[n->health],
					 .slots = n->slots,
					 .slots_used = n->slots_used,
					 .agent_slots = n->agent_slots,
					 .agent_used = n->agent_used,
					 .attempts = n->attempt_count,
					 .failures_row = n->failures_row,
					 .probes = n->probes,
					 .last_class = (enum proto_class)n->last_class,
					 .recoveries = n->recoveries,
					 .stolen = n->stolen,
					 .heard_us = n->session ? rv_sat_sub(coord_live_us(c), n->heard_us) : 0,
					 .heartbeat_us = n->heartbeat_us,
					 .rtt_us = n->rtt_us,
					 .incarnation = n->incarnation,
					 .memory_bytes = n->memory_bytes,
					 .kill_level = n->kill_level,
					 .labels = n->text,
					 .label_count = n->label_count,
					 .agent_count = n->agent_count };
}

const char *coord_unit_state_name(enum coord_unit_state s)
{
	static const char *const names[COORD_UNIT_STATE_COUNT] = {
		[COORD_UNIT_PENDING] = "pending",	  [COORD_UNIT_READY] = "ready",	    [COORD_UNIT_ACTIVE] = "active",
		[COORD_UNIT_RETRY_WAIT] = "retry_wait", [COORD_UNIT_HELD] = "held",	    [COORD_UNIT_SUCCEEDED] = "succeeded",
		[COORD_UNIT_FAILED] = "failed",	  [COORD_UNIT_SKIPPED] = "skipped", [COORD_UNIT_CANCELLED] = "cancelled",
	};

	return (unsigned)s < COORD_UNIT_STATE_COUNT ? names[s] : "?";
}

const char *coord_run_state_name(enum coord_run_state s)
{
	static const char *const names[] = { [COORD_RUN_RUNNING] = "running", [COORD_RUN_PAUSED] = "paused",
					     [COORD_RUN_SUCCEEDED] = "succeeded", [COORD_RUN_FAILED] = "failed",
					     [COORD_RUN_CANCELLED] = "cancelled" };

	return (unsigned)s < RV_ARRAY_LEN(names) ? names[s] : "?";
}

const char *coord_transition_name(enum coord_transition_kind k)
{
	static const char *const names[] = {
		[COORD_T_RUN_ACCEPTED] = "run_accepted",
		[COORD_T_RUN_STARTED] = "run_started",
		[COORD_T_RUN_STOPPED] = "run_stopped",
		[COORD_T_RUN_RESUMED] = "run_resumed",
		[COORD_T_RUN_PAUSED] = "run_paused",
		[COORD_T_RUN_UNPAUSED] = "run_unpaused",
		[COORD_T_RUN_CHANGED] = "run_changed",
		[COORD_T_RUN_CLOSED] = "run_closed",
		[COORD_T_UNITS_ADDED] = "units_added",
		[COORD_T_RUN_FINISHED] = "run_finished",
		[COORD_T_UNIT_READY] = "unit_ready",
		[COORD_T_UNIT_ASSIGNED] = "unit_assigned",
		[COORD_T_UNIT_STARTED] = "unit_started",
		[COORD_T_UNIT_RETRACTED] = "unit_retracted",
		[COORD_T_UNIT_RETRY_WAIT] = "unit_retry_wait",
		[COORD_T_UNIT_HELD] = "unit_held",
		[COORD_T_UNIT_RELEASED] = "unit_released",
		[COORD_T_UNIT_REQUEUED] = "unit_requeued",
		[COORD_T_UNIT_FINISHED] = "unit_finished",
		[COORD_T_ATTEMPT_LOST] = "attempt_lost",
		[COORD_T_ATTEMPT_REJECTED] = "attempt_rejected",
		[COORD_T_RESULT_FENCED] = "result_fenced",
		[COORD_T_NODE_JOINED] = "node_joined",
		[COORD_T_NODE_SUSPECT] = "node_suspect",
		[COORD_T_NODE_LOST] = "node_lost",
		[COORD_T_NODE_QUARANTINED] = "node_quarantined",
		[COORD_T_NODE_RECOVERED] = "node_recovered",
		[COORD_T_NODE_DRAINED] = "node_drained",
		[COORD_T_NODE_LEFT] = "node_left",
	};

	return (unsigned)k < RV_ARRAY_LEN(names) && names[k] ? names[k] : "?";
}
