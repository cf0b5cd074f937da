/* graph_spec.c - what a node is told of each unit: encoded once a template, equal ones once a run */
#include "coordinator/core/build.h"
#include "common/plan/template.h"

#include <stdio.h>

static int no_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for the run's specs");
}

/* --- merging two compact JSON objects: the plan's context and the unit's over it --- */

/* The end of the JSON value that starts at `at`. The texts are the plan's own compact JSON: valid. */
static size_t skip_value(struct rv_str s, size_t at)
{
	int depth = 0;

	for (; at < s.bytes; at++) {
		char ch = s.at[at];

		if (ch == '"') {
			for (at++; at < s.bytes && s.at[at] != '"'; at++)
				if (s.at[at] == '\\')
					at++;
		} else if (ch == '{' || ch == '[') {
			depth++;
		} else if (ch == '}' || ch == ']') {
			if (depth-- == 0)
				return at;
		} else if (ch == ',' && depth == 0) {
			return at;
		}
	}
	return at;
}

static bool has_key(struct rv_str object, struct rv_str raw_key)
{
	size_t at = 1;

	while (at + 1 < object.bytes) {
		size_t end = skip_value(object, at);

		if (end - at > raw_key.bytes && memcmp(object.at + at, raw_key.at, raw_key.bytes) == 0 &&
		    object.at[at + raw_key.bytes] == ':')
			return true;
		at = end + 1;
	}
	return false;
}

static void merge_objects(struct rv_buf *out, struct rv_str below, struct rv_str above)
{
	size_t at = 1;
	bool first = true;

	rv_buf_putc(out, '{');
	while (at + 1 < below.bytes) {
		size_t end = skip_value(below, at), key_end = at + 1;

		while (key_end < end && below.at[key_end] != '"')
			key_end += below.at[key_end] == '\\' ? 2 : 1;
		if (!has_key(above, rv_str(below.at + at, key_end + 1 - at))) {
			if (!first)
				rv_buf_putc(out, ',');
			rv_buf_put(out, below.at + at, end - at);
			first = false;
		}
		at = end + 1;
	}
	if (above.bytes > 2) {
		if (!first)
			rv_buf_putc(out, ',');
		rv_buf_put(out, above.at + 1, above.bytes - 2);
	}
	rv_buf_putc(out, '}');
}

/* --- the spec --- */

struct spec_room {
	struct rv_str *argv, *accept, *unless;
	struct proto_pair *env;
	int32_t *exit_codes;
	struct proto_pair resources[RV_RESOURCES_MAX];
	char amounts[RV_RESOURCES_MAX][32];
	uint32_t argv_max, accept_max, unless_max, env_max;
	struct rv_buf context;
	struct rv_buf empty; /* the context with the lists of templates without units */
	struct rv_buf encoded;
};

static int room_for(struct coord_build *b, struct spec_room *r, uint32_t env_count, struct rv_err *err)
{
	if (env_count > r->env_max || !r->env) {
		r->env_max = env_count * 2 + 16;
		r->env = RV_ARENA_ARRAY(&b->temp, struct proto_pair, r->env_max);
	}
	if (!r->exit_codes)
		r->exit_codes = RV_ARENA_ARRAY(&b->temp, int32_t, 256);
	return r->env && r->exit_codes ? 0 : no_memory(err);
}

static uint32_t spec_flags(struct coord_build *b, uint32_t t, const struct plan_unit *u)
{
	const struct plan_settings *s = u->settings;
	struct coord_tmpl *tm = &b->g->tmpls[t];
	bool dirs = u->dirs && b->plan->workspace.mode == PLAN_MODE_SHARED;
	uint32_t flags = 0;

	flags |= s->agent_unit ? PROTO_SPEC_AGENT_UNIT : 0;
	flags |= u->flags & PLAN_UNIT_FILL ? PROTO_SPEC_TEMPLATED : 0;
	flags |= u->flags & PLAN_UNIT_FILL_PROMPT ? PROTO_SPEC_FILL_PROMPT : 0;
	flags |= u->flags & PLAN_UNIT_NAMESPACE ? PROTO_SPEC_NAMESPACE : 0;
	tm->flags |= u->flags & PLAN_UNIT_NAMESPACE ? COORD_TMPL_CONTEXT_FILE | COORD_TMPL_PROMPT : 0;
	tm->flags |= s->agent_unit || s->profile == PLAN_PROFILE_MOCK || (u->command && u->command->fills_places) ? COORD_TMPL_PROMPT : 0;
	flags |= s->at_most_once ? PROTO_SPEC_AT_MOST_ONCE : 0;
	flags |= coord_build_has_dirs(b, u) || s->lock_count || s->at_most_once ? PROTO_SPEC_EXCLUSIVE : 0;
	flags |= dirs ? PROTO_SPEC_HAS_DIRS : 0;
	flags |= b->plan->workspace.mode == PLAN_MODE_NONE ? PROTO_SPEC_NO_WORKSPACE : 0;
	flags |= b->plan->compat_ralph ? PROTO_SPEC_RALPH_ENV : 0;
	if (u->flags & PLAN_UNIT_USES_CONTEXT && (u->dep_count || tm->same_as != COORD_NONE)) {
		uint32_t wanted = COORD_TMPL_OUTPUT_WANTED;

		flags |= PROTO_SPEC_NEEDS_DEPS;
		tm->flags |= COORD_TMPL_NEEDS_DEPS;
		if (u->flags & PLAN_UNIT_NAMESPACE) {
			tm->flags |= COORD_TMPL_SHOWS_ARTIFACTS;
			wanted |= COORD_TMPL_ARTIFACTS_WANTED;
		}
		for (uint32_t i = 0; i < u->dep_count; i++)
			b->g->tmpls[u->deps[i]].flags |= wanted;
		if (tm->same_as != COORD_NONE)
			b->g->tmpls[tm->same_as].flags |= wanted;
	}
	return flags;
}

