#include "cli/placeholder.h"

static const struct {
	const char *text;
	enum cli_form form;
} tails[] = {
	/* longest first: what a brace opens is taken whole or not at all */
	{ "//}", CLI_FORM_DIRECTORY }, { "/.}", CLI_FORM_STEM },	{ "/}", CLI_FORM_NAME },
	{ ".}", CLI_FORM_NO_EXTENSION }, { "}", CLI_FORM_WHOLE },
};

static bool begins(struct rv_str s, const char *with)
{
	size_t bytes = strlen(with);

	return s.bytes >= bytes && memcmp(s.at, with, bytes) == 0;
}

/* The one that stands at the beginning of `s`, which begins with a brace. */
static bool read_one(struct rv_str s, struct cli_placeholder *p)
{
	size_t at = 1;

	*p = (struct cli_placeholder){ .form = CLI_FORM_WHOLE };
	if (begins(s, "{{item}}")) {
		p->bytes = 8;
		return true;
	}
	if (begins(s, "{#}")) {
		p->form = CLI_FORM_NUMBER;
		p->bytes = 3;
		return true;
	}
	while (at < s.bytes && at < 3 && s.at[at] >= '0' && s.at[at] <= '9')
		p->list = p->list * 10 + (uint32_t)(s.at[at++] - '0');
	if (at > 1 && (p->list == 0 || s.at[1] == '0'))
		return false;
	for (size_t i = 0; i < RV_ARRAY_LEN(tails); i++) {
		if (!begins(rv_str(s.at + at, s.bytes - at), tails[i].text))
			continue;
		p->form = tails[i].form;
		p->bytes = at + strlen(tails[i].text);
		return true;
	}
	return false;
}

bool cli_placeholder_next(struct rv_str text, size_t *from, struct cli_placeholder *out)
{
	size_t at = *from;
	const char *brace;

	while (at < text.bytes && (brace = memchr(text.at + at, '{', text.bytes - at))) {
		at = (size_t)(brace - text.at);
		if (read_one(rv_str(brace, text.bytes - at), out)) {
			out->at = at;
			*from = at + out->bytes;
			return true;
		}
		at++;
	}
	*from = text.bytes;
	return false;
}

/* --- what a form makes of an input ----------------------------------------------------------------------------------- */

/* Behind the last slash. */
static size_t name_at(struct rv_str s)
{
	size_t at = s.bytes;

	while (at && s.at[at - 1] != '/')
		at--;
	return at;
}

/* Where a last ".xyz" begins that has a letter after the point and no slash; s.bytes: there is none. */
static size_t extension_at(struct rv_str s)
{
	size_t at = s.bytes;

	while (at && s.at[at - 1] != '/' && s.at[at - 1] != '.')
		at--;
	return at && s.at[at - 1] == '.' && at < s.bytes ? at - 1 : s.bytes;
}

/* As dirname(1) has it, but for a slash at the end, which does not make it a name. */
static struct rv_str directory(struct rv_str s)
{
	size_t bytes = s.bytes;

	while (bytes > 1 && s.at[bytes - 1] == '/')
		bytes--;
	bytes = name_at(rv_str(s.at, bytes));
	while (bytes > 1 && s.at[bytes - 1] == '/')
		bytes--;
	return bytes ? rv_str(s.at, bytes) : RV_STR(".");
}

void cli_form_put(enum cli_form form, struct rv_str input, uint32_t number, struct rv_buf *out)
{
	struct rv_str name = rv_str(input.at + name_at(input), input.bytes - name_at(input));

	switch (form) {
	case CLI_FORM_WHOLE:
		(void)rv_buf_put_str(out, input);
		break;
	case CLI_FORM_NO_EXTENSION:
		(void)rv_buf_put(out, input.at, extension_at(input));
		break;
	case CLI_FORM_NAME:
		(void)rv_buf_put_str(out, name);
		break;
	case CLI_FORM_DIRECTORY:
		(void)rv_buf_put_str(out, directory(input));
		break;
	case CLI_FORM_STEM:
		(void)rv_buf_put(out, name.at, extension_at(name));
		break;
	case CLI_FORM_NUMBER:
		(void)rv_buf_put_decimal(out, number, 1);
		break;
	}
}
