/* import_ralph.c - {"work_units": [{unit_id, description, allowed_directories, dependencies, step_ids}]} becomes a plan */
#include "importer.h"

#include "common/limits.h"
#include "loader.h"

#define MAX_WORKERS 8 /* what such plans run with elsewhere */

static const char *const file_keys[] = { "work_units", "name", NULL };
static const char *const unit_keys[] = { "unit_id", "task_id", "description", "allowed_directories", "dependencies", "depends_on", "step_ids", NULL };

/* The value of a key or of its other name; both: -1 told. */
static int either(const struct plan_importer *m, uint32_t map, const char *key, const char *other, uint32_t *out)
{
	uint32_t b = plan_importer_get(m, map, other);

	*out = plan_importer_get(m, map, key);
	if (*out != UINT32_MAX && b != UINT32_MAX)
		return plan_importer_fail(m, b, "%s is another name for %s, which is there, too", other, key);
	if (*out == UINT32_MAX)
		*out = b;
	return 0;
}

static int read_ids(struct plan_importer *m, uint32_t units)
{
	uint32_t n, id, i = 0;

	for (n = plan_first(units); n < plan_end(&m->t, units); n = plan_next(&m->t, n)) {
		if (!plan_importer_is(m, n, PLAN_MAP))
			return plan_importer_fail(m, n, "a work unit must be a map");
		if (plan_importer_keys(m, n, unit_keys) || either(m, n, "unit_id", "task_id", &id))
			return -1;
		if (id == UINT32_MAX || !plan_importer_is(m, id, PLAN_STRING) || !plan_node_text(&m->t, id).bytes)
			return plan_importer_fail(m, n, "a work unit needs a string \"unit_id\"");
		if (plan_importer_id(m, i++, plan_node_text(&m->t, id), n, id))
			return -1;
	}
	return 0;
}

static int read_deps(struct plan_importer *m)
{
	uint32_t i, node;

	for (i = 0; i < m->count; i++)
		if (either(m, m->tasks[i].node, "dependencies", "depends_on", &node) || plan_importer_edges(m, i, node, "dependencies"))
			return -1;
	return plan_importer_order(m);
}

static uint32_t characters(struct rv_str s)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < s.bytes; i++)
		n += (s.at[i] & 0xc0) != 0x80;
	return n;
}

/* What is too long for a description is the prompt. */
static int put_description(struct plan_importer *m, uint32_t task)
{
	uint32_t node = plan_importer_get(m, m->tasks[task].node, "description");
	struct rv_str text;

	if (node == UINT32_MAX || !plan_importer_is(m, node, PLAN_STRING) || !plan_node_text(&m->t, node).bytes)
		return plan_importer_fail(m, node == UINT32_MAX ? m->tasks[task].node : node, "a work unit needs a \"description\", a string that says what is to be done");
	text = plan_node_text(&m->t, node);
	if (text.bytes > RV_PROMPT_BYTES_MAX)
		return plan_importer_fail(m, node, "this description has %zu bytes; the limit is %zu", text.bytes, RV_PROMPT_BYTES_MAX);
	(void)rv_buf_puts(m->out, characters(text) > RV_DESCRIPTION_CHARS_MAX / 2 ? ",\"prompt\":" : ",\"description\":"); /* escapes take room */
	plan_importer_put_text(m, task, text, UINT32_MAX);
	return 0;
}

