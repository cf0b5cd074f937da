/* test_view.c - the live views without a terminal: which rows there are, what is drawn of them, what keys ask for */
#include "tests/lib/test.h"

#include "cli/text.h"
#include "cli/view/runpage.h"
#include "cli/view/textpage.h"
#include "cli/view/toppage.h"
#include "common/id.h"
#include "common/plan/diag.h"
#include "common/plan/plan.h"
#include "common/prng.h"

#define RUN_NUMBER 33
#define T0 UINT64_C(1764091612000000)
#define SECOND UINT64_C(1000000)

struct world {
	struct coord_graph *graph;
	struct cli_tally tally;
	struct view_run_page page;
	struct view_canvas canvas;
	struct rv_buf out;
};

static void open_world(struct world *w, uint32_t units)
{
	struct plan_load_options opt = { .dir = "/", .default_name = "t" };
	struct plan_diags *diags = malloc(sizeof(*diags));
	struct plan *plan = NULL;
	struct rv_err err = { 0 };
	struct rv_buf text;

	*w = (struct world){ .graph = NULL };
	rv_buf_init(&text, 0);
	(void)rv_buf_puts(&text, "{\"version\":1,\"name\":\"nightly\",\"units\":[");
	for (uint32_t i = 0; i < units; i++)
		(void)rv_buf_printf(&text, "%s{\"id\":\"%s-%u\",\"command\":[\"true\"]}", i ? "," : "", i % 2 ? "test" : "build", i);
	(void)rv_buf_puts(&text, "]}");
	plan_diags_init(diags);
	assert_int_equal(plan_load_bytes(rv_buf_str(&text), PLAN_FORMAT_JSON, &opt, &plan, diags, &err), 0);
	assert_int_equal(coord_graph_build(plan, RUN_NUMBER, NULL, &w->graph, &err), 0);
	plan_destroy(&plan);
	plan_diags_release(diags);
	free(diags);
	rv_buf_release(&text);
	assert_int_equal(cli_tally_init(&w->tally, w->graph, CLI_KEEP_FAILURES, &err), 0);
	w->tally.started_us = T0;
	assert_int_equal(view_run_page_init(&w->page, &w->tally, &err), 0);
	assert_int_equal(view_canvas_init(&w->canvas), 0);
	rv_buf_init(&w->out, 0);
}

static void close_world(struct world *w)
{
	rv_buf_release(&w->out);
	view_canvas_release(&w->canvas);
	view_run_page_release(&w->page);
	cli_tally_release(&w->tally);
	coord_graph_destroy(&w->graph);
}

static void feed(struct world *w, enum coord_transition_kind kind, uint32_t unit, enum coord_unit_state state, uint64_t at_us, const struct proto_result *r)
{
	struct coord_transition t = { .kind = kind, .real_us = at_us, .run = RUN_NUMBER, .unit = unit, .node = COORD_NONE, .root_cause = COORD_NONE,
				      .attempt = w->tally.units[unit].attempt, .state = state, .result = r };

	if (kind == COORD_T_UNIT_ASSIGNED)
		t.attempt++;
	if (r) {
		t.class = r->class;
		t.reason = r->reason;
		t.try_number = 1;
	}
	cli_tally_feed(&w->tally, &t, NULL);
	view_run_page_feed(&w->page, &t);
}

static void start(struct world *w, uint32_t unit, uint64_t at_us)
{
	feed(w, COORD_T_UNIT_ASSIGNED, unit, COORD_UNIT_ACTIVE, at_us, NULL);
	feed(w, COORD_T_UNIT_STARTED, unit, COORD_UNIT_ACTIVE, at_us, NULL);
}

static void end(struct world *w, uint32_t unit, enum coord_unit_state state, int exit)
{
	struct proto_result r = { .exit = exit, .class = exit ? PROTO_CLASS_AGENT : PROTO_CLASS_NONE, .reason = exit ? PROTO_REASON_EXIT : PROTO_REASON_NONE,
				  .start_us = T0, .end_us = T0 + SECOND, .duration_us = SECOND };

	feed(w, COORD_T_UNIT_FINISHED, unit, state, T0 + 20 * SECOND, &r);
}

