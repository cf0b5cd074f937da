/* test_node_watch.c - when an agent whose words are read as they come counts as stuck */
#include "tests/lib/test.h"

#include "node/watch.h"

#define S RV_US_PER_S
#define REFUSED "{\"type\":\"system\",\"subtype\":\"api_retry\",\"attempt\":1,\"max_retries\":10,\"error_status\":401,\"error\":\"authentication_failed\"}\n"
#define GOT_ON "{\"type\":\"user\",\"message\":{\"role\":\"user\",\"content\":[]}}\n"

static struct node_watches all;
static struct node_watch *w;
static uint64_t offset;

static void begin(uint64_t idle_us)
{
	struct proto_attempt_key key = { .run = 1, .attempt = 1 };

	offset = 0;
	node_watch_begin(&all, 7, key, TRANSCRIPT_CLAUDE, idle_us);
	w = node_watch_of(&all, 7);
	assert_non_null(w);
}

static void say(const char *text, uint64_t now_us)
{
	node_watch_feed(w, 1, offset, rv_str_of(text), now_us);
	offset += strlen(text);
}

static void end(void)
{
	node_watches_release(&all);
	assert_int_equal(node_watch_stuck_deadline(&all), RV_NEVER);
}

static void to_say_again_what_failed_is_no_sign_of_life(void **state)
{
	(void)state;
	begin(10 * S);
	say(GOT_ON, 1 * S);
	assert_int_equal(node_watch_stuck_deadline(&all), RV_NEVER);
	for (uint64_t at = 100; at < 110; at++)
		say(REFUSED, at * S);
	assert_int_equal(node_watch_stuck_deadline(&all), 110 * S); /* from the first refusal on, however long it worked before */
	assert_null(node_watch_stuck(&all, 110 * S - 1));
	assert_ptr_equal(node_watch_stuck(&all, 110 * S), w);
	assert_null(node_watch_stuck(&all, 200 * S)); /* once */
	assert_int_equal(node_watch_stuck_deadline(&all), RV_NEVER);
	end();
}

static void getting_on_begins_it_anew(void **state)
{
	(void)state;
	begin(10 * S);
	say(REFUSED, 1 * S);
	say(GOT_ON, 9 * S);
	assert_int_equal(node_watch_stuck_deadline(&all), RV_NEVER);
	say(REFUSED, 10 * S);
	say(GOT_ON REFUSED, 15 * S); /* both in one piece */
	assert_int_equal(node_watch_stuck_deadline(&all), 25 * S);
	end();
}

static void without_a_limit_while_frozen_or_half_heard_it_is_never_stuck(void **state)
{
	(void)state;
	begin(0);
	say(REFUSED, 1 * S);
	assert_int_equal(node_watch_stuck_deadline(&all), RV_NEVER);
	end();
	begin(10 * S);
	say(REFUSED, 1 * S);
	node_watch_freeze(w, true, 2 * S);
	assert_null(node_watch_stuck(&all, 100 * S));
	node_watch_freeze(w, false, 100 * S);
	assert_int_equal(node_watch_stuck_deadline(&all), 110 * S);
	offset += 5;
	say(REFUSED, 101 * S);
	assert_int_equal(node_watch_stuck_deadline(&all), RV_NEVER);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_say_again_what_failed_is_no_sign_of_life),
		cmocka_unit_test(getting_on_begins_it_anew),
		cmocka_unit_test(without_a_limit_while_frozen_or_half_heard_it_is_never_stuck),
	};

	return RUN(tests);
}
