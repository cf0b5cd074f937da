/* fits.c - can this fact be what comes next? Facts that were read elsewhere are asked before they are folded (io.h) */
#include "coordinator/core/state.h"

static const char *unit_fits(const struct coord_run *r, uint32_t unit, enum coord_unit_event ev)
{
	if (unit >= r->g->vertex_count)
		return "a unit that its run does not have";
	if (!coord_unit_cell_exists(coord_unit_at(r, unit)->state, ev))
		return ev == COORD_UE_ASSIGN ? "an attempt of a unit that is not ready" : "the end of an attempt that there is not";
	return NULL;
}

/* Is it handed over behind an attempt that is there? */
static bool comes_after(const struct coord *c, const struct coord_run *r, const struct proto_fact *f)
{
	const struct proto_after *after = &f->assigned.after;
	const struct coord_unit *first;

	if (!after->attempt || after->unit >= r->g->vertex_count || after->unit == f->assigned.key.unit)
		return false;
	first = coord_unit_at(r, after->unit);
	return first->state == COORD_UNIT_ACTIVE && first->attempt == after->attempt && first->node == f->assigned.node &&
	       c->attempts[first->slot].behind == COORD_NONE;
}

static const char *assigned_fits(const struct coord *c, const struct coord_run *r, const struct proto_fact *f)
{
	const char *why = unit_fits(r, f->assigned.key.unit, COORD_UE_ASSIGN);

	if (why)
		return why;
	if (f->assigned.node >= c->node_count)
		return "an attempt at a node that nobody has admitted";
	if (f->assigned.key.attempt < coord_unit_at(r, f->assigned.key.unit)->attempt)
		return "an attempt with a number lower than one before";
	if ((coord_unit_at(r, f->assigned.key.unit)->state == COORD_UNIT_PENDING) != (f->assigned.after.attempt != 0))
		return f->assigned.after.attempt ? "an attempt behind another of a unit that is ready" : "an attempt of a unit that is not ready";
	if (f->assigned.after.attempt && !comes_after(c, r, f))
		return "an attempt behind one that there is not";
	return coord_attempt_room(c) ? NULL : "more attempts at once than there may be";
}

/* Only its success leaves another one behind it. */
static bool leads(const struct coord *c, const struct coord_run *r, uint32_t unit)
{
	const struct coord_unit *u = coord_unit_at(r, unit);

	return u->state == COORD_UNIT_ACTIVE && c->attempts[u->slot].behind != COORD_NONE;
}

static const char *ended_fits(const struct coord *c, const struct coord_run *r, const struct proto_fact *f)
{
	const char *why = unit_fits(r, f->ended.key.unit, COORD_UE_END);

	if (!why && f->ended.state != PROTO_END_SUCCEEDED && leads(c, r, f->ended.key.unit))
		why = "the end of an attempt that another one is behind";
	return why;
}

static const char *attempt_ended_fits(const struct coord *c, const struct coord_run *r, const struct proto_fact *f)
{
	const char *why = unit_fits(r, f->attempt_ended.key.unit, f->attempt_ended.retry_delay_us ? COORD_UE_RETRY : COORD_UE_REQUEUE);

	if (!why && coord_unit_at(r, f->attempt_ended.key.unit)->state != COORD_UNIT_ACTIVE)
		why = "the end of an attempt that there is not";
	if (!why && leads(c, r, f->attempt_ended.key.unit))
		why = "the end of an attempt that another one is behind";
	return why;
}

static const char *finished_fits(const struct coord_run *r)
{
	uint32_t ended = r->counts[COORD_UNIT_SUCCEEDED] + r->counts[COORD_UNIT_FAILED] + r->counts[COORD_UNIT_SKIPPED] + r->counts[COORD_UNIT_CANCELLED];

	if (r->ended)
		return NULL; /* of an old journal: the fold passes it over */
	return r->active || ended != r->g->unit_count ? "the end of a run in which some unit has not ended" : NULL;
}

static const char *mutation_fits(const struct coord *c, const struct coord_run *r, const struct proto_fact *f)
{
	bool of_unit = f->mutation.what == PROTO_MUT_HOLD || f->mutation.what == PROTO_MUT_RELEASE || f->mutation.what == PROTO_MUT_SKIP;

	if (proto_mutation_of_node(f->mutation.what))
		return f->mutation.node < c->node_count ? NULL : "an act on a node that nobody has admitted";
	if (!r) /* one that ended long ago is not folded, its acts are */
		return NULL;
	if (f->mutation.what == PROTO_MUT_RM)
		return r->ended ? NULL : "the removal of a run that has not ended";
	if (f->mutation.unit >= r->g->unit_count && (of_unit || f->mutation.unit != RV_MAP_NONE))
		return "an act on a unit that its run does not have";
	return NULL;
}

static const char *node_fits(const struct coord *c, const struct proto_fact *f)
{
	if (f->node.change != PROTO_NODE_ADMITTED)
		return f->node.node < c->node_count ? NULL : "news of a node that nobody has admitted";
	if (f->node.node != c->node_count)
		return "a node with another number than the next";
	return c->node_count < c->cfg.nodes_max ? NULL : "more nodes than there may be";
}

static const char *accepted_fits(const struct coord *c, uint64_t run)
{
	if (rv_intmap_get(&c->run_map, run) != RV_MAP_NONE)
		return "a run that is there already";
	return c->run_count < c->cfg.runs_max ? NULL : "more runs at once than there may be";
}

static uint64_t run_of(const struct proto_fact *f)
{
	switch (f->kind) {
	case PROTO_FACT_UNITS_ADDED:
		return f->units_added.run;
	case PROTO_FACT_ASSIGNED:
		return f->assigned.key.run;
	case PROTO_FACT_ENDED:
		return f->ended.key.run;
	case PROTO_FACT_ATTEMPT_ENDED:
		return f->attempt_ended.key.run;
	case PROTO_FACT_RUN_STOPPED:
		return f->run_stopped.run;
	case PROTO_FACT_RUN_FINISHED:
		return f->run_finished.run;
	case PROTO_FACT_MUTATION:
		return f->mutation.run;
	default:
		return 0;
	}
}

const char *coord_fact_fits(const struct coord *c, const struct proto_fact *f)
{
	const struct coord_run *r = coord_run_find((struct coord *)(uintptr_t)c, run_of(f));

	switch (f->kind) {
	case PROTO_FACT_RUN_ACCEPTED:
		return accepted_fits(c, f->run_accepted.run);
	case PROTO_FACT_NODE:
		return node_fits(c, f);
	case PROTO_FACT_MUTATION:
		return mutation_fits(c, r, f);
	case PROTO_FACT_EPOCH:
	case PROTO_FACT_KEY:
	case PROTO_FACT_TOKEN:
		return NULL;
	default:
		break;
	}
	if (!r)
		return "something of a run that nobody has accepted";
	switch (f->kind) {
	case PROTO_FACT_UNITS_ADDED:
		if (!r->open || r->ended)
			return "units for a run that is not open";
		return f->units_added.first == r->g->unit_count ? NULL : "units with other numbers than the next";
	case PROTO_FACT_ASSIGNED:
		return assigned_fits(c, r, f);
	case PROTO_FACT_ENDED:
		return ended_fits(c, r, f);
	case PROTO_FACT_ATTEMPT_ENDED:
		return attempt_ended_fits(c, r, f);
	case PROTO_FACT_RUN_FINISHED:
		return finished_fits(r);
	default:
		return NULL;
	}
}
