/* summary.c - what came of a run, for people: counts, then what did not succeed and where to look */
#include "cli/agentlog.h"
#include "cli/cure.h"
#include "cli/layout.h"
#include "cli/render.h"
#include "cli/result.h"
#include "cli/text.h"
#include "cli/used.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/blobs.h"
#include "common/os/file.h"

#include <stdio.h>
#include <stdlib.h>

#define LISTED_MAX 50         /* units listed in the text */
#define LINE_COLUMNS_MAX 160  /* of a last output line */
#define TAIL_READ_BYTES 2048
#define STOPPED_SHOWN_US (60 * RV_US_PER_S) /* whoever comes back sooner knows it */

/* --- the last line a unit printed ----------------------------------------------------------------------------------- */

static struct rv_str last_line(struct rv_str s)
{
	size_t end = s.bytes, start;

	while (end && (s.at[end - 1] == '\n' || s.at[end - 1] == '\r' || s.at[end - 1] == ' '))
		end--;
	for (start = end; start && s.at[start - 1] != '\n';)
		start--;
	return rv_str(s.at + start, end - start);
}

/* Of what an agent said and did, in whose log stderr comes last: the end that it tells of, or what was refused. */
static struct rv_str last_word(struct rv_str shown)
{
	struct rv_str rest = shown, line;

	while ((line = last_line(rest)).bytes) {
		if (line.bytes > 2 && (line.at[0] == '=' || line.at[0] == '!') && line.at[1] == ' ')
			return line;
		rest.bytes = (size_t)(line.at - rest.at);
	}
	return last_line(shown);
}

/* Appends it, made harmless and cut; nothing where nothing is known. */
static void put_last_line(const struct cli_result_scope *s, uint32_t unit, const struct cli_details *d, struct rv_buf *out)
{
	bool transcript = cli_writes_transcript(s->tally->graph, unit);
	size_t wanted = transcript ? RV_LOG_TAIL_BYTES : TAIL_READ_BYTES, got = 0;
	struct rv_str tail = { NULL, 0 }, line;
	struct rv_buf shown, safe;
	char *room = NULL;

	if (s->tally->units[unit].reason == PROTO_REASON_LOGIN)
		return; /* the reason has said it */
	if (d->tail.kind == PROTO_VALUE_INLINE) {
		tail = d->tail.inline_bytes;
	} else if (d->tail.kind == PROTO_VALUE_BLOB) {
		room = malloc(wanted);
		/* the summary is no place to fail: `logs` will say it */
		if (room && cli_blob_tail(&s->blobs, d->tail.digest, d->tail.blob_bytes, room, wanted, &got, NULL) == 0)
			tail = rv_str(room, got);
	} else if (d->output.kind == PROTO_VALUE_INLINE) {
		tail = d->output.inline_bytes;
		transcript = false;
	}
	rv_buf_init(&shown, 0);
	rv_buf_init(&safe, 0);
	if (transcript)
		cli_transcript_tail(tail, tail.bytes >= RV_LOG_TAIL_BYTES, &shown);
	line = transcript ? last_word(rv_buf_str(&shown)) : last_line(tail);
	cli_text_safe(CLI_TEXT_CELL, line, &safe);
	(void)rv_buf_put(out, safe.at, cli_text_cut(rv_buf_str(&safe), LINE_COLUMNS_MAX));
	rv_buf_release(&shown);
	rv_buf_release(&safe);
	free(room);
}

/* --- text ------------------------------------------------------------------------------------------------------------ */

