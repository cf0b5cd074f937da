/* facts.c - rows of the journal and live notes for those who follow (clients.h)
 *
 * A request is answered from what is durable: records of its run and of nodes, from the row and record it names, until the answer or
 * RV_CLIENT_SCAN_BYTES of rows are full; `next` says where to go on, however little was found. With nothing to tell it waits, to be
 * looked at again when more is durable, at most every SCAN_US but for its run's end, which somebody waits for. Facts do not run ahead of
 * notes for which an answer had no room, so that what comes later is told later, however slowly somebody asks.
 */
#include "private.h"

#include "common/check.h"
#include "coordinator/journal/journal.h"
#include "proto/record.h"

#include <stdlib.h>

enum {
	SCAN_US = 20000, /* nobody sees the difference, and units are not held up by those who look on */
	PIECES_MAX = 2048, /* of an answer */
	NOTES_A_SCAN = 16384, /* of the ring that one request looks through */
};

/* What a piece takes beside its records, and a note: an answer fits a frame. */
#define PIECE_BYTES 48u
#define NOTE_BYTES 64u
_Static_assert(PROTO_FACTS_BYTES_MAX + PIECES_MAX * PIECE_BYTES + PROTO_NOTES_MAX * NOTE_BYTES + 256 < RV_FRAME_BYTES_MAX, "it does");

struct waiting {
	uint64_t peer;
	struct proto_facts ask;
	uint64_t until_us;
	uint64_t scanned_us;
	uint64_t scanned_to; /* position that was durable then */
};

struct facts {
	struct coord_clients *c;
	struct proto_live_note *notes; /* a ring: number n at n % RV_CLIENT_NOTES_KEPT */
	uint64_t notes_next;           /* number of the next one; from 1 */
	struct waiting *waiting;
	uint32_t waiting_count;
	uint64_t durable, looked_at;   /* positions: known; that all who wait have been held against */
	uint64_t notes_looked_at;
	/* of the answer that is being gathered */
	struct rv_buf records;
	struct proto_fact_piece pieces[PIECES_MAX];
	struct proto_live_note told[PROTO_NOTES_MAX];
};

int facts_create(struct coord_clients *c, struct facts **out, struct rv_err *err)
{
	struct facts *f = calloc(1, sizeof *f);

	if (f) {
		f->c = c;
		f->notes_next = f->notes_looked_at = 1;
		rv_buf_init(&f->records, 0);
		f->notes = calloc(RV_CLIENT_NOTES_KEPT, sizeof *f->notes);
		f->waiting = calloc(RV_CLIENT_WAITING_MAX, sizeof *f->waiting);
	}
	if (!f || !f->notes || !f->waiting) {
		facts_destroy(&f);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for what clients follow");
	}
	*out = f;
	return 0;
}

void facts_destroy(struct facts **fp)
{
	struct facts *f = *fp;

	if (!f)
		return;
	rv_buf_release(&f->records);
	free(f->notes);
	free(f->waiting);
	free(f);
	*fp = NULL;
}

/* --- live notes ---------------------------------------------------------------------------------------------------------------- */

static bool is_live_only(enum coord_transition_kind kind)
{
	switch (kind) {
	case COORD_T_UNIT_READY:
	case COORD_T_UNIT_STARTED:
	case COORD_T_NODE_JOINED:
	case COORD_T_NODE_SUSPECT:
	case COORD_T_NODE_LOST:
	case COORD_T_NODE_LEFT:
		return true;
	default:
		return false;
	}
}

void facts_note(struct facts *f, const struct coord_transition *t, uint64_t position)
{
	if (!is_live_only(t->kind))
		return;
	f->notes[f->notes_next % RV_CLIENT_NOTES_KEPT] = (struct proto_live_note){
		.number = f->notes_next,
		.position = position,
		.kind = (uint32_t)t->kind,
		.real_us = t->real_us,
		.run = t->run,
		.unit = t->unit,
		.attempt = t->attempt,
		.node = t->node,
	};
	f->notes_next++;
}

/* Notes from ask->notes_from on that concern the asker, whose fact is durable; gives the number to go on from. `upto`: facts may be told as far
 * as this position, that of the first note for which there was no room; RV_NEVER: there was for all. */
static uint64_t gather_notes(struct facts *f, const struct proto_facts *ask, uint32_t *count, uint64_t *upto)
{
	uint64_t n = ask->notes_from, looked = 0;

	*count = 0;
	*upto = RV_NEVER;
	if (n == UINT64_MAX)
		return n;
	if (n > f->notes_next)
		n = 1; /* numbered by a coordinator before this one */
	if (f->notes_next - n > RV_CLIENT_NOTES_KEPT)
		n = f->notes_next - RV_CLIENT_NOTES_KEPT;
	for (; n < f->notes_next && *count < PROTO_NOTES_MAX && looked < NOTES_A_SCAN; n++, looked++) {
		const struct proto_live_note *note = &f->notes[n % RV_CLIENT_NOTES_KEPT];

		if (n == 0)
			continue;
		if (note->position > f->durable)
			return n;
		if (ask->run == 0 || note->run == 0 || note->run == ask->run)
			f->told[(*count)++] = *note;
	}
	if (n < f->notes_next && f->notes[n % RV_CLIENT_NOTES_KEPT].position <= f->durable)
		*upto = f->notes[n % RV_CLIENT_NOTES_KEPT].position;
	return n;
}

