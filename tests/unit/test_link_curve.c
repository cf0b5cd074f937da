/* test_link_curve.c - tcp with CURVE: who is let in, what comes with a frame, and what hostile peers get */
#include "tests/lib/test.h"

#include "common/limits.h"
#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/os/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zmq.h>

enum { ALLOWED_MAX = 4, CLIENTS_MAX = 3 };

/* A router and some dealers in one loop; `allowed` is the list that the handler asks. */
struct rig {
	struct net_bus *bus, *far; /* far: the clients' */
	struct net_router *router;
	struct net_keypair server;
	char endpoint[64];
	uint8_t allowed[ALLOWED_MAX][NET_KEY_BYTES];
	uint32_t allowed_count, asked;

	struct net_dealer *d[CLIENTS_MAX];
	enum net_dealer_event event[CLIENTS_MAX];
	uint32_t events[CLIENTS_MAX], back[CLIENTS_MAX];

	struct net_loop *loop;
	bool (*met)(struct rig *g);
	uint64_t deadline_us;
	bool over;

	uint32_t frames;
	size_t last_bytes;
	uint64_t last_peer;
	uint8_t last_key[NET_KEY_BYTES];
};

static bool allow(void *arg, const uint8_t key[NET_KEY_BYTES])
{
	struct rig *g = arg;

	g->asked++;
	for (uint32_t i = 0; i < g->allowed_count; i++)
		if (memcmp(g->allowed[i], key, NET_KEY_BYTES) == 0)
			return true;
	return false;
}

static void drain_router(struct rig *g)
{
	uint8_t key[NET_KEY_BYTES];
	struct rv_str frame;
	uint64_t peer;

	while (g->router && net_router_receive_from(g->router, &peer, key, &frame) == 1) {
		g->frames++;
		g->last_bytes = frame.bytes;
		g->last_peer = peer;
		memcpy(g->last_key, key, NET_KEY_BYTES);
	}
}

static uint64_t turn(void *arg)
{
	struct rig *g = arg;
	enum net_dealer_event e;
	struct rv_str frame;

	drain_router(g);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		while (g->d[i] && (e = net_dealer_next_event(g->d[i])) != NET_DEALER_NONE) {
			g->event[i] = e;
			g->events[i]++;
		}
		while (g->d[i] && net_dealer_receive(g->d[i], &frame) == 1)
			g->back[i]++;
	}
	g->over = rv_clock_boottime_us() >= g->deadline_us;
	if (g->met(g) || g->over)
		net_loop_stop(g->loop);
	return g->router ? rv_min_u64(g->deadline_us, net_router_next_deadline(g->router)) : g->deadline_us;
}

static void wait_for(struct rig *g, bool (*met)(struct rig *g))
{
	g->met = met;
	g->deadline_us = rv_clock_boottime_us() + 60 * RV_US_PER_S;
	assert_int_equal(net_loop_run(g->loop, NULL), 0);
	assert_false(g->over);
}

static bool never(struct rig *g)
{
	(void)g;
	return false;
}

/* As long as a round trip or two: for what must not come. What was sent before has arrived long since, as other frames show. */
static void look_for(struct rig *g, uint64_t us)
{
	g->met = never;
	g->deadline_us = rv_clock_boottime_us() + us;
	assert_int_equal(net_loop_run(g->loop, NULL), 0);
}

static void rig_listen(struct rig *g, const char *endpoint, uint32_t connections_max)
{
	uint64_t until = rv_clock_boottime_us() + 30 * RV_US_PER_S;
	struct net_router_config cfg;
	struct rv_err err;

	net_router_config_init(&cfg);
	cfg.endpoint = endpoint;
	cfg.server = &g->server;
	cfg.allow = allow;
	cfg.arg = g;
	cfg.connections_max = connections_max;
	/* a router that was closed just now gives its port back in a thread of libzmq's */
	while (net_router_open(&g->router, g->bus, &cfg, &err) < 0)
		assert_true(err.sys == EADDRINUSE && rv_clock_boottime_us() < until);
	(void)snprintf(g->endpoint, sizeof g->endpoint, "%s", net_router_endpoint(g->router));
	assert_int_equal(net_router_watch(g->router, g->loop, NULL), 0);
}

