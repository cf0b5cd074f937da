#include "cli/fanout.h"

#include "cli/placeholder.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/file.h"
#include "proto/scan.h"

#include <unistd.h>

#define ITEM_BYTES_MAX ((size_t)512 << 10)     /* as JSON: a message has room for it and for what goes with it */
#define PLAN_VALUES_KEPT 4096u                 /* of RV_PLAN_VALUES_MAX, for the plan around the items */

/* A text that some place of the command needs of each combination of inputs. */
struct text {
	enum cli_form form;
	uint32_t list;   /* from 0 */
	uint32_t braces; /* "{" before it: written into the item, since a template would take them for its own */
};

struct fanout {
	const struct cli_fanout_words *w;
	char *const *command;
	uint32_t command_words;
	struct cli_inputs list[CLI_FANOUT_LISTS_MAX];
	uint32_t list_count;
	uint64_t units;
	struct text text[CLI_FANOUT_TEXTS_MAX];
	uint32_t text_count;
	bool plain;              /* the item is the input itself */
	struct rv_buf argv;      /* JSON */
	struct rv_buf room;      /* of an item */
	const char *warning;
};

/* --- words ------------------------------------------------------------------------------------------------------------- */

bool cli_fanout_is_separator(const char *word)
{
	return strncmp(word, ":::", 3) == 0 && (!word[3] || strcmp(word + 3, ":") == 0 || strcmp(word + 3, "+") == 0 || strcmp(word + 3, ":+") == 0);
}

static int refuse_separator(const char *word, struct rv_err *err)
{
	(void)rv_fail(err, RV_E_UNSUPPORTED, "`%s` is not built: lists are given by `:::` and --each, and combined each with each", word);
	return rv_hint(err, "%s", word[3] == ':' ? "--each FILE takes the inputs from a file" : "give one list whose inputs hold both, for the command to split");
}

static struct cli_inputs *new_list(struct fanout *f, struct rv_err *err)
{
	struct cli_inputs *list = &f->list[f->list_count];

	if (f->list_count == CLI_FANOUT_LISTS_MAX) {
		(void)rv_fail(err, RV_E_LIMIT, "more than %u lists of inputs", CLI_FANOUT_LISTS_MAX);
		return NULL;
	}
	f->list_count++;
	cli_inputs_init(list);
	return list;
}

static int read_words(struct fanout *f, struct rv_err *err)
{
	const struct cli_fanout_words *w = f->w;
	struct cli_inputs *list;
	uint32_t at = 0, from;

	f->command = w->word;
	while (at < w->count && !cli_fanout_is_separator(w->word[at]))
		at++;
	f->command_words = at;
	while (at < w->count) {
		if (w->word[at][3])
			return refuse_separator(w->word[at], err);
		from = ++at;
		while (at < w->count && !cli_fanout_is_separator(w->word[at]))
			at++;
		list = new_list(f, err);
		if (!list || cli_inputs_words(list, w->word + from, at - from, err) < 0)
			return -1;
	}
	return 0;
}

/* Last, so that nobody types inputs for a command that is refused. */
static int read_each(struct fanout *f, struct rv_err *err)
{
	if (!f->w->each)
		return 0;
	return cli_inputs_read(&f->list[0], f->w->each, f->w->null_ended ? CLI_INPUT_NULS : CLI_INPUT_LINES,
			       f->w->agent ? CLI_BLANK_SKIPPED : CLI_BLANK_KEPT, err);
}