/* A template without units hands over an empty list: no dispatch has a unit that could bring it along. */
static void add_empty_deps(struct coord_build *b, const struct plan_unit *u, struct spec_room *r, struct proto_spec *s)
{
	struct rv_str given = s->context;
	bool first = true;

	for (uint32_t i = 0; i < u->dep_count; i++) {
		if (b->g->tmpls[u->deps[i]].count)
			continue;
		if (first) {
			rv_buf_reset(&r->empty);
			rv_buf_put(&r->empty, given.bytes > 2 ? given.at : "{", given.bytes > 2 ? given.bytes - 1 : 1);
			if (given.bytes > 2)
				rv_buf_putc(&r->empty, ',');
		} else {
			rv_buf_putc(&r->empty, ',');
		}
		first = false;
		rv_buf_printf(&r->empty, "\"_dep_%.*s\":[]", RV_STR_ARGS(coord_build_unit(b, u->deps[i])->id));
	}
	if (first)
		return;
	rv_buf_putc(&r->empty, '}');
	s->context = rv_buf_str(&r->empty);
}

static void spec_texts(struct coord_build *b, const struct plan_unit *u, struct spec_room *r, struct proto_spec *s)
{
	s->description = u->description;
	s->prompt = u->prompt;
	s->x_keys = u->extra;
	s->cwd = u->settings->cwd;
	s->context = RV_STR("");
	if (u->flags & PLAN_UNIT_USES_CONTEXT) {
		if (u->context.bytes > 2) {
			rv_buf_reset(&r->context);
			merge_objects(&r->context, b->plan->context, u->context);
			s->context = rv_buf_str(&r->context);
		} else if (b->plan->context.bytes > 2) {
			s->context = b->plan->context;
		}
		add_empty_deps(b, u, r, s);
	}
	if (s->flags & PROTO_SPEC_HAS_DIRS) {
		s->dirs = u->dirs->path;
		s->dir_count = u->dirs->count;
	}
}

const enum plan_profile coord_built_in_agents[BUILT_IN_AGENTS] = { PLAN_PROFILE_MOCK, PLAN_PROFILE_CLAUDE, PLAN_PROFILE_CODEX };

static void spec_mock(const struct plan_mock *m, struct proto_spec *s)
{
	s->mock_delay_us = m->delay_us;
	s->mock_rate_limited = m->rate_limited;
	s->mock_retry_after_us = m->retry_after_us;
	s->mock_hang = m->hang;
	s->mock_fail = m->fail;
	s->mock_tokens = m->tokens;
	s->mock_cost_microusd = m->cost_microusd;
	s->mock_output = m->output;
}

/* What an agent sets of a spec: `a` NULL where it is none of the plan's table. */
static void spec_agent(enum plan_profile profile, const struct plan_agent *a, struct spec_room *r, struct proto_spec *s)
{
	static const enum proto_agent_kind kinds[] = { [PLAN_PROFILE_COMMAND] = PROTO_AGENT_COMMAND, [PLAN_PROFILE_MOCK] = PROTO_AGENT_MOCK,
						       [PLAN_PROFILE_NOOP] = PROTO_AGENT_NOOP, [PLAN_PROFILE_CLAUDE] = PROTO_AGENT_CLAUDE,
						       [PLAN_PROFILE_CODEX] = PROTO_AGENT_CODEX };
	bool launched = profile == PLAN_PROFILE_CLAUDE || profile == PLAN_PROFILE_CODEX;

	s->agent_kind = kinds[profile];
	s->home = launched ? PROTO_HOME_SHARED : PROTO_HOME_NONE;
	if (!a)
		return;
	s->agent = a->name;
	s->model = a->model;
	for (uint32_t i = 0; i < a->rate_limit_exit_count; i++)
		r->exit_codes[i] = a->rate_limit_exit_codes[i];
	s->rate_limit_exit_codes = r->exit_codes;
	s->rate_limit_exit_code_count = a->rate_limit_exit_count;
	s->rate_limit_patterns = a->rate_limit_patterns;
	s->rate_limit_pattern_count = a->rate_limit_pattern_count;
	if (launched) {
		s->preamble = a->preamble == PLAN_PREAMBLE_OFF	  ? PROTO_PREAMBLE_OFF
			      : a->preamble == PLAN_PREAMBLE_TEXT ? PROTO_PREAMBLE_TEXT
								  : PROTO_PREAMBLE_BUILT_IN;
		s->preamble_text = a->preamble_text;
	}
	if (profile == PLAN_PROFILE_MOCK)
		spec_mock(&a->mock, s);
}

