/* on_client.c - what people ask for: checked before, then a fact like any other */
#include "common/id.h"
#include "common/plant.h"
#include "coordinator/core/grow.h"
#include "coordinator/core/state.h"

/* --- request ids: repeated = already done --- */

bool coord_request_known(const struct coord *c, uint64_t request)
{
	return request && !RV_PLANT(REQUEST_TWICE) && rv_intmap_get(&c->request_map, request) != RV_MAP_NONE;
}

static void remember(struct coord *c, uint64_t request)
{
	uint32_t at = (uint32_t)(c->request_count % COORD_REQUESTS_MAX);

	if (!request || coord_request_known(c, request))
		return;
	if (c->request_count >= COORD_REQUESTS_MAX)
		(void)rv_intmap_remove(&c->request_map, c->requests[at]);
	c->requests[at] = request;
	rv_intmap_put(&c->request_map, request, at);
	c->request_count++;
}

/* --- checks --- */

int coord_admit_run(const struct coord *c, const struct coord_graph *g, struct rv_err *err)
{
	uint32_t locks = 0; /* that are named, with these */

	if (c->run_count >= c->cfg.runs_max)
		return rv_fail(err, RV_E_LIMIT, "%u runs are live; that is the limit", c->run_count);
	if (g->paths_most > c->cfg.paths_max)
		return rv_fail(err, RV_E_LIMIT, "a unit's allowed_directories have %u parts; the limit is %u", g->paths_most, c->cfg.paths_max);
	if (rv_intmap_get(&c->run_map, g->run) != RV_MAP_NONE)
		return rv_fail(err, RV_E_EXISTS, "there is a run of that id already");
	for (uint32_t k = 0; k < c->lock_count; k++)
		locks += c->locks[k].users != 0;
	for (uint32_t i = 0; i < g->lock_count; i++)
		locks += !coord_lock_named(c, g->locks[i].hash);
	if (locks > COORD_LOCKS_MAX)
		return rv_fail(err, RV_E_LIMIT, "the live runs name more than %u locks", COORD_LOCKS_MAX);
	return 0;
}

int coord_admit_units(struct coord *c, uint64_t run, struct coord_graph *part, uint32_t *added, uint32_t *there, struct rv_err *err)
{
	struct coord_run *r = coord_run_find(c, run);

	if (!r)
		return rv_fail(err, RV_E_NOT_FOUND, "no such run");
	if (!r->g->open) {
		(void)rv_fail(err, RV_E_CONFLICT, "the run takes no more units");
		return rv_hint(err, "`reeve submit --open` makes one that does");
	}
	if (!r->open || r->ended || r->stop)
		return rv_fail(err, RV_E_CONFLICT, "the run %s: it takes no more units", !r->open ? "is closed" : r->ended ? "has ended" : "is stopping");
	if (part->paths_most > c->cfg.paths_max)
		return rv_fail(err, RV_E_LIMIT, "a unit's allowed_directories have %u parts; the limit is %u", part->paths_most, c->cfg.paths_max);
	if (coord_part_fit(r->g, part, err) < 0)
		return -1;
	*added = part->part->new_units;
	*there = part->part->there_units;
	return 0;
}

bool coord_part_is_new(const struct coord_graph *part)
{
	return part->part->new_tmpls;
}

bool coord_run_is_open(const struct coord *c, uint64_t run)
{
	uint32_t slot = rv_intmap_get(&c->run_map, run);

	return slot != RV_MAP_NONE && c->runs[slot].open && !c->runs[slot].ended;
}

static void close_run(struct coord *c, struct coord_run *r)
{
	if (!r->open)
		return;
	r->open = false;
	c->mutated++;
	if (r->ended)
		return;
	coord_tell(c, COORD_T_RUN_CLOSED, r, COORD_NONE);
	coord_run_check(c, r);
}

