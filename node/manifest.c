#include "node/manifest.h"

static void key(struct rv_buf *out, const char *name)
{
	rv_buf_puts(out, out->at[out->bytes - 1] == '{' ? "\"" : ",\"");
	rv_buf_puts(out, name);
	rv_buf_puts(out, "\":");
}

static void text(struct rv_buf *out, const char *name, struct rv_str value)
{
	if (!value.bytes)
		return;
	key(out, name);
	rv_buf_put_json(out, value);
}

static void number(struct rv_buf *out, const char *name, uint64_t value)
{
	key(out, name);
	rv_buf_printf(out, "%llu", (unsigned long long)value);
}

static void amount(struct rv_buf *out, struct rv_str name, struct rv_str value)
{
	rv_buf_putc(out, ',');
	rv_buf_put_json(out, name);
	rv_buf_putc(out, ':');
	rv_buf_put_str(out, value);
}

static void path(struct rv_buf *out, const char *name, struct rv_str namespace, const char *file)
{
	struct rv_buf full;

	rv_buf_init(&full, 0);
	rv_buf_put_str(&full, namespace);
	if (*file) {
		rv_buf_putc(&full, '/');
		rv_buf_puts(&full, file);
	}
	text(out, name, rv_buf_str(&full));
	rv_buf_release(&full);
}

static void paths(const struct node_preparer *p, const struct node_scene *s, struct rv_buf *out)
{
	struct rv_str ns = s->namespace;

	key(out, "paths");
	rv_buf_putc(out, '{');
	if (!(s->spec->spec.flags & PROTO_SPEC_NO_WORKSPACE))
		text(out, "workspace", p->place->workspace);
	text(out, "cwd", s->cwd);
	path(out, "namespace", ns, "");
	path(out, "artifacts", ns, NODE_DIR_ARTIFACTS);
	path(out, "handoffs", ns, NODE_DIR_HANDOFFS);
	path(out, "tmp", ns, NODE_DIR_TMP);
	path(out, "logs", ns, NODE_DIR_LOGS);
	path(out, "output", ns, NODE_FILE_OUTPUT);
	path(out, "context", ns, NODE_FILE_CONTEXT);
	if (s->has_prompt_file)
		path(out, "prompt", ns, NODE_FILE_PROMPT);
	if (s->has_deps_dir)
		path(out, "deps", ns, NODE_DIR_DEPS);
	rv_buf_putc(out, '}');
}

static void directories(const struct node_scene *s, struct rv_buf *out)
{
	struct rv_str left = s->dirs;

	if (!(s->spec->spec.flags & PROTO_SPEC_HAS_DIRS))
		return;
	key(out, "directories");
	rv_buf_putc(out, '[');
	while (left.bytes) {
		const char *sep = memchr(left.at, ':', left.bytes);
		size_t n = sep ? (size_t)(sep - left.at) : left.bytes;

		rv_buf_put_json(out, rv_str(left.at, n));
		if (!sep)
			break;
		rv_buf_putc(out, ',');
		left = rv_str(sep + 1, left.bytes - n - 1);
	}
	rv_buf_putc(out, ']');
}

static void dependencies(const struct node_scene *s, struct rv_buf *out)
{
	key(out, "dependencies");
	rv_buf_putc(out, '[');
	for (uint32_t i = 0; i < s->dispatch.dep_count; i++) {
		const struct proto_dep *d = &s->dispatch.deps[i];

		rv_buf_puts(out, i ? ",{" : "{");
		text(out, "id", d->unit_id.bytes ? d->unit_id : d->id);
		text(out, "state", d->succeeded ? RV_STR("succeeded") : RV_STR("not_succeeded"));
		if (d->attempt)
			number(out, "attempt", d->attempt);
		rv_buf_putc(out, '}');
	}
	rv_buf_putc(out, ']');
}

/* The members of the object that the unit's x- keys make. */
static void extra(struct rv_str object, struct rv_buf *out)
{
	if (object.bytes <= 2)
		return;
	rv_buf_putc(out, ',');
	rv_buf_put(out, object.at + 1, object.bytes - 2);
}

int node_manifest_write(const struct node_preparer *p, const struct node_scene *s, struct rv_buf *out)
{
	const struct proto_spec *spec = &s->spec->spec;

	rv_buf_putc(out, '{');
	text(out, "schema", RV_STR("reeve.manifest/1"));
	text(out, "run", rv_str_of(s->run_id));
	text(out, "unit", s->dispatch.unit_id);
	number(out, "attempt", s->dispatch.key.attempt);
	number(out, "try", s->dispatch.try_number);
	text(out, "session", rv_str_of(s->session));
	text(out, "node", p->cfg->name);
	text(out, "description", spec->description);
	text(out, "agent", spec->agent);
	text(out, "model", spec->model);
	key(out, "capabilities");
	rv_buf_puts(out, "[]");
	directories(s, out);
	paths(p, s, out);
	key(out, "resources");
	rv_buf_putc(out, '{');
	number(out, "cpus", spec->cpus);
	for (uint32_t i = 0; i < spec->resource_count; i++)
		amount(out, spec->resources[i].key, spec->resources[i].value);
	rv_buf_putc(out, '}');
	if (s->deadline_s)
		number(out, "deadline", s->deadline_s);
	if (s->dispatch.item.bytes) {
		key(out, "item");
		rv_buf_put_str(out, s->dispatch.item);
	}
	dependencies(s, out);
	extra(spec->x_keys, out);
	return rv_buf_puts(out, "}\n");
}
