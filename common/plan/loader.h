/* loader.h - what the parts of the loader share; private to common/plan
 *
 * The way of a plan: load.c reads bytes into a tree (json.c, yaml.c) -> document.c walks the plan's own keys -> units.c
 * makes each unit, its settings merged by settings.c and stored once by intern.c -> deps.c resolves dependencies and
 * looks for cycles -> instances.c -> texts.c checks {{keys}} -> dirs.c checks overlaps -> digest.c. walk.c holds the
 * checks by the table of keys. Faults are added to `diags` and loading goes on, so that all of them are told at once.
 */
#ifndef PLAN_LOADER_H
#define PLAN_LOADER_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/map.h"
#include "diag.h"
#include "plan.h"
#include "schema.h"
#include "tree.h"

#define PLAN_UNIT_LACKS_DIRS 0x80000000u /* in plan_unit.flags while loading: an agent unit without directories */
#define PLAN_DEP_PENDING 0x80000000u /* a dependency on a name not seen yet: its index in `pending` */

/* A growing array of bytes-like things, reused from unit to unit. */
struct plan_vec {
	void *at;
	uint32_t count, capacity;
};

struct plan_pair {
	struct rv_str key, value;
};

/* Settings on their way: scalars in `s`, lists in vectors, and which keys were given (their defaults depend on the kind
 * of unit, which is known last). */
struct plan_draft {
	struct plan_settings s;
	uint64_t given;            /* bit per PLAN_U_* */
	bool retry_max_given;
	uint8_t retry_level, once_level; /* where retry.max and at_most_once were set: 1 defaults, 2 agent, 3 unit */
	bool cpus_given;
	uint8_t budget_level, retry_agent_level; /* where resources.tokens or .cost_usd, and retry.agent were set */
	struct plan_vec env;       /* struct plan_env, in order of first mention */
	struct plan_vec labels;    /* struct plan_label */
	struct plan_vec resources; /* struct plan_resource */
	struct plan_vec locks;     /* uint32_t */
	struct plan_vec required;  /* struct rv_str */
	struct plan_vec context;   /* struct plan_pair: JSON text values */
	struct plan_vec extra;     /* struct plan_pair: x- keys */
	/* what defaults and agents may set although it is a unit's own; NULL / .at NULL: nothing */
	struct rv_str prompt;
	bool prompt_is_file;
	const struct plan_argv *command;
	const struct plan_dirs *dirs;
	const struct plan_for_each *for_each;
	uint64_t estimate_us;
	uint32_t agent;            /* defaults.agent; PLAN_NONE: not given */
	bool agent_bad;            /* named, but unknown: told already */
};

/* One agent, or none: what a unit of it starts from. */
struct plan_base {
	struct plan_draft draft;
	bool ready;
	const struct plan_settings *settings[2]; /* finished, by agent_unit, for units that set nothing */
	struct rv_str context, extra;            /* texts of the draft's, made once */
};

struct plan_agent_more {
	const uint32_t *found[2];  /* of its map's walk in the first tree and in that of --set; NULL: not there */
	uint32_t map[2];
	bool agent_profile;        /* units without a command of their own are agent units */
};

struct plan_intern {
	struct rv_strmap map;
	struct plan_vec values; /* const void * */
};

struct plan_loader {
	const struct plan_load_options *opt;
	struct plan_load_options no_options;
	struct plan *plan;
	struct plan_diags *diags;
	struct plan_tree *tree;       /* the one being walked */
	struct plan_tree first;       /* the whole file, or the first of JSON lines */
	struct plan_tree line_tree;   /* JSON lines: the unit at hand */
	struct plan_tree set_tree;    /* --set */
	bool lines;
	uint32_t line;                /* JSON lines: the one at hand */
	bool no_memory;
	struct rv_err *err;           /* of the load: for what is no fault of the plan */
	uint64_t seed;
	struct rv_arena scratch;      /* until the load ends */
	struct rv_buf text;           /* for whoever needs a buffer for a moment */
	struct plan_cursor cursor;    /* of unit positions */
	struct plan_map_index index[PLAN_MAPS];

	struct plan_draft defaults;
	struct plan_base none;        /* units without an agent: defaults alone */
	struct plan_vec bases;        /* struct plan_base *, by agent; NULL: not made yet */
	struct plan_vec agents;       /* struct plan_agent */
	struct plan_vec agents_more;  /* struct plan_agent_more */
	struct rv_strmap agent_names;
	uint32_t default_agent;       /* entry `default`, or the only one */
	struct rv_strmap lock_names;
	struct plan_draft work;       /* the unit at hand */
	struct plan_vec context;      /* plan's: struct plan_pair */
	uint32_t more_defaults;       /* opt->head: of the file of units, in line_tree; PLAN_NONE */
	bool mode_given, require_given;
	bool any_dirs;
	const struct plan_argv *verify_command;
	uint64_t verify_timeout_us;
	bool verify_mocked;
	struct plan_pos verify_pos;
	uint32_t verify_node;         /* of its command, in the first tree; PLAN_NONE: from --set */

