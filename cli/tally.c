/* tally.c - what became of each unit of one run */
#include "cli/tally.h"

#include "common/check.h"
#include "common/plan/plan.h"

#include <stdlib.h>

int cli_tally_init(struct cli_tally *t, const struct coord_graph *graph, enum cli_keep keep, struct rv_err *err)
{
	uint32_t i;

	*t = (struct cli_tally){ .graph = graph, .keep = keep, .run = coord_graph_run(graph),
				 .count = coord_graph_unit_count(graph), .first_failed = COORD_NONE, .held = COORD_NONE, .node_learnt = COORD_NONE };
	rv_buf_init(&t->details, 0);
	rv_buf_init(&t->node_names, 0);
	rv_buf_init(&t->node_places, 0);
	t->units = calloc((size_t)t->count + 1, sizeof(*t->units));
	if (!t->units)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for %u units", t->count);
	for (i = 0; i <= t->count; i++) {
		t->units[i].node = t->units[i].agent = COORD_NONE;
		t->units[i].root_cause = COORD_NONE;
		t->units[i].exit = -1;
	}
	t->room = (uint64_t)t->count + 1;
	t->in_state[COORD_UNIT_PENDING] = t->count;
	t->has_verify = coord_graph_verify_spec(graph).bytes > 0;
	return 0;
}

int cli_tally_grow(struct cli_tally *t, uint32_t units, struct rv_err *err)
{
	uint64_t want = (uint64_t)t->count + units + 1;
	uint32_t i;

	if (want > t->room) {
		struct cli_unit *grown = realloc(t->units, (want + want / 2) * sizeof(*t->units));

		if (!grown)
			return rv_fail(err, RV_E_NO_MEMORY, "no memory for %llu units", (unsigned long long)want - 1);
		t->units = grown;
		t->room = want + want / 2;
	}
	if (t->usage) {
		struct cli_unit_usage *grown = realloc(t->usage, want * sizeof(*grown));

		if (!grown)
			return rv_fail(err, RV_E_NO_MEMORY, "no memory for %llu units", (unsigned long long)want - 1);
		grown[want - 1] = grown[t->count];
		memset(grown + t->count, 0, units * sizeof(*grown));
		t->usage = grown;
	}
	t->units[want - 1] = t->units[t->count]; /* __verify__ stays the last */
	for (i = t->count; i < want - 1; i++)
		t->units[i] = (struct cli_unit){ .node = COORD_NONE, .agent = COORD_NONE, .root_cause = COORD_NONE, .exit = -1 };
	t->count += units;
	t->in_state[COORD_UNIT_PENDING] += units;
	return 0;
}

void cli_tally_release(struct cli_tally *t)
{
	free(t->units);
	free(t->usage);
	free(t->by_agent);
	t->by_agent = NULL;
	t->units = NULL;
	t->usage = NULL;
	rv_buf_release(&t->details);
	rv_buf_release(&t->node_names);
	rv_buf_release(&t->node_places);
}

/* --- nodes ------------------------------------------------------------------------------------------------------- */

static uint64_t node_place(const struct cli_tally *t, uint32_t node)
{
	struct rv_reader r;

	if (((uint64_t)node + 1) * 8 > t->node_places.bytes)
		return 0;
	rv_reader_init(&r, rv_str(t->node_places.at + (size_t)node * 8, 8));
	return rv_read_u64(&r);
}

static void learn_node(struct cli_tally *t, uint32_t node, const struct coord *core)
{
	uint64_t place = t->node_names.bytes + 1;
	struct rv_str name;
	size_t i;

	if (node == t->node_learnt || !core || node >= RV_NODES_MAX)
		return;
	if (node_place(t, node)) {
		t->node_learnt = node;
		return;
	}
	name = coord_node_name(core, node);
	if (!name.bytes)
		return;
	while (t->node_places.bytes < ((size_t)node + 1) * 8)
		if (rv_buf_put_u64(&t->node_places, 0))
			return;
	if (rv_buf_put_lv(&t->node_names, name))
		return;
	for (i = 0; i < 8; i++)
		t->node_places.at[(size_t)node * 8 + i] = (char)(place >> (8 * i));
}

