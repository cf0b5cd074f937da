/* cmd_act.c - verbs by which people act on runs, units and nodes of a coordinator or of a live `run`
 *
 * Each is one ACT under a random id, sent until it is answered, so it is done once whatever happens to the link. What they print is what
 * changed: nothing did where it had been so already.
 */
#include "cli/act.h"
#include "cli/client.h"
#include "cli/find.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "proto/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- one act ------------------------------------------------------------------------------------------------------------ */

struct act {
	struct cli_query query;
	struct cli_place place;
	struct cli_client *client;
};

static void answer_json(const struct cli_act_done *d, enum cli_format format, struct rv_buf *out)
{
	(void)rv_buf_putc(out, '{');
	if (format == CLI_JSON)
		cli_json_str(out, "schema", RV_STR("reeve.act/1"));
	cli_json_str(out, "act", rv_str_of(d->act));
	cli_json_str_or_null(out, "run", d->run);
	cli_json_str_or_null(out, "unit", d->unit);
	cli_json_str_or_null(out, "node", d->node);
	cli_json_uint(out, "changed", d->changed);
	cli_json_bool(out, "done_before", d->done_before);
	(void)rv_buf_puts(out, "}\n");
}

static void answer_text(const struct cli_act_done *d, struct rv_buf *out)
{
	(void)rv_buf_printf(out, "%s ", d->act);
	if (d->node.bytes)
		(void)rv_buf_printf(out, "%.*s", RV_STR_ARGS(d->node));
	else
		(void)rv_buf_printf(out, "%.*s%s%.*s", RV_STR_ARGS(d->run), d->unit.bytes ? "/" : "", RV_STR_ARGS(d->unit));
	if (d->changed)
		(void)rv_buf_printf(out, ": %u changed\n", d->changed);
	else
		(void)rv_buf_puts(out, ": nothing changed\n");
}

int cli_act_answer(const struct cli_act_done *d, enum cli_format format)
{
	struct rv_buf out;
	int status;

	rv_buf_init(&out, 0);
	if (format == CLI_JSON || format == CLI_JSONL)
		answer_json(d, format, &out);
	else if (format == CLI_NAME)
		(void)rv_buf_printf(&out, "%.*s\n", RV_STR_ARGS(d->node.bytes ? d->node : d->unit.bytes ? d->unit : d->run));
	else
		answer_text(d, &out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}

int cli_act_do(struct cli_client *c, const struct cli_act_wish *w, struct cli_act_done *done, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_ACT }, answer;

	request.act = (struct proto_act){ .id = cli_client_new_id(), .what = (uint32_t)w->what, .run = w->run, .unit = w->unit, .node = w->node,
					  .value = w->value, .note = w->note };
	if (cli_client_call(c, &request, PROTO_DONE, &answer, err))
		return -1;
	done->changed = answer.done.changed;
	done->done_before = answer.done.done_before;
	return 0;
}

static int act_open(struct act *a, enum cli_place_runs runs, struct rv_str run, struct rv_err *err)
{
	if (cli_place_find(a->query.coordinator, runs, run, &a->place, err))
		return -1;
	return cli_client_open(&a->client, &a->place, err);
}

/* --- on a run or unit ------------------------------------------------------------------------------------------------------- */

enum takes { RUN_OR_UNIT, ONLY_RUN, ONLY_UNIT };

static int on_run(struct act *a, const char *verb, enum takes takes, const char *word, struct cli_act_wish *w)
{
	struct cli_act_done done = { .act = verb };
	struct cli_target t;
	struct rv_run_id id;
	struct rv_err err;
	int status;

	if (!word)
		return cli_failf(RV_E_USAGE, takes == ONLY_UNIT ? "`reeve %s` needs a unit: RUN/UNIT" : "`reeve %s` needs a run", verb);
	t = cli_query_target(word, CLI_WORD_RUN_UNIT);
	if (takes == ONLY_RUN && t.unit.bytes)
		return cli_failf(RV_E_USAGE, "`reeve %s` is for a whole run: name RUN without a unit", verb);
	if (takes == ONLY_UNIT && !t.unit.bytes)
		return cli_failf(RV_E_USAGE, "a unit is missing: RUN/UNIT");
	if (t.unit.bytes > RV_UNIT_ID_BYTES_MAX)
		return cli_failf(RV_E_NOT_FOUND, "there is no unit of so long a name");
	if (act_open(a, CLI_PLACE_RUNS, t.run, &err) || cli_rows_find_run(a->client, t.run, &id, &err)) {
		status = cli_fail(&err);
	} else {
		w->run = rv_run_id_number(rv_str_of(id.text));
		w->unit = t.unit;
		done.run = rv_str_of(id.text);
		done.unit = t.unit;
		status = cli_act_do(a->client, w, &done, &err) ? cli_fail(&err) : cli_act_answer(&done, a->query.format);
	}
	cli_client_close(&a->client);
	return status;
}

struct plain {
	const char *verb;
	enum proto_mutation what;
	enum takes takes;
	const char *words, *text;
};

