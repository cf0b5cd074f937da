/* graph.c - `export dot` and `export mermaid`: the units with what became of them as colours, dependencies as arrows */
#include "cli/export/export.h"
#include "cli/export/markup.h"
#include "cli/render.h"

struct colours {
	const char *fill, *line;
};

static const struct colours colours[COORD_UNIT_STATE_COUNT] = {
	[COORD_UNIT_PENDING] = { "#f3f4f6", "#9ca3af" },   [COORD_UNIT_READY] = { "#e0f2fe", "#0284c7" },
	[COORD_UNIT_ACTIVE] = { "#bfdbfe", "#1d4ed8" },    [COORD_UNIT_RETRY_WAIT] = { "#fef3c7", "#b45309" },
	[COORD_UNIT_HELD] = { "#ede9fe", "#6d28d9" },      [COORD_UNIT_SUCCEEDED] = { "#bbf7d0", "#15803d" },
	[COORD_UNIT_FAILED] = { "#fecaca", "#b91c1c" },    [COORD_UNIT_SKIPPED] = { "#e5e7eb", "#6b7280" },
	[COORD_UNIT_CANCELLED] = { "#fed7aa", "#c2410c" },
};

/* "succeeded 1.2s" */
static void put_state(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	const struct cli_unit *u = &t->units[unit];

	(void)rv_buf_puts(out, coord_unit_state_name(u->state));
	if (u->start_us && cli_unit_ended(u)) {
		(void)rv_buf_putc(out, ' ');
		cli_put_duration(out, u->duration_us);
	}
}

/* The verify step stands there once it has run. */
static uint32_t shown_count(const struct cli_tally *t)
{
	return t->count + (t->has_verify && t->units[t->count].attempt ? 1 : 0);
}

static void flush_line(struct cli_export *e)
{
	cli_out_put(&e->out, rv_buf_str(&e->line));
	rv_buf_reset(&e->line);
}

/* --- dot ---------------------------------------------------------------------------------------------------------------- */

static void put_dot_unit(struct cli_export *e, uint32_t unit)
{
	const struct cli_tally *t = &e->view.tally;
	const struct colours *c = &colours[t->units[unit].state];
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf text;

	rv_buf_init(&text, 0);
	(void)rv_buf_printf(&e->line, "  u%u [label=", unit);
	cli_put_dot(&e->line, cli_tally_unit_id(t, unit, room));
	e->line.bytes--; /* its last quote: the second line of the label follows */
	(void)rv_buf_puts(&e->line, "\\n");
	put_state(t, unit, &e->line);
	(void)rv_buf_printf(&e->line, "\", fillcolor=\"%s\", color=\"%s\", tooltip=", c->fill, c->line);
	cli_put_reason(t, unit, &text);
	cli_put_dot(&e->line, text.bytes ? rv_buf_str(&text) : rv_str_of(coord_unit_state_name(t->units[unit].state)));
	(void)rv_buf_puts(&e->line, "];\n");
	rv_buf_release(&text);
	flush_line(e);
}

static int write_dot(struct cli_export *e, struct rv_err *err)
{
	const struct cli_tally *t = &e->view.tally;
	uint32_t i, k;

	(void)err;
	rv_buf_reset(&e->line);
	(void)rv_buf_puts(&e->line, "digraph ");
	cli_put_dot(&e->line, coord_graph_name(t->graph));
	(void)rv_buf_printf(&e->line, " {\n  label=\"run %s: %s\";\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
			    e->view.id.text, coord_run_state_name(t->state));
	for (i = 0; i < shown_count(t); i++)
		put_dot_unit(e, i);
	for (i = 0; i < t->count; i++) {
		for (k = 0; k < coord_graph_dep_count(t->graph, i); k++) {
			(void)rv_buf_printf(&e->line, "  u%u -> u%u;\n", coord_graph_dep(t->graph, i, k), i);
			flush_line(e);
		}
	}
	(void)rv_buf_puts(&e->line, "}\n");
	flush_line(e);
	return 0;
}

const struct cli_export_format cli_export_dot = {
	.name = "dot", .summary = "for Graphviz: units with their states as colours", .write = write_dot,
};

/* --- mermaid --------------------------------------------------------------------------------------------------------------- */

static int write_mermaid(struct cli_export *e, struct rv_err *err)
{
	const struct cli_tally *t = &e->view.tally;
	char room[COORD_UNIT_ID_BYTES];
	uint32_t i, k;

	(void)err;
	rv_buf_reset(&e->line);
	(void)rv_buf_printf(&e->line, "flowchart LR\n  %%%% run %s: %s\n", e->view.id.text, coord_run_state_name(t->state));
	for (i = 0; i < shown_count(t); i++) {
		(void)rv_buf_printf(&e->line, "  u%u[\"", i);
		cli_put_mermaid(&e->line, cli_tally_unit_id(t, i, room));
		(void)rv_buf_puts(&e->line, "<br>");
		put_state(t, i, &e->line);
		(void)rv_buf_printf(&e->line, "\"]:::%s\n", coord_unit_state_name(t->units[i].state));
		flush_line(e);
	}
	for (i = 0; i < t->count; i++) {
		for (k = 0; k < coord_graph_dep_count(t->graph, i); k++) {
			(void)rv_buf_printf(&e->line, "  u%u --> u%u\n", coord_graph_dep(t->graph, i, k), i);
			flush_line(e);
		}
	}
	for (i = 0; i < COORD_UNIT_STATE_COUNT; i++)
		(void)rv_buf_printf(&e->line, "  classDef %s fill:%s,stroke:%s,color:#111\n", coord_unit_state_name((enum coord_unit_state)i), colours[i].fill, colours[i].line);
	flush_line(e);
	return 0;
}

const struct cli_export_format cli_export_mermaid = {
	.name = "mermaid", .summary = "for Mermaid: the same", .write = write_mermaid,
};
