#include "coordinator/recover.h"

#include "common/arena.h"
#include "common/limits.h"
#include "common/os/blobs.h"
#include "common/plan/diag.h"
#include "common/plan/plan.h"

#include <stdlib.h>

/* A saved plan is our own JSON lines, so its size follows from the limits of a run, not from those of a file a person wrote. */
#define SAVED_PLAN_BYTES_MAX ((size_t)8 << 30)

enum { EFFECTS = 4096 };

struct coord_refold {
	struct coord_blob_source blobs;
	struct coord *core;
	struct coord_recover_hooks hooks;
	struct coord_effects effects;
	struct rv_arena scratch;
};

/* --- blobs ------------------------------------------------------------------------------------------------------- */

static int get_from_store(void *arg, const uint8_t *digest, size_t bytes_max, struct rv_buf *out, struct rv_err *err)
{
	return rv_blobs_get_all(arg, digest, bytes_max, out, err);
}

static struct coord_blob_source source_of(struct rv_blobs *store)
{
	return (struct coord_blob_source){ .get_all = get_from_store, .arg = store };
}

/* --- a saved plan, read back ------------------------------------------------------------------------------------- */

struct memory_reader {
	struct rv_str rest;
};

static long read_memory(void *arg, void *to, size_t room)
{
	struct memory_reader *r = arg;
	size_t n = r->rest.bytes < room ? r->rest.bytes : room;

	memcpy(to, r->rest.at, n);
	r->rest.at += n;
	r->rest.bytes -= n;
	return (long)n;
}

static int load_plan(struct rv_str bytes, bool outer, struct plan **out, struct rv_err *err)
{
	struct memory_reader reader = { .rest = bytes };
	struct plan_load_options opt = { .shown_name = "the saved plan", .line_bytes_max = SAVED_PLAN_BYTES_MAX, .outer = outer };
	struct plan_diags *diags = malloc(sizeof *diags);
	int rc;

	if (!diags)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to read a saved plan");
	plan_diags_init(diags);
	rc = plan_load_lines(read_memory, &reader, &opt, out, diags, err);
	if (rc < 0 && diags->error_count)
		(void)rv_fail(err, RV_E_CORRUPT, "the saved plan does not check any more: %s", diags->error[0].message);
	plan_diags_release(diags);
	free(diags);
	return rc;
}

/* The estimates blob: one u64 (little-endian) a unit of the plan; anything else than that length is refused. */
static int load_estimates(const struct coord_blob_source *blobs, const uint8_t *digest, uint32_t count, uint64_t **out, struct rv_err *err)
{
	struct rv_buf bytes;
	struct rv_reader r;

	*out = NULL;
	if (rv_digest_is_zero(digest))
		return 0;
	rv_buf_init(&bytes, 0);
	if (blobs->get_all(blobs->arg, digest, (size_t)count * 8, &bytes, err) < 0)
		goto failed;
	if (bytes.bytes != (size_t)count * 8) {
		rv_fail(err, RV_E_CORRUPT, "the saved estimates are %zu bytes, not %zu", bytes.bytes, (size_t)count * 8);
		goto failed;
	}
	*out = calloc(count ? count : 1, sizeof **out);
	if (!*out) {
		rv_fail(err, RV_E_NO_MEMORY, "no memory for the estimates of %u units", count);
		goto failed;
	}
	rv_reader_init(&r, rv_buf_str(&bytes));
	for (uint32_t i = 0; i < count; i++)
		(*out)[i] = rv_read_u64(&r);
	rv_buf_release(&bytes);
	return 0;
failed:
	rv_buf_release(&bytes);
	return -1;
}

int coord_recover_plan_from(const struct coord_blob_source *blobs, const struct proto_fact *accepted, struct plan **out, struct rv_err *err)
{
	struct rv_buf bytes;
	int rc;

	rv_buf_init(&bytes, SAVED_PLAN_BYTES_MAX);
	rc = blobs->get_all(blobs->arg, accepted->run_accepted.plan_blob, SAVED_PLAN_BYTES_MAX, &bytes, err);
	if (rc == 0)
		rc = load_plan(rv_buf_str(&bytes), false, out, err);
	if (rc == 0)
		(*out)->open = accepted->run_accepted.open;
	if (rc == 0 && accepted->run_accepted.workspace_id.bytes) {
		(*out)->workspace.id = rv_arena_str(&(*out)->arena, accepted->run_accepted.workspace_id);
		if (!(*out)->workspace.id.at) {
			plan_destroy(out);
			rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for a plan");
		}
	}
	rv_buf_release(&bytes); /* the plan copied what it needs; two copies of a large plan would be one too many */
	return rc;
}

