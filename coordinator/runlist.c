#include "coordinator/runlist.h"

#include "common/limits.h"
#include "coordinator/core/graph.h"

#include <stdlib.h>

void coord_runlist_release(struct coord_runlist *l)
{
	for (uint32_t i = 0; i < l->count; i++)
		free((void *)(uintptr_t)l->runs[i].name.at);
	free(l->runs);
	free(l->touched);
	free(l->written);
	free(l->slots);
	*l = (struct coord_runlist){ 0 };
}

static uint64_t number_of(const struct journal_run *line)
{
	return rv_run_id_number(rv_str_of(line->run.text));
}

static uint32_t place_of(const struct coord_runlist *l, uint64_t run)
{
	return l->slots ? rv_intmap_get(&l->by_run, run) : RV_MAP_NONE;
}

static int grow(struct coord_runlist *l, struct rv_err *err)
{
	uint32_t capacity = l->capacity ? l->capacity * 2 : 4, slots = rv_intmap_slots(capacity);
	struct rv_intmap_slot *at = calloc(slots, sizeof *at);
	struct journal_run *runs = realloc(l->runs, capacity * sizeof *runs), *written;
	bool *touched;

	if (runs)
		l->runs = runs;
	written = runs ? realloc(l->written, capacity * sizeof *written) : NULL;
	if (written)
		l->written = written;
	touched = written ? realloc(l->touched, capacity * sizeof *touched) : NULL;
	if (touched)
		l->touched = touched;
	if (!at || !touched) {
		free(at);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a list of %u runs", capacity);
	}
	free(l->slots);
	l->slots = at;
	l->capacity = capacity;
	rv_intmap_init(&l->by_run, at, slots);
	for (uint32_t i = 0; i < l->count; i++)
		rv_intmap_put(&l->by_run, number_of(&l->runs[i]), i);
	return 0;
}

static int append(struct coord_runlist *l, const struct journal_run *line, struct rv_err *err)
{
	char *name;

	if (l->count == l->capacity && grow(l, err) < 0)
		return -1;
	name = malloc(line->name.bytes + 1);
	if (!name)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a list of %u runs", l->count);
	if (line->name.bytes)
		memcpy(name, line->name.at, line->name.bytes);
	l->runs[l->count] = *line;
	l->runs[l->count].name = rv_str(name, line->name.bytes);
	l->touched[l->count] = false;
	rv_intmap_put(&l->by_run, number_of(line), l->count++);
	return 0;
}

/* A text of the journal as the text that stays: names of states and reasons are few. */
static struct rv_str state_text(struct rv_str s)
{
	for (int k = COORD_RUN_RUNNING; k <= COORD_RUN_CANCELLED; k++)
		if (rv_str_equal(s, rv_str_of(coord_run_state_name((enum coord_run_state)k))))
			return rv_str_of(coord_run_state_name((enum coord_run_state)k));
	if (rv_str_equal(s, RV_STR("removed")))
		return RV_STR("removed");
	return RV_STR("?");
}

static struct rv_str reason_text(struct rv_str s)
{
	for (int k = 1; k < PROTO_REASON_COUNT; k++)
		if (rv_str_equal(s, rv_str_of(proto_reason_name((enum proto_reason)k))))
			return rv_str_of(proto_reason_name((enum proto_reason)k));
	return RV_STR("");
}

struct loading {
	struct coord_runlist *l;
	struct rv_err *err;
	bool failed;
};

static enum journal_next load_line(void *arg, const struct journal_run *run)
{
	struct loading *ld = arg;
	struct journal_run line = *run;

	line.state = state_text(run->state);
	line.reason = reason_text(run->reason);
	ld->l->removed += !coord_runlist_shown(&line);
	ld->failed = append(ld->l, &line, ld->err) < 0;
	return ld->failed ? JOURNAL_STOP : JOURNAL_MORE;
}

int coord_runlist_load(struct coord_runlist *l, struct journal *j, struct rv_err *err)
{
	struct loading ld = { .l = l, .err = err };

	return journal_runs(j, load_line, &ld, err) < 0 || ld.failed ? -1 : 0;
}

int coord_runlist_add(struct coord_runlist *l, const struct proto_fact *accepted, uint64_t real_us, struct rv_err *err)
{
	struct journal_run line = {
		.run = rv_run_id_of(accepted->run_accepted.run),
		.name = accepted->run_accepted.name,
		.state = RV_STR("running"),
		.reason = RV_STR(""),
		.created_us = real_us,
		.total = accepted->run_accepted.units,
	};

	if (coord_runlist_knows(l, accepted->run_accepted.run))
		return 0;
	memcpy(line.plan_digest, accepted->run_accepted.plan_digest, sizeof line.plan_digest);
	return append(l, &line, err);
}

