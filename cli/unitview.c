/* unitview.c - `status RUN/UNIT` */
#include "cli/unitview.h"

#include "cli/active.h"
#include "cli/events.h"
#include "cli/find.h"
#include "cli/text.h"
#include "cli/waits.h"
#include "common/os/clock.h"

#define ATTEMPTS_MAX 4096 /* shown; a unit has retries of several classes, each with a limit below this */

struct attempt {
	uint32_t number, try_number, node;
	uint64_t assigned_us, start_us, end_us, duration_us;
	int32_t exit;
	enum proto_class class;
	enum proto_reason reason;
	const char *outcome; /* "active" until it ended */
};

struct unit_story {
	struct cli_runview view;
	struct rv_str word;   /* the unit as it was named */
	uint32_t unit;        /* COORD_NONE: not looked up yet */
	bool missing;
	struct rv_err err;
	struct rv_buf attempts; /* struct attempt each */
	struct rv_buf events;   /* lines of JSON */
	struct cli_table told;  /* the same for people */
};

static const struct cli_column told_columns[] = {
	{ "TIME", CLI_LEFT, false }, { "EVENT", CLI_LEFT, false }, { "ATTEMPT", CLI_RIGHT, false }, { "REASON", CLI_LEFT, false },
};

static const struct cli_column attempt_columns[] = {
	{ "ATTEMPT", CLI_RIGHT, false }, { "TRY", CLI_RIGHT, false }, { "NODE", CLI_LEFT, false },
	{ "OUTCOME", CLI_LEFT, false },  { "EXIT", CLI_RIGHT, false }, { "CLASS", CLI_LEFT, false },
	{ "REASON", CLI_LEFT, false },   { "STARTED", CLI_LEFT, false }, { "TIME", CLI_RIGHT, false },
};

/* --- collecting ---------------------------------------------------------------------------------------------------- */

static size_t attempt_count(const struct unit_story *s)
{
	return s->attempts.bytes / sizeof(struct attempt);
}

static struct attempt *attempt_at(const struct unit_story *s, size_t i)
{
	return (struct attempt *)(void *)s->attempts.at + i; /* malloc'd, whole structs only */
}

static void note_attempt(struct unit_story *s, const struct coord_transition *t)
{
	struct attempt *a = NULL;
	size_t n = attempt_count(s);

	if (!t->attempt)
		return;
	if (n && attempt_at(s, n - 1)->number == t->attempt) {
		a = attempt_at(s, n - 1);
	} else if (n < ATTEMPTS_MAX) {
		struct attempt fresh = { .number = t->attempt, .node = t->node, .assigned_us = t->real_us, .exit = -1,
					 .outcome = "active" };

		if (rv_buf_put(&s->attempts, &fresh, sizeof(fresh)))
			return;
		a = attempt_at(s, n);
	} else {
		return;
	}
	if (t->kind == COORD_T_UNIT_STARTED || (t->result && t->result->flags & PROTO_RESULT_STARTED))
		a->try_number = t->try_number; /* what never began is no try */
	if (t->result) {
		a->start_us = t->result->start_us;
		a->end_us = t->result->end_us;
		a->duration_us = t->result->duration_us;
		a->exit = t->result->exit;
	}
	switch (t->kind) {
	case COORD_T_UNIT_FINISHED:
		a->outcome = coord_unit_state_name(t->state);
		break;
	case COORD_T_UNIT_RETRY_WAIT:
		a->outcome = "failed";
		break;
	case COORD_T_ATTEMPT_LOST:
		a->outcome = "lost";
		break;
	case COORD_T_ATTEMPT_REJECTED:
		a->outcome = "rejected";
		break;
	case COORD_T_UNIT_RETRACTED:
		a->outcome = "retracted";
		break;
	default:
		return;
	}
	a->class = t->class;
	a->reason = t->reason;
}

