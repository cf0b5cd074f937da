/* schema.h - one table of every key of a plan file
 *
 * The loader checks types, ranges and words by it, refuses what this version does not execute yet by it, and finds the
 * nearest name by it; docs/plan.schema.json is made from it, and a test compares docs/plan.md with it.
 */
#ifndef PLAN_SCHEMA_H
#define PLAN_SCHEMA_H

#include "tree.h"

/* Kinds a value may have, as a set. A REAL without fraction counts as INT; NUMBER takes both. */
#define PLAN_IS_NULL (1u << PLAN_NULL)
#define PLAN_IS_BOOL (1u << PLAN_BOOL)
#define PLAN_IS_INT (1u << PLAN_INT)
#define PLAN_IS_NUMBER (1u << PLAN_INT | 1u << PLAN_REAL)
#define PLAN_IS_STRING (1u << PLAN_STRING)
#define PLAN_IS_ARRAY (1u << PLAN_ARRAY)
#define PLAN_IS_MAP (1u << PLAN_MAP)
#define PLAN_IS_SCALAR (PLAN_IS_STRING | PLAN_IS_NUMBER | PLAN_IS_BOOL)
#define PLAN_IS_ANY 127u

#define PLAN_COST_USD_MAX 1e9 /* in millionths as far from overflow as tokens are */

/* What a string has to look like. */
enum plan_rule {
	PLAN_RULE_NONE,
	PLAN_RULE_NAME,    /* 1..64 of [A-Za-z0-9._-] */
	PLAN_RULE_TEXT,    /* not empty */
	PLAN_RULE_ENV,     /* name of a variable: E_ENV */
	PLAN_RULE_CONTEXT, /* key of a context: E_CONTEXT_KEY */
	PLAN_RULE_UNIT,    /* a unit id: E_ID_FORMAT, E_ID_RESERVED (checked where units are built) */
};

enum plan_map_id {
	PLAN_MAP_NONE, /* a map whose keys are the user's names */
	PLAN_MAP_PLAN,
	PLAN_MAP_UNIT,
	PLAN_MAP_DEFAULTS,
	PLAN_MAP_AGENT,
	PLAN_MAP_LIMITS,
	PLAN_MAP_BUDGETS,
	PLAN_MAP_WORKSPACE,
	PLAN_MAP_RETRY,
	PLAN_MAP_MOCK,
	PLAN_MAP_PREAMBLE,
	PLAN_MAP_VERIFY,
	PLAN_MAP_FOR_EACH,
	PLAN_MAP_EVIDENCE,
	PLAN_MAP_CREDENTIAL,
	PLAN_MAPS
};

/* Bits of plan_key.where: the maps a key may stand in besides its own; its fate. */
#define PLAN_KEY_REQUIRED 1u
#define PLAN_KEY_UNIT_ONLY 2u   /* not in defaults and agents.NAME */
#define PLAN_KEY_NOT_AGENT 4u   /* not in agents.NAME */
#define PLAN_KEY_MOCKED 8u      /* concerns a profile: --mock refuses none of it */
#define PLAN_KEY_LATER 16u      /* refused unless it says nothing (false, [], {}, a standard 0) or `now` */

struct plan_key {
	const char *name;
	uint8_t map;           /* enum plan_map_id it belongs to */
	uint8_t id;            /* its number within that map's enum */
	uint8_t flags;
	uint8_t kinds;         /* of its value */
	uint8_t part_kinds;    /* of an array's elements, or of the values of a map with free keys */
	uint8_t inner;         /* enum plan_map_id of a map value, or of the values of a map with free keys */
	bool free_keys;        /* a map value has names for keys */
	uint8_t rule;          /* of a string value */
	uint8_t part_rule;     /* of an array's strings, or of free keys */
	double min, max;       /* of a number; of a string's length in characters where max > 0 */
	double part_min, part_max;
	uint32_t parts_max;    /* elements or pairs; 0: no limit of its own */
	const char *words;     /* of a string value, separated by blanks; NULL: any */
	const char *part_words;
	const char *now;       /* LATER: the words that this version does execute */
	const char *standard;  /* the default, as shown in the docs */
};

#define PLAN_PLAN_KEYS(X)                                                                          \
	X(version) X(name) X(units) X(max_workers) X(on_failure) X(order) X(placement) X(context)   \
	X(timeout_s) X(lost_after_s) X(keep_logs) X(limits) X(workspace) X(agents) X(credentials)   \
	X(locks) X(defaults) X(compat_env) X(verify)
#define PLAN_UNIT_KEYS(X)                                                                          \
	X(id) X(description) X(prompt) X(prompt_file) X(template) X(agent) X(command)               \
	X(trigger_rule) X(depends_on) X(dependencies) X(allowed_directories) X(cwd) X(output) X(env) \
	X(secrets) X(network) X(gateway) X(credentials) X(accept) X(evidence) X(context) X(hold)    \
	X(unless) X(priority) X(estimate_s) X(grace_s) X(log_max_mb) X(timeout_s) X(idle_timeout_s) \
	X(start_timeout_s) X(queue_timeout_s) X(retry) X(resources) X(labels) X(node) X(locks)      \
	X(for_each) X(at_most_once) X(capabilities) X(namespace) X(satisfied) X(mock)
