#include "node/agents/command.h"

#include "common/limits.h"
#include "node/agents/profile.h"
#include "node/environment.h"

#include <stdio.h>
#include <unistd.h>

struct strv {
	struct rv_buf *bytes;
	uint32_t count;
};

static void put_pair(struct strv *v, const char *name, struct rv_str value)
{
	rv_buf_puts(v->bytes, name);
	rv_buf_put_str(v->bytes, value);
	rv_buf_putc(v->bytes, '\0');
	v->count++;
}

static void put_number(struct strv *v, const char *name, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put_pair(v, name, rv_str(digits + at, sizeof(digits) - at));
}

static void put_path(struct strv *v, const char *name, struct rv_str dir, const char *file)
{
	rv_buf_puts(v->bytes, name);
	rv_buf_put_str(v->bytes, dir);
	rv_buf_putc(v->bytes, '/');
	put_pair(v, file, rv_str(NULL, 0));
}

static void put_namespace(const struct node_scene *s, struct strv *v)
{
	struct rv_str ns = s->namespace;

	put_pair(v, "REEVE_NAMESPACE=", ns);
	put_path(v, "TMPDIR=", ns, NODE_DIR_TMP);
	put_path(v, "REEVE_ARTIFACTS=", ns, NODE_DIR_ARTIFACTS);
	put_path(v, "REEVE_HANDOFFS=", ns, NODE_DIR_HANDOFFS);
	if (s->has_prompt_file)
		put_path(v, "REEVE_PROMPT_FILE=", ns, NODE_FILE_PROMPT);
	put_path(v, "REEVE_CONTEXT_FILE=", ns, NODE_FILE_CONTEXT);
	put_path(v, "REEVE_OUTPUT_FILE=", ns, NODE_FILE_OUTPUT);
	put_path(v, "REEVE_MANIFEST=", ns, NODE_FILE_MANIFEST);
	if (s->has_deps_dir)
		put_path(v, "REEVE_DEPS=", ns, NODE_DIR_DEPS);
}

/* compat_env: what a worker of that tool looks for. There is no MCP endpoint yet: RALPH_MCP_ENDPOINT is unset. */
static void put_ralph(const struct node_scene *s, struct strv *v)
{
	put_pair(v, "RALPH_WORKER_ID=", s->dispatch.unit_id);
	put_pair(v, "RALPH_AGENT_LABEL_SCOPE=", rv_str_of(s->session));
	if (s->fd < 0)
		return;
	put_pair(v, "RALPH_WORKER_NAMESPACE=", s->namespace);
	put_path(v, "RALPH_WORKER_ARTIFACT_DIR=", s->namespace, NODE_DIR_ARTIFACTS);
	put_path(v, "RALPH_PARALLEL_WORKER_MANIFEST=", s->namespace, NODE_FILE_MANIFEST);
}