static void draw(struct world *w, uint32_t columns, uint32_t rows, uint64_t real_us)
{
	view_canvas_begin(&w->canvas, columns, rows);
	view_run_page_draw(&w->page, &w->canvas, real_us);
	rv_buf_reset(&w->out);
	view_canvas_text(&w->canvas, &w->out);
}

static void shows(struct world *w, const char *text)
{
	if (!strstr(w->out.at, text)) {
		print_error("no \"%s\" in:\n%s", text, w->out.at);
		fail();
	}
}

static void shows_not(struct world *w, const char *text)
{
	if (strstr(w->out.at, text)) {
		print_error("\"%s\" in:\n%s", text, w->out.at);
		fail();
	}
}

static struct view_wish press(struct world *w, char c)
{
	return view_run_page_key(&w->page, (struct view_key){ .kind = VIEW_KEY_CHAR, .cp = (uint32_t)c });
}

static void rows_are(struct world *w, const uint32_t *units, uint32_t count)
{
	view_units_settle(&w->page.units);
	assert_int_equal(view_units_count(&w->page.units), count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(view_units_row(&w->page.units, i), units[i]);
		assert_int_equal(view_units_row_of(&w->page.units, units[i]), i);
	}
}

#define ROWS(w, ...)                                                                               \
	do {                                                                                       \
		const uint32_t want_[] = { __VA_ARGS__ };                                          \
		rows_are((w), want_, RV_ARRAY_LEN(want_));                                         \
	} while (0)

/* --- rows ------------------------------------------------------------------------------------------------------------------ */

static void held_lead_then_the_slowest_then_the_newest_failure(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 10);
	start(&w, 5, T0);
	start(&w, 2, T0 + 1);
	start(&w, 7, T0 + 2);
	feed(&w, COORD_T_UNIT_ASSIGNED, 8, COORD_UNIT_ACTIVE, T0 + 3, NULL);
	feed(&w, COORD_T_UNIT_HELD, 9, COORD_UNIT_HELD, T0 + 4, NULL);
	ROWS(&w, 9, 5, 2, 7, 8);
	end(&w, 2, COORD_UNIT_FAILED, 1);
	end(&w, 5, COORD_UNIT_SUCCEEDED, 0);
	ROWS(&w, 9, 7, 8, 2);
	end(&w, 7, COORD_UNIT_CANCELLED, 1);
	ROWS(&w, 9, 8, 7, 2);
	feed(&w, COORD_T_UNIT_REQUEUED, 2, COORD_UNIT_PENDING, T0 + 9, NULL);
	start(&w, 2, T0 + 10);
	ROWS(&w, 9, 2, 8, 7);
	close_world(&w);
}

/* Whatever comes, the lists are what a look at every unit would give, in the order of coming. */
static void lists_agree_with_a_look_at_every_unit(void **state)
{
	enum { UNITS = 60, STEPS = 6000 };
	uint32_t began[UNITS] = { 0 }, failed[UNITS] = { 0 }, step, i;
	struct rv_prng prng;
	struct world w;

	(void)state;
	open_world(&w, UNITS);
	rv_prng_seed(&prng, 11);
	for (step = 1; step <= STEPS; step++) {
		uint32_t unit = rv_prng_below(&prng, UNITS), last_run = 0, last_failed = UINT32_MAX, seen = 0, want = 0;

		switch (w.tally.units[unit].state) {
		case COORD_UNIT_ACTIVE:
			end(&w, unit, rv_prng_below(&prng, 2) ? COORD_UNIT_FAILED : COORD_UNIT_SUCCEEDED, 1);
			failed[unit] = step;
			break;
		case COORD_UNIT_FAILED:
		case COORD_UNIT_SUCCEEDED:
			feed(&w, COORD_T_UNIT_REQUEUED, unit, COORD_UNIT_PENDING, T0, NULL);
			break;
		default:
			start(&w, unit, T0 + step);
			began[unit] = step;
			break;
		}
		if (rv_prng_below(&prng, 4))
			continue; /* several between two drawings */
		view_units_settle(&w.page.units);
		for (i = 0; i < view_units_count(&w.page.units); i++) {
			uint32_t row = view_units_row(&w.page.units, i);

			if (w.tally.units[row].state == COORD_UNIT_ACTIVE) {
				assert_int_equal(last_failed, UINT32_MAX); /* running ones come before */
				assert_true(began[row] > last_run);
				last_run = began[row];
			} else {
				assert_int_equal(w.tally.units[row].state, COORD_UNIT_FAILED);
				assert_true(failed[row] < last_failed);
				last_failed = failed[row];
			}
			assert_int_equal(view_units_row_of(&w.page.units, row), i);
			seen++;
		}
		for (i = 0; i < UNITS; i++)
			want += w.tally.units[i].state == COORD_UNIT_ACTIVE || w.tally.units[i].state == COORD_UNIT_FAILED;
		assert_int_equal(seen, want);
	}
	close_world(&w);
}

