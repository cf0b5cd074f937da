/* cmd_graph.c - `reeve graph PLAN`: draws a plan, as levels of text, dot or mermaid */
#include "cli/cli.h"
#include "cli/planload.h"
#include "common/plan/levels.h"

#include <inttypes.h>
#include <stdlib.h>

#define LEVELS_SHOWN 100u
#define LEVEL_UNITS_SHOWN 40u
#define DEPS_SHOWN 6u

struct drawing {
	const struct plan *p;
	struct plan_levels levels;
	uint32_t *critical; /* of each unit: its place on the critical path, from 1; 0: not on it */
	bool all;
	struct rv_buf out;
};

/* ---- text ---- */

static void put_unit_text(struct drawing *d, uint32_t unit)
{
	const struct plan_unit *u = &d->p->units[unit];
	uint32_t i, shown = d->all ? u->dep_count : DEPS_SHOWN;

	(void)rv_buf_printf(&d->out, "  %c %.*s", d->critical[unit] ? '*' : ' ', RV_STR_ARGS(u->id));
	if (u->for_each)
		(void)rv_buf_printf(&d->out, " x %u", plan_unit_instances(u));
	if (u->estimate_us != PLAN_ESTIMATE_NONE) {
		(void)rv_buf_puts(&d->out, " (");
		cli_put_duration(&d->out, u->estimate_us);
		(void)rv_buf_putc(&d->out, ')');
	}
	for (i = 0; i < u->dep_count && i < shown; i++)
		(void)rv_buf_printf(&d->out, "%s%.*s", i ? ", " : " <- ", RV_STR_ARGS(d->p->units[u->deps[i]].id));
	if (i < u->dep_count)
		(void)rv_buf_printf(&d->out, ", and %u more", u->dep_count - i);
	if (u->for_each && u->for_each->same_as != PLAN_NONE)
		(void)rv_buf_printf(&d->out, "%s%.*s one by one", u->dep_count ? ", " : " <- ",
				    RV_STR_ARGS(d->p->units[u->for_each->same_as].id));
	(void)rv_buf_putc(&d->out, '\n');
}

static void put_level(struct drawing *d, uint32_t level)
{
	const struct plan_levels *v = &d->levels;
	uint32_t from = v->start[level], to = v->start[level + 1], at, shown = 0;

	(void)rv_buf_printf(&d->out, "level %u: %u unit%s\n", level + 1, to - from, cli_s(to - from));
	for (at = from; at < to; at++) {
		/* Those of the critical path are always among those shown. */
		if (!d->all && shown >= LEVEL_UNITS_SHOWN && !d->critical[v->order[at]])
			continue;
		put_unit_text(d, v->order[at]);
		shown++;
	}
	if (shown < to - from)
		(void)rv_buf_printf(&d->out, "    ... and %u more\n", to - from - shown);
}

static void put_text(struct drawing *d)
{
	const struct plan_levels *v = &d->levels;
	uint32_t i;

	(void)rv_buf_printf(&d->out, "%.*s: %" PRIu64 " unit%s, %" PRIu64 " dependenc%s, %u level%s\n",
			    RV_STR_ARGS(d->p->name), d->p->instance_count, cli_s(d->p->instance_count), d->p->edge_count,
			    d->p->edge_count == 1 ? "y" : "ies", v->count, cli_s(v->count));
	for (i = 0; i < v->count; i++) {
		if (!d->all && v->count > LEVELS_SHOWN && i == LEVELS_SHOWN / 2) {
			(void)rv_buf_printf(&d->out, "... %u more levels ...\n", v->count - LEVELS_SHOWN);
			i = v->count - LEVELS_SHOWN / 2;
		}
		put_level(d, i);
	}
	if (!v->critical_count)
		return;
	(void)rv_buf_puts(&d->out, "critical path (*), ");
	cli_put_duration(&d->out, v->critical_us);
	(void)rv_buf_puts(&d->out, " of ");
	cli_put_duration(&d->out, v->work_us);
	(void)rv_buf_puts(&d->out, " work: ");
	for (i = 0; i < v->critical_count; i++) {
		if (!d->all && v->critical_count > 24 && i == 12) {
			(void)rv_buf_printf(&d->out, " -> ... %u more ...", v->critical_count - 24);
			i = v->critical_count - 12;
		}
		(void)rv_buf_printf(&d->out, "%s%.*s", i ? " -> " : "", RV_STR_ARGS(d->p->units[v->critical[i]].id));
	}
	(void)rv_buf_puts(&d->out, d->p->verify ? "\nverify: after all of them\n" : "\n");
}