	struct plan_intern settings, argvs, dirs, texts;

	struct rv_strmap unit_names;
	uint32_t unit_capacity;
	struct plan_vec unit_nodes;   /* uint32_t: node of each unit's map; whole files only */
	struct plan_vec pending;      /* struct rv_str: names not seen when they were named */
	struct rv_strmap pending_names;
	struct plan_vec same_as;      /* uint32_t: units whose for_each has same_as, to be resolved */
	uint64_t edges_written;
	uint32_t *topo;               /* units in an order that follows dependencies; deps.c */
	uint32_t *topo_place;         /* the place of each in it */
	bool cyclic;
};

/* --- faults --- */

/* At a node of the tree being walked; gives what plan_diag_add() gives, with the key path set. */
struct plan_diag *plan_error_at(struct plan_loader *l, enum plan_code code, uint32_t node, const char *fmt, ...)
	RV_PRINTF(4, 5);
/* At a unit once all are read: at its key `key` (and there, at the string `part`) where the tree is still there, else at its line. Either may be
 * .at NULL. */
struct plan_diag *plan_error_unit(struct plan_loader *l, enum plan_code code, uint32_t unit, struct rv_str key,
				  struct rv_str part, const char *fmt, ...) RV_PRINTF(6, 7);
/* -1, and the load ends with RV_E_NO_MEMORY. */
int plan_no_memory(struct plan_loader *l);

/* --- walk.c --- */

/* Checks every key and value of a map by the table. found[id] is the node of each value that holds, PLAN_NONE for others.
 * -1: something was wrong (told). found has PLAN_KEYS_MAX places. */
int plan_walk(struct plan_loader *l, uint32_t map, enum plan_map_id id, uint32_t *found);
/* Checks a map with free keys. Values that do not hold are told; the caller meets them again by plan_value_holds(). */
bool plan_value_holds(const struct plan_loader *l, const struct plan_key *key, uint32_t value);

/* --- vectors --- */

void *plan_vec_add(struct plan_loader *l, struct plan_vec *v, size_t item_bytes); /* zeroed; NULL: no memory */
int plan_vec_copy(struct plan_loader *l, struct plan_vec *to, const struct plan_vec *from, size_t item_bytes);
void plan_vec_release(struct plan_vec *v);
#define PLAN_VEC_AT(v, T, i) (((T *)(v)->at)[i])

/* --- intern.c: equal content, one copy --- */

void plan_intern_init(struct plan_intern *in, uint64_t seed);
void plan_intern_release(struct plan_intern *in);
struct rv_str plan_intern_text(struct plan_loader *l, struct rv_str s); /* .at NULL: no memory */
const struct plan_argv *plan_intern_argv(struct plan_loader *l, const struct rv_str *arg, uint32_t count);
const struct plan_dirs *plan_intern_dirs(struct plan_loader *l, const struct rv_str *path, uint32_t count,
					 uint32_t filled);
/* The draft's variables, kept with the plan; NULL: no memory. */
const struct plan_env *plan_store_env(struct plan_loader *l, const struct plan_draft *d);
const struct plan_settings *plan_intern_settings(struct plan_loader *l, const struct plan_draft *d);

/* --- settings.c: drafts --- */

void plan_draft_init(struct plan_draft *d);
struct plan_mock plan_mock_standard(void);
void plan_draft_release(struct plan_draft *d);
int plan_draft_copy(struct plan_loader *l, struct plan_draft *to, const struct plan_draft *from);
/* Sets what found[] gives (a walk of UNIT, DEFAULTS or AGENT keys) over what the draft has. `level` 1 defaults, 2 agent, 3
 * unit. `map` is the node walked, for its x- keys. */
int plan_draft_apply(struct plan_loader *l, struct plan_draft *d, uint32_t map, const uint32_t *found, int level);
/* The values whose defaults depend on the kind of unit. */
void plan_draft_finish(struct plan_draft *d, bool agent_unit);
/* {"a":1,...} of pairs; "" when there are none. Interned. */
struct rv_str plan_pairs_text(struct plan_loader *l, const struct plan_vec *pairs);
int plan_pairs_put(struct plan_loader *l, struct plan_vec *pairs, struct rv_str key, struct rv_str json);
uint64_t plan_node_us(const struct plan_loader *l, uint32_t node); /* seconds to microseconds */
double plan_node_number(const struct plan_loader *l, uint32_t node);
int64_t plan_node_int(const struct plan_loader *l, uint32_t node);
const struct plan_argv *plan_read_argv(struct plan_loader *l, uint32_t node);

