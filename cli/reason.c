/* reason.c - why a unit is in its state, as a sentence */
#include "cli/render.h"
#include "cli/tally.h"
#include "cli/waits.h"
#include "common/os/clock.h"

#include <stdio.h>

#define WAITS_FOR_SHOWN 3

static void put_id(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	char room[COORD_UNIT_ID_BYTES];

	(void)rv_buf_put_str(out, cli_tally_unit_id(t, unit, room));
}

/* The unit that failed first: what stopped the others. */
static uint32_t culprit(const struct cli_tally *t, const struct cli_unit *u)
{
	return u->root_cause != COORD_NONE ? u->root_cause : t->first_failed;
}

struct joined {
	struct rv_buf *out;
	uint32_t count;
};

static void join(void *arg, struct rv_str id)
{
	struct joined *j = arg;

	if (j->count++)
		(void)rv_buf_puts(j->out, ", ");
	(void)rv_buf_put_str(j->out, id);
}

static void put_waits_for(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	uint32_t i, open = 0, deps = unit < t->count ? coord_graph_dep_count(t->graph, unit) : 0;

	for (i = 0; i < deps; i++) {
		uint32_t dep = coord_graph_dep(t->graph, unit, i);

		if (cli_unit_ended(&t->units[dep]))
			continue;
		if (open < WAITS_FOR_SHOWN) {
			(void)rv_buf_puts(out, open ? ", " : "waits for ");
			put_id(t, dep, out);
		}
		open++;
	}
	if (open > WAITS_FOR_SHOWN)
		(void)rv_buf_printf(out, " and %u more", open - WAITS_FOR_SHOWN);
}

struct rv_str cli_error_without_unit(const struct cli_tally *t, uint32_t unit, struct rv_str error)
{
	char room[COORD_UNIT_ID_BYTES], prefix[COORD_UNIT_ID_BYTES + 16];
	struct rv_str id = cli_tally_unit_id(t, unit, room);
	int n = snprintf(prefix, sizeof(prefix), "unit \"%.*s\": ", RV_STR_ARGS(id));

	if (n > 0 && (size_t)n < error.bytes && memcmp(error.at, prefix, (size_t)n) == 0)
		return rv_str(error.at + n, error.bytes - (size_t)n);
	return error;
}

static bool put_budget(const struct cli_unit *u, struct rv_buf *out)
{
	static const struct {
		enum proto_reason reason;
		const char *text;
	} texts[] = { { PROTO_REASON_BUDGET_TOKENS, "ended: its limit of tokens, or the run's, is used up (budget:tokens)" },
		      { PROTO_REASON_BUDGET_COST, "ended: its limit of cost, or the run's, is used up (budget:cost)" },
		      { PROTO_REASON_BUDGET_AGENT, "ended: the limits of its agent in this run are used up (budget:agent)" } };

	for (size_t i = 0; i < RV_ARRAY_LEN(texts); i++)
		if (u->reason == texts[i].reason)
			return rv_buf_puts(out, u->state == COORD_UNIT_CANCELLED ? "not started: " : "") == 0 &&
			       rv_buf_puts(out, texts[i].text + (u->state == COORD_UNIT_CANCELLED ? strlen("ended: ") : 0)) == 0;
	return false;
}

static void put_failure(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	const struct cli_unit *u = &t->units[unit];
	struct cli_details d;

	cli_tally_details(t, unit, &d);
	if (d.error.bytes)
		(void)rv_buf_put_str(out, cli_error_without_unit(t, unit, d.error));
	else if (u->reason == PROTO_REASON_EXIT && u->exit >= 0)
		(void)rv_buf_printf(out, "exit status %d", u->exit);
	else if (u->reason == PROTO_REASON_SIGNAL && u->signal)
		(void)rv_buf_printf(out, "killed by signal %d", u->signal);
	else if (put_budget(u, out))
		return;
	else if (u->reason == PROTO_REASON_QUEUE_TIMEOUT)
		(void)rv_buf_puts(out, "waited longer than queue_timeout_s for a place");
	else if (u->reason == PROTO_REASON_POISONED)
		(void)rv_buf_puts(out, "poisoned: its node was lost too often under it");
	else if (u->reason == PROTO_REASON_LOST)
		(void)rv_buf_puts(out, "lost: at_most_once, and nobody knows how it ended");
	else
		(void)rv_buf_puts(out, proto_reason_name(u->reason));
}