static int count_units(struct fanout *f, struct rv_err *err)
{
	f->units = 1;
	for (uint32_t i = 0; i < f->list_count; i++) {
		f->units *= f->list[i].count;
		if (f->units > RV_UNITS_MAX)
			return rv_fail(err, RV_E_LIMIT, "the lists combined give more than %u units", RV_UNITS_MAX);
	}
	return 0;
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

/* Somebody meant a shell to read it: one word that is no program as it stands. */
static int check_command(const struct fanout *f, struct rv_err *err)
{
	const char *program = f->command_words ? f->command[0] : NULL;

	if (!program) {
		if (!f->w->each) {
			(void)rv_fail(err, RV_E_USAGE, "a command is missing before `:::`");
			return rv_hint(err, "reeve run -- CMD ::: A B C; reeve run --agent NAME ::: A B C");
		}
		(void)rv_fail(err, RV_E_USAGE, "a command is missing: what is to run for each line of %.64s", f->w->each);
		return rv_hint(err, "reeve run --each FILE -- CMD {}; reeve run --agent NAME --each FILE");
	}
	if (f->command_words > 1 || !program[strcspn(program, " \t\n|&;<>()$`\"'*?")] || access(program, X_OK) == 0)
		return 0;
	(void)rv_fail(err, RV_E_USAGE, "\"%.128s\" is no program: no shell reads the command, each word stands for itself", program);
	return rv_hint(err, "reeve run -- gzip -9 {} ::: ...; for a shell: reeve run -- sh -c 'gzip <\"$1\" >\"$1.gz\"' sh {} ::: ...");
}

static bool is_shell(const char *program)
{
	static const char *const shells[] = { "sh", "bash", "dash", "zsh", "ksh", "ash", "fish" };
	const char *name = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;

	for (size_t i = 0; i < RV_ARRAY_LEN(shells); i++)
		if (strcmp(shells[i], name) == 0)
			return true;
	return false;
}

/* The number of the text in items; -1: too many. */
static int text_number(struct fanout *f, struct text t)
{
	for (uint32_t i = 0; i < f->text_count; i++)
		if (f->text[i].form == t.form && f->text[i].list == t.list && f->text[i].braces == t.braces)
			return (int)i;
	if (f->text_count == CLI_FANOUT_TEXTS_MAX)
		return -1;
	f->text[f->text_count] = t;
	return (int)f->text_count++;
}

/* Which texts a word needs. `put` as well: the word as a template, into `arg`. */
struct word_part {
	struct fanout *f;
	struct rv_buf *arg; /* NULL: only looking */
};

static int put_text(struct word_part *p, struct text t, struct rv_err *err)
{
	int number = text_number(p->f, t);

	if (number < 0)
		return rv_fail(err, RV_E_LIMIT, "the command has more than %u different forms of its inputs", CLI_FANOUT_TEXTS_MAX);
	if (p->arg && p->f->plain)
		(void)rv_buf_puts(p->arg, "{{item}}");
	else if (p->arg)
		(void)rv_buf_printf(p->arg, "{{item.%d}}", number);
	return 0;
}

/* Literal text of a word; gives how many braces at its end are left to the placeholder that follows. */
static uint32_t put_literal(struct word_part *p, struct rv_str s, bool followed)
{
	uint32_t braces = 0;

	while (followed && s.bytes && s.at[s.bytes - 1] == '{') {
		s.bytes--;
		braces++;
	}
	for (size_t i = 0; p->arg && i < s.bytes; i++) {
		if (i + 1 < s.bytes && s.at[i] == '{' && s.at[i + 1] == '{') {
			(void)rv_buf_puts(p->arg, "{{{{");
			i++;
		} else {
			(void)rv_buf_putc(p->arg, s.at[i]);
		}
	}
	return braces;
}

static int check_list(const struct fanout *f, const struct cli_placeholder *p, struct rv_err *err)
{
	if (p->list <= f->list_count)
		return 0;
	return rv_fail(err, RV_E_USAGE, "{%u} names a list of inputs that is not there: %s", p->list,
		       f->list_count == 1 ? "there is one" : "there are fewer");
}

/* {} of several lists inside a longer word: their inputs with blanks between. */
static int put_placeholder(struct word_part *part, const struct cli_placeholder *p, uint32_t braces, struct rv_err *err)
{
	uint32_t first = p->list ? p->list - 1 : 0;
	uint32_t last = p->list || p->form == CLI_FORM_NUMBER ? first : part->f->list_count - 1;

	for (uint32_t i = first; i <= last; i++) {
		if (i > first && part->arg)
			(void)rv_buf_putc(part->arg, ' ');
		if (put_text(part, (struct text){ .form = p->form, .list = p->form == CLI_FORM_NUMBER ? 0 : i, .braces = i == first ? braces : 0 }, err) < 0)
			return -1;
	}
	return 0;
}

static int put_word(struct word_part *part, struct rv_str word, struct rv_err *err)
{
	struct cli_placeholder p;
	size_t done = 0, from = 0;
	uint32_t braces;

	while (cli_placeholder_next(word, &from, &p)) {
		if (check_list(part->f, &p, err) < 0)
			return -1;
		braces = put_literal(part, rv_str(word.at + done, p.at - done), true);
		if (put_placeholder(part, &p, braces, err) < 0)
			return -1;
		done = from;
	}
	(void)put_literal(part, rv_str(word.at + done, word.bytes - done), false);
	return 0;
}

/* A word that is nothing but one {} of several lists becomes that many words. */
static bool is_several(const struct fanout *f, struct rv_str word, struct cli_placeholder *p)
{
	size_t from = 0;

	return f->list_count > 1 && cli_placeholder_next(word, &from, p) && p->bytes == word.bytes && !p->list && p->form != CLI_FORM_NUMBER;
}

static int put_arg(struct fanout *f, struct rv_str word, bool writing, struct rv_err *err)
{
	struct word_part part = { .f = f };
	struct cli_placeholder p;
	struct rv_buf arg;
	bool several = is_several(f, word, &p);
	uint32_t words = several ? f->list_count : 1;
	int rc = 0;

	rv_buf_init(&arg, 0);
	part.arg = writing ? &arg : NULL;
	for (uint32_t i = 0; rc == 0 && i < words; i++) {
		rv_buf_reset(&arg);
		rc = several ? put_text(&part, (struct text){ .form = p.form, .list = i }, err) : put_word(&part, word, err);
		if (rc == 0 && writing) {
			if (f->argv.bytes > 1)
				(void)rv_buf_putc(&f->argv, ',');
			(void)rv_buf_put_json(&f->argv, rv_buf_str(&arg));
		}
	}
	if (rc == 0 && arg.failed)
		rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for the command");
	rv_buf_release(&arg);
	return rc;
}

/* Once to see which texts it needs, once more to write it. */
static int put_command(struct fanout *f, bool appended, bool writing, struct rv_err *err)
{
	for (uint32_t i = 0; i < f->command_words; i++)
		if (put_arg(f, rv_str_of(f->command[i]), writing, err) < 0)
			return -1;
	return appended ? put_arg(f, RV_STR("{}"), writing, err) : 0;
}

static int check_utf8(const struct fanout *f, struct rv_err *err)
{
	struct cli_inputs words;
	int rc;

	cli_inputs_init(&words);
	rc = cli_inputs_words(&words, f->command, f->command_words, err);
	cli_inputs_release(&words);
	return rc;
}

static int make_command(struct fanout *f, struct rv_err *err)
{
	bool appended = true, in_program = false;

	if (check_command(f, err) < 0 || check_utf8(f, err) < 0)
		return -1;
	for (uint32_t i = 0; i < f->command_words; i++) {
		struct cli_placeholder p;
		size_t from = 0;
		bool filled = cli_placeholder_next(rv_str_of(f->command[i]), &from, &p);

		appended = appended && !filled;
		if (filled && in_program)
			f->warning = "inputs are filled into a shell's program, which runs what is in them; safer: sh -c 'PROGRAM WITH \"$1\"' sh {}";
		in_program = is_shell(f->command[0]) && i > 0 && strcmp(f->command[i], "-c") == 0;
	}
	if (put_command(f, appended, false, err) < 0)
		return -1;
	f->plain = f->text_count == 1 && f->text[0].form == CLI_FORM_WHOLE && f->list_count == 1 && !f->text[0].braces;
	(void)rv_buf_putc(&f->argv, '[');
	if (put_command(f, appended, true, err) < 0)
		return -1;
	(void)rv_buf_putc(&f->argv, ']');
	return 0;
}

/* --- an agent ------------------------------------------------------------------------------------------------------------ */

/* The text that every unit is told, with {{item}} in it, into `prompt`. */
static int read_prompt(struct fanout *f, struct rv_buf *prompt, struct rv_err *err)
{
	const struct cli_fanout_words *w = f->w;
	size_t from = 0;
	struct rv_str rest;

	if (w->prompt && w->prompt_file)
		return rv_fail(err, RV_E_USAGE, "--prompt and --prompt-file exclude each other");
	if (!w->prompt && !w->prompt_file) {
		(void)rv_buf_puts(prompt, "{{item}}");
		return 0;
	}
	if (w->prompt)
		(void)rv_buf_puts(prompt, w->prompt);
	else if (rv_file_read(w->prompt_file, RV_PROMPT_BYTES_MAX, prompt, err) < 0)
		return -1;
	if (!proto_utf8_valid(rv_buf_str(prompt))) {
		(void)rv_fail(err, RV_E_USAGE, "the prompt%s%.256s is not UTF-8", w->prompt ? "" : " in ", w->prompt ? "" : w->prompt_file);
		return rv_hint(err, "iconv -f LATIN1 -t UTF-8 brings a text over that is of another encoding");
	}
	for (rest = rv_buf_str(prompt); from + 4 < rest.bytes; from++) { /* {{ item }}, {{item.key}} */
		size_t at = from + 2;

		if (memcmp(rest.at + from, "{{", 2) != 0)
			continue;
		while (at < rest.bytes && rest.at[at] == ' ')
			at++;
		if (rest.bytes - at >= 4 && memcmp(rest.at + at, "item", 4) == 0)
			return 0;
	}
	(void)rv_fail(err, RV_E_USAGE, "the prompt has no {{item}}: every unit would be told the same");
	return rv_hint(err, "write {{item}} where the input belongs");
}

static int check_agent(const struct fanout *f, struct rv_err *err)
{
	if (!rv_name_valid(rv_str_of(f->w->agent)))
		return rv_fail(err, RV_E_USAGE, "--agent: \"%.64s\" is no name (letters, digits, . _ -)", f->w->agent);
	if (f->command_words) {
		(void)rv_fail(err, RV_E_USAGE, "--agent runs an agent, and \"%.64s\" is a command: one of the two", f->command[0]);
		return rv_hint(err, "reeve run --agent NAME --each FILE; reeve run --each FILE -- CMD {}");
	}
	if (f->list_count > 1)
		return rv_fail(err, RV_E_USAGE, "--agent takes one list of inputs, not %u", f->list_count);
	return 0;
}

static int check_no_agent(const struct fanout *f, struct rv_err *err)
{
	const struct cli_fanout_words *w = f->w;
	const char *word = w->model ? "model" : w->prompt ? "prompt" : w->prompt_file ? "prompt-file" : NULL;

	return word ? rv_fail(err, RV_E_USAGE, "--%s is for --agent NAME", word) : 0;
}

/* --- the plan ------------------------------------------------------------------------------------------------------------ */

/* What the plan and its unit are called: as the program or the agent, made a name. */
static void put_name(const struct fanout *f, char name[RV_NAME_BYTES_MAX + 1])
{
	const char *from = f->w->agent ? f->w->agent : f->command[0];
	size_t n = 0;

	if (strrchr(from, '/'))
		from = strrchr(from, '/') + 1;
	for (; *from && n < RV_NAME_BYTES_MAX; from++)
		name[n++] = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *from) ? *from : '-';
	name[n] = '\0';
	if (!rv_unit_id_valid(rv_str_of(name)))
		memcpy(name, "unit", 5);
}

