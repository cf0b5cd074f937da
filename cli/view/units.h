/* units.h - which units of a run a person wants to see: those that are held, that run, that have failed
 *
 * Kept as transitions come, so that a drawing costs what is visible, not what the run has. Four lists one after the other are the rows:
 *
 *	held       waits for a person
 *	running    oldest first, so the slowest leads
 *	assigned   handed to a node, not begun as far as is known
 *	failed     newest first; cancelled ones among them
 *
 * With a filter, rows are found by looking at these lists (or at every unit, where all are shown) at each drawing.
 */
#ifndef CLI_VIEW_UNITS_H
#define CLI_VIEW_UNITS_H

#include "cli/tally.h"

enum view_list { VIEW_NO_LIST, VIEW_HELD, VIEW_RUNNING, VIEW_ASSIGNED, VIEW_FAILED, VIEW_LISTS };

struct view_set {
	uint32_t *at;     /* units as they came; one that has left or come again stays until compacted */
	uint32_t count, room, live;
};

struct view_units {
	const struct cli_tally *tally; /* borrowed */
	uint8_t *list;       /* by unit: enum view_list */
	uint32_t *place;     /* by unit: in its list's `at` */
	struct view_set sets[VIEW_LISTS];
	bool all;            /* rows are all units in the plan's order */
	struct rv_buf filter;/* "" none */
	uint32_t known;      /* units that `list`, `place` and `matches` have room for */
	uint8_t *matches;    /* by unit, while there is a filter */
	uint32_t *rows;      /* with a filter: what matches */
	uint32_t row_count, row_room;
	bool failed;         /* no memory */
};

int view_units_init(struct view_units *u, const struct cli_tally *tally, struct rv_err *err);
void view_units_release(struct view_units *u);
/* After the tally was fed with it. */
void view_units_feed(struct view_units *u, const struct coord_transition *t);

void view_units_show_all(struct view_units *u, bool all);
/* Ids that hold this text, without regard to the case of ASCII letters. */
void view_units_filter(struct view_units *u, struct rv_str text);

/* Makes rows current; call before asking for them. */
void view_units_settle(struct view_units *u);
uint32_t view_units_count(const struct view_units *u);
uint32_t view_units_row(const struct view_units *u, uint32_t row); /* a unit; COORD_NONE past the end */
uint32_t view_units_row_of(const struct view_units *u, uint32_t unit); /* COORD_NONE: it is not shown */
static inline enum view_list view_units_list(const struct view_units *u, uint32_t unit)
{
	return (enum view_list)u->list[unit];
}

#endif
