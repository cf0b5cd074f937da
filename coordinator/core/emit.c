/* emit.c - effects, and the scratch memory that they point to until the next step */
#include "coordinator/core/state.h"

static void *scratch(struct coord *c, size_t bytes)
{
	void *at = c->scratch + c->scratch_used;

	bytes = (bytes + 7) & ~(size_t)7;
	rv_check(c->scratch_used + bytes <= COORD_SCRATCH_BYTES);
	c->scratch_used += bytes;
	return at;
}

struct coord_effect *coord_emit(struct coord *c, enum coord_effect_kind kind, uint64_t peer)
{
	struct coord_effect *e = &c->out->items[c->out->count];

	rv_check(c->out->count < c->out->capacity);
	c->out->count++;
	e->kind = kind;
	e->needs_fact = true; /* whatever is said rests on what was decided; the few that do not say so */
	e->peer = peer;
	return e;
}

/* How much of a fact is used: copying the room of a whole result for an assignment would cost more than deciding it.
 * Scratch has slack behind it, so that the whole struct may be read. */
static size_t fact_bytes(enum proto_fact_kind kind)
{
	switch (kind) {
	case PROTO_FACT_ASSIGNED:
		return offsetof(struct proto_fact, assigned) + sizeof(((struct proto_fact *)0)->assigned);
	case PROTO_FACT_RUN_STOPPED:
		return offsetof(struct proto_fact, run_stopped) + sizeof(((struct proto_fact *)0)->run_stopped);
	case PROTO_FACT_ENDED:
		return offsetof(struct proto_fact, ended) + sizeof(((struct proto_fact *)0)->ended);
	default:
		return sizeof(struct proto_fact);
	}
}

const struct proto_fact *coord_fact(struct coord *c, const struct proto_fact *f)
{
	size_t bytes = fact_bytes(f->kind);
	struct proto_fact *copy;

	if (!c->live)
		return f;
	copy = scratch(c, bytes);
	memcpy(copy, f, bytes);
	c->part = 0;
	coord_emit(c, COORD_FX_FACT, 0)->fact = copy;
	return copy;
}

struct proto_fact *coord_fact_new(struct coord *c, enum proto_fact_kind kind)
{
	struct proto_fact *f = scratch(c, fact_bytes(kind));

	rv_check(c->live);
	f->kind = kind;
	return f;
}

void coord_decide_new(struct coord *c, const struct proto_fact *f)
{
	c->part = 0;
	coord_emit(c, COORD_FX_FACT, 0)->fact = f;
	coord_apply(c, f, NULL);
}

static bool is_live_only(enum coord_transition_kind kind)
{
	return kind == COORD_T_UNIT_READY || kind == COORD_T_UNIT_STARTED || kind == COORD_T_RESULT_FENCED || kind == COORD_T_NODE_JOINED ||
	       kind == COORD_T_NODE_SUSPECT || kind == COORD_T_NODE_LOST || kind == COORD_T_NODE_LEFT;
}

static struct coord_transition *tell(struct coord *c, enum coord_transition_kind kind)
{
	struct coord_transition *t = scratch(c, sizeof(*t));

	*t = (struct coord_transition){ .kind = kind, .real_us = c->real_us, .position = c->position, .index = c->index,
					.part = is_live_only(kind) ? COORD_NONE : c->part++,
					.unit = COORD_NONE, .node = COORD_NONE, .root_cause = COORD_NONE, .agent = COORD_NONE };
	coord_emit(c, COORD_FX_TRANSITION, 0)->transition = t;
	return t;
}

struct coord_transition *coord_tell(struct coord *c, enum coord_transition_kind kind, const struct coord_run *r, uint32_t unit)
{
	struct coord_transition *t = tell(c, kind);

	t->run = r->id;
	t->run_state = (enum coord_run_state)r->state;
	if (unit != COORD_NONE) {
		const struct coord_unit *u = coord_unit_at(r, unit);

		t->unit = unit;
		t->state = (enum coord_unit_state)u->state;
		t->attempt = u->attempt;
		t->try_number = u->tries;
		t->node = u->node;
		t->class = (enum proto_class)u->class;
		t->reason = (enum proto_reason)u->reason;
		t->root_cause = u->root_cause;
		if (kind == COORD_T_UNIT_ASSIGNED)
			t->agent = coord_attempt_agent(c, r, u->slot);
	}
	return t;
}

struct coord_transition *coord_tell_node(struct coord *c, enum coord_transition_kind kind, uint32_t node)
{
	struct coord_transition *t = tell(c, kind);

	t->node = node;
	return t;
}
