/* access.c - the fold of keys and tokens (access.h); decisions are in access_decide.c, lists and audits in access_list.c */
#include "coordinator/access_state.h"

#include "common/check.h"
#include "common/net/curve.h"
#include "common/plant.h"

#include <stdlib.h>

_Static_assert(KEY_PLACES < COORD_ACCESS_TOKEN_BIT, "places fit beside the bit");

int coord_access_create(struct coord_access **out, struct rv_err *err)
{
	struct coord_access *a = calloc(1, sizeof *a);
	uint32_t key_slots = rv_intmap_slots(KEY_PLACES + TOKEN_PLACES), name_slots = rv_intmap_slots(KEY_PLACES);

	if (a) {
		a->keys = calloc(KEY_PLACES, sizeof *a->keys);
		a->tokens = calloc(TOKEN_PLACES, sizeof *a->tokens);
		a->key_slots = calloc(key_slots, sizeof *a->key_slots);
		a->name_slots = calloc(name_slots, sizeof *a->name_slots);
	}
	if (!a || !a->keys || !a->tokens || !a->key_slots || !a->name_slots) {
		coord_access_destroy(&a);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the list of keys");
	}
	rv_intmap_init(&a->by_key, a->key_slots, key_slots);
	rv_intmap_init(&a->by_name, a->name_slots, name_slots);
	a->free_key = RV_MAP_NONE;
	*out = a;
	return 0;
}

void coord_access_destroy(struct coord_access **a)
{
	if (!*a)
		return;
	free((*a)->keys);
	free((*a)->tokens);
	free((*a)->key_slots);
	free((*a)->name_slots);
	free(*a);
	*a = NULL;
}

/* --- finding ------------------------------------------------------------------------------------------------------------ */

uint64_t coord_access_key_number(const uint8_t key[PROTO_KEY_BYTES])
{
	return rv_hash(0, rv_str((const char *)key, PROTO_KEY_BYTES));
}

uint64_t coord_access_name_number(struct rv_str name)
{
	return rv_hash(0, name);
}

const struct coord_key *coord_access_find_key(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES])
{
	uint32_t place = rv_intmap_get(&a->by_key, coord_access_key_number(key));
	const struct coord_key *k;

	if (place == RV_MAP_NONE || place & COORD_ACCESS_TOKEN_BIT)
		return NULL;
	k = &a->keys[place];
	return memcmp(k->key, key, PROTO_KEY_BYTES) == 0 ? k : NULL;
}

const struct coord_token *coord_access_find_token(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES])
{
	uint32_t place = rv_intmap_get(&a->by_key, coord_access_key_number(key));
	const struct coord_token *t;

	if (place == RV_MAP_NONE || !(place & COORD_ACCESS_TOKEN_BIT))
		return NULL;
	t = &a->tokens[place & ~COORD_ACCESS_TOKEN_BIT];
	return memcmp(t->key, key, PROTO_KEY_BYTES) == 0 ? t : NULL;
}

const struct coord_token *coord_access_find_token_id(const struct coord_access *a, struct rv_str id)
{
	for (uint32_t i = 0; i < a->tokens_touched; i++)
		if (a->tokens[i].state != TOKEN_FREE && rv_str_equal(rv_str_of(a->tokens[i].id), id))
			return &a->tokens[i];
	return NULL;
}

const struct coord_key *coord_access_find_name(const struct coord_access *a, struct rv_str name)
{
	uint32_t place = rv_intmap_get(&a->by_name, coord_access_name_number(name));

	return place != RV_MAP_NONE && rv_str_equal(rv_str_of(a->keys[place].name), name) ? &a->keys[place] : NULL;
}

uint32_t coord_access_roles(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES], uint64_t real_us)
{
	uint32_t place = rv_intmap_get(&a->by_key, coord_access_key_number(key));

	if (place == RV_MAP_NONE)
		return 0;
	if (place & COORD_ACCESS_TOKEN_BIT) {
		const struct coord_token *t = &a->tokens[place & ~COORD_ACCESS_TOKEN_BIT];

		return memcmp(t->key, key, PROTO_KEY_BYTES) == 0 && !coord_token_ended(t, real_us) ? PROTO_ROLE_ENROLLER : 0;
	}
	if (a->keys[place].state != KEY_ADMITTED && !(RV_PLANT(REVOKED_HEARD) && a->keys[place].state == KEY_REVOKED))
		return 0;
	return memcmp(a->keys[place].key, key, PROTO_KEY_BYTES) == 0 ? a->keys[place].roles : 0;
}

struct rv_str coord_access_name(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES])
{
	const struct coord_key *k = coord_access_find_key(a, key);

	return k && k->state == KEY_ADMITTED ? rv_str_of(k->name) : RV_STR("");
}

/* --- folding keys -------------------------------------------------------------------------------------------------------------- */

static void copy_name(char out[RV_NAME_BYTES_MAX + 1], struct rv_str name)
{
	size_t bytes = name.bytes <= RV_NAME_BYTES_MAX ? name.bytes : RV_NAME_BYTES_MAX;

	if (bytes)
		memmove(out, name.at, bytes);
	out[bytes] = '\0';
}

static struct coord_key *take_key_place(struct coord_access *a)
{
	struct coord_key *k;

	if (a->free_key != RV_MAP_NONE) {
		k = &a->keys[a->free_key];
		a->free_key = k->next_free;
	} else if (a->keys_touched < KEY_PLACES) {
		k = &a->keys[a->keys_touched++];
	} else {
		return NULL;
	}
	memset(k, 0, sizeof *k);
	return k;
}

