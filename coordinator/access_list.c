/* access_list.c - keys and tokens as rows, their digest and audits (access.h) */
#include "coordinator/access_state.h"

#include "common/check.h"
#include "common/id.h"

static void put_role(struct rv_buf *text, uint32_t roles)
{
	(void)rv_buf_puts(text, "\"role\":");
	(void)rv_buf_puts(text, roles == PROTO_ROLE_OPERATOR ? "\"operator\"" : roles == PROTO_ROLE_NODE ? "\"node\"" : "\"node,operator\"");
}

static void put_key(struct rv_buf *text, const struct coord_key *k)
{
	char hash[2 * PROTO_DIGEST_BYTES + 1];

	rv_hex(hash, k->hash, PROTO_DIGEST_BYTES);
	(void)rv_buf_puts(text, "{\"name\":");
	(void)rv_buf_put_json(text, rv_str_of(k->name));
	(void)rv_buf_putc(text, ',');
	put_role(text, k->roles);
	(void)rv_buf_printf(text, ",\"state\":\"%s\",\"hash\":\"%s\",\"token\":", k->state == KEY_ADMITTED ? "admitted" : "revoked", hash);
	(void)rv_buf_put_json(text, rv_str_of(k->token));
	(void)rv_buf_printf(text, ",\"admitted_us\":%llu,\"revoked_us\":%llu}", (unsigned long long)k->since_us,
			    (unsigned long long)(k->state == KEY_REVOKED ? k->revoked_us : 0));
}

static const char *token_state(const struct coord_token *t, uint64_t real_us)
{
	if (t->state == TOKEN_REVOKED)
		return "revoked";
	if (real_us >= t->expires_us)
		return "expired";
	return t->uses_left ? "valid" : "used";
}

static void put_token(struct rv_buf *text, const struct coord_token *t, uint64_t real_us)
{
	(void)rv_buf_puts(text, "{\"id\":");
	(void)rv_buf_put_json(text, rv_str_of(t->id));
	(void)rv_buf_putc(text, ',');
	put_role(text, t->role);
	(void)rv_buf_printf(text, ",\"state\":\"%s\",\"uses\":%u,\"uses_left\":%u,\"made_us\":%llu,\"expires_us\":%llu}", token_state(t, real_us), t->uses,
			    t->uses_left, (unsigned long long)t->made_us, (unsigned long long)t->expires_us);
}

/* A cursor is a place + 1: places keep their owners, so a page goes on where the last one ended. */
uint64_t coord_access_keys(const struct coord_access *a, uint64_t cursor, uint32_t limit, struct rv_buf *text, size_t *ends, uint32_t *count)
{
	uint64_t i = cursor ? cursor - 1 : 0;

	for (*count = 0; i < a->keys_touched; i++) {
		if (a->keys[i].state == KEY_FREE)
			continue;
		if (*count == limit)
			return i + 1;
		put_key(text, &a->keys[i]);
		ends[(*count)++] = text->bytes;
	}
	return 0;
}

uint64_t coord_access_tokens(const struct coord_access *a, uint64_t cursor, uint32_t limit, uint64_t real_us, struct rv_buf *text, size_t *ends,
			     uint32_t *count)
{
	uint64_t i = cursor ? cursor - 1 : 0;

	for (*count = 0; i < a->tokens_touched; i++) {
		if (*count == limit)
			return i + 1;
		put_token(text, &a->tokens[i], real_us);
		ends[(*count)++] = text->bytes;
	}
	return 0;
}

/* --- the same after replay? ------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t digest, const void *bytes, size_t count)
{
	return rv_hash(digest, rv_str(bytes, count));
}

uint64_t coord_access_digest(const struct coord_access *a)
{
	uint64_t digest = 0;

	for (uint32_t i = 0; i < a->keys_touched; i++) {
		const struct coord_key *k = &a->keys[i];
		uint64_t numbers[] = { i, k->state, k->roles, k->since_us, k->revoked_us };

		if (k->state == KEY_FREE)
			continue;
		digest = mix(digest, numbers, sizeof numbers);
		digest = mix(digest, k->key, sizeof k->key);
		digest = mix(digest, k->name, strlen(k->name));
		digest = mix(digest, k->token, strlen(k->token));
	}
	for (uint32_t i = 0; i < a->tokens_touched; i++) {
		const struct coord_token *t = &a->tokens[i];
		uint64_t numbers[] = { i, t->state, t->role, t->uses, t->uses_left, t->made_us, t->expires_us };

		digest = mix(digest, numbers, sizeof numbers);
		digest = mix(digest, t->key, sizeof t->key);
		digest = mix(digest, t->id, strlen(t->id));
	}
	return digest;
}

/* --- audits ------------------------------------------------------------------------------------------------------------------- */

void coord_access_audit(const struct coord_access *a)
{
	uint32_t admitted = 0, revoked = 0, held = 0;

	for (uint32_t i = 0; i < a->keys_touched; i++) {
		const struct coord_key *k = &a->keys[i];

		if (k->state == KEY_FREE)
			continue;
		if (k->state == KEY_ADMITTED)
			rv_check(coord_access_find_name(a, rv_str_of(k->name)) == k); /* K1 */
		rv_check(coord_access_find_key(a, k->key) == k);                      /* K2 */
		held++;
		admitted += k->state == KEY_ADMITTED;
		revoked += k->state == KEY_REVOKED;
	}
	for (uint32_t i = 0; i < a->tokens_touched; i++) {
		const struct coord_token *t = &a->tokens[i];

		rv_check(coord_access_find_token(a, t->key) == t); /* K2 */
		rv_check(t->uses_left <= t->uses);                 /* K3 */
		held++;
	}
	rv_check(a->by_key.count == held);      /* K2 */
	rv_check(a->by_name.count == admitted); /* K1 */
	rv_check(a->admitted == admitted);      /* K4 */
	rv_check(a->revoked == revoked);
	rv_check(admitted <= RV_KEYS_MAX);
	rv_check(revoked <= RV_KEYS_REVOKED_MAX);
	rv_check(a->tokens_touched <= TOKEN_PLACES);
}
