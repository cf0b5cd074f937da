#include "coordinator/shell.h"

#include "common/check.h"
#include "common/limits.h"
#include "common/os/blobs.h"
#include "common/os/clock.h"
#include "common/os/host.h"
#include "common/os/keys.h"
#include "common/plan/plan.h"
#include "common/plan/save.h"
#include "coordinator/dispatch.h"
#include "coordinator/learned.h"
#include "coordinator/outputs.h"
#include "coordinator/recover.h"
#include "coordinator/runlist.h"
#include "coordinator/wire.h"

#include <stdlib.h>

enum {
	EFFECTS = 8192,
	VERDICTS = 4096,          /* of one WELCOME message */
	FACTS_A_ROW_MAX = 65536, /* then a row is appended and the fan-out goes on */
	WELCOMES = 64,            /* peers whose verdicts may come in slices at once */
};

/* The WELCOME that a peer's later verdicts belong to. */
struct welcomed {
	uint64_t peer;
	struct proto_welcome welcome;
};

struct coord_shell {
	struct coord_shell_ops ops;
	void *arg;
	const struct rv_log *log;
	struct coord *core;
	struct journal *journal;
	struct rv_blobs *blobs;
	struct coord_outbox *outbox;
	struct coord_outputs *outputs;
	struct coord_hints *hints;
	struct coord_learned *learned; /* NULL: none kept */
	struct proto_frame_reader *reader;
	uint64_t epoch;
	char cluster[2 * JOURNAL_CLUSTER_BYTES + 1];

	struct coord_effects effects;
	struct proto_held_verdict *verdicts;
	struct welcomed welcomed[WELCOMES];
	uint32_t welcomed_next;

	struct rv_buf row;        /* facts of this turn */
	struct rv_buf lists;      /* of the artifacts of one unit */
	uint32_t row_facts;
	uint64_t told_position;  /* of the last fact: its row, and its place in it */
	uint32_t told_index;
	uint64_t row_real_us;        /* the time of the open row and of all that is told of it; 0: none yet */
	bool row_synced;
	bool row_runs;            /* some run's line in the list of runs changed */
	bool rests_on_facts;      /* some message of this turn does */
	struct coord_dispatch dispatch;
	uint64_t durable_told;

	struct coord_runlist runs;
	uint32_t runs_ended_max;  /* 0: all are kept */
	uint64_t oldest_kept_us;  /* at start: runs that ended before are passed over */
	bool run_ended;           /* since ended ones were counted */

	struct coord_shell_stats stats;
	struct rv_err failed;     /* the first failure that stops the shell */
	bool has_failed;
};

void coord_shell_config_init(struct coord_shell_config *cfg)
{
	*cfg = (struct coord_shell_config){ .durability = JOURNAL_PROCESS };
	coord_config_init(&cfg->core);
}

/* The first failure stays: a shell that could not keep or send something it decided must stop, and what is on disk counts. */
static void fail(struct coord_shell *s, const struct rv_err *err)
{
	if (s->has_failed)
		return;
	s->has_failed = true;
	s->failed = *err;
	rv_log(s->log, RV_LOG_ERROR, "coordinator_failed", "error", err->msg, NULL);
}

/* --- facts -------------------------------------------------------------------------------------------------------------- */

/* In `run` a dependent finds artifacts where they lie; nodes are told what there is, of failed units too. */
static int keep_artifacts(struct coord_shell *s, const struct proto_result *r, struct coord_output *output, struct rv_err *err)
{
	rv_buf_reset(&s->lists);
	if (!s->ops.result || !r->artifact_count)
		return 0;
	if (proto_artifacts_encode(r->artifacts, r->artifact_count, &s->lists) < 0)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a list of %u artifacts", r->artifact_count);
	output->artifacts = rv_buf_str(&s->lists);
	output->artifact_count = r->artifact_count;
	output->artifacts_cut = (r->flags & PROTO_RESULT_ARTIFACTS_CUT) != 0;
	return 0;
}

