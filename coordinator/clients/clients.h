/* clients.h - everything the coordinator does for those who are not its core: clients, nodes that join, blobs, logs
 *
 *	message --> intake    uploads of plans: STATE/uploads, a thread that loads and builds, RUN_ACCEPTED
 *	            facts     rows of the journal and live notes, from a position, for one run or all
 *	            rows      lists: about, runs, nodes, explain, keys, tokens
 *	            act       mutations by request id
 *	            logs      asked of the node that has them; else the tail that came with the result
 *	            pieces    blobs to nodes and clients; blobs of results from nodes, before the result counts
 *	            admit     tokens, enrolment, revocation
 *
 * Used by `reeve coordinator` and, with fewer duties, by a live `reeve run`. Requests in, answers out by coord_shell_say(); it opens no
 * socket and has no loop. The driver calls, in its loop:
 *
 *	coord_clients_on_fact(), _on_transition(), _on_reply(), _on_message(), _on_denied(), _on_result()   from the shell's ops
 *	coord_clients_turn()           before each coord_shell_turn(); at coord_clients_next_deadline(); when its descriptor is readable
 *	coord_clients_durable()        from the shell's op
 *
 * Nothing here blocks: what may take long is done in slices that a request bounds, or in the thread. Everything is bounded by
 * RV_CLIENT_* and RV_UPLOAD* of common/limits.h; what is too much is refused (REFUSED, RV_E_BUSY or RV_E_LIMIT), never queued without end.
 */
#ifndef COORD_CLIENTS_H
#define COORD_CLIENTS_H

#include "coordinator/shell.h"

struct coord_access;
struct coord_clients;
struct rv_blobs;

enum coord_clients_duty {
	COORD_SERVES_ALL,      /* `reeve coordinator` */
	COORD_SERVES_ONE_RUN,  /* a live `reeve run`: no plans are taken, nobody is let in */
};

struct coord_clients_config {
	const char *state_dir;         /* borrowed for its life; uploads/ is made in it */
	enum coord_clients_duty duty;
	struct rv_blobs *blobs;        /* borrowed */
	const char *estimates_dir;     /* of plans that are taken; NULL: none */
	struct coord_access *access;   /* borrowed; NULL: no tokens, no keys */
	const char *version;           /* of the program */
	const char *what;              /* "coordinator" or "run" */
	const struct rv_log *log;      /* may be NULL */
};

/* Before the shell is opened, so that it hears the facts that are folded then. */
int coord_clients_create(struct coord_clients **out, const struct coord_clients_config *cfg, struct rv_err *err);
/* The shell is open: what came before a restart (uploads) is looked at. `shell` is borrowed. */
int coord_clients_serve(struct coord_clients *c, struct coord_shell *shell, uint64_t now_us, struct rv_err *err);
/* There is a tcp side: tokens and keys are of use. `server_key` is PROTO_KEY_BYTES, public; all is borrowed for its life. */
void coord_clients_listening(struct coord_clients *c, const uint8_t *server_key, const char *const *endpoints, uint32_t endpoint_count);
/* Before the shell is closed: the thread ends; uploads stay where they are. NULL is fine. */
void coord_clients_destroy(struct coord_clients **c);

/* --- the shell's ops; `c` is the argument --- */
void coord_clients_on_fact(struct coord_clients *c, const struct proto_fact *f, uint64_t real_us, bool replayed);
void coord_clients_on_transition(struct coord_clients *c, const struct coord_transition *t, uint64_t position, bool replayed);
void coord_clients_on_run_gone(struct coord_clients *c, uint64_t run);
void coord_clients_on_reply(struct coord_clients *c, uint64_t client, bool done_before, uint32_t changed);
void coord_clients_on_message(struct coord_clients *c, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m);
void coord_clients_on_denied(struct coord_clients *c, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m);
bool coord_clients_on_result(struct coord_clients *c, uint64_t peer, const struct proto_msg *m);
void coord_clients_durable(struct coord_clients *c, uint64_t position);

/* --- the loop --- */
/* Goes on with what waits: plans that were loaded, blobs, logs, requests kept until there is something. The shell's turn comes next. */
void coord_clients_turn(struct coord_clients *c, uint64_t now_us, uint64_t real_us);
uint64_t coord_clients_next_deadline(const struct coord_clients *c); /* CLOCK_BOOTTIME us; RV_NEVER */
int coord_clients_fd(const struct coord_clients *c);                 /* readable: the thread has something; -1: there is none */

struct coord_clients_stats {
	uint64_t requests, refused, denied;
	uint64_t uploads_begun, uploads_taken, uploads_expired;
	uint64_t results_kept, results_dropped; /* that waited for blobs; gave up */
	uint32_t waiting;                       /* requests that are kept until there is something */
};

void coord_clients_stats(const struct coord_clients *c, struct coord_clients_stats *out);

#endif
