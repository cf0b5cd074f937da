/* test_link.c - frames over inproc, and a loop that wakes for them */
#include "tests/lib/test.h"

#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/os/clock.h"

static void a_frame_goes_there_and_an_answer_comes_back(void **state)
{
	struct net_router *r = NULL;
	struct net_dealer *d = NULL;
	struct rv_str frame;
	uint64_t peer = 0;

	(void)state;
	assert_int_equal(net_router_create(&r, "inproc://t1", 100, NULL), 0);
	assert_int_equal(net_dealer_create(&d, "inproc://t1", 100, NULL), 0);
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
	net_dealer_destroy(&d);
	net_router_destroy(&r);
}

static void a_peer_that_is_unknown_or_full_is_refused_not_dropped_in_silence(void **state)
{
	struct net_router *r = NULL;
	struct net_dealer *d = NULL;
	struct rv_str frame;
	uint64_t peer = 0;
	int sent = 0;

	(void)state;
	assert_int_equal(net_router_create(&r, "inproc://t2", 10, NULL), 0);
	assert_int_equal(net_router_send(r, 12345, RV_STR("x")), -1);
	assert_int_equal(net_dealer_create(&d, "inproc://t2", 10, NULL), 0);
	assert_int_equal(net_dealer_send(d, RV_STR("hi")), 0);
	assert_int_equal(net_router_receive(r, &peer, &frame), 1);
	while (sent < 1000 && net_router_send(r, peer, RV_STR("x")) == 0)
		sent++;
	assert_in_range(sent, 10, 100);
	net_dealer_destroy(&d);
	net_router_destroy(&r);
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
	struct net_dealer *d = NULL;

	(void)state;
	assert_int_equal(net_router_create(&e.router, "inproc://t3", 100, NULL), 0);
	assert_int_equal(net_dealer_create(&d, "inproc://t3", 100, NULL), 0);
	assert_int_equal(net_loop_create(&e.loop, echo_turn, &e, NULL), 0);
	assert_int_equal(net_loop_add_socket(e.loop, net_router_socket(e.router), NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(net_dealer_send(d, RV_STR("f")), 0);
	assert_int_equal(net_loop_run(e.loop, NULL), 0);
	assert_int_equal(e.frames, 3);
	assert_true(e.turns <= 4);

	/* nothing comes: the deadline does, and not before its time */
	e.frames = 0;
	e.deadline_us = rv_clock_boottime_us() + 20 * RV_US_PER_MS;
	assert_int_equal(net_loop_run(e.loop, NULL), 0);
	assert_true(rv_clock_boottime_us() >= e.deadline_us);
	net_loop_destroy(&e.loop);
	net_dealer_destroy(&d);
	net_router_destroy(&e.router);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_goes_there_and_an_answer_comes_back),
		cmocka_unit_test(a_peer_that_is_unknown_or_full_is_refused_not_dropped_in_silence),
		cmocka_unit_test(the_loop_takes_a_turn_for_frames_and_for_its_deadline),
		cmocka_unit_test(a_descriptor_wakes_the_loop_until_it_is_taken_out),
	};

	return RUN(tests);
}
