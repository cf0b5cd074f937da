/* canvas.h - a screen as lines of styled text, before any terminal
 *
 * A page draws itself here from scratch; terminal.h brings it to the screen, tests read it as text. What is put must be harmless already
 * (cli/text.h). A line ends at the right edge, whatever is put there.
 */
#ifndef CLI_VIEW_CANVAS_H
#define CLI_VIEW_CANVAS_H

#include "common/buf.h"

enum view_style {
	VIEW_PLAIN,
	VIEW_DIM,
	VIEW_BOLD,
	VIEW_TITLE,
	VIEW_GOOD,
	VIEW_BAD,
	VIEW_WARN,
	VIEW_INFO,
	VIEW_STYLES,
};

#define VIEW_SPANS_MAX 32u   /* of a line; what is put after takes the last one's style */
#define VIEW_COLUMNS_MAX 500u
#define VIEW_ROWS_MAX 300u

struct view_span {
	size_t end;  /* in the line's text */
	enum view_style style;
};

struct view_line {
	struct rv_buf text;
	uint32_t width;
	struct view_span spans[VIEW_SPANS_MAX];
	uint32_t span_count;
	bool selected; /* the whole line stands out */
};

struct view_canvas {
	uint32_t columns, rows;
	struct view_line *lines; /* VIEW_ROWS_MAX */
};

int view_canvas_init(struct view_canvas *c);
void view_canvas_release(struct view_canvas *c);
/* Empty, of this size (cut to the limits). */
void view_canvas_begin(struct view_canvas *c, uint32_t columns, uint32_t rows);

/* Behind what the line has; a row that is not there takes nothing. */
void view_put(struct view_canvas *c, uint32_t row, enum view_style style, struct rv_str harmless);
void view_putf(struct view_canvas *c, uint32_t row, enum view_style style, const char *fmt, ...) RV_PRINTF(4, 5);
/* Others' text: made harmless, one line of it. */
void view_put_text(struct view_canvas *c, uint32_t row, enum view_style style, struct rv_str text);
/* Blanks up to this column. A line that is further already gets one blank. */
void view_tab(struct view_canvas *c, uint32_t row, uint32_t column);
/* Ends at the right edge, or at once behind what is there. */
void view_put_right(struct view_canvas *c, uint32_t row, enum view_style style, struct rv_str harmless);
void view_select(struct view_canvas *c, uint32_t row);

/* All of it as lines, without blanks at their ends: for tests. */
void view_canvas_text(const struct view_canvas *c, struct rv_buf *out);

#endif
