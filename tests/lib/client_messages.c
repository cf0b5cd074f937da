#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/client_messages.h"

#include "proto/record.h"

#define PIECE 3000u /* of bytes: the limits themselves have tests of their own */

bool client_message_is(enum proto_msg_kind kind)
{
	return kind >= PROTO_ASK || (kind >= PROTO_BLOB_GET && kind <= PROTO_ENROL) ||
	       (kind >= PROTO_BLOB_WANTED && kind <= PROTO_LOG_WANTED);
}

static struct rv_str *texts_of(struct maker *m, uint32_t *count, uint32_t max, size_t bytes_max)
{
	struct rv_str *t;
	uint32_t i;

	*count = (uint32_t)number(m, max);
	t = rv_arena_zalloc(&m->arena, (*count + 1) * sizeof(*t), 8);
	for (i = 0; i < *count; i++)
		t[i] = text_of(m, bytes_max);
	return t;
}

static void make_fact_rows(struct maker *m, struct proto_fact_rows *f)
{
	struct proto_fact_piece *pieces;
	struct proto_live_note *notes;
	uint32_t i;

	*f = (struct proto_fact_rows){ .request = number(m, UINT64_MAX), .next = number(m, UINT64_MAX),
				       .next_index = (uint32_t)number(m, UINT32_MAX), .notes_next = number(m, UINT64_MAX),
				       .ended = number(m, 1), .piece_count = (uint32_t)number(m, 30),
				       .note_count = (uint32_t)number(m, 30) };
	f->pieces = pieces = rv_arena_zalloc(&m->arena, (f->piece_count + 1) * sizeof(*pieces), 8);
	for (i = 0; i < f->piece_count; i++)
		pieces[i] = (struct proto_fact_piece){ number(m, UINT64_MAX), number(m, UINT64_MAX), number(m, UINT64_MAX),
						       (uint32_t)number(m, UINT32_MAX), bytes_of(m, PIECE) };
	f->notes = notes = rv_arena_zalloc(&m->arena, (f->note_count + 1) * sizeof(*notes), 8);
	for (i = 0; i < f->note_count; i++)
		notes[i] = (struct proto_live_note){ number(m, UINT64_MAX), number(m, UINT64_MAX),
						     (uint32_t)number(m, UINT32_MAX), number(m, UINT64_MAX),
						     number(m, UINT64_MAX), (uint32_t)number(m, UINT32_MAX),
						     (uint32_t)number(m, UINT32_MAX), (uint32_t)number(m, UINT32_MAX) };
}

static uint32_t role_of(struct maker *m)
{
	return number(m, 1) ? PROTO_ROLE_OPERATOR : PROTO_ROLE_NODE;
}