static int rig_open(void **state)
{
	struct rig *g = calloc(1, sizeof *g);

	assert_non_null(g);
	assert_int_equal(net_bus_create(&g->bus, NET_BUS_NETWORK, NULL), 0);
	assert_int_equal(net_bus_create(&g->far, NET_BUS_NETWORK, NULL), 0);
	assert_int_equal(net_loop_create(&g->loop, turn, g, NULL), 0);
	net_keypair_generate(&g->server);
	*state = g;
	return 0;
}

static int rig_close(void **state)
{
	struct rig *g = *state;

	net_loop_destroy(&g->loop);
	for (int i = 0; i < CLIENTS_MAX; i++)
		net_dealer_destroy(&g->d[i]);
	net_router_destroy(&g->router);
	net_bus_destroy(&g->far);
	net_bus_destroy(&g->bus);
	free(g);
	return 0;
}

static void let_in(struct rig *g, const struct net_keypair *k)
{
	memcpy(g->allowed[g->allowed_count++], k->public_key, NET_KEY_BYTES);
}

static void join(struct rig *g, int i, const struct net_keypair *own, const uint8_t server_key[NET_KEY_BYTES])
{
	struct net_dealer_config cfg;

	net_dealer_config_init(&cfg);
	cfg.endpoint = g->endpoint;
	cfg.own = own;
	cfg.server_key = server_key;
	assert_int_equal(net_dealer_open(&g->d[i], g->far, &cfg, NULL), 0);
	assert_int_equal(net_dealer_watch(g->d[i], g->loop, NULL), 0);
	g->event[i] = NET_DEALER_NONE;
	g->events[i] = 0;
}

static void leave(struct rig *g, int i)
{
	net_dealer_unwatch(g->d[i], g->loop);
	net_dealer_destroy(&g->d[i]);
}

static bool first_has_event(struct rig *g) { return g->event[0] != NET_DEALER_NONE; }
static bool first_connected(struct rig *g) { return g->event[0] == NET_DEALER_CONNECTED; }
static bool second_connected(struct rig *g) { return g->event[1] == NET_DEALER_CONNECTED; }
static bool second_has_event(struct rig *g) { return g->event[1] != NET_DEALER_NONE; }
static bool a_frame(struct rig *g) { return g->frames >= 1; }
static bool two_frames(struct rig *g) { return g->frames >= 2; }
static bool first_got(struct rig *g) { return g->back[0] >= 1; }
static bool first_lost(struct rig *g) { return g->event[0] == NET_DEALER_LOST; }

#define rig_test(f) cmocka_unit_test_setup_teardown(f, rig_open, rig_close)

/* --- who is let in ------------------------------------------------------------------------------------------------------ */

static void a_frame_comes_with_the_key_that_the_handshake_proved(void **state)
{
	struct rig *g = *state;
	struct net_keypair a, b;

	net_keypair_generate(&a);
	net_keypair_generate(&b);
	let_in(g, &a);
	let_in(g, &b);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, g->server.public_key);
	join(g, 1, &b, g->server.public_key);
	wait_for(g, first_connected);
	wait_for(g, second_connected);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("from a")), 0);
	wait_for(g, a_frame);
	assert_memory_equal(g->last_key, a.public_key, NET_KEY_BYTES);
	assert_int_equal(g->last_bytes, 6);
	assert_int_equal(net_router_send(g->router, g->last_peer, RV_STR("back")), 0);
	wait_for(g, first_got);
	assert_int_equal(net_dealer_send(g->d[1], RV_STR("of b")), 0);
	wait_for(g, two_frames);
	assert_memory_equal(g->last_key, b.public_key, NET_KEY_BYTES);
	assert_int_equal(g->back[1], 0);
}

