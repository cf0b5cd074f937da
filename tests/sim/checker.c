/* checker.c - the invariants (docs/testing.md "Simulation"): what the journal holds, what processes did, what nodes were told
 *
 * Two sources that do not know of each other: the facts, folded here once more in a few lines, and the truth of the world
 * (which process ran where, when). The cores' own words are asked only where a skip has to be told from a pending unit.
 */
#include "tests/sim/world.h"

#include "common/check.h"
#include "proto/record.h"

#include <stdio.h>
#include <stdlib.h>

#define SEC ((uint64_t)RV_US_PER_S)

struct sim_run *sim_run_of(struct sim_world *w, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < w->spec->runs; i++)
		if (w->runs[i].id == id)
			return &w->runs[i];
	rv_check(!"a run that nobody submitted");
	return NULL;
}

static struct sim_unit *unit_of(struct sim_world *w, struct proto_attempt_key key, struct sim_run **run)
{
	*run = sim_run_of(w, key.run);
	rv_check(key.unit < (*run)->unit_count);
	return &(*run)->units[key.unit];
}

static const struct plan_unit *plan_unit_of(const struct sim_run *r, uint32_t unit)
{
	uint32_t t = r->template_of[unit];

	return t == PLAN_NONE ? r->plan->verify : &r->plan->units[t];
}

static bool is_verify(const struct sim_run *r, uint32_t unit)
{
	return r->template_of[unit] == PLAN_NONE;
}

/* Slices of an open run: of different sizes, none of them empty but perhaps the first. */
static void draw_cuts(const struct sim_world *w, struct sim_run *r)
{
	uint32_t units = r->plan->unit_count, at = w->spec->open ? (uint32_t)(rv_hash_u64(w->spec->seed, r->id) % (units + 1)) : units;

	r->cuts[r->cut_count++] = at;
	while (at < units && r->cut_count < SIM_SLICES_MAX) {
		uint32_t left = units - at;

		at += r->cut_count + 1 == SIM_SLICES_MAX ? left : 1 + (uint32_t)(rv_hash_u64(w->spec->seed, r->id + r->cut_count) % left);
		r->cuts[r->cut_count++] = at;
	}
}

/* I17: numbers of units go on, whatever is lost in between. */
static void on_units(struct sim_world *w, const struct proto_fact *f)
{
	struct sim_run *r = sim_run_of(w, f->units_added.run);

	if (f->units_added.first != r->known)
		sim_broken(w, "I17: units are added from number %u on, the journal has %u", f->units_added.first, r->known);
	r->known += f->units_added.units;
	if (r->known > r->plan->instance_count)
		sim_broken(w, "I17: %u units of %llu: some were added twice", r->known, (unsigned long long)r->plan->instance_count);
}

void sim_checker_init(struct sim_world *w)
{
	uint32_t i, u;

	for (i = 0; i < w->spec->runs; i++) {
		struct sim_run *r = &w->runs[i];
		struct rv_err err;

		r->plan = sim_plan_make(w->spec, i);
		rv_check(r->plan);
		r->id = 1000 + i;
		if (coord_graph_build(r->plan, r->id, NULL, &r->shape, &err) < 0)
			rv_check(!"a plan that is refused");
		rv_check(coord_graph_unit_count(r->shape) == r->plan->instance_count);
		r->unit_count = (uint32_t)r->plan->instance_count + (r->plan->verify ? 1 : 0);
		r->units = calloc(r->unit_count + 1, sizeof(*r->units));
		r->template_of = malloc((r->unit_count + 1) * sizeof(*r->template_of));
		rv_check(r->units && r->template_of);
		for (u = 0; u < r->unit_count; u++)
			r->template_of[u] = sim_plan_template(r->plan, u);
		r->submit_us = i ? sim_below(&w->misc_prng, w->spec->heal_us / 2 + 1) : sim_below(&w->misc_prng, 100000);
		r->max_workers = r->plan->max_workers;
		draw_cuts(w, r);
	}
}

void sim_checker_release(struct sim_world *w)
{
	uint32_t i;

	for (i = 0; i < w->spec->runs; i++) {
		free(w->runs[i].units);
		free(w->runs[i].template_of);
		coord_graph_destroy(&w->runs[i].shape);
		sim_plan_free(&w->runs[i].plan);
	}
}

/* --- what the journal says ------------------------------------------------------------------------------------------------ */

/* It is handed over behind the attempt of a dependency, which its node holds. */
static bool comes_after(const struct sim_run *r, const struct sim_unit *u, uint32_t dep)
{
	const struct sim_unit *d = &r->units[dep];

	return u->after.attempt && u->after.unit == dep && d->active && d->assigned == u->after.attempt && d->node == u->node;
}