#define PLAN_AGENT_KEYS(X)                                                                         \
	X(profile) X(model) X(max_concurrent) X(limits) X(fallback) X(rate_limit_exit_codes)        \
	X(rate_limit_patterns) X(home) X(preamble)
#define PLAN_LIMITS_KEYS(X)                                                                        \
	X(failed) X(node_lost) X(environment) X(rate_limited) X(tokens) X(cost_usd) X(cpu_seconds)
#define PLAN_BUDGETS_KEYS(X) X(tokens) X(cost_usd) X(cpu_seconds)
#define PLAN_WORKSPACE_KEYS(X)                                                                     \
	X(mode) X(root) X(overlap) X(allow_write) X(require_directories) X(namespace_root)          \
	X(enforce) X(allow_read)
#define PLAN_RETRY_KEYS(X) X(max) X(backoff) X(base_s) X(max_s) X(jitter) X(on) X(agent)
#define PLAN_MOCK_KEYS(X) X(delay_s) X(rate_limited) X(retry_after_s) X(hang) X(fail) X(output) X(tokens) X(cost_usd)
#define PLAN_PREAMBLE_KEYS(X) X(text)
#define PLAN_VERIFY_KEYS(X) X(command) X(timeout_s) X(profile)
#define PLAN_FOR_EACH_KEYS(X) X(file) X(count) X(same_as)
#define PLAN_EVIDENCE_KEYS(X) X(type) X(required)
#define PLAN_CREDENTIAL_KEYS(X)                                                                    \
	X(provider) X(keys_from_env) X(keys_file) X(base_url) X(models) X(max_concurrent)           \
	X(expose) X(on_exhausted) X(limits)

#define X(n) PLAN_P_##n,
enum { PLAN_PLAN_KEYS(X) PLAN_P_COUNT };
#undef X
/* agents.NAME takes unit keys too, so its own ones are numbered behind them. */
#define X(n) PLAN_U_##n,
enum { PLAN_UNIT_KEYS(X) PLAN_U_COUNT };
#undef X
#define X(n) PLAN_A_##n,
enum { PLAN_A_BEFORE = PLAN_U_COUNT - 1, PLAN_AGENT_KEYS(X) PLAN_A_COUNT };
#undef X
#define X(n) PLAN_L_##n,
enum { PLAN_LIMITS_KEYS(X) PLAN_L_COUNT };
#undef X
#define X(n) PLAN_B_##n,
enum { PLAN_BUDGETS_KEYS(X) PLAN_B_COUNT };
#undef X
#define X(n) PLAN_W_##n,
enum { PLAN_WORKSPACE_KEYS(X) PLAN_W_COUNT };
#undef X
#define X(n) PLAN_R_##n,
enum { PLAN_RETRY_KEYS(X) PLAN_R_COUNT };
#undef X
#define X(n) PLAN_M_##n,
enum { PLAN_MOCK_KEYS(X) PLAN_M_COUNT };
#undef X
#define X(n) PLAN_PR_##n,
enum { PLAN_PREAMBLE_KEYS(X) PLAN_PR_COUNT };
#undef X
#define X(n) PLAN_V_##n,
enum { PLAN_VERIFY_KEYS(X) PLAN_V_COUNT };
#undef X
#define X(n) PLAN_F_##n,
enum { PLAN_FOR_EACH_KEYS(X) PLAN_F_COUNT };
#undef X
#define X(n) PLAN_E_##n##_key,
enum { PLAN_EVIDENCE_KEYS(X) PLAN_E_COUNT };
#undef X
#define X(n) PLAN_C_##n,
enum { PLAN_CREDENTIAL_KEYS(X) PLAN_C_COUNT };
#undef X

#define PLAN_KEYS_MAX 64 /* of one map; found[] arrays have this many places */
_Static_assert(PLAN_A_COUNT <= PLAN_KEYS_MAX, "found[] has room for an agent's keys");

/* The keys a map may have, in the order of docs. An agent's are the unit's that it takes, then its own. */
struct plan_map_index {
	const struct plan_key *key[PLAN_KEYS_MAX];
	uint32_t count;
};

void plan_map_index(enum plan_map_id map, struct plan_map_index *out);

/* "plan", "unit", "agent", ... for sentences: a unit has no key "x". */
const char *plan_map_name(enum plan_map_id map);

/* The key of that name; NULL: none. */
const struct plan_key *plan_key_find(const struct plan_map_index *index, struct rv_str name);

/* What it is for, a sentence without a full stop (key_texts.c). Every key has one. */
const char *plan_key_text(const struct plan_key *key);

/* "a number", "an array of strings", "a string or a map": what the key's value has to be. Into out[128]. */
const char *plan_key_expected(const struct plan_key *key, char out[128]);

/* Appends the whole format as a JSON Schema (draft 2020-12), indented: docs/plan.schema.json. */
int plan_schema_json(struct rv_buf *out);

/* Is `word` one of `words` (separated by blanks)? Its number, or -1. */
int plan_word_index(const char *words, struct rv_str word);

#endif
