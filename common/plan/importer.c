/* importer.c - what the readers of other tools' formats share */
#include "importer.h"

#include "common/id.h"
#include "common/limits.h"
#include "template.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NEAREST_OF_MAX 10000u /* ids compared for "did you mean" */

struct edge {
	uint32_t child, parent, node;
};

/* --- opening --------------------------------------------------------------------------------------------------------- */

int plan_importer_open(struct plan_importer *m, struct rv_str source, struct plan_import *how, struct rv_buf *out, struct rv_err *err)
{
	struct plan_fault fault;
	struct plan_cursor c = { 0 };

	*m = (struct plan_importer){ .how = how, .out = out, .err = err };
	plan_tree_init(&m->t, 1);
	rv_arena_init(&m->arena, 0);
	rv_strmap_init(&m->old_ids, 1);
	rv_strmap_init(&m->new_ids, 1);
	rv_buf_init(&m->edges, 0);
	if (plan_utf8_check(source, &fault) == 0 && plan_json_read(&m->t, source, &fault) == 0)
		return 0;
	plan_cursor_move(&c, source, fault.at);
	rv_fail(err, RV_E_PLAN, "%s:%u:%u: %s", how->name, c.line, c.col, fault.message);
	return fault.hint[0] ? rv_hint(err, "%s", fault.hint) : -1;
}

void plan_importer_close(struct plan_importer *m)
{
	free(m->dep);
	m->dep = NULL;
	rv_buf_release(&m->edges);
	rv_strmap_release(&m->old_ids);
	rv_strmap_release(&m->new_ids);
	rv_arena_release(&m->arena);
	plan_tree_release(&m->t);
}

