/* cmd_events.c - `reeve events`, and `export events`: the log of a run, read again */
#include "cli/events.h"
#include "cli/find.h"
#include "cli/query.h"
#include "common/id.h"

/* --- events ------------------------------------------------------------------------------------------------------- */

struct stream {
	struct cli_runview view;
	enum cli_format format;
	struct rv_str word;    /* only this unit; "" all */
	uint32_t unit;         /* COORD_NONE: all, or not looked up yet */
	struct cli_out out;
	struct rv_buf line;
	uint64_t count;
};

static bool wanted(struct stream *s, const struct coord_transition *t)
{
	if (!s->word.bytes)
		return true;
	if (!s->view.graph)
		return false;
	if (s->unit == COORD_NONE && cli_find_unit(s->view.graph, s->view.id.text, s->word, &s->unit, &s->view.err)) {
		s->word = rv_str(NULL, 0); /* the view fails with view.err: nothing more is shown */
		s->format = CLI_NAME;
		return false;
	}
	return t->unit == s->unit;
}

static void listen(void *arg, const struct coord_transition *t)
{
	struct stream *s = arg;

	if (s->view.err.code || !wanted(s, t))
		return;
	rv_buf_reset(&s->line);
	if (s->format == CLI_JSON || s->format == CLI_JSONL) {
		if (s->format == CLI_JSON && s->count)
			cli_out_puts(&s->out, ",");
		cli_event_json(t, s->view.graph ? &s->view.tally : NULL, s->view.core, t->position, t->index, &s->line);
		if (s->format == CLI_JSON)
			s->line.bytes--;
	} else {
		cli_event_text(t, s->view.graph ? &s->view.tally : NULL, s->view.core, &s->line);
	}
	cli_out_put(&s->out, rv_buf_str(&s->line));
	s->count++;
}

/* Until the run has ended or its process is gone. */
static int follow(struct stream *s, struct rv_err *err)
{
	while (!cli_runview_ended(&s->view)) {
		bool owned = cli_runview_owned(&s->view); /* asked before reading: what it wrote last is still read */

		if (cli_out_flush(&s->out))
			return 0;
		if (cli_runview_wait(&s->view, err))
			return cli_runview_interrupted(&s->view) ? 1 : -1;
		if (!owned)
			return 0;
	}
	return 0;
}

enum follow { FOLLOW_NO, FOLLOW_YES };

static int stream_events(const struct cli_query *q, struct cli_target target, enum cli_format format, enum follow how)
{
	struct stream s = { .format = format, .word = target.unit, .unit = COORD_NONE };
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .state = q->state, .run = target.run,
					   .keep = CLI_KEEP_FAILURES, .listen = listen, .arg = &s };
	struct rv_err err;
	int status = CLI_OK, rc;

	cli_out_init(&s.out, 1);
	rv_buf_init(&s.line, 0);
	if (format == CLI_JSON)
		cli_out_puts(&s.out, "{\"schema\":\"reeve.events/1\",\"events\":[");
	rc = cli_runview_open(&s.view, &opt, &err);
	if (rc == 0 && how == FOLLOW_YES)
		rc = cli_runview_catch_signals(&s.view, &err);
	if (rc == 0 && how == FOLLOW_YES)
		rc = follow(&s, &err);
	if (rc > 0) {
		status = CLI_INTERRUPTED;
	} else if (rc) {
		rv_buf_reset(&s.out.buf); /* half an answer is none */
		if (!s.view.graph && !target.unit.bytes)
			cli_query_hint_unit(q, "events", target.run, &err);
		status = cli_fail(&err);
	} else if (format == CLI_JSON) {
		cli_out_puts(&s.out, "]}\n");
	}
	status = cli_out_end(&s.out, status);
	cli_runview_close(&s.view);
	rv_buf_release(&s.line);
	return status;
}

int cli_events_export(const struct cli_query *q, struct cli_target target)
{
	return stream_events(q, target, CLI_JSONL, FOLLOW_NO);
}

int cli_cmd_events(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	bool following = false;
	const struct rv_opt table[] = {
		{ "follow", 'f', RV_OPT_FLAG, &following, NULL, "go on until the run has ended", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_target none = { { NULL, 0 }, { NULL, 0 } };
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("events", "[RUN[/UNIT]]",
				 "Everything that happened in a run (the newest, where none is named), in order. -o jsonl gives a\n"
				 "line an event as docs/schemas/event.json describes it.", table);
	if (following && q.format == CLI_JSON)
		q.format = CLI_JSONL; /* one object cannot be followed */
	return stream_events(&q, q.words ? cli_query_target(argv[0], CLI_WORD_RUN_UNIT) : none, q.format,
			     following ? FOLLOW_YES : FOLLOW_NO);
}
