/* members.c - the checker's fold of who belongs to the cluster: nodes by the hashes of their keys, keys that are revoked, nodes that are removed
 *
 * From the journal alone: the list of keys (access.c) and the core are asked nothing.
 */
#include "tests/sim/world.h"

#include "common/check.h"

/* Whoever is shut out no more may have been kept from starting. */
static void let_in(struct sim_world *w, struct sim_node *n)
{
	if (n->removed && !n->core)
		sim_at(w, w->now_us + RV_US_PER_S, SIM_EV_NODE_START, n->index, n->life);
	n->removed = false;
}

/* Who is who: a node is its key, by its hash; whether the machine's present key is admitted, and its node still one of ours. */
void sim_members_fact(struct sim_world *w, const struct proto_fact *f)
{
	uint32_t i, number;

	if (f->kind == PROTO_FACT_NODE && f->node.change == PROTO_NODE_ADMITTED) {
		rv_check(f->node.node < SIM_JOURNAL_NODES_MAX);
		if (w->journal_node_count <= f->node.node)
			w->journal_node_count = f->node.node + 1;
		memcpy(w->journal_nodes[f->node.node], f->node.key, sizeof(f->node.key));
	}
	number = f->kind == PROTO_FACT_MUTATION && f->mutation.what == PROTO_MUT_REMOVE ? f->mutation.node : UINT32_MAX;
	if (number < w->journal_node_count)
		w->journal_removed[number] = true;
	for (i = 0; i < w->spec->nodes; i++) {
		struct sim_node *n = &w->nodes[i];

		if (f->kind == PROTO_FACT_NODE && f->node.change == PROTO_NODE_ADMITTED && memcmp(n->info.key, f->node.key, sizeof(n->info.key)) == 0)
			let_in(w, n); /* anew */
		if (f->kind == PROTO_FACT_KEY && memcmp(n->curve_key, f->key.key, sizeof(n->curve_key)) == 0) {
			n->revoked = f->key.change == PROTO_KEY_REVOKED;
			n->revoked_row = w->disk.count;
		}
		if (number < w->journal_node_count && memcmp(n->info.key, w->journal_nodes[number], sizeof(n->info.key)) == 0)
			n->removed = true;
	}
}

/* What rests on a node may only be that it is lost, once it was removed. */
void sim_members_check(struct sim_world *w, uint32_t node, uint32_t unit, const struct proto_result *res)
{
	/* The coordinator's own word is that it is lost, also where that cancels it: no node sends a failure of no class, nor one
	 * of what was used up. */
	bool by_us = res && (res->class == PROTO_CLASS_NODE_LOST || res->class == PROTO_CLASS_BUDGET || (res->outcome == PROTO_FAILED && res->class == PROTO_CLASS_NONE));

	if (node < w->journal_node_count && w->journal_removed[node] && !by_us)
		sim_broken(w, "I13: unit %u %s node %u of the journal, which was removed", unit, res ? "ended by the word of" : "was assigned to", node);
}

/* What follows is folded anew. */
void sim_members_clear(struct sim_world *w)
{
	uint32_t i;

	memset(w->journal_removed, 0, sizeof(w->journal_removed));
	w->journal_node_count = 0;
	for (i = 0; i < w->spec->nodes; i++) {
		let_in(w, &w->nodes[i]);
		w->nodes[i].revoked = false;
	}
}
