#include "cli/view/textpage.h"

#include "cli/render.h"
#include "cli/text.h"

#include <string.h>

void view_text_init(struct view_text_page *p)
{
	*p = (struct view_text_page){ .page_rows = 1 };
	rv_buf_init(&p->title, 0);
	rv_buf_init(&p->note, 0);
	rv_buf_init(&p->text, 0);
	rv_buf_init(&p->starts, 0);
}

void view_text_release(struct view_text_page *p)
{
	rv_buf_release(&p->title);
	rv_buf_release(&p->note);
	rv_buf_release(&p->text);
	rv_buf_release(&p->starts);
}

void view_text_clear(struct view_text_page *p, struct rv_str title)
{
	rv_buf_reset(&p->title);
	(void)rv_buf_put_str(&p->title, title);
	rv_buf_reset(&p->note);
	rv_buf_reset(&p->text);
	rv_buf_reset(&p->starts);
	p->dropped = p->top = 0;
	p->following = true;
}

/* --- lines ------------------------------------------------------------------------------------------------------------------ */

static size_t start_of(const struct view_text_page *p, uint64_t line)
{
	size_t at;

	memcpy(&at, p->starts.at + line * sizeof(at), sizeof(at));
	return at;
}

static struct rv_str line_at(const struct view_text_page *p, uint64_t line)
{
	size_t from = start_of(p, line), to = line + 1 < view_text_lines(p) ? start_of(p, line + 1) : p->text.bytes;

	if (to > from && p->text.at[to - 1] == '\n')
		to--;
	return rv_str(p->text.at + from, to - from);
}

/* The older half goes, so that what is added costs the same on the whole. */
static void drop_half(struct view_text_page *p)
{
	uint64_t lines = view_text_lines(p), go = 0;
	size_t bytes;

	while (go + 1 < lines && start_of(p, go) < p->text.bytes / 2)
		go++;
	bytes = go ? start_of(p, go) : p->text.bytes / 2; /* one endless line: its beginning goes */
	rv_buf_consume(&p->text, bytes);
	rv_buf_consume(&p->starts, go * sizeof(size_t));
	lines = view_text_lines(p);
	for (uint64_t i = 0; i < lines; i++) {
		size_t at = (size_t)rv_sat_sub(start_of(p, i), bytes);

		memcpy(p->starts.at + i * sizeof(at), &at, sizeof(at));
	}
	p->dropped += bytes;
	p->top = rv_sat_sub(p->top, go);
}

void view_text_add(struct view_text_page *p, struct rv_str s)
{
	while (s.bytes) {
		const char *end = memchr(s.at, '\n', s.bytes);
		size_t bytes = end ? (size_t)(end - s.at) + 1 : s.bytes, at = p->text.bytes;

		if (!at || p->text.at[at - 1] == '\n')
			(void)rv_buf_put(&p->starts, &at, sizeof(at));
		(void)rv_buf_put(&p->text, s.at, bytes);
		s = rv_str(s.at + bytes, s.bytes - bytes);
		if (p->text.bytes > VIEW_TEXT_BYTES_MAX)
			drop_half(p);
	}
}

/* --- moving ------------------------------------------------------------------------------------------------------------------- */

static void move_by(struct view_text_page *p, int64_t lines)
{
	uint64_t count = view_text_lines(p);

	if (lines < 0) {
		p->following = false;
		p->top = rv_sat_sub(p->top, (uint64_t)-lines);
		return;
	}
	if (p->following)
		return;
	p->top = rv_min_u64(p->top + (uint64_t)lines, count ? count - 1 : 0);
	if (p->top + p->page_rows >= count)
		p->following = true;
}