static int check_node(const struct coord *c, uint32_t node, struct rv_err *err)
{
	if (node >= c->node_count || c->nodes[node].removed)
		return rv_fail(err, RV_E_NOT_FOUND, "no such node");
	return 0;
}

static int check_unit(const struct coord *c, const struct coord_run *r, enum proto_mutation what, uint32_t unit, struct rv_err *err)
{
	char room[COORD_UNIT_ID_BYTES];
	struct rv_run_id run = rv_run_id_of(r->id);
	struct rv_str id;
	enum coord_unit_state state;

	if (unit >= r->g->unit_count)
		return rv_fail(err, RV_E_NOT_FOUND, "no such unit in the run");
	state = coord_unit_at(r, unit)->state;
	id = coord_graph_unit_id(r->g, unit, room);
	if (coord_unit_is_behind(c, coord_unit_at(r, unit)))
		state = COORD_UNIT_PENDING;
	if (what == PROTO_MUT_SKIP && state == COORD_UNIT_ACTIVE) {
		(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" is running: cancel it", RV_STR_ARGS(id));
		return rv_hint(err, "`reeve cancel %s/%.*s`", run.text, RV_STR_ARGS(id));
	}
	if (what != PROTO_MUT_RETRY || coord_state_ended(state))
		return 0;
	(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" %s", RV_STR_ARGS(id), state == COORD_UNIT_ACTIVE ? "is running" : "has not ended");
	if (state == COORD_UNIT_ACTIVE)
		return rv_hint(err, "`reeve cancel %s/%.*s` ends it; then it can be tried again", run.text, RV_STR_ARGS(id));
	return rv_hint(err, "it runs in its turn; `reeve explain %s/%.*s` says what it waits for", run.text, RV_STR_ARGS(id));
}

/* May the unit be run by the agent of that name from now on? */
static int check_agent(const struct coord_run *r, uint32_t unit, struct rv_str name, struct rv_err *err)
{
	uint32_t agent = name.bytes ? coord_graph_agent_find(r->g, name) : COORD_NONE;

	if (!name.bytes)
		return 0;
	if (!coord_budget_meter(r, unit))
		return rv_fail(err, RV_E_CONFLICT, "the unit is a command: no agent runs it");
	if (agent == COORD_NONE) {
		(void)rv_fail(err, RV_E_NOT_FOUND, "the plan has no agent \"%.*s\"", RV_STR_ARGS(name));
		return rv_hint(err, "one of its `agents`, or claude, codex, mock");
	}
	if (!coord_graph_agent_spec(r->g, agent).bytes)
		return rv_fail(err, RV_E_CONFLICT, "the agent \"%.*s\" is a command, and takes other slots than the unit", RV_STR_ARGS(name));
	return 0;
}

/* Can its next try read what a person sends along? */
static int check_sent_along(const struct coord_run *r, uint32_t unit, struct rv_str note, struct rv_str prompt, struct rv_err *err)
{
	uint32_t flags = r->g->tmpls[coord_unit_at(r, unit)->tmpl].flags;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = coord_graph_unit_id(r->g, unit, room);

	if (prompt.bytes && !(flags & COORD_TMPL_PROMPT)) {
		(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" is a command that reads no prompt", RV_STR_ARGS(id));
		return rv_hint(err, "{prompt} in its `command`, or `namespace: always` in its plan, gives it one; without --prompt-file it is tried again as it is");
	}
	if (!note.bytes || flags & COORD_TMPL_CONTEXT_FILE)
		return 0;
	(void)rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" has no namespace, so nothing tells it a note", RV_STR_ARGS(id));
	return rv_hint(err, "`namespace: always` in its plan gives each try a context file; without --note it is tried again as it is");
}

