/* find.h - which state directory, which run, which unit a command line means
 *
 * Words: RUN, RUN/UNIT; RUN may be any prefix that only one run has, and is left out for the newest. UNIT may be any
 * prefix that only one unit has. What is not found is answered with the nearest there is.
 */
#ifndef CLI_FIND_H
#define CLI_FIND_H

#include "common/err.h"
#include "common/id.h"
#include "coordinator/core/graph.h"

#include <limits.h>

/* `option` is --state's value, NULL: the nearest .reeve from here upwards. Absolute. RV_E_NOT_FOUND. */
int cli_find_state(const char *option, char out[PATH_MAX], struct rv_err *err);

/* " --state DIR" for commands that are suggested, "" where they find the directory without it. `option` NULL: none was given. */
void cli_state_option(const char *option, char *out, size_t size);

/* Runs of a state directory, oldest first; `ids` is malloc'd. None: *count = 0. */
int cli_list_runs(const char *state, struct rv_run_id **ids, uint32_t *count, struct rv_err *err);

/* `prefix` "" : the newest. */
int cli_find_run(const char *state, struct rv_str prefix, struct rv_run_id *out, struct rv_err *err);

/* Splits RUN/UNIT at the first slash; no slash: all is the run, unit is "". */
void cli_split_word(const char *word, struct rv_str *run, struct rv_str *unit);

/* A unit of `run`, whose graph is `g`, by its id or a prefix of it; "__verify__" is coord_graph_unit_count(). A template's id with more than one
 * instance is RV_E_USAGE, naming the first and last. */
int cli_find_unit(const struct coord_graph *g, const char *run, struct rv_str word, uint32_t *unit, struct rv_err *err);

/* STATE/runs/RUN[/name] */
int cli_run_path(const char *state, struct rv_run_id run, const char *name, char out[PATH_MAX], struct rv_err *err);

#endif
