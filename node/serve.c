#include "node/serve.h"

#include "common/check.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/net/bus.h"
#include "common/net/curve.h"
#include "common/net/loop.h"
#include "common/os/blobs.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/os/keys.h"
#include "common/os/lock.h"
#include "common/os/signals.h"
#include "node/enrol.h"
#include "node/uplink.h"
#include "node/warden/client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* After a quick restart of its machine a node may meet its own old session: that one is given up in a few seconds. */
#define DUPLICATES_MAX 3u
#define HOLDER_SHOWN_CHARS 16u /* of a key's hash, as reeve key list begins it */
#define FRAMES_A_TURN 256u /* before the warden and signals get their turn */

struct serve {
	const struct node_serve_config *cfg;
	const struct rv_log *log;
	struct warden_client *warden;
	int dir;                       /* of the state */
	struct rv_lock lock;
	struct net_keypair own;
	struct rv_blobs blobs;
	bool blobs_open;
	struct net_bus *bus;
	struct net_loop *loop;
	struct node_uplink *uplink;
	struct node_daemon *daemon;
	struct rv_signals signals;
	bool signals_open, warden_gone;
	struct node_membership member; /* tcp */
	bool tcp;
	char endpoint[NET_ENDPOINT_BYTES_MAX + 1]; /* ipc */
	const char *endpoints[NET_TOKEN_ENDPOINTS_MAX];
	uint32_t endpoint_count;
	bool up;                       /* welcomed on this link, and told so */
	bool served;                   /* it was welcomed, some time since this process began */
	uint64_t session_us;           /* STATE/session was touched; 0: it is not there */
	bool renew;                    /* the daemon wants another connection; `why` */
	const char *why;
	bool ending;
	uint32_t duplicates;           /* GOAWAY duplicate in a row */
	struct rv_err failed;
	bool has_failed;
};

static uint64_t now_us(void)
{
	return rv_clock_boottime_us();
}

/* Ends the node: with `grace_us` as node_daemon_stop() has it. */
static void end(struct serve *s, uint64_t grace_us)
{
	s->ending = true;
	node_daemon_stop(s->daemon, grace_us, PROTO_REASON_INTERRUPTED, now_us());
}

static void fail(struct serve *s, const struct rv_err *err, uint64_t grace_us)
{
	if (!s->has_failed)
		s->failed = *err;
	s->has_failed = true;
	end(s, grace_us);
}

/* --- what the daemon asks for --------------------------------------------------------------------------------------- */

static int daemon_send(void *arg, struct rv_str frame)
{
	struct serve *s = arg;

	return node_uplink_send(s->uplink, frame);
}

/* Called from inside the daemon: done once its turn is over. */
static void daemon_reconnect(void *arg)
{
	struct serve *s = arg;

	s->renew = true;
}

static void daemon_goaway(void *arg, const struct proto_goaway *m)
{
	static const char *const words[] = {
		[PROTO_GOAWAY_DUPLICATE] = "another node with this node's key is connected",
		[PROTO_GOAWAY_REVOKED] = "this node was removed, or its key revoked",
		[PROTO_GOAWAY_VERSION] = "the coordinator speaks another version of the protocol",
		[PROTO_GOAWAY_NAME_TAKEN] = "another node has this node's name",
		[PROTO_GOAWAY_FULL] = "the coordinator takes no more nodes",
		[PROTO_GOAWAY_SHUTDOWN] = "the coordinator ends",
		[PROTO_GOAWAY_SILENT] = "the coordinator had not heard of this node for so long that it gave up what ran here",
	};
	static const uint8_t nobody[PROTO_DIGEST_BYTES];
	enum proto_goaway_why why = m->why;
	bool held = memcmp(m->holder, nobody, sizeof nobody) != 0;
	char holder[HOLDER_SHOWN_CHARS + 1];
	struct serve *s = arg;
	struct rv_err err;

	rv_hex(holder, m->holder, HOLDER_SHOWN_CHARS / 2);
	s->why = (size_t)why < RV_ARRAY_LEN(words) && words[why] ? words[why] : "the coordinator sent this node away";
	switch (why) {
	case PROTO_GOAWAY_DUPLICATE:
		if (s->duplicates++ < DUPLICATES_MAX)
			break;
		/* fall through */
	case PROTO_GOAWAY_REVOKED:
	case PROTO_GOAWAY_NAME_TAKEN:
	case PROTO_GOAWAY_VERSION:
		(void)rv_fail(&err, RV_E_DENIED, "the coordinator sent this node away: %s", s->why);
		if (why == PROTO_GOAWAY_REVOKED)
			(void)rv_hint(&err, "to let this machine in again: a new token, and " NODE_SERVE_KEY " and " NODE_MEMBERSHIP_FILE " removed from its state directory");
		if (why == PROTO_GOAWAY_NAME_TAKEN && held)
			(void)rv_hint(&err, "it is held by the key %s: give this one another --name, or remove that one", holder);
		else if (why == PROTO_GOAWAY_NAME_TAKEN)
			(void)rv_hint(&err, "this node's key was let in under another name");
		if (why == PROTO_GOAWAY_DUPLICATE)
			(void)rv_hint(&err, "a state directory is one node's: a copy of it needs a key of its own (remove " NODE_SERVE_KEY ")");
		if (!s->has_failed)
			s->failed = err;
		s->has_failed = true;
		break;
	case PROTO_GOAWAY_FULL:
	case PROTO_GOAWAY_SHUTDOWN:
	case PROTO_GOAWAY_SILENT:
		break; /* it may be otherwise later */
	}
}

