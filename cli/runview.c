/* runview.c - a run replayed: what is common, and the state directory; remote.c: the coordinator */
#include "cli/runview.h"

#include "cli/find.h"
#include "cli/layout.h"
#include "common/os/file.h"
#include "common/os/lock.h"
#include "common/plan/template.h"
#include "coordinator/journal/journal.h"
#include "coordinator/recover.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SETTINGS_BYTES_MAX ((size_t)1 << 20)

/* --- listening ----------------------------------------------------------------------------------------------------- */

static void on_graph(void *arg, const struct coord_graph *graph, const struct proto_fact *accepted)
{
	struct cli_runview *v = arg;

	if (v->graph) /* one run is viewed */
		return;
	if (cli_tally_init(&v->tally, graph, v->keep, &v->err) == 0)
		v->graph = graph;
	memcpy(v->plan_blob, accepted->run_accepted.plan_blob, sizeof(v->plan_blob));
}

static void on_transition(void *arg, const struct coord_transition *t)
{
	struct cli_runview *v = arg;

	if (v->graph && t->kind == COORD_T_UNITS_ADDED && t->run == v->tally.run && cli_tally_grow(&v->tally, t->units, &v->err))
		return;
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

	t->open = coord_run_is_open(v->core, t->run);
	if (t->finished_us || (v->states_asked && v->where == CLI_VIEW_LIVE && v->remote.client))
		return;
	v->states_asked = true;
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
	char path[PATH_MAX];

	if (cli_run_path(v->state, v->id, NULL, v->dir, err) || cli_run_path(v->state, v->id, CLI_DIR_BLOBS, path, err))
		return -1;
	if (journal_open(&v->journal, v->dir, &options, err))
		return -1;
	return rv_blobs_open(&v->blobs, path, RV_BLOBS_NOSYNC, 0, err);
}

static struct coord_recover_hooks hooks_of(struct cli_runview *v)
{
	return (struct coord_recover_hooks){ .transition = on_transition, .graph = on_graph, .arg = v };
}

static int make_core(struct cli_runview *v, struct rv_err *err)
{
	struct coord_config cfg;

	coord_config_init(&cfg);
	v->core = coord_create(&cfg);
	return v->core ? 0 : rv_fail(err, RV_E_NO_MEMORY, "no memory to replay run %s", v->id.text);
}

static int read_more(struct cli_runview *v, uint32_t wait_ms, struct rv_err *err)
{
	struct coord_recover_hooks hooks = hooks_of(v);
	int rc;

	if (v->remote.client)
		rc = cli_remote_read(v, wait_ms, err);
	else
		rc = coord_recover(v->journal, &v->blobs, v->core, &hooks, v->next, &v->next, err);
	if (rc)
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

int cli_runview_more(struct cli_runview *v, struct rv_err *err)
{
	return read_more(v, 0, err);
}

/* --- following ------------------------------------------------------------------------------------------------------ */

int cli_runview_catch_signals(struct cli_runview *v, struct rv_err *err)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

	if (v->remote.client)
		return cli_client_catch_signals(v->remote.client, err);
	if (!v->catching && rv_signals_open(&v->signals, numbers, RV_ARRAY_LEN(numbers), err))
		return -1;
	v->catching = true;
	return 0;
}

static void look_later(struct cli_runview *v)
{
	struct pollfd p = { .fd = v->catching ? v->signals.fd : -1, .events = POLLIN };
	struct rv_signal sig;

	(void)poll(&p, 1, (int)(CLI_VIEW_LOOK_US / 1000)); /* cut short: we look earlier */
	while (v->catching && rv_signals_next(&v->signals, &sig) == 1)
		v->interrupted = true;
}

int cli_runview_wait(struct cli_runview *v, struct rv_err *err)
{
	if (!v->remote.client) {
		look_later(v);
		return v->interrupted ? rv_fail(err, RV_E_BUSY, "interrupted") : cli_runview_more(v, err);
	}
	return cli_runview_wait_ms(v, CLI_VIEW_WAIT_MS, err);
}

