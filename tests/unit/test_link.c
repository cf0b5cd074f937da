/* test_link.c - frames over inproc, and a loop that wakes for them */
#include "tests/lib/test.h"

#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/os/clock.h"
#include "tests/lib/scratch.h"

#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>

struct pair {
	struct net_bus *bus;
	struct net_router *r;
	struct net_dealer *d;
};

static void pair_open(struct pair *p, enum net_bus_reach reach, const char *endpoint, uint32_t frames_max)
{
	struct net_router_config router;
	struct net_dealer_config dealer;

	net_router_config_init(&router);
	net_dealer_config_init(&dealer);
	router.endpoint = dealer.endpoint = endpoint;
	router.frames_in_max = router.frames_out_max = dealer.frames_in_max = dealer.frames_out_max = frames_max;
	if (!p->bus)
		assert_int_equal(net_bus_create(&p->bus, reach, NULL), 0);
	assert_int_equal(net_router_open(&p->r, p->bus, &router, NULL), 0);
	assert_int_equal(net_dealer_open(&p->d, p->bus, &dealer, NULL), 0);
}

static void pair_close(struct pair *p)
{
	net_dealer_destroy(&p->d);
	net_router_destroy(&p->r);
	net_bus_destroy(&p->bus);
}

static void a_frame_goes_there_and_an_answer_comes_back(void **state)
{
	struct pair p = { 0 };
	struct net_router *r;
	struct net_dealer *d;
	struct rv_str frame;
	uint64_t peer = 0;

	(void)state;
	pair_open(&p, NET_BUS_INPROC, "inproc://t1", 100);
	r = p.r;
	d = p.d;
	assert_int_equal(net_dealer_next_event(d), NET_DEALER_CONNECTED);
	assert_int_equal(net_dealer_next_event(d), NET_DEALER_NONE);
	assert_int_equal(net_router_receive(r, &peer, &frame), 0);
	assert_int_equal(net_dealer_send(d, RV_STR("hello")), 0);
	assert_int_equal(net_dealer_send(d, RV_STR("")), 0);
	assert_int_equal(net_router_receive(r, &peer, &frame), 1);
	assert_str(frame, "hello");
	assert_int_equal(net_router_receive(r, &peer, &frame), 1);
	assert_int_equal(frame.bytes, 0);
	assert_int_equal(net_router_receive(r, &peer, &frame), 0);
	assert_int_equal(net_router_send(r, peer, RV_STR("back")), 0);
	assert_int_equal(net_dealer_receive(d, &frame), 1);
	assert_str(frame, "back");
	pair_close(&p);
}

static void a_peer_that_is_unknown_or_full_is_refused_not_dropped_in_silence(void **state)
{
	struct pair p = { 0 };
	struct rv_str frame;
	uint64_t peer = 0;
	int sent = 0;

	(void)state;
	pair_open(&p, NET_BUS_INPROC, "inproc://t2", 10);
	assert_int_equal(net_router_send(p.r, 12345, RV_STR("x")), -1);
	assert_int_equal(net_dealer_send(p.d, RV_STR("hi")), 0);
	assert_int_equal(net_router_receive(p.r, &peer, &frame), 1);
	while (sent < 1000 && net_router_send(p.r, peer, RV_STR("x")) == 0)
		sent++;
	assert_in_range(sent, 10, 100);
	pair_close(&p);
}

struct echo {
	struct net_router *router;
	struct net_loop *loop;
	uint32_t turns, frames;
	uint64_t deadline_us;
};

static uint64_t echo_turn(void *arg)
{
	struct echo *e = arg;
	struct rv_str frame;
	uint64_t peer;

	e->turns++;
	while (net_router_receive(e->router, &peer, &frame) == 1)
		e->frames++;
	if (e->frames == 3 || rv_clock_boottime_us() >= e->deadline_us)
		net_loop_stop(e->loop);
	return e->deadline_us;
}

