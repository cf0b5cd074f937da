/* cmd_rm.c - `reeve rm RUN`: everything a run left in a state directory, and nothing else; of a coordinator's run all that it tells of it */
#include "cli/acted.h"
#include "cli/find.h"
#include "cli/query.h"
#include "cli/removal.h"
#include "cli/rows.h"

static int remove_here(const char *state, const char *word, bool force, struct rv_run_id *id, struct rv_err *err)
{
	char dir[PATH_MAX];

	if (cli_find_state(state, dir, err) || cli_find_run(dir, rv_str_of(word), id, err))
		return -1;
	return cli_remove_run(dir, *id, force, err);
}

/* A fact of its journal: from then on nobody is told of the run, and its memory is free. What it stored is for gc to find unused. */
static int remove_there(const struct cli_place *place, const char *word, struct rv_run_id *id, struct rv_err *err)
{
	struct cli_act_wish w = { .what = PROTO_MUT_RM };
	struct cli_act_done done = { .act = "rm" };
	struct cli_client *client = NULL;
	int rc = -1;

	if (cli_client_open(&client, place, err) == 0 && cli_rows_find_run(client, rv_str_of(word), id, err) == 0) {
		w.run = rv_run_id_number(rv_str_of(id->text));
		rc = cli_act_do(client, &w, &done, err);
	}
	cli_client_close(&client);
	return rc;
}

static int remove_word(const struct cli_query *q, const char *word, bool force, struct rv_run_id *id, struct rv_err *err)
{
	enum cli_where where = CLI_IN_DIRECTORY;
	char state[PATH_MAX] = "";
	struct cli_place place;

	if (!word[0] || strchr(word, '/'))
		return rv_fail(err, RV_E_USAGE, "\"%.64s\" is no run: `reeve rm` removes whole runs", word);
	if (!q->state && cli_place_look(q->coordinator, rv_str_of(word), &where, &place, state, err))
		return -1;
	if (where == CLI_IN_DIRECTORY)
		return remove_here(q->state ? q->state : state[0] ? state : NULL, word, force, id, err);
	if (force)
		return rv_fail(err, RV_E_USAGE, "--force is for runs of `reeve run`: a coordinator's run that goes on is cancelled first");
	return remove_there(&place, word, id, err);
}

int cli_cmd_rm(int argc, char **argv)
{
	struct cli_query q = { .words_max = 64 };
	bool force = false;
	const struct rv_opt table[] = {
		{ "force", 0, RV_OPT_FLAG, &force, NULL, "also a run of `reeve run` that has not ended and that no process owns", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct rv_run_id id;
	struct rv_buf out;
	struct rv_err err;
	int status, i;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("rm", "RUN...",
				 "Removes ended runs. Of `reeve run`: journals, blobs, logs, namespaces. At a coordinator: the run is not told of any more and\n"
				 "takes no memory; what it stored, its plan, outputs and logs, stays on the disks until it is cleaned up.", table);
	if (!q.words)
		return cli_failf(RV_E_USAGE, "`reeve rm` needs a run");
	rv_buf_init(&out, 0);
	status = CLI_OK;
	for (i = 0; i < q.words && status == CLI_OK; i++) {
		if (remove_word(&q, argv[i], force, &id, &err)) {
			status = cli_fail(&err);
			break;
		}
		if (q.format == CLI_JSON || q.format == CLI_JSONL)
			(void)rv_buf_printf(&out, "{\"schema\":\"reeve.rm/1\",\"run\":\"%s\",\"removed\":true}\n", id.text);
		else
			(void)rv_buf_printf(&out, q.format == CLI_NAME ? "%s\n" : "removed run %s\n", id.text);
	}
	status = cli_answer(rv_buf_str(&out), status);
	rv_buf_release(&out);
	return status;
}
