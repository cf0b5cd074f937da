#include "cli/waits.h"

#include "cli/text.h"

#include <stdlib.h>

#define STUCK_SHOWN 3 /* lots of units in the line about a run that does not move */

void cli_waits_init(struct cli_waits *w)
{
	*w = (struct cli_waits){ .row_of_class = NULL };
	cli_rows_init(&w->rows);
}

void cli_waits_release(struct cli_waits *w)
{
	cli_rows_release(&w->rows);
	free(w->row_of_class);
	*w = (struct cli_waits){ .row_of_class = NULL };
}

static uint32_t class_of(const struct cli_tally *t, uint32_t unit)
{
	return coord_graph_class(t->graph, unit);
}

void cli_waits_fetch(struct cli_waits *w, struct cli_client *c, const struct cli_tally *t)
{
	struct rv_buf room;
	struct rv_err err;
	uint32_t i, count;

	cli_waits_release(w);
	cli_waits_init(w);
	w->class_count = coord_graph_class_count(t->graph);
	w->row_of_class = calloc(w->class_count ? w->class_count : 1, sizeof(*w->row_of_class));
	if (!w->row_of_class || cli_rows_fetch(&w->rows, c, PROTO_ASK_EXPLAIN, t->run, RV_STR(""), &err)) {
		cli_waits_release(w);
		return;
	}
	rv_buf_init(&room, 0);
	for (i = 0; i < w->rows.count; i++) {
		uint32_t unit = coord_graph_find(t->graph, cli_row_text(cli_row(&w->rows, i), "ready", &room), &count);

		if (unit != COORD_NONE)
			w->row_of_class[class_of(t, unit)] = i + 1;
	}
	rv_buf_release(&room);
}

static bool find_row(const struct cli_waits *w, const struct cli_tally *t, uint32_t unit, struct rv_str *row)
{
	uint32_t class = unit < t->count ? class_of(t, unit) : w->class_count;

	if (class >= w->class_count || !w->row_of_class[class])
		return false;
	*row = cli_row(&w->rows, w->row_of_class[class] - 1);
	return true;
}

static void put(struct rv_buf *out, const char *before, struct rv_str row, const char *key)
{
	struct rv_buf room;

	rv_buf_init(&room, 0);
	if (cli_row_text(row, key, &room).bytes) {
		(void)rv_buf_puts(out, before);
		cli_text_safe(CLI_TEXT_CELL, rv_buf_str(&room), out);
	}
	rv_buf_release(&room);
}

/* `says`, and behind it a member of the row; a word of a later version says nothing here. `stuck`: no unit that goes on mends it. */
static const struct {
	const char *what, *says, *key;
	bool stuck;
} words[] = {
	{ "no_node", "no node has joined", NULL, true },
	{ "never", "no node can take it: needs ", "lacks", true },
	{ "not_here", "a node that could take it is not to be had now: ", "node", true },
	{ "run_paused", "the run is paused", NULL, true },
	{ "run_stopped", "nothing new of the run starts", NULL, false },
	{ "lock", "waits for lock ", "name", false },
	{ "max_concurrent", "waits for a place with agent ", "name", false },
	{ "max_workers", "waits for a place: max_workers", NULL, false },
	{ "directory", "waits for a directory in which another unit works", NULL, false },
	{ "room", "waits for room on a node", NULL, false },
};

static size_t word_of(struct rv_str row)
{
	struct rv_buf room;
	size_t i;

	rv_buf_init(&room, 0);
	(void)cli_row_text(row, "what", &room);
	for (i = 0; i < RV_ARRAY_LEN(words) && !rv_str_equal(rv_buf_str(&room), rv_str_of(words[i].what)); i++)
		;
	rv_buf_release(&room);
	return i;
}

static void put_row(struct rv_buf *out, struct rv_str row, size_t word)
{
	if (words[word].key)
		put(out, words[word].says, row, words[word].key);
	else
		(void)rv_buf_puts(out, words[word].says);
	if (words[word].key && strcmp(words[word].key, "lacks") != 0)
		put(out, "; others lack ", row, "lacks");
}

void cli_waits_put(const struct cli_waits *w, const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	struct rv_str row;
	size_t i;

	if (!find_row(w, t, unit, &row) || (i = word_of(row)) == RV_ARRAY_LEN(words))
		return;
	put_row(out, row, i);
}

void cli_waits_put_stuck(const struct cli_waits *w, const struct cli_tally *t, struct rv_buf *out)
{
	uint64_t ready = 0, stuck = 0;
	uint32_t held = t->in_state[COORD_UNIT_HELD];

	if (t->finished_us || t->in_state[COORD_UNIT_ACTIVE] || t->in_state[COORD_UNIT_RETRY_WAIT])
		return;
	for (uint32_t i = 0; i < w->rows.count; i++) {
		struct rv_str row = cli_row(&w->rows, i);
		size_t word = word_of(row);

		ready += cli_row_uint(row, "count");
		if (word < RV_ARRAY_LEN(words) && words[word].stuck)
			stuck += cli_row_uint(row, "count");
	}
	if (ready != stuck || !(stuck + held))
		return;
	(void)rv_buf_puts(out, "nothing of this run can move: ");
	for (uint32_t i = 0; i < w->rows.count; i++) {
		struct rv_str row = cli_row(&w->rows, i);
		uint64_t count = cli_row_uint(row, "count");
		size_t word = word_of(row);

		if (i == STUCK_SHOWN) {
			(void)rv_buf_puts(out, "; ...");
			break;
		}
		(void)rv_buf_printf(out, "%s%llu ready unit%s: ", i ? "; " : "", (unsigned long long)count, cli_s(count));
		if (word < RV_ARRAY_LEN(words))
			put_row(out, row, word);
	}
	if (held)
		(void)rv_buf_printf(out, "%s%u held", stuck ? "; " : "", held);
	(void)rv_buf_putc(out, '\n');
}
