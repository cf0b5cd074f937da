/* test_plan_limits.c - every bound on plan files, and plans made to hurt: refused with a reason, in bounded time and memory */
#include "tests/lib/plan_case.h"

#include "common/buf.h"
#include "common/limits.h"

#include <malloc.h>
#include <time.h>

static struct rv_buf text;

static void begin(const char *head)
{
	rv_buf_init(&text, 0);
	(void)rv_buf_puts(&text, head);
}

static void many(const char *piece, uint32_t count)
{
	while (count--)
		(void)rv_buf_puts(&text, piece);
}

static void refused(enum plan_format format, enum plan_code code, const char *words)
{
	struct plan_case c = { 0 };
	bool found = false;
	uint32_t i;

	assert_false(text.failed);
	assert_int_equal(plan_case_load(&c, text.at, format), -1);
	for (i = 0; i < c.diags.error_count; i++)
		found |= c.diags.error[i].code == code && (!words || strstr(c.diags.error[i].message, words));
	if (!found) {
		plan_case_show(&c);
		fail_msg("%s, %s", plan_code_name(code), words);
	}
	plan_case_release(&c);
	rv_buf_release(&text);
}

static void fine(enum plan_format format)
{
	struct plan_case c = { 0 };

	if (plan_case_load(&c, text.at, format) != 0) {
		plan_case_show(&c);
		fail();
	}
	plan_case_release(&c);
	rv_buf_release(&text);
}

static void depth(void **state)
{
	(void)state;
	begin("{\"version\":1,\"units\":[],\"x-a\":");
	many("[", 31);
	many("]", 31);
	many("}", 1);
	fine(PLAN_FORMAT_JSON);
	begin("{\"version\":1,\"units\":[],\"x-a\":");
	many("[", 32);
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "nested deeper than 32");
	begin("a: ");
	many("[", 1000);
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "nested deeper than 32");
	begin("");
	many("[", 1000000);
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "nested deeper");
	begin("");
	many("[", 1000000);
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "32768");
	begin("");
	many("- ", 100000);
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "nested deeper");
}

static void values(void **state)
{
	(void)state;
	begin("{\"version\":1,\"units\":[],\"x-a\":[0");
	many(",0", 5000000);
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "5000000 values");
}

static void alias_bombs_are_refused_at_the_first_anchor(void **state)
{
	(void)state;
	begin("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n");
	refused(PLAN_FORMAT_YAML, PLAN_E_SYNTAX, "anchors");
}

static void texts_and_lists(void **state)
{
	(void)state;
	begin("version: 1\nunits: [{id: a, command: [x], description: \"");
	many("\xc3\xa9", 4096);
	many("\"}]\n", 1);
	fine(PLAN_FORMAT_YAML);
	begin("version: 1\nunits: [{id: a, command: [x], description: \"");
	many("\xc3\xa9", 4097);
	many("\"}]\n", 1);
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "4097 characters");
	begin("version: 1\nunits: [{id: a, command: [x], prompt: \"");
	many("0123456789abcdef", 65536);
	many("x\"}]\n", 1);
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "a prompt of 1048577 bytes");
	begin("version: 1\nunits: [{id: \"");
	many("x", 10240);
	many("\", command: [x]}]\n", 1);
	refused(PLAN_FORMAT_YAML, PLAN_E_ID_FORMAT, "...\"");
	begin("version: 1\nunits: [{id: a, command: [\"");
	many("0123456789abcdef", 131072);
	many("\"]}]\n", 1);
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "an argument of 2097152 bytes");
	begin("{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"x\"");
	many(",\"0123456789abcdef0123456789abcdef\"", 40000);
	many("]}]}", 1);
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "a command of");
	begin("{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"x\"],\"env\":{\"A\":\"");
	many("0123456789abcdef", 8192);
	many("\"}}]}", 1);
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "a variable of");
	begin("{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"x\"],\"allowed_directories\":[\"a\"");
	many(",\"a\"", 64);
	many("]}]}", 1);
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "65 entries");
	begin("{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"x\"],\"allowed_directories\":[\"");
	many("abc/", 1100);
	many("\"]}]}", 1);
	refused(PLAN_FORMAT_JSON, PLAN_E_DIR_FORM, "longer");
}

static void counted(const char *head, const char *each, uint32_t count, const char *tail)
{
	uint32_t i;

	begin(head);
	for (i = 0; i < count; i++)
		(void)rv_buf_printf(&text, each, i ? "," : "", i);
	many(tail, 1);
}

