#include "coordinator/server.h"

#include "common/check.h"
#include "common/net/bus.h"
#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/os/blobs.h"
#include "common/os/clock.h"
#include "common/os/signals.h"
#include "coordinator/clients/clients.h"
#include "coordinator/loglines.h"
#include "coordinator/remote.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	PLACE_US = 2000000,   /* between looks whether the state directory is still there */
	FRAMES_A_TURN = 4096, /* then what they led to is committed, however many more wait */
	ROUTERS = 2,
	PATH_BYTES = 4096,
};

enum { LOCAL = 0, REMOTE = 1 };

struct server {
	const struct coord_server_config *cfg;
	struct net_bus *bus;
	struct net_router *router[ROUTERS]; /* REMOTE's is `remote`'s */
	struct coord_remote *remote;
	struct net_loop *loop;
	struct rv_signals signals;
	struct rv_blobs blobs;
	struct coord_shell *shell;
	struct coord_clients *clients;
	bool signals_open, blobs_open;
	bool more;         /* frames were left waiting */
	uint64_t place_us; /* when to look for the state directory again */
	int told_fd, told_watch; /* watched for who tells of what happens; -1: none */
	uint64_t refused;  /* frames that were told of in the log */
	struct rv_err failed;
	bool has_failed;
};

static void fail(struct server *s, const struct rv_err *err)
{
	if (!s->has_failed)
		s->failed = *err;
	s->has_failed = true;
	if (s->loop)
		net_loop_stop(s->loop);
}

/* --- frames ---------------------------------------------------------------------------------------------------------- */

/* A peer in the shell's words: which router, and the number of its connection there. */
static uint64_t handle_of(uint32_t router, uint64_t peer)
{
	rv_check(peer <= UINT32_MAX);
	return (uint64_t)(router + 1) << 32 | peer;
}

static int send_frame(void *arg, uint64_t peer, struct rv_str frame)
{
	struct server *s = arg;
	uint32_t router = (uint32_t)(peer >> 32) - 1;

	rv_check(router < ROUTERS);
	peer &= UINT32_MAX;
	if (!s->router[router] || (router == REMOTE && !coord_remote_may_tell(s->remote, peer)))
		return -1;
	if (router == REMOTE)
		coord_remote_told(s->remote, peer);
	return net_router_send(s->router[router], peer, frame);
}

/* Malformed frames are told of at powers of two, so that nobody fills the log. */
static void frame_refused(struct server *s, uint32_t router, const struct rv_err *why)
{
	char count[32];

	s->refused++;
	if (s->refused & (s->refused - 1))
		return;
	(void)snprintf(count, sizeof count, "%llu", (unsigned long long)s->refused);
	rv_log(s->cfg->log, RV_LOG_WARN, "frame_refused", "link", router == LOCAL ? "local" : "tcp", "count", count, "error", why->msg, NULL);
}

static void drain(struct server *s, uint32_t router)
{
	struct coord_peer_identity who = { .roles = PROTO_ROLE_NODE | PROTO_ROLE_OPERATOR, .trusted = true };
	uint8_t key[NET_KEY_BYTES];
	uint64_t peer, now = rv_clock_boottime_us(), real = rv_clock_realtime_us();
	struct rv_str frame;
	struct rv_err err;
	uint32_t taken = 0;

	if (!s->router[router])
		return;
	while (taken < FRAMES_A_TURN && net_router_receive_from(s->router[router], &peer, key, &frame) == 1) {
		taken++;
		if (router == REMOTE)
			coord_remote_identify(s->remote, peer, key, real, &who);
		if (!who.roles) { /* revoked, though its link lived */
			net_router_cut(s->router[router]);
			continue;
		}
		if (coord_shell_on_frame(s->shell, handle_of(router, peer), &who, frame, now, real, &err) < 0)
			frame_refused(s, router, &err);
	}
	s->more |= taken == FRAMES_A_TURN;
}

/* --- the turn ----------------------------------------------------------------------------------------------------------- */

