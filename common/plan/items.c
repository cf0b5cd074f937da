/* items.c - for_each, and the files that a plan names */
#include "loader.h"

#include "common/limits.h"
#include "common/os/file.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- files ---- */

int plan_read_named_file(struct plan_loader *l, uint32_t node, size_t limit, struct rv_buf *out)
{
	struct rv_str name = plan_node_text(l->tree, node), dir = l->plan->dir;
	struct rv_err err = { 0 };
	struct plan_fault fault;
	struct rv_buf path;
	int rc;

	if (l->opt->names_no_files) {
		plan_error_at(l, PLAN_E_CONFLICT, node, "a plan that is handed over names no files: whoever hands it over reads them");
		return -1;
	}
	rv_buf_init(&path, 65536);
	if (name.at[0] != '/' && dir.bytes)
		(void)rv_buf_printf(&path, "%.*s/", RV_STR_ARGS(dir));
	(void)rv_buf_put_str(&path, name);
	rc = path.failed ? rv_fail(&err, RV_E_LIMIT, "the path is too long") :
			   rv_file_read(path.at, limit, out, &err);
	rv_buf_release(&path);
	if (rc) {
		plan_error_at(l, err.code == RV_E_LIMIT ? PLAN_E_LIMIT : PLAN_E_CONFLICT, node, "%s", err.msg);
		return -1;
	}
	if (plan_utf8_check(rv_buf_str(out), &fault)) {
		plan_error_at(l, PLAN_E_SYNTAX, node, "%.*s: %s", RV_STR_ARGS(name), fault.message);
		return -1;
	}
	return 0;
}

/* ---- items ---- */

static struct plan_for_each *for_each_new(struct plan_loader *l)
{
	struct plan_for_each *f = rv_arena_zalloc(&l->plan->arena, sizeof(*f), _Alignof(struct plan_for_each));

	if (!f) {
		(void)plan_no_memory(l);
		return NULL;
	}
	f->same_as = PLAN_NONE;
	f->id_template = RV_STR("");
	return f;
}

static int add_item(struct plan_loader *l, struct rv_str *item, struct rv_str json)
{
	*item = rv_arena_str(&l->plan->arena, json);
	return item->at ? 0 : plan_no_memory(l);
}

static int item_of_node(struct plan_loader *l, const struct plan_tree *t, uint32_t node, struct rv_str *item)
{
	rv_buf_reset(&l->text);
	if (plan_node_json(t, node, &l->text))
		return plan_no_memory(l);
	return add_item(l, item, rv_buf_str(&l->text));
}

static const struct plan_for_each *from_array(struct plan_loader *l, const struct plan_tree *t, uint32_t array)
{
	struct plan_for_each *f = for_each_new(l);
	struct rv_str *items;
	uint32_t n, i = 0;

	if (!f)
		return NULL;
	f->count = t->nodes[array].count;
	items = RV_ARENA_ARRAY(&l->plan->arena, struct rv_str, f->count);
	if (!items) {
		(void)plan_no_memory(l);
		return NULL;
	}
	for (n = plan_first(array); n < plan_end(t, array); n = plan_next(t, n)) {
		if (item_of_node(l, t, n, &items[i++]))
			return NULL;
	}
	f->items = items;
	return f;
}

static bool ends_with(struct rv_str s, const char *end)
{
	size_t n = strlen(end);

	return s.bytes >= n && memcmp(s.at + s.bytes - n, end, n) == 0;
}

static void tell_fault(struct plan_loader *l, uint32_t node, struct rv_str bytes, uint32_t first_line,
		       const struct plan_fault *fault)
{
	struct plan_cursor c = { 0 };

	plan_cursor_move(&c, bytes, fault->at);
	if (fault->code == PLAN_CODES)
		(void)plan_no_memory(l);
	else
		plan_error_at(l, fault->code, node, "%.*s:%u:%u: %s", RV_STR_ARGS(plan_node_text(l->tree, node)),
			      c.line + first_line - 1, c.col, fault->message);
}

static const struct plan_for_each *from_json(struct plan_loader *l, uint32_t node, struct rv_str bytes)
{
	const struct plan_for_each *f = NULL;
	struct plan_fault fault;
	struct plan_tree t;

	plan_tree_init(&t, l->seed);
	if (plan_json_read(&t, bytes, &fault))
		tell_fault(l, node, bytes, 1, &fault);
	else if (t.nodes[0].kind != PLAN_ARRAY)
		plan_error_at(l, PLAN_E_TYPE, node, "%.*s must hold an array, not %s",
			      RV_STR_ARGS(plan_node_text(l->tree, node)),
			      plan_kind_name((enum plan_kind)t.nodes[0].kind));
	else if (t.nodes[0].count > RV_FOR_EACH_ITEMS_MAX)
		plan_error_at(l, PLAN_E_LIMIT, node, "%u items; the limit is %u", t.nodes[0].count, RV_FOR_EACH_ITEMS_MAX);
	else
		f = from_array(l, &t, 0);
	plan_tree_release(&t);
	return f;
}