struct rv_str cli_tally_node_name(const struct cli_tally *t, uint32_t node)
{
	uint64_t place = node == COORD_NONE ? 0 : node_place(t, node);
	struct rv_reader r;

	if (!place)
		return rv_str(NULL, 0);
	rv_reader_init(&r, rv_str(t->node_names.at + place - 1, t->node_names.bytes - (place - 1)));
	return rv_read_lv(&r);
}

/* --- details --------------------------------------------------------------------------------------------------------- */

static void put_value(struct rv_buf *b, const struct proto_value *v)
{
	(void)rv_buf_put_u8(b, (uint8_t)v->kind);
	if (v->kind == PROTO_VALUE_INLINE) {
		(void)rv_buf_put_lv(b, v->inline_bytes);
	} else if (v->kind == PROTO_VALUE_BLOB) {
		(void)rv_buf_put(b, v->digest, sizeof(v->digest));
		(void)rv_buf_put_u64(b, v->blob_bytes);
	}
}

static void read_digest(struct rv_reader *r, uint8_t digest[PROTO_DIGEST_BYTES])
{
	size_t i;

	for (i = 0; i < PROTO_DIGEST_BYTES; i++)
		digest[i] = rv_read_u8(r);
}

static void read_value(struct rv_reader *r, struct proto_value *v)
{
	v->kind = (enum proto_value_kind)rv_read_u8(r);
	if (v->kind == PROTO_VALUE_INLINE) {
		v->inline_bytes = rv_read_lv(r);
	} else if (v->kind == PROTO_VALUE_BLOB) {
		read_digest(r, v->digest);
		v->blob_bytes = rv_read_u64(r);
	}
}

static bool worth_keeping(const struct cli_tally *t, const struct cli_unit *u, const struct proto_result *r)
{
	if (t->keep == CLI_KEEP_FAILURES && u->state == COORD_UNIT_SUCCEEDED)
		return false;
	return r->error.bytes || r->output.kind || r->tail.kind || r->rss_bytes || r->enforcement.bytes || r->limits.bytes ||
	       r->artifact_count || r->flags & (PROTO_RESULT_TRUNCATED | PROTO_RESULT_ARTIFACTS_CUT);
}

static void keep_details(struct cli_tally *t, struct cli_unit *u, const struct proto_result *r)
{
	struct rv_buf *b = &t->details;
	uint64_t place = b->bytes + 1;
	uint32_t i;

	u->details = 0;
	if (!worth_keeping(t, u, r))
		return;
	(void)rv_buf_put_lv(b, r->error);
	put_value(b, &r->output);
	put_value(b, &r->tail);
	(void)rv_buf_put_u32(b, r->flags);
	(void)rv_buf_put_u64(b, r->rss_bytes);
	(void)rv_buf_put_lv(b, r->enforcement);
	(void)rv_buf_put_lv(b, r->limits);
	(void)rv_buf_put_u32(b, r->artifact_count);
	for (i = 0; i < r->artifact_count; i++) {
		(void)rv_buf_put_lv(b, r->artifacts[i].name);
		(void)rv_buf_put_u64(b, r->artifacts[i].bytes);
		(void)rv_buf_put(b, r->artifacts[i].digest, PROTO_DIGEST_BYTES);
	}
	if (!b->failed) /* else: no memory, or over 2 GiB of details: states stay right, details are gone */
		u->details = place;
}

