/* disk.c - the journal: rows of facts, commits that take time, and what a crash leaves
 *
 * Durability process: a row is committed when append returns; a kill leaves it, whole. Durability power: rows queue and one
 * commit takes all that wait; a crash leaves what was committed and, by chance, rows whose commit was under way. Rows are there
 * whole or not at all and without a gap (journal.h J2).
 */
#include "tests/sim/world.h"

#include "common/check.h"

#include <stdlib.h>

void sim_disk_release(struct sim_disk *d)
{
	uint32_t i;

	for (i = 0; i < d->count; i++)
		rv_buf_release(&d->rows[i].records);
	free(d->rows);
	*d = (struct sim_disk){ 0 };
}

static void start_commit(struct sim_world *w)
{
	w->disk.commit_under_way = true;
	sim_schedule(w, (struct sim_event){ .at_us = w->now_us + 1 + sim_below(&w->misc_prng, w->spec->commit_us_max),
					    .kind = SIM_EV_COMMIT, .a = w->coord.life, .b = w->disk.count });
}

uint64_t sim_disk_append(struct sim_world *w, struct rv_buf *records, uint32_t facts, uint64_t epoch, uint64_t real_us)
{
	struct sim_disk *d = &w->disk;

	if (d->count == d->capacity) {
		d->capacity = d->capacity ? d->capacity * 2 : 256;
		d->rows = realloc(d->rows, d->capacity * sizeof(*d->rows));
		rv_check(d->rows);
	}
	d->rows[d->count++] = (struct sim_row){ .records = *records, .epoch = epoch, .real_us = real_us, .facts = facts };
	rv_buf_init(records, 0);
	w->counts.rows++;
	if (!w->spec->power)
		d->durable = d->count;
	else if (!d->commit_under_way)
		start_commit(w);
	return d->count;
}

/* Everything that was there when this commit began is durable. */
void sim_disk_commit(struct sim_world *w, uint32_t count)
{
	struct sim_disk *d = &w->disk;

	d->commit_under_way = false;
	d->durable = count;
	if (d->count > count)
		start_commit(w);
	sim_note(w, "committed", d->durable, 0, 0);
	sim_coord_released(w);
}

void sim_disk_crash(struct sim_world *w, enum sim_crash how)
{
	struct sim_disk *d = &w->disk;
	uint32_t keep = d->count;

	d->commit_under_way = false;
	if (w->spec->power && d->durable < d->count)
		keep = (uint32_t)(d->durable + sim_below(&w->fault_prng, d->count - d->durable + 1));
	rv_check(how == SIM_CRASH_KILL || w->spec->power);
	while (d->count > keep)
		rv_buf_release(&d->rows[--d->count].records);
	d->durable = d->count;
}
