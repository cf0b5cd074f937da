/* cmd_completion.c - `reeve completion SHELL`: verbs, options and ids, completed by the program itself
 *
 * What is printed for a shell is small: at each TAB it asks `reeve completion --words WORD...` (the words so far, the last
 * one unfinished), and shows the candidates, a line each: the word, then, after a tab, what it is. A line ":files" alone
 * leaves it to the shell. So what can be completed follows the tables of options, and ids are those there are now.
 */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- shells ---- */

static const char bash_script[] =
	"_reeve() {\n"
	"\tlocal word=${COMP_WORDS[COMP_CWORD]} line before\n"
	"\tlocal IFS=$'\\n'\n"
	"\tlocal -a words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tif [[ $line == :files ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\tCOMPREPLY+=($(compgen -f -- \"$word\"))\n"
	"\t\telif [[ ${line%%$'\\t'*} == \"$word\"* ]]; then\n"
	"\t\t\tCOMPREPLY+=(\"${line%%$'\\t'*}\")\n"
	"\t\tfi\n"
	"\tdone < <(command reeve completion --words -- \"${words[@]}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _reeve reeve\n";

static const char zsh_script[] =
	"#compdef reeve\n"
	"_reeve() {\n"
	"\tlocal line\n"
	"\tlocal -a found shown\n"
	"\tfor line in \"${(@f)$(command reeve completion --words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
	"\t\tif [[ $line == :files ]]; then\n"
	"\t\t\t_files\n"
	"\t\telif [[ -n $line ]]; then\n"
	"\t\t\tfound+=(\"${line%%$'\\t'*}\")\n"
	"\t\t\tshown+=(\"${line/$'\\t'/  }\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t(( $#found )) && compadd -l -d shown -a found\n"
	"}\n"
	"if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
	"\t_reeve \"$@\"\n"
	"else\n"
	"\tcompdef _reeve reeve\n"
	"fi\n";

static const char fish_script[] =
	"function __reeve_complete\n"
	"\tset -l words (commandline -opc) (commandline -ct)\n"
	"\tfor line in (command reeve completion --words -- $words[2..-1] 2>/dev/null)\n"
	"\t\tif test \"$line\" = :files\n"
	"\t\t\t__fish_complete_path (commandline -ct)\n"
	"\t\telse\n"
	"\t\t\techo $line\n"
	"\t\tend\n"
	"\tend\n"
	"end\n"
	"complete -c reeve -f -a '(__reeve_complete)'\n";

static const struct {
	const char *name, *script;
} shells[] = {
	{ "bash", bash_script },
	{ "zsh", zsh_script },
	{ "fish", fish_script },
};

/* ---- candidates ---- */

struct wanted {
	struct rv_buf *out;
	const char *const *words; /* behind the verb */
	int count;                /* the last one is unfinished */
	bool runs, units, nodes;  /* ids are wanted: looked up once the description is done with */
};

static void candidate(struct rv_buf *out, const char *word, const char *what)
{
	(void)rv_buf_printf(out, "%s\t%s\n", word, what);
}

static void all_verbs(struct rv_buf *out)
{
	uint32_t i;

	for (i = 0; i < cli_command_count; i++)
		if (!cli_commands[i].waits)
			candidate(out, cli_commands[i].name, cli_commands[i].summary);
}

static bool has(const char *text, const char *part)
{
	return text && strstr(text, part);
}

/* Small words between bars: "create | list | revoke ID". */
static bool put_choices(struct rv_buf *out, const char *text)
{
	const char *at = text;
	bool any = false;

	if (!strchr(text, '|'))
		return false;
	while (*at) {
		size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz-");

		if (n > 0 && (at == text || strchr(" |[", at[-1])) && strchr(" |]", at[n])) {
			(void)rv_buf_put(out, at, n);
			(void)rv_buf_putc(out, '\n');
			any = true;
		}
		at += n ? n : 1;
	}
	return any;
}

/* What a value or a word is, by the name it goes by in the help: FILE, PLAN, DIR, RUN, RUN/UNIT, NODE, FORMAT. */
static void by_name(struct wanted *w, const char *name)
{
	static const char *const formats[] = { "table", "wide", "json", "jsonl", "name" };
	size_t i;

	if (has(name, "FORMAT"))
		for (i = 0; i < RV_ARRAY_LEN(formats); i++)
			candidate(w->out, formats[i], "");
	else if (has(name, "FILE") || has(name, "PLAN") || has(name, "DIR") || has(name, "PATH") || has(name, "ADDR"))
		(void)rv_buf_puts(w->out, ":files\n");
	w->units = has(name, "UNIT");
	w->runs = has(name, "RUN");
	w->nodes = has(name, "NODE");
}

static const struct rv_opt *option_named(const struct rv_opt *o, const char *word)
{
	for (; o->name; o++)
		if ((word[0] == '-' && word[1] == '-' && strcmp(o->name, word + 2) == 0) || (word[0] == '-' && word[1] == o->letter && o->letter && !word[2]))
			return o;
	return NULL;
}

static bool takes_next(const struct rv_opt *o)
{
	return o && o->kind != RV_OPT_FLAG && o->kind != RV_OPT_OPTIONAL;
}

