#include "coordinator/remote.h"

#include "common/os/clock.h"
#include "common/os/file.h"

#include <stdlib.h>
#include <unistd.h>

/* An operator's connection, at place peer % RV_REMOTE_OPERATORS. */
struct operator {
	uint64_t peer;
	uint8_t key[NET_KEY_BYTES];
	bool known, last_word;
};

struct coord_remote {
	struct net_keypair key;
	struct coord_access *access;
	struct net_router *router;
	char endpoint[NET_TOKEN_ENDPOINTS_MAX][NET_ENDPOINT_BYTES_MAX + 1];
	const char *endpoints[NET_TOKEN_ENDPOINTS_MAX];
	uint32_t endpoint_count;
	struct operator operators[RV_REMOTE_OPERATORS];
};

static int load_key(struct coord_remote *r, const char *state_dir, struct rv_err *err)
{
	int state, keys, rc = -1;

	if (rv_dir_open(state_dir, &state, err) < 0)
		return -1;
	if (rv_dir_make_at(state, COORD_REMOTE_KEYS, 0700, err) == 0 && rv_dir_open_at(state, COORD_REMOTE_KEYS, &keys, err) == 0) {
		rc = net_keypair_keep(keys, COORD_REMOTE_KEY, &r->key, err);
		(void)close(keys);
	}
	(void)close(state);
	return rc;
}

int coord_remote_create(struct coord_remote **out, const char *state_dir, struct rv_err *err)
{
	struct coord_remote *r = calloc(1, sizeof *r);

	if (!r)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the tcp side");
	if (coord_access_create(&r->access, err) < 0 || load_key(r, state_dir, err) < 0) {
		coord_remote_destroy(&r);
		return -1;
	}
	*out = r;
	return 0;
}

void coord_remote_destroy(struct coord_remote **rp)
{
	struct coord_remote *r = *rp;

	if (!r)
		return;
	net_router_destroy(&r->router);
	coord_access_destroy(&r->access);
	net_wipe(&r->key, sizeof r->key);
	free(r);
	*rp = NULL;
}

/* The handshake's question: the clock is read here, since a token's time may be over between two turns. */
static bool allow(void *arg, const uint8_t key[NET_KEY_BYTES])
{
	const struct coord_remote *r = arg;

	return coord_access_roles(r->access, key, rv_clock_realtime_us()) != 0;
}

int coord_remote_listen(struct coord_remote *r, struct net_bus *bus, const char *listen, struct rv_err *err)
{
	struct net_router_config cfg;

	net_router_config_init(&cfg);
	cfg.endpoint = listen;
	cfg.server = &r->key;
	cfg.allow = allow;
	cfg.arg = r;
	if (net_router_open(&r->router, bus, &cfg, err) < 0)
		return -1;
	if (net_endpoint_reachable(listen, net_router_endpoint(r->router), r->endpoint, NET_TOKEN_ENDPOINTS_MAX, &r->endpoint_count, err) < 0) {
		net_router_destroy(&r->router);
		return -1;
	}
	for (uint32_t i = 0; i < r->endpoint_count; i++)
		r->endpoints[i] = r->endpoint[i];
	return 0;
}

struct net_router *coord_remote_router(struct coord_remote *r)
{
	return r->router;
}

struct coord_access *coord_remote_access(struct coord_remote *r)
{
	return r->access;
}

const uint8_t *coord_remote_server_key(const struct coord_remote *r)
{
	return r->key.public_key;
}

const char *const *coord_remote_endpoints(const struct coord_remote *r, uint32_t *count)
{
	*count = r->endpoint_count;
	return r->endpoints;
}

void coord_remote_identify(struct coord_remote *r, uint64_t peer, const uint8_t key[NET_KEY_BYTES], uint64_t real_us, struct coord_peer_identity *who)
{
	struct operator *o = &r->operators[peer % RV_REMOTE_OPERATORS];

	who->trusted = false;
	who->roles = coord_access_roles(r->access, key, real_us);
	who->name = coord_access_name(r->access, key);
	memcpy(who->key, key, NET_KEY_BYTES);
	if (!(who->roles & PROTO_ROLE_OPERATOR))
		return;
	*o = (struct operator){ .peer = peer, .known = true };
	memcpy(o->key, key, NET_KEY_BYTES);
}

static struct operator *operator_of(struct coord_remote *r, uint64_t peer)
{
	struct operator *o = &r->operators[peer % RV_REMOTE_OPERATORS];

	return o->known && o->peer == peer ? o : NULL;
}

bool coord_remote_may_tell(struct coord_remote *r, uint64_t peer)
{
	const struct operator *o = operator_of(r, peer);

	return !o || o->last_word || coord_access_roles(r->access, o->key, 0) & PROTO_ROLE_OPERATOR;
}

void coord_remote_last_word(struct coord_remote *r, uint64_t peer)
{
	struct operator *o = operator_of(r, peer);

	if (o)
		o->last_word = true;
}

void coord_remote_told(struct coord_remote *r, uint64_t peer)
{
	struct operator *o = operator_of(r, peer);

	if (o)
		o->last_word = false;
}