static void a_list_does_not_grow_with_what_has_gone_through_it(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 2000);
	start(&w, 0, T0); /* stays, so the list is never empty */
	for (uint32_t i = 1; i < 2000; i++) {
		start(&w, i, T0 + i);
		if (i > 3)
			end(&w, i - 3, COORD_UNIT_SUCCEEDED, 0);
	}
	assert_true(w.page.units.sets[VIEW_RUNNING].room <= 256);
	close_world(&w);
}

static void a_filter_shows_what_has_it_in_its_id(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 6);
	for (uint32_t i = 0; i < 4; i++)
		start(&w, i, T0 + i);
	(void)press(&w, '/');
	for (const char *c = "TEST-"; *c; c++)
		assert_int_equal(press(&w, *c).act, VIEW_ACT_NONE); /* a letter is no command while it is typed */
	ROWS(&w, 1, 3);
	(void)view_run_page_key(&w.page, (struct view_key){ .kind = VIEW_KEY_ENTER });
	(void)press(&w, 'a');
	ROWS(&w, 1, 3, 5);
	start(&w, 5, T0 + 9);
	(void)press(&w, 'a');
	ROWS(&w, 1, 3, 5);
	draw(&w, 100, 20, T0 + 30 * SECOND);
	shows_not(&w, "build-");
	(void)view_run_page_key(&w.page, (struct view_key){ .kind = VIEW_KEY_ESCAPE });
	ROWS(&w, 0, 1, 2, 3, 5);
	close_world(&w);
}

/* What is not drawn yet is asked for already: the last words of those that failed. */
static void rows_of_a_filter_are_there_at_once(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 600);
	(void)press(&w, 'a');
	draw(&w, 100, 20, T0);
	(void)press(&w, '/');
	(void)press(&w, '3');
	assert_int_equal(view_run_page_wants_line(&w.page), COORD_NONE);
	assert_int_equal(view_units_row(&w.page.units, 0), 3);
	(void)view_run_page_key(&w.page, (struct view_key){ .kind = VIEW_KEY_BACKSPACE });
	(void)press(&w, 'e'); /* of every id */
	assert_int_equal(view_units_row(&w.page.units, 599), COORD_NONE);
	assert_int_equal(view_units_row(&w.page.units, 299), 599);
	close_world(&w);
}

static void units_that_are_added_are_filtered_too(void **state)
{
	struct coord_transition added = { .kind = COORD_T_UNITS_ADDED, .run = RUN_NUMBER, .unit = COORD_NONE, .node = COORD_NONE, .root_cause = COORD_NONE, .units = 3 };
	struct world w;

	(void)state;
	open_world(&w, 6);
	w.tally.count = 3; /* the graph has them all, the first three are there */
	view_run_page_release(&w.page);
	assert_int_equal(view_run_page_init(&w.page, &w.tally, NULL), 0);
	(void)press(&w, 'a');
	(void)press(&w, '/');
	for (const char *c = "test-"; *c; c++)
		(void)press(&w, *c);
	ROWS(&w, 1);
	assert_int_equal(cli_tally_grow(&w.tally, 3, NULL), 0);
	view_run_page_feed(&w.page, &added);
	ROWS(&w, 1, 3, 5);
	close_world(&w);
}