static void keep_output(struct coord_shell *s, const struct proto_fact *fact)
{
	const struct proto_result *r = &fact->ended.result;
	struct proto_attempt_key key = fact->ended.key;
	const struct coord_graph *g = coord_run_graph(s->core, key.run);
	struct coord_output output = { .attempt = key.attempt };
	struct rv_err err;

	if (!g || key.unit >= coord_graph_unit_count(g) || !coord_graph_output_wanted(g, key.unit))
		return;
	if (fact->ended.state == PROTO_END_SUCCEEDED) {
		output.value = r->output;
		output.is_json = (r->flags & PROTO_RESULT_OUTPUT_JSON) != 0;
	}
	if (coord_graph_artifacts_wanted(g, key.unit) && keep_artifacts(s, r, &output, &err) < 0) {
		fail(s, &err);
		return;
	}
	/* of a unit that was set back what it handed over before counts no more */
	if (output.value.kind == PROTO_VALUE_NONE && !output.artifact_count && !coord_outputs_get(s->outputs, key.run, key.unit))
		return;
	if (coord_outputs_set(s->outputs, key.run, key.unit, &output, &err) < 0)
		fail(s, &err);
}

static void touch(struct coord_shell *s, uint64_t run)
{
	coord_runlist_touch(&s->runs, run);
	s->row_runs = true;
}

/* What the shell itself remembers of a fact; live and in replay alike. */
static void note_fact(struct coord_shell *s, const struct proto_fact *fact, uint64_t real_us, bool replayed)
{
	struct rv_err err;
	struct journal_run *line;

	if (s->ops.fact)
		s->ops.fact(s->arg, fact, real_us, replayed);
	switch (fact->kind) {
	case PROTO_FACT_RUN_ACCEPTED:
		if (coord_runlist_add(&s->runs, fact, real_us, &err) < 0)
			fail(s, &err);
		touch(s, fact->run_accepted.run);
		break;
	case PROTO_FACT_UNITS_ADDED:
		touch(s, fact->units_added.run);
		break;
	case PROTO_FACT_ENDED:
		keep_output(s, fact);
		if (!replayed && s->learned)
			coord_learned_note(s->learned, coord_run_graph(s->core, fact->ended.key.run), fact);
		break;
	case PROTO_FACT_RUN_FINISHED:
		line = coord_runlist_find(&s->runs, fact->run_finished.run);
		if (line)
			line->finished_us = real_us;
		touch(s, fact->run_finished.run);
		s->run_ended = true;
		break;
	case PROTO_FACT_MUTATION:
		if (fact->mutation.what == PROTO_MUT_RM) {
			coord_outputs_drop_run(s->outputs, fact->mutation.run);
			coord_runlist_remove(&s->runs, fact->mutation.run);
			s->row_runs = true;
			break;
		}
		if (coord_run_graph(s->core, fact->mutation.run) && coord_hints_note(s->hints, fact, &err) < 0)
			fail(s, &err);
		touch(s, fact->mutation.run);
		break;
	case PROTO_FACT_RUN_STOPPED:
		touch(s, fact->run_stopped.run);
		break;
	case PROTO_FACT_ASSIGNED:
	case PROTO_FACT_EPOCH:
	case PROTO_FACT_ATTEMPT_ENDED:
	case PROTO_FACT_NODE:
	case PROTO_FACT_KEY:
	case PROTO_FACT_TOKEN:
		break;
	}
}

/* A run that goes on has not ended: that a retry put something back is no fact of its own. */
static void note_transition(struct coord_shell *s, const struct coord_transition *t)
{
	struct journal_run *line = t->kind == COORD_T_RUN_RESUMED ? coord_runlist_find(&s->runs, t->run) : NULL;

	if (line)
		line->finished_us = 0;
}

static void add_fact(struct coord_shell *s, const struct proto_fact *fact, uint64_t real_us)
{
	if (proto_fact_encode(fact, &s->row) < 0) {
		struct rv_err err;

		(void)rv_fail(&err, RV_E_NO_MEMORY, "no memory for a journal row of %zu bytes", s->row.bytes);
		fail(s, &err);
		return;
	}
	s->told_position = journal_last(s->journal) + 1;
	s->told_index = s->row_facts++;
	note_fact(s, fact, real_us, false);
}

/* --- messages ------------------------------------------------------------------------------------------------------------- */

static int send_dispatch(struct coord_shell *s, const struct coord_effect *fx, struct rv_err *err)
{
	struct coord_wire_dispatch d;
	struct proto_msg m;

	if (coord_dispatch_fill(&s->dispatch, fx->dispatch.key, fx->dispatch.agent, s->epoch, &d, err) < 0)
		return -1;
	coord_wire_message(fx, &d, &m);
	s->row_synced |= fx->dispatch.sync;
	return coord_outbox_add(s->outbox, fx->peer, &m, err);
}

