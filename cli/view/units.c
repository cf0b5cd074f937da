#include "cli/view/units.h"

#include <stdlib.h>
#include <string.h>

#define COMPACT_FROM 64u /* entries of no use that a list may have */

/* __verify__ has the row behind the last unit's. */
static uint32_t unit_count(const struct view_units *u)
{
	return (uint32_t)rv_min_u64(u->tally->count + u->tally->has_verify, u->known);
}

/* --- lists ---------------------------------------------------------------------------------------------------------------- */

static bool stands(const struct view_units *u, enum view_list list, uint32_t i)
{
	uint32_t unit = u->sets[list].at[i];

	return u->list[unit] == list && u->place[unit] == i;
}

static void compact(struct view_units *u, enum view_list list)
{
	struct view_set *s = &u->sets[list];
	uint32_t to = 0;

	if (s->live == s->count)
		return;
	for (uint32_t i = 0; i < s->count; i++) {
		if (!stands(u, list, i))
			continue;
		s->at[to] = s->at[i];
		u->place[s->at[to]] = to;
		to++;
	}
	s->count = to;
}

static void leave(struct view_units *u, uint32_t unit)
{
	struct view_set *s = &u->sets[u->list[unit]];

	if (u->list[unit] == VIEW_NO_LIST)
		return;
	s->live--;
	if (u->place[unit] + 1 == s->count)
		s->count--;
	u->list[unit] = VIEW_NO_LIST;
}

static void enter(struct view_units *u, uint32_t unit, enum view_list list)
{
	struct view_set *s = &u->sets[list];

	if (u->list[unit] == list)
		return;
	leave(u, unit);
	if (list == VIEW_NO_LIST)
		return;
	if (s->count > 2 * s->live + COMPACT_FROM)
		compact(u, list);
	if (s->count == s->room) {
		uint32_t room = s->room ? 2 * s->room : 256, *more = realloc(s->at, room * sizeof(*more));

		if (!more) {
			u->failed = true;
			return;
		}
		s->at = more;
		s->room = room;
	}
	s->at[s->count] = unit;
	u->place[unit] = s->count++;
	u->list[unit] = (uint8_t)list;
	s->live++;
}

