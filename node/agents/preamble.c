#include "node/agents/preamble.h"

static void put_dirs(const struct node_preamble *p, struct rv_buf *out)
{
	struct rv_str rest = p->dirs;

	if (!p->has_dirs)
		return;
	if (!rest.bytes) {
		(void)rv_buf_puts(out, "- You may read everything here and write nothing but the files named below.\n");
		return;
	}
	(void)rv_buf_puts(out, "- Write only below: ");
	while (rest.bytes) {
		const char *end = memchr(rest.at, ':', rest.bytes);
		size_t n = end ? (size_t)(end - rest.at) : rest.bytes;

		(void)rv_buf_put(out, rest.at, n);
		n += end != NULL;
		rest = rv_str(rest.at + n, rest.bytes - n);
		if (rest.bytes)
			(void)rv_buf_puts(out, ", ");
	}
	(void)rv_buf_puts(out, " (relative to the directory you start in). Others are working on the rest.\n");
}

static void put_deps(const struct node_preamble *p, struct rv_buf *out)
{
	if (!p->dep_count)
		return;
	(void)rv_buf_printf(out, "- Units before you handed over their output: see the JSON file %.*s, keys", RV_STR_ARGS(p->context_file));
	for (uint32_t i = 0; i < p->dep_count && i < NODE_PREAMBLE_DEPS_SHOWN; i++)
		(void)rv_buf_printf(out, "%s _dep_%.*s", i ? "," : "", RV_STR_ARGS(p->deps[i]));
	if (p->dep_count > NODE_PREAMBLE_DEPS_SHOWN)
		(void)rv_buf_printf(out, " and %u more", p->dep_count - NODE_PREAMBLE_DEPS_SHOWN);
	(void)rv_buf_puts(out, ".\n");
	if (p->deps_dir.bytes)
		(void)rv_buf_printf(out, "- Files that they handed over lie in %.*s, a directory for each.\n", RV_STR_ARGS(p->deps_dir));
}

static void put_output(const struct node_preamble *p, struct rv_buf *out)
{
	(void)rv_buf_printf(out, "- Files that you hand over go into %.*s%s", RV_STR_ARGS(p->artifacts),
			    p->wants_artifact ? ": without one there you have not succeeded" : "");
	for (uint32_t i = 0; i < p->glob_count; i++)
		(void)rv_buf_printf(out, "%s%.*s", i ? ", " : "; there must be one that matches each of: ", RV_STR_ARGS(p->globs[i]));
	(void)rv_buf_puts(out, ".\n");
	(void)rv_buf_puts(out, p->wants_json ? "- Your last message is handed to the units after you. It must be one JSON value and nothing else.\n"
					     : "- Your last message is handed to the units after you: say what they need to know.\n");
}

static void put_accept(const struct node_preamble *p, struct rv_buf *out)
{
	if (!p->accept_count)
		return;
	(void)rv_buf_puts(out, "- When you are done this command is run, and must succeed; run it yourself first:");
	for (uint32_t i = 0; i < p->accept_count; i++) {
		bool plain = p->accept[i].bytes > 0;

		for (size_t k = 0; k < p->accept[i].bytes && plain; k++)
			plain = p->accept[i].at[k] > ' ' && !strchr("'\"\\$`*?;&|<>(){}[]~#!", p->accept[i].at[k]);
		(void)rv_buf_putc(out, ' ');
		if (plain)
			(void)rv_buf_put_str(out, p->accept[i]);
		else
			(void)rv_buf_put_json(out, p->accept[i]);
	}
	(void)rv_buf_putc(out, '\n');
}

static void put_earlier(const struct node_preamble *p, struct rv_buf *out)
{
	if (p->has_prev)
		(void)rv_buf_printf(out, "- This is try %u. What went wrong before stands in %.*s, key _prev. Nothing was undone: the files are as it left them.\n",
				    p->try_number, RV_STR_ARGS(p->context_file));
	if (p->note.bytes)
		(void)rv_buf_printf(out, "- A person says about it: %.*s\n", RV_STR_ARGS(p->note));
}

int node_preamble_put(const struct node_preamble *p, struct rv_buf *out)
{
	(void)rv_buf_printf(out, "You work on the unit \"%.*s\" of a plan that is run by reeve, without anybody to ask. The rules:\n", RV_STR_ARGS(p->unit_id));
	put_dirs(p, out);
	put_deps(p, out);
	put_output(p, out);
	put_accept(p, out);
	put_earlier(p, out);
	return rv_buf_puts(out, "\nYour task:\n\n");
}
