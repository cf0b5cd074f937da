/* export.h - `reeve export`: a run as other tools want it
 *
 * A format gets the run's transitions while it is replayed (`listen`) and writes what it has to write once all are known
 * (`write`); each may be NULL. Text of others is made harmless by text.h before it is quoted (markup.h). Nothing is kept but a row a unit or attempt.
 */
#ifndef CLI_EXPORT_H
#define CLI_EXPORT_H

#include "cli/export/attempts.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/query.h"

struct cli_export {
	struct cli_runview view;
	struct cli_out out;
	struct rv_buf line;            /* for whoever needs one for a moment */
	const struct cli_export_format *format;
	struct cli_attempts attempts;  /* of formats that ask for them */
	struct cli_joblog joblog;
};

struct cli_export_format {
	const char *name;
	const char *summary;           /* for help */
	bool attempts;                 /* wants cli_export.attempts */
	void (*begin)(struct cli_export *e); /* before anything is read */
	void (*listen)(struct cli_export *e, const struct coord_transition *tr); /* the tally was fed before */
	int (*write)(struct cli_export *e, struct rv_err *err);
};

extern const struct cli_export_format cli_export_joblog, cli_export_chrome_trace, cli_export_junit, cli_export_dot, cli_export_mermaid,
	cli_export_report;

/* Answers; gives the exit status. */
int cli_export_run(const struct cli_export_format *f, const struct cli_query *q, struct cli_target target);

#endif