/* --- a turn ---------------------------------------------------------------------------------------------------------------- */

static void drain_signals(struct serve *s)
{
	struct rv_signal sig;

	while (rv_signals_next(&s->signals, &sig) == 1) {
		if (sig.number == SIGHUP)
			continue;
		rv_log(s->log, RV_LOG_INFO, s->ending ? "ending_now" : "ending", "signal", sig.number == SIGINT ? "INT" : "TERM", NULL);
		end(s, s->ending ? 0 : RV_NEVER);
	}
}

/* The warden is this process's parent and everything's owner: without it the node ends. */
static void drain_warden(struct serve *s)
{
	struct rv_err err, why;

	if (s->warden_gone || !net_loop_ready(s->loop, s->warden->fd))
		return;
	if (node_daemon_on_warden(s->daemon, now_us(), &why) == 0)
		return;
	s->warden_gone = true;
	(void)net_loop_watch(s->loop, s->warden->fd, 0, NULL);
	if (s->ending)
		return;
	(void)rv_fail(&err, RV_E_IO, "the warden, which owns the units, is gone: %s", why.msg);
	fail(s, &err, 0);
}

static void watch_warden(struct serve *s)
{
	struct rv_err err;

	if (s->warden_gone)
		return;
	if (net_loop_watch(s->loop, s->warden->fd, NET_READ | (node_daemon_wants_write(s->daemon) ? NET_WRITE : 0), &err) < 0)
		fail(s, &err, 0);
}

/* True: more may be waiting. */
static bool drain_link(struct serve *s)
{
	enum node_uplink_news news;
	struct rv_str frame;
	struct rv_err err;
	uint32_t count = 0;

	while ((news = node_uplink_next(s->uplink, now_us())) != NODE_UPLINK_NOTHING) {
		s->up = false;
		if (news == NODE_UPLINK_CONNECTED)
			node_daemon_connected(s->daemon, now_us());
		else
			node_daemon_disconnected(s->daemon, now_us());
	}
	while (count < FRAMES_A_TURN && !s->renew && node_uplink_receive(s->uplink, &frame) == 1) {
		count++;
		if (node_daemon_on_frame(s->daemon, frame, now_us(), &err) < 0)
			rv_log(s->log, RV_LOG_ERROR, "frame_refused", "error", err.msg, NULL);
	}
	return count == FRAMES_A_TURN;
}

/* A key that was revoked while this node was away: nobody sends it away, its handshake is refused. A coordinator knows its list before it
 * listens, so there is nothing to wait for; a node that it served before in this life stays, since what it holds is worth more than a tidy end. */
static void note_refusal(struct serve *s)
{
	struct rv_err err;

	if (s->served || s->has_failed || s->ending || !node_uplink_refused(s->uplink))
		return;
	(void)rv_fail(&err, RV_E_DENIED, "the coordinator does not know this node's key: it was revoked, or the node removed");
	(void)rv_hint(&err, "to let this machine in again: a new token, and " NODE_SERVE_KEY " and " NODE_MEMBERSHIP_FILE " removed from its state directory");
	fail(s, &err, RV_NEVER);
}

static void note_welcome(struct serve *s)
{
	struct node_daemon_stats stats;

	if (s->up)
		return;
	node_daemon_stats(s->daemon, &stats);
	if (!stats.welcomed)
		return;
	s->up = s->served = true;
	s->duplicates = 0;
	node_uplink_welcomed(s->uplink);
	rv_log(s->log, RV_LOG_INFO, "joined", "coordinator", node_uplink_endpoint(s->uplink), NULL);
}