int coord_client_check(const struct coord *c, const struct proto_fact *f, struct rv_err *err)
{
	struct coord_run *r;
	uint32_t unit = f->mutation.unit;

	rv_check(f->kind == PROTO_FACT_MUTATION);
	if (coord_request_known(c, f->mutation.request))
		return 0; /* done before: the answer is the same */
	switch (f->mutation.what) {
	case PROTO_MUT_DRAIN:
		if (f->mutation.value < 0 || f->mutation.value > (int64_t)RV_DRAIN_US_MAX)
			return rv_fail(err, RV_E_USAGE, "a drain's deadline is at most %llu seconds", (unsigned long long)(RV_DRAIN_US_MAX / RV_US_PER_S));
		return check_node(c, f->mutation.node, err);
	case PROTO_MUT_UNDRAIN:
	case PROTO_MUT_REMOVE:
		return check_node(c, f->mutation.node, err);
	default:
		break;
	}
	r = coord_run_find((struct coord *)(uintptr_t)c, f->mutation.run);
	if (f->mutation.what == PROTO_MUT_RM) /* one that is not here ended long ago */
		return !r || r->ended ? 0 : rv_fail(err, RV_E_CONFLICT, "the run has not ended");
	if (!r)
		return rv_fail(err, RV_E_NOT_FOUND, "no such run");
	switch (f->mutation.what) {
	case PROTO_MUT_CLOSE:
		return r->g->open ? 0 : rv_fail(err, RV_E_CONFLICT, "the run was not submitted as an open one");
	case PROTO_MUT_SET_MAX_WORKERS:
		if (f->mutation.value < 0 || f->mutation.value > (int64_t)RV_WORKERS_MAX)
			return rv_fail(err, RV_E_USAGE, "max_workers is 0 to %u", RV_WORKERS_MAX);
		return 0;
	case PROTO_MUT_SET_PRIORITY:
		if (f->mutation.value < -1000 || f->mutation.value > 1000)
			return rv_fail(err, RV_E_USAGE, "priority is -1000 to 1000");
		return 0;
	case PROTO_MUT_SET_FAILED:
		if (f->mutation.value < 0 || f->mutation.value > (int64_t)RV_UNITS_MAX)
			return rv_fail(err, RV_E_USAGE, "limits.failed is 0 to %u", RV_UNITS_MAX);
		return 0;
	case PROTO_MUT_SET_TOKENS:
	case PROTO_MUT_SET_COST:
		if (f->mutation.value < 0 || f->mutation.value > (int64_t)COORD_BUDGET_MAX)
			return rv_fail(err, RV_E_USAGE, "a limit is 0 (none) to %llu", (unsigned long long)COORD_BUDGET_MAX);
		return 0;
	case PROTO_MUT_HOLD:
	case PROTO_MUT_RELEASE:
	case PROTO_MUT_SKIP:
		return check_unit(c, r, f->mutation.what, unit, err);
	case PROTO_MUT_RETRY:
		if (unit == RV_MAP_NONE)
			return f->mutation.note.bytes || f->mutation.prompt.bytes || f->mutation.agent.bytes ?
				       rv_fail(err, RV_E_USAGE, "a note, a prompt or an agent goes with one unit") : 0;
		return check_unit(c, r, f->mutation.what, unit, err) < 0 || check_agent(r, unit, f->mutation.agent, err) < 0 ?
			       -1 : check_sent_along(r, unit, f->mutation.note, f->mutation.prompt, err);
	case PROTO_MUT_CANCEL:
		return unit == RV_MAP_NONE ? 0 : check_unit(c, r, f->mutation.what, unit, err);
	default:
		return 0;
	}
}

/* --- acts on a run --- */

static void reset_unit(struct coord *c, struct coord_run *r, uint32_t unit, bool counters)
{
	struct coord_unit *u = coord_unit_at(r, unit);

	coord_unit_event(c, r, unit, COORD_UE_RESET, NULL);
	if (counters)
		u->tries = u->retries = u->environment = u->node_lost = u->rate_limited = u->not_found = u->try_counted = 0;
	c->mutated++;
}