static int cannot_hold(const struct node_preparer *p, const struct proto_pair *wanted, enum node_holdings_took took, struct node_failure *why)
{
	if (took == NODE_HOLDINGS_NOT_WHOLE) {
		(void)rv_fail(&why->err, RV_E_PLAN, "it wants %.*s %.*s, and %.*s hands them out one by one", RV_STR_ARGS(wanted->value),
			      RV_STR_ARGS(wanted->key), RV_STR_ARGS(p->cfg->name));
		return node_failure_of(why, PROTO_CLASS_CONFIG, PROTO_REASON_SPAWN);
	}
	(void)rv_fail(&why->err, RV_E_BUSY, "it wants %.*s %.*s, and attempts that could not be ended hold what is left of %.*s's",
		      RV_STR_ARGS(wanted->value), RV_STR_ARGS(wanted->key), RV_STR_ARGS(p->cfg->name));
	return node_failure_of(why, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
}

/* Which ones it holds of what the node hands out piece by piece, of the rest how much. */
static int put_resources(struct node_preparer *p, const struct node_scene *s, struct strv *v, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;

	for (uint32_t i = 0; i < spec->resource_count; i++) {
		struct rv_str name = spec->resources[i].key, value = spec->resources[i].value;
		enum node_holdings_took took;

		rv_buf_reset(&p->path);
		took = node_holdings_take(&p->holdings, name, value, s->owner, &p->path);
		if (took == NODE_HOLDINGS_NOT_WHOLE || took == NODE_HOLDINGS_HELD)
			return cannot_hold(p, &spec->resources[i], took, why);
		if (took == NODE_HOLDINGS_TAKEN)
			value = rv_buf_str(&p->path);
		rv_buf_puts(v->bytes, "REEVE_RESOURCE_");
		rv_buf_put_str(v->bytes, name);
		put_pair(v, "=", value);
		if (took == NODE_HOLDINGS_TAKEN && rv_str_equal(name, RV_STR("gpus"))) {
			put_pair(v, "CUDA_VISIBLE_DEVICES=", value);
			put_pair(v, "ROCR_VISIBLE_DEVICES=", value);
		}
	}
	return 0;
}

/* What reeve itself tells; the session's label comes from the warden, the node's name with the base. */
static int put_ours(struct node_preparer *p, const struct node_scene *s, struct strv *v, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;

	put_pair(v, "REEVE_RUN_ID=", rv_str_of(s->run_id));
	put_pair(v, "REEVE_UNIT_ID=", s->dispatch.unit_id);
	put_number(v, "REEVE_ATTEMPT=", s->dispatch.key.attempt);
	put_number(v, "REEVE_TRY=", s->dispatch.try_number);
	if (!(spec->flags & PROTO_SPEC_NO_WORKSPACE) && p->place->workspace.bytes)
		put_pair(v, "REEVE_WORKSPACE=", p->place->workspace);
	if (s->dirs.bytes)
		put_pair(v, "REEVE_ALLOWED_DIRS=", s->dirs);
	if (s->deadline_s)
		put_number(v, "REEVE_DEADLINE=", s->deadline_s);
	if (spec->cpus)
		put_number(v, "REEVE_RESOURCE_cpus=", spec->cpus);
	if (put_resources(p, s, v, why) < 0)
		return -1;
	if (s->fd >= 0)
		put_namespace(s, v);
	if (spec->flags & PROTO_SPEC_RALPH_ENV)
		put_ralph(s, v);
	return 0;
}

static int config_fault(struct node_failure *why)
{
	return node_failure_of(why, PROTO_CLASS_CONFIG, PROTO_REASON_TEMPLATE);
}

/* --- what an agent with a profile needs of our environment ----------------------------------------------------------------- */

static bool in_spec(const struct proto_spec *spec, struct rv_str name)
{
	for (uint32_t i = 0; i < spec->env_count; i++)
		if (rv_str_equal(spec->env[i].key, name))
			return true;
	return false;
}

/* "NAME=value" of our own environment; NULL: it is not there. */
static const char *of_ours(const struct node_daemon_config *cfg, struct rv_str name)
{
	for (size_t i = 0; cfg->env && cfg->env[i]; i++)
		if (strncmp(cfg->env[i], name.at, name.bytes) == 0 && cfg->env[i][name.bytes] == '=')
			return cfg->env[i];
	return NULL;
}

static void pass_names(const struct node_preparer *p, const struct proto_spec *spec, const char *const *names, size_t max, struct strv *v)
{
	for (size_t i = 0; i < max && names[i]; i++) {
		struct rv_str name = rv_str_of(names[i]);
		const char *pair = in_spec(spec, name) ? NULL : of_ours(p->cfg, name);

		if (pair)
			put_pair(v, pair, rv_str(NULL, 0));
	}
}

static void set_pair(const struct node_preparer *p, const struct proto_spec *spec, const char *pair, bool even_ours, struct strv *v)
{
	struct rv_str name = rv_str(pair, strcspn(pair, "="));

	if (!in_spec(spec, name) && (even_ours || !of_ours(p->cfg, name)))
		put_pair(v, pair, rv_str(NULL, 0));
}

/* Its login is the person's own: their home, and the keys they use with it. */
static void put_profile_env(const struct node_preparer *p, const struct proto_spec *spec, struct strv *v)
{
	const struct node_profile *profile = node_profile_of(spec->agent_kind);

	if (!profile)
		return;
	pass_names(p, spec, profile->pass, RV_ARRAY_LEN(profile->pass), v);
	pass_names(p, spec, profile->keys, RV_ARRAY_LEN(profile->keys), v);
	for (size_t i = 0; i < RV_ARRAY_LEN(profile->set) && profile->set[i]; i++)
		set_pair(p, spec, profile->set[i], false, v);
	if (profile->root_set && geteuid() == 0)
		set_pair(p, spec, profile->root_set, true, v); /* it takes no other value */
}

static int put_env(struct node_preparer *p, struct node_scene *s, struct strv *v, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;

	put_profile_env(p, spec, v);
	if (s->spec->env_fixed) {
		rv_buf_put_str(v->bytes, rv_buf_str(&s->spec->env));
		v->count += s->spec->env_count;
	}
	for (uint32_t i = 0; !s->spec->env_fixed && i < spec->env_count; i++) {
		size_t from = v->bytes->bytes;

		rv_buf_put_str(v->bytes, spec->env[i].key);
		rv_buf_putc(v->bytes, '=');
		if (node_scene_fill(s, spec->env[i].value, NULL, v->bytes, why) < 0)
			return -1;
		if (memchr(v->bytes->at + from, '\0', v->bytes->bytes - from)) {
			(void)rv_fail(&why->err, RV_E_PLAN, "variable %.*s would hold a NUL", RV_STR_ARGS(spec->env[i].key));
			return config_fault(why);
		}
		rv_buf_putc(v->bytes, '\0');
		v->count++;
	}
	return put_ours(p, s, v, why);
}

/* --- argv ------------------------------------------------------------------------------------------------------------- */

/* A place whose text is made in p->path; the buffer may move while others are added. */
struct made {
	enum plan_place place;
	size_t at, bytes;
};

static struct made make_path(struct node_preparer *p, const struct node_scene *s, enum plan_place place, const char *file)
{
	size_t at = p->path.bytes;

	rv_buf_put_str(&p->path, s->namespace);
	rv_buf_putc(&p->path, '/');
	rv_buf_puts(&p->path, file);
	return (struct made){ .place = place, .at = at, .bytes = p->path.bytes - at };
}

static struct made make_item(struct node_preparer *p, const struct node_scene *s)
{
	size_t at = p->path.bytes;

	(void)plan_json_text(s->dispatch.item, &p->path); /* an item that is no JSON was refused with the plan */
	return (struct made){ .place = PLAN_PLACE_ITEM, .at = at, .bytes = p->path.bytes - at };
}

/* Places that stand for files of the namespace are unknown where there is none, and stay as written. */
static void set_places(struct node_preparer *p, const struct node_scene *s, struct plan_places *places)
{
	const struct proto_spec *spec = &s->spec->spec;
	struct made made[4];
	uint32_t count = 0;

	rv_buf_reset(&p->path);
	memset(places, 0, sizeof(*places));
	places->value[PLAN_PLACE_PROMPT] = rv_str(s->prompt.at ? s->prompt.at : "", s->prompt.bytes);
	places->value[PLAN_PLACE_UNIT_ID] = s->dispatch.unit_id;
	places->value[PLAN_PLACE_MODEL] = rv_str(spec->model.at ? spec->model.at : "", spec->model.bytes);
	if (!(spec->flags & PROTO_SPEC_NO_WORKSPACE))
		places->value[PLAN_PLACE_WORKSPACE] = p->place->workspace;
	if (s->dispatch.item.bytes)
		made[count++] = make_item(p, s);
	if (s->fd >= 0) {
		places->value[PLAN_PLACE_NAMESPACE] = s->namespace;
		made[count++] = make_path(p, s, PLAN_PLACE_CONTEXT_FILE, NODE_FILE_CONTEXT);
		made[count++] = make_path(p, s, PLAN_PLACE_MANIFEST, NODE_FILE_MANIFEST);
		made[count++] = make_path(p, s, PLAN_PLACE_PROMPT_FILE, NODE_FILE_PROMPT);
	}
	for (uint32_t i = 0; i < count; i++)
		places->value[made[i].place] = rv_str(p->path.at + made[i].at, made[i].bytes);
}

static int too_long(struct node_failure *why)
{
	(void)rv_fail(&why->err, RV_E_PLAN, "the command's arguments are larger than %zu KiB", RV_ARGV_BYTES_MAX >> 10);
	return config_fault(why);
}

/* `p->path` holds what the places stand for: set_places() came first. */
static int fill_words(struct node_scene *s, const struct plan_places *places, const struct rv_str *words, uint32_t count, struct strv *v,
		      struct node_failure *why)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t from = v->bytes->bytes;

		if (node_scene_fill(s, words[i], places, v->bytes, why) < 0)
			return -1;
		if (memchr(v->bytes->at + from, '\0', v->bytes->bytes - from)) {
			(void)rv_fail(&why->err, RV_E_PLAN, "argument %u of the command would hold a NUL", i);
			return config_fault(why);
		}
		if (v->bytes->bytes > RV_ARGV_BYTES_MAX)
			return too_long(why);
		rv_buf_putc(v->bytes, '\0');
		v->count++;
	}
	return 0;
}