static void an_unknown_key_is_refused_and_told_so(void **state)
{
	struct rig *g = *state;
	struct net_router_stats s;
	struct net_keypair a;

	net_keypair_generate(&a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, g->server.public_key);
	wait_for(g, first_has_event);
	assert_int_equal(g->event[0], NET_DEALER_REFUSED);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("x")), -1);
	look_for(g, 300 * RV_US_PER_MS); /* it never tries again: that is the owner's to do */
	assert_int_equal(g->asked, 1);
	assert_int_equal(g->events[0], 1);
	net_router_stats(g->router, &s);
	assert_int_equal(s.refused, 1);
	assert_int_equal(s.let_in, 0);

	let_in(g, &a);
	leave(g, 0);
	join(g, 0, &a, g->server.public_key);
	wait_for(g, first_connected);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("x")), 0);
	wait_for(g, a_frame);
}

static void another_servers_key_gives_no_connection(void **state)
{
	struct rig *g = *state;
	struct net_keypair a, other;

	net_keypair_generate(&a);
	net_keypair_generate(&other);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, other.public_key);
	wait_for(g, first_has_event);
	assert_int_equal(g->event[0], NET_DEALER_MISMATCH);
	assert_int_equal(g->asked, 0); /* the handler was not even asked */
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("x")), -1);
	assert_int_equal(g->frames, 0);
}

/* The public key of somebody who is known does not help without its secret half. */
static void a_borrowed_public_key_is_worth_nothing(void **state)
{
	struct rig *g = *state;
	struct net_keypair a, thief;

	net_keypair_generate(&a);
	net_keypair_generate(&thief);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	memcpy(thief.public_key, a.public_key, NET_KEY_BYTES);
	join(g, 0, &thief, g->server.public_key);
	wait_for(g, first_has_event);
	assert_int_not_equal(g->event[0], NET_DEALER_CONNECTED);
	look_for(g, 300 * RV_US_PER_MS);
	assert_int_equal(g->frames, 0);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("x")), -1);
}

/* libzmq has no way to end the link: who asks for each frame's key can tell. */
static void a_key_is_asked_for_at_each_handshake_and_comes_with_each_frame(void **state)
{
	struct rig *g = *state;
	struct net_keypair a;

	net_keypair_generate(&a);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, g->server.public_key);
	wait_for(g, first_connected);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("1")), 0);
	wait_for(g, a_frame);
	g->allowed_count = 0; /* revoked */
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("2")), 0);
	wait_for(g, two_frames); /* the link lives ... */
	assert_memory_equal(g->last_key, a.public_key, NET_KEY_BYTES); /* ... and says whose it is */
	join(g, 1, &a, g->server.public_key);
	wait_for(g, second_has_event);
	assert_int_equal(g->event[1], NET_DEALER_REFUSED);
}

static bool nowhere_to_send(struct rig *g)
{
	return net_dealer_send(g->d[0], RV_STR("nowhere")) == -1;
}

static void a_link_that_ended_is_made_again_by_itself(void **state)
{
	struct rig *g = *state;
	struct net_keypair a;
	char endpoint[64];

	net_keypair_generate(&a);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, g->server.public_key);
	wait_for(g, first_connected);
	net_loop_destroy(&g->loop);
	net_router_destroy(&g->router);
	assert_int_equal(net_loop_create(&g->loop, turn, g, NULL), 0);
	assert_int_equal(net_dealer_watch(g->d[0], g->loop, NULL), 0);
	wait_for(g, first_lost);
	wait_for(g, nowhere_to_send); /* libzmq closes the listener behind our back: it may have answered once more */
	(void)snprintf(endpoint, sizeof endpoint, "%s", g->endpoint);
	rig_listen(g, endpoint, 0);
	wait_for(g, first_connected);
	assert_int_equal(g->frames, 0);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("here")), 0);
	wait_for(g, a_frame);
}

/* --- sizes ----------------------------------------------------------------------------------------------------------------- */

static void a_frame_of_the_limit_passes_and_a_larger_one_does_not(void **state)
{
	static char big[RV_FRAME_BYTES_MAX + 1000];
	struct rig *g = *state;
	struct net_router_stats s;
	struct net_keypair a;

	net_keypair_generate(&a);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, g->server.public_key);
	wait_for(g, first_connected);
	assert_int_equal(net_dealer_send(g->d[0], rv_str(big, RV_FRAME_BYTES_MAX)), 0);
	wait_for(g, a_frame);
	assert_int_equal(g->last_bytes, RV_FRAME_BYTES_MAX);
	assert_int_equal(net_dealer_send(g->d[0], rv_str(big, RV_FRAME_BYTES_MAX + 1)), 0);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("after")), 0);
	wait_for(g, two_frames);
	assert_int_equal(g->last_bytes, 5); /* the one in between was dropped */
	net_router_stats(g->router, &s);
	assert_int_equal(s.oversize, 1);
	assert_int_equal(net_dealer_send(g->d[0], rv_str(big, sizeof big)), 0);
	wait_for(g, first_lost); /* libzmq ends the connection before it has read it */
	assert_int_equal(g->frames, 2);
}

