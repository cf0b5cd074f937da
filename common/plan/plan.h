/* plan.h - a plan file as structs: every value resolved, nothing left to look up
 *
 * A plan is what docs/plan.md describes. The loader reads JSON, YAML or JSON lines, checks the whole of it and gives
 * either a struct plan in which every rule of that text holds, or diagnostics (diag.h). Units keep only what is their
 * own; everything that `defaults`, an agent or the unit can set lies in a `struct plan_settings`, already merged
 * (built-in < defaults < agents.NAME < unit) and interned by content, so that a million equal units share one. A
 * for_each template is one unit with `instances` > 1 possible; it is never expanded here.
 *
 * Ownership: a plan owns one arena; everything reachable from it lives until plan_destroy().
 * Texts are NUL-terminated one past .bytes; texts called "JSON" are compact JSON (no blanks outside strings).
 * Equal settings, argv, dirs and contexts of one plan are the same pointer.
 * Times are microseconds; 0 means "none" unless said otherwise.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "common/arena.h"
#include "common/base.h"
#include "common/err.h"

#define PLAN_NONE UINT32_MAX
#define PLAN_DIGEST_BYTES 32
#define PLAN_VERIFY_ID "__verify__"

enum plan_on_failure { PLAN_ISOLATE, PLAN_FAIL_FAST, PLAN_FINISH };
enum plan_order { PLAN_ORDER_CRITICAL_PATH, PLAN_ORDER_ID };
enum plan_placement { PLAN_LEAST_BUSY, PLAN_ROUND_ROBIN, PLAN_PACK };
enum plan_keep_logs { PLAN_LOGS_FAILED, PLAN_LOGS_NODE, PLAN_LOGS_ALL };
enum plan_mode { PLAN_MODE_NONE, PLAN_MODE_SHARED };
enum plan_overlap { PLAN_OVERLAP_ORDERED, PLAN_OVERLAP_STRICT, PLAN_OVERLAP_SERIALIZE, PLAN_OVERLAP_ALLOW };
enum plan_enforce { PLAN_ENFORCE_AUTO, PLAN_ENFORCE_OFF };
enum plan_profile { PLAN_PROFILE_COMMAND, PLAN_PROFILE_MOCK, PLAN_PROFILE_NOOP, PLAN_PROFILE_CLAUDE, PLAN_PROFILE_CODEX };
enum plan_preamble { PLAN_PREAMBLE_BUILT_IN, PLAN_PREAMBLE_OFF, PLAN_PREAMBLE_TEXT };
enum plan_trigger { PLAN_ALL_SUCCESS, PLAN_ALL_DONE, PLAN_ALL_DONE_MIN_ONE_SUCCESS };
enum plan_output { PLAN_OUTPUT_TEXT, PLAN_OUTPUT_JSON };
enum plan_evidence { PLAN_EVIDENCE_EXIT, PLAN_EVIDENCE_ARTIFACT_AND_EXIT, PLAN_EVIDENCE_ARTIFACT };
enum plan_backoff { PLAN_BACKOFF_EXPONENTIAL, PLAN_BACKOFF_LINEAR, PLAN_BACKOFF_NONE };
enum plan_template_mode { PLAN_TEMPLATE_AUTO, PLAN_TEMPLATE_ON, PLAN_TEMPLATE_OFF };
enum plan_namespace { PLAN_NAMESPACE_AUTO, PLAN_NAMESPACE_ALWAYS, PLAN_NAMESPACE_NEVER };

/* The words of the plan file for each of these ("fail_fast", "artifact_and_exit", ...). */
const char *plan_on_failure_name(enum plan_on_failure v);
const char *plan_order_name(enum plan_order v);
const char *plan_placement_name(enum plan_placement v);
const char *plan_keep_logs_name(enum plan_keep_logs v);
const char *plan_mode_name(enum plan_mode v);
const char *plan_overlap_name(enum plan_overlap v);
const char *plan_profile_name(enum plan_profile v);
const char *plan_trigger_name(enum plan_trigger v);
const char *plan_evidence_name(enum plan_evidence v);

/* Bits of plan_retry.on: the classes of failure that earn one more try. */
#define PLAN_RETRY_ON_AGENT 1u
#define PLAN_RETRY_ON_TIMEOUT 2u
#define PLAN_RETRY_ON_EVIDENCE 4u

/* Where something stands in the plan file; lines and columns (characters) count from 1; 0: nowhere. */
struct plan_pos {
	uint32_t line;
	uint32_t col;
};

/* argv: arg[count] is NULL, so that &argv->arg[0] can be handed to exec once nothing is left to fill in. */
struct plan_argv {
	uint32_t count;    /* >= 1 */
	uint8_t fills_keys;   /* some argument holds {{...}} */
	uint8_t fills_places; /* some argument holds one of {prompt}, {item}, ... (template.h) */
	const char *arg[];
};