void cli_tally_details(const struct cli_tally *t, uint32_t unit, struct cli_details *out)
{
	uint64_t place = t->units[unit].details;
	struct rv_reader r;
	uint32_t flags;

	*out = (struct cli_details){ 0 };
	if (!place)
		return;
	rv_reader_init(&r, rv_str(t->details.at + place - 1, t->details.bytes - (place - 1)));
	out->error = rv_read_lv(&r);
	read_value(&r, &out->output);
	read_value(&r, &out->tail);
	flags = rv_read_u32(&r);
	out->output_json = flags & PROTO_RESULT_OUTPUT_JSON;
	out->truncated = flags & PROTO_RESULT_TRUNCATED;
	out->artifacts_cut = flags & PROTO_RESULT_ARTIFACTS_CUT;
	out->rss_bytes = rv_read_u64(&r);
	out->enforcement = rv_read_lv(&r);
	out->limits = rv_read_lv(&r);
	out->artifact_count = rv_read_u32(&r);
	out->artifacts = r;
	rv_check(!r.failed);
}

bool cli_details_artifact(struct cli_details *d, struct proto_artifact *out)
{
	if (!d->artifact_count)
		return false;
	d->artifact_count--;
	out->name = rv_read_lv(&d->artifacts);
	out->bytes = rv_read_u64(&d->artifacts);
	read_digest(&d->artifacts, out->digest);
	return true;
}

/* --- feeding -------------------------------------------------------------------------------------------------------------- */

static void set_state(struct cli_tally *t, uint32_t unit, enum coord_unit_state state, uint64_t real_us)
{
	struct cli_unit *u = &t->units[unit];

	if (unit < t->count) { /* __verify__ stands apart */
		t->in_state[u->state]--;
		t->in_state[state]++;
	}
	u->state = (uint8_t)state;
	u->told_us = real_us;
}

/* Additions to an open run may bring agents: what is of commands stays the last. NULL: no memory, and sums by agent are not shown whole. */
static struct cli_agent_sum *sum_of(struct cli_tally *t, uint32_t agent)
{
	uint32_t want = coord_graph_agent_count(t->graph);

	if (!t->by_agent || want > t->agent_count) {
		struct cli_agent_sum *grown = realloc(t->by_agent, ((size_t)want + 1) * sizeof(*grown));
		struct cli_agent_sum commands = { 0 };

		if (!grown)
			return NULL;
		if (t->by_agent)
			commands = grown[t->agent_count];
		for (uint32_t i = t->by_agent ? t->agent_count : 0; i < want; i++)
			grown[i] = (struct cli_agent_sum){ 0 };
		grown[want] = commands;
		t->by_agent = grown;
		t->agent_count = want;
	}
	return &t->by_agent[rv_min_u64(agent, t->agent_count)];
}

static void take_result(struct cli_tally *t, struct cli_unit *u, const struct proto_result *r)
{
	struct cli_agent_sum *sum;

	if (!r)
		return;
	u->start_us = r->start_us;
	u->end_us = r->end_us;
	u->duration_us = r->duration_us;
	u->cpu_us += r->cpu_us;
	t->cpu_us += r->cpu_us;
	sum = sum_of(t, u->agent);
	if (sum)
		sum->cpu_us += r->cpu_us;
	u->exit = r->exit;
	u->signal = r->signal;
	keep_details(t, u, r);
}

/* --- usage -------------------------------------------------------------------------------------------------------------- */

static uint64_t known(uint64_t cost_microusd)
{
	return cost_microusd == PROTO_COST_UNKNOWN ? 0 : cost_microusd;
}

void cli_usage_add(struct proto_usage *to, const struct proto_usage *u)
{
	bool unknown = (proto_usage_is_nothing(to) || to->cost_microusd == PROTO_COST_UNKNOWN) && u->cost_microusd == PROTO_COST_UNKNOWN;

	if (proto_usage_is_nothing(u))
		return;
	to->input_tokens = rv_sat_add(to->input_tokens, u->input_tokens);
	to->output_tokens = rv_sat_add(to->output_tokens, u->output_tokens);
	to->cache_read_tokens = rv_sat_add(to->cache_read_tokens, u->cache_read_tokens);
	to->cache_write_tokens = rv_sat_add(to->cache_write_tokens, u->cache_write_tokens);
	to->cost_microusd = unknown ? PROTO_COST_UNKNOWN : rv_sat_add(known(to->cost_microusd), known(u->cost_microusd));
}