/* For whoever watches; that it cannot be written is told once and hurts nobody else. */
static void show_session(struct serve *s)
{
	char line[NET_ENDPOINT_BYTES_MAX + 32];
	struct rv_err err;

	if (!s->up) {
		if (s->session_us)
			(void)unlinkat(s->dir, NODE_SERVE_SESSION, 0);
		s->session_us = 0;
		return;
	}
	if (s->session_us && now_us() - s->session_us < NODE_SERVE_SESSION_TOUCH_US)
		return;
	if (s->session_us) {
		(void)utimensat(s->dir, NODE_SERVE_SESSION, NULL, 0);
	} else {
		(void)snprintf(line, sizeof(line), "coordinator=%s\n", node_uplink_endpoint(s->uplink));
		if (rv_file_write_at(s->dir, NODE_SERVE_SESSION, rv_str_of(line), 0600, RV_FILE_NOSYNC, &err) < 0)
			rv_log(s->log, RV_LOG_WARN, "session_not_shown", "error", err.msg, NULL);
	}
	s->session_us = now_us();
}

static void renew_link(struct serve *s)
{
	if (!s->renew)
		return;
	s->renew = false;
	s->up = false;
	node_uplink_renew(s->uplink, s->why ? s->why : "the coordinator is silent", now_us());
	s->why = NULL;
	if (s->has_failed && !s->ending)
		end(s, RV_NEVER);
}

static uint64_t turn(void *arg)
{
	struct serve *s = arg;
	uint64_t next;
	bool more;

	drain_signals(s);
	drain_warden(s);
	more = drain_link(s);
	node_daemon_turn(s->daemon, now_us());
	renew_link(s);
	note_welcome(s);
	note_refusal(s);
	show_session(s);
	watch_warden(s);
	if (s->ending && node_daemon_stopped(s->daemon)) {
		net_loop_stop(s->loop);
		return 0;
	}
	if (more)
		return 0;
	next = rv_min_u64(node_uplink_next_deadline(s->uplink), node_daemon_next_deadline(s->daemon));
	if (s->session_us)
		next = rv_min_u64(next, s->session_us + NODE_SERVE_SESSION_TOUCH_US);
	return next <= now_us() ? 0 : next;
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

static int open_state(struct serve *s, struct rv_err *err)
{
	char what[RV_LOCK_WHAT_MAX + 1];

	if (rv_dir_make(s->cfg->state_dir, 0700, err) < 0 || rv_dir_open(s->cfg->state_dir, &s->dir, err) < 0)
		return -1;
	(void)snprintf(what, sizeof(what), "reeve node %.*s", RV_STR_ARGS(s->cfg->node.name));
	if (rv_lock_take(&s->lock, s->dir, NODE_SERVE_LOCK, what, NULL, err) < 0)
		return -1;
	(void)unlinkat(s->dir, NODE_SERVE_SESSION, 0);
	if (net_keypair_keep(s->dir, NODE_SERVE_KEY, &s->own, err) < 0)
		return -1;
	if (rv_blobs_open_at(&s->blobs, s->dir, NODE_SERVE_BLOBS, RV_BLOBS_NOSYNC, 0, err) < 0)
		return -1;
	s->blobs_open = true;
	return 0;
}

/* A token is used once; a later one only matters if it is of another coordinator. */
static int join(struct serve *s, struct rv_err *err)
{
	struct node_enrol_config e = { .bus = s->bus, .endpoint = s->cfg->coordinator, .own = &s->own, .name = s->cfg->node.name,
				       .stop_fd = s->signals.fd, .log = s->log };
	bool member = node_membership_load(s->dir, &s->member, err) == 0;
	struct net_token token;
	int rc = 0;

	if (!member && err->code != RV_E_NOT_FOUND)
		return -1;
	if (!s->cfg->token_file) {
		if (member)
			return 0;
		(void)rv_fail(err, RV_E_DENIED, "this node is not a member of any cluster yet");
		return rv_hint(err, "`reeve token create --out token` beside the coordinator, then, with that file brought here, `reeve node --token-file token`");
	}
	if (net_token_read(s->cfg->token_file, &token, err) < 0)
		return member ? 0 : -1; /* it may have been removed after it was used */
	if (!member || memcmp(token.server_key, s->member.server_key, sizeof(token.server_key)) != 0) {
		e.token = &token;
		rv_random(&e.seed, sizeof(e.seed));
		rc = node_enrol(&e, &s->member, err);
		if (rc == 0)
			rc = node_membership_save(s->dir, &s->member, err);
		if (rc == 0)
			rv_log(s->log, RV_LOG_INFO, "enrolled", "cluster", s->member.cluster, NULL);
	}
	net_wipe(&token, sizeof(token));
	return rc;
}

static int set_endpoints(struct serve *s, struct rv_err *err)
{
	s->tcp = !s->cfg->coordinator || strstr(s->cfg->coordinator, "://");
	if (!s->tcp) {
		s->endpoints[s->endpoint_count++] = s->endpoint;
		return net_bus_ipc_endpoint(s->bus, s->cfg->coordinator, NODE_SERVE_SOCKET, s->endpoint, sizeof(s->endpoint), err);
	}
	if (s->cfg->coordinator && net_endpoint_check(rv_str_of(s->cfg->coordinator), NET_ENDPOINT_CONNECT, err) < 0)
		return -1;
	if (join(s, err) < 0)
		return -1;
	if (s->cfg->coordinator) {
		s->endpoints[s->endpoint_count++] = s->cfg->coordinator;
		return 0;
	}
	for (uint32_t i = 0; i < s->member.endpoint_count; i++)
		s->endpoints[s->endpoint_count++] = s->member.endpoints[i];
	return 0;
}

static uint64_t patience(void *arg)
{
	struct serve *s = arg;

	return s->daemon ? node_daemon_patience_us(s->daemon) : RV_NEVER;
}

static int open_link(struct serve *s, struct rv_err *err)
{
	struct node_uplink_config link = { .bus = s->bus, .loop = s->loop, .own = &s->own, .server_key = s->member.server_key, .log = s->log,
					    .patience_us = patience, .arg = s };

	if (set_endpoints(s, err) < 0)
		return -1;
	link.endpoints = s->endpoints;
	link.endpoint_count = s->endpoint_count;
	rv_random(&link.seed, sizeof(link.seed));
	return node_uplink_create(&link, now_us(), &s->uplink, err);
}

static int open_daemon(struct serve *s, struct rv_err *err)
{
	struct node_daemon_config n = s->cfg->node;

	n.mode = NODE_MODE_NODE;
	if (s->tcp) /* the name that it was let in with is the one it has */
		n.name = rv_str_of(s->member.name);
	net_key_hash(s->own.public_key, n.key);
	n.state_dir = rv_str_of(s->cfg->state_dir);
	n.blobs = &s->blobs;
	n.warden = s->warden;
	n.log = s->log;
	rv_random(&n.seed, sizeof(n.seed));
	n.ops = (struct node_daemon_ops){ .send = daemon_send, .reconnect = daemon_reconnect, .goaway = daemon_goaway };
	n.arg = s;
	return node_daemon_create(&n, now_us(), &s->daemon, err);
}

static int open_loop(struct serve *s, struct rv_err *err)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

	if (rv_signals_open(&s->signals, numbers, RV_ARRAY_LEN(numbers), err) < 0)
		return -1;
	s->signals_open = true;
	if (net_bus_create(&s->bus, NET_BUS_NETWORK, err) < 0 || net_loop_create(&s->loop, turn, s, err) < 0)
		return -1;
	return net_loop_watch(s->loop, s->signals.fd, NET_READ, err);
}

