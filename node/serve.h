/* serve.h - the loop of the node daemon in `reeve node`: the link to the coordinator, the warden's channel, signals
 *
 * The process is a child of the warden (node/warden/parent.h). It makes its key, joins with a token if it has one to use (enrol.h),
 * keeps the link up (uplink.h) and drives the daemon (daemon.h).
 *
 * In STATE, the node's own directory (0700): lock, node.key, coordinator (where it is and its key, once joined), blobs/, what the warden and
 * the daemon keep (records, log, incarnation), runs/ (namespaces of workspace mode none); and session, for those who watch over the node: it
 * is there while the coordinator has this node for one that is present, says where the coordinator is, and is touched every
 * NODE_SERVE_SESSION_TOUCH_US while the loop turns. What the daemon of a killed node left is removed by the next.
 *
 * Signals: the first TERM or INT ends the units (TERM, each unit's grace, KILL), gives back what has not started, waits a moment for results
 * to be acknowledged, says BYE; the second ends them at once. HUP is ignored.
 */
#ifndef NODE_SERVE_H
#define NODE_SERVE_H

#include "common/err.h"
#include "common/log.h"
#include "node/daemon.h"

#define NODE_SERVE_KEY "node.key"
#define NODE_SERVE_LOCK "lock"
#define NODE_SERVE_BLOBS "blobs"
#define NODE_SERVE_SESSION "session"
#define NODE_SERVE_SESSION_TOUCH_US 5000000u
#define NODE_SERVE_SOCKET "sock" /* of a coordinator on this host, in its state directory */

struct warden_client;

struct node_serve_config {
	const char *coordinator;        /* "tcp://HOST:PORT", or the state directory of a coordinator on this host; NULL: the one joined before, or
	                                 * that of the token */
	const char *token_file;         /* NULL: none; tcp only */
	const char *state_dir;          /* absolute; made (0700) if missing */
	struct node_daemon_config node; /* name, room, labels, resources, environment; the rest is filled in here */
	struct warden_client *warden;   /* borrowed; closed by the caller */
	const struct rv_log *log;
};

/* Until the node has ended: 0. RV_E_DENIED: sent away for good (revoked, or its key is used by another); RV_E_BUSY: the state directory is
 * another node's, named; else what went wrong. */
int node_serve(const struct node_serve_config *cfg, struct rv_err *err);

#endif
