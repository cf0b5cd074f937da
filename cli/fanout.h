/* fanout.h - `run -- CMD ::: A B C` and its kin: a plan of one template unit, made from words
 *
 * The unit's items are the inputs. Where a command needs more of them than {}, an item is an array of the texts that it needs, worked out
 * here: to everything behind this the plan is as any other. With --agent the unit is an agent's, its prompt the input or one text with {{item}}.
 */
#ifndef CLI_FANOUT_H
#define CLI_FANOUT_H

#include "cli/inputs.h"
#include "common/buf.h"
#include "common/err.h"

#define CLI_FANOUT_LISTS_MAX 8u     /* --each and ::: together */
#define CLI_FANOUT_TEXTS_MAX 32u    /* different texts of an input that a command has */
#define CLI_FANOUT_PLAN_BYTES_MAX ((size_t)512 << 20)

struct cli_fanout_words {
	char *const *word;       /* the command and the lists of `:::`; no options */
	uint32_t count;
	const char *each;        /* a file, "-", or NULL */
	bool null_ended;         /* -0 */
	const char *agent, *model, *prompt, *prompt_file; /* NULL: not given */
};

/* Is `word` one of `:::`, `::::`, `:::+`? */
bool cli_fanout_is_separator(const char *word);

/* Appends the plan as JSON lines (plan_load_lines). RV_E_USAGE, RV_E_LIMIT, RV_E_NOT_FOUND, RV_E_UNSUPPORTED. `*warning` is a static text for
 * people, or NULL. */
int cli_fanout_plan(const struct cli_fanout_words *w, struct rv_buf *out, const char **warning, struct rv_err *err);

#endif
