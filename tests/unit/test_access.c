/* test_access.c - who is let in: tokens, enrolment, revocation, as a fold of facts */
#include "tests/lib/test.h"

#include "common/buf.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/net/curve.h"
#include "common/prng.h"
#include "coordinator/access.h"

#define NOW (1000 * (uint64_t)RV_US_PER_S)
#define MINUTE (60 * (uint64_t)RV_US_PER_S)

/* The facts so far, encoded as a journal has them: the second fold reads those bytes. */
struct desk {
	struct coord_access *access;
	struct rv_buf journal; /* u64 real_us, then a record */
	uint64_t real_us;
};

static int open_desk(void **state)
{
	struct desk *d = calloc(1, sizeof *d);

	assert_non_null(d);
	assert_int_equal(coord_access_create(&d->access, NULL), 0);
	rv_buf_init(&d->journal, 0);
	d->real_us = NOW;
	*state = d;
	return 0;
}

/* Whatever a test did: folding its facts again gives the same. */
static int close_desk(void **state)
{
	struct desk *d = *state;
	struct coord_access *again = NULL;
	struct rv_str at = rv_buf_str(&d->journal);
	struct rv_arena arena;

	rv_arena_init(&arena, 0);
	assert_int_equal(coord_access_create(&again, NULL), 0);
	while (at.bytes > 0) {
		struct proto_fact f;
		uint64_t real_us;

		memcpy(&real_us, at.at, sizeof real_us);
		at.at += sizeof real_us;
		at.bytes -= sizeof real_us;
		assert_int_equal(proto_fact_decode(&at, &arena, &f, NULL), 1);
		coord_access_apply(again, &f, real_us);
	}
	assert_true(coord_access_digest(again) == coord_access_digest(d->access));
	coord_access_audit(again);
	rv_arena_release(&arena);
	coord_access_destroy(&again);
	coord_access_destroy(&d->access);
	rv_buf_release(&d->journal);
	free(d);
	return 0;
}

#define desk_test(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)

static void carry_out(struct desk *d, const struct coord_access_verdict *v)
{
	for (uint32_t i = 0; i < v->fact_count; i++) {
		(void)rv_buf_put(&d->journal, &d->real_us, sizeof d->real_us);
		assert_int_equal(proto_fact_encode(&v->facts[i], &d->journal), 0);
		coord_access_apply(d->access, &v->facts[i], d->real_us);
	}
	coord_access_audit(d->access);
}

static void key_of(uint32_t number, uint8_t out[PROTO_KEY_BYTES])
{
	memset(out, 0, PROTO_KEY_BYTES);
	memcpy(out, &number, sizeof number);
	out[31] = 1;
}

static int make_token(struct desk *d, const char *id, uint32_t key_number, uint32_t role, uint64_t ttl_us, uint32_t uses, struct rv_err *err)
{
	struct proto_token_create req = { .id = rv_str_of(id), .role = role, .ttl_us = ttl_us, .uses = uses };
	struct coord_access_verdict v;

	key_of(key_number, req.key);
	if (coord_access_token_create(d->access, &req, d->real_us, &v, err) < 0)
		return -1;
	carry_out(d, &v);
	return (int)v.fact_count;
}

static int enrol_as(struct desk *d, uint32_t role, uint32_t token_key, uint32_t own_key, const char *name, struct proto_enrolled *answer,
		    struct rv_err *err)
{
	struct proto_enrol req = { .name = rv_str_of(name), .role = role };
	struct coord_access_verdict v;
	uint8_t token[PROTO_KEY_BYTES];

	key_of(token_key, token);
	key_of(own_key, req.key);
	if (coord_access_enrol(d->access, token, &req, d->real_us, &v, answer, err) < 0)
		return -1;
	carry_out(d, &v);
	return (int)v.fact_count;
}

static int enrol(struct desk *d, uint32_t token_key, uint32_t own_key, const char *name, struct proto_enrolled *answer, struct rv_err *err)
{
	return enrol_as(d, PROTO_ROLE_NODE, token_key, own_key, name, answer, err);
}

