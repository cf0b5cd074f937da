/* graph.h - a run's tables, built and validated outside the step, then taken by the core
 *
 * One arena: units (instances; a for_each template is expanded to index ranges, not copies), edges in both directions
 * (compressed rows), placement classes, encoded specs (shared by a template's units), ranks, locks, directories, names.
 * The part that never changes is here, with the room for the part that does (unit states) beside it, so that the core
 * allocates nothing.
 *
 * Unit numbers: 0..count-1 in plan order, a template's instances side by side. `__verify__` is no unit of the graph: the
 * core's run holds it apart (coord_graph_verify_spec).
 */
#ifndef COORD_GRAPH_H
#define COORD_GRAPH_H

#include "common/err.h"
#include "proto/msg.h"
#include "proto/spec.h"

struct plan;
struct plan_limits;
struct coord_graph;

/* Builds from a validated plan. `estimates_us`: one a unit of the plan (template), 0 = none, may be NULL; taken into account where
 * the unit has no estimate_s; else 1 s. The plan may be destroyed afterwards. RV_E_LIMIT, RV_E_NO_MEMORY. */
int coord_graph_build(const struct plan *p, uint64_t run, const uint64_t *estimates_us, struct coord_graph **out, struct rv_err *err);
void coord_graph_destroy(struct coord_graph **g);

uint64_t coord_graph_run(const struct coord_graph *g);
struct rv_str coord_graph_name(const struct coord_graph *g);
uint32_t coord_graph_unit_count(const struct coord_graph *g);
uint64_t coord_graph_edge_count(const struct coord_graph *g);
/* May units be added to it at all? Then its plan without units, one line of JSON; else "". */
bool coord_graph_open(const struct coord_graph *g);
struct rv_str coord_graph_head(const struct coord_graph *g);
size_t coord_graph_bytes(const struct coord_graph *g);

#define COORD_UNIT_ID_BYTES 160 /* room for an id with its number */

/* The unit's id, written to `room` or borrowed. */
struct rv_str coord_graph_unit_id(const struct coord_graph *g, uint32_t unit, char room[COORD_UNIT_ID_BYTES]);
/* COORD_NONE (UINT32_MAX): no unit of that id. A template's id gives its first instance, *count how many (1 for a plain unit). */
uint32_t coord_graph_find(const struct coord_graph *g, struct rv_str id, uint32_t *count);
struct rv_str coord_graph_model(const struct coord_graph *g, uint32_t unit); /* of that agent, "" for its own choice */
struct rv_str coord_graph_agent(const struct coord_graph *g, uint32_t unit); /* agent name, "" for a plain command */
/* Units of one class need the same of a node and of locks: classes are numbered from 0, alike wherever the plan is built. */
uint32_t coord_graph_class(const struct coord_graph *g, uint32_t unit);
uint32_t coord_graph_class_count(const struct coord_graph *g);
/* Does a unit of it take slots for commands, does one take a slot for agents? */
void coord_graph_slots(const struct coord_graph *g, bool *commands, bool *agents);
struct rv_str coord_graph_spec(const struct coord_graph *g, uint32_t unit);  /* encoded proto_spec; same address for units that share it */
/* The item's JSON text: borrowed, or written to room (numbers of `count`); "" = no item. */
struct rv_str coord_graph_item(const struct coord_graph *g, uint32_t unit, char room[32]);
/* Dependencies of a unit, unit numbers in plan order. */
uint32_t coord_graph_dep_count(const struct coord_graph *g, uint32_t unit);
uint32_t coord_graph_dep(const struct coord_graph *g, uint32_t unit, uint32_t i);
bool coord_graph_needs_deps(const struct coord_graph *g, uint32_t unit); /* its attempts are handed their outputs */
/* Does some dependent want this unit's output? Else the shell need not keep it. */
bool coord_graph_output_wanted(const struct coord_graph *g, uint32_t unit);
/* The same of artifacts: are its attempts shown those of their dependencies, and are this unit's shown to some dependent? */
bool coord_graph_shows_artifacts(const struct coord_graph *g, uint32_t unit);
bool coord_graph_artifacts_wanted(const struct coord_graph *g, uint32_t unit);
/* How dependency i of `unit` is called in its context: `*name` the unit's or template's id, `*index` the place in the template's
 * array or COORD_NONE. */
void coord_graph_dep_name(const struct coord_graph *g, uint32_t unit, uint32_t i, char room[COORD_UNIT_ID_BYTES], struct rv_str *name, uint32_t *index);
/* The `x-id` of an imported plan, "" = none (export schedule). */
struct rv_str coord_graph_unit_x_id(const struct coord_graph *g, uint32_t unit);
/* Agents: the plan's in its order, then the built-in profiles. COORD_NONE: there is none of that name. */
uint32_t coord_graph_agent_find(const struct coord_graph *g, struct rv_str name);
uint32_t coord_graph_agent_of(const struct coord_graph *g, uint32_t unit); /* that the plan gives the unit; COORD_NONE: a command */
uint32_t coord_graph_agent_count(const struct coord_graph *g);
struct rv_str coord_graph_agent_model(const struct coord_graph *g, uint32_t agent); /* "" for its own choice */
struct rv_str coord_graph_agent_name(const struct coord_graph *g, uint32_t agent);
/* How many variables at the end of the unit's spec are its own, whatever agent runs it. */
uint32_t coord_graph_env_own(const struct coord_graph *g, uint32_t unit);
/* Is what another agent sets filled for the unit, where it holds {{...}}? */
bool coord_graph_fills(const struct coord_graph *g, uint32_t unit);
/* What the agent sets of a unit's spec, encoded; "": it runs no agent units. */
struct rv_str coord_graph_agent_spec(const struct coord_graph *g, uint32_t agent);
bool coord_graph_at_most_once(const struct coord_graph *g, uint32_t unit);
uint64_t coord_graph_cpus(const struct coord_graph *g, uint32_t unit);
/* The shared tree its units work in; id "": mode none, or nobody told one (plan_workspace.id). */
struct proto_workspace coord_graph_workspace(const struct coord_graph *g);
/* What the plan said of the run as a whole; a run that was changed since has others. */
uint32_t coord_graph_max_workers(const struct coord_graph *g);
const struct plan_limits *coord_graph_limits(const struct coord_graph *g);
/* The verify step's encoded spec, "" = none. */
struct rv_str coord_graph_verify_spec(const struct coord_graph *g);
/* Plan unit (template) that a unit came from, for learned estimates. */
uint32_t coord_graph_template(const struct coord_graph *g, uint32_t unit);
uint32_t coord_graph_template_count(const struct coord_graph *g);
struct rv_str coord_graph_template_id(const struct coord_graph *g, uint32_t template);

#endif