/* allowed_directories: normalised ("a/b", "." = the whole workspace), sorted bytewise, no repeats.
 * Templated entries ({{item}}) stay as written, unsorted among themselves, after the others. */
struct plan_dirs {
	uint32_t count;   /* 0: an explicit [], read-only */
	uint32_t filled;  /* how many of them, at the end, hold {{...}} */
	struct rv_str path[];
};

struct plan_env {
	struct rv_str name;
	struct rv_str value; /* may hold {{...}} */
	bool own;            /* a unit's: it names it itself, and it stands whatever agent runs it */
};

struct plan_label {
	struct rv_str name;
	struct rv_str value; /* without the "!" */
	bool must_not;       /* the node must not have name=value */
};

struct plan_resource {
	struct rv_str name;  /* memory_mb, disk_mb, gpus, or what a node declares; never cpus */
	uint64_t milli;      /* thousandths, > 0 */
};

struct plan_retry {
	uint32_t max;
	enum plan_backoff backoff;
	uint64_t base_us;
	uint64_t max_us;
	uint32_t jitter_ppm; /* 100000 = 10 % */
	uint32_t on;         /* PLAN_RETRY_ON_* */
	uint32_t agent;      /* of the last try, into plan->agents; PLAN_NONE: the same */
};

/* What may be used of a model; 0: no limit. */
struct plan_budget {
	uint64_t tokens;
	uint64_t cost_microusd;
};

/* How the mock profile behaves. First so many tries are turned away, then so many hang, then so many fail. */
struct plan_mock {
	uint64_t delay_us;       /* default 0.1 s */
	uint32_t rate_limited, hang, fail;
	uint64_t retry_after_us; /* that one which is turned away is told to wait; default 1 s; 0: it is not told */
	uint64_t tokens, cost_microusd; /* that a try which came to its end says it used */
	struct rv_str output;    /* text (a string as it is, anything else as JSON); "" = "[AGENT] processed: ..." */
};

/* Everything that defaults, agents.NAME and a unit can set, merged. Interned. */
struct plan_settings {
	uint32_t index;           /* its place in plan->settings */
	uint32_t agent;           /* into plan->agents; PLAN_NONE: own command and no agent named */
	enum plan_profile profile; /* what runs: COMMAND has unit->command */
	bool agent_unit;          /* false: a command unit (own command, or profile command or noop) */
	bool at_most_once;
	bool satisfied;           /* counts as succeeded, never runs */
	bool hold;                /* when ready it waits for a person's release */
	enum plan_trigger trigger;
	enum plan_output output;
	enum plan_evidence evidence;
	enum plan_template_mode template_mode;
	enum plan_namespace namespace_mode;
	int32_t priority;
	uint32_t slots;           /* resources.cpus rounded up; 0 possible for agent units only */
	uint64_t cpus_milli;      /* as written */
	uint64_t timeout_us, idle_timeout_us, start_timeout_us, queue_timeout_us;
	uint64_t grace_us;
	uint64_t log_max_bytes;
	struct plan_retry retry;
	struct plan_budget budget; /* of one unit, all its attempts */
	struct plan_mock mock;
	const struct plan_argv *accept, *unless; /* NULL: none */
	struct rv_str cwd;        /* "" = workspace root (mode none: see docs); may hold {{...}} */
	struct rv_str node;       /* pin; "" none */
	uint32_t env_count, label_count, resource_count, lock_count, required_count;
	const struct plan_env *env;            /* sorted by name */
	const struct plan_label *labels;       /* sorted by name */
	const struct plan_resource *resources; /* sorted by name */
	const uint32_t *locks;                 /* into plan->locks, ascending */
	const struct rv_str *required;         /* evidence.required: globs */
};

struct plan_for_each {
	uint32_t count;
	uint32_t same_as;            /* template whose items these are, each unit depending on its counterpart; or PLAN_NONE */
	const struct rv_str *items;  /* JSON texts; NULL: the numbers 1..count */
	struct rv_str id_template;   /* `id: fix-{{item.name}}` as written; "" = <id>-0001... */
	uint32_t digits;             /* of the number in <id>-0001 */
};

/* Bits of plan_unit.flags. */
#define PLAN_UNIT_TEMPLATE 1u      /* for_each != NULL: stands for for_each->count units, possibly 0 */
#define PLAN_UNIT_NAMESPACE 2u     /* its attempts get a namespace (rule of `namespace` applied) */
#define PLAN_UNIT_FILL 4u          /* its command, accept, unless, env, cwd or directories hold {{...}} to be filled */
#define PLAN_UNIT_FILL_PROMPT 8u   /* its prompt (or description standing in) does */
#define PLAN_UNIT_PROMPT_FILE 16u  /* its prompt came from a prompt_file */
#define PLAN_UNIT_OUTER 64u        /* not of this plan: a unit of the run that it is added to, which others depend on */
#define PLAN_UNIT_USES_CONTEXT 32u /* something of it reads the context: {{...}}, {context_file}, or it has a namespace */

