/* diag.c - what is wrong with a plan: code, place, sentence, cure */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_CHARS 96u /* of a source line */
#define HEAD_CHARS 16u  /* kept from the start of a longer one */

const char *plan_code_name(enum plan_code code)
{
	static const char *const name[] = {
#define X(n) [PLAN_##n] = #n,
		PLAN_ERROR_CODES(X) PLAN_WARNING_CODES(X)
#undef X
	};

	return code < PLAN_CODES ? name[code] : "E_INTERNAL";
}

void plan_diags_init(struct plan_diags *d)
{
	*d = (struct plan_diags){ 0 };
}

static void diag_release(struct plan_diag *g)
{
	free(g->path);
	free(g->message);
	free(g->hint);
	free(g->source);
	*g = (struct plan_diag){ 0 };
}

void plan_diags_release(struct plan_diags *d)
{
	uint32_t i;

	for (i = 0; i < d->error_count; i++)
		diag_release(&d->error[i]);
	for (i = 0; i < d->warning_count; i++)
		diag_release(&d->warning[i]);
	free(d->file);
	*d = (struct plan_diags){ 0 };
}

/* ---- characters ---- */

static size_t char_bytes(struct rv_str s, size_t at)
{
	size_t n = 1;

	while (at + n < s.bytes && ((unsigned char)s.at[at + n] & 0xc0) == 0x80)
		n++;
	return n;
}

static uint32_t chars_in(struct rv_str s)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < s.bytes; i++)
		n += ((unsigned char)s.at[i] & 0xc0) != 0x80;
	return n;
}

/* Controls, C1, and what turns or hides text: zero width and bidi marks, line separators, the byte order mark. */
static bool unshowable(const unsigned char *at, size_t n)
{
	uint32_t c;

	if (n == 1)
		return at[0] < 0x20 || at[0] >= 0x7f;
	if (at[0] < 0xc2 || n != (at[0] < 0xe0 ? 2u : at[0] < 0xf0 ? 3u : 4u))
		return true; /* no UTF-8: bytes that a terminal may take for C1 hang on whatever stands before them */
	if (n == 2)
		return at[0] == 0xc2 && at[1] < 0xa0;
	if (n != 3)
		return false;
	c = (uint32_t)(at[0] & 15) << 12 | (uint32_t)(at[1] & 63) << 6 | (at[2] & 63);
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) ||
	       c == 0xfeff;
}

const char *plan_quote(struct rv_str s, char out[PLAN_QUOTED])
{
	size_t i = 0, used = 0, n, chars = 0;

	out[used++] = '"';
	while (i < s.bytes && used < PLAN_QUOTED - 16) {
		n = char_bytes(s, i);
		if (n > 4 || chars++ == 80)
			break;
		if (unshowable((const unsigned char *)s.at + i, n) || s.at[i] == '"' || s.at[i] == '\\') {
			if (n == 1 && (s.at[i] == '"' || s.at[i] == '\\'))
				used += (size_t)snprintf(out + used, 16, "\\%c", s.at[i]);
			else if (n == 1)
				used += (size_t)snprintf(out + used, 16, "\\x%02x", (unsigned char)s.at[i]);
			else if (n == 2)
				used += (size_t)snprintf(out + used, 16, "\\u%04x", (unsigned char)s.at[i + 1]);
			else
				used += (size_t)snprintf(out + used, 16, "\\u%04x",
							 (unsigned)((s.at[i] & 15) << 12 | (s.at[i + 1] & 63) << 6 |
								    (s.at[i + 2] & 63)));
		} else {
			memcpy(out + used, s.at + i, n);
			used += n;
		}
		i += n;
	}
	snprintf(out + used, PLAN_QUOTED - used, i < s.bytes ? "...\"" : "\"");
	return out;
}

/* ---- places ---- */

void plan_cursor_move(struct plan_cursor *c, struct rv_str source, size_t to)
{
	const char *stop;

	if (!c->line || to < c->at)
		*c = (struct plan_cursor){ .line = 1, .col = 1 };
	while (c->at < to && (stop = memchr(source.at + c->at, '\n', to - c->at))) {
		c->line++;
		c->col = 1;
		c->at = (size_t)(stop - source.at) + 1;
	}
	c->col += chars_in(rv_str(source.at + c->at, to - c->at));
	c->at = to;
}

/* Appends characters of a source line with what cannot be shown replaced; tabs become a blank so that carets fit. */
static void put_shown(struct rv_buf *b, struct rv_str s)
{
	size_t i = 0, n;

	while (i < s.bytes) {
		n = char_bytes(s, i);
		if (s.at[i] == '\t')
			(void)rv_buf_putc(b, ' ');
		else if (n > 4 || unshowable((const unsigned char *)s.at + i, n))
			(void)rv_buf_puts(b, "\xef\xbf\xbd");
		else
			(void)rv_buf_put(b, s.at + i, n);
		i += n;
	}
}

static size_t skip_chars(struct rv_str s, size_t from, uint32_t chars)
{
	while (chars-- && from < s.bytes)
		from += char_bytes(s, from);
	return from;
}