/* --- facts ------------------------------------------------------------------------------------------------------------------------ */

struct scan {
	struct facts *f;
	const struct proto_facts *ask;
	uint64_t run_finished_us; /* of the run; 0: it has not ended */
	uint64_t upto;            /* no row behind this position, and not the run's end; RV_NEVER: all */
	size_t looked;
	uint64_t next;
	uint32_t next_index;
	uint32_t pieces;
	bool full, ended;
	bool failed;
	struct rv_err err;
};

static bool wanted(const struct scan *s, const struct proto_fact_head *h)
{
	if (h->kind == PROTO_FACT_KEY || h->kind == PROTO_FACT_TOKEN)
		return false;
	return s->ask->run == 0 || h->run == s->ask->run || h->kind == PROTO_FACT_EPOCH || h->kind == PROTO_FACT_NODE || h->of_node;
}

static bool is_end(const struct scan *s, const struct journal_row *row, const struct proto_fact_head *h)
{
	return h->kind == PROTO_FACT_RUN_FINISHED && h->run == s->ask->run && row->real_us == s->run_finished_us;
}

/* One record: the next of the open piece, or the first of a new one. false: there is no room for it. */
static bool take(struct scan *s, const struct journal_row *row, uint32_t index, struct rv_str record, struct proto_fact_piece **open)
{
	struct facts *f = s->f;

	if (f->records.bytes && f->records.bytes + record.bytes > s->ask->bytes_max)
		return false;
	if (!*open && s->pieces == PIECES_MAX)
		return false;
	if (rv_buf_put_str(&f->records, record) < 0)
		return false;
	if (!*open) {
		*open = &f->pieces[s->pieces++];
		**open = (struct proto_fact_piece){ .position = row->position, .epoch = row->epoch, .real_us = row->real_us, .index = index };
	}
	(*open)->records.bytes += record.bytes;
	return true;
}

static enum journal_next scan_row(void *arg, const struct journal_row *row)
{
	struct scan *s = arg;
	struct proto_fact_piece *open = NULL;
	struct rv_str at = row->records;
	uint32_t index = 0;
	struct proto_fact_head head;
	int rc;

	if (row->position > rv_min_u64(s->f->durable, s->upto))
		return JOURNAL_STOP;
	while ((rc = proto_fact_peek(&at, &head, &s->err)) == 1) {
		bool before = row->position == s->ask->from && index < s->ask->from_index;

		if (!before && !wanted(s, &head)) {
			open = NULL;
		} else if (!before && ((s->upto != RV_NEVER && is_end(s, row, &head)) || !take(s, row, index, head.record, &open))) {
			s->next = row->position;
			s->next_index = index;
			s->full = true;
			return JOURNAL_STOP;
		}
		index++;
		s->ended |= is_end(s, row, &head);
	}
	if (rc < 0) {
		s->failed = true;
		return JOURNAL_STOP;
	}
	s->next = row->position + 1;
	s->next_index = 0;
	s->looked += row->records.bytes + 32;
	if (s->ended || s->looked >= RV_CLIENT_SCAN_BYTES) {
		s->full = true;
		return JOURNAL_STOP;
	}
	return JOURNAL_MORE;
}

static void place_records(struct facts *f, uint32_t pieces)
{
	const char *at = f->records.at;

	for (uint32_t i = 0; i < pieces; i++) {
		f->pieces[i].records.at = at;
		at += f->pieces[i].records.bytes;
	}
}

enum answered { ANSWERED, NOTHING_YET };

/* Answers if there is something, or if `now` an answer is due; else moves the request to where it got. */
static enum answered try(struct facts *f, uint64_t peer, struct proto_facts *ask, bool due)
{
	struct proto_msg m = { .kind = PROTO_FACT_ROWS };
	const struct journal_run *line = coord_runlist_find(coord_shell_runs(f->c->shell), ask->run);
	struct scan s = { .f = f, .ask = ask, .next = ask->from ? ask->from : 1, .next_index = ask->from_index };
	uint32_t notes;

