/* runpage.h - the page of one run: how far it is, what runs and what failed; keys become acts
 *
 *	reeve watch  run 01ja...  nightly                                      running 12m04s
 *	[##############!!>>>>>>.....................................]
 *	37/120 ok  2 fail  6 run  75 wait  3.1/s  eta ~31m  1.8M tok $4.10
 *
 *	  UNIT             STATE       TIME  NODE  TRY
 *	> build-api        running    4m12s  n3    1
 *	  test-web         failed       12s  n1    2   exit 1: assertion failed: ...
 *
 * It knows no terminal, clock or coordinator: times come in, and what a key asks for comes out (enum view_act), to be done by whoever holds
 * the run (watch.c).
 */
#ifndef CLI_VIEW_RUNPAGE_H
#define CLI_VIEW_RUNPAGE_H

#include "cli/view/canvas.h"
#include "cli/view/key.h"
#include "cli/view/units.h"

enum view_act {
	VIEW_ACT_NONE,
	VIEW_ACT_QUIT,
	VIEW_ACT_HELP,
	VIEW_ACT_LOGS,
	VIEW_ACT_EXPLAIN,
	VIEW_ACT_CANCEL,
	VIEW_ACT_CANCEL_RUN,
	VIEW_ACT_RETRY,
	VIEW_ACT_RETRY_FAILED,
	VIEW_ACT_PAUSE,
	VIEW_ACT_UNPAUSE,
	VIEW_ACT_HOLD,
	VIEW_ACT_RELEASE,
};

struct view_wish {
	enum view_act act;
	uint32_t unit; /* COORD_NONE: of the run */
};

#define VIEW_FILTER_BYTES_MAX 100u
#define VIEW_RATE_SAMPLES 12u

struct view_run_page {
	struct view_units units;
	const struct cli_tally *tally;  /* borrowed */
	char **last_lines;              /* by unit, harmless, malloc'd; NULL: not asked for yet */
	uint32_t line_room;
	uint64_t tokens, cost_microusd; /* as the coordinator says, what runs now included; 0: not told */
	uint32_t selected;              /* a unit; COORD_NONE: nothing is to be selected */
	uint32_t row, top;              /* its row, and the first that is shown */
	bool sticky;                    /* a person chose it: it is followed where it goes */
	struct view_wish asked;         /* waits for y or n */
	bool filtering;                 /* keys go into the filter */
	struct rv_buf message;          /* what an act came to */
	bool message_bad;
	struct rv_buf stuck;            /* why nothing moves */
	bool lost;                      /* the coordinator does not answer */
	uint64_t end_us;                /* when the last unit ended, by the wall clock; 0: none did */
	uint64_t sample_us[VIEW_RATE_SAMPLES];
	uint32_t sample_ended[VIEW_RATE_SAMPLES];
	uint32_t samples, list_rows;    /* list_rows: of the last drawing */
};

int view_run_page_init(struct view_run_page *p, const struct cli_tally *tally, struct rv_err *err);
void view_run_page_release(struct view_run_page *p);
/* After the tally was fed with it. */
void view_run_page_feed(struct view_run_page *p, const struct coord_transition *t);

/* What a key asks for, moving and filtering done. */
struct view_wish view_run_page_key(struct view_run_page *p, struct view_key key);
/* What an act came to, harmless; "" nothing. */
void view_run_page_say(struct view_run_page *p, bool bad, struct rv_str message);

/* The first unit among the visible rows whose last line is wanted and not there; COORD_NONE: none. */
uint32_t view_run_page_wants_line(const struct view_run_page *p);
/* Copied; "" = it left none. */
void view_run_page_set_line(struct view_run_page *p, uint32_t unit, struct rv_str harmless);

void view_run_page_draw(struct view_run_page *p, struct view_canvas *c, uint64_t real_us);

#endif
