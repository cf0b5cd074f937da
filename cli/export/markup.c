/* markup.c - text of others inside XML, HTML, dot and mermaid */
#include "cli/export/markup.h"

/* Harmless text, character by character. */
static void each(enum cli_text_mode mode, struct rv_str s, void (*put)(struct rv_buf *out, struct rv_str c, uint32_t cp), struct rv_buf *out)
{
	struct rv_buf safe;
	struct rv_str left;

	rv_buf_init(&safe, 0);
	cli_text_safe(mode, s, &safe);
	left = rv_buf_str(&safe);
	while (left.bytes) {
		uint32_t cp = ' ', n = cli_utf8_next(left, &cp);

		n = n ? n : 1;
		put(out, rv_str(left.at, n), cp);
		left = rv_str(left.at + n, left.bytes - n);
	}
	if (safe.failed)
		out->failed = true;
	rv_buf_release(&safe);
}

static void put_markup(struct rv_buf *out, struct rv_str c, uint32_t cp)
{
	switch (cp) {
	case '&':
		(void)rv_buf_puts(out, "&amp;");
		break;
	case '<':
		(void)rv_buf_puts(out, "&lt;");
		break;
	case '>':
		(void)rv_buf_puts(out, "&gt;");
		break;
	case '"':
		(void)rv_buf_puts(out, "&quot;");
		break;
	case '\'':
		(void)rv_buf_puts(out, "&#39;");
		break;
	case 0xfffe:
	case 0xffff:
		(void)rv_buf_puts(out, "\xef\xbf\xbd");
		break;
	default:
		(void)rv_buf_put_str(out, c);
		break;
	}
}

void cli_put_markup(struct rv_buf *out, enum cli_text_mode mode, struct rv_str s)
{
	each(mode, s, put_markup, out);
}

static void put_dot(struct rv_buf *out, struct rv_str c, uint32_t cp)
{
	if (cp == '"' || cp == '\\')
		(void)rv_buf_putc(out, '\\');
	(void)rv_buf_put_str(out, c);
}

void cli_put_dot(struct rv_buf *out, struct rv_str s)
{
	(void)rv_buf_putc(out, '"');
	each(CLI_TEXT_CELL, s, put_dot, out);
	(void)rv_buf_putc(out, '"');
}

static void put_mermaid(struct rv_buf *out, struct rv_str c, uint32_t cp)
{
	if ((cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') || (cp >= '0' && cp <= '9') || (cp < 0x80 && strchr(" ._,:/-+", (int)cp)))
		(void)rv_buf_put_str(out, c);
	else
		(void)rv_buf_printf(out, "#%u;", cp);
}

void cli_put_mermaid(struct rv_buf *out, struct rv_str s)
{
	each(CLI_TEXT_CELL, s, put_mermaid, out);
}
