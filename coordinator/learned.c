#include "coordinator/learned.h"

#include "common/map.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/plan/plan.h"
#include "coordinator/journal/estimates.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* The last times of one unit or template of a run. */
struct times {
	uint32_t count; /* seen in all; the newest ESTIMATES_TIMES are kept */
	uint32_t unit;  /* of the graph: the first that was noted, for its agent */
	uint64_t us[ESTIMATES_TIMES];
};

/* What one run taught so far. */
struct lesson {
	uint64_t run;
	struct rv_buf plan;     /* its name */
	const struct coord_graph *graph;
	struct times *times;    /* one a unit of the plan */
	uint32_t count;
	uint64_t longest_us;
	struct lesson *next;
};

/* Where no unit took longer, their order makes no difference that anybody would see: nothing is written. */
#define WORTH_US 100000u

struct coord_learned {
	char dir[PATH_MAX];
	struct lesson *lessons;
};

int coord_learned_open(struct coord_learned **out, const char *dir)
{
	struct coord_learned *l = calloc(1, sizeof *l);

	if (!l)
		return -1;
	if ((size_t)snprintf(l->dir, sizeof l->dir, "%s", dir) >= sizeof l->dir) {
		free(l);
		return -1;
	}
	*out = l;
	return 0;
}

/* --- asking ----------------------------------------------------------------------------------------------------------- */

struct lookup {
	const struct plan *plan;
	struct rv_strmap units; /* id -> unit of the plan */
	uint64_t *us;
	bool any;
};

static struct rv_str agent_of(const struct plan *p, const struct plan_unit *u)
{
	return u->settings->agent == PLAN_NONE ? RV_STR("") : p->agents[u->settings->agent].name;
}

static void found(void *arg, struct rv_str unit, struct rv_str agent, uint64_t us)
{
	struct lookup *l = arg;
	uint32_t i = rv_strmap_get(&l->units, unit);

	if (i == RV_MAP_NONE || !rv_str_equal(agent_of(l->plan, &l->plan->units[i]), agent))
		return;
	l->us[i] = us;
	l->any = true;
}

/* Only units whose plan says nothing ask; a plan that says it all costs no query. */
static bool wants_any(const struct plan *p)
{
	for (uint32_t i = 0; i < p->unit_count; i++)
		if (p->units[i].estimate_us == PLAN_ESTIMATE_NONE)
			return true;
	return false;
}

uint64_t *coord_learned_estimates(struct coord_learned *l, const struct plan *plan)
{
	struct lookup look = { .plan = plan };
	struct journal_estimates *e = NULL;

	if (plan->unit_count > ESTIMATES_KEYS_MAX || !wants_any(plan))
		return NULL;
	if (journal_estimates_open(&e, l->dir, ESTIMATES_READ, NULL) < 0)
		return NULL; /* the usual first time */
	rv_strmap_init(&look.units, 0x6c6561726e);
	look.us = calloc(plan->unit_count, sizeof *look.us);
	if (look.us && rv_strmap_reserve(&look.units, plan->unit_count) == 0) {
		for (uint32_t i = 0; i < plan->unit_count; i++)
			(void)rv_strmap_add(&look.units, plan->units[i].id, i); /* room was reserved */
		(void)journal_estimates_of_plan(e, plan->name, found, &look, NULL); /* advice: what was read counts */
	}
	rv_strmap_release(&look.units);
	journal_estimates_close(&e);
	if (!look.any) {
		free(look.us);
		return NULL;
	}
	return look.us;
}

/* --- noting -------------------------------------------------------------------------------------------------------------- */

static struct lesson *lesson_of(struct coord_learned *l, const struct coord_graph *g)
{
	uint64_t run = coord_graph_run(g);
	struct lesson *s = l->lessons;
	uint32_t count = coord_graph_template_count(g);

	if (s && s->run == run)
		return s; /* nearly always the newest */
	for (; s; s = s->next)
		if (s->run == run)
			return s;
	if (count == 0 || count > ESTIMATES_KEYS_MAX)
		return NULL;
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->times = calloc(count, sizeof *s->times);
	rv_buf_init(&s->plan, 0);
	if (!s->times || rv_buf_put_str(&s->plan, coord_graph_name(g)) < 0) {
		rv_buf_release(&s->plan);
		free(s->times);
		free(s);
		return NULL;
	}
	s->run = run;
	s->graph = g;
	s->count = count;
	s->next = l->lessons;
	l->lessons = s;
	return s;
}

void coord_learned_note(struct coord_learned *l, const struct coord_graph *g, const struct proto_fact *ended)
{
	const struct proto_result *r = &ended->ended.result;
	struct lesson *s;
	struct times *t;
	uint32_t template;

	if (!g || ended->ended.state != PROTO_END_SUCCEEDED || r->duration_us == 0 || ended->ended.key.unit >= coord_graph_unit_count(g))
		return; /* what took no time (noop, satisfied) teaches nothing */
	s = lesson_of(l, g);
	template = coord_graph_template(g, ended->ended.key.unit);
	if (!s || template >= s->count)
		return;
	t = &s->times[template];
	if (t->count == 0)
		t->unit = ended->ended.key.unit;
	t->us[t->count++ % ESTIMATES_TIMES] = r->duration_us;
	s->longest_us = rv_max_u64(s->longest_us, r->duration_us);
}

static int write_lesson(struct journal_estimates *e, const struct lesson *s, uint64_t now_us)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct times *t = &s->times[i];
		uint32_t kept = t->count < ESTIMATES_TIMES ? t->count : ESTIMATES_TIMES;

		for (uint32_t k = 0; k < kept; k++)
			if (journal_estimates_add(e, rv_buf_str(&s->plan), coord_graph_template_id(s->graph, i), coord_graph_agent(s->graph, t->unit), t->us[k],
						  now_us, NULL) < 0)
				return -1;
	}
	return 0;
}

void coord_learned_drop_run(struct coord_learned *l, uint64_t run)
{
	struct journal_estimates *e = NULL;

	for (struct lesson **at = &l->lessons; *at; at = &(*at)->next) {
		struct lesson *s = *at;

		if (s->run != run)
			continue;
		if (s->longest_us >= WORTH_US && rv_dir_make(l->dir, 0700, NULL) == 0 &&
		    journal_estimates_open(&e, l->dir, ESTIMATES_WRITE, NULL) == 0) {
			/* advice only: a store that fails costs the order of a later run, nothing else */
			if (journal_estimates_begin(e, NULL) == 0 && write_lesson(e, s, rv_clock_realtime_us()) == 0)
				(void)journal_estimates_end(e, NULL);
			journal_estimates_close(&e);
		}
		*at = s->next;
		rv_buf_release(&s->plan);
		free(s->times);
		free(s);
		return;
	}
}

void coord_learned_close(struct coord_learned **l)
{
	if (!*l)
		return;
	while ((*l)->lessons)
		coord_learned_drop_run(*l, (*l)->lessons->run);
	free(*l);
	*l = NULL;
}
