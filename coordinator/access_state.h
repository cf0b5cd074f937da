/* access_state.h - the tables of access.h; for coordinator/access*.c only */
#ifndef COORD_ACCESS_STATE_H
#define COORD_ACCESS_STATE_H

#include "common/limits.h"
#include "common/map.h"
#include "coordinator/access.h"

enum {
	KEY_PLACES = RV_KEYS_MAX + RV_KEYS_REVOKED_MAX,
	TOKEN_PLACES = RV_TOKENS_MAX + RV_TOKENS_ENDED_MAX,
};

#define COORD_ACCESS_TOKEN_BIT 0x80000000u /* of a value in `by_key`: a token's place, not a key's */

enum coord_key_state { KEY_FREE, KEY_ADMITTED, KEY_REVOKED };

struct coord_key {
	enum coord_key_state state;
	uint32_t roles;
	uint32_t next_free;
	uint8_t key[PROTO_KEY_BYTES];
	uint8_t hash[PROTO_DIGEST_BYTES];
	uint64_t since_us, revoked_us; /* CLOCK_REALTIME of the facts */
	char name[RV_NAME_BYTES_MAX + 1];
	char token[RV_NAME_BYTES_MAX + 1];
};

enum coord_token_state { TOKEN_FREE, TOKEN_MADE, TOKEN_REVOKED };

struct coord_token {
	enum coord_token_state state;
	uint32_t role;
	uint32_t uses, uses_left;
	uint8_t key[PROTO_KEY_BYTES];
	uint64_t made_us, expires_us;
	char id[RV_NAME_BYTES_MAX + 1];
};

struct coord_access {
	struct coord_key *keys;     /* KEY_PLACES; a place is touched first when it is needed */
	struct coord_token *tokens; /* TOKEN_PLACES */
	struct rv_intmap by_key;    /* hash of the 32 bytes -> place */
	struct rv_intmap by_name;   /* hash of an admitted key's name -> place */
	struct rv_intmap_slot *key_slots, *name_slots;
	uint32_t keys_touched, free_key; /* places ever used; first of the free ones among them, RV_MAP_NONE */
	uint32_t tokens_touched;
	uint32_t admitted, revoked;
	uint64_t beyond;            /* facts that found no place: let nobody in */
};

static inline bool coord_token_ended(const struct coord_token *t, uint64_t real_us)
{
	return t->state == TOKEN_REVOKED || real_us >= t->expires_us;
}

const struct coord_key *coord_access_find_key(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES]);
const struct coord_token *coord_access_find_token(const struct coord_access *a, const uint8_t key[PROTO_KEY_BYTES]);
const struct coord_token *coord_access_find_token_id(const struct coord_access *a, struct rv_str id);
const struct coord_key *coord_access_find_name(const struct coord_access *a, struct rv_str name); /* admitted ones */
uint64_t coord_access_key_number(const uint8_t key[PROTO_KEY_BYTES]);
uint64_t coord_access_name_number(struct rv_str name);

#endif