static void put_skip(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	struct joined j = { out, 0 };
	size_t before = out->bytes;

	if (t->units[unit].reason == PROTO_REASON_SKIPPED) {
		(void)rv_buf_puts(out, "skipped by a person");
		return;
	}
	(void)rv_buf_puts(out, "blocked by failed dependencies: ");
	cli_tally_blocked_by(t, unit, join, &j);
	if (!j.count) {
		out->bytes = before;
		out->at[before] = '\0';
		(void)rv_buf_puts(out, proto_reason_name(t->units[unit].reason));
	}
}

static void put_cancel(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	const struct cli_unit *u = &t->units[unit];
	uint32_t first = culprit(t, u);

	switch (u->reason) {
	case PROTO_REASON_FAIL_FAST:
		(void)rv_buf_puts(out, "cancelled because another unit failed");
		break;
	case PROTO_REASON_NOT_STARTED:
		(void)rv_buf_puts(out, "not started");
		if (first != COORD_NONE)
			(void)rv_buf_puts(out, ": nothing new starts after a failure");
		break;
	case PROTO_REASON_RUN_TIMEOUT:
		(void)rv_buf_puts(out, "the run's timeout_s was over");
		return;
	case PROTO_REASON_INTERRUPTED:
		(void)rv_buf_puts(out, "interrupted");
		return;
	case PROTO_REASON_CANCELLED:
		(void)rv_buf_puts(out, "cancelled by a person");
		return;
	default:
		if (!put_budget(u, out))
			(void)rv_buf_puts(out, proto_reason_name(u->reason));
		return;
	}
	if (first != COORD_NONE && first != unit) {
		(void)rv_buf_puts(out, u->reason == PROTO_REASON_FAIL_FAST ? ": " : " (first failed: ");
		put_id(t, first, out);
		if (u->reason != PROTO_REASON_FAIL_FAST)
			(void)rv_buf_putc(out, ')');
	}
}

void cli_put_retry_wait(const struct cli_unit *u, uint64_t real_us, struct rv_buf *out)
{
	bool limited = u->class == PROTO_CLASS_RATE_LIMITED;

	if (limited)
		(void)rv_buf_puts(out, "rate limited");
	if (u->due_us <= real_us)
		return;
	(void)rv_buf_puts(out, limited ? ", asks again in " : "next try in ");
	cli_put_duration(out, u->due_us - real_us);
}

static void put_retry(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	size_t before = out->bytes;

	cli_put_retry_wait(&t->units[unit], rv_clock_realtime_us(), out);
	(void)rv_buf_puts(out, out->bytes == before ? "waits for a retry after: " : t->units[unit].class == PROTO_CLASS_RATE_LIMITED ? ": " : " after: ");
	put_failure(t, unit, out);
}

void cli_put_reason(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	const struct cli_unit *u = &t->units[unit];

	switch ((enum coord_unit_state)u->state) {
	case COORD_UNIT_PENDING:
		put_waits_for(t, unit, out);
		break;
	case COORD_UNIT_READY:
		if (t->waits)
			cli_waits_put(t->waits, t, unit, out);
		break;
	case COORD_UNIT_RETRY_WAIT:
		put_retry(t, unit, out);
		break;
	case COORD_UNIT_HELD:
		(void)rv_buf_puts(out, "held: waits for a release");
		break;
	case COORD_UNIT_SUCCEEDED:
		if (u->reason == PROTO_REASON_SATISFIED)
			(void)rv_buf_puts(out, "satisfied");
		break;
	case COORD_UNIT_FAILED:
		put_failure(t, unit, out);
		break;
	case COORD_UNIT_SKIPPED:
		put_skip(t, unit, out);
		break;
	case COORD_UNIT_CANCELLED:
		put_cancel(t, unit, out);
		break;
	default:
		break;
	}
}
