/* test_codec_clients.c - messages of clients and of nodes that join: each field's limits, every truncation; test_codec.c has the
 * round trips */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/codec.h"
#include "proto/record.h"
#include "tests/lib/client_messages.h"

#include <stdlib.h>

static const enum proto_msg_kind kinds[] = {
#define X(number_, name, direction, role, since) PROTO_##name,
	PROTO_MSGS(X)
#undef X
};

struct rig {
	struct proto_frame_reader *r;
	struct proto_frame_writer w;
	struct rv_buf frame;
	char *big; /* RV_FRAME_BYTES_MAX letters */
};

static void rig_init(struct rig *g)
{
	g->r = proto_frame_reader_create();
	proto_frame_writer_init(&g->w);
	rv_buf_init(&g->frame, 0);
	g->big = malloc(RV_FRAME_BYTES_MAX);
	memset(g->big, 'x', RV_FRAME_BYTES_MAX);
}

static void rig_release(struct rig *g)
{
	proto_frame_reader_destroy(&g->r);
	proto_frame_writer_release(&g->w);
	rv_buf_release(&g->frame);
	free(g->big);
}

/* It can be written, and comes back. */
static void passes(struct rig *g, const struct proto_msg *m)
{
	struct rv_err err = { 0 };
	struct proto_msg in;

	if (proto_frame_add(&g->w, m, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(proto_frame_finish(&g->w, &g->frame), 0);
	assert_int_equal(proto_frame_open(g->r, rv_buf_str(&g->frame), proto_msg_direction(m->kind), &err), 0);
	if (proto_frame_next(g->r, &in, &err) != 1)
		fail_msg("%s", err.msg);
	client_message_same(m, &in);
}

/* It cannot be written, and the error names the field. */
static void refused(struct rig *g, const struct proto_msg *m, const char *field)
{
	struct rv_err err = { 0 };

	assert_int_equal(proto_frame_add(&g->w, m, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	if (!strstr(err.msg, field) || !strstr(err.msg, proto_msg_name(m->kind)))
		fail_msg("'%s' does not name %s", err.msg, field);
	assert_true(proto_frame_empty(&g->w));
}

/* A field at its last good value, and one past it. */
#define LIMIT(field, good, bad)                                                                    \
	do {                                                                                       \
		struct proto_msg was = m;                                                          \
		m.field = good;                                                                    \
		passes(&g, &m);                                                                    \
		m.field = bad;                                                                     \
		refused(&g, &m, strrchr(#field, '.') + 1);                                         \
		m = was;                                                                           \
	} while (0)
#define TEXT_LIMIT(field, max) LIMIT(field, rv_str(g.big, max), rv_str(g.big, (max) + 1))

static void requests_have_limits(void **state)
{
	struct proto_msg m = { .kind = PROTO_ASK, .ask = { .what = PROTO_ASK_RUNS, .limit = 1 } };
	struct rig g;

	(void)state;
	rig_init(&g);
	LIMIT(ask.what, PROTO_ASK_ABOUT, 0);
	LIMIT(ask.what, PROTO_ASK_HEAD, PROTO_ASK_HEAD + 1);
	LIMIT(ask.limit, 1, 0);
	LIMIT(ask.limit, PROTO_ROWS_MAX, PROTO_ROWS_MAX + 1);
	TEXT_LIMIT(ask.unit, RV_UNIT_ID_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_FACTS, .facts = { .bytes_max = 1 } };
	LIMIT(facts.bytes_max, 1, 0);
	LIMIT(facts.bytes_max, PROTO_FACTS_BYTES_MAX, PROTO_FACTS_BYTES_MAX + 1);
	LIMIT(facts.wait_ms, PROTO_WAIT_MS_MAX, PROTO_WAIT_MS_MAX + 1);
	m = (struct proto_msg){ .kind = PROTO_ACT, .act = { .id = 1, .what = PROTO_MUT_CANCEL } };
	LIMIT(act.id, 1, 0);
	LIMIT(act.what, PROTO_MUT_CANCEL, 0);
	LIMIT(act.what, PROTO_MUT_LAST, PROTO_MUT_LAST + 1);
	TEXT_LIMIT(act.unit, RV_UNIT_ID_BYTES_MAX);
	TEXT_LIMIT(act.node, RV_NAME_BYTES_MAX);
	TEXT_LIMIT(act.note, PROTO_NOTE_BYTES_MAX);
	TEXT_LIMIT(act.prompt, PROTO_PROMPT_BYTES_MAX);
	TEXT_LIMIT(act.agent, RV_NAME_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_SUBMIT_BEGIN, .submit_begin = { .submission = 1, .bytes = 1 } };
	LIMIT(submit_begin.submission, 1, 0);
	LIMIT(submit_begin.bytes, 1, 0);
	TEXT_LIMIT(submit_begin.workspace_id, RV_NAME_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_SUBMIT_DATA, .submit_data = { .submission = 1 } };
	LIMIT(submit_data.submission, 1, 0);
	TEXT_LIMIT(submit_data.bytes, PROTO_PIECE_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_SUBMIT_COMMIT };
	LIMIT(submit_commit.submission, 1, 0);
	m = (struct proto_msg){ .kind = PROTO_LOG, .log = { .stream = 1, .bytes_max = 1 } };
	LIMIT(log.stream, 1, 0);
	LIMIT(log.stream, 3, 4);
	LIMIT(log.bytes_max, 1, 0);
	LIMIT(log.bytes_max, PROTO_PIECE_BYTES_MAX, PROTO_PIECE_BYTES_MAX + 1);
	LIMIT(log.wait_ms, PROTO_WAIT_MS_MAX, PROTO_WAIT_MS_MAX + 1);
	TEXT_LIMIT(log.unit, RV_UNIT_ID_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_TOKEN_CREATE, .token_create = { .role = PROTO_ROLE_NODE, .uses = 1 } };
	LIMIT(token_create.role, PROTO_ROLE_NODE, 0);
	LIMIT(token_create.role, PROTO_ROLE_OPERATOR, PROTO_ROLE_NODE | PROTO_ROLE_OPERATOR);
	LIMIT(token_create.role, PROTO_ROLE_OPERATOR, PROTO_ROLE_COORD);
	LIMIT(token_create.role, PROTO_ROLE_OPERATOR, PROTO_ROLE_ENROLLER);
	LIMIT(token_create.uses, 1, 0);
	TEXT_LIMIT(token_create.id, RV_NAME_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_REVOKE, .revoke = { .id = 1, .what = PROTO_REVOKE_KEY } };
	LIMIT(revoke.id, 1, 0);
	LIMIT(revoke.what, PROTO_REVOKE_TOKEN, PROTO_REVOKE_TOKEN + 1);
	LIMIT(revoke.what, PROTO_REVOKE_KEY, 0);
	TEXT_LIMIT(revoke.name, RV_NAME_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_ENROL, .enrol = { .role = PROTO_ROLE_NODE } };
	LIMIT(enrol.role, PROTO_ROLE_OPERATOR, PROTO_ROLE_NODE | PROTO_ROLE_OPERATOR);
	LIMIT(enrol.role, PROTO_ROLE_NODE, PROTO_ROLE_ENROLLER);
	TEXT_LIMIT(enrol.name, RV_NAME_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_LOG_WANTED, .log_wanted = { .stream = 1, .bytes_max = 1 } };
	LIMIT(log_wanted.stream, 3, 4);
	LIMIT(log_wanted.stream, 1, 0);
	LIMIT(log_wanted.bytes_max, 1, 0);
	LIMIT(log_wanted.bytes_max, PROTO_PIECE_BYTES_MAX, PROTO_PIECE_BYTES_MAX + 1);
	rig_release(&g);
}

static void answers_have_limits(void **state)
{
	struct proto_fact_piece *pieces = calloc(RV_FRAME_VALUES_MAX + 1, sizeof(*pieces));
	struct proto_live_note *notes = calloc(PROTO_NOTES_MAX + 1, sizeof(*notes));
	struct rv_str *texts = calloc(PROTO_ROWS_MAX + 1, sizeof(*texts));
	struct proto_msg m = { .kind = PROTO_BLOB_BYTES };
	struct rig g;

	(void)state;
	rig_init(&g);
	TEXT_LIMIT(blob.bytes, PROTO_PIECE_BYTES_MAX);
	m.kind = PROTO_BLOB_DATA;
	TEXT_LIMIT(blob.bytes, PROTO_PIECE_BYTES_MAX);
	m.kind = PROTO_BLOB_CHUNK;
	TEXT_LIMIT(blob.bytes, PROTO_PIECE_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_LOG_BYTES };
	TEXT_LIMIT(log_piece.bytes, PROTO_PIECE_BYTES_MAX);
	m.kind = PROTO_LOG_CHUNK;
	TEXT_LIMIT(log_piece.bytes, PROTO_PIECE_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_ROWS, .rows = { .rows = texts } };
	m.rows.row_count = PROTO_ROWS_MAX;
	passes(&g, &m);
	m.rows.row_count++;
	refused(&g, &m, "rows");
	m = (struct proto_msg){ .kind = PROTO_FACT_ROWS, .fact_rows = { .pieces = pieces, .notes = notes } };
	m.fact_rows.note_count = PROTO_NOTES_MAX;
	passes(&g, &m);
	m.fact_rows.note_count++;
	refused(&g, &m, "notes");
	m.fact_rows.note_count = 0;
	m.fact_rows.piece_count = RV_FRAME_VALUES_MAX + 1;
	refused(&g, &m, "pieces");
	m.fact_rows.piece_count = 1;
	pieces[0].records = rv_str(g.big, RV_FRAME_BYTES_MAX - 100); /* a record that alone is longer than the bytes asked for */
	passes(&g, &m);
	m = (struct proto_msg){ .kind = PROTO_REFUSED, .refused = { .code = 1 } };
	LIMIT(refused.code, 1, 0);
	TEXT_LIMIT(refused.message, PROTO_MESSAGE_BYTES_MAX);
	TEXT_LIMIT(refused.hint, PROTO_MESSAGE_BYTES_MAX);
	m = (struct proto_msg){ .kind = PROTO_SUBMITTED, .submitted = { .submission = 1 } };
	LIMIT(submitted.submission, 1, 0);
	m = (struct proto_msg){ .kind = PROTO_TOKEN_CREATED, .token_created = { .endpoints = texts } };
	TEXT_LIMIT(token_created.cluster, PROTO_CLUSTER_BYTES_MAX);
	rig_release(&g);
	free(pieces);
	free(notes);
	free(texts);
}

static void endpoints_have_limits(void **state)
{
	struct rv_str endpoints[PROTO_ENDPOINTS_MAX + 1] = { { 0 } };
	struct proto_msg m = { .kind = PROTO_TOKEN_CREATED, .token_created = { .endpoints = endpoints } };
	struct rig g;

	(void)state;
	rig_init(&g);
	m.token_created.endpoint_count = PROTO_ENDPOINTS_MAX;
	passes(&g, &m);
	m.token_created.endpoint_count++;
	refused(&g, &m, "endpoints");
	m.token_created.endpoint_count = 1;
	endpoints[0] = rv_str(g.big, PROTO_ENDPOINT_BYTES_MAX);
	passes(&g, &m);
	endpoints[0].bytes++;
	refused(&g, &m, "endpoint");
	m = (struct proto_msg){ .kind = PROTO_ENROLLED, .enrolled = { .role = PROTO_ROLE_NODE } };
	LIMIT(enrolled.role, PROTO_ROLE_OPERATOR, PROTO_ROLE_COORD);
	TEXT_LIMIT(enrolled.name, RV_NAME_BYTES_MAX);
	TEXT_LIMIT(enrolled.cluster, PROTO_CLUSTER_BYTES_MAX);
	rig_release(&g);
}

/* --- what a writer of ours would not write ------------------------------------------------------------------------------------ */

static enum rv_code read_one(struct rig *g, struct rv_str frame, enum proto_direction direction)
{
	struct rv_err err = { 0 };
	struct proto_msg m;
	int rc = proto_frame_open(g->r, frame, direction, &err);

	if (rc == 0)
		while ((rc = proto_frame_next(g->r, &m, &err)) == 1)
			;
	return rc < 0 ? err.code : RV_OK;
}

static void the_reader_has_the_same_limits(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g);
#define TO_COORD(literal) read_one(&g, RV_STR(literal), PROTO_TO_COORD)
#define TO_NODE(literal) read_one(&g, RV_STR(literal), PROTO_TO_NODE)
#define TO_CLIENT(literal) read_one(&g, RV_STR(literal), PROTO_TO_CLIENT)
#define D32 "\xc4\x20" "01234567890123456789012345678901"
	/* ASK: as it should be; nothing asked; no such question; no rows; too many; a negative number; a field less, a field more */
	assert_int_equal(TO_COORD("\x92\x01\x97\x40\x01\x02\x00\xa0\x00\x01"), RV_OK);
	assert_int_equal(TO_COORD("\x92\x01\x97\x40\x01\x00\x00\xa0\x00\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x97\x40\x01\x09\x00\xa0\x00\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x97\x40\x01\x02\x00\xa0\x00\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x97\x40\x01\x02\x00\xa0\x00\xcd\x03\xe9"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x97\x40\xff\x02\x00\xa0\x00\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x96\x40\x01\x02\x00\xa0\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x98\x40\x01\x02\x00\xa0\x00\x01\x01"), RV_E_CORRUPT);
	/* text where bytes should be, bytes where text should be */
	assert_int_equal(TO_COORD("\x92\x01\x97\x40\x01\x02\x00\xc4\x00\x00\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x95\x44\x01\x01\x00\xa1x"), RV_E_CORRUPT);
	assert_int_equal(TO_COORD("\x92\x01\x95\x44\x01\x01\x00\xc4\x01x"), RV_OK);
	/* a key of 31 bytes */
	assert_int_equal(TO_COORD("\x92\x01\x95\x0e\x01" D32 "\xa1n\x01"), RV_OK);
	assert_int_equal(TO_COORD("\x92\x01\x95\x0e\x01\xc4\x1f" "0123456789012345678901234567890" "\xa1n\x01"), RV_E_CORRUPT);
	/* without the role that is asked for */
	assert_int_equal(TO_COORD("\x92\x01\x94\x0e\x01" D32 "\xa1n"), RV_E_CORRUPT);
	/* a number past 32 bits */
	assert_int_equal(TO_COORD("\x92\x01\x98\x41\x01\x00\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00"), RV_E_CORRUPT);
	/* both roles in a token */
	assert_int_equal(TO_COORD("\x92\x01\x97\x47\x01\xa1t\x01" D32 "\x01\x01"), RV_OK);
	assert_int_equal(TO_COORD("\x92\x01\x97\x47\x01\xa1t\x05" D32 "\x01\x01"), RV_E_CORRUPT);
	/* to the wrong side */
	assert_int_equal(TO_NODE("\x92\x01\x94\x29\x01" D32 "\x00"), RV_OK); /* BLOB_WANTED */
	assert_int_equal(TO_COORD("\x92\x01\x94\x29\x01" D32 "\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_CLIENT("\x92\x01\x94\x29\x01" D32 "\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_CLIENT("\x92\x01\x95\x62\x01\xc2\x00\xa0"), RV_OK); /* DONE */
	assert_int_equal(TO_NODE("\x92\x01\x94\x62\x01\xc2\x00"), RV_E_CORRUPT);
	assert_int_equal(TO_CLIENT("\x92\x01\x94\x62\x01\x00\x00"), RV_E_CORRUPT); /* 0 is not false */
	/* ROWS: two rows; a row that is a number; more declared than there is */
	assert_int_equal(TO_CLIENT("\x92\x01\x94\x60\x01\x00\x92\xa1x\xa1y"), RV_OK);
	assert_int_equal(TO_CLIENT("\x92\x01\x94\x60\x01\x00\x92\xa1x\x01"), RV_E_CORRUPT);
	assert_int_equal(TO_CLIENT("\x92\x01\x94\x60\x01\x00\xdd\x00\x0f\xff\xff\xa1x"), RV_E_CORRUPT);
	/* FACT_ROWS: an empty one; a piece of four fields */
	assert_int_equal(TO_CLIENT("\x92\x01\x98\x61\x01\x00\x00\x00\xc3\x90\x90"), RV_OK);
	assert_int_equal(TO_CLIENT("\x92\x01\x98\x61\x01\x00\x00\x00\xc3\x91\x95\x01\x01\x01\x00\xc4\x01x\x90"), RV_OK);
	assert_int_equal(TO_CLIENT("\x92\x01\x98\x61\x01\x00\x00\x00\xc3\x91\x94\x01\x01\x01\x00\x90"), RV_E_CORRUPT);
#undef D32
	rig_release(&g);
}

/* Every beginning of every message is refused, never read past. */
static void every_truncation_is_refused(void **state)
{
	struct maker maker;
	struct rig g;
	size_t k, n;

	(void)state;
	rig_init(&g);
	maker_init(&maker, 7);
	for (k = 0; k < RV_ARRAY_LEN(kinds); k++) {
		struct proto_msg m = { .kind = kinds[k] };
		struct rv_str whole;
		size_t step;

		if (!client_message_is(kinds[k]))
			continue;
		maker.fill = FILL_ANY;
		client_message_make(&maker, kinds[k], &m);
		assert_int_equal(proto_frame_add(&g.w, &m, NULL), 0);
		assert_int_equal(proto_frame_finish(&g.w, &g.frame), 0);
		whole = rv_buf_str(&g.frame);
		step = 1 + whole.bytes / 3000;
		for (n = 0; n < whole.bytes; n += step) {
			char *exact = malloc(n ? n : 1); /* so that reading past it is seen */

			memcpy(exact, whole.at, n);
			assert_int_not_equal(read_one(&g, rv_str(exact, n), proto_msg_direction(kinds[k])), RV_OK);
			free(exact);
		}
		rv_arena_release(&maker.arena);
	}
	rig_release(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_have_limits),
		cmocka_unit_test(answers_have_limits),
		cmocka_unit_test(endpoints_have_limits),
		cmocka_unit_test(the_reader_has_the_same_limits),
		cmocka_unit_test(every_truncation_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
