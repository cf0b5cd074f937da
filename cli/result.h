/* result.h - what came of a run: reeve.result/1 for programs, a summary for people
 *
 * Written from a tally, live or replayed. The fields are docs/schemas/result.json's.
 */
#ifndef CLI_RESULT_H
#define CLI_RESULT_H

#include "cli/blobsource.h"
#include "cli/tally.h"

struct cli_result_scope {
	const struct cli_tally *tally;
	struct rv_str settings;   /* JSON object (layout.h settings.json); "" = {} */
	struct cli_blob_source blobs; /* for the last output line; zeros: only what is inline */
	const char *state_option; /* "" or " --state DIR", for commands that are suggested */
};

/* reeve.result/1 of the whole run in one object, no newline. */
void cli_result_json(const struct cli_result_scope *s, struct rv_buf *out);
/* The same without `units`: the last line of -o jsonl. */
void cli_result_run_json(const struct cli_result_scope *s, struct rv_buf *out);
/* One unit's object: what -o jsonl writes the moment it is accepted, and an element of `units`. */
void cli_result_unit_json(const struct cli_result_scope *s, uint32_t unit, struct rv_buf *out);
/* A plan that was refused: state rejected, `errors` a JSON array (plan_diags_json). */
void cli_result_rejected_json(struct rv_str name, struct rv_str errors, struct rv_buf *out);

/* Counts, then each unit that did not succeed with its reason, last output line and the command that shows more. */
void cli_result_text(const struct cli_result_scope *s, struct rv_buf *out);
/* Its first line alone: "run ID name: state in time: counts", no newline. */
void cli_result_headline(const struct cli_result_scope *s, struct rv_buf *out);
void cli_result_markdown(const struct cli_result_scope *s, struct rv_buf *out);

/* More units than this: summary.json lists only those that did not succeed. */
#define CLI_SUMMARY_UNITS_MAX 10000u

/* summary.json and summary.md into the run's directory. Large runs: only units that did not succeed are listed. */
int cli_result_write_files(const struct cli_result_scope *s, const char *run_dir, struct rv_err *err);

/* The exit status that a run ends with by its state and reason: 0, 1, 124, 130. */
int cli_result_exit(const struct cli_tally *t);

#endif