/* By how much `now` is more than `before`, number by number. */
static struct proto_usage more_than(const struct proto_usage *now, const struct proto_usage *before)
{
	return (struct proto_usage){ .input_tokens = rv_sat_sub(now->input_tokens, before->input_tokens),
				     .output_tokens = rv_sat_sub(now->output_tokens, before->output_tokens),
				     .cache_read_tokens = rv_sat_sub(now->cache_read_tokens, before->cache_read_tokens),
				     .cache_write_tokens = rv_sat_sub(now->cache_write_tokens, before->cache_write_tokens),
				     .cost_microusd = now->cost_microusd == PROTO_COST_UNKNOWN ? PROTO_COST_UNKNOWN
											       : rv_sat_sub(now->cost_microusd, known(before->cost_microusd)) };
}

static void take_usage(struct cli_tally *t, uint32_t unit, const struct coord_transition *tr)
{
	struct cli_unit_usage *u;
	struct cli_agent_sum *sum;
	struct proto_usage more;

	if (!tr->result || tr->kind == COORD_T_RESULT_FENCED || proto_usage_is_nothing(&tr->result->usage))
		return;
	if (!t->usage)
		t->usage = calloc((size_t)t->count + 1, sizeof(*t->usage));
	if (!t->usage)
		return; /* no memory: states stay right, usage is not shown */
	u = &t->usage[unit];
	if (u->attempt != tr->attempt)
		u->counted = (struct proto_usage){ 0 };
	u->attempt = tr->attempt;
	more = more_than(&tr->result->usage, &u->counted);
	cli_usage_add(&u->counted, &more);
	cli_usage_add(&u->total, &more);
	cli_usage_add(&t->used, &more);
	sum = sum_of(t, t->units[unit].agent);
	if (sum)
		cli_usage_add(&sum->used, &more);
}

uint32_t cli_tally_agent(const struct cli_tally *t, uint32_t unit)
{
	if (unit >= t->count)
		return COORD_NONE;
	return t->units[unit].agent != COORD_NONE ? t->units[unit].agent : coord_graph_agent_of(t->graph, unit);
}

struct rv_str cli_tally_agent_name(const struct cli_tally *t, uint32_t unit)
{
	uint32_t agent = cli_tally_agent(t, unit);

	return agent == COORD_NONE ? RV_STR("command") : coord_graph_agent_name(t->graph, agent);
}

struct cli_agent_sum cli_tally_by_agent(const struct cli_tally *t, uint32_t agent)
{
	struct cli_agent_sum none = { 0 };

	if (!t->by_agent || (agent != COORD_NONE && agent >= t->agent_count))
		return none;
	return t->by_agent[agent == COORD_NONE ? t->agent_count : agent];
}

struct proto_usage cli_tally_usage(const struct cli_tally *t, uint32_t unit)
{
	return t->usage ? t->usage[unit].total : (struct proto_usage){ 0 };
}

uint32_t cli_tally_held(const struct cli_tally *t)
{
	if (!t->in_state[COORD_UNIT_HELD])
		return COORD_NONE;
	if (t->held != COORD_NONE && t->units[t->held].state == COORD_UNIT_HELD)
		return t->held;
	for (uint32_t i = 0; i < t->count; i++)
		if (t->units[i].state == COORD_UNIT_HELD)
			return i;
	return COORD_NONE;
}

static void forget_outcome(struct cli_unit *u)
{
	u->start_us = u->end_us = u->duration_us = u->details = 0;
	u->exit = -1;
	u->signal = 0;
	u->class = u->reason = 0;
	u->root_cause = COORD_NONE;
}

static void finish_unit(struct cli_tally *t, uint32_t unit, const struct coord_transition *tr)
{
	struct cli_unit *u = &t->units[unit];

	set_state(t, unit, tr->state, tr->real_us);
	u->class = (uint8_t)tr->class;
	u->reason = (uint8_t)tr->reason;
	u->root_cause = tr->root_cause;
	take_result(t, u, tr->result);
	if (tr->state == COORD_UNIT_FAILED && t->first_failed == COORD_NONE)
		t->first_failed = unit;
}