/* A verify step that succeeded stands as long as the units do that it looked at. */
static void reset_verify(struct coord *c, struct coord_run *r, bool units_reset)
{
	const struct coord_unit *verify = r->g->has_verify ? coord_unit_at(r, r->g->unit_count) : NULL;

	if (verify && coord_state_ended(verify->state) && (units_reset || verify->state != COORD_UNIT_SUCCEEDED))
		coord_unit_event(c, r, r->g->unit_count, COORD_UE_RESET, NULL);
}

/* The run goes on: what is reset is counted anew and swept up. */
static void reopen(struct coord *c, struct coord_run *r, bool units_reset)
{
	bool died = !r->ended && c->anew; /* `run` goes on with it before anything else; a coordinator's nodes come first */

	reset_verify(c, r, units_reset);
	r->ended = r->stop_cancels = false;
	r->stop = r->reason = 0;
	r->state = r->paused ? COORD_RUN_PAUSED : COORD_RUN_RUNNING;
	r->stop_root = r->first_failed = COORD_NONE;
	r->budget_reason = 0;
	r->stop_grace_us = RV_NEVER;
	r->recounted = true;
	r->deadline_us = r->g->timeout_us ? rv_sat_add(c->now_us, r->g->timeout_us) : RV_NEVER;
	coord_run_deadline(c, r);
	if (r->g->meters)
		coord_budget_changed(c, r); /* what was used stays used */
	coord_spread_recount(c, r);
	coord_tell(c, COORD_T_RUN_RESUMED, r, COORD_NONE)->died = died;
	coord_run_begin(c, r);
	coord_run_check(c, r);
	coord_ready_update_run(c, r);
}

/* The run has ended, and nothing of it is put back: it stays as it ended. */
static bool nothing_to_do(const struct coord_run *r, bool units_reset)
{
	const struct coord_unit *verify = r->g->has_verify ? coord_unit_at(r, r->g->unit_count) : NULL;

	return r->ended && !units_reset && (!verify || verify->state == COORD_UNIT_SUCCEEDED);
}

/* It began, or may have, and is to begin once at most: only a person who names it starts it again. */
static bool spent(const struct coord_run *r, const struct coord_unit *u)
{
	return coord_unit_setting(r, u)->at_most_once && !RV_PLANT(ONCE_RESUMED) && (u->tries || u->node_lost || u->reason == PROTO_REASON_LOST);
}

static void resume(struct coord *c, struct coord_run *r)
{
	bool any = false;

	coord_dirs_bury(c);
	for (uint32_t i = 0; i < r->g->unit_count; i++) {
		struct coord_unit *u = coord_unit_at(r, i);

		if (spent(r, u))
			continue;
		any |= u->state != COORD_UNIT_SUCCEEDED;
		if (coord_state_ended(u->state) && u->state != COORD_UNIT_SUCCEEDED)
			reset_unit(c, r, i, true);
		else if (u->state != COORD_UNIT_SUCCEEDED)
			u->tries = u->retries = u->environment = u->node_lost = u->rate_limited = u->not_found = u->try_counted = 0;
	}
	for (uint32_t k = 0; r->g->meters && k < r->g->class_count; k++)
		coord_place_unpark_class(c, r, k); /* counters say whose the next try is */
	if (!nothing_to_do(r, any))
		reopen(c, r, any);
}

/* One more try: the retry is spent beforehand, so that the same limit holds as after any other failure. */
static void retry(struct coord *c, struct coord_run *r, uint32_t unit)
{
	bool any = false;

	coord_dirs_bury(c);
	for (uint32_t i = 0; i < r->g->unit_count; i++) {
		const struct coord_unit *u = coord_unit_at(r, i);
		bool wanted = unit == RV_MAP_NONE ? u->state == COORD_UNIT_FAILED && !spent(r, u) : i == unit && coord_state_ended(u->state);
		bool because = u->state == COORD_UNIT_SKIPPED && u->reason == PROTO_REASON_BLOCKED &&
			       (unit == RV_MAP_NONE || u->root_cause == unit);

		any |= wanted || because;
		if (wanted || because)
			reset_unit(c, r, i, false);
	}
	if (!nothing_to_do(r, any))
		reopen(c, r, any);
}