/* One line of a file of items, as JSON into `item`; 1 where the line is blank, -1 told. */
static int line_item(struct plan_loader *l, uint32_t node, struct rv_str line, uint32_t number, bool json,
		     struct plan_tree *t, struct rv_str *item)
{
	struct plan_fault fault;
	char *copy;
	size_t i = 0;

	if (line.bytes && line.at[line.bytes - 1] == '\r')
		line.bytes--;
	while (i < line.bytes && (line.at[i] == ' ' || line.at[i] == '\t'))
		i++;
	if (i == line.bytes)
		return 1;
	rv_buf_reset(&l->text);
	if (!json) {
		(void)rv_buf_put_json(&l->text, line);
		return l->text.failed ? plan_no_memory(l) : add_item(l, item, rv_buf_str(&l->text));
	}
	plan_tree_reset(t);
	copy = rv_arena_copy(&l->scratch, line);
	if (!copy)
		return plan_no_memory(l);
	if (plan_json_read(t, rv_str(copy, line.bytes), &fault)) {
		tell_fault(l, node, line, number, &fault);
		return -1;
	}
	return item_of_node(l, t, 0, item);
}

static const struct plan_for_each *from_lines(struct plan_loader *l, uint32_t node, struct rv_str bytes, bool json)
{
	struct plan_for_each *f = for_each_new(l);
	uint32_t lines = 1, number = 0;
	struct plan_tree t;
	struct rv_str *items;
	int rc = 0;
	size_t i;

	for (i = 0; i < bytes.bytes; i++)
		lines += bytes.at[i] == '\n';
	items = f ? RV_ARENA_ARRAY(&l->plan->arena, struct rv_str, lines > RV_FOR_EACH_ITEMS_MAX ? RV_FOR_EACH_ITEMS_MAX : lines) : NULL;
	if (!items) {
		(void)plan_no_memory(l);
		return NULL;
	}
	plan_tree_init(&t, l->seed);
	for (i = 0; rc >= 0 && i < bytes.bytes; i++) {
		const char *stop = memchr(bytes.at + i, '\n', bytes.bytes - i);
		size_t n = stop ? (size_t)(stop - bytes.at) - i : bytes.bytes - i;
		struct rv_str item;

		rc = line_item(l, node, rv_str(bytes.at + i, n), ++number, json, &t, &item);
		if (rc == 0 && f->count == RV_FOR_EACH_ITEMS_MAX) {
			plan_error_at(l, PLAN_E_LIMIT, node, "more than %u items", RV_FOR_EACH_ITEMS_MAX);
			rc = -1;
		}
		if (rc == 0)
			items[f->count++] = item;
		i += n;
	}
	plan_tree_release(&t);
	f->items = items;
	return rc < 0 ? NULL : f;
}

static const struct plan_for_each *from_file(struct plan_loader *l, uint32_t node)
{
	struct rv_str name = plan_node_text(l->tree, node), bytes;
	const struct plan_for_each *f = NULL;
	struct rv_buf b;

	rv_buf_init(&b, RV_PLAN_FILE_BYTES_MAX);
	if (plan_read_named_file(l, node, RV_PLAN_FILE_BYTES_MAX - 1, &b) == 0) {
		bytes = rv_buf_str(&b);
		f = ends_with(name, ".json") ? from_json(l, node, bytes) :
					       from_lines(l, node, bytes, ends_with(name, ".jsonl"));
	}
	rv_buf_release(&b);
	return f;
}

const struct plan_for_each *plan_read_for_each(struct plan_loader *l, uint32_t node)
{
	uint32_t found[PLAN_KEYS_MAX], given = 0;
	struct plan_for_each *f;
	int id;

	if (plan_node(l->tree, node)->kind == PLAN_ARRAY)
		return from_array(l, l->tree, node);
	if (plan_walk(l, node, PLAN_MAP_FOR_EACH, found))
		return NULL;
	for (id = 0; id < PLAN_F_COUNT; id++)
		given += found[id] != PLAN_NONE;
	if (given != 1) {
		plan_error_at(l, PLAN_E_CONFLICT, node, "for_each takes an array, or one of file, count, same_as");
		return NULL;
	}
	if (found[PLAN_F_file] != PLAN_NONE)
		return from_file(l, found[PLAN_F_file]);
	f = for_each_new(l);
	if (!f)
		return NULL;
	if (found[PLAN_F_count] != PLAN_NONE)
		f->count = (uint32_t)plan_node_int(l, found[PLAN_F_count]);
	else
		f->same_as = plan_name_ref(l, plan_node_text(l->tree, found[PLAN_F_same_as]));
	return f;
}