static int revoke_by(struct desk *d, enum proto_revoke_what what, const char *name, struct rv_err *err)
{
	struct proto_revoke req = { .what = what, .name = rv_str_of(name) };
	struct coord_access_verdict v;

	if (coord_access_revoke(d->access, &req, &v, err) < 0)
		return -1;
	carry_out(d, &v);
	return (int)v.fact_count;
}

static uint32_t roles(struct desk *d, uint32_t key_number)
{
	uint8_t key[PROTO_KEY_BYTES];

	key_of(key_number, key);
	return coord_access_roles(d->access, key, d->real_us);
}

static void short_hash(uint32_t key_number, uint32_t chars, char *out)
{
	uint8_t key[PROTO_KEY_BYTES], hash[PROTO_KEY_BYTES];
	char hex[2 * PROTO_KEY_BYTES + 1];

	key_of(key_number, key);
	net_key_hash(key, hash);
	rv_hex(hex, hash, sizeof hash);
	memcpy(out, hex, chars);
	out[chars] = '\0';
}

/* --- joining ------------------------------------------------------------------------------------------------------------ */

static void nobody_is_let_in_by_an_empty_list(void **state)
{
	struct desk *d = *state;

	assert_int_equal(roles(d, 1), 0);
	assert_int_equal(roles(d, 0), 0);
	assert_int_equal(enrol(d, 1, 2, "n1", &(struct proto_enrolled){ 0 }, NULL), -1);
}

static void a_token_lets_its_holder_enrol_and_do_nothing_else(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	uint8_t key[PROTO_KEY_BYTES];

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, 15 * MINUTE, 1, NULL), 1);
	assert_int_equal(roles(d, 1), PROTO_ROLE_ENROLLER);
	assert_int_equal(roles(d, 2), 0);
	assert_int_equal(enrol(d, 1, 2, "n1", &answer, NULL), 2);
	assert_int_equal(answer.role, PROTO_ROLE_NODE);
	assert_str(answer.name, "n1");
	assert_int_equal(roles(d, 2), PROTO_ROLE_NODE);
	key_of(2, key);
	assert_str(coord_access_name(d->access, key), "n1");
	key_of(1, key);
	assert_str(coord_access_name(d->access, key), "");
}

static void a_token_is_used_up_and_its_user_may_ask_again(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, 15 * MINUTE, 2, NULL), 1);
	assert_int_equal(enrol(d, 1, 2, "n2", &answer, NULL), 2);
	assert_int_equal(enrol(d, 1, 2, "n2", &answer, NULL), 0); /* the answer was lost */
	assert_int_equal(enrol(d, 1, 2, "other", &answer, NULL), 0);
	assert_str(answer.name, "n2");
	assert_int_equal(enrol(d, 1, 3, "n3", &answer, NULL), 2);
	assert_int_equal(enrol(d, 1, 4, "n4", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_DENIED);
	assert_string_equal(err.msg, NET_TOKEN_REFUSED);
	assert_int_equal(roles(d, 4), 0);
	assert_int_equal(enrol(d, 1, 2, "n2", &answer, NULL), 0); /* still */
}

static void a_token_ends_with_its_time(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, 15 * MINUTE, 5, NULL), 1);
	d->real_us = NOW + 15 * MINUTE - 1;
	assert_int_equal(roles(d, 1), PROTO_ROLE_ENROLLER);
	assert_int_equal(enrol(d, 1, 2, "n2", &answer, NULL), 2);
	d->real_us = NOW + 15 * MINUTE;
	assert_int_equal(roles(d, 1), 0);
	assert_int_equal(enrol(d, 1, 3, "n3", &answer, &err), -1);
	assert_string_equal(err.msg, NET_TOKEN_REFUSED);
	assert_int_equal(roles(d, 2), PROTO_ROLE_NODE); /* whom it let in stays */
}

