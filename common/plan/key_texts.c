/* key_texts.c - a sentence for every key of a plan file, for people
 *
 * Shown by `reeve help plan`, by reeve-plan(5) and, through docs/plan.schema.json, by editors. docs/plan.md says more.
 */
#include "schema.h"

struct key_text {
	uint8_t map, id;
	const char *text;
};

/* clang-format off */
#define P(key, text) { PLAN_MAP_PLAN, PLAN_P_##key, text }
#define U(key, text) { PLAN_MAP_UNIT, PLAN_U_##key, text }
#define A(key, text) { PLAN_MAP_AGENT, PLAN_A_##key, text }
#define L(key, text) { PLAN_MAP_LIMITS, PLAN_L_##key, text }
#define B(key, text) { PLAN_MAP_BUDGETS, PLAN_B_##key, text }
#define W(key, text) { PLAN_MAP_WORKSPACE, PLAN_W_##key, text }
#define R(key, text) { PLAN_MAP_RETRY, PLAN_R_##key, text }
#define M(key, text) { PLAN_MAP_MOCK, PLAN_M_##key, text }
#define PR(key, text) { PLAN_MAP_PREAMBLE, PLAN_PR_##key, text }
#define V(key, text) { PLAN_MAP_VERIFY, PLAN_V_##key, text }
#define F(key, text) { PLAN_MAP_FOR_EACH, PLAN_F_##key, text }
#define E(key, text) { PLAN_MAP_EVIDENCE, PLAN_E_##key##_key, text }
#define C(key, text) { PLAN_MAP_CREDENTIAL, PLAN_C_##key, text }

