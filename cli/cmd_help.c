/* cmd_help.c - `reeve help`, `reeve help VERB`, `reeve help plan`, `reeve help --man`, `reeve version` */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/manual.h"

#include <stdio.h>

static void put_overview(struct rv_buf *out)
{
	bool unbuilt = false;
	uint32_t i;
	int g;

	(void)rv_buf_puts(out, "reeve runs plans: graphs of commands and agents, on this machine or on many.\n\n"
			       "  reeve run PLAN        run it        reeve help VERB       options of a verb\n"
			       "  reeve check PLAN      validate it   reeve help plan       keys of a plan file\n"
			       "  reeve status          runs so far\n");
	for (g = 0; g < CLI_GROUPS; g++) {
		(void)rv_buf_printf(out, "\n%s\n", cli_group_titles[g]);
		for (i = 0; i < cli_command_count; i++) {
			if ((int)cli_commands[i].group == g && !cli_commands[i].waits)
				(void)rv_buf_printf(out, "  %-12s %s\n", cli_commands[i].name, cli_commands[i].summary);
			unbuilt |= cli_commands[i].waits != NULL;
		}
	}
	if (!unbuilt)
		return;
	(void)rv_buf_puts(out, "\nNot built yet:");
	for (i = 0; i < cli_command_count; i++)
		if (cli_commands[i].waits)
			(void)rv_buf_printf(out, " %s", cli_commands[i].name);
	(void)rv_buf_putc(out, '\n');
}

static int answer_page(const char *word)
{
	enum cli_page page = CLI_PAGE_REEVE;
	struct rv_buf out;
	int status;

	if (word && cli_page_find(word, &page) < 0)
		return cli_failf(RV_E_NOT_FOUND, "the manual has no page \"%.64s\"; it has reeve and reeve-plan", word);
	rv_buf_init(&out, 0);
	cli_put_page(page, &out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}

static int answer_verb(const char *name)
{
	const struct cli_command *c = cli_command_find(name);
	char help[] = "--help", word[32];
	char *words[] = { word, help, NULL };

	if (!c)
		return cli_unknown_verb(name);
	if (c->waits)
		return cli_not_built(c);
	(void)snprintf(word, sizeof(word), "%s", c->name);
	return c->fn(2, words);
}

int cli_cmd_help(int argc, char **argv)
{
	bool man = false, help = false;
	const struct rv_opt table[] = {
		{ "man", 0, RV_OPT_FLAG, &man, NULL, "a page of the manual instead, reeve or reeve-plan, as man(1) reads it", 0, 0 },
		CLI_OPT_NO_FORMAT("text is for people; `docs/plan.schema.json` has the keys of a plan"),
		CLI_OPT_HELP(&help),
		CLI_OPT_END,
	};
	struct rv_buf out;
	struct rv_err err;
	int words, status;

	/* `reeve --help` and `reeve -h` come here, too, as argv[0] */
	if (rv_opts_parse(table, argc, argv, &words, NULL, &err) < 0)
		return cli_fail(&err);
	if (help)
		return cli_usage("help", "[VERB | plan]", "What there is; what a verb does and takes; the keys of a plan file.", table);
	if (words > 1)
		return cli_failf(RV_E_USAGE, "help takes at most 1 word, not %d", words);
	if (man)
		return answer_page(words ? argv[0] : NULL);
	if (words && strcmp(argv[0], "plan") != 0)
		return answer_verb(argv[0]);
	rv_buf_init(&out, 0);
	if (words)
		cli_put_plan_keys(&out);
	else
		put_overview(&out);
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}

int cli_cmd_version(int argc, char **argv)
{
	bool help = false;
	const char *format = NULL; /* read by cli_error_setup() */
	const struct rv_opt table[] = { CLI_OPT_FORMAT(&format), CLI_OPT_HELP(&help), CLI_OPT_END };
	enum cli_format f;
	struct rv_err err;
	int words;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err) < 0 || cli_format_parse(format, &f, &err) < 0)
		return cli_fail(&err);
	if (help)
		return cli_usage("version", "", "The version of this program.", table);
	if (words)
		return cli_failf(RV_E_USAGE, "version takes no words");
	if (cli_error_is_json())
		return cli_answer(RV_STR("{\"schema\":\"reeve.version/1\",\"version\":\"" CLI_VERSION "\"}\n"), CLI_OK);
	return cli_answer(RV_STR("reeve " CLI_VERSION "\n"), CLI_OK);
}