static void feed_unit(struct cli_tally *t, const struct coord_transition *tr)
{
	uint32_t unit = rv_min_u64(tr->unit, t->count);
	struct cli_unit *u = &t->units[unit];

	if (tr->attempt > u->attempt)
		u->attempt = tr->attempt;
	if (tr->try_number > u->tries)
		u->tries = tr->try_number;
	if (tr->node != COORD_NONE)
		u->node = tr->node;
	take_usage(t, unit, tr);
	switch (tr->kind) {
	case COORD_T_UNIT_READY:
		if (u->state == COORD_UNIT_PENDING || u->state == COORD_UNIT_RETRY_WAIT || u->state == COORD_UNIT_HELD)
			set_state(t, unit, COORD_UNIT_READY, tr->real_us);
		break;
	case COORD_T_UNIT_ASSIGNED:
		u->agent = tr->agent;
		set_state(t, unit, COORD_UNIT_ACTIVE, tr->real_us);
		forget_outcome(u);
		break;
	case COORD_T_UNIT_STARTED:
		if (!u->start_us)
			u->start_us = tr->real_us;
		break;
	case COORD_T_UNIT_RETRACTED:
	case COORD_T_UNIT_RELEASED:
	case COORD_T_ATTEMPT_REJECTED:
		if (!cli_unit_ended(u))
			set_state(t, unit, COORD_UNIT_READY, tr->real_us);
		break;
	case COORD_T_ATTEMPT_LOST:
		t->node_lost++;
		if (!cli_unit_ended(u))
			set_state(t, unit, COORD_UNIT_READY, tr->real_us);
		break;
	case COORD_T_UNIT_RETRY_WAIT:
		t->retries += coord_class_spends_retry(tr->class);
		set_state(t, unit, COORD_UNIT_RETRY_WAIT, tr->real_us);
		u->class = (uint8_t)tr->class;
		u->reason = (uint8_t)tr->reason;
		u->due_us = rv_sat_add(tr->real_us, tr->delay_us);
		take_result(t, u, tr->result);
		break;
	case COORD_T_UNIT_HELD:
		t->held = unit;
		set_state(t, unit, COORD_UNIT_HELD, tr->real_us);
		break;
	case COORD_T_UNIT_REQUEUED:
		set_state(t, unit, COORD_UNIT_PENDING, tr->real_us);
		forget_outcome(u);
		u->tries = tr->try_number; /* a retry goes on counting, a resume begins anew */
		if (t->first_failed == unit)
			t->first_failed = COORD_NONE;
		break;
	case COORD_T_UNIT_FINISHED:
		finish_unit(t, unit, tr);
		break;
	case COORD_T_RESULT_FENCED:
		u->late = true;
		break;
	default:
		break;
	}
}

/* Of one that was killed the time since the last word of it counts as standing still: when it died is not known. */
static void note_stop(struct cli_tally *t, const struct coord_transition *resumed)
{
	uint64_t since = t->finished_us ? t->finished_us : resumed->died ? t->told_us : resumed->real_us;

	if (t->started_us)
		t->stopped_us = rv_sat_add(t->stopped_us, rv_sat_sub(resumed->real_us, since));
}

void cli_tally_feed(struct cli_tally *t, const struct coord_transition *tr, const struct coord *core)
{
	if (tr->node != COORD_NONE)
		learn_node(t, tr->node, core);
	if (tr->run != t->run)
		return;
	if (tr->kind == COORD_T_RUN_RESUMED)
		note_stop(t, tr);
	t->told_us = tr->real_us;
	if (tr->unit != COORD_NONE) {
		feed_unit(t, tr);
		return;
	}
	switch (tr->kind) {
	case COORD_T_RUN_ACCEPTED:
		t->accepted_us = tr->real_us;
		break;
	case COORD_T_RUN_STARTED:
		if (!t->started_us)
			t->started_us = tr->real_us;
		break;
	case COORD_T_RUN_RESUMED:
	case COORD_T_RUN_UNPAUSED:
		t->state = COORD_RUN_RUNNING;
		t->reason = PROTO_REASON_NONE;
		t->finished_us = 0;
		break;
	case COORD_T_RUN_PAUSED:
		t->state = COORD_RUN_PAUSED;
		break;
	case COORD_T_RUN_STOPPED:
		t->reason = tr->reason;
		break;
	case COORD_T_RUN_FINISHED:
		t->state = tr->run_state;
		t->reason = tr->reason;
		t->finished_us = tr->real_us;
		break;
	default:
		break;
	}
}