static void described(void *ctx, const struct cli_description *d)
{
	struct wanted *w = ctx;
	const char *last = w->words[w->count - 1];
	const struct rv_opt *before = w->count > 1 ? option_named(d->options, w->words[w->count - 2]) : NULL, *o;
	char name[160];

	if (takes_next(before)) {
		by_name(w, before->value);
		return;
	}
	if (last[0] == '-') {
		for (o = d->options; o->name; o++) {
			(void)snprintf(name, sizeof(name), "--%s", o->name);
			if (rv_opt_is_shown(o))
				candidate(w->out, name, o->help);
		}
		return;
	}
	if (strcmp(d->verb, "help") == 0)
		all_verbs(w->out);
	if (!put_choices(w->out, d->words) || w->count > 1)
		by_name(w, d->words);
}

/* ---- ids: what `-o name` of the verb that lists them prints ---- */

/* Calls `verb` with stdout going to a file in memory. -1: that cannot be had. */
static int caught(int (*verb)(int argc, char **argv), int argc, char **argv)
{
	int file = memfd_create("reeve-names", MFD_CLOEXEC), out = dup(STDOUT_FILENO);

	if (file < 0 || out < 0 || dup2(file, STDOUT_FILENO) < 0) {
		if (file >= 0)
			close(file);
		file = -1;
	} else {
		(void)verb(argc, argv);
		(void)dup2(out, STDOUT_FILENO);
	}
	if (out >= 0)
		close(out);
	return file;
}

/* Its lines, each behind `prefix`. */
static void put_names(int file, const char *prefix)
{
	FILE *names = fdopen(file, "r");
	char *line = NULL;
	size_t room = 0;

	if (!names) {
		close(file);
		return;
	}
	rewind(names);
	while (getline(&line, &room, names) > 0)
		(void)printf("%s%s", prefix, line);
	free(line);
	(void)fclose(names);
	(void)fflush(stdout);
}

static void list(int (*verb)(int argc, char **argv), const char *name, const char *word, const char *prefix)
{
	char verb_word[16], run_word[64], flag[] = "-o", format[] = "name";
	char *argv[] = { verb_word, flag, format, run_word, NULL };
	int file;

	(void)snprintf(verb_word, sizeof(verb_word), "%s", name);
	(void)snprintf(run_word, sizeof(run_word), "%s", word);
	file = caught(verb, *word ? 4 : 3, argv);
	if (file >= 0)
		put_names(file, prefix);
}

/* Units of the run that is named before a slash, else runs. */
static void list_ids(const struct wanted *w)
{
	struct rv_str run, unit;
	char word[64], prefix[66];

	if (w->nodes)
		list(cli_cmd_nodes, "nodes", "", "");
	if (!w->runs && !w->units)
		return;
	cli_split_word(w->words[w->count - 1], &run, &unit);
	if (!w->units || !strchr(w->words[w->count - 1], '/')) {
		list(cli_cmd_status, "status", "", "");
		return;
	}
	(void)snprintf(word, sizeof(word), "%.*s", (int)run.bytes, run.at);
	(void)snprintf(prefix, sizeof(prefix), "%s/", word);
	list(cli_cmd_status, "status", word, prefix);
}

static int complete(const char *const *words, int count)
{
	const struct cli_command *c;
	struct rv_buf out;
	struct wanted w = { .out = &out, .words = words + 1, .count = count - 1 };
	int status;

	rv_buf_init(&out, 0);
	if (count <= 1) {
		all_verbs(&out);
	} else {
		c = cli_command_find(words[0]);
		if (c && !c->waits)
			cli_describe(c, described, &w);
	}
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	if (status == CLI_OK)
		list_ids(&w);
	return status;
}

/* ---- the verb ---- */

int cli_cmd_completion(int argc, char **argv)
{
	bool candidates = false, help = false;
	const struct rv_opt table[] = {
		{ "words", 0, RV_OPT_FLAG, &candidates, NULL, "what may stand in place of the last of the words behind -- (the scripts ask this)", 0, 0 },
		CLI_OPT_NO_FORMAT("a script is for its shell"),
		CLI_OPT_HELP(&help),
		CLI_OPT_END,
	};
	struct rv_err err;
	size_t i;
	int words;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err) < 0)
		return cli_fail(&err);
	if (help)
		return cli_usage("completion", "bash | zsh | fish",
				 "Completion for a shell, to be put where it looks for it, or read at its start:\n\n"
				 "  bash   source <(reeve completion bash)\n"
				 "  zsh    source <(reeve completion zsh)\n"
				 "  fish   reeve completion fish | source",
				 table);
	if (candidates)
		return complete((const char *const *)argv, words);
	if (words != 1)
		return cli_failf(RV_E_USAGE, "completion takes one word: bash, zsh or fish");
	for (i = 0; i < RV_ARRAY_LEN(shells); i++)
		if (strcmp(argv[0], shells[i].name) == 0)
			return cli_answer(rv_str_of(shells[i].script), CLI_OK);
	return cli_failf(RV_E_USAGE, "there is no completion for \"%.32s\"; there is for bash, zsh and fish", argv[0]);
}