/* --- keys --------------------------------------------------------------------------------------------------------------------- */

static void a_chosen_unit_is_followed_and_cancelled_only_after_a_yes(void **state)
{
	struct view_wish wish;
	struct world w;

	(void)state;
	open_world(&w, 6);
	for (uint32_t i = 0; i < 4; i++)
		start(&w, i, T0 + i);
	draw(&w, 100, 20, T0);
	(void)press(&w, 'j');
	(void)press(&w, 'j'); /* the third */
	end(&w, 0, COORD_UNIT_SUCCEEDED, 0);
	draw(&w, 100, 20, T0);
	shows(&w, "> build-2");
	assert_int_equal(press(&w, 'c').act, VIEW_ACT_NONE);
	draw(&w, 100, 20, T0);
	shows(&w, "cancel build-2? y or n");
	assert_int_equal(press(&w, 'n').act, VIEW_ACT_NONE);
	assert_int_equal(press(&w, 'y').act, VIEW_ACT_NONE); /* of nothing */
	(void)press(&w, 'c');
	wish = press(&w, 'y');
	assert_int_equal(wish.act, VIEW_ACT_CANCEL);
	assert_int_equal(wish.unit, 2);
	end(&w, 2, COORD_UNIT_CANCELLED, 1);
	draw(&w, 100, 20, T0);
	shows(&w, "> build-2");
	assert_int_equal(press(&w, 'r').act, VIEW_ACT_RETRY);
	end(&w, 1, COORD_UNIT_SUCCEEDED, 0);
	assert_int_equal(press(&w, 'q').act, VIEW_ACT_QUIT);
	close_world(&w);
}

static void nothing_is_asked_of_an_empty_list(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 3);
	draw(&w, 80, 24, T0);
	shows(&w, "nothing runs, nothing has failed");
	for (const char *c = "lecrhjkgG"; *c; c++)
		assert_int_equal(press(&w, *c).act, VIEW_ACT_NONE);
	assert_int_equal(press(&w, 'y').act, VIEW_ACT_NONE);
	close_world(&w);
}

/* --- drawing -------------------------------------------------------------------------------------------------------------------- */

static void the_page_shows_how_far_what_runs_and_why_it_failed(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 10);
	start(&w, 0, T0);
	start(&w, 1, T0 + 4 * SECOND);
	start(&w, 2, T0);
	end(&w, 2, COORD_UNIT_FAILED, 3);
	w.page.tokens = 1800000;
	w.page.cost_microusd = 4100000;
	draw(&w, 100, 20, T0 + 64 * SECOND);
	assert_int_equal(view_run_page_wants_line(&w.page), 2);
	view_run_page_set_line(&w.page, 2, RV_STR("assertion failed"));
	assert_int_equal(view_run_page_wants_line(&w.page), COORD_NONE);
	draw(&w, 100, 20, T0 + 64 * SECOND);
	shows(&w, "run " );
	shows(&w, "running 1m04s");
	shows(&w, "0/10 ok  1 fail  2 run  7 wait");
	shows(&w, "eta ~2m16s"); /* three minutes from second 20 on */
	shows(&w, "1.8M tok $4.10");
	shows(&w, "> build-0       running    1m04s");
	shows(&w, "  test-1        running    1m00s");
	shows(&w, "exit status 3: assertion failed");
	draw(&w, 100, 20, T0 + 300 * SECOND);
	shows(&w, "running 5m00s");
	assert_null(strstr(w.out.at, "eta")); /* what runs has outlived it */
	feed(&w, COORD_T_UNIT_REQUEUED, 2, COORD_UNIT_PENDING, T0, NULL);
	start(&w, 2, T0 + 60 * SECOND);
	end(&w, 2, COORD_UNIT_FAILED, 4);
	assert_int_equal(view_run_page_wants_line(&w.page), 2); /* of the try before it is forgotten */
	close_world(&w);
}