/* --- asking ------------------------------------------------------------------------------------------------------------------ */

struct rv_str cli_tally_unit_id(const struct cli_tally *t, uint32_t unit, char room[COORD_UNIT_ID_BYTES])
{
	return unit >= t->count ? RV_STR(PLAN_VERIFY_ID) : coord_graph_unit_id(t->graph, unit, room);
}

uint64_t cli_tally_took_us(const struct cli_tally *t)
{
	return t->took_us ? t->took_us : cli_tally_elapsed_us(t, t->finished_us);
}

uint64_t cli_tally_elapsed_us(const struct cli_tally *t, uint64_t real_us)
{
	uint64_t from = t->started_us ? t->started_us : t->accepted_us;

	return from ? rv_sat_sub(rv_sat_sub(t->finished_us ? t->finished_us : real_us, from), t->stopped_us) : 0;
}

bool cli_unit_ended(const struct cli_unit *u)
{
	return u->state >= COORD_UNIT_SUCCEEDED;
}

uint32_t cli_tally_ended(const struct cli_tally *t)
{
	return t->in_state[COORD_UNIT_SUCCEEDED] + t->in_state[COORD_UNIT_FAILED] + t->in_state[COORD_UNIT_SKIPPED] +
	       t->in_state[COORD_UNIT_CANCELLED];
}

uint64_t cli_tally_queued_us(const struct cli_tally *t, uint32_t unit)
{
	uint32_t i, deps = unit < t->count ? coord_graph_dep_count(t->graph, unit) : 0;
	uint64_t at = t->accepted_us;

	for (i = 0; i < deps; i++) {
		const struct cli_unit *d = &t->units[coord_graph_dep(t->graph, unit, i)];

		if (!cli_unit_ended(d))
			return 0;
		at = rv_max_u64(at, d->told_us);
	}
	return at;
}

/* Sorting names needs them all at once; a unit blocked by more failed dependencies than this names the first in plan order. */
#define BLOCKED_BY_MAX 256

struct name {
	char room[COORD_UNIT_ID_BYTES];
	size_t bytes;
};

static int by_name(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return rv_str_compare(rv_str(x->room, x->bytes), rv_str(y->room, y->bytes));
}

void cli_tally_blocked_by(const struct cli_tally *t, uint32_t unit, void (*each)(void *arg, struct rv_str id), void *arg)
{
	uint32_t i, count = 0, deps = unit < t->count ? coord_graph_dep_count(t->graph, unit) : 0;
	struct name *names = deps ? calloc(rv_min_u64(deps, BLOCKED_BY_MAX), sizeof(*names)) : NULL;

	for (i = 0; names && i < deps && count < BLOCKED_BY_MAX; i++) {
		uint32_t dep = coord_graph_dep(t->graph, unit, i);
		enum coord_unit_state s = t->units[dep].state;
		struct rv_str id;

		if (s != COORD_UNIT_FAILED && s != COORD_UNIT_SKIPPED && s != COORD_UNIT_CANCELLED)
			continue;
		id = cli_tally_unit_id(t, dep, names[count].room);
		names[count].bytes = rv_min_u64(id.bytes, sizeof(names[count].room));
		memmove(names[count].room, id.at, names[count].bytes);
		count++;
	}
	if (count)
		qsort(names, count, sizeof(*names), by_name);
	for (i = 0; i < count; i++)
		each(arg, rv_str(names[i].room, names[i].bytes));
	free(names);
}
