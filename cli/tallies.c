#include "cli/tallies.h"

#include <stdlib.h>

void cli_tallies_init(struct cli_tallies *t)
{
	*t = (struct cli_tallies){ 0 };
}

static void destroy(struct cli_tally *t)
{
	cli_tally_release(t);
	free(t);
}

void cli_tallies_release(struct cli_tallies *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		destroy(t->at[i]);
	free(t->at);
	cli_tallies_init(t);
}

/* t->count: there is none. What is told next is mostly of the run that was told of last. */
static uint32_t place_of(const struct cli_tallies *t, uint64_t run)
{
	uint32_t i = t->last;

	if (i < t->count && t->at[i]->run == run)
		return i;
	for (i = 0; i < t->count; i++)
		if (t->at[i]->run == run)
			break;
	return i;
}

static struct cli_tally *add(struct cli_tallies *t, const struct coord_graph *graph)
{
	struct cli_tally *tally;

	if (t->count == t->room) {
		uint32_t room = t->room ? 2 * t->room : 16;
		struct cli_tally **grown = realloc(t->at, room * sizeof *grown);

		if (!grown)
			return NULL;
		t->at = grown;
		t->room = room;
	}
	tally = calloc(1, sizeof *tally);
	if (tally && cli_tally_init(tally, graph, CLI_KEEP_FAILURES, NULL) < 0) {
		free(tally);
		tally = NULL;
	}
	if (tally)
		t->at[t->count++] = tally;
	return tally;
}

struct cli_tally *cli_tallies_feed(struct cli_tallies *t, const struct coord_transition *tr, const struct coord *core)
{
	const struct coord_graph *graph = tr->run ? coord_run_graph(core, tr->run) : NULL;
	struct cli_tally *tally;
	uint32_t i;

	if (!tr->run) {
		for (i = 0; i < t->count; i++)
			cli_tally_feed(t->at[i], tr, core); /* of nodes: their names */
		return NULL;
	}
	i = place_of(t, tr->run);
	if (i < t->count && t->at[i]->graph != graph) { /* its tables went while the journal was read */
		cli_tallies_forget(t, tr->run);
		i = t->count;
	}
	if (!graph)
		return NULL;
	tally = i < t->count ? t->at[i] : add(t, graph);
	if (!tally)
		return NULL;
	t->last = i;
	cli_tally_feed(tally, tr, core);
	return tally;
}

void cli_tallies_forget(struct cli_tallies *t, uint64_t run)
{
	uint32_t i = place_of(t, run);

	if (i == t->count)
		return;
	destroy(t->at[i]);
	t->at[i] = t->at[--t->count];
}