/* --- messages of many parts --------------------------------------------------------------------------------------------------- */

/* A DEALER of libzmq's own: ours sends frames only. */
static void *raw_dealer(struct rig *g, void *ctx, const struct net_keypair *own)
{
	void *raw = zmq_socket(ctx, ZMQ_DEALER);
	int linger = 0;

	assert_non_null(raw);
	assert_int_equal(zmq_setsockopt(raw, ZMQ_LINGER, &linger, sizeof linger), 0);
	assert_int_equal(zmq_setsockopt(raw, ZMQ_CURVE_SERVERKEY, g->server.public_key, NET_KEY_BYTES), 0);
	assert_int_equal(zmq_setsockopt(raw, ZMQ_CURVE_PUBLICKEY, own->public_key, NET_KEY_BYTES), 0);
	assert_int_equal(zmq_setsockopt(raw, ZMQ_CURVE_SECRETKEY, own->secret_key, NET_KEY_BYTES), 0);
	assert_int_equal(zmq_connect(raw, g->endpoint), 0);
	return raw;
}

static void send_parts(void *raw, uint32_t count, size_t bytes)
{
	static char part[RV_FRAME_BYTES_MAX];

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(zmq_send(raw, part, bytes, i + 1 < count ? ZMQ_SNDMORE : 0), (int)bytes);
}

static bool a_hundred_malformed(struct rig *g)
{
	struct net_router_stats s;

	net_router_stats(g->router, &s);
	return s.malformed >= 100;
}

/* Whoever sends nothing else must not keep the loop from its other work. */
static void messages_of_many_parts_are_skipped_a_few_at_a_time(void **state)
{
	struct rig *g = *state;
	struct net_router_stats s;
	struct net_keypair a;
	uint8_t key[NET_KEY_BYTES];
	struct rv_str frame;
	uint64_t peer, before;
	void *ctx = zmq_ctx_new(), *raw;

	net_keypair_generate(&a);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	raw = raw_dealer(g, ctx, &a);
	for (int i = 0; i < 100; i++)
		send_parts(raw, 3, 10);
	wait_for(g, a_hundred_malformed); /* connected */
	for (int i = 0; i < 200; i++)
		send_parts(raw, 3, 10);
	send_parts(raw, 1, 10);
	net_router_stats(g->router, &s);
	before = s.malformed;
	usleep(200000); /* they are all there, or the test shows less than it could */
	assert_int_equal(net_router_receive_from(g->router, &peer, key, &frame), 0);
	net_router_stats(g->router, &s);
	assert_true(s.malformed - before <= 64);
	wait_for(g, a_frame);
	net_router_stats(g->router, &s);
	assert_int_equal(s.malformed, 300);
	zmq_close(raw);
	zmq_ctx_term(ctx);
}

static bool one_unfinished(struct rig *g)
{
	struct net_router_stats s;

	net_router_stats(g->router, &s);
	return s.unfinished == 1;
}

/* 2 GiB in parts: the connection ends long before, and the others stay. */
static void a_message_that_does_not_end_ends_its_connection(void **state)
{
	struct rig *g = *state;
	struct net_router_stats s;
	struct net_keypair a;
	void *ctx = zmq_ctx_new(), *raw;

	net_keypair_generate(&a);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, g->server.public_key);
	wait_for(g, first_connected);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("x")), 0);
	wait_for(g, a_frame);
	raw = raw_dealer(g, ctx, &a);
	send_parts(raw, 1024, RV_FRAME_BYTES_MAX);
	wait_for(g, one_unfinished);
	zmq_close(raw);
	zmq_ctx_term(ctx);
	net_router_stats(g->router, &s);
	assert_int_equal(s.malformed, 0); /* it never became a message */
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("y")), 0);
	wait_for(g, two_frames);
	assert_int_equal(g->events[0], 1);
}

