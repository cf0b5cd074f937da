/* import_dag.c - a graph of tasks with times and cores becomes a plan of sleeping units */
#include "import_dag.h"

#include "common/arena.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/map.h"
#include "tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define RUNTIME_S_MAX 1e9

struct import {
	const struct plan_import_dag *how;
	const struct plan_tree *t;
	struct rv_buf *out;
	struct rv_arena arena;
	struct rv_strmap old_ids; /* to task numbers */
	struct rv_strmap new_ids;
	struct rv_str *id;        /* new ones, by task */
	uint32_t count;
	struct rv_err *err;
};

static int fail_at(const struct import *m, uint32_t node, const char *what)
{
	struct plan_cursor c = { 0 };

	plan_cursor_move(&c, m->t->source, m->t->nodes[node].at);
	return rv_fail(m->err, RV_E_PLAN, "%s:%u:%u: %s", m->how->name, c.line, c.col, what);
}

/* ---- ids ---- */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool is_low_line(char c)
{
	return c == '_' || !is_plain(c);
}

/* The old id with what is no letter of ours as _; `number` > 1 tells it from others that became the same. */
static size_t mapped(struct rv_str old, uint32_t number, char out[RV_UNIT_ID_BYTES_MAX + 1])
{
	char suffix[16] = "";
	size_t room, i, n = 0;

	if (number > 1)
		snprintf(suffix, sizeof(suffix), "-%u", number);
	room = RV_UNIT_ID_BYTES_MAX - strlen(suffix);
	/* No id starts with a point, and none with two of what may become _. */
	if (!old.bytes || old.at[0] == '.' || (old.bytes > 1 && is_low_line(old.at[0]) && is_low_line(old.at[1])))
		out[n++] = 't';
	for (i = 0; i < old.bytes && n < room; i++)
		out[n++] = is_plain(old.at[i]) ? old.at[i] : '_';
	memcpy(out + n, suffix, strlen(suffix) + 1);
	return n + strlen(suffix);
}

static int add_task(struct import *m, uint32_t task, uint32_t id_node)
{
	struct rv_str old = plan_node_text(m->t, id_node), copy;
	char text[RV_UNIT_ID_BYTES_MAX + 1];
	uint32_t number = 0, had;
	size_t n;

	had = rv_strmap_add(&m->old_ids, old, task);
	if (had == RV_MAP_NONE)
		return rv_fail(m->err, RV_E_NO_MEMORY, "out of memory");
	if (had != task)
		return fail_at(m, id_node, "a task of this id was there before");
	do {
		n = mapped(old, ++number, text);
	} while (rv_strmap_get(&m->new_ids, rv_str(text, n)) != RV_MAP_NONE);
	copy = rv_arena_str(&m->arena, rv_str(text, n));
	if (!copy.at || rv_strmap_add(&m->new_ids, copy, task) == RV_MAP_NONE)
		return rv_fail(m->err, RV_E_NO_MEMORY, "out of memory");
	m->id[task] = copy;
	return 0;
}

static int read_ids(struct import *m, uint32_t tasks)
{
	uint32_t n, id, i = 0;

	for (n = plan_first(tasks); n < plan_end(m->t, tasks); n = plan_next(m->t, n)) {
		if (m->t->nodes[n].kind != PLAN_MAP)
			return fail_at(m, n, "a task must be a map");
		id = plan_map_get(m->t, n, RV_STR("id"));
		if (id == UINT32_MAX || m->t->nodes[id].kind != PLAN_STRING)
			return fail_at(m, n, "a task needs a string \"id\"");
		if (add_task(m, i++, id))
			return -1;
	}
	return 0;
}

/* ---- units ---- */

/* The number of a key, `fallback` where it is absent; -1 told. */
static int number_of(const struct import *m, uint32_t task, const char *key, double fallback, double max, double *out)
{
	uint32_t node = plan_map_get(m->t, task, rv_str_of(key));
	const struct plan_node *v;

	*out = fallback;
	if (node == UINT32_MAX)
		return 0;
	v = plan_node(m->t, node);
	if (v->kind != PLAN_INT && v->kind != PLAN_REAL)
		return fail_at(m, node, "a number is expected here");
	*out = v->kind == PLAN_INT ? (double)v->integer : v->real;
	return *out >= 0 && *out <= max ? 0 : fail_at(m, node, "this number is out of range");
}

/* Microseconds as a decimal number of seconds, without zeros behind. */
static void put_seconds(struct rv_buf *out, double s)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "%.6f", s);

	while (n > 1 && text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	(void)rv_buf_put(out, text, (size_t)n);
}

