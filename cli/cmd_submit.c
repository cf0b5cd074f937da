/* cmd_submit.c - `reeve submit`: a plan handed to a coordinator
 *
 * The plan is loaded and checked here, since what it names (prompt files, items, directories) lies here, saved with everything resolved, and
 * sent (upload.h): the same submission never becomes two runs.
 */
#include "cli/client.h"
#include "cli/planload.h"
#include "cli/query.h"
#include "cli/upload.h"
#include "cli/view/watch.h"
#include "common/os/file.h"
#include "common/os/keys.h"
#include "common/plan/save.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKSPACE_ID_FILE ".reeve/workspace-id"
#define WORKSPACE_ID_BYTES 16
#define PLAN_BYTES_MAX ((size_t)8 << 30) /* a saved plan: what the limits of a run allow is less */

struct submit {
	struct cli_planload load;
	const char *coordinator, *priority_word;
	bool wait, watch, open;
	int32_t priority;
	char workspace_id[RV_NAME_BYTES_MAX + 1]; /* "" = mode none */
	struct rv_buf bytes;                      /* the plan as it is sent */
	struct cli_place place;
	struct cli_client *client;
	uint64_t run;
};

/* --- the workspace ---------------------------------------------------------------------------------------------------------- */

static struct rv_str trimmed(struct rv_str s)
{
	while (s.bytes && strchr(" \r\n", s.at[s.bytes - 1]))
		s.bytes--;
	return s;
}

static int read_id(struct submit *s, int dir, struct rv_err *err)
{
	struct rv_buf text;
	int rc;

	rv_buf_init(&text, 0);
	rc = rv_file_read_at(dir, WORKSPACE_ID_FILE, 2 * RV_NAME_BYTES_MAX, &text, err);
	if (rc == 0) {
		struct rv_str id = trimmed(rv_buf_str(&text));

		if (rv_name_valid(id))
			(void)snprintf(s->workspace_id, sizeof(s->workspace_id), "%.*s", RV_STR_ARGS(id));
		else
			rc = rv_fail(err, RV_E_CORRUPT, WORKSPACE_ID_FILE " holds no id; remove it, and a new one is made");
	}
	rv_buf_release(&text);
	return rc;
}

/* A shared tree is known by an id in it, so that a node that has it under another path, or another tree under the same, can tell. */
static int workspace_of(struct submit *s, struct rv_err *err)
{
	const struct plan *p = s->load.plan;
	uint8_t random[WORKSPACE_ID_BYTES];
	char root[PATH_MAX], hex[2 * WORKSPACE_ID_BYTES + 2];
	int dir, rc;

	if (p->workspace.mode != PLAN_MODE_SHARED)
		return 0;
	if (!p->workspace.root.bytes || p->workspace.root.bytes >= sizeof(root))
		return rv_fail(err, RV_E_USAGE, "the plan's workspace.root is needed: it is not known where the shared tree lies");
	(void)snprintf(root, sizeof(root), "%.*s", RV_STR_ARGS(p->workspace.root));
	if (rv_dir_open(root, &dir, err))
		return -1;
	rc = read_id(s, dir, err);
	if (rc && err->code == RV_E_NOT_FOUND) {
		rv_random(random, sizeof(random));
		rv_hex(hex, random, sizeof(random));
		(void)strcat(hex, "\n");
		rc = rv_dir_make_at(dir, ".reeve", 0711, err);
		if (rc == 0)
			rc = rv_file_write_new_at(dir, WORKSPACE_ID_FILE, rv_str_of(hex), 0644, RV_FILE_SYNC, err);
		if (rc == 0 || err->code == RV_E_EXISTS) /* somebody was quicker: his counts */
			rc = read_id(s, dir, err);
	}
	(void)close(dir);
	return rc;
}

/* --- the verb ------------------------------------------------------------------------------------------------------------------------ */

static int announce(const struct submit *s)
{
	struct rv_run_id id = rv_run_id_of(s->run);
	struct rv_buf out;
	int status;

	rv_buf_init(&out, 0);
	if (s->load.format == CLI_JSON || s->load.format == CLI_JSONL) {
		(void)rv_buf_putc(&out, '{');
		cli_json_str(&out, "schema", RV_STR("reeve.submit/1"));
		cli_json_str(&out, "run", rv_str_of(id.text));
		cli_json_str(&out, "name", s->load.plan->name);
		cli_json_uint(&out, "total", s->load.plan->instance_count);
		(void)rv_buf_puts(&out, "}\n");
	} else {
		(void)rv_buf_printf(&out, "%s\n", id.text);
	}
	status = cli_answer(rv_buf_str(&out), CLI_OK);
	rv_buf_release(&out);
	return status;
}

