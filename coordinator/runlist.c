#include "coordinator/runlist.h"

#include "coordinator/core/graph.h"

#include <stdlib.h>

void coord_runlist_release(struct coord_runlist *l)
{
	free(l->runs);
	*l = (struct coord_runlist){ 0 };
}

int coord_runlist_add(struct coord_runlist *l, const struct proto_fact *accepted, uint64_t real_us, struct rv_err *err)
{
	struct journal_run *line;

	if (l->count == l->capacity) {
		uint32_t capacity = l->capacity ? l->capacity * 2 : 4;
		struct journal_run *runs = realloc(l->runs, capacity * sizeof *runs);

		if (!runs)
			return rv_fail(err, RV_E_NO_MEMORY, "no memory for a list of %u runs", capacity);
		l->runs = runs;
		l->capacity = capacity;
	}
	line = &l->runs[l->count++];
	*line = (struct journal_run){
		.run = rv_run_id_of(accepted->run_accepted.run),
		.created_us = real_us,
		.total = accepted->run_accepted.units,
	};
	memcpy(line->plan_digest, accepted->run_accepted.plan_digest, sizeof line->plan_digest);
	return 0;
}

struct journal_run *coord_runlist_find(const struct coord_runlist *l, uint64_t run)
{
	struct rv_run_id id = rv_run_id_of(run);

	for (uint32_t i = l->count; i-- > 0;)
		if (memcmp(l->runs[i].run.text, id.text, sizeof id.text) == 0)
			return &l->runs[i];
	return NULL;
}

/* Texts are looked up when a line is written: a graph's name lives as long as the graph. */
static void fill(struct journal_run *line, const struct coord *core)
{
	uint64_t run = rv_run_id_number(rv_str_of(line->run.text));
	const struct coord_graph *g = coord_run_graph(core, run);
	enum proto_reason reason = PROTO_REASON_NONE;
	struct coord_run_counts counts;

	if (!g)
		return;
	line->name = coord_graph_name(g);
	line->state = rv_str_of(coord_run_state_name(coord_run_state(core, run, &reason)));
	line->reason = reason == PROTO_REASON_NONE ? RV_STR("") : rv_str_of(proto_reason_name(reason));
	coord_run_counts(core, run, &counts);
	line->total = counts.total;
	line->succeeded = counts.succeeded;
	line->failed = counts.failed;
	line->skipped = counts.skipped;
	line->cancelled = counts.cancelled;
}

void coord_runlist_fill(struct coord_runlist *l, const struct coord *core)
{
	for (uint32_t i = 0; i < l->count; i++)
		fill(&l->runs[i], core);
}
