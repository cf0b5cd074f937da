/* test_node_uplink.c - how long a node waits on its way back to the coordinator; time is given, nobody answers */
#include "tests/lib/test.h"

#include "common/net/link.h"
#include "common/net/loop.h"
#include "node/uplink.h"
#include "tests/lib/scratch.h"

#define S (uint64_t)RV_US_PER_S

struct rig {
	struct net_bus *bus;
	struct net_loop *loop;
	struct node_uplink *u;
	char endpoint[512];
	const char *endpoints[1];
	uint64_t patience_us, now_us;
};

static uint64_t patience(void *arg)
{
	return ((struct rig *)arg)->patience_us;
}

static uint64_t turn(void *arg)
{
	(void)arg;
	return RV_NEVER;
}

static void rig_open(struct rig *g, uint64_t patience_us)
{
	struct node_uplink_config cfg = { .seed = 7, .patience_us = patience, .arg = g, .endpoint_count = 1 };

	*g = (struct rig){ .patience_us = patience_us, .now_us = 1000 * S };
	assert_int_equal(net_bus_create(&g->bus, NET_BUS_NETWORK, NULL), 0);
	assert_int_equal(net_loop_create(&g->loop, turn, g, NULL), 0);
	assert_int_equal(net_bus_ipc_endpoint(g->bus, scratch_path(), "nobody", g->endpoint, sizeof g->endpoint, NULL), 0);
	cfg.bus = g->bus;
	cfg.loop = g->loop;
	g->endpoints[0] = g->endpoint;
	cfg.endpoints = g->endpoints;
	assert_int_equal(node_uplink_create(&cfg, g->now_us, &g->u, NULL), 0);
}

static void rig_close(struct rig *g)
{
	node_uplink_destroy(&g->u);
	net_loop_destroy(&g->loop);
	net_bus_destroy(&g->bus);
}

/* How long it waits after the coordinator did not want the connection. */
static uint64_t wait_after_renewal(struct rig *g)
{
	node_uplink_renew(g->u, "test", g->now_us);
	return node_uplink_next_deadline(g->u) - g->now_us;
}

static void waits_grow_to_half_a_minute(void **state)
{
	static const uint64_t seconds[] = { 1, 2, 4, 8, 16, 30, 30 };
	struct rig g;

	(void)state;
	rig_open(&g, RV_NEVER);
	for (size_t i = 0; i < RV_ARRAY_LEN(seconds); i++)
		assert_in_range(wait_after_renewal(&g), seconds[i] * S * 8 / 10, seconds[i] * S * 12 / 10);
	node_uplink_welcomed(g.u);
	assert_in_range(wait_after_renewal(&g), S * 8 / 10, S * 12 / 10);
	rig_close(&g);
}

static void what_may_not_be_silent_long_has_short_waits(void **state)
{
	struct rig g;
	int i;

	(void)state;
	rig_open(&g, 337500); /* of lost_after_s 3 */
	for (i = 0; i < 20; i++)
		assert_in_range(wait_after_renewal(&g), 337500 * 8 / 10, 337500 * 12 / 10);
	g.patience_us = 6750000; /* of 60 */
	for (i = 0; i < 20; i++)
		assert_in_range(wait_after_renewal(&g), 6750000 * 8ull / 10, 6750000 * 12ull / 10);
	g.patience_us = 11250; /* of 0.1: the coordinator is not run over for it */
	for (i = 0; i < 20; i++)
		assert_in_range(wait_after_renewal(&g), NODE_UPLINK_PATIENCE_US_MIN * 8 / 10, NODE_UPLINK_PATIENCE_US_MIN * 12 / 10);
	rig_close(&g);
}

static void a_connection_that_does_not_come_is_tried_anew_in_time(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, 337500);
	assert_int_equal(node_uplink_next_deadline(g.u) - g.now_us, NODE_UPLINK_TRY_US_MIN);
	(void)wait_after_renewal(&g);
	g.now_us = node_uplink_next_deadline(g.u);
	g.patience_us = 2 * S;
	assert_int_equal(node_uplink_next(g.u, g.now_us), NODE_UPLINK_NOTHING);
	assert_int_equal(node_uplink_next_deadline(g.u) - g.now_us, 2 * S);
	g.now_us = node_uplink_next_deadline(g.u);
	g.patience_us = RV_NEVER;
	assert_int_equal(node_uplink_next(g.u, g.now_us), NODE_UPLINK_NOTHING);
	assert_int_equal(node_uplink_next_deadline(g.u) - g.now_us, NODE_UPLINK_TRY_US);
	rig_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(waits_grow_to_half_a_minute, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(what_may_not_be_silent_long_has_short_waits, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_connection_that_does_not_come_is_tried_anew_in_time, scratch_make, scratch_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