static bool asked_to_end(struct server *s)
{
	struct rv_signal sig;

	while (rv_signals_next(&s->signals, &sig) == 1) {
		if (sig.number == SIGTERM || sig.number == SIGINT) {
			rv_log(s->cfg->log, RV_LOG_INFO, "coordinator_ending", "signal", sig.number == SIGTERM ? "TERM" : "INT", NULL);
			return true;
		}
	}
	return false;
}

/* Whoever tells of what happens waits for a descriptor. */
static void turn_teller(struct server *s)
{
	int fd = -1, watch;

	if (!s->cfg->turned)
		return;
	watch = s->cfg->turned(s->cfg->arg, &fd);
	if (fd == s->told_fd && watch == s->told_watch)
		return;
	if (s->told_fd >= 0 && fd != s->told_fd)
		(void)net_loop_watch(s->loop, s->told_fd, 0, NULL);
	if (fd >= 0)
		(void)net_loop_watch(s->loop, fd, watch, NULL); /* without it the next turn that comes is soon enough */
	s->told_fd = fd;
	s->told_watch = watch;
}

/* A journal that was removed under us goes on taking records that no successor will read: nobody may be told that they are kept. */
static int look_for_journal(struct server *s, struct rv_err *err)
{
	uint64_t now = rv_clock_boottime_us();

	if (now < s->place_us)
		return 0;
	s->place_us = now + PLACE_US;
	return journal_in_place(coord_shell_journal(s->shell), err);
}

static uint64_t turn(void *arg)
{
	struct server *s = arg;
	uint64_t now, next;
	struct rv_err err;

	if (net_loop_ready(s->loop, s->signals.fd) && asked_to_end(s)) {
		net_loop_stop(s->loop);
		return 0;
	}
	if (look_for_journal(s, &err) < 0) {
		fail(s, &err);
		return 0;
	}
	s->more = false;
	if (net_loop_ready(s->loop, coord_shell_journal_fd(s->shell)) && coord_shell_journal_poll(s->shell, &err) < 0) {
		fail(s, &err);
		return 0;
	}
	for (uint32_t i = 0; i < ROUTERS; i++)
		drain(s, i);
	now = rv_clock_boottime_us();
	coord_clients_turn(s->clients, now, rv_clock_realtime_us());
	if (coord_shell_turn(s->shell, now, rv_clock_realtime_us(), &err) < 0) {
		fail(s, &err);
		return 0;
	}
	turn_teller(s);
	if (s->more)
		return 0;
	next = rv_min_u64(coord_shell_next_deadline(s->shell), coord_clients_next_deadline(s->clients));
	next = rv_min_u64(next, s->place_us);
	if (s->router[REMOTE])
		next = rv_min_u64(next, net_router_next_deadline(s->router[REMOTE]));
	return next <= rv_clock_boottime_us() ? 0 : next;
}

/* --- the shell's ops -------------------------------------------------------------------------------------------------------- */

static void on_message(void *arg, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	struct server *s = arg;

	coord_clients_on_message(s->clients, peer, who, m);
	if (m->kind == PROTO_REVOKE && !who->trusted && !coord_remote_may_tell(s->remote, peer & UINT32_MAX))
		coord_remote_last_word(s->remote, peer & UINT32_MAX);
}

static void on_denied(void *arg, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	coord_clients_on_denied(((struct server *)arg)->clients, peer, who, m);
}

static bool on_result(void *arg, uint64_t peer, const struct proto_msg *m)
{
	return coord_clients_on_result(((struct server *)arg)->clients, peer, m);
}

static void on_fact(void *arg, const struct proto_fact *f, uint64_t real_us, bool replayed)
{
	struct server *s = arg;

	coord_clients_on_fact(s->clients, f, real_us, replayed);
	if (!replayed && s->shell) /* not yet: the epoch's, while it opens */
		coord_log_fact(s->cfg->log, coord_shell_core(s->shell), f);
}