static const struct plain plain_acts[] = {
	{ "pause", PROTO_MUT_PAUSE, ONLY_RUN, "RUN", "No unit of the run is handed out any more; what runs goes on. `unpause` takes it back." },
	{ "unpause", PROTO_MUT_UNPAUSE, ONLY_RUN, "RUN", "Units of the run are handed out again." },
	{ "hold", PROTO_MUT_HOLD, ONLY_UNIT, "RUN/UNIT", "The unit waits, although it could run, until it is released. One that runs goes on." },
	{ "release", PROTO_MUT_RELEASE, ONLY_UNIT, "RUN/UNIT", "A unit that is held goes on." },
	{ "skip", PROTO_MUT_SKIP, ONLY_UNIT, "RUN/UNIT", "The unit is not run; what depends on it sees it as skipped." },
};

static int plain_act(const char *verb, int argc, char **argv)
{
	struct act a = { .query = { .words_max = 1 } };
	const struct rv_opt release_opts[] = {
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		{ "note", 0, RV_OPT_LATER, NULL, "TEXT", CLI_WAITS_AGENTS, 0, 0 },
		CLI_OPT_HELP(&a.query.help),
		CLI_OPT_END,
	};
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		CLI_OPT_HELP(&a.query.help),
		CLI_OPT_END,
	};
	const struct plain *p = plain_acts;
	const struct rv_opt *used;
	struct cli_act_wish w = { 0 };
	int status;

	while (strcmp(p->verb, verb) != 0)
		p++;
	used = p->what == PROTO_MUT_RELEASE ? release_opts : table;
	if (cli_query_parse(&a.query, used, argc, argv, &status))
		return status;
	if (a.query.help)
		return cli_usage(p->verb, p->words, p->text, used);
	w.what = p->what;
	return on_run(&a, p->verb, p->takes, a.query.words ? argv[0] : NULL, &w);
}

int cli_cmd_pause(int argc, char **argv)
{
	return plain_act("pause", argc, argv);
}

int cli_cmd_unpause(int argc, char **argv)
{
	return plain_act("unpause", argc, argv);
}

int cli_cmd_hold(int argc, char **argv)
{
	return plain_act("hold", argc, argv);
}

int cli_cmd_release(int argc, char **argv)
{
	return plain_act("release", argc, argv);
}

int cli_cmd_skip(int argc, char **argv)
{
	return plain_act("skip", argc, argv);
}

int cli_cmd_cancel(int argc, char **argv)
{
	struct act a = { .query = { .words_max = 1 } };
	const char *grace = NULL;
	const struct rv_opt table[] = {
		{ "grace", 0, RV_OPT_STRING, &grace, "S", "seconds between TERM and KILL (default: each unit's own)", 0, 0 },
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		CLI_OPT_HELP(&a.query.help),
		CLI_OPT_END,
	};
	struct cli_act_wish w = { .what = PROTO_MUT_CANCEL, .value = -1 };
	struct rv_err err;
	uint64_t us;
	int status;

	if (cli_query_parse(&a.query, table, argc, argv, &status))
		return status;
	if (a.query.help)
		return cli_usage("cancel", "RUN[/UNIT]", "Ends a run, or one unit: TERM to its process tree, KILL after the grace. What waits never starts.", table);
	if (grace) {
		if (rv_parse_duration(grace, &us, &err))
			return cli_fail(&err);
		if (us > RV_GRACE_US_MAX)
			return cli_failf(RV_E_USAGE, "--grace is at most %u seconds", RV_GRACE_US_MAX / 1000000u);
		w.value = (int64_t)us;
	}
	return on_run(&a, "cancel", RUN_OR_UNIT, a.query.words ? argv[0] : NULL, &w);
}

/* --- set ------------------------------------------------------------------------------------------------------------------------ */

static int set_of(const char *text, struct cli_act_wish *w, struct rv_err *err)
{
	static const char *const keys[] = { "max_workers", "priority" };
	const char *equals = strchr(text, '=');
	struct rv_str key = equals ? rv_str(text, (size_t)(equals - text)) : rv_str_of(text);
	char *end = NULL;
	long long value;
	int nearest;

	if (!equals)
		return rv_fail(err, RV_E_USAGE, "\"%.64s\" is not KEY=VALUE", text);
	if (rv_str_equal(key, RV_STR("max_workers"))) {
		w->what = PROTO_MUT_SET_MAX_WORKERS;
	} else if (rv_str_equal(key, RV_STR("priority"))) {
		w->what = PROTO_MUT_SET_PRIORITY;
	} else if (key.bytes > 7 && memcmp(key.at, "limits.", 7) == 0) {
		return rv_fail(err, RV_E_UNSUPPORTED, "changing limits of a live run is not built yet; it %s", CLI_WAITS_COMFORTS);
	} else {
		(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" cannot be set on a live run", (int)rv_min_u64(key.bytes, 64), key.at);
		nearest = rv_nearest(key, keys, RV_ARRAY_LEN(keys));
		return rv_hint(err, nearest >= 0 ? "did you mean %s?" : "max_workers and priority can%.0s", nearest >= 0 ? keys[nearest] : "");
	}
	value = strtoll(equals + 1, &end, 10);
	if (!equals[1] || *end || equals[1] == '+' || strlen(equals + 1) > 10)
		return rv_fail(err, RV_E_USAGE, "%.*s takes a whole number, not \"%.32s\"", RV_STR_ARGS(key), equals + 1);
	w->value = value;
	return 0;
}