static struct proto_welcome *welcome_of(struct coord_shell *s, const struct coord_effect *fx)
{
	for (uint32_t i = 0; i < WELCOMES; i++) {
		if (s->welcomed[i].peer == fx->peer && s->welcomed[i].welcome.session) {
			if (fx->kind == COORD_FX_WELCOME)
				s->welcomed[i].welcome = fx->welcome;
			return &s->welcomed[i].welcome;
		}
	}
	rv_check(fx->kind == COORD_FX_WELCOME);
	s->welcomed_next = (s->welcomed_next + 1) % WELCOMES;
	s->welcomed[s->welcomed_next] = (struct welcomed){ .peer = fx->peer, .welcome = fx->welcome };
	return &s->welcomed[s->welcomed_next].welcome;
}

/* One message effect, with the verdicts that belong to it; gives how many effects it took. */
static uint32_t send_message(struct coord_shell *s, uint32_t i)
{
	const struct coord_effect *fx = &s->effects.items[i];
	struct rv_err err = { 0 };
	struct proto_msg m;
	uint32_t taken = 1;
	int rc;

	s->rests_on_facts |= fx->needs_fact;
	if (fx->kind == COORD_FX_DISPATCH) {
		rc = send_dispatch(s, fx, &err);
	} else if (fx->kind == COORD_FX_WELCOME || fx->kind == COORD_FX_VERDICT) {
		taken = coord_wire_welcome(&s->effects, i, welcome_of(s, fx), s->verdicts, VERDICTS, &m);
		m.welcome.cluster = rv_str_of(s->cluster);
		rc = coord_outbox_add(s->outbox, fx->peer, &m, &err);
	} else {
		coord_wire_message(fx, NULL, &m);
		if (m.kind == PROTO_GOAWAY && m.goaway.why == PROTO_GOAWAY_REVOKED && coord_outbox_drop(s->outbox, fx->peer, &err) < 0)
			fail(s, &err);
		rc = fx->needs_fact ? coord_outbox_add(s->outbox, fx->peer, &m, &err) : coord_outbox_add_free(s->outbox, fx->peer, &m, &err);
	}
	if (rc < 0)
		fail(s, &err);
	return taken;
}

/* --- effects --------------------------------------------------------------------------------------------------------------- */

static void perform(struct coord_shell *s, uint64_t real_us)
{
	struct rv_err err;

	for (uint32_t i = 0; i < s->effects.count;) {
		struct coord_effect *fx = &s->effects.items[i];

		if (coord_wire_is_message(fx->kind)) {
			i += send_message(s, i);
			continue;
		}
		i++;
		switch (fx->kind) {
		case COORD_FX_FACT:
			add_fact(s, fx->fact, real_us);
			break;
		case COORD_FX_TRANSITION:
			note_transition(s, fx->transition);
			if (s->ops.transition)
				s->ops.transition(s->arg, s->core, fx->transition, s->told_position, s->told_index, false);
			break;
		case COORD_FX_REPLY:
			if (s->ops.reply)
				s->ops.reply(s->arg, fx->reply.client, fx->reply.done_before, fx->reply.changed);
			break;
		case COORD_FX_RUN_FINISHED:
			if (s->ops.run_finished)
				s->ops.run_finished(s->arg, fx->run_finished.run, fx->run_finished.state, fx->run_finished.reason);
			break;
		case COORD_FX_RELEASE_RUN:
			coord_outputs_drop_run(s->outputs, coord_graph_run(fx->release));
			coord_hints_drop_run(s->hints, coord_graph_run(fx->release));
			if (s->ops.run_gone)
				s->ops.run_gone(s->arg, coord_graph_run(fx->release));
			if (s->learned)
				coord_learned_drop_run(s->learned, coord_graph_run(fx->release));
			coord_graph_destroy(&fx->release);
			break;
		case COORD_FX_LINK_OVER:
			if (coord_outbox_drop(s->outbox, fx->peer, &err) < 0)
				fail(s, &err);
			break;
		default:
			rv_check(!"an effect of the core that the shell does not know");
		}
	}
}

/* Appends this turn's facts, if there are any, and seals the frames that depend on them. */
static int commit(struct coord_shell *s, uint64_t real_us, struct rv_err *err)
{
	struct journal_batch batch = { .real_us = real_us };
	uint64_t position = 0, began, took;

	if (s->row_facts) {
		batch.records = rv_buf_str(&s->row);
		batch.synced = s->row_synced;
		if (s->row_runs) {
			batch.runs = coord_runlist_changed(&s->runs, s->core, &batch.runs_count);
		}
		began = rv_clock_monotonic_us();
		if (journal_append(s->journal, &batch, &position, err) < 0)
			return -1;
		took = rv_clock_monotonic_us() - began;
		s->stats.commit_us = s->stats.commit_us ? (s->stats.commit_us * 7 + took) / 8 : took;
		s->stats.rows++;
		s->stats.facts += s->row_facts;
		rv_buf_reset(&s->row);
		s->row_facts = 0;
		s->row_synced = false;
		s->row_runs = false;
	}
	/* What is said without a new fact rests on those that were decided before: an ack of a result that came again, say. */
	if (position == 0 && s->rests_on_facts)
		position = journal_last(s->journal);
	s->rests_on_facts = false;
	return coord_outbox_seal(s->outbox, position, err);
}