static void cancel_unit(struct coord *c, struct coord_run *r, uint32_t unit, int64_t grace)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_unit_end e = { .state = COORD_UNIT_CANCELLED, .reason = PROTO_REASON_CANCELLED, .root_cause = COORD_NONE };

	if (coord_state_ended(u->state))
		return;
	c->mutated++;
	if (u->state != COORD_UNIT_ACTIVE) {
		coord_unit_event(c, r, unit, COORD_UE_END, &e);
		return;
	}
	u->flags |= COORD_U_CANCEL;
	if (c->live)
		coord_attempt_cancel(c, u->slot, PROTO_REASON_CANCELLED, grace < 0 ? RV_NEVER : (uint64_t)grace);
}

static void skip_unit(struct coord *c, struct coord_run *r, uint32_t unit)
{
	struct coord_unit_end e = { .state = COORD_UNIT_SKIPPED, .reason = PROTO_REASON_SKIPPED, .root_cause = COORD_NONE };
	uint8_t state = coord_unit_at(r, unit)->state;

	if (coord_state_ended(state) || state == COORD_UNIT_ACTIVE)
		return;
	coord_unit_event(c, r, unit, COORD_UE_END, &e);
	c->mutated++;
}

static bool is_held(const struct coord_unit *u)
{
	return u->flags & COORD_U_HELD || u->state == COORD_UNIT_HELD;
}

static void set_paused(struct coord *c, struct coord_run *r, bool paused)
{
	if (r->ended || r->paused == paused)
		return;
	r->paused = paused;
	r->state = paused ? COORD_RUN_PAUSED : COORD_RUN_RUNNING;
	coord_tell(c, paused ? COORD_T_RUN_PAUSED : COORD_T_RUN_UNPAUSED, r, COORD_NONE);
	coord_ready_update_run(c, r);
	c->mutated++;
}

static int64_t value_of(const struct coord_run *r, enum proto_mutation what)
{
	switch (what) {
	case PROTO_MUT_SET_MAX_WORKERS:
		return r->max_workers;
	case PROTO_MUT_SET_FAILED:
		return r->failed_max;
	default:
		return r->priority;
	}
}

static void set_value(struct coord *c, struct coord_run *r, enum proto_mutation what, int64_t value)
{
	if (value == value_of(r, what))
		return;
	if (what == PROTO_MUT_SET_MAX_WORKERS)
		r->max_workers = (uint32_t)value;
	else if (what == PROTO_MUT_SET_FAILED)
		r->failed_max = (uint32_t)value;
	else
		r->priority = (int32_t)value;
	coord_tell(c, COORD_T_RUN_CHANGED, r, COORD_NONE);
	if (what == PROTO_MUT_SET_FAILED)
		coord_run_failed_check(c, r, r->first_failed);
	coord_ready_update_run(c, r);
	c->mutated++;
}

/* Raised, a limit that stopped the run lets it go on: the next turn looks whether the new one is reached already. Of a run that
 * has ended it counts when somebody goes on with it. */
static void set_limit(struct coord *c, struct coord_run *r, enum proto_mutation what, uint64_t value)
{
	uint64_t *limit = what == PROTO_MUT_SET_TOKENS ? &r->limit.tokens : &r->limit.cost_microusd;

	if (*limit == value)
		return;
	*limit = value;
	c->mutated++;
	coord_tell(c, COORD_T_RUN_CHANGED, r, COORD_NONE);
	if (r->ended)
		return;
	if (coord_reason_is_budget((enum proto_reason)r->stop)) {
		r->stop = 0;
		r->stop_cancels = false;
	}
	coord_budget_changed(c, r);
	coord_run_deadline(c, r);
	coord_ready_update_run(c, r);
}

