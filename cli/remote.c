/* remote.c - a run at a coordinator: its facts asked for, folded here (runview.h) */
#include "cli/rows.h"
#include "cli/runview.h"
#include "common/os/clock.h"
#include "coordinator/recover.h"
#include "proto/record.h"

static int get_blob(void *arg, const uint8_t *digest, size_t bytes_max, struct rv_buf *out, struct rv_err *err)
{
	return cli_client_blob(arg, digest, bytes_max, out, err);
}

int cli_remote_open(struct cli_runview *v, const struct cli_place *place, struct rv_str run, const struct coord_recover_hooks *hooks, struct rv_err *err)
{
	struct coord_blob_source blobs = { .get_all = get_blob };

	if (cli_client_open(&v->remote.client, place, err) || cli_rows_find_run(v->remote.client, run, &v->id, err))
		return -1;
	v->remote.notes_next = UINT64_MAX;
	blobs.arg = v->remote.client;
	v->remote.fold = coord_refold_create(v->core, &blobs, hooks);
	return v->remote.fold ? 0 : rv_fail(err, RV_E_NO_MEMORY, "no memory to replay run %s", v->id.text);
}

void cli_remote_close(struct cli_runview *v)
{
	coord_refold_destroy(&v->remote.fold);
	cli_client_close(&v->remote.client);
}

/* --- notes --------------------------------------------------------------------------------------------------------------- */

/* Facts have told it already: a node that was removed leaves by that act, and is noted as gone, too. */
static bool was_told(const struct cli_runview *v, const struct coord_transition *t)
{
	struct coord_node_view node;

	if (t->kind != COORD_T_NODE_LEFT || t->node >= coord_node_count(v->core))
		return false;
	coord_node_view(v->core, t->node, &node);
	return node.standing == COORD_NODE_REMOVED;
}

static void tell_note(struct cli_runview *v, const struct proto_live_note *n)
{
	struct coord_transition t = { .kind = (enum coord_transition_kind)n->kind, .real_us = n->real_us, .position = n->position, .run = n->run,
				      .unit = n->unit, .attempt = n->attempt, .node = n->node, .root_cause = COORD_NONE, .part = COORD_NONE };
	struct coord_unit_view u;

	if (n->position < v->remote.notes_after || !v->graph)
		return;
	switch (t.kind) {
	case COORD_T_UNIT_READY:
	case COORD_T_UNIT_STARTED:
		if (t.run != v->tally.run || t.unit >= v->tally.count + v->tally.has_verify)
			return;
		t.state = t.kind == COORD_T_UNIT_READY ? COORD_UNIT_READY : COORD_UNIT_ACTIVE;
		coord_unit_view(v->core, t.run, t.unit, &u);
		t.try_number = u.tries + (t.kind == COORD_T_UNIT_STARTED);
		break;
	case COORD_T_NODE_JOINED:
	case COORD_T_NODE_SUSPECT:
	case COORD_T_NODE_LOST:
	case COORD_T_NODE_LEFT:
		if (was_told(v, &t))
			return;
		t.run = 0;
		t.unit = COORD_NONE;
		break;
	default: /* a kind of a later version */
		return;
	}
	cli_tally_feed(&v->tally, &t, v->core);
	if (v->listen)
		v->listen(v->arg, &t);
}

/* --- facts ---------------------------------------------------------------------------------------------------------------- */

/* The answer's facts and notes, a note behind the facts of its position. */
static int fold_answer(struct cli_runview *v, const struct proto_fact_rows *rows, struct rv_err *err)
{
	uint32_t i, n = 0;

	for (i = 0; i < rows->piece_count; i++) {
		const struct proto_fact_piece *p = &rows->pieces[i];

		while (n < rows->note_count && rows->notes[n].position < p->position)
			tell_note(v, &rows->notes[n++]);
		if (coord_refold_row(v->remote.fold, p->position, p->index, p->real_us, p->records, err))
			return -1;
	}
	while (n < rows->note_count)
		tell_note(v, &rows->notes[n++]);
	if (v->err.code)
		*err = v->err;
	return v->err.code ? -1 : 0;
}