/* As many bytes in whole messages, sent while nobody takes them, are none of that. */
static void much_that_waits_to_be_taken_is_no_such_message(void **state)
{
	static char big[RV_FRAME_BYTES_MAX];
	struct rig *g = *state;
	struct net_router_stats s;
	struct net_keypair a;
	uint32_t sent = 0;

	net_keypair_generate(&a);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, g->server.public_key);
	wait_for(g, first_connected);
	for (int i = 0; i < 100; i++)
		sent += net_dealer_send(g->d[0], rv_str(big, sizeof big)) == 0;
	usleep(600000); /* more than the looks are apart */
	while (g->frames < sent)
		drain_router(g);
	look_for(g, 600000);
	net_router_stats(g->router, &s);
	assert_true(sent > 40);
	assert_int_equal(s.unfinished, 0);
	assert_int_equal(g->events[0], 1);
}

static bool first_refused(struct rig *g) { return g->event[0] == NET_DEALER_REFUSED; }

static void one_peers_connection_can_be_ended(void **state)
{
	struct rig *g = *state;
	struct net_keypair a, b;

	net_keypair_generate(&a);
	net_keypair_generate(&b);
	let_in(g, &a);
	let_in(g, &b);
	rig_listen(g, "tcp://127.0.0.1:*", 0);
	join(g, 0, &a, g->server.public_key);
	join(g, 1, &b, g->server.public_key);
	wait_for(g, first_connected);
	wait_for(g, second_connected);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("x")), 0);
	wait_for(g, a_frame);
	memset(g->allowed[0], 0, NET_KEY_BYTES);
	net_router_cut(g->router);
	wait_for(g, first_refused); /* it came again */
	assert_int_equal(g->event[1], NET_DEALER_CONNECTED);
	assert_int_equal(g->events[1], 1);
}

/* --- others than reeve ---------------------------------------------------------------------------------------------------------- */

/* -1: not within half a second. */
static int raw_connect(struct rig *g)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	addr.sin_port = htons((uint16_t)atoi(strrchr(g->endpoint, ':') + 1));
	assert_true(fd >= 0);
	(void)connect(fd, (struct sockaddr *)&addr, sizeof addr);
	if (poll(&p, 1, 500) == 1 && !(p.revents & (POLLERR | POLLHUP)))
		return fd;
	close(fd);
	return -1;
}

static uint32_t connections(struct rig *g)
{
	struct net_router_stats s;

	net_router_stats(g->router, &s);
	return s.connections;
}

static bool no_connections(struct rig *g) { return connections(g) == 0; }
static bool four_connections(struct rig *g) { return connections(g) == 4; }

/* Bytes that are no ZMTP, old ZMTP, ZMTP with another mechanism: the connection ends, and nothing reaches the router. */
static void what_does_not_speak_curve_is_cut_off(void **state)
{
	static const struct {
		char bytes[64]; /* the rest is zero, as in a greeting of ZMTP 3 */
		size_t count;
	} greetings[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27 },
		{ "\x01\x00", 2 },                           /* ZMTP 1.0: an anonymous peer's identity */
		{ "\xff\0\0\0\0\0\0\0\1\x7f\1\5\0\0", 14 },  /* ZMTP 2.0 */
		{ "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 64 },
		{ "\xff\0\0\0\0\0\0\0\1\x7f\3\0PLAIN", 64 },
	};
	struct rig *g = *state;

	rig_listen(g, "tcp://127.0.0.1:*", 0);
	for (size_t i = 0; i < RV_ARRAY_LEN(greetings); i++) {
		int fd = raw_connect(g);
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char got[256];
		ssize_t n = 1;

		assert_true(fd >= 0);
		assert_int_equal(write(fd, greetings[i].bytes, greetings[i].count), (ssize_t)greetings[i].count);
		/* its own greeting comes, then the end: before the handshake's time is over by half */
		while (n > 0 && poll(&p, 1, RV_LINK_HANDSHAKE_MS / 2) == 1) {
			n = read(fd, got, sizeof got);
			drain_router(g);
		}
		assert_true(n <= 0);
		close(fd);
	}
	wait_for(g, no_connections);
	assert_int_equal(g->frames, 0);
	assert_int_equal(g->asked, 0);
}

