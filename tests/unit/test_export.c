/* test_export.c - what `export` writes rests on: texts of others inside markup, attempts dealt out to slots */
#include "tests/lib/plan_case.h"

#include "cli/export/attempts.h"
#include "cli/export/markup.h"
#include "cli/export/tail.h"

static void text_of_others_is_markup_of_nobody(void **state)
{
	static const char nasty[] = "<a href=\"x\">&amp;'\x1b]0;t\x07\xc2\x9b\xe2\x80\xae\xef\xbf\xbe\xff\n]]>-->\t\\#\r\nz";
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	cli_put_markup(&b, CLI_TEXT_LINES, rv_str_of(nasty));
	assert_string_equal(b.at, "&lt;a href=&quot;x&quot;&gt;&amp;amp;&#39;^[]0;t^G\\u{9b}\\u{202e}\xef\xbf\xbd\\xff\n]]&gt;--&gt;\t\\#\nz");
	rv_buf_reset(&b);
	cli_put_markup(&b, CLI_TEXT_CELL, RV_STR("a\nb\tc\r\n"));
	assert_string_equal(b.at, "a\\nb c\\r\\n");
	rv_buf_reset(&b);
	cli_put_dot(&b, RV_STR("a\"b\\N\n\x1b"));
	assert_string_equal(b.at, "\"a\\\"b\\\\N\\\\n^[\"");
	rv_buf_reset(&b);
	cli_put_mermaid(&b, RV_STR("a_1.b\"]<#;\xc3\xa9\n"));
	assert_string_equal(b.at, "a_1.b#34;#93;#60;#35;#59;#233;#92;n");
	rv_buf_release(&b);
}

/* Transitions of a run of five units, as a journal tells them. */
struct story {
	struct coord_graph *graph;
	struct cli_tally tally;
	struct cli_attempts attempts;
};

static void tell(struct story *s, struct coord_transition t)
{
	t.run = s->tally.run;
	t.root_cause = t.agent = COORD_NONE;
	cli_tally_feed(&s->tally, &t, NULL);
	assert_int_equal(cli_attempts_feed(&s->attempts, &s->tally, &t), 0);
}

static void attempt(struct story *s, uint32_t unit, uint32_t number, uint32_t node, uint64_t start, uint64_t end, enum coord_unit_state state)
{
	struct proto_result r = { .start_us = start, .end_us = end, .duration_us = end - start, .exit = 0 };

	if (unit == 1)
		r.usage = (struct proto_usage){ .input_tokens = 100, .cache_read_tokens = 5, .output_tokens = number, .cost_microusd = number == 1 ? 7 : PROTO_COST_UNKNOWN };
	tell(s, (struct coord_transition){ .kind = COORD_T_UNIT_ASSIGNED, .unit = unit, .attempt = number, .node = node, .real_us = start - 1 });
	if (state == COORD_UNIT_RETRY_WAIT)
		tell(s, (struct coord_transition){ .kind = COORD_T_UNIT_RETRY_WAIT, .unit = unit, .attempt = number, .node = node, .real_us = end, .result = &r });
	else if (end)
		tell(s, (struct coord_transition){ .kind = COORD_T_UNIT_FINISHED, .state = state, .unit = unit, .attempt = number, .node = node, .real_us = end, .result = &r });
}

static void expect_row(const struct story *s, uint32_t i, uint32_t unit, uint32_t node, uint32_t slot, enum cli_attempt_end end)
{
	const struct cli_attempt *a = cli_attempt_at(&s->attempts, i);

	assert_int_equal(a->unit, unit);
	assert_int_equal(a->node, node);
	assert_int_equal(a->slot, slot);
	assert_int_equal(a->end, end);
}