/* I2: each dependency has ended as the trigger rule asks, but for one that it is handed over behind. */
static void check_dependencies(struct sim_world *w, struct sim_run *r, uint32_t unit)
{
	const struct plan_unit *pu = plan_unit_of(r, unit);
	uint32_t i, count, ok = 0;

	if (is_verify(r, unit))
		return;
	count = coord_graph_dep_count(r->shape, unit);
	for (i = 0; i < count; i++) {
		uint32_t dep = coord_graph_dep(r->shape, unit, i);
		const struct sim_unit *d = &r->units[dep];
		struct coord_unit_view view;

		if ((d->ended && d->state == PROTO_END_SUCCEEDED) || plan_unit_of(r, dep)->settings->satisfied) {
			ok++;
			continue;
		}
		if (r->reopened && d->succeeded) { /* it had what it needs before a person asked for that once more */
			ok++;
			continue;
		}
		if (r->units[unit].active && pu->settings->trigger == PLAN_ALL_SUCCESS && comes_after(r, &r->units[unit], dep)) {
			w->counts.behind++;
			continue;
		}
		if (pu->settings->trigger == PLAN_ALL_SUCCESS) {
			sim_broken(w, "I2: unit %u was assigned although unit %u, which it needs, has not succeeded", unit, dep);
			return;
		}
		/* Once a person has asked for units again, one that was ready stays so although what it waited for is open anew. */
		if (d->ended || r->reopened)
			continue;
		coord_unit_view(w->coord.core, r->id, dep, &view); /* a skip is no fact */
		if (view.state != COORD_UNIT_SKIPPED && view.state != COORD_UNIT_CANCELLED)
			sim_broken(w, "I2: unit %u was assigned although unit %u has not ended", unit, dep);
	}
	if (pu->settings->trigger == PLAN_ALL_DONE_MIN_ONE_SUCCESS && count && !ok)
		sim_broken(w, "I2: unit %u was assigned although nothing it depends on succeeded", unit);
}

static bool paths_overlap(struct rv_str a, struct rv_str b)
{
	struct rv_str s = a.bytes < b.bytes ? a : b, l = a.bytes < b.bytes ? b : a;

	if (rv_str_equal(s, RV_STR(".")) || rv_str_equal(l, RV_STR(".")))
		return true;
	return memcmp(s.at, l.at, s.bytes) == 0 && (l.bytes == s.bytes || l.at[s.bytes] == '/');
}

static bool dirs_overlap(const struct plan_unit *a, const struct plan_unit *b)
{
	return a->dirs && b->dirs && paths_overlap(a->dirs->path[0], b->dirs->path[0]);
}

static bool same_lock(const struct plan_unit *a, const struct plan_unit *b)
{
	return a->settings->lock_count && b->settings->lock_count && a->settings->locks[0] == b->settings->locks[0];
}

/* Whose place the attempt takes that begins now: the last one that retries leave may be another agent's. */
static uint32_t agent_of(const struct sim_run *r, uint32_t unit)
{
	const struct plan_settings *s = plan_unit_of(r, unit)->settings;

	return s->retry.agent != PLAN_NONE && s->retry.max && r->units[unit].retries >= s->retry.max ? s->retry.agent : s->agent;
}

/* I3, as the coordinator believes it: workers, agents, locks, directories. */
static void check_limits(struct sim_world *w, struct sim_run *r, uint32_t unit, bool taken_back)
{
	const struct plan_unit *pu = plan_unit_of(r, unit);
	uint32_t i, u, locks = 0, agents = 0;

	if (r->max_workers && r->active > r->max_workers && !taken_back) /* it runs already: no room is asked for */
		sim_broken(w, "I3: %u attempts of a run of max_workers %u", r->active, r->max_workers);
	if (!pu->settings->lock_count && !pu->dirs && pu->settings->agent == PLAN_NONE)
		return;
	for (i = 0; i < w->spec->runs; i++) {
		for (u = 0; u < w->runs[i].unit_count; u++) {
			const struct plan_unit *other;

			if (!w->runs[i].units[u].active)
				continue;
			other = plan_unit_of(&w->runs[i], u);
			locks += same_lock(pu, other);
			agents += i == (uint32_t)(r - w->runs) && w->runs[i].units[u].agent == r->units[unit].agent;
			if ((&w->runs[i] != r || u != unit) && dirs_overlap(pu, other))
				sim_broken(w, "I3: units %u and %u are active in overlapping directories", unit, u);
		}
	}
	if (pu->settings->lock_count && locks > r->plan->locks[pu->settings->locks[0]].count)
		sim_broken(w, "I3: %u attempts hold lock %u of %u", locks, pu->settings->locks[0], r->plan->locks[pu->settings->locks[0]].count);
	if (r->units[unit].agent != PLAN_NONE) {
		uint32_t max = r->plan->agents[r->units[unit].agent].max_concurrent;

		/* Attempts sent ahead hold no place of max_concurrent, and agents with one are not sent ahead. */
		if (max && agents > max && !taken_back)
			sim_broken(w, "I3: %u attempts of an agent of max_concurrent %u", agents, max);
	}
}

