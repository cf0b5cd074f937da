/* manual.c - the pages of the manual, written as mdoc(7) */
#include "cli/manual.h"

#include "cli/cli.h"
#include "cli/commands.h"
#include "common/plan/schema.h"

#include <stdio.h>

int cli_page_find(const char *name, enum cli_page *out)
{
	if (strcmp(name, "reeve") == 0)
		*out = CLI_PAGE_REEVE;
	else if (strcmp(name, "reeve-plan") == 0)
		*out = CLI_PAGE_PLAN;
	else
		return -1;
	return 0;
}

/* ---- mdoc ---- */

/* One line of text, or (`quoted`) what stands between the quotes of a macro's argument. Backslashes and hyphens mean themselves; a line
 * of text may not begin with a control character of roff. */
static void put_text(struct rv_buf *out, struct rv_str s, bool quoted)
{
	size_t i;

	if (!quoted && s.bytes > 0 && (s.at[0] == '.' || s.at[0] == '\''))
		(void)rv_buf_puts(out, "\\&");
	for (i = 0; i < s.bytes; i++) {
		if (!quoted && s.at[i] == ' ' && i > 1 && strchr(".!?", s.at[i - 1]) && s.at[i - 2] != '.')
			(void)rv_buf_putc(out, '\n'); /* each sentence on a line of its own: the formatter sets the blank behind it */
		else if (s.at[i] == '\\')
			(void)rv_buf_puts(out, "\\e");
		else if (s.at[i] == '-')
			(void)rv_buf_puts(out, "\\-");
		else if (s.at[i] == '"' && quoted)
			(void)rv_buf_puts(out, "\\(dq");
		else
			(void)rv_buf_putc(out, s.at[i]);
	}
}

static void line(struct rv_buf *out, const char *s)
{
	(void)rv_buf_puts(out, s);
	(void)rv_buf_putc(out, '\n');
}

/* A paragraph; blank lines of the text begin new ones. */
static void paragraphs(struct rv_buf *out, const char *s)
{
	while (*s) {
		const char *end = strchr(s, '\n');
		size_t n = end ? (size_t)(end - s) : strlen(s);

		if (n == 0)
			line(out, ".Pp");
		else {
			put_text(out, rv_str(s, n), false);
			(void)rv_buf_putc(out, '\n');
		}
		s += n + (end != NULL);
	}
}

/* Each word an argument of its own macro would see dots and commas as punctuation: quoted as one argument. */
static void macro(struct rv_buf *out, const char *name, const char *argument)
{
	(void)rv_buf_printf(out, ".%s \"", name);
	put_text(out, rv_str_of(argument), true);
	(void)rv_buf_puts(out, "\"\n");
}

/* ---- reeve(1) ---- */

static void put_options(struct rv_buf *out, const struct rv_opt *o)
{
	line(out, ".Bl -tag -width Ds");
	for (; o->name; o++) {
		if (!rv_opt_is_shown(o))
			continue;
		(void)rv_buf_puts(out, ".It");
		if (o->letter)
			(void)rv_buf_printf(out, " Fl %c , Fl ", o->letter);
		else
			(void)rv_buf_puts(out, " Fl ");
		(void)rv_buf_puts(out, "\\-");
		put_text(out, rv_str_of(o->name), true);
		if (o->value) {
			(void)rv_buf_puts(out, o->kind == RV_OPT_OPTIONAL ? " Ns Op = Ns Ar \"" : " Ar \"");
			put_text(out, rv_str_of(o->value), true);
			(void)rv_buf_putc(out, '"');
		}
		(void)rv_buf_putc(out, '\n');
		put_text(out, rv_str_of(o->help), false);
		(void)rv_buf_puts(out, ".\n");
	}
	line(out, ".El");
}

static void put_verb(void *ctx, const struct cli_description *d)
{
	struct rv_buf *out = ctx;

	(void)rv_buf_puts(out, ".It Xo\n.Cm ");
	(void)rv_buf_puts(out, d->verb);
	(void)rv_buf_putc(out, '\n');
	if (*d->words)
		macro(out, "Ar", d->words);
	line(out, ".Op Ar option ...");
	line(out, ".Xc");
	paragraphs(out, d->text);
	put_options(out, d->options);
}

