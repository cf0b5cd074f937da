#include "cli/host.h"

#include "cli/cli.h"
#include "cli/layout.h"
#include "common/check.h"
#include "common/net/bus.h"
#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/os/blobs.h"
#include "common/os/clock.h"
#include "common/os/signals.h"
#include "coordinator/clients/clients.h"
#include "coordinator/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum {
	FRAMES_MAX = 100000,  /* queued on a link; more is dropped and healed by resends */
	ROUNDS_MAX = 64,      /* of moving frames to and fro before signals and the status line get their turn */
	WARDEN_RESTARTS = 3,
	DOOR_AFTER_US = 200000, /* a run that lives so long can be talked to; a shorter one does not pay for it */
	DOOR_FRAMES_A_TURN = 64,
};

/* Peers that came by the door: their router's index, above the number of the connection. */
#define DOOR_PEER ((uint64_t)1 << 32)

/* What has to be looked at in this turn. Both ends of both links are in this thread, so what was sent is known: no socket is asked in
 * vain, which would be two system calls each time. */
enum dirty {
	COORD = 1,        /* the core was stepped, or a deadline is due */
	NODE = 2,
	COORD_FRAMES = 4, /* frames wait in the router */
	NODE_FRAMES = 8,  /* ... in the dealer */
};

struct cli_host {
	struct cli_host_ops ops;
	void *arg;
	struct rv_blobs blobs;
	bool blobs_open;
	struct coord_shell *coord;
	struct node_daemon *node;
	struct warden_client *warden;
	const char *run_dir;
	struct net_bus *bus;
	struct net_router *router;
	struct net_dealer *dealer;
	struct net_loop *loop;
	struct rv_signals signals;
	bool signals_open;
	int warden_fd;           /* watched; -1: none */
	uint32_t warden_restarts;
	uint64_t kill_warden_at; /* CLOCK_BOOTTIME; RV_NEVER: not */
	bool warden_given_up;    /* killed by us: no other one follows */
	const struct rv_log *log;
	/* the door: the ipc socket in the run's directory; opened late, in a context of its own */
	uint64_t door_us;        /* when; RV_NEVER: it is open, or cannot be */
	struct net_bus *door_bus;
	struct net_router *door;
	struct coord_clients *clients;
	unsigned dirty;
	uint32_t coord_frames, node_frames; /* sent and not received yet: none is asked for in vain */
	bool ending;
	struct rv_err failed;
	bool has_failed;
};

static uint64_t now_us(void)
{
	return rv_clock_boottime_us();
}

static void fail(struct cli_host *h, const struct rv_err *err)
{
	if (h->has_failed)
		return;
	h->has_failed = true;
	h->failed = *err;
	cli_host_end(h, RV_NEVER, PROTO_REASON_INTERRUPTED);
}

/* --- the two links ------------------------------------------------------------------------------------------------ */

static int coord_send(void *arg, uint64_t peer, struct rv_str frame)
{
	struct cli_host *h = arg;

	if (peer & DOOR_PEER)
		return net_router_send(h->door, peer & ~DOOR_PEER, frame);
	if (net_router_send(h->router, peer, frame) < 0)
		return -1;
	h->node_frames++;
	h->dirty |= NODE_FRAMES;
	return 0;
}

static int node_send(void *arg, struct rv_str frame)
{
	struct cli_host *h = arg;

	if (net_dealer_send(h->dealer, frame) < 0)
		return -1;
	h->coord_frames++;
	h->dirty |= COORD_FRAMES;
	return 0;
}

static void node_output(void *arg, struct proto_attempt_key key, int stream, uint64_t offset, struct rv_str bytes)
{
	struct cli_host *h = arg;

	if (h->ops.output)
		h->ops.output(h->arg, key, stream, offset, bytes);
}

