/* usage.c - what a verb says of itself: printed for `reeve help VERB`, or given to whoever listens */
#include "cli/cli.h"
#include "cli/commands.h"

#include <stdio.h>

/* Whom a description goes to instead of stdout: set around one call of a verb's function. */
static cli_description_fn *listener;
static void *listener_ctx;

int cli_usage(const char *verb, const char *words, const char *text, const struct rv_opt *table)
{
	const struct cli_description d = { verb, words, text, table };
	struct rv_buf out;
	int status;

	if (listener) {
		listener(listener_ctx, &d);
		return CLI_OK;
	}
	rv_buf_init(&out, 0);
	(void)rv_buf_printf(&out, "reeve %s %s%s\n\n%s\n\n", verb, words, *words ? " [OPTION...]" : "[OPTION...]", text);
	rv_opts_help(table, &out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}

void cli_describe(const struct cli_command *c, cli_description_fn *fn, void *ctx)
{
	char help[] = "--help", name[32];
	char *words[] = { name, help, NULL };

	(void)snprintf(name, sizeof(name), "%s", c->name);
	listener = fn;
	listener_ctx = ctx;
	(void)c->fn(2, words);
	listener = NULL;
}
