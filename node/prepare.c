#include "node/prepare.h"

#include "common/check.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/blobs.h"
#include "common/os/file.h"
#include "common/plan/plan.h"
#include "node/agents/preamble.h"
#include "node/agents/profile.h"
#include "node/context.h"
#include "node/handed.h"
#include "node/manifest.h"
#include "node/prev.h"
#include "proto/codec.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SPEC_BLOB_BYTES_MAX ((size_t)256 << 20)

#define BUFFERS (13 + NODE_STEPS)

static struct rv_buf *const *buffers(struct node_preparer *p, struct rv_buf *all[BUFFERS])
{
	struct rv_buf *list[BUFFERS] = { &p->deps, &p->prev, &p->prompt, &p->namespace, &p->text, &p->argv, &p->env, &p->dirs, &p->cwd, &p->path,
					 &p->file, &p->deps_bytes, &p->spec_bytes, &p->step[NODE_STEP_UNLESS], &p->step[NODE_STEP_WORK],
					 &p->step[NODE_STEP_ACCEPT] };

	memcpy(all, list, sizeof(list));
	return all;
}

int node_preparer_init(struct node_preparer *p, const struct node_daemon_config *cfg, const char *label)
{
	struct rv_buf *all[BUFFERS];

	memset(p, 0, sizeof(*p));
	p->cfg = cfg;
	(void)snprintf(p->label, sizeof(p->label), "%s", label);
	buffers(p, all);
	for (size_t i = 0; i < RV_ARRAY_LEN(all); i++)
		rv_buf_init(all[i], 0);
	rv_arena_init(&p->arena, 0);
	node_places_init(&p->places, cfg->workspace, cfg->namespace_root, cfg->mode == NODE_MODE_NODE ? cfg->state_dir : RV_STR(""));
	p->places.rules = cfg->maps;
	p->places.rule_count = cfg->map_count;
	p->place = &p->places.own;
	return node_holdings_init(&p->holdings, cfg->resources, cfg->resource_names, cfg->resource_count);
}

void node_preparer_release(struct node_preparer *p)
{
	struct rv_buf *all[BUFFERS];

	buffers(p, all);
	for (size_t i = 0; i < RV_ARRAY_LEN(all); i++)
		rv_buf_release(all[i]);
	rv_arena_release(&p->arena);
	node_places_release(&p->places);
	node_holdings_release(&p->holdings);
}

int node_failure_of(struct node_failure *why, enum proto_class class, enum proto_reason reason)
{
	why->class = class;
	why->reason = reason;
	switch (why->err.code) {
	case RV_E_NO_SPACE:
		why->class = PROTO_CLASS_ENVIRONMENT;
		why->reason = PROTO_REASON_NO_SPACE;
		break;
	case RV_E_LIMIT:
		why->class = PROTO_CLASS_CONFIG;
		why->reason = PROTO_REASON_CONTEXT_TOO_LARGE;
		break;
	case RV_E_PLAN:
		why->class = PROTO_CLASS_CONFIG;
		why->reason = PROTO_REASON_TEMPLATE;
		break;
	case RV_E_NO_MEMORY: /* whatever was being done: no fault of the unit's */
		why->class = PROTO_CLASS_ENVIRONMENT;
		why->reason = class == PROTO_CLASS_ENVIRONMENT ? reason : PROTO_REASON_SPAWN;
		break;
	default:
		break;
	}
	return -1;
}

static int workspace_fault(struct node_failure *why)
{
	return node_failure_of(why, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_WORKSPACE);
}

static int no_memory(struct node_failure *why)
{
	(void)rv_fail(&why->err, RV_E_NO_MEMORY, "no memory to start a unit");
	return workspace_fault(why);
}

/* --- dependencies ------------------------------------------------------------------------------------------------- */

static int get_blob(void *arg, const uint8_t digest[PROTO_DIGEST_BYTES], uint64_t bytes, struct rv_buf *out, struct rv_err *err)
{
	struct node_preparer *p = ((void **)arg)[0];

	if (!p->cfg->blobs)
		return rv_fail(err, RV_E_NOT_FOUND, "there is no blob store for an output of %llu bytes", (unsigned long long)bytes);
	return rv_blobs_get_all(p->cfg->blobs, digest, (size_t)bytes, out, err);
}

