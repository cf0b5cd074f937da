/* report.c - `export report`: one self-contained HTML page of a run, in the order in which it is read */
#include "cli/export/report.h"

const char *cli_report_colour(enum coord_unit_state state)
{
	switch (state) {
	case COORD_UNIT_SUCCEEDED:
		return "ok";
	case COORD_UNIT_FAILED:
		return "bad";
	case COORD_UNIT_SKIPPED:
		return "skip";
	case COORD_UNIT_CANCELLED:
		return "stop";
	case COORD_UNIT_ACTIVE:
		return "run";
	default:
		return "wait";
	}
}

static int write_report(struct cli_export *e, struct rv_err *err)
{
	static void (*const parts[])(struct cli_export *e, struct rv_buf *out) = {
		cli_report_head, cli_report_failures, cli_report_timeline, cli_report_slowest, cli_report_agents, cli_report_nodes, cli_report_foot,
	};
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(parts); i++) {
		rv_buf_reset(&e->line);
		parts[i](e, &e->line);
		if (e->line.failed)
			return rv_fail(err, RV_E_NO_MEMORY, "no memory for the report of run %s", e->view.id.text);
		cli_out_put(&e->out, rv_buf_str(&e->line));
	}
	return 0;
}

const struct cli_export_format cli_export_report = {
	.name = "report", .summary = "one HTML page, complete in itself: counts, failures with their last output, timeline, slowest units", .attempts = true,
	.write = write_report,
};