/* A fold asks for the plan's blob in the middle of an answer, which borrows from the client: the answer is copied first. */
static int fold_copy(struct cli_runview *v, const struct proto_fact_rows *rows, struct rv_err *err)
{
	struct proto_fact_rows copy = *rows;
	struct proto_fact_piece *pieces;
	struct rv_arena arena;
	uint32_t i;
	int rc;

	rv_arena_init(&arena, 0);
	pieces = RV_ARENA_ARRAY(&arena, struct proto_fact_piece, rows->piece_count ? rows->piece_count : 1);
	copy.notes = rows->note_count ? rv_arena_alloc(&arena, rows->note_count * sizeof(*rows->notes), _Alignof(struct proto_live_note)) : NULL;
	if (!pieces || (rows->note_count && !copy.notes))
		goto no_memory;
	for (i = 0; i < rows->piece_count; i++) {
		pieces[i] = rows->pieces[i];
		pieces[i].records = rv_arena_str(&arena, rows->pieces[i].records);
		if (!pieces[i].records.at)
			goto no_memory;
	}
	copy.pieces = pieces;
	if (rows->note_count)
		memcpy((void *)(uintptr_t)copy.notes, rows->notes, rows->note_count * sizeof(*rows->notes));
	rc = fold_answer(v, &copy, err);
	rv_arena_release(&arena);
	return rc;
no_memory:
	rv_arena_release(&arena);
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for facts of run %s", v->id.text);
}

static int ask(struct cli_runview *v, uint32_t wait_ms, bool *more, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_FACTS }, answer;
	struct cli_remote *r = &v->remote;

	request.facts = (struct proto_facts){ .run = rv_run_id_number(rv_str_of(v->id.text)), .from = v->next, .from_index = r->next_index,
					      .notes_from = r->notes_next, .bytes_max = PROTO_FACTS_BYTES_MAX, .wait_ms = wait_ms };
	if (cli_client_call(r->client, &request, PROTO_FACT_ROWS, &answer, err))
		return -1;
	if (answer.fact_rows.next < v->next || (answer.fact_rows.next == v->next && answer.fact_rows.next_index < r->next_index))
		return rv_fail(err, RV_E_CORRUPT, "%s goes back in its journal", cli_client_shown(r->client));
	*more = answer.fact_rows.next != v->next || answer.fact_rows.next_index != r->next_index ||
		(r->notes_next != UINT64_MAX && answer.fact_rows.notes_next != r->notes_next);
	r->told_bytes = 0;
	for (uint32_t i = 0; i < answer.fact_rows.piece_count; i++) {
		r->told_bytes += answer.fact_rows.pieces[i].records.bytes;
		r->told_us = answer.fact_rows.pieces[i].real_us;
	}
	v->next = answer.fact_rows.next;
	r->next_index = answer.fact_rows.next_index;
	if (r->notes_next != UINT64_MAX)
		r->notes_next = answer.fact_rows.notes_next;
	return fold_copy(v, &answer.fact_rows, err);
}

/* A busy run has always written something since it was last asked. Who follows it anyway has read enough when answers are small and tell of
 * now, or at least have been small for a while (its clock may differ). */
#define NEAR_BYTES ((size_t)64 << 10)
#define NEAR_US (2 * RV_US_PER_S)
#define READ_US (3 * RV_US_PER_S)

static bool near_enough(const struct cli_runview *v, uint64_t began_us)
{
	const struct cli_remote *r = &v->remote;

	if (v->where != CLI_VIEW_LIVE || !v->graph || !r->told_bytes || r->told_bytes >= NEAR_BYTES)
		return false;
	return r->told_us + NEAR_US >= rv_clock_realtime_us() || rv_clock_boottime_us() >= began_us + READ_US;
}

int cli_remote_read(struct cli_runview *v, uint32_t wait_ms, struct rv_err *err)
{
	uint64_t began_us = rv_clock_boottime_us();
	bool more = true;

	if (wait_ms && v->remote.notes_next == UINT64_MAX) {
		v->remote.notes_next = 0;
		v->remote.notes_after = rv_sat_sub(v->next, 1);
	}
	if (wait_ms)
		return ask(v, wait_ms, &more, err);
	while (more && !near_enough(v, began_us))
		if (ask(v, 0, &more, err))
			return -1;
	return 0;
}