/* One event and all that follows from it: the core says `again` where its effects did not fit. A fan-out that decides very much
 * fills several rows. */
static void step(struct coord_shell *s, struct coord_event *ev)
{
	/* A row has one time, so that what is told live and what a replay tells of it is the same. */
	uint64_t real_us = s->row_real_us ? s->row_real_us : ev->real_us;
	struct coord_event more = { .kind = COORD_EV_AGAIN, .now_us = ev->now_us, .real_us = real_us };
	struct rv_err err = { 0 };

	ev->real_us = s->row_real_us = real_us;
	s->effects.count = 0;
	s->effects.again = false;
	coord_step(s->core, ev, &s->effects);
	perform(s, real_us);
	while (s->effects.again && !s->has_failed) {
		if (s->row_facts >= FACTS_A_ROW_MAX && commit(s, real_us, &err) < 0) {
			fail(s, &err);
			return;
		}
		s->effects.count = 0;
		s->effects.again = false;
		coord_step(s->core, &more, &s->effects);
		perform(s, real_us);
	}
}

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

static void replayed_fact(void *arg, const struct proto_fact *fact, uint64_t position, uint32_t index, uint64_t real_us)
{
	struct coord_shell *s = arg;

	(void)position;
	(void)index;
	note_fact(s, fact, real_us, true);
}

static void replayed_transition(void *arg, const struct coord_transition *t)
{
	struct coord_shell *s = arg;

	note_transition(s, t);
	if (s->ops.transition)
		s->ops.transition(s->arg, s->core, t, t->position, t->index, true);
}

static bool is_old(void *arg, uint64_t run)
{
	const struct coord_shell *s = arg;

	return coord_runlist_is_old(&s->runs, run, s->oldest_kept_us);
}

static int load_runs(struct coord_shell *s, struct rv_err *err)
{
	if (coord_runlist_load(&s->runs, s->journal, err) < 0)
		return -1;
	if (!s->runs_ended_max)
		return 0;
	s->oldest_kept_us = coord_runlist_oldest_kept(&s->runs, s->runs_ended_max, err);
	return s->oldest_kept_us == RV_NEVER ? -1 : 0;
}

static int serve(struct coord_shell *s, uint64_t now_us, uint64_t real_us, struct rv_err *err)
{
	struct coord_recover_hooks hooks = { .fact = replayed_fact, .transition = replayed_transition, .arg = s };
	struct coord_event ev = { .kind = COORD_EV_SERVING, .now_us = now_us, .real_us = real_us };

	if (journal_claim_epoch(s->journal, &s->epoch, err) < 0)
		return -1;
	rv_hex(s->cluster, journal_cluster(s->journal), JOURNAL_CLUSTER_BYTES);
	if (load_runs(s, err) < 0)
		return -1;
	if (s->oldest_kept_us || s->runs.removed)
		hooks.skip = is_old;
	if (coord_recover(s->journal, s->blobs, s->core, &hooks, 0, NULL, err) < 0)
		return -1;
	ev.serving.epoch = s->epoch;
	rv_host_boot_id(ev.serving.boot_id);
	step(s, &ev);
	if (s->has_failed) {
		if (err)
			*err = s->failed;
		return -1;
	}
	return 0;
}

