/* report.h - the parts of the HTML report; private to cli/export
 *
 * One page without scripts: style in the page, allowed by its digest alone; pictures are inline SVG that take their colours from the style's
 * classes, so that light and dark are the reader's choice. Everything else is forbidden by the page's own Content-Security-Policy.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/export/export.h"
#include "cli/export/markup.h"
#include "cli/render.h"

/* The style sheet, and what the policy knows it by: base64 of its SHA-256. A test compares them. */
extern const char cli_report_style[];
extern const char cli_report_style_digest[];

/* report_page.c: top and end of the page. */
void cli_report_head(struct cli_export *e, struct rv_buf *out);
void cli_report_foot(struct cli_export *e, struct rv_buf *out);
/* report_timeline.c: how many ran at each time, and who when and where. */
void cli_report_timeline(struct cli_export *e, struct rv_buf *out);
/* report_tables.c */
void cli_report_slowest(struct cli_export *e, struct rv_buf *out);
void cli_report_agents(struct cli_export *e, struct rv_buf *out);
void cli_report_nodes(struct cli_export *e, struct rv_buf *out);
/* report_failures.c: what failed, with its last output; what was not run because of it. */
void cli_report_failures(struct cli_export *e, struct rv_buf *out);

/* 1,234,567 */
void cli_report_number(struct rv_buf *out, uint64_t n);
/* $4.10, or "$4.10 and more" where some of it is not known; "unknown" where nothing is. */
void cli_report_cost(struct rv_buf *out, const struct cli_attempt_usage *u);
/* What all units used together. */
struct cli_attempt_usage cli_report_usage(const struct cli_export *e);

/* The class of a state's colour: "ok", "bad", ... */
const char *cli_report_colour(enum coord_unit_state state);

#endif
