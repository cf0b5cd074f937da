/* test_transcript_show.c - transcripts as people read them, in pieces of any size; what is no transcript stays as it is */
#include "cli/agentlog.h"
#include "node/agents/transcript.h"
#include "tests/lib/test.h"

#include <glob.h>

#define DIR "tests/data/agents/"

static void read_file(const char *path, struct rv_buf *out)
{
	char room[4096];
	size_t n;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	rv_buf_init(out, 0);
	while ((n = fread(room, 1, sizeof(room), f)) > 0)
		assert_int_equal(rv_buf_put(out, room, n), 0);
	(void)fclose(f);
}

static void show(struct rv_str text, size_t piece, struct rv_buf *out)
{
	struct transcript_show s;
	size_t at;

	rv_buf_init(out, 0);
	transcript_show_init(&s);
	for (at = 0; at < text.bytes; at += piece)
		transcript_show_feed(&s, rv_str(text.at + at, rv_min_u64(piece, text.bytes - at)), out);
	transcript_show_end(&s, out);
	transcript_show_release(&s);
}

static void real_transcripts_are_readable(void **state)
{
	static const size_t pieces[] = { 1, 13, 1 << 20 };
	glob_t found;
	size_t i, p;

	(void)state;
	assert_int_equal(glob(DIR "*.shown", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 10);
	for (i = 0; i < found.gl_pathc; i++) {
		char path[256];
		struct rv_buf want, text, got;

		print_message("%s\n", found.gl_pathv[i]);
		(void)snprintf(path, sizeof(path), "%.*s.out", (int)(strlen(found.gl_pathv[i]) - strlen(".shown")), found.gl_pathv[i]);
		read_file(found.gl_pathv[i], &want);
		read_file(path, &text);
		for (p = 0; p < RV_ARRAY_LEN(pieces); p++) {
			show(rv_buf_str(&text), pieces[p], &got);
			assert_str(rv_buf_str(&got), want.at);
			rv_buf_release(&got);
		}
		rv_buf_release(&want);
		rv_buf_release(&text);
	}
	globfree(&found);
}

static void check(const char *text, const char *want)
{
	struct rv_buf got;

	show(rv_str_of(text), 1 << 20, &got);
	assert_str(rv_buf_str(&got), want);
	rv_buf_release(&got);
}

static void what_is_no_event_stays_and_unknown_events_go(void **state)
{
	(void)state;
	check("error: unknown option\n\n  tip\nno newline", "error: unknown option\n\n  tip\nno newline");
	check("{\"no\": \"event\"}\n", "{\"no\": \"event\"}\n");
	check("{\"type\": \n", "{\"type\": \n");
	check("{\"type\":\"error\",\"message\":\"whole\"}", "! whole\n");
	check("{\"type\":\"error\",\"message\":\"half", "");
	check("{\"type\":\"turn.invented\"}\n{\"type\":\"system\",\"subtype\":\"status\"}\n{\"type\":\"hologram\"}\n", "");
	check("{\"type\":\"assistant\"}\n{\"type\":\"user\",\"message\":7}\n{\"type\":\"item.completed\",\"item\":[]}\n", "");
}

static void pieces_of_answers_are_told_in_few_lines(void **state)
{
	struct rv_buf text, got;
	unsigned i;

	(void)state;
	check("{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"thinking\",\"thinking\":\"first\\nsecond\"},"
	      "{\"type\":\"tool_use\",\"name\":\"mcp__x\",\"input\":{\"n\":[1,2]}}]}}\n", "~ first ...\n> mcp__x: {\"n\":[1,2]}\n");
	check("{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\",\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"a\"}]}]}}\n",
	      "  (image)\n  a\n");
	check("{\"type\":\"item.started\",\"item\":{\"type\":\"mcp_tool_call\",\"server\":\"s\",\"tool\":\"t\",\"arguments\":{\"path\":\"p\"}}}\n"
	      "{\"type\":\"item.completed\",\"item\":{\"type\":\"mcp_tool_call\",\"error\":{\"message\":\"no\"}}}\n", "> s.t: p\n! no\n");
	check("{\"type\":\"item.completed\",\"item\":{\"type\":\"file_change\",\"changes\":[{\"path\":\"a.c\",\"kind\":\"add\"},{\"path\":\"b.c\",\"kind\":\"update\"}]}}\n"
	      "{\"type\":\"item.completed\",\"item\":{\"type\":\"web_search\",\"query\":\"q\"}}\n"
	      "{\"type\":\"item.completed\",\"item\":{\"type\":\"reasoning\",\"text\":\"r\"}}\n", "> add: a.c\n> update: b.c\n> web_search: q\n~ r\n");

	rv_buf_init(&text, 0);
	(void)rv_buf_puts(&text, "{\"type\":\"item.completed\",\"item\":{\"type\":\"command_execution\",\"aggregated_output\":\"");
	for (i = 0; i < 100000; i++)
		(void)rv_buf_puts(&text, "line\\n");
	(void)rv_buf_puts(&text, "\"}}\n");
	show(rv_buf_str(&text), 1000, &got);
	assert_str(rv_buf_str(&got), "  line\n  line\n  line\n  line\n  line\n  line\n  ... 99994 more lines\n");
	rv_buf_release(&got);
	rv_buf_release(&text);
}

static void a_line_without_end_is_named(void **state)
{
	struct rv_buf text, got;
	char want[128];
	size_t i;

	(void)state;
	rv_buf_init(&text, 0);
	for (i = 0; i < TRANSCRIPT_LINE_BYTES_MAX + 10; i++)
		(void)rv_buf_putc(&text, 'x');
	(void)rv_buf_puts(&text, "\nnext\n");
	show(rv_buf_str(&text), 65536, &got);
	(void)snprintf(want, sizeof(want), "... a line of %zu bytes is not shown; logs --raw has it\nnext\n", TRANSCRIPT_LINE_BYTES_MAX + 10);
	assert_str(rv_buf_str(&got), want);
	rv_buf_release(&got);
	rv_buf_release(&text);
}

static void the_end_of_a_log_begins_with_a_whole_line(void **state)
{
	struct rv_buf got;

	(void)state;
	rv_buf_init(&got, 0);
	cli_transcript_tail(RV_STR("half\":1}\n{\"type\":\"error\",\"message\":\"m\"}\n"), true, &got);
	assert_str(rv_buf_str(&got), "! m\n");
	rv_buf_reset(&got);
	cli_transcript_tail(RV_STR("whole\n"), false, &got);
	assert_str(rv_buf_str(&got), "whole\n");
	rv_buf_reset(&got);
	cli_transcript_tail(RV_STR("{\"ok\":true}"), false, &got); /* no end, and yet whole */
	assert_str(rv_buf_str(&got), "{\"ok\":true}");
	rv_buf_reset(&got);
	cli_transcript_tail(RV_STR("{\"ok\":tr"), false, &got);
	assert_str(rv_buf_str(&got), "");
	rv_buf_release(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_transcripts_are_readable),
		cmocka_unit_test(what_is_no_event_stays_and_unknown_events_go),
		cmocka_unit_test(pieces_of_answers_are_told_in_few_lines),
		cmocka_unit_test(a_line_without_end_is_named),
		cmocka_unit_test(the_end_of_a_log_begins_with_a_whole_line),
	};

	return RUN(tests);
}
