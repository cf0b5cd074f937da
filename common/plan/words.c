/* words.c - a line of words as a plan writes it, for hints: what they say to type has to be what was meant */
#include "common/buf.h"
#include "common/plan/plan.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_of(char c, const char *set)
{
	return c && strchr(set, c);
}

bool plan_line_needs_shell(struct rv_str line)
{
	for (size_t i = 0; i < line.bytes; i++)
		if (is_of(line.at[i], "|&;<>()$`*?[]#~={},:'\"\\"))
			return true;
	return false;
}

/* Text without quotes, whatever reads the YAML: begins like a name, a path or an option, and is no word for something else. */
static bool is_bare(struct rv_str word)
{
	static const char *const others[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" };
	size_t from = 0;

	while (from < word.bytes && from < 2 && is_of(word.at[from], "-."))
		from++;
	if (from == word.bytes || !(isalpha((unsigned char)word.at[from]) || word.at[from] == '/') || (from && word.at[from - 1] == '.' && word.at[from] != '/'))
		return false;
	for (size_t i = from; i < word.bytes; i++)
		if (!isalnum((unsigned char)word.at[i]) && !is_of(word.at[i], "-._/+"))
			return false;
	for (size_t i = 0; i < RV_ARRAY_LEN(others); i++)
		if (word.bytes == strlen(others[i]) && strncasecmp(word.at, others[i], word.bytes) == 0)
			return false;
	return true;
}

static void put_word(struct rv_str word, struct rv_buf *out)
{
	if (is_bare(word))
		(void)rv_buf_put_str(out, word);
	else
		(void)rv_buf_put_json(out, word); /* which YAML reads, too */
}

void plan_put_words(struct rv_str line, struct rv_buf *out)
{
	const char *before = "";

	(void)rv_buf_putc(out, '[');
	for (size_t i = 0, end; i < line.bytes; i = end) {
		end = i;
		while (end < line.bytes && line.at[end] != ' ')
			end++;
		if (end == i) {
			end++;
			continue;
		}
		(void)rv_buf_puts(out, before);
		put_word(rv_str(line.at + i, end - i), out);
		before = ", ";
	}
	(void)rv_buf_putc(out, ']');
}

void plan_put_shell(struct rv_str line, struct rv_buf *out)
{
	(void)rv_buf_puts(out, "[sh, -c, ");
	(void)rv_buf_put_json(out, line);
	(void)rv_buf_putc(out, ']');
}
