/* export_joblog.c - `export joblog`: a line a unit that has ended (cli/joblog.h) */
#include "cli/export/export.h"

static void listen(struct cli_export *e, const struct coord_transition *tr)
{
	rv_buf_reset(&e->line);
	if (cli_joblog_line(&e->joblog, &e->view.tally, tr, &e->line))
		cli_out_put(&e->out, rv_buf_str(&e->line));
}

static void head(struct cli_export *e)
{
	rv_buf_reset(&e->line);
	cli_joblog_head(&e->line);
	cli_out_put(&e->out, rv_buf_str(&e->line));
}

const struct cli_export_format cli_export_joblog = {
	.name = "joblog", .summary = "a line a unit that has ended, in GNU parallel's columns", .begin = head, .listen = listen,
};