static void a_token_is_not_spent_on_the_other_role(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_OPERATOR, 15 * MINUTE, 1, NULL), 1);
	assert_int_equal(make_token(d, "t2", 2, PROTO_ROLE_NODE, 15 * MINUTE, 1, NULL), 1);
	assert_int_equal(enrol_as(d, PROTO_ROLE_NODE, 1, 3, "n3", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_CONFLICT);
	assert_int_equal(enrol_as(d, PROTO_ROLE_OPERATOR, 2, 4, "ann", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_CONFLICT);
	assert_int_equal(roles(d, 3), 0);
	assert_int_equal(roles(d, 4), 0);
	assert_int_equal(enrol_as(d, PROTO_ROLE_OPERATOR, 1, 4, "ann", &answer, NULL), 2);
	assert_int_equal(enrol_as(d, PROTO_ROLE_NODE, 2, 3, "n3", &answer, NULL), 2);
	assert_int_equal(roles(d, 3), PROTO_ROLE_NODE);
	assert_int_equal(roles(d, 4), PROTO_ROLE_OPERATOR);
}

static void a_revoked_token_lets_nobody_in_any_more(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_OPERATOR, 15 * MINUTE, 5, NULL), 1);
	assert_int_equal(enrol_as(d, PROTO_ROLE_OPERATOR, 1, 2, "ann", &answer, NULL), 2);
	assert_int_equal(answer.role, PROTO_ROLE_OPERATOR);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_TOKEN, "t1", NULL), 1);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_TOKEN, "t1", NULL), 0);
	assert_int_equal(roles(d, 1), 0);
	assert_int_equal(enrol(d, 1, 3, "bob", &answer, &err), -1);
	assert_string_equal(err.msg, NET_TOKEN_REFUSED);
	assert_int_equal(roles(d, 2), PROTO_ROLE_OPERATOR);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_TOKEN, "t2", &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
}

static void a_token_that_is_made_twice_is_one_token(void **state)
{
	struct desk *d = *state;
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, 15 * MINUTE, 1, NULL), 1);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, 15 * MINUTE, 1, NULL), 0);
	assert_int_equal(make_token(d, "t1", 2, PROTO_ROLE_NODE, 15 * MINUTE, 1, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
	assert_int_equal(make_token(d, "t2", 1, PROTO_ROLE_NODE, 15 * MINUTE, 1, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
}

static void what_a_token_may_be_is_bounded(void **state)
{
	struct desk *d = *state;
	struct rv_err err;

	assert_int_equal(make_token(d, "", 1, PROTO_ROLE_NODE, MINUTE, 1, &err), -1);
	assert_int_equal(make_token(d, "a b", 1, PROTO_ROLE_NODE, MINUTE, 1, &err), -1);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_COORD, MINUTE, 1, &err), -1);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_ENROLLER, MINUTE, 1, &err), -1);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE | PROTO_ROLE_OPERATOR, MINUTE, 1, &err), -1);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, RV_TOKEN_TTL_US_MIN - 1, 1, &err), -1);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, RV_TOKEN_TTL_US_MAX + 1, 1, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, MINUTE, 0, &err), -1);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, MINUTE, RV_TOKEN_USES_MAX + 1, &err), -1);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, RV_TOKEN_TTL_US_MAX, RV_TOKEN_USES_MAX, &err), 1);
}

static void a_name_that_is_held_is_refused_to_the_second_naming_the_holder(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	char hash[17];
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, MINUTE, 9, NULL), 1);
	assert_int_equal(enrol(d, 1, 2, "same", &answer, NULL), 2);
	assert_int_equal(enrol(d, 1, 3, "same", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
	short_hash(2, 16, hash);
	assert_non_null(strstr(err.msg, hash));
	assert_int_equal(roles(d, 3), 0);
	/* free again once its holder is not admitted any more */
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, "same", NULL), 1);
	assert_int_equal(enrol(d, 1, 3, "same", &answer, NULL), 2);
	assert_int_equal(enrol(d, 1, 4, "not a name", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_USAGE);
}

