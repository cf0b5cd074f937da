/* stage.h - a view at work: keys and drawings while nothing is asked, and while an answer is waited for
 *
 * Whoever shows something has two functions: one that takes keys, one that draws. They are called from view_stage_idle(), and beside each
 * call of the client (cli_client_beside), so a slow coordinator holds no key up. What a key asks for and takes a call is done later, by
 * whoever runs the stage: `key` says so, and the call that waits is given up.
 *
 * Drawn at most each VIEW_DRAW_US where something came, VIEW_KEY_DRAW_US where a key was pressed, and at least each VIEW_TICK_US.
 */
#ifndef CLI_VIEW_STAGE_H
#define CLI_VIEW_STAGE_H

#include "cli/client.h"
#include "cli/view/canvas.h"
#include "cli/view/key.h"

#define VIEW_DRAW_US 250000u
#define VIEW_KEY_DRAW_US 30000u
#define VIEW_TICK_US 1000000u

struct view_stage {
	bool (*key)(void *arg, struct view_key key); /* true: there is something to be done now */
	void (*draw)(void *arg, struct view_canvas *c);
	void *arg;
	struct cli_client *client; /* borrowed */
	struct view_canvas canvas;
	bool keep_call;            /* the call under way is not given up */
	bool wanted;               /* `key` said so; whoever does it takes it back */
	bool gone;                 /* nobody is at the terminal any more */
	bool changed, pressed;     /* since the last drawing */
	uint64_t drawn_us;
};

/* The terminal is open. */
int view_stage_init(struct view_stage *s, struct cli_client *client, struct rv_err *err);
void view_stage_release(struct view_stage *s);
/* The client calls us again; after another stage had it. */
int view_stage_enter(struct view_stage *s, struct rv_err *err);

/* Keys and drawings until then (CLOCK_BOOTTIME us), or until something is wanted or nobody is there. */
void view_stage_idle(struct view_stage *s, uint64_t until_us);
/* Something came: it will be drawn when it is time. */
static inline void view_stage_change(struct view_stage *s)
{
	s->changed = true;
}

#endif
