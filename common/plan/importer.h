/* importer.h - what the readers of other tools' formats share; private to common/plan
 *
 * The way of one: open (the file becomes a tree), tasks (how many), id of each, edges between them, order (repeated edges go, cycles are
 * refused), then the units are written in the order of the tasks. Every failure is told with its place.
 */
#ifndef PLAN_IMPORTER_H
#define PLAN_IMPORTER_H

#include "common/arena.h"
#include "common/map.h"
#include "import.h"
#include "tree.h"

struct plan_import_task {
	struct rv_str old, id; /* as the file has it; in reeve's alphabet */
	uint32_t node;         /* of its map */
	uint32_t id_node;      /* where its id stands */
	uint32_t deps, dep_count; /* in plan_importer.dep, after order */
};

struct plan_importer {
	struct plan_import *how;
	struct plan_tree t;
	struct rv_buf *out;
	struct rv_err *err;
	struct rv_arena arena;
	struct rv_strmap old_ids; /* to task numbers; aliases, too */
	struct rv_strmap new_ids;
	struct plan_import_task *tasks;
	uint32_t count;
	struct rv_buf edges;      /* uint32_t child, parent, node of the reference */
	uint32_t *dep;            /* after order: parents, task by task, in the file's order */
};

/* Reads the source; `m` may be closed whatever happened. */
int plan_importer_open(struct plan_importer *m, struct rv_str source, struct plan_import *how, struct rv_buf *out, struct rv_err *err);
void plan_importer_close(struct plan_importer *m);

/* Room for that many; RV_E_LIMIT over RV_UNITS_MAX. `what` is what the format calls them. */
int plan_importer_tasks(struct plan_importer *m, uint32_t count, const char *what);
int plan_importer_id(struct plan_importer *m, uint32_t task, struct rv_str old, uint32_t node, uint32_t id_node);
/* Another name by which the task may be referred to, where no task has it yet. */
int plan_importer_alias(struct plan_importer *m, uint32_t task, struct rv_str name);
/* `task` waits for the one that the string at `node` names. */
int plan_importer_edge(struct plan_importer *m, uint32_t task, uint32_t node);
/* An array of such strings, absent or null: none; `key` for the error. */
int plan_importer_edges(struct plan_importer *m, uint32_t task, uint32_t node, const char *key);
/* The task that the string at `node` names waits for `task`. */
int plan_importer_edge_back(struct plan_importer *m, uint32_t task, uint32_t node);
int plan_importer_order(struct plan_importer *m);

/* --- what the file holds --- */

/* RV_E_PLAN at the node: -1. */
int plan_importer_fail(const struct plan_importer *m, uint32_t node, const char *fmt, ...) RV_PRINTF(3, 4);
int plan_importer_no_memory(const struct plan_importer *m);
/* The value of a map's key, UINT32_MAX where it is absent or null. */
uint32_t plan_importer_get(const struct plan_importer *m, uint32_t map, const char *key);
bool plan_importer_is(const struct plan_importer *m, uint32_t node, enum plan_kind kind);
/* The number of a key in 0..max, `fallback` where it is absent. */
int plan_importer_number(const struct plan_importer *m, uint32_t map, const char *key, double fallback, double max, double *out);
/* Refuses keys that are nearly one of `known` (ends with NULL) without being one. */
int plan_importer_keys(const struct plan_importer *m, uint32_t map, const char *const *known);

/* --- writing --- */

/* {"version":1,"name":NAME: of the string at `node`, else the file's. */
void plan_importer_put_head(struct plan_importer *m, uint32_t name_node);
/* {"id":ID of the task, after a comma where it is not the first. */
void plan_importer_put_id(struct plan_importer *m, uint32_t task);
void plan_importer_put_deps(struct plan_importer *m, uint32_t task);
/* ,"x-id": where it says something: true. */
bool plan_importer_put_old_id(struct plan_importer *m, uint32_t task);
/* ,"x-KEY":VALUE of each key that is none of `known`. Refused where that is one of `written` (ends with NULL) or another key of the map. */
int plan_importer_put_rest(struct plan_importer *m, uint32_t map, const char *const *known, const char *const *written);
/* A JSON string in which nothing is a template but the keys that `context` (a map's node, UINT32_MAX: none) and the task's dependencies fill. */
void plan_importer_put_text(struct plan_importer *m, uint32_t task, struct rv_str text, uint32_t context);
/* Seconds, to microseconds, without zeros behind. */
void plan_importer_put_seconds(struct rv_buf *out, double s);
/* ,"resources":{"cpus":N}: whole ones, at most max_cores. */
void plan_importer_put_cores(struct plan_importer *m, double cores);
/* ,"command":["sleep",S],"estimate_s":S */
void plan_importer_put_sleep(struct plan_importer *m, double runtime_s);
/* Names come out as reeve's; `taken` has those that are taken. Copied to the arena; .at NULL: no memory. */
struct rv_str plan_importer_map_name(struct plan_importer *m, struct rv_strmap *taken, struct rv_str old, uint32_t value, size_t bytes_max);
/* "NAME":{"profile":P} as --agent says, else mock. */
void plan_importer_put_agent(struct plan_importer *m, struct rv_str name, struct rv_str old);
/* Each --agent names one of `names` (old ones). */
int plan_importer_agents_known(struct plan_importer *m, const struct rv_str *names, uint32_t count);
int plan_importer_end(struct plan_importer *m); /* ]} and whether all of it found room */

#endif