/* ---- dot, mermaid ---- */

static void put_dot_edge(struct drawing *d, uint32_t from, uint32_t to, const char *style)
{
	bool critical = d->critical[from] && d->critical[to] == d->critical[from] + 1;

	(void)rv_buf_puts(&d->out, "  ");
	(void)rv_buf_put_json(&d->out, d->p->units[from].id);
	(void)rv_buf_puts(&d->out, " -> ");
	(void)rv_buf_put_json(&d->out, d->p->units[to].id);
	if (critical || *style)
		(void)rv_buf_printf(&d->out, " [%s%s%s]", style, critical && *style ? ", " : "",
				    critical ? "color=red, penwidth=2" : "");
	(void)rv_buf_puts(&d->out, ";\n");
}

static void put_dot(struct drawing *d)
{
	uint32_t i, k;

	(void)rv_buf_puts(&d->out, "digraph ");
	(void)rv_buf_put_json(&d->out, d->p->name);
	(void)rv_buf_puts(&d->out, " {\n  rankdir=LR;\n  node [shape=box];\n");
	for (i = 0; i < d->p->unit_count; i++) {
		const struct plan_unit *u = &d->p->units[i];

		(void)rv_buf_puts(&d->out, "  ");
		(void)rv_buf_put_json(&d->out, u->id);
		if (u->for_each)
			(void)rv_buf_printf(&d->out, " [label=\"%.*s x %u\"%s]", RV_STR_ARGS(u->id), plan_unit_instances(u),
					    d->critical[i] ? ", color=red, penwidth=2" : "");
		else if (d->critical[i])
			(void)rv_buf_puts(&d->out, " [color=red, penwidth=2]");
		(void)rv_buf_puts(&d->out, ";\n");
	}
	for (i = 0; i < d->p->unit_count; i++) {
		const struct plan_unit *u = &d->p->units[i];

		for (k = 0; k < u->dep_count; k++)
			put_dot_edge(d, u->deps[k], i, "");
		if (u->for_each && u->for_each->same_as != PLAN_NONE)
			put_dot_edge(d, u->for_each->same_as, i, "style=dashed");
	}
	(void)rv_buf_puts(&d->out, "}\n");
}

static void put_mermaid(struct drawing *d)
{
	uint32_t i, k;

	(void)rv_buf_puts(&d->out, "flowchart LR\n");
	for (i = 0; i < d->p->unit_count; i++) {
		const struct plan_unit *u = &d->p->units[i];

		/* Ids hold nothing that mermaid would read as its own, but for the braces of a template's. */
		(void)rv_buf_printf(&d->out, "  u%u[\"%.*s", i, RV_STR_ARGS(u->id));
		if (u->for_each)
			(void)rv_buf_printf(&d->out, " x %u", plan_unit_instances(u));
		(void)rv_buf_printf(&d->out, "\"]%s\n", d->critical[i] ? ":::critical" : "");
	}
	for (i = 0; i < d->p->unit_count; i++) {
		const struct plan_unit *u = &d->p->units[i];

		for (k = 0; k < u->dep_count; k++)
			(void)rv_buf_printf(&d->out, "  u%u --> u%u\n", u->deps[k], i);
		if (u->for_each && u->for_each->same_as != PLAN_NONE)
			(void)rv_buf_printf(&d->out, "  u%u -.-> u%u\n", u->for_each->same_as, i);
	}
	(void)rv_buf_puts(&d->out, "  classDef critical stroke:#c00,stroke-width:3px\n");
}

