/* outcome.c - an attempt is over: what that means for its unit, as a fact */
#include "common/plant.h"
#include "coordinator/core/state.h"

static void decide_ended(struct coord *c, struct coord_run *r, uint32_t node, const struct proto_result *res,
			 enum proto_end_state state, enum proto_class class, enum proto_reason reason)
{
	const struct coord_tmpl *tm = &r->g->tmpls[coord_unit_at(r, res->key.unit)->tmpl];
	struct proto_fact *f = coord_fact_new(c, PROTO_FACT_ENDED);

	f->ended.key = res->key;
	f->ended.node = node;
	f->ended.state = state;
	f->ended.result = *res;
	f->ended.result.class = class;
	f->ended.result.reason = reason;
	coord_spread_counters(r, tm);
	coord_decide_new(c, f);
}

static void decide_again(struct coord *c, uint32_t node, const struct proto_result *res, uint64_t delay_us)
{
	struct proto_fact *f = coord_fact_new(c, PROTO_FACT_ATTEMPT_ENDED);

	f->attempt_ended.key = res->key;
	f->attempt_ended.node = node;
	f->attempt_ended.retry_delay_us = delay_us;
	f->attempt_ended.result = *res;
	coord_decide_new(c, f);
}

void coord_attempt_again(struct coord *c, uint32_t node, const struct proto_result *res)
{
	decide_again(c, node, res, 0);
}

static void cancelled(struct coord *c, struct coord_run *r, uint32_t node, const struct proto_result *res)
{
	bool unit_only = coord_unit_at(r, res->key.unit)->flags & COORD_U_CANCEL;

	if (!unit_only && coord_reason_is_budget((enum proto_reason)r->stop)) {
		decide_ended(c, r, node, res, PROTO_END_FAILED, PROTO_CLASS_BUDGET, (enum proto_reason)r->stop);
		return;
	}
	decide_ended(c, r, node, res, PROTO_END_CANCELLED, PROTO_CLASS_NONE,
		     unit_only ? PROTO_REASON_CANCELLED : (enum proto_reason)r->stop);
}

/* Ended through nothing that the unit did or the plan counts: it goes again. */
static void for_nothing(struct coord *c, struct coord_run *r, uint32_t node, const struct proto_result *res)
{
	const struct coord_setting *s = coord_unit_setting(r, coord_unit_at(r, res->key.unit));

	if (s->at_most_once && res->flags & PROTO_RESULT_STARTED)
		decide_ended(c, r, node, res, PROTO_END_FAILED, PROTO_CLASS_NODE_LOST, PROTO_REASON_LOST);
	else
		coord_attempt_again(c, node, res);
}

/* It was told to end since a limit of its unit or agent was reached. */
static enum proto_reason ended_by_budget(const struct coord *c, const struct coord_unit *u, const struct proto_result *res)
{
	const struct coord_attempt *a = u->state == COORD_UNIT_ACTIVE ? &c->attempts[u->slot] : NULL;

	if (!a || a->state != COORD_A_STOPPING || (res->outcome != PROTO_CANCELLED && res->class != PROTO_CLASS_NONE))
		return PROTO_REASON_NONE;
	return coord_reason_is_budget((enum proto_reason)a->cancel_reason) ? (enum proto_reason)a->cancel_reason : PROTO_REASON_NONE;
}

static void end_attempt(struct coord *c, struct coord_run *r, uint32_t unit, uint32_t node, const struct proto_result *res)
{
	enum proto_reason budget;
	const struct coord_unit *u = coord_unit_at(r, unit);
	bool asked = u->flags & COORD_U_CANCEL || r->stop_cancels;
	struct coord_failure f;

	__builtin_prefetch(&r->g->out[r->g->tmpls[u->tmpl].out_first]);
	__builtin_prefetch(&r->g->times[unit], 1);

	if (RV_PLANT(FAIL_FAST_LOSES_SUCCESS) && r->stop && res->outcome == PROTO_SUCCEEDED) {
		cancelled(c, r, node, res);
		return;
	}
	if (res->outcome == PROTO_SUCCEEDED) {
		decide_ended(c, r, node, res, PROTO_END_SUCCEEDED, PROTO_CLASS_NONE, res->reason);
		return;
	}
	/* What may start once and was lost is said to be so even then: nobody knows whether it began. */
	if (asked && !(res->class == PROTO_CLASS_NODE_LOST && coord_unit_setting(r, u)->at_most_once) &&
	    (res->outcome == PROTO_CANCELLED || res->class == PROTO_CLASS_NONE || res->class == PROTO_CLASS_NODE_LOST)) {
		cancelled(c, r, node, res);
		return;
	}
	if ((budget = ended_by_budget(c, u, res)) != PROTO_REASON_NONE) {
		decide_ended(c, r, node, res, PROTO_END_FAILED, PROTO_CLASS_BUDGET, budget);
		return;
	}
	if (res->outcome == PROTO_CANCELLED || res->class == PROTO_CLASS_NONE) {
		for_nothing(c, r, node, res);
		return;
	}
	f = coord_retry_decide(c, r, unit, res);
	if (f.verdict == COORD_V_AGAIN)
		decide_again(c, node, res, f.delay_us);
	else
		decide_ended(c, r, node, res, PROTO_END_FAILED, f.class, f.reason);
}

void coord_end_attempt(struct coord *c, struct coord_run *r, uint32_t unit, uint32_t node, const struct proto_result *res)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	struct proto_result all;

	if (res->outcome != PROTO_SUCCEEDED && u->state == COORD_UNIT_ACTIVE)
		coord_behind_give_up(c, r, u->slot);
	if (r->g->meters) {
		all = *res;
		if (coord_budget_merge(c, r, &all))
			res = &all;
	}
	end_attempt(c, r, unit, node, res);
}
