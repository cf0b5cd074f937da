/* clients.c - the fields of what clients, and nodes that join or fetch, exchange with the coordinator
 *
 * A table a message, in the order of the wire, from which writing and reading come alike: type, place in the struct, least and most.
 * A field out of its range is refused by the writer (a limit) and by the reader (malformed).
 */
#include "proto/codec.h"
#include "proto/fields.h"
#include "proto/record.h"

enum field_type { F_U64, F_U32, F_ROLE, F_I64, F_I32, F_BOOL, F_TEXT, F_BYTES, F_FIXED, F_LIST };

struct field {
	enum field_type type;
	const char *name;
	size_t at;
	uint64_t least, most; /* of an unsigned number; of the bytes of a text; of the items of a list */
	/* F_LIST: how many stands at `count_at`; an item of one field stands for itself, of more it is an array */
	size_t count_at;
	const struct field *items;
	uint32_t item_fields;
	size_t item_size;
};

/* A field of another width than its type's does not compile. */
#define PLACE(s, f, size) (offsetof(s, f) + 0 * sizeof(char[sizeof(((s *)0)->f) == (size) ? 1 : -1]))

#define U64_FROM(s, f, low) { .type = F_U64, .name = #f, .at = PLACE(s, f, 8), .least = (low), .most = UINT64_MAX }
#define U64(s, f) U64_FROM(s, f, 0)
#define U32_IN(s, f, low, high) { .type = F_U32, .name = #f, .at = PLACE(s, f, 4), .least = (low), .most = (high) }
#define U32(s, f) U32_IN(s, f, 0, UINT32_MAX)
#define ROLE(s, f)                                                                                 \
	{ .type = F_ROLE, .name = #f, .at = PLACE(s, f, 4), .least = PROTO_ROLE_NODE, .most = PROTO_ROLE_OPERATOR }
#define I64(s, f) { .type = F_I64, .name = #f, .at = PLACE(s, f, 8) }
#define I32(s, f) { .type = F_I32, .name = #f, .at = PLACE(s, f, 4) }
#define BOOL(s, f) { .type = F_BOOL, .name = #f, .at = PLACE(s, f, sizeof(bool)) }
#define TEXT(s, f, high) { .type = F_TEXT, .name = #f, .at = PLACE(s, f, sizeof(struct rv_str)), .most = (high) }
#define BYTES(s, f, high) { .type = F_BYTES, .name = #f, .at = PLACE(s, f, sizeof(struct rv_str)), .most = (high) }
#define FIXED(s, f) { .type = F_FIXED, .name = #f, .at = PLACE(s, f, 32) }
#define LIST(s, f, count, high, table)                                                             \
	{ .type = F_LIST, .name = #f, .at = PLACE(s, f, sizeof(void *)), .most = (high), .count_at = PLACE(s, count, 4), \
	  .items = (table), .item_fields = RV_ARRAY_LEN(table), .item_size = sizeof(*((s *)0)->f) }

static const struct field ask[] = {
	U64(struct proto_ask, request),
	U32_IN(struct proto_ask, what, PROTO_ASK_ABOUT, PROTO_ASK_HEAD),
	U64(struct proto_ask, run),
	TEXT(struct proto_ask, unit, RV_UNIT_ID_BYTES_MAX),
	U64(struct proto_ask, cursor),
	U32_IN(struct proto_ask, limit, 1, PROTO_ROWS_MAX),
};

static const struct field facts[] = {
	U64(struct proto_facts, request),
	U64(struct proto_facts, run),
	U64(struct proto_facts, from),
	U32(struct proto_facts, from_index),
	U64(struct proto_facts, notes_from),
	U32_IN(struct proto_facts, bytes_max, 1, PROTO_FACTS_BYTES_MAX),
	U32_IN(struct proto_facts, wait_ms, 0, PROTO_WAIT_MS_MAX),
};

static const struct field act[] = {
	U64(struct proto_act, request),
	U64_FROM(struct proto_act, id, 1),
	U32_IN(struct proto_act, what, PROTO_MUT_CANCEL, PROTO_MUT_LAST),
	U64(struct proto_act, run),
	TEXT(struct proto_act, unit, RV_UNIT_ID_BYTES_MAX),
	TEXT(struct proto_act, node, RV_NAME_BYTES_MAX),
	I64(struct proto_act, value),
	BYTES(struct proto_act, note, PROTO_NOTE_BYTES_MAX),
	BYTES(struct proto_act, prompt, PROTO_PROMPT_BYTES_MAX),
	TEXT(struct proto_act, agent, RV_NAME_BYTES_MAX),
};

static const struct field submit_begin[] = {
	U64(struct proto_submit_begin, request),
	U64_FROM(struct proto_submit_begin, submission, 1),
	U64_FROM(struct proto_submit_begin, bytes, 1),
	I32(struct proto_submit_begin, priority),
	TEXT(struct proto_submit_begin, workspace_id, RV_NAME_BYTES_MAX),
	U64(struct proto_submit_begin, add_to),
	BOOL(struct proto_submit_begin, open),
};

static const struct field submit_data[] = {
	U64(struct proto_submit_data, request),
	U64_FROM(struct proto_submit_data, submission, 1),
	U64(struct proto_submit_data, offset),
	BYTES(struct proto_submit_data, bytes, PROTO_PIECE_BYTES_MAX),
};

static const struct field submit_commit[] = {
	U64(struct proto_submit_commit, request),
	U64_FROM(struct proto_submit_commit, submission, 1),
	FIXED(struct proto_submit_commit, digest),
};

static const struct field log_of[] = {
	U64(struct proto_log, request),
	U64(struct proto_log, run),
	TEXT(struct proto_log, unit, RV_UNIT_ID_BYTES_MAX),
	U32(struct proto_log, attempt),
	U32_IN(struct proto_log, stream, 1, 3),
	U64(struct proto_log, offset),
	U32_IN(struct proto_log, bytes_max, 1, PROTO_PIECE_BYTES_MAX),
	U32_IN(struct proto_log, wait_ms, 0, PROTO_WAIT_MS_MAX),
};

static const struct field token_create[] = {
	U64(struct proto_token_create, request),
	TEXT(struct proto_token_create, id, RV_NAME_BYTES_MAX),
	ROLE(struct proto_token_create, role),
	FIXED(struct proto_token_create, key),
	U64(struct proto_token_create, ttl_us),
	U32_IN(struct proto_token_create, uses, 1, UINT32_MAX),
};

static const struct field revoke[] = {
	U64(struct proto_revoke, request),
	U64_FROM(struct proto_revoke, id, 1),
	U32_IN(struct proto_revoke, what, PROTO_REVOKE_KEY, PROTO_REVOKE_TOKEN),
	TEXT(struct proto_revoke, name, RV_NAME_BYTES_MAX),
};

static const struct field blob_get[] = {
	U64(struct proto_blob_get, request),
	FIXED(struct proto_blob_get, digest),
	U64(struct proto_blob_get, offset),
};

static const struct field blob_piece[] = {
	U64(struct proto_blob_piece, request),
	FIXED(struct proto_blob_piece, digest),
	U64(struct proto_blob_piece, size),
	U64(struct proto_blob_piece, offset),
	BYTES(struct proto_blob_piece, bytes, PROTO_PIECE_BYTES_MAX),
};

static const struct field log_wanted[] = {
	U64(struct proto_log_wanted, request),
	U64(struct proto_log_wanted, run),
	U32(struct proto_log_wanted, unit),
	U32(struct proto_log_wanted, attempt),
	TEXT(struct proto_log_wanted, unit_id, RV_UNIT_ID_BYTES_MAX),
	U32_IN(struct proto_log_wanted, stream, 1, 3),
	U64(struct proto_log_wanted, offset),
	U32_IN(struct proto_log_wanted, bytes_max, 1, PROTO_PIECE_BYTES_MAX),
};

static const struct field log_piece[] = {
	U64(struct proto_log_piece, request),
	U32(struct proto_log_piece, attempt),
	U64(struct proto_log_piece, offset),
	U64(struct proto_log_piece, next),
	BOOL(struct proto_log_piece, ended),
	BOOL(struct proto_log_piece, known),
	BOOL(struct proto_log_piece, tail_only),
	BYTES(struct proto_log_piece, bytes, PROTO_PIECE_BYTES_MAX),
};

static const struct field enrol[] = {
	U64(struct proto_enrol, request),
	FIXED(struct proto_enrol, key),
	TEXT(struct proto_enrol, name, RV_NAME_BYTES_MAX),
	ROLE(struct proto_enrol, role),
};

/* What a frame holds bounds a row and an endpoint alike; endpoints are short besides. */
static const struct field row[] = { { .type = F_TEXT, .name = "row", .most = RV_FRAME_BYTES_MAX } };
static const struct field endpoint[] = { { .type = F_TEXT, .name = "endpoint", .most = PROTO_ENDPOINT_BYTES_MAX } };

static const struct field rows[] = {
	U64(struct proto_rows, request),
	U64(struct proto_rows, next),
	LIST(struct proto_rows, rows, row_count, PROTO_ROWS_MAX, row),
};

static const struct field fact_piece[] = {
	U64(struct proto_fact_piece, position),
	U64(struct proto_fact_piece, epoch),
	U64(struct proto_fact_piece, real_us),
	U32(struct proto_fact_piece, index),
	BYTES(struct proto_fact_piece, records, RV_FRAME_BYTES_MAX),
};

static const struct field live_note[] = {
	U64(struct proto_live_note, number),
	U64(struct proto_live_note, position),
	U32(struct proto_live_note, kind),
	U64(struct proto_live_note, real_us),
	U64(struct proto_live_note, run),
	U32(struct proto_live_note, unit),
	U32(struct proto_live_note, attempt),
	U32(struct proto_live_note, node),
};

static const struct field fact_rows[] = {
	U64(struct proto_fact_rows, request),
	U64(struct proto_fact_rows, next),
	U32(struct proto_fact_rows, next_index),
	U64(struct proto_fact_rows, notes_next),
	BOOL(struct proto_fact_rows, ended),
	LIST(struct proto_fact_rows, pieces, piece_count, RV_FRAME_VALUES_MAX, fact_piece),
	LIST(struct proto_fact_rows, notes, note_count, PROTO_NOTES_MAX, live_note),
};

static const struct field done[] = {
	U64(struct proto_done, request),
	BOOL(struct proto_done, done_before),
	U32(struct proto_done, changed),
	TEXT(struct proto_done, unit, RV_UNIT_ID_BYTES_MAX),
};

static const struct field refused[] = {
	U64(struct proto_refused, request),
	U32_IN(struct proto_refused, code, 1, UINT32_MAX),
	TEXT(struct proto_refused, message, PROTO_MESSAGE_BYTES_MAX),
	TEXT(struct proto_refused, hint, PROTO_MESSAGE_BYTES_MAX),
};

static const struct field submitted[] = {
	U64(struct proto_submitted, request),
	U64_FROM(struct proto_submitted, submission, 1),
	U64(struct proto_submitted, offset),
	U64(struct proto_submitted, run),
	U32(struct proto_submitted, units),
};

static const struct field token_created[] = {
	U64(struct proto_token_created, request),
	FIXED(struct proto_token_created, server_key),
	BYTES(struct proto_token_created, cluster, PROTO_CLUSTER_BYTES_MAX),
	LIST(struct proto_token_created, endpoints, endpoint_count, PROTO_ENDPOINTS_MAX, endpoint),
};

static const struct field enrolled[] = {
	U64(struct proto_enrolled, request),
	ROLE(struct proto_enrolled, role),
	TEXT(struct proto_enrolled, name, RV_NAME_BYTES_MAX),
	BYTES(struct proto_enrolled, cluster, PROTO_CLUSTER_BYTES_MAX),
};

struct table {
	const struct field *fields;
	uint32_t count;
};

#define TABLE(t) ((struct table){ (t), RV_ARRAY_LEN(t) })

/* All of them are members of the union, which has one place. */
_Static_assert(offsetof(struct proto_msg, ask) == offsetof(struct proto_msg, hello), "a union");
_Static_assert(offsetof(struct proto_msg, fact_rows) == offsetof(struct proto_msg, hello), "a union");

/* Empty: not one of ours. */
static struct table table_of(enum proto_msg_kind kind)
{
	switch (kind) {
	case PROTO_BLOB_GET:
	case PROTO_BLOB_WANTED:
		return TABLE(blob_get);
	case PROTO_BLOB_CHUNK:
	case PROTO_BLOB_DATA:
	case PROTO_BLOB_BYTES:
		return TABLE(blob_piece);
	case PROTO_LOG_WANTED:
		return TABLE(log_wanted);
	case PROTO_LOG_CHUNK:
	case PROTO_LOG_BYTES:
		return TABLE(log_piece);
	case PROTO_ENROL:
		return TABLE(enrol);
	case PROTO_ASK:
		return TABLE(ask);
	case PROTO_FACTS:
		return TABLE(facts);
	case PROTO_ACT:
		return TABLE(act);
	case PROTO_SUBMIT_BEGIN:
		return TABLE(submit_begin);
	case PROTO_SUBMIT_DATA:
		return TABLE(submit_data);
	case PROTO_SUBMIT_COMMIT:
		return TABLE(submit_commit);
	case PROTO_LOG:
		return TABLE(log_of);
	case PROTO_TOKEN_CREATE:
		return TABLE(token_create);
	case PROTO_REVOKE:
		return TABLE(revoke);
	case PROTO_ROWS:
		return TABLE(rows);
	case PROTO_FACT_ROWS:
		return TABLE(fact_rows);
	case PROTO_DONE:
		return TABLE(done);
	case PROTO_REFUSED:
		return TABLE(refused);
	case PROTO_SUBMITTED:
		return TABLE(submitted);
	case PROTO_TOKEN_CREATED:
		return TABLE(token_created);
	case PROTO_ENROLLED:
		return TABLE(enrolled);
	default:
		return (struct table){ NULL, 0 };
	}
}

bool proto_client_is(enum proto_msg_kind kind)
{
	return table_of(kind).count > 0;
}

static bool in_range(const struct field *f, uint64_t v)
{
	if (f->type == F_ROLE) /* one bit */
		return v == PROTO_ROLE_NODE || v == PROTO_ROLE_OPERATOR;
	return v >= f->least && v <= f->most;
}

/* --- writing ----------------------------------------------------------------------------------------------------------------- */

static int fail_range(enum proto_msg_kind kind, const struct field *f, uint64_t v, struct rv_err *err)
{
	return rv_fail(err, RV_E_LIMIT, "%s: %s is %llu; it may be %llu to %llu", proto_msg_name(kind), f->name,
		       (unsigned long long)v, (unsigned long long)f->least, (unsigned long long)f->most);
}

static int pack_fields(struct proto_pack *p, enum proto_msg_kind kind, const struct field *fields, uint32_t count,
		       const char *base, struct rv_err *err);

static int pack_list(struct proto_pack *p, enum proto_msg_kind kind, const struct field *f, const char *base, struct rv_err *err)
{
	uint32_t i, count;
	const char *items;

	memcpy(&count, base + f->count_at, sizeof(count));
	memcpy(&items, base + f->at, sizeof(items));
	if (count > f->most)
		return fail_range(kind, f, count, err);
	proto_pack_array(p, count);
	for (i = 0; i < count; i++) {
		if (f->item_fields > 1)
			proto_pack_array(p, f->item_fields);
		if (pack_fields(p, kind, f->items, f->item_fields, items + i * f->item_size, err))
			return -1;
	}
	return 0;
}

static int pack_number(struct proto_pack *p, enum proto_msg_kind kind, const struct field *f, uint64_t v, struct rv_err *err)
{
	if (!in_range(f, v))
		return fail_range(kind, f, v, err);
	proto_pack_uint(p, v);
	return 0;
}

static int pack_field(struct proto_pack *p, enum proto_msg_kind kind, const struct field *f, const char *base, struct rv_err *err)
{
	const char *at = base + f->at;
	struct rv_str s;
	uint64_t v;
	uint32_t u;
	int64_t i;
	int32_t j;

	switch (f->type) {
	case F_U64:
		memcpy(&v, at, sizeof(v));
		return pack_number(p, kind, f, v, err);
	case F_U32:
	case F_ROLE:
		memcpy(&u, at, sizeof(u));
		return pack_number(p, kind, f, u, err);
	case F_I64:
		memcpy(&i, at, sizeof(i));
		proto_pack_int(p, i);
		return 0;
	case F_I32:
		memcpy(&j, at, sizeof(j));
		proto_pack_int(p, j);
		return 0;
	case F_BOOL:
		proto_pack_bool(p, *(const bool *)at);
		return 0;
	case F_TEXT:
	case F_BYTES:
		memcpy(&s, at, sizeof(s));
		if (!in_range(f, s.bytes))
			return fail_range(kind, f, s.bytes, err);
		if (f->type == F_TEXT)
			proto_pack_str(p, s);
		else
			proto_pack_bin(p, s.at, s.bytes);
		return 0;
	case F_FIXED:
		proto_pack_bin(p, at, 32);
		return 0;
	case F_LIST:
		return pack_list(p, kind, f, base, err);
	}
	return -1;
}

static int pack_fields(struct proto_pack *p, enum proto_msg_kind kind, const struct field *fields, uint32_t count,
		       const char *base, struct rv_err *err)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (pack_field(p, kind, &fields[i], base, err))
			return -1;
	return 0;
}

