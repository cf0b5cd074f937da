/* report_timeline.c - the report's pictures: how many attempts ran at each time, and each of them in its slot
 *
 * Bounded whatever the run: the curve has BINS points; of the attempts the BARS_MAX longest are drawn, in at most LANES_MAX slots.
 */
#include "cli/export/report.h"

#include <stdio.h>
#include <stdlib.h>

#define WIDTH 1080.0
#define LEFT 96.0
#define RIGHT 14.0
#define BINS 240u
#define CURVE_HEIGHT 70.0
#define BARS_MAX 4000u
#define LANES_MAX 256u
#define LABEL_COLUMN 6.0     /* width of a character of a unit's name in its bar */
#define LABEL_COLUMNS_MIN 8u /* a name that is cut to less says nothing */

struct scale {
	uint64_t from_us, span_us;
};

static double x_of(const struct scale *s, uint64_t us)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * (double)rv_sat_sub(us, s->from_us) / (double)s->span_us;
}

/* --- time axis -------------------------------------------------------------------------------------------------------------- */

/* A round number of microseconds that gives four to ten marks. */
static uint64_t step_of(uint64_t span_us)
{
	static const uint64_t seconds[] = { 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400 };
	uint64_t step = 1;
	size_t i;

	while (step < RV_US_PER_S && step * 8 < span_us) { /* 1 2 5 10 20 50 ... us */
		uint64_t lead = step;

		while (lead >= 10)
			lead /= 10;
		step = lead == 2 ? step / 2 * 5 : step * 2;
	}
	if (step < RV_US_PER_S)
		return step;
	for (i = 0; i < RV_ARRAY_LEN(seconds); i++)
		if (seconds[i] * RV_US_PER_S * 8 >= span_us)
			return seconds[i] * RV_US_PER_S;
	return (span_us / (8 * 86400 * RV_US_PER_S) + 1) * 86400 * RV_US_PER_S;
}

static void put_mark(struct rv_buf *out, uint64_t us)
{
	if (us && us < RV_US_PER_MS)
		(void)rv_buf_printf(out, "%llu\xc2\xb5s", (unsigned long long)us);
	else if (us == 0)
		(void)rv_buf_puts(out, "0");
	else
		cli_put_duration(out, us);
}

static void put_axis(const struct scale *s, double height, struct rv_buf *out)
{
	uint64_t at, step = step_of(s->span_us);

	for (at = 0; at <= s->span_us; at += step) {
		double x = x_of(s, s->from_us + at);

		(void)rv_buf_printf(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%.0f\"/><text x=\"%.1f\" y=\"%.0f\" text-anchor=\"%s\">", x, x, height, x,
				    height + 14, at == 0 ? "start" : x > WIDTH - RIGHT - 20 ? "end" : "middle");
		put_mark(out, at);
		(void)rv_buf_puts(out, "</text>");
	}
}

/* --- the curve --------------------------------------------------------------------------------------------------------------- */

static double fill_bins(const struct cli_attempts *a, const struct scale *s, double bins[BINS])
{
	double bin_us = (double)s->span_us / BINS, most = 0;
	uint32_t i, b;

	for (i = 0; i < cli_attempts_count(a); i++) {
		const struct cli_attempt *row = cli_attempt_at(a, i);
		double from = (double)rv_sat_sub(row->start_us, s->from_us), to = (double)rv_sat_sub(row->end_us, s->from_us);

		for (b = (uint32_t)(from / bin_us); b < BINS && b * bin_us < to; b++) {
			double begin = b * bin_us > from ? b * bin_us : from, end = (b + 1) * bin_us < to ? (b + 1) * bin_us : to;

			bins[b] += (end - begin) / bin_us;
		}
	}
	for (b = 0; b < BINS; b++)
		most = bins[b] > most ? bins[b] : most;
	return most;
}

