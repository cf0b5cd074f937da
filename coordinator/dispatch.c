#include "coordinator/dispatch.h"

#include "common/check.h"
#include "common/os/blobs.h"
#include "common/plan/plan.h"
#include "coordinator/core/graph.h"

/* A few dependencies never reach PROTO_DEPS_INLINE_BYTES, so they need not be encoded to know it. */
#define DEPS_SURELY_INLINE 16u
_Static_assert(DEPS_SURELY_INLINE * (RV_INLINE_BYTES_MAX + 2 * RV_UNIT_ID_BYTES_MAX + 64) < PROTO_DEPS_INLINE_BYTES, "they fit");

void coord_dispatch_init(struct coord_dispatch *d, const struct coord *core, const struct coord_outputs *outputs, struct rv_blobs *blobs)
{
	d->core = core;
	d->outputs = outputs;
	d->blobs = blobs;
	rv_arena_init(&d->scratch, 0);
	rv_buf_init(&d->deps_room, 0);
}

void coord_dispatch_release(struct coord_dispatch *d)
{
	rv_arena_release(&d->scratch);
	rv_buf_release(&d->deps_room);
}

int coord_value_as_blob(struct rv_blobs *blobs, struct rv_str bytes, struct proto_value *out, struct rv_err *err)
{
	*out = (struct proto_value){ .kind = PROTO_VALUE_BLOB, .blob_bytes = bytes.bytes };
	if (!blobs)
		return rv_fail(err, RV_E_LIMIT, "%zu bytes for a node and no blob store to put them in", bytes.bytes);
	return rv_blobs_put(blobs, bytes, out->digest, err);
}

static int no_memory(uint32_t count, struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for the outputs of %u dependencies", count);
}

static int fill_dep(struct coord_dispatch *d, const struct coord_graph *g, struct proto_attempt_key key, uint32_t i, struct proto_dep *out)
{
	char room[COORD_UNIT_ID_BYTES], name_room[COORD_UNIT_ID_BYTES];
	uint32_t dep = coord_graph_dep(g, key.unit, i);
	const struct coord_output *o = coord_outputs_get(d->outputs, key.run, dep);
	struct coord_unit_view view;
	struct rv_str name;

	coord_unit_view(d->core, key.run, dep, &view);
	coord_graph_dep_name(g, key.unit, i, name_room, &name, &out->index);
	out->id = rv_arena_str(&d->scratch, name);
	out->unit_id = rv_arena_str(&d->scratch, coord_graph_unit_id(g, dep, room));
	out->succeeded = view.state == COORD_UNIT_SUCCEEDED;
	out->attempt = view.attempt;
	if (o && out->succeeded) {
		out->output = o->value;
		out->is_json = o->is_json;
		out->attempt = o->attempt;
	}
	return out->id.at && out->unit_id.at ? 0 : -1;
}

static int fill_deps(struct coord_dispatch *d, const struct coord_graph *g, struct proto_attempt_key key, struct coord_wire_dispatch *out,
		     struct rv_err *err)
{
	uint32_t count = coord_graph_dep_count(g, key.unit);
	struct proto_dep *deps;

	rv_arena_release(&d->scratch);
	rv_arena_init(&d->scratch, 0);
	deps = RV_ARENA_ARRAY(&d->scratch, struct proto_dep, count ? count : 1);
	if (!deps)
		return no_memory(count, err);
	for (uint32_t i = 0; i < count; i++)
		if (fill_dep(d, g, key, i, &deps[i]) < 0)
			return no_memory(count, err);
	if (count > DEPS_SURELY_INLINE) {
		rv_buf_reset(&d->deps_room);
		if (proto_deps_encode(deps, count, &d->deps_room) < 0)
			return no_memory(count, err);
		if (d->deps_room.bytes > PROTO_DEPS_INLINE_BYTES)
			return coord_value_as_blob(d->blobs, rv_buf_str(&d->deps_room), &out->deps_blob, err);
	}
	out->deps = deps;
	out->dep_count = count;
	return 0;
}

int coord_dispatch_fill(struct coord_dispatch *d, struct proto_attempt_key key, uint64_t epoch, struct coord_wire_dispatch *out,
			struct rv_err *err)
{
	const struct coord_graph *g = coord_run_graph(d->core, key.run);

	rv_check(g != NULL);
	*out = (struct coord_wire_dispatch){ .epoch = epoch, .workspace = coord_graph_workspace(g) };
	if (key.unit == coord_graph_unit_count(g)) { /* the verify step stands behind the units */
		out->unit_id = rv_str_of(PLAN_VERIFY_ID);
		out->spec = coord_graph_verify_spec(g);
	} else {
		out->unit_id = coord_graph_unit_id(g, key.unit, d->id_room);
		out->item = coord_graph_item(g, key.unit, d->item_room);
		out->spec = coord_graph_spec(g, key.unit);
		if (coord_graph_needs_deps(g, key.unit) && fill_deps(d, g, key, out, err) < 0)
			return -1;
	}
	if (out->spec.bytes <= PROTO_SPEC_INLINE_BYTES)
		return 0;
	if (coord_value_as_blob(d->blobs, out->spec, &out->spec_blob, err) < 0)
		return -1;
	out->spec = RV_STR("");
	return 0;
}