static void put_json(struct drawing *d)
{
	uint32_t i, k;

	(void)rv_buf_puts(&d->out, "{\"schema\":\"reeve.graph/1\"");
	cli_json_str(&d->out, "name", d->p->name);
	cli_json_ms(&d->out, "critical_path_ms", d->levels.critical_us);
	cli_json_key(&d->out, "units");
	(void)rv_buf_putc(&d->out, '[');
	for (i = 0; i < d->p->unit_count; i++) {
		const struct plan_unit *u = &d->p->units[i];

		cli_json_comma(&d->out);
		(void)rv_buf_putc(&d->out, '{');
		cli_json_str(&d->out, "id", u->id);
		cli_json_uint(&d->out, "level", d->levels.level[i]);
		cli_json_uint(&d->out, "count", plan_unit_instances(u));
		cli_json_bool(&d->out, "critical", d->critical[i] != 0);
		cli_json_ms(&d->out, "path_ms", d->levels.path_us[i]);
		cli_json_key(&d->out, "depends_on");
		(void)rv_buf_putc(&d->out, '[');
		for (k = 0; k < u->dep_count; k++) {
			cli_json_comma(&d->out);
			(void)rv_buf_put_json(&d->out, d->p->units[u->deps[k]].id);
		}
		(void)rv_buf_puts(&d->out, "]");
		if (u->for_each && u->for_each->same_as != PLAN_NONE)
			cli_json_str(&d->out, "same_as", d->p->units[u->for_each->same_as].id);
		(void)rv_buf_putc(&d->out, '}');
	}
	(void)rv_buf_puts(&d->out, "]}\n");
}

static int draw(const struct plan *p, enum cli_format format, bool dot, bool mermaid, bool all)
{
	struct drawing d = { .p = p, .all = all };
	struct rv_err err = { 0 };
	uint32_t i;
	int status;

	d.critical = calloc((size_t)p->unit_count + 1, sizeof(*d.critical));
	if (!d.critical || plan_levels_init(&d.levels, p, &err) < 0) {
		free(d.critical);
		return cli_failf(RV_E_NO_MEMORY, "no memory for a graph of %u units", p->unit_count);
	}
	for (i = 0; i < d.levels.critical_count; i++)
		d.critical[d.levels.critical[i]] = i + 1;
	rv_buf_init(&d.out, 0);
	if (dot)
		put_dot(&d);
	else if (mermaid)
		put_mermaid(&d);
	else if (format == CLI_JSON || format == CLI_JSONL)
		put_json(&d);
	else
		put_text(&d);
	status = cli_answer(rv_buf_str(&d.out), CLI_OK);
	rv_buf_release(&d.out);
	plan_levels_release(&d.levels);
	free(d.critical);
	return status;
}

int cli_cmd_graph(int argc, char **argv)
{
	struct cli_planload load = { 0 };
	bool dot = false, mermaid = false, all = false;
	const struct rv_opt table[] = {
		{ "dot", 0, RV_OPT_FLAG, &dot, NULL, "for graphviz", 0, 0 },
		{ "mermaid", 0, RV_OPT_FLAG, &mermaid, NULL, "for mermaid", 0, 0 },
		{ "all", 'a', RV_OPT_FLAG, &all, NULL, "shorten no level and no list", 0, 0 },
		CLI_PLANLOAD_OPTS(&load),
		CLI_OPT_FORMAT(&load.format_word),
		CLI_OPT_HELP(&load.help),
		CLI_OPT_END,
	};
	struct rv_err err = { 0 };
	int words = 0, status;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err) < 0)
		return cli_fail(&err);
	if (load.help)
		return cli_usage("graph", "PLAN", "Draws a plan: its levels, who waits for whom, the critical path by estimate_s "
				 "(1 s where none is given).", table);
	if (words != 1)
		return cli_failf(RV_E_USAGE, words ? "graph takes one plan, not %d words" : "graph needs a plan", words);
	if (dot && mermaid)
		return cli_failf(RV_E_USAGE, "--dot or --mermaid, not both");
	if (cli_planload(&load, argv[0], &err) < 0) {
		status = cli_planload_fail(&load, &err);
	} else {
		cli_planload_warn(&load);
		status = draw(load.plan, load.format, dot, mermaid, all);
	}
	cli_planload_release(&load);
	return status;
}