static void make_request(struct maker *m, enum proto_msg_kind kind, struct proto_msg *out)
{
	switch (kind) {
	case PROTO_ASK:
		out->ask = (struct proto_ask){ number(m, UINT64_MAX), (enum proto_ask_what)from(m, PROTO_ASK_ABOUT, PROTO_ASK_HEAD),
					       number(m, UINT64_MAX), text_of(m, RV_UNIT_ID_BYTES_MAX), number(m, UINT64_MAX),
					       from(m, 1, PROTO_ROWS_MAX) };
		return;
	case PROTO_FACTS:
		out->facts = (struct proto_facts){ number(m, UINT64_MAX), number(m, UINT64_MAX), number(m, UINT64_MAX),
						   (uint32_t)number(m, UINT32_MAX), number(m, UINT64_MAX),
						   from(m, 1, PROTO_FACTS_BYTES_MAX), from(m, 0, PROTO_WAIT_MS_MAX) };
		return;
	case PROTO_ACT:
		out->act = (struct proto_act){ number(m, UINT64_MAX), 1 + number(m, UINT64_MAX - 1), from(m, PROTO_MUT_CANCEL, PROTO_MUT_LAST),
					       number(m, UINT64_MAX), text_of(m, RV_UNIT_ID_BYTES_MAX),
					       text_of(m, RV_NAME_BYTES_MAX),
					       m->fill == FILL_LEAST ? INT64_MIN : (int64_t)number(m, INT64_MAX),
					       bytes_of(m, PROTO_NOTE_BYTES_MAX), bytes_of(m, PROTO_PROMPT_BYTES_MAX),
					       text_of(m, RV_NAME_BYTES_MAX) };
		return;
	case PROTO_SUBMIT_BEGIN:
		out->submit_begin = (struct proto_submit_begin){ number(m, UINT64_MAX), 1 + number(m, UINT64_MAX - 1),
								 1 + number(m, UINT64_MAX - 1),
								 m->fill == FILL_LEAST ? INT32_MIN : (int32_t)number(m, INT32_MAX),
								 text_of(m, RV_NAME_BYTES_MAX), number(m, UINT64_MAX), number(m, 1) };
		return;
	case PROTO_SUBMIT_DATA:
		out->submit_data = (struct proto_submit_data){ number(m, UINT64_MAX), 1 + number(m, UINT64_MAX - 1),
							       number(m, UINT64_MAX), bytes_of(m, PIECE) };
		return;
	case PROTO_SUBMIT_COMMIT:
		out->submit_commit.request = number(m, UINT64_MAX);
		out->submit_commit.submission = 1 + number(m, UINT64_MAX - 1);
		digest_of(m, out->submit_commit.digest);
		return;
	case PROTO_LOG:
		out->log = (struct proto_log){ number(m, UINT64_MAX), number(m, UINT64_MAX), text_of(m, RV_UNIT_ID_BYTES_MAX),
					       (uint32_t)number(m, UINT32_MAX), from(m, 1, 3), number(m, UINT64_MAX),
					       from(m, 1, PROTO_PIECE_BYTES_MAX), from(m, 0, PROTO_WAIT_MS_MAX) };
		return;
	case PROTO_TOKEN_CREATE:
		out->token_create = (struct proto_token_create){ .request = number(m, UINT64_MAX), .id = text_of(m, RV_NAME_BYTES_MAX),
								 .role = role_of(m), .ttl_us = number(m, UINT64_MAX),
								 .uses = from(m, 1, UINT32_MAX) };
		digest_of(m, out->token_create.key);
		return;
	case PROTO_REVOKE:
		out->revoke = (struct proto_revoke){ number(m, UINT64_MAX), 1 + number(m, UINT64_MAX - 1),
						     (enum proto_revoke_what)from(m, PROTO_REVOKE_KEY, PROTO_REVOKE_TOKEN),
						     text_of(m, RV_NAME_BYTES_MAX) };
		return;
	case PROTO_ENROL:
		out->enrol.request = number(m, UINT64_MAX);
		digest_of(m, out->enrol.key);
		out->enrol.name = text_of(m, RV_NAME_BYTES_MAX);
		out->enrol.role = role_of(m);
		return;
	case PROTO_BLOB_GET:
	case PROTO_BLOB_WANTED:
		out->blob_get.request = number(m, UINT64_MAX);
		digest_of(m, out->blob_get.digest);
		out->blob_get.offset = number(m, UINT64_MAX);
		return;
	case PROTO_LOG_WANTED:
		out->log_wanted = (struct proto_log_wanted){ number(m, UINT64_MAX), number(m, UINT64_MAX),
							     (uint32_t)number(m, UINT32_MAX), (uint32_t)number(m, UINT32_MAX),
							     text_of(m, RV_UNIT_ID_BYTES_MAX), from(m, 1, 3), number(m, UINT64_MAX), from(m, 1, PROTO_PIECE_BYTES_MAX) };
		return;
	default:
		fail_msg("%d is no kind of client_msg.h", (int)kind);
	}
}

