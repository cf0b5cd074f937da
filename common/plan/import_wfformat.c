/* import_wfformat.c - an instance of WfCommons' WfFormat becomes a plan
 *
 *	1.5, 1.6   workflow.specification.tasks (id, name, parents, children) and workflow.execution.tasks (id, runtimeInSeconds, command,
 *	           coreCount, priority), joined by id
 *	1.4        workflow.tasks: all of it in one, cores in place of coreCount; parents and children name tasks by name
 *
 * Parents and children are joined: many files say an edge at one end only. Measured memory, bytes and machines are no demand and are left out.
 */
#include "importer.h"

#include "common/limits.h"
#include "schema.h"
#include "template.h"

#include <math.h>
#include <stdio.h>

#define RUNTIME_S_MAX 1e9
#define VERSIONS "1.4 1.5 1.6"

struct wf {
	struct plan_importer m;
	bool flat;               /* 1.4 */
	uint32_t *executed;      /* of each task: its node in execution.tasks, UINT32_MAX: none; 1.4: its own */
};

static struct rv_str text_of(const struct plan_importer *m, uint32_t map, const char *key)
{
	uint32_t n = plan_importer_get(m, map, key);

	return n != UINT32_MAX && plan_importer_is(m, n, PLAN_STRING) ? plan_node_text(&m->t, n) : rv_str(NULL, 0);
}

static bool ends_with(struct rv_str s, struct rv_str end)
{
	return s.bytes >= end.bytes && memcmp(s.at + s.bytes - end.bytes, end.at, end.bytes) == 0;
}

/* 1.4: the name, with the id behind it where it does not say it already. */
static struct rv_str flat_id(struct plan_importer *m, struct rv_str name, struct rv_str id)
{
	struct rv_str joined;
	struct rv_buf b;

	if (!id.bytes || !name.bytes)
		return name.bytes ? name : id;
	if (ends_with(name, id))
		return name;
	rv_buf_init(&b, 0);
	(void)rv_buf_put_str(&b, name);
	(void)rv_buf_putc(&b, '_');
	(void)rv_buf_put_str(&b, id);
	joined = rv_arena_str(&m->arena, rv_buf_str(&b));
	rv_buf_release(&b);
	return joined;
}

static int read_ids(struct wf *w, uint32_t tasks)
{
	struct plan_importer *m = &w->m;
	uint32_t n, i = 0;

	for (n = plan_first(tasks); n < plan_end(&m->t, tasks); n = plan_next(&m->t, n), i++) {
		struct rv_str name, id;
		uint32_t at;

		if (!plan_importer_is(m, n, PLAN_MAP))
			return plan_importer_fail(m, n, "a task must be a map");
		name = text_of(m, n, "name");
		id = text_of(m, n, "id");
		if (!id.bytes && !(w->flat && name.bytes))
			return plan_importer_fail(m, n, "a task needs a string \"id\"");
		at = plan_importer_get(m, n, id.bytes ? "id" : "name");
		if (plan_importer_id(m, i, w->flat ? flat_id(m, name, id) : id, n, at))
			return -1;
		w->executed[i] = w->flat ? n : UINT32_MAX;
	}
	if (!w->flat)
		return 0;
	for (i = 0; i < m->count; i++) { /* after all whole ids: a name never hides one */
		struct rv_str name = text_of(m, m->tasks[i].node, "name"), id = text_of(m, m->tasks[i].node, "id");

		if ((name.bytes && plan_importer_alias(m, i, name)) || (id.bytes && plan_importer_alias(m, i, id)))
			return -1;
	}
	return 0;
}

static int read_execution(struct wf *w, uint32_t workflow)
{
	struct plan_importer *m = &w->m;
	uint32_t execution = plan_importer_get(m, workflow, "execution"), tasks, n;

	if (execution == UINT32_MAX)
		return 0;
	if (!plan_importer_is(m, execution, PLAN_MAP))
		return plan_importer_fail(m, execution, "execution must be a map");
	tasks = plan_importer_get(m, execution, "tasks");
	if (tasks == UINT32_MAX || !plan_importer_is(m, tasks, PLAN_ARRAY))
		return plan_importer_fail(m, execution, "execution needs an array \"tasks\"");
	for (n = plan_first(tasks); n < plan_end(&m->t, tasks); n = plan_next(&m->t, n)) {
		struct rv_str id;
		uint32_t at;
		char q[PLAN_QUOTED];

		if (!plan_importer_is(m, n, PLAN_MAP))
			return plan_importer_fail(m, n, "a task must be a map");
		id = text_of(m, n, "id");
		at = rv_strmap_get(&m->old_ids, id);
		if (!id.bytes || at == RV_MAP_NONE)
			return plan_importer_fail(m, n, "no task of the specification has the id %s", plan_quote(id, q));
		if (w->executed[at] != UINT32_MAX)
			return plan_importer_fail(m, n, "the task %s was executed before", plan_quote(id, q));
		w->executed[at] = n;
	}
	return 0;
}

