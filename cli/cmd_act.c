/* cmd_act.c - verbs by which people act on runs and units of a coordinator or of a live `run`; on nodes: cmd_drain.c */
#include "cli/acted.h"
#include "cli/client.h"
#include "cli/ended.h"
#include "cli/find.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "proto/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- one act ------------------------------------------------------------------------------------------------------------ */

struct act {
	struct cli_query query;
	struct cli_client *client;
};

/* --- on a run or unit ------------------------------------------------------------------------------------------------------- */

enum takes { RUN_OR_UNIT, ONLY_RUN, ONLY_UNIT };

/* No run was named, and which is meant is not guessed where it is acted on: the one that goes on here is offered. */
static int no_run(const struct act *a, const char *verb, enum takes takes, const char *rest)
{
	struct cli_place place;
	struct rv_err err, why;

	(void)rv_fail(&err, RV_E_USAGE, takes == ONLY_UNIT ? "`reeve %s` needs a unit: RUN/UNIT" : "`reeve %s` needs a run", verb);
	if (!a->query.coordinator && cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR(""), &place, &why) == 0 && place.kind == CLI_PLACE_RUN)
		(void)rv_hint(&err, "run %s goes on here: `reeve %s %s%s%s`", place.run.text, verb, place.run.text, takes == ONLY_UNIT ? "/UNIT" : "", rest);
	else
		(void)rv_hint(&err, "`reeve %s %s%s`; `reeve status` lists the runs%s", verb, takes == ONLY_UNIT ? "RUN/UNIT" : "RUN", rest,
			      takes == ONLY_UNIT ? ", `reeve status RUN` the units of one" : "");
	return cli_fail(&err);
}

/* A word that no run begins with, where one goes on: it is named, and the unit of it that was meant. */
static void hint_live(const struct act *a, const char *verb, enum takes takes, struct rv_str word, struct rv_err *err)
{
	struct cli_place place;
	char state[PATH_MAX];
	struct rv_run_id id;

	if (err->code != RV_E_UNREACHABLE || !word.bytes || cli_place_named(a->query.coordinator) ||
	    (cli_find_state(NULL, state, NULL) == 0 && cli_find_run(state, word, &id, NULL) == 0) ||
	    cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR(""), &place, NULL) || place.kind != CLI_PLACE_RUN)
		return;
	(void)rv_fail(err, RV_E_NOT_FOUND, "there is no run \"%.*s\"", (int)rv_min_u64(word.bytes, 32), word.at);
	(void)rv_hint(err, "run %s goes on here: `reeve %s %s`", place.run.text, verb, place.run.text);
	if (takes == RUN_OR_UNIT)
		cli_query_hint_unit(&a->query, verb, word, err);
}