int coord_shell_open(const struct coord_shell_config *cfg, uint64_t now_us, uint64_t real_us, struct coord_shell **out, struct rv_err *err)
{
	struct journal_options options = { .mode = JOURNAL_OWN, .durability = cfg->durability, .what = cfg->what };
	struct coord_shell *s = calloc(1, sizeof *s);

	rv_check(cfg->ops.send != NULL);
	if (!s)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a coordinator");
	s->ops = cfg->ops;
	s->arg = cfg->arg;
	s->log = cfg->log;
	s->blobs = cfg->blobs;
	s->runs_ended_max = cfg->runs_ended_max;
	rv_buf_init(&s->row, 0);
	rv_buf_init(&s->lists, 0);
	s->effects.capacity = EFFECTS;
	s->effects.items = malloc(EFFECTS * sizeof *s->effects.items);
	s->verdicts = malloc(VERDICTS * sizeof *s->verdicts);
	s->core = coord_create(&cfg->core);
	s->outbox = coord_outbox_create(cfg->ops.send, cfg->arg);
	s->outputs = coord_outputs_create();
	s->hints = coord_hints_create();
	coord_dispatch_init(&s->dispatch, s->core, s->outputs, s->hints, s->blobs);
	s->reader = proto_frame_reader_create();
	if (!s->effects.items || !s->verdicts || !s->core || !s->outbox || !s->outputs || !s->hints || !s->reader) {
		rv_fail(err, RV_E_NO_MEMORY, "no memory for a coordinator");
		goto failed;
	}
	if (cfg->estimates_dir && coord_learned_open(&s->learned, cfg->estimates_dir) < 0)
		rv_log(s->log, RV_LOG_WARN, "estimates_unavailable", "dir", cfg->estimates_dir, NULL);
	if (journal_open(&s->journal, cfg->state_dir, &options, err) < 0)
		goto failed;
	if (serve(s, now_us, real_us, err) < 0)
		goto failed;
	*out = s;
	return 0;
failed:
	coord_shell_close(&s);
	return -1;
}

void coord_shell_close(struct coord_shell **sp)
{
	struct coord_shell *s = *sp;

	if (!s)
		return;
	coord_outbox_destroy(&s->outbox);
	coord_outputs_destroy(&s->outputs);
	coord_hints_destroy(&s->hints);
	coord_learned_close(&s->learned);
	journal_close(&s->journal);
	coord_destroy(&s->core);
	proto_frame_reader_destroy(&s->reader);
	rv_buf_release(&s->row);
	rv_buf_release(&s->lists);
	coord_dispatch_release(&s->dispatch);
	free(s->effects.items);
	free(s->verdicts);
	coord_runlist_release(&s->runs);
	free(s);
	*sp = NULL;
}

/* --- what people ask for ------------------------------------------------------------------------------------------------------ */

static int save_plan(struct rv_blobs *blobs, const struct plan *plan, uint8_t digest[RV_DIGEST_BYTES], struct rv_err *err)
{
	struct rv_buf bytes;
	int rc;

	rv_buf_init(&bytes, (size_t)8 << 30);
	rc = plan_save(plan, &bytes, err);
	if (rc == 0)
		rc = rv_blobs_put(blobs, rv_buf_str(&bytes), digest, err);
	rv_buf_release(&bytes);
	return rc;
}

/* What this plan's units took before, where the plan does not say; saved, so that a restart ranks the units alike. */
static int learned_estimates(struct rv_blobs *blobs, struct coord_learned *learned, const struct plan *plan, uint64_t **estimates,
			     uint8_t digest[RV_DIGEST_BYTES], struct rv_err *err)
{
	struct rv_buf bytes;
	int rc = 0;

	*estimates = NULL;
	if (!learned || !(*estimates = coord_learned_estimates(learned, plan)))
		return 0;
	rv_buf_init(&bytes, 0);
	for (uint32_t i = 0; i < plan->unit_count; i++)
		(void)rv_buf_put_u64(&bytes, (*estimates)[i]);
	rc = bytes.failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for the estimates of %u units", plan->unit_count)
			  : rv_blobs_put(blobs, rv_buf_str(&bytes), digest, err);
	rv_buf_release(&bytes);
	return rc;
}

static int prepare(struct rv_blobs *blobs, struct coord_learned *learned, const struct plan *plan, uint64_t run, struct coord_graph **graph,
		   struct proto_fact *fact, struct rv_err *err)
{
	struct coord_graph *g = NULL;
	uint64_t *estimates = NULL;
	int rc = -1;

	*fact = (struct proto_fact){ .kind = PROTO_FACT_RUN_ACCEPTED };
	fact->run_accepted.run = run;
	fact->run_accepted.units = (uint32_t)plan->instance_count;
	memcpy(fact->run_accepted.plan_digest, plan->digest, sizeof fact->run_accepted.plan_digest);
	if (learned_estimates(blobs, learned, plan, &estimates, fact->run_accepted.estimates_blob, err) < 0)
		goto out;
	if (coord_graph_build(plan, run, estimates, &g, err) < 0)
		goto out;
	if (save_plan(blobs, plan, fact->run_accepted.plan_blob, err) < 0)
		goto out;
	fact->run_accepted.name = coord_graph_name(g);
	fact->run_accepted.open = plan->open;
	*graph = g;
	g = NULL;
	rc = 0;
out:
	free(estimates);
	coord_graph_destroy(&g);
	return rc;
}