/* However small the terminal: no row is longer than it, and nothing is drawn outside. */
static void any_size_can_be_drawn(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, 40);
	for (uint32_t i = 0; i < 30; i++)
		start(&w, i, T0 + i);
	end(&w, 3, COORD_UNIT_FAILED, 1);
	view_run_page_set_line(&w.page, 3, RV_STR("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"));
	for (uint32_t rows = 1; rows < 40; rows += 3)
		for (uint32_t columns = 1; columns < 130; columns++) {
			draw(&w, columns, rows, T0 + SECOND);
			for (uint32_t i = 0; i < rows; i++)
				assert_true(cli_text_width(rv_buf_str(&w.canvas.lines[i].text)) <= columns);
			(void)view_run_page_key(&w.page, (struct view_key){ .kind = columns % 2 ? VIEW_KEY_PAGE_DOWN : VIEW_KEY_UP });
		}
	draw(&w, 9999, 9999, T0);
	assert_int_equal(w.canvas.columns, VIEW_COLUMNS_MAX);
	close_world(&w);
}

static void others_text_cannot_act_on_the_terminal(void **state)
{
	struct view_canvas c;
	struct rv_buf out;

	(void)state;
	assert_int_equal(view_canvas_init(&c), 0);
	rv_buf_init(&out, 0);
	view_canvas_begin(&c, 80, 1);
	view_put_text(&c, 0, VIEW_PLAIN, RV_STR("a\033]0;t\007\r\xc2\x9b" "31m\xe2\x80\xae\nb"));
	view_canvas_text(&c, &out);
	for (size_t i = 0; i + 1 < out.bytes; i++)
		assert_true((unsigned char)out.at[i] >= 0x20 && (unsigned char)out.at[i] < 0x7f);
	rv_buf_release(&out);
	view_canvas_release(&c);
}

/* --- text to read ------------------------------------------------------------------------------------------------------------------ */

struct reading {
	struct view_text_page page;
	struct view_canvas canvas;
	struct rv_buf out;
};

static void open_reading(struct reading *r)
{
	view_text_init(&r->page);
	view_text_clear(&r->page, RV_STR("log of a"));
	assert_int_equal(view_canvas_init(&r->canvas), 0);
	rv_buf_init(&r->out, 0);
}

static const char *read_page(struct reading *r, uint32_t columns, uint32_t rows)
{
	view_canvas_begin(&r->canvas, columns, rows);
	view_text_draw(&r->page, &r->canvas, "q back");
	rv_buf_reset(&r->out);
	view_canvas_text(&r->canvas, &r->out);
	return r->out.at;
}

static void close_reading(struct reading *r)
{
	rv_buf_release(&r->out);
	view_canvas_release(&r->canvas);
	view_text_release(&r->page);
}

static void a_log_is_followed_until_somebody_goes_up(void **state)
{
	struct reading r;
	struct rv_buf b;

	(void)state;
	open_reading(&r);
	rv_buf_init(&b, 0);
	for (int i = 1; i <= 100; i++) {
		rv_buf_reset(&b);
		(void)rv_buf_printf(&b, "line %d\n", i);
		view_text_add(&r.page, rv_buf_str(&b));
	}
	assert_non_null(strstr(read_page(&r, 40, 12), "line 91\n"));
	assert_non_null(strstr(r.out.at, "line 100\n"));
	assert_true(view_text_key(&r.page, (struct view_key){ .kind = VIEW_KEY_PAGE_UP }));
	view_text_add(&r.page, RV_STR("line 101\n"));
	assert_null(strstr(read_page(&r, 40, 12), "line 101\n"));
	assert_true(view_text_key(&r.page, (struct view_key){ .kind = VIEW_KEY_HOME }));
	assert_non_null(strstr(read_page(&r, 40, 12), "line 1\n"));
	assert_true(view_text_key(&r.page, (struct view_key){ .kind = VIEW_KEY_END }));
	assert_non_null(strstr(read_page(&r, 40, 12), "line 101\n"));
	rv_buf_release(&b);
	close_reading(&r);
}