static void tables(void **state)
{
	(void)state;
	counted("{\"version\":1,\"units\":[],\"agents\":{", "%s\"a%u\":{\"command\":[\"x\"]}", 257, "}}");
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "257 entries");
	counted("{\"version\":1,\"units\":[],\"locks\":{", "%s\"a%u\":1", 1025, "}}");
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "1025 entries");
	counted("{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"x\"],\"labels\":{", "%s\"a%u\":1", 65, "}}]}");
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "65 entries");
	counted("{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"x\"],\"resources\":{", "%s\"a%u\":1", 17, "}}]}");
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "17 entries");
	counted("{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"{item}\"],\"for_each\":[", "%s%u", 1000001, "]}]}");
	refused(PLAN_FORMAT_JSON, PLAN_E_LIMIT, "1000001 entries");
	begin("version: 1\nunits: [{id: a, command: ['{item}'], for_each: {count: 1000001}}]\n");
	refused(PLAN_FORMAT_YAML, PLAN_E_RANGE, NULL);
	begin("version: 1\nunits: [{id: a, command: ['{item}'], for_each: {count: 1000000}}, {id: b, command: [x]}]\n");
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "more than 1000000 units");
	begin("version: 1\nunits: [{id: a, command: ['{item}'], for_each: {count: 10000}}, {id: b, command: ['{item}'], for_each: {count: 1001}, "
	      "depends_on: [a]}]\n");
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "more than 10000000 dependencies");
}

struct stream {
	uint32_t next, count;
	char line[128];
	size_t at, bytes;
	const char *form;
};

static long produce(void *arg, void *to, size_t room)
{
	struct stream *s = arg;
	size_t n;

	if (s->at == s->bytes) {
		if (s->next > s->count)
			return 0;
		if (s->next == 0)
			s->bytes = (size_t)snprintf(s->line, sizeof(s->line), "{\"version\":1}\n");
		else
			s->bytes = (size_t)snprintf(s->line, sizeof(s->line), s->form, s->next, s->next % s->count + 1);
		s->next++;
		s->at = 0;
	}
	n = s->bytes - s->at < room ? s->bytes - s->at : room;
	memcpy(to, s->line + s->at, n);
	s->at += n;
	return (long)n;
}

static int load_stream(struct plan_case *c, const char *form, uint32_t count)
{
	struct stream s = { .count = count, .form = form };

	plan_diags_init(&c->diags);
	return plan_load_lines(produce, &s, NULL, &c->plan, &c->diags, &c->err);
}

static void a_million_units_and_one_more(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	if (load_stream(&c, "{\"id\":\"u%u\",\"command\":[\"true\"]}\n", 1000000) != 0) {
		plan_case_show(&c);
		fail();
	}
	assert_int_equal(c.plan->unit_count, 1000000);
	/* The figure of plan.h: settings and commands are shared. */
	assert_true(c.plan->arena.held_bytes + sizeof(struct plan_unit) * (size_t)c.plan->unit_count <= 300u * 1000000u);
	plan_case_release(&c);
	assert_int_equal(load_stream(&c, "{\"id\":\"u%u\",\"command\":[\"true\"]}\n", 1000001), -1);
	assert_int_equal(c.diags.error[0].code, PLAN_E_LIMIT);
	assert_int_equal(c.diags.error[0].line, 1000002);
	plan_case_release(&c);
}

static void a_cycle_of_a_hundred_thousand(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	assert_int_equal(load_stream(&c, "{\"id\":\"u%u\",\"command\":[\"true\"],\"depends_on\":[\"u%u\"]}\n", 100000), -1);
	assert_int_equal(c.diags.errors_found, 1);
	assert_int_equal(c.diags.error[0].code, PLAN_E_CYCLE);
	assert_non_null(strstr(c.diags.error[0].message, "u1 -> u2 -> "));
	assert_non_null(strstr(c.diags.error[0].message, " 99976 more "));
	assert_non_null(strstr(c.diags.error[0].message, "-> u100000 -> u1"));
	plan_case_release(&c);
}

static void a_chain_of_a_million_overflows_no_stack(void **state)
{
	struct plan_case c = { 0 };
	struct stream s = { .count = 1000000, .form = "{\"id\":\"u%u\",\"command\":[\"true\"],\"depends_on\":[\"u%u\"]}\n" };

	(void)state;
	/* u1 waits for u2 ... and the last for the first: a cycle again, but of a million. */
	plan_diags_init(&c.diags);
	assert_int_equal(plan_load_lines(produce, &s, NULL, &c.plan, &c.diags, &c.err), -1);
	assert_int_equal(c.diags.error[0].code, PLAN_E_CYCLE);
	plan_case_release(&c);
}