static int follow_run(struct submit *s)
{
	struct rv_run_id id = rv_run_id_of(s->run);
	struct cli_follow f = { .coordinator = s->coordinator, .run = rv_str_of(id.text), .format = s->load.format,
				.how = s->watch ? CLI_FOLLOW_LINES : CLI_FOLLOW_QUIET, .exit_status = true };

	return view_watch(&f);
}

static int submit(struct submit *s, const char *path)
{
	struct cli_upload u = { .priority = s->priority, .open = s->open };
	struct rv_err err = { 0 };
	int status;

	if (cli_planload(&s->load, path, &err))
		return cli_planload_fail(&s->load, &err);
	cli_planload_warn(&s->load);
	if (workspace_of(s, &err) || plan_save(s->load.plan, &s->bytes, &err) || cli_place_find(s->coordinator, CLI_PLACE_NO_RUNS, RV_STR(""), &s->place, &err) ||
	    cli_client_open(&s->client, &s->place, &err))
		return cli_fail(&err);
	u.bytes = rv_buf_str(&s->bytes);
	u.workspace_id = rv_str_of(s->workspace_id);
	if (cli_upload(s->client, &u, &err))
		return cli_fail(&err);
	s->run = u.run;
	rv_buf_release(&s->bytes);
	cli_client_close(&s->client);
	/* with --wait -o json the one answer is the result */
	status = (s->wait || s->watch) && s->load.format != CLI_TABLE && s->load.format != CLI_WIDE && s->load.format != CLI_NAME ? CLI_OK : announce(s);
	return status == CLI_OK && (s->wait || s->watch) ? follow_run(s) : status;
}

static int priority_of(struct submit *s, struct rv_err *err)
{
	char *end = NULL;
	long v;

	if (!s->priority_word)
		return 0;
	v = strtol(s->priority_word, &end, 10);
	if (!*s->priority_word || *end || v < -1000 || v > 1000)
		return rv_fail(err, RV_E_USAGE, "--priority is a whole number from -1000 to 1000, not \"%.32s\"", s->priority_word);
	s->priority = (int32_t)v;
	return 0;
}

int cli_cmd_submit(int argc, char **argv)
{
	struct submit s = { 0 };
	const struct rv_opt table[] = {
		{ "wait", 0, RV_OPT_FLAG, &s.wait, NULL, "until the run has ended; exits as `run` does. Ctrl-C detaches", 0, 0 },
		{ "watch", 0, RV_OPT_FLAG, &s.watch, NULL, "the same, with a line a transition meanwhile", 0, 0 },
		{ "priority", 0, RV_OPT_STRING, &s.priority_word, "N", "before other runs' units, -1000 to 1000 (default 0)", 0, 0 },
		CLI_PLANLOAD_OPTS(&s.load),
		CLI_OPT_FORMAT(&s.load.format_word),
		CLI_OPT_COORDINATOR(&s.coordinator),
		{ "open", 0, RV_OPT_FLAG, &s.open, NULL, "units may be added (`reeve add`) until `reeve close`", 0, 0 },
		CLI_OPT_HELP(&s.load.help),
		CLI_OPT_END,
	};
	struct rv_err err;
	int words, status;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err))
		return cli_fail(&err);
	if (s.load.help)
		return cli_usage("submit", "PLAN (-: JSON lines)",
				 "Hands a plan to a coordinator and prints the run's id. The plan is checked here first; files that it\n"
				 "names are read here. What was sent when a link broke is not sent again.", table);
	if (words != 1)
		return cli_failf(RV_E_USAGE, words ? "`reeve submit` takes one plan" : "`reeve submit` needs a plan, or - for JSON lines");
	if (priority_of(&s, &err))
		return cli_fail(&err);
	rv_buf_init(&s.bytes, PLAN_BYTES_MAX);
	status = submit(&s, argv[0]);
	cli_client_close(&s.client);
	rv_buf_release(&s.bytes);
	cli_planload_release(&s.load);
	return status;
}
