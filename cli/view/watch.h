/* watch.h - the live view of one run: `watch` and `submit --watch` on a terminal, and Enter in `top`
 *
 * Shown is a run that lives, at a coordinator or as a `run` on this host; its facts are followed, what is pressed is done by the verbs' own
 * acts.
 */
#ifndef CLI_VIEW_WATCH_H
#define CLI_VIEW_WATCH_H

#include "cli/follow.h"

/* As cli_follow(), which it leaves a run to that cannot be asked, a terminal that cannot be drawn on, and the result at the end. Gives the
 * exit status. */
int view_watch(const struct cli_follow *wish);

enum view_left {
	VIEW_LEFT_QUIT,   /* a person left */
	VIEW_LEFT_SIGNAL, /* INT, TERM, HUP, or the terminal went */
	VIEW_LEFT_ENDED,  /* the run has */
	VIEW_LEFT_LOST,   /* `err` says why */
};

/* The view of a run that is open with CLI_VIEW_LIVE and is asked; the terminal is open. */
struct cli_runview;
enum view_left view_watch_run(struct cli_runview *v, struct rv_err *err);

#endif
