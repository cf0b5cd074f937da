/* cmd_add.c - `reeve add`: more units for an open run
 *
 * The run's plan without its units is asked of the coordinator, so that the new ones are loaded and checked here as a plan is, with the places
 * of their file; whether their ids are new and what they depend on is there, the coordinator says.
 */
#include "cli/client.h"
#include "cli/find.h"
#include "cli/out.h"
#include "cli/planload.h"
#include "cli/query.h"
#include "cli/rows.h"
#include "cli/upload.h"
#include "common/plan/save.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BYTES_MAX ((size_t)8 << 30)

struct add {
	struct cli_query query;
	const char *mock;
	struct cli_client *client;
	struct rv_run_id id;
	struct cli_planload load;
	uint32_t sent; /* units of the file */
};

static long read_fd(void *arg, void *to, size_t room)
{
	ssize_t n;

	do {
		n = read(*(const int *)arg, to, room);
	} while (n < 0 && errno == EINTR);
	return n;
}

static int load_lines(struct add *a, const char *path, struct plan_load_options *opt, struct rv_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return rv_fail_errno(err, errno, "cannot read %s", path);
	opt->shown_name = path;
	rc = plan_load_lines(read_fd, &fd, opt, &a->load.plan, &a->load.diags, err);
	(void)close(fd); /* read only */
	return rc;
}

/* JSON lines where the name says so, or on standard input; else a plan file. */
static int load(struct add *a, const char *path, struct rv_str head, struct rv_err *err)
{
	struct plan_load_options opt = { .head = head, .head_defaults = true, .outer = true, .check_tree = true };
	size_t n = strlen(path);

	if (a->mock && strcmp(a->mock, "agents") == 0)
		opt.mock = PLAN_MOCK_AGENTS;
	else if (a->mock && !*a->mock)
		opt.mock = PLAN_MOCK_ALL;
	else if (a->mock)
		return rv_fail(err, RV_E_USAGE, "--mock takes nothing or =agents, not \"%s\"", a->mock);
	if (n > 6 && strcmp(path + n - 6, ".jsonl") == 0)
		return load_lines(a, path, &opt, err);
	return plan_load_file(path, &opt, &a->load.plan, &a->load.diags, err);
}

static void save_units(struct add *a, struct rv_buf *out)
{
	const struct plan *p = a->load.plan;

	for (uint32_t i = 0; i < p->unit_count; i++) {
		if (p->units[i].flags & PLAN_UNIT_OUTER)
			continue;
		plan_save_unit(p, &p->units[i], out);
		a->sent += plan_unit_instances(&p->units[i]);
	}
}

static int say(const struct add *a, const struct cli_upload *u)
{
	uint32_t there = a->sent > u->units ? a->sent - u->units : 0;
	struct rv_buf out;
	int status;

	rv_buf_init(&out, 0);
	switch (a->query.format) {
	case CLI_JSON:
	case CLI_JSONL:
		(void)rv_buf_putc(&out, '{');
		cli_json_str(&out, "schema", RV_STR("reeve.add/1"));
		cli_json_str(&out, "run", rv_str_of(a->id.text));
		cli_json_uint(&out, "added", u->units);
		cli_json_uint(&out, "there_already", there);
		(void)rv_buf_puts(&out, "}\n");
		break;
	case CLI_NAME:
		(void)rv_buf_printf(&out, "%s\n", a->id.text);
		break;
	default:
		(void)rv_buf_printf(&out, "%s: %u unit%s added", a->id.text, u->units, cli_s(u->units));
		if (there)
			(void)rv_buf_printf(&out, ", %u %s there already", there, there == 1 ? "was" : "were");
		(void)rv_buf_putc(&out, '\n');
		break;
	}
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}

static int upload(struct add *a, struct rv_buf *text)
{
	struct cli_upload u = { .add_to = rv_run_id_number(rv_str_of(a->id.text)), .workspace_id = RV_STR("") };
	struct rv_err err = { 0 };

	save_units(a, text);
	if (text->failed)
		return cli_failf(RV_E_NO_MEMORY, "no memory for %u units", a->sent);
	u.bytes = rv_buf_str(text);
	if (text->bytes && cli_upload(a->client, &u, &err)) /* no unit at all: nothing to send */
		return cli_fail(&err);
	return say(a, &u);
}

static int add(struct add *a, const char *run, const char *path)
{
	struct cli_target t = cli_query_target(run, CLI_WORD_RUN_UNIT);
	struct rv_err err = { 0 };
	struct cli_rows rows;
	struct rv_buf text;
	int status;

	if (t.unit.bytes)
		return cli_failf(RV_E_USAGE, "`reeve add` is for a whole run: name RUN without a unit");
	cli_rows_init(&rows);
	rv_buf_init(&text, BYTES_MAX);
	if (cli_query_ask(&a->query, CLI_PLACE_RUNS, t.run, &a->client, &err) || cli_rows_find_run(a->client, t.run, &a->id, &err) ||
	    cli_rows_fetch(&rows, a->client, PROTO_ASK_HEAD, rv_run_id_number(rv_str_of(a->id.text)), RV_STR(""), &err)) {
		status = cli_fail(&err);
	} else if (rows.count != 1) {
		status = cli_failf(RV_E_CORRUPT, "%s did not give the plan of run %s", cli_client_shown(a->client), a->id.text);
	} else if (load(a, path, cli_row(&rows, 0), &err)) {
		status = cli_planload_fail(&a->load, &err);
	} else {
		cli_planload_warn(&a->load);
		status = upload(a, &text);
	}
	rv_buf_release(&text);
	cli_rows_release(&rows);
	return status;
}

int cli_cmd_add(int argc, char **argv)
{
	struct add a = { .query = { .words_max = 2 } };
	const struct rv_opt table[] = {
		{ "mock", 0, RV_OPT_OPTIONAL, &a.mock, "agents", "as if everything (=agents: every agent) were the mock profile", 0, 0 },
		CLI_OPT_FORMAT(&a.query.format_option),
		CLI_OPT_COORDINATOR(&a.query.coordinator),
		CLI_OPT_HELP(&a.query.help),
		CLI_OPT_END,
	};
	int status;

	if (cli_query_parse(&a.query, table, argc, argv, &status))
		return status;
	if (a.query.help)
		return cli_usage("add", "RUN FILE (-: JSON lines)",
				 "Adds units to a run that was submitted with --open and is not closed. FILE is a plan file of which `units` counts, and\n"
				 "`defaults` for them (over those of the run), or JSON lines of units (*.jsonl, -). They may depend on units that the run has. A unit of the same id\n"
				 "and content is there already; one of the same id and another content is refused, and then nothing is added.", table);
	if (a.query.words != 2)
		return cli_failf(RV_E_USAGE, "`reeve add` needs a run and a file of units, or - for JSON lines");
	plan_diags_init(&a.load.diags);
	status = add(&a, argv[0], argv[1]);
	cli_client_close(&a.client);
	cli_planload_release(&a.load);
	return status;
}