static int fill_argv(struct node_preparer *p, struct node_scene *s, struct strv *v, struct node_failure *why)
{
	struct plan_places places;

	set_places(p, s, &places);
	return fill_words(s, &places, s->spec->spec.argv, s->spec->spec.argc, v, why);
}

/* --- several commands in a row ------------------------------------------------------------------------------------------- */

/* TOML: codex may write there besides in its working directory. */
static void put_writable(const struct node_scene *s, struct rv_buf *out)
{
	rv_buf_puts(out, "sandbox_workspace_write.writable_roots=[");
	rv_buf_put_json(out, s->namespace);
	rv_buf_putc(out, ']');
}

/* An argument of a profile's list that stands for a value; false: there is none. */
static bool put_value(const struct node_scene *s, const char *arg, struct rv_buf *out)
{
	const struct proto_spec *spec = &s->spec->spec;

	if (strcmp(arg, NODE_ARG_MODEL) == 0) {
		rv_buf_put_str(out, spec->model);
		return spec->model.bytes > 0;
	}
	if (strcmp(arg, NODE_ARG_BUDGET_USD) == 0) {
		uint64_t left = s->dispatch.cost_left_microusd;

		rv_buf_printf(out, "%llu.%06llu", (unsigned long long)(left / 1000000), (unsigned long long)(left % 1000000));
		return left > 0;
	}
	put_writable(s, out);
	return true;
}

