#include "coordinator/dispatch.h"

#include "common/check.h"
#include "common/os/blobs.h"
#include "common/plan/plan.h"
#include "coordinator/core/graph.h"
#include "proto/spec.h"

/* A few dependencies that left few artifacts never reach PROTO_DEPS_INLINE_BYTES, so they need not be encoded to know it. */
#define DEPS_SURELY_INLINE 16u
#define LISTS_SURELY_INLINE ((size_t)16 << 10)
_Static_assert(DEPS_SURELY_INLINE * (RV_INLINE_BYTES_MAX + 2 * RV_UNIT_ID_BYTES_MAX + 64) + LISTS_SURELY_INLINE < PROTO_DEPS_INLINE_BYTES,
	       "they fit");

void coord_dispatch_init(struct coord_dispatch *d, const struct coord *core, const struct coord_outputs *outputs, const struct coord_hints *hints,
			 struct rv_blobs *blobs)
{
	d->core = core;
	d->outputs = outputs;
	d->hints = hints;
	d->blobs = blobs;
	rv_arena_init(&d->scratch, 0);
	rv_buf_init(&d->deps_room, 0);
	rv_buf_init(&d->spec_room, 0);
}

void coord_dispatch_release(struct coord_dispatch *d)
{
	rv_arena_release(&d->scratch);
	rv_buf_release(&d->deps_room);
	rv_buf_release(&d->spec_room);
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

/* What is listed so far of an attempt's dependencies. */
struct lists {
	size_t bytes;
	uint32_t files;
};

/* The list that goes over a limit is still told, so that the node sees it; those behind it are not. */
static void list_artifacts(const struct coord_output *o, struct lists *lists, struct proto_dep *out)
{
	out->artifacts_cut = o->artifacts_cut;
	if (!o->artifact_count)
		return;
	if (lists->files > RV_HANDED_FILES_MAX || lists->bytes > RV_HANDED_LISTS_BYTES_MAX) {
		out->artifacts_cut = true;
		return;
	}
	out->artifacts = o->artifacts;
	out->artifact_count = o->artifact_count;
	lists->files += o->artifact_count;
	lists->bytes += o->artifacts.bytes;
}

static int fill_dep(struct coord_dispatch *d, const struct coord_graph *g, struct proto_attempt_key key, uint32_t i, struct lists *lists,
		    struct proto_dep *out)
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
	if (o && o->attempt == out->attempt && coord_graph_shows_artifacts(g, key.unit))
		list_artifacts(o, lists, out);
	return out->id.at && out->unit_id.at ? 0 : -1;
}

static int fill_deps(struct coord_dispatch *d, const struct coord_graph *g, struct proto_attempt_key key, struct coord_wire_dispatch *out,
		     struct rv_err *err)
{
	uint32_t count = coord_graph_dep_count(g, key.unit);
	struct lists lists = { .bytes = 0 };
	struct proto_dep *deps;

