/* import_dag.c - a graph of tasks with times and cores becomes a plan of sleeping units */
#include "importer.h"

#include "common/limits.h"

#define RUNTIME_S_MAX 1e9

static int read_ids(struct plan_importer *m, uint32_t tasks)
{
	uint32_t n, id, i = 0;

	for (n = plan_first(tasks); n < plan_end(&m->t, tasks); n = plan_next(&m->t, n)) {
		if (!plan_importer_is(m, n, PLAN_MAP))
			return plan_importer_fail(m, n, "a task must be a map");
		id = plan_map_get(&m->t, n, RV_STR("id"));
		if (id == UINT32_MAX || !plan_importer_is(m, id, PLAN_STRING))
			return plan_importer_fail(m, n, "a task needs a string \"id\"");
		if (plan_importer_id(m, i++, plan_node_text(&m->t, id), n, id))
			return -1;
	}
	return 0;
}

static int read_deps(struct plan_importer *m)
{
	uint32_t i, node;

	for (i = 0; i < m->count; i++) {
		node = plan_map_get(&m->t, m->tasks[i].node, RV_STR("deps"));
		if (plan_importer_edges(m, i, node, "deps"))
			return -1;
	}
	return plan_importer_order(m);
}

static int put_task(struct plan_importer *m, uint32_t task)
{
	uint32_t node = m->tasks[task].node;
	double runtime, cores;

	if (plan_importer_number(m, node, "runtime_s", 0, RUNTIME_S_MAX, &runtime) ||
	    plan_importer_number(m, node, "cores", 1, RV_SLOTS_MAX, &cores))
		return -1;
	plan_importer_put_id(m, task);
	plan_importer_put_sleep(m, runtime * m->how->scale);
	plan_importer_put_cores(m, cores);
	plan_importer_put_deps(m, task);
	(void)rv_buf_puts(m->out, ",\"x-id\":");
	(void)rv_buf_put_json(m->out, m->tasks[task].old);
	return rv_buf_putc(m->out, '}');
}

static int convert(struct plan_importer *m)
{
	uint32_t tasks, i;

	if (!plan_importer_is(m, 0, PLAN_MAP))
		return plan_importer_fail(m, 0, "a map with \"tasks\" is expected");
	tasks = plan_map_get(&m->t, 0, RV_STR("tasks"));
	if (tasks == UINT32_MAX || !plan_importer_is(m, tasks, PLAN_ARRAY))
		return plan_importer_fail(m, 0, "a map with an array \"tasks\" is expected");
	if (plan_importer_tasks(m, m->t.nodes[tasks].count, "tasks") || read_ids(m, tasks) || read_deps(m))
		return -1;
	plan_importer_put_head(m, plan_map_get(&m->t, 0, RV_STR("name")));
	(void)rv_buf_puts(m->out, ",\"units\":[\n");
	for (i = 0; i < m->count; i++)
		if (put_task(m, i))
			return m->out->failed ? plan_importer_no_memory(m) : -1;
	return plan_importer_end(m);
}

int plan_import_dag(struct rv_str source, struct plan_import *how, struct rv_buf *out, struct rv_err *err)
{
	struct plan_importer m;
	int rc = plan_importer_open(&m, source, how, out, err);

	if (rc == 0)
		rc = convert(&m);
	plan_importer_close(&m);
	return rc;
}