/* Between equal runs that ask for equal slots, the one that has fewest goes first. Only worlds in which nothing else decides. */
static void count_fairness(struct sim_world *w, const struct sim_run *r)
{
	const struct sim_spec *s = w->spec;
	uint32_t i;

	if (s->runs < 2 || s->fault_count || s->prefetch_us || s->max_workers || s->lock_pm || s->dir_pm || s->mock_pm || s->noop_pm || s->wide_pm)
		return;
	for (i = 0; i < s->runs; i++) {
		const struct sim_run *o = &w->runs[i];
		struct coord_run_counts counts;

		if (o == r || !o->accepted || o->finished)
			continue;
		coord_run_counts(w->coord.core, o->id, &counts);
		if (!counts.ready)
			continue;
		if (r->active - 1 <= o->active)
			w->counts.fair++;
		else
			w->counts.unfair++;
	}
}

/* I16: what a run used is the sum of what its results say, each attempt once however often it ended; and past its limit nothing starts. */
static void count_used(struct sim_run *r, uint32_t unit, uint32_t attempt, const struct proto_result *res)
{
	struct sim_unit *u = &r->units[unit];
	uint64_t tokens = proto_usage_tokens(&res->usage);

	if (!attempt)
		return;
	if (u->used_attempt != attempt)
		u->used = 0;
	u->used_attempt = attempt;
	r->used += rv_sat_sub(tokens, u->used);
	u->used = rv_max_u64(u->used, tokens);
}

static void check_used(struct sim_world *w, const struct sim_run *r)
{
	struct coord_run_counts counts;

	if (!w->coord.core || !coord_run_graph(w->coord.core, r->id))
		return;
	coord_run_counts(w->coord.core, r->id, &counts);
	if (counts.tokens < r->used || (!r->active && counts.tokens != r->used))
		sim_broken(w, "I16: the run is said to have used %llu tokens, its results %llu", (unsigned long long)counts.tokens, (unsigned long long)r->used);
}

static void on_assigned(struct sim_world *w, const struct proto_fact *f)
{
	struct sim_run *r;
	struct sim_unit *u = unit_of(w, f->assigned.key, &r);
	/* Given up as lost, and its node has come back before anybody else was given the unit. */
	bool taken_back = f->assigned.key.attempt == u->assigned && !u->active && u->lost && f->assigned.node == u->node;

	if (f->assigned.key.attempt <= u->assigned && !taken_back)
		sim_broken(w, "I10: unit %u: attempt %u was assigned after attempt %u", f->assigned.key.unit, f->assigned.key.attempt, u->assigned);
	if (u->active)
		sim_broken(w, "I1: unit %u: attempt %u was assigned while attempt %u is active", f->assigned.key.unit, f->assigned.key.attempt, u->assigned);
	if (r->may_go_on)
		r->finished = false;
	if (u->ended || r->finished)
		sim_broken(w, "I1: unit %u was assigned after its end", f->assigned.key.unit);
	if (!taken_back && r->plan->limits.budget.tokens && r->used >= r->plan->limits.budget.tokens)
		sim_broken(w, "I16: unit %u was assigned, and %llu tokens of %llu were used", f->assigned.key.unit, (unsigned long long)r->used,
			   (unsigned long long)r->plan->limits.budget.tokens);
	u->assigned = f->assigned.key.attempt;
	if (!taken_back) /* its number was given then */
		u->assigned_at = w->disk.count;
	u->node = f->assigned.node;
	u->after = f->assigned.after;
	u->active = true;
	u->lost = false;
	u->agent = agent_of(r, f->assigned.key.unit);
	r->active++;
	count_fairness(w, r);
	check_dependencies(w, r, f->assigned.key.unit);
	check_limits(w, r, f->assigned.key.unit, taken_back);
}

/* By the fact at `position`. Without an attempt (0: a limit or a wait was over) the unit ends, and what is known of its attempts stands. */
static void settle(struct sim_run *r, struct sim_unit *u, uint32_t attempt, uint64_t position)
{
	r->active -= u->active;
	u->active = false;
	if (!attempt)
		return;
	u->settled = attempt;
	u->settled_at = position;
}

/* at_most_once: did this attempt use up what the unit may do once? */
static void note_begun(struct sim_unit *u, uint32_t attempt, const struct proto_result *res)
{
	bool begun = res->flags & PROTO_RESULT_STARTED || res->class == PROTO_CLASS_NODE_LOST;

	if (!begun || attempt <= u->begun_attempt)
		return;
	u->begun++;
	u->begun_attempt = attempt;
}

/* I14: nothing is given up where nobody fell silent for long enough, nor began anew. */
static void check_lost(struct sim_world *w, uint32_t unit, const struct proto_result *res)
{
	if (res->class == PROTO_CLASS_NODE_LOST && !w->harsh && !w->counts.faults[SIM_F_NODE_KILL])
		sim_broken(w, "I14: attempt %u of unit %u was given up as lost, and nothing had happened", res->key.attempt, unit);
}

/* I13: what a node holds ends by nobody else's word. */
static void check_speaker(struct sim_world *w, const struct sim_unit *u, struct proto_attempt_key key, uint32_t node)
{
	if (key.attempt == u->assigned && key.attempt && node != u->node)
		sim_broken(w, "I13: attempt %u of unit %u is node %u's, and ends by the word of node %u", key.attempt, key.unit, u->node, node);
}