int proto_client_pack(struct proto_pack *p, const struct proto_msg *m, struct rv_err *err)
{
	struct table t = table_of(m->kind);

	if (t.count == 0)
		return rv_fail(err, RV_E_INTERNAL, "%d is no kind of message", (int)m->kind);
	proto_pack_array(p, 1 + t.count);
	proto_pack_uint(p, m->kind);
	return pack_fields(p, m->kind, t.fields, t.count, (const char *)&m->ask, err);
}

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

static void read_fields(struct proto_reading *r, const struct field *fields, uint32_t count, char *base);

static void read_list(struct proto_reading *r, const struct field *f, char *base)
{
	uint32_t i, count = proto_part_count(r->c, (uint32_t)f->most, f->item_fields > 1 ? 1 + f->item_fields : 1);
	char *items = proto_part_room(r->c, r->arena, count, f->item_size);

	for (i = 0; i < count && !r->c->failed; i++) {
		if (f->item_fields > 1)
			proto_read_array_of(r->c, f->item_fields);
		read_fields(r, f->items, f->item_fields, items + i * f->item_size);
	}
	memcpy(base + f->at, &items, sizeof(items));
	memcpy(base + f->count_at, &count, sizeof(count));
}

static void read_number(struct proto_cursor *c, const struct field *f, char *at)
{
	uint64_t v = proto_read_uint(c);
	uint32_t u = (uint32_t)v;

	if (!in_range(f, v))
		c->failed = true;
	if (f->type == F_U64)
		memcpy(at, &v, sizeof(v));
	else
		memcpy(at, &u, sizeof(u));
}

