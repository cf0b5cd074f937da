/* opts.c - command lines from tables */
#include "opts.h"

#include "id.h"

#define TABLE_MAX 128
#define HELP_COLUMN_MAX 30 /* longer left sides get a line of their own */

/* ---- values ---- */

static int not_a_number(const char *text, uint64_t min, uint64_t max, struct rv_err *err)
{
	return rv_fail(err, RV_E_USAGE, "\"%.64s\" is not a whole number from %llu to %llu", text,
		       (unsigned long long)min, (unsigned long long)max);
}

int rv_parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct rv_err *err)
{
	const char *at = text;
	uint64_t v = 0;

	if (!*at)
		return not_a_number(text, min, max, err);
	for (; *at; at++) {
		uint64_t digit = (uint64_t)(unsigned char)*at - '0';

		if (*at < '0' || *at > '9' || v > (UINT64_MAX - digit) / 10)
			return not_a_number(text, min, max, err);
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return not_a_number(text, min, max, err);
	*out = v;
	return 0;
}

static const struct {
	const char *name;
	uint64_t us;
} time_units[] = {
	{ "", RV_US_PER_S },
	{ "s", RV_US_PER_S },
	{ "ms", RV_US_PER_MS },
	{ "m", 60 * (uint64_t)RV_US_PER_S },
	{ "h", 3600 * (uint64_t)RV_US_PER_S },
	{ "d", 86400 * (uint64_t)RV_US_PER_S },
};

static int not_a_duration(const char *text, struct rv_err *err)
{
	return rv_fail(err, RV_E_USAGE, "\"%.64s\" is not a duration such as 90, 1.5s, 15m or 2h", text);
}

int rv_parse_duration(const char *text, uint64_t *out_us, struct rv_err *err)
{
	uint64_t whole = 0, millionths = 0, scale = 1000000, us, part;
	const char *at = text;
	size_t i;

	if (*at < '0' || *at > '9')
		return not_a_duration(text, err);
	for (; *at >= '0' && *at <= '9'; at++) {
		whole = whole * 10 + (uint64_t)(*at - '0');
		if (whole > UINT64_MAX / 20)
			return not_a_duration(text, err);
	}
	if (*at == '.') {
		at++;
		if (*at < '0' || *at > '9')
			return not_a_duration(text, err);
		for (; *at >= '0' && *at <= '9'; at++) {
			scale /= 10;
			if (scale == 0)
				return not_a_duration(text, err);
			millionths += (uint64_t)(*at - '0') * scale;
		}
	}
	for (i = 0; i < RV_ARRAY_LEN(time_units); i++)
		if (strcmp(at, time_units[i].name) == 0)
			break;
	if (i == RV_ARRAY_LEN(time_units))
		return not_a_duration(text, err);
	us = time_units[i].us;
	part = millionths * us / 1000000; /* < 10^6 * 8.64 * 10^10: fits */
	if (whole > (UINT64_MAX - 1 - part) / us) /* RV_NEVER is no duration */
		return not_a_duration(text, err);
	*out_us = whole * us + part;
	return 0;
}

/* ---- parsing ---- */

static const struct rv_opt *find_name(const struct rv_opt *table, struct rv_str name)
{
	for (; table->name; table++)
		if (rv_str_equal(rv_str_of(table->name), name))
			return table;
	return NULL;
}

static const struct rv_opt *find_letter(const struct rv_opt *table, char letter)
{
	for (; table->name; table++)
		if (table->letter && table->letter == letter)
			return table;
	return NULL;
}

static int unknown(const struct rv_opt *table, struct rv_str name, struct rv_err *err)
{
	const char *names[TABLE_MAX];
	size_t count = 0, i;
	int best, begins = -1, many = 0;

	(void)rv_fail(err, RV_E_USAGE, "there is no option --%.*s", (int)rv_min_u64(name.bytes, 64), name.at);
	for (; table->name && count < TABLE_MAX; table++)
		names[count++] = table->name;
	best = rv_nearest(name, names, count);
	for (i = 0; name.bytes > 1 && i < count; i++) { /* other programs take what only one option begins with */
		if (strncmp(names[i], name.at, name.bytes) != 0)
			continue;
		begins = (int)i;
		many++;
	}
	if (best < 0 && many == 1)
		best = begins;
	return best < 0 ? -1 : rv_hint(err, "did you mean --%s?", names[best]);
}

static bool wants_value(const struct rv_opt *o)
{
	return o->kind == RV_OPT_STRING || o->kind == RV_OPT_UINT || o->kind == RV_OPT_LIST;
}

/* `value` NULL: none was given. */
static int store(const struct rv_opt *o, const char *value, struct rv_err *err)
{
	struct rv_err why;

	if (!value && wants_value(o))
		return rv_fail(err, RV_E_USAGE, "--%s needs a value: --%s %s", o->name, o->name,
			       o->value ? o->value : "VALUE");
	switch (o->kind) {
	case RV_OPT_FLAG:
		if (value)
			return rv_fail(err, RV_E_USAGE, "--%s takes no value, but was given \"%.64s\"",
				       o->name, value);
		*(bool *)o->into = true;
		return 0;
	case RV_OPT_STRING:
		*(const char **)o->into = value;
		return 0;
	case RV_OPT_OPTIONAL:
		*(const char **)o->into = value ? value : "";
		return 0;
	case RV_OPT_UINT:
		if (rv_parse_uint(value, o->min, o->max, o->into, &why))
			return rv_fail(err, RV_E_USAGE, "--%s: %s", o->name, why.msg);
		return 0;
	case RV_OPT_LIST: {
		struct rv_opt_list *list = o->into;

		if (list->count >= RV_OPT_LIST_MAX)
			return rv_fail(err, RV_E_USAGE, "--%s is given more than %d times", o->name,
				       RV_OPT_LIST_MAX);
		list->item[list->count++] = value;
		return 0;
	}
	case RV_OPT_NEVER:
		return rv_fail(err, RV_E_USAGE, "--%s is not taken here: %s", o->name, o->help);
	case RV_OPT_LATER:
		break;
	}
	return rv_fail(err, RV_E_UNSUPPORTED, "--%s is not built yet: %s", o->name, o->help);
}

/* `text` is what follows the dashes. *at is the index of the word in argv, moved on when its value is the next one. */
static int parse_long(const struct rv_opt *table, const char *text, int argc, char **argv, int *at,
		      struct rv_err *err)
{
	const char *equals = strchr(text, '=');
	struct rv_str name = rv_str(text, equals ? (size_t)(equals - text) : strlen(text));
	const struct rv_opt *o = find_name(table, name);

	if (!o)
		return unknown(table, name, err);
	if (equals)
		return store(o, equals + 1, err);
	if (wants_value(o) && *at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0)
		return store(o, argv[++*at], err);
	return store(o, NULL, err);
}

/* A word of letters: flags may stand together, the first that takes a value takes the rest of the word. */
static int parse_letters(const struct rv_opt *table, const char *text, int argc, char **argv, int *at,
			 struct rv_err *err)
{
	for (; *text; text++) {
		const struct rv_opt *o = find_letter(table, *text);

		if (!o)
			return rv_fail(err, RV_E_USAGE, "there is no option -%c", *text);
		if (o->kind != RV_OPT_FLAG && text[1])
			return store(o, text + 1, err);
		if (wants_value(o) && *at + 1 < argc && strncmp(argv[*at + 1], "--", 2) != 0)
			return store(o, argv[++*at], err);
		if (store(o, NULL, err))
			return -1;
	}
	return 0;
}

int rv_opts_parse(const struct rv_opt *table, int argc, char **argv, int *words, int *words_after,
		  struct rv_err *err)
{
	int count = 0, after = -1, at;

	for (at = 1; at < argc; at++) {
		char *word = argv[at];

		if (after >= 0 || word[0] != '-' || word[1] == '\0') { /* "-" is a word: standard input */
			argv[count++] = word;
		} else if (word[1] != '-') {
			if (parse_letters(table, word + 1, argc, argv, &at, err))
				return -1;
		} else if (word[2] == '\0') {
			after = count;
		} else if (parse_long(table, word + 2, argc, argv, &at, err)) {
			return -1;
		}
	}
	*words = count;
	if (words_after)
		*words_after = after >= 0 ? after : count;
	return 0;
}

/* ---- help ---- */

static void put_left(const struct rv_opt *o, struct rv_buf *out)
{
	if (o->letter)
		(void)rv_buf_printf(out, "  -%c, --%s", o->letter, o->name);
	else
		(void)rv_buf_printf(out, "      --%s", o->name);
	if (o->kind == RV_OPT_OPTIONAL)
		(void)rv_buf_printf(out, "[=%s]", o->value ? o->value : "VALUE");
	else if (wants_value(o))
		(void)rv_buf_printf(out, " %s", o->value ? o->value : "VALUE");
}

static size_t left_width(const struct rv_opt *o)
{
	struct rv_buf b;
	size_t width;

	rv_buf_init(&b, 0);
	put_left(o, &b);
	width = b.bytes;
	rv_buf_release(&b);
	return width;
}

void rv_opts_help(const struct rv_opt *table, struct rv_buf *out)
{
	const struct rv_opt *o;
	size_t column = 0, width;

	for (o = table; o->name; o++) {
		width = rv_opt_is_shown(o) ? left_width(o) : 0;
		if (width > column && width <= HELP_COLUMN_MAX)
			column = width;
	}
	for (o = table; o->name; o++) {
		if (!rv_opt_is_shown(o))
			continue;
		put_left(o, out);
		width = left_width(o);
		if (width > column) {
			(void)rv_buf_putc(out, '\n');
			width = 0;
		}
		(void)rv_buf_printf(out, "%*s  %s\n", (int)(column - width), "", o->help ? o->help : "");
	}
}