void cli_result_headline(const struct cli_result_scope *s, struct rv_buf *out)
{
	const struct cli_tally *t = s->tally;
	struct rv_run_id id = rv_run_id_of(t->run);

	(void)rv_buf_printf(out, "run %s ", id.text);
	cli_text_safe(CLI_TEXT_CELL, coord_graph_name(t->graph), out);
	(void)rv_buf_printf(out, ": %s%s", coord_run_state_name(t->state), t->open ? ", open" : "");
	if (t->reason == PROTO_REASON_RUN_TIMEOUT)
		(void)rv_buf_puts(out, " (timed out)");
	else if (t->reason == PROTO_REASON_INTERRUPTED)
		(void)rv_buf_puts(out, " (interrupted)");
	else if (t->reason == PROTO_REASON_VERIFY)
		(void)rv_buf_puts(out, " (verify failed)");
	else if (t->reason == PROTO_REASON_BUDGET_TOKENS || t->reason == PROTO_REASON_BUDGET_COST || t->reason == PROTO_REASON_BUDGET_AGENT)
		(void)rv_buf_printf(out, " (%s)", proto_reason_name(t->reason));
	if (t->finished_us && (t->started_us || t->accepted_us)) {
		(void)rv_buf_puts(out, " in ");
		cli_put_duration(out, cli_tally_took_us(t));
		if (t->stopped_us >= STOPPED_SHOWN_US) {
			(void)rv_buf_puts(out, " (and stood still for ");
			cli_put_duration(out, t->stopped_us);
			(void)rv_buf_puts(out, ")");
		}
	}
	(void)rv_buf_printf(out, ": %u of %u succeeded", t->in_state[COORD_UNIT_SUCCEEDED], t->count);
	if (t->in_state[COORD_UNIT_FAILED])
		(void)rv_buf_printf(out, ", %u failed", t->in_state[COORD_UNIT_FAILED]);
	if (t->in_state[COORD_UNIT_SKIPPED])
		(void)rv_buf_printf(out, ", %u skipped", t->in_state[COORD_UNIT_SKIPPED]);
	if (t->in_state[COORD_UNIT_CANCELLED])
		(void)rv_buf_printf(out, ", %u cancelled", t->in_state[COORD_UNIT_CANCELLED]);
	if (t->retries)
		(void)rv_buf_printf(out, ", %u %s", t->retries, t->retries == 1 ? "retry" : "retries");
	if (t->node_lost)
		(void)rv_buf_printf(out, ", %u lost with a node", t->node_lost);
	if (!proto_usage_is_nothing(&t->used)) {
		(void)rv_buf_puts(out, ", ");
		cli_put_used(out, proto_usage_tokens(&t->used), t->used.cost_microusd);
	}
}

static void put_unit_lines(const struct cli_result_scope *s, uint32_t unit, struct rv_buf *out)
{
	const struct cli_tally *t = s->tally;
	const struct cli_unit *u = &t->units[unit];
	struct rv_run_id id = rv_run_id_of(t->run);
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str name = cli_tally_unit_id(t, unit, room);
	struct rv_buf why;
	struct cli_details d;
	enum cli_cure cure;
	size_t before;

	rv_buf_init(&why, 0);
	cli_put_reason(t, unit, &why);
	cli_tally_details(t, unit, &d);
	(void)rv_buf_printf(out, "  %-9s ", coord_unit_state_name(u->state));
	cli_text_safe(CLI_TEXT_CELL, name, out);
	if (why.bytes) {
		(void)rv_buf_puts(out, ": ");
		cli_text_safe(CLI_TEXT_CELL, rv_buf_str(&why), out);
	}
	if (u->tries > 1)
		(void)rv_buf_printf(out, " (try %u)", u->tries);
	(void)rv_buf_putc(out, '\n');
	rv_buf_release(&why);
	if (u->state != COORD_UNIT_FAILED && !(u->state == COORD_UNIT_CANCELLED && u->start_us))
		return;
	before = out->bytes;
	(void)rv_buf_puts(out, "            | ");
	put_last_line(s, unit, &d, out);
	if (out->bytes == before + 14) { /* nothing printed */
		out->bytes = before;
		out->at[before] = '\0';
	} else {
		(void)rv_buf_putc(out, '\n');
	}
	rv_buf_init(&why, 0);
	cure = cli_put_cure(t, unit, &why);
	if (cure == CLI_CURE_KNOWN) {
		(void)rv_buf_puts(out, "            help: ");
		cli_text_safe(CLI_TEXT_CELL, rv_buf_str(&why), out);
		(void)rv_buf_putc(out, '\n');
	} else if (cure == CLI_CURE_SILENT) {
		(void)rv_buf_puts(out, "            it printed nothing\n");
	} else if (cure == CLI_CURE_LOGS) {
		(void)rv_buf_printf(out, "            reeve logs %s/", id.text);
		cli_text_safe(CLI_TEXT_CELL, name, out);
		(void)rv_buf_printf(out, "%s\n", s->state_option ? s->state_option : "");
	}
	rv_buf_release(&why);
}

/* Failures first, then what was cancelled, then what was skipped: plan order inside each. */
static const enum coord_unit_state listed[] = { COORD_UNIT_FAILED, COORD_UNIT_CANCELLED, COORD_UNIT_SKIPPED };

void cli_result_text(const struct cli_result_scope *s, struct rv_buf *out)
{
	const struct cli_tally *t = s->tally;
	struct rv_run_id id = rv_run_id_of(t->run);
	uint32_t i, shown = 0, left;
	size_t k;

	cli_result_headline(s, out);
	(void)rv_buf_putc(out, '\n');
	for (k = 0; k < RV_ARRAY_LEN(listed); k++) {
		if (!t->in_state[listed[k]])
			continue;
		for (i = 0; i < t->count && shown < LISTED_MAX; i++) {
			if (t->units[i].state != listed[k])
				continue;
			put_unit_lines(s, i, out);
			shown++;
		}
	}
	if (t->has_verify && t->units[t->count].state == COORD_UNIT_FAILED)
		put_unit_lines(s, t->count, out);
	left = t->in_state[COORD_UNIT_FAILED] + t->in_state[COORD_UNIT_CANCELLED] + t->in_state[COORD_UNIT_SKIPPED] - shown;
	if (left)
		(void)rv_buf_printf(out, "  and %u more: reeve status %s%s\n", left, id.text,
				    s->state_option ? s->state_option : "");
}

