/* attempts.c - every attempt of a run that took time on a node */
#include "cli/export/attempts.h"

#include <stdlib.h>
#include <string.h>

const char *cli_attempt_end_name(enum cli_attempt_end end)
{
	static const char *const names[] = {
		[CLI_ATTEMPT_RUNNING] = "running", [CLI_ATTEMPT_SUCCEEDED] = "succeeded", [CLI_ATTEMPT_FAILED] = "failed",
		[CLI_ATTEMPT_RETRIED] = "retried", [CLI_ATTEMPT_CANCELLED] = "cancelled", [CLI_ATTEMPT_LOST] = "lost",
	};

	return names[end];
}

void cli_attempts_init(struct cli_attempts *a)
{
	*a = (struct cli_attempts){ .node_count = 0 };
	rv_buf_init(&a->rows, 0);
}

void cli_attempts_release(struct cli_attempts *a)
{
	rv_buf_release(&a->rows);
	free(a->assigned_us);
	free(a->usage);
	free(a->last);
	free(a->slots);
	a->assigned_us = NULL;
	a->usage = NULL;
	a->last = a->slots = NULL;
}

/* --- collecting ---------------------------------------------------------------------------------------------------------- */

static int add(struct cli_attempts *a, struct cli_attempt row)
{
	if (row.end_us < row.start_us)
		row.end_us = row.start_us;
	return rv_buf_put(&a->rows, &row, sizeof(row));
}

static enum cli_attempt_end end_of(const struct coord_transition *tr)
{
	if (tr->kind == COORD_T_UNIT_RETRY_WAIT)
		return CLI_ATTEMPT_RETRIED;
	return tr->state == COORD_UNIT_SUCCEEDED ? CLI_ATTEMPT_SUCCEEDED : tr->state == COORD_UNIT_CANCELLED ? CLI_ATTEMPT_CANCELLED : CLI_ATTEMPT_FAILED;
}

/* `old` (NULL: none yet) of `was` units and the verify step becomes one of `now`: that step stays the last. NULL: no memory. */
static void *grown(void *old, size_t was, size_t now, size_t bytes)
{
	char *to = realloc(old, (now + 1) * bytes);

	if (!to)
		return NULL;
	if (!old) {
		memset(to, 0, (now + 1) * bytes);
	} else {
		memmove(to + now * bytes, to + was * bytes, bytes);
		memset(to + was * bytes, 0, (now - was) * bytes);
	}
	return to;
}

/* Room for every unit: those that are added to an open run come while it is fed. */
static int room_for(struct cli_attempts *a, uint32_t count)
{
	void *assigned, *usage;

	if (a->assigned_us && a->units == count)
		return 0;
	assigned = grown(a->assigned_us, a->units, count, sizeof(*a->assigned_us));
	if (!assigned)
		return -1;
	a->assigned_us = assigned;
	if (a->usage) {
		usage = grown(a->usage, a->units, count, sizeof(*a->usage));
		if (!usage)
			return -1;
		a->usage = usage;
	}
	a->units = count;
	return 0;
}

static int add_usage(struct cli_attempts *a, uint32_t unit, uint32_t count, const struct proto_usage *u)
{
	struct cli_attempt_usage *sum;

	if (proto_usage_is_nothing(u))
		return 0;
	if (!a->usage)
		a->usage = calloc((size_t)count + 1, sizeof(*a->usage));
	if (!a->usage)
		return -1;
	sum = &a->usage[unit];
	sum->tokens = rv_sat_add(sum->tokens, proto_usage_tokens(u));
	sum->cost_microusd = rv_sat_add(sum->cost_microusd, proto_usage_cost(u));
	sum->cost_unknown |= u->cost_microusd == PROTO_COST_UNKNOWN;
	return 0;
}

int cli_attempts_feed(struct cli_attempts *a, const struct cli_tally *t, const struct coord_transition *tr)
{
	uint32_t unit;
	struct cli_attempt row;

	if (tr->run != t->run || tr->unit == COORD_NONE)
		return 0;
	if (room_for(a, t->count))
		return -1;
	unit = (uint32_t)rv_min_u64(tr->unit, t->count);
	row = (struct cli_attempt){ .unit = unit, .agent = cli_tally_agent(t, unit), .number = tr->attempt ? tr->attempt : t->units[unit].attempt,
				    .node = tr->node != COORD_NONE ? tr->node : t->units[unit].node, .exit = -1, .class = (uint8_t)tr->class,
				    .reason = (uint8_t)tr->reason };
	switch (tr->kind) {
	case COORD_T_UNIT_ASSIGNED:
		a->assigned_us[unit] = tr->real_us;
		return 0;
	case COORD_T_UNIT_RETRACTED:
	case COORD_T_ATTEMPT_REJECTED:
		a->assigned_us[unit] = 0;
		return 0;
	case COORD_T_ATTEMPT_LOST:
		row.start_us = a->assigned_us[unit];
		row.end_us = tr->real_us;
		row.end = CLI_ATTEMPT_LOST;
		a->assigned_us[unit] = 0;
		return row.start_us ? add(a, row) : 0;
	case COORD_T_UNIT_FINISHED:
	case COORD_T_UNIT_RETRY_WAIT:
		a->assigned_us[unit] = 0;
		if (tr->result && add_usage(a, unit, t->count, &tr->result->usage))
			return -1;
		if (!tr->result || !tr->result->start_us)
			return 0;
		row.start_us = tr->result->start_us;
		row.end_us = tr->result->end_us;
		row.exit = tr->result->exit;
		row.end = (uint8_t)end_of(tr);
		return add(a, row);
	default:
		return 0;
	}
}