void client_message_make(struct maker *m, enum proto_msg_kind kind, struct proto_msg *out)
{
	switch (kind) {
	case PROTO_BLOB_CHUNK:
	case PROTO_BLOB_DATA:
	case PROTO_BLOB_BYTES:
		out->blob.request = number(m, UINT64_MAX);
		digest_of(m, out->blob.digest);
		out->blob.size = number(m, UINT64_MAX);
		out->blob.offset = number(m, UINT64_MAX);
		out->blob.bytes = bytes_of(m, PIECE);
		return;
	case PROTO_LOG_CHUNK:
	case PROTO_LOG_BYTES:
		out->log_piece = (struct proto_log_piece){ number(m, UINT64_MAX), (uint32_t)number(m, UINT32_MAX), number(m, UINT64_MAX),
							   number(m, UINT64_MAX), number(m, 1), number(m, 1), number(m, 1),
							   bytes_of(m, PIECE) };
		return;
	case PROTO_ROWS:
		out->rows.request = number(m, UINT64_MAX);
		out->rows.next = number(m, UINT64_MAX);
		out->rows.rows = texts_of(m, &out->rows.row_count, PROTO_ROWS_MAX, 300);
		return;
	case PROTO_FACT_ROWS:
		make_fact_rows(m, &out->fact_rows);
		return;
	case PROTO_DONE:
		out->done = (struct proto_done){ number(m, UINT64_MAX), number(m, 1), (uint32_t)number(m, UINT32_MAX),
						 text_of(m, RV_UNIT_ID_BYTES_MAX) };
		return;
	case PROTO_REFUSED:
		out->refused = (struct proto_refused){ number(m, UINT64_MAX), from(m, 1, UINT32_MAX), text_of(m, PROTO_MESSAGE_BYTES_MAX),
						       text_of(m, PROTO_MESSAGE_BYTES_MAX) };
		return;
	case PROTO_SUBMITTED:
		out->submitted = (struct proto_submitted){ number(m, UINT64_MAX), 1 + number(m, UINT64_MAX - 1), number(m, UINT64_MAX),
							   number(m, UINT64_MAX), (uint32_t)number(m, UINT32_MAX) };
		return;
	case PROTO_TOKEN_CREATED:
		out->token_created.request = number(m, UINT64_MAX);
		digest_of(m, out->token_created.server_key);
		out->token_created.cluster = bytes_of(m, PROTO_CLUSTER_BYTES_MAX);
		out->token_created.endpoints =
			texts_of(m, &out->token_created.endpoint_count, PROTO_ENDPOINTS_MAX, PROTO_ENDPOINT_BYTES_MAX);
		return;
	case PROTO_ENROLLED:
		out->enrolled = (struct proto_enrolled){ number(m, UINT64_MAX), role_of(m), text_of(m, RV_NAME_BYTES_MAX),
							 bytes_of(m, PROTO_CLUSTER_BYTES_MAX) };
		return;
	default:
		make_request(m, kind, out);
	}
}

/* --- are two the same? ----------------------------------------------------------------------------------------------------- */

#define SAME(f) assert_true(a->f == b->f)
#define SAME_STR(f) assert_true(rv_str_equal(a->f, b->f))
#define SAME_32(f) assert_memory_equal(a->f, b->f, 32)

static void same_fact_rows(const struct proto_fact_rows *a, const struct proto_fact_rows *b)
{
	uint32_t i;

	SAME(request), SAME(next), SAME(next_index), SAME(notes_next), SAME(ended), SAME(piece_count), SAME(note_count);
	for (i = 0; i < a->piece_count; i++) {
		SAME(pieces[i].position), SAME(pieces[i].epoch), SAME(pieces[i].real_us), SAME(pieces[i].index);
		SAME_STR(pieces[i].records);
	}
	for (i = 0; i < a->note_count; i++) {
		SAME(notes[i].number), SAME(notes[i].position), SAME(notes[i].kind), SAME(notes[i].real_us);
		SAME(notes[i].run), SAME(notes[i].unit), SAME(notes[i].attempt), SAME(notes[i].node);
	}
}

static void same_texts(const struct rv_str *a, const struct rv_str *b, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		assert_true(rv_str_equal(a[i], b[i]));
}

