/* render.c - answers as people and programs want them */
#include "cli/render.h"

#include "cli/text.h"
#include "common/check.h"
#include "common/id.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* --- formats and terminals ---------------------------------------------------------------------------------------- */

static const char *const format_names[] = { "table", "wide", "json", "jsonl", "name" };

int cli_format_parse(const char *option, enum cli_format *out, struct rv_err *err)
{
	const char *what = option ? "-o" : "REEVE_FORMAT";
	size_t i;
	int nearest;

	if (!option)
		option = getenv("REEVE_FORMAT");
	if (!option || !*option) {
		*out = CLI_TABLE;
		return 0;
	}
	for (i = 0; i < RV_ARRAY_LEN(format_names); i++) {
		if (strcmp(option, format_names[i]) == 0) {
			*out = (enum cli_format)i;
			return 0;
		}
	}
	(void)rv_fail(err, RV_E_USAGE, "%s: there is no format \"%.64s\"", what, option);
	nearest = rv_nearest(rv_str_of(option), format_names, RV_ARRAY_LEN(format_names));
	if (nearest >= 0)
		return rv_hint(err, "did you mean %s?", format_names[nearest]);
	return rv_hint(err, "table, wide, json, jsonl or name");
}

static bool env_set(const char *name)
{
	const char *v = getenv(name);

	return v && *v;
}

bool cli_is_tty(int fd)
{
	return isatty(fd) == 1;
}

static bool plain_wanted(int fd)
{
	const char *term = getenv("TERM");

	return !cli_is_tty(fd) || env_set("CI") || (term && strcmp(term, "dumb") == 0);
}

bool cli_may_colour(int fd)
{
	return !plain_wanted(fd) && !env_set("NO_COLOR");
}

bool cli_may_animate(int fd)
{
	return !plain_wanted(fd);
}

uint32_t cli_columns(int fd)
{
	struct winsize w;

	return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80;
}

/* --- tables --------------------------------------------------------------------------------------------------------- */

void cli_table_init(struct cli_table *t, const struct cli_column *columns, uint32_t count, enum cli_format format)
{
	uint32_t i;

	rv_check(count && count <= CLI_TABLE_COLUMNS_MAX);
	*t = (struct cli_table){ .columns = columns, .column_count = count, .format = format };
	rv_buf_init(&t->text, 0);
	rv_buf_init(&t->ends, 0);
	for (i = 0; i < count; i++)
		t->width[i] = cli_text_width(rv_str_of(columns[i].title));
}

void cli_table_release(struct cli_table *t)
{
	rv_buf_release(&t->text);
	rv_buf_release(&t->ends);
}

void cli_table_cell(struct cli_table *t, struct rv_str s)
{
	uint32_t column = (uint32_t)(t->cells % t->column_count);
	size_t start = t->text.bytes;
	uint32_t width;

	cli_text_safe(CLI_TEXT_CELL, s, &t->text);
	if (t->text.bytes == start)
		(void)rv_buf_putc(&t->text, '-');
	width = cli_text_width(rv_str(t->text.at + start, t->text.bytes - start));
	if (width > t->width[column])
		t->width[column] = width;
	(void)rv_buf_put_u64(&t->ends, t->text.bytes);
	t->cells++;
}

void cli_table_cellf(struct cli_table *t, const char *fmt, ...)
{
	struct rv_buf b;
	va_list ap;

	rv_buf_init(&b, 0);
	va_start(ap, fmt);
	(void)rv_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	cli_table_cell(t, rv_buf_str(&b));
	rv_buf_release(&b);
}

static void pad(struct rv_buf *out, uint32_t count)
{
	while (count--)
		(void)rv_buf_putc(out, ' ');
}

static bool shown(const struct cli_table *t, uint32_t column)
{
	return !t->columns[column].wide || t->format == CLI_WIDE;
}

static void put_cell(const struct cli_table *t, uint32_t column, struct rv_str s, struct rv_buf *out, uint32_t *owed)
{
	uint32_t gap = t->width[column] - cli_text_width(s);

	pad(out, *owed); /* blanks are written only when something follows: no line ends in one */
	if (t->columns[column].align == CLI_RIGHT) {
		pad(out, gap);
		gap = 0;
	}
	(void)rv_buf_put_str(out, s);
	*owed = gap + 2;
}

void cli_table_print(const struct cli_table *t, struct rv_buf *out)
{
	struct rv_reader ends;
	uint64_t i, start = 0;
	uint32_t owed = 0, c;

	rv_check(t->cells % t->column_count == 0);
	for (c = 0; c < t->column_count; c++)
		if (shown(t, c))
			put_cell(t, c, rv_str_of(t->columns[c].title), out, &owed);
	(void)rv_buf_putc(out, '\n');
	rv_reader_init(&ends, rv_buf_str(&t->ends));
	for (i = 0; i < t->cells; i++) {
		uint64_t end = rv_read_u64(&ends);

		c = (uint32_t)(i % t->column_count);
		if (c == 0)
			owed = 0;
		if (shown(t, c))
			put_cell(t, c, rv_str(t->text.at + start, end - start), out, &owed);
		if (c == t->column_count - 1)
			(void)rv_buf_putc(out, '\n');
		start = end;
	}
}

/* --- small texts ------------------------------------------------------------------------------------------------------ */