int cli_cmd_set(int argc, char **argv)
{
	struct act a = { .query = { .words_max = 2 } };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		CLI_OPT_HELP(&a.query.help),
		CLI_OPT_END,
	};
	struct cli_act_wish w = { 0 };
	struct rv_err err;
	int status;

	if (cli_query_parse(&a.query, table, argc, argv, &status))
		return status;
	if (a.query.help)
		return cli_usage("set", "RUN KEY=VALUE", "max_workers=N (0: no limit) or priority=N (-1000 to 1000) of a live run.", table);
	if (a.query.words < 2)
		return cli_failf(RV_E_USAGE, "`reeve set` needs a run and KEY=VALUE");
	if (set_of(argv[1], &w, &err))
		return cli_fail(&err);
	return on_run(&a, "set", ONLY_RUN, argv[0], &w);
}

/* --- on a node ---------------------------------------------------------------------------------------------------------------------- */

/* A name that is not there is answered with the nearest there is. */
static void suggest_node(struct cli_client *c, struct rv_str name, struct rv_err *err)
{
	const char *names[256];
	struct rv_buf text[RV_ARRAY_LEN(names)];
	struct cli_rows rows;
	uint32_t i, count = 0;
	int nearest = -1;

	cli_rows_init(&rows);
	if (cli_rows_fetch(&rows, c, PROTO_ASK_NODES, 0, RV_STR(""), NULL) == 0) {
		count = (uint32_t)rv_min_u64(rows.count, RV_ARRAY_LEN(names));
		for (i = 0; i < count; i++) {
			rv_buf_init(&text[i], 0);
			(void)cli_row_text(cli_row(&rows, i), "name", &text[i]);
			names[i] = text[i].bytes ? text[i].at : "";
		}
		nearest = rv_nearest(name, names, count);
	}
	(void)rv_hint(err, nearest >= 0 ? "did you mean %s?" : "`reeve nodes` lists them%.0s", nearest >= 0 ? names[nearest] : "");
	for (i = 0; i < count; i++)
		rv_buf_release(&text[i]);
	cli_rows_release(&rows);
}

static int on_node(struct act *a, const char *verb, enum proto_mutation what, const char *name)
{
	struct cli_act_wish w = { .what = what };
	struct cli_act_done done = { .act = verb };
	struct rv_err err = { 0 };
	int status = CLI_OK;

	if (!name)
		return cli_failf(RV_E_USAGE, "`reeve %s` needs a node", verb);
	w.node = done.node = rv_str_of(name);
	if (!rv_name_valid(w.node))
		return cli_failf(RV_E_NOT_FOUND, "there is no node \"%.64s\"", name);
	if (act_open(a, CLI_PLACE_RUNS, RV_STR(""), &err)) {
		status = cli_fail(&err);
	} else if (cli_act_do(a->client, &w, &done, &err)) {
		if (err.code == RV_E_NOT_FOUND && !err.hint[0])
			suggest_node(a->client, w.node, &err);
		status = cli_fail(&err);
	} else {
		status = cli_act_answer(&done, a->query.format);
	}
	cli_client_close(&a->client);
	return status;
}

int cli_cmd_drain(int argc, char **argv)
{
	struct act a = { .query = { .words_max = 1 } };
	const struct rv_opt table[] = {
		{ "deadline", 0, RV_OPT_LATER, NULL, "D", CLI_WAITS_COMFORTS, 0, 0 },
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		CLI_OPT_HELP(&a.query.help),
		CLI_OPT_END,
	};
	int status;

	if (cli_query_parse(&a.query, table, argc, argv, &status))
		return status;
	if (a.query.help)
		return cli_usage("drain", "NODE", "The node gets nothing new; what runs there goes on. `undrain` takes it back.", table);
	return on_node(&a, "drain", PROTO_MUT_DRAIN, a.query.words ? argv[0] : NULL);
}

static int node_verb(const char *verb, const char *text, enum proto_mutation what, int argc, char **argv)
{
	struct act a = { .query = { .words_max = 1 } };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		CLI_OPT_HELP(&a.query.help),
		CLI_OPT_END,
	};
	int status;

	if (cli_query_parse(&a.query, table, argc, argv, &status))
		return status;
	if (a.query.help)
		return cli_usage(verb, "NODE", text, table);
	return on_node(&a, verb, what, a.query.words ? argv[0] : NULL);
}

int cli_cmd_undrain(int argc, char **argv)
{
	return node_verb("undrain", "The node gets units again.", PROTO_MUT_UNDRAIN, argc, argv);
}

int cli_cmd_remove(int argc, char **argv)
{
	return node_verb("remove", "The node's attempts are fenced and run elsewhere at once; its key is revoked: it does not come back without a\n"
			 "new token.", PROTO_MUT_REMOVE, argc, argv);
}