/* Combination k: the last list turns fastest, as loops inside loops. */
static struct rv_str input_of(const struct fanout *f, uint64_t k, uint32_t list)
{
	for (uint32_t i = f->list_count - 1; i > list; i--)
		k /= f->list[i].count;
	return cli_inputs_get(&f->list[list], (uint32_t)(k % f->list[list].count));
}

static int put_item(struct fanout *f, uint64_t k, struct rv_buf *out, struct rv_err *err)
{
	size_t before = out->bytes;

	if (f->plain) {
		(void)rv_buf_put_json(out, input_of(f, k, 0));
	} else {
		(void)rv_buf_putc(out, '[');
		for (uint32_t i = 0; i < f->text_count; i++) {
			rv_buf_reset(&f->room);
			for (uint32_t b = 0; b < f->text[i].braces; b++)
				(void)rv_buf_putc(&f->room, '{');
			cli_form_put(f->text[i].form, input_of(f, k, f->text[i].list), (uint32_t)k + 1, &f->room);
			if (i)
				(void)rv_buf_putc(out, ',');
			(void)rv_buf_put_json(out, rv_buf_str(&f->room));
		}
		(void)rv_buf_putc(out, ']');
	}
	if (out->bytes - before > ITEM_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "unit %llu: its inputs take %zu bytes as JSON; the limit is %zu", (unsigned long long)k + 1, out->bytes - before,
			       ITEM_BYTES_MAX);
	return 0;
}

