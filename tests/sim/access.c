/* access.c - who is let in: coordinator/access as the coordinator's tcp side asks it, in worlds of spec.curve
 *
 * A node has a key. It enrols with the cluster's one token when its key is on no list, is let in by its key from then on, and each frame
 * is looked at again. A revoked one is refused at the door, and what comes on a link that lives on has no effect. What is acted upon all
 * the same is the checker's to see: it goes by the journal and by `revoked` of links, never by the list.
 */
#include "tests/sim/world.h"

#include "common/check.h"
#include "common/os/keys.h"
#include "proto/record.h"

#include <stdio.h>
#include <string.h>

static const uint8_t token_key[PROTO_KEY_BYTES] = "the key that a token's secret is";

/* Another key of its own: at first, and when it is set up anew after it was revoked. */
void sim_access_new_key(struct sim_world *w, struct sim_node *n)
{
	uint64_t words[PROTO_KEY_BYTES / 8];
	uint32_t i;

	n->keys++;
	for (i = 0; i < RV_ARRAY_LEN(words); i++)
		words[i] = rv_hash_u64(rv_hash_u64(w->spec->seed, 9000 + n->index), n->keys * 8 + i);
	memcpy(n->curve_key, words, sizeof(n->curve_key));
	rv_digest(rv_str((const char *)n->curve_key, sizeof(n->curve_key)), n->info.key);
	n->revoked = n->removed = false;
}

void sim_access_create(struct sim_world *w)
{
	struct rv_err err;

	if (w->spec->curve && coord_access_create(&w->coord.access, &err) < 0)
		rv_check(!"no memory");
}

void sim_access_destroy(struct sim_world *w)
{
	if (w->coord.access)
		coord_access_destroy(&w->coord.access);
}

void sim_access_fact(struct sim_world *w, const struct proto_fact *f, uint64_t real_us)
{
	if (!w->coord.access)
		return;
	coord_access_apply(w->coord.access, f, real_us);
	if (f->kind == PROTO_FACT_KEY || f->kind == PROTO_FACT_TOKEN)
		coord_access_audit(w->coord.access);
}

static void record(struct sim_world *w, const struct coord_access_verdict *v)
{
	uint32_t i;

	for (i = 0; i < v->fact_count; i++)
		sim_coord_record(w, &v->facts[i]);
}

/* The token is made anew where the journal has lost it, or was begun. */
static void make_token(struct sim_world *w)
{
	struct proto_token_create req = { .id = RV_STR("all"), .role = PROTO_ROLE_NODE, .ttl_us = RV_TOKEN_TTL_US_MAX, .uses = RV_TOKEN_USES_MAX };
	struct coord_access_verdict v;
	struct rv_err err;

	memcpy(req.key, token_key, sizeof(req.key));
	if (coord_access_token_create(w->coord.access, &req, sim_coord_real(w), &v, &err) < 0)
		rv_check(!"a token that is refused");
	record(w, &v);
}

static void enrol(struct sim_world *w, const struct sim_node *n)
{
	struct proto_enrol req = { .request = 1, .name = rv_str_of(n->name), .role = PROTO_ROLE_NODE };
	struct coord_access_verdict v;
	struct proto_enrolled answer;
	struct rv_err err;

	make_token(w);
	memcpy(req.key, n->curve_key, sizeof(req.key));
	if (!(coord_access_roles(w->coord.access, token_key, sim_coord_real(w)) & PROTO_ROLE_ENROLLER))
		rv_check(!"a token that lets nobody in");
	/* The name may be held by the key that this machine had before: it is free once that is revoked. */
	if (coord_access_enrol(w->coord.access, token_key, &req, sim_coord_real(w), &v, &answer, &err) < 0)
		return;
	record(w, &v);
	sim_note(w, "node enrols", n->index, n->keys, v.fact_count);
}

bool sim_access_admits(const struct sim_world *w, const uint8_t key[PROTO_KEY_BYTES])
{
	return !w->coord.access || coord_access_roles(w->coord.access, key, sim_coord_real(w)) & PROTO_ROLE_NODE;
}

bool sim_access_connect(struct sim_world *w, struct sim_node *n)
{
	if (sim_access_admits(w, n->curve_key)) {
		if (n->revoked && w->coord.access)
			sim_broken(w, "I13: node %u is let in, and its key is revoked", n->index);
		return true;
	}
	if (!n->revoked && w->coord.paused_until_us <= w->now_us && !w->coord.crashed)
		enrol(w, n);
	return false;
}

/* `key revoke NAME`, or of a node that was removed. True: it is revoked now, and was not. */
bool sim_access_revoke(struct sim_world *w, struct sim_node *n)
{
	struct coord_access_verdict v;
	uint32_t i;

	if (!w->coord.access)
		return false;
	coord_access_revoke_hash(w->coord.access, n->info.key, &v);
	record(w, &v);
	n->revoked |= v.fact_count > 0; /* until a crash shows that it was not written */
	n->revoked_row = v.fact_count ? RV_NEVER : n->revoked_row;
	for (i = 0; i < w->link_count && v.fact_count; i++)
		w->links[i].revoked |= w->links[i].node == n->index && memcmp(w->links[i].key, n->curve_key, sizeof(n->curve_key)) == 0;
	return v.fact_count > 0;
}