void cli_put_duration(struct rv_buf *out, uint64_t us)
{
	uint64_t s = us / RV_US_PER_S;

	if (us < RV_US_PER_S)
		(void)rv_buf_printf(out, "%llums", (unsigned long long)(us / RV_US_PER_MS));
	else if (s < 60)
		(void)rv_buf_printf(out, "%llu.%llus", (unsigned long long)s, (unsigned long long)(us / 100000 % 10));
	else if (s < 3600)
		(void)rv_buf_printf(out, "%llum%02llus", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
	else if (s < 86400)
		(void)rv_buf_printf(out, "%lluh%02llum", (unsigned long long)(s / 3600), (unsigned long long)(s / 60 % 60));
	else
		(void)rv_buf_printf(out, "%llud%02lluh", (unsigned long long)(s / 86400), (unsigned long long)(s / 3600 % 24));
}

static void put_part(struct rv_buf *out, char before, int v, uint32_t digits)
{
	(void)rv_buf_putc(out, before);
	(void)rv_buf_put_decimal(out, (uint64_t)v, digits);
}

void cli_put_time(struct rv_buf *out, uint64_t real_us)
{
	time_t s = (time_t)(real_us / RV_US_PER_S);
	struct tm tm;

	if (!gmtime_r(&s, &tm)) {
		(void)rv_buf_puts(out, "-");
		return;
	}
	(void)rv_buf_put_decimal(out, (uint64_t)tm.tm_year + 1900, 4); /* since 1970: never negative */
	put_part(out, '-', tm.tm_mon + 1, 2);
	put_part(out, '-', tm.tm_mday, 2);
	put_part(out, 'T', tm.tm_hour, 2);
	put_part(out, ':', tm.tm_min, 2);
	put_part(out, ':', tm.tm_sec, 2);
	put_part(out, '.', (int)(real_us % RV_US_PER_S), 6);
	(void)rv_buf_putc(out, 'Z');
}

void cli_put_bytes(struct rv_buf *out, uint64_t bytes)
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t tenths;
	size_t i = 0;

	if (bytes < 1024) {
		(void)rv_buf_printf(out, "%llu B", (unsigned long long)bytes);
		return;
	}
	while (bytes >= (uint64_t)1024 * 1024 && i + 1 < RV_ARRAY_LEN(unit)) {
		bytes /= 1024;
		i++;
	}
	tenths = bytes * 10 / 1024;
	(void)rv_buf_printf(out, "%llu.%llu %s", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10), unit[i]);
}

/* --- JSON --------------------------------------------------------------------------------------------------------------- */

void cli_json_comma(struct rv_buf *out)
{
	char last = out->bytes ? out->at[out->bytes - 1] : '{';

	if (last != '{' && last != '[' && last != ':' && last != '\n')
		(void)rv_buf_putc(out, ',');
}

void cli_json_key(struct rv_buf *out, const char *key)
{
	cli_json_comma(out);
	(void)rv_buf_putc(out, '"');
	(void)rv_buf_puts(out, key);
	(void)rv_buf_put(out, "\":", 2);
}

void cli_json_str(struct rv_buf *out, const char *key, struct rv_str s)
{
	cli_json_key(out, key);
	(void)rv_buf_put_json(out, s);
}

void cli_json_str_or_null(struct rv_buf *out, const char *key, struct rv_str s)
{
	if (s.bytes)
		cli_json_str(out, key, s);
	else
		cli_json_null(out, key);
}

void cli_json_uint(struct rv_buf *out, const char *key, uint64_t v)
{
	cli_json_key(out, key);
	(void)rv_buf_put_decimal(out, v, 1);
}

void cli_json_int(struct rv_buf *out, const char *key, int64_t v)
{
	cli_json_key(out, key);
	(void)rv_buf_printf(out, "%lld", (long long)v);
}

void cli_json_bool(struct rv_buf *out, const char *key, bool v)
{
	cli_json_key(out, key);
	(void)rv_buf_puts(out, v ? "true" : "false");
}

void cli_json_null(struct rv_buf *out, const char *key)
{
	cli_json_key(out, key);
	(void)rv_buf_puts(out, "null");
}

void cli_json_time(struct rv_buf *out, const char *key, uint64_t real_us)
{
	if (!real_us) {
		cli_json_null(out, key);
		return;
	}
	cli_json_key(out, key);
	(void)rv_buf_putc(out, '"');
	cli_put_time(out, real_us);
	(void)rv_buf_putc(out, '"');
}

void cli_json_ms(struct rv_buf *out, const char *key, uint64_t us)
{
	cli_json_key(out, key);
	(void)rv_buf_put_decimal(out, us / 1000, 1);
	if (us % 1000)
		put_part(out, '.', (int)(us % 1000), 3);
}

void cli_json_compact(struct rv_buf *out, struct rv_str json)
{
	bool in_string = false;
	size_t i;

	for (i = 0; i < json.bytes; i++) {
		char c = json.at[i];

		if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
			continue;
		if ((unsigned char)c >= 0x7f) {
			uint32_t cp, n = cli_utf8_next(rv_str(json.at + i, json.bytes - i), &cp);

			if (n && (cp == 0x7f || (n > 1 && rv_char_misleads(cp)))) {
				rv_buf_put_json_escape(out, cp);
				i += n - 1;
				continue;
			}
		}
		(void)rv_buf_putc(out, c);
		if (in_string && c == '\\' && i + 1 < json.bytes)
			(void)rv_buf_putc(out, json.at[++i]);
		else if (c == '"')
			in_string = !in_string;
	}
}