static void listen(void *arg, const struct coord_transition *t)
{
	struct unit_story *s = arg;
	struct rv_buf b;

	if (!s->view.graph || s->missing)
		return;
	if (s->unit == COORD_NONE && cli_find_unit(s->view.graph, s->view.id.text, s->word, &s->unit, &s->err)) {
		s->missing = true;
		return;
	}
	if (t->unit != s->unit)
		return;
	note_attempt(s, t);
	cli_json_comma(&s->events);
	cli_event_json(t, &s->view.tally, s->view.core, t->position, t->index, &s->events);
	if (s->events.bytes && s->events.at[s->events.bytes - 1] == '\n')
		s->events.bytes--;
	rv_buf_init(&b, 0);
	cli_put_time(&b, t->real_us);
	cli_table_cell(&s->told, rv_buf_str(&b));
	cli_table_cell(&s->told, rv_str_of(coord_transition_name(t->kind)));
	if (t->attempt)
		cli_table_cellf(&s->told, "%u", t->attempt);
	else
		cli_table_cell(&s->told, rv_str(NULL, 0));
	rv_buf_reset(&b);
	cli_put_reason(&s->view.tally, s->unit, &b);
	cli_table_cell(&s->told, rv_buf_str(&b));
	rv_buf_release(&b);
}

/* --- answering -------------------------------------------------------------------------------------------------------- */

static void put_deps(const struct unit_story *s, struct rv_buf *out)
{
	const struct cli_tally *t = &s->view.tally;
	uint32_t i, deps = s->unit < t->count ? coord_graph_dep_count(t->graph, s->unit) : 0;
	char room[COORD_UNIT_ID_BYTES];

	for (i = 0; i < deps; i++) {
		uint32_t dep = coord_graph_dep(t->graph, s->unit, i);

		cli_json_comma(out);
		(void)rv_buf_putc(out, '{');
		cli_json_str(out, "id", cli_tally_unit_id(t, dep, room));
		cli_json_str(out, "state", rv_str_of(coord_unit_state_name(t->units[dep].state)));
		(void)rv_buf_putc(out, '}');
	}
}

static void put_attempt_json(const struct unit_story *s, const struct attempt *a, struct rv_buf *out)
{
	cli_json_comma(out);
	(void)rv_buf_putc(out, '{');
	cli_json_uint(out, "attempt", a->number);
	cli_json_uint(out, "try", a->try_number);
	cli_json_str_or_null(out, "node", cli_tally_node_name(&s->view.tally, a->node));
	cli_json_str(out, "outcome", rv_str_of(a->outcome));
	if (a->exit >= 0)
		cli_json_int(out, "exit", a->exit);
	else
		cli_json_null(out, "exit");
	cli_json_str_or_null(out, "class", rv_str_of(a->class ? proto_class_name(a->class) : ""));
	cli_json_str_or_null(out, "reason", rv_str_of(a->reason ? proto_reason_name(a->reason) : ""));
	cli_json_time(out, "assigned_at", a->assigned_us);
	cli_json_time(out, "started_at", a->start_us);
	cli_json_time(out, "finished_at", a->end_us);
	if (a->start_us && strcmp(a->outcome, "active"))
		cli_json_ms(out, "duration_ms", a->duration_us);
	else
		cli_json_null(out, "duration_ms");
	(void)rv_buf_putc(out, '}');
}

static void put_json(struct unit_story *s, struct rv_buf *out)
{
	struct cli_result_scope scope = cli_runview_scope(&s->view);
	size_t i;

	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "schema", RV_STR("reeve.unit/1"));
	cli_json_str(out, "run", rv_str_of(s->view.id.text));
	cli_json_key(out, "unit");
	cli_result_unit_json(&scope, s->unit, out);
	cli_json_key(out, "depends_on");
	(void)rv_buf_putc(out, '[');
	put_deps(s, out);
	(void)rv_buf_putc(out, ']');
	cli_json_key(out, "attempts");
	(void)rv_buf_putc(out, '[');
	for (i = 0; i < attempt_count(s); i++)
		put_attempt_json(s, attempt_at(s, i), out);
	(void)rv_buf_putc(out, ']');
	cli_json_key(out, "events");
	(void)rv_buf_putc(out, '[');
	(void)rv_buf_put_str(out, rv_buf_str(&s->events));
	(void)rv_buf_puts(out, "]}\n");
}