static void on_ended(struct sim_world *w, const struct proto_fact *f)
{
	struct sim_run *r;
	struct sim_unit *u = unit_of(w, f->ended.key, &r);
	uint32_t attempt = f->ended.key.attempt;

	if (u->ended)
		sim_broken(w, "I1: unit %u ended twice", f->ended.key.unit);
	check_speaker(w, u, f->ended.key, f->ended.node);
	if (attempt && attempt != u->assigned)
		sim_broken(w, "I6: unit %u: the result of attempt %u was accepted, the newest is %u", f->ended.key.unit, attempt, u->assigned);
	if (attempt && f->ended.result.outcome == PROTO_SUCCEEDED && f->ended.state != PROTO_END_SUCCEEDED)
		sim_broken(w, "unit %u ended as something else than the success that attempt %u was", f->ended.key.unit, attempt);
	if (attempt && f->ended.result.flags & PROTO_RESULT_STARTED)
		u->accepted_starts++;
	check_lost(w, f->ended.key.unit, &f->ended.result);
	note_begun(u, attempt, &f->ended.result);
	settle(r, u, attempt, w->disk.count);
	count_used(r, f->ended.key.unit, attempt, &f->ended.result);
	if (f->ended.state == PROTO_END_SUCCEEDED) /* no success before that of what it was handed over behind */
		check_dependencies(w, r, f->ended.key.unit);
	u->ended = true;
	u->state = f->ended.state;
	u->succeeded |= u->state == PROTO_END_SUCCEEDED;
}

static void on_attempt_ended(struct sim_world *w, const struct proto_fact *f)
{
	struct sim_run *r;
	struct sim_unit *u = unit_of(w, f->attempt_ended.key, &r);
	uint32_t attempt = f->attempt_ended.key.attempt;

	if (u->ended)
		sim_broken(w, "I1: unit %u: an attempt ended after the unit", f->attempt_ended.key.unit);
	check_speaker(w, u, f->attempt_ended.key, f->attempt_ended.node);
	if (attempt != u->assigned || (!u->active && !u->lost))
		sim_broken(w, "I6: unit %u: attempt %u ended, the newest is %u%s", f->attempt_ended.key.unit, attempt, u->assigned, u->active ? "" : ", and over");
	if (f->attempt_ended.result.flags & PROTO_RESULT_STARTED)
		u->accepted_starts++;
	check_lost(w, f->attempt_ended.key.unit, &f->attempt_ended.result);
	note_begun(u, attempt, &f->attempt_ended.result);
	settle(r, u, attempt, w->disk.count);
	count_used(r, f->attempt_ended.key.unit, attempt, &f->attempt_ended.result);
	u->lost = f->attempt_ended.result.class == PROTO_CLASS_NODE_LOST;
	u->retries += coord_class_spends_retry(f->attempt_ended.result.class);
}

/* Is the unit, which has ended, put back? One that is at_most_once and has begun only when a person names it. */
static bool is_put_back(const struct sim_run *r, uint32_t unit, const struct proto_fact *f)
{
	const struct sim_unit *u = &r->units[unit];

	if (f->mutation.unit != RV_MAP_NONE && f->mutation.what == PROTO_MUT_RETRY)
		return unit == f->mutation.unit;
	if (u->state == PROTO_END_SUCCEEDED || (u->begun && plan_unit_of(r, unit)->settings->at_most_once))
		return false;
	return f->mutation.what == PROTO_MUT_RESUME || u->state == PROTO_END_FAILED;
}

static void on_mutation(struct sim_world *w, const struct proto_fact *f)
{
	struct sim_run *r;
	uint32_t i;

	if (f->mutation.request <= SIM_REQUESTS_MAX && w->coord.written[f->mutation.request - 1]++)
		sim_broken(w, "request %llu was carried out twice", (unsigned long long)f->mutation.request);
	if (f->mutation.what == PROTO_MUT_SET_MAX_WORKERS)
		sim_run_of(w, f->mutation.run)->max_workers = (uint32_t)f->mutation.value;
	if (f->mutation.what != PROTO_MUT_RETRY && f->mutation.what != PROTO_MUT_RESUME)
		return;
	r = sim_run_of(w, f->mutation.run);
	r->may_go_on = true; /* whether anything is put back, what was skipped among it, is not told by facts: the next one of the run does */
	r->reopened = true;
	for (i = 0; i < r->unit_count; i++) {
		struct sim_unit *u = &r->units[i];

		if (f->mutation.what == PROTO_MUT_RESUME && !(u->ended && u->state == PROTO_END_SUCCEEDED))
			u->retries = 0;
		if (!u->ended || !(is_verify(r, i) || is_put_back(r, i, f)))
			continue;
		u->ended = false;
		if (i == f->mutation.unit)
			u->may_start = u->begun + 1;
	}
}