static int read_edges(struct plan_importer *m)
{
	uint32_t i, n;

	for (i = 0; i < m->count; i++) {
		uint32_t children = plan_importer_get(m, m->tasks[i].node, "children");

		if (plan_importer_edges(m, i, plan_importer_get(m, m->tasks[i].node, "parents"), "parents"))
			return -1;
		if (children == UINT32_MAX)
			continue;
		if (!plan_importer_is(m, children, PLAN_ARRAY))
			return plan_importer_fail(m, children, "children must be an array of ids");
		for (n = plan_first(children); n < plan_end(&m->t, children); n = plan_next(&m->t, n))
			if (plan_importer_edge_back(m, i, n))
				return -1;
	}
	return plan_importer_order(m);
}

/* --- commands --------------------------------------------------------------------------------------------------------------- */

/* {prompt} and the like would be filled in by reeve, and there is no way to write them otherwise. */
static int put_argument(struct plan_importer *m, uint32_t task, uint32_t node)
{
	struct rv_str text = plan_node_text(&m->t, node);
	char place[40];
	int p;

	for (p = 0; p < PLAN_PLACES; p++) {
		(void)snprintf(place, sizeof(place), "{%s}", plan_place_name((enum plan_place)p));
		if (memmem(text.at, text.bytes, place, strlen(place))) {
			plan_importer_fail(m, node, "this holds %s, for which reeve puts in something of its own", place);
			return rv_hint(m->err, "put the command into a script");
		}
	}
	plan_importer_put_text(m, task, text, UINT32_MAX);
	return 0;
}

static int put_command(struct wf *w, uint32_t task, uint32_t node)
{
	struct plan_importer *m = &w->m;
	uint32_t command = node == UINT32_MAX ? UINT32_MAX : plan_importer_get(m, node, "command"), program = UINT32_MAX, arguments, n;
	char q[PLAN_QUOTED];

	if (command != UINT32_MAX && !plan_importer_is(m, command, PLAN_MAP))
		return plan_importer_fail(m, command, "command must be a map with program and arguments");
	if (command != UINT32_MAX)
		program = plan_importer_get(m, command, "program");
	if (program == UINT32_MAX || !plan_importer_is(m, program, PLAN_STRING) || !plan_node_text(&m->t, program).bytes) {
		plan_importer_fail(m, program != UINT32_MAX ? program : node != UINT32_MAX ? node : m->tasks[task].node,
				   "the task %s has no command.program to run", plan_quote(m->tasks[task].old, q));
		return rv_hint(m->err, "--scale F makes every task sleep for F times its runtime instead");
	}
	(void)rv_buf_puts(m->out, ",\"command\":[");
	if (put_argument(m, task, program))
		return -1;
	arguments = plan_importer_get(m, command, "arguments");
	if (arguments != UINT32_MAX && !plan_importer_is(m, arguments, PLAN_ARRAY))
		return plan_importer_fail(m, arguments, "arguments must be an array of strings");
	for (n = arguments == UINT32_MAX ? 0 : plan_first(arguments); n && n < plan_end(&m->t, arguments); n = plan_next(&m->t, n)) {
		if (!plan_importer_is(m, n, PLAN_STRING))
			return plan_importer_fail(m, n, "an argument must be a string");
		(void)rv_buf_putc(m->out, ',');
		if (put_argument(m, task, n))
			return -1;
	}
	return rv_buf_putc(m->out, ']');
}

static int put_priority(struct plan_importer *m, uint32_t node)
{
	uint32_t n = plan_importer_get(m, node, "priority");
	const struct plan_node *v = n == UINT32_MAX ? NULL : plan_node(&m->t, n);

	if (!v)
		return 0;
	if (v->kind != PLAN_INT && v->kind != PLAN_REAL)
		return plan_importer_fail(m, n, "priority must be a number");
	(void)rv_buf_printf(m->out, ",\"priority\":%.0f", fmin(1000, fmax(-1000, v->kind == PLAN_INT ? (double)v->integer : v->real)));
	return 0;
}

/* --- tasks ----------------------------------------------------------------------------------------------------------------- */