/* Copies the line with the place visible in it: a long line keeps its start and what stands around the place. */
static void copy_line(struct plan_diag *g, struct rv_str line, uint32_t col0)
{
	uint32_t chars = chars_in(line), from = 0;
	struct rv_buf b;
	size_t head, a, z;

	rv_buf_init(&b, 0);
	g->source_col = col0;
	if (chars > SHOWN_CHARS && col0 + g->width > SHOWN_CHARS - HEAD_CHARS) {
		head = skip_chars(line, 0, HEAD_CHARS);
		put_shown(&b, rv_str(line.at, head));
		(void)rv_buf_puts(&b, "...");
		from = col0 > 2 * HEAD_CHARS + 3 ? col0 - HEAD_CHARS : col0;
		g->source_col = HEAD_CHARS + 3 + (col0 - from);
	}
	a = skip_chars(line, 0, from);
	z = skip_chars(line, a, SHOWN_CHARS - (from ? HEAD_CHARS : 0));
	put_shown(&b, rv_str(line.at + a, z - a));
	if (z < line.bytes)
		(void)rv_buf_puts(&b, "...");
	if (g->source_col + g->width > chars_in(rv_buf_str(&b)))
		g->width = chars_in(rv_buf_str(&b)) > g->source_col ? chars_in(rv_buf_str(&b)) - g->source_col : 1;
	g->source = b.failed ? NULL : strdup(b.at);
	rv_buf_release(&b);
}

static void settle(const struct plan_diags *d, struct plan_diag *g, struct plan_cursor *c)
{
	struct rv_str s = d->source;
	size_t start, end, span = g->span;
	const char *stop;

	g->unsettled = false;
	if (g->at > s.bytes)
		g->at = (uint32_t)s.bytes;
	plan_cursor_move(c, s, g->at);
	g->line = d->source_line + c->line - 1;
	g->col = c->col;
	for (start = g->at; start > 0 && s.at[start - 1] != '\n'; start--)
		;
	stop = g->at < s.bytes ? memchr(s.at + g->at, '\n', s.bytes - g->at) : NULL;
	end = stop ? (size_t)(stop - s.at) : s.bytes;
	if (end > start && s.at[end - 1] == '\r')
		end--;
	if (span > end - g->at)
		span = end > g->at ? end - g->at : 0;
	g->width = span ? chars_in(rv_str(s.at + g->at, span)) : 1;
	copy_line(g, rv_str(s.at + start, end - start), c->col - 1);
}

static void settle_all(const struct plan_diags *d, struct plan_diag *g, uint32_t count)
{
	struct plan_cursor c = { 0 };
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (g[i].unsettled)
			settle(d, &g[i], &c);
	}
}

void plan_diags_source(struct plan_diags *d, struct rv_str source, uint32_t first_line)
{
	settle_all(d, d->error, d->error_count);
	settle_all(d, d->warning, d->warning_count);
	d->source = source;
	d->source_line = first_line;
}

/* ---- adding ---- */

