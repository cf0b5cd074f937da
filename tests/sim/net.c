/* net.c - links and frames: loss, duplicates, reordering, delay, cuts, resets
 *
 * A link is one connection between a node's daemon and the coordinator. Frames on it keep their order unless the world reorders;
 * what is sent into a cut is lost, or (spec.tcp) arrives once the cut heals. A node that left a link gets nothing of it any more,
 * as a closed socket gives nothing; the coordinator may still read what was on its way. Reordering is harsher than PROTOCOL.md, which
 * promises order within a link; only a HELLO is never overtaken, since nothing in what overtakes it says that its table is older.
 */
#include "tests/sim/world.h"

#include "common/check.h"
#include "node/core/state.h"

#include <stdlib.h>

#define NODE_GREETING_US ((uint64_t)5 * RV_US_PER_S) /* GREETING_US_MAX of node/core/session.c */


static struct sim_link *link_at(struct sim_world *w, uint64_t link)
{
	rv_check(link > 0);
	rv_check(link <= w->link_count);
	return &w->links[link - 1];
}

static void deliver(struct sim_world *w, enum sim_event_kind kind, uint64_t link, struct rv_str frame, uint64_t at_us)
{
	struct sim_event ev = { .at_us = at_us, .kind = kind, .a = link, .node = link_at(w, link)->node };

	ev.frame = malloc(frame.bytes ? frame.bytes : 1);
	rv_check(ev.frame);
	memcpy(ev.frame, frame.at, frame.bytes);
	ev.frame_bytes = frame.bytes;
	sim_schedule(w, ev);
}

/* When a frame sent now arrives; 0: never. */
static uint64_t arrival(struct sim_world *w, uint64_t cut_until_us, uint64_t *last_us)
{
	const struct sim_spec *s = w->spec;
	bool faults = !w->healed;
	uint64_t at = w->now_us + s->delay_us / 2 + sim_below(&w->net_prng, s->delay_us + 1);

	if (cut_until_us > w->now_us) {
		w->counts.cut++;
		if (!s->tcp)
			return 0;
		at += cut_until_us - w->now_us;
	}
	if (faults && sim_chance_ppm(&w->net_prng, s->loss_ppm)) {
		w->counts.lost++;
		return 0;
	}
	if (faults && sim_chance_ppm(&w->net_prng, s->slow_ppm)) {
		at += sim_below(&w->net_prng, s->slow_us_max);
		w->counts.slowed++;
		if (at > w->now_us + s->lost_after_us / 4)
			w->harsh = true;
	}
	if (faults && sim_chance_ppm(&w->net_prng, s->reorder_ppm)) {
		w->counts.reordered++;
		return at + sim_below(&w->net_prng, 4 * s->delay_us + 1000);
	}
	at = rv_max_u64(at, *last_us + 1);
	*last_us = at;
	return at;
}

void sim_net_to_coord(struct sim_world *w, uint32_t node, struct rv_str frame)
{
	struct sim_node *n = &w->nodes[node];
	struct sim_link *l;
	uint64_t at;

	w->counts.frames++;
	if (!n->link)
		return;
	l = link_at(w, n->link);
	at = arrival(w, n->cut_to_until_us, &l->to_last_us);
	sim_note(w, "frame to coordinator", node, frame.bytes, at);
	if (!at)
		return;
	at = rv_max_u64(at, l->hello_us + 1);
	if (n->greets) {
		l->hello_us = at;
		l->to_last_us = rv_max_u64(l->to_last_us, at);
	}
	deliver(w, SIM_EV_FRAME_TO_COORD, n->link, frame, at);
	if (!w->healed && sim_chance_ppm(&w->net_prng, w->spec->duplicate_ppm)) {
		w->counts.duplicated++;
		deliver(w, SIM_EV_FRAME_TO_COORD, n->link, frame, at + sim_below(&w->net_prng, 3 * w->spec->delay_us + 2000000));
	}
}

int sim_net_to_node(struct sim_world *w, uint64_t link, struct rv_str frame)
{
	struct sim_link *l = link_at(w, link);
	uint64_t at;

	w->counts.frames++;
	if (l->gone)
		return -1;
	at = arrival(w, w->nodes[l->node].cut_from_until_us, &l->from_last_us);
	sim_note(w, "frame to node", l->node, frame.bytes, at);
	if (!at)
		return 0;
	deliver(w, SIM_EV_FRAME_TO_NODE, link, frame, at);
	if (!w->healed && sim_chance_ppm(&w->net_prng, w->spec->duplicate_ppm)) {
		w->counts.duplicated++;
		deliver(w, SIM_EV_FRAME_TO_NODE, link, frame, at + sim_below(&w->net_prng, 3 * w->spec->delay_us + 2000000));
	}
	return 0;
}

uint64_t sim_net_open(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];

	if (!w->coord.core || n->cut_to_until_us > w->now_us || n->cut_from_until_us > w->now_us)
		return 0;
	if (!sim_access_connect(w, n))
		return 0;
	if (w->link_count == w->link_capacity) {
		w->link_capacity = w->link_capacity ? w->link_capacity * 2 : 64;
		w->links = realloc(w->links, w->link_capacity * sizeof(*w->links));
		rv_check(w->links);
	}
	w->counts.rejoins += n->linked;
	w->counts.late_joins += !n->linked && w->counts.starts > 0;
	n->linked = true;
	w->links[w->link_count++] = (struct sim_link){ .node = node, .coord_life = w->coord.life, .node_life = n->life };
	memcpy(w->links[w->link_count - 1].key, n->curve_key, sizeof(n->curve_key));
	return w->link_count;
}

/* The coordinator reads of it after what was sent before; cut off, only when the network gives up. */
void sim_net_close(struct sim_world *w, uint64_t link)
{
	struct sim_link *l = link_at(w, link);
	uint64_t at = w->now_us + w->spec->delay_us + sim_below(&w->net_prng, 1000);

	if (l->closed)
		return;
	l->closed = true;
	if (w->nodes[l->node].cut_to_until_us > w->now_us)
		at = w->nodes[l->node].cut_to_until_us + sim_below(&w->net_prng, 30000000);
	sim_at(w, rv_max_u64(at, l->to_last_us + 1), SIM_EV_LINK_GONE, l->node, link);
}

/* Nodes notice at once, or by silence. */
void sim_net_coord_died(struct sim_world *w)
{
	uint32_t i;

	for (i = 0; i < w->link_count; i++)
		w->links[i].gone = true;
	for (i = 0; i < w->spec->nodes; i++) {
		struct sim_node *n = &w->nodes[i];

		if (!n->link)
			continue;
		/* HELLOs that stayed unanswered have made it patient: up to GREETING_US_MAX (docs/testing.md, "Known and not mended"). */
		if (n->core && n->core->session == NODE_SESSION_GREETING && n->core->greetings)
			w->harsh |= w->spec->lost_after_us <= NODE_GREETING_US;
		if (n->cut_from_until_us <= w->now_us && sim_below(&w->net_prng, 4))
			sim_at(w, w->now_us + 1 + sim_below(&w->net_prng, 300000), SIM_EV_NODE_LINK_LOST, i, n->link);
	}
}
