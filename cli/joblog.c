/* joblog.c - the job log of GNU parallel */
#include "cli/joblog.h"

#include "cli/text.h"
#include "common/plan/template.h"

#define COMMAND_COLUMNS_MAX 4096u

void cli_joblog_init(struct cli_joblog *j)
{
	*j = (struct cli_joblog){ .encoded = { NULL, 0 } };
	rv_arena_init(&j->arena, 0);
	rv_buf_init(&j->text, 0);
}

void cli_joblog_release(struct cli_joblog *j)
{
	rv_arena_release(&j->arena);
	rv_buf_release(&j->text);
}

void cli_joblog_head(struct rv_buf *out)
{
	(void)rv_buf_puts(out, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
}

/* --- the command ----------------------------------------------------------------------------------------------------- */

static int look_up(struct cli_joblog *j, const struct cli_tally *t, uint32_t unit)
{
	struct rv_str encoded = unit < t->count ? coord_graph_spec(t->graph, unit) : coord_graph_verify_spec(t->graph);

	if (j->encoded.at == encoded.at && encoded.at)
		return 0;
	rv_arena_release(&j->arena);
	rv_arena_init(&j->arena, 0);
	j->encoded = rv_str(NULL, 0);
	if (proto_spec_decode(encoded, &j->arena, &j->spec, NULL))
		return -1;
	j->encoded = encoded;
	return 0;
}

static bool is_safe_word(struct rv_str s)
{
	size_t i;

	for (i = 0; i < s.bytes; i++) {
		char c = s.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_-./=:,+@%^", c))))
			return false;
	}
	return s.bytes > 0;
}

static void put_word(struct rv_buf *out, struct rv_str s)
{
	size_t i;

	if (is_safe_word(s)) {
		(void)rv_buf_put_str(out, s);
		return;
	}
	(void)rv_buf_putc(out, '\'');
	for (i = 0; i < s.bytes; i++) {
		if (s.at[i] == '\'')
			(void)rv_buf_puts(out, "'\\''");
		else
			(void)rv_buf_putc(out, s.at[i]);
	}
	(void)rv_buf_putc(out, '\'');
}

/* What can be filled in here is: items, the unit's own context, its id. Where something else is wanted, the text stays as it was written. */
static void fill(const struct proto_spec *spec, struct rv_str text, struct rv_str id, struct rv_str item, bool keys, struct rv_buf *out)
{
	struct plan_scope scope = { .layer = { spec->context }, .item = item };
	struct plan_places places = { .value = { { NULL, 0 } } };
	struct rv_buf shown;
	size_t before = out->bytes;

	rv_buf_init(&shown, 0);
	places.value[PLAN_PLACE_UNIT_ID] = id;
	if (item.bytes && plan_json_text(item, &shown) == 0)
		places.value[PLAN_PLACE_ITEM] = rv_buf_str(&shown);
	if (plan_template_fill(text, keys ? &scope : NULL, &places, out, NULL)) {
		out->bytes = before;
		(void)rv_buf_put_str(out, text);
	}
	rv_buf_release(&shown);
}

static void put_raw_command(struct cli_joblog *j, const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	char room[COORD_UNIT_ID_BYTES], number[32];
	struct rv_str id = cli_tally_unit_id(t, unit, room), item = { NULL, 0 };
	const struct proto_spec *spec = &j->spec;
	struct rv_buf word;
	uint32_t i;

	if (look_up(j, t, unit))
		return;
	if (unit < t->count)
		item = coord_graph_item(t->graph, unit, number);
	if (!item.bytes)
		item.at = NULL;
	rv_buf_init(&word, 0);
	if (spec->agent_kind != PROTO_AGENT_COMMAND || !spec->argc) {
		(void)rv_buf_printf(out, "[%.*s] ", RV_STR_ARGS(spec->agent));
		fill(spec, spec->prompt, id, item, spec->flags & PROTO_SPEC_FILL_PROMPT, out);
	}
	for (i = 0; spec->agent_kind == PROTO_AGENT_COMMAND && i < spec->argc; i++) {
		rv_buf_reset(&word);
		fill(spec, spec->argv[i], id, item, spec->flags & PROTO_SPEC_TEMPLATED, &word);
		if (i)
			(void)rv_buf_putc(out, ' ');
		put_word(out, rv_buf_str(&word));
	}
	rv_buf_release(&word);
}

void cli_joblog_command(struct cli_joblog *j, const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	size_t start = out->bytes;

	rv_buf_reset(&j->text);
	put_raw_command(j, t, unit, &j->text);
	cli_text_safe(CLI_TEXT_CELL, rv_buf_str(&j->text), out);
	if (!out->failed)
		out->bytes = start + cli_text_cut(rv_str(out->at + start, out->bytes - start), COMMAND_COLUMNS_MAX);
}

/* --- lines -------------------------------------------------------------------------------------------------------------- */

bool cli_joblog_line(struct cli_joblog *j, const struct cli_tally *t, const struct coord_transition *tr, struct rv_buf *out)
{
	uint32_t unit = (uint32_t)rv_min_u64(tr->unit, t->count);
	const struct cli_unit *u = &t->units[unit];
	struct rv_str host;

	if (tr->kind != COORD_T_UNIT_FINISHED || tr->unit == COORD_NONE || !u->attempt || tr->state == COORD_UNIT_SKIPPED)
		return false;
	if (tr->state == COORD_UNIT_CANCELLED && !u->start_us)
		return false;
	host = cli_tally_node_name(t, u->node);
	(void)rv_buf_printf(out, "%u\t%.*s\t%llu.%03u\t%10.3f\t0\t0\t%d\t%d\t", unit + 1, RV_STR_ARGS(host.bytes ? host : RV_STR(":")),
			    (unsigned long long)((u->start_us ? u->start_us : tr->real_us) / RV_US_PER_S),
			    (unsigned)((u->start_us ? u->start_us : tr->real_us) % RV_US_PER_S / RV_US_PER_MS), (double)u->duration_us / RV_US_PER_S, u->exit < 0 && u->signal ? 0 : u->exit, u->signal);
	cli_joblog_command(j, t, unit, out);
	(void)rv_buf_putc(out, '\n');
	return true;
}
