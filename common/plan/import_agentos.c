/* import_agentos.c - a map {ID: {agent, prompt, depends_on?, context?}} becomes a plan */
#include "importer.h"

#include "common/limits.h"

static const char *const task_keys[] = { "agent", "prompt", "depends_on", "context", NULL };

/* The agents in the order in which they are first named. */
struct agents {
	struct rv_strmap old_names, new_names;
	struct rv_str old[RV_AGENTS_MAX], name[RV_AGENTS_MAX];
	uint32_t count;
};

static int read_tasks(struct plan_importer *m)
{
	uint32_t key, task, i = 0;

	for (key = plan_first(0); key < plan_end(&m->t, 0); key = plan_next(&m->t, task)) {
		task = plan_next(&m->t, key);
		if (!plan_node_text(&m->t, key).bytes)
			return plan_importer_fail(m, key, "an id may not be empty");
		if (!plan_importer_is(m, task, PLAN_MAP))
			return plan_importer_fail(m, task, "a task must be a map with agent, prompt, depends_on, context");
		if (plan_importer_keys(m, task, task_keys) || plan_importer_id(m, i++, plan_node_text(&m->t, key), task, key))
			return -1;
	}
	for (i = 0; i < m->count; i++)
		if (plan_importer_edges(m, i, plan_importer_get(m, m->tasks[i].node, "depends_on"), "depends_on"))
			return -1;
	return plan_importer_order(m);
}

/* The number of a task's agent; UINT32_MAX: told. */
static uint32_t agent_of(struct plan_importer *m, uint32_t task, struct agents *a)
{
	uint32_t node = plan_importer_get(m, m->tasks[task].node, "agent"), at;
	struct rv_str old = RV_STR("default");

	if (node != UINT32_MAX && !plan_importer_is(m, node, PLAN_STRING))
		return plan_importer_fail(m, node, "agent must be a string, a name"), UINT32_MAX;
	if (node != UINT32_MAX && plan_node_text(&m->t, node).bytes)
		old = plan_node_text(&m->t, node);
	at = rv_strmap_get(&a->old_names, old);
	if (at != RV_MAP_NONE)
		return at;
	if (a->count == RV_AGENTS_MAX)
		return plan_importer_fail(m, node, "this is agent %u; a plan may have %u", a->count + 1, RV_AGENTS_MAX), UINT32_MAX;
	at = a->count++;
	a->old[at] = old;
	a->name[at] = plan_importer_map_name(m, &a->new_names, old, at, RV_NAME_BYTES_MAX);
	if (!a->name[at].at || rv_strmap_add(&a->old_names, old, at) == RV_MAP_NONE)
		return plan_importer_no_memory(m), UINT32_MAX;
	return at;
}

static int read_agents(struct plan_importer *m, struct agents *a)
{
	uint32_t i;

	for (i = 0; i < m->count; i++)
		if (agent_of(m, i, a) == UINT32_MAX)
			return -1;
	return plan_importer_agents_known(m, a->old, a->count);
}

/* A map as it is; anything else becomes the key `context` of one. */
static int put_context(struct plan_importer *m, uint32_t node)
{
	uint32_t n;
	char q[PLAN_QUOTED];

	if (node == UINT32_MAX)
		return 0;
	(void)rv_buf_puts(m->out, ",\"context\":");
	if (!plan_importer_is(m, node, PLAN_MAP)) {
		(void)rv_buf_puts(m->out, "{\"context\":");
		(void)plan_node_json(&m->t, node, m->out);
		return rv_buf_putc(m->out, '}');
	}
	for (n = plan_first(node); n < plan_end(&m->t, node); n = plan_next(&m->t, plan_next(&m->t, n))) {
		struct rv_str key = plan_node_text(&m->t, n);

		if (!key.bytes || (key.bytes >= 5 && memcmp(key.at, "_dep_", 5) == 0) || rv_str_equal(key, RV_STR("_prev")) ||
		    rv_str_equal(key, RV_STR("_note")) || rv_str_equal(key, RV_STR("item")))
			return plan_importer_fail(m, n, "the context key %s is reeve's own", plan_quote(key, q));
	}
	return plan_node_json(&m->t, node, m->out);
}

static int put_task(struct plan_importer *m, uint32_t task, struct agents *a)
{
	uint32_t node = m->tasks[task].node, prompt = plan_importer_get(m, node, "prompt"), context = plan_importer_get(m, node, "context");
	const char *written[2] = { NULL };
	struct rv_str text;

	if (prompt == UINT32_MAX || !plan_importer_is(m, prompt, PLAN_STRING))
		return plan_importer_fail(m, prompt == UINT32_MAX ? node : prompt, "a task needs a string \"prompt\"");
	text = plan_node_text(&m->t, prompt);
	if (text.bytes > RV_PROMPT_BYTES_MAX)
		return plan_importer_fail(m, prompt, "this prompt has %zu bytes; the limit is %zu", text.bytes, RV_PROMPT_BYTES_MAX);
	plan_importer_put_id(m, task);
	(void)rv_buf_puts(m->out, ",\"agent\":");
	(void)rv_buf_put_json(m->out, a->name[agent_of(m, task, a)]);
	(void)rv_buf_puts(m->out, ",\"prompt\":");
	plan_importer_put_text(m, task, text, context != UINT32_MAX && plan_importer_is(m, context, PLAN_MAP) ? context : UINT32_MAX);
	plan_importer_put_deps(m, task);
	if (put_context(m, context))
		return -1;
	if (plan_importer_put_old_id(m, task))
		written[0] = "x-id";
	if (plan_importer_put_rest(m, node, task_keys, written))
		return -1;
	return rv_buf_putc(m->out, '}');
}

static int convert(struct plan_importer *m, struct agents *a)
{
	uint32_t i;

	if (!plan_importer_is(m, 0, PLAN_MAP))
		return plan_importer_fail(m, 0, "a map {ID: {agent, prompt, depends_on, context}} is expected");
	if (plan_importer_tasks(m, m->t.nodes[0].count, "tasks") || read_tasks(m) || read_agents(m, a))
		return -1;
	plan_importer_put_head(m, UINT32_MAX);
	(void)rv_buf_puts(m->out, ",\n\"agents\":{");
	for (i = 0; i < a->count; i++) {
		if (i)
			(void)rv_buf_putc(m->out, ',');
		plan_importer_put_agent(m, a->name[i], a->old[i]);
	}
	(void)rv_buf_puts(m->out, "},\n\"defaults\":{\"timeout_s\":300,\"retry\":{\"max\":1,\"backoff\":\"linear\",\"base_s\":0.5}},\n\"units\":[\n");
	for (i = 0; i < m->count; i++)
		if (put_task(m, i, a))
			return m->out->failed ? plan_importer_no_memory(m) : -1;
	return plan_importer_end(m);
}

int plan_import_agentos(struct rv_str source, struct plan_import *how, struct rv_buf *out, struct rv_err *err)
{
	struct plan_importer m;
	struct agents a = { .count = 0 };
	int rc = plan_importer_open(&m, source, how, out, err);

	rv_strmap_init(&a.old_names, 1);
	rv_strmap_init(&a.new_names, 1);
	if (rc == 0)
		rc = convert(&m, &a);
	rv_strmap_release(&a.old_names);
	rv_strmap_release(&a.new_names);
	plan_importer_close(&m);
	return rc;
}