static void drain_router(struct cli_host *h)
{
	static const struct coord_peer_identity ours = { .roles = PROTO_ROLE_NODE, .trusted = true };
	uint64_t peer, now = now_us(), real = rv_clock_realtime_us();
	struct rv_str frame;
	struct rv_err err;

	h->dirty &= ~(unsigned)COORD_FRAMES;
	while (h->coord_frames && net_router_receive(h->router, &peer, &frame) == 1) {
		h->coord_frames--;
		if (coord_shell_on_frame(h->coord, peer, &ours, frame, now, real, &err) < 0)
			rv_log(h->log, RV_LOG_ERROR, "frame_refused", "from", "node", "error", err.msg, NULL);
		h->dirty |= COORD;
	}
}

static void drain_dealer(struct cli_host *h)
{
	uint64_t now = now_us();
	struct rv_str frame;
	struct rv_err err;

	h->dirty &= ~(unsigned)NODE_FRAMES;
	while (h->node_frames && net_dealer_receive(h->dealer, &frame) == 1) {
		h->node_frames--;
		if (node_daemon_on_frame(h->node, frame, now, &err) < 0)
			rv_log(h->log, RV_LOG_ERROR, "frame_refused", "from", "coordinator", "error", err.msg, NULL);
		h->dirty |= NODE;
	}
}

/* --- the warden ------------------------------------------------------------------------------------------------------ */

static void watch_warden(struct cli_host *h)
{
	int watch = NET_READ | (node_daemon_wants_write(h->node) ? NET_WRITE : 0);
	struct rv_err err;

	if (h->warden_fd >= 0 && net_loop_watch(h->loop, h->warden_fd, watch, &err) < 0)
		fail(h, &err);
}

/* A warden that died is replaced a few times; its attempts are over and come back as failures of the environment. */
static void replace_warden(struct cli_host *h, const struct rv_err *why)
{
	struct rv_err err;

	rv_log(h->log, RV_LOG_ERROR, "warden_lost", "error", why->msg, NULL);
	(void)net_loop_watch(h->loop, h->warden_fd, 0, NULL);
	h->warden_fd = -1;
	warden_client_close(h->warden, WARDEN_CLOSE_WAIT);
	if (h->ending || h->warden_given_up)
		return;
	if (h->warden_restarts++ >= WARDEN_RESTARTS || warden_start_exec(h->warden, NULL, CLI_WARDEN_VERB, &err) < 0) {
		(void)rv_fail(&err, RV_E_IO, "the warden, which owns the units, died %u times: %s", h->warden_restarts, why->msg);
		fail(h, &err);
		return;
	}
	h->warden_fd = h->warden->fd;
	node_daemon_set_warden(h->node, h->warden, now_us());
	h->dirty |= NODE;
}

/* Its death shows as end of file, and all that follows is as if it had died by itself. */
static void kill_warden_when_due(struct cli_host *h)
{
	if (now_us() < h->kill_warden_at)
		return;
	h->kill_warden_at = RV_NEVER;
	if (h->warden_fd < 0 || h->warden->pid <= 0)
		return;
	h->warden_given_up = true;
	if (h->ops.warden_given_up)
		h->ops.warden_given_up(h->arg);
	(void)kill(h->warden->pid, SIGKILL);
}

static void drain_warden(struct cli_host *h)
{
	struct rv_err err;

	if (h->warden_fd < 0 || !net_loop_ready(h->loop, h->warden_fd))
		return;
	if (node_daemon_on_warden(h->node, now_us(), &err) < 0)
		replace_warden(h, &err);
	h->dirty |= NODE;
}

/* --- the door -------------------------------------------------------------------------------------------------------- */

static int open_door(struct cli_host *h, struct rv_err *err)
{
	struct coord_clients_config clients = {
		.state_dir = h->run_dir,
		.duty = COORD_SERVES_ONE_RUN,
		.blobs = &h->blobs,
		.version = CLI_VERSION,
		.what = "run",
		.log = h->log,
	};
	struct net_router_config cfg;
	char endpoint[NET_ENDPOINT_BYTES_MAX + 1];

	net_router_config_init(&cfg);
	cfg.endpoint = endpoint;
	if (net_bus_create(&h->door_bus, NET_BUS_NETWORK, err) < 0 ||
	    net_bus_ipc_endpoint(h->door_bus, h->run_dir, COORD_SERVER_SOCKET, endpoint, sizeof endpoint, err) < 0 ||
	    coord_clients_create(&h->clients, &clients, err) < 0 || coord_clients_serve(h->clients, h->coord, now_us(), err) < 0 ||
	    net_router_open(&h->door, h->door_bus, &cfg, err) < 0)
		return -1;
	return net_router_watch(h->door, h->loop, err);
}

