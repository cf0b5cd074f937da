/* toppage.h - the page of a coordinator, or of a live `run`: what is in use, how its runs go, its nodes
 *
 *	reeve top  the coordinator in .reeve                                       12:03:11
 *	nodes 3/4   slots 12/24   agents 3/8   running 12   waiting 75   3.1 units/s   1.8M tok $4.10
 *
 *	  RUN         NAME     STATE    PROGRESS                 DONE  FAIL  RUN  WAIT   TIME  SPENT
 *	> 01ja...     nightly  running  [#####>>....]           37/120    2    6    75  12m04s $4.10
 *
 *	  NODE  STATE   HEALTH  SLOTS                 AGENTS  UNITS  HEARD
 *	  n1    joined  good    [######....]   6/8     1/2      7    0.4s
 *
 * Fed with the rows that a coordinator lists (proto/PROTOCOL.md, "Rows"). No terminal, no clock.
 */
#ifndef CLI_VIEW_TOPPAGE_H
#define CLI_VIEW_TOPPAGE_H

#include "cli/rows.h"
#include "cli/view/canvas.h"
#include "cli/view/key.h"
#include "common/id.h"

#define VIEW_TOP_SAMPLES 11u /* a rate is of ten answers */

struct view_top_run {
	char id[RV_RUN_ID_CHARS + 1];
	uint32_t row;            /* in `runs` */
	bool live, paused;
	uint64_t created_us, finished_us, total, succeeded, failed, skipped, cancelled, active, waiting, tokens, cost_microusd;
};

/* What all nodes and live runs come to. */
struct view_top_sums {
	uint64_t nodes, joined, slots, slots_used, agents, agents_used, runs_live, runs, active, waiting, tokens, cost_microusd;
	double per_s;            /* units that ended, over the last samples; 0: not known yet */
};

enum view_top_act { VIEW_TOP_NONE, VIEW_TOP_QUIT, VIEW_TOP_OPEN, VIEW_TOP_PAUSE, VIEW_TOP_UNPAUSE, VIEW_TOP_CANCEL, VIEW_TOP_HELP };

struct view_top_page {
	const char *where;               /* borrowed: who is asked */
	struct cli_rows runs, nodes;
	struct view_top_run *list;       /* live ones first, then by age, newest first */
	uint32_t count;
	struct view_top_sums sums;
	struct { uint64_t us, ended; } samples[VIEW_TOP_SAMPLES];
	uint32_t sample_count;
	uint64_t ended_seen;             /* units, since the first answer */
	char selected[RV_RUN_ID_CHARS + 1];
	uint32_t row, top;
	enum view_top_act asked;         /* waits for y or n */
	struct rv_buf message;
	bool message_bad, lost;
};

void view_top_init(struct view_top_page *p, const char *where);
void view_top_release(struct view_top_page *p);

/* New lists, taken (left empty). `now_us`: of a clock that only runs forward. -1: no memory. */
int view_top_take(struct view_top_page *p, struct cli_rows *runs, struct cli_rows *nodes, uint64_t now_us);

/* What a key asks for; of the run p->selected. */
enum view_top_act view_top_key(struct view_top_page *p, struct view_key key);
void view_top_say(struct view_top_page *p, bool bad, struct rv_str harmless);
void view_top_draw(struct view_top_page *p, struct view_canvas *c, uint64_t real_us);

/* A line of it, for who has no terminal; no newline. */
void view_top_line(const struct view_top_page *p, struct rv_buf *out);

#endif