/* I15 */
static void on_finished(struct sim_world *w, const struct proto_fact *f)
{
	struct sim_run *r = sim_run_of(w, f->run_finished.run);
	uint32_t sum = f->run_finished.succeeded + f->run_finished.failed + f->run_finished.skipped + f->run_finished.cancelled;
	uint32_t i, succeeded = 0, satisfied = 0;

	if (r->finished && !r->may_go_on)
		sim_broken(w, "I15: a run finished twice");
	if (r->active)
		sim_broken(w, "I15: a run finished with %u attempts active", r->active);
	r->finished = true;
	r->may_go_on = false;
	check_used(w, r);
	if (sum != r->known)
		sim_broken(w, "I15: %u units ended of %u", sum, r->known);
	if (f->run_finished.state == PROTO_END_SUCCEEDED && sum != r->plan->instance_count)
		sim_broken(w, "I17: a run of %llu units succeeded with %u", (unsigned long long)r->plan->instance_count, sum);
	for (i = 0; i < r->unit_count; i++) {
		if (is_verify(r, i))
			continue;
		if (r->units[i].ended && r->units[i].state == PROTO_END_SUCCEEDED)
			succeeded++;
		else
			satisfied += plan_unit_of(r, i)->settings->satisfied;
	}
	if (!r->reopened && (f->run_finished.succeeded < succeeded || f->run_finished.succeeded > succeeded + satisfied))
		sim_broken(w, "I15: %u units are said to have succeeded, the journal holds %u", f->run_finished.succeeded, succeeded);
}

void sim_checker_fact(struct sim_world *w, const struct proto_fact *f)
{
	sim_members_fact(w, f);
	switch (f->kind) {
	case PROTO_FACT_RUN_ACCEPTED:
		sim_run_of(w, f->run_accepted.run)->accepted = true;
		sim_run_of(w, f->run_accepted.run)->known = f->run_accepted.units;
		break;
	case PROTO_FACT_UNITS_ADDED:
		on_units(w, f);
		break;
	case PROTO_FACT_ASSIGNED:
		sim_members_check(w, f->assigned.node, f->assigned.key.unit, NULL);
		on_assigned(w, f);
		break;
	case PROTO_FACT_ENDED:
		if (f->ended.key.attempt)
			sim_members_check(w, f->ended.node, f->ended.key.unit, &f->ended.result);
		on_ended(w, f);
		break;
	case PROTO_FACT_ATTEMPT_ENDED:
		sim_members_check(w, f->attempt_ended.node, f->attempt_ended.key.unit, &f->attempt_ended.result);
		on_attempt_ended(w, f);
		break;
	case PROTO_FACT_MUTATION:
		on_mutation(w, f);
		break;
	case PROTO_FACT_RUN_FINISHED:
		on_finished(w, f);
		break;
	case PROTO_FACT_EPOCH:
	case PROTO_FACT_RUN_STOPPED:
	case PROTO_FACT_NODE:
	case PROTO_FACT_KEY:
	case PROTO_FACT_TOKEN:
		break;
	}
}

/* The same in few words, without looking: what was checked when it was written need not be checked again. */
static void refold_fact(struct sim_world *w, const struct proto_fact *f, uint64_t position)
{
	struct sim_unit *u;
	struct sim_run *r;

	sim_members_fact(w, f);
	switch (f->kind) {
	case PROTO_FACT_RUN_ACCEPTED:
		sim_run_of(w, f->run_accepted.run)->accepted = true;
		sim_run_of(w, f->run_accepted.run)->known = f->run_accepted.units;
		break;
	case PROTO_FACT_UNITS_ADDED:
		on_units(w, f);
		break;
	case PROTO_FACT_ASSIGNED:
		u = unit_of(w, f->assigned.key, &r);
		u->assigned = f->assigned.key.attempt;
		u->assigned_at = position;
		u->node = f->assigned.node;
		u->after = f->assigned.after;
		u->active = true;
		u->lost = false;
		u->agent = agent_of(r, f->assigned.key.unit);
		r->active++;
		r->finished = false;
		break;
	case PROTO_FACT_ENDED:
		u = unit_of(w, f->ended.key, &r);
		settle(r, u, f->ended.key.attempt, position);
		count_used(r, f->ended.key.unit, f->ended.key.attempt, &f->ended.result);
		note_begun(u, f->ended.key.attempt, &f->ended.result);
		u->ended = true;
		u->state = f->ended.state;
		break;
	case PROTO_FACT_ATTEMPT_ENDED:
		u = unit_of(w, f->attempt_ended.key, &r);
		settle(r, u, f->attempt_ended.key.attempt, position);
		count_used(r, f->attempt_ended.key.unit, f->attempt_ended.key.attempt, &f->attempt_ended.result);
		note_begun(u, f->attempt_ended.key.attempt, &f->attempt_ended.result);
		u->lost = f->attempt_ended.result.class == PROTO_CLASS_NODE_LOST;
		u->retries += coord_class_spends_retry(f->attempt_ended.result.class);
		break;
	case PROTO_FACT_MUTATION:
		on_mutation(w, f);
		break;
	case PROTO_FACT_RUN_FINISHED:
		r = sim_run_of(w, f->run_finished.run);
		r->finished = true;
		r->may_go_on = false;
		break;
	default:
		break;
	}
}

