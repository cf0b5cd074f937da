/* log.c - formats log lines */
#include "log.h"

#include "buf.h"

#include <stdio.h>

#define LINE_BYTES_MAX ((size_t)64 << 10)
#define VALUE_BYTES_MAX ((size_t)4 << 10)

static const char *const level_names[] = {
	[RV_LOG_ERROR] = "error",
	[RV_LOG_WARN] = "warn",
	[RV_LOG_INFO] = "info",
	[RV_LOG_DEBUG] = "debug",
};

static bool is_plain(struct rv_str s)
{
	size_t i;

	for (i = 0; i < s.bytes; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return s.bytes > 0;
}

/* A value that is too long is cut, never the line around it. */
static void put_value(struct rv_buf *line, const char *value, bool quote)
{
	struct rv_str s = rv_str_of(value);
	size_t cut = VALUE_BYTES_MAX;

	if (s.bytes > VALUE_BYTES_MAX) {
		while (cut > VALUE_BYTES_MAX - 4 && ((unsigned char)s.at[cut] & 0xc0) == 0x80)
			cut--;
		s.bytes = cut;
		quote = true;
	}
	if (!quote && is_plain(s)) {
		(void)rv_buf_put_str(line, s);
		return;
	}
	if (rv_buf_put_json(line, s) == 0 && cut < strlen(value)) {
		line->bytes--; /* the closing quote comes after the mark */
		(void)rv_buf_puts(line, "...\"");
	}
}

static void put_pair(struct rv_buf *line, const struct rv_log *log, const char *key, const char *value)
{
	if (log->format == RV_LOG_JSON) {
		(void)rv_buf_putc(line, line->bytes ? ',' : '{');
		(void)rv_buf_put_json(line, rv_str_of(key));
		(void)rv_buf_putc(line, ':');
		put_value(line, value, true);
		return;
	}
	if (line->bytes)
		(void)rv_buf_putc(line, ' ');
	(void)rv_buf_puts(line, key);
	(void)rv_buf_putc(line, '=');
	put_value(line, value, false);
}

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* RFC 3339, UTC. A time of no four-digit year is left out. */
static void put_time(struct rv_buf *line, const struct rv_log *log)
{
	static const unsigned char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	uint64_t us = log->real_us ? log->real_us() : 0, s = us / RV_US_PER_S, days = s / 86400;
	unsigned year = 1970, month = 0, of_day = (unsigned)(s % 86400);
	char text[64];

	for (; year <= 9999 && days >= (is_leap(year) ? 366u : 365u); year++)
		days -= is_leap(year) ? 366 : 365;
	if (!us || year > 9999)
		return;
	for (; days >= lengths[month] + (month == 1 && is_leap(year) ? 1u : 0u); month++)
		days -= lengths[month] + (month == 1 && is_leap(year) ? 1u : 0u);
	(void)snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month + 1, (unsigned)days + 1, of_day / 3600, of_day / 60 % 60,
		       of_day % 60, (unsigned)(us % RV_US_PER_S / 1000));
	put_pair(line, log, "time", text);
}

static void say_lost(const struct rv_log *log)
{
	struct rv_str text = RV_STR("level=error event=log_line_lost\n");
	struct rv_str json = RV_STR("{\"level\":\"error\",\"event\":\"log_line_lost\"}\n");
	struct rv_str line = log->format == RV_LOG_JSON ? json : text;

	log->sink(log->arg, line.at, line.bytes);
}

void rv_log(const struct rv_log *log, enum rv_log_level level, const char *event, ...)
{
	struct rv_buf line;
	const char *key, *value;
	va_list ap;

	if (!log || !log->sink || level > log->level)
		return;
	rv_buf_init(&line, LINE_BYTES_MAX);
	put_time(&line, log);
	put_pair(&line, log, "level", level_names[level]);
	put_pair(&line, log, "event", event);
	for (const char *const *pair = log->always; pair && pair[0]; pair += 2)
		put_pair(&line, log, pair[0], pair[1]);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *)) && (value = va_arg(ap, const char *)))
		put_pair(&line, log, key, value);
	va_end(ap);
	(void)rv_buf_puts(&line, log->format == RV_LOG_JSON ? "}\n" : "\n");
	if (line.failed)
		say_lost(log);
	else
		log->sink(log->arg, line.at, line.bytes);
	rv_buf_release(&line);
}