struct journal_run *coord_runlist_find(const struct coord_runlist *l, uint64_t run)
{
	uint32_t i = place_of(l, run);

	return i == RV_MAP_NONE || !coord_runlist_shown(&l->runs[i]) ? NULL : &l->runs[i];
}

bool coord_runlist_knows(const struct coord_runlist *l, uint64_t run)
{
	return place_of(l, run) != RV_MAP_NONE;
}

void coord_runlist_remove(struct coord_runlist *l, uint64_t run)
{
	struct journal_run *line = coord_runlist_find(l, run);

	if (!line)
		return;
	line->state = RV_STR("removed");
	line->reason = RV_STR("");
	l->removed++;
	coord_runlist_touch(l, run);
}

void coord_runlist_touch(struct coord_runlist *l, uint64_t run)
{
	uint32_t i = place_of(l, run);

	if (i != RV_MAP_NONE)
		l->touched[i] = true;
}

static void fill(struct journal_run *line, const struct coord *core)
{
	uint64_t run = number_of(line);
	enum proto_reason reason = PROTO_REASON_NONE;
	struct coord_run_counts counts;

	if (!coord_run_graph(core, run))
		return;
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
	uint64_t run;

	for (uint32_t i = 0; (run = coord_run_at(core, i)); i++) {
		struct journal_run *line = coord_runlist_find(l, run);

		if (line)
			fill(line, core);
	}
}

const struct journal_run *coord_runlist_changed(struct coord_runlist *l, const struct coord *core, uint32_t *count)
{
	*count = 0;
	for (uint32_t i = 0; i < l->count; i++) {
		if (!l->touched[i])
			continue;
		l->touched[i] = false;
		fill(&l->runs[i], core);
		l->written[(*count)++] = l->runs[i];
	}
	return l->written;
}

/* --- ended runs ------------------------------------------------------------------------------------------------------------------- */

uint64_t coord_runlist_too_many(const struct coord_runlist *l, const struct coord *core, uint32_t max)
{
	const struct journal_run *oldest = NULL, *newest = NULL;
	uint64_t units = 0, run;
	uint32_t ended = 0;

	for (uint32_t i = 0; (run = coord_run_at(core, i)); i++) {
		const struct journal_run *line = coord_runlist_find(l, run);

		if (!line || !line->finished_us || coord_run_state(core, run, NULL) < COORD_RUN_SUCCEEDED)
			continue;
		ended++;
		units += line->total;
		if (!oldest || line->finished_us < oldest->finished_us)
			oldest = line;
		if (!newest || line->finished_us >= newest->finished_us)
			newest = line;
	}
	if (!oldest || oldest == newest || (ended <= max && units <= RV_UNITS_ENDED_KEPT))
		return 0;
	return number_of(oldest);
}

static int by_end(const void *a, const void *b)
{
	const struct journal_run *const *x = a, *const *y = b;

	return (*x)->finished_us < (*y)->finished_us ? 1 : (*x)->finished_us > (*y)->finished_us ? -1 : 0;
}

uint64_t coord_runlist_oldest_kept(const struct coord_runlist *l, uint32_t max, struct rv_err *err)
{
	const struct journal_run **ended = calloc(l->count ? l->count : 1, sizeof *ended);
	uint64_t units = 0, oldest = 0;
	uint32_t count = 0, kept = 0;

	if (!ended) {
		(void)rv_fail(err, RV_E_NO_MEMORY, "no memory to look through %u runs", l->count);
		return RV_NEVER;
	}
	for (uint32_t i = 0; i < l->count; i++)
		if (l->runs[i].finished_us && coord_runlist_shown(&l->runs[i]))
			ended[count++] = &l->runs[i];
	if (count)
		qsort(ended, count, sizeof *ended, by_end);
	for (; kept < count && kept < max; kept++) {
		units += ended[kept]->total;
		if (kept && units > RV_UNITS_ENDED_KEPT)
			break;
		oldest = ended[kept]->finished_us;
	}
	free(ended);
	return oldest;
}

bool coord_runlist_is_old(const struct coord_runlist *l, uint64_t run, uint64_t oldest_kept_us)
{
	uint32_t i = place_of(l, run);

	return i != RV_MAP_NONE && (!coord_runlist_shown(&l->runs[i]) || (l->runs[i].finished_us && l->runs[i].finished_us < oldest_kept_us));
}
