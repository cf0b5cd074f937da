/* logs.h - what an attempt printed, wherever it lies
 *
 *	its namespace           logs/stdout.log, logs/stderr.log
 *	the shared output log   RUN/node/log (node/warden/seglog.h), where stdout and stderr keep their order
 *	the journal             the last 64 KiB of a failed attempt, when the node's files are gone
 *	a coordinator           asks the node that has it (LOG); stdout and stderr come in their order, as one stream
 */
#ifndef CLI_LOGS_H
#define CLI_LOGS_H

#include "cli/runview.h"

struct cli_logs {
	struct cli_runview *view;         /* borrowed */
	uint32_t unit, attempt;
	char log_dir[PATH_MAX];
	char files[2][PATH_MAX];        /* of the namespace */
	uint64_t seen[2];               /* bytes of stdout and stderr given so far; at a coordinator [0] is where to go on */
	/* at a coordinator only */
	uint32_t wait_ms;               /* how long it may wait for something new */
	bool ended;                     /* no more will come */
	bool tail_only;                 /* its node is gone, and these are the last bytes it left */
	/* Gets the bytes as they come; stream 0 stdout, 1 stderr. */
	void (*piece)(void *arg, int stream, struct rv_str bytes);
	void *arg;
};

int cli_logs_init(struct cli_logs *l, struct cli_runview *view, uint32_t unit, uint32_t attempt, struct rv_err *err);
/* What was not given yet. 1: there was something; 0: nothing new. */
int cli_logs_read(struct cli_logs *l, struct rv_err *err);

/* caplog_open_fn, `arg` the file's path, NAMESPACE/logs/NAME: the unit may write in its namespace, so below it no link is followed, what is no
 * plain file is not opened, and a FIFO does not hold us up. */
int cli_logs_open_plain(void *arg, const char *suffix);

#endif