static const char *const statuses[][2] = {
	{ "0", "All is well." },
	{ "1", "The run ended with failures or was cancelled." },
	{ "2", "Wrong usage, or a plan that was rejected." },
	{ "3", "An internal error, or one of the journal or the bus." },
	{ "4", "Not found." },
	{ "5", "The coordinator cannot be reached." },
	{ "6", "Not allowed." },
	{ "7", "A budget is exhausted." },
	{ "124", "Timed out." },
	{ "130", "Interrupted." },
};

static const char *const variables[][2] = {
	{ "REEVE_COORDINATOR", "Which coordinator is meant, as --coordinator says it." },
	{ "REEVE_FORMAT", "The default of --format." },
	{ "NO_COLOR, CI, TERM=dumb", "No colour and no animation." },
};

static void put_list(struct rv_buf *out, const char *const (*items)[2], size_t count, const char *tag)
{
	char it[16];
	size_t i;

	line(out, ".Bl -tag -width Ds");
	for (i = 0; i < count; i++) {
		(void)snprintf(it, sizeof(it), "It %s", tag);
		macro(out, it, items[i][0]);
		paragraphs(out, items[i][1]);
	}
	line(out, ".El");
}

static void put_reeve(struct rv_buf *out)
{
	uint32_t i;
	int g;

	line(out, ".Dd November 29, 2026\n.Dt REEVE 1\n.Os\n.Sh NAME\n.Nm reeve\n.Nd run plans of commands and agents, on one machine or on many\n"
		  ".Sh SYNOPSIS\n.Nm\n.Cm run\n.Op Ar option ...\n.Ar PLAN\n.Nm\n.Ar verb\n.Op Ar option ...\n.Op Ar argument ...\n"
		  ".Sh DESCRIPTION\n.Nm\n"
		  "runs a plan: a graph of units, each a coding agent or any command.\n"
		  "The file is described in\n.Xr reeve-plan 5 .\n"
		  "Answers go to standard output, talk to standard error.\n"
		  "Where a verb takes\n.Ar RUN\nor\n.Ar UNIT ,\nany beginning that only one has will do.");
	for (g = 0; g < CLI_GROUPS; g++) {
		macro(out, "Ss", cli_group_titles[g]);
		line(out, ".Bl -tag -width Ds");
		for (i = 0; i < cli_command_count; i++)
			if ((int)cli_commands[i].group == g && !cli_commands[i].waits)
				cli_describe(&cli_commands[i], put_verb, out);
		line(out, ".El");
	}
	line(out, ".Sh ENVIRONMENT");
	put_list(out, variables, RV_ARRAY_LEN(variables), "Ev");
	line(out, ".Sh FILES\n.Bl -tag -width Ds\n.It Pa .reeve/\nThe state directory: runs, their journals, logs and outputs.\n.El\n.Sh EXIT STATUS");
	put_list(out, statuses, RV_ARRAY_LEN(statuses), "Li");
	line(out, ".Sh SEE ALSO\n.Xr reeve-plan 5");
}

/* ---- keys of a plan ---- */

static const char *const map_titles[PLAN_MAPS] = {
	[PLAN_MAP_PLAN] = "The plan",
	[PLAN_MAP_UNIT] = "A unit, and defaults",
	[PLAN_MAP_AGENT] = "agents.NAME, besides a unit's keys",
	[PLAN_MAP_LIMITS] = "limits",
	[PLAN_MAP_BUDGETS] = "limits of an agent",
	[PLAN_MAP_WORKSPACE] = "workspace",
	[PLAN_MAP_RETRY] = "retry",
	[PLAN_MAP_MOCK] = "mock",
	[PLAN_MAP_PREAMBLE] = "preamble",
	[PLAN_MAP_VERIFY] = "verify",
	[PLAN_MAP_FOR_EACH] = "for_each",
	[PLAN_MAP_EVIDENCE] = "evidence",
	[PLAN_MAP_CREDENTIAL] = "credentials.NAME",
};

/* Its kind, what it is for, its default; that it, or which of its words, is not carried out yet. */
struct key_shown {
	char kind[128];
	char what[512];
};

/* "git, copy": the words of the key that are none of `now`. */
static void put_later_words(const struct plan_key *k, struct rv_buf *out)
{
	const char *word = k->words;

	while (*word) {
		size_t n = strcspn(word, " ");

		if (plan_word_index(k->now, rv_str(word, n)) < 0)
			(void)rv_buf_printf(out, "%s%.*s", out->bytes ? ", " : "", (int)n, word);
		word += n + strspn(word + n, " ");
	}
}

