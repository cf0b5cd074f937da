#include "tests/lib/test.h"

#include "tests/lib/fake_coordinator.h"

#include "common/buf.h"
#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/os/file.h"
#include "common/os/lock.h"
#include "proto/codec.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct fake_coordinator {
	char state[512];
	fake_answer_fn *fn;
	void *arg;
	int dir, stop;
	struct rv_lock lock;
	struct net_bus *bus;
	struct net_router *router;
	struct net_loop *loop;
	struct proto_frame_reader *reader;
	struct proto_frame_writer writer;
	struct rv_buf frame;
	pthread_t thread;
};

static void on_frame(struct fake_coordinator *f, uint64_t peer, struct rv_str frame)
{
	struct proto_msg m, answer;

	assert_int_equal(proto_frame_open(f->reader, frame, PROTO_TO_COORD, NULL), 0);
	while (proto_frame_next(f->reader, &m, NULL) == 1) {
		memset(&answer, 0, sizeof(answer));
		if (!f->fn(f->arg, &m, &answer))
			continue;
		if (answer.ask.request == 0)
			answer.ask.request = m.ask.request;
		assert_int_equal(proto_frame_add(&f->writer, &answer, NULL), 0);
		assert_int_equal(proto_frame_finish(&f->writer, &f->frame), 0);
		(void)net_router_send(f->router, peer, rv_buf_str(&f->frame)); /* gone: it asks again */
	}
}

static uint64_t turn(void *arg)
{
	struct fake_coordinator *f = arg;
	struct rv_str frame;
	uint64_t peer, stop;

	while (net_router_receive(f->router, &peer, &frame) == 1)
		on_frame(f, peer, frame);
	if (read(f->stop, &stop, sizeof(stop)) == sizeof(stop)) {
		net_loop_stop(f->loop);
		return 0;
	}
	return RV_NEVER;
}

static void *serve(void *arg)
{
	struct fake_coordinator *f = arg;

	assert_int_equal(net_loop_run(f->loop, NULL), 0);
	return NULL;
}

struct fake_coordinator *fake_coordinator_start(const char *state_dir, fake_answer_fn *fn, void *arg)
{
	struct fake_coordinator *f = calloc(1, sizeof(*f));
	struct net_router_config cfg;
	char endpoint[NET_ENDPOINT_BYTES_MAX + 1];

	f->fn = fn;
	f->arg = arg;
	f->reader = proto_frame_reader_create();
	proto_frame_writer_init(&f->writer);
	rv_buf_init(&f->frame, 0);
	assert_int_equal(rv_dir_open(state_dir, &f->dir, NULL), 0);
	assert_int_equal(rv_lock_take(&f->lock, f->dir, "lock", "a fake coordinator", NULL, NULL), 0);
	assert_int_equal(net_bus_create(&f->bus, NET_BUS_NETWORK, NULL), 0);
	assert_int_equal(net_bus_ipc_endpoint(f->bus, state_dir, "sock", endpoint, sizeof(endpoint), NULL), 0);
	net_router_config_init(&cfg);
	cfg.endpoint = endpoint;
	assert_int_equal(net_router_open(&f->router, f->bus, &cfg, NULL), 0);
	f->stop = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(net_loop_create(&f->loop, turn, f, NULL), 0);
	assert_int_equal(net_router_watch(f->router, f->loop, NULL), 0);
	assert_int_equal(net_loop_watch(f->loop, f->stop, NET_READ, NULL), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	return f;
}

void fake_coordinator_stop(struct fake_coordinator **fp)
{
	struct fake_coordinator *f = *fp;
	uint64_t one = 1;

	assert_int_equal(write(f->stop, &one, sizeof(one)), (ssize_t)sizeof(one));
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	net_loop_destroy(&f->loop);
	net_router_destroy(&f->router);
	net_bus_destroy(&f->bus);
	rv_lock_release(&f->lock, RV_LOCK_KEEP);
	(void)close(f->dir);
	(void)close(f->stop);
	proto_frame_reader_destroy(&f->reader);
	proto_frame_writer_release(&f->writer);
	rv_buf_release(&f->frame);
	free(f);
	*fp = NULL;
}
