/* query.h - what the verbs that look at a run have in common: options, opening, answering */
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include "cli/cli.h"
#include "cli/place.h"
#include "cli/runview.h"

#define CLI_OPT_STATE(into)                                                                        \
	{ "state", 0, RV_OPT_STRING, (into), "DIR", "state directory (default: the nearest .reeve upwards)", 0, 0 }
#define CLI_OPT_COORDINATOR(into)                                                                  \
	{ "coordinator", 0, RV_OPT_STRING, (into), "ADDR", "tcp://HOST:PORT or a coordinator's state directory (default: the nearest)", 0, 0 }

struct cli_query {
	const char *state;         /* --state */
	const char *coordinator;   /* --coordinator */
	const char *format_option; /* -o */
	enum cli_format format;
	bool help;
	int words;                 /* how many stand in argv[0..] after parsing */
	int words_max;
};

/* Parses; -1: an error was said or help was printed, *status is what to return. The common options stand in `table`. */
int cli_query_parse(struct cli_query *q, const struct rv_opt *table, int argc, char **argv, int *status);

/* A client of who is meant (cli_place_find), to be closed whatever happened. */
struct cli_client;
int cli_query_ask(const struct cli_query *q, enum cli_place_runs runs, struct rv_str run, struct cli_client **out, struct rv_err *err);

/* The word naming a run and a unit (argv word or NULL). */
struct cli_target {
	struct rv_str run, unit;
};

/* Where there is no run of this name, but the newest run has such a unit, `err` (RV_E_NOT_FOUND or RV_E_USAGE, else left alone) says what to type. */
void cli_query_hint_unit(const struct cli_query *q, const char *verb, struct rv_str word, struct rv_err *err);

/* RUN[/UNIT]. For verbs that need a unit a word without a slash is the unit, of the newest run, unless it is a whole run id:
 * then the unit is missing. */
enum cli_word { CLI_WORD_RUN_UNIT, CLI_WORD_NEEDS_UNIT };
struct cli_target cli_query_target(const char *word, enum cli_word how);

#endif