/* "2", "0.5": thousandths as people write them. */
static struct rv_str amount_text(uint64_t milli, char out[32])
{
	int n = snprintf(out, 32, "%llu", (unsigned long long)(milli / 1000));

	if (milli % 1000)
		n += snprintf(out + n, (size_t)(32 - n), ".%03u", (unsigned)(milli % 1000));
	while (milli % 1000 && out[n - 1] == '0')
		n--;
	return rv_str(out, (size_t)n);
}

static void spec_resources(const struct plan_settings *from, struct spec_room *r, struct proto_spec *s)
{
	for (uint32_t i = 0; i < from->resource_count && i < RV_RESOURCES_MAX; i++) {
		r->resources[i] = (struct proto_pair){ from->resources[i].name, amount_text(from->resources[i].milli, r->amounts[i]) };
		s->resource_count++;
	}
	s->resources = r->resources;
}

static void spec_limits(struct coord_build *b, const struct plan_settings *from, struct proto_spec *s)
{
	s->grace_us = from->grace_us;
	s->log_max_bytes = from->log_max_bytes;
	s->timeout_us = from->timeout_us;
	s->idle_timeout_us = from->idle_timeout_us;
	s->start_timeout_us = from->start_timeout_us;
	s->cpus = from->slots;
	for (uint32_t i = 0; i < from->resource_count; i++)
		if (rv_str_equal(from->resources[i].name, RV_STR("memory_mb")))
			s->memory_bytes = from->resources[i].milli / 1000 << 20;
	s->output_mode = from->output == PLAN_OUTPUT_JSON ? PROTO_OUTPUT_JSON : PROTO_OUTPUT_TEXT;
	s->evidence_mode = from->evidence == PLAN_EVIDENCE_ARTIFACT		? PROTO_EVIDENCE_ARTIFACT
			   : from->evidence == PLAN_EVIDENCE_ARTIFACT_AND_EXIT ? PROTO_EVIDENCE_ARTIFACT_AND_EXIT
									       : PROTO_EVIDENCE_EXIT;
	s->evidence_globs = from->required;
	s->evidence_glob_count = from->required_count;
	s->keep_logs = b->plan->keep_logs == PLAN_LOGS_NODE  ? PROTO_LOGS_NODE
		       : b->plan->keep_logs == PLAN_LOGS_ALL ? PROTO_LOGS_ALL
							     : PROTO_LOGS_FAILED;
}

static int spec_argv(struct coord_build *b, const struct plan_argv *from, struct rv_str **room, uint32_t *max, const struct rv_str **out, uint32_t *count)
{
	if (!from)
		return 0;
	if (from->count > *max) {
		*max = from->count * 2 + 16;
		*room = RV_ARENA_ARRAY(&b->temp, struct rv_str, *max);
		if (!*room)
			return -1;
	}
	for (uint32_t i = 0; i < from->count; i++)
		(*room)[i] = rv_str_of(from->arg[i]);
	*out = *room;
	*count = from->count;
	return 0;
}

/* What is the unit's own stands last: another agent takes the place of the rest. */
static void spec_env(const struct plan_settings *from, struct spec_room *r, struct proto_spec *s)
{
	for (int own = 0; own < 2; own++)
		for (uint32_t i = 0; i < from->env_count; i++)
			if (from->env[i].own == own)
				r->env[s->env_count++] = (struct proto_pair){ from->env[i].name, from->env[i].value };
	s->env = r->env;
}