int coord_shell_prepare(struct rv_blobs *blobs, const char *estimates_dir, const struct plan *plan, uint64_t run, struct coord_graph **graph,
			struct proto_fact *fact, struct rv_err *err)
{
	struct coord_learned *learned = NULL;
	int rc;

	if (estimates_dir)
		(void)coord_learned_open(&learned, estimates_dir); /* without it all estimates are unknown */
	rc = prepare(blobs, learned, plan, run, graph, fact, err);
	coord_learned_close(&learned);
	return rc;
}

int coord_shell_accept(struct coord_shell *s, struct coord_graph **graph, const struct proto_fact *fact, uint64_t now_us, uint64_t real_us,
		       struct rv_err *err)
{
	struct coord_event ev = { .kind = COORD_EV_RUN_ACCEPTED, .now_us = now_us, .real_us = real_us };

	if (coord_admit_run(s->core, *graph, err) < 0)
		return -1;
	ev.run_accepted.graph = *graph;
	ev.run_accepted.fact = fact;
	*graph = NULL; /* taken */
	step(s, &ev);
	return 0;
}

int coord_shell_prepare_units(struct rv_blobs *blobs, const struct plan *plan, uint64_t run, struct coord_graph **part, struct proto_fact *fact, struct rv_err *err)
{
	*fact = (struct proto_fact){ .kind = PROTO_FACT_UNITS_ADDED };
	fact->units_added.run = run;
	if (coord_graph_build(plan, run, NULL, part, err) < 0)
		return -1;
	if (save_plan(blobs, plan, fact->units_added.plan_blob, err) == 0)
		return 0;
	coord_graph_destroy(part);
	return -1;
}

int coord_shell_add_units(struct coord_shell *s, struct coord_graph *part, struct proto_fact *fact, uint64_t now_us, uint64_t real_us, struct rv_err *err)
{
	struct coord_event ev = { .kind = COORD_EV_UNITS_ADDED, .now_us = now_us, .real_us = real_us };
	uint32_t there;

	if (coord_admit_units(s->core, fact->units_added.run, part, &fact->units_added.units, &there, err) < 0)
		return -1;
	if (!coord_part_is_new(part))
		return 0;
	fact->units_added.first = coord_graph_unit_count(coord_run_graph(s->core, fact->units_added.run));
	ev.run_accepted.graph = part;
	ev.run_accepted.fact = fact;
	step(s, &ev);
	return 0;
}

int coord_shell_submit(struct coord_shell *s, const struct plan *plan, uint64_t run, uint64_t now_us, uint64_t real_us, struct rv_err *err)
{
	struct coord_graph *graph = NULL;
	struct proto_fact fact;
	int rc;

	if (prepare(s->blobs, s->learned, plan, run, &graph, &fact, err) < 0)
		return -1;
	rc = coord_shell_accept(s, &graph, &fact, now_us, real_us, err);
	coord_graph_destroy(&graph);
	return rc;
}

int coord_shell_give_output(struct coord_shell *s, uint64_t run, uint32_t unit, struct rv_str bytes, bool is_json, struct rv_err *err)
{
	struct coord_output output = { .value = { .kind = PROTO_VALUE_INLINE, .inline_bytes = bytes }, .is_json = is_json };

	if (bytes.bytes > RV_INLINE_BYTES_MAX && coord_value_as_blob(s->blobs, bytes, &output.value, err) < 0)
		return -1;
	return coord_outputs_set(s->outputs, run, unit, &output, err);
}

int coord_shell_mutate(struct coord_shell *s, const struct proto_fact *mutation, uint64_t client, uint64_t now_us, uint64_t real_us, struct rv_err *err)
{
	struct coord_event ev = { .kind = COORD_EV_MUTATION, .now_us = now_us, .real_us = real_us };

	if (coord_client_check(s->core, mutation, err) < 0)
		return -1;
	ev.mutation.fact = mutation;
	ev.mutation.client = client;
	step(s, &ev);
	return 0;
}

void coord_shell_stop_run(struct coord_shell *s, uint64_t run, enum proto_reason reason, uint64_t grace_us, uint64_t now_us, uint64_t real_us)
{
	struct coord_event ev = { .kind = COORD_EV_RUN_STOP, .now_us = now_us, .real_us = real_us };

	ev.run_stop.run = run;
	ev.run_stop.reason = reason;
	ev.run_stop.grace_us = grace_us;
	step(s, &ev);
}

/* --- frames and turns ------------------------------------------------------------------------------------------------------------ */

