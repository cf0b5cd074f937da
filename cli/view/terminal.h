/* terminal.h - the only place that meets ncurses
 *
 * The terminal is as it was before when view_terminal_close() returns, and when the process dies of a signal that it can still notice.
 * One at a time: it belongs to the process.
 */
#ifndef CLI_VIEW_TERMINAL_H
#define CLI_VIEW_TERMINAL_H

#include "cli/view/canvas.h"
#include "cli/view/key.h"
#include "common/err.h"

/* May a view be drawn: are stdin and stdout terminals that know more than lines (cli_may_animate)? */
bool view_terminal_possible(void);
/* RV_E_UNSUPPORTED: nobody knows how to draw on a terminal of this TERM. */
int view_terminal_open(struct rv_err *err);
void view_terminal_close(void);

void view_terminal_size(uint32_t *columns, uint32_t *rows);
void view_terminal_show(const struct view_canvas *c);
/* The next key that was pressed, VIEW_KEY_NONE: none is there. Does not wait. */
struct view_key view_terminal_key(void);
/* Readable when there may be a key; and when the size has changed. */
int view_terminal_fd(void);
int view_terminal_resize_fd(void);
/* Nobody is there any more (stdin's other side has gone). */
bool view_terminal_gone(void);

#endif
