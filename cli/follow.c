/* follow.c - until a run has ended */
#include "cli/follow.h"

#include "cli/error.h"
#include "cli/events.h"
#include "cli/out.h"

struct following {
	const struct cli_follow *wish;
	struct cli_runview view;
	struct cli_out out;
	struct rv_buf line;
	bool live; /* what was there when we came is not told as if it happened now */
};

static void listen(void *arg, const struct coord_transition *t)
{
	struct following *f = arg;
	const struct cli_tally *tally = f->view.graph ? &f->view.tally : NULL;
	enum cli_format format = f->wish->format;

	rv_buf_reset(&f->line);
	if (f->wish->how == CLI_FOLLOW_QUIET) {
		struct cli_result_scope scope;

		if (format != CLI_JSONL || t->kind != COORD_T_UNIT_FINISHED || !tally || t->unit >= tally->count)
			return;
		scope = cli_runview_scope(&f->view);
		cli_result_unit_json(&scope, t->unit, &f->line);
		(void)rv_buf_putc(&f->line, '\n');
	} else if (format == CLI_JSONL) {
		cli_event_json(t, tally, f->view.core, t->position, t->index, &f->line);
	} else if (format != CLI_JSON && f->live) {
		cli_event_text(t, tally, f->view.core, &f->line);
	}
	cli_out_put(&f->out, rv_buf_str(&f->line));
}

static int detached(const struct following *f, struct rv_err *err)
{
	(void)err;
	cli_say("detached; run %s goes on. `reeve watch %s%s` follows it, `reeve cancel %s%s` ends it", f->view.id.text, f->view.id.text,
		f->view.state_option, f->view.id.text, f->view.state_option);
	return CLI_INTERRUPTED;
}

static int process_gone(const struct following *f)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_UNREACHABLE, "run %s has not ended, and its process is gone", f->view.id.text);
	(void)rv_hint(&err, "`reeve run PLAN --resume=%s` goes on with it", f->view.id.text);
	return cli_fail(&err);
}

static int answer(struct following *f)
{
	struct cli_result_scope scope = cli_runview_scope(&f->view);

	rv_buf_reset(&f->line);
	switch (f->wish->format) {
	case CLI_JSON:
		cli_result_json(&scope, &f->line);
		break;
	case CLI_JSONL:
		if (f->wish->how == CLI_FOLLOW_LINES)
			return CLI_OK; /* its last event has said it */
		cli_result_run_json(&scope, &f->line);
		break;
	case CLI_NAME:
		(void)rv_buf_puts(&f->line, f->view.id.text);
		break;
	default:
		cli_result_text(&scope, &f->line);
		cli_out_put(&f->out, rv_buf_str(&f->line));
		return CLI_OK;
	}
	cli_out_line(&f->out, rv_buf_str(&f->line));
	return CLI_OK;
}

static int until_it_ends(struct following *f)
{
	struct rv_err err = { 0 };
	int status;

	f->live = true;
	while (!cli_runview_ended(&f->view)) {
		bool owned = cli_runview_owned(&f->view); /* asked before reading: what it wrote last is still read */

		if (cli_out_flush(&f->out))
			return CLI_OK; /* nobody reads any more; cli_out_end() says it */
		if (cli_runview_wait(&f->view, &err))
			return cli_runview_interrupted(&f->view) ? detached(f, &err) : cli_fail(&err);
		if (!owned && !cli_runview_ended(&f->view))
			return process_gone(f);
	}
	status = answer(f);
	return status == CLI_OK && f->wish->exit_status ? cli_result_exit(&f->view.tally) : status;
}

int cli_follow(const struct cli_follow *wish)
{
	struct following f = { .wish = wish };
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .state = wish->state, .coordinator = wish->coordinator, .run = wish->run,
					   .keep = CLI_KEEP_ALL, .listen = listen, .arg = &f };
	struct rv_err err;
	int status;

	cli_out_init(&f.out, 1);
	rv_buf_init(&f.line, 0);
	if (cli_runview_open(&f.view, &opt, &err) || cli_runview_catch_signals(&f.view, &err))
		status = cli_fail(&err);
	else
		status = until_it_ends(&f);
	status = cli_out_end(&f.out, status);
	cli_runview_close(&f.view);
	rv_buf_release(&f.line);
	return status;
}