struct plan_unit {
	const struct plan_settings *settings;
	const struct plan_argv *command;    /* what settings->profile COMMAND runs; else NULL */
	const struct plan_dirs *dirs;       /* NULL: no allowed_directories: not confined, part of no exclusion */
	const struct plan_for_each *for_each;
	const uint32_t *deps;               /* indices into plan->units, in the order written, no repeats, never itself */
	uint32_t dep_count;
	uint32_t flags;
	struct rv_str id;                   /* of a template: as depends_on names it */
	struct rv_str description;
	struct rv_str prompt;               /* the description where nothing else is given */
	struct rv_str context;              /* JSON object, over the plan's; "" = nothing of its own */
	struct rv_str extra;                /* JSON object of its x- keys; "" = none */
	uint64_t estimate_us;               /* estimate_s; PLAN_ESTIMATE_NONE: not given */
	struct plan_pos pos;                /* of its id's value (else of the unit) */
};

#define PLAN_ESTIMATE_NONE UINT64_MAX

struct plan_agent {
	struct rv_str name;
	enum plan_profile profile;
	bool built_in;                    /* not in the plan's table: a built-in profile named by a unit */
	const struct plan_argv *command;  /* NULL but for COMMAND */
	struct rv_str model;
	uint32_t max_concurrent;          /* 0: no limit */
	struct plan_mock mock;            /* of what it runs in another agent's place */
	struct plan_budget budget;        /* of all its units in the run */
	enum plan_preamble preamble;
	struct rv_str preamble_text;      /* PLAN_PREAMBLE_TEXT */
	uint32_t rate_limit_exit_count, rate_limit_pattern_count;
	const uint8_t *rate_limit_exit_codes;
	uint32_t env_count;
	const struct plan_env *env;       /* of units that set none: its own over that of `defaults`; not of a built-in one, see plan->env */
	const struct rv_str *rate_limit_patterns; /* parts of a line of output, letters' case ignored */
	struct plan_pos pos;
};

struct plan_lock {
	struct rv_str name;
	uint32_t count;
};

struct plan_limits {
	uint32_t failed;       /* 0: none */
	uint32_t node_lost;    /* 3 */
	uint32_t environment;  /* 3 */
	uint32_t rate_limited; /* 20 */
	struct plan_budget budget; /* of the whole run */
};

struct plan_workspace {
	enum plan_mode mode;
	enum plan_overlap overlap;
	enum plan_enforce enforce;
	bool require_directories;
	struct rv_str root;           /* absolute where the plan's own directory is known */
	struct rv_str namespace_root; /* "" = default */
	struct rv_str id;             /* of the shared tree, on a cluster: no part of the file, whoever submits the plan tells it; "" = none */
};

struct plan {
	struct rv_arena arena;
	struct rv_str name;
	struct rv_str dir;           /* the plan file's directory, absolute; "" = unknown */
	uint32_t max_workers;        /* 0: no limit */
	enum plan_on_failure on_failure;
	enum plan_order order;
	enum plan_placement placement;
	enum plan_keep_logs keep_logs;
	bool compat_ralph;           /* units see the RALPH_* variables besides ours */
	uint64_t timeout_us;
	uint64_t lost_after_us;      /* 0: by kind of unit (RV_LOST_AFTER_US_*) */
	struct plan_limits limits;
	struct plan_workspace workspace;
	struct rv_str context;       /* JSON object; "{}" at least */
	struct plan_agent *agents;
	uint32_t agent_count;
	struct plan_lock *locks;
	uint32_t lock_count;
	struct rv_str defaults;      /* of the file and of --set, as they stand there, a JSON array of maps: for units that are added. "" = none */
	const struct plan_env *env;  /* of `defaults` */
	uint32_t env_count;
	const struct plan_settings *const *settings; /* every interned one, by index */
	uint32_t settings_count;
	struct plan_unit *units;     /* in the order of the file */
	uint32_t unit_count;
	const struct plan_unit *verify; /* id __verify__; NULL: none; not among units */
	uint64_t instance_count;     /* units once templates are expanded, <= RV_UNITS_MAX */
	uint64_t edge_count;         /* dependencies once expanded, <= RV_EDGES_MAX */
	bool open;                   /* its run stays open for more units: no part of the file, whoever submits it tells */
	uint8_t digest[PLAN_DIGEST_BYTES]; /* over what units run: equal = `--resume` may go on */
};

