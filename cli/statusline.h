/* statusline.h - the line that shows how a run goes
 *
 *	[ 37/120 ok 2 fail 6 run 75 wait ] 12m04s eta ~31m | 1.8M tok $4.10 | held: reeve release RUN/approve | slowest: build-api 4m12s @n3
 *
 * On a terminal it stays at the bottom of stderr, drawn at most ten times a second, and steps aside for other lines
 * (cli_statusline_print); a job in the background draws nothing. Elsewhere a plain line is written from time to time while something changes.
 *
 * Times are CLOCK_MONOTONIC or BOOTTIME microseconds, only differences count.
 */
#ifndef CLI_STATUSLINE_H
#define CLI_STATUSLINE_H

#include "cli/tally.h"

enum cli_statusline_mode {
	CLI_LINE_OFF,
	CLI_LINE_PLAIN,
	CLI_LINE_LIVE,
};

struct cli_statusline {
	enum cli_statusline_mode mode;
	int fd;
	const struct cli_tally *tally; /* borrowed */
	uint64_t start_us;
	uint64_t next_us;      /* not drawn before */
	uint64_t real_offset;  /* CLOCK_REALTIME - our clock, for ages of units */
	bool drawn;            /* a line stands there */
	bool changed;          /* since it was drawn */
	uint32_t ended_before; /* by an earlier process of a resumed run: not counted for the eta */
	uint32_t ended;        /* by now */
	uint64_t end_us;       /* when the last of them did, by our clock */
	uint32_t waiting;      /* a unit that waits for its next try, as far as was looked; COORD_NONE */
	uint32_t head, tail;   /* units that run, oldest first; COORD_NONE: none */
	uint32_t *next, *prev; /* by unit; NULL unless live */
	struct rv_buf buf;
};

/* `mode` as wished; CLI_LINE_LIVE becomes PLAIN where `fd` may not be drawn on. */
int cli_statusline_init(struct cli_statusline *l, enum cli_statusline_mode mode, int fd, const struct cli_tally *tally,
			uint64_t now_us, uint64_t real_us, struct rv_err *err);
/* After the tally was fed with the same transition. */
void cli_statusline_feed(struct cli_statusline *l, const struct coord_transition *tr);
/* Draws if something changed or a second has passed, and it is time; call once a turn of the loop. */
void cli_statusline_tick(struct cli_statusline *l, uint64_t now_us);
/* When tick wants to be called again; RV_NEVER: not before something happens. */
uint64_t cli_statusline_next(const struct cli_statusline *l);
/* Lines of other people's text (harmless already, newline at the end), above the live line. */
void cli_statusline_print(struct cli_statusline *l, int fd, struct rv_str lines);
/* Takes the line away and releases. */
void cli_statusline_end(struct cli_statusline *l);

/* How long a run goes on: `left` units as `ended` did, which took `took_us` until the last of them ended, `since_us` ago. 0: nobody knows, which
 * is so, too, when what runs has taken longer than that: it may hang, and a guess that grows with the clock says nothing. */
uint64_t cli_eta_us(uint64_t took_us, uint64_t since_us, uint32_t ended, uint32_t left);

/* The text alone, for tests. `columns` 0: no limit. */
void cli_statusline_text(struct cli_statusline *l, uint64_t now_us, uint32_t columns, struct rv_buf *out);

#endif