static void a_long_line_goes_on_in_the_next_row(void **state)
{
	struct reading r;

	(void)state;
	open_reading(&r);
	view_text_add(&r.page, RV_STR("first\nabcdefghijklmnopqrstuvwxyz\nla"));
	view_text_add(&r.page, RV_STR("st"));
	assert_string_equal(read_page(&r, 20, 7), "log of a\nfirst\nabcdefghijklmnopqrst\nuvwxyz\nlast\n\nq back\n");
	close_reading(&r);
}

static void what_is_kept_of_a_log_is_bounded_and_said(void **state)
{
	struct reading r;
	char line[101];

	(void)state;
	open_reading(&r);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	for (size_t i = 0; i < VIEW_TEXT_BYTES_MAX / 50; i++)
		view_text_add(&r.page, rv_str(line, sizeof(line)));
	view_text_add(&r.page, RV_STR("the end\n"));
	assert_true(r.page.text.bytes <= VIEW_TEXT_BYTES_MAX);
	assert_non_null(strstr(read_page(&r, 120, 10), "the end"));
	(void)view_text_key(&r.page, (struct view_key){ .kind = VIEW_KEY_HOME });
	assert_non_null(strstr(read_page(&r, 120, 10), "before this are not kept here"));
	memset(line, 'y', sizeof(line));
	for (size_t i = 0; i < VIEW_TEXT_BYTES_MAX / 50; i++)
		view_text_add(&r.page, rv_str(line, sizeof(line))); /* one line without an end */
	assert_true(r.page.text.bytes <= VIEW_TEXT_BYTES_MAX);
	(void)read_page(&r, 120, 10);
	close_reading(&r);
}

/* --- top ------------------------------------------------------------------------------------------------------------------------------ */

static void add_row(struct cli_rows *rows, const char *json)
{
	size_t end;

	(void)rv_buf_puts(&rows->text, json);
	end = rows->text.bytes;
	(void)rv_buf_put(&rows->ends, &end, sizeof(end));
	rows->count++;
}

static void take(struct view_top_page *p, uint32_t succeeded, bool over, uint64_t now_us)
{
	struct cli_rows runs, nodes;
	char row[400];

	cli_rows_init(&runs);
	cli_rows_init(&nodes);
	add_row(&runs, "{\"run\":\"06fz9v2bx0\",\"name\":\"old\",\"state\":\"succeeded\",\"created_us\":1,\"finished_us\":2,\"total\":9,\"succeeded\":9}");
	(void)snprintf(row, sizeof(row), "{\"run\":\"06fz9v2bxc\",\"name\":\"nightly\",\"state\":\"%s\",\"created_us\":1,\"finished_us\":%d,\"total\":100,"
		       "\"succeeded\":%u,\"failed\":2,\"skipped\":0,\"cancelled\":0,\"active\":6,\"tokens\":1800000,\"cost_microusd\":4100000}",
		       over ? "failed" : "running", over, succeeded);
	add_row(&runs, row);
	add_row(&nodes, "{\"name\":\"n1\",\"state\":\"joined\",\"health\":\"good\",\"slots\":8,\"slots_used\":6,\"agent_slots\":2,\"agent_slots_used\":1,\"attempts\":7}");
	add_row(&nodes, "{\"name\":\"n2\",\"state\":\"away\",\"health\":\"good\",\"slots\":8,\"slots_used\":0}");
	add_row(&nodes, "{\"name\":\"n3\",\"state\":\"removed\",\"health\":\"good\",\"slots\":8,\"slots_used\":0}");
	assert_int_equal(view_top_take(p, &runs, &nodes, now_us), 0);
}

