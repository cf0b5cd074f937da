/* later.c - parts of subcommands that are still to come */
#include "cli/cli.h"

int cli_run_resume(const char *state_dir, const char *run, const char *unit, const char *note, enum cli_format format)
{
	(void)state_dir;
	(void)run;
	(void)unit;
	(void)note;
	(void)format;
	return cli_failf(RV_E_UNSUPPORTED, "going on with an ended run is not built yet");
}
