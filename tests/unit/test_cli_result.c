/* test_cli_result.c - tally, reasons, events, results, schedule and the status line, fed with transitions by hand */
#include "tests/lib/test.h"

#include "cli/error.h"
#include "cli/events.h"
#include "cli/result.h"
#include "cli/schedule.h"
#include "cli/statusline.h"
#include "common/id.h"
#include "common/os/file.h"
#include "common/plan/diag.h"
#include "common/plan/plan.h"

#define RUN_NUMBER 33
#define T0 UINT64_C(1764091612000000)

/* a -> b -> c; d alone; e after b and d. */
static const char plan_text[] =
	"{\"version\":1,\"name\":\"t\",\"units\":["
	"{\"id\":\"a\",\"command\":[\"true\"],\"x-id\":\"old-a\"},"
	"{\"id\":\"b\",\"command\":[\"true\"],\"depends_on\":[\"a\"]},"
	"{\"id\":\"c\",\"command\":[\"true\"],\"depends_on\":[\"b\"]},"
	"{\"id\":\"d\",\"command\":[\"true\"]},"
	"{\"id\":\"e\",\"command\":[\"true\"],\"depends_on\":[\"d\",\"b\"]}]}";

struct world {
	struct coord_graph *graph;
	struct cli_tally tally;
	struct cli_result_scope scope;
	struct rv_buf out;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct plan_load_options opt = { .dir = "/", .default_name = "t" };
	struct plan_diags *diags = malloc(sizeof(*diags));
	struct plan *plan = NULL;
	struct rv_err err = { 0 };

	plan_diags_init(diags);
	if (plan_load_bytes(rv_str_of(plan_text), PLAN_FORMAT_JSON, &opt, &plan, diags, &err))
		print_error("%s: %s\n", err.msg, diags->error_count ? diags->error[0].message : "");
	assert_non_null(plan);
	assert_int_equal(coord_graph_build(plan, RUN_NUMBER, NULL, &w->graph, &err), 0);
	plan_destroy(&plan);
	plan_diags_release(diags);
	free(diags);
	assert_int_equal(cli_tally_init(&w->tally, w->graph, CLI_KEEP_ALL, &err), 0);
	w->scope.tally = &w->tally;
	rv_buf_init(&w->out, 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	rv_buf_release(&w->out);
	cli_tally_release(&w->tally);
	coord_graph_destroy(&w->graph);
	free(w);
	return 0;
}

static struct coord_transition base(enum coord_transition_kind kind, uint32_t unit)
{
	return (struct coord_transition){ .kind = kind, .real_us = T0, .run = RUN_NUMBER, .unit = unit, .node = COORD_NONE,
					  .root_cause = COORD_NONE, .agent = COORD_NONE };
}

static void feed(struct world *w, struct coord_transition t)
{
	cli_tally_feed(&w->tally, &t, NULL);
}

static void accept(struct world *w)
{
	feed(w, base(COORD_T_RUN_ACCEPTED, COORD_NONE));
	feed(w, base(COORD_T_RUN_STARTED, COORD_NONE));
}

static void assign(struct world *w, uint32_t unit, uint32_t attempt)
{
	struct coord_transition t = base(COORD_T_UNIT_ASSIGNED, unit);

	t.attempt = attempt;
	t.state = COORD_UNIT_ACTIVE;
	feed(w, t);
}

static struct coord_transition ending(uint32_t unit, enum coord_unit_state s, const struct proto_result *r)
{
	struct coord_transition t = base(COORD_T_UNIT_FINISHED, unit);