static void close_door(struct cli_host *h)
{
	coord_clients_destroy(&h->clients);
	net_router_destroy(&h->door);
	net_bus_destroy(&h->door_bus);
}

/* Whoever may enter the run's directory may look and steer. A run that nobody can talk to still runs. */
static void attend_door(struct cli_host *h)
{
	static const struct coord_peer_identity guest = { .roles = PROTO_ROLE_OPERATOR, .trusted = true };
	uint64_t peer, now = now_us(), real;
	uint8_t key[NET_KEY_BYTES];
	struct rv_str frame;
	struct rv_err err;
	int taken = 0;

	if (now >= h->door_us) {
		h->door_us = RV_NEVER;
		if (open_door(h, &err) < 0) {
			rv_log(h->log, RV_LOG_WARN, "socket_unavailable", "error", err.msg, NULL);
			close_door(h);
		}
	}
	if (!h->door)
		return;
	real = rv_clock_realtime_us();
	while (taken < DOOR_FRAMES_A_TURN && net_router_receive_from(h->door, &peer, key, &frame) == 1) {
		taken++;
		if (coord_shell_on_frame(h->coord, DOOR_PEER | peer, &guest, frame, now, real, &err) < 0)
			rv_log(h->log, RV_LOG_WARN, "frame_refused", "from", "client", "error", err.msg, NULL);
	}
	if (taken || coord_clients_next_deadline(h->clients) <= now) {
		coord_clients_turn(h->clients, now, real);
		h->dirty |= COORD;
	}
}

/* --- a turn --------------------------------------------------------------------------------------------------------------- */

static void drain_signals(struct cli_host *h)
{
	struct rv_signal sig;

	if (!net_loop_ready(h->loop, h->signals.fd))
		return;
	while (rv_signals_next(&h->signals, &sig) == 1) {
		if (h->ops.signal)
			h->ops.signal(h->arg, sig.number);
		h->dirty |= COORD; /* what it ordered does not wait for the next deadline */
	}
}

static void turn_coordinator(struct cli_host *h)
{
	struct rv_err err;

	h->dirty &= ~(unsigned)COORD;
	if (coord_shell_turn(h->coord, now_us(), rv_clock_realtime_us(), &err) < 0)
		fail(h, &err);
}

static void turn_node(struct cli_host *h)
{
	h->dirty &= ~(unsigned)NODE;
	node_daemon_turn(h->node, now_us());
}

/* Moves frames both ways until nothing moves. */
static void settle(struct cli_host *h)
{
	uint64_t now = now_us();

	if (coord_shell_next_deadline(h->coord) <= now)
		h->dirty |= COORD;
	if (node_daemon_next_deadline(h->node) <= now)
		h->dirty |= NODE;
	for (int round = 0; round < ROUNDS_MAX && h->dirty; round++) {
		if (h->dirty & NODE_FRAMES)
			drain_dealer(h);
		if (h->dirty & NODE)
			turn_node(h);
		if (h->dirty & COORD_FRAMES)
			drain_router(h);
		if (h->dirty & COORD)
			turn_coordinator(h);
	}
}

static uint64_t turn(void *arg)
{
	struct cli_host *h = arg;
	uint64_t next = RV_NEVER;

	drain_signals(h);
	kill_warden_when_due(h);
	drain_warden(h);
	attend_door(h);
	settle(h);
	watch_warden(h);
	if (h->ending && node_daemon_stopped(h->node)) {
		net_loop_stop(h->loop);
		return 0;
	}
	if (h->ops.tick)
		next = h->ops.tick(h->arg, now_us());
	if (h->dirty)
		return 0;
	next = rv_min_u64(next, coord_shell_next_deadline(h->coord));
	next = rv_min_u64(next, node_daemon_next_deadline(h->node));
	next = rv_min_u64(next, h->kill_warden_at);
	next = rv_min_u64(next, h->door_us);
	if (h->clients)
		next = rv_min_u64(next, coord_clients_next_deadline(h->clients));
	return next <= now_us() ? 0 : next;
}