static int blob_file(void *arg, const uint8_t digest[PROTO_DIGEST_BYTES], uint64_t bytes, struct rv_buf *path, struct rv_err *err)
{
	struct node_preparer *p = ((void **)arg)[0];
	const struct proto_dispatch *d = ((void **)arg)[1];
	char hex[2 * PROTO_DIGEST_BYTES + 1];
	struct rv_buf content;
	int rc;

	rv_hex(hex, digest, PROTO_DIGEST_BYTES);
	if (node_namespace_has_handoff(&p->place->namespaces, d->key.run, rv_str_of(hex), path))
		return 0;
	rv_buf_reset(path);
	rv_buf_init(&content, 0);
	rc = get_blob(arg, digest, bytes, &content, err);
	if (rc == 0)
		rc = node_namespace_handoff(&p->place->namespaces, d->key.run, rv_str_of(hex), rv_buf_str(&content), path, err);
	rv_buf_release(&content);
	return rc;
}

/* What was too large for the frame is fetched. */
static int fetch_deps(struct node_preparer *p, struct proto_dispatch *d, struct rv_err *err)
{
	void *arg[2] = { p, d };

	if (d->deps_blob.kind != PROTO_VALUE_BLOB)
		return 0;
	rv_buf_reset(&p->deps_bytes);
	rv_arena_release(&p->arena);
	rv_arena_init(&p->arena, 0);
	if (get_blob(arg, d->deps_blob.digest, d->deps_blob.blob_bytes, &p->deps_bytes, err) < 0)
		return -1;
	return proto_deps_decode(rv_buf_str(&p->deps_bytes), &p->arena, &d->deps, &d->dep_count, err);
}

static int set_deps(struct node_preparer *p, struct proto_dispatch *d, struct node_failure *why)
{
	void *arg[2] = { p, d };
	struct node_dep_source source = { .get = get_blob, .file = blob_file, .arg = arg };

	rv_buf_reset(&p->deps);
	if (fetch_deps(p, d, &why->err) < 0)
		return workspace_fault(why);
	if (!d->dep_count)
		return 0;
	if (node_context_deps(d->deps, d->dep_count, &source, &p->deps, &why->err) < 0)
		return workspace_fault(why);
	return 0;
}

/* --- texts ---------------------------------------------------------------------------------------------------------- */

static int fill(const struct node_scene *s, struct rv_str text, const struct plan_scope *scope, const struct plan_places *places,
		struct rv_buf *out, struct node_failure *why)
{
	size_t before = out->bytes;

	if (plan_template_fill(text, scope, places, out, &why->err) == 0)
		return 0;
	/* What reaches into an output that was itself only mocked finds nothing there: with --mock any plan runs, its texts as
	 * they are. */
	if (s->spec->spec.agent_kind == PROTO_AGENT_MOCK && !out->failed) {
		out->bytes = before;
		if (rv_buf_put_str(out, text) == 0)
			return 0;
	}
	return node_failure_of(why, PROTO_CLASS_CONFIG, PROTO_REASON_TEMPLATE);
}

int node_scene_fill(const struct node_scene *s, struct rv_str text, const struct plan_places *places, struct rv_buf *out,
		    struct node_failure *why)
{
	return fill(s, text, s->fills ? &s->scope : NULL, places, out, why);
}

static int set_prompt(struct node_preparer *p, struct node_scene *s, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;

	s->prompt = spec->prompt;
	if (!(spec->flags & PROTO_SPEC_FILL_PROMPT))
		return 0;
	rv_buf_reset(&p->prompt);
	if (fill(s, spec->prompt, &s->scope, NULL, &p->prompt, why) < 0)
		return -1;
	s->prompt = rv_buf_str(&p->prompt);
	return 0;
}

/* Relative, no "..", no NUL: what a template made of a cwd is checked as the plan's own was. */
static int check_relative(struct rv_str path, struct node_failure *why)
{
	struct rv_str left = path;

	if ((path.bytes && path.at[0] == '/') || (path.bytes && memchr(path.at, '\0', path.bytes)))
		goto refuse;
	while (left.bytes) {
		const char *sep = memchr(left.at, '/', left.bytes);
		size_t n = sep ? (size_t)(sep - left.at) : left.bytes;

		if (n == 2 && left.at[0] == '.' && left.at[1] == '.')
			goto refuse;
		left = sep ? rv_str(sep + 1, left.bytes - n - 1) : rv_str(NULL, 0);
	}
	return 0;
refuse:
	(void)rv_fail(&why->err, RV_E_PLAN, "cwd \"%.*s\" leads out of the workspace", RV_STR_ARGS(path));
	return node_failure_of(why, PROTO_CLASS_CONFIG, PROTO_REASON_TEMPLATE);
}

