/* enrol.h - how a node becomes a member over tcp, and what it keeps of that
 *
 * A token's secret gives a CURVE key with which its holder may do one thing: send ENROL with a public key of its own (saved before, so that
 * no answer that gets lost makes a second member). ENROLLED says that this key is admitted; the same ENROL again gets the same answer. From
 * then on STATE/coordinator says where the coordinator is and which key it has, and no token is needed.
 */
#ifndef NODE_ENROL_H
#define NODE_ENROL_H

#include "common/err.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/net/bus.h"
#include "common/net/curve.h"

#define NODE_MEMBERSHIP_FILE "coordinator"
#define NODE_CLUSTER_BYTES_MAX 64u

struct node_membership {
	uint8_t server_key[NET_KEY_BYTES];
	char endpoints[NET_TOKEN_ENDPOINTS_MAX][NET_ENDPOINT_BYTES_MAX + 1];
	uint32_t endpoint_count;
	char cluster[NODE_CLUSTER_BYTES_MAX + 1];
	char name[RV_NAME_BYTES_MAX + 1]; /* under which it was admitted */
};

/* `dir`: the state directory. RV_E_NOT_FOUND: no member yet; RV_E_CORRUPT. */
int node_membership_load(int dir, struct node_membership *out, struct rv_err *err);
int node_membership_save(int dir, const struct node_membership *m, struct rv_err *err);

struct node_enrol_config {
	struct net_bus *bus;
	const struct net_token *token;
	const char *endpoint;          /* instead of the token's; NULL */
	const struct net_keypair *own; /* saved already */
	struct rv_str name;            /* wished for */
	int stop_fd;                   /* readable: give up (RV_E_UNREACHABLE); -1: none */
	uint64_t seed;
	const struct rv_log *log;
};

/* Blocks until the coordinator has answered; tries for as long as it cannot be reached. RV_E_DENIED: it does not take the token (unknown, expired,
 * used up, revoked), or not this name. */
int node_enrol(const struct node_enrol_config *cfg, struct node_membership *out, struct rv_err *err);

#endif