/* Of a run or unit: `wishes` one after the other, so that each says what it changed; the first that fails ends it. */
static int on_run(struct act *a, const char *verb, enum takes takes, const char *word, struct cli_act_wish *wishes, int count)
{
	struct cli_target t;
	struct rv_run_id id;
	struct rv_err err;
	int status, i;

	if (!word)
		return no_run(a, verb, takes, "");
	t = cli_query_target(word, takes == ONLY_UNIT ? CLI_WORD_NEEDS_UNIT : CLI_WORD_RUN_UNIT);
	if (takes == ONLY_RUN && t.unit.bytes)
		return cli_failf(RV_E_USAGE, "`reeve %s` is for a whole run: name RUN without a unit", verb);
	if (takes == ONLY_UNIT && !t.unit.bytes)
		return cli_failf(RV_E_USAGE, "a unit is missing: RUN/UNIT");
	if (t.unit.bytes > RV_UNIT_ID_BYTES_MAX)
		return cli_failf(RV_E_NOT_FOUND, "there is no unit of so long a name");
	status = CLI_OK;
	if (cli_query_ask(&a->query, CLI_PLACE_RUNS, t.run, &a->client, &err)) {
		if (!t.unit.bytes)
			hint_live(a, verb, takes, t.run, &err);
		cli_ended_say(&a->query, t, &err);
		status = cli_fail(&err);
	} else if (cli_rows_find_run(a->client, t.run, &id, &err)) {
		status = cli_fail(&err);
	}
	for (i = 0; i < count && status == CLI_OK; i++) {
		struct cli_act_done done = { .act = verb, .run = rv_str_of(id.text) };

		wishes[i].run = rv_run_id_number(rv_str_of(id.text));
		wishes[i].unit = t.unit;
		status = cli_act_do(a->client, &wishes[i], &done, &err) ? cli_fail(&err) : cli_act_answer(&done, a->query.format);
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
	{ "close", PROTO_MUT_CLOSE, ONLY_RUN, "RUN", "An open run gets no more units: it ends when those that it has are done." },
	{ "hold", PROTO_MUT_HOLD, ONLY_UNIT, "RUN/UNIT", "The unit waits, although it could run, until it is released. One that runs goes on. UNIT alone is the newest run's." },
	{ "release", PROTO_MUT_RELEASE, ONLY_UNIT, "RUN/UNIT", "A unit that is held goes on. UNIT alone is the newest run's." },
	{ "skip", PROTO_MUT_SKIP, ONLY_UNIT, "RUN/UNIT", "The unit is not run; what depends on it sees it as skipped. UNIT alone is the newest run's." },
};

static int plain_act(const char *verb, int argc, char **argv)
{
	struct act a = { .query = { .words_max = 1 } };
	const char *note = NULL;
	const struct rv_opt release_opts[] = {
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		{ "note", 0, RV_OPT_STRING, &note, "TEXT", "what is said to it: the unit's output, if it has none of its own", 0, 0 },
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
	w.note = rv_str_of(note ? note : "");
	if (w.note.bytes > PROTO_NOTE_BYTES_MAX)
		return cli_failf(RV_E_LIMIT, "a note of %zu bytes; the limit is %zu", w.note.bytes, PROTO_NOTE_BYTES_MAX);
	if (!proto_utf8_valid(w.note))
		return cli_failf(RV_E_USAGE, "a note that is not UTF-8");
	return on_run(&a, p->verb, p->takes, a.query.words ? argv[0] : NULL, &w, 1);
}

int cli_cmd_pause(int argc, char **argv)
{
	return plain_act("pause", argc, argv);
}

int cli_cmd_unpause(int argc, char **argv)
{
	return plain_act("unpause", argc, argv);
}

int cli_cmd_close(int argc, char **argv)
{
	return plain_act("close", argc, argv);
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
	return on_run(&a, "cancel", RUN_OR_UNIT, a.query.words ? argv[0] : NULL, &w, 1);
}

/* --- set ------------------------------------------------------------------------------------------------------------------------ */

enum { SETS_MAX = 16 };

static const struct {
	const char *key;
	enum proto_mutation what;
} settable[] = {
	{ "max_workers", PROTO_MUT_SET_MAX_WORKERS },
	{ "priority", PROTO_MUT_SET_PRIORITY },
	{ "limits.failed", PROTO_MUT_SET_FAILED },
	{ "limits.tokens", PROTO_MUT_SET_TOKENS },
	{ "limits.cost_usd", PROTO_MUT_SET_COST },
};

static int cannot_be_set(struct rv_str key, struct rv_err *err)
{
	const char *names[RV_ARRAY_LEN(settable)];
	int nearest;

	if (key.bytes > 7 && memcmp(key.at, "limits.", 7) == 0)
		return rv_fail(err, RV_E_UNSUPPORTED, "changing %.*s of a live run is not built yet; it %s", (int)rv_min_u64(key.bytes, 64), key.at, CLI_WAITS_COMFORTS);
	for (size_t i = 0; i < RV_ARRAY_LEN(settable); i++)
		names[i] = settable[i].key;
	nearest = rv_nearest(key, names, RV_ARRAY_LEN(names));
	(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" cannot be set on a live run", (int)rv_min_u64(key.bytes, 64), key.at);
	return rv_hint(err, nearest >= 0 ? "did you mean %s?" : "max_workers, priority, limits.failed, limits.tokens and limits.cost_usd can%.0s", nearest >= 0 ? names[nearest] : "");
}

/* "12.5" as millionths of a dollar. */
static int dollars(const char *text, int64_t *out, struct rv_err *err)
{
	size_t whole = strspn(text, "0123456789"), part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	int64_t scale = 100000;

	if (!whole || whole > 9 || part > 6 || text[whole + part + (text[whole] == '.')])
		return rv_fail(err, RV_E_USAGE, "limits.cost_usd takes dollars, as 12 or 12.50, not \"%.32s\"", text);
	*out = strtoll(text, NULL, 10) * 1000000;
	for (size_t i = 0; i < part; i++, scale /= 10)
		*out += (text[whole + 1 + i] - '0') * scale;
	return 0;
}

static int set_of(const char *text, struct cli_act_wish *w, struct rv_err *err)
{
	const char *equals = strchr(text, '=');
	struct rv_str key = equals ? rv_str(text, (size_t)(equals - text)) : rv_str_of(text);
	char *end = NULL;
	size_t i = 0;

	if (!equals) {
		(void)rv_fail(err, RV_E_USAGE, "\"%.64s\" is not KEY=VALUE", text);
		return rv_hint(err, "as in max_workers=4; `reeve help set` says what can be set");
	}
	while (i < RV_ARRAY_LEN(settable) && !rv_str_equal(key, rv_str_of(settable[i].key)))
		i++;
	if (i == RV_ARRAY_LEN(settable))
		return cannot_be_set(key, err);
	w->what = settable[i].what;
	if (w->what == PROTO_MUT_SET_COST)
		return dollars(equals + 1, &w->value, err);
	w->value = strtoll(equals + 1, &end, 10);
	if (!equals[1] || *end || equals[1] == '+' || strlen(equals + 1) > (w->what == PROTO_MUT_SET_TOKENS ? 16 : 10))
		return rv_fail(err, RV_E_USAGE, "%.*s takes a whole number, not \"%.32s\"", RV_STR_ARGS(key), equals + 1);
	return 0;
}

static int no_value(const char *run)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_USAGE, "`reeve set` needs KEY=VALUE behind the run");
	(void)rv_hint(&err, "`reeve set %.32s max_workers=4`; `reeve help set` says what can be set", run);
	return cli_fail(&err);
}

