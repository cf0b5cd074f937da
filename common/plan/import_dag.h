/* import_dag.h - a graph of tasks with times and cores becomes a plan of sleeping units
 *
 * The neutral format: {"name":..,"tasks":[{"id":"A","runtime_s":1.25,"cores":1,"deps":["B"]},...]}; other keys are
 * ignored. Each task becomes `sleep RUNTIME` with estimate_s and resources.cpus; ids are mapped into reeve's alphabet
 * without two becoming one, the old one kept as x-id.
 */
#ifndef PLAN_IMPORT_DAG_H
#define PLAN_IMPORT_DAG_H

#include "common/buf.h"
#include "common/err.h"

struct plan_import_dag {
	double scale;       /* of runtime_s */
	uint32_t max_cores; /* more become this many; 0: no limit */
	const char *name;   /* in errors */
};

/* Appends the plan as JSON, a unit a line. `source` is NUL-terminated one past its bytes. */
int plan_import_dag(struct rv_str source, const struct plan_import_dag *how, struct rv_buf *out, struct rv_err *err);

#endif
