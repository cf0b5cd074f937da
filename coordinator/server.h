/* server.h - the loop of `reeve coordinator`: sockets, the journal's thread, signals around one shell and its clients
 *
 *	STATE/sock   ROUTER over ipc: whoever may enter STATE (0700) is trusted, as node and as operator
 *	tcp          ROUTER with CURVE: roles by the key that the handshake proved, looked up for each frame
 *
 * A peer's handle is the router's index << 32 | the number libzmq gave the connection. In STATE, beside the journal: blobs/, uploads/,
 * sock, keys/ (tcp), estimates.db.
 */
#ifndef COORD_SERVER_H
#define COORD_SERVER_H

#include "coordinator/shell.h"

#define COORD_SERVER_SOCKET "sock"

struct coord_server_config {
	const char *state_dir;              /* absolute; made (0700) if only its last part is missing */
	const char *listen;                 /* a tcp:// endpoint; NULL: ipc only */
	enum journal_durability durability;
	const char *version;
	uint64_t seed;
	const struct rv_log *log;
	/* Once: it serves. `endpoint` is the tcp one as bound, NULL: none. */
	void (*serving)(void *arg, uint64_t epoch, const char *endpoint);
	/* For who tells of what happens; each may be NULL. As the ops of the shell (shell.h) have them. */
	void (*transition)(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index, bool replayed);
	void (*durable)(void *arg, uint64_t position);
	void (*run_gone)(void *arg, uint64_t run);
	/* Once a turn: gives for which of enum net_watch *fd is to be watched; 0: for none. */
	int (*turned)(void *arg, int *fd);
	/* Once, when the loop is over and the state directory is still ours. */
	void (*ending)(void *arg);
	void *arg;
};

/* Runs until SIGTERM or SIGINT (then 0) or a failure. RV_E_BUSY: another coordinator or run owns the directory, named in the message. */
int coord_server_run(const struct coord_server_config *cfg, struct rv_err *err);

#endif