static int set_dirs(struct node_preparer *p, struct node_scene *s, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;

	rv_buf_reset(&p->dirs);
	for (uint32_t i = 0; i < spec->dir_count; i++) {
		const char *reason;

		rv_buf_reset(&p->text);
		if (node_scene_fill(s, spec->dirs[i], NULL, &p->text, why) < 0)
			return -1;
		if (i)
			rv_buf_putc(&p->dirs, ':');
		if (plan_dir_put(rv_buf_str(&p->text), &p->dirs, &reason) == 0)
			continue;
		(void)rv_fail(&why->err, RV_E_PLAN, "the directory \"%.*s\" is not allowed: %s", RV_STR_ARGS(rv_buf_str(&p->text)), reason);
		return node_failure_of(why, PROTO_CLASS_CONFIG, PROTO_REASON_TEMPLATE);
	}
	s->dirs = rv_buf_str(&p->dirs);
	return 0;
}

/* Mode shared: below the workspace. Mode none: below the plan's directory; on a node the namespace, else the run's own. */
static int set_cwd(struct node_preparer *p, struct node_scene *s, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;
	bool none = spec->flags & PROTO_SPEC_NO_WORKSPACE;
	struct rv_str own = spec->cwd;

	rv_buf_reset(&p->text);
	if (own.bytes && s->fills) {
		if (node_scene_fill(s, own, NULL, &p->text, why) < 0)
			return -1;
		own = rv_buf_str(&p->text);
	}
	rv_buf_reset(&p->cwd);
	if (none && own.bytes && own.at[0] == '/') {
		rv_buf_put_str(&p->cwd, own);
		s->cwd = rv_buf_str(&p->cwd);
		return 0;
	}
	if (check_relative(own, why) < 0)
		return -1;
	if (!none)
		rv_buf_put_str(&p->cwd, p->place->workspace);
	else if (p->cfg->plan_dir.bytes)
		rv_buf_put_str(&p->cwd, p->cfg->plan_dir);
	else if (s->namespace.bytes)
		rv_buf_put_str(&p->cwd, s->namespace);
	else if (node_namespace_run_dir(&p->place->namespaces, s->dispatch.key.run, &p->cwd, &why->err) < 0)
		return workspace_fault(why);
	if (own.bytes && !rv_str_equal(own, RV_STR("."))) {
		rv_buf_putc(&p->cwd, '/');
		rv_buf_put_str(&p->cwd, own);
	}
	s->cwd = rv_buf_str(&p->cwd);
	return 0;
}

/* --- namespace -------------------------------------------------------------------------------------------------------- */

/* The namespace is new and nobody else's yet: no need for a temporary name. */
static int put_file(struct node_scene *s, const char *name, struct rv_str bytes, struct node_failure *why)
{
	int fd, rc;

	if (rv_file_open_at(s->fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, &why->err) < 0)
		return workspace_fault(why);
	rc = rv_file_put(fd, name, bytes, &why->err);
	close(fd);
	return rc < 0 ? workspace_fault(why) : 0;
}

static int link_deps(struct node_preparer *p, struct node_scene *s, struct node_failure *why)
{
	const struct proto_dispatch *d = &s->dispatch;

	struct node_namespaces *n = &p->place->namespaces;

	for (uint32_t i = 0; i < d->dep_count; i++) {
		int rc;

		if (!d->deps[i].attempt)
			continue;
		rc = node_namespace_link_dep(n, s->fd, d->key.run, d->deps[i].unit_id, d->deps[i].attempt, &why->err);
		/* a mock reads none */
		if (rc == 0 && s->spec->spec.agent_kind != PROTO_AGENT_MOCK && node_handed_lacks(n, d->key.run, &d->deps[i]))
			rc = node_handed_refusal(n, d->key.run, d->deps, d->dep_count, p->cfg->blobs, &why->err);
		if (rc < 0)
			return workspace_fault(why);
	}
	s->has_deps_dir = faccessat(s->fd, NODE_DIR_DEPS, F_OK, 0) == 0;
	return 0;
}

static struct rv_str below(struct node_preparer *p, const struct node_scene *s, const char *name)
{
	size_t at = p->path.bytes;

	(void)rv_buf_put_str(&p->path, s->namespace);
	(void)rv_buf_putc(&p->path, '/');
	(void)rv_buf_puts(&p->path, name);
	return rv_str(NULL, p->path.bytes - at); /* where it lies is known once nothing more is added */
}

