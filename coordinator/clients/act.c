/* act.c - what people do to runs, units and nodes (clients.h) */
#include "private.h"

#include "common/check.h"
#include "common/map.h"
#include "common/plan/plan.h"
#include "coordinator/access.h"

/* A run that the core has forgotten can be removed, too: the list knows it. */
static int check_rm(struct coord_clients *c, const struct proto_act *m, struct rv_err *err)
{
	const struct journal_run *line = coord_runlist_find(coord_shell_runs(c->shell), m->run);

	if (!line)
		return rv_fail(err, RV_E_NOT_FOUND, "there is no run %s", rv_run_id_of(m->run).text);
	if (line->finished_us)
		return 0;
	(void)rv_fail(err, RV_E_CONFLICT, "run %s has not ended", line->run.text);
	return rv_hint(err, "`reeve cancel %s` ends it; then it can be removed", line->run.text);
}

static int refuse_removed(const struct proto_act *m, struct rv_err *err)
{
	(void)rv_fail(err, RV_E_NOT_FOUND, "node %.*s was removed before", RV_STR_ARGS(m->node));
	return rv_hint(err, "that is for good: a machine comes back with a new token and a new key");
}

static bool may_name_unit(enum proto_mutation what)
{
	return what == PROTO_MUT_CANCEL || what == PROTO_MUT_RETRY || what == PROTO_MUT_HOLD || what == PROTO_MUT_RELEASE || what == PROTO_MUT_SKIP;
}

/* Whoever names a unit does not mean all of its run. */
static int check_unit_named(const struct proto_act *m, struct rv_err *err)
{
	if (!m->unit.bytes || may_name_unit((enum proto_mutation)m->what))
		return 0;
	if (proto_mutation_of_node((enum proto_mutation)m->what))
		return rv_fail(err, RV_E_USAGE, "an act on a node names no unit");
	return rv_fail(err, RV_E_USAGE, "this is done to a run as a whole, not to a unit of it");
}

static int fill(struct coord_clients *c, uint64_t peer, const struct proto_act *m, struct proto_fact *f, struct rv_err *err)
{
	const struct coord *core = coord_shell_core(c->shell);

	*f = (struct proto_fact){ .kind = PROTO_FACT_MUTATION };
	f->mutation.what = (enum proto_mutation)m->what;
	f->mutation.run = m->run;
	f->mutation.unit = f->mutation.node = RV_MAP_NONE;
	f->mutation.request = m->id;
	f->mutation.value = m->value;
	f->mutation.note = m->note;
	f->mutation.prompt = m->prompt;
	f->mutation.agent = m->agent;
	if (check_unit_named(m, err) < 0)
		return -1;
	if (m->what == PROTO_MUT_RM)
		return check_rm(c, m, err);
	if (proto_mutation_of_node((enum proto_mutation)m->what)) {
		f->mutation.run = 0;
		f->mutation.node = coord_node_find(core, m->node);
		if (f->mutation.node == COORD_NONE && coord_node_find_removed(core, m->node) != COORD_NONE)
			return refuse_removed(m, err);
		if (f->mutation.node == COORD_NONE)
			return rv_fail(err, RV_E_NOT_FOUND, "there is no node \"%.*s\"", RV_STR_ARGS(m->node));
		return 0;
	}
	if (!clients_find_unit(c, peer, m->run, m->unit, &f->mutation.unit, err))
		return -1;
	if (m->unit.bytes)
		return 0;
	if (m->what == PROTO_MUT_HOLD || m->what == PROTO_MUT_RELEASE || m->what == PROTO_MUT_SKIP)
		return rv_fail(err, RV_E_USAGE, "a unit is missing");
	return 0;
}

/* Whoever is removed is not let in again either. */
static void revoke(struct coord_clients *c, uint32_t node, uint64_t real_us)
{
	uint8_t hash[PROTO_DIGEST_BYTES];
	struct coord_access_verdict v;

	if (!c->cfg.access)
		return;
	coord_node_key(coord_shell_core(c->shell), node, hash);
	coord_access_revoke_hash(c->cfg.access, hash, &v);
	clients_record(c, &v, real_us);
}

static struct rv_str whole_id(struct coord_clients *c, const struct proto_fact *f, char room[COORD_UNIT_ID_BYTES])
{
	const struct coord_graph *g = coord_run_graph(coord_shell_core(c->shell), f->mutation.run);

	return f->mutation.unit == coord_graph_unit_count(g) ? RV_STR(PLAN_VERIFY_ID) : coord_graph_unit_id(g, f->mutation.unit, room);
}

void act_do(struct coord_clients *c, uint64_t peer, const struct proto_act *m, uint64_t now_us, uint64_t real_us)
{
	struct asker from = { peer, m->request };
	char room[COORD_UNIT_ID_BYTES];
	struct proto_fact f;
	struct rv_err err = { 0 };

	/* An act that was done stays done, even where what it was done to is gone by now. */
	if (coord_request_done(coord_shell_core(c->shell), m->id)) {
		c->acting = from;
		c->acting_unit = rv_str(NULL, 0);
		act_replied(c, true, 0);
		return;
	}
	if (fill(c, peer, m, &f, &err) < 0) {
		clients_refuse(c, from, &err);
		return;
	}
	c->acting = from;
	c->acting_unit = m->unit.bytes ? whole_id(c, &f, room) : rv_str(NULL, 0);
	if (coord_shell_mutate(c->shell, &f, 1, now_us, real_us, &err) < 0) {
		clients_refuse(c, from, &err);
		return;
	}
	if (m->what == PROTO_MUT_REMOVE)
		revoke(c, f.mutation.node, real_us);
}

void act_replied(struct coord_clients *c, bool done_before, uint32_t changed)
{
	struct proto_msg m = { .kind = PROTO_DONE };

	m.done = (struct proto_done){ .request = c->acting.request, .done_before = done_before, .changed = changed, .unit = c->acting_unit };
	(void)coord_shell_say(c->shell, c->acting.peer, &m, COORD_SAY_AFTER_FACTS);
}