/* I5, and: nothing was said that is not written. */
static void check_promises(struct sim_world *w)
{
	uint32_t i, k;

	for (i = 0; i < w->spec->runs; i++) {
		struct sim_run *r = &w->runs[i];

		for (k = 0; k < r->unit_count; k++) {
			const struct sim_unit *u = &r->units[k];

			if (u->acked_attempt > u->settled)
				sim_broken(w, "I5: unit %u: the result of attempt %u was acknowledged, and a crash lost it", k, u->acked_attempt);
			if (u->told_attempt > u->assigned)
				sim_broken(w, "I10: unit %u: attempt %u was sent to a node, and a crash forgot that it was assigned", k, u->told_attempt);
		}
	}
}

void sim_checker_refold(struct sim_world *w)
{
	uint32_t i, k;

	memset(w->coord.written, 0, sizeof(w->coord.written));
	sim_members_clear(w);
	for (i = 0; i < w->spec->runs; i++) {
		struct sim_run *r = &w->runs[i];

		r->accepted = r->finished = r->reopened = r->may_go_on = false;
		r->active = 0;
		r->used = 0;
		r->max_workers = r->plan->max_workers;
		for (k = 0; k < r->unit_count; k++) {
			struct sim_unit *u = &r->units[k];

			u->assigned = u->settled = u->node = 0;
			u->assigned_at = u->settled_at = 0;
			u->active = u->ended = u->lost = false;
			u->state = 0;
			u->may_start = u->begun = u->begun_attempt = 0;
			u->used = u->used_attempt = 0;
			u->retries = u->agent = 0;
		}
	}
	for (i = 0; i < w->disk.count; i++) {
		struct rv_str at = rv_buf_str(&w->disk.rows[i].records);
		struct rv_arena arena;
		struct proto_fact f;
		struct rv_err err;

		rv_arena_init(&arena, 0);
		while (proto_fact_decode(&at, &arena, &f, &err) == 1)
			refold_fact(w, &f, i + 1);
		rv_arena_release(&arena);
	}
	for (i = 0; i < w->spec->runs; i++)
		for (k = 0; k < w->runs[i].unit_count; k++)
			if (w->runs[i].units[k].started_attempt > w->runs[i].units[k].assigned)
				w->runs[i].units[k].started_attempt = 0; /* its number may be given again */
	check_promises(w);
}

/* --- what nodes are told ----------------------------------------------------------------------------------------------------- */

void sim_checker_dispatched(struct sim_world *w, struct proto_attempt_key key)
{
	struct sim_run *r;
	struct sim_unit *u = unit_of(w, key, &r);

	if (key.attempt > u->told_attempt)
		u->told_attempt = key.attempt;
	if (key.attempt == u->assigned && u->assigned_at > w->disk.durable)
		sim_broken(w, "unit %u: attempt %u has reached a node before its assignment was durable", key.unit, key.attempt);
	if (key.attempt > u->assigned)
		sim_broken(w, "unit %u: attempt %u has reached a node and was never assigned", key.unit, key.attempt);
}

void sim_checker_acked(struct sim_world *w, const struct proto_result_ack *a)
{
	struct sim_run *r;
	struct sim_unit *u = unit_of(w, a->key, &r);

	if (a->key.attempt > u->acked_attempt)
		u->acked_attempt = a->key.attempt;
	if (a->key.attempt > u->settled)
		sim_broken(w, "I5: unit %u: the result of attempt %u was acknowledged and is in no row", a->key.unit, a->key.attempt);
	else if (a->key.attempt == u->settled && u->settled_at > w->disk.durable)
		sim_broken(w, "I5: unit %u: the result of attempt %u was acknowledged before its row was durable", a->key.unit, a->key.attempt);
}

void sim_checker_cancelled(struct sim_world *w, uint32_t node, const struct proto_cancel *c)
{
	struct sim_warden *warden = &w->nodes[node].warden;
	uint64_t grace_us = c->grace_us == RV_NEVER ? 2 * SEC : c->grace_us;
	uint32_t i;

	if (c->epoch < w->nodes[node].epoch_seen)
		return;
	for (i = 0; i < SIM_NODE_ATTEMPTS; i++) {
		struct sim_attempt *a = &w->nodes[node].attempts[i];

		a->cancelled |= a->used && !a->spawned && a->key.run == c->key.run && a->key.unit == c->key.unit && a->key.attempt <= c->key.attempt;
	}
	for (i = 0; i < warden->count; i++) {
		struct sim_proc *p = &warden->procs[i];

		if (p->attempt.run == c->key.run && p->attempt.unit == c->key.unit && p->attempt.attempt <= c->key.attempt && !p->cancel_by_us)
			p->cancel_by_us = w->now_us + grace_us + SEC;
	}
}

/* --- what processes do ----------------------------------------------------------------------------------------------------------- */

/* Was somebody there to freeze what ran on this node when its lease was over? */
static bool was_attended(const struct sim_world *w, const struct sim_node *n)
{
	if (w->spec->slow_warden_pm && w->spec->slow_local_us > SEC) /* it could not have in time */
		return false;
	if (n->removed || n->revoked) /* a person said that nothing runs there any more */
		return false;
	return n->core && n->paused_until_us <= w->now_us && w->now_us > n->unattended_us + w->spec->lost_after_us;
}

