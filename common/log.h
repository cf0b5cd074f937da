/* log.h - formats log lines; where they go is the caller's
 *
 * A line is when, an event name and key=value pairs: `time=2026-03-01T12:00:00.250Z level=info event=unit_finished run=.. unit=..`. Values
 * that hold blanks, quotes or control characters are quoted and escaped, so that nothing an agent prints can forge a line.
 */
#ifndef RV_LOG_H
#define RV_LOG_H

#include "base.h"

enum rv_log_level { RV_LOG_ERROR, RV_LOG_WARN, RV_LOG_INFO, RV_LOG_DEBUG };
enum rv_log_format { RV_LOG_TEXT, RV_LOG_JSON };

struct rv_log {
	void (*sink)(void *arg, const char *line, size_t bytes); /* one whole line, newline included */
	void *arg;
	enum rv_log_level level;
	enum rv_log_format format;
	uint64_t (*real_us)(void);     /* CLOCK_REALTIME, for `time` (UTC, milliseconds); NULL: lines have none */
	const char *const *always;     /* key, value, ..., NULL: behind the event of each line; NULL: none */
};

/* Pairs of key and value as C strings, NULL at the end (a NULL value ends them too). A value over 4 KiB is cut and ends
 * in "...". A NULL log or a level above the log's: nothing. */
void rv_log(const struct rv_log *log, enum rv_log_level level, const char *event, ...)
	__attribute__((sentinel));

#endif
