/* daemon.h - the node daemon: handlers around the node core that an outer loop drives
 *
 * The daemon owns the node core, the results of attempts by slot, and what turns a dispatched unit into a spawn (texts
 * filled, environment, namespace, context file) and an exit into a result (evidence, output, artifacts). It opens no
 * socket and has no loop: in `reeve run` it shares one loop and thread with the coordinator, `reeve node` drives it
 * alone. The driver:
 *
 *   node_daemon_create()                the warden's channel is open, nothing connected yet
 *   node_daemon_connected()             the link to the coordinator is up; HELLO leaves once the warden has answered
 *   loop: node_daemon_on_frame()        for every frame of the link, until it is drained
 *         node_daemon_on_warden()       when the warden's descriptor is readable or writable
 *         node_daemon_turn()            once after that, and at node_daemon_next_deadline()
 *   node_daemon_stop(), then the loop goes on until node_daemon_stopped()
 *   node_daemon_destroy()
 *
 * Nothing leaves before the turn: frames and warden messages gather and go out in batches at its end. Handlers never
 * block. `now_us` is CLOCK_BOOTTIME throughout.
 */
#ifndef NODE_DAEMON_H
#define NODE_DAEMON_H

#include "common/base.h"
#include "common/err.h"
#include "common/log.h"
#include "proto/msg.h"

struct node_daemon;
struct node_map_rule;
struct rv_blobs;
struct warden_client;

enum node_mode {
	NODE_MODE_RUN,    /* inside `reeve run`: units see the caller's environment */
	NODE_MODE_NODE,   /* `reeve node`: only PATH LANG LC_* TZ USER SHELL (HOME for plain commands) */
};

/* What the daemon asks of its driver. All are called from inside the handlers and must not call back into the daemon. */
struct node_daemon_ops {
	/* Hands one frame to the link; the bytes are borrowed. -1: not taken (queue full, link down): dropped, resends heal. */
	int (*send)(void *arg, struct rv_str frame);
	/* Close the link and connect again; node_daemon_connected() follows. NULL: a link that is never down (inproc): HELLO at once. */
	void (*reconnect)(void *arg);
	/* The coordinator has no place for this node (any more); `reconnect` follows. NULL: nobody wants to know. */
	void (*goaway)(void *arg, const struct proto_goaway *m);
	/* Live output of an attempt as it comes; NULL: nobody wants it. stream 1 stdout, 2 stderr. */
	void (*output)(void *arg, struct proto_attempt_key key, int stream, uint64_t offset, struct rv_str bytes);
};

struct node_daemon_config {
	enum node_mode mode;
	struct rv_str name;                  /* REEVE_NODE */
	uint8_t key[PROTO_DIGEST_BYTES];     /* its id everywhere */
	uint64_t slots, agent_slots;
	const struct proto_label *labels;    /* copied */
	uint32_t label_count;
	const struct proto_named_amount *resources; /* copied */
	uint32_t resource_count;
	const struct rv_str *resource_names; /* of each: "0,2,GPU-5a" as units are to know them, "" = by number from 0; copied. NULL: all by number */
	const struct proto_pair *agents; /* where programs of profiles are, name and path, for those that PATH would not find; borrowed */
	uint32_t agent_count;
	const struct proto_label *found; /* profiles whose program is here, and its version (agents/found.h); borrowed */
	uint32_t found_count;
	struct rv_str program;       /* absolute path of this program, which units of several steps run under (agents/steps.h); "" = found out */
	struct rv_str state_dir;     /* absolute, exists, ours alone: exit records, shared output log, incarnation */
	struct rv_str workspace;     /* absolute: the tree of units of workspace mode shared */
	struct rv_str plan_dir;      /* cwd of units of mode none: the plan's directory, or the caller's for a flat fan-out;
	                              * "" (node): their namespace, else one directory of the run below state_dir */
	struct rv_str namespace_root; /* namespaces are ROOT/runs/RUN/units/UNIT/ATTEMPT; "" = workspace/.reeve */
	const struct node_map_rule *maps; /* NODE_MODE_NODE: where shared workspaces are here; borrowed */
	uint32_t map_count;
	const char *const *env;      /* the caller's environment, NULL at the end; borrowed for the daemon's life */
	const char *const *pass_env; /* names let through whatever the rules say; borrowed */
	uint32_t pass_env_count;
	struct rv_blobs *blobs;      /* borrowed; in `run` the one that the coordinator uses. NULL: large values are cut */
	struct warden_client *warden; /* borrowed, also once it is gone: its owner closes it. The daemon sends CONFIG. NULL: only mock
	                               * and noop units can run */
	const struct rv_log *log;    /* may be NULL */
	uint64_t seed;               /* jitter */
	uint32_t prefetch_max;       /* 0: RV_PREFETCH_MAX */
	struct node_daemon_ops ops;
	void *arg;                   /* of ops */
};

void node_daemon_config_init(struct node_daemon_config *cfg);
int node_daemon_create(const struct node_daemon_config *cfg, uint64_t now_us, struct node_daemon **out, struct rv_err *err);
void node_daemon_destroy(struct node_daemon **d);

/* The link is up: HELLO now, or as soon as the warden has told what it holds. / It is down. */
void node_daemon_connected(struct node_daemon *d, uint64_t now_us);
void node_daemon_disconnected(struct node_daemon *d, uint64_t now_us);

/* One received frame. -1: malformed: counted, the rest of it dropped; the link may go on. */
int node_daemon_on_frame(struct node_daemon *d, struct rv_str frame, uint64_t now_us, struct rv_err *err);

/* The warden's descriptor is ready. -1: the warden is gone: its attempts are over (class environment, reason
 * warden_lost), its trees have been ended; take the descriptor out of the loop. A new one may be given with
 * node_daemon_set_warden(), until then only mock and noop units run. */
int node_daemon_on_warden(struct node_daemon *d, uint64_t now_us, struct rv_err *err);
bool node_daemon_wants_write(const struct node_daemon *d); /* watch the warden's descriptor for writing, too */
void node_daemon_set_warden(struct node_daemon *d, struct warden_client *warden, uint64_t now_us);

/* Inputs are drained: deadlines, then everything that gathered leaves. */
void node_daemon_turn(struct node_daemon *d, uint64_t now_us);
uint64_t node_daemon_next_deadline(const struct node_daemon *d); /* RV_NEVER: none; <= now: turn at once */

/* How long the way back to the coordinator may wait at once (node/core/io.h). */
uint64_t node_daemon_patience_us(const struct node_daemon *d);

/* Ends everything: running attempts are killed (TERM, grace_us, KILL; RV_NEVER: each unit's own; 0: KILL now), queued ones are dropped; BYE when nothing
 * is left. May be called again with less grace. */
void node_daemon_stop(struct node_daemon *d, uint64_t grace_us, enum proto_reason reason, uint64_t now_us);
bool node_daemon_stopped(const struct node_daemon *d);

struct node_daemon_stats {
	uint64_t frames_in, frames_out, frames_bad, frames_dropped;
	uint64_t dispatched, spawned, exited, results;
	uint64_t namespaces;
	uint32_t attempts;      /* held now */
	bool welcomed;          /* there is a session now */
	struct rv_str level;    /* cgroup, pidns, subreaper; "" until the warden has answered */
};

void node_daemon_stats(const struct node_daemon *d, struct node_daemon_stats *out);

#endif
