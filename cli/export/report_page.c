/* report_page.c - top and end of the report: what it is of, how it stands */
#include "cli/cli.h"
#include "cli/export/report.h"

static const char *run_colour(const struct cli_tally *t)
{
	switch (t->state) {
	case COORD_RUN_SUCCEEDED:
		return "ok";
	case COORD_RUN_FAILED:
		return "bad";
	case COORD_RUN_CANCELLED:
		return "stop";
	case COORD_RUN_PAUSED:
		return "wait";
	default:
		return "run";
	}
}

static void put_title(const struct cli_tally *t, struct rv_buf *out)
{
	cli_put_markup(out, CLI_TEXT_CELL, coord_graph_name(t->graph));
}

static void put_tile(struct rv_buf *out, const char *colour, uint64_t n, const char *what)
{
	(void)rv_buf_printf(out, "<div%s%s%s><b>", colour ? " class=\"" : "", colour ? colour : "", colour ? "\"" : "");
	cli_report_number(out, n);
	(void)rv_buf_printf(out, "</b><span>%s</span></div>\n", what);
}

static void put_long_tile(struct rv_buf *out, uint64_t us, const char *what)
{
	(void)rv_buf_puts(out, "<div><b>");
	cli_put_duration(out, us);
	(void)rv_buf_printf(out, "</b><span>%s</span></div>\n", what);
}

/* The shares of the states in one bar. */
static void put_share(const struct cli_tally *t, struct rv_buf *out)
{
	static const enum coord_unit_state order[] = { COORD_UNIT_SUCCEEDED, COORD_UNIT_FAILED, COORD_UNIT_CANCELLED, COORD_UNIT_SKIPPED, COORD_UNIT_ACTIVE };
	double x = 0;
	size_t i;

	(void)rv_buf_puts(out, "<svg class=\"share\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"shares of the states\">"
			       "<rect class=\"wait\" width=\"1000\" height=\"10\"/>");
	for (i = 0; t->count && i < RV_ARRAY_LEN(order); i++) {
		double width = 1000.0 * t->in_state[order[i]] / t->count;

		if (width > 0)
			(void)rv_buf_printf(out, "<rect class=\"%s\" x=\"%.2f\" width=\"%.2f\" height=\"10\"/>", cli_report_colour(order[i]), x, width);
		x += width;
	}
	(void)rv_buf_puts(out, "</svg>\n");
}

static void put_tiles(const struct cli_export *e, struct rv_buf *out)
{
	const struct cli_tally *t = &e->view.tally;
	struct cli_attempt_usage usage = cli_report_usage(e);
	uint64_t cpu_us = 0;
	uint32_t i, waiting = t->count - cli_tally_ended(t) - t->in_state[COORD_UNIT_ACTIVE];

	for (i = 0; i <= t->count; i++)
		cpu_us += t->units[i].cpu_us;
	(void)rv_buf_puts(out, "<div class=\"tiles\">\n");
	put_tile(out, NULL, t->count, t->count == 1 ? "unit" : "units");
	put_tile(out, "ok", t->in_state[COORD_UNIT_SUCCEEDED], "succeeded");
	put_tile(out, "bad", t->in_state[COORD_UNIT_FAILED], "failed");
	if (t->in_state[COORD_UNIT_SKIPPED])
		put_tile(out, "skip", t->in_state[COORD_UNIT_SKIPPED], "skipped");
	if (t->in_state[COORD_UNIT_CANCELLED])
		put_tile(out, "stop", t->in_state[COORD_UNIT_CANCELLED], "cancelled");
	if (!t->finished_us)
		put_tile(out, "run", t->in_state[COORD_UNIT_ACTIVE], "running");
	if (!t->finished_us || waiting)
		put_tile(out, "wait", waiting, "waiting");
	if (t->retries)
		put_tile(out, "retry", t->retries, t->retries == 1 ? "retry" : "retries");
	if (t->node_lost)
		put_tile(out, "lost", t->node_lost, "lost with a node");
	if (t->finished_us)
		put_long_tile(out, cli_tally_took_us(t), t->stopped_us ? "running" : "from start to end");
	if (cpu_us)
		put_long_tile(out, cpu_us, "of CPU");
	if (e->attempts.usage) {
		put_tile(out, NULL, usage.tokens, usage.tokens == 1 ? "token" : "tokens");
		(void)rv_buf_puts(out, "<div><b>");
		cli_report_cost(out, &usage);
		(void)rv_buf_puts(out, "</b><span>cost</span></div>\n");
	}
	(void)rv_buf_puts(out, "</div>\n");
}

static void put_when(struct rv_buf *out, uint64_t real_us)
{
	struct rv_buf text;

	rv_buf_init(&text, 0);
	cli_put_time(&text, real_us);
	(void)rv_buf_printf(out, "<time datetime=\"%s\">%.10s %.8s UTC</time>", text.at, text.at, text.bytes > 19 ? text.at + 11 : "");
	rv_buf_release(&text);
}

void cli_report_head(struct cli_export *e, struct rv_buf *out)
{
	const struct cli_tally *t = &e->view.tally;

	(void)rv_buf_printf(out,
			    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
			    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
			    "<link rel=\"icon\" href=\"data:,\">\n<title>", cli_report_style_digest);
	put_title(t, out);
	(void)rv_buf_printf(out, " - %s - run %s</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n<header>\n<h1>", coord_run_state_name(t->state), e->view.id.text,
			    cli_report_style);
	put_title(t, out);
	(void)rv_buf_printf(out, " <span class=\"badge %s\">%s</span></h1>\n<p class=\"dim\">run <code>%s</code>", run_colour(t), coord_run_state_name(t->state),
			    e->view.id.text);
	if (t->reason)
		(void)rv_buf_printf(out, ", %s", proto_reason_name(t->reason));
	if (t->started_us || t->accepted_us) {
		(void)rv_buf_puts(out, ", began ");
		put_when(out, t->started_us ? t->started_us : t->accepted_us);
	}
	if (t->finished_us) {
		(void)rv_buf_puts(out, ", ended ");
		put_when(out, t->finished_us);
	} else {
		(void)rv_buf_puts(out, ", not ended: as of ");
		put_when(out, e->attempts.to_us);
	}
	(void)rv_buf_puts(out, "</p>\n");
	put_share(t, out);
	put_tiles(e, out);
	(void)rv_buf_puts(out, "</header>\n");
}

void cli_report_foot(struct cli_export *e, struct rv_buf *out)
{
	(void)rv_buf_printf(out, "<footer>Written by reeve " CLI_VERSION ". More: <code>reeve status %s", e->view.id.text);
	cli_put_markup(out, CLI_TEXT_CELL, rv_str_of(e->view.state_option));
	(void)rv_buf_printf(out, "</code>, <code>reeve logs %s/UNIT", e->view.id.text);
	cli_put_markup(out, CLI_TEXT_CELL, rv_str_of(e->view.state_option));
	(void)rv_buf_puts(out, "</code></footer>\n</main>\n</body>\n</html>\n");
}
