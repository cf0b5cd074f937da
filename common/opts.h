/* opts.h - command lines from tables: parsing, defaults and --help come from one list
 *
 * Long options `--name VALUE`, `--name=VALUE`, short `-j 4` and `-j4`, `--` ends options. Unknown ones name the nearest.
 */
#ifndef RV_OPTS_H
#define RV_OPTS_H

#include "buf.h"
#include "err.h"

enum rv_opt_kind {
	RV_OPT_FLAG,     /* bool *: set true */
	RV_OPT_STRING,   /* const char **: borrowed from argv */
	RV_OPT_UINT,     /* uint64_t *: min..max */
	RV_OPT_LIST,     /* struct rv_opt_list *: may be repeated */
	RV_OPT_OPTIONAL, /* const char **: "" without =VALUE (--resume, --mock) */
	RV_OPT_NEVER,    /* what other verbs have and this one does not: refused with RV_E_USAGE and `help` as the reason */
	RV_OPT_LATER,    /* known from cli.md, not built yet: refused with RV_E_UNSUPPORTED, `help` says what it waits for */
};

struct rv_opt {
	const char *name;  /* without dashes */
	char letter;       /* 0: none */
	enum rv_opt_kind kind;
	void *into;
	const char *value; /* shown in help: "N", "FILE" */
	const char *help;  /* one line, with the default */
	uint64_t min, max; /* RV_OPT_UINT */
};

#define RV_OPT_LIST_MAX 256

struct rv_opt_list {
	uint32_t count;
	const char *item[RV_OPT_LIST_MAX];
};

/* Parses argv[1..argc-1] by the table (ends with .name NULL). Positional words are moved to argv[0..*words-1], their
 * count into *words; after `--` everything is a word and *words_after (may be NULL) gets the index of the first such word,
 * else == *words. Refuses unknown options, missing or out-of-range values with RV_E_USAGE; what stood before the bad word
 * has been stored by then. A value that starts with "--" is given as --name=--value. */
int rv_opts_parse(const struct rv_opt *table, int argc, char **argv, int *words, int *words_after,
		  struct rv_err *err);

/* Is it told to those who ask what there is: help, manual, completion? */
static inline bool rv_opt_is_shown(const struct rv_opt *o)
{
	return o->kind != RV_OPT_NEVER && o->kind != RV_OPT_LATER;
}

/* Two aligned columns, a line an option that is shown. */
void rv_opts_help(const struct rv_opt *table, struct rv_buf *out);

/* A decimal whole number in min..max; refuses signs, blanks, exponents and junk. */
int rv_parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct rv_err *err);
/* A decimal number of seconds ("1.5", "90s", "15m", "2h", "500ms", "7d") into microseconds, at most six decimals. */
int rv_parse_duration(const char *text, uint64_t *out_us, struct rv_err *err);

#endif
