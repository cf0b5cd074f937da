/* result.c - what came of a run, as JSON (the summary for people: summary.c) */
#include "cli/result.h"

#include "cli/agentsums.h"
#include "cli/error.h"
#include "cli/render.h"
#include "cli/used.h"
#include "common/id.h"

#define ERRORS_MAX 20

/* --- one unit --------------------------------------------------------------------------------------------------- */

static void put_output(struct rv_buf *out, const struct cli_details *d)
{
	char hex[2 * PROTO_DIGEST_BYTES + 1];

	cli_json_key(out, "output");
	switch (d->output.kind) {
	case PROTO_VALUE_INLINE:
		if (d->output_json && d->output.inline_bytes.bytes)
			cli_json_compact(out, d->output.inline_bytes);
		else
			(void)rv_buf_put_json(out, d->output.inline_bytes);
		break;
	case PROTO_VALUE_BLOB:
		rv_hex(hex, d->output.digest, PROTO_DIGEST_BYTES);
		(void)rv_buf_printf(out, "{\"$blob\":\"%s\",\"bytes\":%llu}", hex, (unsigned long long)d->output.blob_bytes);
		break;
	default:
		(void)rv_buf_puts(out, "null");
		break;
	}
}

static void put_artifacts(struct rv_buf *out, struct cli_details *d)
{
	char hex[2 * PROTO_DIGEST_BYTES + 1];
	struct proto_artifact a;

	cli_json_key(out, "artifacts");
	(void)rv_buf_putc(out, '[');
	while (cli_details_artifact(d, &a)) {
		cli_json_comma(out);
		(void)rv_buf_putc(out, '{');
		cli_json_str(out, "name", a.name);
		cli_json_uint(out, "bytes", a.bytes);
		rv_hex(hex, a.digest, PROTO_DIGEST_BYTES);
		cli_json_str(out, "blake2b", rv_str_of(hex));
		(void)rv_buf_putc(out, '}');
	}
	(void)rv_buf_putc(out, ']');
}

static void put_blocker(void *arg, struct rv_str id)
{
	cli_json_comma(arg);
	(void)rv_buf_put_json(arg, id);
}

static void put_usage(struct rv_buf *out, uint64_t cpu_us, uint64_t rss_bytes, const struct proto_usage *used)
{
	cli_json_key(out, "usage");
	(void)rv_buf_putc(out, '{');
	cli_json_ms(out, "cpu_ms", cpu_us);
	if (rss_bytes)
		cli_json_uint(out, "max_rss_bytes", rss_bytes);
	cli_json_used(out, used);
	(void)rv_buf_putc(out, '}');
}

static void put_why(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	const struct cli_unit *u = &t->units[unit];
	struct rv_buf why;

	cli_json_str_or_null(out, "reason", u->reason ? rv_str_of(proto_reason_name(u->reason)) : rv_str(NULL, 0));
	cli_json_str_or_null(out, "class", u->class ? rv_str_of(proto_class_name(u->class)) : rv_str(NULL, 0));
	rv_buf_init(&why, 0);
	if (u->state != COORD_UNIT_SUCCEEDED)
		cli_put_reason(t, unit, &why);
	cli_json_str_or_null(out, "error", rv_buf_str(&why));
	rv_buf_release(&why);
	cli_json_key(out, "blocked_by");
	(void)rv_buf_putc(out, '[');
	if (u->state == COORD_UNIT_SKIPPED && u->reason == PROTO_REASON_BLOCKED)
		cli_tally_blocked_by(t, unit, put_blocker, out);
	(void)rv_buf_putc(out, ']');
	if (u->root_cause != COORD_NONE) {
		char room[COORD_UNIT_ID_BYTES];

		cli_json_str(out, "root_cause", cli_tally_unit_id(t, u->root_cause, room));
	} else {
		cli_json_null(out, "root_cause");
	}
}