static void put_curve(const struct cli_attempts *a, const struct scale *s, struct rv_buf *out)
{
	double bins[BINS] = { 0 }, most = fill_bins(a, s, bins), width = (WIDTH - LEFT - RIGHT) / BINS;
	uint32_t b;

	(void)rv_buf_printf(out, "<figure>\n<figcaption>Running at once</figcaption>\n<svg viewBox=\"0 -8 %.0f %.0f\" role=\"img\" aria-label=\"attempts running over time\">",
			    WIDTH, CURVE_HEIGHT + 28);
	put_axis(s, CURVE_HEIGHT, out);
	(void)rv_buf_printf(out, "<text x=\"%.0f\" y=\"9\" text-anchor=\"end\">%.3g</text><text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">0</text><path class=\"fill run\" d=\"M%.1f %.1f",
			    LEFT - 8, most, LEFT - 8, CURVE_HEIGHT, LEFT, CURVE_HEIGHT);
	for (b = 0; b < BINS; b++)
		(void)rv_buf_printf(out, "V%.1fH%.1f", most > 0 ? CURVE_HEIGHT * (1 - bins[b] / most) : CURVE_HEIGHT, LEFT + (b + 1) * width);
	(void)rv_buf_printf(out, "V%.1fZ\"/></svg>\n</figure>\n", CURVE_HEIGHT);
}

/* --- bars --------------------------------------------------------------------------------------------------------------------- */

static const char *colour_of(const struct cli_attempt *a)
{
	static const char *const names[] = {
		[CLI_ATTEMPT_RUNNING] = "run",	 [CLI_ATTEMPT_SUCCEEDED] = "ok", [CLI_ATTEMPT_FAILED] = "bad",
		[CLI_ATTEMPT_RETRIED] = "retry", [CLI_ATTEMPT_CANCELLED] = "stop", [CLI_ATTEMPT_LOST] = "lost",
	};

	return names[a->end];
}

static void put_bar(struct cli_export *e, const struct scale *s, const struct cli_attempt *a, double y, double height, struct rv_buf *out)
{
	double x = x_of(s, a->start_us), width = x_of(s, a->end_us) - x;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(&e->view.tally, a->unit, room);
	uint32_t room_columns;

	width = width < 1 ? 1 : width;
	(void)rv_buf_printf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%d\"><title>", colour_of(a), x, y, width, height, width > 6 ? 2 : 0);
	cli_put_markup(out, CLI_TEXT_CELL, id);
	(void)rv_buf_printf(out, ", attempt %u: %s, ", a->number, cli_attempt_end_name((enum cli_attempt_end)a->end));
	cli_put_duration(out, a->end_us - a->start_us);
	if (a->class)
		(void)rv_buf_printf(out, ", %s", proto_class_name((enum proto_class)a->class));
	(void)rv_buf_puts(out, "</title></rect>");
	room_columns = width > 8 ? (uint32_t)((width - 8) / LABEL_COLUMN) : 0;
	if (height < 12 || (room_columns < LABEL_COLUMNS_MIN && room_columns < cli_text_width(id)))
		return;
	(void)rv_buf_printf(out, "<text class=\"in\" x=\"%.1f\" y=\"%.1f\" pointer-events=\"none\">", x + 4, y + height / 2 + 3.5);
	cli_put_markup(out, CLI_TEXT_CELL, rv_str(id.at, cli_text_cut(id, room_columns)));
	(void)rv_buf_puts(out, "</text>");
}

static int longer_first(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a > b ? -1 : a < b;
}

/* Which attempts are drawn: those longer than `longer_us`, and of those that are as long a share, evenly over the run. */
struct choice {
	uint64_t longer_us;
	uint32_t of_equals, equals; /* so many of so many */
	uint32_t seen;              /* equals met so far */
};

static int choose(const struct cli_attempts *a, struct choice *out)
{
	uint32_t i, count = cli_attempts_count(a), longer = 0;
	uint64_t *took;

	*out = (struct choice){ .of_equals = 1, .equals = 1 };
	if (count <= BARS_MAX)
		return 0;
	took = malloc(count * sizeof(*took));
	if (!took)
		return -1;
	for (i = 0; i < count; i++)
		took[i] = cli_attempt_at(a, i)->end_us - cli_attempt_at(a, i)->start_us;
	qsort(took, count, sizeof(*took), longer_first);
	out->longer_us = took[BARS_MAX - 1];
	while (took[longer] > out->longer_us)
		longer++;
	for (i = longer; i < count && took[i] == out->longer_us; i++)
		;
	out->equals = i - longer;
	out->of_equals = BARS_MAX - longer;
	free(took);
	return 0;
}

static bool is_drawn(struct choice *c, uint64_t took_us)
{
	uint64_t before;

	if (took_us != c->longer_us || c->equals == c->of_equals)
		return took_us >= c->longer_us;
	before = (uint64_t)c->seen * c->of_equals / c->equals;
	c->seen++;
	return (uint64_t)c->seen * c->of_equals / c->equals > before;
}