static void the_loop_takes_a_turn_for_frames_and_for_its_deadline(void **state)
{
	struct echo e = { .deadline_us = rv_clock_boottime_us() + 60 * RV_US_PER_S };
	struct pair p = { 0 };

	(void)state;
	pair_open(&p, NET_BUS_INPROC, "inproc://t3", 100);
	e.router = p.r;
	assert_int_equal(net_loop_create(&e.loop, echo_turn, &e, NULL), 0);
	assert_int_equal(net_router_watch(e.router, e.loop, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(net_dealer_send(p.d, RV_STR("f")), 0);
	assert_int_equal(net_loop_run(e.loop, NULL), 0);
	assert_int_equal(e.frames, 3);
	assert_true(e.turns <= 4);

	/* nothing comes: the deadline does, and not before its time */
	e.frames = 0;
	e.deadline_us = rv_clock_boottime_us() + 20 * RV_US_PER_MS;
	assert_int_equal(net_loop_run(e.loop, NULL), 0);
	assert_true(rv_clock_boottime_us() >= e.deadline_us);
	net_loop_destroy(&e.loop);
	pair_close(&p);
}

static uint64_t pipe_turn(void *arg)
{
	struct echo *e = arg;

	if (e->turns++ > 0)
		net_loop_stop(e->loop);
	return RV_NEVER;
}

static void a_descriptor_wakes_the_loop_until_it_is_taken_out(void **state)
{
	struct echo e = { 0 };
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(net_loop_create(&e.loop, pipe_turn, &e, NULL), 0);
	assert_int_equal(net_loop_watch(e.loop, p[0], NET_READ, NULL), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(net_loop_run(e.loop, NULL), 0);
	assert_int_equal(e.turns, 2);
	assert_int_equal(net_loop_watch(e.loop, p[0], 0, NULL), 0);
	assert_int_equal(net_loop_watch(e.loop, p[0], 0, NULL), 0);
	net_loop_destroy(&e.loop);
	close(p[0]);
	close(p[1]);
}

/* --- ipc ---------------------------------------------------------------------------------------------------------- */

struct wait {
	struct pair *p;
	struct net_loop *loop;
	bool (*met)(struct wait *w);
	uint64_t deadline_us;
	enum net_dealer_event event; /* the newest */
	uint32_t frames_in, frames_back;
	uint64_t peer;
	bool over;
};

static uint64_t wait_turn(void *arg)
{
	struct wait *w = arg;
	enum net_dealer_event e;
	struct rv_str frame;

	while (w->p->r && net_router_receive(w->p->r, &w->peer, &frame) == 1)
		w->frames_in++;
	while ((e = net_dealer_next_event(w->p->d)) != NET_DEALER_NONE)
		w->event = e;
	while (net_dealer_receive(w->p->d, &frame) == 1)
		w->frames_back++;
	w->over = rv_clock_boottime_us() >= w->deadline_us;
	if (w->met(w) || w->over)
		net_loop_stop(w->loop);
	return w->deadline_us;
}

static void wait_for(struct wait *w, bool (*met)(struct wait *w))
{
	w->met = met;
	w->deadline_us = rv_clock_boottime_us() + 30 * RV_US_PER_S;
	assert_int_equal(net_loop_run(w->loop, NULL), 0);
	assert_false(w->over);
}

static bool is_connected(struct wait *w)
{
	return w->event == NET_DEALER_CONNECTED;
}

static bool nowhere_to_send(struct wait *w)
{
	return net_dealer_send(w->p->d, RV_STR("lost")) == -1;
}

static bool is_lost(struct wait *w)
{
	return w->event == NET_DEALER_LOST;
}

static bool frame_came(struct wait *w)
{
	return w->frames_in > 0;
}

static bool frame_came_back(struct wait *w)
{
	return w->frames_back > 0;
}

static void wait_open(struct wait *w, struct pair *p)
{
	*w = (struct wait){ .p = p };
	assert_int_equal(net_loop_create(&w->loop, wait_turn, w, NULL), 0);
	assert_int_equal(net_router_watch(p->r, w->loop, NULL), 0);
	assert_int_equal(net_dealer_watch(p->d, w->loop, NULL), 0);
}

/* There, back; the socket is its owner's alone. */
static void talk_over_ipc(const char *dir)
{
	struct pair p = { 0 };
	struct wait w;
	char endpoint[512], path[4200];
	struct stat st;

	assert_int_equal(net_bus_create(&p.bus, NET_BUS_NETWORK, NULL), 0);
	assert_int_equal(net_bus_ipc_endpoint(p.bus, dir, "sock", endpoint, sizeof endpoint, NULL), 0);
	pair_open(&p, NET_BUS_NETWORK, endpoint, 0);
	(void)snprintf(path, sizeof path, "%s/sock", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	wait_open(&w, &p);
	wait_for(&w, is_connected);
	assert_int_equal(net_dealer_send(p.d, RV_STR("hello")), 0);
	wait_for(&w, frame_came);
	assert_int_equal(net_router_send(p.r, w.peer, RV_STR("back")), 0);
	wait_for(&w, frame_came_back);
	net_loop_destroy(&w.loop);
	pair_close(&p);
}

static void frames_pass_over_ipc_in_a_directory_that_nobody_else_writes(void **state)
{
	struct net_router_config cfg;
	struct net_bus *bus = NULL;
	struct net_router *r = NULL;
	char endpoint[512];
	struct rv_err err;

	(void)state;
	assert_int_equal(chmod(scratch_path(), 0700), 0);
	talk_over_ipc(scratch_path());
	talk_over_ipc(scratch_path()); /* the name is free again */

	assert_int_equal(chmod(scratch_path(), 0711), 0);
	talk_over_ipc(scratch_path());

	assert_int_equal(chmod(scratch_path(), 0770), 0);
	assert_int_equal(net_bus_create(&bus, NET_BUS_NETWORK, NULL), 0);
	net_router_config_init(&cfg);
	assert_int_equal(net_bus_ipc_endpoint(bus, scratch_path(), "sock", endpoint, sizeof endpoint, NULL), 0);
	cfg.endpoint = endpoint;
	assert_int_equal(net_router_open(&r, bus, &cfg, &err), -1);
	assert_int_equal(err.code, RV_E_DENIED);
	assert_null(r);
	net_bus_destroy(&bus);
}

static void a_path_longer_than_a_socket_address_is_gone_to_by_its_directory(void **state)
{
	char dir[600];
	size_t at;

	(void)state;
	at = (size_t)snprintf(dir, sizeof dir, "%s/", scratch_path());
	memset(dir + at, 'd', 200);
	dir[at + 200] = '\0';
	assert_int_equal(mkdir(dir, 0700), 0);
	talk_over_ipc(dir);
}

static void a_stale_socket_file_is_replaced(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	(void)state;
	assert_int_equal(chmod(scratch_path(), 0700), 0);
	(void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", scratch("sock"));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	close(fd);
	assert_true(scratch_has("sock"));
	talk_over_ipc(scratch_path());
}

static void nothing_said_to_a_dead_link_is_said_to_the_next(void **state)
{
	struct pair p = { 0 };
	struct wait w;
	struct net_router_config cfg;
	char endpoint[512];

	(void)state;
	assert_int_equal(chmod(scratch_path(), 0700), 0);
	assert_int_equal(net_bus_create(&p.bus, NET_BUS_NETWORK, NULL), 0);
	assert_int_equal(net_bus_ipc_endpoint(p.bus, scratch_path(), "sock", endpoint, sizeof endpoint, NULL), 0);
	pair_open(&p, NET_BUS_NETWORK, endpoint, 0);
	wait_open(&w, &p);
	wait_for(&w, is_connected);
	net_loop_destroy(&w.loop); /* the loop goes before a router does */
	net_router_destroy(&p.r);
	assert_int_equal(net_loop_create(&w.loop, wait_turn, &w, NULL), 0);
	assert_int_equal(net_dealer_watch(p.d, w.loop, NULL), 0);
	wait_for(&w, is_lost);
	wait_for(&w, nowhere_to_send); /* libzmq closes the listener behind our back: it may have answered once more */

	net_router_config_init(&cfg);
	cfg.endpoint = endpoint;
	assert_int_equal(net_router_open(&p.r, p.bus, &cfg, NULL), 0);
	assert_int_equal(net_router_watch(p.r, w.loop, NULL), 0);
	wait_for(&w, is_connected); /* by itself */
	assert_int_equal(w.frames_in, 0);
	assert_int_equal(net_dealer_send(p.d, RV_STR("new")), 0);
	wait_for(&w, frame_came);
	assert_int_equal(w.frames_in, 1);
	net_loop_destroy(&w.loop);
	pair_close(&p);
}

static void a_bus_without_a_network_refuses_one(void **state)
{
	struct net_bus *bus = NULL;
	struct net_dealer_config cfg;
	struct net_dealer *d = NULL;
	struct rv_err err;

	(void)state;
	assert_int_equal(net_bus_create(&bus, NET_BUS_INPROC, NULL), 0);
	net_dealer_config_init(&cfg);
	cfg.endpoint = "ipc:///nowhere/sock";
	assert_int_equal(net_dealer_open(&d, bus, &cfg, &err), -1);
	assert_int_equal(err.code, RV_E_INTERNAL);
	cfg.endpoint = "udp://x:1";
	assert_int_equal(net_dealer_open(&d, bus, &cfg, &err), -1);
	assert_int_equal(err.code, RV_E_USAGE);
	net_bus_destroy(&bus);
	net_bus_destroy(&bus);
}

static void endpoints_are_checked_before_libzmq_sees_them(void **state)
{
	static const struct {
		const char *endpoint;
		bool connect, listen;
	} cases[] = {
		{ "tcp://host:7700", true, true },
		{ "tcp://10.0.0.1:1", true, true },
		{ "tcp://[::1]:65535", true, true },
		{ "tcp://*:7700", false, true },
		{ "tcp://127.0.0.1:*", false, true },
		{ "tcp://host", false, false },
		{ "tcp://:7700", false, false },
		{ "tcp://host:", false, false },
		{ "tcp://host:0", false, false },
		{ "tcp://host:65536", false, false },
		{ "tcp://host:77x", false, false },
		{ "tcp://ho st:77", false, false },
		{ "tcp://host;eth0:77", false, false },
		{ "tcp://[]:77", false, false },
		{ "tcp://::1:77", false, false },
		{ "ipc://host:77", false, false },
		{ "", false, false },
	};
	char longer[400];

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		assert_int_equal(net_endpoint_check(rv_str_of(cases[i].endpoint), NET_ENDPOINT_CONNECT, NULL) == 0, cases[i].connect);
		assert_int_equal(net_endpoint_check(rv_str_of(cases[i].endpoint), NET_ENDPOINT_LISTEN, NULL) == 0, cases[i].listen);
	}
	memset(longer, 'h', sizeof longer);
	memcpy(longer, "tcp://", 6);
	memcpy(longer + 290, ":77", 4);
	assert_int_equal(net_endpoint_check(rv_str_of(longer), NET_ENDPOINT_CONNECT, NULL), -1);
}

static void tokens_name_addresses_that_others_can_use(void **state)
{
	char out[3][NET_ENDPOINT_BYTES_MAX + 1];
	uint32_t count = 9;

	(void)state;
	assert_int_equal(net_endpoint_reachable("tcp://build7:*", "tcp://10.1.2.3:4711", out, 3, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_string_equal(out[0], "tcp://build7:4711");
	assert_int_equal(net_endpoint_reachable("tcp://[::1]:7700", "tcp://[::1]:7700", out, 3, &count, NULL), 0);
	assert_string_equal(out[0], "tcp://[::1]:7700");
	assert_int_equal(net_endpoint_reachable("tcp://*:7700", "tcp://0.0.0.0:7700", out, 3, &count, NULL), 0);
	assert_in_range(count, 1, 3); /* whatever this machine has */
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(net_endpoint_check(rv_str_of(out[i]), NET_ENDPOINT_CONNECT, NULL), 0);
	if (count > 1)
		assert_null(strstr(out[0], "127.0.0.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_goes_there_and_an_answer_comes_back),
		cmocka_unit_test(a_peer_that_is_unknown_or_full_is_refused_not_dropped_in_silence),
		cmocka_unit_test(the_loop_takes_a_turn_for_frames_and_for_its_deadline),
		cmocka_unit_test(a_descriptor_wakes_the_loop_until_it_is_taken_out),
		cmocka_unit_test_setup_teardown(frames_pass_over_ipc_in_a_directory_that_nobody_else_writes, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_path_longer_than_a_socket_address_is_gone_to_by_its_directory, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_stale_socket_file_is_replaced, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(nothing_said_to_a_dead_link_is_said_to_the_next, scratch_make, scratch_drop),
		cmocka_unit_test(a_bus_without_a_network_refuses_one),
		cmocka_unit_test(endpoints_are_checked_before_libzmq_sees_them),
		cmocka_unit_test(tokens_name_addresses_that_others_can_use),
	};

	return RUN(tests);
}
