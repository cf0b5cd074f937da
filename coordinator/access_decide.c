/* access_decide.c - what may be changed about keys and tokens, and by which facts (access.h) */
#include "coordinator/access_state.h"

#include "common/id.h"
#include "common/net/curve.h"

enum { HASH_PREFIX_CHARS_MIN = 8, HASH_SHOWN_CHARS = 16 };

static void shown_hash(const struct coord_key *k, char out[HASH_SHOWN_CHARS + 1])
{
	rv_hex(out, k->hash, HASH_SHOWN_CHARS / 2);
}

static const char *role_name(uint32_t role)
{
	return role == PROTO_ROLE_OPERATOR ? "operator" : "node";
}

/* --- tokens ------------------------------------------------------------------------------------------------------------- */

static uint32_t tokens_live(const struct coord_access *a, uint64_t real_us)
{
	uint32_t live = 0;

	for (uint32_t i = 0; i < a->tokens_touched; i++)
		live += !coord_token_ended(&a->tokens[i], real_us);
	return live;
}

static int check_token(const struct proto_token_create *req, struct rv_err *err)
{
	if (!rv_name_valid(req->id))
		return rv_fail(err, RV_E_USAGE, "a token's id has 1 to %u of letters, digits, '.', '_' and '-'", RV_NAME_BYTES_MAX);
	if (req->role != PROTO_ROLE_NODE && req->role != PROTO_ROLE_OPERATOR)
		return rv_fail(err, RV_E_USAGE, "a token's role is node or operator");
	if (req->ttl_us < RV_TOKEN_TTL_US_MIN || req->ttl_us > RV_TOKEN_TTL_US_MAX)
		return rv_fail(err, RV_E_LIMIT, "a token lives 1 second to 366 days");
	if (req->uses < 1 || req->uses > RV_TOKEN_USES_MAX)
		return rv_fail(err, RV_E_LIMIT, "a token has 1 to %u uses", RV_TOKEN_USES_MAX);
	return 0;
}

int coord_access_token_create(const struct coord_access *a, const struct proto_token_create *req, uint64_t real_us, struct coord_access_verdict *out,
			      struct rv_err *err)
{
	const struct coord_token *same = coord_access_find_token_id(a, req->id);

	if (check_token(req, err) < 0)
		return -1;
	if (same && memcmp(same->key, req->key, PROTO_KEY_BYTES) == 0) {
		out->fact_count = 0;
		return 0;
	}
	if (same)
		return rv_fail(err, RV_E_EXISTS, "there is a token %.*s already", RV_STR_ARGS(req->id));
	if (rv_intmap_get(&a->by_key, coord_access_key_number(req->key)) != RV_MAP_NONE)
		return rv_fail(err, RV_E_EXISTS, "this key is in use already");
	if (tokens_live(a, real_us) >= RV_TOKENS_MAX) {
		(void)rv_fail(err, RV_E_LIMIT, "there are %u tokens that have not ended; that is the limit", RV_TOKENS_MAX);
		return rv_hint(err, "reeve token revoke ends one");
	}
	out->fact_count = 1;
	out->facts[0] = (struct proto_fact){
		.kind = PROTO_FACT_TOKEN,
		.token = {
			.change = PROTO_TOKEN_MADE,
			.id = req->id,
			.role = req->role,
			.expires_us = rv_sat_add(real_us, req->ttl_us),
			.uses = req->uses,
		},
	};
	memcpy(out->facts[0].token.key, req->key, PROTO_KEY_BYTES);
	return 0;
}

static void token_fact(const struct coord_token *t, enum proto_token_change change, uint32_t uses, struct proto_fact *out)
{
	*out = (struct proto_fact){
		.kind = PROTO_FACT_TOKEN,
		.token = { .change = change, .id = rv_str_of(t->id), .role = t->role, .expires_us = t->expires_us, .uses = uses },
	};
	memcpy(out->token.key, t->key, PROTO_KEY_BYTES);
}

/* --- joining ---------------------------------------------------------------------------------------------------------------- */

static int refuse_token(struct rv_err *err)
{
	(void)rv_fail(err, RV_E_DENIED, "%s", NET_TOKEN_REFUSED);
	return rv_hint(err, "reeve token create makes another");
}

