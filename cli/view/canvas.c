#include "cli/view/canvas.h"

#include "cli/text.h"

#include <stdarg.h>
#include <stdlib.h>

int view_canvas_init(struct view_canvas *c)
{
	*c = (struct view_canvas){ .lines = calloc(VIEW_ROWS_MAX, sizeof(*c->lines)) };
	if (!c->lines)
		return -1;
	for (uint32_t i = 0; i < VIEW_ROWS_MAX; i++)
		rv_buf_init(&c->lines[i].text, 0);
	return 0;
}

void view_canvas_release(struct view_canvas *c)
{
	for (uint32_t i = 0; c->lines && i < VIEW_ROWS_MAX; i++)
		rv_buf_release(&c->lines[i].text);
	free(c->lines);
	*c = (struct view_canvas){ .lines = NULL };
}

void view_canvas_begin(struct view_canvas *c, uint32_t columns, uint32_t rows)
{
	c->columns = (uint32_t)rv_min_u64(columns, VIEW_COLUMNS_MAX);
	c->rows = (uint32_t)rv_min_u64(rows, VIEW_ROWS_MAX);
	for (uint32_t i = 0; i < c->rows; i++) {
		struct view_line *l = &c->lines[i];

		rv_buf_reset(&l->text);
		l->width = l->span_count = 0;
		l->selected = false;
	}
}

void view_put(struct view_canvas *c, uint32_t row, enum view_style style, struct rv_str s)
{
	struct view_line *l;
	size_t bytes;

	if (row >= c->rows)
		return;
	l = &c->lines[row];
	if (l->width >= c->columns || !s.bytes)
		return;
	bytes = cli_text_cut(s, c->columns - l->width);
	(void)rv_buf_put(&l->text, s.at, bytes);
	l->width += cli_text_width(rv_str(s.at, bytes));
	if (bytes < s.bytes)
		l->width = c->columns; /* a wide character did not fit: nothing comes behind the cut */
	if (l->span_count && (l->spans[l->span_count - 1].style == style || l->span_count == VIEW_SPANS_MAX))
		l->span_count--;
	else
		l->spans[l->span_count].style = style;
	l->spans[l->span_count++].end = l->text.bytes;
}

void view_putf(struct view_canvas *c, uint32_t row, enum view_style style, const char *fmt, ...)
{
	struct rv_buf b;
	va_list ap;

	rv_buf_init(&b, 0);
	va_start(ap, fmt);
	(void)rv_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	view_put(c, row, style, rv_buf_str(&b));
	rv_buf_release(&b);
}

/* More than a line can show is not cleaned: it is cut off anyway, and may be long. */
#define CLEANED_MAX ((size_t)8 * VIEW_COLUMNS_MAX)

void view_put_text(struct view_canvas *c, uint32_t row, enum view_style style, struct rv_str text)
{
	struct rv_buf safe;

	rv_buf_init(&safe, 0);
	cli_text_safe(CLI_TEXT_CELL, rv_str(text.at, rv_min_u64(text.bytes, CLEANED_MAX)), &safe);
	view_put(c, row, style, rv_buf_str(&safe));
	rv_buf_release(&safe);
}

static void blanks(struct view_canvas *c, uint32_t row, uint32_t count)
{
	static const char many[] = "                                                                ";

	while (count) {
		uint32_t n = (uint32_t)rv_min_u64(count, sizeof(many) - 1);

		view_put(c, row, VIEW_PLAIN, rv_str(many, n));
		count -= n;
	}
}

void view_tab(struct view_canvas *c, uint32_t row, uint32_t column)
{
	uint32_t width = row < c->rows ? c->lines[row].width : 0;

	blanks(c, row, width < column ? column - width : 1);
}

void view_put_right(struct view_canvas *c, uint32_t row, enum view_style style, struct rv_str s)
{
	uint32_t width = cli_text_width(s);

	view_tab(c, row, width < c->columns ? c->columns - width : 0);
	view_put(c, row, style, s);
}

void view_select(struct view_canvas *c, uint32_t row)
{
	if (row < c->rows)
		c->lines[row].selected = true;
}

void view_canvas_text(const struct view_canvas *c, struct rv_buf *out)
{
	for (uint32_t i = 0; i < c->rows; i++) {
		struct rv_str s = rv_buf_str(&c->lines[i].text);

		while (s.bytes && s.at[s.bytes - 1] == ' ')
			s.bytes--;
		(void)rv_buf_put_str(out, s);
		(void)rv_buf_putc(out, '\n');
	}
}