void cli_result_unit_json(const struct cli_result_scope *s, uint32_t unit, struct rv_buf *out)
{
	const struct cli_tally *t = s->tally;
	const struct cli_unit *u = &t->units[unit];
	struct proto_usage used = cli_tally_usage(t, unit);
	char room[COORD_UNIT_ID_BYTES];
	struct cli_details d;

	cli_tally_details(t, unit, &d);
	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "id", cli_tally_unit_id(t, unit, room));
	cli_json_str(out, "state", rv_str_of(coord_unit_state_name(u->state)));
	cli_json_bool(out, "ok", u->state == COORD_UNIT_SUCCEEDED);
	put_why(t, unit, out);
	cli_json_str(out, "agent", cli_tally_agent_name(t, unit));
	cli_json_str_or_null(out, "node", cli_tally_node_name(t, u->node));
	cli_json_uint(out, "attempts", u->attempt);
	cli_json_uint(out, "tries", u->tries);
	if (u->exit >= 0)
		cli_json_int(out, "exit", u->exit);
	else
		cli_json_null(out, "exit");
	if (u->signal)
		cli_json_int(out, "signal", u->signal);
	put_output(out, &d);
	cli_json_time(out, "queued_at", cli_tally_queued_us(t, unit));
	cli_json_time(out, "started_at", u->start_us);
	cli_json_time(out, "finished_at", cli_unit_ended(u) ? (u->end_us ? u->end_us : u->told_us) : 0);
	if (u->start_us && cli_unit_ended(u))
		cli_json_ms(out, "duration_ms", u->duration_us);
	else
		cli_json_null(out, "duration_ms");
	put_usage(out, u->cpu_us, d.rss_bytes, &used);
	if (d.enforcement.bytes)
		cli_json_str(out, "enforcement", d.enforcement);
	if (d.limits.bytes)
		cli_json_str(out, "limits", d.limits);
	if (d.truncated)
		cli_json_bool(out, "log_truncated", true);
	if (d.artifacts_cut)
		cli_json_bool(out, "artifacts_truncated", true);
	put_artifacts(out, &d);
	(void)rv_buf_putc(out, '}');
}

/* --- the run ------------------------------------------------------------------------------------------------------- */

static void put_by_agent(const struct cli_tally *t, struct rv_buf *out)
{
	struct cli_agent_did sums[CLI_AGENT_SUMS_MAX];
	uint32_t i, count = cli_agent_sums(t, sums);

	cli_json_key(out, "by_agent");
	(void)rv_buf_putc(out, '{');
	for (i = 0; i < count; i++) {
		cli_json_comma(out);
		(void)rv_buf_put_json(out, sums[i].name);
		(void)rv_buf_puts(out, ":{");
		cli_json_uint(out, "units", sums[i].units);
		cli_json_uint(out, "succeeded", sums[i].succeeded);
		cli_json_uint(out, "failed", sums[i].failed);
		cli_json_uint(out, "skipped", sums[i].skipped);
		cli_json_uint(out, "cancelled", sums[i].cancelled);
		cli_json_ms(out, "duration_ms", sums[i].duration_us);
		put_usage(out, sums[i].cpu_us, 0, &sums[i].used);
		(void)rv_buf_putc(out, '}');
	}
	(void)rv_buf_putc(out, '}');
}

static void put_errors(const struct cli_tally *t, struct rv_buf *out)
{
	char room[COORD_UNIT_ID_BYTES];
	uint32_t i, shown = 0;
	struct rv_buf why;

	rv_buf_init(&why, 0);
	cli_json_key(out, "errors");
	(void)rv_buf_putc(out, '[');
	for (i = 0; i < t->count + (t->has_verify ? 1 : 0) && shown < ERRORS_MAX; i++) {
		if (t->units[i].state != COORD_UNIT_FAILED)
			continue;
		rv_buf_reset(&why);
		cli_put_reason(t, i, &why);
		cli_json_comma(out);
		(void)rv_buf_putc(out, '{');
		cli_json_str(out, "unit", cli_tally_unit_id(t, i, room));
		cli_json_str_or_null(out, "class", rv_str_of(t->units[i].class ? proto_class_name(t->units[i].class) : ""));
		cli_json_str(out, "message", rv_buf_str(&why));
		(void)rv_buf_putc(out, '}');
		shown++;
	}
	(void)rv_buf_putc(out, ']');
	rv_buf_release(&why);
}

