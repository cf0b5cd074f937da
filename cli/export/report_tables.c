/* report_tables.c - the report's tables: slowest units, agents, nodes */
#include "cli/export/report.h"

#include "cli/agentsums.h"

#include <stdlib.h>

#define SLOWEST_MAX 15u

static void put_text(struct rv_buf *out, struct rv_str s)
{
	cli_put_markup(out, CLI_TEXT_CELL, s);
}

static void put_count(struct rv_buf *out, uint64_t n)
{
	(void)rv_buf_puts(out, "<td class=\"n\">");
	cli_report_number(out, n);
}

/* --- slowest ------------------------------------------------------------------------------------------------------------------ */

/* The longest so far, longest first; SLOWEST_MAX of them. */
static uint32_t find_slowest(const struct cli_tally *t, uint32_t slowest[SLOWEST_MAX])
{
	uint32_t i, k, count = 0;

	for (i = 0; i < t->count; i++) {
		const struct cli_unit *u = &t->units[i];

		if (!cli_unit_ended(u) || !u->start_us || (count == SLOWEST_MAX && u->duration_us <= t->units[slowest[count - 1]].duration_us))
			continue;
		if (count < SLOWEST_MAX)
			count++;
		for (k = count - 1; k > 0 && t->units[slowest[k - 1]].duration_us < u->duration_us; k--)
			slowest[k] = slowest[k - 1];
		slowest[k] = i;
	}
	return count;
}

static void put_bar(struct rv_buf *out, const char *colour, uint64_t part, uint64_t whole)
{
	(void)rv_buf_printf(out, "<td class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\"><rect class=\"%s\" width=\"%.2f\" height=\"10\"/></svg>", colour,
			    whole ? 100.0 * (double)part / (double)whole : 0.0);
}

void cli_report_slowest(struct cli_export *e, struct rv_buf *out)
{
	const struct cli_tally *t = &e->view.tally;
	uint32_t i, slowest[SLOWEST_MAX] = { 0 }, count = find_slowest(t, slowest);
	char room[COORD_UNIT_ID_BYTES];

	if (!count)
		return;
	(void)rv_buf_puts(out, "<section>\n<h2>Slowest units</h2>\n<div class=\"wide\"><table><tr><th>unit<th>state<th>agent<th>node<th class=\"n\">tries<th class=\"n\">time<th></tr>\n");
	for (i = 0; i < count; i++) {
		const struct cli_unit *u = &t->units[slowest[i]];
		(void)rv_buf_puts(out, "<tr><td>");
		put_text(out, cli_tally_unit_id(t, slowest[i], room));
		(void)rv_buf_printf(out, "<td>%s<td>", coord_unit_state_name(u->state));
		put_text(out, cli_tally_agent_name(t, slowest[i]));
		(void)rv_buf_puts(out, "<td>");
		put_text(out, cli_tally_node_name(t, u->node));
		(void)rv_buf_printf(out, "<td class=\"n\">%u<td class=\"n\">", u->tries);
		cli_put_duration(out, u->duration_us);
		put_bar(out, cli_report_colour(u->state), u->duration_us, t->units[slowest[0]].duration_us);
		(void)rv_buf_puts(out, "</tr>\n");
	}
	(void)rv_buf_puts(out, "</table></div>\n</section>\n");
}

/* --- agents -------------------------------------------------------------------------------------------------------------------- */

static struct cli_attempt_usage shown_usage(const struct proto_usage *used)
{
	return (struct cli_attempt_usage){ .tokens = proto_usage_tokens(used),
					   .cost_microusd = proto_usage_cost(used),
					   .cost_unknown = used->cost_microusd == PROTO_COST_UNKNOWN && proto_usage_tokens(used) };
}

