/* commands.h - the table of subcommands: main, help, completion and the manual read it
 *
 * What a subcommand takes and which options it has is in the function itself, which describes it when it is asked for help;
 * cli_describe() listens.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "common/opts.h"

enum cli_group { CLI_PLANS, CLI_RUNS, CLI_ACTS, CLI_MACHINES, CLI_HOST, CLI_GROUPS };

struct cli_command {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *summary;   /* one line */
	enum cli_group group;
	const char *waits;     /* not built yet: for what; fn is NULL then */
};

extern const struct cli_command cli_commands[];
extern const uint32_t cli_command_count;
extern const char *const cli_group_titles[CLI_GROUPS];

/* NULL: there is none of that name. */
const struct cli_command *cli_command_find(const char *name);

/* What a subcommand says of itself: the words it takes, what it does, its options (ends with .name NULL; `into` points nowhere
 * once the call is over). */
struct cli_description {
	const char *verb, *words, *text;
	const struct rv_opt *options;
};

typedef void cli_description_fn(void *ctx, const struct cli_description *d);

/* Calls `fn` once, with what `c` says of itself. */
void cli_describe(const struct cli_command *c, cli_description_fn *fn, void *ctx);

/* Says that there is no such command, or that it is not built yet; give the exit status. */
int cli_unknown_verb(const char *name);
int cli_not_built(const struct cli_command *c);

#endif
