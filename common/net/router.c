/* router.c - the side that listens (link.h) */
#include "common/check.h"
#include "common/limits.h"
#include "common/net/conns.h"
#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/net/socket.h"
#include "common/net/zap.h"
#include "common/os/clock.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum {
	ROUTING_ID_BYTES = 5,
	FRAMES_A_ROUND = 256,   /* received in a row before handshakes get their turn */
	REJECTS_A_CALL = 64,    /* messages of another shape, skipped before the caller gets its turn */
	QUESTIONS_A_ROUND = 64, /* of ZAP, each some microseconds */
	HOPS_MAX = 255,         /* of an IP packet */
};

enum door_state {
	DOOR_OPEN,
	DOOR_FILTERED, /* drops every packet */
	DOOR_DISTANT,  /* drops every packet that a router may have passed on */
};

/* New connections are taken, or not, by the door: the listening socket, which libzmq owns and tells the descriptor of. */
struct door {
	void *monitor;
	int fd; /* -1: not known yet */
	uint32_t connections, connections_max;
	enum door_state state;
	uint64_t closings;
};

struct net_router {
	void *raw;
	enum net_transport transport;
	char endpoint[NET_ENDPOINT_BYTES_MAX + PATH_MAX];
	zmq_msg_t id, frame; /* of the last receive */
	struct net_zap zap;
	struct door door;
	struct net_conns conns; /* tcp */
	struct net_router_stats stats;
	uint32_t frames_in_round;
};

void net_router_config_init(struct net_router_config *cfg)
{
	*cfg = (struct net_router_config){ 0 };
}

/* --- opening ---------------------------------------------------------------------------------------------------------- */

/* The socket is its owner's alone (bind_router), and nobody else may put another in its place. Others may pass through: a run's directory is
 * 0711, for namespaces in it that belong to the users of units. */
static int check_ipc_directory(const char *path, struct rv_err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	struct stat st;

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof dir)
		return rv_fail(err, RV_E_USAGE, "%s names no socket in a directory", path);
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	if (stat(dir, &st) < 0)
		return rv_fail_errno(err, errno, "cannot listen in %s", dir);
	if (st.st_uid == geteuid() && !(st.st_mode & 022))
		return 0;
	(void)rv_fail(err, RV_E_DENIED, "others may write in %s, where the local socket lies (owner %u, mode %04o)", dir, st.st_uid, st.st_mode & 07777);
	return rv_hint(err, "chmod go-w, by its owner");
}

static uint32_t connections_allowed(uint32_t wanted)
{
	struct rlimit lim;
	uint32_t most = UINT32_MAX;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < UINT32_MAX)
		most = lim.rlim_cur > 2 * RV_LINK_DESCRIPTORS_KEPT ? (uint32_t)lim.rlim_cur - RV_LINK_DESCRIPTORS_KEPT : (uint32_t)lim.rlim_cur / 2 + 1;
	return wanted && wanted < most ? wanted : most;
}

static int set_curve(struct net_router *r, struct net_bus *bus, const struct net_router_config *cfg, struct rv_err *err)
{
	static const int events = ZMQ_EVENT_LISTENING | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED;

	rv_check(cfg->server != NULL);
	rv_check(cfg->allow != NULL);
	if (net_zap_open(&r->zap, bus, cfg->allow, cfg->arg, err) < 0)
		return -1;
	if (net_socket_set_int(r->raw, ZMQ_CURVE_SERVER, 1) < 0 || net_socket_set_key(r->raw, ZMQ_CURVE_SECRETKEY, cfg->server->secret_key) < 0 ||
	    zmq_setsockopt(r->raw, ZMQ_ZAP_DOMAIN, NET_ZAP_DOMAIN, strlen(NET_ZAP_DOMAIN)) < 0)
		return net_socket_fail(err, "cannot set up CURVE for", cfg->endpoint);
	r->door.connections_max = connections_allowed(cfg->connections_max);
	r->door.monitor = net_monitor_open(bus, r->raw, events, err);
	return r->door.monitor ? 0 : -1;
}

static int bind_router(struct net_router *r, const char *endpoint, struct rv_err *err)
{
	size_t size = sizeof r->endpoint;
	mode_t old = 0;
	int rc;

	if (r->transport == NET_IPC)
		old = umask(0177); /* libzmq makes the file in this call: nobody else connects in a moment before a chmod */
	rc = zmq_bind(r->raw, endpoint);
	if (r->transport == NET_IPC)
		(void)umask(old);
	if (rc < 0)
		return net_socket_fail(err, "cannot listen on", endpoint);
	if (r->transport == NET_IPC && chmod(endpoint + 6, 0600) < 0)
		return rv_fail_errno(err, errno, "cannot close the socket %s to others", endpoint + 6);
	if (zmq_getsockopt(r->raw, ZMQ_LAST_ENDPOINT, r->endpoint, &size) < 0)
		return net_socket_fail(err, "cannot tell the address of", endpoint);
	return 0;
}