int plan_importer_fail(const struct plan_importer *m, uint32_t node, const char *fmt, ...)
{
	struct plan_cursor c = { 0 };
	char what[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	plan_cursor_move(&c, m->t.source, m->t.nodes[node].at);
	return rv_fail(m->err, RV_E_PLAN, "%s:%u:%u: %s", m->how->name, c.line, c.col, what);
}

int plan_importer_no_memory(const struct plan_importer *m)
{
	return rv_fail(m->err, RV_E_NO_MEMORY, "out of memory");
}

/* --- ids --------------------------------------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool is_low_line(char c)
{
	return c == '_' || !is_plain(c);
}

/* The old name with what is no letter of ours as _; `number` > 1 tells it from others that became the same. */
static size_t mapped(struct rv_str old, uint32_t number, size_t bytes_max, char out[RV_UNIT_ID_BYTES_MAX + 1])
{
	char suffix[16] = "";
	size_t room, i, n = 0;

	if (number > 1)
		snprintf(suffix, sizeof(suffix), "-%u", number);
	room = bytes_max - strlen(suffix);
	/* No id starts with a point, and none with two of what may become _. */
	if (!old.bytes || old.at[0] == '.' || (old.bytes > 1 && is_low_line(old.at[0]) && is_low_line(old.at[1])))
		out[n++] = 't';
	for (i = 0; i < old.bytes && n < room; i++)
		out[n++] = is_plain(old.at[i]) ? old.at[i] : '_';
	memcpy(out + n, suffix, strlen(suffix) + 1);
	return n + strlen(suffix);
}

static bool is_taken(const struct rv_strmap *taken, struct rv_str old, uint32_t number, size_t bytes_max)
{
	char text[RV_UNIT_ID_BYTES_MAX + 1];

	return rv_strmap_get(taken, rv_str(text, mapped(old, number, bytes_max, text))) != RV_MAP_NONE;
}

/* Behind one that is taken, as a rule the lowest. Numbers are given one after the other, so that few have to be looked at, however many
 * names become the same (all those of one length in another alphabet). */
static uint32_t free_number(const struct rv_strmap *taken, struct rv_str old, size_t bytes_max)
{
	uint32_t low = 0, number = 1;

	while (is_taken(taken, old, number, bytes_max)) {
		low = number;
		number *= 2;
	}
	while (number - low > 1) {
		uint32_t between = low + (number - low) / 2;

		if (is_taken(taken, old, between, bytes_max))
			low = between;
		else
			number = between;
	}
	return number;
}

struct rv_str plan_importer_map_name(struct plan_importer *m, struct rv_strmap *taken, struct rv_str old, uint32_t value, size_t bytes_max)
{
	char text[RV_UNIT_ID_BYTES_MAX + 1];
	size_t n = mapped(old, free_number(taken, old, bytes_max), bytes_max, text);
	struct rv_str copy;

	copy = rv_arena_str(&m->arena, rv_str(text, n));
	if (!copy.at || rv_strmap_add(taken, copy, value) == RV_MAP_NONE)
		return rv_str(NULL, 0);
	return copy;
}

int plan_importer_tasks(struct plan_importer *m, uint32_t count, const char *what)
{
	if (count > RV_UNITS_MAX)
		return rv_fail(m->err, RV_E_LIMIT, "%s: %u %s; the limit is %u", m->how->name, count, what, RV_UNITS_MAX);
	m->count = count;
	m->tasks = rv_arena_zalloc(&m->arena, ((size_t)count + 1) * sizeof(*m->tasks), _Alignof(struct plan_import_task));
	return m->tasks ? 0 : plan_importer_no_memory(m);
}

int plan_importer_id(struct plan_importer *m, uint32_t task, struct rv_str old, uint32_t node, uint32_t id_node)
{
	struct plan_import_task *t = &m->tasks[task];
	uint32_t had = rv_strmap_add(&m->old_ids, old, task);
	char q[PLAN_QUOTED];

	if (had == RV_MAP_NONE)
		return plan_importer_no_memory(m);
	if (had != task)
		return plan_importer_fail(m, id_node, "the id %s was there before", plan_quote(old, q));
	*t = (struct plan_import_task){ .old = old, .node = node, .id_node = id_node };
	t->id = plan_importer_map_name(m, &m->new_ids, old, task, RV_UNIT_ID_BYTES_MAX);
	return t->id.at ? 0 : plan_importer_no_memory(m);
}

int plan_importer_alias(struct plan_importer *m, uint32_t task, struct rv_str name)
{
	return rv_strmap_add(&m->old_ids, name, task) == RV_MAP_NONE ? plan_importer_no_memory(m) : 0;
}

/* --- edges ------------------------------------------------------------------------------------------------------------- */

static int unknown_id(struct plan_importer *m, uint32_t node, struct rv_str id)
{
	const char **names = NULL;
	char q[PLAN_QUOTED];
	int nearest = -1;
	uint32_t i;

	plan_importer_fail(m, node, "nothing here has the id %s", plan_quote(id, q));
	if (m->count <= NEAREST_OF_MAX)
		names = calloc((size_t)m->count + 1, sizeof(*names));
	for (i = 0; names && i < m->count; i++) {
		struct rv_str copy = rv_arena_str(&m->arena, m->tasks[i].old);

		names[i] = copy.at ? copy.at : "";
	}
	if (names)
		nearest = rv_nearest(id, names, m->count);
	if (nearest >= 0)
		(void)rv_hint(m->err, "did you mean %s?", plan_quote(m->tasks[nearest].old, q));
	free(names);
	return -1;
}

static int named(struct plan_importer *m, uint32_t node, uint32_t *out)
{
	if (!plan_importer_is(m, node, PLAN_STRING))
		return plan_importer_fail(m, node, "the id of another one is expected here, a string");
	*out = rv_strmap_get(&m->old_ids, plan_node_text(&m->t, node));
	return *out == RV_MAP_NONE ? unknown_id(m, node, plan_node_text(&m->t, node)) : 0;
}

static int add_edge(struct plan_importer *m, struct edge e)
{
	if (e.child == e.parent)
		return plan_importer_fail(m, e.node, "it waits for itself");
	return rv_buf_put(&m->edges, &e, sizeof(e)) ? plan_importer_no_memory(m) : 0;
}

int plan_importer_edge(struct plan_importer *m, uint32_t task, uint32_t node)
{
	struct edge e = { .child = task, .node = node };

	return named(m, node, &e.parent) ? -1 : add_edge(m, e);
}

int plan_importer_edge_back(struct plan_importer *m, uint32_t task, uint32_t node)
{
	struct edge e = { .parent = task, .node = node };

	return named(m, node, &e.child) ? -1 : add_edge(m, e);
}

int plan_importer_edges(struct plan_importer *m, uint32_t task, uint32_t node, const char *key)
{
	uint32_t n;

	if (node == UINT32_MAX)
		return 0;
	if (!plan_importer_is(m, node, PLAN_ARRAY))
		return plan_importer_fail(m, node, "%s must be an array of ids", key);
	for (n = plan_first(node); n < plan_end(&m->t, node); n = plan_next(&m->t, n))
		if (plan_importer_edge(m, task, n))
			return -1;
	return 0;
}

/* Rows by child, the order of the file kept, each parent once. */
static void make_rows(struct plan_importer *m, const struct edge *edges, size_t count, uint32_t *mark)
{
	uint32_t i, at = 0;
	size_t e;

	for (e = 0; e < count; e++)
		m->tasks[edges[e].child].dep_count++;
	for (i = 0; i < m->count; i++) {
		m->tasks[i].deps = at;
		at += m->tasks[i].dep_count;
		m->tasks[i].dep_count = 0;
	}
	for (e = 0; e < count; e++) {
		struct plan_import_task *t = &m->tasks[edges[e].child];

		m->dep[t->deps + t->dep_count++] = edges[e].parent;
	}
	for (i = 0; i < m->count; i++) {
		struct plan_import_task *t = &m->tasks[i];
		uint32_t k, kept = 0;

		for (k = 0; k < t->dep_count; k++) {
			uint32_t parent = m->dep[t->deps + k];

			if (mark[parent] == i + 1)
				continue;
			mark[parent] = i + 1;
			m->dep[t->deps + kept++] = parent;
		}
		t->dep_count = kept;
	}
}

/* Walks back over parents that are on a cycle, or behind one, until one comes again: between the two is a cycle. */
static int tell_cycle(struct plan_importer *m, uint32_t start, const uint32_t *waiting, uint32_t *mark)
{
	uint32_t at = start, step, shown = 0, first;
	char q[PLAN_QUOTED];
	struct rv_buf path;

	memset(mark, 0, ((size_t)m->count + 1) * sizeof(*mark));
	for (step = 1; !mark[at]; step++) {
		const struct plan_import_task *t = &m->tasks[at];
		uint32_t k = 0;

		mark[at] = step;
		while (!waiting[m->dep[t->deps + k]]) /* one of them is: it waits for something */
			k++;
		at = m->dep[t->deps + k];
	}
	first = at;
	rv_buf_init(&path, 4096);
	do {
		const struct plan_import_task *t = &m->tasks[at];
		uint32_t k = 0;

		if (++shown <= 4)
			(void)rv_buf_printf(&path, "%s waits for ", plan_quote(t->old, q));
		while (!waiting[m->dep[t->deps + k]])
			k++;
		at = m->dep[t->deps + k];
	} while (at != first);
	if (shown > 4)
		(void)rv_buf_puts(&path, "... ");
	plan_importer_fail(m, m->tasks[first].id_node, "a cycle of %u: %.*s%s", shown, (int)rv_min_u64(path.bytes, 250), path.at,
			   plan_quote(m->tasks[first].old, q));
	rv_buf_release(&path);
	return -1;
}

int plan_importer_order(struct plan_importer *m)
{
	const struct edge *edges = (const struct edge *)(const void *)m->edges.at; /* malloc'd, whole structs only */
	size_t count = m->edges.bytes / sizeof(*edges), e;
	uint32_t *mark = calloc((size_t)m->count + 1, sizeof(*mark)), *waiting = calloc((size_t)m->count + 1, sizeof(*waiting));
	uint32_t *queue = calloc((size_t)m->count + 1, sizeof(*queue)), *child_of = NULL, *place = calloc((size_t)m->count + 2, sizeof(*place));
	uint32_t i, k, head = 0, tail = 0;
	int rc = -1;

	if (count > RV_EDGES_MAX) {
		rv_fail(m->err, RV_E_LIMIT, "%s: %zu dependencies; the limit is %u", m->how->name, count, RV_EDGES_MAX);
		goto out;
	}
	m->dep = calloc(count + 1, sizeof(*m->dep));
	child_of = calloc(count + 1, sizeof(*child_of));
	if (!mark || !waiting || !queue || !place || !m->dep || !child_of) {
		plan_importer_no_memory(m);
		goto out;
	}
	make_rows(m, edges, count, mark);
	for (i = 0; i < m->count; i++) {
		waiting[i] = m->tasks[i].dep_count;
		for (k = 0; k < m->tasks[i].dep_count; k++)
			place[m->dep[m->tasks[i].deps + k] + 1]++;
	}
	for (i = 0; i < m->count; i++)
		place[i + 1] += place[i];
	for (i = 0; i < m->count; i++) {
		for (k = 0; k < m->tasks[i].dep_count; k++)
			child_of[place[m->dep[m->tasks[i].deps + k]]++] = i;
	}
	for (i = 0; i < m->count; i++)
		if (!waiting[i])
			queue[tail++] = i;
	while (head < tail) {
		uint32_t parent = queue[head++];

		for (e = parent ? place[parent - 1] : 0; e < place[parent]; e++)
			if (--waiting[child_of[e]] == 0)
				queue[tail++] = child_of[e];
	}
	for (i = 0; i < m->count && !waiting[i]; i++)
		;
	rc = i < m->count ? tell_cycle(m, i, waiting, mark) : 0;
out:
	free(mark);
	free(waiting);
	free(queue);
	free(place);
	free(child_of);
	return rc;
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

bool plan_importer_is(const struct plan_importer *m, uint32_t node, enum plan_kind kind)
{
	return m->t.nodes[node].kind == kind;
}

uint32_t plan_importer_get(const struct plan_importer *m, uint32_t map, const char *key)
{
	uint32_t n = plan_map_get(&m->t, map, rv_str_of(key));

	return n != UINT32_MAX && plan_importer_is(m, n, PLAN_NULL) ? UINT32_MAX : n;
}

int plan_importer_number(const struct plan_importer *m, uint32_t map, const char *key, double fallback, double max, double *out)
{
	uint32_t node = plan_map_get(&m->t, map, rv_str_of(key));
	const struct plan_node *v;

	*out = fallback;
	if (node == UINT32_MAX)
		return 0;
	v = plan_node(&m->t, node);
	if (v->kind != PLAN_INT && v->kind != PLAN_REAL)
		return plan_importer_fail(m, node, "%s must be a number", key);
	*out = v->kind == PLAN_INT ? (double)v->integer : v->real;
	return *out >= 0 && *out <= max ? 0 : plan_importer_fail(m, node, "%s is out of range: 0 to %.0f", key, max);
}

static uint32_t count_of(const char *const *known)
{
	uint32_t n = 0;

	while (known[n])
		n++;
	return n;
}

static bool is_known(struct rv_str key, const char *const *known)
{
	for (; *known; known++)
		if (rv_str_equal(key, rv_str_of(*known)))
			return true;
	return false;
}

int plan_importer_keys(const struct plan_importer *m, uint32_t map, const char *const *known)
{
	uint32_t n;

	for (n = plan_first(map); n < plan_end(&m->t, map); n = plan_next(&m->t, plan_next(&m->t, n))) {
		struct rv_str key = plan_node_text(&m->t, n);
		char q[PLAN_QUOTED];
		int nearest;

		if (is_known(key, known))
			continue;
		nearest = rv_nearest(key, known, count_of(known));
		if (nearest < 0)
			continue;
		plan_importer_fail(m, n, "there is no key %s", plan_quote(key, q));
		return rv_hint(m->err, "did you mean %s?", known[nearest]);
	}
	return 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

/* "dir/my plan.json" as my-plan. */
static struct rv_str base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct rv_str s = rv_str_of(slash ? slash + 1 : path);
	const char *point = s.bytes ? memchr(s.at + 1, '.', s.bytes - 1) : NULL;

	return point ? rv_str(s.at, (size_t)(point - s.at)) : s;
}

void plan_importer_put_head(struct plan_importer *m, uint32_t name_node)
{
	struct rv_str s = base_name(m->how->name);
	char text[RV_NAME_BYTES_MAX + 1];
	uint32_t i;

	if (name_node != UINT32_MAX && plan_importer_is(m, name_node, PLAN_STRING) && m->t.nodes[name_node].text.bytes)
		s = plan_node_text(&m->t, name_node);
	for (i = 0; i < s.bytes && i < RV_NAME_BYTES_MAX; i++)
		text[i] = is_plain(s.at[i]) ? s.at[i] : '-';
	(void)rv_buf_puts(m->out, "{\"version\":1,\"name\":");
	(void)rv_buf_put_json(m->out, rv_str(text, i));
}

void plan_importer_put_id(struct plan_importer *m, uint32_t task)
{
	(void)rv_buf_puts(m->out, task ? ",\n{\"id\":" : "{\"id\":");
	(void)rv_buf_put_json(m->out, m->tasks[task].id);
}

void plan_importer_put_deps(struct plan_importer *m, uint32_t task)
{
	const struct plan_import_task *t = &m->tasks[task];
	uint32_t k;

	if (!t->dep_count)
		return;
	(void)rv_buf_puts(m->out, ",\"depends_on\":[");
	for (k = 0; k < t->dep_count; k++) {
		if (k)
			(void)rv_buf_putc(m->out, ',');
		(void)rv_buf_put_json(m->out, m->tasks[m->dep[t->deps + k]].id);
	}
	(void)rv_buf_putc(m->out, ']');
}

bool plan_importer_put_old_id(struct plan_importer *m, uint32_t task)
{
	if (rv_str_equal(m->tasks[task].old, m->tasks[task].id))
		return false;
	(void)rv_buf_puts(m->out, ",\"x-id\":");
	(void)rv_buf_put_json(m->out, m->tasks[task].old);
	return true;
}

int plan_importer_put_rest(struct plan_importer *m, uint32_t map, const char *const *known, const char *const *written)
{
	char q[PLAN_QUOTED];
	uint32_t n, other;
	bool taken;

	for (n = plan_first(map); n < plan_end(&m->t, map); n = plan_next(&m->t, plan_next(&m->t, n))) {
		struct rv_str key = plan_node_text(&m->t, n);
		struct rv_buf name;

		if (is_known(key, known))
			continue;
		rv_buf_init(&name, 0);
		(void)rv_buf_puts(&name, key.bytes > 2 && memcmp(key.at, "x-", 2) == 0 ? "" : "x-");
		(void)rv_buf_put_str(&name, key);
		other = plan_map_get(&m->t, map, rv_buf_str(&name));
		taken = is_known(rv_buf_str(&name), written) || (other != UINT32_MAX && other != plan_next(&m->t, n));
		(void)rv_buf_putc(m->out, ',');
		(void)rv_buf_put_json(m->out, rv_buf_str(&name));
		(void)rv_buf_putc(m->out, ':');
		(void)plan_node_json(&m->t, plan_next(&m->t, n), m->out);
		rv_buf_release(&name);
		if (taken)
			return plan_importer_fail(m, n, "the key %s would be kept as x-..., but there is such a key", plan_quote(key, q));
	}
	return 0;
}

/* Is KEY, or what stands before a point in it, filled for this task? */
static bool is_filled(const struct plan_importer *m, uint32_t task, struct rv_str key, uint32_t context)
{
	const struct plan_import_task *t = &m->tasks[task];
	size_t i;
	uint32_t k;

	for (i = key.bytes; i > 0; i--) {
		struct rv_str front = rv_str(key.at, i);

		if (i < key.bytes && key.at[i] != '.')
			continue;
		if (context != UINT32_MAX && plan_map_get(&m->t, context, front) != UINT32_MAX)
			return true;
		if (i <= 5 || memcmp(key.at, "_dep_", 5) != 0)
			continue;
		for (k = 0; k < t->dep_count; k++)
			if (rv_str_equal(m->tasks[m->dep[t->deps + k]].id, rv_str(key.at + 5, i - 5)))
				return true;
	}
	return false;
}

void plan_importer_put_text(struct plan_importer *m, uint32_t task, struct rv_str text, uint32_t context)
{
	struct plan_slot slot;
	struct rv_buf b;
	size_t at = 0, next;

	rv_buf_init(&b, 0);
	while (at < text.bytes) {
		const char *open = memmem(text.at + at, text.bytes - at, "{{", 2);
		size_t from = open ? (size_t)(open - text.at) : text.bytes;

		(void)rv_buf_put(&b, text.at + at, from - at);
		if (!open)
			break;
		next = from;
		if (plan_template_next(text, false, &next, &slot) == 1 && slot.at == from && is_filled(m, task, slot.key, context)) {
			(void)rv_buf_put(&b, text.at + from, slot.bytes);
			at = from + slot.bytes;
		} else {
			(void)rv_buf_puts(&b, "{{{{");
			at = from + 2;
		}
	}
	(void)rv_buf_put_json(m->out, rv_buf_str(&b));
	if (b.failed)
		m->out->failed = true;
	rv_buf_release(&b);
}

void plan_importer_put_seconds(struct rv_buf *out, double s)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "%.6f", s);

	while (n > 1 && text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	(void)rv_buf_put(out, text, (size_t)n);
}

void plan_importer_put_cores(struct plan_importer *m, double cores)
{
	if (m->how->max_cores && cores > m->how->max_cores)
		cores = m->how->max_cores;
	(void)rv_buf_printf(m->out, ",\"resources\":{\"cpus\":%.0f}", cores < 1 ? 1.0 : ceil(cores));
}

void plan_importer_put_sleep(struct plan_importer *m, double runtime_s)
{
	(void)rv_buf_puts(m->out, ",\"command\":[\"sleep\",\"");
	plan_importer_put_seconds(m->out, runtime_s);
	(void)rv_buf_puts(m->out, "\"],\"estimate_s\":");
	plan_importer_put_seconds(m->out, runtime_s);
}

/* --- agents ------------------------------------------------------------------------------------------------------------------ */

void plan_importer_put_agent(struct plan_importer *m, struct rv_str name, struct rv_str old)
{
	struct rv_str profile = RV_STR("mock");
	uint32_t i;

	for (i = 0; i < m->how->agent_count && !rv_str_equal(m->how->agents[i].name, old); i++)
		;
	if (i < m->how->agent_count)
		profile = m->how->agents[i].profile;
	else
		m->how->mocked++;
	(void)rv_buf_put_json(m->out, name);
	(void)rv_buf_puts(m->out, ":{\"profile\":");
	(void)rv_buf_put_json(m->out, profile);
	(void)rv_buf_putc(m->out, '}');
}

int plan_importer_agents_known(struct plan_importer *m, const struct rv_str *names, uint32_t count)
{
	uint32_t i, k;

	for (i = 0; i < m->how->agent_count; i++) {
		const struct plan_import_agent *a = &m->how->agents[i];
		char q[PLAN_QUOTED];

		for (k = 0; k < count && !rv_str_equal(names[k], a->name); k++)
			;
		if (k < count)
			continue;
		rv_fail(m->err, RV_E_USAGE, "--agent: nothing in %s is for an agent %s", m->how->name, plan_quote(a->name, q));
		return count ? rv_hint(m->err, "the first of its agents is %s", plan_quote(names[0], q)) : -1;
	}
	return 0;
}

int plan_importer_end(struct plan_importer *m)
{
	(void)rv_buf_puts(m->out, "\n]}\n");
	return m->out->failed ? plan_importer_no_memory(m) : 0;
}