void cli_report_agents(struct cli_export *e, struct rv_buf *out)
{
	const struct cli_tally *t = &e->view.tally;
	struct cli_agent_did sums[CLI_AGENT_SUMS_MAX];
	uint32_t i, count = cli_agent_sums(t, sums);

	if (!count)
		return;
	(void)rv_buf_puts(out, "<section>\n<h2>Agents</h2>\n<div class=\"wide\"><table><tr><th>agent<th class=\"n\">units<th class=\"n\">succeeded<th class=\"n\">failed<th class=\"n\">running time<th class=\"n\">CPU");
	(void)rv_buf_puts(out, e->attempts.usage ? "<th class=\"n\">tokens<th class=\"n\">cost</tr>\n" : "</tr>\n");
	for (i = 0; i < count; i++) {
		(void)rv_buf_puts(out, "<tr><td>");
		put_text(out, sums[i].name);
		put_count(out, sums[i].units);
		put_count(out, sums[i].succeeded);
		put_count(out, sums[i].failed);
		(void)rv_buf_puts(out, "<td class=\"n\">");
		cli_put_duration(out, sums[i].duration_us);
		(void)rv_buf_puts(out, "<td class=\"n\">");
		cli_put_duration(out, sums[i].cpu_us);
		if (e->attempts.usage) {
			struct cli_attempt_usage usage = shown_usage(&sums[i].used);

			(void)rv_buf_puts(out, "<td class=\"n\">");
			cli_report_number(out, usage.tokens);
			(void)rv_buf_puts(out, "<td class=\"n\">");
			cli_report_cost(out, &usage);
		}
		(void)rv_buf_puts(out, "</tr>\n");
	}
	(void)rv_buf_puts(out, "</table></div>\n</section>\n");
}

/* --- nodes --------------------------------------------------------------------------------------------------------------------- */

struct node_sum {
	uint32_t attempts, failed, lost;
	uint64_t busy_us;
};

void cli_report_nodes(struct cli_export *e, struct rv_buf *out)
{
	const struct cli_attempts *a = &e->attempts;
	struct node_sum *sums;
	uint32_t i, used = 0;

	for (i = 0; i <= a->node_count; i++)
		used += a->slots[i] > 0;
	if (used < 2) /* one machine: the counts above are its */
		return;
	sums = calloc((size_t)a->node_count + 1, sizeof(*sums));
	if (!sums) {
		out->failed = true;
		return;
	}
	for (i = 0; i < cli_attempts_count(a); i++) {
		const struct cli_attempt *row = cli_attempt_at(a, i);
		struct node_sum *sum = &sums[row->node == COORD_NONE ? a->node_count : row->node];

		sum->attempts++;
		sum->failed += row->end == CLI_ATTEMPT_FAILED || row->end == CLI_ATTEMPT_RETRIED;
		sum->lost += row->end == CLI_ATTEMPT_LOST;
		sum->busy_us += row->end_us - row->start_us;
	}
	(void)rv_buf_puts(out, "<section>\n<h2>Nodes</h2>\n<div class=\"wide\"><table><tr><th>node<th class=\"n\">attempts<th class=\"n\">failed<th class=\"n\">lost<th class=\"n\">most at once<th class=\"n\">running time</tr>\n");
	for (i = 0; i <= a->node_count; i++) {
		struct rv_str name = i < a->node_count ? cli_tally_node_name(&e->view.tally, i) : rv_str(NULL, 0);

		if (!a->slots[i])
			continue;
		(void)rv_buf_puts(out, "<tr><td>");
		put_text(out, name.bytes ? name : RV_STR("unknown"));
		put_count(out, sums[i].attempts);
		put_count(out, sums[i].failed);
		put_count(out, sums[i].lost);
		put_count(out, a->slots[i]);
		(void)rv_buf_puts(out, "<td class=\"n\">");
		cli_put_duration(out, sums[i].busy_us);
		(void)rv_buf_puts(out, "</tr>\n");
	}
	(void)rv_buf_puts(out, "</table></div>\n</section>\n");
	free(sums);
}