static void read_field(struct proto_reading *r, const struct field *f, char *base)
{
	struct proto_cursor *c = r->c;
	char *at = base + f->at;
	struct rv_str s;
	int64_t i;
	int32_t j;

	switch (f->type) {
	case F_U64:
	case F_U32:
	case F_ROLE:
		read_number(c, f, at);
		return;
	case F_I64:
		i = proto_read_int(c);
		memcpy(at, &i, sizeof(i));
		return;
	case F_I32:
		j = proto_read_i32(c);
		memcpy(at, &j, sizeof(j));
		return;
	case F_BOOL:
		*(bool *)at = proto_read_bool(c);
		return;
	case F_TEXT:
	case F_BYTES:
		s = f->type == F_TEXT ? proto_read_str(c) : proto_read_bin(c);
		if (!in_range(f, s.bytes))
			c->failed = true;
		memcpy(at, &s, sizeof(s));
		return;
	case F_FIXED:
		proto_read_fixed(c, at, 32);
		return;
	case F_LIST:
		read_list(r, f, base);
		return;
	}
}

static void read_fields(struct proto_reading *r, const struct field *fields, uint32_t count, char *base)
{
	uint32_t i;

	for (i = 0; i < count && !r->c->failed; i++)
		read_field(r, &fields[i], base);
}

void proto_client_read(struct proto_reading *r, uint32_t fields, struct proto_msg *m)
{
	struct table t = table_of(m->kind);

	if (fields != t.count) {
		r->c->failed = true;
		return;
	}
	read_fields(r, t.fields, t.count, (char *)&m->ask);
}
