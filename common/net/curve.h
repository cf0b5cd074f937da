/* curve.h - CURVE keys: pairs, their files, keys of tokens, and the line that a token is
 *
 * A key is 32 raw bytes of Curve25519; texts are lower-case hex. The hash of a public key (BLAKE2b-256 of its 32 bytes) is the
 * identity of a node or operator everywhere beyond the handshake.
 *
 * Secrets stay in these structs and in files of mode 0600; whoever holds one wipes it (net_wipe). No error text contains one.
 */
#ifndef NET_CURVE_H
#define NET_CURVE_H

#include "common/buf.h"
#include "common/err.h"

#define NET_KEY_BYTES 32
#define NET_KEY_HEX_CHARS 64
#define NET_TOKEN_SECRET_BYTES 32
#define NET_TOKEN_ID_CHARS 10
#define NET_TOKEN_ENDPOINTS_MAX 8u
#define NET_TOKEN_LINE_BYTES_MAX 4096u

struct net_keypair {
	uint8_t public_key[NET_KEY_BYTES];
	uint8_t secret_key[NET_KEY_BYTES];
};

/* Zeros that no compiler leaves out. */
void net_wipe(void *secret, size_t bytes);

void net_keypair_generate(struct net_keypair *out);
/* Any 32 bytes are a secret key: clamped as Curve25519 wants (RFC 7748), the public key computed. */
void net_keypair_of_secret(const uint8_t secret[NET_KEY_BYTES], struct net_keypair *out);
void net_key_hash(const uint8_t public_key[NET_KEY_BYTES], uint8_t out[NET_KEY_BYTES]);

/* --- files ---------------------------------------------------------------------------------------------------------------- */

/* Writes `name` in directory `dir`, 0600, synced, all or nothing; there already: RV_E_EXISTS, nothing changed. */
int net_keypair_save(int dir, const char *name, const struct net_keypair *k, struct rv_err *err);
/* RV_E_NOT_FOUND, RV_E_DENIED (others may read or write it, or it is not ours), RV_E_CORRUPT. */
int net_keypair_load(int dir, const char *name, struct net_keypair *out, struct rv_err *err);
/* Loads it, or generates and saves it if there is none. */
int net_keypair_keep(int dir, const char *name, struct net_keypair *out, struct rv_err *err);

/* A file that holds a secret is ours or root's, and nobody else may read it: else RV_E_DENIED. Pipes and devices pass, and files on a
 * read-only mount (secrets of containers) whatever their mode is. */
int net_secret_file_check(int fd, const char *name, struct rv_err *err);

/* --- tokens ------------------------------------------------------------------------------------------------------------------ */

/* One text for a token that was changed, used up, revoked, is over or is another cluster's: whoever tries learns no more. */
#define NET_TOKEN_REFUSED "the coordinator does not accept this token: it was used up or revoked, it has expired, or it is another cluster's"

struct net_token {
	char id[NET_TOKEN_ID_CHARS + 1];
	uint8_t server_key[NET_KEY_BYTES];
	uint8_t secret[NET_TOKEN_SECRET_BYTES];
	char endpoints[NET_TOKEN_ENDPOINTS_MAX][256];
	uint32_t endpoint_count;
};

/* A new id and secret; no endpoints, no server key yet. */
void net_token_generate(struct net_token *out);
/* The enrolling key: secret key = BLAKE2b-256(message = id, key = secret, person "reeve-enrol-v1"), clamped (PROTOCOL.md). */
void net_token_keypair(const struct net_token *t, struct net_keypair *out);
/* "reeve-token-1 ENDPOINT[,ENDPOINT...] SERVERKEY ID SECRET" without a newline; keys and secret in hex. */
int net_token_format(const struct net_token *t, struct rv_buf *out, struct rv_err *err);
/* White space around it, a newline included, is fine. Errors say which field and what is wrong, and never quote it. */
int net_token_parse(struct rv_str line, struct net_token *out, struct rv_err *err);
/* From a file, or standard input if `path` is "-". A file that others may read is refused. */
int net_token_read(const char *path, struct net_token *out, struct rv_err *err);

#endif