/* I3, in truth: two processes that exclude each other never run at once, whatever the network did. */
static void check_exclusion(struct sim_world *w, uint32_t node, const struct sim_proc *p)
{
	struct sim_run *r = sim_run_of(w, p->attempt.run);
	const struct plan_unit *pu = plan_unit_of(r, p->attempt.unit);
	uint32_t i, k, locks = 0;
	bool excused = !was_attended(w, &w->nodes[node]);

	if (!pu->settings->lock_count && !pu->dirs)
		return;
	for (i = 0; i < w->spec->nodes; i++) {
		const struct sim_node *n = &w->nodes[i];

		for (k = 0; k < n->warden.count; k++) {
			const struct sim_proc *o = &n->warden.procs[k];
			const struct plan_unit *other;
			bool attended = was_attended(w, n);

			if (o->state != SIM_P_RUNNING)
				continue;
			other = plan_unit_of(sim_run_of(w, o->attempt.run), o->attempt.unit);
			if (same_lock(pu, other)) {
				locks++;
				excused |= !attended;
			}
			if (o != p && attended && was_attended(w, &w->nodes[node]) && dirs_overlap(pu, other))
				sim_broken(w, "I3: processes of units %u (node %u) and %u (node %u) run in overlapping directories", p->attempt.unit, node, o->attempt.unit, i);
		}
	}
	if (!excused && pu->settings->lock_count && locks > r->plan->locks[pu->settings->locks[0]].count)
		sim_broken(w, "I3: %u processes hold lock %u of %u", locks, pu->settings->locks[0], r->plan->locks[pu->settings->locks[0]].count);
}

static bool was_well(const struct sim_unit *u, uint32_t attempt, uint32_t node)
{
	for (uint32_t i = 0; i < RV_ARRAY_LEN(u->well); i++)
		if (u->well[i].attempt == attempt && u->well[i].node == node)
			return true;
	return false;
}

void sim_checker_start(struct sim_world *w, uint32_t node, struct sim_proc *p)
{
	struct sim_node *n = &w->nodes[node];
	struct sim_run *r;
	struct sim_unit *u = unit_of(w, p->attempt, &r);

	u->starts++;
	u->live++;
	if (p->attempt.attempt == u->started_attempt)
		sim_broken(w, "I9: attempt %u of unit %u was started twice", p->attempt.attempt, p->attempt.unit);
	u->started_attempt = p->attempt.attempt;
	if (plan_unit_of(r, p->attempt.unit)->settings->at_most_once && u->starts > (u->may_start ? u->may_start : 1))
		sim_broken(w, "I9: unit %u, at_most_once, was started %u times, and may %u times", p->attempt.unit, u->starts,
			   u->may_start ? u->may_start : 1);
	if (p->after.attempt && !was_well(&r->units[p->after.unit], p->after.attempt, node))
		sim_broken(w, "I2: unit %u began on node %u, where attempt %u of unit %u, which it comes after, has not succeeded", p->attempt.unit, node,
			   p->after.attempt, p->after.unit);
	if (n->warden.used + sim_node_mocks(n) > n->slots)
		sim_broken(w, "I3: node %u has %llu slots; %llu are in use by processes, %llu by mocks", node, (unsigned long long)n->slots,
			   (unsigned long long)n->warden.used, (unsigned long long)sim_node_mocks(n));
	check_exclusion(w, node, p);
}

void sim_checker_well(struct sim_world *w, uint32_t node, struct proto_attempt_key key)
{
	struct sim_run *r;
	struct sim_unit *u = unit_of(w, key, &r);

	u->well[u->well_count % RV_ARRAY_LEN(u->well)].attempt = key.attempt;
	u->well[u->well_count++ % RV_ARRAY_LEN(u->well)].node = node;
}

void sim_checker_thaw(struct sim_world *w, uint32_t node, struct sim_proc *p)
{
	check_exclusion(w, node, p);
}

void sim_checker_end(struct sim_world *w, uint32_t node, struct sim_proc *p)
{
	struct sim_run *r;

	unit_of(w, p->attempt, &r)->live--;
	/* I8, where the daemon was there to pass it on */
	if (p->cancel_by_us && w->now_us > p->cancel_by_us && was_attended(w, &w->nodes[node]))
		sim_broken(w, "I8: unit %u: its process lived %llu us longer than a cancel allows", p->attempt.unit,
			   (unsigned long long)(w->now_us - p->cancel_by_us));
}

/* I8: handed to the warden although its cancel had come before. */
void sim_checker_spawn(struct sim_world *w, const struct sim_attempt *a)
{
	if (a->cancelled)
		sim_broken(w, "I8: unit %u: attempt %u is started, and had been cancelled", a->key.unit, a->key.attempt);
}

/* I11: the node's own limit of what waits there, in truth. */
static void check_ahead(struct sim_world *w, const struct sim_node *n)
{
	uint64_t most = n->slots + n->agent_slots + sim_node_ahead_max(w), waiting = 0;

	for (uint32_t k = 0; k < n->warden.count; k++)
		waiting += n->warden.procs[k].state != SIM_P_EXITED;
	if (waiting > most)
		sim_broken(w, "I11: node %u has taken %llu attempts, its limit is %llu", n->index, (unsigned long long)waiting, (unsigned long long)most);
}

