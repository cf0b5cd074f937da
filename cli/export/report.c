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

void cli_report_number(struct rv_buf *out, uint64_t n)
{
	if (n >= 1000) {
		cli_report_number(out, n / 1000);
		(void)rv_buf_putc(out, ',');
		(void)rv_buf_put_decimal(out, n % 1000, 3);
	} else {
		(void)rv_buf_put_decimal(out, n, 1);
	}
}

void cli_report_cost(struct rv_buf *out, const struct cli_attempt_usage *u)
{
	uint64_t cents = u->cost_microusd / 10000 + (u->cost_microusd % 10000 >= 5000);

	if (!u->cost_microusd && u->cost_unknown) {
		(void)rv_buf_puts(out, "unknown");
		return;
	}
	if (u->cost_microusd && u->cost_microusd < 10000) {
		(void)rv_buf_printf(out, "&lt;$0.01%s", u->cost_unknown ? " and more" : "");
		return;
	}
	(void)rv_buf_putc(out, '$');
	cli_report_number(out, cents / 100);
	(void)rv_buf_printf(out, ".%02u%s", (unsigned)(cents % 100), u->cost_unknown ? " and more" : "");
}

struct cli_attempt_usage cli_report_usage(const struct cli_export *e)
{
	struct cli_attempt_usage sum = { 0 };
	uint32_t i;

	for (i = 0; e->attempts.usage && i <= e->view.tally.count; i++) {
		const struct cli_attempt_usage *u = &e->attempts.usage[i];

		sum.tokens = rv_sat_add(sum.tokens, u->tokens);
		sum.cost_microusd = rv_sat_add(sum.cost_microusd, u->cost_microusd);
		sum.cost_unknown |= u->cost_unknown;
	}
	return sum;
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