int net_router_open(struct net_router **out, struct net_bus *bus, const struct net_router_config *cfg, struct rv_err *err)
{
	struct net_router *r;
	enum net_transport transport;

	if (net_transport_of(cfg->endpoint, &transport, err) < 0 ||
	    (transport == NET_TCP && net_endpoint_check(rv_str_of(cfg->endpoint), NET_ENDPOINT_LISTEN, err) < 0) ||
	    (transport == NET_IPC && check_ipc_directory(cfg->endpoint + 6, err) < 0))
		return -1;
	r = calloc(1, sizeof *r);
	if (!r)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a socket");
	zmq_msg_init(&r->id);
	zmq_msg_init(&r->frame);
	r->transport = transport;
	r->door.fd = -1;
	r->raw = net_socket_open(bus, ZMQ_ROUTER, transport, cfg->endpoint, cfg->frames_in_max, cfg->frames_out_max, 0, err);
	if (!r->raw)
		goto fail;
	if (net_socket_set_int(r->raw, ZMQ_ROUTER_MANDATORY, 1) < 0) {
		(void)net_socket_fail(err, "cannot set up a socket for", cfg->endpoint);
		goto fail;
	}
	if ((transport == NET_TCP && set_curve(r, bus, cfg, err) < 0) || bind_router(r, cfg->endpoint, err) < 0)
		goto fail;
	*out = r;
	return 0;
fail:
	net_router_destroy(&r);
	return -1;
}

void net_router_destroy(struct net_router **rp)
{
	struct net_router *r = *rp;

	if (!r)
		return;
	net_monitor_close(r->raw, &r->door.monitor);
	net_socket_close(&r->raw);
	net_zap_close(&r->zap);
	net_conns_release(&r->conns);
	zmq_msg_close(&r->id);
	zmq_msg_close(&r->frame);
	free(r);
	*rp = NULL;
}

const char *net_router_endpoint(const struct net_router *r)
{
	return r->endpoint;
}

/* --- the door --------------------------------------------------------------------------------------------------------------- */

/* Packets need as many hops left as that, 0: any. A v6 socket has both kinds of peers, a v4 socket refuses the second option. */
static bool want_hops(int fd, int hops)
{
	bool v4 = setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof hops) == 0;
	bool v6 = setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof hops) == 0;

	return v4 || v6;
}

/* Descriptors are what a flood of connections takes first, and the journal needs some: closed before they are out, since libzmq
 * then tries to accept without a pause. Unbinding would end every connection that came by this door; a filter on the listening
 * socket lets the kernel drop who knocks, and whoever tries on gets in once there is room. Newer kernels let only CAP_NET_ADMIN give
 * a filter to a tcp socket: others ask for the most hops that there are, which nobody sends with but who sets out to, on the same link. */