/* Without the closing brace. */
static void open_run(const struct cli_result_scope *s, struct rv_buf *out)
{
	const struct cli_tally *t = s->tally;
	struct rv_run_id id = rv_run_id_of(t->run);
	uint32_t done = t->in_state[COORD_UNIT_SUCCEEDED];
	unsigned rate = t->count ? (unsigned)((uint64_t)done * 10000 / t->count) : 10000;

	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "schema", RV_STR("reeve.result/1"));
	cli_json_str(out, "run", rv_str_of(id.text));
	cli_json_str(out, "name", coord_graph_name(t->graph));
	cli_json_str(out, "state", rv_str_of(coord_run_state_name(t->state)));
	if (t->open)
		cli_json_bool(out, "open", true);
	cli_json_str_or_null(out, "reason", rv_str_of(t->reason ? proto_reason_name(t->reason) : ""));
	cli_json_uint(out, "total", t->count);
	cli_json_uint(out, "succeeded", done);
	cli_json_uint(out, "failed", t->in_state[COORD_UNIT_FAILED]);
	cli_json_uint(out, "skipped", t->in_state[COORD_UNIT_SKIPPED]);
	cli_json_uint(out, "cancelled", t->in_state[COORD_UNIT_CANCELLED]);
	cli_json_uint(out, "active", t->in_state[COORD_UNIT_ACTIVE]);
	cli_json_uint(out, "waiting", t->count - cli_tally_ended(t) - t->in_state[COORD_UNIT_ACTIVE]);
	cli_json_uint(out, "retries", t->retries);
	cli_json_uint(out, "node_lost", t->node_lost);
	cli_json_key(out, "success_rate");
	(void)rv_buf_printf(out, "%u.%04u", rate / 10000, rate % 10000);
	put_errors(t, out);
	cli_json_time(out, "queued_at", t->accepted_us);
	cli_json_time(out, "started_at", t->started_us);
	cli_json_time(out, "finished_at", t->finished_us);
	if (t->finished_us)
		cli_json_ms(out, "duration_ms", cli_tally_took_us(t));
	else
		cli_json_null(out, "duration_ms");
	if (t->stopped_us)
		cli_json_ms(out, "stopped_ms", t->stopped_us);
	cli_json_key(out, "settings");
	if (s->settings.bytes)
		cli_json_compact(out, s->settings);
	else
		(void)rv_buf_puts(out, "{}");
	put_by_agent(t, out);
	put_usage(out, t->cpu_us, 0, &t->used);
	cli_json_key(out, "verify");
	if (t->has_verify)
		cli_result_unit_json(s, t->count, out);
	else
		(void)rv_buf_puts(out, "null");
}

void cli_result_run_json(const struct cli_result_scope *s, struct rv_buf *out)
{
	open_run(s, out);
	(void)rv_buf_putc(out, '}');
}

void cli_result_json(const struct cli_result_scope *s, struct rv_buf *out)
{
	uint32_t i;

	open_run(s, out);
	cli_json_key(out, "units");
	(void)rv_buf_putc(out, '[');
	for (i = 0; i < s->tally->count; i++) {
		cli_json_comma(out);
		cli_result_unit_json(s, i, out);
	}
	(void)rv_buf_puts(out, "]}");
}

void cli_result_rejected_json(struct rv_str name, struct rv_str errors, struct rv_buf *out)
{
	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "schema", RV_STR("reeve.result/1"));
	cli_json_null(out, "run");
	cli_json_str_or_null(out, "name", name);
	cli_json_str(out, "state", RV_STR("rejected"));
	cli_json_str(out, "reason", RV_STR("plan_rejected"));
	cli_json_uint(out, "total", 0);
	cli_json_uint(out, "succeeded", 0);
	cli_json_uint(out, "failed", 0);
	cli_json_uint(out, "skipped", 0);
	cli_json_uint(out, "cancelled", 0);
	cli_json_uint(out, "retries", 0);
	cli_json_uint(out, "node_lost", 0);
	(void)rv_buf_puts(out, ",\"success_rate\":0.0000");
	cli_json_key(out, "errors");
	(void)rv_buf_put_str(out, errors.bytes ? errors : RV_STR("[]"));
	cli_json_null(out, "queued_at");
	cli_json_null(out, "started_at");
	cli_json_null(out, "finished_at");
	cli_json_null(out, "duration_ms");
	(void)rv_buf_puts(out, ",\"settings\":{},\"by_agent\":{},\"usage\":{\"cpu_ms\":0},\"verify\":null,\"units\":[]}");
}

int cli_result_exit(const struct cli_tally *t)
{
	if (t->state == COORD_RUN_SUCCEEDED)
		return CLI_OK;
	if (t->reason == PROTO_REASON_INTERRUPTED)
		return CLI_INTERRUPTED;
	if (t->reason == PROTO_REASON_RUN_TIMEOUT)
		return CLI_TIMEOUT;
	if (t->reason == PROTO_REASON_BUDGET_TOKENS || t->reason == PROTO_REASON_BUDGET_COST || t->reason == PROTO_REASON_BUDGET_AGENT)
		return CLI_BUDGET;
	return CLI_FAILED;
}
