/* login.h - the coordinators that `reeve login` stored: endpoints, their key, and our own key for each
 *
 * In $XDG_CONFIG_HOME/reeve, else ~/.config/reeve (0700):
 *
 *	ID.login   "reeve-login-1 ENDPOINT[,ENDPOINT...] SERVERKEY NAME"; ID: the first 16 digits of the hash of the server's key
 *	ID.key     our key pair there (net_keypair_save): one of its own for each coordinator
 *	current    ID of the login that was made last
 *
 * All of it 0600. Nothing here is sent anywhere but the public key.
 */
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

/* `endpoint` NULL: the one made last. RV_E_NOT_FOUND: there is none, with a hint. */
int cli_login_find(const char *endpoint, struct cli_login *out, struct rv_err *err);

/* Our key for the coordinator with this server key: read, or made and saved before anybody is told of it. */
int cli_login_key(const uint8_t server_key[NET_KEY_BYTES], struct net_keypair *out, struct rv_err *err);
/* The same where the one we have was revoked: that one goes. */
int cli_login_new_key(const uint8_t server_key[NET_KEY_BYTES], struct net_keypair *out, struct rv_err *err);
/* Keeps what `token` says of the coordinator, with `first` before its other endpoints, as the login made last. An older login of another
 * server key at one of these endpoints goes: that coordinator is not there any more. */
int cli_login_store(const struct net_token *token, const char *first, const char *name, struct rv_err *err);

#endif