int coord_recover_plan(struct rv_blobs *blobs, const struct proto_fact *accepted, struct plan **out, struct rv_err *err)
{
	struct coord_blob_source source = source_of(blobs);

	return coord_recover_plan_from(&source, accepted, out, err);
}

static int graph_from(const struct coord_blob_source *blobs, const struct proto_fact *accepted, struct coord_graph **out, struct rv_err *err)
{
	struct plan *plan = NULL;
	uint64_t *estimates = NULL;
	int rc = -1;

	if (coord_recover_plan_from(blobs, accepted, &plan, err) < 0)
		return -1;
	if (load_estimates(blobs, accepted->run_accepted.estimates_blob, plan->unit_count, &estimates, err) == 0)
		rc = coord_graph_build(plan, accepted->run_accepted.run, estimates, out, err);
	free(estimates);
	plan_destroy(&plan);
	return rc;
}

int coord_recover_graph(struct rv_blobs *blobs, const struct proto_fact *accepted, struct coord_graph **out, struct rv_err *err)
{
	struct coord_blob_source source = source_of(blobs);

	return graph_from(&source, accepted, out, err);
}

/* What was added to a run, as a part for its graph. */
static int part_from(const struct coord_blob_source *blobs, const struct proto_fact *added, struct coord_graph **out, struct rv_err *err)
{
	struct plan *plan = NULL;
	struct rv_buf bytes;
	int rc;

	rv_buf_init(&bytes, SAVED_PLAN_BYTES_MAX);
	rc = blobs->get_all(blobs->arg, added->units_added.plan_blob, SAVED_PLAN_BYTES_MAX, &bytes, err);
	if (rc == 0)
		rc = load_plan(rv_buf_str(&bytes), true, &plan, err);
	rv_buf_release(&bytes);
	if (rc == 0) {
		plan->open = true;
		rc = coord_graph_build(plan, added->units_added.run, NULL, out, err);
	}
	plan_destroy(&plan);
	return rc;
}

/* --- the fold ------------------------------------------------------------------------------------------------------ */

struct coord_refold *coord_refold_create(struct coord *core, const struct coord_blob_source *blobs, const struct coord_recover_hooks *hooks)
{
	struct coord_refold *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->blobs = *blobs;
	f->core = core;
	if (hooks)
		f->hooks = *hooks;
	f->effects.capacity = EFFECTS;
	f->effects.items = malloc(EFFECTS * sizeof *f->effects.items);
	rv_arena_init(&f->scratch, 0);
	if (!f->effects.items)
		coord_refold_destroy(&f);
	return f;
}

void coord_refold_destroy(struct coord_refold **f)
{
	if (!*f)
		return;
	rv_arena_release(&(*f)->scratch);
	free((*f)->effects.items);
	free(*f);
	*f = NULL;
}

/* Replay emits transitions and may give a graph back; anything else would be a decision, which replay must not make. */
static void perform(struct coord_refold *f)
{
	for (uint32_t i = 0; i < f->effects.count; i++) {
		struct coord_effect *fx = &f->effects.items[i];

		if (fx->kind == COORD_FX_TRANSITION && f->hooks.transition)
			f->hooks.transition(f->hooks.arg, fx->transition);
		else if (fx->kind == COORD_FX_RELEASE_RUN)
			coord_graph_destroy(&fx->release);
	}
}

static void step(struct coord_refold *f, struct coord_event *ev)
{
	f->effects.count = 0;
	f->effects.again = false;
	coord_step(f->core, ev, &f->effects);
	perform(f);
	while (f->effects.again) {
		struct coord_event more = { .kind = COORD_EV_AGAIN, .now_us = ev->now_us, .real_us = ev->real_us };

		f->effects.count = 0;
		f->effects.again = false;
		coord_step(f->core, &more, &f->effects);
		perform(f);
	}
}

/* The part is the caller's. */
static int fit_part(struct coord_refold *f, const struct proto_fact *fact, struct coord_graph **part, struct rv_err *err)
{
	uint32_t added, there;

	if (part_from(&f->blobs, fact, part, err) < 0 || coord_admit_units(f->core, fact->units_added.run, *part, &added, &there, err) < 0)
		return -1;
	if (added != fact->units_added.units || !coord_part_is_new(*part))
		return rv_fail(err, RV_E_CORRUPT, "the journal says that %u units were added, but %u are new", fact->units_added.units, added);
	return 0;
}