static int put_items(struct fanout *f, struct rv_buf *out, struct rv_err *err)
{
	uint64_t values = f->plain ? 1 : 1 + (uint64_t)f->text_count;

	if (f->units * values > RV_PLAN_VALUES_MAX - PLAN_VALUES_KEPT) {
		(void)rv_fail(err, RV_E_LIMIT, "%llu units with %u different forms of their inputs each are more than %u values", (unsigned long long)f->units,
			      f->text_count, RV_PLAN_VALUES_MAX);
		return rv_hint(err, "with fewer of {} {.} {/} {//} {/.} {#}, or fewer inputs at a time");
	}
	(void)rv_buf_puts(out, ",\"for_each\":[");
	for (uint64_t k = 0; k < f->units; k++) {
		if (k)
			(void)rv_buf_putc(out, ',');
		if (put_item(f, k, out, err) < 0)
			return -1;
		if (out->failed)
			return rv_fail(err, RV_E_LIMIT, "the inputs of all units together take more than %zu MiB", CLI_FANOUT_PLAN_BYTES_MAX >> 20);
	}
	(void)rv_buf_puts(out, "]");
	return 0;
}

/* All that a unit prints is wanted, however much it is: the default bound is for logs that are only looked at. */
static void put_head(const struct fanout *f, const char *name, struct rv_buf *out)
{
	(void)rv_buf_printf(out, "{\"version\":1,\"name\":\"%s\"", name);
	if (!f->w->agent)
		(void)rv_buf_puts(out, ",\"defaults\":{\"log_max_mb\":1048576}");
	if (f->w->model) {
		(void)rv_buf_printf(out, ",\"agents\":{\"%s\":{\"profile\":\"%s\",\"model\":", f->w->agent, f->w->agent);
		(void)rv_buf_put_json(out, rv_str_of(f->w->model));
		(void)rv_buf_puts(out, "}}");
	}
	(void)rv_buf_puts(out, "}\n");
}