static int put_dirs(struct plan_importer *m, uint32_t task, bool wanted)
{
	uint32_t node = plan_importer_get(m, m->tasks[task].node, "allowed_directories"), n, count = 0;

	if (node == UINT32_MAX && wanted) {
		plan_importer_fail(m, m->tasks[task].node, "others have \"allowed_directories\", this work unit has none");
		return rv_hint(m->err, "[] means that it only reads, [\".\"] the whole workspace");
	}
	if (node == UINT32_MAX)
		return 0;
	if (!plan_importer_is(m, node, PLAN_ARRAY))
		return plan_importer_fail(m, node, "allowed_directories must be an array of paths");
	(void)rv_buf_puts(m->out, ",\"allowed_directories\":[");
	for (n = plan_first(node); n < plan_end(&m->t, node); n = plan_next(&m->t, n)) {
		enum plan_code code;
		struct rv_buf path;
		const char *why;
		char q[PLAN_QUOTED];

		if (!plan_importer_is(m, n, PLAN_STRING))
			return plan_importer_fail(m, n, "a path is expected here, a string");
		if (++count > RV_DIRS_MAX)
			return plan_importer_fail(m, n, "a unit may have %u directories", RV_DIRS_MAX);
		rv_buf_init(&path, 0);
		code = plan_dir_normalise(plan_node_text(&m->t, n), &path, &why);
		if (count > 1)
			(void)rv_buf_putc(m->out, ',');
		plan_importer_put_text(m, task, rv_buf_str(&path), UINT32_MAX);
		rv_buf_release(&path);
		if (code != PLAN_CODES)
			return plan_importer_fail(m, n, "the directory %s is not allowed: %s", plan_quote(plan_node_text(&m->t, n), q), why);
	}
	return rv_buf_putc(m->out, ']');
}

static int put_unit(struct plan_importer *m, uint32_t task, bool dirs_wanted)
{
	uint32_t node = m->tasks[task].node, steps = plan_importer_get(m, node, "step_ids"), count = 0;
	const char *written[3] = { NULL };

	plan_importer_put_id(m, task);
	if (put_description(m, task) || put_dirs(m, task, dirs_wanted))
		return -1;
	plan_importer_put_deps(m, task);
	if (steps != UINT32_MAX) {
		(void)rv_buf_puts(m->out, ",\"x-step-ids\":");
		(void)plan_node_json(&m->t, steps, m->out);
		written[count++] = "x-step-ids";
	}
	if (plan_importer_put_old_id(m, task))
		written[count++] = "x-id";
	if (plan_importer_put_rest(m, node, unit_keys, written))
		return -1;
	return rv_buf_putc(m->out, '}');
}

static bool any_dirs(const struct plan_importer *m)
{
	uint32_t i;

	for (i = 0; i < m->count; i++)
		if (plan_importer_get(m, m->tasks[i].node, "allowed_directories") != UINT32_MAX)
			return true;
	return false;
}

static int convert(struct plan_importer *m)
{
	static const struct rv_str agent = { "default", 7 };
	static const char *const nothing[] = { NULL };
	uint32_t units, i;

	if (!plan_importer_is(m, 0, PLAN_MAP))
		return plan_importer_fail(m, 0, "a map with \"work_units\" is expected");
	if (plan_importer_keys(m, 0, file_keys))
		return -1;
	units = plan_importer_get(m, 0, "work_units");
	if (units == UINT32_MAX || !plan_importer_is(m, units, PLAN_ARRAY))
		return plan_importer_fail(m, units == UINT32_MAX ? 0 : units, "a map with an array \"work_units\" is expected");
	if (plan_importer_agents_known(m, &agent, 1) || plan_importer_tasks(m, m->t.nodes[units].count, "work units") ||
	    read_ids(m, units) || read_deps(m))
		return -1;
	plan_importer_put_head(m, plan_importer_get(m, 0, "name"));
	(void)rv_buf_printf(m->out, ",\"max_workers\":%d", MAX_WORKERS);
	if (m->how->compat_env)
		(void)rv_buf_puts(m->out, ",\"compat_env\":[\"ralph\"]");
	(void)rv_buf_puts(m->out, ",\n\"agents\":{");
	plan_importer_put_agent(m, agent, agent);
	(void)rv_buf_puts(m->out, "},\n\"defaults\":{\"evidence\":\"artifact_and_exit\"}");
	if (plan_importer_put_rest(m, 0, file_keys, nothing))
		return -1;
	(void)rv_buf_puts(m->out, ",\n\"units\":[\n");
	for (i = 0; i < m->count; i++)
		if (put_unit(m, i, any_dirs(m)))
			return m->out->failed ? plan_importer_no_memory(m) : -1;
	return plan_importer_end(m);
}

int plan_import_ralph(struct rv_str source, struct plan_import *how, struct rv_buf *out, struct rv_err *err)
{
	struct plan_importer m;
	int rc = plan_importer_open(&m, source, how, out, err);

	if (rc == 0)
		rc = convert(&m);
	plan_importer_close(&m);
	return rc;
}