/* `reeve set max_workers=3`: what was wished is right as a rule, and is said again behind the run. */
static int set_without_run(const struct act *a, char **argv)
{
	struct cli_act_wish wish;
	char rest[128];
	struct rv_err err;

	if (set_of(argv[0], &wish, &err))
		return cli_fail(&err);
	(void)snprintf(rest, sizeof rest, " %s", argv[0]);
	return no_run(a, "set", ONLY_RUN, rest);
}

int cli_cmd_set(int argc, char **argv)
{
	struct act a = { .query = { .words_max = 1 + SETS_MAX } };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		CLI_OPT_HELP(&a.query.help),
		CLI_OPT_END,
	};
	struct cli_act_wish wishes[SETS_MAX] = { 0 };
	struct rv_err err;
	int status, i;

	if (cli_query_parse(&a.query, table, argc, argv, &status))
		return status;
	if (a.query.help)
		return cli_usage("set", "RUN KEY=VALUE...",
				 "max_workers=N (0: no limit), priority=N (-1000 to 1000) or limits.failed=N, limits.tokens=N or limits.cost_usd=X (0: none) of a\n"
				 "live run, several one after the other. A limit that is reached already lets nothing new start; one of tokens or cost that\n"
				 "ended what ran and is raised before the run has ended lets the rest go on, after that once `retry RUN --failed` goes on.", table);
	if (a.query.words && strchr(argv[0], '='))
		return set_without_run(&a, argv);
	if (a.query.words < 2)
		return a.query.words ? no_value(argv[0]) : no_run(&a, "set", ONLY_RUN, " max_workers=4");
	for (i = 0; i < a.query.words - 1; i++)
		if (set_of(argv[1 + i], &wishes[i], &err))
			return cli_fail(&err);
	return on_run(&a, "set", ONLY_RUN, argv[0], wishes, a.query.words - 1);
}