static char *format(const char *fmt, va_list ap)
{
	char *text = NULL;

	return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

static uint64_t order_of(const struct plan_diags *d, struct plan_spot spot)
{
	switch (spot.kind) {
	case PLAN_SPOT_SOURCE:
		/* A whole file counts bytes, JSON lines count lines first: two scales that never meet in one load. */
		return d->source_line > 1 ? (uint64_t)d->source_line << 32 | spot.at : spot.at;
	case PLAN_SPOT_LINE:
		return (uint64_t)spot.line << 32 | spot.part;
	case PLAN_SPOT_KNOWN:
		return (uint64_t)1 << 63 | (uint64_t)spot.line << 24 | rv_min_u64(spot.part, (1u << 24) - 1);
	case PLAN_SPOT_NONE:
		break;
	}
	return 0;
}

/* Makes room at the sorted place of `order` (behind its equals); NULL: full, and all others come first. */
static struct plan_diag *make_room(struct plan_diag *g, uint32_t *count, uint64_t order)
{
	uint32_t at = *count;

	while (at > 0 && g[at - 1].order > order)
		at--;
	if (at == RV_PLAN_DIAGS_MAX)
		return NULL;
	if (*count == RV_PLAN_DIAGS_MAX)
		diag_release(&g[--*count]);
	memmove(&g[at + 1], &g[at], (*count - at) * sizeof(*g));
	++*count;
	g[at] = (struct plan_diag){ .order = order };
	return &g[at];
}

struct plan_diag *plan_diag_add(struct plan_diags *d, enum plan_code code, struct plan_spot spot, const char *fmt, ...)
{
	bool warning = code >= PLAN_FIRST_WARNING;
	struct plan_diag *g;
	va_list ap;

	if (warning)
		d->warnings_found++;
	else
		d->errors_found++;
	g = make_room(warning ? d->warning : d->error, warning ? &d->warning_count : &d->error_count,
		      order_of(d, spot));
	if (!g)
		return NULL;
	g->code = code;
	g->width = 1;
	if (spot.kind == PLAN_SPOT_SOURCE) {
		g->at = spot.at;
		g->span = spot.span;
		g->unsettled = true;
	} else if (spot.kind == PLAN_SPOT_LINE) {
		g->line = spot.line;
	} else if (spot.kind == PLAN_SPOT_KNOWN) {
		g->line = spot.line;
		g->col = spot.part;
	}
	va_start(ap, fmt);
	g->message = format(fmt, ap);
	va_end(ap);
	return g;
}

void plan_diag_hint(struct plan_diag *diag, const char *fmt, ...)
{
	va_list ap;

	if (!diag)
		return;
	free(diag->hint);
	va_start(ap, fmt);
	diag->hint = format(fmt, ap);
	va_end(ap);
}

void plan_diag_path(struct plan_diag *diag, const char *fmt, ...)
{
	va_list ap;

	if (!diag)
		return;
	free(diag->path);
	va_start(ap, fmt);
	diag->path = format(fmt, ap);
	va_end(ap);
}

/* ---- showing ---- */

static void put_spaces(struct rv_buf *out, uint32_t count, char c)
{
	while (count--)
		(void)rv_buf_putc(out, c);
}

static void put_place(const struct plan_diags *d, const struct plan_diag *g, struct rv_buf *out)
{
	if (g->path && strncmp(g->path, "--set ", 6) == 0) { /* it stands on the command line */
		(void)rv_buf_puts(out, g->path);
		return;
	}
	(void)rv_buf_puts(out, d->file ? d->file : "plan");
	if (g->line)
		(void)rv_buf_printf(out, ":%u", g->line);
	if (g->line && g->col)
		(void)rv_buf_printf(out, ":%u", g->col);
	if (g->path && (!g->line || !g->col))
		(void)rv_buf_printf(out, " (%s)", g->path);
}

static void put_text(const struct plan_diags *d, const struct plan_diag *g, struct rv_buf *out)
{
	char number[16];
	uint32_t margin = (uint32_t)snprintf(number, sizeof(number), "%u", g->line);

	(void)rv_buf_printf(out, "%s[%s]: %s\n", g->code >= PLAN_FIRST_WARNING ? "warning" : "error",
			    plan_code_name(g->code), g->message ? g->message : "");
	put_spaces(out, margin, ' ');
	(void)rv_buf_puts(out, "--> ");
	put_place(d, g, out);
	(void)rv_buf_putc(out, '\n');
	if (g->source) {
		put_spaces(out, margin + 1, ' ');
		(void)rv_buf_printf(out, "|\n%s | %s\n", number, g->source);
		put_spaces(out, margin + 1, ' ');
		(void)rv_buf_puts(out, "| ");
		put_spaces(out, g->source_col, ' ');
		put_spaces(out, g->width, '^');
		(void)rv_buf_putc(out, '\n');
	}
	if (g->hint) {
		put_spaces(out, margin + 1, ' ');
		(void)rv_buf_printf(out, "= help: %s\n", g->hint);
	}
}

int plan_diags_text(const struct plan_diags *d, struct rv_buf *out)
{
	uint32_t i;

	for (i = 0; i < d->error_count; i++)
		put_text(d, &d->error[i], out);
	for (i = 0; i < d->warning_count; i++)
		put_text(d, &d->warning[i], out);
	if (d->errors_found > d->error_count)
		(void)rv_buf_printf(out, "and %llu more errors\n",
				    (unsigned long long)(d->errors_found - d->error_count));
	if (d->warnings_found > d->warning_count)
		(void)rv_buf_printf(out, "and %llu more warnings\n",
				    (unsigned long long)(d->warnings_found - d->warning_count));
	return out->failed ? -1 : 0;
}

static void put_member(struct rv_buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	(void)rv_buf_printf(out, ",\"%s\":", name);
	(void)rv_buf_put_json(out, rv_str_of(value));
}

static void put_json(const struct plan_diags *d, const struct plan_diag *g, struct rv_buf *out)
{
	(void)rv_buf_printf(out, "{\"severity\":\"%s\",\"code\":\"%s\"",
			    g->code >= PLAN_FIRST_WARNING ? "warning" : "error", plan_code_name(g->code));
	put_member(out, "file", d->file ? d->file : "plan");
	if (g->line)
		(void)rv_buf_printf(out, ",\"line\":%u", g->line);
	if (g->line && g->col)
		(void)rv_buf_printf(out, ",\"col\":%u", g->col);
	put_member(out, "path", g->path);
	put_member(out, "message", g->message ? g->message : "");
	put_member(out, "hint", g->hint);
	(void)rv_buf_putc(out, '}');
}

int plan_diags_json(const struct plan_diags *d, struct rv_buf *out)
{
	uint32_t i;

	(void)rv_buf_putc(out, '[');
	for (i = 0; i < d->error_count; i++) {
		if (i)
			(void)rv_buf_putc(out, ',');
		put_json(d, &d->error[i], out);
	}
	for (i = 0; i < d->warning_count; i++) {
		if (i || d->error_count)
			(void)rv_buf_putc(out, ',');
		put_json(d, &d->warning[i], out);
	}
	return rv_buf_putc(out, ']');
}
