/* test_node_records.c - what a node keeps of a result until it is acknowledged is all of it */
#include "tests/lib/test.h"

#include "node/records.h"

static const struct proto_attempt_key key = { .run = 7, .unit = 3, .attempt = 2 };

static void expect_kept(const struct proto_result *r)
{
	struct node_records all;
	struct proto_result out;
	struct node_record *rec;

	assert_int_equal(node_records_init(&all, 4), 0);
	rec = node_record_begin(&all, 1, key, r->epoch);
	node_record_set_result(rec, r);
	node_record_result(rec, &out);
	assert_memory_equal(&out.key, &key, sizeof(key));
	assert_int_equal(out.epoch, r->epoch);
	assert_int_equal(out.outcome, r->outcome);
	assert_int_equal(out.class, r->class);
	assert_int_equal(out.reason, r->reason);
	assert_int_equal(out.flags, r->flags);
	assert_int_equal(out.exit, r->exit);
	assert_int_equal(out.signal, r->signal);
	assert_int_equal(out.start_us, r->start_us);
	assert_int_equal(out.end_us, r->end_us);
	assert_int_equal(out.duration_us, r->duration_us);
	assert_int_equal(out.cpu_us, r->cpu_us);
	assert_int_equal(out.rss_bytes, r->rss_bytes);
	assert_memory_equal(&out.usage, &r->usage, sizeof(out.usage));
	assert_int_equal(out.retry_after_us, r->retry_after_us);
	assert_int_equal(out.artifact_count, r->artifact_count);
	node_record_end(&all, 1);
	node_records_release(&all);
}

/* An agent that was ended in the middle, or that had nothing to say in the end. */
static void what_an_agent_used_is_kept_where_nothing_else_needs_room(void **state)
{
	struct proto_result r = { .key = key, .epoch = 4, .outcome = PROTO_CANCELLED, .reason = PROTO_REASON_CANCELLED, .flags = PROTO_RESULT_STARTED,
				  .start_us = 10, .end_us = 20, .duration_us = 9, .usage = { .input_tokens = 1000, .output_tokens = 50, .cost_microusd = 7 } };

	(void)state;
	expect_kept(&r);
	r.usage = (struct proto_usage){ .cost_microusd = 7 };
	expect_kept(&r);
	r.usage = (struct proto_usage){ 0 };
	r.retry_after_us = 12;
	expect_kept(&r);
}

static void every_number_is_kept(void **state)
{
	struct proto_result r = { .key = key, .epoch = 4, .outcome = PROTO_FAILED, .class = PROTO_CLASS_AGENT, .reason = PROTO_REASON_EXIT,
				  .flags = PROTO_RESULT_STARTED | PROTO_RESULT_TRUNCATED, .exit = 3, .start_us = 10, .end_us = 20, .duration_us = 9,
				  .cpu_us = UINT32_MAX, .rss_bytes = UINT64_MAX };

	(void)state;
	expect_kept(&r);
	r.cpu_us = (uint64_t)UINT32_MAX + 1;
	expect_kept(&r);
	r.cpu_us = 1;
	r.signal = 9;
	expect_kept(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_agent_used_is_kept_where_nothing_else_needs_room),
		cmocka_unit_test(every_number_is_kept),
	};

	return RUN(tests);
}
