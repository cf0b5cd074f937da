/* cli.h - what main.c calls and what every subcommand may use
 *
 * A subcommand is `int cli_cmd_X(int argc, char **argv)`: argv[0] is its name, what it returns is the process exit status.
 * It parses with common/opts, answers on stdout through out.h, and hands every error to cli_fail() (error.h).
 *
 * Words for RV_OPT_LATER and for verbs that are not built yet: CLI_WAITS_*, so that the same part is called the same.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/error.h"
#include "cli/out.h"
#include "cli/render.h"
#include "common/base.h"
#include "common/err.h"
#include "common/opts.h"

#define CLI_VERSION "0.1.0"

#define CLI_WAITS_AGENTS "waits for: agents and their gateway"
#define CLI_WAITS_COMFORTS "waits for: comforts"

/* The option every verb that answers in several formats has; `into` is a const char *. */
#define CLI_OPT_FORMAT(into)                                                                       \
	{ "format", 'o', RV_OPT_STRING, (into), "FORMAT", "table, wide, json, jsonl or name (default table)", 0, 0 }
/* For a verb whose answer has one form: what that is. */
#define CLI_OPT_NO_FORMAT(why) { "format", 'o', RV_OPT_NEVER, NULL, NULL, (why), 0, 0 }
#define CLI_OPT_HELP(into) { "help", 'h', RV_OPT_FLAG, (into), NULL, "this text", 0, 0 }
#define CLI_OPT_END { NULL, 0, RV_OPT_FLAG, NULL, NULL, NULL, 0, 0 }

/* Usage of one verb: `reeve VERB WORDS`, what it does, its options; to stdout. Gives the exit status. */
int cli_usage(const char *verb, const char *words, const char *text, const struct rv_opt *table);

int cli_cmd_help(int argc, char **argv);
int cli_cmd_version(int argc, char **argv);
int cli_cmd_completion(int argc, char **argv);
int cli_cmd_doctor(int argc, char **argv);
int cli_cmd_df(int argc, char **argv);
int cli_cmd_gc(int argc, char **argv);
int cli_cmd_init(int argc, char **argv);
int cli_cmd_run(int argc, char **argv);
int cli_cmd_coordinator(int argc, char **argv);
int cli_cmd_check(int argc, char **argv);
int cli_cmd_graph(int argc, char **argv);
int cli_cmd_import(int argc, char **argv);
int cli_cmd_status(int argc, char **argv);
int cli_cmd_logs(int argc, char **argv);
int cli_cmd_output(int argc, char **argv);
int cli_cmd_artifacts(int argc, char **argv);
int cli_cmd_events(int argc, char **argv);
int cli_cmd_export(int argc, char **argv);
int cli_cmd_retry(int argc, char **argv);
int cli_cmd_rm(int argc, char **argv);
int cli_cmd_node(int argc, char **argv);
int cli_cmd_token(int argc, char **argv);
int cli_cmd_key(int argc, char **argv);
int cli_cmd_login(int argc, char **argv);
int cli_cmd_explain(int argc, char **argv);
int cli_cmd_watch(int argc, char **argv);
int cli_cmd_top(int argc, char **argv);
int cli_cmd_wait(int argc, char **argv);
int cli_cmd_cancel(int argc, char **argv);
int cli_cmd_pause(int argc, char **argv);
int cli_cmd_unpause(int argc, char **argv);
int cli_cmd_skip(int argc, char **argv);
int cli_cmd_add(int argc, char **argv);
int cli_cmd_close(int argc, char **argv);
int cli_cmd_hold(int argc, char **argv);
int cli_cmd_release(int argc, char **argv);
int cli_cmd_set(int argc, char **argv);
int cli_cmd_usage(int argc, char **argv);
int cli_cmd_submit(int argc, char **argv);
int cli_cmd_nodes(int argc, char **argv);
int cli_cmd_drain(int argc, char **argv);
int cli_cmd_undrain(int argc, char **argv);
int cli_cmd_remove(int argc, char **argv);

/* Goes on with an ended run in this process, as `run --resume=RUN` does (cmd_run.c); `retry` comes here. */
struct plan;
struct cli_settings;
struct cli_run_again {
	const char *state_dir;       /* what stands in place of .reeve */
	const char *run;
	struct plan *plan;           /* as it was accepted; taken */
	const struct cli_settings *settings;
	uint32_t unit;               /* one more try for this one; UINT32_MAX: every unit that did not succeed */
	struct rv_str note, prompt, agent; /* that go with it; "" = none */
	enum cli_format format;
};

int cli_run_again(const struct cli_run_again *again);

#endif