static void on_transition(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index, bool replayed)
{
	struct server *s = arg;

	coord_clients_on_transition(s->clients, t, position, replayed);
	if (s->cfg->transition)
		s->cfg->transition(s->cfg->arg, core, t, position, index, replayed);
	if (!replayed)
		coord_log_transition(s->cfg->log, core, t);
}

static void on_run_gone(void *arg, uint64_t run)
{
	struct server *s = arg;

	coord_clients_on_run_gone(s->clients, run);
	if (s->cfg->run_gone)
		s->cfg->run_gone(s->cfg->arg, run);
}

static void on_durable(void *arg, uint64_t position)
{
	struct server *s = arg;

	coord_clients_durable(s->clients, position);
	if (s->cfg->durable)
		s->cfg->durable(s->cfg->arg, position);
}

static void on_reply(void *arg, uint64_t client, bool done_before, uint32_t changed)
{
	coord_clients_on_reply(((struct server *)arg)->clients, client, done_before, changed);
}

static void on_run_finished(void *arg, uint64_t run, enum coord_run_state state, enum proto_reason reason)
{
	struct server *s = arg;
	struct coord_run_counts n;
	char counts[4][16];

	coord_run_counts(coord_shell_core(s->shell), run, &n);
	(void)snprintf(counts[0], sizeof counts[0], "%u", n.succeeded);
	(void)snprintf(counts[1], sizeof counts[1], "%u", n.failed);
	(void)snprintf(counts[2], sizeof counts[2], "%u", n.skipped);
	(void)snprintf(counts[3], sizeof counts[3], "%u", n.cancelled);
	rv_log(s->cfg->log, RV_LOG_INFO, "run_finished", "run", rv_run_id_of(run).text, "state", coord_run_state_name(state), "reason",
	       proto_reason_name(reason), "succeeded", counts[0], "failed", counts[1], "skipped", counts[2], "cancelled", counts[3], NULL);
}

/* --- life ----------------------------------------------------------------------------------------------------------------------- */

static int make_state_dir(const char *path, struct rv_err *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return rv_fail_errno(err, errno, "cannot make the state directory %s", path);
	return 0;
}

static int open_shell(struct server *s, struct rv_err *err)
{
	struct coord_clients_config clients = {
		.state_dir = s->cfg->state_dir,
		.duty = COORD_SERVES_ALL,
		.blobs = &s->blobs,
		.estimates_dir = s->cfg->state_dir,
		.access = coord_remote_access(s->remote),
		.version = s->cfg->version,
		.what = "coordinator",
		.log = s->cfg->log,
	};
	struct coord_shell_config c;
	char path[PATH_BYTES];

	if ((size_t)snprintf(path, sizeof path, "%s/blobs", s->cfg->state_dir) >= sizeof path)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", s->cfg->state_dir);
	if (rv_blobs_open(&s->blobs, path, s->cfg->durability == JOURNAL_POWER ? RV_BLOBS_SYNC : RV_BLOBS_NOSYNC, 0, err) < 0)
		return -1;
	s->blobs_open = true;
	if (coord_clients_create(&s->clients, &clients, err) < 0)
		return -1;
	coord_shell_config_init(&c);
	c.state_dir = s->cfg->state_dir;
	c.durability = s->cfg->durability;
	c.what = "reeve coordinator";
	c.core.nodes_max = RV_NODES_MAX;
	c.core.runs_max = RV_RUNS_LIVE_MAX;
	c.core.attempts_max = RV_ATTEMPTS_LIVE_MAX;
	c.core.seed = s->cfg->seed;
	c.core.gather_us = RV_GATHER_US;
	c.runs_ended_max = RV_RUNS_ENDED_KEPT;
	c.blobs = &s->blobs;
	c.estimates_dir = s->cfg->state_dir;
	c.log = s->cfg->log;
	c.ops = (struct coord_shell_ops){
		.send = send_frame,
		.message = on_message,
		.denied = on_denied,
		.result = on_result,
		.fact = on_fact,
		.transition = on_transition,
		.durable = on_durable,
		.reply = on_reply,
		.run_finished = on_run_finished,
		.run_gone = on_run_gone,
	};
	c.arg = s;
	if (coord_shell_open(&c, rv_clock_boottime_us(), rv_clock_realtime_us(), &s->shell, err) < 0)
		return -1;
	return coord_clients_serve(s->clients, s->shell, rv_clock_boottime_us(), err);
}