/* --- arranging ------------------------------------------------------------------------------------------------------------ */

static int by_start(const void *x, const void *y)
{
	const struct cli_attempt *a = x, *b = y;

	if (a->start_us != b->start_us)
		return a->start_us < b->start_us ? -1 : 1;
	if (a->unit != b->unit)
		return a->unit < b->unit ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static int by_node_then_start(const void *x, const void *y)
{
	const struct cli_attempt *a = x, *b = y;

	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	return by_start(x, y);
}

/* What has no end yet lasts until the latest thing that is known. */
static int add_running(struct cli_attempts *a, const struct cli_tally *t)
{
	uint32_t i;

	if (a->assigned_us && room_for(a, t->count))
		return -1;
	for (i = 0; a->assigned_us && i <= t->count; i++) {
		const struct cli_unit *u = &t->units[i];

		const uint64_t start = u->start_us ? u->start_us : a->assigned_us[i];

		if (!a->assigned_us[i] || u->state != COORD_UNIT_ACTIVE)
			continue;
		if (add(a, (struct cli_attempt){ .start_us = start, .end_us = a->to_us, .unit = i, .agent = cli_tally_agent(t, i), .number = u->attempt,
						 .node = u->node, .exit = -1, .end = CLI_ATTEMPT_RUNNING }))
			return -1;
		a->from_us = rv_min_u64(a->from_us ? a->from_us : start, start); /* a clock may have been set back since the run was accepted */
	}
	return 0;
}

static void find_span(struct cli_attempts *a, const struct cli_tally *t)
{
	uint32_t i, count = cli_attempts_count(a);

	a->from_us = t->accepted_us;
	a->to_us = rv_max_u64(t->accepted_us, t->finished_us);
	for (i = 0; i < count; i++) {
		const struct cli_attempt *row = cli_attempt_at(a, i);

		a->from_us = a->from_us ? rv_min_u64(a->from_us, row->start_us) : row->start_us;
		a->to_us = rv_max_u64(a->to_us, row->end_us);
		if (row->node != COORD_NONE && row->node >= a->node_count)
			a->node_count = row->node + 1;
	}
	for (i = 0; !t->finished_us && i <= t->count; i++) { /* what runs still: until now, as far as it was told */
		a->to_us = rv_max_u64(a->to_us, t->units[i].told_us);
		if (t->units[i].node != COORD_NONE && t->units[i].node >= a->node_count)
			a->node_count = t->units[i].node + 1;
	}
}

/* `until`: the end of what each slot of the node at hand had last. */
static int deal(struct cli_attempts *a, struct rv_err *err)
{
	uint32_t i, k, count = cli_attempts_count(a), used = 0, room = 64, node = COORD_NONE;
	uint64_t *until = malloc(room * sizeof(*until)), *more;
	bool first = true;

	for (i = 0; until && i < count; i++) {
		struct cli_attempt *row = cli_attempt_at(a, i);

		if (first || row->node != node)
			used = 0;
		first = false;
		node = row->node;
		for (k = 0; k < used && until[k] > row->start_us; k++)
			;
		if (k == used && used == room) {
			room *= 2;
			more = realloc(until, room * sizeof(*until));
			if (!more)
				free(until);
			until = more;
			if (!until)
				break;
		}
		if (k == used)
			used++;
		until[k] = row->end_us;
		row->slot = k;
		a->slots[node == COORD_NONE ? a->node_count : node] = used;
	}
	if (!until)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the slots of %u attempts", count);
	free(until);
	return 0;
}

int cli_attempts_arrange(struct cli_attempts *a, const struct cli_tally *t, struct rv_err *err)
{
	uint32_t i, count;

	find_span(a, t);
	a->slots = calloc((size_t)a->node_count + 1, sizeof(*a->slots));
	a->last = calloc((size_t)t->count + 1, sizeof(*a->last));
	if (!a->slots || !a->last || add_running(a, t))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the attempts of a run");
	count = cli_attempts_count(a);
	qsort(a->rows.at, count, sizeof(struct cli_attempt), by_node_then_start);
	if (deal(a, err))
		return -1;
	qsort(a->rows.at, count, sizeof(struct cli_attempt), by_start);
	for (i = 0; i < count; i++) {
		const struct cli_attempt *row = cli_attempt_at(a, i);
		uint32_t *last = &a->last[row->unit];

		if (!*last || cli_attempt_at(a, *last - 1)->number <= row->number)
			*last = i + 1;
	}
	return 0;
}