static void a_key_has_the_role_it_was_admitted_with(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, MINUTE, 9, NULL), 1);
	assert_int_equal(make_token(d, "t2", 2, PROTO_ROLE_OPERATOR, MINUTE, 9, NULL), 1);
	assert_int_equal(enrol(d, 1, 3, "n3", &answer, NULL), 2);
	assert_int_equal(enrol_as(d, PROTO_ROLE_OPERATOR, 2, 3, "n3", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
	assert_int_equal(roles(d, 3), PROTO_ROLE_NODE);
	/* a token's own key is nobody's own */
	assert_int_equal(enrol(d, 1, 2, "n4", &answer, &err), -1);
	assert_int_equal(enrol(d, 1, 1, "n4", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
}

/* --- revoking ------------------------------------------------------------------------------------------------------------------ */

static void a_revoked_key_has_no_role_at_once(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct coord_access_verdict v;
	uint8_t key[PROTO_KEY_BYTES], hash[PROTO_KEY_BYTES];
	char text[65];
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, MINUTE, 9, NULL), 1);
	assert_int_equal(enrol(d, 1, 2, "n2", &answer, NULL), 2);
	assert_int_equal(enrol(d, 1, 3, "n3", &answer, NULL), 2);
	assert_int_equal(enrol(d, 1, 4, "n4", &answer, NULL), 2);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, "n2", NULL), 1);
	assert_int_equal(roles(d, 2), 0);
	assert_int_equal(roles(d, 3), PROTO_ROLE_NODE);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, "n2", NULL), 0); /* again */

	short_hash(3, 7, text);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, text, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	short_hash(3, 8, text);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, text, NULL), 1);
	assert_int_equal(roles(d, 3), 0);
	short_hash(3, 64, text);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, text, NULL), 0);

	key_of(4, key);
	net_key_hash(key, hash);
	coord_access_revoke_hash(d->access, hash, &v);
	assert_int_equal(v.fact_count, 1);
	carry_out(d, &v);
	assert_int_equal(roles(d, 4), 0);
	coord_access_revoke_hash(d->access, hash, &v);
	assert_int_equal(v.fact_count, 0);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, "n9", &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
}

static void no_token_brings_a_revoked_key_back(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct rv_err err;

	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, MINUTE, 3, NULL), 1);
	assert_int_equal(enrol(d, 1, 2, "n2", &answer, NULL), 2);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, "n2", NULL), 1);
	assert_int_equal(enrol(d, 1, 2, "n2", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_STALE);
	assert_int_equal(roles(d, 2), 0);
	assert_int_equal(enrol(d, 1, 4, "n2", &answer, NULL), 2); /* its owner with another one, by its name */
	assert_int_equal(roles(d, 4), PROTO_ROLE_NODE);
}

/* --- limits ---------------------------------------------------------------------------------------------------------------------- */

