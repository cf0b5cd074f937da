/* report_failures.c - what failed, with its last output; what was not run because of it */
#include "cli/export/report.h"
#include "cli/export/tail.h"

#include <stdlib.h>

#define FAILURES_MAX 100u
#define OPEN_MAX 5u      /* shown with their output */
#define IN_VIEW_MAX 10u  /* the others are behind one more click: the timeline should be near */
#define TAIL_BYTES_MAX ((size_t)4 << 10)
#define CAUSES_MAX 20u

static void put_id(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	char room[COORD_UNIT_ID_BYTES];

	cli_put_markup(out, CLI_TEXT_CELL, cli_tally_unit_id(t, unit, room));
}

static void put_facts(const struct cli_tally *t, const struct cli_unit *u, struct rv_buf *out)
{
	struct rv_str node = cli_tally_node_name(t, u->node);

	(void)rv_buf_printf(out, "<p class=\"dim\">class %s", u->class ? proto_class_name((enum proto_class)u->class) : "none");
	if (u->tries)
		(void)rv_buf_printf(out, ", try %u", u->tries);
	if (node.bytes) {
		(void)rv_buf_puts(out, ", on ");
		cli_put_markup(out, CLI_TEXT_CELL, node);
	}
	if (u->start_us) {
		(void)rv_buf_puts(out, ", after ");
		cli_put_duration(out, u->duration_us);
	}
}

static void put_failure(struct cli_export *e, uint32_t unit, bool open, struct rv_buf *out)
{
	const struct cli_tally *t = &e->view.tally;
	struct rv_buf text;

	rv_buf_init(&text, 0);
	cli_put_reason(t, unit, &text);
	(void)rv_buf_printf(out, "<details class=\"bad\"%s><summary><b>", open ? " open" : "");
	put_id(t, unit, out);
	(void)rv_buf_puts(out, "</b>");
	cli_put_markup(out, CLI_TEXT_CELL, rv_buf_str(&text));
	(void)rv_buf_puts(out, "</summary>\n");
	put_facts(t, &t->units[unit], out);
	(void)rv_buf_printf(out, ". <code>reeve logs %s/", e->view.id.text);
	put_id(t, unit, out);
	cli_put_markup(out, CLI_TEXT_CELL, rv_str_of(e->view.state_option));
	(void)rv_buf_puts(out, "</code></p>\n");
	rv_buf_reset(&text);
	cli_tail_put(&e->view, unit, TAIL_BYTES_MAX, &text);
	if (text.bytes) {
		(void)rv_buf_puts(out, "<pre>");
		cli_put_markup(out, CLI_TEXT_LINES, rv_buf_str(&text));
		(void)rv_buf_puts(out, "</pre>\n");
	}
	(void)rv_buf_puts(out, "</details>\n");
	rv_buf_release(&text);
}

/* --- what it cost others ------------------------------------------------------------------------------------------------------- */

struct cause {
	uint32_t unit, count;
};

static int most_first(const void *x, const void *y)
{
	const struct cause *a = x, *b = y;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->unit < b->unit ? -1 : a->unit > b->unit;
}

static void put_causes(const struct cli_tally *t, struct rv_buf *out)
{
	struct cause *causes = calloc((size_t)t->count + 1, sizeof(*causes));
	uint32_t i, used = 0;

	if (!causes) {
		out->failed = true;
		return;
	}
	for (i = 0; i <= t->count; i++)
		causes[i].unit = i;
	for (i = 0; i < t->count; i++) {
		const struct cli_unit *u = &t->units[i];

		if ((u->state == COORD_UNIT_SKIPPED || u->state == COORD_UNIT_CANCELLED) && u->root_cause <= t->count)
			causes[u->root_cause].count++;
	}
	qsort(causes, (size_t)t->count + 1, sizeof(*causes), most_first);
	while (used <= t->count && causes[used].count)
		used++;
	if (used)
		(void)rv_buf_puts(out, "<h2>Not run because of them</h2>\n<div class=\"wide\"><table><tr><th>failed first<th class=\"n\">units that were skipped or cancelled</tr>\n");
	for (i = 0; i < used && i < CAUSES_MAX; i++) {
		(void)rv_buf_puts(out, "<tr><td>");
		put_id(t, causes[i].unit, out);
		(void)rv_buf_printf(out, "<td class=\"n\">%u</tr>\n", causes[i].count);
	}
	if (used)
		(void)rv_buf_puts(out, "</table></div>\n");
	if (used > CAUSES_MAX)
		(void)rv_buf_printf(out, "<p class=\"dim\">and %u more causes</p>\n", used - CAUSES_MAX);
	free(causes);
}

void cli_report_failures(struct cli_export *e, struct rv_buf *out)
{
	const struct cli_tally *t = &e->view.tally;
	uint32_t i, shown = 0, failed = t->in_state[COORD_UNIT_FAILED] + (t->has_verify && t->units[t->count].state == COORD_UNIT_FAILED);

	if (!failed)
		return;
	(void)rv_buf_puts(out, "<section>\n<h2>Failures</h2>\n");
	for (i = 0; i <= t->count && shown < FAILURES_MAX; i++) {
		if (t->units[i].state != COORD_UNIT_FAILED)
			continue;
		if (shown == IN_VIEW_MAX)
			(void)rv_buf_printf(out, "<details><summary>%u more</summary>\n", failed - shown);
		put_failure(e, i, shown < OPEN_MAX, out);
		shown++;
	}
	if (shown > IN_VIEW_MAX)
		(void)rv_buf_puts(out, "</details>\n");
	if (shown < failed)
		(void)rv_buf_printf(out, "<p class=\"dim\">and %u more: <code>reeve status %s</code></p>\n", failed - shown, e->view.id.text);
	put_causes(t, out);
	(void)rv_buf_puts(out, "</section>\n");
}