/* --- life --------------------------------------------------------------------------------------------------------------------- */

static void told_transition(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index, bool replayed)
{
	struct cli_host *h = arg;

	if (h->clients)
		coord_clients_on_transition(h->clients, t, position, replayed);
	if (h->ops.transition)
		h->ops.transition(h->arg, core, t, position, index, replayed);
}

static void told_message(void *arg, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	struct cli_host *h = arg;

	if (h->clients)
		coord_clients_on_message(h->clients, peer, who, m);
}

static void told_denied(void *arg, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	struct cli_host *h = arg;

	if (h->clients)
		coord_clients_on_denied(h->clients, peer, who, m);
}

static void told_fact(void *arg, const struct proto_fact *f, uint64_t real_us, bool replayed)
{
	struct cli_host *h = arg;

	if (h->clients)
		coord_clients_on_fact(h->clients, f, real_us, replayed);
}

static void told_reply(void *arg, uint64_t client, bool done_before, uint32_t changed)
{
	struct cli_host *h = arg;

	if (h->clients)
		coord_clients_on_reply(h->clients, client, done_before, changed);
}

static void told_durable(void *arg, uint64_t position)
{
	struct cli_host *h = arg;

	if (h->clients)
		coord_clients_durable(h->clients, position);
	if (h->ops.durable)
		h->ops.durable(h->arg, position);
}

static void told_finished(void *arg, uint64_t run, enum coord_run_state state, enum proto_reason reason)
{
	struct cli_host *h = arg;

	if (h->ops.run_finished)
		h->ops.run_finished(h->arg, run, state, reason);
}

static int open_coordinator(struct cli_host *h, const struct cli_host_config *cfg, struct rv_err *err)
{
	struct coord_shell_config c;
	char path[4096];

	if ((size_t)snprintf(path, sizeof path, "%s/blobs", cfg->run_dir) >= sizeof path)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", cfg->run_dir);
	if (rv_blobs_open(&h->blobs, path, cfg->durability == JOURNAL_POWER ? RV_BLOBS_SYNC : RV_BLOBS_NOSYNC, 0, err) < 0)
		return -1;
	h->blobs_open = true;
	coord_shell_config_init(&c);
	c.state_dir = cfg->run_dir;
	c.durability = cfg->durability;
	c.core.nodes_max = 4;
	c.core.runs_max = 4;
	c.core.attempts_max = (uint32_t)rv_min_u64(RV_ATTEMPTS_LIVE_MAX, 2 * (cfg->node.slots + cfg->node.agent_slots) + 2 * RV_PREFETCH_MAX);
	c.core.seed = cfg->node.seed;
	c.blobs = &h->blobs;
	c.estimates_dir = cfg->estimates_dir;
	c.log = cfg->log;
	c.ops = (struct coord_shell_ops){
		.send = coord_send,
		.message = told_message,
		.denied = told_denied,
		.fact = told_fact,
		.reply = told_reply,
		.transition = told_transition,
		.durable = told_durable,
		.run_finished = told_finished,
	};
	c.arg = h;
	return coord_shell_open(&c, now_us(), rv_clock_realtime_us(), &h->coord, err);
}

static int open_node(struct cli_host *h, const struct cli_host_config *cfg, struct rv_err *err)
{
	struct node_daemon_config n = cfg->node;

	n.state_dir = rv_str_of(cfg->node_dir);
	n.blobs = &h->blobs;
	n.warden = h->warden;
	n.log = cfg->log;
	n.ops = (struct node_daemon_ops){ .send = node_send, .output = h->ops.output ? node_output : NULL };
	n.arg = h;
	return node_daemon_create(&n, now_us(), &h->node, err);
}