static void attempts_get_the_lowest_free_slot(void **state)
{
	struct plan_case c = { 0 };
	struct story s = { 0 };

	(void)state;
	plan_case_fine(&c, "version: 1\nunits: [{id: a, command: [x]}, {id: b, command: [x]}, {id: c, command: [x]}, {id: d, command: [x]}, {id: e, command: [x]}]\n");
	assert_int_equal(coord_graph_build(c.plan, 7, NULL, &s.graph, NULL), 0);
	assert_int_equal(cli_tally_init(&s.tally, s.graph, CLI_KEEP_FAILURES, NULL), 0);
	cli_attempts_init(&s.attempts);
	tell(&s, (struct coord_transition){ .kind = COORD_T_RUN_ACCEPTED, .unit = COORD_NONE, .node = COORD_NONE, .real_us = 50 });
	/* told in the order of their ends */
	attempt(&s, 1, 1, 0, 110, 120, COORD_UNIT_RETRY_WAIT);
	attempt(&s, 2, 1, 0, 120, 130, COORD_UNIT_FAILED);
	attempt(&s, 0, 1, 0, 100, 200, COORD_UNIT_SUCCEEDED);
	attempt(&s, 1, 2, 1, 150, 210, COORD_UNIT_SUCCEEDED);
	tell(&s, (struct coord_transition){ .kind = COORD_T_UNIT_ASSIGNED, .unit = 3, .attempt = 1, .node = 1, .real_us = 160 });
	tell(&s, (struct coord_transition){ .kind = COORD_T_ATTEMPT_LOST, .unit = 3, .attempt = 1, .node = 1, .real_us = 400 });
	attempt(&s, 4, 1, 0, 205, 0, COORD_UNIT_ACTIVE);
	assert_int_equal(cli_attempts_arrange(&s.attempts, &s.tally, NULL), 0);

	assert_int_equal(cli_attempts_count(&s.attempts), 6);
	expect_row(&s, 0, 0, 0, 0, CLI_ATTEMPT_SUCCEEDED);
	expect_row(&s, 1, 1, 0, 1, CLI_ATTEMPT_RETRIED);
	expect_row(&s, 2, 2, 0, 1, CLI_ATTEMPT_FAILED); /* begins as the other ends */
	expect_row(&s, 3, 1, 1, 0, CLI_ATTEMPT_SUCCEEDED);
	expect_row(&s, 4, 3, 1, 1, CLI_ATTEMPT_LOST);
	expect_row(&s, 5, 4, 0, 0, CLI_ATTEMPT_RUNNING);
	assert_int_equal(cli_attempt_at(&s.attempts, 5)->end_us, s.attempts.to_us);
	assert_int_equal(s.attempts.from_us, 50);
	assert_int_equal(s.attempts.to_us, 400);
	assert_int_equal(s.attempts.slots[0], 2);
	assert_int_equal(s.attempts.slots[1], 2);
	assert_int_equal(s.attempts.usage[1].tokens, 105 + 1 + 105 + 2); /* both tries */
	assert_int_equal(s.attempts.usage[1].cost_microusd, 7);
	assert_true(s.attempts.usage[1].cost_unknown);
	assert_int_equal(s.attempts.usage[0].tokens, 0);
	assert_int_equal(s.attempts.last[1], 4);
	assert_int_equal(s.attempts.last[3], 5);
	cli_attempts_release(&s.attempts);
	cli_tally_release(&s.tally);
	coord_graph_destroy(&s.graph);
	plan_case_release(&c);
}

/* An open run grows while its journal is told: what units before it used stays theirs, and the verify step the last. */
static void units_that_are_added_get_room(void **state)
{
	struct plan_case c = { 0 };
	struct story s = { 0 };

	(void)state;
	plan_case_fine(&c, "version: 1\nunits: [{id: a, command: [x]}, {id: b, command: [x]}, {id: c, command: [x]}, {id: d, command: [x]}, {id: e, command: [x]}]\n");
	assert_int_equal(coord_graph_build(c.plan, 7, NULL, &s.graph, NULL), 0);
	assert_int_equal(cli_tally_init(&s.tally, s.graph, CLI_KEEP_FAILURES, NULL), 0);
	cli_attempts_init(&s.attempts);
	s.tally.count = s.tally.in_state[COORD_UNIT_PENDING] = 2; /* as if the others came later */
	attempt(&s, 1, 1, 0, 110, 120, COORD_UNIT_SUCCEEDED);
	assert_int_equal(cli_tally_grow(&s.tally, 3, NULL), 0);
	attempt(&s, 0, 1, 0, 130, 140, COORD_UNIT_SUCCEEDED);
	attempt(&s, 4, 1, 0, 150, 0, COORD_UNIT_ACTIVE);
	assert_int_equal(s.attempts.units, 5);
	assert_int_equal(cli_attempts_arrange(&s.attempts, &s.tally, NULL), 0);
	assert_int_equal(cli_attempts_count(&s.attempts), 3);
	expect_row(&s, 2, 4, 0, 0, CLI_ATTEMPT_RUNNING);
	for (uint32_t i = 0; i <= 5; i++) {
		struct proto_usage used = cli_tally_usage(&s.tally, i);

		assert_int_equal(proto_usage_tokens(&used), i == 1 ? 106 : 0);
		assert_int_equal(s.attempts.usage[i].tokens, i == 1 ? 106 : 0);
	}
	cli_attempts_release(&s.attempts);
	cli_tally_release(&s.tally);
	coord_graph_destroy(&s.graph);
	plan_case_release(&c);
}