static int check_name(const struct coord_access *a, const struct proto_enrol *req, struct rv_err *err)
{
	const struct coord_key *holder;
	char hash[HASH_SHOWN_CHARS + 1];

	if (!rv_name_valid(req->name))
		return rv_fail(err, RV_E_USAGE, "a name has 1 to %u of letters, digits, '.', '_' and '-'", RV_NAME_BYTES_MAX);
	holder = coord_access_find_name(a, req->name);
	if (!holder) {
		/* two names of one number: which has never happened, and is no reason to give one the other's place */
		if (rv_intmap_get(&a->by_name, coord_access_name_number(req->name)) != RV_MAP_NONE)
			return rv_fail(err, RV_E_EXISTS, "the name %.*s cannot be told from another", RV_STR_ARGS(req->name));
		return 0;
	}
	shown_hash(holder, hash);
	(void)rv_fail(err, RV_E_EXISTS, "the name %.*s is held by the key %s", RV_STR_ARGS(req->name), hash);
	return rv_hint(err, "another --name, or reeve key revoke %.*s if that one is gone", RV_STR_ARGS(req->name));
}

/* Said before anything is spent: whoever holds the token may use it for what it is. */
static int refuse_role(uint32_t gives, struct rv_err *err)
{
	(void)rv_fail(err, RV_E_CONFLICT, gives == PROTO_ROLE_NODE ? "this token lets a node in, not an operator" : "this token lets an operator in, not a node");
	return rv_hint(err, gives == PROTO_ROLE_NODE ? "`reeve token create --role operator` makes one for login; `reeve node --token-file` takes this one, which is not spent" :
						       "`reeve token create` makes one for a node; `reeve login --token-file` takes this one, which is not spent");
}

static void fill_answer(uint32_t role, struct rv_str name, struct proto_enrolled *answer)
{
	answer->role = role;
	answer->name = name;
}

int coord_access_enrol(const struct coord_access *a, const uint8_t enroller[PROTO_KEY_BYTES], const struct proto_enrol *req, uint64_t real_us,
		       struct coord_access_verdict *out, struct proto_enrolled *answer, struct rv_err *err)
{
	const struct coord_token *t = coord_access_find_token(a, enroller);
	const struct coord_key *k = coord_access_find_key(a, req->key);

	if (!t || coord_token_ended(t, real_us))
		return refuse_token(err);
	if (req->role != t->role)
		return refuse_role(t->role, err);
	if (k && k->state == KEY_ADMITTED) {
		if (k->roles != t->role)
			return rv_fail(err, RV_E_EXISTS, "this key is admitted already, and not as %s", role_name(t->role));
		out->fact_count = 0;
		fill_answer(t->role, rv_str_of(k->name), answer);
		return 0;
	}
	if (t->uses_left == 0)
		return refuse_token(err);
	if (k) { /* revoked: whoever else has it must not come back with it */
		(void)rv_fail(err, RV_E_STALE, "this key was revoked");
		return rv_hint(err, "its owner needs a new one: without the old key's file, joining makes it");
	}
	if ( rv_intmap_get(&a->by_key, coord_access_key_number(req->key)) != RV_MAP_NONE)
		return rv_fail(err, RV_E_EXISTS, "this key is a token's, or cannot be told from another");
	if (check_name(a, req, err) < 0)
		return -1;
	if (a->admitted == RV_KEYS_MAX)
		return rv_fail(err, RV_E_LIMIT, "%u keys are admitted; that is the limit", RV_KEYS_MAX);
	out->fact_count = 2;
	out->facts[0] = (struct proto_fact){
		.kind = PROTO_FACT_KEY,
		.key = { .change = PROTO_KEY_ADMITTED, .roles = t->role, .name = req->name, .token = rv_str_of(t->id) },
	};
	memcpy(out->facts[0].key.key, req->key, PROTO_KEY_BYTES);
	token_fact(t, PROTO_TOKEN_USED, t->uses_left - 1, &out->facts[1]);
	fill_answer(t->role, req->name, answer);
	return 0;
}

/* --- revoking --------------------------------------------------------------------------------------------------------------------- */

