/* usage.c - what `reeve help VERB` prints */
#include "cli/cli.h"

int cli_usage(const char *verb, const char *words, const char *text, const struct rv_opt *table)
{
	struct rv_buf out;
	int status;

	rv_buf_init(&out, 0);
	(void)rv_buf_printf(&out, "reeve %s %s%s\n\n%s\n\n", verb, words, *words ? " [OPTION...]" : "[OPTION...]", text);
	rv_opts_help(table, &out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}