/* Everything has ended: the warden closes the channel once it has cleaned up. */
static void end_warden(struct serve *s)
{
	struct warden_frame frame;

	if (s->warden_gone)
		return;
	(void)warden_put_grace(&s->warden->out, WARDEN_SHUTDOWN, 0);
	while (warden_client_wait(s->warden, &frame, RV_NEVER, NULL) == 1)
		;
}

static void close_all(struct serve *s)
{
	node_daemon_destroy(&s->daemon);
	node_uplink_destroy(&s->uplink);
	net_loop_destroy(&s->loop);
	net_bus_destroy(&s->bus);
	if (s->signals_open)
		rv_signals_close(&s->signals);
	if (s->blobs_open)
		rv_blobs_close(&s->blobs);
	rv_lock_release(&s->lock, RV_LOCK_KEEP);
	if (s->dir >= 0)
		close(s->dir);
	net_wipe(&s->own, sizeof(s->own));
}

int node_serve(const struct node_serve_config *cfg, struct rv_err *err)
{
	struct serve *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a node");
	s->cfg = cfg;
	s->log = cfg->log;
	s->warden = cfg->warden;
	s->dir = s->lock.fd = -1;
	rc = open_state(s, err);
	if (rc == 0)
		rc = open_loop(s, err);
	if (rc == 0)
		rc = open_link(s, err);
	if (rc == 0)
		rc = open_daemon(s, err);
	if (rc == 0)
		rc = net_loop_run(s->loop, err);
	s->up = false;
	show_session(s);
	if (s->daemon)
		end_warden(s);
	if (rc == 0 && s->has_failed) {
		*err = s->failed;
		rc = -1;
	}
	close_all(s);
	free(s);
	return rc;
}