static struct rv_str lying(const struct node_preparer *p, struct rv_str s, size_t *at)
{
	s.at = p->path.at + *at;
	*at += s.bytes;
	return s;
}

/* Its acceptance command as it will be run, but for places: into p->text, its words into `words`. */
static int fill_accept(struct node_preparer *p, struct node_scene *s, struct rv_str *words, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;
	size_t at = 0;

	rv_buf_reset(&p->text);
	for (uint32_t i = 0; i < spec->accept_count; i++) {
		size_t before = p->text.bytes;

		if (node_scene_fill(s, spec->accept[i], NULL, &p->text, why) < 0)
			return -1;
		words[i].bytes = p->text.bytes - before;
	}
	for (uint32_t i = 0; i < spec->accept_count; at += words[i++].bytes)
		words[i].at = p->text.at ? p->text.at + at : "";
	return 0;
}

static int put_rules(struct node_preparer *p, struct node_scene *s, struct rv_str *words, struct rv_str *deps, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;
	struct node_preamble rules = {
		.unit_id = s->dispatch.unit_id,
		.description = spec->description,
		.dirs = s->dirs,
		.has_dirs = spec->flags & PROTO_SPEC_HAS_DIRS,
		.deps = deps,
		.wants_artifact = spec->evidence_mode != PROTO_EVIDENCE_EXIT || spec->evidence_glob_count,
		.globs = spec->evidence_globs,
		.glob_count = spec->evidence_glob_count,
		.wants_json = spec->output_mode == PROTO_OUTPUT_JSON,
		.accept = words,
		.accept_count = spec->accept_count,
		.try_number = s->dispatch.try_number,
		.has_prev = s->has_prev,
		.note = s->dispatch.note,
	};
	struct rv_str context, artifacts, links;
	size_t at = 0;

	if (fill_accept(p, s, words, why) < 0)
		return -1;
	for (uint32_t i = 0; i < s->dispatch.dep_count; i++)
		if (s->dispatch.deps[i].output.kind != PROTO_VALUE_NONE && (!rules.dep_count || !rv_str_equal(deps[rules.dep_count - 1], s->dispatch.deps[i].id)))
			deps[rules.dep_count++] = s->dispatch.deps[i].id; /* of a template once for all its units */
	rv_buf_reset(&p->path);
	context = below(p, s, NODE_FILE_CONTEXT);
	artifacts = below(p, s, NODE_DIR_ARTIFACTS);
	links = below(p, s, NODE_DIR_DEPS);
	rules.context_file = lying(p, context, &at);
	rules.artifacts = lying(p, artifacts, &at);
	rules.deps_dir = s->has_deps_dir ? lying(p, links, &at) : RV_STR("");
	return p->path.failed || node_preamble_put(&rules, &p->file) < 0 ? no_memory(why) : 0;
}

/* What an agent with a profile is told: the rules or a text of the plan's in their place, then its prompt. */
static int put_preamble(struct node_preparer *p, struct node_scene *s, struct node_failure *why)
{
	const struct proto_spec *spec = &s->spec->spec;
	struct rv_str *words, *deps;
	int rc = -1;

	if (spec->preamble == PROTO_PREAMBLE_OFF)
		return 0;
	if (spec->preamble == PROTO_PREAMBLE_TEXT) {
		(void)rv_buf_put_str(&p->file, spec->preamble_text);
		(void)rv_buf_puts(&p->file, "\n\n");
		return 0;
	}
	words = calloc((size_t)spec->accept_count + s->dispatch.dep_count + 1, sizeof(*words));
	if (!words)
		return no_memory(why);
	deps = words + spec->accept_count;
	rc = put_rules(p, s, words, deps, why);
	free(words);
	return rc;
}

static int put_prompt_file(struct node_preparer *p, struct node_scene *s, struct node_failure *why)
{
	struct rv_str text = s->prompt;

	if (node_profile_of(s->spec->spec.agent_kind)) {
		rv_buf_reset(&p->file);
		if (put_preamble(p, s, why) < 0)
			return -1;
		if (rv_buf_put_str(&p->file, s->prompt) < 0)
			return no_memory(why);
		text = rv_buf_str(&p->file);
	}
	if (!text.bytes)
		return 0;
	s->has_prompt_file = true;
	return put_file(s, NODE_FILE_PROMPT, text, why);
}