/* I8, of what does not end at all. */
static void check_overdue(struct sim_world *w, const struct sim_node *n)
{
	for (uint32_t k = 0; k < n->warden.count; k++) {
		const struct sim_proc *p = &n->warden.procs[k];

		if ((p->state == SIM_P_RUNNING || p->state == SIM_P_FROZEN) && p->cancel_by_us && w->now_us > p->cancel_by_us + SEC && was_attended(w, n))
			sim_broken(w, "I8: unit %u: its process lives %llu us after a cancel allowed it to", p->attempt.unit,
				   (unsigned long long)(w->now_us - p->cancel_by_us));
	}
}

/* --- always, and at the end --------------------------------------------------------------------------------------------------------- */

void sim_checker_after(struct sim_world *w)
{
	uint32_t i;

	for (i = 0; i < w->spec->nodes; i++) {
		struct sim_node *n = &w->nodes[i];
		uint64_t epoch = n->core ? node_core_epoch(n->core) : 0;

		if (!n->core)
			continue;
		if (epoch && epoch < n->epoch_seen)
			sim_broken(w, "I10: node %u obeys epoch %llu after epoch %llu", i, (unsigned long long)epoch, (unsigned long long)n->epoch_seen);
		if (epoch)
			n->epoch_seen = epoch;
		if (w->counts.events % 16 == 0)
			check_overdue(w, n);
		check_ahead(w, n);
	}
}

static bool has_ended(const struct sim_world *w, const struct sim_run *r)
{
	return w->coord.core && (!coord_run_graph(w->coord.core, r->id) || coord_run_state(w->coord.core, r->id, NULL) >= COORD_RUN_SUCCEEDED);
}

bool sim_checker_done(const struct sim_world *w)
{
	uint32_t i, k;

	for (i = 0; i < w->spec->runs; i++)
		if (!w->runs[i].accepted || !w->runs[i].finished || (w->runs[i].may_go_on && !has_ended(w, &w->runs[i])))
			return false;
	/* and nothing is left behind on the nodes */
	for (i = 0; i < w->spec->nodes; i++) {
		const struct sim_node *n = &w->nodes[i];

		if (n->removed || n->revoked)
			continue;
		if (!n->core || node_core_attempts(n->core))
			return false;
		for (k = 0; k < n->warden.count; k++)
			if (n->warden.procs[k].state != SIM_P_EXITED)
				return false;
	}
	return true;
}

/* I14: no try is wasted where nothing happened that may waste one. */
void sim_checker_finish(struct sim_world *w)
{
	uint32_t i, k;

	for (i = 0; i < w->spec->runs && !w->harsh; i++) {
		const struct sim_run *r = &w->runs[i];

		if (r->reopened)
			continue;
		for (k = 0; k < r->unit_count; k++)
			if (plan_unit_of(r, k)->settings->profile == PLAN_PROFILE_COMMAND && r->units[k].starts > r->units[k].accepted_starts &&
			    r->units[k].state != PROTO_END_CANCELLED)
				sim_broken(w, "I14: unit %u was started %u times, %u results of a try were accepted, and nothing had happened", k,
					   r->units[k].starts, r->units[k].accepted_starts);
	}
}

/* What is not over, for the trace of a world that is stuck. */
void sim_checker_explain(const struct sim_world *w)
{
	uint32_t i, k;

	for (i = 0; i < w->spec->runs; i++) {
		const struct sim_run *r = &w->runs[i];

		printf("run %u: accepted %d finished %d active %u max_workers %u\n", i, r->accepted, r->finished, r->active, r->max_workers);
		for (k = 0; k < r->unit_count; k++) {
			const struct sim_unit *u = &r->units[k];
			struct coord_unit_view v = { 0 };

			if (w->coord.core && coord_run_graph(w->coord.core, r->id) && k < coord_graph_unit_count(coord_run_graph(w->coord.core, r->id)))
				coord_unit_view(w->coord.core, r->id, k, &v);
			if (!u->ended && v.state < COORD_UNIT_SUCCEEDED)
				printf("  unit %u: assigned %u settled %u active %d node %u, the core says %s attempt %u; starts %u live %u; slots %u agent %d lock %d dirs %d\n",
				       k, u->assigned, u->settled, u->active, u->node, coord_unit_state_name(v.state), v.attempt, u->starts, u->live,
				       plan_unit_of(r, k)->settings->slots, (int)plan_unit_of(r, k)->settings->agent,
				       plan_unit_of(r, k)->settings->lock_count ? (int)plan_unit_of(r, k)->settings->locks[0] : -1, plan_unit_of(r, k)->dirs != NULL);
		}
	}
	for (i = 0; i < w->spec->nodes; i++) {
		const struct sim_node *n = &w->nodes[i];

		printf("node %u: %s slots %llu link %llu attempts %u procs %u warden %s removed %d\n", i, n->core ? "up" : "down", (unsigned long long)n->slots,
		       (unsigned long long)n->link, n->core ? node_core_attempts(n->core) : 0, n->warden.count, n->warden.up ? "up" : "down", n->removed);
	}
}
