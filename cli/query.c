/* query.c - what the verbs that look at a run have in common */
#include "cli/query.h"

#include "cli/client.h"
#include "cli/find.h"
#include "common/limits.h"

#include <stdio.h>

int cli_query_parse(struct cli_query *q, const struct rv_opt *table, int argc, char **argv, int *status)
{
	struct rv_err err;
	char verb[32];

	(void)snprintf(verb, sizeof(verb), "%s", argv[0]);
	if (rv_opts_parse(table, argc, argv, &q->words, NULL, &err)) {
		*status = cli_fail(&err);
		return -1;
	}
	if (q->help)
		return 0;
	if (q->words > q->words_max) {
		*status = cli_failf(RV_E_USAGE, "`reeve %s` takes at most %d word%s, but was given \"%.64s\" as well", verb,
				    q->words_max, cli_s((uint64_t)q->words_max), argv[q->words_max]);
		return -1;
	}
	if (q->state && q->coordinator) {
		*status = cli_failf(RV_E_CONFLICT, "--state reads a directory, --coordinator asks one who runs: give one of them");
		return -1;
	}
	if (cli_format_parse(q->format_option, &q->format, &err)) {
		*status = cli_fail(&err);
		return -1;
	}
	return 0;
}

int cli_query_ask(const struct cli_query *q, enum cli_place_runs runs, struct rv_str run, struct cli_client **out, struct rv_err *err)
{
	struct cli_place place;

	if (cli_place_find(q->coordinator, runs, run, &place, err))
		return -1;
	return cli_client_open(out, &place, err);
}

struct cli_target cli_query_target(const char *word, enum cli_word how)
{
	struct cli_target t = { { NULL, 0 }, { NULL, 0 } };

	if (!word)
		return t;
	if (how == CLI_WORD_NEEDS_UNIT && !strchr(word, '/') && !rv_run_id_valid(rv_str_of(word)))
		t.unit = rv_str_of(word);
	else
		cli_split_word(word, &t.run, &t.unit);
	return t;
}

void cli_query_hint_unit(const struct cli_query *q, const char *verb, struct rv_str word, struct rv_err *err)
{
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .state = q->state, .keep = CLI_KEEP_FAILURES };
	struct cli_runview v;
	uint32_t unit;

	if ((err->code != RV_E_NOT_FOUND && err->code != RV_E_USAGE) || !word.bytes)
		return;
	if (cli_runview_open(&v, &opt, NULL) == 0 && cli_find_unit(v.graph, v.id.text, word, &unit, NULL) == 0)
		(void)rv_hint(err, "a unit of the newest run has that name: `reeve %s %s/%.*s%s`", verb, v.id.text,
			      (int)rv_min_u64(word.bytes, RV_UNIT_ID_BYTES_MAX), word.at, v.state_option);
	cli_runview_close(&v);
}