void coord_shell_record(struct coord_shell *s, const struct proto_fact *fact, uint64_t real_us)
{
	if (!s->row_real_us)
		s->row_real_us = real_us;
	add_fact(s, fact, s->row_real_us);
}

int coord_shell_say(struct coord_shell *s, uint64_t peer, const struct proto_msg *m, enum coord_say when)
{
	struct rv_err err = { 0 };
	int rc;

	if (when == COORD_SAY_AFTER_FACTS) {
		s->rests_on_facts = true;
		rc = coord_outbox_add(s->outbox, peer, m, &err);
	} else {
		rc = coord_outbox_add_free(s->outbox, peer, m, &err);
	}
	if (rc < 0 && err.code == RV_E_NO_MEMORY)
		fail(s, &err);
	else if (rc < 0)
		rv_log(s->log, RV_LOG_WARN, "answer_too_large", "message", proto_msg_name(m->kind), "error", err.msg, NULL);
	return rc;
}

/* Over tcp a key is proved by the handshake, and a node is its key. */
static bool is_who_it_says(const struct coord_peer_identity *who, const struct proto_msg *m)
{
	uint8_t hash[RV_DIGEST_BYTES];

	if (who->trusted || m->kind != PROTO_HELLO || m->hello.page != 0)
		return true;
	rv_digest(rv_str((const char *)who->key, sizeof who->key), hash);
	return memcmp(hash, m->hello.node.key, sizeof hash) == 0;
}

/* A node has the name that its key was let in with: work is meant for names, and nobody takes another's by being quicker. */
static bool has_its_name(const struct coord_peer_identity *who, const struct proto_msg *m)
{
	return who->trusted || m->kind != PROTO_HELLO || m->hello.page != 0 || rv_str_equal(who->name, m->hello.node.name);
}

static void send_away(struct coord_shell *s, uint64_t peer, enum proto_goaway_why why)
{
	struct proto_msg m = { .kind = PROTO_GOAWAY, .goaway = { .why = why } };

	s->stats.messages_refused++;
	(void)coord_shell_say(s, peer, &m, COORD_SAY_NOW);
}

static bool names_blobs(const struct proto_result *r)
{
	return r->output.kind == PROTO_VALUE_BLOB || r->tail.kind == PROTO_VALUE_BLOB || r->artifact_count > 0;
}

/* What a person said when releasing a unit is its output, if it has none of its own. */
static void step_result(struct coord_shell *s, struct coord_event *ev)
{
	const struct coord_hint *hint = coord_hints_get(s->hints, ev->result->key.run, ev->result->key.unit);
	struct proto_result r;
	struct rv_err err;

	if (hint && hint->release.bytes && ev->result->outcome == PROTO_SUCCEEDED && ev->result->output.kind == PROTO_VALUE_NONE) {
		r = *ev->result;
		r.output = (struct proto_value){ .kind = PROTO_VALUE_INLINE, .inline_bytes = hint->release };
		if (hint->release.bytes > RV_INLINE_BYTES_MAX && coord_value_as_blob(s->blobs, hint->release, &r.output, &err) < 0) {
			fail(s, &err);
			return;
		}
		r.flags &= ~(uint32_t)PROTO_RESULT_OUTPUT_JSON;
		ev->result = &r;
	}
	step(s, ev);
}

static void on_message(struct coord_shell *s, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m, uint64_t now_us,
		       uint64_t real_us)
{
	struct coord_event ev;

	if (!(proto_msg_roles(m->kind) & who->roles) || !is_who_it_says(who, m)) {
		s->stats.messages_refused++;
		if (s->ops.denied)
			s->ops.denied(s->arg, peer, who, m);
		return;
	}
	if (!has_its_name(who, m)) {
		send_away(s, peer, PROTO_GOAWAY_NAME_TAKEN);
		return;
	}
	if (coord_wire_event(m, now_us, real_us, peer, &ev) < 0) {
		if (s->ops.message)
			s->ops.message(s->arg, peer, who, m);
		else
			s->stats.messages_refused++;
		return;
	}
	ev.admitted = m->kind == PROTO_HELLO && !who->trusted;
	if (m->kind == PROTO_RESULT && s->ops.result && names_blobs(&m->result) && s->ops.result(s->arg, peer, m))
		return;
	if (m->kind == PROTO_RESULT)
		step_result(s, &ev);
	else
		step(s, &ev);
}