	t.state = s;
	t.result = r;
	if (r) {
		t.attempt = 1;
		t.try_number = 1;
		t.class = r->class;
		t.reason = r->reason;
	}
	t.real_us = T0 + 3000000;
	return t;
}

static struct proto_result result(int exit)
{
	return (struct proto_result){ .exit = exit, .start_us = T0 + 1000000, .end_us = T0 + 2500000, .duration_us = 1500000,
				      .cpu_us = 1200, .outcome = exit ? PROTO_FAILED : PROTO_SUCCEEDED,
				      .class = exit ? PROTO_CLASS_AGENT : PROTO_CLASS_NONE,
				      .reason = exit ? PROTO_REASON_EXIT : PROTO_REASON_NONE };
}

/* a fails with exit 3, so b, c and e are skipped; d succeeds. */
static void fail_a(struct world *w)
{
	struct proto_result bad = result(3), good = result(0);
	struct coord_transition t;

	accept(w);
	assign(w, 0, 1);
	assign(w, 3, 1);
	bad.tail.kind = PROTO_VALUE_INLINE;
	bad.tail.inline_bytes = RV_STR("one\ncannot link\x1b[2J\n\n");
	feed(w, ending(0, COORD_UNIT_FAILED, &bad));
	for (uint32_t unit = 1; unit <= 4; unit++) {
		if (unit == 3)
			continue;
		t = ending(unit, COORD_UNIT_SKIPPED, NULL);
		t.reason = PROTO_REASON_BLOCKED;
		t.root_cause = 0;
		feed(w, t);
	}
	good.output.kind = PROTO_VALUE_INLINE;
	good.output.inline_bytes = RV_STR("{\"x\": [1,\n 2]}");
	good.flags = PROTO_RESULT_OUTPUT_JSON | PROTO_RESULT_STARTED;
	feed(w, ending(3, COORD_UNIT_SUCCEEDED, &good));
	t = base(COORD_T_RUN_FINISHED, COORD_NONE);
	t.run_state = COORD_RUN_FAILED;
	t.real_us = T0 + 4000000;
	feed(w, t);
}

static const char *reason(struct world *w, uint32_t unit)
{
	rv_buf_reset(&w->out);
	cli_put_reason(&w->tally, unit, &w->out);
	return w->out.at;
}

static void counts_follow_transitions(void **state)
{
	struct world *w = *state;

	assert_int_equal(w->tally.in_state[COORD_UNIT_PENDING], 5);
	accept(w);
	assign(w, 0, 1);
	assert_int_equal(w->tally.in_state[COORD_UNIT_ACTIVE], 1);
	assert_int_equal(w->tally.in_state[COORD_UNIT_PENDING], 4);
	assert_int_equal(cli_tally_ended(&w->tally), 0);
}

static void skips_name_direct_blockers_sorted_and_the_root(void **state)
{
	struct world *w = *state;

	fail_a(w);
	assert_string_equal(reason(w, 0), "exit status 3");
	assert_string_equal(reason(w, 1), "blocked by failed dependencies: a");
	assert_string_equal(reason(w, 2), "blocked by failed dependencies: b");
	assert_string_equal(reason(w, 4), "blocked by failed dependencies: b");
	assert_int_equal(w->tally.units[2].root_cause, 0);
	assert_int_equal(cli_tally_ended(&w->tally), 5);
	assert_int_equal(cli_result_exit(&w->tally), CLI_FAILED);
}

static void pending_says_what_it_waits_for(void **state)
{
	struct world *w = *state;

	accept(w);
	assert_string_equal(reason(w, 4), "waits for d, b");
	assert_string_equal(reason(w, 0), "");
}

static void cancelled_texts_name_the_unit_that_failed_first(void **state)
{
	struct world *w = *state;
	struct proto_result bad = result(1);
	struct coord_transition t;

	accept(w);
	assign(w, 0, 1);
	assign(w, 3, 1);
	feed(w, ending(0, COORD_UNIT_FAILED, &bad));
	t = ending(3, COORD_UNIT_CANCELLED, NULL);
	t.reason = PROTO_REASON_FAIL_FAST;
	t.root_cause = 0;
	feed(w, t);
	assert_string_equal(reason(w, 3), "cancelled because another unit failed: a");
	t = ending(4, COORD_UNIT_CANCELLED, NULL);
	t.reason = PROTO_REASON_NOT_STARTED;
	feed(w, t);
	assert_string_equal(reason(w, 4), "not started: nothing new starts after a failure (first failed: a)");
}

static void a_retry_is_counted_and_the_last_outcome_stays(void **state)
{
	struct world *w = *state;
	struct proto_result bad = result(1), good = result(0);
	struct coord_transition t;

	accept(w);
	assign(w, 0, 1);
	t = ending(0, COORD_UNIT_RETRY_WAIT, &bad);
	t.kind = COORD_T_UNIT_RETRY_WAIT;
	feed(w, t);
	assert_string_equal(reason(w, 0), "waits for a retry after: exit status 1");
	assert_int_equal(w->tally.retries, 1);
	assign(w, 0, 2);
	assert_int_equal(w->tally.units[0].exit, -1);
	t = ending(0, COORD_UNIT_SUCCEEDED, &good);
	t.attempt = 2;
	t.try_number = 2;
	feed(w, t);
	assert_int_equal(w->tally.units[0].exit, 0);
	assert_int_equal(w->tally.units[0].attempt, 2);
	assert_true(w->tally.units[0].cpu_us == 2400);
	assert_int_equal(w->tally.in_state[COORD_UNIT_SUCCEEDED], 1);
}

static void resume_puts_units_back(void **state)
{
	struct world *w = *state;
	struct coord_transition t;

	fail_a(w);
	t = base(COORD_T_RUN_RESUMED, COORD_NONE);
	feed(w, t);
	t = base(COORD_T_UNIT_REQUEUED, 0);
	feed(w, t);
	assert_int_equal(w->tally.in_state[COORD_UNIT_PENDING], 1);
	assert_int_equal(w->tally.state, COORD_RUN_RUNNING);
	assert_true(w->tally.finished_us == 0);
	assert_string_equal(reason(w, 0), "");
}

/* Ended at 4 s, gone on with at 3600 s, done 2 s later; then killed unheard at 3601 s and gone on with at 7200 s. */
static void a_stop_is_no_running_time(void **state)
{
	struct world *w = *state;
	struct proto_result good = result(0);
	struct coord_transition t;

	fail_a(w);
	assert_int_equal(cli_tally_took_us(&w->tally), 4000000);
	assert_int_equal(cli_tally_elapsed_us(&w->tally, T0 + 9000000), 4000000);
	t = base(COORD_T_RUN_RESUMED, COORD_NONE);
	t.real_us = T0 + 3600 * (uint64_t)RV_US_PER_S;
	feed(w, t);
	assert_int_equal(cli_tally_elapsed_us(&w->tally, t.real_us + 1000000), 5000000);
	t = base(COORD_T_UNIT_REQUEUED, 0);
	t.real_us = T0 + 3601 * (uint64_t)RV_US_PER_S;
	feed(w, t);
	t = base(COORD_T_RUN_RESUMED, COORD_NONE); /* `retry` of a run that lives */
	t.real_us = T0 + 3602 * (uint64_t)RV_US_PER_S;
	feed(w, t);
	assert_int_equal(cli_tally_elapsed_us(&w->tally, t.real_us), 6000000);
	t.real_us = T0 + 7200 * (uint64_t)RV_US_PER_S;
	t.died = true;
	feed(w, t);
	t = ending(0, COORD_UNIT_SUCCEEDED, &good);
	t.real_us = T0 + 7201 * (uint64_t)RV_US_PER_S;
	feed(w, t);
	t = base(COORD_T_RUN_FINISHED, COORD_NONE);
	t.run_state = COORD_RUN_FAILED;
	t.real_us = T0 + 7202 * (uint64_t)RV_US_PER_S;
	feed(w, t);
	assert_int_equal(cli_tally_took_us(&w->tally), 8000000);
	rv_buf_reset(&w->out);
	cli_result_headline(&w->scope, &w->out);
	assert_non_null(strstr(w->out.at, "failed in 8.0s (and stood still for 1h59m): "));
	rv_buf_reset(&w->out);
	cli_result_run_json(&w->scope, &w->out);
	assert_non_null(strstr(w->out.at, "\"duration_ms\":8000,\"stopped_ms\":7194000,"));
}

static void result_json_has_every_unit_on_one_line(void **state)
{
	struct world *w = *state;

	fail_a(w);
	cli_result_json(&w->scope, &w->out);
	assert_null(strchr(w->out.at, '\n'));
	assert_non_null(strstr(w->out.at, "{\"schema\":\"reeve.result/1\",\"run\":\"0000000011\",\"name\":\"t\",\"state\":\"failed\","));
	assert_non_null(strstr(w->out.at, "\"total\":5,\"succeeded\":1,\"failed\":1,\"skipped\":3,\"cancelled\":0,"));
	assert_non_null(strstr(w->out.at, "\"success_rate\":0.2000"));
	assert_non_null(strstr(w->out.at, "\"blocked_by\":[\"b\"],\"root_cause\":\"a\""));
	assert_non_null(strstr(w->out.at, "\"output\":{\"x\":[1,2]}"));
	assert_non_null(strstr(w->out.at, "\"duration_ms\":1500,"));
	assert_non_null(strstr(w->out.at, "\"errors\":[{\"unit\":\"a\",\"class\":\"agent\",\"message\":\"exit status 3\"}]"));
}

static void the_summary_names_failures_their_last_line_and_where_to_look(void **state)
{
	struct world *w = *state;

	fail_a(w);
	cli_result_text(&w->scope, &w->out);
	assert_string_equal(w->out.at,
			    "run 0000000011 t: failed in 4.0s: 1 of 5 succeeded, 1 failed, 3 skipped\n"
			    "  failed    a: exit status 3\n"
			    "            | cannot link^[[2J\n"
			    "            reeve logs 0000000011/a\n"
			    "  skipped   b: blocked by failed dependencies: a\n"
			    "  skipped   c: blocked by failed dependencies: b\n"
			    "  skipped   e: blocked by failed dependencies: b\n");
}

static void a_success_keeps_no_details_when_only_failures_matter(void **state)
{
	struct world *w = *state;
	struct cli_details d;
	struct rv_err err;

	cli_tally_release(&w->tally);
	assert_int_equal(cli_tally_init(&w->tally, w->graph, CLI_KEEP_FAILURES, &err), 0);
	fail_a(w);
	cli_tally_details(&w->tally, 3, &d);
	assert_int_equal(d.output.kind, PROTO_VALUE_NONE);
	cli_tally_details(&w->tally, 0, &d);
	assert_int_equal(d.tail.kind, PROTO_VALUE_INLINE);
}

static void events_carry_number_unit_and_ending(void **state)
{
	struct world *w = *state;
	struct proto_result bad = result(3);
	struct coord_transition t = ending(0, COORD_UNIT_FAILED, &bad);

	accept(w);
	feed(w, t);
	cli_event_json(&t, &w->tally, NULL, 7, 2, &w->out);
	assert_string_equal(w->out.at, "{\"type\":\"unit_finished\",\"position\":7,\"index\":2,\"part\":0,\"time\":\"2025-11-25T17:26:55.000000Z\","
				       "\"run\":\"0000000011\",\"unit\":\"a\",\"attempt\":1,\"try\":1,\"state\":\"failed\",\"exit\":3,"
				       "\"class\":\"agent\",\"reason\":\"exit\",\"error\":\"exit status 3\","
				       "\"started_at\":\"2025-11-25T17:26:53.000000Z\",\"finished_at\":\"2025-11-25T17:26:54.500000Z\","
				       "\"duration_ms\":1500}\n");
	rv_buf_reset(&w->out);
	cli_event_plan_rejected(RV_STR("a cycle"), T0, &w->out);
	assert_non_null(strstr(w->out.at, "\"unit\":\"__preflight__\",\"exit\":2,\"error\":\"plan rejected: a cycle\"}"));
}

/* Another kind of transition needs a line in the schema, too. Read from the top of the project, where tests run. */
static void every_transition_stands_in_the_schema(void **state)
{
	struct rv_buf schema, name;
	struct rv_err err;
	int kind;

	(void)state;
	rv_buf_init(&schema, 0);
	rv_buf_init(&name, 0);
	assert_int_equal(rv_file_read("docs/schemas/event.json", 1 << 20, &schema, &err), 0);
	for (kind = COORD_T_RUN_ACCEPTED; kind <= COORD_T_NODE_LEFT; kind++) {
		rv_buf_reset(&name);
		(void)rv_buf_printf(&name, "\"%s\"", coord_transition_name((enum coord_transition_kind)kind));
		if (!strstr(schema.at, name.at))
			fail_msg("%s is not in the schema", name.at);
	}
	rv_buf_release(&schema);
	rv_buf_release(&name);
}

static void schedule_lines_use_old_ids_and_seconds(void **state)
{
	struct world *w = *state;
	struct proto_result good = result(0);
	struct coord_transition t = ending(0, COORD_UNIT_SUCCEEDED, &good);

	accept(w);
	feed(w, t);
	assert_true(cli_schedule_line(&w->tally, &t, &w->out));
	assert_string_equal(w->out.at, "{\"unit\":\"old-a\",\"node\":\"\",\"start\":1764091613.000000,\"end\":1764091614.500000,"
				       "\"slots\":1,\"status\":\"ok\",\"attempt\":1}\n");
	t = ending(1, COORD_UNIT_SKIPPED, NULL);
	assert_false(cli_schedule_line(&w->tally, &t, &w->out));
}

static void who_waits_says_for_what_and_how_long(void **state)
{
	struct world *w = *state;
	struct proto_result turned_away = result(75), bad = result(1);
	struct cli_statusline l;
	struct coord_transition t;
	struct rv_err err;

	turned_away.class = PROTO_CLASS_RATE_LIMITED;
	accept(w);
	assert_int_equal(cli_statusline_init(&l, CLI_LINE_PLAIN, 2, &w->tally, 0, T0, &err), 0);
	for (uint32_t unit = 3; unit != COORD_NONE; unit = unit ? 0 : COORD_NONE) {
		assign(w, unit, 1);
		t = ending(unit, COORD_UNIT_RETRY_WAIT, unit ? &bad : &turned_away);
		t.kind = COORD_T_UNIT_RETRY_WAIT;
		t.delay_us = unit ? 97000000 : 49000000; /* from 3 s on */
		feed(w, t);
		cli_statusline_feed(&l, &t);
		rv_buf_reset(&w->out);
		cli_statusline_text(&l, 10000000, 0, &w->out);
		assert_string_equal(w->out.at, unit ? "[ 0/5 ok 0 fail 0 run 5 wait ] 10.0s | d: next try in 1m30s" :
						      "[ 0/5 ok 0 fail 0 run 5 wait ] 10.0s | a: rate limited, asks again in 42.0s, 1 more waits");
	}
	assign(w, 0, 2);
	rv_buf_reset(&w->out);
	cli_statusline_text(&l, 10000000, 0, &w->out);
	assert_string_equal(w->out.at, "[ 0/5 ok 0 fail 1 run 4 wait ] 10.0s | d: next try in 1m30s");
	rv_buf_reset(&w->out);
	cli_statusline_text(&l, 99500000, 0, &w->out); /* in a moment */
	assert_string_equal(w->out.at, "[ 0/5 ok 0 fail 1 run 4 wait ] 1m39s");
	cli_statusline_end(&l);
}

static void the_status_line_counts_estimates_and_names_the_slowest(void **state)
{
	struct world *w = *state;
	struct proto_result good = result(0);
	struct cli_statusline l;
	struct coord_transition t;
	struct rv_err err;

	accept(w);
	assert_int_equal(cli_statusline_init(&l, CLI_LINE_OFF, 2, &w->tally, 0, T0, &err), 0);
	l.mode = CLI_LINE_LIVE; /* as on a terminal, which a test has none of */
	l.next = malloc(6 * sizeof(*l.next));
	l.prev = malloc(6 * sizeof(*l.prev));
	for (uint32_t i = 0; i < 6; i++)
		l.next[i] = l.prev[i] = i;
	cli_statusline_text(&l, 0, 0, &w->out);
	assert_string_equal(w->out.at, "[ 0/5 ok 0 fail 0 run 5 wait ] 0ms");
	assign(w, 0, 1);
	assign(w, 3, 1);
	for (uint32_t unit = 0; unit <= 3; unit += 3) {
		t = base(COORD_T_UNIT_STARTED, unit);
		t.real_us = T0 + unit;
		feed(w, t);
		cli_statusline_feed(&l, &t);
	}
	t = ending(0, COORD_UNIT_SUCCEEDED, &good);
	feed(w, t);
	cli_statusline_feed(&l, &t);
	rv_buf_reset(&w->out);
	cli_statusline_text(&l, 10000000, 0, &w->out);
	assert_string_equal(w->out.at, "[ 1/5 ok 0 fail 1 run 3 wait ] 10.0s eta ~5.0s | slowest: d 9.9s"); /* 12 s from 3 s on */
	rv_buf_reset(&w->out);
	cli_statusline_text(&l, 16000000, 0, &w->out); /* what runs has outlived that */
	assert_string_equal(w->out.at, "[ 1/5 ok 0 fail 1 run 3 wait ] 16.0s | slowest: d 15.9s");
	rv_buf_reset(&w->out);
	cli_statusline_text(&l, 10000000, 20, &w->out);
	assert_string_equal(w->out.at, "[ 1/5 ok 0 fail 1 r");
	l.mode = CLI_LINE_OFF;
	l.drawn = false;
	cli_statusline_end(&l);
}

int main(void)
{
#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_WORLD(counts_follow_transitions),
		IN_WORLD(skips_name_direct_blockers_sorted_and_the_root),
		IN_WORLD(pending_says_what_it_waits_for),
		IN_WORLD(cancelled_texts_name_the_unit_that_failed_first),
		IN_WORLD(a_retry_is_counted_and_the_last_outcome_stays),
		IN_WORLD(resume_puts_units_back),
		IN_WORLD(a_stop_is_no_running_time),
		IN_WORLD(result_json_has_every_unit_on_one_line),
		IN_WORLD(the_summary_names_failures_their_last_line_and_where_to_look),
		IN_WORLD(a_success_keeps_no_details_when_only_failures_matter),
		IN_WORLD(events_carry_number_unit_and_ending),
		cmocka_unit_test(every_transition_stands_in_the_schema),
		IN_WORLD(schedule_lines_use_old_ids_and_seconds),
		IN_WORLD(who_waits_says_for_what_and_how_long),
		IN_WORLD(the_status_line_counts_estimates_and_names_the_slowest),
	};

	return RUN(tests);
}
