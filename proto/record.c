/* record.c - facts as bytes: a length (1 to 5 bytes, 7 bits each, lowest first), then a msgpack array [kind, field...] */
#include "proto/record.h"

#include "common/check.h"
#include "common/map.h"
#include "proto/parts.h"

#define LENGTH_BYTES_MAX 5u
#define RECORD_BYTES_MAX ((size_t)4 << 20)

#define RUN_ACCEPTED_FIELDS 9u
#define RUN_ACCEPTED_FIELDS_OPEN 10u /* of an open run */
#define UNITS_ADDED_FIELDS 5u
#define ASSIGNED_FIELDS 4u
#define ASSIGNED_BEHIND_FIELDS 6u /* of an attempt that waits for another at its node */
#define NODE_FIELDS 4u
#define NODE_BEGAN_FIELDS 6u
#define RUN_ACCEPTED_FIELDS_OLD 7u /* before there were clients: neither submission nor workspace id */

#define MUTATION_FIELDS 9u
#define MUTATION_FIELDS_SHORT 7u /* neither a prompt nor an agent */

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void pack_head(struct proto_pack *p, const struct proto_fact *f, uint32_t fields)
{
	proto_pack_array(p, 1 + fields);
	proto_pack_uint(p, f->kind);
}

static void pack_key(struct proto_pack *p, const struct proto_attempt_key *key)
{
	proto_pack_uint(p, key->run);
	proto_pack_uint(p, key->unit);
	proto_pack_uint(p, key->attempt);
}

static void pack_digest(struct proto_pack *p, const uint8_t digest[PROTO_DIGEST_BYTES])
{
	proto_pack_bin(p, digest, PROTO_DIGEST_BYTES);
}

static void pack_run_accepted(struct proto_pack *p, const struct proto_fact *f)
{
	pack_head(p, f, f->run_accepted.open ? RUN_ACCEPTED_FIELDS_OPEN : RUN_ACCEPTED_FIELDS);
	proto_pack_uint(p, f->run_accepted.run);
	proto_pack_str(p, f->run_accepted.name);
	pack_digest(p, f->run_accepted.plan_blob);
	pack_digest(p, f->run_accepted.plan_digest);
	pack_digest(p, f->run_accepted.estimates_blob);
	proto_pack_uint(p, f->run_accepted.units);
	proto_pack_int(p, f->run_accepted.priority);
	proto_pack_uint(p, f->run_accepted.submission);
	proto_pack_str(p, f->run_accepted.workspace_id);
	if (f->run_accepted.open)
		proto_pack_uint(p, 1);
}

static void pack_units_added(struct proto_pack *p, const struct proto_fact *f)
{
	pack_head(p, f, UNITS_ADDED_FIELDS);
	proto_pack_uint(p, f->units_added.run);
	pack_digest(p, f->units_added.plan_blob);
	proto_pack_uint(p, f->units_added.first);
	proto_pack_uint(p, f->units_added.units);
	proto_pack_uint(p, f->units_added.submission);
}

static void pack_run_finished(struct proto_pack *p, const struct proto_fact *f)
{
	pack_head(p, f, 7);
	proto_pack_uint(p, f->run_finished.run);
	proto_pack_uint(p, f->run_finished.state);
	proto_pack_uint(p, f->run_finished.reason);
	proto_pack_uint(p, f->run_finished.succeeded);
	proto_pack_uint(p, f->run_finished.failed);
	proto_pack_uint(p, f->run_finished.skipped);
	proto_pack_uint(p, f->run_finished.cancelled);
}

static void pack_mutation(struct proto_pack *p, const struct proto_fact *f)
{
	bool more = f->mutation.prompt.bytes || f->mutation.agent.bytes;

	pack_head(p, f, more ? MUTATION_FIELDS : MUTATION_FIELDS_SHORT);
	proto_pack_uint(p, f->mutation.what);
	proto_pack_uint(p, f->mutation.run);
	proto_pack_uint(p, f->mutation.unit);
	proto_pack_uint(p, f->mutation.node);
	proto_pack_uint(p, f->mutation.request);
	proto_pack_int(p, f->mutation.value);
	proto_pack_bin(p, f->mutation.note.at, f->mutation.note.bytes);
	if (!more)
		return;
	proto_pack_bin(p, f->mutation.prompt.at, f->mutation.prompt.bytes);
	proto_pack_str(p, f->mutation.agent);
}