static int open_loop(struct cli_host *h, struct rv_err *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	static const char endpoint[] = "inproc://host"; /* names are the bus's own */
	struct net_router_config router;
	struct net_dealer_config dealer;

	net_router_config_init(&router);
	net_dealer_config_init(&dealer);
	if (rv_signals_open(&h->signals, signals, RV_ARRAY_LEN(signals), err) < 0)
		return -1;
	h->signals_open = true;
	router.endpoint = dealer.endpoint = endpoint;
	router.frames_in_max = router.frames_out_max = dealer.frames_in_max = dealer.frames_out_max = FRAMES_MAX;
	if (net_bus_create(&h->bus, NET_BUS_INPROC, err) < 0 || net_router_open(&h->router, h->bus, &router, err) < 0 ||
	    net_dealer_open(&h->dealer, h->bus, &dealer, err) < 0)
		return -1;
	/* The two sockets are not watched: nothing comes to them but from this thread, which knows (enum dirty). */
	if (net_loop_create(&h->loop, turn, h, err) < 0)
		return -1;
	if (net_loop_watch(h->loop, h->signals.fd, NET_READ, err) < 0)
		return -1;
	return 0;
}

int cli_host_open(const struct cli_host_config *cfg, struct cli_host **out, struct rv_err *err)
{
	struct cli_host *h = calloc(1, sizeof *h);

	if (!h)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a host");
	h->ops = cfg->ops;
	h->arg = cfg->arg;
	h->log = cfg->log;
	h->warden = cfg->warden;
	h->kill_warden_at = RV_NEVER;
	h->run_dir = cfg->run_dir;
	h->warden_fd = cfg->warden ? cfg->warden->fd : -1;
	if (open_loop(h, err) < 0 || open_coordinator(h, cfg, err) < 0 || open_node(h, cfg, err) < 0) {
		cli_host_close(&h);
		return -1;
	}
	*out = h;
	return 0;
}

void cli_host_close(struct cli_host **hp)
{
	struct cli_host *h = *hp;

	if (!h)
		return;
	node_daemon_destroy(&h->node);
	close_door(h);
	coord_shell_close(&h->coord);
	net_loop_destroy(&h->loop);
	net_dealer_destroy(&h->dealer);
	net_router_destroy(&h->router);
	net_bus_destroy(&h->bus);
	if (h->signals_open)
		rv_signals_close(&h->signals);
	if (h->blobs_open)
		rv_blobs_close(&h->blobs);
	free(h);
	*hp = NULL;
}

int cli_host_run(struct cli_host *h, struct rv_err *err)
{
	int journal = coord_shell_journal_fd(h->coord);

	if (journal >= 0 && net_loop_watch(h->loop, journal, NET_READ, err) < 0)
		return -1;
	h->dirty = COORD | NODE;
	h->door_us = now_us() + DOOR_AFTER_US;
	node_daemon_connected(h->node, now_us());
	if (net_loop_run(h->loop, err) < 0)
		return -1;
	if (h->has_failed) {
		if (err)
			*err = h->failed;
		return -1;
	}
	return 0;
}

void cli_host_end(struct cli_host *h, uint64_t grace_us, enum proto_reason reason)
{
	h->ending = true;
	h->dirty |= NODE;
	node_daemon_stop(h->node, grace_us, reason, now_us());
}

void cli_host_kill_soon(struct cli_host *h)
{
	if (h->kill_warden_at == RV_NEVER && !h->warden_given_up)
		h->kill_warden_at = now_us() + CLI_HOST_KILL_US;
}

int cli_host_watch(struct cli_host *h, int fd, int watch, struct rv_err *err)
{
	return net_loop_watch(h->loop, fd, watch, err);
}

struct coord_shell *cli_host_coordinator(struct cli_host *h)
{
	return h->coord;
}

struct node_daemon *cli_host_node(struct cli_host *h)
{
	return h->node;
}

struct rv_blobs *cli_host_blobs(struct cli_host *h)
{
	return &h->blobs;
}