static double row_height(uint32_t lanes)
{
	return lanes <= 32 ? 18 : lanes <= 96 ? 11 : 5;
}

static uint32_t lanes_of(const struct cli_attempts *a)
{
	uint32_t i, lanes = 0;

	for (i = 0; i <= a->node_count; i++)
		lanes += a->slots[i];
	return lanes;
}

static void put_lanes(struct cli_export *e, const struct scale *s, uint32_t lanes, struct rv_buf *out)
{
	const struct cli_attempts *a = &e->attempts;
	uint32_t i, drawn = 0, count = cli_attempts_count(a);
	struct choice choice;
	double row = row_height(lanes), height = 0, *top = calloc((size_t)a->node_count + 1, sizeof(*top));

	for (i = 0; top && i <= a->node_count; i++) {
		top[i] = height;
		height += a->slots[i] ? a->slots[i] * row + 8 : 0;
	}
	if (!top || choose(a, &choice)) {
		free(top);
		out->failed = true;
		return;
	}
	(void)rv_buf_printf(out, "<figure>\n<figcaption>Attempts, by node and slot</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"attempts by node, slot and time\">", WIDTH,
			    height + 20);
	put_axis(s, height, out);
	for (i = 0; i <= a->node_count; i++) {
		struct rv_str name = i < a->node_count ? cli_tally_node_name(&e->view.tally, i) : rv_str(NULL, 0);

		if (!a->slots[i])
			continue;
		(void)rv_buf_printf(out, "<text class=\"node\" x=\"0\" y=\"%.1f\">", top[i] + (row < 12 ? 10 : row / 2 + 4));
		cli_put_markup(out, CLI_TEXT_CELL, name.bytes ? rv_str(name.at, cli_text_cut(name, 14)) : RV_STR("unknown"));
		(void)rv_buf_puts(out, "</text>");
	}
	(void)rv_buf_putc(out, '\n');
	for (i = 0; i < count; i++) {
		const struct cli_attempt *at = cli_attempt_at(a, i);

		if (!is_drawn(&choice, at->end_us - at->start_us))
			continue;
		put_bar(e, s, at, top[at->node == COORD_NONE ? a->node_count : at->node] + at->slot * row, row - (row < 8 ? 1 : 3), out);
		drawn++;
	}
	(void)rv_buf_puts(out, "</svg>\n</figure>\n");
	if (drawn < count) {
		(void)rv_buf_puts(out, "<p class=\"dim\">Drawn are ");
		cli_report_number(out, drawn);
		(void)rv_buf_puts(out, " of ");
		cli_report_number(out, count);
		(void)rv_buf_puts(out, " attempts, the longest. <code>reeve export chrome-trace</code> has them all.</p>\n");
	}
	free(top);
}

static void put_legend(const struct cli_attempts *a, struct rv_buf *out)
{
	bool there[CLI_ATTEMPT_LOST + 1] = { false };
	uint32_t i;

	for (i = 0; i < cli_attempts_count(a); i++)
		there[cli_attempt_at(a, i)->end] = true;
	(void)rv_buf_puts(out, "<ul class=\"legend\">");
	for (i = 0; i <= CLI_ATTEMPT_LOST; i++)
		if (there[i])
			(void)rv_buf_printf(out, "<li class=\"%s\">%s</li>", colour_of(&(struct cli_attempt){ .end = (uint8_t)i }), cli_attempt_end_name((enum cli_attempt_end)i));
	(void)rv_buf_puts(out, "</ul>\n");
}

void cli_report_timeline(struct cli_export *e, struct rv_buf *out)
{
	const struct cli_attempts *a = &e->attempts;
	struct scale s = { .from_us = a->from_us, .span_us = rv_max_u64(rv_sat_sub(a->to_us, a->from_us), 1) };
	uint32_t lanes = lanes_of(a);

	if (!cli_attempts_count(a))
		return;
	(void)rv_buf_puts(out, "<section>\n<h2>Timeline</h2>\n");
	put_curve(a, &s, out);
	if (lanes <= LANES_MAX)
		put_lanes(e, &s, lanes, out);
	else
		(void)rv_buf_printf(out, "<p class=\"dim\">%u slots were in use at once: more than %u are not drawn one by one. <code>reeve export chrome-trace</code> has them all.</p>\n",
				    lanes, LANES_MAX);
	put_legend(a, out);
	(void)rv_buf_puts(out, "</section>\n");
}