static const struct key_text texts[] = {
	P(version, "the version of this format: 1"),
	P(name, "what the run is called in lists"),
	P(units, "the units of work: an array, or a map from id to unit"),
	P(max_workers, "how many units of this run may be at work at once; 0: as many as the nodes have room for"),
	P(on_failure, "what a failed unit means for the others: isolate lets them go on, fail_fast cancels them, finish starts nothing new"),
	P(order, "which ready unit starts first: the one with the longest way still to go, or the order of the ids"),
	P(placement, "which node a unit goes to"),
	P(context, "values that every unit is given and its texts may name"),
	P(timeout_s, "seconds the whole run may take; 0: no limit"),
	P(lost_after_s, "seconds after which the units of a silent node are run elsewhere"),
	P(keep_logs, "whose logs come to the coordinator: none, those of failed units (their end), or all"),
	P(limits, "when the run as a whole has had enough"),
	P(workspace, "the tree of files that units work in, and how they share it"),
	P(agents, "who does the work: a map from a name to a profile or a command"),
	P(credentials, "pools of API keys for the gateway"),
	P(locks, "named semaphores of the whole cluster, with how many may hold each"),
	P(defaults, "keys that every unit has unless it says otherwise"),
	P(compat_env, "variables of other tools that units are given besides reeve's"),
	P(verify, "a last step after all units have succeeded"),

	U(id, "the unit's name, unique within the plan"),
	U(description, "what the unit is about, for people; its prompt where it has none of its own"),
	U(prompt, "what the agent is asked to do; {{key}} is filled from the context"),
	U(prompt_file, "a file with the prompt, relative to the plan"),
	U(template, "whether {{key}} is filled: in the unit's texts (auto), in its prompt_file too (on), or nowhere (off)"),
	U(agent, "which agent does it: a name from agents, a built-in profile, or several that are equal"),
	U(command, "the program and its arguments, never a shell string"),
	U(trigger_rule, "what must be true of the dependencies before it starts"),
	U(depends_on, "ids of the units that come before it"),
	U(dependencies, "another name of depends_on"),
	U(allowed_directories, "what it may write, relative to the workspace; two units with overlapping ones never run at once"),
	U(cwd, "the directory it starts in, relative to the workspace"),
	U(output, "json: what it hands on must parse"),
	U(env, "variables it is given"),
	U(secrets, "names of secrets it is given as variables"),
	U(network, "what it may reach"),
	U(gateway, "whether its agent goes through reeve's gateway"),
	U(credentials, "the pool of keys its agent uses"),
	U(accept, "a command that must succeed before the unit counts as done"),
	U(evidence, "what shows that it is done, besides the exit status"),
	U(context, "values over the plan's"),
	U(hold, "waits, when it is ready, until a person releases it"),
	U(unless, "a command run first: where it succeeds, the unit is done and nothing else of it is run"),
	U(priority, "greater ones start first: a number, or critical, high, medium, low"),
	U(estimate_s, "how long it is expected to take, for the order"),
	U(grace_s, "seconds between TERM and KILL when it is ended"),
	U(log_max_mb, "how much of its output is kept, its beginning and its end"),
	U(timeout_s, "seconds it may run; 0: no limit"),
	U(idle_timeout_s, "seconds it may show no sign of life; 0: no limit"),
	U(start_timeout_s, "seconds until its first output; 0: no limit"),
	U(queue_timeout_s, "seconds it may wait after it became ready; 0: no limit"),
	U(retry, "how often it is tried again, and when: a number or a map"),
	U(resources, "what it takes of a node while it runs, and its budgets"),
	U(labels, "labels the node must have; a value that begins with ! it must not have"),
	U(node, "the one node it may run on"),
	U(locks, "named semaphores it holds while it runs"),
	U(for_each, "makes one unit an item: an array, or a map that says where the items come from"),
	U(at_most_once, "never started twice: a lost one counts as failed"),
	U(capabilities, "what its session with reeve may do beyond the usual"),
	U(namespace, "whether it gets a directory of its own"),
	U(satisfied, "counts as done already"),
	U(mock, "how it behaves where the profile mock runs it, to rehearse what may go wrong"),

	A(profile, "a built-in way to run an agent"),
	A(model, "the model it is asked to use"),
	A(max_concurrent, "how many of its units may run at once in the run; 0: no limit"),
	A(limits, "what its units may use together in the run"),
	A(fallback, "agents tried in order when this one is exhausted"),
	A(rate_limit_exit_codes, "exit statuses that mean it was rate limited"),
	A(rate_limit_patterns, "texts in its output that mean it was rate limited"),
	A(home, "shared: the person's own home and login; private: one of its own for each attempt"),
	A(preamble, "what is put before the prompt: reeve's rules, nothing (off), or a file"),

	L(failed, "failed units after which nothing new starts; 0: no limit"),
	L(node_lost, "how many times a unit's node may be lost before the unit has failed"),
	L(environment, "how many times a unit may fail for its node's fault"),
	L(rate_limited, "how many times a unit may be rate limited"),
	L(tokens, "tokens that the whole run may use"),
	L(cost_usd, "what the whole run may cost"),
	L(cpu_seconds, "processor time that the whole run may use"),

	B(tokens, "tokens that the agent's units may use together"),
	B(cost_usd, "what the agent's units may cost together"),
	B(cpu_seconds, "processor time that the agent's units may use together"),

	W(mode, "none: units share no tree; shared: all work in the same one"),
	W(root, "where the tree is, relative to the plan"),
	W(overlap, "what overlapping allowed_directories mean: an error unless ordered (ordered) or always (strict), taking turns (serialize), nothing (allow)"),
	W(allow_write, "paths that every unit may write"),
	W(require_directories, "whether agent units must say what they write"),
	W(namespace_root, "where the units' own directories are made"),
	W(enforce, "how allowed_directories are kept"),
	W(allow_read, "paths outside the workspace that units may read"),

	R(max, "how many more tries"),
	R(backoff, "how the wait between tries grows"),
	R(base_s, "the first wait in seconds"),
	R(max_s, "the longest wait in seconds"),
	R(jitter, "which part of a wait is left to chance"),
	R(on, "the classes of failure that are tried again"),
	R(agent, "another agent for the last try"),

	M(delay_s, "seconds it takes"),
	M(rate_limited, "how many first tries are turned away by a rate limit"),
	M(retry_after_s, "seconds that a try which is turned away is told to wait; 0: it is told none"),
	M(hang, "how many tries after those say nothing and do not end: a time limit has to end them"),
	M(fail, "how many tries after those fail"),
	M(output, "what it answers"),
	M(tokens, "how many tokens it says it used"),
	M(cost_usd, "dollars that it says it cost"),

	PR(text, "the text itself"),

	V(command, "the program and its arguments"),
	V(timeout_s, "seconds it may run"),
	V(profile, "mock: it succeeds and runs nothing, as with --mock"),

	F(file, "a file with the items: .json an array, .jsonl a value a line, else a text a line"),
	F(count, "the items are the numbers from 1 to this"),
	F(same_as, "the items of this template, each unit depending on its counterpart"),

	E(type, "what shows that the unit is done: its exit status, an artifact, or both"),
	E(required, "patterns that each must match an artifact"),

	C(provider, "whose keys they are"),
	C(keys_from_env, "the variable, or NAME_1, NAME_2, ..., that holds them"),
	C(keys_file, "a file of mode 0600 that holds them"),
	C(base_url, "where the provider is"),
	C(models, "which models they are for"),
	C(max_concurrent, "how many requests at once"),
	C(expose, "env: a key is put into the unit's environment"),
	C(on_exhausted, "whether units wait for a key or fail when there is none"),
	C(limits, "what may be used of the pool"),
};
/* clang-format on */

const char *plan_key_text(const struct plan_key *key)
{
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(texts); i++)
		if (texts[i].map == key->map && texts[i].id == key->id)
			return texts[i].text;
	return NULL;
}