static void tokens_that_have_ended_make_room_and_live_ones_are_bounded(void **state)
{
	struct desk *d = *state;
	struct rv_err err;
	char id[16];

	for (uint32_t i = 0; i < RV_TOKENS_MAX; i++) {
		(void)snprintf(id, sizeof id, "t%u", i);
		assert_int_equal(make_token(d, id, i, PROTO_ROLE_NODE, (i + 1) * MINUTE, 1, NULL), 1);
	}
	assert_int_equal(make_token(d, "more", 999999, PROTO_ROLE_NODE, MINUTE, 1, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	d->real_us = NOW + MINUTE; /* t0 has ended */
	assert_int_equal(make_token(d, "more", 999999, PROTO_ROLE_NODE, 5000 * MINUTE, 1, NULL), 1);
	assert_int_equal(roles(d, 999999), PROTO_ROLE_ENROLLER);
	for (uint32_t i = 0; i < 3 * RV_TOKENS_MAX; i++) {
		d->real_us += MINUTE;
		(void)snprintf(id, sizeof id, "u%u", i);
		assert_int_equal(make_token(d, id, 1000000 + i, PROTO_ROLE_NODE, 30 * MINUTE, 1, NULL), 1);
	}
	assert_int_equal(roles(d, 999999), PROTO_ROLE_ENROLLER); /* none that lives went */
}

static void keys_are_bounded_and_revoked_ones_make_room(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct rv_err err;
	char name[16];

	assert_int_equal(make_token(d, "t1", 0, PROTO_ROLE_NODE, MINUTE, RV_TOKEN_USES_MAX, NULL), 1);
	assert_int_equal(make_token(d, "t2", 9000000, PROTO_ROLE_NODE, MINUTE, RV_TOKEN_USES_MAX, NULL), 1);
	for (uint32_t i = 1; i <= RV_KEYS_MAX; i++) {
		struct proto_fact f = { .kind = PROTO_FACT_KEY,
					.key = { .change = PROTO_KEY_ADMITTED, .roles = PROTO_ROLE_NODE, .name = rv_str_of(name), .token = RV_STR("t1") } };

		(void)snprintf(name, sizeof name, "n%u", i);
		f.key.name = rv_str_of(name);
		key_of(i, f.key.key);
		(void)rv_buf_put(&d->journal, &d->real_us, sizeof d->real_us);
		assert_int_equal(proto_fact_encode(&f, &d->journal), 0);
		coord_access_apply(d->access, &f, d->real_us); /* carry_out's audit each time would be quadratic */
	}
	coord_access_audit(d->access);
	assert_int_equal(enrol(d, 9000000, 50000, "late", &answer, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	for (uint32_t i = 1; i <= RV_KEYS_REVOKED_MAX + 10; i++) {
		struct proto_revoke req = { .what = PROTO_REVOKE_KEY, .name = rv_str_of(name) };
		struct coord_access_verdict v;

		(void)snprintf(name, sizeof name, "n%u", i);
		req.name = rv_str_of(name);
		d->real_us++;
		assert_int_equal(coord_access_revoke(d->access, &req, &v, NULL), 0);
		(void)rv_buf_put(&d->journal, &d->real_us, sizeof d->real_us);
		assert_int_equal(proto_fact_encode(&v.facts[0], &d->journal), 0);
		coord_access_apply(d->access, &v.facts[0], d->real_us);
	}
	coord_access_audit(d->access);
	assert_int_equal(enrol(d, 9000000, 50000, "late", &answer, NULL), 2);
	assert_int_equal(roles(d, 50000), PROTO_ROLE_NODE);
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, "n1", &err), -1); /* so long ago that it is forgotten */
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, "n1034", NULL), 0);
}

/* A journal may hold anything that decodes: nobody comes in by facts that contradict each other. */
static void facts_that_no_decision_gave_break_nothing(void **state)
{
	struct desk *d = *state;
	struct rv_prng prng;

	rv_prng_seed(&prng, 7);
	for (int i = 0; i < 20000; i++) {
		struct proto_fact f = { 0 };
		struct coord_access_verdict v = { .fact_count = 1 };
		uint32_t key = (uint32_t)rv_prng_below(&prng, 40);
		char name[8];

		(void)snprintf(name, sizeof name, "x%u", (unsigned)rv_prng_below(&prng, 30));
		if (rv_prng_below(&prng, 2)) {
			f.kind = PROTO_FACT_KEY;
			f.key.change = rv_prng_below(&prng, 3) ? PROTO_KEY_ADMITTED : PROTO_KEY_REVOKED;
			f.key.roles = 1 + 3 * (uint32_t)rv_prng_below(&prng, 2);
			f.key.name = rv_str_of(name);
			key_of(key, f.key.key);
		} else {
			f.kind = PROTO_FACT_TOKEN;
			f.token.change = (enum proto_token_change)(1 + rv_prng_below(&prng, 3));
			f.token.id = rv_str_of(name);
			f.token.role = PROTO_ROLE_NODE;
			f.token.uses = (uint32_t)rv_prng_below(&prng, 4);
			f.token.expires_us = d->real_us + rv_prng_below(&prng, 100);
			key_of(key, f.token.key);
		}
		v.facts[0] = f;
		d->real_us += rv_prng_below(&prng, 3);
		carry_out(d, &v);
	}
}