static int put_task(struct wf *w, uint32_t task)
{
	struct plan_importer *m = &w->m;
	uint32_t node = w->executed[task];
	struct rv_str name = text_of(m, m->tasks[task].node, "name");
	double runtime = -1, cores = 0;

	if (node != UINT32_MAX && (plan_importer_number(m, node, "runtimeInSeconds", -1, RUNTIME_S_MAX, &runtime) ||
				   plan_importer_number(m, node, w->flat ? "cores" : "coreCount", 0, RV_SLOTS_MAX, &cores)))
		return -1;
	plan_importer_put_id(m, task);
	if (name.bytes && !rv_str_equal(name, m->tasks[task].old) && name.bytes <= RV_DESCRIPTION_CHARS_MAX / 2) {
		(void)rv_buf_puts(m->out, ",\"description\":");
		plan_importer_put_text(m, task, name, UINT32_MAX);
	}
	if (m->how->scaled && runtime < 0)
		return plan_importer_fail(m, node != UINT32_MAX ? node : m->tasks[task].node, "--scale needs the task's runtimeInSeconds, which is not there");
	if (m->how->scaled) {
		plan_importer_put_sleep(m, runtime * m->how->scale);
	} else {
		if (put_command(w, task, node))
			return -1;
		if (runtime >= 0) {
			(void)rv_buf_puts(m->out, ",\"estimate_s\":");
			plan_importer_put_seconds(m->out, runtime);
		}
	}
	if (cores > 0)
		plan_importer_put_cores(m, cores);
	if (node != UINT32_MAX && put_priority(m, node))
		return -1;
	plan_importer_put_deps(m, task);
	(void)plan_importer_put_old_id(m, task);
	return rv_buf_putc(m->out, '}');
}

static int find_tasks(struct wf *w, uint32_t workflow, uint32_t *out)
{
	struct plan_importer *m = &w->m;
	uint32_t holder = w->flat ? workflow : plan_importer_get(m, workflow, "specification");

	if (holder == UINT32_MAX || !plan_importer_is(m, holder, PLAN_MAP))
		return plan_importer_fail(m, workflow, "workflow needs a map \"specification\"");
	*out = plan_importer_get(m, holder, "tasks");
	if (*out == UINT32_MAX || !plan_importer_is(m, *out, PLAN_ARRAY))
		return plan_importer_fail(m, holder, "%s needs an array \"tasks\"", w->flat ? "workflow" : "specification");
	return 0;
}

static int read_version(struct wf *w)
{
	struct plan_importer *m = &w->m;
	uint32_t node = plan_importer_get(m, 0, "schemaVersion");
	char q[PLAN_QUOTED];

	if (node == UINT32_MAX || !plan_importer_is(m, node, PLAN_STRING))
		return plan_importer_fail(m, node == UINT32_MAX ? 0 : node, "a WfFormat instance has a string \"schemaVersion\"");
	if (plan_word_index(VERSIONS, plan_node_text(&m->t, node)) < 0) {
		plan_importer_fail(m, node, "the schemaVersion %s is not read; 1.4, 1.5 and 1.6 are", plan_quote(plan_node_text(&m->t, node), q));
		return rv_hint(m->err, "WfCommons has a tool that brings older files up to date: wfcommons-migrate-instance.py");
	}
	w->flat = rv_str_equal(plan_node_text(&m->t, node), RV_STR("1.4"));
	return 0;
}

static int convert(struct wf *w)
{
	struct plan_importer *m = &w->m;
	uint32_t workflow, tasks = 0, i;

	if (!plan_importer_is(m, 0, PLAN_MAP))
		return plan_importer_fail(m, 0, "a WfFormat instance is expected, a map");
	if (read_version(w))
		return -1;
	workflow = plan_importer_get(m, 0, "workflow");
	if (workflow == UINT32_MAX || !plan_importer_is(m, workflow, PLAN_MAP))
		return plan_importer_fail(m, workflow == UINT32_MAX ? 0 : workflow, "a map \"workflow\" is missing");
	if (find_tasks(w, workflow, &tasks) || plan_importer_tasks(m, m->t.nodes[tasks].count, "tasks"))
		return -1;
	w->executed = rv_arena_zalloc(&m->arena, ((size_t)m->count + 1) * sizeof(*w->executed), _Alignof(uint32_t));
	if (!w->executed)
		return plan_importer_no_memory(m);
	if (read_ids(w, tasks) || (!w->flat && read_execution(w, workflow)) || read_edges(m))
		return -1;
	plan_importer_put_head(m, plan_importer_get(m, 0, "name"));
	(void)rv_buf_puts(m->out, ",\"units\":[\n");
	for (i = 0; i < m->count; i++)
		if (put_task(w, i))
			return m->out->failed ? plan_importer_no_memory(m) : -1;
	return plan_importer_end(m);
}

int plan_import_wfformat(struct rv_str source, struct plan_import *how, struct rv_buf *out, struct rv_err *err)
{
	struct wf w;
	int rc = plan_importer_open(&w.m, source, how, out, err);

	w.executed = NULL;
	w.flat = false;
	if (rc == 0)
		rc = convert(&w);
	plan_importer_close(&w.m);
	return rc;
}
