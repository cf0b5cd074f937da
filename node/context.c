#include "node/context.h"

#include "common/id.h"
#include "common/limits.h"
#include "node/jsontext.h"

static int too_large(struct rv_err *err)
{
	return rv_fail(err, RV_E_LIMIT, "the unit's context is larger than %zu MiB", RV_CONTEXT_BYTES_MAX >> 20);
}

static int put_artifact(const struct proto_dep *d, const struct node_dep_source *source, struct rv_buf *out, struct rv_err *err)
{
	char hex[2 * PROTO_DIGEST_BYTES + 1];
	struct rv_buf path;
	int rc;

	rv_buf_init(&path, 0);
	rc = source->file(source->arg, d->output.digest, d->output.blob_bytes, &path, err);
	if (rc == 0) {
		rv_hex(hex, d->output.digest, PROTO_DIGEST_BYTES);
		rv_buf_puts(out, "{\"$artifact\":");
		rv_buf_put_json(out, rv_buf_str(&path));
		rv_buf_printf(out, ",\"blake2b\":\"%s\"}", hex);
	}
	rv_buf_release(&path);
	return rc;
}

static int put_bytes(const struct proto_dep *d, struct rv_str bytes, struct rv_buf *out, struct rv_err *err)
{
	if (!d->is_json)
		return rv_buf_put_json(out, bytes);
	return node_json_compact(bytes, out, err);
}

static int put_blob(const struct proto_dep *d, const struct node_dep_source *source, struct rv_buf *out, struct rv_err *err)
{
	struct rv_buf bytes;
	int rc;

	rv_buf_init(&bytes, RV_OUTPUT_DEP_BYTES_MAX + 1);
	rc = source->get(source->arg, d->output.digest, d->output.blob_bytes, &bytes, err);
	if (rc == 0)
		rc = put_bytes(d, rv_buf_str(&bytes), out, err);
	rv_buf_release(&bytes);
	return rc;
}

static int put_value(const struct proto_dep *d, const struct node_dep_source *source, struct rv_buf *out, struct rv_err *err)
{
	if (!d->succeeded || d->output.kind == PROTO_VALUE_NONE)
		return rv_buf_puts(out, "null");
	if (d->output.kind == PROTO_VALUE_INLINE)
		return put_bytes(d, d->output.inline_bytes, out, err);
	if (d->output.blob_bytes > RV_OUTPUT_DEP_BYTES_MAX)
		return put_artifact(d, source, out, err);
	return put_blob(d, source, out, err);
}

/* The array of a template's units: they stand side by side, in item order. Gives how many entries it took. */
static uint32_t put_array(const struct proto_dep *deps, uint32_t count, const struct node_dep_source *source, struct rv_buf *out,
			  struct rv_err *err)
{
	uint32_t i = 0;

	rv_buf_putc(out, '[');
	for (; i < count && deps[i].index != RV_MAP_NONE && rv_str_equal(deps[i].id, deps[0].id); i++) {
		if (i)
			rv_buf_putc(out, ',');
		if (put_value(&deps[i], source, out, err) < 0)
			return 0;
		if (out->bytes > RV_CONTEXT_BYTES_MAX) {
			(void)too_large(err);
			return 0;
		}
	}
	rv_buf_putc(out, ']');
	return i;
}

int node_context_deps(const struct proto_dep *deps, uint32_t count, const struct node_dep_source *source, struct rv_buf *out,
		      struct rv_err *err)
{
	rv_buf_putc(out, '{');
	for (uint32_t i = 0; i < count;) {
		char key[RV_UNIT_ID_BYTES_MAX + 8];

		if (deps[i].id.bytes > RV_UNIT_ID_BYTES_MAX)
			return rv_fail(err, RV_E_CORRUPT, "a dependency whose id has %zu bytes", deps[i].id.bytes);
		if (i)
			rv_buf_putc(out, ',');
		memcpy(key, "_dep_", 5);
		memcpy(key + 5, deps[i].id.at, deps[i].id.bytes);
		rv_buf_put_json(out, rv_str(key, 5 + deps[i].id.bytes));
		rv_buf_putc(out, ':');
		if (deps[i].index != RV_MAP_NONE) {
			uint32_t took = put_array(deps + i, count - i, source, out, err);

			if (!took)
				return -1;
			i += took;
		} else if (put_value(&deps[i++], source, out, err) < 0) {
			return -1;
		}
		if (out->bytes > RV_CONTEXT_BYTES_MAX)
			return too_large(err);
	}
	rv_buf_putc(out, '}');
	return out->failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for the context of a unit") : 0;
}

void node_context_scope(const struct proto_spec *spec, struct rv_str deps, struct rv_str prev, struct rv_str item, struct plan_scope *out)
{
	*out = (struct plan_scope){ 0 };
	out->layer[0] = spec->context;
	out->layer[1] = deps;
	out->layer[2] = prev;
	out->item = item.bytes ? item : rv_str(NULL, 0);
}

/* The inside of an object text, its braces and blanks off. */
static struct rv_str inside(struct rv_str object)
{
	while (object.bytes && strchr(" \t\r\n", object.at[0]) && object.at[0]) {
		object.at++;
		object.bytes--;
	}
	while (object.bytes && strchr(" \t\r\n", object.at[object.bytes - 1]) && object.at[object.bytes - 1])
		object.bytes--;
	if (object.bytes < 2 || object.at[0] != '{' || object.at[object.bytes - 1] != '}')
		return rv_str(NULL, 0);
	return rv_str(object.at + 1, object.bytes - 2);
}

static void put_members(struct rv_str object, bool *first, struct rv_buf *out)
{
	struct rv_str members = inside(object);

	if (!members.bytes)
		return;
	if (!*first)
		rv_buf_putc(out, ',');
	*first = false;
	rv_buf_put_str(out, members);
}

/* No key of one layer can be one of another: a plan's context may hold neither `_dep_`s, `_prev` nor `item` (E_CONTEXT_KEY), and
 * plan and unit context are merged when the spec is made. So the layers are put side by side. */
int node_context_file(struct rv_str context, struct rv_str deps, struct rv_str prev, struct rv_str item, struct rv_buf *out, struct rv_err *err)
{
	bool first = true;

	if (context.bytes + deps.bytes + prev.bytes + item.bytes > RV_CONTEXT_BYTES_MAX)
		return too_large(err);
	rv_buf_putc(out, '{');
	put_members(context, &first, out);
	put_members(deps, &first, out);
	put_members(prev, &first, out);
	if (item.bytes) {
		rv_buf_puts(out, first ? "\"item\":" : ",\"item\":");
		rv_buf_put_str(out, item);
	}
	rv_buf_puts(out, "}\n");
	return out->failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for the context of a unit") : 0;
}