static void pack_node(struct proto_pack *p, const struct proto_fact *f)
{
	bool began = f->node.change == PROTO_NODE_BEGAN;

	pack_head(p, f, began ? NODE_BEGAN_FIELDS : NODE_FIELDS);
	proto_pack_uint(p, f->node.node);
	proto_pack_uint(p, f->node.change);
	proto_pack_str(p, f->node.name);
	pack_digest(p, f->node.key);
	if (!began)
		return;
	proto_pack_bin(p, f->node.boot_id, sizeof(f->node.boot_id));
	proto_pack_uint(p, f->node.incarnation);
}

static int pack_fact(struct proto_pack *p, const struct proto_fact *f)
{
	switch (f->kind) {
	case PROTO_FACT_EPOCH:
		pack_head(p, f, 2);
		proto_pack_uint(p, f->epoch.epoch);
		proto_pack_bin(p, f->epoch.boot_id, sizeof(f->epoch.boot_id));
		return 0;
	case PROTO_FACT_RUN_ACCEPTED:
		pack_run_accepted(p, f);
		return 0;
	case PROTO_FACT_UNITS_ADDED:
		pack_units_added(p, f);
		return 0;
	case PROTO_FACT_ASSIGNED:
		pack_head(p, f, f->assigned.after.attempt ? ASSIGNED_BEHIND_FIELDS : ASSIGNED_FIELDS);
		pack_key(p, &f->assigned.key);
		proto_pack_uint(p, f->assigned.node);
		if (!f->assigned.after.attempt)
			return 0;
		proto_pack_uint(p, f->assigned.after.unit);
		proto_pack_uint(p, f->assigned.after.attempt);
		return 0;
	case PROTO_FACT_ENDED:
		pack_head(p, f, 5 + proto_result_fields(&f->ended.result));
		pack_key(p, &f->ended.key);
		proto_pack_uint(p, f->ended.node);
		proto_pack_uint(p, f->ended.state);
		return proto_pack_result(p, &f->ended.result, NULL);
	case PROTO_FACT_ATTEMPT_ENDED:
		pack_head(p, f, 5 + proto_result_fields(&f->attempt_ended.result));
		pack_key(p, &f->attempt_ended.key);
		proto_pack_uint(p, f->attempt_ended.node);
		proto_pack_uint(p, f->attempt_ended.retry_delay_us);
		return proto_pack_result(p, &f->attempt_ended.result, NULL);
	case PROTO_FACT_RUN_STOPPED:
		pack_head(p, f, 2);
		proto_pack_uint(p, f->run_stopped.run);
		proto_pack_uint(p, f->run_stopped.reason);
		return 0;
	case PROTO_FACT_RUN_FINISHED:
		pack_run_finished(p, f);
		return 0;
	case PROTO_FACT_MUTATION:
		pack_mutation(p, f);
		return 0;
	case PROTO_FACT_NODE:
		pack_node(p, f);
		return 0;
	case PROTO_FACT_KEY:
		pack_head(p, f, 5);
		proto_pack_uint(p, f->key.change);
		proto_pack_uint(p, f->key.roles);
		proto_pack_bin(p, f->key.key, PROTO_KEY_BYTES);
		proto_pack_str(p, f->key.name);
		proto_pack_str(p, f->key.token);
		return 0;
	case PROTO_FACT_TOKEN:
		pack_head(p, f, 6);
		proto_pack_uint(p, f->token.change);
		proto_pack_str(p, f->token.id);
		proto_pack_uint(p, f->token.role);
		proto_pack_bin(p, f->token.key, PROTO_KEY_BYTES);
		proto_pack_uint(p, f->token.expires_us);
		proto_pack_uint(p, f->token.uses);
		return 0;
	}
	rv_check(!"a kind of fact");
	return -1;
}

/* The length as 7 bits a byte; how many bytes. */
static size_t put_length(uint8_t out[LENGTH_BYTES_MAX], size_t length)
{
	size_t n = 0;

	while (length >= 0x80) {
		out[n++] = (uint8_t)(length | 0x80);
		length >>= 7;
	}
	out[n++] = (uint8_t)length;
	return n;
}