/* --- lists ------------------------------------------------------------------------------------------------------------------------- */

static void lists_come_in_pages_and_show_no_key(void **state)
{
	struct desk *d = *state;
	struct proto_enrolled answer = { 0 };
	struct rv_buf text;
	size_t ends[4];
	uint32_t count, seen = 0;
	uint64_t cursor = 0;
	char hash[65];

	rv_buf_init(&text, 0);
	assert_int_equal(make_token(d, "t1", 1, PROTO_ROLE_NODE, MINUTE, 9, NULL), 1);
	assert_int_equal(make_token(d, "t2", 9, PROTO_ROLE_OPERATOR, 2 * MINUTE, 1, NULL), 1);
	for (uint32_t i = 10; i < 20; i++) {
		char name[8];

		(void)snprintf(name, sizeof name, "n%u", i);
		assert_int_equal(enrol_as(d, i < 19 ? PROTO_ROLE_NODE : PROTO_ROLE_OPERATOR, i < 19 ? 1 : 9, i, name, &answer, NULL), 2);
	}
	assert_int_equal(revoke_by(d, PROTO_REVOKE_KEY, "n12", NULL), 1);
	do {
		rv_buf_reset(&text);
		cursor = coord_access_keys(d->access, cursor, 4, &text, ends, &count);
		assert_true(count <= 4);
		assert_int_equal(ends[count - 1], text.bytes);
		for (uint32_t i = 0; i < count; i++)
			assert_int_equal(text.at[i ? ends[i - 1] : 0], '{');
		seen += count;
		if (seen <= 4) {
			short_hash(12, 64, hash);
			assert_non_null(strstr(text.at, hash));
			assert_non_null(strstr(text.at, "{\"name\":\"n12\",\"role\":\"node\",\"state\":\"revoked\""));
		}
	} while (cursor);
	assert_int_equal(seen, 10);

	rv_buf_reset(&text);
	d->real_us += MINUTE;
	assert_int_equal(coord_access_tokens(d->access, 0, 4, d->real_us, &text, ends, &count), 0);
	assert_int_equal(count, 2);
	assert_non_null(strstr(text.at, "{\"id\":\"t1\",\"role\":\"node\",\"state\":\"expired\",\"uses\":9,\"uses_left\":0"));
	assert_non_null(strstr(text.at, "{\"id\":\"t2\",\"role\":\"operator\",\"state\":\"used\",\"uses\":1,\"uses_left\":0"));
	assert_null(strstr(text.at, "key"));
	rv_buf_reset(&text);
	assert_int_equal(coord_access_tokens(d->access, 1, 1, d->real_us, &text, ends, &count), 2);
	assert_int_equal(count, 1);
	rv_buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		desk_test(nobody_is_let_in_by_an_empty_list),
		desk_test(a_token_lets_its_holder_enrol_and_do_nothing_else),
		desk_test(a_token_is_used_up_and_its_user_may_ask_again),
		desk_test(a_token_ends_with_its_time),
		desk_test(a_token_is_not_spent_on_the_other_role),
		desk_test(a_revoked_token_lets_nobody_in_any_more),
		desk_test(a_token_that_is_made_twice_is_one_token),
		desk_test(what_a_token_may_be_is_bounded),
		desk_test(a_name_that_is_held_is_refused_to_the_second_naming_the_holder),
		desk_test(a_key_has_the_role_it_was_admitted_with),
		desk_test(a_revoked_key_has_no_role_at_once),
		desk_test(no_token_brings_a_revoked_key_back),
		desk_test(tokens_that_have_ended_make_room_and_live_ones_are_bounded),
		desk_test(keys_are_bounded_and_revoked_ones_make_room),
		desk_test(facts_that_no_decision_gave_break_nothing),
		desk_test(lists_come_in_pages_and_show_no_key),
	};

	return RUN(tests);
}
