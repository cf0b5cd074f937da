/* place.h - which coordinator a command means, and how it is reached
 *
 *	1  --coordinator ADDR, else REEVE_COORDINATOR: tcp://HOST:PORT, or a state directory on this host
 *	2  the nearest .reeve from here upwards that is a coordinator's, or in which a `run` lives (the one named, else the only one). A
 *	   coordinator's that is not running is an error, not a reason to ask somebody else
 *	3  what `login` stored
 *
 * Nothing is connected here; that a directory has a live owner is told by its lock.
 */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "common/err.h"
#include "common/id.h"
#include "common/net/bus.h"

#include <limits.h>

enum cli_place_kind {
	CLI_PLACE_NONE,
	CLI_PLACE_COORDINATOR, /* its state directory is `dir` */
	CLI_PLACE_RUN,         /* a live `run`; `dir` is STATE/runs/RUN */
	CLI_PLACE_TCP,         /* with the keys that `login` keeps for `endpoint` */
};

struct cli_place {
	enum cli_place_kind kind;
	char dir[PATH_MAX];
	struct rv_run_id run;                      /* RUN */
	char endpoint[NET_ENDPOINT_BYTES_MAX + 1]; /* TCP */
	char shown[PATH_MAX + 32];                 /* for people: "the coordinator in DIR" */
	char option[PATH_MAX + 32];                /* "" or " --coordinator ADDR": for suggested commands, where it was given */
};

/* Which live runs count where no coordinator is near. */
enum cli_place_runs {
	CLI_PLACE_NO_RUNS,
	CLI_PLACE_RUNS,
};

/* `option` is --coordinator's value or NULL. `run` names the run that is meant, "" = none. RV_E_UNREACHABLE: there is none, or it does not
 * live; RV_E_USAGE: ADDR is neither form; RV_E_CONFLICT: several runs live and none was named (they are listed). */
int cli_place_find(const char *option, enum cli_place_runs runs, struct rv_str run, struct cli_place *out, struct rv_err *err);

/* Does the process live that its directory belongs to? Of tcp nobody can tell: true. */
bool cli_place_lives(const struct cli_place *p);

/* What `address`, which is neither form, may be meant as: "did you mean tcp://HOST:PORT?", or the state directory in a directory that was
 * named. Sets the hint of `err`; false: nothing comes to mind. */
bool cli_place_guess(const char *address, struct rv_err *err);

/* Was a coordinator named, by the option or by REEVE_COORDINATOR? The name, NULL: no. */
const char *cli_place_named(const char *option);

/* Where verbs that look at runs read them. `state` is a directory to be read, "": there is none. */
enum cli_where {
	CLI_IN_DIRECTORY,
	CLI_AT_COORDINATOR,
};

/* The coordinator that is named, else the nearest of a coordinator's state directory and a directory of runs (in one that is both a run that
 * is named and lies there is read from disk), else a login. A live `run` is read from disk, named or near.
 * RV_E_UNREACHABLE: the coordinator that was found is not running. */
int cli_place_look(const char *option, struct rv_str run, enum cli_where *where, struct cli_place *out, char state[PATH_MAX], struct rv_err *err);

#endif
