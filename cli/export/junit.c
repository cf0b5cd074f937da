/* junit.c - `export junit`: the units as test cases, for CI servers
 *
 * What failed by itself (class agent, timeout, evidence, config) is a failure, what the surroundings did (environment, lost nodes, rate limits) an
 * error; skipped, cancelled and not ended ones are skipped. A failure's last output is its system-out.
 */
#include "cli/export/export.h"
#include "cli/export/markup.h"
#include "cli/export/tail.h"
#include "cli/render.h"

#define TAIL_BYTES_MAX ((size_t)8 << 10)

enum verdict { PASSED, FAILURE, ERROR, SKIPPED };

static enum verdict verdict_of(const struct cli_unit *u)
{
	if (u->state == COORD_UNIT_SUCCEEDED)
		return PASSED;
	if (u->state != COORD_UNIT_FAILED)
		return SKIPPED;
	switch ((enum proto_class)u->class) {
	case PROTO_CLASS_ENVIRONMENT:
	case PROTO_CLASS_RATE_LIMITED:
	case PROTO_CLASS_NODE_LOST:
		return ERROR;
	default:
		return FAILURE;
	}
}

static void put_seconds(struct rv_buf *out, uint64_t us)
{
	(void)rv_buf_printf(out, "%llu.%06u", (unsigned long long)(us / RV_US_PER_S), (unsigned)(us % RV_US_PER_S));
}

static void put_attribute(struct rv_buf *out, const char *key, struct rv_str value)
{
	(void)rv_buf_printf(out, " %s=\"", key);
	cli_put_markup(out, CLI_TEXT_CELL, value);
	(void)rv_buf_putc(out, '"');
}

static void put_case(struct cli_export *e, uint32_t unit)
{
	static const char *const tags[] = { [FAILURE] = "failure", [ERROR] = "error", [SKIPPED] = "skipped" };
	const struct cli_tally *t = &e->view.tally;
	const struct cli_unit *u = &t->units[unit];
	enum verdict verdict = verdict_of(u);
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf *out = &e->line, why;

	rv_buf_reset(out);
	(void)rv_buf_puts(out, "  <testcase");
	put_attribute(out, "classname", coord_graph_name(t->graph));
	put_attribute(out, "name", cli_tally_unit_id(t, unit, room));
	(void)rv_buf_puts(out, " time=\"");
	put_seconds(out, cli_unit_ended(u) ? u->duration_us : 0);
	if (verdict == PASSED) {
		(void)rv_buf_puts(out, "\"/>\n");
		cli_out_put(&e->out, rv_buf_str(out));
		return;
	}
	(void)rv_buf_printf(out, "\">\n   <%s", tags[verdict]);
	rv_buf_init(&why, 0);
	if (!cli_unit_ended(u))
		(void)rv_buf_printf(&why, "has not ended: %s", coord_unit_state_name(u->state));
	else
		cli_put_reason(t, unit, &why);
	put_attribute(out, "message", why.bytes ? rv_buf_str(&why) : rv_str_of(coord_unit_state_name(u->state)));
	if (verdict != SKIPPED)
		put_attribute(out, "type", rv_str_of(u->class ? proto_class_name((enum proto_class)u->class) : "failed"));
	(void)rv_buf_puts(out, "/>\n");
	if (verdict != SKIPPED) {
		rv_buf_reset(&why);
		cli_tail_put(&e->view, unit, TAIL_BYTES_MAX, &why);
		if (why.bytes) {
			(void)rv_buf_puts(out, "   <system-out>");
			cli_put_markup(out, CLI_TEXT_LINES, rv_buf_str(&why));
			(void)rv_buf_puts(out, "</system-out>\n");
		}
	}
	rv_buf_release(&why);
	(void)rv_buf_puts(out, "  </testcase>\n");
	cli_out_put(&e->out, rv_buf_str(out));
}

static int write_junit(struct cli_export *e, struct rv_err *err)
{
	const struct cli_tally *t = &e->view.tally;
	uint32_t i, count = t->count + (t->has_verify && t->units[t->count].attempt ? 1 : 0), of[4] = { 0 };
	struct rv_buf *out = &e->line, head;

	(void)err;
	for (i = 0; i < count; i++)
		of[verdict_of(&t->units[i])]++;
	rv_buf_init(&head, 0);
	(void)rv_buf_printf(&head, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"", count, of[FAILURE], of[ERROR], of[SKIPPED]);
	put_seconds(&head, t->finished_us ? cli_tally_took_us(t) : 0);
	(void)rv_buf_puts(&head, "\"");
	rv_buf_reset(out);
	(void)rv_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	put_attribute(out, "name", rv_str_of(e->view.id.text));
	(void)rv_buf_put_str(out, rv_buf_str(&head));
	(void)rv_buf_puts(out, ">\n <testsuite");
	put_attribute(out, "name", coord_graph_name(t->graph));
	(void)rv_buf_put_str(out, rv_buf_str(&head));
	if (t->accepted_us) {
		rv_buf_reset(&head);
		cli_put_time(&head, t->accepted_us);
		put_attribute(out, "timestamp", rv_buf_str(&head));
	}
	(void)rv_buf_puts(out, ">\n");
	rv_buf_release(&head);
	cli_out_put(&e->out, rv_buf_str(out));
	for (i = 0; i < count; i++)
		put_case(e, i);
	cli_out_puts(&e->out, " </testsuite>\n</testsuites>\n");
	return 0;
}

const struct cli_export_format cli_export_junit = {
	.name = "junit", .summary = "XML for CI servers: a unit is a test case, a failure has its last output", .write = write_junit,
};