static void top_sums_what_is_there_and_counts_units_a_second(void **state)
{
	struct view_top_page p;
	struct view_canvas c;
	struct rv_buf out;

	(void)state;
	view_top_init(&p, "the coordinator in /x");
	assert_int_equal(view_canvas_init(&c), 0);
	rv_buf_init(&out, 0);
	take(&p, 10, false, 5 * SECOND);
	assert_true(p.sums.per_s == 0); /* nothing to compare with */
	take(&p, 16, false, 7 * SECOND);
	view_canvas_begin(&c, 120, 20);
	view_top_draw(&p, &c, T0);
	view_canvas_text(&c, &out);
	assert_non_null(strstr(out.at, "nodes 1/2   slots 6/8   agents 1/2   6 run   76 wait   3.0 units/s   1.8M tok $4.10"));
	assert_non_null(strstr(out.at, "> 06fz9v2bxc  nightly"));
	assert_non_null(strstr(out.at, "18/100  2 fail  6 run  76 wait"));
	assert_non_null(strstr(out.at, "slots 6/8  agents 1/2  7 units"));
	assert_null(strstr(out.at, "n3"));
	take(&p, 98, true, 9 * SECOND); /* what ended between two looks counts, too */
	assert_true(p.sums.per_s > 21 && p.sums.per_s < 23);
	assert_int_equal(p.sums.runs_live, 0);
	take(&p, 98, true, 11 * SECOND);
	assert_true(p.sums.per_s > 14 && p.sums.per_s < 15);
	rv_buf_reset(&out);
	view_top_line(&p, &out);
	assert_non_null(strstr(out.at, "nodes 1/2 slots 6/8"));
	rv_buf_release(&out);
	view_canvas_release(&c);
	view_top_release(&p);
}

static void top_acts_on_the_chosen_run(void **state)
{
	struct view_top_page p;

	(void)state;
	view_top_init(&p, "x");
	assert_int_equal(view_top_key(&p, (struct view_key){ .kind = VIEW_KEY_ENTER }), VIEW_TOP_NONE);
	take(&p, 10, false, SECOND);
	assert_int_equal(view_top_key(&p, (struct view_key){ .kind = VIEW_KEY_ENTER }), VIEW_TOP_OPEN);
	assert_string_equal(p.selected, "06fz9v2bxc");
	(void)view_top_key(&p, (struct view_key){ .kind = VIEW_KEY_DOWN });
	assert_string_equal(p.selected, "06fz9v2bx0");
	assert_int_equal(view_top_key(&p, (struct view_key){ .kind = VIEW_KEY_CHAR, .cp = 'c' }), VIEW_TOP_NONE);
	assert_int_equal(view_top_key(&p, (struct view_key){ .kind = VIEW_KEY_CHAR, .cp = 'x' }), VIEW_TOP_NONE);
	(void)view_top_key(&p, (struct view_key){ .kind = VIEW_KEY_CHAR, .cp = 'c' });
	assert_int_equal(view_top_key(&p, (struct view_key){ .kind = VIEW_KEY_CHAR, .cp = 'y' }), VIEW_TOP_CANCEL);
	view_top_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_lead_then_the_slowest_then_the_newest_failure),
		cmocka_unit_test(lists_agree_with_a_look_at_every_unit),
		cmocka_unit_test(a_list_does_not_grow_with_what_has_gone_through_it),
		cmocka_unit_test(a_filter_shows_what_has_it_in_its_id),
		cmocka_unit_test(rows_of_a_filter_are_there_at_once),
		cmocka_unit_test(units_that_are_added_are_filtered_too),
		cmocka_unit_test(a_chosen_unit_is_followed_and_cancelled_only_after_a_yes),
		cmocka_unit_test(nothing_is_asked_of_an_empty_list),
		cmocka_unit_test(the_page_shows_how_far_what_runs_and_why_it_failed),
		cmocka_unit_test(any_size_can_be_drawn),
		cmocka_unit_test(others_text_cannot_act_on_the_terminal),
		cmocka_unit_test(a_log_is_followed_until_somebody_goes_up),
		cmocka_unit_test(a_long_line_goes_on_in_the_next_row),
		cmocka_unit_test(what_is_kept_of_a_log_is_bounded_and_said),
		cmocka_unit_test(top_sums_what_is_there_and_counts_units_a_second),
		cmocka_unit_test(top_acts_on_the_chosen_run),
	};

	return RUN(tests);
}