int proto_fact_encode(const struct proto_fact *f, struct rv_buf *out)
{
	uint8_t length[LENGTH_BYTES_MAX];
	size_t mark = out->bytes, bytes, n;
	struct proto_pack p;

	/* most facts are shorter than 128 bytes: one byte is kept for the length, more only where needed */
	if (rv_buf_putc(out, 0))
		return -1;
	proto_pack_init(&p, out);
	if (pack_fact(&p, f) || out->failed || out->bytes - mark - 1 > RECORD_BYTES_MAX)
		goto fail;
	bytes = out->bytes - mark - 1;
	n = put_length(length, bytes);
	if (n > 1) {
		if (!rv_buf_reserve(out, n - 1))
			goto fail;
		memmove(out->at + mark + n, out->at + mark + 1, bytes);
		rv_buf_added(out, n - 1);
	}
	memcpy(out->at + mark, length, n);
	return 0;
fail:
	out->bytes = mark;
	if (out->capacity)
		out->at[mark] = '\0';
	return -1;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static void read_key(struct proto_cursor *c, struct proto_attempt_key *key)
{
	key->run = proto_read_uint(c);
	key->unit = proto_read_u32(c);
	key->attempt = proto_read_u32(c);
}

static uint32_t read_enum(struct proto_cursor *c, uint32_t first, uint32_t last)
{
	uint32_t v = (uint32_t)proto_read_uint_to(c, last);

	if (v < first)
		c->failed = true;
	return v;
}

static struct rv_str read_name(struct proto_cursor *c)
{
	struct rv_str s = proto_read_str(c);

	if (s.bytes > RV_NAME_BYTES_MAX)
		c->failed = true;
	return s;
}

static void read_run_accepted(struct proto_cursor *c, uint32_t fields, struct proto_fact *f)
{
	f->run_accepted.run = proto_read_uint(c);
	f->run_accepted.name = proto_read_str(c);
	proto_read_fixed(c, f->run_accepted.plan_blob, PROTO_DIGEST_BYTES);
	proto_read_fixed(c, f->run_accepted.plan_digest, PROTO_DIGEST_BYTES);
	proto_read_fixed(c, f->run_accepted.estimates_blob, PROTO_DIGEST_BYTES);
	f->run_accepted.units = proto_read_u32(c);
	f->run_accepted.priority = proto_read_i32(c);
	f->run_accepted.workspace_id = RV_STR("");
	if (fields == RUN_ACCEPTED_FIELDS_OLD)
		return;
	f->run_accepted.submission = proto_read_uint(c);
	f->run_accepted.workspace_id = read_name(c);
	if (fields == RUN_ACCEPTED_FIELDS_OPEN)
		f->run_accepted.open = read_enum(c, 1, 1);
}

static void read_units_added(struct proto_cursor *c, struct proto_fact *f)
{
	f->units_added.run = proto_read_uint(c);
	proto_read_fixed(c, f->units_added.plan_blob, PROTO_DIGEST_BYTES);
	f->units_added.first = proto_read_u32(c);
	f->units_added.units = proto_read_u32(c);
	f->units_added.submission = proto_read_uint(c);
}

/* Bits of the roles that a key may have: one of them at least, and no other. */
static uint32_t read_roles(struct proto_cursor *c)
{
	uint32_t roles = proto_read_u32(c);

	if (roles == 0 || roles & ~(uint32_t)(PROTO_ROLE_NODE | PROTO_ROLE_OPERATOR))
		c->failed = true;
	return roles;
}

static void read_key_fact(struct proto_cursor *c, struct proto_fact *f)
{
	f->key.change = (enum proto_key_change)read_enum(c, PROTO_KEY_ADMITTED, PROTO_KEY_REVOKED);
	f->key.roles = read_roles(c);
	proto_read_fixed(c, f->key.key, PROTO_KEY_BYTES);
	f->key.name = read_name(c);
	f->key.token = read_name(c);
}

static void read_token(struct proto_cursor *c, struct proto_fact *f)
{
	f->token.change = (enum proto_token_change)read_enum(c, PROTO_TOKEN_MADE, PROTO_TOKEN_REVOKED);
	f->token.id = read_name(c);
	f->token.role = read_roles(c);
	proto_read_fixed(c, f->token.key, PROTO_KEY_BYTES);
	f->token.expires_us = proto_read_uint(c);
	f->token.uses = proto_read_u32(c);
}

static void read_run_finished(struct proto_cursor *c, struct proto_fact *f)
{
	f->run_finished.run = proto_read_uint(c);
	f->run_finished.state = (enum proto_end_state)read_enum(c, PROTO_END_SUCCEEDED, PROTO_END_CANCELLED);
	f->run_finished.reason = (enum proto_reason)read_enum(c, 0, PROTO_REASON_COUNT - 1);
	f->run_finished.succeeded = proto_read_u32(c);
	f->run_finished.failed = proto_read_u32(c);
	f->run_finished.skipped = proto_read_u32(c);
	f->run_finished.cancelled = proto_read_u32(c);
}

static void read_mutation(struct proto_cursor *c, uint32_t fields, struct proto_fact *f)
{
	f->mutation.what = (enum proto_mutation)read_enum(c, PROTO_MUT_CANCEL, PROTO_MUT_LAST);
	f->mutation.run = proto_read_uint(c);
	f->mutation.unit = proto_read_u32(c);
	f->mutation.node = proto_read_u32(c);
	f->mutation.request = proto_read_uint(c);
	f->mutation.value = proto_read_int(c);
	f->mutation.note = proto_read_bin(c);
	if (fields == MUTATION_FIELDS_SHORT)
		return;
	f->mutation.prompt = proto_read_bin(c);
	f->mutation.agent = read_name(c);
}

static void read_node(struct proto_cursor *c, uint32_t fields, struct proto_fact *f)
{
	f->node.node = proto_read_u32(c);
	f->node.change = (enum proto_node_change)read_enum(c, PROTO_NODE_ADMITTED, PROTO_NODE_BEGAN);
	f->node.name = proto_read_str(c);
	proto_read_fixed(c, f->node.key, PROTO_DIGEST_BYTES);
	if (fields != (f->node.change == PROTO_NODE_BEGAN ? NODE_BEGAN_FIELDS : NODE_FIELDS)) {
		c->failed = true;
		return;
	}
	if (f->node.change != PROTO_NODE_BEGAN)
		return;
	proto_read_fixed(c, f->node.boot_id, sizeof(f->node.boot_id));
	f->node.incarnation = proto_read_uint(c);
}

/* Fields besides the kind; those with a result have more (0: any), and so may RUN_ACCEPTED, ASSIGNED, MUTATION and NODE. */
static const uint8_t fields_of[] = {
	[PROTO_FACT_EPOCH] = 2,	      [PROTO_FACT_RUN_ACCEPTED] = 0, [PROTO_FACT_ASSIGNED] = 0,
	[PROTO_FACT_RUN_STOPPED] = 2, [PROTO_FACT_RUN_FINISHED] = 7, [PROTO_FACT_MUTATION] = 0,
	[PROTO_FACT_NODE] = 0,	      [PROTO_FACT_KEY] = 5,	     [PROTO_FACT_TOKEN] = 6,
	[PROTO_FACT_UNITS_ADDED] = UNITS_ADDED_FIELDS,
};

/* Of those that may have more. */
static uint32_t fields_least(enum proto_fact_kind kind)
{
	return kind == PROTO_FACT_NODE ? NODE_FIELDS : kind == PROTO_FACT_ASSIGNED ? ASSIGNED_FIELDS : 5u;
}

static void read_fact(struct proto_cursor *c, struct rv_arena *arena, uint32_t fields, struct proto_fact *f)
{
	if (fields_of[f->kind] ? fields != fields_of[f->kind] : fields < fields_least(f->kind)) {
		c->failed = true;
		return;
	}
	switch (f->kind) {
	case PROTO_FACT_EPOCH:
		f->epoch.epoch = proto_read_uint(c);
		proto_read_fixed(c, f->epoch.boot_id, sizeof(f->epoch.boot_id));
		break;
	case PROTO_FACT_RUN_ACCEPTED:
		if (fields != RUN_ACCEPTED_FIELDS && fields != RUN_ACCEPTED_FIELDS_OPEN && fields != RUN_ACCEPTED_FIELDS_OLD)
			c->failed = true;
		read_run_accepted(c, fields, f);
		break;
	case PROTO_FACT_UNITS_ADDED:
		read_units_added(c, f);
		break;
	case PROTO_FACT_ASSIGNED:
		read_key(c, &f->assigned.key);
		f->assigned.node = proto_read_u32(c);
		if (fields != ASSIGNED_BEHIND_FIELDS) {
			c->failed |= fields != ASSIGNED_FIELDS;
			break;
		}
		f->assigned.after.unit = proto_read_u32(c);
		f->assigned.after.attempt = proto_read_u32(c);
		c->failed |= !f->assigned.after.attempt;
		break;
	case PROTO_FACT_ENDED:
		read_key(c, &f->ended.key);
		f->ended.node = proto_read_u32(c);
		f->ended.state = (enum proto_end_state)read_enum(c, PROTO_END_SUCCEEDED, PROTO_END_CANCELLED);
		proto_read_result(c, arena, fields - 5, &f->ended.result);
		f->ended.result.key = f->ended.key;
		break;
	case PROTO_FACT_ATTEMPT_ENDED:
		read_key(c, &f->attempt_ended.key);
		f->attempt_ended.node = proto_read_u32(c);
		f->attempt_ended.retry_delay_us = proto_read_uint(c);
		proto_read_result(c, arena, fields - 5, &f->attempt_ended.result);
		f->attempt_ended.result.key = f->attempt_ended.key;
		break;
	case PROTO_FACT_RUN_STOPPED:
		f->run_stopped.run = proto_read_uint(c);
		f->run_stopped.reason = (enum proto_reason)read_enum(c, 0, PROTO_REASON_COUNT - 1);
		break;
	case PROTO_FACT_RUN_FINISHED:
		read_run_finished(c, f);
		break;
	case PROTO_FACT_MUTATION:
		if (fields != MUTATION_FIELDS && fields != MUTATION_FIELDS_SHORT)
			c->failed = true;
		read_mutation(c, fields, f);
		break;
	case PROTO_FACT_NODE:
		read_node(c, fields, f);
		break;
	case PROTO_FACT_KEY:
		read_key_fact(c, f);
		break;
	case PROTO_FACT_TOKEN:
		read_token(c, f);
		break;
	}
}

/* Takes the length off the front; false: there is none, or more than is left. */
static bool take_record(struct rv_str *at, struct rv_str *record)
{
	size_t length = 0, i;

	for (i = 0; i < at->bytes && i < LENGTH_BYTES_MAX; i++) {
		uint8_t b = (uint8_t)at->at[i];

		length |= (size_t)(b & 0x7f) << (7 * i);
		if (b & 0x80)
			continue;
		i++;
		if (length > RECORD_BYTES_MAX || length > at->bytes - i)
			return false;
		*record = rv_str(at->at + i, length);
		*at = rv_str(record->at + length, at->bytes - i - length);
		return true;
	}
	return false;
}

int proto_fact_decode(struct rv_str *at, struct rv_arena *arena, struct proto_fact *out, struct rv_err *err)
{
	struct proto_scan_limits limits = { RECORD_BYTES_MAX, RV_FRAME_DEPTH_MAX, RV_FRAME_VALUES_MAX };
	struct rv_str rest = *at, record;
	struct proto_cursor c;
	struct proto_fact f;
	uint32_t fields;
	uint64_t kind;

	if (at->bytes == 0)
		return 0;
	if (!take_record(&rest, &record))
		return rv_fail(err, RV_E_CORRUPT, "a fact is cut off");
	if (proto_scan(record, &limits, err))
		return -1;
	c = proto_cursor(record);
	fields = proto_read_array(&c);
	kind = proto_read_uint(&c);
	if (c.failed || fields == 0)
		return rv_fail(err, RV_E_CORRUPT, "malformed fact");
	if (kind == 0 || kind >= RV_ARRAY_LEN(fields_of))
		return rv_fail(err, RV_E_VERSION, "a fact of kind %llu, which this version does not know",
			       (unsigned long long)kind);
	memset(&f, 0, sizeof(f));
	f.kind = (enum proto_fact_kind)kind;
	read_fact(&c, arena, fields - 1, &f);
	if (!proto_cursor_done(&c))
		return rv_fail(err, RV_E_CORRUPT, "malformed fact: %s", proto_fact_name(f.kind));
	*out = f;
	*at = rest;
	return 1;
}

int proto_fact_peek(struct rv_str *at, struct proto_fact_head *out, struct rv_err *err)
{
	struct proto_scan_limits limits = { RECORD_BYTES_MAX, RV_FRAME_DEPTH_MAX, RV_FRAME_VALUES_MAX };
	struct rv_str rest = *at, record;
	struct proto_cursor c;
	uint64_t kind, what;

	if (at->bytes == 0)
		return 0;
	if (!take_record(&rest, &record))
		return rv_fail(err, RV_E_CORRUPT, "a fact is cut off");
	if (proto_scan(record, &limits, err))
		return -1;
	c = proto_cursor(record);
	(void)proto_read_array(&c);
	kind = proto_read_uint(&c);
	*out = (struct proto_fact_head){ .kind = (enum proto_fact_kind)kind, .record = rv_str(at->at, at->bytes - rest.bytes) };
	switch (kind) {
	case PROTO_FACT_RUN_ACCEPTED:
	case PROTO_FACT_UNITS_ADDED:
	case PROTO_FACT_ASSIGNED:
	case PROTO_FACT_ENDED:
	case PROTO_FACT_ATTEMPT_ENDED:
	case PROTO_FACT_RUN_STOPPED:
	case PROTO_FACT_RUN_FINISHED:
		out->run = proto_read_uint(&c);
		break;
	case PROTO_FACT_MUTATION:
		what = proto_read_uint(&c);
		out->run = proto_read_uint(&c);
		out->of_node = proto_mutation_of_node((enum proto_mutation)what);
		break;
	default:
		break;
	}
	if (c.failed || kind == 0 || kind > PROTO_FACT_LAST)
		return rv_fail(err, RV_E_CORRUPT, "malformed fact");
	*at = rest;
	return 1;
}
