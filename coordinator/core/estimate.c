/* estimate.c - how long units of a class take, and so how many of them are sent ahead
 *
 * Prefetch hides the round trip and is a length of time: about `prefetch_us` of work, or twice round trip and commit if that is
 * more, by the median of the class's last tries or the unit's own estimate, whichever is longer: a unit that is bound to a slot
 * too early is worse than a round trip that shows. While neither is known: one ahead a place for what is quick by nature. Of what nothing
 * waits for as much is sent ahead again as lies with the node as results that gather (node/core/outbox.c): those hold their places here until
 * they come.
 */
#include "coordinator/core/state.h"

void coord_estimate_seen(struct coord_class *cl, uint64_t duration_us)
{
	uint32_t sorted[COORD_TIMES_SEEN], n = cl->seen_count < COORD_TIMES_SEEN ? cl->seen_count + 1 : COORD_TIMES_SEEN;

	cl->seen[cl->seen_count++ % COORD_TIMES_SEEN] = (uint32_t)rv_min_u64(duration_us, UINT32_MAX);
	if (cl->seen_count > 2 * COORD_TIMES_SEEN && cl->seen_count % COORD_TIMES_SEEN)
		return; /* once a class is known, every eighth result moves its median */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = i;

		for (; k > 0 && sorted[k - 1] > cl->seen[i]; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = cl->seen[i];
	}
	cl->median_us = sorted[n / 2];
}

static uint64_t own_estimate(const struct coord_run *r, uint32_t unit)
{
	uint32_t t = coord_unit_at(r, unit)->tmpl;

	return r->g->estimated && r->g->tmpls[t].flags & COORD_TMPL_ESTIMATED ? rv_max_u64(r->g->more[t].estimate_us, 1) : 0;
}

uint64_t coord_estimate_known(const struct coord_run *r, const struct coord_class *cl, uint32_t unit)
{
	return rv_max_u64(own_estimate(r, unit), cl->seen_count ? rv_max_u64(cl->median_us, 1) : 0);
}

bool coord_estimate_no_hurry(const struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);
	const struct coord_class *cl = coord_unit_class(r, u);
	const struct coord_tmpl *tm = &r->g->tmpls[u->tmpl];

	if (!cl->plain || !cl->prefetch || r->stop || r->max_workers)
		return false;
	return !tm->out_count && !(tm->flags & COORD_TMPL_LINKED) && tm->pair_first == COORD_NONE && !coord_unit_is_verify(r, unit);
}

uint64_t coord_estimate_ahead(const struct coord *c, uint64_t rtt_us, const struct coord_run *r, const struct coord_class *cl, uint32_t unit)
{
	uint64_t aim_us = rv_max_u64(c->cfg.prefetch_us, 2 * (rtt_us + c->commit_us)), each_us;

	if (!cl->prefetch || !c->cfg.prefetch_us || (cl->seen_count && cl->median_us > aim_us))
		return 0;
	each_us = coord_estimate_known(r, cl, unit);
	if (!each_us)
		return cl->quick ? 1 : 0;
	if (c->cfg.gather_us && coord_estimate_no_hurry(r, unit))
		aim_us += c->cfg.gather_us;
	return rv_min_u64(aim_us / each_us, RV_PREFETCH_MAX);
}
