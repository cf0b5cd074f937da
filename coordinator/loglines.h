/* loglines.h - what a coordinator writes to its log of the things that happen: a line each, with run, unit, attempt and node where it applies
 *
 * info: nodes, runs, keys and tokens come and go, units fail or are to be tried again; warn: a node is silent or broken, an attempt is lost or
 * refused; debug: all else that becomes of units.
 */
#ifndef COORD_LOGLINES_H
#define COORD_LOGLINES_H

#include "common/log.h"
#include "coordinator/core/io.h"
#include "proto/record.h"

void coord_log_transition(const struct rv_log *log, const struct coord *core, const struct coord_transition *t);
/* Keys, tokens, and what people do to nodes and runs; other facts have their transitions. */
void coord_log_fact(const struct rv_log *log, const struct coord *core, const struct proto_fact *f);

#endif
