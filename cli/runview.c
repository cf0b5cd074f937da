/* runview.c - a run opened from its state directory and replayed */
#include "cli/runview.h"

#include "cli/find.h"
#include "cli/layout.h"
#include "common/os/file.h"
#include "common/os/lock.h"
#include "common/plan/template.h"
#include "coordinator/journal/journal.h"
#include "coordinator/recover.h"

#include <stdio.h>
#include <unistd.h>

#define SETTINGS_BYTES_MAX ((size_t)1 << 20)

/* --- listening ----------------------------------------------------------------------------------------------------- */

static void on_graph(void *arg, const struct coord_graph *graph, const struct proto_fact *accepted)
{
	struct cli_runview *v = arg;

	if (v->graph) /* a run's directory holds one run; more would be a coordinator's */
		return;
	if (cli_tally_init(&v->tally, graph, v->keep, &v->err) == 0)
		v->graph = graph;
	memcpy(v->plan_blob, accepted->run_accepted.plan_blob, sizeof(v->plan_blob));
}

static void on_transition(void *arg, const struct coord_transition *t)
{
	struct cli_runview *v = arg;

	if (v->graph)
		cli_tally_feed(&v->tally, t, v->core);
	if (v->listen)
		v->listen(v->arg, t);
}

/* Live states are derived, not told in a replay: they are asked. */
static void ask_live_states(struct cli_runview *v)
{
	struct cli_tally *t = &v->tally;
	uint32_t i;

	if (t->finished_us)
		return;
	for (i = 0; i < t->count; i++) {
		struct coord_unit_view view;

		if (cli_unit_ended(&t->units[i]))
			continue;
		coord_unit_view(v->core, t->run, i, &view);
		t->in_state[t->units[i].state]--;
		t->units[i].state = (uint8_t)view.state;
		t->in_state[view.state]++;
	}
}

/* --- opening -------------------------------------------------------------------------------------------------------- */

static void read_settings(struct cli_runview *v)
{
	char path[PATH_MAX];

	if (cli_run_path(v->state, v->id, CLI_FILE_SETTINGS, path, NULL) == 0 &&
	    rv_file_read(path, SETTINGS_BYTES_MAX, &v->settings, NULL))
		rv_buf_reset(&v->settings); /* a run that died before it wrote them still is a run */
}

static int open_stores(struct cli_runview *v, struct rv_err *err)
{
	struct journal_options options = { .mode = JOURNAL_READ };
	struct coord_config cfg;
	char path[PATH_MAX];

	if (cli_run_path(v->state, v->id, NULL, v->dir, err) || cli_run_path(v->state, v->id, CLI_DIR_BLOBS, path, err))
		return -1;
	if (journal_open(&v->journal, v->dir, &options, err))
		return -1;
	if (rv_blobs_open(&v->blobs, path, RV_BLOBS_NOSYNC, 0, err))
		return -1;
	coord_config_init(&cfg);
	v->core = coord_create(&cfg);
	return v->core ? 0 : rv_fail(err, RV_E_NO_MEMORY, "no memory to replay run %s", v->id.text);
}

int cli_runview_more(struct cli_runview *v, struct rv_err *err)
{
	struct coord_recover_hooks hooks = { .transition = on_transition, .graph = on_graph, .arg = v };

	if (coord_recover(v->journal, &v->blobs, v->core, &hooks, v->next, &v->next, err))
		return -1;
	if (v->err.code) {
		if (err)
			*err = v->err;
		return -1;
	}
	if (v->graph)
		ask_live_states(v);
	return 0;
}

int cli_runview_open(struct cli_runview *v, const struct cli_runview_options *opt, struct rv_err *err)
{
	*v = (struct cli_runview){ .blobs = { .dir = -1 }, .listen = opt->listen, .arg = opt->arg, .keep = opt->keep };
	rv_buf_init(&v->settings, 0);
	if (cli_find_state(opt->state, v->state, err) || cli_find_run(v->state, opt->run, &v->id, err))
		return -1;
	if (opt->state)
		(void)snprintf(v->state_option, sizeof(v->state_option), " --state %s", opt->state);
	if (open_stores(v, err) || cli_runview_more(v, err))
		return -1;
	if (!v->graph) {
		(void)rv_fail(err, RV_E_NOT_FOUND, "run %s ended before its plan was accepted", v->id.text);
		return rv_hint(err, "`reeve rm %s` removes what it left", v->id.text);
	}
	read_settings(v);
	return 0;
}

void cli_runview_close(struct cli_runview *v)
{
	if (v->graph)
		cli_tally_release(&v->tally);
	v->graph = NULL;
	coord_destroy(&v->core);
	if (v->blobs.dir >= 0)
		rv_blobs_close(&v->blobs);
	v->blobs.dir = -1;
	journal_close(&v->journal);
	rv_buf_release(&v->settings);
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

bool cli_runview_owned(const struct cli_runview *v)
{
	struct rv_lock_holder holder;
	int dir, held;

	if (rv_dir_open(v->dir, &dir, NULL))
		return false;
	held = rv_lock_probe(dir, CLI_FILE_LOCK, &holder, NULL);
	(void)close(dir);
	return held == 1;
}

int cli_runview_plan(struct cli_runview *v, struct plan **out, struct rv_err *err)
{
	struct proto_fact accepted = { .kind = PROTO_FACT_RUN_ACCEPTED };

	memcpy(accepted.run_accepted.plan_blob, v->plan_blob, sizeof(v->plan_blob));
	return coord_recover_plan(&v->blobs, &accepted, out, err);
}

struct cli_result_scope cli_runview_scope(struct cli_runview *v)
{
	return (struct cli_result_scope){ .tally = &v->tally, .settings = rv_buf_str(&v->settings), .blobs = &v->blobs,
					  .state_option = v->state_option };
}

bool cli_runview_setting(const struct cli_runview *v, const char *key, char out[PATH_MAX])
{
	struct rv_str value;
	struct rv_buf text;
	bool found;

	if (plan_json_member(rv_buf_str(&v->settings), rv_str_of(key), &value) != 1 || !value.bytes || value.at[0] != '"')
		return false;
	rv_buf_init(&text, PATH_MAX);
	found = plan_json_text(value, &text) == 0 && text.bytes && text.bytes < PATH_MAX;
	if (found)
		memcpy(out, text.at, text.bytes + 1);
	rv_buf_release(&text);
	return found;
}

int cli_runview_namespace(const struct cli_runview *v, struct rv_str unit_id, uint32_t attempt, char out[PATH_MAX],
			  struct rv_err *err)
{
	char root[PATH_MAX];
	int n;

	if (!cli_runview_setting(v, "namespace_root", root))
		memcpy(root, v->state, sizeof(root));
	n = snprintf(out, PATH_MAX, "%s/%s/%s/%s/%.*s/%u", root, CLI_DIR_RUNS, v->id.text, CLI_DIR_UNITS, RV_STR_ARGS(unit_id),
		     attempt);
	return n < PATH_MAX ? 0 : rv_fail(err, RV_E_LIMIT, "the path of a namespace below %s is too long", root);
}