int coord_shell_on_frame(struct coord_shell *s, uint64_t peer, const struct coord_peer_identity *who, struct rv_str frame, uint64_t now_us,
			 uint64_t real_us, struct rv_err *err)
{
	struct proto_msg m;
	int rc;

	s->stats.frames_in++;
	if (proto_frame_open(s->reader, frame, PROTO_TO_COORD, err) < 0) {
		s->stats.frames_bad++;
		return -1;
	}
	while ((rc = proto_frame_next(s->reader, &m, err)) == 1)
		on_message(s, peer, who, &m, now_us, real_us);
	if (rc < 0)
		s->stats.frames_bad++;
	return rc;
}

void coord_shell_result(struct coord_shell *s, uint64_t peer, const struct proto_msg *m, uint64_t now_us, uint64_t real_us)
{
	struct coord_event ev;

	rv_check(m->kind == PROTO_RESULT);
	if (coord_wire_event(m, now_us, real_us, peer, &ev) == 0)
		step_result(s, &ev);
}

void coord_shell_peer_gone(struct coord_shell *s, uint64_t peer, uint64_t now_us, uint64_t real_us)
{
	struct coord_event ev = { .kind = COORD_EV_NODE_GONE, .now_us = now_us, .real_us = real_us, .peer = peer };

	step(s, &ev);
}

/* Ended runs beyond the limit leave the core; their facts and their lines are in the journal. All that was
 * decided has just been appended, a run's end and line with it. */
static void forget_ended(struct coord_shell *s, uint64_t now_us, uint64_t real_us)
{
	uint64_t run;

	s->run_ended = false;
	while (s->runs_ended_max && !s->has_failed && (run = coord_runlist_too_many(&s->runs, s->core, s->runs_ended_max))) {
		struct coord_event ev = { .kind = COORD_EV_RUN_FORGET, .now_us = now_us, .real_us = real_us };

		ev.run_forget.run = run;
		step(s, &ev);
	}
}

int coord_shell_turn(struct coord_shell *s, uint64_t now_us, uint64_t real_us, struct rv_err *err)
{
	struct coord_event ev = { .kind = COORD_EV_TURN, .now_us = now_us, .real_us = real_us };
	struct rv_err failure = { 0 };
	uint64_t durable;

	ev.turn.commit_us = s->stats.commit_us;
	step(s, &ev);
	if (!s->has_failed && commit(s, ev.real_us, &failure) < 0)
		fail(s, &failure);
	if (s->run_ended && !s->has_failed)
		forget_ended(s, now_us, real_us);
	s->row_real_us = 0;
	if (s->has_failed) {
		if (err)
			*err = s->failed;
		return -1;
	}
	durable = journal_durable(s->journal);
	coord_outbox_release(s->outbox, durable);
	if (durable > s->durable_told) {
		s->durable_told = durable;
		if (s->ops.durable)
			s->ops.durable(s->arg, durable);
	}
	return 0;
}

uint64_t coord_shell_next_deadline(const struct coord_shell *s)
{
	return coord_next_deadline(s->core);
}

int coord_shell_journal_fd(const struct coord_shell *s)
{
	return journal_fd(s->journal);
}

int coord_shell_journal_poll(struct coord_shell *s, struct rv_err *err)
{
	struct rv_err why;

	if (journal_poll(s->journal, &why) == 0)
		return 0;
	fail(s, &why);
	if (err)
		*err = why;
	return -1;
}

const struct coord *coord_shell_core(const struct coord_shell *s)
{
	return s->core;
}

struct rv_str coord_shell_cluster(const struct coord_shell *s)
{
	return rv_str_of(s->cluster);
}

uint64_t coord_shell_decided(const struct coord_shell *s)
{
	return journal_last(s->journal) + (s->row_facts > 0);
}

struct journal *coord_shell_journal(struct coord_shell *s)
{
	return s->journal;
}

const struct coord_runlist *coord_shell_runs(const struct coord_shell *s)
{
	return &s->runs;
}

void coord_shell_fill_runs(struct coord_shell *s)
{
	coord_runlist_fill(&s->runs, s->core);
}

uint64_t coord_shell_epoch(const struct coord_shell *s)
{
	return s->epoch;
}

const uint8_t *coord_shell_plan_digest(const struct coord_shell *s, uint64_t run)
{
	static const uint8_t none[JOURNAL_DIGEST_BYTES];
	const struct journal_run *line = coord_runlist_find(&s->runs, run);

	return line ? line->plan_digest : none;
}

void coord_shell_stats(const struct coord_shell *s, struct coord_shell_stats *out)
{
	*out = s->stats;
	out->frames_dropped = coord_outbox_dropped(s->outbox);
}
