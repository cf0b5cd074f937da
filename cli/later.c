/* later.c - subcommands whose file is still to come; a line goes when its file arrives */
#include "cli/cli.h"

#define LATER(verb)                                                                                \
	int cli_cmd_##verb(int argc, char **argv)                                                  \
	{                                                                                          \
		(void)argc;                                                                        \
		(void)argv;                                                                        \
		return cli_failf(RV_E_UNSUPPORTED, "`reeve " #verb "` is not built yet");          \
	}

LATER(status)
LATER(logs)
LATER(output)
LATER(artifacts)
LATER(events)
LATER(export)
LATER(retry)
LATER(rm)
