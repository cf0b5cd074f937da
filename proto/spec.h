/* spec.h - what a node needs to know to run a unit, before anything is filled in
 *
 * Made by coordinator/core/graph from a plan unit, stored encoded in the run's arena, carried in DISPATCH frames (units of
 * one template share one), rendered by the node (common/plan/template). Only what differs from its default is encoded,
 * so that a plain command costs its argv and a few bytes.
 */
#ifndef PROTO_SPEC_H
#define PROTO_SPEC_H

#include "common/buf.h"
#include "common/err.h"

/* How it is launched and its output read. CLAUDE and CODEX are processes; `argv` of their specs is empty. */
enum proto_agent_kind { PROTO_AGENT_COMMAND, PROTO_AGENT_NOOP, PROTO_AGENT_MOCK, PROTO_AGENT_CLAUDE, PROTO_AGENT_CODEX };
enum proto_home { PROTO_HOME_NONE, PROTO_HOME_SHARED }; /* SHARED: the person's own, with its login; NONE: no matter */
enum proto_preamble { PROTO_PREAMBLE_BUILT_IN, PROTO_PREAMBLE_OFF, PROTO_PREAMBLE_TEXT };
enum proto_output_mode { PROTO_OUTPUT_TEXT, PROTO_OUTPUT_JSON };
enum proto_evidence_mode { PROTO_EVIDENCE_EXIT, PROTO_EVIDENCE_ARTIFACT, PROTO_EVIDENCE_ARTIFACT_AND_EXIT };
enum proto_namespace_mode { PROTO_NAMESPACE_AUTO, PROTO_NAMESPACE_ALWAYS, PROTO_NAMESPACE_NEVER };
enum proto_keep_logs { PROTO_LOGS_FAILED, PROTO_LOGS_NODE, PROTO_LOGS_ALL };

enum proto_spec_flag {
	PROTO_SPEC_AGENT_UNIT = 1u << 0,     /* takes an agent slot; environment is filtered */
	PROTO_SPEC_TEMPLATED = 1u << 1,      /* command, accept, unless, env, cwd or directories hold {{...}}: fill before use (PLAN_UNIT_FILL) */
	PROTO_SPEC_FILL_PROMPT = 1u << 2,    /* so does the prompt (PLAN_UNIT_FILL_PROMPT); else it stays as it is */
	PROTO_SPEC_NAMESPACE = 1u << 3,      /* gets a namespace (plan-format: namespace auto, resolved) */
	PROTO_SPEC_AT_MOST_ONCE = 1u << 4,
	PROTO_SPEC_EXCLUSIVE = 1u << 5,      /* could hurt a successor (directories, locks, at_most_once): frozen when the lease is over */
	PROTO_SPEC_HAS_DIRS = 1u << 6,       /* allowed_directories is present, maybe empty */
	PROTO_SPEC_NO_WORKSPACE = 1u << 7,   /* workspace mode none */
	PROTO_SPEC_NEEDS_DEPS = 1u << 8,     /* wants the outputs of its dependencies */
	PROTO_SPEC_RALPH_ENV = 1u << 9,      /* gets the RALPH_* variables besides ours */
};

struct proto_pair {
	struct rv_str key, value;
};

struct proto_spec {
	enum proto_agent_kind agent_kind;
	uint32_t flags; /* proto_spec_flag */
	struct rv_str agent; /* its name in the plan, "" for a command unit's own command */
	struct rv_str model;
	const struct rv_str *argv; /* as written */
	uint32_t argc;
	const struct proto_pair *env; /* agent's then unit's, merged */
	uint32_t env_count;
	struct rv_str description;
	struct rv_str prompt;       /* text; the description where the plan has none */
	struct rv_str context;      /* compact JSON object: plan's with the unit's over it; "" = {} */
	struct rv_str x_keys;       /* compact JSON object of the unit's x- keys; "" = none */
	struct rv_str cwd;          /* relative to the workspace; "" = its root */
	const struct rv_str *dirs;  /* allowed_directories, normalised */
	uint32_t dir_count;
	enum proto_output_mode output_mode;
	enum proto_evidence_mode evidence_mode;
	const struct rv_str *evidence_globs;
	uint32_t evidence_glob_count;
	enum proto_keep_logs keep_logs;
	uint64_t grace_us;          /* default RV_GRACE_US_DEFAULT */
	uint64_t log_max_bytes;
	uint64_t timeout_us, idle_timeout_us, start_timeout_us; /* 0 = none */
	uint64_t cpus;              /* slots */
	uint64_t memory_bytes;      /* admitted; 0 = none asked */
	const struct proto_pair *resources; /* every one but cpus: name, amount as decimal text */
	uint32_t resource_count;
	const int32_t *rate_limit_exit_codes;
	uint32_t rate_limit_exit_code_count;
	const struct rv_str *rate_limit_patterns;
	uint32_t rate_limit_pattern_count;
	uint64_t mock_delay_us;     /* default 100000 */
	uint32_t mock_fail;         /* how many first tries fail, after those of mock_rate_limited and mock_hang */
	struct rv_str mock_output;  /* "" = "[AGENT] processed: ..." */
	const struct rv_str *accept; /* argv of its acceptance command, as written; filled as argv is; accept_count 0: none */
	uint32_t accept_count;
	const struct rv_str *unless; /* argv run first: exit 0 = succeeded, reason satisfied, nothing else is run */
	uint32_t unless_count;
	enum proto_home home;       /* CLAUDE, CODEX: SHARED */
	enum proto_preamble preamble; /* what stands before the prompt of an agent with a profile: the built-in text, nothing, or: */
	struct rv_str preamble_text;
	uint64_t mock_tokens;       /* output tokens that a mock attempt says it used */
	uint32_t mock_rate_limited, mock_hang; /* how many first tries are turned away, how many after those hang; then come mock_fail */
	uint64_t mock_retry_after_us; /* what one that is turned away is told; default 1 s; 0: nothing */
	uint64_t mock_cost_microusd; /* that it says it cost */
};

/* The spec with every default set. */
void proto_spec_init(struct proto_spec *s);
/* Appends the encoded form (a msgpack map of what differs from proto_spec_init). */
int proto_spec_encode(const struct proto_spec *s, struct rv_buf *out);

struct rv_arena;
/* Reads what proto_spec_encode wrote; texts borrow from `bytes`, arrays come from `arena`. The bytes are scanned first. */
int proto_spec_decode(struct rv_str bytes, struct rv_arena *arena, struct proto_spec *out, struct rv_err *err);

#endif