static void cancel_run(struct coord *c, struct coord_run *r, int64_t grace)
{
	if (r->ended)
		return;
	coord_run_stop(c, r, PROTO_REASON_CANCELLED, COORD_NONE, grace < 0 ? RV_NEVER : (uint64_t)grace);
	coord_tell(c, COORD_T_RUN_STOPPED, r, COORD_NONE)->reason = PROTO_REASON_CANCELLED;
	coord_run_deadline(c, r);
	c->mutated++;
}

/* --- acts on a node --- */

/* Drained already, only its deadline may be another one. */
static void drain(struct coord *c, uint32_t node, uint64_t within_us)
{
	struct coord_node *n = &c->nodes[node];

	n->drain_us = within_us;
	n->drain_at_us = within_us ? rv_sat_add(c->now_us, within_us) : RV_NEVER;
	coord_node_deadline(c, node, n->drain_at_us);
	if (n->draining)
		return;
	n->draining = true;
	coord_tell_node(c, COORD_T_NODE_DRAINED, node);
	if (c->live && n->state != COORD_N_AWAY) {
		coord_emit(c, COORD_FX_DRAIN, n->peer);
		n->messages_out++;
	}
}

static void act_on_node(struct coord *c, enum proto_mutation what, uint32_t node, int64_t value)
{
	struct coord_node *n = &c->nodes[node];

	if (what != PROTO_MUT_REMOVE && n->draining == (what == PROTO_MUT_DRAIN) && (what == PROTO_MUT_UNDRAIN || n->drain_us == (uint64_t)value))
		return; /* as it was */
	switch (what) {
	case PROTO_MUT_DRAIN:
		drain(c, node, (uint64_t)value);
		break;
	case PROTO_MUT_UNDRAIN:
		n->draining = false;
		n->drain_us = 0;
		n->drain_at_us = RV_NEVER;
		coord_capacity_freed(c, node);
		break;
	default:
		if (RV_PLANT(REVOKED_KEPT))
			break;
		n->removed = true;
		coord_tell_node(c, COORD_T_NODE_LEFT, node);
		if (c->live && n->state != COORD_N_AWAY && !RV_PLANT(REVOKED_HEARD)) {
			coord_emit(c, COORD_FX_GOAWAY, n->peer)->goaway = (struct proto_goaway){ .why = PROTO_GOAWAY_REVOKED };
			coord_node_away(c, node);
		}
		coord_node_deadline(c, node, c->now_us); /* what it holds is given up at once */
		break;
	}
	coord_node_update(c, node);
	c->mutated++;
}