int cli_runview_wait_ms(struct cli_runview *v, uint32_t wait_ms, struct rv_err *err)
{
	int rc = read_more(v, wait_ms, err);

	v->interrupted = cli_client_interrupted(v->remote.client);
	return rc;
}

/* --- where ------------------------------------------------------------------------------------------------------------- */

static int decide(struct cli_runview *v, const struct cli_runview_options *opt, enum cli_where *where, struct cli_place *place, struct rv_str *run,
		  struct rv_err *err)
{
	*where = CLI_IN_DIRECTORY;
	if (opt->where == CLI_VIEW_DISK || opt->state)
		return 0;
	if (cli_place_look(opt->coordinator, *run, where, place, v->state, err))
		return -1;
	(void)snprintf(v->state_option, sizeof(v->state_option), "%s", place->option);
	if (*where == CLI_IN_DIRECTORY && place->kind == CLI_PLACE_RUN)
		*run = rv_str_of(place->run.text);
	return 0;
}

/* The run of a directory as somebody who can be asked, where its process lives. */
static bool lives(const struct cli_runview *v, struct cli_place *place)
{
	*place = (struct cli_place){ .kind = CLI_PLACE_RUN, .run = v->id };
	if (cli_run_path(v->state, v->id, NULL, place->dir, NULL))
		return false;
	(void)snprintf(place->shown, sizeof(place->shown), "run %s", v->id.text);
	return cli_place_lives(place);
}

int cli_runview_open(struct cli_runview *v, const struct cli_runview_options *opt, struct rv_err *err)
{
	struct coord_recover_hooks hooks = hooks_of(v);
	struct cli_place place;
	struct rv_str run = opt->run;
	enum cli_where where;

	*v = (struct cli_runview){ .blobs = { .dir = -1 }, .signals = { .fd = -1 }, .listen = opt->listen, .arg = opt->arg, .keep = opt->keep,
				  .where = opt->where };
	rv_buf_init(&v->settings, 0);
	if (decide(v, opt, &where, &place, &run, err))
		return -1;
	if (where == CLI_IN_DIRECTORY) {
		if ((!v->state[0] && cli_find_state(opt->state, v->state, err)) || cli_find_run(v->state, run, &v->id, err))
			return -1;
		if (opt->state)
			cli_state_option(opt->state, v->state_option, sizeof(v->state_option));
		if (opt->where == CLI_VIEW_LIVE && lives(v, &place)) {
			if (make_core(v, err) || cli_remote_open(v, &place, rv_str_of(v->id.text), &hooks, err))
				return -1;
		} else if (open_stores(v, err) || make_core(v, err)) {
			return -1;
		}
	} else if (make_core(v, err) || cli_remote_open(v, &place, run, &hooks, err)) {
		return -1;
	}
	if (cli_runview_more(v, err))
		return -1;
	if (!v->graph) {
		(void)rv_fail(err, RV_E_NOT_FOUND, "run %s ended before its plan was accepted", v->id.text);
		return rv_hint(err, "`reeve rm %s` removes what it left", v->id.text);
	}
	if (!v->remote.client)
		read_settings(v);
	return 0;
}

void cli_runview_close(struct cli_runview *v)
{
	if (v->graph)
		cli_tally_release(&v->tally);
	v->graph = NULL;
	cli_remote_close(v);
	if (v->catching)
		rv_signals_close(&v->signals);
	v->catching = false;
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

	if (v->remote.client)
		return true;
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

struct cli_blob_source cli_runview_blobs(struct cli_runview *v)
{
	return (struct cli_blob_source){ .store = v->remote.client ? NULL : &v->blobs, .client = v->remote.client };
}

struct cli_result_scope cli_runview_scope(struct cli_runview *v)
{
	return (struct cli_result_scope){ .tally = &v->tally, .settings = rv_buf_str(&v->settings), .blobs = cli_runview_blobs(v),
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