static void put_profile_argv(const struct node_preparer *p, const struct node_scene *s, const struct node_profile *profile, struct strv *v)
{
	struct rv_str program = node_profile_program(p->cfg, profile);

	put_pair(v, "", program);
	for (size_t i = 0; i < RV_ARRAY_LEN(profile->args) && profile->args[i]; i++) {
		const char *next = i + 1 < RV_ARRAY_LEN(profile->args) ? profile->args[i + 1] : NULL;
		size_t before = v->bytes->bytes;

		put_pair(v, profile->args[i], rv_str(NULL, 0));
		if (!next || next[0] != '{')
			continue;
		i++;
		if (put_value(s, next, v->bytes)) {
			rv_buf_putc(v->bytes, '\0');
			v->count++;
		} else {
			v->bytes->bytes = before;
			v->count--;
		}
	}
}

static int fill_step(struct node_preparer *p, struct node_scene *s, const struct plan_places *places, enum node_step step, struct node_step_argv *out,
		     struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;
	const struct node_profile *profile = node_profile_of(spec->agent_kind);
	struct strv v = { .bytes = &p->step[step] };
	int rc = 0;

	rv_buf_reset(&p->step[step]);
	if (step == NODE_STEP_UNLESS)
		rc = fill_words(s, places, spec->unless, spec->unless_count, &v, why);
	else if (step == NODE_STEP_ACCEPT)
		rc = fill_words(s, places, spec->accept, spec->accept_count, &v, why);
	else if (profile)
		put_profile_argv(p, s, profile, &v);
	else
		rc = fill_words(s, places, spec->argv, spec->argc, &v, why);
	*out = (struct node_step_argv){ .bytes = rv_buf_str(v.bytes), .count = v.count };
	return rc;
}