static int write_files(struct node_preparer *p, struct node_scene *s, struct node_failure *why)
{
	if (link_deps(p, s, why) < 0 || put_prompt_file(p, s, why) < 0)
		return -1;
	rv_buf_reset(&p->file);
	if (node_context_file(s->spec->spec.context, rv_buf_str(&p->deps), rv_buf_str(&p->prev), s->dispatch.item, &p->file, &why->err) < 0)
		return workspace_fault(why);
	if (put_file(s, NODE_FILE_CONTEXT, rv_buf_str(&p->file), why) < 0)
		return -1;
	rv_buf_reset(&p->file);
	if (node_manifest_write(p, s, &p->file) < 0)
		return workspace_fault(why);
	return put_file(s, NODE_FILE_MANIFEST, rv_buf_str(&p->file), why);
}

static int make_namespace(struct node_preparer *p, struct node_scene *s, struct node_failure *why)
{
	const struct proto_dispatch *d = &s->dispatch;

	if (node_namespace_make(&p->place->namespaces, d->key.run, d->unit_id, d->key.attempt, &s->fd, &why->err) < 0)
		return workspace_fault(why);
	rv_buf_reset(&p->namespace);
	node_namespace_path(&p->place->namespaces, d->key.run, d->unit_id, d->key.attempt, &p->namespace);
	s->namespace = rv_buf_str(&p->namespace);
	return 0;
}

/* What the scene before left in buffers that this one may not need: whether it had no memory, too. */
static void forget(struct node_preparer *p)
{
	struct rv_buf *list[] = { &p->namespace, &p->text, &p->path, &p->file };

	for (size_t i = 0; i < RV_ARRAY_LEN(list); i++)
		rv_buf_reset(list[i]);
	for (int i = 0; i < NODE_STEPS; i++)
		rv_buf_reset(&p->step[i]);
}

/* --- all of it ------------------------------------------------------------------------------------------------------------ */

int node_scene_set(struct node_preparer *p, struct node_spec *spec, const struct proto_dispatch *d, uint64_t session_key, uint64_t real_us,
		   struct node_scene *s, struct node_failure *why)
{
	struct rv_run_id run = rv_run_id_of(d->key.run);

	memset(s, 0, sizeof(*s));
	why->err.code = RV_OK; /* the rest means something only on failure */
	why->err.msg[0] = '\0';
	s->spec = spec;
	s->dispatch = *d;
	s->owner = session_key;
	s->fd = -1;
	s->fills = spec->spec.flags & PROTO_SPEC_TEMPLATED;
	forget(p);
	memcpy(s->run_id, run.text, sizeof(run.text));
	if (spec->spec.timeout_us)
		s->deadline_s = rv_sat_add(real_us, spec->spec.timeout_us) / RV_US_PER_S;
	if (set_deps(p, &s->dispatch, why) < 0)
		goto fail;
	rv_buf_reset(&p->prev);
	if (d->key.attempt > 1 && (spec->spec.flags & PROTO_SPEC_AGENT_UNIT) && (spec->spec.flags & PROTO_SPEC_NAMESPACE))
		(void)node_prev_read(&p->place->namespaces, d->key.run, d->unit_id, d->key.attempt, &p->prev);
	s->has_prev = p->prev.bytes > 0;
	if (node_prev_note(d->note, &p->prev) < 0)
		return no_memory(why);
	node_context_scope(&spec->spec, rv_buf_str(&p->deps), rv_buf_str(&p->prev), d->item, &s->scope);
	if (set_prompt(p, s, why) < 0 || set_dirs(p, s, why) < 0)
		goto fail;
	if (spec->spec.flags & (PROTO_SPEC_NAMESPACE | PROTO_SPEC_RALPH_ENV)) /* else the warden makes it */
		(void)snprintf(s->session, sizeof(s->session), "%s-%llx", p->label, (unsigned long long)session_key);
	if ((spec->spec.flags & PROTO_SPEC_NAMESPACE) && make_namespace(p, s, why) < 0)
		goto fail;
	if (set_cwd(p, s, why) < 0)
		goto fail;
	if (p->dirs.failed || p->namespace.failed || p->cwd.failed) { /* what was cut would mean another place */
		(void)no_memory(why);
		goto fail;
	}
	if (s->fd >= 0 && write_files(p, s, why) < 0)
		goto fail;
	return 0;
fail:
	node_scene_end(s);
	return -1;
}

void node_scene_end(struct node_scene *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
