/* reach.h - which units come before which: many questions at once
 *
 * Asked for pairs of units whose directories overlap, so mostly the answer is yes and often by a direct dependency or
 * along one chain: both are seen at once. The rest is answered by sweeping 64 to 512 questions at a time over the units
 * between the earliest and the latest of them, as bits: exact, without recursion, without a search per question.
 */
#ifndef PLAN_REACH_H
#define PLAN_REACH_H

#include "loader.h"

struct plan_question {
	uint32_t from, to;     /* places in l->topo, from < to */
	uint32_t from_k, to_k; /* which instances, where these are templates */
	uint32_t tag;          /* the caller's */
	bool yes;
};

struct plan_reach {
	struct plan_loader *l;
	uint32_t *first, *size; /* of each place: its interval in a forest of one dependency each */
};

int plan_reach_init(struct plan_reach *r, struct plan_loader *l);
void plan_reach_release(struct plan_reach *r);
/* Seen at once? */
bool plan_reach_quick(const struct plan_reach *r, const struct plan_question *q);
/* Answers all; reorders them. */
int plan_reach_answer(struct plan_reach *r, struct plan_question *q, uint32_t count);

#endif
