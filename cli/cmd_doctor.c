/* cmd_doctor.c - `reeve doctor`: each check a line, ok, warn or FAIL (or - for what is not here) with what helps */
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/find.h"
#include "cli/query.h"
#include "cli/text.h"

#include <string.h>

static const struct {
	const char *shown, *json;
} verdicts[] = {
	[DOCTOR_OK] = { "ok", "ok" },
	[DOCTOR_ABSENT] = { "-", "absent" },
	[DOCTOR_WARN] = { "warn", "warn" },
	[DOCTOR_FAIL] = { "FAIL", "fail" },
};

static void put_json(const struct doctor *d, enum cli_format format, uint32_t failed, struct rv_buf *out)
{
	uint32_t i;

	if (format == CLI_JSON) {
		(void)rv_buf_puts(out, "{\"schema\":\"reeve.doctor/1\"");
		cli_json_bool(out, "fit", failed == 0);
		(void)rv_buf_puts(out, ",\"checks\":[");
	}
	for (i = 0; i < d->count; i++) {
		const struct doctor_finding *f = &d->finding[i];

		if (format == CLI_JSON)
			cli_json_comma(out);
		(void)rv_buf_putc(out, '{');
		cli_json_str(out, "check", rv_str_of(f->check));
		cli_json_str(out, "verdict", rv_str_of(verdicts[f->verdict].json));
		cli_json_str(out, "found", rv_str_of(f->is));
		cli_json_str_or_null(out, "fix", rv_str_of(f->fix));
		(void)rv_buf_puts(out, format == CLI_JSON ? "}" : "}\n");
	}
	if (format == CLI_JSON)
		(void)rv_buf_puts(out, "]}\n");
}

static void put_text(const struct doctor *d, struct rv_buf *out)
{
	uint32_t i;

	for (i = 0; i < d->count; i++) {
		const struct doctor_finding *f = &d->finding[i];

		(void)rv_buf_printf(out, "%-5s %-12s ", verdicts[f->verdict].shown, f->check);
		cli_text_safe(CLI_TEXT_CELL, rv_str_of(f->is), out);
		(void)rv_buf_putc(out, '\n');
		if (!f->fix[0])
			continue;
		(void)rv_buf_printf(out, "%-5s %-12s -> %s\n", "", "", f->fix);
	}
}

static int answer(const struct doctor *d, enum cli_format format)
{
	uint32_t failed = 0, i;
	struct rv_buf out;
	int status;

	for (i = 0; i < d->count; i++)
		failed += d->finding[i].verdict == DOCTOR_FAIL;
	rv_buf_init(&out, 0);
	if (format == CLI_JSON || format == CLI_JSONL)
		put_json(d, format, failed, &out);
	else
		put_text(d, &out);
	status = cli_answer(rv_buf_str(&out), failed ? CLI_FAILED : CLI_OK);
	rv_buf_release(&out);
	return status;
}

int cli_cmd_doctor(int argc, char **argv)
{
	struct cli_query q = { .words_max = 0 };
	struct doctor d = { .clean = false };
	bool locks = false;
	const struct rv_opt table[] = {
		{ "locks", 0, RV_OPT_FLAG, &locks, NULL, "only the locks", 0, 0 },
		{ "clean", 0, RV_OPT_FLAG, &d.clean, NULL, "remove locks of runs that are gone", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	char state[PATH_MAX] = "";
	struct rv_err err;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("doctor", "", "Is this machine fit to run plans? A line a check: ok, warn or FAIL, - for what is not here and not everybody needs, and what helps. Exit 1 where one says FAIL.", table);
	if (cli_find_state(q.state, state, &err)) {
		if (q.state)
			return cli_fail(&err);
		state[0] = '\0';
	}
	d.state = state;
	if (!locks) {
		doctor_kill_level(&d); /* first: it forks */
		doctor_limit_level(&d);
		doctor_clock(&d);
		doctor_disk(&d);
		doctor_processors(&d);
		doctor_descriptors(&d);
		doctor_processes(&d);
		doctor_port(&d);
		doctor_agents(&d);
	}
	doctor_locks(&d);
	return answer(&d, q.format);
}