static void give_key_place(struct coord_access *a, struct coord_key *k)
{
	(void)rv_intmap_remove(&a->by_key, coord_access_key_number(k->key));
	memset(k, 0, sizeof *k);
	k->next_free = a->free_key;
	a->free_key = (uint32_t)(k - a->keys);
}

static void forget_oldest_revoked(struct coord_access *a)
{
	struct coord_key *oldest = NULL;

	for (uint32_t i = 0; i < a->keys_touched; i++) {
		struct coord_key *k = &a->keys[i];

		if (k->state == KEY_REVOKED && (!oldest || k->revoked_us < oldest->revoked_us))
			oldest = k;
	}
	rv_check(oldest);
	give_key_place(a, oldest);
	a->revoked--;
}

static void drop_name(struct coord_access *a, const struct coord_key *k)
{
	if (coord_access_find_name(a, rv_str_of(k->name)) == k)
		(void)rv_intmap_remove(&a->by_name, coord_access_name_number(rv_str_of(k->name)));
}

static void admit(struct coord_access *a, const struct proto_fact *f, uint64_t real_us)
{
	const struct coord_key *holder = coord_access_find_name(a, f->key.name);
	struct coord_key *k = (struct coord_key *)coord_access_find_key(a, f->key.key);

	if ((holder && holder != k) || (!(k && k->state == KEY_ADMITTED) && a->admitted == RV_KEYS_MAX) ||
	    (!k && (rv_intmap_get(&a->by_key, coord_access_key_number(f->key.key)) != RV_MAP_NONE || !(k = take_key_place(a))))) {
		a->beyond++;
		return;
	}
	if (k->state == KEY_ADMITTED) {
		drop_name(a, k);
		a->admitted--;
	}
	if (k->state == KEY_REVOKED)
		a->revoked--;
	k->state = KEY_ADMITTED;
	k->roles = f->key.roles;
	k->since_us = real_us;
	k->revoked_us = 0;
	memcpy(k->key, f->key.key, PROTO_KEY_BYTES);
	net_key_hash(k->key, k->hash);
	copy_name(k->name, f->key.name);
	copy_name(k->token, f->key.token);
	rv_intmap_put(&a->by_key, coord_access_key_number(k->key), (uint32_t)(k - a->keys));
	rv_intmap_put(&a->by_name, coord_access_name_number(rv_str_of(k->name)), (uint32_t)(k - a->keys));
	a->admitted++;
}

static void revoke_key(struct coord_access *a, const struct proto_fact *f, uint64_t real_us)
{
	struct coord_key *k = (struct coord_key *)coord_access_find_key(a, f->key.key);

	if (!k || k->state != KEY_ADMITTED)
		return;
	drop_name(a, k);
	if (a->revoked == RV_KEYS_REVOKED_MAX)
		forget_oldest_revoked(a);
	k->state = KEY_REVOKED;
	k->revoked_us = real_us;
	a->admitted--;
	a->revoked++;
}

/* --- folding tokens ------------------------------------------------------------------------------------------------------------- */

/* A free place, else that of the token that has ended first made. */
static struct coord_token *take_token_place(struct coord_access *a, uint64_t real_us)
{
	struct coord_token *ended = NULL;

	if (a->tokens_touched < TOKEN_PLACES)
		return &a->tokens[a->tokens_touched++];
	for (uint32_t i = 0; i < TOKEN_PLACES; i++) {
		struct coord_token *t = &a->tokens[i];

		if (coord_token_ended(t, real_us) && (!ended || t->made_us < ended->made_us))
			ended = t;
	}
	if (ended)
		(void)rv_intmap_remove(&a->by_key, coord_access_key_number(ended->key));
	return ended;
}

static void make_token(struct coord_access *a, const struct proto_fact *f, uint64_t real_us)
{
	struct coord_token *t;

	if (rv_intmap_get(&a->by_key, coord_access_key_number(f->token.key)) != RV_MAP_NONE || !(t = take_token_place(a, real_us))) {
		a->beyond++;
		return;
	}
	*t = (struct coord_token){
		.state = TOKEN_MADE,
		.role = f->token.role,
		.uses = f->token.uses,
		.uses_left = f->token.uses,
		.made_us = real_us,
		.expires_us = f->token.expires_us,
	};
	memcpy(t->key, f->token.key, PROTO_KEY_BYTES);
	copy_name(t->id, f->token.id);
	rv_intmap_put(&a->by_key, coord_access_key_number(t->key), (uint32_t)(t - a->tokens) | COORD_ACCESS_TOKEN_BIT);
}

static void change_token(struct coord_access *a, const struct proto_fact *f)
{
	struct coord_token *t = (struct coord_token *)coord_access_find_token(a, f->token.key);

	if (!t)
		return;
	if (f->token.change == PROTO_TOKEN_USED && f->token.uses <= t->uses_left)
		t->uses_left = f->token.uses;
	if (f->token.change == PROTO_TOKEN_REVOKED)
		t->state = TOKEN_REVOKED;
}

void coord_access_apply(struct coord_access *a, const struct proto_fact *f, uint64_t real_us)
{
	if (f->kind == PROTO_FACT_KEY && f->key.change == PROTO_KEY_ADMITTED)
		admit(a, f, real_us);
	else if (f->kind == PROTO_FACT_KEY)
		revoke_key(a, f, real_us);
	else if (f->kind == PROTO_FACT_TOKEN && f->token.change == PROTO_TOKEN_MADE)
		make_token(a, f, real_us);
	else if (f->kind == PROTO_FACT_TOKEN)
		change_token(a, f);
}
