/* login.h - the coordinators that `reeve login` stored: endpoint, its key, and our own key for it */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H

#include "common/err.h"
#include "common/net/bus.h"
#include "common/net/curve.h"

struct cli_login {
	char endpoint[NET_ENDPOINT_BYTES_MAX + 1];
	uint8_t server_key[NET_KEY_BYTES];
	struct net_keypair own; /* wipe it (net_wipe) when done */
};

/* `endpoint` NULL: the one used last. RV_E_NOT_FOUND: there is none, with a hint. */
int cli_login_find(const char *endpoint, struct cli_login *out, struct rv_err *err);

#endif