/* --- document.c --- */

/* The plan's own keys, all but units; *units is their node. */
int plan_read_document(struct plan_loader *l, uint32_t *units);
/* The agent of that name; built-in profiles get an entry when first named. PLAN_NONE: unknown. */
uint32_t plan_agent_named(struct plan_loader *l, struct rv_str name);
/* What units of this agent (PLAN_NONE: of none) start from. NULL: no memory. */
struct plan_base *plan_base_of(struct plan_loader *l, uint32_t agent);
/* Reads the words of --set into set_tree, before the document is read. */
int plan_read_sets(struct plan_loader *l, struct rv_err *err);
/* --context FILE over the plan's context (load.c). -1: err says why. */
int plan_read_context_file(struct plan_loader *l);
/* Values of the plan's context, over what is there; keys are interned. */
int plan_put_context(struct plan_loader *l, uint32_t map);

/* --- budgets.c --- */

/* An agent's `limits` and `preamble`, once its profile is known. */
void plan_agent_limits(struct plan_loader *l, struct plan_agent *a, uint32_t map);
int plan_agent_preamble(struct plan_loader *l, struct plan_agent *a, uint32_t node);
void plan_check_budgets(struct plan_loader *l); /* of all units */

/* --- ways.c --- */

struct plan_way {
	uint32_t agent;               /* PLAN_NONE: none */
	const struct plan_argv *command;
	enum plan_profile profile;
	bool agent_unit;              /* before --mock */
	bool unknown;                 /* told; the plan is refused */
};

struct plan_way plan_find_way(struct plan_loader *l, const uint32_t *found, uint32_t unit);
void plan_mock_way(struct plan_loader *l, struct plan_way *w); /* where --mock says so */
void plan_way_becomes_mock(struct plan_loader *l, struct plan_way *w);
/* The agent named by a value of the key `agent`; unknown ones are told and noted. */
uint32_t plan_unit_agent(struct plan_loader *l, uint32_t node, bool *unknown);

/* --- paths.c --- */

/* As plan_dir_put(), by the code: PLAN_CODES where it has a form. */
enum plan_code plan_dir_normalise(struct rv_str s, struct rv_buf *out, const char **why);
/* An array of them; entries with {{...}} stay as they are if `templates`. NULL: told, or no memory. */
const struct plan_dirs *plan_read_dirs(struct plan_loader *l, uint32_t node, bool templates);

/* --- units.c --- */

/* Prompt, command, directories, items of a walk of DEFAULTS or AGENT keys (an agent's command is its launch, not this). */
int plan_draft_own(struct plan_loader *l, struct plan_draft *d, const uint32_t *found, bool command);
/* A unit; `key` is the node of its id where units are a map, else PLAN_NONE. */
struct plan_unit *plan_next_unit(struct plan_loader *l); /* room behind the last unit, zeroed; NULL: no memory */
int plan_read_unit(struct plan_loader *l, uint32_t node, uint32_t key);
int plan_read_units(struct plan_loader *l, uint32_t node);
int plan_read_verify(struct plan_loader *l, uint32_t node); /* applied from the file, then from --set */
int plan_finish_verify(struct plan_loader *l);

/* --- items.c: for_each and the files a plan names --- */

/* NULL: told, or no memory. */
const struct plan_for_each *plan_read_for_each(struct plan_loader *l, uint32_t node);
/* A unit's own, or one of defaults; same_as still names: an index, or PLAN_DEP_PENDING. */
uint32_t plan_name_ref(struct plan_loader *l, struct rv_str name); /* PLAN_NONE: no memory */
/* Reads a file named by the plan; the caller's rv_buf. -1 told at the node. */
int plan_read_named_file(struct plan_loader *l, uint32_t node, size_t limit, struct rv_buf *out);

/* --- deps.c, instances.c, texts.c, dirs.c, digest.c: once all units are read --- */

int plan_resolve(struct plan_loader *l);    /* names to units, same_as; cycles; topo */
int plan_check_instances(struct plan_loader *l); /* ids of templates' units; counts */
int plan_check_texts(struct plan_loader *l);
int plan_check_dirs(struct plan_loader *l);
int plan_check_tree(struct plan_loader *l); /* ondisk.c */
int plan_digest(struct plan_loader *l);

#endif