static void revoke_key(const struct coord_key *k, struct coord_access_verdict *out)
{
	out->fact_count = k->state == KEY_ADMITTED;
	if (!out->fact_count)
		return;
	out->facts[0] = (struct proto_fact){
		.kind = PROTO_FACT_KEY,
		.key = { .change = PROTO_KEY_REVOKED, .roles = k->roles, .name = rv_str_of(k->name), .token = rv_str_of(k->token) },
	};
	memcpy(out->facts[0].key.key, k->key, PROTO_KEY_BYTES);
}

static bool hex_digits(struct rv_str s)
{
	for (size_t i = 0; i < s.bytes; i++)
		if (!((s.at[i] >= '0' && s.at[i] <= '9') || (s.at[i] >= 'a' && s.at[i] <= 'f')))
			return false;
	return true;
}

/* Does what a person calls a key mean this one? Its name, or a beginning of its hash. */
static bool key_called(const struct coord_key *k, struct rv_str name, bool may_be_hash)
{
	char hex[2 * PROTO_DIGEST_BYTES + 1];

	if (rv_str_equal(rv_str_of(k->name), name))
		return true;
	if (!may_be_hash)
		return false;
	rv_hex(hex, k->hash, PROTO_DIGEST_BYTES);
	return memcmp(hex, name.at, name.bytes) == 0;
}

/* An admitted key goes before revoked ones of the same name. */
static int find_called(const struct coord_access *a, struct rv_str name, const struct coord_key **out, struct rv_err *err)
{
	bool may_be_hash = name.bytes >= HASH_PREFIX_CHARS_MIN && name.bytes <= (size_t)2 * PROTO_DIGEST_BYTES && hex_digits(name);
	const struct coord_key *admitted = NULL, *revoked = NULL;

	*out = coord_access_find_name(a, name);
	if (*out)
		return 0;
	for (uint32_t i = 0; i < a->keys_touched; i++) {
		const struct coord_key *k = &a->keys[i];

		if (k->state == KEY_FREE || !key_called(k, name, may_be_hash))
			continue;
		if (k->state == KEY_ADMITTED && admitted) {
			(void)rv_fail(err, RV_E_USAGE, "more than one key's hash begins with %.*s", RV_STR_ARGS(name));
			return rv_hint(err, "more digits, or the name: reeve key list");
		}
		*(k->state == KEY_ADMITTED ? &admitted : &revoked) = k;
	}
	*out = admitted ? admitted : revoked;
	if (*out)
		return 0;
	(void)rv_fail(err, RV_E_NOT_FOUND, "there is no key %.*s", RV_STR_ARGS(name));
	return rv_hint(err, "reeve key list names them; a hash needs its first %d digits at least", HASH_PREFIX_CHARS_MIN);
}

static int revoke_token(const struct coord_access *a, struct rv_str id, struct coord_access_verdict *out, struct rv_err *err)
{
	const struct coord_token *t = coord_access_find_token_id(a, id);

	if (!t) {
		(void)rv_fail(err, RV_E_NOT_FOUND, "there is no token %.*s", RV_STR_ARGS(id));
		return rv_hint(err, "reeve token list names them");
	}
	out->fact_count = t->state == TOKEN_MADE;
	if (out->fact_count)
		token_fact(t, PROTO_TOKEN_REVOKED, t->uses_left, &out->facts[0]);
	return 0;
}

int coord_access_revoke(const struct coord_access *a, const struct proto_revoke *req, struct coord_access_verdict *out, struct rv_err *err)
{
	const struct coord_key *k;

	if (!rv_name_valid(req->name))
		return rv_fail(err, RV_E_USAGE, "a name has 1 to %u of letters, digits, '.', '_' and '-'", RV_NAME_BYTES_MAX);
	if (req->what == PROTO_REVOKE_TOKEN)
		return revoke_token(a, req->name, out, err);
	if (find_called(a, req->name, &k, err) < 0)
		return -1;
	revoke_key(k, out);
	return 0;
}

void coord_access_revoke_hash(const struct coord_access *a, const uint8_t hash[PROTO_DIGEST_BYTES], struct coord_access_verdict *out)
{
	out->fact_count = 0;
	for (uint32_t i = 0; i < a->keys_touched; i++)
		if (a->keys[i].state == KEY_ADMITTED && memcmp(a->keys[i].hash, hash, PROTO_DIGEST_BYTES) == 0)
			revoke_key(&a->keys[i], out);
}
