/* host.h - one host: the coordinator's shell and a node daemon as handlers of one loop in one thread
 *
 *	plan --> coord shell --ROUTER--> inproc --DEALER--> node daemon --channel--> warden --> units
 *	              |                                                      ^
 *	              +-- journal, blobs in the run's directory -------------+ logs, exit records
 *
 * The warden is started by the caller, before anything else made the process large or threaded. Everything that becomes
 * ready wakes one turn, which moves frames both ways until nothing moves any more, so a unit's end becomes the next unit's
 * start without going back to poll.
 */
#ifndef CLI_HOST_H
#define CLI_HOST_H

#include "coordinator/shell.h"
#include "node/daemon.h"
#include "node/warden/client.h"

#define CLI_WARDEN_VERB "warden-serve" /* hidden subcommand: a warden started anew after one died */

struct cli_host;

struct cli_host_ops {
	void (*transition)(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index, bool replayed);
	void (*durable)(void *arg, uint64_t position); /* what was told of rows up to this may be shown */
	void (*run_finished)(void *arg, uint64_t run, enum coord_run_state state, enum proto_reason reason);
	void (*output)(void *arg, struct proto_attempt_key key, int stream, uint64_t offset, struct rv_str bytes);
	void (*signal)(void *arg, int signo);
	void (*warden_given_up)(void *arg); /* cli_host_kill_soon(): it is killed now */
	/* Once a turn: draws what is to be drawn; gives the CLOCK_BOOTTIME microsecond it wants to be called again, RV_NEVER: none. */
	uint64_t (*tick)(void *arg, uint64_t now_us);
};

struct cli_host_config {
	const char *run_dir;              /* absolute, exists: journal, blobs, logs, exit records of this run */
	const char *node_dir;             /* RUN/node, exists */
	const char *estimates_dir;        /* NULL: none */
	enum journal_durability durability;
	struct node_daemon_config node;   /* name, slots, labels, workspace ...; warden, blobs, ops are filled here */
	struct warden_client *warden;     /* borrowed; connected */
	const struct rv_log *log;
	struct cli_host_ops ops;
	void *arg;
};

/* Opens the journal and folds it; nothing runs yet. */
int cli_host_open(const struct cli_host_config *cfg, struct cli_host **out, struct rv_err *err);
void cli_host_close(struct cli_host **h);

/* Runs the loop until cli_host_end() and the node has let go of everything. -1: journal, bus or the loop failed; what ran was ended. */
int cli_host_run(struct cli_host *h, struct rv_err *err);

/* The run is over, or is to be: the node ends what still runs (RV_NEVER: each unit's own grace; 0: KILL now), then the loop ends. */
void cli_host_end(struct cli_host *h, uint64_t grace_us, enum proto_reason reason);

/* Who interrupts twice waits no longer than that for a warden which does not answer: it is then killed and its trees are ended from here.
 * Later calls change nothing. */
#define CLI_HOST_KILL_US 5000000u
void cli_host_kill_soon(struct cli_host *h);

/* A descriptor whose readiness (enum net_watch) brings a turn, and with it `tick`; 0: no more. */
int cli_host_watch(struct cli_host *h, int fd, int watch, struct rv_err *err);

struct coord_shell *cli_host_coordinator(struct cli_host *h);
struct node_daemon *cli_host_node(struct cli_host *h);
struct rv_blobs *cli_host_blobs(struct cli_host *h);

#endif
