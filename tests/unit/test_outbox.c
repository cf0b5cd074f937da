/* test_outbox.c - frames leave in order, and not before what they depend on is durable */
#include "tests/lib/test.h"

#include "coordinator/outbox.h"

enum { SENT_MAX = 4096 };

struct wire {
	uint64_t peer[SENT_MAX];
	uint32_t messages[SENT_MAX]; /* in each frame */
	uint32_t first_unit[SENT_MAX];
	uint32_t count;
	int answer;
};

static int record(void *arg, uint64_t peer, struct rv_str frame)
{
	struct wire *w = arg;
	struct proto_frame_reader *r = proto_frame_reader_create();
	struct proto_msg m;
	uint32_t at = w->count++;

	assert_true(at < SENT_MAX);
	assert_int_equal(proto_frame_open(r, frame, PROTO_TO_NODE, NULL), 0);
	w->peer[at] = peer;
	w->messages[at] = 0;
	while (proto_frame_next(r, &m, NULL) == 1) {
		assert_int_equal(m.kind, PROTO_RESULT_ACK);
		if (w->messages[at]++ == 0)
			w->first_unit[at] = m.result_ack.key.unit;
	}
	proto_frame_reader_destroy(&r);
	return w->answer;
}

static struct proto_msg ack(uint32_t unit)
{
	return (struct proto_msg){ .kind = PROTO_RESULT_ACK, .result_ack = { .key = { 1, unit, 1 }, .ack = PROTO_ACK_ACCEPTED } };
}

static void add(struct coord_outbox *o, uint64_t peer, uint32_t unit)
{
	struct proto_msg m = ack(unit);

	assert_int_equal(coord_outbox_add(o, peer, &m, NULL), 0);
}

static void nothing_leaves_before_its_position_is_durable(void **state)
{
	struct wire w = { 0 };
	struct coord_outbox *o = coord_outbox_create(record, &w);

	(void)state;
	add(o, 1, 10);
	coord_outbox_release(o, RV_NEVER - 1);
	assert_int_equal(w.count, 0); /* not even sealed */
	assert_int_equal(coord_outbox_seal(o, 5, NULL), 0);
	coord_outbox_release(o, 4);
	assert_int_equal(w.count, 0);
	assert_true(coord_outbox_bytes(o) > 0);
	coord_outbox_release(o, 5);
	assert_int_equal(w.count, 1);
	assert_int_equal(coord_outbox_bytes(o), 0);
	coord_outbox_destroy(&o);
}

static void whoever_is_dropped_is_told_no_more_of_what_waits(void **state)
{
	struct wire w = { 0 };
	struct coord_outbox *o = coord_outbox_create(record, &w);

	(void)state;
	add(o, 1, 10);
	add(o, 2, 20);
	assert_int_equal(coord_outbox_seal(o, 5, NULL), 0);
	add(o, 1, 11); /* not sealed yet */
	assert_int_equal(coord_outbox_drop(o, 1, NULL), 0);
	add(o, 1, 12); /* what is said after it: that it is dropped */
	assert_int_equal(coord_outbox_seal(o, 6, NULL), 0);
	coord_outbox_release(o, 6);
	assert_int_equal(w.count, 2);
	assert_int_equal(w.peer[0], 2);
	assert_int_equal(w.peer[1], 1);
	assert_int_equal(w.messages[1], 1);
	assert_int_equal(w.first_unit[1], 12);
	assert_int_equal(coord_outbox_bytes(o), 0);
	coord_outbox_destroy(&o);
}

static void a_turn_makes_one_frame_a_peer_and_turns_keep_their_order(void **state)
{
	struct wire w = { 0 };
	struct coord_outbox *o = coord_outbox_create(record, &w);

	(void)state;
	add(o, 1, 10);
	add(o, 2, 20);
	add(o, 1, 11);
	assert_int_equal(coord_outbox_seal(o, 1, NULL), 0);
	add(o, 1, 12);
	assert_int_equal(coord_outbox_seal(o, 0, NULL), 0); /* depends on nothing, yet must not overtake */
	coord_outbox_release(o, 0);
	assert_int_equal(w.count, 0);
	coord_outbox_release(o, 1);
	assert_int_equal(w.count, 3);
	assert_int_equal(w.peer[0], 1);
	assert_int_equal(w.messages[0], 2);
	assert_int_equal(w.peer[1], 2);
	assert_int_equal(w.first_unit[2], 12);
	coord_outbox_destroy(&o);
}

