/* cmd_init.c - `reeve init`: a plan to begin with */
#include "cli/cli.h"
#include "cli/starters.h"
#include "common/id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define DEFAULT_FILE "plan.yaml"

static int list_starters(enum cli_format format)
{
	static const struct cli_column columns[] = { { "NAME", CLI_LEFT, false }, { "IS", CLI_LEFT, false } };
	struct cli_table table;
	struct rv_buf out;
	uint32_t i;
	int status;

	rv_buf_init(&out, 0);
	if (format == CLI_JSON)
		(void)rv_buf_puts(&out, "{\"schema\":\"reeve.starters/1\",\"starters\":[");
	cli_table_init(&table, columns, RV_ARRAY_LEN(columns), format);
	for (i = 0; i < cli_starter_count; i++) {
		const struct cli_starter *s = &cli_starters[i];

		if (format == CLI_JSON || format == CLI_JSONL) {
			if (format == CLI_JSON)
				cli_json_comma(&out);
			(void)rv_buf_putc(&out, '{');
			cli_json_str(&out, "name", rv_str_of(s->name));
			cli_json_str(&out, "about", rv_str_of(s->about));
			(void)rv_buf_puts(&out, format == CLI_JSON ? "}" : "}\n");
		} else if (format == CLI_NAME) {
			(void)rv_buf_printf(&out, "%s\n", s->name);
		} else {
			cli_table_cell(&table, rv_str_of(s->name));
			cli_table_cell(&table, rv_str_of(s->about));
		}
	}
	if (format == CLI_JSON)
		(void)rv_buf_puts(&out, "]}\n");
	else if (format == CLI_TABLE || format == CLI_WIDE)
		cli_table_print(&table, &out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	cli_table_release(&table);
	rv_buf_release(&out);
	return status;
}

static const struct cli_starter *find_starter(const char *name, struct rv_err *err)
{
	const char *names[8];
	uint32_t i;
	int nearest;

	for (i = 0; i < cli_starter_count; i++) {
		if (strcmp(cli_starters[i].name, name) == 0)
			return &cli_starters[i];
		names[i] = cli_starters[i].name;
	}
	nearest = rv_nearest(rv_str_of(name), names, cli_starter_count);
	(void)rv_fail(err, RV_E_NOT_FOUND, "there is no starter plan \"%.64s\"", name);
	if (nearest >= 0)
		(void)rv_hint(err, "did you mean %s?", names[nearest]);
	else
		(void)rv_hint(err, "`reeve init --list` shows them");
	return NULL;
}

/* The starter as it is run from `file`: its comments say how. */
static void put_plan(const struct cli_starter *starter, const char *file, struct rv_buf *out)
{
	const char *at = starter->text, *next;

	for (; (next = strstr(at, DEFAULT_FILE)); at = next + strlen(DEFAULT_FILE)) {
		(void)rv_buf_put(out, at, (size_t)(next - at));
		(void)rv_buf_puts(out, file);
	}
	(void)rv_buf_puts(out, at);
}

/* Never over a file that is there. */
static int write_plan(const char *path, struct rv_str text, struct rv_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0 && errno == EEXIST) {
		(void)rv_fail(err, RV_E_CONFLICT, "%.512s is there already", path);
		return rv_hint(err, "`reeve init --file OTHER` writes elsewhere, `--file -` to standard output");
	}
	if (fd < 0) {
		(void)rv_fail_errno(err, errno, "cannot write %.512s", path);
		return rv_hint(err, "`reeve init --file DIR/plan.yaml` writes elsewhere, `--file -` to standard output");
	}
	if (cli_write_all(fd, text.at, text.bytes)) {
		(void)rv_fail_errno(err, errno, "cannot write %.512s", path);
		(void)close(fd);
		(void)unlink(path);
		return -1;
	}
	if (close(fd))
		return rv_fail_errno(err, errno, "cannot write %.512s", path);
	return 0;
}

int cli_cmd_init(int argc, char **argv)
{
	const char *format_word = NULL, *file = DEFAULT_FILE;
	bool list = false, help = false;
	const struct rv_opt table[] = {
		{ "list", 'l', RV_OPT_FLAG, &list, NULL, "the starter plans there are", 0, 0 },
		{ "file", 'f', RV_OPT_STRING, &file, "FILE", "where to write it, never over a file that is there; -: standard output (default " DEFAULT_FILE ")", 0, 0 },
		CLI_OPT_FORMAT(&format_word),
		CLI_OPT_HELP(&help),
		CLI_OPT_END,
	};
	const struct cli_starter *starter;
	enum cli_format format;
	struct rv_buf out;
	struct rv_err err;
	int words, status;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err) < 0 || cli_format_parse(format_word, &format, &err) < 0)
		return cli_fail(&err);
	if (help)
		return cli_usage("init", "[commands | agents | fan-out]", "Writes a small plan to begin with (default: commands), which runs as it is.", table);
	if (words > 1)
		return cli_failf(RV_E_USAGE, "init takes at most 1 word, not %d", words);
	if (list)
		return list_starters(format);
	starter = words ? find_starter(argv[0], &err) : &cli_starters[0];
	if (!starter)
		return cli_fail(&err);
	if (strcmp(file, "-") == 0)
		return cli_answer(rv_str_of(starter->text), CLI_OK);
	rv_buf_init(&out, 0);
	put_plan(starter, file, &out);
	if (write_plan(file, rv_buf_str(&out), &err)) {
		rv_buf_release(&out);
		return cli_fail(&err);
	}
	rv_buf_reset(&out);
	if (format == CLI_JSON || format == CLI_JSONL) {
		(void)rv_buf_puts(&out, "{\"schema\":\"reeve.init/1\"");
		cli_json_str(&out, "file", rv_str_of(file));
		cli_json_str(&out, "starter", rv_str_of(starter->name));
		(void)rv_buf_puts(&out, "}\n");
	} else if (format == CLI_NAME) {
		(void)rv_buf_printf(&out, "%s\n", file);
	} else {
		(void)rv_buf_printf(&out, "%s: %s\n\n  reeve check %s\n  reeve run %s%s\n", file, starter->about, file, file,
				    strcmp(starter->name, "agents") == 0 ? " --mock" : "");
	}
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}
