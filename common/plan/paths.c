/* paths.c - allowed_directories: their form, normalised and sorted */
#include "loader.h"

#include "common/limits.h"
#include "template.h"

#include <stdlib.h>

static bool is_reserved(struct rv_str segment)
{
	static const char *const names[] = { ".git", ".reeve", ".agent", ".worktrees" };
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(names); i++) {
		if (rv_str_equal(segment, rv_str_of(names[i])))
			return true;
	}
	return false;
}

enum plan_code plan_dir_normalise(struct rv_str s, struct rv_buf *out, const char **why)
{
	size_t i, start = out->bytes;

	*why = "it is empty; the whole workspace is \".\"";
	if (!s.bytes)
		return PLAN_E_DIR_FORM;
	*why = "it is absolute; directories are relative to the workspace";
	if (s.at[0] == '/' || s.at[0] == '~')
		return PLAN_E_DIR_FORM;
	for (i = 0; i < s.bytes; i++) {
		*why = "it holds a control character or a backslash; parts are separated by /";
		if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f || s.at[i] == '\\')
			return PLAN_E_DIR_FORM;
	}
	for (i = 0; i <= s.bytes; i++) {
		const char *stop = i < s.bytes ? memchr(s.at + i, '/', s.bytes - i) : NULL;
		struct rv_str part = rv_str(s.at + i, stop ? (size_t)(stop - s.at) - i : s.bytes - i);

		i += part.bytes;
		if (!part.bytes || rv_str_equal(part, RV_STR(".")))
			continue;
		*why = "it leads upwards by ..";
		if (rv_str_equal(part, RV_STR("..")))
			return PLAN_E_DIR_FORM;
		*why = ".git, .reeve, .agent and .worktrees belong to git and reeve";
		if (out->bytes == start && is_reserved(part))
			return PLAN_E_DIR_RESERVED;
		if (out->bytes > start)
			(void)rv_buf_putc(out, '/');
		(void)rv_buf_put_str(out, part);
	}
	if (out->bytes == start)
		(void)rv_buf_putc(out, '.');
	*why = "it is longer than 4095 bytes";
	return out->bytes - start > 4095 ? PLAN_E_DIR_FORM : PLAN_CODES;
}

int plan_dir_put(struct rv_str s, struct rv_buf *out, const char **why)
{
	size_t before = out->bytes;

	if (plan_dir_normalise(s, out, why) == PLAN_CODES)
		return 0;
	out->bytes = before;
	return -1;
}

static int compare_paths(const void *a, const void *b)
{
	return rv_str_compare(*(const struct rv_str *)a, *(const struct rv_str *)b);
}

/* Sorts and drops repeats; the new count. */
static uint32_t sort_paths(struct rv_str *path, uint32_t count)
{
	uint32_t i, kept = 0;

	qsort(path, count, sizeof(*path), compare_paths);
	for (i = 0; i < count; i++) {
		if (!kept || !rv_str_equal(path[i], path[kept - 1]))
			path[kept++] = path[i];
	}
	return kept;
}

const struct plan_dirs *plan_read_dirs(struct plan_loader *l, uint32_t node, bool templates)
{
	struct rv_str plain[RV_DIRS_MAX], filled[RV_DIRS_MAX];
	size_t start[RV_DIRS_MAX];
	uint32_t plain_count = 0, filled_count = 0, n, i;
	const struct plan_dirs *dirs = NULL;
	bool bad = false;
	struct rv_buf b;

	rv_buf_init(&b, 0);
	for (n = plan_first(node); n < plan_end(l->tree, node); n = plan_next(l->tree, n)) {
		struct rv_str s = plan_node_text(l->tree, n);
		char q[PLAN_QUOTED];
		enum plan_code code;
		const char *why;

		if (templates && plan_template_has_keys(s)) {
			filled[filled_count++] = s;
			continue;
		}
		start[plain_count] = b.bytes;
		code = plan_dir_normalise(s, &b, &why);
		if (code != PLAN_CODES) {
			plan_error_at(l, code, n, "the directory %s is not allowed: %s", plan_quote(s, q), why);
			bad = true;
			b.bytes = start[plain_count];
			continue;
		}
		plain[plain_count].bytes = b.bytes - start[plain_count];
		plain_count++;
	}
	for (i = 0; i < plain_count; i++)
		plain[i].at = b.at + start[i];
	plain_count = sort_paths(plain, plain_count);
	memcpy(plain + plain_count, filled, filled_count * sizeof(*filled));
	if (b.failed)
		(void)plan_no_memory(l);
	else if (!bad || plain_count + filled_count)
		dirs = plan_intern_dirs(l, plain, plain_count + filled_count, filled_count);
	rv_buf_release(&b);
	l->any_dirs = true;
	return dirs;
}