static void put_attempts_table(const struct unit_story *s, enum cli_format format, struct rv_buf *out)
{
	struct cli_table table;
	struct rv_buf b;
	size_t i;

	rv_buf_init(&b, 0);
	cli_table_init(&table, attempt_columns, RV_ARRAY_LEN(attempt_columns), format);
	for (i = 0; i < attempt_count(s); i++) {
		const struct attempt *a = attempt_at(s, i);

		cli_table_cellf(&table, "%u", a->number);
		if (a->try_number)
			cli_table_cellf(&table, "%u", a->try_number);
		else
			cli_table_cell(&table, rv_str(NULL, 0));
		cli_table_cell(&table, cli_tally_node_name(&s->view.tally, a->node));
		cli_table_cell(&table, rv_str_of(a->outcome));
		if (a->exit >= 0)
			cli_table_cellf(&table, "%d", a->exit);
		else
			cli_table_cell(&table, rv_str(NULL, 0));
		cli_table_cell(&table, rv_str_of(a->class ? proto_class_name(a->class) : ""));
		cli_table_cell(&table, rv_str_of(a->reason ? proto_reason_name(a->reason) : ""));
		rv_buf_reset(&b);
		if (a->start_us)
			cli_put_time(&b, a->start_us);
		cli_table_cell(&table, rv_buf_str(&b));
		rv_buf_reset(&b);
		if (a->start_us)
			cli_put_duration(&b, a->duration_us);
		cli_table_cell(&table, rv_buf_str(&b));
	}
	cli_table_print(&table, out);
	cli_table_release(&table);
	rv_buf_release(&b);
}

static void put_text(struct unit_story *s, enum cli_format format, struct rv_buf *out)
{
	const struct cli_tally *t = &s->view.tally;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf why;

	rv_buf_init(&why, 0);
	cli_put_reason(t, s->unit, &why);
	(void)rv_buf_printf(out, "unit %s/%.*s: %s", s->view.id.text, RV_STR_ARGS(cli_tally_unit_id(t, s->unit, room)),
			    coord_unit_state_name(t->units[s->unit].state));
	if (why.bytes) {
		(void)rv_buf_puts(out, ": ");
		cli_text_safe(CLI_TEXT_CELL, rv_buf_str(&why), out);
	}
	(void)rv_buf_puts(out, "\n\n");
	if (attempt_count(s)) {
		put_attempts_table(s, format, out);
		(void)rv_buf_putc(out, '\n');
	}
	cli_table_print(&s->told, out);
	rv_buf_release(&why);
}

/* The attempt that is running has begun: asked, since its facts do not tell it. */
static void note_started(struct unit_story *s)
{
	size_t n = attempt_count(s);
	struct attempt *a = n ? attempt_at(s, n - 1) : NULL;
	const struct cli_unit *u = &s->view.tally.units[s->unit];
	uint32_t tries = u->tries;

	if (!a || u->state != COORD_UNIT_ACTIVE || a->number != u->attempt)
		return;
	cli_active_fetch(&s->view);
	if (u->tries == tries && !u->start_us)
		return;
	a->try_number = u->tries;
	a->start_us = u->start_us;
	a->duration_us = rv_sat_sub(rv_clock_realtime_us(), u->start_us);
}

static int answer(struct unit_story *s, enum cli_format format)
{
	char room[COORD_UNIT_ID_BYTES];
	struct cli_waits waits;
	struct rv_buf out;
	int status;

	rv_buf_init(&out, 0);
	cli_waits_init(&waits);
	note_started(s);
	if (cli_runview_remote(&s->view) && s->view.tally.units[s->unit].state == COORD_UNIT_READY) {
		cli_waits_fetch(&waits, s->view.remote.client, &s->view.tally);
		s->view.tally.waits = &waits;
	}
	if (format == CLI_JSON || format == CLI_JSONL)
		put_json(s, &out);
	else if (format == CLI_NAME)
		(void)rv_buf_printf(&out, "%.*s\n", RV_STR_ARGS(cli_tally_unit_id(&s->view.tally, s->unit, room)));
	else
		put_text(s, format, &out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	s->view.tally.waits = NULL;
	cli_waits_release(&waits);
	rv_buf_release(&out);
	return status;
}

int cli_unitview_status(const struct cli_query *q, struct cli_target target)
{
	struct unit_story s = { .word = target.unit, .unit = COORD_NONE };
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .state = q->state, .run = target.run, .keep = CLI_KEEP_ALL, .listen = listen, .arg = &s };
	struct rv_err err;
	int status;

	rv_buf_init(&s.attempts, 0);
	rv_buf_init(&s.events, 0);
	cli_table_init(&s.told, told_columns, RV_ARRAY_LEN(told_columns), q->format);
	if (cli_runview_open(&s.view, &opt, &err) ||
	    (s.unit == COORD_NONE && cli_find_unit(s.view.graph, s.view.id.text, s.word, &s.unit, &err)))
		status = cli_fail(&err);
	else
		status = answer(&s, q->format);
	cli_runview_close(&s.view);
	cli_table_release(&s.told);
	rv_buf_release(&s.attempts);
	rv_buf_release(&s.events);
	return status;
}
