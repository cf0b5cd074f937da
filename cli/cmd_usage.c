/* cmd_usage.c - `reeve usage RUN`: tokens, cost and processor time of a run, by agent, model and unit */
#include "cli/query.h"
#include "cli/used.h"

#include "common/limits.h"

#include <stdlib.h>

enum scope { BY_RUN, BY_AGENT, BY_MODEL, BY_UNIT };

static const char *const scope_names[] = { "run", "agent", "model", "unit" };

struct sum {
	struct rv_str name;
	uint32_t units;
	uint64_t cpu_us;
	struct proto_usage used;
};

/* Models are of agents: there are no more of them. One more place takes what is too much. */
struct sums {
	struct sum item[RV_AGENTS_MAX + 4];
	uint32_t count;
};

static struct sum *sum_of(struct sums *s, struct rv_str name)
{
	uint32_t i = 0;

	while (i < s->count && !rv_str_equal(s->item[i].name, name))
		i++;
	if (i == s->count && s->count < RV_ARRAY_LEN(s->item))
		s->item[s->count++] = (struct sum){ .name = name };
	return &s->item[rv_min_u64(i, RV_ARRAY_LEN(s->item) - 1)];
}

static struct rv_str model_of(const struct cli_tally *t, uint32_t agent)
{
	return agent == COORD_NONE ? RV_STR("") : coord_graph_agent_model(t->graph, agent);
}

/* Each unit counts under the agent of its newest attempt; what its tries used, under the agents that ran them. */
static void add_units(const struct cli_tally *t, struct sums *agents, struct sums *models)
{
	for (uint32_t i = 0; i < t->count; i++) {
		struct rv_str model = model_of(t, cli_tally_agent(t, i));

		sum_of(agents, cli_tally_agent_name(t, i))->units++;
		if (model.bytes)
			sum_of(models, model)->units++;
	}
}

static void add_used(const struct cli_tally *t, uint32_t agent, struct rv_str name, struct sums *sums)
{
	struct cli_agent_sum ran = cli_tally_by_agent(t, agent);
	struct sum *to;

	if (!name.bytes || (!ran.cpu_us && proto_usage_is_nothing(&ran.used)))
		return;
	to = sum_of(sums, name);
	to->cpu_us += ran.cpu_us;
	cli_usage_add(&to->used, &ran.used);
}

static void add_all(const struct cli_tally *t, struct sums *agents, struct sums *models)
{
	add_units(t, agents, models);
	for (uint32_t i = 0; i < t->agent_count; i++) {
		add_used(t, i, coord_graph_agent_name(t->graph, i), agents);
		add_used(t, i, model_of(t, i), models);
	}
	add_used(t, COORD_NONE, RV_STR("command"), agents);
}

static void put_json_sum(struct rv_buf *out, uint64_t cpu_us, const struct proto_usage *used)
{
	cli_json_ms(out, "cpu_ms", cpu_us);
	cli_json_used(out, used);
	(void)rv_buf_putc(out, '}');
}

static void put_json_sums(struct rv_buf *out, const char *key, const struct sums *s)
{
	cli_json_key(out, key);
	(void)rv_buf_putc(out, '{');
	for (uint32_t i = 0; i < s->count; i++) {
		cli_json_comma(out);
		(void)rv_buf_put_json(out, s->item[i].name);
		(void)rv_buf_puts(out, ":{");
		cli_json_uint(out, "units", s->item[i].units);
		put_json_sum(out, s->item[i].cpu_us, &s->item[i].used);
	}
	(void)rv_buf_putc(out, '}');
}

static void put_json(const struct cli_tally *t, struct rv_str run, const struct sums *agents, const struct sums *models, struct rv_buf *out)
{
	char room[COORD_UNIT_ID_BYTES];

	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "schema", RV_STR("reeve.usage/1"));
	cli_json_str(out, "run", run);
	cli_json_str(out, "name", coord_graph_name(t->graph));
	cli_json_key(out, "total");
	(void)rv_buf_putc(out, '{');
	if (t->count)
		cli_json_uint(out, "units", t->count);
	put_json_sum(out, t->cpu_us, &t->used);
	put_json_sums(out, "by_agent", agents);
	put_json_sums(out, "by_model", models);
	cli_json_key(out, "units");
	(void)rv_buf_putc(out, '[');
	for (uint32_t i = 0; i < t->count; i++) {
		struct proto_usage used = cli_tally_usage(t, i);

		if (!t->units[i].cpu_us && proto_usage_is_nothing(&used))
			continue;
		cli_json_comma(out);
		(void)rv_buf_putc(out, '{');
		cli_json_str(out, "id", cli_tally_unit_id(t, i, room));
		cli_json_str(out, "agent", cli_tally_agent_name(t, i));
		cli_json_str_or_null(out, "model", model_of(t, cli_tally_agent(t, i)));
		put_json_sum(out, t->units[i].cpu_us, &used);
	}
	(void)rv_buf_puts(out, "]}\n");
}

