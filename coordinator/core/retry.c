/* retry.c - what follows a failure: one more try, elsewhere or later, or the end
 *
 * Each class has its own counter: those of `retry.on` spend retry.max; environment, rate limits and lost nodes have limits of their
 * own and never spend it; config, budget and scope end the unit. What a person removed a unit's node for, or a node ended when it was
 * told to, counts nowhere: rolling restarts poison nothing. Nor do nodes that die under what nobody saw begin: that counts a tenth of
 * a loss, enough for an end to come if all of a unit's nodes die before they can tell.
 */
#include "common/plant.h"
#include "coordinator/core/state.h"

#define RATE_LIMIT_US_FIRST (60u * RV_US_PER_S)
#define RATE_LIMIT_US_MAX (600u * RV_US_PER_S)
#define RETRY_AFTER_US_MAX (24u * 3600u * (uint64_t)RV_US_PER_S) /* told by a provider; more is no wait but an end */

/* base * 2^n, saturating at max. */
static uint64_t doubled(uint64_t base, uint32_t n, uint64_t max)
{
	for (; n && base < max; n--)
		base = base > UINT64_MAX / 2 ? UINT64_MAX : base * 2;
	return rv_min_u64(base, max);
}

static uint64_t jittered(struct coord *c, uint64_t us, uint32_t ppm, uint64_t max)
{
	uint64_t span = us / 1000000 * ppm + us % 1000000 * ppm / 1000000;

	if (span)
		us = us - span + rv_prng_below(&c->prng, 2 * span + 1);
	return rv_min_u64(us, max);
}

static uint64_t backoff(struct coord *c, const struct plan_retry *p, uint32_t number)
{
	uint64_t us = 0;

	if (p->backoff == PLAN_BACKOFF_EXPONENTIAL)
		us = doubled(p->base_us, number - 1, p->max_us);
	else if (p->backoff == PLAN_BACKOFF_LINEAR)
		us = p->base_us > p->max_us / number ? p->max_us : p->base_us * number;
	return jittered(c, rv_min_u64(us, p->max_us), p->jitter_ppm, p->max_us);
}

static uint32_t retry_bit(enum proto_class class)
{
	switch (class) {
	case PROTO_CLASS_AGENT:
		return PLAN_RETRY_ON_AGENT;
	case PROTO_CLASS_TIMEOUT:
		return PLAN_RETRY_ON_TIMEOUT;
	case PROTO_CLASS_EVIDENCE:
		return PLAN_RETRY_ON_EVIDENCE;
	default:
		return 0;
	}
}

bool coord_class_spends_retry(enum proto_class class)
{
	return retry_bit(class) != 0;
}

/* The program is not there: the node's fault, until a second node, or the only one, says so. */
static bool is_config(const struct coord *c, const struct coord_unit *u, const struct proto_result *result)
{
	return result->reason == PROTO_REASON_NOT_FOUND && (u->not_found || coord_nodes_joined(c) <= 1);
}

static struct coord_failure again(struct coord_failure f, uint64_t delay_us)
{
	f.verdict = COORD_V_AGAIN;
	f.delay_us = delay_us;
	return f;
}

uint32_t coord_loss_weight(const struct proto_result *result)
{
	if (result->reason == PROTO_REASON_REMOVED)
		return 0;
	return result->flags & PROTO_RESULT_STARTED ? COORD_LOSS : COORD_LOSS_UNSEEN;
}

struct coord_failure coord_retry_decide(struct coord *c, const struct coord_run *r, uint32_t unit, const struct proto_result *result)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_setting *s = coord_unit_setting(r, u);
	const struct plan_limits *lim = &r->g->limits;
	struct coord_failure f = { .verdict = COORD_V_END, .state = COORD_UNIT_FAILED, .class = result->class, .reason = result->reason };
	bool may_start_again = !s->at_most_once || !(result->flags & PROTO_RESULT_STARTED);

	if (r->stop || u->flags & COORD_U_CANCEL || result->reason == PROTO_REASON_UNKILLABLE)
		return f;
	switch (result->class) {
	case PROTO_CLASS_ENVIRONMENT:
		if (is_config(c, u, result))
			f.class = PROTO_CLASS_CONFIG;
		else if (u->environment + 1u < lim->environment && may_start_again)
			return again(f, 0);
		return f;
	case PROTO_CLASS_RATE_LIMITED:
		if (u->rate_limited + 1u < lim->rate_limited && may_start_again)
			return again(f, result->retry_after_us ? rv_min_u64(result->retry_after_us, RETRY_AFTER_US_MAX)
						       : jittered(c, doubled(RATE_LIMIT_US_FIRST, u->rate_limited, RATE_LIMIT_US_MAX), s->retry.jitter_ppm,
						 RATE_LIMIT_US_MAX));
		return f;
	case PROTO_CLASS_NODE_LOST:
		if (s->at_most_once && !RV_PLANT(ONCE_AGAIN))
			f.reason = PROTO_REASON_LOST;
		else if (!coord_loss_weight(result) || u->node_lost + coord_loss_weight(result) < COORD_LOSS * lim->node_lost)
			return again(f, 0);
		else
			f.reason = PROTO_REASON_POISONED;
		return f;
	default:
		if (s->retry.on & retry_bit(result->class) && u->retries < s->retry.max && may_start_again)
			return again(f, backoff(c, &s->retry, u->retries + 1u));
		return f;
	}
}