static void what_rests_on_nothing_overtakes_what_waits(void **state)
{
	struct wire w = { 0 };
	struct coord_outbox *o = coord_outbox_create(record, &w);
	struct proto_msg beat = ack(99); /* any message may rest on nothing */

	(void)state;
	add(o, 1, 10);
	assert_int_equal(coord_outbox_add_free(o, 1, &beat, NULL), 0);
	assert_int_equal(coord_outbox_seal(o, 1, NULL), 0);
	add(o, 1, 11);
	assert_int_equal(coord_outbox_add_free(o, 2, &beat, NULL), 0);
	assert_int_equal(coord_outbox_seal(o, 0, NULL), 0);
	coord_outbox_release(o, 0);
	assert_int_equal(w.count, 2); /* both acks of heartbeats, and neither of the others */
	assert_int_equal(w.peer[0], 1);
	assert_int_equal(w.peer[1], 2);
	coord_outbox_release(o, 1);
	assert_int_equal(w.count, 4);
	coord_outbox_destroy(&o);
}

static void a_refused_frame_is_dropped_and_counted(void **state)
{
	struct wire w = { .answer = -1 };
	struct coord_outbox *o = coord_outbox_create(record, &w);

	(void)state;
	add(o, 1, 1);
	assert_int_equal(coord_outbox_seal(o, 1, NULL), 0);
	coord_outbox_release(o, 1);
	coord_outbox_release(o, 1);
	assert_int_equal(w.count, 1);
	assert_int_equal(coord_outbox_dropped(o), 1);
	coord_outbox_destroy(&o);
}

static void what_does_not_fit_one_frame_goes_on_in_the_next(void **state)
{
	struct wire w = { 0 };
	struct coord_outbox *o = coord_outbox_create(record, &w);
	uint32_t messages = 0;

	(void)state;
	for (uint32_t i = 0; i < 200000; i++)
		add(o, 1, i);
	assert_int_equal(coord_outbox_seal(o, 1, NULL), 0);
	coord_outbox_release(o, 1);
	assert_true(w.count > 1);
	for (uint32_t i = 0; i < w.count; i++) {
		assert_int_equal(w.first_unit[i], messages);
		messages += w.messages[i];
	}
	assert_int_equal(messages, 200000);
	coord_outbox_destroy(&o);
}

/* Peers that take turns, turn after turn: each finds its own open frame, its free one apart. */
static void a_thousand_peers_have_one_frame_each_a_turn(void **state)
{
	enum { PEERS = 1000 };
	static struct wire w;
	struct coord_outbox *o = coord_outbox_create(record, &w);

	(void)state;
	for (uint32_t turn = 1; turn <= 2; turn++) {
		w.count = 0;
		for (uint32_t round = 0; round < 3; round++) {
			for (uint32_t i = 0; i < PEERS; i++) {
				struct proto_msg m = ack(i);

				if (round == 1)
					assert_int_equal(coord_outbox_add_free(o, UINT32_MAX - i, &m, NULL), 0);
				else
					add(o, UINT32_MAX - i, i);
			}
		}
		assert_int_equal(coord_outbox_seal(o, turn, NULL), 0);
		coord_outbox_release(o, turn);
		assert_int_equal(w.count, 2 * PEERS);
		for (uint32_t i = 0; i < w.count; i++) {
			assert_int_equal(w.messages[i], i < PEERS ? 2 : 1);
			assert_int_equal(w.peer[i], UINT32_MAX - i % PEERS);
			assert_int_equal(w.first_unit[i], i % PEERS);
		}
	}
	coord_outbox_destroy(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_leaves_before_its_position_is_durable),
		cmocka_unit_test(whoever_is_dropped_is_told_no_more_of_what_waits),
		cmocka_unit_test(a_turn_makes_one_frame_a_peer_and_turns_keep_their_order),
		cmocka_unit_test(what_rests_on_nothing_overtakes_what_waits),
		cmocka_unit_test(a_refused_frame_is_dropped_and_counted),
		cmocka_unit_test(what_does_not_fit_one_frame_goes_on_in_the_next),
		cmocka_unit_test(a_thousand_peers_have_one_frame_each_a_turn),
	};

	return RUN(tests);
}
