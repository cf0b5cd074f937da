#include "coordinator/loglines.h"

#include "common/id.h"
#include "common/plan/plan.h"
#include "coordinator/core/graph.h"

#include <stdio.h>

/* Key and value pairs of one line; texts live in `room`. What is left out is told with key NULL, which ends the line: so optional ones come last. */
#define PAIRS_MAX 12

struct line {
	const char *pairs[2 * PAIRS_MAX];
	char room[PAIRS_MAX][COORD_UNIT_ID_BYTES];
	uint32_t count;
};

static void add(struct line *l, const char *key, struct rv_str value)
{
	if (l->count == PAIRS_MAX || !value.bytes)
		return;
	(void)snprintf(l->room[l->count], sizeof l->room[0], "%.*s", (int)rv_min_u64(value.bytes, sizeof l->room[0] - 1), value.at);
	l->pairs[2 * l->count] = key;
	l->pairs[2 * l->count + 1] = l->room[l->count];
	l->count++;
}

static void add_number(struct line *l, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	add(l, key, rv_str_of(text));
}

static void write_line(const struct rv_log *log, enum rv_log_level level, const char *event, const struct line *l)
{
	const char *const *p = l->pairs;

	/* a NULL key ends the line */
	rv_log(log, level, event, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15], p[16], p[17],
	       p[18], p[19], p[20], p[21], p[22], p[23], NULL);
}

static void add_unit(struct line *l, const struct coord *core, uint64_t run, uint32_t unit)
{
	const struct coord_graph *g = coord_run_graph(core, run);
	char room[COORD_UNIT_ID_BYTES];

	if (run)
		add(l, "run", rv_str_of(rv_run_id_of(run).text));
	if (g && unit != COORD_NONE)
		add(l, "unit", unit >= coord_graph_unit_count(g) ? RV_STR(PLAN_VERIFY_ID) : coord_graph_unit_id(g, unit, room));
}

static enum rv_log_level level_of(const struct coord_transition *t)
{
	switch (t->kind) {
	case COORD_T_NODE_SUSPECT:
	case COORD_T_NODE_LOST:
	case COORD_T_NODE_QUARANTINED:
	case COORD_T_ATTEMPT_LOST:
	case COORD_T_ATTEMPT_REJECTED:
	case COORD_T_RESULT_FENCED:
		return RV_LOG_WARN;
	case COORD_T_UNIT_READY:
	case COORD_T_UNIT_ASSIGNED:
	case COORD_T_UNIT_STARTED:
	case COORD_T_UNIT_RETRACTED:
		return RV_LOG_DEBUG;
	case COORD_T_UNIT_FINISHED:
		return t->state == COORD_UNIT_FAILED ? RV_LOG_INFO : RV_LOG_DEBUG;
	default:
		return RV_LOG_INFO;
	}
}

void coord_log_transition(const struct rv_log *log, const struct coord *core, const struct coord_transition *t)
{
	enum rv_log_level level = level_of(t);
	struct line l;

	if (!log || level > log->level || t->kind == COORD_T_RUN_FINISHED) /* which is told with its counts, once it is durable */
		return;
	memset(l.pairs, 0, sizeof l.pairs);
	l.count = 0;
	add_unit(&l, core, t->run, t->unit);
	if (t->attempt)
		add_number(&l, "attempt", t->attempt);
	if (t->node != COORD_NONE)
		add(&l, "node", coord_node_name(core, t->node));
	if (t->kind == COORD_T_RUN_ACCEPTED && coord_run_graph(core, t->run)) {
		add(&l, "name", coord_graph_name(coord_run_graph(core, t->run)));
		add_number(&l, "units", coord_graph_unit_count(coord_run_graph(core, t->run)));
	}
	if (t->kind == COORD_T_UNIT_FINISHED)
		add(&l, "state", rv_str_of(coord_unit_state_name(t->state)));
	/* of one that goes on it is the reason of the attempt before */
	if (t->reason && t->kind != COORD_T_UNIT_READY && t->kind != COORD_T_UNIT_ASSIGNED && t->kind != COORD_T_UNIT_STARTED)
		add(&l, "reason", rv_str_of(proto_reason_name(t->reason)));
	if (t->result && t->result->exit >= 0)
		add_number(&l, "exit", (uint64_t)t->result->exit);
	if (t->result && t->result->signal)
		add_number(&l, "signal", (uint64_t)t->result->signal);
	if (t->kind == COORD_T_UNIT_RETRY_WAIT)
		add_number(&l, "delay_ms", t->delay_us / 1000);
	write_line(log, level, coord_transition_name(t->kind), &l);
}

static void log_key(const struct rv_log *log, const struct proto_fact *f)
{
	static const char *const events[] = { [PROTO_KEY_ADMITTED] = "key_admitted", [PROTO_KEY_REVOKED] = "key_revoked" };
	struct line l = { .count = 0 };

	if ((size_t)f->key.change >= RV_ARRAY_LEN(events) || !events[f->key.change])
		return;
	add(&l, "name", f->key.name);
	add(&l, "token", f->key.token);
	write_line(log, RV_LOG_INFO, events[f->key.change], &l);
}

static void log_token(const struct rv_log *log, const struct proto_fact *f)
{
	static const char *const events[] = { [PROTO_TOKEN_MADE] = "token_created", [PROTO_TOKEN_USED] = "token_used", [PROTO_TOKEN_REVOKED] = "token_revoked" };
	struct line l = { .count = 0 };

	if ((size_t)f->token.change >= RV_ARRAY_LEN(events) || !events[f->token.change])
		return;
	add(&l, "token", f->token.id);
	if (f->token.change != PROTO_TOKEN_REVOKED)
		add_number(&l, "uses_left", f->token.uses);
	write_line(log, RV_LOG_INFO, events[f->token.change], &l);
}

/* What a person did to a node; what was done to runs and units has transitions. */
static void log_act(const struct rv_log *log, const struct coord *core, const struct proto_fact *f)
{
	const char *event = f->mutation.what == PROTO_MUT_UNDRAIN ? "node_undrained" : f->mutation.what == PROTO_MUT_REMOVE ? "node_removed" : NULL;
	struct line l = { .count = 0 };

	if (!event || f->mutation.node >= coord_node_count(core))
		return;
	add(&l, "node", coord_node_name(core, f->mutation.node));
	write_line(log, RV_LOG_INFO, event, &l);
}

void coord_log_fact(const struct rv_log *log, const struct coord *core, const struct proto_fact *f)
{
	if (!log || log->level < RV_LOG_INFO)
		return;
	if (f->kind == PROTO_FACT_KEY)
		log_key(log, f);
	else if (f->kind == PROTO_FACT_TOKEN)
		log_token(log, f);
	else if (f->kind == PROTO_FACT_MUTATION)
		log_act(log, core, f);
}
