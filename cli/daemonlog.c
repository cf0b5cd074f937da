#include "cli/daemonlog.h"

#include "cli/out.h"
#include "common/os/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One write a line, so that lines of several processes do not mix; a stderr that takes nothing is nobody's problem. */
static void put_line(void *arg, const char *line, size_t bytes)
{
	(void)arg;
	(void)cli_write_all(STDERR_FILENO, line, bytes);
}

int cli_choose(const char *word, const char *const *names, int count, const char *option, int *out, struct rv_err *err)
{
	char all[128] = "";

	for (int i = 0; i < count; i++) {
		if (strcmp(word, names[i]) == 0) {
			*out = i;
			return 0;
		}
		(void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i == 0 ? "" : i == count - 1 ? " or " : ", ", names[i]);
	}
	return rv_fail(err, RV_E_USAGE, "--%s is %s, not \"%.32s\"", option, all, word);
}

int cli_daemon_log_set(struct cli_daemon_log *l, struct rv_err *err)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	static const char *const formats[] = { "text", "json" };
	int level = RV_LOG_INFO, format = RV_LOG_TEXT;

	if ((l->level_word && cli_choose(l->level_word, levels, 4, "log-level", &level, err)) ||
	    (l->format_word && cli_choose(l->format_word, formats, 2, "log-format", &format, err)))
		return -1;
	l->log = (struct rv_log){ .sink = put_line, .level = (enum rv_log_level)level, .format = (enum rv_log_format)format,
				  .real_us = rv_clock_realtime_us };
	return 0;
}
