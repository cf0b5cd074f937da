/* textpage.h - a page of text to read: a unit's log, an explanation, the help
 *
 * Text comes in pieces, harmless already, and is kept up to VIEW_TEXT_BYTES_MAX: what came first goes. Long lines go on in the next row. At
 * the end of it the page follows what comes.
 */
#ifndef CLI_VIEW_TEXTPAGE_H
#define CLI_VIEW_TEXTPAGE_H

#include "cli/view/canvas.h"
#include "cli/view/key.h"

#define VIEW_TEXT_BYTES_MAX ((size_t)4 << 20)

struct view_text_page {
	struct rv_buf title, note; /* note: behind the title, how it stands */
	struct rv_buf text;
	struct rv_buf starts;      /* size_t each: where lines begin in text */
	uint64_t dropped;          /* bytes that are not kept any more */
	uint64_t top;              /* the first line that is shown */
	bool following;
	uint32_t page_rows;        /* of the last drawing */
};

void view_text_init(struct view_text_page *p);
void view_text_release(struct view_text_page *p);
void view_text_clear(struct view_text_page *p, struct rv_str title);
void view_text_add(struct view_text_page *p, struct rv_str harmless);
static inline uint64_t view_text_lines(const struct view_text_page *p)
{
	return p->starts.bytes / sizeof(size_t);
}

/* Moves; false: the key means nothing here. */
bool view_text_key(struct view_text_page *p, struct view_key key);
/* `keys`: what the last row says can be pressed, beside moving. */
void view_text_draw(struct view_text_page *p, struct view_canvas *c, const char *keys);

#endif