static int fold_fact(struct coord_refold *f, const struct proto_fact *fact, uint64_t position, uint32_t index, uint64_t real_us, struct rv_err *err)
{
	struct coord_event ev = { .kind = COORD_EV_FACT, .real_us = real_us };
	struct coord_graph *part = NULL;
	const char *wrong;

	ev.fact.fact = fact;
	ev.fact.position = position;
	ev.fact.index = index;
	if (fact->kind == PROTO_FACT_RUN_ACCEPTED && f->hooks.skip && f->hooks.skip(f->hooks.arg, fact->run_accepted.run)) {
		if (f->hooks.fact)
			f->hooks.fact(f->hooks.arg, fact, position, index, real_us);
		return 0;
	}
	wrong = coord_fact_fits(f->core, fact);
	if (wrong) {
		(void)rv_fail(err, RV_E_CORRUPT, "the facts contradict each other at position %llu: %s", (unsigned long long)position, wrong);
		return rv_hint(err, "the journal is damaged, or another version of reeve wrote it");
	}
	if (fact->kind == PROTO_FACT_RUN_ACCEPTED) {
		if (graph_from(&f->blobs, fact, &ev.fact.graph, err) < 0)
			return -1;
		if (f->hooks.graph)
			f->hooks.graph(f->hooks.arg, ev.fact.graph, fact);
	}
	if (fact->kind == PROTO_FACT_UNITS_ADDED && fit_part(f, fact, &part, err) < 0) {
		coord_graph_destroy(&part);
		return -1;
	}
	if (part)
		ev.fact.graph = part;
	if (f->hooks.fact)
		f->hooks.fact(f->hooks.arg, fact, position, index, real_us);
	step(f, &ev);
	coord_graph_destroy(&part);
	return 0;
}

/* The next record is of no concern, and is not even decoded. What is malformed is decoded, which says so. */
static bool pass_over(struct coord_refold *f, struct rv_str *records, uint32_t *index)
{
	struct rv_str rest = *records;
	struct proto_fact_head head;
	struct rv_err err;

	if (proto_fact_peek(&rest, &head, &err) != 1 || !head.run || head.kind == PROTO_FACT_RUN_ACCEPTED || head.kind == PROTO_FACT_MUTATION ||
	    !f->hooks.skip(f->hooks.arg, head.run))
		return false;
	*records = rest;
	++*index;
	return true;
}

int coord_refold_row(struct coord_refold *f, uint64_t position, uint32_t first_index, uint64_t real_us, struct rv_str records, struct rv_err *err)
{
	uint32_t index = first_index;
	struct proto_fact fact;
	int rc;

	rv_arena_release(&f->scratch);
	rv_arena_init(&f->scratch, 0);
	for (;;) {
		if (f->hooks.skip && pass_over(f, &records, &index))
			continue;
		rc = proto_fact_decode(&records, &f->scratch, &fact, err);
		if (rc != 1)
			return rc;
		if (fold_fact(f, &fact, position, index++, real_us, err) < 0)
			return -1;
	}
}

/* --- a journal ----------------------------------------------------------------------------------------------------- */

struct reading {
	struct coord_refold *fold;
	uint64_t next;
	struct rv_err *err;
	bool failed;
};

static enum journal_next fold_row(void *arg, const struct journal_row *row)
{
	struct reading *r = arg;

	if (coord_refold_row(r->fold, row->position, 0, row->real_us, row->records, r->err) < 0) {
		r->failed = true;
		return JOURNAL_STOP;
	}
	r->next = row->position + 1;
	return JOURNAL_MORE;
}

int coord_recover(struct journal *journal, struct rv_blobs *blobs, struct coord *core, const struct coord_recover_hooks *hooks,
		  uint64_t from, uint64_t *next, struct rv_err *err)
{
	struct coord_blob_source source = source_of(blobs);
	struct reading r = { .fold = coord_refold_create(core, &source, hooks), .err = err, .next = from };
	int rc;

	if (!r.fold)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to read the journal");
	rc = journal_read(journal, from, fold_row, &r, err);
	coord_refold_destroy(&r.fold);
	if (next)
		*next = r.next;
	return r.failed ? -1 : rc;
}
