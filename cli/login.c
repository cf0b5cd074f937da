/* login.c - the coordinators that `reeve login` stored */
#include "cli/login.h"

#include "cli/cli.h"

/* `reeve login` is not there yet, so nothing can have been stored. */
int cli_login_find(const char *endpoint, struct cli_login *out, struct rv_err *err)
{
	(void)out;
	if (endpoint)
		(void)rv_fail(err, RV_E_NOT_FOUND, "there is no key for %s: nobody has logged in", endpoint);
	else
		(void)rv_fail(err, RV_E_NOT_FOUND, "nobody has logged in to a coordinator");
	return rv_hint(err, "`reeve login` %s", CLI_WAITS_MACHINES);
}