/* The coordinator's clock was set back after the run was accepted. */
static void nothing_begins_before_the_whole(void **state)
{
	struct plan_case c = { 0 };
	struct story s = { 0 };

	(void)state;
	plan_case_fine(&c, "version: 1\nunits: [{id: a, command: [x]}, {id: b, command: [x]}]\n");
	assert_int_equal(coord_graph_build(c.plan, 7, NULL, &s.graph, NULL), 0);
	assert_int_equal(cli_tally_init(&s.tally, s.graph, CLI_KEEP_FAILURES, NULL), 0);
	cli_attempts_init(&s.attempts);
	tell(&s, (struct coord_transition){ .kind = COORD_T_RUN_ACCEPTED, .unit = COORD_NONE, .node = COORD_NONE, .real_us = 50 });
	tell(&s, (struct coord_transition){ .kind = COORD_T_UNIT_ASSIGNED, .unit = 0, .attempt = 1, .node = 0, .real_us = 19 });
	tell(&s, (struct coord_transition){ .kind = COORD_T_UNIT_STARTED, .unit = 0, .attempt = 1, .node = 0, .real_us = 20 });
	assert_int_equal(cli_attempts_arrange(&s.attempts, &s.tally, NULL), 0);
	assert_int_equal(cli_attempts_count(&s.attempts), 1);
	assert_int_equal(cli_attempt_at(&s.attempts, 0)->start_us, 20);
	assert_int_equal(s.attempts.from_us, 20);
	cli_attempts_release(&s.attempts);
	cli_tally_release(&s.tally);
	coord_graph_destroy(&s.graph);
	plan_case_release(&c);
}

static void the_tail_of_an_agent_is_what_it_said(void **state)
{
	static const char log[] = "{\"type\":\"assistant\",\"message\":{\"id\":\"m1\",\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"I tried twice.\"}]}}\nnot of a transcript\n";
	struct proto_result r = { .start_us = 5, .end_us = 6, .exit = 1, .tail = { .kind = PROTO_VALUE_INLINE, .inline_bytes = RV_STR(log) } };
	struct plan_case c = { 0 };
	struct cli_runview v = { .journal = NULL };
	struct coord_graph *graph;
	struct rv_buf b;
	uint32_t unit;

	(void)state;
	plan_case_fine(&c, "version: 1\nagents: {m: {profile: mock}}\nunits: [{id: a, agent: m, description: d}, {id: b, command: [x]}]\n");
	assert_int_equal(coord_graph_build(c.plan, 7, NULL, &graph, NULL), 0);
	v.graph = graph;
	assert_int_equal(cli_tally_init(&v.tally, graph, CLI_KEEP_FAILURES, NULL), 0);
	rv_buf_init(&b, 0);
	for (unit = 0; unit < 2; unit++) {
		struct coord_transition t = { .kind = COORD_T_UNIT_FINISHED, .run = 7, .state = COORD_UNIT_FAILED, .unit = unit, .attempt = 1, .node = COORD_NONE, .root_cause = COORD_NONE, .result = &r };

		cli_tally_feed(&v.tally, &t, NULL);
		rv_buf_reset(&b);
		cli_tail_put(&v, unit, 1000, &b);
		if (unit == 0) {
			assert_non_null(strstr(b.at, "I tried twice."));
			assert_null(strstr(b.at, "\"type\""));
			assert_non_null(strstr(b.at, "not of a transcript"));
		} else {
			assert_string_equal(b.at, log);
		}
	}
	rv_buf_reset(&b);
	cli_tail_put(&v, 1, 25, &b); /* from the beginning of a line */
	assert_string_equal(b.at, "not of a transcript\n");
	rv_buf_release(&b);
	cli_tally_release(&v.tally);
	coord_graph_destroy(&graph);
	plan_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_others_is_markup_of_nobody),
		cmocka_unit_test(attempts_get_the_lowest_free_slot),
		cmocka_unit_test(units_that_are_added_get_room),
		cmocka_unit_test(nothing_begins_before_the_whole),
		cmocka_unit_test(the_tail_of_an_agent_is_what_it_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