static int fill_steps(struct node_preparer *p, struct node_scene *s, struct strv *v, struct node_failure *why)
{
	struct node_step_argv step[NODE_STEPS];
	struct plan_places places;
	struct rv_str prompt = RV_STR("");

	if (s->fd < 0) {
		(void)rv_fail(&why->err, RV_E_PLAN, "accept, unless and agents with a profile need a namespace");
		return config_fault(why);
	}
	set_places(p, s, &places);
	for (int i = 0; i < NODE_STEPS; i++)
		if (fill_step(p, s, &places, (enum node_step)i, &step[i], why) < 0)
			return -1;
	if (node_profile_of(s->spec->spec.agent_kind))
		prompt = RV_STR(NODE_FILE_PROMPT);
	rv_buf_reset(&p->file);
	rv_buf_put_str(&p->file, s->namespace);
	rv_buf_puts(&p->file, "/" NODE_FILE_STEPS);
	rv_buf_reset(&p->text);
	if (prompt.bytes) {
		rv_buf_put_str(&p->text, s->namespace);
		rv_buf_putc(&p->text, '/');
		rv_buf_put_str(&p->text, prompt);
	}
	(void)node_steps_argv(p->cfg->program, rv_buf_str(&p->file), prompt.bytes ? rv_buf_str(&p->text) : RV_STR(""), step, v->bytes, &v->count);
	return v->bytes->bytes > RV_ARGV_BYTES_MAX ? too_long(why) : 0; /* that there was memory for it is looked at last */
}

/* Something of it would be cut, or a count say more words than there are. */
static bool was_cut(const struct node_preparer *p)
{
	bool cut = p->env.failed || p->argv.failed || p->path.failed || p->file.failed || p->text.failed;

	for (int i = 0; i < NODE_STEPS; i++)
		cut |= p->step[i].failed;
	return cut;
}

static void set_limits(const struct proto_spec *spec, struct warden_spawn *w)
{
	w->slots = (uint32_t)spec->cpus;
	w->agent_slots = spec->flags & PROTO_SPEC_AGENT_UNIT ? 1 : 0;
	w->log_bytes_max = spec->log_max_bytes;
	w->wall_us = spec->timeout_us;
	w->idle_us = spec->idle_timeout_us;
	w->start_us = spec->start_timeout_us;
	w->grace_us = spec->grace_us;
	w->uid = w->gid = w->umask = WARDEN_KEEP;
}

static int no_memory(struct node_failure *why)
{
	(void)rv_fail(&why->err, RV_E_NO_MEMORY, "no memory to start a unit");
	return node_failure_of(why, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
}

int node_command_spawn(struct node_preparer *p, struct node_scene *s, struct warden_spawn *w, struct node_failure *why)
{
	struct strv argv = { .bytes = &p->argv }, env = { .bytes = &p->env };

	memset(w, 0, sizeof(*w));
	rv_buf_reset(&p->argv);
	rv_buf_reset(&p->env);
	if (put_env(p, s, &env, why) < 0)
		return -1;
	w->argv = (struct warden_strv){ .count = s->spec->argv_count, .bytes = rv_buf_str(&s->spec->argv) };
	if (!s->spec->argv_fixed || node_spec_has_steps(&s->spec->spec)) {
		if ((node_spec_has_steps(&s->spec->spec) ? fill_steps(p, s, &argv, why) : fill_argv(p, s, &argv, why)) < 0)
			return -1;
		w->argv = (struct warden_strv){ .count = argv.count, .bytes = rv_buf_str(&p->argv) };
	}
	if (was_cut(p))
		return no_memory(why);
	w->env_base = s->spec->spec.flags & PROTO_SPEC_AGENT_UNIT ? NODE_ENV_AGENT : NODE_ENV_COMMAND;
	w->env_set = (struct warden_strv){ .count = env.count, .bytes = rv_buf_str(&p->env) };
	w->cwd = s->cwd;
	w->label = rv_str_of(s->session);
	w->log_id = (struct warden_log_id){ .run = s->dispatch.key.run, .unit = s->dispatch.key.unit, .attempt = s->dispatch.key.attempt };
	set_limits(&s->spec->spec, w);
	if (s->fd >= 0) {
		rv_buf_reset(&p->file);
		rv_buf_put_str(&p->file, s->namespace);
		rv_buf_puts(&p->file, "/" NODE_DIR_LOGS);
		w->output = WARDEN_OUTPUT_FILES;
		w->logs_dir = rv_buf_str(&p->file);
	}
	return p->file.failed ? no_memory(why) : 0;
}