static void put_row(struct cli_table *table, enum scope scope, struct rv_str name, uint64_t units, uint64_t cpu_us, const struct proto_usage *u)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	cli_table_cell(table, rv_str_of(scope_names[scope]));
	cli_table_cell(table, name);
	cli_table_cellf(table, scope != BY_UNIT ? "%llu" : "", (unsigned long long)units);
	cli_table_cellf(table, "%llu", (unsigned long long)proto_usage_tokens(u));
	cli_table_cellf(table, "%llu", (unsigned long long)u->input_tokens);
	cli_table_cellf(table, "%llu", (unsigned long long)u->output_tokens);
	cli_table_cellf(table, "%llu", (unsigned long long)u->cache_read_tokens);
	cli_table_cellf(table, "%llu", (unsigned long long)u->cache_write_tokens);
	if (u->cost_microusd == PROTO_COST_UNKNOWN)
		(void)rv_buf_puts(&b, "?");
	else if (u->cost_microusd)
		cli_put_used(&b, 0, u->cost_microusd);
	cli_table_cell(table, rv_buf_str(&b));
	rv_buf_reset(&b);
	cli_put_duration(&b, cpu_us);
	cli_table_cell(table, rv_buf_str(&b));
	rv_buf_release(&b);
}

static void put_table(const struct cli_tally *t, struct rv_str run, const struct sums *agents, const struct sums *models, enum cli_format format,
		      struct rv_buf *out)
{
	static const struct cli_column columns[] = { { "BY", CLI_LEFT, false },	   { "NAME", CLI_LEFT, false },
						     { "UNITS", CLI_RIGHT, false },   { "TOKENS", CLI_RIGHT, false },
						     { "INPUT", CLI_RIGHT, false },   { "OUTPUT", CLI_RIGHT, false },
						     { "CACHE READ", CLI_RIGHT, true }, { "CACHE WRITTEN", CLI_RIGHT, true },
						     { "COST", CLI_RIGHT, false },    { "CPU", CLI_RIGHT, false } };
	char room[COORD_UNIT_ID_BYTES];
	struct cli_table table;
	uint32_t i;

	cli_table_init(&table, columns, RV_ARRAY_LEN(columns), format);
	put_row(&table, BY_RUN, run, t->count, t->cpu_us, &t->used);
	for (i = 0; i < agents->count; i++)
		put_row(&table, BY_AGENT, agents->item[i].name, agents->item[i].units, agents->item[i].cpu_us, &agents->item[i].used);
	for (i = 0; i < models->count; i++)
		put_row(&table, BY_MODEL, models->item[i].name, models->item[i].units, models->item[i].cpu_us, &models->item[i].used);
	for (i = 0; i < t->count; i++) {
		struct proto_usage used = cli_tally_usage(t, i);

		if (!proto_usage_is_nothing(&used) || (format == CLI_WIDE && t->units[i].cpu_us))
			put_row(&table, BY_UNIT, cli_tally_unit_id(t, i, room), 0, t->units[i].cpu_us, &used);
	}
	cli_table_print(&table, out);
	cli_table_release(&table);
}

static int answer(const struct cli_query *q, const struct cli_tally *t, struct rv_str run)
{
	struct sums *agents = calloc(2, sizeof(*agents)), *models = agents ? agents + 1 : NULL;
	struct rv_buf out;
	int status;

	if (!agents)
		return cli_failf(RV_E_NO_MEMORY, "no memory for sums");
	add_all(t, agents, models);
	rv_buf_init(&out, 0);
	if (q->format == CLI_JSON || q->format == CLI_JSONL)
		put_json(t, run, agents, models, &out);
	else if (q->format == CLI_NAME)
		(void)rv_buf_printf(&out, "%.*s\n", RV_STR_ARGS(run));
	else
		put_table(t, run, agents, models, q->format, &out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	free(agents);
	return status;
}

int cli_cmd_usage(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .keep = CLI_KEEP_FAILURES };
	struct cli_target target;
	struct cli_runview v;
	struct rv_err err;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("usage", "[RUN]",
				 "What a run (the newest, where none is named) has used, by agent, model and unit: tokens and cost as agents\n"
				 "told them, over all tries, and processor time. What runs counts once it has ended.", table);
	target = cli_query_target(q.words ? argv[0] : NULL, CLI_WORD_RUN_UNIT);
	if (target.unit.bytes)
		return cli_failf(RV_E_USAGE, "`reeve usage` is for a whole run: name RUN without a unit");
	opt.coordinator = q.coordinator;
	opt.state = q.state;
	opt.run = target.run;
	status = cli_runview_open(&v, &opt, &err) ? cli_fail(&err) : answer(&q, &v.tally, rv_str_of(v.id.text));
	cli_runview_close(&v);
	return status;
}