static int put_deps(const struct import *m, uint32_t task)
{
	uint32_t node = plan_map_get(m->t, task, RV_STR("deps")), n, at;
	bool any = false;

	if (node == UINT32_MAX)
		return 0;
	if (m->t->nodes[node].kind != PLAN_ARRAY)
		return fail_at(m, node, "deps must be an array of ids");
	if (m->t->nodes[node].count == 0)
		return 0;
	(void)rv_buf_puts(m->out, ",\"depends_on\":[");
	for (n = plan_first(node); n < plan_end(m->t, node); n = plan_next(m->t, n)) {
		at = m->t->nodes[n].kind == PLAN_STRING ? rv_strmap_get(&m->old_ids, plan_node_text(m->t, n)) : RV_MAP_NONE;
		if (at == RV_MAP_NONE)
			return fail_at(m, n, "no task has this id");
		if (any)
			(void)rv_buf_putc(m->out, ',');
		any = true;
		(void)rv_buf_put_json(m->out, m->id[at]);
	}
	return rv_buf_putc(m->out, ']');
}

static int put_task(struct import *m, uint32_t task, uint32_t number)
{
	double runtime, cores;

	if (number_of(m, task, "runtime_s", 0, RUNTIME_S_MAX, &runtime) || number_of(m, task, "cores", 1, RV_SLOTS_MAX, &cores))
		return -1;
	runtime *= m->how->scale;
	if (m->how->max_cores && cores > m->how->max_cores)
		cores = m->how->max_cores;
	(void)rv_buf_puts(m->out, number ? ",\n{\"id\":" : "{\"id\":");
	(void)rv_buf_put_json(m->out, m->id[number]);
	(void)rv_buf_puts(m->out, ",\"command\":[\"sleep\",\"");
	put_seconds(m->out, runtime);
	(void)rv_buf_puts(m->out, "\"],\"estimate_s\":");
	put_seconds(m->out, runtime);
	(void)rv_buf_printf(m->out, ",\"resources\":{\"cpus\":%.0f}", cores < 1 ? 1.0 : ceil(cores));
	if (put_deps(m, task))
		return -1;
	(void)rv_buf_puts(m->out, ",\"x-id\":");
	(void)rv_buf_put_json(m->out, plan_node_text(m->t, plan_map_get(m->t, task, RV_STR("id"))));
	return rv_buf_putc(m->out, '}');
}

static void put_head(struct import *m)
{
	uint32_t name = plan_map_get(m->t, 0, RV_STR("name")), i;
	char text[RV_NAME_BYTES_MAX + 1];
	struct rv_str s = RV_STR("dag");

	if (name != UINT32_MAX && m->t->nodes[name].kind == PLAN_STRING && m->t->nodes[name].text.bytes)
		s = plan_node_text(m->t, name);
	for (i = 0; i < s.bytes && i < RV_NAME_BYTES_MAX; i++)
		text[i] = is_plain(s.at[i]) ? s.at[i] : '-';
	(void)rv_buf_puts(m->out, "{\"version\":1,\"name\":");
	(void)rv_buf_put_json(m->out, rv_str(text, i));
	(void)rv_buf_puts(m->out, ",\"units\":[\n");
}

static int convert(struct import *m)
{
	uint32_t tasks, n, i = 0;

	if (m->t->nodes[0].kind != PLAN_MAP)
		return fail_at(m, 0, "a map with \"tasks\" is expected");
	tasks = plan_map_get(m->t, 0, RV_STR("tasks"));
	if (tasks == UINT32_MAX || m->t->nodes[tasks].kind != PLAN_ARRAY)
		return fail_at(m, 0, "a map with an array \"tasks\" is expected");
	m->count = m->t->nodes[tasks].count;
	if (m->count > RV_UNITS_MAX)
		return rv_fail(m->err, RV_E_LIMIT, "%s: %u tasks; the limit is %u", m->how->name, m->count, RV_UNITS_MAX);
	m->id = rv_arena_zalloc(&m->arena, ((size_t)m->count + 1) * sizeof(*m->id), _Alignof(struct rv_str));
	if (!m->id)
		return rv_fail(m->err, RV_E_NO_MEMORY, "out of memory");
	if (read_ids(m, tasks))
		return -1;
	put_head(m);
	for (n = plan_first(tasks); n < plan_end(m->t, tasks); n = plan_next(m->t, n)) {
		if (put_task(m, n, i++))
			return -1;
	}
	(void)rv_buf_puts(m->out, "\n]}\n");
	return m->out->failed ? rv_fail(m->err, RV_E_NO_MEMORY, "out of memory") : 0;
}

int plan_import_dag(struct rv_str source, const struct plan_import_dag *how, struct rv_buf *out, struct rv_err *err)
{
	struct plan_tree t;
	struct import m = { .how = how, .t = &t, .out = out, .err = err };
	struct plan_fault fault;
	int rc;

	plan_tree_init(&t, 1);
	rv_arena_init(&m.arena, 0);
	rv_strmap_init(&m.old_ids, 1);
	rv_strmap_init(&m.new_ids, 1);
	if (plan_utf8_check(source, &fault) || plan_json_read(&t, source, &fault)) {
		struct plan_cursor c = { 0 };

		plan_cursor_move(&c, source, fault.at);
		rc = rv_fail(err, RV_E_PLAN, "%s:%u:%u: %s", how->name, c.line, c.col, fault.message);
	} else {
		rc = convert(&m);
	}
	rv_strmap_release(&m.old_ids);
	rv_strmap_release(&m.new_ids);
	rv_arena_release(&m.arena);
	plan_tree_release(&t);
	return rc;
}