void coord_apply_mutation(struct coord *c, const struct proto_fact *f)
{
	uint32_t unit = f->mutation.unit;
	struct coord_run *r;

	remember(c, f->mutation.request);
	c->mutated = 0;
	if (proto_mutation_of_node(f->mutation.what)) {
		act_on_node(c, f->mutation.what, f->mutation.node, f->mutation.value);
		return;
	}
	r = coord_run_find(c, f->mutation.run);
	if (f->mutation.what == PROTO_MUT_RM) {
		if (r)
			coord_run_release(c, r);
		c->mutated++;
		return;
	}
	if (!r) { /* a run that ended long ago is not folded; its acts' ids are */
		rv_check(!c->live);
		return;
	}
	switch (f->mutation.what) {
	case PROTO_MUT_CANCEL:
		if (unit == RV_MAP_NONE)
			cancel_run(c, r, f->mutation.value);
		else
			cancel_unit(c, r, unit, f->mutation.value);
		break;
	case PROTO_MUT_RETRY:
		if (unit != RV_MAP_NONE && f->mutation.agent.bytes && coord_budget_meter(r, unit))
			coord_budget_meter(r, unit)->agent = coord_graph_agent_find(r->g, f->mutation.agent);
		retry(c, r, unit);
		break;
	case PROTO_MUT_RESUME:
		resume(c, r);
		break;
	case PROTO_MUT_PAUSE:
	case PROTO_MUT_UNPAUSE:
		set_paused(c, r, f->mutation.what == PROTO_MUT_PAUSE);
		break;
	case PROTO_MUT_HOLD:
	case PROTO_MUT_RELEASE:
		if (is_held(coord_unit_at(r, unit)) == (f->mutation.what == PROTO_MUT_HOLD))
			break; /* as it was */
		c->mutated += coord_unit_event(c, r, unit, f->mutation.what == PROTO_MUT_HOLD ? COORD_UE_HOLD : COORD_UE_RELEASE, NULL) == COORD_MOVED;
		break;
	case PROTO_MUT_CLOSE:
		close_run(c, r);
		break;
	case PROTO_MUT_SKIP:
		skip_unit(c, r, unit);
		break;
	case PROTO_MUT_SET_TOKENS:
	case PROTO_MUT_SET_COST:
		set_limit(c, r, f->mutation.what, (uint64_t)f->mutation.value);
		break;
	default:
		set_value(c, r, f->mutation.what, f->mutation.value);
		break;
	}
}

static bool needs(const struct coord_run *r, uint32_t unit, uint32_t dep)
{
	const struct coord_tmpl *tm = &r->g->tmpls[coord_unit_at(r, unit)->tmpl];

	for (uint32_t i = 0; i < tm->in_count; i++)
		if (r->g->in[tm->in_first + i] == coord_unit_at(r, dep)->tmpl)
			return true;
	return false;
}

/* What waits for another one's success only, and needs this one, too, which is to run once more. As many as there is room for. */
static void give_back_dependents(struct coord *c, struct coord_run *r, uint32_t dep)
{
	uint32_t slot = r->attempts.first;

	while (slot != COORD_NONE && coord_room(c, COORD_BEHIND_ROOM + 8)) {
		const struct coord_attempt *a = &c->attempts[slot];

		if (a->after == COORD_NONE || !needs(r, a->unit, dep)) {
			slot = a->run_next;
			continue;
		}
		coord_behind_give_back(c, r, slot, true);
		slot = r->attempts.first;
	}
}

/* An act on a unit that has been handed over behind another finds it pending, as it would have without. */
static void give_back(struct coord *c, const struct proto_fact *f)
{
	struct coord_run *r = coord_run_find(c, f->mutation.run);
	bool asks = f->mutation.what == PROTO_MUT_HOLD || f->mutation.what == PROTO_MUT_SKIP || f->mutation.what == PROTO_MUT_CANCEL;

	if (asks && r && f->mutation.unit < r->g->unit_count && coord_unit_is_behind(c, coord_unit_at(r, f->mutation.unit)))
		coord_behind_give_back(c, r, coord_unit_at(r, f->mutation.unit)->slot, true);
	if (f->mutation.what == PROTO_MUT_RETRY && r && f->mutation.unit < r->g->unit_count && coord_unit_at(r, f->mutation.unit)->state == COORD_UNIT_SUCCEEDED)
		give_back_dependents(c, r, f->mutation.unit);
}

void coord_on_mutation(struct coord *c, const struct coord_event *ev)
{
	const struct proto_fact *f = ev->mutation.fact;
	bool before = coord_request_known(c, f->mutation.request);
	struct coord_effect *e;

	c->mutated = 0;
	if (!before) {
		give_back(c, f);
		coord_decide(c, f, NULL);
	}
	if (!ev->mutation.client)
		return;
	e = coord_emit(c, COORD_FX_REPLY, 0);
	e->reply.client = ev->mutation.client;
	e->reply.done_before = before;
	e->reply.changed = c->mutated;
}