static void same_request(const struct proto_msg *a, const struct proto_msg *b)
{
	switch (a->kind) {
	case PROTO_ASK:
		SAME(ask.what), SAME(ask.run), SAME(ask.cursor), SAME(ask.limit);
		SAME_STR(ask.unit);
		return;
	case PROTO_FACTS:
		SAME(facts.run), SAME(facts.from), SAME(facts.from_index), SAME(facts.notes_from), SAME(facts.bytes_max);
		SAME(facts.wait_ms);
		return;
	case PROTO_ACT:
		SAME(act.id), SAME(act.what), SAME(act.run), SAME(act.value);
		SAME_STR(act.unit), SAME_STR(act.node), SAME_STR(act.note), SAME_STR(act.prompt), SAME_STR(act.agent);
		return;
	case PROTO_SUBMIT_BEGIN:
		SAME(submit_begin.submission), SAME(submit_begin.bytes), SAME(submit_begin.priority);
		SAME_STR(submit_begin.workspace_id), SAME(submit_begin.add_to), SAME(submit_begin.open);
		return;
	case PROTO_SUBMIT_DATA:
		SAME(submit_data.submission), SAME(submit_data.offset);
		SAME_STR(submit_data.bytes);
		return;
	case PROTO_SUBMIT_COMMIT:
		SAME(submit_commit.submission);
		SAME_32(submit_commit.digest);
		return;
	case PROTO_LOG:
		SAME(log.run), SAME(log.attempt), SAME(log.stream), SAME(log.offset), SAME(log.bytes_max), SAME(log.wait_ms);
		SAME_STR(log.unit);
		return;
	case PROTO_TOKEN_CREATE:
		SAME(token_create.role), SAME(token_create.ttl_us), SAME(token_create.uses);
		SAME_STR(token_create.id);
		SAME_32(token_create.key);
		return;
	case PROTO_REVOKE:
		SAME(revoke.id), SAME(revoke.what);
		SAME_STR(revoke.name);
		return;
	case PROTO_ENROL:
		SAME_32(enrol.key);
		SAME_STR(enrol.name);
		SAME(enrol.role);
		return;
	case PROTO_BLOB_GET:
	case PROTO_BLOB_WANTED:
		SAME_32(blob_get.digest);
		SAME(blob_get.offset);
		return;
	case PROTO_LOG_WANTED:
		SAME_STR(log_wanted.unit_id);
		SAME(log_wanted.run), SAME(log_wanted.unit), SAME(log_wanted.attempt), SAME(log_wanted.stream);
		SAME(log_wanted.offset), SAME(log_wanted.bytes_max);
		return;
	default:
		fail_msg("%d is no kind of client_msg.h", (int)a->kind);
	}
}

void client_message_same(const struct proto_msg *a, const struct proto_msg *b)
{
	assert_int_equal(a->kind, b->kind);
	SAME(ask.request); /* the first field of each */
	switch (a->kind) {
	case PROTO_BLOB_CHUNK:
	case PROTO_BLOB_DATA:
	case PROTO_BLOB_BYTES:
		SAME_32(blob.digest);
		SAME(blob.size), SAME(blob.offset);
		SAME_STR(blob.bytes);
		return;
	case PROTO_LOG_CHUNK:
	case PROTO_LOG_BYTES:
		SAME(log_piece.attempt), SAME(log_piece.offset), SAME(log_piece.next), SAME(log_piece.ended);
		SAME(log_piece.known), SAME(log_piece.tail_only);
		SAME_STR(log_piece.bytes);
		return;
	case PROTO_ROWS:
		SAME(rows.next), SAME(rows.row_count);
		same_texts(a->rows.rows, b->rows.rows, a->rows.row_count);
		return;
	case PROTO_FACT_ROWS:
		same_fact_rows(&a->fact_rows, &b->fact_rows);
		return;
	case PROTO_DONE:
		SAME(done.done_before), SAME(done.changed), SAME_STR(done.unit);
		return;
	case PROTO_REFUSED:
		SAME(refused.code);
		SAME_STR(refused.message), SAME_STR(refused.hint);
		return;
	case PROTO_SUBMITTED:
		SAME(submitted.submission), SAME(submitted.offset), SAME(submitted.run), SAME(submitted.units);
		return;
	case PROTO_TOKEN_CREATED:
		SAME_32(token_created.server_key);
		SAME_STR(token_created.cluster);
		SAME(token_created.endpoint_count);
		same_texts(a->token_created.endpoints, b->token_created.endpoints, a->token_created.endpoint_count);
		return;
	case PROTO_ENROLLED:
		SAME(enrolled.role);
		SAME_STR(enrolled.name), SAME_STR(enrolled.cluster);
		return;
	default:
		same_request(a, b);
	}
}