static int put_plan(struct fanout *f, struct rv_buf *out, struct rv_err *err)
{
	char name[RV_NAME_BYTES_MAX + 1];
	struct rv_buf prompt;
	int rc = 0;

	put_name(f, name);
	put_head(f, name, out);
	(void)rv_buf_printf(out, "{\"id\":\"%s\"", name);
	rv_buf_init(&prompt, 0);
	if (f->w->agent) {
		f->plain = true;
		rc = read_prompt(f, &prompt, err);
		(void)rv_buf_printf(out, ",\"agent\":\"%s\",\"prompt\":", f->w->agent);
		(void)rv_buf_put_json(out, rv_buf_str(&prompt));
	} else {
		(void)rv_buf_printf(out, ",\"command\":%s", f->argv.at);
	}
	rv_buf_release(&prompt);
	if (rc == 0)
		rc = put_items(f, out, err);
	(void)rv_buf_puts(out, "}\n");
	return rc;
}

static int make_plan(struct fanout *f, struct rv_buf *out, struct rv_err *err)
{
	if ((f->w->each && !new_list(f, err)) || read_words(f, err) < 0) /* the file's list is the first */
		return -1;
	if ((f->w->agent ? check_agent(f, err) : check_no_agent(f, err)) < 0)
		return -1;
	if (!f->list_count) {
		(void)rv_fail(err, RV_E_USAGE, "a fan-out needs inputs");
		return rv_hint(err, "`::: A B C` at the end, or --each FILE (`-`: standard input)");
	}
	if ((!f->w->agent && make_command(f, err) < 0) || read_each(f, err) < 0 || count_units(f, err) < 0)
		return -1;
	return put_plan(f, out, err);
}

int cli_fanout_plan(const struct cli_fanout_words *w, struct rv_buf *out, const char **warning, struct rv_err *err)
{
	struct fanout f = { .w = w };
	int rc;

	rv_buf_init(&f.argv, 0);
	rv_buf_init(&f.room, 0);
	rc = make_plan(&f, out, err);
	*warning = f.warning;
	for (uint32_t i = 0; i < f.list_count; i++)
		cli_inputs_release(&f.list[i]);
	rv_buf_release(&f.argv);
	rv_buf_release(&f.room);
	return rc;
}