static int encode_unit(struct coord_build *b, uint32_t t, struct spec_room *r, struct rv_err *err)
{
	const struct plan_unit *u = coord_build_unit(b, t);
	bool pretends = u->settings->profile == PLAN_PROFILE_MOCK || u->settings->profile == PLAN_PROFILE_NOOP; /* and so do its commands */
	struct proto_spec s;

	if (room_for(b, r, u->settings->env_count, err) < 0)
		return -1;
	proto_spec_init(&s);
	s.flags = spec_flags(b, t, u);
	spec_agent(u->settings->profile, u->settings->agent == PLAN_NONE ? NULL : &b->plan->agents[u->settings->agent], r, &s);
	if (u->settings->profile == PLAN_PROFILE_MOCK)
		spec_mock(&u->settings->mock, &s);
	spec_texts(b, u, r, &s);
	spec_limits(b, u->settings, &s);
	spec_resources(u->settings, r, &s);
	if (spec_argv(b, pretends ? NULL : u->settings->accept, &r->accept, &r->accept_max, &s.accept, &s.accept_count) < 0 ||
	    spec_argv(b, pretends ? NULL : u->settings->unless, &r->unless, &r->unless_max, &s.unless, &s.unless_count) < 0 ||
	    spec_argv(b, u->command, &r->argv, &r->argv_max, &s.argv, &s.argc) < 0)
		return no_memory(err);
	spec_env(u->settings, r, &s);
	rv_buf_reset(&r->encoded);
	if (r->context.failed || r->empty.failed || proto_spec_encode(&s, &r->encoded) < 0)
		return no_memory(err);
	return 0;
}

static int build_each(struct coord_build *b, struct spec_room *r, struct rv_err *err)
{
	struct coord_graph *g = b->g;

	for (uint32_t t = 0; t < g->tmpl_count; t++) {
		uint32_t at;

		if (g->tmpls[t].flags & COORD_TMPL_OUTER)
			continue;
		if (encode_unit(b, t, r, err) < 0)
			return -1;
		at = rv_strmap_get(&b->specs, rv_buf_str(&r->encoded));
		if (at == RV_MAP_NONE) {
			at = g->spec_count++;
			g->specs[at] = rv_arena_str(&g->arena, rv_buf_str(&r->encoded));
			if (!g->specs[at].at || rv_strmap_add(&b->specs, g->specs[at], at) == RV_MAP_NONE)
				return no_memory(err);
		}
		g->more[t].spec = at;
	}
	return 0;
}

/* By agent, for units that are sent to another one; what is no agent of agent units has none. */
static int build_agents(struct coord_build *b, struct spec_room *r, struct rv_err *err)
{
	struct coord_graph *g = b->g;

	g->agent_specs = RV_ARENA_ARRAY(&g->arena, struct rv_str, g->agent_count + 1u);
	if (!g->agent_specs)
		return no_memory(err);
	for (uint32_t i = 0; i < g->agent_count; i++) {
		const struct plan_agent *a = i < b->plan->agent_count ? &b->plan->agents[i] : NULL;
		enum plan_profile profile = a ? a->profile : coord_built_in_agents[i - b->plan->agent_count];
		const struct plan_env *env = a && !a->built_in ? a->env : b->plan->env;
		uint32_t env_count = a && !a->built_in ? a->env_count : b->plan->env_count;
		struct proto_spec s;

		g->agent_specs[i] = RV_STR("");
		if (profile == PLAN_PROFILE_COMMAND || profile == PLAN_PROFILE_NOOP)
			continue;
		if (room_for(b, r, env_count, err) < 0)
			return -1;
		proto_spec_init(&s);
		spec_agent(profile, a, r, &s);
		if (!a)
			s.agent = g->agents[i].name;
		for (uint32_t k = 0; k < env_count; k++) {
			r->env[k] = (struct proto_pair){ env[k].name, env[k].value };
			s.flags |= plan_template_has_keys(env[k].value) ? PROTO_SPEC_TEMPLATED : 0;
		}
		s.env = r->env;
		s.env_count = env_count;
		rv_buf_reset(&r->encoded);
		if (proto_spec_encode(&s, &r->encoded) < 0)
			return no_memory(err);
		g->agent_specs[i] = rv_arena_str(&g->arena, rv_buf_str(&r->encoded));
		if (!g->agent_specs[i].at)
			return no_memory(err);
	}
	return 0;
}

int coord_build_specs(struct coord_build *b, struct rv_err *err)
{
	struct coord_graph *g = b->g;
	struct spec_room r = { 0 };
	int rc;

	g->specs = RV_ARENA_ARRAY(&g->arena, struct rv_str, g->tmpl_count + 1u);
	if (!g->specs)
		return no_memory(err);
	rv_buf_init(&r.context, 0);
	rv_buf_init(&r.empty, 0);
	rv_buf_init(&r.encoded, 0);
	rc = g->meter_count ? build_agents(b, &r, err) : 0;
	if (rc == 0)
		rc = build_each(b, &r, err);
	rv_buf_release(&r.context);
	rv_buf_release(&r.empty);
	rv_buf_release(&r.encoded);
	return rc;
}