static void close_door(struct door *d)
{
	struct sock_filter drop_all[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog program = { .len = RV_ARRAY_LEN(drop_all), .filter = drop_all };

	if (d->state != DOOR_OPEN || d->fd < 0)
		return;
	if (setsockopt(d->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0)
		d->state = DOOR_FILTERED;
	else if (want_hops(d->fd, HOPS_MAX))
		d->state = DOOR_DISTANT;
	d->closings += d->state != DOOR_OPEN;
}

static void reopen_door(struct door *d)
{
	int unused = 0;

	if (d->connections >= d->connections_max - d->connections_max / 16)
		return;
	if (d->state == DOOR_FILTERED ? setsockopt(d->fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused) == 0 : want_hops(d->fd, 0))
		d->state = DOOR_OPEN;
}

static void watch_door(struct door *d, struct net_conns *conns)
{
	uint32_t value;
	int event;

	while (net_monitor_next(d->monitor, &event, &value)) {
		if (event == ZMQ_EVENT_LISTENING)
			d->fd = (int)value;
		else if (event == ZMQ_EVENT_ACCEPTED)
			d->connections++;
		else if (event == ZMQ_EVENT_DISCONNECTED && d->connections > 0)
			d->connections--;
		if (event == ZMQ_EVENT_ACCEPTED)
			net_conns_opened(conns, (int)value);
		else if (event == ZMQ_EVENT_DISCONNECTED)
			net_conns_closed(conns, (int)value);
		if (d->connections >= d->connections_max || (event == ZMQ_EVENT_ACCEPT_FAILED && (value == EMFILE || value == ENFILE)))
			close_door(d);
	}
	if (d->state != DOOR_OPEN)
		reopen_door(d);
}

/* What libzmq asks and tells beside frames. */
static void serve_handshakes(struct net_router *r)
{
	r->frames_in_round = 0;
	if (r->transport != NET_TCP)
		return;
	net_zap_serve(&r->zap, QUESTIONS_A_ROUND);
	watch_door(&r->door, &r->conns);
	net_conns_look(&r->conns, rv_clock_boottime_us(), RV_LINK_UNFINISHED_BYTES_MAX);
}

/* --- frames ------------------------------------------------------------------------------------------------------------------ */

/* Is what was received a routing id that libzmq gave? Else the message is skipped: nobody of ours chooses one. */
static bool id_stands(struct net_router *r, uint64_t *peer)
{
	const uint8_t *id = zmq_msg_data(&r->id);

	if (zmq_msg_size(&r->id) == ROUTING_ID_BYTES && id[0] == 0 && zmq_msg_more(&r->id)) {
		*peer = (uint64_t)id[1] << 24 | (uint64_t)id[2] << 16 | (uint64_t)id[3] << 8 | id[4];
		return true;
	}
	r->stats.malformed++;
	net_skip_rest(r->raw, &r->id);
	return false;
}

/* Is what was received a frame? Counts why not. */
static bool frame_stands(struct net_router *r, uint8_t key[NET_KEY_BYTES])
{
	if (zmq_msg_more(&r->frame)) {
		r->stats.malformed++;
		net_skip_rest(r->raw, &r->frame);
		return false;
	}
	if (r->transport == NET_INPROC)
		return true;
	if (zmq_msg_size(&r->frame) > RV_FRAME_BYTES_MAX) {
		r->stats.oversize++;
		return false;
	}
	if (r->transport == NET_TCP && net_zap_user(&r->frame, key) < 0) {
		r->stats.anonymous++;
		return false;
	}
	return true;
}

int net_router_receive_from(struct net_router *r, uint64_t *peer, uint8_t key[NET_KEY_BYTES], struct rv_str *frame)
{
	memset(key, 0, NET_KEY_BYTES);
	if (++r->frames_in_round > FRAMES_A_ROUND)
		serve_handshakes(r);
	for (int rejects = 0; rejects < REJECTS_A_CALL; rejects++) {
		if (zmq_msg_recv(&r->id, r->raw, ZMQ_DONTWAIT) < 0) {
			r->conns.emptied = true;
			break;
		}
		if (!id_stands(r, peer))
			continue;
		if (zmq_msg_recv(&r->frame, r->raw, ZMQ_DONTWAIT) < 0)
			break;
		if (r->transport == NET_TCP)
			net_conns_heard(&r->conns, zmq_msg_get(&r->frame, ZMQ_SRCFD));
		if (!frame_stands(r, key))
			continue;
		*frame = rv_str(zmq_msg_data(&r->frame), zmq_msg_size(&r->frame));
		return 1;
	}
	serve_handshakes(r);
	return 0;
}

int net_router_receive(struct net_router *r, uint64_t *peer, struct rv_str *frame)
{
	uint8_t key[NET_KEY_BYTES];

	return net_router_receive_from(r, peer, key, frame);
}

int net_router_send(struct net_router *r, uint64_t peer, struct rv_str frame)
{
	uint8_t id[ROUTING_ID_BYTES] = { 0, (uint8_t)(peer >> 24), (uint8_t)(peer >> 16), (uint8_t)(peer >> 8), (uint8_t)peer };

	if (zmq_send(r->raw, id, sizeof id, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
		return -1;
	return zmq_send(r->raw, frame.at, frame.bytes, ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

void net_router_cut(struct net_router *r)
{
	if (r->transport == NET_TCP)
		net_conns_cut(&r->conns, zmq_msg_get(&r->frame, ZMQ_SRCFD));
}

/* --- for the loop and for people ------------------------------------------------------------------------------------------------ */

int net_router_watch(struct net_router *r, struct net_loop *l, struct rv_err *err)
{
	if (net_loop_add_socket(l, r->raw, err) < 0)
		return -1;
	if (r->transport != NET_TCP)
		return 0;
	if (net_loop_add_socket(l, r->zap.raw, err) < 0)
		return -1;
	return net_loop_add_socket(l, r->door.monitor, err);
}

uint64_t net_router_next_deadline(const struct net_router *r)
{
	return net_conns_next_deadline(&r->conns);
}

void net_router_stats(const struct net_router *r, struct net_router_stats *out)
{
	*out = r->stats;
	out->let_in = r->zap.let_in;
	out->refused = r->zap.refused;
	out->zap_malformed = r->zap.malformed;
	out->closed_to_new = r->door.closings;
	out->connections = r->door.connections;
	out->unfinished = r->conns.cut;
}