static bool one_connection(struct rig *g) { return connections(g) == 1; }

/* At the limit the kernel drops who comes, so that no descriptor is spent; those who are in stay in. */
static void silent_ones_are_bounded(struct rig *g, int fd[3])
{
	struct net_router_stats s;
	struct net_keypair a;

	net_keypair_generate(&a);
	let_in(g, &a);
	rig_listen(g, "tcp://127.0.0.1:*", 4);
	join(g, 0, &a, g->server.public_key);
	wait_for(g, first_connected);
	for (int i = 0; i < 3; i++) {
		fd[i] = raw_connect(g);
		assert_true(fd[i] >= 0);
	}
	wait_for(g, four_connections);
	net_router_stats(g->router, &s);
	assert_int_equal(s.closed_to_new, 1);
	assert_int_equal(raw_connect(g), -1);
	assert_int_equal(net_dealer_send(g->d[0], RV_STR("x")), 0);
	wait_for(g, a_frame);

	join(g, 1, &a, g->server.public_key); /* goes on trying ... */
	close(fd[0]);
	wait_for(g, second_connected); /* ... until there is room */
	leave(g, 1);
}

static void silent_connections_are_bounded_and_go_with_the_handshakes_time(void **state)
{
	struct rig *g = *state;
	struct net_router_stats s;
	int fd[3];

	silent_ones_are_bounded(g, fd);
	wait_for(g, one_connection); /* the silent ones' time is over */
	for (int i = 1; i < 3; i++)
		close(fd[i]);
	assert_int_equal(g->event[0], NET_DEALER_CONNECTED);
	assert_int_equal(g->events[0], 1);
	net_router_stats(g->router, &s);
	assert_true(s.closed_to_new >= 1);
	fd[0] = raw_connect(g);
	assert_true(fd[0] >= 0);
	close(fd[0]);
}

/* This thread's, which is the one that closes the door. */
static void set_net_admin(bool may)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	assert_int_equal(syscall(SYS_capget, &head, sets), 0);
	sets[CAP_TO_INDEX(CAP_NET_ADMIN)].effective &= ~CAP_TO_MASK(CAP_NET_ADMIN);
	if (may)
		sets[CAP_TO_INDEX(CAP_NET_ADMIN)].effective |= sets[CAP_TO_INDEX(CAP_NET_ADMIN)].permitted & CAP_TO_MASK(CAP_NET_ADMIN);
	assert_int_equal(syscall(SYS_capset, &head, sets), 0);
}

/* Linux since 2026 lets only CAP_NET_ADMIN give a tcp socket a filter. */
static void silent_connections_are_bounded_by_who_may_set_no_filter(void **state)
{
	int fd[3];

	set_net_admin(false);
	silent_ones_are_bounded(*state, fd);
	set_net_admin(true);
	close(fd[1]);
	close(fd[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		rig_test(a_frame_comes_with_the_key_that_the_handshake_proved),
		rig_test(an_unknown_key_is_refused_and_told_so),
		rig_test(another_servers_key_gives_no_connection),
		rig_test(a_borrowed_public_key_is_worth_nothing),
		rig_test(a_key_is_asked_for_at_each_handshake_and_comes_with_each_frame),
		rig_test(a_link_that_ended_is_made_again_by_itself),
		rig_test(a_frame_of_the_limit_passes_and_a_larger_one_does_not),
		rig_test(messages_of_many_parts_are_skipped_a_few_at_a_time),
		rig_test(a_message_that_does_not_end_ends_its_connection),
		rig_test(much_that_waits_to_be_taken_is_no_such_message),
		rig_test(one_peers_connection_can_be_ended),
		rig_test(what_does_not_speak_curve_is_cut_off),
		rig_test(silent_connections_are_bounded_and_go_with_the_handshakes_time),
		rig_test(silent_connections_are_bounded_by_who_may_set_no_filter),
	};

	return RUN(tests);
}
