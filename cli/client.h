/* client.h - asking a coordinator: one question and its answer at a time
 *
 * A short-lived DEALER, over ipc (plain: the directory's mode says who may) or tcp (CURVE, with the keys of a login). A call sends its
 * message, and sends it again when the link was lost and is up again, or when nothing came for a while: every request of a client may be
 * repeated (proto/PROTOCOL.md), so it goes on through a coordinator's restart. It ends within a bound:
 *
 *	first connection          CLI_CLIENT_CONNECT_US
 *	a lost one                CLI_CLIENT_RECONNECT_US
 *	an answer, once connected the call's own wait and CLI_CLIENT_ANSWER_US
 *
 * after which the error is RV_E_UNREACHABLE (exit 5). REFUSED becomes an rv_err of its code.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/place.h"
#include "common/net/curve.h"
#include "proto/msg.h"

#define CLI_CLIENT_CONNECT_US 5000000u
#define CLI_CLIENT_RECONNECT_US 60000000u
#define CLI_CLIENT_ANSWER_US 60000000u
#define CLI_CLIENT_RESEND_US 5000000u
#define CLI_CLIENT_COMMIT_US 900000000u /* of SUBMIT_COMMIT: a plan of a million units is checked and built meanwhile */

struct cli_client;

struct cli_client_patience {
	uint64_t connect_us, reconnect_us, answer_us, resend_us; /* defaults: the four above */
};

/* Does not wait for the connection: the first call does. */
int cli_client_open(struct cli_client **out, const struct cli_place *place, struct rv_err *err);
/* The same with keys given here; borrowed during the call. `shown` names it in errors. */
int cli_client_open_keys(struct cli_client **out, const char *endpoint, const uint8_t server_key[NET_KEY_BYTES], const struct net_keypair *own,
			 struct rv_err *err);
/* NULL is fine. */
void cli_client_close(struct cli_client **c);

void cli_client_set_patience(struct cli_client *c, const struct cli_client_patience *p);
/* From now on INT, TERM and HUP end a call instead of the process: it fails with RV_E_BUSY, and cli_client_interrupted() is true. */
int cli_client_catch_signals(struct cli_client *c, struct rv_err *err);
bool cli_client_interrupted(const struct cli_client *c);

/* While a call waits, `fn` is called whenever one of the descriptors can be read (-1: none) and at the latest when it wants to be
 * (CLOCK_BOOTTIME us). It makes no call itself; cli_client_give_up() ends the one that waits, which then fails with RV_E_BUSY: every request may
 * be made again. `fn` NULL: no more of it. */
typedef uint64_t cli_client_beside_fn(void *arg);
int cli_client_beside(struct cli_client *c, const int fds[2], cli_client_beside_fn *fn, void *arg, struct rv_err *err);
void cli_client_give_up(struct cli_client *c);

/* Fills the request's number, sends it and waits for its answer of kind `want`, which borrows until the next call. -1: `err` says why; an
 * answer of another kind is RV_E_CORRUPT. */
int cli_client_call(struct cli_client *c, struct proto_msg *request, enum proto_msg_kind want, struct proto_msg *answer, struct rv_err *err);

/* Sends a request whose answer is of no interest, if the link is up and has room for it; whoever posts asks later what arrived. */
void cli_client_post(struct cli_client *c, struct proto_msg *request);

/* Is the link up now, as far as is known? */
bool cli_client_connected(const struct cli_client *c);

/* For errors and talk: "the coordinator in DIR". */
const char *cli_client_shown(const struct cli_client *c);
const struct cli_place *cli_client_place(const struct cli_client *c); /* NULL: opened by keys */

/* A random number that is not 0: ids of acts and submissions. */
uint64_t cli_client_new_id(void);

/* The whole of a blob, appended to `out`, checked. RV_E_NOT_FOUND, RV_E_LIMIT (more than bytes_max), RV_E_CORRUPT. */
int cli_client_blob(struct cli_client *c, const uint8_t digest[PROTO_DIGEST_BYTES], size_t bytes_max, struct rv_buf *out, struct rv_err *err);
/* The same, a piece at a time, in order; `each` -1: stop. */
typedef int cli_client_piece_fn(void *arg, struct rv_str bytes, struct rv_err *err);
int cli_client_blob_pieces(struct cli_client *c, const uint8_t digest[PROTO_DIGEST_BYTES], cli_client_piece_fn *each, void *arg, struct rv_err *err);

#endif