	if (ask->run && !line) { /* removed while it was looked at */
		(void)rv_fail(&s.err, RV_E_NOT_FOUND, "there is no run %s", rv_run_id_of(ask->run).text);
		clients_refuse(f->c, (struct asker){ peer, ask->request }, &s.err);
		return ANSWERED;
	}
	s.run_finished_us = line ? line->finished_us : 0;
	rv_buf_reset(&f->records);
	m.fact_rows.notes_next = gather_notes(f, ask, &notes, &s.upto);
	if (s.next <= f->durable && journal_read(coord_shell_journal(f->c->shell), s.next, scan_row, &s, &s.err) < 0)
		s.failed = true;
	if (s.failed) {
		clients_refuse(f->c, (struct asker){ peer, ask->request }, &s.err);
		return ANSWERED;
	}
	if (!s.pieces && !notes && s.upto == RV_NEVER && !s.full && !s.ended && !due) {
		ask->from = s.next;
		ask->from_index = s.next_index;
		ask->notes_from = m.fact_rows.notes_next;
		return NOTHING_YET;
	}
	place_records(f, s.pieces);
	m.fact_rows.request = ask->request;
	m.fact_rows.next = s.next;
	m.fact_rows.next_index = s.next_index;
	/* asked again from behind its end, it is still over */
	m.fact_rows.ended = s.ended || (s.run_finished_us && !s.full && s.upto == RV_NEVER && s.next > f->durable && f->durable == coord_shell_decided(f->c->shell));
	m.fact_rows.pieces = f->pieces;
	m.fact_rows.piece_count = s.pieces;
	m.fact_rows.notes = f->told;
	m.fact_rows.note_count = notes;
	if (clients_may_say(f->c, peer, f->records.bytes + 64 * (s.pieces + notes) + 64) && coord_shell_say(f->c->shell, peer, &m, COORD_SAY_NOW) < 0) {
		(void)rv_fail(&s.err, RV_E_LIMIT, "the fact at position %llu does not fit a frame", (unsigned long long)s.next);
		clients_refuse(f->c, (struct asker){ peer, ask->request }, &s.err);
	}
	return ANSWERED;
}

static bool may_wait(const struct facts *f, uint64_t peer)
{
	uint32_t own = 0;

	for (uint32_t i = 0; i < f->waiting_count; i++)
		own += f->waiting[i].peer == peer;
	return f->waiting_count < RV_CLIENT_WAITING_MAX && own < RV_CLIENT_WAITING_PEER_MAX;
}

void facts_ask(struct facts *f, uint64_t peer, const struct proto_facts *m, uint64_t now_us)
{
	struct asker from = { peer, m->request };
	struct proto_facts ask = *m;
	struct rv_err err;

	if (m->run && !coord_runlist_find(coord_shell_runs(f->c->shell), m->run)) {
		(void)rv_fail(&err, RV_E_NOT_FOUND, "there is no run %s", rv_run_id_of(m->run).text);
		clients_refuse(f->c, from, &err);
		return;
	}
	if (try(f, peer, &ask, m->wait_ms == 0) == ANSWERED)
		return;
	if (!may_wait(f, peer)) {
		(void)rv_fail(&err, RV_E_BUSY, "too many requests wait for something to happen");
		clients_refuse(f->c, from, &err);
		return;
	}
	f->waiting[f->waiting_count++] = (struct waiting){
		.peer = peer,
		.ask = ask,
		.until_us = now_us + (uint64_t)m->wait_ms * 1000,
		.scanned_us = now_us,
		.scanned_to = f->durable,
	};
}

void facts_durable(struct facts *f, uint64_t position)
{
	f->durable = position;
}

static bool has_ended(const struct facts *f, uint64_t run)
{
	const struct journal_run *line = run ? coord_runlist_find(coord_shell_runs(f->c->shell), run) : NULL;

	return line && line->finished_us;
}

/* When news are to be looked at for it. */
static uint64_t look_at(const struct facts *f, const struct waiting *w)
{
	return w->scanned_to != f->durable && has_ended(f, w->ask.run) ? 0 : w->scanned_us + SCAN_US;
}

static bool has_news(const struct facts *f)
{
	return f->durable != f->looked_at || f->notes_next != f->notes_looked_at;
}

void facts_turn(struct facts *f, uint64_t now_us)
{
	bool news = has_news(f), all = true;

	for (uint32_t i = 0; i < f->waiting_count;) {
		struct waiting *w = &f->waiting[i];
		bool due = now_us >= w->until_us;

		if (news && !due && now_us < look_at(f, w)) {
			all = false;
		} else if (news || due) {
			w->scanned_us = now_us;
			w->scanned_to = f->durable;
			if (try(f, w->peer, &w->ask, due) == ANSWERED) {
				*w = f->waiting[--f->waiting_count];
				continue;
			}
		}
		i++;
	}
	if (all) {
		f->looked_at = f->durable;
		f->notes_looked_at = f->notes_next;
	}
}

uint64_t facts_next_deadline(const struct facts *f)
{
	bool news = has_news(f);
	uint64_t next = RV_NEVER;

	for (uint32_t i = 0; i < f->waiting_count; i++) {
		next = rv_min_u64(next, f->waiting[i].until_us);
		if (news)
			next = rv_min_u64(next, look_at(f, &f->waiting[i]));
	}
	return next;
}

uint32_t facts_waiting(const struct facts *f)
{
	return f->waiting_count;
}