static void a_line_that_never_ends(void **state)
{
	struct plan_case c = { 0 };
	struct plan_memory m;

	(void)state;
	begin("{\"version\":1}\n");
	many("          ", 900000);
	m = (struct plan_memory){ text.at, text.bytes };
	plan_diags_init(&c.diags);
	assert_int_equal(plan_load_lines(plan_case_read, &m, NULL, &c.plan, &c.diags, &c.err), -1);
	assert_int_equal(c.diags.error[0].code, PLAN_E_LIMIT);
	assert_int_equal(c.diags.error[0].line, 2);
	plan_case_release(&c);
	rv_buf_release(&text);
}

static void one_line_of_fifty_megabytes(void **state)
{
	(void)state;
	counted("{\"version\":1,\"units\":[", "%s{\"id\":\"unit-number-%u\",\"command\":[\"true\"],\"x-padding\":\"................................................................"
				       "............................................................\"}", 300000, "]}");
	assert_true(text.bytes > (size_t)50 << 20);
	fine(PLAN_FORMAT_AUTO);
	begin("a: ");
	many("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1 << 20);
	refused(PLAN_FORMAT_YAML, PLAN_E_UNKNOWN_KEY, NULL);
	begin("x: ");
	many("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", (1 << 20) + 1);
	refused(PLAN_FORMAT_YAML, PLAN_E_LIMIT, "a file of");
}

static void many_cycles_are_told_once_each(void **state)
{
	struct plan_case c = { 0 };
	uint32_t i;

	(void)state;
	begin("{\"version\":1,\"units\":[");
	for (i = 0; i < 3000; i++)
		(void)rv_buf_printf(&text, "%s{\"id\":\"u%u\",\"command\":[\"x\"],\"depends_on\":[\"u%u\"]}", i ? "," : "", i, i ^ 1);
	many("]}", 1);
	assert_int_equal(plan_case_load(&c, text.at, PLAN_FORMAT_JSON), -1);
	assert_int_equal(c.diags.errors_found, 1500);
	assert_int_equal(c.diags.error_count, 20);
	assert_string_equal(c.diags.error[19].message, "these units wait for each other: u38 -> u39 -> u38");
	plan_case_release(&c);
	rv_buf_release(&text);
}

/* 200 units that all wait for each other hold more cycles than there are atoms. */
static void a_knot_is_told_in_a_few_words(void **state)
{
	struct plan_case c = { 0 };
	uint32_t i, k;

	(void)state;
	begin("{\"version\":1,\"units\":[");
	for (i = 0; i < 200; i++) {
		(void)rv_buf_printf(&text, "%s{\"id\":\"u%u\",\"command\":[\"x\"],\"depends_on\":[", i ? "," : "", i);
		for (k = 0; k < 200; k++)
			(void)rv_buf_printf(&text, "%s\"u%u\"", k ? "," : "", k == i ? (i + 1) % 200 : k);
		many("]}", 1);
	}
	many("]}", 1);
	assert_int_equal(plan_case_load(&c, text.at, PLAN_FORMAT_JSON), -1);
	assert_in_range(c.diags.errors_found, 1, 100);
	assert_int_equal(c.diags.error[0].code, PLAN_E_CYCLE);
	plan_case_release(&c);
	rv_buf_release(&text);
}

static void every_unit_wrong_is_still_quick(void **state)
{
	struct plan_case c = { 0 };
	struct timespec a, z;

	(void)state;
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(load_stream(&c, "{\"id\":\"u%u\",\"depends_on\":[\"n%u\"],\"bad\":1}\n", 200000), -1);
	(void)clock_gettime(CLOCK_MONOTONIC, &z);
	assert_int_equal(c.diags.errors_found, 600000);
	assert_int_equal(c.diags.error_count, 20);
	assert_true(z.tv_sec - a.tv_sec < 60);
	plan_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth),
		cmocka_unit_test(values),
		cmocka_unit_test(alias_bombs_are_refused_at_the_first_anchor),
		cmocka_unit_test(texts_and_lists),
		cmocka_unit_test(tables),
		cmocka_unit_test(a_million_units_and_one_more),
		cmocka_unit_test(a_cycle_of_a_hundred_thousand),
		cmocka_unit_test(a_chain_of_a_million_overflows_no_stack),
		cmocka_unit_test(a_line_that_never_ends),
		cmocka_unit_test(one_line_of_fifty_megabytes),
		cmocka_unit_test(many_cycles_are_told_once_each),
		cmocka_unit_test(a_knot_is_told_in_a_few_words),
		cmocka_unit_test(every_unit_wrong_is_still_quick),
	};

	return RUN(tests);
}
