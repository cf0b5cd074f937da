/* daemonlog.h - the log of `coordinator` and `node`: lines on stderr, and the options that say which and how */
#ifndef CLI_DAEMONLOG_H
#define CLI_DAEMONLOG_H

#include "common/err.h"
#include "common/log.h"

struct cli_daemon_log {
	const char *level_word, *format_word; /* as the options gave them; NULL: info, text */
	struct rv_log log;
};

#define CLI_OPT_LOG_LEVEL(into) { "log-level", 0, RV_OPT_STRING, (into), "LEVEL", "error, warn, info or debug (default info)", 0, 0 }
#define CLI_OPT_LOG_FORMAT(into) { "log-format", 0, RV_OPT_STRING, (into), "text|json", "of the lines on stderr (default text)", 0, 0 }

/* Reads the words. RV_E_USAGE: one of them is none. */
int cli_daemon_log_set(struct cli_daemon_log *l, struct rv_err *err);
/* One of `count` names, its number into *out; else RV_E_USAGE names the option. */
int cli_choose(const char *word, const char *const *names, int count, const char *option, int *out, struct rv_err *err);

#endif