static enum view_list list_of(const struct view_units *u, uint32_t unit)
{
	switch (u->tally->units[unit].state) {
	case COORD_UNIT_HELD:
		return VIEW_HELD;
	case COORD_UNIT_ACTIVE:
		return u->tally->units[unit].start_us ? VIEW_RUNNING : VIEW_ASSIGNED;
	case COORD_UNIT_FAILED:
	case COORD_UNIT_CANCELLED:
		return VIEW_FAILED;
	default:
		return VIEW_NO_LIST;
	}
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

struct aged {
	uint64_t us;
	uint32_t unit;
};

static int by_age(const void *a, const void *b)
{
	const struct aged *x = a, *y = b;

	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* What there was before transitions are listened to, in the order in which it came. */
static int take_present(struct view_units *u)
{
	uint32_t i, count = 0, all = unit_count(u);
	struct aged *aged = calloc(all ? all : 1, sizeof(*aged));

	if (!aged)
		return -1;
	for (i = 0; i < all; i++)
		if (list_of(u, i) != VIEW_NO_LIST)
			aged[count++] = (struct aged){ .us = u->tally->units[i].start_us ? u->tally->units[i].start_us : u->tally->units[i].told_us, .unit = i };
	qsort(aged, count, sizeof(*aged), by_age);
	for (i = 0; i < count; i++)
		enter(u, aged[i].unit, list_of(u, aged[i].unit));
	free(aged);
	return u->failed ? -1 : 0;
}

int view_units_init(struct view_units *u, const struct cli_tally *tally, struct rv_err *err)
{
	*u = (struct view_units){ .tally = tally };
	rv_buf_init(&u->filter, 0);
	u->known = tally->count + 1;
	u->list = calloc((size_t)tally->count + 1, sizeof(*u->list));
	u->place = calloc((size_t)tally->count + 1, sizeof(*u->place));
	if (!u->list || !u->place || take_present(u))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to show %u units", tally->count);
	return 0;
}

void view_units_release(struct view_units *u)
{
	free(u->list);
	free(u->place);
	free(u->matches);
	free(u->rows);
	for (int i = 0; i < VIEW_LISTS; i++)
		free(u->sets[i].at);
	rv_buf_release(&u->filter);
	*u = (struct view_units){ .tally = NULL };
}

/* Units were added to an open run. Without memory they are not shown, and the view ends as for anything else it has no memory for. */
static void grow(struct view_units *u)
{
	uint32_t want = u->tally->count + 1, room = want + want / 2;
	uint8_t *list = realloc(u->list, room * sizeof(*list)), *matches = NULL;
	uint32_t *place = realloc(u->place, room * sizeof(*place));

	u->list = list ? list : u->list;
	u->place = place ? place : u->place;
	if (u->matches && (matches = realloc(u->matches, room * sizeof(*matches))))
		u->matches = matches;
	if (!list || !place || (u->matches && !matches)) {
		u->failed = true;
		return;
	}
	memset(list + u->known, 0, (room - u->known) * sizeof(*list));
	memset(place + u->known, 0, (room - u->known) * sizeof(*place));
	if (matches)
		memset(matches + u->known, 0, (room - u->known) * sizeof(*matches));
	u->known = room;
}

/* --- filter -------------------------------------------------------------------------------------------------------------------- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool holds(struct rv_str text, struct rv_str part)
{
	size_t i, k;

	for (i = 0; i + part.bytes <= text.bytes; i++) {
		for (k = 0; k < part.bytes && lower(text.at[i + k]) == lower(part.at[k]); k++)
			;
		if (k == part.bytes)
			return true;
	}
	return false;
}

static void match_from(struct view_units *u, uint32_t unit)
{
	char room[COORD_UNIT_ID_BYTES];

	for (; unit < unit_count(u); unit++)
		u->matches[unit] = holds(cli_tally_unit_id(u->tally, unit, room), rv_buf_str(&u->filter));
}

void view_units_feed(struct view_units *u, const struct coord_transition *t)
{
	if (t->run == u->tally->run && t->kind == COORD_T_UNITS_ADDED && u->tally->count + 1 > u->known)
		grow(u);
	if (t->run == u->tally->run && t->kind == COORD_T_UNITS_ADDED && u->matches)
		match_from(u, (uint32_t)rv_sat_sub(u->tally->count, t->units));
	if (t->run != u->tally->run || t->unit == COORD_NONE || t->unit >= unit_count(u))
		return;
	enter(u, t->unit, list_of(u, t->unit));
}

void view_units_filter(struct view_units *u, struct rv_str text)
{
	rv_buf_reset(&u->filter);
	(void)rv_buf_put_str(&u->filter, text);
	if (!text.bytes)
		return;
	if (!u->matches)
		u->matches = calloc(u->known, sizeof(*u->matches));
	if (!u->matches) {
		rv_buf_reset(&u->filter);
		return;
	}
	match_from(u, 0);
	view_units_settle(u); /* who asks before the next drawing gets these rows */
}

void view_units_show_all(struct view_units *u, bool all)
{
	u->all = all;
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------ */

static void add_row(struct view_units *u, uint32_t unit)
{
	if (u->row_count == u->row_room) {
		uint32_t room = u->row_room ? 2 * u->row_room : 256, *more = realloc(u->rows, room * sizeof(*more));

		if (!more) {
			u->failed = true;
			return;
		}
		u->rows = more;
		u->row_room = room;
	}
	u->rows[u->row_count++] = unit;
}

static uint32_t listed_row(const struct view_units *u, uint32_t row)
{
	for (int list = VIEW_HELD; list < VIEW_LISTS; list++) {
		const struct view_set *s = &u->sets[list];

		if (row < s->count)
			return list == VIEW_FAILED ? s->at[s->count - 1 - row] : s->at[row];
		row -= s->count;
	}
	return COORD_NONE;
}

static uint32_t listed_count(const struct view_units *u)
{
	uint32_t n = 0;

	for (int list = VIEW_HELD; list < VIEW_LISTS; list++)
		n += u->sets[list].count;
	return n;
}

void view_units_settle(struct view_units *u)
{
	uint32_t i, n;

	for (int list = VIEW_HELD; list < VIEW_LISTS; list++)
		compact(u, (enum view_list)list);
	if (!u->filter.bytes)
		return;
	u->row_count = 0;
	n = u->all ? unit_count(u) : listed_count(u);
	for (i = 0; i < n; i++) {
		uint32_t unit = u->all ? i : listed_row(u, i);

		if (u->matches[unit])
			add_row(u, unit);
	}
}

uint32_t view_units_count(const struct view_units *u)
{
	if (u->filter.bytes)
		return u->row_count;
	return u->all ? unit_count(u) : listed_count(u);
}

uint32_t view_units_row(const struct view_units *u, uint32_t row)
{
	if (row >= view_units_count(u))
		return COORD_NONE;
	if (u->filter.bytes)
		return u->rows[row];
	return u->all ? row : listed_row(u, row);
}

uint32_t view_units_row_of(const struct view_units *u, uint32_t unit)
{
	uint32_t row = 0, i;

	if (unit >= unit_count(u))
		return COORD_NONE;
	if (u->filter.bytes) {
		for (i = 0; i < u->row_count; i++)
			if (u->rows[i] == unit)
				return i;
		return COORD_NONE;
	}
	if (u->all)
		return unit;
	if (u->list[unit] == VIEW_NO_LIST)
		return COORD_NONE;
	for (int list = VIEW_HELD; list < u->list[unit]; list++)
		row += u->sets[list].count;
	i = u->place[unit];
	return row + (u->list[unit] == VIEW_FAILED ? u->sets[VIEW_FAILED].count - 1 - i : i);
}
