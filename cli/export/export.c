/* export.c - what every format has in common: the run opened and replayed, an answer that is whole or none */
#include "cli/export/export.h"

static void listen(void *arg, const struct coord_transition *tr)
{
	struct cli_export *e = arg;

	if (!e->view.graph)
		return;
	if (e->format->attempts && cli_attempts_feed(&e->attempts, &e->view.tally, tr) && !e->view.err.code)
		(void)rv_fail(&e->view.err, RV_E_NO_MEMORY, "no memory for the attempts of run %s", e->view.id.text);
	if (e->format->listen)
		e->format->listen(e, tr);
}

int cli_export_run(const struct cli_export_format *f, const struct cli_query *q, struct cli_target target)
{
	struct cli_export e = { .format = f };
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .state = q->state, .run = target.run,
					   .keep = CLI_KEEP_FAILURES, .listen = listen, .arg = &e };
	struct rv_err err = { 0 };
	int status = CLI_OK;

	if (target.unit.bytes)
		return cli_failf(RV_E_USAGE, "export %s takes a run, not a unit", f->name);
	cli_out_init(&e.out, 1);
	rv_buf_init(&e.line, 0);
	cli_attempts_init(&e.attempts);
	cli_joblog_init(&e.joblog);
	if (f->begin)
		f->begin(&e);
	if (cli_runview_open(&e.view, &opt, &err) || (f->attempts && cli_attempts_arrange(&e.attempts, &e.view.tally, &err)) ||
	    (f->write && f->write(&e, &err))) {
		rv_buf_reset(&e.out.buf); /* half an answer is none */
		status = cli_fail(&err);
	}
	status = cli_out_end(&e.out, status);
	cli_runview_close(&e.view);
	cli_joblog_release(&e.joblog);
	cli_attempts_release(&e.attempts);
	rv_buf_release(&e.line);
	return status;
}