/* Whether a variable of this name is one that compat_env: [ralph] sets. */
bool plan_env_is_ralph(struct rv_str name);

/* Destroys the plan, nulls the pointer; NULL is fine. */
void plan_destroy(struct plan **plan);

/* --- templates --- */

/* How many units of the run this one stands for: 1, or for_each->count. */
static inline uint32_t plan_unit_instances(const struct plan_unit *u)
{
	return u->for_each ? u->for_each->count : 1;
}

/* The id of instance k (from 0) with its NUL into out[RV_UNIT_ID_BYTES_MAX + 1]; gives its length. The unit's own id where
 * it is no template. */
size_t plan_instance_id(const struct plan_unit *u, uint32_t k, char *out);

/* The item of instance k as JSON, into `scratch` (24 bytes) where it is a number of 1..count. */
struct rv_str plan_instance_item(const struct plan_unit *u, uint32_t k, char *scratch);

/* Dependencies of one instance once expanded: joins of whole templates and, with same_as, the one counterpart. */
uint64_t plan_unit_edges(const struct plan *p, const struct plan_unit *u);

/* Digest of what one unit runs, its dependencies' not included: a changed plan keeps units where these are equal. */
void plan_unit_digest(const struct plan *p, const struct plan_unit *u, uint8_t out[PLAN_DIGEST_BYTES]);

/* Index of the unit (or template) of this id, PLAN_NONE; linear, for command lines. */
uint32_t plan_find_unit(const struct plan *p, struct rv_str id);

/* --- loading --- */

enum plan_format { PLAN_FORMAT_AUTO, PLAN_FORMAT_JSON, PLAN_FORMAT_YAML };
enum plan_mock_mode { PLAN_MOCK_OFF, PLAN_MOCK_AGENTS, PLAN_MOCK_ALL };

struct plan_load_options {
	enum plan_mock_mode mock;      /* --mock: everything becomes the mock profile; --mock=agents: agents only */
	const char *const *sets;       /* --set KEY=VALUE, dotted plan-level scalars, in order */
	uint32_t set_count;
	const char *context_file;      /* --context FILE: over the plan's context; NULL none */
	const char *dir;               /* what relative paths are read against; NULL: the file's directory, else "." */
	bool no_hold;                  /* gates stand open: `hold` says nothing */
	bool check_tree;               /* look whether allowed_directories lead out of a workspace that is on this machine */
	const char *shown_name;        /* in diagnostics; NULL: the path as given */
	const char *default_name;      /* of a plan without `name`; NULL: the file's name without its extension */
	size_t line_bytes_max;         /* of JSON lines; 0: RV_PLAN_LINE_BYTES_MAX */
	bool outer;                    /* units may depend on some that are not there: they get stubs behind the plan's units (PLAN_UNIT_OUTER) */
	struct rv_str head;            /* .at NULL: none. A plan without units as one line of JSON: what is read is a plan file with `units` (and
	                                * perhaps `defaults`) alone, or JSON lines of units, and this is the rest of it */
	bool head_defaults;            /* the head's own `defaults` are for the units, too, before those of the file */
	bool names_no_files;           /* it comes from elsewhere: no file that it names is read here (E_CONFLICT) */
};

struct plan_diags;

/* Reads, parses and checks a plan; `path` "-" reads JSON lines from standard input. 0: *out is the caller's, `diags` may
 * hold warnings. -1: `err` (RV_E_PLAN with its errors in `diags`, or the environment's fault). opt may be NULL. */
int plan_load_file(const char *path, const struct plan_load_options *opt, struct plan **out,
		   struct plan_diags *diags, struct rv_err *err);

int plan_load_bytes(struct rv_str bytes, enum plan_format format, const struct plan_load_options *opt,
		    struct plan **out, struct plan_diags *diags, struct rv_err *err);

/* JSON lines: the plan without units, then one unit a line. `read` works as read(2): bytes given, 0 at the end, -1. */
typedef long plan_read_fn(void *arg, void *to, size_t room);
int plan_load_lines(plan_read_fn *read, void *arg, const struct plan_load_options *opt, struct plan **out,
		    struct plan_diags *diags, struct rv_err *err);

struct rv_buf;
/* Appends one of a unit's allowed_directories in its one form: parts separated by a slash, "." the whole workspace. -1: it may be none, *why
 * says so for people. */
int plan_dir_put(struct rv_str s, struct rv_buf *out, const char **why);

/* What a person wrote as one line in place of an argv. Has it something that only a shell reads? */
bool plan_line_needs_shell(struct rv_str line);
/* Appends the argv as a plan may have it: `sleep 1` as [sleep, "1"], or [sh, -c, "sleep 1"]. */
void plan_put_words(struct rv_str line, struct rv_buf *out);
void plan_put_shell(struct rv_str line, struct rv_buf *out);

#endif