	rv_arena_release(&d->scratch);
	rv_arena_init(&d->scratch, 0);
	deps = RV_ARENA_ARRAY(&d->scratch, struct proto_dep, count ? count : 1);
	if (!deps)
		return no_memory(count, err);
	for (uint32_t i = 0; i < count; i++)
		if (fill_dep(d, g, key, i, &lists, &deps[i]) < 0)
			return no_memory(count, err);
	if (count > DEPS_SURELY_INLINE || lists.bytes > LISTS_SURELY_INLINE) {
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

/* What an agent sets of a spec, of another's (coord_graph_agent_spec). */
static void take_agent(struct proto_spec *s, const struct proto_spec *from)
{
	s->agent_kind = from->agent_kind;
	s->agent = from->agent;
	s->model = from->model;
	s->argv = NULL;
	s->argc = 0;
	s->rate_limit_exit_codes = from->rate_limit_exit_codes;
	s->rate_limit_exit_code_count = from->rate_limit_exit_code_count;
	s->rate_limit_patterns = from->rate_limit_patterns;
	s->rate_limit_pattern_count = from->rate_limit_pattern_count;
	s->home = from->home;
	s->preamble = from->preamble;
	s->preamble_text = from->preamble_text;
	s->mock_delay_us = from->mock_delay_us;
	s->mock_fail = from->mock_fail;
	s->mock_output = from->mock_output;
	s->mock_tokens = from->mock_tokens;
	s->mock_rate_limited = from->mock_rate_limited;
	s->mock_hang = from->mock_hang;
	s->mock_retry_after_us = from->mock_retry_after_us;
	s->mock_cost_microusd = from->mock_cost_microusd;
}

static bool names(const struct proto_pair *env, uint32_t count, struct rv_str name)
{
	for (uint32_t i = 0; i < count; i++)
		if (rv_str_equal(env[i].key, name))
			return true;
	return false;
}

/* The other agent's variables in place of its own agent's; what the unit sets itself, the last `own`, stays. */
static int take_env(struct proto_spec *s, const struct proto_spec *from, uint32_t own, struct rv_arena *arena)
{
	const struct proto_pair *kept;
	struct proto_pair *env;
	uint32_t count = 0;

	own = (uint32_t)rv_min_u64(own, s->env_count);
	kept = s->env + (s->env_count - own);
	env = RV_ARENA_ARRAY(arena, struct proto_pair, from->env_count + own + 1u);
	if (!env)
		return -1;
	for (uint32_t i = 0; i < from->env_count; i++)
		if (!names(kept, own, from->env[i].key))
			env[count++] = from->env[i];
	for (uint32_t i = 0; i < own; i++)
		env[count++] = kept[i];
	s->env = env;
	s->env_count = count;
	return 0;
}

/* The unit's spec, changed by what a person asked for or by the plan's retry.agent: encoded anew, for this attempt alone. */
static int change_spec(struct coord_dispatch *d, const struct coord_graph *g, uint32_t unit, uint32_t agent, struct rv_str prompt,
		       struct coord_wire_dispatch *out, struct rv_err *err)
{
	struct rv_str other = coord_graph_agent_spec(g, agent);
	struct proto_spec s, from;
	struct rv_arena arena;
	int rc;

	rv_arena_init(&arena, 0);
	rc = proto_spec_decode(out->spec, &arena, &s, err);
	if (rc == 0 && other.bytes)
		rc = proto_spec_decode(other, &arena, &from, err);
	if (rc == 0 && other.bytes && take_env(&s, &from, coord_graph_env_own(g, unit), &arena) < 0)
		rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for a unit's spec");
	if (rc == 0) {
		if (other.bytes)
			take_agent(&s, &from);
		if (other.bytes && coord_graph_fills(g, unit))
			s.flags |= from.flags & PROTO_SPEC_TEMPLATED; /* what is the unit's own has none then, or is filled already */
		if (prompt.bytes) {
			s.prompt = prompt;
			s.flags &= ~(uint32_t)PROTO_SPEC_FILL_PROMPT; /* it is what a person wrote for this unit */
		}
		rv_buf_reset(&d->spec_room);
		if (proto_spec_encode(&s, &d->spec_room) < 0)
			rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for a unit's spec");
		out->spec = rv_buf_str(&d->spec_room);
	}
	rv_arena_release(&arena);
	return rc;
}

int coord_dispatch_fill(struct coord_dispatch *d, struct proto_attempt_key key, uint32_t agent, uint64_t epoch, struct coord_wire_dispatch *out,
			struct rv_err *err)
{
	const struct coord_graph *g = coord_run_graph(d->core, key.run);
	const struct coord_hint *hint = d->hints ? coord_hints_get(d->hints, key.run, key.unit) : NULL;

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
	if (hint)
		out->note = hint->note;
	if ((agent != COORD_NONE || (hint && hint->prompt.bytes)) &&
	    change_spec(d, g, key.unit, agent, hint ? hint->prompt : RV_STR(""), out, err) < 0)
		return -1;
	if (out->spec.bytes <= PROTO_SPEC_INLINE_BYTES)
		return 0;
	if (coord_value_as_blob(d->blobs, out->spec, &out->spec_blob, err) < 0)
		return -1;
	out->spec = RV_STR("");
	return 0;
}