/* Sockets open only once the journal is ours, so that nobody talks to a coordinator that may not serve. */
static int open_links(struct server *s, struct rv_err *err)
{
	struct net_router_config local;
	char endpoint[NET_ENDPOINT_BYTES_MAX + 1];
	const char *const *endpoints;
	uint32_t count;

	net_router_config_init(&local);
	if (net_bus_create(&s->bus, NET_BUS_NETWORK, err) < 0 ||
	    net_bus_ipc_endpoint(s->bus, s->cfg->state_dir, COORD_SERVER_SOCKET, endpoint, sizeof endpoint, err) < 0)
		return -1;
	local.endpoint = endpoint;
	if (net_router_open(&s->router[LOCAL], s->bus, &local, err) < 0)
		return -1;
	if (!s->cfg->listen)
		return 0;
	if (coord_remote_listen(s->remote, s->bus, s->cfg->listen, err) < 0)
		return -1;
	s->router[REMOTE] = coord_remote_router(s->remote);
	endpoints = coord_remote_endpoints(s->remote, &count);
	coord_clients_listening(s->clients, coord_remote_server_key(s->remote), endpoints, count);
	return 0;
}

static int watch(struct server *s, int fd, struct rv_err *err)
{
	return fd < 0 ? 0 : net_loop_watch(s->loop, fd, NET_READ, err);
}

static int open_loop(struct server *s, struct rv_err *err)
{
	if (net_loop_create(&s->loop, turn, s, err) < 0 || watch(s, s->signals.fd, err) < 0 ||
	    watch(s, coord_shell_journal_fd(s->shell), err) < 0 || watch(s, coord_clients_fd(s->clients), err) < 0)
		return -1;
	for (uint32_t i = 0; i < ROUTERS; i++)
		if (s->router[i] && net_router_watch(s->router[i], s->loop, err) < 0)
			return -1;
	return 0;
}

static void close_all(struct server *s)
{
	net_loop_destroy(&s->loop);
	coord_clients_destroy(&s->clients);
	coord_shell_close(&s->shell);
	net_router_destroy(&s->router[LOCAL]);
	coord_remote_destroy(&s->remote);
	net_bus_destroy(&s->bus);
	if (s->blobs_open)
		rv_blobs_close(&s->blobs);
	if (s->signals_open)
		rv_signals_close(&s->signals);
}

int coord_server_run(const struct coord_server_config *cfg, struct rv_err *err)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct server s = { .cfg = cfg, .told_fd = -1 };
	int rc = -1;

	if (rv_signals_open(&s.signals, signals, RV_ARRAY_LEN(signals), err) < 0)
		return -1;
	s.signals_open = true;
	if (make_state_dir(cfg->state_dir, err) < 0 || coord_remote_create(&s.remote, cfg->state_dir, err) < 0 || open_shell(&s, err) < 0 || open_links(&s, err) < 0 || open_loop(&s, err) < 0)
		goto out;
	if (cfg->serving)
		cfg->serving(cfg->arg, coord_shell_epoch(s.shell), s.router[REMOTE] ? net_router_endpoint(s.router[REMOTE]) : NULL);
	rc = net_loop_run(s.loop, err);
	if (rc == 0 && s.has_failed) {
		*err = s.failed;
		rc = -1;
	}
	if (cfg->ending)
		cfg->ending(cfg->arg);
out:
	close_all(&s);
	if (rc < 0 && err->code == RV_E_NO_SPACE && !err->hint[0])
		(void)rv_hint(err, "free space on the disk of %s, then start again: nothing that was acknowledged is lost", cfg->state_dir);
	return rc;
}