/* --- files ------------------------------------------------------------------------------------------------------------- */

/* A cell of a Markdown table: harmless, and no bar ends it early. */
static void put_md_cell(struct rv_buf *out, struct rv_str s)
{
	struct rv_buf safe;
	size_t i;

	rv_buf_init(&safe, 0);
	cli_text_safe(CLI_TEXT_CELL, s, &safe);
	for (i = 0; i < safe.bytes; i++) {
		if (safe.at[i] && strchr("|\\`<>*_[]", safe.at[i]))
			(void)rv_buf_putc(out, '\\');
		(void)rv_buf_putc(out, safe.at[i]);
	}
	rv_buf_release(&safe);
}

void cli_result_markdown(const struct cli_result_scope *s, struct rv_buf *out)
{
	const struct cli_tally *t = s->tally;
	uint32_t i, shown = 0;
	size_t k;

	(void)rv_buf_puts(out, "# ");
	cli_result_headline(s, out);
	(void)rv_buf_puts(out, "\n");
	if (t->in_state[COORD_UNIT_SUCCEEDED] == t->count)
		return;
	(void)rv_buf_puts(out, "\n| unit | state | reason | last output |\n|---|---|---|---|\n");
	for (k = 0; k < RV_ARRAY_LEN(listed); k++) {
		for (i = 0; i < t->count && shown < CLI_SUMMARY_UNITS_MAX; i++) {
			char room[COORD_UNIT_ID_BYTES];
			struct cli_details d;
			struct rv_buf b;

			if (t->units[i].state != listed[k])
				continue;
			rv_buf_init(&b, 0);
			(void)rv_buf_puts(out, "| ");
			put_md_cell(out, cli_tally_unit_id(t, i, room));
			(void)rv_buf_printf(out, " | %s | ", coord_unit_state_name(t->units[i].state));
			cli_put_reason(t, i, &b);
			put_md_cell(out, rv_buf_str(&b));
			(void)rv_buf_puts(out, " | ");
			rv_buf_reset(&b);
			cli_tally_details(t, i, &d);
			put_last_line(s, i, &d, &b);
			put_md_cell(out, rv_buf_str(&b));
			(void)rv_buf_puts(out, " |\n");
			rv_buf_release(&b);
			shown++;
		}
	}
}

/* summary.json: everything of a small run; of a large one what people look for. */
static void put_summary_json(const struct cli_result_scope *s, struct rv_buf *out)
{
	const struct cli_tally *t = s->tally;
	uint32_t i, listed_count = 0;

	if (t->count <= CLI_SUMMARY_UNITS_MAX) {
		cli_result_json(s, out);
		return;
	}
	cli_result_run_json(s, out);
	out->bytes--; /* the brace: units follow */
	cli_json_key(out, "units");
	(void)rv_buf_putc(out, '[');
	for (i = 0; i < t->count && listed_count < CLI_SUMMARY_UNITS_MAX; i++) {
		if (t->units[i].state == COORD_UNIT_SUCCEEDED)
			continue;
		cli_json_comma(out);
		cli_result_unit_json(s, i, out);
		listed_count++;
	}
	(void)rv_buf_printf(out, "],\"units_omitted\":%u}", t->count - listed_count);
}

int cli_result_write_files(const struct cli_result_scope *s, const char *run_dir, struct rv_err *err)
{
	struct rv_buf path, text;
	int rc = -1;

	rv_buf_init(&path, 0);
	rv_buf_init(&text, 0);
	put_summary_json(s, &text);
	(void)rv_buf_putc(&text, '\n');
	(void)rv_buf_printf(&path, "%s/%s", run_dir, CLI_FILE_SUMMARY_JSON);
	if (text.failed || path.failed)
		(void)rv_fail(err, RV_E_NO_MEMORY, "no memory for the summary");
	else
		rc = rv_file_write(path.at, rv_buf_str(&text), 0600, RV_FILE_NOSYNC, err);
	if (rc == 0) {
		rv_buf_reset(&text);
		rv_buf_reset(&path);
		cli_result_markdown(s, &text);
		(void)rv_buf_printf(&path, "%s/%s", run_dir, CLI_FILE_SUMMARY_MD);
		rc = rv_file_write(path.at, rv_buf_str(&text), 0600, RV_FILE_NOSYNC, err);
	}
	rv_buf_release(&path);
	rv_buf_release(&text);
	return rc;
}
