/* error.c - how the program says that something went wrong */
#include "cli/error.h"

#include "cli/commands.h"
#include "cli/out.h"
#include "cli/text.h"

#include <stdarg.h>
#include <stdlib.h>

static bool as_json; /* what the words of this process asked for */
static const char *verb; /* of this process, or NULL */

int cli_exit_worse(int a, int b)
{
	static const int order[] = { CLI_INTERNAL, CLI_USAGE, CLI_INTERRUPTED, CLI_TIMEOUT, CLI_BUDGET };
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a > b ? a : b;
}

static bool names_json(const char *format)
{
	return strcmp(format, "json") == 0 || strcmp(format, "jsonl") == 0;
}

void cli_error_setup(int argc, char **argv)
{
	const char *env = getenv("REEVE_FORMAT");
	int i;

	as_json = env && names_json(env);
	verb = argc > 1 && cli_command_find(argv[1]) ? argv[1] : NULL;
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *format = NULL;

		if (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--format") == 0)
			format = i + 1 < argc ? argv[i + 1] : "";
		else if (strncmp(argv[i], "--format=", 9) == 0)
			format = argv[i] + 9;
		else if (strncmp(argv[i], "-o", 2) == 0)
			format = argv[i] + 2;
		if (format)
			as_json = names_json(format);
	}
}

bool cli_error_is_json(void)
{
	return as_json;
}

static void put_safe_line(struct rv_buf *out, const char *text)
{
	cli_text_safe(CLI_TEXT_CELL, rv_str_of(text), out);
	(void)rv_buf_putc(out, '\n');
}

void cli_error_text(const struct rv_err *err, struct rv_buf *out)
{
	(void)rv_buf_puts(out, "reeve: ");
	put_safe_line(out, err->msg);
	if (err->hint[0]) {
		(void)rv_buf_puts(out, "  help: ");
		put_safe_line(out, err->hint);
	}
}

void cli_error_json(const struct rv_err *err, struct rv_buf *out)
{
	(void)rv_buf_puts(out, "{\"error\":{\"code\":");
	(void)rv_buf_put_json(out, rv_str_of(rv_code_name(err->code)));
	(void)rv_buf_puts(out, ",\"message\":");
	(void)rv_buf_put_json(out, rv_str_of(err->msg));
	(void)rv_buf_puts(out, ",\"hint\":");
	if (err->hint[0])
		(void)rv_buf_put_json(out, rv_str_of(err->hint));
	else
		(void)rv_buf_puts(out, "null");
	(void)rv_buf_puts(out, "}}\n");
}

int cli_fail(const struct rv_err *given)
{
	struct rv_err told = *given, *err = &told;
	struct rv_buf b;

	if (told.code == RV_E_USAGE && !told.hint[0] && verb)
		(void)rv_hint(&told, "`reeve help %s` says what it takes", verb);
	rv_buf_init(&b, 0);
	if (as_json)
		cli_error_json(err, &b);
	else
		cli_error_text(err, &b);
	(void)cli_write_all(2, b.at, b.bytes); /* no other place to complain in */
	rv_buf_release(&b);
	return rv_code_exit(err->code);
}

int cli_failf(enum rv_code code, const char *fmt, ...)
{
	struct rv_buf b;
	struct rv_err err;
	va_list ap;

	rv_buf_init(&b, 0);
	va_start(ap, fmt);
	(void)rv_buf_vprintf(&b, fmt, ap);
	va_end(ap);
	(void)rv_fail(&err, code, "%s", b.at);
	rv_buf_release(&b);
	return cli_fail(&err);
}

void cli_say(const char *fmt, ...)
{
	struct rv_buf raw, safe;
	va_list ap;

	rv_buf_init(&raw, 0);
	rv_buf_init(&safe, 0);
	va_start(ap, fmt);
	(void)rv_buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	(void)rv_buf_puts(&safe, "reeve: ");
	put_safe_line(&safe, raw.at);
	(void)cli_write_all(2, safe.at, safe.bytes);
	rv_buf_release(&raw);
	rv_buf_release(&safe);
}
