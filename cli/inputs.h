/* inputs.h - the lists of inputs of a fan-out: words, or the lines of a file
 *
 * An input is UTF-8 text without NUL, since a plan is text: another is refused by its place, before anything runs. A line is taken as it is, an
 * empty one too; only the newline goes.
 */
#ifndef CLI_INPUTS_H
#define CLI_INPUTS_H

#include "common/buf.h"
#include "common/err.h"

#define CLI_INPUTS_MAX 1000000u                     /* RV_UNITS_MAX: of all lists together, combined */
#define CLI_INPUT_BYTES_MAX ((size_t)128 << 10)     /* RV_ARG_BYTES_MAX: no program takes a longer argument */
#define CLI_INPUTS_BYTES_MAX ((size_t)128 << 20)    /* of one list */

enum cli_input_end { CLI_INPUT_LINES, CLI_INPUT_NULS };
enum cli_input_blank { CLI_BLANK_KEPT, CLI_BLANK_SKIPPED }; /* lines of nothing but blanks */

struct cli_inputs {
	uint32_t count;
	struct rv_buf bytes; /* one after the other */
	struct rv_buf ends;  /* u32 end of each */
};

void cli_inputs_init(struct cli_inputs *in);
void cli_inputs_release(struct cli_inputs *in);
/* `name` "-": standard input. */
int cli_inputs_read(struct cli_inputs *in, const char *name, enum cli_input_end end, enum cli_input_blank blank, struct rv_err *err);
int cli_inputs_words(struct cli_inputs *in, char *const *words, uint32_t count, struct rv_err *err);
/* Borrows. */
struct rv_str cli_inputs_get(const struct cli_inputs *in, uint32_t i);

#endif