static void put_later(const struct plan_key *k, struct rv_buf *out)
{
	if (!(k->flags & PLAN_KEY_LATER))
		return;
	if (k->now) {
		struct rv_buf words;

		rv_buf_init(&words, 0);
		put_later_words(k, &words);
		(void)rv_buf_printf(out, "; not carried out yet: %s", words.at);
		rv_buf_release(&words);
	} else {
		(void)rv_buf_puts(out, "; not carried out yet");
	}
}

static void show_key(const struct plan_key *k, struct key_shown *s)
{
	char expected[128];
	struct rv_buf later;

	if (k->words)
		(void)snprintf(s->kind, sizeof(s->kind), "%s%s", k->kinds == PLAN_IS_STRING ? "" : k->kinds & PLAN_IS_MAP ? "a map or " : "a number or ", k->words);
	else
		(void)snprintf(s->kind, sizeof(s->kind), "%s", plan_key_expected(k, expected));
	rv_buf_init(&later, 0);
	put_later(k, &later);
	(void)snprintf(s->what, sizeof(s->what), "%s%s%s%s%s", plan_key_text(k), k->standard ? " (default: " : "",
		       k->standard ? k->standard : "", k->standard ? ")" : "", later.bytes ? later.at : "");
	rv_buf_release(&later);
}

typedef void key_fn(struct rv_buf *out, const struct plan_key *k, const struct key_shown *s);

/* Each map's own keys, once. */
static void each_key(struct rv_buf *out, enum plan_map_id map, key_fn *fn)
{
	struct plan_map_index index;
	struct key_shown shown;
	uint32_t i;

	plan_map_index(map, &index);
	for (i = 0; i < index.count; i++) {
		if (index.key[i]->map != map)
			continue;
		show_key(index.key[i], &shown);
		fn(out, index.key[i], &shown);
	}
}

static void key_as_text(struct rv_buf *out, const struct plan_key *k, const struct key_shown *s)
{
	(void)rv_buf_printf(out, "  %-22s %s\n  %22s %s\n", k->name, s->kind, "", s->what);
}

static void key_as_mdoc(struct rv_buf *out, const struct plan_key *k, const struct key_shown *s)
{
	(void)rv_buf_puts(out, ".It Cm \"");
	put_text(out, rv_str_of(k->name), true);
	(void)rv_buf_puts(out, "\" Pq \"");
	put_text(out, rv_str_of(s->kind), true);
	(void)rv_buf_puts(out, "\"\n");
	put_text(out, rv_str_of(s->what), false);
	(void)rv_buf_puts(out, ".\n");
}

void cli_put_plan_keys(struct rv_buf *out)
{
	int map;

	for (map = 0; map < PLAN_MAPS; map++) {
		if (!map_titles[map])
			continue;
		(void)rv_buf_printf(out, "%s%s\n", map == PLAN_MAP_PLAN ? "" : "\n", map_titles[map]);
		each_key(out, (enum plan_map_id)map, key_as_text);
	}
	(void)rv_buf_puts(out, "\nKeys that begin with x- are free. `reeve check PLAN` validates a plan.\n");
}

static void put_plan(struct rv_buf *out)
{
	int map;

	line(out, ".Dd November 29, 2026\n.Dt REEVE-PLAN 5\n.Os\n.Sh NAME\n.Nm reeve-plan\n.Nd a graph of units for\n.Xr reeve 1\n.Sh DESCRIPTION\n"
		  "A plan is a YAML or JSON file in UTF-8: a map with the keys below.\n"
		  "Unknown keys are errors; keys that begin with\n.Li x\\-\nare free.\n"
		  "Anchors, tags, merge keys, duplicate keys and further documents are refused.\n"
		  ".Nm reeve Cm check\nsays everything that is wrong with one.");
	for (map = 0; map < PLAN_MAPS; map++) {
		if (!map_titles[map])
			continue;
		macro(out, "Ss", map_titles[map]);
		line(out, ".Bl -tag -width Ds");
		each_key(out, (enum plan_map_id)map, key_as_mdoc);
		line(out, ".El");
	}
	line(out, ".Sh EXAMPLES\n.Bd -literal\nversion: 1\nunits:\n  \\- {id: lint, command: [make, lint]}\n  \\- {id: test, command: [make, test], depends_on: [lint]}\n.Ed\n"
		  ".Sh SEE ALSO\n.Xr reeve 1");
}

void cli_put_page(enum cli_page page, struct rv_buf *out)
{
	if (page == CLI_PAGE_REEVE)
		put_reeve(out);
	else
		put_plan(out);
}