bool view_text_key(struct view_text_page *p, struct view_key key)
{
	int64_t page = p->page_rows > 1 ? p->page_rows - 1 : 1;

	switch (key.kind) {
	case VIEW_KEY_UP:
		move_by(p, -1);
		return true;
	case VIEW_KEY_DOWN:
		move_by(p, 1);
		return true;
	case VIEW_KEY_PAGE_UP:
		move_by(p, -page);
		return true;
	case VIEW_KEY_PAGE_DOWN:
		move_by(p, page);
		return true;
	case VIEW_KEY_HOME:
		p->following = false;
		p->top = 0;
		return true;
	case VIEW_KEY_END:
		p->following = true;
		return true;
	case VIEW_KEY_CHAR:
		break;
	default:
		return false;
	}
	switch (key.cp) {
	case 'k':
		move_by(p, -1);
		return true;
	case 'j':
		move_by(p, 1);
		return true;
	case 'b':
		move_by(p, -page);
		return true;
	case ' ':
		move_by(p, page);
		return true;
	case 'g':
		p->following = false;
		p->top = 0;
		return true;
	case 'G':
	case 'F':
		p->following = true;
		return true;
	default:
		return false;
	}
}

/* --- drawing -------------------------------------------------------------------------------------------------------------------- */

static uint64_t rows_of(const struct view_text_page *p, uint64_t line, uint32_t columns)
{
	uint32_t width = cli_text_width(line_at(p, line));

	return width ? (width + columns - 1) / columns : 1;
}

/* The first line with which the last one is still seen. */
static uint64_t top_of_end(const struct view_text_page *p, uint32_t columns)
{
	uint64_t line = view_text_lines(p), rows = 0;

	while (line && (rows += rows_of(p, line - 1, columns)) <= p->page_rows)
		line--;
	return rv_min_u64(line, rv_sat_sub(view_text_lines(p), 1));
}

static enum view_style style_of(struct rv_str line)
{
	if (line.bytes > 1 && line.at[1] == ' ')
		switch (line.at[0]) {
		case '>':
			return VIEW_INFO;
		case '!':
			return VIEW_WARN;
		case '=':
			return VIEW_BOLD;
		default:
			break;
		}
	return VIEW_PLAIN;
}

static uint32_t draw_line(struct view_canvas *c, uint32_t row, uint32_t end, struct rv_str line)
{
	enum view_style style = style_of(line);

	do {
		size_t bytes = cli_text_cut(line, c->columns);

		if (!bytes && line.bytes)
			break; /* a terminal narrower than the character */
		view_put(c, row++, style, rv_str(line.at, bytes));
		line = rv_str(line.at + bytes, line.bytes - bytes);
	} while (line.bytes && row < end);
	return row;
}

void view_text_draw(struct view_text_page *p, struct view_canvas *c, const char *keys)
{
	uint32_t row = 1, last = c->rows ? c->rows - 1 : 0;
	uint64_t line, count = view_text_lines(p);

	p->page_rows = c->rows > 3 ? c->rows - 2 : 1;
	view_put(c, 0, VIEW_TITLE, rv_buf_str(&p->title));
	view_put_right(c, 0, VIEW_DIM, rv_buf_str(&p->note));
	if (p->following)
		p->top = count ? top_of_end(p, c->columns) : 0;
	if (p->dropped && p->top == 0 && row < last) {
		struct rv_buf b;

		rv_buf_init(&b, 0);
		(void)rv_buf_puts(&b, "(");
		cli_put_bytes(&b, p->dropped);
		(void)rv_buf_puts(&b, " before this are not kept here: `reeve logs` shows all)");
		view_put(c, row++, VIEW_DIM, rv_buf_str(&b));
		rv_buf_release(&b);
	}
	for (line = p->top; line < count && row < last; line++)
		row = draw_line(c, row, last, line_at(p, line));
	view_put(c, last, VIEW_DIM, rv_str_of(keys));
	if (count > p->page_rows) {
		struct rv_buf b;

		rv_buf_init(&b, 0);
		(void)rv_buf_printf(&b, "%llu of %llu lines%s", (unsigned long long)line, (unsigned long long)count, p->following ? ", at the end" : "");
		view_put_right(c, last, VIEW_DIM, rv_buf_str(&b));
		rv_buf_release(&b);
	}
}
